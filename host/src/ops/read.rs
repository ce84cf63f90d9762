//! Reading: the screen as a person sees it, or a command's output.

use std::time::Duration;

use portcullis_term::CommandId;
use serde::Serialize;

use super::send::settle;
use super::{Excerpt, OpError, excerpt, find_session};
use crate::host::Host;
use crate::session::{CommandRecord, SessionHandle, SessionSummary};

#[derive(Debug, Clone)]
pub struct ReadRequest {
    pub session_id: Option<String>,
    /// A command of the session instead of the screen.
    pub job_id: Option<String>,
    /// Characters into the command's output; none gives head and tail.
    pub offset_chars: Option<usize>,
    /// Only lines that contain this.
    pub grep: Option<String>,
    /// Wait for the command's end, or for the screen to change.
    pub wait: Duration,
    pub max_chars: usize,
}

#[derive(Debug, Serialize)]
pub struct ReadReport {
    pub session: SessionSummary,
    /// The screen's text, or the command's output.
    #[serde(flatten)]
    pub output: Excerpt,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<CommandRecord>,
    /// Where to go on with `offset_chars`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_offset_chars: Option<usize>,
}

#[derive(Debug, Serialize)]
pub struct Cursor {
    /// From 0.
    pub row: u16,
    pub column: u16,
    pub alternate_screen: bool,
}

/// Reads the screen, or a command's output.
///
/// # Errors
/// When there is no such session or command. Works on closed sessions too.
pub async fn read(host: &Host, request: ReadRequest) -> Result<ReadReport, OpError> {
    let session = find_session(host, request.session_id.as_deref())?;
    let id = session.id().to_string();
    let report = match &request.job_id {
        Some(job) => {
            let command_id = job
                .parse()
                .map_err(|_| OpError::BadArgument(format!("`job_id` is `{job}`; a job is named like `c7`")))?;
            read_command(&session, command_id, &request).await
        }
        None => read_screen(&session, &request).await,
    };
    report.map_err(|error| error.in_session(&id))
}

async fn read_screen(session: &SessionHandle, request: &ReadRequest) -> Result<ReadReport, OpError> {
    let before = session.read().await?;
    let reading =
        if request.wait.is_zero() { before } else { settle(session, before.generation, None, request.wait).await?.0 };
    let screen = &reading.screen;
    Ok(ReadReport {
        session: session.summary(),
        output: excerpt(&filtered(&screen.text(), request.grep.as_deref()), request.max_chars),
        cursor: Some(Cursor {
            row: screen.cursor_row,
            column: screen.cursor_column,
            alternate_screen: screen.alternate_screen,
        }),
        job: None,
        next_offset_chars: None,
    })
}

async fn read_command(
    session: &SessionHandle,
    command_id: CommandId,
    request: &ReadRequest,
) -> Result<ReadReport, OpError> {
    if !request.wait.is_zero() {
        // The wait being over is an answer like any other: the command as it stands.
        drop(tokio::time::timeout(request.wait, session.wait_command(command_id)).await);
    }
    let output = session.read_command(command_id).await?;
    let text = filtered(&output.text.text, request.grep.as_deref());
    let (excerpt, next_offset_chars) = match request.offset_chars {
        None => (excerpt(&text, request.max_chars), None),
        Some(offset) => slice(&text, offset, request.max_chars),
    };
    Ok(ReadReport {
        session: session.summary(),
        output: excerpt,
        cursor: None,
        job: Some(output.record),
        next_offset_chars,
    })
}

fn filtered(text: &str, grep: Option<&str>) -> String {
    match grep {
        None => text.to_owned(),
        Some(wanted) => text.lines().filter(|line| line.contains(wanted)).collect::<Vec<_>>().join("\n"),
    }
}

fn slice(text: &str, offset: usize, max_chars: usize) -> (Excerpt, Option<usize>) {
    let total_chars = text.chars().count();
    let part: String = text.chars().skip(offset).take(max_chars).collect();
    let end = offset.min(total_chars) + part.chars().count();
    let excerpt = Excerpt { omitted_chars: total_chars - part.chars().count(), text: part, total_chars };
    (excerpt, (end < total_chars).then_some(end))
}
