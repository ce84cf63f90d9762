//! The file of one transcript: appended lines, chained, and what happens where one cannot be written.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt};
use serde::Serialize;

use super::chain::{self, Chain, ChainKey};
use super::durable::Durable;
use super::entry::Entry;
use super::transcript::TranscriptError;
use crate::clock;
use crate::config::{OnWriteFailure, Sync};

/// Version of the line format.
pub(super) const VERSION: u32 = 2;

/// What every line has.
#[derive(Serialize)]
struct Line<'a, E: Serialize> {
    version: u32,
    number: u64,
    unix_ms: u64,
    at_ms: u64,
    #[serde(flatten)]
    entry: &'a E,
}

/// How a file is written.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    pub(super) key: ChainKey,
    pub(super) sync: Sync,
    pub(super) on_failure: OnWriteFailure,
}

/// An open transcript.
#[derive(Debug)]
pub(super) struct RecordFile {
    directory: Dir,
    name: String,
    path: PathBuf,
    /// None while it could not be made.
    file: Option<File>,
    durable: Option<Arc<Durable>>,
    manner: Manner,
    opened: Instant,
    number: u64,
    chain: Chain,
    buffer: Vec<u8>,
    lost: Option<Lost>,
}

/// What could not be written since it last could.
#[derive(Debug)]
struct Lost {
    reason: String,
    since_unix_ms: u64,
    lines: u64,
    output_bytes: u64,
    /// Part of a line is in the file.
    torn: bool,
}

impl RecordFile {
    /// Makes the file. Where that fails and everything is to go on, it is tried again with each line.
    pub(super) fn create(
        directory: &Dir,
        session_id: &str,
        instance: &Path,
        manner: Manner,
    ) -> Result<Self, TranscriptError> {
        let name = format!("{session_id}.jsonl");
        let path = instance.join("transcripts").join(&name);
        let failed = |source| TranscriptError::Write { path: path.clone(), source };
        let directory = directory.try_clone().map_err(failed)?;
        let chain = Chain::new(manner.key.clone());
        let mut record = Self {
            directory,
            name,
            path: path.clone(),
            file: None,
            durable: None,
            manner,
            opened: Instant::now(),
            number: 0,
            chain,
            buffer: Vec::new(),
            lost: None,
        };
        if let Err(error) = record.make() {
            record.failed(error, 0, false)?;
        }
        Ok(record)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn durable(&self) -> Option<Arc<Durable>> {
        self.durable.clone()
    }

    pub(super) fn is_keyed(&self) -> bool {
        self.manner.key.is_keyed()
    }

    /// Why lines are being lost now.
    pub(super) fn problem(&self) -> Option<String> {
        let lost = self.lost.as_ref()?;
        let typing = match self.manner.on_failure {
            OnWriteFailure::Stop => "nothing is typed until it can be",
            OnWriteFailure::Warn => "what happens now is NOT on record",
        };
        Some(format!(
            "the transcript cannot be written ({}); {} lines are missing, {typing}; free or mount the disk of {}",
            lost.reason,
            lost.lines,
            self.path.display()
        ))
    }

    /// Appends one line; `output_bytes` of it is output.
    pub(super) fn append<E: Serialize>(&mut self, entry: &E, output_bytes: u64) -> Result<(), TranscriptError> {
        if let Some(error) = self.durable.as_ref().and_then(|durable| durable.take_problem()) {
            self.failed(error, 0, false)?;
        }
        if self.lost.is_some()
            && let Err((error, torn)) = self.close_gap()
        {
            return self.failed(error, output_bytes, torn);
        }
        match self.write(entry) {
            Ok(()) => Ok(()),
            Err((error, torn)) => self.failed(error, output_bytes, torn),
        }
    }

    fn make(&mut self) -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        options.append(true).create_new(true).mode(0o600);
        let file = self.directory.open_with(&self.name, &options)?;
        // As long as it is held, nobody compresses or removes the file. Some file systems have no locks.
        let _ = rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        if self.manner.sync == Sync::Data {
            self.durable = Some(Durable::new(file.try_clone()?));
        }
        self.file = Some(file);
        Ok(())
    }

    /// Says in the file what is missing from it.
    fn close_gap(&mut self) -> Result<(), (std::io::Error, bool)> {
        if self.file.is_none() {
            self.make().map_err(|error| (error, false))?;
        }
        let Some(lost) = self.lost.take() else { return Ok(()) };
        let entry = Entry::Gap {
            reason: &lost.reason,
            since_unix_ms: lost.since_unix_ms,
            lines: lost.lines,
            output_bytes: lost.output_bytes,
            torn_line: lost.torn,
        };
        // Ends the piece, so that it is a line of its own.
        let ended = if lost.torn { self.write_bytes(b"\n").map_err(|(error, _)| (error, true)) } else { Ok(()) };
        let told = ended.and_then(|()| self.write(&entry));
        if told.is_err() {
            self.lost = Some(lost);
        }
        told
    }

    /// Serialises, chains and writes; an error says whether part of the line got into the file.
    fn write<E: Serialize>(&mut self, entry: &E) -> Result<(), (std::io::Error, bool)> {
        let line = Line {
            version: VERSION,
            number: self.number,
            unix_ms: clock::unix_ms(),
            at_ms: self.opened.elapsed().as_millis() as u64,
            entry,
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        serde_json::to_writer(&mut buffer, &line).map_err(|error| (error.into(), false))?;
        // The closing brace comes again behind the digest.
        buffer.pop();
        let digest = self.chain.digest(&buffer);
        chain::close(&mut buffer, &digest);
        let written = self.write_bytes(&buffer);
        self.buffer = buffer;
        written?;
        self.chain.advance(digest);
        self.number += 1;
        if let Some(durable) = &self.durable {
            durable.wrote();
        }
        Ok(())
    }

    fn write_bytes(&mut self, mut bytes: &[u8]) -> Result<(), (std::io::Error, bool)> {
        let Some(file) = &mut self.file else { return Err((std::io::ErrorKind::NotFound.into(), false)) };
        let whole = bytes.len();
        while !bytes.is_empty() {
            match file.write(bytes) {
                Ok(0) => return Err((std::io::ErrorKind::WriteZero.into(), bytes.len() < whole)),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err((error, bytes.len() < whole)),
            }
        }
        Ok(())
    }

    /// Counts what is lost; an error where typing is to stop.
    fn failed(&mut self, error: std::io::Error, output_bytes: u64, torn: bool) -> Result<(), TranscriptError> {
        if self.lost.is_none() {
            tracing::error!(transcript = %self.path.display(), %error, "the transcript cannot be written");
        }
        let since_unix_ms = clock::unix_ms();
        let lost = self.lost.get_or_insert_with(|| Lost {
            reason: String::new(),
            since_unix_ms,
            lines: 0,
            output_bytes: 0,
            torn: false,
        });
        lost.reason = error.to_string();
        lost.lines += 1;
        lost.output_bytes += output_bytes;
        lost.torn |= torn;
        match self.manner.on_failure {
            OnWriteFailure::Warn => Ok(()),
            OnWriteFailure::Stop => Err(TranscriptError::Write { path: self.path.clone(), source: error }),
        }
    }
}
