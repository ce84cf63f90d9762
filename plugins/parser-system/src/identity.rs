//! `id`: who someone is, one document for each line.

use parser_kit::number::integer;
use parser_kit::{Command, Document, End, Reader, Sink};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;
use serde_json::Value;

/// The command says what the output is.
const SCORE: u8 = 90;

pub(crate) fn claim(command: &Command<'_>, head: &str) -> Option<u8> {
    (command.program == "id" && head.lines().any(|line| read(line).is_some())).then_some(SCORE)
}

pub(crate) fn begin(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Identities)
}

struct Identities;

impl Reader for Identities {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        match read(&line.text) {
            Some(document) => sink.row(&document, line),
            None if line.text.trim().is_empty() => {}
            None => sink.leave(line.number, &line.text),
        }
    }

    fn finish(&mut self, _end: End, _sink: &mut Sink) {}
}

/// `uid=0(root) gid=0(root) groups=0(root),4(adm) context=…`; the word for groups is translated.
fn read(line: &str) -> Option<Document> {
    let mut document = Document::new();
    let mut rest = line.trim();
    rest.starts_with("uid=").then_some(())?;
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=')?;
        // A group's name may hold blanks: a value ends where its parenthesis does.
        let end = end_of_value(value);
        let (value, behind) = value.split_at(end);
        match key {
            "uid" | "gid" | "euid" | "egid" => {
                let (number, name) = entry(value)?;
                document.set(key, number);
                document.set_some(&format!("{key}_name"), name);
            }
            "context" => document.set(key, value),
            _ => document.set("groups", groups(value)?),
        }
        rest = behind.trim_start();
    }
    Some(document)
}

/// At the first blank outside parentheses.
fn end_of_value(value: &str) -> usize {
    let mut depth = 0_usize;
    let end = value.char_indices().find(|(_, symbol)| {
        match symbol {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        *symbol == ' ' && depth == 0
    });
    end.map_or(value.len(), |(at, _)| at)
}

/// `4(adm)` or `4`.
fn entry(text: &str) -> Option<(u64, Option<&str>)> {
    match text.split_once('(') {
        Some((number, name)) => Some((integer(number)?, Some(name.strip_suffix(')')?))),
        None => Some((integer(text)?, None)),
    }
}

fn groups(text: &str) -> Option<Vec<Value>> {
    let group = |text: &str| {
        let (number, name) = entry(text)?;
        let mut group = Document::new();
        group.set("gid", number);
        group.set_some("name", name);
        Some(Value::from(group))
    };
    let mut groups = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        // A comma in a name stands before its parenthesis ends.
        let from = rest.find('(').filter(|open| rest.find(',').is_none_or(|comma| comma > *open));
        let end =
            from.and_then(|_| rest.find(')')).map_or_else(|| rest.find(',').unwrap_or(rest.len()), |close| close + 1);
        groups.push(group(&rest[..end])?);
        rest = match &rest[end..] {
            "" => "",
            behind => behind.strip_prefix(',')?,
        };
    }
    Some(groups)
}
