//! The broker of approvals: texts that a policy lets pass only when a person allows them.
//!
//! Operations lay a [`Matter`] down and wait; the adapters (browser, client dialog, command line) show it and
//! bring the answer of a person through one operation, which puts it on record first ([`Claim`]). Nothing
//! that a model can call answers. Consent is a [`Leave`], bound to the exact text, session, path and reader,
//! which the gate checks against what it judges then; a `deny` is never covered.
//!
//! At most one approval waits in a session. One whose caller's time is over stays open for the next call of
//! the same text; one whose caller is gone is withdrawn. This module owns no task and no timer: whoever asks
//! looks after the end of its time.

mod matter;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock;

use matter::Granted;
pub use matter::{Cause, Channel, Consent, Leave, Matter, Rule, Scope};

/// More than this many at once is no person's work; the next is refused.
const MOST_OPEN: usize = 32;
/// How long an answer waits for the caller it was given for, once that caller has gone away for a moment.
const ANSWER_KEPT: Duration = Duration::from_secs(120);

/// The client whose call asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Unique within the process.
    pub connection: u64,
    /// As the client calls itself; untrusted.
    pub name: String,
    /// It can put a question to its user.
    pub elicits: bool,
    /// Nobody holds a request open while a person decides: its calls wait as long as a question is open, and the
    /// time that takes is not theirs.
    pub is_patient: bool,
    /// Whose client it is, where several are told apart: they do not see each other's sessions.
    pub principal: Option<Arc<str>>,
}

tokio::task_local! {
    static CALLER: Caller;
}

/// Runs what a client has called for, so that what it asks is known to be that client's.
pub async fn on_behalf<T>(caller: Caller, call: impl Future<Output = T>) -> T {
    CALLER.scope(caller, call).await
}

/// The client whose call this is.
pub fn caller() -> Option<Caller> {
    CALLER.try_with(Clone::clone).ok()
}

/// An approval as it waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Unique within the process.
    pub id: String,
    /// [`Matter::digest`]; an answer has to repeat it.
    pub digest: String,
    pub matter: Arc<Matter>,
    pub caller: Option<Caller>,
    pub asked_unix_ms: u64,
    /// How long it waits.
    pub limit: Duration,
}

/// What a person says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Allow(Scope),
    Deny { reason: Option<String> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub decision: Decision,
    pub channel: Channel,
    /// Who says it, as far as the channel knows.
    pub by: Option<String>,
}

/// Why a text was not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// None where nothing was asked.
    pub approval_id: Option<String>,
    pub why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    Person {
        channel: Channel,
        by: Option<String>,
        reason: Option<String>,
    },
    Expired {
        after: Duration,
    },
    Withdrawn,
    SessionClosed,
    /// No viewer, and a client without dialogs, or an operator who wants nobody asked.
    NobodyToAsk,
    TooMany,
}

impl Denial {
    pub fn words(&self) -> String {
        match &self.why {
            Why::Person { reason: Some(reason), .. } => format!("a person denied it: {reason}"),
            Why::Person { reason: None, .. } => "a person denied it".to_owned(),
            Why::Expired { after } => format!("nobody answered within {} s, which counts as no", after.as_secs()),
            Why::Withdrawn => "the question was withdrawn before anybody answered".to_owned(),
            Why::SessionClosed => "the session ended before anybody answered".to_owned(),
            Why::NobodyToAsk => {
                "a person would have to allow it, and nobody can be asked: the viewer is off and the client shows \
                 no questions, or `approval_timeout_s` is 0"
                    .to_owned()
            }
            Why::TooMany => "a person would have to allow it, and too much waits for them already".to_owned(),
        }
    }

    /// What a person gave as reason.
    pub fn reason(&self) -> Option<&str> {
        match &self.why {
            Why::Person { reason, .. } => reason.as_deref(),
            _ => None,
        }
    }
}

/// What came of asking.
#[derive(Debug, Clone)]
pub enum Outcome {
    Allowed(Leave),
    Denied(Denial),
}

/// Why an answer was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    #[error("this approval is no longer open: it was answered, withdrawn or its time was over")]
    NotOpen,
    #[error("this approval is for another text or place than the one shown; look at it again")]
    OtherText,
}

/// What waits for a person's consent, and the consent that holds for longer.
#[derive(Default)]
pub struct Approvals {
    inner: Mutex<Inner>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    entries: BTreeMap<u64, Entry>,
    /// For rules, until their session ends.
    rules: Vec<Granted>,
    next_number: u64,
}

struct Entry {
    asked: Asked,
    state: State,
    /// A call waits for it now.
    attended: bool,
    expires: Instant,
}

enum State {
    Open,
    /// Somebody's answer is being put on record.
    Answering,
    /// Its caller is gone.
    Withdrawn,
    Settled {
        outcome: Outcome,
        until: Instant,
    },
}

