//! A client whose user is asked between two requests (2026-07-28): the call goes on from where it stood, however
//! often it has to ask on its way.

use std::path::PathBuf;

use e2e::http::{HttpClient, Server};
use e2e::mcp::wait_until;
use e2e::scene::{Scene, asking, configuration};
use e2e::viewer;
use e2e::way::{MODERN, Way, capabilities};
use serde_json::{Value, json};

const ALICE: &str = "the-token-of-alice-0123456789";
const BOB: &str = "the-token-of-bob-9876543210";
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

fn here(viewer: bool) -> Scene {
    let scene = Scene::empty();
    let off = if viewer { "" } else { "enabled = false\n" };
    let profile = "[profiles.here]\nkind = 'local'\nshell = ['bash', '--noprofile', '--norc']\npolicies = ['team']\n";
    scene.configure(&format!("{off}{}{profile}", asking("'deploy'")));
    scene
}

fn way(path: PathBuf) -> Way {
    Way::stdio(&path, MODERN, &capabilities(true, false))
}

fn call(way: &mut Way, tool: &str, arguments: &Value, asked: &Value, answer: Option<&Value>) -> Value {
    let mut call = json!({ "name": tool, "arguments": arguments });
    if let Some(answer) = answer {
        call["requestState"] = asked["requestState"].clone();
        call["inputResponses"] = json!({ "approval": answer });
    }
    way.request("tools/call", call)["result"].clone()
}

fn allow_once() -> Value {
    json!({ "action": "accept", "content": { "decision": "allow_once" } })
}

/// Makes the call and allows once whatever it asks; its result, and how often it asked.
fn allowed(way: &mut Way, tool: &str, arguments: &Value) -> (Value, usize) {
    let mut answered = call(way, tool, arguments, &Value::Null, None);
    for asked in 0..10 {
        if answered["resultType"] != "input_required" {
            return (answered["structuredContent"].clone(), asked);
        }
        answered = call(way, tool, arguments, &answered, Some(&allow_once()));
    }
    panic!("it asks again and again: {answered}");
}

#[test]
fn a_route_goes_on_from_the_step_that_was_asked_about() {
    let scene = Scene::with_bastion(|_| {});
    let lab = configuration(scene.bastion.as_ref().unwrap().address.port());
    let lab = lab.replace("log_search =", "policies = ['team']\nlog_search =");
    scene.configure(&format!("{}{lab}", asking("'kubectl'")));
    let mut way = way(scene.path("portcullis.toml"));
    let (opened, asked) = allowed(&mut way, "ssh_open", &json!({ "profile": "lab", "route": "orders-api" }));
    // Once for the list of pods, once for the way into one.
    assert_eq!((&opened["result_status"], asked), (&json!("success"), 2), "{opened}");
    assert!(opened["session"]["breadcrumb"].to_string().contains("orders-api"), "{opened}");
    let status = way.call("ssh_status", json!({}))["structuredContent"].clone();
    assert_eq!(status["sessions"].as_array().unwrap().len(), 1, "it was opened once: {status}");
    // What was allowed once is asked about again.
    way.call("ssh_run", json!({ "command": "exit" }));
    let (back, asked) = allowed(&mut way, "ssh_navigate", &json!({ "route": "orders-api" }));
    assert_eq!((&back["result_status"], asked), (&json!("success"), 2), "{back}");
}

#[test]
fn each_attempt_is_asked_about_and_none_is_made_twice() {
    let scene = here(false);
    let mut way = way(scene.path("portcullis.toml"));
    way.call("ssh_open", json!({ "profile": "here" }));
    let tried = scene.path("tried");
    let line = format!("echo deploy >> {0}; test $(wc -l < {0}) -ge 3", tried.display());
    let retry = json!({ "attempts": 5, "delay_s": 0 });
    let (ran, asked) = allowed(&mut way, "ssh_run", &json!({ "command": line, "retry": retry }));
    assert_eq!((&ran["retry"]["result"], asked), (&json!("succeeded"), 3), "{ran}");
    assert_eq!(std::fs::read_to_string(tried).unwrap(), "deploy\n".repeat(3));
}

