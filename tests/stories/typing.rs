//! Answering programs: text and keys, and what is said of the answer.

use std::time::Duration;

use e2e::mcp::{Client, wait_until};
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions};
use serde_json::{Value, json};

fn opened_with(profile: &str) -> (Sshd, Scene, Client) {
    let sshd = Sshd::start(SshdOptions::default());
    let scene = Scene::empty();
    scene.configure(&format!("{}{profile}", sshd_profile("host", &sshd)));
    scene.allow_everything_but_the_worst();
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "host" }));
    (sshd, scene, client)
}

fn opened() -> (Sshd, Scene, Client) {
    opened_with("")
}

fn started(client: &mut Client, command: &str) -> Value {
    client.call("ssh_run", json!({ "command": command, "wait_s": 1 })).structured
}

#[test]
fn an_answer_tells_how_the_command_ended() {
    let (_sshd, _scene, mut client) = opened();
    let asked = started(&mut client, "read -p 'Continue? [y/N] ' a; echo \"got $a\"; (exit 3)");
    assert_eq!((&asked["outcome"], &asked["kind"]), (&json!("awaiting_input"), &json!("confirm")), "{asked}");
    let sent = client.succeed("ssh_send", json!({ "text": "y", "enter": true }));
    assert_eq!((&sent["outcome"], &sent["exit_code"]), (&json!("completed"), &json!(3)), "{sent}");
    assert_eq!((&sent["output"], &sent["job_id"]), (&json!("got y\n"), &asked["job_id"]), "{sent}");
}

#[test]
fn a_question_that_was_answered_is_not_told_again() {
    let (_sshd, _scene, mut client) = opened();
    let asked = started(&mut client, "read -p 'Continue? [y/N] ' a; sleep 600");
    assert_eq!(asked["outcome"], "awaiting_input", "{asked}");
    let sent = client.succeed("ssh_send", json!({ "text": "y", "enter": true }));
    assert_eq!((&sent["outcome"], &sent["session"]["state"]), (&json!("running"), &json!("running")), "{sent}");
    client.succeed("ssh_stop", json!({ "job_id": asked["job_id"] }));

    let asked = started(&mut client, "for n in 1 2; do read -p 'Sure? (y/n) ' a; done");
    assert_eq!(asked["outcome"], "awaiting_input", "{asked}");
    let again = client.succeed("ssh_send", json!({ "text": "y", "enter": true }));
    assert_eq!((&again["outcome"], &again["kind"]), (&json!("awaiting_input"), &json!("confirm")), "{again}");
    let last = client.succeed("ssh_send", json!({ "text": "n", "enter": true }));
    assert_eq!(last["outcome"], "completed", "{last}");
}

#[test]
fn the_echo_is_not_what_is_waited_for() {
    let (_sshd, _scene, mut client) = opened();
    let job = started(&mut client, "cat")["job_id"].clone();
    let sent = client.succeed("ssh_send", json!({ "text": "parrot", "enter": true, "wait_for": "parrot" }));
    assert_eq!((&sent["found"], &sent["output"]), (&json!(true), &json!("parrot\n")), "{sent}");
    client.succeed("ssh_stop", json!({ "job_id": job }));

    started(&mut client, "read x; echo answer is 42");
    let sent = client.call("ssh_send", json!({ "text": "answer", "wait_for": "answer", "wait_s": 1 }));
    assert_eq!((&sent.structured["found"], &sent.structured["output"]), (&json!(false), &json!("")), "{}", sent.text);
    let sent = client.succeed("ssh_send", json!({ "enter": true, "wait_pattern": r"^answer is \d+$" }));
    assert_eq!((&sent["found"], &sent["output"]), (&json!(true), &json!("answer is 42\n")), "{sent}");
    let refused = client.fail("ssh_send", json!({ "text": "x", "wait_pattern": "(open" }));
    assert_eq!(refused["failure_category"], "config-error");
}

#[test]
fn waiting_ends_with_the_command() {
    let (_sshd, _scene, mut client) = opened();
    started(&mut client, "read x; echo over");
    let sent = client.call("ssh_send", json!({ "text": "go", "enter": true, "wait_for": "never", "wait_s": 50 }));
    assert_eq!((&sent.structured["found"], &sent.structured["outcome"]), (&json!(false), &json!("completed")));
    assert_eq!(sent.structured["output"], "over\n");
}

#[test]
fn lines_for_a_program_go_one_by_one() {
    let (_sshd, scene, mut client) = opened();
    let repl = started(&mut client, "PYTHON_BASIC_REPL=1 python3 -q");
    let sent = client.succeed("ssh_send", json!({ "text": "x = 20\nx * 2 + 2\n", "wait_for": "42" }));
    assert_eq!(sent["found"], true, "{sent}");
    let session_id = sent["session"]["session_id"].as_str().unwrap();
    let lines = scene.transcript(session_id);
    let typed: Vec<&Value> = lines.iter().filter(|line| line["kind"] == "input").map(|line| &line["text"]).collect();
    assert!(typed.contains(&&json!("x = 20\r")) && typed.contains(&&json!("x * 2 + 2\r")), "{typed:?}");
    let ended = client.succeed("ssh_send", json!({ "keys": ["ctrl-d"] }));
    assert_eq!((&ended["outcome"], &ended["job_id"]), (&json!("completed"), &repl["job_id"]), "{ended}");

    // The second line belongs to a program that is gone: it is not typed at the prompt behind it.
    started(&mut client, "read x");
    let sent = client.succeed("ssh_send", json!({ "text": "one\necho two\n" }));
    assert!(sent["notes"][0].as_str().unwrap().starts_with("1 of 2 lines were sent"), "{sent}");
    assert!(!client.succeed("ssh_read", json!({}))["text"].as_str().unwrap().contains("echo two"));
}

