//! Modes, settings and the deliveries that are not a command line.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use policy_standard::Standard;
use portcullis_plugin::Actor;
use portcullis_plugin::policy::{Delivery, Mode, Policy, Request, TerminalState};
use support::{decisions, judged, shell_line, verdict};

fn typed(text: &str, delivery: Delivery, terminal: TerminalState) -> Request {
    Request { plan: None, delivery, terminal, ..shell_line(text, Mode::Safe) }
}

#[test]
fn menus_take_one_short_printable_line() {
    for answer in ["1", "master-a", "订单", "q", ""] {
        assert_eq!(verdict(&typed(answer, Delivery::MenuInput, TerminalState::Menu)), "allow", "{answer}");
    }
    for answer in ["1\nrm -rf /", "\u{1b}[A", "a\rb", "x\u{202e}", &"a".repeat(300)] {
        assert_eq!(verdict(&typed(answer, Delivery::MenuInput, TerminalState::Menu)), "deny", "{answer:?}");
    }
}

#[test]
fn only_a_plain_answer_reaches_an_unknown_reader() {
    for answer in ["y", "yes", "no", "3", "main"] {
        assert_eq!(verdict(&typed(answer, Delivery::PtyInput, TerminalState::AwaitingInput)), "allow", "{answer}");
        assert_eq!(verdict(&typed(answer, Delivery::PtyInput, TerminalState::Fullscreen)), "deny", "{answer}");
        assert_eq!(verdict(&typed(answer, Delivery::PtyInput, TerminalState::Unknown)), "deny", "{answer}");
    }
    for text in [":!rm x", "rm x", "a;b", "", "\u{3}"] {
        let expected = if text.is_empty() { "allow" } else { "deny" };
        assert_eq!(verdict(&typed(text, Delivery::PtyInput, TerminalState::AwaitingInput)), expected, "{text:?}");
    }
    let full = Request { mode: Mode::Full, ..typed(":wq", Delivery::PtyInput, TerminalState::Fullscreen) };
    assert_eq!(verdict(&full), "warn");
}

#[test]
fn a_statement_for_an_interpreter_need_not_be_shell() {
    let statement = "for n in (11, 12):";
    let at_shell = Request { mode: Mode::Full, delivery: Delivery::PtyInput, ..shell_line(statement, Mode::Full) };
    assert_eq!(verdict(&at_shell), "deny");
    let reader = portcullis_plugin::Attribute { key: "reader".into(), value: "repl".into() };
    let at_repl = Request { attributes: vec![reader], ..at_shell };
    assert_eq!(verdict(&at_repl), "warn");
    assert_eq!(verdict(&Request { mode: Mode::Safe, ..at_repl.clone() }), "deny");
    let worst = Request { raw: "rm -rf /".into(), plan: shell_line("rm -rf /", Mode::Full).plan, ..at_repl };
    assert_eq!(verdict(&worst), "deny");
}

#[test]
fn a_person_is_warned_but_not_blocked() {
    for line in ["rm -rf /", "vim x", "echo 'open"] {
        let request = Request { actor: Actor::Human, ..shell_line(line, Mode::Safe) };
        assert_eq!(verdict(&request), "warn", "{line}");
    }
}

#[test]
fn log_searches_are_judged_like_lines() {
    let request = |line: &str| Request {
        delivery: Delivery::LogSearch,
        actor: Actor::Automation,
        ..shell_line(line, Mode::Safe)
    };
    assert_eq!(verdict(&request("grep -n -F 'rm -rf /' /var/log/a.log | head -n 50")), "allow");
    assert_eq!(verdict(&request("rm -rf /var/log")), "deny");
}

