//! Sessions of before, as their transcripts tell them, for persons: listed, read and searched.

use std::io;

use super::OpError;
use crate::audit::{self, Query, past};
use crate::clock;
use crate::config;
use crate::host::Host;

pub use crate::audit::Found as RecordFound;
pub use crate::audit::past::PastSession;

/// Longest part of a transcript that is given, in bytes.
const MOST_BYTES: u64 = 48 << 20;

/// Hits of a search, where nothing is said, and at most.
const USUAL_HITS: usize = 100;
const MOST_HITS: usize = 500;
/// Longest text that is looked for.
const MAX_TEXT_BYTES: usize = 1_000;

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

/// What a person looks for in the record.
#[derive(Debug, Clone, Default)]
pub struct PastQuery {
    /// All but times and limit.
    pub query: Query,
    /// A date, a moment, or how long ago (`2h`, `7d`).
    pub since: Option<String>,
    pub until: Option<String>,
    /// Most hits.
    pub limit: Option<usize>,
}

/// Searches the transcripts, the newest first. Beside the sessions' tasks: it reads files.
///
/// # Errors
/// When nothing is looked for, what is looked for cannot be, or the record cannot be read.
pub async fn search_past(host: &Host, whose: Whose, wanted: PastQuery) -> Result<RecordFound, OpError> {
    let mut query = wanted.query;
    let too_long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() > MAX_TEXT_BYTES);
    if [&query.pattern, &query.command, &query.host].into_iter().any(too_long) {
        return Err(OpError::BadArgument(format!("a text is longer than {MAX_TEXT_BYTES} bytes; shorten it")));
    }
    query.since_unix_ms = wanted.since.map(|text| moment(&text, false)).transpose()?;
    query.until_unix_ms = wanted.until.map(|text| moment(&text, true)).transpose()?;
    query.limit = wanted.limit.unwrap_or(USUAL_HITS).clamp(1, MOST_HITS);
    if !query.has_criteria() && query.session.is_none() {
        return Err(OpError::BadArgument("nothing to look for; give a text or another criterion".to_owned()));
    }
    let state = host.config().state_directory.clone();
    let own = (whose == Whose::ThisInstance).then(|| host.instance().id.clone());
    let searching = tokio::task::spawn_blocking(move || {
        let transcripts = audit::stored(&state, own.as_deref())?;
        Ok(audit::search(transcripts.iter().rev(), &query)?)
    });
    searching.await.map_err(|_| OpError::BadArgument("the search was broken off; search again".to_owned()))?
}

fn moment(text: &str, after: bool) -> Result<u64, OpError> {
    let found = config::moment_or_ago_unix_ms(text, clock::unix_ms(), after);
    found.ok_or_else(|| OpError::BadArgument(format!("`{text}` is no moment; {}", config::MOMENT_FORMS)))
}
