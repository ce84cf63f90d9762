//! The configuration file as written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::exceptions::ExceptionFile;
use super::files::FilesFile;
use super::http::HttpFile;
use super::plugin::PluginFile;
use super::record::{RedactionFile, TranscriptFile};
use super::rules::{self, Rule};
use super::viewer::ViewerFile;
use super::{ConfigError, EnterKey, LogFormat, PolicyMode, TranscriptMode, keys};

/// portcullis.toml: how SSH hosts are reached and what may be done there.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile {
    /// Folder for transcripts and what running hosts tell of themselves.
    pub(super) state_directory: Option<PathBuf>,
    /// Folder for compiled plugins.
    pub(super) cache_directory: Option<PathBuf>,
    /// Profile that is opened when none is named.
    pub(super) default_profile: Option<String>,
    /// OpenSSH's configuration, whose host aliases are profiles: `false` for none, or the path of
    /// another file than ~/.ssh/config and /etc/ssh/ssh_config.
    pub(super) ssh_config: Option<SshConfigChoice>,
    #[serde(default)]
    pub(super) viewer: ViewerFile,
    #[serde(default)]
    pub(super) mcp: McpFile,
    #[serde(default)]
    pub(super) limits: LimitsFile,
    #[serde(default)]
    pub(super) log: LogFile,
    #[serde(default)]
    pub(super) metrics: MetricsFile,
    #[serde(default)]
    pub(super) attach: AttachFile,
    #[serde(default)]
    pub(super) transcript: TranscriptFile,
    #[serde(default)]
    pub(super) redaction: RedactionFile,
    #[serde(default)]
    pub(super) defaults: DefaultsFile,
    /// WebAssembly components by name.
    #[serde(default)]
    pub(super) plugins: BTreeMap<String, PluginFile>,
    /// Hosts by the name they are opened with.
    #[serde(default)]
    pub(super) profiles: BTreeMap<String, ProfileFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum SshConfigChoice {
    Used(bool),
    File(PathBuf),
}

/// What MCP clients get.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct McpFile {
    /// `off` leaves out structured content and its schemas, for clients that show a model both it and the
    /// text: each is complete alone.
    pub(super) structured: Option<OnOff>,
    /// `off` does not ask the client's user what a policy asks about; the viewer is left.
    pub(super) elicitation: Option<OnOff>,
    pub(super) http: Option<HttpFile>,
}

/// A switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum OnOff {
    On,
    Off,
}

/// What one host holds at most.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsFile {
    /// Closed sessions that can still be read.
    pub(super) closed_sessions: Option<usize>,
    /// Sessions that are open at once, those being opened included.
    pub(super) sessions: Option<usize>,
    /// Commands of one session that are remembered.
    pub(super) jobs: Option<usize>,
    /// Output of one session that is kept in memory, in MiB.
    pub(super) session_memory_mib: Option<usize>,
    /// Output of all sessions together, open and closed, in MiB.
    pub(super) memory_mib: Option<usize>,
    /// Files and sockets the process has open at once.
    pub(super) open_files: Option<u64>,
}

/// The log of a running host: `host.log` in its folder, and standard error.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogFile {
    /// `info`, or a list by module: `info,portcullis::ssh=debug`. PORTCULLIS_LOG counts instead.
    pub(super) level: Option<String>,
    /// What standard error has, in the same form.
    pub(super) stderr: Option<String>,
    pub(super) format: Option<LogFormat>,
    /// The file goes on in a new one from this size on; one older one is kept.
    pub(super) max_mib: Option<u64>,
}

/// The figures of a running host, beside what its viewer shows at /metrics.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MetricsFile {
    /// An OpenTelemetry collector that takes OTLP over plain HTTP: `http://HOST:PORT`. None: nothing is sent.
    pub(super) otlp: Option<String>,
    /// Seconds from one sending to the next.
    pub(super) interval_s: Option<u32>,
}

