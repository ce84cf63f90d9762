//! `[mcp.http]`: who may reach the MCP server over HTTP, and by which names.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretSource;
use super::file::{SecretFile, absolute};

const DEFAULT_SESSIONS: usize = 64;
const DEFAULT_CALLS: usize = 32;

/// What clients over HTTP get; it counts for `portcullis serve --http` only.
#[derive(Debug, Default, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpFile {
    /// Clients by name, each with the bearer token that it shows. Left out: one, with a token made at the first start.
    #[serde(default)]
    pub(super) clients: BTreeMap<String, SecretFile>,
    /// Host names the server answers to, beside those of this machine; needed to listen on other addresses.
    #[serde(default)]
    pub(super) allowed_hosts: Vec<String>,
    /// Pages that may call it, as `https://app.example.org:443`, beside those of this machine.
    #[serde(default)]
    pub(super) allowed_origins: Vec<String>,
    /// All clients may use all sessions; otherwise each its own.
    #[serde(default)]
    pub(super) shared_sessions: bool,
    /// MCP sessions at once (64).
    pub(super) max_sessions: Option<usize>,
    /// Calls at once (32).
    pub(super) max_calls: Option<usize>,
    /// This server's address as clients know it, for OAuth's protected-resource metadata.
    pub(super) resource: Option<String>,
    /// Where clients get tokens for it.
    #[serde(default)]
    pub(super) authorization_servers: Vec<String>,
}

/// How the MCP server is reached over HTTP.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Name and token of each client; none where a token is to be made.
    pub clients: Vec<(String, SecretSource)>,
    pub allowed_hosts: Vec<String>,
    pub allowed_origins: Vec<String>,
    pub shared_sessions: bool,
    pub max_sessions: usize,
    pub max_calls: usize,
    /// The resource's address and its authorization servers, where clients are told of them.
    pub resource: Option<(String, Vec<String>)>,
}

impl HttpFile {
    pub(super) fn make_paths_absolute(&mut self, base: &Path) {
        for file in self.clients.values_mut().filter_map(|client| client.file.as_mut()) {
            *file = absolute(base, file);
        }
    }

    /// As it is used, or what is wrong with it.
    pub(super) fn resolve(self) -> Result<HttpConfig, String> {
        let client = |(name, secret): (String, SecretFile)| match (secret.env, secret.file) {
            (Some(variable), None) => Ok((name, SecretSource::Environment(variable))),
            (None, Some(file)) => Ok((name, SecretSource::File(file))),
            _ => Err(format!("the client `{name}` needs one of `env`, `file`, where its token lies")),
        };
        let resource = match (self.resource, self.authorization_servers) {
            (None, servers) if servers.is_empty() => None,
            (Some(resource), servers) if !servers.is_empty() => Some((resource, servers)),
            _ => return Err("`resource` and `authorization_servers` go together".to_owned()),
        };
        Ok(HttpConfig {
            clients: self.clients.into_iter().map(client).collect::<Result<_, _>>()?,
            allowed_hosts: self.allowed_hosts,
            allowed_origins: self.allowed_origins,
            shared_sessions: self.shared_sessions,
            max_sessions: self.max_sessions.unwrap_or(DEFAULT_SESSIONS),
            max_calls: self.max_calls.unwrap_or(DEFAULT_CALLS),
            resource,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use super::*;

    #[test]
    fn a_client_has_one_token_and_metadata_comes_whole() {
        let read = |text: &str| toml::from_str::<HttpFile>(text).unwrap().resolve();
        assert!(read("[clients.ci]").is_err());
        assert!(read("[clients.ci]\nenv = 'A'\nfile = 'b'").is_err());
        assert!(read("resource = 'https://mcp.example.org/mcp'").is_err());
        assert!(read("authorization_servers = ['https://login.example.org']").is_err());
        let config = read("shared_sessions = true\n[clients.ci]\nenv = 'CI_TOKEN'").unwrap();
        assert_eq!(config.clients, [("ci".to_owned(), SecretSource::Environment("CI_TOKEN".to_owned()))]);
        assert!(config.shared_sessions && config.resource.is_none() && config.max_sessions == DEFAULT_SESSIONS);
    }
}
