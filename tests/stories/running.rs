//! What is said of a command: where it ran, how it ended, what of its output is shown.

use e2e::mcp::Client;
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions};
use serde_json::json;

fn opened() -> (Sshd, Scene, Client) {
    let sshd = Sshd::start(SshdOptions::default());
    let scene = Scene::empty();
    scene.configure(&sshd_profile("host", &sshd));
    scene.allow_everything_but_the_worst();
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "host" }));
    (sshd, scene, client)
}

#[test]
fn a_line_meant_for_another_place_is_not_typed() {
    let scene = Scene::with_bastion(|_| {});
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "lab", "route": "orders-api" }));
    let here = client.succeed("ssh_run", json!({ "command": "echo here" }))["session"]["breadcrumb"].clone();
    let pod = here[2].as_str().unwrap();
    assert_eq!(client.succeed("ssh_run", json!({ "command": "echo yes", "expect_level": pod }))["text"], "yes\n");
    let refused = client.fail("ssh_run", json!({ "command": "echo typed", "expect_level": here[1] }));
    assert_eq!(refused["failure_category"], "terminal-state-abnormal");
    assert!(refused["summary"].as_str().unwrap().contains(pod), "{refused}");
    assert!(!client.succeed("ssh_read", json!({}))["text"].as_str().unwrap().contains("typed"));
}

#[test]
fn what_is_not_known_is_null_and_the_first_line_says_how_the_rest_is_known() {
    let (_sshd, _scene, mut client) = opened();
    let ran = client.call("ssh_run", json!({ "command": "false" }));
    assert!(ran.text.starts_with("exit 1 (mark) · "), "{}", ran.text);
    let running = client.call("ssh_run", json!({ "command": "sleep 600", "wait_s": 1 }));
    assert!(running.text.starts_with("still running"), "{}", running.text);
    for field in ["exit_code", "exit_source"] {
        assert!(
            running.structured.get(field).is_some_and(serde_json::Value::is_null),
            "{field}: {}",
            running.structured
        );
    }
    let second = client.fail("ssh_run", json!({ "command": "echo second" }));
    let next = &second["next"];
    assert_eq!((&next["tool"], &next["arguments"]["job_id"]), (&json!("ssh_read"), &running.structured["job_id"]));
    let read = client.call(next["tool"].as_str().unwrap(), next["arguments"].clone());
    assert!(!read.is_error, "{}", read.text);
    client.succeed("ssh_stop", json!({ "job_id": running.structured["job_id"] }));
}

#[test]
fn what_was_left_out_of_the_output_is_said() {
    let (_sshd, _scene, mut client) = opened();
    // Longer than what is counted in one go.
    let command =
        "printf '10%%\\r50%%\\r100%%\\n'; printf '\\033[?1049h'; seq 1 3000; printf '\\033[?1049l'; echo done";
    let ran = client.succeed("ssh_run", json!({ "command": command }));
    let text = "100%\n[full-screen program, 17 kB left out]\ndone\n";
    assert_eq!((&ran["text"], &ran["collapsed_redraws"]), (&json!(text), &json!(2)), "{ran}");
    let notes = ran["notes"].to_string();
    assert!(notes.contains("full-screen") && notes.contains("redrawn"), "{notes}");

    let ran = client.call("ssh_run", json!({ "command": "seq 1 20000", "max_chars": 500 }));
    assert!(ran.structured["text"].as_str().unwrap().chars().count() < 700);
    let job = ran.structured["job_id"].as_str().unwrap();
    assert!(ran.text.contains(&format!("ssh_read job_id={job}")), "{}", ran.text);
}

/// A person's own look at the server, as it were: who has the terminal, and does it wait for it?
#[test]
fn a_silent_command_is_told_from_one_that_waits_for_input() {
    let sshd = Sshd::start(SshdOptions::default());
    let scene = Scene::empty();
    scene.configure(&format!("{}watch_processes = true\n", sshd_profile("host", &sshd)));
    scene.allow_everything_but_the_worst();
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "host" }));

    // Neither asks anything, so that nothing on the screen tells it.
    for (command, program, answer, exit_code) in [("cat", "cat", "ctrl-d", 0), ("read -r x", "bash", "enter", 0)] {
        let asks = client.call("ssh_run", json!({ "command": command, "wait_s": 40 })).structured;
        assert_eq!((&asks["outcome"], &asks["kind"]), (&json!("awaiting_input"), &json!("text")), "{asks}");
        assert_eq!(asks["confidence"], "high", "{asks}");
        let evidence = format!("`{program}` reads from the terminal");
        assert!(asks["evidence"].to_string().contains(&evidence), "{asks}");
        let job_id = &asks["job_id"];
        client.succeed("ssh_send", json!({ "keys": [answer] }));
        let ended = client.succeed("ssh_read", json!({ "job_id": job_id, "wait_s": 30 }));
        assert_eq!(ended["job"]["completion"]["exit_code"], exit_code, "{ended}");
    }
    let works = client.call("ssh_run", json!({ "command": "sleep 600", "wait_s": 4 })).structured;
    assert_eq!(works["outcome"], "running", "{works}");
    assert!(works["evidence"].to_string().contains("`sleep` has the terminal and does not read"), "{works}");
    client.succeed("ssh_stop", json!({ "job_id": works["job_id"] }));
    assert_eq!(client.succeed("ssh_run", json!({ "command": "echo here" }))["text"], "here\n");
}
