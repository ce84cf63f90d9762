//! The tools of `ssh-mcp`, called as its clients call them, over a real sshd and through the bastion's menu.

use std::time::Duration;

use e2e::home::Home;
use e2e::http::{HttpClient, Server};
use e2e::mcp::{Client, program, wait_until};
use e2e::scene::{PASSWORD, PASSWORD_VARIABLE, Scene, sshd_profile};
use e2e::sshd::{Signal, Sshd, SshdOptions};
use e2e::viewer::{self, Page};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(20);
const TOOLS: [&str; 17] = [
    "open_session",
    "diagnose_profile",
    "list_sessions",
    "close_session",
    "reopen_session",
    "send_text",
    "execute_command",
    "interrupt",
    "get_command",
    "list_commands",
    "cancel_command",
    "get_screen",
    "get_transcript",
    "input_lock_status",
    "acquire_input_lock",
    "release_input_lock",
    "search_logs",
];

/// A server with the set, and a session on it.
struct Set {
    client: Client,
    scene: Scene,
    id: String,
    sshd: Option<Sshd>,
}

fn start(scene: &Scene) -> Client {
    let mut command = std::process::Command::new(program());
    command.arg("stdio").arg("--config").arg(scene.path("portcullis.toml")).args(["--toolset", "ssh-mcp"]);
    Client::start_command({
        command.env(PASSWORD_VARIABLE, PASSWORD);
        command
    })
}

fn on_host() -> Set {
    on_host_with("")
}

fn on_host_with(more: &str) -> Set {
    let sshd = Sshd::start(SshdOptions::default());
    let scene = Scene::empty();
    scene.configure(&format!("{}{more}", sshd_profile("host", &sshd)));
    let mut client = start(&scene);
    let opened = ok(&mut client, "open_session", json!({ "profile": "host", "owner_label": "window one" }));
    let id = opened["session"]["session_id"].as_str().unwrap().to_owned();
    Set { client, scene, id, sshd: Some(sshd) }
}

impl Set {
    /// Calls with the session's id.
    fn ok(&mut self, tool: &str, arguments: Value) -> Value {
        let arguments = self.with_id(arguments);
        ok(&mut self.client, tool, arguments)
    }

    fn fails(&mut self, tool: &str, arguments: Value) -> Value {
        let arguments = self.with_id(arguments);
        fails(&mut self.client, tool, arguments)
    }

    fn with_id(&self, mut arguments: Value) -> Value {
        arguments["session_id"] = json!(self.id);
        arguments
    }

    fn run(&mut self, command: &str) -> Value {
        self.ok("execute_command", json!({ "command": command }))
    }

    /// Once the command has come to an end.
    fn ended(&mut self, command_id: &str) -> Value {
        wait_until(LIMIT, || {
            let command = self.ok("get_command", json!({ "command_id": command_id }))["command"].clone();
            (!matches!(command["status"].as_str(), Some("running" | "cancel_requested"))).then_some(command)
        })
        .expect("the command ends")
    }
}

fn ok(client: &mut Client, tool: &str, arguments: Value) -> Value {
    let answer = client.call(tool, arguments.clone());
    assert!(!answer.is_error && answer.structured["ok"] == true, "{tool} {arguments}: {}", answer.text);
    let text: Value = serde_json::from_str(&answer.text).expect("the text is the same as JSON");
    assert_eq!(text, answer.structured, "{tool}");
    answer.structured
}

fn fails(client: &mut Client, tool: &str, arguments: Value) -> Value {
    let answer = client.call(tool, arguments.clone());
    assert_eq!(answer.structured["ok"], false, "{tool} {arguments}: {}", answer.text);
    let error = answer.structured["error"].as_str().unwrap();
    assert!(!error.is_empty() && !error.contains("ssh_"), "a tool of another set: {error}");
    answer.structured
}

fn has_fields(object: &Value, fields: &[&str]) {
    for field in fields {
        assert!(object.get(field).is_some(), "no {field} in {object:#}");
    }
}

const SESSION_FIELDS: &[&str] = &[
    "session_id",
    "profile",
    "host",
    "port",
    "username",
    "owner_label",
    "server_instance_id",
    "viewer_url",
    "previous_session_id",
    "previous_transcript_path",
    "created_at",
    "last_activity_at",
    "health_status",
    "last_heartbeat_at",
    "health_error",
    "closed",
    "read_error",
    "transcript_path",
    "active_command_id",
    "commands",
    "input_lock",
    "security",
];
const RESULT_FIELDS: &[&str] =
    &["output", "exit_code", "timed_out", "matched", "command_id", "status", "output_truncated", "transcript_path"];
