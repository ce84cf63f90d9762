//! From the file as written to the configuration as used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use portcullis_term::Encoding;

use super::file::{
    self, AgentFile, AuthFile, ConfigFile, DefaultsFile, EncodingName, LogSearchFile, NavigatorFile, PluginFile,
    ProfileFile, QuestionFile,
};
use super::jump;
use super::{
    AuthMethod, Config, ConfigError, Destination, Limits, LogSearchChoice, NavigatorChoice, PluginEntry, Profile,
    QuestionAnswer, SecretSource, TerminalSize, ViewerConfig,
};

const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Short enough that a dead connection is known within a minute, long enough to cost nothing.
const DEFAULT_KEEPALIVE: Duration = Duration::from_secs(15);
const DEFAULT_KEEPALIVE_MAX: u32 = 3;
/// Closed sessions that can still be read; each holds its newest output in memory.
const DEFAULT_CLOSED_SESSIONS: usize = 16;
/// Wide enough for tables of pods, as tall as a large window.
const DEFAULT_SIZE: TerminalSize = TerminalSize { columns: 160, rows: 40 };
const DEFAULT_VIEWER_PORT: u16 = 8765;
const DEFAULT_LOG_SEARCH: &str = "log-search-grep";

/// Loads `path`, or the user's file (`$XDG_CONFIG_HOME/portcullis/portcullis.toml`).
///
/// # Errors
/// Names the file, the key and what would be right.
pub fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => user_file()?,
    };
    resolve(file::read(&path)?, &path)
}

fn user_file() -> Result<PathBuf, ConfigError> {
    let relative = Path::new("portcullis/portcullis.toml");
    folder("XDG_CONFIG_HOME", ".config")
        .map(|folder| folder.join(relative))
        .ok_or_else(|| ConfigError::NoHome { path: relative.to_owned() })
}

/// `$variable`, or `~/fallback`.
fn folder(variable: &str, fallback: &str) -> Option<PathBuf> {
    let set = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    set.or_else(|| std::env::home_dir().map(|home| home.join(fallback)))
}

fn resolve(written: ConfigFile, path: &Path) -> Result<Config, ConfigError> {
    let base = path.parent().unwrap_or(Path::new("."));
    let default_folder = |variable: &str, fallback: &str| {
        folder(variable, fallback)
            .map(|folder| folder.join("portcullis"))
            .ok_or_else(|| ConfigError::NoHome { path: path.to_owned() })
    };
    let state_directory = match written.state_directory {
        Some(folder) => absolute(base, &folder),
        None => default_folder("XDG_STATE_HOME", ".local/state")?,
    };
    let cache_directory = match written.cache_directory {
        Some(folder) => absolute(base, &folder),
        None => default_folder("XDG_CACHE_HOME", ".cache")?,
    };
    let plugins = written
        .plugins
        .into_iter()
        .map(|(name, plugin)| plugin_entry(name, plugin, base, path))
        .collect::<Result<_, _>>()?;
    let destinations = destinations(written.profiles, &written.defaults, base, path)?;
    Ok(Config {
        source: path.to_owned(),
        state_directory,
        cache_directory,
        viewer: ViewerConfig {
            enabled: written.viewer.enabled.unwrap_or(true),
            first_port: written.viewer.port.unwrap_or(DEFAULT_VIEWER_PORT),
        },
        limits: Limits { closed_sessions: written.limits.closed_sessions.unwrap_or(DEFAULT_CLOSED_SESSIONS) },
        plugins,
        destinations,
    })
}

fn destinations(
    profiles: BTreeMap<String, ProfileFile>,
    defaults: &DefaultsFile,
    base: &Path,
    path: &Path,
) -> Result<BTreeMap<String, Arc<Destination>>, ConfigError> {
    let problem = |name: &str| {
        let profile = name.to_owned();
        move |problem| ConfigError::Profile { path: path.to_owned(), profile, problem }
    };
    let (mut resolved, mut jumps) = (BTreeMap::new(), BTreeMap::new());
    for (name, mut profile) in profiles {
        fill_in(&mut profile, defaults);
        jumps.insert(name.clone(), std::mem::take(&mut profile.jump));
        resolved.insert(name.clone(), destination(&name, profile, base).map_err(problem(&name))?);
    }
    // Only now: a profile may jump through one that is written below it.
    let by_name = resolved.iter().map(|(name, it)| (name.clone(), Arc::clone(&it.profile))).collect();
    let mut destinations = BTreeMap::new();
    for (name, mut destination) in resolved {
        let hops = jump::hops(&name, &by_name, &jumps).map_err(problem(&name))?;
        destination.profile = Arc::new(Profile { hops, ..(*destination.profile).clone() });
        destinations.insert(name, Arc::new(destination));
    }
    Ok(destinations)
}

