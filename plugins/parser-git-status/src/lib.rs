//! Parser for `git status`, long, short and both porcelain forms: one document per output.
//!
//! The long form is read in English only; in other languages, and where a line can be read in two
//! ways, the text is handed back as it is. Documents come at the end, when all is known.

mod command;
mod long;
mod path;
mod report;
mod short;
mod status;
#[cfg(test)]
mod tests;
mod v2;

use portcullis_plugin::PluginError;
use portcullis_plugin::parser::{Claim, OutputMeta, Parser, ParserInfo};

use crate::status::Status;

/// Name and version of the document.
pub const SCHEMA: &str = "git-status/1";
/// Out of 100: the command says what the output is.
const SCORE: u8 = 90;

/// The parser.
pub struct GitStatus;

impl Parser for GitStatus {
    type Parse = Status;

    fn describe() -> Vec<ParserInfo> {
        vec![ParserInfo { schema: SCHEMA.to_owned(), json_schema: include_str!("../schema.json").to_owned() }]
    }

    fn can_parse(meta: &OutputMeta, _head: &[u8]) -> Option<Claim> {
        command::form(&meta.argv)?;
        Some(Claim { score: SCORE, schema: SCHEMA.to_owned() })
    }

    fn begin(meta: OutputMeta, schema: &str) -> Result<Status, PluginError> {
        if schema != SCHEMA {
            return Err(PluginError::Unsupported(format!("the schema {schema:?} is not {SCHEMA:?}")));
        }
        match command::form(&meta.argv) {
            Some(form) => Ok(Status::new(form)),
            None => {
                Err(PluginError::InvalidInput("this command does not give a git status this parser reads".to_owned()))
            }
        }
    }
}

portcullis_plugin::parser!(GitStatus);
