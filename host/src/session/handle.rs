//! The way in to a session's task.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use portcullis_term::track::Expectation;
use portcullis_term::{CleanText, CommandId, Completion, Level, NotReady, Offset, ScreenView, Span};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::stopping::Stopping;
use super::{
    AttachFrom, Attachment, CommandRecord, ControlRequest, Cut, Health, LineRange, Party, Resumes, RuleChange,
    RuleRefused, SessionEvent, SessionId, SessionSummary, StopAttempt, StopGuard,
};
use crate::audit::{ApprovalRecord, Durable, FileRecord, TranscriptError};
use crate::config::{EnterKey, PolicyMode, TerminalSize};
use crate::gate::{Cleared, Refusal};
use crate::ssh::files::{Files, FilesError, FilesOpener};

/// Why a session did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error(transparent)]
    NotReady(#[from] NotReady),
    #[error("the text has characters that this place's encoding lacks")]
    NotEncodable,
    #[error("the terminal has moved on since this was judged; nothing was typed, read the screen and send again")]
    MovedOn,
    #[error("the terminal asks for a secret now; nothing was typed, only a person may type it, in the viewer")]
    SecretAsked,
    /// The other one has the input.
    #[error("{words}; nothing was sent")]
    Held { holder: Party, words: String },
    #[error("there is no command {0} in this session")]
    UnknownCommand(CommandId),
    #[error("level `{label}` was not reached: {reason}")]
    LevelFailed { label: String, reason: String },
    #[error("the session is closed: {reason}")]
    Closed { reason: String },
    #[error(transparent)]
    Rule(#[from] RuleRefused),
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    /// The task is gone; only a bug or the program's end does that.
    #[error("the session has ended")]
    Gone,
}

/// A command that was started, and the first thing worth telling about it.
#[derive(Debug)]
pub struct Ticket {
    pub command_id: CommandId,
    pub settled: oneshot::Receiver<Completion>,
}

/// Whether an agent may type.
#[derive(Debug)]
pub enum AgentsTurn {
    Now {
        /// What persons ran since the agent's last command, quoted, the oldest first.
        ran: Vec<String>,
    },
    Later {
        /// Why not now, with what the person did.
        held: SessionError,
        /// Ends when it makes sense to ask again. Until it is dropped, persons see that an agent waits.
        comes: oneshot::Receiver<()>,
    },
}

/// What goes with a line, beside the line.
#[derive(Debug, Default)]
pub struct SubmitOptions {
    /// The level it should lead to.
    pub opens: Option<Expectation>,
    /// Where the caller thinks the terminal is; elsewhere the line is not typed.
    pub expect_level: Option<String>,
    pub resumes: Option<Resumes>,
    /// What Enter sends, where it is not what the profile says.
    pub enter: Option<EnterKey>,
}

/// Where the terminal is and what it is doing.
#[derive(Debug, Clone)]
pub struct Position {
    /// Grows with every byte of output.
    pub generation: u64,
    pub quiet_ms: u64,
    pub at_prompt: bool,
    pub running: Option<CommandId>,
    /// The terminal asks for something only a person may type.
    pub asks_for_secret: bool,
    /// An interpreter or a client waits for a statement; what is typed is not read by a shell.
    pub at_repl: bool,
    pub levels: Vec<Level>,
    /// The line on which the cursor stands, up to it.
    pub line: String,
    /// How often somebody other than a person has typed, interrupts left out.
    pub typed_for_agents: u64,
}

/// The terminal as it is read: the screen, and what is known of it. Reads as its position.
#[derive(Debug, Clone)]
pub struct Reading {
    pub position: Position,
    pub screen: ScreenView,
    /// The cursor stands behind a shell's prompt, whatever the path says.
    pub shows_shell_prompt: bool,
}

impl std::ops::Deref for Reading {
    type Target = Position;

    fn deref(&self) -> &Position {
        &self.position
    }
}

/// A command's output as text.
#[derive(Debug, Clone)]
pub struct CommandOutput {
    pub record: CommandRecord,
    /// Where in the session's output it lies, so far; none when nothing is known beyond its start.
    pub span: Option<Span>,
    pub text: CleanText,
    /// Bytes at its beginning that are no longer kept in memory.
    pub evicted_bytes: u64,
}

/// Output as it came, decoded to UTF-8 and with its control sequences.
#[derive(Debug, Clone)]
pub struct OutputSlice {
    /// Where `bytes` begin.
    pub from: Offset,
    pub bytes: Vec<u8>,
    /// Bytes from where was asked up to `from` that are no longer kept.
    pub evicted_bytes: u64,
    /// One past the newest byte of the session.
    pub end: Offset,
    /// A full-screen program had the terminal at `from`.
    pub full_screen: bool,
    /// No more will come.
    pub closed: bool,
}

/// How a session is, at this moment.
#[derive(Debug, Clone)]
pub struct Vitals {
    pub health: Health,
    /// Since the last key from anyone or the last byte of output.
    pub idle: Duration,
    /// One past the newest byte of output.
    pub end: Offset,
    /// The oldest byte of output that is kept.
    pub start: Offset,
    /// Number of the first line of the history that is kept, and of the next one.
    pub first_line: u64,
    pub next_line: u64,
    /// Its last line is output that is not ended yet.
    pub is_line_begun: bool,
    /// When it was closed, in milliseconds since 1970-01-01 UTC.
    pub closed_unix_ms: Option<u64>,
}

pub(super) type Reply<T> = oneshot::Sender<Result<T, SessionError>>;

pub(super) enum Request {
    Submit { cleared: Cleared, options: Box<SubmitOptions>, reply: Reply<Ticket> },
    TypeIn { cleared: Cleared, enter: Option<EnterKey>, by: Option<String>, reply: Reply<()> },
    RecordRefusal { refusal: Box<Refusal>, reply: Reply<()> },
    DeclareLevel { level: Box<Level>, reply: Reply<()> },
    ExpectLevel { expectation: Expectation, reply: Reply<oneshot::Receiver<Result<(), SessionError>>> },
    WaitCommand { command_id: CommandId, reply: oneshot::Sender<Completion> },
    Interim { reply: Reply<Option<Completion>> },
    Position { reply: Reply<Position> },
    Read { reply: Reply<Reading> },
    ReadCommand { command_id: CommandId, reply: Reply<CommandOutput> },
    NoteStop { command_id: CommandId, attempt: StopAttempt, reply: Reply<()> },
    Commands { reply: Reply<Vec<CommandRecord>> },
    Attach { from: AttachFrom, reply: Reply<Attachment> },
    Resize { size: TerminalSize, reply: Reply<()> },
    Vitals { reply: Reply<Vitals> },
    OutputSlice { from: Option<Offset>, to: Option<Offset>, most_bytes: usize, reply: Reply<OutputSlice> },
    ReadHistory { range: LineRange, reply: Reply<Cut> },
    Followed { route: String, reply: Reply<()> },
    RecordStep { route: String, what: String, reply: Reply<()> },
    ReopenedAs { session_id: String, reply: Reply<()> },
    AdmitFile { cleared: Cleared, reply: Reply<String> },
    RecordFile { record: Box<FileRecord>, reply: Reply<()> },
    RecordFailure { failure: PluginFailure, reply: Reply<()> },
    RecordApproval { record: Box<ApprovalRecord>, reply: Reply<()> },
    Control { who: Party, request: ControlRequest, by: Option<String>, reply: Reply<()> },
    AgentsTurn { has_line: bool, reply: Reply<AgentsTurn> },
    SetPolicyMode { mode: PolicyMode, was: PolicyMode, by: Option<String>, reply: Reply<()> },
    ChangeRules { who: Party, change: RuleChange, reply: Reply<()> },
}

/// What a plugin has failed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFailure {
    /// `parser` or `navigator`.
    pub about: &'static str,
    /// The plugin's name, where the message does not say it.
    pub plugin: Option<String>,
    pub message: String,
}

