//! From the file as written to the configuration as used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use portcullis_term::Encoding;

use super::exceptions;
use super::file::{
    AgentFile, AuthFile, EncodingName, KindName, LogSearchFile, NavigatorFile, OnOff, ProfileFile, QuestionFile,
    SecretFile,
};
use super::files::{self, FilesFile};
use super::jump;
use super::layers::Layers;
use super::plugin::plugin_entry;
use super::proxy;
use super::rules::CustomRules;
use super::sources::{Sources, hop_name};
use super::ssh_config::local_user;
use super::{
    AuthMethod, Config, ConfigError, Destination, EnterKey, LocalShell, LogSearchChoice, McpConfig, NavigatorChoice,
    PluginEntry, PolicyMode, Profile, QuestionAnswer, SecretSource, TerminalSize, TranscriptMode, Unusable,
    ViewerConfig, runtime,
};

const DEFAULT_PORT: u16 = 22;
const DEFAULT_CONNECT_TIMEOUT_S: u64 = 15;
/// Short enough that a dead connection is known within a minute, long enough to cost nothing.
const DEFAULT_KEEPALIVE_S: u64 = 15;
const DEFAULT_KEEPALIVE_MAX: u32 = 3;
/// Wide enough for tables of pods, as tall as a large window.
const DEFAULT_VIEWER_PORT: u16 = 8765;
/// The host of a local profile, for people.
const THIS_MACHINE: &str = "local";
const DEFAULT_LOG_SEARCH: &str = "log-search-grep";

/// Time enough to be fetched by a notification and to read the line.
const DEFAULT_APPROVAL_TIMEOUT_S: u64 = 120;
/// A question that waits for longer is about a terminal nobody remembers.
const MAX_APPROVAL_TIMEOUT_S: u64 = 3_600;

/// The default of `known_hosts`: the files `ssh` consults.
pub(super) fn usual_known_hosts(home: &Path) -> Vec<PathBuf> {
    let of_user = ["known_hosts", "known_hosts2"].map(|name| home.join(".ssh").join(name));
    let of_system = ["ssh_known_hosts", "ssh_known_hosts2"].map(|name| Path::new("/etc/ssh").join(name));
    of_user.into_iter().chain(of_system).collect()
}

/// What applies where nobody says anything.
pub(super) fn built_in() -> ProfileFile {
    ProfileFile {
        port: Some(DEFAULT_PORT),
        known_hosts: Some(std::env::home_dir().map(|home| usual_known_hosts(&home)).unwrap_or_default()),
        connect_timeout_s: Some(DEFAULT_CONNECT_TIMEOUT_S),
        keepalive_s: Some(DEFAULT_KEEPALIVE_S),
        keepalive_max: Some(DEFAULT_KEEPALIVE_MAX),
        idle_close_s: Some(0),
        encoding: Some(EncodingName::Utf8),
        columns: Some(TerminalSize::USUAL.columns),
        rows: Some(TerminalSize::USUAL.rows),
        enter: Some(EnterKey::default()),
        transcript: Some(TranscriptMode::default()),
        policy_mode: Some(PolicyMode::default()),
        approval_timeout_s: Some(DEFAULT_APPROVAL_TIMEOUT_S),
        files: Some(FilesFile::built_in()),
        ..ProfileFile::default()
    }
}

/// `$variable`, or `~/fallback`.
pub(super) fn folder(variable: &str, fallback: &str) -> Option<PathBuf> {
    let set = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    set.or_else(|| std::env::home_dir().map(|home| home.join(fallback)))
}

