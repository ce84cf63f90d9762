//! `ssh-session-read` and `ssh-session-history`: output by its offset, and the numbered lines.

use std::sync::Arc;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::state::State;
use super::summary::milliseconds;
use super::told::{Outcome, Told};
use super::{About, Call, tool};
use crate::mcp::tool::{Class, Tool};
use crate::ops::{self, Choice, ReadRequest, What};

/// Lines of the history where the call does not say.
const DEFAULT_LINES: u64 = 80;
/// Most characters of a history.
const HISTORY_CHARS: usize = 200_000;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ReadParameters {
    /// Id, device/connection or name; the active session when left out.
    #[serde(default)]
    session: Option<String>,
    /// A nextOffset told before; the newest output when left out.
    #[serde(default)]
    offset: Option<u64>,
    /// Default 4000.
    #[serde(default)]
    max_chars: Option<usize>,
    /// Milliseconds to wait for output beyond offset, default 0.
    #[serde(default)]
    wait_for_change_ms: Option<u64>,
}

pub(super) fn read(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-session-read",
        title: "Read output",
        description: "Read a session's output by offset, or its newest part; can wait for more. Sends nothing.",
        class: Class::ReadRemote,
    };
    tool(state, about, read_output)
}

async fn read_output(call: Call, parameters: ReadParameters) -> Outcome {
    let known = call.state.resolve(&call.host, parameters.session.as_deref())?;
    let max_chars = parameters.max_chars.unwrap_or(call.state.settings.default_read_chars).max(1);
    let request = ReadRequest {
        session_id: Some(known.id()),
        what: What::Output,
        offset_bytes: parameters.offset,
        wait: Duration::from_millis(parameters.wait_for_change_ms.unwrap_or(0)),
        max_chars,
        ..ReadRequest::default()
    };
    let began = Instant::now();
    let report = ops::read(&call.host, request).await?;
    let waited = report.changed.map_or(Duration::ZERO, |_| began.elapsed());
    let seen = call.see(known).await?;
    let (start, end) = (seen.view.vitals.start.0, seen.view.vitals.end.0);
    let from = report.bytes.offset_bytes.unwrap_or(end);
    let next = report.bytes.next_offset_bytes.unwrap_or(end);
    let truncated_before = match parameters.offset {
        Some(offset) => offset < from,
        None => from > start,
    };
    let returned = report.output.text.chars().count();
    let told = Told::success(format!("{returned} characters of {}", seen.reference()))
        .with_all(call.summary(&seen))
        .with("requestedOffset", json!(parameters.offset))
        .with("effectiveOffset", from)
        .with("nextOffset", next)
        .with("recommendedNextOffset", next)
        .with("truncatedBefore", truncated_before)
        .with("truncatedAfter", next < end)
        .with("returnedChars", returned)
        .with("waitedMs", milliseconds(waited))
        .with("availableStart", start)
        .with("availableEnd", end);
    let told = if next < end { told.with("readMore", seen.read_more(next, max_chars)) } else { told };
    Ok(told.block(report.output.text))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct HistoryParameters {
    /// Id, device/connection or name; the active session when left out.
    #[serde(default)]
    session: Option<String>,
    /// First line, from 1; the newest lines when left out.
    #[serde(default)]
    line: Option<u64>,
    /// Default 80.
    #[serde(default)]
    max_lines: Option<u64>,
}

pub(super) fn history(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-session-history",
        title: "Read history",
        description: "A session's history as numbered lines: output, who typed what, what happened. Sends nothing.",
        class: Class::ReadRemote,
    };
    tool(state, about, read_history)
}

async fn read_history(call: Call, parameters: HistoryParameters) -> Outcome {
    let known = call.state.resolve(&call.host, parameters.session.as_deref())?;
    let count = parameters.max_lines.unwrap_or(DEFAULT_LINES).max(1);
    let before = call.see(known.clone()).await?;
    let first = before.view.vitals.first_line;
    // What is no longer kept begins with the first line that is, as the contract has it.
    let lines = match parameters.line {
        Some(line) => Choice::Range(Some(line.max(first)), Some(line.max(first).saturating_add(count - 1))),
        None => Choice::Tail(count),
    };
    let request = ReadRequest {
        session_id: Some(known.id()),
        what: What::History,
        lines,
        max_chars: HISTORY_CHARS,
        ..ReadRequest::default()
    };
    let report = ops::read(&call.host, request).await?;
    let seen = call.see(known).await?;
    let last = report.lines.total_lines.unwrap_or(0);
    let effective = report.lines.from_line.or(parameters.line.map(|line| line.min(last + 1))).unwrap_or(last + 1);
    let next = report.lines.to_line.map_or(effective, |to| to + 1);
    let returned = report.output.text.lines().count();
    Ok(Told::success(format!("lines {effective} to {} of {}", next.saturating_sub(1), seen.reference()))
        .with_all(call.summary(&seen))
        .with("requestedLine", json!(parameters.line))
        .with("effectiveLine", effective)
        .with("nextLine", next)
        .with("availableStart", first)
        .with("availableEnd", last)
        .with("truncatedBefore", parameters.line.map_or(effective > first, |line| line < first))
        .with("truncatedAfter", next <= last)
        .with("returnedLines", returned)
        .block(report.output.text))
}
