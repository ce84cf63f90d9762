//! The session's history as numbered lines: what was printed, who typed what, what happened.
//!
//! Output is not copied: a [`Piece`] of it is an offset into the ring and a count of its lines, so a
//! line's number never shifts, whatever is evicted. Everything else is a line of text between two
//! pieces. A line of output that something else interrupts ends there; what follows has its own number.
//!
//! Owned by the session's task, bounded by the constants below. Turning a [`Cut`] into text costs time
//! and is done by the reader, not here.

use std::collections::VecDeque;

use portcullis_term::{Offset, Slice, Span, Typist, clean_around_full_screen};

use super::typed::Typing;

/// Lines that are not output.
const MAX_ENTRIES: usize = 4_000;
/// Their text; the oldest go first.
const MAX_TEXT_BYTES: usize = 256 * 1024;
/// Longest single line that is not output, in characters.
const MAX_ENTRY_CHARS: usize = 2_000;
/// Output is evicted from the ring by bytes and from here by pieces: this much at a time.
const PIECE_BYTES: u64 = 64 * 1024;
/// Pieces whose output may be gone before they are looked for; more than the kept ones ever are.
const COMPACT_PIECES: usize = 2 * MAX_ENTRIES + 1_024;

/// Which lines a reader wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineRange {
    /// The newest so many.
    Newest(u64),
    /// From one number to another, both included; none means the end that is kept.
    Between(Option<u64>, Option<u64>),
}

/// Lines cut out for a reader, raw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    parts: Vec<Part>,
    /// The lines asked for, as far as they were ever there; `to` is excluded.
    from: u64,
    to: u64,
    /// The number the next line will have.
    pub next_line: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Entry { number: u64, text: String },
    Output { first: u64, bytes: Vec<u8>, full_screen: bool },
}

/// One line as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryLine {
    /// From 1.
    pub number: u64,
    pub text: String,
}

/// The store.
#[derive(Debug, Default)]
pub(super) struct History {
    pieces: VecDeque<Piece>,
    /// Number of the line that is being written, from 0.
    complete: u64,
    entries: usize,
    entry_bytes: usize,
    typing: Typing,
}

#[derive(Debug)]
enum Piece {
    Entry {
        number: u64,
        text: String,
    },
    Output {
        first: u64,
        span: Span,
        /// A full-screen program had the terminal when it began.
        full_screen: bool,
        /// The last byte ended a line.
        whole: bool,
    },
}

impl History {
    /// Output was printed; `end` is the offset behind it.
    pub(super) fn output(&mut self, bytes: &[u8], end: Offset, full_screen_before: bool) {
        if bytes.is_empty() {
            return;
        }
        let from = Offset(end.0 - bytes.len() as u64);
        let lines = memchr::memchr_iter(b'\n', bytes).count() as u64;
        let ends_line = bytes.ends_with(b"\n");
        match self.pieces.back_mut() {
            Some(Piece::Output { span, whole, .. }) if !(*whole && span.len() >= PIECE_BYTES) => {
                (span.to, *whole) = (end, ends_line);
            }
            _ => self.pieces.push_back(Piece::Output {
                first: self.complete,
                span: Span { from, to: end },
                full_screen: full_screen_before,
                whole: ends_line,
            }),
        }
        self.complete += lines;
    }

    /// Output before `start` is gone: what only counted its lines may go.
    pub(super) fn evict(&mut self, start: Offset) {
        if self.pieces.len() > COMPACT_PIECES {
            self.pieces.retain(|piece| !matches!(piece, Piece::Output { span, .. } if span.to <= start));
        }
    }

    /// Something happened.
    pub(super) fn happened(&mut self, what: &str) {
        self.entry(format!("[session] {what}"));
    }

    /// Somebody submitted a whole line, or several.
    pub(super) fn submitted(&mut self, typist: Typist, text: &str) {
        self.finish_typing();
        for line in text.lines() {
            self.entry(format!("[{}] {line}", typist_name(typist)));
        }
    }

