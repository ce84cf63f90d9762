//! A parser given one command's output.

use std::collections::BTreeMap;

use portcullis_sandbox::ParserPlugin;
use portcullis_sandbox::parser::OutputMeta;
use portcullis_sandbox::policy::TerminalState;
use serde::Serialize;
use serde_json::Value;

use super::KitError;
use super::place::{PlaceInput, ShellName, place};
use crate::clock;
use crate::config::PolicyMode;
use crate::gate::{endpoint, only_command};
use crate::plugins::{CHUNK_BYTES, ParserSet};

/// What is given.
#[derive(Debug, Clone)]
pub struct ParserInput {
    /// The line that was run; one command whose output is its own.
    pub command: String,
    pub output: String,
    pub exit_code: Option<i32>,
    /// The output came from a terminal.
    pub terminal: bool,
    pub shell: ShellName,
    pub place: PlaceInput,
    /// Milliseconds since 1970; now when none.
    pub now_unix_ms: Option<u64>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ParserAnswer {
    /// The schema it claimed; none when it does not read this output.
    pub schema: Option<String>,
    pub documents: Vec<Value>,
    /// Documents beyond the most a result holds.
    pub left_out: usize,
    pub unparsed: Vec<Left>,
}

/// A line that did not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// From 1.
    pub line: u32,
    pub text: String,
}

/// Asks as a host does, with this parser alone.
///
/// # Errors
/// When the line is none a host would have parsed, or the parser fails.
pub(super) async fn ask(plugin: &ParserPlugin, input: &ParserInput) -> Result<ParserAnswer, KitError> {
    ask_in(plugin, input, CHUNK_BYTES).await
}

/// The same with the output in pieces of another size; a parser has to give the same of it.
pub(super) async fn ask_in(
    plugin: &ParserPlugin,
    input: &ParserInput,
    chunk_bytes: usize,
) -> Result<ParserAnswer, KitError> {
    let Some(argv) = only_command(&input.command) else {
        return Err(KitError::input(
            format!("`{}` is not one command whose output is its own", input.command),
            "give a line without pipes, redirections and unknown words, as a host parses no other",
        ));
    };
    let place = place(&input.place, input.shell, PolicyMode::Safe, TerminalState::AtPrompt);
    let meta = OutputMeta {
        argv,
        raw_command: input.command.clone(),
        endpoint: endpoint(&place),
        terminal: input.terminal,
        now_unix_ms: input.now_unix_ms.unwrap_or_else(clock::unix_ms),
        attributes: Vec::new(),
    };
    let name = plugin.info().name;
    let alone = ParserSet::new(BTreeMap::from([(name.clone(), plugin.clone())]));
    let parsed = alone.parse_in(meta, &input.output, input.exit_code, chunk_bytes).await;
    let Some(parsed) = parsed.map_err(|reason| KitError::NoAnswer { plugin: name, reason })? else {
        return Ok(ParserAnswer::default());
    };
    Ok(ParserAnswer {
        schema: Some(parsed.schema),
        documents: parsed.documents,
        left_out: parsed.left_out,
        unparsed: parsed.unparsed.into_iter().map(|left| Left { line: left.line, text: left.text }).collect(),
    })
}
