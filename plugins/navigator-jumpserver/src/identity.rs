//! Is this the host that was asked for? Commands at its prompt, and what they have to answer.

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

/// How the answer is compared with what is expected.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Compare {
    /// The last line is the same.
    #[default]
    Exact,
    /// Host names: capitals do not matter, nor does a domain that only one of them has.
    Host,
    /// One of the words is the same.
    Word,
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
        let answer = result.output.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        let ran = result.completed && result.exit_code.is_none_or(|code| code == 0);
        if ran && !expected.is_empty() && self.compare.holds(answer, &expected) {
            return None;
        }
        let shown: String = answer.chars().filter(|symbol| !symbol.is_control()).take(100).collect();
        let message = format!(
            "`{}` answers {shown:?} where {expected:?} was expected, so this is not {}; it was left again",
            self.run, claim.name
        );
        Some(Failure::step("wrong-host", message, output_rows(result)))
    }
}

impl Compare {
    fn holds(self, answer: &str, expected: &str) -> bool {
        match self {
            Self::Exact => answer == expected,
            Self::Word => answer.split_whitespace().any(|word| word == expected),
            Self::Host => is_same_host(&answer.to_lowercase(), &expected.to_lowercase()),
        }
    }
}

/// `web-1` and `web-1.example.com` are one host, `web-1.a` and `web-1.b` are two.
fn is_same_host(answer: &str, expected: &str) -> bool {
    let longer = |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('.'));
    answer == expected || (!answer.is_empty() && (longer(answer, expected) || longer(expected, answer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_compared_as_the_check_says() {
        for (compare, answer, expected, holds) in [
            (Compare::Exact, "web-1", "web-1", true),
            (Compare::Exact, "Web-1", "web-1", false),
            (Compare::Host, "Web-1", "web-1", true),
            (Compare::Host, "web-1.example.com", "web-1", true),
            (Compare::Host, "web-1", "web-1.example.com", true),
            (Compare::Host, "web-1.a", "web-1.b", false),
            (Compare::Host, "web-11", "web-1", false),
            (Compare::Host, "", "web-1", false),
            (Compare::Word, "10.0.0.1 172.17.0.1", "10.0.0.1", true),
            (Compare::Word, "10.0.0.11 172.17.0.1", "10.0.0.1", false),
        ] {
            assert_eq!(compare.holds(answer, expected), holds, "{compare:?} {answer} {expected}");
        }
    }
}
