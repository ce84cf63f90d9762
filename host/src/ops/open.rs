//! Opening a session on a profile, taking the open one, or going on from a closed one.
//!
//! The connection is made by a task of its own, an attempt: it may wait for a person longer than a caller
//! waits. A caller is told what is asked, and finds the session, or why there is none, when it calls again.

use std::sync::Arc;
use std::time::Duration;

use portcullis_term::track::Expectation;
use portcullis_term::{Level, LevelKind, Outcome};
use serde::Serialize;

use super::awaiting::{AwaitingPerson, awaiting};
use super::{NavigateReport, NavigateRequest, OpError, described, find_session, navigate};
use crate::attempts::{Failure, Joined, Opened, Outcome as AttemptOutcome, TooMany, Wish};
use crate::config::{Destination, Profile, TerminalSize};
use crate::desk::{Asked, AtDesk};
use crate::host::Host;
use crate::random;
use crate::session::{self, NameGuard, Opening, ReopenedFrom, SessionHandle, SessionSummary};
use crate::ssh::{self, Person, Said, ShellLink};

/// A login may print a long greeting and run slow start-up files before its first prompt.
const FIRST_PROMPT: Duration = Duration::from_secs(20);
/// How long a call waits for a person who has a page open; many clients give up at 60 s.
const WATCHED_WAIT: Duration = Duration::from_secs(25);
/// How long it waits where no page is open: whoever calls has to tell a person first.
const UNWATCHED_WAIT: Duration = Duration::from_secs(3);
/// How often it is looked at whether something is asked.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// Longest name of a session, in characters.
const MAX_NAME_CHARS: usize = 40;

/// Asked of the server for the shell's environment; most servers take none of it, and the shell is
/// told again when its prompt is marked.
const ENVIRONMENT: &[(&str, &str)] =
    &[("PAGER", "cat"), ("GIT_PAGER", "cat"), ("MANPAGER", "cat"), ("SYSTEMD_PAGER", "cat")];

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
    pub transcript: String,
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
                _ => start(host, &destination, &request, size, previous.as_ref())?,
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
            let request = NavigateRequest { session_id: Some(session.id().to_string()), route };
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
    Wish { profile: profile.to_owned(), name, reopen, new: request.new }
}

/// Starts an attempt, unless another call has just done so.
fn start(
    host: &Host,
    destination: &Arc<Destination>,
    request: &OpenRequest,
    size: TerminalSize,
    previous: Option<&SessionHandle>,
) -> Result<Joined, OpError> {
    let wish = wish(&destination.profile.name, request);
    let name = name_for(host, request, previous)?;
    let (host_of_task, destination, previous) = (host.clone(), destination.clone(), previous.cloned());
    let make = |attempt| async move {
        let opened = open_new(&host_of_task, &destination, name, size, previous.as_ref(), attempt).await;
        opened.map_err(|error| -> Failure { Arc::new(error) })
    };
    host.attempts().join_or_start(wish, make).map_err(|TooMany| OpError::TooManyAttempts)
}

enum Waited {
    Opened(Opened),
    Asked(Asked),
}

/// Waits for the attempt's outcome, or until a person has been asked for long enough.
async fn wait(host: &Host, mut joined: Joined) -> Result<Waited, OpError> {
    let attempt = joined.number;
    tokio::select! {
        biased;
        outcome = joined.outcome() => match outcome {
            Some(AttemptOutcome::Ok(opened)) => Ok(Waited::Opened(opened)),
            Some(AttemptOutcome::Err(failure)) => Err(OpError::Opening(failure)),
            None => Err(OpError::GivenUp),
        },
        asked = asked_long_enough(host, attempt) => Ok(Waited::Asked(asked)),
    }
}

async fn asked_long_enough(host: &Host, attempt: u64) -> Asked {
    let started = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        let wait = if host.desk().is_watched() { WATCHED_WAIT } else { UNWATCHED_WAIT };
        if started.elapsed() >= wait
            && let Some(asked) = host.desk().of_attempt(attempt)
        {
            return asked;
        }
    }
}

