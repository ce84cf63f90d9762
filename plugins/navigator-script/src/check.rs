//! What is wrong with a script, by dotted paths: everything that can be known before it runs is said
//! when it is loaded, not in the middle of a bastion.

use std::collections::{BTreeMap, BTreeSet};

use navigator_common::words::is_secret_name;
use portcullis_plugin::ConfigDiagnostic;
use portcullis_plugin::config::diagnostic;
use portcullis_plugin::navigator::Key;

use crate::keys;
use crate::script::{Choose, LevelText, Opening, Ready, Rule, Script, State};
use crate::text::{Part, Values, groups, is_name, parts, pattern};

const MAX_STATES: usize = 50;
const MAX_RULES: usize = 30;
const MAX_TEXT_BYTES: usize = 500;
/// A host's navigation has 64 steps.
const MAX_SENDS: u32 = 60;
const MAX_PAGES: usize = 20;
const TIMEOUT_RANGE_MS: std::ops::RangeInclusive<u32> = 100..=170_000;
const MAX_QUIET_MS: u32 = 5_000;
/// Known without being declared: parameters of the step `kubectl-exec`, and where it led.
const OF_PODS: [&str; 5] = ["namespace", "pod", "pod_shell", "container", "pod_label"];

/// Collects what is wrong.
struct Check<'a> {
    script: &'a Script,
    /// Every value that may be known somewhere on the way.
    values: BTreeSet<String>,
    wrong: Vec<ConfigDiagnostic>,
}

/// Everything that is wrong with a script.
pub(crate) fn problems(script: &Script) -> Vec<ConfigDiagnostic> {
    let mut check = Check { script, values: values(script), wrong: Vec::new() };
    check.whole();
    for (name, state) in &script.states {
        check.state(&format!("states.{name}"), name, state);
    }
    check.wrong
}

/// Names of all values: parameters, groups of patterns, columns, answers, attributes of checkpoints.
fn values(script: &Script) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = script.parameters.keys().cloned().collect();
    for rule in script.states.values().flat_map(|state| &state.on) {
        for pattern in [&rule.last_line, &rule.screen].into_iter().flatten() {
            names.extend(groups(pattern));
        }
        names.extend(rule.ask_person.as_ref().map(|asking| asking.into.clone()));
        if let Some(choose) = &rule.choose {
            names.extend(choose.columns.keys().cloned());
            names.extend(choose.row.iter().flat_map(|row| groups(row)));
        }
        for level in rule.enter.iter().chain(rule.open.as_ref().map(|open| &open.level)) {
            names.extend(level.attributes.keys().cloned());
        }
    }
    for fragment in script.patterns.values() {
        names.extend(groups(fragment));
    }
    names
}