/// What the profile does not say, `[defaults]` says for it.
fn fill_in(profile: &mut ProfileFile, defaults: &DefaultsFile) {
    profile.policy_mode = profile.policy_mode.or(defaults.policy_mode);
    profile.keepalive_s = profile.keepalive_s.or(defaults.keepalive_s);
    profile.keepalive_max = profile.keepalive_max.or(defaults.keepalive_max);
    profile.idle_close_s = profile.idle_close_s.or(defaults.idle_close_s);
    profile.encoding = profile.encoding.or(defaults.encoding);
    profile.columns = profile.columns.or(defaults.columns);
    profile.rows = profile.rows.or(defaults.rows);
    if profile.known_hosts.is_none() {
        profile.known_hosts.clone_from(&defaults.known_hosts);
    }
}

/// Relative paths are relative to the file they stand in; `~/` is the user's home.
fn absolute(base: &Path, path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => base.join(path),
    }
}

fn plugin_entry(name: String, plugin: PluginFile, base: &Path, path: &Path) -> Result<PluginEntry, ConfigError> {
    let problem = |problem: String| ConfigError::Plugin { path: path.to_owned(), plugin: name.clone(), problem };
    let settings = json(plugin.settings).map_err(problem)?;
    Ok(PluginEntry { path: plugin.path.map(|path| absolute(base, &path)), sha256: plugin.sha256, settings, name })
}

fn destination(name: &str, written: ProfileFile, base: &Path) -> Result<Destination, String> {
    if name.is_empty() || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("a profile's name has no blanks or control characters; rename it".to_owned());
    }
    let size =
        TerminalSize::new(written.columns.unwrap_or(DEFAULT_SIZE.columns), written.rows.unwrap_or(DEFAULT_SIZE.rows))?;
    let keepalive_max = written.keepalive_max.unwrap_or(DEFAULT_KEEPALIVE_MAX);
    if keepalive_max == 0 {
        return Err("`keepalive_max` is at least 1; `keepalive_s = 0` switches keepalive off".to_owned());
    }
    let auth = written.auth.into_iter().map(|method| auth_method(method, base)).collect::<Result<_, _>>()?;
    let known_hosts = written.known_hosts.unwrap_or_else(|| vec![PathBuf::from("~/.ssh/known_hosts")]);
    let profile = Profile {
        name: name.to_owned(),
        label: written.label.unwrap_or_else(|| name.to_owned()),
        tags: written.tags,
        host: written.host,
        port: written.port.unwrap_or(22),
        user: written.user,
        hops: Vec::new(),
        auth,
        known_hosts: known_hosts.iter().map(|path| absolute(base, path)).collect(),
        host_key_alias: written.host_key_alias,
        legacy_algorithms: written.legacy_algorithms.unwrap_or(false),
        connect_timeout: written.connect_timeout_s.map_or(DEFAULT_CONNECT_TIMEOUT, Duration::from_secs),
        keepalive: written.keepalive_s.map_or(DEFAULT_KEEPALIVE, Duration::from_secs),
        keepalive_max,
        idle_close: Duration::from_secs(written.idle_close_s.unwrap_or(0)),
        encoding: written.encoding.map_or_else(Encoding::default, encoding),
        terminal: size,
        enter: written.enter.unwrap_or_default(),
    };
    if !written.routes.is_empty() && written.navigator.is_none() {
        return Err("it has routes but no `navigator` to follow them; add navigator = { plugin = \"…\" }".to_owned());
    }
    Ok(Destination {
        profile: Arc::new(profile),
        policy_mode: written.policy_mode.unwrap_or_default(),
        policies: written.policies,
        navigator: written.navigator.map(navigator),
        routes: written.routes,
        log_search: log_search(written.log_search),
    })
}

fn encoding(name: EncodingName) -> Encoding {
    match name {
        EncodingName::Utf8 => Encoding::Utf8,
        EncodingName::Gbk => Encoding::Gbk,
        EncodingName::Gb18030 => Encoding::Gb18030,
    }
}

fn auth_method(written: AuthFile, base: &Path) -> Result<AuthMethod, String> {
    let secret = |variable, file| secret_source(variable, file, base);
    let passphrase = secret(written.passphrase_env, written.passphrase_file)?;
    let password = secret(written.password_env, written.password_file)?;
    if passphrase.is_some() && written.key_file.is_none() {
        return Err("a passphrase belongs to a key_file, not to another method".to_owned());
    }
    if written.certificate_file.is_some() && written.key_file.is_none() {
        return Err("a certificate_file belongs to a key_file".to_owned());
    }
    if !written.only.is_empty() && written.agent.is_none() {
        return Err("`only` names keys of an agent; it belongs to `agent`".to_owned());
    }
    match (written.key_file, password, written.agent, written.keyboard_interactive) {
        (Some(path), None, None, None) => {
            let certificate = written.certificate_file.map(|path| absolute(base, &path));
            Ok(AuthMethod::KeyFile { path: absolute(base, &path), passphrase, certificate })
        }
        (None, Some(password), None, None) => Ok(AuthMethod::Password(password)),
        (None, None, Some(agent), None) => agent_method(agent, &written.only, base),
        (None, None, None, Some(questions)) => {
            let questions: Result<_, _> = questions.into_iter().map(|written| question(written, base)).collect();
            Ok(AuthMethod::KeyboardInteractive(questions?))
        }
        _ => Err("each entry of `auth` has exactly one of key_file, password_env, password_file, agent, \
                  keyboard_interactive"
            .to_owned()),
    }
}

