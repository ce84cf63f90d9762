//! Sessions: one task per session owns the SSH channel, the terminal model and the transcript.
//!
//! Everyone else holds a [`SessionHandle`]: requests go in on a bounded channel, each with a
//! `oneshot` for its answer; what happens comes out by `broadcast`. A viewer's snapshot and its
//! subscription are one request, so that nothing is missed or seen twice. The task's reading arm
//! never waits for a viewer, a client, a plugin or the server's window.
//!
//! This module calls no plugin and knows no MCP and no browser. It types only what the gate has
//! cleared: [`crate::gate::Cleared`] is the one thing `submit` and `type_in` take.

mod actor;
mod control;
mod event;
mod handle;
mod health;
mod history;
mod registry;
mod rules;
mod stopping;
#[cfg(test)]
mod tests;
mod typed;

pub use actor::{Opening, ReopenedFrom, open};
pub use control::{AGENTS_LEASE, Because, ControlRequest, Holder, InputControl, InputMode, Party};
pub use event::{AttachFrom, Attachment, CommandRecord, SessionEvent, SessionEventKind, SessionSummary, TimelineEntry};
pub use handle::{
    AgentsTurn, CommandOutput, OutputSlice, PluginFailure, Position, Reading, SessionError, SessionHandle,
    SubmitOptions, Ticket, Vitals,
};
pub use health::{Health, HealthState};
pub(crate) use history::full_screen_after;
pub use history::{Cut, HistoryLine, LineRange};
pub use registry::{Dropped, NameGuard, NameTaken, Sessions};
pub use rules::{RuleChange, RuleRefused, SessionRule, SessionRules};
pub use stopping::{Resumes, StopAttempt, StopGuard, ToldCodes};

use std::fmt;

/// Name of a session, unique within the instance: `s-<profile>-<number>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId {
    text: String,
    number: u64,
}

impl SessionId {
    /// Only letters, digits and `-` of the profile's name are kept: the id names a file.
    pub fn new(profile: &str, number: u64) -> Self {
        let safe: String = profile.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
        Self { text: format!("s-{safe}-{number}"), number }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Grows with every session of the process.
    pub fn number(&self) -> u64 {
        self.number
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}
