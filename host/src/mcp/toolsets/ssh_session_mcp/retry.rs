//! `ssh-retry`: one command until it succeeds.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::output::cut;
use super::run::{DEFAULT_CHARS, DEFAULT_WAIT_MS, request, with_output, with_report};
use super::state::State;
use super::told::{Outcome, Told};
use super::{About, Call, command_id, run, tool};
use crate::mcp::tool::{Class, Tool};
use crate::ops::{self, Backoff, RetryEnd, RetryReport, RetryRequest};

const DEFAULT_RETRIES: u32 = 3;
const DEFAULT_DELAY_MS: u64 = 1_000;
/// Longest pause between two attempts.
const MAX_DELAY: Duration = Duration::from_secs(30);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Parameters {
    command: String,
    /// Id, device/connection or name; the active session when left out.
    #[serde(default)]
    session: Option<String>,
    /// Beside the first attempt, default 3.
    #[serde(default)]
    #[schemars(range(max = 9))]
    max_retries: Option<u32>,
    /// Default exponential.
    #[serde(default)]
    backoff: BackoffName,
    /// Before the first retry, default 1000.
    #[serde(default)]
    delay_ms: Option<u64>,
    /// Regular expression; in the output it means success.
    #[serde(default)]
    success_pattern: Option<String>,
    /// Regular expression; in the output it means failure.
    #[serde(default)]
    fail_pattern: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum BackoffName {
    Fixed,
    #[default]
    Exponential,
}

pub(super) fn retry_tool(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-retry",
        title: "Run until it succeeds",
        description: "Run a command again until it succeeds, by exit code or patterns. One that has not ended or told no code is not run again.",
        class: Class::WriteRemote,
    };
    tool(state, about, retry)
}

async fn retry(call: Call, parameters: Parameters) -> Outcome {
    let seen = call.find(parameters.session.as_deref()).await?;
    let retries = parameters.max_retries.unwrap_or(DEFAULT_RETRIES);
    let wanted = retry_request(&parameters, retries);
    let attempts = Duration::from_millis(DEFAULT_WAIT_MS) * (retries.saturating_add(1));
    let wait = attempts + MAX_DELAY * retries;
    // A single attempt is a run like any other.
    let wanted = (retries > 0).then_some(wanted);
    let request = ops::RunRequest { retry: wanted, ..request(&seen, parameters.command.clone(), wait) };
    let report = ops::run(&call.host, request).await.map_err(|error| run::refused(&seen, error))?;
    let seen = call.see(seen.known).await?;
    let text = cut(&report.output.text, DEFAULT_CHARS);
    let is_cut = text.is_cut();
    let made = report.retry.as_ref();
    let told = match made {
        Some(made) => ended(made),
        None => run::told(&seen, &report.job_id, &report.completion, report.duration_ms, &text),
    };
    // Of a single attempt its own result tells the code.
    let last = made.and_then(|made| made.attempts.last()).map(|last| json!(last.exit_code));
    let told = told
        .with("command", parameters.command)
        .with("sessionRef", seen.reference())
        .with("commandId", command_id(seen.id(), &report.job_id))
        .with("attempts", made.map_or(1, |made| made.attempts.len()))
        .with_some("exitCode", last)
        .with("outputTruncatedAfter", is_cut)
        .with_some("attemptsMade", made.map(|made| json!(made.attempts)));
    Ok(with_report(with_output(told, &seen, &report.completion, &text, DEFAULT_CHARS), &report))
}

fn retry_request(parameters: &Parameters, retries: u32) -> RetryRequest {
    RetryRequest {
        attempts: retries.saturating_add(1),
        backoff: match parameters.backoff {
            BackoffName::Fixed => Backoff::Fixed,
            BackoffName::Exponential => Backoff::Exponential,
        },
        delay: Duration::from_millis(parameters.delay_ms.unwrap_or(DEFAULT_DELAY_MS)),
        success_pattern: parameters.success_pattern.clone(),
        failure_pattern: parameters.fail_pattern.clone(),
    }
}

fn ended(made: &RetryReport) -> Told {
    let count = made.attempts.len();
    let reason = made.reason.clone();
    let failed = |summary: String| Told::failure("runtime-state-abnormal", summary).with("status", "failed");
    match made.result {
        RetryEnd::Succeeded => Told::success(format!("succeeded at attempt {count}")).with("status", "success"),
        RetryEnd::Exhausted => failed(format!("all {count} attempts failed"))
            .next("Look at the output; what makes it fail does not go away by itself."),
        RetryEnd::Undecided => Told::partial(format!(
            "attempt {count} has not ended, or the shell told no exit code: neither success nor a reason to run it again"
        ))
        .with("status", "failed")
        .next("Read on with ssh-command-status."),
        RetryEnd::OutOfTime | RetryEnd::Refused => {
            failed(format!("stopped after attempt {count}: {}", reason.unwrap_or_default()))
                .next("Look with ssh-session-read, then decide.")
        }
    }
}
