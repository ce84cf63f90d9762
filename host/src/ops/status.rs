//! What there is: profiles, sessions, plugins; and ending things.

use std::collections::BTreeMap;
use std::time::Duration;

use portcullis_term::Outcome;
use serde::Serialize;

use super::{OpError, by_agent, clear, destination, find_session, place};
use crate::gate::{Action, Key};
use crate::host::Host;
use crate::plugins::Listed;
use crate::session::{CommandRecord, SessionSummary};

/// A program that handles the interrupt tidily needs a moment.
const INTERRUPT_WAIT: Duration = Duration::from_secs(5);
/// Commands of a session shown in its status.
const RECENT_COMMANDS: usize = 10;

#[derive(Debug, Serialize)]
pub struct HostsReport {
    pub hosts: Vec<HostLine>,
    /// Where the profiles are written.
    pub configuration: String,
}

#[derive(Debug, Serialize)]
pub struct HostLine {
    pub profile: String,
    pub label: String,
    pub tags: Vec<String>,
    pub address: String,
    pub user: String,
    pub policy_mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub navigator: Option<String>,
    pub routes: BTreeMap<String, BTreeMap<String, String>>,
    pub open_sessions: Vec<String>,
}

/// The profiles, without connecting to anything.
pub fn hosts(host: &Host, query: Option<&str>) -> HostsReport {
    let open: Vec<SessionSummary> = host.sessions().open().iter().map(|session| session.summary()).collect();
    let lines = host.config().destinations.iter().map(|(name, destination)| {
        let profile = &destination.profile;
        HostLine {
            profile: name.clone(),
            label: profile.label.clone(),
            tags: profile.tags.clone(),
            address: format!("{}:{}", profile.host, profile.port),
            user: profile.user.clone(),
            policy_mode: destination.policy_mode.as_str(),
            navigator: destination.navigator.as_ref().map(|choice| choice.plugin.clone()),
            routes: destination.routes.clone(),
            open_sessions: open.iter().filter(|s| s.profile == *name).map(|s| s.session_id.clone()).collect(),
        }
    });
    let matches = |line: &HostLine| {
        query.is_none_or(|query| {
            let query = query.to_lowercase();
            let texts = [&line.profile, &line.label, &line.address];
            texts.iter().any(|text| text.to_lowercase().contains(&query))
                || line.tags.iter().any(|tag| tag.to_lowercase().contains(&query))
        })
    };
    HostsReport { hosts: lines.filter(matches).collect(), configuration: host.config().source.display().to_string() }
}

#[derive(Debug, Serialize)]
pub struct StatusReport {
    pub instance_id: String,
    pub sessions: Vec<SessionLine>,
    pub plugins: Vec<Listed>,
    /// Whether a person can watch; where is for the person, not for the agent.
    pub viewer: bool,
}

#[derive(Debug, Serialize)]
pub struct SessionLine {
    /// With the health's times of this moment.
    #[serde(flatten)]
    pub summary: SessionSummary,
    /// Since anybody typed or anything was printed.
    pub idle_s: u64,
    /// The session's record.
    pub transcript: String,
    /// The latest commands, whoever ran them.
    pub jobs: Vec<CommandRecord>,
}

/// Sessions with their latest commands, and the plugins.
///
/// # Errors
/// When the session asked for does not exist.
pub async fn status(host: &Host, session_id: Option<&str>) -> Result<StatusReport, OpError> {
    let wanted = match session_id {
        Some(id) => vec![find_session(host, Some(id))?],
        None => host.sessions().all(),
    };
    let mut sessions = Vec::new();
    for session in wanted {
        let mut jobs = session.commands().await?;
        jobs.drain(..jobs.len().saturating_sub(RECENT_COMMANDS));
        let vitals = session.vitals().await?;
        sessions.push(SessionLine {
            summary: SessionSummary { health: vitals.health, ..session.summary() },
            idle_s: vitals.idle.as_secs(),
            transcript: session.transcript().display().to_string(),
            jobs,
        });
    }
    Ok(StatusReport {
        instance_id: host.instance().id.clone(),
        sessions,
        plugins: host.catalog().list(),
        viewer: host.config().viewer.enabled,
    })
}

#[derive(Debug, Clone)]
pub struct StopRequest {
    pub session_id: Option<String>,
    /// Interrupt this command and keep the session; none closes the session.
    pub job_id: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct StopReport {
    pub session: SessionSummary,
    /// What was stopped.
    pub stopped: String,
    /// Whether the end was seen; false means the interrupt was sent and the command goes on.
    pub ended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// Interrupts a command, or closes a session.
///
/// # Errors
/// When there is no such session or command.
pub async fn stop(host: &Host, request: StopRequest) -> Result<StopReport, OpError> {
    let session = find_session(host, request.session_id.as_deref())?;
    let id = session.id().to_string();
    let Some(job) = request.job_id else {
        session.close("closed by the agent").await;
        host.input().clear(&id);
        let summary = session.summary();
        return Ok(StopReport { session: summary, stopped: format!("session {id}"), ended: true, outcome: None });
    };
    let command_id =
        job.parse().map_err(|_| OpError::BadArgument(format!("`job_id` is `{job}`; a job is named like `c7`")))?;
    let reading = session.read().await?;
    if reading.running != Some(command_id) {
        let outcome = session.read_command(command_id).await.map_err(|error| OpError::from(error).in_session(&id))?;
        let known = outcome.record.completion.map(|completion| completion.outcome);
        return Ok(StopReport {
            session: session.summary(),
            stopped: format!("job {job}"),
            ended: true,
            outcome: known,
        });
    }
    let destination = destination(host, &session)?;
    let place = place(&session, &destination, &reading);
    let cleared = clear(host, &session, &place, by_agent(Action::Press { key: Key::Control(b'c') }, None)).await?;
    session.type_in(cleared).await.map_err(|error| OpError::from(error).in_session(&id))?;
    let seen = tokio::time::timeout(INTERRUPT_WAIT, session.wait_command(command_id)).await;
    let outcome = seen.ok().and_then(Result::ok).map(|completion| completion.outcome);
    let ended = outcome.as_ref().is_some_and(|outcome| !outcome.is_open());
    Ok(StopReport { session: session.summary(), stopped: format!("job {job}"), ended, outcome })
}
