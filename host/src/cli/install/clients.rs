//! The clients: where each keeps its servers, and how one is written there.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// A client that a server can be registered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Client {
    ClaudeCode,
    ClaudeDesktop,
    Codex,
    Vscode,
    Cursor,
    Gemini,
}

/// How the program is started by a client.
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
}

impl Client {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::ClaudeCode => "Claude Code",
            Self::ClaudeDesktop => "Claude Desktop",
            Self::Codex => "Codex",
            Self::Vscode => "VS Code",
            Self::Cursor => "Cursor",
            Self::Gemini => "Gemini CLI",
        }
    }

    /// As the command line names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::ClaudeDesktop => "claude-desktop",
            Self::Codex => "codex",
            Self::Vscode => "vscode",
            Self::Cursor => "cursor",
            Self::Gemini => "gemini",
        }
    }

    /// The user's file, below their home.
    pub(super) fn file(self, home: &Path) -> PathBuf {
        let settings = || match cfg!(target_os = "macos") {
            true => home.join("Library/Application Support"),
            false => super::variable("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from),
        };
        match self {
            Self::ClaudeCode => home.join(".claude.json"),
            Self::ClaudeDesktop => settings().join("Claude/claude_desktop_config.json"),
            Self::Codex => {
                super::variable("CODEX_HOME").map_or_else(|| home.join(".codex"), PathBuf::from).join("config.toml")
            }
            Self::Vscode => settings().join("Code/User/mcp.json"),
            Self::Cursor => home.join(".cursor/mcp.json"),
            Self::Gemini => home.join(".gemini/settings.json"),
        }
    }

    /// The table or object that holds the servers.
    pub(super) fn container(self) -> &'static str {
        match self {
            Self::Codex => "mcp_servers",
            Self::Vscode => "servers",
            Self::ClaudeCode | Self::ClaudeDesktop | Self::Cursor | Self::Gemini => "mcpServers",
        }
    }

    /// The server's entry as JSON, in lines.
    pub(super) fn json(self, launch: &Launch) -> String {
        let mut entry = Map::new();
        if matches!(self, Self::ClaudeCode | Self::Vscode) {
            entry.insert("type".to_owned(), json!("stdio"));
        }
        entry.insert("command".to_owned(), json!(launch.program.display().to_string()));
        entry.insert("args".to_owned(), json!(launch.arguments));
        let environment = self.environment();
        if !environment.is_empty() {
            entry.insert("env".to_owned(), Value::Object(environment));
        }
        format!("{:#}", Value::Object(entry))
    }

    /// What the client would not hand on. By name where it fills names in, so that a new login's agent is found;
    /// as it is now where it does not.
    fn environment(self) -> Map<String, Value> {
        let agent = super::variable("SSH_AUTH_SOCK");
        let named = match self {
            Self::ClaudeDesktop => agent.clone(),
            Self::ClaudeCode => Some("${SSH_AUTH_SOCK:-}".to_owned()),
            Self::Vscode | Self::Cursor => Some("${env:SSH_AUTH_SOCK}".to_owned()),
            Self::Gemini => Some("$SSH_AUTH_SOCK".to_owned()),
            Self::Codex => None,
        };
        let agent = named.filter(|_| agent.is_some()).map(|value| ("SSH_AUTH_SOCK".to_owned(), json!(value)));
        // A desktop starts it without the shell's own path.
        let path = super::variable("PATH").filter(|_| self == Self::ClaudeDesktop);
        path.map(|path| ("PATH".to_owned(), json!(path))).into_iter().chain(agent).collect()
    }
}
