//! The way itself: one state per thing waited for. What the list and the choice lead to stands in
//! `listing` and `choice`; here are the start, the shell behind the menu, and the waiting.

use navigator_common::pods;
use navigator_common::screen::{Sent, shown};
use portcullis_plugin::navigator::{CommandResult, Event, Failure, Navigation, Outcome, Screen, Step, WaitFor};
use portcullis_plugin::{Attribute, Level, LevelKind, PluginError, attribute};

use crate::goal::Wanted;
use crate::identity::Claim;
use crate::listing::Listing;
use crate::menu::{self, Asset, Prompt};
use crate::settings::Settings;

/// Screens looked at while waiting for one answer; a menu that only flickers is silent.
const MAX_LOOKS: u32 = 64;
/// A reviewer is waited for in so many pieces, as a host ends a wait after a minute.
const APPROVAL_WAITS: u32 = 3;
pub(crate) const NAVIGATOR: &str = "jumpserver";

/// What is waited for.
#[derive(Debug)]
pub(crate) enum State {
    /// The first screen that tells where the session is.
    Start,
    /// The list of assets instead of another list.
    Switched(Sent),
    /// A page of the list.
    Listed(Listing, Sent),
    /// What the row's number, and whatever is answered on the way, leads to.
    Chosen(Choice, Sent),
    /// The shell of the asset.
    HostShell(Claim),
    /// The answer to a question who the host is.
    Verified {
        claim: Claim,
        check: usize,
    },
    /// Back from a host that is another one; then the failure.
    Left(Box<Step>),
    Pods(Claim),
    PodShell {
        label: String,
        attributes: Vec<Attribute>,
    },
    /// A last answer has been given.
    Over,
}

/// A row that was chosen, and how far its login has come.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) asset: Asset,
    /// Of the row chosen among several accounts.
    pub(crate) account: Option<String>,
    pub(crate) login: Option<String>,
    /// A reviewer has been asked.
    pub(crate) in_review: bool,
    pub(crate) asked_for_secret: bool,
    pub(crate) numbers_given: u32,
}

/// One way through the bastion.
#[derive(Debug)]
pub struct Way {
    pub(crate) settings: Settings,
    pub(crate) wanted: Wanted,
    levels: Vec<Level>,
    pub(crate) state: State,
    looks: u32,
    /// Waits for the present answer that were over without it, or that have only begun.
    waits: u32,
}

impl Navigation for Way {
    fn next(&mut self, event: Event) -> Result<Step, PluginError> {
        match (std::mem::replace(&mut self.state, State::Over), event) {
            (State::Over, _) => Err(PluginError::InvalidInput("this navigation is over; begin a new one".to_owned())),
            // The wrong host is being left; whatever becomes of that, the failure stands.
            (State::Left(failure), _) => Ok(*failure),
            (_, Event::Refused(reason)) => {
                Ok(Failure::step("refused", format!("the step was not done: {reason}"), Vec::new()))
            }
            (state, Event::Start(screen) | Event::ScreenChanged(screen)) => Ok(self.look(state, &screen, false)),
            (state, Event::TimedOut(screen)) => Ok(self.look(state, &screen, true)),
            (State::HostShell(claim), Event::LevelEntered(_)) => Ok(self.verify(claim, 0)),
            (State::Verified { claim, check }, Event::CommandFinished(result)) => {
                Ok(self.verified(claim, check, &result))
            }
            (State::PodShell { label, attributes }, Event::LevelEntered(_)) => {
                Ok(Step::Done(Outcome { label, attributes }))
            }
            (State::Pods(claim), Event::CommandFinished(result)) => Ok(self.pods_listed(&claim, &result)),
            (State::PodShell { label, .. }, Event::CommandFinished(result)) => Ok(pods::not_opened(&label, &result)),
            (state, event) => {
                Err(PluginError::InvalidInput(format!("in state {state:?} the event {event:?} was not asked for")))
            }
        }
    }
}

impl Way {
    pub(crate) fn new(settings: Settings, wanted: Wanted, levels: Vec<Level>) -> Self {
        Self { settings, wanted, levels, state: State::Start, looks: 0, waits: 0 }
    }

    /// Looks at a screen for what the state waits for.
    fn look(&mut self, state: State, screen: &Screen, timed_out: bool) -> Step {
        let lines = screen.lines();
        let step = match &state {
            State::Start => self.start(screen, &lines),
            State::Switched(sent) => {
                let listed = sent.answered(&lines).is_some_and(|said| menu::page(&said).is_some());
                listed.then(|| self.search(&lines))
            }
            State::Listed(listing, sent) => self.listed(listing, sent, &lines),
            State::Chosen(choice, sent) => self.chosen(choice, sent, screen, &lines),
            _ => {
                let message = "the shell that should have come is not there";
                Some(Failure::step("level-not-reached", message, shown(&lines)))
            }
        };
        match step {
            Some(step) => {
                (self.looks, self.waits) = (0, 0);
                step
            }
            None => self.wait_on(state, screen, &lines, timed_out),
        }
    }

