//! Levels without a real shell: what a level writes is read as that level writes it.

use std::time::Duration;

use portcullis_term::{
    AwaitingKind, Encoding, Event, Expectation, Foreground, Level, LevelKind, Outcome, State, Submission, Terminal,
    TerminalOptions, Typist,
};

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Feeds a shell's answers to the probe and to the marks.
fn arm(terminal: &mut Terminal, nonce: &str, from: u64) {
    terminal.feed(b"user@host:~$ ", at(from));
    let probe = terminal.tick(at(from + 400)).write;
    assert!(String::from_utf8_lossy(&probe).contains("k=probe"));
    let answer = format!("\x1b]133;P;k=probe;b=5;z=;f=;k2=;aid={nonce}.0\x07user@host:~$ ");
    let marks = terminal.feed(answer.as_bytes(), at(from + 410)).write;
    assert!(String::from_utf8_lossy(&marks).contains("PROMPT_COMMAND"));
    let prompt = format!(
        "\x1b]133;D;0;aid={nonce}.7;q=1\x07\x1b]133;A;aid={nonce}.7\x07user@host:~$ \x1b]133;B;aid={nonce}.7\x07"
    );
    terminal.feed(prompt.as_bytes(), at(from + 420));
    assert_eq!(terminal.state(), State::AtPrompt { dirty: false });
}

#[test]
fn a_gbk_menu_and_the_utf_8_shell_behind_it_are_both_readable() {
    let mut terminal = Terminal::new(&TerminalOptions::default());
    let mut menu = Level::new(LevelKind::Menu, "bastion");
    menu.encoding = Encoding::Gbk;
    terminal.declare_level(menu);
    let gbk = portcullis_term::decode::encode(Encoding::Gbk, "请选择目标资产：").unwrap();
    for byte in gbk {
        terminal.feed(&[byte], at(1));
    }
    assert_eq!(terminal.screen().text(), "请选择目标资产：");
    assert_eq!(terminal.encode("资产"), portcullis_term::decode::encode(Encoding::Gbk, "资产"));
    terminal.feed(b"\r\n", at(2));
    let expectation = Expectation::new(LevelKind::Shell, "host", "0123abcd".into(), at(20_000));
    terminal.expect_level(expectation, at(3));
    arm(&mut terminal, "0123abcd", 10);
    assert_eq!(terminal.breadcrumb(), ["bastion", "host"]);
    terminal.feed("日志 ✓".as_bytes(), at(1000));
    assert!(terminal.screen().text().ends_with("日志 ✓"), "{}", terminal.screen().text());
    assert_eq!(terminal.encode("资产"), Some("资产".as_bytes().to_vec()));
}

/// At the shell of `host`, which the menu's answer to `1` has led to.
fn behind_a_menu() -> Terminal {
    let mut terminal = Terminal::new(&TerminalOptions::default());
    terminal.declare_level(Level::new(LevelKind::Menu, "bastion"));
    terminal.feed(b"1) host\r\nOpt> ", at(0));
    terminal.program_typed(b"1\r");
    terminal.feed(b"1\r\nconnecting\r\n", at(1));
    terminal.expect_level(Expectation::new(LevelKind::Shell, "host", "0123abcd".into(), at(20_000)), at(3));
    arm(&mut terminal, "0123abcd", 10);
    assert_eq!(terminal.breadcrumb(), ["bastion", "host"]);
    terminal
}

#[test]
fn leaving_the_shell_behind_a_menu_leads_back_to_it() {
    let mut terminal = behind_a_menu();
    terminal.begin(&line("exit"), at(1000)).unwrap();
    let fed = terminal.feed(b"exit\r\nlogout\r\n1) host\r\nOpt> ", at(1010));
    assert!(outcomes(&fed.events).is_empty(), "{:?}", fed.events);
    let fed = terminal.tick(at(1400));
    let left = Outcome::LevelChanged { breadcrumb: vec!["bastion".into()], exit_code: None };
    assert_eq!(outcomes(&fed.events), [&left]);
    assert_eq!((terminal.state(), terminal.breadcrumb().len()), (State::Menu, 1));
}

