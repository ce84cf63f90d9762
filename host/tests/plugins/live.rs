//! What changes while the program runs: files of plugins, their limits and how they fare; and policies on
//! trial.

use std::path::Path;
use std::time::Duration;

use e2e::mcp::{Client, wait_until};
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions};
use serde_json::{Value, json};

use super::{GOOD, Stage, component, plugin_section};

/// Far above the seconds between two looks at the files, and loading.
const TAKEN_LIMIT: Duration = Duration::from_secs(60);

fn plugin(client: &mut Client, name: &str) -> Value {
    let status = client.succeed("ssh_status", json!({}));
    let listed = status["plugins"].as_array().unwrap();
    listed.iter().find(|plugin| plugin["name"] == name).expect("the plugin is listed").clone()
}

fn until(client: &mut Client, name: &str, what: impl Fn(&Value) -> bool) -> Value {
    let found = wait_until(TAKEN_LIMIT, || Some(plugin(client, name)).filter(&what));
    found.ok_or_else(|| plugin(client, name)).expect("what was waited for, within the limit")
}

/// The same component with another digest: a custom section at its end says nothing.
fn renewed(component: &[u8]) -> Vec<u8> {
    [component, &[0, 5, 4], b"made"].concat()
}

/// Whole or not at all, as a build does it.
fn put(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, bytes).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// A profile `policed` whose policy is the file `rules.wasm` of the scene.
fn with_policy_file(settings: &str) -> (Scene, Sshd) {
    let sshd = Sshd::start(SshdOptions::default());
    let scene = Scene::empty();
    std::fs::copy(component("misbehaving"), scene.path("rules.wasm")).unwrap();
    scene.configure(&format!(
        "{}policies = [\"rules\"]\n\n[plugins.rules]\npath = \"rules.wasm\"\nsettings = {settings}\n",
        sshd_profile("policed", &sshd)
    ));
    (scene, sshd)
}

#[test]
fn a_new_file_is_taken_between_calls_and_a_broken_one_changes_nothing() {
    let (scene, _sshd) = with_policy_file(r#"{ behaviour = "none" }"#);
    let path = scene.path("rules.wasm");
    let good = std::fs::read(&path).unwrap();
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "policed" }));
    let runs = |client: &mut Client| client.succeed("ssh_run", json!({ "command": "echo $((6*7))" }))["text"].clone();
    assert_eq!(runs(&mut client), "42\n");
    let first = plugin(&mut client, "rules");
    assert!(first["calls"].as_u64().unwrap() >= 1 && first["reloads"].is_null(), "{first}");

    put(&path, b"not a component at all");
    let broken = until(&mut client, "rules", |plugin| plugin["problem"].is_string());
    assert!(broken["problem"].as_str().unwrap().contains("not a WebAssembly file"), "{broken}");
    assert_eq!(broken["digest_sha256"], first["digest_sha256"]);
    assert_eq!(runs(&mut client), "42\n", "the old one goes on");

    put(&path, &renewed(&good));
    let taken = until(&mut client, "rules", |plugin| plugin["reloads"] == 1);
    assert!(taken["problem"].is_null() && taken["digest_sha256"] != first["digest_sha256"], "{taken}");
    assert_eq!(runs(&mut client), "42\n");

    // A plugin of another kind is no replacement.
    put(&path, &std::fs::read(component("misbehaving-parser")).unwrap());
    let other = until(&mut client, "rules", |plugin| plugin["problem"].is_string());
    assert!(other["problem"].as_str().unwrap().contains("holds a parser plugin now"), "{other}");
    assert_eq!(runs(&mut client), "42\n");
}

#[test]
fn a_navigator_is_another_one_for_the_next_session() {
    let scene = Scene::with_bastion(|_| {});
    let configuration = scene.path("portcullis.toml");
    let text = std::fs::read_to_string(&configuration).unwrap();
    let text = text.replace("plugin = \"navigator-cmsm\"", "plugin = \"crossing\"");
    std::fs::write(&configuration, format!("{text}\n[plugins.crossing]\npath = \"crossing.wasm\"\n")).unwrap();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let path = scene.path("crossing.wasm");
    // One for another kind of menu.
    std::fs::copy(tests.join("frozen/0.1.0/navigator.wasm"), &path).unwrap();
    let mut client = scene.client();
    let open = json!({ "profile": "lab", "route": "master-b", "new": true });
    let lost = client.fail("ssh_open", open.clone());
    assert!(lost["steps"].as_array().is_none_or(Vec::is_empty), "nothing was typed: {lost}");

    put(&path, &std::fs::read(Path::new(env!("OUT_DIR")).join("components/navigator-cmsm.wasm")).unwrap());
    until(&mut client, "crossing", |plugin| plugin["reloads"] == 1);
    let opened = client.succeed("ssh_open", open);
    assert_eq!(opened["navigation"]["breadcrumb"], json!(["bastion", "master-b"]), "{opened}");
}

