//! A page of output: as much as fits, cut where nothing is torn.
//!
//! Pages follow each other by offset, each byte is in one of them. A page ends behind a line where it
//! can; within a line it ends between two characters and outside of any control sequence, and not
//! behind a blank, because cleaning drops blanks at a line's end.

use portcullis_term::{clean, clean_around_full_screen};

/// Bytes looked at for one page, however little of them is text.
pub(super) const MAX_PAGE_BYTES: usize = 1 << 20;
/// A control sequence longer than this is taken apart; nothing waits for its end.
const MAX_SEQUENCE_BYTES: usize = 4_096;

/// What fits into one result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) text: String,
    /// Bytes of the output it stands for.
    pub(super) length: usize,
}

/// How the bytes lie in the session's output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) columns: u16,
    /// A full-screen program has the terminal where they begin.
    pub(super) full_screen: bool,
    /// Nothing will ever follow them.
    pub(super) last: bool,
}

/// The first page of `bytes`, of about `max_chars` characters at most.
pub(super) fn page(bytes: &[u8], max_chars: usize, place: Place) -> Page {
    let mut length = cut(bytes, max_chars, place.last);
    loop {
        let text = text(&bytes[..length], place);
        // Movements of the cursor can make more text than there are bytes.
        if text.chars().count() <= max_chars || length <= 1 {
            return Page { text, length };
        }
        length = cut(&bytes[..length], max_chars.min(length / 2), true).clamp(1, length - 1);
    }
}

/// Where the newest page begins: at a line, so that what follows has about `max_chars` characters at
/// most. A single line that is longer is cut at a character.
pub(super) fn newest_from(bytes: &[u8], max_chars: usize, place: Place) -> usize {
    let (mut from, mut chars) = (bytes.len(), 0);
    let mut ends = memchr::memrchr_iter(b'\n', bytes).map(|index| index + 1).filter(|start| *start < bytes.len());
    loop {
        let start = ends.next();
        let line = &bytes[start.unwrap_or(0)..from];
        chars += clean(line, place.columns).text.chars().count();
        if chars > max_chars {
            break;
        }
        from = start.unwrap_or(0);
        if start.is_none() {
            break;
        }
    }
    if from < bytes.len() || bytes.is_empty() {
        return from;
    }
    let cut = bytes.len().saturating_sub(max_chars);
    bytes[cut..].iter().position(|byte| !matches!(byte, 0x80..=0xbf)).map_or(bytes.len(), |skip| cut + skip)
}

/// The bytes as text, knowing whether they begin on a full-screen program's screen.
pub(super) fn text(bytes: &[u8], place: Place) -> String {
    if place.full_screen {
        return clean_around_full_screen(bytes, place.columns, true).text;
    }
    clean(bytes, place.columns).text
}

/// Where to end a page.
fn cut(bytes: &[u8], max_chars: usize, last: bool) -> usize {
    let mut scanner = Scanner::default();
    let (mut chars, mut line_end, mut safe, mut firm) = (0, 0, 0, 0);
    for (index, byte) in bytes.iter().enumerate().take(MAX_PAGE_BYTES) {
        if scanner.take(*byte) {
            chars += 1;
        }
        if chars > max_chars {
            break;
        }
        if scanner.between_characters(bytes.get(index + 1)) {
            safe = index + 1;
            if *byte != b' ' && *byte != b'\r' {
                firm = safe;
            }
            if *byte == b'\n' {
                line_end = safe;
            }
        }
    }
    let everything = chars <= max_chars && bytes.len() <= MAX_PAGE_BYTES;
    match (everything, last) {
        (true, true) => bytes.len(),
        // The rest of a torn sequence is still to come.
        (true, false) => safe,
        (false, _) => {
            [line_end, firm, safe].into_iter().find(|cut| *cut > 0).unwrap_or(bytes.len().min(MAX_SEQUENCE_BYTES))
        }
    }
}

/// Where in a control sequence or a character a stream of bytes is.
#[derive(Debug, Default)]
struct Scanner {
    state: State,
    /// Bytes of the present sequence.
    length: usize,
    /// Bytes that are still missing of a character.
    missing: u8,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    Escape,
    Csi,
    /// OSC, DCS and the like: up to BEL or ST.
    Text,
    TextEscape,
}

