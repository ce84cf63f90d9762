//! Policies built for `portcullis:policy@0.1.0`, asked in the records of the newest version.
//!
//! What 0.1 does not have: `request.earlier`. Its policies are told the strictest of it in three
//! attributes, as the contract says. Everything else has the same shape in both, which the component model
//! does not know: records of two versions are two types, so each is copied.

use wasmtime::Store;
use wasmtime::component::ResourceAny;

use crate::bindings::policy_0_1::PolicyPlugin;
use crate::bindings::policy_0_1::exports::portcullis::policy::command_policy as old;
use crate::bindings::shared::portcullis::common::types::PluginError;
use crate::common::{Attribute, ConfigDiagnostic};
use crate::policy::{self as new, Contract};
use crate::state::PluginState;

impl Contract for PolicyPlugin {
    async fn validate_config(
        &self,
        store: &mut Store<PluginState>,
        settings: &str,
    ) -> wasmtime::Result<Vec<ConfigDiagnostic>> {
        self.portcullis_policy_command_policy().call_validate_config(store, settings).await
    }

    async fn rules(&self, store: &mut Store<PluginState>, settings: &str) -> wasmtime::Result<Vec<new::RuleInfo>> {
        let rules = self.portcullis_policy_command_policy().call_rules(store, settings).await?;
        Ok(rules.into_iter().map(rule_info).collect())
    }

    async fn create(
        &self,
        store: &mut Store<PluginState>,
        settings: &str,
    ) -> wasmtime::Result<Result<ResourceAny, PluginError>> {
        self.portcullis_policy_command_policy().call_create(store, settings).await
    }

    async fn evaluate(
        &self,
        store: &mut Store<PluginState>,
        evaluator: ResourceAny,
        question: &new::Request,
    ) -> wasmtime::Result<Result<Vec<new::Decision>, PluginError>> {
        let question = request(question);
        let guest = self.portcullis_policy_command_policy().evaluator();
        let answer = guest.call_evaluate(store, evaluator, &question).await?;
        Ok(answer.map(|decisions| decisions.into_iter().map(decision).collect()))
    }
}

fn request(request: &new::Request) -> old::Request {
    old::Request {
        request_id: request.request_id.clone(),
        raw: request.raw.clone(),
        plan: request.plan.as_ref().map(plan),
        delivery: delivery(request.delivery),
        actor: request.actor,
        mode: mode(request.mode),
        terminal: terminal(request.terminal),
        session: request.session.clone(),
        endpoint: request.endpoint.clone(),
        cwd: request.cwd.clone(),
        intent: request.intent.clone(),
        now_unix_ms: request.now_unix_ms,
        attributes: request.attributes.iter().cloned().chain(earlier(&request.earlier)).collect(),
    }
}

/// The strictest of what was said before; the last one among equals.
fn earlier(said: &[new::EarlierDecision]) -> Vec<Attribute> {
    let Some(strictest) = said.iter().max_by_key(|decision| decision.verdict) else { return Vec::new() };
    [
        ("earlier-verdict", strictest.verdict.as_str()),
        ("earlier-rule", strictest.rule_id.as_str()),
        ("earlier-policy", strictest.policy.as_str()),
    ]
    .map(|(key, value)| Attribute { key: key.to_owned(), value: value.to_owned() })
    .into()
}

fn plan(plan: &new::Plan) -> old::Plan {
    old::Plan {
        invocations: plan.invocations.iter().map(invocation).collect(),
        unknowns: plan.unknowns.iter().map(unknown).collect(),
    }
}

fn invocation(invocation: &new::Invocation) -> old::Invocation {
    old::Invocation {
        kind: match invocation.kind {
            new::InvocationKind::Command => old::InvocationKind::Command,
            new::InvocationKind::Assignment => old::InvocationKind::Assignment,
            new::InvocationKind::FunctionDefinition => old::InvocationKind::FunctionDefinition,
            new::InvocationKind::Redirection => old::InvocationKind::Redirection,
        },
        program: invocation.program.clone(),
        argv: invocation.argv.iter().map(word).collect(),
        wrappers: invocation.wrappers.clone(),
        assignments: invocation.assignments.iter().map(assignment).collect(),
        redirections: invocation.redirections.iter().map(redirection).collect(),
        standard_input: match &invocation.standard_input {
            new::StandardInput::Inherited => old::StandardInput::Inherited,
            new::StandardInput::Pipe => old::StandardInput::Pipe,
            new::StandardInput::File => old::StandardInput::File,
            new::StandardInput::Text(text) => old::StandardInput::Text(text.clone()),
        },
        stage: invocation.stage,
        stages: invocation.stages,
        background: invocation.background,
        in_loop: invocation.in_loop,
        depth: invocation.depth,
        span: span(invocation.span),
    }
}

