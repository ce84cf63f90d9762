//! The record: one append-only JSONL file per session, and the instance's folder.
//!
//! A line is written before its effect is reported to anyone. The file is opened through one
//! directory handle, so that no name can lead out of it; directories are 0700, files 0600. A crash
//! loses at most the line being written. Lines are chained (`chain`), and nothing that is a secret's gets
//! into them (`redact`).
//!
//! Called by the session's task (output, input, commands), by the operations (reading, searching) and by the
//! command line. A line is one `write` to the page cache; with `sync = "data"` one task per transcript brings
//! it to the disk (`durable`).

mod chain;
mod durable;
mod entry;
mod export;
mod file;
mod instance;
pub mod instances;
mod lines;
mod matcher;
pub mod past;
mod reader;
mod redact;
mod retention;
mod search;
mod store;
#[cfg(test)]
mod tests;
mod transcript;
mod verify;

pub use chain::{ChainKey, KeyError};
pub use durable::Durable;
pub use entry::{ApprovalRecord, Bytes, Entry, FileRecord};
pub use export::{ExportError, Form, export};
pub use instance::{Instance, InstanceError, Keeping, ServerFile, Wanted};
pub use lines::{FoundLines, LineQuery, MatchedLine, OutputLine, search_lines};
pub use matcher::PatternError;
pub use reader::{Event, LineRead};
pub use redact::{RedactedLog, Redaction, Redactor, RuleError};
pub use retention::{Kept, keep};
pub use search::{Found, Hit, Query, search, told};
pub use store::{StoreError, Stored, stored};
pub use transcript::{Transcript, TranscriptError};
pub use verify::{BrokenLine, Verified, verify};
