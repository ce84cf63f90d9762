//! The task that owns one session.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use portcullis_term::nested::nested_level;
use portcullis_term::track::Expectation;
use portcullis_term::{
    CommandId, Completion, Event, Fed, Level, State, Submission, Terminal, TerminalOptions, Typist, patterns,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::handle::{CommandOutput, Reading, Reply, Request, SessionError, SessionHandle, Ticket};
use super::{Attachment, CommandRecord, SessionEvent, SessionEventKind, SessionId, SessionSummary};
use crate::audit::{Entry, Transcript, TranscriptError};
use crate::clock;
use crate::config::{Profile, TerminalSize};
use crate::gate::{Cleared, Payload, Reader, Refusal};
use crate::random;
use crate::ssh::{ShellCommand, ShellEvent, ShellLink};

/// Callers wait for their answers, so more than a few requests are never under way.
const REQUESTS: usize = 64;
/// Events a viewer may be behind before it takes a new snapshot instead.
const EVENTS: usize = 1024;
/// Commands whose outcome is remembered.
const COMMANDS: usize = 256;
/// A person may be asked for a password before the shell they asked for appears.
const NESTED_PROMPT: Duration = Duration::from_secs(60);
/// Typed bytes waiting for the server's window; a server that takes no more than this is stuck.
const MAX_OUTBOX_BYTES: usize = 1 << 20;

/// What a new session is made of.
pub struct Opening {
    pub id: SessionId,
    pub profile: Arc<Profile>,
    pub link: ShellLink,
    pub transcript: Transcript,
    /// The outermost level where it is a bastion's menu.
    pub menu: Option<Level>,
    /// Told when the summary changes.
    pub on_change: Box<dyn Fn() + Send + Sync>,
}

/// Starts the session's task.
///
/// # Errors
/// When the opening could not be recorded.
pub fn open(opening: Opening) -> Result<SessionHandle, TranscriptError> {
    let (requests, inbox) = mpsc::channel(REQUESTS);
    let events = broadcast::Sender::new(EVENTS);
    let close = CancellationToken::new();
    let done = CancellationToken::new();
    let mut actor = Actor::new(opening, inbox, events.clone(), close.clone(), done.clone())?;
    let handle = SessionHandle {
        id: actor.id.clone(),
        requests,
        summary: actor.summary.subscribe(),
        events: events.downgrade(),
        close_reason: actor.close_reason.clone(),
        close,
        done,
    };
    tokio::spawn(async move { actor.run().await });
    Ok(handle)
}

struct Actor {
    id: SessionId,
    profile: Arc<Profile>,
    link: ShellLink,
    terminal: Terminal,
    transcript: Transcript,
    opened: Instant,
    inbox: mpsc::Receiver<Request>,
    events: broadcast::Sender<SessionEvent>,
    summary: watch::Sender<SessionSummary>,
    on_change: Box<dyn Fn() + Send + Sync>,
    close: CancellationToken,
    close_reason: Arc<OnceLock<String>>,
    done: CancellationToken,
    outbox: VecDeque<Vec<u8>>,
    commands: VecDeque<Kept>,
    command_waiters: Vec<(CommandId, oneshot::Sender<Completion>)>,
    level_waiters: Vec<oneshot::Sender<Result<(), SessionError>>>,
    exit_status: Option<i32>,
    closed: Option<String>,
    /// What the summary was last made from.
    last_state: State,
}

/// What ended a wait.
enum Woken {
    Close,
    Heard(Option<ShellEvent>),
    Room(Result<mpsc::OwnedPermit<ShellCommand>, mpsc::error::SendError<()>>),
    Asked(Box<Request>),
    Due,
}

struct Kept {
    id: CommandId,
    started: Instant,
    ended: Option<Instant>,
    record: CommandRecord,
}

impl Actor {
    fn new(
        opening: Opening,
        inbox: mpsc::Receiver<Request>,
        events: broadcast::Sender<SessionEvent>,
        close: CancellationToken,
        done: CancellationToken,
    ) -> Result<Self, TranscriptError> {
        let Opening { id, profile, link, mut transcript, menu, on_change } = opening;
        let size = profile.terminal;
        let options = TerminalOptions { columns: size.columns, rows: size.rows, ..TerminalOptions::default() };
        let mut terminal = Terminal::new(&options);
        if let Some(menu) = menu {
            terminal.declare_level(menu);
        }
        transcript.record(&Entry::Opened {
            session_id: id.as_str(),
            profile: &profile.name,
            address: &link.peer.address,
            user: &link.peer.user,
            host_key: &link.peer.host_key,
            auth_method: &link.peer.auth_method,
            columns: size.columns,
            rows: size.rows,
        })?;
        let summary = SessionSummary {
            session_id: id.to_string(),
            profile: profile.name.clone(),
            label: profile.label.clone(),
            host: format!("{}@{}", link.peer.user, link.peer.address),
            breadcrumb: terminal.breadcrumb(),
            state: state_name(&terminal.state()).to_owned(),
            running_command: None,
            opened_unix_ms: clock::unix_ms(),
            closed_reason: None,
            columns: size.columns,
            rows: size.rows,
        };
        Ok(Self {
            id,
            profile,
            link,
            terminal,
            transcript,
            opened: Instant::now(),
            inbox,
            events,
            summary: watch::Sender::new(summary),
            on_change,
            close,
            close_reason: Arc::default(),
            done,
            outbox: VecDeque::new(),
            commands: VecDeque::new(),
            command_waiters: Vec::new(),
            level_waiters: Vec::new(),
            exit_status: None,
            closed: None,
            last_state: State::Unknown,
        })
    }

    async fn run(&mut self) {
        while let Some(woken) = self.next().await {
            match woken {
                Woken::Close => {
                    let reason = self.close_reason.get().cloned();
                    self.end(reason.as_deref().unwrap_or("closed by the host"));
                }
                Woken::Heard(event) => self.heard(event),
                Woken::Room(permit) => match (permit, self.outbox.pop_front()) {
                    (Ok(permit), Some(bytes)) => drop(permit.send(ShellCommand::Write(bytes))),
                    // The reading arm reports the end with its reason.
                    _ => self.outbox.clear(),
                },
                Woken::Asked(request) => self.answer(*request),
                Woken::Due => {
                    let fed = self.terminal.tick(self.at());
                    self.carry(fed);
                }
            }
        }
        self.done.cancel();
    }

    /// Waits for the next thing to do; `None` when nobody can ask anything any more.
    async fn next(&mut self) -> Option<Woken> {
        let open = self.closed.is_none();
        let deadline = self.terminal.deadline().filter(|_| open);
        let due = tokio::time::Instant::from_std(self.opened + deadline.unwrap_or_default());
        tokio::select! {
            // Closing outranks everything; output outranks requests, so that an answer is as fresh
            // as it can be.
            biased;
            () = self.close.cancelled(), if open => Some(Woken::Close),
            event = self.link.events.recv(), if open => Some(Woken::Heard(event)),
            permit = self.link.commands.clone().reserve_owned(), if open && !self.outbox.is_empty() => {
                Some(Woken::Room(permit))
            }
            request = self.inbox.recv() => request.map(|request| Woken::Asked(Box::new(request))),
            () = tokio::time::sleep_until(due), if deadline.is_some() => Some(Woken::Due),
        }
    }

    fn at(&self) -> Duration {
        self.opened.elapsed()
    }

    fn heard(&mut self, event: Option<ShellEvent>) {
        match event {
            Some(ShellEvent::Output(bytes)) => {
                let fed = self.terminal.feed(&bytes, self.at());
                self.carry(fed);
            }
            Some(ShellEvent::ExitStatus(status)) => self.exit_status = i32::try_from(status).ok(),
            Some(ShellEvent::ExitSignal(_)) => {}
            Some(ShellEvent::Closed { reason }) => self.end(&reason),
            None => self.end("the connection ended"),
        }
    }

    /// Carries out what feeding the terminal has caused: the record first, then everyone else.
    fn carry(&mut self, fed: Fed) {
        if !fed.visible.is_empty() {
            let offset = self.terminal.end().0;
            let entry = Entry::Output { offset, content: fed.visible.as_slice().into() };
            if !self.recorded(&entry) {
                return;
            }
            self.tell(SessionEventKind::Output(fed.visible.into()));
        }
        if !fed.write.is_empty() && self.recorded(&Entry::HostInput { content: fed.write.as_slice().into() }) {
            self.write(fed.write);
        }
        let state = self.terminal.state();
        let changed = !fed.events.is_empty() || state != self.last_state;
        for event in fed.events {
            self.happened(event);
        }
        if changed {
            self.last_state = state;
            self.refresh();
        }
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::CommandStarted { command_id, typist, text, from } => {
                let entry = Entry::CommandStart {
                    command_id: command_id.to_string(),
                    actor: typist,
                    text: &text,
                    offset: from.0,
                };
                self.recorded(&entry);
                if typist == Typist::Human {
                    self.expect_nested(&text);
                }
                self.remember(command_id, typist, text);
            }
            Event::Report(completion) => self.reported(completion),
            Event::Resumed { command_id } => {
                if let Some(kept) = self.commands.iter_mut().find(|kept| kept.id == command_id) {
                    kept.record.completion = None;
                }
            }
            Event::LevelEntered { breadcrumb } => {
                self.recorded(&Entry::Level { breadcrumb: &breadcrumb });
                self.level_waiters.drain(..).for_each(|waiter| drop(waiter.send(Ok(()))));
            }
            Event::LevelsLeft { breadcrumb } => {
                self.recorded(&Entry::Level { breadcrumb: &breadcrumb });
            }
            Event::LevelFailed { label, reason } => {
                for waiter in self.level_waiters.drain(..) {
                    let error = SessionError::LevelFailed { label: label.clone(), reason: reason.clone() };
                    drop(waiter.send(Err(error)));
                }
            }
        }
    }

    /// A person's line that starts a shell elsewhere: its prompt will be a new level's.
    fn expect_nested(&mut self, line: &str) {
        let Some(level) = nested_level(line) else { return };
        // Without randomness the level is not put on the path; the person's work goes on.
        let Ok(nonce) = random::hex(4) else { return };
        self.terminal.expect_level_of_running(level.expectation(nonce, NESTED_PROMPT), self.at());
    }

    fn reported(&mut self, completion: Completion) {
        if !self.recorded(&Entry::CommandEnd { completion: &completion }) {
            return;
        }
        if let Some(kept) = self.commands.iter_mut().find(|kept| kept.id == completion.command_id) {
            if !completion.outcome.is_open() {
                kept.ended = Some(Instant::now());
            }
            kept.record.completion = Some(completion.clone());
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

    fn remember(&mut self, id: CommandId, typist: Typist, text: String) {
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

    fn answer(&mut self, request: Request) {
        // A caller that no longer waits for its answer is no reason to stop.
        match request {
            Request::Submit { cleared, opens, reply } => drop(reply.send(self.submit(cleared, opens))),
            Request::TypeIn { cleared, reply } => drop(reply.send(self.type_in(cleared))),
            Request::RecordRefusal { refusal, reply } => drop(reply.send(self.record_refusal(&refusal))),
            Request::DeclareLevel { level, reply } => {
                self.terminal.declare_level(*level);
                self.refresh();
                drop(reply.send(Ok(())));
            }
            Request::ExpectLevel { expectation, reply } => self.expect_level(expectation, reply),
            Request::WaitCommand { command_id, reply } => self.wait_command(command_id, reply),
            Request::Interim { reply } => drop(reply.send(Ok(self.terminal.interim()))),
            Request::Read { reply } => drop(reply.send(Ok(self.reading()))),
            Request::ReadCommand { command_id, reply } => drop(reply.send(self.read_command(command_id))),
            Request::Commands { reply } => {
                let records = self.commands.iter().map(Kept::record_now).collect();
                drop(reply.send(Ok(records)));
            }
            Request::Attach { reply } => drop(reply.send(Ok(self.attach()))),
            Request::Resize { size, reply } => drop(reply.send(self.resize(size))),
        }
    }

    fn submit(&mut self, cleared: Cleared, opens: Option<Expectation>) -> Result<Ticket, SessionError> {
        self.must_be_open()?;
        self.record_verdict(&cleared)?;
        let typist = cleared.typist();
        let text = match cleared.into_payload() {
            Payload::Line(text) => text,
            Payload::Bytes(_) => return Err(portcullis_term::NotReady::NoPrompt("typing keys".to_owned()).into()),
        };
        let submission = Submission { text, typist, opens, expect_level: None };
        let (command_id, bytes, event) = self.terminal.begin(&submission, self.at())?;
        self.happened(event);
        self.must_be_open()?;
        let (waiter, settled) = oneshot::channel();
        self.command_waiters.push((command_id, waiter));
        self.record_input(typist, &bytes)?;
        self.write(bytes);
        self.refresh();
        Ok(Ticket { command_id, settled })
    }

    fn type_in(&mut self, cleared: Cleared) -> Result<(), SessionError> {
        self.must_be_open()?;
        self.must_still_hold(&cleared)?;
        self.record_verdict(&cleared)?;
        let typist = cleared.typist();
        let bytes = match cleared.into_payload() {
            Payload::Bytes(bytes) => bytes,
            Payload::Line(text) => {
                let mut bytes = self.terminal.encode(&text).ok_or(SessionError::NotEncodable)?;
                bytes.push(b'\r');
                bytes
            }
        };
        self.record_input(typist, &bytes)?;
        if typist == Typist::Human {
            let started = self.terminal.human_typed(&bytes, self.at());
            if let Some(event) = started {
                self.happened(event);
                self.refresh();
            }
        } else {
            self.terminal.program_typed(&bytes);
        }
        self.write(bytes);
        Ok(())
    }

    /// The verdict was given for what read the terminal then; this is what reads it now.
    fn must_still_hold(&self, cleared: &Cleared) -> Result<(), SessionError> {
        if cleared.reader() == Reader::Anything {
            return Ok(());
        }
        if self.asks_for_secret() {
            return Err(SessionError::SecretAsked);
        }
        let state = self.terminal.state();
        let holds = match cleared.reader() {
            Reader::Anything => true,
            Reader::Prompt => matches!(state, State::AtPrompt { dirty: false }),
            Reader::Menu => state == State::Menu,
            Reader::Program => !matches!(state, State::AtPrompt { .. } | State::Arming),
        };
        if holds { Ok(()) } else { Err(SessionError::MovedOn) }
    }

    fn asks_for_secret(&self) -> bool {
        let line = self.terminal.line_before_cursor();
        patterns::awaiting(&line).is_some_and(|kind| kind.is_secret())
    }

    fn record_input(&mut self, actor: Typist, bytes: &[u8]) -> Result<(), SessionError> {
        let entry = if self.asks_for_secret() {
            Entry::SecretInput { actor, length: bytes.len() }
        } else {
            Entry::Input { actor, content: bytes.into() }
        };
        self.must_record(&entry)
    }

    fn record_verdict(&mut self, cleared: &Cleared) -> Result<(), SessionError> {
        match cleared.verdict_entry() {
            Some(entry) => self.must_record(&entry),
            None => Ok(()),
        }
    }

    fn record_refusal(&mut self, refusal: &Refusal) -> Result<(), SessionError> {
        self.must_record(&refusal.verdict_entry())
    }

    fn must_record(&mut self, entry: &Entry<'_>) -> Result<(), SessionError> {
        if let Err(error) = self.transcript.record(entry) {
            self.end_without_record(&error.to_string());
            return Err(error.into());
        }
        Ok(())
    }

    /// Records what has happened already; when that fails the session ends, because nobody may be
    /// told what is not on record.
    fn recorded(&mut self, entry: &Entry<'_>) -> bool {
        self.must_record(entry).is_ok()
    }

    fn must_be_open(&self) -> Result<(), SessionError> {
        match &self.closed {
            Some(reason) => Err(SessionError::Closed { reason: reason.clone() }),
            None => Ok(()),
        }
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

    fn wait_command(&mut self, command_id: CommandId, reply: oneshot::Sender<Completion>) {
        let known = self.commands.iter().find(|kept| kept.id == command_id);
        match known.map(|kept| kept.record.completion.clone()) {
            // Dropping the sender says that the command is not known.
            None => drop(reply),
            Some(Some(completion)) if !completion.outcome.is_open() => drop(reply.send(completion)),
            Some(_) => self.command_waiters.push((command_id, reply)),
        }
    }

    fn reading(&self) -> Reading {
        Reading {
            screen: self.terminal.screen(),
            generation: self.terminal.end().0,
            quiet_ms: self.terminal.quiet(self.at()).as_millis() as u64,
            at_prompt: matches!(self.terminal.state(), State::AtPrompt { .. }),
            running: self.terminal.running(),
            asks_for_secret: self.asks_for_secret(),
            levels: self.terminal.levels().to_vec(),
            shows_shell_prompt: self.terminal.shows_shell_prompt(),
        }
    }

    fn read_command(&self, command_id: CommandId) -> Result<CommandOutput, SessionError> {
        let kept =
            self.commands.iter().find(|kept| kept.id == command_id).ok_or(SessionError::UnknownCommand(command_id))?;
        let record = kept.record_now();
        let settled = record.completion.clone().filter(|completion| !completion.outcome.is_open());
        let interim = || self.terminal.interim().filter(|interim| interim.command_id == command_id);
        let (text, evicted_bytes) =
            settled.or_else(interim).map(|completion| self.terminal.command_text(&completion)).unwrap_or_default();
        Ok(CommandOutput { record, text, evicted_bytes })
    }

    fn attach(&self) -> Attachment {
        let snapshot = self.terminal.snapshot();
        Attachment {
            snapshot: snapshot.bytes,
            offset: snapshot.at.0,
            columns: snapshot.columns,
            rows: snapshot.rows,
            live: self.events.subscribe(),
        }
    }

    fn resize(&mut self, size: TerminalSize) -> Result<(), SessionError> {
        self.must_be_open()?;
        self.must_record(&Entry::Resize { columns: size.columns, rows: size.rows })?;
        self.terminal.resize(size.columns, size.rows);
        // A full queue means the server takes nothing; the size is then the least of it.
        drop(self.link.commands.try_send(ShellCommand::Resize(size)));
        self.tell(SessionEventKind::Resized { columns: size.columns, rows: size.rows });
        self.refresh();
        Ok(())
    }

    fn write(&mut self, bytes: Vec<u8>) {
        if self.outbox.is_empty() {
            match self.link.commands.try_send(ShellCommand::Write(bytes)) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(ShellCommand::Write(bytes))) => self.outbox.push_back(bytes),
                // The reading arm reports the end with its reason.
                Err(_) => {}
            }
            return;
        }
        self.outbox.push_back(bytes);
        if self.outbox.iter().map(Vec::len).sum::<usize>() > MAX_OUTBOX_BYTES {
            self.end("the server has stopped taking input");
        }
    }

    fn end(&mut self, reason: &str) {
        if self.closed.is_some() {
            return;
        }
        let fed = self.terminal.close(reason, self.exit_status);
        self.carry(fed);
        self.recorded(&Entry::Closed { reason, exit_code: self.exit_status });
        self.end_without_record(reason);
    }

    fn end_without_record(&mut self, reason: &str) {
        if self.closed.is_some() {
            return;
        }
        self.closed = Some(reason.to_owned());
        drop(self.link.commands.try_send(ShellCommand::Close));
        self.outbox.clear();
        self.command_waiters.clear();
        self.level_waiters.clear();
        self.refresh();
        self.tell(SessionEventKind::Closed { reason: reason.to_owned() });
        self.done.cancel();
        tracing::info!(session = %self.id, profile = %self.profile.name, reason, "session closed");
    }

    fn tell(&self, kind: SessionEventKind) {
        // Nobody watching is fine.
        let _ = self.events.send(SessionEvent { offset: self.terminal.end().0, kind });
    }

    fn refresh(&mut self) {
        let state = self.terminal.state();
        let running = self.terminal.running();
        let kept = running.and_then(|id| self.commands.iter().find(|kept| kept.id == id));
        let name = match kept.and_then(|kept| kept.record.completion.as_ref()).map(|known| &known.outcome) {
            Some(portcullis_term::Outcome::AwaitingInput { .. }) => "awaiting_input",
            Some(portcullis_term::Outcome::Fullscreen) => "fullscreen",
            _ if self.closed.is_some() => "closed",
            _ => state_name(&state),
        };
        let running_command = kept.map(|kept| kept.record.text.clone());
        let breadcrumb = self.terminal.breadcrumb();
        let closed_reason = self.closed.clone();
        let snapshot = self.terminal.size();
        let changed = self.summary.send_if_modified(|summary| {
            let next = SessionSummary {
                breadcrumb,
                state: name.to_owned(),
                running_command,
                closed_reason,
                columns: snapshot.0,
                rows: snapshot.1,
                ..summary.clone()
            };
            let changed = next != *summary;
            *summary = next;
            changed
        });
        if changed {
            self.tell(SessionEventKind::Summary(self.summary.borrow().clone()));
            (self.on_change)();
        }
    }
}

impl Kept {
    fn record_now(&self) -> CommandRecord {
        let end = self.ended.unwrap_or_else(Instant::now);
        CommandRecord { duration_ms: end.duration_since(self.started).as_millis() as u64, ..self.record.clone() }
    }
}

fn state_name(state: &State) -> &'static str {
    match state {
        State::AtPrompt { .. } => "at_prompt",
        State::Running { .. } => "running",
        State::Arming => "arming",
        State::Menu => "menu",
        State::Unknown => "unknown",
        State::Closed => "closed",
    }
}
