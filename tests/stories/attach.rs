//! A person's own terminal as the terminal of a session: `portcullis attach`, on a real terminal.

use std::process::Command;
use std::time::Duration;

use e2e::mcp::{Client, program, wait_until};
use e2e::scene::Scene;
use e2e::terminal::Terminal;
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(20);
const LOCAL: &str = "[profiles.here]\nkind = 'local'\nshell = ['bash', '--noprofile', '--norc']\n";
const DETACH: &str = "\x1d";
const SESSION: &str = "s-here-1";

/// A host with an open session, and the scene it is in.
fn host() -> (Scene, Client) {
    let scene = Scene::empty();
    scene.configure(&format!("{LOCAL}[log]\nlevel = 'trace'\n"));
    let mut client = Client::start_apart(&scene.path("portcullis.toml"), &[], &[]);
    client.succeed("ssh_open", json!({ "profile": "here" }));
    (scene, client)
}

fn attach(scene: &Scene, more: &[&str], size: (u16, u16)) -> Terminal {
    let config = scene.path("portcullis.toml").display().to_string();
    let arguments = [&["attach", SESSION, "--config", &config], more].concat();
    Terminal::start(&program(), &arguments, size)
}

fn size(client: &mut Client) -> (u64, u64) {
    let status = client.succeed("ssh_status", json!({}));
    let session = &status["sessions"][0];
    (session["columns"].as_u64().unwrap(), session["rows"].as_u64().unwrap())
}

fn until_size(client: &mut Client, wanted: (u64, u64)) {
    let reached = wait_until(LIMIT, || (size(client) == wanted).then_some(()));
    assert!(reached.is_some(), "the session has {:?}, not {wanted:?}", size(client));
}

fn signal(name: &str, process: u32) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
}

#[test]
fn a_person_types_in_their_own_terminal_and_a_secret_is_on_no_record() {
    let (scene, mut client) = host();
    let mut terminal = attach(&scene, &[], (100, 30));
    terminal.until("ctrl-] leaves · s-here-1");
    assert!(terminal.is_raw());
    // One row is the status line's.
    terminal.press("stty size; echo $((40 + 2))-shown\r");
    terminal.until("29 100");
    terminal.until("42-shown");
    // The window grows, and the session with it.
    terminal.resize(110, 40);
    until_size(&mut client, (110, 39));
    // What clears the screen and takes it whole leaves the status line.
    terminal.press("printf '\\e[2J\\e[r\\e[999;1H'; echo below\r");
    terminal.until("below");
    // The agent sees what the person did, and goes on beside them.
    let ran = client.succeed("ssh_run", json!({ "command": "echo from-the-agent" }));
    assert_eq!(ran["text"], "from-the-agent\n");
    terminal.until("from-the-agent");
    terminal.until("ctrl-] leaves · s-here-1");

    let secret = "tr0ub4dor-and-3";
    terminal.press("read -s -p \"$(printf 'Pass%s: ' word)\" x; echo; echo got-${#x}\r");
    terminal.until("Password:");
    terminal.press(&format!("{secret}\r"));
    terminal.until("got-15");
    let lines = scene.transcript(SESSION);
    let typed = |line: &&Value| line["kind"] == "input" && line["actor"] == "human";
    let keys: String = lines.iter().filter(typed).filter_map(|line| line["text"].as_str()).collect();
    assert!(keys.contains("echo $((40 + 2))-shown\r"), "{keys:?}");
    assert!(lines.iter().any(|line| line["kind"] == "secret_input" && line["actor"] == "human"));
    let instance = std::fs::read_dir(scene.path("state/instances")).unwrap().next().unwrap().unwrap().path();
    let log = std::fs::read_to_string(instance.join("host.log")).unwrap();
    assert!(log.contains("a terminal was attached") && log.contains(SESSION), "{log}");
    let history = client.succeed("ssh_read", json!({ "what": "history" })).to_string();
    for (place, text) in [
        ("transcript", serde_json::to_string(&lines).unwrap()),
        ("log", log),
        ("history", history),
        ("screen", terminal.printed()),
    ] {
        assert!(!text.contains(secret), "the secret is in the {place}: {text}");
    }

    terminal.press(DETACH);
    assert!(terminal.end().success());
    assert!(!terminal.is_raw());
    assert!(terminal.printed().contains("[detached from s-here-1; it goes on"), "{}", terminal.printed());
    // The session has the size it had.
    until_size(&mut client, (160, 40));
    assert_eq!(client.succeed("ssh_run", json!({ "command": "echo goes-on" }))["text"], "goes-on\n");
}

