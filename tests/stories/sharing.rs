//! A person and the agent share one input.

use e2e::mcp::wait_until;
use e2e::scene::Scene;
use e2e::viewer::{self, Page};
use serde_json::{Value, json};

use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);
const PROFILE: &str = "[profiles.here]\nkind = 'local'\nshell = ['bash', '--noprofile', '--norc']\n";

#[test]
fn what_a_person_began_holds_the_agent_off_and_no_agent_takes_from_a_person() {
    let scene = Scene::empty();
    scene.configure(PROFILE);
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "here" }));
    let id = opened["session"]["session_id"].as_str().unwrap().to_owned();
    let (address, token) = viewer::link(&scene.path("state"));
    let mut page = Page::open(&address, &token, &id);
    page.press(b"echo half");
    let holder = |client: &mut e2e::mcp::Client| {
        client.succeed("ssh_status", json!({}))["sessions"][0]["input"]["holder"].clone()
    };
    wait_until(LIMIT, || (holder(&mut client)["because"] == "typing").then_some(()))
        .expect("the person's typing is seen");
    let held = client.fail("ssh_run", json!({ "command": "echo agent" }));
    assert_eq!(
        (&held["failure_category"], &held["result_status"]),
        (&json!("input-locked"), &json!("blocked")),
        "{held}"
    );
    assert!(held["summary"].as_str().unwrap().contains("`echo half`"), "{held}");
    // What the agent had begun itself is there when it goes on.
    client.succeed("ssh_send", json!({ "text": "echo ag" }));
    assert_eq!(
        client.fail("ssh_send", json!({ "text": "ent-goes-on", "enter": true }))["failure_category"],
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
    let handed = client.fail("ssh_run", json!({ "command": "echo agent" }));
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