impl Entry {
    /// A person can still decide it.
    fn is_open(&self) -> bool {
        matches!(self.state, State::Open | State::Answering)
    }
}

/// What becomes of a matter that was laid down.
pub enum Joined {
    /// It waits, from now on or already.
    Waiting {
        waiter: Waiter,
        is_new: bool,
    },
    /// Something waits in this session already, or another call waits for the same.
    Busy(Asked),
    Refused(Denial),
}

/// What came of waiting.
pub enum Waited {
    Settled(Outcome),
    /// The caller's time is over; the next call of the same text takes it up.
    StillOpen(Asked),
}

/// How an approval has ended, for whoever looks after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Settled,
    Withdrawn,
}

impl Approvals {
    /// All that wait, oldest first.
    pub fn open(&self) -> Vec<Asked> {
        let inner = self.locked();
        inner.entries.values().filter(|entry| entry.is_open()).map(|entry| entry.asked.clone()).collect()
    }

    /// What waits in a session.
    pub fn open_in(&self, session_id: &str) -> Option<Asked> {
        self.open().into_iter().find(|asked| asked.matter.session_id == session_id)
    }

    /// Changes its value whenever [`Approvals::open`] may answer differently.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The consent that holds in a session without a further question.
    pub fn standing_leave(&self, session_id: &str) -> Leave {
        let inner = self.locked();
        Leave(inner.rules.iter().filter(|granted| granted.session_id == session_id).cloned().collect())
    }

    /// What was allowed for a session ends with it.
    pub fn forget_all_but(&self, is_open: impl Fn(&str) -> bool) {
        self.locked().rules.retain(|granted| is_open(&granted.session_id));
    }

    /// Lays the matter down, or takes up the same one.
    pub fn join(self: &Arc<Self>, matter: Matter, caller: Option<Caller>, limit: Duration) -> Joined {
        let digest = matter.digest();
        let mut inner = self.locked();
        let now = Instant::now();
        inner.entries.retain(|_, entry| !matches!(entry.state, State::Settled { until, .. } if until <= now));
        let same = |entry: &&mut Entry| entry.asked.digest == digest && !matches!(entry.state, State::Withdrawn);
        if let Some(entry) = inner.entries.values_mut().find(same) {
            if entry.attended {
                return Joined::Busy(entry.asked.clone());
            }
            entry.attended = true;
            let waiter = Waiter::new(self, &entry.asked);
            return Joined::Waiting { waiter, is_new: false };
        }
        let other = inner.entries.values().find(|it| it.is_open() && it.asked.matter.session_id == matter.session_id);
        if let Some(other) = other {
            return Joined::Busy(other.asked.clone());
        }
        if inner.entries.values().filter(|entry| entry.is_open()).count() >= MOST_OPEN {
            return Joined::Refused(Denial { approval_id: None, why: Why::TooMany });
        }
        inner.next_number += 1;
        let number = inner.next_number;
        let (id, asked_unix_ms) = (format!("a-{number}"), clock::unix_ms());
        let asked = Asked { id, digest, matter: Arc::new(matter), caller, asked_unix_ms, limit };
        let waiter = Waiter::new(self, &asked);
        let entry = Entry { asked, state: State::Open, attended: true, expires: now + limit };
        inner.entries.insert(number, entry);
        drop(inner);
        self.changed();
        Joined::Waiting { waiter, is_new: true }
    }

    /// Sets an open approval aside for the answer that is about to be recorded; nobody else can answer then.
    ///
    /// # Errors
    /// When it is not open, or its text is not the one that was shown.
    pub fn claim(self: &Arc<Self>, id: &str, digest: &str) -> Result<Claim, AnswerError> {
        let mut inner = self.locked();
        let entry = inner.entries.values_mut().find(|entry| entry.asked.id == id).ok_or(AnswerError::NotOpen)?;
        if !matches!(entry.state, State::Open) || entry.expires <= Instant::now() {
            return Err(AnswerError::NotOpen);
        }
        if entry.asked.digest != digest {
            return Err(AnswerError::OtherText);
        }
        entry.state = State::Answering;
        Ok(Claim { approvals: Arc::clone(self), asked: entry.asked.clone(), settled: false })
    }

    /// The same for the end of its time, or of its session.
    pub fn claim_end(self: &Arc<Self>, id: &str) -> Option<Claim> {
        let mut inner = self.locked();
        let entry = inner.entries.values_mut().find(|entry| entry.asked.id == id)?;
        if !matches!(entry.state, State::Open) {
            return None;
        }
        entry.state = State::Answering;
        Some(Claim { approvals: Arc::clone(self), asked: entry.asked.clone(), settled: false })
    }

    /// Forgets one whose caller is gone; whoever looks after it calls this when that is on record.
    pub fn forget_withdrawn(&self, id: &str) {
        let mut inner = self.locked();
        inner.entries.retain(|_, entry| entry.asked.id != id || !matches!(entry.state, State::Withdrawn));
    }

