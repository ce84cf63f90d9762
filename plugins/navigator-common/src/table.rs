//! Tables on a screen: the header says which display columns a field takes.
//!
//! Chinese characters are two columns wide, so positions are counted in columns, never in bytes or
//! characters. Two forms are read: fields between bars (`1 | web-1 | 10.0.0.1`), where every row has
//! to have its bars exactly below the header's, and fields in columns parted by blanks. A row that
//! does not fit its header is no row: a name that holds a bar must not move another field.

use unicode_width::UnicodeWidthChar;

/// A table's place among the lines and the ranges of its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Titles, as written.
    pub titles: Vec<String>,
    /// Fields of each row, trimmed.
    pub rows: Vec<Vec<String>>,
    /// Index of the first line below.
    pub end: usize,
}

/// Display columns, from the first to behind the last.
type Range = std::ops::Range<usize>;

impl Table {
    /// The last table with bars whose first title is `first`, of at least two columns.
    pub fn with_bars(lines: &[String], first: &str) -> Option<Self> {
        let head = lines.iter().rposition(|line| {
            let mut titles = line.split('|').map(str::trim);
            titles.next() == Some(first) && titles.next().is_some()
        })?;
        let bars = positions(&lines[head], '|');
        let ranges = between(&bars);
        let cut = |line: &String| (positions(line, '|') == bars).then(|| cells(line, &ranges));
        let from = head + 1 + usize::from(lines.get(head + 1).is_some_and(|line| is_rule(line)));
        let rows: Vec<Vec<String>> = lines[from..].iter().map_while(cut).collect();
        let end = from + rows.len();
        Some(Self { titles: cells(&lines[head], &ranges), rows, end })
    }

    /// The table below line `head`, whose titles stand where their columns begin and are parted by
    /// at least two blanks, or by one where there are no two. Rows go on to the first line that is
    /// blank or for which `is_row` does not hold.
    pub fn below(lines: &[String], head: usize, is_row: impl Fn(&[String]) -> bool) -> Option<Self> {
        let starts = title_starts(lines.get(head)?);
        let ranges: Vec<Range> = starts
            .iter()
            .enumerate()
            .map(|(index, start)| *start..starts.get(index + 1).copied().unwrap_or(usize::MAX))
            .collect();
        let from = head + 1 + usize::from(lines.get(head + 1).is_some_and(|line| is_rule(line)));
        let row = |line: &String| {
            let fields = cells(line, &ranges);
            (!line.trim().is_empty() && begins_apart(line, &starts) && is_row(&fields)).then_some(fields)
        };
        let rows: Vec<Vec<String>> = lines[from.min(lines.len())..].iter().map_while(row).collect();
        let end = from + rows.len();
        Some(Self { titles: cells(&lines[head], &ranges), rows, end })
    }

    /// The column whose title is one of these, small and large letters alike.
    pub fn column(&self, titles: &[&str]) -> Option<usize> {
        let same = |title: &String| titles.iter().any(|wanted| wanted.to_lowercase() == title.to_lowercase());
        self.titles.iter().position(same)
    }
}

/// Characters with the display column each begins at.
fn columns(line: &str) -> impl Iterator<Item = (usize, char)> {
    let mut column = 0;
    line.chars().map(move |symbol| {
        let at = column;
        column += symbol.width().unwrap_or(0);
        (at, symbol)
    })
}

fn positions(line: &str, wanted: char) -> Vec<usize> {
    columns(line).filter(|(_, symbol)| *symbol == wanted).map(|(at, _)| at).collect()
}

fn between(bars: &[usize]) -> Vec<Range> {
    let mut ranges = Vec::new();
    let mut from = 0;
    for bar in bars {
        ranges.push(from..*bar);
        from = bar + 1;
    }
    ranges.push(from..usize::MAX);
    ranges
}

fn cells(line: &str, ranges: &[Range]) -> Vec<String> {
    let cut = |range: &Range| -> String {
        columns(line).filter(|(at, _)| range.contains(at)).map(|(_, symbol)| symbol).collect()
    };
    ranges.iter().map(|range| cut(range).trim().to_owned()).collect()
}

/// Whether a field begins at each start, so that no longer field has pushed the next one along.
fn begins_apart(line: &str, starts: &[usize]) -> bool {
    let at = |column: usize| columns(line).find(|(at, _)| *at == column).map(|(_, symbol)| symbol);
    starts.iter().skip(1).all(|start| at(start - 1).is_none_or(|symbol| symbol == ' '))
}

fn title_starts(line: &str) -> Vec<usize> {
    let starts = |gap: usize| {
        let (mut found, mut blanks) = (Vec::new(), gap);
        for (at, symbol) in columns(line) {
            if symbol == ' ' {
                blanks += 1;
                continue;
            }
            if blanks >= gap {
                found.push(at);
            }
            blanks = 0;
        }
        found
    };
    let wide = starts(2);
    if wide.len() > 1 { wide } else { starts(1) }
}

/// A line of `-`, `+`, `=` and blanks.
fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.len() > 2 && line.chars().all(|symbol| "-+=| ─┼━".contains(symbol))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    const BARS: &str = "Opt> /web\n  ID | 名称       | 地址\n-----+------------+----------\n  1  | 支付网关-1 | 10.0.0.1\n  2  | web-2      | 10.0.0.2\n页码：1";

    #[test]
    fn fields_between_bars_are_cut_by_display_width() {
        let table = Table::with_bars(&lines(BARS), "ID").unwrap();
        assert_eq!(table.titles, ["ID", "名称", "地址"]);
        assert_eq!(table.rows, [["1", "支付网关-1", "10.0.0.1"], ["2", "web-2", "10.0.0.2"]]);
        assert_eq!((table.end, table.column(&["Name", "名称"])), (5, Some(1)));
    }

    #[test]
    fn a_row_whose_bars_stand_elsewhere_ends_the_table() {
        for row in ["  2  | we|-2     | 10.0.0.2", "  2  | web-2       | 10.0.0.2", "  2  | web-2"] {
            let text = BARS.replace("  2  | web-2      | 10.0.0.2", row);
            assert_eq!(Table::with_bars(&lines(&text), "ID").unwrap().rows.len(), 1, "{row}");
        }
        assert_eq!(Table::with_bars(&lines("NAME | ID\n"), "ID"), None);
    }

    #[test]
    fn fields_below_titles_are_cut_by_display_width() {
        let text = "编号  主机名        地址\n1     支付网关 1    10.0.0.1\n2     web-2         10.0.0.2\n\n3 x";
        let table = Table::below(&lines(text), 0, |fields| fields[0].parse::<u32>().is_ok()).unwrap();
        assert_eq!(table.rows, [["1", "支付网关 1", "10.0.0.1"], ["2", "web-2", "10.0.0.2"]]);
    }

    #[test]
    fn a_field_that_runs_into_the_next_is_no_row() {
        let text = "NAME      ADDRESS\nweb-1     10.0.0.1\nlonger-than-it 10.0.0.2\n";
        assert_eq!(Table::below(&lines(text), 0, |_| true).unwrap().rows, [["web-1", "10.0.0.1"]]);
    }
}
