//! Policies that do not answer: the line is refused, and nothing else is harmed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{GOOD, Stage};

/// Nothing else on the screen or in the record contains it.
const MARKER: &str = "never-to-be-typed";

/// A policy's wall-clock limit, and as much again for a busy machine.
const REFUSAL_LIMIT: Duration = Duration::from_secs(4);

const POLICED: &[(&str, &str)] = &[
    ("loop", r#"{ behaviour = "loop" }"#),
    ("loop-create", r#"{ behaviour = "loop", where = "create" }"#),
    ("trap", r#"{ behaviour = "trap" }"#),
    ("allocate", r#"{ behaviour = "allocate" }"#),
    ("flood-output", r#"{ behaviour = "flood_output" }"#),
    ("flood-log", r#"{ behaviour = "flood_log" }"#),
    ("garbage-rule", r#"{ behaviour = "garbage_rule" }"#),
    ("deep-recursion", r#"{ behaviour = "deep_recursion" }"#),
];

#[test]
fn a_policy_that_fails_refuses_its_line_and_harms_nothing_else() {
    let mut stage = Stage::set(POLICED, "");
    let good = stage.open(GOOD);
    for (name, _) in POLICED {
        let session_id = stage.open(name);
        let started = Instant::now();
        let command = format!("echo {MARKER}");
        let refused = stage.client.fail("ssh_run", json!({ "session_id": session_id, "command": command }));
        let took = started.elapsed();
        assert!(took < REFUSAL_LIMIT, "{name}: refused after {took:?}");
        assert_eq!(refused["result_status"], "blocked", "{name}: {refused}");
        assert_eq!(refused["failure_category"], "plugin-failure", "{name}: {refused}");
        assert_eq!(refused["rule_id"], "host/policy-failed", "{name}: {refused}");
        let reason = refused["reason"].as_str().unwrap();
        assert!(reason.contains(&format!("`{name}`")), "{reason}");
        nothing_was_typed(&mut stage, &session_id, name);

        let other = json!({ "session_id": good, "command": format!("echo {name} $((6 * 7))") });
        let ran = stage.client.succeed("ssh_run", other);
        assert_eq!((&ran["text"], &ran["exit_code"]), (&json!(format!("{name} 42\n")), &json!(0)), "{name}");
    }
    // What is typed does stand in the record, so its absence above means something.
    let typed = stage.scene.transcript(&good).into_iter().filter(|line| line["kind"] == "input");
    assert!(typed.into_iter().any(|line| line.to_string().contains("echo loop")));
}

#[test]
fn a_failing_policy_refuses_text_that_goes_to_a_prompt_by_other_ways_too() {
    let mut stage = Stage::set(&[("trap", r#"{ behaviour = "trap" }"#)], "");
    let session_id = stage.open("trap");
    let text = format!("echo {MARKER}");
    for (tool, arguments) in [
        ("ssh_send", json!({ "session_id": session_id, "text": text, "enter": true })),
        ("ssh_run", json!({ "session_id": session_id, "command": format!("true\n{text}") })),
    ] {
        let refused = stage.client.fail(tool, arguments);
        assert_eq!(refused["rule_id"], "host/policy-failed", "{tool}: {refused}");
    }
    nothing_was_typed(&mut stage, &session_id, "trap");
}

/// Neither on the screen nor on record as typed or shown; as refused it is.
fn nothing_was_typed(stage: &mut Stage, session_id: &str, name: &str) {
    let screen = stage.client.succeed("ssh_read", json!({ "session_id": session_id }));
    assert!(!screen["text"].as_str().unwrap().contains(MARKER), "{name}: {screen}");
    let record = stage.scene.transcript(session_id);
    let (verdicts, others): (Vec<Value>, Vec<Value>) = record.into_iter().partition(|line| line["kind"] == "verdict");
    let sent = others.iter().find(|line| line.to_string().contains(MARKER));
    assert_eq!(sent, None, "{name}");
    let refused = verdicts.iter().any(|line| line["verdict"] == "deny" && line.to_string().contains(MARKER));
    assert!(refused, "{name}: the refusal is not on record: {verdicts:?}");
}
