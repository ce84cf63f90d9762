//! What a session prints, on its way to a person's terminal.
//!
//! Output of a remote host is hostile. Everything passes but what makes a terminal answer (the host has answered
//! already, and the answer would be typed into the session), what acts outside of the screen (clipboard, printer,
//! window, title, keyboard protocols that stay on), and strings nobody needs (DCS, APC, OSC). The last row belongs
//! to the status line: a scrolling region keeps output above it, and rows beyond it become the last one above.
//!
//! States and bytes as in ECMA-48 and xterm's ctlseqs.

/// Longest control sequence that is taken, in bytes.
const LONGEST_SEQUENCE: usize = 256;
/// Final bytes of sequences without intermediates that pass.
const FINALS: &[u8] = b"@ABCDEFGHIJKLMPSTXZ`abdefghlmrsu";
/// Private modes that make a terminal send what nobody asked for, or clear and resize it.
const WITHHELD_MODES: [&[u8]; 5] = [b"3", b"40", b"2031", b"2048", b"9001"];
/// Modes that swap the screen, so that the status line has to be drawn again.
const SCREEN_MODES: [&[u8]; 3] = [b"47", b"1047", b"1049"];

pub(super) struct Passage {
    state: State,
    /// The sequence under way.
    held: Vec<u8>,
    /// Rows of the session's screen; none where it has the whole terminal.
    rows: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ground,
    /// Behind the first byte of what may be a control character of eight bits.
    Lead,
    Escape,
    Csi,
    /// A sequence that is too long to be one.
    CsiDropped,
    /// Text that is not shown, up to its end.
    Text,
    /// Its end may have begun.
    TextEscape,
}

impl Passage {
    pub(super) fn new(rows: Option<u16>) -> Self {
        Self { state: State::Ground, held: Vec::new(), rows }
    }

    /// A fresh screen follows; what was under way is over.
    pub(super) fn begin(&mut self) {
        self.state = State::Ground;
        self.held.clear();
    }

    pub(super) fn set_rows(&mut self, rows: Option<u16>) {
        self.rows = rows;
    }

    /// Keeps output above the status line; leaves the cursor where it is.
    pub(super) fn region(&self) -> Vec<u8> {
        self.rows.map(|rows| format!("\x1b7\x1b[1;{rows}r\x1b8").into_bytes()).unwrap_or_default()
    }

    /// Whether something else may be written now.
    pub(super) fn between_sequences(&self) -> bool {
        self.state == State::Ground
    }

    /// Adds to `shown` what passes; whether the status line has to be drawn again.
    pub(super) fn pass(&mut self, bytes: &[u8], shown: &mut Vec<u8>) -> bool {
        let mut disturbed = false;
        for byte in bytes {
            disturbed |= self.byte(*byte, shown);
        }
        disturbed
    }

    fn byte(&mut self, byte: u8, shown: &mut Vec<u8>) -> bool {
        match (self.state, byte) {
            (State::Text, 0x07 | 0x18 | 0x1a) => self.state = State::Ground,
            (State::Text, 0x1b) => self.state = State::TextEscape,
            (State::Text, _) => {}
            (State::TextEscape, b'\\') => self.state = State::Ground,
            (State::Lead, 0x80..=0x9f) => self.state = State::Ground,
            (State::Lead, _) => {
                self.state = State::Ground;
                shown.push(0xc2);
                return self.byte(byte, shown);
            }
            // Cancelled, or begun anew.
            (State::Escape | State::Csi | State::CsiDropped, 0x18 | 0x1a) => self.state = State::Ground,
            (_, 0x1b) => self.hold(State::Escape, 0x1b),
            // Any other end of a text begins a sequence.
            (State::TextEscape, _) => {
                self.hold(State::Escape, 0x1b);
                return self.byte(byte, shown);
            }
            (State::Ground, 0xc2) => self.state = State::Lead,
            // Asks the terminal who it is.
            (State::Ground, 0x05) => {}
            (State::Ground, _) => shown.push(byte),
            // Control characters inside a sequence take effect at once.
            (State::Escape | State::Csi | State::CsiDropped, 0..=0x1f) => {
                if byte != 0x05 {
                    shown.push(byte);
                }
            }
            (State::Escape, _) => return self.escape(byte, shown),
            (State::Csi | State::CsiDropped, 0x40..=0x7e) => return self.end_csi(byte, shown),
            (State::Csi, 0x20..=0x3f) if self.held.len() < LONGEST_SEQUENCE => self.held.push(byte),
            (State::Csi | State::CsiDropped, _) => self.state = State::CsiDropped,
        }
        false
    }

    fn hold(&mut self, state: State, byte: u8) {
        self.state = state;
        self.held.clear();
        self.held.push(byte);
    }

