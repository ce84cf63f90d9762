//! Opening a session on a profile, taking the open one, or going on from a closed one.
//!
//! The connection is made by a task of its own, an attempt: it may wait for a person longer than a caller
//! waits. A caller is told what is asked, and finds the session, or why there is none, when it calls again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use portcullis_term::Outcome;
use serde::Serialize;

use super::awaiting::{AwaitingPerson, awaiting};
use super::callers;
use super::opening::{NewSession, Waited, start, wait};
use super::{NavigateReport, NavigateRequest, OpError, Progress, described, find_session, navigate};
use crate::attempts::{Joined, Opened, Wish};
use crate::config::{Destination, TerminalSize};
use crate::host::Host;
use crate::session::{NameGuard, SessionHandle, SessionSummary};

/// Longest name of a session, in characters.
const MAX_NAME_CHARS: usize = 40;

#[derive(Debug, Clone, Default)]
pub struct OpenRequest {
    /// Needed unless a session is reopened, the operator chose a default, or there is only one.
    pub profile: Option<String>,
    /// Followed at once when given.
    pub route: Option<String>,
    /// Open another session even if one is open on this profile.
    pub new: bool,
    /// The caller's name for the session; unique among open ones.
    pub name: Option<String>,
    /// A closed session to go on from: same profile, new login, nothing replayed.
    pub reopen: Option<String>,
    pub columns: Option<u16>,
    pub rows: Option<u16>,
    /// Close a new session when nothing has happened in it for this long, zero never; the profile's when left out.
    pub idle_close: Option<Duration>,
    /// Told of each step of the route.
    pub progress: Progress,
}

#[derive(Debug, Serialize)]
pub struct OpenReport {
    pub session: SessionSummary,
    /// One that was open already was taken.
    pub reused: bool,
    /// The session this one goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reopened_from: Option<Previous>,
    /// The last rows of the screen.
    pub screen: String,
    pub notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub navigation: Option<NavigateReport>,
}

/// What came of asking for a session.
#[derive(Debug)]
pub enum OpenOutcome {
    Open(Box<OpenReport>),
    /// Not yet open: a person is asked something. The attempt goes on without the caller.
    Awaiting(Box<AwaitingPerson>),
}

/// Where a closed session was when it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Previous {
    pub session_id: String,
    pub breadcrumb: Vec<String>,
    pub closed_reason: Option<String>,
    /// The route that had led there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The command that was cut off; it may or may not have completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_off_command: Option<String>,
    /// Where its record lies, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript: Option<PathBuf>,
}

/// Opens a session, or takes the one that is open on this profile, or joins the attempt to open it.
///
/// # Errors
/// When the profile or route is unknown, the session meant is not clear or the connection fails; no
/// session is left half open.
pub async fn open(host: &Host, request: OpenRequest) -> Result<OpenOutcome, OpError> {
    let previous = previous(host, &request)?;
    let profile = match (&request.profile, &previous) {
        (Some(profile), _) => profile.clone(),
        (None, Some(previous)) => previous.summary().profile,
        (None, None) => default_profile(host)?,
    };
    let destination = find_destination(host, &profile)?;
    if let Some(route) = &request.route {
        navigate::known_route(&destination, route)?;
    }
    if let Some(name) = &request.name {
        check_name(name)?;
    }
    let size = wanted_size(&request, previous.as_ref().map_or(destination.profile.terminal, size_of))?;
    let (session, mut notes, reused) = match under_way_or_open(host, &profile, &request, previous.is_some())? {
        Found::Open(session) => (session, Vec::new(), true),
        found => {
            let joined = match found {
                Found::UnderWay(joined) => joined,
                _ => {
                    let name = name_for(host, &request, previous.as_ref())?;
                    let owner = callers::principal();
                    let (idle_close, previous) = (request.idle_close, previous.clone());
                    let new = NewSession { destination, name, size, idle_close, previous, owner };
                    start(host, wish(&profile, &request), new)?
                }
            };
            match wait(host, joined).await? {
                Waited::Opened(Opened { session, notes }) => (session, notes, false),
                Waited::Asked(asked) => return Ok(OpenOutcome::Awaiting(Box::new(awaiting(host, asked)))),
            }
        }
    };
    resize(&session, &request).await?;
    let reopened_from = match &previous {
        Some(previous) => Some(lost(previous, &mut notes).await?),
        None => None,
    };
    let navigation = match request.route {
        Some(route) => {
            let session_id = Some(session.id().to_string());
            let request = NavigateRequest { session_id, route, progress: request.progress };
            Some(navigate(host, request).await?)
        }
        None => None,
    };
    let screen = session.read().await?.screen.text();
    let session = session.summary();
    Ok(OpenOutcome::Open(Box::new(OpenReport { session, reused, reopened_from, screen, notes, navigation })))
}

