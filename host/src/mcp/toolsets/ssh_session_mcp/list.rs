//! `ssh-session-list`, `ssh-session-set-active` and `ssh-session-close`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::state::{Known, State};
use super::told::{Outcome, Told};
use super::{About, Call, SessionParameter, tool};
use crate::mcp::tool::{Class, Tool};
use crate::ops::{self, StopRequest};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ListParameters {
    /// Closed ones too, default false.
    #[serde(default)]
    include_closed: bool,
    /// Of this device only.
    #[serde(default)]
    device: Option<String>,
    /// Connections of this name only.
    #[serde(default)]
    connection_name: Option<String>,
}

pub(super) fn list(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-session-list",
        title: "List sessions",
        description: "List the sessions, newest first, each with its summary; which one is active.",
        class: Class::ReadHere,
    };
    tool(state, about, list_sessions)
}

async fn list_sessions(call: Call, parameters: ListParameters) -> Outcome {
    let known = call.state.known(&call.host);
    let active = call.state.active(&known);
    let fits = |it: &&Known| {
        let profile = it.summary().profile;
        (parameters.include_closed || !it.session.is_closed())
            && parameters.device.as_ref().is_none_or(|device| *device == profile)
            && parameters.connection_name.as_ref().is_none_or(|name| *name == it.connection)
    };
    let mut sessions = Vec::new();
    for known in known.iter().rev().filter(fits) {
        let seen = call.see(known.clone()).await?;
        sessions.push(Value::Object(call.summary(&seen)));
    }
    Ok(Told::success(format!("{} sessions", sessions.len()))
        .with("activeSessionRef", json!(active.map(|active| active.reference())))
        .with("sessions", sessions))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ActiveParameters {
    /// Id, device/connection or name; none when left out.
    #[serde(default)]
    session: Option<String>,
}

pub(super) fn set_active(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-session-set-active",
        title: "Choose active session",
        description: "Choose the session that calls without `session` mean; without `session`, none.",
        class: Class::ReadHere,
    };
    tool(state, about, choose)
}

async fn choose(call: Call, parameters: ActiveParameters) -> Outcome {
    let Some(reference) = parameters.session else {
        call.state.set_active(None);
        return Ok(Told::success("no session is active")
            .with("instanceId", call.instance())
            .with("activeSessionId", Value::Null)
            .with("activeSessionRef", Value::Null));
    };
    let seen = call.find(Some(&reference)).await?;
    if let Some(reason) = &seen.view.summary.closed_reason {
        return Err(Told::failure("ambiguous-session", format!("{} is closed ({reason})", seen.reference()))
            .next("Choose an open one; ssh-session-list shows them."));
    }
    call.state.set_active(Some(seen.id().to_owned()));
    Ok(Told::success(format!("{} is active", seen.reference()))
        .with("instanceId", call.instance())
        .with("activeSessionId", seen.id())
        .with("activeSessionRef", seen.reference())
        .with("session", call.summary(&seen)))
}

pub(super) fn close(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-session-close",
        title: "Close session",
        description: "Close a session and show it no longer. Its transcript stays on record.",
        class: Class::End,
    };
    tool(state, about, close_session)
}

async fn close_session(call: Call, parameters: SessionParameter) -> Outcome {
    let known = call.state.resolve(&call.host, parameters.session.as_deref())?;
    let request = StopRequest { session_id: Some(known.id()), job_id: None, force: false };
    ops::stop(&call.host, request).await?;
    let seen = call.see(known).await?;
    let summary = call.summary(&seen);
    call.state.remove(seen.id());
    Ok(Told::success(format!("{} is closed", seen.reference())).with_all(summary).with("removed", true))
}
