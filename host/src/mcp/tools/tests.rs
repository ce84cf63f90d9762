//! What the list of all tools has to keep to, whatever is added to it.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;

/// Models read the whole list before their first call.
const MOST_CHARS: usize = 12_000;
/// What a tool that is added may take of it.
const MOST_CHARS_EACH: usize = 1_700;

fn listed() -> Vec<Value> {
    all().iter().map(|tool| json!(tool.definition(true, ALWAYS))).collect()
}

#[test]
fn the_list_is_short_and_the_same_every_time() {
    let list = json!({ "tools": listed() }).to_string();
    assert!(list.chars().count() <= MOST_CHARS, "{} characters", list.chars().count());
    assert_eq!(json!({ "tools": listed() }).to_string(), list);
    for tool in listed() {
        let chars = tool.to_string().chars().count();
        assert!(chars <= MOST_CHARS_EACH, "{}: {chars} characters", tool["name"]);
    }
    let names: Vec<&str> = all().iter().map(|tool| tool.name).collect();
    assert!(names.is_sorted(), "{names:?}");
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
}

#[test]
fn a_tool_says_what_clients_go_by() {
    for tool in listed() {
        let name = tool["name"].as_str().unwrap();
        assert!(name.starts_with("ssh_") && name.len() <= 16, "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert!(tool["title"].as_str().is_some_and(|title| title.len() <= 40), "{name}");
        let description = tool["description"].as_str().unwrap();
        assert!((20..=160).contains(&description.chars().count()), "{name}: {description}");
        let annotations = &tool["annotations"];
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(annotations[hint].is_boolean(), "{name} has no {hint}");
        }
        assert_ne!(annotations["readOnlyHint"], annotations["destructiveHint"], "{name}");
        assert_eq!(tool["inputSchema"]["type"], "object", "{name}");
        assert_eq!(tool["outputSchema"]["type"], "object", "{name}");
        portable(&tool["inputSchema"], name, true);
        portable(&tool["outputSchema"], name, true);
    }
}

/// One type a node, no references, no alternatives, no formats, and unknown arguments are refused.
fn portable(schema: &Value, name: &str, is_schema: bool) {
    let Value::Object(object) = schema else { return };
    for (key, value) in object.iter().filter(|_| is_schema) {
        let fine = match key.as_str() {
            "type" => value.is_string(),
            "properties"
            | "required"
            | "description"
            | "items"
            | "enum"
            | "additionalProperties"
            | "minimum"
            | "maximum"
            | "default"
            | "pattern" => true,
            _ => false,
        };
        assert!(fine, "{name}: {key} {value}");
    }
    for (key, value) in object {
        portable(value, name, !(is_schema && key == "properties"));
    }
}

#[test]
fn what_no_tool_takes_is_refused_by_all() {
    for tool in listed() {
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool}");
    }
}

/// Changes of what models are told are made on purpose: `PORTCULLIS_BLESS=1 cargo test` writes the file anew.
#[test]
fn the_list_is_the_one_on_record() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/mcp/tools/listed.json");
    let tools: Vec<Value> = listed();
    let list = serde_json::to_string_pretty(&tools).unwrap() + "\n";
    if std::env::var_os("PORTCULLIS_BLESS").is_some() {
        std::fs::write(&path, &list).unwrap();
    }
    let recorded = std::fs::read_to_string(&path).unwrap();
    assert!(recorded == list, "the list is another than {}: PORTCULLIS_BLESS=1 writes it anew", path.display());
}

#[test]
fn the_instructions_are_not_cut_by_any_client() {
    let instructions = crate::mcp::server::INSTRUCTIONS;
    assert!(instructions.chars().count() <= 2_000, "{}", instructions.chars().count());
}
