//! Cases of a parser.

use std::path::{Path, PathBuf};

use portcullis_sandbox::ParserPlugin;
use serde::Deserialize;
use serde_json::Value;

use super::{KitError, Outcome, is_true, json, output};
use crate::kit::compare::{Extent, contains, differences, shown};
use crate::kit::parser::{ParserAnswer, ParserInput, ask, ask_in};
use crate::kit::place::{PlaceInput, ShellName};

/// Documents that are shown where the one looked for is not among them.
const SHOWN_DOCUMENTS: usize = 5;
/// Sizes of the pieces in which an output is given once more.
const PIECES_BYTES: [usize; 3] = [1, 7, 61];
/// More pieces of one output take too long.
const MOST_PIECES: usize = 4_096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    command: String,
    output: Option<String>,
    output_file: Option<PathBuf>,
    #[serde(default)]
    exit_code: i32,
    #[serde(default = "is_true")]
    terminal: bool,
    #[serde(default)]
    shell: ShellName,
    #[serde(default)]
    place: PlaceInput,
    now_unix_ms: Option<u64>,
    /// False: the parser has to leave this output alone.
    #[serde(default = "is_true")]
    claimed: bool,
    schema: Option<String>,
    /// All documents, in order, each whole.
    documents: Option<Vec<toml::Value>>,
    /// Each of these is part of one of the documents.
    contains: Option<Vec<toml::Value>>,
    document_count: Option<usize>,
    /// Lines that do not fit; none unless said.
    unparsed: Option<usize>,
}

pub(super) async fn run(plugin: &ParserPlugin, case: Case, folder: &Path) -> Outcome {
    let expects = case.schema.is_some()
        || case.documents.is_some()
        || case.contains.is_some()
        || case.document_count.is_some()
        || case.unparsed.is_some();
    if expects != case.claimed {
        return Err(match case.claimed {
            true => KitError::input(
                "it expects nothing",
                "give `documents`, `contains`, `document_count`, `unparsed` or `schema`, or `claimed = false`",
            ),
            false => KitError::input("it expects something of an output that is not claimed", "keep one of the two"),
        });
    }
    let Some(text) = output(case.output.clone(), case.output_file.clone(), folder)? else {
        return Err(KitError::input("it has no output", "give `output` or `output_file`"));
    };
    let input = ParserInput {
        command: case.command.clone(),
        output: text,
        exit_code: Some(case.exit_code),
        terminal: case.terminal,
        shell: case.shell,
        place: case.place.clone(),
        now_unix_ms: case.now_unix_ms,
    };
    let answer = ask(plugin, &input).await?;
    let mut lines = compare(&case, &answer)?;
    if lines.is_empty() {
        lines.extend(depends_on_pieces(plugin, &input, &answer).await?);
    }
    Ok(lines)
}

/// Output arrives in pieces that end anywhere, in the middle of a character too; that must change nothing.
async fn depends_on_pieces(
    plugin: &ParserPlugin,
    input: &ParserInput,
    whole: &ParserAnswer,
) -> Result<Option<String>, KitError> {
    for chunk_bytes in PIECES_BYTES {
        if input.output.len() / chunk_bytes <= MOST_PIECES && ask_in(plugin, input, chunk_bytes).await? != *whole {
            let problem = format!("it gives something else when the output arrives in pieces of {chunk_bytes} bytes");
            return Ok(Some(problem));
        }
    }
    Ok(None)
}

fn compare(case: &Case, answer: &ParserAnswer) -> Outcome {
    let Some(schema) = &answer.schema else {
        let left_alone = format!("the output of `{}` was not claimed", case.command);
        return Ok(if case.claimed { vec![left_alone] } else { Vec::new() });
    };
    if !case.claimed {
        return Ok(vec![format!("the output of `{}` was claimed as {schema}", case.command)]);
    }
    let mut lines = Vec::new();
    if let Some(expected) = case.schema.as_ref().filter(|expected| *expected != schema) {
        lines.push(format!("schema: expected {expected}, got {schema}"));
    }
    let count = answer.documents.len() + answer.left_out;
    if let Some(expected) = case.document_count.filter(|expected| *expected != count) {
        lines.push(format!("document_count: expected {expected}, got {count}"));
    }
    if let Some(documents) = &case.documents {
        let got = Value::Array(answer.documents.clone());
        lines.extend(differences("documents", &json(documents)?, &got, Extent::Whole));
    }
    for part in case.contains.iter().flatten() {
        lines.extend(missing(&json(part)?, &answer.documents));
    }
    let expected = case.unparsed.unwrap_or(0);
    if answer.unparsed.len() != expected {
        lines.push(format!("unparsed: expected {expected}, got {}", answer.unparsed.len()));
        lines.extend(answer.unparsed.iter().map(|left| format!("  line {}: {}", left.line, left.text)));
    }
    Ok(lines)
}

fn missing(part: &Value, documents: &[Value]) -> Vec<String> {
    if documents.iter().any(|document| contains(part, document)) {
        return Vec::new();
    }
    let mut lines = vec![format!("contains: no document has {}; there are {}", shown(part), documents.len())];
    lines.extend(documents.iter().take(SHOWN_DOCUMENTS).map(|document| format!("  {}", shown(document))));
    lines
}
