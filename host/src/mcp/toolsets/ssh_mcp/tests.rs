//! What the list of the set's tools has to keep to.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use serde_json::{Value, json};

use super::*;

/// By the predecessor's names and parameters.
const TOOLS: [(&str, &[&str]); 17] = [
    ("open_session", &["profile", "config_path", "password", "passphrase", "owner_label"]),
    ("diagnose_profile", &["profile", "config_path"]),
    ("list_sessions", &[]),
    ("close_session", &["session_id"]),
    ("reopen_session", &["session_id", "password", "passphrase"]),
    (
        "send_text",
        &[
            "session_id",
            "text",
            "enter",
            "enter_sequence",
            "wait_for",
            "timeout",
            "sensitive",
            "actor",
            "lock_ttl",
            "force",
        ],
    ),
    (
        "execute_command",
        &[
            "session_id",
            "command",
            "wait_for",
            "wait_for_prompt",
            "timeout",
            "actor",
            "enter_sequence",
            "lock_ttl",
            "force",
        ],
    ),
    ("interrupt", &["session_id", "actor", "lock_ttl", "force"]),
    ("get_command", &["session_id", "command_id", "output_limit"]),
    ("list_commands", &["session_id", "output_limit"]),
    ("cancel_command", &["session_id", "command_id", "actor", "lock_ttl", "force"]),
    ("get_screen", &["session_id", "lines"]),
    ("get_transcript", &["session_id", "tail"]),
    ("input_lock_status", &["session_id"]),
    ("acquire_input_lock", &["session_id", "actor", "ttl", "force"]),
    ("release_input_lock", &["session_id", "actor", "force"]),
    (
        "search_logs",
        &[
            "session_id",
            "pattern",
            "path",
            "include",
            "context",
            "ignore_case",
            "max_count",
            "timeout",
            "actor",
            "lock_ttl",
            "force",
        ],
    ),
];

fn listed() -> Vec<Value> {
    let set = set(SshMcpSettings::default());
    set.tools.iter().map(|tool| json!(tool.definition(true, set.always))).collect()
}

#[test]
fn each_tool_has_the_name_and_the_parameters_it_always_had() {
    let listed = listed();
    assert_eq!(listed.len(), TOOLS.len());
    for (name, parameters) in TOOLS {
        let tool = listed.iter().find(|tool| tool["name"] == name).unwrap();
        let schema = &tool["inputSchema"];
        let mut known: Vec<&str> =
            schema["properties"].as_object().map_or(Vec::new(), |it| it.keys().map(String::as_str).collect());
        let mut wanted = parameters.to_vec();
        known.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(known, wanted, "{name}");
        assert_eq!(tool["outputSchema"]["required"], json!(["ok"]), "{name}");
        let description = tool["description"].as_str().unwrap().chars().count();
        assert!((20..=160).contains(&description), "{name}: {description} characters");
    }
}

#[test]
fn the_list_is_what_it_was() {
    let text = format!("{:#}\n", json!(listed()));
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/mcp/toolsets/ssh_mcp/listed.json");
    if std::env::var_os("PORTCULLIS_BLESS").is_some() {
        std::fs::write(file, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(file).unwrap_or_default(), text, "bless it with PORTCULLIS_BLESS=1");
}
