//! `ssh_transcript`: what is on record.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::super::reply::{Reply, Status};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use crate::host::Host;
use crate::ops::{self, NextStep, RecordHit, RecordQuery, RecordedEvent, TranscriptReport, TranscriptRequest};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 500;
/// Characters of one event that are shown.
const MAX_EVENT_CHARS: usize = 400;

// Said together in the description of the tool: the list of all tools has to stay short.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    pattern: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    actor: Option<String>,
    #[serde(default)]
    verdict: Option<String>,
    #[serde(default)]
    command: Option<String>,
    #[serde(default)]
    exit_code: Option<i64>,
    #[serde(default)]
    after: Option<u64>,
    #[serde(default)]
    limit: Option<usize>,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_transcript",
        title: "Read or search the record",
        description: "Recorded events of sessions, open or closed: one's last or after a number, or a search of all by regex, kind, actor, verdict, command, exit code.",
        class: Class::ReadHere,
        input: schema::of::<Parameters>,
        output: || json!({}),
        call: Box::new(|host, arguments| tool::typed(host, arguments, call)),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    let Parameters { session_id, pattern, kind, actor, verdict, command, exit_code, after, limit } = parameters;
    let limit = limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let query = RecordQuery {
        is_regex: true,
        session: session_id,
        pattern,
        kind,
        actor,
        verdict,
        command,
        exit_code,
        limit,
        ..RecordQuery::default()
    };
    match ops::transcript(&host, TranscriptRequest { query, after }).await {
        Ok(report) => render(&report),
        Err(error) => error.into(),
    }
}

fn render(report: &TranscriptReport) -> Reply {
    let mut body: String = report.events.iter().map(event_line).collect();
    for (number, hit) in report.hits.iter().enumerate() {
        body.push_str(&hit_line(hit));
        // Hits of one session stand together, and one link serves them all.
        if report.hits.get(number + 1).is_none_or(|next| next.replay() != hit.replay()) {
            body.push_str(&format!("  in its session: {}\n", hit.replay()));
        }
    }
    for note in &report.notes {
        body.push_str(&format!("note: {note}\n"));
    }
    let more = if report.more { ", and more" } else { "" };
    let summary = match (&report.session_id, report.searched) {
        (Some(id), _) => format!("{} events of {id}{more}", report.events.len()),
        (None, files) => format!("{} hits in {} transcripts{more}", report.hits.len(), files.unwrap_or(0)),
    };
    let next = match (&report.session_id, report.last()) {
        (Some(id), Some(last)) => Some(NextStep::new("ssh_transcript", json!({ "session_id": id, "after": last }))),
        _ => None,
    };
    Reply::new(Status::Success, summary, body, report).with_next(next)
}

fn event_line(event: &RecordedEvent) -> String {
    let who = event.text_of("actor").map(|actor| format!(" {actor}")).unwrap_or_default();
    line(event.number, event.at_ms, &format!("{}{who}", event.kind), &ops::told_event(event))
}

fn hit_line(hit: &RecordHit) -> String {
    let place = hit.offset.map(|offset| format!(" at {offset}")).unwrap_or_default();
    let code = hit.exit_code.map(|code| format!(" exit {code}")).unwrap_or_default();
    format!("{} #{} {}{place}{code}: {}\n", hit.session, hit.number, hit.kind, one_line(&hit.text))
}

fn line(number: u64, at_ms: u64, what: &str, text: &str) -> String {
    format!("#{number} +{}.{:03}s {what}: {}\n", at_ms / 1000, at_ms % 1000, one_line(text))
}

/// Text of the far side on one line, without control characters.
fn one_line(text: &str) -> String {
    let cleaned = portcullis_term::clean(text.as_bytes(), 1_000).text;
    let line = cleaned.trim_end().replace('\n', "⏎");
    match line.char_indices().nth(MAX_EVENT_CHARS) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}
