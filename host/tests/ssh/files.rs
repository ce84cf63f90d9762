//! Files over SFTP: a server that answers them wrongly, and what becomes of the shell beside it.

use std::time::{Duration, Instant};

use portcullis::ssh::{
    ShellLink,
    files::{Files, FilesError},
    open_shell,
};

use super::scripted::{PASSWORD, Trick, scene};
use super::{output_until, type_line};

/// What the server does wrong with files.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Wrong {
    /// Says that a message of 4 GiB follows.
    HugeLength,
    /// Answers with ids nobody gave.
    UnknownId,
    /// Sends answers that nobody asked for, without end.
    Unasked,
    /// Resolves paths to `../../x`.
    LeadsUp,
    /// Gives two paths for one.
    TwoPaths,
    /// Says of a list that it has four thousand million names.
    HugeCount,
    /// Lists a directory without end.
    EndlessNames,
    /// Lists names that lead out, and a line full of control characters beside each.
    EvilNames,
    /// Gives more content than was asked for.
    TooMuchContent,
    /// Never answers after its greeting.
    Silent,
    /// Never even greets.
    Mute,
    /// Greets twice.
    GreetsTwice,
}

const VERSION: u8 = 2;
const READ: u8 = 5;
const READDIR: u8 = 12;
const REALPATH: u8 = 16;

/// A whole packet from the front of what has come, without its length.
pub(super) fn take(buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = u32::from_be_bytes(*buffer.first_chunk()?) as usize;
    if buffer.len() < 4 + length {
        return None;
    }
    Some(buffer.drain(..4 + length).skip(4).collect())
}

fn frame(kind: u8, id: &[u8], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(1 + id.len() + body.len()).unwrap();
    [&length.to_be_bytes()[..], &[kind], id, body].concat()
}

fn string(text: &[u8]) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], text].concat()
}

/// Names as a list has them: name, line for people, no attributes.
fn names(all: &[&[u8]]) -> Vec<u8> {
    let mut body = u32::try_from(all.len()).unwrap().to_be_bytes().to_vec();
    for name in all {
        body.extend(string(name));
        body.extend(string(b"\x1b]0;gotcha\x07"));
        body.extend([0; 4]);
    }
    body
}

/// What the server sends for a packet.
pub(super) fn answers(wrong: Wrong, packet: &[u8]) -> Vec<Vec<u8>> {
    let kind = packet[0];
    let greeting = frame(VERSION, &[], &3u32.to_be_bytes());
    if kind == 1 {
        return match wrong {
            Wrong::Mute => Vec::new(),
            Wrong::GreetsTwice => vec![greeting.clone(), greeting],
            Wrong::Unasked => {
                let flood = frame(101, &[0, 0, 0, 99], &[0; 12]).repeat(1000);
                std::iter::once(greeting).chain(std::iter::repeat_n(flood, 400)).collect()
            }
            _ => vec![greeting],
        };
    }
    let id = &packet[1..5];
    match (wrong, kind) {
        (Wrong::Silent, _) => Vec::new(),
        (Wrong::HugeLength, _) => vec![u32::MAX.to_be_bytes().to_vec(), vec![0; 64]],
        (Wrong::UnknownId, _) => vec![frame(101, &[0xff; 4], &[0; 12])],
        (Wrong::HugeCount, _) => vec![frame(104, id, &[&u32::MAX.to_be_bytes()[..], &[0; 64]].concat())],
        (Wrong::LeadsUp, REALPATH) => vec![frame(104, id, &names(&[b"../../x"]))],
        (Wrong::TwoPaths, REALPATH) => vec![frame(104, id, &names(&[b"/a", b"/b"]))],
        (Wrong::TooMuchContent, READ) => vec![frame(103, id, &string(&[b'x'; 200_000]))],
        (Wrong::EndlessNames, READDIR) => vec![frame(104, id, &names(&[b"again", b"and again"]))],
        (Wrong::EvilNames, READDIR) => vec![frame(104, id, &names(&[b"../../x", b"/etc/passwd", b"\x1b[2J", b""]))],
        (_, REALPATH) => vec![frame(104, id, &names(&[b"/home/me"]))],
        // Every file and directory has this handle, and is no longer UTF-8.
        _ => vec![frame(102, id, &string(&[0xff, 0xfe]))],
    }
}

