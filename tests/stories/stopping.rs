//! Commands that have to be stopped: by a caller, or because their time is over.

use std::time::{Duration, Instant};

use e2e::mcp::Client;
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions};
use serde_json::{Value, json};

/// Ends by TERM and not by ctrl-c.
const NO_INTERRUPT: &str = "sh -c 'trap \"\" INT; exec sleep 600'";
/// Ends by KILL only.
const NO_SIGNAL: &str = "sh -c 'trap \"\" INT TERM; while :; do sleep 1; done'";
/// Cannot be reached from the terminal at all.
const UNREACHABLE: &str = "sh -c 'trap \"\" INT TERM TSTP; while :; do sleep 1; done'";

/// A session whose login shell is `shell`.
fn opened_in(shell: &str) -> (Sshd, Scene, Client) {
    let config_lines = vec![format!("ForceCommand exec {shell}")];
    let sshd = Sshd::start(SshdOptions { config_lines, ..SshdOptions::default() });
    let scene = Scene::empty();
    scene.configure(&sshd_profile("host", &sshd));
    scene.allow_everything_but_the_worst();
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "host" }));
    assert_eq!(opened["session"]["state"], "at_prompt", "{shell}: {opened}");
    (sshd, scene, client)
}

fn started(client: &mut Client, command: &str) -> Value {
    let running = client.call("ssh_run", json!({ "command": command, "wait_s": 1 }));
    assert_eq!(running.structured["outcome"], "running", "{}", running.text);
    running.structured["job_id"].clone()
}

fn signals(stopped: &Value) -> Vec<(String, bool)> {
    let steps = stopped["steps"].as_array().unwrap();
    steps.iter().map(|step| (step["signal"].as_str().unwrap().to_owned(), step["ended"] == true)).collect()
}

fn took(steps: &[(&str, bool)]) -> Vec<(String, bool)> {
    steps.iter().map(|(signal, ended)| ((*signal).to_owned(), *ended)).collect()
}

#[test]
fn an_interrupt_is_enough_for_most() {
    let (_sshd, _scene, mut client) = opened_in("bash --norc -i");
    let job = started(&mut client, "sleep 600");
    let stopped = client.succeed("ssh_stop", json!({ "job_id": job, "force": true }));
    assert_eq!(signals(&stopped), took(&[("INT", true)]), "{stopped}");
    assert_eq!((&stopped["outcome"], &stopped["exit_code"]), (&json!("completed"), &json!(130)), "{stopped}");
    let again = client.succeed("ssh_stop", json!({ "job_id": job }));
    assert_eq!((&again["ended"], &again["steps"]), (&json!(true), &json!([])), "{again}");
}

#[test]
fn without_force_the_next_step_is_named_and_works() {
    let (_sshd, _scene, mut client) = opened_in("bash --norc -i");
    let job = started(&mut client, NO_INTERRUPT);
    let tried = client.call("ssh_stop", json!({ "job_id": job }));
    assert_eq!(tried.structured["result_status"], "partial_success", "{}", tried.text);
    assert_eq!(signals(&tried.structured), took(&[("INT", false)]));
    assert!(tried.structured["exit_code"].is_null());
    let next = &tried.structured["next"];
    let stopped = client.succeed(next["tool"].as_str().unwrap(), next["arguments"].clone());
    assert_eq!(signals(&stopped), took(&[("INT", false), ("TERM", true)]), "{stopped}");
    assert_eq!(stopped["exit_code"], 143, "{stopped}");
}

#[test]
fn every_shell_ends_what_ignores_the_interrupt() {
    // fish does not tell the code of a job that it brings back; 0 would be a lie.
    let shells = [
        ("bash --norc -i", json!(143)),
        ("zsh -f -i", json!(143)),
        ("dash -i", json!(143)),
        ("busybox ash -i", json!(143)),
        ("mksh -i", json!(143)),
        ("tcsh -f", json!(143)),
        ("fish --no-config", Value::Null),
    ];
    std::thread::scope(|scope| {
        for (shell, after_term) in shells {
            scope.spawn(move || ends_what_ignores_the_interrupt(shell, &after_term));
        }
    });
}

