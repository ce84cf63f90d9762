//! `ssh_send`: text and keys.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::super::reply::{Reply, Status};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use super::{breadcrumb, notes, session_schema, wait};
use crate::host::Host;
use crate::ops::{self, NextStep, SendReport, SendRequest};

/// Seconds a call waits for the screen to settle when the caller does not say.
const DEFAULT_WAIT_S: u32 = 5;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// Text to type. At a shell prompt it waits in the host until `enter` completes the line.
    #[serde(default)]
    text: Option<String>,
    /// Press Enter after the text.
    #[serde(default)]
    enter: bool,
    /// Keys to press after the text: enter, tab, escape, up, down, left, right, page-up, page-down, q, ctrl-c, …
    #[serde(default)]
    keys: Vec<String>,
    /// Wait until this text is on the screen.
    #[serde(default)]
    wait_for: Option<String>,
    /// Seconds to wait for the screen to settle or `wait_for` (default 5, at most 50).
    #[serde(default)]
    #[schemars(range(min = 0, max = 50))]
    wait_s: Option<u32>,
    /// May be left out when exactly one session is open.
    #[serde(default)]
    session_id: Option<String>,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_send",
        title: "Send text or keys",
        description: "Type text or press keys in a session: answer a question or a menu, leave a pager, press ctrl-c. For commands use ssh_run. Secrets are typed by a person in the viewer.",
        class: Class::WriteRemote,
        input: schema::of::<Parameters>,
        output: || json!({ "session": session_schema(), "screen": { "type": "string" }, "found": { "type": "boolean" } }),
        call: |host, arguments| tool::typed(host, arguments, call),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    let request = SendRequest {
        session_id: parameters.session_id,
        text: parameters.text,
        enter: parameters.enter,
        keys: parameters.keys,
        wait_for: parameters.wait_for,
        wait: wait(parameters.wait_s, DEFAULT_WAIT_S),
    };
    match ops::send(&host, request).await {
        Ok(report) => render(&report),
        Err(error) => error.into(),
    }
}

fn render(report: &SendReport) -> Reply {
    let session = &report.session;
    let told = match (&report.held_line, report.found) {
        (Some(line), _) => format!("held in the host until Enter, nothing was sent: {line}"),
        (None, Some(true)) => "sent; the text appeared".to_owned(),
        (None, Some(false)) => "sent; the text did not appear in time".to_owned(),
        (None, None) => "sent".to_owned(),
    };
    let status = if report.found == Some(false) { Status::PartialSuccess } else { Status::Success };
    let summary = format!("{told} · {} · {} · session {}", breadcrumb(session), session.state, session.session_id);
    let next = NextStep::new("ssh_read", json!({ "session_id": session.session_id }));
    let body = format!("{}{}", notes(&report.notes), report.screen);
    Reply::new(status, summary, body, report).with_next(Some(next))
}
