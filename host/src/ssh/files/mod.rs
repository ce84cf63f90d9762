//! Files on the server of a session's connection, over SFTP.
//!
//! This is no policy and knows no roots: it does what it is told on the path it is given, and says what
//! the server answered. The protocol's client is our own ([`wire`], [`channel`]): it is small, and the
//! one there is to take reserves as much memory as the server says a message has, goes on after answers
//! to nothing, and changes names and handles that are not UTF-8.
//!
//! One channel serves one operation and is closed with it. Keeping one per session would save two round
//! trips and cost a channel that has to be watched for as long as the session lives.

mod channel;
mod error;
mod wire;

pub use channel::FilesOpener;
pub(super) use channel::{Opening, serve_openings};
pub use error::{FileStatus, FilesError};
pub use wire::{Attributes, FileKind, Named};

use channel::Requests;
use wire::{Reply, Request, kind, open};

/// Bytes asked for or sent with one request; every server takes as much.
const PIECE_BYTES: usize = 32 * 1024;
/// Requests on their way at once: half a mebibyte, as much as a fast line over a long way needs.
const PIECES_AT_ONCE: usize = 16;
/// Longest path, in bytes (Linux's `PATH_MAX`).
pub const MAX_PATH_BYTES: usize = 4096;
/// Longest handle of a server (draft-ietf-secsh-filexfer-02 §6.2).
const MAX_HANDLE_BYTES: usize = 256;

/// What the server can do beyond the protocol's third version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extensions {
    /// `fsync@openssh.com`: what was written is on the disk.
    pub fsync: bool,
    /// `posix-rename@openssh.com`: a rename that replaces, in one step.
    pub posix_rename: bool,
}

/// An open file or directory of the server.
#[derive(Debug, Clone)]
pub struct FileHandle(Vec<u8>);

/// A server's SFTP, for one operation. Dropping it closes the channel.
pub struct Files {
    requests: Requests,
    pub extensions: Extensions,
}

impl FilesOpener {
    /// Opens a channel and greets the server's SFTP.
    ///
    /// # Errors
    /// When the connection is gone, or the server has no SFTP.
    pub async fn open(&self) -> Result<Files, FilesError> {
        let mut requests = Requests::new(self.channel().await?, self.limit);
        let extensions = match requests.greet().await {
            Ok(Reply::Version(wire::VERSION.., names)) => Extensions {
                fsync: names.iter().any(|name| name == b"fsync@openssh.com"),
                posix_rename: names.iter().any(|name| name == b"posix-rename@openssh.com"),
            },
            // A server that runs something else instead of SFTP (a forced command), or cannot find it.
            Ok(_) | Err(FilesError::Protocol { .. } | FilesError::Gone) => return Err(FilesError::NoSftp),
            Err(error) => return Err(error),
        };
        Ok(Files { requests, extensions })
    }
}

impl Files {
    /// The absolute paths the server makes of these, symbolic links followed. One result for each.
    ///
    /// # Errors
    /// When the channel has failed; what the server says of one path is that path's result.
    pub async fn real_paths(&mut self, paths: &[String]) -> Result<Vec<Result<String, FilesError>>, FilesError> {
        let requests: Vec<Request> =
            paths.iter().map(|path| Request::new(kind::REALPATH).bytes(path.as_bytes())).collect();
        let replies = self.requests.ask("resolve a path", &requests).await?;
        Ok(replies.into_iter().map(|reply| one_name(reply).and_then(absolute)).collect())
    }

    /// As [`Self::real_paths`], of one.
    ///
    /// # Errors
    /// When the server does not resolve it.
    pub async fn real_path(&mut self, path: &str) -> Result<String, FilesError> {
        let paths = [path.to_owned()];
        self.real_paths(&paths).await?.into_iter().next().unwrap_or(Err(FilesError::Gone))
    }

