//! Finds control sequences in a byte stream, fast, and remembers where in one it stands.
//!
//! The states are those of the parser the emulator uses (Paul Williams' diagram of DEC's parsers,
//! seven-bit controls only), so both always agree on where a sequence ends; a test holds them
//! together. Unlike a parser it looks at plain text only to find the next escape character, and it
//! reports only what [`crate::tap`] reads: operating system commands, private modes and the keypad.
//!
//! It keeps the bytes of a sequence that is not finished, so that a snapshot can repeat them, and no
//! more than [`MAX_STRING_BYTES`] of any string.

/// Longest control string looked at; far above any real title, link or mark.
pub(crate) const MAX_STRING_BYTES: usize = 64 * 1024;
/// Parameters and subparameters of one sequence; the emulator ignores a sequence with more.
const MAX_PARAMETERS: usize = 32;

const BELL: u8 = 0x07;
const CANCEL: u8 = 0x18;
const SUBSTITUTE: u8 = 0x1a;
const ESCAPE: u8 = 0x1b;
const STRING_TERMINATOR_C1: u8 = 0x9c;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Ground,
    Escape,
    EscapeIntermediate,
    CsiEntry,
    CsiParameter,
    CsiIntermediate,
    CsiIgnore,
    DcsEntry,
    DcsParameter,
    DcsIntermediate,
    DcsIgnore,
    DcsPassthrough,
    Osc,
    /// Start of string, privacy message, application program command: nobody reads them.
    Text,
}

/// What the bytes just read are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Text and control characters, up to a sequence or the end of the bytes.
    Text,
    /// A sequence, or the part of one that is in these bytes.
    Sequence,
    /// `CSI … m`, whole.
    Rendition,
    /// An operating system command that ends here; [`Scanner::string`] has it.
    Osc,
    /// `CSI ? … h` or `l`; [`Scanner::modes`] has the numbers.
    Modes {
        on: bool,
    },
    Keypad {
        application: bool,
    },
    /// `CSI … b`: print the last character again, so many times.
    Repeat {
        count: u16,
    },
    /// A string up to where it reached the limit; it is still open.
    StringFull,
    /// Bytes of a string beyond the limit.
    StringRest,
}

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    state: State,
    /// The unfinished sequence from its escape character on, or the beginning of a character.
    held: Vec<u8>,
    /// The text of the operating system command that is open or was found last.
    string: Vec<u8>,
    string_full: bool,
    parameters: Parameters,
}

#[derive(Debug, Default)]
struct Parameters {
    /// First value of each parameter.
    heads: Vec<u16>,
    value: u16,
    in_subparameter: bool,
    total: usize,
    ignored: bool,
    /// `?` alone came before the parameters.
    question: bool,
    intermediates: usize,
}

impl Parameters {
    fn clear(&mut self) {
        self.heads.clear();
        self.value = 0;
        self.in_subparameter = false;
        self.total = 0;
        self.ignored = false;
        self.question = false;
        self.intermediates = 0;
    }

    fn collect(&mut self, byte: u8) {
        self.intermediates += 1;
        self.question = self.intermediates == 1 && byte == b'?';
    }

    fn digit(&mut self, byte: u8) {
        if self.total == MAX_PARAMETERS {
            self.ignored = true;
        } else {
            self.value = self.value.saturating_mul(10).saturating_add(u16::from(byte - b'0'));
        }
    }

    fn separator(&mut self, opens_subparameter: bool) {
        if self.total == MAX_PARAMETERS {
            self.ignored = true;
            return;
        }
        if !self.in_subparameter {
            self.heads.push(self.value);
        }
        self.total += 1;
        self.value = 0;
        self.in_subparameter = opens_subparameter;
    }
}

impl Scanner {
    /// The text of the last operating system command found.
    pub(crate) fn string(&self) -> &[u8] {
        &self.string
    }

    /// The mode numbers of the last `CSI ? … h` or `l`.
    pub(crate) fn modes(&self) -> &[u16] {
        &self.parameters.heads
    }

    /// Bytes of the sequence or character that the stream has begun and not ended. Of a string that
    /// the emulator does not keep either, only the beginning. Control characters inside a sequence are
    /// not of it: each has had its effect when it came.
    pub(crate) fn unfinished(&self) -> Vec<u8> {
        let of_sequence = |byte: &u8| *byte == ESCAPE || *byte >= b' ';
        match self.state {
            State::Osc => [b"\x1b]", self.string.as_slice()].concat(),
            State::Escape
            | State::EscapeIntermediate
            | State::CsiEntry
            | State::CsiParameter
            | State::CsiIntermediate
            | State::CsiIgnore => self.held.iter().copied().filter(of_sequence).collect(),
            _ => self.held.clone(),
        }
    }

