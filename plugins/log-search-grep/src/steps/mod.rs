//! A search of several commands: look which files there are, find out which of them and which part of
//! each can hold the time asked for, then read them in the order of time.
//!
//! The contract knows one command per plan. A host that can run several says so by the attribute
//! [`ORDER`] of the endpoint, and gets with each plan what it is for ([`JOB`]) and, as the last match of
//! its output, one without a text whose field [`STATE`] is to be handed back with the next order. A host
//! that does not say so gets the one command of [`crate::plan`].
//!
//! Everything is in the state: no step needs memory, and a state kept by the host is a place to go on from.

mod entry;
mod find;
mod glob;
mod listing;
mod reader;
mod scan;
mod script;
mod sources;
mod state;
#[cfg(test)]
mod tests;

use portcullis_plugin::log_search::{Plan, Query, Remote, Stage};
use portcullis_plugin::{Attribute, PluginError, attribute};
use serde::{Deserialize, Serialize};

use self::script::Toolbox;
use self::state::{Doing, State};
use crate::settings::Settings;

pub(crate) use self::reader::StepReader;

/// Of the endpoint: what a search in steps is to do, as JSON ([`Order`]).
const ORDER: &str = "log-search.order";
/// Of the plan: what its output is read for, as JSON ([`Job`]).
const JOB: &str = "log-search.job";
/// Of the last match of a step: where the search stands, and what the host has to know of it, both JSON.
const STATE: &str = "log-search.state";
const REPORT: &str = "log-search.report";
/// A step of a search still has this long. Seconds.
const LEAST_SECONDS: u32 = 1;

/// What the host asks for besides the query.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Order {
    /// List the sources instead of searching them.
    discover: bool,
    /// Lines with any of these are left out.
    exclude_text: Vec<String>,
    /// The least level.
    level: Option<String>,
    /// An entry of several lines, such as a stack trace, is one match.
    whole_entries: bool,
    /// The zone of times that name none. Minutes east of Greenwich.
    utc_offset_minutes: Option<i32>,
    seconds_left: u32,
    /// The state comes from an earlier search: files may have been rotated since.
    resumed: bool,
    /// What the step before has left.
    #[serde(skip_serializing)]
    state: Option<String>,
}

/// A plan's purpose, for the reader of its output.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Job {
    order: Order,
    state: State,
    doing: Doing,
    /// Stands alone on a line between the parts of the output; no log can know it.
    mark: String,
    /// Programs there that read compressed files.
    decompressors: Vec<String>,
    max_scan_bytes: u64,
}

/// What the host is told after a step.
#[derive(Clone, Debug, Default, Serialize)]
struct Report {
    done: bool,
    /// There may be more: the state is worth keeping.
    more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_by: Option<&'static str>,
    progress: String,
    /// Files that hold no logs.
    skipped: Vec<String>,
    notes: Vec<String>,
    files: usize,
    files_done: usize,
    scanned_bytes: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<sources::Described>,
}

/// The next command, where the host can run several; else none.
pub(crate) fn make(settings: &Settings, query: &Query, remote: &Remote) -> Option<Result<Plan, PluginError>> {
    let order = attribute(&remote.endpoint.attributes, ORDER)?;
    let missing = |name: &&str| !remote.tools.iter().any(|tool| tool.name == **name);
    if !remote.tools.is_empty() && script::NEEDED.iter().any(missing) {
        return None;
    }
    Some(next(settings, query, remote, order))
}

fn next(settings: &Settings, query: &Query, remote: &Remote, order: &str) -> Result<Plan, PluginError> {
    let broken = |error: serde_json::Error| PluginError::InvalidInput(format!("the order of a search: {error}"));
    let mut order: Order = serde_json::from_str(order).map_err(broken)?;
    order.utc_offset_minutes = settings.utc_offset_minutes.or(order.utc_offset_minutes);
    let toolbox = Toolbox::new(remote);
    let now_ms = i64::try_from(remote.now_unix_ms).unwrap_or(i64::MAX);
    let mut state = match &order.state {
        Some(state) => serde_json::from_str(state).map_err(broken)?,
        None => State::start(settings, query)?,
    };
    let doing = state.next(query, &order, &toolbox);
    let seconds = order.seconds_left.clamp(LEAST_SECONDS, settings.max_seconds);
    let mark = format!("@{now_ms:x}");
    let argv = script::argv(&toolbox, settings, query, &order, &state, &doing, (&mark, seconds, now_ms))?;
    let job = Job {
        order,
        state,
        doing,
        mark,
        decompressors: listing::known(&toolbox),
        max_scan_bytes: settings.max_scan_bytes,
    };
    Ok(Plan {
        pipeline: vec![Stage { argv }],
        max_bytes: script::MAX_OUTPUT_BYTES + 64 * 1024,
        max_seconds: seconds,
        // The last program of a pipeline tells nothing of the others.
        empty_exit_codes: (1..256).collect(),
        attributes: vec![Attribute::new(JOB, ascii(&job)?)],
    })
}

/// The reader of a plan made here; none for a plan of one command.
pub(crate) fn read(query: &Query, plan: &Plan) -> Option<Result<StepReader, PluginError>> {
    let job = attribute(&plan.attributes, JOB)?;
    let broken = |error: serde_json::Error| PluginError::InvalidInput(format!("this plan was not made here: {error}"));
    Some(serde_json::from_str(job).map_err(broken).map(|job| StepReader::new(query.clone(), job)))
}

/// JSON without any character that a host would take out of a shown text.
fn ascii(value: &impl Serialize) -> Result<String, PluginError> {
    let json = serde_json::to_string(value).map_err(|error| PluginError::Internal(error.to_string()))?;
    let mut plain = String::with_capacity(json.len());
    for symbol in json.chars() {
        if symbol.is_ascii() && symbol != '\u{7f}' {
            plain.push(symbol);
        } else {
            let mut units = [0; 2];
            symbol.encode_utf16(&mut units).iter().for_each(|unit| plain.push_str(&format!("\\u{unit:04x}")));
        }
    }
    Ok(plain)
}
