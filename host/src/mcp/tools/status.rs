//! `ssh_status`: sessions, jobs, plugins.

use portcullis_term::Typist;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::super::reply::{Reply, Status};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use super::{breadcrumb, named, outcome, waits_for_person};
use crate::host::Host;
use crate::ops::{self, ListedPlugin, SessionLine, StatusReport};
use crate::session::HealthState;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    #[serde(default)]
    session_id: Option<String>,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_status",
        title: "Session status",
        description: "Show open and lately closed sessions (place, state, health, idle time, jobs with exit codes), what waits for a person, plugins.",
        class: Class::ReadHere,
        input: schema::of::<Parameters>,
        output: || json!({ "sessions": { "type": "array", "items": { "type": "object" } } }),
        call: Box::new(|host, arguments| tool::typed(host, arguments, call)),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    match ops::status(&host, parameters.session_id.as_deref()).await {
        Ok(report) => render(&report),
        Err(error) => error.into(),
    }
}

/// The rest of a session's line: how it is, and what it goes on from.
fn health(line: &SessionLine) -> String {
    let health = &line.summary.health;
    let mut text = String::new();
    match health.state {
        HealthState::Healthy => text.push_str(" · healthy"),
        HealthState::Unhealthy => {
            text.push_str(&format!(" · UNHEALTHY: {}", health.reason.as_deref().unwrap_or_default()));
        }
        HealthState::Closed => {}
    }
    if let Some(round_trip) = health.round_trip_ms.filter(|_| health.state != HealthState::Closed) {
        text.push_str(&format!(" · round trip {round_trip:.1} ms"));
    }
    if health.state != HealthState::Closed {
        text.push_str(&format!(" · idle {} s", line.idle_s));
    }
    for (word, other) in [("goes on from", &line.summary.reopened_from), ("reopened as", &line.summary.reopened_as)] {
        if let Some(other) = other {
            text.push_str(&format!(" · {word} {other}"));
        }
    }
    let rules = line.summary.rules.all();
    if !rules.is_empty() {
        let ids: Vec<String> = rules.iter().map(|known| format!("session/{}", known.rule.id)).collect();
        text.push_str(&format!(" · rules of its own: {}", ids.join(", ")));
    }
    if let Some(problem) = &line.summary.record_problem {
        text.push_str(&format!(" · RECORD FAILING: {problem}"));
    }
    text.push('\n');
    text
}

fn render(report: &StatusReport) -> Reply {
    let mut body = String::new();
    for line in &report.sessions {
        let session = &line.summary;
        let closed = session.closed_reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
        body.push_str(&format!("{} · {} · {}{closed}", named(session), breadcrumb(session), session.state));
        body.push_str(&health(line));
        for command in &line.jobs {
            let typist = match command.typist {
                Typist::Agent => "agent",
                Typist::Human => "person",
                Typist::Automation => "navigator",
            };
            let text: String = command.text.chars().take(100).collect();
            let outcome = outcome::words(command.completion.as_ref());
            body.push_str(&format!("  {} {typist}: {text} → {outcome}\n", command.command_id));
        }
    }
    for awaiting in &report.awaiting {
        body.push_str(&format!("{}\n", waits_for_person(awaiting)));
    }
    for approval in &report.approvals {
        body.push_str(&format!(
            "approval {} waits for a person, another {} s · {} · rule {}: {}\n",
            approval.approval_id, approval.expires_in_s, approval.session_id, approval.rule_id, approval.text
        ));
    }
    for plugin in &report.plugins {
        body.push_str(&plugin_line(plugin));
    }
    let open = report.sessions.iter().filter(|line| line.summary.closed_reason.is_none()).count();
    let viewer = if report.viewer { "a person can watch in the viewer" } else { "the viewer is off" };
    let summary = format!("{open} open sessions, {} plugins; {viewer}", report.plugins.len());
    Reply::new(Status::Success, summary, body, report)
}

fn plugin_line(plugin: &ListedPlugin) -> String {
    let info = &plugin.info;
    let digest = &info.digest_sha256[..12.min(info.digest_sha256.len())];
    let mut line =
        format!("plugin {} ({}) {digest} · {} calls, {} failed", info.name, info.kind, info.calls, info.failures);
    for remark in plugin.remarks() {
        line.push_str(&format!(" · {remark}"));
    }
    line.push('\n');
    line
}
