//! Who may type: the session's setting, a lease with an owner and an end, and what a person has begun.
//!
//! Pure; time is an argument. The session's task owns it and asks it before anything is typed. A person's
//! interrupt never comes here, and a person can always take over; an agent can never take from a person.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::SessionError;

/// How long a person who took the input and then does nothing keeps it.
const PERSONS_LEASE: Duration = Duration::from_secs(600);
/// What a person began and then left alone no longer holds an agent off.
const BEGUN_HOLDS: Duration = Duration::from_secs(120);
/// Longest text that is remembered of what a person has begun, in bytes.
const MAX_BEGUN_BYTES: usize = 500;

/// Longest and shortest lease of an agent.
pub const AGENTS_LEASE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));

/// A session's setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InputMode {
    /// A person's unfinished typing holds the agent off.
    #[default]
    Auto,
    /// Both type whenever they like.
    Common,
    /// Only persons.
    Human,
    /// Only the agent, until a person takes over.
    Agent,
}

impl InputMode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Common => "common",
            Self::Human => "human",
            Self::Agent => "agent",
        }
    }
}

/// One of the two who share a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    Human,
    Agent,
}

impl Party {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Agent => "agent",
        }
    }
}

/// Why somebody has the input for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// It was taken, or handed over.
    Lease,
    /// The session's setting says so.
    Mode,
    /// They have begun a line.
    Typing,
}

impl Because {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lease => "lease",
            Self::Mode => "mode",
            Self::Typing => "typing",
        }
    }
}

/// Who has the input for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Holder {
    pub who: Party,
    pub because: Because,
    /// When it ends by itself, in milliseconds since 1970-01-01 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_unix_ms: Option<u64>,
}

/// Setting and holder, as the session's summary tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct InputControl {
    pub mode: InputMode,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    /// A call of an agent is held back until the person has done.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub agent_waits: bool,
}

impl InputControl {
    /// This, or `was` where nothing has changed but the clock: the same end of a lease, told a few milliseconds
    /// later, is no news.
    pub(super) fn unless_same_as(self, was: Self) -> Self {
        const SAME_MS: u64 = 1_000;
        let parties = |control: Self| control.holder.map(|holder| (holder.who, holder.because));
        let end = |control: Self| control.holder.and_then(|holder| holder.until_unix_ms);
        let same_end = match (end(self), end(was)) {
            (Some(end), Some(was)) => end.abs_diff(was) < SAME_MS,
            (end, was) => end == was,
        };
        let same = self.mode == was.mode && parties(self) == parties(was) && self.agent_waits == was.agent_waits;
        if same && same_end { was } else { self }
    }

    /// Nothing worth a word.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// What somebody asks about the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlRequest {
    /// For oneself. `force` takes it from the agent, too; only a person can.
    Take { force: bool, ttl: Option<Duration> },
    /// To the other one. A person's line that was begun stays.
    HandOver { ttl: Option<Duration> },
    /// One's own lease ends.
    Release,
    /// A person changes the setting.
    Mode(InputMode),
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    owner: Party,
    until: Instant,
}

/// The state behind [`InputControl`].
#[derive(Debug, Default)]
pub(super) struct Control {
    mode: InputMode,
    lease: Option<Lease>,
    begun: Begun,
}

/// What reads a person's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TypedInto {
    Prompt,
    Program,
    /// A pager or a full-screen program: each key is taken at once, so there is no line to finish.
    Keys,
    SecretQuestion,
}

/// What a person has typed since the last Enter, as far as it can be followed.
#[derive(Debug, Default)]
struct Begun {
    text: String,
    /// Keys that change a line unseen were among it.
    edited: bool,
    /// It was typed into a program, which may be about to ask for a secret.
    private: bool,
    last_key: Option<Instant>,
}

impl Begun {
    fn is_empty(&self) -> bool {
        self.text.is_empty() && !self.edited
    }

