//! What the viewer asks of the host, and nothing more.
//!
//! Values here are plain: no terminal, no channel, no SSH type. The host implements [`Backend`];
//! the tests implement it with a script.

use std::future::Future;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use super::protocol::{
    Answer, Approval, ApprovalAnswer, Command, ControlRequest, PastSession, Plugin, Question, SearchFound, SearchQuery,
    SecretAnswer, SessionSummary,
};

/// The host as the viewer sees it. Clones share one host.
pub trait Backend: Clone + Send + Sync + 'static {
    /// The live half of an attachment.
    type Live: LiveEvents;

    /// Whether the host can do its work.
    ///
    /// # Errors
    /// Says what is in the way, for the log.
    fn ready(&self) -> Result<(), String>;

    /// The figures of the process as OpenMetrics text.
    fn metrics(&self) -> String;

    /// Every session that can be shown, closed ones included, in the order to show them.
    fn sessions(&self) -> Vec<SessionSummary>;

    /// Changes its value whenever [`Backend::sessions`] may answer differently.
    fn session_list_changes(&self) -> watch::Receiver<u64>;

    /// The loaded plugins and how they fare.
    fn plugins(&self) -> Vec<Plugin>;

    /// What a person is asked at the moment, oldest first.
    fn questions(&self) -> Vec<Question>;

    /// Changes its value whenever [`Backend::questions`] may answer differently. Who holds it shows them to
    /// a person.
    fn question_changes(&self) -> watch::Receiver<u64>;

    /// Brings a person's answer.
    ///
    /// # Errors
    /// When the question is gone or the answer does not fit it.
    fn answer(&self, question_id: &str, answer: Answer) -> Result<(), AnswerRefused>;

    /// What waits for a person's consent, oldest first.
    fn approvals(&self) -> Vec<Approval>;

    /// Changes its value whenever [`Backend::approvals`] may answer differently.
    fn approval_changes(&self) -> watch::Receiver<u64>;

    /// Brings a person's decision; it is on record when this answers. `by` is the person's name, where it is known,
    /// here and below.
    ///
    /// # Errors
    /// When the approval is gone, is about another text than the one shown, or cannot be recorded.
    fn decide(
        &self,
        approval_id: &str,
        answer: ApprovalAnswer,
        by: Option<String>,
    ) -> impl Future<Output = Result<(), AnswerRefused>> + Send;

    /// A snapshot of the screen and the events after it, taken in one step so that nothing is
    /// missed or seen twice.
    fn attach(
        &self,
        session_id: &str,
        from: AttachFrom,
    ) -> impl Future<Output = Result<Attached<Self::Live>, AttachError>> + Send;

    /// Does what a person asks for beside typing.
    ///
    /// # Errors
    /// When the session does not exist or cannot do it now.
    fn control(
        &self,
        session_id: &str,
        request: ControlRequest,
        by: Option<String>,
    ) -> impl Future<Output = Result<(), ControlRefused>> + Send;

    /// The rules that hold in one session only, and those it has from the configuration, as JSON; changed first
    /// where there is a change.
    ///
    /// # Errors
    /// When the session does not exist, the rule has a mistake, or the change is not possible.
    fn session_rules(
        &self,
        session_id: &str,
        change: Option<RulesChange>,
    ) -> impl Future<Output = Result<Value, ControlRefused>> + Send;

    /// Sessions whose records lie on the disk, the newest first; of this launch only, or of every one.
    fn past(&self, every_launch: bool) -> impl Future<Output = Vec<PastSession>> + Send;

    /// The record of one of them, in whole lines as they lie there, and whether that is all of it. None when there
    /// is no such record.
    fn transcript(
        &self,
        every_launch: bool,
        instance_id: String,
        session_id: String,
    ) -> impl Future<Output = Option<(Vec<u8>, bool)>> + Send;

    /// Types a person's bytes into the session, through the gate, with the actor `human`.
    fn send_human_keys(
        &self,
        session_id: &str,
        bytes: Vec<u8>,
        by: Option<String>,
    ) -> impl Future<Output = Result<(), KeysError>> + Send;

    /// Types a person's answer to the terminal's question for a secret, with Enter behind it.
    ///
    /// # Errors
    /// When the terminal asks for none now; nothing was typed then.
    fn send_secret(
        &self,
        session_id: &str,
        answer: SecretAnswer,
        by: Option<String>,
    ) -> impl Future<Output = Result<(), ControlRefused>> + Send;

    /// Searches the record, of this launch only or of every one, the newest first.
    ///
    /// # Errors
    /// When what is looked for cannot be.
    fn search(
        &self,
        every_launch: bool,
        query: SearchQuery,
    ) -> impl Future<Output = Result<SearchFound, SearchRefused>> + Send;
}

