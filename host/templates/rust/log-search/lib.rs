//! A log search with `grep -r`, for places that have nothing else.
//!
//! Settings: `sources`, searched when a query names none.

use portcullis_plugin::lines::{Line, Lines};
use portcullis_plugin::log_search::{Batch, LogMatch, LogSearch, MatchMode, Plan, Query, Reader, Remote, Stage};
use portcullis_plugin::{ConfigDiagnostic, PluginError, config};
use serde::Deserialize;

/// More output than this is not asked for. Bytes.
const MAX_BYTES: u64 = 4 << 20;
/// Longest run of the command. Seconds.
const MAX_SECONDS: u32 = 30;
/// What grep ends with when nothing was found.
const NOTHING_FOUND: i32 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    sources: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { sources: vec!["/var/log".to_owned()] }
    }
}

struct Grep;

impl LogSearch for Grep {
    type Reader = Reading;

    fn validate_config(settings: &str) -> Vec<ConfigDiagnostic> {
        config::parse::<Settings>(settings).err().into_iter().collect()
    }

    fn wanted_tools() -> Vec<String> {
        vec!["grep".to_owned()]
    }

    /// Words, never shell text: the host quotes them and has the policies judge the line.
    fn make_plan(settings: &str, query: &Query, remote: &Remote) -> Result<Plan, PluginError> {
        let settings: Settings = config::parse(settings).map_err(|wrong| config::error(&[wrong]))?;
        if !remote.tools.iter().any(|tool| tool.name == "grep") {
            return Err(PluginError::Unsupported("there is no grep at this place".to_owned()));
        }
        let pattern = match query.mode {
            MatchMode::Literal => "-F",
            MatchMode::Regex => "-E",
            MatchMode::AllWords => return Err(PluginError::Unsupported("all_words; search for one text".to_owned())),
        };
        let mut argv: Vec<String> = ["grep", "-rnHI", pattern].map(str::to_owned).to_vec();
        if query.ignore_case {
            argv.push("-i".to_owned());
        }
        argv.extend(["-m".to_owned(), query.max_matches.to_string(), "-e".to_owned(), query.text.clone()]);
        argv.extend(query.include.iter().map(|pattern| format!("--include={pattern}")));
        // Behind `--` no name is taken for an option.
        argv.push("--".to_owned());
        argv.extend(if query.sources.is_empty() { settings.sources } else { query.sources.clone() });
        Ok(Plan {
            pipeline: vec![Stage { argv }],
            max_bytes: MAX_BYTES,
            max_seconds: MAX_SECONDS,
            empty_exit_codes: vec![NOTHING_FOUND],
            attributes: Vec::new(),
        })
    }

    fn read(query: Query, _plan: Plan) -> Result<Reading, PluginError> {
        Ok(Reading { lines: Lines::default(), left: query.max_matches })
    }
}

struct Reading {
    lines: Lines,
    /// Matches that are still wanted.
    left: u32,
}

impl Reader for Reading {
    fn push(&mut self, chunk: &[u8]) -> Result<Batch, PluginError> {
        let mut found = Vec::new();
        self.lines.push(chunk, |line| found.extend(read(&line)));
        Ok(self.batch(found))
    }

    fn finish(&mut self, _exit_code: Option<i32>, _truncated: bool) -> Result<Batch, PluginError> {
        let mut found = Vec::new();
        self.lines.finish(|line| found.extend(read(&line)));
        Ok(self.batch(found))
    }
}

impl Reading {
    fn batch(&mut self, mut matches: Vec<LogMatch>) -> Batch {
        matches.truncate(self.left as usize);
        self.left -= u32::try_from(matches.len()).unwrap_or(self.left);
        Batch { matches, stop: self.left == 0 }
    }
}

/// `FILE:NUMBER:TEXT`; other lines are complaints of grep's.
fn read(line: &Line<'_>) -> Option<LogMatch> {
    let (source, rest) = line.text.split_once(':')?;
    let (number, text) = rest.split_once(':')?;
    Some(LogMatch {
        source: Some(source.to_owned()),
        line: Some(number.parse().ok()?),
        unix_ms: None,
        level: None,
        text: text.to_owned(),
        before: Vec::new(),
        after: Vec::new(),
        fields: Vec::new(),
    })
}

portcullis_plugin::log_search!(Grep);
