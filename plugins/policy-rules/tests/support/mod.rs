//! What rules say of a line.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../../policy-standard/tests/support/request.rs"]
mod request;

use policy_rules::Rules;
use portcullis_plugin::policy::{Decision, Mode, Policy, Request, Verdict};

pub(crate) use request::shell_line;

/// What the rules say, given as a JSON list.
pub(crate) fn decisions(request: &Request, rules: &str) -> Vec<Decision> {
    Rules::create(&format!("{{\"rules\":{rules}}}")).unwrap().evaluate(request).unwrap()
}

/// The strictest verdict on a line in safe mode; none where no rule speaks of it.
pub(crate) fn verdict(line: &str, rules: &str) -> Option<Verdict> {
    decisions(&shell_line(line, Mode::Safe), rules).first().map(|decision| decision.verdict)
}
