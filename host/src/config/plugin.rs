//! Plugins in the configuration: which component, with which settings, limits and grants.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// A component of the operator's, one more use of one that is built in, or settings for that itself.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PluginFile {
    /// The component's file; left out for one that is built in.
    pub(super) path: Option<PathBuf>,
    /// A component that is built in, under this further name and with settings of its own.
    pub(super) builtin: Option<String>,
    /// The file's SHA-256 in hexadecimal digits; another file is refused.
    pub(super) sha256: Option<String>,
    /// Handed to the plugin, which says what may stand here.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub(super) settings: Option<toml::Table>,
    /// What this component may use beyond its settings: `secret:NAME` for a secret that a profile binds to
    /// a navigator. Given to one content of the file, so `sha256` is needed beside it.
    pub(super) grants: Option<Vec<String>>,
    pub(super) limits: Option<PluginLimits>,
}

/// What one plugin may use where its kind's limits do not fit; what is left out is as its kind has it.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PluginLimits {
    /// Computing budget of a call, about one unit per instruction.
    pub fuel: Option<u64>,
    /// Longest call by the clock, in milliseconds; also the longest wait for a free instance.
    pub time_ms: Option<u64>,
    /// Memory of an instance, in MiB; at most 512.
    pub memory_mib: Option<u64>,
    /// Elements of a table of functions; at most 20,000.
    pub table_elements: Option<u64>,
    /// What an answer may make the host allocate, in KiB.
    pub answer_kib: Option<u64>,
    /// Log lines of a call that are kept.
    pub log_lines: Option<u32>,
    /// Instances at work at the same time.
    pub instances: Option<u32>,
    /// Longest component file, in MiB.
    pub component_mib: Option<u64>,
}

/// The most of each, and none may be 0: a plugin without time or memory is switched off by taking it out.
const MOST_FUEL: u64 = 100_000_000_000;
const MOST_TIME_MS: u64 = 60_000;
const MOST_MEMORY_MIB: u64 = 512;
const MOST_TABLE_ELEMENTS: u64 = 20_000;
const MOST_ANSWER_KIB: u64 = 256 * 1024;
const MOST_LOG_LINES: u64 = 10_000;
const MOST_INSTANCES: u64 = 1_000;
const MOST_COMPONENT_MIB: u64 = 256;

impl PluginLimits {
    fn check(&self) -> Result<(), String> {
        let all = [
            ("fuel", self.fuel, MOST_FUEL),
            ("time_ms", self.time_ms, MOST_TIME_MS),
            ("memory_mib", self.memory_mib, MOST_MEMORY_MIB),
            ("table_elements", self.table_elements, MOST_TABLE_ELEMENTS),
            ("answer_kib", self.answer_kib, MOST_ANSWER_KIB),
            ("log_lines", self.log_lines.map(u64::from), MOST_LOG_LINES),
            ("instances", self.instances.map(u64::from), MOST_INSTANCES),
            ("component_mib", self.component_mib, MOST_COMPONENT_MIB),
        ];
        for (key, value, most) in all {
            if value.is_some_and(|value| value == 0 || value > most) {
                return Err(format!("`limits.{key}` is from 1 to {most}"));
            }
        }
        Ok(())
    }
}

/// One plugin of the configuration.
#[derive(Debug, Clone)]
pub struct PluginEntry {
    pub name: String,
    /// None for a built-in one.
    pub path: Option<PathBuf>,
    /// The built-in component it uses, where that has another name.
    pub builtin: Option<String>,
    /// Must match the file's SHA-256 (hexadecimal) when given.
    pub sha256: Option<String>,
    /// JSON text handed to the plugin.
    pub settings: String,
    /// Names of the secrets that profiles may bind to it.
    pub granted_secrets: Vec<String>,
    pub limits: PluginLimits,
}

impl PluginEntry {
    /// The built-in component it means; none for one in a file.
    pub fn built_in_name(&self) -> Option<&str> {
        match &self.path {
            Some(_) => None,
            None => Some(self.builtin.as_deref().unwrap_or(&self.name)),
        }
    }
}

/// What was written, as it is used. `file` is where it is written.
pub(super) fn plugin_entry(name: String, plugin: PluginFile, file: &Path) -> Result<PluginEntry, ConfigError> {
    let problem = |problem: String| ConfigError::Plugin { path: file.to_owned(), plugin: name.clone(), problem };
    if plugin.path.is_some() && plugin.builtin.is_some() {
        return Err(problem("it has both `path` and `builtin`; a component is in a file or built in".to_owned()));
    }
    let granted_secrets = granted_secrets(&plugin).map_err(problem)?;
    let limits = plugin.limits.unwrap_or_default();
    limits.check().map_err(problem)?;
    let settings = json(plugin.settings).map_err(problem)?;
    let PluginFile { path, builtin, sha256, .. } = plugin;
    Ok(PluginEntry { path, builtin, sha256, settings, granted_secrets, limits, name })
}

/// What is granted is granted to one component, whatever comes to lie at its path.
fn granted_secrets(plugin: &PluginFile) -> Result<Vec<String>, String> {
    let grants = plugin.grants.as_deref().unwrap_or_default();
    if !grants.is_empty() && plugin.path.is_some() && plugin.sha256.is_none() {
        return Err("`grants` hold for one content of the file; add its `sha256`".to_owned());
    }
    let secret = |grant: &String| match grant.split_once(':') {
        Some(("secret", name)) if is_secret_name(name) => Ok(name.to_owned()),
        _ => Err(format!("`grants` has `{grant}`; what can be granted is `secret:NAME`")),
    };
    grants.iter().map(secret).collect()
}

fn is_secret_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// A TOML table as JSON text, the form plugins take.
fn json(settings: Option<toml::Table>) -> Result<String, String> {
    serde_json::to_string(&settings.unwrap_or_default()).map_err(|error| format!("settings: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn entry(text: &str) -> Result<PluginEntry, String> {
        let file: PluginFile = toml::from_str(text).map_err(|error| error.to_string())?;
        plugin_entry("rules".to_owned(), file, Path::new("portcullis.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_component_is_in_a_file_or_built_in() {
        assert_eq!(entry("").unwrap().built_in_name(), Some("rules"));
        assert_eq!(entry("builtin = 'navigator-script'").unwrap().built_in_name(), Some("navigator-script"));
        assert_eq!(entry("path = 'rules.wasm'").unwrap().built_in_name(), None);
        assert!(entry("path = 'rules.wasm'\nbuiltin = 'x'").unwrap_err().contains("both `path` and `builtin`"));
    }

    #[test]
    fn limits_are_neither_nothing_nor_without_end() {
        let limits = entry("limits = { fuel = 5, time_ms = 100 }").unwrap().limits;
        assert_eq!((limits.fuel, limits.time_ms, limits.memory_mib), (Some(5), Some(100), None));
        for (wrong, words) in [
            ("limits = { fuel = 0 }", "`limits.fuel` is from 1 to"),
            ("limits = { memory_mib = 513 }", "`limits.memory_mib` is from 1 to 512"),
            ("limits = { memory_mb = 5 }", "unknown field `memory_mb`"),
        ] {
            let error = entry(wrong).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
