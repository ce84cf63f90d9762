//! What applies to one host, as values.

use std::path::PathBuf;

use crate::error::ConfigError;
use crate::evaluate::{Note, Query, Settings};
use crate::expand::{self, Tokens};
use crate::line::Line;

/// Where keys of an agent are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentSocket {
    /// `SSH_AUTH_SOCK`, when it is set.
    Environment,
    Path(PathBuf),
    None,
}

/// One hop of `ProxyJump`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JumpHost {
    /// As written; itself a host with options of its own.
    pub host: String,
    pub user: Option<String>,
    pub port: Option<u16>,
}

/// `StrictHostKeyChecking`. Only ever read to be shown: unknown keys are refused here whatever it
/// says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrictHostKeyChecking {
    Yes,
    Ask,
    AcceptNew,
    No,
}

/// What `ssh HOST` would do, as far as a terminal session needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostOptions {
    pub host_name: String,
    pub port: u16,
    pub user: String,
    /// Tried in this order. Empty when the files name none: the usual names in `~/.ssh` apply then.
    pub identity_files: Vec<PathBuf>,
    pub certificate_files: Vec<PathBuf>,
    pub identities_only: bool,
    pub identity_agent: AgentSocket,
    /// From here to the host, outermost first; none when connected directly.
    pub proxy_jump: Vec<JumpHost>,
    /// A command line of the operator's that carries the connection, its tokens as written; never run here.
    pub proxy_command: Option<String>,
    /// The command hands over a connected socket instead.
    pub proxy_use_fdpass: bool,
    pub user_known_hosts_files: Vec<PathBuf>,
    pub global_known_hosts_files: Vec<PathBuf>,
    pub host_key_alias: Option<String>,
    pub strict_host_key_checking: StrictHostKeyChecking,
    /// 0: no keepalive.
    pub server_alive_interval_s: u64,
    pub server_alive_count_max: u64,
    pub connect_timeout_s: Option<u64>,
    pub set_env: Vec<(String, String)>,
    pub preferred_authentications: Option<Vec<String>>,
    pub pubkey_authentication: bool,
    pub password_authentication: bool,
    pub keyboard_interactive_authentication: bool,
    pub number_of_password_prompts: u64,
    /// Algorithm lists as written (`+`, `-`, `^` included).
    pub ciphers: Option<String>,
    pub macs: Option<String>,
    pub kex_algorithms: Option<String>,
    pub host_key_algorithms: Option<String>,
    pub pubkey_accepted_algorithms: Option<String>,
    pub notes: Vec<Note>,
}

impl HostOptions {
    pub(crate) fn from_settings(settings: &Settings, query: &Query<'_>, notes: Vec<Note>) -> Result<Self, ConfigError> {
        let values = Values { settings, query };
        let host_name = values.host_name();
        let user = query.user.or_else(|| values.first("user")).unwrap_or(query.local_user).to_owned();
        let port = match query.port {
            Some(port) => port,
            None => values.number("port")?.unwrap_or(22),
        };
        let tokens = values.tokens(&host_name, &user, port);
        let paths = |keyword: &str| values.paths(keyword, &tokens);
        Ok(Self {
            identity_files: paths("identityfile")?,
            certificate_files: paths("certificatefile")?,
            identities_only: values.flag("identitiesonly", false)?,
            identity_agent: values.agent(&tokens)?,
            proxy_jump: values.jumps(&tokens)?,
            proxy_command: values.text("proxycommand").filter(|command| command != "none"),
            proxy_use_fdpass: values.flag("proxyusefdpass", false)?,
            user_known_hosts_files: values.known_hosts(
                "userknownhostsfile",
                &tokens,
                &["~/.ssh/known_hosts", "~/.ssh/known_hosts2"],
            )?,
            global_known_hosts_files: values.known_hosts(
                "globalknownhostsfile",
                &tokens,
                &["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"],
            )?,
            host_key_alias: values.first("hostkeyalias").map(str::to_owned),
            strict_host_key_checking: values.strict()?,
            server_alive_interval_s: values.time("serveraliveinterval")?.unwrap_or(0),
            server_alive_count_max: values.number("serveralivecountmax")?.unwrap_or(3),
            connect_timeout_s: values.time("connecttimeout")?,
            set_env: values.set_env(),
            preferred_authentications: values.list("preferredauthentications"),
            pubkey_authentication: values.flag("pubkeyauthentication", true)?,
            password_authentication: values.flag("passwordauthentication", true)?,
            keyboard_interactive_authentication: values.flag("kbdinteractiveauthentication", true)?,
            number_of_password_prompts: values.number("numberofpasswordprompts")?.unwrap_or(3),
            ciphers: values.first("ciphers").map(str::to_owned),
            macs: values.first("macs").map(str::to_owned),
            kex_algorithms: values.first("kexalgorithms").map(str::to_owned),
            host_key_algorithms: values.first("hostkeyalgorithms").map(str::to_owned),
            pubkey_accepted_algorithms: values.first("pubkeyacceptedalgorithms").map(str::to_owned),
            host_name,
            user,
            port,
            notes,
        })
    }
}

