//! SSH: from a profile to a shell in a terminal on a remote host, and nothing more.
//!
//! [`open_shell`] is called by the session that will own the shell; [`fetch_host_key`] by the command
//! with which a person records a host's key. Nothing here parses output or judges commands. Only a
//! [`Person`] who is handed in is asked anything, and only after that person has agreed a host's key is
//! written to disk. A connection carries one channel, a shell or the connection to the next hop, and beside
//! a shell the short-lived ones of [`files`]. russh serves all channels of a connection from one task, so
//! whoever owns one has to take what comes on it at once.
//!
//! Tasks: russh's per connection, and one pump per shell that owns the channel (`shell`). Dropping a
//! [`ShellLink`] ends both.
//!
//! `known_hosts` judges recorded keys, `host_key` what a server presents, `algorithms` lists what is
//! offered, `dial` connects, `credential` reads keys and secrets, `certificate` the certificates of keys,
//! `agent` finds ssh-agents, `auth` logs in, `questions` answers what a server asks then, `person` asks one
//! what only they may say, `unlock` decrypts keys with what they say, `trust` records a host's key with their
//! consent, `shell` opens the terminal and moves its bytes, `files` reaches files over SFTP,
//! `processes` asks which process has the terminal, `keepalive` watches whether the server is still there, `handler` refuses what a server starts by itself, `socket` cuts
//! connections.

mod agent;
mod algorithms;
mod auth;
mod certificate;
mod credential;
mod dial;
mod error;
pub mod files;
mod handler;
mod host_key;
mod keepalive;
pub mod known_hosts;
mod person;
pub mod processes;
mod proxy;
mod questions;
mod shell;
mod socket;
mod text;
mod trust;
mod unlock;

use std::{path::PathBuf, time::Duration};

use tokio::sync::mpsc;

pub use agent::{AgentPlace, AgentTrouble};
pub use error::{ConnectError, ConnectStep, KeyFileError, KeyRecord, Target};
pub use person::{Answer, NoAnswer, Person, Prompt, Question, Said, Wanted};
pub use trust::record_file;

use crate::config::profile::{AuthMethod, Profile, TerminalSize};
use files::FilesOpener;
use known_hosts::KnownHosts;
use person::Asker;

/// A running shell. Dropping either end closes the connection.
///
/// Both queues are bounded. Whoever waits for room in `commands` must go on receiving `events`: output
/// nobody takes stops the connection, and with it the input.
#[derive(Debug)]
pub struct ShellLink {
    pub events: mpsc::Receiver<ShellEvent>,
    pub commands: mpsc::Sender<ShellCommand>,
    pub peer: PeerInfo,
    /// The way to files on the same server, over the same connection.
    pub files: FilesOpener,
}

/// What a shell does, in the order the server tells it. Servers may tell a status before the last output;
/// only `Closed` means that nothing more comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShellEvent {
    /// Bytes of the terminal, at most 64 KiB at a time.
    Output(Vec<u8>),
    /// The login shell ended with this status. At most one of this and `ExitSignal` comes.
    ExitStatus(u32),
    /// The login shell was ended by this signal, named without `SIG`.
    ExitSignal(String),
    /// The server has given a sign of life after silence, with the time from request to answer where an
    /// answer was it.
    Alive { round_trip: Option<Duration> },
    /// Nothing has come for `silence`; `unanswered` requests for a sign of life are open, and at `limit`
    /// the connection is given up.
    Silent { unanswered: u32, limit: u32, silence: Duration },
    /// The last event, exactly once.
    Closed { reason: String },
}

/// What a session asks of its shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShellCommand {
    /// Bytes to type.
    Write(Vec<u8>),
    Resize(TerminalSize),
    /// Hang up at once, with whatever is still on its way.
    Close,
}

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerInfo {
    /// IP address and port; with hops, their names and the address the last one was given.
    pub address: String,
    pub user: String,
    /// Type and SHA256 fingerprint.
    pub host_key: String,
    /// The method that was accepted.
    pub auth_method: String,
    /// What the server calls itself: hostile text, cleaned and cut.
    pub server_version: String,
}

/// A server's key, for a person to compare and record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKeyInfo {
    /// The line that records the key; [`known_hosts::remember`] appends it.
    pub known_hosts_line: String,
    /// Type and SHA256 fingerprint.
    pub fingerprint: String,
}