    fn wait_on(&mut self, state: State, screen: &Screen, lines: &[String], timed_out: bool) -> Step {
        self.looks += 1;
        let in_review = matches!(&state, State::Chosen(choice, _) if choice.in_review);
        let limit = if in_review { APPROVAL_WAITS } else { 1 };
        let is_settling = matches!(state, State::Chosen(..)) && self.shell_waits(lines);
        if (timed_out && self.waits >= limit && !is_settling) || self.looks > MAX_LOOKS {
            return self.silent(&state, lines);
        }
        if timed_out || self.waits == 0 {
            self.waits += 1;
        }
        let wait = match &state {
            State::Chosen(..) if in_review && !is_settling && !self.has_verdict(lines) => self.review_wait(),
            State::Chosen(..) if is_settling => {
                self.any_change(self.settings.settle_ms.saturating_sub(screen.quiet_ms).max(20))
            }
            State::Chosen(..) => self.any_change(self.settings.login_timeout_ms),
            _ => self.any_change(self.settings.menu_timeout_ms),
        };
        self.state = state;
        Step::Wait(wait)
    }

    /// A verdict is on the screen, of now or of an earlier login.
    fn has_verdict(&self, lines: &[String]) -> bool {
        let texts = &self.settings.texts;
        menu::says(lines, &texts.approved) || menu::says(lines, &texts.rejected)
    }

    /// A reviewer's verdict; the seconds that are counted meanwhile are none.
    fn review_wait(&self) -> WaitFor {
        let texts = &self.settings.texts;
        WaitFor {
            any_text: [&texts.approved[..], &texts.rejected[..]].concat(),
            quiet_ms: self.settings.quiet_ms,
            max_ms: self.settings.approval_timeout_ms / APPROVAL_WAITS,
        }
    }

    pub(crate) fn approval_wait(&mut self) -> Step {
        Step::Wait(self.review_wait())
    }

    /// Any change: a text to wait for may be on the screen already, from before.
    fn any_change(&self, max_ms: u32) -> WaitFor {
        WaitFor { any_text: Vec::new(), quiet_ms: self.settings.quiet_ms, max_ms }
    }

    /// Nothing more has come.
    fn silent(&self, state: &State, lines: &[String]) -> Step {
        let target = &self.wanted.target;
        let (code, message) = match state {
            State::Start => ("not-recognised", "this is neither the bastion's menu nor a place it led to".to_owned()),
            State::Listed(_, sent) => match sent.answered(lines) {
                Some(said) if menu::waiting_prompt(&said).is_some() => {
                    ("target-not-found", format!("the menu shows no list for {target}"))
                }
                _ => ("menu-silent", format!("the menu did not answer to the search for {target}")),
            },
            State::Chosen(choice, _) if choice.in_review => (
                "approval-timeout",
                "no reviewer has answered; the request stands, and the terminal still waits for it (`q` cancels)"
                    .to_owned(),
            ),
            _ => ("menu-silent", format!("the bastion did not lead to {target}")),
        };
        Failure::step(code, message, shown(lines))
    }

    /// Goes on from wherever the session is.
    fn start(&mut self, screen: &Screen, lines: &[String]) -> Option<Step> {
        if screen.at_prompt {
            return self.continue_from_level(lines);
        }
        match menu::waiting_prompt(lines) {
            Some(Prompt::Hosts) => Some(self.search(lines)),
            // Clusters and databases have lists of their own; `p` goes back to the assets.
            Some(Prompt::Others) => {
                self.state = State::Switched(Sent::new("p", lines));
                Some(Step::SendLine("p".to_owned()))
            }
            Some(Prompt::Number) => {
                let message = "the menu asks for a number that belongs to another choice; answer `b` first";
                Some(Failure::step("wrong-place", message, shown(lines)))
            }
            None => self.continue_from_level(lines),
        }
    }

