//! What a session that is being opened waits for a person to say.

use portcullis_term::{AwaitingKind, patterns};
use serde::Serialize;

use super::callers;
use crate::clock;
use crate::desk::Asked;
use crate::host::Host;
use crate::ssh::{Prompt, Wanted};

/// A question that only a person can answer, in the viewer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AwaitingPerson {
    /// Always `awaiting_input`.
    pub outcome: &'static str,
    pub kind: AwaitingKind,
    pub profile: String,
    /// `user@host:port` of the connection that asks.
    pub target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hop: Option<String>,
    /// What is asked. A server's own words are hostile text, cleaned and cut.
    pub prompt: String,
    /// Where a person answers; the link that logs a browser in is printed by `portcullis viewer`.
    pub viewer: Option<String>,
    /// Until the attempt is given up.
    pub expires_in_s: u64,
}

/// All questions that wait, of sessions this call may use.
pub(super) fn all(host: &Host) -> Vec<AwaitingPerson> {
    let principal = callers::principal();
    let own = |asked: &Asked| {
        principal.is_none() || asked.attempt.and_then(|attempt| host.attempts().owner(attempt)) == principal
    };
    host.desk().open().into_iter().filter(own).map(|asked| awaiting(host, asked)).collect()
}

pub(super) fn awaiting(host: &Host, asked: Asked) -> AwaitingPerson {
    let question = asked.question;
    let waited_s = clock::unix_ms().saturating_sub(asked.asked_unix_ms) / 1000;
    AwaitingPerson {
        outcome: "awaiting_input",
        kind: kind(&question.wanted),
        profile: asked.profile,
        target: question.target,
        hop: question.hop,
        prompt: prompt(&question.wanted),
        viewer: host.desk().viewer(),
        expires_in_s: question.limit.as_secs().saturating_sub(waited_s),
    }
}

fn kind(wanted: &Wanted) -> AwaitingKind {
    match wanted {
        Wanted::Answers { prompts, .. } => {
            prompts.iter().find(|it| !it.echo).or(prompts.first()).map_or(AwaitingKind::Text, kind_of)
        }
        Wanted::Passphrase { .. } => AwaitingKind::Passphrase,
        Wanted::Password { .. } => AwaitingKind::Password,
        Wanted::HostKey { .. } => AwaitingKind::Hostkey,
    }
}

/// By its words, as those of a running command; what is hidden is a secret whatever its words are.
fn kind_of(prompt: &Prompt) -> AwaitingKind {
    let line = prompt.text.lines().next_back().unwrap_or_default();
    match patterns::awaiting(line) {
        Some(kind) if prompt.echo || kind.is_secret() => kind,
        _ if prompt.echo => AwaitingKind::Text,
        _ => AwaitingKind::Password,
    }
}

fn prompt(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Answers { name, instructions, prompts } => {
            let prompts = prompts.iter().map(|prompt| prompt.text.as_str());
            let said = [name.as_str(), instructions.as_str()].into_iter().chain(prompts);
            said.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
        }
        Wanted::Passphrase { key, again } => format!("passphrase of {key}{}", again_words(*again)),
        Wanted::Password { again } => format!("password{}", again_words(*again)),
        Wanted::HostKey { key_type, fingerprint, .. } => {
            format!("is this the right host key, which nobody has recorded: {key_type} {fingerprint}")
        }
    }
}

fn again_words(again: bool) -> &'static str {
    if again { " (the one before was wrong)" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str, echo: bool) -> AwaitingKind {
        let prompts = vec![Prompt { text: text.to_owned(), echo }];
        kind(&Wanted::Answers { name: String::new(), instructions: String::new(), prompts })
    }

    #[test]
    fn a_kind_is_told_by_the_words_and_by_whether_it_is_hidden() {
        assert_eq!(asked("Password: ", false), AwaitingKind::Password);
        assert_eq!(asked("Verification code: ", false), AwaitingKind::Otp);
        assert_eq!(asked("Enter a passcode:\n 1. Push\n\n动态口令:", true), AwaitingKind::Otp);
        assert_eq!(asked("Favourite colour?", true), AwaitingKind::Text);
        assert_eq!(asked("Favourite colour?", false), AwaitingKind::Password);
        assert_eq!(asked("", false), AwaitingKind::Password);
    }
}
