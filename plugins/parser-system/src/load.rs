//! `uptime`, whose line is also the first of `top`.

use parser_kit::number::{decimal, integer};
use parser_kit::{Command, Document, End, Reader, Sink};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;

/// The command says what the output is.
const SCORE: u8 = 90;

pub(crate) fn claim(command: &Command<'_>, head: &str) -> Option<u8> {
    let is_uptime = command.program == "uptime";
    (is_uptime && head.lines().any(|line| read(line).is_some())).then_some(SCORE)
}

pub(crate) fn begin(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Uptime)
}

struct Uptime;

impl Reader for Uptime {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        match read(&line.text) {
            Some(document) => sink.row(&document, line),
            None if line.text.trim().is_empty() => {}
            None => sink.leave(line.number, &line.text),
        }
    }

    fn finish(&mut self, _end: End, _sink: &mut Sink) {}
}

/// ` 09:46:14 up 2 days, 15:27,  1 user,  load average: 2.92, 1.88, 1.83`, or its part behind `up`.
pub(crate) fn read(line: &str) -> Option<Document> {
    let mut document = Document::new();
    let text = line.trim();
    let up = if let Some(up) = text.strip_prefix("up ") {
        up
    } else if let Some((time, up)) = text.split_once(" up ") {
        let time = time.trim();
        (!time.contains(' ') && time.contains(':')).then_some(())?;
        document.set("time", time);
        up
    } else {
        // `uptime -s`
        let (day, clock) = text.split_once(' ')?;
        let is_date = day.len() == 10 && day.matches('-').count() == 2 && clock.matches(':').count() == 2;
        (is_date && clock.len() == 8).then_some(())?;
        document.set("since", text);
        return Some(document);
    };
    let (up, load) = match up.split_once("load average") {
        Some((up, load)) => (up, Some(load)),
        None => (up, None),
    };
    let (up, users) = split_users(up.trim().trim_end_matches(','));
    document.set("up", up);
    document.set_some("up_minutes", minutes(up));
    document.set_some("users", users);
    if let Some(load) = load {
        loads(load, &mut document)?;
    }
    Some(document)
}

fn split_users(up: &str) -> (&str, Option<u64>) {
    let last = up.rsplit_once(',').map_or(("", up), |(before, last)| (before, last));
    let users = last.1.trim().split_once(' ').filter(|(_, word)| ["user", "users"].contains(word));
    match users.and_then(|(count, _)| integer(count)) {
        Some(users) => (last.0.trim(), Some(users)),
        None => (up, None),
    }
}

/// `: 2.92, 1.88, 1.83`, `s: 2.92 1.88 1.83`, `: 2,92, 1,88, 1,83`.
fn loads(text: &str, document: &mut Document) -> Option<()> {
    let numbers = text.trim_start_matches('s').strip_prefix(':')?;
    let loads: Vec<f64> =
        numbers.split_whitespace().map(|word| decimal(word.trim_end_matches(','))).collect::<Option<_>>()?;
    let [one, five, fifteen] = loads.as_slice() else { return None };
    document.set("load_1", *one);
    document.set("load_5", *five);
    document.set("load_15", *fifteen);
    Some(())
}

/// `15:27`, `5 min`, `2 days,  3:04`, `1 week, 2 days, 3 hours, 4 minutes`.
fn minutes(up: &str) -> Option<u64> {
    let mut sum: u64 = 0;
    for part in up.split(',').map(str::trim) {
        let minutes = if let Some((hours, minutes)) = part.split_once(':') {
            integer(hours)?.checked_mul(60)?.checked_add(integer(minutes)?)?
        } else {
            let (count, unit) = part.split_once(' ')?;
            let factor = match unit.trim().trim_end_matches('s') {
                "min" | "minute" => 1,
                "hour" | "hr" => 60,
                "day" => 24 * 60,
                "week" => 7 * 24 * 60,
                // Months and years have no fixed length.
                _ => return None,
            };
            integer(count)?.checked_mul(factor)?
        };
        sum = sum.checked_add(minutes)?;
    }
    Some(sum)
}
