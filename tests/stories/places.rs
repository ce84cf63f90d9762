//! Where a session is, places to come back to, and levels that are left on the way.

use e2e::scene::Scene;
use serde_json::{Value, json};

/// A route to the host whose pod `orders-api` leads on into.
const HOST_ROUTE: &str = "\n[profiles.lab.routes.master-a]\ntarget = \"10.66.12.21\"\nuser = \"root\"\n";

fn scene() -> Scene {
    let scene = Scene::with_bastion(|_| {});
    let path = scene.path("portcullis.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text + HOST_ROUTE).unwrap();
    scene
}

fn labels(place: &Value) -> Vec<&str> {
    place["levels"].as_array().unwrap().iter().map(|level| level["label"].as_str().unwrap()).collect()
}

#[test]
fn where_a_session_is_is_told_with_how_that_is_known() {
    let scene = scene();
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "lab" }));
    let menu = client.succeed("ssh_navigate", json!({}));
    assert_eq!((menu["confidence"].as_str(), labels(&menu)), (Some("likely"), vec!["bastion"]), "{menu}");
    assert!(menu["routes"].as_array().unwrap().contains(&json!("master-a")), "{menu}");
    assert_eq!(menu["next"]["tool"], "ssh_navigate", "a route leads on: {menu}");

    client.succeed("ssh_navigate", json!({ "route": "orders-api" }));
    let pod = client.succeed("ssh_navigate", json!({}));
    assert_eq!((pod["confidence"].as_str(), pod["route"].as_str()), (Some("certain"), Some("orders-api")), "{pod}");
    assert_eq!(labels(&pod)[..2], ["bastion", "master-a"]);
    assert_eq!(pod["levels"][2]["kind"], "pod_shell");

    let running = client.call("ssh_run", json!({ "command": "sleep 30", "wait_s": 0 })).structured;
    let busy = client.succeed("ssh_navigate", json!({}));
    assert_eq!(busy["confidence"], "as_of_last_prompt", "{busy}");
    client.succeed("ssh_stop", json!({ "job_id": running["job_id"] }));
}

#[test]
fn a_route_to_the_host_is_followed_from_the_pod_by_leaving_it() {
    let scene = scene();
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "lab", "route": "orders-api" }));
    let went = client.succeed("ssh_navigate", json!({ "route": "master-a", "save_as": "the host" }));
    assert_eq!(went["breadcrumb"], json!(["bastion", "master-a"]), "{went}");
    assert!(went["steps"][0].as_str().unwrap().starts_with("left `orders/orders-api-"), "{went}");
    assert_eq!(client.succeed("ssh_run", json!({ "command": "echo $((6*7))" }))["text"], "42\n");

    let lines = scene.transcript(opened["session"]["session_id"].as_str().unwrap());
    let steps: Vec<&str> = lines
        .iter()
        .filter(|line| line["kind"] == "navigation_step")
        .filter_map(|line| line["what"].as_str())
        .collect();
    assert!(steps.iter().any(|step| step.starts_with("left `orders/")), "{steps:?}");
    assert!(steps.iter().any(|step| step.starts_with("answered the menu with")), "{steps:?}");

    // Back into the pod, and to the place that was saved; a second server knows it too.
    client.succeed("ssh_navigate", json!({ "route": "orders-api" }));
    let back = client.succeed("ssh_navigate", json!({ "place": "the host" }));
    assert_eq!(back["breadcrumb"], json!(["bastion", "master-a"]));
    let mut second = scene.client();
    second.succeed("ssh_open", json!({ "profile": "lab" }));
    let place = second.succeed("ssh_navigate", json!({ "place": "the host" }));
    assert_eq!(place["breadcrumb"], json!(["bastion", "master-a"]), "{place}");
    let unknown = second.fail("ssh_navigate", json!({ "place": "elsewhere" }));
    assert!(unknown["summary"].as_str().unwrap().contains("saved are: the host"), "{unknown}");
}

#[test]
fn a_host_whose_end_is_the_sessions_end_is_not_left() {
    let scene = scene();
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "lab", "route": "master-a" }));
    let refused = client.fail("ssh_navigate", json!({ "route": "master-b" }));
    assert_eq!(refused["code"], "wrong-place", "{refused}");
    assert_eq!(client.succeed("ssh_run", json!({ "command": "echo still here" }))["text"], "still here\n");
}

#[test]
fn what_was_entered_beyond_a_route_is_not_typed_again() {
    let scene = scene();
    scene.allow_everything_but_the_worst();
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "lab", "route": "master-a" }));
    let entered = client.call("ssh_run", json!({ "command": "bash --norc" }));
    assert_eq!(entered.structured["outcome"], "level_changed", "{}", entered.text);
    client.succeed("ssh_navigate", json!({ "save_as": "deep" }));
    let mut second = scene.client();
    second.succeed("ssh_open", json!({ "profile": "lab" }));
    let answer = second.call("ssh_navigate", json!({ "place": "deep" }));
    assert_eq!(answer.structured["result_status"], "partial_success", "{}", answer.text);
    assert_eq!(answer.structured["breadcrumb"], json!(["bastion", "master-a"]));
    assert!(answer.text.contains("the place goes on: bash"), "{}", answer.text);
}

#[test]
fn each_step_is_told_to_a_client_that_asks_for_progress() {
    let scene = scene();
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "lab" }));
    let call = json!({
        "name": "ssh_navigate", "arguments": { "route": "orders-api" }, "_meta": { "progressToken": "way-1" }
    });
    let id = client.begin("tools/call", call);
    let (answer, notifications) = client.answer_and_notifications(id);
    assert_eq!(answer["result"]["structuredContent"]["result_status"], "success", "{answer}");
    let told: Vec<&Value> = notifications.iter().filter(|it| it["method"] == "notifications/progress").collect();
    assert!(told.len() >= 4 && told.iter().all(|it| it["params"]["progressToken"] == "way-1"), "{told:?}");
    let numbers: Vec<f64> = told.iter().filter_map(|it| it["params"]["progress"].as_f64()).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    assert!(told[0]["params"]["message"].as_str().unwrap().starts_with("step 1: "), "{told:?}");
}
