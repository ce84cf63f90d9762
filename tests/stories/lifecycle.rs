//! A session's life: health, going on after its end, idleness, size, several on one host.

use std::path::Path;
use std::time::Duration;

use e2e::mcp::{Client, wait_until};
use e2e::relay::Relay;
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions};
use serde_json::{Value, json};

/// Far above what any of this takes; reached only when a test fails.
const LIMIT: Duration = Duration::from_secs(20);

fn on_sshd(further: &str) -> (Sshd, Scene, Client) {
    let sshd = Sshd::start(SshdOptions::default());
    let scene = Scene::empty();
    scene.configure(&format!("{}{further}", sshd_profile("host", &sshd)));
    let client = scene.client();
    (sshd, scene, client)
}

/// The session as `ssh_status` shows it.
fn status(client: &mut Client, session_id: &Value) -> Value {
    client.succeed("ssh_status", json!({ "session_id": session_id }))["sessions"][0].clone()
}

fn until(client: &mut Client, session_id: &Value, wanted: impl Fn(&Value) -> bool) -> Value {
    let seen = wait_until(LIMIT, || Some(status(client, session_id)).filter(&wanted));
    seen.unwrap_or_else(|| panic!("the session never got there: {}", status(client, session_id)))
}

fn of_kind(lines: &[Value], kind: &str) -> Vec<Value> {
    lines.iter().filter(|line| line["kind"] == kind).cloned().collect()
}

/// A session behind a relay, with the relay. The server is asked for a sign of life every second.
fn behind_relay(keepalive_max: u32) -> (Sshd, Relay, Scene, Client, Value) {
    let sshd = Sshd::start(SshdOptions::default());
    let relay = Relay::to(sshd.port());
    let scene = Scene::empty();
    let known = format!("[127.0.0.1]:{} {}\n", relay.port(), sshd.host_public_key("ed25519"));
    std::fs::write(scene.path("known_hosts"), known).unwrap();
    scene.configure(&format!(
        "[profiles.host]\nhost = \"127.0.0.1\"\nport = {}\nuser = {:?}\nauth = [{{ key_file = {:?} }}]\n\
         known_hosts = [\"known_hosts\"]\nkeepalive_s = 1\nkeepalive_max = {keepalive_max}\n",
        relay.port(),
        sshd.user(),
        sshd.user_key().display().to_string(),
    ));
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "host" }));
    let id = opened["session"]["session_id"].clone();
    (sshd, relay, scene, client, id)
}

#[test]
fn a_server_that_does_not_answer_is_said_everywhere_and_so_is_its_return() {
    let (_sshd, relay, scene, mut client, id) = behind_relay(30);
    let healthy = until(&mut client, &id, |session| session["health"]["round_trip_ms"].is_number());
    assert_eq!(healthy["health"]["state"], "healthy", "{healthy}");
    assert!(healthy["health"]["last_reply_ms_ago"].as_u64().unwrap() < 5_000, "{healthy}");

    relay.freeze();
    let ill = until(&mut client, &id, |session| session["health"]["state"] == "unhealthy");
    let reason = ill["health"]["reason"].as_str().unwrap();
    assert!(reason.contains("of 30 requests for a sign of life"), "{reason}");
    assert!(ill["health"]["since_unix_ms"].is_number() && ill["closed_reason"].is_null(), "{ill}");
    let read = client.call("ssh_read", json!({}));
    assert!(read.text.contains("[unhealthy: nothing has come from the server"), "{}", read.text);
    assert_eq!(read.structured["session"]["health"]["state"], "unhealthy");

    relay.thaw();
    until(&mut client, &id, |session| session["health"]["state"] == "healthy");
    assert_eq!(client.succeed("ssh_run", json!({ "command": "echo back" }))["text"], "back\n");
    let lines = scene.transcript(id.as_str().unwrap());
    let states: Vec<Value> = of_kind(&lines, "health").iter().map(|line| line["state"].clone()).collect();
    assert_eq!(states, ["unhealthy", "healthy"]);
}

