//! `portcullis stdio`: a host of its own for one MCP client.

use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::serving::{self, Serving, Start};
use super::toolset::Loaded;
use super::{logging, open_files};
use crate::host::{Host, child_compiler};
use crate::mcp;

/// The handshake waits for the host this long: far more than a start takes, but for the very first one, and far
/// less than clients wait for a server.
const HANDSHAKE_WAITS: Duration = Duration::from_secs(2);

pub(super) async fn run(loaded: Loaded, label: Option<String>) -> anyhow::Result<()> {
    let Loaded { config, toolset } = loaded;
    logging::start_host(&config.log)?;
    open_files::raise_limit();
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let shutdown = CancellationToken::new();
    let (ready, starting) = watch::channel(None);
    let serve = mcp::serve_stdio(starting, toolset, config.mcp.structured, shutdown.clone());
    let mut start = Box::pin(Host::start(config, child_compiler(program)));
    // What cannot start says so before the client hears anything, unless it takes long to find out.
    let (serving, host) = match tokio::time::timeout(HANDSHAKE_WAITS, &mut start).await {
        Ok(host) => {
            let host = host?;
            (tokio::spawn(serve), host)
        }
        Err(_elapsed) => (tokio::spawn(serve), start.await?),
    };
    serving::stop_on_signals(&shutdown)?;
    let start = Start { label, client_process_id: Some(std::os::unix::process::parent_id()) };
    let around = Serving::begin(host.clone(), start, &shutdown).await?;
    ready.send_replace(Some(host));
    let served = serving.await.context("serving the client was broken off")?;
    shutdown.cancel();
    around.end().await;
    served.map_err(Into::into)
}
