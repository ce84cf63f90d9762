//! `ssh_run`: one command.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::super::progress;
use super::super::reply::{Reply, Status, remote};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use super::{breadcrumb, chars, notes, outcome, steps, wait};
use crate::host::Host;
use crate::ops::{self, Backoff, DryRunRequest, NextStep, RetryEnd, RetryReport, RetryRequest, RunReport, RunRequest};

/// Seconds a call waits for the command when the caller does not say.
const DEFAULT_WAIT_S: u32 = 20;
/// Seconds that INT, TERM and KILL in turn may take.
const STOP_S: u32 = 26;
/// Seconds between two attempts when the caller does not say.
const DEFAULT_DELAY_S: u32 = 1;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// Several lines are one script.
    command: String,
    #[serde(default)]
    session_id: Option<String>,
    /// Default 20.
    #[serde(default)]
    #[schemars(range(min = 0, max = 50))]
    wait_s: Option<u32>,
    /// Then INT, TERM, KILL.
    #[serde(default)]
    timeout_s: Option<u32>,
    #[serde(default)]
    max_chars: Option<u32>,
    /// Why, for the person asked.
    #[serde(default)]
    purpose: Option<String>,
    /// Typed nowhere but at this level.
    #[serde(default)]
    expect_level: Option<String>,
    /// Until it succeeds, within wait_s.
    #[serde(default)]
    retry: Option<Retry>,
    /// Only judge it; type nothing.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Retry {
    #[schemars(range(min = 2, max = 10))]
    attempts: u32,
    #[serde(default)]
    backoff: BackoffName,
    /// Default 1.
    #[serde(default)]
    delay_s: Option<u32>,
    /// Regex in the output.
    #[serde(default)]
    success_pattern: Option<String>,
    #[serde(default)]
    failure_pattern: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum BackoffName {
    #[default]
    Fixed,
    Exponential,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_run",
        title: "Run command",
        description: "Run one shell command: exact output, exit code. One that takes longer than wait_s goes on as a job. Directory and variables persist.",
        class: Class::WriteRemote,
        input: schema::of::<Parameters>,
        output: || {
            json!({
                "job_id": { "type": "string" },
                "outcome": { "type": "string" },
                "text": { "type": "string" }
            })
        },
        call: Box::new(|host, arguments| tool::typed(host, arguments, call)),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    if parameters.dry_run {
        return dry_run(&host, parameters).await;
    }
    let timeout_s = parameters.timeout_s.filter(|seconds| *seconds > 0);
    // Unless told otherwise the call stays until its own deadline has done its work.
    let default_wait_s = timeout_s.map_or(DEFAULT_WAIT_S, |seconds| seconds.saturating_add(STOP_S).max(DEFAULT_WAIT_S));
    let request = RunRequest {
        session_id: parameters.session_id,
        command: parameters.command,
        wait: wait(parameters.wait_s, default_wait_s),
        timeout: timeout_s.map(|seconds| Duration::from_secs(seconds.into())),
        max_chars: chars(parameters.max_chars),
        purpose: parameters.purpose,
        expect_level: parameters.expect_level,
        retry: parameters.retry.map(Retry::into_request),
        parse: true,
        enter_key: None,
        waits_its_turn: true,
    };
    match ops::run_told(&host, request, &progress::runs).await {
        Ok(report) => render(&report),
        Err(error) => error.into(),
    }
}

async fn dry_run(host: &Host, parameters: Parameters) -> Reply {
    let Parameters { session_id, command, purpose, expect_level, .. } = parameters;
    let report = match ops::dry_run(host, DryRunRequest { session_id, command, purpose, expect_level }).await {
        Ok(report) => report,
        Err(error) => return error.into(),
    };
    let by = report.rulings.first().map_or("", |ruling| ruling.rule_id.as_str());
    let summary = format!("{} by {by} · nothing was typed · {}", report.verdict, breadcrumb(&report.session));
    let mut body = String::new();
    for command in &report.plan.commands {
        let within = if command.wrappers.is_empty() { String::new() } else { command.wrappers.join(", ") + ": " };
        body.push_str(&format!("would run: {within}{}\n", command.argv.join(" ")));
    }
    for unknown in &report.plan.unknowns {
        body.push_str(&format!("{}: {}\n", unknown.kind, unknown.what));
    }
    for ruling in &report.rulings {
        body.push_str(&format!("{} ({}): {}\n", ruling.verdict, ruling.rule_id, ruling.reason));
        if let Some(suggestion) = ruling.suggestion.as_ref().filter(|_| ruling.verdict != "allow") {
            body.push_str(&format!("instead: {suggestion}\n"));
        }
    }
    body.push_str(&notes(&report.notes));
    Reply::new(Status::Success, summary, body, &report)
}

