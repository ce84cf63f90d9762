//! A navigator on a scripted terminal: what the far side shows, and what has to come in reply.
//!
//! The script's texts go through the host's own terminal emulator, so the navigator sees rows as on a
//! real terminal. Typed lines are echoed as a terminal would. Waits take no time: what the script has
//! next has come, and where it has nothing the wait is over without it. No policy judges the lines.

mod stage;

use std::collections::BTreeMap;
use std::path::Path;

use portcullis_sandbox::navigator::{Key, NamedKey, Step};
use serde::{Deserialize, Serialize};
pub(super) use stage::walk;

use super::KitError;
use super::place::LevelInput;

/// Where to, and through what.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NavigationInput {
    /// The route's name.
    pub route: String,
    /// The route's parameters.
    pub goal: BTreeMap<String, String>,
    /// Levels crossed before.
    pub levels: Vec<LevelInput>,
    pub script: Vec<ScriptStep>,
}

/// One thing that appears, and what has to come in reply. Without a reply the text is more of what is
/// shown while the navigator waits.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScriptStep {
    /// Added to what is on the screen, behind the echo of what was typed.
    pub screen: String,
    /// The line that has to be sent, without Enter.
    pub line: Option<String>,
    /// Keys that have to be pressed: `enter`, `page-down`, `ctrl+c`, or text.
    pub keys: Option<Vec<String>>,
    /// The name of the secret that has to be sent.
    pub secret: Option<String>,
    /// The command that has to be run; `output` and `exit_code` are its result.
    pub command: Option<String>,
    pub output: Option<String>,
    pub exit_code: Option<i32>,
    /// The label of the level that has to be entered.
    pub enters: Option<String>,
    /// The label of the level that a line has to open; `command` is that line.
    pub opens: Option<String>,
    /// Part of the question that has to be put to a person; `answer` is the reply.
    pub asks: Option<String>,
    pub answer: Option<String>,
    /// The host does not do the step, with this reason.
    pub refused: Option<String>,
    /// What is typed does not appear.
    pub no_echo: bool,
}

/// How a navigation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The label of the place reached.
    Done(String),
    Failed {
        code: String,
        message: String,
        rows: Vec<String>,
    },
    /// The navigator did something else than the script says.
    OffScript {
        expected: String,
        got: String,
    },
    /// The script ended and the navigator still wanted something.
    TooManySteps,
    /// The same step again and again, with nothing new to see.
    Repeats {
        step: String,
    },
    Error(String),
}

/// A navigation from its start to its end.
#[derive(Debug, Clone, Serialize)]
pub struct Walk {
    /// What the navigator did, one line each.
    pub steps: Vec<String>,
    pub ending: Ending,
    /// Steps of the script that were not reached or not answered.
    pub script_left: usize,
    /// The last rows of the screen.
    pub rows: Vec<String>,
}

impl NavigationInput {
    /// Reads a file with `goal`, `levels` and `[[script]]`.
    ///
    /// # Errors
    /// When it cannot be read or is not written so.
    pub fn read(path: &Path) -> Result<Self, KitError> {
        let text = std::fs::read_to_string(path).map_err(|source| KitError::Read { path: path.to_owned(), source })?;
        let problem = |problem: String| KitError::Cases { path: path.to_owned(), problem };
        let input: Self = toml::from_str(&text).map_err(|error| problem(error.to_string()))?;
        input.mistake().map_or(Ok(input), |mistake| Err(problem(mistake)))
    }

    /// A mistake in what the script asks for.
    pub(super) fn mistake(&self) -> Option<String> {
        self.script
            .iter()
            .enumerate()
            .find_map(|(index, step)| step.mistake().map(|what| format!("step {} of the script {what}", index + 1)))
    }
}