    /// What the server tells of the file, a symbolic link itself and not what it leads to.
    ///
    /// # Errors
    /// When it tells nothing.
    pub async fn look(&mut self, path: &str) -> Result<Attributes, FilesError> {
        attributes(self.one("look at a file", Request::new(kind::LSTAT).bytes(path.as_bytes())).await?)
    }

    /// What the server tells of an open file.
    ///
    /// # Errors
    /// When it tells nothing.
    pub async fn look_at_open(&mut self, handle: &FileHandle) -> Result<Attributes, FilesError> {
        attributes(self.one("look at a file", Request::new(kind::FSTAT).bytes(&handle.0)).await?)
    }

    /// Opens a file to read it.
    ///
    /// # Errors
    /// When the server does not open it.
    pub async fn open_to_read(&mut self, path: &str) -> Result<FileHandle, FilesError> {
        self.open_file(path, open::READ, None).await
    }

    /// Opens a file that is there to write it, without changing it: whether that is allowed.
    ///
    /// # Errors
    /// When it is not, or the file is not there.
    pub async fn open_to_change(&mut self, path: &str) -> Result<FileHandle, FilesError> {
        self.open_file(path, open::WRITE, None).await
    }

    /// Makes a file that must not be there yet, and opens it to write.
    ///
    /// # Errors
    /// When it is there, or cannot be made.
    pub async fn create(&mut self, path: &str, mode: u32) -> Result<FileHandle, FilesError> {
        self.open_file(path, open::WRITE | open::CREATE | open::EXCLUSIVE, Some(mode)).await
    }

    async fn open_file(&mut self, path: &str, flags: u32, mode: Option<u32>) -> Result<FileHandle, FilesError> {
        let request = Request::new(kind::OPEN).bytes(path.as_bytes()).number(flags).attributes(None, mode);
        handle(self.one("open a file", request).await?)
    }

    /// Reads up to `length` bytes; less only at the end of the file.
    ///
    /// # Errors
    /// When the server does not give them.
    pub async fn read(&mut self, handle: &FileHandle, from: u64, length: usize) -> Result<Vec<u8>, FilesError> {
        let mut read = Vec::new();
        while read.len() < length {
            let pieces: Vec<usize> = pieces(length - read.len()).collect();
            let mut offset = from + read.len() as u64;
            let requests = pieces.iter().map(|piece| {
                let request = Request::new(kind::READ).bytes(&handle.0).long(offset).number(*piece as u32);
                offset += *piece as u64;
                request
            });
            let requests: Vec<Request> = requests.collect();
            let replies = self.requests.ask("give a file's content", &requests).await?;
            for (reply, wanted) in replies.into_iter().zip(pieces) {
                let Some(data) = data(reply, wanted)? else { return Ok(read) };
                read.extend_from_slice(&data);
                if data.len() < wanted {
                    // Less than was asked for is no end; what came behind it lies elsewhere.
                    break;
                }
            }
        }
        Ok(read)
    }

