//! Sessions of before, as their transcripts tell them.

use std::io;

use crate::audit::past;
use crate::host::Host;

pub use crate::audit::past::PastSession;

/// Longest part of a transcript that is given, in bytes.
const MOST_BYTES: u64 = 48 << 20;

/// Which sessions of before there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Of every host that keeps its state in the same folder.
    AllInstances,
    ThisInstance,
}

/// Whether the session was one of this host.
pub fn is_here(host: &Host, session: &PastSession) -> bool {
    session.instance_id == host.instance().id
}

/// The sessions whose transcripts lie on the disk, the newest first; also those that are open.
pub async fn past_sessions(host: &Host, whose: Whose) -> Vec<PastSession> {
    let state = host.config().state_directory.clone();
    let listed = tokio::task::spawn_blocking(move || past::list(&state)).await.unwrap_or_default();
    listed.into_iter().filter(|session| whose == Whose::AllInstances || is_here(host, session)).collect()
}

/// A transcript as it lies on the disk, in whole lines; and whether that is all of it.
///
/// # Errors
/// When there is none that may be seen.
pub async fn past_transcript(
    host: &Host,
    whose: Whose,
    instance_id: String,
    session_id: String,
) -> io::Result<(Vec<u8>, bool)> {
    if whose == Whose::ThisInstance && instance_id != host.instance().id {
        return Err(io::ErrorKind::NotFound.into());
    }
    let state = host.config().state_directory.clone();
    let reading = tokio::task::spawn_blocking(move || past::read(&state, &instance_id, &session_id, MOST_BYTES));
    reading.await.map_err(io::Error::other)?
}
