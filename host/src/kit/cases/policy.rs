//! Cases of a policy.

use portcullis_sandbox::PolicyPlugin;
use portcullis_sandbox::policy::{Decision, EarlierDecision, Verdict};
use serde::Deserialize;

use super::{KitError, Outcome};
use crate::config::PolicyMode;
use crate::kit::place::{PlaceInput, ShellName};
use crate::kit::policy::{ActorName, DeliveryName, PolicyAnswer, PolicyInput, ask};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    line: String,
    #[serde(default)]
    mode: PolicyMode,
    #[serde(default)]
    shell: ShellName,
    #[serde(default)]
    place: PlaceInput,
    #[serde(default)]
    delivery: DeliveryName,
    #[serde(default)]
    actor: ActorName,
    purpose: Option<String>,
    now_unix_ms: Option<u64>,
    /// What the policies before it said, in their order.
    #[serde(default)]
    earlier: Vec<Earlier>,
    /// The strictest verdict.
    verdict: VerdictName,
    /// The rule of a decision with that verdict.
    rule: Option<String>,
    /// The part of the line that decision points at.
    evidence: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Earlier {
    policy: String,
    verdict: VerdictName,
    rule: String,
    #[serde(default)]
    category: String,
}

impl From<Earlier> for EarlierDecision {
    fn from(Earlier { policy, verdict, rule, category }: Earlier) -> Self {
        Self { policy, verdict: verdict.into(), rule_id: rule, category }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum VerdictName {
    Abstain,
    Allow,
    Warn,
    Ask,
    Deny,
}

impl From<VerdictName> for Verdict {
    fn from(name: VerdictName) -> Self {
        match name {
            VerdictName::Abstain => Self::Abstain,
            VerdictName::Allow => Self::Allow,
            VerdictName::Warn => Self::Warn,
            VerdictName::Ask => Self::Ask,
            VerdictName::Deny => Self::Deny,
        }
    }
}

pub(super) async fn run(plugin: &PolicyPlugin, case: Case) -> Outcome {
    let input = PolicyInput {
        line: case.line,
        mode: case.mode,
        shell: case.shell,
        place: case.place,
        delivery: case.delivery,
        actor: case.actor,
        purpose: case.purpose,
        now_unix_ms: case.now_unix_ms,
        earlier: case.earlier.into_iter().map(EarlierDecision::from).collect(),
    };
    let asked = ask(plugin, &input).await;
    let answer = asked.map_err(|source| KitError::Call { plugin: plugin.info().name, source })?;
    let (verdict, rule, evidence) = (Verdict::from(case.verdict), case.rule.as_deref(), case.evidence.as_deref());
    let fits = |decision: &Decision| {
        decision.verdict == verdict
            && rule.is_none_or(|rule| decision.rule_id == rule)
            && evidence.is_none_or(|part| pointed_at(&input.line, decision) == Some(part))
    };
    let nothing_more = rule.is_none() && evidence.is_none();
    if answer.verdict == verdict && (nothing_more || answer.decisions.iter().any(fits)) {
        return Ok(Vec::new());
    }
    Ok(differences(&input.line, &answer, verdict, (rule, evidence)))
}

fn pointed_at<'a>(line: &'a str, decision: &Decision) -> Option<&'a str> {
    decision.evidence.and_then(|span| line.get(span.start as usize..span.end as usize))
}

fn differences(
    line: &str,
    answer: &PolicyAnswer,
    verdict: Verdict,
    (rule, evidence): (Option<&str>, Option<&str>),
) -> Vec<String> {
    let mut expected = format!("expected {verdict}");
    if let Some(rule) = rule {
        expected.push_str(&format!(" by {rule}"));
    }
    if let Some(evidence) = evidence {
        expected.push_str(&format!(" because of `{evidence}`"));
    }
    let mut lines = vec![format!("{expected}, got {} for `{line}`", answer.verdict)];
    for decision in &answer.decisions {
        let part = pointed_at(line, decision).map(|part| format!(" because of `{part}`")).unwrap_or_default();
        lines.push(format!("  {} by {}{part}: {}", decision.verdict, decision.rule_id, decision.reason));
    }
    if answer.decisions.is_empty() {
        lines.push("  no rule had anything to say".to_owned());
    }
    lines
}
