//! What a session's task does when it is asked: typing what the gate has cleared, reading, resizing.

use portcullis_term::track::Expectation;
use portcullis_term::{AwaitingKind, NotReady, Offset, Outcome, Span, State, Submission, Typist, patterns};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::control::TypedInto;
use super::super::handle::{
    OutputSlice, PluginFailure, Position, Reading, Reply, Request, SessionError, SubmitOptions, Ticket, Vitals,
};
use super::super::history::full_screen_after;
use super::super::{AttachFrom, Attachment, SessionEventKind};
use super::Actor;
use super::jobs::Kept;
use crate::audit::{ApprovalRecord, Entry, FileRecord};
use crate::config::{EnterKey, TerminalSize};
use crate::gate::{Cleared, Payload, Reader, Refusal};
use crate::metrics;
use crate::ssh::ShellCommand;

impl Actor {
    pub(super) fn answer(&mut self, request: Request) {
        // A caller that no longer waits for its answer is no reason to stop.
        match request {
            Request::Submit { cleared, options, reply } => drop(reply.send(self.submit(cleared, *options))),
            Request::TypeIn { cleared, enter, by, reply } => drop(reply.send(self.type_in(cleared, enter, by))),
            Request::RecordRefusal { refusal, reply } => drop(reply.send(self.record_refusal(&refusal))),
            Request::DeclareLevel { level, reply } => {
                self.terminal.declare_level(*level);
                self.refresh();
                drop(reply.send(Ok(())));
            }
            Request::ExpectLevel { expectation, reply } => self.expect_level(expectation, reply),
            Request::WaitCommand { command_id, reply } => self.wait_command(command_id, reply),
            Request::Interim { reply } => drop(reply.send(Ok(self.terminal.interim()))),
            Request::Position { reply } => drop(reply.send(Ok(self.position()))),
            Request::Read { reply } => drop(reply.send(Ok(self.reading()))),
            Request::ReadCommand { command_id, reply } => drop(reply.send(self.read_command(command_id))),
            Request::NoteStop { command_id, attempt, reply } => {
                drop(reply.send(self.note_stop(command_id, attempt)));
            }
            Request::Commands { reply } => {
                let records = self.commands.iter().map(Kept::record_now).collect();
                drop(reply.send(Ok(records)));
            }
            Request::Attach { from, reply } => drop(reply.send(Ok(self.attach(from)))),
            Request::Resize { size, reply } => drop(reply.send(self.resize(size))),
            Request::Vitals { reply } => drop(reply.send(Ok(self.vitals()))),
            Request::OutputSlice { from, to, most_bytes, reply } => {
                drop(reply.send(Ok(self.output_slice(from, to, most_bytes))));
            }
            Request::ReadHistory { range, reply } => {
                drop(reply.send(Ok(self.history.cut(range, |span| self.terminal.read(span)))));
            }
            Request::Followed { route, reply } => {
                self.summary.send_modify(|summary| summary.route = Some(route));
                drop(reply.send(Ok(())));
            }
            Request::RecordStep { route, what, reply } => {
                let entry = Entry::NavigationStep { route: &route, what: &what };
                drop(reply.send(self.must_record(&entry)));
            }
            Request::ReopenedAs { session_id, reply } => {
                self.summary.send_modify(|summary| summary.reopened_as = Some(session_id));
                drop(reply.send(Ok(())));
            }
            Request::AdmitFile { cleared, reply } => drop(reply.send(self.admit_file(cleared))),
            Request::RecordFile { record, reply } => drop(reply.send(self.record_file(&record))),
            Request::RecordFailure { failure, reply } => drop(reply.send(self.record_failure(&failure))),
            Request::RecordApproval { record, reply } => drop(reply.send(self.record_approval(&record))),
            Request::Control { who, request, by, reply } => drop(reply.send(self.control(who, request, by))),
            Request::AgentsTurn { has_line, reply } => drop(reply.send(self.agents_turn(has_line))),
            Request::SetPolicyMode { mode, was, by, reply } => drop(reply.send(self.set_policy_mode(mode, was, by))),
            Request::ChangeRules { who, change, reply } => drop(reply.send(self.change_rules(who, &change))),
        }
    }

