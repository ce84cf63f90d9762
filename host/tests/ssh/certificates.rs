//! Logging in with OpenSSH user certificates, signed by an authority the server trusts.

use e2e::agent::SshAgent;
use e2e::sshd::{KeyFormat, Sshd, SshdOptions, certify_user_key, make_key};
use portcullis::{
    config::profile::{AuthMethod, Profile},
    ssh::{ConnectError, KeyFileError, open_shell},
};
use tempfile::TempDir;

use super::profile_of;

/// A server that lets nobody in by a plain key, and the folder with the authority it trusts.
fn server(user_key_type: &'static str) -> (Sshd, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    make_key("ed25519", &folder.path().join("authority"), KeyFormat::OpenSsh, None);
    let config_lines = vec![
        format!("TrustedUserCAKeys {}", folder.path().join("authority.pub").display()),
        "AuthorizedKeysFile none".to_owned(),
    ];
    (Sshd::start(SshdOptions { user_key_type, config_lines, ..SshdOptions::default() }), folder)
}

fn certify(server: &Sshd, folder: &TempDir, users: &str, validity: &str) {
    certify_user_key(&folder.path().join("authority"), &server.user_key(), users, validity);
}

async fn tried(profile: &Profile) -> Vec<String> {
    match open_shell(profile, &[]).await.unwrap_err() {
        ConnectError::AuthenticationFailed { tried, .. } => tried,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_beside_its_key_logs_in_by_itself() {
    for key_type in ["ed25519", "ecdsa", "rsa"] {
        let (server, folder) = server(key_type);
        let profile = profile_of(&server);
        assert!(tried(&profile).await[0].starts_with("publickey"));
        certify(&server, &folder, server.user(), "-1h:+1h");
        let link = open_shell(&profile, &[]).await.unwrap_or_else(|error| panic!("{key_type}: {error}"));
        let method = &link.peer.auth_method;
        assert!(method.contains("certificate (\"test user\"") && method.contains("user_key-cert.pub"), "{method}");
    }
}

#[tokio::test]
async fn a_certificate_with_a_name_of_its_own_is_taken_from_there() {
    let (server, folder) = server("ed25519");
    certify(&server, &folder, server.user(), "-1h:+1h");
    let elsewhere = folder.path().join("my.cert");
    std::fs::rename(server.user_key().with_file_name("user_key-cert.pub"), &elsewhere).unwrap();
    let mut profile = profile_of(&server);
    let with = |certificate| AuthMethod::KeyFile { path: server.user_key(), passphrase: None, certificate };
    profile.auth = vec![with(Some(elsewhere))];
    open_shell(&profile, &[]).await.unwrap();

    // One that is named and cannot be right is told before connecting.
    let (other_key, _) = server.foreign_key("ed25519");
    certify_user_key(&folder.path().join("authority"), &other_key, "root", "-1h:+1h");
    type Wanted = fn(&KeyFileError) -> bool;
    let cases: [(&str, Wanted); 3] = [
        ("foreign_ed25519-cert.pub", |error| matches!(error, KeyFileError::OtherKeysCertificate)),
        ("user_key.pub", |error| matches!(error, KeyFileError::NotACertificate(_))),
        ("missing", |error| matches!(error, KeyFileError::Unreadable(_))),
    ];
    for (name, fits) in cases {
        profile.auth = vec![with(Some(other_key.with_file_name(name)))];
        let error = open_shell(&profile, &[]).await.unwrap_err();
        assert!(matches!(&error, ConnectError::KeyFile { source, .. } if fits(source)), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn a_refused_certificate_says_what_it_says_of_itself() {
    let (server, folder) = server("ed25519");
    let profile = profile_of(&server);
    certify(&server, &folder, server.user(), "20200101000000Z:20200201000000Z");
    let expired = tried(&profile).await;
    assert!(
        expired[0].ends_with(
            "refused; it has expired (valid from 2020-01-01 00:00:00 UTC to 2020-02-01 00:00:00 UTC); get a new one"
        ),
        "{expired:?}"
    );
    // The plain key has its turn too.
    assert!(expired[1].starts_with("publickey ("), "{expired:?}");

    certify(&server, &folder, server.user(), "+1h:+2h");
    assert!(tried(&profile).await[0].contains("not valid yet"));

    certify(&server, &folder, "ann,bob", "always:forever");
    let other = &tried(&profile).await[0];
    assert!(other.contains(&format!("issued for ann, bob, not for {} (valid forever)", server.user())), "{other}");

    let stranger = folder.path().join("stranger");
    make_key("ed25519", &stranger, KeyFormat::OpenSsh, None);
    certify_user_key(&stranger, &server.user_key(), server.user(), "-1h:+1h");
    let unknown = &tried(&profile).await[0];
    assert!(unknown.contains("may not know its authority SHA256:"), "{unknown}");
}

#[tokio::test]
async fn a_certificate_in_the_agent_logs_in() {
    for key_type in ["ed25519", "rsa"] {
        let (server, folder) = server(key_type);
        certify(&server, &folder, server.user(), "-1h:+1h");
        let agent = SshAgent::start();
        agent.add(&server.user_key());
        let mut profile = profile_of(&server);
        profile.auth = vec![AuthMethod::Agent { socket: Some(agent.socket()), only: Vec::new() }];
        let link = open_shell(&profile, &[]).await.unwrap();
        assert!(link.peer.auth_method.starts_with("certificate ("), "{}", link.peer.auth_method);
    }
}
