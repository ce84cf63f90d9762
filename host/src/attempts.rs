//! Sessions that are being opened, each in a task of its own.
//!
//! A connection may wait for a person far longer than a client waits for an answer. So whoever wants a
//! session joins the attempt that is under way instead of logging in a second time, and may leave and come
//! back for it. What an attempt came to is kept until somebody has taken it, for a while.

use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::session::SessionHandle;

/// Attempts at once; far more than anybody needs.
const MOST_ATTEMPTS: usize = 32;
/// How long an outcome is kept for somebody to take it.
const KEPT: Duration = Duration::from_secs(600);

/// The attempts of one process.
#[derive(Default)]
pub(crate) struct Attempts {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    list: Vec<Attempt>,
    next_number: u64,
}

struct Attempt {
    number: u64,
    wish: Wish,
    outcome: watch::Receiver<Option<Ended>>,
    /// Held by everyone who waits for it.
    attended: Arc<()>,
    task: AbortHandle,
}

/// Which session somebody wants opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) profile: String,
    pub(crate) name: Option<String>,
    /// The closed session to go on from.
    pub(crate) reopen: Option<String>,
    /// One more, even if one is open.
    pub(crate) new: bool,
    /// Whose session it is to be, where clients are told apart.
    pub(crate) owner: Option<Arc<str>>,
}

/// An open session, with what is to be said about how it was opened.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub(crate) session: SessionHandle,
    pub(crate) notes: Vec<String>,
}

/// The error of whoever made the attempt; several may hear of it.
pub(crate) type Failure = Arc<dyn Error + Send + Sync>;
pub(crate) type Outcome = Result<Opened, Failure>;

#[derive(Clone)]
struct Ended {
    at: Instant,
    outcome: Outcome,
}

/// Too many attempts are under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

/// A place among those who wait for an attempt.
pub(crate) struct Joined {
    pub(crate) number: u64,
    attempts: Arc<Attempts>,
    outcome: watch::Receiver<Option<Ended>>,
    _attends: Arc<()>,
}

impl Attempts {
    /// Joins the attempt for this very wish, or makes one.
    pub(crate) fn join_or_start<F>(self: &Arc<Self>, wish: Wish, make: impl FnOnce(u64) -> F) -> Result<Joined, TooMany>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut inner = self.locked();
        inner.forget();
        if let Some(found) = inner.list.iter().find(|attempt| attempt.is_for(&wish)) {
            return Ok(self.place(found));
        }
        if inner.list.len() >= MOST_ATTEMPTS {
            return Err(TooMany);
        }
        inner.next_number += 1;
        let number = inner.next_number;
        let (sender, outcome) = watch::channel(None);
        let work = make(number);
        let running = tokio::spawn(async move {
            let outcome = work.await;
            // Nobody may be left who wants to know.
            let _ = sender.send(Some(Ended { at: Instant::now(), outcome }));
        });
        let attempt = Attempt { number, wish, outcome, attended: Arc::new(()), task: running.abort_handle() };
        let joined = self.place(&attempt);
        inner.list.push(attempt);
        Ok(joined)
    }

    /// The attempt for this very wish, under way or with an outcome nobody has taken.
    pub(crate) fn join(self: &Arc<Self>, wish: &Wish) -> Option<Joined> {
        let mut inner = self.locked();
        inner.forget();
        inner.list.iter().find(|attempt| attempt.is_for(wish)).map(|found| self.place(found))
    }

    /// Any attempt on the profile that may serve the wish, once no open session does.
    pub(crate) fn join_similar(self: &Arc<Self>, wish: &Wish) -> Option<Joined> {
        let inner = self.locked();
        inner.list.iter().find(|attempt| attempt.may_serve(wish)).map(|found| self.place(found))
    }

    /// How many have no outcome yet.
    pub(crate) fn under_way(&self) -> usize {
        let unfinished = |attempt: &&Attempt| attempt.outcome.borrow().is_none() && !attempt.task.is_finished();
        self.locked().list.iter().filter(unfinished).count()
    }

    /// Whose attempt it is.
    pub(crate) fn owner(&self, number: u64) -> Option<Arc<str>> {
        self.locked().list.iter().find(|attempt| attempt.number == number).and_then(|it| it.wish.owner.clone())
    }

    /// Gives up all that is under way: the process ends.
    pub(crate) fn abort(&self) {
        for attempt in self.locked().list.drain(..) {
            attempt.task.abort();
        }
    }

    fn place(self: &Arc<Self>, attempt: &Attempt) -> Joined {
        Joined {
            number: attempt.number,
            attempts: self.clone(),
            outcome: attempt.outcome.clone(),
            _attends: attempt.attended.clone(),
        }
    }

    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Drops outcomes that nobody has come for, and attempts that ended without one.
    fn forget(&mut self) {
        self.list.retain(|attempt| match &*attempt.outcome.borrow() {
            Some(ended) => ended.at.elapsed() < KEPT,
            None => !attempt.task.is_finished(),
        });
    }
}

