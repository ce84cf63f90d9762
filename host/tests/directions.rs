//! Dependencies between the modules point down only.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What each module may name of the others.
const MAY_USE: &[(&str, &[&str])] = &[
    (
        "cli",
        &[
            "audit", "clock", "config", "diagnose", "host", "kit", "mcp", "operator", "ops", "otlp", "policy",
            "random", "ssh", "viewer", "web",
        ],
    ),
    // The figures that are there already, sent on.
    ("otlp", &["causes", "clock", "config", "metrics"]),
    // What an operator asks for from the command line; it translates, as `web` and `mcp` do.
    ("operator", &["causes", "config", "host", "metrics", "ops", "session"]),
    // A line is judged as in a session, without one.
    ("policy", &["config", "gate", "host", "kit", "plugins"]),
    // Of the approvals: whose call it is, and what a person has said.
    ("mcp", &["approvals", "clock", "host", "listen", "metrics", "ops", "session"]),
    ("kit", &["clock", "config", "gate", "host", "ops", "plugins"]),
    ("viewer", &["approvals", "causes", "config", "desk", "host", "metrics", "ops", "session", "ssh", "web"]),
    ("web", &["clock", "listen"]),
    (
        "ops",
        &[
            "approvals",
            "attempts",
            "audit",
            "causes",
            "clock",
            "config",
            "desk",
            "diagnose",
            "gate",
            "host",
            "local",
            "metrics",
            "plugins",
            "random",
            "searches",
            "session",
            "ssh",
        ],
    ),
    (
        "host",
        &[
            "approvals",
            "attempts",
            "audit",
            "causes",
            "config",
            "desk",
            "gate",
            "metrics",
            "plugins",
            "searches",
            "session",
        ],
    ),
    // What a person has allowed is a value that only the broker makes and only the gate redeems.
    ("gate", &["approvals", "audit", "causes", "clock", "config", "metrics", "plugins"]),
    ("plugins", &["causes", "config", "metrics"]),
    // The session names of the gate only what it has cleared or refused.
    ("session", &["audit", "causes", "clock", "config", "gate", "metrics", "random", "ssh"]),
    ("attempts", &["session"]),
    ("desk", &["clock", "config", "ssh"]),
    ("approvals", &["clock"]),
    ("audit", &["approvals", "clock", "config", "random"]),
    ("diagnose", &["causes", "config", "local", "ssh"]),
    ("ssh", &["config"]),
    // What it gives is what a host gives, so the session sees no difference.
    ("local", &["config", "ssh"]),
    ("config", &[]),
    ("listen", &[]),
    ("causes", &[]),
    ("clock", &[]),
    ("metrics", &[]),
    ("random", &[]),
    ("searches", &[]),
];

#[test]
fn no_module_names_one_above_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found: BTreeMap<String, Vec<(String, PathBuf)>> = BTreeMap::new();
    for path in rust_files(&source) {
        let relative = path.strip_prefix(&source).unwrap();
        let module =
            relative.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if module == "main" || module == "lib" {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for used in names_after_crate(&text) {
            if used != module {
                found.entry(module.clone()).or_default().push((used, path.clone()));
            }
        }
    }
    assert!(found.len() > 5, "the scan found only {found:?}");
    for (module, uses) in found {
        let allowed =
            MAY_USE.iter().find(|(name, _)| *name == module).unwrap_or_else(|| panic!("add `{module}` to the table")).1;
        for (used, path) in uses {
            assert!(allowed.contains(&used.as_str()), "`{module}` names `{used}` in {}", path.display());
        }
    }
}

#[test]
fn the_session_takes_only_what_was_cleared() {
    let session = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/session");
    for path in rust_files(&session) {
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| line.contains("crate::gate::")) {
            let named = line.trim().trim_start_matches("use crate::gate::").trim_end_matches(';');
            let fine = line.trim_start().starts_with("//!")
                || named
                    .trim_matches(['{', '}'])
                    .split(", ")
                    .all(|name| matches!(name, "Cleared" | "Payload" | "Reader" | "Refusal"));
            assert!(fine, "{}: {line}", path.display());
        }
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Module names behind `crate::`, also in `crate::{a, b}`; comments left out.
fn names_after_crate(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for rest in line.split("crate::").skip(1) {
            let list = rest.strip_prefix('{').and_then(|inner| inner.split('}').next()).unwrap_or(rest);
            let parts: Vec<&str> = if rest.starts_with('{') { list.split(',').collect() } else { vec![list] };
            for part in parts {
                let name: String = part.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if !name.is_empty() {
                    names.push(name);
                }
            }
        }
    }
    names
}
