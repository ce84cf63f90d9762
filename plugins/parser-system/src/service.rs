//! `systemctl status`: one document for each unit, with the lines of its journal.

use parser_kit::number::integer;
use parser_kit::{Command, Document, End, Held, Reader, Sink};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;
use serde_json::Value;

use crate::journal;

/// The command says what the output is.
const SCORE: u8 = 90;
/// Lines of one unit that go into its document; what comes behind stays text. Bytes.
const MAX_UNIT_BYTES: usize = 96 * 1024;
/// What is drawn before a unit.
const MARKS: [char; 5] = ['●', '○', '×', '↻', '*'];

pub(crate) fn claim(command: &Command<'_>, head: &str) -> Option<u8> {
    let with_value = ["-n", "--lines", "-o", "--output", "-t", "--type", "-H", "--host", "-M", "--machine"];
    let is_status = command.program == "systemctl" && command.operands(&with_value).first() == Some(&"status");
    (is_status && head.lines().any(|line| title(line).is_some())).then_some(SCORE)
}

pub(crate) fn begin(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Status { open: None })
}

struct Status {
    open: Option<Unit>,
}

/// A unit being read.
#[derive(Default)]
struct Unit {
    document: Document,
    /// Keys with their lines, in order.
    fields: Vec<(String, Vec<String>)>,
    /// Where the colon behind the keys stands.
    colon: Option<usize>,
    /// An empty line was read: the journal follows.
    in_journal: bool,
    journal: Vec<String>,
    held: Vec<Held>,
    bytes: usize,
}

impl Reader for Status {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let text = line.text.as_ref();
        if let Some(document) = title(text) {
            self.close(sink);
            self.open = Some(Unit { document, held: vec![line.into()], ..Unit::default() });
            return;
        }
        let Some(unit) = &mut self.open else {
            if !text.trim().is_empty() {
                sink.leave(line.number, text);
            }
            return;
        };
        if text.trim().is_empty() {
            unit.in_journal = true;
        } else if unit.bytes <= MAX_UNIT_BYTES && unit.line(text) {
            unit.bytes += text.len();
            unit.held.push(line.into());
        } else {
            sink.leave(line.number, text);
        }
    }

    fn finish(&mut self, _end: End, sink: &mut Sink) {
        self.close(sink);
    }
}

impl Status {
    fn close(&mut self, sink: &mut Sink) {
        let Some(unit) = self.open.take() else { return };
        let Unit { mut document, fields, journal, held, .. } = unit;
        let mut other = Document::new();
        for (key, lines) in fields {
            field(&mut document, &mut other, &key, lines);
        }
        if !other.is_empty() {
            document.set("other", Value::from(other));
        }
        if !journal.is_empty() {
            document.set("journal", journal);
        }
        sink.record(&document, held);
    }
}

impl Unit {
    /// Takes a line; false when it does not fit.
    fn line(&mut self, text: &str) -> bool {
        if self.in_journal {
            let fits = journal::entry(text).is_some();
            if fits {
                self.journal.push(text.to_owned());
            }
            return fits;
        }
        if !text.starts_with(' ') && self.colon.is_none() {
            return false;
        }
        let colon = text.find(": ").or_else(|| text.ends_with(':').then(|| text.len() - 1));
        let key = colon
            .filter(|colon| self.colon.is_none_or(|wanted| *colon == wanted))
            .and_then(|colon| key(&text[..colon]));
        match (key, self.fields.last_mut()) {
            (Some(key), _) => {
                self.colon = colon;
                let value = text[colon.unwrap_or(0) + 1..].trim().to_owned();
                // A key that comes again (several processes) has several lines.
                match self.fields.iter_mut().find(|(known, _)| known == key) {
                    Some((_, lines)) => lines.push(value),
                    None => self.fields.push((key.to_owned(), vec![value])),
                }
                true
            }
            // Further lines of a value stand behind its colon.
            (None, Some((_, lines))) if text.len() - text.trim_start().len() > self.colon.unwrap_or(0) => {
                lines.push(text.trim().to_owned());
                true
            }
            (None, _) => false,
        }
    }
}

