//! The server itself: who gets in, what it does wrong on demand, how it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::LabError;
use lab::bastion::{self, BastionOptions, Faults, Front};
use russh::ChannelMsg;
use russh::client::AuthResult;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg};

use crate::client::{PASSWORD, PATIENCE, Terminal, USER, connect, eventually, log_in, options};

fn with_faults(home: &tempfile::TempDir, faults: Faults) -> BastionOptions {
    BastionOptions { faults, ..options(home) }
}

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

#[tokio::test]
async fn wrong_passwords_and_users_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let bastion = bastion::start(options(&home)).await.unwrap();
    for (user, password, gets_in) in
        [(USER, "wrong", false), (USER, "", false), ("root", PASSWORD, false), (USER, PASSWORD, true)]
    {
        let (mut handle, _witness) = connect(&bastion).await;
        let outcome = handle.authenticate_password(user, password).await.unwrap();
        assert_eq!(matches!(outcome, AuthResult::Success), gets_in, "{user} {password}");
    }
    eventually("refused clients are gone", || bastion.connection_count() == 0).await;
}

#[tokio::test]
async fn only_a_listed_key_gets_in() {
    let home = tempfile::tempdir().unwrap();
    let line = format!("{} a comment", key(1).public_key().to_openssh().unwrap());
    let settings = BastionOptions { password: None, authorized_keys: vec![line], ..options(&home) };
    let bastion = bastion::start(settings).await.unwrap();
    for (seed, gets_in) in [(1, true), (2, false)] {
        let (mut handle, _witness) = connect(&bastion).await;
        let offered = PrivateKeyWithHashAlg::new(Arc::new(key(seed)), None);
        let outcome = handle.authenticate_publickey(USER, offered).await.unwrap();
        assert_eq!(matches!(outcome, AuthResult::Success), gets_in);
    }
    let (mut handle, _witness) = connect(&bastion).await;
    assert!(!matches!(handle.authenticate_password(USER, "").await.unwrap(), AuthResult::Success));
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = bastion::start(BastionOptions { listen: everywhere, ..options(&home) }).await;
    assert!(matches!(refused, Err(LabError::NotLoopback { address }) if address == everywhere));

    let refused = bastion::start(BastionOptions::new(home.path(), USER)).await;
    assert!(matches!(refused, Err(LabError::NoWayIn)));

    let authorized_keys = vec!["ssh-ed25519 nonsense".to_owned()];
    let refused = bastion::start(BastionOptions { authorized_keys, ..options(&home) }).await;
    assert!(matches!(refused, Err(LabError::AuthorizedKey { number: 1, .. })));

    let first = bastion::start(options(&home)).await.unwrap();
    let taken = bastion::start(BastionOptions { listen: first.address, ..options(&home) }).await;
    assert!(matches!(taken, Err(LabError::Listen { address, .. }) if address == first.address));
}

#[tokio::test]
async fn the_host_key_is_the_one_that_is_named_and_can_change() {
    let home = tempfile::tempdir().unwrap();
    let settings = BastionOptions { host_key_seed: Some([7; 32]), ..options(&home) };
    let mut bastion = bastion::start(settings).await.unwrap();
    let (_handle, witness) = connect(&bastion).await;
    let first = witness.0.lock().unwrap().trim().to_owned();
    assert_eq!(first, bastion.host_key);
    assert_eq!(first, key(7).public_key().to_openssh().unwrap().trim());
    let line = format!("[127.0.0.1]:{} {first}\n", bastion.address.port());
    assert_eq!(bastion.known_hosts_line(), line);

    bastion.change_host_key().unwrap();
    let (_handle, witness) = connect(&bastion).await;
    let second = witness.0.lock().unwrap().trim().to_owned();
    assert_ne!(second, first);
    assert_eq!(second, bastion.host_key);
}

#[tokio::test]
async fn a_silent_menu_shows_its_banner_and_no_more() {
    let home = tempfile::tempdir().unwrap();
    let bastion = bastion::start(with_faults(&home, Faults { silent_menu: true, ..Faults::default() })).await.unwrap();
    let mut terminal = Terminal::open(&bastion).await;
    terminal.expect("to exit.\r\n").await;
    terminal.type_keys("10.66.12.21\r\rq\r\u{3}").await;
    // The keys have been taken once a later exec channel on another connection is through.
    let other = log_in(&bastion).await;
    let mut channel = other.channel_open_session().await.unwrap();
    channel.exec(true, "true").await.unwrap();
    while channel.wait().await.is_some() {}
    let more = tokio::time::timeout(Duration::from_millis(100), terminal.channel.wait()).await;
    assert!(more.is_err(), "silent, but said {more:?}");
}

