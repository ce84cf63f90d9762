//! Following a route: the bastion's navigator decides each step, the host carries it out.
//!
//! Every text passes the gate and is on record. Steps, time and repetition are bounded; when
//! anything fails the terminal stays where it is and its rows go back to the caller.

mod convert;
mod journey;
mod places;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_sandbox::NavigatorPlugin;
use portcullis_sandbox::common::Attribute;
use portcullis_sandbox::navigator::{Event, Failure, Goal, Outcome, Step};
use serde::Serialize;

use self::convert::{last_rows, screen};
use self::journey::Journey;
use super::{OpError, Stopped, destination, find_session, on_record};
use crate::causes::with_causes;
use crate::config::Destination;
use crate::gate::level;
use crate::host::Host;
use crate::metrics;
use crate::session::{SessionHandle, SessionSummary};

pub use places::{LevelLine, PlaceConfidence, PlaceReport, go_to_place, save_place, where_am_i};

/// Steps of one navigation; the longest real one has about fifteen.
pub(crate) const MAX_STEPS: usize = 64;
/// The same step at the same screen this often means that nothing helps.
pub(crate) const MAX_REPEATS: usize = 3;
const MAX_TIME: Duration = Duration::from_secs(180);
/// Longest single wait a navigator gets.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// A login shell behind a menu may be slow to start.
const LEVEL_PROMPT: Duration = Duration::from_secs(30);
const COMMAND_WAIT: Duration = Duration::from_secs(60);
/// Rows given back with a failure.
pub(crate) const FAILURE_ROWS: usize = 12;

/// The failure with which a navigator says that the session is in a level from which it knows no way.
const WRONG_PLACE: &str = "wrong-place";
/// Attribute of a host's level: `menu` where its end leads back to the bastion's menu. Elsewhere leaving
/// it may end the connection.
const LEAVES_TO: &str = "leaves-to";

#[derive(Debug, Clone, Default)]
pub struct NavigateRequest {
    pub session_id: Option<String>,
    pub route: String,
    pub progress: Progress,
}

/// Whoever wants to hear of each step as it is begun: its number, from 1, and what is done.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<Tell>>);

type Tell = dyn Fn(usize, &str) + Send + Sync;