/// What a person changes about the rules of a session.
#[derive(Clone, Debug, PartialEq)]
pub enum RulesChange {
    /// The rule as JSON, with the keys it has in the configuration.
    Set(Value),
    /// By id.
    Remove(String),
    /// All of them.
    Reset,
}

/// Where an attachment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachFrom {
    /// At the screen as it is.
    Screen,
    /// At the screen, with what was printed before it, at most this many bytes.
    History(u64),
    /// Where the page has left off; at the screen, with history, where that is no longer possible.
    Offset(u64),
}

/// What [`Backend::attach`] answers.
pub struct Attached<L> {
    /// The session as it is now.
    pub summary: SessionSummary,
    /// Bytes that rebuild the screen in a freshly reset terminal of the given size; none where the page goes on
    /// from what it has.
    pub snapshot: Option<Vec<u8>>,
    /// Output before `offset`, to scroll back to; or, for a page that goes on, what it has not seen.
    pub history: Vec<u8>,
    /// The commands the session remembers.
    pub commands: Vec<Command>,
    /// The absolute output offset (bytes since the session's start) the snapshot stands at.
    pub offset: u64,
    /// Width of the terminal in cells.
    pub columns: u16,
    /// Height of the terminal in cells.
    pub rows: u16,
    /// Everything after `offset`.
    pub live: L,
}

/// A stream of what happens in a session.
pub trait LiveEvents: Send + 'static {
    /// The next item. Dropping the future before it is ready loses nothing.
    fn next(&mut self) -> impl Future<Output = LiveItem> + Send;
}

/// One item of [`LiveEvents`].
#[derive(Clone, Debug)]
pub enum LiveItem {
    /// Something happened.
    Event(LiveEvent),
    /// This reader was too slow and events were dropped; a new attachment is needed.
    Lagged,
    /// No further item will come.
    Ended,
}

/// What can happen in a session.
#[derive(Clone, Debug)]
pub enum LiveEvent {
    /// The terminal was written to.
    Output {
        /// The absolute offset after the last of `bytes`.
        offset_after: u64,
        /// What was written.
        bytes: Arc<[u8]>,
    },
    /// The terminal has a new size, in cells.
    Resized {
        /// New width.
        columns: u16,
        /// New height.
        rows: u16,
    },
    /// State, place or running command changed.
    Summary(Box<SessionSummary>),
    /// A command was started, refused or has got on.
    Command(Box<Command>),
    /// The session is over.
    Closed {
        /// Why, for a person to read.
        reason: String,
    },
}

/// Why a session could not be attached to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    /// There is none with this id.
    #[error("there is no such session; go back to the list of sessions")]
    UnknownSession,
    /// The session is over and its screen is gone.
    #[error("the session is closed: {0}")]
    Closed(String),
    /// Anything else, in the host's words.
    #[error("{0}")]
    Failed(String),
}

/// Why something was not done to a session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlRefused {
    /// There is none with this id.
    #[error("there is no such session; go back to the list of sessions")]
    UnknownSession,
    /// The agent has the input; a person may force it. In the host's words.
    #[error("{0}")]
    Held(String),
    /// In the host's words.
    #[error("{0}")]
    NotPossible(String),
}

/// Why typed keys did not reach the session, in the host's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeysError(pub String);

/// Why an answer was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerRefused {
    /// It was answered, withdrawn or its time was over.
    #[error("this question is no longer open")]
    NotOpen,
    /// In the host's words.
    #[error("{0}")]
    NotFitting(String),
}

/// Why a search was not made, in the host's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SearchRefused(pub String);
