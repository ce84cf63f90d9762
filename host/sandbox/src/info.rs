//! What is known of a loaded plugin.

use std::fmt;

use serde::Serialize;

use crate::health::Breaches;
use crate::limits::Limits;

/// The four kinds of plugin, one WIT package each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginKind {
    Policy,
    Navigator,
    Parser,
    LogSearch,
}

impl PluginKind {
    pub const ALL: [Self; 4] = [Self::Policy, Self::Navigator, Self::Parser, Self::LogSearch];

    /// `policy`, `navigator`, `parser` or `log-search`, as in settings and in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Navigator => "navigator",
            Self::Parser => "parser",
            Self::LogSearch => "log-search",
        }
    }

    /// The interface a plugin of this kind exports, without its version.
    pub(crate) fn interface(self) -> &'static str {
        match self {
            Self::Policy => "portcullis:policy/command-policy",
            Self::Navigator => "portcullis:navigator/menu-navigator",
            Self::Parser => "portcullis:parser/output-parser",
            Self::LogSearch => "portcullis:log-search/log-search",
        }
    }

    /// The versions of its contract that this host speaks, oldest first, each for all its patch versions.
    ///
    /// Before 1.0 one minor version is one contract (`wit/README.md`).
    pub(crate) fn versions(self) -> &'static [&'static str] {
        match self {
            Self::Policy => &["0.1", "0.2"],
            Self::Navigator | Self::Parser | Self::LogSearch => &["0.1"],
        }
    }
}

impl fmt::Display for PluginKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A plugin's identity and how it has fared so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginInfo {
    pub name: String,
    pub kind: PluginKind,
    /// SHA-256 of the component file, lower-case hexadecimal.
    pub digest_sha256: String,
    /// Version of the contract it was built for, e.g. `0.1.0`.
    pub contract_version: String,
    pub size_bytes: usize,
    /// What it may use.
    #[serde(skip)]
    pub limits: Limits,
    /// Calls since it was loaded.
    pub calls: u64,
    /// Calls that ended in a [`CallError`](crate::CallError).
    pub failures: u64,
    /// Which limits it met, and how often.
    #[serde(skip_serializing_if = "Breaches::is_empty")]
    pub breaches: Breaches,
    /// How it failed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
    /// It kept failing and is not asked for so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rests_for_s: Option<u64>,
}

impl PluginInfo {
    /// One line for one component that is loaded several times, with other settings each.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            failures: self.failures + other.failures,
            breaches: self.breaches.and(other.breaches),
            last_failure: self.last_failure.or(other.last_failure),
            rests_for_s: self.rests_for_s.max(other.rests_for_s),
            ..self
        }
    }
}