    fn escape(&mut self, byte: u8, shown: &mut Vec<u8>) -> bool {
        match byte {
            b'[' if self.held.len() == 1 => {
                self.held.push(byte);
                self.state = State::Csi;
                return false;
            }
            b']' | b'P' | b'X' | b'^' | b'_' if self.held.len() == 1 => {
                self.state = State::Text;
                return false;
            }
            0x20..=0x2f if self.held.len() < LONGEST_SEQUENCE => {
                self.held.push(byte);
                return false;
            }
            _ => self.state = State::Ground,
        }
        // Other encodings, and a question about the terminal.
        let withheld = self.held.get(1) == Some(&b'%') || (self.held.len() == 1 && byte == b'Z') || byte > 0x7e;
        if withheld {
            return false;
        }
        shown.extend_from_slice(&self.held);
        shown.push(byte);
        let is_reset = self.held.len() == 1 && byte == b'c';
        if is_reset {
            shown.extend_from_slice(&self.region());
        }
        is_reset || self.held.get(1) == Some(&b'#')
    }

    fn end_csi(&mut self, last: u8, shown: &mut Vec<u8>) -> bool {
        let dropped = self.state == State::CsiDropped;
        self.state = State::Ground;
        if dropped {
            return false;
        }
        let held = std::mem::take(&mut self.held);
        let body = held.get(2..).unwrap_or_default();
        let split = body.iter().position(|byte| (0x20..=0x2f).contains(byte)).unwrap_or(body.len());
        let (parameters, intermediates) = body.split_at(split);
        let private = parameters.first().is_some_and(|byte| (0x3c..=0x3f).contains(byte));
        match (intermediates, last) {
            // A cursor's shape.
            (b" ", b'q') if !private => {}
            // A soft reset takes the region away without moving the cursor.
            (b"!", b'p') => {
                shown.extend_from_slice(b"\x1b[!p");
                shown.extend_from_slice(&self.region());
                return true;
            }
            (b"", last) if FINALS.contains(&last) => return self.plain_csi(parameters, private, last, shown),
            _ => return false,
        }
        shown.extend_from_slice(b"\x1b[");
        shown.extend_from_slice(body);
        shown.push(last);
        false
    }

    fn plain_csi(&self, parameters: &[u8], private: bool, last: u8, shown: &mut Vec<u8>) -> bool {
        let mut passed = parameters.to_vec();
        let mut disturbed = matches!(last, b'J');
        match (private, last) {
            (true, b'h' | b'l') => {
                let Some(modes) = parameters.strip_prefix(b"?") else { return false };
                let modes: Vec<&[u8]> = modes.split(|byte| *byte == b';').collect();
                disturbed = modes.iter().any(|mode| SCREEN_MODES.contains(mode));
                let left: Vec<&[u8]> = modes.into_iter().filter(|mode| !WITHHELD_MODES.contains(mode)).collect();
                if left.is_empty() {
                    return false;
                }
                passed = [b"?".as_slice(), &left.join(&b';')].concat();
            }
            // Selective erasing, and tab stops as some terminals set them.
            (true, b'J' | b'K' | b'W') => {}
            // Keyboard protocols, attributes of keys, saved modes.
            (true, _) => return false,
            // Margins at the sides; without parameters it saves the cursor.
            (false, b's') if !parameters.is_empty() => return false,
            (false, b'r') => passed = self.within_rows(parameters, 1, self.rows),
            (false, b'H' | b'f' | b'd') => passed = self.within_rows(parameters, 0, None),
            _ => {}
        }
        shown.extend_from_slice(b"\x1b[");
        shown.extend_from_slice(&passed);
        shown.push(last);
        disturbed
    }

