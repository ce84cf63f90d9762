//! `ssh-command-status`: how a command stands that was started before. Reading it changes nothing.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::output::cut;
use super::run::{DEFAULT_CHARS, told, with_output};
use super::state::State;
use super::told::{Outcome, Told};
use super::{About, Call, tool};
use crate::mcp::tool::{Class, Tool};
use crate::ops::{self, OpError, ReadRequest, What};
use crate::session::SessionError;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Parameters {
    /// As ssh-run told it.
    command_id: String,
    /// Of output, default 16000.
    #[serde(default)]
    max_chars: Option<usize>,
}

pub(super) fn command_tool(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-command-status",
        title: "Command status",
        description: "How a command stands that ssh-run has started: its output, whether it ended, its exit code. May be asked as often as you like.",
        class: Class::ReadRemote,
    };
    tool(state, about, status)
}

async fn status(call: Call, parameters: Parameters) -> Outcome {
    let id = &parameters.command_id;
    let (session, job) = id.split_once(':').ok_or_else(|| unknown(id))?;
    let known = call.state.resolve(&call.host, Some(session)).map_err(|_| unknown(id))?;
    let request = ReadRequest {
        session_id: Some(known.id()),
        what: What::Job,
        job_id: Some(job.to_owned()),
        max_chars: usize::MAX,
        ..ReadRequest::default()
    };
    let report = ops::read(&call.host, request).await.map_err(|error| not_found(id, error))?;
    let record = report.job.ok_or_else(|| unknown(id))?;
    let completion = ops::standing_of(&call.host, &known.id(), job).await?;
    let seen = call.see(known).await?;
    let max_chars = parameters.max_chars.unwrap_or(DEFAULT_CHARS);
    let text = cut(&report.output.text, max_chars);
    let is_cut = text.is_cut();
    let told = told(&seen, job, &completion, record.duration_ms, &text).with("command", record.text);
    let evicted = report.bytes.evicted_bytes.is_some_and(|bytes| bytes > 0);
    let told = told.with("outputTruncatedBefore", evicted).with("outputTruncatedAfter", is_cut);
    Ok(with_output(told, &seen, &completion, &text, max_chars))
}

fn not_found(id: &str, error: OpError) -> Told {
    match error {
        OpError::BadArgument(_) | OpError::Session { source: SessionError::UnknownCommand(_), .. } => unknown(id),
        other => other.into(),
    }
}

fn unknown(id: &str) -> Told {
    Told::failure("runtime-state-abnormal", format!("there is no command {id}"))
        .with("error", "UNKNOWN_COMMAND")
        .next("Read the session with ssh-session-read; ssh-run tells the commandId of what it starts.")
}
