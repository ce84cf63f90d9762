//! Which judgement a delivery gets, and the decisions that come out.

use portcullis_plugin::policy::{Decision, Delivery, Mode, Plan, Request, Span, TerminalState, Verdict};
use portcullis_plugin::{Actor, LevelKind};

use crate::mode;
use crate::place;
use crate::review::{Finding, Review};
use crate::rule::{self, Class, Rule};
use crate::settings::Settings;

/// Longest answer to a menu. Bytes.
const MAX_MENU_BYTES: usize = 256;
/// Longest plain answer to a program that asked. Bytes.
const MAX_ANSWER_BYTES: usize = 64;
/// Most decisions of one answer, the strictest ones; the host takes no more.
const MAX_DECISIONS: usize = 64;

/// Everything the rules say to a request. Never empty, so that silence is not read as consent.
pub fn judge(request: &Request, settings: &Settings) -> Vec<Decision> {
    let findings = match (request.delivery, &request.plan) {
        (Delivery::MenuInput, _) => menu(request, settings),
        (Delivery::PtyInput, _) => typed(request, settings),
        (Delivery::FileRead, Some(plan)) => file_read(request, plan, settings),
        (Delivery::FileWrite, Some(plan)) => file_write(request, plan, settings),
        (Delivery::ShellLine, Some(_)) if is_at_a_device(request) => device_line(request, settings),
        (_, Some(plan)) => Review::of(request, plan, settings),
        (_, None) => vec![Finding::whole(&rule::UNSUPPORTED)],
    };
    let mut decisions: Vec<Decision> = findings
        .iter()
        .filter(|finding| !is_the_way_in(finding, request))
        .map(|finding| decision(finding, request))
        .collect();
    decisions.sort_by_key(|decision| std::cmp::Reverse(strictness(decision.verdict)));
    decisions.truncate(MAX_DECISIONS);
    if decisions.is_empty() {
        decisions.push(Decision::new(
            Verdict::Allow,
            "policy/no-objection",
            "none",
            portcullis_plugin::Severity::Info,
            "no rule objects",
        ));
    }
    decisions
}

/// A navigator's line that starts the shell of the level it leads to. The host says so only for a
/// step of the operator's own route, and waits for that shell's prompt; a shell that waits for
/// typing is then what was wanted. Whatever else the line does is judged as always.
fn is_the_way_in(finding: &Finding, request: &Request) -> bool {
    finding.rule.id == rule::INTERACTIVE.id
        && request.actor == Actor::Automation
        && request.attributes.iter().any(|attribute| attribute.key == "opens-level")
}

fn strictness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Abstain => 0,
        Verdict::Allow => 1,
        Verdict::Warn => 2,
        Verdict::Ask => 3,
        Verdict::Deny => 4,
    }
}

fn decision(finding: &Finding, request: &Request) -> Decision {
    let Rule { id, category, severity, reason, suggestion, class, .. } = *finding.rule;
    let mut verdict = mode::verdict(class, request.mode);
    // A person may do what they want at their own terminal; the policy only remarks on it.
    if request.actor == Actor::Human && verdict == Verdict::Deny {
        verdict = Verdict::Warn;
    }
    let mut decision = Decision::new(verdict, id, category, severity, reason).suggest(suggestion);
    decision.evidence = finding.span.filter(|span| is_within(*span, &request.raw));
    decision
}

fn is_within(span: Span, raw: &str) -> bool {
    let (start, end) = (span.start as usize, span.end as usize);
    start < end && raw.get(start..end).is_some()
}

/// An answer to a bastion's menu: one short line of printable text, harmless also where the menu
/// has ended unseen and a shell reads it.
fn menu(request: &Request, settings: &Settings) -> Vec<Finding> {
    let printable = !request.raw.chars().any(is_unprintable);
    if !printable || request.raw.len() > MAX_MENU_BYTES {
        return vec![Finding::whole(&rule::MENU_TEXT)];
    }
    if request.raw.trim().is_empty() {
        return Vec::new();
    }
    as_shell_text(request, settings)
}

/// What the rules say if a shell should read the text after all.
fn as_shell_text(request: &Request, settings: &Settings) -> Vec<Finding> {
    request.plan.as_ref().map(|plan| Review::of(request, plan, settings)).unwrap_or_default()
}

fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// Text for whatever reads the terminal now: only a plain answer to a program that asked.
fn typed(request: &Request, settings: &Settings) -> Vec<Finding> {
    if request.raw.chars().any(is_unprintable) {
        return vec![Finding::whole(&rule::CONTROL)];
    }
    let asked = request.terminal == TerminalState::AwaitingInput;
    let plain = request.raw.len() <= MAX_ANSWER_BYTES
        && request.raw.chars().all(|character| character.is_ascii_alphanumeric() || "_-.".contains(character));
    if asked && plain && request.mode != Mode::Readonly {
        return Vec::new();
    }
    // The worst is denied in every mode, whatever reads it; the rest of what a shell would make of it
    // says nothing about another program. Nor does it matter to an interpreter that the text is no
    // valid shell.
    let is_worst = |finding: &Finding| {
        let only_shells_mind = finding.rule.id == rule::MALFORMED.id && is_for_a_repl(request);
        finding.rule.class == Class::Extreme && !only_shells_mind
    };
    let worst = as_shell_text(request, settings).into_iter().filter(is_worst);
    worst.chain([Finding::whole(&rule::NOT_A_SHELL)]).collect()
}

/// The innermost level is the command line of a network device.
fn is_at_a_device(request: &Request) -> bool {
    request.endpoint.levels.last().is_some_and(|level| level.kind == LevelKind::NetworkCli)
}

/// A line for a network device: what shows something is let through, any other word may change it.
fn device_line(request: &Request, settings: &Settings) -> Vec<Finding> {
    const SHOWS: &[&str] = &[
        "show",
        "sho",
        "sh",
        "display",
        "disp",
        "dis",
        "ping",
        "traceroute",
        "trace",
        "tracert",
        "dir",
        "help",
        "exit",
        "quit",
        "end",
    ];
    const FILTERS: &[&str] =
        &["include", "exclude", "begin", "section", "count", "match", "last", "except", "no-more", "grep", "inc", "i"];
    if request.raw.chars().any(is_unprintable) {
        return vec![Finding::whole(&rule::CONTROL)];
    }
    let first = |text: &str| text.split_whitespace().next().unwrap_or("").to_ascii_lowercase();
    let mut parts = request.raw.split('|');
    let shows = SHOWS.contains(&first(parts.next().unwrap_or("")).as_str());
    let filtered = parts.all(|part| FILTERS.contains(&first(part).as_str()));
    let pages = request.raw.trim_start().starts_with("terminal length")
        || request.raw.trim_start().starts_with("screen-length");
    if request.raw.trim().is_empty() || (pages || shows && filtered) && !request.raw.contains([';', '>', '\n']) {
        return Vec::new();
    }
    let worst = as_shell_text(request, settings)
        .into_iter()
        .filter(|finding| finding.rule.class == Class::Extreme && finding.rule.id != rule::MALFORMED.id);
    worst.chain([Finding::whole(&rule::NETWORK)]).collect()
}

/// A file read beside the terminal. Clients run the tool for it without asking anybody, so what holds
/// keys and passwords is left to a command, which a person sees.
fn file_read(request: &Request, plan: &Plan, settings: &Settings) -> Vec<Finding> {
    let mut findings = Review::of(request, plan, settings);
    let words = plan.invocations.iter().filter(|invocation| invocation.program.as_deref() == Some("cat"));
    let mut paths = words.flat_map(|invocation| invocation.argv.iter().skip(1));
    if let Some(word) = paths.find(|word| word.value.as_deref().is_some_and(place::holds_secrets)) {
        findings.push(Finding { rule: &rule::READ_SECRET, span: Some(word.span) });
    }
    findings
}

/// A file written beside the terminal: its content comes with the call, nobody has to type it.
fn file_write(request: &Request, plan: &Plan, settings: &Settings) -> Vec<Finding> {
    let findings = Review::of(request, plan, settings).into_iter();
    findings.filter(|finding| finding.rule.id != rule::INTERACTIVE.id).collect()
}

/// The host has seen an interpreter's or a client's prompt.
fn is_for_a_repl(request: &Request) -> bool {
    portcullis_plugin::attribute(&request.attributes, "reader") == Some("repl")
}
