//! `ssh_read`: the screen, output, history, or a job's output.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::reply::{Reply, Status};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use super::{breadcrumb, chars, named, notes, outcome, wait};
use crate::host::Host;
use crate::ops::{self, Choice, Filter, NextStep, OpError, ReadReport, ReadRequest};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    #[serde(default)]
    session_id: Option<String>,
    /// Default screen; job with job_id.
    #[serde(default)]
    what: Option<What>,
    #[serde(default)]
    job_id: Option<String>,
    /// Where to begin.
    #[serde(default)]
    offset_bytes: Option<u64>,
    /// From 1.
    #[serde(default)]
    from_line: Option<u64>,
    #[serde(default)]
    to_line: Option<u64>,
    /// First lines.
    #[serde(default)]
    head: Option<u64>,
    /// Last lines.
    #[serde(default)]
    tail: Option<u64>,
    /// Only lines with this.
    #[serde(default)]
    grep: Option<String>,
    /// Regex, as grep.
    #[serde(default)]
    pattern: Option<String>,
    /// For its end or new output; default 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 50))]
    wait_s: Option<u32>,
    /// Wait for output beyond it.
    #[serde(default)]
    since_bytes: Option<u64>,
    #[serde(default)]
    max_chars: Option<u32>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum What {
    Screen,
    Output,
    History,
    Job,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_read",
        title: "Read screen, output, history",
        description: "Read a session, open or closed: screen, output by offset, numbered history, a job's output and exit code. Can wait, filter, page. Sends nothing.",
        class: Class::ReadRemote,
        input: schema::of::<Parameters>,
        output: || json!({ "text": { "type": "string" }, "next_offset_bytes": { "type": "integer" } }),
        call: Box::new(|host, arguments| tool::typed(host, arguments, call)),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    let request = match request(parameters) {
        Ok(request) => request,
        Err(error) => return error.into(),
    };
    match ops::read(&host, request.clone()).await {
        Ok(report) => render(&report, &request),
        Err(error) => error.into(),
    }
}

fn request(parameters: Parameters) -> Result<ReadRequest, OpError> {
    let what = match (parameters.what, &parameters.job_id) {
        (Some(What::Screen), _) | (None, None) => ops::What::Screen,
        (Some(What::Output), _) => ops::What::Output,
        (Some(What::History), _) => ops::What::History,
        (Some(What::Job), _) | (None, Some(_)) => ops::What::Job,
    };
    let lines = match (parameters.from_line.or(parameters.to_line), parameters.head, parameters.tail) {
        (None, None, None) => Choice::All,
        (Some(_), None, None) => Choice::Range(parameters.from_line, parameters.to_line),
        (None, Some(head), None) => Choice::Head(head),
        (None, None, Some(tail)) => Choice::Tail(tail),
        _ => {
            let message = "give from_line and to_line, or head, or tail: only one way to choose lines";
            return Err(OpError::BadArgument(message.to_owned()));
        }
    };
    Ok(ReadRequest {
        session_id: parameters.session_id,
        what,
        job_id: parameters.job_id,
        offset_bytes: parameters.offset_bytes,
        lines,
        filter: Filter::new(parameters.grep, parameters.pattern.as_deref())?,
        wait: wait(parameters.wait_s, 0),
        since_bytes: parameters.since_bytes,
        max_chars: chars(parameters.max_chars),
    })
}

fn render(report: &ReadReport, request: &ReadRequest) -> Reply {
    let session = &report.session;
    let summary = format!("{} · {} · session {}", told(report), breadcrumb(session), named(session));
    let body = format!("{}{}", report.output.text, footer(report));
    Reply::new(Status::Success, summary, body, report).with_next(next(report, request))
}

/// What was read, in a few words.
fn told(report: &ReadReport) -> String {
    let session = &report.session;
    match (report.what, &report.job, &report.cursor) {
        (_, Some(job), _) => {
            let outcome = outcome::words(job.completion.as_ref());
            format!("job {} · {outcome} · {:.1} s", job.command_id, job.duration_ms as f64 / 1000.0)
        }
        (_, _, Some(cursor)) => {
            let screen = if cursor.alternate_screen { "screen of a full-screen program" } else { "screen" };
            format!("{screen} · {} · cursor at row {}, column {}", session.state, cursor.row, cursor.column)
        }
        (ops::What::History, ..) => {
            let (from, to) = (report.lines.from_line.unwrap_or(0), report.lines.to_line.unwrap_or(0));
            format!("history, lines {from} to {to} of {}", report.lines.total_lines.unwrap_or(0))
        }
        _ => {
            let bytes = &report.bytes;
            let (from, to) = (bytes.offset_bytes.unwrap_or(0), bytes.next_offset_bytes.unwrap_or(0));
            format!("output, bytes {from} to {to} of {}", bytes.end_offset_bytes.unwrap_or(0))
        }
    }
}

/// What is missing from the text, each on a line of its own.
fn footer(report: &ReadReport) -> String {
    let older = report.session.transcript_mode.older_output();
    let mut lines = Vec::new();
    if report.output.omitted_chars > 0 {
        let shown = report.output.total_chars - report.output.omitted_chars;
        lines.push(format!("[{shown} of {} characters shown]", report.output.total_chars));
    }
    if let Some(matches) = report.lines.matches {
        lines.push(format!("[{matches} lines match]"));
    }
    if let Some(evicted) = report.bytes.evicted_bytes.filter(|evicted| *evicted > 0) {
        lines.push(format!("[{evicted} bytes before this are no longer kept; {older}]"));
    }
    if let Some(evicted) = report.lines.evicted_lines.filter(|evicted| *evicted > 0) {
        lines.push(format!("[{evicted} lines are no longer kept; {older}]"));
    }
    if report.changed == Some(false) {
        lines.push("[nothing new came while waiting]".to_owned());
    }
    if let Some(title) = report.cursor.as_ref().and_then(|cursor| cursor.title.as_ref()) {
        lines.push(format!("[title: {title}]"));
    }
    let gap = if report.output.text.ends_with('\n') || lines.is_empty() { "" } else { "\n" };
    format!("{gap}{}\n{}", lines.join("\n"), notes(&report.notes))
}

/// How to read on, where there is more.
fn next(report: &ReadReport, request: &ReadRequest) -> Option<NextStep> {
    let mut arguments = json!({ "session_id": report.session.session_id });
    let mut add = |name: &str, value: Value| arguments[name] = value;
    match (report.what, &report.job) {
        (_, Some(job)) => add("job_id", json!(job.command_id)),
        (what, None) => add("what", json!(what)),
    }
    let by_lines = request.lines != Choice::All || request.filter.is_some();
    let bytes = &report.bytes;
    match (report.lines.next_line, bytes.next_offset_bytes.zip(bytes.end_offset_bytes)) {
        (Some(line), _) if matches!(request.lines, Choice::All | Choice::Range(..)) => {
            add("from_line", json!(line));
            match &request.filter {
                Some(Filter::Text(text)) => add("grep", json!(text)),
                Some(Filter::Pattern(pattern)) => add("pattern", json!(pattern.as_str())),
                None => {}
            }
            if let Choice::Range(_, Some(to)) = request.lines {
                add("to_line", json!(to));
            }
            if let Some(offset) = request.offset_bytes {
                add("offset_bytes", json!(offset));
            }
        }
        (_, Some((next, end))) if !by_lines && next < end => add("offset_bytes", json!(next)),
        _ => return None,
    }
    Some(NextStep::new("ssh_read", arguments))
}
