//! Keys by their names: `enter`, `down`, `ctrl+c`; `text:` and what is typed.

use portcullis_plugin::navigator::{Key, NamedKey};

use crate::text::{Values, filled};

const NAMED: [(&str, NamedKey); 13] = [
    ("enter", NamedKey::Enter),
    ("tab", NamedKey::Tab),
    ("escape", NamedKey::Escape),
    ("backspace", NamedKey::Backspace),
    ("delete", NamedKey::Delete),
    ("up", NamedKey::Up),
    ("down", NamedKey::Down),
    ("left", NamedKey::Left),
    ("right", NamedKey::Right),
    ("home", NamedKey::Home),
    ("end", NamedKey::End),
    ("page-up", NamedKey::PageUp),
    ("page-down", NamedKey::PageDown),
];

/// The key of this name; none where a value in its text is not known.
pub(crate) fn key(name: &str, values: &Values) -> Option<Key> {
    if let Some((_, key)) = NAMED.iter().find(|(known, _)| *known == name) {
        return Some(Key::Named(*key));
    }
    let letter = name.strip_prefix("ctrl+").and_then(|letter| letter.parse::<char>().ok());
    match letter.filter(char::is_ascii_alphabetic) {
        Some(letter) => Some(Key::Control(letter)),
        None => filled(name.strip_prefix("text:").unwrap_or(name), values).map(Key::Text),
    }
}