fn ends_what_ignores_the_interrupt(shell: &str, after_term: &Value) {
    let (_sshd, _scene, mut client) = opened_in(shell);
    let job = started(&mut client, NO_INTERRUPT);
    let stopped = client.succeed("ssh_stop", json!({ "job_id": job, "force": true }));
    assert_eq!(signals(&stopped), took(&[("INT", false), ("TERM", true)]), "{shell}: {stopped}");
    assert_eq!(stopped["exit_code"], *after_term, "{shell}: {stopped}");

    let job = started(&mut client, NO_SIGNAL);
    let stopped = client.succeed("ssh_stop", json!({ "job_id": job, "force": true }));
    assert_eq!(signals(&stopped), took(&[("INT", false), ("TERM", false), ("KILL", true)]), "{shell}: {stopped}");
    // A shell that has seen it die before it could bring it back does not tell the code any more.
    let code = &stopped["exit_code"];
    assert!(code.is_null() || (*code == 137 && !after_term.is_null()), "{shell}: {stopped}");
    let read = client.succeed("ssh_read", json!({ "job_id": job }));
    assert_eq!(read["job"]["stops"].as_array().unwrap().len(), 3, "{shell}: {read}");

    let left = client.succeed("ssh_run", json!({ "command": "jobs" }));
    assert!(!left["text"].as_str().unwrap().contains("sleep"), "{shell} has a job left: {left}");
    assert_eq!(client.succeed("ssh_run", json!({ "command": "echo alive" }))["text"], "alive\n", "{shell}");
}

#[test]
fn what_stands_behind_the_command_does_not_hide_that_it_was_suspended() {
    let (_sshd, scene, mut client) = opened_in("bash --norc -i");
    // Suspended, bash goes on with the rest of the line and gives the rest's code.
    let job = started(&mut client, &format!("{NO_INTERRUPT}; (exit 7)"));
    let stopped = client.succeed("ssh_stop", json!({ "job_id": job, "force": true }));
    assert_eq!((signals(&stopped), &stopped["exit_code"]), (took(&[("INT", false), ("TERM", true)]), &json!(143)));
    let session_id = stopped["session"]["session_id"].as_str().unwrap();
    let lines = scene.transcript(session_id);
    let verdict = lines.iter().find(|line| line["kind"] == "verdict" && line["text"] == " kill -TERM %1; fg %1");
    let verdict = verdict.expect("the host's own line is on record with its ruling");
    assert_eq!((&verdict["actor"], &verdict["decisions"][0]["rule_id"]), (&json!("automation"), &json!("host/stop")));
}

#[test]
fn what_cannot_be_stopped_is_said_and_nothing_is_typed() {
    let (_sshd, scene, mut client) = opened_in("bash --norc -i");
    let job = started(&mut client, UNREACHABLE);
    let tried = client.call("ssh_stop", json!({ "job_id": job, "force": true }));
    assert_eq!(tried.structured["ended"], false, "{}", tried.text);
    assert_eq!(signals(&tried.structured), took(&[("INT", false), ("TERM", false)]));
    assert!(tried.structured["steps"][1]["how"].as_str().unwrap().starts_with("not possible"), "{}", tried.text);
    assert!(tried.structured["exit_code"].is_null());
    let session_id = tried.structured["session"]["session_id"].as_str().unwrap();
    let typed = scene.transcript(session_id).into_iter().filter(|line| line["kind"] == "input");
    assert!(!typed.into_iter().any(|line| line["text"].as_str().is_some_and(|text| text.contains("kill"))));
}

#[test]
fn a_command_is_stopped_when_its_time_is_over() {
    let (_sshd, _scene, mut client) = opened_in("bash --norc -i");
    let began = Instant::now();
    let stopped = client.call("ssh_run", json!({ "command": "echo begun; sleep 600", "timeout_s": 1 }));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(signals(&stopped.structured), took(&[("INT", true)]), "{}", stopped.text);
    assert_eq!((&stopped.structured["outcome"], &stopped.structured["exit_code"]), (&json!("completed"), &json!(130)));
    assert!(stopped.text.lines().next().unwrap().contains("exit 130 (mark)"), "{}", stopped.text);
    assert!(stopped.structured["text"].as_str().unwrap().starts_with("begun\n"));

    let killed = client.call("ssh_run", json!({ "command": NO_SIGNAL, "timeout_s": 1 }));
    let code = &killed.structured["exit_code"];
    assert!(code.is_null() || *code == 137, "{}", killed.text);
    assert_eq!(signals(&killed.structured), took(&[("INT", false), ("TERM", false), ("KILL", true)]));

    let quick = client.succeed("ssh_run", json!({ "command": "echo quick", "timeout_s": 1 }));
    assert_eq!((&quick["text"], quick.get("steps")), (&json!("quick\n"), None));
}

#[test]
fn the_deadline_holds_when_the_call_has_returned() {
    let (_sshd, _scene, mut client) = opened_in("bash --norc -i");
    let running = client.call("ssh_run", json!({ "command": "sleep 600", "wait_s": 1, "timeout_s": 3 }));
    assert_eq!(running.structured["outcome"], "running", "{}", running.text);
    let job = running.structured["job_id"].clone();
    let read = client.succeed("ssh_read", json!({ "job_id": job, "wait_s": 20 }));
    assert_eq!(read["job"]["completion"]["exit_code"], 130, "{read}");
    let stops = &client.succeed("ssh_status", json!({}))["sessions"][0]["jobs"][0]["stops"];
    assert_eq!(stops.as_array().map(Vec::len), Some(1), "{stops}");
}
