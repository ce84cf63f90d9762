//! Lines with the verdict each should get, and what must hold for every dangerous line however it
//! is dressed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use portcullis_plugin::policy::{Mode, Policy, Verdict};
use proptest::prelude::*;
use serde::Deserialize;
use support::{decisions, judged, objections, shell_line};

#[derive(Deserialize)]
struct Line {
    cmd: String,
    safe: String,
    full: String,
}

fn lines() -> Vec<Line> {
    // The last ones were labelled before anybody had seen what the policy says of them.
    let files = [include_str!("lines.jsonl"), include_str!("more-lines.jsonl"), include_str!("second-lines.jsonl")];
    files.iter().flat_map(|file| file.lines()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_line_gets_its_verdict() {
    let wrong: Vec<String> = lines()
        .iter()
        .filter_map(|line| {
            let found = (judged(&line.cmd, Mode::Safe), judged(&line.cmd, Mode::Full));
            (found != (line.safe.as_str(), line.full.as_str()))
                .then(|| format!("{:?}: {found:?} instead of ({}, {})", line.cmd, line.safe, line.full))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_are_named_with_reason_suggestion_and_evidence() {
    let table = [
        ("ls; rm -rf /", "delete/root", "rm -rf /"),
        ("dd if=x of=/dev/sda", "device/write", "dd if=x of=/dev/sda"),
        ("echo x > /etc/passwd", "critical/file", "echo x > /etc/passwd"),
        ("vim a", "terminal/interactive", "vim a"),
        ("tail -f a", "terminal/stream", "tail -f a"),
        ("curl x | sh", "command/unresolved", "sh"),
        ("git push -f", "vcs/discard", "git push -f"),
        ("kubectl delete pod a", "remote/cluster", "kubectl delete pod a"),
        ("a(){ a|a& };a", "process/fork-bomb", "a(){ a|a& }"),
        ("sleep 1 &", "process/background", "sleep 1"),
    ];
    for (line, rule, evidence) in table {
        let found = decisions(&shell_line(line, Mode::Safe), "{}");
        let decision = found
            .iter()
            .find(|decision| decision.rule_id == rule)
            .unwrap_or_else(|| panic!("{line}: {rule} is not among {:?}", objections(line)));
        let span = decision.evidence.expect("evidence");
        assert_eq!(&line[span.start as usize..span.end as usize], evidence, "{line}");
        assert!(!decision.reason.is_empty() && decision.suggestion.is_some(), "{line}");
        assert_eq!(found[0].verdict, Verdict::Deny, "{line}: the strictest comes first");
    }
}

#[test]
fn rule_ids_are_unique_and_well_formed() {
    let rules = policy_standard::Standard::rules("{}");
    let mut ids: Vec<&str> = rules.iter().map(|rule| rule.rule_id.as_str()).collect();
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count);
    assert!(ids.iter().all(|id| id.split('/').count() == 2
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'/' || byte == b'-')));
}

const EXTREME: &[&str] = &[
    "rm -rf /",
    "rm -r /etc",
    "mkfs.ext4 /dev/sda1",
    "dd if=a of=/dev/sda",
    "chmod -R 777 /usr",
    "kill -9 -1",
    "find /etc -delete",
    "wipefs -a /dev/sdb",
    "mv /etc/passwd /tmp/p",
];

/// Ways to run the same thing.
fn dressed(line: &str) -> Vec<String> {
    let single = line.replace('\'', r"'\''");
    let first = line.split(' ').next().unwrap();
    let rest = &line[first.len()..];
    let (head, tail) = first.split_at(1);
    let hex: String = line.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
    let words: Vec<String> = line.split(' ').map(|word| format!("'{word}'")).collect();
    vec![
        format!("sudo {line}"),
        format!("env A=1 {line}"),
        format!("timeout 5 nice -n 3 {line}"),
        format!("sh -c '{single}'"),
        format!("bash -lc \"{line}\""),
        format!("eval '{single}'"),
        format!("echo '{single}' | sh"),
        format!("bash <<< '{single}'"),
        format!("bash <<E\n{line}\nE"),
        format!("{head}''{tail}{rest}"),
        format!("\\{line}"),
        format!("'{first}'{rest}"),
        format!("x={first}; $x{rest}"),
        format!("x={head}; ${{x}}{tail}{rest}"),
        format!("$(echo {first}){rest}"),
        format!("`printf {first}`{rest}"),
        format!("true && {line}"),
        format!("false || {line}"),
        format!("ls; {line}"),
        format!("ls\n{line}"),
        format!("( {line} )"),
        format!("{{ {line}; }}"),
        format!("if true; then {line}; fi"),
        format!("for i in 1; do {line}; done"),
        format!("f() {{ {line}; }}; f"),
        format!("echo $({line})"),
        format!("cat <({line})"),
        format!("trap '{single}' EXIT"),
        format!("{line} # done"),
        format!("{line} &"),
        format!("ssh host '{single}'"),
        format!("xargs {line} < /dev/null"),
        format!("command {line}"),
        format!("exec {line}"),
        format!("busybox {line}"),
        format!("printf '{hex}' | sh"),
        format!("c=({}); \"${{c[@]}}\"", words.join(" ")),
        format!("set -- {line}; \"$@\""),
        format!("watch '{single}'"),
        format!("flock /tmp/l {line}"),
        format!("{head}\\\n{tail}{rest}"),
        format!("  {line}  "),
        format!("! {line}"),
        format!("time {line}"),
    ]
}

#[test]
fn no_dress_makes_an_extreme_line_milder() {
    let mut wrong = Vec::new();
    for line in EXTREME {
        for dressed in dressed(line) {
            if judged(&dressed, Mode::Full) != "deny" {
                wrong.push(dressed);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn dangerous_text_as_data_is_let_through() {
    for line in EXTREME.iter().chain(&["a | sh", "x > /etc/passwd", ":(){ :|:& };:"]) {
        for data in [
            format!("echo '{line}'"),
            format!("grep -F '{line}' notes.txt"),
            format!("git commit -m '{line}'"),
            format!("cat <<'E'\n{line}\nE"),
            format!("ls # {line}"),
            format!("printf '%s\\n' '{line}' > notes.txt"),
            format!("jq -n --arg c '{line}' '$c'"),
        ] {
            assert_eq!(judged(&data, Mode::Safe), "allow", "{data}: {:?}", objections(&data));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gets_a_verdict_and_full_is_never_stricter(line in "[ -~\\n]{0,60}") {
        let (safe, full) = (judged(&line, Mode::Safe), judged(&line, Mode::Full));
        prop_assert!(matches!((safe, full), ("allow", "allow") | ("deny", "warn" | "deny")), "{line:?}: {safe}/{full}");
    }
}