impl Retry {
    fn into_request(self) -> RetryRequest {
        RetryRequest {
            attempts: self.attempts,
            backoff: match self.backoff {
                BackoffName::Fixed => Backoff::Fixed,
                BackoffName::Exponential => Backoff::Exponential,
            },
            delay: Duration::from_secs(self.delay_s.unwrap_or(DEFAULT_DELAY_S).into()),
            success_pattern: self.success_pattern,
            failure_pattern: self.failure_pattern,
        }
    }
}

fn render(report: &RunReport) -> Reply {
    let session = &report.session;
    let told = outcome::tell(&report.completion, &session.session_id, 30);
    let (status, retried) = match &report.retry {
        None => (told.status, String::new()),
        Some(retry) => retry_words(retry, told.status),
    };
    let was_stopped = if report.steps.is_empty() { "" } else { "stopped because its time was over: " };
    let summary = format!(
        "{retried}{was_stopped}{} · {} · {:.1} s · job {} · session {}",
        told.words,
        breadcrumb(session),
        report.duration_ms as f64 / 1000.0,
        report.job_id,
        session.session_id
    );
    let next = told.next.or_else(|| {
        let arguments = json!({ "session_id": session.session_id, "job_id": report.job_id, "offset_bytes": 0 });
        (report.output.omitted_chars > 0).then(|| NextStep::new("ssh_read", arguments))
    });
    Reply::new(status, summary, body(report), report)
        .with_next(next)
        .with_evidence(report.completion.evidence.clone())
        .with_nulls(outcome::ALWAYS)
}

/// What the attempts came to, in front of what the last one did.
fn retry_words(retry: &RetryReport, last: Status) -> (Status, String) {
    let made = retry.attempts.len();
    match retry.result {
        RetryEnd::Succeeded => (Status::Success, format!("succeeded at attempt {made}: ")),
        RetryEnd::Exhausted => (Status::PartialSuccess, format!("failed, all {made} attempts made: ")),
        RetryEnd::OutOfTime => {
            (Status::PartialSuccess, format!("no success yet after {made} attempts, time is over: "))
        }
        RetryEnd::Refused => {
            (Status::PartialSuccess, format!("no success after {made} attempts, the next was refused: "))
        }
        RetryEnd::Undecided if last == Status::Failure => (last, format!("undecided at attempt {made}: ")),
        RetryEnd::Undecided => (Status::PartialSuccess, format!("undecided at attempt {made}: ")),
    }
}

fn body(report: &RunReport) -> String {
    let mut body = format!("{}\n", remote(&report.output.text).trim_end_matches('\n'));
    if report.output.omitted_chars > 0 {
        body.push_str(&format!(
            "[{} of {} characters shown; the rest: ssh_read job_id={} offset_bytes=0]\n",
            report.output.total_chars - report.output.omitted_chars,
            report.output.total_chars,
            report.job_id
        ));
    }
    for attempt in report.retry.iter().flat_map(|retry| &retry.attempts) {
        let code = attempt.exit_code.map_or_else(|| "no exit code".to_owned(), |code| format!("exit {code}"));
        body.push_str(&format!(
            "[attempt {}] job {}: {code} after {} ms\n",
            attempt.number, attempt.job_id, attempt.duration_ms
        ));
    }
    if let Some(reason) = report.retry.as_ref().and_then(|retry| retry.reason.as_ref()) {
        body.push_str(&format!("[no further attempt] {reason}\n"));
    }
    body.push_str(&steps(&report.steps));
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
    body
}
