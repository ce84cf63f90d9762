//! `ssh-session-policy-list`, `-upsert`, `-remove` and `-reset`: rules of one session.
//!
//! They are asked after everything else and can only tighten: a rule that warns does not lift what another one
//! forbids. What a person has set, and what the configuration says, stays.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::state::State;
use super::told::{Outcome, Told};
use super::{About, Call, SessionParameter, tool};
use crate::mcp::tool::{Class, Tool};
use crate::ops::{self, Rule, RuleAction, SessionRulesReport};
use crate::session::{Party, RuleChange};

const DEFAULT_PRIORITY: i32 = 1_000;
/// Modes that are no looser than `safe`: a rule for it holds there too.
const SAFE_MODES: [&str; 3] = ["safe", "readonly", "restricted"];
/// Letters that a regular expression takes in front.
const PATTERN_FLAGS: &str = "imsu";
/// Letters that say how often or where to look, which does not matter here.
const IDLE_FLAGS: &str = "gyd";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RemoveParameters {
    /// Id, device/connection or name; the active session when left out.
    #[serde(default)]
    session: Option<String>,
    id: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct UpsertParameters {
    /// Id, device/connection or name; the active session when left out.
    #[serde(default)]
    session: Option<String>,
    id: String,
    /// Regular expression, looked for in the line.
    pattern: String,
    /// Of the pattern: i, m, s, u.
    #[serde(default)]
    flags: Option<String>,
    /// Default safe.
    #[serde(default)]
    mode: RuleMode,
    #[serde(default)]
    category: Option<Category>,
    action: Action,
    /// Why, told with a refusal.
    #[serde(default)]
    message: Option<String>,
    /// The smaller one speaks first, default 1000.
    #[serde(default)]
    priority: Option<i32>,
    /// What to do instead.
    #[serde(default)]
    suggestion: Option<String>,
    /// Default true.
    #[serde(default)]
    enabled: Option<bool>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RuleMode {
    #[default]
    Safe,
    Full,
    Both,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Category {
    Dangerous,
    Blocked,
    Interactive,
    Streaming,
    LongRunning,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Action {
    #[serde(alias = "block")]
    Error,
    #[serde(alias = "warn")]
    Warning,
    Log,
}

pub(super) fn list(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-session-policy-list",
        title: "List rules",
        description: "The custom rules that hold in a session: those of the configuration and the session's own.",
        class: Class::ReadHere,
    };
    tool(state, about, list_rules)
}

async fn list_rules(call: Call, parameters: SessionParameter) -> Outcome {
    let known = call.state.resolve(&call.host, parameters.session.as_deref())?;
    let report = ops::session_rules(&call.host, Some(&known.id()))?;
    let count = report.inherited.len() + report.rules.len();
    let told = Told::success(format!("{count} custom rules in {}", known.reference()));
    Ok(rules(told, &known.reference(), &report))
}

pub(super) fn upsert(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-session-policy-upsert",
        title: "Set rule",
        description: "Set a rule of a session's own, which can only tighten: it never lifts what another rule forbids.",
        class: Class::End,
    };
    tool(state, about, set)
}

async fn set(call: Call, parameters: UpsertParameters) -> Outcome {
    let known = call.state.resolve(&call.host, parameters.session.as_deref())?;
    let rule = ops::read_rule(written(&parameters)?)?;
    let change = RuleChange::Set(Box::new(rule.clone()));
    let report = ops::change_session_rules(&call.host, Some(&known.id()), Party::Agent, change).await?;
    let mut notes = Vec::new();
    if parameters.action != Action::Error {
        notes.push("it warns; what another rule forbids stays forbidden".to_owned());
    }
    if parameters.action == Action::Log {
        notes.push("`log` is told as a warning; everything is on record anyway".to_owned());
    }
    if parameters.category.is_some() {
        notes.push("`category` is not kept: rules of a session are told as custom ones".to_owned());
    }
    let told = Told::success(format!("the rule {} holds in {}", rule.id, known.reference()));
    Ok(rules(told, &known.reference(), &report).with("rule", told_rule(&rule, "session")).notes(notes))
}

/// The rule as the configuration would have it.
fn written(parameters: &UpsertParameters) -> Result<Value, Told> {
    let modes = match parameters.mode {
        RuleMode::Safe => Some(json!(SAFE_MODES)),
        RuleMode::Full => Some(json!(["full"])),
        RuleMode::Both => None,
    };
    let action = match parameters.action {
        Action::Error => "deny",
        Action::Warning | Action::Log => "warn",
    };
    let given = [
        ("id", Some(json!(parameters.id))),
        ("pattern", Some(json!(pattern(&parameters.pattern, parameters.flags.as_deref())?))),
        ("modes", modes),
        ("action", Some(json!(action))),
        ("message", parameters.message.as_ref().map(|it| json!(it))),
        ("suggestion", parameters.suggestion.as_ref().map(|it| json!(it))),
        ("priority", parameters.priority.map(|it| json!(it))),
        ("enabled", parameters.enabled.map(|it| json!(it))),
    ];
    let given = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Ok(Value::Object(Map::from_iter(given)))
}

/// The pattern with its flags in front.
fn pattern(pattern: &str, flags: Option<&str>) -> Result<String, Told> {
    let flags = flags.unwrap_or_default();
    if let Some(unknown) = flags.chars().find(|flag| !PATTERN_FLAGS.contains(*flag) && !IDLE_FLAGS.contains(*flag)) {
        return Err(Told::failure(
            "config-error",
            format!("`flags` has {unknown}, which is none; there are i, m, s, u"),
        )
        .with("error", "INVALID_PATTERN")
        .next("Mend `flags` and call again."));
    }
    // Everything is Unicode already.
    let kept: String = flags.chars().filter(|flag| PATTERN_FLAGS.contains(*flag) && *flag != 'u').collect();
    Ok(if kept.is_empty() { pattern.to_owned() } else { format!("(?{kept}){pattern}") })
}

pub(super) fn remove(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-session-policy-remove",
        title: "Remove rule",
        description: "Remove a rule that an agent has set in a session. Those of the configuration and of a person stay.",
        class: Class::End,
    };
    tool(state, about, take_away)
}

async fn take_away(call: Call, parameters: RemoveParameters) -> Outcome {
    let known = call.state.resolve(&call.host, parameters.session.as_deref())?;
    let change = RuleChange::Remove(parameters.id.clone());
    let report = ops::change_session_rules(&call.host, Some(&known.id()), Party::Agent, change).await?;
    let inherited = report.inherited.iter().any(|it| it.rule.id == parameters.id);
    let result = if inherited { "restored_default" } else { "removed_override" };
    let told = Told::success(format!("the rule {} is removed from {}", parameters.id, known.reference()));
    Ok(rules(told, &known.reference(), &report).with("removedRuleId", parameters.id).with("removalResult", result))
}

pub(super) fn reset(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-session-policy-reset",
        title: "Reset rules",
        description: "Remove all rules that agents have set in a session. Those of the configuration and of a person stay.",
        class: Class::End,
    };
    tool(state, about, take_all_away)
}

