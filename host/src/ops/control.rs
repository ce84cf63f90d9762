//! Who may type in a session, and what a person does to it beside typing.

use std::time::Duration;

use serde::Serialize;

use super::send::send_human_keys;
use super::{OpError, destination, find_session};
use crate::config::PolicyMode;
use crate::host::Host;
use crate::session::{AGENTS_LEASE, ControlRequest, InputMode, Party, SessionSummary};

/// A lease's length where the agent names none.
const USUAL_LEASE: Duration = Duration::from_secs(60);
const INTERRUPT: u8 = 0x03;

/// What an agent asks about the input.
#[derive(Debug, Clone)]
pub struct LockRequest {
    pub session_id: Option<String>,
    pub action: LockAction,
    pub ttl: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockAction {
    Take,
    HandOver,
    Release,
}

#[derive(Debug, Serialize)]
pub struct LockReport {
    pub session: SessionSummary,
}

/// Takes the input for the agent, hands it to a person, or gives the agent's own lease back. Never takes from a
/// person.
///
/// # Errors
/// When a person has the input.
pub async fn lock(host: &Host, request: LockRequest) -> Result<LockReport, OpError> {
    let session = find_session(host, request.session_id.as_deref())?;
    let ttl = request.ttl.unwrap_or(USUAL_LEASE).clamp(AGENTS_LEASE.0, AGENTS_LEASE.1);
    let asked = match request.action {
        LockAction::Take => ControlRequest::Take { force: false, ttl: Some(ttl) },
        LockAction::HandOver => ControlRequest::HandOver { ttl: Some(ttl) },
        LockAction::Release => ControlRequest::Release,
    };
    let changed = session.control(Party::Agent, asked).await;
    changed.map_err(|error| OpError::from(error).in_session(session.id().as_str()))?;
    Ok(LockReport { session: session.summary() })
}

/// What a person does to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonsRequest {
    /// `force` from the agent, too.
    Take {
        force: bool,
    },
    HandOver,
    Mode(InputMode),
    /// Ctrl-C.
    Interrupt,
    Close,
    /// `safe` or `full`, where the profile has one of them.
    PolicyMode(PolicyMode),
}

/// Does what a person asked for in the viewer. `by` is their name, where it is known.
///
/// # Errors
/// When the session is closed, the agent has the input and it was not to be forced, or the profile's mode is not
/// one that can be changed here.
pub async fn control(
    host: &Host,
    session_id: &str,
    request: PersonsRequest,
    by: Option<String>,
) -> Result<(), OpError> {
    let session = find_session(host, Some(session_id))?;
    let asked = match request {
        PersonsRequest::Take { force } => ControlRequest::Take { force, ttl: None },
        PersonsRequest::HandOver => ControlRequest::HandOver { ttl: None },
        PersonsRequest::Mode(mode) => ControlRequest::Mode(mode),
        PersonsRequest::Interrupt => return send_human_keys(host, session_id, vec![INTERRUPT], by).await,
        PersonsRequest::Close => {
            let who = by.map_or(String::new(), |by| format!(", {by}"));
            session.close(&format!("closed by a person{who}")).await;
            host.input().clear(session_id);
            return Ok(());
        }
        PersonsRequest::PolicyMode(mode) => {
            let was = destination(host, &session)?.policy_mode;
            changeable(was)?;
            changeable(mode)?;
            let set = session.set_policy_mode(mode, was, by).await;
            return set.map_err(|error| OpError::from(error).in_session(session_id));
        }
    };
    session.persons_control(asked, by).await.map_err(|error| OpError::from(error).in_session(session_id))
}

/// The two modes between which a person goes to and fro.
fn changeable(mode: PolicyMode) -> Result<(), OpError> {
    match mode {
        PolicyMode::Safe | PolicyMode::Full => Ok(()),
        PolicyMode::Readonly | PolicyMode::Restricted => Err(OpError::BadArgument(format!(
            "between `safe` and `full` only; `{}` is changed in the configuration",
            mode.as_str()
        ))),
    }
}

/// The policy mode that holds in the session now.
pub fn policy_mode(host: &Host, summary: &SessionSummary) -> PolicyMode {
    let profiles = || host.config().destinations.get(&summary.profile).map(|found| found.policy_mode);
    summary.policy_mode.or_else(profiles).unwrap_or_default()
}
