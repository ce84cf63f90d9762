//! Asking a person what only a person may decide or know while a connection is made.
//!
//! Plain values: who shows a question and takes the answer is not known here. A [`Person`] is asked for a
//! connection with nobody else's help; no tool argument reaches it, and what it answers goes to the one
//! server or key file the question names.

use std::{
    future::Future,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::time::{Instant, sleep_until};

use super::error::Target;
use crate::config::profile::Secret;

/// Servers give a login 120 s as a rule; an answer that comes later is of no use.
const LOGIN_TIME: Duration = Duration::from_secs(110);
/// No server waits while a person compares a fingerprint: it is connected to again afterwards.
pub(super) const HOST_KEY_TIME: Duration = Duration::from_secs(300);
/// How often a deadline that a person's thinking has moved is looked at.
const DEADLINE_STEP: Duration = Duration::from_millis(50);

/// Somebody who can be asked.
pub trait Person: Send + Sync {
    /// Asks and waits. Dropping the future withdraws the question.
    fn ask(&self, question: Question) -> BoxFuture<'_, Answer>;
}

/// What is asked, and about which connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// `user@host:port`.
    pub target: String,
    /// `hop 1 of 2, bastion`, where it is not the profile's own host.
    pub hop: Option<String>,
    pub wanted: Wanted,
    /// What was tried before, each with its outcome.
    pub tried: Vec<String>,
    /// How long the answer is of use.
    pub limit: Duration,
}

/// What is wanted of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Answers to a server's own questions. All of it is hostile text, cleaned and cut.
    Answers { name: String, instructions: String, prompts: Vec<Prompt> },
    /// The passphrase of a key file, which is used here and sent nowhere.
    Passphrase {
        key: String,
        /// The one given before was wrong.
        again: bool,
    },
    /// The user's password on that host.
    Password {
        /// The one given before was refused.
        again: bool,
    },
    /// Whether a host key nobody has recorded is the right one.
    HostKey {
        key_type: String,
        fingerprint: String,
        /// Where it would be recorded.
        file: PathBuf,
        /// Lines that may have recorded it and could not be read.
        skipped: Vec<String>,
    },
}

/// One question of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    pub text: String,
    /// What is typed may be seen.
    pub echo: bool,
}

/// What a person says.
#[derive(Debug, Clone)]
pub enum Answer {
    /// One for each prompt; one for a passphrase or a password.
    Secrets(Vec<Secret>),
    /// The host key is the right one: record it and go on.
    Trusted,
    Refused,
    /// Nobody has answered within the limit.
    Unanswered,
    /// Nobody was asked: too much waits for a person already.
    NotAsked,
}

/// What a person said while a connection was made, for the record. Never an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Answered a server's questions, or gave a passphrase or password.
    Answered {
        target: String,
        what: &'static str,
        /// The server's questions: hostile text, cleaned and cut.
        prompts: Vec<String>,
    },
    /// Trusted a host key nobody had recorded.
    Trusted { target: String, fingerprint: String, file: PathBuf },
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    Refused,
    Unanswered {
        after: Duration,
    },
    /// The server hung up meanwhile.
    Gone,
    NotAsked,
}

/// Asks for one connection, and keeps count of the time a person takes, which is nobody's delay.
pub(super) struct Asker<'a> {
    person: Option<&'a dyn Person>,
    target: String,
    hop: Option<String>,
    /// Since when the server waits for a login.
    connected: Instant,
    thinking: Mutex<Thinking>,
}

#[derive(Default)]
struct Thinking {
    total: Duration,
    since: Option<Instant>,
}

impl<'a> Asker<'a> {
    pub(super) fn new(person: Option<&'a dyn Person>, target: &Target, hop: Option<String>) -> Self {
        let (target, thinking) = (target.to_string(), Mutex::default());
        Self { person, target, hop, connected: Instant::now(), thinking }
    }

    /// Whether anybody can be asked.
    pub(super) fn is_there(&self) -> bool {
        self.person.is_some()
    }

    /// From now on the server waits.
    pub(super) fn connected(&mut self) {
        self.connected = Instant::now();
    }

    /// Asks for what a server waits for. `gone` says that it waits no longer.
    pub(super) async fn ask_for_login(
        &self,
        wanted: Wanted,
        tried: &[String],
        gone: impl Future<Output = ()>,
    ) -> Result<Vec<Secret>, NoAnswer> {
        let limit = LOGIN_TIME.saturating_sub(self.connected.elapsed());
        tokio::select! {
            answer = self.ask(wanted, tried, limit) => match answer? {
                Answer::Secrets(secrets) => Ok(secrets),
                _ => Err(NoAnswer::Refused),
            },
            () = gone => Err(NoAnswer::Gone),
        }
    }