/// What there is already.
enum Found {
    UnderWay(Joined),
    Open(SessionHandle),
    Nothing,
}

fn under_way_or_open(host: &Host, profile: &str, request: &OpenRequest, reopens: bool) -> Result<Found, OpError> {
    let wish = wish(profile, request);
    if let Some(joined) = host.attempts().join(&wish) {
        return Ok(Found::UnderWay(joined));
    }
    if reopens {
        return Ok(Found::Nothing);
    }
    Ok(match existing(host, profile, request)? {
        Some(session) => Found::Open(session),
        // A second login would ask the person a second time.
        None => host.attempts().join_similar(&wish).map_or(Found::Nothing, Found::UnderWay),
    })
}

fn wish(profile: &str, request: &OpenRequest) -> Wish {
    let (name, reopen) = (request.name.clone(), request.reopen.clone());
    Wish { profile: profile.to_owned(), name, reopen, new: request.new, owner: callers::principal() }
}

/// The one the operator chose, or the only one.
pub(super) fn usual_profile(host: &Host) -> Option<String> {
    let config = host.config();
    let only = config.destinations.keys().next().filter(|_| config.destinations.len() == 1);
    config.default_profile.as_ref().or(only).cloned()
}

pub(super) fn default_profile(host: &Host) -> Result<String, OpError> {
    usual_profile(host).ok_or_else(|| match host.config().destinations.is_empty() {
        true => OpError::NoProfiles,
        false => OpError::BadArgument("give the `profile` to open, or `reopen`".to_owned()),
    })
}

pub(super) fn find_destination(host: &Host, profile: &str) -> Result<Arc<Destination>, OpError> {
    let config = host.config();
    let destinations = &config.destinations;
    if let Some(unusable) = config.unusable.get(profile) {
        return Err(OpError::UnusableProfile {
            profile: profile.to_owned(),
            origin: unusable.origin.clone(),
            problem: unusable.problem.clone(),
        });
    }
    if destinations.is_empty() {
        return Err(OpError::NoProfiles);
    }
    destinations.get(profile).cloned().ok_or_else(|| OpError::UnknownProfile {
        profile: profile.to_owned(),
        known: destinations.keys().cloned().collect(),
    })
}

/// The closed session to go on from.
fn previous(host: &Host, request: &OpenRequest) -> Result<Option<SessionHandle>, OpError> {
    let Some(id) = &request.reopen else { return Ok(None) };
    let previous = find_session(host, Some(id))?;
    let summary = previous.summary();
    if !previous.is_closed() {
        return Err(OpError::StillOpen { session_id: summary.session_id });
    }
    if let Some(profile) = request.profile.as_ref().filter(|profile| **profile != summary.profile) {
        let message =
            format!("session `{id}` was on profile `{}`, not on `{profile}`; leave `profile` out", summary.profile);
        return Err(OpError::BadArgument(message));
    }
    if host.attempts().join(&wish(&summary.profile, request)).is_some() {
        return Ok(Some(previous));
    }
    let successor = summary.reopened_as.as_ref().and_then(|id| host.sessions().get(id));
    if let Some(successor) = successor.filter(|successor| !successor.is_closed() && !request.new) {
        let as_session_id = successor.id().to_string();
        return Err(OpError::ReopenedAlready { session_id: summary.session_id, as_session_id });
    }
    Ok(Some(previous))
}