struct Values<'a> {
    settings: &'a Settings,
    query: &'a Query<'a>,
}

impl<'a> Values<'a> {
    fn lines(&self, keyword: &str) -> &'a [Line] {
        self.settings.get(keyword).map_or(&[], Vec::as_slice)
    }

    fn first(&self, keyword: &str) -> Option<&'a str> {
        self.lines(keyword).first()?.arguments.first().map(String::as_str)
    }

    /// The whole of what stands behind the keyword.
    fn text(&self, keyword: &str) -> Option<String> {
        self.lines(keyword).first().map(|line| line.rest.clone())
    }

    fn list(&self, keyword: &str) -> Option<Vec<String>> {
        self.first(keyword).map(|list| list.split(',').map(|item| item.trim().to_owned()).collect())
    }

    /// The host's own name, which `ssh` writes in small letters.
    fn host_name(&self) -> String {
        let name = self.first("hostname").map(|name| Tokens::new().with('h', self.query.host).expand(name));
        name.unwrap_or_else(|| self.query.host.to_owned()).to_lowercase()
    }

    fn tokens(&self, host_name: &str, user: &str, port: u16) -> Tokens {
        let alias = self.first("hostkeyalias").unwrap_or(host_name);
        let local = self.query.local_host;
        Tokens::new()
            .with('h', host_name)
            .with('n', self.query.host)
            .with('k', alias)
            .with('p', &port.to_string())
            .with('r', user)
            .with('u', self.query.local_user)
            .with('l', local)
            .with('L', local.split('.').next().unwrap_or(local))
            .with('d', &self.query.home.display().to_string())
    }

    fn expand(&self, keyword: &str, text: &str, tokens: &Tokens) -> Result<String, ConfigError> {
        let text = expand::tilde(&tokens.expand(text), self.query.home);
        expand::variables(&text, self.query.environment)
            .map_err(|name| bad(format!("`{keyword}` names the variable {name}, which is not set")))
    }

    fn paths(&self, keyword: &str, tokens: &Tokens) -> Result<Vec<PathBuf>, ConfigError> {
        let named = self.lines(keyword).iter().filter_map(|line| line.arguments.first());
        let mut paths = Vec::new();
        for path in named.filter(|path| path.as_str() != "none") {
            let path = PathBuf::from(self.expand(keyword, path, tokens)?);
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        Ok(paths)
    }

    /// Several files on one line; `none` for no file at all.
    fn known_hosts(&self, keyword: &str, tokens: &Tokens, usual: &[&str]) -> Result<Vec<PathBuf>, ConfigError> {
        let written = self.lines(keyword).first().map(|line| line.arguments.as_slice());
        let names: Vec<&str> = match written {
            Some(arguments) if arguments == ["none"] => Vec::new(),
            Some(arguments) => arguments.iter().map(String::as_str).collect(),
            None => usual.to_vec(),
        };
        names.into_iter().map(|name| Ok(PathBuf::from(self.expand(keyword, name, tokens)?))).collect()
    }

    fn agent(&self, tokens: &Tokens) -> Result<AgentSocket, ConfigError> {
        Ok(match self.first("identityagent") {
            None | Some("SSH_AUTH_SOCK") => AgentSocket::Environment,
            Some("none") => AgentSocket::None,
            Some(name) if name.starts_with('$') && !name.starts_with("${") => {
                match (self.query.environment)(&name[1..]) {
                    Some(path) => AgentSocket::Path(path.into()),
                    None => AgentSocket::None,
                }
            }
            Some(path) => AgentSocket::Path(self.expand("identityagent", path, tokens)?.into()),
        })
    }

    /// `[user@]host[:port]` or `ssh://…`, separated by commas; `none` switches it off.
    fn jumps(&self, tokens: &Tokens) -> Result<Vec<JumpHost>, ConfigError> {
        let Some(text) = self.first("proxyjump").filter(|text| *text != "none") else { return Ok(Vec::new()) };
        text.split(',').map(|hop| jump(&tokens.expand(hop.trim()))).collect()
    }

    fn strict(&self) -> Result<StrictHostKeyChecking, ConfigError> {
        match self.first("stricthostkeychecking").map(str::to_ascii_lowercase).as_deref() {
            None | Some("ask") => Ok(StrictHostKeyChecking::Ask),
            Some("yes" | "true") => Ok(StrictHostKeyChecking::Yes),
            Some("accept-new") => Ok(StrictHostKeyChecking::AcceptNew),
            Some("no" | "false" | "off") => Ok(StrictHostKeyChecking::No),
            Some(other) => Err(bad(format!("`StrictHostKeyChecking` is `{other}`; it is yes, no, ask or accept-new"))),
        }
    }

    fn flag(&self, keyword: &str, usual: bool) -> Result<bool, ConfigError> {
        match self.first(keyword).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(usual),
            Some("yes" | "true") => Ok(true),
            // `PubkeyAuthentication` knows two more ways of yes.
            Some("unbound" | "host-bound") => Ok(true),
            Some("no" | "false") => Ok(false),
            Some(other) => Err(bad(format!("`{keyword}` is `{other}`; it is yes or no"))),
        }
    }

    fn number<T: std::str::FromStr>(&self, keyword: &str) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.first(keyword) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| bad(format!("`{keyword}` is `{text}`, which is no number it could be")))
    }

    /// Seconds, or `1h30m` (sshd_config(5), TIME FORMATS); `none` for no limit.
    fn time(&self, keyword: &str) -> Result<Option<u64>, ConfigError> {
        match self.first(keyword) {
            None | Some("none") => Ok(None),
            Some(text) => {
                seconds(text).map(Some).ok_or_else(|| bad(format!("`{keyword}` is `{text}`, which is no time")))
            }
        }
    }

    fn set_env(&self) -> Vec<(String, String)> {
        let pairs = self.lines("setenv").first().into_iter().flat_map(|line| line.arguments.iter());
        let mut set: Vec<(String, String)> = Vec::new();
        for (name, value) in pairs.filter_map(|pair| pair.split_once('=')) {
            if !set.iter().any(|(known, _)| known == name) {
                set.push((name.to_owned(), value.to_owned()));
            }
        }
        set
    }
}