    fn follow(&mut self, bytes: &[u8], now: Instant) {
        self.last_key = Some(now);
        for key in String::from_utf8_lossy(bytes).chars() {
            match key {
                '\r' | '\n' | '\x03' | '\x04' | '\x15' | '\x1a' | '\x1c' => {
                    self.text.clear();
                    self.edited = false;
                    self.private = false;
                }
                '\x7f' | '\x08' => drop(self.text.pop()),
                key if key.is_control() => self.edited = true,
                key if self.text.len() < MAX_BEGUN_BYTES => self.text.push(key),
                _ => {}
            }
        }
    }
}

impl Control {
    /// The setting and who has the input now. `unix_ms` is the wall clock at `now`.
    pub(super) fn summary(&self, now: Instant, unix_ms: u64, agent_waits: bool) -> InputControl {
        let until = |until: Instant| unix_ms + until.saturating_duration_since(now).as_millis() as u64;
        let holder = self.holder(now).map(|(who, because)| {
            let ends = (because == Because::Lease).then_some(self.lease).flatten();
            Holder { who, because, until_unix_ms: ends.map(|lease| until(lease.until)) }
        });
        InputControl { mode: self.mode, holder, agent_waits }
    }

    fn holder(&self, now: Instant) -> Option<(Party, Because)> {
        let lease = self.lease.filter(|lease| lease.until > now).map(|lease| lease.owner);
        match (lease, self.mode) {
            (Some(Party::Human), _) => Some((Party::Human, Because::Lease)),
            (_, InputMode::Human) => Some((Party::Human, Because::Mode)),
            (_, InputMode::Agent) => Some((Party::Agent, Because::Mode)),
            (Some(Party::Agent), _) => Some((Party::Agent, Because::Lease)),
            (None, InputMode::Auto) if self.is_begun(now) => Some((Party::Human, Because::Typing)),
            (None, InputMode::Auto | InputMode::Common) => None,
        }
    }

    fn is_begun(&self, now: Instant) -> bool {
        !self.begun.is_empty() && self.begun.last_key.is_some_and(|at| at + BEGUN_HOLDS > now)
    }

    /// Whether `who` may type now. `interrupts` is ctrl-c, which a begun line does not hold off where it has
    /// something to stop.
    ///
    /// # Errors
    /// [`SessionError::Held`] when the other one has the input.
    pub(super) fn admits(&self, who: Party, interrupts: bool, now: Instant) -> Result<(), SessionError> {
        match self.holder(now) {
            Some((_, Because::Typing)) if interrupts => Ok(()),
            Some((holder, because)) if holder != who => Err(self.held(holder, because, now)),
            _ => Ok(()),
        }
    }

    fn held(&self, holder: Party, because: Because, now: Instant) -> SessionError {
        let left = self.lease.map_or(Duration::ZERO, |lease| lease.until.saturating_duration_since(now)).as_secs();
        let words = match (holder, because) {
            (Party::Human, Because::Lease) => {
                format!("a person has taken the input (for another {left} s, or until they hand it over)")
            }
            (Party::Human, Because::Mode) => "a person has set this session to take input from persons only".to_owned(),
            (Party::Human, Because::Typing) => {
                match (self.begun.text.is_empty(), self.begun.edited || self.begun.private) {
                    (false, false) => format!("a person is typing here (`{}`, no Enter yet)", self.begun.text),
                    _ => "a person is typing here and has not pressed Enter".to_owned(),
                }
            }
            (Party::Agent, Because::Mode) => "this session is set to take input from the agent only".to_owned(),
            (Party::Agent, _) => format!("the agent has taken the input (for another {left} s)"),
        };
        SessionError::Held { holder, words }
    }

    /// A person typed `into` something; their own lease goes on.
    pub(super) fn person_typed(&mut self, bytes: &[u8], into: TypedInto, now: Instant) {
        match into {
            // Nothing of a secret is kept anywhere.
            TypedInto::SecretQuestion | TypedInto::Keys => self.begun = Begun::default(),
            TypedInto::Program | TypedInto::Prompt => {
                self.begun.private |= into == TypedInto::Program;
                self.begun.follow(bytes, now);
            }
        }
        if let Some(lease) = self.lease.as_mut().filter(|lease| lease.owner == Party::Human) {
            lease.until = lease.until.max(now + PERSONS_LEASE);
        }
    }

