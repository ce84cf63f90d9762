//! Plugins that cannot be used stop the start, with their name and the reason.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use e2e::scene::Scene;

use super::plugin_section;

/// Far above what compiling a plugin and trying it takes.
const START_LIMIT: Duration = Duration::from_secs(60);

/// What the program says before it ends by itself.
fn refusal(package: &str, settings: &str) -> String {
    let scene = Scene::empty();
    scene.configure(&plugin_section("house-rules", package, settings));
    let started = Instant::now();
    let ended = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["stdio", "--config"])
        .arg(scene.path("portcullis.toml"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{package} {settings}: {said}");
    assert!(ended.stdout.is_empty(), "standard output belongs to the protocol");
    assert!(started.elapsed() < START_LIMIT, "{package} {settings}: {:?}", started.elapsed());
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