    /// Reads one thing; how many bytes it has. `bytes` must not be empty.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> (usize, Found) {
        if self.state == State::Ground {
            let text = memchr::memchr(ESCAPE, bytes).unwrap_or(bytes.len());
            if text == bytes.len() {
                self.keep_character(bytes);
            } else {
                self.held.clear();
            }
            if text > 0 {
                return (text, Found::Text);
            }
            if let Some(length) = simple_csi(bytes) {
                let found = if bytes[length - 1] == b'm' { Found::Rendition } else { Found::Sequence };
                return (length, found);
            }
        }
        self.in_sequence(bytes)
    }

    /// Reads on in a sequence, or from its escape character on, to its end.
    fn in_sequence(&mut self, bytes: &[u8]) -> (usize, Found) {
        // Where the open sequence begins in `bytes`; what came before is held.
        let mut start = 0;
        let mut at = 0;
        let mut found = Found::Sequence;
        while at < bytes.len() && found == Found::Sequence {
            let rest = &bytes[at..];
            let read = match self.state {
                State::Ground if at > 0 => break,
                State::Ground => {
                    self.begin();
                    1
                }
                State::Osc => {
                    let (read, ended) = self.in_osc(rest);
                    found = ended;
                    read
                }
                State::DcsPassthrough | State::Text | State::DcsIgnore => self.in_string(rest),
                _ => {
                    found = self.step(rest[0]);
                    1
                }
            };
            at += read;
            match self.state {
                State::Ground => self.held.clear(),
                State::Escape if bytes[at - 1] == ESCAPE => start = at - 1,
                _ => {}
            }
        }
        if !matches!(self.state, State::Ground | State::Osc) {
            let open = &bytes[start..at];
            let room = MAX_STRING_BYTES.saturating_sub(self.held.len());
            self.held.extend_from_slice(&open[..open.len().min(room)]);
        }
        (at, found)
    }

    /// An escape character: a sequence begins.
    fn begin(&mut self) {
        self.state = State::Escape;
        self.held.clear();
        self.parameters.clear();
    }

    fn step(&mut self, byte: u8) -> Found {
        match (self.state, byte) {
            (State::Escape, CANCEL | SUBSTITUTE) => self.state = State::Ground,
            (State::Escape, 0x20..=0x2f) => self.state = State::EscapeIntermediate,
            (State::Escape, b'P') => self.state = State::DcsEntry,
            (State::Escape, b'[') => self.state = State::CsiEntry,
            (State::Escape, b']') => {
                self.state = State::Osc;
                self.held.clear();
                self.string.clear();
                self.string_full = false;
            }
            (State::Escape, b'X' | b'^' | b'_') => self.state = State::Text,
            (State::Escape, 0x30..=0x7e) => {
                self.state = State::Ground;
                if matches!(byte, b'=' | b'>') {
                    return Found::Keypad { application: byte == b'=' };
                }
            }
            (_, ESCAPE) => self.begin(),
            (State::Escape, _) => {}
            (_, CANCEL | SUBSTITUTE) => self.state = State::Ground,
            (State::EscapeIntermediate, 0x30..=0x7e) => self.state = State::Ground,
            (State::CsiEntry | State::CsiParameter | State::CsiIntermediate | State::CsiIgnore, _) => {
                return self.step_csi(byte);
            }
            (State::DcsEntry | State::DcsParameter | State::DcsIntermediate, _) => self.step_dcs(byte),
            _ => {}
        }
        Found::Sequence
    }

    fn step_csi(&mut self, byte: u8) -> Found {
        match (self.state, byte) {
            (State::CsiIgnore, 0x40..=0x7e) => self.state = State::Ground,
            (State::CsiIgnore, _) => {}
            (_, 0x40..=0x7e) => {
                self.state = State::Ground;
                self.parameters.separator(false);
                let parameters = &self.parameters;
                if parameters.ignored {
                    return Found::Sequence;
                }
                if parameters.question && matches!(byte, b'h' | b'l') {
                    return Found::Modes { on: byte == b'h' };
                }
                if parameters.intermediates == 0 && byte == b'b' {
                    return Found::Repeat { count: parameters.heads[0].max(1) };
                }
            }
            (_, 0x20..=0x2f) => {
                self.parameters.collect(byte);
                self.state = State::CsiIntermediate;
            }
            (State::CsiIntermediate, 0x30..=0x3f) | (State::CsiParameter, 0x3c..=0x3f) => {
                self.state = State::CsiIgnore;
            }
            (_, b'0'..=b'9') => {
                self.parameters.digit(byte);
                self.state = State::CsiParameter;
            }
            (_, b':' | b';') => {
                self.parameters.separator(byte == b':');
                self.state = State::CsiParameter;
            }
            (_, 0x3c..=0x3f) => {
                self.parameters.collect(byte);
                self.state = State::CsiParameter;
            }
            _ => {}
        }
        Found::Sequence
    }

    fn step_dcs(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (_, 0x40..=0x7e) => State::DcsPassthrough,
            (_, 0x20..=0x2f) => State::DcsIntermediate,
            (State::DcsIntermediate, 0x30..=0x3f) | (State::DcsParameter, 0x3c..=0x3f) => State::DcsIgnore,
            (State::DcsEntry, 0x30..=0x3f) => State::DcsParameter,
            (state, _) => state,
        };
    }

    /// Reads on in a string that nobody reads.
    fn in_string(&mut self, bytes: &[u8]) -> usize {
        let Some(end) = string_end(bytes, self.state == State::DcsPassthrough) else { return bytes.len() };
        if bytes[end] == ESCAPE {
            self.begin();
        } else {
            self.state = State::Ground;
        }
        end + 1
    }

    /// Reads on in an operating system command.
    fn in_osc(&mut self, bytes: &[u8]) -> (usize, Found) {
        let end = bytes.iter().position(|byte| matches!(*byte, BELL | CANCEL | SUBSTITUTE | ESCAPE));
        let text = &bytes[..end.unwrap_or(bytes.len())];
        if self.string_full && !text.is_empty() {
            return (text.len(), Found::StringRest);
        }
        let room = MAX_STRING_BYTES - self.string.len();
        if text.len() > room {
            self.string.extend_from_slice(&text[..room]);
            self.string_full = true;
            return (room, Found::StringFull);
        }
        self.string.extend_from_slice(text);
        let Some(end) = end else { return (text.len(), Found::Sequence) };
        if bytes[end] == ESCAPE {
            self.begin();
        } else {
            self.state = State::Ground;
        }
        (end + 1, if self.string_full { Found::Sequence } else { Found::Osc })
    }

    /// Keeps the beginning of a character at the end of plain text.
    fn keep_character(&mut self, text: &[u8]) {
        const LONGEST_BEGINNING: usize = 3;
        let mut tail = std::mem::take(&mut self.held);
        if text.len() >= LONGEST_BEGINNING {
            tail.clear();
        }
        tail.extend_from_slice(&text[text.len().saturating_sub(LONGEST_BEGINNING)..]);
        let cut = (0..tail.len()).find(|from| begins_character(&tail[*from..]));
        match cut {
            Some(from) => drop(tail.drain(..from)),
            None => tail.clear(),
        }
        self.held = tail;
    }
}

