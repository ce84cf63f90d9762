//! Many matches as few: lines that differ only in numbers are one kind, with how often and where it was first and
//! last found. Nothing here is a judgement of the lines; what was folded can be read by its places.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::{ContextLine, FoundLine, moment};

/// Kinds of lines that are told apart; more are counted together.
const MAX_KINDS: usize = 2_000;
/// What tells two kinds apart must be near the beginning. Characters.
const MAX_KEY_CHARS: usize = 300;
/// Lines shown of an entry of several, such as a stack trace.
const MAX_SHOWN_LINES: usize = 60;
/// Intervals a count over time has at most.
const MAX_INTERVALS: usize = 60;
const MINUTE_MS: i64 = 60_000;
/// Lengths of an interval. Minutes.
const INTERVALS: [i64; 7] = [1, 5, 15, 60, 360, 1_440, 10_080];

/// What was found, in short.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Matches that were looked at.
    pub matches: usize,
    /// The most frequent kinds first.
    pub kinds: Vec<FoundKind>,
    /// Kinds that are not listed.
    pub further_kinds: usize,
    pub sources: Vec<SourceCount>,
    /// Counts over time, oldest first; intervals without any are left out.
    pub interval_minutes: i64,
    pub intervals: Vec<IntervalCount>,
    /// Matches without a time.
    pub undated: usize,
}

/// Matches that differ only in numbers.
#[derive(Debug, Serialize)]
pub struct FoundKind {
    pub count: usize,
    /// The first of them as it is.
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// What belongs to the first of them, such as its stack trace.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<ContextLine>,
    #[serde(skip_serializing_if = "is_zero")]
    pub lines_left_out: usize,
    pub first: FoundAt,
    pub last: FoundAt,
    /// How many sources it was found in.
    pub sources: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The way back to a line.
#[derive(Debug, Clone, Serialize)]
pub struct FoundAt {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted_from_byte: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_ms: Option<i64>,
}

#[derive(Debug, Serialize)]
pub struct SourceCount {
    pub source: String,
    pub count: usize,
    pub first: FoundAt,
    pub last: FoundAt,
}

#[derive(Debug, Serialize)]
pub struct IntervalCount {
    pub from: String,
    pub count: usize,
}

/// One kind while it is counted.
struct Counted {
    kind: FoundKind,
    sources: Vec<String>,
}

/// Folds matches; `max_kinds` are listed, times are said in that zone.
pub(super) fn fold(matches: Vec<FoundLine>, max_kinds: usize, utc_offset_minutes: i32) -> Summary {
    let total = matches.len();
    let mut kinds: Vec<Counted> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut sources: Vec<SourceCount> = Vec::new();
    let mut times = Vec::new();
    for found in matches {
        let at = place(&found);
        times.extend(found.unix_ms);
        match sources.iter_mut().find(|count| Some(&count.source) == found.source.as_ref()) {
            Some(count) => (count.count, count.last) = (count.count + 1, later(&count.last, &at)),
            None => {
                let source = found.source.clone().unwrap_or_default();
                sources.push(SourceCount { source, count: 1, first: at.clone(), last: at.clone() });
            }
        }
        let own = key(&found);
        let key = if known.len() < MAX_KINDS || known.contains_key(&own) { own } else { String::new() };
        match known.get(&key) {
            Some(index) => kinds[*index].add(&found, at),
            None => {
                known.insert(key, kinds.len());
                kinds.push(Counted::new(found, at));
            }
        }
    }
    let mut kinds: Vec<FoundKind> = kinds.into_iter().map(Counted::done).collect();
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.count));
    let further_kinds = kinds.len().saturating_sub(max_kinds);
    kinds.truncate(max_kinds);
    let undated = total - times.len();
    let (interval_minutes, intervals) = over_time(&times, utc_offset_minutes);
    Summary { matches: total, kinds, further_kinds, sources, interval_minutes, intervals, undated }
}

impl Counted {
    fn new(found: FoundLine, at: FoundAt) -> Self {
        let mut lines = found.after;
        let lines_left_out = lines.len().saturating_sub(MAX_SHOWN_LINES);
        lines.truncate(MAX_SHOWN_LINES);
        let sources = found.source.into_iter().collect();
        let (text, level) = (found.text, found.level);
        let kind = FoundKind { count: 1, text, level, lines, lines_left_out, first: at.clone(), last: at, sources: 1 };
        Self { kind, sources }
    }

    fn add(&mut self, found: &FoundLine, at: FoundAt) {
        self.kind.count += 1;
        if let (Some(own), Some(first)) = (at.unix_ms, self.kind.first.unix_ms)
            && own < first
        {
            self.kind.first = at.clone();
        }
        self.kind.last = later(&self.kind.last, &at);
        if let Some(source) = found.source.as_ref().filter(|source| !self.sources.contains(source)) {
            self.sources.push(source.clone());
        }
    }

