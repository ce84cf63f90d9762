//! OpenSSH's client configuration, read as `ssh` reads it: for a host as a person would type it,
//! which address, user, keys, jump hosts and known_hosts files apply.
//!
//! After ssh_config(5) of OpenSSH 9: the first value found wins, the user's file comes before the
//! system's, `Host` and `Match` open conditional parts, `Include` reads further files in place.
//! Nothing is run: a `Match exec` part never applies and is reported. The tests compare the answers
//! with `ssh -G`.
//!
//! Reads files and nothing else; the environment and the user's name are arguments. Not here: known
//! hosts, keys, connections.

mod error;
mod evaluate;
mod expand;
mod keyword;
mod line;
mod options;
mod pattern;

pub use error::ConfigError;
pub use evaluate::{Files, Note, Query, aliases, resolve};
pub use options::{AgentSocket, HostOptions, JumpHost, StrictHostKeyChecking};
