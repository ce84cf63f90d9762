//! Requests that have one answer.

use serde_json::Value;

use super::Shared;
use super::protocol::{Answer, Refusal, RefusalCode, Request, RulesChange, Status};
use crate::host::Host;
use crate::ops::{self, OpError, OpenOutcome, OpenRequest};
use crate::session::{Party, RuleChange};

/// Why a session that an operator has closed is closed, for everybody who asks.
const CLOSED: &str = "closed by the operator (portcullis kill)";

pub(super) async fn answer(shared: &Shared, request: Request) -> Answer {
    let host = &shared.host;
    match request {
        Request::Status => Answer::Status(Box::new(status(host))),
        Request::Sessions => sessions(host).await,
        Request::Close { session } => match ops::session(host, &session) {
            Ok(session) => {
                session.close(CLOSED).await;
                Answer::Done {}
            }
            Err(error) => Answer::Refused(refusal(&error)),
        },
        Request::Stop => {
            tracing::info!("the operator ends the host");
            shared.stop.cancel();
            Answer::Done {}
        }
        Request::Open { profile, route } => open(host, profile, route).await,
        Request::SessionRules { session, change } => session_rules(host, &session, change).await,
        // A terminal is served elsewhere.
        Request::Attach(_) => Answer::Refused(Refusal::bad_request("a terminal has one answer after another")),
    }
}

fn status(host: &Host) -> Status {
    let announced = host.instance().announced();
    let sessions = host.sessions().all();
    let closed = sessions.iter().filter(|session| session.is_closed()).count();
    let failing = host.plugins().list().into_iter().filter(|plugin| plugin.info.failures > 0);
    Status {
        instance_id: announced.instance_id,
        process_id: announced.process_id,
        program_version: announced.program_version,
        started_unix_ms: announced.started_unix_ms,
        label: announced.label,
        clients: announced.clients,
        viewer: announced.viewer_url.and_then(|url| url.split('#').next().map(str::to_owned)),
        open_sessions: sessions.len() - closed,
        closed_sessions: closed,
        questions: host.desk().open().len(),
        approvals: ops::approvals(host).len(),
        failing_plugins: failing.map(|plugin| plugin.info.name).collect(),
    }
}

async fn sessions(host: &Host) -> Answer {
    let report = match ops::status(host, None).await {
        Ok(report) => report,
        Err(error) => return Answer::Refused(refusal(&error)),
    };
    let lines = report.sessions.into_iter().filter_map(|line| {
        let mut line = serde_json::to_value(line).ok()?;
        line.as_object_mut()?.remove("jobs");
        Some(line)
    });
    let sessions: Vec<Value> = lines.collect();
    Answer::Sessions { sessions }
}

async fn open(host: &Host, profile: String, route: Option<String>) -> Answer {
    let request = OpenRequest { profile: Some(profile), route, ..OpenRequest::default() };
    match ops::open(host, request).await {
        Ok(OpenOutcome::Open(report)) => Answer::Opened { session_id: report.session.session_id },
        Ok(OpenOutcome::Awaiting(awaiting)) => {
            Answer::Awaiting { what: format!("{}: {}", awaiting.target, awaiting.prompt) }
        }
        Err(error) => Answer::Refused(refusal(&error)),
    }
}

async fn session_rules(host: &Host, session: &str, change: Option<RulesChange>) -> Answer {
    let report = match change {
        None => ops::session_rules(host, Some(session)),
        Some(change) => match asked(change) {
            Ok(change) => ops::change_session_rules(host, Some(session), Party::Human, change).await,
            Err(error) => Err(error),
        },
    };
    match report.map(serde_json::to_value) {
        Ok(Ok(report)) => Answer::SessionRules { report },
        Ok(Err(error)) => Answer::Refused(Refusal::new(RefusalCode::Failed, error.to_string())),
        Err(error) => Answer::Refused(refusal(&error)),
    }
}

fn asked(change: RulesChange) -> Result<RuleChange, OpError> {
    Ok(match change {
        RulesChange::Set { rule } => RuleChange::Set(Box::new(ops::read_rule(rule)?)),
        RulesChange::Remove { id } => RuleChange::Remove(id),
        RulesChange::Reset {} => RuleChange::Reset,
    })
}

/// In the words of the operation, for a person.
pub(super) fn refusal(error: &OpError) -> Refusal {
    let code = match error.told() {
        OpError::UnknownSession { .. }
        | OpError::DroppedSession { .. }
        | OpError::UnknownProfile { .. }
        | OpError::UnknownRoute { .. } => RefusalCode::Unknown,
        _ => RefusalCode::Failed,
    };
    Refusal::new(code, crate::causes::with_causes(error))
}
