//! The way itself: one state per thing waited for.

use navigator_common::pods;
use navigator_common::screen::{last_line, shown};
use portcullis_plugin::navigator::{CommandResult, Event, Failure, Navigation, Outcome, Screen, Step, WaitFor};
use portcullis_plugin::{Attribute, Level, LevelKind, PluginError, attribute};

use crate::goal::Wanted;
use crate::menu::{self, Answer, Host, User};
use crate::settings::Settings;

/// Screens looked at while waiting for one answer; a menu that only flickers is silent.
const MAX_LOOKS: u32 = 64;

/// What is waited for.
#[derive(Debug)]
enum State {
    /// The first screen that tells where the session is.
    Start,
    /// The menu's answer to the target.
    Target { prompts_before: usize },
    /// The menu's answer to the user's number.
    User { host: Host, user: User, prompts_before: usize },
    /// The answer to the password.
    Password { host: Host, user: User, prompts_before: usize },
    /// The host's shell.
    HostShell { host: Host, user: String },
    /// The list of pods.
    Pods { host: Host },
    /// The pod's shell.
    PodShell { label: String, attributes: Vec<Attribute> },
    /// A last answer has been given.
    Over,
}

/// One way through the bastion.
#[derive(Debug)]
pub struct Way {
    settings: Settings,
    wanted: Wanted,
    levels: Vec<Level>,
    state: State,
    looks: u32,
    /// The wait that the next `timed-out` belongs to was asked for by this plugin.
    waited: bool,
}

impl Navigation for Way {
    fn next(&mut self, event: Event) -> Result<Step, PluginError> {
        match (std::mem::replace(&mut self.state, State::Over), event) {
            (State::Over, _) => Err(PluginError::InvalidInput("this navigation is over; begin a new one".to_owned())),
            (_, Event::Refused(reason)) => {
                Ok(Failure::step("refused", format!("the step was not done: {reason}"), Vec::new()))
            }
            (state, Event::Start(screen) | Event::ScreenChanged(screen)) => self.look(state, &screen, false),
            (state, Event::TimedOut(screen)) => self.look(state, &screen, true),
            (State::HostShell { host, user }, Event::LevelEntered(_)) => Ok(self.on_host(host, &user)),
            (State::PodShell { label, attributes }, Event::LevelEntered(_)) => {
                Ok(Step::Done(Outcome { label, attributes }))
            }
            (State::Pods { host }, Event::CommandFinished(result)) => Ok(self.pods_listed(host, &result)),
            (State::PodShell { label, .. }, Event::CommandFinished(result)) => Ok(pods::not_opened(&label, &result)),
            (state, event) => {
                Err(PluginError::InvalidInput(format!("in state {state:?} the event {event:?} was not asked for")))
            }
        }
    }
}

impl Way {
    pub(crate) fn new(settings: Settings, wanted: Wanted, levels: Vec<Level>) -> Self {
        Self { settings, wanted, levels, state: State::Start, looks: 0, waited: false }
    }

    /// Looks at a screen for what the state waits for.
    fn look(&mut self, state: State, screen: &Screen, timed_out: bool) -> Result<Step, PluginError> {
        let lines = screen.lines();
        let step = match &state {
            State::Start => self.start(screen, &lines),
            State::Target { prompts_before } => self.target_answered(&lines, *prompts_before),
            State::User { host, user, prompts_before } => self.user_answered(&lines, host, user, *prompts_before),
            State::Password { host, user, prompts_before } => {
                self.password_answered(&lines, host, user, *prompts_before)
            }
            State::HostShell { .. } | State::Pods { .. } | State::PodShell { .. } => {
                let message = "the shell that should have come is not there";
                Some(Failure::step("level-not-reached", message, shown(&lines)))
            }
            State::Over => None,
        };
        match step {
            Some(step) => {
                self.looks = 0;
                self.waited = false;
                Ok(step)
            }
            None => Ok(self.wait_on(state, &lines, timed_out)),
        }
    }

    fn wait_on(&mut self, state: State, lines: &[String], timed_out: bool) -> Step {
        self.looks += 1;
        if (timed_out && self.waited) || self.looks > MAX_LOOKS {
            let (code, message) = match state {
                State::Start => {
                    ("not-recognised", "this is neither the bastion's menu nor a place it led to".to_owned())
                }
                State::Target { .. } => ("menu-silent", format!("the menu did not answer to {}", self.wanted.target)),
                State::Password { .. } => ("menu-silent", "the bastion did not answer to the password".to_owned()),
                _ => ("menu-silent", "the menu did not answer to the user's number".to_owned()),
            };
            return Failure::step(code, message, shown(lines));
        }
        let max_ms = match state {
            State::User { .. } | State::Password { .. } => self.settings.login_timeout_ms,
            _ => self.settings.menu_timeout_ms,
        };
        self.state = state;
        self.waited = true;
        // Any change: a text to wait for may be on the screen already, from before.
        Step::Wait(WaitFor { any_text: Vec::new(), quiet_ms: self.settings.quiet_ms, max_ms })
    }

