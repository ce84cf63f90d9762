//! The way: the state it is in, what is waited for, and which rule of the state holds. What a rule
//! does stands in `act`, in `paging` and in `opening`.

use navigator_common::pods::{self, WantedPod};
use navigator_common::screen::{Sent, last_line, output_rows, shown};
use navigator_common::words::{checked, invalid};
use portcullis_plugin::navigator::{CommandResult, Event, Failure, Goal, Navigation, Screen, Step, WaitFor};
use portcullis_plugin::{Level, LevelKind, PluginError, attribute};

use crate::opening::Open;
use crate::paging::Paging;
use crate::script::{Checkpoint, Rule, Script, State, Verify};
use crate::text::{Values, filled, is_name, pattern};

/// Screens looked at while waiting for one answer; a menu that only flickers is silent.
const MAX_LOOKS: u32 = 128;
/// Waits that may be over while a slow line still brings the answer.
const MAX_OVERTIME: u32 = 3;
/// States that follow each other without anything typed.
const MAX_HOPS: usize = 20;

/// What the next event answers.
#[derive(Debug)]
pub(crate) enum Pending {
    /// The rules of the present state.
    Screen,
    /// A level is being entered; the state behind it.
    Entered(String),
    /// A line opens a level.
    Opened(Open),
    /// A command runs; its output is what the state behind it sees.
    Ran(String),
    /// The host is asked who it is.
    Verified { verify: Box<Verify>, expected: String, then: String },
    /// A wrong host is being left; then this is the end.
    Left(Box<Step>),
    /// A person is asked, at this screen.
    Asked { into: String, then: String, lines: Vec<String> },
    /// The pods are listed.
    Pods(String),
    /// A last answer has been given.
    Over,
}

/// What was typed last.
#[derive(Debug)]
pub(crate) enum Typed {
    Nothing,
    Line(Sent),
    /// Keys have no line of their own; any change is an answer.
    Keys(Vec<String>),
}

/// One way along the script.
#[derive(Debug)]
pub struct Way {
    pub(crate) script: Script,
    pub(crate) values: Values,
    levels: Vec<Level>,
    pub(crate) pod: Option<WantedPod>,
    pub(crate) state: String,
    pub(crate) pending: Pending,
    pub(crate) typed: Typed,
    pub(crate) paging: Option<Paging>,
    pub(crate) sends: u32,
    started: bool,
    looks: u32,
    overtime: u32,
    waited: bool,
}

/// What a rule looks at.
#[derive(Debug)]
pub(crate) struct View {
    /// All lines of the screen.
    pub(crate) lines: Vec<String>,
    /// What came since the last thing typed.
    pub(crate) said: Vec<String>,
    at_prompt: bool,
    alternate_screen: bool,
}

impl Navigation for Way {
    fn next(&mut self, event: Event) -> Result<Step, PluginError> {
        let pending = std::mem::replace(&mut self.pending, Pending::Over);
        Ok(match (pending, event) {
            (Pending::Over, _) => return Err(invalid("this navigation is over; begin a new one".to_owned())),
            (Pending::Left(failure), _) => *failure,
            (Pending::Opened(open), event) => self.opened(open, event),
            (Pending::Asked { .. }, Event::Refused(reason)) => {
                let message = format!(
                    "nobody answered the question: {reason}; answer it in the viewer, then follow the route again"
                );
                Failure::step("person-needed", message, Vec::new())
            }
            (_, Event::Refused(reason)) => {
                Failure::step("refused", format!("the step was not done: {reason}"), Vec::new())
            }
            (Pending::Entered(then), Event::LevelEntered(screen)) => self.go(then, &screen),
            (Pending::Ran(then), Event::CommandFinished(result)) => self.ran(then, &result),
            (Pending::Verified { verify, expected, then }, Event::CommandFinished(result)) => {
                self.verified(&verify, &expected, then, &result)
            }
            (Pending::Pods(then), Event::CommandFinished(result)) => self.pods_listed(then, &result),
            (Pending::Asked { into, then, lines }, Event::Answer(answer)) => self.answered(into, answer, then, lines),
            // The terminal asked for a secret: what the person said went there and is no value.
            (Pending::Asked { then, .. }, Event::ScreenChanged(screen) | Event::TimedOut(screen)) => {
                self.go(then, &screen)
            }
            (Pending::Screen, Event::Start(screen)) => self.start(&screen),
            (Pending::Screen, Event::ScreenChanged(screen)) => self.look(&screen, false),
            (Pending::Screen, Event::TimedOut(screen)) => self.look(&screen, true),
            (Pending::Entered(_), Event::ScreenChanged(screen) | Event::TimedOut(screen)) => {
                let message = "the shell that should have come is not there";
                Failure::step("level-not-reached", message, shown(&screen.lines()))
            }
            (pending, event) => {
                return Err(invalid(format!("waiting for {pending:?}, the event {event:?} was not asked for")));
            }
        })
    }
}

