//! A person and the agent share one input.

use e2e::mcp::{Client, wait_until};
use e2e::scene::Scene;
use e2e::viewer::{self, Page};
use serde_json::{Value, json};

use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);
const PROFILE: &str = "[profiles.here]\nkind = 'local'\nshell = ['bash', '--noprofile', '--norc']\n";

/// A session of the agent's with a person at its page, and its id.
fn shared() -> (Scene, Client, String, Page) {
    let scene = Scene::empty();
    scene.configure(PROFILE);
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "here" }));
    let id = opened["session"]["session_id"].as_str().unwrap().to_owned();
    let (address, token) = viewer::link(&scene.path("state"));
    let page = Page::open(&address, &token, &id);
    (scene, client, id, page)
}

#[test]
fn what_a_person_began_holds_the_agent_off_and_no_agent_takes_from_a_person() {
    let (scene, mut client, id, mut page) = shared();
    page.press(b"echo half");
    let holder =
        |client: &mut Client| client.succeed("ssh_status", json!({}))["sessions"][0]["input"]["holder"].clone();
    wait_until(LIMIT, || (holder(&mut client)["because"] == "typing").then_some(()))
        .expect("the person's typing is seen");
    let held = client.fail("ssh_run", json!({ "command": "echo agent", "wait_s": 0 }));
    assert_eq!(
        (&held["failure_category"], &held["result_status"]),
        (&json!("input-locked"), &json!("blocked")),
        "{held}"
    );
    assert!(held["summary"].as_str().unwrap().contains("`echo half`"), "{held}");
    // What the agent had begun itself is there when it goes on.
    client.succeed("ssh_send", json!({ "text": "echo ag" }));
    assert_eq!(
        client.fail("ssh_send", json!({ "text": "ent-goes-on", "enter": true, "wait_s": 0 }))["failure_category"],
        "input-locked"
    );
    for action in ["take", "hand_over"] {
        let refused = client.fail("ssh_lock", json!({ "action": action }));
        assert_eq!(refused["failure_category"], "input-locked", "{refused}");
    }
    page.press(b" done\r");
    assert!(page.until(LIMIT, |page| String::from_utf8_lossy(&page.printed).matches("half done").count() == 2));
    let free = |session: &Value| session["state"] == "at_prompt" && session["input"]["holder"].is_null();
    wait_until(LIMIT, || free(&client.succeed("ssh_status", json!({}))["sessions"][0]).then_some(()))
        .expect("a free prompt");
    let sent = client.succeed("ssh_send", json!({ "text": "ent-goes-on", "enter": true, "wait_for": "agent-goes-on" }));
    assert_eq!(sent["found"], true, "{sent}");
    client.succeed("ssh_lock", json!({ "action": "take", "ttl_s": 600 }));
    let ran = client.succeed("ssh_run", json!({ "command": "echo agent" }));
    assert_eq!(ran["text"], "agent\n");
    page.press(b"echo person\r");
    assert!(page.until(LIMIT, |page| page.told.iter().any(|told| told.contains("keys_refused"))));
    client.succeed("ssh_lock", json!({ "action": "hand_over" }));
    let handed = client.fail("ssh_run", json!({ "command": "echo agent", "wait_s": 0 }));
    assert!(handed["summary"].as_str().unwrap().contains("a person has taken the input"), "{handed}");
    let record = scene.transcript(&id);
    let typed: String = record
        .iter()
        .filter(|line| line["actor"] == "human" && line["kind"] == "input")
        .filter_map(|line| line["text"].as_str())
        .collect();
    assert_eq!(typed, "echo half done\r", "what the person typed while the agent held the input was sent");
    let changes: Vec<&Value> =
        record.iter().filter(|line| line["kind"] == "control").map(|line| &line["change"]).collect();
    assert_eq!(changes, ["taken", "handed_over"]);
}

#[test]
fn a_command_is_held_back_while_a_person_types_and_runs_when_they_have_done() {
    let (scene, mut client, id, mut page) = shared();
    let waits = |page: &mut Page, words: &str| {
        assert!(
            page.until(LIMIT, |page| page.told.iter().any(|told| told.contains(words))),
            "{words}: {:?}",
            page.told
        );
        page.told.clear();
    };
    let echoed = |page: &mut Page, words: &str| {
        assert!(page.until(LIMIT, |page| String::from_utf8_lossy(&page.printed).contains(words)), "{words}");
    };
    page.press(b"cd /");
    echoed(&mut page, "cd /");
    waits(&mut page, "\"because\":\"typing\"");
    let call =
        client.begin("tools/call", json!({ "name": "ssh_run", "arguments": { "command": "pwd", "wait_s": 30 } }));
    waits(&mut page, "\"agent_waits\":true");
    // It runs behind what the person has finished, in the folder where they have gone.
    page.press(b"usr\r");
    let ran = client.called(call).structured;
    assert_eq!((&ran["exit_code"], &ran["text"]), (&json!(0), &json!("/usr\n")), "{ran}");
    let notes = ran["notes"].to_string();
    assert!(notes.contains("held back for") && notes.contains("`cd /usr`"), "{ran}");

    // Where the person does not finish, nothing is typed, not even later.
    page.press(b"echo mine");
    echoed(&mut page, "echo mine");
    waits(&mut page, "\"because\":\"typing\"");
    let held = client.fail("ssh_run", json!({ "command": "echo the-agents", "wait_s": 1 }));
    let words = held["summary"].as_str().unwrap();
    assert_eq!(held["failure_category"], "input-locked", "{held}");
    assert!(
        words.contains("`echo mine`") && words.contains("waited 1.") && words.contains("nothing was sent"),
        "{held}"
    );
    // Nor where the call is given up while it waits.
    let call = client
        .begin("tools/call", json!({ "name": "ssh_run", "arguments": { "command": "echo given-up", "wait_s": 40 } }));
    let agent_waits =
        |client: &mut Client| client.succeed("ssh_status", json!({}))["sessions"][0]["input"]["agent_waits"] == true;
    wait_until(LIMIT, || agent_waits(&mut client).then_some(())).expect("the call waits");
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": call } }));
    wait_until(LIMIT, || (!agent_waits(&mut client)).then_some(())).expect("it is given up");
    page.press(b"\r");
    assert!(page.until(LIMIT, |page| String::from_utf8_lossy(&page.printed).matches("mine").count() == 2));
    let at_prompt =
        |client: &mut Client| client.succeed("ssh_status", json!({}))["sessions"][0]["state"] == "at_prompt";
    wait_until(LIMIT, || at_prompt(&mut client).then_some(())).expect("the person's command has ended");
    let after = client.succeed("ssh_run", json!({ "command": "echo after" }));
    assert_eq!(after["text"], "after\n");
    let typed: Vec<String> = scene
        .transcript(&id)
        .iter()
        .filter(|line| line["kind"] == "command_start")
        .map(|line| line["text"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(typed, ["cd /usr", "pwd", "echo mine", "echo after"]);
}
