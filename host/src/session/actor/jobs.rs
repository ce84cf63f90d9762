//! The session's commands: what was run, by whom, how it ended, and who waits to hear of it.

use portcullis_term::{CommandId, Completion, Outcome, Typist};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::handle::{CommandOutput, SessionError};
use super::super::{CommandRecord, Resumes, SessionEventKind, StopAttempt, TimelineEntry};
use super::Actor;
use crate::audit::Entry;
use crate::clock;
use crate::gate::Refusal;
use crate::metrics;

/// Refused lines that are remembered.
const REFUSALS: usize = 64;

/// A command as it is remembered.
pub(super) struct Kept {
    pub(super) id: CommandId,
    started: Instant,
    ended: Option<Instant>,
    pub(super) record: CommandRecord,
    /// What was known when the host had suspended it; its line was brought back since.
    suspended: Option<Completion>,
    /// Where its output begins.
    offset: u64,
    verdict: Option<&'static str>,
    /// This one's line brought that one back.
    resumes: Option<Resumes>,
}

impl Actor {
    pub(super) fn reported(&mut self, completion: Completion) {
        self.record(&Entry::CommandEnd { completion: &completion });
        if let Some(kept) = self.commands.iter_mut().find(|kept| kept.id == completion.command_id) {
            if !completion.outcome.is_open() {
                metrics::command_ended(kept.record.typist, &completion.outcome);
                kept.ended = Some(Instant::now());
            }
            kept.record.completion = Some(completion.clone());
        }
        self.tell_timeline(completion.command_id);
        if let Some(end) = end_line(&completion) {
            self.history.happened(&end);
        }
        self.tell_waiters(&completion);
        self.tell_resumed(&completion);
    }

    /// What the policies said of the command that was just started.
    pub(super) fn judged(&mut self, id: CommandId, verdict: Option<&'static str>) {
        if let Some(kept) = self.commands.iter_mut().find(|kept| kept.id == id) {
            kept.verdict = verdict;
        }
        self.tell_timeline(id);
    }

    pub(super) fn tell_timeline(&self, id: CommandId) {
        if let Some(kept) = self.commands.iter().find(|kept| kept.id == id) {
            self.tell(SessionEventKind::Command(Box::new(kept.timeline_entry())));
        }
    }

    /// A line that was not typed, for those who watch.
    pub(super) fn remember_refusal(&mut self, refusal: &Refusal) {
        if self.refusals.len() == REFUSALS {
            self.refusals.pop_front();
        }
        self.refused += 1;
        let entry = TimelineEntry {
            id: format!("r{}", self.refused),
            actor: refusal.actor(),
            text: refusal.text().to_owned(),
            started_unix_ms: clock::unix_ms(),
            duration_ms: None,
            offset: self.terminal.end().0,
            outcome: "refused".to_owned(),
            exit_code: None,
            verdict: Some(if refusal.was_ask() { "ask" } else { "deny" }.to_owned()),
            rule_id: Some(refusal.strictest().rule_id.clone()),
        };
        self.tell(SessionEventKind::Command(Box::new(entry.clone())));
        self.refusals.push_back(entry);
    }

    /// Commands and refused lines, in the order they happened.
    pub(super) fn timeline(&self) -> Vec<TimelineEntry> {
        let commands = self.commands.iter().map(Kept::timeline_entry);
        let mut entries: Vec<_> = commands.chain(self.refusals.iter().cloned()).collect();
        entries.sort_by_key(|entry| entry.started_unix_ms);
        entries
    }

    fn tell_waiters(&mut self, completion: &Completion) {
        for (id, waiter) in std::mem::take(&mut self.command_waiters) {
            if id == completion.command_id {
                // A caller that has stopped waiting reads the outcome later.
                drop(waiter.send(completion.clone()));
            } else {
                self.command_waiters.push((id, waiter));
            }
        }
    }

    pub(super) fn remember(&mut self, id: CommandId, typist: Typist, text: String, offset: u64) {
        if self.commands.len() >= self.keep_commands {
            self.commands.pop_front();
        }
        let record = CommandRecord {
            command_id: id.to_string(),
            typist,
            text,
            started_unix_ms: clock::unix_ms(),
            duration_ms: 0,
            completion: None,
            stops: Vec::new(),
            resumed_as: None,
        };
        let kept = Kept {
            id,
            started: Instant::now(),
            ended: None,
            record,
            suspended: None,
            offset,
            verdict: None,
            resumes: None,
        };
        self.tell(SessionEventKind::Command(Box::new(kept.timeline_entry())));
        self.commands.push_back(kept);
    }

