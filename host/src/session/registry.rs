//! The sessions of this process, open and recently closed.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{SessionHandle, SessionId};

/// Sessions that are remembered by their transcript after they were let go.
const DROPPED: usize = 1_000;

/// Map from id to handle. Its lock is short and never held over an `.await`.
#[derive(Debug)]
pub struct Sessions {
    inner: Mutex<Inner>,
    /// Closed sessions that are kept.
    keep_closed: usize,
    changes: watch::Sender<u64>,
    next_number: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    map: BTreeMap<SessionId, SessionHandle>,
    /// Names of sessions that are being opened.
    reserved: HashSet<String>,
    dropped: VecDeque<Dropped>,
    /// Whose they are, where clients are told apart; of dropped ones too.
    owners: HashMap<String, Arc<str>>,
}

/// A closed session that can no longer be read here; its record remains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    pub session_id: String,
    pub profile: String,
    /// Where its record lies, if there is one.
    pub transcript: Option<PathBuf>,
}

/// Another open session has the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameTaken;

/// Holds a name while its session is being opened.
#[derive(Debug)]
pub struct NameGuard {
    sessions: Arc<Sessions>,
    name: String,
}

impl Drop for NameGuard {
    fn drop(&mut self) {
        self.sessions.locked().reserved.remove(&self.name);
    }
}

impl Sessions {
    /// Keeps at most `keep_closed` closed sessions.
    pub fn new(keep_closed: usize) -> Self {
        Self { inner: Mutex::default(), keep_closed, changes: watch::Sender::new(0), next_number: 1.into() }
    }

    /// A name no session of this process has had.
    pub fn next_id(&self, profile: &str) -> SessionId {
        SessionId::new(profile, self.next_number.fetch_add(1, Ordering::Relaxed))
    }

    /// Sets the name aside for a session that is about to be opened.
    ///
    /// # Errors
    /// When an open session has it, or one that is being opened.
    pub fn reserve(self: &Arc<Self>, name: &str) -> Result<NameGuard, NameTaken> {
        let mut inner = self.locked();
        let taken = inner.map.values().any(|handle| !handle.is_closed() && handle.has_name(name));
        if taken || !inner.reserved.insert(name.to_owned()) {
            return Err(NameTaken);
        }
        Ok(NameGuard { sessions: self.clone(), name: name.to_owned() })
    }

    pub fn insert(&self, handle: SessionHandle) {
        self.locked().map.insert(handle.id().clone(), handle);
        self.changed();
    }

    /// Says whose session it is going to be; without it, it is everybody's.
    pub fn set_owner(&self, id: &SessionId, owner: Arc<str>) {
        self.locked().owners.insert(id.to_string(), owner);
    }

    /// Whose it is, open, closed or dropped.
    pub fn owner(&self, id: &str) -> Option<Arc<str>> {
        self.locked().owners.get(id).cloned()
    }

    pub fn get(&self, id: &str) -> Option<SessionHandle> {
        self.locked().map.values().find(|handle| handle.id().as_str() == id).cloned()
    }

    /// A session that was let go because there were too many closed ones.
    pub fn dropped(&self, id: &str) -> Option<Dropped> {
        self.locked().dropped.iter().find(|dropped| dropped.session_id == id).cloned()
    }

    /// How many closed sessions are kept.
    pub fn keep_closed(&self) -> usize {
        self.keep_closed
    }

    /// Oldest first, closed ones included.
    pub fn all(&self) -> Vec<SessionHandle> {
        let mut handles: Vec<_> = self.locked().map.values().cloned().collect();
        handles.sort_by_cached_key(|handle| (handle.summary().opened_unix_ms, handle.id().number()));
        handles
    }

    pub fn open(&self) -> Vec<SessionHandle> {
        self.all().into_iter().filter(|handle| !handle.is_closed()).collect()
    }

    /// The list or one of its members has changed.
    pub fn changed(&self) {
        self.let_go();
        self.changes.send_modify(|generation| *generation += 1);
    }

    /// Drops the oldest closed sessions beyond what is kept.
    fn let_go(&self) {
        self.keep_newest_closed(self.keep_closed);
    }

    /// Drops the oldest closed sessions until at most `most` are left.
    pub fn keep_newest_closed(&self, most: usize) {
        let closed: Vec<_> = self.all().into_iter().filter(SessionHandle::is_closed).collect();
        let surplus = closed.len().saturating_sub(most);
        let mut inner = self.locked();
        for handle in closed.into_iter().take(surplus) {
            inner.map.remove(handle.id());
            if inner.dropped.len() == DROPPED
                && let Some(forgotten) = inner.dropped.pop_front()
            {
                inner.owners.remove(&forgotten.session_id);
            }
            inner.dropped.push_back(Dropped {
                session_id: handle.id().to_string(),
                profile: handle.summary().profile,
                transcript: handle.transcript().map(Path::to_owned),
            });
        }
    }

    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
