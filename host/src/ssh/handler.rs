//! What a server may make this program do on its own initiative: present a key once, and hang up.
//!
//! russh calls these methods from the connection's task. Everything a server opens by itself (forwarded
//! ports, agent, X11) is refused; dropping russh's reply handle is the refusal.

use std::sync::{Arc, OnceLock};

use russh::{
    Channel, Names, cipher,
    client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session},
    keys::PublicKeyOrCertificate,
    mac,
};

use super::{
    error::{ConnectError, ConnectStep, Target},
    host_key::{self, PresentedKey},
    known_hosts::KnownHosts,
    text::printable,
};

/// A server that keeps opening channels after this many refusals is hung up on.
const REFUSED_CHANNELS_LIMIT: u32 = 64;
/// Longest kept text of a server: identification (RFC 4253 §4.2 allows 255) and farewell.
const SERVER_TEXT_LIMIT: usize = 255;

/// What became known about a connection, for its owner to look at.
#[derive(Debug, Default)]
pub(super) struct Observed {
    pub(super) host_key: OnceLock<PresentedKey>,
    pub(super) server_version: OnceLock<String>,
    pub(super) ended: OnceLock<Ended>,
}

/// Why a connection ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) reason: &'static str,
    /// Hostile text, cleaned and cut.
    pub(super) server_message: Option<String>,
}

/// What to do with the key the server presents.
pub(super) enum KeyPolicy {
    /// Go on only with a recorded key.
    Recorded(KnownHosts),
    /// Take note of the key and hang up.
    OnlyLook,
}

pub(super) struct ClientHandler {
    target: Target,
    policy: KeyPolicy,
    observed: Arc<Observed>,
    refused_channels: u32,
}

/// Ends the connection's task; during the key exchange it reaches the caller as it is.
#[derive(Debug)]
pub(super) enum HandlerError {
    Ssh(russh::Error),
    Refused(Box<ConnectError>),
    /// The key was all that was wanted.
    Looked,
}

impl From<russh::Error> for HandlerError {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

impl ClientHandler {
    pub(super) fn new(target: Target, policy: KeyPolicy, observed: Arc<Observed>) -> Self {
        Self { target, policy, observed, refused_channels: 0 }
    }

    fn refuse_channel(&mut self, reply: ChannelOpenHandle) -> Result<(), HandlerError> {
        drop(reply);
        self.refused_channels += 1;
        if self.refused_channels > REFUSED_CHANNELS_LIMIT {
            return Err(HandlerError::Ssh(russh::Error::Inconsistent));
        }
        Ok(())
    }
}

impl Handler for ClientHandler {
    type Error = HandlerError;

    async fn check_server_key(&mut self, presented: &PublicKeyOrCertificate) -> Result<bool, HandlerError> {
        match &self.policy {
            KeyPolicy::Recorded(known) => {
                let key = host_key::verify(known, &self.target, presented)
                    .map_err(|refusal| HandlerError::Refused(Box::new(refusal)))?;
                // Set once: russh asks for the first key exchange only.
                let _ = self.observed.host_key.set(key);
                Ok(true)
            }
            KeyPolicy::OnlyLook => {
                if let Some(key) = PresentedKey::new(&presented.public_key()) {
                    let _ = self.observed.host_key.set(key);
                }
                Err(HandlerError::Looked)
            }
        }
    }

    /// Refuses the combinations whose first packets can be cut off unseen when the server does not take
    /// part in the strict key exchange (CVE-2023-48795): ChaCha20-Poly1305 and encrypt-then-MAC.
    async fn kex_done(
        &mut self,
        _shared_secret: Option<&[u8]>,
        names: &Names,
        session: &mut Session,
    ) -> Result<(), HandlerError> {
        let identification = String::from_utf8_lossy(session.remote_sshid()).into_owned();
        let _ = self.observed.server_version.set(printable(identification.trim_end(), SERVER_TEXT_LIMIT));
        if names.strict_kex() {
            return Ok(());
        }
        let etm = [mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM, mac::HMAC_SHA1_ETM];
        // GCM has its own check and numbers its packets inside; counter mode and CBC rely on the MAC.
        let needs_mac = ![cipher::AES_128_GCM, cipher::AES_256_GCM].contains(&names.cipher);
        let cut_off_unseen = names.cipher == cipher::CHACHA20_POLY1305
            || (needs_mac && (etm.contains(&names.client_mac) || etm.contains(&names.server_mac)));
        if cut_off_unseen {
            let algorithm = names.cipher.as_ref().to_owned();
            let refusal = ConnectError::UnsafeTransport { target: self.target.clone(), algorithm };
            return Err(HandlerError::Refused(Box::new(refusal)));
        }
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<HandlerError>) -> Result<(), HandlerError> {
        let _ = self.observed.ended.set(describe_end(&reason));
        match reason {
            DisconnectReason::ReceivedDisconnect(_) => Ok(()),
            DisconnectReason::Error(error) => Err(error),
        }
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _connected_address: &str,
        _connected_port: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), HandlerError> {
        self.refuse_channel(reply)
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), HandlerError> {
        self.refuse_channel(reply)
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), HandlerError> {
        self.refuse_channel(reply)
    }

    async fn server_channel_open_unknown(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), HandlerError> {
        self.refuse_channel(reply)
    }

    async fn server_channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), HandlerError> {
        self.refuse_channel(reply)
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host_to_connect: &str,
        _port_to_connect: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), HandlerError> {
        self.refuse_channel(reply)
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), HandlerError> {
        self.refuse_channel(reply)
    }

    async fn server_channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), HandlerError> {
        self.refuse_channel(reply)
    }
}

fn describe_end(reason: &DisconnectReason<HandlerError>) -> Ended {
    let plain = |reason| Ended { reason, server_message: None };
    match reason {
        DisconnectReason::ReceivedDisconnect(farewell) => Ended {
            reason: "the server disconnected",
            server_message: Some(printable(&farewell.message, SERVER_TEXT_LIMIT)),
        },
        DisconnectReason::Error(HandlerError::Ssh(error)) => plain(describe_ssh_error(error)),
        DisconnectReason::Error(HandlerError::Refused(_) | HandlerError::Looked) => plain("closed by this program"),
    }
}

fn describe_ssh_error(error: &russh::Error) -> &'static str {
    use std::io::ErrorKind;
    match error {
        russh::Error::Disconnect | russh::Error::HUP => "the server closed the connection",
        russh::Error::IO(source) => match source.kind() {
            ErrorKind::UnexpectedEof => "the server closed the connection",
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "the connection was reset",
            ErrorKind::TimedOut => "the server no longer takes data (write timeout)",
            ErrorKind::ConnectionAborted => "closed by this program",
            _ => "the network connection failed",
        },
        _ => "the server broke the SSH protocol",
    }
}

/// The error a failed step reports when the connection went away under it.
pub(super) fn connection_gone(target: &Target, step: ConnectStep, observed: &Observed) -> ConnectError {
    let server_message = observed.ended.get().and_then(|ended| ended.server_message.clone());
    ConnectError::Disconnected { target: target.clone(), step, server_message }
}
