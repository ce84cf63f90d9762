//! Finds what the terminal's byte stream says about the shell, and where.
//!
//! Marks are OSC 133 (`A` prompt, `B` input, `C` output, `D` end with exit code) with our options
//! `aid=<nonce>.<pid>` and `q=<counter>`; a probe answer is `P;k=probe`. The protocol is the
//! "semantic prompts" proposal that terminals share (FinalTerm's OSC 133).
//!
//! The tap does not keep text. It hands what it reads to a [`Surface`], told apart into text and
//! sequences, and stops behind each signal, so that the surface's state is then the one at the
//! signal. Of a control string that has grown beyond all sense the surface is spared the rest (it
//! would keep it); the string still ends at its own terminator, for the emulator, for every viewer
//! and for the tap alike.

use crate::scan::{Found, Scanner};

/// A mark has a letter and a few options.
const MAX_MARK_FIELDS: usize = 15;

/// A shell-integration mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub kind: MarkKind,
    pub nonce: String,
    /// The shell's process id, as text: some shells have none.
    pub pid: String,
    /// Counter of the shell's prompts.
    pub counter: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkKind {
    PromptStart,
    InputStart,
    OutputStart,
    /// `None` when the mark carries no readable code.
    CommandEnd(Option<i32>),
    /// Answer to the probe: which of these shells' version variables is set.
    Probe {
        bash: bool,
        zsh: bool,
        fish: bool,
        ksh: bool,
    },
}

/// A change the tracker cares about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    Mark(Mark),
    /// A mark without our options (a shell's own integration).
    ForeignMark,
    BracketedPaste(bool),
    AlternateScreen(bool),
    /// Application cursor keys or keypad: an interactive program.
    ApplicationKeys(bool),
}

/// Splits the stream at signals.
#[derive(Debug, Default)]
pub struct Tap {
    scanner: Scanner,
}

/// What the stream is drawn on; `'a` is the life of the stream's bytes.
pub trait Surface<'a> {
    /// Text and control characters. A character may be cut at the end and go on in the next text.
    fn text(&mut self, bytes: &'a [u8]);
    /// A sequence, or a part of one.
    fn sequence(&mut self, bytes: &'a [u8]);
    /// A whole sequence that sets colours and attributes, `CSI … m`.
    fn rendition(&mut self, bytes: &'a [u8]) {
        self.sequence(bytes);
    }
    /// Prints the last character again. A part of that sequence may have been drawn already.
    fn repeat(&mut self, count: u16);
    /// Bytes of a string that is too long already; they are not drawn.
    fn spared(&mut self, bytes: &'a [u8]) {
        let _ = bytes;
    }
}

/// Nothing is drawn.
pub struct Nowhere;

impl Surface<'_> for Nowhere {
    fn text(&mut self, _: &[u8]) {}
    fn sequence(&mut self, _: &[u8]) {}
    fn repeat(&mut self, _: u16) {}
}

/// The beginning of the stream that came before the signals.
#[derive(Debug)]
pub struct Piece {
    /// In bytes.
    pub length: usize,
    pub signals: Vec<Signal>,
}

impl Tap {
    /// Reads `bytes` up to and including the next signal, or to their end, and draws them.
    pub fn next_piece<'a>(&mut self, bytes: &'a [u8], surface: &mut impl Surface<'a>) -> Piece {
        let mut length = 0;
        let mut signals = Vec::new();
        while length < bytes.len() && signals.is_empty() {
            let (read, found) = self.scanner.next(&bytes[length..]);
            let part = &bytes[length..length + read];
            length += read;
            match found {
                Found::Text => surface.text(part),
                Found::Rendition => surface.rendition(part),
                Found::Repeat { count } => surface.repeat(count),
                Found::StringRest => surface.spared(part),
                _ => surface.sequence(part),
            }
            match found {
                Found::Osc => signals.extend(self.mark()),
                Found::Modes { on } => {
                    signals.extend(self.scanner.modes().iter().filter_map(|mode| changed(*mode, on)));
                }
                Found::Keypad { application } => signals.push(Signal::ApplicationKeys(application)),
                _ => {}
            }
        }
        Piece { length, signals }
    }

    /// Bytes of a sequence or character that has begun and not ended.
    pub fn unfinished(&self) -> Vec<u8> {
        self.scanner.unfinished()
    }

    fn mark(&self) -> Option<Signal> {
        // Control characters inside the string are not part of it.
        let text: Vec<u8> = self.scanner.string().iter().copied().filter(|byte| *byte >= 0x20).collect();
        let mut fields = text.split(|byte| *byte == b';');
        if fields.next() != Some(b"133") {
            return None;
        }
        let fields: Vec<&[u8]> = fields.take(MAX_MARK_FIELDS).collect();
        Some(parse_mark(&fields).map_or(Signal::ForeignMark, Signal::Mark))
    }
}

