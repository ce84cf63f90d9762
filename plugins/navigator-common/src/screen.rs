//! Lines of a screen: the last one, what came behind a line that was typed, and what is shown with a
//! failure.

use portcullis_plugin::navigator::CommandResult;

/// Rows and characters shown with a failure.
const MAX_SHOWN_ROWS: usize = 20;
const MAX_SHOWN_CHARS: usize = 200;

/// The last line that is not blank, without trailing blanks.
pub fn last_line(lines: &[String]) -> Option<&str> {
    lines.iter().map(|line| line.trim_end()).rfind(|line| !line.is_empty())
}

/// The last rows, cleaned and cut, for a failure.
pub fn shown(lines: &[String]) -> Vec<String> {
    let filled: Vec<&String> = lines.iter().filter(|line| !line.trim().is_empty()).collect();
    let clean = |line: &&String| -> String {
        line.trim_end().chars().filter(|symbol| !symbol.is_control()).take(MAX_SHOWN_CHARS).collect()
    };
    filled[filled.len().saturating_sub(MAX_SHOWN_ROWS)..].iter().map(clean).collect()
}

/// The last rows of what a command printed.
pub fn output_rows(result: &CommandResult) -> Vec<String> {
    let lines: Vec<String> = result.output.lines().map(str::to_owned).collect();
    shown(&lines)
}

/// A line that was typed at a prompt, and the screen it was typed at. A screen keeps what scrolled
/// by, so an answer is only looked for behind the line it answers, where the prompt stood.
#[derive(Clone, Debug)]
pub struct Sent {
    prompt: String,
    echo: String,
    before: Vec<String>,
}

impl Sent {
    /// `typed` at the last line of the screen; empty where it does not appear, as of a secret.
    pub fn new(typed: &str, lines: &[String]) -> Self {
        let before = filled(lines).to_vec();
        let prompt = before.last().map(|line| squeezed(line)).unwrap_or_default();
        Self { echo: format!("{prompt}{}", squeezed(typed)), prompt, before }
    }

    /// What came behind the line, once the terminal shows the line itself.
    pub fn answered(&self, lines: &[String]) -> Option<Vec<String>> {
        let lines = filled(lines);
        if lines == self.before {
            return None;
        }
        let above = self.before.len().saturating_sub(1);
        // As little as can be has scrolled away: what still stands there says how much.
        let is_kept = |gone: &usize| lines.len() > above - gone && lines.starts_with(&self.before[*gone..above]);
        let kept = above - (0..=above).find(is_kept).unwrap_or(above);
        // Something may have been printed over the prompt before the line was typed.
        match lines.iter().skip(kept).position(|line| squeezed(line) == self.echo) {
            Some(echo) => Some(lines[kept + echo + 1..].to_vec()),
            None => self.scrolled_away(lines),
        }
    }

    /// Where even the line itself has left the screen, all of it is newer; the prompt it was typed at
    /// would still stand there otherwise.
    fn scrolled_away(&self, lines: &[String]) -> Option<Vec<String>> {
        let (_last, rest) = lines.split_last()?;
        let is_older = |line: &String| squeezed(line).starts_with(&self.prompt);
        (!self.prompt.is_empty() && !rest.iter().any(is_older)).then(|| lines.to_vec())
    }
}

/// Without the blank lines at the end.
fn filled(lines: &[String]) -> &[String] {
    let end = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
    &lines[..end]
}

/// Blanks come and go at the end of a row and behind a prompt.
fn squeezed(line: &str) -> String {
    line.chars().filter(|symbol| !symbol.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.split('\n').map(|line| line.trim_end().to_owned()).collect()
    }

    #[test]
    fn an_answer_stands_behind_the_line_that_was_typed() {
        let sent = Sent::new("/web", &lines("banner\nOpt> /web\nold\nOpt> \n\n"));
        for (text, expected) in [
            ("banner\nOpt> /web\nold\nOpt> ", None),
            ("banner\nOpt> /web\nold\nOpt> /w", None),
            ("banner\nOpt> /web\nold\nOpt> /web", Some("")),
            ("banner\nOpt> /web\nold\nOpt> /web\nnew\nOpt> ", Some("new\nOpt>")),
            ("old\nOpt> /web\nnew\nOpt> ", Some("new\nOpt>")),
            ("Opt> /web\nnew\nOpt>", Some("new\nOpt>")),
            ("a news line\nnew\nOpt>", Some("a news line\nnew\nOpt>")),
            ("banner\nOpt> /web\nold\nOpt>\na news line\nOpt> /web\nnew", Some("new")),
            ("banner\nOpt> /web\nold\nOpt>\na news line\nOpt>", None),
        ] {
            let expected = expected.map(|text| if text.is_empty() { Vec::new() } else { lines(text) });
            assert_eq!(sent.answered(&lines(text)), expected, "{text:?}");
        }
    }

    #[test]
    fn a_secret_shows_nothing_of_itself() {
        let sent = Sent::new("", &lines("a\nroot@web's password: "));
        assert_eq!(sent.answered(&lines("a\nroot@web's password:")), None);
        assert_eq!(sent.answered(&lines("a\nroot@web's password:\n\nhello")), Some(lines("\nhello")));
    }
}
