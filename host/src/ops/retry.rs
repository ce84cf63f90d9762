//! Running a command again until it succeeds: what counts as success, and how long to wait between.
//!
//! Pure: [`super::run`] makes the attempts. A command that has not ended, or whose exit code is not
//! known, is never run again: nobody could say what a second run would do.

use std::time::Duration;

use portcullis_term::{Completion, Outcome};
use regex::{Regex, RegexBuilder};
use serde::Serialize;

use super::OpError;
use super::run::exit_code;

/// Longest pause between two attempts.
const MAX_DELAY: Duration = Duration::from_secs(30);
/// Bounds what a hostile or clumsy pattern may cost, in bytes of its compiled form.
const MAX_PATTERN_BYTES: usize = 1 << 20;
const ATTEMPTS: std::ops::RangeInclusive<u32> = 2..=10;

/// How the pause grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backoff {
    Fixed,
    /// Doubled each time.
    Exponential,
}

#[derive(Debug, Clone)]
pub struct RetryRequest {
    /// All of them, the first included.
    pub attempts: u32,
    pub backoff: Backoff,
    pub delay: Duration,
    /// Regular expression; found in the output it means success, whatever the exit code.
    pub success_pattern: Option<String>,
    /// Regular expression; found in the output it means failure, whatever the exit code.
    pub failure_pattern: Option<String>,
}

/// One attempt and what was made of it.
#[derive(Debug, Clone, Serialize)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    pub job_id: String,
    /// The pause before it.
    pub delay_ms: u64,
    pub duration_ms: u64,
    pub exit_code: Option<i32>,
    /// Why it counts as it does.
    pub judged: Judgement,
}

/// What an attempt showed, in the order in which it is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    SuccessPattern,
    FailurePattern,
    ExitZero,
    ExitNonzero,
    /// It ended, but the shell gave no code: neither success nor a reason to run it again.
    NoExitCode,
    NotEnded,
}

/// Why there were no more attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryEnd {
    Succeeded,
    /// All attempts failed.
    Exhausted,
    /// The last one has no outcome on which another could follow.
    Undecided,
    /// The call's time is over; another attempt would have been made.
    OutOfTime,
    /// The next attempt was not possible or not allowed.
    Refused,
}

#[derive(Debug, Serialize)]
pub struct RetryReport {
    pub result: RetryEnd,
    pub attempts: Vec<Attempt>,
    /// Why the next attempt was not made, where that is not plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A request that can be carried out.
pub(super) struct Retry {
    request: RetryRequest,
    success: Option<Regex>,
    failure: Option<Regex>,
}

impl Retry {
    /// # Errors
    /// When a number or a pattern is not usable; nothing was sent then.
    pub(super) fn new(request: RetryRequest) -> Result<Self, OpError> {
        if !ATTEMPTS.contains(&request.attempts) {
            let (from, to) = (ATTEMPTS.start(), ATTEMPTS.end());
            return Err(OpError::BadArgument(format!("`retry.attempts` goes from {from} to {to}, the first included")));
        }
        let compiled = |name: &str, pattern: &Option<String>| {
            pattern.as_deref().map(|pattern| compile(&format!("retry.{name}"), pattern)).transpose()
        };
        let success = compiled("success_pattern", &request.success_pattern)?;
        let failure = compiled("failure_pattern", &request.failure_pattern)?;
        Ok(Self { request, success, failure })
    }

    pub(super) fn attempts(&self) -> u32 {
        self.request.attempts
    }

    /// The pause after attempt `number`, from 1.
    pub(super) fn delay(&self, number: u32) -> Duration {
        let factor = match self.request.backoff {
            Backoff::Fixed => 1,
            Backoff::Exponential => 2u32.saturating_pow(number.saturating_sub(1)),
        };
        self.request.delay.saturating_mul(factor).min(MAX_DELAY)
    }