impl Scanner {
    /// Takes a byte; true when it begins a character that could be seen.
    fn take(&mut self, byte: u8) -> bool {
        self.length += 1;
        if self.length > MAX_SEQUENCE_BYTES || matches!(byte, 0x18 | 0x1a) {
            self.to(State::Ground);
        }
        match (self.state, byte) {
            (State::Ground, 0x1b) | (State::Escape | State::Csi, 0x1b) => self.to(State::Escape),
            (State::Ground, _) => {
                self.length = 0;
                return self.character(byte);
            }
            (State::Escape, b'[') => self.state = State::Csi,
            (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => self.state = State::Text,
            (State::Escape, 0x20..=0x2f) => {}
            (State::Escape, _) | (State::Csi, 0x40..=0x7e) => self.to(State::Ground),
            (State::Csi, _) => {}
            (State::Text, 0x07) => self.to(State::Ground),
            (State::Text, 0x1b) => self.state = State::TextEscape,
            (State::Text, _) => {}
            (State::TextEscape, b'\\') => self.to(State::Ground),
            // Another sequence cuts the text off.
            (State::TextEscape, b'[') => self.state = State::Csi,
            (State::TextEscape, b']' | b'P' | b'X' | b'^' | b'_') => self.state = State::Text,
            (State::TextEscape, _) => self.to(State::Ground),
        }
        false
    }

    fn to(&mut self, state: State) {
        (self.state, self.length) = (state, 0);
    }

    fn character(&mut self, byte: u8) -> bool {
        self.missing = match byte {
            0x80..=0xbf => return self.continued(),
            0xc2..=0xdf => 1,
            0xe0..=0xef => 2,
            0xf0..=0xf4 => 3,
            _ => 0,
        };
        byte == b'\n' || byte == b'\t' || byte >= b' '
    }

    /// A continuation byte; one that belongs to nothing is a character of its own.
    fn continued(&mut self) -> bool {
        let stray = self.missing == 0;
        self.missing = self.missing.saturating_sub(1);
        stray
    }

    /// Whether the stream may be cut here; `next` is the byte to come, as far as it is there.
    fn between_characters(&self, next: Option<&u8>) -> bool {
        let whole = self.missing == 0 || next.is_some_and(|next| !matches!(next, 0x80..=0xbf));
        self.state == State::Ground && whole
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: Place = Place { columns: 80, full_screen: false, last: true };

    /// The pages of the whole, one behind the other.
    fn pages(bytes: &[u8], max_chars: usize, last: bool) -> Vec<(Page, std::ops::Range<usize>)> {
        let mut pages = Vec::new();
        let mut from = 0;
        while from < bytes.len() {
            let page = page(&bytes[from..], max_chars, Place { last, ..PLACE });
            if page.length == 0 {
                assert!(!last, "a page without progress");
                break;
            }
            let to = from + page.length;
            pages.push((page, from..to));
            from = to;
        }
        pages
    }

    #[test]
    fn pages_end_behind_lines_where_they_can() {
        let told: Vec<String> =
            pages(b"one\r\ntwo\r\nthree\r\n", 9, true).into_iter().map(|(page, _)| page.text).collect();
        assert_eq!(told, ["one\ntwo\n", "three\n"]);
    }

    #[test]
    fn the_newest_page_begins_at_a_line() {
        let bytes = b"one\r\ntwo\r\nthree\r\n$ ";
        assert_eq!(newest_from(bytes, 12, PLACE), 5);
        assert_eq!(newest_from(bytes, 8, PLACE), 10);
        assert_eq!(newest_from(bytes, 100, PLACE), 0);
        assert_eq!(newest_from("字字字".as_bytes(), 2, PLACE), 9);
        assert_eq!(newest_from(&b"x".repeat(50), 20, PLACE), 30);
        assert_eq!(newest_from(b"", 20, PLACE), 0);
    }

    #[test]
    fn a_sequence_that_is_still_coming_waits_for_its_end() {
        let (page, range) = pages("abc\x1b[3".as_bytes(), 100, false).remove(0);
        assert_eq!((page.text.as_str(), range), ("abc", 0..3));
        assert_eq!(pages(&"字".as_bytes()[..2], 100, false), []);
        assert_eq!(pages(b"abc\x1b[3", 100, true)[0].1, 0..6);
    }

    #[test]
    fn a_page_that_begins_in_a_full_screen_program_shows_none_of_it() {
        let place = Place { full_screen: true, ..PLACE };
        assert_eq!(page(b"~\r\n~\r\n\x1b[?1049lafter\r\n", 100, place).text, "after\n");
    }

    #[test]
    fn an_endless_sequence_does_not_hold_everything_back() {
        let mut bytes = b"\x1b]0;".to_vec();
        bytes.extend_from_slice(&b"x".repeat(20_000));
        let all: usize = pages(&bytes, 1_000, false).iter().map(|(page, _)| page.length).sum();
        assert!(all > 10_000, "{all}");
    }

    /// Pieces of what programs print.
    fn output() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            8 => "[a-z ]{1,12}".prop_map(String::into_bytes),
            3 => Just(b"\r\n".to_vec()),
            2 => "[字宽❤é😀]{1,4}".prop_map(String::into_bytes),
            1 => Just(b"\x1b[1;31m".to_vec()),
            1 => Just(b"\x1b]0;title\x07".to_vec()),
            1 => Just(b"\x1b]133;C;aid=n\x1b\\".to_vec()),
            1 => Just(b"10%\r20%".to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..6),
        ];
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn every_byte_is_in_exactly_one_page(bytes in output(), max_chars in 1_usize..60) {
            let pages = pages(&bytes, max_chars, true);
            let joined: Vec<u8> = pages.iter().flat_map(|(_, range)| bytes[range.clone()].to_vec()).collect();
            prop_assert_eq!(joined, bytes);
        }

        #[test]
        fn nothing_is_torn(words in prop::collection::vec("[a-l字❤é😀]{1,9}", 1..40), max_chars in 4_usize..60) {
            let bytes = words.join("\x1b[1;38;5;200m").into_bytes();
            for (page, range) in pages(&bytes, max_chars, true) {
                prop_assert!(std::str::from_utf8(&bytes[range.clone()]).is_ok());
                // What a torn sequence leaves behind would be text.
                prop_assert!(page.text.chars().all(|c| words.concat().contains(c)), "{}", page.text);
            }
        }

        #[test]
        fn pages_of_plain_text_join_to_the_whole(
            lines in prop::collection::vec("([a-z字]+ {0,3}){0,9}[a-z字]", 0..20), max_chars in 4_usize..40
        ) {
            let whole = lines.join("\r\n");
            let text: String = pages(whole.as_bytes(), max_chars, true).into_iter().map(|(page, _)| page.text).collect();
            prop_assert_eq!(text, lines.join("\n"));
        }
    }
}
