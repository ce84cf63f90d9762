//! The shell behind a login: bytes both ways, size, environment, and every way it ends.

use std::time::Duration;

use e2e::sshd::{Sshd, SshdOptions};
use portcullis::{
    config::profile::TerminalSize,
    ssh::{ConnectError, ShellCommand, ShellEvent, open_shell},
};

use super::{output_until, profile_of, remaining_events, type_line};

/// A plain shell whose start-up files are nobody's business.
fn plain_shell() -> SshdOptions {
    let config_lines = vec!["ForceCommand exec /bin/sh".to_owned(), "AcceptEnv PAGER".to_owned()];
    SshdOptions { config_lines, ..SshdOptions::default() }
}

#[tokio::test]
async fn bytes_go_both_ways_in_a_terminal_of_the_given_size() {
    let server = Sshd::start(plain_shell());
    let mut link = open_shell(&profile_of(&server), &[]).await.unwrap();
    type_line(&link, "stty size; echo $TERM; printf 'um%sut\\n' la").await;
    let seen = output_until(&mut link, "umlaut").await;
    assert!(seen.contains("37 111"), "{seen}");
    assert!(seen.contains("xterm-256color"), "{seen}");
    link.commands.send(ShellCommand::Resize(TerminalSize { columns: 90, rows: 25 })).await.unwrap();
    type_line(&link, "stty size").await;
    output_until(&mut link, "25 90").await;
}

