//! The policy's settings: `{"allow": ["ls", "kubectl"]}`.

use serde::Deserialize;

use portcullis_plugin::{ConfigDiagnostic, config};

/// Longest name of a program in the list. Bytes.
const MAX_NAME_BYTES: usize = 128;

/// Settings as they are used.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Base names of the programs that `restricted` mode runs.
    pub allow: Vec<String>,
}

/// Reads and checks the settings.
///
/// # Errors
/// Everything that is wrong with them.
pub fn read(text: &str) -> Result<Settings, Vec<ConfigDiagnostic>> {
    let settings: Settings = config::parse(text).map_err(|diagnostic| vec![diagnostic])?;
    let wrong: Vec<ConfigDiagnostic> = settings
        .allow
        .iter()
        .enumerate()
        .filter(|(_, name)| {
            name.is_empty()
                || name.len() > MAX_NAME_BYTES
                || name
                    .contains(|character: char| character == '/' || character.is_whitespace() || character.is_control())
        })
        .map(|(index, _)| {
            config::diagnostic(
                &format!("allow[{index}]"),
                "a program's base name is needed, without path, blanks or arguments",
            )
        })
        .collect();
    if wrong.is_empty() { Ok(settings) } else { Err(wrong) }
}
