//! Navigators: one instance per navigation, stepped by the host.

use std::sync::Arc;

use wasmtime::component::ResourceAny;

use crate::bindings::navigator as world;
use crate::check::{Answer, Question, plugin_error};
use crate::component::ComponentFile;
use crate::error::{CallError, LoadError};
use crate::info::{PluginInfo, PluginKind};
use crate::instance::{Live, Loaded};
use crate::limits::Limits;
use crate::sandbox::{Lane, Offer, Sandbox, accept_settings};

pub use crate::bindings::navigator::exports::portcullis::navigator::menu_navigator::{
    CommandResult, Event, Failure, Goal, Key, NamedKey, Outcome, Row, Screen, Step, WaitFor,
};

/// A loaded navigator. Cheap to clone.
#[derive(Clone)]
pub struct NavigatorPlugin {
    plugin: Arc<Loaded<world::NavigatorPlugin>>,
}

/// One navigation under way. It never touches a terminal; the host does what its steps say.
pub struct Navigation {
    plugin: Arc<Loaded<world::NavigatorPlugin>>,
    /// Taken out for each call, so that a failed or given-up call leaves none.
    live: Option<(Live<world::NavigatorPlugin>, ResourceAny)>,
}

impl Sandbox {
    /// Loads a navigator with its settings, which are a JSON object as text.
    ///
    /// # Errors
    /// When any step of loading fails.
    pub async fn load_navigator(
        &self,
        name: &str,
        component: impl Into<ComponentFile<'_>>,
        settings: &str,
        limits: Limits,
    ) -> Result<NavigatorPlugin, LoadError> {
        let offer = Offer::new(name, component.into(), settings, limits, PluginKind::Navigator)?;
        let (plugin, mut live) = self.load::<world::NavigatorPlugin>(offer, Lane::Others).await?;
        let guest = live.world.portcullis_navigator_menu_navigator();
        let findings = guest.call_validate_config(&mut live.store, settings).await;
        let findings = live.settle(findings);
        accept_settings(name, &plugin.limits, findings)?;
        Ok(NavigatorPlugin { plugin })
    }
}

impl NavigatorPlugin {
    pub fn info(&self) -> PluginInfo {
        self.plugin.info()
    }

    /// How sure the plugin is that this screen is its bastion's, 0 to 100.
    ///
    /// # Errors
    /// Any: the caller treats it as 0.
    pub async fn recognise(&self, screen: &Screen) -> Result<u8, CallError> {
        let answer = self.ask_recognise(screen).await;
        self.plugin.counted(answer)
    }

    async fn ask_recognise(&self, screen: &Screen) -> Result<u8, CallError> {
        measure_screen(screen, &mut Question::new(&self.plugin.limits))?;
        let mut live = Live::start(&self.plugin).await?;
        let guest = live.world.portcullis_navigator_menu_navigator();
        let answer = guest.call_recognise(&mut live.store, &self.plugin.settings, screen).await;
        let score = live.settle(answer)?;
        if score > 100 {
            return Answer::refuse(format!("the score {score} is above 100"));
        }
        Ok(score)
    }

    /// Starts a navigation; its first event is [`Event::Start`].
    ///
    /// # Errors
    /// Any: there is no navigation, and nothing was typed.
    pub async fn begin(&self, goal: &Goal) -> Result<Navigation, CallError> {
        let answer = self.ask_begin(goal).await;
        self.plugin.counted(answer)
    }

    async fn ask_begin(&self, goal: &Goal) -> Result<Navigation, CallError> {
        let mut question = Question::new(&self.plugin.limits);
        question.text("the route", &goal.route)?;
        question.attributes(&goal.parameters)?;
        question.levels(&goal.levels)?;
        let mut live = Live::start(&self.plugin).await?;
        let guest = live.world.portcullis_navigator_menu_navigator();
        let answer = guest.call_begin(&mut live.store, &self.plugin.settings, goal).await;
        let navigation = live.settle(answer)?.map_err(plugin_error)?;
        Ok(Navigation { plugin: Arc::clone(&self.plugin), live: Some((live, navigation)) })
    }
}

