//! The record as a log: what sessions printed, line by line, searched in the same way as logs are.
//!
//! Lines are those of the output as recorded, redacted as it is; each has the time of the event that completed it.
//! What was left out of the record is no line, and lines are counted without it.

use std::collections::VecDeque;
use std::time::Instant;

use portcullis_term::clean;

use super::matcher::{Matcher, PatternError};
use super::reader::LineRead;
use super::store::{StoreError, Stored};

/// A longer line is cut. Bytes.
const MAX_LINE_BYTES: usize = 16 * 1024;
/// Lines that may go on from one that was found.
const MAX_ENTRY_LINES: usize = 60;
/// Wide enough that nothing is wrapped.
const COLUMNS: u16 = 1_000;

/// A line that a session printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputLine {
    /// From 1, of the session's output.
    pub line: u64,
    /// Number of the event that completed it.
    pub event: u64,
    pub unix_ms: u64,
    pub text: String,
}

/// A line that was looked for, with those around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedLine {
    pub instance: String,
    pub session: String,
    pub found: OutputLine,
    pub before: Vec<OutputLine>,
    pub after: Vec<OutputLine>,
}

/// What lines are wanted.
pub struct LineQuery<'a> {
    /// All of them have to be in the line; without any every line has them.
    wanted: Vec<Matcher>,
    /// None of them may be in it.
    unwanted: Vec<Matcher>,
    pub since_unix_ms: Option<u64>,
    pub until_unix_ms: Option<u64>,
    pub before: usize,
    pub after: usize,
    /// Looks at what is left, by its text.
    pub keeps: &'a dyn Fn(&str) -> bool,
    /// Whether a line goes on from the one before, so that it is part of what was found there.
    pub goes_on: &'a dyn Fn(&str) -> bool,
    pub limit: usize,
    /// The search ends there, wherever it is.
    pub deadline: Option<Instant>,
}

impl<'a> LineQuery<'a> {
    /// Asks for lines with all of the patterns and none of the texts.
    ///
    /// # Errors
    /// When one of them cannot be searched for.
    pub fn new(
        patterns: &[String],
        is_regex: bool,
        exclude: &[String],
        ignore_case: bool,
    ) -> Result<Self, PatternError> {
        let matcher = |is_regex: bool| move |text: &String| Matcher::new(text, is_regex, ignore_case);
        Ok(Self {
            wanted: patterns.iter().map(matcher(is_regex)).collect::<Result<_, _>>()?,
            unwanted: exclude.iter().map(matcher(false)).collect::<Result<_, _>>()?,
            since_unix_ms: None,
            until_unix_ms: None,
            before: 0,
            after: 0,
            keeps: &|_| true,
            goes_on: &|_| false,
            limit: usize::MAX,
            deadline: None,
        })
    }

    fn takes(&self, line: &OutputLine) -> bool {
        let has = |matcher: &Matcher| matcher.find(line.text.as_bytes(), 0).is_some();
        self.since_unix_ms.is_none_or(|since| line.unix_ms >= since)
            && self.until_unix_ms.is_none_or(|until| line.unix_ms <= until)
            && self.wanted.iter().all(has)
            && !self.unwanted.iter().any(has)
            && (self.keeps)(&line.text)
    }
}

/// What a search of lines came to.
#[derive(Debug, Default)]
pub struct FoundLines {
    pub matches: Vec<MatchedLine>,
    /// Transcripts that were read to their end, and the bytes of all that were begun.
    pub files_done: usize,
    pub bytes: u64,
    /// Why it ended before all were read: `matches` or `time`.
    pub stopped_by: Option<&'static str>,
    /// Transcripts that could not be read.
    pub problems: Vec<String>,
}