impl Attempt {
    fn is_for(&self, wish: &Wish) -> bool {
        // Who wants one more while another call waits for one more wants two.
        self.may_serve(wish) && self.wish.new == wish.new && !(wish.new && self.is_attended())
    }

    fn may_serve(&self, wish: &Wish) -> bool {
        let named = wish.name.is_none() || wish.name == self.wish.name;
        let reopened = wish.reopen.is_none() || wish.reopen == self.wish.reopen;
        let asked_for = !wish.new || self.wish.new;
        self.wish.profile == wish.profile
            && self.wish.owner == wish.owner
            && named
            && reopened
            && asked_for
            && !self.has_lapsed()
    }

    fn is_attended(&self) -> bool {
        Arc::strong_count(&self.attended) > 1
    }

    /// It opened a session that is closed by now.
    fn has_lapsed(&self) -> bool {
        let ended = self.outcome.borrow();
        matches!(&*ended, Some(Ended { outcome: Ok(opened), .. }) if opened.session.is_closed())
    }
}

impl Joined {
    /// What the attempt came to, or `None` when it was given up. Whoever hears it has taken it.
    pub(crate) async fn outcome(&mut self) -> Option<Outcome> {
        let ended = self.outcome.wait_for(Option::is_some).await.ok().and_then(|ended| ended.clone());
        self.attempts.locked().list.retain(|attempt| attempt.number != self.number);
        ended.map(|ended| ended.outcome)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    fn wish(profile: &str) -> Wish {
        Wish { profile: profile.to_owned(), name: None, reopen: None, new: false, owner: None }
    }

    fn failure(text: &str) -> Outcome {
        Err(Arc::new(std::io::Error::other(text.to_owned())))
    }

    fn told(outcome: Option<Outcome>) -> String {
        outcome.unwrap().err().unwrap().to_string()
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_again_joins_the_attempt_and_hears_its_outcome() {
        let attempts = Arc::new(Attempts::default());
        let (made, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let start = |wish| {
            let (made, go) = (made.clone(), go.clone());
            attempts.join_or_start(wish, |_| async move {
                made.fetch_add(1, Ordering::Relaxed);
                go.notified().await;
                failure("refused")
            })
        };
        let mut first = start(wish("web")).unwrap();
        let mut second = start(wish("web")).unwrap();
        assert_eq!(first.number, second.number);
        let other = start(wish("db")).unwrap();
        assert_ne!(first.number, other.number);
        tokio::task::yield_now().await;
        assert_eq!(made.load(Ordering::Relaxed), 2);
        go.notify_waiters();
        let (one, two) = tokio::join!(first.outcome(), second.outcome());
        assert_eq!((told(one), told(two)), ("refused".to_owned(), "refused".to_owned()));
        // It was taken, so the next call begins anew.
        assert!(attempts.join(&wish("web")).is_none());
        assert!(attempts.join(&wish("db")).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_outcome_waits_for_who_left_but_not_for_ever() {
        let attempts = Arc::new(Attempts::default());
        let joined = attempts.join_or_start(wish("web"), |_| async { failure("too late") }).unwrap();
        drop(joined);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(told(attempts.join(&wish("web")).unwrap().outcome().await), "too late");

        drop(attempts.join_or_start(wish("web"), |_| async { failure("too late") }).unwrap());
        tokio::time::sleep(KEPT).await;
        assert!(attempts.join(&wish("web")).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn one_more_is_one_more_unless_its_caller_comes_back() {
        let attempts = Arc::new(Attempts::default());
        let new = || Wish { new: true, ..wish("web") };
        let start = |wish| attempts.join_or_start(wish, |_| std::future::pending()).unwrap();
        let first = start(new());
        let second = start(new());
        assert_ne!(first.number, second.number);
        drop(first);
        assert_eq!(start(new()).number, 1);
        // Whoever does not mind which session it is gets this one when none is open.
        assert!(attempts.join(&wish("web")).is_none());
        assert_eq!(attempts.join_similar(&wish("web")).unwrap().number, 1);
        let named = Wish { name: Some("db".to_owned()), ..wish("web") };
        assert!(attempts.join_similar(&named).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_are_bounded_and_ended_with_the_process() {
        let attempts = Arc::new(Attempts::default());
        for number in 0..MOST_ATTEMPTS {
            drop(attempts.join_or_start(wish(&number.to_string()), |_| std::future::pending()).unwrap());
        }
        assert_eq!(attempts.join_or_start(wish("more"), |_| std::future::pending()).err(), Some(TooMany));
        let mut waiting = attempts.join(&wish("0")).unwrap();
        attempts.abort();
        assert!(waiting.outcome().await.is_none());
    }
}