    pub(super) fn judge(&self, completion: &Completion, output: &str) -> Judgement {
        let ended = matches!(completion.outcome, Outcome::Completed { .. } | Outcome::PromptNoStatus);
        if !ended {
            return Judgement::NotEnded;
        }
        let found = |pattern: &Option<Regex>| pattern.as_ref().is_some_and(|pattern| pattern.is_match(output));
        match exit_code(completion) {
            _ if found(&self.success) => Judgement::SuccessPattern,
            _ if found(&self.failure) => Judgement::FailurePattern,
            Some(0) => Judgement::ExitZero,
            Some(_) => Judgement::ExitNonzero,
            None => Judgement::NoExitCode,
        }
    }
}

impl Judgement {
    /// How the whole ends with this attempt; `None` when another should follow.
    pub(super) fn end(self) -> Option<RetryEnd> {
        match self {
            Self::SuccessPattern | Self::ExitZero => Some(RetryEnd::Succeeded),
            Self::FailurePattern | Self::ExitNonzero => None,
            Self::NoExitCode | Self::NotEnded => Some(RetryEnd::Undecided),
        }
    }
}

/// A caller's regular expression; `^` and `$` match at lines.
pub(super) fn compile(name: &str, pattern: &str) -> Result<Regex, OpError> {
    let built = RegexBuilder::new(pattern).multi_line(true).size_limit(MAX_PATTERN_BYTES).build();
    built.map_err(|error| OpError::BadPattern { name: name.to_owned(), problem: error.to_string() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use portcullis_term::{CommandId, Confidence, ExitSource, Span};

    use super::*;

    fn retry(backoff: Backoff, success: Option<&str>, failure: Option<&str>) -> Result<Retry, OpError> {
        Retry::new(RetryRequest {
            attempts: 5,
            backoff,
            delay: Duration::from_secs(5),
            success_pattern: success.map(str::to_owned),
            failure_pattern: failure.map(str::to_owned),
        })
    }

    fn judged(outcome: Outcome, output: &str) -> Judgement {
        let completion = Completion {
            command_id: CommandId(1),
            span: Span::default(),
            outcome,
            confidence: Confidence::Certain,
            evidence: Vec::new(),
            human_input: false,
        };
        retry(Backoff::Fixed, Some("^ready$"), Some("refused")).unwrap().judge(&completion, output)
    }

    fn exit(code: Option<i32>) -> Outcome {
        Outcome::Completed { exit_code: code, exit_source: ExitSource::Mark }
    }

    #[test]
    fn patterns_come_before_the_code_and_success_before_failure() {
        assert_eq!(judged(exit(Some(1)), "refused\nready\n"), Judgement::SuccessPattern);
        assert_eq!(judged(exit(Some(0)), "refused\n"), Judgement::FailurePattern);
        assert_eq!(judged(exit(Some(0)), "not ready"), Judgement::ExitZero);
        assert_eq!(judged(exit(Some(3)), ""), Judgement::ExitNonzero);
    }

    #[test]
    fn without_a_code_nothing_is_a_success_and_nothing_is_run_again() {
        for outcome in [exit(None), Outcome::PromptNoStatus] {
            assert_eq!(judged(outcome, "").end(), Some(RetryEnd::Undecided));
        }
        assert_eq!(judged(Outcome::Running, "ready\n"), Judgement::NotEnded);
        assert_eq!(Judgement::NotEnded.end(), Some(RetryEnd::Undecided));
    }

    #[test]
    fn pauses_grow_as_asked_and_stay_bounded() {
        let seconds = |backoff| {
            let retry = retry(backoff, None, None).unwrap();
            [1, 2, 3, 4, 40].map(|number| retry.delay(number).as_secs())
        };
        assert_eq!(seconds(Backoff::Fixed), [5; 5]);
        assert_eq!(seconds(Backoff::Exponential), [5, 10, 20, 30, 30]);
    }

    #[test]
    fn a_pattern_that_cannot_be_used_is_named() {
        let error = retry(Backoff::Fixed, Some("(open"), None).err().unwrap();
        assert!(error.to_string().contains("success_pattern"), "{error}");
        assert!(retry(Backoff::Fixed, None, Some(r"\w{9999}{9999}")).is_err());
    }
}
