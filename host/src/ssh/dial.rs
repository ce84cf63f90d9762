//! From a profile to an encrypted connection to a server whose key is recorded.
//!
//! Nothing secret is sent here: the connection is handed to `auth` only after `host_key` has agreed.
//! russh runs each connection in one task; [`Connection`] cuts the socket when dropped, so that task
//! never outlives its owner.

use std::{
    borrow::Cow,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use russh::{ChannelOpenFailure, Limits, SshId, client};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    algorithms,
    error::{ConnectError, ConnectStep, Target, host_and_port},
    handler::{ClientHandler, HandlerError, KeyPolicy, Observed},
    host_key,
    keepalive::{Keepalive, LastHeard},
    known_hosts::KnownHosts,
    proxy::{Ended, Proxy},
    socket::{GuardedStream, Transport},
    text::printable,
};

const REKEY_BYTES: usize = 1 << 30;
const REKEY_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Bytes the server may have in flight per channel. A terminal reads at once, so this bounds memory
/// more than it bounds speed.
const WINDOW_BYTES: u32 = 1024 * 1024;
/// Messages russh holds for our one channel before it stops reading the socket; with packets of at most
/// 32 KiB that is 1 MiB.
const CHANNEL_QUEUE_MESSAGES: usize = 32;
/// Addresses of one name that are tried; a name with more is answered by its first ones.
const ADDRESSES_TRIED: usize = 8;
/// No address gets less than this of the deadline, so that many dead ones cannot starve a slow live one.
const ADDRESS_MINIMUM: Duration = Duration::from_secs(1);
/// Longest DNS name (RFC 1035), and far above any user name in use.
const NAME_LIMIT_BYTES: usize = 255;
/// Where a channel through a hop claims to come from: servers only log it, and our own address is nobody's
/// business.
const ORIGINATOR: (&str, u32) = ("127.0.0.1", 0);
/// Names of algorithms kept from a server's offer for an error.
const OFFERS_KEPT: usize = 24;

/// An encrypted connection, not authenticated yet. Dropping it cuts the socket.
pub(super) struct Connection {
    pub(super) handle: client::Handle<ClientHandler>,
    pub(super) target: Target,
    /// The profile's.
    pub(super) name: String,
    pub(super) observed: Arc<Observed>,
    /// IP address and port; behind a hop, what the hop was asked to connect to.
    pub(super) address: String,
    /// The hop it runs over. Dropped after the handle, so that a farewell can still pass.
    pub(super) through: Option<Box<Connection>>,
    /// Limit for each further step.
    pub(super) step_limit: Duration,
    pub(super) keepalive: Option<Keepalive>,
    pub(super) heard: Arc<LastHeard>,
    /// The profile allows old algorithms.
    pub(super) legacy: bool,
    _cut: DropGuard,
    /// The program that carries it. Dropped after everything else, as the hop is.
    _proxy: Option<Proxy>,
}

impl Connection {
    /// The connections this one runs over, the nearest to it first.
    pub(super) fn hops(&self) -> impl Iterator<Item = &Connection> {
        std::iter::successors(self.through.as_deref(), |hop| hop.through.as_deref())
    }

    /// How reasons and addresses name it as a hop.
    pub(super) fn hop_name(&self) -> String {
        format!("the hop {} ({})", self.name, host_and_port(&self.target.host, self.target.port))
    }
}

/// How to connect, apart from where to.
#[derive(Clone)]
pub(super) struct DialOptions {
    /// The profile's, for messages.
    pub(super) name: String,
    pub(super) step_limit: Duration,
    /// None asks for no sign of life.
    pub(super) keepalive: Option<Keepalive>,
    /// Old algorithms too.
    pub(super) legacy: bool,
    /// When new keys are agreed on.
    pub(super) rekey: Limits,
    /// Carries the connection where no hop does.
    pub(super) proxy_command: Option<String>,
}

