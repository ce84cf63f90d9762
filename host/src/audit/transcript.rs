//! One session's transcript: JSON lines, appended.
//!
//! Every line has `version`, `number` (from 0, no gaps), `unix_ms`, `at_ms` (since the session
//! opened, monotonic), `kind`, and the entry's own fields. Output that is not valid UTF-8 goes into
//! `base64` instead of `text`; with `transcript = "meta"` only `length_bytes` is there.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt};
use portcullis_term::{Completion, Typist};
use serde::Serialize;
use serde_json::Value;

use crate::approvals::Consent;
use crate::clock;
use crate::config::TranscriptMode;

/// Version of the line format.
const VERSION: u32 = 1;

/// Why a line could not be recorded. The session stops typing then.
#[derive(Debug, thiserror::Error)]
pub enum TranscriptError {
    #[error("the transcript {} cannot be written; free or mount its disk, then reopen the session", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// What is recorded.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry<'a> {
    Opened {
        session_id: &'a str,
        profile: &'a str,
        address: &'a str,
        user: &'a str,
        host_key: &'a str,
        auth_method: &'a str,
        /// `full` or `meta`: whether contents follow.
        transcript: &'a str,
        columns: u16,
        rows: u16,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        /// The closed session this one goes on from; its own file is sealed and says nothing of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        reopened_from: Option<&'a str>,
        /// That session's file, in the same folder.
        #[serde(skip_serializing_if = "Option::is_none")]
        reopened_from_transcript: Option<&'a str>,
    },
    /// A person answered while the connection was made; never what.
    PersonAnswered {
        target: &'a str,
        what: &'a str,
        /// A server's own questions: hostile text, cleaned and cut.
        prompts: &'a [String],
    },
    /// A person trusted a host key nobody had recorded.
    PersonTrusted {
        target: &'a str,
        host_key: &'a str,
        recorded_in: String,
    },
    Output {
        offset: u64,
        #[serde(flatten)]
        content: Bytes<'a>,
    },
    Input {
        actor: Typist,
        #[serde(flatten)]
        content: Bytes<'a>,
    },
    /// Typed by the host itself: the lines that make a prompt recognisable, answers to queries.
    HostInput {
        #[serde(flatten)]
        content: Bytes<'a>,
    },
    /// Typed at a question for a secret: only the fact is kept.
    SecretInput {
        actor: Typist,
        length: usize,
    },
    Verdict {
        actor: Typist,
        delivery: &'a str,
        text: &'a str,
        verdict: &'a str,
        decisions: Value,
        /// What policies on trial said, without effect.
        #[serde(skip_serializing_if = "is_empty_list")]
        on_trial: Value,
        /// Only judged; nobody wanted to type it.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        dry_run: bool,
        /// By which it passed although a policy asks.
        #[serde(skip_serializing_if = "Option::is_none")]
        consent: Option<&'a Consent>,
    },
    /// A person was asked to allow a text, or what came of it.
    Approval(&'a ApprovalRecord),
    CommandStart {
        command_id: String,
        actor: Typist,
        text: &'a str,
        offset: u64,
    },
    CommandEnd {
        #[serde(flatten)]
        completion: &'a Completion,
    },
    Level {
        breadcrumb: &'a [String],
    },
    /// What a navigation is about to do.
    NavigationStep {
        route: &'a str,
        what: &'a str,
    },
    Resize {
        columns: u16,
        rows: u16,
    },
    /// A file on the server was reached beside the terminal. Its content is not kept.
    File(&'a FileRecord),
    /// The connection's health has changed.
    Health {
        state: &'a str,
        reason: &'a str,
    },
    /// Who may type has changed.
    Control {
        /// `human` or `agent`.
        actor: &'a str,
        /// `taken`, `taken_by_force`, `handed_over`, `released`, `expired` or `mode`.
        change: &'a str,
        /// The session's setting now.
        mode: &'a str,
        /// Who has the input for themselves now.
        #[serde(skip_serializing_if = "Option::is_none")]
        holder: Option<&'a str>,
    },
    /// A person has changed how strictly lines are judged here.
    PolicyMode {
        actor: &'a str,
        mode: &'a str,
        was: &'a str,
    },
    Closed {
        reason: &'a str,
        exit_code: Option<i32>,
    },
}

/// A question for a person's consent, and its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApprovalRecord {
    pub approval_id: String,
    /// `asked`, `allowed`, `denied`, `expired`, `withdrawn` or `session_closed`.
    pub state: &'static str,
    pub actor: Typist,
    pub delivery: &'static str,
    pub text: String,
    /// Of text, place and reader together.
    pub digest_sha256: String,
    pub breadcrumb: Vec<String>,
    /// The rules that want consent.
    pub rules: Vec<String>,
    /// What the agent says it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The client whose call asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<String>,
    /// `once` or `rule_for_session`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<&'static str>,
    /// `viewer`, `elicitation` or `cli`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<&'static str>,
    /// Who answered, as far as the channel knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was done with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileRecord {
    pub actor: Typist,
    /// `read`, `list`, `look` or `write`.
    pub operation: &'static str,
    /// With all links followed.
    pub path: String,
    /// Of what was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset_bytes: Option<u64>,
    /// Read or written; none of a listing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Of the whole file, where all of it was read or written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What the policies said.
    pub verdict: &'static str,
    /// `read`, `created`, `replaced` or `failed`.
    pub result: &'static str,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Text, base64 where it is not UTF-8, or only its length where contents are left out.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Bytes<'a> {
    Text { text: &'a str },
    Base64 { base64: String },
    Length { length_bytes: usize },
}

#[derive(Serialize)]
struct Line<'a> {
    version: u32,
    number: u64,
    unix_ms: u64,
    at_ms: u64,
    #[serde(flatten)]
    entry: &'a Entry<'a>,
}

/// The record of one session.
#[derive(Debug)]
pub struct Transcript {
    mode: TranscriptMode,
    /// None where no record is kept.
    open: Option<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    path: PathBuf,
    opened: Instant,
    number: u64,
    buffer: Vec<u8>,
}

impl Transcript {
    pub(super) fn create(
        directory: &Dir,
        session_id: &str,
        instance: &Path,
        mode: TranscriptMode,
    ) -> Result<Self, TranscriptError> {
        let open = match mode {
            TranscriptMode::Full | TranscriptMode::Meta => Some(OpenFile::create(directory, session_id, instance)?),
            TranscriptMode::Off => None,
        };
        Ok(Self { mode, open })
    }

    /// Where the file lies; there is none with `transcript = "off"`.
    pub fn path(&self) -> Option<&Path> {
        self.open.as_ref().map(|open| open.path.as_path())
    }

    /// What is written of something printed or typed.
    pub fn content<'a>(&self, bytes: &'a [u8]) -> Bytes<'a> {
        if !self.mode.is_full() {
            return Bytes::Length { length_bytes: bytes.len() };
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Bytes::Text { text },
            Err(_) => Bytes::Base64 { base64: STANDARD.encode(bytes) },
        }
    }

