//! A new file in the place of an old one: what is said to the server for it, and what is undone.

use sha2::{Digest, Sha256};

use super::{FileError, Reach, WriteFileRequest, content, listing, parent};
use crate::random;
use crate::ssh::files::{Attributes, FileHandle, FileStatus, Files, FilesError};

/// A file larger than this is not read only to compare it.
const MOST_COMPARED_BYTES: u64 = 64 << 20;
/// Read at a time for that.
const COMPARE_BYTES: usize = 512 * 1024;
/// The bits of a mode that are taken over: who may read, write and run it. A new content is not run with
/// the rights of the old one's owner.
const KEPT_MODE: u32 = 0o777;

/// What was decided on.
pub(super) struct Order {
    pub(super) path: String,
    pub(super) existing: Option<Attributes>,
    pub(super) request: WriteFileRequest,
}

/// How it went.
pub(super) struct Done {
    pub(super) mode: Option<String>,
    pub(super) atomic: bool,
    pub(super) synced: bool,
    pub(super) notes: Vec<String>,
}

/// What an attempt that ends early has left behind.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// A file of ours that may be there.
    pub(super) temporary: Option<String>,
    /// Where the file that was to be replaced may be instead.
    pub(super) aside: Option<String>,
}

/// Why it did not go, before it is put in words.
pub(super) enum Trouble {
    File(FileError),
    Server(FilesError),
}

impl From<FilesError> for Trouble {
    fn from(error: FilesError) -> Self {
        Self::Server(error)
    }
}

/// Puts the old file back and removes what was begun, on a channel of its own where the first one has
/// failed. What is left then.
pub(super) async fn clean_up(reach: &mut Reach, path: &str, left: Left) -> Left {
    let left = try_clean_up(&mut reach.files, path, left).await;
    if left.temporary.is_none() && left.aside.is_none() {
        return left;
    }
    match reach.session.open_files().await {
        Ok(mut files) => try_clean_up(&mut files, path, left).await,
        Err(_) => left,
    }
}

async fn try_clean_up(files: &mut Files, path: &str, mut left: Left) -> Left {
    let is_missing = |error: &FilesError| error.status() == Some(FileStatus::NoSuchFile);
    if let Some(aside) = &left.aside {
        // It may never have been moved, or be back already.
        let back = files.rename(aside, path).await;
        if back.as_ref().err().is_none_or(is_missing) {
            left.aside = None;
        }
    }
    if let Some(temporary) = &left.temporary {
        let removed = files.remove(temporary).await;
        if removed.as_ref().err().is_none_or(is_missing) {
            left.temporary = None;
        }
    }
    left
}

/// `left` is true at any moment, for this may end at any.
pub(super) async fn write(files: &mut Files, order: &Order, left: &mut Left) -> Result<Done, Trouble> {
    check(files, order).await?;
    let folder = parent(&order.path).unwrap_or("/").trim_end_matches('/');
    let unique = random::hex(8).map_err(|_| Trouble::Server(FilesError::Status(FileStatus::Failure)))?;
    let temporary = format!("{folder}/.portcullis-{unique}.tmp");
    // A new file gets what the server gives new files; one with a mode is nobody else's until it has it.
    let open_to_all = order.existing.is_none() && order.request.mode.is_none();
    // Known before it is there: an answer that is lost does not say that nothing was made.
    left.temporary = Some(temporary.clone());
    let handle = match files.create(&temporary, if open_to_all { 0o666 } else { 0o600 }).await {
        Ok(handle) => handle,
        Err(error) => {
            left.temporary = left.temporary.take().filter(|_| error.status().is_none());
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
    let aside = format!("{folder}/.portcullis-{unique}.old");
    let atomic = place(files, order, &temporary, aside, left, &mut notes).await?;
    *left = Left::default();
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
    match files.open_to_change(path).await {
        Ok(handle) => files.close(handle).await?,
        // A program that runs cannot be opened this way, and may be replaced.
        Err(FilesError::Status(FileStatus::Failure | FileStatus::Unsupported)) => {}
        Err(error) => return Err(error.into()),
    }
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
    aside: String,
    left: &mut Left,
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
    // For servers that rename only to names that are free: the old file steps aside first.
    left.aside = Some(aside.clone());
    if let Err(error) = files.rename(path, &aside).await {
        left.aside = left.aside.take().filter(|_| error.status().is_none());
        return Err(error.into());
    }
    files.rename(temporary, path).await?;
    left.aside = None;
    notes.push("the server cannot replace a file in one step; for a moment there was none of this name".to_owned());
    if files.remove(&aside).await.is_err() {
        notes.push(format!("the old content could not be removed and is in {aside}"));
    }
    Ok(false)
}
