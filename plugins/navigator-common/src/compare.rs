//! What a host answers to the question who it is, compared with what was expected.

use portcullis_plugin::navigator::CommandResult;
use serde::Deserialize;

/// How an answer is compared with what is expected.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Compare {
    /// It is the same.
    #[default]
    Exact,
    /// Host names: capitals do not matter, nor does a domain that only one of them has.
    Host,
    /// One of its words is the same.
    Word,
}

/// The last line a command printed; none where it failed or was not over.
pub fn answer_of(result: &CommandResult) -> Option<&str> {
    let ran = result.completed && result.exit_code.is_none_or(|code| code == 0);
    let last = result.output.lines().rfind(|line| !line.trim().is_empty()).map(str::trim);
    last.filter(|_| ran)
}

impl Compare {
    /// Whether the answer is what was expected; nothing is never expected.
    pub fn holds(self, answer: &str, expected: &str) -> bool {
        !expected.is_empty()
            && match self {
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
    fn answers_are_compared_as_is_said() {
        for (compare, answer, expected, holds) in [
            (Compare::Exact, "web-1", "web-1", true),
            (Compare::Exact, "Web-1", "web-1", false),
            (Compare::Exact, "", "", false),
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
