//! Configuration: what the operator wrote, turned into values the program uses.
//!
//! [`file`] is the file as written (TOML, unknown keys refused), `ssh_config` adds the aliases of
//! OpenSSH's configuration, `find` says which files count, `workspace` what the one in a repository may
//! say, `files` which files of a host may be reached, `foreign` reads those of other programs, `predecessor` what was given to the program that is replaced, `sources` puts all together; [`Config`] is what the rest of the program
//! sees: no optional value that means "default", paths absolute, names checked. Secrets are named
//! here, never held.

mod edit;
mod error;
mod exceptions;
mod file;
mod files;
mod find;
mod foreign;
mod foreign_rules;
mod http;
mod import;
mod jump;
pub(crate) mod key_file;
mod keys;
mod layers;
mod plugin;
pub mod predecessor;
pub mod profile;
mod proxy;
mod record;
mod replace;
mod resolve;
mod rules;
mod runtime;
mod show;
mod sources;
mod ssh_config;
mod viewer;
mod workspace;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use edit::Edit;
pub use error::ConfigError;
pub use exceptions::{Exception, MOMENT_FORMS, moment_or_ago_unix_ms};
pub use files::FilesAccess;
pub use find::{Found, Reason};
pub use http::HttpConfig;
pub use import::{ImportReport, import};
pub use keys::schema;
pub use plugin::{PluginEntry, PluginLimits};
pub use profile::{
    AuthMethod, EnterKey, LocalShell, Profile, QuestionAnswer, Secret, SecretError, SecretSource, TerminalSize,
};
pub use record::{Keep, OnWriteFailure, RedactionConfig, RedactionRule, SearchScope, Sync, TranscriptConfig};
pub(crate) use replace::replace_file;
pub use rules::{CUSTOM_RULE_PREFIX, CustomRule, CustomRules, Rule, RuleAction, RuleMistake, rule_settings};
pub use runtime::{CONTROL_KEYS, control_key};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use sources::{Sources, found, load, user_file};
pub use viewer::{ViewerConfig, ViewerProxy, ViewerRole};
pub use workspace::Workspace;

/// The configuration as used.
#[derive(Debug, Clone)]
pub struct Config {
    /// The files it was read from, for messages; none when there are none.
    pub sources: Vec<PathBuf>,
    pub state_directory: PathBuf,
    pub cache_directory: PathBuf,
    pub viewer: ViewerConfig,
    pub mcp: McpConfig,
    pub http: HttpConfig,
    pub limits: Limits,
    pub log: LogConfig,
    /// Where figures are sent; none where they are only shown.
    pub otlp: Option<OtlpConfig>,
    /// The byte that leaves an attached terminal.
    pub detach_key: u8,
    pub transcript: TranscriptConfig,
    pub redaction: RedactionConfig,
    pub plugins: Vec<PluginEntry>,
    pub destinations: BTreeMap<String, Arc<Destination>>,
    /// Profiles that are written and cannot be used.
    pub unusable: BTreeMap<String, Unusable>,
    /// Opened when no profile is named.
    pub default_profile: Option<String>,
    /// What in the files has no effect, or less than one may think.
    pub notes: Vec<String>,
}

impl Config {
    /// Every secret that the configuration names anywhere and that can be read now: none of them may be written.
    pub fn secrets(&self) -> Vec<Secret> {
        let of_destinations = self.destinations.values().flat_map(|destination| destination.secret_sources());
        let of_proxy = self.viewer.proxy.iter().filter_map(|proxy| proxy.secret.as_ref());
        let sources = of_destinations.chain(&self.redaction.secrets).chain(of_proxy);
        // One that cannot be read is told where it is needed; here there is nothing to hide then.
        sources.filter_map(|source| source.read().ok()).collect()
    }

    /// The files, for people.
    pub fn described_sources(&self) -> String {
        let files: Vec<String> = self.sources.iter().map(|path| path.display().to_string()).collect();
        if files.is_empty() { "no file".to_owned() } else { files.join(", ") }
    }
}

/// A profile that cannot be used, which stops nothing but itself.
#[derive(Debug, Clone)]
pub struct Unusable {
    /// Where it is written.
    pub origin: String,
    /// Why, and what would help.
    pub problem: String,
    /// It is only an alias of OpenSSH's, nothing that was written for this program.
    pub only_alias: bool,
}

/// What MCP clients get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct McpConfig {
    /// Results have structured content beside the text, and tools say its schema.
    pub structured: bool,
    /// Clients that can put a question to their user are asked, beside the viewer, what a policy asks about.
    pub elicitation: bool,
}

