//! A parser whose behaviour is chosen by the command whose output it reads, as parsers have no
//! settings: `misbehave loop`, and with a third word where: `misbehave trap begin`.
//!
//! `none` gives one document, `count` tells at the end how many bytes it got. `loop`, `trap`,
//! `allocate`, `flood_log`, `deep_recursion` never come back; `flood_output` gives more documents
//! than anyone asked for, `no_json`, `no_object`, `wrong_object` and `garbage` what is no document or
//! none of its schema; `foreign_claim` and `oversure_claim` break the contract before the parse begins. Places:
//! `begin`, `push` (the default), `finish`.

#[path = "../../src/behaviour.rs"]
mod behaviour;

use portcullis_plugin::PluginError;
use portcullis_plugin::parser::{Batch, Claim, OutputMeta, Parse, Parser, ParserInfo};
use serde::Deserialize;
use serde::de::IntoDeserializer;

use crate::behaviour::{Endless, misbehave};

/// First word of a command that tells the behaviour.
const TELLING: &str = "misbehave";
const SCHEMA: &str = "misbehaving/1";
const JSON_SCHEMA: &str = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","required":["fine"],"properties":{"fine":{"type":"boolean"},"bytes":{"type":"integer"}}}"#;
/// Far more than a host should take of one chunk.
const FLOOD_DOCUMENTS: usize = 200_000;

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Behaviour {
    None,
    Count,
    FloodOutput,
    NoJson,
    NoObject,
    /// An object that does not fit the schema it is said to have.
    WrongObject,
    /// Documents and a line that are wrong in every way at once.
    Garbage,
    /// Claims a schema it does not describe.
    ForeignClaim,
    /// Claims more certainty than there is.
    OversureClaim,
    #[serde(untagged)]
    Endless(Endless),
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Place {
    Begin,
    #[default]
    Push,
    Finish,
}

/// The parser.
pub struct Misbehaving;

/// One output it reads.
#[derive(Debug)]
pub struct Misbehaviour {
    behaviour: Behaviour,
    place: Place,
    counted_bytes: usize,
}

/// `None` for a command that is not for it.
fn read(argv: &[String]) -> Option<Misbehaviour> {
    let (behaviour, place) = match argv {
        [program, behaviour] if program == TELLING => (named(behaviour)?, Place::default()),
        [program, behaviour, place] if program == TELLING => (named(behaviour)?, named(place)?),
        _ => return None,
    };
    Some(Misbehaviour { behaviour, place, counted_bytes: 0 })
}

fn named<'a, T: Deserialize<'a>>(name: &'a str) -> Option<T> {
    T::deserialize(IntoDeserializer::<serde::de::value::Error>::into_deserializer(name)).ok()
}

impl Misbehaviour {
    fn pass(&self, place: Place) -> Batch {
        let mut batch = Batch::empty();
        if self.behaviour == Behaviour::Count && place == Place::Finish {
            batch.documents.push(format!(r#"{{"fine":true,"bytes":{}}}"#, self.counted_bytes));
            batch.leave(1, "left\u{1b}[0m over");
        }
        if self.place != place {
            return batch;
        }
        match self.behaviour {
            Behaviour::None => batch.documents.push(r#"{"fine":true}"#.to_owned()),
            Behaviour::Count | Behaviour::ForeignClaim | Behaviour::OversureClaim => {}
            Behaviour::Endless(endless) => misbehave(endless),
            Behaviour::FloodOutput => batch.documents = vec![r#"{"fine":true}"#.to_owned(); FLOOD_DOCUMENTS],
            Behaviour::NoJson => batch.documents.push(r#"{"fine":"#.to_owned()),
            Behaviour::NoObject => batch.documents.push("7".to_owned()),
            Behaviour::WrongObject => batch.documents.push(r#"{"fine":"yes"}"#.to_owned()),
            Behaviour::Garbage => {
                batch.documents = [r#"{"fine":"#, "[]", r#"{"fine":"no"}"#, "\u{1b}[2J"].map(str::to_owned).to_vec();
                batch.leave(u32::MAX, "\u{1b}]0;title\u{7}");
            }
        }
        batch
    }
}

impl Parser for Misbehaving {
    type Parse = Misbehaviour;

    fn describe() -> Vec<ParserInfo> {
        vec![ParserInfo { schema: SCHEMA.to_owned(), json_schema: JSON_SCHEMA.to_owned() }]
    }

    fn can_parse(meta: &OutputMeta, _head: &[u8]) -> Option<Claim> {
        let (score, schema) = match read(&meta.argv)?.behaviour {
            Behaviour::ForeignClaim => (100, "other/1"),
            Behaviour::OversureClaim => (101, SCHEMA),
            _ => (100, SCHEMA),
        };
        Some(Claim { score, schema: schema.to_owned() })
    }

    fn begin(meta: OutputMeta, _schema: &str) -> Result<Misbehaviour, PluginError> {
        let parse =
            read(&meta.argv).ok_or_else(|| PluginError::InvalidInput("the command is not misbehave".to_owned()))?;
        parse.pass(Place::Begin);
        Ok(parse)
    }
}

impl Parse for Misbehaviour {
    fn push(&mut self, chunk: &[u8]) -> Result<Batch, PluginError> {
        self.counted_bytes += chunk.len();
        Ok(self.pass(Place::Push))
    }

    fn finish(&mut self, _exit_code: Option<i32>, _truncated: bool) -> Result<Batch, PluginError> {
        Ok(self.pass(Place::Finish))
    }
}

portcullis_plugin::parser!(Misbehaving);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn words(line: &str) -> Option<Misbehaviour> {
        let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
        read(&argv)
    }

    #[test]
    fn the_command_says_what_happens_and_where() {
        let answers = |line: &str, place| words(line).map(|parse| parse.pass(place).documents.len());
        assert_eq!(answers("misbehave none", Place::Push), Some(1));
        assert_eq!(answers("misbehave flood_output finish", Place::Push), Some(0));
        assert_eq!(answers("misbehave flood_output finish", Place::Finish), Some(FLOOD_DOCUMENTS));
        assert!(words("misbehave nap").is_none() && words("ls loop").is_none());
        assert!(words("misbehave trap now").is_none() && words("misbehave").is_none());
    }

    #[test]
    fn it_counts_what_it_is_given() {
        let mut parse = words("misbehave count").unwrap();
        assert_eq!(parse.push(b"ab").unwrap().documents.len(), 0);
        parse.push(&[0xff; 3]).unwrap();
        assert_eq!(parse.finish(None, false).unwrap().documents, [r#"{"fine":true,"bytes":5}"#]);
    }

    #[test]
    #[should_panic(expected = "a trap was asked for")]
    fn it_traps_where_it_is_told() {
        let _ = words("misbehave trap finish").map(|parse| parse.pass(Place::Finish));
    }
}
