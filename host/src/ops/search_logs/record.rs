//! The same search over the record: what sessions printed, instead of what log files hold.
//!
//! Nothing is typed anywhere. Which transcripts may be read is decided where all reading of the record is
//! ([`super::super::transcript`]).

use std::time::{Instant, UNIX_EPOCH};

use serde_json::{Value, json};

use super::steps::{MAX_SUMMED, SEARCH_TIME};
use super::{ContextLine, FoundLine, SearchMode, SearchReport, SearchRequest, dated, level, moment, period, summary};
use crate::audit::{FoundLines, LineQuery, MatchedLine, OutputLine, Stored, search_lines};
use crate::clock;
use crate::host::Host;
use crate::ops::OpError;
use crate::ops::transcript::Scope;

/// A source of this name is the record; with a session behind it, that session's.
const SOURCE: &str = "transcript";
/// The most severe first.
const LEVELS: [&str; 6] = ["FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/// The sessions whose transcripts are asked for, or all; none when the sources are others.
///
/// # Errors
/// When the record is asked for beside other sources.
pub(super) fn asked(sources: &[String]) -> Result<Option<Vec<String>>, OpError> {
    let session = |source: &String| match source.split_once(':') {
        Some((SOURCE, session)) => Some(session.to_owned()),
        _ => (source == SOURCE).then(String::new),
    };
    let sessions: Vec<String> = sources.iter().filter_map(session).collect();
    if sessions.is_empty() {
        return Ok(None);
    }
    if sessions.len() < sources.len() {
        let message = "the record is searched by itself: name only `transcript` or `transcript:SESSION` as sources";
        return Err(OpError::BadArgument(message.to_owned()));
    }
    let all = sessions.iter().any(String::is_empty);
    Ok(Some(if all { Vec::new() } else { sessions }))
}

/// Searches the transcripts of these sessions, or of all that may be read here; the newest first.
///
/// # Errors
/// When what is looked for cannot be, or the record cannot be read.
pub(super) async fn search(
    host: &Host,
    request: SearchRequest,
    sessions: Vec<String>,
) -> Result<SearchReport, OpError> {
    if request.cursor.is_some() || !request.include.is_empty() {
        let message = "the record has no files to `include` and no `cursor`; narrow it by session, `since` and `until`";
        return Err(OpError::BadArgument(message.to_owned()));
    }
    let scope = Scope::of(host);
    let searching = tokio::task::spawn_blocking(move || search_in(&scope, &request, &sessions));
    searching.await.map_err(|_| OpError::BadArgument("the search was broken off; call again".to_owned()))?
}

fn search_in(scope: &Scope, request: &SearchRequest, sessions: &[String]) -> Result<SearchReport, OpError> {
    let mut transcripts = scope.transcripts()?;
    transcripts.retain(|stored| sessions.is_empty() || sessions.iter().any(|session| stored.is_called(session)));
    if transcripts.is_empty() {
        let message =
            "no transcript that may be read here is of these sources; `discover` with `transcript` lists them";
        return Err(OpError::BadArgument(message.to_owned()));
    }
    transcripts.reverse();
    let now_ms = i64::try_from(clock::unix_ms()).unwrap_or(i64::MAX);
    let (since, until) = period(request, now_ms, 0)?;
    let mut report = SearchReport {
        since: since.map(|at| moment::say(at, 0)),
        until: until.map(|at| moment::say(at, 0)),
        zone: moment::zone(0),
        files: transcripts.len(),
        completed: true,
        ..SearchReport::default()
    };
    if request.discover {
        report.sources = Some(transcripts.iter().map(listed).collect());
        return Ok(report);
    }
    let found = run(&transcripts, request, (since, until))?;
    report.truncated = found.stopped_by.is_some();
    report.stopped_by = found.stopped_by.map(str::to_owned);
    (report.files_done, report.scanned_bytes, report.notes) = (found.files_done, found.bytes, found.problems);
    if report.truncated {
        report.notes.push("narrow it by `transcript:SESSION`, `since` or `until` to see the rest".to_owned());
    }
    let matches = found.matches.into_iter().map(shown).collect();
    if request.summary {
        let kinds = usize::try_from(request.max_matches).unwrap_or(usize::MAX);
        report.overview = Some(summary::fold(matches, kinds, 0));
    } else {
        report.matches = matches;
    }
    Ok(report)
}

fn run(
    transcripts: &[Stored],
    request: &SearchRequest,
    (since, until): (Option<i64>, Option<i64>),
) -> Result<FoundLines, OpError> {
    let patterns: Vec<String> = match request.mode {
        _ if request.text.trim().is_empty() => Vec::new(),
        SearchMode::AllWords => request.text.split_whitespace().map(str::to_owned).collect(),
        SearchMode::Literal | SearchMode::Regex => vec![request.text.clone()],
    };
    let severity = |level: &str| LEVELS.iter().position(|known| known.eq_ignore_ascii_case(level));
    let least = request.level.as_deref().map(|level| severity(level).ok_or_else(|| unknown(level))).transpose()?;
    let keeps = |text: &str| {
        least.is_none_or(|least| level::of(text).and_then(severity).is_some_and(|severity| severity <= least))
    };
    let goes_on = |text: &str| request.summary && text.starts_with([' ', '\t']);
    let is_regex = request.mode == SearchMode::Regex;
    let unix_ms = |at: i64| u64::try_from(at).unwrap_or(0);
    let mut query = LineQuery::new(&patterns, is_regex, &request.exclude, request.ignore_case)?;
    (query.since_unix_ms, query.until_unix_ms) = (since.map(unix_ms), until.map(unix_ms));
    (query.before, query.after) = (request.before.into(), request.after.into());
    (query.keeps, query.goes_on) = (&keeps, &goes_on);
    query.limit = if request.summary { MAX_SUMMED } else { usize::try_from(request.max_matches).unwrap_or(usize::MAX) };
    query.deadline = Some(Instant::now() + SEARCH_TIME);
    Ok(search_lines(transcripts.iter(), &query))
}

fn unknown(level: &str) -> OpError {
    OpError::BadArgument(format!("the level `{level}` is none of {}", LEVELS.join(", ").to_lowercase()))
}

fn shown(found: MatchedLine) -> FoundLine {
    let context = |lines: Vec<OutputLine>| {
        lines.into_iter().map(|line| ContextLine { line: Some(line.line), text: line.text }).collect()
    };
    FoundLine {
        source: Some(format!("{SOURCE}:{}/{}", found.instance, found.session)),
        line: Some(found.found.line),
        counted_from_byte: None,
        event: Some(found.found.event),
        matched_line: None,
        unix_ms: i64::try_from(found.found.unix_ms).ok(),
        level: level::of(&found.found.text).map(str::to_owned),
        text: found.found.text,
        before: context(found.before),
        after: context(found.after),
        not_checked: None,
    }
}

/// A transcript as a listing has it.
fn listed(stored: &Stored) -> Value {
    let modified = stored.modified.duration_since(UNIX_EPOCH).ok().and_then(|at| i64::try_from(at.as_millis()).ok());
    let source = json!({
        "source": format!("{SOURCE}:{}/{}", stored.instance, stored.session),
        "kind": SOURCE,
        "compression": stored.compressed.then_some("gz"),
        "size_bytes": stored.size_bytes,
        "modified_unix_ms": modified,
        "first_unix_ms": stored.opening().map(|opening| opening.unix_ms),
        "last_unix_ms": modified,
    });
    dated(source, 0)
}
