//! How a plugin has fared: calls, failures by kind, and the rest it is given when it keeps failing.
//!
//! A plugin that fails again and again costs its whole budget each time. After some failures in a
//! row it is not asked for a while, each time twice as long; the caller gets
//! [`CallError::Resting`] at once, so a policy goes on denying and a parser goes on costing a note.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::CallError;

/// Failures in a row before the first rest.
const FAILURES_BEFORE_REST: u32 = 5;
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);

/// How often each limit was met since the plugin was loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Breaches {
    /// The computing budget.
    #[serde(skip_serializing_if = "is_zero")]
    pub fuel: u64,
    /// The wall-clock limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub time: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub memory: u64,
    /// Log lines in one call.
    #[serde(skip_serializing_if = "is_zero")]
    pub log: u64,
    /// Answers too large, or not what the contract allows.
    #[serde(skip_serializing_if = "is_zero")]
    pub answer: u64,
    /// Instances at work at the same time.
    #[serde(skip_serializing_if = "is_zero")]
    pub instances: u64,
    /// Crashes; no limit, but as telling.
    #[serde(skip_serializing_if = "is_zero")]
    pub crashes: u64,
    /// Calls that were not made because the plugin rested.
    #[serde(skip_serializing_if = "is_zero")]
    pub resting: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Breaches {
    /// Nothing happened.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Of both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            fuel: self.fuel + other.fuel,
            time: self.time + other.time,
            memory: self.memory + other.memory,
            log: self.log + other.log,
            answer: self.answer + other.answer,
            instances: self.instances + other.instances,
            crashes: self.crashes + other.crashes,
            resting: self.resting + other.resting,
        }
    }

    /// Those that are not 0, by name.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        let all = [
            ("fuel", self.fuel),
            ("time", self.time),
            ("memory", self.memory),
            ("log", self.log),
            ("answer", self.answer),
            ("instances", self.instances),
            ("crashes", self.crashes),
            ("resting", self.resting),
        ];
        all.into_iter().filter(|(_, count)| *count > 0)
    }

    fn count(&mut self, error: &CallError) {
        let counter = match error {
            CallError::OutOfFuel { .. } => &mut self.fuel,
            CallError::Deadline { .. } => &mut self.time,
            CallError::MemoryLimit { .. } => &mut self.memory,
            CallError::LogFlood { .. } => &mut self.log,
            CallError::Answer { .. } => &mut self.answer,
            CallError::Instances { .. } => &mut self.instances,
            CallError::Trap { .. } => &mut self.crashes,
            CallError::Resting { .. } => &mut self.resting,
            CallError::Request { .. }
            | CallError::Plugin { .. }
            | CallError::Host { .. }
            | CallError::Ended
            | CallError::Busy { .. } => return,
        };
        *counter += 1;
    }
}

/// What is counted, at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fared {
    pub(crate) calls: u64,
    pub(crate) failures: u64,
    pub(crate) breaches: Breaches,
    pub(crate) last_failure: Option<String>,
    pub(crate) rests_for: Option<Duration>,
}

/// One plugin's counters. Every call passes [`ready`](Self::ready) and [`count`](Self::count).
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    fared: Fared,
    failures_in_a_row: u32,
    rest: Option<Rest>,
}

#[derive(Debug, Clone, Copy)]
struct Rest {
    until: Instant,
    length: Duration,
}

impl Health {
    /// Whether the plugin may be asked now.
    pub(crate) fn ready(&self) -> Result<(), CallError> {
        let state = self.state();
        let Some(left) = state.rest.and_then(|rest| rest.until.checked_duration_since(Instant::now())) else {
            return Ok(());
        };
        let last = state.fared.last_failure.clone().unwrap_or_default();
        Err(CallError::Resting { failures: state.failures_in_a_row, seconds_left: left.as_secs() + 1, last })
    }

    pub(crate) fn count(&self, failure: Option<&CallError>) {
        let mut state = self.state();
        state.fared.calls += 1;
        let Some(error) = failure else {
            (state.failures_in_a_row, state.rest) = (0, None);
            return;
        };
        state.fared.failures += 1;
        state.fared.breaches.count(error);
        if is_the_plugins_doing(error) {
            state.fared.last_failure = Some(error.to_string());
            state.failed();
        }
    }

    pub(crate) fn fared(&self) -> Fared {
        let state = self.state();
        let rests_for = state.rest.and_then(|rest| rest.until.checked_duration_since(Instant::now()));
        Fared { rests_for, ..state.fared.clone() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn failed(&mut self) {
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        if self.failures_in_a_row < FAILURES_BEFORE_REST {
            return;
        }
        let now = Instant::now();
        let length = match self.rest {
            // Another call of the same time, which was under way when the rest began.
            Some(rest) if rest.until > now => return,
            Some(rest) => (rest.length * 2).min(LONGEST_REST),
            None => FIRST_REST,
        };
        self.rest = Some(Rest { until: now + length, length });
    }
}

/// As opposed to a question that was too large, a machine without room, and an honest "I cannot".
fn is_the_plugins_doing(error: &CallError) -> bool {
    match error {
        CallError::OutOfFuel { .. }
        | CallError::Deadline { .. }
        | CallError::MemoryLimit { .. }
        | CallError::LogFlood { .. }
        | CallError::Trap { .. }
        | CallError::Answer { .. } => true,
        CallError::Request { .. }
        | CallError::Plugin { .. }
        | CallError::Host { .. }
        | CallError::Ended
        | CallError::Busy { .. }
        | CallError::Instances { .. }
        | CallError::Resting { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crash() -> CallError {
        CallError::Trap { message: "unreachable".to_owned() }
    }

    #[test]
    fn failures_in_a_row_lead_to_a_rest_and_a_success_ends_the_row() {
        let health = Health::default();
        for _ in 0..FAILURES_BEFORE_REST - 1 {
            health.count(Some(&crash()));
        }
        assert_eq!(health.ready(), Ok(()));
        health.count(None);
        health.count(Some(&crash()));
        assert_eq!(health.ready(), Ok(()), "the row was broken by a success");
        for _ in 0..FAILURES_BEFORE_REST {
            health.count(Some(&crash()));
        }
        let rests = health.ready();
        assert!(
            matches!(&rests, Err(CallError::Resting { last, seconds_left: 1, .. }) if last.contains("unreachable")),
            "{rests:?}"
        );
        assert_eq!(health.fared().breaches.crashes, u64::from(FAILURES_BEFORE_REST) * 2);
    }

    #[test]
    fn what_is_not_the_plugins_doing_leads_to_no_rest() {
        let health = Health::default();
        for _ in 0..FAILURES_BEFORE_REST * 2 {
            health.count(Some(&CallError::Ended));
            health.count(Some(&CallError::Request { what: "the line is too long".to_owned() }));
        }
        assert_eq!(health.ready(), Ok(()));
        assert!(health.fared().breaches.is_empty());
    }

    #[test]
    fn each_rest_is_twice_the_last_one_up_to_a_minute() {
        let mut state = State::default();
        let mut lengths = Vec::new();
        for _ in 0..FAILURES_BEFORE_REST + 8 {
            state.failed();
            if let Some(rest) = &mut state.rest {
                lengths.push(rest.length.as_secs());
                rest.until = Instant::now();
            }
        }
        assert_eq!(lengths, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
