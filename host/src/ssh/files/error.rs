//! Why a file could not be reached over SFTP. The server's own words are in none of these.

use std::time::Duration;

/// What went wrong between this program and the server's SFTP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    #[error("the connection to the server has ended")]
    Gone,
    #[error("the server refused a further channel on this connection ({reason}); it may limit them (MaxSessions)")]
    ChannelRefused { reason: &'static str },
    #[error("the server offers no SFTP")]
    NoSftp,
    #[error("the server did not {what} within {} s", .after.as_secs_f32())]
    Timeout { what: &'static str, after: Duration },
    #[error("the server does not follow the SFTP protocol: {what}")]
    Protocol { what: &'static str },
    #[error("{0}")]
    Status(FileStatus),
}

/// What a server says when it does not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileStatus {
    #[error("there is no such file")]
    NoSuchFile,
    #[error("permission denied")]
    PermissionDenied,
    #[error("the server does not support this")]
    Unsupported,
    /// The one word for everything else: a full disk, a directory in the way, a name that is taken.
    #[error("the server reports a failure without a reason")]
    Failure,
}

impl FileStatus {
    /// `None` for success and for the end of a file, which are no failures.
    pub(super) fn of(code: u32) -> Option<Self> {
        match code {
            0 | 1 => None,
            2 => Some(Self::NoSuchFile),
            3 => Some(Self::PermissionDenied),
            8 => Some(Self::Unsupported),
            _ => Some(Self::Failure),
        }
    }
}

impl FilesError {
    /// What the server says of the file, where that is what this is.
    #[must_use]
    pub fn status(&self) -> Option<FileStatus> {
        match self {
            Self::Status(status) => Some(*status),
            _ => None,
        }
    }
}