/// A cloneable way in. Dropping all of them does not end the session; [`SessionHandle::close`] does.
#[derive(Debug, Clone)]
pub struct SessionHandle {
    pub(super) id: SessionId,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) summary: watch::Receiver<SessionSummary>,
    pub(super) events: broadcast::WeakSender<SessionEvent>,
    /// A channel of its own, so that closing never queues behind other requests.
    pub(super) close: CancellationToken,
    /// Who closed it and why; the first one to say so.
    pub(super) close_reason: Arc<OnceLock<String>>,
    pub(super) done: CancellationToken,
    pub(super) transcript: Option<Arc<Path>>,
    pub(super) stopping: Stopping,
    pub(super) files: FilesOpener,
    /// Where lines have to be on the disk before anything is answered.
    pub(super) durable: Option<Arc<Durable>>,
    pub(super) last_activity_unix_ms: Arc<AtomicU64>,
    pub(super) idle_close: Duration,
}

impl SessionHandle {
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// Whether the caller called it that.
    pub fn has_name(&self, name: &str) -> bool {
        self.summary.borrow().name.as_deref() == Some(name)
    }

    /// Where the session's record lies.
    pub fn transcript(&self) -> Option<&Path> {
        self.transcript.as_deref()
    }

    pub fn summary(&self) -> SessionSummary {
        self.summary.borrow().clone()
    }

