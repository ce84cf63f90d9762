//! Running a command until it succeeds.

use e2e::mcp::Client;
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions};
use serde_json::{Value, json};

fn opened() -> (Sshd, Scene, Client) {
    let sshd = Sshd::start(SshdOptions::default());
    let scene = Scene::empty();
    scene.configure(&sshd_profile("host", &sshd));
    scene.allow_everything_but_the_worst();
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "host" }));
    // Succeeds when it is called for the third time.
    let define = "n=0; third() { n=$((n+1)); echo try $n; [ $n -eq 3 ]; }";
    assert_eq!(client.succeed("ssh_run", json!({ "command": define }))["exit_code"], 0);
    (sshd, scene, client)
}

fn codes(ran: &Value) -> Vec<i64> {
    let attempts = ran["retry"]["attempts"].as_array().unwrap();
    attempts.iter().map(|attempt| attempt["exit_code"].as_i64().unwrap()).collect()
}

#[test]
fn it_is_run_again_until_its_code_is_zero_and_each_attempt_is_judged() {
    let (_sshd, scene, mut client) = opened();
    let retry = json!({ "attempts": 5, "backoff": "exponential", "delay_s": 0 });
    let ran = client.succeed("ssh_run", json!({ "command": "third", "retry": retry }));
    assert_eq!((&ran["retry"]["result"], codes(&ran)), (&json!("succeeded"), vec![1, 1, 0]), "{ran}");
    assert_eq!((&ran["text"], &ran["exit_code"]), (&json!("try 3\n"), &json!(0)));
    let session_id = ran["session"]["session_id"].as_str().unwrap();
    let lines = scene.transcript(session_id);
    let verdicts = lines.iter().filter(|line| line["kind"] == "verdict" && line["text"] == "third");
    assert_eq!(verdicts.count(), 3, "the policy is asked each time");
}

#[test]
fn patterns_decide_before_the_code() {
    let (_sshd, _scene, mut client) = opened();
    let retry = json!({ "attempts": 4, "delay_s": 0, "success_pattern": "^try 2$" });
    let ran = client.succeed("ssh_run", json!({ "command": "third", "retry": retry }));
    assert_eq!((&ran["retry"]["result"], codes(&ran)), (&json!("succeeded"), vec![1, 1]), "{ran}");

    let retry = json!({ "attempts": 2, "delay_s": 0, "failure_pattern": "not yet" });
    let ran = client.call("ssh_run", json!({ "command": "echo not yet", "retry": retry }));
    assert_eq!(ran.structured["result_status"], "partial_success", "{}", ran.text);
    assert_eq!((&ran.structured["retry"]["result"], codes(&ran.structured)), (&json!("exhausted"), vec![0, 0]));
}

#[test]
fn a_bad_pattern_stops_before_anything_is_typed() {
    let (_sshd, _scene, mut client) = opened();
    let retry = json!({ "attempts": 2, "success_pattern": "(open" });
    let refused = client.fail("ssh_run", json!({ "command": "echo typed", "retry": retry }));
    assert_eq!(refused["failure_category"], "config-error");
    assert!(refused["summary"].as_str().unwrap().contains("retry.success_pattern"), "{refused}");
    let refused = client.fail("ssh_run", json!({ "command": "echo typed", "retry": { "attempts": 1 } }));
    assert_eq!(refused["failure_category"], "config-error");
    assert!(!client.succeed("ssh_read", json!({}))["text"].as_str().unwrap().contains("typed"));
}

#[test]
fn the_calls_time_is_kept_and_what_has_not_ended_is_not_run_again() {
    let (_sshd, _scene, mut client) = opened();
    let retry = json!({ "attempts": 3, "delay_s": 30 });
    let ran = client.call("ssh_run", json!({ "command": "false", "wait_s": 5, "retry": retry }));
    assert_eq!((&ran.structured["retry"]["result"], codes(&ran.structured)), (&json!("out_of_time"), vec![1]));
    assert!(ran.text.contains("[no further attempt]"), "{}", ran.text);

    let retry = json!({ "attempts": 3, "delay_s": 0, "success_pattern": "begun" });
    let ran = client.call("ssh_run", json!({ "command": "echo begun; sleep 600", "wait_s": 1, "retry": retry }));
    let attempts = ran.structured["retry"]["attempts"].as_array().unwrap();
    assert_eq!((attempts.len(), &attempts[0]["judged"]), (1, &json!("not_ended")), "{}", ran.text);
    assert_eq!(
        (&ran.structured["retry"]["result"], &ran.structured["outcome"]),
        (&json!("undecided"), &json!("running"))
    );
    client.succeed("ssh_stop", json!({ "job_id": ran.structured["job_id"] }));
}
