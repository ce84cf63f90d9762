//! A plugin's project: a folder that `plugin new` writes and `plugin build` makes a component of.
//!
//! `plugin.toml` in it says what the folder is: name, kind, language; and what the plugin is: version,
//! description, capabilities. Everything else is the author's.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use portcullis_sandbox::PluginKind;
use serde::{Deserialize, Serialize};

use super::{KitError, sources};
use crate::plugins::built_in_names;

/// The file that makes a folder a project.
const FILE_NAME: &str = "plugin.toml";
/// Longest name. Bytes.
const MAX_NAME_BYTES: usize = 64;
/// Packages that a Rust plugin consists of; its own cannot be called like one.
const TAKEN: [&str; 5] = ["portcullis-plugin", "wit-bindgen", "serde", "serde-json", "test"];

/// What the project's file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Project {
    pub name: String,
    pub kind: KindName,
    pub language: Language,
    /// The plugin's own, for people.
    #[serde(default = "first_version")]
    pub version: String,
    #[serde(default)]
    pub description: String,
    /// What it asks to be granted: `secret:NAME` for each secret a navigator asks for.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

fn first_version() -> String {
    "0.1.0".to_owned()
}

/// The kinds by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KindName {
    Policy,
    Navigator,
    Parser,
    LogSearch,
}

/// What a plugin is written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    #[default]
    Rust,
    Js,
    Python,
}

impl From<KindName> for PluginKind {
    fn from(name: KindName) -> Self {
        match name {
            KindName::Policy => Self::Policy,
            KindName::Navigator => Self::Navigator,
            KindName::Parser => Self::Parser,
            KindName::LogSearch => Self::LogSearch,
        }
    }
}

impl Project {
    /// A new one.
    pub fn new(name: String, kind: KindName, language: Language) -> Self {
        let (version, description) = (first_version(), String::new());
        Self { name, kind, language, version, description, capabilities: Vec::new() }
    }

    /// Writes a working plugin with its cases into `folder`, which is made where it is not there.
    /// Returns the files, relative to the folder.
    ///
    /// # Errors
    /// When the name cannot be used, the folder is not empty, or a file cannot be written.
    pub fn create(&self, folder: &Path) -> Result<Vec<PathBuf>, KitError> {
        check_name(&self.name)?;
        must_be_empty(folder)?;
        let mut files = self.own_files()?;
        files.extend(match self.language {
            Language::Rust => self.rust_files()?,
            Language::Js => self.other_files(sources::javascript(self.kind.into())),
            Language::Python => self.other_files(sources::python(self.kind.into())),
        });
        let kind = PluginKind::from(self.kind).as_str();
        for (path, text) in &files {
            write(&folder.join(path), &text.replace("{{name}}", &self.name).replace("{{kind}}", kind))?;
        }
        Ok(files.into_iter().map(|(path, _)| path).collect())
    }

