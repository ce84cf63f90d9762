//! Whether the host has room for one more session, by the operator's limits and the system's.

use rustix::process::{Resource, getrlimit};

use super::OpError;
use crate::host::Host;

/// Files and sockets one more session may need: a connection with its hops, a transcript, a channel for files.
const FILES_OF_A_SESSION: u64 = 12;

/// Lets go of closed sessions where memory is short.
pub(super) fn check(host: &Host) -> Result<(), OpError> {
    let limits = host.config().limits;
    let open = host.sessions().open().len() + host.attempts().under_way();
    if open >= limits.sessions {
        return Err(at_limit(format!("{open} sessions are open or being opened"), "limits.sessions"));
    }
    let fit = limits.memory_bytes / limits.session_memory_bytes;
    if open >= fit {
        let of = format!("{open} sessions keep {} MiB of output each", limits.session_memory_bytes >> 20);
        return Err(at_limit(of, "limits.memory_mib"));
    }
    host.sessions().keep_newest_closed(limits.closed_sessions.min(fit - open - 1));
    match (open_files(), allowed_files(limits.open_files)) {
        (Some(files), Some((allowed, key))) if files + FILES_OF_A_SESSION > allowed => {
            Err(at_limit(format!("{files} of {allowed} files and sockets are open"), key))
        }
        _ => Ok(()),
    }
}

fn at_limit(what: String, key: &'static str) -> OpError {
    OpError::AtLimit { what, key }
}

/// None where the system does not tell in this way.
fn open_files() -> Option<u64> {
    let listed = std::fs::read_dir("/proc/self/fd").ok()?.count();
    // The list itself is open while it is read.
    Some((listed as u64).saturating_sub(1))
}

/// The lower of the operator's and the system's limit, and how it is called.
fn allowed_files(configured: Option<u64>) -> Option<(u64, &'static str)> {
    let of_system = getrlimit(Resource::Nofile).current.map(|most| (most, "ulimit -n"));
    let of_operator = configured.map(|most| (most, "limits.open_files"));
    of_system.into_iter().chain(of_operator).min_by_key(|(most, _)| *most)
}
