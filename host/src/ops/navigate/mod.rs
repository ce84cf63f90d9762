//! Following a route: the bastion's navigator decides each step, the host carries it out.
//!
//! Every text passes the gate and is on record. Steps, time and repetition are bounded; when
//! anything fails the terminal stays where it is and its rows go back to the caller.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_sandbox::common::{Attribute, Level as PluginLevel, LevelKind as PluginLevelKind};
use portcullis_sandbox::navigator::{
    CommandResult, Event, Goal, Key as PluginKey, NamedKey, Row, Screen, Step, WaitFor,
};
use portcullis_sandbox::policy::Delivery;
use portcullis_term::track::Expectation;
use portcullis_term::{LevelKind, Typist};
use serde::Serialize;

use super::run::{exit_code, wait_for};
use super::{OpError, clear, destination, find_session, place};
use crate::config::Destination;
use crate::gate::{Action, Cleared, Intent, Key, level};
use crate::host::Host;
use crate::random;
use crate::session::{Reading, SessionError, SessionHandle, SessionSummary, SubmitOptions};

/// Steps of one navigation; the longest real one has about fifteen.
pub(crate) const MAX_STEPS: usize = 64;
/// The same step at the same screen this often means that nothing helps.
pub(crate) const MAX_REPEATS: usize = 3;
const MAX_TIME: Duration = Duration::from_secs(180);
/// Longest single wait a navigator gets.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// A login shell behind a menu may be slow to start.
const LEVEL_PROMPT: Duration = Duration::from_secs(30);
const COMMAND_WAIT: Duration = Duration::from_secs(60);
/// Rows given back with a failure.
pub(crate) const FAILURE_ROWS: usize = 12;

#[derive(Debug, Clone)]
pub struct NavigateRequest {
    pub session_id: Option<String>,
    pub route: String,
}

#[derive(Debug, Serialize)]
pub struct NavigateReport {
    pub session: SessionSummary,
    pub route: String,
    /// The place the navigator says it has reached.
    pub reached: String,
    pub breadcrumb: Vec<String>,
    /// What was done, one line each.
    pub steps: Vec<String>,
    pub duration_ms: u64,
}

/// The route's parameters, or an error that lists the routes.
pub(super) fn known_route(
    destination: &Destination,
    route: &str,
) -> Result<std::collections::BTreeMap<String, String>, OpError> {
    let profile = &destination.profile.name;
    if destination.navigator.is_none() {
        return Err(OpError::NoNavigator { profile: profile.clone() });
    }
    destination.routes.get(route).cloned().ok_or_else(|| OpError::UnknownRoute {
        profile: profile.clone(),
        route: route.to_owned(),
        known: destination.routes.keys().cloned().collect(),
    })
}

/// Follows the route from wherever the session is.
///
/// # Errors
/// When the route is unknown, the navigator gives up or fails, or a policy refuses a step.
pub async fn navigate(host: &Host, request: NavigateRequest) -> Result<NavigateReport, OpError> {
    let session = find_session(host, request.session_id.as_deref())?;
    let id = session.id().to_string();
    let destination = destination(host, &session)?;
    let parameters = known_route(&destination, &request.route)?;
    let choice = destination.navigator.as_ref().map(|choice| choice.plugin.clone()).unwrap_or_default();
    let plugin = host
        .catalog()
        .navigator(&choice)
        .ok_or_else(|| OpError::NoNavigator { profile: destination.profile.name.clone() })?;
    let reading = session.read().await?;
    let goal = Goal {
        route: request.route.clone(),
        parameters: parameters.into_iter().map(|(key, value)| Attribute { key, value }).collect(),
        levels: reading.levels.iter().map(level).collect(),
    };
    let failed = |source| OpError::Plugin { plugin: choice.clone(), source };
    let mut navigation = plugin.begin(&goal).await.map_err(failed)?;
    let mut journey = Journey { host, session: &session, destination, started: Instant::now(), steps: Vec::new() };
    let mut event = Event::Start(screen(&reading));
    let mut last = (String::new(), 0, 0);
    loop {
        let step = navigation.next(&event).await.map_err(failed)?;
        let reading = session.read().await?;
        let named = format!("{step:?}");
        let repeats = if last.0 == named && last.1 == reading.generation { last.2 + 1 } else { 0 };
        last = (named, reading.generation, repeats);
        let exhausted = journey.exhausted(repeats);
        event = match step {
            Step::Done(outcome) => {
                session.followed(request.route.clone()).await?;
                return Ok(NavigateReport {
                    session: session.summary(),
                    route: request.route,
                    reached: outcome.label,
                    breadcrumb: session.summary().breadcrumb,
                    steps: journey.steps,
                    duration_ms: journey.started.elapsed().as_millis() as u64,
                });
            }
            Step::Fail(failure) => {
                let rows = if failure.rows.is_empty() { last_rows(&reading) } else { failure.rows };
                return Err(OpError::Navigation {
                    route: request.route,
                    code: failure.code,
                    message: failure.message,
                    rows,
                    session_id: id,
                });
            }
            _ if exhausted.is_some() || session.is_closed() => {
                let closed = session.summary().closed_reason.map(|reason| format!("the session closed: {reason}"));
                let message = closed.or(exhausted.map(str::to_owned)).unwrap_or_default();
                let (code, rows) = ("stopped".to_owned(), last_rows(&reading));
                return Err(OpError::Navigation { route: request.route, code, message, rows, session_id: id });
            }
            step => journey.carry_out(step).await.map_err(|error| error.in_session(&id))?,
        };
    }
}

