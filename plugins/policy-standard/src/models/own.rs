//! This program's own commands: whom a host trusts, what a person allows and how the policy is set are no
//! business of whoever is judged by it.

use crate::call::Call;
use crate::review::Review;
use crate::rule;

/// Commands that answer or type for a person, or print what lets one log in as one.
const TRUST: &[&str] = &["approvals", "attach", "kill", "launch", "trust", "viewer"];
/// Commands with some that only show.
const SETTINGS: &[&str] = &["config", "plugin"];
/// Of those, the ones that change something.
const CHANGES: &[&str] = &["set", "remove", "add", "allow", "import", "default"];

pub fn judge<'a>(review: &mut Review<'a>, call: &Call<'a>) {
    if call.program != "portcullis" {
        return;
    }
    let unknown = call.words.iter().any(|word| word.value.is_none());
    let only_lists = call.has_word(&["approvals"]) && call.has_word(&["list"]) && !call.has_word(&["allow", "deny"]);
    if unknown || (call.has_word(TRUST) && !only_lists) || (call.has_word(SETTINGS) && call.has_word(CHANGES)) {
        review.add(&rule::OWN_TRUST);
    }
}
