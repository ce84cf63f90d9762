//! What happens before a login: recorded, unknown, changed, revoked and certified host keys.

use e2e::sshd::{HostCertificate, Server, Sshd, SshdOptions};
use portcullis::config::AuthMethod;
use portcullis::ssh::{ConnectError, fetch_host_key, known_hosts, open_shell};

use super::{EVENT_LIMIT, profile_of};

/// No user name may have reached the server.
fn assert_nobody_tried_to_log_in(server: &Sshd) {
    let log = server.log();
    assert!(!log.contains("Accepted") && !log.contains("Failed") && !log.contains("user root"), "{log}");
}

#[tokio::test]
async fn an_unknown_key_is_refused_and_can_be_trusted_by_the_line_in_the_error() {
    let server = Sshd::start(SshdOptions::default());
    let mut profile = profile_of(&server);
    let empty = server.write_file("empty", "");
    profile.known_hosts = vec![empty.clone()];
    let error = open_shell(&profile, &[]).await.unwrap_err();
    assert_eq!(error.category(), "host-key");
    let text = error.to_string();
    let ConnectError::HostKeyUnknown { known_hosts_line, fingerprint, .. } = error else { panic!("{text}") };
    assert_eq!(known_hosts_line, server.known_hosts_line("ed25519"));
    assert!(text.contains(&fingerprint) && text.contains(&known_hosts_line), "{text}");
    assert!(text.contains(&format!("portcullis trust 127.0.0.1:{}", server.port())), "{text}");
    assert_nobody_tried_to_log_in(&server);

    known_hosts::remember(&empty, &known_hosts_line).unwrap();
    let link = open_shell(&profile, &[]).await.unwrap();
    assert_eq!(link.peer.host_key, format!("ssh-ed25519 {fingerprint}"));
    assert!(link.peer.server_version.starts_with("SSH-2.0-OpenSSH"), "{}", link.peer.server_version);
    assert_eq!(link.peer.address, format!("127.0.0.1:{}", server.port()));
}

#[tokio::test]
async fn a_fingerprint_is_the_one_ssh_keygen_shows() {
    let server = Sshd::start(SshdOptions { host_key_types: vec!["ed25519", "rsa"], ..SshdOptions::default() });
    let info = fetch_host_key(server.host(), server.port(), None, EVENT_LIMIT).await.unwrap();
    let public = server.write_file("seen.pub", &server.host_public_key("ed25519"));
    let shown = std::process::Command::new("ssh-keygen").arg("-lf").arg(public).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let fingerprint = shown.split_whitespace().nth(1).unwrap();
    assert_eq!(info.fingerprint, format!("ssh-ed25519 {fingerprint}"));
    assert_eq!(info.known_hosts_line, server.known_hosts_line("ed25519"));
    assert_nobody_tried_to_log_in(&server);
}

#[tokio::test]
async fn a_changed_key_is_refused_with_both_fingerprints() {
    // Of the same type as the server's, and of another that the server does not have.
    for recorded_type in ["ed25519", "ecdsa"] {
        let server = Sshd::start(SshdOptions::default());
        let mut profile = profile_of(&server);
        let (_, recorded) = server.foreign_key(recorded_type);
        let line = format!("# recorded long ago\n[127.0.0.1]:{} {recorded}\n", server.port());
        profile.known_hosts = vec![server.write_file("old", &line)];
        let error = open_shell(&profile, &[]).await.unwrap_err();
        assert_eq!(error.category(), "host-key");
        let text = error.to_string();
        let ConnectError::HostKeyChanged { known, fingerprint, .. } = error else { panic!("{text}") };
        assert_eq!(known.len(), 1);
        assert_ne!(known[0].fingerprint, fingerprint);
        assert!(text.contains(&fingerprint) && text.contains(&known[0].fingerprint), "{text}");
        assert!(text.contains("old:2"), "{text}");
        assert_nobody_tried_to_log_in(&server);
    }
}