impl Check<'_> {
    fn say(&mut self, path: &str, message: impl Into<String>) {
        self.wrong.push(diagnostic(path, message));
    }

    fn whole(&mut self) {
        let script = self.script;
        if script.states.is_empty() {
            self.say("states", "a script needs states, or a preset that has them");
        } else {
            self.is_state("start", &script.start);
        }
        if script.states.len() > MAX_STATES {
            self.say("states", format!("has more than {MAX_STATES} states"));
        }
        self.time("timeout_ms", script.timeout_ms);
        self.quiet("quiet_ms", script.quiet_ms);
        if !(1..=MAX_SENDS).contains(&script.max_sends) {
            self.say("max_sends", format!("{} is not between 1 and {MAX_SENDS}", script.max_sends));
        }
        for (name, parameter) in &script.parameters {
            let path = format!("parameters.{name}");
            if !is_name(name) {
                self.say(&path, "a value's name is of small letters, digits and _");
            }
            if parameter.default.as_ref().is_some_and(|default| !(parameter.kind.is_fine())(default)) {
                self.say(&format!("{path}.default"), "has characters that do not belong there");
            }
        }
        for (name, fragment) in &script.patterns {
            self.pattern(&format!("patterns.{name}"), fragment);
        }
        for (index, checkpoint) in script.checkpoints.iter().enumerate() {
            let path = format!("checkpoints[{index}]");
            self.is_state(&format!("{path}.state"), &checkpoint.state);
            let texts = checkpoint.attributes.values().chain(&checkpoint.label);
            texts.for_each(|text| self.text(&path, text));
        }
        if let Some(recognise) = &script.recognise {
            self.pattern("recognise", recognise);
        }
    }

    fn state(&mut self, path: &str, name: &str, state: &State) {
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            self.say(path, "a state's name is of letters, digits, - and _");
        }
        if state.on.is_empty() || state.on.len() > MAX_RULES {
            self.say(&format!("{path}.on"), format!("a state has 1 to {MAX_RULES} rules"));
        }
        if let Some(timeout_ms) = state.timeout_ms {
            self.time(&format!("{path}.timeout_ms"), timeout_ms);
        }
        self.quiet(&format!("{path}.settle_ms"), state.settle_ms);
        if let Some(failing) = &state.on_timeout {
            self.text(&format!("{path}.on_timeout.message"), &failing.message);
        }
        for (index, rule) in state.on.iter().enumerate() {
            self.rule(&format!("{path}.on[{index}]"), rule);
        }
    }

    fn rule(&mut self, path: &str, rule: &Rule) {
        for (key, pattern) in
            [("last_line", &rule.last_line), ("screen", &rule.screen), ("not_screen", &rule.not_screen)]
        {
            pattern.iter().for_each(|pattern| self.pattern(&format!("{path}.{key}"), pattern));
        }
        rule.count.iter().for_each(|count| self.pattern(&format!("{path}.count.of"), &count.of));
        rule.equal.iter().flatten().for_each(|text| self.text(&format!("{path}.equal"), text));
        for name in &rule.known {
            let bare = name.trim_start_matches('!');
            self.value(&format!("{path}.known"), bare);
        }
        let actions = actions(rule);
        let ends = rule.done.is_some() || rule.fail.is_some();
        match (actions.len(), &rule.then) {
            (2.., _) => self.say(path, format!("does several things at once: {}", actions.join(", "))),
            (0, None) => self.say(path, "does nothing: give an action, or the state that comes next (`then`)"),
            (1, Some(_)) if ends => self.say(&format!("{path}.then"), "nothing comes after the end"),
            (1, None) if !ends => {
                self.say(path, format!("{} needs the state that comes next (`then`)", actions.join("")))
            }
            (_, Some(then)) => self.is_state(&format!("{path}.then"), then),
            _ => {}
        }
        self.action(path, rule);
    }

    fn action(&mut self, path: &str, rule: &Rule) {
        for (key, text) in [("line", &rule.line), ("run", &rule.run)] {
            text.iter().for_each(|text| self.line(&format!("{path}.{key}"), text));
        }
        rule.secret.iter().for_each(|name| self.secret(&format!("{path}.secret"), name));
        for (index, key) in rule.keys.iter().flatten().enumerate() {
            let path = format!("{path}.keys[{index}]");
            match keys::key(key, &Values::new()) {
                Some(Key::Text(_)) | None => self.line(&path, key),
                Some(_) => {}
            }
        }
        if let Some(asking) = &rule.ask_person {
            self.text(&format!("{path}.ask_person.question"), &asking.question);
            self.new_value(&format!("{path}.ask_person.into"), &asking.into);
        }
        if let Some(verify) = &rule.verify {
            self.line(&format!("{path}.verify.run"), &verify.run);
            self.text(&format!("{path}.verify.expect"), &verify.expect);
            verify.leave.iter().for_each(|line| self.line(&format!("{path}.verify.leave"), line));
        }
        rule.choose.iter().for_each(|choose| self.choose(&format!("{path}.choose"), choose));
        rule.enter.iter().for_each(|level| self.level(&format!("{path}.enter"), level));
        if let Some(Opening { line, secret, level }) = &rule.open {
            self.line(&format!("{path}.open.line"), line);
            secret.iter().for_each(|name| self.secret(&format!("{path}.open.secret"), name));
            self.level(&format!("{path}.open.level"), level);
        }
        rule.ready.iter().for_each(|ready| self.ready(&format!("{path}.use"), ready));
        rule.done.iter().for_each(|done| self.text(&format!("{path}.done.label"), &done.label));
        rule.fail.iter().for_each(|fail| self.text(&format!("{path}.fail.message"), &fail.message));
    }

    fn choose(&mut self, path: &str, choose: &Choose) {
        match (&choose.header, &choose.row) {
            (Some(header), None) => {
                self.pattern(&format!("{path}.header"), header);
                if choose.columns.is_empty() {
                    self.say(&format!("{path}.columns"), "says which titles the values stand below");
                }
            }
            (None, Some(row)) => self.pattern(&format!("{path}.row"), row),
            _ => self.say(path, "needs either a header with columns, or a row"),
        }
        let fields: BTreeSet<String> =
            choose.columns.keys().cloned().chain(choose.row.iter().flat_map(|row| groups(row))).collect();
        fields.iter().for_each(|field| self.new_value(path, field));
        if choose.fits.is_empty() || choose.fits.iter().any(BTreeMap::is_empty) {
            self.say(&format!("{path}.fits"), "says which row is meant; without it any row would be");
        }
        for (field, text) in choose.fits.iter().flatten().chain(&choose.and) {
            if !fields.contains(field) {
                self.say(&format!("{path}.fits.{field}"), "is no value of a row");
            }
            self.text(&format!("{path}.fits.{field}"), text);
        }
        if let Some(pages) = &choose.pages {
            self.line(&format!("{path}.pages.next"), &pages.next);
            self.line(&format!("{path}.pages.back"), &pages.back);
            pages.more.iter().for_each(|more| self.pattern(&format!("{path}.pages.more"), more));
            if !(1..=MAX_PAGES).contains(&pages.max) {
                self.say(&format!("{path}.pages.max"), format!("{} is not between 1 and {MAX_PAGES}", pages.max));
            }
        }
        choose.line.iter().for_each(|line| self.line(&format!("{path}.line"), line));
    }

    fn level(&mut self, path: &str, level: &LevelText) {
        self.text(&format!("{path}.label"), &level.label);
        level.attributes.iter().for_each(|(key, text)| self.text(&format!("{path}.attributes.{key}"), text));
    }

    fn ready(&mut self, path: &str, ready: &Ready) {
        let (user, host, secret) = ready.step.words();
        for (key, is_needed, text) in [("user", user, &ready.user), ("host", host, &ready.host)] {
            let path = format!("{path}.{key}");
            match text {
                Some(text) if is_needed => self.line(&path, text),
                Some(_) => self.say(&path, "this step has no such word"),
                None if is_needed => self.say(&path, "this step needs it"),
                None => {}
            }
        }
        match &ready.secret {
            Some(name) if secret => self.secret(&format!("{path}.secret"), name),
            Some(_) => self.say(&format!("{path}.secret"), "this step asks for none"),
            None => {}
        }
    }

    fn is_state(&mut self, path: &str, name: &str) {
        if !self.script.states.contains_key(name) {
            let known: Vec<&str> = self.script.states.keys().map(String::as_str).collect();
            self.say(path, format!("{name:?} is none of the states {}", known.join(", ")));
        }
    }

    fn time(&mut self, path: &str, value_ms: u32) {
        if !TIMEOUT_RANGE_MS.contains(&value_ms) {
            let (low, high) = (TIMEOUT_RANGE_MS.start(), TIMEOUT_RANGE_MS.end());
            self.say(path, format!("{value_ms} is not between {low} and {high} milliseconds"));
        }
    }

    fn quiet(&mut self, path: &str, value_ms: u32) {
        if value_ms > MAX_QUIET_MS {
            self.say(path, format!("{value_ms} is more than {MAX_QUIET_MS} milliseconds"));
        }
    }

    /// A text with values.
    fn text(&mut self, path: &str, text: &str) {
        if text.trim().is_empty() || text.len() > MAX_TEXT_BYTES || text.contains(char::is_control) {
            self.say(path, format!("must be one line of 1 to {MAX_TEXT_BYTES} bytes"));
        }
        for part in parts(text) {
            if let Part::Value(name) = part {
                self.value(path, name);
            }
        }
    }

    /// A text that is typed.
    fn line(&mut self, path: &str, text: &str) {
        self.text(path, text);
    }

    /// The name of a secret, or a parameter that names one.
    fn secret(&mut self, path: &str, name: &str) {
        let is_value = parts(name).iter().any(|part| matches!(part, Part::Value(_)));
        if is_value {
            self.text(path, name);
        } else if !is_secret_name(name) {
            self.say(path, "must be a secret's name, or {parameter}");
        }
    }

    fn value(&mut self, path: &str, name: &str) {
        let is_known = self.values.contains(name) || self.script.patterns.contains_key(name) || OF_PODS.contains(&name);
        if !is_known {
            self.say(path, format!("{{{name}}} is no parameter and is read nowhere"));
        }
    }

    /// A value that is read on the way: it must not take a parameter's place.
    fn new_value(&mut self, path: &str, name: &str) {
        if !is_name(name) || self.script.parameters.contains_key(name) {
            self.say(path, format!("{name:?} is a parameter's name, or not of small letters, digits and _"));
        }
    }

    fn pattern(&mut self, path: &str, text: &str) {
        if text.is_empty() || text.len() > MAX_TEXT_BYTES {
            self.say(path, format!("must be a pattern of 1 to {MAX_TEXT_BYTES} bytes"));
        }
        for part in parts(text) {
            if let Part::Value(name) = part {
                self.value(path, name);
            }
        }
        let some: Values = self.values.iter().map(|name| (name.clone(), "x".to_owned())).collect();
        let of_pods = OF_PODS.iter().map(|name| ((*name).to_owned(), "x".to_owned()));
        let some = some.into_iter().chain(of_pods).collect();
        if let Some(Err(error)) = pattern(text, &self.script.patterns, &some) {
            self.say(path, format!("is no pattern: {error}"));
        }
        for group in groups(text) {
            self.new_value(path, &group);
        }
    }
}

/// Names of the actions a rule has.
fn actions(rule: &Rule) -> Vec<&'static str> {
    [
        (rule.line.is_some(), "line"),
        (rule.keys.is_some(), "keys"),
        (rule.secret.is_some(), "secret"),
        (rule.ask_person.is_some(), "ask_person"),
        (rule.choose.is_some(), "choose"),
        (rule.run.is_some(), "run"),
        (rule.verify.is_some(), "verify"),
        (rule.enter.is_some(), "enter"),
        (rule.open.is_some(), "open"),
        (rule.ready.is_some(), "use"),
        (rule.done.is_some(), "done"),
        (rule.fail.is_some(), "fail"),
    ]
    .into_iter()
    .filter_map(|(is_there, name)| is_there.then_some(name))
    .collect()
}
