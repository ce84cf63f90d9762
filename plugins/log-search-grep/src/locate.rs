//! Takes `file:12:text` and `file-12-text` apart. Names may have colons, dashes and numbers of
//! their own, so a line may be read in several ways; [`crate::groups`] decides between them.

use crate::sources::holds;

/// More ways than this to read one line are not followed up.
const MAX_READINGS: usize = 64;

/// One way to read a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Where the path ends in the line. Bytes.
    pub(crate) path_end: usize,
    pub(crate) number: u64,
    /// Where the text begins in the line. Bytes.
    pub(crate) text_start: usize,
    /// `:`, a line that matched; else `-`, a line of context.
    pub(crate) matched: bool,
}

/// Every way to read a line whose path lies in one of the sources, shortest path first.
pub(crate) fn readings(line: &str, sources: &[String], context: bool) -> Vec<Reading> {
    let bytes = line.as_bytes();
    let mut found = Vec::new();
    for (at, separator) in bytes.iter().enumerate() {
        if *separator != b':' && !(context && *separator == b'-') {
            continue;
        }
        if let Some((number, text_start)) = number_between(bytes, at, *separator)
            && sources.iter().any(|source| holds(source, &line[..at]))
        {
            found.push(Reading { path_end: at, number, text_start, matched: *separator == b':' });
            if found.len() == MAX_READINGS {
                break;
            }
        }
    }
    found
}

/// The number that stands between the separator at `at` and the next one of its kind.
fn number_between(bytes: &[u8], at: usize, separator: u8) -> Option<(u64, usize)> {
    let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let end = at + 1 + digits;
    // A line number has no leading zero; a time of day may.
    if digits == 0 || bytes[at + 1] == b'0' || bytes.get(end) != Some(&separator) {
        return None;
    }
    let number = std::str::from_utf8(&bytes[at + 1..end]).ok()?.parse().ok()?;
    Some((number, end + 1))
}