/// `portcullis attach`.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AttachFile {
    /// The key that leaves the session as it is: `ctrl-` and a letter or one of `]`, `\\`, `^`, `_`.
    pub(super) detach_key: Option<String>,
}

/// What a profile does not say for itself.
#[derive(Debug, Default, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DefaultsFile {
    pub(super) policy_mode: Option<PolicyMode>,
    pub(super) approval_timeout_s: Option<u64>,
    pub(super) known_hosts: Option<Vec<PathBuf>>,
    pub(super) keepalive_s: Option<u64>,
    pub(super) keepalive_max: Option<u32>,
    pub(super) idle_close_s: Option<u64>,
    pub(super) encoding: Option<EncodingName>,
    pub(super) columns: Option<u16>,
    pub(super) rows: Option<u16>,
    pub(super) transcript: Option<TranscriptMode>,
    pub(super) audited: Option<bool>,
    pub(super) watch_processes: Option<bool>,
    pub(super) files: Option<FilesFile>,
    /// Rules of your own, for every profile.
    pub(super) rules: Option<Vec<Rule>>,
}

/// How a profile's shell is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum KindName {
    Ssh,
    Local,
}

/// Encodings a terminal may be read in.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
pub(super) enum EncodingName {
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "gbk")]
    Gbk,
    #[serde(rename = "gb18030")]
    Gb18030,
}

/// One host. What is left out comes from `ssh_config_host`, then `[defaults]`, then what is built in.
#[derive(Debug, Default, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileFile {
    /// A line for people.
    pub(super) label: Option<String>,
    pub(super) tags: Option<Vec<String>>,
    /// Alias of OpenSSH's configuration from which everything left out here is taken.
    pub(super) ssh_config_host: Option<String>,
    /// `local` for a shell of this machine, without SSH.
    pub(super) kind: Option<KindName>,
    /// The local shell: program and arguments; left out, the user's login shell.
    pub(super) shell: Option<Vec<String>>,
    /// Where the local shell starts; left out, the user's home.
    pub(super) directory: Option<PathBuf>,
    /// Host name or address, without port.
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) user: Option<String>,
    /// Names of the profiles to go through, the first one first.
    pub(super) jump: Option<Vec<String>>,
    /// A command line whose standard input and output are the connection, with %h, %n, %p and %r as in
    /// OpenSSH's ProxyCommand. It runs on this machine, in the user's shell.
    pub(super) proxy_command: Option<String>,
    /// Ways to prove who we are, tried in this order.
    pub(super) auth: Option<Vec<AuthFile>>,
    /// Files of recorded host keys, all of them consulted.
    pub(super) known_hosts: Option<Vec<PathBuf>>,
    /// The name under which the host's key is recorded, where that is not the host's own.
    pub(super) host_key_alias: Option<String>,
    /// Offers old algorithms too, after all others.
    pub(super) legacy_algorithms: Option<bool>,
    /// Limit for each single step of connecting.
    pub(super) connect_timeout_s: Option<u64>,
    /// Silence after which the server is asked for a sign of life; 0 never asks.
    pub(super) keepalive_s: Option<u64>,
    /// Signs of life that may fail to come before the session is closed; at least 1.
    pub(super) keepalive_max: Option<u32>,
    /// Closes a session in which nothing happened for so long; 0 keeps it open.
    pub(super) idle_close_s: Option<u64>,
    pub(super) encoding: Option<EncodingName>,
    pub(super) columns: Option<u16>,
    pub(super) rows: Option<u16>,
    /// What the Enter key sends.
    pub(super) enter: Option<EnterKey>,
    /// Variables for the shell's environment, of which a server takes those it allows.
    pub(super) set_env: Option<BTreeMap<String, String>>,
    /// What the transcript holds: `full`, `meta` (who did what, without output and single keys) or `off`.
    pub(super) transcript: Option<TranscriptMode>,
    /// Nothing is typed there that cannot be recorded.
    pub(super) audited: Option<bool>,
    /// Looks, on a second channel, at which process has the terminal when a command is silent for long: whether it
    /// waits for input. For servers with Linux that run commands beside the shell.
    pub(super) watch_processes: Option<bool>,
    /// What may be sent there.
    pub(super) policy_mode: Option<PolicyMode>,
    /// How long a person has to allow what a policy asks about (default 120); 0 asks nobody.
    pub(super) approval_timeout_s: Option<u64>,
    /// Policy plugins that run after the standard one; they can only tighten.
    pub(super) policies: Option<Vec<String>>,
    /// Policy plugins on trial: asked and put on record, without effect.
    pub(super) shadow_policies: Option<Vec<String>>,
    /// Rules of your own beside those of [defaults]; they can only tighten.
    pub(super) rules: Option<Vec<Rule>>,
    /// Commands that may run for a time although a rule speaks against them.
    pub(super) exceptions: Option<Vec<ExceptionFile>>,
    /// The plugin that crosses the bastion's menu.
    pub(super) navigator: Option<NavigatorFile>,
    /// Parameters for the navigator, by route name.
    pub(super) routes: Option<BTreeMap<String, BTreeMap<String, String>>>,
    pub(super) log_search: Option<LogSearchFile>,
    /// What may be read and written over SFTP.
    pub(super) files: Option<FilesFile>,
}