    fn submit(&mut self, cleared: Cleared, options: SubmitOptions) -> Result<Ticket, SessionError> {
        let SubmitOptions { opens, expect_level, resumes, enter } = options;
        self.must_be_open()?;
        self.must_be_admitted(&cleared)?;
        self.record_verdict(&cleared)?;
        self.count(&cleared);
        let typist = cleared.typist();
        let verdict = cleared.judged_as();
        let text = match cleared.into_payload() {
            Payload::Line(text) => text,
            Payload::Text(_) | Payload::Key(_) | Payload::Secret(_) | Payload::Bytes(_) | Payload::Path(_) => {
                return Err(NotReady::NoPrompt("typing keys".to_owned()).into());
            }
        };
        // Asked before anything begins: what cannot be written there is not typed in part either.
        self.encoded(text.as_bytes())?;
        let submission = Submission { text, typist, opens, expect_level };
        let (command_id, bytes, event) = self.terminal.begin(&submission, self.at())?;
        self.happened(event);
        self.must_be_open()?;
        self.judged(command_id, verdict);
        if let Some(resumes) = resumes {
            self.resume(resumes, command_id);
        }
        let (waiter, settled) = oneshot::channel();
        self.command_waiters.push((command_id, waiter));
        let bytes = shell_line(bytes, enter.unwrap_or(self.profile.enter));
        if let Err(error) = self.record_line(typist, &submission.text, &bytes) {
            // The terminal waits for the end of a command by now, and it must not be typed.
            self.end_without_record(&error.to_string());
            return Err(error);
        }
        self.write(self.encoded(&bytes)?);
        self.refresh();
        Ok(Ticket { command_id, settled })
    }

    fn type_in(&mut self, cleared: Cleared, enter: Option<EnterKey>, by: Option<String>) -> Result<(), SessionError> {
        self.must_be_open()?;
        self.must_be_admitted(&cleared)?;
        self.must_still_hold(&cleared)?;
        if cleared.typist() == Typist::Human {
            self.record_person(by)?;
        }
        self.record_verdict(&cleared)?;
        self.count(&cleared);
        let typist = cleared.typist();
        self.active();
        let payload = cleared.into_payload();
        if let Payload::Secret(secret) = &payload {
            self.transcript.learn(secret);
        }
        let bytes = self.bytes_of(payload, enter.unwrap_or(self.profile.enter));
        let written = self.encoded(&bytes)?;
        self.record_input(typist, &bytes)?;
        if typist == Typist::Human {
            let into = self.what_reads();
            self.control.person_typed(&bytes, into, Instant::now());
            let started = self.terminal.human_typed(&bytes, self.at());
            if let Some(event) = started {
                self.happened(event);
            }
            self.refresh();
        } else {
            self.answered(&bytes);
        }
        self.write(written);
        Ok(())
    }

    /// Also what fails after this counts: consent that is asked for once more is better than consent for a
    /// terminal that an agent has changed meanwhile.
    fn count(&mut self, cleared: &Cleared) {
        if cleared.typist() != Typist::Human && cleared.reader() != Reader::Anything {
            self.typed_for_agents += 1;
        }
    }

    /// What is typed for the payload, as UTF-8.
    fn bytes_of(&self, payload: Payload, enter: EnterKey) -> Vec<u8> {
        match payload {
            Payload::Bytes(bytes) => bytes,
            Payload::Text(text) => text.into_bytes(),
            Payload::Line(text) => [text.as_bytes(), enter.bytes()].concat(),
            Payload::Secret(secret) => [secret.expose().as_bytes(), enter.bytes()].concat(),
            // Never typed: `must_still_hold` lets nothing through that nobody reads.
            Payload::Path(_) => Vec::new(),
            Payload::Key(key) => with_enter(key.bytes(self.terminal.application_cursor()).to_vec(), enter),
        }
    }

