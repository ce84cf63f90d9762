//! Reading: output by offset, the numbered history, jobs, encodings.

use std::time::Duration;

use e2e::mcp::Client;
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions};
use serde_json::{Value, json};

fn opened(further: &str) -> (Sshd, Scene, Client) {
    let sshd = Sshd::start(SshdOptions::default());
    let scene = Scene::empty();
    scene.configure(&format!("{}{further}", sshd_profile("host", &sshd)));
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "host" }));
    (sshd, scene, client)
}

fn text(value: &Value) -> &str {
    value["text"].as_str().unwrap()
}

/// Reads pages from `from` until there is no more.
fn pages(client: &mut Client, from: &Value, max_chars: u64) -> Vec<Value> {
    let mut pages = Vec::new();
    let mut offset = from.clone();
    loop {
        let page =
            client.succeed("ssh_read", json!({ "what": "output", "offset_bytes": offset, "max_chars": max_chars }));
        assert_eq!(page["offset_bytes"], offset, "pages follow each other");
        let next = page["next_offset_bytes"].clone();
        let done = next == page["end_offset_bytes"];
        assert!(done || next.as_u64() > offset.as_u64(), "{page}");
        assert_eq!(page.get("next").is_none(), done, "{page}");
        pages.push(page);
        if done {
            return pages;
        }
        offset = next;
    }
}

#[test]
fn output_is_paged_by_offset_and_nothing_is_torn() {
    let (_sshd, _scene, mut client) = opened("");
    let line = r"for n in $(seq 1 900); do printf '%s 字宽❤é \033[1;31mred\033[0m\n' $n; done";
    let ran = client.succeed("ssh_run", json!({ "command": line, "max_chars": 40000 }));
    let expected: String = (1..=900).map(|n| format!("{n} 字宽❤é red\n")).collect();
    assert_eq!(text(&ran), expected);
    let from = ran["span"]["from"].clone();
    let all: String = pages(&mut client, &from, 777).iter().map(text).collect();
    assert!(all.starts_with(&expected), "{}", &all[..200]);
    // The same bytes have the same offset later on.
    client.succeed("ssh_run", json!({ "command": "echo later" }));
    let again = client.succeed("ssh_read", json!({ "what": "output", "offset_bytes": from, "max_chars": 777 }));
    assert!(expected.starts_with(text(&again)) && again["evicted_bytes"] == 0, "{again}");
    // Without an offset it is the newest.
    let newest = client.succeed("ssh_read", json!({ "what": "output", "max_chars": 300 }));
    assert!(text(&newest).contains("later") && !text(&newest).contains("字宽❤é red\n1 "), "{newest}");
    let found = client
        .succeed("ssh_read", json!({ "what": "output", "offset_bytes": from, "pattern": "^(7|8)99 ", "tail": 1 }));
    assert_eq!((text(&found), &found["matches"]), ("899 字宽❤é red\n", &json!(2)));
}

#[test]
fn what_was_evicted_is_said() {
    let (_sshd, _scene, mut client) = opened("");
    client.succeed("ssh_run", json!({ "command": "seq 1 900000", "wait_s": 50 }));
    let old = client.succeed("ssh_read", json!({ "what": "output", "offset_bytes": 0, "max_chars": 200 }));
    let (evicted, offset) = (old["evicted_bytes"].as_u64().unwrap(), old["offset_bytes"].as_u64().unwrap());
    assert!(evicted > 1_000_000 && evicted == offset, "{old}");
    let history = client.succeed("ssh_read", json!({ "what": "history", "from_line": 1, "to_line": 20 }));
    assert!(history["evicted_lines"].as_u64().unwrap() > 0, "{history}");
    let newest = client.succeed("ssh_read", json!({ "what": "history", "tail": 3 }));
    assert!(text(&newest).contains("c1 ended, exit 0") || text(&newest).contains("900000"), "{newest}");
    assert!(newest["total_lines"].as_u64().unwrap() > 900_000, "{newest}");
}

