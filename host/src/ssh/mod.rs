//! SSH: from a profile to a shell in a terminal on a remote host, and nothing more.
//!
//! [`open_shell`] is called by the session that will own the shell; [`fetch_host_key`] by the command
//! with which a person records a host's key. Nothing here parses output, judges commands, writes to disk
//! or asks anybody. One connection carries one shell: russh serves all channels of a connection from one
//! task, so a second one would stall with the first.
//!
//! Tasks: russh's per connection, and one pump per shell that owns the channel (`shell`). Dropping a
//! [`ShellLink`] ends both.
//!
//! `known_hosts` judges recorded keys, `host_key` what a server presents, `dial` connects, `auth` logs
//! in, `shell` opens the terminal and moves its bytes, `keepalive` watches whether the server is still
//! there, `handler` refuses what a server starts by itself, `socket` cuts connections.

mod auth;
mod dial;
mod error;
mod handler;
mod host_key;
mod keepalive;
pub mod known_hosts;
mod shell;
mod socket;
mod text;

use std::{path::PathBuf, time::Duration};

use tokio::sync::mpsc;

pub use error::{ConnectError, ConnectStep, KeyFileError, Target};

use crate::config::profile::{AuthMethod, Profile, TerminalSize};
use known_hosts::KnownHosts;

/// A running shell. Dropping either end closes the connection.
///
/// Both queues are bounded. Whoever waits for room in `commands` must go on receiving `events`: output
/// nobody takes stops the connection, and with it the input.
#[derive(Debug)]
pub struct ShellLink {
    pub events: mpsc::Receiver<ShellEvent>,
    pub commands: mpsc::Sender<ShellCommand>,
    pub peer: PeerInfo,
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
    /// IP address and port.
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

/// Connects, checks the server's key, logs in and starts a shell in a terminal. `environment` is offered
/// to the server, which takes of it what its configuration allows.
///
/// Every step has the profile's connect timeout to itself.
///
/// # Errors
/// One for each way this can fail; nothing is left open then.
pub async fn open_shell(profile: &Profile, environment: &[(String, String)]) -> Result<ShellLink, ConnectError> {
    let target = Target::new(Some(&profile.user), &profile.host, profile.port);
    dial::check_target(&target)?;
    let (known, credentials) = read_files(&target, profile.known_hosts.clone(), profile.auth.clone()).await?;
    let options = dial::DialOptions {
        step_limit: profile.connect_timeout,
        keepalive: Some(keepalive::Keepalive { interval: profile.keepalive, max: profile.keepalive_max })
            .filter(|keepalive| !keepalive.interval.is_zero()),
    };
    let mut connection = dial::dial(&target, known, options).await?;
    let auth_method = auth::authenticate(&mut connection, &profile.user, &credentials).await?;
    drop(credentials);
    let peer = peer_info(&connection, profile, auth_method);
    let shell = shell::open(connection, profile.terminal, environment).await?;
    let (event_sender, events) = mpsc::channel(shell::EVENT_QUEUE);
    let (commands, command_receiver) = mpsc::channel(shell::COMMAND_QUEUE);
    shell::spawn_pump(shell, event_sender, command_receiver);
    Ok(ShellLink { events, commands, peer })
}

/// Asks a server for its key and hangs up: no user name and no secret is sent. The key is what the
/// network delivered, not what is right; that is for a person to compare.
///
/// # Errors
/// As [`open_shell`], as far as it goes.
pub async fn fetch_host_key(host: &str, port: u16, timeout: Duration) -> Result<HostKeyInfo, ConnectError> {
    let target = Target::new(None, host, port);
    dial::check_target(&target)?;
    let key = dial::look_at_host_key(&target, timeout).await?;
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
    auth::describe(path, passphrase)
}

/// Reads everything a connection needs from disk, away from the threads that serve sessions.
async fn read_files(
    target: &Target,
    known_hosts: Vec<PathBuf>,
    auth: Vec<AuthMethod>,
) -> Result<(KnownHosts, Vec<auth::Credential>), ConnectError> {
    let for_reader = target.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let target = for_reader;
        let known = KnownHosts::load(&known_hosts)
            .map_err(|source| ConnectError::KnownHosts { target: target.clone(), source })?;
        Ok((known, auth::prepare(&target, &auth)?))
    });
    // Readers do not panic, so this is a runtime that is shutting down.
    reading.await.unwrap_or_else(|_| {
        Err(ConnectError::Protocol { target: target.clone(), step: ConnectStep::Tcp, source: russh::Error::Disconnect })
    })
}

fn peer_info(connection: &dial::Connection, profile: &Profile, auth_method: String) -> PeerInfo {
    let observed = &connection.observed;
    PeerInfo {
        address: connection.address.to_string(),
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
