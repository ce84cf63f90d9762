//! The sessions of this process, open and recently closed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use super::{SessionHandle, SessionId};

/// Map from id to handle. Its lock is short and never held over an `.await`.
#[derive(Debug)]
pub struct Sessions {
    map: Mutex<BTreeMap<SessionId, SessionHandle>>,
    changes: watch::Sender<u64>,
    next_number: std::sync::atomic::AtomicU64,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { map: Mutex::default(), changes: watch::Sender::new(0), next_number: 1.into() }
    }
}

impl Sessions {
    /// A name no session of this process has had.
    pub fn next_id(&self, profile: &str) -> SessionId {
        SessionId::new(profile, self.next_number.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }

    pub fn insert(&self, handle: SessionHandle) {
        self.locked().insert(handle.id().clone(), handle);
        self.changed();
    }

    pub fn get(&self, id: &str) -> Option<SessionHandle> {
        self.locked().values().find(|handle| handle.id().as_str() == id).cloned()
    }

    /// Oldest first, closed ones included.
    pub fn all(&self) -> Vec<SessionHandle> {
        let mut handles: Vec<_> = self.locked().values().cloned().collect();
        handles.sort_by_key(|handle| handle.summary().opened_unix_ms);
        handles
    }

    pub fn open(&self) -> Vec<SessionHandle> {
        self.all().into_iter().filter(|handle| !handle.is_closed()).collect()
    }

    /// The list or one of its members has changed.
    pub fn changed(&self) {
        self.changes.send_modify(|generation| *generation += 1);
    }

    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeMap<SessionId, SessionHandle>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
