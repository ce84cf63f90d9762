//! `get_screen` and `get_transcript`: what was printed, and what is on record.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::memory::Memory;
use super::{Context, Told, facts, result, tool};
use crate::clock;
use crate::mcp::answer::Answer;
use crate::mcp::tool::{Class, Tool};
use crate::ops::{self, Choice, OpError, ReadReport, ReadRequest, RecordQuery, RecordedEvent, TranscriptRequest, What};

const MAX_TAIL: u32 = 5_000;
/// What the predecessor kept of a session's output, in characters.
const SCREEN_CHARS: usize = 200_000;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetScreen {
    session_id: String,
    /// Last lines of what was printed.
    #[serde(default = "usual_lines")]
    lines: u32,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetTranscript {
    session_id: String,
    /// Last events.
    #[serde(default = "usual_tail")]
    tail: u32,
}

fn usual_lines() -> u32 {
    100
}

fn usual_tail() -> u32 {
    200
}

pub(super) fn tools(memory: &Arc<Memory>) -> [Tool; 2] {
    [
        tool(
            memory,
            Told {
                name: "get_screen",
                title: "Read screen",
                description: "Read the last lines the session's terminal has shown, also after it was closed. Sends nothing.",
                class: Class::ReadHere,
                output: || json!({ "screen": { "type": "string" } }),
            },
            get_screen,
        ),
        tool(
            memory,
            Told {
                name: "get_transcript",
                title: "Read transcript",
                description: "Read the last events on record of a session, open or closed: what was sent and received, by whom, verdicts, locks.",
                class: Class::ReadHere,
                output: || json!({ "events": { "type": "array", "items": { "type": "object" } } }),
            },
            get_transcript,
        ),
    ]
}

async fn get_screen(context: Context, parameters: GetScreen) -> Answer {
    let GetScreen { session_id, lines } = parameters;
    let tail = Choice::Tail(lines.into());
    let read = async {
        let screen = read(&context, &session_id, What::Screen, Choice::All).await?;
        // A full-screen program draws its lines, and prints none.
        let shown = match screen.cursor.as_ref().is_some_and(|cursor| cursor.alternate_screen) {
            true => read(&context, &session_id, What::Screen, tail).await?,
            false => read(&context, &session_id, What::Output, tail).await?,
        };
        let line = ops::session_line(&context.host, Some(&session_id)).await?;
        Ok(json!({ "screen": shown.output.text, "session": facts::session(&context, &line) }))
    };
    match read.await {
        Ok(fields) => result::done(fields, false),
        Err(error) => result::failed(&context, Some(&session_id), error).await,
    }
}

async fn read(context: &Context, id: &str, what: What, lines: Choice) -> Result<ReadReport, OpError> {
    let session_id = Some(id.to_owned());
    let request = ReadRequest {
        session_id,
        what,
        lines,
        wait: Duration::ZERO,
        max_chars: SCREEN_CHARS,
        ..ReadRequest::default()
    };
    ops::read(&context.host, request).await
}

async fn get_transcript(context: Context, parameters: GetTranscript) -> Answer {
    let GetTranscript { session_id, tail } = parameters;
    let limit = tail.min(MAX_TAIL) as usize;
    // Also of a session that is no longer kept here.
    let line = ops::session_line(&context.host, Some(&session_id)).await.ok();
    let id = line.as_ref().map_or(session_id.clone(), |line| line.summary.session_id.clone());
    let query = RecordQuery { session: Some(id.clone()), limit, ..RecordQuery::default() };
    match ops::transcript(&context.host, TranscriptRequest { query, after: None }).await {
        Ok(report) => {
            let events: Vec<Value> = report.events.iter().map(|event| event_object(&id, event)).collect();
            let path = line.and_then(|line| line.transcript);
            let mut fields = json!({ "session_id": id, "transcript_path": path, "events": events });
            if !report.notes.is_empty() {
                fields["notes"] = json!(report.notes);
            }
            result::done(fields, false)
        }
        Err(error) => result::failed(&context, Some(&session_id), error).await,
    }
}

/// An event of ours with the predecessor's `dir` and the fields every one of its lines had.
fn event_object(session_id: &str, event: &RecordedEvent) -> Value {
    let mut all: Map<String, Value> = event.fields.clone();
    let text = all.remove("text").and_then(|text| text.as_str().map(str::to_owned));
    let word = |field: &str| event.text_of(field).unwrap_or_default();
    let text = text.unwrap_or_else(|| match event.kind.as_str() {
        "opened" => "session opened".to_owned(),
        "closed" => format!("session closed: {}", word("reason")),
        "control" => format!("input {} by the {}", word("change"), word("actor")),
        "health" => format!("{}: {}", word("state"), word("reason")),
        _ => String::new(),
    });
    all.insert("ts".to_owned(), json!(clock::moment(event.unix_ms)));
    all.insert("session_id".to_owned(), json!(session_id));
    all.insert("dir".to_owned(), json!(direction(event)));
    all.insert("text".to_owned(), json!(text));
    all.insert("kind".to_owned(), json!(event.kind));
    all.insert("line".to_owned(), json!(event.number));
    if event.kind == "secret_input" || event.number_of("redacted").is_some() {
        all.insert("redacted".to_owned(), json!(true));
    }
    Value::Object(all)
}

fn direction(event: &RecordedEvent) -> &'static str {
    match (event.kind.as_str(), event.text_of("verdict"), event.text_of("change")) {
        ("opened", ..) => "session_meta",
        ("output", ..) => "recv",
        ("input" | "host_input" | "secret_input", ..) => "send",
        ("command_start", ..) => "command_start",
        ("command_end", ..) => "command_complete",
        ("verdict", Some("deny"), _) => "security_block",
        ("health", ..) => "session_health",
        ("error" | "gap", ..) => "error",
        ("control", _, Some("taken")) => "input_lock_acquired",
        ("control", _, Some("taken_by_force")) => "input_lock_takeover",
        ("control", _, Some("released" | "expired" | "handed_over")) => "input_lock_released",
        _ => "event",
    }
}
