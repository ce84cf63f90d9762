//! Rows of processes, as `ps` and `top` print them: which column is which, and where it ends.
//!
//! Only a command and a date may hold blanks. With one such column the others are counted from both
//! sides; with more, rows have to keep to the positions of their headings.

use parser_kit::number::{decimal, integer, percent, signed};
use parser_kit::{Document, Layout, words};

/// How a cell is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    Count,
    Signed,
    Percent,
    /// KiB, or text with a unit.
    Size,
    /// `[[days-]hours:]minutes:seconds`
    Duration,
    Text,
    /// Text that may hold blanks.
    Free,
    /// A date that may be of several words.
    Date,
}

/// A heading, the field's name, and how its cells are read.
const COLUMNS: [(&str, &str, Read); 56] = [
    ("PID", "pid", Read::Count),
    ("PPID", "ppid", Read::Count),
    ("PGID", "pgid", Read::Count),
    ("PGRP", "pgid", Read::Count),
    ("SID", "sid", Read::Count),
    ("SESS", "sid", Read::Count),
    ("TGID", "tgid", Read::Count),
    ("TID", "tid", Read::Count),
    ("LWP", "tid", Read::Count),
    ("SPID", "tid", Read::Count),
    ("NLWP", "threads", Read::Count),
    ("THCNT", "threads", Read::Count),
    ("nTH", "threads", Read::Count),
    ("USER", "user", Read::Text),
    ("EUSER", "user", Read::Text),
    ("RUSER", "real_user", Read::Text),
    ("UID", "user", Read::Text),
    ("EUID", "user", Read::Text),
    ("GROUP", "group", Read::Text),
    ("GID", "gid", Read::Text),
    ("RGROUP", "real_group", Read::Text),
    ("%CPU", "cpu_percent", Read::Percent),
    ("C", "cpu_usage", Read::Count),
    ("%MEM", "memory_percent", Read::Percent),
    ("%VSZ", "virtual_percent", Read::Percent),
    ("VSZ", "virtual_kib", Read::Size),
    ("VIRT", "virtual_kib", Read::Size),
    ("RSS", "resident_kib", Read::Size),
    ("RES", "resident_kib", Read::Size),
    ("SHR", "shared_kib", Read::Size),
    ("SWAP", "swap_kib", Read::Size),
    ("SZ", "size_pages", Read::Count),
    ("TTY", "tty", Read::Text),
    ("TT", "tty", Read::Text),
    ("STAT", "state", Read::Text),
    ("S", "state", Read::Text),
    ("START", "started", Read::Date),
    ("STARTED", "started", Read::Date),
    ("STIME", "started", Read::Date),
    ("TIME", "cpu_time", Read::Duration),
    ("TIME+", "cpu_time", Read::Duration),
    ("CPUTIME", "cpu_time", Read::Duration),
    ("ELAPSED", "elapsed", Read::Duration),
    ("NI", "nice", Read::Signed),
    ("NICE", "nice", Read::Signed),
    ("PRI", "priority", Read::Signed),
    ("PR", "priority", Read::Signed),
    ("PSR", "processor", Read::Count),
    ("P", "processor", Read::Count),
    ("F", "flags", Read::Text),
    ("CLS", "class", Read::Text),
    ("WCHAN", "wchan", Read::Text),
    ("COMMAND", "command", Read::Free),
    ("CMD", "command", Read::Free),
    ("ARGS", "command", Read::Free),
    ("UNIT", "unit", Read::Text),
];
/// A heading has at least one of these.
const TELLING: [&str; 9] = ["PID", "PPID", "COMMAND", "CMD", "USER", "%CPU", "%MEM", "RSS", "TTY"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The columns of a heading.
pub(crate) struct Columns {
    heading: String,
    columns: Vec<(String, Read)>,
}

impl Columns {
    /// None when the line is no heading.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let words = words::all(line);
        let is_heading = words.iter().any(|word| TELLING.contains(word)) && words.iter().all(|word| !is_number(word));
        is_heading.then_some(())?;
        let mut columns: Vec<(String, Read)> = Vec::new();
        for word in words {
            let known = COLUMNS.iter().find(|(heading, ..)| *heading == word);
            let (field, read) =
                known.map_or_else(|| (unknown(word), Read::Text), |(_, field, read)| ((*field).to_owned(), *read));
            // `ps -o pid,comm,args` has two commands.
            let earlier = columns.iter().filter(|(name, _)| name.split("_column_").next() == Some(&field)).count();
            columns.push(if earlier > 0 { (format!("{field}_column_{}", earlier + 1), read) } else { (field, read) });
        }
        Some(Self { heading: line.to_owned(), columns })
    }

    /// One process; none when the row does not fit.
    pub(crate) fn row(&self, row: &str) -> Option<Document> {
        let free = self.columns.iter().filter(|(_, read)| *read == Read::Free).count();
        let cells = if free > 1 { self.by_position(row)? } else { self.by_number(row)? };
        let mut document = Document::new();
        for ((field, read), cell) in self.columns.iter().zip(cells) {
            set(&mut document, field, *read, cell)?;
        }
        Some(document)
    }

    fn by_position<'a>(&self, row: &'a str) -> Option<Vec<&'a str>> {
        let cells = Layout::detect(&self.heading, &[row])?.cells(row)?;
        (cells.len() == self.columns.len()).then_some(cells)
    }

    fn by_number<'a>(&self, row: &'a str) -> Option<Vec<&'a str>> {
        let mut cells = Vec::with_capacity(self.columns.len());
        let mut rest = row;
        for (index, (_, read)) in self.columns.iter().enumerate() {
            if *read == Read::Free {
                let (command, behind) = from_the_right(rest, self.columns.len() - index - 1)?;
                cells.push(command);
                cells.extend(behind);
                return Some(cells);
            }
            let is_before_percent = self.columns.get(index + 1).is_some_and(|(_, read)| *read == Read::Percent);
            let (cell, behind) = match read {
                Read::Date => date(rest)?,
                Read::Size if is_before_percent => size(rest)?,
                _ => words::next(rest)?,
            };
            cells.push(cell);
            rest = self.behind_mark(index, row, behind);
        }
        rest.trim().is_empty().then_some(cells)
    }

    /// BusyBox writes a state of three letters, of which the second may be a blank: `S <`. The mark
    /// stands where the state's column still is.
    fn behind_mark<'a>(&self, index: usize, row: &str, behind: &'a str) -> &'a str {
        let is_before_command = self.columns.get(index + 1).is_some_and(|(_, read)| *read == Read::Free);
        let is_state = self.columns[index].0 == "state" && is_before_command;
        let Some(rest) = behind.strip_prefix(" <").or_else(|| behind.strip_prefix(" N")).filter(|_| is_state) else {
            return behind;
        };
        let command = self.heading.find("COMMAND");
        let mark = row.len() - rest.len();
        if rest.starts_with("  ") && command.is_some_and(|command| mark < command) { rest } else { behind }
    }
}

