//! How long closed transcripts are kept, and their compression. One that a host writes into is never touched:
//! whoever does holds its lock for as long as it lives.

use std::io::{Read, Write};
use std::time::{Duration, SystemTime};

use cap_std::fs::{File, OpenOptions, OpenOptionsExt};
use flate2::{Compression, GzBuilder};
use serde::Serialize;

use super::store::{COMPRESSED, PLAIN, Stored};
use crate::config::Keep;

/// What was done, or would be.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Kept {
    pub removed: Vec<String>,
    pub compressed: Vec<String>,
    /// Left alone because a host writes into them.
    pub live: usize,
    /// What could not be done.
    pub problems: Vec<String>,
}

/// Keeps to the limits. With `dry_run` only says what would be done.
pub fn keep(transcripts: Vec<Stored>, limits: &Keep, now: SystemTime, dry_run: bool) -> Kept {
    let mut kept = Kept::default();
    let mut closed = Vec::new();
    for stored in transcripts {
        match Locked::take(stored) {
            Some(locked) => closed.push(locked),
            None => kept.live += 1,
        }
    }
    let mut bytes: u64 = closed.iter().map(|locked| locked.stored.size_bytes).sum();
    let mut left = closed.len();
    // Oldest first, as they are listed.
    for locked in closed {
        let age = now.duration_since(locked.stored.modified).unwrap_or(Duration::ZERO);
        let too_old = limits.age.is_some_and(|limit| age > limit);
        let too_many = limits.count.is_some_and(|limit| left > limit);
        let too_large = limits.total_bytes.is_some_and(|limit| bytes > limit);
        let path = locked.stored.path.display().to_string();
        let size = locked.stored.size_bytes;
        let (done, list) = if too_old || too_many || too_large {
            left -= 1;
            bytes -= size;
            (if dry_run { Ok(()) } else { locked.remove() }, &mut kept.removed)
        } else if !locked.stored.compressed && limits.compress_after.is_some_and(|after| age > after) {
            (if dry_run { Ok(()) } else { locked.compress() }, &mut kept.compressed)
        } else {
            continue;
        };
        match done {
            Ok(()) => list.push(path),
            Err(error) => kept.problems.push(format!("{path}: {error}")),
        }
    }
    kept
}

/// A closed transcript that nobody else compresses or removes now.
struct Locked {
    stored: Stored,
    file: File,
}

impl Locked {
    fn take(stored: Stored) -> Option<Self> {
        let file = stored.open_file().ok()?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).ok()?;
        Some(Self { stored, file })
    }

    fn remove(&self) -> std::io::Result<()> {
        self.stored.directory.remove_file(&self.stored.file_name)
    }

    /// Writes the compressed file beside the plain one, whole and on the disk, before that goes.
    fn compress(mut self) -> std::io::Result<()> {
        let directory = &self.stored.directory;
        let session = self.stored.file_name.trim_end_matches(PLAIN);
        let (new, target) = (format!("{session}{COMPRESSED}.new"), format!("{session}{COMPRESSED}"));
        // What a killed host has left of the same.
        match directory.remove_file(&new) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut compressed = directory.open_with(&new, &options)?;
        let written = copy(&mut self.file, &mut compressed).and_then(|()| {
            // Its age is that of its last line.
            let mut file = compressed.into_std();
            file.set_modified(self.stored.modified)?;
            file.flush()?;
            file.sync_all()
        });
        if let Err(error) = written {
            // The plain one stays; what is left of this attempt is removed by the next one.
            let _ = directory.remove_file(&new);
            return Err(error);
        }
        directory.rename(&new, directory, &target)?;
        directory.remove_file(&self.stored.file_name)
    }
}

fn copy(from: &mut File, to: &mut File) -> std::io::Result<()> {
    let mut encoder = GzBuilder::new().write(to, Compression::default());
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match from.read(&mut buffer)? {
            0 => break,
            read => encoder.write_all(&buffer[..read])?,
        }
    }
    encoder.finish().map(drop)
}
