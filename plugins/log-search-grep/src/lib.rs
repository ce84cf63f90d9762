//! Log search with `find` and `grep`, as GNU and BusyBox both have them.
//!
//! For a host that runs one command per search the plan is one `find … -exec grep … {} +`, so it needs
//! neither a shell nor options BusyBox lacks. The reader takes grep's `file:line:text` apart, also with
//! context lines. For a host that can run several there is [`steps`]: files in the order of time, compressed
//! ones too, time windows, listings, and a place to go on from.
//!
//! Limits of the one command: compressed files are left out by the default settings, files that grep takes
//! for binary always; of names like `a:12:b` the first number is taken for the line; a time is given only
//! where the line or the settings name a zone.

mod complaint;
mod groups;
mod level;
mod locate;
mod pattern;
mod plan;
mod reader;
mod settings;
mod sources;
mod steps;
#[cfg(test)]
mod tests;
mod time;

use portcullis_plugin::log_search::{Batch, LogSearch, Plan, Query, Reader, Remote};
use portcullis_plugin::{ConfigDiagnostic, PluginError};

use crate::reader::GrepReader;
use crate::settings::Settings;
use crate::steps::StepReader;

/// The search.
pub struct Grep;

impl LogSearch for Grep {
    type Reader = LogReader;

    fn validate_config(config: &str) -> Vec<ConfigDiagnostic> {
        Settings::read(config).err().unwrap_or_default()
    }

    fn wanted_tools() -> Vec<String> {
        let bounds = ["timeout", "nice", "ionice"];
        let programs =
            ["find", "grep", "stat", "head", "tail", "cut", "tr", "awk", "zcat", "xzcat", "zstdcat", "bzcat"];
        bounds.into_iter().chain(programs).map(str::to_owned).collect()
    }

    fn make_plan(config: &str, query: &Query, remote: &Remote) -> Result<Plan, PluginError> {
        let settings = Settings::read(config).map_err(|wrong| portcullis_plugin::config::error(&wrong))?;
        steps::make(&settings, query, remote).unwrap_or_else(|| plan::make(&settings, query, remote))
    }

    fn read(query: Query, plan: Plan) -> Result<LogReader, PluginError> {
        match steps::read(&query, &plan) {
            Some(reader) => Ok(LogReader::Step(Box::new(reader?))),
            None => Ok(LogReader::Grep(Box::new(GrepReader::new(&query, &plan)?))),
        }
    }
}

/// The output of a whole search, or of one of its steps.
#[derive(Debug)]
pub enum LogReader {
    Grep(Box<GrepReader>),
    Step(Box<StepReader>),
}

impl Reader for LogReader {
    fn push(&mut self, chunk: &[u8]) -> Result<Batch, PluginError> {
        match self {
            Self::Grep(reader) => reader.push(chunk),
            Self::Step(reader) => reader.push(chunk),
        }
    }

    fn finish(&mut self, exit_code: Option<i32>, truncated: bool) -> Result<Batch, PluginError> {
        match self {
            Self::Grep(reader) => reader.finish(exit_code, truncated),
            Self::Step(reader) => reader.finish(exit_code, truncated),
        }
    }
}

portcullis_plugin::log_search!(Grep);
