#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use super::*;

fn target(host: &str, user: &str) -> Target {
    Target::new(Some(user), host, 22)
}

#[test]
fn names_that_are_no_names_are_refused() {
    for host in ["", "-oProxyCommand=x", "a b", "x$(id)", "h\n", "a,*", "*", "!a", "u@h", "#", &"a".repeat(300)] {
        let error = check_target(&target(host, "me")).unwrap_err();
        assert_eq!(error.category(), "configuration", "{host:?}");
        assert!(!error.to_string().contains('\n'));
    }
    for user in ["", "a\nb", "a\0"] {
        assert!(check_target(&target("host", user)).is_err(), "{user:?}");
    }
}

#[test]
fn ordinary_names_pass() {
    for host in ["host", "my-host.example.com", "10.0.0.1", "::1", "fe80::1%eth0", "under_score"] {
        assert!(check_target(&target(host, "DOMAIN\\some user")).is_ok(), "{host:?}");
    }
}

/// New keys every megabyte: sshd would begin that after a gigabyte only, so it is our side that does.
#[tokio::test]
async fn keys_are_changed_by_volume_in_the_middle_of_output() {
    let exchanges = exchanges_during_output(Limits::new(1 << 20, 1 << 20, REKEY_INTERVAL)).await;
    assert!(exchanges > 20, "{exchanges}");
}

/// New keys ten times a second, in the middle of output and while there is none.
#[tokio::test]
async fn keys_are_changed_by_time_in_the_middle_of_output() {
    let interval = Duration::from_millis(100);
    let exchanges = exchanges_during_output(Limits::new(REKEY_BYTES, REKEY_BYTES, interval)).await;
    assert!(exchanges > 5, "{exchanges}");
}

/// Receives 40 MB, of which not a byte may be lost or changed; how often keys were agreed on meanwhile.
async fn exchanges_during_output(rekey: Limits) -> usize {
    let server = e2e::sshd::Sshd::start(e2e::sshd::SshdOptions {
        config_lines: vec!["LogLevel DEBUG1".into()],
        ..Default::default()
    });
    let target = Target::new(Some(server.user()), server.host(), server.port());
    let known = KnownHosts::load(&[server.known_hosts()]).unwrap();
    let options = DialOptions {
        name: String::new(),
        step_limit: Duration::from_secs(20),
        keepalive: None,
        legacy: false,
        rekey,
        proxy_command: None,
    };
    let mut connection = dial(&target, known, options, &mut None).await.unwrap();
    let key = std::fs::read_to_string(server.user_key()).unwrap();
    let key = Arc::new(russh::keys::decode_secret_key(&key, None).unwrap());
    let key = russh::keys::PrivateKeyWithHashAlg::new(key, None);
    assert!(connection.handle.authenticate_publickey(server.user(), key).await.unwrap().success());
    let mut channel = connection.handle.channel_open_session().await.unwrap();
    channel.exec(false, "seq 1 2500000; sleep 1; seq 2500001 5500000").await.unwrap();
    let mut wanted = (1..=5_500_000_u32).flat_map(|number| format!("{number}\n").into_bytes());
    let mut received = 0;
    while let Some(message) = channel.wait().await {
        if let russh::ChannelMsg::Data { data } = message {
            received += data.len();
            assert!(data.iter().all(|byte| wanted.next() == Some(*byte)), "changed before byte {received}");
        }
    }
    assert_eq!((wanted.next(), received), (None, 42_888_896));
    server.log().matches("SSH2_MSG_NEWKEYS received").count()
}