/// Turns what was written into what is used. A mistake in a file of ours stops; what an alias of
/// OpenSSH's asks for and cannot be done stands with that profile.
pub(super) fn resolve(sources: Sources) -> Result<Config, ConfigError> {
    let Sources { files, main, top, profiles, hops, notes } = sources;
    let files: Vec<PathBuf> = files.into_iter().map(|(path, _)| path).collect();
    // Plugins stand only in the operator's file.
    let main = main.unwrap_or_default();
    let default_folder = |variable: &str, fallback: &str| {
        folder(variable, fallback).map(|folder| folder.join("portcullis")).ok_or(ConfigError::NoHome)
    };
    let state_directory = match top.state_directory {
        Some(folder) => folder,
        None => default_folder("XDG_STATE_HOME", ".local/state")?,
    };
    let cache_directory = match top.cache_directory {
        Some(folder) => folder,
        None => default_folder("XDG_CACHE_HOME", ".cache")?,
    };
    let plugins = top.plugins.into_iter().map(|(name, plugin)| plugin_entry(name, plugin, &main));
    let plugins: Vec<PluginEntry> = plugins.collect::<Result<_, _>>()?;
    let (destinations, unusable) = destinations(profiles, hops, &plugins, &main)?;
    check_default(top.default_profile.as_ref(), &destinations, &unusable)?;
    let http = top.mcp.http.unwrap_or_default().resolve().map_err(|problem| ConfigError::Value {
        path: main.clone(),
        key: "mcp.http".to_owned(),
        problem,
    })?;
    Ok(Config {
        sources: files,
        state_directory,
        cache_directory,
        mcp: McpConfig {
            structured: top.mcp.structured != Some(OnOff::Off),
            elicitation: top.mcp.elicitation != Some(OnOff::Off),
        },
        http,
        viewer: ViewerConfig {
            enabled: top.viewer.enabled.unwrap_or(true),
            first_port: top.viewer.port.unwrap_or(DEFAULT_VIEWER_PORT),
        },
        limits: runtime::limits(&top.limits, &main)?,
        log: runtime::log(top.log, &main)?,
        detach_key: runtime::detach_key(top.attach, &main)?,
        transcript: top.transcript.resolve(),
        redaction: top.redaction.resolve(&main)?,
        plugins,
        destinations,
        unusable,
        default_profile: top.default_profile,
        notes,
    })
}

type Destinations = BTreeMap<String, Arc<Destination>>;

/// A mistake in the operator's file stops; one that came with a workspace does not. `hops` are those
/// that OpenSSH's configuration names.
fn destinations(
    profiles: BTreeMap<String, Layers>,
    hops: BTreeMap<String, Layers>,
    plugins: &[PluginEntry],
    main: &Path,
) -> Result<(Destinations, BTreeMap<String, Unusable>), ConfigError> {
    let (mut known, mut jumps) = (BTreeMap::new(), BTreeMap::new());
    for (key, layers) in &hops {
        let written = layers.merged();
        // A hop that cannot be used is a problem of the profile that needs it, and told there.
        if let Ok(profile) = profile(hop_name(key), &written) {
            known.insert(key.clone(), Arc::new(profile));
            jumps.insert(key.clone(), written.jump.unwrap_or_default());
        }
    }
    let mut resolved = Vec::new();
    for (name, layers) in profiles {
        let destination = match &layers.problem {
            Some(problem) => Err(problem.clone()),
            None => destination(&name, &layers, plugins),
        };
        if let Ok(destination) = &destination {
            known.insert(name.clone(), Arc::clone(&destination.profile));
            jumps.insert(name.clone(), layers.merged().jump.unwrap_or_default());
        }
        resolved.push((name, layers, destination));
    }
    let mut destinations = BTreeMap::new();
    let mut unusable = BTreeMap::new();
    for (name, layers, destination) in resolved {
        let origin = layers.origin();
        let only_alias = layers.own_file().is_none();
        // Only now: a profile may jump through one that is written below it.
        let reached = destination.and_then(|mut destination| {
            let hops = jump::hops(&name, &known, &jumps)?;
            destination.profile = Arc::new(Profile { hops, ..(*destination.profile).clone() });
            Ok(destination)
        });
        match (reached, layers.own_file()) {
            (Ok(destination), _) => drop(destinations.insert(name, Arc::new(destination))),
            (Err(problem), Some(path)) if layers.problem.is_none() && path == main => {
                return Err(ConfigError::Profile { path, profile: name, problem });
            }
            (Err(problem), _) => drop(unusable.insert(name, Unusable { origin, problem, only_alias })),
        }
    }
    Ok((destinations, unusable))
}

