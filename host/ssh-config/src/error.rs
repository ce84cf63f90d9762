//! Why a configuration cannot be used.

use std::path::PathBuf;

/// Each names the file and the line, and what `ssh` would say no to as well.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{} cannot be read; `ssh` reads it too, so mend its permissions", .path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}:{line}: {problem}", .path.display())]
    Line { path: PathBuf, line: usize, problem: String },
    #[error("{}:{line}: `Include` goes more than {limit} files deep; it may include itself", .path.display())]
    TooDeep { path: PathBuf, line: usize, limit: usize },
}