struct Journey<'a> {
    host: &'a Host,
    session: &'a SessionHandle,
    destination: Arc<Destination>,
    started: Instant,
    steps: Vec<String>,
}

impl Journey<'_> {
    fn exhausted(&self, repeats: usize) -> Option<&'static str> {
        if self.steps.len() >= MAX_STEPS {
            Some("it took more steps than any bastion needs")
        } else if self.started.elapsed() > MAX_TIME {
            Some("it took longer than navigation may")
        } else if repeats >= MAX_REPEATS {
            Some("the same step was repeated without any change of the screen")
        } else {
            None
        }
    }

    async fn carry_out(&mut self, step: Step) -> Result<Event, OpError> {
        match step {
            Step::SendLine(text) => {
                self.steps.push(format!("answered the menu with `{text}`"));
                self.send(Action::MenuLine { text }).await
            }
            Step::SendKeys(keys) => self.send_keys(keys).await,
            Step::Wait(condition) => self.wait(&condition).await,
            Step::RunCommand(line) => self.run_command(line).await,
            Step::EnterLevel(level) => self.enter_level(&level).await,
            Step::OpenLevel((line, level)) => self.open_level(line, &level).await,
            Step::SendSecret(name) => self.send_secret(name).await,
            Step::AskPerson(_) => Ok(Event::Refused("nobody can be asked on this host".to_owned())),
            // Ended before; kept so that a new step forces a decision here.
            Step::Done(_) | Step::Fail(_) => Ok(Event::Refused("the navigation is over".to_owned())),
        }
    }

    /// Clears the action; a policy's denial goes back to the navigator as a refusal.
    async fn cleared(&self, action: Action) -> Result<Result<Cleared, Event>, OpError> {
        let reading = self.session.read().await?;
        if reading.asks_for_secret {
            return Ok(Err(Event::Refused("the terminal asks for a secret".to_owned())));
        }
        let place = place(self.session, &self.destination, &reading);
        let intent = Intent { actor: Typist::Automation, action, purpose: None };
        match clear(self.host, self.session, &place, intent).await {
            Ok(cleared) => Ok(Ok(cleared)),
            Err(OpError::Refused { refusal, .. }) => Ok(Err(Event::Refused(refusal.to_string()))),
            Err(other) => Err(other),
        }
    }

    async fn send(&mut self, action: Action) -> Result<Event, OpError> {
        match self.cleared(action).await? {
            Ok(cleared) => {
                let before = self.session.read().await?.generation;
                self.session.type_in(cleared).await?;
                self.after(before).await
            }
            Err(refused) => Ok(refused),
        }
    }

    /// The value goes from its place to the terminal; the navigator learns whether it went.
    async fn send_secret(&mut self, name: String) -> Result<Event, OpError> {
        let bound = self.destination.navigator.as_ref().and_then(|navigator| navigator.secrets.get(&name));
        let Some(source) = bound.cloned() else {
            return Ok(Event::Refused(format!("the profile binds no secret named `{name}` to its navigator")));
        };
        let reading = self.session.read().await?;
        if !reading.asks_for_secret {
            return Ok(Event::Refused("the terminal does not ask for a secret, so none is typed".to_owned()));
        }
        // A file may lie on a slow disk.
        let value = match tokio::task::spawn_blocking(move || source.read()).await {
            Ok(Ok(value)) => value,
            Ok(Err(error)) => return Ok(Event::Refused(format!("the secret `{name}` cannot be read: {error}"))),
            Err(_) => return Ok(Event::Refused("this program is ending".to_owned())),
        };
        self.steps.push(format!("gave the secret `{name}`"));
        let place = place(self.session, &self.destination, &reading);
        let intent = Intent { actor: Typist::Automation, action: Action::Secret { name, value }, purpose: None };
        let cleared = clear(self.host, self.session, &place, intent).await?;
        match self.session.type_in(cleared).await {
            Ok(()) => self.after(reading.generation).await,
            Err(SessionError::MovedOn) => Ok(Event::Refused("the terminal asks for a secret no longer".to_owned())),
            Err(other) => Err(other.into()),
        }
    }

    /// The screen when what was typed has been answered.
    async fn after(&self, generation: u64) -> Result<Event, OpError> {
        let condition = WaitFor { any_text: Vec::new(), quiet_ms: 150, max_ms: 5_000 };
        self.wait_since(generation, &condition).await
    }

    async fn send_keys(&mut self, keys: Vec<PluginKey>) -> Result<Event, OpError> {
        let mut event = Event::Refused("no key was given".to_owned());
        for key in keys {
            let action = match key {
                PluginKey::Text(text) => Action::Type { before: String::new(), text, enter: false },
                PluginKey::Named(name) => Action::Press { key: named(name) },
                PluginKey::Control(letter) if letter.is_ascii_alphabetic() => {
                    Action::Press { key: Key::Control(letter.to_ascii_lowercase() as u8) }
                }
                PluginKey::Control(letter) => return Ok(Event::Refused(format!("there is no control key `{letter}`"))),
            };
            self.steps.push("pressed keys".to_owned());
            event = self.send(action).await?;
        }
        Ok(event)
    }

    async fn wait(&mut self, condition: &WaitFor) -> Result<Event, OpError> {
        let since = self.session.read().await?.generation;
        self.wait_since(since, condition).await
    }

    async fn wait_since(&self, since: u64, condition: &WaitFor) -> Result<Event, OpError> {
        let until = Instant::now() + Duration::from_millis(condition.max_ms.into()).min(MAX_WAIT);
        let quiet = u64::from(condition.quiet_ms);
        let Some(mut events) = self.session.events() else { return Err(SessionError::Gone.into()) };
        loop {
            let reading = self.session.read().await?;
            let text = last_rows(&reading).join("\n");
            let met = if condition.any_text.is_empty() {
                reading.generation > since
            } else {
                condition.any_text.iter().any(|wanted| text.contains(wanted.as_str()))
            };
            if met && reading.quiet_ms >= quiet {
                return Ok(Event::ScreenChanged(screen(&reading)));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.session.is_closed() {
                return Ok(Event::TimedOut(screen(&reading)));
            }
            let pause = if met { Duration::from_millis(quiet.saturating_sub(reading.quiet_ms).max(1)) } else { left };
            drop(tokio::time::timeout(pause.min(left), events.recv()).await);
        }
    }

    async fn run_command(&mut self, line: String) -> Result<Event, OpError> {
        self.steps.push(format!("ran `{line}`"));
        let action = Action::Run { line, delivery: Delivery::ShellLine, opens: None };
        let cleared = match self.cleared(action).await? {
            Ok(cleared) => cleared,
            Err(refused) => return Ok(refused),
        };
        let ticket = match self.session.submit(cleared, SubmitOptions::default()).await {
            Ok(ticket) => ticket,
            Err(SessionError::NotReady(reason)) => return Ok(Event::Refused(reason.to_string())),
            Err(other) => return Err(other.into()),
        };
        let completion = wait_for(self.session, ticket.settled, ticket.command_id, COMMAND_WAIT).await?;
        let output = self.session.read_command(ticket.command_id).await?;
        Ok(Event::CommandFinished(CommandResult {
            exit_code: exit_code(&completion),
            completed: !completion.outcome.is_open(),
            output: output.text.text,
        }))
    }

    async fn enter_level(&mut self, level: &PluginLevel) -> Result<Event, OpError> {
        self.steps.push(format!("waited for the shell of `{}`", level.label));
        let expectation = expectation(level)?;
        self.entered(self.session.expect_level(expectation).await).await
    }

    async fn open_level(&mut self, line: String, level: &PluginLevel) -> Result<Event, OpError> {
        self.steps.push(format!("ran `{line}` to enter `{}`", level.label));
        let opens = Some(level.label.clone());
        let action = Action::Run { line, delivery: Delivery::ShellLine, opens };
        let cleared = match self.cleared(action).await? {
            Ok(cleared) => cleared,
            Err(refused) => return Ok(refused),
        };
        let options = SubmitOptions { opens: Some(expectation(level)?), ..SubmitOptions::default() };
        let ticket = match self.session.submit(cleared, options).await {
            Ok(ticket) => ticket,
            Err(SessionError::NotReady(reason)) => return Ok(Event::Refused(reason.to_string())),
            Err(other) => return Err(other.into()),
        };
        let completion = wait_for(self.session, ticket.settled, ticket.command_id, LEVEL_PROMPT).await?;
        match &completion.outcome {
            portcullis_term::Outcome::LevelChanged { .. } => self.entered(Ok(())).await,
            other => {
                let text = self.session.read_command(ticket.command_id).await?.text.text;
                let shown: String = text.chars().take(300).collect();
                Ok(Event::Refused(format!("no shell of `{}` appeared ({other:?}): {shown}", level.label)))
            }
        }
    }

    /// A level counts as entered once a line can be run there.
    async fn entered(&self, reached: Result<(), SessionError>) -> Result<Event, OpError> {
        match reached {
            Ok(()) => {}
            Err(SessionError::LevelFailed { reason, .. }) => return Ok(Event::Refused(reason)),
            Err(other) => return Err(other.into()),
        }
        if !self.session.until_prompt(LEVEL_PROMPT).await {
            return Ok(Event::Refused("the shell is there, but its prompt does not come back".to_owned()));
        }
        let reading = self.session.read().await?;
        Ok(Event::LevelEntered(screen(&reading)))
    }
}

