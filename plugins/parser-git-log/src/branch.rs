//! `git branch`, with any number of `-v`: one document for each branch.

use parser_kit::number::integer;
use parser_kit::{Command, Document, End, Reader, Sink, words};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;

use crate::command;

/// The command says what the output is.
const SCORE: u8 = 90;
/// Options that change branches, or print something else.
const OTHER: [&str; 17] = [
    "--format",
    "--show-current",
    "--column",
    "-d",
    "-D",
    "--delete",
    "-m",
    "-M",
    "--move",
    "-c",
    "-C",
    "--copy",
    "-u",
    "--set-upstream-to",
    "--unset-upstream",
    "--edit-description",
    "--track",
];

/// How often `-v` is given; none when branches are not listed.
fn verbosity(command: &Command<'_>) -> Option<usize> {
    let (verb, words) = command::read(command)?;
    (verb == "branch" && !command::has(&words, &OTHER)).then_some(())?;
    let letters = words.iter().filter(|word| word.starts_with('-') && !word.starts_with("--"));
    let short: usize = letters.map(|word| word.matches('v').count()).sum();
    Some(short + words.iter().filter(|word| **word == "--verbose").count())
}

pub(crate) fn claim(command: &Command<'_>, head: &str) -> Option<u8> {
    let verbosity = verbosity(command)?;
    head.lines().next().and_then(|line| branch(line, verbosity)).map(|_| SCORE)
}

pub(crate) fn begin(command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Branches { verbosity: verbosity(command).unwrap_or(0) })
}

struct Branches {
    verbosity: usize,
}

impl Reader for Branches {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        match branch(&line.text, self.verbosity) {
            Some(document) => sink.row(&document, line),
            None if line.text.trim().is_empty() => {}
            None => sink.leave(line.number, &line.text),
        }
    }

    fn finish(&mut self, _end: End, _sink: &mut Sink) {}
}

/// `* main  1a2b3c4 [origin/main: ahead 1] subject`.
fn branch(text: &str, verbosity: usize) -> Option<Document> {
    let mut document = Document::new();
    let rest = if let Some(rest) = text.strip_prefix("* ") {
        document.set("is_current", true);
        rest
    } else if let Some(rest) = text.strip_prefix("+ ") {
        document.set("is_in_other_worktree", true);
        rest
    } else {
        text.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?
    };
    // `(HEAD detached at 1a2b3c4)` stands where a name would.
    let (name, rest) = match rest.strip_prefix('(') {
        Some(inner) => inner.split_once(')').map(|(state, rest)| (state, rest, true)),
        None => words::next(rest).map(|(name, rest)| (name, rest, false)),
    }
    .map(|(name, rest, is_state)| {
        document.set(if is_state { "state" } else { "name" }, name);
        (name, rest)
    })?;
    if let Some(target) = rest.trim_start().strip_prefix("-> ") {
        document.set("points_to", target);
        return Some(document);
    }
    (!name.is_empty()).then_some(())?;
    if verbosity == 0 {
        return rest.trim().is_empty().then_some(document);
    }
    let (commit, rest) = words::next(rest)?;
    (commit.len() >= 4 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(())?;
    document.set("commit", commit);
    let rest = worktree(&mut document, rest.trim_start(), text);
    let subject = upstream(&mut document, rest, verbosity);
    document.set_filled("subject", subject);
    Some(document)
}

/// `(/path) ` of a branch that another work tree has.
fn worktree<'a>(document: &mut Document, rest: &'a str, text: &str) -> &'a str {
    let inner = rest.strip_prefix("(/").filter(|_| text.starts_with('+'));
    match inner.and_then(|inner| inner.split_once(") ").or_else(|| inner.strip_suffix(')').map(|path| (path, "")))) {
        Some((path, behind)) => {
            document.set("worktree", format!("/{path}"));
            behind
        }
        None => rest,
    }
}

/// Takes off `[origin/main: ahead 1, behind 2]`. A subject may begin with a bracket of its own, so it
/// is taken for one wherever it could be.
fn upstream<'a>(document: &mut Document, rest: &'a str, verbosity: usize) -> &'a str {
    let Some((inside, behind)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) else { return rest };
    let (name, track) = match inside.split_once(": ") {
        Some((name, track)) => (Some(name), track),
        None if verbosity > 1 => (Some(inside), ""),
        None => (None, inside),
    };
    let mut found = Document::new();
    for part in track.split(", ").filter(|part| !part.is_empty()) {
        match part.split_once(' ') {
            Some((side @ ("ahead" | "behind"), count)) => match integer(count) {
                Some(count) => found.set(side, count),
                None => return rest,
            },
            None if part == "gone" => found.set("upstream_gone", true),
            _ => return rest,
        }
    }
    let is_certain = !found.is_empty() || name.is_some_and(|name| name.contains('/') && !name.contains(' '));
    if !is_certain {
        return rest;
    }
    document.set_some("upstream", name);
    for field in ["ahead", "behind", "upstream_gone"] {
        document.set_some(field, found.get(field).cloned());
    }
    behind.trim_start()
}
