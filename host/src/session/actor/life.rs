//! Signs of life, idleness, and a pod's size: what happens to a session beside its output.

use std::time::Duration;

use portcullis_term::LevelKind;
use tokio::time::Instant;

use super::Actor;
use crate::audit::Entry;
use crate::config::TerminalSize;
use crate::ssh::ShellCommand;

/// One slow answer must not make the host wait for minutes before it believes in quiet.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(2);

impl Actor {
    /// When the session has been idle for too long; never while a command runs.
    pub(super) fn idle_deadline(&self) -> Option<Instant> {
        let limit = self.profile.idle_close;
        let may_end = self.closed.is_none() && !limit.is_zero() && self.terminal.running().is_none();
        may_end.then(|| self.last_activity + limit)
    }

    pub(super) fn alive(&mut self, round_trip: Option<Duration>) {
        if let Some(round_trip) = round_trip {
            self.terminal.set_round_trip(round_trip.min(LONGEST_ROUND_TRIP));
        }
        let Some(silence) = self.pulse.heard(round_trip) else { return };
        let reason = format!("the server answers again after {:.0} s", silence.as_secs_f64());
        self.health_changed("healthy", &reason);
    }

    pub(super) fn silent(&mut self, unanswered: u32, limit: u32, silence: Duration) {
        let news = self.pulse.missed(unanswered, limit, silence);
        let reason = self.pulse.health(None).reason.unwrap_or_default();
        if news {
            self.health_changed("unhealthy", &reason);
        } else {
            self.refresh();
        }
    }

    fn health_changed(&mut self, state: &str, reason: &str) {
        self.record(&Entry::Health { state, reason });
        self.history.happened(&format!("{state}: {reason}"));
        self.refresh();
    }

    /// A pod's terminal often begins with no size or a default one, and learns its own only from a
    /// change: one column less, then as it is.
    pub(super) fn tell_pod_its_size(&mut self) {
        if self.terminal.levels().last().is_none_or(|level| level.kind != LevelKind::PodShell) {
            return;
        }
        let (columns, rows) = self.terminal.size();
        for columns in [columns.saturating_sub(1).max(1), columns] {
            // A full queue means the server takes nothing; the size is then the least of it.
            drop(self.link.commands.try_send(ShellCommand::Resize(TerminalSize { columns, rows })));
        }
    }
}
