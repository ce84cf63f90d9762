//! Our errors in the predecessor's words: its codes, its ten categories, its tools as the next step.

use portcullis_term::NotReady;
use serde_json::{Value, json};

use super::told::Told;
use crate::ops::{AwaitingApproval, NextStep, OpError, SessionRuleError};
use crate::session::{Party, RuleRefused, SessionError};

/// What a call with a mistake in it comes to.
pub(super) const MEND: &str = "Mend the arguments and call again.";

/// Our tools as errors name them, and the predecessor's.
const NAMES: [(&str, &str); 13] = [
    ("`retry.success_pattern`", "`successPattern`"),
    ("`retry.failure_pattern`", "`failPattern`"),
    ("`retry.attempts`", "1 + `maxRetries`"),
    ("ssh_hosts", "ssh-device-list"),
    ("ssh_status", "ssh-status"),
    ("ssh_open", "ssh-session-open"),
    ("ssh_run", "ssh-run"),
    ("ssh_send", "ssh-session-send"),
    ("ssh_stop", "ssh-session-close"),
    ("ssh_read", "ssh-session-read"),
    ("ssh_lock", "the viewer"),
    ("`session_id`", "`session`"),
    ("`job_id`", "`commandId`"),
];

impl From<OpError> for Told {
    fn from(error: OpError) -> Self {
        let summary = words(&error.to_string());
        if let OpError::AwaitingApproval(approval) = &error {
            return awaiting_approval(approval, summary);
        }
        let blocked = error.is_blocked() || matches!(code(&error), Some("AGENT_BUSY" | "WRONG_TERMINAL_MODE"));
        let made = if blocked { Self::blocked } else { Self::failure };
        let told = made(category(&error), summary).with_some("error", code(&error)).next(next(&error));
        let told = match error.told() {
            OpError::Refused { refusal, .. } => {
                let ruling = refusal.strictest();
                told.with("category", ruling.category.as_str())
                    .with("message", words(&ruling.reason))
                    .with("action", "error")
                    .with_some("suggestion", ruling.suggestion.clone())
                    .evidence([format!("ruleId={}", ruling.rule_id), format!("policy={}", ruling.policy)])
            }
            OpError::Session { source: source @ SessionError::Held { holder, .. }, .. } => {
                told.with("lock", lock(*holder)).with("message", source.to_string())
            }
            OpError::SecretAsked { prompt, kind, .. } => {
                told.with("terminalMode", "password_prompt").with("prompt", prompt.as_str()).with("kind", json!(kind))
            }
            OpError::SessionRule(error) => told.with_some("reason", rule_kept(error)),
            OpError::Connect { diagnosis, .. } => told.with("diagnosis", json!(diagnosis)),
            _ => told,
        };
        told.evidence(causes(&error))
    }
}

/// Who has the input, in its words.
pub(super) fn lock(holder: Party) -> &'static str {
    match holder {
        Party::Human => "user",
        Party::Agent => "agent",
    }
}

fn awaiting_approval(approval: &AwaitingApproval, summary: String) -> Told {
    let told = Told::blocked("policy-blocked", summary).with("error", "COMMAND_BLOCKED");
    told.with("approvalId", approval.approval_id.as_str())
        .with("message", approval.reason.as_str())
        .with("approval", json!(approval))
        .evidence([format!("ruleId={}", approval.rule_id), format!("sessionId={}", approval.session_id)])
        .next("A person allows or denies it in the viewer; then make the same call again: it runs once when allowed.")
}

/// Names of tools and parameters as this set has them.
pub(super) fn words(text: &str) -> String {
    NAMES.iter().fold(text.to_owned(), |text, (ours, theirs)| text.replace(ours, theirs))
}