/// One way to prove who we are; exactly one of key_file, password_*, agent, keyboard_interactive, ask. Secrets
/// are named, never held.
#[derive(Debug, Default, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthFile {
    /// A private key.
    pub(super) key_file: Option<PathBuf>,
    /// The key's OpenSSH certificate; left out, KEY-cert.pub beside the key is taken if it is there.
    pub(super) certificate_file: Option<PathBuf>,
    /// Environment variable that holds the password.
    pub(super) password_env: Option<String>,
    /// File that holds the password and that nobody else may read.
    pub(super) password_file: Option<PathBuf>,
    /// Environment variable that holds the key's passphrase.
    pub(super) passphrase_env: Option<String>,
    /// File that holds the key's passphrase and that nobody else may read.
    pub(super) passphrase_file: Option<PathBuf>,
    /// Keys an ssh-agent holds.
    pub(super) agent: Option<AgentFile>,
    /// Public key files of the only keys an agent may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) only: Vec<PathBuf>,
    /// Answers to what the server asks, in as many rounds as it likes.
    pub(super) keyboard_interactive: Option<Vec<QuestionFile>>,
    /// A person types the password in the viewer when a session is opened.
    pub(super) ask: Option<bool>,
}

/// One question of a server and where its answer lies.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QuestionFile {
    /// Part of the question, or the whole of it with `*` for what may differ.
    pub(super) prompt: String,
    /// Environment variable that holds the answer.
    pub(super) answer_env: Option<String>,
    /// File that holds the answer and that nobody else may read.
    pub(super) answer_file: Option<PathBuf>,
}

/// `agent = true` looks for an agent, `agent = "SOCKET"` names one.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(untagged, expecting = "`agent` is true, or the path of the agent's socket")]
pub(super) enum AgentFile {
    Wanted(bool),
    Socket(PathBuf),
}

/// The plugin that crosses a bastion.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NavigatorFile {
    pub(super) plugin: String,
    /// The menu's name in the breadcrumb.
    pub(super) menu_label: Option<String>,
    /// Secrets the navigator may have typed where the bastion asks for one, by the names it uses. It never
    /// sees them.
    pub(super) secrets: Option<BTreeMap<String, SecretFile>>,
}

/// Where a secret lies; exactly one of the two.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretFile {
    /// Environment variable that holds it.
    pub(super) env: Option<String>,
    /// File that holds it and that nobody else may read.
    pub(super) file: Option<PathBuf>,
}

/// How logs are searched.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogSearchFile {
    pub(super) plugin: Option<String>,
    /// Files or folders searched when a query names none.
    #[serde(default)]
    pub(super) sources: Vec<String>,
}