/// The field of a heading that is not known: a name of its own, as the known ones have a type.
fn unknown(heading: &str) -> String {
    const TAKEN: [&str; 6] = ["uid", "cpu_seconds", "elapsed_seconds", "uptime", "load", "tasks"];
    let field = words::field_name(heading);
    let is_taken = TAKEN.contains(&field.as_str()) || COLUMNS.iter().any(|(_, known, _)| *known == field);
    if is_taken { format!("{field}_shown") } else { field }
}

/// The first columns of the row from the right, and what stands before them.
fn from_the_right(text: &str, count: usize) -> Option<(&str, Vec<&str>)> {
    let mut rest = text.trim_matches(' ');
    let mut cells = Vec::new();
    for _ in 0..count {
        let (before, cell) = rest.rsplit_once(' ')?;
        cells.push(cell);
        rest = before.trim_end_matches(' ');
    }
    cells.reverse();
    Some((rest, cells))
}

/// BusyBox leaves no blank before a share of more than two digits: `266g1067%`.
fn size(text: &str) -> Option<(&str, &str)> {
    let (word, rest) = words::next(text)?;
    let unit = word.find(|symbol: char| symbol.is_ascii_lowercase());
    match unit.filter(|_| word.ends_with('%')) {
        Some(unit) => Some((&word[..=unit], &text[text.len() - rest.len() - (word.len() - unit - 1)..])),
        None => Some((word, rest)),
    }
}

