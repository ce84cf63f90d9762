//! The sandbox: everything Portcullis does with WebAssembly, behind plain Rust values.
//!
//! [`Sandbox`] loads a plugin's component (size, structure, imports, contract version, compilation
//! or cache, a trial instance, its settings) and hands back a [`PolicyPlugin`],
//! [`NavigatorPlugin`], [`ParserPlugin`] or [`LogSearchPlugin`]. Each call runs under the
//! [`Limits`] given at load: fuel, a wall-clock backstop, memory, sizes of everything that crosses
//! in either direction, log lines. Whatever a plugin does (loop, trap, flood, nonsense), its own
//! call gets a [`CallError`] and nobody else notices.
//!
//! Not here: which plugin is asked, what a failure means for the caller (a policy's failure
//! denies, a parser's costs a note), grants, settings files, fixtures. That is the host's
//! `plugins` module, the only caller. No wasmtime type is part of the interface.
//!
//! Threads and tasks: one ticker thread per [`Sandbox`], which ends with it. Compilation runs on
//! the runtime's blocking threads or in a child process. Calls run on the caller's task and yield
//! at every tick. Everything needs a tokio runtime with time enabled.

mod bindings;
mod cache;
mod check;
mod compiler;
mod component;
mod engine;
mod error;
mod health;
mod info;
mod inspect;
mod instance;
mod limits;
mod names;
mod policy_0_1;
mod sandbox;
mod stamp;
mod state;

pub mod common;
pub mod log_search;
pub mod navigator;
pub mod parser;
pub mod policy;

pub use compiler::{Compiler, PROGRESS, compile_child_main};
pub use component::ComponentFile;
pub use error::{CallError, LoadError, PluginErrorKind, SandboxError};
pub use health::Breaches;
pub use info::{PluginInfo, PluginKind};
pub use inspect::{Interfaces, component_interfaces, component_kind, component_section};
pub use limits::Limits;
pub use log_search::{LogSearchPlugin, Reader};
pub use navigator::{Navigation, NavigatorPlugin};
pub use parser::{Parse, ParserPlugin};
pub use policy::PolicyPlugin;
pub use sandbox::{Sandbox, SandboxOptions};
