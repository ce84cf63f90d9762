//! Long calls as tasks: a handle, how it stands, its result; and whose it is.

use std::time::Duration;

use e2e::http::{HttpClient, Server};
use e2e::scene::{Scene, asking, configuration};
use e2e::viewer;
use e2e::way::{MODERN, Way, capabilities};
use serde_json::{Value, json};

const ALICE: &str = "the-token-of-alice-0123456789";
const BOB: &str = "the-token-of-bob-9876543210";

fn scene() -> Scene {
    let scene = Scene::empty();
    let team = asking("'deploy'");
    scene.configure(&format!(
        "enabled = false\n[mcp.http]\nclients = {{ alice = {{ env = 'ALICE_TOKEN' }}, bob = {{ env = 'BOB_TOKEN' }} }}\n\
         {team}[profiles.here]\nkind = 'local'\nshell = ['bash', '--noprofile', '--norc']\npolicies = ['team']\n"
    ));
    scene
}

fn way(scene: &Scene, elicitation: bool) -> Way {
    let mut way = Way::stdio(&scene.path("portcullis.toml"), MODERN, &capabilities(elicitation, true));
    way.call("ssh_open", json!({ "profile": "here" }));
    way
}

fn is_over(task: &Value) -> bool {
    ["completed", "failed", "cancelled"].iter().any(|status| task["status"] == *status)
}

#[test]
fn a_long_command_is_a_task_and_a_short_one_is_not() {
    let scene = scene();
    let mut way = way(&scene, false);
    let discovered = way.request("server/discover", json!({}))["result"].clone();
    assert!(discovered["capabilities"]["extensions"]["io.modelcontextprotocol/tasks"].is_object(), "{discovered}");
    let short = way.call("ssh_run", json!({ "command": "echo short" }));
    assert_eq!((&short["resultType"], &short["structuredContent"]["text"]), (&json!("complete"), &json!("short\n")));
    let task = way.call("ssh_run", json!({ "command": "sleep 3; echo long; (exit 3)" }));
    assert_eq!((&task["resultType"], &task["status"]), (&json!("task"), &json!("working")), "{task}");
    assert!(task["taskId"].as_str().is_some_and(|id| id.len() >= 32) && task["ttlMs"].is_u64(), "{task}");
    let runs =
        way.task_when(&task["taskId"], |task| task["statusMessage"].as_str().is_some_and(|it| it.contains("job")));
    assert_eq!(runs["statusMessage"], "runs as job c2 in session s-here-1", "{runs}");
    // The job is the session's, and read as any other meanwhile.
    let status = way.call("ssh_status", json!({}))["structuredContent"].clone();
    assert_eq!(status["sessions"][0]["running_command"], "sleep 3; echo long; (exit 3)", "{status}");
    let over = way.task_when(&task["taskId"], is_over);
    // An exit code is no failure of the call.
    assert_eq!(over["status"], "completed", "{over}");
    let result = &over["result"]["structuredContent"];
    assert_eq!((&result["exit_code"], &result["text"], &result["job_id"]), (&json!(3), &json!("long\n"), &json!("c2")));
    // Whoever says how long it wants to wait gets control back then.
    let waited = way.call("ssh_run", json!({ "command": "sleep 30", "wait_s": 2 }));
    assert_eq!(waited["structuredContent"]["outcome"], "running", "{waited}");
    way.call("ssh_stop", json!({ "job_id": "c3", "force": true }));
}

#[test]
fn a_cancelled_task_interrupts_its_command() {
    let scene = scene();
    let mut way = way(&scene, false);
    let task = way.call("ssh_run", json!({ "command": "sleep 600" }));
    assert_eq!(task["status"], "working", "{task}");
    let acknowledged = way.request("tasks/cancel", json!({ "taskId": task["taskId"] }))["result"].clone();
    assert_eq!(acknowledged["resultType"], "complete", "{acknowledged}");
    let over = way.task_when(&task["taskId"], is_over);
    assert_eq!(over["status"], "cancelled", "{over}");
    assert!(over["statusMessage"].as_str().unwrap().contains("has ended"), "{over}");
    let read = way.call("ssh_read", json!({ "job_id": "c1" }))["structuredContent"].clone();
    assert_eq!(read["job"]["completion"]["exit_code"], 130, "{read}");
}

