//! What the server's own list of processes adds: whether a silent command waits for input.
//!
//! Advisory. It never ends a command and gives no exit code; it tells a program that reads from the terminal
//! without having asked for anything from one that works. Whoever holds the connection looks, on a second channel
//! and only where the first level is a shell of the server itself; here is when a look would tell something, and
//! what is made of it.

use std::time::Duration;

use super::quiet::{BROAD_QUIET, LIST_ROWS};
use super::{Actions, Glance, Tracker};
use crate::level::Integration;
use crate::outcome::{AwaitingKind, CommandId, Confidence, Outcome};
use crate::patterns;
use crate::ring::Offset;

/// A command that has been silent for long, and the shell that runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    pub command_id: CommandId,
    /// The shell's process id on the server.
    pub shell_pid: u32,
    /// When the last byte came, as time since the session opened. A look that began before another is void.
    since: Duration,
}

/// Who had the terminal at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreground {
    /// Its name, for people.
    pub program: String,
    /// Whether it waits for what is typed; none where that cannot be told: it waits for several things at once, or
    /// is somebody else's.
    pub reads_terminal: Option<bool>,
}

impl Tracker {
    /// The silence in which a look at the processes would tell something.
    pub(crate) fn silence(&self, at: Duration, glance: &Glance<'_>) -> Option<Silence> {
        let current = self.current.as_ref()?;
        let [level] = self.levels.as_slice() else { return None };
        // What was just typed may still be on its way to a program that reads.
        let answered = current.answered.as_ref().is_some_and(|(_, seen)| *seen == self.last_byte_at);
        let unexplained = current.reported.is_none() && current.ended.is_none() && !current.replayed && !answered;
        let silent = at.saturating_sub(self.last_byte_at) >= BROAD_QUIET && !glance.screen.alternate_screen();
        let runs = level.integration == Integration::Marks && self.was_taken(current, glance);
        let shell_pid = level.pid.as_ref()?.parse().ok()?;
        let silence = Silence { command_id: current.id, shell_pid, since: self.last_byte_at };
        (unexplained && silent && runs).then_some(silence)
    }

    /// What was found in `silence`, if that still lasts.
    pub(crate) fn foreground_seen(
        &mut self,
        silence: &Silence,
        seen: &Foreground,
        offset: Offset,
        at: Duration,
        glance: &Glance<'_>,
    ) -> Actions {
        let mut actions = Actions::default();
        if self.silence(at, glance).as_ref() != Some(silence) {
            return actions;
        }
        let Some(current) = &mut self.current else { return actions };
        let (program, reads) = (&seen.program, seen.reads_terminal);
        let does = match reads {
            Some(true) => "reads from the terminal",
            Some(false) => "has the terminal and does not read from it",
            None => "has the terminal; whether it reads from it cannot be told",
        };
        let evidence = format!("the server's processes: `{program}` {does}");
        current.foreground = Some(evidence.clone());
        if reads == Some(true) {
            let line = glance.line();
            let asked = patterns::question(&line, &glance.screen.rows_above(LIST_ROWS));
            let (kind, options, default) =
                asked.map_or((AwaitingKind::Text, Vec::new(), None), |it| (it.kind, it.options, it.default));
            let outcome = Outcome::AwaitingInput { kind, prompt: line.trim().to_owned(), options, default };
            current.reported = Some(outcome.clone());
            actions.report(current, offset, outcome, Confidence::High, evidence);
            actions.echo = super::marks::echo_of(current);
        }
        actions
    }
}
