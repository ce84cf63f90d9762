//! `ssh-status`: the host at one glance.

use std::sync::Arc;

use serde_json::{Value, json};

use super::state::State;
use super::told::{Outcome, Told};
use super::{About, Call, NoParameters, tool, viewer};
use crate::mcp::tool::{Class, Tool};
use crate::ops;

pub(super) fn status_tool(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-status",
        title: "Status",
        description: "The open sessions, the active one, the devices, the viewer, and what waits for a person.",
        class: Class::ReadHere,
    };
    tool(state, about, status)
}

impl Call {
    /// What is kept of the sessions on the disk.
    pub(super) fn logging(&self) -> Value {
        let directory = self.host.config().state_directory.join("instances").join(&self.host.instance().id);
        json!({ "mode": "transcript", "enabled": true, "dir": directory })
    }
}

async fn status(call: Call, _: NoParameters) -> Outcome {
    let known = call.state.known(&call.host);
    let active = call.state.active(&known);
    let mut sessions = Vec::new();
    for known in known.iter().filter(|it| !it.session.is_closed()) {
        let seen = call.see(known.clone()).await?;
        let summary = &seen.view.summary;
        sessions.push(json!({
            "sessionId": summary.session_id,
            "sessionName": summary.name,
            "sessionRef": seen.reference(),
            "deviceId": summary.profile,
            "connectionName": seen.known.connection,
            "instanceId": call.instance(),
            "host": seen.view.address,
            "user": seen.view.user,
            "terminalUrl": viewer::links(&call, Some(seen.id()))["viewerUrl"],
            "idleMinutes": seen.view.vitals.idle.as_secs() / 60,
            "terminalMode": seen.terminal_mode(),
        }));
    }
    let waiting = ops::status(&call.host, None).await?;
    let devices: Vec<String> = ops::devices(&call.host).into_iter().map(|device| device.profile).collect();
    let hint = match (&active, sessions.len()) {
        (_, 0) => "Open a session with ssh-quick-connect.",
        (None, 2..) => "No session is active: give `session`, or choose one with ssh-session-set-active.",
        _ => "Run commands with ssh-run.",
    };
    Ok(Told::success(format!("{} open sessions", sessions.len()))
        .with("instanceId", call.instance())
        .with("activeSessions", sessions.len())
        .with("activeSessionId", json!(active.as_ref().map(super::state::Known::id)))
        .with("activeSessionRef", json!(active.as_ref().map(super::state::Known::reference)))
        .with("sessions", sessions)
        .with("viewerBaseUrl", viewer::links(&call, None)["viewerBaseUrl"].clone())
        .with("viewerPort", json!(viewer::port(&call)))
        .with_all(call.configuration())
        .with("configuredDevices", devices)
        .with("operationMode", call.state.settings.mode.as_str())
        .with("logging", call.logging())
        .with("approvals", json!(waiting.approvals))
        .with("awaiting", json!(waiting.awaiting))
        .with("hint", hint))
}
