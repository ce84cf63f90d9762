//! `ssh-run`, `ssh-command-status` and `ssh-retry`.

use std::time::Duration;

use e2e::mcp::wait_until;
use serde_json::{Value, json};

use super::{call, connected, connected_in_full_mode, done, refused, run, second_block};

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn a_command_is_told_with_its_exit_code_and_output() {
    let (_sshd, _scene, mut client) = connected();
    let (ran, output) = run(&mut client, "echo one; echo two");
    assert_eq!((&ran["exitCode"], &ran["completionReason"]), (&json!(0), &json!("sentinel")), "{ran}");
    assert_eq!(output, "one\ntwo\n");
    for (field, value) in [
        ("command", json!("echo one; echo two")),
        ("sessionRef", json!("board/main")),
        ("host", json!("127.0.0.1")),
        ("terminalMode", json!("shell")),
        ("operationMode", json!("safe")),
    ] {
        assert_eq!(ran[field], value, "{ran}");
    }
    assert!(ran["elapsedMs"].is_u64(), "{ran}");
    let (ran, _) = run(&mut client, "(exit 3)");
    assert_eq!((&ran["exitCode"], &ran["resultStatus"]), (&json!(3), &json!("success")), "{ran}");
    assert!(ran["exitHint"].is_string(), "{ran}");
}

#[test]
fn what_the_predecessors_trailer_broke_runs_and_leaves_nothing_of_itself() {
    let (_sshd, _scene, mut client) = connected();
    for (command, output) in [
        ("echo a # a note", "a\n"),
        ("echo b\necho c", "b\nc\n"),
        ("cat <<'E'\n> x\nE", "> x\n"),
        ("echo d\\\ne", "de\n"),
    ] {
        let (ran, printed) = run(&mut client, command);
        assert_eq!((printed.as_str(), &ran["exitCode"]), (output, &json!(0)), "{command}: {ran}");
    }
    let (_, history) = run(&mut client, "history 3");
    assert!(!history.contains("MCP_DONE") && !history.contains("printf"), "{history}");
}

#[test]
fn neither_silence_nor_text_like_a_prompt_ends_a_command() {
    let (_sshd, _scene, mut client) = connected();
    let command = "echo begun; printf 'me@host:(50) %%\\n'; sleep 3; echo over; (exit 4)";
    let answer = call(&mut client, "ssh-run", json!({ "command": command, "idleMs": 200 }));
    let ran = &answer.structured;
    assert_eq!((&ran["completionReason"], &ran["exitCode"]), (&json!("sentinel"), &json!(4)), "{ran}");
    assert!(second_block(&answer).ends_with("over\n"), "{}", answer.text);
    assert!(ran["notes"][0].as_str().unwrap().contains("idleMs"), "{ran}");
}

#[test]
fn a_command_that_goes_on_is_asked_for_and_nothing_is_typed_into_it() {
    let (_sshd, scene, mut client) = connected();
    let gate = scene.path("gate");
    let command = format!("echo begun; until [ -e {} ]; do sleep 0.1; done; echo over; (exit 5)", gate.display());
    let started = call(&mut client, "ssh-run", json!({ "command": command, "waitMs": 0 })).structured;
    assert_eq!((&started["resultStatus"], &started["async"]), (&json!("partial_success"), &json!(true)), "{started}");
    assert_eq!((&started["status"], &started["exitCode"]), (&json!("running"), &Value::Null), "{started}");
    let id = started["commandId"].as_str().unwrap().to_owned();
    let busy = refused(&mut client, "ssh-run", json!({ "command": "echo other" }));
    assert_eq!(
        (&busy["error"], &busy["failureCategory"], &busy["resultStatus"]),
        (&json!("AGENT_BUSY"), &json!("runtime-state-abnormal"), &json!("blocked")),
        "{busy}"
    );
    assert!(busy["nextAction"].as_str().unwrap().contains(&id), "{busy}");
    let list = done(&mut client, "ssh-session-list", json!({}));
    assert_eq!(list["sessions"][0]["inputLock"], "agent", "{list}");
    let ask = |client: &mut _| call(client, "ssh-command-status", json!({ "commandId": id }));
    let begun = wait_until(LIMIT, || Some(second_block(&ask(&mut client))).filter(|text| text.contains("begun\n")));
    assert!(begun.is_some(), "the output so far is not told");
    std::fs::write(&gate, "").unwrap();
    let over = wait_until(LIMIT, || Some(ask(&mut client)).filter(|it| it.structured["status"] == "completed"));
    let over = over.expect("the end is told");
    assert_eq!(over.structured["exitCode"], 5, "{}", over.text);
    assert_eq!(second_block(&over), "begun\nover\n");
    // Reading it takes nothing away.
    assert_eq!(ask(&mut client).structured["exitCode"], 5);
    let (_, history) = run(&mut client, "echo after");
    assert_eq!(history, "after\n", "what was refused was not typed");
    for unknown in ["no-such", "board/main:c900", "s-board-1:x"] {
        let error = refused(&mut client, "ssh-command-status", json!({ "commandId": unknown }));
        assert_eq!(error["error"], "UNKNOWN_COMMAND", "{error}");
    }
}

