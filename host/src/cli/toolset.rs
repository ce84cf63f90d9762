//! `--toolset`: the tools a client finds, and what was given to the program whose tools they are.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, ValueEnum};

use crate::config::predecessor::{self, Given, Predecessor};
use crate::config::{self, Config};
use crate::mcp::{ConfigOrigin, ConfigResolution, SshMcpSettings, SshSessionMcpSettings, Toolset};

/// A set of tools by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum ToolsetName {
    /// Our own.
    #[default]
    Portcullis,
    /// The tools of `ssh-mcp`, name by name.
    SshMcp,
    /// The tools of `ssh-session-mcp`, name by name.
    SshSessionMcp,
}

impl ToolsetName {
    /// As it is written on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Portcullis => "portcullis",
            Self::SshMcp => "ssh-mcp",
            Self::SshSessionMcp => "ssh-session-mcp",
        }
    }
}

/// Of the commands that serve clients.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Which tools the client finds. Flags of ssh-mcp or ssh-session-mcp may follow it.
    #[arg(long, value_enum, default_value_t)]
    toolset: ToolsetName,
    /// Flags of the program whose tools they are.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS OF THE SET")]
    flags: Vec<String>,
}

/// What is to be served.
pub(super) struct Loaded {
    pub(super) config: Config,
    pub(super) toolset: Toolset,
}

impl Arguments {
    /// Reads the configuration, with the files, flags and variables of the program whose tools they are. What of
    /// them has no effect is told on standard error, once.
    pub(super) fn load(self, path: Option<&Path>) -> anyhow::Result<Loaded> {
        let Self { toolset, flags } = self;
        let predecessor = match toolset {
            ToolsetName::Portcullis => {
                if let Some(flag) = flags.first() {
                    bail!(
                        "unexpected argument `{flag}`; flags of another program follow `--toolset ssh-mcp` or `--toolset ssh-session-mcp`"
                    );
                }
                return Ok(Loaded { config: config::load(path)?, toolset: Toolset::Portcullis });
            }
            ToolsetName::SshMcp => Predecessor::SshMcp,
            ToolsetName::SshSessionMcp => Predecessor::SshSessionMcp,
        };
        let given = Given::of_process(predecessor, &flags)?;
        let mut session_settings = session_settings(&given)?;
        let predecessor::Loaded { config, files, notes } = predecessor::load(given, path)?;
        notes.iter().chain(&config.notes).for_each(|note| eprintln!("portcullis: {note}"));
        let toolset = match predecessor {
            Predecessor::SshMcp => Toolset::SshMcp(SshMcpSettings { notes }),
            Predecessor::SshSessionMcp => {
                session_settings.origin = origin(files);
                Toolset::SshSessionMcp(Box::new(session_settings))
            }
        };
        Ok(Loaded { config, toolset })
    }
}

fn session_settings(given: &Given) -> anyhow::Result<SshSessionMcpSettings> {
    let usual = SshSessionMcpSettings::default();
    let number = |flag: &str, usual: usize| -> anyhow::Result<usize> {
        Ok(given.number(flag)?.and_then(|number| usize::try_from(number).ok()).unwrap_or(usual))
    };
    let cells = |flag: &str| -> anyhow::Result<Option<u16>> {
        let Some(wanted) = given.number(flag)? else { return Ok(None) };
        match u16::try_from(wanted) {
            Ok(cells @ 2..=1000) => Ok(Some(cells)),
            _ => bail!("--{flag} is {wanted}; a terminal has 2 to 1000"),
        }
    };
    let wait = |flag: &str, usual: Duration| -> anyhow::Result<Duration> {
        Ok(given.number(flag)?.map_or(usual, Duration::from_millis))
    };
    Ok(SshSessionMcpSettings {
        instance: given.value("instance"),
        mode: given.mode()?.unwrap_or(usual.mode),
        idle_timeout: wait("timeout", usual.idle_timeout)?,
        columns: cells("cols")?,
        rows: cells("rows")?,
        default_read_chars: number("defaultReadChars", usual.default_read_chars)?,
        default_watch_wait: wait("defaultWatchWaitMs", usual.default_watch_wait)?,
        default_dashboard_width: number("defaultDashboardWidth", usual.default_dashboard_width)?,
        default_dashboard_height: number("defaultDashboardHeight", usual.default_dashboard_height)?,
        default_dashboard_left_chars: number("defaultDashboardLeftChars", usual.default_dashboard_left_chars)?,
        default_dashboard_right_events: number("defaultDashboardRightEvents", usual.default_dashboard_right_events)?,
        origin: usual.origin,
    })
}

fn origin(files: predecessor::Files) -> ConfigOrigin {
    let resolution = match (&files.explicit, files.only_variables) {
        (Some(_), _) => ConfigResolution::Explicit,
        (None, true) => ConfigResolution::LegacyEnvironment,
        (None, false) => ConfigResolution::Merged,
    };
    ConfigOrigin {
        explicit_path: files.explicit,
        workspace_path: Some(files.workspace),
        global_path: files.users,
        resolution,
    }
}
