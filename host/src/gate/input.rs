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
    /// Into a program: sent, and part of the line that Enter will complete.
    typed: Mutex<HashMap<String, String>>,
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

    /// What the agent has typed into the session's program since its last Enter.
    pub fn begun(&self, session_id: &str) -> String {
        let typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        typed.get(session_id).cloned().unwrap_or_default()
    }

    /// The program was sent `text`. Of a line that grows without end its newest part is kept.
    pub fn typed(&self, session_id: &str, text: &str, enter: bool) {
        let mut typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        if enter {
            typed.remove(session_id);
            return;
        }
        let line = typed.entry(session_id.to_owned()).or_default();
        line.push_str(text);
        let excess = line.len().saturating_sub(MAX_HELD_BYTES);
        let cut = (excess..line.len()).find(|index| line.is_char_boundary(*index)).unwrap_or(line.len());
        line.drain(..cut);
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
        assert_eq!(input.begun("s"), "rm -rf ");
        input.typed("s", &"❤".repeat(MAX_HELD_BYTES), false);
        assert!(input.begun("s").len() <= MAX_HELD_BYTES);
        input.typed("s", "/", true);
        assert_eq!(input.begun("s"), "");
    }
}