    pub fn is_closed(&self) -> bool {
        self.summary.borrow().closed_reason.is_some()
    }

    /// Follows the summary.
    pub fn watch_summary(&self) -> watch::Receiver<SessionSummary> {
        self.summary.clone()
    }

    /// Every event from now on; `None` once the session's task is gone.
    pub fn events(&self) -> Option<broadcast::Receiver<SessionEvent>> {
        self.events.upgrade().map(|sender| sender.subscribe())
    }

    /// Ends the connection, for `reason`, and waits until that is recorded.
    pub async fn close(&self, reason: &str) {
        // Somebody else's reason came first; it is the one on record.
        let _ = self.close_reason.set(reason.to_owned());
        self.close.cancel();
        self.done.cancelled().await;
    }

    /// Runs the cleared line at the prompt.
    ///
    /// # Errors
    /// When the terminal is not at a clean prompt; nothing was typed then.
    pub async fn submit(&self, cleared: Cleared, options: SubmitOptions) -> Result<Ticket, SessionError> {
        let options = Box::new(options);
        self.ask(|reply| Request::Submit { cleared, options, reply }).await
    }

    /// Takes the right to stop the command; `None` when somebody is stopping one already.
    pub fn begin_stop(&self, command_id: CommandId) -> Option<StopGuard> {
        self.stopping.begin(command_id)
    }

    /// The command that is being stopped now: its terminal may show a prompt for a moment.
    pub fn being_stopped(&self) -> Option<CommandId> {
        self.stopping.current()
    }

    /// Keeps with the command what was tried to stop it.
    ///
    /// # Errors
    /// When the session does not know the command.
    pub async fn note_stop(&self, command_id: CommandId, attempt: StopAttempt) -> Result<(), SessionError> {
        self.ask(|reply| Request::NoteStop { command_id, attempt, reply }).await
    }

    /// Types the cleared bytes as they are.
    ///
    /// # Errors
    /// When the session is closed or the text cannot be written there.
    pub async fn type_in(&self, cleared: Cleared) -> Result<(), SessionError> {
        self.type_in_with(cleared, None).await
    }

    /// The same; `enter` is what Enter sends where it is not what the profile says.
    ///
    /// # Errors
    /// As [`SessionHandle::type_in`].
    pub async fn type_in_with(&self, cleared: Cleared, enter: Option<EnterKey>) -> Result<(), SessionError> {
        self.ask(|reply| Request::TypeIn { cleared, enter, by: None, reply }).await
    }

    /// Types a person's keys. `by` is their name where it is known; it stands in the record before them.
    ///
    /// # Errors
    /// As [`Self::type_in`].
    pub async fn persons_keys(&self, cleared: Cleared, by: Option<String>) -> Result<(), SessionError> {
        self.ask(|reply| Request::TypeIn { cleared, enter: None, by, reply }).await
    }