async fn take_all_away(call: Call, parameters: SessionParameter) -> Outcome {
    let known = call.state.resolve(&call.host, parameters.session.as_deref())?;
    let report = ops::change_session_rules(&call.host, Some(&known.id()), Party::Agent, RuleChange::Reset).await?;
    let kept = report.rules.len();
    let note = (kept > 0).then(|| format!("{kept} rules that a person has set in this session stay"));
    let told = Told::success(format!("{} rules removed from {}", report.removed.len(), known.reference()));
    Ok(rules(told, &known.reference(), &report).with("removedRuleIds", report.removed.clone()).notes(note))
}

/// What every one of these tools tells of the rules.
fn rules(told: Told, session: &str, report: &SessionRulesReport) -> Told {
    let inherited: Vec<Value> = report.inherited.iter().map(|it| told_rule(&it.rule, "default")).collect();
    let own: Vec<Value> = report
        .rules
        .iter()
        .map(|it| {
            let mut rule = told_rule(&it.rule, "session");
            rule["setBy"] = json!(it.set_by);
            rule
        })
        .collect();
    let all: Vec<&Value> = inherited.iter().chain(&own).collect();
    let active = all.iter().filter(|rule| rule["enabled"] == true).count();
    told.with("session", session)
        .with("builtInRulesImmutable", true)
        .with("sessionRuleCount", all.len())
        .with("sessionRules", json!(all))
        .with("activeRuleCount", active)
        .with("inheritedRuleCount", inherited.len())
        .with("sessionOverrideRuleCount", own.len())
        .with("inheritedRules", inherited)
        .with("sessionOverrideRules", own)
}

fn told_rule(rule: &Rule, source: &str) -> Value {
    let modes: Vec<&str> = rule.modes.iter().flatten().map(|mode| mode.as_str()).collect();
    let mode = match modes.as_slice() {
        [] => "both",
        modes if modes.contains(&"safe") && modes.contains(&"full") => "both",
        modes if modes.contains(&"full") => "full",
        _ => "safe",
    };
    let action = match rule.action {
        Some(RuleAction::Warn) => "warning",
        Some(RuleAction::Ask) => "ask",
        Some(RuleAction::Deny) | None => "error",
    };
    json!({
        "id": rule.id,
        "enabled": rule.is_enabled(),
        "pattern": rule.pattern,
        "flags": "",
        "priority": rule.priority.unwrap_or(DEFAULT_PRIORITY),
        "mode": mode,
        "category": "custom",
        "action": action,
        "message": rule.message,
        "suggestion": rule.suggestion,
        "source": source,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn flags_go_in_front_of_the_pattern_and_unknown_ones_are_refused() {
        assert_eq!(pattern("^ls", Some("gi")).unwrap(), "(?i)^ls");
        assert_eq!(pattern("^ls", Some("u")).unwrap(), "^ls");
        assert_eq!(pattern("^ls", None).unwrap(), "^ls");
        assert!(pattern("^ls", Some("x")).is_err());
    }

    #[test]
    fn a_rule_for_safe_holds_in_what_is_stricter() {
        let parameters: UpsertParameters =
            serde_json::from_value(json!({ "id": "r", "pattern": "x", "action": "error" })).unwrap();
        assert_eq!(written(&parameters).unwrap()["modes"], json!(SAFE_MODES));
        let rule = Rule::read(written(&parameters).unwrap()).unwrap();
        let told = told_rule(&rule, "session");
        assert_eq!((&told["mode"], &told["action"]), (&json!("safe"), &json!("error")));
    }
}
