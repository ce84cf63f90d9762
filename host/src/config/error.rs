//! Why a configuration cannot be used.

use std::fmt;
use std::path::{Path, PathBuf};

/// Each names the file, what is wrong in it and what would be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    #[error("there is no configuration {}; check the path", path.display())]
    Missing { path: PathBuf },
    #[error("the configuration {} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the configuration {} cannot be written, so nothing was changed", path.display())]
    Unwritable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}: {message}", path.display())]
    Syntax { path: PathBuf, message: String },
    #[error("{}", Mistakes(path, mistakes))]
    Keys { path: PathBuf, mistakes: Vec<String> },
    #[error("{} {problem}", path.display())]
    Owner { path: PathBuf, problem: String },
    #[error("{}: {problem}", path.display())]
    Workspace { path: PathBuf, problem: String },
    #[error("{}: {problem}", path.display())]
    Edit { path: PathBuf, problem: String },
    #[error("{}: {problem}", path.display())]
    Import { path: PathBuf, problem: String },
    /// An argument of another program's, or a variable of it.
    #[error("{0}")]
    Given(String),
    #[error("there is no profile `{profile}`; there are: {known}")]
    UnknownProfile { profile: String, known: String },
    #[error("{}: profile `{profile}`: {problem}", path.display())]
    Profile { path: PathBuf, profile: String, problem: String },
    #[error("{}: {key}: {problem}", path.display())]
    Value { path: PathBuf, key: String, problem: String },
    #[error("{}: plugin `{plugin}`: {problem}", path.display())]
    Plugin { path: PathBuf, plugin: String, problem: String },
    #[error("`default_profile` is `{profile}`, and there is no such profile; there are: {known}")]
    DefaultProfile { profile: String, known: String },
    #[error(
        "HOME is not set, so no default folder is known; set `state_directory` and `cache_directory` in the configuration"
    )]
    NoHome,
}

/// One line for each mistake.
struct Mistakes<'a>(&'a Path, &'a [String]);

impl fmt::Display for Mistakes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.1.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(formatter, "{separator}{}: {mistake}", self.0.display())?;
        }
        Ok(())
    }
}
