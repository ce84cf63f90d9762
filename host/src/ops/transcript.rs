//! Reading and searching the record: of the host's own sessions, or of all where the operator allows that.

use std::collections::HashSet;
use std::path::PathBuf;

use serde::Serialize;

use super::{OpError, callers};
use crate::audit::{self, Event, Hit, LineRead, PatternError, Query, StoreError, Stored};
use crate::config::SearchScope;
use crate::host::Host;

/// What is wanted of the record.
#[derive(Debug, Clone)]
pub struct TranscriptRequest {
    /// Search; without criteria a session's events are read.
    pub query: Query,
    /// Events with a higher number only.
    pub after: Option<u64>,
}

/// What is there.
#[derive(Debug, Serialize)]
pub struct TranscriptReport {
    /// Events of one session, when none were searched for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hits: Vec<Hit>,
    /// There are more.
    pub more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Transcripts that were searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub searched: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl TranscriptReport {
    /// Number of the last event told.
    pub fn last(&self) -> Option<u64> {
        self.events.last().map(|event| event.number)
    }
}

/// Which transcripts a call may read.
pub(super) struct Scope {
    state: PathBuf,
    /// Of this instance only.
    instance: Option<String>,
    /// Where clients are told apart each has its own sessions, and of these only the running host knows whose they are.
    owned: Option<HashSet<String>>,
}

impl Scope {
    pub(super) fn of(host: &Host) -> Self {
        let owned: Option<HashSet<String>> = callers::principal()
            .map(|_| callers::visible_sessions(host).iter().map(|it| it.id().as_str().to_owned()).collect());
        let instance = match host.config().transcript.search_scope {
            SearchScope::All if owned.is_none() => None,
            SearchScope::All | SearchScope::Instance => Some(host.instance().id.clone()),
        };
        Self { state: host.config().state_directory.clone(), instance, owned }
    }

    /// They themselves, oldest first.
    ///
    /// # Errors
    /// When the state folder cannot be read.
    pub(super) fn transcripts(&self) -> Result<Vec<Stored>, StoreError> {
        let mut transcripts = audit::stored(&self.state, self.instance.as_deref())?;
        transcripts.retain(|stored| self.owned.as_ref().is_none_or(|owned| owned.contains(&stored.session)));
        Ok(transcripts)
    }
}

/// Reads a session's events or searches the record. Beside the session's task: it reads files.
///
/// # Errors
/// When there is no such session, the record cannot be read, or what is looked for is no pattern.
pub async fn transcript(host: &Host, request: TranscriptRequest) -> Result<TranscriptReport, OpError> {
    let scope = Scope::of(host);
    let viewer = host.desk().viewer();
    // What a session was called is known here while it is open; its file says it too.
    let reading = tokio::task::spawn_blocking(move || read(&scope, viewer.as_deref(), &request));
    reading.await.map_err(|_| OpError::BadArgument("reading the record was broken off; call again".to_owned()))?
}

fn read(scope: &Scope, viewer: Option<&str>, request: &TranscriptRequest) -> Result<TranscriptReport, OpError> {
    let transcripts = scope.transcripts()?;
    if request.query.has_criteria() {
        let found = audit::search(transcripts.iter().rev(), &request.query)?.with_replay(viewer);
        let mut notes = found.problems;
        if found.files == 0 {
            notes.push("no transcript fits; those that can be searched here are this host's own".to_owned());
        }
        return Ok(TranscriptReport {
            events: Vec::new(),
            hits: found.hits,
            more: found.more,
            session_id: None,
            searched: Some(found.files),
            notes,
        });
    }
    let stored = chosen(&transcripts, request.query.session.as_deref())?;
    events(stored, request)
}

fn chosen<'a>(transcripts: &'a [Stored], session: Option<&str>) -> Result<&'a Stored, OpError> {
    let known = || transcripts.iter().map(|stored| stored.session.clone()).collect();
    match session {
        Some(id) => {
            let found = transcripts.iter().rev().find(|stored| stored.is_called(id));
            found.ok_or_else(|| OpError::UnknownSession { session_id: id.to_owned(), known: known() })
        }
        None => match transcripts {
            [only] => Ok(only),
            [] => Err(OpError::BadArgument("nothing is on record here yet; open a session first".to_owned())),
            _ => Err(OpError::AmbiguousSession { open: known() }),
        },
    }
}

/// The events behind `after`, or the last ones.
fn events(stored: &Stored, request: &TranscriptRequest) -> Result<TranscriptReport, OpError> {
    let limit = request.query.limit;
    let (mut events, mut more, mut notes) = (std::collections::VecDeque::new(), false, Vec::new());
    stored.events(|line| match line {
        LineRead::Event(event) if request.after.is_some_and(|after| event.number <= after) => true,
        LineRead::Event(event) => {
            if events.len() == limit {
                more = true;
                if request.after.is_some() {
                    return false;
                }
                events.pop_front();
            }
            events.push_back(event);
            true
        }
        LineRead::Torn => true,
        LineRead::Broken => {
            notes.push("a line of the transcript is broken; `portcullis transcript verify` says which".to_owned());
            true
        }
    })?;
    notes.dedup();
    Ok(TranscriptReport {
        events: events.into(),
        hits: Vec::new(),
        more,
        session_id: Some(stored.session.clone()),
        searched: None,
        notes,
    })
}

impl From<StoreError> for OpError {
    fn from(source: StoreError) -> Self {
        Self::Transcripts { source }
    }
}

impl From<PatternError> for OpError {
    fn from(error: PatternError) -> Self {
        Self::BadArgument(error.to_string())
    }
}