    /// Writes a refusal into the transcript, before the agent hears of it.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub async fn record_refusal(&self, refusal: Refusal) -> Result<(), SessionError> {
        self.ask(|reply| Request::RecordRefusal { refusal: Box::new(refusal), reply }).await
    }

    /// Puts a level on the path that needs no marks (a menu).
    ///
    /// # Errors
    /// When the session's task is gone.
    pub async fn declare_level(&self, level: Level) -> Result<(), SessionError> {
        self.ask(|reply| Request::DeclareLevel { level: Box::new(level), reply }).await
    }

    /// Waits for a shell to show its prompt and makes that recognisable.
    ///
    /// # Errors
    /// When no shell appears in time, with the reason.
    pub async fn expect_level(&self, expectation: Expectation) -> Result<(), SessionError> {
        let wait = self.ask(|reply| Request::ExpectLevel { expectation, reply }).await?;
        wait.await.map_err(|_| SessionError::Gone)?
    }

    /// Waits until a line can be run, at most `within`; whether that is so.
    pub async fn until_prompt(&self, within: Duration) -> bool {
        let mut summary = self.watch_summary();
        let settled = summary.wait_for(|summary| summary.state == "at_prompt" || summary.closed_reason.is_some());
        drop(tokio::time::timeout(within, settled).await);
        self.summary().state == "at_prompt"
    }

    /// The next report about the command: its end, or that it asks for something.
    pub async fn wait_command(&self, command_id: CommandId) -> Result<Completion, SessionError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::WaitCommand { command_id, reply };
        self.requests.send(request).await.map_err(|_| SessionError::Gone)?;
        let completion = answer.await.map_err(|_| SessionError::UnknownCommand(command_id))?;
        self.on_disk().await;
        Ok(completion)
    }

    /// The running command as it stands.
    ///
    /// # Errors
    /// When the session's task is gone.
    pub async fn interim(&self) -> Result<Option<Completion>, SessionError> {
        self.ask(|reply| Request::Interim { reply }).await
    }

    /// Where the terminal is, without its screen.
    ///
    /// # Errors
    /// When the session's task is gone.
    pub async fn position(&self) -> Result<Position, SessionError> {
        self.ask(|reply| Request::Position { reply }).await
    }

    /// The screen now.
    ///
    /// # Errors
    /// When the session's task is gone.
    pub async fn read(&self) -> Result<Reading, SessionError> {
        self.ask(|reply| Request::Read { reply }).await
    }

    /// A command's output so far.
    ///
    /// # Errors
    /// When the session does not know the command.
    pub async fn read_command(&self, command_id: CommandId) -> Result<CommandOutput, SessionError> {
        self.ask(|reply| Request::ReadCommand { command_id, reply }).await
    }

    /// The commands of this session, oldest first, as far as they are kept.
    ///
    /// # Errors
    /// When the session's task is gone.
    pub async fn commands(&self) -> Result<Vec<CommandRecord>, SessionError> {
        self.ask(|reply| Request::Commands { reply }).await
    }

    /// Snapshot (or what a viewer has missed) and subscription in one.
    ///
    /// # Errors
    /// When the session's task is gone.
    pub async fn attach(&self, from: AttachFrom) -> Result<Attachment, SessionError> {
        self.ask(|reply| Request::Attach { from, reply }).await
    }

    /// Changes the terminal's size.
    ///
    /// # Errors
    /// When the session is closed.
    pub async fn resize(&self, size: TerminalSize) -> Result<(), SessionError> {
        self.ask(|reply| Request::Resize { size, reply }).await
    }

    /// How the session is.
    ///
    /// # Errors
    /// When the session's task is gone.
    pub async fn vitals(&self) -> Result<Vitals, SessionError> {
        self.ask(|reply| Request::Vitals { reply }).await
    }

    /// Output between two offsets, at most `most_bytes` of it: the first ones from `from`, or the newest
    /// ones before `to` where no `from` is given.
    ///
    /// # Errors
    /// When the session's task is gone.
    pub async fn output_slice(
        &self,
        from: Option<Offset>,
        to: Option<Offset>,
        most_bytes: usize,
    ) -> Result<OutputSlice, SessionError> {
        self.ask(|reply| Request::OutputSlice { from, to, most_bytes, reply }).await
    }

    /// Lines of the history.
    ///
    /// # Errors
    /// When the session's task is gone.
    pub async fn read_history(&self, range: LineRange) -> Result<Cut, SessionError> {
        self.ask(|reply| Request::ReadHistory { range, reply }).await
    }

    /// Notes that a route was followed to its end, for whoever reopens the session.
    ///
    /// # Errors
    /// When the session's task is gone.
    pub async fn followed(&self, route: String) -> Result<(), SessionError> {
        self.ask(|reply| Request::Followed { route, reply }).await
    }

    /// Puts a step of a navigation on record before it is done.
    ///
    /// # Errors
    /// When the session's task is gone or the record cannot be written.
    pub async fn record_step(&self, route: String, what: String) -> Result<(), SessionError> {
        self.ask(|reply| Request::RecordStep { route, what, reply }).await
    }

    /// Notes which session goes on from this one.
    ///
    /// # Errors
    /// When the session's task is gone.
    pub async fn reopened_as(&self, session_id: String) -> Result<(), SessionError> {
        self.ask(|reply| Request::ReopenedAs { session_id, reply }).await
    }

    /// Opens the way to files on the session's server: a channel of its own on the same connection.
    ///
    /// # Errors
    /// When the connection is gone, or the server has no SFTP.
    pub async fn open_files(&self) -> Result<Files, FilesError> {
        self.files.open().await
    }

    /// Records the verdict on a file and gives the path it holds for.
    ///
    /// # Errors
    /// When the session is closed; the file may not be reached then.
    pub async fn admit_file(&self, cleared: Cleared) -> Result<String, SessionError> {
        self.ask(|reply| Request::AdmitFile { cleared, reply }).await
    }

    /// Records what was done with a file, before anybody is told. Also when the session has ended meanwhile:
    /// what was done then was done all the same.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub async fn record_file(&self, record: FileRecord) -> Result<(), SessionError> {
        self.ask(|reply| Request::RecordFile { record: Box::new(record), reply }).await
    }

    /// Records that a plugin has failed at what it was asked for here.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub async fn record_failure(&self, failure: PluginFailure) -> Result<(), SessionError> {
        self.ask(|reply| Request::RecordFailure { failure, reply }).await
    }

    /// Records that a person was asked to allow something, or what came of it, before it has an effect.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub async fn record_approval(&self, record: ApprovalRecord) -> Result<(), SessionError> {
        self.ask(|reply| Request::RecordApproval { record: Box::new(record), reply }).await
    }

    /// Asks for the input, or gives it away.
    ///
    /// # Errors
    /// [`SessionError::Held`] when the other one has it.
    pub async fn control(&self, who: Party, request: ControlRequest) -> Result<(), SessionError> {
        self.ask(|reply| Request::Control { who, request, by: None, reply }).await
    }

    /// The same for a person, with their name where it is known.
    ///
    /// # Errors
    /// As [`Self::control`].
    pub async fn persons_control(&self, request: ControlRequest, by: Option<String>) -> Result<(), SessionError> {
        self.ask(|reply| Request::Control { who: Party::Human, request, by, reply }).await
    }

    /// Asks whether an agent may type. `has_line` is for a line that needs a clean prompt.
    ///
    /// # Errors
    /// When the session is closed.
    pub async fn agents_turn(&self, has_line: bool) -> Result<AgentsTurn, SessionError> {
        self.ask(|reply| Request::AgentsTurn { has_line, reply }).await
    }

    /// A person sets how strictly lines are judged here from now on.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub async fn set_policy_mode(
        &self,
        mode: PolicyMode,
        was: PolicyMode,
        by: Option<String>,
    ) -> Result<(), SessionError> {
        self.ask(|reply| Request::SetPolicyMode { mode, was, by, reply }).await
    }

    /// Changes the rules that hold here only.
    ///
    /// # Errors
    /// When the change is not theirs to make, or could not be recorded.
    pub async fn change_rules(&self, who: Party, change: RuleChange) -> Result<(), SessionError> {
        self.ask(|reply| Request::ChangeRules { who, change, reply }).await
    }

    /// After how long without anything happening it is closed; zero keeps it open.
    pub fn idle_close(&self) -> Duration {
        self.idle_close
    }

    /// When somebody last typed or something was last printed, in milliseconds since 1970-01-01 UTC.
    pub fn last_activity_unix_ms(&self) -> u64 {
        self.last_activity_unix_ms.load(Ordering::Relaxed)
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, SessionError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| SessionError::Gone)?;
        let answer = answer.await.map_err(|_| SessionError::Gone)?;
        self.on_disk().await;
        answer
    }

    /// Waits for the disk where the operator wants that: here, and not in the session's task, which goes on.
    async fn on_disk(&self) {
        if let Some(durable) = &self.durable {
            durable.reached().await;
        }
    }
}
