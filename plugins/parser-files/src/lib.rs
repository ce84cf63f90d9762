//! Parser for what `stat` and `find -ls` say of files; listings of `ls` have a parser of their own.
//!
//! Each kind is a schema of its own. What does not fit is handed back as it is. Formats of the
//! caller's own (`stat -c`, `find -printf`) are not read.

mod find;
mod mode;
mod stat;
#[cfg(test)]
mod tests;

use parser_kit::{Family, Kind, Of};

/// The kinds of files' descriptions.
pub struct Files;

impl Family for Files {
    const KINDS: &'static [Kind] = &[
        Kind {
            schema: "stat/1",
            json_schema: include_str!("schemas/stat.json"),
            claim: stat::claim,
            begin: stat::begin,
        },
        Kind {
            schema: "find-ls/1",
            json_schema: include_str!("schemas/find-ls.json"),
            claim: find::claim,
            begin: find::begin,
        },
    ];
}

portcullis_plugin::parser!(Of<Files>);
