//! A log search given one query, and the output of the command it planned.

use portcullis_sandbox::log_search::{Plan, Query, Remote, Tool};
use portcullis_sandbox::policy::TerminalState;
use portcullis_sandbox::{CallError, LogSearchPlugin};
use serde::Serialize;

use super::KitError;
use super::place::{PlaceInput, ShellName, place};
use crate::clock;
use crate::config::PolicyMode;
use crate::gate::endpoint;
use crate::ops::search_logs::{self, FoundLine, SearchMode, SearchRequest};

/// What is searched, and what the command is supposed to have printed.
#[derive(Debug, Clone)]
pub struct SearchInput {
    pub query: String,
    pub mode: SearchMode,
    pub ignore_case: bool,
    pub sources: Vec<String>,
    /// File name patterns to take.
    pub include: Vec<String>,
    pub max_matches: u32,
    pub before: u16,
    pub after: u16,
    /// Programs found at the place; those it wants when none.
    pub tools: Option<Vec<String>>,
    pub output: Option<String>,
    pub exit_code: Option<i32>,
    pub shell: ShellName,
    pub place: PlaceInput,
    /// Milliseconds since 1970; now when none.
    pub now_unix_ms: Option<u64>,
}

/// The plan, and what was read.
#[derive(Debug, Serialize)]
pub struct SearchAnswer {
    /// One argv per stage of the pipeline.
    pub stages: Vec<Vec<String>>,
    /// The line a host would have judged and run.
    pub line: String,
    pub max_bytes: u64,
    pub max_seconds: u32,
    pub empty_exit_codes: Vec<i32>,
    /// None where there was no output to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matches: Option<Vec<FoundLine>>,
    /// It said that it has enough.
    pub stopped: bool,
}

/// Plans, and reads the output where there is one.
///
/// # Errors
/// When the plugin cannot plan or read, or plans what no shell can be given.
pub(super) async fn ask(plugin: &LogSearchPlugin, input: &SearchInput) -> Result<SearchAnswer, KitError> {
    let failed = |source: CallError| KitError::Call { plugin: plugin.info().name, source };
    let (query, remote) = (input.query(), input.remote(plugin));
    let plan = plugin.make_plan(&query, &remote).await.map_err(failed)?;
    let line = search_logs::line(&plan).map_err(|error| unusable(plugin, &error.to_string()))?;
    let mut answer = answer(&plan, line);
    if let Some(output) = &input.output {
        let read = search_logs::read_matches(plugin, &query, &plan, output, (input.exit_code, false)).await;
        let (matches, stopped) = read.map_err(failed)?;
        answer.matches = Some(matches.into_iter().map(search_logs::found).collect());
        answer.stopped = stopped;
    }
    Ok(answer)
}

fn unusable(plugin: &LogSearchPlugin, reason: &str) -> KitError {
    KitError::NoAnswer { plugin: plugin.info().name, reason: reason.to_owned() }
}

fn answer(plan: &Plan, line: String) -> SearchAnswer {
    SearchAnswer {
        stages: plan.pipeline.iter().map(|stage| stage.argv.clone()).collect(),
        line,
        max_bytes: plan.max_bytes,
        max_seconds: plan.max_seconds,
        empty_exit_codes: plan.empty_exit_codes.clone(),
        matches: None,
        stopped: false,
    }
}

impl SearchInput {
    fn query(&self) -> Query {
        let request = SearchRequest {
            text: self.query.clone(),
            mode: self.mode,
            ignore_case: self.ignore_case,
            sources: self.sources.clone(),
            include: self.include.clone(),
            max_matches: self.max_matches,
            before: self.before,
            after: self.after,
            ..SearchRequest::default()
        };
        search_logs::query(&request, self.sources.clone())
    }

    fn remote(&self, plugin: &LogSearchPlugin) -> Remote {
        let place = place(&self.place, self.shell, PolicyMode::Safe, TerminalState::AtPrompt);
        let names = self.tools.clone().unwrap_or_else(|| plugin.wanted_tools().to_vec());
        Remote {
            endpoint: endpoint(&place),
            tools: names.into_iter().map(|name| Tool { name, version: None }).collect(),
            now_unix_ms: self.now_unix_ms.unwrap_or_else(clock::unix_ms),
        }
    }
}
