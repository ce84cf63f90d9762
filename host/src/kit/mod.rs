//! The plugin author's kit: a plugin begun, built, looked at, tried with one input, and tested with
//! cases, without a server and without a session.
//!
//! Plugins are loaded and asked as a host does it: the same sandbox and limits, the same reading of a
//! line, the same order of calls. What a plugin answers is a value here; `cli` prints it. Nothing here
//! opens a connection or types anything.

mod build;
mod cases;
mod check;
mod compare;
mod describe;
mod error;
mod log_search;
mod navigator;
mod parser;
mod place;
mod policy;
mod project;
mod shape;
mod sources;
mod try_out;
mod workshop;

pub use build::build;
pub use cases::{CaseFile, CaseResult, FileReport, find_case_files};
pub use check::{Checked, check};
pub use describe::{Description, ListedPlugin, describe, list};
pub use error::KitError;
pub use log_search::{SearchAnswer, SearchInput};
pub use navigator::{Ending, NavigationInput, ScriptStep, Walk};
pub use parser::{ParserAnswer, ParserInput};
pub(crate) use place::place as example_place;
pub use place::{LevelName, PlaceInput, ShellName};
pub use policy::{PolicyAnswer, PolicyInput};
pub use project::{KindName, Language, Project};
pub use try_out::{Answer, Input, try_out};
pub use workshop::{Subject, Workshop};

use serde::de::DeserializeOwned;
use serde::de::value::{Error as WordError, StrDeserializer};

/// One of the words a type has names for, e.g. `safe` for a mode.
///
/// # Errors
/// Names the words there are.
pub fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    T::deserialize(StrDeserializer::<WordError>::new(text)).map_err(|error| error.to_string())
}
