//! Rows 41 to 48 and 59: shells behind shells, links that break, things that are no shell.
//!
//! Real: ssh, su, the lab's kubectl, tmux, screen, script, Dropbear with BusyBox ash. Simulated:
//! the link that goes silent and the relay that loses control strings, as mosh and serial consoles
//! do (`portcullis-lab slow-terminal`), the network device (`portcullis-lab network-cli`), the
//! screen of a PowerShell (its first bytes as ConPTY writes them).

use std::time::Duration;

use crate::case::{Case, Row};
use crate::report::{Judged, Kind, check, wrong};
use crate::shells::{Shell, Transport};
use crate::world::{PATIENCE, USER, output, unique};

pub(crate) const ROWS: &[Row] = &[
    Row::new("41", "ssh, su, and the link drops", Shell::BASH, nested_links),
    Row::new("42", "kubectl exec", &[Shell::Bash, Shell::Dash, Shell::Ash], kubectl),
    Row::new("43", "a link that goes silent", Shell::BASH, silent_link),
    Row::new("44", "tmux", Shell::BASH, |case| multiplexer(case, "tmux", "tmux -L battery-NAME -f /dev/null new")),
    Row::new("44", "screen", Shell::BASH, |case| multiplexer(case, "screen", "screen -c /dev/null -S battery-NAME")),
    Row::new("45", "script", &[Shell::Bash, Shell::Zsh], script),
    Row::new("46", "a relay without control strings", Shell::BASH, without_marks),
    Row::new("47", "a network device", Shell::BASH, network_device),
    Row::new("48", "PowerShell's screen", Shell::BASH, powershell),
    Row::new("59", "disconnected while a command runs", Shell::ALL, disconnected),
    Row::new("53", "GBK, and UTF-8 behind it", Shell::BASH, two_encodings).on(&[Transport::Sshd]),
    Row::new("63", "Dropbear with BusyBox ash", &[Shell::Ash], dropbear).on(&[Transport::Sshd]),
];

/// ssh to the battery's own sshd, without questions.
fn ssh(case: &Case<'_>) -> String {
    let server = &case.world.servers().openssh;
    format!(
        "ssh -i {} -p {} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR 127.0.0.1",
        server.user_key().display(),
        server.port()
    )
}

fn depth_is(case: &mut Case<'_>, depth: usize) -> Judged {
    let path = case.stage.path();
    check(path.len() == depth, Kind::Other, || format!("expected a path of {depth}, got {path:?}"))
}

fn nested_links(case: &mut Case<'_>) -> Judged {
    case.password()?;
    let line = ssh(case);
    case.enter(&line, "127.0.0.1")?;
    let parent = case.exact_output("echo $PPID")?;
    depth_is(case, 2)?;
    case.enter(&format!("su - {USER}"), USER)?;
    case.exact("id -un", 0, &format!("{USER}\n"))?;
    depth_is(case, 3)?;
    case.leave("exit 6", 2, 6)?;
    case.enter(&format!("su - {USER}"), USER)?;
    // The link's server dies while a command runs three levels up.
    let report = case.run_for("sleep 60", Duration::from_secs(1))?;
    report.running()?;
    output(std::process::Command::new("kill").args(["-KILL", parent.trim()]))
        .or_else(|problem| wrong(Kind::Other, problem))?;
    let report = case.next();
    case.count(255, report.left(1, 255), &report)?;
    case.lives()
}

fn kubectl(case: &mut Case<'_>) -> Judged {
    for (inner, code) in [("busybox ash", 7), ("dash", 8), ("bash", 9)] {
        case.enter(&format!("kubectl exec -it web-1 -n default -- {inner}"), "default/web-1")?;
        case.exact("echo inside", 0, "inside\n")?;
        case.completed("(exit 4)", 4)?;
        let report = case.leave(&format!("exit {code}"), 1, code)?;
        report.confident("certain")?;
    }
    case.lives()
}

/// The far side neither answers nor closes; only its caller can be told so.
fn silent_link(case: &mut Case<'_>) -> Judged {
    let pid = case.world.new_path("pid");
    let text = format!(
        "#!/bin/sh\necho $$ >{pid}\nexec {} slow-terminal --mute-at gone -- bash --noprofile --norc -i\n",
        case.world.lab().display()
    );
    let ssh = link_program(case, "ssh", &text);
    case.enter(&format!("{ssh} farhost"), "farhost")?;
    case.exact("echo near", 0, "near\n")?;
    let report = case.run_for("echo gone", Duration::from_secs(4))?;
    report.running()?;
    report.confident("low")?;
    let pid = std::fs::read_to_string(pid).unwrap_or_default();
    output(std::process::Command::new("kill").arg(pid.trim())).or_else(|problem| wrong(Kind::Other, problem))?;
    let report = case.next();
    case.count(143, report.left(1, 143), &report)?;
    // The relay died without giving back the terminal's modes; a person would do the same.
    case.completed("stty sane", 0)?;
    case.lives()
}

