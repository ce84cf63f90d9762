//! What is wrong says what, why and the next step, and leaves nothing half open.

use std::process::Command;

use e2e::mcp::program;
use e2e::scene::{PASSWORD, PASSWORD_VARIABLE, Scene, configuration};
use e2e::sshd::free_port;
use serde_json::{Value, json};

fn says(error: &Value, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "`{word}` is missing: {text}");
    }
}

fn nothing_is_open(client: &mut e2e::mcp::Client) {
    let status = client.succeed("ssh_status", json!({}));
    assert_eq!(status["sessions"], json!([]), "a session was left");
}

#[test]
fn unknown_names_list_the_known_ones() {
    let scene = Scene::with_bastion(|_| {});
    let mut client = scene.client();
    let error = client.fail("ssh_open", json!({ "profile": "lba" }));
    assert_eq!(error["failure_category"], "config-error");
    says(&error, &["`lba`", "lab", "ssh_hosts"]);
    let error = client.fail("ssh_open", json!({ "profile": "lab", "route": "order-api" }));
    says(&error, &["`order-api`", "orders-api"]);
    nothing_is_open(&mut client);
    let error = client.fail("ssh_run", json!({ "command": "ls" }));
    assert_eq!(error["failure_category"], "ambiguous-session");
    let error = client.fail("ssh_run", json!({ "comand": "ls" }));
    says(&error, &["comand", "did you mean `command`"]);
}

#[test]
fn a_wrong_password_is_not_a_session() {
    let scene = Scene::with_bastion(|options| options.password = Some("another".to_owned()));
    let mut client = scene.client();
    let error = client.fail("ssh_open", json!({ "profile": "lab" }));
    assert_eq!(error["failure_category"], "auth-failure");
    says(&error, &["127.0.0.1", "password"]);
    assert!(!error.to_string().contains(PASSWORD), "the password is in the error");
    nothing_is_open(&mut client);
}

#[test]
fn a_changed_host_key_stops_before_anything_secret_is_sent() {
    let mut scene = Scene::with_bastion(|_| {});
    scene.bastion.as_mut().unwrap().change_host_key().unwrap();
    let mut client = scene.client();
    let error = client.fail("ssh_open", json!({ "profile": "lab" }));
    assert_eq!(error["failure_category"], "host-key");
    says(&error, &["SHA256:", "known_hosts"]);
    nothing_is_open(&mut client);
}

#[test]
fn an_unknown_host_key_names_the_command_for_a_person() {
    let scene = Scene::with_bastion(|_| {});
    let port = scene.bastion.as_ref().unwrap().address.port();
    // With a viewer, a person would be asked.
    scene.configure(&format!("enabled = false\n{}", configuration(port)));
    std::fs::write(scene.path("known_hosts"), "").unwrap();
    let mut client = scene.client();
    let error = client.fail("ssh_open", json!({ "profile": "lab" }));
    assert_eq!(error["failure_category"], "host-key");
    says(&error, &["SHA256:", "portcullis trust"]);
    nothing_is_open(&mut client);
}

#[test]
fn an_unreachable_host_is_named() {
    let scene = Scene::empty();
    let port = free_port();
    std::fs::write(scene.path("known_hosts"), "").unwrap();
    scene.configure(&configuration(port));
    let mut client = scene.client();
    let error = client.fail("ssh_open", json!({ "profile": "lab" }));
    assert_eq!(error["failure_category"], "connection-failure");
    says(&error, &[&port.to_string(), "lab"]);
    nothing_is_open(&mut client);
}

#[test]
fn a_menu_that_does_not_answer_gives_its_screen_back() {
    let scene = Scene::with_bastion(|options| options.faults.silent_menu = true);
    let mut client = scene.client();
    let opened = client.call("ssh_open", json!({ "profile": "lab" }));
    assert!(!opened.is_error, "{}", opened.text);
    let error = client.fail("ssh_navigate", json!({ "route": "orders-api" }));
    says(&error, &["orders-api", "CMSM"]);
    assert!(error["code"].is_string() && error["rows"].is_array(), "{error}");
    let read = client.succeed("ssh_read", json!({}));
    assert!(read["text"].as_str().unwrap().contains("CMSM"), "{read}");
}

#[test]
fn a_pod_that_is_not_there_stops_at_the_master() {
    let scene = Scene::with_bastion(|_| {});
    let mut client = scene.client();
    client.call("ssh_open", json!({ "profile": "lab" }));
    let error = client.fail("ssh_navigate", json!({ "route": "nowhere" }));
    says(&error, &["billing", "orders-api-"]);
    let status = client.succeed("ssh_status", json!({}));
    assert_eq!(status["sessions"][0]["breadcrumb"], json!(["bastion", "master-a"]));
    assert_eq!(client.succeed("ssh_run", json!({ "command": "true" }))["exit_code"], 0);
}

/// Starts the program with a configuration that cannot be used; gives its standard error.
fn refuses_to_start(scene: &Scene) -> String {
    let output = Command::new(program())
        .args(["stdio", "--config"])
        .arg(scene.path("portcullis.toml"))
        .env(PASSWORD_VARIABLE, PASSWORD)
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_plugin_that_is_no_component_stops_the_start() {
    let scene = Scene::empty();
    std::fs::write(scene.path("mine.wasm"), "this is not a component").unwrap();
    scene.configure("\n[plugins.mine]\npath = \"mine.wasm\"\n");
    let error = refuses_to_start(&scene);
    assert!(error.contains("mine") && error.contains("component"), "{error}");
}

#[test]
fn a_plugin_that_does_not_match_its_pin_stops_the_start() {
    let scene = Scene::empty();
    std::fs::write(scene.path("mine.wasm"), "other bytes").unwrap();
    scene.configure(&format!("\n[plugins.mine]\npath = \"mine.wasm\"\nsha256 = \"{}\"\n", "0".repeat(64)));
    let error = refuses_to_start(&scene);
    assert!(error.contains("mine.wasm") && error.contains("SHA-256"), "{error}");
}

#[test]
fn a_mistake_in_the_configuration_names_line_and_key() {
    let scene = Scene::empty();
    scene.configure("\n[profiles.a]\nhost = 'x'\nuser = 'y'\npolicy_mod = 'safe'\n");
    let error = refuses_to_start(&scene);
    assert!(error.contains("policy_mod") && error.contains("portcullis.toml"), "{error}");
}
