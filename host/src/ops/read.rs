//! Reading: the screen as a person sees it, output by its offset, the numbered history, a job's output.
//!
//! Nothing is sent. Closed sessions are read like open ones, as long as they are kept. Output is cleaned
//! here, of what is returned; what is kept are the bytes.

use std::time::{Duration, Instant};

use portcullis_term::{CommandId, Offset, Span};
use serde::Serialize;

use super::lines::{self, Choice, Chosen, Filter};
use super::page::{self, Place};
use super::{Excerpt, OpError, excerpt, find_session};
use crate::host::Host;
use crate::session::{CommandOutput, CommandRecord, LineRange, SessionHandle, SessionSummary};

/// Lines of history in a result when the caller does not say.
const HISTORY_LINES: u64 = 200;
/// A screen that has changed is drawn when this much quiet has followed.
const SETTLED: Duration = Duration::from_millis(100);
/// Longest wait for that: a screen may never rest.
const SETTLING: Duration = Duration::from_secs(1);

/// What to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    #[default]
    Screen,
    Output,
    History,
    Job,
}

#[derive(Debug, Clone, Default)]
pub struct ReadRequest {
    pub session_id: Option<String>,
    pub what: What,
    pub job_id: Option<String>,
    /// Absolute offset into the session's output, also for a job.
    pub offset_bytes: Option<u64>,
    pub lines: Choice,
    pub filter: Option<Filter>,
    /// Wait for the job's end, or for more output.
    pub wait: Duration,
    /// Wait until output goes beyond this offset instead of beyond where it is now.
    pub since_bytes: Option<u64>,
    pub max_chars: usize,
}

#[derive(Debug, Serialize)]
pub struct ReadReport {
    pub session: SessionSummary,
    pub what: What,
    #[serde(flatten)]
    pub output: Excerpt,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<CommandRecord>,
    #[serde(flatten)]
    pub bytes: ByteRange,
    #[serde(flatten)]
    pub lines: LineSpan,
    /// Whether output came while waiting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
    pub notes: Vec<String>,
}

/// Where the text lies in the session's output.
#[derive(Debug, Default, Serialize)]
pub struct ByteRange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset_bytes: Option<u64>,
    /// Where to go on reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_offset_bytes: Option<u64>,
    /// One past the newest byte there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_offset_bytes: Option<u64>,
    /// Bytes asked for that are no longer kept in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evicted_bytes: Option<u64>,
}

/// Which lines the text is.
#[derive(Debug, Default, Serialize)]
pub struct LineSpan {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_lines: Option<u64>,
    /// The first line that was wanted and did not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matches: Option<u64>,
    /// Lines asked for that are no longer kept in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evicted_lines: Option<u64>,
}

