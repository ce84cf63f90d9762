//! The process's manners: standard output, end of input, signals, children.

use std::process::Command;
use std::time::Duration;

use e2e::mcp::{Client, wait_until};
use e2e::scene::{PASSWORD, PASSWORD_VARIABLE, Scene};
use serde_json::{Value, json};

#[test]
fn it_ends_within_a_second_of_its_input_and_leaves_no_child() {
    let scene = Scene::with_bastion(|_| {});
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "lab", "route": "orders-api" }));
    let parent = client.process_id();
    let (status, took) = client.end(Duration::from_secs(5));
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    let children = Command::new("ps").args(["-o", "pid=", "--ppid", &parent.to_string()]).output().unwrap();
    assert!(children.stdout.is_empty());
    let bastion = scene.bastion.as_ref().unwrap();
    let gone = wait_until(Duration::from_secs(5), || (bastion.connection_count() == 0).then_some(()));
    assert!(gone.is_some(), "a connection was left open");
}

#[test]
fn it_ends_while_a_call_is_under_way() {
    let scene = Scene::with_bastion(|_| {});
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "lab", "route": "master-b" }));
    client.begin("tools/call", json!({ "name": "ssh_run", "arguments": { "command": "sleep 30", "wait_s": 30 } }));
    let (_, took) = client.end(Duration::from_secs(5));
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn a_termination_signal_ends_it_cleanly() {
    let scene = Scene::with_bastion(|_| {});
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "lab" }));
    let session_id = opened["session"]["session_id"].as_str().unwrap().to_owned();
    let kill = Command::new("kill").args(["-TERM", &client.process_id().to_string()]).status().unwrap();
    assert!(kill.success());
    let closed = wait_until(Duration::from_secs(5), || {
        scene.transcript(&session_id).last().filter(|line| line["kind"] == "closed").cloned()
    });
    assert!(closed.is_some(), "the end is not on record");
}

#[test]
fn strange_input_before_the_handshake_does_not_kill_it() {
    let scene = Scene::with_bastion(|_| {});
    let mut client = Client::start_raw(&scene.path("portcullis.toml"), &[(PASSWORD_VARIABLE, PASSWORD)]);
    client.send_raw("this is not JSON");
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 9 } }));
    let answer = client.request(
        "initialize",
        json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "x", "version": "1" } }),
    );
    assert!(answer["result"].is_object(), "{answer}");
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    assert!(client.request("tools/list", json!({}))["result"]["tools"].is_array());
}

#[test]
fn a_first_start_compiles_and_calls_wait_for_it() {
    let scene = Scene::empty();
    scene.configure("[profiles.here]\nkind = 'local'\n");
    let path = scene.path("portcullis.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let shared = std::env::temp_dir().join("portcullis-stories-cache").display().to_string();
    assert!(text.contains(&shared), "{text}");
    std::fs::write(&path, text.replace(&shared, &scene.path("cache").display().to_string())).unwrap();
    let mut client = scene.client();
    assert_eq!(client.succeed("ssh_hosts", json!({}))["hosts"][0]["profile"], "here");
    let compiled = std::fs::read_dir(scene.path("cache")).unwrap().count();
    assert!(compiled > 0, "nothing was compiled, so nothing was waited for");
}

#[test]
fn without_structured_content_the_text_has_it_all() {
    let scene = Scene::empty();
    scene.configure("[mcp]\nstructured = 'off'\n[profiles.here]\nkind = 'local'\nshell = ['bash', '--norc']\n");
    let mut client = scene.client();
    let listed = client.request("tools/list", json!({}));
    assert!(
        listed["result"]["tools"].as_array().unwrap().iter().all(|tool| tool["outputSchema"].is_null()),
        "{listed}"
    );
    let mut call = |tool: &str, arguments: Value| {
        let answer = client.request("tools/call", json!({ "name": tool, "arguments": arguments }))["result"].take();
        assert!(answer["structuredContent"].is_null(), "{answer}");
        (answer["isError"] == true, answer["content"][0]["text"].as_str().unwrap().to_owned())
    };
    assert!(call("ssh_open", json!({ "profile": "here" })).1.contains("session s-here-1"));
    let (failed, ran) = call("ssh_run", json!({ "command": "echo out; (exit 7)" }));
    assert!(!failed && ran.contains("exit 7") && ran.contains("out"), "{ran}");
    let (failed, refused) = call("ssh_run", json!({ "command": "rm -rf /" }));
    assert!(failed && refused.contains("[policy-blocked]"), "{refused}");
    let (failed, unknown) = call("ssh_read", json!({ "session_id": "s-no-1" }));
    assert!(failed && unknown.contains("[next: "), "{unknown}");
}

#[test]
fn every_tool_is_described_for_every_client() {
    let scene = Scene::empty();
    scene.configure("");
    let mut client = scene.client();
    let first = client.request("tools/list", json!({}));
    let tools = first["result"]["tools"].as_array().unwrap().clone();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    let wanted = [
        "ssh_hosts",
        "ssh_lock",
        "ssh_navigate",
        "ssh_open",
        "ssh_read",
        "ssh_read_file",
        "ssh_run",
        "ssh_search_logs",
        "ssh_send",
        "ssh_status",
        "ssh_stop",
        "ssh_transcript",
        "ssh_write_file",
    ];
    assert_eq!(names, wanted);
    for tool in &tools {
        let hints = &tool["annotations"];
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(hints[hint].is_boolean(), "{tool}");
        }
        assert!(tool["title"].is_string() && tool["description"].as_str().unwrap().len() <= 200, "{tool}");
        assert_eq!(tool["inputSchema"]["type"], "object");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool}");
        assert_eq!(tool["outputSchema"]["type"], "object");
        let schema = tool["inputSchema"].to_string();
        assert!(!schema.contains("\"$ref\"") && !schema.contains("\"null\"") && !schema.contains("\"uint"), "{schema}");
    }
    // Every client pays for it in every conversation: 1.3 kB a tool.
    let length = first["result"]["tools"].to_string().len();
    assert!(length <= 1_300 * wanted.len(), "{length}");
    assert_eq!(client.request("tools/list", json!({}))["result"], first["result"]);
}
