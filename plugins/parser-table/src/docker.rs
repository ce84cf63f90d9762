//! `docker ps` and `docker images`, and what prints as they do: podman, nerdctl, docker compose.

use parser_kit::{Command, Document, Reader};
use portcullis_plugin::parser::OutputMeta;
use serde_json::Value;

use crate::aligned::{Aligned, Row, Table, is_in_capitals};

/// The command says what the output is.
const SCORE: u8 = 90;
const PROGRAMS: [&str; 4] = ["docker", "podman", "nerdctl", "docker-compose"];
const WITH_VALUE: [&str; 14] = [
    "-H",
    "--host",
    "-c",
    "--context",
    "--config",
    "-l",
    "--log-level",
    "-f",
    "--file",
    "--filter",
    "-n",
    "--last",
    "-p",
    "--project-name",
];

/// The words that say what is listed; none where the columns are the caller's, or ids only.
fn listed<'a>(command: &Command<'a>) -> Option<Vec<&'a str>> {
    PROGRAMS.contains(&command.program).then_some(())?;
    let format = command.value('?', "format").unwrap_or("table");
    let has_headings = format.starts_with("table") && !command.has('q', "quiet") && !command.has('?', "noheading");
    has_headings.then(|| command.operands(&WITH_VALUE))
}

pub(crate) fn claim_ps(command: &Command<'_>, _head: &str) -> Option<u8> {
    let is_ps = matches!(
        listed(command)?.as_slice(),
        ["ps", ..] | ["container", "ls" | "list" | "ps", ..] | ["compose", "ps" | "ls", ..]
    );
    is_ps.then_some(SCORE)
}

pub(crate) fn claim_images(command: &Command<'_>, _head: &str) -> Option<u8> {
    let is_images = matches!(listed(command)?.as_slice(), ["images", ..] | ["image", "ls" | "list", ..]);
    is_images.then_some(SCORE)
}

pub(crate) fn begin(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Aligned::new(Listed))
}

struct Listed;

impl Table for Listed {
    fn is_heading(&self, line: &str) -> bool {
        is_in_capitals(line)
    }

    fn row(&self, row: &Row<'_>) -> Option<Document> {
        let mut document = Document::new();
        for (field, cell) in row.pairs() {
            match field {
                "names" | "ports" => document.set(field, list(cell)),
                "command" => document.set(field, unquoted(cell)),
                // What docker prints for an image without a name.
                "repository" | "tag" | "digest" | "image" if cell == "<none>" => document.set(field, Value::Null),
                _ => document.set(field, cell),
            }
        }
        let first = row.cells.first().is_some_and(|cell| !cell.is_empty());
        first.then_some(document)
    }
}

fn list(cell: &str) -> Vec<String> {
    cell.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// `"/bin/sh -c 'sleep…"`: docker quotes the command as Go does.
fn unquoted(cell: &str) -> &str {
    cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).filter(|cell| !cell.contains('\\')).unwrap_or(cell)
}
