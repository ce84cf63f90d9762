//! `plugin test`: cases in TOML, each an input and what has to come of it.
//!
//! A file names its component (`component`, a path, or `builtin`), may give `settings`, and holds
//! `[[case]]` tables whose keys are those of the component's kind. Keys that are not known are refused,
//! and so is a case that expects nothing: it could not fail.

mod log_search;
mod navigator;
mod parser;
mod policy;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::workshop::settings_text;
use super::{KitError, Subject, Workshop};
use crate::plugins::Loaded;

/// The file `plugin test` looks for in a folder, and the folder with further ones.
const FILE_NAME: &str = "tests.toml";
const FOLDER_NAME: &str = "tests";

/// A file of cases.
pub struct CaseFile {
    path: PathBuf,
    written: Written,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Path of the component, from the file's folder.
    component: Option<PathBuf>,
    /// Name of a component that is part of the program.
    builtin: Option<String>,
    /// For every case that gives none.
    settings: Option<toml::Table>,
    #[serde(default, rename = "case")]
    cases: Vec<toml::Table>,
}

/// How a case went.
#[derive(Debug)]
pub struct CaseResult {
    pub name: String,
    /// What is not as expected, one line each; empty when the case passed.
    pub differences: Vec<String>,
}

/// How a file's cases went.
#[derive(Debug)]
pub struct FileReport {
    pub path: PathBuf,
    /// The component's name.
    pub plugin: String,
    pub results: Vec<CaseResult>,
}

impl FileReport {
    pub fn failed(&self) -> usize {
        self.results.iter().filter(|result| !result.differences.is_empty()).count()
    }
}

/// What a case comes to: the differences, or why it could not be asked.
type Outcome = Result<Vec<String>, KitError>;

/// Files of cases at a path: the file itself, or a folder's `tests.toml` and `tests/*.toml`.
///
/// # Errors
/// When there are none.
pub fn find_case_files(path: &Path) -> Result<Vec<PathBuf>, KitError> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files: Vec<PathBuf> = Some(path.join(FILE_NAME)).into_iter().filter(|file| file.is_file()).collect();
    if let Ok(entries) = std::fs::read_dir(path.join(FOLDER_NAME)) {
        let mut more: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|file| file.extension().is_some_and(|extension| extension == "toml"))
            .collect();
        more.sort();
        files.extend(more);
    }
    if files.is_empty() {
        return Err(KitError::input(
            format!("{} has neither {FILE_NAME} nor {FOLDER_NAME}/*.toml", path.display()),
            "give a file of cases, or the folder of a plugin",
        ));
    }
    Ok(files)
}

impl CaseFile {
    /// Reads a file of cases; what the cases say is looked at when they run.
    ///
    /// # Errors
    /// When it cannot be read, is no TOML, or has no cases.
    pub fn read(path: &Path) -> Result<Self, KitError> {
        let text = std::fs::read_to_string(path).map_err(|source| KitError::Read { path: path.to_owned(), source })?;
        let problem = |problem: String| KitError::Cases { path: path.to_owned(), problem };
        let written: Written = toml::from_str(&text).map_err(|error| problem(error.to_string()))?;
        if written.cases.is_empty() {
            return Err(problem("it has no [[case]]; write one".to_owned()));
        }
        Ok(Self { path: path.to_owned(), written })
    }

    /// Runs every case on `component`, or on the one the file names.
    ///
    /// # Errors
    /// When the component cannot be loaded, or a case is not written as its kind's cases are.
    pub async fn run(&self, workshop: &Workshop, component: Option<&Path>) -> Result<FileReport, KitError> {
        let subject = self.subject(workshop, component)?;
        let mut bench = Bench { workshop, subject, folder: self.folder(), loaded: HashMap::new() };
        let default = self.written.settings.as_ref().map_or(Ok("{}".to_owned()), settings_text)?;
        // Settings that are wrong for all cases are told once.
        bench.load(&default).await?;
        let mut results = Vec::new();
        for (index, table) in self.written.cases.iter().enumerate() {
            let (name, settings, rest) = self.common(index, table)?;
            let settings = settings.as_ref().map_or_else(|| Ok(default.clone()), settings_text)?;
            let outcome = bench.run(&settings, rest).await;
            results.push(CaseResult { differences: self.told(&name, outcome)?, name });
        }
        Ok(FileReport { path: self.path.clone(), plugin: bench.subject.name, results })
    }

