//! The sets of tools a server can offer: our own, and those of predecessors, name by name.

mod ssh_mcp;
mod ssh_session_mcp;

use super::answer::Answer;
use super::reply::Reply;
use super::tool::Tool;
use super::{server, tools};

pub use ssh_mcp::SshMcpSettings;
pub use ssh_session_mcp::{ConfigOrigin, ConfigResolution, SshSessionMcpSettings};

/// Which set of tools a client finds.
#[derive(Debug, Clone, Default)]
pub enum Toolset {
    /// Our own.
    #[default]
    Portcullis,
    /// Those of `ssh-mcp`.
    SshMcp(SshMcpSettings),
    /// Those of `ssh-session-mcp`.
    SshSessionMcp(Box<SshSessionMcpSettings>),
}

/// A set as the server uses it.
pub(super) struct ToolSet {
    pub(super) tools: Vec<Tool>,
    /// Fields of every result, for the schemas.
    pub(super) always: &'static [&'static str],
    /// What clients show before any tool is chosen.
    pub(super) instructions: &'static str,
    /// Prompts name tools of our own set.
    pub(super) has_prompts: bool,
    /// Puts an answer of the server itself into the form of the set.
    pub(super) answer: fn(Reply) -> Answer,
}

impl Toolset {
    pub(super) fn into_set(self) -> ToolSet {
        match self {
            Self::Portcullis => ToolSet {
                tools: tools::all(),
                always: tools::ALWAYS,
                instructions: server::INSTRUCTIONS,
                has_prompts: true,
                answer: Answer::Ours,
            },
            Self::SshMcp(settings) => ssh_mcp::set(settings),
            Self::SshSessionMcp(settings) => ssh_session_mcp::set(*settings),
        }
    }
}