impl Navigation {
    /// Tells the plugin what happened and gets its next step. After [`Step::Done`] and
    /// [`Step::Fail`] the navigation has ended.
    ///
    /// # Errors
    /// Any: the navigation is over; calling again gives [`CallError::Ended`].
    pub async fn next(&mut self, event: &Event) -> Result<Step, CallError> {
        let answer = self.ask(event).await;
        self.plugin.counted(answer)
    }

    async fn ask(&mut self, event: &Event) -> Result<Step, CallError> {
        let (mut live, navigation) = self.live.take().ok_or(CallError::Ended)?;
        measure_event(event, &mut Question::new(&self.plugin.limits))?;
        live.refill();
        let guest = live.world.portcullis_navigator_menu_navigator().navigation();
        let answer = guest.call_next(&mut live.store, navigation, event).await;
        let mut step = live.settle(answer)?.map_err(plugin_error)?;
        clean_step(&mut step, &Answer::new(&self.plugin.limits))?;
        if !matches!(step, Step::Done(_) | Step::Fail(_)) {
            self.live = Some((live, navigation));
        }
        Ok(step)
    }
}

fn measure_screen(screen: &Screen, question: &mut Question<'_>) -> Result<(), CallError> {
    question.items("the screen", screen.rows.len())?;
    screen.rows.iter().try_for_each(|row| question.text("a row", &row.text))
}

fn measure_event(event: &Event, question: &mut Question<'_>) -> Result<(), CallError> {
    match event {
        Event::Start(screen) | Event::ScreenChanged(screen) | Event::TimedOut(screen) | Event::LevelEntered(screen) => {
            measure_screen(screen, question)
        }
        Event::CommandFinished(result) => question.text("the command's output", &result.output),
        Event::Answer(text) => question.text("the answer", text),
        Event::Refused(reason) => question.text("the reason", reason),
    }
}

fn clean_step(step: &mut Step, answer: &Answer<'_>) -> Result<(), CallError> {
    match step {
        Step::SendLine(line) => answer.exact("the line to send", line),
        Step::SendKeys(keys) => clean_keys(keys, answer),
        Step::SendSecret(name) => answer.name("the secret's name", name),
        Step::Wait(wait) => {
            answer.items("the texts to wait for", wait.any_text.len())?;
            wait.any_text.iter().try_for_each(|text| answer.exact("a text to wait for", text))
        }
        Step::RunCommand(command) => answer.name("the command", command),
        Step::EnterLevel(level) => answer.level(level),
        Step::OpenLevel((line, level)) => {
            answer.name("the line to type", line)?;
            answer.level(level)
        }
        Step::AskPerson(question) => answer.shown("the question", question),
        Step::Done(outcome) => {
            answer.shown("the place's name", &mut outcome.label)?;
            answer.attributes(&mut outcome.attributes)
        }
        Step::Fail(failure) => {
            answer.name("the failure's code", &failure.code)?;
            answer.shown("the failure's message", &mut failure.message)?;
            answer.shown_all("the failure's rows", &mut failure.rows)
        }
    }
}

fn clean_keys(keys: &[Key], answer: &Answer<'_>) -> Result<(), CallError> {
    answer.items("the keys to send", keys.len())?;
    keys.iter().try_for_each(|key| match key {
        Key::Named(_) => Ok(()),
        // Ctrl exists for the letters and `@ [ \ ] ^ _ ?`.
        Key::Control('a'..='z' | '?'..='_') => Ok(()),
        Key::Control(character) => {
            Answer::refuse(format!("there is no control key for U+{:04X}", u32::from(*character)))
        }
        Key::Text(text) => answer.exact("the text to send", text),
    })
}
