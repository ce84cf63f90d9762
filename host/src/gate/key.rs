//! The keys an agent may press by name, and what a terminal sends for them.

/// A key by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Enter,
    Escape,
    Tab,
    Backspace,
    Space,
    Insert,
    Delete,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    /// `f1` to `f12`.
    Function(u8),
    /// `ctrl-a` to `ctrl-z`, as the letter in lower case, `ctrl-\` and `ctrl-]`.
    Control(u8),
    /// `q`, the way out of a pager.
    Quit,
}

/// Names and bytes (xterm, normal cursor keys).
const KEYS: &[(&str, Key, &[u8])] = &[
    ("enter", Key::Enter, b"\r"),
    ("escape", Key::Escape, b"\x1b"),
    ("tab", Key::Tab, b"\t"),
    ("backspace", Key::Backspace, b"\x7f"),
    ("space", Key::Space, b" "),
    ("insert", Key::Insert, b"\x1b[2~"),
    ("delete", Key::Delete, b"\x1b[3~"),
    ("up", Key::Up, b"\x1b[A"),
    ("down", Key::Down, b"\x1b[B"),
    ("right", Key::Right, b"\x1b[C"),
    ("left", Key::Left, b"\x1b[D"),
    ("home", Key::Home, b"\x1b[H"),
    ("end", Key::End, b"\x1b[F"),
    ("page-up", Key::PageUp, b"\x1b[5~"),
    ("page-down", Key::PageDown, b"\x1b[6~"),
    ("f1", Key::Function(1), b"\x1bOP"),
    ("f2", Key::Function(2), b"\x1bOQ"),
    ("f3", Key::Function(3), b"\x1bOR"),
    ("f4", Key::Function(4), b"\x1bOS"),
    ("f5", Key::Function(5), b"\x1b[15~"),
    ("f6", Key::Function(6), b"\x1b[17~"),
    ("f7", Key::Function(7), b"\x1b[18~"),
    ("f8", Key::Function(8), b"\x1b[19~"),
    ("f9", Key::Function(9), b"\x1b[20~"),
    ("f10", Key::Function(10), b"\x1b[21~"),
    ("f11", Key::Function(11), b"\x1b[23~"),
    ("f12", Key::Function(12), b"\x1b[24~"),
    ("ctrl-\\", Key::Control(b'\\'), b"\x1c"),
    ("ctrl-]", Key::Control(b']'), b"\x1d"),
    ("q", Key::Quit, b"q"),
];

/// What a program that has asked for application cursor keys (DECCKM) is sent instead.
const APPLICATION_KEYS: &[(Key, &[u8])] = &[
    (Key::Up, b"\x1bOA"),
    (Key::Down, b"\x1bOB"),
    (Key::Right, b"\x1bOC"),
    (Key::Left, b"\x1bOD"),
    (Key::Home, b"\x1bOH"),
    (Key::End, b"\x1bOF"),
];

/// Other names in use for the same keys.
const ALIASES: &[(&str, &str)] = &[
    ("esc", "escape"),
    ("return", "enter"),
    ("ins", "insert"),
    ("del", "delete"),
    ("pageup", "page-up"),
    ("pgup", "page-up"),
    ("pagedown", "page-down"),
    ("pgdn", "page-down"),
];

/// The control characters by letter; index 0 is `ctrl-a`.
const CONTROLS: [u8; 26] = {
    let mut bytes = [0; 26];
    let mut index = 0;
    while index < 26 {
        bytes[index] = index as u8 + 1;
        index += 1;
    }
    bytes
};
const CONTROL_NAMES: [&str; 26] = [
    "ctrl-a", "ctrl-b", "ctrl-c", "ctrl-d", "ctrl-e", "ctrl-f", "ctrl-g", "ctrl-h", "ctrl-i", "ctrl-j", "ctrl-k",
    "ctrl-l", "ctrl-m", "ctrl-n", "ctrl-o", "ctrl-p", "ctrl-q", "ctrl-r", "ctrl-s", "ctrl-t", "ctrl-u", "ctrl-v",
    "ctrl-w", "ctrl-x", "ctrl-y", "ctrl-z",
];

