//! `portcullis stdio`: a host of its own for one MCP client.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::host::{Host, child_compiler};
use crate::web::roles::{Role, Tokens};
use crate::web::{self, WebOptions};
use crate::{mcp, web::WebServer};

/// Sessions are given this long to end; the process must not outlive its client.
const STOP_LIMIT: Duration = Duration::from_millis(700);
/// The handshake waits for the host this long: far more than a start takes, but for the very first one, and far
/// less than clients wait for a server.
const HANDSHAKE_WAITS: Duration = Duration::from_secs(2);

pub(super) async fn run(path: Option<PathBuf>) -> anyhow::Result<()> {
    let config = config::load(path.as_deref())?;
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let shutdown = CancellationToken::new();
    let (ready, starting) = watch::channel(None);
    let serve = mcp::serve_stdio(starting, config.mcp.structured, shutdown.clone());
    let mut start = Box::pin(Host::start(config, child_compiler(program)));
    // What cannot start says so before the client hears anything, unless it takes long to find out.
    let (serving, host) = match tokio::time::timeout(HANDSHAKE_WAITS, &mut start).await {
        Ok(host) => {
            let host = host?;
            (tokio::spawn(serve), host)
        }
        Err(_elapsed) => (tokio::spawn(serve), start.await?),
    };
    stop_on_signals(&shutdown)?;
    // The viewer ends last, so that those who watch see how their sessions ended.
    let viewer_shutdown = CancellationToken::new();
    let viewer = start_viewer(&host, &viewer_shutdown).await?;
    ready.send_replace(Some(host.clone()));
    let served = serving.await.context("serving the client was broken off")?;
    shutdown.cancel();
    // Past the limit the process ends all the same; the operating system closes what is left.
    let _ = tokio::time::timeout(STOP_LIMIT, async {
        host.stop().await;
        viewer_shutdown.cancel();
        if let Some(viewer) = viewer {
            viewer.stopped().await;
        }
    })
    .await;
    served.map_err(Into::into)
}

fn stop_on_signals(shutdown: &CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("no handler for SIGTERM could be set")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("no handler for SIGINT could be set")?;
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        shutdown.cancel();
    });
    Ok(())
}

/// Starts the viewer and writes its address, with the token, where only the operator reads it.
async fn start_viewer(host: &Host, shutdown: &CancellationToken) -> anyhow::Result<Option<WebServer>> {
    let viewer = &host.config().viewer;
    if !viewer.enabled {
        host.instance().write_server_file(None, &[])?;
        return Ok(None);
    }
    let tokens = Tokens::random().context("no random number could be had from the operating system")?;
    let bind = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let options = WebOptions { bind, first_port: viewer.first_port, tokens: tokens.clone() };
    let server = web::serve(host.clone(), options, shutdown.clone()).await?;
    let link = |token: &str| format!("http://{}/#token={token}", server.address);
    let links: Vec<_> = tokens.iter().map(|(role, token)| (role.name(), link(token))).collect();
    host.instance().write_server_file(Some(&link(tokens.of(Role::Operator))), &links)?;
    let address = format!("http://{}/", server.address);
    // Clients keep what a server writes here, so the token is not in it.
    eprintln!("viewer: {address} (its links: portcullis viewer)");
    host.desk().set_viewer(Some(address));
    Ok(Some(server))
}
