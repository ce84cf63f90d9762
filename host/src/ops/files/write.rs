//! Writing a file: all of it or nothing.
//!
//! The content goes into a new file beside the one that is meant, and takes its place in one step once
//! it is complete. Other names of the same file (hard links) keep the old content. Once the policies
//! have agreed, the rest is a task of its own: a caller that goes away must not leave half of it behind.

use portcullis_term::Typist;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    Admitted, Call, FileError, OPERATION, Reach, Wish, content, failed, file_error, find_session, listing, parent,
};
use crate::audit::FileRecord;
use crate::gate::{FileAccess, Ruling};
use crate::host::Host;
use crate::ops::OpError;
use crate::random;
use crate::session::{SessionError, SessionHandle, SessionSummary};
use crate::ssh::files::{Attributes, FileHandle, FileKind, FileStatus, Files, FilesError};

/// A file larger than this is not read only to compare it.
const MOST_COMPARED_BYTES: u64 = 64 << 20;
/// Read at a time for that.
const COMPARE_BYTES: usize = 512 * 1024;
/// The bits of a mode that are taken over: who may read, write and run it. A new content is not run with
/// the rights of the old one's owner.
const KEPT_MODE: u32 = 0o777;

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
    let call = Call { path: request.path.clone(), wish: Wish::Write, on_ssh_server: request.on_ssh_server };
    let mut reach = Reach::open(host, session, &call).await?;
    let limit = reach.destination.files.max_write_bytes;
    if request.content.len() > limit {
        let (bytes, profile) = (request.content.len(), reach.destination.profile.name.clone());
        return Err(reach.error(FileError::TooLarge { bytes, limit, profile }));
    }
    let (path, existing) = find(&mut reach, &request.path).await?;
    let admitted = reach.admit(host, FileAccess::Write, path).await?;
    let order = Order { path: admitted.path.clone(), existing, request };
    match tokio::spawn(put(reach, order, admitted)).await {
        Ok(outcome) => outcome,
        // The program is ending.
        Err(_) => Err(SessionError::Gone.into()),
    }
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

/// What was decided on.
struct Order {
    path: String,
    existing: Option<Attributes>,
    request: WriteFileRequest,
}

/// How it went.
struct Done {
    mode: Option<String>,
    atomic: bool,
    synced: bool,
    notes: Vec<String>,
}

/// Why it did not go, before it is put in words.
enum Trouble {
    File(FileError),
    Server(FilesError),
}

impl From<FilesError> for Trouble {
    fn from(error: FilesError) -> Self {
        Self::Server(error)
    }
}

/// Writes, records what came of it, and reports.
async fn put(mut reach: Reach, order: Order, admitted: Admitted) -> Result<WriteFileReport, OpError> {
    let mut left = None;
    let writing = tokio::time::timeout(OPERATION, write(&mut reach.files, &order, &mut left));
    let outcome = match writing.await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(Trouble::Server(FilesError::Timeout { what: "finish", after: OPERATION })),
    };
    if outcome.is_err()
        && let Some(temporary) = left.clone()
        && remove(&mut reach, &temporary).await
    {
        left = None;
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
            let Done { mode, atomic, synced, notes } = done;
            return Ok(WriteFileReport {
                session: session.summary(),
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
            });
        }
        Err(Trouble::File(error)) => file_error(&session, error),
        Err(Trouble::Server(source)) => match left {
            Some(_) => {
                let (path, server) = (order.path, reach.server.clone());
                file_error(&session, FileError::Server { path, server, temporary: left, source })
            }
            None => failed(&session, &reach.server, &order.path, source).await,
        },
    };
    reach.record(record(&admitted, result, bytes, &sha256, Some(error.to_string()))).await?;
    Err(error)
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

/// Removes what was begun; on a channel of its own where the first one has failed.
async fn remove(reach: &mut Reach, temporary: &str) -> bool {
    let gone = |outcome: Result<(), FilesError>| match outcome {
        Ok(()) => true,
        Err(error) => error.status() == Some(FileStatus::NoSuchFile),
    };
    if gone(reach.files.remove(temporary).await) {
        return true;
    }
    match reach.session.open_files().await {
        Ok(mut files) => gone(files.remove(temporary).await),
        Err(_) => false,
    }
}

/// `left` is the file of ours that may be there when this ends early.
async fn write(files: &mut Files, order: &Order, left: &mut Option<String>) -> Result<Done, Trouble> {
    check(files, order).await?;
    let folder = parent(&order.path).unwrap_or("/").trim_end_matches('/');
    let unique = random::hex(8).map_err(|_| Trouble::Server(FilesError::Status(FileStatus::Failure)))?;
    let temporary = format!("{folder}/.portcullis-{unique}.tmp");
    // A new file gets what the server gives new files; one with a mode is nobody else's until it has it.
    let open_to_all = order.existing.is_none() && order.request.mode.is_none();
    // Known before it is there: an answer that is lost does not say that nothing was made.
    *left = Some(temporary.clone());
    let handle = match files.create(&temporary, if open_to_all { 0o666 } else { 0o600 }).await {
        Ok(handle) => handle,
        Err(error) => {
            *left = left.take().filter(|_| error.status().is_none());
            return Err(error.into());
        }
    };
    files.write(&handle, &order.request.content).await?;
    let mut notes = Vec::new();
    let mode = dress(files, &handle, order, &mut notes).await?;
    let synced = files.extensions.fsync;
    if synced {
        files.sync(&handle).await?;
    }
    files.close(handle).await?;
    let atomic = place(files, order, &temporary, &unique, &mut notes).await?;
    *left = None;
    Ok(Done { mode, atomic, synced, notes })
}

