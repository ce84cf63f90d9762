//! `df` and `du`. Sizes carry their unit in the field's name; rounded ones stay text.

use parser_kit::number::{integer, is_scaled, percent};
use parser_kit::{Command, Document, End, Held, Reader, Sink, words};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;

/// The command says what the output is.
const SCORE: u8 = 90;

pub(crate) fn claim_df(command: &Command<'_>, head: &str) -> Option<u8> {
    let is_custom = command.has('?', "output");
    (command.program == "df" && !is_custom && head.lines().any(is_heading)).then_some(SCORE)
}

pub(crate) fn begin_df(command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    let has_types = command.has('T', "print-type");
    Box::new(FileSystems { has_types, unit: Unit::Text, has_inodes_too: false, is_headed: false, long_name: None })
}

/// A word of percents, in whatever language, or what POSIX calls it.
fn is_heading(line: &str) -> bool {
    let words = words::all(line);
    let has_percent = words.iter().any(|word| (word.ends_with('%') && percent(word).is_none()) || *word == "Capacity");
    has_percent && words.len() >= 5 && !words.iter().any(|word| percent(word).is_some())
}

/// What the numbers of a listing count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Inodes,
    Blocks(&'static str),
    Text,
}

impl Unit {
    /// By the heading of the sizes: `1K-blocks`, `1M-blocks`, `1024-blocks`, `Size`, `Inodes`.
    fn of(heading: &[&str]) -> Self {
        if heading
            .iter()
            .any(|word| word.starts_with("Inode") || *word == "IUse%" || word.starts_with('I') && word.ends_with('%'))
        {
            return Self::Inodes;
        }
        let block = heading.iter().find_map(|word| {
            let (size, _) = word.split_once('-')?;
            size.starts_with(|symbol: char| symbol.is_ascii_digit()).then_some(size)
        });
        match block {
            Some("1K" | "1024") => Self::Blocks("kib"),
            Some("1M" | "1048576") => Self::Blocks("mib"),
            Some("1G" | "1073741824") => Self::Blocks("gib"),
            Some("1B" | "1") => Self::Blocks("bytes"),
            Some("1kB" | "1000") => Self::Blocks("kb"),
            Some("1MB") => Self::Blocks("mb"),
            Some("512" | "512B") => Self::Blocks("blocks_of_512"),
            _ => Self::Text,
        }
    }
}

struct FileSystems {
    has_types: bool,
    unit: Unit,
    /// BSD prints inodes between the percentage and the place.
    has_inodes_too: bool,
    is_headed: bool,
    /// A name so long that its numbers are in the next line.
    long_name: Option<Held>,
}

impl Reader for FileSystems {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let text = line.text.as_ref();
        let long_name = self.long_name.take();
        if text.starts_with(' ')
            && let Some(name) = long_name
        {
            return match self.row(&name.text, text) {
                Some(document) => sink.record(&document, vec![name, line.into()]),
                None => sink.leave_all([name, line.into()]),
            };
        }
        sink.leave_all(long_name);
        if text.trim().is_empty() {
            return;
        }
        if is_heading(text) {
            let words = words::all(text);
            self.unit = Unit::of(&words);
            self.has_inodes_too = words.contains(&"%iused");
            self.is_headed = true;
        } else if let Some(document) = self.row("", text).filter(|_| self.is_headed) {
            sink.row(&document, line);
        } else if self.is_headed && words::all(text).len() == 1 {
            self.long_name = Some(line.into());
        } else {
            sink.leave(line.number, text);
        }
    }

    fn finish(&mut self, _end: End, sink: &mut Sink) {
        sink.leave_all(self.long_name.take());
    }
}

