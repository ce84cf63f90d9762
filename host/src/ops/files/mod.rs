//! Files on a session's server, over SFTP, beside its terminal.
//!
//! It is always the server of the profile that is reached, wherever the terminal is; where that is
//! somewhere else, the caller has to say that the server is meant. A path counts as what it leads to
//! in the end: the server follows all links first, then come the profile's roots, then the policies, and
//! only then the file, at the path that was judged. Whoever can change the directories on that path in
//! the moment between can still lead the server elsewhere, to where the login's user could go anyway:
//! SFTP has no way to open a file that was looked at. Where that matters, the account's rights have to
//! be the limit.

mod content;
mod error;
mod listing;
mod read;
mod replace;
mod write;

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_term::LevelKind;

use super::{OpError, by_agent, clear_until, destination, find_session, place};
use crate::audit::FileRecord;
use crate::config::Destination;
use crate::gate::{Action, FileAccess, Place, Ruling};
use crate::host::Host;
use crate::session::{Position, SessionError, SessionHandle};
use crate::ssh::files::{FileStatus, Files, FilesError, MAX_PATH_BYTES};

pub use content::Content;
pub use error::{FileError, Wish};
pub use listing::{Entry, Listing};
pub use read::{ReadFileReport, ReadFileRequest, read_file};
pub use write::{WriteFileReport, WriteFileRequest, write_file};

/// All of an operation; clients give up a little later. Each answer has its own, shorter limit.
const OPERATION: Duration = Duration::from_secs(50);
/// How long a person whose consent is needed is waited for within that.
const PERSON_WAIT: Duration = Duration::from_secs(30);
/// How long a lost connection may take to be noticed by its session.
const END_NOTICED: Duration = Duration::from_secs(2);

/// The way to the files of one session's server, for one operation.
struct Reach {
    session: SessionHandle,
    destination: Arc<Destination>,
    place: Place,
    files: Files,
    /// Absolute.
    home: String,
    /// `user@host:port`.
    server: String,
}

/// What the policies let pass.
struct Admitted {
    path: String,
    verdict: &'static str,
    warnings: Vec<Ruling>,
}

impl Reach {
    async fn open(host: &Host, session: &SessionHandle, call: &Call) -> Result<Self, OpError> {
        let summary = session.summary();
        if let Some(reason) = summary.closed_reason {
            return Err(SessionError::Closed { reason }.into());
        }
        let destination = destination(host, session)?;
        if destination.profile.local.is_some() {
            let (path, wish) = (call.path.clone(), call.wish);
            return Err(file_error(session, FileError::NoServer { path, wish }));
        }
        let position = session.position().await?;
        let server = summary.host;
        if !call.on_ssh_server
            && let Some(place) = elsewhere(&destination, &position)
        {
            let (path, wish) = (call.path.clone(), call.wish);
            return Err(file_error(session, FileError::Elsewhere { server, place, path, wish }));
        }
        let place = place(session, &destination, &position);
        let mut files = match session.open_files().await {
            Ok(files) => files,
            Err(FilesError::NoSftp) => {
                let (path, wish) = (call.path.clone(), call.wish);
                return Err(file_error(session, FileError::NoSftp { server, path, wish }));
            }
            Err(source) => return Err(failed(session, &server, &call.path, source).await),
        };
        let home = match files.real_path(".").await {
            Ok(home) => home,
            Err(source) => return Err(failed(session, &server, &call.path, source).await),
        };
        Ok(Self { session: session.clone(), destination, place, files, home, server })
    }

    /// The path as an absolute one, links not followed.
    fn absolute(&self, path: &str) -> Result<String, FileError> {
        let bad = |why| FileError::BadPath { path: listing::shown(path.as_bytes()).0, why };
        if path.is_empty() {
            return Err(bad("it is empty; give an absolute path, or one below the home"));
        }
        if path.len() > MAX_PATH_BYTES {
            return Err(bad("it is longer than 4096 bytes"));
        }
        if path.chars().any(char::is_control) {
            return Err(bad("it has control characters"));
        }
        let home = self.home.trim_end_matches('/');
        match (path.strip_prefix("~/"), path) {
            (Some(below), _) => Ok(format!("{home}/{below}")),
            (None, "~") => Ok(self.home.clone()),
            (None, _) if path.starts_with('~') => {
                Err(bad("homes of other users are not known here; give the absolute path"))
            }
            (None, _) if path.starts_with('/') => Ok(path.to_owned()),
            (None, _) => Ok(format!("{home}/{path}")),
        }
    }