    /// Somebody typed these bytes. What is typed at a question for a secret is not kept.
    pub(super) fn typed(&mut self, typist: Typist, bytes: &[u8], secret: bool) {
        let mut lines = self.typing.add(typist, bytes, secret);
        if typist != Typist::Human {
            // Only a person types a line key by key.
            lines.extend(self.typing.finish());
        }
        for line in lines {
            self.entry(line);
        }
    }

    fn finish_typing(&mut self) {
        if let Some(line) = self.typing.finish() {
            self.entry(line);
        }
    }

    fn entry(&mut self, text: String) {
        if let Some(Piece::Output { whole: false, .. }) = self.pieces.back() {
            self.complete += 1;
        }
        let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_ENTRY_CHARS).collect();
        self.entries += 1;
        self.entry_bytes += text.len();
        self.pieces.push_back(Piece::Entry { number: self.complete, text });
        self.complete += 1;
        while self.entries > MAX_ENTRIES || self.entry_bytes > MAX_TEXT_BYTES {
            if let Some(Piece::Entry { text, .. }) = self.pieces.pop_front() {
                self.entries -= 1;
                self.entry_bytes -= text.len();
            }
        }
    }

    /// The number of the first line that is kept, `start` being the oldest output that is.
    pub(super) fn first_line(&self, start: Offset) -> u64 {
        let kept =
            |piece: &&Piece| !matches!(piece, Piece::Output { span, .. } if span.to <= start && !span.is_empty());
        self.pieces.iter().find(kept).map_or(self.complete, Piece::first) + 1
    }

    /// The number of the next line; a line still being written has it.
    pub(super) fn next_line(&self) -> u64 {
        self.complete + 1
    }

    /// The last line is output that is not ended yet.
    pub(super) fn is_line_begun(&self) -> bool {
        matches!(self.pieces.back(), Some(Piece::Output { whole: false, .. }))
    }

    /// Copies the lines out; `read` gives output as far as it is kept.
    pub(super) fn cut(&self, range: LineRange, read: impl Fn(Span) -> Slice) -> Cut {
        let end = self.complete + u64::from(self.is_line_begun());
        // Numbers are from 1 for readers and from 0 here.
        let (from, to) = match range {
            LineRange::Newest(count) => (end.saturating_sub(count), end),
            LineRange::Between(from, to) => (from.unwrap_or(1).max(1) - 1, to.unwrap_or(end).min(end)),
        };
        let mut parts = Vec::new();
        for (index, piece) in self.pieces.iter().enumerate() {
            let next = self.pieces.get(index + 1).map_or(end, Piece::first);
            if next <= from || piece.first() >= to {
                continue;
            }
            match piece {
                Piece::Entry { number, text } => parts.push(Part::Entry { number: *number, text: text.clone() }),
                Piece::Output { first, span, full_screen, .. } => {
                    let slice = read(*span);
                    if slice.evicted == 0 {
                        parts.push(Part::Output { first: *first, bytes: slice.bytes, full_screen: *full_screen });
                    }
                }
            }
        }
        Cut { parts, from, to, next_line: self.next_line() }
    }

    /// Whether a full-screen program had the terminal at `offset`, and from where on to look for a
    /// change of that.
    pub(super) fn full_screen_before(&self, offset: Offset) -> Option<(Offset, bool)> {
        self.pieces.iter().rev().find_map(|piece| match piece {
            Piece::Output { span, full_screen, .. } if span.from <= offset => Some((span.from, *full_screen)),
            _ => None,
        })
    }
}

impl Piece {
    fn first(&self) -> u64 {
        match self {
            Self::Entry { number: first, .. } | Self::Output { first, .. } => *first,
        }
    }
}

impl Cut {
    /// The lines as text, cleaned for a terminal of `columns`. Lines that hold nothing a reader could
    /// see, only a line editor's switches, are left out; the others keep their numbers.
    pub fn lines(&self, columns: u16) -> Vec<HistoryLine> {
        let mut lines = Vec::new();
        for part in &self.parts {
            match part {
                Part::Entry { number, text } => lines.push(HistoryLine { number: *number, text: text.clone() }),
                Part::Output { first, bytes, full_screen } => {
                    output_lines(*first, bytes, *full_screen, columns, &mut lines)
                }
            }
        }
        lines.retain(|line| (self.from..self.to).contains(&line.number));
        for line in &mut lines {
            line.number += 1;
        }
        lines
    }

