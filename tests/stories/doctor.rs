//! `portcullis doctor`: what is wrong, told before and while connecting; and the first ten minutes.

use e2e::home::{Home, alias_of};
use e2e::sshd::{Sshd, SshdOptions};
use serde_json::{Value, json};

fn doctor(home: &Home, arguments: &[&str]) -> (bool, Value) {
    let ran = home.run(&[&["doctor", "--json"], arguments].concat());
    (ran.success, serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr)))
}

fn state<'a>(findings: &'a Value, subject: &str) -> &'a str {
    let found = findings.as_array().unwrap().iter().find(|finding| finding["subject"] == subject);
    found.unwrap_or_else(|| panic!("no {subject} in {findings}"))["state"].as_str().unwrap()
}

#[test]
fn a_good_profile_is_good_at_every_step() {
    let sshd = Sshd::start(SshdOptions::default());
    let home = Home::new();
    home.know("web", &sshd);
    let (success, report) = doctor(&home, &["web", "--connect"]);
    assert!(success, "{report:#}");
    let web = &report["profiles"][0];
    assert_eq!((state(&web["findings"], "key"), state(&web["findings"], "host key")), ("good", "good"));
    for step in ["name", "TCP", "banner", "key exchange", "host key", "authentication", "channel", "terminal", "shell"]
    {
        assert_eq!(state(&web["connection"], step), "good", "{web:#}");
    }
    // The standard policy and its digest.
    assert!(report["general"].to_string().contains("policy-standard "), "{report:#}");
}

#[test]
fn the_failed_step_is_named_and_nothing_after_it_was_tried() {
    let sshd = Sshd::start(SshdOptions::default());
    let home = Home::new();
    home.know("web", &sshd);
    home.write(".ssh/known_hosts", "");
    let (success, report) = doctor(&home, &["web", "--connect"]);
    assert!(!success);
    let web = &report["profiles"][0];
    assert_eq!(state(&web["findings"], "host key"), "problem", "{web:#}");
    assert!(web["findings"].to_string().contains("portcullis trust"), "{web:#}");
    let steps = &web["connection"];
    assert_eq!((state(steps, "key exchange"), state(steps, "host key")), ("good", "problem"), "{steps:#}");
    assert_eq!(state(steps, "authentication"), "not_reached");

    home.know("web", &sshd);
    // In the home, so that it is still there when the server is gone.
    let foreign = home.write(".ssh/foreign", &std::fs::read_to_string(sshd.foreign_key("ed25519").0).unwrap());
    let alias = alias_of("web", &sshd).replace(&sshd.user_key().display().to_string(), &foreign.display().to_string());
    home.write(".ssh/config", &alias);
    let (_, report) = doctor(&home, &["web", "--connect"]);
    let steps = &report["profiles"][0]["connection"];
    assert_eq!((state(steps, "host key"), state(steps, "authentication")), ("good", "problem"), "{steps:#}");

    drop(sshd);
    let (_, report) = doctor(&home, &["web", "--connect"]);
    let steps = &report["profiles"][0]["connection"];
    assert_eq!((state(steps, "name"), state(steps, "TCP")), ("good", "problem"), "{steps:#}");
}

#[test]
fn ssh_hosts_says_the_same_in_short() {
    let home = Home::new();
    home.write(
        ".config/portcullis/portcullis.toml",
        "ssh_config = false\n[profiles.web]\nhost = 'web1'\nuser = 'ann'\nauth = [{ password_env = 'UNSET_HERE' }]\n",
    );
    let mut client = home.client();
    let hosts = client.call("ssh_hosts", json!({}));
    assert!(hosts.text.contains("UNSET_HERE") && hosts.text.contains("portcullis trust web"), "{}", hosts.text);
    assert_eq!(hosts.structured["hosts"][0]["problems"].as_array().unwrap().len(), 2, "{}", hosts.structured);
}

/// What the README tells a new user to do, with nothing but a host in their ssh_config.
#[test]
fn the_first_ten_minutes() {
    let sshd = Sshd::start(SshdOptions::default());
    let home = Home::new();
    home.write(".ssh/config", &alias_of("web1", &sshd));

    let list = home.run(&["config", "profile", "list"]);
    assert!(list.success && list.stdout.contains("web1\t"), "{}{}", list.stdout, list.stderr);
    let before = home.run(&["doctor", "web1"]);
    assert!(!before.success && before.stdout.contains("-> portcullis trust"), "{}", before.stdout);

    // Nobody can be asked here, so the fingerprint comes from the server's own file, as its owner would tell it.
    let key_file = home.write("host_key.pub", &format!("{}\n", sshd.host_public_key("ed25519")));
    let shown = std::process::Command::new("ssh-keygen").arg("-lf").arg(key_file).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let fingerprint = shown.split_whitespace().find(|word| word.starts_with("SHA256:")).unwrap();
    let trusted = home.run(&["trust", "web1", "--fingerprint", fingerprint]);
    assert!(trusted.success, "{}", trusted.stderr);

    let after = home.run(&["doctor", "web1", "--connect"]);
    assert!(after.success, "{}{}", after.stdout, after.stderr);
    let mut client = home.client();
    client.succeed("ssh_open", json!({ "profile": "web1" }));
    assert_eq!(client.succeed("ssh_run", json!({ "command": "echo it works" }))["text"], "it works\n");
}