/// The consent that a call needs after it became a task is asked for as the task's input.
#[test]
fn a_task_asks_for_consent_as_its_input() {
    let scene = Scene::with_bastion(|options| options.faults.latency = Duration::from_millis(100));
    let lab = configuration(scene.bastion.as_ref().unwrap().address.port());
    let lab = lab.replace("log_search =", "policies = ['team']\nlog_search =");
    scene.configure(&format!("{}{lab}", asking("'kubectl'")));
    let mut way = Way::stdio(&scene.path("portcullis.toml"), MODERN, &capabilities(true, true));
    way.call("ssh_open", json!({ "profile": "lab" }));
    let task = way.call("ssh_navigate", json!({ "route": "orders-api" }));
    assert_eq!(task["resultType"], "task", "{task}");
    let yes = json!({ "action": "accept", "content": { "decision": "allow_once" } });
    let mut asked = 0;
    let over = loop {
        let wants = way.task_when(&task["taskId"], |task| is_over(task) || task["status"] == "input_required");
        if is_over(&wants) {
            break wants;
        }
        let (key, question) = wants["inputRequests"].as_object().unwrap().iter().next().unwrap();
        assert!(question["params"]["message"].as_str().unwrap().contains("kubectl"), "{question}");
        asked += 1;
        if asked == 1 {
            let told = way.request("tasks/update", json!({ "taskId": task["taskId"], "inputResponses": { key: yes } }));
            assert_eq!(told["result"]["resultType"], "complete", "{told}");
        } else {
            // Decided in the viewer it is no longer asked here.
            let (address, token) = viewer::link(&scene.path("state"));
            let open = viewer::approvals(&address, &token).pop().unwrap();
            let answer = json!({ "type": "allow_once", "digest": open["digest"] });
            assert_eq!(viewer::decide(&address, &token, open["id"].as_str().unwrap(), &answer), 204);
            way.task_when(&task["taskId"], |task| task["inputRequests"].get(key.as_str()).is_none());
        }
        assert!(asked < 10, "it is asked again and again: {wants}");
    };
    assert_eq!(over["status"], "completed", "{over}");
    let result = &over["result"]["structuredContent"];
    // Once for the list of pods, once for the way into one: it waits where it is, and does not begin anew.
    assert_eq!((&result["result_status"], asked), (&json!("success"), 2), "{result}");
}

/// Over HTTP a task outlives the request that made it, and nobody else's client sees it.
#[test]
fn a_task_belongs_to_its_client() {
    let scene = scene();
    let server = Server::start(&scene.path("portcullis.toml"), &[("ALICE_TOKEN", ALICE), ("BOB_TOKEN", BOB)]);
    for version in [MODERN, "2025-11-25"] {
        let client = |token| Way::Http(HttpClient::new(&server.address, token, version, capabilities(false, true)));
        let (mut alice, mut bob) = (client(ALICE), client(BOB));
        let opened = alice.call("ssh_open", json!({ "profile": "here", "new": true }))["structuredContent"].clone();
        let id = opened["session"]["session_id"].clone();
        let task = alice.call("ssh_run", json!({ "command": "sleep 2; echo mine", "session_id": id }));
        for method in ["tasks/get", "tasks/cancel", "tasks/update"] {
            let foreign = bob.request(method, json!({ "taskId": task["taskId"], "inputResponses": {} }));
            assert_eq!(foreign["error"]["code"], -32602, "{version} {method}: {foreign}");
        }
        let over = alice.task_when(&task["taskId"], is_over);
        assert_eq!(over["result"]["structuredContent"]["text"], "mine\n", "{version}: {over}");
    }
}
