//! Many lines, one after the other: what `safe` and what `full` make of each.

use portcullis_sandbox::policy::Verdict;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Policies, PolicyError, Where};
use crate::config::PolicyMode;

/// The verdicts on one line, as the agent alone meets them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evaluated {
    pub id: Value,
    /// `allow` or `deny`. A warning lets the line through; a question that nobody answers does not.
    pub safe: &'static str,
    /// `allow`, `warn` or `deny`.
    pub full: &'static str,
}

/// Why a line of the input cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {number}: {problem}; each line is an object such as {{\"id\": 1, \"cmd\": \"ls\"}}")]
pub struct LineError {
    /// From 1.
    pub number: usize,
    pub problem: String,
}

#[derive(Deserialize)]
struct Asked {
    id: Value,
    cmd: String,
}

impl Policies {
    /// Judges what stands in one line of JSON; nothing for an empty one. `number` is for messages.
    ///
    /// # Errors
    /// The outer one when there is no such profile; the inner one when the line is not as it should be.
    pub async fn evaluate(
        &self,
        text: &str,
        number: usize,
        wanted: &Where,
    ) -> Result<Result<Option<Evaluated>, LineError>, PolicyError> {
        let place = self.place(wanted)?;
        if text.trim().is_empty() {
            return Ok(Ok(None));
        }
        let Asked { id, cmd } = match asked(text) {
            Ok(asked) => asked,
            Err(problem) => return Ok(Err(LineError { number, problem })),
        };
        let (safe, full) =
            tokio::join!(self.preview(&place, PolicyMode::Safe, &cmd), self.preview(&place, PolicyMode::Full, &cmd));
        let safe = if passes(safe.verdict()) { "allow" } else { "deny" };
        let full = match full.verdict() {
            Verdict::Allow => "allow",
            Verdict::Warn => "warn",
            Verdict::Abstain | Verdict::Ask | Verdict::Deny => "deny",
        };
        Ok(Ok(Some(Evaluated { id, safe, full })))
    }
}

fn asked(text: &str) -> Result<Asked, String> {
    let asked: Asked = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match asked.id {
        Value::String(_) | Value::Number(_) => Ok(asked),
        _ => Err("`id` is neither a text nor a number".to_owned()),
    }
}

fn passes(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Allow | Verdict::Warn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_an_id_and_a_command() {
        assert!(asked(r#"{"id":1,"cmd":"ls","more":true}"#).is_ok());
        for (text, expected) in [
            ("ls", "expected value"),
            (r#"{"id":1}"#, "missing field `cmd`"),
            (r#"{"cmd":"ls"}"#, "missing field `id`"),
            (r#"{"id":[],"cmd":"ls"}"#, "neither a text nor a number"),
            (r#"{"id":1,"cmd":2}"#, "invalid type"),
        ] {
            let problem = asked(text).err().unwrap_or_default();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }
}
