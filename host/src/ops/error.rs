//! Why an operation did not do what was asked: what, why, and the next step.

use portcullis_sandbox::CallError;
use portcullis_term::AwaitingKind;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::PathBuf;

use super::{AwaitingApproval, FileError, SessionRuleError};
use crate::attempts::Failure;
use crate::audit::{StoreError, TranscriptError};
use crate::diagnose::Finding;
use crate::gate::Refusal;
use crate::local::LocalError;
use crate::plugins::POLICY_FAILED;
use crate::session::{Dropped, SessionError};
use crate::ssh::ConnectError;

/// A tool call that makes sense next, as it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NextStep {
    pub tool: String,
    pub arguments: Value,
}

impl NextStep {
    pub fn new(tool: &str, arguments: Value) -> Self {
        Self { tool: tool.to_owned(), arguments }
    }
}

/// The domain's errors. The adapters render them once each.
#[derive(Debug, thiserror::Error)]
pub enum OpError {
    #[error("there is no profile `{profile}`; {}", known_list("profiles", .known))]
    UnknownProfile { profile: String, known: Vec<String> },
    #[error("profile `{profile}` ({origin}) cannot be opened: {problem}")]
    UnusableProfile { profile: String, origin: String, problem: String },
    #[error(
        "there are no profiles: a person writes a `Host` into ~/.ssh/config, or runs `portcullis config profile set NAME host=HOST user=USER`, and restarts this server"
    )]
    NoProfiles,
    #[error("profile `{profile}` has no route `{route}`; {}", known_list("its routes", .known))]
    UnknownRoute { profile: String, route: String, known: Vec<String> },
    #[error(
        "profile `{profile}` has no navigator, so no route can be followed on it; the operator adds one to its configuration"
    )]
    NoNavigator { profile: String },
    #[error("there is no session `{session_id}`; {}", known_list("sessions", .known))]
    UnknownSession { session_id: String, known: Vec<String> },
    #[error(
        "session `{}` is closed and no longer kept here (the newest {keep} closed ones are); {}",
        .dropped.session_id,
        .dropped.transcript.as_ref().map_or("it has no transcript".to_owned(), |path| format!("its record is {}", path.display()))
    )]
    DroppedSession { dropped: Dropped, keep: usize },
    #[error("the name `{name}` is taken by an open session: {by}")]
    NameTaken { name: String, by: String },
    #[error("session `{session_id}` is still open, so there is nothing to reopen")]
    StillOpen { session_id: String },
    #[error("session `{session_id}` was reopened already, as `{as_session_id}`, which is open")]
    ReopenedAlready { session_id: String, as_session_id: String },
    #[error("no session is open; open one with ssh_open on a profile ({})", .profiles.join(", "))]
    NoSession { profiles: Vec<String> },
    #[error("more than one session is open, so `session_id` is needed; {}", known_list("open", .open))]
    AmbiguousSession { open: Vec<String> },
    #[error("no connection to profile `{profile}`: {source}")]
    Connect {
        profile: String,
        /// What can be said of the profile without connecting, where it is not as it should be.
        diagnosis: Vec<Finding>,
        #[source]
        source: Box<ConnectError>,
    },
    #[error("no shell for profile `{profile}`: {source}")]
    LocalShell {
        profile: String,
        #[source]
        source: Box<LocalError>,
    },
    /// What the attempt to open a session came to; several callers may hear of it.
    #[error(transparent)]
    Opening(Failure),
    #[error("the attempt to open this session was given up; call again to make another")]
    GivenUp,
    #[error("too many sessions are being opened at once; wait for some of them")]
    TooManyAttempts,
    #[error(
        "no further session: {what}, which is all that `{key}` allows; close one that is not needed with ssh_stop, or have a person raise `{key}` in the configuration"
    )]
    AtLimit { what: String, key: &'static str },
    #[error("not sent: {refusal} (rule {})", .refusal.strictest().rule_id)]
    Refused { refusal: Box<Refusal>, session_id: String },
    #[error("{}", approval_words(.0))]
    AwaitingApproval(Box<AwaitingApproval>),
    #[error(
        "a person allowed it, but meanwhile the terminal has moved on (judged at `{before}`, now {state} at `{now}`); nothing was typed, and where it is now it needs a new approval"
    )]
    ApprovalMoved { session_id: String, before: String, now: String, state: String },
    #[error("awaiting input ({prompt}): a secret, which only a person may type, in the viewer; nothing was sent")]
    SecretAsked { kind: AwaitingKind, prompt: String, session_id: String },
    #[error("{job_id} is being stopped already; what comes of it stands with the job")]
    BeingStopped { job_id: String, session_id: String },
    #[error("{source}")]
    Session {
        session_id: Option<String>,
        #[source]
        source: SessionError,
    },
    #[error("the plugin `{plugin}` failed: {source}")]
    Plugin {
        plugin: String,
        #[source]
        source: CallError,
    },
    #[error("{0}")]
    Navigation(Box<Stopped>),
    #[error("the saved places in {} cannot be read or written; mend or remove the file", path.display())]
    Places {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{0}")]
    BadArgument(String),
    /// A caller's regular expression that is none, or too large a one.
    #[error("`{name}` is no usable regular expression: {problem}")]
    BadPattern { name: String, problem: String },
    #[error(transparent)]
    SessionRule(#[from] SessionRuleError),
    #[error("{source}")]
    File {
        session_id: String,
        #[source]
        source: Box<FileError>,
    },
    #[error("{source}")]
    Transcripts {
        #[source]
        source: StoreError,
    },
    #[error("the record could not be started")]
    Record(#[source] TranscriptError),
    #[error("no random number could be had from the operating system")]
    Random(#[source] getrandom::Error),
}

/// What waits, and for how long.
fn approval_words(approval: &AwaitingApproval) -> String {
    let AwaitingApproval { approval_id, rule_id, reason, viewer, expires_in_s, of_this_call, .. } = approval;
    let place = viewer.as_ref().map_or(String::new(), |viewer| format!(", in the viewer at {viewer}"));
    let what = match of_this_call {
        true => format!("nothing was sent yet: a person has to allow it (rule {rule_id}: {reason})"),
        false => {
            format!("nothing was sent: this session waits for a person to allow another line, `{}`", approval.text)
        }
    };
    format!("{what}; approval {approval_id}{place}, open for another {expires_in_s} s")
}

fn known_list(what: &str, known: &[String]) -> String {
    if known.is_empty() { format!("there are no {what}") } else { format!("{what}: {}", known.join(", ")) }
}

impl From<SessionError> for OpError {
    fn from(source: SessionError) -> Self {
        Self::Session { session_id: None, source }
    }
}

/// A navigation that did not reach its place; the terminal is left where it was.
#[derive(Debug, thiserror::Error)]
#[error(
    "navigation to `{route}` stopped: {message} [{code}]; the terminal is left where it was, its last rows are below"
)]
pub struct Stopped {
    pub route: String,
    /// Stable, the navigator's own or `stopped`.
    pub code: String,
    pub message: String,
    /// What was done before, one line each; the last one is the step that led to the failure.
    pub steps: Vec<String>,
    /// Rows of the screen that show why.
    pub rows: Vec<String>,
    pub session_id: String,
}

impl OpError {
    /// The stable class of the failure.
    pub fn category(&self) -> &'static str {
        match self.told() {
            Self::UnknownProfile { .. }
            | Self::UnusableProfile { .. }
            | Self::NoProfiles
            | Self::UnknownRoute { .. }
            | Self::NoNavigator { .. } => "config-error",
            Self::SessionRule(SessionRuleError::Unusable(_)) => "plugin-failure",
            Self::BadArgument(_)
            | Self::BadPattern { .. }
            | Self::NameTaken { .. }
            | Self::LocalShell { .. }
            | Self::SessionRule(_) => "config-error",
            Self::UnknownSession { .. }
            | Self::DroppedSession { .. }
            | Self::StillOpen { .. }
            | Self::ReopenedAlready { .. }
            | Self::NoSession { .. }
            | Self::AmbiguousSession { .. } => "ambiguous-session",
            Self::Connect { source, .. } => match source.category() {
                "host-key" => "host-key",
                "authentication" => "auth-failure",
                "configuration" => "config-error",
                _ => "connection-failure",
            },
            Self::Refused { refusal, .. } if refusal.was_ask() => "policy-ask-denied",
            Self::Refused { refusal, .. } if refusal.strictest().rule_id == POLICY_FAILED => "plugin-failure",
            Self::Refused { .. } => "policy-blocked",
            Self::AwaitingApproval(_) => "input-locked",
            Self::SecretAsked { .. } | Self::ApprovalMoved { .. } | Self::BeingStopped { .. } => {
                "terminal-state-abnormal"
            }
            Self::Session { source, .. } => match source {
                SessionError::NotReady(portcullis_term::NotReady::DirtyLine) | SessionError::Held { .. } => {
                    "input-locked"
                }
                SessionError::Closed { .. } | SessionError::Gone => "connection-failure",
                SessionError::Transcript(_) => "runtime-state-abnormal",
                _ => "terminal-state-abnormal",
            },
            Self::Plugin { .. } => "plugin-failure",
            Self::Navigation(_) => "terminal-state-abnormal",
            Self::Places { .. } | Self::Transcripts { .. } => "runtime-state-abnormal",
            Self::File { source, .. } => source.category(),
            Self::Record(_)
            | Self::Random(_)
            | Self::Opening(_)
            | Self::GivenUp
            | Self::TooManyAttempts
            | Self::AtLimit { .. } => "runtime-state-abnormal",
        }
    }

    /// Nothing was sent because of a decision, not because of a fault.
    pub fn is_blocked(&self) -> bool {
        match self.told() {
            Self::Refused { .. }
            | Self::SecretAsked { .. }
            | Self::AwaitingApproval(_)
            | Self::ApprovalMoved { .. } => true,
            Self::Session { source, .. } => matches!(source, SessionError::SecretAsked | SessionError::Held { .. }),
            Self::File { source, .. } => source.is_blocked(),
            _ => false,
        }
    }

    /// What to call next.
    pub fn next(&self) -> NextStep {
        match self.told() {
            Self::UnknownProfile { .. }
            | Self::UnusableProfile { .. }
            | Self::NoProfiles
            | Self::UnknownRoute { .. }
            | Self::NoNavigator { .. }
            | Self::NoSession { .. } => NextStep::new("ssh_hosts", json!({})),
            Self::Connect { .. }
            | Self::LocalShell { .. }
            | Self::Record(_)
            | Self::Random(_)
            | Self::BadPattern { .. }
            | Self::BadArgument(_) => NextStep::new("ssh_hosts", json!({})),
            Self::UnknownSession { .. }
            | Self::AmbiguousSession { .. }
            | Self::NameTaken { .. }
            | Self::Opening(_)
            | Self::GivenUp
            | Self::TooManyAttempts
            | Self::AtLimit { .. }
            | Self::Places { .. }
            | Self::SessionRule(_)
            | Self::Transcripts { .. }
            | Self::Plugin { .. } => NextStep::new("ssh_status", json!({})),
            Self::DroppedSession { dropped, .. } => {
                NextStep::new("ssh_open", json!({ "profile": dropped.profile, "new": true }))
            }
            Self::StillOpen { session_id } | Self::ReopenedAlready { as_session_id: session_id, .. } => {
                NextStep::new("ssh_read", json!({ "session_id": session_id }))
            }
            Self::BeingStopped { session_id, job_id } => {
                NextStep::new("ssh_read", json!({ "session_id": session_id, "job_id": job_id, "wait_s": 20 }))
            }
            Self::Navigation(stopped) => NextStep::new("ssh_read", json!({ "session_id": stopped.session_id })),
            Self::AwaitingApproval(approval) => {
                NextStep::new("ssh_status", json!({ "session_id": approval.session_id }))
            }
            Self::Refused { session_id, .. }
            | Self::SecretAsked { session_id, .. }
            | Self::ApprovalMoved { session_id, .. } => NextStep::new("ssh_read", json!({ "session_id": session_id })),
            Self::Session { session_id: Some(id), source } => match source {
                SessionError::NotReady(portcullis_term::NotReady::Running(command)) => {
                    NextStep::new("ssh_read", json!({ "session_id": id, "job_id": command.to_string() }))
                }
                SessionError::Closed { .. } => NextStep::new("ssh_open", json!({ "reopen": id })),
                _ => NextStep::new("ssh_read", json!({ "session_id": id })),
            },
            Self::File { session_id, source } => source.next(session_id),
            Self::Session { session_id: None, .. } => NextStep::new("ssh_status", json!({})),
        }
    }

    /// The error an attempt ended with, or this one.
    pub fn told(&self) -> &Self {
        match self {
            Self::Opening(failure) => failure.downcast_ref().unwrap_or(self),
            other => other,
        }
    }

    /// Names the session in an error that came from one.
    #[must_use]
    pub fn in_session(self, id: &str) -> Self {
        match self {
            Self::Session { source, .. } => Self::Session { session_id: Some(id.to_owned()), source },
            other => other,
        }
    }
}
