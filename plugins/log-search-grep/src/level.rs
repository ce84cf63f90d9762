//! The level a log line names.

/// A level stands near the beginning. Bytes.
const MAX_SEARCHED_BYTES: usize = 160;

/// Words for levels in capitals and what they are called here.
const WORDS: [(&str, &str); 16] = [
    ("EMERG", "FATAL"),
    ("FATAL", "FATAL"),
    ("PANIC", "FATAL"),
    ("ALERT", "FATAL"),
    ("CRITICAL", "FATAL"),
    ("CRIT", "FATAL"),
    ("SEVERE", "ERROR"),
    ("ERROR", "ERROR"),
    ("ERR", "ERROR"),
    ("WARNING", "WARN"),
    ("WARN", "WARN"),
    ("NOTICE", "INFO"),
    ("INFO", "INFO"),
    ("DEBUG", "DEBUG"),
    ("FINE", "DEBUG"),
    ("TRACE", "TRACE"),
];

/// The first level word: in capitals, or in any case behind a key (`level=warn`,
/// `"severity":"error"`) or in brackets (nginx's `[error]`).
pub(crate) fn of(text: &str) -> Option<&'static str> {
    let mut end = text.len().min(MAX_SEARCHED_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    if let Some(level) = klog(text.as_bytes()) {
        return Some(level);
    }
    let is_word = |symbol: char| symbol.is_alphanumeric() || symbol == '_';
    let mut from = 0;
    for word in text.split(|symbol: char| !is_word(symbol)) {
        let before = &text[..from];
        let after = &text[from + word.len()..];
        from += word.len() + after.chars().next().map_or(0, char::len_utf8);
        let marked = behind_key(before) || (before.ends_with('[') && after.starts_with(']'));
        let known = WORDS.iter().find(|(name, _)| *name == word || (marked && name.eq_ignore_ascii_case(word)));
        if let Some((_, level)) = known {
            return Some(level);
        }
    }
    None
}

/// `E0302 08:31:40`: the first letter, and the day.
fn klog(text: &[u8]) -> Option<&'static str> {
    let [letter, day @ .., b' '] = text.get(..6)? else { return None };
    let level = ["INFO", "WARN", "ERROR", "FATAL"].into_iter().find(|level| level.as_bytes()[0] == *letter)?;
    day.iter().all(u8::is_ascii_digit).then_some(level)
}

fn behind_key(before: &str) -> bool {
    let key = before.trim_end_matches(['"', ' ', '=', ':']).to_ascii_lowercase();
    key.len() < before.len() && ["level", "lvl", "severity"].iter().any(|name| key.ends_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_found_where_they_are_meant() {
        for (text, level) in [
            ("2026-03-02 08:31:40.402 ERROR [http-7] x", Some("ERROR")),
            ("[WARNING] x", Some("WARN")),
            (r#"{"ts":1,"level":"info","msg":"ERROR"}"#, Some("INFO")),
            ("time=x level=warn msg=y", Some("WARN")),
            ("2026/03/02 08:31:40 [crit] 7#7: x", Some("FATAL")),
            ("E0302 08:31:40.118 7 x.go:3] y", Some("ERROR")),
            ("E030 x", None),
            ("an error happened", None),
            ("TERROR", None),
            ("", None),
        ] {
            assert_eq!(of(text), level, "{text}");
        }
        assert_eq!(of(&format!("{} ERROR", "ü".repeat(200))), None);
    }
}