impl Key {
    /// By its name, in any case, parts joined by `-`, `_` or `+`; `None` when there is no such key.
    pub fn from_name(name: &str) -> Option<Self> {
        let written = name.to_ascii_lowercase().replace(['_', '+'], "-");
        let name = ALIASES.iter().find(|(alias, _)| *alias == written).map_or(written.as_str(), |(_, name)| name);
        let named = KEYS.iter().find(|(known, _, _)| *known == name).map(|(_, key, _)| *key);
        let control =
            || CONTROL_NAMES.iter().position(|known| *known == name).map(|index| Self::Control(b'a' + index as u8));
        named.or_else(control)
    }

    /// All names, for messages.
    pub fn names() -> String {
        let names: Vec<&str> = KEYS.iter().map(|(name, _, _)| *name).collect();
        format!("{}, ctrl-a to ctrl-z", names.join(", "))
    }

    pub fn name(self) -> &'static str {
        let listed = KEYS.iter().find(|(_, key, _)| *key == self).map(|(name, _, _)| *name);
        listed.or_else(|| Some(CONTROL_NAMES[self.letter()?])).unwrap_or_default()
    }

    /// What the terminal sends, `application_cursor` being the mode the program has asked for.
    pub fn bytes(self, application_cursor: bool) -> &'static [u8] {
        let application = APPLICATION_KEYS.iter().find(|(key, _)| application_cursor && *key == self);
        let listed = application
            .map(|(_, bytes)| *bytes)
            .or_else(|| KEYS.iter().find(|(_, key, _)| *key == self).map(|(_, _, bytes)| *bytes));
        let control = || self.letter().map(|letter| std::slice::from_ref(&CONTROLS[letter]));
        listed.or_else(control).unwrap_or_default()
    }

    /// Interrupts (`ctrl-c`, `ctrl-\`) are always allowed: they only stop.
    pub fn is_interrupt(self) -> bool {
        matches!(self, Self::Control(b'c' | b'\\'))
    }

    /// What a tty that echoes shows for the key; empty where it shows nothing or moves the cursor.
    pub fn echo(self) -> String {
        match self.bytes(false) {
            [b'\x1b', rest @ ..] => format!("^[{}", String::from_utf8_lossy(rest)),
            [b'\t' | b'\r' | b'\x7f' | 8] => String::new(),
            [control @ 1..=31] => format!("^{}", char::from(control + 64)),
            text => String::from_utf8_lossy(text).into_owned(),
        }
    }

    /// Place of a letter's control key in the alphabet.
    fn letter(self) -> Option<usize> {
        match self {
            Self::Control(letter @ b'a'..=b'z') => Some(usize::from(letter - b'a')),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_names_and_bytes_both_ways() {
        for name in ["enter", "up", "page-down", "ctrl-c", "q", "f1", "f12", "ctrl-\\", "insert", "ctrl-z"] {
            let key = Key::from_name(name);
            assert_eq!(key.map(Key::name), Some(name));
            assert!(key.is_some_and(|key| !key.bytes(false).is_empty()), "{name}");
        }
        let bytes = |name| Key::from_name(name).map(|key| key.bytes(false));
        assert_eq!(bytes("CTRL-C"), Some(&b"\x03"[..]));
        assert_eq!(bytes("Ctrl+\\"), Some(&b"\x1c"[..]));
        assert_eq!(bytes("page_up"), bytes("PgUp"));
        assert_eq!(bytes("ctrl-1"), None);
    }

    #[test]
    fn cursor_keys_follow_the_mode_the_program_asked_for() {
        assert_eq!((Key::Up.bytes(false), Key::Up.bytes(true)), (&b"\x1b[A"[..], &b"\x1bOA"[..]));
        assert_eq!(Key::PageUp.bytes(true), b"\x1b[5~");
    }

    #[test]
    fn an_echoing_tty_shows_control_keys_with_a_caret() {
        let echo = |name| Key::from_name(name).map(Key::echo);
        assert_eq!(echo("ctrl-c").as_deref(), Some("^C"));
        assert_eq!(echo("up").as_deref(), Some("^[[A"));
        assert_eq!(echo("enter").as_deref(), Some(""));
    }
}