/// `Main PID`, `Active`, `TriggeredBy`.
fn key(text: &str) -> Option<&str> {
    let key = text.trim();
    let fits = key.starts_with(|symbol: char| symbol.is_ascii_uppercase())
        && key.chars().all(|symbol| symbol.is_alphanumeric() || " -".contains(symbol));
    fits.then_some(key)
}

/// `● nginx.service - A web server`.
fn title(text: &str) -> Option<Document> {
    let marked = text.strip_prefix(MARKS).and_then(|rest| rest.strip_prefix(' '));
    let title = marked.unwrap_or(text);
    let (unit, description) = title.split_once(" - ").unwrap_or((title, ""));
    // Without a mark only a unit's name is one; a machine's name has a mark.
    let is_unit = !unit.is_empty()
        && !unit.contains(' ')
        && (marked.is_some() || (unit.contains('.') && !description.is_empty()));
    is_unit.then_some(())?;
    let mut document = Document::new();
    document.set("unit", unit);
    document.set_filled("description", description);
    if marked.is_some() {
        document.set_some("mark", text.chars().next().map(String::from));
    }
    Some(document)
}

fn field(document: &mut Document, other: &mut Document, key: &str, lines: Vec<String>) {
    let first = lines.first().cloned().unwrap_or_default();
    match key {
        "Loaded" if lines.len() == 1 => loaded(document, &first),
        "Active" if lines.len() == 1 => active(document, &first),
        "Main PID" if lines.len() == 1 => {
            let (pid, process) = first.split_once(" (").unwrap_or((&first, ""));
            document.set_some("main_pid", integer(pid));
            document.set("main_process", first.as_str());
            document
                .set_some("main_program", process.strip_suffix(')').filter(|program| !program.contains([',', '='])));
        }
        "Tasks" if lines.len() == 1 => {
            document.set_some("tasks", first.split(' ').next().and_then(integer));
            document.set("tasks_text", first);
        }
        "Memory" if lines.len() == 1 => document.set("memory_text", first),
        "CPU" if lines.len() == 1 => document.set("cpu_text", first),
        "Status" if lines.len() == 1 => document.set("status", first.trim_matches('"')),
        "Docs" => document.set("docs", lines),
        "Process" => document.set("ended_processes", lines),
        "CGroup" => {
            document.set("cgroup", first);
            document.set(
                "processes",
                lines[1..]
                    .iter()
                    .map(|line| line.trim_start_matches(['├', '└', '─', '│', ' ', '|', '-', '`']))
                    .collect::<Vec<_>>(),
            );
        }
        _ => other.set(key, lines),
    }
}

/// `loaded (/lib/systemd/system/nginx.service; enabled; preset: enabled)`.
fn loaded(document: &mut Document, text: &str) {
    document.set("loaded", text);
    let (load, rest) = text.split_once(" (").unwrap_or((text, ""));
    document.set("load", load);
    let parts: Vec<&str> = rest.strip_suffix(')').unwrap_or("").split("; ").collect();
    if let [file, enabled, ..] = parts.as_slice() {
        document.set("unit_file", *file);
        document.set("enabled", *enabled);
        let preset = parts
            .iter()
            .find_map(|part| part.strip_prefix("preset: ").or_else(|| part.strip_prefix("vendor preset: ")));
        document.set_some("preset", preset);
    }
}

/// `active (running) since Thu 2026-11-26 09:00:00 UTC; 2h ago`.
fn active(document: &mut Document, text: &str) {
    document.set("active_text", text);
    let (state, since) = text.split_once(" since ").unwrap_or((text, ""));
    let (active, rest) = state.split_once(" (").unwrap_or((state, ""));
    document.set("active", active);
    // `failed (Result: exit-code)`, `active (running)`, `inactive (dead) (Result: …)`.
    for part in rest.split('(').filter_map(|part| part.trim_end().strip_suffix(')')) {
        match part.strip_prefix("Result: ") {
            Some(result) => document.set("result", result),
            None => document.set("sub", part),
        }
    }
    let (since, ago) = since.split_once("; ").unwrap_or((since, ""));
    document.set_filled("since", since);
    document.set_filled("ago", ago);
}
