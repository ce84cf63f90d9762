//! Columns as kubectl prints them: padded to the widest cell, three blanks between, none behind
//! the last one.

use std::io::{self, Write};

const GAP: usize = 3;

pub(super) struct Table {
    headers: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(headers: &[&str], rows: Vec<Vec<String>>) -> Self {
        Self { headers: headers.iter().map(|&header| header.to_owned()).collect(), rows }
    }

    pub(super) fn write(&self, with_headers: bool, out: &mut impl Write) -> io::Result<()> {
        let shown: Vec<&Vec<String>> = with_headers.then_some(&self.headers).into_iter().chain(&self.rows).collect();
        let width = |column: usize| shown.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.headers.len()).map(width).collect();
        for row in &shown {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<pad$}", pad = width + GAP));
            writeln!(out, "{}", cells.collect::<String>().trim_end())?;
        }
        Ok(())
    }
}
