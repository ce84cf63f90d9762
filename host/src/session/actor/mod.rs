//! The task that owns one session.
//!
//! Here: its state, its loop, what it hears from the shell and what it tells. `requests` answers those
//! who hold a handle, `control` says who may type, `jobs` keeps the commands, `life` watches over health and idleness,
//! `processes` over what a silent command does.

mod control;
mod jobs;
mod life;
mod processes;
mod requests;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use portcullis_term::nested::nested_level;
use portcullis_term::{CommandId, Completion, Event, Fed, Level, Outcome, State, Terminal, TerminalOptions, Typist};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;

use jobs::Kept;

use self::control::TurnWaiter;
use super::control::Control;
use super::handle::{Request, SessionError, SessionHandle};
use super::health::Pulse;
use super::history::History;
use super::stopping::Stopping;
use super::{InputControl, SessionEvent, SessionEventKind, SessionId, SessionRules, SessionSummary, TimelineEntry};
use crate::audit::{Entry, Transcript, TranscriptError};
use crate::clock;
use crate::config::{Limits, PolicyMode, Profile};
use crate::metrics;
use crate::random;
use crate::ssh::{Said, ShellCommand, ShellEvent, ShellLink};

/// Output that takes a good part of a millisecond to read.
const LARGE_OUTPUT_BYTES: usize = 16 * 1024;
/// Callers wait for their answers, so more than a few requests are never under way.
const REQUESTS: usize = 64;
/// Events a viewer may be behind before it takes a new snapshot instead.
const EVENTS: usize = 1024;
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
    /// The caller's name for it.
    pub name: Option<String>,
    pub reopened_from: Option<ReopenedFrom>,
    /// How much of it is kept.
    pub limits: Limits,
    /// What a person said while the connection was made.
    pub said: Vec<Said>,
    /// Told when the summary changes.
    pub on_change: Box<dyn Fn() + Send + Sync>,
}

/// The closed session that a new one goes on from. Nothing of it is replayed.
#[derive(Debug, Clone)]
pub struct ReopenedFrom {
    pub session_id: String,
    /// Name of its transcript's file, where it has one.
    pub transcript: Option<String>,
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
        transcript: actor.transcript.path().map(Into::into),
        stopping: Stopping::default(),
        files: actor.link.files.clone(),
        durable: actor.transcript.durable(),
        last_activity_unix_ms: actor.last_activity_unix_ms.clone(),
        idle_close: actor.profile.idle_close,
    };
    metrics::session_opened();
    let span = tracing::info_span!("session", id = %handle.id, profile = handle.summary.borrow().profile);
    span.in_scope(|| tracing::info!(host = handle.summary.borrow().host, "session opened"));
    if let Some(durable) = actor.transcript.durable() {
        let ended = CancellationToken::new();
        // A closed session still records what was under way, and may be asked; only its task's end is the end.
        actor.until_gone = Some(ended.clone().drop_guard());
        tokio::spawn(durable.keep(ended));
    }
    tokio::spawn(actor.run().instrument(span));
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
    /// Commands that are remembered at most.
    keep_commands: usize,
    commands: VecDeque<Kept>,
    command_waiters: Vec<(CommandId, oneshot::Sender<Completion>)>,
    level_waiters: Vec<oneshot::Sender<Result<(), SessionError>>>,
    /// Calls of agents that are held back.
    turn_waiters: Vec<TurnWaiter>,
    exit_status: Option<i32>,
    closed: Option<String>,
    closed_unix_ms: Option<u64>,
    history: History,
    pulse: Pulse,
    /// The last key from anyone, or the last byte of output.
    last_activity: Instant,
    /// The same for everybody to read.
    last_activity_unix_ms: Arc<AtomicU64>,
    control: Control,
    /// Of whom the newest human line in the record is, where a name is known.
    person: Option<String>,
    policy_mode: Option<PolicyMode>,
    rules: SessionRules,
    refusals: VecDeque<TimelineEntry>,
    refused: u64,
    /// How often somebody other than a person has typed, interrupts left out.
    typed_for_agents: u64,
    /// What the summary was last made from.
    last_state: State,
    /// Why lines are being lost now.
    record_problem: Option<String>,
    /// Ends what brings lines to the disk.
    until_gone: Option<DropGuard>,
    watch: processes::Watch,
}