/// Searches the output in transcripts, in their order.
pub fn search_lines<'a>(transcripts: impl Iterator<Item = &'a Stored>, query: &LineQuery<'_>) -> FoundLines {
    let mut found = FoundLines::default();
    for stored in transcripts {
        found.bytes += stored.size_bytes;
        let mut window = Window { query, stored, recent: VecDeque::new(), open: 0, found: &mut found };
        let read = stored.output_lines(|line| window.take(line));
        if let Err(error) = read {
            found.problems.push(format!("{}/{}: {error}", stored.instance, stored.session));
        }
        if found.stopped_by.is_some() {
            break;
        }
        found.files_done += 1;
    }
    found
}

/// The lines around the one at hand.
struct Window<'a> {
    query: &'a LineQuery<'a>,
    stored: &'a Stored,
    recent: VecDeque<OutputLine>,
    /// The first of the matches that still take lines behind them.
    open: usize,
    found: &'a mut FoundLines,
}

impl Window<'_> {
    /// Takes a line; false when no more are wanted.
    fn take(&mut self, line: OutputLine) -> bool {
        let query = self.query;
        let own = |it: &&mut MatchedLine| it.session == self.stored.session && it.instance == self.stored.instance;
        let mut joined = false;
        let matches = &mut self.found.matches;
        for found in matches.iter_mut().skip(self.open).filter(own) {
            let next = found.found.line + found.after.len() as u64 + 1 == line.line;
            let goes_on = next && found.after.len() < MAX_ENTRY_LINES && (query.goes_on)(&line.text);
            if next && (goes_on || found.after.len() < query.after) {
                found.after.push(line.clone());
                joined |= goes_on;
            }
        }
        if !joined && query.takes(&line) {
            if matches.len() >= query.limit {
                self.found.stopped_by = Some("matches");
                return false;
            }
            let before = self.recent.iter().cloned().collect();
            let (instance, session) = (self.stored.instance.clone(), self.stored.session.clone());
            matches.push(MatchedLine { instance, session, found: line.clone(), before, after: Vec::new() });
        }
        let is_open = |found: &MatchedLine| found.found.line + found.after.len() as u64 == line.line;
        while self.open < matches.len() && !is_open(&matches[self.open]) {
            self.open += 1;
        }
        if query.before > 0 {
            if self.recent.len() == query.before {
                self.recent.pop_front();
            }
            self.recent.push_back(line);
        }
        if query.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            self.found.stopped_by = Some("time");
        }
        self.found.stopped_by.is_none()
    }
}

impl Stored {
    /// Goes through the lines of the session's output until `each` has seen enough.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn output_lines(&self, mut each: impl FnMut(OutputLine) -> bool) -> Result<(), StoreError> {
        let mut line = Vec::new();
        let (mut number, mut last, mut goes_on) = (0, (0, 0), true);
        let mut give = |bytes: &mut Vec<u8>, (event, unix_ms): (u64, u64)| {
            number += 1;
            let text = shown(bytes);
            bytes.clear();
            each(OutputLine { line: number, event, unix_ms, text })
        };
        self.events(|read| {
            let LineRead::Event(event) = read else { return true };
            if event.kind != "output" {
                return true;
            }
            last = (event.number, event.unix_ms);
            let bytes = event.bytes().unwrap_or_default();
            let mut rest = bytes.as_slice();
            while let Some(end) = memchr::memchr(b'\n', rest) {
                keep(&mut line, &rest[..end]);
                goes_on = give(&mut line, last);
                if !goes_on {
                    return false;
                }
                rest = &rest[end + 1..];
            }
            keep(&mut line, rest);
            true
        })?;
        if goes_on && !line.is_empty() {
            give(&mut line, last);
        }
        Ok(())
    }
}

fn keep(line: &mut Vec<u8>, more: &[u8]) {
    let room = MAX_LINE_BYTES.saturating_sub(line.len());
    line.extend_from_slice(&more[..more.len().min(room)]);
}

/// A line as a terminal shows it.
fn shown(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok(text) if !line.iter().any(u8::is_ascii_control) => text.to_owned(),
        _ => clean(line, COLUMNS).text.trim_end_matches('\n').to_owned(),
    }
}
