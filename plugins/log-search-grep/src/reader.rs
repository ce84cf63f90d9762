//! Reads grep's output into matches with their context.

use std::collections::{HashSet, VecDeque};

use portcullis_plugin::log_search::{Batch, LogLine, LogMatch, Plan, Query, Reader};
use portcullis_plugin::{Attribute, Lines, PluginError, log};

use crate::complaint::Complaints;
use crate::groups::{Groups, Located, Outcome};
use crate::plan::Made;
use crate::{level, time};

/// A longer line is cut; the match says so. Bytes.
const MAX_LINE_BYTES: usize = 16 * 1024;
/// Behind the end of a line that was cut.
const CUT_MARK: &str = "…";

/// The output of one search being read.
#[derive(Debug)]
pub struct GrepReader {
    lines: Lines,
    groups: Groups,
    matches: Matches,
    complaints: Complaints,
    sources: Vec<String>,
    default_sources: bool,
}

/// The matches so far.
#[derive(Debug)]
struct Matches {
    max_matches: u32,
    before: usize,
    after: usize,
    window: (Option<i64>, Option<i64>),
    utc_offset_minutes: Option<i32>,
    /// The last lines of the group, for the next match.
    recent: VecDeque<LogLine>,
    /// Matches that still wait for lines behind them.
    open: VecDeque<LogMatch>,
    done: Vec<LogMatch>,
    /// Path, number and text of every match: sources may overlap, as `var/log` and `/var/log` do
    /// in the root folder. Never more than `max_matches`.
    seen: HashSet<(String, u64, String)>,
    found: u32,
}

impl GrepReader {
    pub(crate) fn new(query: &Query, plan: &Plan) -> Result<Self, PluginError> {
        let made = Made::read(plan)?;
        let matches = Matches {
            max_matches: query.max_matches,
            before: query.before.into(),
            after: query.after.into(),
            window: (query.since_unix_ms, query.until_unix_ms),
            utc_offset_minutes: made.utc_offset_minutes,
            recent: VecDeque::new(),
            open: VecDeque::new(),
            done: Vec::new(),
            seen: HashSet::new(),
            found: 0,
        };
        Ok(Self {
            lines: Lines::bounded(MAX_LINE_BYTES),
            groups: Groups::new(made.sources.clone(), query.before > 0 || query.after > 0),
            matches,
            complaints: Complaints::default(),
            sources: made.sources,
            default_sources: made.default_sources,
        })
    }

    fn batch(&mut self) -> Batch {
        Batch {
            matches: std::mem::take(&mut self.matches.done),
            stop: self.matches.is_full() && self.matches.open.is_empty(),
        }
    }
}

impl Reader for GrepReader {
    fn push(&mut self, chunk: &[u8]) -> Result<Batch, PluginError> {
        let Self { lines, groups, matches, complaints, .. } = self;
        lines.push(chunk, |line| {
            let text = plain(&line.text, line.cut);
            groups.line(&text, &mut |outcome| matches.take(outcome, complaints));
        });
        Ok(self.batch())
    }

    fn finish(&mut self, _exit_code: Option<i32>, truncated: bool) -> Result<Batch, PluginError> {
        let Self { lines, groups, matches, complaints, .. } = self;
        lines.finish(|line| {
            let text = plain(&line.text, line.cut || truncated);
            groups.line(&text, &mut |outcome| matches.take(outcome, complaints));
        });
        groups.finish(&mut |outcome| matches.take(outcome, complaints));
        matches.close();
        // "No match" would be a lie if the search itself did not work.
        if matches.found == 0
            && !self.default_sources
            && let Some(message) = self.complaints.fatal(&self.sources)
        {
            return Err(PluginError::InvalidInput(format!("the search did not work: {message}")));
        }
        Ok(self.batch())
    }
}

/// Without control characters and colours, which a hostile log may have and `grep` may add.
pub(crate) fn plain(line: &str, cut: bool) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut symbols = line.chars().peekable();
    while let Some(symbol) = symbols.next() {
        if symbol == '\u{1b}' {
            if symbols.next_if_eq(&'[').is_some() {
                // Up to the final letter; parameters are digits and punctuation.
                while symbols.next_if(|symbol| ('\u{20}'..='\u{3f}').contains(symbol)).is_some() {}
                symbols.next_if(|symbol| ('\u{40}'..='\u{7e}').contains(symbol));
            }
        } else if symbol == '\t' || !symbol.is_control() {
            plain.push(symbol);
        }
    }
    if cut {
        plain.push_str(CUT_MARK);
    }
    plain
}

impl Matches {
    fn is_full(&self) -> bool {
        self.found >= self.max_matches
    }

    fn take(&mut self, outcome: Outcome, complaints: &mut Complaints) {
        match outcome {
            Outcome::Line(line) => self.line(line),
            Outcome::End => self.close(),
            Outcome::Strange(line) if line.is_empty() => {}
            Outcome::Strange(line) => {
                if !complaints.take(&line) {
                    log::debug(&format!("a line is none of grep's: {line:?}"));
                }
            }
        }
    }

    fn line(&mut self, line: Located) {
        if line.first_of_group {
            self.close();
        }
        let own = LogLine { line: Some(line.number), text: line.text.clone() };
        for waiting in &mut self.open {
            waiting.after.push(own.clone());
        }
        while self.open.front().is_some_and(|first| first.after.len() >= self.after) {
            self.done.extend(self.open.pop_front());
        }
        if line.matched && !self.is_full() {
            self.matched(line);
        }
        if self.before > 0 {
            if self.recent.len() == self.before {
                self.recent.pop_front();
            }
            self.recent.push_back(own);
        }
    }

    fn matched(&mut self, line: Located) {
        let stamp = time::of(&line.text);
        let (since, until) = self.window;
        if let Some((earliest, latest)) = stamp.map(|stamp| stamp.range(self.utc_offset_minutes))
            && (since.is_some_and(|since| latest < since) || until.is_some_and(|until| earliest > until))
        {
            return;
        }
        let place = line.path.trim_start_matches("./").trim_start_matches('/').to_owned();
        if !self.seen.insert((place, line.number, line.text.clone())) {
            return;
        }
        let unix_ms = stamp.and_then(|stamp| stamp.unix_ms(self.utc_offset_minutes));
        let mut fields = Vec::new();
        if unix_ms.is_none() && (since.is_some() || until.is_some()) {
            let reason = if stamp.is_some() { "its time names no zone" } else { "it has no full time" };
            fields.push(Attribute::new("time-window", format!("not checked: {reason}")));
        }
        self.found += 1;
        let found = LogMatch {
            source: Some(line.path),
            line: Some(line.number),
            unix_ms,
            level: level::of(&line.text).map(str::to_owned),
            text: line.text,
            before: self.recent.iter().cloned().collect(),
            after: Vec::new(),
            fields,
        };
        if self.after == 0 { self.done.push(found) } else { self.open.push_back(found) }
    }

    /// The group is over: nothing comes behind its matches any more.
    fn close(&mut self) {
        self.done.extend(self.open.drain(..));
        self.recent.clear();
    }
}