fn expectation(level: &PluginLevel) -> Result<Expectation, OpError> {
    let kind = match level.kind {
        PluginLevelKind::PodShell => LevelKind::PodShell,
        PluginLevelKind::ElevatedShell => LevelKind::ElevatedShell,
        _ => LevelKind::Shell,
    };
    let nonce = random::hex(4).map_err(OpError::Random)?;
    let attributes =
        level.attributes.iter().map(|attribute| (attribute.key.clone(), attribute.value.clone())).collect();
    Ok(Expectation { attributes, ..Expectation::new(kind, level.label.clone(), nonce, LEVEL_PROMPT) })
}

fn named(key: NamedKey) -> Key {
    match key {
        NamedKey::Enter => Key::Enter,
        NamedKey::Tab => Key::Tab,
        NamedKey::Escape => Key::Escape,
        NamedKey::Backspace => Key::Backspace,
        NamedKey::Delete => Key::Delete,
        NamedKey::Up => Key::Up,
        NamedKey::Down => Key::Down,
        NamedKey::Left => Key::Left,
        NamedKey::Right => Key::Right,
        NamedKey::Home => Key::Home,
        NamedKey::End => Key::End,
        NamedKey::PageUp => Key::PageUp,
        NamedKey::PageDown => Key::PageDown,
    }
}

fn screen(reading: &Reading) -> Screen {
    let view = &reading.screen;
    Screen {
        generation: reading.generation,
        rows: view.rows.iter().map(|row| Row { text: row.text.clone(), wrapped: row.wrapped }).collect(),
        columns: view.columns,
        cursor_row: view.cursor_row,
        cursor_column: view.cursor_column,
        alternate_screen: view.alternate_screen,
        quiet_ms: u32::try_from(reading.quiet_ms).unwrap_or(u32::MAX),
        at_prompt: reading.at_prompt,
    }
}

/// The last non-empty rows of the screen.
fn last_rows(reading: &Reading) -> Vec<String> {
    let text = reading.screen.text();
    let rows: Vec<&str> = text.lines().collect();
    rows[rows.len().saturating_sub(FAILURE_ROWS)..].iter().map(|row| (*row).to_owned()).collect()
}
