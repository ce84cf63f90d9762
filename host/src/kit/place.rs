//! A place to ask a plugin about, without a session that is there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use portcullis_sandbox::policy::TerminalState;
use portcullis_term::{Level, LevelKind, ShellKind};
use serde::Deserialize;

use crate::config::{
    CustomRules, Destination, FilesAccess, LogSearchChoice, PolicyMode, Profile, TerminalSize, TranscriptMode,
};
use crate::gate::Place;

/// Where the plugin is to think it is; everything may be left out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlaceInput {
    /// The profile's name.
    pub profile: Option<String>,
    pub user: Option<String>,
    pub tags: Vec<String>,
    /// The levels crossed, outermost first; one shell when empty.
    pub levels: Vec<LevelInput>,
}

/// One level of the terminal.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelInput {
    #[serde(default)]
    pub kind: LevelName,
    pub label: String,
    #[serde(default)]
    pub shell: ShellName,
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

/// The kinds of level by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelName {
    Menu,
    #[default]
    Shell,
    PodShell,
    ElevatedShell,
    Repl,
    NetworkCli,
    Multiplexer,
    Unknown,
}

/// The shells by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShellName {
    #[default]
    Bash,
    Zsh,
    Fish,
    Tcsh,
    Posix,
    Unknown,
}

impl From<LevelName> for LevelKind {
    fn from(name: LevelName) -> Self {
        match name {
            LevelName::Menu => Self::Menu,
            LevelName::Shell => Self::Shell,
            LevelName::PodShell => Self::PodShell,
            LevelName::ElevatedShell => Self::ElevatedShell,
            LevelName::Repl => Self::Repl,
            LevelName::NetworkCli => Self::NetworkCli,
            LevelName::Multiplexer => Self::Multiplexer,
            LevelName::Unknown => Self::Unknown,
        }
    }
}

impl From<ShellName> for ShellKind {
    fn from(name: ShellName) -> Self {
        match name {
            ShellName::Bash => Self::Bash,
            ShellName::Zsh => Self::Zsh,
            ShellName::Fish => Self::Fish,
            ShellName::Tcsh => Self::Tcsh,
            ShellName::Posix => Self::Posix,
            ShellName::Unknown => Self::Unknown,
        }
    }
}

/// The levels as the terminal model has them.
pub(super) fn levels(inputs: &[LevelInput]) -> Vec<Level> {
    let level = |input: &LevelInput| {
        let mut level = level(input.kind.into(), &input.label, input.shell);
        level.attributes = input.attributes.clone().into_iter().collect();
        level
    };
    inputs.iter().map(level).collect()
}

fn level(kind: LevelKind, label: &str, shell: ShellName) -> Level {
    let mut level = Level::new(kind, label);
    level.shell = shell.into();
    level
}

/// The place as the gate knows places. `shell` is the innermost level's where no levels are given.
pub(crate) fn place(input: &PlaceInput, shell: ShellName, mode: PolicyMode, terminal: TerminalState) -> Place {
    let name = input.profile.clone().unwrap_or_else(|| "example".to_owned());
    let mut levels = levels(&input.levels);
    if levels.is_empty() {
        levels.push(level(LevelKind::Shell, &name, shell));
    }
    Place {
        session_id: "plugin-kit".to_owned(),
        destination: Arc::new(destination(input, name, mode)),
        session_rules: None,
        levels,
        terminal,
        at_repl: false,
        reader: String::new(),
    }
}

/// A profile nobody connects to.
fn destination(input: &PlaceInput, name: String, policy_mode: PolicyMode) -> Destination {
    let profile = Profile {
        label: name.clone(),
        tags: input.tags.clone(),
        host: "host.example".to_owned(),
        port: 22,
        user: input.user.clone().unwrap_or_else(|| "user".to_owned()),
        local: None,
        hops: Vec::new(),
        proxy_command: None,
        auth: Vec::new(),
        known_hosts: Vec::new(),
        host_key_alias: None,
        legacy_algorithms: false,
        connect_timeout: Duration::ZERO,
        keepalive: Duration::ZERO,
        keepalive_max: 1,
        idle_close: Duration::ZERO,
        encoding: portcullis_term::Encoding::default(),
        terminal: TerminalSize { columns: 120, rows: 40 },
        enter: crate::config::EnterKey::default(),
        set_env: BTreeMap::new(),
        transcript: TranscriptMode::Off,
        audited: false,
        watch_processes: false,
        name,
    };
    Destination {
        profile: Arc::new(profile),
        policy_mode,
        approval_timeout: Duration::ZERO,
        policies: Vec::new(),
        shadow_policies: Vec::new(),
        rules: CustomRules::default(),
        exceptions: Vec::new(),
        navigator: None,
        routes: BTreeMap::new(),
        log_search: LogSearchChoice { plugin: String::new(), sources: Vec::new() },
        files: FilesAccess { read: Vec::new(), write: Vec::new(), max_read_bytes: 0, max_write_bytes: 0 },
        origin: "the plugin kit".to_owned(),
        notes: Vec::new(),
    }
}
