//! Configuration: what the operator wrote, turned into values the program uses.
//!
//! [`file`] is the file as written (TOML, unknown keys refused); [`Config`] is what the rest of
//! the program sees: no optional value that means "default", paths absolute, names checked.
//! Secrets are named here, never held.

mod file;
mod jump;
pub mod profile;
mod resolve;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

pub use file::ConfigError;
pub use profile::{AuthMethod, EnterKey, Profile, QuestionAnswer, Secret, SecretError, SecretSource, TerminalSize};
pub use resolve::load;
use serde::{Deserialize, Serialize};

/// The configuration as used.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it was read from, for messages.
    pub source: PathBuf,
    pub state_directory: PathBuf,
    pub cache_directory: PathBuf,
    pub viewer: ViewerConfig,
    pub limits: Limits,
    pub plugins: Vec<PluginEntry>,
    pub destinations: BTreeMap<String, Arc<Destination>>,
}

/// The browser viewer.
#[derive(Debug, Clone)]
pub struct ViewerConfig {
    pub enabled: bool,
    /// The first port tried; the next free one above it is taken.
    pub first_port: u16,
}

/// What is kept of what is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Closed sessions that can still be read; beyond it the oldest goes, its transcript stays.
    pub closed_sessions: usize,
}

/// A component the operator added, or settings for one that is built in.
#[derive(Debug, Clone)]
pub struct PluginEntry {
    pub name: String,
    /// None for a built-in one.
    pub path: Option<PathBuf>,
    /// Must match the file's SHA-256 (hexadecimal) when given.
    pub sha256: Option<String>,
    /// JSON text handed to the plugin.
    pub settings: String,
}

/// What the policy lets pass; chosen by a person only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyMode {
    #[default]
    Safe,
    Full,
    Readonly,
    Restricted,
}

impl PolicyMode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Full => "full",
            Self::Readonly => "readonly",
            Self::Restricted => "restricted",
        }
    }
}

/// A profile with what its sessions may do and how they are crossed.
#[derive(Debug, Clone)]
pub struct Destination {
    pub profile: Arc<Profile>,
    pub policy_mode: PolicyMode,
    /// Names of policies that run after the standard one.
    pub policies: Vec<String>,
    /// Set where the first thing a session meets is a menu.
    pub navigator: Option<NavigatorChoice>,
    /// Parameters for the navigator, by route name.
    pub routes: BTreeMap<String, BTreeMap<String, String>>,
    pub log_search: LogSearchChoice,
}

/// Which navigator crosses a bastion.
#[derive(Debug, Clone)]
pub struct NavigatorChoice {
    pub plugin: String,
    /// The menu's name in the breadcrumb.
    pub menu_label: String,
}

/// Which plugin searches logs.
#[derive(Debug, Clone)]
pub struct LogSearchChoice {
    pub plugin: String,
    /// Files or folders searched when a query names none.
    pub sources: Vec<String>,
}