    /// A plugin that gives no answer fails its case; a case that is written wrong fails the run.
    fn told(&self, name: &str, outcome: Outcome) -> Result<Vec<String>, KitError> {
        match outcome {
            Ok(differences) => Ok(differences),
            Err(KitError::Input { what, next }) => {
                Err(KitError::Cases { path: self.path.clone(), problem: format!("case `{name}`: {what}; {next}") })
            }
            Err(error) => {
                let mut lines = vec![error.to_string()];
                let mut cause = std::error::Error::source(&error);
                while let Some(inner) = cause {
                    lines.push(format!("because: {inner}"));
                    cause = inner.source();
                }
                Ok(lines)
            }
        }
    }

    fn folder(&self) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).to_owned()
    }

    fn subject(&self, workshop: &Workshop, component: Option<&Path>) -> Result<Subject, KitError> {
        let problem = |problem: &str| KitError::Cases { path: self.path.clone(), problem: problem.to_owned() };
        match (component, &self.written.component, &self.written.builtin) {
            (Some(path), ..) => Subject::file(path),
            (None, Some(path), None) => {
                let path = self.folder().join(path);
                if path.exists() {
                    return Subject::file(&path);
                }
                let shown = path.display();
                Err(problem(&format!("its component {shown} is not there; `portcullis plugin build` makes it")))
            }
            (None, None, Some(name)) => workshop.find(name),
            (None, Some(_), Some(_)) => Err(problem("it has `component` and `builtin`; keep one")),
            (None, None, None) => Err(problem("it names no `component`; add one, or give --component FILE.wasm")),
        }
    }

    /// Name and settings, which every case may have, and the rest of the table.
    fn common(
        &self,
        index: usize,
        table: &toml::Table,
    ) -> Result<(String, Option<toml::Table>, toml::Table), KitError> {
        let mut rest = table.clone();
        let problem = |problem: String| KitError::Cases { path: self.path.clone(), problem };
        let name = match rest.remove("name") {
            Some(toml::Value::String(name)) => name,
            Some(_) => return Err(problem(format!("case {}: `name` is no text", index + 1))),
            None => return Err(problem(format!("case {} has no `name`; say what it shows", index + 1))),
        };
        let settings = match rest.remove("settings") {
            Some(toml::Value::Table(settings)) => Some(settings),
            Some(_) => return Err(problem(format!("case `{name}`: `settings` is no table"))),
            None => None,
        };
        Ok((name, settings, rest))
    }
}

/// The component, loaded once per settings.
struct Bench<'a> {
    workshop: &'a Workshop,
    subject: Subject,
    /// What paths in cases start from.
    folder: PathBuf,
    loaded: HashMap<String, Loaded>,
}

impl Bench<'_> {
    async fn load(&mut self, settings: &str) -> Result<(), KitError> {
        if !self.loaded.contains_key(settings) {
            let loaded = self.workshop.load(&self.subject, Some(settings)).await?;
            self.loaded.insert(settings.to_owned(), loaded);
        }
        Ok(())
    }

    async fn run(&mut self, settings: &str, case: toml::Table) -> Outcome {
        self.load(settings).await?;
        match self.loaded.get(settings) {
            Some(Loaded::Policy(plugin)) => policy::run(plugin, read(case)?).await,
            Some(Loaded::Navigator(plugin)) => navigator::run(plugin, read(case)?).await,
            Some(Loaded::Parser(plugin)) => parser::run(plugin, read(case)?, &self.folder).await,
            Some(Loaded::LogSearch(plugin)) => log_search::run(plugin, read(case)?, &self.folder).await,
            None => {
                Err(KitError::NoAnswer { plugin: self.subject.name.clone(), reason: "it is not loaded".to_owned() })
            }
        }
    }
}

/// The keys of the kind's cases.
fn read<T: DeserializeOwned>(case: toml::Table) -> Result<T, KitError> {
    case.try_into().map_err(|error: toml::de::Error| {
        KitError::input(error.message().to_owned(), "the keys of each kind are in docs/plugins.md")
    })
}

/// Output that stands in the case or in a file beside it.
fn output(text: Option<String>, file: Option<PathBuf>, folder: &Path) -> Result<Option<String>, KitError> {
    match (text, file) {
        (Some(_), Some(_)) => Err(KitError::input("it has `output` and `output_file`", "keep one")),
        (Some(text), None) => Ok(Some(text)),
        (None, None) => Ok(None),
        (None, Some(file)) => {
            let path = folder.join(&file);
            match std::fs::read(&path) {
                Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
                Err(error) => Err(KitError::input(
                    format!("`output_file` {} cannot be read: {error}", file.display()),
                    "paths start at the folder of the file of cases",
                )),
            }
        }
    }
}

/// A TOML value as JSON, to be compared with what a plugin gave.
fn json(value: &impl serde::Serialize) -> Result<serde_json::Value, KitError> {
    serde_json::to_value(value)
        .map_err(|error| KitError::input(format!("what is expected is no JSON: {error}"), "correct it"))
}

fn is_true() -> bool {
    true
}
