//! An agent walks through a bastion's menu into a pod and finds the error in its log.

use e2e::scene::Scene;
use serde_json::json;

#[test]
fn the_whole_road() {
    let scene = Scene::with_bastion(|_| {});
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "lab" }));
    assert_eq!(opened["session"]["breadcrumb"], json!(["bastion"]));
    assert_eq!(opened["session"]["state"], "menu");

    let navigated = client.succeed("ssh_navigate", json!({ "route": "orders-api" }));
    let place = navigated["breadcrumb"].as_array().unwrap();
    assert_eq!(place[..2], [json!("bastion"), json!("master-a")]);
    assert!(place[2].as_str().unwrap().starts_with("orders/orders-api-"), "{place:?}");

    let listed = client.succeed("ssh_run", json!({ "command": "ls -la var/log/app" }));
    assert_eq!(listed["exit_code"], 0);
    let entries = listed["parsed"]["documents"].as_array().unwrap();
    let log = entries.iter().find(|entry| entry["name"] == "app.log").expect("app.log is parsed");
    assert!(log["size_bytes"].as_u64().is_some_and(|size| size > 0), "{log}");
    assert!(listed["text"].as_str().unwrap().contains("app.log"));

    let found =
        client.succeed("ssh_search_logs", json!({ "query": "upstream timeout", "before_lines": 1, "after_lines": 1 }));
    let hit = &found["matches"][0];
    assert!(hit["source"].as_str().unwrap().ends_with("app.log"), "{hit}");
    assert!(hit["text"].as_str().unwrap().contains("lab-timeout-001"), "{hit}");
    assert!(hit["line"].is_u64() && !hit["before"].as_array().unwrap().is_empty(), "{hit}");
    let failed = client.succeed("ssh_search_logs", json!({ "query": "payment failed", "ignore_case": true }));
    assert!(failed["matches"][0]["text"].as_str().unwrap().contains("O-10086"), "{failed}");

    let refused = client.fail("ssh_run", json!({ "command": "rm -rf /" }));
    assert_eq!(refused["result_status"], "blocked");
    assert_eq!(refused["failure_category"], "policy-blocked");
    for field in ["rule_id", "reason", "suggestion"] {
        assert!(refused[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {refused}");
    }

    let slept = client.succeed("ssh_run", json!({ "command": "sleep 3; echo done" }));
    assert_eq!((&slept["exit_code"], &slept["text"]), (&json!(0), &json!("done\n")));
    assert!(slept["duration_ms"].as_u64().unwrap() >= 3000);

    let screen = client.succeed("ssh_read", json!({}));
    let text = screen["text"].as_str().unwrap();
    assert!(text.contains("sleep 3; echo done") && !text.contains("rm -rf /"), "{text}");
    assert!(!text.contains("__pc_"), "the host's own lines are on the screen: {text}");

    let session_id = opened["session"]["session_id"].as_str().unwrap().to_owned();
    client.succeed("ssh_stop", json!({}));
    let closed = client.succeed("ssh_status", json!({ "session_id": session_id }));
    assert_eq!(closed["sessions"][0]["state"], "closed");
}

#[test]
fn leaving_the_pod_comes_back_to_the_master() {
    let scene = Scene::with_bastion(|_| {});
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "lab", "route": "orders-api" }));
    client.succeed("ssh_run", json!({ "command": "cd var/log && COLOUR=green" }));
    let kept = client.succeed("ssh_run", json!({ "command": "pwd; echo $COLOUR" }));
    assert!(kept["text"].as_str().unwrap().ends_with("var/log\ngreen\n"), "{kept}");
    let left = client.succeed("ssh_run", json!({ "command": "exit" }));
    assert_eq!(left["outcome"], "level_changed");
    assert_eq!(left["session"]["breadcrumb"], json!(["bastion", "master-a"]));
    let pods = client.succeed("ssh_run", json!({ "command": "kubectl get pods -n payments" }));
    assert!(pods["text"].as_str().unwrap().contains("CrashLoopBackOff"));
}

#[test]
fn a_pod_entered_by_hand_is_a_level_too() {
    let scene = Scene::with_bastion(|_| {});
    scene.allow_everything_but_the_worst();
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "lab", "route": "master-b" }));
    let entered = client.succeed(
        "ssh_run",
        json!({ "command": "kubectl exec -it payments-api-6cc447f559-k8mvp -n payments -- /bin/sh" }),
    );
    assert_eq!(entered["outcome"], "level_changed", "{entered}");
    assert_eq!(
        entered["session"]["breadcrumb"],
        json!(["bastion", "master-b", "payments/payments-api-6cc447f559-k8mvp"])
    );
    let counted = client.succeed("ssh_run", json!({ "command": "wc -l < var/log/app/app.log" }));
    assert_eq!((&counted["exit_code"], &counted["exit_source"]), (&json!(0), &json!("mark")));
    assert_eq!(counted["text"].as_str().unwrap().trim(), "6");
}

#[test]
fn the_menu_can_be_crossed_by_hand_and_no_shell_line_passes_as_an_answer() {
    let scene = Scene::with_bastion(|_| {});
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "lab" }));
    let refused = client.fail("ssh_send", json!({ "text": "rm -rf /", "enter": true }));
    assert_eq!(refused["result_status"], "blocked", "a menu may have ended unseen");
    client.succeed("ssh_send", json!({ "text": "10.66.12.22", "enter": true, "wait_for": "User number" }));
    let entered = client.succeed("ssh_send", json!({ "text": "4", "enter": true, "wait_for": "Logged in" }));
    assert_eq!(entered["session"]["breadcrumb"], json!(["bastion", "master-b"]), "{entered}");
    let ran = client.succeed("ssh_run", json!({ "command": "echo here" }));
    assert_eq!((&ran["exit_code"], &ran["text"]), (&json!(0), &json!("here\n")));
}
