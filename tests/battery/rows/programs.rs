//! Rows 32, 33, 38 to 40 and 61: programs that take the terminal.
//!
//! All of them are real, but for the prompts of Python 3.13, IPython and irb in row 40, which a
//! script prints because Debian has none of them.

use std::path::Path;

use crate::case::{Case, Row};
use crate::report::{Judged, Kind, Report, check, wrong};
use crate::shells::Shell;
use crate::world::{USER, output};

pub(crate) const ROWS: &[Row] = &[
    Row::new("32", "less", Shell::BASH, |case| pager(case, "less", "q")),
    Row::new("32", "less as git starts it", Shell::BASH, git_log),
    Row::new("32", "man", Shell::BASH, man),
    Row::new("32", "more", Shell::BASH, |case| pager(case, "more", "q")),
    Row::new("32", "busybox more", Shell::BASH, |case| pager(case, "busybox more", "q")),
    Row::new("32", "busybox less", Shell::BASH, |case| pager(case, "busybox less", "q")),
    Row::new("33", "vim", Shell::BASH, |case| editor(case, "vim -u NONE -N", b"\x1b:q!\r")),
    Row::new("33", "nano", Shell::BASH, |case| editor(case, "nano", b"\x18")),
    Row::new("33", "mc", Shell::BASH, |case| screen_program(case, "mc -u -d", "Quit", b"\x1b[21~\r")),
    Row::new("33", "htop", Shell::BASH, |case| screen_program(case, "htop", "Load average", b"q")),
    Row::new("33", "top", Shell::BASH, |case| screen_program(case, "top", "load average", b"q")),
    Row::new("33", "whiptail", Shell::BASH, |case| {
        screen_program(case, "whiptail --msgbox 'Take note' 10 40", "Take note", b"\r")
    }),
    Row::new("38", "python", Shell::BASH, python),
    Row::new("38", "sqlite3", Shell::BASH, sqlite),
    Row::new("38", "psql", Shell::BASH, psql),
    Row::new("39", "psql's pager", Shell::BASH, psql_pager),
    Row::new("40", "node", Shell::BASH, node),
    Row::new("40", "prompts of interpreters", Shell::BASH, interpreters),
    Row::new("61", "kill -9 of vim", Shell::BASH, |case| killed(case, "vim -u NONE -N")),
    Row::new("61", "kill -9 of less", Shell::BASH, |case| killed(case, "less")),
];

/// 200 numbered lines.
fn long_file(case: &Case<'_>) -> String {
    let lines: String = (1..=200).map(|number| format!("line {number} of the long file\n")).collect();
    case.world.file("long.txt", lines.as_bytes())
}

fn pager(case: &mut Case<'_>, program: &str, key: &str) -> Judged {
    let file = long_file(case);
    leaves_pager(case, &format!("{program} {file}"), key)
}

fn leaves_pager(case: &mut Case<'_>, line: &str, key: &str) -> Judged {
    let report = case.run(line)?;
    report.pager()?;
    report.confident("high")?;
    // A shell does not read here; nothing may be typed into the pager as if one did.
    if case.stage.submit("echo into the pager").is_ok() {
        return wrong(Kind::Submission, "a command was typed into the pager");
    }
    case.press(&[key])?;
    case.ends(0)?;
    case.lives()
}

fn git_log(case: &mut Case<'_>) -> Judged {
    let folder = case.world.new_path("repository");
    let message = long_file(case);
    let git = format!("git -C {folder} -c user.name=a -c user.email=a@b");
    let made = format!("git init -q {folder} && {git} commit -q --allow-empty -F {message}");
    output(std::process::Command::new("sh").args(["-c", &made]))
        .or_else(|problem| wrong(Kind::Other, format!("{problem}; run: apt-get install -y git")))?;
    leaves_pager(case, &format!("GIT_PAGER='less -FRX' git -C {folder} log"), "q")
}

fn man(case: &mut Case<'_>) -> Judged {
    let mut page = String::from(".TH BATTERY 1\n.SH NAME\nbattery \\- a page of many lines\n.SH DESCRIPTION\n");
    (1..200).for_each(|number| page.push_str(&format!(".PP\nparagraph {number}\n")));
    let file = case.world.file("battery.1", page.as_bytes());
    leaves_pager(case, &format!("man -P less -l {file}"), "q")
}

fn editor(case: &mut Case<'_>, program: &str, leave: &[u8]) -> Judged {
    let file = long_file(case);
    screen_program(case, &format!("{program} {file}"), "line 7 of the long file", leave)
}

/// The keys that leave it are pressed by a person: each program has its own.
fn screen_program(case: &mut Case<'_>, line: &str, shows: &str, leave: &[u8]) -> Judged {
    let report = case.run(line)?;
    report.fullscreen()?;
    case.shows(shows)?;
    case.stage.person(leave);
    case.ends(0)?;
    let alternate = case.stage.alternate_screen();
    check(!alternate, Kind::Other, || "the alternate screen is still on".to_owned())?;
    case.lives()
}