#[test]
fn long_output_keeps_head_and_tail_and_the_rest_can_be_read() {
    let (_sshd, _scene, mut client) = connected();
    let answer = call(&mut client, "ssh-run", json!({ "command": "seq 1 3000", "maxChars": 1000 }));
    let ran = &answer.structured;
    assert_eq!((&ran["outputTruncated"], &ran["totalOutputChars"]), (&json!(true), &json!(13_893)), "{ran}");
    let range = &ran["omittedRange"];
    assert_eq!(range["chars"].as_u64().unwrap(), range["end"].as_u64().unwrap() - range["start"].as_u64().unwrap());
    let output = second_block(&answer);
    assert!(output.starts_with("1\n2\n") && output.trim_end().ends_with("3000"), "{output}");
    let more = &ran["readMore"];
    let read = json!({ "session": more["session"], "offset": more["offset"], "maxChars": 20_000 });
    let whole = second_block(&call(&mut client, "ssh-session-read", read));
    let all: String = (1..=3000).map(|number| format!("{number}\n")).collect();
    assert!(whole.contains(&all), "{whole}");
}

#[test]
fn a_listing_comes_as_data_too() {
    let (_sshd, scene, mut client) = connected();
    std::fs::create_dir(scene.path("listed")).unwrap();
    std::fs::write(scene.path("listed/a file"), "abc").unwrap();
    std::os::unix::fs::symlink("nowhere", scene.path("listed/link")).unwrap();
    let (ran, _) = run(&mut client, &format!("ls -la {}", scene.path("listed").display()));
    let parsed = &ran["parsed"];
    assert_eq!(parsed["type"], "ls_la", "{ran}");
    let entries = parsed["data"].as_array().unwrap();
    let of = |name: &str| entries.iter().find(|entry| entry["name"] == name).unwrap_or_else(|| panic!("{parsed}"));
    assert_eq!((&of("a file")["size"], &of("a file")["type"]), (&json!(3), &json!("file")));
    assert_eq!(of("link")["type"], "link");
}

#[test]
fn a_policy_refuses_in_the_predecessors_words_and_on_every_way() {
    let (_sshd, scene, mut client) = connected();
    let victim = scene.path("victim");
    std::fs::create_dir(&victim).unwrap();
    let line = format!("rm -r -f {}", victim.display());
    for (tool, arguments) in [
        ("ssh-run", json!({ "command": line })),
        ("ssh-retry", json!({ "command": line })),
        ("ssh-session-send", json!({ "input": line, "appendNewline": true })),
        ("ssh-session-send", json!({ "input": format!("{line}\n") })),
        ("ssh-session-open", json!({ "device": "board", "startupInput": format!("{line}\n") })),
    ] {
        let blocked = refused(&mut client, tool, arguments);
        assert_eq!(
            (&blocked["error"], &blocked["failureCategory"], &blocked["resultStatus"]),
            (&json!("COMMAND_BLOCKED"), &json!("policy-blocked"), &json!("blocked")),
            "{tool}: {blocked}"
        );
        assert!(blocked["message"].is_string() && blocked["category"].is_string(), "{tool}: {blocked}");
        assert!(blocked["evidence"][0].as_str().unwrap().starts_with("ruleId="), "{tool}: {blocked}");
    }
    assert!(victim.exists(), "it was run");
}

