//! What there is: profiles, sessions, plugins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::approving::{self, AwaitingApproval};
use super::awaiting::{self, AwaitingPerson};
use super::{OpError, callers, find_session};
use crate::config::Destination;
use crate::diagnose::{self, Depth, Finding, State};
use crate::host::Host;
use crate::plugins::Listed;
use crate::session::{CommandRecord, SessionHandle, SessionSummary};

/// Commands of a session shown in its status.
const RECENT_COMMANDS: usize = 10;

#[derive(Debug, Serialize)]
pub struct HostsReport {
    pub hosts: Vec<HostLine>,
    /// Profiles that are written and cannot be opened.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unusable: Vec<UnusableLine>,
    /// Where the profiles are written.
    pub configuration: String,
    /// What in the files has no effect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct UnusableLine {
    pub profile: String,
    /// Where it is written.
    pub origin: String,
    pub problem: String,
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
    /// Where it is written.
    pub origin: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What stands in the way of a connection, as far as it can be seen from here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// The profiles and what stands in their way, without connecting to anything.
pub async fn hosts(host: &Host, query: Option<&str>) -> HostsReport {
    let mut report = listed(host, query);
    let shown = report.hosts.iter().filter_map(|line| host.config().destinations.get(&line.profile).cloned());
    let shown: Vec<Arc<Destination>> = shown.collect();
    // Reads key files, away from the threads that serve sessions.
    let looking = tokio::task::spawn_blocking(move || shown.iter().map(|found| problems(found)).collect::<Vec<_>>());
    // It does not panic, so this is a runtime that is shutting down.
    for (line, problems) in report.hosts.iter_mut().zip(looking.await.unwrap_or_default()) {
        line.problems = problems;
    }
    report
}

fn problems(destination: &Destination) -> Vec<String> {
    let findings = diagnose::profile(destination, Depth::Quick).into_iter();
    let problems = findings.filter(|finding| finding.state == State::Problem);
    problems
        .map(|Finding { subject, text, help, .. }| match help {
            Some(help) => format!("{subject}: {text} (a person mends it with: {help})"),
            None => format!("{subject}: {text}"),
        })
        .collect()
}

fn listed(host: &Host, query: Option<&str>) -> HostsReport {
    let open: Vec<SessionSummary> = callers::open_sessions(host).iter().map(|it| it.summary()).collect();
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
            origin: destination.origin.clone(),
            notes: destination.notes.clone(),
            problems: Vec::new(),
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
    let config = host.config();
    let unusable = config.unusable.iter().filter(|(name, _)| query.is_none_or(|query| name.contains(query)));
    HostsReport {
        hosts: lines.filter(matches).collect(),
        unusable: unusable
            .map(|(name, unusable)| UnusableLine {
                profile: name.clone(),
                origin: unusable.origin.clone(),
                problem: unusable.problem.clone(),
            })
            .collect(),
        configuration: config.described_sources(),
        notes: config.notes.clone(),
    }
}

#[derive(Debug, Serialize)]
pub struct StatusReport {
    pub instance_id: String,
    pub sessions: Vec<SessionLine>,
    /// Sessions that are being opened and wait for a person.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub awaiting: Vec<AwaitingPerson>,
    /// Texts that wait for a person's consent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<AwaitingApproval>,
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
    /// Where the session's record lies, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript: Option<PathBuf>,
    /// Commands, whoever ran them, oldest first; in a status the latest ones.
    pub jobs: Vec<CommandRecord>,
}

/// One session with all its commands that are remembered, oldest first.
///
/// # Errors
/// When there is no such session.
pub async fn session_line(host: &Host, session_id: Option<&str>) -> Result<SessionLine, OpError> {
    let session = find_session(host, session_id)?;
    line(&session).await.map_err(|error| error.in_session(session.id().as_str()))
}

async fn line(session: &SessionHandle) -> Result<SessionLine, OpError> {
    let jobs = session.commands().await?;
    let vitals = session.vitals().await?;
    Ok(SessionLine {
        summary: SessionSummary { health: vitals.health, ..session.summary() },
        idle_s: vitals.idle.as_secs(),
        transcript: session.transcript().map(Path::to_owned),
        jobs,
    })
}

/// Sessions with their latest commands, and the plugins.
///
/// # Errors
/// When the session asked for does not exist.
pub async fn status(host: &Host, session_id: Option<&str>) -> Result<StatusReport, OpError> {
    let wanted = match session_id {
        Some(id) => vec![find_session(host, Some(id))?],
        None => callers::visible_sessions(host),
    };
    let mut sessions = Vec::new();
    for session in wanted {
        let mut line = line(&session).await?;
        line.jobs.drain(..line.jobs.len().saturating_sub(RECENT_COMMANDS));
        sessions.push(line);
    }
    Ok(StatusReport {
        instance_id: host.instance().id.clone(),
        sessions,
        awaiting: awaiting::all(host),
        approvals: approving::waiting(host),
        plugins: host.plugins().list(),
        viewer: host.config().viewer.enabled,
    })
}
