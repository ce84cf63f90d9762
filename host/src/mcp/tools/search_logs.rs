//! `ssh_search_logs`: lines in logs.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::progress;
use super::super::reply::{Reply, Status};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use super::{breadcrumb, notes};
use crate::host::Host;
use crate::ops::{self, FoundAt, FoundLine, NextStep, SearchMode, SearchReport, SearchRequest, Summary};

const DEFAULT_MATCHES: u32 = 50;

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Mode {
    #[default]
    Literal,
    Regex,
    AllWords,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// Not with discover or cursor.
    #[serde(default)]
    query: Option<String>,
    /// Default literal.
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    ignore_case: bool,
    /// Paths, globs, journal:UNIT, kubectl:NS/POD, docker:NAME, transcript; or the profile's.
    #[serde(default)]
    sources: Option<Vec<String>>,
    /// Names, e.g. *.log.
    #[serde(default)]
    include: Option<Vec<String>>,
    /// Lines to leave out.
    #[serde(default)]
    exclude: Option<Vec<String>>,
    /// RFC 3339, or 15m ago.
    #[serde(default)]
    since: Option<String>,
    #[serde(default)]
    until: Option<String>,
    /// Least, e.g. warn.
    #[serde(default)]
    level: Option<String>,
    /// Default 50.
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    max_matches: Option<u32>,
    #[serde(default)]
    #[schemars(range(min = 0, max = 20))]
    before_lines: Option<u16>,
    #[serde(default)]
    #[schemars(range(min = 0, max = 20))]
    after_lines: Option<u16>,
    /// Like lines folded, counted.
    #[serde(default)]
    summary: bool,
    /// List sources.
    #[serde(default)]
    discover: bool,
    /// From a cut result.
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    session_id: Option<String>,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_search_logs",
        title: "Search logs",
        description: "Search log files where the session is (host or pod), gently: matches with file, line, level, text, context.",
        class: Class::ReadRemote,
        input: schema::of::<Parameters>,
        output: || json!({ "matches": { "type": "array", "items": { "type": "object" } } }),
        call: Box::new(|host, arguments| tool::typed(host, arguments, call)),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    let request = SearchRequest {
        session_id: parameters.session_id,
        text: parameters.query.unwrap_or_default(),
        mode: match parameters.mode {
            Mode::Literal => SearchMode::Literal,
            Mode::Regex => SearchMode::Regex,
            Mode::AllWords => SearchMode::AllWords,
        },
        ignore_case: parameters.ignore_case,
        sources: parameters.sources.unwrap_or_default(),
        include: parameters.include.unwrap_or_default(),
        exclude: parameters.exclude.unwrap_or_default(),
        since: parameters.since,
        until: parameters.until,
        level: parameters.level,
        max_matches: parameters.max_matches.unwrap_or(DEFAULT_MATCHES).clamp(1, 500),
        before: parameters.before_lines.unwrap_or(0).min(20),
        after: parameters.after_lines.unwrap_or(0).min(20),
        summary: parameters.summary,
        discover: parameters.discover,
        cursor: parameters.cursor,
        progress: progress::reporter(),
    };
    match ops::search_logs(&host, request).await {
        Ok(report) => render(&report),
        Err(error) => error.into(),
    }
}

fn render(report: &SearchReport) -> Reply {
    let place = match &report.session {
        Some(session) => format!("{} · session {}", breadcrumb(session), session.session_id),
        None => format!("{} of {} transcripts", report.files_done, report.files),
    };
    let summary = format!("{} · {place}", counted(report));
    let mut body = String::new();
    for found in &report.matches {
        found_line(&mut body, found);
    }
    if let Some(overview) = &report.overview {
        folded(&mut body, overview);
    }
    for source in report.sources.iter().flatten() {
        listed(&mut body, source);
    }
    if report.since.is_some() || report.until.is_some() {
        let (since, until) = (report.since.as_deref().unwrap_or("…"), report.until.as_deref().unwrap_or("…"));
        body.push_str(&format!("searched from {since} to {until}\n"));
    }
    if report.matches.iter().any(|found| found.not_checked.is_some()) {
        body.push_str("note: matches without a time of their own are listed though it was not checked\n");
    }
    for skipped in &report.skipped {
        body.push_str(&format!("{skipped}\n"));
    }
    body.push_str(&notes(&report.notes));
    let complete = report.completed && report.notes.is_empty();
    let evidence = match report.commands {
        0 => Vec::new(),
        1 => vec![format!("ran: {}", report.command)],
        commands => vec![format!("ran: {} (the last of {commands} lines)", report.command)],
    };
    let status = if complete { Status::Success } else { Status::PartialSuccess };
    let next = report.cursor.as_ref().zip(report.session.as_ref()).map(|(cursor, session)| {
        NextStep::new("ssh_search_logs", json!({ "cursor": cursor, "session_id": session.session_id }))
    });
    Reply::new(status, summary, body, report).with_next(next).with_evidence(evidence)
}