impl Way {
    pub(crate) fn new(script: Script, goal: &Goal) -> Result<Self, PluginError> {
        let known = |key: &String| script.parameters.contains_key(key) || pods::PARAMETERS.contains(&key.as_str());
        if let Some(unknown) = goal.parameters.iter().find(|given| !known(&given.key)) {
            let names: Vec<&str> = script.parameters.keys().map(String::as_str).collect();
            return Err(invalid(format!("parameter {:?} is not one of {}", unknown.key, names.join(", "))));
        }
        let mut values = Values::new();
        for (name, parameter) in &script.parameters {
            match goal.parameter(name).or(parameter.default.as_deref()) {
                Some(value) => drop(values.insert(name.clone(), checked(name, value, parameter.kind.is_fine())?)),
                None if parameter.optional => {}
                None => return Err(invalid(format!("the route needs the parameter {name:?}"))),
            }
        }
        let namespace = values.get("namespace").cloned();
        let pod = WantedPod::read(goal, namespace.as_deref())?;
        let state = script.start.clone();
        let levels = goal.levels.clone();
        Ok(Self {
            script,
            values,
            levels,
            pod,
            state,
            pending: Pending::Screen,
            typed: Typed::Nothing,
            paging: None,
            sends: 0,
            started: false,
            looks: 0,
            overtime: 0,
            waited: false,
        })
    }

    /// At a shell's prompt the checkpoints say where the session is, elsewhere the screen does.
    fn start(&mut self, screen: &Screen) -> Step {
        if !screen.at_prompt {
            return self.look(screen, false);
        }
        let Some(level) = self.levels.last().cloned() else { return self.look(screen, false) };
        let Some(found) = self.script.checkpoints.iter().find(|checkpoint| self.is_at(checkpoint, &level)).cloned()
        else {
            let message = format!("the session is on {}, which is no place of this route; leave it first", level.label);
            return Failure::step("wrong-place", message, shown(&screen.lines()));
        };
        for attribute in &level.attributes {
            if is_name(&attribute.key) && !self.script.parameters.contains_key(&attribute.key) {
                self.values.insert(attribute.key.clone(), attribute.value.clone());
            }
        }
        self.go(found.state, screen)
    }

    fn is_at(&self, checkpoint: &Checkpoint, level: &Level) -> bool {
        let same = |wanted: &String, is: Option<&str>| filled(wanted, &self.values).as_deref() == is;
        level.kind == LevelKind::from(checkpoint.kind)
            && checkpoint.label.as_ref().is_none_or(|label| same(label, Some(&level.label)))
            && checkpoint.attributes.iter().all(|(key, text)| same(text, attribute(&level.attributes, key)))
    }

    /// Into another state, which sees this screen.
    pub(crate) fn go(&mut self, state: String, screen: &Screen) -> Step {
        self.enter_state(state);
        self.typed = Typed::Nothing;
        self.look(screen, false)
    }

    pub(crate) fn enter_state(&mut self, state: String) {
        self.state = state;
        self.paging = None;
    }

    fn state(&self) -> State {
        self.script.states.get(&self.state).cloned().unwrap_or_default()
    }

    fn look(&mut self, screen: &Screen, timed_out: bool) -> Step {
        let state = self.state();
        if screen.quiet_ms < state.settle_ms {
            return self.wait(&state, screen, timed_out, state.settle_ms - screen.quiet_ms);
        }
        let lines = screen.lines();
        if let Some(said) = self.said(&lines) {
            let (at_prompt, alternate_screen) = (screen.at_prompt, screen.alternate_screen);
            if let Some(step) = self.decide(&View { lines, said, at_prompt, alternate_screen }) {
                return step;
            }
        }
        let state = self.state();
        let timeout_ms = state.timeout_ms.unwrap_or(self.script.timeout_ms);
        self.wait(&state, screen, timed_out && self.waited, timeout_ms)
    }

    fn said(&self, lines: &[String]) -> Option<Vec<String>> {
        match &self.typed {
            Typed::Nothing => Some(lines.to_vec()),
            Typed::Line(sent) => sent.answered(lines),
            Typed::Keys(before) => (before != lines).then(|| lines.to_vec()),
        }
    }

    /// Does what the first rule that holds says; several states may follow each other at one screen.
    pub(crate) fn decide(&mut self, view: &View) -> Option<Step> {
        for _hop in 0..MAX_HOPS {
            let rule = self.state().on.into_iter().find(|rule| self.holds(rule, view))?;
            self.capture(&rule, view);
            self.started = true;
            match self.act(&rule, view) {
                Some(step) => {
                    (self.looks, self.overtime, self.waited) = (0, 0, false);
                    return Some(step);
                }
                None => self.enter_state(rule.then?),
            }
        }
        Some(Failure::step("too-many-steps", "the script goes in circles without typing anything", shown(&view.said)))
    }

