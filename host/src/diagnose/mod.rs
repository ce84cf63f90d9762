//! What is wrong with a profile or with this machine, and how to mend it.
//!
//! [`profile`] connects to nothing; [`connect`] goes as far as a shell and hangs up. Secrets are read to
//! see that they can be, and go nowhere.

mod connect;
mod general;

use std::path::Path;

use serde::Serialize;

pub use connect::connect;
pub use general::{agent, clients, plugin_files, viewer_port};

use crate::causes::with_causes;
use crate::config::{AuthMethod, Destination, LocalShell, Profile, QuestionAnswer, SecretSource};
use crate::local;
use crate::ssh::known_hosts::KnownHosts;
use crate::ssh::{self, KeyFileError};

/// One thing looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub state: State,
    /// What was looked at, in a word or two.
    pub subject: String,
    pub text: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Good,
    /// Worth knowing; stands in nobody's way.
    Note,
    Problem,
    /// Not looked at, because something before it failed.
    NotReached,
}

impl Finding {
    fn new(state: State, subject: &str, text: impl Into<String>) -> Self {
        Self { state, subject: subject.to_owned(), text: text.into(), help: None }
    }

    pub fn good(subject: &str, text: impl Into<String>) -> Self {
        Self::new(State::Good, subject, text)
    }

    pub fn note(subject: &str, text: impl Into<String>) -> Self {
        Self::new(State::Note, subject, text)
    }

    pub fn problem(subject: &str, text: impl Into<String>) -> Self {
        Self::new(State::Problem, subject, text)
    }

    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// How thoroughly keys are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Encrypted keys are not opened: passphrases are slow on purpose.
    Quick,
    Full,
}

/// What can be said of a profile without connecting. Reads files: call it where blocking is allowed.
pub fn profile(destination: &Destination, depth: Depth) -> Vec<Finding> {
    let profile = &destination.profile;
    let mut findings = match &profile.local {
        Some(shell) => vec![local_shell(shell)],
        None => login(profile, depth).into_iter().chain([host_key(profile)]).collect(),
    };
    let secrets = destination.navigator.iter().flat_map(|navigator| &navigator.secrets);
    findings.extend(secrets.map(|(name, source)| secret(&format!("secret {name}"), source)));
    let policies: Vec<&str> =
        std::iter::once("policy-standard").chain(destination.policies.iter().map(String::as_str)).collect();
    let own = destination.rules.all.iter().filter(|known| known.rule.is_enabled()).count();
    let own = if own == 0 { String::new() } else { format!(", {own} rules of your own") };
    let by = policies.join(", ");
    findings.push(Finding::good("policy", format!("{}, by {by}{own}", destination.policy_mode.as_str())));
    if !destination.shadow_policies.is_empty() {
        let on_trial = destination.shadow_policies.join(", ");
        findings.push(Finding::note("policy", format!("on trial, without effect: {on_trial}")));
    }
    findings.extend(destination.notes.iter().map(|note| Finding::note("profile", note)));
    findings
}

fn local_shell(shell: &LocalShell) -> Finding {
    match local::check(shell) {
        Ok(()) => Finding::good("shell", local::described(shell)),
        Err(error) => Finding::problem("shell", with_causes(&error)),
    }
}

fn login(profile: &Profile, depth: Depth) -> Vec<Finding> {
    if profile.auth.is_empty() {
        return vec![
            Finding::problem("login", "the profile names no way to log in").with_help(
                "add `auth = [{ agent = true }]`, `[{ key_file = \"…\" }]` or `[{ password_file = \"…\" }]`, or an IdentityFile in ssh_config",
            ),
        ];
    }
    profile.auth.iter().map(|method| method_finding(method, profile, depth)).collect()
}

fn method_finding(method: &AuthMethod, profile: &Profile, depth: Depth) -> Finding {
    match method {
        AuthMethod::Password(source) => secret("password", source),
        AuthMethod::KeyFile { path, passphrase, certificate: _ } => {
            key(path, passphrase.as_ref(), depth, profile.auth.len() == 1)
        }
        AuthMethod::Agent { socket, only: _ } => agent_socket(socket.as_deref(), profile),
        AuthMethod::KeyboardInteractive(questions) => answers(questions),
        AuthMethod::Ask => Finding::good("password", "asked of a person, in the viewer"),
    }
}

/// Only whether something is there: an agent may ask a person before it names its keys.
fn agent_socket(socket: Option<&Path>, profile: &Profile) -> Finding {
    let looked_at = ssh::agent_sockets(socket);
    if let Some(found) = looked_at.iter().find(|place| place.exists()) {
        return Finding::good("agent", format!("at {}", found.display()));
    }
    let places: Vec<String> = looked_at.iter().map(|place| place.display().to_string()).collect();
    let text = format!("no agent's socket is there; looked at {}", places.join(", "));
    // Beside other ways to log in, an agent that is not there is none that is needed.
    match profile.auth.len() {
        1 => Finding::problem("agent", text)
            .with_help("start an agent and add a key (ssh-add), or name its socket: auth = [{ agent = \"SOCKET\" }]"),
        _ => Finding::note("agent", text),
    }
}

