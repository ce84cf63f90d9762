//! What the list of the set's tools has to keep to.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::sync::Arc;

use serde_json::{Value, json};

use super::state::State;
use super::told::ALWAYS;
use super::{INSTRUCTIONS, tools};

fn listed() -> Vec<Value> {
    tools(&Arc::new(State::default())).iter().map(|tool| json!(tool.definition(true, ALWAYS))).collect()
}

#[test]
fn each_of_the_predecessors_tools_is_there() {
    let mut expected = vec![
        "ssh-command-status",
        "ssh-device-list",
        "ssh-quick-connect",
        "ssh-retry",
        "ssh-run",
        "ssh-session-close",
        "ssh-session-control",
        "ssh-session-diagnostics",
        "ssh-session-history",
        "ssh-session-list",
        "ssh-session-open",
        "ssh-session-policy-list",
        "ssh-session-policy-remove",
        "ssh-session-policy-reset",
        "ssh-session-policy-upsert",
        "ssh-session-read",
        "ssh-session-resize",
        "ssh-session-send",
        "ssh-session-set-active",
        "ssh-session-watch",
        "ssh-status",
        "ssh-viewer-ensure",
        "ssh-viewer-list",
    ];
    expected.sort_unstable();
    let names: Vec<String> = listed().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, expected);
}

#[test]
fn a_description_carries_its_meaning_in_what_clients_show() {
    for tool in listed() {
        let description = tool["description"].as_str().unwrap();
        assert!((20..=160).contains(&description.chars().count()), "{}: {description}", tool["name"]);
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool}");
    }
    assert!(INSTRUCTIONS.chars().count() <= 2_000, "{}", INSTRUCTIONS.chars().count());
}

/// Changes of what models are told are made on purpose: `PORTCULLIS_BLESS=1 cargo test` writes the file anew.
#[test]
fn the_list_is_the_one_on_record() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/mcp/toolsets/ssh_session_mcp/listed.json");
    let list = serde_json::to_string_pretty(&listed()).unwrap() + "\n";
    if std::env::var_os("PORTCULLIS_BLESS").is_some() {
        std::fs::write(&path, &list).unwrap();
    }
    let recorded = std::fs::read_to_string(&path).unwrap();
    assert!(recorded == list, "the list is another than {}: PORTCULLIS_BLESS=1 writes it anew", path.display());
}
