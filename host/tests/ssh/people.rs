//! A person who is asked while a connection is made, played by a script.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use e2e::sshd::{KeyFormat, Sshd, SshdOptions, may_ask_through_pam};
use futures::future::{BoxFuture, FutureExt};
use portcullis::config::Secret;
use portcullis::config::profile::{AuthMethod, Profile, QuestionAnswer, SecretSource};
use portcullis::ssh::{
    Answer, ConnectError, KeyFileError, NoAnswer, Person, Question, ShellLink, Wanted, open_shell, open_shell_with,
};

use super::{key_file, profile_of};

/// Gives its answers in their order and remembers what it was asked.
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Question>>,
    /// Thinks for so long each time.
    thinks: Duration,
}

impl Script {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers = Mutex::new(answers.into_iter().collect());
        Self { answers, asked: Mutex::default(), thinks: Duration::ZERO }
    }

    fn asked(&self) -> Vec<Question> {
        self.asked.lock().unwrap().clone()
    }

    /// The texts of the questions of a server, in their order.
    fn prompts(&self) -> Vec<(String, bool)> {
        let asked = self.asked();
        let of = |question: &Question| match &question.wanted {
            Wanted::Answers { prompts, .. } => prompts.clone(),
            other => panic!("{other:?}"),
        };
        asked.iter().flat_map(of).map(|prompt| (prompt.text, prompt.echo)).collect()
    }

    async fn open(&self, profile: &Profile) -> Result<ShellLink, ConnectError> {
        open_shell_with(profile, &[], Some(self)).await
    }
}

impl Person for Script {
    fn ask(&self, question: Question) -> BoxFuture<'_, Answer> {
        self.asked.lock().unwrap().push(question);
        let answer = self.answers.lock().unwrap().pop_front();
        async move {
            tokio::time::sleep(self.thinks).await;
            answer.expect("a question the script does not know")
        }
        .boxed()
    }
}

fn says(text: &str) -> Answer {
    Answer::Secrets(vec![Secret::new(text.to_owned().into())])
}

fn pam_server() -> Option<Sshd> {
    if !may_ask_through_pam() {
        eprintln!("not run: only root can write a PAM service");
        return None;
    }
    Some(Sshd::start(SshdOptions { pam_password: Some("right".into()), ..SshdOptions::default() }))
}

#[tokio::test]
async fn a_person_answers_two_rounds_longer_than_a_step_may_take() {
    let Some(server) = pam_server() else { return };
    let mut profile = profile_of(&server);
    // Nothing is configured that this server takes.
    profile.connect_timeout = Duration::from_secs(2);
    let mut script = Script::new([says("right"), says("123456")]);
    script.thinks = Duration::from_millis(2_500);
    let link = script.open(&profile).await.unwrap_or_else(|error| panic!("{error}\n{}", server.log()));
    assert_eq!(link.peer.auth_method, "keyboard-interactive, answered by a person");
    assert_eq!(script.prompts(), [("Password:".to_owned(), false), ("STRESS Password:".to_owned(), false)]);
    let asked = script.asked();
    assert_eq!(asked[0].target, format!("{}@127.0.0.1:{}", server.user(), server.port()));
    assert_eq!(asked[0].hop, None);
    // The server waits for the login as a whole.
    assert!(asked[1].limit < asked[0].limit && asked[0].limit <= Duration::from_secs(110), "{asked:?}");
}

#[tokio::test]
async fn configured_answers_come_first_and_wrong_ones_may_be_mended() {
    let Some(server) = pam_server() else { return };
    let configured = |answer: &str| {
        let answer = SecretSource::File(server.write_file(answer, answer));
        AuthMethod::KeyboardInteractive(vec![QuestionAnswer { prompt: "Password:*".to_owned(), answer }])
    };
    let mut profile = profile_of(&server);
    profile.auth = vec![configured("right")];
    let script = Script::new([says("123456")]);
    script.open(&profile).await.unwrap();
    assert_eq!(script.prompts(), [("STRESS Password:".to_owned(), false)]);

    profile.auth = vec![configured("wrong")];
    let script = Script::new([says("wrong too"), says("right"), says("123456")]);
    script.open(&profile).await.unwrap();
    let prompts: Vec<String> = script.prompts().into_iter().map(|(text, _)| text).collect();
    assert_eq!(prompts, ["Password:", "Password:", "STRESS Password:"]);
    assert_eq!(script.asked()[0].tried, ["keyboard-interactive: refused"]);

    // Three logins by questions and no more.
    let script = Script::new(["a", "b"].map(says));
    let error = script.open(&profile).await.unwrap_err();
    let ConnectError::AuthenticationFailed { tried, .. } = error else { panic!("{error:?}") };
    assert_eq!(tried.len(), 3, "{tried:?}");
    assert!(!format!("{tried:?}").contains("\"a\""));
}