#[test]
fn what_a_program_is_sent_in_pieces_is_judged_as_the_line_it_becomes() {
    let (_sshd, _scene, mut client) = opened();
    let job = started(&mut client, "cat")["job_id"].clone();
    client.succeed("ssh_send", json!({ "text": "rm -rf " }));
    let refused = client.fail("ssh_send", json!({ "text": "/", "enter": true }));
    assert_eq!((&refused["text"], &refused["result_status"]), (&json!("rm -rf /"), &json!("blocked")));
    client.succeed("ssh_stop", json!({ "job_id": job }));
}

/// Starts a program that shows which bytes keys arrive as; `setup` is printed first.
fn reads_keys(client: &mut Client, setup: &str) {
    let command = format!(
        "python3 -c \"import sys,tty,termios,os\nold=termios.tcgetattr(0)\ntty.setraw(0)\n\
sys.stdout.write('{setup}ready\\r\\n')\nsys.stdout.flush()\nseen=b''\n\
while not seen.endswith(b'q'): seen+=os.read(0,99)\n\
termios.tcsetattr(0,0,old)\nprint('\\x1b[?1l'+seen.hex())\""
    );
    let job = started(client, &command)["job_id"].clone();
    let ready = wait_until(Duration::from_secs(20), || {
        let read = client.succeed("ssh_read", json!({ "job_id": job }));
        read["text"].as_str().unwrap().contains("ready").then_some(())
    });
    assert!(ready.is_some(), "the key reader does not start");
}

#[test]
fn keys_arrive_as_a_terminal_sends_them() {
    let (_sshd, _scene, mut client) = opened();
    reads_keys(&mut client, "");
    let keys = json!(["up", "home", "f1", "f12", "insert", "page-down", "ctrl-\\", "tab", "enter", "q"]);
    let sent = client.succeed("ssh_send", json!({ "keys": keys }));
    let expected = "1b5b411b5b481b4f501b5b32347e1b5b327e1b5b367e1c090d71";
    assert!(sent["output"].as_str().unwrap().contains(expected), "{sent}");

    reads_keys(&mut client, "\\x1b[?1h");
    let sent = client.succeed("ssh_send", json!({ "keys": ["up", "left", "end", "q"] }));
    assert!(sent["output"].as_str().unwrap().contains("1b4f411b4f441b4f4671"), "{sent}");
    let refused = client.fail("ssh_send", json!({ "keys": ["f13"] }));
    assert!(refused["summary"].as_str().unwrap().contains("f12"), "{refused}");
}

#[test]
fn enter_is_what_the_profile_says() {
    for (profile, bytes) in [("", "610d71"), ("enter = \"lf\"\n", "610a71"), ("enter = \"crlf\"\n", "610d0a71")] {
        let (_sshd, _scene, mut client) = opened_with(profile);
        assert_eq!(client.succeed("ssh_run", json!({ "command": "echo works" }))["text"], "works\n", "{profile}");
        reads_keys(&mut client, "");
        client.succeed("ssh_send", json!({ "text": "a", "enter": true }));
        let sent = client.succeed("ssh_send", json!({ "keys": ["q"] }));
        assert!(sent["output"].as_str().unwrap().contains(bytes), "{profile}: {sent}");
    }
}

#[test]
fn into_a_question_for_a_secret_an_agent_types_nothing() {
    let (_sshd, scene, mut client) = opened();
    let asked = started(&mut client, "read -s -p 'Password: ' x; echo \"${#x} characters\"");
    assert_eq!((&asked["outcome"], &asked["kind"]), (&json!("awaiting_input"), &json!("password")), "{asked}");
    let calls = [
        ("ssh_send", json!({ "text": "hunter2", "enter": true })),
        ("ssh_send", json!({ "keys": ["enter"] })),
        ("ssh_run", json!({ "command": "hunter2" })),
    ];
    for (tool, arguments) in calls {
        let refused = client.fail(tool, arguments);
        assert_eq!((&refused["result_status"], &refused["outcome"]), (&json!("blocked"), &json!("awaiting_input")));
        assert_eq!(refused["kind"], "password", "{refused}");
        assert!(refused["summary"].as_str().unwrap().contains("viewer"), "{refused}");
    }
    let session_id = asked["session"]["session_id"].as_str().unwrap();
    assert!(!serde_json::to_string(&scene.transcript(session_id)).unwrap().contains("hunter2"));
    let stopped = client.succeed("ssh_send", json!({ "keys": ["ctrl-c"] }));
    assert_eq!(stopped["outcome"], "completed", "{stopped}");
}
