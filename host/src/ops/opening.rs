//! The attempt to open a session: connecting, asking a person where one is needed, up to the first prompt;
//! and how a caller waits for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portcullis_term::track::Expectation;
use portcullis_term::{Level, LevelKind};

use super::{OpError, room};
use crate::attempts::{Failure, Joined, Opened, TooMany, Wish};
use crate::audit::Wanted;
use crate::config::{Destination, Profile, Secret, TerminalSize};
use crate::desk::{Asked, AtDesk};
use crate::diagnose::{self, Depth, Finding, State};
use crate::host::Host;
use crate::local;
use crate::random;
use crate::session::{self, NameGuard, Opening, ReopenedFrom, SessionHandle};
use crate::ssh::{self, Person, Said, ShellLink};

/// A login may print a long greeting and run slow start-up files before its first prompt.
const FIRST_PROMPT: Duration = Duration::from_secs(20);
/// How long a call waits for a person who has a page open; many clients give up at 60 s.
const WATCHED_WAIT: Duration = Duration::from_secs(25);
/// How long it waits where no page is open: whoever calls has to tell a person first.
const UNWATCHED_WAIT: Duration = Duration::from_secs(3);
/// How often it is looked at whether something is asked.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Asked of the server for the shell's environment; most servers take none of it, and the shell is
/// told again when its prompt is marked.
const ENVIRONMENT: &[(&str, &str)] =
    &[("PAGER", "cat"), ("GIT_PAGER", "cat"), ("MANPAGER", "cat"), ("SYSTEMD_PAGER", "cat")];

/// What a new session is to be.
pub(super) struct NewSession {
    pub(super) destination: Arc<Destination>,
    /// Set aside for it.
    pub(super) name: Option<(String, NameGuard)>,
    pub(super) size: TerminalSize,
    /// Instead of the profile's.
    pub(super) idle_close: Option<Duration>,
    /// The closed session it goes on from.
    pub(super) previous: Option<SessionHandle>,
    /// Whose it is, where clients are told apart.
    pub(super) owner: Option<Arc<str>>,
}

/// Starts an attempt, unless another call has just done so.
pub(super) fn start(host: &Host, wish: Wish, new: NewSession) -> Result<Joined, OpError> {
    room::check(host)?;
    let host_of_task = host.clone();
    let make = |attempt| async move {
        open_new(&host_of_task, new, attempt).await.map_err(|error| -> Failure { Arc::new(error) })
    };
    host.attempts().join_or_start(wish, make).map_err(|TooMany| OpError::TooManyAttempts)
}

/// What a caller has waited for.
pub(super) enum Waited {
    Opened(Opened),
    Asked(Asked),
}

/// Waits for the attempt's outcome, or until a person has been asked for long enough.
pub(super) async fn wait(host: &Host, mut joined: Joined) -> Result<Waited, OpError> {
    let attempt = joined.number;
    tokio::select! {
        biased;
        outcome = joined.outcome() => match outcome {
            Some(Ok(opened)) => Ok(Waited::Opened(opened)),
            Some(Err(failure)) => Err(OpError::Opening(failure)),
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

/// What an attempt does.
async fn open_new(host: &Host, new: NewSession, attempt: u64) -> Result<Opened, OpError> {
    let NewSession { destination, name, size, idle_close, previous, owner } = new;
    let idle_close = idle_close.unwrap_or(destination.profile.idle_close);
    let profile = Arc::new(Profile { terminal: size, idle_close, ..(*destination.profile).clone() });
    let Connected { link, said, given } = connect(host, &destination, &profile, attempt).await?;
    let id = host.sessions().next_id(&profile.name);
    if let Some(owner) = owner {
        host.sessions().set_owner(&id, owner);
    }
    let wanted = Wanted { mode: profile.transcript, audited: profile.audited, secrets: &given };
    let transcript = host.instance().transcript(id.as_str(), &wanted).map_err(OpError::Record)?;
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
        reopened_from: previous.as_ref().map(reopened_from),
        limits: host.config().limits,
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

/// A shell, and what a person has contributed to reaching it.
struct Connected {
    link: ShellLink,
    said: Vec<Said>,
    /// May not be written anywhere.
    given: Vec<Secret>,
}

/// Starts the shell, asking a person where a viewer runs; and what the person said, for the record.
async fn connect(
    host: &Host,
    destination: &Arc<Destination>,
    profile: &Profile,
    attempt: u64,
) -> Result<Connected, OpError> {
    let (name, environment) = (profile.name.clone(), environment(profile));
    if let Some(shell) = &profile.local {
        let link = local::open_shell(profile, shell, &environment)
            .map_err(|source| OpError::LocalShell { profile: name, source: Box::new(source) })?;
        return Ok(Connected { link, said: Vec::new(), given: Vec::new() });
    }
    let person = AtDesk::new(host.desk(), Some(attempt), &profile.name);
    let asked = person.as_ref().map(|person| -> &dyn Person { person });
    match ssh::open_shell_with(profile, &environment, asked).await {
        Ok(link) => {
            let given = person.as_ref().map(AtDesk::given).unwrap_or_default();
            Ok(Connected { link, said: person.map(AtDesk::into_said).unwrap_or_default(), given })
        }
        Err(source) => {
            let diagnosis = what_is_wrong(destination).await;
            Err(OpError::Connect { profile: name, diagnosis, source: Box::new(source) })
        }
    }
}

/// The profile's variables and ours, which win: a pager would wait for keys.
fn environment(profile: &Profile) -> Vec<(String, String)> {
    let mut all = profile.set_env.clone();
    all.extend(ENVIRONMENT.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    all.into_iter().collect()
}

/// What the doctor finds wrong with a profile that could not be connected to.
async fn what_is_wrong(destination: &Arc<Destination>) -> Vec<Finding> {
    let destination = destination.clone();
    let looking = tokio::task::spawn_blocking(move || diagnose::profile(&destination, Depth::Quick));
    let mut findings = looking.await.unwrap_or_default();
    findings.retain(|finding| finding.state != State::Good);
    findings
}

fn reopened_from(previous: &SessionHandle) -> ReopenedFrom {
    let file = previous.transcript().and_then(Path::file_name);
    let transcript = file.map(|file| file.to_string_lossy().into_owned());
    ReopenedFrom { session_id: previous.id().to_string(), transcript }
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