    /// What stands in the terminal's line is no longer a person's: its prompt is fresh.
    pub(super) fn line_is_fresh(&mut self) {
        self.begun = Begun::default();
    }

    /// Does what was asked; what it comes to as one word for the record, none where nothing has changed.
    ///
    /// # Errors
    /// [`SessionError::Held`] when the other one has it and it cannot be taken.
    pub(super) fn ask(
        &mut self,
        who: Party,
        request: ControlRequest,
        now: Instant,
    ) -> Result<Option<&'static str>, SessionError> {
        match request {
            ControlRequest::Take { force, ttl } => {
                let by_force = match self.admits(who, false, now) {
                    Ok(()) => false,
                    // Between persons there is nothing to take; from a person nobody takes.
                    Err(_) if force && who == Party::Human => true,
                    Err(held) => return Err(held),
                };
                // One's own that only lasts longer is no news: whoever types may take it each time.
                let is_own = self.lease.is_some_and(|lease| lease.owner == who && lease.until > now);
                self.lease = Some(Lease { owner: who, until: now + ttl.unwrap_or(PERSONS_LEASE) });
                Ok((!is_own).then_some(if by_force { "taken_by_force" } else { "taken" }))
            }
            ControlRequest::HandOver { ttl } => {
                if who == Party::Agent {
                    self.admits(who, false, now)?;
                    self.lease = Some(Lease { owner: Party::Human, until: now + ttl.unwrap_or(PERSONS_LEASE) });
                } else {
                    self.lease = None;
                    self.mode = if self.mode == InputMode::Human { InputMode::Auto } else { self.mode };
                }
                Ok(Some("handed_over"))
            }
            ControlRequest::Release => Ok(self.lease.take_if(|lease| lease.owner == who).map(|_| "released")),
            ControlRequest::Mode(mode) => {
                self.mode = mode;
                self.lease = None;
                Ok(Some("mode"))
            }
        }
    }

    /// When the state changes by itself next.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let lease = self.lease.map(|lease| lease.until);
        let begun = self.begun.last_key.filter(|_| self.is_begun(now)).map(|at| at + BEGUN_HOLDS);
        lease.into_iter().chain(begun).min()
    }

    /// Drops a lease that is over; whose it was.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Party> {
        if !self.is_begun(now) {
            self.begun = Begun::default();
        }
        self.lease.take_if(|lease| lease.until <= now).map(|lease| lease.owner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const TAKE: ControlRequest = ControlRequest::Take { force: false, ttl: None };
    const FORCE: ControlRequest = ControlRequest::Take { force: true, ttl: None };
    const HAND_OVER: ControlRequest = ControlRequest::HandOver { ttl: None };

    fn may(control: &Control, now: Instant) -> (bool, bool) {
        let admits = |who| control.admits(who, false, now).is_ok();
        (admits(Party::Human), admits(Party::Agent))
    }

    #[test]
    fn each_setting_admits_whom_it_names() {
        let now = Instant::now();
        for (mode, expected) in [
            (InputMode::Auto, (true, true)),
            (InputMode::Common, (true, true)),
            (InputMode::Human, (true, false)),
            (InputMode::Agent, (false, true)),
        ] {
            let mut control = Control::default();
            control.ask(Party::Human, ControlRequest::Mode(mode), now).unwrap();
            assert_eq!(may(&control, now), expected, "{mode:?}");
            control.ask(Party::Human, FORCE, now).unwrap();
            assert_eq!(may(&control, now), (true, false), "{mode:?}, taken by a person");
        }
    }

    #[test]
    fn what_a_person_began_holds_the_agent_off_until_it_is_finished_or_left() {
        let now = Instant::now();
        let mut control = Control::default();
        control.person_typed(b"git st", TypedInto::Prompt, now);
        let told = control.admits(Party::Agent, false, now).unwrap_err().to_string();
        assert!(told.contains("`git st`"), "{told}");
        assert!(control.admits(Party::Agent, true, now).is_ok(), "an interrupt where there is something to stop");
        control.person_typed(b"\r", TypedInto::Prompt, now);
        assert_eq!(may(&control, now), (true, true));
        control.person_typed(b"ab\x7f\x7f", TypedInto::Prompt, now);
        assert_eq!(may(&control, now), (true, true), "rubbed out");
        control.person_typed(b"\x1b[A", TypedInto::Prompt, now);
        assert_eq!(may(&control, now), (true, false), "a line out of the history");
        assert_eq!(may(&control, now + BEGUN_HOLDS), (true, true), "left alone");
        control.person_typed(b" q", TypedInto::Keys, now);
        assert!(control.admits(Party::Agent, false, now).is_ok(), "keys of a pager are no line");
        control.person_typed(b"hunter2", TypedInto::SecretQuestion, now);
        assert_eq!(may(&control, now), (true, true), "an answer that is not kept");
        control.person_typed(b"hunter2", TypedInto::Program, now);
        let told = control.admits(Party::Agent, false, now).unwrap_err().to_string();
        assert!(told.contains("a person is typing here") && !told.contains("hunter2"), "{told}");
        control.person_typed(b"\r", TypedInto::Program, now);
        control.person_typed(b"x", TypedInto::Prompt, now);
        control.ask(Party::Human, ControlRequest::Mode(InputMode::Common), now).unwrap();
        assert_eq!(may(&control, now), (true, true), "common");
    }

    #[test]
    fn an_agent_takes_what_is_free_and_never_from_a_person() {
        let now = Instant::now();
        let mut control = Control::default();
        assert_eq!(control.ask(Party::Agent, TAKE, now).unwrap(), Some("taken"));
        assert_eq!(may(&control, now), (false, true));
        assert!(control.ask(Party::Human, TAKE, now).is_err());
        assert_eq!(control.ask(Party::Human, FORCE, now).unwrap(), Some("taken_by_force"));
        for request in [TAKE, FORCE, HAND_OVER] {
            assert!(control.ask(Party::Agent, request, now).is_err(), "{request:?}");
        }
        assert_eq!(control.ask(Party::Agent, ControlRequest::Release, now).unwrap(), None);
        assert_eq!(may(&control, now), (true, false), "a release is of one's own only");
        control.ask(Party::Human, HAND_OVER, now).unwrap();
        assert_eq!(may(&control, now), (true, true));
        control.person_typed(b"x", TypedInto::Prompt, now);
        assert!(control.ask(Party::Agent, FORCE, now).is_err(), "a person has begun a line");
        control.ask(Party::Human, ControlRequest::Mode(InputMode::Human), now).unwrap();
        assert!(control.ask(Party::Agent, FORCE, now).is_err());
    }

    #[test]
    fn a_lease_ends_by_itself_and_a_persons_goes_on_while_they_type() {
        let now = Instant::now();
        let mut control = Control::default();
        let minute = Some(Duration::from_secs(60));
        control.ask(Party::Agent, ControlRequest::Take { force: false, ttl: minute }, now).unwrap();
        let end = control.due(now).unwrap();
        assert_eq!(end, now + Duration::from_secs(60));
        let longer = ControlRequest::Take { force: false, ttl: Some(Duration::from_secs(90)) };
        assert_eq!(control.ask(Party::Agent, longer, now).unwrap(), None, "the same one has it, only for longer");
        assert_eq!(control.due(now), Some(now + Duration::from_secs(90)));
        let end = now + Duration::from_secs(90);
        assert_eq!((may(&control, end), control.expire(end)), ((true, true), Some(Party::Agent)));
        control.ask(Party::Agent, ControlRequest::HandOver { ttl: minute }, now).unwrap();
        control.person_typed(b"ls\r", TypedInto::Prompt, now + Duration::from_secs(50));
        assert_eq!(may(&control, now + Duration::from_secs(100)), (true, false));
        assert_eq!(control.expire(now + Duration::from_secs(50) + PERSONS_LEASE), Some(Party::Human));
    }
}
