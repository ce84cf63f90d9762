//! The operations: each is one function that tells its whole story from top to bottom.
//!
//! `Intent → gate → Cleared → session → Completion → text → parser → report`. The adapters (MCP,
//! web, command line) call these and translate; they decide nothing. Every refusal is on record
//! before the caller hears of it.

mod about;
mod answer;
mod approvals;
mod approving;
mod awaiting;
mod callers;
mod control;
mod devices;
mod dry_run;
mod echo;
mod error;
mod files;
#[cfg(test)]
mod gate_model;
mod lines;
pub(crate) mod navigate;
mod open;
mod opening;
mod page;
mod past;
mod read;
mod retry;
mod room;
mod run;
pub(crate) mod search_logs;
mod send;
mod session_rules;
mod status;
mod stop;
mod text;
mod transcript;
mod turn;
mod view;

use std::sync::Arc;
use std::time::Instant;

use portcullis_sandbox::policy::TerminalState;
use portcullis_term::Typist;

use self::approving::{clear as clear_until, clear_in_time};
use crate::config::Destination;
use crate::gate::{Action, Cleared, Intent, Place};
use crate::host::Host;
use crate::session::{PluginFailure, Position, SessionHandle};

pub use crate::audit::{Event as RecordedEvent, Hit as RecordHit, Query as RecordQuery, told as told_event};
pub use crate::config::{EnterKey, PolicyMode, Rule, RuleAction};
pub use crate::plugins::{Listed as ListedPlugin, Parsed};
pub use about::{InstanceReport, KeyFacts, PolicyFacts, ProfileReport, instance, policy_facts, profile};
pub use answer::Standing;
pub use approvals::{ApprovalError, Dismissal, answer_approval, approvals, dismiss_approval, is_unseen};
pub use approving::AwaitingApproval;
pub use awaiting::AwaitingPerson;
pub use callers::visible_sessions;
pub use control::{LockAction, LockReport, LockRequest, PersonsRequest, control, lock, policy_mode};
pub use devices::{Device, DeviceAuth, default_device, device_at, devices};
pub use dry_run::{DryRunReport, DryRunRequest, dry_run};
pub use error::{NextStep, OpError, Stopped};
pub use files::{
    Content, Entry, FileError, Listing, ReadFileReport, ReadFileRequest, Wish, WriteFileReport, WriteFileRequest,
    read_file, write_file,
};
pub use lines::{Choice, Filter};
pub use navigate::{
    LevelLine, NavigateReport, NavigateRequest, PlaceConfidence, PlaceReport, Progress, go_to_place, navigate,
    save_place, where_am_i,
};
pub use open::{OpenOutcome, OpenReport, OpenRequest, Previous, open};
pub use past::{PastQuery, PastSession, RecordFound, Whose, is_here, past_sessions, past_transcript, search_past};
pub use read::{ReadReport, ReadRequest, What, read};
pub use retry::{Attempt, Backoff, RetryEnd, RetryReport, RetryRequest};
pub use run::{Begun, RunReport, RunRequest, exit_code, run, run_told};
pub use search_logs::{FoundAt, FoundKind, FoundLine, SearchMode, SearchReport, SearchRequest, Summary, search_logs};
pub use send::{SendReport, SendRequest, send, send_human_keys, send_human_secret};
pub use session_rules::{SessionRuleError, SessionRulesReport, change_session_rules, read_rule, session_rules};
pub use status::{HostsReport, SessionLine, StatusReport, UnusableLine, hosts, session_line, status};
pub use stop::{StopReport, StopRequest, stop};
pub use text::{Excerpt, excerpt};
pub use transcript::{TranscriptReport, TranscriptRequest, transcript};
pub use view::{
    News, NewsRequest, SessionView, TerminalUse, idle_expires_unix_ms, latest_lines, news, resize, standing_of, view,
};