/// What ended a wait.
enum Woken {
    Close,
    Heard(Option<ShellEvent>),
    Room(Result<mpsc::OwnedPermit<ShellCommand>, mpsc::error::SendError<()>>),
    Asked(Box<Request>),
    Due,
    Idle,
    ControlDue,
    WatchDue,
    Processes(Option<processes::Seen>),
    TurnGivenUp,
}

impl Actor {
    fn new(
        opening: Opening,
        inbox: mpsc::Receiver<Request>,
        events: broadcast::Sender<SessionEvent>,
        close: CancellationToken,
        done: CancellationToken,
    ) -> Result<Self, TranscriptError> {
        let Opening { id, profile, link, mut transcript, menu, name, reopened_from, limits, said, on_change } = opening;
        let size = profile.terminal;
        let options = TerminalOptions {
            columns: size.columns,
            rows: size.rows,
            encoding: profile.encoding,
            ring_bytes: limits.session_memory_bytes,
        };
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
            transcript: profile.transcript.as_str(),
            keyed: transcript.is_keyed(),
            hops: profile.hops.iter().map(|hop| hop.name.clone()).collect(),
            columns: size.columns,
            rows: size.rows,
            name: name.as_deref(),
            reopened_from: reopened_from.as_ref().map(|from| from.session_id.as_str()),
            reopened_from_transcript: reopened_from.as_ref().and_then(|from| from.transcript.as_deref()),
        })?;
        for said in &said {
            transcript.record(&said_entry(said))?;
        }
        let pulse = Pulse::new();
        let mut history = History::default();
        history.happened(&opened_line(&link, reopened_from.as_ref()));
        let summary = SessionSummary {
            session_id: id.to_string(),
            name,
            profile: profile.name.clone(),
            label: profile.label.clone(),
            host: format!("{}@{}", link.peer.user, link.peer.address),
            breadcrumb: terminal.breadcrumb(),
            state: state_name(&terminal.state()).to_owned(),
            running_command: None,
            running_since_unix_ms: None,
            asks_for_secret: false,
            input: InputControl::default(),
            policy_mode: None,
            rules: SessionRules::default(),
            health: pulse.health(None),
            opened_unix_ms: clock::unix_ms(),
            closed_reason: None,
            transcript_mode: profile.transcript,
            reopened_from: reopened_from.map(|from| from.session_id),
            reopened_as: None,
            route: None,
            record_problem: transcript.problem(),
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
            keep_commands: limits.jobs,
            commands: VecDeque::new(),
            command_waiters: Vec::new(),
            level_waiters: Vec::new(),
            turn_waiters: Vec::new(),
            exit_status: None,
            closed: None,
            closed_unix_ms: None,
            history,
            pulse,
            last_activity: Instant::now(),
            last_activity_unix_ms: Arc::new(clock::unix_ms().into()),
            control: Control::default(),
            person: None,
            policy_mode: None,
            rules: SessionRules::default(),
            refusals: VecDeque::new(),
            refused: 0,
            typed_for_agents: 0,
            last_state: State::Unknown,
            record_problem: None,
            until_gone: None,
            watch: processes::Watch::default(),
        })
    }

    async fn run(mut self) {
        while let Some(woken) = self.next().await {
            match woken {
                Woken::Close => {
                    let reason = self.close_reason.get().cloned();
                    self.end(reason.as_deref().unwrap_or("closed by the host"));
                }
                Woken::Heard(Some(ShellEvent::Output(bytes))) if bytes.len() >= LARGE_OUTPUT_BYTES => {
                    self = self.heard_aside(bytes).await;
                    self.serve_waiting();
                }
                Woken::Heard(event) => self.heard(event),
                Woken::Room(permit) => match (permit, self.outbox.pop_front()) {
                    (Ok(permit), Some(bytes)) => drop(permit.send(ShellCommand::Write(bytes))),
                    // The reading arm reports the end with its reason.
                    (_, bytes) => self.lose_waiting(bytes.map_or(0, |bytes| bytes.len())),
                },
                Woken::Asked(request) => self.answer(*request),
                Woken::Due => {
                    let full_screen = self.terminal.alternate_screen();
                    let fed = self.terminal.tick(self.at());
                    self.carry(fed, full_screen);
                    self.watch_silence();
                }
                Woken::WatchDue => self.watch_due(),
                Woken::Processes(seen) => self.processes_seen(seen),
                Woken::ControlDue => self.control_due(),
                Woken::TurnGivenUp => self.refresh(),
                Woken::Idle => {
                    let idle = self.last_activity.elapsed().as_secs();
                    self.end(&format!("idle: nobody typed and nothing was printed for {idle} s (idle_close_s)"));
                }
            }
        }
        self.done.cancel();
    }

    /// Waits for the next thing to do; `None` when nobody can ask anything any more.
    async fn next(&mut self) -> Option<Woken> {
        let open = self.closed.is_none();
        let deadline = self.terminal.deadline().filter(|_| open);
        let due = self.opened + deadline.unwrap_or_default();
        let idle = self.idle_deadline();
        let idle_due = idle.unwrap_or(self.opened);
        let control = self.control.due(Instant::now()).filter(|_| open);
        let control_due = control.unwrap_or(self.opened);
        let watch = self.watch.due().filter(|_| open);
        let watch_due = watch.unwrap_or(self.opened);
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
            () = tokio::time::sleep_until(idle_due), if idle.is_some() => Some(Woken::Idle),
            () = tokio::time::sleep_until(control_due), if control.is_some() => Some(Woken::ControlDue),
            () = tokio::time::sleep_until(watch_due), if watch.is_some() => Some(Woken::WatchDue),
            seen = self.watch.seen(), if open => Some(Woken::Processes(seen)),
            () = control::given_up(&mut self.turn_waiters), if !self.turn_waiters.is_empty() => {
                Some(Woken::TurnGivenUp)
            }
        }
    }

    /// Reads a large output on a thread of its own. On one that serves everybody, a flood in one session
    /// makes all others wait: for as long as each piece takes, and, once the thread has used up its share
    /// of a busy machine, for as long as the system gives that to others.
    async fn heard_aside(mut self, bytes: Vec<u8>) -> Self {
        let reading = tokio::task::spawn_blocking(move || {
            self.heard(Some(ShellEvent::Output(bytes)));
            self
        });
        match reading.await {
            Ok(actor) => actor,
            // As if it had happened here; a reading that has begun cannot be cancelled.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Whatever waits behind a flood. The next piece of it has come while the last one was read, and output
    /// outranks everything else: without this nobody could even stop it.
    fn serve_waiting(&mut self) {
        self.send_waiting();
        for _ in 0..REQUESTS {
            let Ok(request) = self.inbox.try_recv() else { break };
            self.answer(request);
        }
    }

    /// Something was typed or printed.
    fn active(&mut self) {
        self.last_activity = Instant::now();
        self.last_activity_unix_ms.store(clock::unix_ms(), Ordering::Relaxed);
    }

    fn at(&self) -> Duration {
        self.opened.elapsed()
    }

    fn heard(&mut self, event: Option<ShellEvent>) {
        match event {
            Some(ShellEvent::Output(bytes)) => {
                self.active();
                self.alive(None);
                let full_screen = self.terminal.alternate_screen();
                let fed = self.terminal.feed(&bytes, self.at());
                self.carry(fed, full_screen);
            }
            Some(ShellEvent::Alive { round_trip }) => self.alive(round_trip),
            Some(ShellEvent::Silent { unanswered, limit, silence }) => self.silent(unanswered, limit, silence),
            Some(ShellEvent::ExitStatus(status)) => self.exit_status = i32::try_from(status).ok(),
            Some(ShellEvent::ExitSignal(_)) => {}
            Some(ShellEvent::Closed { reason }) => self.end(&reason),
            None => self.end("the connection ended"),
        }
    }

    /// Carries out what feeding the terminal has caused: the record first, then everyone else.
    /// `full_screen` is whether a full-screen program had the terminal before.
    fn carry(&mut self, fed: Fed, full_screen: bool) {
        if !fed.visible.is_empty() {
            metrics::output(fed.visible.len());
            let end = self.terminal.end();
            // It has been printed; nobody's typing hangs on it.
            let _ = self.on_record(|transcript| transcript.output(end.0, &fed.visible));
            self.history.output(&fed.visible, end, full_screen);
            self.history.evict(self.terminal.start());
            // Shared, and so copied, only when somebody watches.
            if self.events.receiver_count() > 0 {
                self.tell(SessionEventKind::Output(fed.visible.into()));
            }
        }
        let write = requests::shell_line(fed.write, self.profile.enter);
        if !write.is_empty() && self.on_record(|transcript| transcript.host_input(&write)).is_ok() {
            self.write(write);
        }
        let state = self.terminal.state();
        // That something is asked is news of its own; that it is answered shows in the output alone.
        let answered = self.summary.borrow().asks_for_secret && !self.asks_for_secret();
        let changed = !fed.events.is_empty() || state != self.last_state || answered;
        for event in fed.events {
            self.happened(event);
        }
        if changed {
            if matches!(state, State::AtPrompt { dirty: false }) {
                self.control.line_is_fresh();
            }
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
                self.record(&entry);
                if typist == Typist::Human {
                    self.expect_nested(&text);
                }
                self.remember(command_id, typist, text, from.0);
            }
            Event::Report(completion) => self.reported(completion),
            Event::Resumed { command_id } => {
                if let Some(kept) = self.commands.iter_mut().find(|kept| kept.id == command_id) {
                    kept.record.completion = None;
                }
                self.tell_timeline(command_id);
            }
            Event::LevelEntered { breadcrumb } => {
                self.record(&Entry::Level { breadcrumb: &breadcrumb });
                self.history.happened(&format!("now at {}", breadcrumb.join(" › ")));
                self.tell_pod_its_size();
                self.level_waiters.drain(..).for_each(|waiter| drop(waiter.send(Ok(()))));
            }
            Event::LevelsLeft { breadcrumb } => {
                self.record(&Entry::Level { breadcrumb: &breadcrumb });
                self.history.happened(&format!("back at {}", breadcrumb.join(" › ")));
            }
            Event::LevelFailed { label, reason } => {
                let message = format!("{label} was not reached: {reason}");
                self.record(&Entry::Error { about: "level", plugin: None, message: &message });
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

    /// Everything that is recorded of an open session passes here.
    pub(super) fn on_record(
        &mut self,
        line: impl FnOnce(&mut Transcript) -> Result<(), TranscriptError>,
    ) -> Result<(), SessionError> {
        let began = Instant::now();
        let recorded = line(&mut self.transcript);
        metrics::recorded(began.elapsed());
        self.noted(recorded)
    }

    /// Records what is about to be done; when that fails it must not be.
    fn must_record(&mut self, entry: &Entry<'_>) -> Result<(), SessionError> {
        self.on_record(|transcript| transcript.record(entry))
    }

    /// Records what has happened already. When that fails it goes on being told, with what is wrong with the
    /// record, and nothing more is typed until lines can be written again.
    fn record(&mut self, entry: &Entry<'_>) {
        // The failure stands in the summary, and the next one who types hears of it.
        let _ = self.on_record(|transcript| transcript.record(entry));
    }

    /// Tells everybody when lines begin to be lost, and when they no longer are.
    fn noted(&mut self, recorded: Result<(), TranscriptError>) -> Result<(), SessionError> {
        let problem = self.transcript.problem();
        let (now, before) = (problem.is_some(), self.summary.borrow().record_problem.is_some());
        if now != before {
            let what =
                problem.as_deref().unwrap_or("the transcript can be written again; what is missing is stated in it");
            self.history.happened(&format!("RECORD: {what}"));
        }
        if now || before {
            self.record_problem = problem;
            self.refresh();
        }
        recorded.map_err(SessionError::from)
    }

    fn must_be_open(&self) -> Result<(), SessionError> {
        match &self.closed {
            Some(reason) => Err(SessionError::Closed { reason: reason.clone() }),
            None => Ok(()),
        }
    }

    /// Sends of what waits to be typed as much as there is room for.
    fn send_waiting(&mut self) {
        while let Some(bytes) = self.outbox.pop_front() {
            match self.link.commands.try_send(ShellCommand::Write(bytes)) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(ShellCommand::Write(bytes))) => {
                    self.outbox.push_front(bytes);
                    return;
                }
                // The reading arm reports the end with its reason.
                Err(mpsc::error::TrySendError::Closed(ShellCommand::Write(bytes))) => self.lose_waiting(bytes.len()),
                Err(_) => self.lose_waiting(0),
            }
        }
    }

    /// What was to be typed can no longer be, though it is on record as typed; `taken_bytes` of it were under way.
    fn lose_waiting(&mut self, taken_bytes: usize) {
        let lost = taken_bytes + self.outbox.drain(..).map(|bytes| bytes.len()).sum::<usize>();
        if lost > 0 && self.closed.is_none() {
            let message = format!("{lost} bytes on record as typed were not sent before the connection ended");
            self.record(&Entry::Error { about: "input", plugin: None, message: &message });
        }
    }

    fn write(&mut self, bytes: Vec<u8>) {
        self.outbox.push_back(bytes);
        if self.outbox.len() == 1 {
            self.send_waiting();
            return;
        }
        if self.outbox.iter().map(Vec::len).sum::<usize>() > MAX_OUTBOX_BYTES {
            self.end("the server has stopped taking input");
        }
    }

    fn end(&mut self, reason: &str) {
        if self.closed.is_some() {
            return;
        }
        let full_screen = self.terminal.alternate_screen();
        let fed = self.terminal.close(reason, self.exit_status);
        self.carry(fed, full_screen);
        self.lose_waiting(0);
        self.record(&Entry::Closed { reason, exit_code: self.exit_status });
        self.end_without_record(reason);
    }

    fn end_without_record(&mut self, reason: &str) {
        if self.closed.is_some() {
            return;
        }
        self.closed = Some(reason.to_owned());
        self.closed_unix_ms = Some(clock::unix_ms());
        self.history.happened(&format!("closed: {reason}"));
        drop(self.link.commands.try_send(ShellCommand::Close));
        self.outbox.clear();
        self.command_waiters.clear();
        self.level_waiters.clear();
        self.refresh();
        self.tell(SessionEventKind::Closed { reason: reason.to_owned() });
        self.done.cancel();
        metrics::session_closed();
        tracing::info!(session = %self.id, profile = %self.profile.name, reason, "session closed");
    }

    fn tell(&self, kind: SessionEventKind) {
        // Nobody watching is fine.
        let _ = self.events.send(SessionEvent { offset: self.terminal.end().0, kind });
    }

    fn refresh(&mut self) {
        let agent_waits = self.agents_wait();
        let state = self.terminal.state();
        let running = self.terminal.running();
        let kept = running.and_then(|id| self.commands.iter().find(|kept| kept.id == id));
        let name = match kept.and_then(|kept| kept.record.completion.as_ref()).map(|known| &known.outcome) {
            Some(Outcome::AwaitingInput { .. }) => "awaiting_input",
            Some(Outcome::Fullscreen) => "fullscreen",
            _ if self.closed.is_some() => "closed",
            _ => state_name(&state),
        };
        let running_command = kept.map(|kept| kept.record.text.clone());
        let running_since_unix_ms = kept.map(|kept| kept.record.started_unix_ms);
        let input = self.control.summary(Instant::now(), clock::unix_ms(), agent_waits);
        let asks_for_secret = self.closed.is_none() && self.asks_for_secret();
        let policy_mode = self.policy_mode;
        let rules = self.rules.clone();
        let breadcrumb = self.terminal.breadcrumb();
        let closed_reason = self.closed.clone();
        let health = self.pulse.health(self.closed.as_deref());
        let snapshot = self.terminal.size();
        let record_problem = self.record_problem.clone();
        let changed = self.summary.send_if_modified(|summary| {
            let next = SessionSummary {
                breadcrumb,
                state: name.to_owned(),
                running_command,
                running_since_unix_ms,
                asks_for_secret,
                input: input.unless_same_as(summary.input),
                policy_mode,
                rules,
                health,
                closed_reason,
                record_problem,
                columns: snapshot.0,
                rows: snapshot.1,
                ..summary.clone()
            };
            let changed = next != *summary;
            *summary = next;
            changed
        });
        if changed {
            self.tell(SessionEventKind::Summary(Box::new(self.summary.borrow().clone())));
            (self.on_change)();
        }
    }
}

fn opened_line(link: &ShellLink, reopened_from: Option<&ReopenedFrom>) -> String {
    let from = reopened_from.map(|from| format!("; goes on from {}, nothing of it was replayed", from.session_id));
    format!("opened on {}@{}{}", link.peer.user, link.peer.address, from.unwrap_or_default())
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

fn said_entry(said: &Said) -> Entry<'_> {
    match said {
        Said::Answered { target, what, prompts } => Entry::PersonAnswered { target, what, prompts },
        Said::Trusted { target, fingerprint, file } => {
            Entry::PersonTrusted { target, host_key: fingerprint, recorded_in: file.display().to_string() }
        }
    }
}
