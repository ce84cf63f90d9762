//! What a rule does.

use navigator_common::compare::answer_of;
use navigator_common::screen::{Sent, output_rows, shown};
use portcullis_plugin::navigator::{CommandResult, Failure, Outcome, Step};
use portcullis_plugin::{Attribute, Level};

use crate::keys;
use crate::script::{LevelText, Rule, Verify};
use crate::text::{Part, filled, parts};
use crate::way::{Pending, Typed, View, Way};

/// Longest answer of a person.
const MAX_ANSWER_CHARS: usize = 100;

impl Way {
    /// The rule's step; none where it only names the next state.
    pub(crate) fn act(&mut self, rule: &Rule, view: &View) -> Option<Step> {
        match self.step(rule, view) {
            Ok(step) => step,
            Err(failure) => Some(*failure),
        }
    }

    fn step(&mut self, rule: &Rule, view: &View) -> Result<Option<Step>, Box<Step>> {
        let then = rule.then.clone().unwrap_or_default();
        if let Some(text) = &rule.line {
            let line = self.fill(text)?;
            return self.type_line(line, then, view).map(Some);
        }
        if let Some(names) = &rule.keys {
            return self.press(names, then, view).map(Some);
        }
        if let Some(name) = &rule.secret {
            let name = self.fill(name)?;
            self.count_send()?;
            self.await_screen(then, Typed::Line(Sent::new("", &view.lines)));
            return Ok(Some(Step::SendSecret(name)));
        }
        if let Some(choose) = &rule.choose {
            return self.choose(choose, then, view);
        }
        if let Some(text) = &rule.run {
            let line = self.fill(text)?;
            self.pending = Pending::Ran(then);
            return Ok(Some(Step::RunCommand(line)));
        }
        if let Some(verify) = &rule.verify {
            return self.verify(verify, then).map(Some);
        }
        self.level_or_end(rule, then, view)
    }

    fn level_or_end(&mut self, rule: &Rule, then: String, view: &View) -> Result<Option<Step>, Box<Step>> {
        if let Some(asking) = &rule.ask_person {
            let question = self.fill(&asking.question)?;
            self.pending = Pending::Asked { into: asking.into.clone(), then, lines: view.lines.clone() };
            return Ok(Some(Step::AskPerson(question)));
        }
        if let Some(level) = &rule.enter {
            let level = self.level(level)?;
            self.pending = Pending::Entered(then);
            return Ok(Some(Step::EnterLevel(level)));
        }
        if let Some(opening) = &rule.open {
            let (line, level) = (self.fill(&opening.line)?, self.level(&opening.level)?);
            let secret = opening.secret.as_ref().map(|name| self.fill(name)).transpose()?;
            return Ok(Some(self.open(line, level, secret, then)));
        }
        if let Some(ready) = &rule.ready {
            return self.ready(ready, then);
        }
        if let Some(done) = &rule.done {
            return Ok(Some(Outcome::reached(self.fill(&done.label)?)));
        }
        if let Some(fail) = &rule.fail {
            return Ok(Some(Failure::step(&fail.code, self.fill(&fail.message)?, shown(&view.said))));
        }
        Ok(None)
    }

    /// A text with its values, or the failure that names the one which is missing.
    pub(crate) fn fill(&self, text: &str) -> Result<String, Box<Step>> {
        filled(text, &self.values).ok_or_else(|| {
            let missing = |part: &Part<'_>| matches!(part, Part::Value(name) if !self.values.contains_key(*name));
            let names: Vec<String> = parts(text)
                .iter()
                .filter(|part| missing(part))
                .map(|part| match part {
                    Part::Value(name) | Part::Text(name) => (*name).to_owned(),
                })
                .collect();
            let message = format!("the route gives no value for {}, which this bastion asks for", names.join(", "));
            Box::new(Failure::step("value-needed", message, Vec::new()))
        })
    }

