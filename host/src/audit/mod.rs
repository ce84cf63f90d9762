//! The record: one append-only JSONL file per session, and the instance's folder.
//!
//! A line is written before its effect is reported to anyone. The file is opened through one
//! directory handle, so that no name can lead out of it; directories are 0700, files 0600. A crash
//! loses at most the line being written. Nothing here decides or redacts by guess: what must not
//! be recorded (a secret a person types) is never handed to it.
//!
//! Called by the session's task (output, input, commands) and by the gate (verdicts). It owns no
//! task: a line is one `write` to the page cache.

mod instance;
pub mod past;
mod transcript;

pub use instance::{Instance, InstanceError};
pub use transcript::{ApprovalRecord, Entry, FileRecord, Transcript, TranscriptError};
