//! The query's text as arguments of `grep`.

use portcullis_plugin::PluginError;
use portcullis_plugin::log_search::{MatchMode, Query};

/// The command line as a whole must stay below 1,000 bytes.
const MAX_TEXT_BYTES: usize = 300;
/// All orders of the words are written out: 24 for four.
const MAX_WORDS: usize = 4;

/// `-F`, `-E` and the pattern itself.
pub(crate) fn arguments(query: &Query) -> Result<Vec<String>, PluginError> {
    let text = &query.text;
    let invalid = |message: &str| Err(PluginError::InvalidInput(message.to_owned()));
    if text.trim().is_empty() {
        return invalid("the text to search for is empty; every line would match");
    }
    if text.len() > MAX_TEXT_BYTES {
        return invalid("the text to search for is longer than 300 bytes; search for the part that matters");
    }
    if text.contains(char::is_control) {
        return invalid("the text to search for has control characters; in a regex write [[:space:]] for a tab");
    }
    let (kind, pattern) = match query.mode {
        MatchMode::Literal => ("-F", text.clone()),
        MatchMode::Regex => ("-E", text.clone()),
        MatchMode::AllWords => {
            let words: Vec<&str> = text.split_whitespace().collect();
            match words.as_slice() {
                [only] => ("-F", (*only).to_owned()),
                words if words.len() <= MAX_WORDS => ("-E", in_any_order(words)),
                _ => return invalid("at most four words can be searched for at once; leave out the common ones"),
            }
        }
    };
    Ok(vec![kind.to_owned(), "-e".to_owned(), pattern])
}

/// An extended expression for lines that have all the words: `a.*b|b.*a`.
fn in_any_order(words: &[&str]) -> String {
    let escaped: Vec<String> = words.iter().map(|word| escape(word)).collect();
    let mut orders = Vec::new();
    permute(&escaped, &mut Vec::new(), &mut orders);
    orders.join("|")
}

fn permute(words: &[String], chosen: &mut Vec<usize>, orders: &mut Vec<String>) {
    if chosen.len() == words.len() {
        let order: Vec<&str> = chosen.iter().map(|index| words[*index].as_str()).collect();
        orders.push(order.join(".*"));
        return;
    }
    for index in 0..words.len() {
        if !chosen.contains(&index) {
            chosen.push(index);
            permute(words, chosen, orders);
            chosen.pop();
        }
    }
}

fn escape(word: &str) -> String {
    let special = |symbol: char| r"\.[]*^$+?(){}|".contains(symbol);
    word.chars().flat_map(|symbol| special(symbol).then_some('\\').into_iter().chain([symbol])).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn read(mode: MatchMode, text: &str) -> Result<Vec<String>, PluginError> {
        arguments(&crate::tests::query(text, mode))
    }

    #[test]
    fn modes_become_options() {
        assert_eq!(read(MatchMode::Literal, "-a.b").unwrap(), ["-F", "-e", "-a.b"]);
        assert_eq!(read(MatchMode::Regex, "a|b").unwrap(), ["-E", "-e", "a|b"]);
        assert_eq!(read(MatchMode::AllWords, " a ").unwrap(), ["-F", "-e", "a"]);
        assert_eq!(read(MatchMode::AllWords, "a b.c").unwrap(), ["-E", "-e", r"a.*b\.c|b\.c.*a"]);
        assert_eq!(read(MatchMode::AllWords, "a b c d").unwrap()[2].split('|').count(), 24);
    }

    #[test]
    fn what_cannot_be_searched_for_is_refused() {
        for (mode, text) in [
            (MatchMode::Literal, ""),
            (MatchMode::Literal, " "),
            (MatchMode::Literal, "a\nb"),
            (MatchMode::Literal, "a\tb"),
            (MatchMode::AllWords, "a b c d e"),
        ] {
            assert!(matches!(read(mode, text), Err(PluginError::InvalidInput(_))), "{text:?}");
        }
        assert!(read(MatchMode::Literal, &"x".repeat(301)).is_err());
    }
}
