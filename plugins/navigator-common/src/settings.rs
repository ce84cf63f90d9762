//! What navigators' settings have in common: the shell behind a bastion, and bounds of times and texts.

use std::ops::RangeInclusive;

use portcullis_plugin::config::diagnostic;
use portcullis_plugin::{ConfigDiagnostic, ShellDialect};
use serde::Deserialize;

/// Longest time without a byte before a screen is looked at. Milliseconds.
const MAX_QUIET_MS: u32 = 5_000;
/// A menu's text is a few words. Bytes.
const MAX_TEXT_BYTES: usize = 200;

/// The dialect of a shell, by name.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    #[default]
    Unknown,
    Posix,
    Bash,
    Zsh,
    Fish,
    Tcsh,
}

impl From<Dialect> for ShellDialect {
    fn from(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Unknown => Self::Unknown,
            Dialect::Posix => Self::Posix,
            Dialect::Bash => Self::Bash,
            Dialect::Zsh => Self::Zsh,
            Dialect::Fish => Self::Fish,
            Dialect::Tcsh => Self::Tcsh,
        }
    }
}

/// What is wrong with a time to wait for an answer, in milliseconds.
pub fn wrong_timeout(path: &str, value: u32, range: &RangeInclusive<u32>) -> Option<ConfigDiagnostic> {
    let (low, high) = (range.start(), range.end());
    (!range.contains(&value)).then(|| diagnostic(path, format!("{value} is not between {low} and {high} milliseconds")))
}

/// What is wrong with a time of silence, in milliseconds.
pub fn wrong_quiet(path: &str, value: u32) -> Option<ConfigDiagnostic> {
    (value > MAX_QUIET_MS).then(|| diagnostic(path, format!("{value} is more than {MAX_QUIET_MS} milliseconds")))
}

/// What is wrong with a text that is looked for on the screen.
pub fn wrong_text(path: &str, text: &str) -> Option<ConfigDiagnostic> {
    let is_wrong = text.trim().is_empty() || text.len() > MAX_TEXT_BYTES || text.contains(char::is_control);
    is_wrong.then(|| diagnostic(path, format!("must be plain text of 1 to {MAX_TEXT_BYTES} bytes")))
}
