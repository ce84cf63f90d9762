//! Texts with `{value}` in them: lines to type, where a value is put as it is, and patterns, where
//! it stands for itself and nothing else.

use std::collections::BTreeMap;

use regex_lite::Regex;

/// Values by name: the route's parameters and what was read on the way.
pub(crate) type Values = BTreeMap<String, String>;

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Text(&'a str),
    Value(&'a str),
}

/// Cuts a text at its `{value}`s. Braces around anything but a name are text: patterns count with them.
pub(crate) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(open) = rest[from..].find('{').map(|at| from + at) {
        let name = rest[open + 1..].find('}').map(|length| &rest[open + 1..open + 1 + length]);
        match name.filter(|name| is_name(name)) {
            Some(name) => {
                parts.push(Part::Text(&rest[..open]));
                parts.push(Part::Value(name));
                rest = &rest[open + name.len() + 2..];
                from = 0;
            }
            None => from = open + 1,
        }
    }
    parts.push(Part::Text(rest));
    parts
}

/// A value's name: small letters, digits, `_`.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The text with its values; none where one of them is not known.
pub(crate) fn filled(text: &str, values: &Values) -> Option<String> {
    let mut whole = String::new();
    for part in parts(text) {
        match part {
            Part::Text(text) => whole.push_str(text),
            Part::Value(name) => whole.push_str(values.get(name)?),
        }
    }
    Some(whole)
}

/// The pattern with its named parts and values; none where a value is not known.
pub(crate) fn pattern(text: &str, patterns: &Values, values: &Values) -> Option<Result<Regex, regex_lite::Error>> {
    let mut whole = String::new();
    for part in parts(text) {
        match part {
            Part::Text(text) => whole.push_str(text),
            Part::Value(name) => match patterns.get(name) {
                Some(fragment) => whole.push_str(&format!("(?:{fragment})")),
                None => whole.push_str(&regex_lite::escape(values.get(name)?)),
            },
        }
    }
    Some(Regex::new(&whole))
}

/// Names of the groups of a pattern.
pub(crate) fn groups(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for start in ["(?P<", "(?<"] {
        for piece in text.split(start).skip(1) {
            if let Some((name, _)) = piece.split_once('>').filter(|(name, _)| is_name(name)) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn values_are_put_in_and_unknown_ones_stop_the_text() {
        let known = values(&[("host", "web-1"), ("user", "root")]);
        assert_eq!(filled("ssh {user}@{host}", &known).as_deref(), Some("ssh root@web-1"));
        assert_eq!(filled("{Host} {} {2} {a b}", &known).as_deref(), Some("{Host} {} {2} {a b}"));
        assert_eq!(filled("{nobody}", &known), None);
    }

    #[test]
    fn a_value_in_a_pattern_stands_for_itself() {
        let known = values(&[("host", "10.0.0.1")]);
        let named = values(&[("sign", "[$#]")]);
        let found = pattern(r"^{host}{sign}\s{0,2}$", &named, &known).unwrap().unwrap();
        assert!(found.is_match("10.0.0.1# "));
        assert!(!found.is_match("10x0x0x1#"));
        assert_eq!(groups(r"(?P<name>\S+) (?<address>.)"), ["name", "address"]);
    }
}
