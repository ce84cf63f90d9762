//! The bastion: an SSH server on loopback, with the menu or straight with a shell.
//!
//! What it is: a double that behaves like the real thing as far as a client can tell: password
//! and public key, a PTY with size, environment requests, exec channels, real shells. What it is
//! not: a server to be reached from elsewhere; it refuses to listen beyond loopback.
//!
//! Who calls it: `demo`, tests, benchmarks, `portcullis-lab serve`.
//!
//! Tasks: one accept task; per connection russh's own task; per channel one task
//! ([`channel`](self::channel)). Dropping [`Bastion`] ends them all, cuts every connection and
//! ends every process started, before `drop` returns.

mod channel;
mod output;
mod program;
mod server;

use std::collections::HashMap;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{PrivateKey, PublicKey};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::menus::MenuOptions;
use crate::{LabError, install, processes};

/// What a login meets first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Front {
    /// The menu; behind it the master shell.
    #[default]
    Cmsm,
    /// A real shell at once, for what needs no menu.
    Shell,
    /// A line menu in the manner of JumpServer's.
    Koko,
    /// A full-screen list in the manner of Warpgate's.
    Picker,
    /// A plain numbered list.
    Numbered,
}

/// What the bastion does wrong on purpose. The default is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    /// The banner is shown; then no prompt and no answer, ever.
    pub silent_menu: bool,
    /// The TCP connection is cut, without any goodbye, after this many bytes of a channel's output.
    pub drop_after_bytes: Option<u64>,
    /// Wait before every piece of output.
    pub latency: Duration,
    /// Makes each wait another one, between nothing and twice the latency, from a generator that
    /// starts with this number.
    pub jitter_seed: Option<u64>,
    /// Output goes out in pieces of at most this many bytes, so that characters and escape
    /// sequences arrive torn.
    pub chunk_bytes: Option<usize>,
}

/// How to set up a bastion.
#[derive(Clone)]
pub struct BastionOptions {
    /// Loopback address to listen on; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Scratch directory for homes, pods and programs. Left in place at the end.
    pub home: PathBuf,
    /// The one user who may log in.
    pub user: String,
    /// The password, where passwords are accepted.
    pub password: Option<String>,
    /// Public keys that may log in, as in an `authorized_keys` file.
    pub authorized_keys: Vec<String>,
    /// What a login meets.
    pub front: Front,
    /// What the menus of [`crate::menus`] offer, and what is wrong with them.
    pub menu: MenuOptions,
    /// What the menu asks for before it leads to a host; nothing without one.
    pub target_password: Option<String>,
    /// What goes wrong.
    pub faults: Faults,
    /// Seed of the ed25519 host key; a fresh random key without one.
    pub host_key_seed: Option<[u8; 32]>,
    /// Program and first arguments that act as `kubectl`; the rest of the line is put behind
    /// them. Without any, the shells have no `kubectl` of the lab.
    pub kubectl_command: Vec<String>,
}

impl BastionOptions {
    /// The menu on any free loopback port; no way to log in yet.
    #[must_use]
    pub fn new(home: impl Into<PathBuf>, user: impl Into<String>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            home: home.into(),
            user: user.into(),
            password: None,
            authorized_keys: Vec::new(),
            front: Front::Cmsm,
            menu: MenuOptions::default(),
            target_password: None,
            faults: Faults::default(),
            host_key_seed: None,
            kubectl_command: Vec::new(),
        }
    }
}

/// A running bastion; it stops when this is dropped.
pub struct Bastion {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its host key: algorithm and key, as they stand in a known_hosts line.
    pub host_key: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// What the server's tasks share.
struct Shared {
    options: BastionOptions,
    authorized_keys: Vec<PublicKey>,
    /// Names the processes of this bastion, and of no other.
    marker: String,
    next_session: AtomicU64,
    /// Settings of connections to come; another host key makes a new one.
    server_settings: Mutex<Arc<russh::server::Config>>,
    connections: Connections,
    shells: Mutex<Shells>,
}

/// The programs now running, by process id, which is also their process group.
enum Shells {
    Open(Vec<u32>),
    /// The bastion is being dropped; no further program may start.
    Closed,
}

/// Starts a bastion in the current tokio runtime.
///
/// # Errors
/// [`LabError`]: an address beyond loopback, a port that is taken, nobody who could log in, a
/// public key that is none, or a scratch directory that cannot be written.
pub async fn start(options: BastionOptions) -> Result<Bastion, LabError> {
    if !options.listen.ip().is_loopback() {
        return Err(LabError::NotLoopback { address: options.listen });
    }
    if options.password.is_none() && options.authorized_keys.is_empty() {
        return Err(LabError::NoWayIn);
    }
    let authorized_keys = parse_keys(&options.authorized_keys)?;
    std::fs::create_dir_all(&options.home).map_err(LabError::file("create", &options.home))?;
    let home = std::fs::canonicalize(&options.home).map_err(LabError::file("read", &options.home))?;
    if !options.kubectl_command.is_empty() {
        install::write_kubectl(&home, &options.kubectl_command)?;
    }
    if matches!(options.front, Front::Koko | Front::Picker | Front::Numbered) {
        install::write_identity(&home)?;
    }
    let seed = options.host_key_seed.map_or_else(random_seed, Ok)?;
    let (host_key, settings) = server::settings(seed, &options)?;
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|source| LabError::Listen { address: options.listen, source })?;
    let address = listener.local_addr().map_err(|source| LabError::Listen { address: options.listen, source })?;
    let shared = Arc::new(Shared {
        options: BastionOptions { home, ..options },
        authorized_keys,
        marker: marker()?,
        next_session: AtomicU64::new(1),
        server_settings: Mutex::new(Arc::new(settings)),
        connections: Connections::default(),
        shells: Mutex::new(Shells::Open(Vec::new())),
    });
    let accepting = tokio::spawn(server::accept(listener, Arc::clone(&shared)));
    Ok(Bastion { address, host_key, shared, accepting })
}

