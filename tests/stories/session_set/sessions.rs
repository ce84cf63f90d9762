//! Opening, naming, listing, the active session, closing; devices, viewer, diagnostics.

use e2e::http::{HttpClient, Server};
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions};
use serde_json::{Value, json};

use super::{call, client, connected, done, one_device, refused, run, second_block};

const SUMMARY: [&str; 27] = [
    "sessionId",
    "sessionName",
    "sessionRef",
    "instanceId",
    "deviceId",
    "connectionName",
    "profileSource",
    "host",
    "port",
    "user",
    "cols",
    "rows",
    "term",
    "createdAt",
    "updatedAt",
    "lastActivityAt",
    "idleTimeoutMs",
    "idleExpiresAt",
    "closed",
    "closedAt",
    "closeReason",
    "retainedUntil",
    "bufferStart",
    "bufferEnd",
    "eventStartSeq",
    "eventEndSeq",
    "inputLock",
];

#[test]
fn a_session_is_opened_with_its_summary_and_a_dashboard() {
    let (_sshd, _scene, mut client) = one_device();
    let arguments = json!({
        "device": "board", "sessionName": "work", "cols": 90, "rows": 30, "idleTimeoutMs": 60_000,
        "startupInput": "echo star'ted'\n", "startupWaitMs": 5000, "term": "vt100", "startupInputActor": "codex"
    });
    let answer = call(&mut client, "ssh-session-open", arguments);
    let opened = &answer.structured;
    assert_eq!(opened["resultStatus"], "success", "{opened}");
    for field in SUMMARY {
        assert!(opened.get(field).is_some(), "no {field}: {opened}");
    }
    for (field, value) in [
        ("sessionName", json!("work")),
        ("sessionRef", json!("board/main")),
        ("deviceId", json!("board")),
        ("profileSource", json!("profile")),
        ("cols", json!(90)),
        ("rows", json!(30)),
        ("idleTimeoutMs", json!(60_000)),
        ("closed", json!(false)),
        ("inputLock", json!("none")),
        ("activeSession", json!(true)),
        ("viewerMode", json!("browser")),
        ("viewerSingletonScope", json!("connection")),
        ("configResolution", json!("merged")),
    ] {
        assert_eq!(opened[field], value, "{field}: {opened}");
    }
    let created = opened["createdAt"].as_str().unwrap();
    assert!(created.starts_with("20") && created.ends_with('Z'), "{created}");
    assert!(opened["idleExpiresAt"].as_str().unwrap() > created, "{opened}");
    assert_eq!(opened["nextOutputOffset"], opened["bufferEnd"], "{opened}");
    assert!(second_block(&answer).contains("started"), "{}", answer.text);
    let notes = opened["notes"].to_string();
    assert!(notes.contains("xterm-256color") && notes.contains("codex"), "{notes}");
    let taken = refused(&mut client, "ssh-session-open", json!({ "device": "board", "sessionName": "work" }));
    assert_eq!(taken["failureCategory"], "config-error", "{taken}");
    let (ran, _) = run(&mut client, "true");
    assert_eq!(ran["sessionName"], "work");
}

#[test]
fn secrets_are_no_arguments_and_an_address_has_to_be_a_devices() {
    let (sshd, _scene, mut client) = one_device();
    for (name, value) in [("password", "hunter2"), ("key", "/home/me/.ssh/id_ed25519")] {
        let refused = refused(&mut client, "ssh-session-open", json!({ "device": "board", name: value }));
        assert_eq!(refused["failureCategory"], "config-error", "{refused}");
        assert!(!refused.to_string().contains(value), "{refused}");
    }
    let stranger = refused(&mut client, "ssh-session-open", json!({ "host": "192.0.2.1", "user": "root" }));
    assert_eq!(stranger["failureCategory"], "config-error", "{stranger}");
    assert!(stranger["notes"][0].as_str().unwrap().contains("portcullis config profile set"), "{stranger}");
    let alone = refused(&mut client, "ssh-session-open", json!({ "connectionName": "x" }));
    assert_eq!(alone["failureCategory"], "config-error", "{alone}");
    let unknown = refused(&mut client, "ssh-quick-connect", json!({ "device": "bord" }));
    assert_eq!(unknown["failureCategory"], "config-error", "{unknown}");
    assert!(!unknown.to_string().contains("ssh_hosts"), "{unknown}");
    let by_address =
        json!({ "host": "127.0.0.1", "port": sshd.port(), "user": sshd.user(), "includeDashboard": false });
    let opened = done(&mut client, "ssh-session-open", by_address);
    assert_eq!(opened["sessionRef"], "board/main", "{opened}");
}

