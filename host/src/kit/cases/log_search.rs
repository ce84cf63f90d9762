//! Cases of a log search.

use std::path::{Path, PathBuf};

use portcullis_sandbox::LogSearchPlugin;
use serde::Deserialize;
use serde_json::json;

use super::{KitError, Outcome, json, output};
use crate::kit::compare::{Extent, differences};
use crate::kit::log_search::{SearchInput, ask};
use crate::kit::place::{PlaceInput, ShellName};
use crate::ops::SearchMode;

/// As many as `ssh_search_logs` asks for by itself.
const DEFAULT_MATCHES: u32 = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    query: String,
    #[serde(default)]
    mode: SearchMode,
    #[serde(default)]
    ignore_case: bool,
    #[serde(default)]
    sources: Vec<String>,
    #[serde(default)]
    include: Vec<String>,
    #[serde(default = "default_matches")]
    max_matches: u32,
    #[serde(default)]
    before: u16,
    #[serde(default)]
    after: u16,
    /// Programs that are there; all it wants when left out.
    tools: Option<Vec<String>>,
    output: Option<String>,
    output_file: Option<PathBuf>,
    #[serde(default)]
    exit_code: i32,
    #[serde(default)]
    shell: ShellName,
    #[serde(default)]
    place: PlaceInput,
    now_unix_ms: Option<u64>,
    /// The argv of every stage.
    stages: Option<Vec<Vec<String>>>,
    /// All matches in order; of each only the keys that are given.
    matches: Option<Vec<toml::Value>>,
    /// Part of the reason why nothing is searched.
    refused: Option<String>,
}

fn default_matches() -> u32 {
    DEFAULT_MATCHES
}

pub(super) async fn run(plugin: &LogSearchPlugin, case: Case, folder: &Path) -> Outcome {
    if case.stages.is_none() && case.matches.is_none() && case.refused.is_none() {
        return Err(KitError::input("it expects nothing", "give `stages`, `matches` or `refused`"));
    }
    let output = output(case.output, case.output_file, folder)?;
    if output.is_some() != case.matches.is_some() {
        return Err(KitError::input("`matches` and an output belong together", "give both or neither"));
    }
    let input = SearchInput {
        query: case.query,
        mode: case.mode,
        ignore_case: case.ignore_case,
        sources: case.sources,
        include: case.include,
        max_matches: case.max_matches,
        before: case.before,
        after: case.after,
        tools: case.tools,
        output,
        exit_code: Some(case.exit_code),
        shell: case.shell,
        place: case.place,
        now_unix_ms: case.now_unix_ms,
    };
    let answer = match (ask(plugin, &input).await, &case.refused) {
        (Ok(answer), None) => answer,
        (Err(error), None) => return Err(error),
        (Ok(answer), Some(_)) => return Ok(vec![format!("it was not refused; the line is `{}`", answer.line)]),
        (Err(KitError::Call { source, .. }), Some(part)) if source.to_string().contains(part.as_str()) => {
            return Ok(Vec::new());
        }
        (Err(error), Some(_)) => return Err(error),
    };
    let mut lines = Vec::new();
    if let Some(stages) = &case.stages {
        lines.extend(differences("stages", &json!(stages), &json!(answer.stages), Extent::Whole));
    }
    if let (Some(expected), Some(matches)) = (&case.matches, &answer.matches) {
        lines.extend(differences("matches", &json(expected)?, &json!(matches), Extent::Part));
    }
    Ok(lines)
}
