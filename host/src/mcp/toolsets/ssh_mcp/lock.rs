//! `input_lock_status`, `acquire_input_lock`, `release_input_lock`; and the lock that everything that types takes.
//!
//! All calls are the agent's, whatever they call themselves; the other one is a person. So `actor` names nobody
//! else, and `force` takes nothing from a person.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::memory::Memory;
use super::{Context, Told, facts, result, tool};
use crate::mcp::answer::Answer;
use crate::mcp::tool::{Class, Tool};
use crate::ops::{self, LockAction, LockRequest, OpError, SessionLine};
use crate::session::Party;

/// What the predecessor calls an agent, and its searches.
const AGENTS: [&str; 2] = ["agent", "tool"];

// On whose behalf something is typed; a doc comment would become part of the schemas.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct By {
    /// Always the agent here.
    #[serde(default = "agent")]
    actor: String,
    /// Seconds the input stays the agent's.
    #[serde(default = "usual_ttl_s")]
    lock_ttl: f64,
    /// Never takes from a person.
    #[serde(default)]
    force: bool,
}

impl By {
    /// What of it has no effect.
    pub(super) fn notes(&self) -> Vec<String> {
        notes(&self.actor, self.force)
    }
}

fn notes(actor: &str, force: bool) -> Vec<String> {
    let other = Some(actor).filter(|actor| !AGENTS.contains(actor));
    let other =
        other.map(|actor| format!("actor {actor:?} has no effect: what tools type is on record as the agent's"));
    let force =
        force.then(|| "force has no effect: the input is never taken from a person, who can hand it over".to_owned());
    other.into_iter().chain(force).collect()
}

fn agent() -> String {
    AGENTS[0].to_owned()
}

fn usual_ttl_s() -> f64 {
    60.0
}

fn ttl(seconds: f64) -> Duration {
    // The operation keeps it between a second and an hour.
    Duration::from_secs_f64(seconds.clamp(0.0, 1e6))
}

/// Takes the input, or keeps it for longer; whoever types does.
pub(super) async fn take(context: &Context, session_id: &str, by: &By) -> Result<(), OpError> {
    change(context, session_id, LockAction::Take, Some(ttl(by.lock_ttl))).await
}

/// The same for ctrl-c, which where it stops something needs nobody's leave: the session says whether it may be pressed.
pub(super) async fn take_if_free(context: &Context, session_id: &str, by: &By) {
    // A refusal here is said again by the session, where it counts.
    let _ = take(context, session_id, by).await;
}

async fn change(context: &Context, id: &str, action: LockAction, ttl: Option<Duration>) -> Result<(), OpError> {
    let report = ops::lock(&context.host, LockRequest { session_id: Some(id.to_owned()), action, ttl }).await?;
    facts::input_lock(context, &report.session);
    Ok(())
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Status {
    session_id: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Acquire {
    session_id: String,
    /// Always the agent here.
    #[serde(default = "agent")]
    actor: String,
    /// Seconds, 1 to 3600.
    #[serde(default = "usual_ttl_s")]
    ttl: f64,
    /// Never takes from a person.
    #[serde(default)]
    force: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Release {
    session_id: String,
    /// Always the agent here.
    #[serde(default = "agent")]
    actor: String,
    /// Never takes from a person.
    #[serde(default)]
    force: bool,
}

pub(super) fn tools(memory: &Arc<Memory>) -> [Tool; 3] {
    let told = |name, title, description, class| Told {
        name,
        title,
        description,
        class,
        output: || json!({ "input_lock": { "type": "object" } }),
    };
    [
        tool(
            memory,
            told(
                "input_lock_status",
                "Input lock",
                "Say who has the session's input, the agent or a person, and for how long.",
                Class::ReadHere,
            ),
            status,
        ),
        tool(
            memory,
            told(
                "acquire_input_lock",
                "Take the input",
                "Keep the session's input for the agent for ttl seconds. Never takes it from a person.",
                Class::End,
            ),
            acquire,
        ),
        tool(
            memory,
            told(
                "release_input_lock",
                "Release the input",
                "Give the agent's input lock back, so that a person may type.",
                Class::End,
            ),
            release,
        ),
    ]
}

async fn status(context: Context, parameters: Status) -> Answer {
    match ops::session_line(&context.host, Some(&parameters.session_id)).await {
        Ok(line) => result::done(with_session(&context, &line, json!({})), false),
        Err(error) => result::failed(&context, Some(&parameters.session_id), error).await,
    }
}

async fn acquire(context: Context, parameters: Acquire) -> Answer {
    let Acquire { session_id, actor, ttl: seconds, force } = parameters;
    let changed = changed(&context, &session_id, LockAction::Take, Some(ttl(seconds))).await;
    answer(&context, &session_id, changed, |_, _| json!({}), notes(&actor, force)).await
}

async fn release(context: Context, parameters: Release) -> Answer {
    let Release { session_id, actor, force } = parameters;
    let changed = changed(&context, &session_id, LockAction::Release, None).await;
    let released = |before: &SessionLine, _: &SessionLine| json!({ "released": is_agents(before) });
    answer(&context, &session_id, changed, released, notes(&actor, force)).await
}

fn is_agents(line: &SessionLine) -> bool {
    line.summary.input.holder.is_some_and(|holder| holder.who == Party::Agent)
}

/// The session before and after.
async fn changed(
    context: &Context,
    id: &str,
    action: LockAction,
    ttl: Option<Duration>,
) -> Result<(SessionLine, Value, SessionLine), OpError> {
    let before = ops::session_line(&context.host, Some(id)).await?;
    let lock_before = facts::input_lock(context, &before.summary);
    if action == LockAction::Release && before.summary.input.holder.is_some() && !is_agents(&before) {
        let message = "the input is a person's; only they give it back, in the viewer".to_owned();
        return Err(OpError::BadArgument(message));
    }
    change(context, id, action, ttl).await?;
    Ok((before, lock_before, ops::session_line(&context.host, Some(id)).await?))
}

async fn answer(
    context: &Context,
    id: &str,
    changed: Result<(SessionLine, Value, SessionLine), OpError>,
    more: impl FnOnce(&SessionLine, &SessionLine) -> Value,
    notes: Vec<String>,
) -> Answer {
    let (before, lock_before, after) = match changed {
        Ok(changed) => changed,
        Err(error) => return result::failed(context, Some(id), error).await,
    };
    let mut fields = with_session(context, &after, more(&before, &after));
    fields["previous_lock"] = lock_before;
    if !notes.is_empty() {
        fields["notes"] = json!(notes);
    }
    result::done(fields, false)
}

fn with_session(context: &Context, line: &SessionLine, mut fields: Value) -> Value {
    fields["input_lock"] = facts::input_lock(context, &line.summary);
    fields["session"] = facts::session(context, line);
    fields
}
