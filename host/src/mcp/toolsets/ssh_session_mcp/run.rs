//! `ssh-run`: one command, its output and its exit code; and what any run is told as.

use std::sync::Arc;
use std::time::Duration;

use portcullis_term::{Completion, NotReady, Outcome as End};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failure::words;
use super::output::{Cut, cut};
use super::slow::{SLOW_WAIT, is_slow};
use super::state::State;
use super::summary::Seen;
use super::told::{Outcome, Told};
use super::{About, Call, command_id, parsed, tool};
use crate::mcp::tool::{Class, Tool};
use crate::ops::{self, OpError, RunReport, RunRequest, TerminalUse};
use crate::session::SessionError;

pub(super) const DEFAULT_WAIT_MS: u64 = 30_000;
pub(super) const DEFAULT_CHARS: usize = 16_000;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Parameters {
    command: String,
    /// Id, device/connection or name; the active session when left out.
    #[serde(default)]
    session: Option<String>,
    /// Milliseconds until control returns, default 30000; 0 at once. The command goes on.
    #[serde(default)]
    wait_ms: Option<u64>,
    /// Accepted; silence is no end of a command.
    #[serde(default)]
    idle_ms: Option<u64>,
    /// Of output, default 16000.
    #[serde(default)]
    max_chars: Option<usize>,
}

pub(super) fn run_tool(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-run",
        title: "Run command",
        description: "Run one command in a session: output and exit code. One that takes longer than waitMs goes on under a commandId for ssh-command-status.",
        class: Class::WriteRemote,
    };
    tool(state, about, run)
}

async fn run(call: Call, parameters: Parameters) -> Outcome {
    let seen = call.find(parameters.session.as_deref()).await?;
    let asked = Duration::from_millis(parameters.wait_ms.unwrap_or(DEFAULT_WAIT_MS));
    let wait = if is_slow(&parameters.command) { asked.min(SLOW_WAIT) } else { asked };
    let run = ops::run(&call.host, request(&seen, parameters.command.clone(), wait)).await;
    let report = run.map_err(|error| refused(&seen, error))?;
    let seen = call.see(seen.known).await?;
    let max_chars = parameters.max_chars.unwrap_or(DEFAULT_CHARS);
    let text = cut(&report.output.text, max_chars);
    let told = told(&seen, &report.job_id, &report.completion, report.duration_ms, &text);
    let told = with_output(told, &seen, &report.completion, &text, max_chars);
    let idle =
        parameters.idle_ms.map(|_| "`idleMs` has no effect: silence is never taken for a command's end".to_owned());
    Ok(with_report(told, &report).with("command", parameters.command).notes(idle))
}

/// What is asked of our own run; all of its output comes back, to be cut as the contract has it.
pub(super) fn request(seen: &Seen, command: String, wait: Duration) -> RunRequest {
    RunRequest {
        session_id: Some(seen.id().to_owned()),
        command,
        wait,
        timeout: None,
        max_chars: usize::MAX,
        purpose: None,
        expect_level: None,
        retry: None,
        parse: true,
        enter_key: None,
        waits_its_turn: false,
    }
}

/// A pager or an editor is told as such, and not as the command that it belongs to.
pub(super) fn refused(seen: &Seen, error: OpError) -> Told {
    let busy = matches!(&error, OpError::Session { source: SessionError::NotReady(NotReady::Running(_)), .. });
    let in_the_way = matches!(seen.view.terminal, TerminalUse::Pager | TerminalUse::Fullscreen);
    if !(busy && in_the_way) {
        return error.into();
    }
    let mode = seen.terminal_mode();
    Told::blocked("terminal-state-abnormal", format!("not sent: a program of the kind {mode} has the terminal"))
        .with("error", "WRONG_TERMINAL_MODE")
        .with("terminalMode", mode)
        .next("Leave it with ssh-session-control (esc, ctrl_c) or ssh-session-send (q), then run the command again.")
}

/// How the command stands, as one result.
pub(super) fn told(seen: &Seen, job_id: &str, completion: &Completion, elapsed_ms: u64, text: &Cut) -> Told {
    let told = outcome(&completion.outcome);
    let id = command_id(seen.id(), job_id);
    let hint = format!("Read it with ssh-command-status, commandId \"{id}\".");
    let told = if completion.outcome.is_open() { told.with("hint", hint) } else { told };
    told.with("commandId", id)
        .with_all(place(seen))
        .with("elapsedMs", elapsed_ms)
        .with_all(text.fields())
        .evidence(completion.evidence.iter().map(|line| words(line)))
}