/// Refuses names that could not be host or user names, before they are resolved, sent or recorded.
pub(super) fn check_target(target: &Target) -> Result<(), ConnectError> {
    let invalid = |field, value: &str, why| {
        Err(ConnectError::InvalidTarget { field, value: printable(value, NAME_LIMIT_BYTES), why })
    };
    let host = &target.host;
    if host.is_empty() || host.len() > NAME_LIMIT_BYTES {
        return invalid("host", host, "a host name has 1 to 255 characters");
    }
    if host.starts_with('-') {
        return invalid("host", host, "a host name does not begin with a dash");
    }
    // Also the zone of a link-local address: fe80::1%eth0.
    let fits = |character: char| character.is_ascii_alphanumeric() || "-._:%".contains(character);
    if !host.chars().all(fits) {
        return invalid("host", host, "a host name has only letters, digits, dots, dashes, colons and underscores");
    }
    if target.port == 0 {
        return invalid("port", "0", "ports begin at 1");
    }
    if let Some(alias) = target.key_alias()
        && (alias.is_empty() || alias.len() > NAME_LIMIT_BYTES || alias.starts_with('-') || !alias.chars().all(fits))
    {
        return invalid("host_key_alias", alias, "it is written like a host name");
    }
    if let Some(user) = &target.user
        && (user.is_empty() || user.len() > NAME_LIMIT_BYTES || user.chars().any(char::is_control))
    {
        return invalid("user", user, "a user name has 1 to 255 characters and no control characters");
    }
    Ok(())
}

/// Connects, exchanges keys and lets `known` judge the server's key. With `through`, the connection is a
/// channel of that one, and owns it from then on; when this fails it stays with the caller.
pub(super) async fn dial(
    target: &Target,
    known: KnownHosts,
    options: DialOptions,
    through: &mut Option<Box<Connection>>,
) -> Result<Connection, ConnectError> {
    let mut config = client_config(&options);
    config.preferred.key = host_key::algorithms_to_ask(&known, target, options.legacy);
    config.preferred.host_key_certificates = host_key::certificates_to_ask(&known, target);
    let (mut dialling, stream) = match through.as_deref() {
        None => Dialling::start(target, &options).await?,
        Some(hop) => Dialling::start_through(target, options.step_limit, hop).await?,
    };
    dialling.keepalive = options.keepalive;
    dialling.name = options.name;
    dialling.legacy = options.legacy;
    let mut connection = dialling.exchange_keys(config, KeyPolicy::Recorded(known), stream).await?;
    connection.through = through.take();
    Ok(connection)
}

/// Connects, looks at the server's key and hangs up.
pub(super) async fn look_at_host_key(
    target: &Target,
    proxy_command: Option<&str>,
    step_limit: Duration,
) -> Result<host_key::PresentedKey, ConnectError> {
    // Nothing is sent but the exchange itself, and a person judges the key: old algorithms harm nobody here.
    let legacy = true;
    let options = DialOptions {
        name: String::new(),
        step_limit,
        keepalive: None,
        legacy,
        rekey: rekey_limits(),
        proxy_command: proxy_command.map(str::to_owned),
    };
    let mut config = client_config(&options);
    config.preferred.key = host_key::algorithms_to_ask(&KnownHosts::default(), target, legacy);
    let (mut dialling, stream) = Dialling::start(target, &options).await?;
    dialling.legacy = legacy;
    let observed = Arc::clone(&dialling.observed);
    let refusal = dialling.exchange_keys(config, KeyPolicy::OnlyLook, stream).await.err();
    match (observed.host_key.get(), refusal) {
        (Some(key), _) => Ok(key.clone()),
        (None, Some(refusal)) => Err(refusal),
        (None, None) => Err(protocol(target, ConnectStep::KeyExchange, russh::Error::Inconsistent)),
    }
}

/// A connection between TCP and the end of the key exchange.
struct Dialling {
    target: Target,
    proxy: Option<Proxy>,
    name: String,
    observed: Arc<Observed>,
    address: String,
    step_limit: Duration,
    keepalive: Option<Keepalive>,
    legacy: bool,
}

impl Dialling {
    /// Over TCP, or over what `proxy_command` gives.
    async fn start(target: &Target, options: &DialOptions) -> Result<(Self, Box<dyn Transport>), ConnectError> {
        match &options.proxy_command {
            None => Self::start_tcp(target, options.step_limit).await,
            Some(command) => {
                let (proxy, stream) = Proxy::start(command)
                    .map_err(|source| ConnectError::ProxyNotStarted { target: target.clone(), source })?;
                let address = host_and_port(&target.host, target.port);
                let dialling = Self::new(target, options.step_limit, address);
                Ok((Self { proxy: Some(proxy), ..dialling }, Box::new(stream)))
            }
        }
    }