    /// Waits until a person can no longer decide it.
    pub async fn fate(&self, id: &str) -> Fate {
        let mut changes = self.watch();
        loop {
            changes.borrow_and_update();
            if let Some(fate) = self.fate_now(id) {
                return fate;
            }
            if changes.changed().await.is_err() {
                return Fate::Withdrawn;
            }
        }
    }

    fn fate_now(&self, id: &str) -> Option<Fate> {
        let inner = self.locked();
        let Some(entry) = inner.entries.values().find(|entry| entry.asked.id == id) else { return Some(Fate::Settled) };
        match entry.state {
            State::Open | State::Answering => None,
            State::Settled { .. } => Some(Fate::Settled),
            State::Withdrawn => Some(Fate::Withdrawn),
        }
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Entry)) {
        let mut inner = self.locked();
        if let Some(entry) = inner.entries.values_mut().find(|entry| entry.asked.id == id) {
            change(entry);
        }
        drop(inner);
        self.changed();
    }

    fn changed(&self) {
        self.changes.send_modify(|generation| *generation += 1);
    }

    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that waits for a person. Dropped while the approval is open, it takes the question back.
pub struct Waiter {
    approvals: Arc<Approvals>,
    asked: Asked,
    done: bool,
}

impl Waiter {
    fn new(approvals: &Arc<Approvals>, asked: &Asked) -> Self {
        Self { approvals: Arc::clone(approvals), asked: asked.clone(), done: false }
    }

    pub fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Waits for the answer, at most until then.
    pub async fn wait(mut self, until: Instant) -> Waited {
        let mut changes = self.approvals.watch();
        loop {
            changes.borrow_and_update();
            if let Some(outcome) = self.take() {
                self.done = true;
                return Waited::Settled(outcome);
            }
            if tokio::time::timeout_at(until, changes.changed()).await.is_err() {
                break;
            }
        }
        // An answer may have come in the same moment.
        if let Some(outcome) = self.take() {
            self.done = true;
            return Waited::Settled(outcome);
        }
        self.done = true;
        self.approvals.change(&self.asked.id, |entry| entry.attended = false);
        Waited::StillOpen(self.asked.clone())
    }

    /// The outcome, once; the approval is gone then.
    fn take(&self) -> Option<Outcome> {
        let mut inner = self.approvals.locked();
        let found = inner.entries.iter().find(|(_, entry)| entry.asked.id == self.asked.id);
        let Some((number, entry)) = found else {
            let id = Some(self.asked.id.clone());
            return Some(Outcome::Denied(Denial { approval_id: id, why: Why::Withdrawn }));
        };
        let State::Settled { outcome, .. } = &entry.state else { return None };
        let (number, outcome) = (*number, outcome.clone());
        inner.entries.remove(&number);
        Some(outcome)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        self.approvals.change(&self.asked.id, |entry| {
            entry.attended = false;
            entry.state = State::Withdrawn;
        });
    }
}

/// The right to settle one approval. Dropped unused, the approval is open again.
pub struct Claim {
    approvals: Arc<Approvals>,
    asked: Asked,
    settled: bool,
}

impl Claim {
    pub fn asked(&self) -> &Asked {
        &self.asked
    }

    /// A person has decided, and that is on record.
    pub fn answer(self, answer: Answer) {
        let id = self.asked.id.clone();
        let Answer { decision, channel, by } = answer;
        let outcome = match decision {
            Decision::Deny { reason } => {
                Outcome::Denied(Denial { approval_id: Some(id), why: Why::Person { channel, by, reason } })
            }
            Decision::Allow(scope) => {
                let granted = self.granted(Consent { approval_id: id, scope, channel, by });
                if scope == Scope::RuleForSession {
                    let standing = Granted { digest: None, ..granted.clone() };
                    self.approvals.locked().rules.push(standing);
                }
                Outcome::Allowed(Leave(vec![granted]))
            }
        };
        self.settle(outcome);
    }

    /// Nobody has, and that is on record.
    pub fn lapse(self, why: Why) {
        let approval_id = Some(self.asked.id.clone());
        self.settle(Outcome::Denied(Denial { approval_id, why }));
    }

    fn granted(&self, consent: Consent) -> Granted {
        let matter = &self.asked.matter;
        Granted {
            consent,
            session_id: matter.session_id.clone(),
            path: matter.path.clone(),
            digest: Some(self.asked.digest.clone()),
            rules: matter.asking_rules(),
        }
    }

    fn settle(mut self, outcome: Outcome) {
        self.settled = true;
        let until = Instant::now() + ANSWER_KEPT;
        self.approvals.change(&self.asked.id, |entry| {
            // A caller that is gone meanwhile gets nothing.
            if matches!(entry.state, State::Answering) {
                entry.state = State::Settled { outcome, until };
            }
        });
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        self.approvals.change(&self.asked.id, |entry| {
            if matches!(entry.state, State::Answering) {
                entry.state = State::Open;
            }
        });
    }
}
