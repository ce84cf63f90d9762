//! The desk: questions that wait for a person while connections are made and bastions crossed.
//!
//! Connections and navigations lay their questions down here and wait; the viewer's adapter shows them and brings the
//! answers. Nothing else can answer, and an answer is handed to the one who asked and kept nowhere. A
//! question is gone when it is answered, when its time is over or when whoever asked is gone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{oneshot, watch};

use crate::clock;
use crate::config::Secret;
use crate::ssh::{Answer, Person, Question, Said, Wanted};

/// More than this many questions at once is no person's work; the next is refused.
const MOST_QUESTIONS: usize = 32;
/// Longest answer in bytes; far above any password.
pub const LONGEST_ANSWER_BYTES: usize = 1024;

/// Where questions lie until a person answers.
#[derive(Default)]
pub struct Desk {
    inner: Mutex<Inner>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    waiting: BTreeMap<u64, Waiting>,
    next_number: u64,
    /// The viewer's address; without one nobody can be asked.
    viewer: Option<String>,
}

struct Waiting {
    asked: Asked,
    reply: oneshot::Sender<Answer>,
}

/// A question as it lies on the desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Unique within the process.
    pub id: String,
    /// The connection attempt that asks; none where an open session's navigator does.
    pub attempt: Option<u64>,
    pub profile: String,
    pub question: Question,
    pub asked_unix_ms: u64,
}

/// Why an answer was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    #[error("this question is no longer open: it was answered, withdrawn or its time was over")]
    NotOpen,
    #[error("that is no answer to this question")]
    NotFitting,
    #[error("an answer is longer than {LONGEST_ANSWER_BYTES} bytes")]
    TooLong,
}

impl Desk {
    /// From now on a person can answer at this address, until it is taken back.
    pub fn set_viewer(&self, address: Option<String>) {
        self.locked().viewer = address;
    }

    /// Where a person can answer.
    pub fn viewer(&self) -> Option<String> {
        self.locked().viewer.clone()
    }

    /// Whether a page that shows questions is open now.
    pub fn is_watched(&self) -> bool {
        self.changes.receiver_count() > 0
    }

    /// All open questions, oldest first.
    pub fn open(&self) -> Vec<Asked> {
        self.locked().waiting.values().map(|waiting| waiting.asked.clone()).collect()
    }

    /// The question an attempt waits with.
    pub fn of_attempt(&self, attempt: u64) -> Option<Asked> {
        self.open().into_iter().find(|asked| asked.attempt == Some(attempt))
    }

    /// Changes its value whenever a question comes or goes.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Takes a person's answer.
    ///
    /// # Errors
    /// When the question is gone or is another one; it stays open then.
    pub fn answer(&self, id: &str, answer: Answer) -> Result<(), AnswerError> {
        let mut inner = self.locked();
        let number = inner.waiting.iter().find(|(_, waiting)| waiting.asked.id == id).map(|(number, _)| *number);
        let number = number.ok_or(AnswerError::NotOpen)?;
        let fits = inner.waiting.get(&number).map(|waiting| fitting(&waiting.asked.question.wanted, &answer));
        fits.ok_or(AnswerError::NotOpen)??;
        let waiting = inner.waiting.remove(&number).ok_or(AnswerError::NotOpen)?;
        drop(inner);
        self.changed();
        waiting.reply.send(answer).map_err(|_| AnswerError::NotOpen)
    }

    /// Takes a person's consent to a host key: it counts only for the fingerprint that was shown.
    ///
    /// # Errors
    /// As [`Desk::answer`].
    pub fn trust(&self, id: &str, shown: &str) -> Result<(), AnswerError> {
        let asked = self.open().into_iter().find(|asked| asked.id == id).ok_or(AnswerError::NotOpen)?;
        match asked.question.wanted {
            Wanted::HostKey { fingerprint, .. } if fingerprint == shown => self.answer(id, Answer::Trusted),
            _ => Err(AnswerError::NotFitting),
        }
    }

    /// Lays a question down and waits for its answer.
    async fn ask(&self, attempt: Option<u64>, profile: &str, question: Question) -> Answer {
        let limit = question.limit;
        let Some((place, reply)) = self.lay_down(attempt, profile, question) else { return Answer::NotAsked };
        let answer = tokio::time::timeout(limit, reply).await;
        drop(place);
        match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Answer::Refused,
            Err(_elapsed) => Answer::Unanswered,
        }
    }

    fn lay_down(
        &self,
        attempt: Option<u64>,
        profile: &str,
        question: Question,
    ) -> Option<(Place<'_>, oneshot::Receiver<Answer>)> {
        let mut inner = self.locked();
        if inner.waiting.len() >= MOST_QUESTIONS || inner.viewer.is_none() {
            return None;
        }
        inner.next_number += 1;
        let number = inner.next_number;
        let (id, profile, asked_unix_ms) = (format!("q-{number}"), profile.to_owned(), clock::unix_ms());
        let (reply, answer) = oneshot::channel();
        let asked = Asked { id, attempt, profile, question, asked_unix_ms };
        inner.waiting.insert(number, Waiting { asked, reply });
        drop(inner);
        self.changed();
        Some((Place { desk: self, number }, answer))
    }

    fn changed(&self) {
        self.changes.send_modify(|generation| *generation += 1);
    }

    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question on the desk; dropped when nobody waits for it any more.
