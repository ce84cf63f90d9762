//! Vocabulary of every kind of plugin, as written in `wit/common`.

pub use crate::bindings::shared::portcullis::common::types::{
    Actor, Attribute, ConfigDiagnostic, Endpoint, Level, LevelKind, Severity, ShellDialect,
};
