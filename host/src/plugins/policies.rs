//! The policies of a place, asked together.

use std::collections::BTreeMap;

use portcullis_sandbox::PolicyPlugin;
use portcullis_sandbox::common::Severity;
use portcullis_sandbox::policy::{Decision, Request, Verdict};

/// The standard policy, and those the operator added.
#[derive(Clone)]
pub struct PolicyChain {
    standard_name: &'static str,
    standard: PolicyPlugin,
    further: BTreeMap<String, PolicyPlugin>,
}

impl PolicyChain {
    pub(super) fn new(
        standard_name: &'static str,
        standard: PolicyPlugin,
        further: BTreeMap<String, PolicyPlugin>,
    ) -> Self {
        Self { standard_name, standard, further }
    }

    /// Everything the standard policy and `names` have to say. All are asked even after a denial,
    /// so that the record is whole. A policy without a usable answer denies.
    pub async fn judge(&self, request: &Request, names: &[String]) -> Vec<(String, Decision)> {
        let mut decisions = Vec::new();
        ask(self.standard_name, Some(&self.standard), request, &mut decisions).await;
        for name in names {
            ask(name, self.further.get(name), request, &mut decisions).await;
        }
        decisions
    }
}

async fn ask(name: &str, plugin: Option<&PolicyPlugin>, request: &Request, decisions: &mut Vec<(String, Decision)>) {
    let answer = match plugin {
        Some(plugin) => plugin.evaluate(request).await.map_err(|error| error.to_string()),
        None => Err("it is not loaded".to_owned()),
    };
    match answer {
        Ok(said) => decisions.extend(said.into_iter().map(|decision| (name.to_owned(), decision))),
        Err(problem) => {
            tracing::warn!(policy = name, problem, "policy failed; the text is denied");
            decisions.push((name.to_owned(), failure(name, &problem)));
        }
    }
}

fn failure(name: &str, problem: &str) -> Decision {
    Decision {
        verdict: Verdict::Deny,
        rule_id: "host/policy-failed".to_owned(),
        category: "policy-failure".to_owned(),
        severity: Severity::High,
        reason: format!("the policy `{name}` gave no usable answer: {problem}; without it nothing is sent"),
        suggestion: Some("tell the operator; the policy has to be mended or taken out of the profile".to_owned()),
        evidence: None,
        rewritten: None,
        attributes: Vec::new(),
    }
}
