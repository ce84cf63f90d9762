//! The transcripts of a state folder: of every instance, open and closed, plain and compressed.
//!
//! Everything is opened through one directory handle, without following links, and only ordinary files count:
//! whatever else lies there under a transcript's name is passed over.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt};
use flate2::read::MultiGzDecoder;

pub(super) const PLAIN: &str = ".jsonl";
pub(super) const COMPRESSED: &str = ".jsonl.gz";
/// A first line is short; a longer one is no transcript's.
const MAX_LINE_BYTES: usize = 64 << 20;

/// A line that says how a session ended is shorter.
const LAST_LINE_BYTES: u64 = 64 * 1024;

/// Why transcripts cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the state folder {} cannot be read; name the right configuration with --config", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the transcript {} cannot be read", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// One transcript.
#[derive(Debug)]
pub struct Stored {
    pub instance: String,
    pub session: String,
    pub path: PathBuf,
    pub size_bytes: u64,
    /// Of the last line.
    pub modified: std::time::SystemTime,
    pub compressed: bool,
    pub(super) directory: Dir,
    pub(super) file_name: String,
}

/// All transcripts below a state folder, or those of one instance, oldest first.
///
/// # Errors
/// When the folder cannot be read; a folder that is not there holds none.
pub fn stored(state: &Path, instance: Option<&str>) -> Result<Vec<Stored>, StoreError> {
    let failed = |source| StoreError::Folder { path: state.to_owned(), source };
    let root = match Dir::open_ambient_dir(state.join("instances"), ambient_authority()) {
        Ok(root) => root,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in root.entries().map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let Some(id) = name.to_str().filter(|id| instance.is_none_or(|wanted| wanted == *id)) else { continue };
        // A link would lead elsewhere, and what has gone meanwhile is not there.
        if root.symlink_metadata(id).is_ok_and(|metadata| metadata.is_dir())
            && let Ok(transcripts) = root.open_dir(Path::new(id).join("transcripts"))
        {
            let path = state.join("instances").join(id).join("transcripts");
            of_instance(id, &path, &transcripts, &mut found);
        }
    }
    found.sort_by(|a, b| (a.modified, &a.session).cmp(&(b.modified, &b.session)));
    Ok(found)
}

fn of_instance(instance: &str, path: &Path, directory: &Dir, found: &mut Vec<Stored>) {
    let Ok(entries) = directory.entries() else { return };
    let names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    for name in &names {
        let (session, compressed) = match (name.strip_suffix(PLAIN), name.strip_suffix(COMPRESSED)) {
            (Some(session), _) => (session, false),
            (_, Some(session)) => (session, true),
            _ => continue,
        };
        // Compressing was cut off between its last two steps: the plain one is the record.
        if compressed && names.contains(&format!("{session}{PLAIN}")) {
            continue;
        }
        let Ok(metadata) = directory.symlink_metadata(name) else { continue };
        let (true, Ok(modified), Ok(directory)) = (metadata.is_file(), metadata.modified(), directory.try_clone())
        else {
            continue;
        };
        found.push(Stored {
            instance: instance.to_owned(),
            session: session.to_owned(),
            path: path.join(name),
            size_bytes: metadata.len(),
            modified: modified.into_std(),
            compressed,
            directory,
            file_name: name.clone(),
        });
    }
}

impl Stored {
    /// Opens the file; never a link, and never waits for whatever else may lie there.
    pub(super) fn open_file(&self) -> Result<File, StoreError> {
        let failed = |source| StoreError::File { path: self.path.clone(), source };
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(flags.bits() as i32);
        let file = self.directory.open_with(&self.file_name, &options).map_err(failed)?;
        match file.metadata().map_err(failed)?.is_file() {
            true => Ok(file),
            false => Err(failed(std::io::ErrorKind::InvalidInput.into())),
        }
    }

    /// The lines as bytes, compressed or not.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(super) fn open(&self) -> Result<Box<dyn Read + Send>, StoreError> {
        let file = self.open_file()?;
        Ok(match self.compressed {
            true => Box::new(MultiGzDecoder::new(BufReader::with_capacity(256 * 1024, file))),
            false => Box::new(file),
        })
    }

    /// Goes through the lines: each with its end, but for a torn last one.
    ///
    /// # Errors
    /// When the file cannot be read, or `each` says so.
    pub(super) fn lines(&self, mut each: impl FnMut(&[u8]) -> bool) -> Result<(), StoreError> {
        let failed = |source| StoreError::File { path: self.path.clone(), source };
        let mut reader = BufReader::with_capacity(256 * 1024, self.open()?);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut reader).take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut line).map_err(failed)?;
            if read == 0 || !each(&line) {
                return Ok(());
            }
        }
    }

    /// Whether the session has not ended and its host lives. A closed session's host keeps its file as well.
    pub fn is_open(&self) -> bool {
        self.is_live() && !self.ends_with_closing().unwrap_or(false)
    }

    fn ends_with_closing(&self) -> std::io::Result<bool> {
        let mut file = self.open_file().map_err(std::io::Error::other)?;
        file.seek(SeekFrom::Start(self.size_bytes.saturating_sub(LAST_LINE_BYTES)))?;
        let mut end = Vec::new();
        file.read_to_end(&mut end)?;
        let last = end.split_inclusive(|byte| *byte == b'\n').next_back().unwrap_or_default();
        Ok(memchr::memmem::find(last, b"\"kind\":\"closed\"").is_some() && last.ends_with(b"\n"))
    }

    /// Whether a host has it open now.
    pub fn is_live(&self) -> bool {
        let Ok(file) = self.open_file() else { return false };
        let lock = rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockShared);
        lock.is_err()
    }
}
