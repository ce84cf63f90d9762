//! Choosing lines of a text: a range, its head or tail, those that match, and no more than fit.

use regex::{Regex, RegexBuilder};

use super::{Excerpt, OpError, excerpt};

/// Memory one pattern may take; a larger one is a mistake.
const PATTERN_BYTES: usize = 1 << 20;

/// Which lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    #[default]
    All,
    /// The first so many.
    Head(u64),
    /// The last so many.
    Tail(u64),
    /// From one number to another, both included, from 1.
    Range(Option<u64>, Option<u64>),
}

/// Which of the chosen lines a reader wants to see.
#[derive(Debug, Clone)]
pub enum Filter {
    Text(String),
    Pattern(Regex),
}

impl Filter {
    /// From the parameters of a call; at most one of them is given.
    ///
    /// # Errors
    /// When both are, or the pattern is none.
    pub fn new(grep: Option<String>, pattern: Option<&str>) -> Result<Option<Self>, OpError> {
        match (grep, pattern) {
            (None, None) => Ok(None),
            (Some(text), None) => Ok(Some(Self::Text(text))),
            (None, Some(pattern)) => RegexBuilder::new(pattern)
                .size_limit(PATTERN_BYTES)
                .build()
                .map(|pattern| Some(Self::Pattern(pattern)))
                .map_err(|error| OpError::BadArgument(format!("`pattern` is no regular expression: {error}"))),
            (Some(_), Some(_)) => Err(OpError::BadArgument("give `grep` or `pattern`, not both".to_owned())),
        }
    }

    pub(super) fn matches(&self, line: &str) -> bool {
        match self {
            Self::Text(text) => line.contains(text),
            Self::Pattern(pattern) => pattern.is_match(line),
        }
    }
}

/// The lines that were chosen and fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) output: Excerpt,
    /// Numbers of the first and the last line shown; none when none is.
    pub(super) shown: Option<(u64, u64)>,
    /// Lines that matched the filter.
    pub(super) matches: Option<u64>,
    /// The first line that was chosen, wanted and left out behind those shown.
    pub(super) next_line: Option<u64>,
}

/// Chooses from numbered lines: the range first, then the filter, then head or tail of what is left.
/// `numbered` shows the numbers.
pub(super) fn choose(
    lines: Vec<(u64, String)>,
    choice: Choice,
    filter: Option<&Filter>,
    max_chars: usize,
    numbered: bool,
) -> Chosen {
    let in_range = |number| match choice {
        Choice::Range(from, to) => number >= from.unwrap_or(0) && number <= to.unwrap_or(u64::MAX),
        Choice::All | Choice::Head(_) | Choice::Tail(_) => true,
    };
    let is_wanted = |line: &str| filter.is_none_or(|filter| filter.matches(line));
    let wanted: Vec<_> = lines.into_iter().filter(|(number, line)| in_range(*number) && is_wanted(line)).collect();
    let matches = filter.map(|_| wanted.len() as u64);
    let rows: Vec<(u64, String)> = ends(wanted, choice)
        .into_iter()
        .map(|(number, line)| (number, if numbered { format!("{number:>6}  {line}") } else { line }))
        .collect();
    Chosen { matches, ..fit(&rows, matches!(choice, Choice::Tail(_)), max_chars) }
}

fn ends(mut lines: Vec<(u64, String)>, choice: Choice) -> Vec<(u64, String)> {
    match choice {
        Choice::All | Choice::Range(..) => {}
        Choice::Head(count) => lines.truncate(usize::try_from(count).unwrap_or(usize::MAX)),
        Choice::Tail(count) => {
            let surplus = lines.len().saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
            lines.drain(..surplus);
        }
    }
    lines
}

