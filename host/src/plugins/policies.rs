//! The policies of a place, asked together.

use std::collections::BTreeMap;
use std::time::Instant;

use portcullis_sandbox::PolicyPlugin;
use portcullis_sandbox::common::Severity;
use portcullis_sandbox::policy::{Decision, EarlierDecision, Request, RuleInfo, Verdict};

use crate::config::{CUSTOM_RULE_PREFIX, Destination};
use crate::metrics;

/// The built-in component that evaluates the rules of a profile, and how their decisions are signed.
pub const RULES_POLICY: &str = "policy-rules";

/// How the decisions of a session's own rules are signed; the same component gives them.
pub const SESSION_RULES_POLICY: &str = "session-rules";
/// In front of such a rule's id.
const SESSION_RULE_PREFIX: &str = "session/";

/// The standard policy, the profiles' own rules, and the policies the operator added.
#[derive(Clone)]
pub struct PolicyChain {
    standard_name: &'static str,
    standard: PolicyPlugin,
    further: BTreeMap<String, PolicyPlugin>,
    /// By the settings that hold them.
    rules: BTreeMap<String, PolicyPlugin>,
}

impl PolicyChain {
    pub(super) fn new(
        standard_name: &'static str,
        standard: PolicyPlugin,
        further: BTreeMap<String, PolicyPlugin>,
        rules: BTreeMap<String, PolicyPlugin>,
    ) -> Self {
        Self { standard_name, standard, further, rules }
    }

    /// Everything the standard policy, the profile's rules and its policies have to say, in this order; each is
    /// told what was said before. All are asked even after a denial, so that the record is whole. A policy without a usable
    /// answer denies.
    pub async fn judge(&self, request: &Request, destination: &Destination) -> Vec<(String, Decision)> {
        let mut decisions = ask(self.standard_name, Some(&self.standard), request).await;
        if let Some(settings) = &destination.rules.settings {
            let told = after(request, &decisions);
            decisions.extend(ask(RULES_POLICY, self.rules.get(settings), &told).await);
        }
        for name in &destination.policies {
            let told = after(request, &decisions);
            decisions.extend(ask(name, self.further.get(name), &told).await);
        }
        decisions
    }

    /// What the rules of one session say after everything else. They have ids of their own, so that no exception
    /// or consent for a rule of the configuration speaks of them.
    pub async fn of_session(
        &self,
        rules: Option<&PolicyPlugin>,
        request: &Request,
        earlier: &[(String, Decision)],
    ) -> Vec<(String, Decision)> {
        let mut decisions = ask(SESSION_RULES_POLICY, rules, &after(request, earlier)).await;
        for (_, decision) in &mut decisions {
            if let Some(id) = decision.rule_id.strip_prefix(CUSTOM_RULE_PREFIX) {
                decision.rule_id = format!("{SESSION_RULE_PREFIX}{id}");
            }
        }
        decisions
    }

    /// The rules of the standard policy and of a profile's further ones, each with the policy's name. Rules of the
    /// configuration are there already.
    pub fn rules<'a>(&'a self, destination: &'a Destination) -> impl Iterator<Item = (&'a str, &'a RuleInfo)> {
        let named = destination.policies.iter().filter_map(|name| Some((name.as_str(), self.further.get(name)?)));
        let all = std::iter::once((self.standard_name, &self.standard)).chain(named);
        all.flat_map(|(name, policy)| policy.rules().iter().map(move |rule| (name, rule)))
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
    let asked = Instant::now();
    let answer = match plugin {
        Some(plugin) => plugin.evaluate(request).await.map_err(|error| error.to_string()),
        None => Err("it is not loaded".to_owned()),
    };
    metrics::plugin_asked(name, asked.elapsed(), answer.is_err());
    let said = answer.unwrap_or_else(|problem| {
        tracing::warn!(policy = name, problem, "a policy failed, which denies");
        vec![failure(name, &problem)]
    });
    said.into_iter().map(|decision| (name.to_owned(), decision)).collect()
}

/// The rule by which a policy that gives no usable answer denies.
pub const POLICY_FAILED: &str = "host/policy-failed";

fn failure(name: &str, problem: &str) -> Decision {
    Decision {
        verdict: Verdict::Deny,
        rule_id: POLICY_FAILED.to_owned(),
        category: "policy-failure".to_owned(),
        severity: Severity::High,
        reason: format!("the policy `{name}` gave no usable answer: {problem}; without it nothing is sent"),
        suggestion: Some("tell the operator; the policy has to be mended or taken out of the profile".to_owned()),
        evidence: None,
        rewritten: None,
        attributes: Vec::new(),
    }
}
