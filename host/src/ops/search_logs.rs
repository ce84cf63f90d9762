//! Searching logs at the place the session is in.
//!
//! The plugin plans argv stages with the tools found there, the host quotes them and has the
//! policies judge the line like any other, the output is read back by the plugin in chunks.

use std::time::{Duration, Instant};

use portcullis_sandbox::log_search::{LogLine, LogMatch, MatchMode, Plan, Query, Remote, Tool};
use portcullis_sandbox::policy::Delivery;
use portcullis_sandbox::{CallError, LogSearchPlugin};
use portcullis_shell as shell;
use portcullis_term::{Completion, Typist};
use serde::{Deserialize, Serialize};

use super::run::{exit_code, secret_asked, wait_for};
use super::{OpError, clear_until, destination, find_session, place};
use crate::clock;
use crate::gate::{Action, Intent, Place, endpoint};
use crate::host::Host;
use crate::metrics;
use crate::session::{SessionHandle, SessionSummary, SubmitOptions};

/// Looking for a handful of programs is quick everywhere.
const PROBE_WAIT: Duration = Duration::from_secs(15);
/// How long the call waits for a person whose consent is needed; clients give a call up after a minute.
const PERSON_WAIT: Duration = Duration::from_secs(40);
/// Beyond the plan's own limit, for the way back.
const EXTRA_WAIT: Duration = Duration::from_secs(10);
const CHUNK_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone)]
pub struct SearchRequest {
    pub session_id: Option<String>,
    pub text: String,
    pub mode: SearchMode,
    pub ignore_case: bool,
    /// The profile's sources when empty.
    pub sources: Vec<String>,
    pub include: Vec<String>,
    pub max_matches: u32,
    pub before: u16,
    pub after: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchMode {
    #[default]
    Literal,
    Regex,
    AllWords,
}

#[derive(Debug, Serialize)]
pub struct SearchReport {
    pub session: SessionSummary,
    /// The line that was run.
    pub command: String,
    pub matches: Vec<FoundLine>,
    /// There may be more: a limit was reached or the command did not end in time.
    pub truncated: bool,
    pub exit_code: Option<i32>,
    pub completed: bool,
    pub notes: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct FoundLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    pub text: String,
    pub before: Vec<ContextLine>,
    pub after: Vec<ContextLine>,
}

#[derive(Debug, Serialize)]
pub struct ContextLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    pub text: String,
}

/// Finds lines in logs where the session is.
///
/// # Errors
/// When the plugin cannot plan, a policy refuses the line, or the terminal is not at a prompt.
pub async fn search_logs(host: &Host, request: SearchRequest) -> Result<SearchReport, OpError> {
    let session = find_session(host, request.session_id.as_deref())?;
    let id = session.id().to_string();
    search_in(host, &session, request).await.map_err(|error| error.in_session(&id))
}

async fn search_in(host: &Host, session: &SessionHandle, request: SearchRequest) -> Result<SearchReport, OpError> {
    if request.text.trim().is_empty() {
        return Err(OpError::BadArgument("`query` is empty; give the text to look for".to_owned()));
    }
    let destination = destination(host, session)?;
    let choice = &destination.log_search;
    let failed = |source| OpError::Plugin { plugin: choice.plugin.clone(), source };
    let plugin = host.plugins().current().log_search(&choice.plugin).ok_or_else(|| {
        OpError::BadArgument(format!(
            "the log search `{}` is not loaded; the operator corrects the profile",
            choice.plugin
        ))
    })?;
    let reading = session.read().await?;
    if reading.asks_for_secret {
        return Err(secret_asked(session, &reading.screen));
    }
    let place = place(session, &destination, &reading);
    let sources = if request.sources.is_empty() { choice.sources.clone() } else { request.sources.clone() };
    let query = query(&request, sources);
    let tools = match host.known_tools(session.id().as_str(), &session.summary().breadcrumb) {
        Some(tools) => tools,
        None => probe(host, session, &place, plugin.wanted_tools()).await?,
    };
    let remote = Remote { endpoint: endpoint(&place), tools, now_unix_ms: clock::unix_ms() };
    let asked = Instant::now();
    let plan = plugin.make_plan(&query, &remote).await;
    metrics::plugin_asked(&choice.plugin, asked.elapsed(), plan.is_err());
    let plan = plan.map_err(failed)?;
    let line = line(&plan)?;
    let wait = Duration::from_secs(plan.max_seconds.into()) + EXTRA_WAIT;
    // Looking for the tools was typed there too.
    let place = super::place(session, &destination, &session.position().await?);
    let (completion, text) = execute(host, session, &place, &line, wait).await?;
    let completed = !completion.outcome.is_open();
    let cut = text.len() as u64 > plan.max_bytes;
    let text = if cut { clipped(&text, plan.max_bytes) } else { &text };
    let code = exit_code(&completion);
    let read = read_matches(&plugin, &query, &plan, text, (code, cut || !completed)).await;
    let (matches, stopped) = read.map_err(failed)?;
    let mut notes = Vec::new();
    let expected = code.is_none_or(|code| code == 0 || plan.empty_exit_codes.contains(&code));
    if !expected {
        notes.push(format!("the command ended with {}; its last lines: {}", code.unwrap_or_default(), tail(text)));
    }
    if !completed {
        notes.push("the command did not end in time; it was stopped".to_owned());
    }
    Ok(SearchReport {
        session: session.summary(),
        command: line,
        matches: matches.into_iter().map(found).collect(),
        truncated: cut || stopped || !completed,
        exit_code: code,
        completed,
        notes,
    })
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

/// Which of the wanted programs are there; asked once per level.
async fn probe(host: &Host, session: &SessionHandle, place: &Place, wanted: &[String]) -> Result<Vec<Tool>, OpError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let argv: Vec<&str> = ["command", "-v"].into_iter().chain(wanted.iter().map(String::as_str)).collect();
    let line = shell::quote(&argv).map_err(|error| OpError::BadArgument(error.to_string()))?;
    let (_, text) = execute(host, session, place, &line, PROBE_WAIT).await?;
    let there = |name: &&String| text.lines().any(|line| line.rsplit('/').next() == Some(name.as_str()));
    let tools: Vec<Tool> = wanted.iter().filter(there).map(|name| Tool { name: name.clone(), version: None }).collect();
    host.remember_tools(session.id().as_str(), session.summary().breadcrumb, tools.clone());
    Ok(tools)
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
    let ticket = session.submit(cleared, SubmitOptions::default()).await?;
    let completion = wait_for(session, ticket.settled, ticket.command_id, wait).await?;
    if completion.outcome.is_open() {
        // It must leave no load behind.
        let request = super::StopRequest {
            session_id: Some(session.id().to_string()),
            job_id: Some(ticket.command_id.to_string()),
            force: true,
        };
        super::stop(host, request).await?;
    }
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
    FoundLine {
        source: found.source,
        line: found.line,
        unix_ms: found.unix_ms,
        level: found.level,
        text: found.text,
        before: context(found.before),
        after: context(found.after),
    }
}