#[test]
fn a_command_that_asks_as_the_menu_does_has_left_nothing() {
    let mut terminal = behind_a_menu();
    terminal.begin(&line("./menu-like"), at(1000)).unwrap();
    terminal.feed(format!("./menu-like\r\n{}Opt> ", "\x1b]133;C;aid=0123abcd.7\x07").as_bytes(), at(1010));
    for ms in [1400, 2000, 5000] {
        let fed = terminal.tick(at(ms));
        assert!(!outcomes(&fed.events).iter().any(|outcome| matches!(outcome, Outcome::LevelChanged { .. })));
    }
    assert_eq!(terminal.breadcrumb(), ["bastion", "host"]);
    // And one that leaves, behind which something else than the menu asks.
    let mut terminal = behind_a_menu();
    terminal.begin(&line("exit"), at(1000)).unwrap();
    terminal.feed(b"exit\r\nThere are stopped jobs. Option> ", at(1010));
    for ms in [1400, 2000, 5000] {
        terminal.tick(at(ms));
    }
    assert_eq!(terminal.breadcrumb(), ["bastion", "host"]);
}

#[test]
fn a_device_that_is_no_shell_is_known_by_its_prompt() {
    let mut terminal = Terminal::new(&TerminalOptions::default());
    let expectation = Expectation::new(LevelKind::Shell, "switch", "0123abcd".into(), at(20_000));
    terminal.expect_level(expectation, at(0));
    terminal.feed(b"switch-1>", at(10));
    assert!(!terminal.tick(at(400)).write.is_empty());
    terminal.feed(b"printf ...\r\n% Invalid input detected\r\nswitch-1>", at(500));
    terminal.tick(at(900));
    let fed = terminal.tick(at(9_000));
    assert!(matches!(fed.events.as_slice(), [Event::LevelEntered { .. }]), "{:?}", fed.events);
    assert_eq!(terminal.levels()[0].kind, LevelKind::NetworkCli);
    assert_eq!(terminal.state(), State::AtPrompt { dirty: false });
}

/// A terminal whose shell, a bash, waits at its marked prompt.
fn at_bash() -> Terminal {
    let mut terminal = Terminal::new(&TerminalOptions { ring_bytes: 100_000, ..TerminalOptions::default() });
    terminal.expect_level(Expectation::new(LevelKind::Shell, "host", NONCE.into(), at(20_000)), at(0));
    arm(&mut terminal, NONCE, 0);
    terminal
}

const NONCE: &str = "0123abcd";

/// What this shell draws when a command has ended: the counter is that of its prompt.
fn prompt(code: i32, counter: u32) -> String {
    format!(
        "\x1b]133;D;{code};aid={NONCE}.7;q={counter}\x07\x1b]133;A;aid={NONCE}.7\x07user@host:~$ \x1b]133;B;aid={NONCE}.7\x07"
    )
}

fn output_start() -> String {
    format!("\x1b]133;C;aid={NONCE}.7\x07")
}

fn outcomes(events: &[Event]) -> Vec<&Outcome> {
    let reported = events.iter().filter_map(|event| match event {
        Event::Report(completion) => Some(&completion.outcome),
        _ => None,
    });
    reported.collect()
}

fn line(text: &str) -> Submission {
    Submission { text: text.to_owned(), typist: Typist::Agent, opens: None, expect_level: None }
}

