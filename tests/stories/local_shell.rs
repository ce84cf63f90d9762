//! A shell of this machine: the same session without SSH.

use e2e::scene::{PASSWORD_VARIABLE, Scene};
use serde_json::json;

const PROFILE: &str = "[profiles.here]\nkind = 'local'\nshell = ['bash', '--noprofile', '--norc']\n";

#[test]
fn commands_run_here_with_their_codes_and_without_this_programs_secrets() {
    let scene = Scene::empty();
    scene.configure(PROFILE);
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "here" }));
    assert_eq!(opened["session"]["state"], "at_prompt", "{opened}");
    for (command, code) in [("true", 0), ("false", 1), ("(exit 42)", 42), ("no-such-program", 127)] {
        let ran = client.succeed("ssh_run", json!({ "command": command }));
        assert_eq!((&ran["outcome"], &ran["exit_code"]), (&json!("completed"), &json!(code)), "{command}");
        assert_eq!((&ran["exit_source"], &ran["confidence"]), (&json!("mark"), &json!("certain")), "{command}");
    }
    client.succeed("ssh_run", json!({ "command": "cd /; kept=state" }));
    let command = format!("echo $PWD $kept ${{{PASSWORD_VARIABLE}:-nothing}}");
    let kept = client.succeed("ssh_run", json!({ "command": command }));
    assert_eq!(kept["text"], "/ state nothing\n");
    let elsewhere = client.fail("ssh_read_file", json!({ "path": "/etc/hostname" }));
    assert!(elsewhere["summary"].as_str().unwrap().contains("a shell of this machine"), "{elsewhere}");
    let refused = client.fail("ssh_run", json!({ "command": "rm -rf /" }));
    assert_eq!(refused["sent"], false, "{refused}");
}

#[test]
fn a_job_is_interrupted_and_the_shells_end_is_told_with_its_code() {
    let scene = Scene::empty();
    scene.configure(PROFILE);
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "here" }));
    let running = client.call("ssh_run", json!({ "command": "sleep 60", "wait_s": 1 })).structured;
    client.succeed("ssh_stop", json!({ "job_id": running["job_id"] }));
    let job = client.succeed("ssh_read", json!({ "job_id": running["job_id"], "wait_s": 10 }));
    assert_eq!(job["job"]["completion"]["exit_code"], 130, "{job}");
    let ended = client.call("ssh_run", json!({ "command": "exit 3" })).structured;
    assert_eq!((&ended["outcome"], &ended["exit_code"]), (&json!("disconnected"), &json!(3)), "{ended}");
    let status = client.succeed("ssh_status", json!({}));
    assert!(status.to_string().contains("the shell has ended"), "{status}");
}

#[test]
fn a_program_that_is_not_there_is_told_with_the_way_out() {
    let scene = Scene::empty();
    scene.configure("[profiles.here]\nkind = 'local'\nshell = ['no-such-shell']\n");
    let mut client = scene.client();
    let failed = client.fail("ssh_open", json!({ "profile": "here" }));
    let summary = failed["summary"].as_str().unwrap();
    assert!(summary.contains("no-such-shell cannot be run") && summary.contains("`shell`"), "{summary}");
    assert_eq!(failed["failure_category"], "config-error");
    let hosts = client.succeed("ssh_hosts", json!({}));
    assert!(hosts.to_string().contains("no-such-shell"), "{hosts}");
}
