//! Flags and variables of the two programs that this one can take the place of, and what becomes of each here.

use std::collections::BTreeMap;

use super::Predecessor;
use crate::config::ConfigError;
use crate::config::keys::nearest;

/// What is done with a setting.
#[derive(Debug, Clone, Copy)]
pub(super) enum Use {
    Used,
    /// Nothing; what to do instead.
    Instead(&'static str),
}

/// One setting, by its flag and its variable.
#[derive(Debug)]
pub(super) struct Setting {
    /// Without the dashes in front.
    pub(super) flag: Option<&'static str>,
    pub(super) variable: Option<&'static str>,
    pub(super) becomes: Use,
}

const fn used(flag: &'static str, variable: &'static str) -> Setting {
    Setting { flag: Some(flag), variable: Some(variable), becomes: Use::Used }
}

const fn flag(flag: &'static str) -> Setting {
    Setting { flag: Some(flag), variable: None, becomes: Use::Used }
}

const fn variable(variable: &'static str) -> Setting {
    Setting { flag: None, variable: Some(variable), becomes: Use::Used }
}

const fn unused(flag: Option<&'static str>, variable: Option<&'static str>, instead: &'static str) -> Setting {
    Setting { flag, variable, becomes: Use::Instead(instead) }
}

const RECORD: &str = "records and log lie where `state_directory` of portcullis.toml says";
const KEEP: &str = "say what is kept of records under `[transcript.keep]` of portcullis.toml";
const MEMORY: &str = "say how much is kept in memory under `[limits]` of portcullis.toml";
const OPENS_NOTHING: &str = "nothing is opened by itself; `portcullis viewer` prints the viewer's links";
const ALONE: &str = "each process is a host of its own; for several clients there is `portcullis serve --http`";
const NO_PROXY: &str = "whoever opens the viewer logs in with a link that `portcullis viewer` prints";

const SSH_MCP: &[Setting] = &[
    used("config", "SSH_MCP_CONFIG"),
    used("viewer-host", "SSH_MCP_VIEWER_HOST"),
    used("viewer-port", "SSH_MCP_VIEWER_PORT"),
    variable("SSH_MCP_CLIENT_LABEL"),
    variable("SSH_MCP_KEEPALIVE_INTERVAL"),
    variable("SSH_MCP_ENTER_SEQUENCE"),
    variable("SSH_MCP_SECURITY_MODE"),
    unused(None, Some("SSH_MCP_RUNTIME_DIR"), RECORD),
    unused(None, Some("SSH_MCP_LOG_PATH"), RECORD),
    unused(None, Some("SSH_MCP_TRANSCRIPTS_DIR"), RECORD),
    unused(None, Some("SSH_MCP_REDACT_TRANSCRIPTS"), "what looks like a secret is always left out of records"),
    unused(None, Some("SSH_MCP_TRANSCRIPT_RETENTION_DAYS"), KEEP),
    unused(None, Some("SSH_MCP_TRANSCRIPT_MAX_FILES"), KEEP),
];

const SSH_SESSION_MCP: &[Setting] = &[
    used("host", "SSH_HOST"),
    used("port", "SSH_PORT"),
    used("user", "SSH_USER"),
    unused(
        Some("password"),
        None,
        "on a command line every program on this machine can read it: put it into the variable SSH_PASSWORD, or name its file in SSH_PASSWORD_FILE",
    ),
    variable("SSH_PASSWORD"),
    variable("SSH_PASSWORD_FILE"),
    used("key", "SSH_KEY"),
    variable("SSH_KEY_FILE"),
    used("instance", "SSH_MCP_INSTANCE"),
    used("config", "SSH_MCP_CONFIG"),
    used("viewerHost", "VIEWER_HOST"),
    used("viewerPort", "VIEWER_PORT"),
    used("mode", "SSH_MCP_MODE"),
    flag("timeout"),
    flag("cols"),
    flag("rows"),
    flag("defaultReadChars"),
    flag("defaultWatchWaitMs"),
    flag("defaultDashboardWidth"),
    flag("defaultDashboardHeight"),
    flag("defaultDashboardLeftChars"),
    flag("defaultDashboardRightEvents"),
    unused(Some("viewerLaunchMode"), Some("VIEWER_LAUNCH_MODE"), OPENS_NOTHING),
    unused(Some("autoOpenTerminal"), Some("AUTO_OPEN_TERMINAL"), OPENS_NOTHING),
    unused(
        Some("useMarker"),
        Some("SSH_MCP_USE_MARKER"),
        "the end of a command is seen without a line typed behind it",
    ),
    unused(Some("logMode"), Some("SSH_MCP_LOG_MODE"), "say what is recorded with `transcript` of a profile"),
    unused(Some("logDir"), Some("SSH_MCP_LOG_DIR"), RECORD),
    unused(Some("stateDir"), Some("SSH_MCP_STATE_DIR"), RECORD),
    unused(Some("term"), None, "terminals are xterm-256color"),
    unused(Some("maxBufferChars"), None, MEMORY),
    unused(Some("maxTranscriptEvents"), None, MEMORY),
    unused(Some("maxTranscriptChars"), None, MEMORY),
    unused(Some("maxHistoryLines"), None, MEMORY),
    unused(Some("closedRetentionMs"), None, MEMORY),
    unused(Some("idleSweepMs"), None, "an idle session is closed when its time is over, whatever the interval"),
    unused(Some("viewerRefreshMs"), None, "the viewer shows what is printed as it comes"),
    unused(Some("runtimeMode"), Some("SSH_MCP_RUNTIME_MODE"), ALONE),
    unused(Some("store"), Some("SSH_MCP_STORE"), ALONE),
    unused(Some("redisUrl"), Some("SSH_MCP_REDIS_URL"), ALONE),
    unused(Some("nodeId"), Some("SSH_MCP_NODE_ID"), ALONE),
    unused(Some("publicBaseUrl"), Some("SSH_MCP_PUBLIC_BASE_URL"), ALONE),
    unused(Some("authMode"), Some("SSH_MCP_AUTH_MODE"), NO_PROXY),
    unused(Some("trustProxy"), Some("SSH_MCP_TRUST_PROXY"), NO_PROXY),
    unused(Some("authUserHeader"), Some("SSH_MCP_AUTH_USER_HEADER"), NO_PROXY),
    unused(Some("authRoleHeader"), Some("SSH_MCP_AUTH_ROLE_HEADER"), NO_PROXY),
    unused(Some("local"), Some("SSH_MCP_LOCAL"), "a shell of this machine is a profile with `kind = \"local\"`"),
    unused(Some("debug"), Some("SSH_MCP_DEBUG"), "a person types in the viewer as in a terminal"),
];

pub(super) fn settings(predecessor: Predecessor) -> &'static [Setting] {
    match predecessor {
        Predecessor::SshMcp => SSH_MCP,
        Predecessor::SshSessionMcp => SSH_SESSION_MCP,
    }
}

