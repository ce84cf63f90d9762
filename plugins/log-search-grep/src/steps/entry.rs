//! Entries of a log: a line with a time, and the lines that go on from it, such as a stack trace.

use crate::time::{self, Stamp};

/// How lines begin that go on from the one before, in files without times: traces of Java, Python, Go, Rust and
/// Node.
const GOES_ON: [&str; 21] = [
    "Caused by:",
    "Suppressed:",
    "at ",
    "... ",
    "Traceback (",
    "During handling of",
    "The above exception",
    "goroutine ",
    "created by ",
    "[signal ",
    "exit status ",
    "note: run with",
    "note: Some details",
    "stack backtrace:",
    "called `",
    "File \"",
    "})",
    "}",
    "]",
    "main.",
    "runtime.",
];
/// How a trace begins that has no time of its own.
const BEGINS: [&str; 5] = ["Exception in thread", "Traceback (", "panic: ", "fatal error: ", "thread '"];

/// The time of an entry that begins with this line.
pub(super) fn begins(line: &str, reference_ms: i64) -> Option<Stamp> {
    if line.starts_with([' ', '\t']) || GOES_ON.iter().any(|start| line.starts_with(start)) {
        return None;
    }
    time::of_entry(line, reference_ms)
}

/// Whether a line without a time belongs to the one before, judged by itself.
fn goes_on(line: &str) -> bool {
    line.starts_with([' ', '\t']) || GOES_ON.iter().any(|start| line.starts_with(start)) || is_exception(line)
}

/// `java.lang.IllegalStateException: x`, `ValueError: x`: the name of a class that is an error.
fn is_exception(line: &str) -> bool {
    let name = line.split([':', ' ']).next().unwrap_or_default();
    let last = name.rsplit('.').next().unwrap_or_default();
    ["Error", "Exception", "Interrupt", "Warning"].iter().any(|ending| last.ends_with(ending))
        && name.chars().all(|symbol| symbol.is_alphanumeric() || ['.', '_', '$'].contains(&symbol))
}

/// The lines of the entry that line `at` belongs to, first and last, as far as they are among these.
pub(super) fn around(lines: &[&str], at: usize, reference_ms: i64) -> (usize, usize) {
    let dated = |index: usize| begins(lines[index], reference_ms).is_some();
    let first_dated = (0..=at).rev().find(|index| dated(*index));
    // In a file with times everything up to the next one belongs to the entry; in others only what looks like it.
    if let Some(first) = first_dated {
        let last = (at + 1..lines.len()).find(|index| dated(*index)).unwrap_or(lines.len()) - 1;
        return (first, last.max(at));
    }
    let mut first = at;
    while first > 0 && !starts_trace(lines[first]) && (goes_on(lines[first]) || lines[first].is_empty()) {
        first -= 1;
    }
    let mut last = at;
    let in_trace = starts_trace(lines[first]);
    while last + 1 < lines.len() && !dated(last + 1) {
        let next = lines[last + 1];
        // A trace may have an empty line or a line of its own, if it goes on behind it.
        let bridges = in_trace && lines.get(last + 2).is_some_and(|after| goes_on(after)) && !starts_trace(next);
        if !(goes_on(next) || bridges) || (starts_trace(next) && !next.starts_with("Traceback")) {
            break;
        }
        last += 1;
    }
    (first, last)
}

fn starts_trace(line: &str) -> bool {
    BEGINS.iter().any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry_of(text: &str, at: usize) -> (usize, usize) {
        around(&text.lines().collect::<Vec<_>>(), at, 1_772_440_400_000)
    }

    #[test]
    fn a_trace_behind_a_dated_line_is_one_entry() {
        let java = "2026-03-02 08:31:40 INFO a\n2026-03-02 08:31:41 ERROR b\njava.lang.X: y\n\tat a.B(C.java:1)\n\
                    Caused by: z at 2026-01-01 00:00:00\n\t... 3 more\n2026-03-02 08:31:42 INFO c";
        for at in 1..=5 {
            assert_eq!(entry_of(java, at), (1, 5), "{at}");
        }
        assert_eq!(entry_of(java, 0), (0, 0));
        assert_eq!(entry_of(java, 6), (6, 6));
    }

    #[test]
    fn traces_without_times_are_kept_whole() {
        for (text, at, entry) in [
            ("a\nTraceback (most recent call last):\n  File \"x.py\", line 1\n    f()\nValueError: bad\nb", 4, (1, 4)),
            ("a\npanic: bad\n\ngoroutine 1 [running]:\nmain.f()\n\t/x.go:1 +0x1d\nexit status 2\nb", 1, (1, 6)),
            ("a\nthread 'main' panicked at src/main.rs:2:5:\nbad\nnote: run with `RUST_BACKTRACE=1`\nb", 1, (1, 3)),
            ("a\nTypeError: bad\n    at f (/x.js:1:2)\n    at g (/x.js:3:4)\nb", 2, (0, 3)),
            ("a\nb\nc", 1, (1, 1)),
        ] {
            assert_eq!(entry_of(text, at), entry, "{text}");
        }
    }
}
