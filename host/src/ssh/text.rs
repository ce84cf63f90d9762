//! Text a server sent, made fit for a record or an error's field.

/// Printable ASCII of `text`, at most `limit` characters; anything else becomes `?`.
pub(super) fn printable(text: &str, limit: usize) -> String {
    text.chars().take(limit).map(|character| if matches!(character, ' '..='~') { character } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_length_are_taken_away() {
        assert_eq!(printable("a\x1b[31mb\u{202e}c\n", 100), "a?[31mb?c?");
        assert_eq!(printable(&"x".repeat(10_000), 256).len(), 256);
    }
}
