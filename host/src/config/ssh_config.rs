//! Aliases of OpenSSH's configuration as profiles.
//!
//! `portcullis_ssh_config` reads the files as `ssh` does; here its answer becomes a profile as if it
//! had been written in portcullis.toml. What cannot be honoured is a problem of that one profile.

use std::io::Read;
use std::path::{Path, PathBuf};

use portcullis_ssh_config::{AgentSocket, Files, HostOptions, JumpHost, Query, StrictHostKeyChecking};

use super::file::{AgentFile, AuthFile, ProfileFile, SshConfigChoice};
use super::resolve::usual_known_hosts;
use super::sources::hop_key;
use super::{key_file, proxy};

/// Keys `ssh` tries when its files name none, in its order; hardware keys need an agent.
const USUAL_KEYS: &[&str] = &["id_rsa", "id_ecdsa", "id_ed25519"];

/// The files, with what they are read for.
pub(super) struct SshConfig {
    files: Files,
    home: PathBuf,
    local_user: String,
    local_host: String,
}

/// What an alias says.
#[derive(Debug, Default)]
pub(super) struct AliasProfile {
    pub(super) values: ProfileFile,
    /// What it is reached through, outermost first.
    pub(super) hops: Vec<JumpHost>,
    /// Why it cannot be used.
    pub(super) problem: Option<String>,
    pub(super) notes: Vec<String>,
}

impl SshConfig {
    /// `None` when it is switched off, or nobody's home is known.
    pub(super) fn new(choice: Option<&SshConfigChoice>) -> Option<Self> {
        let home = std::env::home_dir()?;
        let files = match choice {
            Some(SshConfigChoice::Used(false)) => return None,
            // As with `ssh -F`: the system's file does not count then.
            Some(SshConfigChoice::File(path)) => Files::new(Some(path.clone()), None),
            None | Some(SshConfigChoice::Used(true)) => {
                Files::new(Some(home.join(".ssh/config")), Some(PathBuf::from("/etc/ssh/ssh_config")))
            }
        };
        Some(Self { files, home, local_user: local_user(), local_host: local_host() })
    }

    /// The files that are there, for people.
    pub(super) fn present_files(&self) -> Vec<PathBuf> {
        self.files.paths().filter(|path| path.exists()).map(Path::to_owned).collect()
    }

    /// Every host named without a wildcard.
    ///
    /// # Errors
    /// What `ssh` would refuse as well, in its words.
    pub(super) fn aliases(&self) -> Result<Vec<String>, String> {
        self.ask(&named(""), portcullis_ssh_config::aliases)
    }

    pub(super) fn profile(&self, alias: &str) -> AliasProfile {
        self.hop(&named(alias))
    }

    /// A host that `ProxyJump` names, with what is said of it there.
    pub(super) fn hop(&self, hop: &JumpHost) -> AliasProfile {
        match self.ask(hop, portcullis_ssh_config::resolve) {
            Ok(options) => profile_from_ssh_config(&options, &hop.host, &self.home),
            Err(problem) => AliasProfile { problem: Some(problem), ..AliasProfile::default() },
        }
    }

    fn ask<T>(
        &self,
        hop: &JumpHost,
        question: impl FnOnce(&Files, &Query<'_>) -> Result<T, portcullis_ssh_config::ConfigError>,
    ) -> Result<T, String> {
        let query = Query {
            host: &hop.host,
            user: hop.user.as_deref(),
            port: hop.port,
            local_user: &self.local_user,
            local_host: &self.local_host,
            home: &self.home,
            environment: &|name| std::env::var(name).ok(),
        };
        question(&self.files, &query).map_err(|error| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })
    }
}