    /// The parameters with the one at `index`, a row, no lower than the session's last. `otherwise` is put where
    /// it is missing.
    fn within_rows(&self, parameters: &[u8], index: usize, otherwise: Option<u16>) -> Vec<u8> {
        let Some(rows) = self.rows else { return parameters.to_vec() };
        let mut all: Vec<Vec<u8>> = parameters.split(|byte| *byte == b';').map(<[u8]>::to_vec).collect();
        if otherwise.is_some() {
            all.resize(all.len().max(index + 1), Vec::new());
        }
        if let Some(row) = all.get_mut(index) {
            let asked: Option<u64> =
                std::str::from_utf8(row).ok().and_then(|text| text.parse().ok()).filter(|row| *row > 0);
            let wanted = asked.or(otherwise.map(u64::from));
            // A number that does not fit is larger than any row.
            let too_long = !row.is_empty() && row.iter().all(u8::is_ascii_digit) && row.len() > 19;
            match wanted {
                Some(wanted) if wanted <= u64::from(rows) && asked.is_some() => {}
                Some(_) => *row = rows.to_string().into_bytes(),
                None if too_long => *row = rows.to_string().into_bytes(),
                None => {}
            }
        }
        all.join(&b';')
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use super::*;

    fn passed(rows: Option<u16>, text: &str) -> (String, bool) {
        let (mut passage, mut shown) = (Passage::new(rows), Vec::new());
        let disturbed = passage.pass(text.as_bytes(), &mut shown);
        (String::from_utf8(shown).unwrap(), disturbed)
    }

    #[test]
    fn what_draws_passes_and_what_makes_a_terminal_answer_or_act_does_not() {
        for plain in [
            "text é 漢 \t\r\n\x08",
            "\x1b[1;31mred\x1b[m",
            "\x1b[?25l\x1b[2;3H\x1b[K",
            "\x1b[?2004h",
            "\x1b[?1049h",
            "\x1b(0lqk\x1b(B",
            "\x1b7\x1b8\x1bM",
            "\x1b[38:2::1:2:3m",
            "\x1b[4 q",
            "\x1b[s\x1b[u",
            "\x1b[5b",
        ] {
            assert_eq!(passed(None, plain).0, plain);
        }
        for withheld in [
            "\x1b[6n",
            "\x1b[c",
            "\x1b[>c",
            "\x1b[=c",
            "\x1b[?6n",
            "\x1b[18t",
            "\x1b[>q",
            "\x1b[?1$p",
            "\x1b[x",
            "\x1bZ",
            "\x05",
            "\x1b]52;c;aGk=\x07",
            "\x1b]11;?\x1b\\",
            "\x1b]0;title\x07",
            "\x1bP+q544e\x1b\\",
            "\x1b_Gi=1;\x1b\\",
            "\x1b^x\x1b\\",
            "\u{9b}6n".get(..2).unwrap(),
            "\u{90}",
            "\x1b[>1u",
            "\x1b[?u",
            "\x1b[>4;2m",
            "\x1b[?4m",
            "\x1b[5i",
            "\x1b[1;1;5;5*y",
            "\x1b[?2048h",
            "\x1b%@",
            "\x1b[1;5s",
        ] {
            assert_eq!(passed(None, withheld).0, "", "{withheld:?}");
        }
        assert_eq!(passed(None, "\x1b[?25;2048h").0, "\x1b[?25h");
        // Broken off and begun anew, cancelled, too long: never half of one.
        assert_eq!(passed(None, "\x1b[3\x1b[4mx").0, "\x1b[4mx");
        assert_eq!(passed(None, "\x1b[3\x18x\x1b]0;a\x1b[1mx").0, "x\x1b[1mx");
        assert_eq!(passed(None, &format!("\x1b[{}mx", "1;".repeat(500))).0, "x");
        assert_eq!(passed(None, "\x1b[\r1mx").0, "\r\x1b[1mx");
    }

    #[test]
    fn pieces_of_any_size_come_out_as_the_whole() {
        let text = "a\x1b[1;99H漢\u{9b}\x1b]52;c;x\x1b\\é\x1b[?1049h\x1b[6n\x1b[r\x1bcz\x1b[!p\x1b(B";
        let whole = passed(Some(23), text);
        for size in 1..6 {
            let (mut passage, mut shown, mut disturbed) = (Passage::new(Some(23)), Vec::new(), false);
            for piece in text.as_bytes().chunks(size) {
                disturbed |= passage.pass(piece, &mut shown);
            }
            assert_eq!((String::from_utf8(shown).unwrap(), disturbed), whole);
            assert!(passage.between_sequences());
        }
    }

    #[test]
    fn the_row_of_the_status_line_is_out_of_reach() {
        let rows = Some(23);
        for (asked, given) in [
            ("\x1b[r", "\x1b[;23r"),
            ("\x1b[5;24r", "\x1b[5;23r"),
            ("\x1b[2;10r", "\x1b[2;10r"),
            ("\x1b[3r", "\x1b[3;23r"),
            ("\x1b[0;0r", "\x1b[0;23r"),
            ("\x1b[24;7H", "\x1b[23;7H"),
            ("\x1b[999;999f", "\x1b[23;999f"),
            ("\x1b[H", "\x1b[H"),
            ("\x1b[99999999999999999999999d", "\x1b[23d"),
            ("\x1b[5;5H", "\x1b[5;5H"),
        ] {
            assert_eq!(passed(rows, asked).0, given, "{asked:?}");
            assert_eq!(passed(None, asked).0, asked);
        }
        for disturbing in ["\x1b[2J", "\x1bc", "\x1b[?1049l", "\x1b[!p"] {
            assert!(passed(rows, disturbing).1, "{disturbing:?}");
        }
        assert!(passed(rows, "\x1bc").0.ends_with("\x1b[1;23r\x1b8"));
        assert!(!passed(rows, "ls\x1b[1m\x1b[K").1);
    }
}
