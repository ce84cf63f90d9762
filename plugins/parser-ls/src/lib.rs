//! Parser for long listings of `ls`: one document per entry.
//!
//! It reads GNU, BusyBox and BSD listings, the time styles `long-iso`, `full-iso` and `iso`, and
//! dates whose month is a word. A line that does not fit, or that can be read in two ways, is
//! handed back as it is: nothing is guessed.
//!
//! Limits: an owner or group name with a blank, and a symbolic link with ` -> ` in its own name
//! outside quotes, do not fit.

mod date;
mod json;
mod listing;
mod name;
mod options;
mod row;
#[cfg(test)]
mod tests;

use portcullis_plugin::PluginError;
use portcullis_plugin::parser::{Claim, OutputMeta, Parser, ParserInfo};

use crate::listing::Listing;
use crate::options::Options;

/// Name and version of the documents.
pub const SCHEMA: &str = "ls/1";
/// Out of 100: the program and its options say what the output is.
const SCORE: u8 = 90;

/// The parser.
pub struct Ls;

impl Parser for Ls {
    type Parse = Listing;

    fn describe() -> Vec<ParserInfo> {
        vec![ParserInfo { schema: SCHEMA.to_owned(), json_schema: include_str!("../schema.json").to_owned() }]
    }

    fn can_parse(meta: &OutputMeta, _head: &[u8]) -> Option<Claim> {
        Options::read(&meta.argv)?;
        Some(Claim { score: SCORE, schema: SCHEMA.to_owned() })
    }

    fn begin(meta: OutputMeta, schema: &str) -> Result<Listing, PluginError> {
        if schema != SCHEMA {
            return Err(PluginError::Unsupported(format!("the schema {schema:?} is not {SCHEMA:?}")));
        }
        match Options::read(&meta.argv) {
            Some(options) => Ok(Listing::new(options, meta.terminal)),
            None => Err(PluginError::InvalidInput("this command does not give a long listing of ls".to_owned())),
        }
    }
}

portcullis_plugin::parser!(Ls);