/// The one place where OpenSSH's options become a profile's values.
fn profile_from_ssh_config(options: &HostOptions, alias: &str, home: &Path) -> AliasProfile {
    let mut notes: Vec<String> =
        options.notes.iter().map(|note| format!("{}:{}: {}", note.path.display(), note.line, note.text)).collect();
    if matches!(options.strict_host_key_checking, StrictHostKeyChecking::No | StrictHostKeyChecking::AcceptNew) {
        notes.push("StrictHostKeyChecking is not followed: unknown host keys are always refused".to_owned());
    }
    let auth = logins(options, home, &mut notes);
    let keepalive = Some(options.server_alive_interval_s).filter(|seconds| *seconds > 0);
    let values = ProfileFile {
        host: Some(options.host_name.clone()),
        port: Some(options.port),
        user: Some(options.user.clone()),
        auth: Some(auth),
        jump: (!options.proxy_jump.is_empty()).then(|| options.proxy_jump.iter().map(hop_key).collect()),
        proxy_command: options.proxy_command.as_ref().map(|command| proxy::with_alias(command, alias)),
        known_hosts: known_hosts(options, home, &mut notes),
        host_key_alias: options.host_key_alias.clone(),
        set_env: (!options.set_env.is_empty()).then(|| options.set_env.iter().cloned().collect()),
        connect_timeout_s: options.connect_timeout_s.filter(|seconds| *seconds > 0),
        keepalive_s: keepalive,
        keepalive_max: keepalive.and_then(|_| u32::try_from(options.server_alive_count_max.max(1)).ok()),
        ..ProfileFile::default()
    };
    AliasProfile { values, hops: options.proxy_jump.clone(), problem: not_honoured(options), notes }
}

/// An option without which this would not be the host that `ssh` reaches.
fn not_honoured(options: &HostOptions) -> Option<String> {
    (options.proxy_command.is_some() && options.proxy_use_fdpass).then(|| {
        "its ssh_config has `ProxyUseFdpass`, and a connection that a command hands over is not taken here; \
         let the ProxyCommand carry it, without that option"
            .to_owned()
    })
}

/// A host as `ssh NAME` means it.
fn named(host: &str) -> JumpHost {
    JumpHost { host: host.to_owned(), user: None, port: None }
}

/// `None` where the files say nothing of their own, so that `[defaults]` may.
fn known_hosts(options: &HostOptions, home: &Path, notes: &mut Vec<String>) -> Option<Vec<PathBuf>> {
    let all = options.user_known_hosts_files.iter().chain(&options.global_known_hosts_files);
    // `/dev/null` is how people say: no file.
    let (files, nowhere): (Vec<_>, Vec<_>) = all.cloned().partition(|path| path != Path::new("/dev/null"));
    if !nowhere.is_empty() && files.iter().all(|file| !options.user_known_hosts_files.contains(file)) {
        notes.push(
            "UserKnownHostsFile is /dev/null, so its host key cannot be recorded; \
             set `known_hosts` in a profile of portcullis.toml"
                .to_owned(),
        );
    }
    (files != usual_known_hosts(home)).then_some(files)
}

/// The agent first, then the key files, as `ssh` does it.
fn logins(options: &HostOptions, home: &Path, notes: &mut Vec<String>) -> Vec<AuthFile> {
    if !options.pubkey_authentication {
        notes.push("PubkeyAuthentication is off, so no key is tried".to_owned());
        return Vec::new();
    }
    agent(options).into_iter().chain(usable_keys(options, home, notes)).collect()
}

/// With IdentitiesOnly an agent may only use keys whose public halves lie beside the named files.
fn agent(options: &HostOptions) -> Option<AuthFile> {
    let agent = match &options.identity_agent {
        AgentSocket::None => return None,
        AgentSocket::Environment => AgentFile::Wanted(true),
        AgentSocket::Path(socket) => AgentFile::Socket(socket.clone()),
    };
    let only: Vec<PathBuf> = match options.identities_only {
        true => options.identity_files.iter().map(|path| public_half(path)).filter(|path| path.is_file()).collect(),
        false => Vec::new(),
    };
    let usable = !options.identities_only || !only.is_empty();
    usable.then(|| AuthFile { agent: Some(agent), only, ..AuthFile::default() })
}