    /// Lines of the range that are no longer kept.
    pub fn evicted_lines(&self) -> u64 {
        let kept: u64 = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Entry { number, .. } => (*number, number + 1),
                Part::Output { first, bytes, .. } => (*first, first + line_count(bytes)),
            })
            .map(|(first, end)| end.min(self.to).saturating_sub(first.max(self.from)))
            .sum();
        self.to.saturating_sub(self.from).saturating_sub(kept)
    }
}

fn line_count(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64 + u64::from(!bytes.ends_with(b"\n"))
}

fn output_lines(first: u64, bytes: &[u8], mut full_screen: bool, columns: u16, lines: &mut Vec<HistoryLine>) {
    let whole = bytes.strip_suffix(b"\n");
    let ends_line = whole.is_some();
    let rows: Vec<&[u8]> = whole.unwrap_or(bytes).split(|byte| *byte == b'\n').collect();
    for (index, row) in rows.iter().enumerate() {
        let text = line_text(row, full_screen, columns);
        let was_full_screen = full_screen;
        full_screen = full_screen_after(row, full_screen);
        let unfinished = index + 1 == rows.len() && !ends_line;
        let hidden = text.is_empty() && (was_full_screen || unfinished);
        let text = match (was_full_screen, full_screen) {
            (false, true) => format!("{text}[a full-screen program has the terminal]"),
            _ => text,
        };
        if !hidden || !was_full_screen && full_screen {
            lines.push(HistoryLine { number: first + index as u64, text });
        }
    }
}

fn line_text(row: &[u8], full_screen: bool, columns: u16) -> String {
    let row = row.strip_suffix(b"\r").unwrap_or(row);
    match std::str::from_utf8(row) {
        Ok(plain) if !full_screen && !plain.chars().any(|c| c.is_control() && c != '\t') => {
            plain.trim_end_matches(' ').to_owned()
        }
        // What was left out is named on a line of its own.
        _ => clean_around_full_screen(row, columns, full_screen).text.replace('\n', " "),
    }
}

/// Whether the alternate screen is shown after `bytes`.
pub(crate) fn full_screen_after(bytes: &[u8], mut full_screen: bool) -> bool {
    for start in memchr::memmem::find_iter(bytes, b"\x1b[?") {
        let rest = &bytes[start + 3..];
        let Some(end) = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';')) else { continue };
        let switch = rest[..end].split(|byte| *byte == b';').any(|mode| matches!(mode, b"47" | b"1047" | b"1049"));
        match rest[end] {
            b'h' if switch => full_screen = true,
            b'l' if switch => full_screen = false,
            _ => {}
        }
    }
    full_screen
}

/// Who typed, as lines of the history name it.
pub(super) fn typist_name(typist: Typist) -> &'static str {
    match typist {
        Typist::Agent => "agent",
        Typist::Human => "human",
        Typist::Automation => "automation",
    }
}

#[cfg(test)]
mod tests {
    use portcullis_term::OutputRing;
    use proptest::prelude::*;

    use super::*;

    /// A history with the ring that its output lies in.
    struct Kept {
        history: History,
        ring: OutputRing,
        full_screen: bool,
    }

    impl Kept {
        fn new(capacity: usize) -> Self {
            Self { history: History::default(), ring: OutputRing::new(capacity), full_screen: false }
        }

        fn print(&mut self, text: &str) {
            self.ring.push(text.as_bytes());
            self.history.output(text.as_bytes(), self.ring.end(), self.full_screen);
            self.history.evict(self.ring.start());
            self.full_screen = full_screen_after(text.as_bytes(), self.full_screen);
        }

        fn cut(&self, range: LineRange) -> Cut {
            self.history.cut(range, |span| self.ring.read(span))
        }

        fn all(&self) -> Vec<(u64, String)> {
            let lines = self.cut(LineRange::Between(None, None)).lines(80);
            lines.into_iter().map(|line| (line.number, line.text)).collect()
        }
    }

    fn numbered(lines: &[(u64, &str)]) -> Vec<(u64, String)> {
        lines.iter().map(|(number, text)| (*number, (*text).to_owned())).collect()
    }