#[test]
fn a_question_for_a_secret_and_a_program_on_the_whole_screen_are_named() {
    let (_sshd, _scene, mut client) = connected_in_full_mode();
    let asked = refused(&mut client, "ssh-run", json!({ "command": "read -rsp 'Password: ' secret; echo" }));
    assert_eq!(
        (&asked["error"], &asked["terminalMode"]),
        (&json!("PASSWORD_REQUIRED"), &json!("password_prompt")),
        "{asked}"
    );
    for (tool, arguments) in [
        ("ssh-run", json!({ "command": "echo other" })),
        ("ssh-session-send", json!({ "input": "hunter2", "appendNewline": true })),
    ] {
        let refused = refused(&mut client, tool, arguments);
        assert_eq!(
            (&refused["error"], &refused["failureCategory"]),
            (&json!("PASSWORD_REQUIRED"), &json!("terminal-state-abnormal")),
            "{refused}"
        );
    }
    let report = done(&mut client, "ssh-session-diagnostics", json!({ "session": "board/main" }));
    let codes: Vec<&str> = report["warnings"].as_array().unwrap().iter().filter_map(|it| it["code"].as_str()).collect();
    assert!(codes.contains(&"password_prompt"), "{report}");
    done(&mut client, "ssh-session-control", json!({ "control": "ctrl_c" }));
    // A program on the whole screen, without one that has to be installed.
    let screen = "printf '\\033[?1049h'; cat; printf '\\033[?1049l'";
    let shown = call(&mut client, "ssh-run", json!({ "command": screen, "waitMs": 5000 })).structured;
    assert_eq!((&shown["terminalMode"], &shown["async"]), (&json!("editor"), &json!(true)), "{shown}");
    let wrong = refused(&mut client, "ssh-run", json!({ "command": "echo other" }));
    assert_eq!((&wrong["error"], &wrong["terminalMode"]), (&json!("WRONG_TERMINAL_MODE"), &json!("editor")), "{wrong}");
    done(&mut client, "ssh-session-control", json!({ "control": "ctrl_c" }));
}

#[test]
fn a_command_is_run_again_until_it_succeeds_and_only_on_what_is_known() {
    let (_sshd, scene, mut client) = connected();
    let count = scene.path("count").display().to_string();
    let line = format!("echo x >> {count}; [ $(wc -l < {count}) -ge 3 ]");
    let retried = done(&mut client, "ssh-retry", json!({ "command": line, "backoff": "fixed", "delayMs": 1 }));
    assert_eq!(
        (&retried["status"], &retried["attempts"], &retried["exitCode"]),
        (&json!("success"), &json!(3), &json!(0))
    );
    let failed = refused(
        &mut client,
        "ssh-retry",
        json!({ "command": "echo refused", "failPattern": "refused", "maxRetries": 1, "delayMs": 1 }),
    );
    assert_eq!((&failed["status"], &failed["attempts"]), (&json!("failed"), &json!(2)), "{failed}");
    assert_eq!(failed["failureCategory"], "runtime-state-abnormal", "no connection has failed: {failed}");
    let pattern = refused(&mut client, "ssh-retry", json!({ "command": "true", "successPattern": "(" }));
    assert_eq!((&pattern["error"], &pattern["failureCategory"]), (&json!("INVALID_PATTERN"), &json!("config-error")));
    let once = call(&mut client, "ssh-retry", json!({ "command": "(exit 7)", "maxRetries": 0 })).structured;
    assert_eq!((&once["attempts"], &once["exitCode"]), (&json!(1), &json!(7)), "{once}");
}