/// What must be so before anything is written.
async fn check(files: &mut Files, order: &Order) -> Result<(), Trouble> {
    let (path, request) = (&order.path, &order.request);
    let Some(_) = &order.existing else {
        return match &request.if_sha256 {
            Some(_) => Err(changed(path, "it does not exist, so it cannot have the SHA-256 of if_sha256")),
            None => Ok(()),
        };
    };
    if request.create_only {
        return Err(Trouble::File(FileError::Exists { path: path.clone() }));
    }
    // To replace a file takes rights on its directory only. Whoever may not write the file is not meant to.
    let handle = files.open_to_change(path).await?;
    files.close(handle).await?;
    if let Some(expected) = &request.if_sha256 {
        let found = digest(files, path).await?;
        if !found.eq_ignore_ascii_case(expected) {
            return Err(changed(path, "its SHA-256 differs from if_sha256"));
        }
    }
    Ok(())
}

fn changed(path: &str, what: &'static str) -> Trouble {
    Trouble::File(FileError::Changed { path: path.to_owned(), what })
}

async fn digest(files: &mut Files, path: &str) -> Result<String, Trouble> {
    let handle = files.open_to_read(path).await?;
    let mut hasher = Sha256::new();
    let mut offset = 0;
    loop {
        let piece = files.read(&handle, offset, COMPARE_BYTES).await?;
        hasher.update(&piece);
        offset += piece.len() as u64;
        if piece.len() < COMPARE_BYTES {
            files.close(handle).await?;
            return Ok(content::hex(&hasher.finalize()));
        }
        if offset > MOST_COMPARED_BYTES {
            let (path, limit) = (path.to_owned(), MOST_COMPARED_BYTES);
            return Err(Trouble::File(FileError::TooLargeToCompare { path, limit }));
        }
    }
}

/// Gives the new file owner and mode, those of the old one where nothing else is asked for. Its mode then.
async fn dress(
    files: &mut Files,
    handle: &FileHandle,
    order: &Order,
    notes: &mut Vec<String>,
) -> Result<Option<String>, Trouble> {
    let own = files.look_at_open(handle).await?;
    let owner = order.existing.and_then(|existing| existing.owner).filter(|owner| Some(*owner) != own.owner);
    if let Some(owner) = owner {
        match files.set(handle, Some(owner), None).await {
            Ok(()) => {}
            Err(error) if error.status().is_some() => {
                notes.push(format!("the owner {}:{} could not be kept; the file is now this user's", owner.0, owner.1))
            }
            Err(error) => return Err(error.into()),
        }
    }
    let kept = order.existing.and_then(|existing| existing.mode()).map(|mode| mode & KEPT_MODE);
    let wanted = order.request.mode.or(kept);
    if wanted.is_some() {
        files.set(handle, None, wanted).await?;
    }
    Ok(wanted.map(|mode| format!("{mode:04o}")).or_else(|| listing::mode(&own)))
}

/// Puts the complete file where it belongs; whether that was one step.
async fn place(
    files: &mut Files,
    order: &Order,
    temporary: &str,
    unique: &str,
    notes: &mut Vec<String>,
) -> Result<bool, Trouble> {
    let path = &order.path;
    let Some(before) = &order.existing else {
        return match files.rename(temporary, path).await {
            Ok(()) => Ok(true),
            Err(error) if error.status().is_some() && files.look(path).await.is_ok() => {
                Err(changed(path, "somebody made it meanwhile"))
            }
            Err(error) => Err(error.into()),
        };
    };
    if order.request.if_sha256.is_some() {
        let now = files.look(path).await?;
        if (now.size_bytes, now.modified_unix_s) != (before.size_bytes, before.modified_unix_s) {
            return Err(changed(path, "somebody wrote it meanwhile"));
        }
    }
    if files.extensions.posix_rename {
        files.replace(temporary, path).await?;
        return Ok(true);
    }
    swap(files, path, temporary, unique).await?;
    notes.push("the server cannot replace a file in one step; for a moment there was none of this name".to_owned());
    Ok(false)
}

/// For servers that rename only to names that are free: the old file steps aside, and comes back if the
/// new one cannot take its place.
async fn swap(files: &mut Files, path: &str, temporary: &str, unique: &str) -> Result<(), FilesError> {
    let folder = parent(path).unwrap_or("/").trim_end_matches('/');
    let aside = format!("{folder}/.portcullis-{unique}.old");
    files.rename(path, &aside).await?;
    if let Err(error) = files.rename(temporary, path).await {
        files.rename(&aside, path).await?;
        return Err(error);
    }
    files.remove(&aside).await
}
