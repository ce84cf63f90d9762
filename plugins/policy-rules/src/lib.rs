//! A policy whose rules are data: the operator writes them into the configuration, without code.
//!
//! The host gives each profile's rules to this component as its settings and asks it after the
//! standard policy. A rule says what it speaks of (programs, flags, paths, hosts, places, text) and
//! what follows (warn, ask, deny). It never allows anything: rules that do not match say nothing, and
//! the host takes the strictest word of all policies. What can be known only when the line runs counts
//! as a match, because a fence that `$x` walks through is none.

pub mod glob;
pub mod hit;
pub mod judge;
pub mod paths;
pub mod settings;
pub mod view;

use portcullis_plugin::policy::{Decision, Policy, Request, RuleInfo};
use portcullis_plugin::{ConfigDiagnostic, PluginError, config};

use settings::Rule;

/// In front of each rule's id, so that none passes for a rule of another policy.
pub const PREFIX: &str = "custom/";

/// The rules, ready to be asked.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
}

impl Policy for Rules {
    fn create(text: &str) -> Result<Self, PluginError> {
        let rules = settings::read(text).map_err(|wrong| config::error(&wrong))?;
        Ok(Self { rules })
    }

    fn validate_config(text: &str) -> Vec<ConfigDiagnostic> {
        settings::read(text).err().unwrap_or_default()
    }

    fn rules(text: &str) -> Vec<RuleInfo> {
        let rules = settings::read(text).unwrap_or_default();
        rules
            .iter()
            .map(|rule| RuleInfo {
                rule_id: rule.full_id(),
                title: rule.reason(),
                category: settings::CATEGORY.to_owned(),
                severity: rule.severity(),
            })
            .collect()
    }

    fn evaluate(&self, request: &Request) -> Result<Vec<Decision>, PluginError> {
        Ok(judge::judge(request, &self.rules))
    }
}

portcullis_plugin::policy!(Rules);
