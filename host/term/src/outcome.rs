//! How a command ended, and how that is known.

use serde::Serialize;

use crate::ring::Span;

/// Number of a command within its session, from 1; shown as `c7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct CommandId(pub u64);

impl std::fmt::Display for CommandId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "c{}", self.0)
    }
}

impl std::str::FromStr for CommandId {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix('c').unwrap_or(text).parse().map(Self)
    }
}

/// What gave an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitSource {
    /// A mark of the shell that ran it.
    Mark,
    /// The wrapper around this one command.
    Sentinel,
    /// A mark of the level below, after the level above ended.
    LowerLevelMark,
    /// The channel's exit status when the session ended.
    Channel,
}

/// How sure the outcome is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    Low,
    Medium,
    High,
    Certain,
}

/// What a terminal waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AwaitingKind {
    Password,
    Passphrase,
    Otp,
    Confirm,
    Choice,
    Menu,
    Pager,
    Continuation,
    Repl,
    Hostkey,
    PressKey,
    Approval,
    Filetransfer,
    Text,
}

impl AwaitingKind {
    /// What is typed here must never be seen by the agent or recorded.
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Password | Self::Passphrase | Self::Otp)
    }
}

/// What is known of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The shell's prompt is back. The code is never invented: `None` when the shell gave none.
    Completed { exit_code: Option<i32>, exit_source: ExitSource },
    /// A prompt is back, but nothing said with which code.
    PromptNoStatus,
    /// Still running; something asks for input. `options` are the answers the question itself offers
    /// (`y`, `n`), `default` the one that Enter alone takes.
    AwaitingInput {
        kind: AwaitingKind,
        prompt: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        options: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        default: Option<String>,
    },
    /// Still running; a full-screen program has the terminal.
    Fullscreen,
    /// Still running, nothing more is known.
    Running,
    /// The command led to another level, or left one.
    LevelChanged { breadcrumb: Vec<String>, exit_code: Option<i32> },
    /// The connection ended; whether the command did is not known.
    Disconnected { reason: String, exit_code: Option<i32> },
    /// The terminal can no longer be read with confidence.
    Unknown { reason: String },
}

impl Outcome {
    /// The command may still be running.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::AwaitingInput { .. } | Self::Fullscreen | Self::Running | Self::Unknown { .. })
    }
}

/// A report about one command at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Completion {
    pub command_id: CommandId,
    /// Its output so far.
    pub span: Span,
    #[serde(flatten)]
    pub outcome: Outcome,
    pub confidence: Confidence,
    pub evidence: Vec<String>,
    /// A person typed while it ran.
    pub human_input: bool,
}
