//! Asks every rule about a request.

use std::cell::OnceCell;

use portcullis_plugin::policy::{
    Decision, Delivery, Invocation, Mode, Plan, Request, Span, UnknownKind, Verdict, Word,
};
use portcullis_plugin::{Actor, Level, LevelKind};

use crate::hit::{Hit, any};
use crate::paths::{self, Here, Named};
use crate::settings::{ModeName, Rule};
use crate::view::{View, host_names};

/// A request, read once for all rules.
struct Scene<'a> {
    request: &'a Request,
    commands: Vec<Command<'a>>,
}

/// One invocation of the plan with what rules ask of it, each made when the first rule asks.
struct Command<'a> {
    invocation: &'a Invocation,
    here: Here,
    views: OnceCell<Vec<View<'a>>>,
    paths: OnceCell<Vec<Named<'a>>>,
    text: OnceCell<String>,
}

impl<'a> Scene<'a> {
    fn of(request: &'a Request) -> Self {
        let mut here = Here::new(&request.endpoint.user, request.cwd.as_deref());
        let invocations = request.plan.iter().flat_map(|plan| &plan.invocations);
        let commands = invocations.filter_map(|invocation| {
            let before = here.clone();
            here.follow(invocation);
            let (views, paths, text) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
            (!says_where(invocation)).then_some(Command { invocation, here: before, views, paths, text })
        });
        Self { request, commands: commands.collect() }
    }
}

/// A `cd` that nobody wrote: the host's word that the directory is not known from here on.
fn says_where(invocation: &Invocation) -> bool {
    let [program, directory] = invocation.argv.as_slice() else { return false };
    program.value.as_deref() == Some("cd") && directory.value.is_none() && directory.text == "$PWD"
}

impl<'a> Command<'a> {
    fn views(&self) -> &[View<'a>] {
        self.views.get_or_init(|| View::all(self.invocation))
    }

    fn paths(&self) -> &[Named<'a>] {
        self.paths.get_or_init(|| paths::named(self.invocation, &self.here))
    }

    /// Its words as they are after quotes and constants.
    fn text(&self) -> &str {
        self.text.get_or_init(|| {
            let words = self.invocation.argv.iter().map(|word| word.value.as_deref().unwrap_or(&word.text));
            let words: Vec<&str> = self.invocation.wrappers.iter().map(String::as_str).chain(words).collect();
            words.join(" ")
        })
    }
}

/// More findings than this on one text help nobody; the strictest come first.
const MAX_DECISIONS: usize = 32;

/// What each rule that matches says, strictest first, then by priority.
pub fn judge(request: &Request, rules: &[Rule]) -> Vec<Decision> {
    let scene = Scene::of(request);
    let mut found: Vec<(&Rule, Found)> = rules.iter().filter_map(|rule| Some((rule, look(rule, &scene)?))).collect();
    found.sort_by_key(|(rule, _)| (std::cmp::Reverse(rule.action), rule.priority));
    found.truncate(MAX_DECISIONS);
    found.into_iter().map(|(rule, found)| decision(rule, &found, request)).collect()
}

/// Where a rule has matched.
#[derive(Debug, Default)]
struct Found {
    span: Option<Span>,
    /// What may be what the rule speaks of, and is known only when the line runs.
    unknown: Option<String>,
}

fn decision(rule: &Rule, found: &Found, request: &Request) -> Decision {
    let mut verdict = rule.action.verdict();
    // A person may do what they want at their own terminal; a rule only remarks on it.
    if request.actor == Actor::Human && matches!(verdict, Verdict::Deny | Verdict::Ask) {
        verdict = Verdict::Warn;
    }
    let mut reason = rule.reason();
    if let Some(unknown) = &found.unknown {
        reason
            .push_str(&format!(" (what {unknown} stands for is known only when the line runs, and counts as a match)"));
    }
    let mut decision = Decision::new(verdict, rule.full_id(), crate::settings::CATEGORY, rule.severity(), reason);
    decision.suggestion = match (&rule.suggestion, &found.unknown) {
        (Some(suggestion), _) => Some(suggestion.clone()),
        (None, Some(_)) => Some("write out what is meant instead of a variable or a substitution".to_owned()),
        (None, None) => None,
    };
    decision.evidence = found.span.filter(|span| is_within(*span, &request.raw));
    decision
}

fn is_within(span: Span, raw: &str) -> bool {
    let (start, end) = (span.start as usize, span.end as usize);
    start < end && raw.get(start..end).is_some()
}

/// What the rule finds in the request; nothing when it does not speak of it.
fn look(rule: &Rule, scene: &Scene<'_>) -> Option<Found> {
    let request = scene.request;
    let in_mode = rule.modes.is_empty() || rule.modes.contains(&mode(request.mode));
    if !in_mode || level(rule, request.endpoint.levels.last()) == Hit::No {
        return None;
    }
    let in_text = rule.pattern.as_ref().map(|pattern| pattern.find(&request.raw));
    if !rule.is_structural() {
        return match in_text {
            // Only a place and a mode: everything there.
            None => Some(Found::default()),
            Some(Some(place)) => Some(Found { span: span(place.start(), place.end()), unknown: None }),
            Some(None) => in_words(rule, scene),
        };
    }
    structural(rule, scene, in_text.is_none_or(|found| found.is_some()))
}

fn span(start: usize, end: usize) -> Option<Span> {
    Some(Span { start: u32::try_from(start).ok()?, end: u32::try_from(end).ok()? })
}

