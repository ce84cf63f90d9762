//! Who may type here: asked before anything is typed, recorded and told when it changes. An agent's call that has
//! time waits here for its turn.

use std::future::poll_fn;
use std::task::Poll;

use portcullis_term::{NotReady, State, Typist};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::control::{ControlRequest, Party};
use super::super::handle::{AgentsTurn, SessionError};
use super::super::rules::RuleChange;
use super::Actor;
use crate::audit::Entry;
use crate::clock;
use crate::config::PolicyMode;
use crate::gate::{Cleared, Payload, Reader};

/// Of a person's commands, how many an agent that is held off hears.
const TOLD_COMMANDS: usize = 5;
/// Longest of them, in characters.
const TOLD_CHARS: usize = 200;
const INTERRUPT: &[u8] = b"\x03";

/// An agent's call that is held back. Dropping it tells the call to ask again.
pub(super) struct TurnWaiter {
    /// It has a line for the prompt, which has to be clean.
    has_line: bool,
    gone: oneshot::Sender<()>,
}

/// Ready when one of those who wait has given up.
pub(super) async fn given_up(waiters: &mut [TurnWaiter]) {
    poll_fn(|context| {
        let gone = waiters.iter_mut().any(|waiter| waiter.gone.poll_closed(context).is_ready());
        if gone { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl Actor {
    /// Whether whoever was cleared may type now. A person's interrupt always may.
    pub(super) fn must_be_admitted(&self, cleared: &Cleared) -> Result<(), SessionError> {
        let now = Instant::now();
        if cleared.typist() == Typist::Human {
            let interrupts = matches!(cleared.payload(), Payload::Bytes(bytes) if bytes == INTERRUPT);
            return if interrupts { Ok(()) } else { self.control.admits(Party::Human, false, now) };
        }
        let stops = cleared.reader() == Reader::Anything && !matches!(self.terminal.state(), State::AtPrompt { .. });
        self.control.admits(Party::Agent, stops, now).map_err(|held| self.with_what_the_person_did(held))
    }

    /// Whether an agent may type now, or how it hears when to ask again. `has_line` is for a line that needs a clean
    /// prompt.
    pub(super) fn agents_turn(&mut self, has_line: bool) -> Result<AgentsTurn, SessionError> {
        self.must_be_open()?;
        let Err(held) = self.admits_agent(has_line) else {
            return Ok(AgentsTurn::Now { ran: self.what_the_person_ran() });
        };
        let held = self.with_what_the_person_did(held);
        let (gone, comes) = oneshot::channel();
        self.turn_waiters.push(TurnWaiter { has_line, gone });
        self.refresh();
        Ok(AgentsTurn::Later { held, comes })
    }

    fn admits_agent(&self, has_line: bool) -> Result<(), SessionError> {
        self.control.admits(Party::Agent, false, Instant::now())?;
        match self.terminal.state() {
            State::AtPrompt { dirty: true } if has_line => {
                Err(SessionError::Held { holder: Party::Human, words: NotReady::DirtyLine.to_string() })
            }
            _ => Ok(()),
        }
    }

    /// Lets those go whose turn it is, and forgets those who have given up; whether some still wait.
    pub(super) fn agents_wait(&mut self) -> bool {
        let open = self.closed.is_none();
        let mut waiters = std::mem::take(&mut self.turn_waiters);
        waiters.retain(|waiter| open && !waiter.gone.is_closed() && self.admits_agent(waiter.has_line).is_err());
        self.turn_waiters = waiters;
        !self.turn_waiters.is_empty()
    }

    /// An agent that is held off learns what happened meanwhile.
    fn with_what_the_person_did(&self, held: SessionError) -> SessionError {
        let SessionError::Held { holder, words } = held else { return held };
        let ran = self.what_the_person_ran();
        if ran.is_empty() {
            return SessionError::Held { holder, words };
        }
        SessionError::Held { holder, words: format!("{words}; since your last command they ran {}", ran.join(", ")) }
    }

    /// The newest commands of persons since the agent's last one, the oldest first.
    fn what_the_person_ran(&self) -> Vec<String> {
        let theirs = self.commands.iter().rev().take_while(|kept| kept.record.typist == Typist::Human);
        let mut ran: Vec<String> = theirs
            .take(TOLD_COMMANDS)
            .map(|kept| format!("`{}`", kept.record.text.chars().take(TOLD_CHARS).collect::<String>()))
            .collect();
        ran.reverse();
        ran
    }

    pub(super) fn control(
        &mut self,
        who: Party,
        request: ControlRequest,
        by: Option<String>,
    ) -> Result<(), SessionError> {
        self.must_be_open()?;
        if who == Party::Human {
            self.record_person(by)?;
        }
        match self.control.ask(who, request, Instant::now())? {
            Some(change) => self.control_changed(who, change),
            None => {
                // A lease may last longer now.
                self.refresh();
                Ok(())
            }
        }
    }

    /// A lease or a begun line may be over.
    pub(super) fn control_due(&mut self) {
        if let Some(owner) = self.control.expire(Instant::now()) {
            // Without a record the session ends, and that is told.
            drop(self.control_changed(owner, "expired"));
        } else {
            self.refresh();
        }
    }

    fn control_changed(&mut self, who: Party, change: &str) -> Result<(), SessionError> {
        let now = self.control.summary(Instant::now(), clock::unix_ms(), false);
        let holder = now.holder.map(|holder| holder.who.as_str());
        let actor = who.as_str();
        self.must_record(&Entry::Control { actor, change, mode: now.mode.as_str(), holder })?;
        let whose = holder.map_or("free".to_owned(), |holder| format!("the {holder}'s"));
        self.history.happened(&format!("input {change} by {actor}: mode {}, now {whose}", now.mode.as_str()));
        self.refresh();
        Ok(())
    }

    /// A person changes how strictly lines are judged here.
    pub(super) fn set_policy_mode(
        &mut self,
        mode: PolicyMode,
        was: PolicyMode,
        by: Option<String>,
    ) -> Result<(), SessionError> {
        self.must_be_open()?;
        self.record_person(by)?;
        self.must_record(&Entry::PolicyMode { actor: "human", mode: mode.as_str(), was: was.as_str() })?;
        self.history.happened(&format!("policy mode {} set by a person, was {}", mode.as_str(), was.as_str()));
        self.policy_mode = Some(mode);
        self.refresh();
        Ok(())
    }

    /// Changes the rules of this session, once that is on record.
    pub(super) fn change_rules(&mut self, who: Party, change: &RuleChange) -> Result<(), SessionError> {
        self.must_be_open()?;
        let rules = self.rules.after(who, change)?;
        let (what, id, rule) = match change {
            RuleChange::Set(rule) => ("set", Some(rule.id.as_str()), Some(json!(rule))),
            RuleChange::Remove(id) => ("removed", Some(id.as_str()), None),
            RuleChange::Reset => ("reset", None, None),
        };
        let actor = who.as_str();
        self.must_record(&Entry::SessionRules { actor, change: what, id, rule, count: rules.all().len() })?;
        let which = id.map_or_else(|| "rules of this session".to_owned(), |id| format!("rule {id} of this session"));
        self.history.happened(&format!("{which} {what} by {actor}; it has {} now", rules.all().len()));
        self.rules = rules;
        self.refresh();
        Ok(())
    }
}
