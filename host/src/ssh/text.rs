//! Text a server sent, made fit for a record or an error's field.

/// Printable ASCII of `text`, at most `limit` characters; anything else becomes `?`.
pub(super) fn printable(text: &str, limit: usize) -> String {
    text.chars().take(limit).map(|character| if matches!(character, ' '..='~') { character } else { '?' }).collect()
}

/// As [`printable`], for text that people have to read in their own language: letters and digits of all
/// scripts stay, and the punctuation that goes with Chinese. Anything that is drawn over something else,
/// turns the direction of writing or cannot be seen becomes `?`.
pub(super) fn readable(text: &str, limit: usize) -> String {
    let stays =
        |c: &char| matches!(c, ' '..='~') || c.is_alphanumeric() || "：，。、？！（）【】《》“”‘’…".contains(*c);
    text.chars().take(limit).map(|character| if stays(&character) { character } else { '?' }).collect()
}

/// As [`readable`], with its lines kept apart: about `limit` characters in at most `lines` lines. Of a longer
/// text the beginning stays, which says what it is about, and the end, which asks.
pub(super) fn readable_lines(text: &str, limit: usize, lines: usize) -> String {
    let all: Vec<String> = text.trim().lines().map(|line| readable(line.trim_end(), usize::MAX)).collect();
    let whole = all.join("\n");
    if all.len() <= lines && whole.chars().count() <= limit {
        return whole;
    }
    let half = limit / 2;
    let (last, before) = all.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let head = if before.is_empty() { last.to_owned() } else { before[..before.len().min(lines - 2)].join("\n") };
    let head: String = head.chars().take(half).collect();
    let tail: String = last.chars().skip(last.chars().count().saturating_sub(half)).collect();
    format!("{head}\n…\n{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_length_are_taken_away() {
        assert_eq!(printable("a\x1b[31mb\u{202e}c\n", 100), "a?[31mb?c?");
        assert_eq!(printable(&"x".repeat(10_000), 256).len(), 256);
    }

    #[test]
    fn letters_of_all_scripts_stay_readable() {
        assert_eq!(readable("请输入口令：\u{1b}[0m", 100), "请输入口令：?[0m");
        assert_eq!(readable("a\u{200b}b\u{202e}c\u{301}\n", 100), "a?b?c??");
        assert_eq!(readable("密密密", 2), "密密");
    }
    #[test]
    fn lines_stay_apart_and_are_cut() {
        let text = "\r\nOne\x1b[2J\r\n\tTwo\n\nThree\nFour\r\n";
        assert_eq!(readable_lines(text, 100, 5), "One?[2J\n?Two\n\nThree\nFour");
        assert_eq!(readable_lines(text, 100, 4), "One?[2J\n?Two\n…\nFour");
        assert_eq!(readable_lines(&"x\n".repeat(10_000), 100, 5), "x\nx\nx\n…\nx");
        let long = readable_lines(&format!("{}Password:", "x".repeat(10_000)), 100, 5);
        assert!(long.chars().count() == 103 && long.ends_with("xPassword:"), "{long}");
        assert_eq!(readable_lines("", 100, 5), "");
    }
}
