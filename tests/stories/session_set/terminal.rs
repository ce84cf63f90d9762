//! Reading, watching, typing, keys, size.

use std::time::Duration;

use e2e::mcp::wait_until;
use serde_json::{Value, json};

use super::{call, connected, connected_in_full_mode, done, refused, run, second_block};

const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn output_is_read_by_offset_without_a_gap_or_a_repetition() {
    let (_sshd, _scene, mut client) = connected();
    let before = done(&mut client, "ssh-session-read", json!({}))["nextOffset"].as_u64().unwrap();
    run(&mut client, "for i in $(seq 1 400); do echo \"❤ line $i\"; done");
    let (mut offset, mut all) = (before, String::new());
    loop {
        let answer = call(&mut client, "ssh-session-read", json!({ "offset": offset, "maxChars": 500 }));
        let read = &answer.structured;
        assert_eq!((&read["requestedOffset"], &read["effectiveOffset"]), (&json!(offset), &json!(offset)), "{read}");
        assert_eq!(read["truncatedBefore"], false, "{read}");
        assert!(read["returnedChars"].as_u64().unwrap() <= 500, "{read}");
        all.push_str(&second_block(&answer));
        offset = read["nextOffset"].as_u64().unwrap();
        if read["truncatedAfter"] == false {
            assert_eq!(read["nextOffset"], read["availableEnd"], "{read}");
            assert!(read.get("readMore").is_none(), "{read}");
            break;
        }
        assert_eq!(read["readMore"]["offset"], read["nextOffset"], "{read}");
    }
    for number in [1, 57, 399, 400] {
        assert_eq!(all.matches(&format!("❤ line {number}\n")).count(), 1, "line {number}");
    }
    let tail = done(&mut client, "ssh-session-read", json!({ "maxChars": 300 }));
    assert_eq!(tail["truncatedBefore"], true, "{tail}");
    let beyond = done(&mut client, "ssh-session-read", json!({ "offset": 1_u64 << 40 }));
    assert_eq!(
        (&beyond["effectiveOffset"], &beyond["returnedChars"]),
        (&beyond["availableEnd"], &json!(0)),
        "{beyond}"
    );
}

#[test]
fn a_read_waits_for_what_comes() {
    let (_sshd, scene, mut client) = connected();
    let gate = scene.path("gate");
    let line = format!("until [ -e {} ]; do sleep 0.05; done; echo come", gate.display());
    call(&mut client, "ssh-run", json!({ "command": line, "waitMs": 0 }));
    let drawn = |client: &mut _| {
        let read = done(client, "ssh-session-read", json!({ "waitForChangeMs": 300 }));
        (read["nextOffset"].clone(), read)
    };
    let (offset, _) = drawn(&mut client);
    let reading = client.begin(
        "tools/call",
        json!({ "name": "ssh-session-read", "arguments": { "offset": offset, "waitForChangeMs": 20_000 } }),
    );
    std::fs::write(&gate, "").unwrap();
    let answer = client.called(reading);
    assert!(answer.text.contains("come"), "{}", answer.text);
}

#[test]
fn watching_tells_news_and_draws_the_terminal() {
    let (_sshd, _scene, mut client) = connected();
    run(&mut client, "echo to-be-seen");
    let first = call(&mut client, "ssh-session-watch", json!({ "waitForChangeMs": 0, "dashboardWidth": 60 }));
    let watched = &first.structured;
    assert_eq!((&watched["dashboardWidth"], &watched["dashboardHeight"]), (&json!(60), &json!(24)), "{watched}");
    let drawn = second_block(&first);
    assert!(drawn.starts_with("board/main ") && drawn.contains("[agent] echo to-be-seen\n"), "{drawn}");
    assert!(drawn.lines().count() <= 24 && drawn.lines().all(|line| line.chars().count() <= 60), "{drawn}");
    let known = json!({
        "outputOffset": watched["nextOutputOffset"], "eventSeq": watched["nextEventSeq"], "waitForChangeMs": 0,
        "includeDashboard": false
    });
    let same = call(&mut client, "ssh-session-watch", known.clone());
    assert_eq!((&same.structured["outputChanged"], &same.structured["eventChanged"]), (&json!(false), &json!(false)));
    assert_eq!(second_block(&same), "");
    run(&mut client, "echo news");
    let changed = done(&mut client, "ssh-session-watch", known);
    assert_eq!((&changed["outputChanged"], &changed["eventChanged"]), (&json!(true), &json!(true)), "{changed}");
}

#[test]
fn history_is_numbered_and_says_who_typed() {
    let (_sshd, _scene, mut client) = connected();
    run(&mut client, "seq 101 130");
    let newest = call(&mut client, "ssh-session-history", json!({ "maxLines": 5 }));
    assert_eq!(newest.structured["truncatedBefore"], true, "{}", newest.text);
    let whole = call(&mut client, "ssh-session-history", json!({ "line": 1, "maxLines": 500 }));
    let history = &whole.structured;
    assert_eq!((&history["effectiveLine"], &history["truncatedAfter"]), (&json!(1), &json!(false)), "{history}");
    let text = second_block(&whole);
    let typed = text.lines().find(|line| line.contains("[agent] seq 101 130")).unwrap_or_else(|| panic!("{text}"));
    let (number, rest) = (typed[..6].trim().parse::<u64>().unwrap(), &typed[6..]);
    assert!(rest.starts_with("  "), "{typed:?}");
    let part = call(&mut client, "ssh-session-history", json!({ "line": number, "maxLines": 3 }));
    assert_eq!((&part.structured["requestedLine"], &part.structured["nextLine"]), (&json!(number), &json!(number + 3)));
    assert_eq!(part.structured["returnedLines"], second_block(&part).lines().count(), "{}", part.text);
    assert_eq!(second_block(&part).lines().next(), Some(typed));
    assert_eq!(part.structured["truncatedAfter"], true, "{}", part.text);
}

