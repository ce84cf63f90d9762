//! `git log`, `git show` without its difference, `git reflog`: one document for each commit.
//!
//! Read are the formats medium, short, full and fuller, one line each (also with the lines of
//! `--graph`), and the numbers of the files below. A format of the caller's own is not.

use parser_kit::{Command, Document, End, Held, Reader, Sink};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;
use serde_json::Value;

use crate::{command, stat};

/// The command says what the output is.
const SCORE: u8 = 90;
/// Lines of one commit; what comes behind stays text. Bytes.
const MAX_COMMIT_BYTES: usize = 96 * 1024;
/// A hash is abbreviated to no less. Digits.
const MIN_HASH_DIGITS: usize = 4;
const FORMATS: [&str; 5] = ["medium", "short", "full", "fuller", "oneline"];
/// Key and field of the lines between a commit's hash and its message.
const HEADERS: [(&str, &str); 8] = [
    ("Author", "author"),
    ("AuthorDate", "author_date"),
    ("Commit", "committer"),
    ("CommitDate", "committer_date"),
    ("Date", "author_date"),
    ("Merge", "merged_commits"),
    ("Reflog", "reflog"),
    ("Reflog message", "reflog_message"),
];

/// Whether every commit is one line and whether lines of the graph stand before it.
#[derive(Clone, Copy)]
struct Form {
    has_graph: bool,
    is_decorated: bool,
}

fn form(command: &Command<'_>, head: &str) -> Option<Form> {
    let (verb, words) = command::read(command)?;
    let shows_numbers =
        command::has(&words, &["--stat", "--shortstat", "--name-status", "--numstat", "-s", "--no-patch"]);
    let is_history = match verb {
        "log" | "reflog" | "shortlog" => verb != "shortlog",
        "show" => shows_numbers,
        _ => false,
    };
    let format = command::value(&words, &["--format", "--pretty"]);
    let is_known = format.is_none_or(|format| FORMATS.contains(&format)) && !command::has(&words, &stat::OTHER);
    (is_history && is_known).then_some(())?;
    let has_graph = command::has(&words, &["--graph"]);
    // With a graph only one line for each commit tells the graph from the text.
    let first = head.lines().next().unwrap_or("");
    (!has_graph || one_line(ungraph(first), true).is_some()).then_some(())?;
    Some(Form { has_graph, is_decorated: command::has(&words, &["--decorate"]) })
}

pub(crate) fn claim(command: &Command<'_>, head: &str) -> Option<u8> {
    form(command, head)?;
    let first = head.lines().next()?;
    (commit(first).is_some() || one_line(ungraph(first), true).is_some()).then_some(SCORE)
}

pub(crate) fn begin(command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    let words = command::read(command).map(|(_, words)| words).unwrap_or_default();
    let form =
        Form { has_graph: command::has(&words, &["--graph"]), is_decorated: command::has(&words, &["--decorate"]) };
    Box::new(Log { form, is_one_line: None, open: None })
}

struct Log {
    form: Form,
    /// Whether a commit is one line, once the first was read: it says it for all.
    is_one_line: Option<bool>,
    open: Option<Commit>,
}

#[derive(Default)]
struct Commit {
    document: Document,
    part: Part,
    message: Vec<String>,
    notes: Vec<String>,
    files: Vec<Value>,
    summary: Vec<String>,
    held: Vec<Held>,
    bytes: usize,
}

/// Where in a commit the reader is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Headers,
    Message,
    Notes,
    Files,
}

impl Reader for Log {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let text = if self.form.has_graph { ungraph(&line.text) } else { line.text.as_ref() };
        let begun = self.begun(text);
        if let Some(mut commit) = begun {
            self.close(sink);
            commit.held.push(line.into());
            self.is_one_line = Some(commit.part == Part::Files);
            self.open = Some(commit);
            return;
        }
        let taken = self.open.as_mut().is_some_and(|open| open.bytes <= MAX_COMMIT_BYTES && open.line(text));
        match &mut self.open {
            Some(open) if taken => {
                open.bytes += text.len() + 1;
                open.held.push(line.into());
            }
            _ if text.trim().is_empty() => {}
            _ => sink.leave(line.number, &line.text),
        }
    }

    fn finish(&mut self, _end: End, sink: &mut Sink) {
        self.close(sink);
    }
}

impl Log {
    /// A commit that begins with this line.
    fn begun(&self, text: &str) -> Option<Commit> {
        let long = || commit(text).map(|document| Commit { document, ..Commit::default() });
        let short = || {
            let document = one_line(text, self.form.is_decorated)?;
            Some(Commit { document, part: Part::Files, ..Commit::default() })
        };
        match self.is_one_line {
            Some(true) => short(),
            Some(false) => long(),
            None => long().or_else(short),
        }
    }

    fn close(&mut self, sink: &mut Sink) {
        let Some(Commit { mut document, mut message, notes, files, summary, held, .. }) = self.open.take() else {
            return;
        };
        while message.last().is_some_and(String::is_empty) {
            message.pop();
        }
        if let Some((subject, body)) = message.split_first() {
            document.set("subject", subject.as_str());
            document.set_filled("body", body.join("\n").trim_start_matches('\n'));
        }
        document.set_filled("notes", notes.join("\n").trim_end());
        if !files.is_empty() {
            document.set("files", files);
        }
        if !summary.is_empty() {
            document.set("summary", summary);
        }
        // What is held has no empty lines.
        sink.record(&document, held.into_iter().filter(|line| !line.text.is_empty()).collect());
    }
}

