//! The operator's settings: where logs are, and how much a search may cost.

use portcullis_plugin::ConfigDiagnostic;
use portcullis_plugin::config::{self, diagnostic};
use serde::Deserialize;

use crate::{plan, sources};

/// A zone is at most 14 hours off, in either direction. Minutes.
const MAX_OFFSET_MINUTES: i32 = 14 * 60;

/// As written by the operator, all optional.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Searched when a query names none; one that is missing does no harm then.
    pub(crate) sources: Vec<String>,
    /// File name patterns left out besides those of the query; what cannot be read when none are given.
    pub(crate) exclude: Option<Vec<String>>,
    #[serde(skip)]
    pub(crate) unreadable: Vec<String>,
    /// Follow symbolic links below a source, as in `/var/log/containers`.
    pub(crate) follow_links: bool,
    /// Matches that one query may ask for.
    pub(crate) max_matches: u32,
    pub(crate) max_bytes: u64,
    pub(crate) max_seconds: u32,
    /// Bytes of files that a search of several steps reads before it stops and says so.
    pub(crate) max_scan_bytes: u64,
    /// The zone of times that name none. Minutes east of Greenwich.
    pub(crate) utc_offset_minutes: Option<i32>,
}

impl Default for Settings {
    fn default() -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            sources: texts(&["var/log", "/var/log"]),
            exclude: None,
            unreadable: texts(&["*.zip", "*.journal", "*.journal~"]),
            follow_links: false,
            max_matches: 2_000,
            max_bytes: 2 << 20,
            max_seconds: 30,
            max_scan_bytes: 16 << 30,
            utc_offset_minutes: None,
        }
    }
}

impl Settings {
    /// Reads and checks the settings; the error lists everything that is wrong.
    pub(crate) fn read(config: &str) -> Result<Self, Vec<ConfigDiagnostic>> {
        let settings: Self = config::parse(config).map_err(|wrong| vec![wrong])?;
        let wrong = settings.problems();
        if wrong.is_empty() { Ok(settings) } else { Err(wrong) }
    }

    fn problems(&self) -> Vec<ConfigDiagnostic> {
        let mut wrong = Vec::new();
        if self.sources.is_empty() {
            wrong.push(diagnostic("sources", "name at least one folder or file"));
        }
        for (index, source) in self.sources.iter().enumerate() {
            if let Err(reason) = sources::check(source) {
                wrong.push(diagnostic(&format!("sources[{index}]"), reason));
            }
        }
        for (index, pattern) in self.exclude.iter().flatten().enumerate() {
            if let Err(reason) = plan::check_name_pattern(pattern) {
                wrong.push(diagnostic(&format!("exclude[{index}]"), reason));
            }
        }
        let mut within = |path: &str, value: u64, low: u64, high: u64| {
            if !(low..=high).contains(&value) {
                wrong.push(diagnostic(path, format!("{value} is not between {low} and {high}")));
            }
        };
        within("max_matches", self.max_matches.into(), 1, 100_000);
        within("max_bytes", self.max_bytes, 4 << 10, 64 << 20);
        within("max_scan_bytes", self.max_scan_bytes, 1 << 20, 1 << 50);
        within("max_seconds", self.max_seconds.into(), 1, 600);
        if let Some(offset) = self.utc_offset_minutes
            && offset.abs() > MAX_OFFSET_MINUTES
        {
            let message = format!("{offset} is not between -{MAX_OFFSET_MINUTES} and {MAX_OFFSET_MINUTES} minutes");
            wrong.push(diagnostic("utc_offset_minutes", message));
        }
        wrong
    }
}