    /// Goes on from wherever the session is.
    fn start(&mut self, screen: &Screen, lines: &[String]) -> Option<Step> {
        let texts = &self.settings.texts;
        let last = last_line(lines);
        if !screen.at_prompt && last == Some(texts.target_prompt.trim_end()) {
            let prompts_before = menu::prompts(lines, &texts.target_prompt);
            self.state = State::Target { prompts_before };
            return Some(Step::SendLine(self.wanted.target.clone()));
        }
        if !screen.at_prompt && last == Some(texts.user_prompt.trim_end()) {
            return Some(self.choose_user(lines, lines, "wrong-place"));
        }
        self.continue_from_level(lines)
    }

    /// Goes on from a shell this navigator, or another way, has led to.
    fn continue_from_level(&mut self, lines: &[String]) -> Option<Step> {
        let level = self.levels.last()?.clone();
        let wrong = |message: String| Some(Failure::step("wrong-place", message, shown(lines)));
        match level.kind {
            LevelKind::Shell if attribute(&level.attributes, "navigator") == Some("cmsm") => match self.host_of(&level)
            {
                Some((host, user)) => Some(self.on_host(host, &user)),
                None => wrong(format!("the session is on {}, not on the target; leave it first", level.label)),
            },
            LevelKind::PodShell => {
                let below = self.levels.iter().rfind(|below| below.kind == LevelKind::Shell).cloned();
                let on_target = below.is_some_and(|below| self.host_of(&below).is_some());
                if on_target && self.is_wanted_pod(&level.label) {
                    return Some(Step::Done(Outcome { label: level.label, attributes: level.attributes }));
                }
                wrong(format!("the session is in {}, not in the place asked for; leave it first", level.label))
            }
            // The bastion's own login shell, before the menu has been drawn, or something unknown:
            // the screen decides.
            _ => None,
        }
    }

    /// The level's host and user, if they are the ones asked for.
    fn host_of(&self, level: &Level) -> Option<(Host, String)> {
        let address = attribute(&level.attributes, "address")?;
        let user = attribute(&level.attributes, "user")?;
        let number = attribute(&level.attributes, "user-number")?;
        let fits = self.wanted.is_target(&level.label, address) && [user, number].contains(&self.wanted.user.as_str());
        fits.then(|| (Host { address: address.to_owned(), name: level.label.clone() }, user.to_owned()))
    }

    fn is_wanted_pod(&self, label: &str) -> bool {
        self.wanted.pod.as_ref().is_some_and(|pod| pod.is_label(label))
    }

    fn target_answered(&mut self, lines: &[String], prompts_before: usize) -> Option<Step> {
        let texts = &self.settings.texts;
        match menu::answer(lines, &texts.target_prompt, &self.wanted.target, prompts_before) {
            Answer::Pending => None,
            Answer::AskedAgain(said) => {
                let message = format!("the menu did not take {}", self.wanted.target);
                Some(Failure::step("rejected", message, shown(&said)))
            }
            Answer::Taken(said) if last_line(&said) == Some(texts.user_prompt.trim_end()) => {
                Some(self.check_result(&said, lines))
            }
            Answer::Taken(_) => None,
        }
    }

    /// The menu must show exactly the target asked for before a user is chosen.
    fn check_result(&mut self, said: &[String], lines: &[String]) -> Step {
        let rows = menu::search_rows(said, &self.settings.texts);
        let found = match rows.as_slice() {
            [row] => menu::host_of_row(row),
            [] => None,
            _ => {
                let message = format!("{} rows answer to {}; give the exact address", rows.len(), self.wanted.target);
                return Failure::step("ambiguous", message, shown(&rows));
            }
        };
        match found {
            Some(host) if self.wanted.is_target(&host.name, &host.address) => {
                self.choose_user(said, lines, "target-not-found")
            }
            _ => {
                let message = format!("the menu found something other than {}", self.wanted.target);
                Failure::step("target-not-found", message, shown(said))
            }
        }
    }

