//! Finding an ssh-agent, and which of its keys may be used.
//!
//! Clients of this program often strip its environment, so besides `SSH_AUTH_SOCK` the sockets are asked
//! at which agents usually listen. The first agent that has a usable key is taken; of every other place
//! the reason is kept, because "no agent" alone helps nobody. The private keys stay in the agent.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use russh::keys::{
    Algorithm, PublicKey,
    agent::{
        AgentIdentity, AgentSessionBinding,
        client::{AgentClient, AgentStream},
    },
    ssh_key::public::KeyData,
};
use tokio::time::timeout;

use super::known_hosts;

/// An agent answers from memory. One that takes longer waits for something nobody sees.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Keys offered of an agent whose keys were not narrowed down. OpenSSH's servers hang up at the sixth
/// failure (`MaxAuthTries`), and a password may still follow.
const KEYS_OFFERED: usize = 5;
/// Sockets of one folder that are tried; stale ones stay behind there.
const SOCKETS_OF_A_FOLDER: usize = 8;

/// Under `$XDG_RUNTIME_DIR`: the user services of ssh-agent, GNOME's two keyrings, gpg-agent.
const RUNTIME_SOCKETS: &[&str] =
    &["ssh-agent.socket", "openssh_agent", "keyring/ssh", "gcr/ssh", "gnupg/S.gpg-agent.ssh"];
/// Under the home folder: 1Password on Linux and macOS, Bitwarden, gpg-agent.
const HOME_SOCKETS: &[&str] = &[
    ".1password/agent.sock",
    "Library/Group Containers/2BUA8C4S2C.com.1password/t/agent.sock",
    ".bitwarden-ssh-agent.sock",
    ".gnupg/S.gpg-agent.ssh",
];
/// Where ssh-agent makes its sockets since OpenSSH 10.1, with names nobody can guess.
const AGENT_FOLDER: &str = ".ssh/agent";
const SOCKET_VARIABLE: &str = "SSH_AUTH_SOCK";

pub(super) type Client = AgentClient<Box<dyn AgentStream + Send + Unpin>>;

/// What a profile asks of an agent.
#[derive(Debug)]
pub(super) struct Request {
    /// The only place to look at.
    pub(super) socket: Option<PathBuf>,
    /// The only keys to use, in this order; empty means any.
    pub(super) only: Vec<PublicKey>,
}

/// An agent that holds at least one usable key.
pub(super) struct Agent {
    pub(super) client: Client,
    pub(super) socket: PathBuf,
    pub(super) keys: Vec<AgentIdentity>,
    /// Usable keys beyond those that are offered.
    pub(super) left_out: usize,
    bound: bool,
}

/// A place where no usable agent was found.
#[derive(Debug)]
pub struct AgentPlace {
    /// A variable's name or a socket's path.
    pub place: String,
    pub trouble: AgentTrouble,
}

/// Why no key came from an agent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentTrouble {
    #[error("not set")]
    NotSet,
    #[error("no such socket")]
    Missing,
    #[error("cannot be connected to ({0})")]
    Unreachable(#[source] io::Error),
    #[error("no answer within {} s", .limit.as_secs())]
    Silent { limit: Duration },
    #[error("the agent holds no key (ssh-add adds one)")]
    NoKeys,
    #[error("of the {held} keys the agent holds none is among those the profile names with `only`")]
    NoneOfThese { held: usize },
    #[error("does not answer like an agent ({0})")]
    Failed(#[from] russh::keys::Error),
}

impl fmt::Display for AgentPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.trouble)
    }
}

/// The parts of the surroundings that say where agents listen.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    socket: Option<PathBuf>,
    runtime: Option<PathBuf>,
    home: Option<PathBuf>,
}