#[tokio::test]
async fn torn_and_late_output_is_still_all_of_it() {
    let home = tempfile::tempdir().unwrap();
    let faults = Faults { chunk_bytes: Some(1), latency: Duration::from_millis(1), ..Faults::default() };
    let bastion = bastion::start(with_faults(&home, faults)).await.unwrap();
    let mut terminal = Terminal::open(&bastion).await;
    let begun = Instant::now();
    let banner = terminal.expect("Target IP: ").await;
    assert!(begun.elapsed() >= Duration::from_millis(banner.len() as u64) / 2);
    let channel = log_in(&bastion).await.channel_open_session().await.unwrap();
    drop(channel);
    terminal.type_keys("1\r").await;
    terminal.expect("User number: ").await;
}

#[tokio::test]
async fn a_cut_connection_ends_without_a_status() {
    let home = tempfile::tempdir().unwrap();
    let faults = Faults { drop_after_bytes: Some(20), ..Faults::default() };
    let bastion = bastion::start(with_faults(&home, faults)).await.unwrap();
    let mut terminal = Terminal::open(&bastion).await;
    assert_eq!(terminal.end().await, None);
    assert!(terminal.seen.len() <= 20, "{:?}", terminal.seen);

    let bastion = bastion::start(options(&home)).await.unwrap();
    let mut terminal = Terminal::open(&bastion).await;
    terminal.expect("Target IP: ").await;
    bastion.cut_connections();
    assert_eq!(terminal.end().await, None);
    eventually("it is off the list", || bastion.connection_count() == 0).await;
    Terminal::open(&bastion).await.expect("Target IP: ").await;
}

#[tokio::test]
async fn leaving_the_menu_ends_the_channel() {
    let home = tempfile::tempdir().unwrap();
    let bastion = bastion::start(options(&home)).await.unwrap();
    let mut terminal = Terminal::open(&bastion).await;
    terminal.expect("Target IP: ").await;
    terminal.type_keys("q\r").await;
    assert_eq!(terminal.end().await, Some(0));
    assert!(terminal.seen.ends_with("Bye.\r\n"));
}

#[tokio::test]
async fn a_plain_shell_needs_no_menu() {
    let home = tempfile::tempdir().unwrap();
    let bastion = bastion::start(BastionOptions { front: Front::Shell, ..options(&home) }).await.unwrap();
    let mut terminal = Terminal::open(&bastion).await;
    terminal.expect("[agent@lab ~]$ ").await;
    terminal.type_keys("kubectl get ns --no-headers | wc -l\r").await;
    terminal.expect("4\r\n").await;
    // Much more than a window: all of it comes, in order, and the shell is still there.
    terminal.type_keys("seq 1 600000 | tail -c 3000000; echo flood-$((1+1))\r").await;
    terminal.expect("\n600000\r\n").await;
    terminal.expect("flood-2\r\n").await;
}

#[tokio::test]
async fn exec_channels_keep_streams_and_status_apart() {
    let home = tempfile::tempdir().unwrap();
    let bastion = bastion::start(options(&home)).await.unwrap();
    let connection = log_in(&bastion).await;
    let mut channel = connection.channel_open_session().await.unwrap();
    channel.exec(true, "cat; pwd; echo oops >&2; exit 4").await.unwrap();
    channel.data_bytes(&b"fed\n"[..]).await.unwrap();
    channel.eof().await.unwrap();
    let (mut plain, mut errors, mut status) = (Vec::new(), Vec::new(), None);
    let all = async {
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Data { data } => plain.extend_from_slice(&data),
                ChannelMsg::ExtendedData { data, .. } => errors.extend_from_slice(&data),
                ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
    let expected = format!("fed\n{}\n", home.path().canonicalize().unwrap().display());
    assert_eq!(String::from_utf8(plain).unwrap(), expected);
    assert_eq!((errors.as_slice(), status), (&b"oops\n"[..], Some(4)));
}