    async fn start_tcp(target: &Target, step_limit: Duration) -> Result<(Self, Box<dyn Transport>), ConnectError> {
        let stream = open_tcp(target, step_limit).await?;
        let unreachable = |source| ConnectError::Unreachable { target: target.clone(), source };
        let address = stream.peer_addr().map_err(unreachable)?.to_string();
        // Keystrokes are small and must not wait for each other.
        stream.set_nodelay(true).map_err(unreachable)?;
        Ok((Self::new(target, step_limit, address), Box::new(stream)))
    }

    /// Asks a hop to connect to the target, and takes the channel for the connection.
    async fn start_through(
        target: &Target,
        step_limit: Duration,
        hop: &Connection,
    ) -> Result<(Self, Box<dyn Transport>), ConnectError> {
        let step = ConnectStep::Tunnel;
        let opening =
            hop.handle.channel_open_direct_tcpip(&*target.host, u32::from(target.port), ORIGINATOR.0, ORIGINATOR.1);
        let channel = match timeout(step_limit, opening).await {
            Ok(Ok(channel)) => channel,
            Ok(Err(russh::Error::ChannelOpenFailure(reason))) => {
                return Err(ConnectError::TunnelRefused {
                    target: target.clone(),
                    hop: hop.target.clone(),
                    why: tunnel_refusal(&reason),
                });
            }
            Ok(Err(error)) if is_hang_up(&error) => {
                return Err(super::handler::connection_gone(&hop.target, step, &hop.observed));
            }
            Ok(Err(error)) => return Err(protocol(target, step, error)),
            Err(_elapsed) => return Err(ConnectError::Timeout { target: target.clone(), step, after: step_limit }),
        };
        let dialling = Self::new(target, step_limit, host_and_port(&target.host, target.port));
        Ok((dialling, Box::new(channel.into_stream())))
    }

    fn new(target: &Target, step_limit: Duration, address: String) -> Self {
        let (target, observed) = (target.clone(), Arc::default());
        let name = String::new();
        Self { target, proxy: None, name, observed, address, step_limit, keepalive: None, legacy: false }
    }

    async fn exchange_keys(
        mut self,
        config: client::Config,
        policy: KeyPolicy,
        stream: Box<dyn Transport>,
    ) -> Result<Connection, ConnectError> {
        let cut = CancellationToken::new();
        let identified = Arc::new(AtomicBool::new(false));
        let heard = Arc::new(LastHeard::new());
        let stream = GuardedStream::new(stream, cut.clone(), Arc::clone(&identified), heard.clone());
        // From here on every way out cuts the socket, and with it russh's task.
        let cut_on_drop = cut.drop_guard();
        let handler = ClientHandler::new(self.target.clone(), policy, Arc::clone(&self.observed));
        let connecting = client::connect_stream(Arc::new(config), stream, handler);
        let outcome = timeout(self.step_limit, connecting).await;
        let step = match identified.load(Ordering::Relaxed) {
            true => ConnectStep::KeyExchange,
            false => ConnectStep::Identification,
        };
        match outcome {
            Ok(Ok(handle)) => Ok(Connection {
                handle,
                target: self.target,
                name: self.name,
                observed: self.observed,
                address: self.address,
                through: None,
                step_limit: self.step_limit,
                keepalive: self.keepalive,
                heard,
                legacy: self.legacy,
                _cut: cut_on_drop,
                _proxy: self.proxy,
            }),
            Ok(Err(error)) => Err(self.exchange_error(step, error).await),
            Err(_elapsed) => Err(ConnectError::Timeout { target: self.target, step, after: self.step_limit }),
        }
    }

