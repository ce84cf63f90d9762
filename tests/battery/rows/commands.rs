//! Rows 1 to 15: what every shell must do.

use std::time::{Duration, SystemTime};

use crate::case::{Case, Row, written_time};
use crate::report::{Judged, Kind, check, wrong};
use crate::shells::Shell;
use crate::world::PATIENCE;

pub(crate) const ROWS: &[Row] = &[
    Row::new("1", "exit codes", Shell::ALL, exit_codes),
    Row::new("2", "output without a newline", Shell::ALL, no_newline),
    Row::new("3", "set -e in a pod's shell", Shell::ALL, set_e_in_a_pod),
    Row::new("4", "set -u", &[Shell::Bash, Shell::Dash, Shell::Ash, Shell::Zsh, Shell::Mksh], set_u),
    Row::new("5", "exit of the login shell", Shell::ALL, exit_of_the_login_shell),
    Row::new("6", "exec sh", Shell::ALL, exec_sh),
    Row::new("7", "shells typed", Shell::ALL, shells_typed),
    Row::new("8", "a marked prompt that is exported", &[Shell::Dash, Shell::Ash, Shell::Mksh], exported_prompt),
    Row::new("9", "two commands in one send", Shell::ALL, two_at_once),
    Row::new("10", "a command over several lines", Shell::ALL, several_lines),
    Row::new("11", "open quote", Shell::ALL, open_quote),
    Row::new("12", "ends that swallow a marker", &[Shell::Bash, Shell::Dash, Shell::Ash, Shell::Zsh], odd_ends),
    Row::new("13", "reading silently", Shell::ALL, reading_silently),
    Row::new("14", "silence and interrupt", Shell::ALL, silence_and_interrupt),
    Row::new("15", "a false prompt", Shell::ALL, false_prompt),
];

fn exit_codes(case: &mut Case<'_>) -> Judged {
    case.exact("true", 0, "")?;
    case.exact("false", 1, "")?;
    case.exact("sh -c 'exit 42'", 42, "")?;
    // tcsh itself says 1.
    let unknown = if case.is(Shell::Tcsh) { 1 } else { 127 };
    let report = case.completed("no-such-program-here", unknown)?;
    report.text_has("no-such-program-here")?;
    let screen = case.stage.screen();
    let clean = !screen.contains("133;") && !screen.contains("__pc_");
    check(clean, Kind::Output, || format!("the host's own lines are on the screen:\n{screen}"))?;
    for code in [0, 3, 0, 7, 0] {
        case.timed(code)?;
    }
    Ok(())
}

fn no_newline(case: &mut Case<'_>) -> Judged {
    case.exact("printf noeol", 0, "noeol")?;
    case.exact("echo next", 0, "next\n").map(|_| ())
}

/// The lab's kubectl: a real shell on a PTY of its own.
fn set_e_in_a_pod(case: &mut Case<'_>) -> Judged {
    case.enter("kubectl exec -it web-1 -n default -- sh", "default/web-1")?;
    case.completed("set -e", 0)?;
    let report = case.leave("false", 1, 1)?;
    report.confident("certain")?;
    case.lives()
}

fn set_u(case: &mut Case<'_>) -> Judged {
    case.completed("set -u", 0)?;
    let code = if matches!(case.shell(), Shell::Dash | Shell::Ash) { 2 } else { 1 };
    let report = case.run("echo $no_such_variable")?;
    if report.outcome() == "disconnected" {
        return wrong(Kind::Other, "the session did not live on");
    }
    case.count(code, report.completed(code), &report)?;
    case.lives()
}

fn exit_of_the_login_shell(case: &mut Case<'_>) -> Judged {
    let report = case.run("exit 3")?;
    check(report.outcome() == "disconnected", Kind::Outcome, || {
        format!("expected disconnected, got {}", report.fields)
    })?;
    case.count(3, report.code(3), &report)?;
    let state = case.stage.state();
    check(state == "closed", Kind::Other, || format!("the state is {state}"))
}

fn exec_sh(case: &mut Case<'_>) -> Judged {
    let depth = case.stage.path().len();
    case.enter("exec sh", "sh")?;
    let path = case.stage.path();
    check(path.len() == depth, Kind::Other, || format!("sh has replaced the shell, but the path is {path:?}"))?;
    case.exact("echo \"in $0\"; (exit 4)", 4, "in sh\n").map(|_| ())
}

fn shells_typed(case: &mut Case<'_>) -> Judged {
    let depth = case.stage.path().len();
    for (name, code) in [("sh", 5), ("bash", 6), ("zsh", 7), ("fish", 8)] {
        case.enter(name, name)?;
        case.exact("echo inside", 0, "inside\n")?;
        case.completed("false", 1)?;
        case.leave(&format!("exit {code}"), depth, code)?;
    }
    case.lives()
}

/// The inner shell inherits the prompt with its marks, with a process id of its own.
fn exported_prompt(case: &mut Case<'_>) -> Judged {
    let shell = match case.shell() {
        Shell::Ash => "busybox ash",
        other => other.name(),
    };
    let depth = case.stage.path().len();
    case.completed("export PS1", 0)?;
    let before = case.stage.typed_by_host().len();
    let report = case.run(shell)?;
    check(report.outcome() == "level_changed", Kind::Outcome, || {
        format!("expected a new level, got {}", report.fields)
    })?;
    case.exact("echo inside", 0, "inside\n")?;
    let path = case.stage.path();
    check(path.len() == depth + 1, Kind::Other, || format!("the path is {path:?}"))?;
    let typed = case.stage.typed_by_host().split_off(before);
    check(!String::from_utf8_lossy(&typed).contains("133;"), Kind::Other, || "it was marked once more".to_owned())?;
    case.leave("exit 9", depth, 9)?;
    case.lives()
}

