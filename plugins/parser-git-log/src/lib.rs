//! Parser for the history of a git repository: `git log` and what prints as it does, differences in
//! numbers (`git diff --stat`), branches (`git branch -vv`).
//!
//! Each kind is a schema of its own. Differences themselves (`-p`), graphs of more than one line for
//! a commit, and formats of the caller's own are not read. What does not fit is handed back as it is.

mod branch;
mod command;
mod log;
mod stat;
#[cfg(test)]
mod tests;

use parser_kit::{Family, Kind, Of};

/// The kinds of a repository's history.
pub struct History;

macro_rules! kind {
    ($schema:literal, $file:literal, $claim:path, $begin:path) => {
        Kind { schema: $schema, json_schema: include_str!(concat!("schemas/", $file)), claim: $claim, begin: $begin }
    };
}

impl Family for History {
    const KINDS: &'static [Kind] = &[
        kind!("git-log/1", "git-log.json", log::claim, log::begin),
        kind!("git-diff-stat/1", "git-diff-stat.json", stat::claim, stat::begin),
        kind!("git-branch/1", "git-branch.json", branch::claim, branch::begin),
    ];
}

portcullis_plugin::parser!(Of<History>);
