//! Finds what the terminal's byte stream says about the shell, and where.
//!
//! Marks are OSC 133 (`A` prompt, `B` input, `C` output, `D` end with exit code) with our options
//! `aid=<nonce>.<pid>` and `q=<counter>`; a probe answer is `P;k=probe`. The protocol is the
//! "semantic prompts" proposal that terminals share (FinalTerm's OSC 133).
//!
//! The tap does not keep text; the caller feeds each piece it splits off to the screen and the
//! ring. A control string that never ends is cut off, so that no buffer grows with hostile output.

use vte::{Params, Parser, Perform};

/// Longest control string tolerated; far above any real title, link or mark.
const MAX_SILENT_BYTES: usize = 64 * 1024;

/// CAN ends any control sequence in every VT parser (ECMA-48 §8.3, DEC STD 070).
const CANCEL: u8 = 0x18;

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

/// Splits the stream at marks.
pub struct Tap {
    parser: Parser,
    sink: Sink,
    silent_bytes: usize,
}

#[derive(Default)]
struct Sink {
    signals: Vec<Signal>,
    /// Set by a mark, so that the parser stops right behind it.
    stop: bool,
    spoke: bool,
}

/// A piece of the stream: `bytes[..length]` came before the signals.
pub struct Piece {
    pub length: usize,
    pub signals: Vec<Signal>,
    /// The emulator must be given a CAN too: a control string was cut off.
    pub cancelled: bool,
}

impl Default for Tap {
    fn default() -> Self {
        Self { parser: Parser::new(), sink: Sink::default(), silent_bytes: 0 }
    }
}

impl Tap {
    /// Reads `bytes` up to and including the next mark, or to their end.
    pub fn next_piece(&mut self, bytes: &[u8]) -> Piece {
        self.sink.stop = false;
        self.sink.spoke = false;
        // Small steps, so that a silent control string is noticed within one.
        let step = bytes.len().min(MAX_SILENT_BYTES / 4);
        let length = self.parser.advance_until_terminated(&mut self.sink, &bytes[..step]);
        self.silent_bytes = if self.sink.spoke { 0 } else { self.silent_bytes + length };
        let cancelled = self.silent_bytes > MAX_SILENT_BYTES;
        if cancelled {
            self.parser.advance(&mut self.sink, &[CANCEL]);
            self.silent_bytes = 0;
        }
        Piece { length, signals: std::mem::take(&mut self.sink.signals), cancelled }
    }
}

impl Sink {
    fn private_mode(&mut self, mode: u16, on: bool) {
        match mode {
            2004 => self.signals.push(Signal::BracketedPaste(on)),
            47 | 1047 | 1049 => self.signals.push(Signal::AlternateScreen(on)),
            1 => self.signals.push(Signal::ApplicationKeys(on)),
            _ => {}
        }
    }
}

impl Perform for Sink {
    fn print(&mut self, _: char) {
        self.spoke = true;
    }

    fn execute(&mut self, _: u8) {
        self.spoke = true;
    }

    fn put(&mut self, _: u8) {
        // Passthrough strings are not stored by the parser; they count as speech.
        self.spoke = true;
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], _: bool) {
        self.spoke = true;
        if params.first() != Some(&&b"133"[..]) {
            return;
        }
        let signal = parse_mark(&params[1..]).map_or(Signal::ForeignMark, Signal::Mark);
        self.signals.push(signal);
        self.stop = true;
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _: bool, action: char) {
        self.spoke = true;
        if intermediates == b"?" && matches!(action, 'h' | 'l') {
            for mode in params.iter().filter_map(|param| param.first()) {
                self.private_mode(*mode, action == 'h');
            }
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], _: bool, byte: u8) {
        self.spoke = true;
        match (intermediates, byte) {
            ([], b'=') => self.signals.push(Signal::ApplicationKeys(true)),
            ([], b'>') => self.signals.push(Signal::ApplicationKeys(false)),
            _ => {}
        }
    }

    fn terminated(&self) -> bool {
        self.stop
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
                let piece = tap.next_piece(rest);
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
    fn a_string_without_end_is_cut_and_the_stream_goes_on() {
        let mut stream = b"\x1b]0;".to_vec();
        stream.extend(std::iter::repeat_n(b'x', 300_000));
        stream.extend(b"\x1b]133;A;aid=n.1\x07");
        let (found, _) = signals(&[&stream]);
        assert!(matches!(found.last(), Some(Signal::Mark(mark)) if mark.kind == MarkKind::PromptStart));
    }
}