fn check_default(
    default: Option<&String>,
    destinations: &Destinations,
    unusable: &BTreeMap<String, Unusable>,
) -> Result<(), ConfigError> {
    match default {
        Some(profile) if !destinations.contains_key(profile) && !unusable.contains_key(profile) => {
            let known = destinations.keys().cloned().collect::<Vec<_>>().join(", ");
            Err(ConfigError::DefaultProfile { profile: profile.clone(), known })
        }
        _ => Ok(()),
    }
}

fn destination(name: &str, layers: &Layers, plugins: &[PluginEntry]) -> Result<Destination, String> {
    let written = layers.merged();
    if name.is_empty() || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("a profile's name has no blanks or control characters; rename it".to_owned());
    }
    if written.routes.as_ref().is_some_and(|routes| !routes.is_empty()) && written.navigator.is_none() {
        return Err("it has routes but no `navigator` to follow them; add navigator = { plugin = \"…\" }".to_owned());
    }
    let policies = written.policies.clone().unwrap_or_default();
    let shadow_policies = written.shadow_policies.clone().unwrap_or_default();
    if let Some(both) = shadow_policies.iter().find(|name| policies.contains(name)) {
        return Err(format!("`{both}` stands in `policies` and in `shadow_policies`; it decides or is on trial"));
    }
    let rules = CustomRules::of(layers)?;
    let exceptions = exceptions::of(layers, &rules)?;
    let mut notes = layers.notes.clone();
    notes.extend(exceptions::notes(&exceptions));
    let approval_timeout_s = written.approval_timeout_s.unwrap_or(DEFAULT_APPROVAL_TIMEOUT_S);
    if approval_timeout_s > MAX_APPROVAL_TIMEOUT_S {
        return Err(format!("`approval_timeout_s` is at most {MAX_APPROVAL_TIMEOUT_S}; 0 asks nobody"));
    }
    Ok(Destination {
        profile: Arc::new(profile(name, &written)?),
        policy_mode: written.policy_mode.unwrap_or_default(),
        approval_timeout: Duration::from_secs(approval_timeout_s),
        policies,
        shadow_policies,
        rules,
        exceptions,
        navigator: written.navigator.map(|written| navigator(written, plugins)).transpose()?,
        routes: written.routes.unwrap_or_default(),
        log_search: log_search(written.log_search),
        files: files::access(written.files)?,
        origin: layers.origin(),
        notes,
    })
}

fn profile(name: &str, written: &ProfileFile) -> Result<Profile, String> {
    let size = TerminalSize::new(
        written.columns.unwrap_or(TerminalSize::USUAL.columns),
        written.rows.unwrap_or(TerminalSize::USUAL.rows),
    )?;
    let keepalive_max = written.keepalive_max.unwrap_or(DEFAULT_KEEPALIVE_MAX);
    if keepalive_max == 0 {
        return Err("`keepalive_max` is at least 1; `keepalive_s = 0` switches keepalive off".to_owned());
    }
    let local = local_shell(written)?;
    let needed = |key: &str| format!("`{key}` is missing; write it, or an alias of ssh_config as `ssh_config_host`");
    let (host, user) = match &local {
        Some(_) => (Some(THIS_MACHINE.to_owned()), Some(own_user())),
        None => (written.host.clone(), written.user.clone()),
    };
    let (host, user) = (host.ok_or_else(|| needed("host"))?, user.ok_or_else(|| needed("user"))?);
    let port = written.port.unwrap_or(DEFAULT_PORT);
    let proxy_command = proxy_command(written, &proxy::Tokens { host: &host, name, port, user: &user })?;
    let auth = written.auth.clone().unwrap_or_default().into_iter().map(auth_method).collect::<Result<_, _>>()?;
    Ok(Profile {
        name: name.to_owned(),
        label: written.label.clone().unwrap_or_else(|| name.to_owned()),
        tags: written.tags.clone().unwrap_or_default(),
        host,
        port,
        user,
        local,
        hops: Vec::new(),
        proxy_command,
        auth,
        known_hosts: written.known_hosts.clone().unwrap_or_default(),
        host_key_alias: written.host_key_alias.clone(),
        legacy_algorithms: written.legacy_algorithms.unwrap_or(false),
        connect_timeout: Duration::from_secs(written.connect_timeout_s.unwrap_or(DEFAULT_CONNECT_TIMEOUT_S)),
        keepalive: Duration::from_secs(written.keepalive_s.unwrap_or(DEFAULT_KEEPALIVE_S)),
        keepalive_max,
        idle_close: Duration::from_secs(written.idle_close_s.unwrap_or(0)),
        encoding: written.encoding.map_or_else(Encoding::default, encoding),
        terminal: size,
        enter: written.enter.unwrap_or_default(),
        set_env: set_env(written)?,
        transcript: written.transcript.unwrap_or_default(),
        audited: audited(written)?,
    })
}