/// The one the operator chose, or the only one.
fn default_profile(host: &Host) -> Result<String, OpError> {
    let config = host.config();
    let only = config.destinations.keys().next().filter(|_| config.destinations.len() == 1);
    config.default_profile.as_ref().or(only).cloned().ok_or_else(|| match config.destinations.is_empty() {
        true => OpError::NoProfiles,
        false => OpError::BadArgument("give the `profile` to open, or `reopen`".to_owned()),
    })
}

fn find_destination(host: &Host, profile: &str) -> Result<Arc<Destination>, OpError> {
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
    let mut open = host.sessions().open();
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
    let open: Vec<SessionHandle> = host.sessions().open().into_iter().filter(|it| it.has_name(name)).collect();
    let by = described(&open).pop().unwrap_or_else(|| "one that is being opened".to_owned());
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

/// What an attempt does.
async fn open_new(
    host: &Host,
    destination: &Arc<Destination>,
    name: Option<(String, NameGuard)>,
    size: TerminalSize,
    previous: Option<&SessionHandle>,
    attempt: u64,
) -> Result<Opened, OpError> {
    let profile = Arc::new(Profile { terminal: size, ..(*destination.profile).clone() });
    let (link, said) = connect(host, &profile, attempt).await?;
    let id = host.sessions().next_id(&profile.name);
    let transcript = host.instance().transcript(id.as_str()).map_err(OpError::Record)?;
    let menu = destination.navigator.as_ref().map(|choice| {
        let mut level = Level::new(LevelKind::Menu, choice.menu_label.clone());
        level.encoding = profile.encoding;
        level
    });
    let has_menu = menu.is_some();
    let sessions = host.sessions().clone();
    let opening = Opening {
        id,
        profile: profile.clone(),
        link,
        transcript,
        menu,
        name: name.as_ref().map(|(name, _)| name.clone()),
        reopened_from: previous.map(reopened_from),
        said,
        on_change: Box::new(move || sessions.changed()),
    };
    let session = session::open(opening).map_err(OpError::Record)?;
    host.sessions().insert(session.clone());
    // From here on the open session itself has the name.
    drop(name);
    let mut notes = Vec::new();
    if !has_menu {
        first_prompt(&session, &profile, &mut notes).await?;
    }
    if let Some(previous) = previous {
        previous.reopened_as(session.id().to_string()).await?;
    }
    Ok(Opened { session, notes })
}

/// Connects, asking a person where a viewer runs; and what the person said, for the record.
async fn connect(host: &Host, profile: &Profile, attempt: u64) -> Result<(ShellLink, Vec<Said>), OpError> {
    let environment: Vec<(String, String)> =
        ENVIRONMENT.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let person = AtDesk::new(host.desk(), attempt, &profile.name);
    let asked = person.as_ref().map(|person| -> &dyn Person { person });
    let link = ssh::open_shell_with(profile, &environment, asked)
        .await
        .map_err(|source| OpError::Connect { profile: profile.name.clone(), source: Box::new(source) })?;
    Ok((link, person.map(AtDesk::into_said).unwrap_or_default()))
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

fn reopened_from(previous: &SessionHandle) -> ReopenedFrom {
    let file = previous.transcript().file_name().unwrap_or_default();
    ReopenedFrom { session_id: previous.id().to_string(), transcript: file.to_string_lossy().into_owned() }
}

/// Waits for the login shell and makes its prompt recognisable.
async fn first_prompt(session: &SessionHandle, profile: &Profile, notes: &mut Vec<String>) -> Result<(), OpError> {
    let nonce = random::hex(4).map_err(OpError::Random)?;
    let expected = Expectation::new(LevelKind::Shell, profile.host.clone(), nonce, FIRST_PROMPT);
    let expectation = Expectation { encoding: profile.encoding, ..expected };
    match session.expect_level(expectation).await {
        Ok(()) => drop(session.until_prompt(FIRST_PROMPT).await),
        Err(session::SessionError::LevelFailed { reason, .. }) => {
            notes.push(format!(
                "the shell's prompt could not be recognised ({reason}); ssh_send and ssh_read still work"
            ));
        }
        Err(error) => return Err(OpError::from(error).in_session(session.id().as_str())),
    }
    Ok(())
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
        transcript: previous.transcript().display().to_string(),
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
