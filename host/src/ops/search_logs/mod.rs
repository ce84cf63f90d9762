//! Searching logs at the place the session is in.
//!
//! The plugin plans argv stages with the tools found there, the host quotes them and has the policies judge the
//! line like any other, the output is read back by the plugin in chunks. A plugin that can do so searches in
//! several such steps ([`steps`]). A command ends with its call: a cancelled call stops it there. The same query is
//! asked of the record by [`record`], which types nothing.

// One copy decides what a line's level is, for logs and for the record.
#[path = "../../../../plugins/log-search-grep/src/level.rs"]
mod level;
mod moment;
mod record;
mod steps;
mod summary;

use std::time::{Duration, Instant};

use portcullis_sandbox::log_search::{LogLine, LogMatch, MatchMode, Plan, Query, Tool};
use portcullis_sandbox::policy::Delivery;
use portcullis_sandbox::{CallError, LogSearchPlugin};
use portcullis_shell as shell;
use portcullis_term::{Completion, Typist};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use self::steps::{Searched, Steps};
pub use self::summary::{FoundAt, FoundKind, Summary};
use super::run::{exit_code, secret_asked, wait_for};
use super::{OpError, Progress, clear_until, destination, find_session, place};
use crate::clock;
use crate::gate::{Action, Cleared, Intent, Place};
use crate::host::Host;
use crate::random;
use crate::searches::{KeptSearch, Surroundings};
use crate::session::{SessionError, SessionHandle, SessionSummary, SubmitOptions};

/// Looking for a handful of programs is quick everywhere.
const PROBE_WAIT: Duration = Duration::from_secs(15);
/// How long the call waits for a person whose consent is needed; clients give a call up after a minute.
const PERSON_WAIT: Duration = Duration::from_secs(40);
/// Beyond the plan's own limit, for the way back.
const EXTRA_WAIT: Duration = Duration::from_secs(10);
const CHUNK_BYTES: usize = 64 * 1024;
/// A summary folds them, so it may have more.
const SUMMED_AT_ONCE: u32 = 2_000;
/// A clock told in whole seconds is no further off than this. Milliseconds.
const CLOCK_GRAIN_MS: i64 = 1_500;

