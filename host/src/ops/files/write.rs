//! Writing a file: all of it or nothing.
//!
//! The content goes into a new file beside the one that is meant, and takes its place in one step once
//! it is complete. Other names of the same file (hard links) keep the old content. Once the policies
//! have agreed, the rest is a task of its own: a caller that goes away must not leave half of it behind.

use portcullis_term::Typist;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::replace::{Done, Left, Order, Trouble, clean_up, write};
use super::{
    Admitted, Call, FileError, OPERATION, Reach, Wish, content, failed, file_error, find_session, parent, took_too_long,
};
use crate::audit::FileRecord;
use crate::gate::{FileAccess, Ruling};
use crate::host::Host;
use crate::ops::OpError;
use crate::session::{SessionError, SessionHandle, SessionSummary};
use crate::ssh::files::{Attributes, FileKind, FileStatus, FilesError};

#[derive(Debug, Clone, Default)]
pub struct WriteFileRequest {
    pub session_id: Option<String>,
    /// Absolute, or below the home.
    pub path: String,
    pub content: Vec<u8>,
    /// Permission bits; those of the file that is replaced when left out.
    pub mode: Option<u32>,
    /// Hexadecimal digest the present content must have.
    pub if_sha256: Option<String>,
    /// A file that is there already is left alone.
    pub create_only: bool,
    /// The profile's server is meant, wherever the terminal is.
    pub on_ssh_server: bool,
}

#[derive(Debug, Serialize)]
pub struct WriteFileReport {
    pub session: SessionSummary,
    /// Whose file it is: `user@host:port`.
    pub server: String,
    /// With all links followed.
    pub path: String,
    /// `created` or `replaced`.
    pub result: &'static str,
    pub bytes: u64,
    pub sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// It took its place in one step; nobody saw half of it.
    pub atomic: bool,
    /// The server has put it on its disk.
    pub synced: bool,
    /// Rules that warned.
    pub warnings: Vec<Ruling>,
    pub notes: Vec<String>,
}

/// Writes the file, whole or not at all.
///
/// # Errors
/// When a policy or the profile's roots refuse it, the file is not as expected, or the server does not take
/// it; the file is as it was then, and what was begun is removed.
pub async fn write_file(host: &Host, request: WriteFileRequest) -> Result<WriteFileReport, OpError> {
    let session = find_session(host, request.session_id.as_deref())?;
    let id = session.id().to_string();
    write_in(host, &session, request).await.map_err(|error| error.in_session(&id))
}

async fn write_in(host: &Host, session: &SessionHandle, request: WriteFileRequest) -> Result<WriteFileReport, OpError> {
    let (path, until) = (request.path.clone(), Instant::now() + OPERATION);
    let (reach, order, admitted) = match timeout_at(until, prepare(host, session, request)).await {
        Ok(prepared) => prepared?,
        Err(_elapsed) => return Err(took_too_long(session, &path)),
    };
    match tokio::spawn(put(reach, order, admitted, until)).await {
        Ok(outcome) => outcome,
        // The program is ending.
        Err(_) => Err(SessionError::Gone.into()),
    }
}

/// Everything that comes before the first byte is written.
async fn prepare(
    host: &Host,
    session: &SessionHandle,
    request: WriteFileRequest,
) -> Result<(Reach, Order, Admitted), OpError> {
    let call = Call { path: request.path.clone(), wish: Wish::Write, on_ssh_server: request.on_ssh_server };
    let mut reach = Reach::open(host, session, &call).await?;
    let limit = reach.destination.files.max_write_bytes;
    if request.content.len() > limit {
        let (bytes, profile) = (request.content.len(), reach.destination.profile.name.clone());
        return Err(reach.error(FileError::TooLarge { bytes, limit, profile }));
    }
    let (path, existing) = find(&mut reach, &request.path).await?;
    let admitted = reach.admit(host, FileAccess::Write, path, &request.content).await?;
    let order = Order { path: admitted.path.clone(), existing, request };
    Ok((reach, order, admitted))
}

