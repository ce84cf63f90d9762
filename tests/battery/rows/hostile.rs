//! Rows 16 to 22 and 24: output and settings that try to pass for an end.

use std::time::Duration;

use crate::case::{Case, Row};
use crate::report::{Judged, Kind, check, wrong};
use crate::shells::Shell;

pub(crate) const ROWS: &[Row] = &[
    Row::new("16", "the real prompt's text in output", Shell::ALL, prompt_in_output),
    Row::new("17", "a recording of the own session", Shell::ALL, own_recording),
    Row::new("18", "foreign marks", Shell::ALL, foreign_marks),
    Row::new("19", "a background job prints", Shell::ALL, background_output),
    Row::new("20", "PS1 set anew", &[Shell::Bash, Shell::Dash, Shell::Ash, Shell::Zsh, Shell::Mksh], prompt_set_anew),
    Row::new("20", "PROMPT_COMMAND unset", Shell::BASH, prompt_command_unset),
    Row::new("20", "PROMPT_COMMAND readonly", Shell::BASH, prompt_command_readonly),
    Row::new("20", "PROMPT_COMMAND an array", Shell::BASH, prompt_command_array),
    Row::new("20", "PROMPT_COMMAND that sets PS1", Shell::BASH, prompt_command_sets_prompt),
    Row::new("21", "stty, clear, reset, rmcup", Shell::ALL, terminal_settings),
    Row::new("22", "traps", &[Shell::Bash, Shell::Zsh], traps),
    Row::new("24", "resizing and redrawing", Shell::ALL, resizing),
    Row::new("62", "marks exported to a child bash", Shell::BASH, marks_exported),
    Row::new(
        "62",
        "marks exported to a child of another family",
        &[Shell::Bash, Shell::Zsh, Shell::Dash],
        marks_exported_to_others,
    ),
];

/// Runs `line`, which must end with `code` and not before a second has passed.
fn ends_late(case: &mut Case<'_>, line: &str, code: i64) -> Judged {
    let file = case.world.new_path("end");
    let report = case.run(&format!("{line}; sleep 1; sh -c 'date +%s%N >{file}; exit {code}'"))?;
    let end = crate::case::written_time(file.as_ref());
    if !report.is_open() && !end.is_ok_and(|end| end <= report.at) {
        return wrong(Kind::FalseCompletion, format!("told before its end: {}", report.fields));
    }
    case.count(code, report.completed(code), &report)
}

fn prompt_in_output(case: &mut Case<'_>) -> Judged {
    let screen = case.stage.screen();
    let prompt = screen.lines().last().unwrap_or_default();
    let dump = case.world.file("prompt", format!("{prompt} ").as_bytes());
    ends_late(case, &format!("cat {dump}"), 5)?;
    let line = format!("cat {dump}; sleep 4");
    let report = case.run_for(&line, Duration::from_secs(2))?;
    report.open()?;
    check(report.outcome() == "running", Kind::Outcome, || format!("expected running, got {}", report.fields))?;
    case.ends(0)?;
    case.lives()
}

/// Everything the terminal has printed so far, marks of finished commands among it.
fn own_recording(case: &mut Case<'_>) -> Judged {
    case.completed("echo first", 0)?;
    case.completed("false", 1)?;
    let raw = case.stage.raw_output();
    check(raw.windows(5).any(|window| window == b"133;D"), Kind::Other, || "the recording has no marks".to_owned())?;
    let recording = case.world.file("recording", &raw);
    ends_late(case, &format!("cat {recording}"), 9)?;
    case.lives()
}

fn foreign_marks(case: &mut Case<'_>) -> Judged {
    let marks = b"\x1b]133;D;0\x07\x1b]133;A\x07$ \x1b]133;B\x07\x1b]133;D;0;aid=ffffffff.1;q=99\x07\x1b]133;B;aid=ffffffff.1\x07";
    let file = case.world.file("marks", marks);
    ends_late(case, &format!("cat {file}"), 7)?;
    case.lives()
}

fn background_output(case: &mut Case<'_>) -> Judged {
    let script =
        case.world.script(&format!("files/late-{}", crate::world::unique()), "#!/bin/sh\nsleep 1\necho late words\n");
    let report = case.completed(&format!("{} &", script.display()), 0)?;
    report.text_lacks("late words")?;
    case.shows("late words")?;
    let state = case.stage.state();
    check(state == "at_prompt", Kind::Other, || format!("the state is {state}"))?;
    let report = case.completed("echo usable", 0)?;
    // Shells that tell of ended jobs just before a prompt do so behind this command's output, and
    // nothing in the stream tells the two apart.
    let mut lines = report.text.lines();
    let notice = |line: &str| line.is_empty() || line.starts_with("[1]") || line.contains("has ended");
    check(lines.next() == Some("usable") && lines.all(notice), Kind::Output, || {
        format!("the text is {:?}", report.text)
    })
}