const COMMAND_FIELDS: &[&str] = &[
    "command_id",
    "command",
    "actor",
    "status",
    "started_at",
    "updated_at",
    "completed_at",
    "exit_code",
    "timed_out",
    "last_timeout_at",
    "cancel_requested_at",
    "matched",
    "marker",
    "error",
    "output",
    "output_chars",
    "output_dropped_chars",
    "output_truncated",
];

#[test]
fn the_set_has_its_tools_and_a_session_its_fields() {
    let mut set = on_host();
    let listed = set.client.request("tools/list", json!({}));
    let names: Vec<&str> =
        listed["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), TOOLS.len());
    assert!(TOOLS.iter().all(|name| names.contains(name)), "{names:?}");
    let all = ok(&mut set.client, "list_sessions", json!({}));
    has_fields(
        &all["server"],
        &[
            "server_instance_id",
            "pid",
            "cwd",
            "started_at",
            "client_label",
            "runtime_dir",
            "instance_dir",
            "log_path",
            "transcripts_dir",
            "viewer_base_url",
        ],
    );
    let session = &all["sessions"][0];
    has_fields(session, SESSION_FIELDS);
    assert_eq!((&session["owner_label"], &session["closed"]), (&json!("window one"), &json!(false)));
    assert_eq!((&session["health_status"], &session["host"]), (&json!("healthy"), &json!("127.0.0.1")));
    assert!(session["port"].is_u64() && session["username"].is_string(), "{session}");
    assert!(std::path::Path::new(session["transcript_path"].as_str().unwrap()).is_file());
    assert_eq!(all["must_show_to_user"], true);
    assert_eq!(all["viewer_urls"], json!([session["viewer_url"]]));
    // The link with the token is for the person, and printed where only the person looks.
    assert!(session["viewer_url"].as_str().unwrap().ends_with(&format!("/s/{}", set.id)));
    assert!(!all.to_string().contains("token="), "{all}");
}

#[test]
fn a_command_has_its_output_its_code_and_a_place_in_the_list() {
    let mut set = on_host();
    let ran = set.run("echo 'héllo 世界'; (exit 3)");
    has_fields(&ran, RESULT_FIELDS);
    assert_eq!((&ran["output"], &ran["exit_code"]), (&json!("héllo 世界\n"), &json!(3)));
    assert_eq!((&ran["status"], &ran["timed_out"]), (&json!("completed"), &json!(false)));
    let id = ran["command_id"].as_str().unwrap().to_owned();
    let parts: Vec<&str> = id.split('-').collect();
    assert_eq!((parts[0], parts[1].len(), parts[2].len(), parts[3].len()), ("cmd", 8, 6, 6), "{id}");
    set.run("echo second");
    let listed = set.ok("list_commands", json!({}));
    let commands = listed["commands"].as_array().unwrap();
    assert_eq!((&commands[0]["command"], &commands[1]["command_id"]), (&json!("echo second"), &json!(id)));
    assert_eq!(commands[1]["output"], "", "no output unless it is asked for");
    let read = set.ok("get_command", json!({ "command_id": id }))["command"].clone();
    has_fields(&read, COMMAND_FIELDS);
    assert_eq!((&read["output"], &read["exit_code"]), (&json!("héllo 世界\n"), &json!(3)));
    for (limit, output) in [(0, ""), (3, "世界\n"), (1000, "héllo 世界\n")] {
        let read = set.ok("get_command", json!({ "command_id": id, "output_limit": limit }))["command"].clone();
        assert_eq!((&read["output"], &read["output_chars"]), (&json!(output), &json!(9)), "{limit}");
        assert_eq!(read["output_truncated"], limit < 9);
    }
    let unknown = set.fails("get_command", json!({ "command_id": "cmd-20200101-000000-000001" }));
    assert!(unknown["error"].as_str().unwrap().contains(&id), "{unknown}");
    has_fields(&unknown, &["session_id", "health_status", "closed", "transcript_path", "session"]);
}

#[test]
fn text_is_sent_with_its_enter_and_waited_for_without_its_echo() {
    let mut set = on_host_with("policy_mode = 'full'\n");
    // The echo of the text has the words; what is printed has them only later.
    let sent =
        set.ok("send_text", json!({ "text": "sleep 1; echo fin''ished", "wait_for": "finished", "timeout": 20 }));
    has_fields(&sent, RESULT_FIELDS);
    assert_eq!((&sent["matched"], &sent["timed_out"]), (&json!(true), &json!(false)), "{sent}");
    let late = set.ok("send_text", json!({ "text": "echo waits-for-echo", "wait_for": "echo waits", "timeout": 1 }));
    assert_eq!((&late["matched"], &late["timed_out"]), (&json!(false), &json!(false)), "it has ended: {late}");
    // Without Enter nothing is run; a bare Enter runs it.
    let held = set.ok("send_text", json!({ "text": "echo he''ld", "enter": false }));
    assert!(held["notes"].to_string().contains("waits in the host"), "{held}");
    set.ok("send_text", json!({ "text": "\n", "wait_for": "held", "timeout": 20 }));
    assert!(set.ok("get_screen", json!({}))["screen"].as_str().unwrap().contains("\nheld"));
    // A question, and its answer.
    let asked = set.ok("execute_command", json!({ "command": "read -p 'name? ' n; echo \"hello $n\"", "timeout": 20 }));
    assert_eq!((&asked["status"], &asked["exit_code"]), (&json!("running"), &Value::Null), "{asked}");
    let answered = set.ok("send_text", json!({ "text": "bo''b", "wait_for": "hello bo''b", "timeout": 20 }));
    assert_eq!(answered["matched"], true, "{answered}");
    let quick = set.ok("execute_command", json!({ "command": "sleep 600", "wait_for_prompt": false }));
    assert_eq!(quick["exit_code"], Value::Null, "{quick}");
    set.ok("interrupt", json!({}));
    let id = quick["command_id"].as_str().unwrap().to_owned();
    assert_eq!(set.ended(&id)["exit_code"], 130);
}

#[test]
fn a_secret_is_no_argument_of_any_tool() {
    let mut set = on_host();
    let refused = set.fails("send_text", json!({ "text": "hunter2-sent", "sensitive": true }));
    assert!(refused["error"].as_str().unwrap().contains("viewer"), "{refused}");
    let opened = ok(
        &mut set.client,
        "open_session",
        json!({ "profile": "host", "password": "hunter2-given", "config_path": "/tmp/other.json" }),
    );
    let notes = opened["notes"].to_string();
    assert!(notes.contains("password was not used") && notes.contains("config_path"), "{notes}");
    let found =
        std::process::Command::new("grep").args(["-r", "hunter2"]).arg(set.scene.path("state")).output().unwrap();
    assert!(found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
}

#[test]
fn the_bastions_menu_is_crossed_as_the_recipe_has_it() {
    let scene = Scene::with_bastion(|_| {});
    // In the mode `safe` a shell in a pod is what a route leads to.
    scene.allow_everything_but_the_worst();
    let mut client = start(&scene);
    let opened = ok(&mut client, "open_session", json!({ "profile": "lab" }));
    let id = opened["session"]["session_id"].as_str().unwrap().to_owned();
    let mut set = Set { client, scene, id, sshd: None };
    // At a menu a command is not typed, and nothing behind it either.
    set.fails("execute_command", json!({ "command": "ls" }));
    set.ok("send_text", json!({ "text": "10.66.12.21", "wait_for": "Select login user", "timeout": 20 }));
    set.ok("send_text", json!({ "text": "2", "wait_for": "root@master", "timeout": 20 }));
    let pods = set.ok("execute_command", json!({ "command": "kubectl get pods -n orders", "timeout": 20 }));
    let output = pods["output"].as_str().unwrap();
    let pod = output.split_whitespace().find(|word| word.starts_with("orders-api-")).unwrap().to_owned();
    assert_eq!(pods["exit_code"], 0);
    let inside = set.ok(
        "execute_command",
        json!({ "command": format!("kubectl exec -it {pod} -n orders -- /bin/bash"), "wait_for": "pod:orders", "timeout": 20 }),
    );
    assert_eq!(inside["matched"], true, "{inside}");
    let found = set.ok("search_logs", json!({ "pattern": "Payment\\|TIMEOUT", "path": "var/log", "context": 1 }));
    has_fields(&found, RESULT_FIELDS);
    let output = found["output"].as_str().unwrap();
    assert!(
        output.contains("lab-timeout-001") && output.contains("O-10086") && output.contains("app.log:"),
        "{output}"
    );
    assert!(found["command"].as_str().unwrap().contains("grep"), "{found}");
    // The same file by its name, whatever `include` says, and a sign that means only itself.
    let file = json!({ "pattern": "a|b", "path": "var/log/app/app.log", "include": "*.txt" });
    assert_eq!(set.ok("search_logs", file)["output"], "");
    let one = json!({ "pattern": "payment failed", "path": "var/log/app/app.log", "include": "*.txt" });
    assert!(set.ok("search_logs", one)["output"].as_str().unwrap().contains("O-10086"));
}

#[test]
fn a_profile_is_diagnosed_without_a_connection_or_a_secret() {
    let mut set = on_host();
    let told = ok(&mut set.client, "diagnose_profile", json!({ "profile": "host" }));
    has_fields(
        &told,
        &[
            "profile",
            "host",
            "port",
            "username",
            "key_filename",
            "key_exists",
            "key_header",
            "passphrase_env",
            "passphrase_env_present",
            "passphrase_env_length",
            "security",
        ],
    );
    assert_eq!((&told["key_exists"], &told["security"]["mode"]), (&json!(true), &json!("safe")));
    assert_eq!(told["key_header"], "-----BEGIN OPENSSH PRIVATE KEY-----");
    let unknown = fails(&mut set.client, "diagnose_profile", json!({ "profile": "nowhere" }));
    assert!(unknown["error"].as_str().unwrap().contains("host"), "{unknown}");
    let slip = fails(&mut set.client, "diagnose_profile", json!({ "profil": "host" }));
    assert!(slip["error"].as_str().unwrap().contains("did you mean `profile`"), "{slip}");
}

#[test]
fn over_http_a_client_sees_nothing_of_anothers_sessions() {
    let scene = Scene::empty();
    scene.configure(
        "enabled = false\n[profiles.here]\nkind = 'local'\nshell = ['bash', '--noprofile', '--norc']\n\
         [mcp.http]\nclients = { alice = { env = 'ALICE_TOKEN' }, bob = { env = 'BOB_TOKEN' } }\n",
    );
    let (alice, bob) = ("the-token-of-alice-0123456789", "the-token-of-bob-9876543210");
    let tokens = [("ALICE_TOKEN", alice), ("BOB_TOKEN", bob)];
    let server = Server::start_with(&scene.path("portcullis.toml"), &tokens, &["--toolset", "ssh-mcp"]);
    let mut alice = HttpClient::new(&server.address, alice, "2025-11-25", json!({}));
    let mut bob = HttpClient::new(&server.address, bob, "2026-07-28", json!({}));
    let opened = alice.call("open_session", json!({ "profile": "here" }))["structuredContent"].clone();
    let id = opened["session"]["session_id"].as_str().unwrap().to_owned();
    for (tool, arguments) in [
        ("close_session", json!({})),
        ("reopen_session", json!({})),
        ("send_text", json!({ "text": "id" })),
        ("execute_command", json!({ "command": "id" })),
        ("interrupt", json!({})),
        ("get_command", json!({ "command_id": "c1" })),
        ("list_commands", json!({})),
        ("cancel_command", json!({ "command_id": "c1" })),
        ("get_screen", json!({})),
        ("get_transcript", json!({})),
        ("input_lock_status", json!({})),
        ("acquire_input_lock", json!({})),
        ("release_input_lock", json!({})),
        ("search_logs", json!({ "pattern": "x" })),
    ] {
        let mut arguments = arguments;
        arguments["session_id"] = json!(id);
        let answer = bob.call(tool, arguments)["structuredContent"].clone();
        assert_eq!(answer["ok"], false, "{tool}: {answer}");
        assert!(answer.get("session").is_none(), "{tool}: {answer}");
    }
    assert_eq!(bob.call("list_sessions", json!({}))["structuredContent"]["sessions"], json!([]));
    let ran = alice.call("execute_command", json!({ "session_id": id, "command": "echo mine" }));
    assert_eq!(ran["structuredContent"]["output"], "mine\n", "{ran}");
}

#[test]
fn what_a_person_has_to_allow_runs_when_the_same_call_is_made_again() {
    let mut set = on_host_with("[[profiles.host.rules]]\nid = 'ship'\naction = 'ask'\nprograms = ['ship-it']\n");
    let waits = set.fails("execute_command", json!({ "command": "ship-it", "timeout": 1 }));
    let error = waits["error"].as_str().unwrap();
    assert!(error.contains("a person has to allow it") && error.contains("same call again"), "{error}");
    let (address, token) = viewer::link(&set.scene.path("state"));
    let asked = wait_until(LIMIT, || viewer::approvals(&address, &token).pop()).expect("an approval");
    assert_eq!(asked["id"], waits["approval_id"]);
    let answer = json!({ "type": "allow_once", "digest": asked["digest"] });
    assert_eq!(viewer::decide(&address, &token, asked["id"].as_str().unwrap(), &answer), 204);
    let ran = set.ok("execute_command", json!({ "command": "ship-it" }));
    assert_eq!(ran["exit_code"], 127, "there is no such program: {ran}");
}

// The tested contract of the predecessor.

#[test]
fn s1_x01_a_timeout_leaves_it_running_a_second_is_refused_and_it_completes_by_itself() {
    let mut set = on_host();
    let gate = set.scene.path("gate");
    assert!(std::process::Command::new("mkfifo").arg(&gate).status().unwrap().success());
    let command = format!("cat {}; echo at-last", gate.display());
    let begun = set.ok("execute_command", json!({ "command": command, "timeout": 1 }));
    assert_eq!((&begun["status"], &begun["timed_out"]), (&json!("running"), &json!(true)), "{begun}");
    let id = begun["command_id"].as_str().unwrap().to_owned();
    let second = set.fails("execute_command", json!({ "command": "echo second" }));
    assert!(second["error"].as_str().unwrap().contains(&id), "{second}");
    assert_eq!(second["session"]["active_command_id"], json!(id));
    let running = set.ok("get_command", json!({ "command_id": id }))["command"].clone();
    assert_eq!((&running["timed_out"], &running["completed_at"]), (&json!(true), &Value::Null), "{running}");
    assert!(running["last_timeout_at"].is_string());
    std::fs::write(gate, "").unwrap();
    let ended = set.ended(&id);
    assert_eq!((&ended["status"], &ended["exit_code"]), (&json!("completed"), &json!(0)), "{ended}");
    assert_eq!(ended["output"], "at-last\n");
    assert_eq!(set.run("echo free")["output"], "free\n");
}

#[test]
fn s1_x01_cancel_says_whether_the_end_was_seen() {
    let mut set = on_host();
    let begun = set.ok("execute_command", json!({ "command": "sleep 600", "timeout": 1 }));
    let id = begun["command_id"].as_str().unwrap().to_owned();
    let cancelled = set.ok("cancel_command", json!({ "command_id": id }));
    has_fields(&cancelled["command"], COMMAND_FIELDS);
    assert!(cancelled["command"]["cancel_requested_at"].is_string(), "{cancelled}");
    let ended = set.ended(&id);
    assert_eq!((&ended["status"], &ended["exit_code"]), (&json!("cancelled"), &json!(130)), "{ended}");
    let again = set.ok("cancel_command", json!({ "command_id": id }));
    assert_eq!((&again["status"], &again["exit_code"]), (&json!("cancelled"), &json!(130)), "{again}");
    let completed = set.run("true")["command_id"].clone();
    assert_eq!(set.ok("cancel_command", json!({ "command_id": completed }))["status"], "completed");
}

#[test]
fn s1_x01_the_lock_is_taken_by_what_types_and_released() {
    let mut set = on_host();
    let free = set.ok("input_lock_status", json!({}))["input_lock"].clone();
    assert_eq!((&free["locked"], &free["actor"]), (&json!(false), &Value::Null), "{free}");
    set.ok("execute_command", json!({ "command": "true", "lock_ttl": 600 }));
    let held = set.ok("input_lock_status", json!({}))["input_lock"].clone();
    assert_eq!((&held["locked"], &held["actor"], &held["expired"]), (&json!(true), &json!("agent"), &json!(false)));
    let left = held["ttl_remaining_seconds"].as_f64().unwrap();
    assert!(left > 500.0 && left <= 600.0 && held["acquired_at"].is_string(), "{held}");
    let taken = set.ok("acquire_input_lock", json!({ "ttl": 100_000 }));
    assert!(taken["input_lock"]["ttl_remaining_seconds"].as_f64().unwrap() <= 3600.0, "{taken}");
    assert_eq!(taken["previous_lock"]["locked"], true);
    let released = set.ok("release_input_lock", json!({}));
    assert_eq!((&released["released"], &released["input_lock"]["locked"]), (&json!(true), &json!(false)), "{released}");
    assert_eq!(set.ok("release_input_lock", json!({}))["released"], false);
}

#[test]
fn s1_x01_a_lock_expires_by_itself() {
    let mut set = on_host();
    set.ok("acquire_input_lock", json!({ "ttl": 1 }));
    let released = |set: &mut Set| {
        let events = set.ok("get_transcript", json!({}))["events"].clone();
        let mut directions = events.as_array().unwrap().iter().map(|event| event["dir"].clone());
        directions.any(|dir| dir == "input_lock_acquired") && directions.any(|dir| dir == "input_lock_released")
    };
    wait_until(LIMIT, || released(&mut set).then_some(())).expect("the lock ends");
    assert_eq!(set.ok("input_lock_status", json!({}))["input_lock"]["locked"], false);
}

#[test]
fn s1_x01_a_persons_lock_blocks_and_force_does_not_take_it() {
    let mut set = on_host();
    let (address, token) = viewer::link(&set.scene.path("state"));
    let mut page = Page::open(&address, &token, &set.id);
    page.press(b"echo half");
    wait_until(LIMIT, || (set.ok("input_lock_status", json!({}))["input_lock"]["actor"] == "human").then_some(()))
        .expect("the person's typing is seen");
    for (tool, arguments) in [
        ("execute_command", json!({ "command": "echo agent", "force": true })),
        ("send_text", json!({ "text": "echo agent", "force": true, "actor": "human" })),
        ("acquire_input_lock", json!({ "force": true })),
        ("release_input_lock", json!({ "force": true })),
    ] {
        let refused = set.fails(tool, arguments);
        assert!(refused["error"].as_str().unwrap().contains("person"), "{tool}: {refused}");
        assert_eq!(refused["session"]["input_lock"]["actor"], "human", "{tool}: {refused}");
    }
    page.press(b" done\r");
    assert!(page.until(LIMIT, |page| String::from_utf8_lossy(&page.printed).matches("half done").count() == 2));
    let free = |told: &Value| told["input_lock"]["locked"] == false && told["session"]["state"] == "at_prompt";
    wait_until(LIMIT, || free(&set.ok("input_lock_status", json!({}))).then_some(())).expect("the input is free again");
    let ran = set.ok("execute_command", json!({ "command": "echo agent", "actor": "human", "force": true }));
    assert_eq!((&ran["output"], ran["notes"].as_array().unwrap().len()), (&json!("agent\n"), 2), "{ran}");
    let commands = set.ok("list_commands", json!({}))["commands"].clone();
    assert_eq!(commands[0]["actor"], "agent", "nobody is who they say they are: {commands}");
}

#[test]
fn s1_x01_enter_is_the_profiles_or_the_calls() {
    let mut set = on_host_with("enter = 'cr'\n");
    // Raw, so that the program sees which byte it was.
    let shows = "stty raw -echo; printf ready; dd bs=1 count=1 2>/dev/null | od -An -tx1; stty sane";
    for (sequence, byte) in [(Value::Null, "0d"), (json!("lf"), "0a"), (json!("carriage-return"), "0d")] {
        let begun = json!({ "command": shows, "wait_for": "ready", "timeout": 20 });
        let begun = set.ok("execute_command", begun);
        assert_eq!(begun["matched"], true, "{begun}");
        let sent = json!({ "text": "", "enter_sequence": sequence, "wait_for": byte, "timeout": 20 });
        let answered = set.ok("send_text", sent);
        assert_eq!(answered["matched"], true, "{sequence}: {answered}");
        set.ended(begun["command_id"].as_str().unwrap());
    }
    let wrong = set.fails("send_text", json!({ "text": "x", "enter_sequence": "tab" }));
    assert!(wrong["error"].as_str().unwrap().contains("cr, lf or crlf"), "{wrong}");
}

#[test]
fn s1_x01_policy_refuses_and_puts_it_on_record() {
    let mut set = on_host_with("policy_mode = 'readonly'\n");
    assert_eq!(set.run("ls / | head -n 1")["exit_code"], 0);
    for command in [
        "touch /tmp/x",
        "ls; rm -rf /tmp/x",
        "ls\nrm -rf /tmp/x",
        "ls & rm -rf /tmp/x",
        "echo $(rm -rf /tmp/x)",
        "find /tmp -name x -delete",
        "sudo rm -rf /",
        "bash -c 'rm -rf /tmp/x'",
    ] {
        let refused = set.fails("execute_command", json!({ "command": command }));
        assert!(refused["rule_id"].is_string(), "{command}: {refused}");
        set.fails("send_text", json!({ "text": command }));
    }
    let events = set.ok("get_transcript", json!({ "tail": 5 }))["events"].clone();
    assert!(events.as_array().unwrap().iter().any(|event| event["dir"] == "security_block"), "{events:#}");
    assert!(events.as_array().unwrap().len() <= 5);
    // A name that only looks dangerous, which the predecessor refused in every mode.
    let mut usual = on_host_with("policy_mode = 'full'\n");
    assert_eq!(usual.run("rm -f my-report.txt")["exit_code"], 0);
}

#[test]
fn s1_x01_the_record_hides_tokens_and_has_no_noise_of_the_host() {
    let mut set = on_host();
    set.run("echo 'password=hunter2-of-record'; echo plain");
    let told = set.ok("get_transcript", json!({}));
    assert!(std::path::Path::new(told["transcript_path"].as_str().unwrap()).is_file());
    let events = told["events"].as_array().unwrap();
    assert_eq!(events[0]["dir"], "session_meta");
    has_fields(&events[0], &["ts", "session_id", "dir", "text"]);
    let text = told.to_string();
    assert!(!text.contains("hunter2-of-record") && text.contains("plain"), "{text}");
    let screen = set.ok("get_screen", json!({ "lines": 3 }))["screen"].as_str().unwrap().to_owned();
    assert!(screen.lines().count() <= 3 && screen.contains("plain"), "{screen}");
    let all = set.ok("get_screen", json!({}))["screen"].as_str().unwrap().to_owned();
    assert!(!all.contains("__pc_") && !all.contains("__SSH_MCP_DONE"), "{all}");
    assert!(!set.run("printf '\\033[31mred\\033[0m\\n'")["output"].as_str().unwrap().contains('\u{1b}'));
}

#[test]
fn s1_x01_a_closed_session_stays_readable_and_says_that_it_is_closed() {
    let mut set = on_host();
    set.run("echo before-the-end");
    let closed = set.ok("close_session", json!({}))["session"].clone();
    assert_eq!((&closed["closed"], &closed["health_status"]), (&json!(true), &json!("closed")), "{closed}");
    let refused = set.fails("execute_command", json!({ "command": "echo after" }));
    has_fields(
        &refused,
        &[
            "error",
            "session_id",
            "health_status",
            "health_error",
            "last_activity_at",
            "last_heartbeat_at",
            "closed",
            "read_error",
            "transcript_path",
            "session",
        ],
    );
    assert_eq!((&refused["closed"], &refused["session"]["closed"]), (&json!(true), &json!(true)), "{refused}");
    assert!(set.ok("get_screen", json!({}))["screen"].as_str().unwrap().contains("before-the-end"));
    assert_eq!(set.ok("list_commands", json!({ "output_limit": 100 }))["commands"][0]["output"], "before-the-end\n");
    assert!(set.ok("get_transcript", json!({}))["events"].to_string().contains("session closed"));
}

#[test]
fn s1_x01_a_connection_that_dies_closes_the_session_and_its_command() {
    let mut set = on_host();
    let begun = set.ok("execute_command", json!({ "command": "sleep 600", "timeout": 1 }));
    let id = begun["command_id"].as_str().unwrap().to_owned();
    set.sshd.as_ref().unwrap().signal_connections(Signal::KILL);
    let ended = set.ended(&id);
    assert_eq!((&ended["status"], &ended["exit_code"]), (&json!("session_closed"), &Value::Null), "{ended}");
    let listed = ok(&mut set.client, "list_sessions", json!({}))["sessions"][0].clone();
    assert_eq!((&listed["closed"], &listed["input_lock"]["locked"]), (&json!(true), &json!(false)), "{listed}");
    assert!(listed["read_error"].is_string());
}

#[test]
fn s1_x01_reopening_links_both_and_replays_nothing() {
    let mut set = on_host();
    let open = set.fails("reopen_session", json!({}));
    assert!(open["error"].as_str().unwrap().contains("still open"), "{open}");
    set.run("cd /tmp; echo first-life");
    let closed = set.ok("close_session", json!({}))["session"].clone();
    let reopened = set.ok("reopen_session", json!({}));
    assert_eq!(reopened["reopen_scope"], "ssh-login-only");
    assert_eq!(reopened["previous_session_id"], json!(set.id));
    assert_eq!(reopened["previous_transcript_path"], closed["transcript_path"]);
    assert_eq!(reopened["previous_session"]["session_id"], json!(set.id));
    let session = &reopened["session"];
    assert_eq!((&session["previous_session_id"], &session["owner_label"]), (&json!(set.id), &json!("window one")));
    assert_eq!(session["previous_transcript_path"], closed["transcript_path"]);
    assert_eq!(session["commands"], json!([]));
    set.id = session["session_id"].as_str().unwrap().to_owned();
    assert_ne!(set.run("pwd")["output"], "/tmp\n");
}

// The command line, the variables and the files.

const PROFILES: &str =
    r#"{ "profiles": { "dev": { "host": "HOST", "port": PORT, "username": "USER", "key_filename": "KEY" } } }"#;

fn profiles(sshd: &Sshd) -> String {
    PROFILES
        .replace("HOST", sshd.host())
        .replace("PORT", &sshd.port().to_string())
        .replace("USER", sshd.user())
        .replace("KEY", &sshd.user_key().display().to_string())
}

#[test]
fn s1_x01_its_file_is_found_by_its_variable_and_its_profiles_stand_beside_ours() {
    let (home, sshd) = (Home::new(), Sshd::start(SshdOptions::default()));
    home.know("alias", &sshd);
    home.write(".config/portcullis/portcullis.toml", "[profiles.ours]\nhost = 'h'\nuser = 'u'\n");
    let file = home.write("elsewhere/profiles.json", &profiles(&sshd));
    let mut command = home.command("", &["stdio", "--toolset", "ssh-mcp", "--viewer-port", "auto", "--nobody-knows=1"]);
    command.env("SSH_MCP_CONFIG", &file).env("SSH_MCP_CLIENT_LABEL", "window").env("SSH_MCP_RUNTIME_DIR", "/tmp/x");
    let mut client = Client::start_command(command);
    let listed = ok(&mut client, "list_sessions", json!({}));
    for name in ["dev", "ours", "alias"] {
        assert!(listed["profiles"].as_array().unwrap().contains(&json!(name)), "{name}: {listed:#}");
    }
    let notes = listed["notes"].to_string();
    assert!(notes.contains("--nobody-knows") && notes.contains("SSH_MCP_RUNTIME_DIR"), "{notes}");
    assert_eq!(listed["server"]["client_label"], "window");
    let opened = ok(&mut client, "open_session", json!({ "profile": "dev" }));
    let id = opened["session"]["session_id"].clone();
    let ran = ok(&mut client, "execute_command", json!({ "session_id": id, "command": "echo there" }));
    assert_eq!(ran["output"], "there\n");
}

#[test]
fn s1_x01_its_file_in_a_folder_counts_after_a_person_has_allowed_it() {
    let (home, sshd) = (Home::new(), Sshd::start(SshdOptions::default()));
    home.know("alias", &sshd);
    let file = home.write("work/config/profiles.json", &profiles(&sshd));
    let dev = |home: &Home| {
        let mut client = Client::start_command(home.command("work", &["stdio", "--toolset", "ssh-mcp"]));
        let listed = ok(&mut client, "list_sessions", json!({}));
        (listed["profiles"].as_array().unwrap().contains(&json!("dev")), listed["notes"].to_string())
    };
    let (is_there, notes) = dev(&home);
    assert!(!is_there && notes.contains("config allow"), "{notes}");
    let asked = home.run(&["config", "allow", file.to_str().unwrap()]);
    let digest = asked.stderr.split("SHA-256 ").nth(1).unwrap().split(')').next().unwrap().to_owned();
    let allowed = home.run(&["config", "allow", file.to_str().unwrap(), "--sha256", &digest]);
    assert!(allowed.success, "{}", allowed.stderr);
    assert!(dev(&home).0);
}

#[test]
fn what_is_wrong_on_the_command_line_is_told_before_anything_is_served() {
    let home = Home::new();
    let said = |arguments: &[&str]| {
        let ran = home.run(arguments);
        assert!(!ran.success, "{arguments:?}: {}", ran.stderr);
        ran.stderr
    };
    let session = ["stdio", "--toolset", "ssh-session-mcp"];
    let with = |more: &[&'static str]| said(&[&session[..], more].concat());
    assert!(with(&["--viewrPort=auto"]).contains("did you mean --viewerPort?"));
    assert!(with(&["--viewerPort=99999"]).contains("up to 65535"));
    assert!(with(&["--mode=fast"]).contains("safe or full"));
    assert!(with(&["--host=h"]).contains("--user"));
    assert!(said(&["stdio", "--viewer-port", "auto"]).contains("--toolset"));
    assert!(said(&["stdio", "--toolset", "ssh-mpc"]).contains("ssh-mcp"));
}

#[test]
fn the_other_predecessors_flags_name_a_device_and_a_password_among_them_is_not_used() {
    let (home, sshd) = (Home::new(), Sshd::start(SshdOptions::default()));
    home.know("alias", &sshd);
    let (port, key) = (sshd.port().to_string(), sshd.user_key().display().to_string());
    let arguments =
        ["stdio", "--toolset", "ssh-session-mcp", "--host", sshd.host(), "--password=hunter2-flag", "--viewerPort=0"];
    let mut command = home.command("", &arguments);
    command.env("SSH_USER", sshd.user()).env("SSH_PORT", port).env("SSH_KEY", key);
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("--password has no effect here") && said.contains("SSH_PASSWORD"), "{said}");
    assert!(!said.contains("hunter2-flag") && !said.contains("viewer: http"), "{said}");
}

#[test]
fn a_clients_entry_is_written_with_the_set() {
    let home = Home::new();
    let printed = home.run(&["install", "--client", "claude-code", "--toolset", "ssh-mcp", "--print"]);
    assert!(printed.success, "{}", printed.stderr);
    let entry: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(entry["mcpServers"]["ssh"]["args"], json!(["stdio", "--toolset", "ssh-mcp"]), "{entry}");
}

#[test]
fn a_folders_env_file_counts_after_a_person_has_allowed_it_and_never_with_a_secret() {
    let home = Home::new();
    let file = home.write("work/.env", "SSH_HOST=board\nSSH_USER=root\nSSH_PASSWORD=hunter2-env\n");
    let file = file.to_str().unwrap().to_owned();
    let serve = || home.run_in("work", &["stdio", "--toolset", "ssh-session-mcp", "--viewerPort=0"]).stderr;
    assert!(serve().contains("config allow .env"), "{}", serve());
    let refused = home.run(&["config", "allow", &file]);
    assert!(!refused.success && refused.stderr.contains("config import"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("hunter2-env"), "{}", refused.stderr);
    home.write("work/.env", "SSH_HOST=board\nSSH_USER=root\n");
    let asked = home.run(&["config", "allow", &file]);
    let digest = asked.stderr.split("SHA-256 ").nth(1).unwrap().split(')').next().unwrap().to_owned();
    let allowed = home.run(&["config", "allow", &file, "--sha256", &digest]);
    assert!(allowed.success, "{}", allowed.stderr);
    assert!(!serve().contains("config allow .env"), "{}", serve());
}
