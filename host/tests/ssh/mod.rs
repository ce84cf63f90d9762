//! Connecting to real servers: OpenSSH and Dropbear on loopback, and listeners that misbehave.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed step is a failed test")]

mod agents;
mod certificates;
mod files;
mod host_keys;
mod jumps;
mod logins;
mod misbehaving;
mod people;
mod scripted;
mod shells;

use std::{path::PathBuf, time::Duration};

use e2e::sshd::Sshd;
use portcullis::{
    config::{
        TranscriptMode,
        profile::{AuthMethod, EnterKey, Profile, TerminalSize},
    },
    ssh::{ShellCommand, ShellEvent, ShellLink},
};

/// Far above what any awaited event takes; reached only when a test fails.
const EVENT_LIMIT: Duration = Duration::from_secs(20);

fn profile_for(host: &str, port: u16, user: &str) -> Profile {
    Profile {
        name: "test".to_owned(),
        label: "test".to_owned(),
        tags: Vec::new(),
        host: host.to_owned(),
        port,
        user: user.to_owned(),
        local: None,
        set_env: Default::default(),
        transcript: TranscriptMode::Full,
        audited: false,
        watch_processes: false,
        hops: Vec::new(),
        proxy_command: None,
        auth: Vec::new(),
        known_hosts: Vec::new(),
        host_key_alias: None,
        legacy_algorithms: false,
        connect_timeout: Duration::from_secs(20),
        keepalive: Duration::ZERO,
        keepalive_max: 2,
        idle_close: Duration::ZERO,
        encoding: Default::default(),
        terminal: TerminalSize { columns: 111, rows: 37 },
        enter: EnterKey::default(),
    }
}

/// A profile that this server accepts.
fn profile_of(server: &Sshd) -> Profile {
    let mut profile = profile_for(server.host(), server.port(), server.user());
    profile.auth = vec![key_file(server.user_key())];
    profile.known_hosts = vec![server.known_hosts()];
    profile
}

fn key_file(path: PathBuf) -> AuthMethod {
    AuthMethod::KeyFile { path, passphrase: None, certificate: None }
}

async fn next_event(link: &mut ShellLink) -> Option<ShellEvent> {
    tokio::time::timeout(EVENT_LIMIT, link.events.recv()).await.expect("an event in time")
}

async fn type_line(link: &ShellLink, line: &str) {
    link.commands.send(ShellCommand::Write(format!("{line}\r").into_bytes())).await.expect("the shell takes input");
}

/// Reads output until it contains `wanted`; the text read so far is in the message when it never does.
async fn output_until(link: &mut ShellLink, wanted: &str) -> String {
    let mut seen = String::new();
    // Only what is new is searched, with what may be the beginning of `wanted` before it.
    let mut searched = 0;
    while !seen[seen.floor_char_boundary(searched)..].contains(wanted) {
        searched = seen.len().saturating_sub(wanted.len());
        match next_event(link).await {
            Some(ShellEvent::Output(bytes)) => seen.push_str(&String::from_utf8_lossy(&bytes)),
            // A sign of life may come at any time.
            Some(ShellEvent::Alive { .. }) => {}
            other => panic!("{other:?} came before {wanted:?}; output so far: {seen:?}"),
        }
    }
    seen
}

/// All events but output, until the channel of events ends.
async fn remaining_events(link: &mut ShellLink) -> Vec<ShellEvent> {
    let mut events = Vec::new();
    while let Some(event) = next_event(link).await {
        if !matches!(event, ShellEvent::Output(_)) {
            events.push(event);
        }
    }
    events
}