/// As many rows as fit, from the front or from the back. One that is too long by itself is cut.
fn fit(rows: &[(u64, String)], from_back: bool, max_chars: usize) -> Chosen {
    let total_chars: usize = rows.iter().map(|(_, row)| row.chars().count() + 1).sum();
    let mut left = max_chars;
    let mut fits = |(_, row): &&(u64, String)| {
        let length = row.chars().count() + 1;
        let fits = length <= left;
        left = left.saturating_sub(length);
        fits
    };
    let count = if from_back {
        rows.iter().rev().take_while(&mut fits).count()
    } else {
        rows.iter().take_while(&mut fits).count()
    };
    let count = count.max(1).min(rows.len());
    let (shown, behind) =
        if from_back { (&rows[rows.len() - count..], None) } else { (&rows[..count], rows.get(count)) };
    let text: String = shown.iter().map(|(_, row)| format!("{row}\n")).collect();
    // Only a single row can be too long here.
    let cut = excerpt(&text, max_chars.max(1));
    let shown_chars = cut.total_chars - cut.omitted_chars;
    Chosen {
        output: Excerpt { text: cut.text, total_chars, omitted_chars: total_chars - shown_chars },
        shown: shown.first().zip(shown.last()).map(|(first, last)| (first.0, last.0)),
        matches: None,
        next_line: behind.map(|(number, _)| *number),
    }
}

/// The lines of a text, numbered from 1.
pub(super) fn numbered(text: &str) -> Vec<(u64, String)> {
    text.lines().enumerate().map(|(index, line)| (index as u64 + 1, line.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn chosen(choice: Choice, filter: Option<&Filter>, max_chars: usize) -> Chosen {
        let text: String = (1..=100).map(|number| format!("line {number}\n")).collect();
        choose(numbered(&text), choice, filter, max_chars, false)
    }

    #[test]
    fn head_tail_and_range_are_lines() {
        assert_eq!(chosen(Choice::Head(2), None, 1000).output.text, "line 1\nline 2\n");
        assert_eq!(chosen(Choice::Tail(2), None, 1000).output.text, "line 99\nline 100\n");
        let range = chosen(Choice::Range(Some(7), Some(8)), None, 1000);
        assert_eq!((range.output.text.as_str(), range.shown), ("line 7\nline 8\n", Some((7, 8))));
        assert_eq!(chosen(Choice::Range(Some(101), None), None, 1000).shown, None);
    }

    #[test]
    fn what_does_not_fit_is_said_and_can_be_gone_on_with() {
        let first = chosen(Choice::Range(Some(1), None), None, 20);
        assert_eq!((first.output.text.as_str(), first.next_line), ("line 1\nline 2\n", Some(3)));
        assert_eq!(first.output.omitted_chars, first.output.total_chars - 14);
        let last = chosen(Choice::Tail(50), None, 20);
        assert_eq!((last.output.text.as_str(), last.next_line), ("line 99\nline 100\n", None));
    }

    #[test]
    fn a_line_longer_than_the_result_is_cut() {
        let cut = choose(numbered(&"x".repeat(5000)), Choice::All, None, 300, false);
        assert!(cut.output.text.len() < 400 && cut.output.omitted_chars > 4000, "{cut:?}");
    }

    #[test]
    fn filters_look_at_lines() {
        let text = Filter::new(Some("10".to_owned()), None).unwrap().unwrap();
        let found = chosen(Choice::All, Some(&text), 1000);
        assert_eq!((found.output.text.as_str(), found.matches), ("line 10\nline 100\n", Some(2)));
        let pattern = Filter::new(None, Some("^line [12]$")).unwrap().unwrap();
        assert_eq!(chosen(Choice::All, Some(&pattern), 1000).output.text, "line 1\nline 2\n");
        let numbered = choose(numbered("a\nb\n"), Choice::All, Some(&Filter::Text("b".to_owned())), 100, true);
        assert_eq!(numbered.output.text, "     2  b\n");
        assert!(Filter::new(None, Some("(")).unwrap_err().to_string().contains("regular expression"));
        assert!(Filter::new(Some("a".to_owned()), Some("a")).is_err());
    }
}
