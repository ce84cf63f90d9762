//! The listing as a whole: directories with their headings and totals, rows between them.

use portcullis_plugin::parser::{Batch, Parse};
use portcullis_plugin::{Lines, PluginError};

use crate::options::{Options, Style};
use crate::row::{self, Entry, Writing, is_size};
use crate::{json, name};

/// A path is at most 4,096 bytes; quoted, with its columns and a link's target, far below this.
const MAX_LINE_BYTES: usize = 32 * 1024;
/// Rows held back until it is known whether a blank before a name is padding. The listing of a
/// larger directory is given back as text from there on.
const MAX_HELD_ROWS: usize = 10_000;
/// The word before the number of blocks, in the languages GNU `ls` speaks most.
const TOTAL_WORDS: [&str; 22] = [
    "total",
    "insgesamt",
    "totale",
    "totaal",
    "totalt",
    "итого",
    "загалом",
    "celkem",
    "razem",
    "toplam",
    "összesen",
    "yhteensä",
    "celkom",
    "skupaj",
    "ukupno",
    "σύνολο",
    "总计",
    "总用量",
    "總用量",
    "總計",
    "合計",
    "합계",
];

/// A listing being read.
#[derive(Debug)]
pub struct Listing {
    lines: Lines,
    reader: Reader,
}

#[derive(Debug)]
struct Reader {
    options: Options,
    /// How names are written; quoted as for a shell by GNU `ls` on a terminal.
    style: Style,
    directory: Option<String>,
    /// The next line may be a heading: the first one, or one behind an empty line.
    at_block_start: bool,
    /// The next line may be a total.
    before_rows: bool,
    /// Whether a name of this directory was quoted.
    quoted_here: bool,
    held: Vec<Held>,
    /// More rows were held than there is room for.
    overfull: bool,
    batch: Batch,
    /// Where documents are put together.
    json: String,
}

/// A row held back; it is read again when it is given.
#[derive(Debug)]
struct Held {
    line: u32,
    text: String,
}

impl Listing {
    pub(crate) fn new(options: Options, terminal: bool) -> Self {
        let reader = Reader {
            options,
            style: options.style.unwrap_or(if terminal { Style::Shell } else { Style::Literal }),
            directory: None,
            at_block_start: true,
            before_rows: true,
            quoted_here: false,
            held: Vec::new(),
            overfull: false,
            batch: Batch::empty(),
            json: String::new(),
        };
        Self { lines: Lines::bounded(MAX_LINE_BYTES), reader }
    }
}

impl Parse for Listing {
    fn push(&mut self, chunk: &[u8]) -> Result<Batch, PluginError> {
        let Self { lines, reader } = self;
        lines.push(chunk, |line| reader.line(line.number, &line.text, line.cut));
        Ok(reader.take())
    }

    fn finish(&mut self, _exit_code: Option<i32>, truncated: bool) -> Result<Batch, PluginError> {
        let Self { lines, reader } = self;
        // The end of the last line is missing if the output's end is.
        lines.finish(|line| reader.line(line.number, &line.text, line.cut || truncated));
        reader.end_block();
        Ok(reader.take())
    }
}

impl Reader {
    fn take(&mut self) -> Batch {
        std::mem::replace(&mut self.batch, Batch::empty())
    }

    fn line(&mut self, number: u32, text: &str, incomplete: bool) {
        if text.is_empty() && !incomplete {
            self.end_block();
            self.at_block_start = true;
            self.before_rows = true;
            return;
        }
        let at_block_start = std::mem::replace(&mut self.at_block_start, false);
        if incomplete {
            return self.batch.leave(number, text);
        }
        if at_block_start && let Some(heading) = self.heading(text) {
            self.directory = Some(heading);
            return;
        }
        if self.before_rows && is_total(text) {
            self.before_rows = false;
            return;
        }
        match row::read(text, self.options, self.style) {
            Some((entry, writing)) => {
                self.before_rows = false;
                self.row(number, text, entry, writing);
            }
            None => self.batch.leave(number, text),
        }
    }

    /// `dir:`, quoted like a name on a terminal.
    fn heading(&self, text: &str) -> Option<String> {
        if row::read(text, self.options, self.style).is_some() {
            return None;
        }
        let path = text.strip_suffix(':').filter(|path| !path.is_empty())?;
        // A message of the program itself, e.g. `ls: x: Permission denied:`.
        if path.starts_with("ls: ") {
            return None;
        }
        Some(name::whole(path, self.style).unwrap_or_else(|| path.to_owned()))
    }

    fn row(&mut self, line: u32, text: &str, entry: Entry<'_>, writing: Writing) {
        if writing == Writing::Quoted {
            self.quoted_here = true;
            self.release();
        }
        let undecided = writing == Writing::Padded && !self.quoted_here;
        if !undecided && self.held.is_empty() {
            return self.give(entry, writing);
        }
        if self.held.len() >= MAX_HELD_ROWS {
            self.overfull = true;
        }
        if self.overfull {
            return self.batch.leave(line, text);
        }
        self.held.push(Held { line, text: text.to_owned() });
    }

    /// It is known now whether a blank before a name is padding.
    fn release(&mut self) {
        for held in std::mem::take(&mut self.held) {
            match row::read(&held.text, self.options, self.style).filter(|_| !self.overfull) {
                Some((entry, writing)) => self.give(entry, writing),
                None => self.batch.leave(held.line, &held.text),
            }
        }
    }

    fn give(&mut self, entry: Entry<'_>, writing: Writing) {
        let mut entry = entry;
        entry.directory = self.directory.as_deref();
        if writing == Writing::Padded && self.quoted_here {
            entry.name.to_mut().remove(0);
        }
        self.batch.documents.push(json::document(&mut self.json, &entry));
    }

    fn end_block(&mut self) {
        self.release();
        self.quoted_here = false;
        self.overfull = false;
    }
}

fn is_total(text: &str) -> bool {
    text.split_once(' ').is_some_and(|(word, size)| TOTAL_WORDS.contains(&word) && is_size(size))
}
