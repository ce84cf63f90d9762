//! Plugins put into the configuration and taken out, one component under several names, and grants.

use std::process::{Command, Stdio};

use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions};
use serde_json::json;

use super::component;

/// Whether it went well, and everything it said.
fn plugin(scene: &Scene, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.arg("plugin").args(arguments).arg("--config").arg(scene.path("portcullis.toml"));
    let output = command.current_dir(&scene.folder).stdin(Stdio::null()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

fn configuration(scene: &Scene) -> String {
    std::fs::read_to_string(scene.path("portcullis.toml")).unwrap()
}

fn scene_with_component() -> Scene {
    let scene = Scene::empty();
    scene.configure("# mine\n");
    std::fs::copy(component("misbehaving"), scene.path("rules.wasm")).unwrap();
    scene
}

#[test]
fn a_plugin_is_added_with_its_digest_and_removed_unless_it_is_needed() {
    let scene = scene_with_component();
    let before = configuration(&scene);
    std::fs::write(scene.path("bad.toml"), "behaviour = 'nap'\n").unwrap();
    let (added, said) = plugin(&scene, &["add", "rules", "rules.wasm", "--settings", "bad.toml"]);
    assert!(!added && said.contains("does not take its settings"), "{said}");
    assert_eq!(configuration(&scene), before, "what fails a check changes nothing");

    std::fs::write(scene.path("good.toml"), "behaviour = 'count'\n").unwrap();
    let (added, said) = plugin(&scene, &["add", "rules", "rules.wasm", "--settings", "good.toml"]);
    assert!(added && said.contains("policies = [\"rules\"]"), "{said}");
    let written = configuration(&scene);
    assert!(before.lines().all(|line| written.contains(line)), "{written}");
    assert!(written.contains("[plugins.rules]") && written.contains("sha256 = ") && written.contains("count"));
    let (listed, said) = plugin(&scene, &["list"]);
    assert!(listed && said.contains("rules.wasm"), "{said}");

    let profile = "\n[profiles.web]\nhost = 'h'\nuser = 'u'\npolicies = ['rules']\n";
    std::fs::write(scene.path("portcullis.toml"), format!("{written}{profile}")).unwrap();
    let (removed, said) = plugin(&scene, &["remove", "rules"]);
    assert!(!removed && said.contains("named by the profiles web"), "{said}");
    std::fs::write(scene.path("portcullis.toml"), written).unwrap();
    assert!(plugin(&scene, &["remove", "rules"]).0);
    assert!(!configuration(&scene).contains("rules"), "{}", configuration(&scene));
    let (removed, said) = plugin(&scene, &["remove", "rules"]);
    assert!(!removed && said.contains("has no plugin `rules`"), "{said}");
}

#[test]
fn one_built_in_component_serves_under_several_names() {
    let sshd = Sshd::start(SshdOptions::default());
    let scene = Scene::empty();
    let second = "\n[plugins.second]\nbuiltin = \"navigator-cmsm\"\nsettings = { quiet_ms = 90 }\n";
    let profile = format!("{}navigator = {{ plugin = \"second\" }}\n", sshd_profile("behind", &sshd));
    scene.configure(&format!("{profile}{second}"));
    let status = scene.client().succeed("ssh_status", json!({}));
    let digests: Vec<&str> = status["plugins"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|plugin| ["second", "navigator-cmsm"].contains(&plugin["name"].as_str().unwrap()))
        .map(|plugin| plugin["digest_sha256"].as_str().unwrap())
        .collect();
    assert!(matches!(digests[..], [one, other] if one == other), "{digests:?}");
    scene.configure(&profile.replace("second", "third"));
    let (listed, said) = plugin(&scene, &["list"]);
    assert!(!listed && said.contains("`third`, which is not loaded"), "{said}");
    scene.configure("\n[plugins.second]\nbuiltin = \"navigator-cmsn\"\n");
    let (listed, said) = plugin(&scene, &["list"]);
    assert!(!listed && said.contains("`navigator-cmsn`, which is not built in"), "{said}");
}

#[test]
fn a_grant_needs_the_plugins_own_declaration() {
    let scene = scene_with_component();
    let (checked, said) = plugin(&scene, &["check", "rules.wasm"]);
    assert!(checked, "{said}");
    let digest = said.lines().find(|line| line.starts_with("sha256 = ")).unwrap();
    let configured = format!("\n[plugins.rules]\npath = \"rules.wasm\"\n{digest}\ngrants = [\"secret:otp\"]\n");
    scene.configure(&configured);
    let (listed, said) = plugin(&scene, &["list"]);
    assert!(!listed && said.contains("does not declare that it asks for it"), "{said}");
    std::fs::write(scene.path("rules.plugin.toml"), "version = '1.2.0'\ncapabilities = ['secret:otp']\n").unwrap();
    let (listed, said) = plugin(&scene, &["list"]);
    assert!(listed, "{said}");
    let (told, said) = plugin(&scene, &["info", "rules"]);
    assert!(told && said.contains("1.2.0") && said.contains("asks for  secret:otp"), "{said}");
}