    /// Goes on from a shell this navigator, or another way, has led to.
    fn continue_from_level(&mut self, lines: &[String]) -> Option<Step> {
        let level = self.levels.last()?.clone();
        let wrong = |message: String| Some(Failure::step("wrong-place", message, shown(lines)));
        match level.kind {
            LevelKind::Shell if attribute(&level.attributes, "navigator") == Some(NAVIGATOR) => {
                match self.claim_of(&level) {
                    Some(claim) => Some(self.verify(claim, 0)),
                    None => wrong(format!("the session is on {}, not on the target; leave it first", level.label)),
                }
            }
            LevelKind::PodShell => {
                let below = self.levels.iter().rfind(|below| below.kind == LevelKind::Shell);
                let on_target = below.is_some_and(|below| self.claim_of(below).is_some());
                if on_target && self.wanted.pod.as_ref().is_some_and(|pod| pod.is_label(&level.label)) {
                    return Some(Step::Done(Outcome { label: level.label, attributes: level.attributes }));
                }
                wrong(format!("the session is in {}, not in the place asked for; leave it first", level.label))
            }
            // Before the menu has been drawn, or something unknown: the screen decides.
            _ => None,
        }
    }

    /// What the level was entered as, if that is what is asked for.
    fn claim_of(&self, level: &Level) -> Option<Claim> {
        let value = |key| attribute(&level.attributes, key).map(str::to_owned);
        let asset = Asset { number: String::new(), name: level.label.clone(), address: value("address")? };
        let (account, login) = (value("account"), value("user"));
        let wanted = self.wanted.account.as_ref();
        let same_account =
            wanted.is_none() || account.is_none() || [&account, &login].iter().any(|is| is.as_ref() == wanted);
        (self.wanted.is_target(&asset) && same_account).then(|| self.claim(&asset, account, login))
    }

    pub(crate) fn claim(&self, asset: &Asset, account: Option<String>, login: Option<String>) -> Claim {
        Claim {
            name: asset.name.clone(),
            address: asset.address.clone(),
            host_name: self.wanted.host_name.clone().unwrap_or_else(|| asset.name.clone()),
            account,
            login,
        }
    }

    pub(crate) fn enter_host(&mut self, claim: Claim) -> Step {
        let mut attributes = vec![
            Attribute::new("navigator", NAVIGATOR),
            Attribute::new("address", &claim.address),
            // koko shows its menu again when the asset's shell has ended.
            Attribute::new("leaves-to", "menu"),
        ];
        attributes.extend(claim.account.as_ref().map(|account| Attribute::new("account", account)));
        attributes.extend(claim.login.as_ref().map(|login| Attribute::new("user", login)));
        let level = Level {
            kind: LevelKind::Shell,
            label: claim.name.clone(),
            dialect: self.settings.host_shell.into(),
            attributes,
        };
        self.state = State::HostShell(claim);
        Step::EnterLevel(level)
    }

    /// Asks the host the next question that can be asked, from the check of this number on.
    fn verify(&mut self, claim: Claim, from: usize) -> Step {
        for (check, question) in self.settings.verify.iter().enumerate().skip(from) {
            match question.is_due(&claim) {
                Ok(true) => {
                    let command = question.run.clone();
                    self.state = State::Verified { claim, check };
                    return Step::RunCommand(command);
                }
                Ok(false) => {}
                Err(failure) => return self.leave(failure),
            }
        }
        self.on_host(claim)
    }

    fn verified(&mut self, claim: Claim, check: usize, result: &CommandResult) -> Step {
        let failure = self.settings.verify.get(check).and_then(|question| question.judge(&claim, result));
        match failure {
            Some(failure) => self.leave(Box::new(failure)),
            None => self.verify(claim, check + 1),
        }
    }

    /// Nobody is left at the prompt of a host under another one's name.
    fn leave(&mut self, failure: Box<Step>) -> Step {
        self.state = State::Left(failure);
        Step::RunCommand("exit".to_owned())
    }

    fn on_host(&mut self, claim: Claim) -> Step {
        let Some(pod) = &self.wanted.pod else {
            let mut attributes = vec![Attribute::new("address", &claim.address)];
            attributes.extend(claim.account.as_ref().map(|account| Attribute::new("account", account)));
            attributes.push(Attribute::new("verified", if self.settings.verify.is_empty() { "no" } else { "yes" }));
            return Step::Done(Outcome { label: claim.name, attributes });
        };
        let command = pod.listing();
        self.state = State::Pods(claim);
        Step::RunCommand(command)
    }

    fn pods_listed(&mut self, claim: &Claim, result: &CommandResult) -> Step {
        let Some(pod) = &self.wanted.pod else {
            return Failure::step("unreadable", "no pod was asked for", Vec::new());
        };
        match pod.opening(&claim.name, result) {
            Ok((command, level)) => {
                self.state = State::PodShell { label: level.label.clone(), attributes: level.attributes.clone() };
                Step::OpenLevel((command, level))
            }
            Err(end) => *end,
        }
    }
}
