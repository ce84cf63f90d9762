//! The configuration file as written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{EnterKey, PolicyMode};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("no configuration found: give one with --config FILE, or write {}", path.display())]
    Missing { path: PathBuf },
    #[error("the configuration {} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}: {message}", path.display())]
    Syntax { path: PathBuf, message: String },
    #[error("{}: profile `{profile}`: {problem}", path.display())]
    Profile { path: PathBuf, profile: String, problem: String },
    #[error("{}: plugin `{plugin}`: {problem}", path.display())]
    Plugin { path: PathBuf, plugin: String, problem: String },
    #[error("HOME is not set, so no default folder is known; set `state_directory` and `cache_directory` in {}", path.display())]
    NoHome { path: PathBuf },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile {
    pub(super) state_directory: Option<PathBuf>,
    pub(super) cache_directory: Option<PathBuf>,
    #[serde(default)]
    pub(super) viewer: ViewerFile,
    #[serde(default)]
    pub(super) limits: LimitsFile,
    #[serde(default)]
    pub(super) defaults: DefaultsFile,
    #[serde(default)]
    pub(super) plugins: BTreeMap<String, PluginFile>,
    #[serde(default)]
    pub(super) profiles: BTreeMap<String, ProfileFile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ViewerFile {
    pub(super) enabled: Option<bool>,
    pub(super) port: Option<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsFile {
    pub(super) closed_sessions: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DefaultsFile {
    pub(super) policy_mode: Option<PolicyMode>,
    pub(super) known_hosts: Option<Vec<PathBuf>>,
    pub(super) keepalive_s: Option<u64>,
    pub(super) keepalive_max: Option<u32>,
    pub(super) idle_close_s: Option<u64>,
    pub(super) encoding: Option<EncodingName>,
    pub(super) columns: Option<u16>,
    pub(super) rows: Option<u16>,
}

/// Encodings a terminal may be read in.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) enum EncodingName {
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "gbk")]
    Gbk,
    #[serde(rename = "gb18030")]
    Gb18030,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PluginFile {
    pub(super) path: Option<PathBuf>,
    pub(super) sha256: Option<String>,
    pub(super) settings: Option<toml::Table>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileFile {
    pub(super) label: Option<String>,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) user: String,
    /// Names of the profiles to go through, the first one first.
    #[serde(default)]
    pub(super) jump: Vec<String>,
    #[serde(default)]
    pub(super) auth: Vec<AuthFile>,
    pub(super) known_hosts: Option<Vec<PathBuf>>,
    pub(super) host_key_alias: Option<String>,
    pub(super) legacy_algorithms: Option<bool>,
    pub(super) connect_timeout_s: Option<u64>,
    pub(super) keepalive_s: Option<u64>,
    pub(super) keepalive_max: Option<u32>,
    pub(super) idle_close_s: Option<u64>,
    pub(super) encoding: Option<EncodingName>,
    pub(super) columns: Option<u16>,
    pub(super) rows: Option<u16>,
    pub(super) enter: Option<EnterKey>,
    pub(super) policy_mode: Option<PolicyMode>,
    #[serde(default)]
    pub(super) policies: Vec<String>,
    pub(super) navigator: Option<NavigatorFile>,
    #[serde(default)]
    pub(super) routes: BTreeMap<String, BTreeMap<String, String>>,
    pub(super) log_search: Option<LogSearchFile>,
}

/// One way to prove who we are; exactly one of key_file, password_*, agent, keyboard_interactive.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthFile {
    pub(super) key_file: Option<PathBuf>,
    pub(super) certificate_file: Option<PathBuf>,
    pub(super) password_env: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) passphrase_env: Option<String>,
    pub(super) passphrase_file: Option<PathBuf>,
    pub(super) agent: Option<AgentFile>,
    /// Public key files of the only keys an agent may use.
    #[serde(default)]
    pub(super) only: Vec<PathBuf>,
    pub(super) keyboard_interactive: Option<Vec<QuestionFile>>,
}

/// One question of a server and where its answer lies.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QuestionFile {
    pub(super) prompt: String,
    pub(super) answer_env: Option<String>,
    pub(super) answer_file: Option<PathBuf>,
}

/// `agent = true` looks for an agent, `agent = "SOCKET"` names one.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`agent` is true, or the path of the agent's socket")]
pub(super) enum AgentFile {
    Wanted(bool),
    Socket(PathBuf),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NavigatorFile {
    pub(super) plugin: String,
    pub(super) menu_label: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogSearchFile {
    pub(super) plugin: Option<String>,
    #[serde(default)]
    pub(super) sources: Vec<String>,
}

/// Reads and parses the file; the parser's message names line, key and what is allowed there.
pub(super) fn read(path: &Path) -> Result<ConfigFile, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => ConfigError::Missing { path: path.to_owned() },
        _ => ConfigError::Unreadable { path: path.to_owned(), source },
    })?;
    toml::from_str(&text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        message: error.to_string().trim_end().to_owned(),
    })
}
