//! The eight acceptance scenarios, by their ids.

use std::net::TcpStream;
use std::time::Duration;

use e2e::mcp::{Client, wait_until};
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions};
use e2e::viewer::{self, Page};
use serde_json::{Value, json};

use super::{call, client, connected, done, one_device, refused, run};

const LIMIT: Duration = Duration::from_secs(20);

/// Two servers, two devices.
fn two_devices() -> (Vec<Sshd>, Scene, Client) {
    let servers: Vec<Sshd> = (0..2).map(|_| Sshd::start(SshdOptions::default())).collect();
    let scene = Scene::empty();
    scene.configure(&format!("{}{}", sshd_profile("board-a", &servers[0]), sshd_profile("board-b", &servers[1])));
    let client = client(&scene.path("portcullis.toml"));
    (servers, scene, client)
}

/// The port of the server at the other end, as the shell there sees it.
fn port_there(client: &mut Client, session: Option<&str>) -> String {
    let mut arguments = json!({ "command": "set -- $SSH_CONNECTION; echo $4" });
    if let Some(session) = session {
        arguments["session"] = json!(session);
    }
    let answer = call(client, "ssh-run", arguments);
    super::second_block(&answer).trim().to_owned()
}

#[test]
fn x01_single_device_default_connection() {
    let (_sshd, _scene, mut client) = one_device();
    let first = done(&mut client, "ssh-quick-connect", json!({}));
    assert_eq!((&first["reused"], &first["activeSessionRef"]), (&json!(false), &json!("board/main")), "{first}");
    assert_eq!((&first["session"]["cols"], &first["session"]["rows"]), (&json!(120), &json!(40)), "{first}");
    let (ran, output) = run(&mut client, "echo there");
    assert_eq!((&ran["sessionRef"], output.as_str()), (&json!("board/main"), "there\n"));
    let again = done(&mut client, "ssh-quick-connect", json!({ "device": "board" }));
    assert_eq!(again["reused"], true, "{again}");
    assert_eq!(again["session"]["sessionId"], first["session"]["sessionId"], "{again}");
}

#[test]
fn x02_dual_device_single_instance_switch() {
    let (servers, _scene, mut client) = two_devices();
    let ports = servers.iter().map(|sshd| sshd.port().to_string()).collect::<Vec<_>>();
    let undecided = refused(&mut client, "ssh-quick-connect", json!({}));
    assert_eq!(undecided["failureCategory"], "config-error", "{undecided}");
    for (device, port) in ["board-a", "board-b"].iter().zip(&ports) {
        done(&mut client, "ssh-quick-connect", json!({ "device": device }));
        assert_eq!(&port_there(&mut client, None), port, "{device}");
    }
    let chosen = done(&mut client, "ssh-session-set-active", json!({ "session": "board-a/main" }));
    assert_eq!(chosen["activeSessionRef"], "board-a/main", "{chosen}");
    assert_eq!(port_there(&mut client, None), ports[0]);
    assert_eq!(port_there(&mut client, Some("board-b/main")), ports[1]);
    // A call for another session does not change which one is active.
    assert_eq!(port_there(&mut client, None), ports[0]);
}

#[test]
fn x03_single_device_multi_connection_selection() {
    let (_sshd, _scene, mut client) = connected();
    let names = [None, Some("logs"), None].map(|name: Option<&str>| {
        let mut arguments = json!({ "device": "board", "includeDashboard": false });
        if let Some(name) = name {
            arguments["connectionName"] = json!(name);
        }
        done(&mut client, "ssh-session-open", arguments)["connectionName"].clone()
    });
    assert_eq!(names, [json!("main-2"), json!("logs"), json!("main-3")]);
    for name in ["main", "main-2", "logs", "main-3"] {
        let session = format!("board/{name}");
        done(&mut client, "ssh-run", json!({ "session": session, "command": format!("here={name}") }));
    }
    for name in ["main", "main-2", "logs", "main-3"] {
        let arguments = json!({ "session": format!("board/{name}"), "command": "echo $here" });
        let answer = call(&mut client, "ssh-run", arguments);
        assert_eq!(super::second_block(&answer), format!("{name}\n"));
    }
    let twice = refused(&mut client, "ssh-session-open", json!({ "device": "board", "connectionName": "logs" }));
    assert_eq!(twice["failureCategory"], "config-error", "{twice}");
    let no_name = refused(&mut client, "ssh-session-open", json!({ "device": "board", "connectionName": "a/b" }));
    assert_eq!(no_name["failureCategory"], "config-error", "{no_name}");
}

#[test]
fn x04_multi_ai_multi_instance_isolation() {
    let (_sshd, scene, mut first) = connected();
    let mut second = client(&scene.path("portcullis.toml"));
    let [one, other] = [&mut first, &mut second].map(|it| done(it, "ssh-status", json!({})));
    assert_ne!(one["instanceId"], other["instanceId"]);
    assert_eq!((&one["activeSessions"], &other["activeSessions"]), (&json!(1), &json!(0)));
    let id = one["sessions"][0]["sessionId"].clone();
    let foreign = refused(&mut second, "ssh-run", json!({ "session": id, "command": "echo intruder" }));
    assert_eq!(foreign["failureCategory"], "ambiguous-session", "{foreign}");
    done(&mut second, "ssh-quick-connect", json!({}));
    done(&mut second, "ssh-run", json!({ "command": "mine=second" }));
    done(&mut second, "ssh-session-close", json!({}));
    let (_, output) = run(&mut first, "echo \"[$mine]\"");
    assert_eq!(output, "[]\n");
}

