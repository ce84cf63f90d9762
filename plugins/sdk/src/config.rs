//! Reading a plugin's settings: JSON text into a type of the author's, with the key that is wrong.

use serde::de::DeserializeOwned;

use crate::{ConfigDiagnostic, PluginError};

/// Settings larger than this are refused unread. Bytes.
pub const MAX_CONFIG_BYTES: usize = 1 << 20;

/// Reads settings. Empty text counts as `{}`; unknown keys are the type's business
/// (`#[serde(deny_unknown_fields)]` is advised, so that a misspelt key is not ignored).
///
/// # Errors
/// One diagnostic with the dotted path of the key that is wrong.
pub fn parse<T: DeserializeOwned>(config: &str) -> Result<T, ConfigDiagnostic> {
    if config.len() > MAX_CONFIG_BYTES {
        return Err(diagnostic("", format!("the settings are longer than {MAX_CONFIG_BYTES} bytes")));
    }
    let text = if config.trim().is_empty() { "{}" } else { config };
    // A list would fill a struct's fields in order, which nobody who writes settings means.
    if !text.trim_start().starts_with('{') {
        return Err(diagnostic("", "the settings must be a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        // The whole is written as `.`; the contract calls it the empty path.
        diagnostic(if path == "." { "" } else { &path }, error.into_inner().to_string())
    })?;
    reader.end().map_err(|error| diagnostic("", error.to_string()))?;
    Ok(value)
}

/// A diagnostic from its parts.
pub fn diagnostic(path: &str, message: impl Into<String>) -> ConfigDiagnostic {
    ConfigDiagnostic { path: path.to_owned(), message: message.into() }
}

/// Diagnostics as the error that `create` and its like return.
pub fn error(diagnostics: &[ConfigDiagnostic]) -> PluginError {
    let parts: Vec<String> = diagnostics
        .iter()
        .map(|diagnostic| match diagnostic.path.as_str() {
            "" => diagnostic.message.clone(),
            path => format!("{path}: {}", diagnostic.message),
        })
        .collect();
    PluginError::InvalidConfig(parts.join("; "))
}

/// What a plugin that has only `create` says of its settings.
pub(crate) fn diagnostics_of<T>(created: Result<T, PluginError>) -> Vec<ConfigDiagnostic> {
    match created {
        Ok(_) => Vec::new(),
        Err(
            PluginError::InvalidConfig(message)
            | PluginError::InvalidInput(message)
            | PluginError::Unsupported(message)
            | PluginError::Internal(message),
        ) => vec![diagnostic("", message)],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Settings {
        limits: Limits,
        names: Vec<String>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Limits {
        seconds: u32,
    }

    #[test]
    fn empty_text_is_the_default() {
        assert_eq!(parse::<Settings>(" \n").unwrap().limits.seconds, 0);
    }

    #[test]
    fn the_wrong_key_is_named() {
        let wrong = parse::<Settings>(r#"{"limits":{"seconds":"many"}}"#).unwrap_err();
        assert_eq!(wrong.path, "limits.seconds");
        let wrong = parse::<Settings>(r#"{"names":["a",1]}"#).unwrap_err();
        assert_eq!(wrong.path, "names[1]");
        let wrong = parse::<Settings>(r#"{"limit":{}}"#).unwrap_err();
        assert_eq!(wrong.path, "limit");
        let wrong = parse::<Settings>("[]").unwrap_err();
        assert!(wrong.path.is_empty(), "{wrong:?}");
    }

    #[test]
    fn nothing_may_follow_the_settings() {
        assert!(parse::<Settings>("{} {}").is_err());
        assert!(parse::<Settings>(&" ".repeat(MAX_CONFIG_BYTES + 1)).is_err());
    }

    #[test]
    fn an_error_names_path_and_reason() {
        let error = error(&[diagnostic("a.b", "too small"), diagnostic("", "empty")]);
        assert_eq!(error, PluginError::InvalidConfig("a.b: too small; empty".to_owned()));
    }
}