impl Bastion {
    /// The line a known_hosts file needs for this bastion, with its line end.
    #[must_use]
    pub fn known_hosts_line(&self) -> String {
        format!("[{}]:{} {}\n", self.address.ip(), self.address.port(), self.host_key)
    }

    /// Gives connections to come another, random host key. Connections that are up keep theirs.
    ///
    /// # Errors
    /// [`LabError::Random`] or [`LabError::HostKey`]; the old key then stays.
    pub fn change_host_key(&mut self) -> Result<(), LabError> {
        let (host_key, settings) = server::settings(random_seed()?, &self.shared.options)?;
        *lock(&self.shared.server_settings) = Arc::new(settings);
        self.host_key = host_key;
        Ok(())
    }

    /// Connections that are up now.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.shared.connections.count()
    }

    /// Cuts every connection without a goodbye, as a broken link would. New ones are accepted.
    pub fn cut_connections(&self) {
        self.shared.connections.cut_all();
    }
}

impl Drop for Bastion {
    fn drop(&mut self) {
        self.accepting.abort();
        self.shared.connections.close();
        if let Shells::Open(leaders) = std::mem::replace(&mut *lock(&self.shared.shells), Shells::Closed) {
            leaders.into_iter().for_each(processes::end_group);
        }
        processes::end_all(&format!("{}.", self.shared.marker));
    }
}

/// The sockets of the connections that are up, to cut them from outside.
#[derive(Default)]
struct Connections {
    state: Mutex<ConnectionState>,
}

#[derive(Default)]
struct ConnectionState {
    closed: bool,
    next: u64,
    sockets: HashMap<u64, TcpStream>,
}

impl Connections {
    /// Remembers a socket; `None` when the bastion is closing and the connection must not start.
    fn add(&self, socket: TcpStream) -> Option<u64> {
        let mut state = lock(&self.state);
        if state.closed {
            return None;
        }
        let number = state.next;
        state.next += 1;
        state.sockets.insert(number, socket);
        Some(number)
    }

    fn remove(&self, number: u64) {
        lock(&self.state).sockets.remove(&number);
    }

    fn cut(&self, number: u64) {
        if let Some(socket) = lock(&self.state).sockets.get(&number) {
            cut(socket);
        }
    }

    fn cut_all(&self) {
        lock(&self.state).sockets.values().for_each(cut);
    }

    fn close(&self) {
        lock(&self.state).closed = true;
        self.cut_all();
    }

    fn count(&self) -> usize {
        lock(&self.state).sockets.len()
    }
}

fn cut(socket: &TcpStream) {
    // Already closed by the other side is what we want.
    let _closed = socket.shutdown(Shutdown::Both);
}

/// Nothing is left half changed under these locks, so a panic elsewhere does not matter.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn parse_keys(lines: &[String]) -> Result<Vec<PublicKey>, LabError> {
    let parse = |(index, line): (usize, &String)| {
        PublicKey::from_openssh(line.trim()).map_err(|source| LabError::AuthorizedKey { number: index + 1, source })
    };
    lines.iter().enumerate().map(parse).collect()
}

fn random_seed() -> Result<[u8; 32], LabError> {
    let mut seed = [0_u8; 32];
    getrandom::fill(&mut seed).map_err(|source| LabError::Random { source })?;
    Ok(seed)
}

fn marker() -> Result<String, LabError> {
    let seed = random_seed()?;
    Ok(seed.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

fn host_key(seed: [u8; 32]) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&seed))
}

impl Shared {
    /// A marker for the processes of one channel.
    fn session_marker(&self) -> String {
        // The dot at the end keeps session 1 from being a beginning of session 10.
        format!("{}.{}.", self.marker, self.next_session.fetch_add(1, Ordering::Relaxed))
    }
}