#[test]
fn a_connection_that_fails_says_its_class_and_what_to_do() {
    let sshd = Sshd::start(SshdOptions::default());
    let scene = Scene::empty();
    let strange = sshd_profile("strange", &sshd).replace("known_hosts = [", "known_hosts = [\"none\"] # ");
    scene.configure(&format!(
        "enabled = false\n{strange}\n[profiles.gone]\nhost = '127.0.0.1'\nport = 1\nuser = 'x'\nauth = [{{ key_file = {:?} }}]\n",
        sshd.user_key().display().to_string(),
    ));
    let mut client = client(&scene.path("portcullis.toml"));
    for (device, class) in [("strange", "class=host-key"), ("gone", "")] {
        let failed = refused(&mut client, "ssh-quick-connect", json!({ "device": device }));
        assert_eq!(failed["resultStatus"], "failure", "{failed}");
        assert_eq!(failed["failureCategory"], "connection-failure", "{failed}");
        assert!(failed["evidence"].to_string().contains(class), "{failed}");
    }
}

#[test]
fn sessions_are_listed_and_diagnosed_and_gone_when_closed() {
    let (_sshd, scene, mut client) = connected();
    let second = done(&mut client, "ssh-session-open", json!({ "device": "board", "connectionName": "side" }));
    let list = done(&mut client, "ssh-session-list", json!({}));
    assert_eq!(list["activeSessionRef"], "board/side", "{list}");
    let references: Vec<&Value> = list["sessions"].as_array().unwrap().iter().map(|it| &it["sessionRef"]).collect();
    assert_eq!(references, ["board/side", "board/main"], "newest first");
    let only = done(&mut client, "ssh-session-list", json!({ "connectionName": "main" }));
    assert_eq!(only["sessions"].as_array().unwrap().len(), 1, "{only}");
    let report = done(&mut client, "ssh-session-diagnostics", json!({ "session": "board/side" }));
    for field in ["session", "terminalMode", "runningCommand", "viewer", "buffers", "logging", "warnings", "policy"] {
        assert!(report.get(field).is_some(), "no {field}: {report}");
    }
    let overview = done(&mut client, "ssh-session-diagnostics", json!({}));
    assert_eq!(overview["sessions"].as_array().unwrap().len(), 2, "{overview}");
    let closed = done(&mut client, "ssh-session-close", json!({ "session": "board/side" }));
    assert_eq!((&closed["removed"], &closed["closed"]), (&json!(true), &json!(true)), "{closed}");
    assert!(closed["closedAt"].is_string() && closed["closeReason"].is_string(), "{closed}");
    let after = done(&mut client, "ssh-session-list", json!({ "includeClosed": true }));
    assert_eq!(after["sessions"].as_array().unwrap().len(), 1, "{after}");
    assert_eq!(after["activeSessionRef"], Value::Null, "{after}");
    refused(&mut client, "ssh-session-read", json!({ "session": "board/side" }));
    let id = second["sessionId"].as_str().unwrap();
    assert_eq!(scene.transcript(id).last().unwrap()["kind"], "closed", "the record stays");
}

#[test]
fn a_session_that_ended_by_itself_can_still_be_read_and_is_not_guessed_around() {
    let (_sshd, _scene, mut client) = connected();
    done(&mut client, "ssh-session-open", json!({ "device": "board", "includeDashboard": false }));
    let answer = call(&mut client, "ssh-run", json!({ "command": "echo last; exit 0" }));
    assert_ne!(answer.structured["resultStatus"], "success", "{}", answer.text);
    let usual = refused(&mut client, "ssh-run", json!({ "command": "echo elsewhere" }));
    assert_eq!(usual["failureCategory"], "ambiguous-session", "{usual}");
    assert_eq!(usual["openSessions"], json!(["board/main"]), "{usual}");
    let list = done(&mut client, "ssh-session-list", json!({ "includeClosed": true }));
    let ended = &list["sessions"][0];
    assert_eq!((&ended["sessionRef"], &ended["closed"]), (&json!("board/main-2"), &json!(true)), "{list}");
    let read = call(&mut client, "ssh-session-read", json!({ "session": "board/main-2" }));
    assert!(second_block(&read).contains("last\n"), "{}", read.text);
    let report = done(&mut client, "ssh-session-diagnostics", json!({ "session": "board/main-2" }));
    assert!(report["warnings"].to_string().contains("closed_session_retained"), "{report}");
}

#[test]
fn devices_are_told_without_their_secrets() {
    let (sshd, _scene, mut client) = one_device();
    let list = done(&mut client, "ssh-device-list", json!({}));
    assert_eq!((&list["defaultDevice"], &list["source"]), (&json!("board"), &json!("config")), "{list}");
    let device = &list["devices"][0];
    for (field, value) in [
        ("id", json!("board")),
        ("host", json!("127.0.0.1")),
        ("port", json!(sshd.port())),
        ("user", json!(sshd.user())),
        ("isDefault", json!(true)),
    ] {
        assert_eq!(device[field], value, "{device}");
    }
    assert_eq!(device["auth"]["type"], "keyPath", "{device}");
    let status = done(&mut client, "ssh-status", json!({}));
    for field in [
        "instanceId",
        "activeSessions",
        "activeSessionId",
        "activeSessionRef",
        "sessions",
        "viewerBaseUrl",
        "viewerPort",
        "configPath",
        "configResolution",
        "configuredDevices",
        "operationMode",
        "logging",
        "hint",
    ] {
        assert!(status.get(field).is_some(), "no {field}: {status}");
    }
    assert_eq!(status["configuredDevices"], json!(["board"]), "{status}");
}