/// A program of this name in a folder of its own: a host knows it by its name.
fn link_program(case: &Case<'_>, name: &str, text: &str) -> String {
    let folder = case.world.new_path("link");
    std::fs::create_dir_all(&folder).expect("scratch");
    let relative = std::path::Path::new(&folder).strip_prefix(&case.world.folder).expect("below the scratch folder");
    case.world.script(&relative.join(name).display().to_string(), text).display().to_string()
}

/// Neither lets control strings through, so nothing may be concluded from marks.
fn multiplexer(case: &mut Case<'_>, label: &'static str, line: &str) -> Judged {
    let line = line.replace("NAME", &format!("{:x}", unique()));
    case.enter(&line, label)?;
    for (command, code, text) in [("echo inside", 0, "inside\n"), ("false", 1, ""), ("sh -c 'exit 42'", 42, "")] {
        let report = case.run(command)?;
        case.count(code, report.ended(code), &report)?;
        check(report.field("exit_source") == "sentinel", Kind::Outcome, || {
            format!("only a sentinel can say that here: {}", report.fields)
        })?;
        report.text_is(text)?;
    }
    let report = case.run("exit")?;
    check(report.outcome() == "level_changed", Kind::Outcome, || format!("expected to be out, got {}", report.fields))?;
    depth_is(case, 1)?;
    case.lives()
}

fn script(case: &mut Case<'_>) -> Judged {
    case.enter("script -qe /dev/null", "script")?;
    depth_is(case, 2)?;
    case.exact("echo inside", 0, "inside\n")?;
    case.completed("false", 1)?;
    case.leave("exit 4", 1, 4)?;
    case.lives()
}

/// Marks are lost on the way: an end may be told by other evidence, a code by a sentinel alone.
fn without_marks(case: &mut Case<'_>) -> Judged {
    let text = format!(
        "#!/bin/sh\nexec {} slow-terminal --without-control-strings -- bash --noprofile --norc -i\n",
        case.world.lab().display()
    );
    let mosh = link_program(case, "mosh", &text);
    case.enter(&format!("{mosh} farhost"), "farhost")?;
    for (command, code) in [("true", 0), ("false", 1), ("sh -c 'exit 42'", 42)] {
        let report = case.run(command)?;
        report.completed_or_no_status(code)?;
    }
    let file = case.world.new_path("end");
    let report = case.run(&format!("sleep 1; date +%s%N >{file}; echo text"))?;
    let end = crate::case::written_time(file.as_ref());
    check(report.is_open() || end.is_ok_and(|end| end <= report.at), Kind::FalseCompletion, || {
        format!("told before its end: {}", report.fields)
    })?;
    report.completed_or_no_status(0)?;
    report.text_is("text\n")?;
    case.leave("exit 3", 1, 3)?;
    case.lives()
}

/// There are no exit codes there, and its prompts end in the signs that shells' prompts end in.
fn network_device(case: &mut Case<'_>) -> Judged {
    let telnet = link_program(case, "telnet", &format!("#!/bin/sh\nexec {} network-cli\n", case.world.lab().display()));
    let report = case.run(&format!("{telnet} sw1"))?;
    check(report.outcome() != "completed", Kind::FalseCompletion, || {
        format!("telnet has not ended: {}", report.fields)
    })?;
    device(case, "show version", "version 1.0")?;
    device(case, "enable", "sw1#")?;
    device(case, "configure terminal", "sw1(config)#")?;
    device(case, "nonsense", "% Invalid input")?;
    device(case, "end", "sw1#")?;
    device(case, "log here", "LINK-3-UPDOWN")?;
    device(case, &format!("show version {}", "x".repeat(80)), "% Invalid input")?;
    device(case, "show running-config", "--More--")?;
    case.stage.person(b" ");
    case.shows("GigabitEthernet0/40")?;
    case.stage.person(b"q");
    device(case, "reload", "[confirm]")?;
    case.stage.person(b"\r");
    case.shows("Reload was simulated")?;
    case.stage.person(b"exit\r");
    let back = case.stage.until(PATIENCE, &mut |stage| stage.path().len() == 1 && stage.state() == "at_prompt");
    check(back, Kind::Other, || "the shell's prompt is not back".to_owned())?;
    case.lives()
}