/// After whatever was done to the prompt, commands end, with the right code or with none.
fn goes_on(case: &mut Case<'_>) -> Judged {
    for (line, code) in [("(exit 5)", 5), ("true", 0)] {
        let report = case.run(line)?;
        report.completed_or_no_status(code)?;
    }
    let file = case.world.new_path("end");
    let report = case.run(&format!("sleep 1; date +%s%N >{file}"))?;
    let end = crate::case::written_time(file.as_ref());
    if !end.is_ok_and(|end| end <= report.at) {
        return wrong(Kind::FalseCompletion, format!("told before its end: {}", report.fields));
    }
    let report = case.run("echo text")?;
    report.completed_or_no_status(0)?;
    report.text_is("text\n")
}

fn prompt_set_anew(case: &mut Case<'_>) -> Judged {
    case.run("PS1='new> '")?.completed_or_no_status(0)?;
    goes_on(case)
}

fn prompt_command_unset(case: &mut Case<'_>) -> Judged {
    case.run("unset PROMPT_COMMAND")?.completed_or_no_status(0)?;
    goes_on(case)
}

fn prompt_command_readonly(case: &mut Case<'_>) -> Judged {
    case.completed("readonly PROMPT_COMMAND", 0)?;
    goes_on(case)?;
    // A shell that comes up with a read-only hook, as hardened hosts have it, is marked another way.
    let start = case.world.file("hardened", b"PROMPT_COMMAND=true; readonly PROMPT_COMMAND; PS1='hard$ '\n");
    case.enter(&format!("bash --noprofile --rcfile {start} -i"), "bash")?;
    case.completed("(exit 6)", 6)?;
    case.leave("exit 3", 1, 3).map(|_| ())
}

fn prompt_command_array(case: &mut Case<'_>) -> Judged {
    case.completed("PROMPT_COMMAND=(true \"${PROMPT_COMMAND[@]}\" true)", 0)?;
    goes_on(case)
}

fn prompt_command_sets_prompt(case: &mut Case<'_>) -> Judged {
    case.run("PROMPT_COMMAND=\"$PROMPT_COMMAND;PS1='again> '\"")?.completed_or_no_status(0)?;
    goes_on(case)
}

fn terminal_settings(case: &mut Case<'_>) -> Judged {
    case.completed("stty -echo", 0)?;
    case.completed("true", 0)?;
    case.completed("false", 1)?;
    case.completed("stty echo", 0)?;
    for line in ["clear", "tput rmcup", "reset"] {
        case.completed(line, 0)?;
    }
    case.lives()
}

fn traps(case: &mut Case<'_>) -> Judged {
    case.completed("trap 'echo trapped' ERR", 0)?;
    case.exact("false", 1, "trapped\n")?;
    case.exact("true", 0, "")?;
    case.completed("trap - ERR; trap 'dbg=1' DEBUG", 0)?;
    case.completed("(exit 3)", 3)?;
    case.exact("echo plain", 0, "plain\n").map(|_| ())
}

/// fish and ash draw their prompt, marks and all, at every change of size.
fn resizing(case: &mut Case<'_>) -> Judged {
    case.settle()?;
    for columns in [100, 140, 90] {
        case.stage.resize(columns, 30);
    }
    case.exact("echo one", 0, "one\n")?;
    let file = case.world.new_path("end");
    case.submit(&format!("sleep 8; sh -c 'date +%s%N >{file}; exit 4'"))?;
    for columns in [120, 80, 160] {
        case.stage.resize(columns, 40);
        let told = case.stage.report(Duration::from_millis(300));
        told.open()?;
    }
    let report = case.ends(4)?;
    let end = crate::case::written_time(file.as_ref())?;
    check(end <= report.at, Kind::FalseCompletion, || "told before its end".to_owned())?;
    for _ in 0..5 {
        case.stage.person(b"\x0c");
    }
    let phantom = case.stage.persons_report(Duration::from_secs(1));
    check(phantom.is_none(), Kind::FalseCompletion, || format!("redrawing was told as a command: {phantom:?}"))?;
    // The line is empty, but that a person pressed keys there keeps the agent off it until Enter.
    case.stage.person(b"\r");
    case.lives()
}

fn marks_exported(case: &mut Case<'_>) -> Judged {
    case.completed("export PROMPT_COMMAND PS1 PS0", 0)?;
    let report = case.enter("bash --noprofile --norc -i", "bash")?;
    report.text_lacks("not found")?;
    let screen = case.stage.screen();
    check(!screen.contains("not found"), Kind::Output, || format!("an error is on the screen:\n{screen}"))?;
    case.completed("false", 1)?;
    case.exact("echo inside", 0, "inside\n")?;
    case.leave("exit 4", 1, 4)?;
    case.lives()
}

/// The child shows the parent's marks as its own family reads them, which may be as plain text.
fn marks_exported_to_others(case: &mut Case<'_>) -> Judged {
    case.completed("export PS1", 0)?;
    for (name, code) in [("sh", 5), ("zsh", 6), ("mksh", 7)] {
        case.enter(name, name)?;
        case.completed("false", 1)?;
        case.exact("echo inside", 0, "inside\n")?;
        case.leave(&format!("exit {code}"), 1, code)?;
    }
    case.lives()
}
