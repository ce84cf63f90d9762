//! A navigator: a menu that lists servers by number, and logs in to the one that is chosen.
//!
//! A route's parameter `target` is the server's name. Settings: `prompt`, with which the menu asks.

use portcullis_plugin::navigator::{Event, Failure, Goal, Navigation, Navigator, Outcome, Screen, Step, WaitFor};
use portcullis_plugin::{ConfigDiagnostic, Level, LevelKind, PluginError, ShellDialect, config};
use serde::Deserialize;

/// A screen is looked at when no byte has come for so long. Milliseconds.
const QUIET_MS: u32 = 100;
/// For the menu and for the server's shell. Milliseconds.
const TIMEOUT_MS: u32 = 10_000;
/// Rows shown with a failure.
const SHOWN_ROWS: usize = 10;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    prompt: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { prompt: "Select a server:".to_owned() }
    }
}

struct NumberedMenu;

impl Navigator for NumberedMenu {
    type Navigation = Way;

    fn validate_config(settings: &str) -> Vec<ConfigDiagnostic> {
        config::parse::<Settings>(settings).err().into_iter().collect()
    }

    fn recognise(settings: &str, screen: &Screen) -> u8 {
        let asks = config::parse::<Settings>(settings).is_ok_and(|settings| settings.asks(screen));
        if asks { 80 } else { 0 }
    }

    fn begin(settings: &str, goal: Goal) -> Result<Way, PluginError> {
        let settings = config::parse(settings).map_err(|wrong| config::error(&[wrong]))?;
        let Some(target) = goal.parameter("target") else {
            return Err(PluginError::InvalidInput("the route needs `target`, the server's name".to_owned()));
        };
        Ok(Way { settings, target: target.to_owned(), state: State::Menu })
    }
}

impl Settings {
    fn asks(&self, screen: &Screen) -> bool {
        screen.last_line().trim_end() == self.prompt
    }
}

/// How far the way has come.
enum State {
    /// The menu has to ask.
    Menu,
    /// The number was sent.
    Chosen,
    /// The host waits for the server's prompt.
    Entering,
}

struct Way {
    settings: Settings,
    target: String,
    state: State,
}

impl Navigation for Way {
    fn next(&mut self, event: Event) -> Result<Step, PluginError> {
        Ok(match (&self.state, event) {
            (State::Entering, Event::LevelEntered(_)) => Outcome::reached(&self.target),
            (State::Menu, Event::Start(screen) | Event::ScreenChanged(screen)) if self.settings.asks(&screen) => {
                self.choose(&screen)
            }
            (State::Chosen, Event::ScreenChanged(screen)) => self.answered(&screen),
            (State::Menu, Event::Start(_) | Event::ScreenChanged(_)) => wait(),
            (_, Event::TimedOut(screen)) => self.failed("menu-silent", "the menu did not answer", &screen),
            (_, Event::Refused(reason)) => Failure::step("refused", reason, Vec::new()),
            _ => return Err(PluginError::InvalidInput("this event was not asked for".to_owned())),
        })
    }
}

impl Way {
    /// Exactly one entry may have the name: nothing is guessed.
    fn choose(&mut self, screen: &Screen) -> Step {
        let entries: Vec<(String, String)> = screen.lines().iter().filter_map(|line| entry(line)).collect();
        let mut fitting = entries.iter().filter(|(_, name)| *name == self.target);
        match (fitting.next(), fitting.next()) {
            (Some((number, _)), None) => {
                self.state = State::Chosen;
                Step::SendLine(number.clone())
            }
            (None, _) => self.failed("target-not-found", "the menu does not list it", screen),
            (Some(_), Some(_)) => self.failed("ambiguous", "several entries have this name", screen),
        }
    }

    fn answered(&mut self, screen: &Screen) -> Step {
        if self.settings.asks(screen) {
            return self.failed("rejected", "the menu asks again", screen);
        }
        self.state = State::Entering;
        Step::EnterLevel(Level {
            kind: LevelKind::Shell,
            label: self.target.clone(),
            dialect: ShellDialect::Bash,
            attributes: Vec::new(),
        })
    }

    fn failed(&self, code: &str, what: &str, screen: &Screen) -> Step {
        let lines: Vec<String> = screen.lines().into_iter().filter(|line| !line.trim().is_empty()).collect();
        let rows = lines[lines.len().saturating_sub(SHOWN_ROWS)..].to_vec();
        Failure::step(code, format!("{}: {what}", self.target), rows)
    }
}

/// Number and name of a line such as `  2) web2`.
fn entry(line: &str) -> Option<(String, String)> {
    let (number, name) = line.trim().split_once(')')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| (number.to_owned(), name.trim().to_owned()))
}

fn wait() -> Step {
    Step::Wait(WaitFor { any_text: Vec::new(), quiet_ms: QUIET_MS, max_ms: TIMEOUT_MS })
}

portcullis_plugin::navigator!(NumberedMenu);
