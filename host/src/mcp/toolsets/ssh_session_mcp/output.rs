//! A command's output, cut to what the caller takes: its head and its tail, saying what is between.

use serde_json::{Map, Value, json};

/// Least `maxChars` that is kept to.
const LEAST_CHARS: usize = 200;
/// Set aside for the line that says what was left out.
const SEPARATOR_CHARS: usize = 200;
/// How much of the rest is the head's, in percent.
const HEAD_PERCENT: usize = 30;

/// The output as it is returned.
pub(super) struct Cut {
    pub(super) text: String,
    total_chars: usize,
    /// First character that was left out, and the one behind the last, counted from the output's beginning.
    omitted: Option<(usize, usize)>,
}

/// Cuts the text to about `max_chars` characters.
pub(super) fn cut(text: &str, max_chars: usize) -> Cut {
    let total_chars = text.chars().count();
    let max_chars = max_chars.max(LEAST_CHARS);
    if total_chars <= max_chars {
        return Cut { text: text.to_owned(), total_chars, omitted: None };
    }
    let kept = max_chars.saturating_sub(SEPARATOR_CHARS).max(LEAST_CHARS / 2);
    let head_chars = kept * HEAD_PERCENT / 100;
    let tail_from = total_chars - (kept - head_chars);
    let byte = |chars: usize| text.char_indices().nth(chars).map_or(text.len(), |(index, _)| index);
    let (head, tail) = (&text[..byte(head_chars)], &text[byte(tail_from)..]);
    let left_out = tail_from - head_chars;
    let joined =
        format!("{head}\n… {left_out} characters left out, from character {head_chars} of this output …\n{tail}");
    Cut { text: joined, total_chars, omitted: Some((head_chars, tail_from)) }
}

impl Cut {
    pub(super) fn is_cut(&self) -> bool {
        self.omitted.is_some()
    }

    /// What of it was left out; nothing where it is whole.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let Some((start, end)) = self.omitted else { return Map::new() };
        let fields = json!({
            "outputTruncated": true,
            "totalOutputChars": self.total_chars,
            "omittedRange": { "start": start, "end": end, "chars": end - start },
        });
        fields.as_object().cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_output_keeps_three_tenths_from_its_head_and_the_rest_from_its_tail() {
        let text: String = (0..2_000).map(|number| format!("{number:04}\n")).collect();
        let kept = cut(&text, 1_200);
        assert_eq!(kept.omitted, Some((300, 10_000 - 700)));
        assert!(kept.text.starts_with("0000\n") && kept.text.ends_with("1999\n"));
        assert!(kept.text.chars().count() <= 1_200, "{}", kept.text.chars().count());
    }

    #[test]
    fn a_very_small_limit_is_no_trap() {
        let text = "❤".repeat(1_000);
        let kept = cut(&text, 1);
        assert!(kept.is_cut() && kept.text.starts_with('❤') && kept.text.ends_with('❤'));
        assert!(!cut("short", 1).is_cut());
    }
}
