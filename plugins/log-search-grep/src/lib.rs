//! Log search with `find` and `grep`, as GNU and BusyBox both have them.
//!
//! The plan is one `find … -exec grep … {} +`, so it needs neither a shell nor options BusyBox
//! lacks. The reader takes grep's `file:line:text` apart, also with context lines.
//!
//! Limits: compressed files are left out by the default settings, files that grep takes for
//! binary always; of names like `a:12:b` the first number is taken for the line; a time is given
//! only where the line or the settings name a zone.

mod complaint;
mod groups;
mod level;
mod locate;
mod pattern;
mod plan;
mod reader;
mod settings;
mod sources;
#[cfg(test)]
mod tests;
mod time;

use portcullis_plugin::log_search::{LogSearch, Plan, Query, Remote};
use portcullis_plugin::{ConfigDiagnostic, PluginError};

use crate::reader::GrepReader;
use crate::settings::Settings;

/// The search.
pub struct Grep;

impl LogSearch for Grep {
    type Reader = GrepReader;

    fn validate_config(config: &str) -> Vec<ConfigDiagnostic> {
        Settings::read(config).err().unwrap_or_default()
    }

    fn wanted_tools() -> Vec<String> {
        ["find", "grep", "timeout", "nice"].map(str::to_owned).to_vec()
    }

    fn make_plan(config: &str, query: &Query, remote: &Remote) -> Result<Plan, PluginError> {
        let settings = Settings::read(config).map_err(|wrong| portcullis_plugin::config::error(&wrong))?;
        plan::make(&settings, query, remote)
    }

    fn read(query: Query, plan: Plan) -> Result<GrepReader, PluginError> {
        GrepReader::new(&query, &plan)
    }
}

portcullis_plugin::log_search!(Grep);
