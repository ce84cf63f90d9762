//! `ssh_open`: a session on a profile.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::super::reply::{Reply, Status};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use super::{breadcrumb, notes, session_schema};
use crate::host::Host;
use crate::ops::{self, NextStep, OpenReport, OpenRequest};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// Profile name, as ssh_hosts lists it.
    profile: String,
    /// Route of the profile to follow at once, e.g. through a bastion into a pod.
    #[serde(default)]
    route: Option<String>,
    /// Open one more session even if one is open on this profile.
    #[serde(default)]
    new: bool,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_open",
        title: "Open SSH session",
        description: "Open a persistent SSH terminal on a profile (or reuse the open one) and optionally follow a named route through its bastion. Returns the session_id.",
        class: Class::WriteRemote,
        input: schema::of::<Parameters>,
        output: || json!({ "session": session_schema(), "reused": { "type": "boolean" }, "screen": { "type": "string" } }),
        call: |host, arguments| tool::typed(host, arguments, call),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    let Parameters { profile, route, new } = parameters;
    match ops::open(&host, OpenRequest { profile, route, new }).await {
        Ok(report) => render(&report),
        Err(error) => error.into(),
    }
}

fn render(report: &OpenReport) -> Reply {
    let session = &report.session;
    let how = if report.reused { "was open already" } else { "opened" };
    let summary = format!("session {} {how} · {} · {}", session.session_id, breadcrumb(session), session.state);
    let status = if report.notes.is_empty() { Status::Success } else { Status::PartialSuccess };
    let next = match session.state.as_str() {
        "at_prompt" => NextStep::new("ssh_status", json!({ "session_id": session.session_id })),
        _ => NextStep::new("ssh_read", json!({ "session_id": session.session_id })),
    };
    let body = format!("{}{}", notes(&report.notes), report.screen);
    Reply::new(status, summary, body, report).with_next(Some(next))
}
