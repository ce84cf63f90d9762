//! `ssh_lock`: the input lease, as far as an agent may have it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::super::reply::{Reply, Status};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use crate::host::Host;
use crate::ops::{self, LockAction, LockReport, LockRequest};

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Action {
    Take,
    HandOver,
    Release,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    action: Action,
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    ttl_s: Option<u32>,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_lock",
        title: "Hold the input",
        description: "Keep a terminal's input for yourself, hand it to the person, or release it; for ttl_s (60). Never takes it from a person.",
        class: Class::End,
        input: schema::of::<Parameters>,
        output: || json!({ "session": { "type": "object" } }),
        call: Box::new(|host, arguments| tool::typed(host, arguments, call)),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    let Parameters { action, session_id, ttl_s } = parameters;
    let action = match action {
        Action::Take => LockAction::Take,
        Action::HandOver => LockAction::HandOver,
        Action::Release => LockAction::Release,
    };
    let ttl = ttl_s.map(|seconds| Duration::from_secs(seconds.into()));
    match ops::lock(&host, LockRequest { session_id, action, ttl }).await {
        Ok(report) => render(&report),
        Err(error) => error.into(),
    }
}

fn render(report: &LockReport) -> Reply {
    let session = &report.session;
    let whose = match session.input.holder {
        None => "free".to_owned(),
        Some(holder) => format!("the {}'s", holder.who.as_str()),
    };
    let mode = session.input.mode.as_str();
    let summary = format!("session {}: the input is {whose} (mode {mode})", session.session_id);
    Reply::new(Status::Success, summary, String::new(), report)
}