/// A person may take their time; the wait for the command begins when they have decided.
#[test]
fn the_time_a_person_takes_is_not_the_commands() {
    let scene = here(false);
    let mut way = way(scene.path("portcullis.toml"));
    way.call("ssh_open", json!({ "profile": "here", "name": "first" }));
    let other = way.call("ssh_open", json!({ "profile": "here", "name": "other", "new": true }));
    let other = other["structuredContent"]["session"]["session_id"].clone();
    let run = json!({ "command": "sleep 1; echo deploy", "wait_s": 2, "session_id": "first" });
    let asked = call(&mut way, "ssh_run", &run, &Value::Null, None);
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let meanwhile = way.call("ssh_run", json!({ "command": "sleep 2", "session_id": other }));
    assert_eq!(meanwhile["structuredContent"]["outcome"], "completed", "{meanwhile}");
    let ran = call(&mut way, "ssh_run", &run, &asked, Some(&allow_once()))["structuredContent"].clone();
    assert_eq!((&ran["outcome"], &ran["text"]), (&json!("completed"), &json!("deploy\n")), "{ran}");
}

#[test]
fn who_decides_in_the_viewer_lets_the_same_call_go_on() {
    let scene = here(true);
    let mut way = way(scene.path("portcullis.toml"));
    way.call("ssh_open", json!({ "profile": "here" }));
    let (address, token) = viewer::link(&scene.path("state"));
    let run = json!({ "command": "echo deploy" });
    for (decision, expected) in [("allow_once", "success"), ("deny", "blocked")] {
        let asked = call(&mut way, "ssh_run", &run, &Value::Null, None);
        assert_eq!(asked["resultType"], "input_required", "{asked}");
        let open = wait_until(PATIENCE, || viewer::approvals(&address, &token).pop()).expect("an approval");
        let answer = match decision {
            "deny" => json!({ "type": "deny", "digest": open["digest"], "reason": "not today" }),
            other => json!({ "type": other, "digest": open["digest"] }),
        };
        assert_eq!(viewer::decide(&address, &token, open["id"].as_str().unwrap(), &answer), 204);
        // Nothing runs until its client comes back, with whatever its own user said.
        let said = call(&mut way, "ssh_run", &run, &asked, Some(&allow_once()))["structuredContent"].clone();
        assert_eq!(said["result_status"], expected, "{said}");
    }
}

/// Whoever has got hold of what another client carries back neither answers for it nor goes on with its call.
#[test]
fn a_call_that_is_kept_is_its_clients_own() {
    let scene = here(false);
    let path = scene.path("portcullis.toml");
    let clients = "[mcp.http]\n\
                   clients = { alice = { env = 'ALICE_TOKEN' }, bob = { env = 'BOB_TOKEN' } }\n[plugins.team]";
    let text = std::fs::read_to_string(&path).unwrap().replace("[plugins.team]", clients);
    std::fs::write(&path, text).unwrap();
    let server = Server::start(&path, &[("ALICE_TOKEN", ALICE), ("BOB_TOKEN", BOB)]);
    let client = |token| Way::Http(HttpClient::new(&server.address, token, MODERN, capabilities(true, false)));
    let (mut alice, mut bob) = (client(ALICE), client(BOB));
    let opened = alice.call("ssh_open", json!({ "profile": "here" }))["structuredContent"].clone();
    let run = json!({ "command": "echo deploy", "session_id": opened["session"]["session_id"] });
    let asked = call(&mut alice, "ssh_run", &run, &Value::Null, None);
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let foreign = call(&mut bob, "ssh_run", &run, &asked, Some(&allow_once()));
    assert_eq!(foreign["structuredContent"]["failure_category"], "ambiguous-session", "{foreign}");
    let position = alice.call("ssh_status", json!({}))["structuredContent"]["sessions"][0].clone();
    assert_eq!(position["running_command"], Value::Null, "{position}");
    let asked = call(&mut alice, "ssh_run", &run, &Value::Null, None);
    assert_eq!(asked["resultType"], "input_required", "it is still open: {asked}");
    let own = call(&mut alice, "ssh_run", &run, &asked, Some(&allow_once()));
    assert_eq!(own["structuredContent"]["text"], "deploy\n", "{own}");
}
