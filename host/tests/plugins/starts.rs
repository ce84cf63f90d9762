//! Plugins that cannot be used stop the start, with their name and the reason.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use e2e::scene::Scene;

use super::{component, plugin_section};

/// Far above what compiling a plugin and trying it takes.
const START_LIMIT: Duration = Duration::from_secs(60);

/// What the program says before it ends by itself.
fn refusal(package: &str, settings: &str) -> String {
    let scene = Scene::empty();
    scene.configure(&plugin_section("house-rules", package, settings));
    ended(&scene, &format!("{package} {settings}"))
}

/// The same with the component of a file.
fn refusal_of(change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) -> String {
    let scene = Scene::empty();
    let path = scene.path("house-rules.wasm");
    if let Some(bytes) = change(std::fs::read(component("misbehaving")).unwrap()) {
        std::fs::write(&path, bytes).unwrap();
    }
    scene.configure(&format!("\n[plugins.house-rules]\npath = {:?}\n", path.display().to_string()));
    ended(&scene, "its file")
}

fn ended(scene: &Scene, what: &str) -> String {
    let started = Instant::now();
    let ended = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["stdio", "--config"])
        .arg(scene.path("portcullis.toml"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{what}: {said}");
    assert!(ended.stdout.is_empty(), "standard output belongs to the protocol");
    assert!(started.elapsed() < START_LIMIT, "{what}: {:?}", started.elapsed());
    assert!(said.contains("`house-rules`"), "{said}");
    said
}

#[test]
fn an_import_nobody_offers_is_named() {
    let said = refusal("misbehaving-imports", "{}");
    assert!(said.contains("wasi:clocks/monotonic-clock") && said.contains("which no plugin gets"), "{said}");
}

#[test]
fn a_plugin_that_traps_while_it_is_made_is_not_used() {
    let said = refusal("misbehaving-refuses", "{}");
    assert!(said.contains("failed while being started") && said.contains("it crashed"), "{said}");
}

#[test]
fn settings_that_do_not_fit_are_told_by_their_key() {
    let said = refusal("misbehaving", r#"{ behaviour = "nap" }"#);
    assert!(said.contains("does not take its settings: behaviour:"), "{said}");
}

#[test]
fn a_plugin_that_misbehaves_while_its_settings_are_read_ends_the_start_in_bounded_time() {
    for behaviour in ["loop", "trap", "allocate", "flood_log", "deep_recursion"] {
        let said = refusal("misbehaving", &format!(r#"{{ behaviour = "{behaviour}", where = "validate" }}"#));
        assert!(said.contains("it is not used until that is mended"), "{behaviour}: {said}");
    }
}

#[test]
fn a_file_that_is_missing_torn_or_of_another_contract_stops_the_start() {
    assert!(refusal_of(|_| None).contains("cannot be read; correct `path`"));
    let said = refusal_of(|bytes| Some(bytes[..bytes.len() / 2].to_vec()));
    assert!(said.contains("is not valid WebAssembly"), "{said}");
    let said = refusal_of(|bytes| Some(vec![0; bytes.len()]));
    assert!(said.contains("is not a WebAssembly file"), "{said}");
    let said = refusal_of(|bytes| {
        let (old, new) = (b"portcullis:policy/command-policy@0.2.0", b"portcullis:policy/command-policy@0.9.0");
        let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(old)).collect();
        assert!(!places.is_empty());
        let mut changed = bytes;
        places.into_iter().for_each(|at| changed[at..at + new.len()].copy_from_slice(new));
        Some(changed)
    });
    assert!(said.contains("was built for portcullis:policy@0.9.0, this host has 0.1 to 0.2"), "{said}");
}

#[test]
fn settings_that_are_torn_stop_the_start_and_a_profile_does_not_run_without_its_policy() {
    let scene = Scene::empty();
    scene.configure("\n[plugins.house-rules]\nbuiltin = \"policy-standard\"\nsettings = { allow = [\"ls\", \n");
    let ended = |scene: &Scene| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        let command = command.args(["stdio", "--config"]).arg(scene.path("portcullis.toml")).stdin(Stdio::null());
        let ended = command.output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    };
    let (code, said) = ended(&scene);
    assert!(code == Some(1) && said.contains("portcullis.toml"), "{code:?} {said}");
    scene.configure("\n[profiles.here]\nkind = \"local\"\npolicies = [\"house-rules\"]\n");
    let (code, said) = ended(&scene);
    assert!(code == Some(1) && said.contains("`house-rules`, which is not loaded"), "{code:?} {said}");
}