impl Commit {
    /// Takes a line; false when it does not fit.
    fn line(&mut self, text: &str) -> bool {
        if text.trim().is_empty() {
            match self.part {
                Part::Headers => self.part = Part::Message,
                Part::Message if !self.message.is_empty() => self.message.push(String::new()),
                Part::Notes => self.notes.push(String::new()),
                Part::Message | Part::Files => {}
            }
            return true;
        }
        if self.part == Part::Headers {
            return self.header(text).is_some();
        }
        if text == "Notes:" || (text.starts_with("Notes (") && text.ends_with("):")) {
            self.part = Part::Notes;
            return true;
        }
        if let Some(message) = text.strip_prefix("    ").filter(|_| self.part != Part::Files) {
            match self.part {
                Part::Notes => self.notes.push(message.to_owned()),
                _ => self.message.push(message.to_owned()),
            }
            return true;
        }
        self.part = Part::Files;
        self.numbers(text)
    }

    fn header(&mut self, text: &str) -> Option<()> {
        let (key, value) = text.split_once(':')?;
        let (_, field) = HEADERS.iter().find(|(known, _)| *known == key)?;
        let value = value.trim();
        self.document.get(field).is_none().then_some(())?;
        match *field {
            "merged_commits" => self.document.set(field, value.split(' ').collect::<Vec<_>>()),
            "author" | "committer" => {
                // `Jo <jo@example.org>`
                self.document.set(field, value);
                if let Some((name, address)) = value.strip_suffix('>').and_then(|value| value.rsplit_once('<')) {
                    self.document.set(&format!("{field}_name"), name.trim_end());
                    self.document.set(&format!("{field}_email"), address);
                }
            }
            field => self.document.set(field, value),
        }
        Some(())
    }

    /// A line below the message.
    fn numbers(&mut self, text: &str) -> bool {
        if let Some(total) = stat::total(text) {
            self.document.set("total", Value::from(total));
        } else if let Some(file) = stat::file(text) {
            self.files.push(Value::from(file));
        } else if [" create mode ", " delete mode ", " rename ", " copy ", " mode change "]
            .iter()
            .any(|start| text.starts_with(start))
        {
            self.summary.push(text.trim().to_owned());
        } else {
            return false;
        }
        true
    }
}

/// `commit 1a2b3c… (HEAD -> main, tag: v1)`.
fn commit(text: &str) -> Option<Document> {
    let rest = text.strip_prefix("commit ")?;
    // A mark of `--left-right` or `--boundary`.
    let rest = rest.strip_prefix(['<', '>', '-', '^', '=', '+']).map_or(rest, str::trim_start);
    let (hashes, decoration) = match rest.split_once(" (") {
        Some((hashes, decoration)) => (hashes, Some(decoration.strip_suffix(')')?)),
        None => (rest, None),
    };
    let mut hashes = hashes.split(' ');
    let hash = hashes.next().filter(|hash| is_hash(hash))?;
    let mut document = Document::new();
    document.set("commit", hash);
    let parents: Vec<&str> = hashes.collect();
    if !parents.is_empty() {
        parents.iter().all(|parent| is_hash(parent)).then_some(())?;
        document.set("parents", parents);
    }
    if let Some(decoration) = decoration {
        refs(&mut document, decoration);
    }
    Some(document)
}

/// `1a2b3c4 (HEAD -> main) subject`. A subject may begin with a parenthesis of its own: refs are read
/// only where they cannot be one.
fn one_line(text: &str, is_decorated: bool) -> Option<Document> {
    let (hash, rest) = text.split_once(' ').unwrap_or((text, ""));
    is_hash(hash).then_some(())?;
    let mut document = Document::new();
    document.set("commit", hash);
    let mut subject = rest;
    if let Some((decoration, behind)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        let is_telling = ["HEAD", "tag: ", "origin/", "refs/", "stash"].iter().any(|part| decoration.contains(part));
        let is_refs = decoration
            .split(", ")
            .all(|name| !name.replace("HEAD -> ", "").replace("tag: ", "").contains([' ', ':', '?', '*', '~', '^']));
        if is_refs && (is_decorated || is_telling) {
            refs(&mut document, decoration);
            subject = behind.trim_start();
        }
    }
    document.set("subject", subject);
    Some(document)
}

/// `HEAD -> main, tag: v1, origin/main`.
fn refs(document: &mut Document, decoration: &str) {
    document.set("refs", decoration.split(", ").collect::<Vec<_>>());
    let head = decoration.split(", ").find_map(|name| name.strip_prefix("HEAD -> "));
    document.set_some("branch", head);
    let tags: Vec<&str> = decoration.split(", ").filter_map(|name| name.strip_prefix("tag: ")).collect();
    if !tags.is_empty() {
        document.set("tags", tags);
    }
}

fn is_hash(word: &str) -> bool {
    (MIN_HASH_DIGITS..=64).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The text behind the lines of a graph.
fn ungraph(text: &str) -> &str {
    text.trim_start_matches(['*', '|', '/', '\\', '_', ' ', '.', '-'])
}
