//! `ssh_stop`: ending a job or a session.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::super::reply::{Reply, Status};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use super::{outcome, steps};
use crate::host::Host;
use crate::ops::{self, NextStep, StopReport, StopRequest};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    job_id: Option<String>,
    #[serde(default)]
    force: bool,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_stop",
        title: "Stop job or close session",
        description: "Stop a job (ctrl-c; with force TERM, KILL) and say whether its end was seen; without job_id close the session. Its record stays readable.",
        class: Class::End,
        input: schema::of::<Parameters>,
        output: || json!({ "ended": { "type": "boolean" } }),
        call: Box::new(|host, arguments| tool::typed(host, arguments, call)),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    let Parameters { session_id, job_id, force } = parameters;
    match ops::stop(&host, StopRequest { session_id, job_id, force }).await {
        Ok(report) => render(&report, force),
        Err(error) => error.into(),
    }
}

fn render(report: &StopReport, force: bool) -> Reply {
    let id = &report.session.session_id;
    let told = report.completion.as_ref().map(|known| outcome::tell(known, id, 20));
    let ended = match (report.ended, report.steps.is_empty(), &report.job_id) {
        (true, true, Some(_)) => "had ended already",
        (true, ..) => "ended",
        (false, ..) => "its end was not seen",
    };
    let words = told.as_ref().map_or(String::new(), |told| format!(": {}", told.words));
    let summary = format!("{} {ended}{words} · session {id} is {}", report.stopped, report.session.state);
    let status = if report.ended { Status::Success } else { Status::PartialSuccess };
    let next = match &report.job_id {
        Some(job_id) if !report.ended && !force => {
            Some(NextStep::new("ssh_stop", json!({ "session_id": id, "job_id": job_id, "force": true })))
        }
        _ if !report.ended => Some(NextStep::new("ssh_read", json!({ "session_id": id }))),
        _ => None,
    };
    let evidence = report.completion.as_ref().map(|known| known.evidence.clone()).unwrap_or_default();
    let reply = Reply::new(status, summary, steps(&report.steps), report).with_next(next).with_evidence(evidence);
    if report.job_id.is_some() { reply.with_nulls(outcome::ALWAYS) } else { reply }
}