fn audited(written: &ProfileFile) -> Result<bool, String> {
    let audited = written.audited.unwrap_or(false);
    match written.transcript {
        Some(TranscriptMode::Off) if audited => {
            Err("`audited` needs a record, and `transcript = \"off\"` keeps none; leave one of them out".to_owned())
        }
        _ => Ok(audited),
    }
}

fn proxy_command(written: &ProfileFile, tokens: &proxy::Tokens<'_>) -> Result<Option<String>, String> {
    let Some(command) = &written.proxy_command else { return Ok(None) };
    if written.jump.as_ref().is_some_and(|jump| !jump.is_empty()) {
        return Err("`jump` and `proxy_command` are two ways to the host; leave one of them out".to_owned());
    }
    proxy::expanded(command, tokens).map(Some)
}

/// The shell of a profile that is one of this machine.
fn local_shell(written: &ProfileFile) -> Result<Option<LocalShell>, String> {
    if written.kind != Some(KindName::Local) {
        return match written.shell.is_some() || written.directory.is_some() {
            true => Err("`shell` and `directory` are of a shell of this machine; add kind = \"local\"".to_owned()),
            false => Ok(None),
        };
    }
    let of_ssh = [
        ("host", written.host.is_some()),
        ("user", written.user.is_some()),
        ("auth", written.auth.is_some()),
        ("jump", written.jump.is_some()),
        ("proxy_command", written.proxy_command.is_some()),
        ("ssh_config_host", written.ssh_config_host.is_some()),
    ];
    if let Some((key, _)) = of_ssh.iter().find(|(_, given)| *given) {
        return Err(format!("`{key}` is of SSH, and a profile with kind = \"local\" has none; leave one of them out"));
    }
    let command = written.shell.clone().unwrap_or_default();
    if command.first().is_some_and(String::is_empty) || command.iter().any(|word| word.contains('\0')) {
        return Err("`shell` is a program and its arguments, such as [\"bash\", \"-l\"]".to_owned());
    }
    Ok(Some(LocalShell { command, directory: written.directory.clone() }))
}

fn set_env(written: &ProfileFile) -> Result<BTreeMap<String, String>, String> {
    let variables = written.set_env.clone().unwrap_or_default();
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic() && c != '=');
    match variables.iter().find(|(name, value)| !is_name(name) || value.contains('\0')) {
        Some((name, _)) => Err(format!("`set_env` has a variable `{name}` that no environment can hold; rename it")),
        None => Ok(variables),
    }
}

/// Who runs this program: the account's name, or its number where it has none.
fn own_user() -> String {
    let user = local_user();
    if user.is_empty() { rustix::process::getuid().as_raw().to_string() } else { user }
}

fn encoding(name: EncodingName) -> Encoding {
    match name {
        EncodingName::Utf8 => Encoding::Utf8,
        EncodingName::Gbk => Encoding::Gbk,
        EncodingName::Gb18030 => Encoding::Gb18030,
    }
}

