//! Stopping commands: what was tried, who is at it, and a job that goes on under another number.
//!
//! A job that the host has suspended comes back as the command of another line (`fg`). Both are kept
//! as what they are; the first is told the outcome of the second, as far as the shell has told it.

use std::sync::{Arc, Mutex, PoisonError};

use portcullis_term::{CommandId, Completion, Outcome};
use serde::Serialize;

/// One attempt to stop a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StopAttempt {
    /// `INT`, `TERM` or `KILL`.
    pub signal: &'static str,
    /// What was typed for it, or why that was not possible.
    pub how: String,
    /// The command's end was seen.
    pub ended: bool,
}

/// The line to be run brings a suspended command back into the foreground.
#[derive(Debug, Clone, Copy)]
pub struct Resumes {
    pub command_id: CommandId,
    pub codes: ToldCodes,
}

/// Which exit codes of such a line are the resumed command's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToldCodes {
    /// `fg` gives the code of the job it waited for.
    All,
    /// Any other code is that of a line which found no job any more.
    Only(i32),
    /// fish gives its own.
    None,
}

impl Resumes {
    /// What is known of the resumed command once the line that brought it back was reported as `line`.
    /// `before` is what was known of it when it was suspended.
    pub(super) fn told(self, before: &Completion, line: &Completion, line_output: &str) -> Completion {
        let mut known = Completion { command_id: self.command_id, span: before.span, ..line.clone() };
        known.human_input |= before.human_input;
        let Outcome::Completed { exit_code: Some(code), .. } = line.outcome else { return known };
        let told = match self.codes {
            ToldCodes::All => !found_no_job(line_output),
            ToldCodes::Only(expected) => code == expected,
            ToldCodes::None => false,
        };
        known.evidence.push(format!("brought back into the foreground by {}", line.command_id));
        if !told {
            known.outcome = Outcome::PromptNoStatus;
            known.evidence.push("the shell has not told the code with which it ended".to_owned());
        }
        known
    }
}

/// The line's own error: the job had ended before it was brought back.
fn found_no_job(output: &str) -> bool {
    let output = output.to_lowercase();
    ["no such job", "no current job", "no job", "job has terminated"].iter().any(|words| output.contains(words))
}

/// Who is stopping what in a session: one at a time, and nobody runs a line in between.
#[derive(Debug, Clone, Default)]
pub(super) struct Stopping(Arc<Mutex<Option<CommandId>>>);

impl Stopping {
    pub(super) fn begin(&self, command_id: CommandId) -> Option<StopGuard> {
        let mut stopping = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stopping.is_some() {
            return None;
        }
        *stopping = Some(command_id);
        Some(StopGuard(self.clone()))
    }

    pub(super) fn current(&self) -> Option<CommandId> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to stop a command of the session, until dropped.
#[derive(Debug)]
pub struct StopGuard(Stopping);

impl Drop for StopGuard {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use portcullis_term::{Confidence, ExitSource, Offset, Span};

    use super::*;

    fn completed(number: u64, code: i32) -> Completion {
        Completion {
            command_id: CommandId(number),
            span: Span { from: Offset(number), to: Offset(number + 10) },
            outcome: Outcome::Completed { exit_code: Some(code), exit_source: ExitSource::Mark },
            confidence: Confidence::Certain,
            evidence: Vec::new(),
            human_input: false,
        }
    }

    fn told(codes: ToldCodes, code: i32, output: &str) -> Outcome {
        let resumes = Resumes { command_id: CommandId(1), codes };
        let known = resumes.told(&completed(1, 148), &completed(2, code), output);
        assert_eq!((known.command_id, known.span.from), (CommandId(1), Offset(1)));
        known.outcome
    }

    #[test]
    fn only_a_code_that_the_shell_told_is_the_commands() {
        assert_eq!(told(ToldCodes::All, 143, "sleep 50\nTerminated\n"), completed(1, 143).outcome);
        assert_eq!(told(ToldCodes::All, 1, "bash: fg: %1: no such job\n"), Outcome::PromptNoStatus);
        assert_eq!(told(ToldCodes::Only(137), 137, "Killed"), completed(1, 137).outcome);
        assert_eq!(told(ToldCodes::Only(137), 1, ""), Outcome::PromptNoStatus);
        assert_eq!(told(ToldCodes::None, 0, ""), Outcome::PromptNoStatus);
    }

    #[test]
    fn one_ladder_at_a_time() {
        let stopping = Stopping::default();
        let guard = stopping.begin(CommandId(3));
        assert!(guard.is_some() && stopping.begin(CommandId(3)).is_none());
        assert_eq!(stopping.current(), Some(CommandId(3)));
        drop(guard);
        assert_eq!(stopping.current(), None);
    }
}
