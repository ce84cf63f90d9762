//! A row's document as JSON text, written straight into one string.
//!
//! `serde_json` asks of every byte of every key and value whether it needs an escape; here the keys are
//! known, most values are words of a listing, and eight bytes are looked at in one step. Listings are the
//! longest outputs that are read, and this was half of the time.

use std::fmt::Write as _;

use crate::row::Entry;

/// The document of the entry, after the schema `ls/1`. It is put together in `json`, so that each takes only the
/// memory it needs and none is moved while it grows.
pub(crate) fn document(json: &mut String, entry: &Entry<'_>) -> String {
    json.clear();
    json.push_str("{\"name\":");
    text(json, &entry.name);
    word(json, ",\"kind\":\"", Some(entry.kind));
    word(json, ",\"mode\":\"", Some(entry.mode));
    number(json, ",\"links\":", Some(entry.links));
    optional(json, ",\"owner\":", entry.owner);
    optional(json, ",\"group\":", entry.group);
    optional(json, ",\"context\":", entry.context);
    number(json, ",\"size_bytes\":", entry.size_bytes);
    optional(json, ",\"size_text\":", entry.size_text);
    if let Some(device) = entry.device {
        number(json, ",\"device\":{\"major\":", Some(device.major));
        number(json, ",\"minor\":", Some(device.minor));
        json.push('}');
    }
    optional(json, ",\"modified\":", Some(&entry.modified));
    optional(json, ",\"target\":", entry.target.as_deref());
    optional(json, ",\"directory\":", entry.directory);
    number(json, ",\"inode\":", entry.inode);
    optional(json, ",\"blocks\":", entry.blocks);
    json.push('}');
    json.clone()
}

/// A value that is known to need no escape; `key` ends with the quote that begins it.
fn word(json: &mut String, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        json.push_str(key);
        json.push_str(value);
        json.push('"');
    }
}

fn optional(json: &mut String, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        json.push_str(key);
        text(json, value);
    }
}

fn number(json: &mut String, key: &str, value: Option<u64>) {
    /// Digits of the largest number.
    const MOST_DIGITS: usize = 20;

    let Some(mut value) = value else { return };
    json.push_str(key);
    let mut digits = [b'0'; MOST_DIGITS];
    let mut start = MOST_DIGITS;
    loop {
        start -= 1;
        // The remainder is one digit.
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    json.push_str(std::str::from_utf8(&digits[start..]).unwrap_or_default());
}

/// A string after RFC 8259 §7: the quotation mark, the reverse solidus and controls are escaped.
fn text(json: &mut String, value: &str) {
    json.push('"');
    if is_plain(value.as_bytes()) {
        json.push_str(value);
    } else {
        for character in value.chars() {
            match character {
                '"' => json.push_str("\\\""),
                '\\' => json.push_str("\\\\"),
                '\n' => json.push_str("\\n"),
                '\r' => json.push_str("\\r"),
                '\t' => json.push_str("\\t"),
                // Writing to a string cannot fail.
                '\0'..='\u{1f}' => drop(write!(json, "\\u{:04x}", u32::from(character))),
                other => json.push(other),
            }
        }
    }
    json.push('"');
}

/// Whether no byte needs an escape, eight at a time.
///
/// A byte of `x - 0x01…` borrows into its highest bit where that byte of `x` is zero (H. S. Warren, Hacker's
/// Delight, §6-1), which finds a byte equal to a pattern as the zero of their difference, and one below 0x20 in
/// the same way. A borrow from the byte below can only report too much, and then every character is looked at.
fn is_plain(bytes: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHEST: u64 = 0x8080_8080_8080_8080;
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    let (chunks, rest) = bytes.as_chunks::<8>();
    let found = chunks.iter().any(|chunk| {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * u64::from(b'"'));
        let reverse = word ^ (ONES * u64::from(b'\\'));
        let below = word.wrapping_sub(ONES * 0x20) & !word;
        let hit = (quote.wrapping_sub(ONES) & !quote) | (reverse.wrapping_sub(ONES) & !reverse) | below;
        hit & HIGHEST != 0
    });
    !found && !rest.iter().copied().any(special)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(value: &str) -> String {
        let mut json = String::new();
        text(&mut json, value);
        json
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(value in "(\\PC|[\u{0}-\u{7f}]|[a-z]{8}){0,30}") {
            prop_assert_eq!(serde_json::from_str::<String>(&written(&value)).ok(), Some(value));
        }

        #[test]
        fn any_number_is_read_back(value in any::<u64>()) {
            let mut json = String::new();
            number(&mut json, "", Some(value));
            prop_assert_eq!(json, value.to_string());
        }
    }

    #[test]
    fn a_byte_that_needs_an_escape_is_found_at_every_place() {
        for length in 0..20 {
            let plain = "é".repeat(length);
            assert!(is_plain(plain.as_bytes()));
            for place in 0..length {
                for special in ['"', '\\', '\n', '\u{1f}', '\0'] {
                    let mut text = "x".repeat(length);
                    text.replace_range(place..=place, &special.to_string());
                    assert!(!is_plain(text.as_bytes()), "{text:?}");
                }
            }
        }
        assert!(is_plain(b" !#[]~\x7f"));
    }
}
