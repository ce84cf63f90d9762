//! The tools, one file each, in the order they are listed.

mod hosts;
mod lock;
mod navigate;
mod open;
mod outcome;
mod read;
mod read_file;
mod run;
mod search_logs;
mod send;
mod status;
mod stop;
mod transcript;
mod write_file;

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::tool::Tool;
use crate::ops::AwaitingPerson;
use crate::session::{SessionSummary, StopAttempt};

/// Longest a call keeps a client waiting, in seconds: several give up at 60.
const MAX_WAIT_S: u32 = 50;
/// Characters of output in a result when the caller does not say.
const DEFAULT_CHARS: u32 = 8_000;
const MAX_CHARS: u32 = 40_000;

/// In every result.
pub(super) const ALWAYS: &[&str] = &["result_status", "summary"];

pub(super) fn all() -> Vec<Tool> {
    vec![
        hosts::tool(),
        lock::tool(),
        navigate::tool(),
        open::tool(),
        read::tool(),
        read_file::tool(),
        run::tool(),
        search_logs::tool(),
        send::tool(),
        status::tool(),
        stop::tool(),
        transcript::tool(),
        write_file::tool(),
    ]
}

tokio::task_local! {
    /// How long the present call waits where its caller has not said.
    static PATIENCE: Duration;
}

/// A call that waits for so long where its caller has not said.
pub(super) async fn with_patience<T>(patience: Option<Duration>, call: impl Future<Output = T>) -> T {
    match patience {
        Some(patience) => PATIENCE.scope(patience, call).await,
        None => call.await,
    }
}

fn wait(seconds: Option<u32>, default: u32) -> Duration {
    let default = Duration::from_secs(default.min(MAX_WAIT_S).into());
    match seconds {
        Some(seconds) => Duration::from_secs(seconds.min(MAX_WAIT_S).into()),
        None => PATIENCE.try_with(|patience| *patience).unwrap_or(default),
    }
}

fn chars(wanted: Option<u32>) -> usize {
    wanted.unwrap_or(DEFAULT_CHARS).clamp(200, MAX_CHARS) as usize
}

fn breadcrumb(summary: &SessionSummary) -> String {
    if summary.breadcrumb.is_empty() { summary.host.clone() } else { summary.breadcrumb.join(" › ") }
}

/// The session's id, with the name its caller gave it.
fn named(summary: &SessionSummary) -> String {
    let name = summary.name.as_ref().map(|name| format!(" \"{name}\""));
    format!("{}{}", summary.session_id, name.unwrap_or_default())
}

/// That a session is not open yet because a person is asked, on one line.
fn waits_for_person(awaiting: &AwaitingPerson) -> String {
    let AwaitingPerson { kind, profile, target, hop, viewer, expires_in_s, .. } = awaiting;
    let kind = serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
    let hop = hop.as_ref().map_or(String::new(), |hop| format!(" ({hop})"));
    let place = viewer.as_ref().map_or(String::new(), |viewer| format!(" at {viewer}"));
    format!(
        "opening `{profile}` waits for a person ({kind}) at {target}{hop}: only they may answer, in the viewer{place}, \
         within {expires_in_s} s"
    )
}

/// How a command was stopped, a line for each step.
fn steps(steps: &[StopAttempt]) -> String {
    let line = |step: &StopAttempt| {
        let seen = if step.ended { "its end was seen" } else { "no end seen" };
        format!("[stop] {}: {} → {seen}\n", step.signal, step.how)
    };
    steps.iter().map(line).collect()
}

fn notes(notes: &[String]) -> String {
    notes.iter().map(|note| format!("note: {note}\n")).collect()
}