/// One of its ten. What it has no word for stands under the nearest; the evidence says more.
fn category(error: &OpError) -> &'static str {
    match error.category() {
        "host-key" => "connection-failure",
        "policy-ask-denied" => "policy-blocked",
        "plugin-failure" => "runtime-state-abnormal",
        _ if code(error) == Some("AGENT_BUSY") => "runtime-state-abnormal",
        other => other,
    }
}

/// Why a rule stays.
fn rule_kept(error: &SessionRuleError) -> Option<&'static str> {
    match error {
        SessionRuleError::Inherited(_) => Some("default_rule_protected"),
        SessionRuleError::Refused(RuleRefused::Unknown { .. }) => Some("not_found"),
        SessionRuleError::Refused(RuleRefused::Persons(_)) => Some("set_by_a_person"),
        _ => None,
    }
}

/// The code in the field `error`, where it has one.
fn code(error: &OpError) -> Option<&'static str> {
    match error.told() {
        OpError::Refused { .. } | OpError::AwaitingApproval(_) | OpError::ApprovalMoved { .. } => {
            Some("COMMAND_BLOCKED")
        }
        OpError::SecretAsked { .. } => Some("PASSWORD_REQUIRED"),
        OpError::BadPattern { .. } => Some("INVALID_PATTERN"),
        OpError::BeingStopped { .. } => Some("AGENT_BUSY"),
        OpError::SessionRule(SessionRuleError::Mistake(mistake)) if mistake.key == "pattern" => Some("INVALID_PATTERN"),
        OpError::SessionRule(error) if rule_kept(error).is_some() => Some("POLICY_RULE_REMOVE_REJECTED"),
        OpError::Session { source, .. } => match source {
            SessionError::Held { .. } | SessionError::NotReady(NotReady::DirtyLine) => Some("INPUT_LOCKED"),
            SessionError::SecretAsked => Some("PASSWORD_REQUIRED"),
            SessionError::NotReady(NotReady::Running(_)) => Some("AGENT_BUSY"),
            SessionError::NotReady(NotReady::NoPrompt(_)) => Some("WRONG_TERMINAL_MODE"),
            SessionError::UnknownCommand(_) => Some("UNKNOWN_COMMAND"),
            _ => None,
        },
        _ => None,
    }
}

fn next(error: &OpError) -> String {
    match error.told() {
        OpError::Refused { refusal, .. } if refusal.strictest().suggestion.is_some() => {
            "Nothing was sent: go by `suggestion`, or ask the person to do it in the viewer.".to_owned()
        }
        OpError::Refused { .. } => "Nothing was sent: ask the person to do it in the viewer.".to_owned(),
        OpError::BadArgument(_) | OpError::BadPattern { .. } | OpError::SessionRule(_) => MEND.to_owned(),
        _ => next_call(&error.next()),
    }
}

fn next_call(step: &NextStep) -> String {
    let given = |name: &str| step.arguments.get(name).and_then(Value::as_str);
    match (step.tool.as_str(), given("session_id"), given("job_id")) {
        ("ssh_read", Some(session), Some(job)) => {
            format!("Call ssh-command-status with commandId \"{}\".", super::command_id(session, job))
        }
        ("ssh_read", Some(session), None) => {
            format!("Look with ssh-session-read, session \"{session}\", and go by what stands there.")
        }
        ("ssh_open", ..) => match given("reopen").or(given("profile")) {
            Some(what) => format!("Open a session again with ssh-session-open ({what} is closed)."),
            None => "Open a session with ssh-session-open.".to_owned(),
        },
        ("ssh_hosts", ..) => "See the devices with ssh-device-list.".to_owned(),
        _ => "See the sessions with ssh-status.".to_owned(),
    }
}

fn causes(error: &OpError) -> Vec<String> {
    let mut causes = Vec::new();
    let ours = error.category();
    if ours != category(error) {
        causes.push(format!("class={ours}"));
    }
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_words = words(&cause.to_string());
        if !error.to_string().contains(&cause_words) {
            causes.push(cause_words);
        }
        source = cause.source();
    }
    causes
}