    #[test]
    fn output_and_input_share_one_numbering() {
        let mut kept = Kept::new(10_000);
        kept.history.happened("opened");
        kept.print("Welcome\r\n$ ");
        kept.history.submitted(Typist::Agent, "ls");
        kept.print("ls\r\na\r\nb\r\n$ ");
        kept.history.typed(Typist::Human, b"pwd", false);
        kept.print("pwd");
        kept.history.typed(Typist::Human, b"\r", false);
        kept.print("\r\n/root\r\n$ ");
        let expected = [
            (1, "[session] opened"),
            (2, "Welcome"),
            (3, "$"),
            (4, "[agent] ls"),
            (5, "ls"),
            (6, "a"),
            (7, "b"),
            (8, "$ pwd"),
            (9, "[human] pwd"),
            (10, ""),
            (11, "/root"),
            (12, "$"),
        ];
        assert_eq!(kept.all(), numbered(&expected));
        assert_eq!(kept.history.next_line(), 12);
        let newest = kept.cut(LineRange::Newest(2)).lines(80);
        assert_eq!(newest.iter().map(|line| line.number).collect::<Vec<_>>(), [11, 12]);
    }

    #[test]
    fn an_unfinished_line_keeps_its_number_when_it_is_finished() {
        let mut kept = Kept::new(10_000);
        kept.print("one\r\ntw");
        assert_eq!(kept.all(), numbered(&[(1, "one"), (2, "tw")]));
        kept.print("o\r\nthree\r\n");
        assert_eq!(kept.all(), numbered(&[(1, "one"), (2, "two"), (3, "three")]));
    }

    #[test]
    fn evicted_lines_are_counted_and_numbers_stay() {
        let mut kept = Kept::new(200_000);
        kept.history.happened("opened");
        for number in 0..60_000 {
            kept.print(&format!("line {number}\r\n"));
        }
        let cut = kept.cut(LineRange::Newest(1));
        assert_eq!(cut.lines(80), [HistoryLine { number: 60_001, text: "line 59999".to_owned() }]);
        let early = kept.cut(LineRange::Between(Some(1), Some(100)));
        assert_eq!((early.lines(80).len(), early.evicted_lines()), (1, 99));
        let everything = kept.cut(LineRange::Between(None, None));
        let lines = everything.lines(80);
        assert_eq!(lines.len() as u64 + everything.evicted_lines(), 60_001);
        assert!(lines.iter().skip(1).all(|line| line.text == format!("line {}", line.number - 2)));
    }

    #[test]
    fn it_stays_bounded() {
        let mut kept = Kept::new(100_000);
        for number in 0..30_000 {
            kept.print(&"x".repeat(20));
            kept.history.typed(Typist::Agent, format!("line {number}\r").as_bytes(), false);
            kept.print("\r\n");
        }
        assert!(kept.history.pieces.len() <= COMPACT_PIECES + 2, "{}", kept.history.pieces.len());
        assert!(kept.history.entry_bytes <= MAX_TEXT_BYTES);
        kept.print(&"long line without end ".repeat(100_000));
        assert!(kept.all().iter().all(|(_, text)| text.len() <= 2_000_000));
    }

    #[test]
    fn full_screen_output_is_left_out_and_said() {
        let mut kept = Kept::new(10_000);
        kept.print("before\r\n\x1b[?1049h\x1b[Hone\r\ntwo\r\n");
        kept.print("three\r\n\x1b[?1049lafter\r\n");
        let texts: Vec<String> = kept.all().into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["before", "[a full-screen program has the terminal]", "after"]);
    }

    proptest! {
        #[test]
        fn numbers_do_not_depend_on_how_output_arrives(
            text in "([a-z]{0,5}\n?){0,40}", cuts in prop::collection::vec(0_usize..200, 0..10)
        ) {
            let mut whole = Kept::new(100_000);
            whole.print(&text);
            let mut pieces = Kept::new(100_000);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            for pair in cuts.windows(2) {
                pieces.print(&text[pair[0]..pair[1]]);
            }
            prop_assert_eq!(whole.all(), pieces.all());
        }
    }
}
