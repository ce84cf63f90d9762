//! What is remembered of log searches: the programs and the clock of a place, and where a search ended that
//! may be gone on with. Owned by the host; the operation reads and writes it. No task, no file.

use std::collections::{HashMap, VecDeque};

use portcullis_sandbox::log_search::{Query, Tool};
use serde_json::Value;

/// Searches kept to be gone on with; the oldest is dropped.
const MAX_KEPT: usize = 32;

/// The programs and the clock of a place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    pub(crate) tools: Vec<Tool>,
    /// What its clock is ahead of this machine's; none when it did not tell the time.
    pub(crate) ahead_ms: Option<i64>,
    /// Its zone now. Minutes east of Greenwich.
    pub(crate) utc_offset_minutes: Option<i32>,
}

/// A search that ended at a limit.
#[derive(Debug, Clone)]
pub(crate) struct KeptSearch {
    pub(crate) session_id: String,
    pub(crate) breadcrumb: Vec<String>,
    pub(crate) plugin: String,
    pub(crate) query: Query,
    /// What the plugin was asked for besides the query, as JSON.
    pub(crate) order: Value,
    pub(crate) summary: bool,
    /// The plugin's own account of where it stands.
    pub(crate) state: String,
}

/// A session's id and its breadcrumb.
type SessionPlace = (String, Vec<String>);

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Searches {
    places: HashMap<SessionPlace, Surroundings>,
    kept: VecDeque<(String, KeptSearch)>,
}

impl Searches {
    pub(crate) fn surroundings(&self, session_id: &str, breadcrumb: &[String]) -> Option<Surroundings> {
        self.places.get(&(session_id.to_owned(), breadcrumb.to_vec())).cloned()
    }

    pub(crate) fn remember(&mut self, session_id: &str, breadcrumb: Vec<String>, found: Surroundings) {
        self.places.insert((session_id.to_owned(), breadcrumb), found);
    }

    /// The search that ended with this cursor. It stays: asking again gives the same again.
    pub(crate) fn kept(&self, cursor: &str) -> Option<KeptSearch> {
        self.kept.iter().find(|(name, _)| name == cursor).map(|(_, search)| search.clone())
    }

    pub(crate) fn keep(&mut self, cursor: String, search: KeptSearch) {
        if self.kept.len() == MAX_KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((cursor, search));
    }
}
