//! What can go wrong when the lab is set up. Failures inside a running session are said in its
//! terminal, as a real host would.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why the lab could not be started, installed or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The shells behind the server are real, so it must not be reachable from elsewhere.
    #[error("the bastion serves real shells and listens on loopback only, not on {address}; use 127.0.0.1 or [::1]")]
    NotLoopback {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The port is taken or not allowed.
    #[error("cannot listen on {address}; choose another port, or port 0 for any free one")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The tree of logs could not be written.
    #[error("cannot write logs below {}", folder.display())]
    Logs {
        /// Where they were to be.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Neither a password nor a key: nobody could ever log in.
    #[error("nobody could log in: give the bastion a password, an authorized key, or both")]
    NoWayIn,
    /// A line of the authorized keys is not a public key.
    #[error("authorized key number {number} is not an OpenSSH public key line")]
    AuthorizedKey {
        /// Position in the list, from 1.
        number: usize,
        /// What the key parser said.
        #[source]
        source: russh::keys::ssh_key::Error,
    },
    /// The host key could not be made or written down.
    #[error("cannot make the bastion's host key")]
    HostKey {
        /// What the key library said.
        #[source]
        source: russh::keys::ssh_key::Error,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for the bastion's host key")]
    Random {
        /// What the system said.
        #[source]
        source: getrandom::Error,
    },
    /// A file or directory of the lab could not be used.
    #[error("cannot {action} {}; check that the directory exists and is yours", path.display())]
    File {
        /// What was attempted, as a verb: `create`, `read`, `write`, `remove`, `rename`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A start-up file holds half of the lab's block, so it is not known what to take out.
    #[error(
        "{} holds a damaged lab block near line {line}: a start without its end, or the reverse; repair it by hand, nothing was changed",
        path.display()
    )]
    DamagedBlock {
        /// The start-up file.
        path: PathBuf,
        /// The line of the odd marker, from 1.
        line: usize,
    },
    /// A directory name that a start-up script could not carry safely.
    #[error("the directory name {} is not plain text on one line; choose another", path.display())]
    AwkwardPath {
        /// The directory.
        path: PathBuf,
    },
}

impl LabError {
    /// For `map_err`: ties a system error to the file it happened on.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { action, path, source }
    }
}
