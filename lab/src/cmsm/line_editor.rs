//! A line editor of the menu's own, as bastions have: the terminal is raw, so what is typed is
//! seen only because the editor writes it back.
//!
//! Keys: Enter (CR, LF or CR LF), Backspace, `^U` (rub out the line), `^C` and `^D` (leave).
//! Escape sequences, such as arrow keys, and other control bytes are swallowed without effect.

/// Longest line in bytes; more typing rings the bell. A host name or address is far shorter.
const LINE_MAX_BYTES: usize = 256;

const BELL: u8 = 0x07;
const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;
const ESCAPE: u8 = 0x1b;
const INTERRUPT: u8 = 0x03;
const END_OF_INPUT: u8 = 0x04;
const RUB_OUT_LINE: u8 = 0x15;

/// What a byte led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Enter was pressed; the line without its end.
    Line(String),
    /// The person asked to leave.
    Leave,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyState {
    Plain,
    /// ESC seen; the next byte says what kind of sequence it is.
    Escape,
    /// Inside `ESC [` or `ESC O`; ends with a byte from `@` to `~`.
    Sequence,
    /// CR seen; an LF right behind it belongs to the same Enter.
    AfterReturn,
}

/// The line being typed.
#[derive(Debug)]
pub struct LineEditor {
    line: Vec<u8>,
    state: KeyState,
    echo: bool,
}

impl LineEditor {
    /// An empty line. `echo` is off where input is no terminal and nobody sees the typing.
    #[must_use]
    pub fn new(echo: bool) -> Self {
        Self { line: Vec::new(), state: KeyState::Plain, echo }
    }

    /// Takes one byte; what the terminal must show is added to `screen`.
    pub fn feed(&mut self, byte: u8, screen: &mut Vec<u8>) -> Option<Edit> {
        match std::mem::replace(&mut self.state, KeyState::Plain) {
            KeyState::Escape => {
                if matches!(byte, b'[' | b'O') {
                    self.state = KeyState::Sequence;
                }
                None
            }
            KeyState::Sequence => {
                if !(b'@'..=b'~').contains(&byte) {
                    self.state = KeyState::Sequence;
                }
                None
            }
            KeyState::AfterReturn if byte == b'\n' => None,
            KeyState::Plain | KeyState::AfterReturn => self.plain(byte, screen),
        }
    }

    fn plain(&mut self, byte: u8, screen: &mut Vec<u8>) -> Option<Edit> {
        match byte {
            b'\r' | b'\n' => {
                if byte == b'\r' {
                    self.state = KeyState::AfterReturn;
                }
                self.show(b"\r\n", screen);
                return Some(Edit::Line(self.take_line()));
            }
            INTERRUPT | END_OF_INPUT => {
                self.line.clear();
                self.show(b"\r\n", screen);
                return Some(Edit::Leave);
            }
            BACKSPACE | DELETE => self.rub_out(screen),
            RUB_OUT_LINE => {
                while !self.line.is_empty() {
                    self.rub_out(screen);
                }
            }
            ESCAPE => self.state = KeyState::Escape,
            0..=0x1f => {}
            _ if self.line.len() >= LINE_MAX_BYTES => self.show(&[BELL], screen),
            _ => {
                self.line.push(byte);
                self.show(&[byte], screen);
            }
        }
        None
    }

    /// Takes back the last character, all of its bytes.
    fn rub_out(&mut self, screen: &mut Vec<u8>) {
        let is_continuation = |byte: &u8| byte & 0b1100_0000 == 0b1000_0000;
        while self.line.pop_if(|byte| is_continuation(byte)).is_some() {}
        if self.line.pop().is_some() {
            self.show(b"\x08 \x08", screen);
        }
    }

    fn take_line(&mut self) -> String {
        let bytes = std::mem::take(&mut self.line);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn show(&self, bytes: &[u8], screen: &mut Vec<u8>) {
        if self.echo {
            screen.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_all(keys: &[u8]) -> (Vec<Edit>, Vec<u8>) {
        let mut editor = LineEditor::new(true);
        let mut screen = Vec::new();
        let edits = keys.iter().filter_map(|byte| editor.feed(*byte, &mut screen)).collect();
        (edits, screen)
    }

    fn line(text: &str) -> Edit {
        Edit::Line(text.to_owned())
    }

    #[test]
    fn keys_make_lines() {
        let cases: &[(&[u8], Vec<Edit>)] = &[
            (b"abc\r", vec![line("abc")]),
            (b"abc\n", vec![line("abc")]),
            (b"a\r\nb\r\n", vec![line("a"), line("b")]),
            (b"a\r\r", vec![line("a"), line("")]),
            (b"ab\x7fc\r", vec![line("ac")]),
            (b"\x08\x7fa\r", vec![line("a")]),
            ("é\u{7f}x\r".as_bytes(), vec![line("x")]),
            (b"abc\x15d\r", vec![line("d")]),
            (b"a\x1b[Db\x1bOAc\x1b[1;5Cd\r", vec![line("abcd")]),
            (b"a\x00\x01\tb\r", vec![line("ab")]),
            (b"abc\x03", vec![Edit::Leave]),
            (b"abc\x04", vec![Edit::Leave]),
            (b"\xff\r", vec![line("\u{fffd}")]),
        ];
        for (keys, expected) in cases {
            assert_eq!(&type_all(keys).0, expected, "{keys:?}");
        }
    }

    #[test]
    fn echo_is_what_the_person_typed() {
        assert_eq!(type_all(b"ab\x7f\x1b[A\r").1, b"ab\x08 \x08\r\n");
    }

    #[test]
    fn a_line_has_a_limit() {
        let mut keys = vec![b'x'; LINE_MAX_BYTES + 10];
        keys.push(b'\r');
        let (edits, screen) = type_all(&keys);
        assert_eq!(edits, vec![line(&"x".repeat(LINE_MAX_BYTES))]);
        assert_eq!(screen.iter().filter(|byte| **byte == BELL).count(), 10);
    }
}
