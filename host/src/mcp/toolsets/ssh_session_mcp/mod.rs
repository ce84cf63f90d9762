//! The tools of `ssh-session-mcp`, name by name, over our operations.

mod settings;

use super::ToolSet;
use crate::mcp::answer::Answer;

pub use settings::{ConfigOrigin, ConfigResolution, SshSessionMcpSettings};

/// What clients show before any tool is chosen.
const INSTRUCTIONS: &str = "Persistent SSH terminals on configured devices, shared live with a person.";

/// The set as the server uses it.
pub(super) fn set(_settings: SshSessionMcpSettings) -> ToolSet {
    ToolSet { tools: Vec::new(), always: &[], instructions: INSTRUCTIONS, has_prompts: false, answer: Answer::Ours }
}
