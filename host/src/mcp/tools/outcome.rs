//! What is known of a command, in words and as the call that makes sense next.

use portcullis_term::{AwaitingKind, Completion, Confidence, ExitSource, Outcome};
use serde_json::json;

use super::super::reply::Status;
use crate::ops::NextStep;

/// Fields that every result about a command has; null where nothing is known.
pub(super) const ALWAYS: &[&str] = &["exit_code", "exit_source", "confidence"];

/// One command's outcome for the first line of a result.
pub(super) struct Told {
    pub(super) status: Status,
    /// `exit 1 (mark)`, `still running`, `waits for input (password)`, …
    pub(super) words: String,
    pub(super) next: Option<NextStep>,
}

/// `waits_s` is how long reading should wait for more.
pub(super) fn tell(completion: &Completion, session_id: &str, wait_s: u32) -> Told {
    let job_id = completion.command_id.to_string();
    let read = |wait_s: u32| {
        let arguments = json!({ "session_id": session_id, "job_id": job_id, "wait_s": wait_s });
        Some(NextStep::new("ssh_read", arguments))
    };
    let screen = Some(NextStep::new("ssh_read", json!({ "session_id": session_id })));
    let press = |key: &str| Some(NextStep::new("ssh_send", json!({ "session_id": session_id, "keys": [key] })));
    let told = |status, words, next| Told { status, words, next };
    let partial = Status::PartialSuccess;
    let mut told = match &completion.outcome {
        Outcome::Completed { exit_code: Some(code), exit_source } => {
            told(Status::Success, format!("exit {code} ({})", source(*exit_source)), None)
        }
        Outcome::Completed { exit_code: None, .. } => told(partial, "ended; the exit code is not known".into(), None),
        Outcome::PromptNoStatus => told(partial, "the prompt is back; the exit code is not known".into(), None),
        Outcome::LevelChanged { breadcrumb, exit_code } => {
            let code = exit_code.map_or(String::new(), |code| format!("; exit {code} (mark)"));
            told(Status::Success, format!("now at {}{code}", breadcrumb.join(" › ")), None)
        }
        Outcome::AwaitingInput { kind, prompt, options, default } => {
            let next = match kind {
                AwaitingKind::Pager => press("q"),
                AwaitingKind::Continuation => press("ctrl-c"),
                kind if kind.is_secret() => read(30),
                _ => screen.clone(),
            };
            told(partial, waits(*kind, prompt, options, default.as_deref()), next)
        }
        Outcome::Fullscreen => told(partial, "still running: a full-screen program has the terminal".into(), screen),
        Outcome::Running => told(partial, "still running; no end seen yet".into(), read(wait_s)),
        Outcome::Disconnected { reason, .. } => {
            let words = format!("the connection ended while it ran ({reason}); it may or may not have completed");
            told(Status::Failure, words, None)
        }
        Outcome::Unknown { reason } => told(partial, format!("not known: {reason}"), screen),
    };
    if completion.confidence < Confidence::High && !completion.outcome.is_open() {
        told.words.push_str(&format!(" [{} confidence]", confidence(completion.confidence)));
    }
    told
}

/// What is known of a command, on one line; nothing yet where it has not been told of.
pub(super) fn words(completion: Option<&Completion>) -> String {
    completion.map_or_else(|| "running".to_owned(), |completion| tell(completion, "", 0).words)
}

fn waits(kind: AwaitingKind, prompt: &str, options: &[String], default: Option<&str>) -> String {
    let who = match kind {
        kind if kind.is_secret() => "a person must type it in the viewer",
        AwaitingKind::Pager => "leave it with the key q",
        AwaitingKind::Continuation => "the line is not complete; ctrl-c drops it",
        _ => "answer with ssh_send",
    };
    let mut words = format!("waits for input ({}): {prompt}", name(kind));
    if !options.is_empty() {
        words.push_str(&format!(" [options: {}]", options.join(", ")));
    }
    if let Some(default) = default {
        words.push_str(&format!(" [Enter alone: {default}]"));
    }
    format!("{words}; {who}")
}

fn source(source: ExitSource) -> &'static str {
    match source {
        ExitSource::Mark => "mark",
        ExitSource::Sentinel => "sentinel",
        ExitSource::LowerLevelMark => "mark of the level below",
        ExitSource::Channel => "channel",
    }
}

fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Low => "low",
        Confidence::Medium => "medium",
        Confidence::High => "high",
        Confidence::Certain => "certain",
    }
}

/// As the structured result names it.
fn name(kind: AwaitingKind) -> String {
    serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}
