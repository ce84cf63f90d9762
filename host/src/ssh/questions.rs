//! Answers to a server's questions (keyboard-interactive, RFC 4256), round by round.
//!
//! The profile says which answer belongs to which question. Beyond that one thing only is guessed: a
//! single hidden question is the one for the password. Each answer is given once, because a question that
//! comes again says that the answer was wrong, and giving it again may lock an account.

use russh::client::Prompt;

use super::{
    known_hosts::wildcard_match,
    person::{self, Wanted},
    text::{readable, readable_lines},
};
use crate::config::profile::Secret;

/// Longest question shown in an error.
const QUESTION_LIMIT: usize = 120;
/// What a person is shown of a round. A list of factors to choose from often stands in the question itself.
const PROMPTS_ASKED: usize = 8;
const NAME_LIMIT: usize = 120;
const PROMPT_LIMIT: usize = 600;
const PROMPT_LINES: usize = 16;
const INSTRUCTIONS_LIMIT: usize = 1_200;
const INSTRUCTIONS_LINES: usize = 24;

/// The answer to one question, at hand.
pub(super) struct Answer {
    /// Part of the question, or the whole of it with `*` for what may differ.
    pub(super) prompt: String,
    pub(super) secret: Secret,
}

/// What is left to answer with in one login.
pub(super) struct Answers<'a> {
    configured: Vec<(&'a Answer, bool)>,
    password: Option<&'a Secret>,
}

/// A question to which there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unanswered {
    /// Hostile text, cleaned and cut.
    question: String,
    echo: bool,
    /// Its answer was given before.
    again: bool,
}

impl<'a> Answers<'a> {
    pub(super) fn new(configured: Vec<&'a Answer>, password: Option<&'a Secret>) -> Self {
        Self { configured: configured.into_iter().map(|answer| (answer, false)).collect(), password }
    }

    /// The password has been sent in another way, so it is no answer any more.
    pub(super) fn forget_password(&mut self) {
        self.password = None;
    }

    /// Whether no password is left to answer with.
    pub(super) fn without_password(&self) -> bool {
        self.password.is_none()
    }

    /// The answers to all questions of one round; those that have none are told apart.
    pub(super) fn reply(&mut self, round: &[Prompt]) -> Vec<Result<String, Unanswered>> {
        round.iter().map(|prompt| self.answer(prompt, round.len() == 1)).collect()
    }

    fn answer(&mut self, prompt: &Prompt, alone: bool) -> Result<String, Unanswered> {
        let fitting = |(answer, _): &&mut (&Answer, bool)| fits(&answer.prompt, &prompt.prompt);
        let mut again = false;
        for (answer, given) in self.configured.iter_mut().filter(fitting) {
            if !std::mem::replace(given, true) {
                return Ok(answer.secret.expose().to_owned());
            }
            again = true;
        }
        if let Some(password) = self.password.take_if(|_| alone && !prompt.echo && !again) {
            return Ok(password.expose().to_owned());
        }
        Err(Unanswered { question: readable(prompt.prompt.trim(), QUESTION_LIMIT), echo: prompt.echo, again })
    }
}

/// What a person is asked of a round: the questions without an answer, in the server's words. `None` when
/// there are more than a person can be shown.
pub(super) fn wanted(name: &str, instructions: &str, unanswered: &[&Prompt]) -> Option<Wanted> {
    if unanswered.len() > PROMPTS_ASKED {
        return None;
    }
    let prompt = |prompt: &&Prompt| person::Prompt {
        text: readable_lines(&prompt.prompt, PROMPT_LIMIT, PROMPT_LINES),
        echo: prompt.echo,
    };
    Some(Wanted::Answers {
        name: readable(name.trim(), NAME_LIMIT),
        instructions: readable_lines(instructions, INSTRUCTIONS_LIMIT, INSTRUCTIONS_LINES),
        prompts: unanswered.iter().map(prompt).collect(),
    })
}

/// Whether a question is the one that is meant, in whatever case it is written.
fn fits(pattern: &str, question: &str) -> bool {
    let (pattern, question) = (pattern.to_lowercase(), question.to_lowercase());
    if pattern.contains('*') {
        // Most questions end in a blank, which nobody sees and few will write.
        return [question.as_str(), question.trim()]
            .iter()
            .any(|question| wildcard_match(pattern.trim().as_bytes(), question.as_bytes()));
    }
    question.contains(pattern.trim())
}

impl std::fmt::Display for Unanswered {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.echo { "shown" } else { "hidden" };
        write!(formatter, "the server asks \"{}\" (what is typed is {kind}), and ", self.question)?;
        if self.again {
            return formatter.write_str("the answer to that was given already, so it was not right");
        }
        formatter.write_str(
            "no answer is configured; add one to the profile: { keyboard_interactive = [{ prompt = \"…\", answer_file = \
             \"…\" }] }, or answer it in the viewer while that runs",
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_part_or_the_whole_with_stars() {
        let table = [
            ("Password:*", "Password: ", true),
            ("Password:*", "ann@web's Password: ", false),
            ("*password:*", "ann@web's Password: ", true),
            ("*password: *", "ann@web's Password: ", true),
            ("*password:", "ann@web's Password: ", true),
            ("code", "Verification CODE: ", true),
            ("code", "Password: ", false),
            ("really?", "Do you really? [y]", true),
            ("动态口令", "请输入动态口令：", true),
        ];
        for (pattern, question, wanted) in table {
            assert_eq!(fits(pattern, question), wanted, "{pattern} {question}");
        }
    }

    #[test]
    fn a_hostile_question_is_cleaned_and_cut() {
        let prompt = Prompt { prompt: format!("\u{1b}[2JSay \u{202e}yes{}", "!".repeat(500)), echo: true };
        let told = Answers::new(Vec::new(), None).reply(&[prompt]).remove(0).unwrap_err().to_string();
        assert!(told.contains("\"?[2JSay ?yes!!"), "{told}");
        assert!(told.contains("what is typed is shown") && told.len() < 450, "{told}");
    }

    #[test]
    fn a_person_is_shown_cleaned_and_cut_text() {
        let prompt = Prompt {
            prompt: format!("1. Push\n2. \u{1b}]52;c;eA==\u{7}Call\n{}", "\u{202e}".repeat(9_000)),
            echo: false,
        };
        let Some(Wanted::Answers { name, instructions, prompts }) =
            wanted("a\u{200b}b", &"i\n".repeat(5_000), &[&prompt])
        else {
            panic!("nothing is asked")
        };
        assert_eq!(name, "a?b");
        assert_eq!(instructions.lines().count(), INSTRUCTIONS_LINES);
        assert!(prompts[0].text.starts_with("1. Push\n2. ?]52;c;eA==?Call\n…\n???"), "{}", prompts[0].text);
        assert!(prompts[0].text.chars().count() <= PROMPT_LIMIT && !prompts[0].echo);
        assert_eq!(wanted("", "", &[&prompt; PROMPTS_ASKED + 1]), None);
    }
}