impl ScriptStep {
    /// A mistake in what the step asks for.
    fn mistake(&self) -> Option<&'static str> {
        let replies = [
            self.line.is_some(),
            self.keys.is_some(),
            self.secret.is_some(),
            self.command.is_some() && self.opens.is_none(),
            self.enters.is_some(),
            self.opens.is_some(),
            self.asks.is_some(),
        ];
        if replies.iter().filter(|wanted| **wanted).count() > 1 {
            return Some("asks for several replies; give each a step of its own");
        }
        if self.opens.is_some() && self.command.is_none() {
            return Some("has `opens` without the `command` that opens the level");
        }
        let is_run = self.command.is_some() && self.opens.is_none();
        if (self.output.is_some() || self.exit_code.is_some()) && !is_run {
            return Some("has the result of a command it does not ask for");
        }
        if self.answer.is_some() && self.asks.is_none() {
            return Some("has an `answer` without `asks`");
        }
        if self.wants_nothing() && (self.refused.is_some() || self.no_echo) {
            return Some("refuses or hides a reply it does not ask for");
        }
        self.keys.iter().flatten().any(String::is_empty).then_some("has an empty key")
    }

    fn wants_nothing(&self) -> bool {
        self.line.is_none()
            && self.keys.is_none()
            && self.secret.is_none()
            && self.command.is_none()
            && self.enters.is_none()
            && self.asks.is_none()
    }

    fn fits(&self, step: &Step) -> bool {
        match step {
            Step::SendLine(line) => self.line.as_ref() == Some(line),
            Step::SendKeys(keys) => {
                self.keys.as_ref().is_some_and(|wanted| keys.iter().map(key_name).eq(wanted.iter().cloned()))
            }
            Step::SendSecret(name) => self.secret.as_ref() == Some(name),
            Step::RunCommand(line) => self.opens.is_none() && self.command.as_ref() == Some(line),
            Step::EnterLevel(level) => self.enters.as_ref() == Some(&level.label),
            Step::OpenLevel((line, level)) => {
                self.opens.as_ref() == Some(&level.label) && self.command.as_ref() == Some(line)
            }
            Step::AskPerson(question) => self.asks.as_ref().is_some_and(|part| question.contains(part.as_str())),
            Step::Wait(_) | Step::Done(_) | Step::Fail(_) => false,
        }
    }

    fn described(&self) -> String {
        match self {
            Self { line: Some(line), .. } => format!("the line `{line}`"),
            Self { keys: Some(keys), .. } => format!("the keys {}", keys.join(", ")),
            Self { secret: Some(name), .. } => format!("the secret `{name}`"),
            Self { opens: Some(label), command: Some(line), .. } => format!("`{line}` to open the level `{label}`"),
            Self { command: Some(line), .. } => format!("the command `{line}`"),
            Self { enters: Some(label), .. } => format!("the level `{label}` to be entered"),
            Self { asks: Some(part), .. } => format!("a person to be asked `{part}`"),
            _ => "nothing but waiting".to_owned(),
        }
    }
}

/// A step as `ScriptStep::described` would put it.
fn describe(step: &Step) -> String {
    match step {
        Step::SendLine(line) => format!("the line `{line}`"),
        Step::SendKeys(keys) => format!("the keys {}", keys.iter().map(key_name).collect::<Vec<_>>().join(", ")),
        Step::SendSecret(name) => format!("the secret `{name}`"),
        Step::Wait(condition) if condition.any_text.is_empty() => "waiting for any change".to_owned(),
        Step::Wait(condition) => format!("waiting for one of {:?}", condition.any_text),
        Step::RunCommand(line) => format!("the command `{line}`"),
        Step::EnterLevel(level) => format!("the level `{}` to be entered", level.label),
        Step::OpenLevel((line, level)) => format!("`{line}` to open the level `{}`", level.label),
        Step::AskPerson(question) => format!("a person to be asked `{question}`"),
        Step::Done(outcome) => format!("done: `{}`", outcome.label),
        Step::Fail(failure) => format!("failed: {} ({})", failure.code, failure.message),
    }
}

fn key_name(key: &Key) -> String {
    match key {
        Key::Control(letter) => format!("ctrl+{letter}"),
        Key::Text(text) => text.clone(),
        Key::Named(name) => named(*name).to_owned(),
    }
}

fn named(key: NamedKey) -> &'static str {
    match key {
        NamedKey::Enter => "enter",
        NamedKey::Tab => "tab",
        NamedKey::Escape => "escape",
        NamedKey::Backspace => "backspace",
        NamedKey::Delete => "delete",
        NamedKey::Up => "up",
        NamedKey::Down => "down",
        NamedKey::Left => "left",
        NamedKey::Right => "right",
        NamedKey::Home => "home",
        NamedKey::End => "end",
        NamedKey::PageUp => "page-up",
        NamedKey::PageDown => "page-down",
    }
}
