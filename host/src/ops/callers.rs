//! Whose sessions a call may see: where clients are told apart, each its own.
//!
//! Calls of nobody in particular (the one client of a process, the viewer, the command line) see all.

use std::sync::Arc;

use super::OpError;
use crate::approvals;
use crate::host::Host;
use crate::session::SessionHandle;

/// Whose call this is, where clients are told apart.
pub(super) fn principal() -> Option<Arc<str>> {
    approvals::caller().and_then(|caller| caller.principal)
}

/// Whether the call may use the session of this id.
pub(super) fn may_use(host: &Host, session_id: &str) -> bool {
    let principal = principal();
    principal.is_none() || host.sessions().owner(session_id) == principal
}

/// The sessions this call may use, oldest first, closed ones included.
pub fn visible_sessions(host: &Host) -> Vec<SessionHandle> {
    let all = host.sessions().all();
    match principal() {
        None => all,
        principal => all.into_iter().filter(|it| host.sessions().owner(it.id().as_str()) == principal).collect(),
    }
}

/// Those of them that are open.
pub(super) fn open_sessions(host: &Host) -> Vec<SessionHandle> {
    visible_sessions(host).into_iter().filter(|session| !session.is_closed()).collect()
}

/// The session of this id or name, among those this call may use.
pub(super) fn named_session(host: &Host, id: &str) -> Option<SessionHandle> {
    let visible = visible_sessions(host);
    if let Some(found) = visible.iter().find(|session| session.id().as_str() == id) {
        return Some(found.clone());
    }
    let named: Vec<&SessionHandle> = visible.iter().filter(|session| session.has_name(id)).collect();
    named.iter().find(|session| !session.is_closed()).or(named.last()).map(|found| (*found).clone())
}

/// A session that this call may know of and that is no longer kept.
pub(super) fn dropped(host: &Host, id: &str) -> Option<OpError> {
    let dropped = host.sessions().dropped(id).filter(|_| may_use(host, id))?;
    Some(OpError::DroppedSession { dropped, keep: host.sessions().keep_closed() })
}