fn bad(problem: String) -> ConfigError {
    ConfigError::Line { path: PathBuf::from("ssh_config"), line: 0, problem }
}

fn jump(text: &str) -> Result<JumpHost, ConfigError> {
    let bare = text.strip_prefix("ssh://").unwrap_or(text).trim_end_matches('/');
    let (user, address) = match bare.rsplit_once('@') {
        Some((user, address)) => (Some(user.to_owned()), address),
        None => (None, bare),
    };
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match address.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => (host, Some(port)),
            _ => (address, None),
        },
    };
    let wrong = || bad(format!("`ProxyJump` has the hop `{text}`; a hop is written [user@]host[:port]"));
    let port = port.map(|port| port.parse().map_err(|_| wrong())).transpose()?;
    if host.is_empty() { Err(wrong()) } else { Ok(JumpHost { host: host.to_owned(), user, port }) }
}

fn seconds(text: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut number = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(std::mem::take(&mut number).parse::<u64>().ok()?.checked_mul(unit)?)?;
    }
    if number.is_empty() { (!text.is_empty()).then_some(total) } else { total.checked_add(number.parse().ok()?) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn hops_are_read_in_all_their_forms() {
        let hop = |text| jump(text).unwrap();
        assert_eq!(hop("ann@gw:2222"), JumpHost { host: "gw".into(), user: Some("ann".into()), port: Some(2222) });
        assert_eq!(hop("[::1]:22"), JumpHost { host: "::1".into(), user: None, port: Some(22) });
        assert_eq!(hop("fe80::1"), JumpHost { host: "fe80::1".into(), user: None, port: None });
        assert_eq!(hop("ssh://gw:23/"), JumpHost { host: "gw".into(), user: None, port: Some(23) });
        assert!(jump("gw:x").is_err() && jump("@").is_err());
    }

    #[test]
    fn times_are_seconds_or_have_units() {
        assert_eq!(
            (seconds("90"), seconds("1h30m"), seconds("2m5"), seconds("x")),
            (Some(90), Some(5400), Some(125), None)
        );
    }
}
