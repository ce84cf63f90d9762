//! What the predecessor's flags and variables change about its tools.
//!
//! Reading them is the command line's. What they say about devices, policies, the viewer and the record is the
//! configuration's and is not here.

use std::path::PathBuf;
use std::time::Duration;

use crate::ops::PolicyMode;

/// How the tools behave where a call does not say. The defaults are the predecessor's.
#[derive(Debug, Clone)]
pub struct SshSessionMcpSettings {
    /// The instance's name, told as `instanceId`; the host's own id where it is none.
    pub instance: Option<String>,
    /// Told as `operationMode` where no session is meant. What holds in a session is its profile's mode.
    pub mode: PolicyMode,
    /// A session in which nothing happens for this long is closed, where its device does not say; zero keeps it.
    pub idle_timeout: Duration,
    /// The terminal of a new session, where neither the call nor the device says; 120 and 40 where this does not.
    pub columns: Option<u16>,
    pub rows: Option<u16>,
    /// Characters of a read.
    pub default_read_chars: usize,
    pub default_watch_wait: Duration,
    /// The text form of a terminal: width and height in characters, and how much output it is made of.
    pub default_dashboard_width: usize,
    pub default_dashboard_height: usize,
    pub default_dashboard_left_chars: usize,
    pub default_dashboard_right_events: usize,
    /// Where the configuration came from, as the tools tell it.
    pub origin: ConfigOrigin,
}

/// The predecessor's terminal.
const USUAL_SIZE: (u16, u16) = (120, 40);

impl SshSessionMcpSettings {
    /// Columns and rows of a terminal of which nobody says more.
    pub(super) fn size(&self) -> (u16, u16) {
        (self.columns.unwrap_or(USUAL_SIZE.0), self.rows.unwrap_or(USUAL_SIZE.1))
    }
}

impl Default for SshSessionMcpSettings {
    fn default() -> Self {
        Self {
            instance: None,
            mode: PolicyMode::default(),
            idle_timeout: Duration::from_millis(1_800_000),
            columns: None,
            rows: None,
            default_read_chars: 4_000,
            default_watch_wait: Duration::from_millis(5_000),
            default_dashboard_width: 140,
            default_dashboard_height: 24,
            default_dashboard_left_chars: 12_000,
            default_dashboard_right_events: 40,
            origin: ConfigOrigin::default(),
        }
    }
}

/// The files that the devices were read from.
#[derive(Debug, Clone, Default)]
pub struct ConfigOrigin {
    pub explicit_path: Option<PathBuf>,
    pub workspace_path: Option<PathBuf>,
    pub global_path: Option<PathBuf>,
    pub resolution: ConfigResolution,
}

/// How they were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConfigResolution {
    /// One file was named.
    Explicit,
    /// The files of the user and of the folder, as far as they are there; and ours.
    #[default]
    Merged,
    /// A single device out of variables and flags.
    LegacyEnvironment,
}

impl ConfigResolution {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Merged => "merged",
            Self::LegacyEnvironment => "legacy-env",
        }
    }

    pub(super) fn source(self) -> &'static str {
        match self {
            Self::Explicit | Self::Merged => "config",
            Self::LegacyEnvironment => "legacy-env",
        }
    }
}
