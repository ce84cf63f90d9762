//! Why a connection did not come about: one error for every way it can fail.
//!
//! Texts name the host, what failed, why and the next step. Text a server sent never stands in them, with
//! two exceptions, in quotes: a question that nobody answers, and the last words of a proxy command. What a
//! server said is in fields whose names say so, already cut and cleaned.

use std::{fmt, path::PathBuf, time::Duration};

use super::agent::AgentPlace;
use super::known_hosts::{KnownHostsError, Location, RecordedKey, SkippedLine};
use super::person::NoAnswer;
use crate::config::profile::{Profile, SecretError};

/// Where a connection goes to; shown as `user@host:port`, or `host:port` when nobody logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub user: Option<Box<str>>,
    pub host: Box<str>,
    pub port: u16,
    /// How its key is recorded, where that is out of the ordinary.
    pub record: Option<Box<KeyRecord>>,
}

/// How a host's key is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The name that stands for host and port.
    pub alias: Option<String>,
    /// The file for keys a person trusts; none for the user's own `known_hosts`.
    pub file: Option<PathBuf>,
}

impl Target {
    pub(crate) fn new(user: Option<&str>, host: &str, port: u16) -> Self {
        Self { user: user.map(Into::into), host: host.into(), port, record: None }
    }

    /// Where a profile leads, and how the key there is recorded.
    pub(super) fn of(profile: &Profile) -> Self {
        let usual = std::env::home_dir().map(|home| home.join(".ssh/known_hosts"));
        let own = profile
            .known_hosts
            .first()
            .filter(|_| !profile.known_hosts.iter().any(|file| Some(file) == usual.as_ref()));
        let (alias, file) = (profile.host_key_alias.clone(), own.cloned());
        let record = (alias.is_some() || file.is_some()).then(|| Box::new(KeyRecord { alias, file }));
        Self { record, ..Self::new(Some(&profile.user), &profile.host, profile.port) }
    }

    pub(super) fn key_alias(&self) -> Option<&str> {
        self.record.as_ref()?.alias.as_deref()
    }

    /// The name and port under which the key is recorded. An alias stands alone, as with OpenSSH's
    /// `HostKeyAlias`: the same key on whatever port.
    pub(super) fn key_name(&self) -> (&str, u16) {
        match self.key_alias() {
            Some(alias) => (alias, 22),
            None => (&self.host, self.port),
        }
    }

    /// The command with which a person looks at this host's key and records it.
    #[must_use]
    pub fn trust_command(&self) -> String {
        let host = if self.port == 22 { self.host.to_string() } else { host_and_port(&self.host, self.port) };
        let mut command = format!("portcullis trust {host}");
        if let Some(alias) = self.key_alias() {
            command.push_str(&format!(" --alias {alias}"));
        }
        if let Some(file) = self.record.as_ref().and_then(|record| record.file.as_ref()) {
            command.push_str(&format!(" --known-hosts '{}'", file.display().to_string().replace('\'', "'\\''")));
        }
        command
    }
}

/// The steps of connecting, each with a deadline of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectStep {
    /// Name resolution and TCP.
    Tcp,
    /// The channel through the hop before.
    Tunnel,
    /// The server's first line, `SSH-2.0-…`.
    Identification,
    KeyExchange,
    Authentication,
    Channel,
    Terminal,
    Shell,
}