/// What the tracker is told of a private mode.
fn changed(mode: u16, on: bool) -> Option<Signal> {
    match mode {
        2004 => Some(Signal::BracketedPaste(on)),
        47 | 1047 | 1049 => Some(Signal::AlternateScreen(on)),
        1 => Some(Signal::ApplicationKeys(on)),
        _ => None,
    }
}

/// `None` unless the mark carries our `aid`.
fn parse_mark(params: &[&[u8]]) -> Option<Mark> {
    let mut fields = params.iter().map(|field| std::str::from_utf8(field).unwrap_or_default());
    let letter = fields.next()?;
    let options: Vec<&str> = fields.collect();
    let value = |key: &str| options.iter().find_map(|option| option.strip_prefix(key)?.strip_prefix('='));
    let (nonce, pid) = value("aid")?.split_once('.')?;
    let kind = match letter {
        "A" => MarkKind::PromptStart,
        "B" => MarkKind::InputStart,
        "C" => MarkKind::OutputStart,
        "D" => MarkKind::CommandEnd(options.first().and_then(|code| code.parse().ok())),
        "P" => MarkKind::Probe {
            bash: value("b").is_some_and(|version| !version.is_empty()),
            zsh: value("z").is_some_and(|version| !version.is_empty()),
            fish: value("f").is_some_and(|version| !version.is_empty()),
            ksh: value("k2").is_some_and(|version| !version.is_empty()),
        },
        _ => return None,
    };
    Some(Mark { kind, nonce: nonce.into(), pid: pid.into(), counter: value("q").and_then(|q| q.parse().ok()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signals(chunks: &[&[u8]]) -> (Vec<Signal>, Vec<usize>) {
        let mut tap = Tap::default();
        let (mut found, mut ends, mut position) = (Vec::new(), Vec::new(), 0);
        for chunk in chunks {
            let mut rest = *chunk;
            while !rest.is_empty() {
                let piece = tap.next_piece(rest, &mut Nowhere);
                rest = &rest[piece.length..];
                position += piece.length;
                if !piece.signals.is_empty() {
                    ends.push(position);
                }
                found.extend(piece.signals);
            }
        }
        (found, ends)
    }

    #[test]
    fn a_mark_is_found_at_every_split() {
        let stream = b"out\r\n\x1b]133;D;42;aid=ab12.77;q=9\x07$ \x1b[?2004h";
        let whole = signals(&[stream]);
        assert_eq!(whole.0.len(), 2);
        assert_eq!(
            whole.0[0],
            Signal::Mark(Mark {
                kind: MarkKind::CommandEnd(Some(42)),
                nonce: "ab12".into(),
                pid: "77".into(),
                counter: Some(9)
            })
        );
        for cut in 0..stream.len() {
            assert_eq!(signals(&[&stream[..cut], &stream[cut..]]).0, whole.0, "cut at {cut}");
        }
    }

    #[test]
    fn a_mark_without_our_name_is_foreign() {
        assert_eq!(signals(&[b"\x1b]133;D;0\x07"]).0, [Signal::ForeignMark]);
    }

    #[test]
    fn an_endless_string_is_kept_from_the_emulator_and_ends_at_its_terminator() {
        let mut stream = b"\x1b]0;".to_vec();
        stream.extend(std::iter::repeat_n(b'x', 4 << 20));
        let string_ends = stream.len();
        stream.extend(b"\x1b]133;A;aid=n.1\x07 text");
        for chunk_bytes in [1000, 65_536, usize::MAX] {
            let mut tap = Tap::default();
            let (mut drawn, mut position, mut marks) = (Drawn::default(), 0, Vec::new());
            for chunk in stream.chunks(chunk_bytes) {
                let mut rest = chunk;
                while !rest.is_empty() {
                    let piece = tap.next_piece(rest, &mut drawn);
                    rest = &rest[piece.length..];
                    position += piece.length;
                    marks.extend(piece.signals.into_iter().map(|signal| (signal, position)));
                }
            }
            assert!(
                matches!(&marks[..], [(Signal::Mark(mark), at)]
                if mark.kind == MarkKind::PromptStart && *at == string_ends + 16),
                "{marks:?}"
            );
            assert_eq!(drawn.bytes, crate::scan::MAX_STRING_BYTES + 2 + 16 + 5);
        }
    }

    #[derive(Default)]
    struct Drawn {
        bytes: usize,
    }

    impl Surface<'_> for Drawn {
        fn text(&mut self, bytes: &[u8]) {
            self.bytes += bytes.len();
        }
        fn sequence(&mut self, bytes: &[u8]) {
            self.bytes += bytes.len();
        }
        fn repeat(&mut self, _: u16) {}
    }

    /// The same, told by the parser of the emulator.
    #[derive(Default)]
    struct Oracle {
        signals: Vec<Signal>,
        stop: bool,
    }

    impl vte::Perform for Oracle {
        fn osc_dispatch(&mut self, params: &[&[u8]], _: bool) {
            if params.first() == Some(&&b"133"[..]) {
                self.signals.push(parse_mark(&params[1..]).map_or(Signal::ForeignMark, Signal::Mark));
                self.stop = true;
            }
        }

        fn csi_dispatch(&mut self, params: &vte::Params, intermediates: &[u8], ignored: bool, action: char) {
            if intermediates == b"?" && matches!(action, 'h' | 'l') && !ignored {
                let modes = params.iter().filter_map(|param| changed(param[0], action == 'h'));
                self.signals.extend(modes);
                self.stop = !self.signals.is_empty();
            }
        }

        fn esc_dispatch(&mut self, intermediates: &[u8], _: bool, byte: u8) {
            if intermediates.is_empty() && matches!(byte, b'=' | b'>') {
                self.signals.push(Signal::ApplicationKeys(byte == b'='));
                self.stop = true;
            }
        }

        fn terminated(&self) -> bool {
            self.stop
        }
    }

    fn expected(stream: &[u8]) -> (Vec<Signal>, Vec<usize>) {
        let mut parser = vte::Parser::new();
        let (mut found, mut ends, mut position) = (Vec::new(), Vec::new(), 0);
        while position < stream.len() {
            let mut oracle = Oracle::default();
            position += parser.advance_until_terminated(&mut oracle, &stream[position..]);
            if !oracle.signals.is_empty() {
                ends.push(position);
            }
            found.append(&mut oracle.signals);
        }
        (found, ends)
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(4000))]

        /// Streams of the characters that move a parser from state to state.
        #[test]
        fn signals_are_those_of_the_emulators_parser(
            stream in proptest::collection::vec(
                proptest::sample::select(&b"\x1b\x1b\x1b[[]]P_?;:1490hl=>\x07\x18\x9cm q\xe5\xaeA"[..]), 0..40),
            marked in proptest::prelude::any::<bool>(),
            chunk_bytes in 1_usize..50,
        ) {
            let mut stream = stream;
            if marked {
                stream.extend(b"]133;D;3;aid=a.1;q=2\x1b[?2004;1049h\x1b]133;A\x07");
            }
            let chunks: Vec<&[u8]> = stream.chunks(chunk_bytes).collect();
            proptest::prop_assert_eq!(signals(&chunks), expected(&stream));
        }
    }
}