impl HostKeyInfo {
    /// The line that records the key under another name, for profiles with a `host_key_alias`.
    #[must_use]
    pub fn line_under(&self, alias: &str) -> String {
        let key = self.known_hosts_line.split_once(' ').map_or("", |(_, key)| key);
        format!("{} {key}", alias.to_ascii_lowercase())
    }
}

/// Connects, checks the server's key, logs in and starts a shell in a terminal. `environment` is offered
/// to the server, which takes of it what its configuration allows.
///
/// With hops, the same is done at each of them up to the login, with the hop's own profile, and the next
/// connection is a channel of the one before. Every step has the connect timeout of its profile to itself.
///
/// # Errors
/// One for each way this can fail; nothing is left open then. What fails at a hop names the hop.
pub async fn open_shell(profile: &Profile, environment: &[(String, String)]) -> Result<ShellLink, ConnectError> {
    open_shell_with(profile, environment, None).await
}

/// As [`open_shell`], asking a person what is not configured and whether an unknown host key is right. The
/// time a person takes is not counted.
///
/// # Errors
/// As [`open_shell`], and when the person refuses or does not answer.
pub async fn open_shell_with(
    profile: &Profile,
    environment: &[(String, String)],
    person: Option<&dyn Person>,
) -> Result<ShellLink, ConnectError> {
    // All files first: a profile that cannot work costs nobody a connection.
    let mut prepared = Vec::with_capacity(profile.hops.len());
    for (index, hop) in profile.hops.iter().enumerate() {
        let asker = Asker::new(person, &Target::of(hop), Some(hop_place(profile, index)));
        prepared.push(prepare(hop, asker).await.map_err(|error| at_hop(profile, index, error))?);
    }
    let own = prepare(profile, Asker::new(person, &Target::of(profile), None)).await?;
    let mut through = None;
    for (index, (hop, ready)) in profile.hops.iter().zip(prepared).enumerate() {
        let (connection, _) = connect(hop, ready, through).await.map_err(|error| at_hop(profile, index, error))?;
        through = Some(Box::new(connection));
    }
    let (connection, auth_method) = connect(profile, own, through).await?;
    let peer = peer_info(&connection, profile, auth_method);
    let shell = shell::open(connection, profile.terminal, environment).await?;
    let (event_sender, events) = mpsc::channel(shell::EVENT_QUEUE);
    let (commands, command_receiver) = mpsc::channel(shell::COMMAND_QUEUE);
    let (files, openings) = FilesOpener::new(profile.connect_timeout);
    shell::spawn_pump(shell, event_sender, command_receiver, openings);
    Ok(ShellLink { events, commands, peer, files })
}

/// What one connection needs, read before anything is connected to.
struct Ready<'a> {
    target: Target,
    known: KnownHosts,
    credentials: credential::Credentials,
    asker: Asker<'a>,
}

async fn prepare<'a>(profile: &Profile, asker: Asker<'a>) -> Result<Ready<'a>, ConnectError> {
    let target = Target::of(profile);
    dial::check_target(&target)?;
    let (files, auth) = (profile.known_hosts.clone(), profile.auth.clone());
    let (known, prepared) = read_files(&target, files, auth, asker.is_there()).await?;
    let credentials = credential::complete(&target, prepared).await?;
    Ok(Ready { target, known, credentials, asker })
}

/// One connection, checked and logged in, and the method by which.
async fn connect(
    profile: &Profile,
    ready: Ready<'_>,
    mut through: Option<Box<dial::Connection>>,
) -> Result<(dial::Connection, String), ConnectError> {
    let Ready { target, known, mut credentials, mut asker } = ready;
    let options = dial::DialOptions {
        name: profile.name.clone(),
        step_limit: profile.connect_timeout,
        keepalive: Some(keepalive::Keepalive { interval: profile.keepalive, max: profile.keepalive_max })
            .filter(|keepalive| !keepalive.interval.is_zero()),
        legacy: profile.legacy_algorithms,
        rekey: dial::rekey_limits(),
        proxy_command: profile.proxy_command.clone(),
    };
    let mut connection = match dial::dial(&target, known, options.clone(), &mut through).await {
        // Nobody is kept waiting while a person compares: the server is hung up on, and what it presents
        // when it is connected to again is checked against what was recorded.
        Err(ConnectError::HostKeyUnknown { target, key_type, fingerprint, known_hosts_line, skipped })
            if asker.is_there() =>
        {
            let unknown = trust::Unknown { key_type, fingerprint, known_hosts_line, skipped };
            let known = trust::ask(profile, &target, unknown, &asker).await?;
            dial::dial(&target, known, options, &mut through).await?
        }
        dialled => dialled?,
    };
    asker.connected();
    let auth_method = auth::authenticate(&mut connection, &profile.user, &mut credentials, &asker).await?;
    Ok((connection, auth_method))
}

