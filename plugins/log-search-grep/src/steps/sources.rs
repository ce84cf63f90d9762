//! The sources of a listing, as the host shows them.

use serde::Serialize;

use super::state::{File, Kind, State};

/// A report has to stay below what one text may have.
const MAX_DESCRIBED: usize = 800;

/// One source.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Described {
    source: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    compression: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified_unix_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_unix_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_unix_ms: Option<i64>,
}

/// All of them, oldest first; the newest where there are too many.
pub(super) fn describe(state: &State) -> Vec<Described> {
    let from = state.files.len().saturating_sub(MAX_DESCRIBED);
    state.files[from..].iter().map(described).collect()
}

fn described(file: &File) -> Described {
    let (kind, compression) = match file.kind {
        Kind::Plain => ("file", None),
        Kind::Gz => ("file", Some("gzip")),
        Kind::Xz => ("file", Some("xz")),
        Kind::Zst => ("file", Some("zstd")),
        Kind::Bz2 => ("file", Some("bzip2")),
        Kind::Journal => ("journal", None),
        Kind::Kubectl => ("kubernetes", None),
        Kind::Docker => ("docker", None),
    };
    let is_file = kind == "file";
    Described {
        source: file.path.clone(),
        kind,
        compression,
        size_bytes: is_file.then_some(file.size),
        modified_unix_ms: is_file.then_some(file.mtime.saturating_mul(1000)),
        first_unix_ms: file.first,
        last_unix_ms: file.last,
    }
}
