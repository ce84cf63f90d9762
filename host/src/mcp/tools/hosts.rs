//! `ssh_hosts`: what can be reached.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::super::reply::{Reply, Status};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use crate::host::Host;
use crate::ops::{self, HostsReport, NextStep};

const NO_PROFILES: &str = "No profile fits. A person adds one: a `Host` in ~/.ssh/config, or \
    `portcullis config profile set NAME host=HOST user=USER`; then this server is restarted.";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// Part of name, label, address or tag.
    #[serde(default)]
    query: Option<String>,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_hosts",
        title: "List SSH hosts",
        description: "List the SSH profiles: address, user, policy mode, routes through bastions, problems. Connects to nothing.",
        class: Class::ReadHere,
        input: schema::of::<Parameters>,
        output: || json!({ "hosts": { "type": "array", "items": { "type": "object" } } }),
        call: Box::new(|host, arguments| tool::typed(host, arguments, call)),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    let report = ops::hosts(&host, parameters.query.as_deref()).await;
    render(&report)
}

fn render(report: &HostsReport) -> Reply {
    let mut lines: Vec<String> = report
        .hosts
        .iter()
        .map(|line| {
            let routes: Vec<&str> = line.routes.keys().map(String::as_str).collect();
            let routes = if routes.is_empty() { String::new() } else { format!(" · routes: {}", routes.join(", ")) };
            let open = if line.open_sessions.is_empty() {
                String::new()
            } else {
                format!(" · open: {}", line.open_sessions.join(", "))
            };
            let problems: String = line.problems.iter().map(|problem| format!("\n  problem: {problem}")).collect();
            format!(
                "{} — {} ({}@{}) · mode {}{routes}{open}{problems}",
                line.profile, line.label, line.user, line.address, line.policy_mode
            )
        })
        .collect();
    let summary = format!("{} profiles, from {}", lines.len(), report.configuration);
    lines.extend(report.unusable.iter().map(|line| format!("{} — cannot be opened: {}", line.profile, line.problem)));
    lines.extend(report.notes.iter().map(|note| format!("note: {note}")));
    if report.hosts.is_empty() && report.unusable.is_empty() {
        lines.push(NO_PROFILES.to_owned());
    }
    let next = report.hosts.first().map(|line| NextStep::new("ssh_open", json!({ "profile": line.profile })));
    Reply::new(Status::Success, summary, lines.join("\n"), report).with_next(next)
}
