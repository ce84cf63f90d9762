//! `portcullis serve --http`: one host for several MCP clients, over HTTP.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::serving::{self, Serving, Start};
use super::toolset::Loaded;
use super::{logging, open_files};
use crate::config::{Config, SecretSource};
use crate::host::{Host, child_compiler};
use crate::mcp::{self, HttpOptions, Toolset};
use crate::random;

/// Clients have this long to take the answers to what is under way; the sessions have theirs after it.
const CLIENTS_STOP_LIMIT: Duration = Duration::from_millis(700);
/// The file of the token that is made at the first start, in the state folder.
const TOKEN_FILE: &str = "http-token";

pub(super) async fn run(address: SocketAddr, loaded: Loaded, label: Option<String>) -> anyhow::Result<()> {
    let Loaded { config, toolset } = loaded;
    logging::start_host(&config.log)?;
    open_files::raise_limit();
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let host = Host::start(config, child_compiler(program)).await?;
    let shutdown = CancellationToken::new();
    serving::stop_on_signals(&shutdown)?;
    let options = options(address, host.config(), toolset)?;
    let (_ready, starting) = watch::channel(Some(host.clone()));
    let server = mcp::serve_http(starting, options, shutdown.clone()).await?;
    let around = Serving::begin(host, Start { label, client_process_id: None }, &shutdown).await?;
    eprintln!("MCP: http://{}/mcp", server.address);
    shutdown.cancelled().await;
    // Past the limit the process ends all the same; the operating system closes what is left.
    let _ = tokio::time::timeout(CLIENTS_STOP_LIMIT, server.stopped()).await;
    around.end().await;
    Ok(())
}

fn options(address: SocketAddr, config: &Config, toolset: Toolset) -> anyhow::Result<HttpOptions> {
    let http = &config.http;
    let read = |(name, source): &(String, SecretSource)| {
        let token = source.read().with_context(|| format!("the token of the client `{name}`"))?;
        anyhow::Ok((name.clone(), token.expose().to_owned()))
    };
    let clients = match http.clients.is_empty() {
        true => vec![("client".to_owned(), made_token(&config.state_directory.join(TOKEN_FILE))?)],
        false => http.clients.iter().map(read).collect::<Result<_, _>>()?,
    };
    Ok(HttpOptions {
        address,
        clients,
        allowed_hosts: http.allowed_hosts.clone(),
        allowed_origins: http.allowed_origins.clone(),
        shared_sessions: http.shared_sessions,
        max_sessions: http.max_sessions,
        max_calls: http.max_calls,
        resource: http.resource.clone(),
        toolset,
        structured: config.mcp.structured,
    })
}

/// The token in the file. The first start makes it and prints it, once; later ones say where it lies.
fn made_token(path: &Path) -> anyhow::Result<String> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let token = random::hex(24).context("no random number could be had for a token")?;
            writeln!(file, "{token}").with_context(|| format!("the token cannot be written to {}", path.display()))?;
            eprintln!("token: {token} (kept in {})", path.display());
            Ok(token)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let token = SecretSource::File(path.to_owned()).read()?;
            eprintln!("token: in {}", path.display());
            Ok(token.expose().to_owned())
        }
        Err(error) => Err(error).with_context(|| format!("the token cannot be written to {}", path.display())),
    }
}
