//! The predecessor's summary of a session, which most results begin with, and what it says of a terminal.
//!
//! Positions are those of our record: output is counted in bytes of the stream as it is kept (UTF-8, with its
//! control sequences), events in lines of the numbered history. Both only grow, and stay true when the oldest part
//! goes. `maxChars` and `returnedChars` are characters of the cleaned text that is returned.

use serde_json::{Map, Value, json};

use super::Call;
use super::failure::lock;
use super::state::Known;
use super::told::Told;
use crate::clock;
use crate::ops::{self, SessionView, TerminalUse};
use crate::session::{Because, InputMode, Party};

/// What every terminal is.
pub(super) const TERM: &str = "xterm-256color";

/// A session as it is now, with what the set calls it.
pub(super) struct Seen {
    pub(super) known: Known,
    pub(super) view: SessionView,
}

impl Call {
    /// Looks at the session.
    pub(super) async fn see(&self, known: Known) -> Result<Seen, Told> {
        let view = ops::view(&self.host, known.session.id().as_str()).await?;
        Ok(Seen { known, view })
    }

    /// The session meant, as it is now.
    pub(super) async fn find(&self, reference: Option<&str>) -> Result<Seen, Told> {
        let known = self.state.resolve(&self.host, reference)?;
        self.see(known).await
    }

    pub(super) fn instance(&self) -> String {
        let instance = self.state.settings.instance.clone();
        instance.unwrap_or_else(|| self.host.instance().id.clone())
    }

    /// The summary object.
    pub(super) fn summary(&self, seen: &Seen) -> Map<String, Value> {
        let SessionView { summary, vitals, .. } = &seen.view;
        let input = input(&seen.view);
        let closed = summary.closed_reason.is_some();
        let own = json!({
            "sessionId": summary.session_id,
            "sessionName": summary.name,
            "sessionRef": seen.known.reference(),
            "instanceId": self.instance(),
            "deviceId": summary.profile,
            "connectionName": seen.known.connection,
            "profileSource": "profile",
            "host": seen.view.address,
            "port": seen.view.port,
            "user": seen.view.user,
            "cols": summary.columns,
            "rows": summary.rows,
            "term": TERM,
            "createdAt": clock::moment(summary.opened_unix_ms),
            "updatedAt": clock::moment(vitals.closed_unix_ms.unwrap_or(seen.view.last_activity_unix_ms)),
            "lastActivityAt": clock::moment(seen.view.last_activity_unix_ms),
            "idleTimeoutMs": milliseconds(seen.view.idle_close),
            "idleExpiresAt": ops::idle_expires_unix_ms(&seen.view).map(clock::moment),
            "closed": closed,
            "closedAt": vitals.closed_unix_ms.map(clock::moment),
            "closeReason": summary.closed_reason,
            "retainedUntil": null,
            "bufferStart": vitals.start.0,
            "bufferEnd": vitals.end.0,
            "eventStartSeq": vitals.first_line,
            "eventEndSeq": vitals.next_line,
            "inputLock": input.lock,
            "lockPolicy": input.policy,
            "userDraftActive": input.is_draft,
            "customPolicyRuleCount": seen.view.custom_rules,
            "operationMode": seen.view.policy_mode.as_str(),
            "sessionAvailability": if closed { "closed" } else { "available" },
        });
        own.as_object().cloned().unwrap_or_default()
    }
}

impl Seen {
    pub(super) fn id(&self) -> &str {
        self.known.session.id().as_str()
    }

    pub(super) fn reference(&self) -> String {
        self.known.reference()
    }

    pub(super) fn terminal_mode(&self) -> &'static str {
        match self.view.terminal {
            TerminalUse::Shell => "shell",
            TerminalUse::Secret => "password_prompt",
            TerminalUse::Pager => "pager",
            TerminalUse::Fullscreen => "editor",
            TerminalUse::Unknown => "unknown",
        }
    }

    /// Where to read on.
    pub(super) fn read_more(&self, offset: u64, max_chars: usize) -> Value {
        json!({
            "session": self.reference(),
            "offset": offset,
            "maxCharsSuggested": max_chars,
            "availableStart": self.view.vitals.start.0,
            "availableEnd": self.view.vitals.end.0,
        })
    }

    /// `nextOutputOffset` and `nextEventSeq`.
    pub(super) fn positions(&self) -> Map<String, Value> {
        let vitals = &self.view.vitals;
        Map::from_iter([
            ("nextOutputOffset".to_owned(), json!(vitals.end.0)),
            ("nextEventSeq".to_owned(), json!(vitals.next_line)),
        ])
    }
}

/// Who may type, in the predecessor's words.
struct Input {
    lock: &'static str,
    policy: &'static str,
    is_draft: bool,
}

fn input(view: &SessionView) -> Input {
    let control = view.summary.input;
    let holder = control.holder.map(|holder| lock(holder.who));
    let running = view.running.map(|_| lock(Party::Agent));
    Input {
        lock: holder.or(running).unwrap_or("none"),
        policy: match control.mode {
            InputMode::Auto => "auto",
            InputMode::Common => "common",
            InputMode::Human => "user",
            InputMode::Agent => "agent",
        },
        is_draft: control.holder.is_some_and(|holder| holder.because == Because::Typing),
    }
}

pub(super) fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
