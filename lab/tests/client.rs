//! A small SSH client for the tests, and waiting with a bound.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lab::bastion::{Bastion, BastionOptions};
use russh::client::{self, AuthResult, Handle};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelMsg};

/// Far beyond what anything here takes, so that only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const USER: &str = "agent";
pub(crate) const PASSWORD: &str = "let me in";

/// A bastion with a password and a kubectl, in a scratch directory of its own.
pub(crate) fn options(home: &tempfile::TempDir) -> BastionOptions {
    BastionOptions {
        password: Some(PASSWORD.to_owned()),
        kubectl_command: vec![env!("CARGO_BIN_EXE_portcullis-lab").to_owned(), "kubectl".to_owned()],
        ..BastionOptions::new(home.path(), USER)
    }
}

/// Remembers the host key it was shown.
#[derive(Clone, Default)]
pub(crate) struct Witness(pub(crate) Arc<Mutex<String>>);

impl client::Handler for Witness {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        if let PublicKeyOrCertificate::PublicKey { key, .. } = key {
            *self.0.lock().unwrap() = key.to_openssh().unwrap();
        }
        Ok(true)
    }
}

pub(crate) async fn connect(bastion: &Bastion) -> (Handle<Witness>, Witness) {
    let witness = Witness::default();
    let config = Arc::new(client::Config::default());
    (client::connect(config, bastion.address, witness.clone()).await.unwrap(), witness)
}

pub(crate) async fn log_in(bastion: &Bastion) -> Handle<Witness> {
    let (mut handle, _witness) = connect(bastion).await;
    assert!(matches!(handle.authenticate_password(USER, PASSWORD).await.unwrap(), AuthResult::Success));
    handle
}

/// A shell channel on a PTY and all it has shown so far.
pub(crate) struct Terminal {
    pub(crate) channel: Channel<client::Msg>,
    pub(crate) seen: String,
    pub(crate) exit_status: Option<u32>,
    _connection: Handle<Witness>,
}

impl Terminal {
    pub(crate) async fn open(bastion: &Bastion) -> Self {
        let connection = log_in(bastion).await;
        let channel = connection.channel_open_session().await.unwrap();
        channel.request_pty(true, "xterm-256color", 100, 30, 0, 0, &[]).await.unwrap();
        channel.set_env(true, "PAGER", "cat").await.unwrap();
        channel.request_shell(true).await.unwrap();
        Self { channel, seen: String::new(), exit_status: None, _connection: connection }
    }

    pub(crate) async fn type_keys(&self, keys: &str) {
        self.channel.data_bytes(keys.as_bytes().to_vec()).await.unwrap();
    }

    /// Waits until `text` appears behind what was taken before, and takes all up to its end.
    pub(crate) async fn expect(&mut self, text: &str) -> String {
        match tokio::time::timeout(PATIENCE, self.until_shown(text)).await {
            Ok(Some(end)) => self.seen.drain(..end).collect(),
            Ok(None) => panic!("{text:?} never came: {:?}", self.seen),
            Err(_elapsed) => panic!("{text:?} did not come in time: {:?}", self.seen),
        }
    }

    /// Whether `text` is shown by then; nothing is taken.
    pub(crate) async fn shows_within(&mut self, text: &str, time: Duration) -> bool {
        matches!(tokio::time::timeout(time, self.until_shown(text)).await, Ok(Some(_)))
    }

    /// Where `text` ends in what is seen; none when the channel ends without it.
    async fn until_shown(&mut self, text: &str) -> Option<usize> {
        loop {
            if let Some(at) = self.seen.find(text) {
                return Some(at + text.len());
            }
            if !self.receive().await {
                return None;
            }
        }
    }

    /// Takes what comes to the end of the channel; the exit status, if there was one.
    pub(crate) async fn end(&mut self) -> Option<u32> {
        let all = async { while self.receive().await {} };
        tokio::time::timeout(PATIENCE, all).await.expect("the channel must end");
        self.exit_status
    }

    async fn receive(&mut self) -> bool {
        match self.channel.wait().await {
            None => return false,
            Some(ChannelMsg::Data { data }) => self.seen.push_str(&String::from_utf8_lossy(&data)),
            Some(ChannelMsg::ExitStatus { exit_status }) => self.exit_status = Some(exit_status),
            Some(_) => {}
        }
        true
    }
}

/// Waits until something is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let watch = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, watch).await.is_ok(), "never so: {what}");
}

/// Whether a process runs; one that has ended and waits to be reaped does not.
pub(crate) fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}
