//! A policy: some programs are started by people only.
//!
//! Settings: `programs`, their base names.

use portcullis_plugin::policy::{Decision, Invocation, Policy, Request, RuleInfo, Verdict};
use portcullis_plugin::{ConfigDiagnostic, PluginError, Severity, config};
use serde::Deserialize;

/// Rules have stable names: exceptions and records refer to them.
const RULE: &str = "team/people-only";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    programs: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { programs: ["reboot", "shutdown", "poweroff"].map(str::to_owned).to_vec() }
    }
}

struct PeopleOnly(Settings);

impl Policy for PeopleOnly {
    fn create(settings: &str) -> Result<Self, PluginError> {
        config::parse(settings).map(Self).map_err(|wrong| config::error(&[wrong]))
    }

    fn validate_config(settings: &str) -> Vec<ConfigDiagnostic> {
        config::parse::<Settings>(settings).err().into_iter().collect()
    }

    fn rules(_settings: &str) -> Vec<RuleInfo> {
        vec![RuleInfo {
            rule_id: RULE.to_owned(),
            title: "A program that people start".to_owned(),
            category: "availability".to_owned(),
            severity: Severity::High,
        }]
    }

    /// `request.plan` is what the line would run, quotes, variables and wrappers such as `sudo` resolved.
    /// No decision means no opinion; the standard policy has been asked already.
    fn evaluate(&self, request: &Request) -> Result<Vec<Decision>, PluginError> {
        let invocations = request.plan.iter().flat_map(|plan| &plan.invocations);
        Ok(invocations.filter_map(|invocation| self.judge(invocation)).collect())
    }
}

impl PeopleOnly {
    fn judge(&self, invocation: &Invocation) -> Option<Decision> {
        let program = invocation.program.as_deref()?;
        if !self.0.programs.iter().any(|name| name == program) {
            return None;
        }
        let reason = format!("{program} is started by people only");
        let decision = Decision::new(Verdict::Deny, RULE, "availability", Severity::High, reason);
        Some(decision.at(invocation.span).suggest("ask the person at the terminal to start it"))
    }
}

portcullis_plugin::policy!(PeopleOnly);