    /// As [`Self::fill`], where the secret or word may be left out.
    pub(crate) fn fill_optional(&self, text: Option<&String>) -> Option<String> {
        text.and_then(|text| filled(text, &self.values))
    }

    pub(crate) fn type_line(&mut self, line: String, then: String, view: &View) -> Result<Step, Box<Step>> {
        if line.contains(char::is_control) {
            return Err(Box::new(Failure::step(
                "unreadable",
                "a value that was read is no plain text",
                shown(&view.said),
            )));
        }
        self.count_send()?;
        self.await_screen(then, Typed::Line(Sent::new(&line, &view.lines)));
        Ok(Step::SendLine(line))
    }

    fn press(&mut self, names: &[String], then: String, view: &View) -> Result<Step, Box<Step>> {
        let mut pressed = Vec::new();
        for name in names {
            match keys::key(name, &self.values) {
                Some(key) => pressed.push(key),
                // A value in its text is not known, and this says which.
                None => drop(self.fill(name)?),
            }
        }
        self.count_send()?;
        self.await_screen(then, Typed::Keys(view.lines.clone()));
        Ok(Step::SendKeys(pressed))
    }

    fn await_screen(&mut self, then: String, typed: Typed) {
        if then != self.state {
            self.enter_state(then);
        }
        self.typed = typed;
        self.pending = Pending::Screen;
    }

    fn count_send(&mut self) -> Result<(), Box<Step>> {
        self.sends += 1;
        if self.sends > self.script.max_sends {
            let message = format!("more than max_sends ({}) lines would be typed", self.script.max_sends);
            return Err(Box::new(Failure::step("too-many-steps", message, Vec::new())));
        }
        Ok(())
    }

    fn verify(&mut self, verify: &Verify, then: String) -> Result<Step, Box<Step>> {
        let (line, expected) = (self.fill(&verify.run)?, self.fill(&verify.expect)?);
        self.pending = Pending::Verified { verify: Box::new(verify.clone()), expected, then };
        Ok(Step::RunCommand(line))
    }

    /// Nobody is left at the prompt of a host under another one's name, if the script knows how to go.
    pub(crate) fn verified(&mut self, verify: &Verify, expected: &str, then: String, result: &CommandResult) -> Step {
        let answer = answer_of(result);
        if answer.is_some_and(|answer| verify.compare.holds(answer, expected)) {
            return self.see_output(then, result);
        }
        let said: String = answer.unwrap_or_default().chars().filter(|symbol| !symbol.is_control()).take(100).collect();
        let mut message =
            format!("`{}` answers {said:?} where {expected:?} was expected: this is another host", verify.run);
        let Some(leave) = self.fill_optional(verify.leave.as_ref()) else {
            return Failure::step("wrong-host", message, output_rows(result));
        };
        message.push_str("; it was left again");
        self.pending = Pending::Left(Box::new(Failure::step("wrong-host", message, output_rows(result))));
        Step::RunCommand(leave)
    }

    pub(crate) fn answered(&mut self, into: String, answer: String, then: String, lines: Vec<String>) -> Step {
        if answer.contains(char::is_control) || answer.chars().count() > MAX_ANSWER_CHARS {
            return Failure::step("person-needed", "the answer is no single short line", Vec::new());
        }
        self.values.insert(into, answer);
        self.enter_state(then);
        self.typed = Typed::Nothing;
        let view = View::again(lines);
        self.decide(&view).unwrap_or_else(|| {
            let message = format!("no rule of the state {:?} is for the answer", self.state);
            Failure::step("unexpected-answer", message, Vec::new())
        })
    }

    pub(crate) fn level(&self, text: &LevelText) -> Result<Level, Box<Step>> {
        let mut attributes = Vec::new();
        for (key, value) in &text.attributes {
            // An optional value that is not known is left out.
            attributes.extend(filled(value, &self.values).map(|value| Attribute::new(key, value)));
        }
        Ok(Level { kind: text.kind.into(), label: self.fill(&text.label)?, dialect: text.dialect.into(), attributes })
    }
}