#[test]
fn a_file_is_read_unless_it_holds_secrets() {
    let read = |line: &str, mode| verdict(&Request { delivery: Delivery::FileRead, ..shell_line(line, mode) });
    for line in [
        "cat -- /home/ann/notes.txt",
        "cat -- '/srv/a b'",
        "cat -- /home/ann/.ssh/id_ed25519.pub",
        "cat -- /home/ann/.ssh/config",
        "ls -la -- /home/ann/.ssh",
        "stat -- /etc/shadow",
        "cat -- /etc/passwd",
    ] {
        assert_eq!(read(line, Mode::Safe), "allow", "{line}");
        assert_eq!(read(line, Mode::Readonly), "allow", "{line}");
    }
    for line in [
        "cat -- /etc/shadow",
        "cat -- /home/ann/.ssh/id_ed25519",
        "cat -- /home/ann/.ssh/deploy",
        "cat -- /etc/ssh/ssh_host_ed25519_key",
        "cat -- /home/ann/.aws/credentials",
        "cat -- /root/.pgpass",
        "cat -- /proc/1/environ",
    ] {
        assert_eq!(read(line, Mode::Safe), "deny", "{line}");
        assert_eq!(read(line, Mode::Full), "warn", "{line}");
        assert_eq!(judged(line, Mode::Safe), "allow", "a command is seen by a person: {line}");
    }
    let listed = |line: &str, allow: &str| {
        let request = Request { delivery: Delivery::FileRead, ..shell_line(line, Mode::Restricted) };
        decisions(&request, allow).iter().all(|it| it.verdict != portcullis_plugin::policy::Verdict::Deny)
    };
    assert!(listed("cat -- /srv/x", r#"{"allow": ["cat"]}"#) && !listed("cat -- /srv/x", "{}"));
}

#[test]
fn a_file_is_written_where_a_line_might_write() {
    let write = |line: &str, mode| verdict(&Request { delivery: Delivery::FileWrite, ..shell_line(line, mode) });
    for line in ["cat > /home/ann/notes.txt", "cat > '/srv/a b'", "cat > /tmp/x"] {
        assert_eq!(write(line, Mode::Safe), "allow", "{line}");
        assert_eq!(write(line, Mode::Readonly), "deny", "{line}");
    }
    for (line, full) in [
        ("cat > /home/ann/.ssh/authorized_keys", "warn"),
        ("cat > /home/ann/.bashrc", "warn"),
        ("cat > /etc/motd", "warn"),
        ("cat > /etc/shadow", "deny"),
        ("cat > /dev/sda", "deny"),
    ] {
        assert_eq!((write(line, Mode::Safe), write(line, Mode::Full)), ("deny", full), "{line}");
    }
}

#[test]
fn a_line_without_a_plan_is_refused() {
    assert_eq!(verdict(&typed("ls", Delivery::ShellLine, TerminalState::AtPrompt)), "deny");
    assert_eq!(verdict(&typed("ls", Delivery::Script, TerminalState::AtPrompt)), "deny");
}

#[test]
fn readonly_runs_reading_commands_only() {
    for line in [
        "ls -la",
        "grep x f | sort | uniq -c",
        "git log -5",
        "kubectl get pods",
        "find . -name x",
        "cat f 2>/dev/null",
        "sudo journalctl -n 5",
        "docker ps",
        "for f in *.log; do wc -l $f; done",
        "sed -n 1p f",
    ] {
        assert_eq!(judged(line, Mode::Readonly), "allow", "{line}");
    }
    for line in [
        "touch f",
        "echo x > f",
        "cp a b",
        "make",
        "./run.sh",
        "git commit -m x",
        "git checkout -b x",
        "rm /tmp/x",
        "curl -o f http://x",
        "sort f -o g",
        "unheard-of",
        "tee f < g",
        "docker build .",
        "awk '{print > \"f\"}' g",
    ] {
        assert_eq!(judged(line, Mode::Readonly), "deny", "{line}");
    }
}

#[test]
fn restricted_runs_listed_programs_only() {
    let settings = r#"{"allow": ["ls", "grep", "kubectl", "sudo"]}"#;
    let allowed = |line: &str| {
        decisions(&shell_line(line, Mode::Restricted), settings)
            .iter()
            .all(|decision| decision.verdict != portcullis_plugin::policy::Verdict::Deny)
    };
    for line in ["ls", "ls | grep x", "/bin/ls", "sudo ls", "kubectl get pods", "kubectl exec p -- ls"] {
        assert!(allowed(line), "{line}");
    }
    for line in
        ["cat f", "ls; cat f", "ls $(cat f)", "nice ls", "kubectl delete pod x", "sh -c ls", "$X", "grep x f > /etc/x"]
    {
        assert!(!allowed(line), "{line}");
    }
    assert!(
        decisions(&shell_line("ls", Mode::Restricted), "{}")
            .iter()
            .any(|decision| decision.rule_id == "restricted/not-listed")
    );
}

#[test]
fn the_directory_the_host_knows_counts() {
    let at = |cwd: &str| Request { cwd: Some(cwd.to_owned()), ..shell_line("rm -rf *", Mode::Full) };
    assert_eq!(verdict(&at("/")), "deny");
    assert_eq!(verdict(&at("/etc")), "deny");
    assert_eq!(verdict(&at("/srv/app")), "warn");
}

#[test]
fn settings_are_checked() {
    assert!(Standard::validate_config("{}").is_empty());
    assert!(Standard::validate_config(r#"{"allow": ["ls"]}"#).is_empty());
    for (text, path) in [
        (r#"{"allow": ["ls", "a b"]}"#, "allow[1]"),
        (r#"{"allow": ["/bin/ls"]}"#, "allow[0]"),
        (r#"{"alow": []}"#, "alow"),
        (r#"{"allow": 3}"#, "allow"),
        ("not json", ""),
    ] {
        let wrong = Standard::validate_config(text);
        assert_eq!(wrong.first().map(|item| item.path.as_str()), Some(path), "{text}");
        assert!(Standard::create(text).is_err(), "{text}");
    }
}

/// Text that a program which is not a shell would take for a command of its own.
const OF_READERS: &[(&str, &[&str])] = &[
    ("editors", &[":!rm x", ":w! /etc/hosts", ":%!sh", "ZZ", ":term", ":wq"]),
    ("pagers", &["!sh", "|sh", "v", ":e /etc/shadow", "&x"]),
    (
        "clients of databases",
        &["\\! id", "system id", "\\i x.sql", "DROP TABLE x;", "delete from t;", ".shell id", "FLUSHALL"],
    ),
    ("interpreters", &["import os; os.remove('x')", "exec('x')", "require('fs')", "`id`", "%system id", "!id"]),
    ("debuggers", &["shell id", "!id", "call system(\"id\")", "python print(1)", "kill"]),
    (
        "network devices",
        &[
            "reload",
            "write erase",
            "configure terminal",
            "no interface Gi0/1",
            "request system zeroize",
            "erase startup-config",
        ],
    ),
    (
        "other shells",
        &["Remove-Item -Recurse x", "del /s /q *", "format c:", "set -e x; rm (ls)", "foreach f (*)", "Stop-Computer"],
    ),
    ("nested sessions", &["~C", "~.", "\u{1d}", "exit; reboot", "sudo reboot"]),
];

#[test]
fn what_a_reader_would_run_is_refused_in_safe_whatever_the_state() {
    for (reader, texts) in OF_READERS {
        for text in *texts {
            for terminal in [
                TerminalState::AwaitingInput,
                TerminalState::Fullscreen,
                TerminalState::Running,
                TerminalState::Unknown,
            ] {
                let plain = terminal == TerminalState::AwaitingInput
                    && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter));
                let request = Request { delivery: Delivery::PtyInput, terminal, ..shell_line(text, Mode::Safe) };
                assert!(plain || verdict(&request) == "deny", "{reader}: {text:?} at {terminal:?}");
            }
        }
    }
}

#[test]
fn a_line_of_another_shell_is_no_safer_than_one_of_ours() {
    for (line, full) in [
        ("rm -rf (echo /)", "deny"),
        ("set x rm; $x -rf /", "warn"),
        ("begin; rm -rf /; end", "deny"),
        ("foreach f (/etc)\nrm -rf $f\nend", "deny"),
        ("if (1) rm -rf /", "deny"),
        ("=rm -rf /etc", "warn"),
        ("noglob rm -rf /", "deny"),
        ("Remove-Item -Recurse -Force x", "warn"),
        ("Stop-Computer", "warn"),
        ("Invoke-Expression $x", "warn"),
        ("rm -rf / ; and echo x", "deny"),
    ] {
        assert_eq!(verdict(&shell_line(line, Mode::Safe)), "deny", "{line}");
        assert_eq!(verdict(&shell_line(line, Mode::Full)), full, "{line}");
    }
}

#[test]
fn a_network_device_is_only_looked_at() {
    let at_device = |text: &str, mode| {
        let mut request = shell_line(text, mode);
        request.endpoint.levels.push(portcullis_plugin::Level {
            kind: portcullis_plugin::LevelKind::NetworkCli,
            label: "switch".to_owned(),
            dialect: portcullis_plugin::ShellDialect::Unknown,
            attributes: Vec::new(),
        });
        verdict(&request)
    };
    for line in
        ["show version", "show ip interface brief | include up", "display vlan", "ping 10.0.0.1", "terminal length 0"]
    {
        assert_eq!(at_device(line, Mode::Safe), "allow", "{line}");
    }
    for line in [
        "reload",
        "write erase",
        "erase startup-config",
        "configure terminal",
        "no shutdown",
        "copy running-config tftp:",
        "request system zeroize",
        "delete flash:x",
        "show run | redirect tftp://x",
        "show version; reload",
        "start shell",
        "clear counters",
    ] {
        assert_eq!(at_device(line, Mode::Safe), "deny", "{line}");
        assert_eq!(at_device(line, Mode::Full), "warn", "{line}");
    }
    assert_eq!(at_device("rm -rf /", Mode::Full), "deny");
}

#[test]
fn a_line_of_many_faults_is_answered_with_the_worst_of_them() {
    let line = format!("{}rm -rf /", "systemctl stop a; ".repeat(200));
    let answer = decisions(&shell_line(&line, Mode::Full), "{}");
    assert_eq!(answer.len(), 64);
    assert_eq!(answer[0].rule_id, "delete/root");
    let beyond = decisions(&shell_line(&"rm -rf /; ".repeat(300), Mode::Full), "{}");
    assert_eq!(beyond.iter().map(|decision| decision.rule_id.as_str()).collect::<Vec<_>>(), ["input/limit"]);
}
