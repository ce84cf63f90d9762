//! Values divided by commas, semicolons, bars or tabs, with a heading in the first record: one
//! document per record.
//!
//! Quotes follow RFC 4180; a quoted value may hold line ends. A record with another number of
//! values than the heading stays text, and so does one whose quote does not end.

use csv_core::{ReadRecordResult, Reader as Csv, ReaderBuilder};
use parser_kit::{Command, Document, End, Held, Reader, Sink};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;
use serde_json::{Map, Value};

use crate::aligned::distinct;

/// The file's name says what it is.
const NAMED_SCORE: u8 = 80;
/// The head looks like it throughout.
const LOOKS_SCORE: u8 = 25;
/// Lines of one record; a longer one has lost its closing quote.
const MAX_RECORD_LINES: usize = 200;
const DIVIDERS: [u8; 4] = [b',', b'\t', b';', b'|'];
/// Programs that print a file as it is.
const PRINTERS: [&str; 5] = ["cat", "head", "zcat", "bat", "tac"];

/// By the name of the file that is printed, or by a head of which every line has as many dividers.
pub(crate) fn claim(command: &Command<'_>, head: &str) -> Option<u8> {
    let files = command.operands(&["-n", "-c"]);
    let is_named = PRINTERS.contains(&command.program)
        && files.len() == 1
        && [".csv", ".tsv", ".tab"].iter().any(|ending| files[0].to_ascii_lowercase().ends_with(ending));
    let first = head.lines().next()?;
    let divider = divider(first)?;
    if is_named {
        return Some(NAMED_SCORE);
    }
    let count = |line: &str| line.bytes().filter(|byte| *byte == divider).count();
    let mut lines: Vec<&str> = head.lines().collect();
    if !head.ends_with('\n') && lines.len() > 2 {
        lines.pop();
    }
    let wanted = count(first);
    // Prose has commas; a heading has no blank behind them, and two lines agree by chance.
    let is_heading = names(first, divider).iter().all(|name| is_name(name));
    let agrees = wanted >= 2 && lines.len() >= 3 && lines.iter().all(|line| count(line) == wanted);
    (is_heading && agrees && divider != b'|').then_some(LOOKS_SCORE)
}

/// The divider of which the heading has most.
fn divider(heading: &str) -> Option<u8> {
    let count = |divider: u8| heading.bytes().filter(|byte| *byte == divider).count();
    let best = DIVIDERS.into_iter().rev().max_by_key(|divider| count(*divider))?;
    (count(best) > 0).then_some(best)
}

fn names(heading: &str, divider: u8) -> Vec<&str> {
    heading.split(char::from(divider)).map(|name| name.trim_matches('"')).collect()
}

fn is_name(name: &str) -> bool {
    let short = name.len() <= 64 && name.split(' ').count() <= 4;
    short
        && name.trim() == name
        && name.starts_with(|symbol: char| symbol.is_alphabetic() || symbol == '_' || symbol == '#')
}

pub(crate) fn begin(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Records { csv: None, names: Vec::new(), heading: Vec::new(), values: Values::default(), held: Vec::new() })
}

struct Records {
    /// Once the first line has shown the divider.
    csv: Option<Csv>,
    names: Vec<String>,
    /// The heading's lines, until a record has given its names on.
    heading: Vec<Held>,
    values: Values,
    /// The lines of the record being read.
    held: Vec<Held>,
}

/// The values of one record, one behind the other.
#[derive(Default)]
struct Values {
    bytes: Vec<u8>,
    bytes_used: usize,
    ends: Vec<usize>,
    ends_used: usize,
}

impl Values {
    fn clear(&mut self) {
        (self.bytes_used, self.ends_used) = (0, 0);
    }

    /// Room for what one more line can add.
    fn make_room(&mut self, line_bytes: usize) {
        self.bytes.resize(self.bytes.len().max(self.bytes_used + line_bytes), 0);
        self.ends.resize(self.ends.len().max(self.ends_used + line_bytes + 1), 0);
    }

    fn texts(&self) -> Vec<String> {
        let mut from = 0;
        let text = |end: &usize| {
            let value = String::from_utf8_lossy(self.bytes.get(from..*end).unwrap_or_default()).into_owned();
            from = *end;
            value
        };
        self.ends[..self.ends_used].iter().map(text).collect()
    }
}

impl Records {
    /// Feeds one line; true when the record ends with it.
    fn feed(&mut self, line: &str) -> bool {
        let csv = self.csv.get_or_insert_with(|| ReaderBuilder::new().delimiter(divider(line).unwrap_or(b',')).build());
        let mut input = [line.as_bytes(), b"\n"].concat();
        loop {
            self.values.make_room(input.len());
            let Values { bytes, bytes_used, ends, ends_used } = &mut self.values;
            let (result, read, wrote, ended) =
                csv.read_record(&input, &mut bytes[*bytes_used..], &mut ends[*ends_used..]);
            *bytes_used += wrote;
            *ends_used += ended;
            input.drain(..read);
            match result {
                ReadRecordResult::Record => return true,
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return false,
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {}
            }
        }
    }

    fn record(&mut self, sink: &mut Sink) {
        let held = std::mem::take(&mut self.held);
        let values = self.values.texts();
        self.values.clear();
        if self.names.is_empty() {
            self.names = distinct(values.iter().map(|name| name.trim().trim_start_matches('\u{feff}').to_owned()));
            self.heading = held;
            return;
        }
        if values.len() != self.names.len() {
            return sink.leave_all(held);
        }
        let mut document = Document::new();
        document.set_some("line", held.first().map(|line| line.number));
        let values = self.names.iter().cloned().zip(values.into_iter().map(Value::from));
        document.set("values", values.collect::<Map<_, _>>());
        self.heading.clear();
        sink.record(&document, held);
    }
}

impl Reader for Records {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        if self.held.is_empty() && line.text.trim().is_empty() {
            return;
        }
        self.held.push(line.into());
        if self.feed(&line.text) {
            self.record(sink);
        } else if self.held.len() >= MAX_RECORD_LINES {
            self.give_up(sink);
        }
    }

    fn finish(&mut self, _end: End, sink: &mut Sink) {
        self.give_up(sink);
        sink.leave_all(std::mem::take(&mut self.heading));
    }
}

impl Records {
    /// What is held is no record.
    fn give_up(&mut self, sink: &mut Sink) {
        sink.leave_all(std::mem::take(&mut self.held));
        self.values.clear();
        if let Some(csv) = &mut self.csv {
            csv.reset();
        }
    }
}