#[derive(Debug, Clone, Default)]
pub struct SearchRequest {
    pub session_id: Option<String>,
    /// May be empty with a level, a time or a cursor, and for a listing.
    pub text: String,
    pub mode: SearchMode,
    pub ignore_case: bool,
    /// The profile's sources when empty.
    pub sources: Vec<String>,
    pub include: Vec<String>,
    /// Lines with any of these are left out.
    pub exclude: Vec<String>,
    /// RFC 3339, or how long ago: `15m`.
    pub since: Option<String>,
    pub until: Option<String>,
    /// The least level.
    pub level: Option<String>,
    /// Of a summary: the kinds of lines that are listed.
    pub max_matches: u32,
    pub before: u16,
    pub after: u16,
    /// List the sources instead of searching them.
    pub discover: bool,
    /// Fold what was found.
    pub summary: bool,
    /// Go on where an earlier search ended; all but the session and `max_matches` is that search's.
    pub cursor: Option<String>,
    pub progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchMode {
    #[default]
    Literal,
    Regex,
    AllWords,
}

#[derive(Debug, Default, Serialize)]
pub struct SearchReport {
    /// Where it was searched; none of a search of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionSummary>,
    /// The last line that was run; empty where none was.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// Lines that were run.
    pub commands: usize,
    pub matches: Vec<FoundLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overview: Option<Summary>,
    /// Of a listing: source, kind, compression, size and times of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<Value>>,
    /// There may be more: a limit was reached or the command did not end in time.
    pub truncated: bool,
    /// `matches`, `scan`, `time` or `bytes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<String>,
    /// Hand it back to go on exactly there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// What times without a zone are taken to mean.
    pub zone: String,
    pub files: usize,
    pub files_done: usize,
    pub scanned_bytes: u64,
    pub exit_code: Option<i32>,
    pub completed: bool,
    /// Files that hold no logs, such as pipes, by the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
    /// What may be missing.
    pub notes: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct FoundLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Where counting began, in a file of which only a part was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted_from_byte: Option<u64>,
    /// In the record: the number of the event that completed the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<u64>,
    /// Of an entry of several lines: the one that matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched_line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    pub text: String,
    pub before: Vec<ContextLine>,
    pub after: Vec<ContextLine>,
    /// Why it is not sure to be in the time asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_checked: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct ContextLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    pub text: String,
}

/// Why a search ended early: the plugin's failures get its name where that is known.
enum SearchError {
    Plugin(CallError),
    Operation(OpError),
}

impl From<OpError> for SearchError {
    fn from(error: OpError) -> Self {
        Self::Operation(error)
    }
}

impl From<SessionError> for SearchError {
    fn from(error: SessionError) -> Self {
        Self::Operation(error.into())
    }
}

/// Finds lines in logs where the session is.
///
/// # Errors
/// When the plugin cannot plan, a policy refuses the line, or the terminal is not at a prompt.
pub async fn search_logs(host: &Host, request: SearchRequest) -> Result<SearchReport, OpError> {
    if let Some(sessions) = record::asked(&request.sources)? {
        return record::search(host, request, sessions).await;
    }
    let session = find_session(host, request.session_id.as_deref())?;
    let id = session.id().to_string();
    search_in(host, &session, request).await.map_err(|error| error.in_session(&id))
}

async fn search_in(host: &Host, session: &SessionHandle, request: SearchRequest) -> Result<SearchReport, OpError> {
    let kept = request.cursor.as_deref().map(|cursor| kept(host, session, cursor)).transpose()?;
    let destination = destination(host, session)?;
    let choice = &destination.log_search;
    let name = kept.as_ref().map_or(&choice.plugin, |kept| &kept.plugin).clone();
    let plugin = host.plugins().current().log_search(&name).ok_or_else(|| {
        OpError::BadArgument(format!("the log search `{name}` is not loaded; the operator corrects the profile"))
    })?;
    let reading = session.read().await?;
    if reading.asks_for_secret {
        return Err(secret_asked(session, &reading.screen));
    }
    let known = host.searches().surroundings(session.id().as_str(), &session.summary().breadcrumb);
    let around = match known {
        Some(around) => around,
        None => probe(host, session, &place(session, &destination, &reading), plugin.wanted_tools()).await?,
    };
    let mut search = match kept {
        Some(kept) => kept,
        None => begin(&request, session, &around, (&name, &choice.sources))?,
    };
    search.query.max_matches = if search.summary { SUMMED_AT_ONCE } else { request.max_matches };
    let state = Some(std::mem::take(&mut search.state)).filter(|state| !state.is_empty());
    let steps = Steps {
        host,
        session,
        plugin: &plugin,
        query: &search.query,
        order: search.order.clone(),
        around: around.clone(),
        summary: search.summary,
        progress: &request.progress,
    };
    let searched = steps.run(state).await.map_err(|error| match error {
        SearchError::Plugin(source) => OpError::Plugin { plugin: name, source },
        SearchError::Operation(error) => error,
    })?;
    report(host, session, (search, request.max_matches), &around, searched)
}

/// The search that is to be gone on with, if it was made here.
fn kept(host: &Host, session: &SessionHandle, cursor: &str) -> Result<KeptSearch, OpError> {
    let kept = host.searches().kept(cursor).ok_or_else(|| {
        OpError::BadArgument(format!(
            "there is no search `{cursor}` to go on with (only the last ones are kept); search again"
        ))
    })?;
    let summary = session.summary();
    if kept.session_id != summary.session_id || kept.breadcrumb != summary.breadcrumb {
        let made = kept.breadcrumb.join(" › ");
        return Err(OpError::BadArgument(format!(
            "the search `{cursor}` was made in session {} at {made}; go there, or search again",
            kept.session_id
        )));
    }
    Ok(kept)
}

/// When what is looked for was written, at the earliest and at the latest, in milliseconds since 1970.
///
/// # Errors
/// When a time is none, or nothing at all is looked for.
fn period(
    request: &SearchRequest,
    now_ms: i64,
    utc_offset_minutes: i32,
) -> Result<(Option<i64>, Option<i64>), OpError> {
    let narrowed = request.level.is_some() || request.since.is_some() || request.until.is_some();
    if request.text.trim().is_empty() && !narrowed && !request.discover {
        let message = "`query` is empty; give the text to look for, a `level` or a time, or list with `discover`";
        return Err(OpError::BadArgument(message.to_owned()));
    }
    let moment = |name: &str, text: &Option<String>| -> Result<Option<i64>, OpError> {
        let Some(text) = text else { return Ok(None) };
        let parsed = moment::parse(text, now_ms, utc_offset_minutes).ok_or_else(|| {
            OpError::BadArgument(format!(
                "`{name}` is `{text}`; write a time as 2026-03-02T08:31:40Z, or how long ago: 15m, 2h, 3d"
            ))
        })?;
        Ok(Some(parsed))
    };
    let (since, until) = (moment("since", &request.since)?, moment("until", &request.until)?);
    if let (Some(since), Some(until)) = (since, until)
        && since > until
    {
        return Err(OpError::BadArgument("`since` is later than `until`; turn them round".to_owned()));
    }
    Ok((since, until))
}

/// A new search.
fn begin(
    request: &SearchRequest,
    session: &SessionHandle,
    around: &Surroundings,
    (plugin, sources): (&str, &[String]),
) -> Result<KeptSearch, OpError> {
    let own_clock = i64::try_from(clock::unix_ms()).unwrap_or(i64::MAX);
    let now_ms = own_clock.saturating_add(around.ahead_ms.unwrap_or(0));
    let (since, until) = period(request, now_ms, around.utc_offset_minutes.unwrap_or(0))?;
    let sources = if request.sources.is_empty() { sources.to_vec() } else { request.sources.clone() };
    let summary = session.summary();
    Ok(KeptSearch {
        session_id: summary.session_id,
        breadcrumb: summary.breadcrumb,
        plugin: plugin.to_owned(),
        query: Query { since_unix_ms: since, until_unix_ms: until, ..query(request, sources) },
        order: json!({
            "discover": request.discover,
            "exclude_text": request.exclude,
            "level": request.level,
            "whole_entries": request.summary,
            "utc_offset_minutes": around.utc_offset_minutes,
        }),
        summary: request.summary && !request.discover,
        state: String::new(),
    })
}

fn report(
    host: &Host,
    session: &SessionHandle,
    (search, max_matches): (KeptSearch, u32),
    around: &Surroundings,
    searched: Searched,
) -> Result<SearchReport, OpError> {
    let offset = around.utc_offset_minutes.unwrap_or(0);
    let say = |at: Option<i64>| at.map(|at| moment::say(at, offset));
    let (since, until) = (say(search.query.since_unix_ms), say(search.query.until_unix_ms));
    let (mut matches, mut folded) = (searched.matches, None);
    if search.summary {
        let kinds = usize::try_from(max_matches).unwrap_or(usize::MAX);
        folded = Some(summary::fold(std::mem::take(&mut matches), kinds, offset));
    }
    let mut notes = searched.notes;
    notes.extend(searched.report.notes);
    if around.ahead_ms.is_none() && (since.is_some() || until.is_some()) {
        notes.push("the place did not tell its time: this machine's clock was taken, and UTC".to_owned());
    }
    let discover = search.order["discover"] == true;
    let truncated = searched.stopped_by.is_some() || searched.state.is_some() || !searched.completed;
    let cursor = searched.state.map(|state| keep(host, KeptSearch { state, ..search })).transpose()?;
    Ok(SearchReport {
        session: Some(session.summary()),
        command: searched.command,
        commands: searched.commands,
        matches,
        overview: folded,
        sources: discover.then(|| searched.report.sources.into_iter().map(|source| dated(source, offset)).collect()),
        truncated,
        stopped_by: searched.stopped_by,
        cursor,
        since,
        until,
        zone: moment::zone(offset),
        files: searched.report.files,
        files_done: searched.report.files_done,
        scanned_bytes: searched.report.scanned_bytes,
        exit_code: searched.exit_code,
        completed: searched.completed,
        skipped: searched.report.skipped,
        notes,
    })
}

/// A source of a listing with its times as text, too.
fn dated(mut source: Value, utc_offset_minutes: i32) -> Value {
    for name in ["modified", "first", "last"] {
        if let Some(at) = source[format!("{name}_unix_ms")].as_i64() {
            source[name] = json!(moment::say(at, utc_offset_minutes));
        }
    }
    source
}

fn keep(host: &Host, search: KeptSearch) -> Result<String, OpError> {
    let cursor = format!("search-{}", random::hex(4).map_err(OpError::Random)?);
    host.searches().keep(cursor.clone(), search);
    Ok(cursor)
}

/// What one command of a plan has printed.
struct Ran {
    text: String,
    exit_code: Option<i32>,
    completed: bool,
    /// The end of its output is missing.
    truncated: bool,
    notes: Vec<String>,
}

/// Runs the command of a plan.
async fn run_line(
    host: &Host,
    session: &SessionHandle,
    place: &Place,
    plan: &Plan,
    line: &str,
) -> Result<Ran, OpError> {
    let wait = Duration::from_secs(plan.max_seconds.into()) + EXTRA_WAIT;
    let (completion, text) = execute(host, session, place, line, wait).await?;
    let completed = !completion.outcome.is_open();
    let cut = text.len() as u64 > plan.max_bytes;
    let text = if cut { clipped(&text, plan.max_bytes).to_owned() } else { text };
    let exit_code = exit_code(&completion);
    let mut notes = Vec::new();
    if exit_code.is_some_and(|code| code != 0 && !plan.empty_exit_codes.contains(&code)) {
        notes.push(format!(
            "the command ended with {}; its last lines: {}",
            exit_code.unwrap_or_default(),
            tail(&text)
        ));
    }
    if !completed {
        notes.push("the command did not end in time; it was stopped".to_owned());
    }
    Ok(Ran { text, exit_code, completed, truncated: cut || !completed, notes })
}

/// What the plugin finds in the output of its plan's command, and whether it said that this is enough.
/// `end`: the command's exit code, and whether the end of its output is missing.
pub(crate) async fn read_matches(
    plugin: &LogSearchPlugin,
    query: &Query,
    plan: &Plan,
    text: &str,
    (exit_code, truncated): (Option<i32>, bool),
) -> Result<(Vec<LogMatch>, bool), CallError> {
    let mut reader = plugin.read(query, plan).await?;
    let mut matches = Vec::new();
    for chunk in text.as_bytes().chunks(CHUNK_BYTES) {
        let batch = reader.push(chunk).await?;
        matches.extend(batch.matches);
        if batch.stop {
            return Ok((matches, true));
        }
    }
    let batch = reader.finish(exit_code, truncated).await?;
    matches.extend(batch.matches);
    Ok((matches, batch.stop))
}

pub(crate) fn query(request: &SearchRequest, sources: Vec<String>) -> Query {
    Query {
        text: request.text.clone(),
        mode: match request.mode {
            SearchMode::Literal => MatchMode::Literal,
            SearchMode::Regex => MatchMode::Regex,
            SearchMode::AllWords => MatchMode::AllWords,
        },
        ignore_case: request.ignore_case,
        sources,
        include: request.include.clone(),
        exclude: Vec::new(),
        since_unix_ms: None,
        until_unix_ms: None,
        max_matches: request.max_matches,
        before: request.before,
        after: request.after,
    }
}

/// Which of the wanted programs are there, and what time it is; asked once per level.
async fn probe(
    host: &Host,
    session: &SessionHandle,
    place: &Place,
    wanted: &[String],
) -> Result<Surroundings, OpError> {
    if wanted.is_empty() {
        return Ok(Surroundings::default());
    }
    // `command -v` of some shells looks at its first name only.
    let script = "for n;do command -v \"$n\";done;date \"+@%s %z\"";
    let argv: Vec<&str> = ["sh", "-c", script, "sh"].into_iter().chain(wanted.iter().map(String::as_str)).collect();
    let line = shell::quote(&argv).map_err(|error| OpError::BadArgument(error.to_string()))?;
    let (_, text) = execute(host, session, place, &line, PROBE_WAIT).await?;
    let there = |name: &&String| text.lines().any(|line| line.rsplit('/').next() == Some(name.as_str()));
    let tools = wanted.iter().filter(there).map(|name| Tool { name: name.clone(), version: None }).collect();
    let told = text.lines().rev().find_map(|line| line.trim().strip_prefix('@')?.split_once(' '));
    let (mut ahead_ms, mut utc_offset_minutes) = (None, None);
    if let Some((Ok(seconds), zone)) = told.map(|(seconds, zone)| (seconds.parse::<i64>(), zone)) {
        let own_ms = i64::try_from(clock::unix_ms()).unwrap_or(i64::MAX);
        let ahead = seconds.saturating_mul(1000).saturating_sub(own_ms);
        ahead_ms = Some(if ahead.abs() < CLOCK_GRAIN_MS { 0 } else { ahead });
        utc_offset_minutes = moment::offset(zone);
    }
    let around = Surroundings { tools, ahead_ms, utc_offset_minutes };
    host.searches().remember(session.id().as_str(), session.summary().breadcrumb, around.clone());
    Ok(around)
}

/// Stages as one quoted line.
pub(crate) fn line(plan: &Plan) -> Result<String, OpError> {
    let stages: Result<Vec<String>, _> = plan
        .pipeline
        .iter()
        .map(|stage| shell::quote(&stage.argv.iter().map(String::as_str).collect::<Vec<_>>()))
        .collect();
    let stages = stages.map_err(|error| OpError::BadArgument(error.to_string()))?;
    if stages.is_empty() {
        return Err(OpError::BadArgument("the log search planned nothing to run".to_owned()));
    }
    Ok(stages.join(" | "))
}

async fn execute(
    host: &Host,
    session: &SessionHandle,
    place: &Place,
    line: &str,
    wait: Duration,
) -> Result<(Completion, String), OpError> {
    let action = Action::Run { line: line.to_owned(), delivery: Delivery::LogSearch, opens: None };
    let intent = Intent { actor: Typist::Automation, action, purpose: None };
    let cleared = clear_until(host, session, place, intent, Instant::now() + PERSON_WAIT).await?;
    // The call may be dropped at any moment. The command must not outlive it, so it has a task of its own that
    // sees when nobody waits any more.
    let (_caller, gone) = oneshot::channel::<()>();
    let running = tokio::spawn(supervise(host.clone(), session.clone(), cleared, wait, gone));
    // Only a program that is ending drops it.
    running.await.map_err(|_died| OpError::from(SessionError::Gone))?
}

/// Runs a line until it ends, the time is over or the caller is gone; in both latter cases it is stopped.
async fn supervise(
    host: Host,
    session: SessionHandle,
    cleared: Cleared,
    wait: Duration,
    gone: oneshot::Receiver<()>,
) -> Result<(Completion, String), OpError> {
    let ticket = session.submit(cleared, SubmitOptions::default()).await?;
    let ended = wait_for(&session, ticket.settled, ticket.command_id, wait);
    let ended = tokio::select! {
        ended = ended => Some(ended?),
        _ = gone => None,
    };
    if ended.as_ref().is_none_or(|completion| completion.outcome.is_open()) {
        // It must leave no load behind.
        let request = super::StopRequest {
            session_id: Some(session.id().to_string()),
            job_id: Some(ticket.command_id.to_string()),
            force: true,
        };
        super::stop(&host, request).await?;
    }
    // Nobody hears this.
    let completion = ended.ok_or(SessionError::Gone)?;
    let output = session.read_command(ticket.command_id).await?;
    Ok((completion, output.text.text))
}

fn clipped(text: &str, max_bytes: u64) -> &str {
    let mut end = usize::try_from(max_bytes).unwrap_or(usize::MAX).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(3)..].join(" / ").chars().take(400).collect()
}

pub(crate) fn found(found: LogMatch) -> FoundLine {
    let context = |lines: Vec<LogLine>| lines.into_iter().map(|l| ContextLine { line: l.line, text: l.text }).collect();
    let field = |key: &str| found.fields.iter().find(|field| field.key == key).map(|field| field.value.clone());
    let number = |key: &str| field(key).and_then(|value| value.parse().ok());
    FoundLine {
        counted_from_byte: number("counted-from-byte"),
        event: None,
        matched_line: number("matched-line"),
        not_checked: field("time-window"),
        source: found.source,
        line: found.line,
        unix_ms: found.unix_ms,
        level: found.level,
        text: found.text,
        before: context(found.before),
        after: context(found.after),
    }
}