#[test]
fn who_looks_on_changes_nothing() {
    let (scene, mut client) = host();
    let mut terminal = attach(&scene, &["--observe", "--detach-key", "ctrl-a"], (80, 24));
    terminal.until("looking on · ctrl-a leaves");
    terminal.until("shows a part of 160×40");
    terminal.press("echo typed-by-nobody\r");
    terminal.resize(90, 20);
    assert_eq!(client.succeed("ssh_run", json!({ "command": "echo seen" }))["text"], "seen\n");
    terminal.until("seen");
    assert_eq!(size(&mut client), (160, 40));
    terminal.press("\x01");
    assert!(terminal.end().success());
    assert!(!serde_json::to_string(&scene.transcript(SESSION)).unwrap().contains("typed-by-nobody"));
}

#[test]
fn however_it_ends_the_terminal_and_the_session_are_as_they_were() {
    let (scene, mut client) = host();
    let mut killed = attach(&scene, &["--no-status"], (100, 30));
    killed.press("echo $((1 + 1))-up\r");
    killed.until("2-up");
    assert_eq!(size(&mut client), (100, 30));
    signal("-KILL", killed.process_id());
    killed.end();
    until_size(&mut client, (160, 40));

    let mut ended = attach(&scene, &[], (100, 30));
    ended.until("ctrl-] leaves");
    ended.press("printf '\\e[?1000h\\e[?25l'\r");
    assert!(ended.is_raw());
    signal("-TERM", ended.process_id());
    assert!(ended.end().success());
    assert!(!ended.is_raw());
    assert!(
        ended.printed().contains("\x1b[?7;25h") && ended.printed().contains("[left s-here-1"),
        "{}",
        ended.printed()
    );
    assert_eq!(client.succeed("ssh_run", json!({ "command": "echo alive" }))["text"], "alive\n");

    let mut watching = attach(&scene, &[], (100, 30));
    watching.until("ctrl-] leaves");
    client.succeed("ssh_stop", json!({}));
    assert!(watching.end().success());
    assert!(!watching.is_raw());
    assert!(watching.printed().contains("[s-here-1 is closed: "), "{}", watching.printed());
    let mut late = attach(&scene, &[], (100, 30));
    assert_eq!(late.end().code(), Some(3));
    assert!(late.screen().contains("no open session is called `s-here-1`"), "{}", late.screen());
}

#[test]
fn an_agents_own_shells_may_look_and_not_type() {
    let scene = Scene::empty();
    scene.configure(LOCAL);
    // This test is the client, so what it starts may be the agent's.
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "here" }));
    let mut refused = attach(&scene, &[], (100, 30));
    assert_eq!(refused.end().code(), Some(6));
    assert!(refused.printed().contains("an agent may not act for you"), "{}", refused.printed());
    assert!(!refused.is_raw());
    let mut looking = attach(&scene, &["--observe"], (100, 30));
    looking.until("looking on");
    looking.press(DETACH);
    assert!(looking.end().success());
    assert_eq!(size(&mut client), (160, 40));
    let by_policy = client.fail("ssh_run", json!({ "command": "portcullis attach s-here-1" }));
    assert_eq!(by_policy["rule_id"], "trust/own-program", "{by_policy}");
}
