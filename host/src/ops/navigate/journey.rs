//! One way through a bastion, step by step, as the host carries it out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_sandbox::common::Level as PluginLevel;
use portcullis_sandbox::navigator::{CommandResult, Event, Key as PluginKey, Step, WaitFor};
use portcullis_sandbox::policy::Delivery;
use portcullis_term::{LevelKind, Outcome, Typist};

use super::convert::{expectation, last_rows, named, screen};
use super::{COMMAND_WAIT, LEAVES_TO, LEVEL_PROMPT, MAX_REPEATS, MAX_STEPS, MAX_TIME, MAX_WAIT, Progress};
use crate::config::{Destination, Secret};
use crate::desk::AtDesk;
use crate::gate::{Action, Cleared, Intent, Key};
use crate::host::Host;
use crate::ops::run::{exit_code, wait_for};
use crate::ops::{OpError, clear, clear_until, place};
use crate::session::{SessionError, SessionHandle, SubmitOptions};
use crate::ssh::{Answer, Person, Prompt, Question, Wanted};

/// How long a person has to answer a navigator: clients give a call up after a minute.
const PERSON_LIMIT: Duration = Duration::from_secs(50);
/// `exit` has this long to lead back to what was below.
const LEAVE_LIMIT: Duration = Duration::from_secs(10);

pub(super) struct Journey<'a> {
    host: &'a Host,
    session: &'a SessionHandle,
    destination: Arc<Destination>,
    route: String,
    progress: Progress,
    started: Instant,
    /// Time a person took to answer, which is not the bastion's.
    asked_for: Duration,
    /// What was done, one line each.
    pub(super) steps: Vec<String>,
}

impl<'a> Journey<'a> {
    pub(super) fn new(
        host: &'a Host,
        session: &'a SessionHandle,
        destination: Arc<Destination>,
        route: String,
        progress: Progress,
    ) -> Self {
        let (started, asked_for) = (Instant::now(), Duration::ZERO);
        Self { host, session, destination, route, progress, started, asked_for, steps: Vec::new() }
    }

    pub(super) fn duration(&self) -> Duration {
        self.started.elapsed()
    }

    /// Puts what is about to be done on record and tells whoever waits for it.
    async fn step(&mut self, what: String) -> Result<(), OpError> {
        self.progress.tell(self.steps.len() + 1, &what);
        self.session.record_step(self.route.clone(), what.clone()).await?;
        self.steps.push(what);
        Ok(())
    }

