//! Columns of an aligned table: where they lie is seen from the heading and from rows together.
//!
//! Positions are display columns, so that wide characters (CJK) count as two. A row that crosses
//! from one column into the next fits only if its words say by their number what belongs where.

use unicode_width::UnicodeWidthChar;

use crate::words;

/// The columns of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    columns: Vec<Column>,
}

/// One column: it reaches to the start of the next, the last one to the end of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Column {
    name: String,
    start: usize,
}

/// A run of positions that are not blank in heading and rows together.
struct Segment {
    start: usize,
    end: usize,
    heading: String,
    /// Any row has something here.
    filled: bool,
}

impl Layout {
    /// Sees the columns from a heading and rows below it. None when there are fewer than two.
    pub fn detect(heading: &str, rows: &[&str]) -> Option<Self> {
        let segments = merge(segments(heading, rows));
        let columns: Vec<_> = segments.into_iter().flat_map(split).collect();
        (columns.len() >= 2).then_some(Self { columns })
    }

    /// The headings, in order. The first is empty where rows have something before any heading.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// A row's cells, one for each column, trimmed. None when the row does not fit.
    pub fn cells<'a>(&self, row: &'a str) -> Option<Vec<&'a str>> {
        self.by_position(row).or_else(|| self.by_number(row))
    }

    fn by_position<'a>(&self, row: &'a str) -> Option<Vec<&'a str>> {
        let mut cells = Vec::with_capacity(self.columns.len());
        let mut symbols = row.char_indices().peekable();
        let (mut position, mut from, mut before_is_blank) = (0, 0, true);
        for next in self.columns.iter().skip(1).map(|column| column.start) {
            while let Some((_, symbol)) = symbols.next_if(|(_, symbol)| position + width(*symbol) <= next) {
                position += width(symbol);
                before_is_blank = symbol == ' ' || symbol == '\t';
            }
            let at = symbols.peek().map_or(row.len(), |(at, _)| *at);
            let crosses = !before_is_blank && at < row.len();
            // A wide character that begins before the column and ends in it is in neither.
            let is_torn = position < next && at < row.len();
            if crosses || is_torn {
                return None;
            }
            cells.push(row[from..at].trim());
            from = at;
        }
        cells.push(row[from..].trim());
        Some(cells)
    }

    /// Where one cell outgrew its column: as many fields, with two blanks between them, as columns.
    fn by_number<'a>(&self, row: &'a str) -> Option<Vec<&'a str>> {
        let wide: Vec<&str> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        if wide.len() == self.columns.len() {
            return Some(wide);
        }
        let words = words::all(row);
        (words.len() == self.columns.len()).then_some(words)
    }
}

/// Of so many rows one may stand across a gap that all others keep.
const ROWS_PER_STRAY: usize = 20;

/// How many display columns a character takes.
fn width(symbol: char) -> usize {
    symbol.width().unwrap_or(0)
}