fn public_half(key: &Path) -> PathBuf {
    if key.extension().is_some_and(|extension| extension == "pub") {
        return key.to_owned();
    }
    let mut name = key.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

fn usable_keys(options: &HostOptions, home: &Path, notes: &mut Vec<String>) -> Vec<AuthFile> {
    let named = !options.identity_files.is_empty();
    let candidates = match named {
        true => options.identity_files.clone(),
        false => USUAL_KEYS.iter().map(|name| home.join(".ssh").join(name)).collect(),
    };
    let mut keys = Vec::new();
    for path in candidates {
        match key_state(&path) {
            KeyState::Plain => keys.push(AuthFile { key_file: Some(path), ..AuthFile::default() }),
            KeyState::Encrypted => {
                notes.push(format!(
                    "{} is encrypted: unless an agent holds it, a person types its passphrase in the viewer; without a viewer, write a profile with `ssh_config_host` and a `passphrase_env` or `passphrase_file`",
                    path.display()
                ));
                keys.push(AuthFile { key_file: Some(path), ..AuthFile::default() });
            }
            KeyState::Missing if named => notes.push(format!("IdentityFile {} does not exist", path.display())),
            KeyState::Missing => {}
        }
    }
    with_certificates(keys, &options.certificate_files, notes)
}

/// A certificate belongs to one key. Which one, only one key beside one certificate says; the others
/// are found beside their keys.
fn with_certificates(mut keys: Vec<AuthFile>, certificates: &[PathBuf], notes: &mut Vec<String>) -> Vec<AuthFile> {
    match (keys.as_mut_slice(), certificates) {
        (_, []) => {}
        ([key], [certificate]) => key.certificate_file = Some(certificate.clone()),
        _ => notes.push(
            "CertificateFile is only followed where there is one key and one certificate; \
             name the file KEY-cert.pub beside its key, and it is found"
                .to_owned(),
        ),
    }
    keys
}

/// Keys in the usual places that can be used as they are.
pub(super) fn usual_keys() -> Vec<AuthFile> {
    let folder = std::env::home_dir().unwrap_or_default().join(".ssh");
    let plain =
        USUAL_KEYS.iter().map(|name| folder.join(name)).filter(|path| matches!(key_state(path), KeyState::Plain));
    plain.map(|path| AuthFile { key_file: Some(path), ..AuthFile::default() }).collect()
}

enum KeyState {
    Missing,
    Plain,
    Encrypted,
}

/// Whether a key can be used without a passphrase. What cannot be read counts as plain: connecting
/// says what is wrong with it.
fn key_state(path: &Path) -> KeyState {
    if !path.is_file() {
        return KeyState::Missing;
    }
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(key_file::LIMIT_BYTES).read_to_string(&mut text));
    if read.is_ok() && key_file::is_encrypted(&text) { KeyState::Encrypted } else { KeyState::Plain }
}

/// The account this program runs under, as `ssh` finds it; the environment is only asked where the
/// account is not in /etc/passwd.
pub(super) fn local_user() -> String {
    let id = rustix::process::getuid().as_raw().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    found.or_else(|| ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok())).unwrap_or_default()
}

