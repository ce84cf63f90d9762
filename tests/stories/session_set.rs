//! The tools of `ssh-session-mcp`, through the program and a real SSH server.

mod commands;
mod rules;
mod scenarios;
mod sessions;
mod terminal;

use std::path::Path;
use std::process::Command;

use e2e::mcp::{Answer, Client, program};
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions};
use serde_json::{Value, json};

const TOOLSET: [&str; 2] = ["--toolset", "ssh-session-mcp"];

/// A client of a server that offers the set.
fn client(configuration: &Path) -> Client {
    let mut command = Command::new(program());
    command.args(["stdio", "--config"]).arg(configuration).args(TOOLSET);
    Client::start_command(command)
}

/// A server with one device, `board`.
fn one_device() -> (Sshd, Scene, Client) {
    let sshd = Sshd::start(SshdOptions::default());
    let scene = Scene::empty();
    scene.configure(&sshd_profile("board", &sshd));
    let client = client(&scene.path("portcullis.toml"));
    (sshd, scene, client)
}

/// The same with its session open.
fn connected() -> (Sshd, Scene, Client) {
    let (sshd, scene, mut client) = one_device();
    done(&mut client, "ssh-quick-connect", json!({}));
    (sshd, scene, client)
}

/// The same in the mode `full`, for programs that wait for typing.
fn connected_in_full_mode() -> (Sshd, Scene, Client) {
    let (sshd, scene, client) = one_device();
    drop(client);
    scene.allow_everything_but_the_worst();
    let mut client = self::client(&scene.path("portcullis.toml"));
    done(&mut client, "ssh-quick-connect", json!({}));
    (sshd, scene, client)
}

/// Calls a tool; whatever came of it has the fields of every result, and the first block says the same.
fn call(client: &mut Client, tool: &str, arguments: Value) -> Answer {
    let answer = client.call(tool, arguments);
    let content = &answer.structured;
    assert!(content["summary"].is_string(), "{tool}: {content}");
    let status = content["resultStatus"].as_str().unwrap_or_default();
    assert_eq!(answer.is_error, ["blocked", "failure"].contains(&status), "{tool}: {content}");
    let first: Value = serde_json::Deserializer::from_str(&answer.text).into_iter().next().unwrap().unwrap();
    assert_eq!(&first, content, "{tool}: the text and the structured content differ");
    answer
}

/// Calls a tool and insists on success.
fn done(client: &mut Client, tool: &str, arguments: Value) -> Value {
    let answer = call(client, tool, arguments.clone());
    assert_eq!(answer.structured["resultStatus"], "success", "{tool} {arguments}: {}", answer.text);
    answer.structured
}

/// Calls a tool that must not do it; a failure says its class and what to do next.
fn refused(client: &mut Client, tool: &str, arguments: Value) -> Value {
    let answer = call(client, tool, arguments.clone());
    assert!(answer.is_error, "{tool} {arguments} did not fail: {}", answer.text);
    for field in ["failureCategory", "nextAction"] {
        assert!(answer.structured[field].is_string(), "no {field}: {}", answer.structured);
    }
    answer.structured
}

/// Runs a command and gives its output too.
fn run(client: &mut Client, command: &str) -> (Value, String) {
    let answer = call(client, "ssh-run", json!({ "command": command }));
    let output = second_block(&answer);
    (answer.structured, output)
}

/// What follows the first block.
fn second_block(answer: &Answer) -> String {
    let mut blocks = serde_json::Deserializer::from_str(&answer.text).into_iter::<Value>();
    blocks.next().unwrap().unwrap();
    answer.text[blocks.byte_offset()..].trim_start_matches('\n').to_owned()
}
