//! What can go wrong, one enum per occasion: making the sandbox, loading a plugin, calling it.
//!
//! Texts that come from a plugin (panic messages, reasons) are cleaned and shortened before they
//! get here.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::PluginKind;
use crate::common::ConfigDiagnostic;

/// The sandbox itself cannot be set up, or a compilation child cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error(
        "the WebAssembly engine cannot be set up: {reason}; this machine or its limits (`ulimit -v`) do not allow it"
    )]
    Engine { reason: String },
    #[error("the thread that bounds the run time of plugins cannot be started")]
    Ticker {
        #[source]
        source: io::Error,
    },
    #[error(
        "the directory for compiled plugins, {}, cannot be used: it must be yours alone (mode 0700)",
        directory.display()
    )]
    CacheDirectory {
        directory: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the limits of the compilation process cannot be set")]
    ChildLimits {
        #[source]
        source: io::Error,
    },
    #[error("{} cannot be read or written by the compilation process", path.display())]
    ChildFile {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the component does not compile: {reason}")]
    ChildCompile { reason: String },
}

/// A plugin is not loaded. Every text names the plugin, the cause and what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("a plugin cannot be called {name:?}: use 1 to 64 letters, digits, `-`, `_` or `.`")]
    Name { name: String },
    #[error(
        "plugin `{plugin}` is {size_bytes} bytes long, the limit is {limit_bytes}: \
         build it smaller or raise its `max_component_bytes`"
    )]
    TooLarge { plugin: String, size_bytes: usize, limit_bytes: usize },
    #[error("plugin `{plugin}` is not a WebAssembly file: give the path of a built component")]
    NotWebAssembly { plugin: String },
    #[error(
        "plugin `{plugin}` is a core module, not a component: build it with `portcullis plugin build`, \
         or make a component of it with `wasm-tools component new`"
    )]
    CoreModule { plugin: String },
    #[error("plugin `{plugin}` is not valid WebAssembly: {reason}; build it again, or fetch it again")]
    Invalid { plugin: String, reason: String },
    #[error(
        "plugin `{plugin}` imports {imports}, which no plugin gets: build it without WASI \
         (Rust: target wasm32-unknown-unknown; JavaScript: componentize-js with every feature disabled; \
         Python: componentize-py --stub-wasi)"
    )]
    ForbiddenImport { plugin: String, imports: String },
    #[error("plugin `{plugin}` is a {found} plugin, but is set up as a {wanted} plugin: move it to that section")]
    WrongKind { plugin: String, wanted: PluginKind, found: PluginKind },
    #[error(
        "plugin `{plugin}` exports {found}, none of which is a Portcullis plugin's interface: \
         a {wanted} plugin exports `{interface}`"
    )]
    NoKind { plugin: String, wanted: PluginKind, found: String, interface: String },
    #[error(
        "plugin `{plugin}` was built for {found}, this host has {supported}: \
         build it against the contract of this host, or take a host that has that version"
    )]
    WrongVersion { plugin: String, found: String, supported: String },
    #[error(
        "plugin `{plugin}` needs {needs}, the limit is {limit}: raise its `memory_bytes`, or build it as one module with one small memory"
    )]
    Resources { plugin: String, needs: String, limit: String },
    #[error("plugin `{plugin}` does not compile: {reason}")]
    Compile { plugin: String, reason: String },
    #[error(
        "plugin `{plugin}` does not have the shape of its contract: {difference}; \
         build it against the WIT files of this host"
    )]
    Shape { plugin: String, difference: String },
    #[error("plugin `{plugin}` failed while {stage}; it is not used until that is mended")]
    Trial {
        plugin: String,
        stage: &'static str,
        #[source]
        source: CallError,
    },
    #[error("the settings of plugin `{plugin}` are not a JSON object: {reason}")]
    SettingsNotJson { plugin: String, reason: String },
    #[error("plugin `{plugin}` does not take its settings: {}", list_diagnostics(.diagnostics))]
    Settings { plugin: String, diagnostics: Vec<ConfigDiagnostic> },
}

fn list_diagnostics(diagnostics: &[ConfigDiagnostic]) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        if !text.is_empty() {
            text.push_str("; ");
        }
        if !diagnostic.path.is_empty() {
            text.push_str(&diagnostic.path);
            text.push_str(": ");
        }
        text.push_str(&diagnostic.message);
    }
    text
}

/// What kind of "I cannot answer" a plugin gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginErrorKind {
    Unsupported,
    InvalidInput,
    InvalidConfig,
    Internal,
}

impl PluginErrorKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsupported => "unsupported",
            Self::InvalidInput => "invalid input",
            Self::InvalidConfig => "invalid settings",
            Self::Internal => "internal error",
        }
    }
}

/// A call gave no usable answer. The instance that made it is gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error("it used up its computing budget of {fuel} units")]
    OutOfFuel { fuel: u64 },
    #[error("it did not answer within {deadline:?}")]
    Deadline { deadline: Duration },
    #[error("it asked for {asked_bytes} bytes of memory, the limit is {limit_bytes}")]
    MemoryLimit { asked_bytes: usize, limit_bytes: usize },
    #[error("it wrote more than {limit_lines} lines to the log in one call")]
    LogFlood { limit_lines: u32 },
    #[error("it crashed: {message}")]
    Trap { message: String },
    /// It answered, but not what the contract allows.
    #[error("its answer cannot be used: {what}")]
    Answer { what: String },
    /// The host's question is larger than the plugin's limits; the plugin was not asked.
    #[error("it was not asked, because {what}")]
    Request { what: String },
    #[error("it answered with an error ({}): {message}", kind.as_str())]
    Plugin { kind: PluginErrorKind, message: String },
    /// Nothing the plugin did: the machine had no room for an instance.
    #[error("this machine could not start it: {reason}")]
    Host { reason: String },
    #[error("it has already ended, after a failure, its last answer or a call that was given up")]
    Ended,
    #[error("no instance was free within {waited:?}; too many plugins are running at the same time")]
    Busy { waited: Duration },
    #[error("all {limit} instances it may have were at work for {waited:?}; its limit `instances` can be raised")]
    Instances { limit: u32, waited: Duration },
    #[error("it failed {failures} times in a row and is not asked for {seconds_left} s more; the last time {last}")]
    Resting { failures: u32, seconds_left: u64, last: String },
}