fn word(word: &new::Word) -> old::Word {
    old::Word { text: word.text.clone(), value: word.value.clone(), glob: word.glob, span: span(word.span) }
}

fn assignment(assignment: &new::Assignment) -> old::Assignment {
    old::Assignment { name: assignment.name.clone(), value: assignment.value.clone(), span: span(assignment.span) }
}

fn redirection(redirection: &new::Redirection) -> old::Redirection {
    old::Redirection {
        descriptor: redirection.descriptor,
        operator: redirection.operator.clone(),
        target: word(&redirection.target),
        span: span(redirection.span),
    }
}

fn unknown(unknown: &new::Unknown) -> old::Unknown {
    old::Unknown {
        kind: match unknown.kind {
            new::UnknownKind::Unresolved => old::UnknownKind::Unresolved,
            new::UnknownKind::Malformed => old::UnknownKind::Malformed,
            new::UnknownKind::Refused => old::UnknownKind::Refused,
        },
        what: unknown.what.clone(),
        span: span(unknown.span),
    }
}

fn span(span: new::Span) -> old::Span {
    old::Span { start: span.start, end: span.end }
}

fn delivery(delivery: new::Delivery) -> old::Delivery {
    match delivery {
        new::Delivery::ShellLine => old::Delivery::ShellLine,
        new::Delivery::PtyInput => old::Delivery::PtyInput,
        new::Delivery::MenuInput => old::Delivery::MenuInput,
        new::Delivery::LogSearch => old::Delivery::LogSearch,
        new::Delivery::Script => old::Delivery::Script,
        new::Delivery::FileRead => old::Delivery::FileRead,
        new::Delivery::FileWrite => old::Delivery::FileWrite,
    }
}

fn mode(mode: new::Mode) -> old::Mode {
    match mode {
        new::Mode::Safe => old::Mode::Safe,
        new::Mode::Full => old::Mode::Full,
        new::Mode::Readonly => old::Mode::Readonly,
        new::Mode::Restricted => old::Mode::Restricted,
    }
}

fn terminal(state: new::TerminalState) -> old::TerminalState {
    match state {
        new::TerminalState::AtPrompt => old::TerminalState::AtPrompt,
        new::TerminalState::Running => old::TerminalState::Running,
        new::TerminalState::AwaitingInput => old::TerminalState::AwaitingInput,
        new::TerminalState::Fullscreen => old::TerminalState::Fullscreen,
        new::TerminalState::Menu => old::TerminalState::Menu,
        new::TerminalState::Unknown => old::TerminalState::Unknown,
    }
}

fn rule_info(rule: old::RuleInfo) -> new::RuleInfo {
    new::RuleInfo { rule_id: rule.rule_id, title: rule.title, category: rule.category, severity: rule.severity }
}

fn decision(decision: old::Decision) -> new::Decision {
    new::Decision {
        verdict: match decision.verdict {
            old::Verdict::Abstain => new::Verdict::Abstain,
            old::Verdict::Allow => new::Verdict::Allow,
            old::Verdict::Warn => new::Verdict::Warn,
            old::Verdict::Ask => new::Verdict::Ask,
            old::Verdict::Deny => new::Verdict::Deny,
        },
        rule_id: decision.rule_id,
        category: decision.category,
        severity: decision.severity,
        reason: decision.reason,
        suggestion: decision.suggestion,
        evidence: decision.evidence.map(|old::Span { start, end }| new::Span { start, end }),
        rewritten: decision.rewritten,
        attributes: decision.attributes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_of_the_first_version_is_told_the_strictest_of_what_was_said() {
        let said = |policy: &str, verdict, rule: &str| new::EarlierDecision {
            policy: policy.to_owned(),
            verdict,
            rule_id: rule.to_owned(),
            category: String::new(),
        };
        assert_eq!(earlier(&[]), Vec::new());
        let told = earlier(&[
            said("standard", new::Verdict::Warn, "delete/tree"),
            said("team", new::Verdict::Deny, "team/people-only"),
            said("last", new::Verdict::Allow, "last/fine"),
        ]);
        let told: Vec<_> = told.iter().map(|attribute| (attribute.key.as_str(), attribute.value.as_str())).collect();
        let expected = [("earlier-verdict", "deny"), ("earlier-rule", "team/people-only"), ("earlier-policy", "team")];
        assert_eq!(told, expected);
    }
}