/// A connection that did not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    #[error("{field} {value:?} cannot be used: {why}; correct it in the profile")]
    InvalidTarget { field: &'static str, value: String, why: &'static str },

    #[error("{target} cannot be reached; check host name and port, and that a server listens there")]
    Unreachable {
        target: Target,
        #[source]
        source: std::io::Error,
    },

    #[error("{target}: {step} took longer than {} s; {}", .after.as_secs_f32(), .step.advice())]
    Timeout { target: Target, step: ConnectStep, after: Duration },

    #[error("{target}: the server closed the connection during {step}; its log says why")]
    Disconnected {
        target: Target,
        step: ConnectStep,
        /// What the server gave as reason: hostile text, cleaned and cut.
        server_message: Option<String>,
    },

    #[error("the recorded host keys cannot be consulted, so {target} is not contacted")]
    KnownHosts {
        target: Target,
        #[source]
        source: KnownHostsError,
    },

    #[error(
        "{target} presents a host key nobody has recorded: {key_type} {fingerprint}. Compare it with the server's \
         (there: ssh-keygen -lf on the host key file); if it is the same, run `{}`, or open it while the viewer \
         runs and agree there, which records the line: {known_hosts_line}{}", .target.trust_command(), Skipped(.skipped)
    )]
    HostKeyUnknown {
        target: Box<Target>,
        key_type: Box<str>,
        fingerprint: String,
        known_hosts_line: String,
        /// Lines that might have recorded the key and could not be read.
        skipped: Box<[SkippedLine]>,
    },

    #[error(
        "{target} presents another host key than recorded, which happens after a reinstallation and in an \
         attack. Presented: {key_type} {fingerprint}. Recorded: {}. Nothing was sent. If the change is known \
         to be right, remove the recorded lines, then run `{}`", Listed(.known), .target.trust_command()
    )]
    HostKeyChanged { target: Target, key_type: Box<str>, fingerprint: String, known: Vec<RecordedKey> },

    #[error(
        "{target} presents the host key {fingerprint}, which {location} marks as revoked. Nothing was sent; \
         ask the people who run the server"
    )]
    HostKeyRevoked { target: Target, fingerprint: String, location: Location },

    #[error(
        "{target} presents a host certificate that cannot be accepted: {why}. Nothing was sent; ask the people who issue it"
    )]
    HostCertificate { target: Target, why: &'static str },

    #[error("{target} needs {asked} from a person, and {why}; open it again to be asked again")]
    NotAnswered {
        target: Target,
        /// What was wanted.
        asked: String,
        why: NoAnswer,
        /// As [`ConnectError::category`] tells it.
        category: &'static str,
    },

    #[error("{target}: a person trusted the host key {fingerprint}, but it could not be recorded, so nothing was sent")]
    HostKeyNotRecorded {
        target: Target,
        fingerprint: String,
        #[source]
        source: KnownHostsError,
    },

    #[error(
        "{target} did not accept the login. Tried: {}. The server would still take: {}. Check user, keys and \
         passwords of the profile", Listed(.tried), Listed(.offered)
    )]
    AuthenticationFailed {
        target: Target,
        /// Each attempt with its outcome.
        tried: Vec<String>,
        /// Methods the server named last.
        offered: Vec<String>,
        /// What the server gave as reason for hanging up: hostile text, cleaned and cut.
        server_message: Option<String>,
    },

    #[error("{target}: the {purpose} cannot be read, so no connection was made")]
    Secret {
        target: Target,
        purpose: String,
        #[source]
        source: SecretError,
    },

    #[error("{target}: the key file {} cannot be used, so no connection was made", .path.display())]
    KeyFile {
        target: Target,
        path: PathBuf,
        #[source]
        source: KeyFileError,
    },

    #[error("hop {number} of {count}, {name} ({address}): {source}")]
    Hop {
        /// Counted from 1, the host itself not among them.
        number: usize,
        count: usize,
        /// The hop's profile.
        name: String,
        /// `host:port`.
        address: String,
        #[source]
        source: Box<ConnectError>,
    },

    #[error("{target}: no shell could be started to run the profile's proxy_command")]
    ProxyNotStarted {
        target: Target,
        #[source]
        source: std::io::Error,
    },

    #[error(
        "{target}: the profile's proxy_command ended ({status}) without a connection to a server{}; run it by hand to \
         see why", Said(.said.as_deref())
    )]
    ProxyEnded {
        target: Target,
        status: std::process::ExitStatus,
        /// What it wrote last to standard error: cleaned and cut.
        said: Option<String>,
    },

    #[error("{target} cannot be reached through {hop}: {why}")]
    TunnelRefused { target: Target, hop: Target, why: &'static str },

    #[error(
        "{target}: no ssh-agent with a usable key was found, so no connection was made. Looked at: {}. Start an \
         agent and add a key to it (ssh-add), or name its socket in the profile: auth = [{{ agent = \"SOCKET\" }}]",
        Listed(.places)
    )]
    NoAgent {
        target: Target,
        /// Every place, with what was wrong there.
        places: Vec<AgentPlace>,
    },

    #[error(
        "{target}: the agent did not sign within {} s with {key}; it may wait for a touch or for consent. Give it, \
         or raise the profile's connect timeout", .after.as_secs_f32()
    )]
    AgentSilent { target: Target, key: String, after: Duration },

    #[error(
        "{target} refused a session ({reason}); the account may be limited to other services, or its session limit reached"
    )]
    ChannelRefused { target: Target, reason: &'static str },

    #[error("{target} refused a terminal; check PermitTTY and the options of the key on the server")]
    TerminalRefused { target: Target },

    #[error("{target} gave a terminal but refused a shell; check the account's login shell")]
    ShellRefused { target: Target },

    #[error(
        "{target} and this program share no safe {kind} algorithm. The server offers: {}. Update the server{}",
        Listed(.server_offers),
        if *.legacy { "" } else { ", or, where that cannot be done, set legacy_algorithms = true in the profile" }
    )]
    NoCommonAlgorithm {
        target: Target,
        kind: String,
        /// Hostile text, cleaned and cut.
        server_offers: Vec<String>,
        /// Old algorithms were offered already.
        legacy: bool,
    },

    #[error(
        "{target} lacks the strict key exchange and offers only {algorithm}, whose first messages an attacker \
         could remove (CVE-2023-48795). Update the server, or let it offer AES-GCM"
    )]
    UnsafeTransport { target: Target, algorithm: String },

    #[error("{target}: {step} failed; the server does not follow the SSH protocol, or the connection was damaged")]
    Protocol {
        target: Target,
        step: ConnectStep,
        #[source]
        source: Box<russh::Error>,
    },
}

