//! The standard policy: the one that always runs first.
//!
//! It reads the plan that the host made of a line and says which of its rules the line meets; the
//! mode decides what that means. It is a guard against mistakes and low-effort injection, not a
//! sandbox: a program of the project that it lets run can do whatever the account can.

pub mod call;
pub mod delivery;
pub mod mode;
pub mod models;
pub mod place;
pub mod reading;
pub mod review;
pub mod rule;
pub mod settings;

use portcullis_plugin::policy::{Decision, Policy, Request, RuleInfo};
use portcullis_plugin::{ConfigDiagnostic, PluginError, config};

use settings::Settings;

/// The policy with its settings.
#[derive(Debug, Default)]
pub struct Standard {
    settings: Settings,
}

impl Policy for Standard {
    fn create(text: &str) -> Result<Self, PluginError> {
        let settings = settings::read(text).map_err(|wrong| config::error(&wrong))?;
        Ok(Self { settings })
    }

    fn validate_config(text: &str) -> Vec<ConfigDiagnostic> {
        settings::read(text).err().unwrap_or_default()
    }

    fn rules(_config: &str) -> Vec<RuleInfo> {
        rule::ALL
            .iter()
            .map(|rule| RuleInfo {
                rule_id: rule.id.to_owned(),
                title: rule.title.to_owned(),
                category: rule.category.to_owned(),
                severity: rule.severity,
            })
            .collect()
    }

    fn evaluate(&self, request: &Request) -> Result<Vec<Decision>, PluginError> {
        Ok(delivery::judge(request, &self.settings))
    }
}

portcullis_plugin::policy!(Standard);