impl Progress {
    pub fn new(tell: impl Fn(usize, &str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    pub(super) fn tell(&self, number: usize, what: &str) {
        if let Some(tell) = &self.0 {
            tell(number, what);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() { "Progress(told)" } else { "Progress(none)" })
    }
}

#[derive(Debug, Serialize)]
pub struct NavigateReport {
    pub session: SessionSummary,
    pub route: String,
    /// The place the navigator says it has reached.
    pub reached: String,
    pub breadcrumb: Vec<String>,
    /// What was done, one line each.
    pub steps: Vec<String>,
    pub duration_ms: u64,
}

/// The route's parameters, or an error that lists the routes.
pub(super) fn known_route(
    destination: &Destination,
    route: &str,
) -> Result<std::collections::BTreeMap<String, String>, OpError> {
    let profile = &destination.profile.name;
    if destination.navigator.is_none() {
        return Err(OpError::NoNavigator { profile: profile.clone() });
    }
    destination.routes.get(route).cloned().ok_or_else(|| OpError::UnknownRoute {
        profile: profile.clone(),
        route: route.to_owned(),
        known: destination.routes.keys().cloned().collect(),
    })
}

/// Follows the route from wherever the session is: levels from which the navigator knows no way are left
/// first, as far as that cannot end the session.
///
/// # Errors
/// When the route is unknown, the navigator gives up or fails, or a policy refuses a step.
pub async fn navigate(host: &Host, request: NavigateRequest) -> Result<NavigateReport, OpError> {
    let session = find_session(host, request.session_id.as_deref())?;
    let destination = destination(host, &session)?;
    let navigator = destination.navigator.as_ref().map(|choice| choice.plugin.clone());
    let went = go(host, &session, destination, request).await;
    if let Err(error @ (OpError::Navigation(_) | OpError::Plugin { .. })) = went.as_ref().map_err(OpError::told) {
        on_record(&session, "navigator", navigator, &with_causes(error)).await;
    }
    went
}

async fn go(
    host: &Host,
    session: &SessionHandle,
    destination: Arc<Destination>,
    request: NavigateRequest,
) -> Result<NavigateReport, OpError> {
    let parameters = known_route(&destination, &request.route)?;
    let choice = destination.navigator.as_ref().map(|choice| choice.plugin.clone()).unwrap_or_default();
    let plugin = host
        .plugins()
        .current()
        .navigator(&choice)
        .ok_or_else(|| OpError::NoNavigator { profile: destination.profile.name.clone() })?;
    let mut journey = Journey::new(host, session, destination, request.route.clone(), request.progress);
    let way = Way { session, plugin, choice, route: request.route, parameters };
    loop {
        match way.follow(&mut journey).await.map_err(|error| error.in_session(session.id().as_str()))? {
            Ok(outcome) => {
                session.followed(way.route.clone()).await?;
                return Ok(NavigateReport {
                    session: session.summary(),
                    reached: outcome.label,
                    breadcrumb: session.summary().breadcrumb,
                    duration_ms: journey.duration().as_millis() as u64,
                    steps: journey.steps,
                    route: way.route,
                });
            }
            Err(failure) if failure.code == WRONG_PLACE && journey.leave_level().await? => {}
            Err(failure) => return Err(way.stopped(failure, journey.steps).await?),
        }
    }
}

/// What is followed, and by which plugin.
struct Way<'a> {
    session: &'a SessionHandle,
    plugin: NavigatorPlugin,
    choice: String,
    route: String,
    parameters: BTreeMap<String, String>,
}

impl Way<'_> {
    /// Asks the navigator and does what it says, until it is there or gives up.
    async fn follow(&self, journey: &mut Journey<'_>) -> Result<Result<Outcome, Failure>, OpError> {
        let failed = |source| OpError::Plugin { plugin: self.choice.clone(), source };
        let reading = self.session.read().await?;
        let parameters = self.parameters.iter().map(|(key, value)| (key.clone(), value.clone()));
        let goal = Goal {
            route: self.route.clone(),
            parameters: parameters.map(|(key, value)| Attribute { key, value }).collect(),
            levels: reading.levels.iter().map(level).collect(),
        };
        let mut navigation = self.plugin.begin(&goal).await.map_err(failed)?;
        let mut event = Event::Start(screen(&reading));
        let mut last = (String::new(), 0, 0);
        loop {
            let asked = Instant::now();
            let step = navigation.next(&event).await;
            metrics::plugin_asked(&self.choice, asked.elapsed(), step.is_err());
            let step = step.map_err(failed)?;
            let generation = self.session.read().await?.generation;
            let named = format!("{step:?}");
            let repeats = if last.0 == named && last.1 == generation { last.2 + 1 } else { 0 };
            last = (named, generation, repeats);
            event = match step {
                Step::Done(outcome) => return Ok(Ok(outcome)),
                Step::Fail(failure) => return Ok(Err(failure)),
                step => match self.given_up(journey, repeats) {
                    Some(message) => {
                        return Ok(Err(Failure { code: "stopped".to_owned(), message, rows: Vec::new() }));
                    }
                    None => journey.carry_out(step).await?,
                },
            };
        }
    }

    /// Why no further step is done.
    fn given_up(&self, journey: &Journey<'_>, repeats: usize) -> Option<String> {
        if let Some(reason) = self.session.summary().closed_reason {
            return Some(format!("the session closed: {reason}"));
        }
        journey.exhausted(repeats).map(str::to_owned)
    }

    async fn stopped(&self, failure: Failure, steps: Vec<String>) -> Result<OpError, OpError> {
        let rows = match failure.rows.is_empty() {
            true => last_rows(&self.session.read().await?),
            false => failure.rows,
        };
        Ok(OpError::Navigation(Box::new(Stopped {
            route: self.route.clone(),
            code: failure.code,
            message: failure.message,
            steps,
            rows,
            session_id: self.session.id().to_string(),
        })))
    }
}
