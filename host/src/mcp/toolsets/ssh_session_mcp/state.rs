//! What the predecessor's contract remembers between calls: the active session, and what connections are called.
//!
//! All of it is a convenience of naming. Which sessions there are and whose they are is the host's; a client
//! finds here nothing but its own, because only sessions that `ops` shows it are looked at.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::failure::MEND;
use super::settings::SshSessionMcpSettings;
use super::told::Told;
use crate::approvals;
use crate::host::Host;
use crate::ops;
use crate::session::{SessionHandle, SessionSummary};

/// The first connection of a device.
const MAIN: &str = "main";

/// Longest name of a connection, in characters.
const MAX_NAME_CHARS: usize = 40;

/// The client that an active session is of; none where clients are not told apart.
type Client = Option<Arc<str>>;

/// The set's own state.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) settings: SshSessionMcpSettings,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    active: HashMap<Client, String>,
    /// Names of connections by session; the device is the session's profile.
    connections: HashMap<String, String>,
    /// Closed on request: no longer shown, whatever the host keeps of them.
    removed: HashSet<String>,
}

/// A session and its place among the devices.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) session: SessionHandle,
    pub(super) connection: String,
}

impl Known {
    pub(super) fn summary(&self) -> SessionSummary {
        self.session.summary()
    }

    pub(super) fn id(&self) -> String {
        self.session.id().to_string()
    }

    pub(super) fn reference(&self) -> String {
        format!("{}/{}", self.summary().profile, self.connection)
    }

    fn answers_to(&self, name: &str) -> bool {
        self.session.has_name(name) || self.reference() == name
    }
}

impl State {
    pub(super) fn new(settings: SshSessionMcpSettings) -> Self {
        Self { settings, inner: Mutex::default() }
    }

    /// The sessions this call may use, oldest first, each with a name for its connection.
    pub(super) fn known(&self, host: &Host) -> Vec<Known> {
        let visible = ops::visible_sessions(host);
        let mut inner = self.locked();
        inner.forget(|id| host.sessions().get(id).is_some());
        let mut known: Vec<Known> = Vec::new();
        for session in visible {
            let id = session.id().as_str();
            if inner.removed.contains(id) {
                continue;
            }
            let connection = match inner.connections.get(id) {
                Some(connection) => connection.clone(),
                None => {
                    let profile = session.summary().profile;
                    let free = free_name(|name| is_taken(&known, &profile, name));
                    inner.connections.insert(id.to_owned(), free.clone());
                    free
                }
            };
            known.push(Known { session, connection });
        }
        known
    }

    /// Calls a new session's connection that.
    pub(super) fn name_connection(&self, session_id: &str, connection: String) {
        self.locked().connections.insert(session_id.to_owned(), connection);
    }

    /// A name for one more connection of the device: the one that is wanted, or the next free one.
    ///
    /// # Errors
    /// When an open session of the device has the name, or it is none.
    pub(super) fn connection_for(&self, host: &Host, device: &str, wanted: Option<&str>) -> Result<String, Told> {
        let known = self.known(host);
        match wanted {
            Some(name) if !is_name(name) => {
                let summary = format!("`connectionName` is 1 to {MAX_NAME_CHARS} letters, digits, `-`, `_` or `.`");
                Err(Told::failure("config-error", summary).next(MEND))
            }
            Some(name) if is_taken(&known, device, name) => {
                let summary = format!("the device {device} has an open connection called {name} already");
                Err(Told::failure("config-error", summary)
                    .next(format!("Use it as session \"{device}/{name}\", or leave connectionName out.")))
            }
            Some(name) => Ok(name.to_owned()),
            None => Ok(free_name(|name| is_taken(&known, device, name))),
        }
    }

    /// The session meant: by id, reference or name, or the active one, or the only one.
    ///
    /// Where several are open and none is active nothing is guessed.
    ///
    /// # Errors
    /// When no session fits, or several do.
    pub(super) fn resolve(&self, host: &Host, reference: Option<&str>) -> Result<Known, Told> {
        let known = self.known(host);
        match reference {
            Some(reference) => by_reference(&known, reference),
            None => self.usual(&known),
        }
    }

