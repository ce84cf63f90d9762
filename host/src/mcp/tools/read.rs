//! `ssh_read`: the screen, or a job's output.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::super::reply::{Reply, Status};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use super::{breadcrumb, chars, session_schema, wait};
use crate::host::Host;
use crate::ops::{self, NextStep, ReadReport, ReadRequest};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// May be left out when exactly one session is open.
    #[serde(default)]
    session_id: Option<String>,
    /// A job (ssh_run's job_id) instead of the screen.
    #[serde(default)]
    job_id: Option<String>,
    /// Begin this many characters into the job's output; without it, head and tail are shown.
    #[serde(default)]
    offset_chars: Option<u32>,
    /// Only lines that contain this text.
    #[serde(default)]
    grep: Option<String>,
    /// Seconds to wait for the job's end or the screen to change (default 0, at most 50).
    #[serde(default)]
    #[schemars(range(min = 0, max = 50))]
    wait_s: Option<u32>,
    /// Characters to return (default 8000, at most 40000).
    #[serde(default)]
    #[schemars(range(min = 200, max = 40000))]
    max_chars: Option<u32>,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_read",
        title: "Read screen or job",
        description: "Read a session's screen as a person sees it, or a job's output and exit code by job_id; optionally wait for its end, filter lines, or page by offset. Sends nothing.",
        class: Class::ReadRemote,
        input: schema::of::<Parameters>,
        output: || {
            json!({
                "session": session_schema(),
                "text": { "type": "string" },
                "total_chars": { "type": "integer" },
                "omitted_chars": { "type": "integer" },
                "cursor": { "type": "object" },
                "job": { "type": "object" },
                "next_offset_chars": { "type": "integer" }
            })
        },
        call: |host, arguments| tool::typed(host, arguments, call),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    let request = ReadRequest {
        session_id: parameters.session_id,
        job_id: parameters.job_id,
        offset_chars: parameters.offset_chars.map(|offset| offset as usize),
        grep: parameters.grep,
        wait: wait(parameters.wait_s, 0),
        max_chars: chars(parameters.max_chars),
    };
    match ops::read(&host, request).await {
        Ok(report) => render(&report),
        Err(error) => error.into(),
    }
}

fn render(report: &ReadReport) -> Reply {
    let session = &report.session;
    let told = match &report.job {
        None => format!("screen · {}", session.state),
        Some(job) => {
            let outcome = job.completion.as_ref().map(|completion| format!("{:?}", completion.outcome));
            format!(
                "job {} · {} · {:.1} s",
                job.command_id,
                outcome.unwrap_or_else(|| "running".to_owned()),
                job.duration_ms as f64 / 1000.0
            )
        }
    };
    let summary = format!("{told} · {} · session {}", breadcrumb(session), session.session_id);
    let next = match (&report.job, report.next_offset_chars) {
        (Some(job), Some(offset)) => Some(NextStep::new(
            "ssh_read",
            json!({ "session_id": session.session_id, "job_id": job.command_id, "offset_chars": offset }),
        )),
        _ => None,
    };
    let mut body = report.output.text.clone();
    if report.output.omitted_chars > 0 {
        let shown = report.output.total_chars - report.output.omitted_chars;
        body.push_str(&format!("\n[{shown} of {} characters shown]", report.output.total_chars));
    }
    Reply::new(Status::Success, summary, body, report).with_next(next)
}