    async fn exchange_error(&mut self, step: ConnectStep, error: HandlerError) -> ConnectError {
        let target = &self.target;
        match error {
            HandlerError::Refused(refusal) => *refusal,
            HandlerError::Looked => protocol(target, step, russh::Error::UnknownKey),
            HandlerError::Ssh(russh::Error::NoCommonAlgo { kind, theirs, .. }) => ConnectError::NoCommonAlgorithm {
                target: target.clone(),
                kind: format!("{kind:?}").to_lowercase(),
                legacy: self.legacy,
                server_offers: theirs.iter().take(OFFERS_KEPT).map(|name| printable(name, 64)).collect(),
            },
            HandlerError::Ssh(error) if is_hang_up(&error) => match proxy_end(self.proxy.as_mut()).await {
                Some(Ended { status, said }) => ConnectError::ProxyEnded { target: target.clone(), status, said },
                None => super::handler::connection_gone(target, step, &self.observed),
            },
            HandlerError::Ssh(error) => protocol(target, step, error),
        }
    }
}

async fn proxy_end(proxy: Option<&mut Proxy>) -> Option<Ended> {
    proxy?.ended().await
}

/// Why a hop does not connect onwards.
fn tunnel_refusal(reason: &ChannelOpenFailure) -> &'static str {
    match reason {
        ChannelOpenFailure::AdministrativelyProhibited => {
            "its server does not allow it (AllowTcpForwarding, PermitOpen, or the options of the key there)"
        }
        ChannelOpenFailure::ConnectFailed => "it cannot connect there; check host name and port as seen from the hop",
        ChannelOpenFailure::ResourceShortage => "it has no resources left",
        _ => "it gives no reason",
    }
}

/// Whether an error only says that the other side is gone.
pub(super) fn is_hang_up(error: &russh::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error {
        russh::Error::IO(source) => {
            matches!(source.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
        }
        other => matches!(
            other,
            russh::Error::Disconnect | russh::Error::HUP | russh::Error::SendError | russh::Error::RecvError
        ),
    }
}

pub(super) fn protocol(target: &Target, step: ConnectStep, source: russh::Error) -> ConnectError {
    ConnectError::Protocol { target: target.clone(), step, source: Box::new(source) }
}

fn client_config(options: &DialOptions) -> client::Config {
    client::Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-portcullis_", env!("CARGO_PKG_VERSION")))),
        window_size: WINDOW_BYTES,
        channel_buffer_size: CHANNEL_QUEUE_MESSAGES,
        preferred: algorithms::preferred(options.legacy),
        limits: options.rekey.clone(),
        // `keepalive` asks and decides. russh sends one more where that request is held back behind a full
        // window, a little later so that it is not doubled; only once authentication has ended, and it
        // never gives up by itself.
        keepalive_interval: options.keepalive.map(|keepalive| keepalive.interval * 5 / 4),
        keepalive_max: 0,
        ..client::Config::default()
    }
}

/// After a gibibyte either way, or an hour, new keys are agreed on (RFC 4253 §9). Much more often costs
/// speed, and much more rarely is more than AES in counter mode is made for.
pub(super) fn rekey_limits() -> Limits {
    Limits::new(REKEY_BYTES, REKEY_BYTES, REKEY_INTERVAL)
}

/// Tries the addresses of a name in order, all within one deadline.
async fn open_tcp(target: &Target, limit: Duration) -> Result<TcpStream, ConnectError> {
    let deadline = Instant::now() + limit;
    let unreachable = |source| ConnectError::Unreachable { target: target.clone(), source };
    let too_slow = || ConnectError::Timeout { target: target.clone(), step: ConnectStep::Tcp, after: limit };
    let lookup = tokio::net::lookup_host((&*target.host, target.port));
    let addresses: Vec<SocketAddr> = match timeout_at(deadline, lookup).await {
        Ok(found) => found.map_err(unreachable)?.take(ADDRESSES_TRIED).collect(),
        Err(_elapsed) => return Err(too_slow()),
    };
    let mut failure = None;
    for (index, address) in addresses.iter().enumerate() {
        let still_to_try = u32::try_from(addresses.len() - index).unwrap_or(1);
        let share = deadline.saturating_duration_since(Instant::now()) / still_to_try;
        let until = (Instant::now() + share.max(ADDRESS_MINIMUM)).min(deadline);
        match timeout_at(until, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = Some(error),
            Err(_elapsed) => {
                tracing::debug!(address = %host_and_port(&address.ip().to_string(), address.port()), "no answer")
            }
        }
    }
    // A refusal says more than a silence.
    Err(failure.map_or_else(too_slow, unreachable))
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