/// Why a private key file is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    #[error("it cannot be read; check the path and its owner")]
    Unreadable(#[source] std::io::Error),
    #[error("it is not a regular file; name the private key's file")]
    NotAFile,
    #[error("it is larger than {limit_bytes} bytes; it does not look like a private key")]
    TooLarge { limit_bytes: u64 },
    #[error("other users may read it (mode {mode:04o}); run chmod 600 on it")]
    PermissionsTooOpen { mode: u32 },
    #[error("it holds a public key; name the file without .pub")]
    PublicKey,
    #[error("it is encrypted and the profile names no passphrase; add one, or type it in the viewer while that runs")]
    PassphraseMissing,
    #[error("the passphrase of the profile does not open it")]
    PassphraseWrong,
    #[error("it is not a private key in OpenSSH, PEM or PKCS#8 form that this program understands")]
    NotUnderstood(#[source] Option<Box<russh::keys::Error>>),
    #[error("it is not a public key in OpenSSH form; name the .pub file")]
    NotPublic(#[source] Box<russh::keys::ssh_key::Error>),
    #[error("it is not an OpenSSH certificate; name the -cert.pub file that ssh-keygen -s made")]
    NotACertificate(#[source] Box<russh::keys::ssh_key::Error>),
    #[error("it is a certificate for hosts; one for users is needed")]
    HostCertificate,
    #[error("it is the certificate of another key; name the key file it was issued for")]
    OtherKeysCertificate,
}

impl ConnectError {
    /// Which of four kinds of trouble this is, for adapters: `connection`, `host-key`, `authentication`
    /// or `configuration`.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Hop { source, .. } => source.category(),
            Self::Unreachable { .. }
            | Self::ProxyNotStarted { .. }
            | Self::ProxyEnded { .. }
            | Self::TunnelRefused { .. }
            | Self::Timeout { .. }
            | Self::Disconnected { .. }
            | Self::ChannelRefused { .. }
            | Self::TerminalRefused { .. }
            | Self::ShellRefused { .. }
            | Self::NoCommonAlgorithm { .. }
            | Self::UnsafeTransport { .. }
            | Self::Protocol { .. } => "connection",
            Self::KnownHosts { .. }
            | Self::HostKeyUnknown { .. }
            | Self::HostKeyChanged { .. }
            | Self::HostKeyRevoked { .. }
            | Self::HostKeyNotRecorded { .. }
            | Self::HostCertificate { .. } => "host-key",
            Self::NotAnswered { category, .. } => category,
            Self::AuthenticationFailed { .. } | Self::AgentSilent { .. } => "authentication",
            Self::InvalidTarget { .. } | Self::Secret { .. } | Self::KeyFile { .. } | Self::NoAgent { .. } => {
                "configuration"
            }
        }
    }
}

impl ConnectStep {
    fn advice(self) -> &'static str {
        match self {
            Self::Tcp => "check the address, and firewalls in between",
            Self::Tunnel => "check the address as seen from the hop before, and firewalls in between",
            Self::Identification => "something listens there, but it does not speak like an SSH server",
            Self::KeyExchange | Self::Channel | Self::Terminal | Self::Shell => {
                "the server may be overloaded; try again, or raise the profile's connect timeout"
            }
            Self::Authentication => "the server may wait for a further step this profile does not offer",
        }
    }
}

impl fmt::Display for ConnectStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tcp => "the TCP connection",
            Self::Tunnel => "the connection through the hop before",
            Self::Identification => "the server's identification line",
            Self::KeyExchange => "the key exchange",
            Self::Authentication => "the authentication",
            Self::Channel => "the opening of a session channel",
            Self::Terminal => "the request for a terminal",
            Self::Shell => "the start of the shell",
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(formatter, "{user}@")?;
        }
        formatter.write_str(&host_and_port(&self.host, self.port))
    }
}

/// `host:port`, with the brackets an IPv6 address needs.
pub(super) fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

struct Listed<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("nothing");
        }
        for (index, item) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str(", ")?;
            }
            write!(formatter, "{item}")?;
        }
        Ok(())
    }
}

struct Said<'a>(Option<&'a str>);

impl fmt::Display for Said<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |said| write!(formatter, ", saying \"{said}\""))
    }
}

struct Skipped<'a>(&'a [SkippedLine]);

impl fmt::Display for Skipped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(formatter, ". Note: {}", Listed(self.0))
    }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
