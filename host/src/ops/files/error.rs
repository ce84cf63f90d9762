//! Why a file was not read or written: what, why, and the next step.

use portcullis_shell::quote;
use serde_json::json;

use super::super::NextStep;
use crate::ssh::files::FilesError;

/// What was wanted of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Read,
    Write,
}

impl Wish {
    fn done(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "written",
        }
    }

    /// The key of the configuration that says where.
    fn key(self) -> &'static str {
        match self {
            Self::Read => "files.read",
            Self::Write => "files.write",
        }
    }
}

/// The kinds of trouble with one file. `server` is `user@host:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error("`{path}` cannot be used as a path: {why}")]
    BadPath { path: String, why: &'static str },
    #[error("there is no `{path}` on {server}; list its folder to see what is there")]
    Missing { path: String, server: String },
    #[error(
        "{server} does not allow this user to reach `{path}` (permission denied); look at owner and mode with ssh_run"
    )]
    Denied { path: String, server: String },
    #[error(
        "{} is outside of what may be {} on profile `{profile}` ({}); the operator changes that with `{}` in \
         [profiles.{profile}]",
        led(.path, .resolved), .wish.done(), listed(.roots), .wish.key()
    )]
    Outside { path: String, resolved: String, wish: Wish, roots: Vec<String>, profile: String },
    #[error("`{path}` is {kind}, which this tool leaves alone; look at it with ssh_run")]
    NotAFile { path: String, kind: &'static str },
    #[error(
        "the content has {bytes} bytes, and `files.max_write_bytes` of profile `{profile}` allows {limit}; nothing was \
         written. Write less, or let the host fetch it itself with ssh_run"
    )]
    TooLarge { bytes: usize, limit: usize, profile: String },
    #[error("`{path}` is too large to be compared with if_sha256 (more than {limit} bytes); nothing was written")]
    TooLargeToCompare { path: String, limit: u64 },
    #[error("`{path}` is not what was expected: {what}; nothing was written. Read it again and decide anew")]
    Changed { path: String, what: &'static str },
    #[error("`{path}` is there already, and create_only was given; nothing was written")]
    Exists { path: String },
    #[error(
        "files are reached on {server}, and this session's terminal {place}. Use ssh_run to reach files there \
         (cat, base64, tee), or give on_ssh_server: true if {server} is meant"
    )]
    Elsewhere { server: String, place: String, path: String, wish: Wish },
    #[error(
        "this session is a shell of this machine, with no SSH server whose files could be reached. Use ssh_run instead \
         (cat, base64, tee)"
    )]
    NoServer { path: String, wish: Wish },
    #[error(
        "{server} offers no SFTP. Use ssh_run instead (cat, base64, tee); the people who run the server can switch \
         it on (in OpenSSH: Subsystem sftp internal-sftp)"
    )]
    NoSftp { server: String, path: String, wish: Wish },
    #[error(
        "`{path}` could not be replaced, and its old content is now in `{aside}`, which could not be moved back; move it \
         back with ssh_run"
    )]
    Aside { path: String, aside: String },
    #[error("`{path}` on {server}: {source}{}", left(.temporary))]
    Server {
        path: String,
        server: String,
        /// A file of ours that could not be removed again.
        temporary: Option<String>,
        #[source]
        source: FilesError,
    },
}

fn led(path: &str, resolved: &str) -> String {
    if path == resolved { format!("`{path}`") } else { format!("`{path}` leads to `{resolved}`, which") }
}

fn listed(roots: &[String]) -> String {
    if roots.is_empty() { "nothing".to_owned() } else { roots.join(", ") }
}

fn left(temporary: &Option<String>) -> String {
    let left = temporary.as_ref().map(|path| format!(". The unfinished `{path}` could not be removed; remove it"));
    left.unwrap_or_default()
}

