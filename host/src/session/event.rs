//! What a session tells those who watch it.

use std::sync::Arc;

use portcullis_term::{Completion, Typist};
use serde::Serialize;
use tokio::sync::broadcast;

use super::{Health, StopAttempt};
use crate::config::TranscriptMode;

/// A session at one moment, as lists and breadcrumbs show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionSummary {
    pub session_id: String,
    /// What the caller called it, unique among open sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub profile: String,
    pub label: String,
    /// `user@host:port`.
    pub host: String,
    /// Levels crossed, outermost first.
    pub breadcrumb: Vec<String>,
    /// `at_prompt`, `running`, `awaiting_input`, `fullscreen`, `arming`, `menu`, `unknown`, `closed`.
    pub state: String,
    pub running_command: Option<String>,
    pub health: Health,
    pub opened_unix_ms: u64,
    pub closed_reason: Option<String>,
    /// What the session's transcript holds.
    #[serde(skip_serializing_if = "TranscriptMode::is_full")]
    pub transcript_mode: TranscriptMode,
    /// The closed session this one goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reopened_from: Option<String>,
    /// The session that goes on from this closed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reopened_as: Option<String>,
    /// The route that was last followed to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Lines of the transcript are being lost now: why, and what would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_problem: Option<String>,
    pub columns: u16,
    pub rows: u16,
}

/// One positioned event.
#[derive(Debug, Clone)]
pub struct SessionEvent {
    /// Output offset after the event, in bytes.
    pub offset: u64,
    pub kind: SessionEventKind,
}

#[derive(Debug, Clone)]
pub enum SessionEventKind {
    Output(Arc<[u8]>),
    Resized { columns: u16, rows: u16 },
    Summary(Box<SessionSummary>),
    Closed { reason: String },
}

/// A viewer's beginning: the screen, where it stands, and everything after it.
#[derive(Debug)]
pub struct Attachment {
    /// Bytes that rebuild the screen in a fresh terminal.
    pub snapshot: Vec<u8>,
    pub offset: u64,
    pub columns: u16,
    pub rows: u16,
    pub live: broadcast::Receiver<SessionEvent>,
}

/// One command of the session, whoever ran it.
#[derive(Debug, Clone, Serialize)]
pub struct CommandRecord {
    pub command_id: String,
    pub typist: Typist,
    pub text: String,
    pub started_unix_ms: u64,
    pub duration_ms: u64,
    /// None until something is known beyond "it was started".
    pub completion: Option<Completion>,
    /// What was tried to stop it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<StopAttempt>,
    /// The command as which it goes on, after it was suspended to be stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed_as: Option<String>,
}