#[test]
fn a_pinned_plugin_stays_what_was_pinned() {
    let (scene, _sshd) = with_policy_file(r#"{ behaviour = "none" }"#);
    let path = scene.path("rules.wasm");
    let mut client = scene.client();
    let digest = plugin(&mut client, "rules")["digest_sha256"].as_str().unwrap().to_owned();
    drop(client);
    let configuration = scene.path("portcullis.toml");
    let text = std::fs::read_to_string(&configuration).unwrap();
    std::fs::write(&configuration, format!("{text}sha256 = \"{digest}\"\n")).unwrap();
    let mut client = scene.client();
    let good = std::fs::read(&path).unwrap();
    put(&path, &renewed(&good));
    let refused = until(&mut client, "rules", |plugin| plugin["problem"].is_string());
    assert!(refused["problem"].as_str().unwrap().contains("pins"), "{refused}");
    assert_eq!(refused["digest_sha256"], digest);
}

#[test]
fn a_plugin_that_keeps_failing_is_given_a_rest_and_denies_meanwhile() {
    let mut stage = Stage::set(&[("trap", r#"{ behaviour = "trap" }"#)], "");
    let session_id = stage.open("trap");
    let run = json!({ "session_id": session_id, "command": "echo never" });
    let reasons: Vec<String> = (0..6)
        .map(|_| stage.client.fail("ssh_run", run.clone()))
        .map(|refused| {
            assert_eq!(refused["failure_category"], "plugin-failure", "{refused}");
            refused["reason"].as_str().unwrap().to_owned()
        })
        .collect();
    assert!(reasons[4].contains("it crashed"), "{reasons:?}");
    assert!(reasons[5].contains("5 times in a row") && reasons[5].contains("not asked for"), "{reasons:?}");
    let listed = plugin(&mut stage.client, "trap");
    assert_eq!((&listed["breaches"]["crashes"], &listed["failures"]), (&json!(5), &json!(6)), "{listed}");
    assert!(listed["last_failure"].as_str().unwrap().contains("it crashed"), "{listed}");
    let said = stage.client.call("ssh_status", json!({})).text;
    assert!(said.contains("limits met: crashes 5"), "{said}");
    // After its rest it is asked again.
    let asked = wait_until(TAKEN_LIMIT, || {
        let refused = stage.client.fail("ssh_run", run.clone());
        refused["reason"].as_str().unwrap().contains("gave no usable answer: it crashed").then_some(())
    });
    assert!(asked.is_some());
}

#[test]
fn the_operators_limits_count() {
    let (scene, _sshd) = with_policy_file(r#"{ behaviour = "none" }"#);
    let configuration = scene.path("portcullis.toml");
    let text = std::fs::read_to_string(&configuration).unwrap();
    std::fs::write(&configuration, format!("{text}limits = {{ fuel = 40000000, time_ms = 900, memory_mib = 8 }}\n"))
        .unwrap();
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "policed" }));
    assert_eq!(client.succeed("ssh_run", json!({ "command": "echo $((6*7))" }))["text"], "42\n");
    drop(client);

    std::fs::write(&configuration, format!("{}limits = {{ memory_mib = 8 }}\n", text.replace("none", "allocate")))
        .unwrap();
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "policed" }));
    let refused = client.fail("ssh_run", json!({ "command": "echo never" }));
    assert!(refused["reason"].as_str().unwrap().contains("the limit is 8388608"), "{refused}");
    assert_eq!(plugin(&mut client, "rules")["breaches"], json!({ "memory": 1 }));
}

#[test]
fn a_policy_on_trial_is_on_record_and_decides_nothing() {
    let sshd = Sshd::start(SshdOptions::default());
    let scene = Scene::empty();
    let rules = plugin_section("trial", "misbehaving", r#"{ behaviour = "trap" }"#);
    scene.configure(&format!("{}shadow_policies = [\"trial\"]\n{rules}", sshd_profile(GOOD, &sshd)));
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": GOOD }));
    let ran = client.succeed("ssh_run", json!({ "command": "echo $((6*7))" }));
    assert_eq!(ran["text"], "42\n");
    assert!(!ran.to_string().contains("trial"), "the agent hears nothing of it: {ran}");
    let lines = scene.transcript(opened["session"]["session_id"].as_str().unwrap());
    let verdict = lines.iter().find(|line| line["kind"] == "verdict" && line["text"] == "echo $((6*7))").unwrap();
    assert_eq!(
        (verdict["verdict"].as_str(), verdict["on_trial"][0]["verdict"].as_str()),
        (Some("allow"), Some("deny"))
    );
    assert_eq!(verdict["on_trial"][0]["policy"], "trial");
}