#[test]
fn a_dead_connection_is_given_up_read_afterwards_and_gone_on_from() {
    let (_sshd, relay, scene, mut client, id) = behind_relay(2);
    let ran = client.succeed("ssh_run", json!({ "command": "echo before" }));
    client.call("ssh_run", json!({ "command": "sleep 100", "wait_s": 0 }));
    relay.freeze();
    let closed = until(&mut client, &id, |session| !session["closed_reason"].is_null());
    assert!(closed["closed_reason"].as_str().unwrap().contains("no longer answers"), "{closed}");
    assert_eq!(closed["health"]["state"], "closed");

    // Everything can still be read.
    for arguments in
        [json!({}), json!({ "what": "output" }), json!({ "what": "history" }), json!({ "job_id": ran["job_id"] })]
    {
        let mut arguments = arguments;
        arguments["session_id"] = id.clone();
        let read = client.succeed("ssh_read", arguments);
        assert!(read["text"].as_str().unwrap().contains("before"), "{read}");
    }
    let refused = client.fail("ssh_run", json!({ "session_id": id, "command": "echo more" }));
    assert_eq!(refused["next"], json!({ "tool": "ssh_open", "arguments": { "reopen": id } }));

    relay.thaw();
    let answer = client.call("ssh_open", json!({ "reopen": id }));
    let opened = &answer.structured;
    assert_eq!(opened["result_status"], "success", "{}", answer.text);
    let new = opened["session"]["session_id"].clone();
    assert_ne!(new, id);
    assert_eq!((&opened["session"]["reopened_from"], &opened["reopened_from"]["session_id"]), (&id, &id));
    assert_eq!(opened["reopened_from"]["cut_off_command"], "sleep 100");
    assert!(answer.text.contains("nothing was replayed"), "{}", answer.text);
    assert!(!opened["screen"].as_str().unwrap().contains("before"), "{opened}");
    assert_eq!(status(&mut client, &id)["reopened_as"], new);
    let lines = scene.transcript(new.as_str().unwrap());
    assert_eq!((&lines[0]["kind"], &lines[0]["reopened_from"]), (&json!("opened"), &id));
    assert_eq!(lines[0]["reopened_from_transcript"], format!("{}.jsonl", id.as_str().unwrap()));
    assert_eq!(scene.transcript(id.as_str().unwrap()).last().unwrap()["kind"], "closed");
    assert!(of_kind(&lines, "input").is_empty(), "something was typed into the new session");
    // A second time would make two of one.
    let again = client.fail("ssh_open", json!({ "reopen": id }));
    assert_eq!(again["next"]["arguments"]["session_id"], new, "{again}");
    let open = client.fail("ssh_open", json!({ "reopen": new }));
    assert!(open["summary"].as_str().unwrap().contains("still open"), "{open}");
}

#[test]
fn reopening_offers_the_way_back_and_does_not_take_it() {
    let scene = Scene::with_bastion(|_| {});
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "lab", "route": "master-b", "name": "orders" }));
    let id = opened["session"]["session_id"].clone();
    scene.bastion.as_ref().unwrap().cut_connections();
    until(&mut client, &id, |session| !session["closed_reason"].is_null());
    let reopened = client.succeed("ssh_open", json!({ "reopen": "orders" }));
    let session = &reopened["session"];
    assert_eq!(
        (&session["state"], &session["name"], &session["reopened_from"]),
        (&json!("menu"), &json!("orders"), &id)
    );
    let next = &reopened["next"];
    assert_eq!((&next["tool"], &next["arguments"]["route"]), (&json!("ssh_navigate"), &json!("master-b")));
    let reached = client.succeed("ssh_navigate", next["arguments"].clone());
    assert_eq!(reached["breadcrumb"], opened["session"]["breadcrumb"]);
}

#[test]
fn an_idle_session_is_closed_but_never_under_a_command() {
    let (_sshd, scene, mut client) = on_sshd("idle_close_s = 2\n");
    let opened = client.succeed("ssh_open", json!({ "profile": "host" }));
    let id = opened["session"]["session_id"].clone();
    // Silent for longer than an idle session may be.
    let ran = client.succeed("ssh_run", json!({ "command": "sleep 4", "wait_s": 20 }));
    assert_eq!(ran["exit_code"], 0, "{ran}");
    let closed = until(&mut client, &id, |session| !session["closed_reason"].is_null());
    let reason = closed["closed_reason"].as_str().unwrap();
    assert!(reason.contains("idle") && reason.contains("idle_close_s"), "{reason}");
    let lines = scene.transcript(id.as_str().unwrap());
    assert_eq!(lines.last().unwrap()["reason"], reason);
}