#[test]
fn an_enter_that_was_on_its_way_before_the_line_does_not_end_it() {
    let mut terminal = at_bash();
    terminal.begin(&line("echo hi"), at(1000)).unwrap();
    let fed = terminal.feed(format!("\r\n{}", prompt(0, 2)).as_bytes(), at(1010));
    assert!(outcomes(&fed.events).is_empty(), "{:?}", fed.events);
    let rest = format!("echo hi\r\n{}hi\r\n{}", output_start(), prompt(0, 3));
    let fed = terminal.feed(rest.as_bytes(), at(1020));
    assert!(matches!(outcomes(&fed.events)[..], [Outcome::Completed { exit_code: Some(0), .. }]), "{:?}", fed.events);
    // The terminal echoes what comes while the shell is not reading.
    terminal.begin(&line("echo hi"), at(1500)).unwrap();
    let fed = terminal.feed(format!("echo hi\r\n{}", prompt(0, 31)).as_bytes(), at(1510));
    assert!(outcomes(&fed.events).is_empty(), "{:?}", fed.events);
    let rest = format!("echo hi\r\n{}hi\r\n{}", output_start(), prompt(0, 32));
    let fed = terminal.feed(rest.as_bytes(), at(1520));
    assert!(matches!(outcomes(&fed.events)[..], [Outcome::Completed { exit_code: Some(0), .. }]), "{:?}", fed.events);
    // A comment runs nothing; that nothing more comes tells.
    terminal.begin(&line("# hi"), at(1600)).unwrap();
    terminal.feed(format!("# hi\r\n{}", prompt(0, 33)).as_bytes(), at(1610));
    let events = [1800, 2300, 3000].map(|ms| terminal.tick(at(ms)).events).concat();
    assert!(matches!(outcomes(&events)[..], [Outcome::Completed { exit_code: Some(0), .. }]), "{events:?}");
    // A syntax error is never run, and ends all the same.
    terminal.begin(&line("echo ("), at(4000)).unwrap();
    let fed = terminal.feed(format!("\r\n{}", prompt(0, 34)).as_bytes(), at(4010));
    assert!(outcomes(&fed.events).is_empty(), "{:?}", fed.events);
    let fed = terminal.feed(format!("echo (\r\nsyntax error\r\n{}", prompt(2, 35)).as_bytes(), at(4020));
    assert!(matches!(outcomes(&fed.events)[..], [Outcome::Completed { exit_code: Some(2), .. }]), "{:?}", fed.events);
}

#[test]
fn nothing_is_typed_at_the_old_prompt_while_the_line_is_on_its_way() {
    let mut terminal = at_bash();
    let mut submission = line("su - second");
    submission.opens = Some(Expectation::new(LevelKind::Shell, "second", "89abcdef".into(), at(20_000)));
    terminal.begin(&submission, at(1000)).unwrap();
    for ms in (1100..2000).step_by(100) {
        assert!(terminal.tick(at(ms)).write.is_empty(), "typed after {ms} ms");
    }
    terminal.feed(format!("su - second\r\n{}Password: ", output_start()).as_bytes(), at(2000));
    let fed = terminal.tick(at(3000));
    assert!(fed.write.is_empty());
    assert!(matches!(outcomes(&fed.events)[..], [Outcome::AwaitingInput { .. }]), "{:?}", fed.events);
}

#[test]
fn a_pause_in_a_flood_that_has_left_the_ring_ends_nothing() {
    let mut terminal = at_bash();
    terminal.begin(&line("yes"), at(1000)).unwrap();
    // A line editor that draws its prompt again.
    terminal.feed(format!("\r{}yes\r\n{}", prompt(0, 1), output_start()).as_bytes(), at(1010));
    terminal.feed("y\r\n".repeat(100_000).as_bytes(), at(1020));
    for ms in [1400, 2000, 4000] {
        let fed = terminal.tick(at(ms));
        assert!(outcomes(&fed.events).is_empty(), "{:?}", fed.events);
    }
}

#[test]
fn a_query_behind_the_prompt_is_not_answered_to_the_program_that_was_started() {
    let mut terminal = Terminal::new(&TerminalOptions::default());
    terminal.expect_level(Expectation::new(LevelKind::Shell, "host", NONCE.into(), at(20_000)), at(0));
    terminal.feed(b"~ $ ", at(0));
    assert!(!terminal.tick(at(400)).write.is_empty());
    terminal.feed(format!("\x1b]133;P;k=probe;b=;z=;f=;k2=;aid={NONCE}.0\x07~ $ ").as_bytes(), at(410));
    terminal.feed(prompt(0, 1).as_bytes(), at(420));
    assert_eq!(terminal.feed(b"\x1b[6n", at(421)).write, b"\x1b[1;14R");
    terminal.begin(&line("sh"), at(1000)).unwrap();
    assert!(terminal.feed(b"\x1b[6n", at(1001)).write.is_empty());
    let fed = terminal.feed(b"sh\r\n\x1b[6n", at(1002));
    assert!(!fed.write.is_empty(), "the program's own query is answered");
}