struct Place<'a> {
    desk: &'a Desk,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let withdrawn = self.desk.locked().waiting.remove(&self.number).is_some();
        if withdrawn {
            self.desk.changed();
        }
    }
}

fn fitting(wanted: &Wanted, answer: &Answer) -> Result<(), AnswerError> {
    let fits = match (wanted, answer) {
        (_, Answer::Refused) | (Wanted::HostKey { .. }, Answer::Trusted) => true,
        (Wanted::Answers { prompts, .. }, Answer::Secrets(secrets)) => secrets.len() == prompts.len(),
        (Wanted::Passphrase { .. } | Wanted::Password { .. }, Answer::Secrets(secrets)) => secrets.len() == 1,
        _ => false,
    };
    if !fits {
        return Err(AnswerError::NotFitting);
    }
    match answer {
        Answer::Secrets(secrets) if secrets.iter().any(|it| it.expose().len() > LONGEST_ANSWER_BYTES) => {
            Err(AnswerError::TooLong)
        }
        _ => Ok(()),
    }
}

/// A person at the desk, asked in the course of one connection attempt or one navigation.
pub struct AtDesk {
    desk: Arc<Desk>,
    attempt: Option<u64>,
    profile: String,
    said: Mutex<Vec<Said>>,
    given: Mutex<Vec<Secret>>,
}

impl AtDesk {
    /// `None` when no viewer runs, so that nobody can be asked.
    pub fn new(desk: &Arc<Desk>, attempt: Option<u64>, profile: &str) -> Option<Self> {
        desk.viewer()?;
        Some(Self {
            desk: desk.clone(),
            attempt,
            profile: profile.to_owned(),
            said: Mutex::default(),
            given: Mutex::default(),
        })
    }

    /// What the person has said, for the record.
    pub fn into_said(self) -> Vec<Said> {
        self.said.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the person has given that must not be written anywhere.
    pub fn given(&self) -> Vec<Secret> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn put(&self, question: Question) -> Answer {
        let (target, wanted) = (question.target.clone(), question.wanted.clone());
        let answer = self.desk.ask(self.attempt, &self.profile, question).await;
        let what = what(&wanted);
        tracing::info!(profile = self.profile, target, what, outcome = outcome(&answer), "a person was asked");
        if let Answer::Secrets(secrets) = &answer {
            self.given.lock().unwrap_or_else(PoisonError::into_inner).extend(secrets.iter().cloned());
        }
        if let Some(said) = said(target, what, wanted, &answer) {
            self.said.lock().unwrap_or_else(PoisonError::into_inner).push(said);
        }
        answer
    }
}

impl Person for AtDesk {
    fn ask(&self, question: Question) -> BoxFuture<'_, Answer> {
        self.put(question).boxed()
    }
}

fn what(wanted: &Wanted) -> &'static str {
    match wanted {
        Wanted::Answers { .. } => "questions",
        Wanted::Passphrase { .. } => "passphrase",
        Wanted::Password { .. } => "password",
        Wanted::HostKey { .. } => "host key",
    }
}

fn outcome(answer: &Answer) -> &'static str {
    match answer {
        Answer::Secrets(_) => "answered",
        Answer::Trusted => "trusted",
        Answer::Refused => "refused",
        Answer::Unanswered => "no answer",
        Answer::NotAsked => "not asked",
    }
}

fn said(target: String, what: &'static str, wanted: Wanted, answer: &Answer) -> Option<Said> {
    match (wanted, answer) {
        (Wanted::HostKey { key_type, fingerprint, file, .. }, Answer::Trusted) => {
            Some(Said::Trusted { target, fingerprint: format!("{key_type} {fingerprint}"), file })
        }
        (Wanted::Answers { prompts, .. }, Answer::Secrets(_)) => {
            let prompts = prompts.into_iter().map(|prompt| prompt.text).collect();
            Some(Said::Answered { target, what, prompts })
        }
        (_, Answer::Secrets(_)) => Some(Said::Answered { target, what, prompts: Vec::new() }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
