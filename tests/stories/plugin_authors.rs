//! The guide in `docs/plugins.md`, followed from a clean folder with the tools of each language. The
//! commands that are run are the guide's own. `tests/run` has a part for these alone: they build.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use e2e::mcp::program;
use e2e::scene::Scene;
use serde_json::json;

use crate::plugins::{plugin, succeed};

/// The text between a heading and the next of its rank.
fn section(heading: &str) -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/plugins.md");
    let text = std::fs::read_to_string(guide).unwrap();
    let (_, rest) = text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section {heading}"));
    rest.split("\n## ").next().unwrap().to_owned()
}

/// The fenced blocks of that language, one after the other.
fn blocks(section: &str, language: &str) -> String {
    let fence = format!("```{language}\n");
    let bodies = section.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap());
    let joined: String = bodies.collect();
    assert!(!joined.is_empty(), "no {language} in: {section}");
    joined
}

/// Runs the section's commands as a person would, in the scene's folder; returns what they printed.
fn follow(scene: &Scene, heading: &str) -> String {
    let commands = blocks(&section(heading), "sh");
    let folder = program().canonicalize().unwrap().parent().unwrap().display().to_string();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-euc", &commands])
        .current_dir(&scene.folder)
        .env("PATH", path)
        .env("PORTCULLIS_CONFIG", scene.path("portcullis.toml"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{heading}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn scene() -> Scene {
    let scene = Scene::empty();
    scene.configure("");
    scene
}

fn four_cases_passed(said: &str) {
    assert!(said.contains("ok  it is a policy plugin, built for portcullis:policy@0.2.0"), "{said}");
    assert!(said.contains("ok    behind a wrapper") && said.contains("4 passed, 0 failed"), "{said}");
}

/// Adds the guide's own section of the configuration, and sees the policy at work in a session.
fn loaded_it_denies(scene: &Scene) {
    scene.configure(&blocks(&section("Loading it"), "toml"));
    let listed = succeed(scene, &["list"]);
    let line = listed.lines().find(|line| line.starts_with("people-only")).unwrap_or_else(|| panic!("{listed}"));
    assert!(line.contains("people-only/people-only.wasm"), "{line}");
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "here" }));
    let refused = client.fail("ssh_run", json!({ "command": "psql --version" }));
    assert_eq!((&refused["rule_id"], &refused["sent"]), (&json!("team/people-only"), &json!(false)), "{refused}");
    let ran = client.succeed("ssh_run", json!({ "command": "echo it works" }));
    assert_eq!(ran["text"], "it works\n", "{ran}");
}

#[test]
fn in_rust_from_nothing_to_a_policy_that_denies() {
    let scene = scene();
    let said = follow(&scene, "In Rust");
    four_cases_passed(&said);
    assert!(said.contains("verdict deny\ndeny by team/people-only"), "{said}");
    assert!(said.contains("          ^^^^^^^^^^^^^^^^^^^^^^^^^^\n"), "{said}");
    loaded_it_denies(&scene);
    what_it_was_changed_to_is_told(&scene);
    the_other_kinds_pass_too(&scene);
}

