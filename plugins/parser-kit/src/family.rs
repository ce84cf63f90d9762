//! Several kinds of output in one component: each with its schema, its claim and its reader.

use std::marker::PhantomData;

use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::{Batch, Claim, OutputMeta, Parse, Parser, ParserInfo};
use portcullis_plugin::{Lines, PluginError};

use crate::{Command, Sink};

/// One kind of output.
pub struct Kind {
    /// Name and version of its documents, e.g. `ps/1`.
    pub schema: &'static str,
    /// Their JSON Schema.
    pub json_schema: &'static str,
    /// How surely the command's output is of this kind, 1 to 100, by the command and the first
    /// 4 KiB of the output. None: it is not.
    pub claim: fn(&Command<'_>, &str) -> Option<u8>,
    /// Starts on one output.
    pub begin: fn(&Command<'_>, &OutputMeta) -> Box<dyn Reader>,
}

/// The kinds of one component.
pub trait Family: 'static {
    /// In the order in which they are asked; of equal scores the first counts.
    const KINDS: &'static [Kind];
}

/// Reads the lines of one output.
pub trait Reader {
    /// Takes one whole line. It has to become part of a document, be structure (a heading, an empty
    /// line), be held for later, or be left in the sink as it is.
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink);

    /// No more lines come. What is held has to be given or left.
    fn finish(&mut self, end: End, sink: &mut Sink);
}

/// How an output ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    pub exit_code: Option<i32>,
    /// The end of the output is missing.
    pub truncated: bool,
}

/// The parser of a family.
pub struct Of<F>(PhantomData<F>);

/// One output being read.
pub struct Reading {
    lines: Lines,
    reader: Box<dyn Reader>,
    sink: Sink,
}

impl<F: Family> Parser for Of<F> {
    type Parse = Reading;

    fn describe() -> Vec<ParserInfo> {
        let info =
            |kind: &Kind| ParserInfo { schema: kind.schema.to_owned(), json_schema: kind.json_schema.to_owned() };
        F::KINDS.iter().map(info).collect()
    }

    fn can_parse(meta: &OutputMeta, head: &[u8]) -> Option<Claim> {
        let command = Command::read(&meta.argv)?;
        let head = String::from_utf8_lossy(head);
        let mut best: Option<(u8, &Kind)> = None;
        for kind in F::KINDS {
            if let Some(score) = (kind.claim)(&command, &head)
                && best.is_none_or(|(highest, _)| score > highest)
            {
                best = Some((score, kind));
            }
        }
        best.map(|(score, kind)| Claim { score, schema: kind.schema.to_owned() })
    }

    fn begin(meta: OutputMeta, schema: &str) -> Result<Reading, PluginError> {
        let Some(kind) = F::KINDS.iter().find(|kind| kind.schema == schema) else {
            return Err(PluginError::Unsupported(format!("the schema {schema:?} is none of this parser's")));
        };
        let Some(command) = Command::read(&meta.argv) else {
            return Err(PluginError::InvalidInput("there is no command".to_owned()));
        };
        Ok(Reading { lines: Lines::default(), reader: (kind.begin)(&command, &meta), sink: Sink::default() })
    }
}

impl Parse for Reading {
    fn push(&mut self, chunk: &[u8]) -> Result<Batch, PluginError> {
        let Self { lines, reader, sink } = self;
        lines.push(chunk, |line| take(reader.as_mut(), sink, &line, false));
        Ok(sink.take())
    }

    fn finish(&mut self, exit_code: Option<i32>, truncated: bool) -> Result<Batch, PluginError> {
        let Self { lines, reader, sink } = self;
        // The end of the last line is missing if the output's end is.
        lines.finish(|line| take(reader.as_mut(), sink, &line, truncated));
        reader.finish(End { exit_code, truncated }, sink);
        Ok(sink.take())
    }
}

/// A line of which a part is missing is no row, whatever it looks like.
fn take(reader: &mut dyn Reader, sink: &mut Sink, line: &Line<'_>, truncated: bool) {
    if line.cut || truncated {
        sink.leave(line.number, &line.text);
    } else {
        reader.line(line, sink);
    }
}
