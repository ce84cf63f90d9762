//! Servers that do what OpenSSH cannot be configured to do, played by russh's server side.

use std::{borrow::Cow, sync::Arc, time::Duration};

use e2e::sshd::{KeyFormat, make_key};
use portcullis::{
    config::profile::{AuthMethod, Profile, QuestionAnswer, SecretSource},
    ssh::{ConnectError, ShellEvent, fetch_host_key, open_shell},
};
use russh::{
    Channel, ChannelId, MethodKind, MethodSet, Pty, Sig, cipher, kex,
    keys::{Algorithm, PrivateKey},
    server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Response, Session, VerifiedPublicKey},
};
use tokio::net::TcpListener;

use super::{EVENT_LIMIT, files, next_event, output_until, profile_for, remaining_events};

/// What the server does out of the ordinary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Trick {
    Nothing,
    /// Takes the password only as the answer to a hidden question.
    AsksForPassword,
    /// Asks a second question after the password.
    AsksForCode,
    /// Asks for the password, then for a code and a reason at once, then nothing, and then decides.
    AsksInRounds,
    SilentShell,
    SpeaksBeforeConfirming,
    /// Opens channels of its own, tells several ends, and a signal with a long hostile name.
    TellsManyEnds,
    DisconnectsWithText,
    /// Gives a shell, and beside it files that are wrong in this way.
    Files(files::Wrong),
}

#[derive(Clone)]
struct Scripted {
    trick: Trick,
    password_seen: bool,
    round: usize,
    /// The channel for files, and what came on it and is no whole packet yet.
    files: Option<(ChannelId, Vec<u8>)>,
}

impl Scripted {
    /// The rounds of [`Trick::AsksInRounds`]: their questions, and the answers that lead on.
    fn next_round(&mut self, answers: Option<Vec<Vec<u8>>>) -> Auth {
        const ROUNDS: [&[(&str, bool, &str)]; 3] = [
            &[("ann's Password: ", false, "right")],
            &[("Verification code: ", true, "123456"), ("请输入原因：", true, "audit")],
            &[],
        ];
        if let Some(answers) = answers {
            let wanted = ROUNDS[self.round].iter().map(|(_, _, answer)| answer.as_bytes());
            if !wanted.eq(answers.iter().map(Vec::as_slice)) {
                return Auth::reject();
            }
            self.round += 1;
        }
        let Some(questions) = ROUNDS.get(self.round) else { return Auth::Accept };
        let prompts = questions.iter().map(|(text, echo, _)| (Cow::Borrowed(*text), *echo)).collect();
        Auth::Partial {
            name: Cow::Borrowed(""),
            instructions: Cow::Borrowed("two factors"),
            prompts: Cow::Owned(prompts),
        }
    }
}

impl Handler for Scripted {
    type Error = russh::Error;

    async fn auth_password(&mut self, _user: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(if password == "right" { Auth::Accept } else { Auth::reject() })
    }

    /// Any key that signs is right.
    async fn auth_publickey(&mut self, _user: &str, _key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        if self.trick == Trick::AsksInRounds {
            let answers = response.map(|answers| answers.map(|answer| answer.to_vec()).collect());
            return Ok(self.next_round(answers));
        }
        let question = |text: &'static str| Auth::Partial {
            name: Cow::Borrowed(""),
            instructions: Cow::Borrowed(""),
            prompts: Cow::Owned(vec![(Cow::Borrowed(text), false)]),
        };
        let Some(mut answers) = response else {
            return Ok(question("Password: "));
        };
        let right = answers.next().is_some_and(|answer| &answer[..] == b"right");
        Ok(match (right, self.trick) {
            (true, Trick::AsksForCode) if !self.password_seen => {
                self.password_seen = true;
                question("Code: ")
            }
            (true, _) => Auth::Accept,
            (false, _) => Auth::reject(),
        })
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        match self.trick {
            Trick::SilentShell => Ok(()),
            Trick::SpeaksBeforeConfirming => {
                session.data(channel, "first ")?;
                session.channel_success(channel)?;
                session.data(channel, "second")
            }
            Trick::TellsManyEnds => {
                session.channel_success(channel)?;
                let handle = session.handle();
                tokio::spawn(async move {
                    for _ in 0..10 {
                        let _ = handle.channel_open_forwarded_tcpip("127.0.0.1", 1, "127.0.0.1", 2).await;
                        let _ = handle.channel_open_agent().await;
                        let _ = handle.channel_open_x11("127.0.0.1", 3).await;
                    }
                    let _ = handle.data(channel, "refused all").await;
                    let name = Sig::Custom("\u{1b}[31m".repeat(1000));
                    let _ = handle.exit_signal_request(channel, name, false, "x".repeat(1000), String::new()).await;
                    for status in 0..100 {
                        let _ = handle.exit_status_request(channel, status).await;
                    }
                    let _ = handle.close(channel).await;
                });
                Ok(())
            }
            Trick::DisconnectsWithText => {
                session.channel_success(channel)?;
                session.disconnect(russh::Disconnect::ByApplication, "run `rm -rf /` \u{1b}[2J now", "en")
            }
            _ => {
                session.channel_success(channel)?;
                session.data(channel, "$ ")
            }
        }
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        assert_eq!(name, "sftp");
        self.files = Some((channel, Vec::new()));
        session.channel_success(channel)
    }

    /// The shell says what it is told; files are answered wrongly.
    async fn data(&mut self, channel: ChannelId, data: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        let (Trick::Files(wrong), Some((files, buffer))) = (self.trick, &mut self.files) else {
            return session.data(channel, data.to_vec());
        };
        if *files != channel {
            return session.data(channel, data.to_vec());
        }
        buffer.extend_from_slice(data);
        while let Some(packet) = files::take(buffer) {
            for answer in files::answers(wrong, &packet) {
                session.data(channel, answer)?;
            }
        }
        Ok(())
    }
}