#[test]
fn x05_viewer_port_auto_allocation() {
    let (_sshd, scene, mut first) = connected();
    let mut second = client(&scene.path("portcullis.toml"));
    let ports = [&mut first, &mut second].map(|it| {
        let status = done(it, "ssh-status", json!({}));
        let port = u16::try_from(status["viewerPort"].as_u64().unwrap()).unwrap();
        assert!(status["viewerBaseUrl"].as_str().unwrap().ends_with(&format!(":{port}")), "{status}");
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok(), "nothing listens on {port}");
        port
    });
    assert_ne!(ports[0], ports[1]);
    let opened = done(&mut first, "ssh-session-open", json!({ "device": "board", "includeDashboard": false }));
    assert_eq!(opened["viewerPort"], ports[0], "{opened}");
}

#[test]
fn x06_runtime_state_cleanup_on_exit() {
    let (sshd, scene, mut client) = connected();
    let status = done(&mut client, "ssh-status", json!({}));
    let id = status["sessions"][0]["sessionId"].as_str().unwrap().to_owned();
    let port = u16::try_from(status["viewerPort"].as_u64().unwrap()).unwrap();
    let (ended, _) = client.end(Duration::from_secs(5));
    assert!(ended.success(), "{ended}");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "the viewer is still there");
    assert_eq!(scene.transcript(&id).last().unwrap()["kind"], "closed");
    assert!(sshd.log_contains_within("session closed", LIMIT) || sshd.log_contains_within("isconnect", LIMIT));
    // A new host finds nothing of it that could be mistaken for something that runs.
    let mut next = super::client(&scene.path("portcullis.toml"));
    let status = done(&mut next, "ssh-status", json!({}));
    assert_eq!((&status["activeSessions"], &status["activeSessionRef"]), (&json!(0), &Value::Null), "{status}");
    let viewers = done(&mut next, "ssh-viewer-list", json!({}));
    assert_eq!((&viewers["viewers"], &viewers["bindings"]), (&json!([]), &json!([])), "{viewers}");
}

#[test]
fn x07_input_lock_user_blocks_agent() {
    let (_sshd, scene, mut client) = connected();
    let status = done(&mut client, "ssh-status", json!({}));
    let id = status["sessions"][0]["sessionId"].as_str().unwrap().to_owned();
    let (address, token) = viewer::link(&scene.path("state"));
    let mut page = Page::open(&address, &token, &id);
    page.press(b"echo half");
    let summary = |client: &mut Client| done(client, "ssh-session-list", json!({}))["sessions"][0].clone();
    let locked = wait_until(LIMIT, || Some(summary(&mut client)).filter(|it| it["inputLock"] == "user"));
    let locked = locked.expect("the person's typing is seen");
    assert_eq!((&locked["lockPolicy"], &locked["userDraftActive"]), (&json!("auto"), &json!(true)), "{locked}");
    for (tool, arguments) in [
        ("ssh-run", json!({ "command": "echo agent" })),
        ("ssh-retry", json!({ "command": "echo agent" })),
        ("ssh-session-send", json!({ "input": "echo agent", "appendNewline": true })),
        ("ssh-session-control", json!({ "control": "up" })),
    ] {
        let held = refused(&mut client, tool, arguments);
        assert_eq!(
            (&held["error"], &held["failureCategory"], &held["resultStatus"], &held["lock"]),
            (&json!("INPUT_LOCKED"), &json!("input-locked"), &json!("blocked"), &json!("user")),
            "{tool}: {held}"
        );
    }
    let report = done(&mut client, "ssh-session-diagnostics", json!({ "session": id }));
    assert!(report["warnings"].to_string().contains("auto_lock_draft_active"), "{report}");
    page.press(b" done\r");
    assert!(page.until(LIMIT, |page| String::from_utf8_lossy(&page.printed).matches("half done").count() == 2));
    wait_until(LIMIT, || (summary(&mut client)["inputLock"] == "none").then_some(())).expect("a free prompt");
    let (ran, output) = run(&mut client, "echo agent");
    assert_eq!((&ran["resultStatus"], output.as_str()), (&json!("success"), "agent\n"), "{ran}");
}

#[test]
fn x08_ambiguous_active_session_blocks_default_targeting() {
    let (_servers, _scene, mut client) = two_devices();
    let none = refused(&mut client, "ssh-run", json!({ "command": "echo nowhere" }));
    assert_eq!(none["failureCategory"], "ambiguous-session", "{none}");
    for device in ["board-a", "board-b"] {
        done(&mut client, "ssh-quick-connect", json!({ "device": device }));
    }
    let cleared = done(&mut client, "ssh-session-set-active", json!({}));
    assert_eq!((&cleared["activeSessionId"], &cleared["activeSessionRef"]), (&Value::Null, &Value::Null), "{cleared}");
    for (tool, arguments) in [
        ("ssh-run", json!({ "command": "echo guessed" })),
        ("ssh-session-send", json!({ "input": "echo guessed", "appendNewline": true })),
        ("ssh-session-read", json!({})),
        ("ssh-session-close", json!({})),
        ("ssh-session-policy-reset", json!({})),
    ] {
        let asked = refused(&mut client, tool, arguments);
        assert_eq!(asked["failureCategory"], "ambiguous-session", "{tool}: {asked}");
        assert_eq!(asked["openSessions"], json!(["board-a/main", "board-b/main"]), "{tool}: {asked}");
        assert!(asked["nextAction"].as_str().unwrap().contains("ssh-session-set-active"), "{tool}: {asked}");
    }
    for session in ["board-a/main", "board-b/main"] {
        let read = call(&mut client, "ssh-session-read", json!({ "session": session }));
        assert!(!read.text.contains("guessed"), "{}", read.text);
    }
}
