//! An agent's call that is held back: it waits until the person who types or holds the input has done.
//!
//! Nothing is judged here and nothing typed. Who calls it judges afterwards, on the line as it is by then, and its
//! session's task asks once more when the line is typed. It waits inside its caller's call, so a call that has
//! ended types nothing.

use std::time::Instant;

use super::OpError;
use crate::session::{AgentsTurn, SessionError, SessionHandle};

/// What a call that was held back tells of it; `None` where it was not.
pub(super) type HeldBack = Option<String>;

/// Until when a call lets itself be held back that has to be answered by `until`: not at all where it does not wait.
pub(super) fn patience(waits_its_turn: bool, until: Instant) -> Instant {
    if waits_its_turn { until } else { Instant::now() }
}

/// Waits until the agent may type, for as long as the call has time. `has_line` is for what needs a clean line where
/// the terminal is at a prompt.
///
/// # Errors
/// When the time is over: why, what the person did, and for how long it was waited. When the session is closed.
pub(super) async fn wait(session: &SessionHandle, until: Instant, has_line: bool) -> Result<HeldBack, OpError> {
    let began = Instant::now();
    let mut waited = false;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match session.agents_turn(has_line).await? {
            AgentsTurn::Now { .. } if !waited => return Ok(None),
            AgentsTurn::Now { ran } => return Ok(Some(note(began, &ran))),
            AgentsTurn::Later { held, .. } if left.is_zero() => {
                return Err(if waited { told(held, began) } else { held }.into());
            }
            AgentsTurn::Later { comes, .. } => {
                waited = true;
                // Either way the session is asked again: the words of its last answer are the newest.
                drop(tokio::time::timeout(left, comes).await);
            }
        }
    }
}

fn note(began: Instant, ran: &[String]) -> String {
    let ran = if ran.is_empty() { "no command".to_owned() } else { ran.join(", ") };
    format!("held back for {} s while a person had the input; since your last command they ran {ran}", seconds(began))
}

fn told(held: SessionError, began: Instant) -> SessionError {
    match held {
        SessionError::Held { holder, words } => {
            SessionError::Held { holder, words: format!("{words}; waited {} s for them to finish", seconds(began)) }
        }
        other => other,
    }
}

fn seconds(began: Instant) -> String {
    format!("{:.1}", began.elapsed().as_secs_f64())
}