#[tokio::test]
async fn the_environment_is_offered_and_its_refusal_is_no_failure() {
    let server = Sshd::start(plain_shell());
    let environment =
        [("PAGER", "cat"), ("NOT_ACCEPTED", "x")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut link = open_shell(&profile_of(&server), &environment).await.unwrap();
    type_line(&link, "echo \"<$PAGER|$NOT_ACCEPTED>\"").await;
    output_until(&mut link, "<cat|>").await;
}

#[tokio::test]
async fn an_exit_status_comes_before_the_end_and_both_once() {
    let server = Sshd::start(plain_shell());
    let mut link = open_shell(&profile_of(&server), &[]).await.unwrap();
    type_line(&link, "exit 7").await;
    let events = remaining_events(&mut link).await;
    let closed = ShellEvent::Closed { reason: "the server ended the session".to_owned() };
    assert_eq!(events, [ShellEvent::ExitStatus(7), closed]);
}

#[tokio::test]
async fn a_signal_that_ends_the_shell_is_named() {
    let server = Sshd::start(plain_shell());
    let mut link = open_shell(&profile_of(&server), &[]).await.unwrap();
    type_line(&link, "kill -KILL $$").await;
    let events = remaining_events(&mut link).await;
    assert_eq!(events.first(), Some(&ShellEvent::ExitSignal("KILL".to_owned())), "{events:?}");
    assert_eq!(events.len(), 2);
}

#[tokio::test]
async fn closing_and_dropping_end_the_connection() {
    let server = Sshd::start(plain_shell());
    let mut link = open_shell(&profile_of(&server), &[]).await.unwrap();
    link.commands.send(ShellCommand::Close).await.unwrap();
    let events = remaining_events(&mut link).await;
    assert_eq!(events, [ShellEvent::Closed { reason: "closed by this program".to_owned() }]);

    let server = Sshd::start(plain_shell());
    let link = open_shell(&profile_of(&server), &[]).await.unwrap();
    drop(link);
    let seen = tokio::task::spawn_blocking(move || {
        (server.log_contains_within("Disconnected from", Duration::from_secs(10)), server.log())
    });
    let (disconnected, log) = seen.await.unwrap();
    assert!(disconnected, "{log}");
}

#[tokio::test]
async fn a_shell_that_ends_with_much_output_loses_none_of_it() {
    let server = Sshd::start(plain_shell());
    let mut link = open_shell(&profile_of(&server), &[]).await.unwrap();
    // 6 MB without line ends, then a mark, then the end. sshd may tell the status before the last output.
    type_line(
        &link,
        "stty -echo; printf 'be%s' gin; head -c 6000000 /dev/zero | tr '\\0' x; printf 'fin%s' ish; exit 3",
    )
    .await;
    let mut seen = Vec::new();
    let mut others = Vec::new();
    while let Some(event) = super::next_event(&mut link).await {
        match event {
            ShellEvent::Output(bytes) => {
                let closed = others.iter().any(|other| matches!(other, ShellEvent::Closed { .. }));
                assert!(!closed, "output after {others:?}");
                assert!(bytes.len() <= 64 * 1024);
                seen.extend_from_slice(&bytes);
            }
            other => others.push(other),
        }
    }
    let text = String::from_utf8_lossy(&seen);
    let body = text.split("begin").nth(1).and_then(|rest| rest.split("finish").next()).unwrap();
    assert_eq!(body.bytes().filter(|byte| *byte == b'x').count(), 6_000_000);
    assert_eq!(others.first(), Some(&ShellEvent::ExitStatus(3)));
    assert_eq!(others.len(), 2);
}

#[tokio::test]
async fn output_nobody_takes_waits_and_none_of_it_is_lost() {
    let server = Sshd::start(plain_shell());
    let mut link = open_shell(&profile_of(&server), &[]).await.unwrap();
    type_line(&link, "stty -echo; printf 'be%s' gin; seq 1 3000000; printf 'fin%s' ish").await;
    // Without a reader the queue of events fills and stays full, which shows that reading has stopped.
    let filled = async {
        while link.events.len() < link.events.max_capacity() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::EVENT_LIMIT, filled).await.expect("the queue fills");
    let seen = output_until(&mut link, "finish").await;
    let numbers = seen.split("begin").nth(1).unwrap().split("finish").next().unwrap();
    let wrong = numbers
        .split("\r\n")
        .filter(|line| !line.is_empty())
        .zip(1_u32..)
        .find(|(line, number)| line.parse() != Ok(*number));
    assert_eq!(wrong, None);
    assert_eq!(numbers.matches("\r\n").count(), 3_000_000);
}

#[tokio::test]
async fn an_interrupt_reaches_a_flood() {
    let server = Sshd::start(plain_shell());
    let mut link = open_shell(&profile_of(&server), &[]).await.unwrap();
    type_line(&link, "yes").await;
    output_until(&mut link, "y\r\ny\r\ny").await;
    link.commands.send(ShellCommand::Write(vec![3])).await.unwrap();
    type_line(&link, "printf 'sto%s\\n' pped").await;
    output_until(&mut link, "stopped").await;
}

/// Input the other side does not read fills every buffer on the way; output and closing go on.
#[tokio::test]
async fn input_nobody_reads_blocks_neither_output_nor_closing() {
    let server = Sshd::start(plain_shell());
    let mut link = open_shell(&profile_of(&server), &[]).await.unwrap();
    type_line(&link, "stty -echo raw; printf 'rea%s\\n' dy; while :; do echo tick; sleep 0.05; done").await;
    output_until(&mut link, "ready").await;
    let commands = link.commands.clone();
    let flood =
        tokio::spawn(async move { while commands.send(ShellCommand::Write(vec![b'z'; 64 * 1024])).await.is_ok() {} });
    for _ in 0..20 {
        output_until(&mut link, "tick").await;
    }
    drop(link);
    tokio::time::timeout(super::EVENT_LIMIT, flood).await.expect("the pump ends").unwrap();
}

#[tokio::test]
async fn large_input_arrives_whole_and_in_order() {
    let server = Sshd::start(plain_shell());
    let mut link = open_shell(&profile_of(&server), &[]).await.unwrap();
    type_line(&link, "stty -echo raw; printf 'rea%s\\n' dy; head -c 3000000 | md5sum; stty sane; printf 'do%s\\n' ne")
        .await;
    output_until(&mut link, "ready").await;
    let input: Vec<u8> = (0..3_000_000_u32).map(|index| b'a' + u8::try_from(index * 7 % 26).unwrap()).collect();
    let file = server.write_file("input", std::str::from_utf8(&input).unwrap());
    let expected = std::process::Command::new("md5sum").arg(file).output().unwrap();
    let expected = String::from_utf8(expected.stdout).unwrap()[..32].to_owned();
    for piece in input.chunks(100_000) {
        link.commands.send(ShellCommand::Write(piece.to_vec())).await.unwrap();
    }
    let seen = output_until(&mut link, "done").await;
    assert!(seen.contains(&expected), "{seen}");
}

#[tokio::test]
async fn a_large_output_survives_new_keys() {
    let mut options = plain_shell();
    options.config_lines.push("RekeyLimit 1M".to_owned());
    let server = Sshd::start(options);
    let mut link = open_shell(&profile_of(&server), &[]).await.unwrap();
    type_line(&link, "stty -echo; printf 'be%s' gin; seq 1 900000; printf 'fin%s' ish").await;
    let seen = output_until(&mut link, "finish").await;
    let numbers = seen.split("begin").nth(1).unwrap().split("finish").next().unwrap();
    assert_eq!(numbers.matches("\r\n").count(), 900_000);
}

#[tokio::test]
async fn a_server_without_terminals_says_so() {
    let server = Sshd::start(SshdOptions { config_lines: vec!["PermitTTY no".into()], ..SshdOptions::default() });
    let error = open_shell(&profile_of(&server), &[]).await.unwrap_err();
    assert!(matches!(error, ConnectError::TerminalRefused { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_without_sessions_says_so() {
    let server = Sshd::start(SshdOptions { config_lines: vec!["MaxSessions 0".into()], ..SshdOptions::default() });
    let error = open_shell(&profile_of(&server), &[]).await.unwrap_err();
    assert!(matches!(error, ConnectError::ChannelRefused { .. }), "{error:?}");
}

/// A server that wants new keys after every megabyte, in the middle of output and input.
#[tokio::test]
async fn a_server_that_changes_keys_often_loses_nothing() {
    let config_lines = vec!["RekeyLimit 1M".into(), "LogLevel DEBUG1".into()];
    let server = Sshd::start(SshdOptions { config_lines, ..SshdOptions::default() });
    let mut link = open_shell(&profile_of(&server), &[]).await.unwrap();
    type_line(&link, "stty -onlcr -echo; echo set''up").await;
    output_until(&mut link, "setup\n").await;
    type_line(&link, "echo be''gin; seq 1 2000000; echo en''d").await;
    let output = output_until(&mut link, "end\n").await;
    let (_, numbers) = output.split_once("begin\n").unwrap();
    let (numbers, _) = numbers.split_once("end\n").unwrap();
    let wanted = (1..=2_000_000).map(|number| number.to_string());
    assert!(numbers.lines().eq(wanted), "{} bytes came", numbers.len());
    let exchanges = server.log().matches("SSH2_MSG_NEWKEYS received").count();
    assert!(exchanges > 10, "{exchanges}");
}