    /// Appends one line.
    ///
    /// # Errors
    /// When the disk does not take it; the caller must not report the effect then.
    pub fn record(&mut self, entry: &Entry<'_>) -> Result<(), TranscriptError> {
        self.open.as_mut().map_or(Ok(()), |open| open.append(entry))
    }
}

impl OpenFile {
    fn create(directory: &Dir, session_id: &str, instance: &Path) -> Result<Self, TranscriptError> {
        let name = format!("{session_id}.jsonl");
        let path = instance.join("transcripts").join(&name);
        let mut options = OpenOptions::new();
        options.append(true).create_new(true).mode(0o600);
        let file = directory
            .open_with(&name, &options)
            .map_err(|source| TranscriptError::Write { path: path.clone(), source })?;
        Ok(Self { file, path, opened: Instant::now(), number: 0, buffer: Vec::new() })
    }

    fn append(&mut self, entry: &Entry<'_>) -> Result<(), TranscriptError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| TranscriptError::Write { path, source }
        };
        let line = Line {
            version: VERSION,
            number: self.number,
            unix_ms: clock::unix_ms(),
            at_ms: self.opened.elapsed().as_millis() as u64,
            entry,
        };
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, &line).map_err(|error| failed(&self.path)(error.into()))?;
        self.buffer.push(b'\n');
        self.file.write_all(&self.buffer).map_err(failed(&self.path))?;
        self.number += 1;
        Ok(())
    }
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}