#[tokio::test]
async fn a_server_with_several_keys_is_asked_for_the_recorded_one() {
    for recorded in ["rsa", "ecdsa", "ed25519"] {
        let host_key_types = vec!["ed25519", "ecdsa", "rsa"];
        let server = Sshd::start(SshdOptions { host_key_types, ..SshdOptions::default() });
        let mut profile = profile_of(&server);
        profile.known_hosts = vec![server.write_file("one", &server.known_hosts_line(recorded))];
        let link = open_shell(&profile, &[]).await.unwrap_or_else(|error| panic!("{recorded}: {error}"));
        assert!(link.peer.host_key.contains(recorded), "{}", link.peer.host_key);
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_although_it_is_recorded() {
    let server = Sshd::start(SshdOptions::default());
    let mut profile = profile_of(&server);
    let revoked = format!("@revoked * {}\n", server.host_public_key("ed25519"));
    profile.known_hosts.push(server.write_file("revoked", &revoked));
    let error = open_shell(&profile, &[]).await.unwrap_err();
    assert!(matches!(error, ConnectError::HostKeyRevoked { .. }), "{error:?}");
    assert!(error.to_string().contains("revoked:1"), "{error}");
    assert_nobody_tried_to_log_in(&server);
}

#[tokio::test]
async fn known_hosts_that_cannot_be_read_stop_the_connection() {
    let server = Sshd::start(SshdOptions::default());
    let mut profile = profile_of(&server);
    profile.known_hosts.push(std::env::temp_dir());
    let error = open_shell(&profile, &[]).await.unwrap_err();
    assert!(matches!(error, ConnectError::KnownHosts { .. }), "{error:?}");
    assert!(!server.log().contains("Connection from"), "{}", server.log());
}

fn certified(host_names: &str, validity: &str) -> Sshd {
    let certificate = HostCertificate { host_names: host_names.to_owned(), validity: validity.to_owned() };
    Sshd::start(SshdOptions { host_certificate: Some(certificate), ..SshdOptions::default() })
}

#[tokio::test]
async fn certificates_of_a_recorded_authority_are_judged() {
    let always = "always:forever";
    // Name in the certificate, its validity, name the authority is recorded for, accepted or the reason.
    let cases = [
        ("127.0.0.1", always, "*", Ok(())),
        ("127.0.0.*", always, "[127.0.0.1]:*", Ok(())),
        ("other", always, "*", Err("not issued for this host name")),
        ("127.0.0.1", "20200101:20200102", "*", Err("expired")),
        ("127.0.0.1", "20900101:20910101", "*", Err("not valid yet")),
        // Recorded for another host: no certificate is asked for, and the plain key is not recorded.
        ("127.0.0.1", always, "other", Err("nobody has recorded")),
    ];
    for (name, validity, recorded_for, expected) in cases {
        let server = certified(name, validity);
        let authority = server.authority_public_key();
        let mut profile = profile_of(&server);
        let line = format!("@cert-authority {recorded_for} {authority}\n");
        profile.known_hosts = vec![server.write_file("authority", &line)];
        match (open_shell(&profile, &[]).await, expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(reason)) => {
                assert!(error.to_string().contains(reason), "{name}: {error}")
            }
            (outcome, expected) => panic!("{name} {validity}: {outcome:?} instead of {expected:?}"),
        }
    }
}

#[tokio::test]
async fn a_revoked_authority_vouches_for_nothing() {
    let server = certified("127.0.0.1", "always:forever");
    let authority = server.authority_public_key();
    let mut profile = profile_of(&server);
    let lines = format!("@cert-authority * {authority}\n@revoked * {authority}\n");
    profile.known_hosts = vec![server.write_file("authority", &lines)];
    let error = open_shell(&profile, &[]).await.unwrap_err();
    assert!(matches!(error, ConnectError::HostKeyRevoked { .. }), "{error:?}");
}

#[tokio::test]
async fn dropbear_gives_a_shell_and_refuses_a_foreign_key_in_words() {
    for host_key_type in ["ed25519", "ecdsa", "rsa"] {
        let options =
            SshdOptions { server: Server::Dropbear, host_key_types: vec![host_key_type], ..SshdOptions::default() };
        let server = Sshd::start(options);
        let info = fetch_host_key(server.host(), server.port(), None, EVENT_LIMIT).await.unwrap();
        assert_eq!(info.known_hosts_line, server.known_hosts_line(host_key_type));
        let mut profile = profile_of(&server);
        let link = open_shell(&profile, &[]).await.unwrap();
        assert!(link.peer.server_version.contains("dropbear"), "{:?}", link.peer);
        let (path, _) = server.foreign_key("ed25519");
        profile.auth = vec![AuthMethod::KeyFile { path, passphrase: None, certificate: None }];
        let error = open_shell(&profile, &[]).await.unwrap_err();
        assert!(matches!(error, ConnectError::AuthenticationFailed { .. }), "{host_key_type}: {error:?}");
    }
}

#[tokio::test]
async fn an_alias_stands_for_the_host_in_the_record() {
    let server = Sshd::start(SshdOptions::default());
    let mut profile = profile_of(&server);
    profile.host_key_alias = Some("inner".to_owned());
    let error = open_shell(&profile, &[]).await.unwrap_err();
    let text = error.to_string();
    let ConnectError::HostKeyUnknown { known_hosts_line, .. } = error else { panic!("{text}") };
    assert_eq!(known_hosts_line, format!("inner {}", server.host_public_key("ed25519")));
    let command = format!("portcullis trust 127.0.0.1:{} --alias inner --known-hosts '", server.port());
    assert!(text.contains(&command), "{text}");
    let info = fetch_host_key(server.host(), server.port(), None, EVENT_LIMIT).await.unwrap();
    assert_eq!(info.line_under("inner"), known_hosts_line);
    profile.known_hosts = vec![server.write_file("aliases", &known_hosts_line)];
    open_shell(&profile, &[]).await.unwrap();
    // A host certificate is checked against the alias too.
    let options = SshdOptions {
        host_certificate: Some(HostCertificate { host_names: "inner".into(), validity: "-1h:+1h".into() }),
        ..SshdOptions::default()
    };
    let certified = Sshd::start(options);
    let mut profile = profile_of(&certified);
    profile.host_key_alias = Some("inner".to_owned());
    let line = format!("@cert-authority inner {}\n", certified.authority_public_key());
    profile.known_hosts = vec![certified.write_file("authorities", &line)];
    open_shell(&profile, &[]).await.unwrap();
}
