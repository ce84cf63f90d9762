//! What the policy says of a line.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod request;

use policy_standard::Standard;
use portcullis_plugin::policy::{Decision, Mode, Policy, Request, Verdict};

pub(crate) use request::shell_line;

/// All decisions under the settings given.
pub(crate) fn decisions(request: &Request, settings: &str) -> Vec<Decision> {
    Standard::create(settings).unwrap().evaluate(request).unwrap()
}

/// The strictest verdict, as the host would combine them.
pub(crate) fn verdict(request: &Request) -> &'static str {
    let decisions = decisions(request, "{}");
    let has = |verdict: Verdict| decisions.iter().any(|decision| decision.verdict == verdict);
    if has(Verdict::Deny) {
        "deny"
    } else if has(Verdict::Ask) {
        "ask"
    } else if has(Verdict::Warn) {
        "warn"
    } else {
        "allow"
    }
}

pub(crate) fn judged(line: &str, mode: Mode) -> &'static str {
    verdict(&shell_line(line, mode))
}

/// Ids of the rules that object in safe mode.
pub(crate) fn objections(line: &str) -> Vec<String> {
    decisions(&shell_line(line, Mode::Safe), "{}")
        .into_iter()
        .filter(|decision| decision.verdict == Verdict::Deny)
        .map(|decision| decision.rule_id)
        .collect()
}