    /// At the list of users, which is in `said`, a part of the screen's `lines`. `mismatch` is the
    /// code when the list is another host's.
    fn choose_user(&mut self, said: &[String], lines: &[String], mismatch: &str) -> Step {
        let texts = &self.settings.texts;
        let host = match menu::announced_host(said, texts) {
            Some(host) if self.wanted.is_target(&host.name, &host.address) => host,
            _ => {
                let message = format!("the list of users is not that of {}", self.wanted.target);
                return Failure::step(mismatch, message, shown(said));
            }
        };
        let wanted = &self.wanted.user;
        let mut fitting =
            menu::users(said, texts).into_iter().filter(|user| user.name == *wanted || user.number == *wanted);
        match (fitting.next(), fitting.next()) {
            (Some(user), None) => {
                let prompts_before = menu::prompts(lines, &texts.user_prompt);
                let line = user.number.clone();
                self.state = State::User { host, user, prompts_before };
                Step::SendLine(line)
            }
            (None, _) => Failure::step("user-not-found", format!("no user {wanted:?} is offered"), shown(said)),
            (Some(_), Some(_)) => {
                Failure::step("ambiguous", format!("several entries are called {wanted:?}"), shown(said))
            }
        }
    }

    fn user_answered(&mut self, lines: &[String], host: &Host, user: &User, prompts_before: usize) -> Option<Step> {
        let texts = &self.settings.texts;
        match menu::answer(lines, &texts.user_prompt, &user.number, prompts_before) {
            Answer::Pending => None,
            Answer::AskedAgain(said) => {
                let message = format!("the menu did not take {} for {}", user.number, user.name);
                Some(Failure::step("rejected", message, shown(&said)))
            }
            Answer::Taken(said) if last_line(&said).is_some_and(|line| texts.asks_password(line)) => {
                Some(self.give_password(lines, host, user))
            }
            Answer::Taken(said) => self.logged_in(&said, host, user),
        }
    }

    fn logged_in(&mut self, said: &[String], host: &Host, user: &User) -> Option<Step> {
        let login = self.settings.texts.login_line(&host.name, &user.name);
        said.iter().any(|line| line.trim() == login).then(|| self.enter_host(host, user))
    }

    fn give_password(&mut self, lines: &[String], host: &Host, user: &User) -> Step {
        let Some(name) = self.wanted.password_secret.clone() else {
            let message = format!(
                "the bastion asks for the password of {}; name its secret in the route (`password_secret`) and bind it in the profile",
                user.name
            );
            return Failure::step("secret-needed", message, shown(lines));
        };
        let prompts_before = self.password_prompts(lines);
        self.state = State::Password { host: host.clone(), user: user.clone(), prompts_before };
        Step::SendSecret(name)
    }

    /// A password that was not taken is not given again: accounts are locked for that.
    fn password_answered(&mut self, lines: &[String], host: &Host, user: &User, prompts_before: usize) -> Option<Step> {
        let asks = |line: &String| self.settings.texts.asks_password(line);
        let again = self.password_prompts(lines) > prompts_before;
        if again {
            let message = format!("the bastion did not take the password of {}", user.name);
            return Some(Failure::step("secret-refused", message, shown(lines)));
        }
        let asked = lines.iter().rposition(asks)?;
        self.logged_in(&lines[asked + 1..], host, user)
    }

    fn password_prompts(&self, lines: &[String]) -> usize {
        lines.iter().filter(|line| self.settings.texts.asks_password(line)).count()
    }

    fn enter_host(&mut self, host: &Host, user: &User) -> Step {
        self.state = State::HostShell { host: host.clone(), user: user.name.clone() };
        Step::EnterLevel(Level {
            kind: LevelKind::Shell,
            label: host.name.clone(),
            dialect: self.settings.host_shell.into(),
            attributes: vec![
                Attribute::new("navigator", "cmsm"),
                Attribute::new("address", &host.address),
                Attribute::new("user", &user.name),
                Attribute::new("user-number", &user.number),
            ],
        })
    }

    fn on_host(&mut self, host: Host, user: &str) -> Step {
        let Some(pod) = &self.wanted.pod else {
            let attributes = vec![Attribute::new("address", &host.address), Attribute::new("user", user)];
            return Step::Done(Outcome { label: host.name, attributes });
        };
        let command = pod.listing();
        self.state = State::Pods { host };
        Step::RunCommand(command)
    }

    fn pods_listed(&mut self, host: Host, result: &CommandResult) -> Step {
        let Some(pod) = &self.wanted.pod else {
            return Failure::step("unreadable", "no pod was asked for", Vec::new());
        };
        match pod.opening(&host.name, result) {
            Ok((command, level)) => {
                self.state = State::PodShell { label: level.label.clone(), attributes: level.attributes.clone() };
                Step::OpenLevel((command, level))
            }
            Err(end) => *end,
        }
    }
}
