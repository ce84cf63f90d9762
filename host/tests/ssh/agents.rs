//! Logging in with keys that an ssh-agent holds.

use e2e::agent::SshAgent;
use e2e::sshd::{KeyFormat, Sshd, SshdOptions, make_key};
use portcullis::{
    config::profile::AuthMethod,
    ssh::{AgentTrouble, ConnectError, open_shell},
};

use super::{key_file, profile_of};

fn agent_method(agent: &SshAgent) -> AuthMethod {
    AuthMethod::Agent { socket: Some(agent.socket()), only: Vec::new() }
}

#[tokio::test]
async fn keys_of_every_type_log_in_through_the_agent() {
    for user_key_type in ["ed25519", "ecdsa", "rsa"] {
        let server = Sshd::start(SshdOptions { user_key_type, ..SshdOptions::default() });
        let agent = SshAgent::start();
        agent.add(&server.user_key());
        let mut profile = profile_of(&server);
        profile.auth = vec![agent_method(&agent)];
        let link = open_shell(&profile, &[]).await.unwrap_or_else(|error| panic!("{user_key_type}: {error}"));
        assert!(link.peer.auth_method.contains("from the agent at"), "{}", link.peer.auth_method);
        // RSA signs with SHA-2: this server refuses `ssh-rsa` signatures.
        assert!(server.log().contains("Accepted publickey"), "{}", server.log());
    }
}

#[tokio::test]
async fn an_agent_full_of_keys_is_cut_and_narrowed_by_the_profile() {
    let server = Sshd::start(SshdOptions::default());
    let agent = SshAgent::start();
    let folder = tempfile::tempdir().unwrap();
    for number in 0..6 {
        let foreign = folder.path().join(format!("foreign{number}"));
        make_key("ed25519", &foreign, KeyFormat::OpenSsh, None);
        agent.add(&foreign);
    }
    agent.add(&server.user_key());
    let mut profile = profile_of(&server);
    profile.auth = vec![agent_method(&agent)];
    let error = open_shell(&profile, &[]).await.unwrap_err();
    let text = error.to_string();
    let ConnectError::AuthenticationFailed { tried, .. } = error else { panic!("{text}") };
    assert_eq!(tried.iter().filter(|line| line.ends_with(": refused")).count(), 5, "{tried:?}");
    assert!(text.contains("2 more keys of the agent") && text.contains("`only`"), "{text}");
    // The server has not hung up: a method after the agent still has its turn.
    profile.auth.push(key_file(server.user_key()));
    open_shell(&profile, &[]).await.unwrap();

    // The private key's name stands for the public key beside it.
    for file in [server.user_key(), server.user_key().with_extension("pub")] {
        profile.auth = vec![AuthMethod::Agent { socket: Some(agent.socket()), only: vec![file] }];
        open_shell(&profile, &[]).await.unwrap();
    }
}

#[tokio::test]
async fn a_useless_agent_is_told_before_connecting() {
    let server = Sshd::start(SshdOptions::default());
    let (empty, other) = (SshAgent::start(), SshAgent::start());
    other.add(&server.foreign_key("ed25519").0);
    let mut profile = profile_of(&server);
    let missing = empty.socket().with_file_name("nowhere");
    let wanted = server.user_key().with_extension("pub");
    type Wanted = fn(&AgentTrouble) -> bool;
    let cases: [(std::path::PathBuf, Wanted, &str); 3] = [
        (missing, |trouble| matches!(trouble, AgentTrouble::Missing), "nowhere: no such socket"),
        (empty.socket(), |trouble| matches!(trouble, AgentTrouble::NoKeys), "holds no key (ssh-add adds one)"),
        (other.socket(), |trouble| matches!(trouble, AgentTrouble::NoneOfThese { held: 1 }), "of the 1 keys"),
    ];
    for (socket, fits, words) in cases {
        profile.auth = vec![AuthMethod::Agent { socket: Some(socket), only: vec![wanted.clone()] }];
        let error = open_shell(&profile, &[]).await.unwrap_err();
        assert_eq!(error.category(), "configuration");
        assert!(error.to_string().contains(words), "{error}");
        let ConnectError::NoAgent { places, .. } = error else { panic!("{error}") };
        assert!(places.len() == 1 && fits(&places[0].trouble), "{places:?}");
    }
    assert!(!server.log().contains("Connection from"), "{}", server.log());
    // Beside another method it is told only when that fails.
    profile.auth.push(key_file(server.user_key()));
    open_shell(&profile, &[]).await.unwrap();
    profile.auth[1] = key_file(server.foreign_key("ed25519").0);
    let error = open_shell(&profile, &[]).await.unwrap_err();
    let ConnectError::AuthenticationFailed { tried, .. } = error else { panic!("{error}") };
    assert!(tried.iter().any(|line| line.starts_with("agent: none found")), "{tried:?}");
}

#[tokio::test]
async fn a_key_the_agent_does_not_sign_with_is_followed_by_the_next() {
    let server = Sshd::start(SshdOptions::default());
    let agent = SshAgent::start();
    agent.add_with_question(&server.user_key());
    let mut profile = profile_of(&server);
    profile.auth = vec![agent_method(&agent)];
    let error = open_shell(&profile, &[]).await.unwrap_err();
    let ConnectError::AuthenticationFailed { tried, .. } = error else { panic!("{error}") };
    assert!(tried[0].contains("the agent did not sign"), "{tried:?}");
    profile.auth.push(key_file(server.user_key()));
    let link = open_shell(&profile, &[]).await.unwrap();
    assert!(link.peer.auth_method.contains("user_key"), "{}", link.peer.auth_method);
}