#[tokio::test]
async fn a_person_who_refuses_or_is_not_there_ends_the_login() {
    let Some(server) = pam_server() else { return };
    let profile = profile_of(&server);
    let error = Script::new([Answer::Refused]).open(&profile).await.unwrap_err();
    assert_eq!(error.category(), "authentication");
    assert!(matches!(error, ConnectError::NotAnswered { why: NoAnswer::Refused, .. }), "{error:?}");
    let error = Script::new([says("right"), Answer::Unanswered]).open(&profile).await.unwrap_err();
    assert!(error.to_string().contains("no person answered in the viewer within 1"), "{error}");
    // Nobody to ask: what it was before.
    let error = open_shell(&profile, &[]).await.unwrap_err();
    assert!(matches!(error, ConnectError::AuthenticationFailed { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_hangs_up_withdraws_the_question() {
    let config_lines = ["PasswordAuthentication yes", "LoginGraceTime 3"].map(str::to_owned).to_vec();
    let server = Sshd::start(SshdOptions { config_lines, ..SshdOptions::default() });
    let mut profile = profile_of(&server);
    profile.auth = vec![AuthMethod::Ask];
    let mut script = Script::new([says("late")]);
    script.thinks = Duration::from_secs(60);
    let started = std::time::Instant::now();
    let error = script.open(&profile).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert!(error.to_string().contains("the server hung up before a person answered"), "{error}");
}

#[tokio::test]
async fn answers_to_a_server_that_has_hung_up_are_told_to_be_late() {
    if !may_ask_through_pam() {
        eprintln!("not run: only root can write a PAM service");
        return;
    }
    let config_lines = vec!["LoginGraceTime 2".to_owned()];
    let asking = SshdOptions { pam_password: Some("right".into()), config_lines, ..SshdOptions::default() };
    let server = Sshd::start(asking);
    let mut script = Script::new([says("right")]);
    script.thinks = Duration::from_secs(10);
    let error = script.open(&profile_of(&server)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Disconnected { .. }), "{error:?}");
}

#[tokio::test]
async fn a_passphrase_is_asked_for_until_it_is_right() {
    for (user_key_type, user_key_format) in [
        ("ed25519", KeyFormat::OpenSsh),
        ("rsa", KeyFormat::OpenSsh),
        ("rsa", KeyFormat::Pem),
        ("ecdsa", KeyFormat::Pkcs8),
    ] {
        let user_key_passphrase = Some("a long phrase".to_owned());
        let options = SshdOptions { user_key_type, user_key_format, user_key_passphrase, ..SshdOptions::default() };
        let server = Sshd::start(options);
        let profile = profile_of(&server);
        let script = Script::new([says("wrong"), says("a long phrase")]);
        let link = script.open(&profile).await.unwrap_or_else(|error| panic!("{user_key_type}: {error}"));
        assert!(link.peer.auth_method.ends_with("user_key), unlocked by a person"), "{}", link.peer.auth_method);
        let wanted: Vec<Wanted> = script.asked().into_iter().map(|question| question.wanted).collect();
        let [Wanted::Passphrase { key, again: false }, Wanted::Passphrase { again: true, .. }] = &wanted[..] else {
            panic!("{wanted:?}")
        };
        assert!(key.contains(&server.user_key().display().to_string()), "{key}");

        let error = Script::new(["a", "", "c"].map(says)).open(&profile).await.unwrap_err();
        let ConnectError::AuthenticationFailed { tried, .. } = error else { panic!("{error:?}") };
        assert!(tried[0].ends_with("the passphrase was wrong 3 times"), "{tried:?}");
        let error = Script::new([Answer::Refused]).open(&profile).await.unwrap_err();
        assert!(error.to_string().contains("it is encrypted, and a person refused in the viewer"), "{error}");
        // Nobody to ask: told before connecting, as ever.
        let error = open_shell(&profile, &[]).await.unwrap_err();
        let missing = |source: &KeyFileError| matches!(source, KeyFileError::PassphraseMissing);
        assert!(matches!(&error, ConnectError::KeyFile { source, .. } if missing(source)), "{error:?}");
    }
}

#[tokio::test]
async fn no_passphrase_is_asked_for_a_key_the_server_does_not_take() {
    let server = Sshd::start(SshdOptions { user_key_passphrase: Some("phrase".into()), ..SshdOptions::default() });
    let other = Sshd::start(SshdOptions::default());
    let mut profile = profile_of(&other);
    profile.auth = vec![key_file(server.user_key()), key_file(other.user_key())];
    let link = Script::new([]).open(&profile).await.unwrap();
    assert!(!link.peer.auth_method.contains("unlocked"), "{}", link.peer.auth_method);
}

#[tokio::test]
async fn a_certificate_goes_with_a_key_that_was_unlocked() {
    let server = Sshd::start(SshdOptions { user_key_passphrase: Some("phrase".into()), ..SshdOptions::default() });
    let (authority, _) = server.foreign_key("ecdsa");
    e2e::sshd::certify_user_key(&authority, &server.user_key(), server.user(), "-1h:+1h");
    let mut profile = profile_of(&server);
    let certificate = server.user_key().with_file_name("user_key-cert.pub");
    profile.auth =
        vec![AuthMethod::KeyFile { path: server.user_key(), passphrase: None, certificate: Some(certificate) }];
    // This server does not know the authority, so the key itself lets in, by one question.
    let script = Script::new([says("phrase")]);
    let link = script.open(&profile).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(link.peer.auth_method.ends_with("unlocked by a person"), "{}", link.peer.auth_method);
    assert!(server.log().contains("Accepted publickey"), "{}", server.log());
}

#[tokio::test]
async fn a_password_is_asked_for_only_where_the_profile_says_so() {
    let config_lines = vec!["PasswordAuthentication yes".into()];
    let server = Sshd::start(SshdOptions { config_lines, ..SshdOptions::default() });
    let mut profile = profile_of(&server);
    profile.auth = vec![key_file(server.foreign_key("ed25519").0)];
    let error = Script::new([]).open(&profile).await.unwrap_err();
    assert!(matches!(error, ConnectError::AuthenticationFailed { .. }), "{error:?}");
    profile.auth.push(AuthMethod::Ask);
    let script = Script::new(["a", "b", "c"].map(says));
    let error = script.open(&profile).await.unwrap_err();
    let ConnectError::AuthenticationFailed { tried, .. } = error else { panic!("{error:?}") };
    assert_eq!(tried[1..], ["password, from a person: refused"; 3]);
    let again: Vec<bool> =
        script.asked().iter().map(|it| matches!(it.wanted, Wanted::Password { again: true })).collect();
    assert_eq!(again, [false, true, true]);
}

fn unknown(server: &Sshd) -> (Profile, std::path::PathBuf) {
    let mut profile = profile_of(server);
    let file = server.user_key().with_file_name("new/known_hosts");
    profile.known_hosts = vec![file.clone()];
    (profile, file)
}

#[tokio::test]
async fn an_unknown_key_a_person_trusts_is_recorded_and_not_asked_about_again() {
    let server = Sshd::start(SshdOptions { host_key_types: vec!["ed25519", "rsa"], ..SshdOptions::default() });
    let (profile, file) = unknown(&server);
    let script = Script::new([Answer::Trusted]);
    let link = script.open(&profile).await.unwrap();
    let asked = script.asked();
    let Wanted::HostKey { key_type, fingerprint, file: shown, skipped } = &asked[0].wanted else { panic!("{asked:?}") };
    assert_eq!((format!("{key_type} {fingerprint}"), shown, skipped.len()), (link.peer.host_key.clone(), &file, 0));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), server.known_hosts_line("ed25519") + "\n");
    Script::new([]).open(&profile).await.unwrap();
    open_shell(&profile, &[]).await.unwrap();

    // Under its alias, beside what is there, with what could not be read told.
    let mut profile = profile;
    profile.host_key_alias = Some("Inner".to_owned());
    std::fs::write(&file, "broken line\n").unwrap();
    let script = Script::new([Answer::Trusted]);
    script.open(&profile).await.unwrap();
    let Wanted::HostKey { skipped, .. } = &script.asked()[0].wanted else { panic!("{:?}", script.asked()) };
    assert!(skipped[0].contains("known_hosts:1 was skipped"), "{skipped:?}");
    let recorded = format!("broken line\ninner {}\n", server.host_public_key("ed25519"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), recorded);
}

#[tokio::test]
async fn an_unknown_key_a_person_refuses_is_not_recorded_and_nothing_is_sent() {
    let server = Sshd::start(SshdOptions::default());
    let (profile, file) = unknown(&server);
    for (answer, words) in [
        (Answer::Refused, "a person refused in the viewer"),
        (Answer::Unanswered, "no person answered in the viewer within 300 s"),
    ] {
        let error = Script::new([answer]).open(&profile).await.unwrap_err();
        assert_eq!(error.category(), "host-key");
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.to_string().contains("ssh-ed25519 SHA256:"), "{error}");
        assert!(!file.exists());
    }
    assert!(!server.log().contains("Accepted") && !server.log().contains("Failed"), "{}", server.log());
    // A file that cannot be written.
    let (mut profile, _) = unknown(&server);
    profile.known_hosts = vec!["/proc/none/known_hosts".into()];
    let error = Script::new([Answer::Trusted]).open(&profile).await.unwrap_err();
    assert!(matches!(error, ConnectError::HostKeyNotRecorded { .. }), "{error:?}");
}

