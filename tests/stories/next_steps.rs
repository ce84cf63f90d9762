//! Every kind of failure once, and a robot that makes the call which the failure names as next: it has to work.

use std::collections::BTreeSet;

use e2e::mcp::Client;
use e2e::scene::{PASSWORD_VARIABLE, Scene, configuration, lab_component, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions, free_port};
use serde_json::{Value, json};

/// Provokes failures, follows them, and remembers which kinds there were.
struct Robot {
    client: Client,
    categories: BTreeSet<String>,
}

impl Robot {
    fn new(client: Client) -> Self {
        Self { client, categories: BTreeSet::new() }
    }

    /// The call has to fail in this way, and the call that it names has to succeed as it stands.
    fn provoke(&mut self, category: &str, tool: &str, arguments: Value) -> Value {
        let error = self.client.fail(tool, arguments.clone());
        let place = format!("{tool} {arguments}: {error}");
        assert_eq!(error["failure_category"], category, "{place}");
        let next = &error["next"];
        let followed = self.client.call(next["tool"].as_str().unwrap(), next["arguments"].clone());
        assert!(!followed.is_error, "what is named as next fails: {place}\n{}", followed.text);
        self.categories.insert(category.to_owned());
        error
    }
}

/// Routes that lead nowhere, policies that ask, trap and deny, a place that cannot be written, and hosts that do not
/// answer or are not who they were.
fn scene(sshd: &Sshd) -> Scene {
    let mut scene = Scene::with_bastion(|_| {});
    let port = scene.bastion.as_ref().unwrap().address.port();
    let component = lab_component("misbehaving").display().to_string();
    let known = std::fs::read_to_string(scene.path("known_hosts")).unwrap();
    // A key of the right kind, and another one.
    let (kind, _) = known.split_once(' ').map(|(_, rest)| rest).and_then(|rest| rest.split_once(' ')).unwrap();
    let (_, foreign) = sshd.foreign_key(kind.trim_start_matches("ssh-"));
    let mut words = foreign.split_whitespace();
    let foreign = format!("[127.0.0.1]:{port} {} {}\n", words.next().unwrap(), words.next().unwrap());
    std::fs::write(scene.path("other_hosts"), foreign).unwrap();
    let lab = |name: &str, known_hosts: &str, auth: &str, port: u16| {
        format!(
            "[profiles.{name}]\nhost = '127.0.0.1'\nport = {port}\nuser = 'tester'\nauth = [{auth}]\n\
             known_hosts = ['{known_hosts}']\n"
        )
    };
    let password = format!("{{ password_env = '{PASSWORD_VARIABLE}' }}");
    std::fs::write(scene.path("wrong"), "wrong").unwrap();
    std::fs::set_permissions(scene.path("wrong"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    scene.configure(&format!(
        "enabled = false\n[plugins.team]\npath = {component:?}\n\
         settings = {{ asks = ['deploy'], behaviour = 'as_told' }}\n\
         [profiles.here]\nkind = 'local'\nshell = ['bash', '--noprofile', '--norc']\npolicies = ['team']\n{}{}{}{}{}{}",
        configuration(port),
        sshd_profile("real", sshd),
        lab("changed", "other_hosts", &password, port),
        lab("unknown", "empty_hosts", &password, port),
        lab("stranger", "known_hosts", "{ password_file = 'wrong' }", port),
        lab("silent", "known_hosts", &password, free_port()),
    ));
    std::fs::write(scene.path("empty_hosts"), "").unwrap();
    scene.bastion.as_mut().unwrap();
    scene
}

#[test]
fn what_a_failure_names_as_next_works_as_it_stands() {
    let config_lines = vec!["Subsystem sftp internal-sftp".to_owned()];
    let sshd = Sshd::start(SshdOptions { config_lines, ..SshdOptions::default() });
    let scene = scene(&sshd);
    let mut robot = Robot::new(scene.client());
    // Nothing is open.
    robot.provoke("ambiguous-session", "ssh_run", json!({ "command": "true" }));
    robot.provoke("ambiguous-session", "ssh_read", json!({ "session_id": "s-none-1" }));
    robot.provoke("config-error", "ssh_run", json!({ "comand": "true" }));
    robot.provoke("config-error", "ssh_open", json!({ "profile": "lba" }));
    robot.provoke("config-error", "ssh_open", json!({ "profile": "lab", "route": "order-api" }));
    robot.provoke("config-error", "ssh_open", json!({ "profile": "here", "name": "s-1" }));
    // No way in.
    robot.provoke("auth-failure", "ssh_open", json!({ "profile": "stranger" }));
    robot.provoke("host-key", "ssh_open", json!({ "profile": "changed" }));
    robot.provoke("host-key", "ssh_open", json!({ "profile": "unknown" }));
    robot.provoke("connection-failure", "ssh_open", json!({ "profile": "silent" }));
    local_shell(&mut robot);
    files(&mut robot);
    bastion(&mut robot);
    let wanted: BTreeSet<String> = [
        "ambiguous-session",
        "auth-failure",
        "config-error",
        "connection-failure",
        "file-error",
        "host-key",
        "plugin-failure",
        "policy-ask-denied",
        "policy-blocked",
        "terminal-state-abnormal",
    ]
    .map(str::to_owned)
    .into();
    assert!(robot.categories.is_superset(&wanted), "not seen: {:?}", wanted.difference(&robot.categories));
}

/// Failures in a shell of this machine.
fn local_shell(robot: &mut Robot) {
    let opened = robot.client.succeed("ssh_open", json!({ "profile": "here", "name": "mine" }));
    let id = opened["session"]["session_id"].clone();
    robot.provoke("config-error", "ssh_open", json!({ "profile": "real", "name": "mine" }));
    robot.provoke("policy-blocked", "ssh_run", json!({ "command": "rm -rf /" }));
    robot.provoke("policy-ask-denied", "ssh_run", json!({ "command": "echo deploy" }));
    robot.provoke("plugin-failure", "ssh_run", json!({ "command": "misbehave trap" }));
    robot.provoke("config-error", "ssh_navigate", json!({ "route": "orders-api" }));
    robot.provoke("config-error", "ssh_read", json!({ "head": 1, "tail": 1 }));
    robot.provoke("config-error", "ssh_read", json!({ "pattern": "(" }));
    robot.provoke("config-error", "ssh_send", json!({ "keys": ["no-such-key"] }));
    robot.provoke("file-error", "ssh_read_file", json!({ "path": "/etc/hostname" }));
    let running = robot.client.call("ssh_run", json!({ "command": "sleep 60", "wait_s": 0 }));
    let job = running.structured["job_id"].clone();
    robot.provoke("terminal-state-abnormal", "ssh_run", json!({ "command": "true" }));
    robot.client.succeed("ssh_stop", json!({ "job_id": job, "force": true }));
    // A second one, and it is not clear which is meant.
    let second = robot.client.succeed("ssh_open", json!({ "profile": "here", "new": true }));
    robot.provoke("ambiguous-session", "ssh_run", json!({ "command": "true" }));
    robot.provoke("ambiguous-session", "ssh_open", json!({ "reopen": id }));
    robot.client.succeed("ssh_stop", json!({ "session_id": second["session"]["session_id"] }));
    robot.client.succeed("ssh_stop", json!({ "session_id": id }));
    // What is closed is opened again by the call that is named.
    robot.provoke("connection-failure", "ssh_run", json!({ "command": "true", "session_id": id }));
    robot.client.succeed("ssh_stop", json!({}));
}

/// Failures with files of a real server.
fn files(robot: &mut Robot) {
    robot.client.succeed("ssh_open", json!({ "profile": "real" }));
    for (category, tool, arguments) in [
        ("config-error", "ssh_read_file", json!({ "path": "" })),
        ("file-error", "ssh_read_file", json!({ "path": "no-such-file-of-this-story" })),
        ("policy-blocked", "ssh_read_file", json!({ "path": "/etc/shadow" })),
        ("policy-blocked", "ssh_write_file", json!({ "path": "/etc/passwd", "content": "x" })),
        ("config-error", "ssh_write_file", json!({ "path": "x", "content": "?", "encoding": "base64" })),
        ("config-error", "ssh_write_file", json!({ "path": "x", "content": "", "mode": "rw" })),
    ] {
        robot.provoke(category, tool, arguments);
    }
    robot.client.succeed("ssh_stop", json!({}));
}

/// Failures on the way through a bastion.
fn bastion(robot: &mut Robot) {
    robot.client.call("ssh_open", json!({ "profile": "lab" }));
    robot.provoke("terminal-state-abnormal", "ssh_navigate", json!({ "route": "nowhere" }));
    robot.provoke("config-error", "ssh_navigate", json!({ "route": "nowhere", "place": "x" }));
    robot.provoke("config-error", "ssh_navigate", json!({ "place": "never-saved" }));
}