    fn usual(&self, known: &[Known]) -> Result<Known, Told> {
        if let Some(active) = self.active(known) {
            if let Some(reason) = active.summary().closed_reason {
                let summary = format!("the active session {} is closed ({reason})", active.reference());
                return Err(Told::failure("ambiguous-session", summary)
                    .with("openSessions", open_references(known))
                    .next("Choose another with ssh-session-set-active, or open one with ssh-quick-connect."));
            }
            return Ok(active);
        }
        let open: Vec<&Known> = known.iter().filter(|it| !it.session.is_closed()).collect();
        match open.as_slice() {
            [only] => {
                self.set_active(Some(only.id()));
                Ok((*only).clone())
            }
            [] => Err(Told::failure("ambiguous-session", "no session is open")
                .next("Open one with ssh-quick-connect; ssh-device-list names the devices.")),
            several => {
                let summary = format!("{} sessions are open and none is active, so `session` is needed", several.len());
                Err(Told::failure("ambiguous-session", summary)
                    .with("openSessions", open_references(known))
                    .next("Give `session`, or choose one with ssh-session-set-active."))
            }
        }
    }

    /// The active session, open or closed.
    pub(super) fn active(&self, known: &[Known]) -> Option<Known> {
        let id = self.locked().active.get(&client()).cloned()?;
        known.iter().find(|it| it.session.id().as_str() == id).cloned()
    }

    pub(super) fn set_active(&self, session_id: Option<String>) {
        let mut inner = self.locked();
        match session_id {
            Some(id) => drop(inner.active.insert(client(), id)),
            None => drop(inner.active.remove(&client())),
        }
    }

    /// Shows it no longer, and nobody's default is it.
    pub(super) fn remove(&self, session_id: &str) {
        let mut inner = self.locked();
        inner.active.retain(|_, active| active != session_id);
        inner.removed.insert(session_id.to_owned());
    }

    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.active.retain(|_, id| is_kept(id));
        self.connections.retain(|id, _| is_kept(id));
        self.removed.retain(|id| is_kept(id));
    }
}

fn client() -> Client {
    approvals::caller().and_then(|caller| caller.principal)
}

fn is_taken(known: &[Known], device: &str, name: &str) -> bool {
    let open = known.iter().filter(|it| !it.session.is_closed());
    open.into_iter().any(|it| it.connection == name && it.summary().profile == device)
}

/// A reference with it is one word.
fn is_name(name: &str) -> bool {
    let length = name.chars().count();
    (1..=MAX_NAME_CHARS).contains(&length) && name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c))
}

/// `main`, then `main-2` and so on.
fn free_name(is_taken: impl Fn(&str) -> bool) -> String {
    let further = (2u32..).map(|number| format!("{MAIN}-{number}"));
    std::iter::once(MAIN.to_owned()).chain(further).find(|name| !is_taken(name)).unwrap_or_default()
}

fn by_reference(known: &[Known], reference: &str) -> Result<Known, Told> {
    if let Some(found) = known.iter().find(|it| it.session.id().as_str() == reference) {
        return Ok(found.clone());
    }
    let (open, closed): (Vec<&Known>, Vec<&Known>) =
        known.iter().filter(|it| it.answers_to(reference)).partition(|it| !it.session.is_closed());
    let fitting = if open.is_empty() { closed } else { open };
    match fitting.as_slice() {
        [only] => Ok((*only).clone()),
        [] => {
            let summary = format!("there is no session {reference}");
            Err(Told::failure("ambiguous-session", summary)
                .with("openSessions", open_references(known))
                .next("ssh-session-list shows the sessions; ssh-quick-connect opens one."))
        }
        several => {
            let ids: Vec<String> = several.iter().map(|it| it.id()).collect();
            let summary = format!("{} sessions are called {reference}: {}", several.len(), ids.join(", "));
            Err(Told::failure("ambiguous-session", summary).with("sessionIds", ids).next("Give `session` by its id."))
        }
    }
}

fn open_references(known: &[Known]) -> Vec<String> {
    known.iter().filter(|it| !it.session.is_closed()).map(Known::reference).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_called_main_and_then_counted() {
        assert_eq!(free_name(|_| false), "main");
        assert_eq!(free_name(|name| name == "main"), "main-2");
        assert_eq!(free_name(|name| ["main", "main-2", "main-3"].contains(&name)), "main-4");
    }
}