fn auth_method(written: AuthFile) -> Result<AuthMethod, String> {
    let passphrase = secret_source(written.passphrase_env, written.passphrase_file)?;
    let password = secret_source(written.password_env, written.password_file)?;
    if passphrase.is_some() && written.key_file.is_none() {
        return Err("a passphrase belongs to a key_file, not to another method".to_owned());
    }
    if written.certificate_file.is_some() && written.key_file.is_none() {
        return Err("a certificate_file belongs to a key_file".to_owned());
    }
    if !written.only.is_empty() && written.agent.is_none() {
        return Err("`only` names keys of an agent; it belongs to `agent`".to_owned());
    }
    if written.ask == Some(false) {
        return Err("`ask = false` says nothing; leave the entry out".to_owned());
    }
    match (written.key_file, password, written.agent, written.keyboard_interactive, written.ask) {
        (Some(path), None, None, None, None) => {
            Ok(AuthMethod::KeyFile { path, passphrase, certificate: written.certificate_file })
        }
        (None, Some(password), None, None, None) => Ok(AuthMethod::Password(password)),
        (None, None, Some(agent), None, None) => agent_method(agent, written.only),
        (None, None, None, Some(questions), None) => {
            let questions: Result<_, _> = questions.into_iter().map(question).collect();
            Ok(AuthMethod::KeyboardInteractive(questions?))
        }
        (None, None, None, None, Some(_)) => Ok(AuthMethod::Ask),
        _ => Err("each entry of `auth` has exactly one of key_file, password_env, password_file, agent, \
                  keyboard_interactive, ask"
            .to_owned()),
    }
}

pub(super) fn secret_source(
    variable: Option<String>,
    file: Option<PathBuf>,
) -> Result<Option<SecretSource>, &'static str> {
    match (variable, file) {
        (Some(variable), None) => Ok(Some(SecretSource::Environment(variable))),
        (None, Some(file)) => Ok(Some(SecretSource::File(file))),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err("a secret comes from one place: give the `_env` or the `_file` form, not both"),
    }
}

fn question(written: QuestionFile) -> Result<QuestionAnswer, String> {
    if written.prompt.trim().trim_matches('*').is_empty() {
        return Err("`prompt` says which question is meant; an answer to any question would go anywhere".to_owned());
    }
    let answer = secret_source(written.answer_env, written.answer_file)?
        .ok_or("each entry of `keyboard_interactive` has one of answer_env, answer_file")?;
    Ok(QuestionAnswer { prompt: written.prompt, answer })
}

fn agent_method(written: AgentFile, only: Vec<PathBuf>) -> Result<AuthMethod, String> {
    let socket = match written {
        AgentFile::Wanted(true) => None,
        AgentFile::Wanted(false) => return Err("`agent = false` says nothing; leave the entry out".to_owned()),
        AgentFile::Socket(path) => Some(path),
    };
    Ok(AuthMethod::Agent { socket, only })
}

/// A secret is bound by the profile and granted to the plugin: who changes one of the two alone leads it nowhere.
fn navigator(written: NavigatorFile, plugins: &[PluginEntry]) -> Result<NavigatorChoice, String> {
    let NavigatorFile { plugin, menu_label, secrets } = written;
    let granted = plugins.iter().find(|entry| entry.name == plugin).map(|entry| entry.granted_secrets.as_slice());
    let bound = |(name, secret): (String, SecretFile)| {
        if !granted.unwrap_or_default().contains(&name) {
            return Err(format!(
                "its navigator `{plugin}` is bound to the secret `{name}`, which is not granted to that plugin; add \
                 \"secret:{name}\" to `grants` in [plugins.{plugin}]"
            ));
        }
        let source = secret_source(secret.env, secret.file)?;
        let source =
            source.ok_or_else(|| format!("the secret `{name}` of its navigator needs one of `env`, `file`"))?;
        Ok((name, source))
    };
    let secrets = secrets.unwrap_or_default().into_iter().map(bound).collect::<Result<_, String>>()?;
    Ok(NavigatorChoice { menu_label: menu_label.unwrap_or_else(|| "bastion".to_owned()), secrets, plugin })
}