impl FileError {
    pub(in crate::ops) fn category(&self) -> &'static str {
        match self {
            Self::BadPath { .. } => "config-error",
            Self::Outside { .. } => "policy-blocked",
            Self::Elsewhere { .. } => "terminal-state-abnormal",
            Self::Server { source: FilesError::Status(_), .. } => "file-error",
            Self::Server { .. } => "connection-failure",
            Self::Missing { .. }
            | Self::Denied { .. }
            | Self::NotAFile { .. }
            | Self::TooLarge { .. }
            | Self::TooLargeToCompare { .. }
            | Self::Changed { .. }
            | Self::Exists { .. }
            | Self::Aside { .. }
            | Self::NoServer { .. }
            | Self::NoSftp { .. } => "file-error",
        }
    }

    pub(in crate::ops) fn next(&self, session_id: &str) -> NextStep {
        let run = |words: &[&str]| match quote(words) {
            Ok(command) => NextStep::new("ssh_run", json!({ "session_id": session_id, "command": command })),
            Err(_) => NextStep::new("ssh_read", json!({ "session_id": session_id })),
        };
        let read = |path: &str| NextStep::new("ssh_read_file", json!({ "session_id": session_id, "path": path }));
        match self {
            Self::Elsewhere { path, wish, .. } | Self::NoServer { path, wish } | Self::NoSftp { path, wish, .. } => {
                match wish {
                    Wish::Read => run(&["cat", "--", path]),
                    Wish::Write => run(&["ls", "-ld", "--", path]),
                }
            }
            Self::Denied { path, .. } | Self::NotAFile { path, .. } => run(&["ls", "-ld", "--", path]),
            Self::Missing { path, .. } => read(super::parent(path).unwrap_or("~")),
            Self::Outside { roots, .. } => match roots.first() {
                Some(root) => read(root),
                None => NextStep::new("ssh_hosts", json!({})),
            },
            Self::Exists { path } | Self::Changed { path, .. } => read(path),
            Self::BadPath { .. } | Self::TooLarge { .. } => read("~"),
            Self::Aside { path, aside } => run(&["mv", "-n", "--", aside, path]),
            Self::TooLargeToCompare { path, .. } => run(&["sha256sum", "--", path]),
            Self::Server { .. } => NextStep::new("ssh_status", json!({ "session_id": session_id })),
        }
    }

    /// Nothing was done because of a decision, not because of a fault.
    pub(in crate::ops) fn is_blocked(&self) -> bool {
        matches!(self, Self::Outside { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> String {
        "ann@web1:22".to_owned()
    }

    #[test]
    fn each_says_what_why_and_what_next() {
        let (path, roots) = ("/srv/x".to_owned(), vec!["~".to_owned(), "/srv/app".to_owned()]);
        let (profile, resolved) = ("web".to_owned(), "/etc/passwd".to_owned());
        let cases = [
            (
                FileError::Outside { path: path.clone(), resolved, wish: Wish::Read, roots, profile: profile.clone() },
                "`/srv/x` leads to `/etc/passwd`, which is outside of what may be read on profile `web` (~, /srv/app); \
                 the operator changes that with `files.read` in [profiles.web]",
                "ssh_read_file",
            ),
            (
                FileError::Outside {
                    path: path.clone(),
                    resolved: path.clone(),
                    wish: Wish::Write,
                    roots: Vec::new(),
                    profile: profile.clone(),
                },
                "`/srv/x` is outside of what may be written on profile `web` (nothing); the operator changes that with \
                 `files.write` in [profiles.web]",
                "ssh_hosts",
            ),
            (
                FileError::Missing { path: path.clone(), server: server() },
                "there is no `/srv/x` on ann@web1:22; list its folder to see what is there",
                "ssh_read_file",
            ),
            (
                FileError::Denied { path: path.clone(), server: server() },
                "ann@web1:22 does not allow this user to reach `/srv/x` (permission denied); look at owner and mode with \
                 ssh_run",
                "ssh_run",
            ),
            (
                FileError::NoSftp { server: server(), path: path.clone(), wish: Wish::Read },
                "ann@web1:22 offers no SFTP. Use ssh_run instead (cat, base64, tee); the people who run the server can \
                 switch it on (in OpenSSH: Subsystem sftp internal-sftp)",
                "ssh_run",
            ),
            (
                FileError::Elsewhere {
                    server: server(),
                    place: "is at web1 › pod".to_owned(),
                    path: path.clone(),
                    wish: Wish::Write,
                },
                "files are reached on ann@web1:22, and this session's terminal is at web1 › pod. Use ssh_run to reach \
                 files there (cat, base64, tee), or give on_ssh_server: true if ann@web1:22 is meant",
                "ssh_run",
            ),
            (
                FileError::TooLarge { bytes: 10, limit: 5, profile },
                "the content has 10 bytes, and `files.max_write_bytes` of profile `web` allows 5; nothing was written. \
                 Write less, or let the host fetch it itself with ssh_run",
                "ssh_read_file",
            ),
            (
                FileError::Changed { path: path.clone(), what: "its SHA-256 differs from if_sha256" },
                "`/srv/x` is not what was expected: its SHA-256 differs from if_sha256; nothing was written. Read it again \
                 and decide anew",
                "ssh_read_file",
            ),
            (
                FileError::Aside { path: path.clone(), aside: "/srv/.old".to_owned() },
                "`/srv/x` could not be replaced, and its old content is now in `/srv/.old`, which could not be moved back; \
                 move it back with ssh_run",
                "ssh_run",
            ),
            (
                FileError::Server {
                    path,
                    server: server(),
                    temporary: Some("/srv/.t".to_owned()),
                    source: FilesError::Gone,
                },
                "`/srv/x` on ann@web1:22: the connection to the server has ended. The unfinished `/srv/.t` could not be \
                 removed; remove it",
                "ssh_status",
            ),
        ];
        for (error, text, tool) in cases {
            assert_eq!(error.to_string(), text);
            assert_eq!(error.next("s-1").tool, tool, "{text}");
        }
    }
}
