//! The ways to a host that ask more than a key file.

use std::time::Duration;

use e2e::agent::SshAgent;
use e2e::mcp::{Client, wait_until};
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Signal, Sshd, SshdOptions};
use serde_json::json;

#[test]
fn an_agent_is_found_by_the_environment_and_missed_with_every_place() {
    let sshd = Sshd::start(SshdOptions::default());
    let agent = SshAgent::start();
    agent.add(&sshd.user_key());
    let scene = Scene::empty();
    let key = sshd_profile("host", &sshd);
    let start = key.find("auth = ").unwrap();
    let end = start + key[start..].find('\n').unwrap();
    scene.configure(&key.replace(&key[start..end], "auth = [{ agent = true }]"));
    let socket = agent.socket().display().to_string();
    let home = scene.path("home").display().to_string();
    let start = |socket: &str| {
        let environment = [("SSH_AUTH_SOCK", socket), ("HOME", &*home), ("XDG_RUNTIME_DIR", &*home)];
        Client::start(&scene.path("portcullis.toml"), &environment)
    };
    let opened = start(&socket).succeed("ssh_open", json!({ "profile": "host" }));
    assert_eq!(opened["session"]["state"], "at_prompt", "{opened}");

    let missed = start("").fail("ssh_open", json!({ "profile": "host" }));
    let summary = missed["summary"].as_str().unwrap();
    assert!(summary.contains("SSH_AUTH_SOCK: not set"), "{summary}");
    assert!(summary.contains(&format!("{home}/keyring/ssh: no such socket")), "{summary}");
    assert_eq!(missed["failure_category"], "config-error", "{missed}");
}

#[test]
fn a_host_behind_another_is_opened_and_its_end_names_the_hop() {
    let (bastion, inner) = (Sshd::start(SshdOptions::default()), Sshd::start(SshdOptions::default()));
    let scene = Scene::empty();
    let profiles = [sshd_profile("inner", &inner), "jump = [\"bastion\"]\n".into(), sshd_profile("bastion", &bastion)];
    scene.configure(&profiles.concat());
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "inner" }));
    let host = opened["session"]["host"].as_str().unwrap();
    assert!(host.ends_with(&format!(":{} through bastion", inner.port())), "{opened}");
    assert_eq!(client.succeed("ssh_run", json!({ "command": "echo over" }))["text"], "over\n");

    bastion.signal_connections(Signal::KILL);
    let session_id = opened["session"]["session_id"].clone();
    let closed = wait_until(Duration::from_secs(20), || {
        let read = client.call("ssh_read", json!({ "session_id": session_id }));
        read.structured["session"]["closed_reason"].as_str().map(str::to_owned)
    });
    let reason = closed.expect("the session ends");
    assert!(reason.starts_with("the connection to the hop bastion ("), "{reason}");
}

#[test]
fn variables_of_a_profile_are_in_the_shell_where_the_server_takes_them() {
    let config_lines = vec!["AcceptEnv STAGE".to_owned()];
    let sshd = Sshd::start(SshdOptions { config_lines, ..SshdOptions::default() });
    let scene = Scene::empty();
    let variables = "set_env = { STAGE = \"test one\", REFUSED = \"x\" }\n";
    scene.configure(&format!("{}{variables}", sshd_profile("host", &sshd)));
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "host" }));
    let shown = client.succeed("ssh_run", json!({ "command": "echo \"$STAGE|${REFUSED-none}\"" }));
    assert_eq!(shown["text"], "test one|none\n");
}

#[test]
fn a_failed_connection_tells_what_is_wrong_with_the_profile() {
    let sshd = Sshd::start(SshdOptions::default());
    let scene = Scene::empty();
    let profile = sshd_profile("host", &sshd);
    let key = sshd.user_key().display().to_string();
    let missing = scene.path("missing_key").display().to_string();
    let (first, second) = (format!("{{ key_file = {key:?} }}"), format!("{{ key_file = {missing:?} }}"));
    // The server is gone, so the key that is missing too is not what the connection fails at.
    scene.configure(&profile.replace(&first, &format!("{first}, {second}")));
    drop(sshd);
    let mut client = scene.client();
    let failed = client.call("ssh_open", json!({ "profile": "host" }));
    assert_eq!(failed.structured["result_status"], "failure", "{}", failed.text);
    let diagnosis = failed.structured["diagnosis"].to_string();
    assert!(diagnosis.contains("missing_key"), "{diagnosis}");
    assert!(failed.text.contains("missing_key"), "{}", failed.text);
}