/// How many display columns a text takes.
pub fn display_width(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// Counts for every position in how many texts something stands there.
fn mark(text: &str, filled: &mut Vec<usize>) {
    let mut position = 0;
    for symbol in text.chars() {
        let end = position + width(symbol);
        if filled.len() < end {
            filled.resize(end, 0);
        }
        if !symbol.is_whitespace() {
            filled[position..end].iter_mut().for_each(|count| *count += 1);
        }
        position = end;
    }
}

fn segments(heading: &str, rows: &[&str]) -> Vec<Segment> {
    let (mut above, mut below) = (Vec::new(), Vec::new());
    mark(heading, &mut above);
    rows.iter().for_each(|row| mark(row, &mut below));
    let length = above.len().max(below.len());
    above.resize(length, 0);
    below.resize(length, 0);
    let strays = rows.len() / ROWS_PER_STRAY;
    let mut segments: Vec<Segment> = Vec::new();
    for position in 0..length {
        if above[position] == 0 && below[position] <= strays {
            continue;
        }
        match segments.last_mut().filter(|segment| segment.end == position) {
            Some(segment) => segment.end = position + 1,
            None => {
                segments.push(Segment { start: position, end: position + 1, heading: String::new(), filled: false });
            }
        }
    }
    for segment in &mut segments {
        segment.filled = below[segment.start..segment.end].iter().any(|count| *count > strays);
        segment.heading = slice(heading, segment.start, segment.end);
    }
    segments
}

/// The text between two positions.
fn slice(text: &str, start: usize, end: usize) -> String {
    let mut position = 0;
    let inside = |symbol: &char| {
        let at = position;
        position += width(*symbol);
        at >= start && at < end
    };
    text.chars().filter(inside).collect()
}

/// Joins what is one column: words without a heading belong to the column before them, and so does
/// a heading's second word (`LAST SEEN`) with nothing below it.
fn merge(segments: Vec<Segment>) -> Vec<Segment> {
    let mut merged: Vec<Segment> = Vec::new();
    for segment in segments {
        let is_second_word =
            |last: &Segment| !segment.filled && !last.heading.is_empty() && segment.start == last.end + 1;
        match merged.last_mut() {
            Some(last) if segment.heading.trim().is_empty() => last.end = segment.end,
            Some(last) if is_second_word(last) => {
                last.heading.push(' ');
                last.heading.push_str(&segment.heading);
                last.end = segment.end;
            }
            _ => merged.push(segment),
        }
    }
    merged
}

/// Headings with two blanks between them are two columns, even if a row crosses from one into the
/// other; the second then begins where its heading does.
fn split(segment: Segment) -> Vec<Column> {
    let mut columns = Vec::new();
    let mut blanks = 0;
    let mut position = segment.start;
    for symbol in segment.heading.chars() {
        if symbol == ' ' {
            blanks += 1;
        } else {
            if columns.is_empty() {
                columns.push(Column { name: String::new(), start: segment.start });
            } else if blanks >= 2 {
                columns.push(Column { name: String::new(), start: position });
            }
            if let Some(column) = columns.last_mut() {
                let blank = if blanks == 1 && !column.name.is_empty() { " " } else { "" };
                column.name.push_str(blank);
                column.name.push(symbol);
            }
            blanks = 0;
        }
        position += width(symbol);
    }
    if columns.is_empty() {
        columns.push(Column { name: String::new(), start: segment.start });
    }
    columns
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn table(text: &str) -> (Vec<String>, Vec<Option<Vec<&str>>>) {
        let mut lines = text.lines();
        let heading = lines.next().unwrap();
        let rows: Vec<&str> = lines.collect();
        let layout = Layout::detect(heading, &rows).unwrap();
        (layout.names().map(str::to_owned).collect(), rows.iter().map(|row| layout.cells(row)).collect())
    }

    #[test]
    fn headings_of_two_words_are_one_column() {
        let (names, rows) = table(
            "CONTAINER ID   IMAGE     CREATED        PORTS     NAMES\n\
             0123456789ab   nginx     2 days ago               web\n\
             1123456789ab   redis:7   10 hours ago             my cache\n",
        );
        assert_eq!(names, ["CONTAINER ID", "IMAGE", "CREATED", "PORTS", "NAMES"]);
        assert_eq!(rows[1], Some(vec!["1123456789ab", "redis:7", "10 hours ago", "", "my cache"]));
        let (names, _) = table("LAST SEEN   NOMINATED NODE   READINESS GATES\n5m          <none>           <none>\n");
        assert_eq!(names, ["LAST SEEN", "NOMINATED NODE", "READINESS GATES"]);
    }

    #[test]
    fn numbers_stand_under_the_end_of_their_heading() {
        let (names, rows) = table("Filesystem  Size Used\nudev       7.9G    0\n/dev/sda1   250G 143M\n");
        assert_eq!(names, ["Filesystem", "Size", "Used"]);
        assert_eq!(rows[0], Some(vec!["udev", "7.9G", "0"]));
    }

    #[test]
    fn wide_characters_count_as_two() {
        let (names, rows) = table("名前    状態    年齢\nウェブ  実行中  3d\nab      停止    12d\n");
        assert_eq!(names, ["名前", "状態", "年齢"]);
        assert_eq!(rows[1], Some(vec!["ab", "停止", "12d"]));
    }

    #[test]
    fn a_row_that_outgrows_its_column_fits_by_its_words_or_not_at_all() {
        let heading = "NAME   AGE   NOTE";
        let layout = Layout::detect(heading, &["web    5d    x y", "db     6d    z"]).unwrap();
        assert_eq!(layout.cells("a-long-name   7d   n"), Some(vec!["a-long-name", "7d", "n"]));
        assert_eq!(layout.cells("a-long-name 7d n m"), None);
    }

    proptest! {
        #[test]
        fn cells_are_the_row_without_blanks(heading in "[A-Z ]{0,30}", rows in proptest::collection::vec("[a-z0-9 あ-う]{0,40}", 0..6)) {
            let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
            if let Some(layout) = Layout::detect(&heading, &rows) {
                for row in &rows {
                    let Some(cells) = layout.cells(row) else { continue };
                    prop_assert_eq!(cells.len(), layout.names().len());
                    let dense = |text: &str| text.replace(' ', "");
                    prop_assert_eq!(dense(&cells.concat()), dense(row));
                }
            }
        }
    }
}