/// What one host holds at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Closed sessions that can still be read; beyond it the oldest goes, its transcript stays.
    pub closed_sessions: usize,
    /// Open at once, those being opened included.
    pub sessions: usize,
    /// Commands of one session that are remembered.
    pub jobs: usize,
    /// Output kept of one session.
    pub session_memory_bytes: usize,
    /// Output kept of all sessions, open and closed.
    pub memory_bytes: usize,
    /// Files and sockets open at once; as many as the system allows where it is none.
    pub open_files: Option<u64>,
}

/// What a running host writes about itself, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// Directives of `tracing` for the file.
    pub level: String,
    /// The same for standard error.
    pub stderr: String,
    pub format: LogFormat,
    pub max_bytes: u64,
}

/// A collector of figures, over plain HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpConfig {
    /// `HOST:PORT`.
    pub authority: String,
    /// What is posted to, from the slash on.
    pub path: String,
    pub every: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// What the policy lets pass; chosen by a person only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
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

/// What a session's transcript holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TranscriptMode {
    /// All of it.
    #[default]
    Full,
    /// Who did what and when: command lines with their ends, verdicts, places, files. Of what was printed and
    /// of other keys only how much there was.
    Meta,
    /// There is no transcript.
    Off,
}

impl TranscriptMode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Meta => "meta",
            Self::Off => "off",
        }
    }

    pub fn is_full(&self) -> bool {
        *self == Self::Full
    }

    /// Where output is that memory holds no longer, as the end of a sentence about it.
    pub fn older_output(self) -> &'static str {
        match self {
            Self::Full => "the transcript has them",
            Self::Meta => "they are gone: this session's transcript leaves output out",
            Self::Off => "they are gone: this session has no transcript",
        }
    }
}

/// A profile with what its sessions may do and how they are crossed.
#[derive(Debug, Clone)]
pub struct Destination {
    pub profile: Arc<Profile>,
    pub policy_mode: PolicyMode,
    /// How long a person has to allow what a policy asks about; with zero nobody is asked.
    pub approval_timeout: Duration,
    /// Names of policies that run after the standard one.
    pub policies: Vec<String>,
    /// Names of policies on trial: asked and recorded, without effect.
    pub shadow_policies: Vec<String>,
    /// The operator's own rules, asked after the standard policy.
    pub rules: CustomRules,
    /// Commands that may run for a time although a rule speaks against them.
    pub exceptions: Vec<Exception>,
    /// Set where the first thing a session meets is a menu.
    pub navigator: Option<NavigatorChoice>,
    /// Parameters for the navigator, by route name.
    pub routes: BTreeMap<String, BTreeMap<String, String>>,
    pub log_search: LogSearchChoice,
    /// What may be read and written over SFTP.
    pub files: FilesAccess,
    /// Where the profile is written.
    pub origin: String,
    /// What is written of it and has no effect, or less than one may think.
    pub notes: Vec<String>,
}

impl Destination {
    fn secret_sources(&self) -> Vec<&SecretSource> {
        let hops = self.profile.hops.iter().flat_map(|hop| &hop.auth);
        let mut sources = Vec::new();
        for method in self.profile.auth.iter().chain(hops) {
            match method {
                AuthMethod::Password(source) => sources.push(source),
                AuthMethod::KeyFile { passphrase, .. } => sources.extend(passphrase),
                AuthMethod::KeyboardInteractive(answers) => {
                    sources.extend(answers.iter().map(|answer| &answer.answer));
                }
                AuthMethod::Agent { .. } | AuthMethod::Ask => {}
            }
        }
        sources.extend(self.navigator.iter().flat_map(|navigator| navigator.secrets.values()));
        sources
    }

    /// Whether it cannot be used without a plugin of this name.
    pub fn names_plugin(&self, name: &str) -> bool {
        self.policies.iter().chain(&self.shadow_policies).any(|policy| policy == name)
            || self.navigator.as_ref().is_some_and(|choice| choice.plugin == name)
            || self.log_search.plugin == name
    }
}

/// Which navigator crosses a bastion.
#[derive(Debug, Clone)]
pub struct NavigatorChoice {
    pub plugin: String,
    /// The menu's name in the breadcrumb.
    pub menu_label: String,
    /// What it may have typed where a secret is asked for, by the names it uses; granted to the plugin.
    pub secrets: BTreeMap<String, SecretSource>,
}

/// Which plugin searches logs.
#[derive(Debug, Clone)]
pub struct LogSearchChoice {
    pub plugin: String,
    /// Files or folders searched when a query names none.
    pub sources: Vec<String>,
}
