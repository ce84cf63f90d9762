//! Traps that other tools of this kind have fallen into (peers.md §4) and that the table does not
//! have. Those about the program itself stand in `stories/`: standard input's end, policies on
//! every tool, quoting, dead hosts.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::case::{Case, Row};
use crate::report::{Judged, Kind, check, wrong};
use crate::shells::{Shell, Transport};

pub(crate) const ROWS: &[Row] = &[
    Row::new("a", "a marker in the echoed line", Shell::ALL, marker_in_echo),
    Row::new("b", "a printf behind the command", Shell::ALL, printf_behind),
    Row::new("c", "a second command while one runs", Shell::ALL, second_while_busy),
    Row::new("d", "the time to wait is over", Shell::ALL, waiting_is_over),
    Row::new("e", "100,000 lines", Shell::ALL, many_lines),
    Row::new("f", "one slow session beside another", &[Shell::Bash], beside_another)
        .on(&[Transport::Sshd, Transport::Slow]),
    Row::new("g", "quotes of all kinds", Shell::ALL, quotes),
];

fn marker_in_echo(case: &mut Case<'_>) -> Judged {
    let text = "]133;D;0;aid=1.1;q=9 ]133;B @@0123abcd:0@@ __pc_prompt EXITCODESTART0EXITCODEEND";
    case.exact(&format!("echo '{text}'"), 0, &format!("{text}\n"))?;
    case.exact(&format!("sh -c 'exit 3' '{text}'"), 3, "")?;
    case.lives()
}

fn printf_behind(case: &mut Case<'_>) -> Judged {
    case.exact("false; printf done", 0, "done")?;
    case.exact("printf done; false", 1, "done")?;
    case.lives()
}

fn second_while_busy(case: &mut Case<'_>) -> Judged {
    let report = case.run_for("sleep 5; echo first", Duration::from_millis(500))?;
    report.running()?;
    match case.stage.submit("echo second") {
        Ok(()) => return wrong(Kind::Submission, "a second command was typed into the first"),
        Err(refused) => {
            let named = refused.reason.contains("running");
            check(named, Kind::Other, || format!("the refusal does not say what runs: {}", refused.reason))?;
        }
    }
    case.ends(0)?.text_is("first\n")?;
    let screen = case.stage.screen();
    check(!screen.contains("second"), Kind::Submission, || format!("it was typed:\n{screen}"))?;
    case.lives()
}

fn waiting_is_over(case: &mut Case<'_>) -> Judged {
    for code in [4, 0] {
        let report =
            case.run_for(&format!("sh -c 'echo early; sleep 4; echo late; exit {code}'"), Duration::from_secs(1))?;
        report.running()?;
        case.ends(code)?.text_is("early\nlate\n")?;
    }
    case.lives()
}

/// On the bad line 3,000: there every byte is a delivery of its own.
fn many_lines(case: &mut Case<'_>) -> Judged {
    let count = if case.is_slow() { 3_000 } else { 100_000 };
    let report = case.completed(&format!("seq 1 {count}"), 0)?;
    let whole: String = (1..=count).map(|number| format!("{number}\n")).collect();
    let ends_meet = report.text.starts_with("1\n2\n3\n") && report.text.ends_with(&format!("{}\n{count}\n", count - 1));
    let left_out = report.fields["omitted_chars"].as_u64().unwrap_or(0);
    check(ends_meet && (left_out > 0 || report.text == whole), Kind::Output, || {
        format!("{} characters of {}, {left_out} said to be left out", report.text.len(), whole.len())
    })?;
    case.lives()
}

fn beside_another(case: &mut Case<'_>) -> Judged {
    case.submit("sleep 8; echo slept")?;
    let Some((desk, _)) = case.stage.remote() else {
        return wrong(Kind::Other, "this row needs the program");
    };
    let profile = crate::world::profile_name(Shell::Dash, Transport::Sshd);
    let opened = desk.client().succeed("ssh_open", json!({ "profile": profile, "new": true }));
    let other = opened["session"]["session_id"].clone();
    let started = Instant::now();
    let ran = desk.client().succeed("ssh_run", json!({ "session_id": other, "command": "echo beside" }));
    let took = started.elapsed();
    desk.client().succeed("ssh_stop", json!({ "session_id": other }));
    check(ran["text"] == "beside\n", Kind::Output, || format!("{ran}"))?;
    check(took < Duration::from_secs(3), Kind::Other, || format!("the other session took {took:?}"))?;
    case.ends(0)?.text_is("slept\n")?;
    case.lives()
}

fn quotes(case: &mut Case<'_>) -> Judged {
    case.exact("echo \"it's\" 'a \"b\"' c\\ d '*' '{a,b}'", 0, "it's a \"b\" c d * {a,b}\n")?;
    case.exact("echo 'tab\there'", 0, "tab\there\n")
        .or_else(|wrong| if case.is(Shell::Bash) || case.is(Shell::Zsh) { Err(wrong) } else { refused_tab(&wrong) })?;
    case.lives()
}

/// Where there is no bracketed paste (fish without its configuration has none) a tab would complete a file name; the line is refused.
fn refused_tab(wrong: &crate::report::Wrong) -> Judged<crate::report::Report> {
    let refused = wrong.kind == Kind::Submission && wrong.message.contains("tab");
    check(refused, wrong.kind, || wrong.message.clone())?;
    Ok(crate::report::Report {
        fields: json!({ "outcome": "refused" }),
        text: String::new(),
        at: std::time::SystemTime::now(),
        line: String::new(),
    })
}
