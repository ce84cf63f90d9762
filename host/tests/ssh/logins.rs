//! Logging in to OpenSSH with every kind of key, and the ways a login fails.

use std::os::unix::fs::PermissionsExt;

use e2e::sshd::{KeyFormat, Sshd, SshdOptions, may_ask_through_pam};
use portcullis::{
    config::profile::{AuthMethod, QuestionAnswer, SecretSource},
    ssh::{ConnectError, KeyFileError, open_shell},
};

use super::{key_file, output_until, profile_of, type_line};

async fn logs_in(options: SshdOptions) {
    let passphrase_file = options.user_key_passphrase.clone();
    let shown = format!("{} {:?}", options.user_key_type, options.user_key_format);
    let server = Sshd::start(options);
    let mut profile = profile_of(&server);
    if let Some(passphrase) = passphrase_file {
        let source = SecretSource::File(server.write_file("passphrase", &format!("{passphrase}\n")));
        profile.auth =
            vec![AuthMethod::KeyFile { path: server.user_key(), passphrase: Some(source), certificate: None }];
    }
    let mut link = open_shell(&profile, &[]).await.unwrap_or_else(|error| panic!("{shown}: {error}\n{}", server.log()));
    assert!(link.peer.auth_method.starts_with("publickey ("), "{}", link.peer.auth_method);
    type_line(&link, "printf 'log%s\\n' in-$((40+2))").await;
    output_until(&mut link, "login-42").await;
}

#[tokio::test]
async fn keys_of_every_type_log_in() {
    for user_key_type in ["ed25519", "ecdsa", "rsa"] {
        logs_in(SshdOptions { user_key_type, ..SshdOptions::default() }).await;
    }
}

#[tokio::test]
async fn keys_in_every_format_log_in() {
    for (user_key_type, user_key_format) in
        [("rsa", KeyFormat::Pem), ("rsa", KeyFormat::Pkcs8), ("ecdsa", KeyFormat::Pem), ("ecdsa", KeyFormat::Pkcs8)]
    {
        logs_in(SshdOptions { user_key_type, user_key_format, ..SshdOptions::default() }).await;
    }
}

#[tokio::test]
async fn encrypted_keys_log_in_with_their_passphrase() {
    for (user_key_type, user_key_format) in
        [("ed25519", KeyFormat::OpenSsh), ("rsa", KeyFormat::Pem), ("rsa", KeyFormat::Pkcs8)]
    {
        let user_key_passphrase = Some("a long phrase".to_owned());
        logs_in(SshdOptions { user_key_type, user_key_format, user_key_passphrase, ..SshdOptions::default() }).await;
    }
}

/// Environment variables cannot be set safely inside a test process, so one is used that is set already.
#[tokio::test]
async fn a_passphrase_comes_from_the_environment() {
    let name = "PATH";
    let passphrase = std::env::var(name).unwrap();
    let server = Sshd::start(SshdOptions { user_key_passphrase: Some(passphrase), ..SshdOptions::default() });
    let mut profile = profile_of(&server);
    let source = SecretSource::Environment(name.to_owned());
    profile.auth = vec![AuthMethod::KeyFile { path: server.user_key(), passphrase: Some(source), certificate: None }];
    open_shell(&profile, &[]).await.unwrap();
}

#[tokio::test]
async fn a_refused_key_is_followed_by_the_next() {
    let server = Sshd::start(SshdOptions::default());
    let mut profile = profile_of(&server);
    let (foreign, _) = server.foreign_key("ed25519");
    profile.auth.insert(0, key_file(foreign));
    let link = open_shell(&profile, &[]).await.unwrap();
    assert!(link.peer.auth_method.contains("user_key"), "{}", link.peer.auth_method);
}