/// A line for the device; what comes is on the screen, and no exit code is made up for it.
fn device(case: &mut Case<'_>, line: &str, shows: &str) -> Judged {
    // What the device is called to the agent decides how it is spoken to.
    if case.stage.state() == "at_prompt" {
        let report = case.stage.run(line, Duration::from_secs(8)).map_err(crate::case::refused)?;
        check(report.exit_code().is_none(), Kind::ExitCode, || {
            format!("a code from a device without codes: {}", report.fields)
        })?;
    } else {
        case.answer(line)?;
    }
    case.shows(shows)
}

fn powershell(case: &mut Case<'_>) -> Judged {
    let stream = b"\x1b[2J\x1b[m\x1b[HWindows PowerShell\x1b[2;1HCopyright (C) Microsoft Corporation.\x1b]0;Administrator: PowerShell\x07\x1b[?25h\x1b[4;1HPS C:\\Users\\ann> ";
    let file = case.world.file("powershell", stream);
    let report = case.run_for(&format!("cat {file}; sleep 5"), Duration::from_secs(2))?;
    report.open()?;
    case.ends(0)?;
    case.lives()
}

/// The command may or may not have completed; its code is not known, and nothing is sent again.
fn disconnected(case: &mut Case<'_>) -> Judged {
    let parent = match case.shell() {
        Shell::Fish => case.exact_output("ps -o ppid= -p $fish_pid")?,
        Shell::Tcsh => case.exact_output("ps -o ppid= -p $$")?,
        _ => case.exact_output("echo $PPID")?,
    };
    case.submit("sleep 60")?;
    case.stage.cut(parent.trim());
    let report = case.next();
    check(report.outcome() == "disconnected", Kind::Outcome, || {
        format!("expected disconnected, got {}", report.fields)
    })?;
    check(report.exit_code().is_none(), Kind::ExitCode, || format!("a code that nobody gave: {}", report.fields))?;
    let refused = case.stage.submit("echo again");
    check(refused.is_err(), Kind::Submission, || "a closed session took a line".to_owned())
}

/// A menu in GBK, then a pod's shell in UTF-8, then GBK again.
fn two_encodings(case: &mut Case<'_>) -> Judged {
    use crate::stage::Stage;
    // "Choose the target:" in both encodings.
    let menu = case.world.file("menu", b"\xc7\xeb\xd1\xa1\xd4\xf1\xc4\xbf\xb1\xea\n");
    let text = case.world.file("text", "请选择目标\n".as_bytes());
    let Some((desk, _)) = case.stage.remote() else {
        return wrong(Kind::Other, "this row needs the program");
    };
    let mut inner = crate::remote::Remote::open_profile(desk, Shell::Bash, Transport::Sshd, "gbk")
        .or_else(|problem| wrong(Kind::Other, problem))?;
    let mut run = |line: &str| {
        inner.until(PATIENCE, &mut |stage| stage.state() == "at_prompt");
        inner.run(line, PATIENCE).map_err(crate::case::refused)
    };
    run(&format!("cat {menu}"))?.text_is("请选择目标\n")?;
    run("kubectl exec -it web-1 -n default -- sh")?.entered("default/web-1")?;
    run(&format!("cat {text}"))?.text_is("请选择目标\n")?;
    run("exit 4")?.left(1, 4)?;
    run(&format!("cat {menu}"))?.text_is("请选择目标\n")
}

/// A real Dropbear, a real login shell of BusyBox, as small devices have them.
fn dropbear(case: &mut Case<'_>) -> Judged {
    case.password()?;
    let Some((desk, _)) = case.stage.remote() else {
        return wrong(Kind::Other, "this row needs the program");
    };
    let mut inner = crate::remote::Remote::open_profile(desk, Shell::Ash, Transport::Sshd, "dropbear")
        .or_else(|problem| wrong(Kind::Other, problem))?;
    use crate::stage::Stage;
    for (line, code, text) in [("echo $0", 0, "-ash\n"), ("false", 1, ""), ("sh -c 'exit 42'", 42, "")] {
        let report = inner.run(line, PATIENCE).map_err(crate::case::refused)?;
        report.completed(code)?;
        report.text_is(text)?;
    }
    let report = inner.run("exit 3", PATIENCE).map_err(crate::case::refused)?;
    check(report.outcome() == "disconnected", Kind::Outcome, || {
        format!("expected disconnected, got {}", report.fields)
    })?;
    report.code(3)
}
