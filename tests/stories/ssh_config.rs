//! What `ssh HOST` reaches, a profile reaches, without any file of ours.

use std::time::Duration;

use e2e::home::{Home, alias_of};
use e2e::mcp::wait_until;
use e2e::sshd::{Sshd, SshdOptions};
use serde_json::json;

#[test]
fn an_alias_is_a_profile_without_any_further_file() {
    let sshd = Sshd::start(SshdOptions::default());
    let home = Home::new();
    home.know("web", &sshd);
    let mut client = home.client();
    let hosts = client.succeed("ssh_hosts", json!({}));
    let web = hosts["hosts"].as_array().unwrap().iter().find(|host| host["profile"] == "web").unwrap();
    assert_eq!(web["address"], format!("127.0.0.1:{}", sshd.port()), "{hosts}");
    assert_eq!((&web["policy_mode"], &web["origin"]), (&json!("safe"), &json!("ssh_config, host web")));
    client.succeed("ssh_open", json!({ "profile": "web" }));
    assert_eq!(client.succeed("ssh_run", json!({ "command": "echo here" }))["text"], "here\n");
}

#[test]
fn a_profile_of_the_same_name_wins_and_may_take_the_rest_from_the_alias() {
    let sshd = Sshd::start(SshdOptions::default());
    let home = Home::new();
    home.know("web", &sshd);
    home.write(
        ".config/portcullis/portcullis.toml",
        "[profiles.web]\nhost = 'elsewhere'\nuser = 'bob'\n\
         [profiles.same]\nssh_config_host = 'web'\nlabel = 'The web server'\npolicy_mode = 'readonly'\n",
    );
    let mut client = home.client();
    let hosts = client.succeed("ssh_hosts", json!({}));
    let host = |name: &str| hosts["hosts"].as_array().unwrap().iter().find(|host| host["profile"] == name).unwrap();
    assert_eq!((&host("web")["address"], &host("web")["user"]), (&json!("elsewhere:22"), &json!("bob")));
    assert_eq!(host("same")["label"], "The web server");
    let opened = client.succeed("ssh_open", json!({ "profile": "same" }));
    assert_eq!(opened["session"]["state"], "at_prompt");
}

#[test]
fn proxy_jump_and_host_key_alias_are_followed() {
    let (gate, inner) = (Sshd::start(SshdOptions::default()), Sshd::start(SshdOptions::default()));
    let home = Home::new();
    let known = |sshd: &Sshd| std::fs::read_to_string(sshd.known_hosts()).unwrap();
    let farm = known(&inner).replace(&format!("[{}]:{}", inner.host(), inner.port()), "farm");
    home.write(".ssh/known_hosts", &format!("{}{farm}", known(&gate)));
    let further = "  ProxyJump gate\n  HostKeyAlias farm\n";
    home.write(".ssh/config", &format!("{}{further}{}", alias_of("inner", &inner), alias_of("gate", &gate)));
    let mut client = home.client();
    client.succeed("ssh_open", json!({ "profile": "inner" }));
    let ran = client.succeed("ssh_run", json!({ "command": "echo ${SSH_CONNECTION##* }" }));
    assert_eq!(ran["text"], format!("{}\n", inner.port()), "{ran}");
    assert!(gate.log().contains("Accepted publickey"), "{}", gate.log());
    // Without the gate's key, the gate is what is refused, where no viewer runs to ask a person.
    home.write(".ssh/known_hosts", &farm);
    home.write(".config/portcullis/portcullis.toml", "[viewer]\nenabled = false\n");
    let refused = home.client().fail("ssh_open", json!({ "profile": "inner" }));
    assert!(refused["summary"].as_str().unwrap().contains("hop 1 of 1, gate"), "{refused}");
}

/// `ssh -W` through `gate`, as people write it.
fn through(gate: &Sshd) -> String {
    format!(
        "  ProxyCommand ssh -F /dev/null -o BatchMode=yes -o UserKnownHostsFile={} -i {} -p {} {}@{} -W %h:%p\n",
        gate.known_hosts().display(),
        gate.user_key().display(),
        gate.port(),
        gate.user(),
        gate.host()
    )
}

/// Whether a process of this machine was started with this among its arguments.
fn runs(argument: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .any(|line| line.split(|byte| *byte == 0).any(|given| given == argument.as_bytes()))
}

