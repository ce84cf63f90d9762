//! `portcullis plugin check` says of a component what would stop a start with it.

use std::process::Command;

use e2e::scene::Scene;

use super::component;

/// Whether the component can be loaded, and what was said.
fn check(package: &str, settings: Option<&str>) -> (bool, String) {
    let scene = Scene::empty();
    scene.configure("");
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(["plugin", "check"]).arg(component(package)).arg("--config").arg(scene.path("portcullis.toml"));
    if let Some(settings) = settings {
        std::fs::write(scene.path("settings.toml"), settings).unwrap();
        command.arg("--settings").arg(scene.path("settings.toml"));
    }
    let ended = command.output().unwrap();
    let said = String::from_utf8(if ended.status.success() { ended.stdout } else { ended.stderr }).unwrap();
    assert!(matches!(ended.status.code(), Some(0 | 1)), "{said}");
    (ended.status.success(), said)
}

#[test]
fn a_check_names_the_step_that_fails() {
    for (package, settings, expected) in [
        ("misbehaving-imports", None, "imports `wasi:clocks/monotonic-clock@0.2.0`, which no plugin gets"),
        ("misbehaving-refuses", None, "failed while being started"),
        ("misbehaving", Some("behaviour = 'nap'"), "does not take its settings: behaviour:"),
        ("misbehaving", Some("behaviour = 'loop'\nwhere = 'validate'"), "failed while checking its settings"),
        ("misbehaving-parser", Some("behaviour = 'loop'"), "parsers have no settings"),
    ] {
        let (passed, said) = check(package, settings);
        assert!(!passed && said.contains(expected), "{package}: {said}");
    }
}

#[test]
fn a_component_that_can_be_loaded_passes_with_its_digest() {
    let (passed, said) = check("misbehaving", Some("behaviour = 'trap'"));
    assert!(passed && said.contains("built for portcullis:policy@0.2.0"), "{said}");
    assert!(said.lines().last().is_some_and(|line| line.starts_with("sha256 = \"") && line.len() == 75), "{said}");
}

#[test]
fn a_parser_is_tested_with_its_output_in_pieces_too() {
    let scene = Scene::empty();
    scene.configure("");
    let cases = scene.path("cases.toml");
    // A document per piece: in one piece nobody would see that.
    let case = "[[case]]\nname = \"x\"\ncommand = \"misbehave none\"\noutput = \"ab\\ncd\\n\"\ndocument_count = 1\n";
    std::fs::write(&cases, format!("component = {:?}\n{case}", component("misbehaving-parser"))).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(["plugin", "test"]).arg(&cases).arg("--config").arg(scene.path("portcullis.toml"));
    let ended = command.output().unwrap();
    let said = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("something else when the output arrives in pieces of 1 bytes"), "{said}");
}
