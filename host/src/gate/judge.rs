//! What a policy is shown (the text, the host's reading of it, and the place), and what all of them say of it.

use portcullis_sandbox::PolicyPlugin;
use portcullis_sandbox::common;
use portcullis_sandbox::policy::{self, Delivery, Request, Verdict};
use portcullis_shell as shell;
use portcullis_term::{Level, LevelKind, ShellKind, Typist};

use super::{Judged, Place, Ruling, exceptions, ruling};
use crate::clock;
use crate::config::{Destination, PolicyMode};
use crate::metrics;
use crate::plugins::Catalog;

/// The question for the text as it would be typed at `place`.
pub(super) fn request(
    place: &Place,
    actor: Typist,
    delivery: Delivery,
    text: &str,
    parsed: shell::Plan,
    purpose: Option<String>,
) -> Request {
    Request {
        request_id: format!("{}:{}", place.session_id, clock::unix_ms()),
        raw: text.to_owned(),
        // Also for a menu or a program: what reads the text may turn out to be a shell.
        plan: Some(plan(parsed)),
        delivery,
        actor: match actor {
            Typist::Agent => common::Actor::Agent,
            Typist::Human => common::Actor::Human,
            Typist::Automation => common::Actor::Automation,
        },
        mode: match place.destination.policy_mode {
            PolicyMode::Safe => policy::Mode::Safe,
            PolicyMode::Full => policy::Mode::Full,
            PolicyMode::Readonly => policy::Mode::Readonly,
            PolicyMode::Restricted => policy::Mode::Restricted,
        },
        terminal: place.terminal,
        session: place.session_id.clone(),
        endpoint: endpoint(place),
        cwd: None,
        intent: purpose,
        now_unix_ms: clock::unix_ms(),
        earlier: Vec::new(),
        attributes: reader(place),
    }
}

/// The component that has the rules of one session.
pub(super) enum SessionPolicy {
    /// There are no such rules.
    None,
    Ready(PolicyPlugin),
    /// There are rules and they cannot be asked.
    Missing,
}

/// The word of every policy of the place, lowered where a person's exception says so, and then of the session's
/// own rules, which nothing lowers: whoever wants them gone takes them away.
pub(super) async fn judged(
    catalog: &Catalog,
    destination: &Destination,
    session: &SessionPolicy,
    request: &Request,
) -> Judged {
    let policies = catalog.policies();
    let mut decisions = policies.judge(request, destination).await;
    let lowered = exceptions::lower(policies, destination, request, &mut decisions).await;
    let of_session = match session {
        SessionPolicy::None => Vec::new(),
        SessionPolicy::Ready(plugin) => policies.of_session(Some(plugin), request, &decisions).await,
        SessionPolicy::Missing => policies.of_session(None, request, &decisions).await,
    };
    decisions.extend(of_session);
    let on_trial = policies.on_trial(request, &decisions, &destination.shadow_policies).await;
    // Strictest first; the order of equals stays that of the chain.
    decisions.sort_by_key(|(_, decision)| std::cmp::Reverse(decision.verdict));
    let verdict = decisions.first().map_or(Verdict::Abstain, |(_, decision)| decision.verdict);
    metrics::judged(typist(request.actor), verdict.as_str());
    let mut judged = Judged::new(typist(request.actor), request.delivery.as_str(), &request.raw, verdict, decisions);
    judged.on_trial = on_trial.into_iter().map(|(policy, decision)| ruling(policy, decision)).collect();
    for (policy, rule_id, excepted) in lowered {
        let is_it = |ruling: &&mut Ruling| ruling.policy == policy && ruling.rule_id == rule_id;
        judged.rulings.iter_mut().filter(is_it).for_each(|ruling| ruling.excepted = Some(excepted.clone()));
    }
    judged
}

/// The words of the one command whose output the line gives: a line of several gives text that
/// belongs to no one grammar.
pub(super) fn only_command(plan: &shell::Plan) -> Option<Vec<String>> {
    if !plan.unknowns.is_empty() {
        return None;
    }
    let [only] = plan.invocations.as_slice() else { return None };
    if only.stages > 1 || !only.redirections.is_empty() {
        return None;
    }
    only.argv.iter().map(|word| word.value.clone()).collect()
}

/// Names what reads the text, where the host knows it: `reader` = `repl`.
fn reader(place: &Place) -> Vec<common::Attribute> {
    let repl = || common::Attribute { key: "reader".to_owned(), value: "repl".to_owned() };
    place.at_repl.then(repl).into_iter().collect()
}

/// Tells the policies that the line is a navigator's way into a level of the operator's route.
pub(super) fn leading_to(mut request: Request, level: Option<String>) -> Request {
    request.attributes.extend(level.map(|value| common::Attribute { key: "opens-level".to_owned(), value }));
    request
}

