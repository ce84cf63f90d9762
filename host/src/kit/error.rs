//! What can go wrong in the kit before a plugin has answered.

use std::io;
use std::path::PathBuf;

use portcullis_sandbox::{CallError, LoadError};

use crate::config::ConfigError;
use crate::host::StartError;
use crate::plugins::CatalogError;

/// Every text says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    #[error("{} cannot be read; correct the path", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} cannot be written", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("there is no plugin `{name}`: give the path of a component (FILE.wasm), or one of {known}")]
    UnknownPlugin { name: String, known: String },
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(
        "plugin `{plugin}` does not have the shape of its contract: {differences}; \
         take the WIT files that `portcullis plugin new` writes, and build it again"
    )]
    Shape { plugin: String, differences: String },
    #[error("plugin `{plugin}` gave no answer")]
    Call {
        plugin: String,
        #[source]
        source: CallError,
    },
    #[error("plugin `{plugin}` gave no answer: {reason}")]
    NoAnswer { plugin: String, reason: String },
    #[error("{what}; {next}")]
    Input { what: String, next: String },
    #[error("the plugin was not built: {problem}")]
    Build { problem: String },
    #[error("{} cannot be used: {problem}", path.display())]
    Cases { path: PathBuf, problem: String },
}

impl KitError {
    /// Something the author wrote, and what to write instead.
    pub(crate) fn input(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Input { what: what.into(), next: next.into() }
    }
}
