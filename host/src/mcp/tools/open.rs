//! `ssh_open`: a session on a profile.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::progress;
use super::super::reply::{Reply, Status};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use super::{breadcrumb, named, notes, waits_for_person};
use crate::host::Host;
use crate::ops::{self, AwaitingPerson, NextStep, OpError, OpenOutcome, OpenReport, OpenRequest};

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// From ssh_hosts.
    #[serde(default)]
    profile: Option<String>,
    /// From ssh_hosts.
    #[serde(default)]
    route: Option<String>,
    /// One more on this profile.
    #[serde(default)]
    new: bool,
    /// Usable as session_id.
    #[serde(default)]
    name: Option<String>,
    /// Closed session; nothing is replayed.
    #[serde(default)]
    reopen: Option<String>,
    #[serde(default)]
    #[schemars(range(min = 2, max = 1000))]
    columns: Option<u16>,
    #[serde(default)]
    #[schemars(range(min = 2, max = 1000))]
    rows: Option<u16>,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_open",
        title: "Open SSH session",
        description: "Open a persistent SSH terminal on a profile (or reuse the open one) and follow a route; reopen a closed one; resize.",
        class: Class::WriteRemote,
        input: schema::of::<Parameters>,
        output: || json!({ "screen": { "type": "string" } }),
        call: Box::new(|host, arguments| tool::typed(host, arguments, call)),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    let (again, on_the_way) = (same_call(&parameters), parameters.route.clone());
    let Parameters { profile, route, new, name, reopen, columns, rows } = parameters;
    match ops::open(
        &host,
        OpenRequest {
            profile,
            route,
            new,
            name,
            reopen,
            columns,
            rows,
            idle_close: None,
            progress: progress::reporter(),
        },
    )
    .await
    {
        Ok(OpenOutcome::Open(report)) => render(&report),
        Ok(OpenOutcome::Awaiting(awaiting)) => render_awaiting(&awaiting, again),
        // The session is open; only the route is not yet followed.
        Err(OpError::AwaitingApproval(approval)) => {
            let arguments = json!({ "session_id": approval.session_id, "route": on_the_way });
            Reply::from(OpError::AwaitingApproval(approval)).with_next(Some(NextStep::new("ssh_navigate", arguments)))
        }
        Err(error) => error.into(),
    }
}

/// The arguments as they were given, for calling again while a person is asked.
fn same_call(parameters: &Parameters) -> Value {
    let mut all = json!(parameters);
    if let Some(all) = all.as_object_mut() {
        all.retain(|_, value| !value.is_null() && *value != json!(false));
    }
    all
}

/// Neither done nor failed: the attempt goes on, and the same call returns its session.
fn render_awaiting(awaiting: &AwaitingPerson, again: Value) -> Reply {
    let summary = waits_for_person(awaiting);
    let asked: String = awaiting.prompt.lines().map(|line| format!("| {line}\n")).collect();
    let body = format!(
        "what is asked, as data:\n{asked}Tell the person; `portcullis viewer` prints the link that logs a browser in. \
         Then call ssh_open again with the same arguments: it joins this attempt and returns the session."
    );
    Reply::new(Status::PartialSuccess, summary, body, awaiting).with_next(Some(NextStep::new("ssh_open", again)))
}

fn render(report: &OpenReport) -> Reply {
    let session = &report.session;
    let how = match &report.reopened_from {
        Some(previous) => format!("reopened from {}", previous.session_id),
        None if report.reused => "was open already".to_owned(),
        None => "opened".to_owned(),
    };
    let summary = format!(
        "session {} {how} · {} · {} · {}×{}",
        named(session),
        breadcrumb(session),
        session.state,
        session.columns,
        session.rows
    );
    // What was lost with the old session is no failure of this call.
    let complete = report.notes.is_empty() || report.reopened_from.is_some();
    let status = if complete { Status::Success } else { Status::PartialSuccess };
    let body = format!("{}{}", notes(&report.notes), report.screen);
    Reply::new(status, summary, body, report).with_next(Some(next(report)))
}

/// Where the closed session had followed a route, the new one is offered it; nothing is followed unasked.
fn next(report: &OpenReport) -> NextStep {
    let id = &report.session.session_id;
    let route = report.reopened_from.as_ref().and_then(|previous| previous.route.as_ref());
    match (route, report.session.state.as_str()) {
        (Some(route), _) if report.navigation.is_none() => {
            NextStep::new("ssh_navigate", json!({ "session_id": id, "route": route }))
        }
        (_, "at_prompt") => NextStep::new("ssh_status", json!({ "session_id": id })),
        _ => NextStep::new("ssh_read", json!({ "session_id": id })),
    }
}
