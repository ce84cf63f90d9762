//! Any aligned table, where nothing better is known: cells by their heading, columns by their type.
//!
//! It is claimed with a low score, and only if the head looks like a table throughout: text that is
//! no table must not become one.

use parser_kit::number::{decimal, integer, percent};
use parser_kit::{Command, Document, Layout, Reader, words};
use portcullis_plugin::parser::OutputMeta;
use serde_json::{Map, Value};

use crate::aligned::{Aligned, Row, Table, distinct};

/// Any parser that knows the command knows better.
const SCORE: u8 = 20;
/// A host shows the first 4 KiB; the last line of so much is cut.
const WHOLE_HEAD_BYTES: usize = 4096 - 4;
/// Share of the head's rows that have to fit. Percent.
const FITTING_PERCENT: usize = 90;
/// Programs whose output has columns but no headings, or is text.
const NO_TABLES: [&str; 12] =
    ["ls", "dir", "vdir", "echo", "printf", "grep", "rg", "find", "git", "man", "history", "compgen"];
/// Headings without capitals need columns of numbers below them to be believed.
const MIN_PLAIN_COLUMNS: usize = 3;

pub(crate) fn claim(command: &Command<'_>, head: &str) -> Option<u8> {
    if NO_TABLES.contains(&command.program) {
        return None;
    }
    let mut lines: Vec<&str> = head.lines().collect();
    if head.len() >= WHOLE_HEAD_BYTES {
        lines.pop();
    }
    let heading = *lines.first()?;
    let end = lines.iter().position(|line| line.trim().is_empty()).unwrap_or(lines.len());
    let rows: Vec<&str> = lines.get(1..end)?.iter().copied().filter(|line| !is_ruler(line)).collect();
    is_table(heading, &rows).then_some(SCORE)
}

fn is_table(heading: &str, rows: &[&str]) -> bool {
    let Some(layout) = Layout::detect(heading, rows) else { return false };
    let names: Vec<&str> = layout.names().collect();
    if rows.is_empty() || names.iter().any(|name| !is_name(name)) {
        return false;
    }
    let by_place: Vec<Vec<&str>> = rows.iter().filter_map(|row| layout.cells(row)).collect();
    let fits = by_place.len() * 100 >= rows.len() * FITTING_PERCENT;
    let is_full =
        |column: usize| by_place.iter().filter(|cells| !cells[column].is_empty()).count() * 2 >= by_place.len();
    let full = (0..names.len()).filter(|column| is_full(*column)).count();
    let is_believed = match Case::of(&names) {
        Case::Capitals => full >= 2,
        // Names stand in columns too; below a heading there is a number somewhere.
        Case::Capitalised => full >= 2 && rows.len() >= 2 && has_numbers(&by_place),
        Case::None => {
            let numeric = (0..names.len()).any(|column| kind(&by_place, column) != "text");
            full >= MIN_PLAIN_COLUMNS && rows.len() >= MIN_PLAIN_COLUMNS && numeric
        }
    };
    fits && is_believed
}

/// Whether the cells of any column begin with digits.
fn has_numbers(rows: &[Vec<&str>]) -> bool {
    let columns = rows.first().map_or(0, Vec::len);
    let begins = |cell: &str| cell.starts_with(|symbol: char| symbol.is_ascii_digit());
    (0..columns).any(|column| rows.iter().filter(|cells| begins(cells[column])).count() * 2 >= rows.len())
}

/// How headings are written.
enum Case {
    Capitals,
    Capitalised,
    None,
}

impl Case {
    fn of(names: &[&str]) -> Self {
        let letters = || names.iter().flat_map(|name| name.chars()).filter(|symbol| symbol.is_alphabetic());
        let capitals = letters().filter(|symbol| symbol.is_uppercase()).count();
        if capitals * 3 >= letters().count() * 2 && capitals >= names.len() {
            return Self::Capitals;
        }
        let begins_large =
            |name: &&str| name.starts_with(|symbol: char| symbol.is_uppercase() || !symbol.is_alphabetic());
        if names.iter().all(begins_large) && capitals > 0 { Self::Capitalised } else { Self::None }
    }
}

/// A heading names something: it has a letter and is no number with a unit, and no sentence.
fn is_name(name: &str) -> bool {
    let has_letter = name.chars().any(char::is_alphabetic);
    let is_short = name.split(' ').count() <= 3;
    has_letter
        && is_short
        && !name.starts_with(|symbol: char| symbol.is_ascii_digit())
        && !name.ends_with(['.', ',', ';'])
}

pub(crate) fn begin(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Aligned::new(AnyTable::default()))
}

#[derive(Default)]
struct AnyTable {
    names: Vec<String>,
    kinds: Vec<&'static str>,
}

impl Table for AnyTable {
    fn is_heading(&self, line: &str) -> bool {
        Layout::detect(line, &[]).is_some_and(|layout| layout.names().all(is_name))
            || words::all(line).len() >= 2 && words::all(line).into_iter().all(is_name)
    }

    fn is_ruler(&self, line: &str) -> bool {
        is_ruler(line)
    }

    fn columns(&mut self, headings: &[String], rows: &[Vec<&str>]) -> Option<Document> {
        self.names = distinct(headings.iter().cloned());
        self.kinds = (0..headings.len()).map(|column| kind(rows, column)).collect();
        let columns = self.names.iter().zip(&self.kinds).map(|(name, kind)| {
            let mut column = Document::new();
            column.set("name", name.as_str());
            column.set("type", *kind);
            Value::from(column)
        });
        let mut document = Document::new();
        document.set("columns", columns.collect::<Vec<_>>());
        Some(document)
    }

    fn row(&self, row: &Row<'_>) -> Option<Document> {
        let mut cells = Map::new();
        for ((name, kind), cell) in self.names.iter().zip(&self.kinds).zip(&row.cells) {
            cells.insert(name.clone(), value(kind, cell));
        }
        let mut document = Document::new();
        document.set("line", row.line);
        document.set("cells", cells);
        Some(document)
    }
}

/// `----  ----`, `====`, `---+---`.
fn is_ruler(line: &str) -> bool {
    line.contains(['-', '=', '─']) && line.chars().all(|symbol| "-=+| ─┼".contains(symbol))
}

/// The type that all cells of a column have.
fn kind(rows: &[Vec<&str>], column: usize) -> &'static str {
    let cells = || rows.iter().map(|cells| cells[column]).filter(|cell| !cell.is_empty());
    let all = |fits: fn(&str) -> bool| cells().next().is_some() && cells().all(fits);
    if all(is_plain_integer) {
        "integer"
    } else if all(|cell| decimal(cell).is_some() && !cell.contains(',')) {
        "number"
    } else if all(|cell| percent(cell).is_some()) {
        "percent"
    } else {
        "text"
    }
}

/// Written as a program writes a number: `007` is a name.
fn is_plain_integer(cell: &str) -> bool {
    integer(cell).is_some_and(|number| number.to_string() == cell)
}

fn value(kind: &str, cell: &str) -> Value {
    let number = match kind {
        "integer" if is_plain_integer(cell) => integer(cell).map(Value::from),
        "number" if !cell.contains(',') => decimal(cell).map(Value::from),
        "percent" => percent(cell).map(Value::from),
        _ => None,
    };
    number.unwrap_or_else(|| if cell.is_empty() { Value::Null } else { cell.into() })
}