#[test]
fn a_program_is_answered_and_a_line_for_a_shell_waits_for_its_enter() {
    let (_sshd, _scene, mut client) = connected_in_full_mode();
    let asks = "read -rp 'Name? ' name; echo \"hello $name\"";
    let asked = call(&mut client, "ssh-run", json!({ "command": asks, "waitMs": 5000 })).structured;
    assert_eq!((&asked["async"], &asked["status"]), (&json!(true), &json!("running")), "{asked}");
    let sent =
        done(&mut client, "ssh-session-send", json!({ "input": "Ada", "appendNewline": true, "actor": "claude" }));
    assert_eq!((&sent["actor"], &sent["sentChars"]), (&json!("claude"), &json!(4)), "{sent}");
    assert!(sent["notes"][0].as_str().unwrap().contains("label"), "{sent}");
    assert!(sent["nextOutputOffset"].is_u64() && sent["nextEventSeq"].is_u64(), "{sent}");
    let id = asked["commandId"].clone();
    let over = wait_until(LIMIT, || {
        let answer = call(&mut client, "ssh-command-status", json!({ "commandId": id }));
        (answer.structured["status"] == "completed").then(|| second_block(&answer))
    });
    assert!(over.as_ref().is_some_and(|text| text.contains("hello Ada")), "{over:?}");
    let held = call(&mut client, "ssh-session-send", json!({ "input": "echo he" })).structured;
    assert_eq!((&held["heldLine"], &held["sentChars"]), (&json!("echo he"), &json!(0)), "{held}");
    let whole = done(&mut client, "ssh-session-send", json!({ "input": "ld", "appendNewline": true }));
    assert!(whole["commandId"].is_string(), "{whole}");
    let seen = wait_until(LIMIT, || {
        second_block(&call(&mut client, "ssh-session-read", json!({}))).contains("\nheld\n").then_some(())
    });
    assert!(seen.is_some());
    let empty = refused(&mut client, "ssh-session-send", json!({ "input": "" }));
    assert_eq!(empty["failureCategory"], "config-error");
}

#[test]
fn keys_are_pressed_and_the_terminal_changes_its_size() {
    let (_sshd, _scene, mut client) = connected_in_full_mode();
    let started = call(&mut client, "ssh-run", json!({ "command": "sleep 600", "waitMs": 1000 })).structured;
    let pressed = done(&mut client, "ssh-session-control", json!({ "control": "ctrl_c" }));
    assert_eq!((&pressed["control"], &pressed["actor"]), (&json!("ctrl_c"), &json!("agent")), "{pressed}");
    let id = started["commandId"].clone();
    let ended = wait_until(LIMIT, || {
        let status = call(&mut client, "ssh-command-status", json!({ "commandId": id })).structured;
        (status["status"] == "completed").then(|| status["exitCode"].clone())
    });
    assert_eq!(ended, Some(json!(130)));
    // At a shell's prompt they would change a line unseen.
    let unseen = refused(&mut client, "ssh-session-control", json!({ "control": "up" }));
    assert_eq!(unseen["error"], "COMMAND_BLOCKED", "{unseen}");
    call(&mut client, "ssh-run", json!({ "command": "cat", "waitMs": 500 }));
    for control in ["enter", "tab", "esc", "up", "down", "left", "right", "backspace", "ctrl_d", "ctrl_c"] {
        let pressed = done(&mut client, "ssh-session-control", json!({ "control": control }));
        assert_eq!(pressed["control"], control, "{pressed}");
    }
    let free = |client: &mut _| done(client, "ssh-session-list", json!({}))["sessions"][0]["inputLock"] == "none";
    wait_until(LIMIT, || free(&mut client).then_some(())).expect("a free prompt");
    let resized = done(&mut client, "ssh-session-resize", json!({ "cols": 101, "rows": 33 }));
    assert_eq!((&resized["cols"], &resized["rows"]), (&json!(101), &json!(33)), "{resized}");
    let (_, size) = run(&mut client, "stty size");
    assert_eq!(size, "33 101\n");
    let wrong = refused(&mut client, "ssh-session-resize", json!({ "cols": 0, "rows": 33 }));
    assert_eq!(wrong["failureCategory"], "config-error", "{wrong}");
    let unknown = refused_arguments(&mut client);
    assert!(unknown["summary"].as_str().unwrap().contains("did you mean `control`"), "{unknown}");
}

fn refused_arguments(client: &mut e2e::mcp::Client) -> Value {
    let answer = call(client, "ssh-session-control", json!({ "controll": "up" }));
    assert!(answer.is_error, "{}", answer.text);
    assert_eq!(answer.structured["failureCategory"], "config-error", "{}", answer.text);
    answer.structured
}