    /// Writes all of it, from the file's beginning.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn write(&mut self, handle: &FileHandle, content: &[u8]) -> Result<(), FilesError> {
        let mut offset = 0;
        for batch in content.chunks(PIECE_BYTES * PIECES_AT_ONCE) {
            let requests = batch.chunks(PIECE_BYTES).map(|piece| {
                let request = Request::new(kind::WRITE).bytes(&handle.0).long(offset).bytes(piece);
                offset += piece.len() as u64;
                request
            });
            let requests: Vec<Request> = requests.collect();
            for reply in self.requests.ask("take a file's content", &requests).await? {
                done(reply)?;
            }
        }
        Ok(())
    }

    /// Sets owner and permissions, as far as given.
    ///
    /// # Errors
    /// When the server does not allow it.
    pub async fn set(
        &mut self,
        handle: &FileHandle,
        owner: Option<(u32, u32)>,
        mode: Option<u32>,
    ) -> Result<(), FilesError> {
        let request = Request::new(kind::FSETSTAT).bytes(&handle.0).attributes(owner, mode);
        done(self.one("set a file's attributes", request).await?)
    }

    /// Has the file's content put on the disk.
    ///
    /// # Errors
    /// When that fails; the content may be in the server's memory only.
    pub async fn sync(&mut self, handle: &FileHandle) -> Result<(), FilesError> {
        let request = Request::new(kind::EXTENDED).bytes(b"fsync@openssh.com").bytes(&handle.0);
        done(self.one("write a file to its disk", request).await?)
    }

    /// Closes an open file or directory.
    ///
    /// # Errors
    /// When the server says that something written before was lost.
    pub async fn close(&mut self, handle: FileHandle) -> Result<(), FilesError> {
        done(self.one("close a file", Request::new(kind::CLOSE).bytes(&handle.0)).await?)
    }

    /// # Errors
    /// When the server does not remove it.
    pub async fn remove(&mut self, path: &str) -> Result<(), FilesError> {
        done(self.one("remove a file", Request::new(kind::REMOVE).bytes(path.as_bytes())).await?)
    }

    /// Renames; a file that is there already must not be replaced, and OpenSSH keeps to that.
    ///
    /// # Errors
    /// When the server does not rename it.
    pub async fn rename(&mut self, from: &str, to: &str) -> Result<(), FilesError> {
        let request = Request::new(kind::RENAME).bytes(from.as_bytes()).bytes(to.as_bytes());
        done(self.one("rename a file", request).await?)
    }

    /// Renames and replaces in one step; only where [`Extensions::posix_rename`] is offered.
    ///
    /// # Errors
    /// When the server does not rename it.
    pub async fn replace(&mut self, from: &str, to: &str) -> Result<(), FilesError> {
        let request = Request::new(kind::EXTENDED).bytes(b"posix-rename@openssh.com");
        done(self.one("rename a file", request.bytes(from.as_bytes()).bytes(to.as_bytes())).await?)
    }

    /// Opens a directory to list it.
    ///
    /// # Errors
    /// When the server does not open it.
    pub async fn open_directory(&mut self, path: &str) -> Result<FileHandle, FilesError> {
        handle(self.one("open a directory", Request::new(kind::OPENDIR).bytes(path.as_bytes())).await?)
    }

    /// The next names of a directory, `.` and `..` among them; `None` after the last.
    ///
    /// # Errors
    /// When the server does not give them.
    pub async fn next_names(&mut self, handle: &FileHandle) -> Result<Option<Vec<Named>>, FilesError> {
        match self.one("list a directory", Request::new(kind::READDIR).bytes(&handle.0)).await? {
            // Otherwise a listing would go on for as long as the server likes.
            Reply::Names(names) if names.is_empty() => Err(FilesError::Protocol { what: "a list without names" }),
            Reply::Names(names) => Ok(Some(names)),
            Reply::Status(1) => Ok(None),
            other => Err(unexpected(other)),
        }
    }

    /// Where symbolic links lead to, as they are written. One result for each.
    ///
    /// # Errors
    /// When the channel has failed.
    pub async fn link_targets(&mut self, paths: &[String]) -> Result<Vec<Result<Vec<u8>, FilesError>>, FilesError> {
        let mut targets = Vec::with_capacity(paths.len());
        for batch in paths.chunks(PIECES_AT_ONCE) {
            let requests: Vec<Request> =
                batch.iter().map(|path| Request::new(kind::READLINK).bytes(path.as_bytes())).collect();
            let replies = self.requests.ask("read a symbolic link", &requests).await?;
            targets.extend(replies.into_iter().map(one_name));
        }
        Ok(targets)
    }

    async fn one(&mut self, what: &'static str, request: Request) -> Result<Reply, FilesError> {
        let replies = self.requests.ask(what, &[request]).await?;
        replies.into_iter().next().ok_or(FilesError::Gone)
    }
}

/// Sizes of the requests for `left` bytes that go out at once.
fn pieces(left: usize) -> impl Iterator<Item = usize> {
    (0..PIECES_AT_ONCE)
        .map(move |number| left.saturating_sub(number * PIECE_BYTES).min(PIECE_BYTES))
        .take_while(|it| *it > 0)
}