    fn holds(&self, rule: &Rule, view: &View) -> bool {
        let matches = |text: &String, line: &str| {
            pattern(text, &self.script.patterns, &self.values)
                .is_some_and(|found| found.is_ok_and(|found| found.is_match(line)))
        };
        let anywhere = |text: &String| view.said.iter().any(|line| matches(text, line));
        let last = last_line(&view.said).unwrap_or_default();
        let known = |name: &String| match name.strip_prefix('!') {
            Some(name) => !self.values.contains_key(name),
            None => self.values.contains_key(name),
        };
        let same = |[one, other]: &[String; 2]| {
            filled(one, &self.values).is_some_and(|one| Some(one) == filled(other, &self.values))
        };
        rule.last_line.as_ref().is_none_or(|text| matches(text, last))
            && rule.screen.as_ref().is_none_or(anywhere)
            && !rule.not_screen.as_ref().is_some_and(anywhere)
            && rule
                .count
                .as_ref()
                .is_none_or(|count| view.said.iter().filter(|line| matches(&count.of, line)).count() == count.is)
            && rule.alternate_screen.is_none_or(|wanted| wanted == view.alternate_screen)
            && rule.at_prompt.is_none_or(|wanted| wanted == view.at_prompt)
            && rule.known.iter().all(known)
            && rule.equal.iter().all(same)
    }

    /// Values of the named groups, of the last line that matches.
    fn capture(&mut self, rule: &Rule, view: &View) {
        let last: Vec<String> = last_line(&view.said).map(str::to_owned).into_iter().collect();
        for (text, lines) in [(&rule.last_line, &last), (&rule.screen, &view.said)] {
            let Some(text) = text else { continue };
            let Some(Ok(found)) = pattern(text, &self.script.patterns, &self.values) else { continue };
            let Some(groups) = lines.iter().rev().find_map(|line| found.captures(line)) else { continue };
            for name in found.capture_names().flatten() {
                if let Some(value) = groups.name(name) {
                    self.values.insert(name.to_owned(), value.as_str().to_owned());
                }
            }
        }
    }

    fn wait(&mut self, state: &State, screen: &Screen, is_over: bool, max_ms: u32) -> Step {
        self.looks += 1;
        let is_settling = screen.quiet_ms < state.settle_ms;
        let still_comes = screen.quiet_ms < self.script.quiet_ms && self.overtime < MAX_OVERTIME;
        if (is_over && !is_settling && !still_comes) || self.looks > MAX_LOOKS {
            return self.silent(state, screen);
        }
        self.overtime += u32::from(is_over);
        self.waited = !is_settling;
        self.pending = Pending::Screen;
        // Any change: a text to wait for may be on the screen already, from before.
        let quiet_ms = if is_settling { 0 } else { self.script.quiet_ms };
        Step::Wait(WaitFor { any_text: Vec::new(), quiet_ms, max_ms })
    }

    fn silent(&self, state: &State, screen: &Screen) -> Step {
        let rows = shown(&screen.lines());
        match &state.on_timeout {
            Some(failing) => {
                let message = filled(&failing.message, &self.values).unwrap_or_else(|| failing.message.clone());
                Failure::step(&failing.code, message, rows)
            }
            None if !self.started => {
                Failure::step("not-recognised", "this is neither the bastion nor a place it led to", rows)
            }
            None => {
                let message = format!("nothing came in the state {:?} that one of its rules is for", self.state);
                Failure::step("menu-silent", message, rows)
            }
        }
    }

    /// The state behind a command sees its output.
    fn ran(&mut self, then: String, result: &CommandResult) -> Step {
        if !result.completed || result.exit_code.is_some_and(|code| code != 0) {
            return Failure::step("command-failed", "a command of the route failed", output_rows(result));
        }
        self.see_output(then, result)
    }

    pub(crate) fn see_output(&mut self, then: String, result: &CommandResult) -> Step {
        self.enter_state(then);
        self.typed = Typed::Nothing;
        let said: Vec<String> = result.output.lines().map(str::to_owned).collect();
        let view = View { lines: said.clone(), said, at_prompt: true, alternate_screen: false };
        self.decide(&view).unwrap_or_else(|| {
            let message = format!("no rule of the state {:?} is for what the command printed", self.state);
            Failure::step("unexpected-answer", message, output_rows(result))
        })
    }
}

impl View {
    /// At a screen that has been seen.
    pub(crate) fn again(lines: Vec<String>) -> Self {
        Self { said: lines.clone(), lines, at_prompt: false, alternate_screen: false }
    }
}
