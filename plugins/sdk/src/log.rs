//! The host's log. Lines are recorded under the plugin's name; the host caps their length and
//! their number per call. On native targets nothing happens.

#[cfg(target_arch = "wasm32")]
use crate::bindings::shared::portcullis::host::log as host;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Every step.
    Trace,
    /// What an author needs to find a mistake.
    Debug,
    /// What an operator may want to know.
    Info,
    /// Something is wrong, and the plugin goes on.
    Warn,
    /// Something is wrong, and the plugin cannot answer.
    Error,
}

/// False when a line of this level would be dropped; ask before building a costly one.
pub fn enabled(level: Level) -> bool {
    #[cfg(target_arch = "wasm32")]
    return host::enabled(level.into());
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _ = level;
        false
    }
}

/// Records one line.
pub fn write(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    host::write(level.into(), message);
    #[cfg(not(target_arch = "wasm32"))]
    let _ = (level, message);
}

/// Records one line of that level.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Records one line of that level.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Records one line of that level.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Records one line of that level.
pub fn error(message: &str) {
    write(Level::Error, message);
}

#[cfg(target_arch = "wasm32")]
impl From<Level> for host::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}
