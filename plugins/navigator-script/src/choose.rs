//! One row of a table on the screen: exactly one, or the rows that leave it open.

use std::collections::BTreeMap;

use navigator_common::table::Table;
use regex_lite::Regex;

use crate::script::Choose;
use crate::text::{Values, filled, pattern};

/// Values of a row by name.
pub(crate) type Fields = BTreeMap<String, String>;

/// Why there is no row to choose from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// No table, or not to its end.
    Missing,
    /// A title that the script names is not there.
    NoColumn(String),
}

/// The rows of the table in these lines.
pub(crate) fn rows(
    choose: &Choose,
    lines: &[String],
    patterns: &Values,
    values: &Values,
) -> Result<Vec<Fields>, Unreadable> {
    let compiled = |text: &str| pattern(text, patterns, values).and_then(Result::ok).ok_or(Unreadable::Missing);
    if let Some(row) = &choose.row {
        let row = compiled(row)?;
        return Ok(lines.iter().filter_map(|line| fields_of(&row, line)).collect());
    }
    let header = compiled(choose.header.as_deref().unwrap_or_default())?;
    let head = lines.iter().rposition(|line| header.is_match(line)).ok_or(Unreadable::Missing)?;
    let first = lines[head].split('|').next().unwrap_or_default().trim();
    let table = match lines[head].contains('|') {
        true => Table::with_bars(lines, first),
        false => Table::below(lines, head, |_| true),
    };
    let table = table.ok_or(Unreadable::Missing)?;
    let mut columns = Vec::new();
    for (field, titles) in &choose.columns {
        let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
        columns.push((field, table.column(&titles).ok_or_else(|| Unreadable::NoColumn(field.clone()))?));
    }
    let read = |row: &Vec<String>| columns.iter().map(|(field, at)| ((*field).clone(), row[*at].clone())).collect();
    Ok(table.rows.iter().map(read).collect())
}

fn fields_of(row: &Regex, line: &str) -> Option<Fields> {
    let found = row.captures(line)?;
    let field = |name: &str| found.name(name).map(|value| (name.to_owned(), value.as_str().to_owned()));
    Some(row.capture_names().flatten().filter_map(field).collect())
}

/// Whether a row is the one that is meant.
pub(crate) fn fits(choose: &Choose, row: &Fields, values: &Values) -> bool {
    let same = |field: &String, text: &String| filled(text, values).map(|wanted| row.get(field) == Some(&wanted));
    let is_one = |wanted: &BTreeMap<String, String>| wanted.iter().all(|(field, text)| same(field, text) == Some(true));
    // A half that the route does not know is no condition.
    let also = choose.and.iter().all(|(field, text)| same(field, text).unwrap_or(true));
    also && choose.fits.iter().any(is_one)
}
