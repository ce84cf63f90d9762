//! The policies of a place, asked together.

use std::collections::BTreeMap;

use portcullis_sandbox::PolicyPlugin;
use portcullis_sandbox::common::Severity;
use portcullis_sandbox::policy::{Decision, EarlierDecision, Request, Verdict};

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

    /// Everything the standard policy and `names` have to say, in this order; each is told what was said
    /// before. All are asked even after a denial, so that the record is whole. A policy without a usable
    /// answer denies.
    pub async fn judge(&self, request: &Request, names: &[String]) -> Vec<(String, Decision)> {
        let mut decisions = ask(self.standard_name, Some(&self.standard), request).await;
        for name in names {
            let told = after(request, &decisions);
            decisions.extend(ask(name, self.further.get(name), &told).await);
        }
        decisions
    }

    /// What policies on trial would have said after `earlier`; each is asked as if it were the last one.
    pub async fn on_trial(
        &self,
        request: &Request,
        earlier: &[(String, Decision)],
        names: &[String],
    ) -> Vec<(String, Decision)> {
        let mut decisions = Vec::new();
        if names.is_empty() {
            // The usual case: no copy of the request, which holds the whole plan.
            return decisions;
        }
        let told = after(request, earlier);
        for name in names {
            decisions.extend(ask(name, self.further.get(name), &told).await);
        }
        decisions
    }
}

/// The request with what was said so far.
fn after(request: &Request, decisions: &[(String, Decision)]) -> Request {
    let earlier = decisions.iter().map(|(policy, decision)| EarlierDecision {
        policy: policy.clone(),
        verdict: decision.verdict,
        rule_id: decision.rule_id.clone(),
        category: decision.category.clone(),
    });
    Request { earlier: earlier.collect(), ..request.clone() }
}

async fn ask(name: &str, plugin: Option<&PolicyPlugin>, request: &Request) -> Vec<(String, Decision)> {
    let answer = match plugin {
        Some(plugin) => plugin.evaluate(request).await.map_err(|error| error.to_string()),
        None => Err("it is not loaded".to_owned()),
    };
    let said = answer.unwrap_or_else(|problem| {
        tracing::warn!(policy = name, problem, "a policy failed, which denies");
        vec![failure(name, &problem)]
    });
    said.into_iter().map(|decision| (name.to_owned(), decision)).collect()
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
