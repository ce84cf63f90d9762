//! For the tests of the parsers: reads an output as a host does, and holds what must be true of any.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use portcullis_plugin::Endpoint;
use portcullis_plugin::parser::{OutputMeta, Parse, Parser};
use proptest::prelude::*;
use serde_json::Value;

use crate::{Family, Of};

/// What came of an output.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    pub schema: String,
    pub documents: Vec<Value>,
    pub unparsed: Vec<(u32, String)>,
}

impl Read {
    /// The numbers of the lines that did not fit.
    pub fn left(&self) -> Vec<u32> {
        self.unparsed.iter().map(|(line, _)| *line).collect()
    }

    /// The document whose field has that text.
    pub fn find(&self, field: &str, text: &str) -> &Value {
        let found = self.documents.iter().find(|document| document[field] == text);
        found.unwrap_or_else(|| panic!("no document with {field} {text:?} in {self:#?}"))
    }
}

/// A command's words, without quotes.
pub fn meta(command: &str, terminal: bool) -> OutputMeta {
    OutputMeta {
        argv: command.split(' ').map(str::to_owned).collect(),
        raw_command: command.to_owned(),
        endpoint: Endpoint {
            profile: String::new(),
            user: String::new(),
            tags: Vec::new(),
            levels: Vec::new(),
            attributes: Vec::new(),
        },
        terminal,
        now_unix_ms: 0,
        attributes: Vec::new(),
    }
}

/// The score and the schema of the family's claim.
pub fn claim<F: Family>(command: &str, output: &str) -> Option<(u8, String)> {
    let claim = Of::<F>::can_parse(&meta(command, true), &output.as_bytes()[..output.len().min(4096)])?;
    Some((claim.score, claim.schema))
}

/// A stored output: the command behind `$ ` in its first line, and what it printed. The second line,
/// `# …`, says where it comes from.
pub fn stored(file: &str) -> (&str, &str) {
    let (command, rest) = file.strip_prefix("$ ").and_then(|file| file.split_once('\n')).expect("a command");
    let (origin, output) = rest.split_once('\n').expect("an origin");
    assert!(origin.starts_with("# "), "{origin}");
    (command, output)
}

/// Reads a stored output with the kind that its command is claimed for.
pub fn read_stored<F: Family>(file: &str) -> Read {
    let (command, output) = stored(file);
    read::<F>(command, output)
}

/// Reads a whole output of a command that the family claims.
pub fn read<F: Family>(command: &str, output: &str) -> Read {
    let (_, schema) = claim::<F>(command, output).unwrap_or_else(|| panic!("`{command}` is not claimed: {output}"));
    read_chunks::<F>(command, &schema, &[output.as_bytes()], false)
}

/// Reads an output in chunks; every document is checked against its schema.
pub fn read_chunks<F: Family>(command: &str, schema: &str, chunks: &[&[u8]], truncated: bool) -> Read {
    let mut parse = Of::<F>::begin(meta(command, true), schema).unwrap();
    let mut batches: Vec<_> = chunks.iter().map(|chunk| parse.push(chunk).unwrap()).collect();
    batches.push(parse.finish(Some(0), truncated).unwrap());
    let kind = F::KINDS.iter().find(|kind| kind.schema == schema).unwrap();
    let json_schema: Value = serde_json::from_str(kind.json_schema).unwrap();
    assert_eq!(json_schema["title"], schema, "the schema's title is its name");
    let validator = jsonschema::draft202012::new(&json_schema).unwrap();
    let mut read = Read { schema: schema.to_owned(), documents: Vec::new(), unparsed: Vec::new() };
    for batch in batches {
        for document in batch.documents {
            let document: Value = serde_json::from_str(&document).unwrap();
            if let Err(error) = validator.validate(&document) {
                panic!("{document:#} does not fit {schema} at {}: {error}", error.instance_path());
            }
            read.documents.push(document);
        }
        read.unparsed.extend(batch.unparsed.into_iter().map(|left| (left.line, left.text)));
    }
    read
}

/// Chunks change nothing, what is left is what was there, and no word is lost: every one stands in
/// a document, in a left line, or in a line that `is_structure`.
pub fn holds<F: Family>(command: &str, schema: &str, output: &[u8], size: usize, is_structure: fn(&str) -> bool) {
    // Whatever is asked of it, a claim is an answer.
    let _ = Of::<F>::can_parse(&meta(command, true), &output[..output.len().min(4096)]);
    let whole = read_chunks::<F>(command, schema, &[output], false);
    let chunks: Vec<&[u8]> = output.chunks(size.max(1)).collect();
    let mut parts = read_chunks::<F>(command, schema, &chunks, false);
    let mut sorted = whole.clone();
    parts.unparsed.sort();
    sorted.unparsed.sort();
    assert_eq!(parts, sorted, "chunks of {size} bytes change what is read");
    let lines: Vec<String> = output.split(|byte| *byte == b'\n').map(lossy).collect();
    for (number, left) in &whole.unparsed {
        assert_eq!(left, &lines[*number as usize - 1], "a left line is what was there");
    }
    let left: BTreeSet<u32> = whole.left().into_iter().collect();
    assert_eq!(left.len(), whole.unparsed.len(), "a line is left once: {:?}", whole.unparsed);
    let told = texts(&whole.documents);
    for (index, line) in lines.iter().enumerate() {
        let number = u32::try_from(index + 1).unwrap();
        if left.contains(&number) || line.trim().is_empty() || is_structure(line) {
            continue;
        }
        for word in longest_words(line) {
            assert!(told.contains(&word), "`{word}` of line {number} `{line}` is lost: {whole:#?}");
        }
    }
    read_chunks::<F>(command, schema, &[output], true);
}

/// Outputs made of the lines of real ones in any order, of rubbish, and of lines cut anywhere.
pub fn shuffled(outputs: &[&str]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let lines: Vec<String> = outputs.iter().flat_map(|output| output.lines()).map(str::to_owned).collect();
    let cut = proptest::sample::select(lines.clone()).prop_flat_map(|line| {
        let length = line.chars().count();
        (0..=length).prop_map(move |keep| line.chars().take(keep).collect::<String>().into_bytes())
    });
    let line = prop_oneof![
        6 => proptest::sample::select(lines).prop_map(String::into_bytes),
        1 => cut,
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => "[A-Za-z0-9:%.,\"{}\\[\\]|/あ -]{0,40}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(line, 0..25).prop_map(|lines| lines.join(&b'\n'))
}

fn lossy(line: &[u8]) -> String {
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

/// All strings, keys and numbers of the documents, letters and digits only.
fn texts(documents: &[Value]) -> String {
    fn walk(value: &Value, told: &mut String) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| {
                told.push_str(&dense(key));
                told.push('\n');
                walk(value, told);
            }),
            Value::Array(items) => items.iter().for_each(|item| walk(item, told)),
            Value::String(text) => told.push_str(&dense(text)),
            other => told.push_str(&dense(&other.to_string())),
        }
        told.push('\n');
    }
    let mut told = String::new();
    documents.iter().for_each(|document| walk(document, &mut told));
    told
}

fn dense(text: &str) -> String {
    text.chars().filter(|symbol| symbol.is_alphabetic()).flat_map(char::to_lowercase).collect()
}

/// Words of letters only, long enough not to be a unit or a mark.
fn longest_words(line: &str) -> Vec<String> {
    let words = line.split(|symbol: char| !symbol.is_alphabetic());
    words.filter(|word| word.chars().count() > 5).map(dense).collect()
}