impl Surroundings {
    pub(super) fn of_this_process() -> Self {
        let variable =
            |name| std::env::var_os(name).filter(|value: &std::ffi::OsString| !value.is_empty()).map(PathBuf::from);
        Self {
            socket: variable(SOCKET_VARIABLE),
            runtime: variable("XDG_RUNTIME_DIR").or_else(runtime_folder_by_user),
            home: std::env::home_dir(),
        }
    }
}

/// `/run/user/ID`, which is where `XDG_RUNTIME_DIR` points where it is not stripped.
#[cfg(unix)]
fn runtime_folder_by_user() -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let user = std::fs::metadata("/proc/self").ok()?.uid();
    Some(PathBuf::from(format!("/run/user/{user}"))).filter(|folder| folder.is_dir())
}

#[cfg(not(unix))]
fn runtime_folder_by_user() -> Option<PathBuf> {
    None
}

/// The sockets that are asked when none is named.
pub(super) fn usual_sockets() -> Vec<PathBuf> {
    places(&Surroundings::of_this_process())
}

/// The sockets to ask, in order, each once.
fn places(around: &Surroundings) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = around.socket.iter().cloned().collect();
    if let Some(runtime) = &around.runtime {
        places.extend(RUNTIME_SOCKETS.iter().map(|name| runtime.join(name)));
    }
    if let Some(home) = &around.home {
        places.extend(newest_of(&home.join(AGENT_FOLDER)));
        places.extend(HOME_SOCKETS.iter().map(|name| home.join(name)));
    }
    let mut seen = std::collections::HashSet::new();
    places.retain(|place| seen.insert(place.clone()));
    places
}

/// The newest entries of a folder; none when there is no such folder.
fn newest_of(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> =
        entries.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()))).collect();
    found.sort_by(|one, other| other.cmp(one));
    found.into_iter().take(SOCKETS_OF_A_FOLDER).map(|(_, path)| path).collect()
}

/// Looks for an agent with a usable key; otherwise tells of every place what was wrong there.
pub(super) async fn find(request: &Request, around: &Surroundings) -> Result<Agent, Vec<AgentPlace>> {
    let mut useless = Vec::new();
    let sockets = match &request.socket {
        Some(socket) => vec![socket.clone()],
        None => {
            if around.socket.is_none() {
                useless.push(AgentPlace { place: SOCKET_VARIABLE.to_owned(), trouble: AgentTrouble::NotSet });
            }
            places(around)
        }
    };
    for socket in sockets {
        let asking = timeout(ANSWER_LIMIT, ask(&socket, &request.only));
        match asking.await.unwrap_or(Err(AgentTrouble::Silent { limit: ANSWER_LIMIT })) {
            Ok(agent) => return Ok(agent),
            Err(trouble) => useless.push(AgentPlace { place: socket.display().to_string(), trouble }),
        }
    }
    Err(useless)
}

async fn ask(socket: &Path, only: &[PublicKey]) -> Result<Agent, AgentTrouble> {
    let mut client = connect(socket).await?;
    let held = client.request_identities().await?;
    if held.is_empty() {
        return Err(AgentTrouble::NoKeys);
    }
    let held_count = held.len();
    let mut keys = usable(held, only);
    if keys.is_empty() {
        return Err(AgentTrouble::NoneOfThese { held: held_count });
    }
    let offered = if only.is_empty() { KEYS_OFFERED } else { keys.len() };
    let left_out = keys.len().saturating_sub(offered);
    keys.truncate(offered);
    Ok(Agent { client, socket: socket.to_owned(), keys, left_out, bound: false })
}