/// Which hop of a profile it is, for a person.
fn hop_place(profile: &Profile, index: usize) -> String {
    format!("hop {} of {}, {}", index + 1, profile.hops.len(), profile.hops[index].name)
}

/// Says at which hop of a profile something failed.
fn at_hop(profile: &Profile, index: usize, source: ConnectError) -> ConnectError {
    let hop = &profile.hops[index];
    ConnectError::Hop {
        number: index + 1,
        count: profile.hops.len(),
        name: hop.name.clone(),
        address: error::host_and_port(&hop.host, hop.port),
        source: Box::new(source),
    }
}

/// Asks a server, which `proxy_command` may carry the connection to, for its key and hangs up: no user name and no secret is sent. The key is what the
/// network delivered, not what is right; that is for a person to compare.
///
/// # Errors
/// As [`open_shell`], as far as it goes.
pub async fn fetch_host_key(
    host: &str,
    port: u16,
    proxy_command: Option<&str>,
    timeout: Duration,
) -> Result<HostKeyInfo, ConnectError> {
    let target = Target::new(None, host, port);
    dial::check_target(&target)?;
    let key = dial::look_at_host_key(&target, proxy_command, timeout).await?;
    Ok(HostKeyInfo {
        known_hosts_line: key.line_for(&target),
        fingerprint: format!("{} {}", key.key_type, key.fingerprint),
    })
}

/// Says of a private key file which key it holds: type, fingerprint and file. Reads the file, and may
/// compute for a moment when there is a passphrase.
///
/// # Errors
/// Why the file is of no use.
pub fn describe_key_file(
    path: &std::path::Path,
    passphrase: Option<&crate::config::Secret>,
) -> Result<String, KeyFileError> {
    credential::describe(path, passphrase)
}

/// Where an agent is looked for: the socket that is named, or everywhere agents usually listen.
pub fn agent_sockets(named: Option<&std::path::Path>) -> Vec<PathBuf> {
    named.map_or_else(agent::usual_sockets, |socket| vec![socket.to_owned()])
}

/// Reads everything a connection needs from disk, away from the threads that serve sessions.
async fn read_files(
    target: &Target,
    known_hosts: Vec<PathBuf>,
    auth: Vec<AuthMethod>,
    may_ask: bool,
) -> Result<(KnownHosts, Vec<credential::Prepared>), ConnectError> {
    let for_reader = target.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let target = for_reader;
        let known = KnownHosts::load(&known_hosts)
            .map_err(|source| ConnectError::KnownHosts { target: target.clone(), source })?;
        Ok((known, credential::read(&target, &auth, may_ask)?))
    });
    // Readers do not panic, so this is a runtime that is shutting down.
    reading.await.unwrap_or_else(|_| Err(dial::protocol(target, ConnectStep::Tcp, russh::Error::Disconnect)))
}

fn peer_info(connection: &dial::Connection, profile: &Profile, auth_method: String) -> PeerInfo {
    let observed = &connection.observed;
    let hops: Vec<&str> = profile.hops.iter().map(|hop| hop.name.as_str()).collect();
    let through = match (hops.as_slice(), &profile.proxy_command) {
        ([], None) => String::new(),
        ([], Some(_)) => " by its proxy_command".to_owned(),
        (hops, _) => format!(" through {}", hops.join(", ")),
    };
    PeerInfo {
        address: format!("{}{through}", connection.address),
        user: profile.user.clone(),
        host_key: observed
            .host_key
            .get()
            .map(|key| format!("{} {}", key.key_type, key.fingerprint))
            .unwrap_or_default(),
        auth_method,
        server_version: observed.server_version.get().cloned().unwrap_or_default(),
    }
}
