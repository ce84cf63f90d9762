//! Differences in numbers: the lines of `--stat`, `--numstat`, `--shortstat` and `--name-status`,
//! and the command `git diff` with one of them.

use parser_kit::number::integer;
use parser_kit::{Command, Document, End, Reader, Sink, words};
use portcullis_plugin::c_string;
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;

use crate::command;

/// The command says what the output is.
const SCORE: u8 = 90;
const IN_NUMBERS: [&str; 4] = ["--stat", "--numstat", "--shortstat", "--name-status"];
/// Options that print the difference itself, or end names with NUL.
pub(crate) const OTHER: [&str; 9] =
    ["-p", "-u", "--patch", "--patch-with-stat", "-z", "--raw", "--compact-summary", "--dirstat", "-L"];

pub(crate) fn claim(command: &Command<'_>, _head: &str) -> Option<u8> {
    let (verb, words) = command::read(command)?;
    let is_difference = verb == "diff" || verb == "diff-tree" || (verb == "stash" && words.first() == Some(&"show"));
    let is_read = command::has(&words, &IN_NUMBERS) && !command::has(&words, &OTHER);
    (is_difference && is_read).then_some(SCORE)
}

pub(crate) fn begin(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Differences)
}

struct Differences;

impl Reader for Differences {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        match file(&line.text).or_else(|| total(&line.text)) {
            Some(document) => sink.row(&document, line),
            None if line.text.trim().is_empty() => {}
            None => sink.leave(line.number, &line.text),
        }
    }

    fn finish(&mut self, _end: End, _sink: &mut Sink) {}
}

/// One file's line in any of the forms.
pub(crate) fn file(text: &str) -> Option<Document> {
    graph(text).or_else(|| numbers(text)).or_else(|| status(text))
}

/// ` src/x.rs | 10 ++++------`, ` bin | Bin 2 -> 3 bytes`.
fn graph(text: &str) -> Option<Document> {
    let (name, amount) = text.strip_prefix(' ')?.rsplit_once('|')?;
    let name = name.strip_suffix(' ')?.trim();
    let amount = amount.strip_prefix(' ').unwrap_or(amount).trim();
    let mut document = Document::new();
    path(&mut document, name)?;
    if let Some(sizes) = amount.strip_prefix("Bin") {
        document.set("is_binary", true);
        if !sizes.is_empty() {
            let (before, after) = sizes.trim().strip_suffix(" bytes")?.split_once(" -> ")?;
            document.set("bytes_before", integer(before)?);
            document.set("bytes_after", integer(after)?);
        }
        return Some(document);
    }
    if amount == "Unmerged" {
        document.set("is_unmerged", true);
        return Some(document);
    }
    let (count, marks) = amount.split_once(' ').unwrap_or((amount, ""));
    let changed = integer(count)?;
    marks.trim().chars().all(|mark| mark == '+' || mark == '-').then_some(())?;
    document.set("changed_lines", changed);
    let mark = |wanted| marks.chars().filter(|mark| *mark == wanted).count() as u64;
    // Long bars are made shorter; then they say nothing exact.
    if mark('+') + mark('-') == changed {
        document.set("insertions", mark('+'));
        document.set("deletions", mark('-'));
    }
    Some(document)
}

/// `12\t3\tpath`; a terminal makes blanks of the tabs.
fn numbers(text: &str) -> Option<Document> {
    (!text.starts_with(' ')).then_some(())?;
    let (cells, name) = words::take(text, 2)?;
    let mut document = Document::new();
    path(&mut document, name)?;
    if cells == ["-", "-"] {
        document.set("is_binary", true);
    } else {
        document.set("insertions", integer(cells[0])?);
        document.set("deletions", integer(cells[1])?);
    }
    Some(document)
}

/// `M\tpath`, `R100\told\tnew`; the two names are told apart by their tab only.
fn status(text: &str) -> Option<Document> {
    let (letters, rest) = words::next(text).filter(|_| !text.starts_with(' '))?;
    let letter = letters.chars().next()?;
    let change = match letter {
        'A' => "added",
        'M' => "modified",
        'D' => "deleted",
        'R' => "renamed",
        'C' => "copied",
        'T' => "type-changed",
        'U' => "unmerged",
        _ => return None,
    };
    let score = letters.get(1..)?;
    let is_pair = ["renamed", "copied"].contains(&change);
    (score.is_empty() != is_pair && (score.is_empty() || integer(score).is_some())).then_some(())?;
    let mut document = Document::new();
    if is_pair {
        let (from, to) = rest.strip_prefix('\t')?.split_once('\t')?;
        document.set("original_path", unquote(from)?);
        document.set("path", unquote(to)?);
        document.set_some("similarity_percent", integer(score));
    } else {
        document.set("path", unquote(rest.trim_start())?);
    }
    document.set("change", change);
    Some(document)
}

/// The path, and where it was before a rename: `old => new`, `src/{old => new}/x`.
fn path(document: &mut Document, text: &str) -> Option<()> {
    (!text.is_empty()).then_some(())?;
    if let Some((before, after)) = text.split_once(" => ").filter(|(_, after)| !after.contains(" => ")) {
        let (from, to) = match (before.rsplit_once('{'), after.split_once('}')) {
            (Some((start, from)), Some((to, end))) => (format!("{start}{from}{end}"), format!("{start}{to}{end}")),
            _ => (before.to_owned(), after.to_owned()),
        };
        document.set("original_path", from.replace("//", "/"));
        document.set("path", to.replace("//", "/"));
        return Some(());
    }
    document.set("path", unquote(text)?);
    // A long path loses its beginning.
    if text.starts_with(".../") {
        document.set("is_cut", true);
    }
    Some(())
}

/// A path in double quotes has C escapes.
fn unquote(text: &str) -> Option<String> {
    match text.strip_prefix('"') {
        Some(inner) => {
            let (bytes, rest) = c_string(inner, b'"', &[])?;
            rest.is_empty().then(|| String::from_utf8_lossy(&bytes).into_owned())
        }
        None => (!text.is_empty()).then(|| text.to_owned()),
    }
}

/// ` 3 files changed, 1 insertion(+), 10 deletions(-)`.
pub(crate) fn total(text: &str) -> Option<Document> {
    let mut parts = text.strip_prefix(' ')?.split(", ");
    let mut document = Document::new();
    let (count, unit) = parts.next()?.split_once(' ')?;
    ["file changed", "files changed"].contains(&unit).then_some(())?;
    document.set("files_changed", integer(count)?);
    for part in parts {
        let (count, unit) = part.split_once(' ')?;
        match unit {
            "insertion(+)" | "insertions(+)" => document.set("insertions", integer(count)?),
            "deletion(-)" | "deletions(-)" => document.set("deletions", integer(count)?),
            _ => return None,
        }
    }
    Some(document)
}
