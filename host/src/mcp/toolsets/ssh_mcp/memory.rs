//! What the predecessor told of sessions and commands and our host has no place for.
//!
//! Nothing is decided by it. It is the process's, like the sessions; what belongs to sessions that are gone goes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::SshMcpSettings;
use crate::clock;
use crate::host::Host;

#[derive(Debug)]
pub(super) struct Memory {
    pub(super) settings: SshMcpSettings,
    inner: Mutex<BTreeMap<String, OfSession>>,
}

#[derive(Debug, Default)]
struct OfSession {
    owner_label: Option<String>,
    /// Since when the agent has the input without a break, as far as these tools have seen.
    lease_unix_ms: Option<u64>,
    commands: BTreeMap<String, Moments>,
}

/// Moments of one command, in milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moments {
    /// A call's time was over and it went on.
    pub(super) timed_out: Option<u64>,
    pub(super) cancel_requested: Option<u64>,
}

impl Memory {
    pub(super) fn new(settings: SshMcpSettings) -> Self {
        Self { settings, inner: Mutex::default() }
    }

    /// A session was opened: its label, and an end to what is known of those that are no longer kept.
    pub(super) fn opened(&self, host: &Host, session_id: &str, owner_label: Option<String>) {
        let mut inner = self.locked();
        inner.retain(|id, _| host.sessions().get(id).is_some());
        let session = inner.entry(session_id.to_owned()).or_default();
        session.owner_label = owner_label.or(session.owner_label.take());
    }

    pub(super) fn owner_label(&self, session_id: &str) -> Option<String> {
        self.locked().get(session_id)?.owner_label.clone()
    }

    /// The agent has the input, or has it no longer; since when.
    pub(super) fn lease(&self, session_id: &str, is_held: bool) -> Option<u64> {
        let mut inner = self.locked();
        let session = inner.entry(session_id.to_owned()).or_default();
        session.lease_unix_ms = is_held.then(|| session.lease_unix_ms.unwrap_or_else(clock::unix_ms));
        session.lease_unix_ms
    }

    pub(super) fn timed_out(&self, session_id: &str, job_id: &str) {
        self.change(session_id, job_id, |moments| moments.timed_out = Some(clock::unix_ms()));
    }

    pub(super) fn cancel_requested(&self, session_id: &str, job_id: &str) {
        self.change(session_id, job_id, |moments| moments.cancel_requested = Some(clock::unix_ms()));
    }

    pub(super) fn moments(&self, session_id: &str, job_id: &str) -> Moments {
        let inner = self.locked();
        inner.get(session_id).and_then(|session| session.commands.get(job_id)).copied().unwrap_or_default()
    }

    fn change(&self, session_id: &str, job_id: &str, change: impl FnOnce(&mut Moments)) {
        let mut inner = self.locked();
        let session = inner.entry(session_id.to_owned()).or_default();
        change(session.commands.entry(job_id.to_owned()).or_default());
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, OfSession>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