/// `18:20`, `Nov25`, `Nov 25`, `Wed Nov 25 18:20:25 2026`.
fn date(text: &str) -> Option<(&str, &str)> {
    let (first, _) = words::next(text)?;
    let count = if WEEKDAYS.contains(&first) {
        5
    } else if MONTHS.contains(&first) {
        2
    } else {
        1
    };
    let start = text.trim_start_matches(' ');
    let mut rest = start;
    for _ in 0..count {
        rest = words::next(rest)?.1;
    }
    Some((&start[..start.len() - rest.len()], rest))
}

/// None when the cell cannot be of its column.
fn set(document: &mut Document, field: &str, read: Read, cell: &str) -> Option<()> {
    match read {
        Read::Count if cell == "-" => {}
        Read::Count => document.set(field, integer(cell)?),
        Read::Signed => match signed(cell) {
            Some(number) => document.set(field, number),
            // A real-time priority is `rt`, none is `-`.
            None => document.set(&format!("{field}_text"), cell),
        },
        Read::Percent => document.set(field, percent(cell).or_else(|| decimal(cell))?),
        Read::Size => match integer(cell) {
            Some(number) => document.set(field, number),
            None => document.set(&field.replace("_kib", "_text"), parser_kit::number::is_scaled(cell).then_some(cell)?),
        },
        Read::Duration => {
            document.set(field, cell);
            let name = if field == "elapsed" { "elapsed_seconds" } else { "cpu_seconds" };
            document.set_some(name, seconds(cell));
        }
        // What is called UID is a number only where no name is shown.
        Read::Text if field == "user" && integer(cell).is_some() => document.set_some("uid", integer(cell)),
        Read::Text | Read::Date => document.set(field, cell),
        Read::Free => document.set(field, (!cell.is_empty()).then_some(cell)?),
    }
    Some(())
}

/// `[[days-]hours:]minutes:seconds[.hundredths]`
pub(crate) fn seconds(text: &str) -> Option<f64> {
    let (days, clock) = text.split_once('-').unwrap_or(("0", text));
    let parts: Vec<&str> = clock.split(':').collect();
    (2..=3).contains(&parts.len()).then_some(())?;
    let (last, whole) = parts.split_last()?;
    let minutes = whole.iter().try_fold(0, |sum: u64, part| sum.checked_mul(60)?.checked_add(integer(part)?))?;
    let minutes = integer(days)?.checked_mul(24 * 60)?.checked_add(minutes)?;
    let minutes = u32::try_from(minutes).ok()?;
    let fraction = decimal(last).filter(|seconds| (0.0..60.0).contains(seconds))?;
    Some(f64::from(minutes) * 60.0 + fraction)
}

fn is_number(word: &str) -> bool {
    word.starts_with(|symbol: char| symbol.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn durations() {
        for (text, wanted) in [
            ("0:31", Some(31.0)),
            ("00:01:02", Some(62.0)),
            ("1-02:03:04", Some(93_784.0)),
            ("1:51.95", Some(111.95)),
            ("0:60", None),
            ("1h23", None),
            ("31", None),
        ] {
            assert_eq!(seconds(text), wanted, "{text}");
        }
    }
}
