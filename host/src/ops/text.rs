//! Output cut to what a reader asked for, saying what was left out.

use serde::Serialize;

/// Head and tail of a text within a budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excerpt {
    pub text: String,
    pub total_chars: usize,
    /// Characters left out in the middle.
    pub omitted_chars: usize,
}

/// At most `max_chars` characters of `text`: a third from its head, the rest from its tail, cut at
/// line ends where that loses little.
pub fn excerpt(text: &str, max_chars: usize) -> Excerpt {
    let total_chars = text.chars().count();
    if total_chars <= max_chars {
        return Excerpt { text: text.to_owned(), total_chars, omitted_chars: 0 };
    }
    let head_chars = max_chars / 3;
    let tail_chars = max_chars - head_chars;
    let head_end = byte_at(text, head_chars);
    let tail_start = byte_at(text, total_chars - tail_chars);
    let head = &text[..head_end];
    let head = head.rfind('\n').filter(|cut| cut * 4 > head.len() * 3).map_or(head, |cut| &head[..=cut]);
    let tail = &text[tail_start..];
    let tail = tail.find('\n').filter(|cut| cut * 4 < tail.len()).map_or(tail, |cut| &tail[cut + 1..]);
    let omitted_chars = total_chars - head.chars().count() - tail.chars().count();
    let joint = if head.ends_with('\n') || head.is_empty() { "" } else { "\n" };
    Excerpt {
        text: format!("{head}{joint}[… {omitted_chars} characters left out …]\n{tail}"),
        total_chars,
        omitted_chars,
    }
}

fn byte_at(text: &str, chars: usize) -> usize {
    text.char_indices().nth(chars).map_or(text.len(), |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_stays_whole() {
        let whole = excerpt("a\nb", 10);
        assert_eq!((whole.text.as_str(), whole.omitted_chars), ("a\nb", 0));
    }

    #[test]
    fn long_text_keeps_head_and_tail_and_counts_the_rest() {
        let lines: Vec<String> = (0..1000).map(|n| format!("line {n} ❤")).collect();
        let text = lines.join("\n");
        let cut = excerpt(&text, 600);
        assert!(cut.text.starts_with("line 0 ❤\n"));
        assert!(cut.text.ends_with("line 999 ❤"));
        assert!(cut.text.chars().count() < 700);
        assert_eq!(cut.total_chars, text.chars().count());
        let kept =
            cut.text.chars().count() - format!("[… {} characters left out …]\n", cut.omitted_chars).chars().count();
        assert_eq!(kept + cut.omitted_chars, cut.total_chars);
    }
}