/// Answers, and waits until the screen shows what must follow.
fn statement(case: &mut Case<'_>, text: &str, shows: &str) -> Judged<Report> {
    case.answer(text)?;
    if !shows.is_empty() {
        case.shows(shows)?;
    }
    let report = case.next();
    report.open()?;
    Ok(report)
}

fn python(case: &mut Case<'_>) -> Judged {
    case.run("/usr/bin/python3 -q")?.awaiting(&["repl"])?;
    statement(case, "6 * 7", "42")?.awaiting(&["repl"])?;
    statement(case, "1 / 0", "ZeroDivisionError")?.awaiting(&["repl"])?;
    statement(case, "for n in (11, 12):", "...")?.awaiting(&["continuation"])?;
    statement(case, "  print(n * 100)", "")?;
    statement(case, "", "1200")?.awaiting(&["repl"])?;
    case.answer("exit(3)")?;
    case.ends(3)?;
    case.lives()
}

fn sqlite(case: &mut Case<'_>) -> Judged {
    case.run("sqlite3 :memory:")?.awaiting(&["repl"])?;
    statement(case, "select 6 * 7;", "42")?.awaiting(&["repl"])?;
    statement(case, "select 1 from nowhere;", "no such table")?.awaiting(&["repl"])?;
    statement(case, "select 5", "...>")?.awaiting(&["continuation"])?;
    statement(case, "+ 95;", "100")?.awaiting(&["repl"])?;
    case.answer(".exit 4")?;
    case.ends(4)?;
    case.lives()
}

fn postgres(case: &Case<'_>) -> Judged<String> {
    case.password()?;
    let sockets = case.world.postgres().or_else(|problem| wrong(Kind::Other, problem))?;
    Ok(format!("psql -X -h {} -U {USER} postgres", sockets.display()))
}

fn psql(case: &mut Case<'_>) -> Judged {
    let psql = postgres(case)?;
    case.run(&psql)?.awaiting(&["repl"])?;
    statement(case, "select 6 * 7 as answer;", "42")?.awaiting(&["repl"])?;
    statement(case, "select 1 / 0;", "division by zero")?.awaiting(&["repl"])?;
    statement(case, "select 5", "postgres-#")?.awaiting(&["continuation"])?;
    statement(case, "+ 95;", "100")?.awaiting(&["repl"])?;
    case.answer("\\q")?;
    case.ends(0)?;
    case.lives()
}

fn psql_pager(case: &mut Case<'_>) -> Judged {
    let psql = postgres(case)?;
    case.run(&format!("PSQL_PAGER=less {psql}"))?.awaiting(&["repl"])?;
    statement(case, "select * from generate_series(1, 500);", "")?.pager()?;
    case.press(&["q"])?;
    case.next().awaiting(&["repl"])?;
    case.answer("\\q")?;
    case.ends(0)?;
    case.lives()
}

fn node(case: &mut Case<'_>) -> Judged {
    check(Path::new("/usr/bin/node").exists() || which("node"), Kind::Other, || {
        "node is missing; the viewer needs it too, see README.md".to_owned()
    })?;
    case.run("node -i")?.awaiting(&["repl"])?;
    statement(case, "6 * 7", "42")?.awaiting(&["repl"])?;
    case.answer("process.exit(5)")?;
    case.ends(5)?;
    case.lives()
}

fn which(program: &str) -> bool {
    output(std::process::Command::new("sh").args(["-c", &format!("command -v {program}")])).is_ok()
}

fn interpreters(case: &mut Case<'_>) -> Judged {
    for (prompt, more) in [(">>> ", "... "), ("In [1]: ", "   ...: "), ("irb(main):001:0> ", "irb(main):002:0* ")] {
        let script = format!(
            "#!/bin/sh\nprintf '{prompt}'; read a\nprintf '{more}'; read a\nprintf 'error: %s\\n{prompt}' \"$a\"; read a\nexit 2\n"
        );
        let program = case.world.script(&format!("files/interpreter-{}", crate::world::unique()), &script);
        case.run(&program.display().to_string())?.awaiting(&["repl"])?;
        statement(case, "open", "")?.awaiting(&["continuation"])?;
        statement(case, "close", "error: close")?.awaiting(&["repl"])?;
        case.answer("exit")?;
        case.ends(2)?;
    }
    case.lives()
}

/// The program dies without giving back the screen it took.
fn killed(case: &mut Case<'_>, program: &str) -> Judged {
    let (file, pid) = (long_file(case), case.world.new_path("pid"));
    let report = case.run(&format!("sh -c 'echo $$ >{pid}; exec {program} {file}'"))?;
    report.pager()?;
    let pid = std::fs::read_to_string(&pid).unwrap_or_default();
    output(std::process::Command::new("kill").args(["-KILL", pid.trim()]))
        .or_else(|problem| wrong(Kind::Other, problem))?;
    case.ends(137)?;
    let alternate = case.stage.alternate_screen();
    check(!alternate, Kind::Other, || "the emulator is not back on the main screen".to_owned())?;
    case.lives()
}