pub(super) fn typist(actor: common::Actor) -> Typist {
    match actor {
        common::Actor::Agent => Typist::Agent,
        common::Actor::Human => Typist::Human,
        common::Actor::Automation => Typist::Automation,
    }
}

/// The place as every kind of plugin sees it.
pub(crate) fn endpoint(place: &Place) -> common::Endpoint {
    let profile = &place.destination.profile;
    common::Endpoint {
        profile: profile.name.clone(),
        user: profile.user.clone(),
        tags: profile.tags.clone(),
        levels: place.levels.iter().map(level).collect(),
        attributes: Vec::new(),
    }
}

pub(crate) fn level(level: &Level) -> common::Level {
    common::Level {
        kind: match level.kind {
            LevelKind::Menu => common::LevelKind::Menu,
            LevelKind::Shell => common::LevelKind::Shell,
            LevelKind::PodShell => common::LevelKind::PodShell,
            LevelKind::ElevatedShell => common::LevelKind::ElevatedShell,
            LevelKind::Repl => common::LevelKind::Repl,
            LevelKind::NetworkCli => common::LevelKind::NetworkCli,
            LevelKind::Multiplexer => common::LevelKind::Multiplexer,
            LevelKind::Unknown => common::LevelKind::Unknown,
        },
        label: level.label.clone(),
        dialect: match level.shell {
            _ if level.kind == LevelKind::Menu => common::ShellDialect::Menu,
            ShellKind::Bash => common::ShellDialect::Bash,
            ShellKind::Zsh => common::ShellDialect::Zsh,
            ShellKind::Fish => common::ShellDialect::Fish,
            ShellKind::Tcsh => common::ShellDialect::Tcsh,
            ShellKind::Posix => common::ShellDialect::Posix,
            ShellKind::Unknown => common::ShellDialect::Unknown,
        },
        attributes: level
            .attributes
            .iter()
            .map(|(key, value)| common::Attribute { key: key.clone(), value: value.clone() })
            .collect(),
    }
}

fn plan(plan: shell::Plan) -> policy::Plan {
    policy::Plan {
        invocations: plan.invocations.into_iter().map(invocation).collect(),
        unknowns: plan.unknowns.into_iter().map(unknown).collect(),
    }
}

fn invocation(invocation: shell::Invocation) -> policy::Invocation {
    policy::Invocation {
        kind: match invocation.kind {
            shell::InvocationKind::Command => policy::InvocationKind::Command,
            shell::InvocationKind::Assignment => policy::InvocationKind::Assignment,
            shell::InvocationKind::FunctionDefinition => policy::InvocationKind::FunctionDefinition,
            shell::InvocationKind::Redirection => policy::InvocationKind::Redirection,
        },
        program: invocation.program,
        argv: invocation.argv.into_iter().map(word).collect(),
        wrappers: invocation.wrappers,
        assignments: invocation
            .assignments
            .into_iter()
            .map(|assignment| policy::Assignment {
                name: assignment.name,
                value: assignment.value,
                span: span(assignment.span),
            })
            .collect(),
        redirections: invocation
            .redirections
            .into_iter()
            .map(|redirection| policy::Redirection {
                descriptor: redirection.descriptor,
                operator: redirection.operator,
                target: word(redirection.target),
                span: span(redirection.span),
            })
            .collect(),
        standard_input: match invocation.standard_input {
            shell::StandardInput::Inherited => policy::StandardInput::Inherited,
            shell::StandardInput::Pipe => policy::StandardInput::Pipe,
            shell::StandardInput::File => policy::StandardInput::File,
            shell::StandardInput::Text(text) => policy::StandardInput::Text(text),
        },
        stage: invocation.stage,
        stages: invocation.stages,
        background: invocation.background,
        in_loop: invocation.in_loop,
        depth: invocation.depth,
        span: span(invocation.span),
    }
}

fn word(word: shell::Word) -> policy::Word {
    policy::Word { text: word.text, value: word.value, glob: word.glob, span: span(word.span) }
}

fn unknown(unknown: shell::Unknown) -> policy::Unknown {
    policy::Unknown {
        kind: match unknown.kind {
            shell::UnknownKind::Unresolved => policy::UnknownKind::Unresolved,
            shell::UnknownKind::Malformed => policy::UnknownKind::Malformed,
            shell::UnknownKind::Refused => policy::UnknownKind::Refused,
        },
        what: unknown.what,
        span: span(unknown.span),
    }
}

/// The parser refuses lines far below 4 GiB, so the offsets always fit.
fn span(span: shell::Span) -> policy::Span {
    policy::Span {
        start: u32::try_from(span.start).unwrap_or(u32::MAX),
        end: u32::try_from(span.end).unwrap_or(u32::MAX),
    }
}
