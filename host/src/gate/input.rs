//! An agent's text and keys: what waits in the host, and which keys may go by themselves.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use portcullis_sandbox::policy::TerminalState;

use super::{Key, Place};
use crate::config::PolicyMode;

/// Longest line an agent may build up piece by piece, in bytes.
const MAX_HELD_BYTES: usize = 16 * 1024;

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
    Some(
        "what this control key does depends on the program that reads it; it needs the mode `full`. \
         To end the program use ssh_stop with force",
    )
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

/// Lines agents have begun, by session.
#[derive(Debug, Default)]
pub struct InputLine {
    /// At a prompt: nothing of it was sent.
    held: Mutex<HashMap<String, String>>,
    /// Into a program: sent, and part of the line that Enter will complete, whoever typed it.
    typed: Mutex<HashMap<String, Begun>>,
}

/// What stands in a program's line that nobody has completed yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Begun {
    text: String,
    /// A key has changed the line in a way the host does not follow.
    unknown: bool,
}

impl Begun {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        let excess = self.text.len().saturating_sub(MAX_HELD_BYTES);
        let cut = (excess..self.text.len()).find(|index| self.text.is_char_boundary(*index));
        self.text.drain(..cut.unwrap_or(self.text.len()));
    }

    /// A person's keystrokes: plain characters, rubbing out, and what completes or drops the line.
    fn follow(&mut self, keys: &str) {
        for key in keys.chars() {
            match key {
                '\r' | '\n' | '\x03' => *self = Self::default(),
                // The end of input, or the line as far as it got.
                '\x04' => self.unknown |= !self.text.is_empty(),
                '\x7f' | '\x08' => drop(self.text.pop()),
                key if key.is_control() => self.unknown = true,
                key => self.push(key.encode_utf8(&mut [0; 4])),
            }
        }
    }
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

    /// What waits in the host for its Enter.
    pub fn waiting(&self, session_id: &str) -> String {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(session_id).cloned().unwrap_or_default()
    }

    /// What was typed into the session's program since the last Enter, by the agent and by people; none
    /// when a key has changed it unseen.
    pub fn begun(&self, session_id: &str) -> Option<String> {
        let typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        match typed.get(session_id) {
            None => Some(String::new()),
            Some(begun) => (!begun.unknown).then(|| begun.text.clone()),
        }
    }

    /// A person typed `bytes` into whatever reads the terminal.
    pub fn person_typed(&self, session_id: &str, bytes: &[u8]) {
        let mut typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = typed.entry(session_id.to_owned()).or_default();
        begun.follow(&String::from_utf8_lossy(bytes));
        if *begun == Begun::default() {
            typed.remove(session_id);
        }
    }

    /// A key that changes a program's line unseen: its history, its completion, its cursor.
    pub fn edited(&self, session_id: &str) {
        let mut typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        typed.entry(session_id.to_owned()).or_default().unknown = true;
    }

    /// The session's agent has pressed a key in a program that reads lines: spaces are text, rubbing out is
    /// followed, and others leave a line that was begun unknown.
    pub fn pressed(&self, session_id: &str, key: Key) {
        let mut typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = typed.entry(session_id.to_owned()).or_default();
        match key {
            // It may end one reader and be text for another.
            Key::Quit => begun.unknown = true,
            Key::Space | Key::Backspace => begun.follow(&String::from_utf8_lossy(key.bytes(false))),
            // Where nothing was begun, arrows and the like choose from a list, and Enter takes what they chose.
            _ => begun.unknown |= !begun.text.is_empty(),
        }
        if *begun == Begun::default() {
            typed.remove(session_id);
        }
    }

    /// The program was sent `text`. Of a line that grows without end its newest part is kept.
    pub fn typed(&self, session_id: &str, text: &str, enter: bool) {
        let mut typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        if enter {
            typed.remove(session_id);
            return;
        }
        typed.entry(session_id.to_owned()).or_default().push(text);
    }

    /// Another reader has the terminal: what was typed into the last one is no part of a line there.
    pub fn forget_typed(&self, session_id: &str) {
        self.typed.lock().unwrap_or_else(PoisonError::into_inner).remove(session_id);
    }

    /// Forgets what was begun.
    pub fn clear(&self, session_id: &str) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(session_id);
        self.forget_typed(session_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_typed_in_pieces_is_judged_whole() {
        let input = InputLine::default();
        assert_eq!(input.add("s", "rm -rf ", false), HeldLine::Waiting("rm -rf ".into()));
        assert_eq!(input.add("other", "ls", true), HeldLine::Complete("ls".into()));
        assert_eq!(input.add("s", "/", true), HeldLine::Complete("rm -rf /".into()));
        assert_eq!(input.add("s", "", true), HeldLine::Complete(String::new()));
    }

    #[test]
    fn what_a_program_was_sent_stays_part_of_its_line_until_enter() {
        let input = InputLine::default();
        input.typed("s", "rm -rf ", false);
        assert_eq!(input.begun("s").as_deref(), Some("rm -rf "));
        input.typed("s", &"❤".repeat(MAX_HELD_BYTES), false);
        assert!(input.begun("s").is_some_and(|begun| begun.len() <= MAX_HELD_BYTES));
        input.typed("s", "/", true);
        assert_eq!(input.begun("s").as_deref(), Some(""));
    }

    #[test]
    fn what_a_person_began_is_part_of_the_line_an_agent_completes() {
        let input = InputLine::default();
        input.person_typed("s", "drp\x7fop ".as_bytes());
        input.typed("s", "table x", false);
        assert_eq!(input.begun("s").as_deref(), Some("drop table x"));
        input.person_typed("s", b";\r");
        assert_eq!(input.begun("s").as_deref(), Some(""));
        for unseen in ["\t", "\x1b[A", "\x12rm", "\x15", "a\x01b"] {
            input.person_typed("s", unseen.as_bytes());
            assert_eq!(input.begun("s"), None, "{unseen:?}");
            input.person_typed("s", b"\x03");
            assert_eq!(input.begun("s").as_deref(), Some(""), "{unseen:?}");
        }
        input.edited("s");
        assert_eq!(input.begun("s"), None);
        input.clear("s");
        assert_eq!(input.begun("s").as_deref(), Some(""));
    }

    #[test]
    fn an_agent_s_keys_are_part_of_the_line_too() {
        let input = InputLine::default();
        input.pressed("s", Key::Up);
        assert_eq!(input.begun("s").as_deref(), Some(""), "it chooses from a list");
        input.typed("s", "rm -rf", false);
        input.pressed("s", Key::Space);
        input.typed("s", "/x", false);
        input.pressed("s", Key::Backspace);
        assert_eq!(input.begun("s").as_deref(), Some("rm -rf /"));
        input.pressed("s", Key::Tab);
        assert_eq!(input.begun("s"), None);
        input.clear("s");
        input.pressed("s", Key::Quit);
        assert_eq!(input.begun("s"), None);
    }

    /// A line editor that follows every key, for the model below; none once a key did what only it knows.
    fn edit(line: &mut Option<String>, bytes: &str) {
        for key in bytes.chars() {
            match (key, line.as_mut()) {
                ('\r' | '\n' | '\x03', _) => *line = Some(String::new()),
                ('\x7f', Some(text)) => drop(text.pop()),
                (key, _) if key.is_control() => *line = None,
                (key, Some(text)) => text.push(key),
                (_, None) => {}
            }
        }
    }

    #[test]
    fn whoever_types_what_in_any_order_a_known_line_is_the_line_there_is() {
        const PEOPLE: &[&str] = &["d", "rop ", "\x7f", "\r", "\x03", "\t", "\x1b[A", "\x15", "é", "x\x7f\x7f", "a\rb"];
        const AGENTS: &[&str] = &["table ", "x", ";", "rm -rf ", "/", ""];
        for seed in 1..2_000u64 {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut below = |count: usize| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 33) as usize % count
            };
            let (input, mut line) = (InputLine::default(), Some(String::new()));
            for _ in 0..30 {
                match below(8) {
                    0..=3 => {
                        let keys = PEOPLE[below(PEOPLE.len())];
                        input.person_typed("s", keys.as_bytes());
                        edit(&mut line, keys);
                    }
                    4..=5 => {
                        let text = AGENTS[below(AGENTS.len())];
                        input.typed("s", text, false);
                        edit(&mut line, text);
                    }
                    6 => {
                        // An agent's Enter goes only where the whole line is known, and this is what is judged.
                        if let Some(judged) = input.begun("s") {
                            assert_eq!(Some(&judged), line.as_ref(), "seed {seed}");
                            input.typed("s", "", true);
                            edit(&mut line, "\r");
                        }
                    }
                    _ => {
                        input.edited("s");
                        line = None;
                    }
                }
                if let Some(known) = input.begun("s") {
                    assert_eq!(Some(known), line, "seed {seed}");
                }
            }
        }
    }
}
