//! A parser that fails costs a note: the command's text and exit code are whole.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{GOOD, Stage, plugin_section};

/// What the command prints and how it ends; the parser is told by the command's words.
const COMMAND: &str = "misbehave() { seq 1 1000; return 3; }";

/// A parser's wall-clock limit for each of its calls, and time for a busy machine.
const RUN_LIMIT: Duration = Duration::from_secs(10);

fn ran(stage: &mut Stage, command: &str) -> Value {
    let started = Instant::now();
    let ran = stage.client.succeed("ssh_run", json!({ "command": command }));
    assert!(started.elapsed() < RUN_LIMIT, "{command}: {:?}", started.elapsed());
    let whole: String = (1..=1000).map(|number| format!("{number}\n")).collect();
    assert_eq!(ran["text"], whole, "{command}");
    assert_eq!((&ran["exit_code"], &ran["exit_source"]), (&json!(3), &json!("mark")), "{command}");
    ran
}

#[test]
fn a_parser_that_fails_costs_a_note_and_no_text() {
    let odd = plugin_section("odd", "misbehaving-parser", "{}");
    // Else the function's definition would need a person.
    let mut stage = Stage::set(&[], &format!("{odd}\n[defaults]\npolicy_mode = \"full\"\n"));
    stage.open(GOOD);
    stage.client.succeed("ssh_run", json!({ "command": COMMAND }));

    let well = ran(&mut stage, "misbehave none");
    assert_eq!(well["parsed"]["documents"], json!([{ "fine": true }]), "{well}");

    let behaviours = [
        "loop",
        "trap",
        "allocate",
        "flood_log",
        "flood_output",
        "deep_recursion",
        "no_json",
        "no_object",
        "wrong_object",
        "garbage",
    ];
    let places = ["begin", "finish"].map(|place| format!("trap {place}"));
    for told in behaviours.iter().map(|name| (*name).to_owned()).chain(places) {
        let ran = ran(&mut stage, &format!("misbehave {told}"));
        assert!(ran.get("parsed").is_none_or(Value::is_null), "{told}: {ran}");
        let notes = ran["notes"].as_array().unwrap();
        let told_so = notes.iter().any(|note| note.as_str().unwrap().contains("the parser `odd` failed"));
        assert!(told_so, "{told}: {notes:?}");
    }
}
