//! Is this the host that was asked for? Commands at its prompt, and what they have to answer.

use navigator_common::compare::{Compare, answer_of};
use navigator_common::screen::output_rows;
use portcullis_plugin::ConfigDiagnostic;
use portcullis_plugin::config::diagnostic;
use portcullis_plugin::navigator::{CommandResult, Failure, Step};
use serde::Deserialize;

const MAX_COMMAND_BYTES: usize = 200;
const PLACEHOLDERS: [&str; 5] = ["{name}", "{address}", "{host_name}", "{account}", "{login}"];

/// One question to the host.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Check {
    /// A command; nothing of the route goes into it.
    pub(crate) run: String,
    /// `{name}`, `{address}`, `{host_name}` (the route's, else the asset's name), `{account}`, `{login}`.
    expect: String,
    #[serde(default)]
    compare: Compare,
    /// Left out where the value is not known; otherwise that is a failure.
    #[serde(default)]
    when_known: bool,
}

/// What the menu showed of the place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claim {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) host_name: String,
    pub(crate) account: Option<String>,
    pub(crate) login: Option<String>,
}

/// The host's own name, and the login name where the menu showed it.
pub(crate) fn default_checks() -> Vec<Check> {
    let check = |run: &str, expect: &str, compare, when_known| Check {
        run: run.to_owned(),
        expect: expect.to_owned(),
        compare,
        when_known,
    };
    vec![check("hostname", "{host_name}", Compare::Host, false), check("id -un", "{login}", Compare::Exact, true)]
}

impl Check {
    pub(crate) fn problems(&self, path: &str) -> Vec<ConfigDiagnostic> {
        let mut wrong = Vec::new();
        if self.run.trim().is_empty() || self.run.len() > MAX_COMMAND_BYTES || self.run.contains(char::is_control) {
            let message = format!("must be one line of 1 to {MAX_COMMAND_BYTES} bytes");
            wrong.push(diagnostic(&format!("{path}.run"), message));
        }
        let mut rest = self.expect.clone();
        PLACEHOLDERS.iter().for_each(|known| rest = rest.replace(known, ""));
        if self.expect.trim().is_empty() || rest.contains(['{', '}']) {
            let message = format!("may hold {} and plain text", PLACEHOLDERS.join(", "));
            wrong.push(diagnostic(&format!("{path}.expect"), message));
        }
        wrong
    }

    /// What has to be answered; none where a value is not known.
    fn expected(&self, claim: &Claim) -> Option<String> {
        let values = [
            Some(&claim.name),
            Some(&claim.address),
            Some(&claim.host_name),
            claim.account.as_ref(),
            claim.login.as_ref(),
        ];
        let mut text = self.expect.clone();
        for (placeholder, value) in PLACEHOLDERS.iter().zip(values) {
            if text.contains(placeholder) {
                text = text.replace(placeholder, value?);
            }
        }
        Some(text)
    }

    /// Whether it can be asked; the error ends the navigation.
    pub(crate) fn is_due(&self, claim: &Claim) -> Result<bool, Box<Step>> {
        match self.expected(claim) {
            Some(_) => Ok(true),
            None if self.when_known => Ok(false),
            None => {
                let message = format!(
                    "`{}` has to answer {}, which the menu did not show; name the account in the route, or mark the check `when_known`",
                    self.run, self.expect
                );
                Err(Box::new(Failure::step("unverifiable", message, Vec::new())))
            }
        }
    }

    /// The failure when the host is another one.
    pub(crate) fn judge(&self, claim: &Claim, result: &CommandResult) -> Option<Step> {
        let expected = self.expected(claim).unwrap_or_default();
        let answer = answer_of(result);
        if answer.is_some_and(|answer| self.compare.holds(answer, &expected)) {
            return None;
        }
        let answer = answer.unwrap_or_default();
        let shown: String = answer.chars().filter(|symbol| !symbol.is_control()).take(100).collect();
        let message = format!(
            "`{}` answers {shown:?} where {expected:?} was expected, so this is not {}; it was left again",
            self.run, claim.name
        );
        Some(Failure::step("wrong-host", message, output_rows(result)))
    }
}