    pub(super) fn exhausted(&self, repeats: usize) -> Option<&'static str> {
        if self.steps.len() >= MAX_STEPS {
            Some("it took more steps than any bastion needs")
        } else if self.duration().saturating_sub(self.asked_for) > MAX_TIME {
            Some("it took longer than navigation may")
        } else if repeats >= MAX_REPEATS {
            Some("the same step was repeated without any change of the screen")
        } else {
            None
        }
    }

    pub(super) async fn carry_out(&mut self, step: Step) -> Result<Event, OpError> {
        match step {
            Step::SendLine(text) => {
                self.step(format!("answered the menu with `{text}`")).await?;
                self.send(Action::MenuLine { text }).await
            }
            Step::SendKeys(keys) => self.send_keys(keys).await,
            Step::Wait(condition) => self.wait(&condition).await,
            Step::RunCommand(line) => self.run_command(line).await,
            Step::EnterLevel(level) => self.enter_level(&level).await,
            Step::OpenLevel((line, level)) => self.open_level(line, &level).await,
            Step::SendSecret(name) => self.send_secret(name).await,
            Step::AskPerson(question) => self.ask_person(question).await,
            // Ended before; kept so that a new step forces a decision here.
            Step::Done(_) | Step::Fail(_) => Ok(Event::Refused("the navigation is over".to_owned())),
        }
    }

    /// Clears the action; a policy's denial goes back to the navigator as a refusal.
    async fn cleared(&mut self, action: Action) -> Result<Result<Cleared, Event>, OpError> {
        let reading = self.session.read().await?;
        if reading.asks_for_secret {
            return Ok(Err(Event::Refused("the terminal asks for a secret".to_owned())));
        }
        let place = place(self.session, &self.destination, &reading);
        let intent = Intent { actor: Typist::Automation, action, purpose: None };
        let asked = Instant::now();
        let cleared = clear_until(self.host, self.session, &place, intent, asked + PERSON_LIMIT).await;
        self.asked_for += asked.elapsed();
        match cleared {
            Ok(cleared) => Ok(Ok(cleared)),
            Err(OpError::Refused { refusal, .. }) => Ok(Err(Event::Refused(refusal.to_string()))),
            Err(other) => Err(other),
        }
    }

    async fn send(&mut self, action: Action) -> Result<Event, OpError> {
        match self.cleared(action).await? {
            Ok(cleared) => {
                let before = self.session.read().await?.generation;
                match self.session.type_in(cleared).await {
                    Ok(()) => self.after(before).await,
                    // What a navigator takes for a menu may be a shell, and the other way round.
                    Err(SessionError::MovedOn) => {
                        Ok(Event::Refused("the terminal is not where this would be typed; nothing was".to_owned()))
                    }
                    Err(error) => Err(error.into()),
                }
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
        self.step(format!("gave the secret `{name}`")).await?;
        self.type_secret(name, value).await
    }

    /// A person answers in the viewer. What answers a terminal that asks for a secret goes there and
    /// nowhere else; the navigator is shown the screen that follows.
    async fn ask_person(&mut self, text: String) -> Result<Event, OpError> {
        self.step(format!("asked a person: {text}")).await?;
        let reading = self.session.read().await?;
        let secret = reading.asks_for_secret;
        let navigator = self.destination.navigator.as_ref().map(|choice| choice.plugin.clone()).unwrap_or_default();
        let name = format!("The navigator {navigator} asks, on the way along {}", self.route);
        let prompts = vec![Prompt { text, echo: !secret }];
        let summary = self.session.summary();
        let question = Question {
            target: format!("{} at {}", summary.session_id, summary.breadcrumb.join(" › ")),
            hop: None,
            wanted: Wanted::Answers { name, instructions: String::new(), prompts },
            tried: Vec::new(),
            limit: PERSON_LIMIT,
        };
        let Some(person) = AtDesk::new(self.host.desk(), None, &self.destination.profile.name) else {
            return Ok(Event::Refused("nobody can be asked: the viewer is off".to_owned()));
        };
        let asked = Instant::now();
        let answer = person.ask(question).await;
        self.asked_for += asked.elapsed();
        let refused = |reason: &str| Ok(Event::Refused(reason.to_owned()));
        match answer {
            Answer::Secrets(mut answers) => match (answers.pop(), secret) {
                (Some(value), true) => self.type_secret("given by a person".to_owned(), value).await,
                (Some(value), false) => Ok(Event::Answer(value.expose().to_owned())),
                (None, _) => refused("the person's answer is empty"),
            },
            Answer::Trusted | Answer::Refused => refused("the person has refused to answer"),
            Answer::Unanswered => refused("nobody has answered in time"),
            Answer::NotAsked => refused("nobody was asked: too much waits for a person already"),
        }
    }

    async fn type_secret(&mut self, name: String, value: Secret) -> Result<Event, OpError> {
        let reading = self.session.read().await?;
        let place = place(self.session, &self.destination, &reading);
        let intent = Intent { actor: Typist::Automation, action: Action::Secret { name, value }, purpose: None };
        let cleared = clear(self.host, self.session, &place, intent).await?;
        match self.session.type_in(cleared).await {
            Ok(()) => self.after(reading.generation).await,
            Err(SessionError::MovedOn) => Ok(Event::Refused("the terminal asks for a secret no longer".to_owned())),
            Err(other) => Err(other.into()),
        }
    }

    /// Leaves the innermost shell, so that the navigator can begin from what is below. Whether it was left.
    pub(super) async fn leave_level(&mut self) -> Result<bool, OpError> {
        let before = self.session.read().await?;
        let [.., below, innermost] = before.levels.as_slice() else { return Ok(false) };
        let ends_session = below.kind == LevelKind::Menu
            && !innermost.attributes.iter().any(|(key, value)| key == LEAVES_TO && value == "menu");
        if ends_session || !before.at_prompt || before.at_repl || self.session.summary().state != "at_prompt" {
            return Ok(false);
        }
        self.step(format!("left `{}`", innermost.label)).await?;
        let action = Action::Run { line: "exit".to_owned(), delivery: Delivery::ShellLine, opens: None };
        let Ok(cleared) = self.cleared(action).await? else { return Ok(false) };
        match self.session.submit(cleared, SubmitOptions::default()).await {
            Ok(_) => {}
            Err(SessionError::NotReady(_)) => return Ok(false),
            Err(other) => return Err(other.into()),
        }
        let Some(mut events) = self.session.events() else { return Err(SessionError::Gone.into()) };
        let until = Instant::now() + LEAVE_LIMIT;
        loop {
            if self.session.is_closed() {
                return Ok(false);
            }
            let reading = self.session.read().await?;
            if reading.levels.len() < before.levels.len() {
                return Ok(true);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            drop(tokio::time::timeout(left.min(Duration::from_millis(200)), events.recv()).await);
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
            self.step("pressed keys".to_owned()).await?;
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
        self.step(format!("ran `{line}`")).await?;
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
        self.step(format!("waited for the shell of `{}`", level.label)).await?;
        let expectation = expectation(level)?;
        self.entered(self.session.expect_level(expectation).await).await
    }

    async fn open_level(&mut self, line: String, level: &PluginLevel) -> Result<Event, OpError> {
        self.step(format!("ran `{line}` to enter `{}`", level.label)).await?;
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
            Outcome::LevelChanged { .. } => self.entered(Ok(())).await,
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