fn log_search(written: Option<LogSearchFile>) -> LogSearchChoice {
    let (plugin, sources) = written.map_or((None, Vec::new()), |written| (written.plugin, written.sources));
    LogSearchChoice { plugin: plugin.unwrap_or_else(|| DEFAULT_LOG_SEARCH.to_owned()), sources }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portcullis.toml");
        std::fs::write(&path, format!("ssh_config = false\n{text}")).unwrap();
        super::super::load(Some(&path))
    }

    const PROFILE: &str = "[profiles.web]\nhost = 'web1'\nuser = 'ann'\n";

    const GRANTED: &str = "[plugins.n]\ngrants = ['secret:otp']\n";

    #[test]
    fn a_secret_is_bound_where_it_is_granted() {
        let bound = "navigator = { plugin = 'n', secrets = { otp = { file = 'otp.txt' } } }\n";
        let config = parse(&format!("{GRANTED}{PROFILE}{bound}")).unwrap();
        let navigator = config.destinations["web"].navigator.as_ref().unwrap();
        assert!(matches!(&navigator.secrets["otp"], SecretSource::File(path) if path.is_absolute()));
    }

    #[test]
    fn of_two_ways_to_a_host_the_own_one_counts() {
        let lower = ProfileFile { jump: Some(vec!["gate".to_owned()]), ..ProfileFile::default() };
        let own = ProfileFile { proxy_command: Some("nc %h %p".to_owned()), ..ProfileFile::default() };
        let merged = own.or(&lower);
        assert!(merged.jump.is_none() && merged.proxy_command.is_some());
        let direct = ProfileFile { jump: Some(Vec::new()), ..ProfileFile::default() };
        assert!(direct.or(&merged).proxy_command.is_none());
    }

    #[test]
    fn defaults_are_filled_in() {
        let config = parse(PROFILE).unwrap();
        let web = &config.destinations["web"];
        assert_eq!((web.profile.port, web.profile.label.as_str()), (22, "web"));
        assert_eq!(web.policy_mode, super::super::PolicyMode::Safe);
        assert!(config.viewer.enabled);
        assert_eq!(web.log_search.plugin, DEFAULT_LOG_SEARCH);
        assert_eq!(web.approval_timeout, Duration::from_secs(120));
        assert!(config.mcp.elicitation);
        assert!(!parse(&format!("[mcp]\nelicitation = 'off'\n{PROFILE}")).unwrap().mcp.elicitation);
    }

    #[test]
    fn mistakes_name_the_key_and_the_way_out() {
        let cases = [
            ("[profiles.web]\nhost = 'a'\nuser = 'b'\nprot = 22\n", "did you mean `port`"),
            ("[profiles.web]\nhost = 'a'\n", "user"),
            (&format!("{PROFILE}columns = 0\n"), "columns"),
            (&format!("{PROFILE}auth = [{{ key_file = 'k', password_env = 'P' }}]\n"), "exactly one of"),
            (&format!("{PROFILE}auth = [{{ password_env = 'P', passphrase_env = 'Q' }}]\n"), "belongs to a key_file"),
            (&format!("{PROFILE}auth = [{{ key_file = 'k', agent = true }}]\n"), "exactly one of"),
            (&format!("{PROFILE}auth = [{{ ask = true, agent = true }}]\n"), "exactly one of"),
            (&format!("{PROFILE}auth = [{{ ask = false }}]\n"), "says nothing"),
            (&format!("{PROFILE}auth = [{{ agent = true, certificate_file = 'c' }}]\n"), "belongs to a key_file"),
            (&format!("{PROFILE}auth = [{{ keyboard_interactive = [{{ prompt = 'Code' }}] }}]\n"), "answer_env"),
            (
                &format!("{PROFILE}auth = [{{ keyboard_interactive = [{{ prompt = '*', answer_env = 'C' }}] }}]\n"),
                "which question",
            ),
            (&format!("{PROFILE}auth = [{{ agent = 3 }}]\n"), "the agent's socket"),
            (&format!("{PROFILE}auth = [{{ agent = false }}]\n"), "leave the entry out"),
            (&format!("{PROFILE}auth = [{{ key_file = 'k', only = ['k.pub'] }}]\n"), "keys of an agent"),
            (&format!("{PROFILE}[profiles.web.routes.api]\ntarget = 'x'\n"), "navigator"),
            (&format!("{PROFILE}policy_mode = 'yolo'\n"), "yolo"),
            (&format!("{PROFILE}keepalive_max = 0\n"), "keepalive_s = 0"),
            (&format!("{PROFILE}approval_timeout_s = 86400\n"), "at most 3600"),
            (&format!("{PROFILE}kind = 'local'\n"), "`host` is of SSH"),
            (&format!("{PROFILE}shell = ['bash']\n"), "kind = \"local\""),
            ("[profiles.here]\nkind = 'local'\nshell = ['']\n", "a program and its arguments"),
            ("[profiles.here]\nkind = 'telnet'\n", "telnet"),
            (&format!("{PROFILE}set_env = {{ 'A=B' = 'c' }}\n"), "`A=B`"),
            (&format!("{PROFILE}jump = ['here']\n[profiles.here]\nkind = 'local'\n"), "a shell of this machine"),
            (&format!("{PROFILE}jump = ['web']\nproxy_command = 'nc %h %p'\n"), "two ways"),
            (&format!("{PROFILE}proxy_command = 'nc %x'\n"), "%h, %n, %p, %r"),
            (&format!("{PROFILE}transcript = 'none'\n"), "`off`"),
            (
                &format!("{PROFILE}navigator = {{ plugin = 'n', secrets = {{ otp = {{ env = 'X' }} }} }}\n"),
                "\"secret:otp\"",
            ),
            (
                &format!("{GRANTED}{PROFILE}navigator = {{ plugin = 'n', secrets = {{ otp = {{}} }} }}\n"),
                "one of `env`",
            ),
            (&format!("{PROFILE}[plugins.n]\ngrants = ['rewrite']\n"), "`secret:NAME`"),
            (&format!("{PROFILE}[plugins.n]\npath = 'n.wasm'\ngrants = ['secret:otp']\n"), "`sha256`"),
            (&format!("{PROFILE}encoding = 'latin-1'\n"), "gb18030"),
            (&format!("{PROFILE}[limits]\nclosed = 3\n"), "closed_sessions"),
            (&format!("{PROFILE}files = {{ read = ['srv'] }}\n"), "absolute or below `~`"),
            (&format!("{PROFILE}files = {{ reed = ['/srv'] }}\n"), "did you mean `read`"),
            (&format!("{PROFILE}max_read_bytes = 3\n"), "belongs in [profiles.NAME.files]"),
        ];
        for (text, expected) in cases {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
            assert!(message.contains("portcullis.toml"), "{message}");
        }
    }

    #[test]
    fn a_profile_overrides_the_defaults_and_they_what_is_built_in() {
        let text = format!(
            "[defaults]\nkeepalive_s = 5\nencoding = 'gbk'\nidle_close_s = 60\ncolumns = 100\n\
             [limits]\nclosed_sessions = 2\n{PROFILE}keepalive_s = 7\n"
        );
        let config = parse(&text).unwrap();
        let web = &config.destinations["web"].profile;
        assert_eq!((web.keepalive, web.keepalive_max), (Duration::from_secs(7), 3));
        assert_eq!((web.idle_close, web.encoding), (Duration::from_secs(60), Encoding::Gbk));
        assert_eq!((web.terminal.columns, web.terminal.rows), (100, 40));
        assert_eq!(config.limits.closed_sessions, 2);
        let timeouts = format!(
            "[defaults]\napproval_timeout_s = 30\n{PROFILE}[profiles.quiet]\nhost = 'h'\nuser = 'u'\napproval_timeout_s = 0\n"
        );
        let config = parse(&timeouts).unwrap();
        let timeout = |name: &str| config.destinations[name].approval_timeout.as_secs();
        assert_eq!((timeout("web"), timeout("quiet")), (30, 0));
        let text = format!("[defaults.files]\nread = ['/srv']\n{PROFILE}[profiles.web.files]\nwrite = []\n");
        let files = &parse(&text).unwrap().destinations["web"].files;
        assert_eq!((files.read.as_slice(), files.write.len()), (&["/srv".to_owned()][..], 0));
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let config = parse(&format!("{PROFILE}known_hosts = ['kh']\nauth = [{{ key_file = 'keys/id' }}]\n")).unwrap();
        let web = &config.destinations["web"].profile;
        assert!(web.known_hosts[0].is_absolute() && web.known_hosts[0].ends_with("kh"));
        assert!(matches!(&web.auth[0], AuthMethod::KeyFile { path, .. } if path.is_absolute()));
    }

    #[test]
    fn a_local_profile_needs_nothing_more() {
        let config = parse(
            "[profiles.here]\nkind = 'local'\n[profiles.there]\nkind = 'local'\nshell = ['zsh', '-f']\ndirectory = 'work'\n",
        );
        let config = config.unwrap();
        let local = |name: &str| config.destinations[name].profile.local.clone().unwrap();
        assert_eq!(local("here"), LocalShell::default());
        assert_eq!(local("there").command, ["zsh", "-f"]);
        assert!(local("there").directory.unwrap().is_absolute());
        assert_eq!(config.destinations["here"].profile.host, "local");
    }

    #[test]
    fn an_agent_is_looked_for_or_named() {
        let text = "auth = [{ agent = true }, { agent = 'agent.sock', only = ['id.pub'] }]\n";
        let config = parse(&format!("{PROFILE}{text}")).unwrap();
        let [AuthMethod::Agent { socket: None, only: any }, AuthMethod::Agent { socket: Some(socket), only }] =
            &config.destinations["web"].profile.auth[..]
        else {
            unreachable!("{:?}", config.destinations["web"].profile.auth)
        };
        assert!(any.is_empty());
        assert!(socket.is_absolute() && socket.ends_with("agent.sock"));
        assert!(only[0].is_absolute() && only[0].ends_with("id.pub"));
    }

    /// Profiles with these names and their `jump`.
    fn jumping(profiles: &[(&str, &[&str])]) -> Result<Config, ConfigError> {
        let text: Vec<String> = profiles
            .iter()
            .map(|(name, jump)| format!("[profiles.{name}]\nhost = '{name}'\nuser = 'ann'\njump = {jump:?}\n"))
            .collect();
        parse(&text.concat())
    }

    #[test]
    fn hops_are_those_named_and_those_before_the_first() {
        let config =
            jumping(&[("a", &[]), ("b", &["a"]), ("c", &["z"]), ("web", &["b", "c"]), ("z", &[]), ("far", &["web"])]);
        let config = config.unwrap();
        let hops = |name: &str| -> Vec<String> {
            config.destinations[name].profile.hops.iter().map(|hop| hop.name.clone()).collect()
        };
        assert!(hops("a").is_empty());
        // What `c` jumps through does not count: it is reached through `b`.
        assert_eq!(hops("web"), ["a", "b", "c"]);
        assert_eq!(hops("far"), ["a", "b", "c", "web"]);
    }

    #[test]
    fn a_jump_that_leads_nowhere_or_in_a_circle_is_refused() {
        type Profiles<'a> = &'a [(&'a str, &'a [&'a str])];
        let cases: [(Profiles<'_>, &str); 4] = [
            (&[("a", &["a"])], "circle: a → a"),
            (&[("a", &["b"]), ("b", &["c"]), ("c", &["a"])], "circle"),
            (&[("a", &["b", "b"]), ("b", &[])], "circle"),
            (&[("a", &["nobody"])], "`nobody`, which does not exist"),
        ];
        for (profiles, words) in cases {
            let message = jumping(profiles).unwrap_err().to_string();
            assert!(message.contains(words) && message.contains("profile `a`"), "{message}");
        }
    }
}