    /// Typed bytes, which are UTF-8 here and in the record, as the present level reads them. What is
    /// no text (a cut character of a person's paste) goes as it is.
    fn encoded(&self, bytes: &[u8]) -> Result<Vec<u8>, SessionError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.terminal.encode(text).ok_or(SessionError::NotEncodable),
            Err(_) => Ok(bytes.to_vec()),
        }
    }

    /// The verdict was given for what read the terminal then; this is what reads it now.
    fn must_still_hold(&self, cleared: &Cleared) -> Result<(), SessionError> {
        match (cleared.reader(), self.asks_for_secret()) {
            (Reader::Anything, _) | (Reader::SecretQuestion, true) => return Ok(()),
            (_, true) => return Err(SessionError::SecretAsked),
            (_, false) => {}
        }
        let state = self.terminal.state();
        let holds = match cleared.reader() {
            Reader::Anything => true,
            Reader::Prompt => matches!(state, State::AtPrompt { dirty: false }),
            Reader::Menu => state == State::Menu,
            Reader::Program => !matches!(state, State::AtPrompt { .. } | State::Arming),
            Reader::SecretQuestion | Reader::Nobody => false,
        };
        if holds { Ok(()) } else { Err(SessionError::MovedOn) }
    }

    /// What a person's keys go to now.
    fn what_reads(&self) -> TypedInto {
        match patterns::awaiting(&self.terminal.line_before_cursor()) {
            Some(kind) if kind.is_secret() => TypedInto::SecretQuestion,
            Some(AwaitingKind::Pager | AwaitingKind::PressKey) => TypedInto::Keys,
            _ if self.terminal.alternate_screen() => TypedInto::Keys,
            _ if matches!(self.terminal.state(), State::AtPrompt { .. }) => TypedInto::Prompt,
            _ => TypedInto::Program,
        }
    }

    pub(super) fn asks_for_secret(&self) -> bool {
        let line = self.terminal.line_before_cursor();
        patterns::awaiting(&line).is_some_and(|kind| kind.is_secret())
    }

    fn record_input(&mut self, actor: Typist, bytes: &[u8]) -> Result<(), SessionError> {
        let secret = self.asks_for_secret();
        self.on_record(|transcript| match secret {
            true => transcript.secret_input(actor, bytes),
            false => transcript.input(actor, bytes),
        })?;
        metrics::input(actor, bytes.len());
        self.history.typed(actor, bytes, secret);
        Ok(())
    }

    /// A line for the prompt: in the history as it was given, in the record as it was typed.
    fn record_line(&mut self, actor: Typist, text: &str, bytes: &[u8]) -> Result<(), SessionError> {
        self.active();
        self.on_record(|transcript| transcript.input(actor, bytes))?;
        metrics::input(actor, bytes.len());
        self.history.submitted(actor, text);
        Ok(())
    }

    /// Says who a person is, where that is known, before the first line that is of somebody else than the last one.
    pub(super) fn record_person(&mut self, by: Option<String>) -> Result<(), SessionError> {
        if by == self.person {
            return Ok(());
        }
        self.must_record(&Entry::Person { name: by.as_deref() })?;
        self.person = by;
        Ok(())
    }

    fn record_verdict(&mut self, cleared: &Cleared) -> Result<(), SessionError> {
        if let Some(entry) = cleared.verdict_entry() {
            self.must_record(&entry)?;
        }
        self.record_failed_policies(cleared.failed_policies());
        Ok(())
    }

    fn record_failed_policies<'a>(&mut self, failed: impl Iterator<Item = (&'a str, &'a str)>) {
        failed.for_each(|(plugin, message)| {
            self.record(&Entry::Error { about: "policy", plugin: Some(plugin), message })
        });
    }

    fn record_refusal(&mut self, refusal: &Refusal) -> Result<(), SessionError> {
        self.must_record(&refusal.verdict_entry())?;
        self.record_failed_policies(refusal.failed_policies());
        let rule = &refusal.strictest().rule_id;
        let what = match refusal.is_dry_run() {
            true => "judged only, by",
            false if refusal.was_ask() => "needs a person's consent by",
            false => "refused by",
        };
        self.history.happened(&format!("{what} {rule}, not sent: {}", refusal.text()));
        if !refusal.is_dry_run() {
            self.remember_refusal(refusal);
        }
        Ok(())
    }

    fn record_approval(&mut self, record: &ApprovalRecord) -> Result<(), SessionError> {
        self.must_record(&Entry::Approval(record))?;
        let by = record.channel.map_or(String::new(), |channel| format!(" by a person ({channel})"));
        let reason = record.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
        self.history.happened(&format!("approval {} {}{by}{reason}", record.approval_id, record.state));
        Ok(())
    }

    fn admit_file(&mut self, cleared: Cleared) -> Result<String, SessionError> {
        self.must_be_open()?;
        self.record_verdict(&cleared)?;
        // Somebody is at work here, though the terminal is quiet.
        self.active();
        match cleared.into_payload() {
            Payload::Path(path) => Ok(path),
            Payload::Line(_) | Payload::Text(_) | Payload::Key(_) | Payload::Secret(_) | Payload::Bytes(_) => {
                Err(SessionError::MovedOn)
            }
        }
    }

    fn record_file(&mut self, record: &FileRecord) -> Result<(), SessionError> {
        self.must_record(&Entry::File(record))?;
        let FileRecord { operation, path, result, .. } = record;
        let bytes = record.bytes.map_or(String::new(), |bytes| format!(", {bytes} bytes"));
        self.history.happened(&format!("file {operation}: {path} ({result}{bytes})"));
        Ok(())
    }

    fn record_failure(&mut self, failure: &PluginFailure) -> Result<(), SessionError> {
        let PluginFailure { about, plugin, message } = failure;
        self.must_record(&Entry::Error { about, plugin: plugin.as_deref(), message })?;
        let named = plugin.as_ref().map_or(String::new(), |name| format!(" `{name}`"));
        self.history.happened(&format!("{about}{named}: {message}"));
        Ok(())
    }

    fn expect_level(&mut self, expectation: Expectation, reply: Reply<oneshot::Receiver<Result<(), SessionError>>>) {
        if let Err(error) = self.must_be_open() {
            drop(reply.send(Err(error)));
            return;
        }
        let (waiter, wait) = oneshot::channel();
        self.level_waiters.push(waiter);
        self.terminal.expect_level(expectation, self.at());
        self.refresh();
        drop(reply.send(Ok(wait)));
    }

    fn reading(&self) -> Reading {
        Reading {
            position: self.position(),
            screen: self.terminal.screen(),
            shows_shell_prompt: self.terminal.shows_shell_prompt(),
        }
    }

    fn position(&self) -> Position {
        Position {
            generation: self.terminal.end().0,
            quiet_ms: self.terminal.quiet(self.at()).as_millis() as u64,
            at_prompt: matches!(self.terminal.state(), State::AtPrompt { .. }),
            running: self.terminal.running(),
            asks_for_secret: self.asks_for_secret(),
            at_repl: self.at_repl(),
            levels: self.terminal.levels().to_vec(),
            line: self.terminal.line_before_cursor(),
            typed_for_agents: self.typed_for_agents,
        }
    }

    /// Told from the running command's outcome. A shell that waits for the rest of a line is none: it
    /// offers ctrl-c.
    fn at_repl(&self) -> bool {
        let running = self.terminal.running();
        let kept = running.and_then(|id| self.commands.iter().find(|kept| kept.id == id));
        match kept.and_then(|kept| kept.record.completion.as_ref()).map(|known| &known.outcome) {
            Some(Outcome::AwaitingInput { kind: AwaitingKind::Repl, .. }) => true,
            Some(Outcome::AwaitingInput { kind: AwaitingKind::Continuation, options, .. }) => options.is_empty(),
            _ => false,
        }
    }

    fn attach(&mut self, from: AttachFrom) -> Attachment {
        let end = self.terminal.end();
        let (first, resumes) = match from {
            AttachFrom::Screen { history_bytes } => (end.0.saturating_sub(history_bytes), false),
            AttachFrom::Offset { offset, most_bytes } => {
                let resumes = (self.terminal.start().0..=end.0).contains(&offset) && end.0 - offset <= most_bytes;
                (if resumes { offset } else { end.0.saturating_sub(most_bytes) }, resumes)
            }
        };
        let slice = self.terminal.read(Span { from: Offset(first), to: end });
        // Lines to scroll back to begin with a whole one.
        let whole = if resumes || slice.from == Offset(0) { 0 } else { line_start(&slice.bytes) };
        let snapshot = match (resumes, first == end.0) {
            (true, _) => None,
            (false, true) => Some(self.terminal.snapshot().bytes),
            (false, false) => Some(self.terminal.snapshot_over().bytes),
        };
        let (columns, rows) = self.terminal.size();
        Attachment {
            snapshot,
            history: slice.bytes[whole..].to_vec(),
            timeline: self.timeline(),
            offset: end.0,
            columns,
            rows,
            live: self.events.subscribe(),
        }
    }

    fn resize(&mut self, size: TerminalSize) -> Result<(), SessionError> {
        self.must_be_open()?;
        self.must_record(&Entry::Resize { columns: size.columns, rows: size.rows })?;
        self.history.happened(&format!("resized to {}×{}", size.columns, size.rows));
        self.terminal.resize(size.columns, size.rows);
        // A full queue means the server takes nothing; the size is then the least of it.
        drop(self.link.commands.try_send(ShellCommand::Resize(size)));
        self.tell(SessionEventKind::Resized { columns: size.columns, rows: size.rows });
        self.refresh();
        Ok(())
    }

    fn vitals(&self) -> Vitals {
        Vitals {
            health: self.pulse.health_now(self.closed.as_deref()),
            idle: self.last_activity.elapsed(),
            end: self.terminal.end(),
            start: self.terminal.start(),
            first_line: self.history.first_line(self.terminal.start()),
            next_line: self.history.next_line(),
            is_line_begun: self.history.is_line_begun(),
            closed_unix_ms: self.closed_unix_ms,
        }
    }

    fn output_slice(&self, from: Option<Offset>, to: Option<Offset>, most_bytes: usize) -> OutputSlice {
        let end = self.terminal.end();
        let to = to.unwrap_or(end).min(end);
        let wanted = match from {
            Some(from) => Span { from, to: to.min(Offset(from.0.saturating_add(most_bytes as u64))) },
            None => {
                let newest = Offset(to.0.saturating_sub(most_bytes as u64));
                Span { from: newest.max(self.terminal.start().min(to)), to }
            }
        };
        // A span that begins in what is gone still gives as much as was asked for.
        let first = wanted.from.max(self.terminal.start()).min(end);
        let span = Span { from: first, to: wanted.to.max(Offset(first.0.saturating_add(most_bytes as u64)).min(to)) };
        let slice = self.terminal.read(span);
        OutputSlice {
            from: slice.from,
            bytes: slice.bytes,
            evicted_bytes: slice.from.0.min(to.0).saturating_sub(wanted.from.0),
            end,
            full_screen: self.full_screen_at(slice.from),
            closed: self.closed.is_some(),
        }
    }

    fn full_screen_at(&self, offset: Offset) -> bool {
        let Some((from, full_screen)) = self.history.full_screen_before(offset) else { return false };
        full_screen_after(&self.terminal.read(Span { from, to: offset }).bytes, full_screen)
    }
}

