//! Finding a plugin by its name or its file, and loading it with the real limits.

use std::path::{Path, PathBuf};

use portcullis_sandbox::{Compiler, LoadError, PluginKind, Sandbox, component_kind};

use super::{KitError, shape};
use crate::config::{self, Config, PluginEntry, PluginLimits};
use crate::host;
use crate::plugins::{Loaded, built_in, built_in_names, load, read_pinned};

/// The sandbox and the configuration, as a host would use them.
pub struct Workshop {
    pub(super) sandbox: Sandbox,
    pub(super) config: Config,
}

/// A component that was found, not loaded yet.
pub struct Subject {
    /// As it is called in logs and results.
    pub name: String,
    /// Where it was found, for people.
    pub origin: String,
    pub bytes: Vec<u8>,
    /// Those the configuration gives it, a JSON object as text; `{}` for a file.
    pub settings: String,
    pub limits: PluginLimits,
}

impl Workshop {
    /// Reads the configuration, the one that is found where `path` is none, and starts the sandbox.
    ///
    /// # Errors
    /// When the configuration has a mistake or the sandbox cannot start.
    pub fn open(path: Option<&Path>, compiler: Compiler) -> Result<Self, KitError> {
        let config = config::load(path)?;
        let sandbox = host::sandbox(&config, compiler)?;
        Ok(Self { sandbox, config })
    }

    /// A component by its path, by its name in the configuration, or one that is built in.
    ///
    /// # Errors
    /// When there is none, or its file cannot be read or is not the one that was pinned.
    pub fn find(&self, what: &str) -> Result<Subject, KitError> {
        let path = Path::new(what);
        let entry = self.config.plugins.iter().find(|entry| entry.name == what);
        let built_in = || built_in(entry.and_then(PluginEntry::built_in_name).unwrap_or(what));
        let found = match entry.and_then(|entry| entry.path.as_ref().map(|path| (entry, path))) {
            Some((entry, path)) => Some(read_pinned(entry, path)?.bytes),
            None => built_in().map(<[u8]>::to_vec),
        };
        if let Some(bytes) = found {
            let settings = entry.map_or_else(|| "{}".to_owned(), |entry| entry.settings.clone());
            let limits = entry.map(|entry| entry.limits.clone()).unwrap_or_default();
            return Ok(Subject { name: what.to_owned(), origin: origin(entry), bytes, settings, limits });
        }
        if path.extension().is_some_and(|extension| extension == "wasm") || path.is_file() {
            return Subject::file(path);
        }
        let mut known: Vec<String> = self.config.plugins.iter().map(|entry| entry.name.clone()).collect();
        known.extend(built_in_names().map(str::to_owned));
        known.sort_unstable();
        known.dedup();
        Err(KitError::UnknownPlugin { name: what.to_owned(), known: known.join(", ") })
    }

    /// Loads it as a host does: every check, a trial instance, its settings.
    pub(crate) async fn load(&self, subject: &Subject, settings: Option<&str>) -> Result<Loaded, KitError> {
        let kind = subject.kind()?;
        let settings = settings.unwrap_or(&subject.settings);
        if kind == PluginKind::Parser && settings != "{}" {
            return Err(KitError::input(format!("`{}` is a parser", subject.name), "parsers have no settings"));
        }
        load(&self.sandbox, &subject.name, kind, subject.bytes.as_slice().into(), settings, &subject.limits)
            .await
            .map_err(|error| match error {
                LoadError::Shape { plugin, difference } => {
                    let differences = shape::differences(&subject.bytes, kind);
                    let differences = if differences.is_empty() { difference } else { differences.join("; ") };
                    KitError::Shape { plugin, differences }
                }
                other => other.into(),
            })
    }
}

impl Subject {
    /// The component in a file, called as the file is.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn file(path: &Path) -> Result<Self, KitError> {
        let bytes = std::fs::read(path).map_err(|source| KitError::Read { path: path.to_owned(), source })?;
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let origin = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path)).display().to_string();
        Ok(Self { name, origin, bytes, settings: "{}".to_owned(), limits: PluginLimits::default() })
    }

    /// What it says it is.
    ///
    /// # Errors
    /// When it is no component, or one of no kind.
    pub fn kind(&self) -> Result<PluginKind, KitError> {
        Ok(component_kind(&self.name, &self.bytes)?)
    }
}

/// Where a plugin's component is, for people.
pub(super) fn origin(entry: Option<&PluginEntry>) -> String {
    match entry.map(|entry| (&entry.path, &entry.builtin)) {
        Some((Some(path), _)) => path.display().to_string(),
        Some((None, Some(builtin))) => format!("built in, as {builtin}"),
        Some((None, None)) | None => "built in".to_owned(),
    }
}

/// A TOML table as JSON text, the form plugins take.
pub(crate) fn settings_text(settings: &toml::Table) -> Result<String, KitError> {
    serde_json::to_string(settings)
        .map_err(|error| KitError::input(format!("the settings are no JSON: {error}"), "correct them"))
}