/// The open session that is meant, if one is.
fn existing(host: &Host, profile: &str, request: &OpenRequest) -> Result<Option<SessionHandle>, OpError> {
    if request.new {
        return Ok(None);
    }
    let mut open = callers::open_sessions(host);
    if let Some(name) = &request.name {
        let named = open.into_iter().find(|session| session.has_name(name));
        return match named {
            Some(session) if session.summary().profile != profile => Err(name_taken(host, name)),
            named => Ok(named),
        };
    }
    open.retain(|session| session.summary().profile == profile);
    match open.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only.clone())),
        several => Err(OpError::AmbiguousSession { open: described(several) }),
    }
}

fn name_taken(host: &Host, name: &str) -> OpError {
    let open: Vec<SessionHandle> = callers::open_sessions(host).into_iter().filter(|it| it.has_name(name)).collect();
    let by = described(&open).pop().unwrap_or_else(|| "one that is being opened, or another client's".to_owned());
    OpError::NameTaken { name: name.to_owned(), by }
}

/// A name is usable wherever an id is, so it must not look like one.
fn check_name(name: &str) -> Result<(), OpError> {
    let fits = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let length = name.chars().count();
    if (1..=MAX_NAME_CHARS).contains(&length) && name.chars().all(fits) && !name.starts_with("s-") {
        return Ok(());
    }
    Err(OpError::BadArgument(format!(
        "`name` is 1 to {MAX_NAME_CHARS} letters, digits, `-`, `_` or `.` and does not begin with `s-` as ids do"
    )))
}

fn size_of(session: &SessionHandle) -> TerminalSize {
    let summary = session.summary();
    TerminalSize { columns: summary.columns, rows: summary.rows }
}

fn wanted_size(request: &OpenRequest, otherwise: TerminalSize) -> Result<TerminalSize, OpError> {
    let columns = request.columns.unwrap_or(otherwise.columns);
    TerminalSize::new(columns, request.rows.unwrap_or(otherwise.rows)).map_err(OpError::BadArgument)
}

/// Gives an open session the size that was asked for.
async fn resize(session: &SessionHandle, request: &OpenRequest) -> Result<(), OpError> {
    let present = size_of(session);
    let wanted = wanted_size(request, present)?;
    if wanted == present {
        return Ok(());
    }
    session.resize(wanted).await.map_err(|error| OpError::from(error).in_session(session.id().as_str()))
}

/// The name of the session to open, set aside for it: the one given, or the one of the session it goes
/// on from when that is free.
fn name_for(
    host: &Host,
    request: &OpenRequest,
    previous: Option<&SessionHandle>,
) -> Result<Option<(String, NameGuard)>, OpError> {
    if let Some(name) = &request.name {
        let guard = host.sessions().reserve(name).map_err(|_taken| name_taken(host, name))?;
        return Ok(Some((name.clone(), guard)));
    }
    let inherited = previous.and_then(|previous| previous.summary().name);
    Ok(inherited.and_then(|name| host.sessions().reserve(&name).ok().map(|guard| (name, guard))))
}

/// Says what was lost with the closed session.
async fn lost(previous: &SessionHandle, notes: &mut Vec<String>) -> Result<Previous, OpError> {
    let summary = previous.summary();
    let commands = previous.commands().await?;
    let cut_off = commands.into_iter().next_back().filter(|command| {
        command.completion.as_ref().is_some_and(|it| matches!(it.outcome, Outcome::Disconnected { .. }))
    });
    let place = if summary.breadcrumb.is_empty() { summary.host } else { summary.breadcrumb.join(" › ") };
    notes.push(format!("nothing was replayed; {} was at {place} when it ended", summary.session_id));
    if let Some(command) = &cut_off {
        notes.push(format!("`{}` was cut off; it may or may not have completed", command.text));
    }
    Ok(Previous {
        session_id: summary.session_id,
        breadcrumb: summary.breadcrumb,
        closed_reason: summary.closed_reason,
        route: summary.route,
        cut_off_command: cut_off.map(|command| command.text),
        transcript: previous.transcript().map(Path::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_that_are_no_ids() {
        for name in ["db", "orders.1", "构建", "a-b_c"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "s-lab-1", "two words", "a/b", "a\n", &"x".repeat(41)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }
}
