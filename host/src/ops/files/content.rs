//! A file's bytes as a reader gets them: text where they are text, base64 where not.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Part of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Content {
    /// `utf-8` or `base64`.
    pub encoding: &'static str,
    pub content: String,
    pub offset_bytes: u64,
    /// There is more of the file behind this.
    pub truncated: bool,
    /// Where it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_offset_bytes: Option<u64>,
    /// Of the file, when all of it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Control characters that are shown as pictures (`␛`), so that they act on nothing.
    #[serde(skip_serializing_if = "is_zero")]
    pub control_chars: usize,
    /// Bytes of the file that this is.
    #[serde(skip)]
    pub read_bytes: u64,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Hexadecimal SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(super) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What was read from `offset` on. One byte more than `limit` says that there is more.
pub(super) fn present(mut bytes: Vec<u8>, offset: u64, limit: usize) -> Content {
    let more = bytes.len() > limit;
    let sha256 = (offset == 0 && !more).then(|| sha256(&bytes));
    bytes.truncate(limit);
    let (encoding, content, used, control_chars) = match text(&bytes, offset > 0, more) {
        Some((text, used)) => {
            let (text, control_chars) = without_controls(&text);
            ("utf-8", text, used, control_chars)
        }
        None => {
            // Four characters for three bytes: no more of them than there would be of text.
            let used = if bytes.len() * 4 / 3 > limit { (limit / 4 * 3).max(1) } else { bytes.len() };
            ("base64", STANDARD.encode(&bytes[..used]), used, 0)
        }
    };
    let truncated = more || used < bytes.len();
    Content {
        encoding,
        content,
        offset_bytes: offset,
        truncated,
        next_offset_bytes: truncated.then_some(offset + used as u64),
        sha256,
        control_chars,
        read_bytes: used as u64,
    }
}

/// The bytes as text and how many of them that is; `None` where they are none. A character that is cut
/// at the end belongs to the next part, one that is cut at the beginning of a later part is left out.
fn text(bytes: &[u8], later: bool, more: bool) -> Option<(String, usize)> {
    if bytes.contains(&0) {
        return None;
    }
    let is_inner = |byte: &&u8| (0x80..0xc0).contains(*byte);
    let skipped = if later { bytes.iter().take(3).take_while(is_inner).count() } else { 0 };
    let body = &bytes[skipped..];
    let whole = match std::str::from_utf8(body) {
        Ok(text) => text,
        // Cut by us, and not simply wrong.
        Err(error) if more && error.error_len().is_none() && error.valid_up_to() > 0 => {
            std::str::from_utf8(&body[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let whole = match whole.rfind('\n') {
        // Whole lines, where that loses little.
        Some(end) if more && end * 4 > whole.len() * 3 => &whole[..=end],
        _ => whole,
    };
    Some((whole.to_owned(), skipped + whole.len()))
}

/// Control characters as the pictures Unicode has for them, and how many there were.
fn without_controls(text: &str) -> (String, usize) {
    let mut count = 0;
    let shown = text.chars().map(|character| {
        let code = u32::from(character);
        let picture = match code {
            // Tab, line feed and carriage return are part of text.
            9 | 10 | 13 => return character,
            0..0x20 => char::from_u32(0x2400 + code),
            0x7f => Some('\u{2421}'),
            0x80..0xa0 => Some('\u{fffd}'),
            _ => return character,
        };
        count += 1;
        picture.unwrap_or('\u{fffd}')
    });
    let shown = shown.collect();
    (shown, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters_and_goes_on_there() {
        let bytes = "aé".repeat(10).into_bytes();
        let first = present(bytes[..9].to_vec(), 0, 8);
        assert_eq!((first.content.as_str(), first.next_offset_bytes), ("aéaéa", Some(7)));
        assert_eq!((first.truncated, first.sha256), (true, None));
        let rest = present(bytes[7..].to_vec(), 7, 100);
        assert_eq!(format!("{}{}", first.content, rest.content), "aé".repeat(10));
        // Somebody asks for the middle of a character.
        let inside = present(bytes[2..].to_vec(), 2, 100);
        assert_eq!((inside.encoding, inside.content.chars().next()), ("utf-8", Some('a')));
    }

    #[test]
    fn whole_files_have_a_digest_and_lines_stay_whole() {
        let whole = present(b"abc".to_vec(), 0, 3);
        assert_eq!(whole.sha256.as_deref(), Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        assert!(!whole.truncated && whole.next_offset_bytes.is_none());
        let cut = present(b"line 1\nline 2\nline".to_vec(), 0, 16);
        assert_eq!((cut.content.as_str(), cut.next_offset_bytes), ("line 1\nline 2\n", Some(14)));
        assert_eq!(present(Vec::new(), 5, 10).content, "");
    }

    #[test]
    fn what_is_no_text_is_base64_within_the_limit() {
        let binary = present(vec![0xff; 100], 0, 80);
        assert_eq!((binary.encoding, binary.content.len(), binary.next_offset_bytes), ("base64", 80, Some(60)));
        assert_eq!(present(b"a\0b".to_vec(), 0, 80).encoding, "base64");
        assert_eq!(present(vec![b'a', 0xc3], 0, 80).encoding, "base64");
        // A limit this small still gets on.
        assert!(present(vec![0; 2], 0, 1).next_offset_bytes.is_some_and(|next| next > 0));
    }

    #[test]
    fn control_characters_act_on_nothing() {
        let shown = present("a\u{1b}[31m\tb\u{9b}\r\n".into(), 0, 80);
        assert_eq!((shown.content.as_str(), shown.control_chars), ("a␛[31m\tb\u{fffd}\r\n", 2));
    }
}
