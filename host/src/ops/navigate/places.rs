//! Where a session is, and places to come back to.
//!
//! A saved place is a route of the profile with the path it led to. Going back follows the route and
//! compares; nothing that was typed beyond the route is typed again. Routes are the operator's, so a
//! place adds no way that was not there.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use portcullis_term::{Integration, LevelKind};
use serde::{Deserialize, Serialize};

use super::convert::last_rows;
use super::{NavigateReport, NavigateRequest, Progress, known_route, navigate};
use crate::clock;
use crate::host::Host;
use crate::ops::{OpError, destination, find_session};
use crate::session::{Reading, SessionSummary};

/// Longest name of a place, in characters.
const MAX_NAME_CHARS: usize = 40;
/// Places of one profile; beyond it one has to be given up by saving over it.
const MAX_PLACES: usize = 64;
const FILE: &str = "places.json";

/// How surely the path is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceConfidence {
    /// The innermost shell's own marks stand before the prompt that waits now.
    Certain,
    /// The path was right at the last prompt; something runs since.
    AsOfLastPrompt,
    /// Known by what the prompt looks like, or by what a navigator said.
    Likely,
    /// Something reads the terminal that is on no path.
    Unknown,
}

/// One level of the path.
#[derive(Debug, Clone, Serialize)]
pub struct LevelLine {
    pub kind: LevelKind,
    pub label: String,
    /// How its prompt is recognised.
    pub recognised_by: Integration,
    /// What its navigator said of it, such as its address.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// Where a session is.
#[derive(Debug, Serialize)]
pub struct PlaceReport {
    pub session: SessionSummary,
    pub confidence: PlaceConfidence,
    /// Outermost first.
    pub levels: Vec<LevelLine>,
    /// The route that was last followed to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Routes of the profile.
    pub routes: Vec<String>,
    /// Saved places of the profile, each with the path it stands for.
    pub places: BTreeMap<String, Vec<String>>,
    /// The last rows of the screen.
    pub screen: Vec<String>,
}

/// Says where the session is and how that is known.
///
/// # Errors
/// When there is no such session, or the file of places cannot be read.
pub async fn where_am_i(host: &Host, session_id: Option<&str>) -> Result<PlaceReport, OpError> {
    let session = find_session(host, session_id)?;
    let destination = destination(host, &session)?;
    let (reading, summary) = (session.read().await?, session.summary());
    let places = Places::of(host).read()?.remove(&summary.profile).unwrap_or_default();
    Ok(PlaceReport {
        confidence: confidence(&reading, &summary),
        levels: reading.levels.iter().map(line).collect(),
        route: summary.route.clone(),
        routes: destination.routes.keys().cloned().collect(),
        places: places.into_iter().map(|(name, place)| (name, place.breadcrumb)).collect(),
        screen: last_rows(&reading),
        session: summary,
    })
}

fn confidence(reading: &Reading, summary: &SessionSummary) -> PlaceConfidence {
    let Some(level) = reading.levels.last() else { return PlaceConfidence::Unknown };
    match (level.integration, reading.at_prompt) {
        (Integration::Marks, true) => PlaceConfidence::Certain,
        (Integration::Sentinel | Integration::VisibleSentinel | Integration::Prompt, true) => PlaceConfidence::Likely,
        _ if level.kind == LevelKind::Menu && summary.state == "menu" => PlaceConfidence::Likely,
        (Integration::None, _) => PlaceConfidence::Unknown,
        (_, false) => PlaceConfidence::AsOfLastPrompt,
    }
}

fn line(level: &portcullis_term::Level) -> LevelLine {
    LevelLine {
        kind: level.kind,
        label: level.label.clone(),
        recognised_by: level.integration,
        attributes: level.attributes.iter().cloned().collect(),
    }
}

/// Saves where the session is under a name, over an older place of that name.
///
/// # Errors
/// When no route has led here, or the file cannot be written.
pub async fn save_place(host: &Host, session_id: Option<&str>, name: &str) -> Result<PlaceReport, OpError> {
    check_name(name)?;
    let session = find_session(host, session_id)?;
    let summary = session.summary();
    let Some(route) = summary.route.clone() else {
        let message = "no route has led this session to where it is, so none could lead back; follow one, then save";
        return Err(OpError::BadArgument(message.to_owned()));
    };
    let place = SavedPlace { route, breadcrumb: summary.breadcrumb, saved_unix_ms: clock::unix_ms() };
    let file = Places::of(host);
    let mut all = file.read()?;
    let of_profile = all.entry(summary.profile).or_default();
    if of_profile.len() >= MAX_PLACES && !of_profile.contains_key(name) {
        let message = format!("this profile has {MAX_PLACES} places already; save over one of them");
        return Err(OpError::BadArgument(message));
    }
    of_profile.insert(name.to_owned(), place);
    file.write(&all)?;
    where_am_i(host, session_id).await
}

/// Follows the route of a saved place, and says which of its levels were not reached by it.
///
/// # Errors
/// When there is no such place, its route is gone, or the navigation fails.
pub async fn go_to_place(
    host: &Host,
    session_id: Option<String>,
    name: &str,
    progress: Progress,
) -> Result<(NavigateReport, Vec<String>), OpError> {
    let session = find_session(host, session_id.as_deref())?;
    let destination = destination(host, &session)?;
    let mut places = Places::of(host).read()?.remove(&destination.profile.name).unwrap_or_default();
    let known = places.keys().cloned().collect::<Vec<_>>().join(", ");
    let place = places.remove(name).ok_or_else(|| {
        let known = if known.is_empty() { "none is saved yet".to_owned() } else { format!("saved are: {known}") };
        OpError::BadArgument(format!("profile {} has no place `{name}`; {known}", destination.profile.name))
    })?;
    known_route(&destination, &place.route)?;
    let session_id = Some(session.id().to_string());
    let report = navigate(host, NavigateRequest { session_id, route: place.route, progress }).await?;
    let common = report.breadcrumb.iter().zip(&place.breadcrumb).take_while(|(one, other)| one == other).count();
    Ok((report, place.breadcrumb[common..].to_vec()))
}

fn check_name(name: &str) -> Result<(), OpError> {
    let fits = !name.is_empty()
        && name.chars().count() <= MAX_NAME_CHARS
        && name.chars().all(|c| c.is_alphanumeric() || "-_. ".contains(c));
    if fits {
        return Ok(());
    }
    let message = format!("a place's name has 1 to {MAX_NAME_CHARS} letters, digits, blanks, `-`, `_` or `.`");
    Err(OpError::BadArgument(message))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SavedPlace {
    route: String,
    breadcrumb: Vec<String>,
    saved_unix_ms: u64,
}

type ByProfile = BTreeMap<String, BTreeMap<String, SavedPlace>>;

/// The file of all places, in the state folder; small, and read anew each time, because several hosts
/// share it.
struct Places {
    path: PathBuf,
}

impl Places {
    fn of(host: &Host) -> Self {
        Self { path: host.config().state_directory.join(FILE) }
    }

    fn read(&self) -> Result<ByProfile, OpError> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ByProfile::new()),
            Err(source) => return Err(self.failed(source)),
        };
        serde_json::from_str(&text).map_err(|error| self.failed(io::Error::new(io::ErrorKind::InvalidData, error)))
    }

    fn write(&self, all: &ByProfile) -> Result<(), OpError> {
        let text = serde_json::to_string_pretty(all).map_err(|error| self.failed(error.into()))?;
        crate::config::replace_file(&self.path, &text).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> OpError {
        OpError::Places { path: self.path.clone(), source }
    }
}