fn mode(mode: Mode) -> ModeName {
    match mode {
        Mode::Safe => ModeName::Safe,
        Mode::Full => ModeName::Full,
        Mode::Readonly => ModeName::Readonly,
        Mode::Restricted => ModeName::Restricted,
    }
}

/// The innermost level, by its kind or its label. A place nobody knows may be of any kind.
fn level(rule: &Rule, innermost: Option<&Level>) -> Hit {
    if rule.kinds.is_empty() && rule.labels.is_empty() {
        return Hit::Yes;
    }
    let Some(level) = innermost else { return Hit::Maybe };
    let kind = match level.kind {
        LevelKind::Unknown if !rule.kinds.is_empty() => Hit::Maybe,
        kind => Hit::from(rule.kinds.contains(&kind)),
    };
    kind.max(Hit::from(rule.labels.iter().any(|label| label.matches(&level.label))))
}

/// A pattern on the words of each command as they are after quotes and constants.
fn in_words(rule: &Rule, scene: &Scene<'_>) -> Option<Found> {
    let found = scene.commands.iter().find(|command| in_words_of(rule, command))?;
    Some(Found { span: Some(found.invocation.span), unknown: None })
}

fn in_words_of(rule: &Rule, command: &Command<'_>) -> bool {
    rule.pattern.as_ref().is_some_and(|pattern| pattern.is_match(command.text()))
}

/// All that the rule names has to hold for one command of the line.
fn structural(rule: &Rule, scene: &Scene<'_>, in_text: bool) -> Option<Found> {
    let plan = scene.request.plan.as_ref()?;
    let mut perhaps = None;
    for command in &scene.commands {
        let invocation = command.invocation;
        let (hit, word) = of_command(rule, scene.request, command);
        if hit == Hit::No || !(in_text || in_words_of(rule, command)) {
            continue;
        }
        let at = word.map_or(invocation.span, |word| word.span);
        if hit == Hit::Yes {
            return Some(Found { span: Some(at), unknown: None });
        }
        perhaps = perhaps.or_else(|| Some(maybe(invocation, word, at)));
    }
    perhaps.or_else(|| unresolved(rule, plan, in_text))
}

fn maybe(invocation: &Invocation, word: Option<&Word>, at: Span) -> Found {
    let unknown =
        word.filter(|word| word.value.is_none()).or_else(|| invocation.argv.iter().find(|word| word.value.is_none()));
    let what = unknown.or(word).map_or_else(|| "this".to_owned(), |word| format!("`{}`", word.text));
    Found { span: Some(at), unknown: Some(what) }
}

/// Text whose meaning the host could not tell may run anything.
fn unresolved(rule: &Rule, plan: &Plan, in_text: bool) -> Option<Found> {
    let unknown = plan.unknowns.iter().find(|unknown| unknown.kind == UnknownKind::Unresolved)?;
    let could_be = in_text && (!rule.programs.is_empty() || rule.has_paths() || !rule.hosts.is_empty());
    could_be.then(|| Found { span: Some(unknown.span), unknown: Some("this part".to_owned()) })
}

fn of_command<'a>(rule: &Rule, request: &Request, command: &Command<'a>) -> (Hit, Option<&'a Word>) {
    let invocation = command.invocation;
    let mut hit = Hit::Yes;
    if !rule.wrappers.is_empty() {
        let named = |wrapper: &String| {
            let first = wrapper.split(' ').next().unwrap_or(wrapper);
            Hit::from(rule.wrappers.iter().any(|glob| glob.matches(wrapper) || glob.matches(first)))
        };
        hit = hit.min(any(invocation.wrappers.iter().map(named)));
    }
    if hit > Hit::No && rule.speaks_of_a_command() {
        hit = hit.min(any(command.views().iter().map(|view| of_view(rule, request, invocation, view))));
    }
    if hit == Hit::No || !rule.has_paths() {
        return (hit, None);
    }
    let (paths, word) = paths::hit(rule.paths(), command.paths());
    (hit.min(paths), word)
}

fn of_view(rule: &Rule, request: &Request, invocation: &Invocation, view: &View<'_>) -> Hit {
    let mut hit = Hit::Yes;
    if !rule.programs.is_empty() {
        hit = hit.min(view.program(&rule.programs));
        if hit == Hit::No {
            return hit;
        }
    }
    if !rule.flags.is_empty() {
        hit = hit.min(view.flags(&rule.flags));
    }
    if !rule.subcommands.is_empty() {
        hit = hit.min(view.subcommands(&rule.subcommands));
    }
    if !rule.arguments.is_empty() {
        hit = hit.min(view.arguments(&rule.arguments));
    }
    if !rule.hosts.is_empty() {
        // A line for a menu is the name of where it leads.
        let words = view.hosts(&rule.hosts, request.delivery == Delivery::MenuInput);
        let peers = invocation.redirections.iter().map(|item| match item.target.value.as_deref() {
            Some(value) if value.starts_with("/dev/tcp/") || value.starts_with("/dev/udp/") => {
                Hit::from(host_names(value).any(|host| rule.hosts.iter().any(|glob| glob.matches(&host))))
            }
            Some(_) => Hit::No,
            None if item.target.text.contains("/dev/tcp/") || item.target.text.contains("/dev/udp/") => Hit::Maybe,
            None => Hit::No,
        });
        hit = hit.min(words.max(any(peers)));
    }
    hit
}