fn outcome(outcome: &End) -> Told {
    match outcome {
        End::Completed { exit_code, .. } => ended(*exit_code),
        End::PromptNoStatus => ended(None),
        End::LevelChanged { breadcrumb, exit_code } => Told::success(format!("now at {}", breadcrumb.join(" › ")))
            .with("status", "completed")
            .with("completionReason", "prompt")
            .with("exitCode", json!(exit_code)),
        End::AwaitingInput { kind, prompt, .. } if kind.is_secret() => {
            Told::blocked("terminal-state-abnormal", format!("the command asks for a secret: {prompt}"))
                .with("error", "PASSWORD_REQUIRED")
                .with("exitCode", Value::Null)
                .next("A person types it in the viewer; then read on with ssh-command-status.")
        }
        End::AwaitingInput { prompt, .. } => going_on(format!("the command goes on and waits for input: {prompt}"))
            .next("Answer with ssh-session-send, appendNewline true; then read on with ssh-command-status."),
        End::Fullscreen => going_on("the command goes on: it has the whole screen".to_owned())
            .next("Look with ssh-session-read; leave it with ssh-session-control or ssh-session-send."),
        End::Running => going_on("the command is still running".to_owned())
            .with("completionReason", "timeout")
            .next("Read on with ssh-command-status."),
        End::Unknown { reason } => going_on(format!("what became of the command is not known: {reason}"))
            .next("Look with ssh-session-read before anything else is run."),
        End::Disconnected { reason, exit_code } => {
            let summary = format!("the connection ended while it ran ({reason}); it may or may not have completed");
            Told::failure("connection-failure", summary)
                .with("status", "interrupted")
                .with("exitCode", json!(exit_code))
                .next("Open the device again with ssh-quick-connect; nothing is run again by itself.")
        }
    }
}

/// The prompt is back. Only a code that the shell has told is one.
fn ended(exit_code: Option<i32>) -> Told {
    let (summary, reason, hint) = match exit_code {
        Some(0) => ("the command ended with exit code 0".to_owned(), "sentinel", None),
        Some(code) => (
            format!("the command ended with exit code {code}"),
            "sentinel",
            Some("The command says that it failed; its output says why."),
        ),
        None => (
            "the command ended; the shell told no exit code".to_owned(),
            "prompt",
            Some("Nothing is known of success or failure; look at the output."),
        ),
    };
    Told::success(summary)
        .with("status", "completed")
        .with("completionReason", reason)
        .with("exitCode", json!(exit_code))
        .with_some("exitHint", hint)
}

fn going_on(summary: String) -> Told {
    Told::partial(summary).with("async", true).with("status", "running").with("exitCode", Value::Null)
}

fn place(seen: &Seen) -> Map<String, Value> {
    let fields = json!({
        "sessionName": seen.view.summary.name,
        "sessionRef": seen.reference(),
        "host": seen.view.address,
        "terminalMode": seen.terminal_mode(),
        "operationMode": seen.view.policy_mode.as_str(),
    });
    fields.as_object().cloned().unwrap_or_default()
}

/// The output, and where the rest of it is read: all that was left out is kept as output of the session.
pub(super) fn with_output(told: Told, seen: &Seen, completion: &Completion, text: &Cut, max_chars: usize) -> Told {
    let open = completion.outcome.is_open();
    let from = if open && !text.is_cut() { completion.span.to.0 } else { completion.span.from.0 };
    let told = if open || text.is_cut() { told.with("readMore", seen.read_more(from, max_chars)) } else { told };
    told.block(text.text.clone())
}

/// What the policies warned of, what a parser has read, and what else is worth a word.
pub(super) fn with_report(told: Told, report: &RunReport) -> Told {
    let data = report.parsed.as_ref().and_then(parsed::of);
    let told = told.with_some("parsed", data).notes(report.notes.iter().map(|note| words(note)));
    let Some(ruling) = report.warnings.first() else { return told };
    told.with("warning", words(&ruling.reason))
        .with("policyNoticeLevel", if ruling.verdict == "warn" { "warning" } else { ruling.verdict })
        .with("policyNotice", words(&ruling.reason))
        .with("policyRuleCategory", ruling.category.as_str())
        .with("policyRuleId", ruling.rule_id.as_str())
        .with("policyRuleSource", source(&ruling.policy))
}

/// Where a rule comes from, in the predecessor's words; of a plugin, its name.
fn source(policy: &str) -> &str {
    match policy {
        "policy-standard" => "built-in",
        "policy-rules" => "default",
        "session-rules" => "session",
        other => other,
    }
}
