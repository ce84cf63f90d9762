//! The ways to a host that ask more than a key file.

use e2e::agent::SshAgent;
use e2e::mcp::Client;
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions};
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