#[test]
fn the_viewers_address_is_told_and_its_key_is_not() {
    let (_sshd, scene, mut client) = connected();
    let (address, token) = e2e::viewer::link(&scene.path("state"));
    let ensured = done(&mut client, "ssh-viewer-ensure", json!({ "mode": "terminal" }));
    assert_eq!(ensured["viewerBaseUrl"], format!("http://{address}"), "{ensured}");
    assert_eq!((&ensured["bindingKey"], &ensured["launched"]), (&json!("connection:board/main"), &json!(false)));
    assert!(ensured["notes"][0].as_str().unwrap().contains("portcullis attach"), "{ensured}");
    let list = done(&mut client, "ssh-viewer-list", json!({}));
    assert_eq!(list["viewers"][0]["sessionRef"], "board/main", "{list}");
    assert_eq!(list["bindings"].as_array().unwrap().len(), 1, "{list}");
    for told in [ensured, list] {
        assert!(!told.to_string().contains(&token), "{told}");
    }
}

#[test]
fn without_a_viewer_that_is_said() {
    let scene = Scene::empty();
    scene.configure("enabled = false\n[profiles.here]\nkind = 'local'\nshell = ['bash', '--noprofile', '--norc']\n");
    let mut client = client(&scene.path("portcullis.toml"));
    let connected = done(&mut client, "ssh-quick-connect", json!({}));
    assert_eq!((&connected["viewerEnabled"], &connected["terminalUrl"]), (&json!(false), &Value::Null), "{connected}");
    let missing = refused(&mut client, "ssh-viewer-ensure", json!({}));
    assert_eq!(missing["failureCategory"], "viewer-unavailable", "{missing}");
}

#[test]
fn over_http_each_client_has_its_own_sessions_and_its_own_active_one() {
    let scene = Scene::empty();
    scene.configure(
        "enabled = false\n[profiles.here]\nkind = 'local'\nshell = ['bash', '--noprofile', '--norc']\n\
         [mcp.http]\nclients = { alice = { env = 'ALICE_TOKEN' }, bob = { env = 'BOB_TOKEN' } }\n",
    );
    let (alice, bob) = ("the-token-of-alice-0123456789", "the-token-of-bob-9876543210");
    let tokens = [("ALICE_TOKEN", alice), ("BOB_TOKEN", bob)];
    let server = Server::start_with(&scene.path("portcullis.toml"), &tokens, &super::TOOLSET);
    let mut alice = HttpClient::new(&server.address, alice, "2025-11-25", json!({}));
    let mut bob = HttpClient::new(&server.address, bob, "2026-07-28", json!({}));
    let told = |client: &mut HttpClient, tool: &str, arguments: Value| {
        client.call(tool, arguments)["structuredContent"].clone()
    };
    let opened = told(&mut alice, "ssh-quick-connect", json!({}));
    let id = opened["session"]["sessionId"].clone();
    let started = told(&mut alice, "ssh-run", json!({ "command": "sleep 600", "waitMs": 0 }));
    for (tool, arguments) in [
        ("ssh-run", json!({ "command": "id", "session": id })),
        ("ssh-run", json!({ "command": "id", "session": "here/main" })),
        ("ssh-run", json!({ "command": "id" })),
        ("ssh-retry", json!({ "command": "id", "session": id })),
        ("ssh-command-status", json!({ "commandId": started["commandId"] })),
        ("ssh-session-send", json!({ "input": "id", "session": id })),
        ("ssh-session-control", json!({ "control": "ctrl_c", "session": id })),
        ("ssh-session-read", json!({ "session": id })),
        ("ssh-session-history", json!({ "session": id })),
        ("ssh-session-watch", json!({ "session": id })),
        ("ssh-session-resize", json!({ "cols": 80, "rows": 24, "session": id })),
        ("ssh-session-diagnostics", json!({ "session": id })),
        ("ssh-session-set-active", json!({ "session": id })),
        ("ssh-session-close", json!({ "session": id })),
        ("ssh-viewer-ensure", json!({ "session": id })),
        ("ssh-session-policy-list", json!({ "session": id })),
        ("ssh-session-policy-reset", json!({ "session": id })),
    ] {
        let answer = told(&mut bob, tool, arguments);
        assert_eq!(answer["resultStatus"], "failure", "{tool}: {answer}");
        assert!(answer.get("sessionId").is_none(), "{tool}: {answer}");
    }
    let status = told(&mut bob, "ssh-status", json!({}));
    assert_eq!((&status["activeSessions"], &status["activeSessionRef"]), (&json!(0), &Value::Null), "{status}");
    let own = told(&mut bob, "ssh-quick-connect", json!({}));
    assert_eq!((&own["reused"], &own["activeSessionRef"]), (&json!(false), &json!("here/main")), "{own}");
    assert_ne!(own["session"]["sessionId"], id, "{own}");
    let still = told(&mut alice, "ssh-command-status", json!({ "commandId": started["commandId"] }));
    assert_eq!(still["status"], "running", "{still}");
}