/// The length of a control sequence that stands whole at the beginning of `bytes` and is of the
/// common kind (colours, cursor movements) that nothing here reads.
fn simple_csi(bytes: &[u8]) -> Option<usize> {
    let [ESCAPE, b'[', rest @ ..] = bytes else { return None };
    let parameters = rest.iter().position(|byte| !(b'0'..=b';').contains(byte))?;
    let simple = parameters < MAX_PARAMETERS && (0x40..=0x7e).contains(&rest[parameters]) && rest[parameters] != b'b';
    simple.then_some(parameters + 3)
}

/// Whether `bytes` are the beginning of one character in UTF-8 and not all of it.
pub(crate) fn begins_character(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
}

/// Where a string that nobody reads ends: at its terminator, which is not passed over.
fn string_end(bytes: &[u8], ends_at_c1: bool) -> Option<usize> {
    let end = memchr::memchr3(CANCEL, SUBSTITUTE, ESCAPE, bytes);
    if !ends_at_c1 {
        return end;
    }
    let before = &bytes[..end.unwrap_or(bytes.len())];
    memchr::memchr(STRING_TERMINATOR_C1, before).or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfinished(chunks: &[&[u8]]) -> Vec<u8> {
        let mut scanner = Scanner::default();
        for chunk in chunks {
            let mut rest = *chunk;
            while !rest.is_empty() {
                rest = &rest[scanner.next(rest).0..];
            }
        }
        scanner.unfinished()
    }

    #[test]
    fn what_is_unfinished_is_kept_whole() {
        let cases: [(&[u8], &[u8]); 10] = [
            (b"text \x1b[3", b"\x1b[3"),
            (b"\x1b[31mred", b""),
            (b"\x1b]0;a title", b"\x1b]0;a title"),
            (b"\x1b]0;a title\x1b", b"\x1b"),
            (b"\x1bPq#0;2", b"\x1bPq#0;2"),
            ("half a 宽".as_bytes().split_last().map_or(&[], |(_, most)| most), b"\xe5\xae"),
            ("whole 宽".as_bytes(), b""),
            (b"\x1b\x07", b"\x1b"),
            (b"\x1b[\n3;\r", b"\x1b[3;"),
            (b"\x1b[?10\x1b(", b"\x1b("),
        ];
        for (stream, expected) in cases {
            assert_eq!(unfinished(&[stream]), expected, "{stream:?}");
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!(unfinished(&bytes), expected, "{stream:?} in bytes");
        }
    }
}