#[tokio::test]
async fn changed_and_revoked_keys_are_never_put_before_a_person() {
    let server = Sshd::start(SshdOptions::default());
    let mut profile = profile_of(&server);
    for recorded_type in ["ed25519", "ecdsa"] {
        let (_, foreign) = server.foreign_key(recorded_type);
        profile.known_hosts = vec![server.write_file("old", &format!("[127.0.0.1]:{} {foreign}\n", server.port()))];
        let error = Script::new([]).open(&profile).await.unwrap_err();
        assert!(matches!(error, ConnectError::HostKeyChanged { .. }), "{error:?}");
    }
    let revoked = format!("@revoked * {}\n", server.host_public_key("ed25519"));
    profile.known_hosts = vec![server.write_file("revoked", &revoked)];
    let error = Script::new([]).open(&profile).await.unwrap_err();
    assert!(matches!(error, ConnectError::HostKeyRevoked { .. }), "{error:?}");
}

#[tokio::test]
async fn a_question_says_which_hop_it_is_about_and_the_hop_is_not_asked_twice() {
    let Some(bastion) = pam_server() else { return };
    let host = Sshd::start(SshdOptions { user_key_passphrase: Some("phrase".into()), ..SshdOptions::default() });
    let mut profile = profile_of(&host);
    profile.known_hosts = vec![host.user_key().with_file_name("host_keys")];
    let mut hop = Profile { name: "bastion".to_owned(), ..profile_of(&bastion) };
    hop.known_hosts = vec![bastion.user_key().with_file_name("bastion_keys")];
    profile.hops = vec![std::sync::Arc::new(hop)];
    let script = Script::new([Answer::Trusted, says("right"), says("123456"), Answer::Trusted, says("phrase")]);
    script.open(&profile).await.unwrap_or_else(|error| panic!("{error}\n{}", bastion.log()));
    let asked = script.asked();
    let hops: Vec<Option<&str>> = asked.iter().map(|question| question.hop.as_deref()).collect();
    let bastion_place = Some("hop 1 of 1, bastion");
    assert_eq!(hops, [bastion_place, bastion_place, bastion_place, None, None]);
    assert!(asked[0].target.ends_with(&format!(":{}", bastion.port())), "{asked:?}");
    assert!(asked[3].target.ends_with(&format!(":{}", host.port())), "{asked:?}");

    let error = Script::new([says("right"), Answer::Refused]).open(&profile).await.unwrap_err();
    assert!(error.to_string().starts_with("hop 1 of 1, bastion (127.0.0.1:"), "{error}");
}