#[test]
fn sessions_of_one_host_are_told_apart_by_name() {
    let (_sshd, _scene, mut client) = on_sshd("");
    let first = client.succeed("ssh_open", json!({ "profile": "host", "name": "build" }));
    let second = client.succeed("ssh_open", json!({ "profile": "host", "name": "logs" }));
    let (first, second) = (first["session"]["session_id"].clone(), second["session"]["session_id"].clone());
    assert_ne!(first, second);
    let which = client.fail("ssh_run", json!({ "command": "true" }));
    let told = which["summary"].as_str().unwrap();
    for part in [first.as_str().unwrap(), second.as_str().unwrap(), "\"build\"", "\"logs\"", "at 127.0.0.1, at_prompt"]
    {
        assert!(told.contains(part), "{told}");
    }
    client.succeed("ssh_run", json!({ "session_id": "logs", "command": "cd /tmp" }));
    assert_eq!(client.succeed("ssh_run", json!({ "session_id": second, "command": "pwd" }))["text"], "/tmp\n");
    let again = client.succeed("ssh_open", json!({ "profile": "host", "name": "build" }));
    assert_eq!((&again["reused"], &again["session"]["session_id"]), (&json!(true), &first));
    // Which of the two is meant is not guessed.
    assert_eq!(client.fail("ssh_open", json!({ "profile": "host" }))["failure_category"], "ambiguous-session");
    let taken = client.fail("ssh_open", json!({ "profile": "host", "name": "logs", "new": true }));
    assert!(taken["summary"].as_str().unwrap().contains("taken"), "{taken}");
    client.fail("ssh_open", json!({ "profile": "host", "name": "s-host-1" }));
    // A closed session's name is free again.
    client.succeed("ssh_stop", json!({ "session_id": "logs" }));
    let third = client.succeed("ssh_open", json!({ "profile": "host", "name": "logs" }));
    assert_eq!(third["reused"], false);
}

#[test]
fn old_closed_sessions_are_let_go_and_their_record_is_named() {
    let (_sshd, _scene, mut client) = on_sshd("[limits]\nclosed_sessions = 1\n");
    let mut ids = Vec::new();
    for _ in 0..2 {
        let opened = client.succeed("ssh_open", json!({ "profile": "host" }));
        ids.push(opened["session"]["session_id"].clone());
        client.succeed("ssh_stop", json!({ "session_id": ids.last() }));
    }
    client.succeed("ssh_read", json!({ "session_id": ids[1] }));
    let gone = client.fail("ssh_read", json!({ "session_id": ids[0] }));
    let told = gone["summary"].as_str().unwrap();
    let record = told.rsplit(' ').next().unwrap();
    assert!(Path::new(record).is_file() && record.contains(ids[0].as_str().unwrap()), "{told}");
    assert_eq!(gone["next"]["arguments"]["profile"], "host");
}

#[test]
fn a_terminal_has_the_size_it_was_given() {
    let (_sshd, scene, mut client) = on_sshd("");
    let opened = client.succeed("ssh_open", json!({ "profile": "host", "columns": 101, "rows": 33 }));
    let size = |client: &mut Client| client.succeed("ssh_run", json!({ "command": "stty size" }))["text"].clone();
    assert_eq!(size(&mut client), "33 101\n");
    let resized = client.succeed("ssh_open", json!({ "profile": "host", "columns": 77 }));
    assert_eq!((&resized["reused"], &resized["session"]["columns"]), (&json!(true), &json!(77)));
    assert_eq!(size(&mut client), "33 77\n");
    client.fail("ssh_open", json!({ "profile": "host", "columns": 1 }));
    let lines = scene.transcript(opened["session"]["session_id"].as_str().unwrap());
    assert_eq!(of_kind(&lines, "resize")[0]["columns"], 77);
}

/// Stands for a cluster whose terminals begin without the right size and learn it from changes only.
const KUBECTL: &str = r#"#!/usr/bin/env python3
import fcntl, os, pty, select, signal, struct, sys, termios, tty
child, master = pty.fork()
if child == 0:
    os.execvp("bash", ["bash", "--norc"])
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
def changed(*_):
    fcntl.ioctl(master, termios.TIOCSWINSZ, fcntl.ioctl(0, termios.TIOCGWINSZ, b"\0" * 8))
signal.signal(signal.SIGWINCH, changed)
tty.setraw(0)
while True:
    for ready in select.select([0, master], [], [])[0]:
        try:
            piece = os.read(ready, 4096)
        except OSError:
            piece = b""
        if not piece:
            sys.exit(0)
        os.write(master if ready == 0 else 1, piece)
"#;

#[test]
fn a_pod_learns_the_size_of_the_terminal() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::empty();
    let program = scene.path("kubectl");
    std::fs::write(&program, KUBECTL).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("PATH={}:/usr/local/bin:/usr/bin:/bin", scene.folder.path().display());
    let config_lines = vec![format!("ForceCommand {path} bash --norc -i")];
    let sshd = Sshd::start(SshdOptions { config_lines, ..SshdOptions::default() });
    scene.configure(&sshd_profile("host", &sshd));
    scene.allow_everything_but_the_worst();
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "host", "columns": 111, "rows": 37 }));
    let entered = client.succeed("ssh_run", json!({ "command": "kubectl exec -it api-1 -n orders -- bash" }));
    assert_eq!(entered["outcome"], "level_changed", "{entered}");
    let id = entered["session"]["session_id"].clone();
    // The level is told of a moment before its prompt stands.
    until(&mut client, &id, |session| session["state"] == "at_prompt");
    assert_eq!(client.succeed("ssh_run", json!({ "command": "stty size" }))["text"], "37 111\n");
}
