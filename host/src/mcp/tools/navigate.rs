//! `ssh_navigate`: a route from here.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::super::reply::{Reply, Status};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use super::session_schema;
use crate::host::Host;
use crate::ops::{self, NavigateReport, NavigateRequest, NextStep};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// Route name, as ssh_hosts lists it for the session's profile.
    route: String,
    /// May be left out when exactly one session is open.
    #[serde(default)]
    session_id: Option<String>,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_navigate",
        title: "Follow a route",
        description: "Follow a named route from where the session is: through the bastion's menu to a host and on into a pod. Stops and shows the screen rather than guess.",
        class: Class::WriteRemote,
        input: schema::of::<Parameters>,
        output: || {
            json!({
                "session": session_schema(),
                "reached": { "type": "string" },
                "breadcrumb": { "type": "array", "items": { "type": "string" } },
                "steps": { "type": "array", "items": { "type": "string" } }
            })
        },
        call: |host, arguments| tool::typed(host, arguments, call),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    let Parameters { route, session_id } = parameters;
    match ops::navigate(&host, NavigateRequest { session_id, route }).await {
        Ok(report) => render(&report),
        Err(error) => error.into(),
    }
}

fn render(report: &NavigateReport) -> Reply {
    let summary = format!(
        "route {} followed in {:.1} s: {}",
        report.route,
        report.duration_ms as f64 / 1000.0,
        report.breadcrumb.join(" › ")
    );
    let body: Vec<String> = report.steps.iter().map(|step| format!("- {step}")).collect();
    let next = NextStep::new("ssh_status", json!({ "session_id": report.session.session_id }));
    Reply::new(Status::Success, summary, body.join("\n"), report).with_next(Some(next))
}