#[tokio::test]
async fn a_wrong_key_and_an_unwanted_password_are_told() {
    let server = Sshd::start(SshdOptions::default());
    let mut profile = profile_of(&server);
    let (foreign, _) = server.foreign_key("rsa");
    let password = SecretSource::File(server.write_file("password", "hunter2"));
    profile.auth = vec![key_file(foreign), AuthMethod::Password(password)];
    let error = open_shell(&profile, &[]).await.unwrap_err();
    assert_eq!(error.category(), "authentication");
    let text = error.to_string();
    let ConnectError::AuthenticationFailed { tried, offered, .. } = error else { panic!("{text}") };
    assert!(tried[0].contains("foreign_rsa") && tried[0].ends_with("refused"), "{tried:?}");
    assert!(tried[1].contains("does not take passwords"), "{tried:?}");
    assert_eq!(offered, ["publickey"]);
    assert!(text.contains(&format!("{}@127.0.0.1:{}", server.user(), server.port())), "{text}");
    assert!(!text.contains("hunter2"));
    // Nothing that is not wanted is sent.
    assert!(!server.log().contains("Failed password"), "{}", server.log());
}

#[tokio::test]
async fn a_server_that_hangs_up_after_too_many_keys_is_an_authentication_failure() {
    let server = Sshd::start(SshdOptions { config_lines: vec!["MaxAuthTries 1".into()], ..SshdOptions::default() });
    let mut profile = profile_of(&server);
    profile.auth = ["ed25519", "ecdsa", "rsa"].map(|key_type| key_file(server.foreign_key(key_type).0)).into();
    let error = open_shell(&profile, &[]).await.unwrap_err();
    assert!(matches!(&error, ConnectError::AuthenticationFailed { tried, .. } if !tried.is_empty()), "{error:?}");
}

#[tokio::test]
async fn an_accepted_key_that_is_not_enough_is_told() {
    let config_lines = vec!["PasswordAuthentication yes".into(), "AuthenticationMethods publickey,password".into()];
    let server = Sshd::start(SshdOptions { config_lines, ..SshdOptions::default() });
    let mut profile = profile_of(&server);
    // The password stands first and is kept back until the server asks for it.
    let password = SecretSource::File(server.write_file("password", "not the password"));
    profile.auth.insert(0, AuthMethod::Password(password));
    let error = open_shell(&profile, &[]).await.unwrap_err();
    let ConnectError::AuthenticationFailed { tried, offered, .. } = error else { panic!("{error:?}") };
    assert!(tried[0].ends_with("accepted, but the server wants more"), "{tried:?}");
    assert_eq!(tried[1], "password: refused");
    assert_eq!(offered, ["password"]);
}

#[tokio::test]
async fn useless_key_files_are_told_before_connecting() {
    let server = Sshd::start(SshdOptions { user_key_passphrase: Some("phrase".into()), ..SshdOptions::default() });
    let wrong = Some(SecretSource::File(server.write_file("wrong", "not the phrase")));
    let open = server.write_file("open", "key");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let public = server.write_file("public", &server.host_public_key("ed25519"));
    let junk =
        server.write_file("junk", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n");
    type Wanted = fn(&KeyFileError) -> bool;
    let cases: [(&str, AuthMethod, Wanted); 7] = [
        ("missing", key_file("/nonexistent/key".into()), |error| matches!(error, KeyFileError::Unreadable(_))),
        ("directory", key_file(std::env::temp_dir()), |error| matches!(error, KeyFileError::NotAFile)),
        ("open", key_file(open), |error| matches!(error, KeyFileError::PermissionsTooOpen { mode: 0o644 })),
        ("public", key_file(public), |error| matches!(error, KeyFileError::PublicKey)),
        ("junk", key_file(junk), |error| matches!(error, KeyFileError::NotUnderstood(_))),
        ("no passphrase", key_file(server.user_key()), |error| matches!(error, KeyFileError::PassphraseMissing)),
        (
            "wrong passphrase",
            AuthMethod::KeyFile { path: server.user_key(), passphrase: wrong, certificate: None },
            |error| matches!(error, KeyFileError::PassphraseWrong),
        ),
    ];
    let mut profile = profile_of(&server);
    for (name, method, wanted) in cases {
        profile.auth = vec![method];
        let error = open_shell(&profile, &[]).await.unwrap_err();
        assert_eq!(error.category(), "configuration", "{name}");
        assert!(matches!(&error, ConnectError::KeyFile { source, .. } if wanted(source)), "{name}: {error:?}");
    }
    assert!(!server.log().contains("Connection from"), "{}", server.log());
}

#[tokio::test]
async fn an_unset_secret_is_told_before_connecting() {
    let server = Sshd::start(SshdOptions::default());
    let mut profile = profile_of(&server);
    profile.auth = vec![AuthMethod::Password(SecretSource::Environment("PORTCULLIS_TEST_UNSET".into()))];
    let error = open_shell(&profile, &[]).await.unwrap_err();
    assert_eq!(error.category(), "configuration");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("PORTCULLIS_TEST_UNSET"), "{source}");
    assert!(!server.log().contains("Connection from"), "{}", server.log());
}