    fn done(self) -> FoundKind {
        FoundKind { sources: self.sources.len(), ..self.kind }
    }
}

fn place(found: &FoundLine) -> FoundAt {
    FoundAt {
        source: found.source.clone(),
        line: found.line,
        counted_from_byte: found.counted_from_byte,
        unix_ms: found.unix_ms,
    }
}

/// Matches come in the order of their files; the times say more.
fn later(known: &FoundAt, new: &FoundAt) -> FoundAt {
    match (known.unix_ms, new.unix_ms) {
        (Some(known_ms), Some(new_ms)) if new_ms < known_ms => known.clone(),
        _ => new.clone(),
    }
}

/// The text with every number, identifier and quoted value as one sign, and the line behind it where there is
/// one: an exception says more than the line that announces it.
fn key(found: &FoundLine) -> String {
    let behind = found.after.first().map_or("", |line| line.text.as_str());
    format!("{}\n{}", masked(&found.text), masked(behind))
}

fn masked(text: &str) -> String {
    let mut masked = String::new();
    let is_word = |symbol: char| symbol.is_alphanumeric() || symbol == '_';
    for word in text.split_inclusive(|symbol: char| !is_word(symbol)) {
        let end = word.len() - word.chars().next_back().filter(|last| !is_word(*last)).map_or(0, char::len_utf8);
        let (word, separator) = word.split_at(end);
        let is_number = word.chars().any(|symbol| symbol.is_ascii_digit());
        masked.push_str(if is_number { "#" } else { word });
        masked.push_str(separator);
        if masked.len() > MAX_KEY_CHARS * 4 {
            break;
        }
    }
    masked.chars().take(MAX_KEY_CHARS).collect()
}

/// Counts in the shortest intervals of which there are not too many.
fn over_time(times: &[i64], utc_offset_minutes: i32) -> (i64, Vec<IntervalCount>) {
    let shift_ms = i64::from(utc_offset_minutes) * MINUTE_MS;
    let counts = |minutes: i64| {
        let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
        let length_ms = minutes * MINUTE_MS;
        for time in times {
            // Days and hours begin where the zone has them begin.
            *counts.entry((time + shift_ms).div_euclid(length_ms) * length_ms - shift_ms).or_default() += 1;
        }
        counts
    };
    let fits = INTERVALS.into_iter().find(|minutes| counts(*minutes).len() <= MAX_INTERVALS);
    let minutes = fits.unwrap_or(INTERVALS[INTERVALS.len() - 1]);
    let intervals = counts(minutes).into_iter().take(MAX_INTERVALS);
    let said = |(at, count)| IntervalCount { from: moment::say(at, utc_offset_minutes), count };
    (minutes, intervals.map(said).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str, line: u64, second: i64, text: &str) -> FoundLine {
        FoundLine {
            source: Some(source.to_owned()),
            line: Some(line),
            counted_from_byte: None,
            event: None,
            matched_line: None,
            unix_ms: Some(1_772_440_300_000 + second * 1000),
            level: None,
            text: text.to_owned(),
            before: Vec::new(),
            after: Vec::new(),
            not_checked: None,
        }
    }

    #[test]
    fn lines_that_differ_in_numbers_are_one_kind_with_first_and_last() {
        let summary = fold(
            vec![
                found("/a", 3, 0, "08:31:40 order 17 of 0x7fa2 failed"),
                found("/a", 9, 70, "08:32:50 order 18 of 0x7fa3 failed"),
                found("/b", 1, -30, "08:31:10 order 19 of 0x11 failed"),
                found("/b", 2, 5, "other"),
            ],
            1,
            0,
        );
        assert_eq!((summary.matches, summary.kinds.len(), summary.further_kinds), (4, 1, 1));
        let kind = &summary.kinds[0];
        assert_eq!((kind.count, kind.sources), (3, 2));
        assert_eq!((kind.first.source.as_deref(), kind.first.line), (Some("/b"), Some(1)));
        assert_eq!((kind.last.source.as_deref(), kind.last.line), (Some("/a"), Some(9)));
        let sources: Vec<_> = summary.sources.iter().map(|source| (source.source.as_str(), source.count)).collect();
        assert_eq!(sources, [("/a", 2), ("/b", 2)]);
        let minutes: Vec<_> = summary.intervals.iter().map(|count| (count.from.as_str(), count.count)).collect();
        assert_eq!(minutes, [("2026-03-02T08:31:00Z", 3), ("2026-03-02T08:32:00Z", 1)]);
    }

    #[test]
    fn intervals_grow_with_the_time() {
        let matches = (0..500).map(|number| found("/a", 1, number * 60, "x")).collect();
        let summary = fold(matches, 5, 0);
        assert_eq!((summary.interval_minutes, summary.kinds[0].count), (15, 500));
        assert!(summary.intervals.len() <= MAX_INTERVALS);
        assert_eq!(summary.intervals.iter().map(|count| count.count).sum::<usize>(), 500);
    }
}
