//! `ssh_send`: text and keys.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::super::reply::{Reply, Status};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use super::{breadcrumb, chars, notes, outcome, wait};
use crate::host::Host;
use crate::ops::{self, NextStep, SendReport, SendRequest, Standing};

/// Seconds a call waits for the screen to settle when the caller does not say.
const DEFAULT_WAIT_S: u32 = 5;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// At a prompt it waits in the host for Enter.
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    enter: bool,
    /// After the text: tab, escape, up, page-up, delete, f1, q, ctrl-c, …
    #[serde(default)]
    keys: Vec<String>,
    /// Wait until it is printed.
    #[serde(default)]
    wait_for: Option<String>,
    /// The same, as regex.
    #[serde(default)]
    wait_pattern: Option<String>,
    /// For that, or quiet; default 5.
    #[serde(default)]
    #[schemars(range(min = 0, max = 50))]
    wait_s: Option<u32>,
    #[serde(default)]
    max_chars: Option<u32>,
    #[serde(default)]
    session_id: Option<String>,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_send",
        title: "Send text or keys",
        description: "Type text or press keys: answer a question or menu, leave a pager, ctrl-c. Commands: ssh_run. Secrets: a person types them in the viewer.",
        class: Class::WriteRemote,
        input: schema::of::<Parameters>,
        output: || json!({ "output": { "type": "string" }, "screen": { "type": "string" } }),
        call: Box::new(|host, arguments| tool::typed(host, arguments, call)),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    let request = SendRequest {
        session_id: parameters.session_id,
        text: parameters.text,
        enter: parameters.enter,
        keys: parameters.keys,
        wait_for: parameters.wait_for,
        wait_pattern: parameters.wait_pattern,
        wait: wait(parameters.wait_s, DEFAULT_WAIT_S),
        settle: None,
        enter_key: None,
        waits_its_turn: true,
        max_chars: chars(parameters.max_chars),
    };
    match ops::send(&host, request).await {
        Ok(report) => render(&report),
        Err(error) => error.into(),
    }
}

fn render(report: &SendReport) -> Reply {
    let session = &report.session;
    let sent = match (&report.held_line, report.found) {
        (Some(line), _) => format!("held in the host until Enter, nothing was sent: {line}"),
        (None, Some(true)) => "sent; what was waited for appeared".to_owned(),
        (None, Some(false)) => "sent; what was waited for did not appear".to_owned(),
        (None, None) => "sent".to_owned(),
    };
    let screen = NextStep::new("ssh_read", json!({ "session_id": session.session_id }));
    let (words, next, evidence) = match &report.standing {
        Standing::Command(known) => {
            let told = outcome::tell(known, &session.session_id, 20);
            (format!("{}: {}", known.command_id, told.words), told.next.unwrap_or(screen), known.evidence.clone())
        }
        Standing::State { outcome } => (format!("the terminal is {outcome}"), screen, Vec::new()),
    };
    let status = if report.found == Some(false) { Status::PartialSuccess } else { Status::Success };
    let summary = format!("{sent} · {words} · {} · session {}", breadcrumb(session), session.session_id);
    let mut body = notes(&report.notes);
    if !report.output.is_empty() {
        body.push_str(&format!("[printed since]\n{}\n", report.output.trim_end_matches('\n')));
    }
    body.push_str(&format!("[screen]\n{}", report.screen));
    Reply::new(status, summary, body, report).with_next(Some(next)).with_evidence(evidence).with_nulls(outcome::ALWAYS)
}