/// The terminal's cursor and what stands around the text.
#[derive(Debug, Serialize)]
pub struct Cursor {
    /// From 0.
    pub row: u16,
    pub column: u16,
    pub alternate_screen: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// Reads what was asked for.
///
/// # Errors
/// When there is no such session or command, or the parameters do not fit together.
pub async fn read(host: &Host, request: ReadRequest) -> Result<ReadReport, OpError> {
    check(&request)?;
    let session = find_session(host, request.session_id.as_deref())?;
    let id = session.id().to_string();
    let report = match request.what {
        What::Screen => read_screen(&session, &request).await,
        What::Output => read_output(&session, &request).await,
        What::History => read_history(&session, &request).await,
        What::Job => read_job(&session, &request).await,
    };
    report.map_err(|error| error.in_session(&id))
}

fn check(request: &ReadRequest) -> Result<(), OpError> {
    let wrong = |message: &str| Err(OpError::BadArgument(message.to_owned()));
    match (request.what, &request.job_id) {
        (What::Job, None) => return wrong("a job is read by its `job_id`, e.g. c7; ssh_status lists the jobs"),
        (What::Job, Some(_)) | (_, None) => {}
        (_, Some(_)) => return wrong("`job_id` reads a job; leave `what` out or give \"job\""),
    }
    let by_offset = matches!(request.what, What::Output | What::Job);
    if request.offset_bytes.is_some() && !by_offset {
        return wrong("`offset_bytes` belongs to what = \"output\" or to a job");
    }
    Ok(())
}

async fn read_screen(session: &SessionHandle, request: &ReadRequest) -> Result<ReadReport, OpError> {
    let changed = wait_for_output(session, request).await?;
    let screen = session.read().await?.screen;
    let text = screen.text();
    let plain = request.lines == Choice::All && request.filter.is_none();
    let (output, span) = if plain {
        (excerpt(&text, request.max_chars), LineSpan::default())
    } else {
        chosen(lines::numbered(&text), request, false)
    };
    let cursor = Cursor {
        row: screen.cursor_row,
        column: screen.cursor_column,
        alternate_screen: screen.alternate_screen,
        title: screen.title,
    };
    Ok(ReadReport { cursor: Some(cursor), lines: span, changed, ..report(session, request.what, output) })
}

async fn read_output(session: &SessionHandle, request: &ReadRequest) -> Result<ReadReport, OpError> {
    let changed = wait_for_output(session, request).await?;
    let (output, bytes, span) = output_between(session, request, None).await?;
    Ok(ReadReport { bytes, lines: span, changed, ..report(session, request.what, output) })
}

/// Output by its offset, all of it or a job's.
async fn output_between(
    session: &SessionHandle,
    request: &ReadRequest,
    within: Option<Span>,
) -> Result<(Excerpt, ByteRange, LineSpan), OpError> {
    let by_lines = request.lines != Choice::All || request.filter.is_some();
    let most_bytes = if by_lines { usize::MAX } else { page::MAX_PAGE_BYTES };
    let first = within.map_or(0, |span| span.from.0);
    let from = match request.offset_bytes {
        Some(offset) => Some(Offset(offset.max(first))),
        None if by_lines => Some(Offset(first)),
        None => None,
    };
    let mut slice = session.output_slice(from, within.map(|span| span.to), most_bytes).await?;
    let last = slice.closed || within.is_some_and(|span| span.to < slice.end);
    let place = Place { columns: session.summary().columns, full_screen: slice.full_screen, last };
    let range = |from: u64, length: usize| ByteRange {
        offset_bytes: Some(from),
        next_offset_bytes: Some(from + length as u64),
        end_offset_bytes: Some(slice.end.0),
        evicted_bytes: Some(slice.evicted_bytes),
    };
    if by_lines {
        let text = page::text(&slice.bytes, place);
        let (output, span) = chosen(lines::numbered(&text), request, false);
        return Ok((output, range(slice.from.0, slice.bytes.len()), span));
    }
    let skipped = if from.is_none() { page::newest_from(&slice.bytes, request.max_chars, place) } else { 0 };
    let skipped_bytes: Vec<u8> = slice.bytes.drain(..skipped).collect();
    let full_screen = crate::session::full_screen_after(&skipped_bytes, place.full_screen);
    let page = page::page(&slice.bytes, request.max_chars, Place { full_screen, ..place });
    let total_chars = page.text.chars().count();
    let output = Excerpt { text: page.text, total_chars, omitted_chars: 0 };
    Ok((output, range(slice.from.0 + skipped as u64, page.length), LineSpan::default()))
}

async fn read_history(session: &SessionHandle, request: &ReadRequest) -> Result<ReadReport, OpError> {
    let changed = wait_for_output(session, request).await?;
    let unfiltered = request.filter.is_none();
    let (range, choice) = match request.lines {
        Choice::All if unfiltered => (LineRange::Newest(HISTORY_LINES), Choice::Tail(HISTORY_LINES)),
        Choice::Tail(count) if unfiltered => (LineRange::Newest(count), Choice::Tail(count)),
        Choice::Range(from, to) => (LineRange::Between(from, to), request.lines),
        other => (LineRange::Between(None, None), other),
    };
    let cut = session.read_history(range).await?;
    let rows = cut.lines(session.summary().columns).into_iter().map(|line| (line.number, line.text)).collect();
    let (output, span) = chosen(rows, &ReadRequest { lines: choice, ..request.clone() }, true);
    let span = LineSpan { total_lines: Some(cut.next_line - 1), evicted_lines: Some(cut.evicted_lines()), ..span };
    Ok(ReadReport { lines: span, changed, ..report(session, request.what, output) })
}

async fn read_job(session: &SessionHandle, request: &ReadRequest) -> Result<ReadReport, OpError> {
    let command_id = command_id(request.job_id.as_deref().unwrap_or_default())?;
    if !request.wait.is_zero() {
        // The wait being over is an answer like any other: the command as it stands.
        drop(tokio::time::timeout(request.wait, session.wait_command(command_id)).await);
    }
    let command = session.read_command(command_id).await?;
    let notes = job_notes(&command);
    if request.offset_bytes.is_some() {
        let within = command.span.unwrap_or_default();
        let (output, bytes, lines) = output_between(session, request, Some(within)).await?;
        let job = Some(command.record);
        return Ok(ReadReport { bytes, lines, job, notes, ..report(session, request.what, output) });
    }
    let text = command.text.text.as_str();
    let total_lines = Some(text.lines().count() as u64);
    let (output, span) = if request.lines == Choice::All && request.filter.is_none() {
        (excerpt(text, request.max_chars), LineSpan::default())
    } else {
        chosen(lines::numbered(text), request, false)
    };
    let bytes = ByteRange {
        offset_bytes: command.span.map(|span| span.from.0),
        evicted_bytes: Some(command.evicted_bytes),
        ..ByteRange::default()
    };
    let lines = LineSpan { total_lines, ..span };
    Ok(ReadReport { bytes, lines, job: Some(command.record), notes, ..report(session, request.what, output) })
}

pub(super) fn command_id(job: &str) -> Result<CommandId, OpError> {
    job.parse().map_err(|_| OpError::BadArgument(format!("`job_id` is `{job}`; a job is named like `c7`")))
}

fn job_notes(command: &CommandOutput) -> Vec<String> {
    let mut notes = Vec::new();
    if command.text.full_screen_bytes > 0 {
        notes.push(format!("{} bytes of a full-screen program were left out", command.text.full_screen_bytes));
    }
    notes
}

fn chosen(rows: Vec<(u64, String)>, request: &ReadRequest, numbered: bool) -> (Excerpt, LineSpan) {
    let total_lines = rows.len() as u64;
    let chosen = lines::choose(rows, request.lines, request.filter.as_ref(), request.max_chars, numbered);
    let Chosen { output, shown, matches, next_line } = chosen;
    let span = LineSpan {
        from_line: shown.map(|(from, _)| from),
        to_line: shown.map(|(_, to)| to),
        total_lines: Some(total_lines),
        next_line,
        matches,
        evicted_lines: None,
    };
    (output, span)
}

fn report(session: &SessionHandle, what: What, output: Excerpt) -> ReadReport {
    ReadReport {
        session: session.summary(),
        what,
        output,
        cursor: None,
        job: None,
        bytes: ByteRange::default(),
        lines: LineSpan::default(),
        changed: None,
        notes: Vec::new(),
    }
}

/// Waits until there is more output than the caller knows of, then for the rest of it; whether there
/// was, when a wait was asked for.
async fn wait_for_output(session: &SessionHandle, request: &ReadRequest) -> Result<Option<bool>, OpError> {
    if request.wait.is_zero() {
        return Ok(None);
    }
    let until = Instant::now() + request.wait;
    // Nothing that happens between the look and the wait is missed: events are subscribed to before.
    let events = session.events();
    let known = match request.since_bytes.or(request.offset_bytes) {
        Some(offset) => offset,
        None => session.vitals().await?.end.0,
    };
    let Some(mut events) = events else { return Ok(Some(false)) };
    while session.vitals().await?.end.0 <= known {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || session.is_closed() {
            return Ok(Some(false));
        }
        drop(tokio::time::timeout(left, events.recv()).await);
    }
    let settling = until.min(Instant::now() + SETTLING);
    loop {
        let pause = SETTLED.min(settling.saturating_duration_since(Instant::now()));
        let more = tokio::time::timeout(pause, events.recv()).await;
        if pause.is_zero() || session.is_closed() || !matches!(more, Ok(Ok(_))) {
            return Ok(Some(true));
        }
    }
}