    /// The line of `by` brings a suspended command back: it is running again.
    pub(super) fn resume(&mut self, resumes: Resumes, by: CommandId) {
        if let Some(kept) = self.commands.iter_mut().find(|kept| kept.id == by) {
            kept.resumes = Some(resumes);
        }
        if let Some(kept) = self.commands.iter_mut().find(|kept| kept.id == resumes.command_id) {
            kept.ended = None;
            kept.record.resumed_as = Some(by.to_string());
            let known = kept.record.completion.take();
            kept.suspended = kept.suspended.take().or(known);
        }
    }

    /// What the line that brought a command back has come to is that command's fate too.
    fn tell_resumed(&mut self, completion: &Completion) {
        let Some(line) = self.commands.iter().find(|kept| kept.id == completion.command_id) else { return };
        let Some(resumes) = line.resumes.filter(|_| !completion.outcome.is_open()) else { return };
        let output = self.terminal.command_text(completion).0.text;
        let Some(kept) = self.commands.iter_mut().find(|kept| kept.id == resumes.command_id) else { return };
        let Some(before) = &kept.suspended else { return };
        let known = resumes.told(before, completion, &output);
        kept.ended = Some(Instant::now());
        kept.record.completion = Some(known.clone());
        self.record(&Entry::CommandEnd { completion: &known });
        self.tell_waiters(&known);
    }

    /// Something was typed at a running command's question: it is no longer what the command waits for,
    /// until it asks again.
    pub(super) fn answered(&mut self, bytes: &[u8]) {
        self.terminal.program_typed(bytes);
        let Some(running) = self.terminal.running() else { return };
        let Some(kept) = self.commands.iter_mut().find(|kept| kept.id == running) else { return };
        let asks = |known: &mut Completion| matches!(known.outcome, Outcome::AwaitingInput { .. });
        if kept.record.completion.take_if(asks).is_some() {
            self.tell_timeline(running);
            self.refresh();
        }
    }

    pub(super) fn note_stop(&mut self, command_id: CommandId, attempt: StopAttempt) -> Result<(), SessionError> {
        let kept = self.commands.iter_mut().find(|kept| kept.id == command_id);
        kept.ok_or(SessionError::UnknownCommand(command_id))?.record.stops.push(attempt);
        Ok(())
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
        let suspended = || kept.suspended.clone();
        let known = settled.or_else(interim).or_else(suspended);
        let span = known.as_ref().map(|completion| completion.span);
        let (text, evicted_bytes) = known.map(|completion| self.terminal.command_text(&completion)).unwrap_or_default();
        Ok(CommandOutput { record, span, text, evicted_bytes })
    }
}

impl Kept {
    fn timeline_entry(&self) -> TimelineEntry {
        let known = self.record.completion.as_ref();
        let (outcome, exit_code) = match known.map(|known| &known.outcome) {
            None | Some(Outcome::Running) => ("running", None),
            Some(Outcome::Completed { exit_code, .. }) => ("completed", *exit_code),
            Some(Outcome::PromptNoStatus) => ("prompt_no_status", None),
            Some(Outcome::AwaitingInput { .. }) => ("awaiting_input", None),
            Some(Outcome::Fullscreen) => ("fullscreen", None),
            Some(Outcome::LevelChanged { exit_code, .. }) => ("level_changed", *exit_code),
            Some(Outcome::Disconnected { exit_code, .. }) => ("disconnected", *exit_code),
            Some(Outcome::Unknown { .. }) => ("unknown", None),
        };
        let record = self.record_now();
        TimelineEntry {
            id: record.command_id,
            actor: record.typist,
            text: record.text,
            started_unix_ms: record.started_unix_ms,
            duration_ms: self.ended.map(|_| record.duration_ms),
            offset: self.offset,
            outcome: outcome.to_owned(),
            exit_code,
            verdict: self.verdict.map(str::to_owned),
            rule_id: None,
        }
    }

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
