//! Rules of one session: looked at and changed, by a person or, to tighten, by an agent.
//!
//! What the configuration says stays as it is: a session's rules are asked after it and can only tighten, and
//! what a person has set here, no agent changes.

use serde::Serialize;
use serde_json::Value;

use super::{OpError, find_session};
use crate::config::{CustomRule, Rule, RuleMistake};
use crate::host::Host;
use crate::plugins::CatalogError;
use crate::session::{Party, RuleChange, RuleRefused, SessionRule, SessionRules, SessionSummary};

/// The rules of a session.
#[derive(Debug, Clone, Serialize)]
pub struct SessionRulesReport {
    pub session: SessionSummary,
    /// Its own, in the order of their setting.
    pub rules: Vec<SessionRule>,
    /// Those its profile has from the configuration, switched-off ones too; they cannot be changed here.
    pub inherited: Vec<CustomRule>,
    /// Ids of those that were taken away now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
}

/// Why a session's rules are not changed.
#[derive(Debug, thiserror::Error)]
pub enum SessionRuleError {
    #[error(transparent)]
    Mistake(#[from] RuleMistake),
    #[error(
        "the rule `{0}` comes from the configuration and is not this session's; a person changes it there, and it \
         holds whatever is set here"
    )]
    Inherited(String),
    #[error(transparent)]
    Refused(#[from] RuleRefused),
    #[error("the session's rules cannot be used so, and stay as they were")]
    Unusable(#[source] CatalogError),
}

/// A rule from JSON, as `[[profiles.NAME.rules]]` has it.
///
/// # Errors
/// Names the key that is wrong.
pub fn read_rule(written: Value) -> Result<Rule, OpError> {
    Rule::read(written).map_err(|mistake| SessionRuleError::Mistake(mistake).into())
}

/// The rules that hold in the session.
///
/// # Errors
/// When there is no such session.
pub fn session_rules(host: &Host, session_id: Option<&str>) -> Result<SessionRulesReport, OpError> {
    Ok(report(host, find_session(host, session_id)?.summary(), Vec::new()))
}

/// Changes them. On record before it holds, and it holds from the next line on that is judged.
///
/// # Errors
/// When there is no such session or it is closed, the rule has a mistake, or the change is not theirs to make.
pub async fn change_session_rules(
    host: &Host,
    session_id: Option<&str>,
    who: Party,
    change: RuleChange,
) -> Result<SessionRulesReport, OpError> {
    let session = find_session(host, session_id)?;
    let before = session.summary();
    let wanted = match before.rules.after(who, &change) {
        Err(RuleRefused::Unknown { id, .. }) if is_inherited(host, &before, &id) => {
            return Err(SessionRuleError::Inherited(id).into());
        }
        wanted => wanted.map_err(SessionRuleError::Refused)?,
    };
    if let Some(settings) = wanted.settings() {
        // Asked for with these rules before they hold: what cannot be loaded would refuse every line.
        host.plugins().session_rules(&settings).await.map_err(SessionRuleError::Unusable)?;
    }
    let changed = session.change_rules(who, change).await;
    changed.map_err(|error| OpError::from(error).in_session(session.id().as_str()))?;
    let after = session.summary();
    let removed = gone(&before.rules, &after.rules);
    Ok(report(host, after, removed))
}

fn report(host: &Host, session: SessionSummary, removed: Vec<String>) -> SessionRulesReport {
    SessionRulesReport {
        rules: session.rules.all().to_vec(),
        inherited: inherited(host, &session).to_vec(),
        removed,
        session,
    }
}

fn inherited<'a>(host: &'a Host, session: &SessionSummary) -> &'a [CustomRule] {
    host.config().destinations.get(&session.profile).map_or(&[], |found| &found.rules.all)
}

fn is_inherited(host: &Host, session: &SessionSummary, id: &str) -> bool {
    inherited(host, session).iter().any(|known| known.rule.id == id)
}

fn gone(before: &SessionRules, after: &SessionRules) -> Vec<String> {
    let ids = before.all().iter().map(|known| &known.rule.id);
    ids.filter(|id| !after.all().iter().any(|known| known.rule.id == **id)).cloned().collect()
}
