//! Prints the verdicts for a corpus, one JSON record per line.
//!
//! `PORTCULLIS_POLICY_CORPUS` names a file of records `{"id": …, "cmd": …}`; each answer is
//! `{"id": …, "safe": …, "full": …, "rules": […]}`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a native tool for developers"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use portcullis_plugin::policy::Mode;

fn main() {
    let path = std::env::var("PORTCULLIS_POLICY_CORPUS").expect("PORTCULLIS_POLICY_CORPUS names the corpus");
    let text = std::fs::read_to_string(path).expect("the corpus can be read");
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let record: serde_json::Value = serde_json::from_str(line).expect("each line is a JSON record");
        let command = record["cmd"].as_str().expect("each record has a command");
        let answer = serde_json::json!({
            "id": record["id"],
            "safe": support::judged(command, Mode::Safe),
            "full": support::judged(command, Mode::Full),
            "rules": support::objections(command),
        });
        println!("{answer}");
    }
}
