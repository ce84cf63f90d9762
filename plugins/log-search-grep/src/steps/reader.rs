//! Reads the output of one step, and says what comes next.

use portcullis_plugin::log_search::{Batch, LogLine, LogMatch, Query, Reader};
use portcullis_plugin::{Attribute, Lines, PluginError};

use super::scan::{Reading, severity};
use super::state::{Doing, File, Phase, State};
use super::{Job, REPORT, Report, STATE, ascii, entry, find, listing, sources};
use crate::complaint::Complaints;
use crate::reader::plain;
use crate::{level, time};

/// A longer line is cut. Bytes.
const MAX_LINE_BYTES: usize = 16 * 1024;
/// The part behind a listing that is complete.
const LISTED: usize = 1;

/// The output of one step being read.
#[derive(Debug)]
pub struct StepReader {
    query: Query,
    job: Job,
    lines: Lines,
    /// The part of the output that is being read; none before the first mark.
    part: Option<usize>,
    /// Lines of a part that is read when it is complete: all of it, or of a scan one run of lines.
    held: Vec<Held>,
    listed: Vec<File>,
    samples: Vec<String>,
    complaints: Complaints,
    matches: Vec<LogMatch>,
    /// As many as were asked for have been found, and there is one more.
    full: bool,
    /// To be added to the numbers of the part at hand, because reading did not begin at the first line.
    base: u64,
    bytes: u64,
    /// Where the search stood before the step.
    began_at: (usize, u64),
    /// The file at hand is binary: its lines do not count.
    binary: bool,
}

/// A line of a log, or of what else a part has.
#[derive(Debug)]
struct Held {
    number: u64,
    matched: bool,
    text: String,
}

impl StepReader {
    pub(super) fn new(query: Query, job: Job) -> Self {
        let began_at = place(&job.state);
        Self {
            base: 0,
            bytes: 0,
            began_at,
            query,
            job,
            lines: Lines::bounded(MAX_LINE_BYTES),
            part: None,
            held: Vec::new(),
            listed: Vec::new(),
            samples: Vec::new(),
            complaints: Complaints::default(),
            matches: Vec::new(),
            full: false,
            binary: false,
        }
    }

    fn line(&mut self, text: &str) {
        if text == self.job.mark {
            self.end_of_part(true);
            self.part = Some(self.part.map_or(0, |part| part + 1));
            self.base = self.lines_before();
            return;
        }
        if self.full {
            return;
        }
        match self.job.doing {
            Doing::Look => self.looked(text),
            Doing::Scan(_) => self.scanned(text),
            Doing::Peek(_) | Doing::PeekInto(_) | Doing::Sample(..) => {
                self.held.push(Held { number: 0, matched: false, text: text.to_owned() });
            }
        }
    }

    fn looked(&mut self, text: &str) {
        if self.part.is_none() {
            self.job.state.gnu |= text.contains("GNU grep");
            return;
        }
        match listing::entry(text) {
            listing::Entry::File(file) => self.listed.push(file),
            listing::Entry::Skip(reason, name) => self.job.state.skip(reason, &name),
            listing::Entry::Strange if text.is_empty() => {}
            listing::Entry::Strange => {
                if text.ends_with("Permission denied") {
                    let name = text.trim_start_matches("find: ").trim_end_matches(": Permission denied");
                    self.job.state.skip("may not be read", name.trim_matches(['‘', '’', '\'']));
                }
                self.complaints.take(text);
            }
        }
    }

