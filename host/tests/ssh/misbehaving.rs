//! Listeners that are no servers, and connections that die.

use std::time::{Duration, Instant};

use e2e::sshd::{Sshd, SshdOptions, free_port};
use portcullis::ssh::{ConnectError, ConnectStep, ShellEvent, ShellLink, fetch_host_key, open_shell};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{EVENT_LIMIT, next_event, output_until, profile_for, profile_of, type_line};

/// Short, and still far above what loopback needs.
const STEP_LIMIT: Duration = Duration::from_millis(400);

/// Accepts connections, sends `greeting` and keeps silent; each connection's end is told on the channel.
async fn listener(greeting: &'static [u8]) -> (u16, tokio::sync::mpsc::UnboundedReceiver<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (ended, seen) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let ended = ended.clone();
            tokio::spawn(async move {
                let _ = stream.write_all(greeting).await;
                let mut sink = Vec::new();
                let _ = stream.read_to_end(&mut sink).await;
                let _ = ended.send(());
            });
        }
    });
    (port, seen)
}

async fn error_against(greeting: &'static [u8]) -> ConnectError {
    let (port, mut ended) = listener(greeting).await;
    let mut profile = profile_for("127.0.0.1", port, "me");
    profile.connect_timeout = STEP_LIMIT;
    let started = Instant::now();
    let error = open_shell(&profile, &[]).await.unwrap_err();
    assert!(started.elapsed() < STEP_LIMIT * 10, "{:?}", started.elapsed());
    // Whatever went wrong, the socket does not stay behind.
    tokio::time::timeout(EVENT_LIMIT, ended.recv()).await.expect("the connection is closed").unwrap();
    error
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let profile = profile_for("127.0.0.1", free_port(), "me");
    let error = open_shell(&profile, &[]).await.unwrap_err();
    assert_eq!(error.category(), "connection");
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains(&format!("me@127.0.0.1:{}", profile.port)), "{error}");
}

#[tokio::test]
async fn a_name_nobody_has_is_unreachable() {
    let error = open_shell(&profile_for("host.invalid", 22, "me"), &[]).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_listener_that_never_speaks_runs_into_the_deadline_of_its_step() {
    let error = error_against(b"").await;
    assert!(matches!(error, ConnectError::Timeout { step: ConnectStep::Identification, .. }), "{error:?}");
    let error = error_against(b"Welcome to this machine\r\n").await;
    assert!(matches!(error, ConnectError::Timeout { step: ConnectStep::Identification, .. }), "{error:?}");
    let error = error_against(b"SSH-2.0-Silent\r\n").await;
    assert!(matches!(error, ConnectError::Timeout { step: ConnectStep::KeyExchange, .. }), "{error:?}");
}

#[tokio::test]
async fn a_listener_that_speaks_something_else_is_told() {
    for greeting in [
        b"HTTP/1.1 400 Bad Request\r\n\r\n".repeat(100).leak() as &'static [u8],
        b"SSH-1.5-old\r\n",
        &[b'x'; 10_000],
        b"SSH-2.0-Odd\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"SSH-2.0-Odd\r\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    ] {
        let error = error_against(greeting).await;
        let told = matches!(
            error,
            ConnectError::Protocol { .. } | ConnectError::Timeout { .. } | ConnectError::Disconnected { .. }
        );
        assert!(told, "{error:?}");
        assert_eq!(error.category(), "connection");
    }
}

#[tokio::test]
async fn looking_at_a_key_has_the_same_deadline() {
    let (port, mut ended) = listener(b"").await;
    let error = fetch_host_key("127.0.0.1", port, None, STEP_LIMIT).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { .. }), "{error:?}");
    tokio::time::timeout(EVENT_LIMIT, ended.recv()).await.expect("the connection is closed").unwrap();
}

#[tokio::test]
async fn an_abandoned_attempt_leaves_no_socket_behind() {
    for greeting in [b"".as_slice(), b"SSH-2.0-Silent\r\n"] {
        let (port, mut ended) = listener(greeting).await;
        let profile = profile_for("127.0.0.1", port, "me");
        let attempt = tokio::time::timeout(STEP_LIMIT, open_shell(&profile, &[])).await;
        assert!(attempt.is_err());
        tokio::time::timeout(EVENT_LIMIT, ended.recv()).await.expect("the connection is closed").unwrap();
    }
}