/// Spellings differ between the two, and between their versions: `viewer-port`, `viewerPort`.
fn plain(flag: &str) -> String {
    flag.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect()
}

/// The flags on the command line with their values, `true` where they have none; and notes on those that nobody knows.
///
/// # Errors
/// Of an unknown flag, where the predecessor refused it, and of what is no flag.
pub(super) fn read(
    predecessor: Predecessor,
    arguments: &[String],
) -> Result<(BTreeMap<&'static str, String>, Vec<String>), ConfigError> {
    let known: Vec<&'static str> = settings(predecessor).iter().filter_map(|setting| setting.flag).collect();
    let (mut found, mut notes) = (BTreeMap::new(), Vec::new());
    let mut rest = arguments.iter().peekable();
    while let Some(argument) = rest.next() {
        let Some(written) = argument.strip_prefix("--") else {
            let problem = format!("`{argument}` is no flag of {}; write --NAME=VALUE", predecessor.name());
            return Err(ConfigError::Given(problem));
        };
        let (name, value) = match written.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => {
                let value = rest.next_if(|next| !next.starts_with("--"));
                (written, value.map_or_else(|| "true".to_owned(), Clone::clone))
            }
        };
        match known.iter().find(|flag| plain(flag) == plain(name)) {
            Some(flag) => drop(found.insert(*flag, value)),
            None if predecessor == Predecessor::SshMcp => {
                notes.push(format!("--{name} is no flag of ssh-mcp and has no effect"));
            }
            None => {
                let near = nearest(name, &known).map_or(String::new(), |near| format!(", did you mean --{near}?"));
                return Err(ConfigError::Given(format!("--{name} is no flag of ssh-session-mcp{near}")));
            }
        }
    }
    Ok((found, notes))
}