fn two_at_once(case: &mut Case<'_>) -> Judged {
    case.settle()?;
    case.stage.person(b"echo one; sleep 0.3\recho two\r");
    let mut texts = Vec::new();
    for _ in 0..2 {
        let Some(report) = case.stage.persons_report(PATIENCE) else {
            return wrong(Kind::Outcome, format!("only {} of two commands were told: {texts:?}", texts.len()));
        };
        case.count(0, report.completed(0), &report)?;
        texts.push(report.text);
    }
    // What is typed ahead is shown by the terminal while the first command runs.
    let first = texts[0].replace("echo two\n", "");
    check(first == "one\n" && texts[1] == "two\n", Kind::Output, || format!("the outputs are {texts:?}"))?;
    case.lives()
}

fn several_lines(case: &mut Case<'_>) -> Judged {
    let looped = match case.shell() {
        Shell::Fish => "for n in 1 2\necho item $n\nend",
        Shell::Tcsh => "foreach n (1 2)\necho item $n\nend",
        _ => "for n in 1 2\ndo\n  echo item $n\ndone",
    };
    if case.is(Shell::Tcsh) {
        return several_lines_of_tcsh(case, looped);
    }
    case.exact(looped, 0, "item 1\nitem 2\n")?;
    match case.shell() {
        Shell::Fish => case.exact("function greet\necho hello $argv\nend\ngreet you", 0, "hello you\n")?,
        _ => {
            case.exact("cat <<'END'\nfirst $x\nsecond\nEND", 0, "first $x\nsecond\n")?;
            case.exact("greet() {\n  echo hello $1\n  return 4\n}\ngreet you", 4, "hello you\n")?
        }
    };
    case.lives()
}

/// tcsh has no `eval` that holds several lines and no bracketed paste: refusing them, with the
/// reason, is right as well.
fn several_lines_of_tcsh(case: &mut Case<'_>, looped: &str) -> Judged {
    case.settle()?;
    match case.stage.run(looped, PATIENCE) {
        Ok(report) => {
            case.count(0, report.completed(0), &report)?;
            // Over MCP a person types it (the policy reads no csh): the shell asks for each line.
            report.text_has("item 1\nitem 2\n")?;
        }
        Err(refused) => {
            check(refused.reason.contains("several lines"), Kind::Submission, || refused.reason.clone())?;
        }
    }
    case.lives()
}

/// tcsh does not wait for the rest: it calls the quote unmatched.
fn open_quote(case: &mut Case<'_>) -> Judged {
    if case.is(Shell::Tcsh) {
        case.completed("echo 'abc", 1)?.text_has("Unmatched")?;
        return case.lives();
    }
    let report = case.run("echo 'abc")?;
    report.awaiting(&["continuation"])?;
    case.press(&["ctrl-c"])?;
    let report = case.next();
    // fish leaves the last status alone when a line is given up.
    let code = if case.is(Shell::Fish) { 0 } else { 130 };
    case.count(code, report.completed_or_no_status(code), &report)?;
    case.lives()
}

fn odd_ends(case: &mut Case<'_>) -> Judged {
    // zsh has no comments at its prompt unless it is asked for them.
    let note = if case.is(Shell::Zsh) { "a # note\n" } else { "a\n" };
    case.exact("echo a # note", 0, note)?;
    case.completed("sleep 0.1 &", 0)?;
    let code = if case.is(Shell::Zsh) { 1 } else { 2 };
    case.completed("fi", code)?;
    let report = case.run("echo back \\")?;
    report.awaiting(&["continuation"])?;
    case.answer("slash")?;
    case.ends(0)?.text_has("back slash")?;
    case.exact("(exit 7)", 7, "").map(|_| ())
}

/// Nothing on the screen says that a program reads; it must only never be called ended.
fn reading_silently(case: &mut Case<'_>) -> Judged {
    let look = Duration::from_secs(2);
    if !matches!(case.shell(), Shell::Tcsh | Shell::Fish) {
        case.run_for("read x", look)?.open()?;
        case.answer("hello")?;
        case.ends(0)?;
        case.exact("echo $x", 0, "hello\n")?;
    }
    case.run_for("head -n 1", look)?.open()?;
    case.answer("line")?;
    case.ends(0)?.text_has("line\n")?;
    case.run_for("cat", look)?.open()?;
    case.answer("copied")?;
    case.press(&["ctrl-d"])?;
    case.ends(0)?.text_has("copied\n")?;
    case.lives()
}

fn silence_and_interrupt(case: &mut Case<'_>) -> Judged {
    let report = case.run_for("sleep 30", Duration::from_secs(2))?;
    report.running()?;
    report.confident("low")?;
    case.press(&["ctrl-c"])?;
    // tcsh says 1 for a command that was interrupted.
    let code = if case.is(Shell::Tcsh) { 1 } else { 130 };
    case.ends(code)?;
    case.lives()
}

fn false_prompt(case: &mut Case<'_>) -> Judged {
    let file = case.world.new_path("end");
    let line = format!("sh -c 'printf \"root@db:~# \"; sleep 4; date +%s%N >{file}; exit 6'");
    let report = case.run_for(&line, Duration::from_secs(2))?;
    report.open()?;
    check(report.outcome() == "running", Kind::Outcome, || format!("expected running, got {}", report.fields))?;
    let report = case.ends(6)?;
    let early = SystemTime::now() < written_time(file.as_ref())? || report.at < written_time(file.as_ref())?;
    check(!early, Kind::FalseCompletion, || "told before its end".to_owned())?;
    case.lives()
}