impl FileSystems {
    /// Names and places may hold blanks: the numbers between them are looked for.
    fn row(&self, name: &str, text: &str) -> Option<Document> {
        let is_amount = |word: &str| word == "-" || is_scaled(word.trim_start_matches('-'));
        let is_share = |word: &str| word == "-" || percent(word).is_some();
        let mut rest = text;
        let mut before_bytes = 0;
        let (cells, behind) = loop {
            if let Some((cells, behind)) = words::take(rest, 4)
                && cells[..3].iter().all(|cell| is_amount(cell))
                && is_share(cells[3])
                && (before_bytes > 0 || !name.is_empty())
            {
                break (cells, behind);
            }
            rest = words::next(rest)?.1;
            before_bytes = text.len() - rest.len();
        };
        let mut document = Document::new();
        let before = if name.is_empty() { &text[..before_bytes] } else { name };
        let (name, kind) = match before.trim().rsplit_once(' ').filter(|_| self.has_types) {
            Some((name, kind)) => (name.trim_end(), Some(kind)),
            None => (before.trim(), None),
        };
        document.set("filesystem", name);
        document.set_some("type", kind);
        self.amounts(&mut document, &cells[..3])?;
        document.set_some("used_percent", percent(cells[3]));
        let place = if self.has_inodes_too { inodes(&mut document, behind)? } else { behind };
        document.set("mounted_on", (!place.is_empty()).then_some(place)?);
        Some(document)
    }

    fn amounts(&self, document: &mut Document, cells: &[&str]) -> Option<()> {
        for (name, cell) in ["size", "used", "available"].into_iter().zip(cells) {
            match self.unit {
                _ if *cell == "-" => {}
                Unit::Inodes => {
                    let name = if name == "size" {
                        "inodes".to_owned()
                    } else {
                        format!("inodes_{}", name.replace("available", "free"))
                    };
                    match integer(cell) {
                        Some(count) => document.set(&name, count),
                        None => document.set(&format!("{name}_text"), *cell),
                    }
                }
                Unit::Blocks(unit) => document.set(&format!("{name}_{unit}"), parser_kit::number::signed(cell)?),
                Unit::Text => document.set(&format!("{name}_text"), *cell),
            }
        }
        Some(())
    }
}

fn inodes<'a>(document: &mut Document, behind: &'a str) -> Option<&'a str> {
    let (cells, place) = words::take(behind, 3)?;
    document.set_some("inodes_used", integer(cells[0]));
    document.set_some("inodes_free", integer(cells[1]));
    document.set_some("inodes_used_percent", percent(cells[2]));
    Some(place)
}

/// The unit of `du`, or none where it prints more than sizes and paths.
fn unit(command: &Command<'_>) -> Option<&'static str> {
    let has = |letter, long| command.has(letter, long);
    if has('?', "time") || has('0', "null") {
        return None;
    }
    if has('?', "inodes") {
        return Some("inodes");
    }
    if has('b', "bytes") {
        return Some("size_bytes");
    }
    let is_rounded = has('h', "human-readable") || has('?', "si") || has('B', "block-size");
    Some(match () {
        () if is_rounded => "size_text",
        () if has('m', "") => "size_mib",
        () => "size_kib",
    })
}

pub(crate) fn claim_du(command: &Command<'_>, head: &str) -> Option<u8> {
    (command.program == "du").then_some(())?;
    let field = unit(command)?;
    head.lines().any(|line| usage(field, line).is_some()).then_some(SCORE)
}

pub(crate) fn begin_du(command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Usage { field: unit(command).unwrap_or("size_text") })
}

struct Usage {
    field: &'static str,
}

impl Reader for Usage {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        match usage(self.field, &line.text) {
            Some(document) => sink.row(&document, line),
            None if line.text.trim().is_empty() => {}
            None => sink.leave(line.number, &line.text),
        }
    }

    fn finish(&mut self, _end: End, _sink: &mut Sink) {}
}

/// A tab stands behind the size; a terminal makes blanks of it.
fn usage(field: &str, line: &str) -> Option<Document> {
    let end = line.find([' ', '\t'])?;
    let (size, rest) = line.split_at(end);
    let path = rest.strip_prefix('\t').unwrap_or_else(|| rest.trim_start_matches(' '));
    (!path.is_empty()).then_some(())?;
    let mut document = Document::new();
    match integer(size) {
        Some(number) if field != "size_text" => document.set(field, number),
        _ => document.set("size_text", is_scaled(size).then_some(size)?),
    }
    document.set("path", path);
    Some(document)
}
