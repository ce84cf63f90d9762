//! Which files count, and why.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::resolve::folder;

/// Names of a workspace's file, the first found counts.
const WORKSPACE_NAMES: &[&str] = &[".portcullis.toml", "portcullis.toml"];

/// Why a file counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// `--config`
    Option,
    /// An environment variable.
    Variable(&'static str),
    User,
    Workspace,
}

impl Reason {
    pub fn text(self) -> &'static str {
        match self {
            Self::Option => "given with --config",
            Self::Variable(name) => name,
            Self::User => "the user's file",
            Self::Workspace => "the workspace's file",
        }
    }
}

/// What the search depends on.
pub(super) struct Surroundings {
    pub(super) option: Option<PathBuf>,
    pub(super) portcullis_config: Option<PathBuf>,
    pub(super) ssh_mcp_config: Option<PathBuf>,
    pub(super) user_file: Option<PathBuf>,
    pub(super) current_folder: Option<PathBuf>,
}

/// The files that count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What the operator says; it must be there when it was named.
    pub main: Option<(PathBuf, Reason)>,
    /// What came with the files of the current folder; never beside a file that was named.
    pub workspace: Option<PathBuf>,
}

impl Surroundings {
    pub(super) fn of_process(option: Option<&Path>) -> Self {
        Self {
            option: option.map(Path::to_owned),
            portcullis_config: named(std::env::var_os("PORTCULLIS_CONFIG")),
            ssh_mcp_config: named(std::env::var_os("SSH_MCP_CONFIG")),
            user_file: user_file(),
            current_folder: std::env::current_dir().ok(),
        }
    }
}

/// Empty, and a template that a client has not filled in, is as good as not set.
fn named(value: Option<OsString>) -> Option<PathBuf> {
    value.filter(|value| !value.is_empty() && !value.to_string_lossy().contains("${")).map(PathBuf::from)
}

/// Where the user's file is, or would be; `None` without a home.
pub(super) fn user_file() -> Option<PathBuf> {
    user_folder().map(|folder| folder.join("portcullis.toml"))
}

/// The folder of the user's file.
pub(super) fn user_folder() -> Option<PathBuf> {
    folder("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("portcullis"))
}

pub(super) fn find(surroundings: &Surroundings) -> Found {
    let Surroundings { option, portcullis_config, ssh_mcp_config, user_file, current_folder } = surroundings;
    let chosen = [
        (option, Reason::Option),
        (portcullis_config, Reason::Variable("PORTCULLIS_CONFIG")),
        (ssh_mcp_config, Reason::Variable("SSH_MCP_CONFIG")),
    ];
    if let Some((path, reason)) = chosen.into_iter().find_map(|(path, reason)| Some((path.clone()?, reason))) {
        return Found { main: Some((path, reason)), workspace: None };
    }
    let main = user_file.clone().filter(|path| path.exists());
    let same = |path: &PathBuf| main.as_ref().is_some_and(|main| canonical(main) == canonical(path));
    let workspace = current_folder.as_deref().and_then(workspace_file).filter(|path| !same(path));
    Found { main: main.map(|path| (path, Reason::User)), workspace }
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// In the folder, or in one above it up to the repository's root. Outside of a repository only the
/// folder itself counts: what lies above it need not be the same person's.
fn workspace_file(folder: &Path) -> Option<PathBuf> {
    let in_repository = folder.ancestors().any(|folder| folder.join(".git").exists());
    for folder in folder.ancestors() {
        let file = WORKSPACE_NAMES.iter().map(|name| folder.join(name)).find(|path| path.is_file());
        if file.is_some() || !in_repository || folder.join(".git").exists() {
            return file;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_named_file_counts_alone_and_the_option_before_the_variables() {
        let surroundings = |option: Option<&str>, own: Option<&str>| Surroundings {
            option: option.map(PathBuf::from),
            portcullis_config: own.map(PathBuf::from),
            ssh_mcp_config: Some("m.json".into()),
            user_file: Some("/".into()),
            current_folder: None,
        };
        let main = |found: Found| found.main.unwrap();
        assert_eq!(main(find(&surroundings(Some("a"), Some("b")))), ("a".into(), Reason::Option));
        assert_eq!(main(find(&surroundings(None, Some("b")))), ("b".into(), Reason::Variable("PORTCULLIS_CONFIG")));
        assert_eq!(main(find(&surroundings(None, None))), ("m.json".into(), Reason::Variable("SSH_MCP_CONFIG")));
        assert_eq!(named(Some("${SSH_MCP_CONFIG}".into())), None);
    }

    #[test]
    fn a_workspace_ends_at_the_repositorys_root() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("repository/src/deep");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(folder.path().join("portcullis.toml"), "").unwrap();
        assert_eq!(workspace_file(&inner), None, "outside of a repository only the folder itself counts");
        std::fs::create_dir(folder.path().join("repository/.git")).unwrap();
        assert_eq!(workspace_file(&inner), None, "what lies above the root is not the repository's");
        let file = folder.path().join("repository/.portcullis.toml");
        std::fs::write(&file, "").unwrap();
        assert_eq!(workspace_file(&inner), Some(file));
    }
}
