//! The configuration as used, with where each value comes from.

use serde_json::Value;

use super::layers::Layers;
use super::{ConfigError, Sources};

impl Sources {
    /// TOML with a comment behind each value; of one profile, or of all.
    ///
    /// # Errors
    /// When there is no such profile.
    pub fn show(&self, profile: Option<&str>) -> Result<String, ConfigError> {
        if let Some(name) = profile {
            let layers = self.profiles.get(name).ok_or_else(|| self.unknown(name))?;
            return Ok(shown(name, layers));
        }
        let mut text = String::new();
        for (path, reason) in self.files_with_reasons() {
            text.push_str(&format!("# {} ({reason})\n", path.display()));
        }
        for note in &self.notes {
            text.push_str(&format!("# note: {note}\n"));
        }
        if let Some(default) = &self.top.default_profile {
            text.push_str(&format!("default_profile = {}\n", Value::String(default.clone())));
        }
        for (name, layers) in &self.profiles {
            text.push('\n');
            text.push_str(&shown(name, layers));
        }
        Ok(text)
    }

    fn unknown(&self, name: &str) -> ConfigError {
        let known = self.profiles.keys().cloned().collect::<Vec<_>>().join(", ");
        ConfigError::UnknownProfile { profile: name.to_owned(), known }
    }
}

fn shown(name: &str, layers: &Layers) -> String {
    // Quoted where it has to be, as JSON does it too.
    let bare = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let name = if bare { name.to_owned() } else { Value::String(name.to_owned()).to_string() };
    let mut lines = vec![format!("[profiles.{name}]")];
    lines.extend(layers.problem.iter().map(|problem| format!("# cannot be opened: {problem}")));
    lines.extend(layers.notes.iter().map(|note| format!("# note: {note}")));
    let all = layers.layers.iter().map(|(origin, values)| (origin, serde_json::to_value(values).unwrap_or_default()));
    let all: Vec<_> = all.collect();
    let merged = serde_json::to_value(layers.merged()).unwrap_or_default();
    for (key, value) in merged.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        let mut origins = all.iter().filter(|(_, values)| !values[key].is_null()).map(|(origin, _)| origin.to_string());
        // Of rules each source adds its own.
        let origin = if key == "rules" { Some(origins.collect::<Vec<_>>().join(", ")) } else { origins.next() };
        let left = format!("{key} = {}", toml_text(value));
        lines.push(format!("{left:<40} # {}", origin.unwrap_or_default()));
    }
    lines.join("\n") + "\n"
}

fn toml_text(value: &Value) -> String {
    without_nulls(value)
        .and_then(|value| toml::Value::try_from(value).ok())
        .map_or_else(String::new, |value| value.to_string())
}

fn without_nulls(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(items) => Some(Value::Array(items.iter().filter_map(without_nulls).collect())),
        Value::Object(table) => {
            let kept = table.iter().filter_map(|(key, value)| Some((key.clone(), without_nulls(value)?)));
            Some(Value::Object(kept.collect()))
        }
        other => Some(other.clone()),
    }
}
