//! Whole lines out of chunks that may end anywhere.

use std::borrow::Cow;

/// A longer line is given in part, marked as cut. Bytes.
pub const DEFAULT_MAX_LINE_BYTES: usize = 64 * 1024;

/// One line without its end (`\n` or `\r\n`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// From 1.
    pub number: u32,
    /// Bytes that are not UTF-8 became U+FFFD.
    pub text: Cow<'a, str>,
    /// The line was longer than the bound; the rest of it was dropped.
    pub cut: bool,
}

/// Collects chunks into lines. What it holds never exceeds one line's bound.
#[derive(Debug)]
pub struct Lines {
    max_line_bytes: usize,
    partial: Vec<u8>,
    /// Bytes were dropped from the line being collected.
    cut: bool,
    /// Something, perhaps an empty text, was read since the last line's end.
    open: bool,
    given: u32,
}

impl Default for Lines {
    fn default() -> Self {
        Self::bounded(DEFAULT_MAX_LINE_BYTES)
    }
}

impl Lines {
    /// Lines of at most that many bytes; longer ones are cut there.
    pub fn bounded(max_line_bytes: usize) -> Self {
        Self { max_line_bytes, partial: Vec::new(), cut: false, open: false, given: 0 }
    }

    /// How many lines have been given so far.
    pub fn count(&self) -> u32 {
        self.given
    }

    /// Takes a chunk and gives every line it completes.
    pub fn push(&mut self, chunk: &[u8], mut each: impl FnMut(Line<'_>)) {
        let mut piece = chunk;
        while let Some(length) = newline(piece) {
            let (line, next) = (&piece[..length], &piece[length + 1..]);
            if self.open || line.len() > self.max_line_bytes {
                self.collect(line);
                self.give(&mut each);
            } else {
                // A whole line within the chunk is not copied.
                self.given = self.given.saturating_add(1);
                each(Line { number: self.given, text: text_of(line), cut: false });
            }
            piece = next;
        }
        if !piece.is_empty() {
            self.collect(piece);
            self.open = true;
        }
    }

    /// Gives the last line, if it had no end.
    pub fn finish(&mut self, mut each: impl FnMut(Line<'_>)) {
        if self.open {
            self.give(&mut each);
        }
    }

    fn collect(&mut self, piece: &[u8]) {
        let room = self.max_line_bytes.saturating_sub(self.partial.len());
        if piece.len() > room {
            self.cut = true;
        }
        self.partial.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn give(&mut self, each: &mut impl FnMut(Line<'_>)) {
        self.given = self.given.saturating_add(1);
        // A carriage return at the cut is text: the line's end lay behind it.
        let text = if self.cut { String::from_utf8_lossy(&self.partial) } else { text_of(&self.partial) };
        each(Line { number: self.given, text, cut: self.cut });
        self.partial.clear();
        self.cut = false;
        self.open = false;
    }
}

/// Where the first newline is, eight bytes looked at in one step.
fn newline(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHEST: u64 = 0x8080_8080_8080_8080;
    let (chunks, rest) = bytes.as_chunks::<8>();
    for (index, chunk) in chunks.iter().enumerate() {
        // A byte is zero where it was a newline; the lowest one found that way is one (H. S. Warren,
        // Hacker's Delight, §6-1).
        let difference = u64::from_le_bytes(*chunk) ^ (ONES * u64::from(b'\n'));
        let zeros = difference.wrapping_sub(ONES) & !difference & HIGHEST;
        if zeros != 0 {
            return Some(index * 8 + zeros.trailing_zeros() as usize / 8);
        }
    }
    let found = rest.iter().position(|byte| *byte == b'\n');
    found.map(|place| chunks.len() * 8 + place)
}

/// A line without the carriage return at its end.
fn text_of(line: &[u8]) -> Cow<'_, str> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // The strict check reads plain text by words, the lenient one byte by byte.
    std::str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(max: usize, chunks: &[&[u8]]) -> Vec<(u32, String, bool)> {
        let mut lines = Lines::bounded(max);
        let mut read = Vec::new();
        for chunk in chunks {
            lines.push(chunk, |line| read.push((line.number, line.text.into_owned(), line.cut)));
        }
        lines.finish(|line| read.push((line.number, line.text.into_owned(), line.cut)));
        read
    }

    fn plain(number: u32, text: &str) -> (u32, String, bool) {
        (number, text.to_owned(), false)
    }

    #[test]
    fn a_character_split_between_chunks_stays_whole() {
        let text = "größe\r\nとても\nend".as_bytes();
        for at in 0..text.len() {
            let (left, right) = text.split_at(at);
            assert_eq!(read(100, &[left, right]), [plain(1, "größe"), plain(2, "とても"), plain(3, "end")]);
        }
    }

    #[test]
    fn the_first_newline_is_found_at_every_place() {
        for length in 0..40 {
            for place in 0..length {
                let mut bytes = vec![0x0b; length];
                bytes[place] = b'\n';
                if place + 1 < length {
                    bytes[length - 1] = b'\n';
                }
                assert_eq!(newline(&bytes), Some(place), "{length}");
            }
            assert_eq!(newline(&vec![b'\t'; length]), None);
        }
    }

    #[test]
    fn empty_lines_count_and_a_final_newline_does_not() {
        assert_eq!(read(9, &[b"\n\na\n"]), [plain(1, ""), plain(2, ""), plain(3, "a")]);
        assert_eq!(read(9, &[b""]), []);
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        let wanted = [(1, "abc".to_owned(), true), plain(2, "def")];
        assert_eq!(read(3, &[b"abcd", b"efg\ndef"]), wanted);
        assert_eq!(read(3, &[b"abc\n"]), [plain(1, "abc")]);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
            size in 1usize..20,
            max in 1usize..40,
        ) {
            let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
            prop_assert_eq!(read(max, &chunks), read(max, &[&bytes]));
        }
    }
}
