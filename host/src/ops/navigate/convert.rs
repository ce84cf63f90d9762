//! Between the plugin contract's values and this host's.

use portcullis_sandbox::common::{Level as PluginLevel, LevelKind as PluginLevelKind};
use portcullis_sandbox::navigator::{NamedKey, Row, Screen};
use portcullis_term::LevelKind;
use portcullis_term::track::Expectation;

use super::{FAILURE_ROWS, LEVEL_PROMPT};
use crate::gate::Key;
use crate::ops::OpError;
use crate::random;
use crate::session::Reading;

pub(super) fn expectation(level: &PluginLevel) -> Result<Expectation, OpError> {
    let kind = match level.kind {
        PluginLevelKind::PodShell => LevelKind::PodShell,
        PluginLevelKind::ElevatedShell => LevelKind::ElevatedShell,
        _ => LevelKind::Shell,
    };
    let nonce = random::hex(4).map_err(OpError::Random)?;
    let attributes =
        level.attributes.iter().map(|attribute| (attribute.key.clone(), attribute.value.clone())).collect();
    Ok(Expectation { attributes, ..Expectation::new(kind, level.label.clone(), nonce, LEVEL_PROMPT) })
}

pub(super) fn named(key: NamedKey) -> Key {
    match key {
        NamedKey::Enter => Key::Enter,
        NamedKey::Tab => Key::Tab,
        NamedKey::Escape => Key::Escape,
        NamedKey::Backspace => Key::Backspace,
        NamedKey::Delete => Key::Delete,
        NamedKey::Up => Key::Up,
        NamedKey::Down => Key::Down,
        NamedKey::Left => Key::Left,
        NamedKey::Right => Key::Right,
        NamedKey::Home => Key::Home,
        NamedKey::End => Key::End,
        NamedKey::PageUp => Key::PageUp,
        NamedKey::PageDown => Key::PageDown,
    }
}

pub(super) fn screen(reading: &Reading) -> Screen {
    let view = &reading.screen;
    Screen {
        generation: reading.generation,
        rows: view.rows.iter().map(|row| Row { text: row.text.clone(), wrapped: row.wrapped }).collect(),
        columns: view.columns,
        cursor_row: view.cursor_row,
        cursor_column: view.cursor_column,
        alternate_screen: view.alternate_screen,
        quiet_ms: u32::try_from(reading.quiet_ms).unwrap_or(u32::MAX),
        at_prompt: reading.at_prompt,
    }
}

/// The last non-empty rows of the screen.
pub(super) fn last_rows(reading: &Reading) -> Vec<String> {
    let text = reading.screen.text();
    let rows: Vec<&str> = text.lines().collect();
    rows[rows.len().saturating_sub(FAILURE_ROWS)..].iter().map(|row| (*row).to_owned()).collect()
}
