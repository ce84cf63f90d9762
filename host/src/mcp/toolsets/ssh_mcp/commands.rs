//! `get_command`, `list_commands`, `cancel_command`.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::Outcomes;
use super::lock::{self, By};
use super::memory::Memory;
use super::{Context, Told, facts, result, tool};
use crate::mcp::answer::Answer;
use crate::mcp::tool::{Class, Tool};
use crate::ops::{self, Choice, OpError, ReadRequest, SessionLine, StopRequest, What};
use crate::session::CommandRecord;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetCommand {
    session_id: String,
    command_id: String,
    /// Last characters of its output; all when left out.
    #[serde(default)]
    output_limit: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListCommands {
    session_id: String,
    /// Last characters of each output.
    #[serde(default)]
    output_limit: u32,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CancelCommand {
    session_id: String,
    command_id: String,
    #[serde(flatten)]
    by: By,
}

pub(super) fn tools(memory: &Arc<Memory>) -> [Tool; 3] {
    let command = || json!({ "command": { "type": "object" } });
    [
        tool(
            memory,
            Told {
                name: "get_command",
                title: "Read command",
                description: "Read one command of a session, open or closed: status, exit code, output so far. Sends nothing.",
                class: Class::ReadHere,
                output: command,
            },
            get_command,
        ),
        tool(
            memory,
            Told {
                name: "list_commands",
                title: "List commands",
                description: "List the session's commands, newest first, with status and exit code. Sends nothing.",
                class: Class::ReadHere,
                output: || json!({ "commands": { "type": "array", "items": { "type": "object" } } }),
            },
            list_commands,
        ),
        tool(
            memory,
            Told {
                name: "cancel_command",
                title: "Cancel command",
                description: "Press ctrl-c for a running command and say whether its end was seen; of one that has ended, its result.",
                class: Class::WriteRemote,
                output: command,
            },
            cancel_command,
        ),
    ]
}

async fn get_command(context: Context, parameters: GetCommand) -> Answer {
    let GetCommand { session_id, command_id, output_limit } = parameters;
    let read = async {
        let line = ops::session_line(&context.host, Some(&session_id)).await?;
        let command = with_output(&context, &line, find(&line, &command_id)?, output_limit).await?;
        Ok(
            json!({ "command": command, "transcript_path": line.transcript, "session": facts::session(&context, &line) }),
        )
    };
    match read.await {
        Ok(fields) => result::done(fields, false),
        Err(error) => result::failed(&context, Some(&session_id), error).await,
    }
}

async fn list_commands(context: Context, parameters: ListCommands) -> Answer {
    let ListCommands { session_id, output_limit } = parameters;
    let read = async {
        let line = ops::session_line(&context.host, Some(&session_id)).await?;
        let mut commands = Vec::new();
        for job in line.jobs.iter().rev() {
            commands.push(with_output(&context, &line, job, Some(output_limit)).await?);
        }
        Ok(json!({ "commands": commands, "session": facts::session(&context, &line) }))
    };
    match read.await {
        Ok(fields) => result::done(fields, false),
        Err(error) => result::failed(&context, Some(&session_id), error).await,
    }
}

async fn cancel_command(context: Context, parameters: CancelCommand) -> Answer {
    let CancelCommand { session_id, command_id, by } = parameters;
    match cancel(&context, &session_id, &command_id, &by).await {
        Ok(fields) => result::done(fields, false),
        Err(error) => result::failed(&context, Some(&session_id), error).await,
    }
}

async fn cancel(context: &Context, session_id: &str, command_id: &str, by: &By) -> Result<Value, OpError> {
    let line = ops::session_line(&context.host, Some(session_id)).await?;
    let job = find(&line, command_id)?;
    let job_id = job.command_id.clone();
    let is_open = job.completion.as_ref().is_none_or(|known| known.outcome.is_open());
    let mut completion = job.completion.clone();
    if is_open {
        lock::take_if_free(context, session_id, by).await;
        context.memory.cancel_requested(&line.summary.session_id, &job_id);
        let request =
            StopRequest { session_id: Some(session_id.to_owned()), job_id: Some(job_id.clone()), force: false };
        completion = ops::stop(&context.host, request).await?.completion;
    }
    let line = ops::session_line(&context.host, Some(session_id)).await?;
    let job = find(&line, &job_id)?;
    let command = with_output(context, &line, job, None).await?;
    let known = completion.as_ref();
    let (output, truncated) = (command["output"].as_str().unwrap_or_default(), command["output_truncated"] == true);
    let mut fields = Outcomes { output, truncated, known, found: None, timed_out: false }.fields(context, &line);
    let notes = by.notes();
    if !notes.is_empty() {
        fields["notes"] = json!(notes);
    }
    fields["session"] = facts::session(context, &line);
    fields["command"] = command;
    Ok(fields)
}

fn find<'a>(line: &'a SessionLine, id: &str) -> Result<&'a CommandRecord, OpError> {
    facts::find_command(line, id).ok_or_else(|| {
        let known: Vec<String> = line.jobs.iter().rev().take(10).map(facts::command_id).collect();
        let known =
            if known.is_empty() { "it has none yet".to_owned() } else { format!("its latest: {}", known.join(", ")) };
        OpError::BadArgument(format!("there is no command {id} in this session; {known}"))
    })
}

/// The command with its output: all of it, or its last characters.
async fn with_output(
    context: &Context,
    line: &SessionLine,
    job: &CommandRecord,
    limit: Option<u32>,
) -> Result<Value, OpError> {
    let mut command = facts::command(context, &line.summary.session_id, job);
    let request = ReadRequest {
        session_id: Some(line.summary.session_id.clone()),
        what: What::Job,
        job_id: Some(job.command_id.clone()),
        lines: Choice::All,
        wait: Duration::ZERO,
        max_chars: usize::MAX,
        ..ReadRequest::default()
    };
    let read = ops::read(&context.host, request).await?;
    let text = read.output.text.as_str();
    let chars = text.chars().count();
    let skipped = limit.map_or(0, |limit| chars.saturating_sub(limit as usize));
    let start = text.char_indices().nth(skipped).map_or(text.len(), |(at, _)| at);
    let evicted = read.bytes.evicted_bytes.unwrap_or(0);
    command["output"] = json!(&text[start..]);
    command["output_chars"] = json!(chars);
    // Of output that is no longer kept only the bytes are known.
    command["output_dropped_chars"] = json!(evicted);
    command["output_truncated"] = json!(evicted > 0 || skipped > 0);
    Ok(command)
}
