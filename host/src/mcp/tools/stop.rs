//! `ssh_stop`: ending a job or a session.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::super::reply::{Reply, Status};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use super::session_schema;
use crate::host::Host;
use crate::ops::{self, NextStep, StopReport, StopRequest};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// May be left out when exactly one session is open.
    #[serde(default)]
    session_id: Option<String>,
    /// Interrupt this job (ctrl-c) and keep the session; without it the session is closed.
    #[serde(default)]
    job_id: Option<String>,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_stop",
        title: "Stop job or close session",
        description: "Interrupt a running job by job_id (ctrl-c, and say whether its end was seen), or without job_id close the session. Its record can still be read afterwards.",
        class: Class::End,
        input: schema::of::<Parameters>,
        output: || json!({ "session": session_schema(), "stopped": { "type": "string" }, "ended": { "type": "boolean" } }),
        call: |host, arguments| tool::typed(host, arguments, call),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    let Parameters { session_id, job_id } = parameters;
    match ops::stop(&host, StopRequest { session_id, job_id }).await {
        Ok(report) => render(&report),
        Err(error) => error.into(),
    }
}

fn render(report: &StopReport) -> Reply {
    let id = &report.session.session_id;
    let (status, told) = if report.ended {
        (Status::Success, "ended")
    } else {
        (Status::PartialSuccess, "interrupted; its end was not seen yet")
    };
    let summary = format!("{} {told} · session {id} is {}", report.stopped, report.session.state);
    let next = (!report.ended).then(|| NextStep::new("ssh_read", json!({ "session_id": id })));
    Reply::new(status, summary, String::new(), report).with_next(next)
}
