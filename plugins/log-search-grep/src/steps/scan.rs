//! Which files are read next, and with which options of grep.

use portcullis_plugin::PluginError;
use portcullis_plugin::log_search::{MatchMode, Query};

use super::Order;
use super::script::{self, Toolbox, quoted_bytes, scanned};
use super::state::{Doing, File, Kind, State};
use crate::pattern;

/// Lines looked at before and behind a match, to see when it was written and what belongs to it.
const ENTRY_BEFORE: u64 = 25;
const ENTRY_AFTER: u64 = 60;
/// A line is cut there; less where many lines around each match are read.
const MAX_LINE_BYTES: usize = 4_096;
const MAX_ENTRY_LINE_BYTES: usize = 2_048;
/// Bytes read by one step, so that a search can be stopped, and tells how far it is.
const STEP_BYTES: u64 = 256 << 20;
const SLOW_STEP_BYTES: u64 = 32 << 20;
/// Words of levels as they are written, the most severe ones first; a level's own index is in [`LEVELS`].
const LEVEL_WORDS: [&str; 5] = [
    "EMERG|FATAL|PANIC|ALERT|CRIT|^F[0-9]{4} ",
    "SEVERE|ERR|^E[0-9]{4} ",
    "WARN|^W[0-9]{4} ",
    "NOTICE|INFO|^I[0-9]{4} ",
    "DEBUG|FINE|TRACE",
];
pub(super) const LEVELS: [&str; 6] = ["FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/// What is asked of each line.
pub(super) struct Reading<'a> {
    query: &'a Query,
    order: &'a Order,
    found: u32,
}

impl<'a> Reading<'a> {
    pub(super) fn new(query: &'a Query, order: &'a Order, state: &State) -> Self {
        Self { query, order, found: state.found }
    }

    /// Entries are looked at as a whole.
    fn entries(&self) -> bool {
        let query = self.query;
        self.order.whole_entries
            || self.order.level.is_some()
            || query.since_unix_ms.is_some()
            || query.until_unix_ms.is_some()
    }

    /// Lines printed in front of a match.
    pub(super) fn before(&self) -> u64 {
        u64::from(self.query.before).max(if self.entries() { ENTRY_BEFORE } else { 0 })
    }

    pub(super) fn after(&self) -> u64 {
        u64::from(self.query.after).max(if self.order.whole_entries { ENTRY_AFTER } else { 0 })
    }

    /// Lines around a match are printed only to see its entry.
    pub(super) fn for_entries_only(&self) -> bool {
        self.entries() && self.query.before == 0 && self.query.after == 0
    }

    pub(super) fn max_line_bytes(&self) -> usize {
        if self.entries() || self.before() + self.after() > 10 { MAX_ENTRY_LINE_BYTES } else { MAX_LINE_BYTES }
    }

    /// The pattern, and grep with its options.
    pub(super) fn grep(&self) -> Result<(String, String), PluginError> {
        let mut options = String::from("grep -n");
        let (kind, pattern) = if self.query.text.trim().is_empty() {
            match &self.order.level {
                Some(level) => {
                    options.push('i');
                    ("-E", level_words(level)?)
                }
                None => ("-F", String::new()),
            }
        } else {
            let mut arguments = pattern::arguments(self.query)?;
            let pattern = arguments.pop().unwrap_or_default();
            (if self.query.mode == MatchMode::Literal || arguments[0] == "-F" { "-F" } else { "-E" }, pattern)
        };
        if self.query.ignore_case && !options.contains('i') {
            options.push('i');
        }
        options.push_str(&format!(" {kind}"));
        if !self.entries() && self.order.exclude_text.is_empty() {
            // One more shows that there is more.
            options.push_str(&format!(" -m {}", self.query.max_matches.saturating_sub(self.found) + 1));
        }
        for (option, count) in [("-B", self.before()), ("-A", self.after())] {
            if count > 0 {
                options.push_str(&format!(" {option} {count}"));
            }
        }
        Ok((pattern, options))
    }
}

/// An expression for this level and all that are more severe.
fn level_words(level: &str) -> Result<String, PluginError> {
    let index = severity(level).ok_or_else(|| {
        PluginError::InvalidInput(format!("the level {level:?} is none of {}", LEVELS.join(", ").to_lowercase()))
    })?;
    Ok(LEVEL_WORDS[..=index.min(LEVEL_WORDS.len() - 1)].join("|"))
}

/// Where a level stands among [`LEVELS`].
pub(super) fn severity(level: &str) -> Option<usize> {
    LEVELS.iter().position(|known| known.eq_ignore_ascii_case(level))
}

/// The next files that can be read by one command.
pub(super) fn next(state: &mut State, query: &Query, order: &Order, toolbox: &Toolbox) -> Doing {
    let Some(first) = state.files.get(state.at) else { return Doing::Scan(Vec::new()) };
    let mut room = script::room_for_files(&Reading::new(query, order, state), toolbox, first);
    let step_bytes = if state.gnu { STEP_BYTES } else { SLOW_STEP_BYTES };
    let mut bytes = 0;
    let mut files: Vec<usize> = Vec::new();
    for (index, file) in state.files.iter().enumerate().skip(state.at) {
        let name = quoted_bytes(&scanned(file));
        let length = if file.kind == Kind::Plain { file.length() } else { file.size.saturating_mul(8) };
        if let Some(first) = files.first()
            && (!alike(&state.files[*first], file) || name > room || bytes + length > step_bytes)
        {
            break;
        }
        files.push(index);
        room = room.saturating_sub(name);
        bytes += length;
    }
    Doing::Scan(files)
}

/// Whether two files can be read by the same script.
fn alike(one: &File, other: &File) -> bool {
    one.kind == other.kind
        && one.kind.printer().is_none()
        && one.line == 1
        && other.line == 1
        && one.is_whole() == other.is_whole()
}
