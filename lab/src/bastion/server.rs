//! Accepting, authentication and the requests of a connection. What a channel does happens in
//! its own task; here its requests are only answered.
//!
//! russh remembers one pending reply per channel, so replies are given in the callbacks, not
//! later from the channel's task, where a second request could have overtaken the first.

use std::sync::Arc;
use std::time::Duration;

use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey, run_stream};
use russh::{Channel, ChannelId, MethodKind, MethodSet, Pty};
use tokio::net::{TcpListener, TcpStream};
use tracing::debug;

use super::{BastionOptions, Shared, channel, host_key, lock};
use crate::LabError;

/// A refused login answers after this time; long enough to look like a real server's pause,
/// short enough for tests.
const REJECTION_PAUSE: Duration = Duration::from_millis(100);
/// Messages a channel's task may be behind before the connection waits for it.
const CHANNEL_BACKLOG: usize = 1024;
const AUTH_ATTEMPTS_MAX: usize = 6;

/// The host key as text, and russh's settings with it.
pub(super) fn settings(seed: [u8; 32], options: &BastionOptions) -> Result<(String, russh::server::Config), LabError> {
    let key = host_key(seed);
    let text = key.public_key().to_openssh().map_err(|source| LabError::HostKey { source })?;
    let mut methods = MethodSet::empty();
    if !options.authorized_keys.is_empty() {
        methods.push(MethodKind::PublicKey);
    }
    if options.password.is_some() {
        methods.push(MethodKind::Password);
    }
    let settings = russh::server::Config {
        methods,
        auth_rejection_time: REJECTION_PAUSE,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key],
        channel_buffer_size: CHANNEL_BACKLOG,
        max_auth_attempts: AUTH_ATTEMPTS_MAX,
        inactivity_timeout: None,
        nodelay: true,
        ..Default::default()
    };
    // Algorithm and key only: a comment has no place in a known_hosts line.
    let text: Vec<&str> = text.split_whitespace().take(2).collect();
    Ok((text.join(" "), settings))
}

/// Accepts connections until aborted.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _peer)) => {
                if let Err(error) = serve(stream, &shared) {
                    debug!(%error, "a connection could not be set up");
                }
            }
            Err(error) => {
                debug!(%error, "accepting failed");
                // Out of descriptors, usually: turning at once would only burn time.
                tokio::time::sleep(REJECTION_PAUSE).await;
            }
        }
    }
}

fn serve(stream: TcpStream, shared: &Arc<Shared>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let stream = stream.into_std()?;
    let Some(number) = shared.connections.add(stream.try_clone()?) else {
        return Ok(());
    };
    let connection = Registered { shared: Arc::clone(shared), number };
    let stream = TcpStream::from_std(stream)?;
    let settings = Arc::clone(&lock(&shared.server_settings));
    let handler = Connection { shared: Arc::clone(shared), number };
    tokio::spawn(async move {
        let _connection = connection;
        let ended = match run_stream(settings, stream, handler).await {
            Ok(session) => session.await,
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            debug!(%error, "a connection ended with an error");
        }
    });
    Ok(())
}

/// Takes a connection off the list when it is over, in whatever way.
struct Registered {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.shared.connections.remove(self.number);
    }
}

/// One connection, as russh calls it.
struct Connection {
    shared: Arc<Shared>,
    number: u64,
}

impl Connection {
    fn knows(&self, user: &str, key: &PublicKey) -> bool {
        let options = &self.shared.options;
        user == options.user && self.shared.authorized_keys.iter().any(|known| known.key_data() == key.key_data())
    }
}

fn verdict(accepted: bool) -> Auth {
    if accepted { Auth::Accept } else { Auth::reject() }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        let options = &self.shared.options;
        Ok(verdict(user == options.user && options.password.as_deref() == Some(password)))
    }

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        Ok(verdict(self.knows(user, offer.public_key)))
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        Ok(verdict(self.knows(user, key.public_key)))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        tokio::spawn(channel::run(channel, Arc::clone(&self.shared), self.number));
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width_pixels: u32,
        _height_pixels: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single_connection: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn agent_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<bool, Self::Error> {
        session.channel_failure(channel)?;
        Ok(false)
    }
}