    /// Whether what `path` leads to lies where `wish` is allowed. The roots may be links themselves.
    async fn check_roots(&mut self, path: &str, resolved: &str, wish: Wish) -> Result<(), OpError> {
        let access = &self.destination.files;
        let roots = match wish {
            Wish::Read => access.read.clone(),
            Wish::Write => access.write.clone(),
        };
        let absolute: Vec<String> = roots.iter().filter_map(|root| self.absolute(root).ok()).collect();
        let real = match self.files.real_paths(&absolute).await {
            Ok(real) => real,
            Err(source) => return Err(self.failed(path, source).await),
        };
        // A root that is not there holds nothing.
        if real.iter().flatten().any(|root| is_within(resolved, root)) {
            return Ok(());
        }
        let (path, resolved) = (path.to_owned(), listing::shown(resolved.as_bytes()).0);
        let profile = self.destination.profile.name.clone();
        Err(self.error(FileError::Outside { path, resolved, wish, roots, profile }))
    }

    /// Asks the policies, and has their word recorded.
    ///
    /// A person's consent holds for `content` and no other.
    async fn admit(&self, host: &Host, access: FileAccess, path: String, content: &[u8]) -> Result<Admitted, OpError> {
        let intent = by_agent(Action::File { access, path }, None);
        let place = Place { reader: content::sha256(content), ..self.place.clone() };
        let cleared = clear_until(host, &self.session, &place, intent, Instant::now() + PERSON_WAIT).await?;
        let (verdict, warnings) = (cleared.verdict(), cleared.warnings());
        Ok(Admitted { path: self.session.admit_file(cleared).await?, verdict, warnings })
    }

    fn error(&self, error: FileError) -> OpError {
        file_error(&self.session, error)
    }

    /// What the server said of `path`, in words.
    async fn failed(&self, path: &str, source: FilesError) -> OpError {
        failed(&self.session, &self.server, path, source).await
    }

    async fn record(&self, record: FileRecord) -> Result<(), OpError> {
        Ok(self.session.record_file(record).await?)
    }
}

/// What both tools are called with.
struct Call {
    path: String,
    wish: Wish,
    on_ssh_server: bool,
}

/// Where the terminal is, if that is not the login shell on the profile's server.
fn elsewhere(destination: &Destination, position: &Position) -> Option<String> {
    let path: Vec<&str> = position.levels.iter().map(|level| level.label.as_str()).collect();
    match position.levels.as_slice() {
        _ if destination.navigator.is_some() => {
            let at = if path.is_empty() { "a menu".to_owned() } else { path.join(" › ") };
            Some(format!("is at {at}, behind that server's menu"))
        }
        [only] if only.kind == LevelKind::Shell => None,
        [] => Some("is at a place that is not known".to_owned()),
        _ => Some(format!("is at {}", path.join(" › "))),
    }
}

fn file_error(session: &SessionHandle, source: FileError) -> OpError {
    OpError::File { session_id: session.id().to_string(), source: Box::new(source) }
}

async fn failed(session: &SessionHandle, server: &str, path: &str, source: FilesError) -> OpError {
    if source == FilesError::Gone {
        let mut summary = session.watch_summary();
        // The channel hears of the end before the session does.
        let closed = tokio::time::timeout(END_NOTICED, summary.wait_for(|summary| summary.closed_reason.is_some()));
        if let Ok(Ok(summary)) = closed.await {
            return SessionError::Closed { reason: summary.closed_reason.clone().unwrap_or_default() }.into();
        }
    }
    let (path, server) = (path.to_owned(), server.to_owned());
    file_error(
        session,
        match source.status() {
            Some(FileStatus::NoSuchFile) => FileError::Missing { path, server },
            Some(FileStatus::PermissionDenied) => FileError::Denied { path, server },
            _ => FileError::Server { path, server, temporary: None, source },
        },
    )
}

fn took_too_long(session: &SessionHandle, path: &str) -> OpError {
    let source = FilesError::Timeout { what: "finish", after: OPERATION };
    let (path, server) = (path.to_owned(), session.summary().host);
    file_error(session, FileError::Server { path, server, temporary: None, source })
}

fn is_within(path: &str, root: &str) -> bool {
    let root = root.trim_end_matches('/');
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The directory that holds `path`; `None` for the root.
fn parent(path: &str) -> Option<&str> {
    let (parent, name) = path.trim_end_matches('/').rsplit_once('/')?;
    match (parent, name) {
        (_, "") => None,
        ("", _) => Some("/"),
        (parent, _) => Some(parent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_holds_what_lies_below_it_and_nothing_beside() {
        assert!(is_within("/srv/app/x", "/srv/app") && is_within("/srv/app", "/srv/app") && is_within("/x", "/"));
        assert!(!is_within("/srv/apps", "/srv/app") && !is_within("/srv", "/srv/app"));
        assert_eq!((parent("/a/b"), parent("/a"), parent("/"), parent("a")), (Some("/a"), Some("/"), None, None));
    }
}
