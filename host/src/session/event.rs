//! What a session tells those who watch it.

use std::sync::Arc;

use portcullis_term::{Completion, Typist};
use serde::Serialize;
use tokio::sync::broadcast;

use super::{Health, InputControl, SessionRules, StopAttempt};
use crate::config::{PolicyMode, TranscriptMode};

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
    /// When that was started, in milliseconds since 1970-01-01 UTC.
    #[serde(skip)]
    pub running_since_unix_ms: Option<u64>,
    /// The terminal asks for something only a person may type; agents hear it as their command's outcome.
    #[serde(skip)]
    pub asks_for_secret: bool,
    /// Who may type.
    #[serde(skip_serializing_if = "InputControl::is_usual")]
    pub input: InputControl,
    /// What a person has set here instead of the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_mode: Option<PolicyMode>,
    /// Rules that hold here only, beside the configuration's.
    #[serde(skip_serializing_if = "SessionRules::is_empty")]
    pub rules: SessionRules,
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
    Resized {
        columns: u16,
        rows: u16,
    },
    Summary(Box<SessionSummary>),
    Closed {
        reason: String,
    },
    /// A command was started, refused or has got on.
    Command(Box<TimelineEntry>),
}

/// Where a viewer wants to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachFrom {
    /// At the screen, with at most this many bytes of output before it.
    Screen { history_bytes: u64 },
    /// At this offset, which it has seen; at the screen where less than all since then is kept, or more than
    /// this many bytes were printed.
    Offset { offset: u64, most_bytes: u64 },
}

/// A viewer's beginning: the screen, where it stands, and everything after it.
#[derive(Debug)]
pub struct Attachment {
    /// Bytes that rebuild the screen in a fresh terminal; none where the viewer goes on from what it has.
    pub snapshot: Option<Vec<u8>>,
    /// Output up to `offset`.
    pub history: Vec<u8>,
    pub timeline: Vec<TimelineEntry>,
    pub offset: u64,
    pub columns: u16,
    pub rows: u16,
    pub live: broadcast::Receiver<SessionEvent>,
}

/// A command as a person sees it beside the terminal.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineEntry {
    /// `c7`, or `r2` for a line that was refused.
    pub id: String,
    pub actor: Typist,
    pub text: String,
    pub started_unix_ms: u64,
    /// None while it may still be running.
    pub duration_ms: Option<u64>,
    /// Output offset at which it began.
    pub offset: u64,
    /// `completed`, `running`, `awaiting_input`, … or `refused`.
    pub outcome: String,
    pub exit_code: Option<i32>,
    /// What the policies said; none of a person's own.
    pub verdict: Option<String>,
    /// The rule that decided, of a line that was refused.
    pub rule_id: Option<String>,
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