async fn server(wrong: Wrong) -> (ShellLink, tempfile::TempDir) {
    let (mut profile, directory) = scene(PASSWORD, Trick::Files(wrong), "right").await;
    // The limit of each answer; enough for the login on a busy machine.
    profile.connect_timeout = Duration::from_secs(3);
    let mut link = open_shell(&profile, &[]).await.unwrap();
    output_until(&mut link, "$ ").await;
    (link, directory)
}

/// The shell beside the files is as it was.
async fn shell_goes_on(mut link: ShellLink) {
    type_line(&link, "still-here").await;
    output_until(&mut link, "still-here").await;
}

#[tokio::test]
async fn answers_that_are_none_end_the_channel_and_nothing_else() {
    for (wrong, expected) in [
        (Wrong::HugeLength, "longer than any may be"),
        (Wrong::UnknownId, "nobody had asked for"),
        (Wrong::HugeCount, "the form of one"),
        (Wrong::LeadsUp, "a resolved path that is not one"),
        (Wrong::TwoPaths, "not one path for one question"),
        (Wrong::Unasked, "nobody had asked for"),
        (Wrong::GreetsTwice, "nobody had asked for"),
    ] {
        let (link, _directory) = server(wrong).await;
        let started = Instant::now();
        let error = match link.files.open().await {
            // What comes behind the greeting may be seen with it or after it.
            Err(error) => error,
            Ok(mut files) => files.real_path(".").await.unwrap_err(),
        };
        let fits = matches!(&error, FilesError::Protocol { what } if what.contains(expected));
        assert!(
            fits || (error == FilesError::NoSftp && matches!(wrong, Wrong::Unasked | Wrong::GreetsTwice)),
            "{wrong:?}: {error:?}"
        );
        assert!(started.elapsed() < Duration::from_secs(2), "{wrong:?}");
        shell_goes_on(link).await;
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_runs_into_the_limit() {
    for wrong in [Wrong::Silent, Wrong::Mute] {
        let (link, _directory) = server(wrong).await;
        let error = match link.files.open().await {
            Err(error) => error,
            Ok(mut files) => files.real_path(".").await.unwrap_err(),
        };
        assert!(matches!(error, FilesError::Timeout { .. }), "{wrong:?}: {error:?}");
        shell_goes_on(link).await;
    }
}

#[tokio::test]
async fn content_nobody_asked_for_is_refused_and_handles_are_any_bytes() {
    let (link, _directory) = server(Wrong::TooMuchContent).await;
    let mut files = link.files.open().await.unwrap();
    assert_eq!(files.real_path(".").await.as_deref(), Ok("/home/me"));
    let handle = files.open_to_read("/home/me/x").await.unwrap();
    let error = files.read(&handle, 0, 100).await.unwrap_err();
    assert!(matches!(error, FilesError::Protocol { .. }), "{error:?}");
    shell_goes_on(link).await;
}

async fn listed(files: &mut Files, most: usize) -> usize {
    let handle = files.open_directory("/home/me").await.unwrap();
    let mut count = 0;
    while count < most {
        match files.next_names(&handle).await.unwrap() {
            Some(names) => count += names.len(),
            None => break,
        }
    }
    count
}

#[tokio::test]
async fn a_list_is_taken_piece_by_piece() {
    // Whoever lists decides when it is enough; every piece has to be asked for.
    let (link, _directory) = server(Wrong::EndlessNames).await;
    let mut files = link.files.open().await.unwrap();
    assert_eq!(listed(&mut files, 50).await, 50);
    drop(files);
    let (evil, _directory) = server(Wrong::EvilNames).await;
    let mut files = evil.files.open().await.unwrap();
    assert_eq!(listed(&mut files, 4).await, 4);
    shell_goes_on(link).await;
    shell_goes_on(evil).await;
}

#[tokio::test]
async fn a_connection_that_has_ended_says_so() {
    let (link, _directory) = server(Wrong::EndlessNames).await;
    let opener = link.files.clone();
    let mut files = opener.open().await.unwrap();
    drop(link);
    let error = loop {
        match files.real_path(".").await {
            // The farewell takes a moment.
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert_eq!(error, FilesError::Gone);
    assert_eq!(opener.open().await.err(), Some(FilesError::Gone));
}
