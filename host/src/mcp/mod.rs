//! MCP: the agent's side, over a byte stream or HTTP.
//!
//! An adapter: it turns calls into operations and reports into results, and decides nothing. One
//! file per tool holds its parameters, its description and the text of its result. Nothing hangs
//! on a connection; sessions belong to the host.

mod answer;
mod arguments;
mod completion;
mod elicitation;
mod http;
mod progress;
mod prompts;
mod reply;
mod resources;
mod schema;
mod server;
mod subscriptions;
mod tasks;
mod tool;
mod tools;
mod toolsets;
mod transport;
mod under_way;

pub use http::{HttpError, HttpOptions, HttpServer, serve_http};
pub use server::{ServeError, Starting, serve_stdio};
pub use toolsets::{ConfigOrigin, ConfigResolution, SshMcpSettings, SshSessionMcpSettings, Toolset};
