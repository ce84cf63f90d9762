//! Long-lived instances: parsers, and what is left of them after a failure.

use portcullis_sandbox::parser::OutputMeta;
use portcullis_sandbox::{CallError, Limits, Parse, ParserPlugin};
use serde_json::json;

use crate::support::{endpoint, guest, lab};

fn meta() -> OutputMeta {
    OutputMeta {
        argv: vec!["count".into()],
        raw_command: "count".into(),
        endpoint: endpoint(),
        terminal: true,
        now_unix_ms: 0,
        attributes: Vec::new(),
    }
}

async fn parser() -> ParserPlugin {
    lab(4).sandbox.load_parser("counter", guest("parser-misbehaving"), Limits::parser()).await.unwrap()
}

async fn parse() -> Parse {
    parser().await.begin(&meta(), "count/1").await.unwrap()
}

#[tokio::test]
async fn an_output_is_read_in_chunks_by_one_instance() {
    let parser = parser().await;
    assert_eq!(parser.schemas()[0].name, "count/1");
    assert_eq!(parser.schemas()[0].json_schema, json!({"type": "object"}));
    let mut parse = parser.begin(&meta(), "count/1").await.unwrap();
    for chunk in [b"abc".as_slice(), b"", &[0xff; 5], &vec![7; 100_000]] {
        assert!(parse.push(chunk).await.unwrap().documents.is_empty());
    }
    let last = parse.finish(Some(0), false).await.unwrap();
    assert_eq!(last.documents, [json!({"bytes": 100_008})]);
    assert_eq!(last.unparsed[0].text, "left[0m over");
}

#[tokio::test]
async fn a_claim_must_be_one_it_described() {
    let parser = parser().await;
    assert_eq!(parser.can_parse(&meta(), b"").await.unwrap().map(|claim| claim.score), None);
    assert_eq!(parser.can_parse(&meta(), b"text").await.unwrap().map(|claim| claim.score), Some(50));
    for head in [b"foreign".as_slice(), b"sure"] {
        assert!(matches!(parser.can_parse(&meta(), head).await, Err(CallError::Answer { .. })));
    }
}

#[tokio::test]
async fn after_a_failure_there_is_nothing_left_to_call() {
    for (chunk, expected) in [
        (b"trap".as_slice(), "it crashed"),
        (b"loop", "it used up its computing budget"),
        (b"no json", "its answer cannot be used: a document is not JSON"),
        (b"no object", "its answer cannot be used: a document is not a JSON object"),
    ] {
        let mut parse = parse().await;
        let error = parse.push(chunk).await.unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert_eq!(parse.push(b"more").await.unwrap_err(), CallError::Ended);
        assert_eq!(parse.finish(None, true).await.unwrap_err(), CallError::Ended);
    }
}

#[tokio::test]
async fn a_call_given_up_ends_the_parse_and_frees_its_place() {
    let lab = lab(2);
    let limits = Limits { fuel: u64::MAX, ..Limits::parser() };
    let parser = lab.sandbox.load_parser("counter", guest("parser-misbehaving"), limits).await.unwrap();
    let mut parse = parser.begin(&meta(), "count/1").await.unwrap();
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(30), parse.push(b"loop")).await;
    assert!(given_up.is_err());
    assert_eq!(parse.push(b"more").await.unwrap_err(), CallError::Ended);
    // The only instance of its lane is free again.
    assert!(parser.begin(&meta(), "count/1").await.is_ok());
}
