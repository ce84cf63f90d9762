//! Which sources speak of a profile, strongest first.

use std::fmt;
use std::path::PathBuf;

use super::file::ProfileFile;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    File(PathBuf),
    /// An alias of OpenSSH's configuration.
    SshConfig(String),
    /// `[defaults]` of a file.
    Defaults(PathBuf),
    BuiltIn,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::SshConfig(alias) => write!(formatter, "ssh_config, host {alias}"),
            Self::Defaults(path) => write!(formatter, "{} [defaults]", path.display()),
            Self::BuiltIn => formatter.write_str("built in"),
        }
    }
}

/// All that was written about one profile.
#[derive(Debug, Clone, Default)]
pub(super) struct Layers {
    /// The first that says something wins.
    pub(super) layers: Vec<(Origin, ProfileFile)>,
    /// Why the profile cannot be used, though the files can.
    pub(super) problem: Option<String>,
    pub(super) notes: Vec<String>,
}

impl Layers {
    pub(super) fn merged(&self) -> ProfileFile {
        self.layers.iter().fold(ProfileFile::default(), |upper, (_, lower)| upper.or(lower))
    }

    /// The strongest source.
    pub(super) fn origin(&self) -> String {
        self.layers.first().map_or_else(String::new, |(origin, _)| origin.to_string())
    }

    /// The file of the strongest source that is one of ours.
    pub(super) fn own_file(&self) -> Option<PathBuf> {
        self.layers.iter().find_map(|(origin, _)| match origin {
            Origin::File(path) => Some(path.clone()),
            Origin::SshConfig(_) | Origin::Defaults(_) | Origin::BuiltIn => None,
        })
    }
}
