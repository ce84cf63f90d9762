//! The levels a terminal is on: bastion menu, login shell, pod shell, REPL.

use serde::Serialize;

use crate::decode::Encoding;
use crate::track::Fingerprint;

/// What reads the terminal at a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelKind {
    Menu,
    Shell,
    PodShell,
    ElevatedShell,
    Repl,
    NetworkCli,
    Multiplexer,
    Unknown,
}

impl LevelKind {
    /// A shell takes marks and shell lines; anything else does not.
    pub fn is_shell(self) -> bool {
        matches!(self, Self::Shell | Self::PodShell | Self::ElevatedShell)
    }
}

/// The shell's family, found by the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ShellKind {
    Bash,
    Zsh,
    Fish,
    /// csh and tcsh: another grammar, `$status`, history expansion even in quotes.
    Tcsh,
    /// dash, busybox ash, mksh and other POSIX shells.
    Posix,
    Unknown,
}

/// How the host tells this level's prompt and a command's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Integration {
    /// Marks in the prompt.
    Marks,
    /// Each command is wrapped; the prompt itself is not recognisable.
    Sentinel,
    /// As `Sentinel`, printed as text: a multiplexer lets no control string through.
    VisibleSentinel,
    /// The prompt is known by its looks alone; there are no exit codes.
    Prompt,
    /// Neither: a menu, or a shell that was not armed.
    None,
}

/// One level of the stack, outermost first.
#[derive(Debug, Clone, Serialize)]
pub struct Level {
    pub kind: LevelKind,
    /// Shown in the breadcrumb.
    pub label: String,
    pub shell: ShellKind,
    pub integration: Integration,
    /// What the navigator that entered it said of it, for navigators to come.
    pub attributes: Vec<(String, String)>,
    /// Marks of this level carry it; another level's marks cannot be taken for this one's.
    #[serde(skip)]
    pub nonce: String,
    /// Known after the first mark.
    #[serde(skip)]
    pub pid: Option<String>,
    #[serde(skip)]
    pub last_counter: u64,
    #[serde(skip)]
    pub encoding: Encoding,
    /// Its line editor takes pasted text (DEC mode 2004); some say so only behind the prompt.
    #[serde(skip)]
    pub(crate) pastes: bool,
    /// What its prompt looks like, where nothing better tells it.
    #[serde(skip)]
    pub(crate) prompt: Option<Fingerprint>,
}

impl Level {
    pub fn new(kind: LevelKind, label: impl Into<String>) -> Self {
        Self {
            kind,
            label: label.into(),
            shell: ShellKind::Unknown,
            integration: Integration::None,
            attributes: Vec::new(),
            nonce: String::new(),
            pid: None,
            last_counter: 0,
            encoding: Encoding::default(),
            pastes: false,
            prompt: None,
        }
    }
}
