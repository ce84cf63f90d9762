//! The viewer's server: a person's browser on one side, the sessions on the other.
//!
//! What it is: an HTTP and WebSocket adapter on a loopback address. It serves the embedded page,
//! the list of sessions, and one live terminal per connection. What it is not: it keeps no terminal
//! state, decides nothing about commands and never writes to a session except through
//! [`Backend::send_human_keys`], behind which the gate stands.
//!
//! Who calls it: the program, once per launch, through [`serve`]. Everything it needs of the host
//! is the small [`Backend`] trait, so this folder names no other module but the one that accepts connections and the clock.
//!
//! Two doors: its own, with links, and one for a proxy where that is configured.
//!
//! Tasks: one that accepts at each door, one per connection, one per upgraded socket. All of them end when the
//! token given to [`serve`] is cancelled, and [`WebServer::stopped`] waits for that. Channels: per
//! terminal socket a bounded one for replies (reader to writer) and a watch for acknowledgements.

mod access;
mod assets;
mod backend;
mod events;
mod metrics;
mod predecessors;
pub mod protocol;
mod proxy;
pub mod roles;
mod router;
mod socket;
mod terminal;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::listen;

pub use proxy::{ProxyOptions, SECRET_HEADER};

pub use backend::{
    AnswerRefused, AttachError, AttachFrom, Attached, Backend, ControlRefused, KeysError, LiveEvent, LiveEvents,
    LiveItem, RulesChange, SearchRefused,
};

/// How many ports above the first are tried before giving up.
const PORT_CANDIDATES: u16 = 100;

/// Searches of the record at once; each reads files as fast as it can.
const SEARCHES: usize = 2;

/// Fewest characters of an accepted token: 128 bits written in base64 take 22.
const SHORTEST_TOKEN: usize = 22;

/// What the program chooses about the viewer's server.
pub struct WebOptions {
    /// The address to listen on. It has to be a loopback address.
    pub bind: IpAddr,
    /// The first port tried; busy ones are passed over upwards. 0 takes any free port.
    pub first_port: u16,
    /// The secrets of this launch: at least 128 random bits each, written in URL-safe characters.
    pub tokens: roles::Tokens,
    /// A further way in, for a proxy that says who a person is.
    pub proxy: Option<ProxyOptions>,
}

/// Why the viewer could not be started.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// Without transport encryption the viewer must stay on this machine.
    #[error("the viewer listens on loopback addresses only, and {0} is none; use 127.0.0.1 or ::1")]
    NotLoopback(IpAddr),
    /// A short token could be guessed.
    #[error("the viewer's token is shorter than {SHORTEST_TOKEN} characters; give it 128 random bits or more")]
    WeakToken,
    /// So could a short secret of the proxy.
    #[error(
        "the secret of the viewer's proxy is shorter than {SHORTEST_TOKEN} characters; give it 128 random bits or more"
    )]
    WeakSecret,
    /// All candidates are taken.
    #[error("ports {first} to {last} are all in use; choose another first port for the viewer")]
    NoFreePort {
        /// The first port tried.
        first: u16,
        /// The last port tried.
        last: u16,
    },
    /// The operating system refused the address for another reason.
    #[error("the viewer cannot listen on {address}; choose another address or port")]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Without random numbers nobody can be told apart from anybody.
    #[error("the system gave no random numbers for the viewer's sessions")]
    Random(#[source] getrandom::Error),
}

/// A running viewer server.
pub struct WebServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it listens for the proxy; none where there is none, or another host has its address.
    pub proxy_address: Option<SocketAddr>,
    /// Names this launch; a page that sees another one knows that its state is stale.
    pub instance_id: String,
    acceptors: Vec<JoinHandle<()>>,
    tasks: TaskTracker,
}

impl WebServer {
    /// Waits until every connection has ended. Returns soon after the shutdown token is cancelled.
    pub async fn stopped(self) {
        for acceptor in self.acceptors {
            // A panic in it has been reported by the runtime; the connections still end.
            let _ = acceptor.await;
        }
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Starts the viewer's server and returns once it listens.
///
/// # Errors
/// See [`WebError`]; nothing is left running then.
pub async fn serve<B: Backend>(
    backend: B,
    options: WebOptions,
    shutdown: CancellationToken,
) -> Result<WebServer, WebError> {
    if !options.bind.is_loopback() {
        return Err(WebError::NotLoopback(options.bind));
    }
    if options.tokens.iter().any(|(_, token)| token.len() < SHORTEST_TOKEN) {
        return Err(WebError::WeakToken);
    }
    let secret = options.proxy.as_ref().and_then(|proxy| proxy.secret.as_ref());
    if secret.is_some_and(|secret| secret.len() < SHORTEST_TOKEN) {
        return Err(WebError::WeakSecret);
    }
    let instance_id = access::random_hex::<8>().map_err(WebError::Random)?;
    let (listener, address) = bind(options.bind, options.first_port).await?;
    let tasks = TaskTracker::new();
    let context = socket::SocketContext::new(instance_id.clone(), shutdown.clone(), tasks.clone());
    let searches = Arc::new(Semaphore::new(SEARCHES));
    let open = |listener: TcpListener, door: access::Door| {
        let shared = router::Shared {
            backend: backend.clone(),
            door,
            context: context.clone(),
            searches: Arc::clone(&searches),
        };
        tokio::spawn(listen::accept(listener, router::build(shared), tasks.clone(), shutdown.clone()))
    };
    let mut acceptors = Vec::new();
    let mut proxy_address = None;
    let refused = options.proxy.as_ref().map(|proxy| proxy.user_header.clone());
    if let Some(proxy) = options.proxy {
        match bind_exactly(proxy.listen).await? {
            Some((listener, address)) => {
                tracing::info!(%address, "viewer listens for its proxy");
                proxy_address = Some(address);
                acceptors.push(open(listener, access::Door::Proxy(proxy)));
            }
            None => tracing::warn!(address = %proxy.listen, "another program has the address for the viewer's proxy"),
        }
    }
    let access = access::Access::new(options.tokens, address.port());
    acceptors.push(open(listener, access::Door::Own { access, refused }));
    tracing::info!(%address, "viewer listens");
    Ok(WebServer { address, proxy_address, instance_id, acceptors, tasks })
}

/// A proxy is set up for one address, so no other is taken. None where another host has it: then that one is behind
/// the proxy, and this one goes on without.
async fn bind_exactly(wanted: SocketAddr) -> Result<Option<(TcpListener, SocketAddr)>, WebError> {
    match TcpListener::bind(wanted).await.and_then(|it| Ok((it.local_addr()?, it))) {
        Ok((address, listener)) => Ok(Some((listener, address))),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
        Err(source) => Err(WebError::Bind { address: wanted, source }),
    }
}

async fn bind(ip: IpAddr, first_port: u16) -> Result<(TcpListener, SocketAddr), WebError> {
    let last = if first_port == 0 { 0 } else { first_port.saturating_add(PORT_CANDIDATES - 1) };
    for port in first_port..=last {
        let wanted = SocketAddr::new(ip, port);
        match TcpListener::bind(wanted).await.and_then(|it| Ok((it.local_addr()?, it))) {
            Ok((address, listener)) => return Ok((listener, address)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(source) => {
                return Err(WebError::Bind { address: wanted, source });
            }
        }
    }
    Err(WebError::NoFreePort { first: first_port, last })
}