#[test]
fn history_numbers_lines_of_everybody_and_keeps_the_numbers() {
    let (_sshd, _scene, mut client) = opened("");
    client.succeed("ssh_run", json!({ "command": "printf 'alpha\\nbeta\\n'" }));
    client.fail("ssh_run", json!({ "command": "rm -rf /" }));
    let history = client.succeed("ssh_read", json!({ "what": "history" }));
    let lines: Vec<(u64, &str)> = text(&history)
        .lines()
        .map(|line| line.trim_start().split_once("  ").unwrap_or((line.trim(), "")))
        .map(|(number, text)| (number.parse().unwrap(), text))
        .collect();
    let find = |wanted: &str| {
        lines.iter().find(|(_, text)| text.contains(wanted)).unwrap_or_else(|| panic!("no {wanted}: {history}")).0
    };
    let order = [
        "[session] opened on",
        "[session] now at",
        "[agent] printf",
        "alpha",
        "beta",
        "[session] c1 ended, exit 0",
        "not sent: rm -rf /",
    ];
    // The echoed line holds the words of the output.
    let after =
        |number: u64, wanted: &str| lines.iter().find(|(at, text)| *at > number && *text == wanted).map(|it| it.0);
    let typed = find(order[2]);
    let alpha = after(typed, "alpha").unwrap();
    assert_eq!(after(alpha, "beta"), Some(alpha + 1));
    assert!(find(order[0]) < find(order[1]) && find(order[1]) < typed && typed < alpha, "{history}");
    assert!(alpha < find(order[5]) && find(order[5]) < find(order[6]), "{history}");

    client.succeed("ssh_run", json!({ "command": "seq 1 500" }));
    let same = client.succeed("ssh_read", json!({ "what": "history", "from_line": alpha, "to_line": alpha + 1 }));
    assert_eq!(text(&same), format!("{:>6}  alpha\n{:>6}  beta\n", alpha, alpha + 1));
    let found = client.succeed("ssh_read", json!({ "what": "history", "grep": "[agent]" }));
    assert_eq!(found["matches"], 2, "{found}");
    let first = client.succeed("ssh_read", json!({ "what": "history", "head": 1 }));
    assert!(text(&first).starts_with("     1  [session] opened on"), "{first}");
}

#[test]
fn a_jobs_output_is_read_by_lines() {
    let (_sshd, _scene, mut client) = opened("");
    let ran = client.succeed("ssh_run", json!({ "command": "seq 1 5000" }));
    let job = &ran["job_id"];
    let cases = [
        (json!({ "head": 2 }), "1\n2\n"),
        (json!({ "tail": 2 }), "4999\n5000\n"),
        (json!({ "from_line": 41, "to_line": 42 }), "41\n42\n"),
        (json!({ "grep": "499", "head": 2 }), "499\n1499\n"),
        (json!({ "pattern": "^5..00$" }), ""),
        (json!({ "pattern": "^[34]00$" }), "300\n400\n"),
    ];
    for (mut arguments, expected) in cases {
        arguments["job_id"] = job.clone();
        let read = client.succeed("ssh_read", arguments.clone());
        assert_eq!((text(&read), &read["total_lines"]), (expected, &json!(5000)), "{arguments}");
    }
    let part = client.succeed("ssh_read", json!({ "job_id": job, "from_line": 1, "max_chars": 200 }));
    let next = part["next"]["arguments"].clone();
    assert_eq!(next["from_line"], part["to_line"].as_u64().unwrap() + 1, "{part}");
    assert!(text(&client.succeed("ssh_read", next)).starts_with(&format!("{}\n", part["next_line"])));
    for wrong in [
        json!({ "job_id": job, "head": 1, "tail": 1 }),
        json!({ "job_id": job, "grep": "a", "pattern": "a" }),
        json!({ "job_id": job, "pattern": "(" }),
        json!({ "job_id": job, "what": "screen" }),
        json!({ "what": "job" }),
        json!({ "offset_bytes": 0 }),
    ] {
        assert_eq!(client.fail("ssh_read", wrong.clone())["failure_category"], "config-error", "{wrong}");
    }
}

