//! Whether the server is still there.
//!
//! Every byte that arrives is a sign of life. After an interval of silence the server is asked for one
//! with `keepalive@openssh.com`; "no such request" is as good an answer as any. An interval without one
//! is told as [`ShellEvent::Silent`], and after as many as the profile allows the connection counts as
//! dead: TCP alone would wait for a quarter of an hour and more.
//!
//! [`watch`] is one of the pump's parts (`shell`) and so runs only after authentication; [`LastHeard`]
//! is kept by the socket.

use std::time::Duration;

use russh::client::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, sleep_until};

use super::ShellEvent;
use super::handler::ClientHandler;

/// How long to wait, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keepalive {
    /// Silence after which a sign of life is asked for, and time it then may take. Not zero.
    pub(super) interval: Duration,
    /// Requests that may stay without an answer, at least 1.
    pub(super) max: u32,
}

/// When the peer last sent anything.
#[derive(Debug)]
pub(super) struct LastHeard {
    at: std::sync::Mutex<Instant>,
    news: Notify,
}

impl LastHeard {
    pub(super) fn new() -> Self {
        Self { at: std::sync::Mutex::new(Instant::now()), news: Notify::new() }
    }

    pub(super) fn now(&self) {
        *self.at.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Instant::now();
        self.news.notify_waiters();
    }

    fn at(&self) -> Instant {
        *self.at.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Waits until something has come at or after `asked`.
    async fn since(&self, asked: Instant) {
        loop {
            let news = self.news.notified();
            if self.at() >= asked {
                return;
            }
            news.await;
        }
    }
}

/// How one request for a sign of life went.
enum Answer {
    Came {
        round_trip: Option<Duration>,
    },
    Missing,
    /// russh's task is gone; whoever reads the channel says why.
    Gone,
}

/// Tells how the server is doing, if anybody wants to know; returns how long it had been silent when it is given up.
pub(super) async fn watch(
    handle: &Handle<ClientHandler>,
    heard: &LastHeard,
    keepalive: Keepalive,
    events: Option<&mpsc::Sender<ShellEvent>>,
) -> Duration {
    let mut unanswered = 0;
    loop {
        let event = match ask(handle, heard, keepalive.interval, unanswered > 0).await {
            Answer::Came { round_trip } => {
                unanswered = 0;
                ShellEvent::Alive { round_trip }
            }
            Answer::Missing => {
                unanswered += 1;
                ShellEvent::Silent { unanswered, limit: keepalive.max, silence: heard.at().elapsed() }
            }
            Answer::Gone => return std::future::pending().await,
        };
        if let Some(events) = events {
            // A session that is gone ends the pump; it needs no news.
            let _ = events.send(event).await;
        }
        if unanswered >= keepalive.max {
            return heard.at().elapsed();
        }
        if unanswered == 0 {
            quiet_for(heard, keepalive.interval).await;
        }
    }
}

/// Waits until nothing has come for `interval`.
async fn quiet_for(heard: &LastHeard, interval: Duration) {
    loop {
        let due = heard.at() + interval;
        if Instant::now() >= due {
            return;
        }
        sleep_until(due).await;
    }
}

/// Asks once. Behind a full window russh keeps the request back; any byte that arrives counts too. While
/// the server is `doubted` the first byte is told at once, otherwise the round trip is measured.
async fn ask(handle: &Handle<ClientHandler>, heard: &LastHeard, limit: Duration, doubted: bool) -> Answer {
    let asked = Instant::now();
    tokio::select! {
        biased;
        // russh lets go of the request also when its connection ends; then nothing has come.
        outcome = handle.send_ping() => match outcome {
            Ok(()) if heard.at() >= asked => Answer::Came { round_trip: Some(asked.elapsed()) },
            _ => Answer::Gone,
        },
        () = heard.since(asked), if doubted => Answer::Came { round_trip: None },
        () = sleep(limit) => {
            if heard.at() >= asked { Answer::Came { round_trip: None } } else { Answer::Missing }
        }
    }
}