    fn scanned(&mut self, text: &str) {
        if text == "--" {
            return self.end_of_run(true);
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let Some(number) = (digits > 0).then(|| text[..digits].parse::<u64>().ok()).flatten() else {
            return self.complained(text);
        };
        match text.as_bytes().get(digits) {
            Some(separator @ (b':' | b'-')) if !self.binary => {
                let number = number + self.base;
                if self.held.last().is_some_and(|last| last.number + 1 != number) {
                    self.end_of_run(true);
                }
                self.held.push(Held { number, matched: *separator == b':', text: text[digits + 1..].to_owned() });
                if self.job.order_is_lines(&self.query) {
                    self.end_of_run(true);
                }
            }
            None if number > 0 => {
                self.binary = true;
                let name = self.file().map(|file| file.path.clone()).unwrap_or_default();
                self.job.state.skip("binary", &name);
            }
            _ => {}
        }
    }

    fn complained(&mut self, text: &str) {
        let name = self.file().map(|file| file.path.clone()).unwrap_or_default();
        let state = &mut self.job.state;
        if text.ends_with("binary file matches") || (text.starts_with("Binary file ") && text.ends_with(" matches")) {
            state.skip("binary, though with a match", &name);
        } else if text.ends_with("Permission denied") {
            state.skip("may not be read", &name);
        } else if text.ends_with("No such file or directory") {
            state.skip("gone meanwhile", &name);
        } else if !text.trim().is_empty() && !text.contains("Broken pipe") && !text.starts_with("Terminated") {
            self.complaints.take(text);
            self.job.state.note(format!("while reading {name}: {}", text.chars().take(200).collect::<String>()));
        }
    }

    /// The file that the part at hand is of.
    fn file_index(&self) -> Option<usize> {
        let part = self.part?;
        match &self.job.doing {
            Doing::Scan(files) => files.get(part).copied(),
            Doing::Peek(parts) => parts.get(part).map(|(file, _)| *file),
            Doing::PeekInto(files) => files.get(part / super::script::ends(&self.job.order)).copied(),
            Doing::Sample(..) | Doing::Look => None,
        }
    }

    fn file(&self) -> Option<&File> {
        self.job.state.files.get(self.file_index()?)
    }

    fn lines_before(&self) -> u64 {
        let before = Reading::new(&self.query, &self.job.order, &self.job.state).before();
        self.file().map_or(0, |file| file.line.saturating_sub(before).max(1) - 1)
    }

    /// A mark, or the end of the output where it was not cut.
    fn end_of_part(&mut self, complete: bool) {
        if self.part.is_none() {
            self.held.clear();
            return;
        }
        match &self.job.doing {
            Doing::Look => {}
            Doing::Scan(_) => {
                self.end_of_run(complete);
                self.binary = false;
                if complete
                    && !self.full
                    && let Some(index) = self.file_index()
                {
                    let length = self.job.state.files[index].length();
                    self.job.state.scanned_bytes += length;
                    self.job.state.at = index + 1;
                }
            }
            Doing::Peek(_) | Doing::PeekInto(_) | Doing::Sample(..) => self.end_of_peek(),
        }
    }

    fn end_of_peek(&mut self) {
        let lines: Vec<String> = self.held.drain(..).map(|held| held.text).collect();
        let text = lines.join("\n");
        let part = self.part.unwrap_or_default();
        self.job.state.scanned_bytes += text.len() as u64;
        match &self.job.doing {
            Doing::Peek(parts) => {
                if let Some((index, at)) = parts.get(part).copied() {
                    find::peeked(&mut self.job.state.files[index], &text, at, &self.job.order);
                }
            }
            Doing::PeekInto(files) => {
                let ends = super::script::ends(&self.job.order);
                if let Some(index) = files.get(part / ends).copied() {
                    let file = &mut self.job.state.files[index];
                    let at = u64::from(!part.is_multiple_of(ends));
                    if at == 0 || find::end_is_cheap(file) {
                        find::peeked(file, &text, at, &self.job.order);
                    }
                }
            }
            Doing::Sample(samples, files) => {
                self.samples.push(text);
                let samples = usize::try_from(*samples).unwrap_or(usize::MAX);
                if self.samples.len() == samples
                    && let Some((index, from, distance)) = files.get(part / samples).copied()
                {
                    let texts = std::mem::take(&mut self.samples);
                    let file = &mut self.job.state.files[index];
                    find::sampled(file, &texts, (from, distance), &self.query, &self.job.order);
                }
            }
            Doing::Look | Doing::Scan(_) => {}
        }
    }

    /// Takes the matches out of lines that follow each other. `complete`: nothing belongs behind the last one.
    fn end_of_run(&mut self, complete: bool) {
        let held = std::mem::take(&mut self.held);
        let Some(index) = self.file_index() else { return };
        if held.is_empty() || self.full {
            return;
        }
        let file = self.job.state.files[index].clone();
        let reference = if file.mtime > 0 { file.mtime.saturating_mul(1000) } else { i64::MAX / 4 };
        let texts: Vec<&str> = held.iter().map(|line| line.text.as_str()).collect();
        let need = usize::try_from(Reading::new(&self.query, &self.job.order, &self.job.state).after()).unwrap_or(0);
        let mut given_to = None;
        for (at, line) in held.iter().enumerate().filter(|(_, line)| line.matched) {
            // The first line of a part is the rest of one.
            if line.number < self.job.state.files[index].line || (file.from > 0 && line.number == 1) {
                continue;
            }
            if given_to.is_some_and(|last| at <= last) {
                self.job.state.files[index].line = line.number + 1;
                continue;
            }
            if !complete && at + need >= held.len() {
                return;
            }
            let (first, last) = entry::around(&texts, at, reference);
            if let Some(found) = self.wanted(&file, &held, (first, at, last), reference) {
                if self.job.state.found >= self.query.max_matches {
                    self.full = true;
                    return;
                }
                self.job.state.found += 1;
                if self.job.order.whole_entries {
                    given_to = Some(last);
                }
                self.matches.push(found);
            }
            self.job.state.files[index].line = line.number + 1;
        }
    }

    /// The match at `at`, whose entry goes from `first` to `last`, if it is one that was asked for.
    fn wanted(
        &self,
        file: &File,
        held: &[Held],
        (first, at, last): (usize, usize, usize),
        reference: i64,
    ) -> Option<LogMatch> {
        let (order, line) = (&self.job.order, &held[at]);
        if order.exclude_text.iter().any(|text| contains(&line.text, text, self.query.ignore_case)) {
            return None;
        }
        let level = level::of(&held[first].text).or_else(|| level::of(&line.text));
        if let Some(least) = order.level.as_deref().and_then(severity) {
            let own = level.and_then(severity)?;
            if own > least {
                return None;
            }
        }
        let stamp = time::of_entry(&held[first].text, reference).or_else(|| time::of_entry(&line.text, reference));
        let (since, until) = (self.query.since_unix_ms, self.query.until_unix_ms);
        let zone = order.utc_offset_minutes;
        if let Some((earliest, latest)) = stamp.map(|stamp| stamp.range(zone))
            && (since.is_some_and(|since| latest < since) || until.is_some_and(|until| earliest > until))
        {
            return None;
        }
        let unix_ms = stamp.and_then(|stamp| stamp.unix_ms(zone));
        let mut fields = Vec::new();
        if unix_ms.is_none() && (since.is_some() || until.is_some()) {
            let reason = if stamp.is_some() { "its time names no zone" } else { "no time was found for it" };
            fields.push(Attribute::new("time-window", format!("not checked: {reason}")));
        }
        if file.from > 0 {
            fields.push(Attribute::new("counted-from-byte", file.from.to_string()));
        }
        let own = |lines: &[Held]| -> Vec<LogLine> {
            lines.iter().map(|line| LogLine { line: Some(line.number), text: line.text.clone() }).collect()
        };
        let (shown, before, after) = if order.whole_entries {
            if first != at {
                fields.push(Attribute::new("matched-line", line.number.to_string()));
            }
            (first, Vec::new(), own(&held[first + 1..=last]))
        } else {
            let start = at.saturating_sub(self.query.before.into());
            let end = held.len().min(at + 1 + usize::from(self.query.after));
            (at, own(&held[start..at]), own(&held[at + 1..end]))
        };
        Some(LogMatch {
            source: Some(file.path.clone()),
            line: Some(held[shown].number),
            unix_ms,
            level: level.map(str::to_owned),
            text: held[shown].text.clone(),
            before,
            after,
            fields,
        })
    }

    /// The step is over: the state for the next one, and what the host is told.
    fn settle(&mut self) -> Result<Report, PluginError> {
        let fatal = self.complaints.fatal(&self.job.state.places).map(str::to_owned);
        let state = &mut self.job.state;
        match self.job.doing {
            Doing::Look => {
                let strange = |message: &String| !state.places.iter().any(|place| message.contains(place.as_str()));
                if let Some(message) = fatal.filter(|message| !state.default_sources || strange(message)) {
                    if self.listed.is_empty() {
                        return Err(PluginError::InvalidInput(format!("the search did not work: {message}")));
                    }
                    state.note(message);
                }
                match self.part {
                    Some(LISTED) => {}
                    Some(_) => {
                        state.note("there are more files than were listed; name a folder or a pattern".to_owned())
                    }
                    None => return Err(PluginError::Internal("the list of files did not come".to_owned())),
                }
                self.listed_all();
            }
            Doing::Scan(_) => {
                if let Some(message) = fatal.filter(|message| message.starts_with("grep: ") && state.found == 0) {
                    return Err(PluginError::InvalidInput(format!("the search did not work: {message}")));
                }
            }
            Doing::Peek(_) | Doing::PeekInto(_) | Doing::Sample(..) => {
                // A file that could not be looked into is read as a whole.
                mark_seen(state, &self.job.doing);
                if self.job.order.discover && find::is_listed(state) {
                    state.phase = Phase::Scan;
                }
            }
        }
        let stuck = self.is_stuck();
        let (state, order) = (&self.job.state, &self.job.order);
        let all_read = state.phase == Phase::Scan && state.at >= state.files.len();
        let too_much = state.scanned_bytes >= self.job.max_scan_bytes && !all_read;
        let listed = order.discover && state.phase == Phase::Scan;
        let done = self.full || all_read || too_much || listed || stuck;
        let (skipped, notes) = state.told();
        Ok(Report {
            done,
            more: self.full || stuck || (too_much && !listed),
            stopped_by: match (self.full, too_much) {
                (true, _) => Some("matches"),
                (false, true) => Some("scan"),
                (false, false) => stuck.then_some("time"),
            },
            progress: progress(state),
            skipped,
            notes,
            files: state.files.len(),
            files_done: state.at,
            scanned_bytes: state.scanned_bytes,
            sources: if listed { sources::describe(state) } else { Vec::new() },
        })
    }

    /// The step did not get any further: its time was over. Where it printed all it may and still has no match
    /// to give, the file is left.
    fn is_stuck(&mut self) -> bool {
        let state = &mut self.job.state;
        let same = matches!(self.job.doing, Doing::Scan(_)) && place(state) == self.began_at;
        if !same || self.full || state.at >= state.files.len() {
            return false;
        }
        let printed_all = self.bytes * 10 > super::script::MAX_OUTPUT_BYTES * 9;
        if printed_all {
            let name = state.files[state.at].path.clone();
            state.skip("what is around one match is too long; ask for less context", &name);
            state.at += 1;
        }
        !printed_all
    }

    fn listed_all(&mut self) {
        let files = std::mem::take(&mut self.listed);
        let since = self.query.since_unix_ms;
        let state = &mut self.job.state;
        if state.phase == Phase::Look {
            listing::take(state, files, &self.job.decompressors, since);
            let window = since.is_some() || self.query.until_unix_ms.is_some();
            state.phase =
                if (window || self.job.order.discover) && !state.files.is_empty() { Phase::Find } else { Phase::Scan };
        } else {
            listing::follow(state, &files);
        }
    }
}

/// The file to go on with and its line.
fn place(state: &State) -> (usize, u64) {
    (state.at, state.files.get(state.at).map_or(0, |file| file.line))
}

/// What was looked at is not looked at again, whatever came of it.
fn mark_seen(state: &mut State, doing: &Doing) {
    match doing {
        Doing::Peek(parts) => parts.iter().for_each(|(file, _)| state.files[*file].opened = true),
        Doing::PeekInto(files) => files.iter().for_each(|file| state.files[*file].opened = true),
        Doing::Sample(samples, parts) => {
            for (file, from, distance) in parts {
                let file = &mut state.files[*file];
                // Its samples did not come: the output was cut.
                file.sampled |= file.from == *from && file.length() / (samples + 1) == *distance;
            }
        }
        Doing::Look | Doing::Scan(_) => {}
    }
}

fn progress(state: &State) -> String {
    match state.phase {
        Phase::Look => "looks for files".to_owned(),
        Phase::Find => format!("looks into {} files for the time asked for", state.files.len()),
        Phase::Scan => {
            let mib = |bytes: u64| bytes / (1 << 20);
            let left: u64 = state.files.iter().skip(state.at).map(File::length).sum();
            format!(
                "{} of {} files read, {} of about {} MiB, {} found",
                state.at,
                state.files.len(),
                mib(state.scanned_bytes),
                mib(state.scanned_bytes + left),
                state.found
            )
        }
    }
}

fn contains(line: &str, text: &str, ignore_case: bool) -> bool {
    if ignore_case { line.to_lowercase().contains(&text.to_lowercase()) } else { line.contains(text) }
}

impl Job {
    /// No line needs another one to be understood.
    fn order_is_lines(&self, query: &Query) -> bool {
        let reading = Reading::new(query, &self.order, &self.state);
        reading.before() == 0 && reading.after() == 0
    }
}

impl Reader for StepReader {
    fn push(&mut self, chunk: &[u8]) -> Result<Batch, PluginError> {
        self.bytes += chunk.len() as u64;
        let mut lines = std::mem::take(&mut self.lines);
        lines.push(chunk, |line| self.line(&plain(&line.text, line.cut)));
        self.lines = lines;
        Ok(Batch { matches: std::mem::take(&mut self.matches), stop: false })
    }

    fn finish(&mut self, _exit_code: Option<i32>, _truncated: bool) -> Result<Batch, PluginError> {
        let mut lines = std::mem::take(&mut self.lines);
        // A line without an end was cut, and so was the output.
        lines.finish(|_| ());
        self.end_of_part(false);
        let report = self.settle()?;
        let mut matches = std::mem::take(&mut self.matches);
        // A new search goes on with a count of its own.
        self.job.state.found = if report.done { 0 } else { self.job.state.found };
        matches.push(LogMatch {
            source: None,
            line: None,
            unix_ms: None,
            level: None,
            text: String::new(),
            before: Vec::new(),
            after: Vec::new(),
            fields: vec![Attribute::new(STATE, ascii(&self.job.state)?), Attribute::new(REPORT, ascii(&report)?)],
        });
        Ok(Batch { matches, stop: report.done })
    }
}