/// What there is, and whether that is all.
fn counted(report: &SearchReport) -> String {
    let more = match (report.truncated, &report.stopped_by) {
        (false, _) => String::new(),
        (true, None) => ", there may be more".to_owned(),
        (true, Some(limit)) => format!(", there may be more (limit: {limit})"),
    };
    match (&report.overview, &report.sources) {
        (Some(summary), _) => {
            let kinds = summary.kinds.len() + summary.further_kinds;
            format!("{} matches of {kinds} kinds in {} sources{more}", summary.matches, summary.sources.len())
        }
        (None, Some(sources)) => format!("{} sources{more}", sources.len()),
        (None, None) => format!("{} matches{more}", report.matches.len()),
    }
}

fn found_line(body: &mut String, found: &FoundLine) {
    let source = found.source.as_deref().unwrap_or("");
    // Lines of a part are counted from its beginning.
    let from = found.counted_from_byte.map_or(String::new(), |byte| format!("@{byte}+"));
    let number = |line: Option<u64>| line.map_or(String::new(), |line| format!("{from}{line}"));
    for line in &found.before {
        body.push_str(&format!("{source}-{}- {}\n", number(line.line), line.text));
    }
    body.push_str(&format!("{source}:{}: {}\n", number(found.line), found.text));
    for line in &found.after {
        body.push_str(&format!("{source}-{}- {}\n", number(line.line), line.text));
    }
}

fn folded(body: &mut String, summary: &Summary) {
    for kind in &summary.kinds {
        let places = if kind.count == 1 {
            at(&kind.first)
        } else {
            format!("first {}, last {}", at(&kind.first), at(&kind.last))
        };
        body.push_str(&format!("{}× {}\n", kind.count, kind.text));
        for line in &kind.lines {
            body.push_str(&format!("   {}\n", line.text));
        }
        let left_out = match kind.lines_left_out {
            0 => String::new(),
            count => format!("{count} further lines; "),
        };
        body.push_str(&format!("   ({left_out}{places})\n"));
    }
    if summary.further_kinds > 0 {
        body.push_str(&format!("… {} further kinds; ask for more matches\n", summary.further_kinds));
    }
    for source in &summary.sources {
        body.push_str(&format!(
            "{}: {}, first {}, last {}\n",
            source.source,
            source.count,
            at(&source.first),
            at(&source.last)
        ));
    }
    if !summary.intervals.is_empty() {
        let counts: Vec<String> =
            summary.intervals.iter().map(|interval| format!("{} {}", interval.from, interval.count)).collect();
        body.push_str(&format!("every {} min: {}\n", summary.interval_minutes, counts.join(", ")));
    }
}

fn at(place: &FoundAt) -> String {
    let line = place.line.map_or(String::new(), |line| line.to_string());
    let from = place.counted_from_byte.map_or(String::new(), |byte| format!("@{byte}+"));
    format!("{}:{from}{line}", place.source.as_deref().unwrap_or(""))
}

/// A source in one line.
fn listed(body: &mut String, source: &Value) {
    let text = |key: &str| source[key].as_str().unwrap_or("?");
    let kind = source["compression"].as_str().unwrap_or_else(|| text("kind"));
    let size = source["size_bytes"].as_u64().map_or(String::new(), |size| format!(", {size} bytes"));
    let times = format!("{} to {}", text("first"), text("last"));
    body.push_str(&format!("{}: {kind}{size}, {times}, modified {}\n", text("source"), text("modified")));
}
