//! Long-lived instances: parsers, and what is left of them after a failure.

use portcullis_sandbox::parser::OutputMeta;
use portcullis_sandbox::{CallError, Limits, Parse, ParserPlugin};
use serde_json::json;

use crate::support::{endpoint, guest, lab};

const SCHEMA: &str = "misbehaving/1";

/// The output of `command`, which tells the parser what to do.
fn meta(command: &str) -> OutputMeta {
    OutputMeta {
        argv: command.split(' ').map(str::to_owned).collect(),
        raw_command: command.to_owned(),
        endpoint: endpoint(),
        terminal: true,
        now_unix_ms: 0,
        attributes: Vec::new(),
    }
}

async fn parser() -> ParserPlugin {
    lab(4).sandbox.load_parser("p", guest("misbehaving-parser"), Limits::parser()).await.unwrap()
}

async fn parse(command: &str) -> Parse {
    parser().await.begin(&meta(command), SCHEMA).await.unwrap()
}

#[tokio::test]
async fn an_output_is_read_in_chunks_by_one_instance() {
    let parser = parser().await;
    assert_eq!(parser.schemas()[0].name, SCHEMA);
    assert_eq!(parser.schemas()[0].json_schema["type"], "object");
    let mut parse = parser.begin(&meta("misbehave count"), SCHEMA).await.unwrap();
    for chunk in [b"abc".as_slice(), b"", &[0xff; 5], &vec![7; 100_000]] {
        assert!(parse.push(chunk).await.unwrap().documents.is_empty());
    }
    let last = parse.finish(Some(0), false).await.unwrap();
    assert_eq!(last.documents, [json!({"fine": true, "bytes": 100_008})]);
    assert_eq!(last.unparsed[0].text, "left[0m over");
}

#[tokio::test]
async fn a_claim_must_be_one_it_described() {
    let parser = parser().await;
    let claim = async |command| parser.can_parse(&meta(command), b"text").await;
    assert_eq!(claim("ls").await.unwrap().map(|claim| claim.score), None);
    assert_eq!(claim("misbehave count").await.unwrap().map(|claim| claim.score), Some(100));
    for command in ["misbehave foreign_claim", "misbehave oversure_claim"] {
        assert!(matches!(claim(command).await, Err(CallError::Answer { .. })), "{command}");
    }
}

#[tokio::test]
async fn after_a_failure_there_is_nothing_left_to_call() {
    for (behaviour, expected) in [
        ("trap", "it crashed"),
        ("loop", "it used up its computing budget"),
        ("flood_log", "it wrote more than 10000 lines to the log"),
        ("flood_output", "its answer cannot be used"),
        ("no_json", "its answer cannot be used: a document is not JSON"),
        ("no_object", "its answer cannot be used: a document is not a JSON object"),
        ("wrong_object", "its answer cannot be used: a document does not fit its own schema at `/fine`"),
    ] {
        let mut parse = parse(&format!("misbehave {behaviour}")).await;
        let error = parse.push(b"text").await.unwrap_err();
        assert!(error.to_string().starts_with(expected), "{behaviour}: {error}");
        assert_eq!(parse.push(b"more").await.unwrap_err(), CallError::Ended);
        assert_eq!(parse.finish(None, true).await.unwrap_err(), CallError::Ended);
    }
}

#[tokio::test]
async fn a_call_given_up_ends_the_parse_and_frees_its_place() {
    let lab = lab(2);
    let limits = Limits { fuel: u64::MAX, ..Limits::parser() };
    let parser = lab.sandbox.load_parser("p", guest("misbehaving-parser"), limits).await.unwrap();
    let mut parse = parser.begin(&meta("misbehave loop"), SCHEMA).await.unwrap();
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(30), parse.push(b"text")).await;
    assert!(given_up.is_err());
    assert_eq!(parse.push(b"more").await.unwrap_err(), CallError::Ended);
    // The only instance of its lane is free again.
    assert!(parser.begin(&meta("misbehave count"), SCHEMA).await.is_ok());
}