fn secret_source(
    variable: Option<String>,
    file: Option<PathBuf>,
    base: &Path,
) -> Result<Option<SecretSource>, &'static str> {
    match (variable, file) {
        (Some(variable), None) => Ok(Some(SecretSource::Environment(variable))),
        (None, Some(file)) => Ok(Some(SecretSource::File(absolute(base, &file)))),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err("a secret comes from one place: give the `_env` or the `_file` form, not both"),
    }
}

fn question(written: QuestionFile, base: &Path) -> Result<QuestionAnswer, String> {
    if written.prompt.trim().trim_matches('*').is_empty() {
        return Err("`prompt` says which question is meant; an answer to any question would go anywhere".to_owned());
    }
    let answer = secret_source(written.answer_env, written.answer_file, base)?
        .ok_or("each entry of `keyboard_interactive` has one of answer_env, answer_file")?;
    Ok(QuestionAnswer { prompt: written.prompt, answer })
}

fn agent_method(written: AgentFile, only: &[PathBuf], base: &Path) -> Result<AuthMethod, String> {
    let socket = match written {
        AgentFile::Wanted(true) => None,
        AgentFile::Wanted(false) => return Err("`agent = false` says nothing; leave the entry out".to_owned()),
        AgentFile::Socket(path) => Some(absolute(base, &path)),
    };
    Ok(AuthMethod::Agent { socket, only: only.iter().map(|path| absolute(base, path)).collect() })
}

fn navigator(written: NavigatorFile) -> NavigatorChoice {
    NavigatorChoice { plugin: written.plugin, menu_label: written.menu_label.unwrap_or_else(|| "bastion".to_owned()) }
}

fn log_search(written: Option<LogSearchFile>) -> LogSearchChoice {
    let (plugin, sources) = written.map_or((None, Vec::new()), |written| (written.plugin, written.sources));
    LogSearchChoice { plugin: plugin.unwrap_or_else(|| DEFAULT_LOG_SEARCH.to_owned()), sources }
}

/// A TOML table as JSON text, the form plugins take.
fn json(settings: Option<toml::Table>) -> Result<String, String> {
    serde_json::to_string(&settings.unwrap_or_default()).map_err(|error| format!("settings: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portcullis.toml");
        std::fs::write(&path, text).unwrap();
        load(Some(&path))
    }

    const PROFILE: &str = "[profiles.web]\nhost = 'web1'\nuser = 'ann'\n";

    #[test]
    fn defaults_are_filled_in() {
        let config = parse(PROFILE).unwrap();
        let web = &config.destinations["web"];
        assert_eq!((web.profile.port, web.profile.label.as_str()), (22, "web"));
        assert_eq!(web.policy_mode, super::super::PolicyMode::Safe);
        assert!(config.viewer.enabled);
        assert_eq!(web.log_search.plugin, DEFAULT_LOG_SEARCH);
    }

    #[test]
    fn mistakes_name_the_key_and_the_way_out() {
        let cases = [
            ("[profiles.web]\nhost = 'a'\nuser = 'b'\npasword = 'x'\n", "pasword"),
            ("[profiles.web]\nhost = 'a'\n", "user"),
            (&format!("{PROFILE}columns = 0\n"), "columns"),
            (&format!("{PROFILE}auth = [{{ key_file = 'k', password_env = 'P' }}]\n"), "exactly one of"),
            (&format!("{PROFILE}auth = [{{ password_env = 'P', passphrase_env = 'Q' }}]\n"), "belongs to a key_file"),
            (&format!("{PROFILE}auth = [{{ key_file = 'k', agent = true }}]\n"), "exactly one of"),
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
            (&format!("{PROFILE}encoding = 'latin-1'\n"), "gb18030"),
            (&format!("{PROFILE}[limits]\nclosed = 3\n"), "closed_sessions"),
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
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let config = parse(&format!("{PROFILE}known_hosts = ['kh']\nauth = [{{ key_file = 'keys/id' }}]\n")).unwrap();
        let web = &config.destinations["web"].profile;
        assert!(web.known_hosts[0].is_absolute() && web.known_hosts[0].ends_with("kh"));
        assert!(matches!(&web.auth[0], AuthMethod::KeyFile { path, .. } if path.is_absolute()));
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
