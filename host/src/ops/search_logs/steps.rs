//! A search of several commands: the plugin plans one, its output is read, and what the plugin makes of it goes
//! into the next plan. The attributes are those that `docs/plugins.md` describes; a plugin that knows nothing of
//! them has one command, which is all then.

use std::time::{Duration, Instant};

use portcullis_sandbox::LogSearchPlugin;
use portcullis_sandbox::common::Attribute;
use portcullis_sandbox::log_search::{LogMatch, Plan, Query, Remote};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{FoundLine, SearchError, found, line, read_matches, run_line};
use crate::clock;
use crate::gate::{Place, endpoint};
use crate::host::Host;
use crate::metrics;
use crate::ops::{OpError, Progress};
use crate::searches::Surroundings;
use crate::session::SessionHandle;

/// Of the endpoint, for the plugin.
const ORDER: &str = "log-search.order";
/// Of a plan that is a step.
const JOB: &str = "log-search.job";
/// Of the last match of a step.
const STATE: &str = "log-search.state";
const REPORT: &str = "log-search.report";
/// Clients give a call up after a minute.
pub(super) const SEARCH_TIME: Duration = Duration::from_secs(40);
/// A summary looks at that many matches.
pub(super) const MAX_SUMMED: usize = 20_000;
const MAX_STEPS: usize = 1_000;

/// What a step reports.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StepReport {
    done: bool,
    more: bool,
    stopped_by: Option<String>,
    progress: String,
    pub(super) skipped: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) files: usize,
    pub(super) files_done: usize,
    pub(super) scanned_bytes: u64,
    pub(super) sources: Vec<Value>,
}

/// What a search has come to.
#[derive(Debug, Default)]
pub(super) struct Searched {
    pub(super) matches: Vec<FoundLine>,
    pub(super) report: StepReport,
    /// Where to go on, when there may be more.
    pub(super) state: Option<String>,
    pub(super) stopped_by: Option<String>,
    /// The last line that was run, and how many there were.
    pub(super) command: String,
    pub(super) commands: usize,
    pub(super) exit_code: Option<i32>,
    pub(super) completed: bool,
    pub(super) notes: Vec<String>,
}

/// One search under way.
pub(super) struct Steps<'a> {
    pub(super) host: &'a Host,
    pub(super) session: &'a SessionHandle,
    pub(super) plugin: &'a LogSearchPlugin,
    pub(super) query: &'a Query,
    pub(super) order: Value,
    pub(super) around: Surroundings,
    /// Goes on where a limit was reached, up to a limit of its own.
    pub(super) summary: bool,
    pub(super) progress: &'a Progress,
}

impl Steps<'_> {
    /// Runs commands until all is found, a limit is reached or the time is over.
    pub(super) async fn run(mut self, mut state: Option<String>) -> Result<Searched, SearchError> {
        let until = Instant::now() + SEARCH_TIME;
        let mut searched = Searched { completed: true, ..Searched::default() };
        self.order["resumed"] = json!(state.is_some());
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let place = self.place().await?;
            let plan = self.plan(&place, state.as_deref(), left).await?;
            searched.command = line(&plan)?;
            searched.commands += 1;
            let is_step = plan.attributes.iter().any(|attribute| attribute.key == JOB);
            let last = self.step(&place, &plan, &mut searched).await?;
            let Some((next, report)) = last.filter(|_| is_step) else { return Ok(searched) };
            self.progress.tell(searched.commands, &report.progress);
            let limit = report.stopped_by.as_deref() == Some("matches");
            let goes_on = if report.done {
                report.more && limit && self.summary && searched.matches.len() < MAX_SUMMED
            } else {
                true
            };
            let late = goes_on && (until <= Instant::now() || searched.commands >= MAX_STEPS || !searched.completed);
            searched.stopped_by = if late { Some("time".to_owned()) } else { report.stopped_by.clone() };
            let more = report.more || late;
            searched.report = report;
            if !goes_on || late {
                searched.state = more.then_some(next);
                return Ok(searched);
            }
            self.order["resumed"] = json!(false);
            state = Some(next);
        }
    }

    /// Each line that is typed may change what the gate has to know.
    async fn place(&self) -> Result<Place, OpError> {
        let destination = crate::ops::destination(self.host, self.session)?;
        Ok(crate::ops::place(self.session, &destination, &self.session.position().await?))
    }

    async fn plan(&mut self, place: &Place, state: Option<&str>, left: Duration) -> Result<Plan, SearchError> {
        self.order["seconds_left"] = json!(left.as_secs().max(1));
        self.order["state"] = json!(state);
        let mut endpoint = endpoint(place);
        endpoint.attributes.push(Attribute { key: ORDER.to_owned(), value: self.order.to_string() });
        let now_ms = clock::unix_ms().saturating_add_signed(self.around.ahead_ms.unwrap_or(0));
        let remote = Remote { endpoint, tools: self.around.tools.clone(), now_unix_ms: now_ms };
        let asked = Instant::now();
        let plan = self.plugin.make_plan(self.query, &remote).await;
        metrics::plugin_asked(&self.plugin.info().name, asked.elapsed(), plan.is_err());
        let plan = plan.map_err(SearchError::Plugin)?;
        if plan.attributes.iter().any(|attribute| attribute.key == JOB) || self.is_simple() {
            return Ok(plan);
        }
        Err(SearchError::Operation(OpError::BadArgument(
            "this log search runs one command per call: leave out `discover`, `exclude`, `level` and `cursor`"
                .to_owned(),
        )))
    }

    /// Nothing is asked for that only a search in steps can do.
    fn is_simple(&self) -> bool {
        self.order["discover"] != true
            && self.order["level"].is_null()
            && self.order["exclude_text"].as_array().is_none_or(Vec::is_empty)
            && self.order["state"].is_null()
    }

    /// Runs one command and reads it; gives the state and the report it ends with, if it is a step.
    async fn step(
        &self,
        place: &Place,
        plan: &Plan,
        searched: &mut Searched,
    ) -> Result<Option<(String, StepReport)>, SearchError> {
        let ran = run_line(self.host, self.session, place, plan, &searched.command).await?;
        (searched.exit_code, searched.completed) = (ran.exit_code, ran.completed);
        searched.notes.extend(ran.notes);
        let end = (ran.exit_code, ran.truncated);
        let read = read_matches(self.plugin, self.query, plan, &ran.text, end).await;
        let (mut matches, stopped) = read.map_err(SearchError::Plugin)?;
        let last = matches.last().and_then(told);
        if last.is_some() {
            matches.pop();
        } else if ran.truncated || stopped {
            searched.stopped_by = Some(if stopped { "matches" } else { "bytes" }.to_owned());
        }
        searched.matches.extend(matches.into_iter().map(found));
        Ok(last)
    }
}

/// The state and the report, of the match that is none.
fn told(last: &LogMatch) -> Option<(String, StepReport)> {
    let value = |key: &str| last.fields.iter().find(|field| field.key == key).map(|field| field.value.as_str());
    let report = serde_json::from_str(value(REPORT)?).ok()?;
    Some((value(STATE)?.to_owned(), report))
}
