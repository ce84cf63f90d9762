//! `systemctl list-units` and `list-unit-files`. The legend and the count below the rows stay text.

use parser_kit::{Command, Document, End, Layout, Reader, Sink, words};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;

/// The command says what the output is.
const SCORE: u8 = 90;
const WITH_VALUE: [&str; 12] =
    ["-t", "--type", "--state", "-n", "--lines", "-o", "--output", "-H", "--host", "-M", "--machine", "--root"];
/// What is drawn before a unit that needs attention, as dots or in ASCII.
const MARKS: [&str; 6] = ["●", "○", "×", "↻", "*", "x"];
const LOAD_STATES: [&str; 8] = ["loaded", "not-found", "bad-setting", "error", "masked", "merged", "stub", "unknown"];

fn verb<'a>(command: &Command<'a>) -> Option<&'a str> {
    (command.program == "systemctl").then_some(())?;
    let format = command.value('o', "output").unwrap_or("short");
    (!format.starts_with("json")).then(|| command.operands(&WITH_VALUE).first().copied().unwrap_or("list-units"))
}

pub(crate) fn claim_units(command: &Command<'_>, _head: &str) -> Option<u8> {
    (verb(command)? == "list-units").then_some(SCORE)
}

pub(crate) fn claim_files(command: &Command<'_>, _head: &str) -> Option<u8> {
    (verb(command)? == "list-unit-files").then_some(SCORE)
}

pub(crate) fn begin_units(command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    // Without headings the columns are the same; a job is then not told from a description.
    let has_headings =
        !command.words.iter().any(|word| ["--no-legend", "--legend=no", "--legend=false"].contains(word));
    Box::new(Units { heading: (!has_headings).then(String::new) })
}

pub(crate) fn begin_files(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Files { is_headed: false, has_preset: false })
}

struct Units {
    /// Once it was read; empty where none is printed.
    heading: Option<String>,
}

impl Reader for Units {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let text = line.text.as_ref();
        if text.trim().is_empty() {
            // The legend follows.
            self.heading = self.heading.take().filter(String::is_empty);
        } else if words::all(text).get(..4) == Some(&["UNIT", "LOAD", "ACTIVE", "SUB"]) {
            self.heading = Some(text.to_owned());
        } else if let Some(document) = self.heading.as_deref().and_then(|heading| unit(heading, text)) {
            sink.row(&document, line);
        } else {
            sink.leave(line.number, text);
        }
    }

    fn finish(&mut self, _end: End, _sink: &mut Sink) {}
}

/// `● nginx.service loaded failed failed A web server`.
fn unit(heading: &str, text: &str) -> Option<Document> {
    let mut document = Document::new();
    let (first, rest) = words::next(text)?;
    let unmarked = if MARKS.contains(&first) {
        document.set("is_marked", true);
        rest
    } else {
        text
    };
    let (cells, description) = words::take(unmarked, 4)?;
    // A unit's name ends in its type; it may be cut in the middle on a narrow terminal.
    let is_unit = cells[0].contains(['.', '…']) && LOAD_STATES.contains(&cells[1]);
    is_unit.then_some(())?;
    for (field, cell) in ["unit", "load", "active", "sub"].into_iter().zip(cells) {
        document.set(field, cell);
    }
    match job(heading, text) {
        Some(("", description)) => document.set_filled("description", description),
        Some((job, description)) => {
            document.set("job", job);
            document.set_filled("description", description);
        }
        None => document.set_filled("description", description),
    }
    Some(document)
}

/// The job and the description, where the heading has a column of jobs and the row keeps to it.
fn job<'a>(heading: &str, text: &'a str) -> Option<(&'a str, &'a str)> {
    words::all(heading).contains(&"JOB").then_some(())?;
    let names = Layout::detect(heading, &[text])?;
    let cells = names.cells(text)?;
    let at = names.names().position(|name| name == "JOB")?;
    let job = *cells.get(at)?;
    (!job.contains(' ')).then(|| (job, cells.get(at + 1).copied().unwrap_or("")))
}

struct Files {
    is_headed: bool,
    has_preset: bool,
}

impl Reader for Files {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let text = line.text.as_ref();
        let cells = words::all(text);
        if cells.is_empty() {
            self.is_headed = false;
        } else if cells.starts_with(&["UNIT", "FILE", "STATE"]) {
            self.is_headed = true;
            self.has_preset = cells.contains(&"PRESET");
        } else if self.is_headed && (cells.len() == 2 || (cells.len() == 3 && self.has_preset)) {
            let mut document = Document::new();
            for (field, cell) in ["unit_file", "state", "preset"].into_iter().zip(cells) {
                document.set(field, cell);
            }
            sink.row(&document, line);
        } else {
            sink.leave(line.number, text);
        }
    }

    fn finish(&mut self, _end: End, _sink: &mut Sink) {}
}
