//! Levels without a real shell: what a level writes is read as that level writes it.

use std::time::Duration;

use portcullis_term::{Encoding, Event, Expectation, Level, LevelKind, State, Terminal, TerminalOptions};

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