/// A status that is no success, or an answer to another question.
fn unexpected(reply: Reply) -> FilesError {
    match reply {
        Reply::Status(code) => match FileStatus::of(code) {
            Some(status) => FilesError::Status(status),
            None => FilesError::Protocol { what: "success without the answer" },
        },
        _ => FilesError::Protocol { what: "an answer to another question" },
    }
}

fn done(reply: Reply) -> Result<(), FilesError> {
    if reply == Reply::Status(0) { Ok(()) } else { Err(unexpected(reply)) }
}

fn attributes(reply: Reply) -> Result<Attributes, FilesError> {
    match reply {
        Reply::Attributes(attributes) => Ok(attributes),
        other => Err(unexpected(other)),
    }
}

fn handle(reply: Reply) -> Result<FileHandle, FilesError> {
    match reply {
        Reply::Handle(handle) if handle.len() <= MAX_HANDLE_BYTES => Ok(FileHandle(handle)),
        Reply::Handle(_) => Err(FilesError::Protocol { what: "a handle is longer than any may be" }),
        other => Err(unexpected(other)),
    }
}

/// `None` at the end of the file.
fn data(reply: Reply, wanted: usize) -> Result<Option<Vec<u8>>, FilesError> {
    match reply {
        Reply::Data(data) if data.is_empty() || data.len() > wanted => {
            Err(FilesError::Protocol { what: "another amount of content than was asked for" })
        }
        Reply::Data(data) => Ok(Some(data)),
        Reply::Status(1) => Ok(None),
        other => Err(unexpected(other)),
    }
}

fn one_name(reply: Reply) -> Result<Vec<u8>, FilesError> {
    match reply {
        Reply::Names(mut names) if names.len() == 1 => Ok(names.swap_remove(0).name),
        Reply::Names(_) => Err(FilesError::Protocol { what: "not one path for one question" }),
        other => Err(unexpected(other)),
    }
}

/// What a server calls an absolute path has to be one, or a check against it says nothing.
fn absolute(path: Vec<u8>) -> Result<String, FilesError> {
    let path = String::from_utf8(path).map_err(|_| FilesError::Protocol { what: "a path that is not UTF-8" })?;
    let plain = path.len() <= MAX_PATH_BYTES
        && path.strip_prefix('/').is_some_and(|below| {
            below.is_empty() || below.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0'))
        });
    if plain { Ok(path) } else { Err(FilesError::Protocol { what: "a resolved path that is not one" }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolved_path_leads_nowhere_else() {
        for path in ["/", "/srv", "/srv/a b/..c"] {
            assert_eq!(absolute(path.into()), Ok(path.to_owned()));
        }
        for path in ["", "srv", "../x", "/srv/../etc", "/srv//x", "/srv/./x", "/srv/", "/a\0b"] {
            assert!(absolute(path.into()).is_err(), "{path:?}");
        }
        assert!(absolute(vec![b'/', 0xff]).is_err());
    }

    #[test]
    fn content_is_asked_for_in_pieces() {
        assert_eq!(pieces(10).collect::<Vec<_>>(), [10]);
        assert_eq!(pieces(PIECE_BYTES + 1).collect::<Vec<_>>(), [PIECE_BYTES, 1]);
        assert_eq!(pieces(usize::MAX).count(), PIECES_AT_ONCE);
    }

    #[test]
    fn more_content_than_asked_for_or_none_is_an_error() {
        assert_eq!(data(Reply::Data(vec![1, 2]), 3), Ok(Some(vec![1, 2])));
        assert_eq!(data(Reply::Status(1), 3), Ok(None));
        assert!(data(Reply::Data(vec![0; 4]), 3).is_err());
        assert!(data(Reply::Data(Vec::new()), 3).is_err());
        assert_eq!(data(Reply::Status(3), 3), Err(FilesError::Status(FileStatus::PermissionDenied)));
    }
}