fn config(methods: &[MethodKind]) -> Config {
    Config {
        keys: vec![PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap()],
        methods: MethodSet::from(methods),
        auth_rejection_time: Duration::ZERO,
        ..Config::default()
    }
}

async fn serve(config: Config, trick: Trick) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Arc::new(config);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let handler = Scripted { trick, password_seen: false, round: 0, files: None };
            if let Ok(session) = russh::server::run_stream(Arc::clone(&config), stream, handler).await {
                tokio::spawn(session);
            }
        }
    });
    port
}

fn private_file(directory: &tempfile::TempDir, name: &str, content: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = directory.path().join(name);
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// A server playing `trick`, and a profile with `password` that trusts it. The directory holds its files.
pub(super) async fn scene(methods: &[MethodKind], trick: Trick, password: &str) -> (Profile, tempfile::TempDir) {
    let port = serve(config(methods), trick).await;
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| private_file(&directory, name, content);
    let info = fetch_host_key("127.0.0.1", port, None, EVENT_LIMIT).await.unwrap();
    let mut profile = profile_for("127.0.0.1", port, "me");
    profile.known_hosts = vec![file("known_hosts", &info.known_hosts_line)];
    profile.auth = vec![AuthMethod::Password(SecretSource::File(file("password", password)))];
    (profile, directory)
}

pub(super) const PASSWORD: &[MethodKind] = &[MethodKind::Password];
const QUESTIONS: &[MethodKind] = &[MethodKind::KeyboardInteractive];

#[tokio::test]
async fn a_password_logs_in_and_a_wrong_one_does_not() {
    let (profile, _files) = scene(PASSWORD, Trick::Nothing, "right\n").await;
    let mut link = open_shell(&profile, &[]).await.unwrap();
    assert_eq!(link.peer.auth_method, "password");
    output_until(&mut link, "$ ").await;

    let (profile, _files) = scene(PASSWORD, Trick::Nothing, "wr0ng-pass").await;
    let error = open_shell(&profile, &[]).await.unwrap_err();
    assert_eq!(error.category(), "authentication");
    assert!(!format!("{error:?} {error}").contains("wr0ng-pass"), "{error:?}");
    let ConnectError::AuthenticationFailed { tried, .. } = error else { panic!("{error}") };
    assert_eq!(tried, ["password: refused"]);
}

#[tokio::test]
async fn one_hidden_question_is_answered_with_the_password() {
    let (profile, _files) = scene(QUESTIONS, Trick::AsksForPassword, "right").await;
    let link = open_shell(&profile, &[]).await.unwrap();
    assert_eq!(link.peer.auth_method, "keyboard-interactive (with the password)");

    let (profile, _files) = scene(QUESTIONS, Trick::AsksForPassword, "wrong").await;
    let error = open_shell(&profile, &[]).await.unwrap_err();
    assert!(matches!(error, ConnectError::AuthenticationFailed { .. }), "{error:?}");
}

#[tokio::test]
async fn a_second_question_is_not_answered_by_guessing() {
    let (profile, _files) = scene(QUESTIONS, Trick::AsksForCode, "right").await;
    let error = open_shell(&profile, &[]).await.unwrap_err();
    let ConnectError::AuthenticationFailed { tried, .. } = error else { panic!("{error:?}") };
    assert!(tried[0].contains("the server asks \"Code:\" (what is typed is hidden)"), "{tried:?}");
    assert!(tried[0].contains("keyboard_interactive = [{ prompt"), "{tried:?}");
}

/// A profile's entry that answers these questions from files.
fn answers(files: &tempfile::TempDir, pairs: &[(&str, &str)]) -> AuthMethod {
    let question = |(number, (prompt, answer)): (usize, &(&str, &str))| QuestionAnswer {
        prompt: (*prompt).to_owned(),
        answer: SecretSource::File(private_file(files, &format!("answer{number}"), answer)),
    };
    AuthMethod::KeyboardInteractive(pairs.iter().enumerate().map(question).collect())
}

#[tokio::test]
async fn several_rounds_are_answered_as_configured() {
    let (mut profile, files) = scene(QUESTIONS, Trick::AsksInRounds, "right").await;
    let password = profile.auth.remove(0);
    let all = [("*password: *", "right"), ("verification", "123456\n"), ("原因", "audit")];
    profile.auth = vec![answers(&files, &all)];
    let link = open_shell(&profile, &[]).await.unwrap();
    assert_eq!(link.peer.auth_method, "keyboard-interactive");

    // The password has its own place in the profile, before or after the answers.
    for order in [[0, 1], [1, 0]] {
        let methods = [password.clone(), answers(&files, &all[1..])];
        profile.auth = order.map(|index| methods[index].clone()).into();
        open_shell(&profile, &[]).await.unwrap();
    }
}

#[tokio::test]
async fn a_question_nobody_answers_is_shown_and_no_answer_goes_to_another() {
    let (mut profile, files) = scene(QUESTIONS, Trick::AsksInRounds, "right").await;
    let cases: [(&[(&str, &str)], &str); 3] = [
        (&[("password", "right"), ("verification", "123456")], "asks \"请输入原因：\""),
        (&[("password:", "right"), ("code", "123456"), ("code: ", "audit")], "asks \"请"),
        (&[("password", "wr0ng-pass"), ("code", "123456"), ("原因", "audit")], "refused"),
    ];
    for (pairs, words) in cases {
        profile.auth = vec![answers(&files, pairs)];
        let error = open_shell(&profile, &[]).await.unwrap_err();
        let text = error.to_string();
        assert!(!text.contains("wr0ng-pass") && !text.contains("123456"), "{text}");
        let ConnectError::AuthenticationFailed { tried, .. } = error else { panic!("{text}") };
        assert_eq!(tried.len(), 1, "{tried:?}");
        assert!(tried[0].contains(words), "{tried:?}");
    }
}

#[tokio::test]
async fn an_answer_is_not_given_twice() {
    let (mut profile, files) = scene(QUESTIONS, Trick::AsksForCode, "right").await;
    profile.auth = vec![answers(&files, &[(":", "right")])];
    let error = open_shell(&profile, &[]).await.unwrap_err();
    let ConnectError::AuthenticationFailed { tried, .. } = error else { panic!("{error:?}") };
    assert!(tried[0].contains("was given already"), "{tried:?}");
    // Named twice it is meant twice.
    profile.auth = vec![answers(&files, &[("password:", "right"), ("code:", "right")])];
    open_shell(&profile, &[]).await.unwrap();
}

#[tokio::test]
async fn a_shell_that_is_never_confirmed_runs_into_its_deadline() {
    let (mut profile, _files) = scene(PASSWORD, Trick::SilentShell, "right").await;
    // Enough for the steps before it on a busy machine.
    profile.connect_timeout = Duration::from_secs(3);
    let error = open_shell(&profile, &[]).await.unwrap_err();
    assert!(error.to_string().contains("the start of the shell took longer"), "{error}");
}

#[tokio::test]
async fn output_before_the_confirmation_is_kept_in_order() {
    let (profile, _files) = scene(PASSWORD, Trick::SpeaksBeforeConfirming, "right").await;
    let mut link = open_shell(&profile, &[]).await.unwrap();
    assert!(output_until(&mut link, "second").await.starts_with("first second"));
}

#[tokio::test]
async fn what_a_server_opens_is_refused_and_its_first_end_counts() {
    let (profile, _files) = scene(PASSWORD, Trick::TellsManyEnds, "right").await;
    let mut link = open_shell(&profile, &[]).await.unwrap();
    output_until(&mut link, "refused all").await;
    let events = remaining_events(&mut link).await;
    assert_eq!(events.len(), 2, "{events:?}");
    let ShellEvent::ExitSignal(name) = &events[0] else { panic!("{events:?}") };
    assert!(name.len() <= 32 && name.chars().all(|character| character.is_ascii_graphic()), "{name:?}");
}

#[tokio::test]
async fn the_words_of_a_disconnecting_server_are_not_repeated() {
    let (profile, _files) = scene(PASSWORD, Trick::DisconnectsWithText, "right").await;
    // It may hang up before or after the shell counts as started.
    let told = match open_shell(&profile, &[]).await {
        Ok(mut link) => loop {
            match next_event(&mut link).await {
                Some(ShellEvent::Closed { reason }) => break reason,
                Some(_) => {}
                None => panic!("no reason was told"),
            }
        },
        Err(error) => error.to_string(),
    };
    assert!(!told.contains("rm -rf") && !told.contains('\u{1b}'), "{told:?}");
}

#[tokio::test]
async fn a_server_open_to_removed_messages_is_refused() {
    let mut weak = config(PASSWORD);
    weak.preferred.kex = Cow::Owned(vec![kex::CURVE25519]);
    weak.preferred.cipher = Cow::Owned(vec![cipher::CHACHA20_POLY1305]);
    let port = serve(weak, Trick::Nothing).await;
    let directory = tempfile::tempdir().unwrap();
    let info = fetch_host_key("127.0.0.1", port, None, EVENT_LIMIT).await.unwrap();
    let known = directory.path().join("known_hosts");
    std::fs::write(&known, info.known_hosts_line).unwrap();
    let mut profile = profile_for("127.0.0.1", port, "me");
    profile.known_hosts = vec![known];
    let error = open_shell(&profile, &[]).await.unwrap_err();
    assert!(matches!(error, ConnectError::UnsafeTransport { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_with_nothing_but_old_algorithms_is_told() {
    let mut old = config(PASSWORD);
    old.preferred.cipher = Cow::Owned(vec![cipher::AES_128_CBC]);
    let port = serve(old, Trick::Nothing).await;
    let error = open_shell(&profile_for("127.0.0.1", port, "me"), &[]).await.unwrap_err();
    assert!(matches!(&error, ConnectError::NoCommonAlgorithm { .. }), "{error:?}");
    assert!(error.to_string().contains("aes128-cbc"), "{error}");
}

/// sshd always claims to take RSA with SHA-2, so an old server is played.
#[tokio::test]
async fn rsa_signs_with_sha1_only_where_the_profile_says_so() {
    let mut old = config(&[MethodKind::PublicKey]);
    old.preferred.key = Cow::Owned(vec![Algorithm::Ed25519, Algorithm::Rsa { hash: None }]);
    let port = serve(old, Trick::Nothing).await;
    let files = tempfile::tempdir().unwrap();
    let key = files.path().join("key");
    make_key("rsa", &key, KeyFormat::OpenSsh, None);
    let info = fetch_host_key("127.0.0.1", port, None, EVENT_LIMIT).await.unwrap();
    let mut profile = profile_for("127.0.0.1", port, "me");
    profile.known_hosts = vec![private_file(&files, "known_hosts", &info.known_hosts_line)];
    profile.auth = vec![super::key_file(key)];
    let error = open_shell(&profile, &[]).await.unwrap_err();
    let ConnectError::AuthenticationFailed { tried, .. } = error else { panic!("{error:?}") };
    assert!(tried[0].contains("takes RSA only with SHA-1"), "{tried:?}");
    profile.legacy_algorithms = true;
    open_shell(&profile, &[]).await.unwrap();
}

#[tokio::test]
async fn a_password_goes_out_once() {
    // Both ways are open; the wrong password is tried by one of them only.
    let both = &[MethodKind::Password, MethodKind::KeyboardInteractive];
    let (mut profile, files) = scene(both, Trick::AsksForPassword, "wr0ng-pass").await;
    let password = profile.auth.remove(0);
    let others = answers(&files, &[("nothing that is asked", "x")]);
    for (methods, expected) in [
        ([password.clone(), others.clone()], "password: refused"),
        ([others, password], "keyboard-interactive: refused"),
    ] {
        profile.auth = methods.into();
        let error = open_shell(&profile, &[]).await.unwrap_err();
        let ConnectError::AuthenticationFailed { tried, .. } = error else { panic!("{error:?}") };
        assert_eq!(tried[0], expected);
        assert!(!tried[1..].iter().any(|line| line.ends_with("refused")), "{tried:?}");
    }
}