/// The session meant: by its id or its name, or the only one that is open.
fn find_session(host: &Host, session_id: Option<&str>) -> Result<SessionHandle, OpError> {
    if let Some(id) = session_id {
        return callers::named_session(host, id).ok_or_else(|| {
            let known = || described(&callers::visible_sessions(host));
            callers::dropped(host, id)
                .unwrap_or_else(|| OpError::UnknownSession { session_id: id.to_owned(), known: known() })
        });
    }
    let mut open = callers::open_sessions(host);
    match (open.pop(), open.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(OpError::NoSession { profiles: host.config().destinations.keys().cloned().collect() }),
        (Some(last), false) => {
            open.push(last);
            Err(OpError::AmbiguousSession { open: described(&open) })
        }
    }
}

/// The session of that id or name.
///
/// # Errors
/// When there is none, or it is no longer kept.
pub fn session(host: &Host, id_or_name: &str) -> Result<SessionHandle, OpError> {
    find_session(host, Some(id_or_name))
}

/// Sessions as an error lists them: id, name, place and state of each.
fn described(sessions: &[SessionHandle]) -> Vec<String> {
    let describe = |session: &SessionHandle| {
        let summary = session.summary();
        let name = summary.name.map_or(String::new(), |name| format!(" \"{name}\""));
        let place = if summary.breadcrumb.is_empty() { summary.host } else { summary.breadcrumb.join(" › ") };
        format!("{}{name} at {place}, {}", summary.session_id, summary.state)
    };
    sessions.iter().map(describe).collect()
}

/// The session's profile, in the mode a person has set; it was there when the session was opened and the configuration does not
/// change while the program runs.
fn destination(host: &Host, session: &SessionHandle) -> Result<Arc<Destination>, OpError> {
    let summary = session.summary();
    let found = host.config().destinations.get(&summary.profile).cloned();
    let found = found.ok_or(OpError::UnknownProfile { profile: summary.profile, known: Vec::new() })?;
    Ok(match summary.policy_mode {
        Some(mode) if mode != found.policy_mode => {
            Arc::new(Destination { policy_mode: mode, ..Destination::clone(&found) })
        }
        _ => found,
    })
}

/// Puts the failure of a plugin on the session's record. What came of it goes to the caller in any case.
async fn on_record(session: &SessionHandle, about: &'static str, plugin: Option<String>, message: &str) {
    let failure = PluginFailure { about, plugin, message: message.to_owned() };
    if let Err(error) = session.record_failure(failure).await {
        tracing::warn!(session = %session.id(), about, %error, "a plugin's failure is not on record");
    }
}

/// What the gate has to know of the moment.
fn place(session: &SessionHandle, destination: &Arc<Destination>, position: &Position) -> Place {
    let summary = session.summary();
    let terminal = match summary.state.as_str() {
        "at_prompt" => TerminalState::AtPrompt,
        "running" => TerminalState::Running,
        "awaiting_input" => TerminalState::AwaitingInput,
        "fullscreen" => TerminalState::Fullscreen,
        "menu" => TerminalState::Menu,
        _ => TerminalState::Unknown,
    };
    let (levels, at_repl) = (position.levels.clone(), position.at_repl);
    // What an agent has typed meanwhile may have changed the folder, or what a program does with the text.
    let after = position.typed_for_agents;
    let reader = match (terminal, position.running) {
        (TerminalState::AtPrompt, _) => format!("prompt after {after}"),
        (_, Some(running)) => format!("{} {running} after {after}: {}", summary.state, position.line),
        (_, None) => format!("{} after {after}: {}", summary.state, position.line),
    };
    Place {
        session_id: summary.session_id,
        destination: destination.clone(),
        session_rules: summary.rules.settings(),
        levels,
        terminal,
        at_repl,
        reader,
    }
}

/// Asks the gate, for what no policy asks a person about. A refusal is on record before anyone hears of it.
async fn clear(host: &Host, session: &SessionHandle, place: &Place, intent: Intent) -> Result<Cleared, OpError> {
    clear_until(host, session, place, intent, Instant::now()).await
}

/// An intent of the agent.
fn by_agent(action: Action, purpose: Option<String>) -> Intent {
    Intent { actor: Typist::Agent, action, purpose }
}
