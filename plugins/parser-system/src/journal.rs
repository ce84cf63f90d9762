//! `journalctl`, in its short formats and as JSON, and files that syslog writes in the same form.

use parser_kit::number::integer;
use parser_kit::{Command, Document, End, Held, Reader, Sink, words};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;
use serde_json::{Map, Value};

/// The command says what the output is.
const SCORE: u8 = 90;
/// The file's name and its head do.
const FILE_SCORE: u8 = 70;
const SHORT_FORMATS: [&str; 8] = [
    "short",
    "short-full",
    "short-iso",
    "short-iso-precise",
    "short-precise",
    "short-monotonic",
    "short-unix",
    "with-unit",
];
const PRINTERS: [&str; 6] = ["cat", "tail", "head", "grep", "zcat", "less"];
const FILES: [&str; 8] = ["syslog", "messages", "auth.log", "kern.log", "daemon.log", "secure", "cron.log", "user.log"];
/// What is kept of one message, with its further lines. Bytes.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;

pub(crate) fn claim(command: &Command<'_>, head: &str) -> Option<u8> {
    if command.program == "journalctl" {
        let format = command.value('o', "output").unwrap_or("short");
        return (format == "json" || SHORT_FORMATS.contains(&format)).then_some(SCORE);
    }
    let is_file = |word: &&str| {
        let name = word.rsplit('/').next().unwrap_or(word);
        FILES
            .iter()
            .any(|file| name.strip_prefix(file).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-'])))
    };
    let is_printed = PRINTERS.contains(&command.program) && command.words.iter().any(is_file);
    let first = head.lines().next()?;
    (is_printed && entry(first).is_some()).then_some(FILE_SCORE)
}

pub(crate) fn begin(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Journal::default())
}

#[derive(Default)]
struct Journal {
    open: Option<Open>,
}

/// An entry whose message may go on in further lines.
struct Open {
    document: Document,
    message: String,
    /// Where the message begins, and further lines too. Columns.
    indent: usize,
    held: Vec<Held>,
}

impl Journal {
    fn close(&mut self, sink: &mut Sink) {
        if let Some(Open { mut document, message, held, .. }) = self.open.take() {
            document.set("message", message);
            sink.record(&document, held);
        }
    }
}

impl Reader for Journal {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let text = line.text.as_ref();
        if text.starts_with('{') {
            self.close(sink);
            match json(text) {
                Some(document) => sink.row(&document, line),
                None => sink.leave(line.number, text),
            }
        } else if let Some((document, message)) = entry(text) {
            self.close(sink);
            let indent = parser_kit::columns::display_width(&text[..text.len() - message.len()]);
            self.open = Some(Open { document, message: message.to_owned(), indent, held: vec![line.into()] });
        } else if let Some(further) = self.further(text) {
            if let Some(open) = &mut self.open {
                open.message.push('\n');
                open.message.push_str(&further);
                open.held.push(line.into());
            }
        } else if !text.trim().is_empty() {
            self.close(sink);
            sink.leave(line.number, text);
        }
    }

    fn finish(&mut self, _end: End, sink: &mut Sink) {
        self.close(sink);
    }
}

impl Journal {
    /// The text of a line that stands exactly below the message before it.
    fn further(&self, text: &str) -> Option<String> {
        let open = self.open.as_ref()?;
        let blanks = text.len() - text.trim_start_matches(' ').len();
        let fits = blanks >= open.indent && open.message.len() + text.len() <= MAX_MESSAGE_BYTES && text.len() > blanks;
        fits.then(|| text[open.indent..].to_owned())
    }
}

/// `Nov 26 09:00:00 host sshd[12]: message`: the document without the message, and the message.
pub(crate) fn entry(text: &str) -> Option<(Document, &str)> {
    let (time, rest) = time(text)?;
    let (host, rest) = rest.trim_start().split_once(' ')?;
    let mut document = Document::new();
    document.set("time", time);
    document.set("host", host);
    let (source, message) = match rest.split_once(": ") {
        Some(parts) => parts,
        // Trailing blanks are not kept by a terminal.
        None => (rest.strip_suffix(':')?, ""),
    };
    let is_source = !source.is_empty() && !source.contains(' ');
    is_source.then_some(())?;
    match source.strip_suffix(']').and_then(|source| source.rsplit_once('[')) {
        Some((identifier, pid)) => {
            document.set("identifier", identifier);
            document.set("pid", integer(pid)?);
        }
        None => document.set("identifier", source),
    }
    Some((document, message))
}

/// The time in any of the forms, and what follows it.
fn time(text: &str) -> Option<(&str, &str)> {
    let count = match text.chars().next()? {
        // `[  123.456789] `
        '[' => {
            let end = text.find(']')?;
            text[1..end].trim().parse::<f64>().ok()?;
            return Some((&text[..=end], &text[end + 1..]));
        }
        '0'..='9' => {
            let (word, rest) = words::next(text)?;
            let is_iso = word.contains('T') && word.matches(':').count() >= 2;
            let is_unix =
                word.split_once('.').is_some_and(|(seconds, micros)| integer(seconds).is_some() && micros.len() == 6);
            return (is_iso || is_unix).then_some((word, rest));
        }
        // `Thu 2026-11-26 09:00:00 UTC`: the day's name is translated, and a month's too.
        _ if words::take(text, 2)?.0[1].contains('-') => 4,
        _ => 3,
    };
    let (cells, _) = words::take(text, count)?;
    let fits = match cells.as_slice() {
        [month, day, _] => {
            month.chars().all(|symbol| symbol.is_alphanumeric() || symbol == '.')
                && integer(day.trim_end_matches('.')).is_some()
        }
        [_, date, clock, _] => date.matches('-').count() == 2 && date.len() == 10 && is_clock(clock),
        _ => false,
    };
    fits.then_some(())?;
    let mut rest = text;
    for _ in 0..count {
        rest = words::next(rest)?.1;
    }
    Some((&text[..text.len() - rest.len()], rest))
}

/// `09:00:00`, perhaps with a fraction.
fn is_clock(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').next().unwrap_or("").split(':').collect();
    parts.len() == 3 && parts.iter().all(|part| part.len() == 2 && integer(part).is_some())
}

/// One entry as JSON: what the short formats show under the same names, and all the rest.
fn json(text: &str) -> Option<Document> {
    let mut fields: Map<String, Value> = serde_json::from_str(text).ok()?;
    fields.contains_key("__REALTIME_TIMESTAMP").then_some(())?;
    let mut document = Document::new();
    let number = |fields: &Map<String, Value>, name: &str| integer(fields.get(name)?.as_str()?);
    for (name, field) in [("time_unix_us", "__REALTIME_TIMESTAMP"), ("pid", "_PID"), ("priority", "PRIORITY")] {
        if let Some(value) = number(&fields, field) {
            document.set(name, value);
            fields.remove(field);
        }
    }
    for (name, field) in
        [("host", "_HOSTNAME"), ("identifier", "SYSLOG_IDENTIFIER"), ("unit", "_SYSTEMD_UNIT"), ("message", "MESSAGE")]
    {
        // A message that is no UTF-8 is an array of bytes.
        if fields.get(field).is_some_and(Value::is_string) {
            document.set_some(name, fields.remove(field));
        }
    }
    document.set("fields", fields);
    Some(document)
}