    /// The project a folder is.
    ///
    /// # Errors
    /// When it is none, or its file has a mistake.
    pub fn read(folder: &Path) -> Result<Self, KitError> {
        let path = Self::file(folder);
        let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => KitError::input(
                format!("{} has no {FILE_NAME}", folder.display()),
                "start with `portcullis plugin new`, or write it: name, kind and language",
            ),
            _ => KitError::Read { path: path.clone(), source: error },
        })?;
        let project: Self = toml::from_str(&text)
            .map_err(|error| KitError::Cases { path: path.clone(), problem: error.message().to_owned() })?;
        check_name(&project.name)?;
        Ok(project)
    }

    /// Where a folder says that it is a project.
    pub(super) fn file(folder: &Path) -> PathBuf {
        folder.join(FILE_NAME)
    }

    /// Where the component is written.
    pub fn component(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.wasm", self.name))
    }

    fn own_files(&self) -> Result<Vec<(PathBuf, String)>, KitError> {
        let written = toml::to_string(self)
            .map_err(|error| KitError::input(format!("the project cannot be written: {error}"), "report this"))?;
        Ok(vec![
            (FILE_NAME.into(), written),
            ("tests.toml".into(), sources::cases(self.kind.into()).to_owned()),
            (".gitignore".into(), sources::GITIGNORE.to_owned()),
        ])
    }

    /// Sources, and the contract laid out as those tools look for it: the world, and what it needs
    /// below `deps`.
    fn other_files(&self, given: Vec<(&'static str, &'static str)>) -> Vec<(PathBuf, String)> {
        let mut files: Vec<(PathBuf, String)> =
            given.into_iter().map(|(path, text)| (path.into(), text.to_owned())).collect();
        let kind = PluginKind::from(self.kind).as_str();
        files.push((Path::new("wit").join(format!("{kind}.wit")), sources::newest(kind).to_owned()));
        for (path, text) in sources::CONTRACT {
            if path.starts_with("common-") || path.starts_with("host-") {
                files.push((Path::new("wit/deps").join(path), (*text).to_owned()));
            }
        }
        files
    }

    fn rust_files(&self) -> Result<Vec<(PathBuf, String)>, KitError> {
        let sdk = Path::new("vendor/portcullis-plugin");
        let mut files: Vec<(PathBuf, String)> = vec![
            ("Cargo.toml".into(), sources::RUST_MANIFEST.to_owned()),
            ("Cargo.lock".into(), sources::lock()),
            ("src/lib.rs".into(), sources::rust(self.kind.into()).to_owned()),
            (sdk.join("Cargo.toml"), sources::sdk_manifest()?),
        ];
        files.extend(sources::SDK.iter().map(|(path, text)| (sdk.join(path), (*text).to_owned())));
        // The SDK's sources look for it two folders above their own.
        files.extend(sources::CONTRACT.iter().map(|(path, text)| (Path::new("wit").join(path), (*text).to_owned())));
        Ok(files)
    }
}

/// The name becomes a package, a file and a key of the configuration.
fn check_name(name: &str) -> Result<(), KitError> {
    let refuse =
        |why: String| Err(KitError::input(format!("a plugin cannot be called `{name}`: {why}"), "take another"));
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_plain = name.bytes().all(fine) && name.starts_with(|first: char| first.is_ascii_lowercase());
    if !is_plain || name.ends_with('-') || name.contains("--") || name.len() > MAX_NAME_BYTES {
        return refuse(format!("use up to {MAX_NAME_BYTES} small letters, digits and single dashes, a letter first"));
    }
    if built_in_names().any(|known| known == name) {
        return refuse("a built-in plugin has this name".to_owned());
    }
    if TAKEN.contains(&name) {
        return refuse("a package it is made of has this name".to_owned());
    }
    Ok(())
}

fn must_be_empty(folder: &Path) -> Result<(), KitError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(KitError::input(
                format!("{} is not empty, and nothing in it is overwritten", folder.display()),
                "give another folder with --path",
            )),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(KitError::Write { path: folder.to_owned(), source }),
    }
}

fn write(path: &Path, text: &str) -> Result<(), KitError> {
    let failed = |source| KitError::Write { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn project(name: &str) -> Project {
        Project::new(name.to_owned(), KindName::Policy, Language::Rust)
    }

    #[test]
    fn names_that_something_else_would_read_differently_are_refused() {
        for name in ["", "-x", "x-", "1x", "X", "a b", "a_b", "a--b", "../x", "policy-standard", "serde"] {
            let folder = tempfile::tempdir().unwrap();
            let error = project(name).create(&folder.path().join("new")).unwrap_err();
            assert!(error.to_string().contains("cannot be called"), "{name}: {error}");
            assert!(!folder.path().join("new").exists(), "{name}");
        }
        assert!(check_name("no-psql2").is_ok());
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mine"), "x").unwrap();
        let error = project("new").create(folder.path()).unwrap_err();
        assert!(error.to_string().contains("is not empty"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let written = project("new");
        let files = written.create(folder.path()).unwrap();
        assert!(files.contains(&PathBuf::from("vendor/portcullis-plugin/src/lib.rs")));
        assert_eq!(Project::read(folder.path()).unwrap(), written);
        let lock = fs::read_to_string(folder.path().join("tests.toml")).unwrap();
        assert!(lock.starts_with("component = \"new.wasm\""), "{lock}");
    }
}