/// Behind the first line end; the end where there is none.
fn line_start(bytes: &[u8]) -> usize {
    memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1)
}

/// Keys with Enter as the profile says.
fn with_enter(bytes: Vec<u8>, enter: EnterKey) -> Vec<u8> {
    if bytes == EnterKey::Cr.bytes() { enter.bytes().to_vec() } else { bytes }
}

/// The host's own lines for a shell have CR where Enter is pressed. A shell takes either of CR and LF for
/// it: both together would run an empty line behind each, whose end could be taken for the next one's. In
/// a bracketed paste the line ends inside belong to the text.
pub(super) fn shell_line(mut bytes: Vec<u8>, enter: EnterKey) -> Vec<u8> {
    if enter == EnterKey::Lf {
        let text_ends = if bytes.starts_with(b"\x1b[200~") { bytes.len().saturating_sub(1) } else { 0 };
        for byte in bytes[text_ends..].iter_mut().filter(|byte| **byte == b'\r') {
            *byte = b'\n';
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enter_is_what_the_profile_says() {
        assert_eq!(with_enter(b"\r".to_vec(), EnterKey::CrLf), b"\r\n");
        assert_eq!(with_enter(b"\x1b[A".to_vec(), EnterKey::Lf), b"\x1b[A");
        let line = |bytes: &[u8], enter| shell_line(bytes.to_vec(), enter);
        assert_eq!(line(b"a\rb\r", EnterKey::Cr), b"a\rb\r");
        assert_eq!(line(b"a\rb\r", EnterKey::Lf), b"a\nb\n");
        assert_eq!(line(b"ls\r", EnterKey::CrLf), b"ls\r");
        assert_eq!(line(b"\x1b[200~a\rb\x1b[201~\r", EnterKey::Lf), b"\x1b[200~a\rb\x1b[201~\n");
    }
}