impl ProfileFile {
    /// What this one does not say, `lower` says for it.
    pub(super) fn or(self, lower: &Self) -> Self {
        let lower = lower.clone();
        // There is one way to the host: who names one leaves out the other.
        let (jump, proxy_command) = match (self.jump, self.proxy_command) {
            (None, None) => (lower.jump, lower.proxy_command),
            named => named,
        };
        Self {
            label: self.label.or(lower.label),
            tags: self.tags.or(lower.tags),
            ssh_config_host: self.ssh_config_host.or(lower.ssh_config_host),
            kind: self.kind.or(lower.kind),
            shell: self.shell.or(lower.shell),
            directory: self.directory.or(lower.directory),
            host: self.host.or(lower.host),
            port: self.port.or(lower.port),
            user: self.user.or(lower.user),
            jump,
            proxy_command,
            auth: self.auth.or(lower.auth),
            known_hosts: self.known_hosts.or(lower.known_hosts),
            host_key_alias: self.host_key_alias.or(lower.host_key_alias),
            legacy_algorithms: self.legacy_algorithms.or(lower.legacy_algorithms),
            connect_timeout_s: self.connect_timeout_s.or(lower.connect_timeout_s),
            keepalive_s: self.keepalive_s.or(lower.keepalive_s),
            keepalive_max: self.keepalive_max.or(lower.keepalive_max),
            idle_close_s: self.idle_close_s.or(lower.idle_close_s),
            encoding: self.encoding.or(lower.encoding),
            columns: self.columns.or(lower.columns),
            rows: self.rows.or(lower.rows),
            enter: self.enter.or(lower.enter),
            set_env: self.set_env.or(lower.set_env),
            transcript: self.transcript.or(lower.transcript),
            audited: self.audited.or(lower.audited),
            watch_processes: self.watch_processes.or(lower.watch_processes),
            policy_mode: self.policy_mode.or(lower.policy_mode),
            approval_timeout_s: self.approval_timeout_s.or(lower.approval_timeout_s),
            policies: self.policies.or(lower.policies),
            shadow_policies: self.shadow_policies.or(lower.shadow_policies),
            rules: rules::joined(self.rules, lower.rules),
            exceptions: self.exceptions.or(lower.exceptions),
            navigator: self.navigator.or(lower.navigator),
            routes: self.routes.or(lower.routes),
            log_search: self.log_search.or(lower.log_search),
            files: match (self.files, lower.files) {
                (Some(files), Some(lower)) => Some(files.or(lower)),
                (files, lower) => files.or(lower),
            },
        }
    }

    fn make_paths_absolute(&mut self, base: &Path) {
        for path in self.known_hosts.iter_mut().flatten().chain(&mut self.directory) {
            *path = absolute(base, path);
        }
        for method in self.auth.iter_mut().flatten() {
            method.make_paths_absolute(base);
        }
        let secrets = self.navigator.iter_mut().filter_map(|navigator| navigator.secrets.as_mut());
        for file in secrets.flat_map(BTreeMap::values_mut).filter_map(|secret| secret.file.as_mut()) {
            *file = absolute(base, file);
        }
    }
}

impl AuthFile {
    fn make_paths_absolute(&mut self, base: &Path) {
        let mut paths: Vec<&mut PathBuf> = self.only.iter_mut().collect();
        let own = [&mut self.key_file, &mut self.certificate_file, &mut self.password_file, &mut self.passphrase_file];
        paths.extend(own.into_iter().flatten());
        paths.extend(self.keyboard_interactive.iter_mut().flatten().filter_map(|asked| asked.answer_file.as_mut()));
        if let Some(AgentFile::Socket(socket)) = &mut self.agent {
            paths.push(socket);
        }
        for path in paths {
            *path = absolute(base, path);
        }
    }
}