fn local_host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    name.map_or_else(|| "localhost".to_owned(), |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn config(text: &str) -> (tempfile::TempDir, SshConfig) {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".ssh")).unwrap();
        let file = home.path().join(".ssh/config");
        std::fs::write(&file, text).unwrap();
        let ssh_config = SshConfig {
            files: Files::new(Some(file), None),
            home: home.path().to_owned(),
            local_user: "ann".to_owned(),
            local_host: "desk".to_owned(),
        };
        (home, ssh_config)
    }

    #[test]
    fn what_ssh_would_use_is_what_the_profile_says() {
        let text = "Host web\n HostName web1.example.com\n Port 2222\n User deploy\n ServerAliveInterval 20\n\
                    ServerAliveCountMax 5\n ConnectTimeout 7\n UserKnownHostsFile ~/kh\n GlobalKnownHostsFile none\n\
                    IdentityFile ~/.ssh/web\n SetEnv LANG=C STAGE=test\nHost *\n User other\n";
        let (home, config) = config(text);
        std::fs::write(home.path().join(".ssh/web"), "-----BEGIN PRIVATE KEY-----\n").unwrap();
        assert_eq!(config.aliases().unwrap(), ["web"]);
        let AliasProfile { values, problem, notes, .. } = config.profile("web");
        assert_eq!((problem, notes), (None, vec![]));
        assert_eq!(values.host.unwrap(), "web1.example.com");
        assert_eq!((values.port, values.user.as_deref()), (Some(2222), Some("deploy")));
        assert_eq!((values.keepalive_s, values.keepalive_max, values.connect_timeout_s), (Some(20), Some(5), Some(7)));
        assert_eq!(values.known_hosts.unwrap(), [home.path().join("kh")]);
        assert_eq!(values.set_env.unwrap()["STAGE"], "test");
        let auth = values.auth.unwrap();
        assert!(matches!(auth[0].agent, Some(AgentFile::Wanted(true))));
        assert_eq!(auth[1].key_file, Some(home.path().join(".ssh/web")));
    }

    #[test]
    fn an_alias_alone_takes_the_account_and_the_keys_that_are_there() {
        let (home, config) = config("Host web\n");
        std::fs::write(home.path().join(".ssh/id_ed25519"), "-----BEGIN PRIVATE KEY-----\n").unwrap();
        let values = config.profile("web").values;
        assert!(values.known_hosts.is_none());
        assert_eq!((values.host.as_deref(), values.user.as_deref()), (Some("web"), Some("ann")));
        let keys: Vec<PathBuf> = values.auth.unwrap().into_iter().filter_map(|method| method.key_file).collect();
        assert_eq!(keys, [home.path().join(".ssh/id_ed25519")]);
        // What is not said is left to [defaults].
        assert!(values.keepalive_s.is_none() && values.keepalive_max.is_none());
    }

    #[test]
    fn hops_aliases_of_keys_and_agents_are_those_of_ssh() {
        let (home, config) = config(
            "Host inner\n ProxyJump ann@gate:2200,second\n HostKeyAlias farm\n IdentityFile ~/.ssh/inner\n\
             CertificateFile ~/cert\n IdentityAgent ~/agent.sock\n IdentitiesOnly yes\nHost plain\n IdentityAgent none\n",
        );
        for name in ["inner", "inner.pub"] {
            std::fs::write(home.path().join(".ssh").join(name), "-----BEGIN PRIVATE KEY-----\n").unwrap();
        }
        let inner = config.profile("inner");
        assert_eq!((inner.problem, inner.notes), (None, vec![]));
        assert_eq!(inner.values.jump.unwrap(), ["ProxyJump ann@gate:2200", "ProxyJump second"]);
        assert_eq!(inner.values.host_key_alias.as_deref(), Some("farm"));
        let auth = inner.values.auth.unwrap();
        assert!(matches!(&auth[0].agent, Some(AgentFile::Socket(path)) if path.ends_with("agent.sock")));
        assert_eq!(auth[0].only, [home.path().join(".ssh/inner.pub")]);
        assert_eq!(auth[1].certificate_file, Some(home.path().join("cert")));
        let gate = config.hop(&inner.hops[0]).values;
        assert_eq!((gate.host.as_deref(), gate.user.as_deref(), gate.port), (Some("gate"), Some("ann"), Some(2200)));
        assert!(config.profile("plain").values.auth.unwrap().iter().all(|method| method.agent.is_none()));
    }

    #[test]
    fn what_cannot_be_honoured_is_said_of_this_alias_alone() {
        let (_home, config) = config(
            "Host far\n ProxyCommand nc %h %p\n ProxyUseFdpass yes\nHost loose\n StrictHostKeyChecking no\n UserKnownHostsFile /dev/null\nHost *\n",
        );
        let problem = config.profile("far").problem.unwrap();
        assert!(problem.contains("`ProxyUseFdpass`") && !problem.contains("nc %h"), "{problem}");
        let loose = config.profile("loose");
        assert!(loose.problem.is_none());
        assert!(loose.notes.iter().any(|note| note.contains("always refused")), "{:?}", loose.notes);
        assert!(loose.notes.iter().any(|note| note.contains("/dev/null")), "{:?}", loose.notes);
        assert!(!loose.values.known_hosts.unwrap().contains(&PathBuf::from("/dev/null")));
    }

    #[test]
    fn a_mistake_in_the_file_is_told_in_full() {
        let (_home, config) = config("Host web\n Portt 22\n");
        let problem = config.aliases().unwrap_err();
        assert!(problem.contains("config:2") && problem.contains("`port`"), "{problem}");
    }
}
