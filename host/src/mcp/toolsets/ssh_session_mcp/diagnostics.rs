//! `ssh-session-diagnostics`: one session's state with what may be wrong with it, or that of all.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::state::State;
use super::summary::Seen;
use super::told::{Outcome, Told};
use super::viewer::Scope;
use super::{About, Call, command_id, tool};
use crate::clock;
use crate::mcp::tool::{Class, Tool};
use crate::ops::TerminalUse;
use crate::session::{Because, HealthState, Party};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Parameters {
    /// Id, device/connection or name; all sessions when left out.
    #[serde(default)]
    session: Option<String>,
}

pub(super) fn diagnostics_tool(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-session-diagnostics",
        title: "Diagnose sessions",
        description: "What a session is doing and what may be wrong with it: terminal, running command, lock, buffers, warnings.",
        class: Class::ReadHere,
    };
    tool(state, about, diagnose)
}

async fn diagnose(call: Call, parameters: Parameters) -> Outcome {
    if let Some(reference) = parameters.session {
        let seen = call.find(Some(&reference)).await?;
        let report = report(&call, &seen);
        let count = report["warnings"].as_array().map_or(0, Vec::len);
        let told = Told::success(format!("{}: {count} warnings", seen.reference()));
        return Ok(told.with_all(report.as_object().cloned().unwrap_or_default()));
    }
    let mut reports = Vec::new();
    for known in call.state.known(&call.host) {
        let seen = call.see(known).await?;
        reports.push(report(&call, &seen));
    }
    Ok(Told::success(format!("{} sessions", reports.len()))
        .with("generatedAt", clock::moment(clock::unix_ms()))
        .with("logging", call.logging())
        .with("sessions", reports))
}

fn report(call: &Call, seen: &Seen) -> Value {
    let vitals = &seen.view.vitals;
    json!({
        "session": call.summary(seen),
        "terminalMode": seen.terminal_mode(),
        "runningCommand": running(seen),
        "viewer": {
            "bindingKey": Scope::Connection.key(&seen.known),
            "mode": "browser",
            "pid": std::process::id(),
            "reused": true,
            "staleProcess": false,
        },
        "buffers": {
            "bufferStart": vitals.start.0,
            "bufferEnd": vitals.end.0,
            "eventStartSeq": vitals.first_line,
            "eventEndSeq": vitals.next_line,
            "historyLineStart": vitals.first_line,
            "historyLineEnd": vitals.next_line.saturating_sub(1),
            "historyPendingOutput": vitals.is_line_begun,
        },
        "policy": {
            "operationMode": seen.view.policy_mode.as_str(),
            "customPolicyRuleCount": seen.view.custom_rules,
        },
        "logging": call.logging(),
        "health": vitals.health,
        "warnings": warnings(seen),
    })
}

fn running(seen: &Seen) -> Value {
    let (summary, Some(job)) = (&seen.view.summary, seen.view.running) else { return Value::Null };
    let text = summary.running_command.as_deref().unwrap_or_default();
    json!({
        "commandId": command_id(seen.id(), &job.to_string()),
        "program": text.split_whitespace().next(),
        "startedAt": summary.running_since_unix_ms.map(clock::moment),
        "status": "running",
    })
}

fn warnings(seen: &Seen) -> Vec<Value> {
    let mut warnings = Vec::new();
    let mut warn = |code: &str, severity: &str, message: String| {
        warnings.push(json!({ "code": code, "severity": severity, "message": message }));
    };
    let view = &seen.view;
    if view.terminal == TerminalUse::Secret {
        warn(
            "password_prompt",
            "warning",
            "the terminal asks for a secret; a person types it in the viewer".to_owned(),
        );
    }
    if let Some(holder) = view.summary.input.holder {
        match (holder.who, holder.because) {
            (Party::Human, Because::Typing) => {
                let message = "a person has begun a line and not pressed Enter";
                warn("auto_lock_draft_active", "info", message.to_owned());
            }
            (Party::Human, _) => warn("user_lock_active", "info", "a person has the input".to_owned()),
            (Party::Agent, _) if view.running.is_none() => {
                let message = "the agent has the input and runs nothing";
                warn("agent_lock_without_command", "warning", message.to_owned());
            }
            (Party::Agent, _) => {}
        }
    }
    if view.vitals.start.0 > 0 {
        let message = format!("output before offset {} is no longer kept here", view.vitals.start.0);
        warn("buffer_trimmed", "info", message);
    }
    if let Some(reason) = &view.summary.closed_reason {
        warn("closed_session_retained", "info", format!("closed ({reason}); it can still be read"));
    }
    if view.vitals.health.state == HealthState::Unhealthy {
        let reason = view.vitals.health.reason.clone().unwrap_or_default();
        warn("connection_unhealthy", "warning", reason);
    }
    warnings
}
