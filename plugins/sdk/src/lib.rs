//! Write Portcullis plugins in Rust.
//!
//! Implement the trait of one kind for a type of yours and name that type in the kind's macro;
//! the rest (exports, resources, the panic message in the host's log) is wired by the macro.
//!
//! ```
//! use portcullis_plugin::policy::{Decision, Policy, Request, RuleInfo, Verdict};
//! use portcullis_plugin::{ConfigDiagnostic, PluginError, Severity};
//!
//! struct NoReboot;
//!
//! impl Policy for NoReboot {
//!     fn create(_config: &str) -> Result<Self, PluginError> {
//!         Ok(NoReboot)
//!     }
//!     fn evaluate(&self, request: &Request) -> Result<Vec<Decision>, PluginError> {
//!         let reboots = request.plan.iter().flat_map(|plan| &plan.invocations);
//!         Ok(reboots
//!             .filter(|invocation| invocation.program.as_deref() == Some("reboot"))
//!             .map(|invocation| {
//!                 Decision::new(Verdict::Ask, "host/reboot", "availability", Severity::High, "this restarts the host")
//!                     .at(invocation.span)
//!             })
//!             .collect())
//!     }
//! }
//!
//! portcullis_plugin::policy!(NoReboot);
//! ```
//!
//! What a plugin does not have: files, network, environment, random numbers and a clock (the time
//! is a field of what it is asked). Standard output leads nowhere; use [`log`].
//!
//! Everything here also compiles for the machine that builds it, so a plugin's trait is tested
//! with an ordinary `cargo test`. There the exports are left out and logging does nothing.

pub mod bindings;
mod c_string;
pub mod config;
mod hook;
pub mod lines;
pub mod log;
pub mod log_search;
pub mod navigator;
pub mod parser;
pub mod policy;

pub use bindings::shared::portcullis::common::types::{
    Actor, Attribute, ConfigDiagnostic, Endpoint, Level, LevelKind, PluginError, Severity, ShellDialect,
};
pub use c_string::c_string;
pub use lines::Lines;

impl Attribute {
    /// One pair of the side channel that most records have.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// The value of the first attribute of that name.
pub fn attribute<'a>(attributes: &'a [Attribute], key: &str) -> Option<&'a str> {
    attributes.iter().find(|attribute| attribute.key == key).map(|attribute| attribute.value.as_str())
}