#[cfg(unix)]
async fn connect(socket: &Path) -> Result<Client, AgentTrouble> {
    match AgentClient::connect_uds(socket).await {
        Ok(client) => Ok(client.dynamic()),
        Err(russh::keys::Error::IO(error)) if error.kind() == io::ErrorKind::NotFound => Err(AgentTrouble::Missing),
        Err(russh::keys::Error::IO(error)) => Err(AgentTrouble::Unreachable(error)),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
async fn connect(_socket: &Path) -> Result<Client, AgentTrouble> {
    Err(AgentTrouble::Unreachable(io::ErrorKind::Unsupported.into()))
}

/// The keys that may be used. DSA is not: no server this program speaks to takes it.
fn usable(held: Vec<AgentIdentity>, only: &[PublicKey]) -> Vec<AgentIdentity> {
    let held: Vec<AgentIdentity> =
        held.into_iter().filter(|key| key.public_key().algorithm() != Algorithm::Dsa).collect();
    if only.is_empty() {
        return held;
    }
    let same = |key: &AgentIdentity, wanted: &KeyData| key.public_key().key_data() == wanted;
    only.iter().flat_map(|wanted| held.iter().filter(move |key| same(key, wanted.key_data())).cloned()).collect()
}

impl Agent {
    /// Tells the agent, once, which connection its signatures are for. It needs that for keys limited to
    /// some hosts; agents that do not know the request refuse it, and nothing is lost.
    pub(super) async fn bind(&mut self, binding: Option<&AgentSessionBinding>) {
        let Some(binding) = binding.filter(|_| !std::mem::replace(&mut self.bound, true)) else { return };
        if let Err(error) = self.client.bind_session(binding, false).await {
            tracing::debug!(%error, socket = %self.socket.display(), "the agent takes no binding to a connection");
        }
    }

    /// Type and fingerprint of a key and where it is, for people.
    pub(super) fn label(&self, key: &AgentIdentity) -> String {
        let public = key.public_key();
        let fingerprint = public.to_bytes().map(|wire| known_hosts::fingerprint(&wire)).unwrap_or_default();
        let kind = match key {
            AgentIdentity::PublicKey { .. } => "publickey",
            AgentIdentity::Certificate { .. } => "certificate",
        };
        format!("{kind} ({} {fingerprint} from the agent at {})", public.algorithm().as_str(), self.socket.display())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_variable_comes_first_and_no_place_twice() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(AGENT_FOLDER);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("s.one"), "").unwrap();
        let around = Surroundings {
            socket: Some("/run/user/7/keyring/ssh".into()),
            runtime: Some("/run/user/7".into()),
            home: Some(home.path().to_owned()),
        };
        let found = places(&around);
        assert_eq!(found[0], Path::new("/run/user/7/keyring/ssh"));
        assert_eq!(found.iter().filter(|place| place.ends_with("keyring/ssh")).count(), 1);
        assert!(found.contains(&folder.join("s.one")), "{found:?}");
        assert!(found.contains(&home.path().join(".1password/agent.sock")), "{found:?}");
    }

    #[tokio::test]
    async fn every_place_is_told_with_what_was_wrong_there() {
        let runtime = tempfile::tempdir().unwrap();
        std::fs::write(runtime.path().join("openssh_agent"), "").unwrap();
        // Accepted by the kernel, and answered by nobody: the test's clock does not wait for it.
        let silent = tokio::net::UnixListener::bind(runtime.path().join("ssh-agent.socket")).unwrap();
        let around = Surroundings { socket: None, runtime: Some(runtime.path().to_owned()), home: None };
        tokio::time::pause();
        let request = Request { socket: None, only: Vec::new() };
        let useless = find(&request, &around).await.err().unwrap();
        drop(silent);
        let told: Vec<(&str, String)> =
            useless.iter().map(|at| (at.place.rsplit('/').next().unwrap(), at.trouble.to_string())).collect();
        assert_eq!(told[0], (SOCKET_VARIABLE, "not set".to_owned()));
        assert_eq!(told[1], ("ssh-agent.socket", "no answer within 5 s".to_owned()));
        assert!(matches!(useless[2].trouble, AgentTrouble::Unreachable(_)), "{told:?}");
        assert_eq!(told[3], ("ssh", "no such socket".to_owned()));
        assert_eq!(useless.len(), 1 + RUNTIME_SOCKETS.len());
    }
}
