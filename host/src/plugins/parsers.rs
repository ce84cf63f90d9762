//! The parsers: which one reads an output, and what comes of it.

use std::collections::BTreeMap;
use std::time::Instant;

use portcullis_sandbox::parser::{HEAD_BYTES, OutputMeta};
use portcullis_sandbox::{CallError, ParserPlugin};
use serde::Serialize;
use serde_json::Value;

use crate::metrics;

/// Output is handed over in pieces of this size.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;
/// Documents in one result; the rest is counted.
const MAX_DOCUMENTS: usize = 500;

/// Output as data.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Parsed {
    pub parser: String,
    pub schema: String,
    pub documents: Vec<Value>,
    /// Documents beyond the limit.
    pub left_out: usize,
    /// Lines that did not fit the parser's grammar, as they were.
    pub unparsed: Vec<UnparsedLine>,
}

#[derive(Debug, Clone, Serialize)]
pub struct UnparsedLine {
    pub line: u32,
    pub text: String,
}

/// All loaded parsers.
#[derive(Clone)]
pub struct ParserSet {
    parsers: BTreeMap<String, ParserPlugin>,
}

impl ParserSet {
    pub(crate) fn new(parsers: BTreeMap<String, ParserPlugin>) -> Self {
        Self { parsers }
    }

    /// Reads `text` with the parser that claims it most surely.
    ///
    /// # Errors
    /// A note for the result when the parser failed; the text is then the result.
    pub async fn parse(&self, meta: OutputMeta, text: &str, exit_code: Option<i32>) -> Result<Option<Parsed>, String> {
        self.parse_in(meta, text, exit_code, CHUNK_BYTES).await
    }

    /// The same, handed over in pieces of another size.
    pub(crate) async fn parse_in(
        &self,
        meta: OutputMeta,
        text: &str,
        exit_code: Option<i32>,
        chunk_bytes: usize,
    ) -> Result<Option<Parsed>, String> {
        let head = &text.as_bytes()[..text.len().min(HEAD_BYTES)];
        let mut best: Option<(u8, &String, &ParserPlugin, String)> = None;
        let program = program(&meta.argv);
        for (name, parser) in self.parsers.iter().filter(|(_, parser)| parser.is_about(program)) {
            match parser.can_parse(&meta, head).await {
                Ok(Some(claim)) if best.as_ref().is_none_or(|(score, ..)| claim.score > *score) => {
                    best = Some((claim.score, name, parser, claim.schema));
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(parser = name, %error, "parser failed when asked whether it can parse"),
            }
        }
        let Some((_, name, parser, schema)) = best else { return Ok(None) };
        let asked = Instant::now();
        let read = read_all(parser, &meta, &schema, text.as_bytes().chunks(chunk_bytes), exit_code).await;
        metrics::plugin_asked(name, asked.elapsed(), read.is_err());
        read.map(|parsed| Some(Parsed { parser: name.clone(), ..parsed }))
            .map_err(|error| format!("the parser `{name}` failed ({error}); the text is complete"))
    }
}

/// The program's name without its folder; the applet of one that is many.
fn program(argv: &[String]) -> &str {
    let mut names = argv.iter().map(|word| word.rsplit('/').next().unwrap_or(word));
    match names.next() {
        Some("busybox" | "toybox") => names.next().unwrap_or_default(),
        named => named.unwrap_or_default(),
    }
}

async fn read_all(
    parser: &ParserPlugin,
    meta: &OutputMeta,
    schema: &str,
    chunks: impl Iterator<Item = &[u8]>,
    exit_code: Option<i32>,
) -> Result<Parsed, CallError> {
    let mut parsed = Parsed { schema: schema.to_owned(), ..Parsed::default() };
    let mut parse = parser.begin(meta, schema).await?;
    for chunk in chunks {
        take(&mut parsed, parse.push(chunk).await?);
    }
    take(&mut parsed, parse.finish(exit_code, false).await?);
    Ok(parsed)
}

fn take(parsed: &mut Parsed, batch: portcullis_sandbox::parser::Batch) {
    let room = MAX_DOCUMENTS - parsed.documents.len();
    parsed.left_out += batch.documents.len().saturating_sub(room);
    parsed.documents.extend(batch.documents.into_iter().take(room));
    let lines = batch.unparsed.into_iter().map(|line| UnparsedLine { line: line.line, text: line.text });
    parsed.unparsed.extend(lines);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_named_without_its_folder_and_as_the_applet() {
        for (line, expected) in
            [("/bin/ls -l", "ls"), ("git status", "git"), ("busybox ls", "ls"), ("/sbin/toybox", ""), ("", "")]
        {
            let argv: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(program(&argv), expected, "{line}");
        }
    }
}
