//! `ssh_run`: one command.

use portcullis_term::Outcome;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::super::reply::{Reply, Status, remote};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use super::{breadcrumb, chars, notes, session_schema, wait};
use crate::host::Host;
use crate::ops::{self, NextStep, RunReport, RunRequest};

/// Seconds a call waits for the command when the caller does not say.
const DEFAULT_WAIT_S: u32 = 20;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// The shell line to run, as you would type it. Several lines run as one script.
    command: String,
    /// May be left out when exactly one session is open.
    #[serde(default)]
    session_id: Option<String>,
    /// Seconds to wait before control returns (default 20, at most 50). The command goes on; it is not killed.
    #[serde(default)]
    #[schemars(range(min = 0, max = 50))]
    wait_s: Option<u32>,
    /// Characters of output to return (default 8000, at most 40000); head and tail are kept.
    #[serde(default)]
    #[schemars(range(min = 200, max = 40000))]
    max_chars: Option<u32>,
    /// Why you run it, for the person watching and the policy.
    #[serde(default)]
    purpose: Option<String>,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_run",
        title: "Run command",
        description: "Run one shell command in a session and return its exact output and exit code. One that takes longer than wait_s goes on as a job (job_id). Shell state persists.",
        class: Class::WriteRemote,
        input: schema::of::<Parameters>,
        output: || {
            json!({
                "session": session_schema(),
                "job_id": { "type": "string" },
                "outcome": { "type": "string" },
                "confidence": { "type": "string" },
                "duration_ms": { "type": "integer" },
                "text": { "type": "string" },
                "total_chars": { "type": "integer" },
                "omitted_chars": { "type": "integer" },
                "parsed": { "type": "object" }
            })
        },
        call: |host, arguments| tool::typed(host, arguments, call),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    let request = RunRequest {
        session_id: parameters.session_id,
        command: parameters.command,
        wait: wait(parameters.wait_s, DEFAULT_WAIT_S),
        max_chars: chars(parameters.max_chars),
        purpose: parameters.purpose,
        parse: true,
    };
    match ops::run(&host, request).await {
        Ok(report) => render(&report),
        Err(error) => error.into(),
    }
}

fn render(report: &RunReport) -> Reply {
    let session = &report.session;
    let read = |wait: u32| {
        NextStep::new("ssh_read", json!({ "session_id": session.session_id, "job_id": report.job_id, "wait_s": wait }))
    };
    let (status, told, next) = match &report.completion.outcome {
        Outcome::Completed { exit_code: Some(code), .. } => (Status::Success, format!("exit {code}"), None),
        Outcome::Completed { exit_code: None, .. } => (Status::PartialSuccess, "ended, no exit code".to_owned(), None),
        Outcome::PromptNoStatus => (Status::PartialSuccess, "prompt is back, exit code unknown".to_owned(), None),
        Outcome::LevelChanged { exit_code, .. } => {
            let code = exit_code.map_or(String::new(), |code| format!(", exit {code}"));
            (Status::Success, format!("now at another level{code}"), None)
        }
        Outcome::AwaitingInput { kind, prompt, .. } => {
            let who = if kind.is_secret() { "a person must type it in the viewer" } else { "answer with ssh_send" };
            (Status::PartialSuccess, format!("waits for input ({kind:?}: {prompt}); {who}"), Some(read(20)))
        }
        Outcome::Fullscreen => (Status::PartialSuccess, "a full-screen program runs".to_owned(), Some(read(0))),
        Outcome::Running => (Status::PartialSuccess, "still running".to_owned(), Some(read(30))),
        Outcome::Disconnected { reason, .. } => (
            Status::Failure,
            format!("the connection ended while it ran ({reason}); it may or may not have completed"),
            None,
        ),
        Outcome::Unknown { reason } => (Status::PartialSuccess, reason.clone(), Some(read(0))),
    };
    let summary = format!(
        "{told} · {} · {:.1} s · job {} · session {}",
        breadcrumb(session),
        report.duration_ms as f64 / 1000.0,
        report.job_id,
        session.session_id
    );
    let mut body = remote(&report.output.text);
    body = format!("{}\n", body.trim_end_matches('\n'));
    if report.output.omitted_chars > 0 {
        body.push_str(&format!(
            "[{} of {} characters shown; the rest: ssh_read job_id={} offset_chars=0]\n",
            report.output.total_chars - report.output.omitted_chars,
            report.output.total_chars,
            report.job_id
        ));
    }
    for warning in &report.warnings {
        body.push_str(&format!("warning ({}): {}\n", warning.rule_id, warning.reason));
    }
    if let Some(parsed) = &report.parsed {
        body.push_str(&format!(
            "[parsed by {} as {}: {} entries]\n",
            parsed.parser,
            parsed.schema,
            parsed.documents.len()
        ));
    }
    body.push_str(&notes(&report.notes));
    Reply::new(status, summary, body, report).with_next(next).with_evidence(report.completion.evidence.clone())
}
