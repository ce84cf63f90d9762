//! A host without a bastion: a real OpenSSH server.

use std::time::{Duration, Instant};

use e2e::mcp::{Client, wait_until};
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Server, Sshd, SshdOptions};
use serde_json::json;

fn opened() -> (Sshd, Scene, Client) {
    opened_with(|_| {})
}

fn opened_with(adjust: impl FnOnce(&Scene)) -> (Sshd, Scene, Client) {
    let sshd = Sshd::start(SshdOptions::default());
    let scene = Scene::empty();
    scene.configure(&sshd_profile("host", &sshd));
    adjust(&scene);
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "host" }));
    assert_eq!(opened["session"]["state"], "at_prompt", "{opened}");
    (sshd, scene, client)
}

#[test]
fn exit_codes_are_the_shells_own() {
    let (_sshd, _scene, mut client) = opened();
    for (command, code) in [("true", 0), ("false", 1), ("(exit 42)", 42), ("no-such-program", 127)] {
        let ran = client.succeed("ssh_run", json!({ "command": command }));
        assert_eq!((&ran["outcome"], &ran["exit_code"]), (&json!("completed"), &json!(code)), "{command}");
        assert_eq!((&ran["exit_source"], &ran["confidence"]), (&json!("mark"), &json!("certain")), "{command}");
    }
    let several = client.succeed("ssh_run", json!({ "command": "for n in 1 2\ndo echo line $n\ndone" }));
    assert_eq!(several["text"], "line 1\nline 2\n");
}

#[test]
fn dropbear_with_dash_and_busybox_is_a_host_like_any_other() {
    let sshd = Sshd::start(SshdOptions { server: Server::Dropbear, ..SshdOptions::default() });
    let scene = Scene::empty();
    scene.configure(&sshd_profile("box", &sshd));
    // In the mode `safe` a nested shell by this name is taken for a program that waits for typing.
    scene.allow_everything_but_the_worst();
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "box" }));
    for shell in ["the login shell", "busybox ash"] {
        for (command, code) in [("true", 0), ("(exit 42)", 42), ("no-such-program", 127)] {
            let ran = client.succeed("ssh_run", json!({ "command": command }));
            assert_eq!((&ran["exit_code"], &ran["exit_source"]), (&json!(code), &json!("mark")), "{shell}: {ran}");
        }
        let much = client.succeed("ssh_run", json!({ "command": "seq 1 30000 | tail -n 1" }));
        assert_eq!(much["text"], "30000\n", "{shell}");
        let running = client.call("ssh_run", json!({ "command": "sleep 60", "wait_s": 1 })).structured;
        client.succeed("ssh_stop", json!({ "job_id": running["job_id"] }));
        let job = client.succeed("ssh_read", json!({ "job_id": running["job_id"], "wait_s": 10 }));
        assert_eq!(job["job"]["completion"]["exit_code"], 130, "{shell}: {job}");
        let nested = client.succeed("ssh_run", json!({ "command": "busybox ash" }));
        assert_eq!(nested["outcome"], "level_changed", "{nested}");
    }
}

#[test]
fn control_returns_while_a_job_goes_on_and_its_code_is_kept() {
    let (_sshd, _scene, mut client) = opened();
    let started = Instant::now();
    let running = client.call("ssh_run", json!({ "command": "sleep 4; (exit 7)", "wait_s": 1 }));
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!(running.structured["outcome"], "running", "{}", running.text);
    assert!(running.structured.get("exit_code").is_none_or(|code| code.is_null()));
    let job = running.structured["job_id"].as_str().unwrap().to_owned();

    let second = client.fail("ssh_run", json!({ "command": "echo second" }));
    assert_eq!(second["next"]["arguments"]["job_id"], job.as_str(), "{second}");

    let read = client.succeed("ssh_read", json!({ "job_id": job, "wait_s": 20 }));
    assert_eq!(read["job"]["completion"]["exit_code"], 7, "{read}");
    let screen = client.succeed("ssh_read", json!({}));
    assert!(!screen["text"].as_str().unwrap().contains("echo second"));
}

