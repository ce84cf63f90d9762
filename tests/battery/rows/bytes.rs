//! Rows 49 to 56 and 60: output as bytes. Progress displays, floods, cut characters and control
//! strings, encodings, queries.

use std::time::Duration;

use crate::case::{Case, Row};
use crate::report::{Judged, Kind, check, wrong};
use crate::shells::Shell;
use crate::world::unique;

pub(crate) const ROWS: &[Row] = &[
    Row::new("49", "progress displays", Shell::ALL, progress),
    Row::new("49", "curl", Shell::BASH, curl),
    Row::new("50", "a flood of output", Shell::ALL, flood),
    Row::new("51", "binary output and cuts", Shell::ALL, binary),
    Row::new("52", "control strings without end", Shell::ALL, endless_strings),
    Row::new("54", "a query has one answer", Shell::BASH, one_answer),
    Row::new("55", "a replay answers nothing", Shell::BASH, replay_is_silent),
    Row::new("56", "a shell that asks for the terminal's kind", Shell::BASH, device_attributes),
    Row::new("60", "a session of everything", Shell::ALL, session_of_everything),
];

/// What is left of them is their last state.
fn progress(case: &mut Case<'_>) -> Judged {
    case.exact("printf '10%%\\r50%%\\r100%%\\n'", 0, "100%\n")?;
    let lines = case.world.file("lines", b"a: 1\nb: 1\n\x1b[2Aa: 2\x1b[K\nb: 2\x1b[K\n");
    case.exact(&format!("cat {lines}"), 0, "a: 2\nb: 2\n")?;
    case.lives()
}

fn curl(case: &mut Case<'_>) -> Judged {
    let source = case.world.file("source", &vec![b'x'; 3_000_000]);
    let target = case.world.new_path("target");
    let report = case.completed(&format!("curl -o {target} file://{source}"), 0)?;
    report.text_has("100")?;
    let states = report.text.lines().filter(|line| line.contains("--:--")).count();
    check(states <= 1, Kind::Output, || format!("{states} states of one progress line: {:?}", report.text))?;
    case.lives()
}

/// 20 MB at full speed; on the bad line, where every byte is a delivery of its own, 20 kB.
fn flood(case: &mut Case<'_>) -> Judged {
    let lines = if case.is_slow() { 10_000 } else { 10_000_000 };
    case.submit(&format!("sh -c 'yes | head -n {lines}'"))?;
    let report = case.ends(0)?;
    // What is kept may begin in the middle of a line, and one line says where something is left out.
    let others: Vec<&str> = report.text.lines().filter(|line| *line != "y").collect();
    check(report.text.ends_with("y\n") && others.len() <= 3, Kind::Output, || {
        format!("the output is not all y: {others:?}")
    })?;
    case.lives()
}

fn binary(case: &mut Case<'_>) -> Judged {
    let bytes: Vec<u8> = (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    // What ends an emulator's or a terminal's session by design is not part of the row.
    let harmless: Vec<u8> = bytes.into_iter().filter(|byte| !matches!(byte, 0x05 | 0x0e)).collect();
    let file = case.world.file("binary", &harmless);
    case.completed(&format!("cat {file}"), 0)?;
    case.completed("reset", 0)?;
    case.lives()?;
    let cuts = "#!/bin/sh\nprintf '\\344\\275'; sleep 0.3; printf '\\240\\n'\nprintf '\\033]0;ti'; sleep 0.3; printf 'tle\\007after\\n'\n";
    let cuts = case.world.script(&format!("files/cuts-{}", unique()), cuts);
    case.exact(&cuts.display().to_string(), 0, "你\nafter\n")?;
    case.lives()
}

fn endless_strings(case: &mut Case<'_>) -> Judged {
    let length = if case.is_slow() { 20_000 } else { 4_000_000 };
    for start in [&b"\x1b]52;c;"[..], b"\x1bP", b"\x1b_"] {
        let mut bytes = start.to_vec();
        bytes.resize(length, b'x');
        let file = case.world.file("endless", &bytes);
        case.completed(&format!("cat {file}"), 0)?;
        case.lives()?;
    }
    Ok(())
}

/// Asks where the cursor is, then reads the answer and for a second what else comes.
const ASK: &str = "stty -echo -icanon; printf '\\033[6n'; IFS= read -rd R -t 20 a; IFS= read -r -t 2 -N 1 b; stty sane; printf '%q|%q\\n' \"$a\" \"$b\"";

fn answered_once(case: &mut Case<'_>) -> Judged {
    let report = case.completed(ASK, 0)?;
    let once = report.text.contains(';') && report.text.ends_with("|''\n");
    check(once, Kind::Output, || format!("expected one answer, got {:?}", report.text))
}

fn one_answer(case: &mut Case<'_>) -> Judged {
    answered_once(case)?;
    for viewers in [1, 3] {
        let mut pages = Vec::new();
        if let Some((desk, session_id)) = case.stage.remote() {
            pages.extend((0..viewers).map(|_| desk.page(&session_id)));
        }
        answered_once(case)?;
        drop(pages);
    }
    case.lives()
}

fn replay_is_silent(case: &mut Case<'_>) -> Judged {
    let queries = case.world.file("queries", b"\x1b[6n\x1b[c\x1b[>c\x1b[5n");
    // The answers to these come now, and are read away.
    let read_away = "stty -echo -icanon; cat QUERIES; while IFS= read -r -t 2 -N 1 x; do :; done; stty sane";
    case.completed(&read_away.replace("QUERIES", &queries), 0)?;
    case.submit("stty -echo -icanon; sleep 3; IFS= read -r -t 2 -N 9 late; stty sane; printf '%q\\n' \"$late\"")?;
    let mut pages = Vec::new();
    if let Some((desk, session_id)) = case.stage.remote() {
        pages.extend((0..3).map(|_| desk.page(&session_id)));
    }
    case.ends(0)?.text_is("''\n")?;
    drop(pages);
    case.lives()
}

/// As fish does from version 4.1 on: it waits for the answer before it shows a prompt.
fn device_attributes(case: &mut Case<'_>) -> Judged {
    let ask = "stty -echo -icanon; s=$(date +%s%N); printf '\\033[c'; IFS= read -rd c -t 20 a; e=$(date +%s%N); stty sane; echo $(( (e - s) / 1000000 )) ${a:+answered}";
    let report = case.completed(ask, 0)?;
    report.text_has("answered")?;
    let milliseconds: u64 =
        report.text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(u64::MAX);
    // A round trip over the bad line alone may take a second.
    let limit = if case.is_slow() { 3000 } else { 500 };
    check(milliseconds < limit, Kind::Other, || format!("the answer took {milliseconds} ms"))
}

/// Every kind of outcome in one session, in an order that leaves each a chance to disturb the next.
fn session_of_everything(case: &mut Case<'_>) -> Judged {
    case.exact("echo one", 0, "one\n")?;
    let report = case.run_for("sh -c 'printf \"# \"; sleep 3; exit 9'", Duration::from_secs(1))?;
    report.open()?;
    case.ends(9)?.text_has("#")?;
    let file = case.world.file("precious", b"content");
    case.run(&format!("rm -i {file}"))?.awaiting(&["confirm"])?;
    case.answer("y")?;
    case.ends(0)?;
    if std::path::Path::new(&file).exists() {
        return wrong(Kind::Other, "the answer did not arrive");
    }
    case.exact("printf 'no end'", 0, "no end")?;
    case.completed("sh -c 'kill -TERM $$'", 143)?;
    case.timed(4)?;
    case.exact("echo 你好 ❤️", 0, "你好 ❤️\n")?;
    case.lives()
}
