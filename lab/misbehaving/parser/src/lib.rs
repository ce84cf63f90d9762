//! A parser whose behaviour is chosen by the command whose output it reads, as parsers have no
//! settings: `misbehave loop`, and with a second word where: `misbehave trap begin`.
//!
//! Behaviours: `loop`, `trap`, `allocate`, `flood_log`, `deep_recursion` never come back;
//! `flood_output` gives more documents than anyone asked for, `garbage` documents that are no
//! JSON or none of its schema. Places: `begin`, `push` (the default), `finish`.

#[path = "../../src/behaviour.rs"]
mod behaviour;

use portcullis_plugin::PluginError;
use portcullis_plugin::parser::{Batch, Claim, OutputMeta, Parse, Parser, ParserInfo};

use crate::behaviour::{Endless, misbehave};

const SCHEMA: &str = "misbehaving/1";
const JSON_SCHEMA: &str = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","required":["fine"],"properties":{"fine":{"type":"boolean"}}}"#;
/// Far more than a host should take of one chunk.
const FLOOD_DOCUMENTS: usize = 200_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    None,
    Endless(Endless),
    FloodOutput,
    Garbage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Begin,
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
}

fn read(argv: &[String]) -> Option<Misbehaviour> {
    let mut words = argv.iter().map(String::as_str);
    if words.next() != Some("misbehave") {
        return None;
    }
    let behaviour = match words.next().unwrap_or("none") {
        "none" => Behaviour::None,
        "loop" => Behaviour::Endless(Endless::Loop),
        "trap" => Behaviour::Endless(Endless::Trap),
        "allocate" => Behaviour::Endless(Endless::Allocate),
        "flood_log" => Behaviour::Endless(Endless::FloodLog),
        "deep_recursion" => Behaviour::Endless(Endless::DeepRecursion),
        "flood_output" => Behaviour::FloodOutput,
        "garbage" => Behaviour::Garbage,
        _ => return None,
    };
    let place = match words.next().unwrap_or("push") {
        "begin" => Place::Begin,
        "push" => Place::Push,
        "finish" => Place::Finish,
        _ => return None,
    };
    Some(Misbehaviour { behaviour, place })
}

impl Misbehaviour {
    fn pass(&self, place: Place) -> Batch {
        let mut batch = Batch::empty();
        if self.place != place {
            return batch;
        }
        match self.behaviour {
            Behaviour::None => batch.documents.push(r#"{"fine":true}"#.to_owned()),
            Behaviour::Endless(endless) => misbehave(endless),
            Behaviour::FloodOutput => batch.documents = vec![r#"{"fine":true}"#.to_owned(); FLOOD_DOCUMENTS],
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
        read(&meta.argv).map(|_| Claim { score: 100, schema: SCHEMA.to_owned() })
    }

    fn begin(meta: OutputMeta, _schema: &str) -> Result<Misbehaviour, PluginError> {
        let parse =
            read(&meta.argv).ok_or_else(|| PluginError::InvalidInput("the command is not misbehave".to_owned()))?;
        parse.pass(Place::Begin);
        Ok(parse)
    }
}

impl Parse for Misbehaviour {
    fn push(&mut self, _chunk: &[u8]) -> Result<Batch, PluginError> {
        Ok(self.pass(Place::Push))
    }

    fn finish(&mut self, _exit_code: Option<i32>, _truncated: bool) -> Result<Batch, PluginError> {
        Ok(self.pass(Place::Finish))
    }
}

portcullis_plugin::parser!(Misbehaving);

#[cfg(test)]
mod tests {
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
    }

    #[test]
    #[should_panic(expected = "a trap was asked for")]
    fn it_traps_where_it_is_told() {
        let _ = words("misbehave trap finish").map(|parse| parse.pass(Place::Finish));
    }
}