fn answers(questions: &[QuestionAnswer]) -> Finding {
    let subject = "answers";
    for question in questions {
        if let Err(error) = question.answer.read() {
            return Finding::problem(subject, format!("to \"{}\": {}", question.prompt, with_causes(&error)));
        }
    }
    let prompts: Vec<String> = questions.iter().map(|question| format!("\"{}\"", question.prompt)).collect();
    Finding::good(subject, format!("to {}", prompts.join(", ")))
}

fn secret(subject: &str, source: &SecretSource) -> Finding {
    match source.read() {
        Ok(_) => Finding::good(subject, format!("from {source}")),
        Err(error) => Finding::problem(subject, with_causes(&error)),
    }
}

/// `only` says that there is no other way to log in.
fn key(path: &Path, passphrase: Option<&SecretSource>, depth: Depth, only: bool) -> Finding {
    let secret_at_hand = match passphrase {
        Some(source) => match source.read() {
            Ok(secret) => Some(secret),
            Err(error) => return Finding::problem("passphrase", with_causes(&error)),
        },
        None => None,
    };
    let used = secret_at_hand.as_ref().filter(|_| depth == Depth::Full);
    match ssh::describe_key_file(path, used) {
        Ok(label) => Finding::good("key", label),
        Err(KeyFileError::PassphraseMissing) if secret_at_hand.is_some() => {
            Finding::good("key", format!("{}, encrypted, with a passphrase", path.display()))
        }
        Err(error @ KeyFileError::PassphraseMissing) if !only => {
            Finding::note("key", format!("{}: {error}", path.display()))
        }
        Err(error) => {
            let text = format!("{}: {}", path.display(), with_causes(&error));
            let finding = Finding::problem("key", text);
            match error {
                KeyFileError::PermissionsTooOpen { .. } => finding.with_help(format!("chmod 600 {}", path.display())),
                KeyFileError::PassphraseMissing => finding.with_help(
                    "add passphrase_env = \"VARIABLE\" or passphrase_file = \"PATH\" to its entry of `auth`, or type it in the viewer when a session is opened",
                ),
                _ => finding,
            }
        }
    }
}

fn host_key(profile: &Profile) -> Finding {
    let subject = "host key";
    let known = match KnownHosts::load(&profile.known_hosts) {
        Ok(known) => known,
        Err(error) => return Finding::problem(subject, with_causes(&error)),
    };
    // An alias stands alone, as with OpenSSH's HostKeyAlias.
    let (name, port) = match &profile.host_key_alias {
        Some(alias) => (alias.as_str(), 22),
        None => (profile.host.as_str(), profile.port),
    };
    let types = known.recorded_key_types(name, port);
    let authorities = known.authorities(name, port).len();
    if types.is_empty() && authorities == 0 {
        let files: Vec<String> = profile.known_hosts.iter().map(|path| path.display().to_string()).collect();
        let address = ssh::Target::new(None, name, port);
        return Finding::problem(subject, format!("none is recorded for {address} in {}", files.join(", ")))
            .with_help(format!("portcullis trust {}", profile.name));
    }
    let mut recorded: Vec<String> = types.iter().map(|kind| (*kind).to_owned()).collect();
    if authorities > 0 {
        recorded.push(format!("{authorities} certificate authorities"));
    }
    Finding::good(subject, format!("recorded: {}", recorded.join(", ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn destination(text: &str) -> (tempfile::TempDir, std::sync::Arc<Destination>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portcullis.toml");
        let head =
            "ssh_config = false\n[profiles.web]\nhost = 'web1'\nport = 2222\nuser = 'ann'\nknown_hosts = ['kh']\n";
        std::fs::write(&path, format!("{head}{text}")).unwrap();
        let config = crate::config::load(Some(&path)).unwrap();
        (folder, config.destinations["web"].clone())
    }

    fn finding(findings: &[Finding], subject: &str) -> Finding {
        findings.iter().find(|finding| finding.subject == subject).unwrap().clone()
    }

    #[test]
    fn what_is_missing_is_told_with_the_way_to_mend_it() {
        let (folder, destination) = destination("auth = [{ key_file = 'id' }]\n");
        let findings = profile(&destination, Depth::Quick);
        let key = finding(&findings, "key");
        assert_eq!(key.state, State::Problem);
        assert!(key.text.contains("cannot be read"), "{}", key.text);
        let host_key = finding(&findings, "host key");
        let file = folder.path().join("kh");
        let command = "portcullis trust web".to_owned();
        assert_eq!((host_key.state, host_key.help), (State::Problem, Some(command)));
        assert_eq!(finding(&findings, "policy").text, "safe, by policy-standard");

        std::fs::write(
            &file,
            "[web1]:2222 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n",
        )
        .unwrap();
        let host_key = finding(&profile(&destination, Depth::Quick), "host key");
        assert_eq!((host_key.state, host_key.text.as_str()), (State::Good, "recorded: ssh-ed25519"));
    }

    #[test]
    fn a_profile_without_a_login_and_one_whose_secret_is_missing_are_told() {
        let (_folder, bare) = destination("");
        assert_eq!(finding(&profile(&bare, Depth::Quick), "login").state, State::Problem);
        let (_folder, password) = destination("auth = [{ password_env = 'PORTCULLIS_TEST_UNSET' }]\n");
        let finding = finding(&profile(&password, Depth::Quick), "password");
        assert!(finding.state == State::Problem && finding.text.contains("PORTCULLIS_TEST_UNSET"), "{finding:?}");
    }
}
