//! An agent's text and keys: what waits in the host, and which keys may go by themselves.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use portcullis_sandbox::policy::TerminalState;

use super::Place;
use crate::config::PolicyMode;

/// Longest line an agent may build up piece by piece, in bytes.
const MAX_HELD_BYTES: usize = 16 * 1024;

/// A key an agent may press by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Enter,
    Escape,
    Tab,
    Backspace,
    Space,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    /// `ctrl-a` to `ctrl-z`, as the letter in lower case.
    Control(u8),
    /// `q`, the way out of a pager.
    Quit,
}

/// Names and what terminals send for them (xterm, normal cursor keys).
const KEYS: &[(&str, Key, &[u8])] = &[
    ("enter", Key::Enter, b"\r"),
    ("escape", Key::Escape, b"\x1b"),
    ("tab", Key::Tab, b"\t"),
    ("backspace", Key::Backspace, b"\x7f"),
    ("space", Key::Space, b" "),
    ("up", Key::Up, b"\x1b[A"),
    ("down", Key::Down, b"\x1b[B"),
    ("right", Key::Right, b"\x1b[C"),
    ("left", Key::Left, b"\x1b[D"),
    ("home", Key::Home, b"\x1b[H"),
    ("end", Key::End, b"\x1b[F"),
    ("page-up", Key::PageUp, b"\x1b[5~"),
    ("page-down", Key::PageDown, b"\x1b[6~"),
    ("q", Key::Quit, b"q"),
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
    /// By its name, in any case; `None` when there is no such key.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
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
        match self {
            Self::Control(letter) => CONTROL_NAMES[control_index(letter)],
            other => KEYS.iter().find(|(_, key, _)| *key == other).map_or("", |(name, _, _)| name),
        }
    }

    /// What the terminal sends.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Self::Control(letter) => std::slice::from_ref(&CONTROLS[control_index(letter)]),
            other => KEYS.iter().find(|(_, key, _)| *key == other).map_or(&[], |(_, _, bytes)| bytes),
        }
    }

    /// Interrupts are always allowed: they only stop.
    pub fn is_interrupt(self) -> bool {
        self == Self::Control(b'c')
    }
}

fn control_index(letter: u8) -> usize {
    usize::from(letter.wrapping_sub(b'a')).min(CONTROLS.len() - 1)
}

/// Why an agent may not press `key` there; `None` when it may.
///
/// At a prompt every key but the interrupt changes a line that nobody has judged, or takes one
/// from the history. Elsewhere control keys may mean anything to the program that reads them.
pub(super) fn objection(key: Key, place: &Place) -> Option<&'static str> {
    if key.is_interrupt() {
        return None;
    }
    if place.terminal == TerminalState::AtPrompt {
        return Some("at a shell prompt this key would change the line unseen; send the whole line as text");
    }
    let free = !matches!(key, Key::Control(letter) if letter != b'd' && letter != b'l');
    if free || place.destination.policy_mode == PolicyMode::Full {
        return None;
    }
    Some("what this control key does depends on the program that reads it; it needs the mode `full`")
}

/// What becomes of text for a shell prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldLine {
    /// The text waits in the host for its Enter; nothing was sent.
    Waiting(String),
    /// The whole line, to be judged and run.
    Complete(String),
    /// More than a line may have; what was held before is kept.
    TooLong,
}

/// Lines agents have begun at a prompt, by session.
#[derive(Debug, Default)]
pub struct InputLine {
    held: Mutex<HashMap<String, String>>,
}

impl InputLine {
    /// Adds `text` to what the session's agent has typed so far; `enter` completes the line.
    pub fn add(&self, session_id: &str, text: &str, enter: bool) -> HeldLine {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let line = held.entry(session_id.to_owned()).or_default();
        if line.len() + text.len() > MAX_HELD_BYTES {
            return HeldLine::TooLong;
        }
        line.push_str(text);
        if enter {
            HeldLine::Complete(held.remove(session_id).unwrap_or_default())
        } else {
            HeldLine::Waiting(line.clone())
        }
    }

    /// Forgets what was begun.
    pub fn clear(&self, session_id: &str) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(session_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_names_and_bytes_both_ways() {
        for name in ["enter", "up", "page-down", "ctrl-c", "q"] {
            let key = Key::from_name(name);
            assert_eq!(key.map(Key::name), Some(name));
            assert!(key.is_some_and(|key| !key.bytes().is_empty()));
        }
        assert_eq!(Key::from_name("CTRL-C").map(Key::bytes), Some(&b"\x03"[..]));
        assert_eq!(Key::from_name("ctrl-1"), None);
    }

    #[test]
    fn a_line_typed_in_pieces_is_judged_whole() {
        let input = InputLine::default();
        assert_eq!(input.add("s", "rm -rf ", false), HeldLine::Waiting("rm -rf ".into()));
        assert_eq!(input.add("other", "ls", true), HeldLine::Complete("ls".into()));
        assert_eq!(input.add("s", "/", true), HeldLine::Complete("rm -rf /".into()));
        assert_eq!(input.add("s", "", true), HeldLine::Complete(String::new()));
    }
}
