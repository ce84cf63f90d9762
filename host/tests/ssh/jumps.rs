//! Reaching a host through others: three real servers in a row.

use std::sync::Arc;
use std::time::Duration;

use e2e::sshd::{Signal, Sshd, SshdOptions, free_port};
use portcullis::{
    config::profile::Profile,
    ssh::{ConnectError, ShellEvent, ShellLink, open_shell},
};

use super::{next_event, output_until, profile_of, remaining_events, type_line};

/// Two hops and a host, each with keys of its own.
struct Chain {
    first: Sshd,
    second: Sshd,
    host: Sshd,
    profile: Profile,
}

fn chain() -> Chain {
    let [first, second, host] = [(), (), ()].map(|()| Sshd::start(SshdOptions::default()));
    let mut profile = profile_of(&host);
    profile.hops = vec![named("bastion-a", profile_of(&first)), named("bastion-b", profile_of(&second))];
    Chain { first, second, host, profile }
}

fn named(name: &str, profile: Profile) -> Arc<Profile> {
    Arc::new(Profile { name: name.to_owned(), ..profile })
}

fn change_hop(profile: &mut Profile, index: usize, change: impl FnOnce(&mut Profile)) {
    change(Arc::make_mut(&mut profile.hops[index]));
}

async fn reason(link: &mut ShellLink) -> String {
    match remaining_events(link).await.pop() {
        Some(ShellEvent::Closed { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

/// With threads of its own: the test waits for a server's log, and connections end meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_reached_through_two_others() {
    let chain = chain();
    let mut link = open_shell(&chain.profile, &[]).await.unwrap();
    let address = format!("127.0.0.1:{} through bastion-a, bastion-b", chain.host.port());
    assert_eq!(link.peer.address, address);
    // Enough to fill every window on the way.
    type_line(&link, "seq 1 300000 | tail -c 1900000; echo do''ne").await;
    let output = output_until(&mut link, "done").await;
    assert!(output.contains("\r\n300000\r\n"));
    for server in [&chain.first, &chain.second, &chain.host] {
        assert!(server.log().contains("Accepted publickey"), "{}", server.log());
    }
    // Closing the session closes the hops.
    drop(link);
    for server in [&chain.host, &chain.second, &chain.first] {
        let limit = Duration::from_secs(20);
        assert!(server.log_contains_within("isconnected from user", limit), "{}", server.log());
    }
}

/// With threads of its own: the test waits for a server's log, and connections end meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_hop_with_another_key_is_refused_by_name() {
    let mut chain = chain();
    let (_, foreign) = chain.second.foreign_key("ed25519");
    let line = format!("[127.0.0.1]:{} {foreign}\n", chain.second.port());
    let known_hosts = vec![chain.second.write_file("changed", &line)];
    change_hop(&mut chain.profile, 1, |hop| hop.known_hosts = known_hosts);
    let error = open_shell(&chain.profile, &[]).await.unwrap_err();
    assert_eq!(error.category(), "host-key");
    let text = error.to_string();
    let start = format!("hop 2 of 2, bastion-b (127.0.0.1:{}): ", chain.second.port());
    assert!(text.starts_with(&start) && text.contains("another host key than recorded"), "{text}");
    assert!(
        matches!(&error, ConnectError::Hop { source, .. } if matches!(**source, ConnectError::HostKeyChanged { .. }))
    );
    assert!(!chain.second.log().contains("Accepted") && !chain.host.log().contains("Connection from"));
    // Nothing is left open at the hop before.
    assert!(chain.first.log_contains_within("onnection closed", Duration::from_secs(20)), "{}", chain.first.log());
}

#[tokio::test]
async fn what_cannot_be_read_for_a_hop_is_told_before_connecting() {
    let mut chain = chain();
    change_hop(&mut chain.profile, 1, |hop| hop.auth = vec![super::key_file("/nonexistent/key".into())]);
    let error = open_shell(&chain.profile, &[]).await.unwrap_err();
    assert!(error.to_string().starts_with("hop 2 of 2, bastion-b"), "{error}");
    assert_eq!(error.category(), "configuration");
    assert!(!chain.first.log().contains("Connection from"), "{}", chain.first.log());
}

#[tokio::test]
async fn a_hop_that_does_not_lead_on_says_why() {
    let mut chain = chain();
    chain.profile.port = free_port();
    let error = open_shell(&chain.profile, &[]).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, ConnectError::TunnelRefused { .. }), "{text}");
    let through = format!("cannot be reached through {}@127.0.0.1:{}", chain.second.user(), chain.second.port());
    assert!(text.contains(&through) && text.contains("it cannot connect there"), "{text}");

    let closed =
        Sshd::start(SshdOptions { config_lines: vec!["AllowTcpForwarding no".into()], ..SshdOptions::default() });
    chain.profile.hops[0] = named("closed", profile_of(&closed));
    let error = open_shell(&chain.profile, &[]).await.unwrap_err();
    assert!(error.to_string().starts_with("hop 2 of 2, bastion-b"), "{error}");
    assert!(error.to_string().contains("AllowTcpForwarding"), "{error}");
    assert_eq!(error.category(), "connection");
}

#[tokio::test]
async fn the_death_of_a_hop_ends_the_session_with_its_name() {
    let chain = chain();
    let mut link = open_shell(&chain.profile, &[]).await.unwrap();
    type_line(&link, "echo re''ady").await;
    output_until(&mut link, "ready").await;
    chain.second.signal_connections(Signal::KILL);
    let reason = reason(&mut link).await;
    let name = format!("the connection to the hop bastion-b (127.0.0.1:{}) was lost", chain.second.port());
    assert!(reason.starts_with(&name), "{reason}");
}

#[tokio::test]
async fn a_hop_that_falls_silent_is_given_up_by_its_own_limits() {
    let mut chain = chain();
    change_hop(&mut chain.profile, 1, |hop| hop.keepalive = Duration::from_millis(300));
    let mut link = open_shell(&chain.profile, &[]).await.unwrap();
    type_line(&link, "echo re''ady").await;
    output_until(&mut link, "ready").await;
    chain.second.signal_connections(Signal::STOP);
    let reason = reason(&mut link).await;
    chain.second.signal_connections(Signal::KILL);
    assert!(reason.starts_with("the hop bastion-b") && reason.contains("no sign of life"), "{reason}");
}

#[tokio::test]
async fn the_end_of_the_host_is_not_blamed_on_a_hop() {
    let chain = chain();
    let mut link = open_shell(&chain.profile, &[]).await.unwrap();
    type_line(&link, "exit 3").await;
    let mut told = Vec::new();
    while let Some(event) = next_event(&mut link).await {
        told.push(event);
    }
    assert!(told.contains(&ShellEvent::ExitStatus(3)), "{told:?}");
    assert!(matches!(told.last(), Some(ShellEvent::Closed { reason }) if !reason.contains("hop")), "{told:?}");
}
