//! Reading a file, a directory, or what the server tells of one.

use portcullis_term::Typist;
use serde::Serialize;

use super::listing::{kind, list, mode, modified};
use super::{
    Admitted, Call, Content, FileError, Listing, OPERATION, Reach, Wish, content, find_session, took_too_long,
};
use crate::audit::FileRecord;
use crate::gate::{FileAccess, Ruling};
use crate::host::Host;
use crate::ops::OpError;
use crate::session::{SessionHandle, SessionSummary};
use crate::ssh::files::{Attributes, FileKind, FilesError};

#[derive(Debug, Clone, Default)]
pub struct ReadFileRequest {
    pub session_id: Option<String>,
    /// Absolute, or below the home.
    pub path: String,
    pub offset_bytes: u64,
    /// Most bytes of content, or about as many characters of a listing.
    pub limit_bytes: usize,
    /// Entries of a directory to leave out.
    pub from_entry: usize,
    pub stat_only: bool,
    /// The profile's server is meant, wherever the terminal is.
    pub on_ssh_server: bool,
}

#[derive(Debug, Serialize)]
pub struct ReadFileReport {
    pub session: SessionSummary,
    /// Whose file it is: `user@host:port`.
    pub server: String,
    /// With all links followed.
    pub path: String,
    /// `file`, `directory` or `unknown`.
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Octal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub listing: Option<Listing>,
    /// Rules that warned.
    pub warnings: Vec<Ruling>,
    pub notes: Vec<String>,
}

/// Reads what the path leads to. Nothing is changed on the server.
///
/// # Errors
/// When a policy or the profile's roots refuse it, or the server does not give it.
pub async fn read_file(host: &Host, request: ReadFileRequest) -> Result<ReadFileReport, OpError> {
    let session = find_session(host, request.session_id.as_deref())?;
    let id = session.id().to_string();
    let reading = tokio::time::timeout(OPERATION, read_in(host, &session, &request));
    let outcome = match reading.await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(took_too_long(&session, &request.path)),
    };
    outcome.map_err(|error| error.in_session(&id))
}

async fn read_in(host: &Host, session: &SessionHandle, request: &ReadFileRequest) -> Result<ReadFileReport, OpError> {
    let call = Call { path: request.path.clone(), wish: Wish::Read, on_ssh_server: request.on_ssh_server };
    let mut reach = Reach::open(host, session, &call).await?;
    let (resolved, attributes) = find(&mut reach, &request.path).await?;
    let access = match attributes.kind() {
        _ if request.stat_only => FileAccess::Look,
        FileKind::Directory => FileAccess::List,
        _ => FileAccess::Read,
    };
    let admitted = reach.admit(host, access, resolved, b"").await?;
    let mut report = ReadFileReport {
        session: session.summary(),
        server: reach.server.clone(),
        path: admitted.path.clone(),
        kind: kind(attributes.kind()),
        size_bytes: attributes.size_bytes,
        mode: mode(&attributes),
        modified: modified(&attributes),
        content: None,
        listing: None,
        warnings: admitted.warnings.clone(),
        notes: Vec::new(),
    };
    let done = fill(&mut reach, access, request, &mut report).await;
    let problem = done.as_ref().err().map(ToString::to_string);
    reach.record(record(access, &admitted, &report, problem)).await?;
    match done {
        Ok(()) => Ok(ReadFileReport { session: session.summary(), ..report }),
        Err(source) => Err(reach.failed(&admitted.path, source).await),
    }
}

/// What the path leads to, within the roots and of a kind that can be read.
async fn find(reach: &mut Reach, path: &str) -> Result<(String, Attributes), OpError> {
    let absolute = reach.absolute(path).map_err(|error| reach.error(error))?;
    let resolved = match reach.files.real_path(&absolute).await {
        Ok(resolved) => resolved,
        Err(source) => return Err(reach.failed(path, source).await),
    };
    reach.check_roots(path, &resolved, Wish::Read).await?;
    let attributes = match reach.files.look(&resolved).await {
        Ok(attributes) => attributes,
        Err(source) => return Err(reach.failed(&resolved, source).await),
    };
    let kind = match attributes.kind() {
        FileKind::File | FileKind::Directory | FileKind::Unknown => return Ok((resolved, attributes)),
        FileKind::Symlink => "a symbolic link that was put there in this moment, or leads nowhere",
        FileKind::Special => "a device, a pipe or a socket",
    };
    Err(reach.error(FileError::NotAFile { path: resolved, kind }))
}

async fn fill(
    reach: &mut Reach,
    access: FileAccess,
    request: &ReadFileRequest,
    report: &mut ReadFileReport,
) -> Result<(), FilesError> {
    let (files, path) = (&mut reach.files, report.path.clone());
    let limit = request.limit_bytes.clamp(1, reach.destination.files.max_read_bytes);
    match access {
        FileAccess::Read => {
            let handle = files.open_to_read(&path).await?;
            let bytes = files.read(&handle, request.offset_bytes, limit + 1).await?;
            report.content = Some(content::present(bytes, request.offset_bytes, limit));
        }
        FileAccess::List => {
            let handle = files.open_directory(&path).await?;
            report.listing = Some(list(files, &handle, &path, request.from_entry, limit, &mut report.notes).await?);
        }
        FileAccess::Look | FileAccess::Write => {}
    }
    if report.content.as_ref().is_some_and(|content| content.control_chars > 0) {
        report.notes.push(
            "control characters are shown as pictures, so this is not the file byte for byte; base64 with ssh_run gives that"
                .to_owned(),
        );
    }
    Ok(())
}

fn record(access: FileAccess, admitted: &Admitted, report: &ReadFileReport, problem: Option<String>) -> FileRecord {
    let content = report.content.as_ref();
    FileRecord {
        actor: Typist::Agent,
        operation: match access {
            FileAccess::List => "list",
            FileAccess::Look => "look",
            FileAccess::Read | FileAccess::Write => "read",
        },
        path: admitted.path.clone(),
        offset_bytes: content.map(|content| content.offset_bytes),
        bytes: content.map(|content| content.read_bytes),
        sha256: content.and_then(|content| content.sha256.clone()),
        verdict: admitted.verdict,
        result: if problem.is_some() { "failed" } else { "read" },
        problem,
    }
}