#[test]
fn a_job_can_be_interrupted() {
    let (_sshd, _scene, mut client) = opened();
    let running = client.call("ssh_run", json!({ "command": "sleep 60", "wait_s": 1 }));
    let job = running.structured["job_id"].clone();
    let stopped = client.succeed("ssh_stop", json!({ "job_id": job }));
    assert_eq!((&stopped["ended"], &stopped["exit_code"]), (&json!(true), &json!(130)), "{stopped}");
    assert_eq!(client.succeed("ssh_run", json!({ "command": "echo alive" }))["text"], "alive\n");
}

#[test]
fn large_output_keeps_head_and_tail_and_pages() {
    let (_sshd, _scene, mut client) = opened();
    let ran = client.succeed("ssh_run", json!({ "command": "seq 1 20000" }));
    let text = ran["text"].as_str().unwrap();
    assert!(text.starts_with("1\n2\n") && text.ends_with("20000\n"), "{text}");
    assert!(text.chars().count() < 9_000 && ran["omitted_chars"].as_u64().unwrap() > 90_000);
    let page = client.succeed("ssh_read", json!({ "job_id": ran["job_id"], "offset_bytes": 0, "max_chars": 200 }));
    assert!(page["text"].as_str().unwrap().starts_with("1\n2\n3\n"));
    // 69 whole lines; the terminal ends each with a carriage return more than the text has.
    assert_eq!(page["next_offset_bytes"].as_u64().unwrap() - page["offset_bytes"].as_u64().unwrap(), 198 + 69);
    let found = client.succeed("ssh_read", json!({ "job_id": ran["job_id"], "grep": "12345" }));
    assert_eq!((&found["text"], &found["from_line"]), (&json!("12345\n"), &json!(12345)));
}

#[test]
fn a_password_question_is_left_to_a_person() {
    let (_sshd, _scene, mut client) = opened_with(Scene::allow_everything_but_the_worst);
    let asked = client.call(
        "ssh_run",
        json!({ "command": "bash -c 'stty -echo; printf \"Password: \"; head -n 1 >/dev/null; stty echo'" }),
    );
    assert_eq!(asked.structured["outcome"], "awaiting_input", "{}", asked.text);
    assert_eq!(asked.structured["kind"], "password");
    let refused = client.fail("ssh_send", json!({ "text": "hunter2", "enter": true }));
    assert_eq!(refused["result_status"], "blocked");
    assert!(refused["summary"].as_str().unwrap().contains("viewer"));
    client.succeed("ssh_stop", json!({ "job_id": asked.structured["job_id"] }));
}

#[test]
fn text_without_enter_waits_and_the_whole_line_is_judged() {
    let (_sshd, _scene, mut client) = opened();
    let held = client.succeed("ssh_send", json!({ "text": "rm -rf " }));
    assert_eq!(held["held_line"], "rm -rf ");
    let refused = client.fail("ssh_send", json!({ "text": "/", "enter": true }));
    assert_eq!(refused["text"], "rm -rf /");
    let screen = client.succeed("ssh_read", json!({}));
    assert!(!screen["text"].as_str().unwrap().contains("rm -rf"));
    let refused = client.fail("ssh_send", json!({ "keys": ["up"] }));
    assert_eq!(refused["result_status"], "blocked");
}

#[test]
fn a_lost_connection_is_said_and_reading_goes_on() {
    let scene = Scene::with_bastion(|_| {});
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "lab", "route": "master-b" }));
    client.succeed("ssh_run", json!({ "command": "echo before" }));
    let id =
        client.begin("tools/call", json!({ "name": "ssh_run", "arguments": { "command": "sleep 30", "wait_s": 20 } }));
    let running = wait_until(Duration::from_secs(10), || {
        let status = client.succeed("ssh_status", json!({}));
        (status["sessions"][0]["state"] == "running").then_some(())
    });
    assert!(running.is_some());
    scene.bastion.as_ref().unwrap().cut_connections();
    let lost = client.called(id);
    assert_eq!(lost.structured["outcome"], "disconnected", "{}", lost.text);
    assert!(lost.structured["exit_code"].is_null());
    let session_id = lost.structured["session"]["session_id"].clone();
    let read = client.succeed("ssh_read", json!({ "session_id": session_id }));
    assert!(read["text"].as_str().unwrap().contains("before"));
    let opened = client.succeed("ssh_open", json!({ "profile": "lab" }));
    assert_eq!(opened["reused"], false);
}