    /// Asks whether a host key is the right one.
    pub(super) async fn ask_to_trust(&self, wanted: Wanted) -> Result<(), NoAnswer> {
        match self.ask(wanted, &[], HOST_KEY_TIME).await? {
            Answer::Trusted => Ok(()),
            _ => Err(NoAnswer::Refused),
        }
    }

    async fn ask(&self, wanted: Wanted, tried: &[String], limit: Duration) -> Result<Answer, NoAnswer> {
        let Some(person) = self.person else { return Err(NoAnswer::NotAsked) };
        let (target, hop, tried) = (self.target.clone(), self.hop.clone(), tried.to_vec());
        let _pause = self.pause();
        match person.ask(Question { target, hop, wanted, tried, limit }).await {
            Answer::Refused => Err(NoAnswer::Refused),
            Answer::Unanswered => Err(NoAnswer::Unanswered { after: limit }),
            Answer::NotAsked => Err(NoAnswer::NotAsked),
            answer => Ok(answer),
        }
    }

    /// Runs `work` within `limit`, not counting the time in which a person was asked.
    pub(super) async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        let started = Instant::now();
        let mut work = std::pin::pin!(work);
        loop {
            let deadline = started + limit + self.thought();
            let looked_at = deadline.max(Instant::now() + DEADLINE_STEP);
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                () = sleep_until(looked_at) => if started + limit + self.thought() <= Instant::now() {
                    return None;
                },
            }
        }
    }

    fn thought(&self) -> Duration {
        let thinking = self.thinking();
        thinking.total + thinking.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn pause(&self) -> Pause<'_, 'a> {
        self.thinking().since = Some(Instant::now());
        Pause(self)
    }

    fn thinking(&self) -> MutexGuard<'_, Thinking> {
        self.thinking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A person is being asked; dropped when that is over in whatever way.
struct Pause<'a, 'p>(&'a Asker<'p>);

impl Drop for Pause<'_, '_> {
    fn drop(&mut self) {
        let mut thinking = self.0.thinking();
        if let Some(since) = thinking.since.take() {
            thinking.total += since.elapsed();
        }
    }
}

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused => formatter.write_str("a person refused in the viewer"),
            Self::Unanswered { after } => {
                write!(formatter, "no person answered in the viewer within {} s", after.as_secs())
            }
            Self::Gone => formatter.write_str("the server hung up before a person answered in the viewer"),
            Self::NotAsked => formatter.write_str("too many questions wait in the viewer already"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Slow(Duration);

    impl Person for Slow {
        fn ask(&self, _: Question) -> BoxFuture<'_, Answer> {
            Box::pin(async {
                tokio::time::sleep(self.0).await;
                Answer::Trusted
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_a_person_takes_is_not_counted() {
        let person = Slow(Duration::from_secs(90));
        let asker = Asker::new(Some(&person), &Target::new(None, "web1", 22), None);
        let key = || Wanted::HostKey {
            key_type: "ssh-ed25519".to_owned(),
            fingerprint: "SHA256:x".to_owned(),
            file: PathBuf::new(),
            skipped: Vec::new(),
        };
        let limit = Duration::from_secs(15);
        let work = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            let trusted = asker.ask_to_trust(key()).await;
            tokio::time::sleep(Duration::from_secs(4)).await;
            trusted
        };
        assert_eq!(asker.within(limit, work).await, Some(Ok(())));

        let asker = Asker::new(Some(&person), &Target::new(None, "web1", 22), None);
        let started = Instant::now();
        let slow_server = async {
            let _ = asker.ask_to_trust(key()).await;
            std::future::pending::<()>().await;
        };
        assert_eq!(asker.within(limit, slow_server).await, None);
        assert_eq!(started.elapsed().as_secs(), 105);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_hangs_up_withdraws_the_question() {
        let person = Slow(Duration::from_secs(90));
        let asker = Asker::new(Some(&person), &Target::new(None, "web1", 22), None);
        let gone = tokio::time::sleep(Duration::from_secs(3));
        let answer = asker.ask_for_login(Wanted::Password { again: false }, &[], gone).await;
        assert!(matches!(answer, Err(NoAnswer::Gone)), "{answer:?}");
        assert_eq!(asker.thought().as_secs(), 3);
    }
}
