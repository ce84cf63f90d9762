//! The rules that hold in a profile: those of its policies, and the operator's own with the file each is from.

use serde::Serialize;

use super::{Policies, PolicyError, Where};
use crate::config::{CustomRule, PolicyMode, RuleAction};
use crate::plugins::RULES_POLICY;

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedRule {
    pub rule_id: String,
    /// The policy that has it.
    pub policy: String,
    /// What it speaks of, or what the agent is told.
    pub title: String,
    pub category: String,
    pub severity: &'static str,
    /// Of the operator's own: what it asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'static str>,
    /// Of the operator's own: where it holds; all modes when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modes: Vec<PolicyMode>,
    /// Of the operator's own: the file it is written in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// `false` for one that is switched off.
    pub enabled: bool,
}

impl Policies {
    /// Every rule of the profile, in the order the policies are asked.
    ///
    /// # Errors
    /// When there is no such profile.
    pub fn list(&self, profile: Option<&str>) -> Result<Vec<ListedRule>, PolicyError> {
        let wanted = Where { profile: profile.map(str::to_owned), ..Where::default() };
        let destination = self.place(&wanted)?.destination;
        let of_policies = self.catalog.policies().rules(&destination).map(|(policy, rule)| ListedRule {
            rule_id: rule.rule_id.clone(),
            policy: policy.to_owned(),
            title: rule.title.clone(),
            category: rule.category.clone(),
            severity: rule.severity.as_str(),
            action: None,
            modes: Vec::new(),
            origin: None,
            enabled: true,
        });
        Ok(of_policies.chain(destination.rules.all.iter().map(own)).collect())
    }
}

fn own(custom: &CustomRule) -> ListedRule {
    let CustomRule { rule, origin } = custom;
    ListedRule {
        rule_id: rule.full_id(),
        policy: RULES_POLICY.to_owned(),
        title: rule.message.clone().unwrap_or_else(|| format!("the operator's rule `{}`", rule.id)),
        category: "custom".to_owned(),
        severity: match rule.action {
            Some(RuleAction::Deny) => "high",
            Some(RuleAction::Ask) => "medium",
            Some(RuleAction::Warn) => "low",
            None => "info",
        },
        action: rule.action.map(RuleAction::as_str),
        modes: rule.modes.clone().unwrap_or_default(),
        origin: Some(origin.clone()),
        enabled: rule.is_enabled(),
    }
}