/// Where the content goes in the end, and what is there now. The directory is resolved by itself: of a
/// path whose last name does not exist, servers resolve as much as they like.
async fn find(reach: &mut Reach, path: &str) -> Result<(String, Option<Attributes>), OpError> {
    let absolute = reach.absolute(path).map_err(|error| reach.error(error))?;
    let name = absolute.rsplit('/').next().filter(|name| !matches!(*name, "" | "." | ".."));
    let Some((name, folder)) = name.zip(parent(&absolute)) else {
        let (path, why) = (path.to_owned(), "it does not end with a file's name");
        return Err(reach.error(FileError::BadPath { path, why }));
    };
    if let Some(found) = existing(reach, path, &absolute).await? {
        return Ok(found);
    }
    let folder = match reach.files.real_path(folder).await {
        Ok(folder) => folder,
        Err(source) => return Err(reach.failed(folder, source).await),
    };
    let resolved = format!("{}/{name}", folder.trim_end_matches('/'));
    reach.check_roots(path, &resolved, Wish::Write).await?;
    match reach.files.look(&resolved).await {
        Err(FilesError::Status(FileStatus::NoSuchFile)) => Ok((resolved, None)),
        Err(source) => Err(reach.failed(&resolved, source).await),
        // Its target is not there, or it would have been found.
        Ok(_) => Err(reach.error(FileError::NotAFile { path: resolved, kind: "a symbolic link that leads nowhere" })),
    }
}

/// The regular file that is there already.
async fn existing(
    reach: &mut Reach,
    path: &str,
    absolute: &str,
) -> Result<Option<(String, Option<Attributes>)>, OpError> {
    let missing = |error: &FilesError| error.status() == Some(FileStatus::NoSuchFile);
    let resolved = match reach.files.real_path(absolute).await {
        Ok(resolved) => resolved,
        Err(error) if missing(&error) => return Ok(None),
        Err(source) => return Err(reach.failed(path, source).await),
    };
    reach.check_roots(path, &resolved, Wish::Write).await?;
    let attributes = match reach.files.look(&resolved).await {
        Ok(attributes) => attributes,
        Err(error) if missing(&error) => return Ok(None),
        Err(source) => return Err(reach.failed(&resolved, source).await),
    };
    let kind = match attributes.kind() {
        FileKind::File => return Ok(Some((resolved, Some(attributes)))),
        FileKind::Directory => "a directory",
        FileKind::Symlink => "a symbolic link that was put there in this moment, or leads nowhere",
        FileKind::Special => "a device, a pipe or a socket",
        FileKind::Unknown => "of a kind that the server does not tell",
    };
    Err(reach.error(FileError::NotAFile { path: resolved, kind }))
}

/// Writes, records what came of it, and reports.
async fn put(mut reach: Reach, order: Order, admitted: Admitted, until: Instant) -> Result<WriteFileReport, OpError> {
    let mut left = Left::default();
    let mut outcome = match timeout_at(until, write(&mut reach.files, &order, &mut left)).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(Trouble::Server(FilesError::Timeout { what: "finish", after: OPERATION })),
    };
    if outcome.is_err() {
        left = clean_up(&mut reach, &order.path, left).await;
        if let Some(aside) = left.aside.take() {
            outcome = Err(Trouble::File(FileError::Aside { path: order.path.clone(), aside }));
        }
    }
    let sha256 = content::sha256(&order.request.content);
    let result = match (&outcome, &order.existing) {
        (Err(_), _) => "failed",
        (Ok(_), None) => "created",
        (Ok(_), Some(_)) => "replaced",
    };
    let bytes = order.request.content.len() as u64;
    let session = reach.session.clone();
    let error = match outcome {
        Ok(done) => {
            reach.record(record(&admitted, result, bytes, &sha256, None)).await?;
            return Ok(report(reach, admitted, done, result, bytes, sha256));
        }
        Err(Trouble::File(error)) => file_error(&session, error),
        Err(Trouble::Server(source)) => match left.temporary {
            Some(_) => {
                let (path, server, temporary) = (order.path, reach.server.clone(), left.temporary);
                file_error(&session, FileError::Server { path, server, temporary, source })
            }
            None => failed(&session, &reach.server, &order.path, source).await,
        },
    };
    reach.record(record(&admitted, result, bytes, &sha256, Some(error.to_string()))).await?;
    Err(error)
}

fn report(
    reach: Reach,
    admitted: Admitted,
    done: Done,
    result: &'static str,
    bytes: u64,
    sha256: String,
) -> WriteFileReport {
    let Done { mode, atomic, synced, notes } = done;
    WriteFileReport {
        session: reach.session.summary(),
        server: reach.server,
        path: admitted.path,
        result,
        bytes,
        sha256,
        mode,
        atomic,
        synced,
        warnings: admitted.warnings,
        notes,
    }
}

fn record(admitted: &Admitted, result: &'static str, bytes: u64, sha256: &str, problem: Option<String>) -> FileRecord {
    FileRecord {
        actor: Typist::Agent,
        operation: "write",
        path: admitted.path.clone(),
        offset_bytes: None,
        bytes: Some(bytes),
        sha256: Some(sha256.to_owned()),
        verdict: admitted.verdict,
        result,
        problem,
    }
}
