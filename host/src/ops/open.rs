//! Opening a session on a profile.

use std::sync::Arc;
use std::time::Duration;

use portcullis_term::track::Expectation;
use portcullis_term::{Level, LevelKind};
use serde::Serialize;

use super::{NavigateReport, NavigateRequest, OpError, navigate};
use crate::config::Destination;
use crate::host::Host;
use crate::random;
use crate::session::{self, Opening, SessionHandle, SessionSummary};
use crate::ssh;

/// A login may print a long greeting and run slow start-up files before its first prompt.
const FIRST_PROMPT: Duration = Duration::from_secs(20);

/// Asked of the server for the shell's environment; most servers take none of it, and the shell is
/// told again when its prompt is marked.
const ENVIRONMENT: &[(&str, &str)] =
    &[("PAGER", "cat"), ("GIT_PAGER", "cat"), ("MANPAGER", "cat"), ("SYSTEMD_PAGER", "cat")];

#[derive(Debug, Clone, Default)]
pub struct OpenRequest {
    pub profile: String,
    /// Followed at once when given.
    pub route: Option<String>,
    /// Open another session even if one is open on this profile.
    pub new: bool,
}

#[derive(Debug, Serialize)]
pub struct OpenReport {
    pub session: SessionSummary,
    /// One that was open already was taken.
    pub reused: bool,
    /// The last rows of the screen.
    pub screen: String,
    pub notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub navigation: Option<NavigateReport>,
}

/// Opens a session, or takes the one that is open on this profile.
///
/// # Errors
/// When the profile or route is unknown or the connection fails; no session is left half open.
pub async fn open(host: &Host, request: OpenRequest) -> Result<OpenReport, OpError> {
    let destination = find_destination(host, &request.profile)?;
    if let Some(route) = &request.route {
        navigate::known_route(&destination, route)?;
    }
    let existing = host.sessions().open().into_iter().find(|session| session.summary().profile == request.profile);
    let (session, reused, notes) = match existing.filter(|_| !request.new) {
        Some(session) => (session, true, Vec::new()),
        None => {
            let (session, notes) = open_new(host, &destination).await?;
            (session, false, notes)
        }
    };
    let navigation = match request.route {
        Some(route) => {
            let request = NavigateRequest { session_id: Some(session.id().to_string()), route };
            Some(navigate(host, request).await?)
        }
        None => None,
    };
    let reading = session.read().await?;
    Ok(OpenReport { session: session.summary(), reused, screen: reading.screen.text(), notes, navigation })
}

fn find_destination(host: &Host, profile: &str) -> Result<Arc<Destination>, OpError> {
    let destinations = &host.config().destinations;
    destinations.get(profile).cloned().ok_or_else(|| OpError::UnknownProfile {
        profile: profile.to_owned(),
        known: destinations.keys().cloned().collect(),
    })
}

async fn open_new(host: &Host, destination: &Arc<Destination>) -> Result<(SessionHandle, Vec<String>), OpError> {
    let profile = destination.profile.clone();
    let environment: Vec<(String, String)> =
        ENVIRONMENT.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let link = ssh::open_shell(&profile, &environment)
        .await
        .map_err(|source| OpError::Connect { profile: profile.name.clone(), source: Box::new(source) })?;
    let id = host.sessions().next_id(&profile.name);
    let transcript = host.instance().transcript(id.as_str()).map_err(OpError::Record)?;
    let menu = destination.navigator.as_ref().map(|choice| Level::new(LevelKind::Menu, choice.menu_label.clone()));
    let has_menu = menu.is_some();
    let sessions = host.sessions().clone();
    let opening = Opening {
        id,
        profile: profile.clone(),
        link,
        transcript,
        menu,
        on_change: Box::new(move || sessions.changed()),
    };
    let session = session::open(opening).map_err(OpError::Record)?;
    host.sessions().insert(session.clone());
    let mut notes = Vec::new();
    if !has_menu {
        let nonce = random::hex(4).map_err(OpError::Random)?;
        let expectation = Expectation::new(LevelKind::Shell, profile.host.clone(), nonce, FIRST_PROMPT);
        match session.expect_level(expectation).await {
            Ok(()) => drop(session.until_prompt(FIRST_PROMPT).await),
            Err(session::SessionError::LevelFailed { reason, .. }) => {
                notes.push(format!(
                    "the shell's prompt could not be recognised ({reason}); ssh_send and ssh_read still work"
                ));
            }
            Err(error) => return Err(OpError::from(error).in_session(session.id().as_str())),
        }
    }
    Ok((session, notes))
}
