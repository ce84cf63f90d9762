//! Lines that are on the disk: several are synchronised together, beside the session.
//!
//! The session's task writes and goes on. Whoever answers waits with [`Durable::reached`]; one synchronisation
//! serves everything that was written before it began. [`Durable::keep`] is the task, one per transcript.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cap_std::fs::File;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// How far one transcript is on the disk.
#[derive(Debug)]
pub struct Durable {
    file: Arc<File>,
    written: AtomicU64,
    synced: watch::Sender<u64>,
    wake: Notify,
    problem: Mutex<Option<std::io::Error>>,
}

impl Durable {
    pub(super) fn new(file: File) -> Arc<Self> {
        Arc::new(Self {
            file: Arc::new(file),
            written: AtomicU64::new(0),
            synced: watch::Sender::new(0),
            wake: Notify::new(),
            problem: Mutex::new(None),
        })
    }

    /// A line was written.
    pub(super) fn wrote(&self) {
        self.written.fetch_add(1, Ordering::Release);
        self.wake.notify_one();
    }

    /// What went wrong since it was last asked.
    pub(super) fn take_problem(&self) -> Option<std::io::Error> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until everything written so far is on the disk, or is known not to get there: what follows from
    /// that is the next line's affair.
    pub async fn reached(&self) {
        let until = self.written.load(Ordering::Acquire);
        let mut synced = self.synced.subscribe();
        // The sender is `self`.
        let _ = synced.wait_for(|synced| *synced >= until).await;
    }

    /// Synchronises as long as the session writes; what came last is synchronised too.
    pub async fn keep(self: Arc<Self>, done: CancellationToken) {
        loop {
            let ended = tokio::select! {
                () = self.wake.notified() => false,
                () = done.cancelled() => true,
            };
            let until = self.written.load(Ordering::Acquire);
            if until > *self.synced.borrow() {
                let file = Arc::clone(&self.file);
                let synced = tokio::task::spawn_blocking(move || file.sync_data()).await;
                if let Ok(Err(error)) = synced {
                    *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
                self.synced.send_replace(until);
            }
            if ended && until == self.written.load(Ordering::Acquire) {
                return;
            }
        }
    }
}
