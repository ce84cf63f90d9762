//! Which files of a host may be read and written over SFTP.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The user's home, as the server has it.
const HOME: &str = "~";
/// Enough for any source file in one call, and still a reply that a client takes.
const DEFAULT_READ_BYTES: usize = 256 * 1024;
const DEFAULT_WRITE_BYTES: usize = 1024 * 1024;
/// Far beyond what a model can make use of.
const MOST_READ_BYTES: usize = 1024 * 1024;
/// Content comes in one message, and messages end at 8 MiB.
const MOST_WRITE_BYTES: usize = 4 * 1024 * 1024;

/// What may be read and written over SFTP. Every file is judged by the policies beside this.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FilesFile {
    /// Folders and files that may be read, with everything below: absolute, or below `~`, the home of the
    /// login's user. Left out: the home. Empty: none.
    pub(super) read: Option<Vec<String>>,
    /// The same for writing.
    pub(super) write: Option<Vec<String>>,
    /// Most bytes read in one call; at most 1 MiB.
    pub(super) max_read_bytes: Option<usize>,
    /// Longest file written; at most 4 MiB.
    pub(super) max_write_bytes: Option<usize>,
}

impl FilesFile {
    /// What this one does not say, `lower` says for it.
    pub(super) fn or(self, lower: Self) -> Self {
        Self {
            read: self.read.or(lower.read),
            write: self.write.or(lower.write),
            max_read_bytes: self.max_read_bytes.or(lower.max_read_bytes),
            max_write_bytes: self.max_write_bytes.or(lower.max_write_bytes),
        }
    }

    /// What applies where nobody says anything. Writing below the home is no more than a shell there may
    /// do; start-up files and keys are the policy's matter, which refuses them.
    pub(super) fn built_in() -> Self {
        let home = || Some(vec![HOME.to_owned()]);
        Self {
            read: home(),
            write: home(),
            max_read_bytes: Some(DEFAULT_READ_BYTES),
            max_write_bytes: Some(DEFAULT_WRITE_BYTES),
        }
    }
}

/// What may be read and written, as used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesAccess {
    /// Absolute, or `~`, or below `~/`.
    pub read: Vec<String>,
    pub write: Vec<String>,
    pub max_read_bytes: usize,
    pub max_write_bytes: usize,
}

/// From what was written to what is used.
pub(super) fn access(written: Option<FilesFile>) -> Result<FilesAccess, String> {
    let written = written.unwrap_or_default().or(FilesFile::built_in());
    let access = FilesAccess {
        read: written.read.unwrap_or_default(),
        write: written.write.unwrap_or_default(),
        max_read_bytes: written.max_read_bytes.unwrap_or(DEFAULT_READ_BYTES),
        max_write_bytes: written.max_write_bytes.unwrap_or(DEFAULT_WRITE_BYTES),
    };
    if let Some(root) = access.read.iter().chain(&access.write).find(|root| !is_root(root)) {
        return Err(format!(
            "`files` names {root:?}; a folder there is absolute or below `~`, without `.`, `..` and control characters"
        ));
    }
    let limits = [
        ("max_read_bytes", access.max_read_bytes, MOST_READ_BYTES),
        ("max_write_bytes", access.max_write_bytes, MOST_WRITE_BYTES),
    ];
    match limits.into_iter().find(|(_, value, most)| !(1..=*most).contains(value)) {
        Some((key, _, most)) => Err(format!("`files.{key}` goes from 1 to {most}")),
        None => Ok(access),
    }
}

fn is_root(root: &str) -> bool {
    let below = root.strip_prefix('/').or_else(|| root.strip_prefix("~/"));
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let path = root.strip_suffix('/').filter(|root| !root.is_empty()).map_or(below, |_| below?.strip_suffix('/'));
    !root.chars().any(char::is_control)
        && (root == HOME || path.is_some_and(|path| path.is_empty() || path.split('/').all(plain)))
}

/// A file that comes with a folder's contents may name less than the user does, and never more.
pub(super) fn check_tightens(wanted: &FilesFile, users: &FilesFile) -> Result<(), String> {
    let lists = [("read", &wanted.read, &users.read), ("write", &wanted.write, &users.write)];
    for (key, wanted, users) in lists {
        let wider = |root: &&String| !users.iter().flatten().any(|users| is_below(root, users));
        if let Some(root) = wanted.iter().flatten().find(wider) {
            return Err(format!("its `files.{key}` would reach {root:?}, and a workspace may only tighten"));
        }
    }
    let limits = [
        ("max_read_bytes", wanted.max_read_bytes, users.max_read_bytes),
        ("max_write_bytes", wanted.max_write_bytes, users.max_write_bytes),
    ];
    match limits.into_iter().find(|(_, wanted, users)| wanted.is_some_and(|wanted| Some(wanted) > *users)) {
        Some((key, ..)) => Err(format!("its `files.{key}` would be larger, and a workspace may only tighten")),
        None => Ok(()),
    }
}

/// By the text alone: both are written the same way, and what links lead to is looked at when it counts.
fn is_below(path: &str, root: &str) -> bool {
    let (path, root) = (path.trim_end_matches('/'), root.trim_end_matches('/'));
    !path.split('/').any(|part| part == "..")
        && path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(roots: &[&str]) -> FilesFile {
        let read = Some(roots.iter().map(|root| (*root).to_owned()).collect());
        FilesFile { read, ..FilesFile::default() }
    }

    #[test]
    fn what_is_left_out_is_the_home_and_what_is_empty_is_nothing() {
        let usual = access(None);
        assert_eq!(
            usual.map(|it| (it.read, it.write, it.max_write_bytes)),
            Ok((vec!["~".into()], vec!["~".into()], 1 << 20))
        );
        let some = access(Some(FilesFile { write: Some(Vec::new()), ..reading(&["/srv/", "~/logs"]) }));
        assert_eq!(some.map(|it| (it.read.len(), it.write.len())), Ok((2, 0)));
    }

    #[test]
    fn folders_that_lead_elsewhere_and_limits_out_of_range_are_mistakes() {
        for root in ["", "srv", "/srv/../etc", "~ann", "~/..", "/a//b", "/a\nb", "./x"] {
            assert!(access(Some(reading(&[root]))).is_err_and(|problem| problem.contains("absolute")), "{root}");
        }
        for root in ["/", "/srv", "/srv/", "~", "~/a/b"] {
            assert!(access(Some(reading(&[root]))).is_ok(), "{root}");
        }
        let none = FilesFile { max_read_bytes: Some(0), ..FilesFile::default() };
        assert_eq!(access(Some(none)), Err("`files.max_read_bytes` goes from 1 to 1048576".to_owned()));
    }

    #[test]
    fn a_workspace_names_less_and_never_more() {
        let users = reading(&["/srv", "~/work"]).or(FilesFile::built_in());
        assert_eq!(check_tightens(&reading(&["/srv/app", "~/work/"]), &users), Ok(()));
        assert_eq!(check_tightens(&reading(&[]), &users), Ok(()));
        for root in ["/", "/srvx", "~", "/srv/../etc", "/home"] {
            assert!(check_tightens(&reading(&[root]), &users).is_err(), "{root}");
        }
        let larger = FilesFile { max_write_bytes: Some(DEFAULT_WRITE_BYTES + 1), ..FilesFile::default() };
        assert!(check_tightens(&larger, &users).is_err());
    }
}