/// A component of another version of the contract, one built for another kind, and a case that no longer holds.
fn what_it_was_changed_to_is_told(scene: &Scene) {
    let built = std::fs::read(scene.path("people-only/people-only.wasm")).unwrap();
    let newer = replaced(&built, b"portcullis:policy/command-policy@0.2.0", b"portcullis:policy/command-policy@0.3.0");
    std::fs::write(scene.path("newer.wasm"), newer).unwrap();
    let said = plugin(scene, &["check", "newer.wasm"]);
    assert!(
        !said.success && said.stderr.contains("built for portcullis:policy@0.3.0, this host has 0.1"),
        "{}",
        said.stderr
    );

    std::fs::write(scene.path("settings.toml"), "progams = []\n").unwrap();
    let said = plugin(scene, &["check", "people-only/people-only.wasm", "--settings", "settings.toml"]);
    assert!(!said.success && said.stderr.contains("does not take its settings: progams"), "{}", said.stderr);

    let contract = scene.path("people-only/wit/policy-0.2.0/policy.wit");
    let text = std::fs::read_to_string(&contract).unwrap();
    std::fs::write(
        &contract,
        text.replace("    intent: option<string>,", "    intent: option<string>,\n    urgent: bool,"),
    )
    .unwrap();
    succeed(scene, &["build", "people-only"]);
    let said = plugin(scene, &["check", "people-only/people-only.wasm"]).stderr;
    assert!(said.contains("record request differs from portcullis:policy@0.2.0: it has `urgent: bool`"), "{said}");
    std::fs::write(&contract, text).unwrap();

    let source = scene.path("people-only/src/lib.rs");
    let text = std::fs::read_to_string(&source).unwrap();
    std::fs::write(&source, text.replace("\"reboot\", ", "")).unwrap();
    succeed(scene, &["build", "people-only"]);
    let said = plugin(scene, &["test", "people-only"]);
    assert!(!said.success && said.stdout.contains("FAIL  the program itself"), "{}", said.stdout);
    assert!(said.stdout.contains("expected deny by team/people-only, got abstain for `reboot`"), "{}", said.stdout);

    let project = scene.path("people-only/plugin.toml");
    let text = std::fs::read_to_string(&project).unwrap();
    std::fs::write(&project, text.replace("policy", "parser")).unwrap();
    let said = plugin(scene, &["build", "people-only"]);
    assert!(!said.success && said.stderr.contains("what was built is a policy plugin"), "{}", said.stderr);
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let mut found = 0;
    for at in 0..=bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
            found += 1;
        }
    }
    assert!(found > 0, "the name is not in the component");
    bytes
}

/// With the crates the policy has compiled already.
fn the_other_kinds_pass_too(scene: &Scene) {
    for (kind, cases) in [("navigator", 5), ("parser", 3), ("log-search", 4)] {
        let name = format!("own-{kind}");
        succeed(scene, &["new", kind, &name]);
        std::fs::rename(scene.path("people-only/target"), scene.path(&name).join("target"))
            .or_else(|_| std::fs::rename(scene.path("target"), scene.path(&name).join("target")))
            .unwrap();
        succeed(scene, &["build", &name]);
        let said = succeed(scene, &["test", &name]);
        assert!(said.ends_with(&format!("{cases} passed, 0 failed\n")), "{said}");
        std::fs::rename(scene.path(&name).join("target"), scene.path("target")).unwrap();
    }
}

#[test]
fn in_javascript_from_nothing_to_a_policy_that_denies() {
    let scene = scene();
    four_cases_passed(&follow(&scene, "In JavaScript"));
    loaded_it_denies(&scene);
}

#[test]
fn in_python_from_nothing_to_a_policy_that_denies() {
    let scene = scene();
    four_cases_passed(&follow(&scene, "In Python"));
    loaded_it_denies(&scene);
}

#[test]
fn a_new_plugin_overwrites_nothing() {
    let scene = scene();
    succeed(&scene, &["new", "parser", "mine", "--lang", "python"]);
    let mut refusals = String::new();
    for arguments in [
        &["new", "policy", "mine"][..],
        &["new", "policy", "serde"],
        &["new", "policy", "policy-standard"],
        &["new", "polcy", "x"],
    ] {
        let ran = plugin(&scene, arguments);
        assert!(!ran.success, "{arguments:?}");
        let _ = writeln!(refusals, "{}", ran.stderr);
    }
    for expected in
        ["mine is not empty", "cannot be called `serde`", "a built-in plugin has this name", "unknown variant `polcy`"]
    {
        assert!(refusals.contains(expected), "{refusals}");
    }
    assert!(scene.path("mine/plugin.py").is_file() && !scene.path("mine/Cargo.toml").exists());
}
