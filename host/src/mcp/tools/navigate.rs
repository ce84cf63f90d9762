//! `ssh_navigate`: a route from here, a place saved before, or where the session is.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::progress;
use super::super::reply::{Reply, Status};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use crate::host::Host;
use crate::ops::{self, NavigateReport, NavigateRequest, NextStep, OpError, PlaceReport};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    #[serde(default)]
    route: Option<String>,
    #[serde(default)]
    place: Option<String>,
    /// Name for the place it is then at.
    #[serde(default)]
    save_as: Option<String>,
    #[serde(default)]
    session_id: Option<String>,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_navigate",
        title: "Follow route",
        description: "Follow a named route through the bastion's menu to a host or pod. Stops and shows the screen rather than guess. Without route or place: where it is.",
        class: Class::WriteRemote,
        input: schema::of::<Parameters>,
        output: || json!({ "breadcrumb": { "type": "array", "items": { "type": "string" } } }),
        call: Box::new(|host, arguments| tool::typed(host, arguments, call)),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    match answer(&host, parameters).await {
        Ok(reply) => reply,
        Err(error) => error.into(),
    }
}

async fn answer(host: &Host, parameters: Parameters) -> Result<Reply, OpError> {
    let Parameters { route, place, save_as, session_id } = parameters;
    let progress = progress::reporter();
    let went = match (route, place) {
        (Some(_), Some(_)) => {
            return Err(OpError::BadArgument("give `route` or `place`, not both".to_owned()));
        }
        (Some(route), None) => {
            let request = NavigateRequest { session_id: session_id.clone(), route, progress };
            Some((ops::navigate(host, request).await?, Vec::new()))
        }
        (None, Some(place)) => Some(ops::go_to_place(host, session_id.clone(), &place, progress).await?),
        (None, None) => None,
    };
    let session_id = went.as_ref().map(|(report, _)| report.session.session_id.clone()).or(session_id);
    if let Some(name) = &save_as {
        let saved = ops::save_place(host, session_id.as_deref(), name).await?;
        return Ok(match went {
            Some((report, missing)) => render(&report, &missing, Some(name)),
            None => render_place(&saved, Some(name)),
        });
    }
    match went {
        Some((report, missing)) => Ok(render(&report, &missing, None)),
        None => Ok(render_place(&ops::where_am_i(host, session_id.as_deref()).await?, None)),
    }
}

fn render(report: &NavigateReport, missing: &[String], saved: Option<&String>) -> Reply {
    let mut summary = format!(
        "route {} followed in {:.1} s: {}",
        report.route,
        report.duration_ms as f64 / 1000.0,
        report.breadcrumb.join(" › ")
    );
    summary.push_str(&saved_as(saved));
    let mut body: Vec<String> = report.steps.iter().map(|step| format!("- {step}")).collect();
    if !missing.is_empty() {
        summary.push_str(&format!(" (the place goes on: {})", missing.join(" › ")));
        body.push("the levels beyond the route were entered by commands, which are not repeated".to_owned());
    }
    let status = if missing.is_empty() { Status::Success } else { Status::PartialSuccess };
    Reply::new(status, summary, body.join("\n"), report).with_next(Some(status_of(&report.session.session_id)))
}

fn render_place(report: &PlaceReport, saved: Option<&String>) -> Reply {
    let confidence = serde_json::to_value(report.confidence).unwrap_or_default();
    let levels: Vec<String> = report.levels.iter().map(|level| level.label.clone()).collect();
    let path = if levels.is_empty() { "on no known level".to_owned() } else { levels.join(" › ") };
    let confidence = confidence.as_str().unwrap_or_default();
    let summary = format!(
        "session {} is at {path} ({confidence}), {}{}",
        report.session.session_id,
        report.session.state,
        saved_as(saved)
    );
    let listed = |what: &str, names: Vec<&String>| {
        let names = names.into_iter().cloned().collect::<Vec<_>>().join(", ");
        (!names.is_empty()).then(|| format!("{what}: {names}"))
    };
    let mut body: Vec<String> = listed("routes", report.routes.iter().collect()).into_iter().collect();
    body.extend(listed("places", report.places.keys().collect()));
    body.extend(report.screen.iter().map(|row| format!("| {row}")));
    let next = match report.routes.first() {
        Some(route) if report.route.is_none() => {
            let arguments: Value = json!({ "session_id": report.session.session_id, "route": route });
            NextStep::new("ssh_navigate", arguments)
        }
        _ => status_of(&report.session.session_id),
    };
    Reply::new(Status::Success, summary, body.join("\n"), report).with_next(Some(next))
}

fn saved_as(name: Option<&String>) -> String {
    name.map_or_else(String::new, |name| format!("; saved as place `{name}`"))
}

fn status_of(session_id: &str) -> NextStep {
    NextStep::new("ssh_status", json!({ "session_id": session_id }))
}
