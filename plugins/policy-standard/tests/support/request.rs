//! A line as a request, lowered as the host lowers it, in the contract's types; for the tests of the policies.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use portcullis_plugin::policy::{Delivery, Mode, Request, TerminalState};
use portcullis_plugin::{Actor, Endpoint, policy};

fn span(span: portcullis_shell::Span) -> policy::Span {
    policy::Span { start: u32::try_from(span.start).unwrap(), end: u32::try_from(span.end).unwrap() }
}

fn word(word: portcullis_shell::Word) -> policy::Word {
    policy::Word { text: word.text, value: word.value, glob: word.glob, span: span(word.span) }
}

fn redirection(item: portcullis_shell::Redirection) -> policy::Redirection {
    policy::Redirection {
        descriptor: item.descriptor,
        operator: item.operator,
        target: word(item.target),
        span: span(item.span),
    }
}

fn invocation(item: portcullis_shell::Invocation) -> policy::Invocation {
    use portcullis_shell::{InvocationKind, StandardInput};
    policy::Invocation {
        kind: match item.kind {
            InvocationKind::Command => policy::InvocationKind::Command,
            InvocationKind::Assignment => policy::InvocationKind::Assignment,
            InvocationKind::FunctionDefinition => policy::InvocationKind::FunctionDefinition,
            InvocationKind::Redirection => policy::InvocationKind::Redirection,
        },
        program: item.program,
        argv: item.argv.into_iter().map(word).collect(),
        wrappers: item.wrappers,
        assignments: item
            .assignments
            .into_iter()
            .map(|item| policy::Assignment { name: item.name, value: item.value, span: span(item.span) })
            .collect(),
        redirections: item.redirections.into_iter().map(redirection).collect(),
        standard_input: match item.standard_input {
            StandardInput::Inherited => policy::StandardInput::Inherited,
            StandardInput::Pipe => policy::StandardInput::Pipe,
            StandardInput::File => policy::StandardInput::File,
            StandardInput::Text(text) => policy::StandardInput::Text(text),
        },
        stage: item.stage,
        stages: item.stages,
        background: item.background,
        in_loop: item.in_loop,
        depth: item.depth,
        span: span(item.span),
    }
}

/// The plan of `line` in the contract's types.
pub(crate) fn plan(line: &str) -> policy::Plan {
    use portcullis_shell::UnknownKind;
    let plan = portcullis_shell::parse(line);
    policy::Plan {
        invocations: plan.invocations.into_iter().map(invocation).collect(),
        unknowns: plan
            .unknowns
            .into_iter()
            .map(|item| policy::Unknown {
                kind: match item.kind {
                    UnknownKind::Unresolved => policy::UnknownKind::Unresolved,
                    UnknownKind::Malformed => policy::UnknownKind::Malformed,
                    UnknownKind::Refused => policy::UnknownKind::Refused,
                },
                what: item.what,
                span: span(item.span),
            })
            .collect(),
    }
}

/// A line of the agent at a shell prompt.
pub(crate) fn shell_line(line: &str, mode: Mode) -> Request {
    Request {
        request_id: "test".to_owned(),
        raw: line.to_owned(),
        plan: Some(plan(line)),
        delivery: Delivery::ShellLine,
        actor: Actor::Agent,
        mode,
        terminal: TerminalState::AtPrompt,
        session: "s1".to_owned(),
        endpoint: Endpoint {
            profile: "lab".to_owned(),
            user: "dev".to_owned(),
            tags: Vec::new(),
            levels: Vec::new(),
            attributes: Vec::new(),
        },
        cwd: None,
        intent: None,
        now_unix_ms: 0,
        earlier: Vec::new(),
        attributes: Vec::new(),
    }
}
