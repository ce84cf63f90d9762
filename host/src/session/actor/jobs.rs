//! The session's commands: what was run, by whom, how it ended, and who waits to hear of it.

use portcullis_term::{CommandId, Completion, Outcome, Typist};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::CommandRecord;
use super::super::handle::{CommandOutput, SessionError};
use super::Actor;
use crate::audit::Entry;
use crate::clock;

/// Commands whose outcome is remembered.
const COMMANDS: usize = 256;

/// A command as it is remembered.
pub(super) struct Kept {
    pub(super) id: CommandId,
    started: Instant,
    ended: Option<Instant>,
    pub(super) record: CommandRecord,
}

impl Actor {
    pub(super) fn reported(&mut self, completion: Completion) {
        if !self.recorded(&Entry::CommandEnd { completion: &completion }) {
            return;
        }
        if let Some(kept) = self.commands.iter_mut().find(|kept| kept.id == completion.command_id) {
            if !completion.outcome.is_open() {
                kept.ended = Some(Instant::now());
            }
            kept.record.completion = Some(completion.clone());
        }
        if let Some(end) = end_line(&completion) {
            self.history.happened(&end);
        }
        for (id, waiter) in std::mem::take(&mut self.command_waiters) {
            if id == completion.command_id {
                // A caller that has stopped waiting reads the outcome later.
                drop(waiter.send(completion.clone()));
            } else {
                self.command_waiters.push((id, waiter));
            }
        }
    }

    pub(super) fn remember(&mut self, id: CommandId, typist: Typist, text: String) {
        if self.commands.len() == COMMANDS {
            self.commands.pop_front();
        }
        let record = CommandRecord {
            command_id: id.to_string(),
            typist,
            text,
            started_unix_ms: clock::unix_ms(),
            duration_ms: 0,
            completion: None,
        };
        self.commands.push_back(Kept { id, started: Instant::now(), ended: None, record });
    }

    pub(super) fn wait_command(&mut self, command_id: CommandId, reply: oneshot::Sender<Completion>) {
        let known = self.commands.iter().find(|kept| kept.id == command_id);
        match known.map(|kept| kept.record.completion.clone()) {
            // Dropping the sender says that the command is not known.
            None => drop(reply),
            Some(Some(completion)) if !completion.outcome.is_open() => drop(reply.send(completion)),
            Some(_) => self.command_waiters.push((command_id, reply)),
        }
    }

    pub(super) fn read_command(&self, command_id: CommandId) -> Result<CommandOutput, SessionError> {
        let kept =
            self.commands.iter().find(|kept| kept.id == command_id).ok_or(SessionError::UnknownCommand(command_id))?;
        let record = kept.record_now();
        let settled = record.completion.clone().filter(|completion| !completion.outcome.is_open());
        let interim = || self.terminal.interim().filter(|interim| interim.command_id == command_id);
        let known = settled.or_else(interim);
        let span = known.as_ref().map(|completion| completion.span);
        let (text, evicted_bytes) = known.map(|completion| self.terminal.command_text(&completion)).unwrap_or_default();
        Ok(CommandOutput { record, span, text, evicted_bytes })
    }
}

impl Kept {
    pub(super) fn record_now(&self) -> CommandRecord {
        let end = self.ended.unwrap_or_else(Instant::now);
        CommandRecord { duration_ms: end.duration_since(self.started).as_millis() as u64, ..self.record.clone() }
    }
}

/// A command's end as a line of the history; none while it may still be running.
fn end_line(completion: &Completion) -> Option<String> {
    let id = completion.command_id;
    match &completion.outcome {
        Outcome::Completed { exit_code: Some(code), .. } => Some(format!("{id} ended, exit {code}")),
        Outcome::Completed { exit_code: None, .. } | Outcome::PromptNoStatus => {
            Some(format!("{id} ended, exit code unknown"))
        }
        Outcome::Disconnected { .. } => Some(format!("{id} was cut off; it may or may not have completed")),
        // The level that was entered or left has a line of its own.
        Outcome::LevelChanged { .. } => None,
        Outcome::AwaitingInput { .. } | Outcome::Fullscreen | Outcome::Running | Outcome::Unknown { .. } => None,
    }
}
