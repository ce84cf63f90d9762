//! The rows of the table, in its order.

mod bytes;
mod commands;
mod hostile;
mod levels;
mod lines;
mod programs;
mod questions;
mod traps;

use crate::case::Row;

/// Every row.
pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    let parts: [&'static [Row]; 8] = [
        commands::ROWS,
        hostile::ROWS,
        lines::ROWS,
        programs::ROWS,
        questions::ROWS,
        levels::ROWS,
        bytes::ROWS,
        traps::ROWS,
    ];
    parts.into_iter().flatten()
}
