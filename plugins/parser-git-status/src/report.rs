//! The document, as it grows.

use serde::Serialize;

/// After the schema `git-status/1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detached: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) no_commits: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) upstream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) upstream_gone: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ahead: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) behind: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stashes: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) in_progress: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clean: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) truncated: Option<bool>,
    pub(crate) staged: Vec<Change>,
    pub(crate) unstaged: Vec<Change>,
    pub(crate) unmerged: Vec<Conflict>,
    pub(crate) untracked: Vec<String>,
    pub(crate) ignored: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    pub(crate) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) original_path: Option<String>,
    pub(crate) change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Conflict {
    pub(crate) path: String,
    pub(crate) conflict: &'static str,
}

impl Change {
    pub(crate) fn new(path: String, change: &'static str) -> Self {
        Self { path, original_path: None, change, note: None }
    }
}

impl Report {
    /// Takes an entry of one of the forms with two letters, for index and work tree. `.` and a
    /// blank are "unchanged". False when the letters mean nothing known.
    pub(crate) fn entry(&mut self, letters: (char, char), path: &str, original_path: Option<&str>) -> bool {
        let (index, tree) = letters;
        if let Some(conflict) = conflict(index, tree) {
            self.unmerged.push(Conflict { path: path.to_owned(), conflict });
            return true;
        }
        let (Some(index), Some(tree)) = (change(index), change(tree)) else { return false };
        if index.is_none() && tree.is_none() {
            return false;
        }
        let make = |change: &'static str| Change {
            path: path.to_owned(),
            original_path: original_path.filter(|_| ["renamed", "copied"].contains(&change)).map(str::to_owned),
            change,
            note: None,
        };
        self.staged.extend(index.map(make));
        self.unstaged.extend(tree.map(make));
        true
    }
}

/// The change a letter stands for, none inside when there is none; none outside when unknown.
#[allow(clippy::option_option, reason = "unchanged and unknown are two things here")]
fn change(letter: char) -> Option<Option<&'static str>> {
    Some(match letter {
        ' ' | '.' => None,
        'M' => Some("modified"),
        'A' => Some("added"),
        'D' => Some("deleted"),
        'R' => Some("renamed"),
        'C' => Some("copied"),
        'T' => Some("type-changed"),
        _ => return None,
    })
}

fn conflict(index: char, tree: char) -> Option<&'static str> {
    Some(match (index, tree) {
        ('D', 'D') => "both-deleted",
        ('A', 'U') => "added-by-us",
        ('U', 'D') => "deleted-by-them",
        ('U', 'A') => "added-by-them",
        ('D', 'U') => "deleted-by-us",
        ('A', 'A') => "both-added",
        ('U', 'U') => "both-modified",
        _ => return None,
    })
}