#[test]
fn a_proxy_command_carries_the_connection_and_ends_with_it() {
    let (gate, inner) = (Sshd::start(SshdOptions::default()), Sshd::start(SshdOptions::default()));
    let home = Home::new();
    home.write(".ssh/known_hosts", &std::fs::read_to_string(inner.known_hosts()).unwrap());
    home.write(".ssh/config", &format!("{}{}", alias_of("inner", &inner), through(&gate)));
    let mut client = home.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "inner" }));
    assert!(opened["session"]["host"].as_str().unwrap().ends_with(" by its proxy_command"), "{opened}");
    let ran = client.succeed(
        "ssh_run",
        json!({ "command": "seq 1 20000 | sha256sum | cut -c1-8; exit_code() { return 3; }; exit_code" }),
    );
    assert_eq!((&ran["text"], &ran["exit_code"]), (&json!("f6351f5e\n"), &json!(3)), "{ran}");
    assert!(gate.log().contains("Accepted publickey"), "{}", gate.log());
    let target = format!("{}:{}", inner.host(), inner.port());
    assert!(runs(&target));
    client.succeed("ssh_stop", json!({ "session_id": opened["session"]["session_id"] }));
    assert!(wait_until(Duration::from_secs(5), || (!runs(&target)).then_some(())).is_some(), "it still runs");
}

#[test]
fn a_proxy_command_that_fails_is_told_with_its_last_words() {
    let sshd = Sshd::start(SshdOptions::default());
    let home = Home::new();
    home.know("web", &sshd);
    home.write(
        ".config/portcullis/portcullis.toml",
        "[profiles.shut]\nssh_config_host = 'web'\nproxy_command = \"sh -c 'echo no way to %h >&2; exit 7'\"\n\
         [profiles.mute]\nssh_config_host = 'web'\nproxy_command = 'sleep 60'\nconnect_timeout_s = 1\n",
    );
    let mut client = home.client();
    let shut = client.fail("ssh_open", json!({ "profile": "shut" }));
    let summary = shut["summary"].as_str().unwrap();
    assert!(summary.contains("exit status: 7") && summary.contains("\"no way to 127.0.0.1\""), "{shut}");
    let mute = client.fail("ssh_open", json!({ "profile": "mute" }));
    assert!(mute["summary"].as_str().unwrap().contains("identification line took longer than 1 s"), "{mute}");
}

#[test]
fn what_cannot_be_honoured_stops_one_profile_only() {
    let sshd = Sshd::start(SshdOptions::default());
    let home = Home::new();
    home.know("web", &sshd);
    let far = "Host far\n  ProxyCommand nc -F %h %p\n  ProxyUseFdpass yes\n";
    home.write(".ssh/config", &format!("{far}{}", alias_of("web", &sshd)));
    let mut client = home.client();
    let hosts = client.call("ssh_hosts", json!({}));
    assert_eq!(hosts.structured["unusable"][0]["profile"], "far", "{}", hosts.text);
    assert!(hosts.text.contains("`ProxyUseFdpass`") && !hosts.text.contains("nc -F"), "{}", hosts.text);
    let refused = client.fail("ssh_open", json!({ "profile": "far" }));
    assert_eq!(refused["failure_category"], "config-error", "{refused}");
    assert!(refused["summary"].as_str().unwrap().contains("without that option"), "{refused}");
    client.succeed("ssh_open", json!({ "profile": "web" }));
}

#[test]
fn a_broken_ssh_config_and_no_file_at_all_stop_nothing() {
    let home = Home::new();
    home.write(".ssh/config", "Host web\n  Portt 22\n");
    home.write(
        ".config/portcullis/portcullis.toml",
        "ssh_config = '~/.ssh/config'\n[profiles.own]\nhost = 'own.example.com'\nuser = 'ann'\n",
    );
    let hosts = home.client().call("ssh_hosts", json!({}));
    assert_eq!(hosts.structured["hosts"].as_array().unwrap().len(), 1, "{}", hosts.text);
    assert!(hosts.text.contains("config:2") && hosts.text.contains("`port`"), "{}", hosts.text);

    let empty = Home::new();
    // The machine's own ssh_config is left out.
    empty.write(".config/portcullis/portcullis.toml", "ssh_config = false\n");
    let mut client = empty.client();
    let hosts = client.call("ssh_hosts", json!({}));
    assert!(!hosts.is_error && hosts.text.contains("~/.ssh/config"), "{}", hosts.text);
    let refused = client.fail("ssh_open", json!({ "profile": "web" }));
    assert!(refused["summary"].as_str().unwrap().contains("there are no profiles"), "{refused}");
}

#[test]
fn the_only_profile_needs_no_name() {
    let sshd = Sshd::start(SshdOptions::default());
    let home = Home::new();
    home.know("web", &sshd);
    home.write(".config/portcullis/portcullis.toml", "default_profile = 'web'\n");
    let opened = home.client().succeed("ssh_open", json!({}));
    assert_eq!(opened["session"]["profile"], "web");
}
