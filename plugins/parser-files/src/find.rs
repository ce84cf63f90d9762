//! `find -ls`: one document for each file. Names are escaped as findutils does.

use parser_kit::number::{integer, pair};
use parser_kit::{Command, Document, End, Reader, Sink, words};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;
use serde_json::Value;

use crate::mode;

/// The command says what the output is.
const SCORE: u8 = 90;

pub(crate) fn claim(command: &Command<'_>, head: &str) -> Option<u8> {
    let has_list = ["find", "gfind"].contains(&command.program) && command.words.contains(&"-ls");
    // Other actions print lines of their own between.
    (has_list && head.lines().any(|line| row(line).is_some())).then_some(SCORE)
}

pub(crate) fn begin(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Found)
}

struct Found;

impl Reader for Found {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        match row(&line.text) {
            Some(document) => sink.row(&document, line),
            None if line.text.trim().is_empty() => {}
            None => sink.leave(line.number, &line.text),
        }
    }

    fn finish(&mut self, _end: End, _sink: &mut Sink) {}
}

/// `10862900  4 -rw-r--r--  1 root  root  3 Nov 26 10:49 ./two\ words`.
fn row(text: &str) -> Option<Document> {
    let (cells, rest) = words::take(text, 6)?;
    let kind = mode::kind(cells[2])?;
    let mut document = Document::new();
    document.set("inode", integer(cells[0])?);
    document.set("blocks", integer(cells[1])?);
    document.set("mode", cells[2]);
    document.set("kind", kind);
    document.set("links", integer(cells[3])?);
    document.set("owner", cells[4]);
    document.set("group", cells[5]);
    let is_device = ["character-device", "block-device"].contains(&kind);
    let rest = if is_device { device(&mut document, rest)? } else { size(&mut document, rest)? };
    let (modified, rest) = date(rest)?;
    document.set("modified", modified);
    // One blank divides the date from the name.
    let name = rest.strip_prefix(' ').filter(|name| !name.is_empty())?;
    match name.split_once(" -> ").filter(|_| kind == "symlink") {
        Some((_, target)) if target.contains(" -> ") => return None,
        Some((own, target)) => {
            document.set("path", unescape(own)?);
            document.set("target", unescape(target)?);
        }
        None => document.set("path", unescape(name)?),
    }
    Some(document)
}

fn size<'a>(document: &mut Document, text: &'a str) -> Option<&'a str> {
    let (word, rest) = words::next(text)?;
    document.set("size_bytes", integer(word)?);
    Some(rest)
}

/// `1,   3`
fn device<'a>(document: &mut Document, text: &'a str) -> Option<&'a str> {
    let (first, rest) = words::next(text)?;
    let (major, minor, rest) = match first.strip_suffix(',') {
        Some(major) => {
            let (minor, rest) = words::next(rest)?;
            (integer(major)?, integer(minor)?, rest)
        }
        None => pair(first, ',').map(|(major, minor)| (major, minor, rest))?,
    };
    let mut device = Document::new();
    device.set("major", major);
    device.set("minor", minor);
    document.set("device", Value::from(device));
    Some(rest)
}

/// `Nov 26 10:49`, `Nov 26  2024`, in any language.
fn date(text: &str) -> Option<(String, &str)> {
    let (month, rest) = words::next(text)?;
    let (day, rest) = words::next(rest)?;
    let (time, rest) = words::next(rest)?;
    let is_day = |word: &str| word.len() <= 2 && integer(word).is_some();
    let is_month = |word: &str| word.chars().any(char::is_alphabetic) && word.chars().count() <= 12;
    let is_time = pair(time, ':').is_some() || (time.len() == 4 && integer(time).is_some());
    let fits = (is_month(month) && is_day(day)) || (is_day(month) && is_month(day));
    (fits && is_time).then(|| (format!("{month} {day} {time}"), rest))
}

/// A name of which blanks, backslashes and bytes that cannot be shown are escaped.
fn unescape(text: &str) -> Option<String> {
    let mut meant = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            meant.push(byte);
            continue;
        }
        meant.push(match bytes.next()? {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 0x08,
            b'f' => 0x0c,
            same @ (b' ' | b'\\' | b'"') => same,
            first @ b'0'..=b'3' => {
                let digit = |byte: u8| (b'0'..=b'7').contains(&byte).then(|| byte - b'0');
                (first - b'0') * 64 + digit(bytes.next()?)? * 8 + digit(bytes.next()?)?
            }
            _ => return None,
        });
    }
    Some(String::from_utf8_lossy(&meant).into_owned())
}
