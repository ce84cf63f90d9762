//! `ssh-session-watch`: waits for news of a session and draws it.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::dashboard::{Wanted, draw};
use super::state::State;
use super::summary::milliseconds;
use super::told::{Outcome, Told};
use super::{About, Call, tool, viewer};
use crate::mcp::tool::{Class, Tool};
use crate::ops::{self, NewsRequest};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Parameters {
    /// Id, device/connection or name; the active session when left out.
    #[serde(default)]
    session: Option<String>,
    /// A nextOutputOffset told before.
    #[serde(default)]
    output_offset: Option<u64>,
    /// A nextEventSeq told before.
    #[serde(default)]
    event_seq: Option<u64>,
    /// Milliseconds, default 5000.
    #[serde(default)]
    wait_for_change_ms: Option<u64>,
    /// Columns, default 140.
    #[serde(default)]
    dashboard_width: Option<usize>,
    /// Rows, default 24.
    #[serde(default)]
    dashboard_height: Option<usize>,
    /// Characters of output in it, default 12000.
    #[serde(default)]
    dashboard_left_chars: Option<usize>,
    /// Accepted; events stand among the lines.
    #[serde(default)]
    dashboard_right_events: Option<usize>,
    /// Control sequences are never part of it.
    #[serde(default)]
    strip_ansi_from_left: Option<bool>,
    /// Default true.
    #[serde(default)]
    include_dashboard: Option<bool>,
}

pub(super) fn watch_tool(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-session-watch",
        title: "Wait for news",
        description: "Wait until a session prints something, somebody types or it is closed, and show its terminal as text.",
        class: Class::ReadRemote,
    };
    tool(state, about, watch)
}

async fn watch(call: Call, parameters: Parameters) -> Outcome {
    let known = call.state.resolve(&call.host, parameters.session.as_deref())?;
    let asked = parameters.wait_for_change_ms.map(Duration::from_millis);
    let request = NewsRequest {
        output: parameters.output_offset,
        line: parameters.event_seq,
        wait: asked.unwrap_or(call.state.settings.default_watch_wait),
    };
    let news = ops::news(&call.host, &known.id(), request).await?;
    let seen = call.see(known).await?;
    let wanted = Wanted {
        width: parameters.dashboard_width,
        height: parameters.dashboard_height,
        left_chars: parameters.dashboard_left_chars,
        right_events: parameters.dashboard_right_events,
        strip_ansi: parameters.strip_ansi_from_left,
        include: parameters.include_dashboard,
    };
    let shape = wanted.shape(&call.state.settings);
    let changed = news.output_changed || news.line_changed;
    let summary = format!("{} {}", seen.reference(), if changed { "has changed" } else { "has not changed" });
    let told = Told::success(summary)
        .with_all(call.summary(&seen))
        .with("requestedOutputOffset", json!(parameters.output_offset))
        .with("requestedEventSeq", json!(parameters.event_seq))
        .with("waitedMs", milliseconds(news.waited))
        .with("outputChanged", news.output_changed)
        .with("eventChanged", news.line_changed)
        .with_all(seen.positions())
        .with_all(shape.fields())
        .with_all(viewer::links(&call, Some(seen.id())))
        .notes(wanted.notes());
    Ok(if wanted.is_included() { told.block(draw(&call, &seen, shape).await?) } else { told })
}