/// What a relay between client and server does.
#[derive(Clone, Copy, PartialEq)]
enum Relay {
    Forward,
    /// Keeps both connections open and forwards nothing until told to go on.
    Freeze,
    /// Ends the client's connection with a reset.
    Reset,
}

/// Forwards to `port` until told otherwise.
async fn relay(port: u16) -> (u16, tokio::sync::watch::Sender<Relay>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let own_port = listener.local_addr().unwrap().port();
    let (order, mut orders) = tokio::sync::watch::channel(Relay::Forward);
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        loop {
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut client, &mut server) => break,
                _ = orders.wait_for(|order| *order != Relay::Forward) => {}
            }
            if *orders.borrow() == Relay::Reset {
                client.set_zero_linger().unwrap();
                drop(client);
                break;
            }
            // Frozen connections stay open until the test has ended or lets them go on.
            if orders.wait_for(|order| *order == Relay::Forward).await.is_err() {
                break;
            }
        }
    });
    (own_port, order)
}

/// A shell behind a relay, with the relay's switch; the server is asked for a sign of life every half
/// second.
async fn relayed() -> (Sshd, ShellLink, tokio::sync::watch::Sender<Relay>) {
    let server = Sshd::start(SshdOptions::default());
    let (port, orders) = relay(server.port()).await;
    let mut profile = profile_of(&server);
    let line = format!("[127.0.0.1]:{port} {}\n", server.host_public_key("ed25519"));
    profile.known_hosts = vec![server.write_file("relayed", &line)];
    profile.port = port;
    profile.keepalive = Duration::from_millis(500);
    let mut link = open_shell(&profile, &[]).await.unwrap();
    type_line(&link, "printf 'rea%s\\n' dy").await;
    output_until(&mut link, "ready").await;
    (server, link, orders)
}

/// The next event that is neither output nor a sign of life.
async fn next_trouble(link: &mut ShellLink) -> Option<ShellEvent> {
    loop {
        match next_event(link).await {
            Some(ShellEvent::Alive { .. } | ShellEvent::Output(_)) => {}
            other => return other,
        }
    }
}

/// The next event but output.
async fn next_but_output(link: &mut ShellLink) -> Option<ShellEvent> {
    loop {
        match next_event(link).await {
            Some(ShellEvent::Output(_)) => {}
            other => return other,
        }
    }
}

#[tokio::test]
async fn a_server_answers_requests_for_a_sign_of_life() {
    let (_server, mut link, _orders) = relayed().await;
    // OpenSSH knows no such request and says so, which is an answer.
    for _ in 0..3 {
        let event = next_but_output(&mut link).await;
        assert!(
            matches!(event, Some(ShellEvent::Alive { round_trip: Some(time) }) if time < Duration::from_millis(400)),
            "{event:?}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_dies_in_silence_is_doubted_and_then_given_up() {
    let (_server, mut link, orders) = relayed().await;
    orders.send(Relay::Freeze).unwrap();
    let frozen = Instant::now();
    for missing in 1..=2 {
        let event = next_trouble(&mut link).await;
        assert!(
            matches!(event, Some(ShellEvent::Silent { unanswered, limit: 2, .. }) if unanswered == missing),
            "{event:?}"
        );
    }
    let event = next_trouble(&mut link).await;
    let Some(ShellEvent::Closed { reason }) = event else { panic!("{event:?}") };
    assert!(reason.contains("no longer answers"), "{reason}");
    assert!(frozen.elapsed() < Duration::from_secs(4), "{:?}", frozen.elapsed());
    assert_eq!(link.events.recv().await, None);
}

#[tokio::test]
async fn a_connection_that_comes_back_is_told_at_once() {
    let (_server, mut link, orders) = relayed().await;
    orders.send(Relay::Freeze).unwrap();
    let event = next_trouble(&mut link).await;
    assert!(matches!(event, Some(ShellEvent::Silent { unanswered: 1, .. })), "{event:?}");
    orders.send(Relay::Forward).unwrap();
    let event = next_but_output(&mut link).await;
    assert!(matches!(event, Some(ShellEvent::Alive { .. })), "{event:?}");
    type_line(&link, "printf 'still%s\\n' here").await;
    output_until(&mut link, "stillhere").await;
}

#[tokio::test]
async fn a_reset_connection_is_told() {
    let (_server, mut link, orders) = relayed().await;
    orders.send(Relay::Reset).unwrap();
    let event = next_trouble(&mut link).await;
    assert_eq!(event, Some(ShellEvent::Closed { reason: "the connection was reset".to_owned() }));
}