impl From<&DefaultsFile> for ProfileFile {
    fn from(defaults: &DefaultsFile) -> Self {
        let DefaultsFile {
            policy_mode,
            approval_timeout_s,
            known_hosts,
            keepalive_s,
            keepalive_max,
            idle_close_s,
            encoding,
            columns,
            rows,
            transcript,
            audited,
            watch_processes,
            files,
            rules,
        } = defaults.clone();
        Self {
            policy_mode,
            approval_timeout_s,
            known_hosts,
            keepalive_s,
            keepalive_max,
            idle_close_s,
            encoding,
            columns,
            rows,
            transcript,
            audited,
            watch_processes,
            files,
            rules,
            ..Self::default()
        }
    }
}

impl ConfigFile {
    /// Mode and rules that the file has for all profiles become those of each, so that they hold for no others.
    pub(super) fn give_defaults_to_profiles(&mut self) {
        let (mode, rules) = (self.defaults.policy_mode.take(), self.defaults.rules.take());
        for profile in self.profiles.values_mut() {
            profile.policy_mode = profile.policy_mode.or(mode);
            profile.rules = profile.rules.take().or_else(|| rules.clone());
        }
    }

    /// Relative paths are relative to the file they stand in.
    pub(super) fn make_paths_absolute(&mut self, base: &Path) {
        self.viewer.make_paths_absolute(base);
        if let Some(http) = &mut self.mcp.http {
            http.make_paths_absolute(base);
        }
        for folder in [&mut self.state_directory, &mut self.cache_directory].into_iter().flatten() {
            *folder = absolute(base, folder);
        }
        if let Some(SshConfigChoice::File(file)) = &mut self.ssh_config {
            *file = absolute(base, file);
        }
        for path in self.plugins.values_mut().filter_map(|plugin| plugin.path.as_mut()) {
            *path = absolute(base, path);
        }
        self.transcript.key_file.iter_mut().for_each(|file| *file = absolute(base, file));
        for file in self.redaction.secrets.iter_mut().filter_map(|secret| secret.file.as_mut()) {
            *file = absolute(base, file);
        }
        for file in self.defaults.known_hosts.iter_mut().flatten() {
            *file = absolute(base, file);
        }
        for profile in self.profiles.values_mut() {
            profile.make_paths_absolute(base);
        }
    }
}

/// `~/` is the user's home.
pub(super) fn absolute(base: &Path, path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => base.join(path),
    }
}

/// The text of a file.
pub(super) fn read_text(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => ConfigError::Missing { path: path.to_owned() },
        _ => ConfigError::Unreadable { path: path.to_owned(), source },
    })
}

/// The text as values, paths as written. A key without a place is told with what was meant; for the
/// rest the parser's message names line, key and what is allowed there.
pub(super) fn parse(text: &str, path: &Path) -> Result<ConfigFile, ConfigError> {
    let mistakes = keys::mistakes(text);
    if !mistakes.is_empty() {
        return Err(ConfigError::Keys { path: path.to_owned(), mistakes });
    }
    let file: ConfigFile = toml::from_str(text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        message: error.to_string().trim_end().to_owned(),
    })?;
    rules::check_file(&file, path)?;
    Ok(file)
}

/// A file that others can write decides for them which hosts and policies there are.
#[cfg(unix)]
pub(super) fn check_owner(path: &Path) -> Result<(), ConfigError> {
    use std::os::unix::fs::MetadataExt;
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(()) };
    let refused = |problem| Err(ConfigError::Owner { path: path.to_owned(), problem });
    if metadata.mode() & 0o002 != 0 {
        return refused(format!("may be written by anybody on this machine; run: chmod o-w {}", path.display()));
    }
    let own = rustix::process::geteuid().as_raw();
    // For root every file is somebody else's or its own; containers mount files of other owners.
    if own != 0 && metadata.uid() != own && metadata.uid() != 0 {
        return refused(format!(
            "belongs to another user (id {}), who could change it; use a copy of your own",
            metadata.uid()
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn check_owner(_path: &Path) -> Result<(), ConfigError> {
    Ok(())
}