#[test]
fn a_full_screen_program_that_never_rests_is_told() {
    let mut terminal = at_bash();
    terminal.set_round_trip(at(600));
    terminal.begin(&line("htop"), at(1000)).unwrap();
    terminal.feed(format!("htop\r\n{}\x1b[?1049h", output_start()).as_bytes(), at(1600));
    let mut told = Vec::new();
    for ms in (1700..8000).step_by(500) {
        let drawn = terminal.feed(b"\x1b[Hload 0.1", at(ms)).events;
        told.extend(drawn);
        told.extend(terminal.tick(at(ms + 100)).events);
    }
    assert!(matches!(outcomes(&told)[..], [Outcome::Fullscreen]), "{told:?}");
}

/// At the prompt of a shell of the server itself, with a command that prints nothing.
fn silent_command() -> Terminal {
    let mut terminal = Terminal::new(&TerminalOptions::default());
    terminal.expect_level(Expectation::new(LevelKind::Shell, "host", "0123abcd".into(), at(20_000)), at(3));
    arm(&mut terminal, "0123abcd", 10);
    let line = Submission { text: "cat".to_owned(), typist: Typist::Agent, opens: None, expect_level: None };
    terminal.begin(&line, at(1000)).unwrap();
    terminal.feed(b"cat\r\n\x1b]133;C;aid=0123abcd.7\x07", at(1010));
    terminal
}

fn seen(reads_terminal: Option<bool>) -> Foreground {
    Foreground { program: "cat".to_owned(), reads_terminal }
}

#[test]
fn the_servers_processes_tell_a_reader_from_a_worker_in_the_silence_they_were_seen_in() {
    let mut terminal = silent_command();
    assert_eq!(terminal.silence(at(2900)), None);
    let silence = terminal.silence(at(3100)).unwrap();
    assert_eq!(silence.shell_pid, 7);

    // Of one that works nothing is told at once; who asks hears how it is known.
    assert!(terminal.foreground_seen(&silence, &seen(Some(false)), at(3200)).events.is_empty());
    let interim = terminal.interim().unwrap();
    assert_eq!(interim.outcome, Outcome::Running);
    assert!(interim.evidence.iter().any(|evidence| evidence.contains("does not read")), "{interim:?}");

    let fed = terminal.foreground_seen(&silence, &seen(Some(true)), at(3300));
    assert!(
        matches!(&fed.events[..], [Event::Report(told)]
        if matches!(told.outcome, Outcome::AwaitingInput { kind: AwaitingKind::Text, .. })),
        "{fed:?}"
    );
    // Told once, and void from the next byte on.
    assert!(terminal.foreground_seen(&silence, &seen(Some(true)), at(3400)).events.is_empty());
    terminal.feed(b"x", at(3500));
    assert!(terminal.foreground_seen(&silence, &seen(Some(true)), at(5600)).events.is_empty());
}

#[test]
fn no_look_at_processes_where_it_would_tell_of_something_else() {
    // What was typed may not have reached the program yet.
    let mut terminal = silent_command();
    let silence = terminal.silence(at(3100)).unwrap();
    terminal.foreground_seen(&silence, &seen(Some(true)), at(3200));
    terminal.program_typed(b"answer\r");
    assert_eq!(terminal.silence(at(3300)), None);
    assert!(terminal.foreground_seen(&silence, &seen(Some(true)), at(3300)).events.is_empty());
    // Behind a menu the shell is another machine's, and a full-screen program waits for keys anyway.
    let mut behind = behind_a_menu();
    let line = Submission { text: "cat".to_owned(), typist: Typist::Agent, opens: None, expect_level: None };
    behind.begin(&line, at(1000)).unwrap();
    behind.feed(b"cat\r\n\x1b]133;C;aid=0123abcd.7\x07", at(1010));
    assert_eq!(behind.silence(at(9000)), None);
    let mut full_screen = silent_command();
    full_screen.feed(b"\x1b[?1049h", at(1020));
    assert_eq!(full_screen.silence(at(9000)), None);
}