/// What a server from before 2013 offers, as far as a present sshd can be made to.
#[tokio::test]
async fn an_old_server_is_reached_only_where_the_profile_says_so() {
    let config_lines = [
        "KexAlgorithms diffie-hellman-group14-sha1",
        "Ciphers aes128-cbc",
        "MACs hmac-sha1",
        "HostKeyAlgorithms ssh-rsa",
    ];
    let server = Sshd::start(SshdOptions {
        host_key_types: vec!["rsa"],
        config_lines: config_lines.map(str::to_owned).to_vec(),
        ..SshdOptions::default()
    });
    let mut profile = profile_of(&server);
    let error = open_shell(&profile, &[]).await.unwrap_err();
    assert!(error.to_string().contains("set legacy_algorithms = true"), "{error}");
    profile.legacy_algorithms = true;
    let mut link = open_shell(&profile, &[]).await.unwrap_or_else(|error| panic!("{error}\n{}", server.log()));
    type_line(&link, "echo o''ld").await;
    output_until(&mut link, "old").await;
    // Its key can be looked at, to record it.
    let info = portcullis::ssh::fetch_host_key(server.host(), server.port(), None, super::EVENT_LIMIT).await.unwrap();
    assert_eq!(info.known_hosts_line, server.known_hosts_line("rsa"));
}

#[tokio::test]
async fn old_algorithms_are_not_used_where_there_are_better_ones() {
    let server = Sshd::start(SshdOptions { config_lines: vec!["LogLevel DEBUG1".into()], ..SshdOptions::default() });
    let mut profile = profile_of(&server);
    profile.legacy_algorithms = true;
    open_shell(&profile, &[]).await.unwrap();
    let log = server.log();
    assert!(log.contains("aes256-gcm@openssh.com") && log.contains("sntrup") | log.contains("curve25519"), "{log}");
    assert!(!log.contains("kex: client->server cipher: aes256-cbc"), "{log}");
}

/// Two factors as OpenSSH asks for them, through PAM; only root can set that up.
#[tokio::test]
async fn two_questions_of_pam_are_answered_one_after_the_other() {
    if !may_ask_through_pam() {
        eprintln!("not run: only root can write a PAM service");
        return;
    }
    let asking = SshdOptions { pam_password: Some("right".into()), ..SshdOptions::default() };
    let server = Sshd::start(asking);
    let question = |prompt: &str, name: &str, answer: &str| QuestionAnswer {
        prompt: prompt.to_owned(),
        answer: SecretSource::File(server.write_file(name, answer)),
    };
    let second = question("stress", "code", "123456");
    let mut profile = profile_of(&server);
    profile.auth =
        vec![AuthMethod::KeyboardInteractive(vec![question("Password:*", "right", "right"), second.clone()])];
    let link = open_shell(&profile, &[]).await.unwrap_or_else(|error| panic!("{error}\n{}", server.log()));
    assert_eq!(link.peer.auth_method, "keyboard-interactive");

    // A wrong first answer: PAM asks no further, and nothing is sent twice.
    profile.auth = vec![AuthMethod::KeyboardInteractive(vec![question("Password:*", "wrong", "wrong"), second])];
    let error = open_shell(&profile, &[]).await.unwrap_err();
    let ConnectError::AuthenticationFailed { tried, .. } = error else { panic!("{error:?}") };
    assert_eq!(tried, ["keyboard-interactive: refused"]);

    // The password alone answers the first; the second is shown.
    let password = SecretSource::File(server.write_file("password", "right"));
    profile.auth = vec![AuthMethod::Password(password)];
    let error = open_shell(&profile, &[]).await.unwrap_err();
    assert!(error.to_string().contains("the server asks \"STRESS Password:\""), "{error}");
}
