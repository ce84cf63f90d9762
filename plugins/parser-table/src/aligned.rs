//! Reads blocks of aligned lines: a heading, rows below it, an empty line or another heading behind.
//!
//! Rows are held until enough of them show where the columns lie; what they mean is the caller's.

use std::collections::BTreeSet;

use parser_kit::{Document, End, Held, Layout, Reader, Sink, words};
use portcullis_plugin::lines::Line;

/// Rows that are looked at before the columns are settled.
const SAMPLE_ROWS: usize = 500;
/// And their text at most. Bytes.
const SAMPLE_BYTES: usize = 128 * 1024;

/// What the rows of a table mean.
pub(crate) trait Table {
    /// Whether a table begins with this line.
    fn is_heading(&self, line: &str) -> bool;

    /// Whether the line is only drawn, e.g. dashes below the heading.
    fn is_ruler(&self, _line: &str) -> bool {
        false
    }

    /// The columns are known; a document that says so goes before the rows.
    fn columns(&mut self, _headings: &[String], _rows: &[Vec<&str>]) -> Option<Document> {
        None
    }

    /// One row's document, its cells by their fields' names. None when it does not fit.
    fn row(&self, row: &Row<'_>) -> Option<Document>;
}

/// One row.
pub(crate) struct Row<'a> {
    pub(crate) line: u32,
    /// As fields are named: `container_id`.
    pub(crate) fields: &'a [String],
    pub(crate) cells: Vec<&'a str>,
}

impl<'a> Row<'a> {
    /// Fields with their cells.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.fields.iter().map(String::as_str).zip(self.cells.iter().copied())
    }
}

/// A reader of aligned tables.
pub(crate) struct Aligned<T> {
    table: T,
    /// The heading and what was held below it.
    heading: Option<Held>,
    /// The heading's first word, by which one that is printed again is known; empty between tables.
    first_word: String,
    held: Vec<Held>,
    held_bytes: usize,
    settled: Option<Settled>,
}

struct Settled {
    layout: Layout,
    fields: Vec<String>,
}

impl<T: Table> Aligned<T> {
    pub(crate) fn new(table: T) -> Self {
        Self { table, heading: None, first_word: String::new(), held: Vec::new(), held_bytes: 0, settled: None }
    }

    fn end_block(&mut self, sink: &mut Sink) {
        self.settle(sink);
        self.settled = None;
        self.first_word.clear();
    }

    /// Sees the columns from what is held, and gives it.
    fn settle(&mut self, sink: &mut Sink) {
        let Some(heading) = self.heading.take() else { return };
        let held = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        let rows: Vec<&str> = held.iter().map(|held| held.text.as_str()).collect();
        let Some(layout) = Layout::detect(&heading.text, &rows) else {
            sink.leave_all([heading]);
            return sink.leave_all(held);
        };
        let headings: Vec<String> = layout.names().map(str::to_owned).collect();
        let cells: Vec<Vec<&str>> = rows.iter().filter_map(|row| layout.cells(row)).collect();
        if cells.is_empty() {
            // No row says what the heading is about.
            sink.leave_all([heading]);
        } else if let Some(document) = self.table.columns(&headings, &cells) {
            sink.record(&document, vec![heading]);
        }
        let settled = Settled { fields: distinct(headings.iter().map(|name| words::field_name(name))), layout };
        for line in &held {
            self.give(&settled, line.number, &line.text, sink);
        }
        self.settled = Some(settled);
    }

    fn give(&self, settled: &Settled, number: u32, text: &str, sink: &mut Sink) {
        let row = |cells| Row { line: number, fields: &settled.fields, cells };
        match settled.layout.cells(text).and_then(|cells| self.table.row(&row(cells))) {
            Some(document) => sink.record(&document, vec![Held { number, text: text.to_owned() }]),
            None => sink.leave(number, text),
        }
    }
}

impl<T: Table> Reader for Aligned<T> {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        if line.text.trim().is_empty() {
            return self.end_block(sink);
        }
        let is_open = self.heading.is_some() || self.settled.is_some();
        if is_open && self.table.is_ruler(&line.text) {
            return;
        }
        let first_word = words::next(&line.text).map_or("", |(word, _)| word);
        if (!is_open || first_word == self.first_word) && self.table.is_heading(&line.text) {
            self.end_block(sink);
            first_word.clone_into(&mut self.first_word);
            self.heading = Some(line.into());
        } else if self.heading.is_some() {
            self.held_bytes += line.text.len();
            self.held.push(line.into());
            if self.held.len() >= SAMPLE_ROWS || self.held_bytes >= SAMPLE_BYTES {
                self.settle(sink);
            }
        } else if let Some(settled) = &self.settled {
            self.give(settled, line.number, &line.text, sink);
        } else {
            sink.leave(line.number, &line.text);
        }
    }

    fn finish(&mut self, _end: End, sink: &mut Sink) {
        self.end_block(sink);
    }
}

/// Names of which a second one is told from the first by a number.
pub(crate) fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut distinct = Vec::new();
    for name in names {
        let mut candidate = name.clone();
        let mut number = 2;
        while !seen.insert(candidate.clone()) {
            candidate = format!("{name}_{number}");
            number += 1;
        }
        distinct.push(candidate);
    }
    distinct
}

/// A heading in capitals; what stands in parentheses may be small: `CPU(cores)`.
pub(crate) fn is_in_capitals(line: &str) -> bool {
    let mut depth = 0_u32;
    let mut capitals = 0_usize;
    for symbol in line.chars() {
        match symbol {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 && symbol.is_lowercase() => return false,
            _ if symbol.is_uppercase() => capitals += 1,
            _ => {}
        }
    }
    capitals >= 2
        && line.trim_start().starts_with(|symbol: char| symbol.is_uppercase() || symbol == '#' || symbol == '%')
}