#[test]
fn a_read_waits_for_what_comes_next() {
    let (_sshd, _scene, mut client) = opened("");
    let now = client.succeed("ssh_read", json!({ "what": "output" }));
    let since = now["end_offset_bytes"].clone();
    let nothing = client.succeed("ssh_read", json!({ "what": "output", "since_bytes": since, "wait_s": 1 }));
    assert_eq!(nothing["changed"], false);
    let waiting = client.begin(
        "tools/call",
        json!({ "name": "ssh_read", "arguments": { "what": "output", "offset_bytes": since, "wait_s": 40 } }),
    );
    let started = std::time::Instant::now();
    // Its own answer may come before or after that of the read; only the read's is of interest.
    client.begin("tools/call", json!({ "name": "ssh_run", "arguments": { "command": "echo awaited" } }));
    let read = client.called(waiting);
    assert_eq!(read.structured["changed"], true, "{}", read.text);
    assert!(read.text.contains("echo awaited") && started.elapsed() < Duration::from_secs(20), "{}", read.text);
}

#[test]
fn the_screen_is_read_as_it_is_seen() {
    let (_sshd, _scene, mut client) = opened("");
    client.succeed("ssh_run", json!({ "command": r"printf '\033]0;my title\007'; clear; echo top" }));
    let screen = client.succeed("ssh_read", json!({}));
    assert!(text(&screen).starts_with("top\n"), "{screen}");
    let cursor = &screen["cursor"];
    assert_eq!(
        (&cursor["row"], &cursor["alternate_screen"], &cursor["title"]),
        (&json!(1), &json!(false), &json!("my title"))
    );
    let running =
        client.call("ssh_run", json!({ "command": r"printf '\033[?1049h\033[3;5Hfull'; sleep 60", "wait_s": 1 }));
    assert_eq!(running.structured["outcome"], "fullscreen", "{}", running.text);
    let full = client.succeed("ssh_read", json!({}));
    assert_eq!(full["cursor"]["alternate_screen"], true, "{full}");
    assert_eq!((&full["cursor"]["row"], &full["cursor"]["column"]), (&json!(2), &json!(8)));
    assert!(text(&full).contains("    full"), "{full}");
}

#[test]
fn a_host_that_writes_gbk_is_read_and_typed_to_in_gbk() {
    let (_sshd, _scene, mut client) = opened("encoding = \"gbk\"\n");
    // 你好 in GBK.
    let ran = client.succeed("ssh_run", json!({ "command": r"printf '\304\343\272\303\n'" }));
    assert_eq!(text(&ran), "你好\n");
    let typed = client.succeed("ssh_run", json!({ "command": "printf 你好 | od -An -tx1" }));
    assert_eq!(text(&typed).trim(), "c4 e3 ba c3");
}

#[test]
fn a_gbk_menu_leads_to_a_utf8_shell() {
    let scene = Scene::empty();
    // 请选择 in GBK, then a shell.
    let menu = r#"bash -c "printf '\307\353\321\241\324\361: '; read choice; exec bash --norc -i""#;
    let options = SshdOptions { config_lines: vec![format!("ForceCommand {menu}")], ..SshdOptions::default() };
    let sshd = Sshd::start(options);
    let further = "encoding = \"gbk\"\nnavigator = { plugin = \"navigator-cmsm\" }\n";
    scene.configure(&format!("{}{further}", sshd_profile("menu", &sshd)));
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "menu" }));
    let menu =
        client.succeed("ssh_read", json!({ "what": "output", "offset_bytes": 0, "since_bytes": 0, "wait_s": 20 }));
    assert_eq!(text(&menu), "请选择: ", "{menu}");
    client.succeed("ssh_send", json!({ "text": "1", "enter": true, "wait_s": 20 }));
    let ran = client.succeed("ssh_run", json!({ "command": "echo 你好" }));
    assert_eq!(text(&ran), "你好\n");
    let history = client.succeed("ssh_read", json!({ "what": "history" }));
    assert!(text(&history).contains("请选择") && text(&history).contains("[agent] 1"), "{history}");
}
