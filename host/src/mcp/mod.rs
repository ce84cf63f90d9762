//! MCP: the agent's side, over a byte stream.
//!
//! An adapter: it turns calls into operations and reports into results, and decides nothing. One
//! file per tool holds its parameters, its description and the text of its result. Nothing hangs
//! on a connection; sessions belong to the host.

mod arguments;
mod elicitation;
mod progress;
mod reply;
mod schema;
mod server;
mod tool;
mod tools;
mod transport;

pub use server::{ServeError, Starting, serve_stdio};
