//! A running host's surroundings: its log, its viewer, the operator's socket, and how all of it ends.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::logging;
use crate::audit::{self, instances};
use crate::host::Host;
use crate::operator::{self, Operator};
use crate::otlp;
use crate::viewer::proxy_options;
use crate::web::roles::{Role, Tokens};
use crate::web::{self, WebOptions, WebServer};

/// Sessions, pages and terminals have this long to end; the process must not outlive its client.
const STOP_LIMIT: Duration = Duration::from_secs(4);
/// How often it is looked at which transcripts are no longer kept.
const RETENTION_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// What the operator calls this host, where the command line does not say.
const LABEL_VARIABLES: [&str; 2] = ["PORTCULLIS_LABEL", "SSH_MCP_CLIENT_LABEL"];
/// Longest label, in characters.
const MAX_LABEL_CHARS: usize = 80;

/// How a host was started.
pub(super) struct Start {
    pub(super) label: Option<String>,
    /// The process below which an agent's own shells are; none for a host without a client.
    pub(super) client_process_id: Option<u32>,
}

/// What runs beside the sessions.
pub(super) struct Serving {
    host: Host,
    viewer: Option<WebServer>,
    operator: Operator,
    /// Sends figures on, where that is wanted.
    exporting: Option<JoinHandle<()>>,
    /// Ends viewer and operator's socket, after the sessions.
    watchers: CancellationToken,
}

impl Serving {
    /// Begins all of it. `stop` is cancelled when an operator ends the host.
    pub(super) async fn begin(host: Host, start: Start, stop: &CancellationToken) -> anyhow::Result<Self> {
        logging::write_to_file_of(&host)?;
        let label = start.label.or_else(label_of_environment).map(|label| plain(&label)).filter(|it| !it.is_empty());
        host.instance().announce(|file| {
            file.label = label;
            file.client_process_id = start.client_process_id.unwrap_or(0);
        })?;
        let socket = host.instance().bind_socket().context("the operator's socket cannot be made")?;
        let watchers = CancellationToken::new();
        let operator = operator::serve(host.clone(), socket, stop.clone(), watchers.clone())?;
        let viewer = start_viewer(&host, &watchers).await?;
        host.instance().announce(|file| file.ready = true)?;
        let instance = host.instance();
        tracing::info!(instance = instance.id, version = env!("CARGO_PKG_VERSION"), "the host runs");
        let state = host.config().state_directory.clone();
        tokio::task::spawn_blocking(move || match instances::clean(&state) {
            Ok(cleaned) if cleaned.is_empty() => {}
            Ok(cleaned) => tracing::info!(count = cleaned.len(), "ended instances were cleaned"),
            Err(error) => tracing::warn!(%error, "ended instances were not cleaned"),
        });
        tokio::spawn(keep_record(host.clone()));
        let exporting = host
            .config()
            .otlp
            .clone()
            .map(|to| tokio::spawn(otlp::export(to, host.instance().id.clone(), watchers.clone())));
        Ok(Self { host, viewer, operator, exporting, watchers })
    }

    /// Closes the sessions, so that each ending is on record and shown, then the ways to them.
    pub(super) async fn end(self) {
        tracing::info!("the host ends");
        let ended = async {
            self.host.stop().await;
            self.watchers.cancel();
            self.operator.stopped().await;
            if let Some(viewer) = self.viewer {
                viewer.stopped().await;
            }
            if let Some(exporting) = self.exporting {
                // A panic there has been reported by the runtime; the host ends all the same.
                let _ = exporting.await;
            }
        };
        // Past the limit the process ends all the same; the operating system closes what is left.
        if tokio::time::timeout(STOP_LIMIT, ended).await.is_err() {
            tracing::warn!("not everything ended in time");
        }
    }
}

/// Removes and compresses closed transcripts, now and every hour. Ends with the process.
async fn keep_record(host: Host) {
    let mut hourly = tokio::time::interval(RETENTION_INTERVAL);
    loop {
        hourly.tick().await;
        let host = host.clone();
        let keeping = tokio::task::spawn_blocking(move || {
            let config = host.config();
            let transcripts = audit::stored(&config.state_directory, None)?;
            Ok(audit::keep(transcripts, &config.transcript.keep, SystemTime::now(), false))
        });
        match keeping.await {
            Ok(Ok(audit::Kept { problems, .. })) => {
                problems.iter().for_each(|problem| tracing::warn!(problem, "retention"))
            }
            Ok(Err::<_, audit::StoreError>(error)) => tracing::warn!(%error, "retention"),
            Err(_) => return,
        }
    }
}

/// The first SIGTERM or SIGINT cancels `stop`.
pub(super) fn stop_on_signals(stop: &CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("no handler for SIGTERM could be set")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("no handler for SIGINT could be set")?;
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}

/// Starts the viewer and writes its address, with the token, where only the operator reads it.
async fn start_viewer(host: &Host, shutdown: &CancellationToken) -> anyhow::Result<Option<WebServer>> {
    let viewer = &host.config().viewer;
    if !viewer.enabled {
        return Ok(None);
    }
    let tokens = Tokens::random().context("no random number could be had from the operating system")?;
    let bind = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let proxy = viewer.proxy.as_ref().map(proxy_options).transpose();
    let proxy = proxy.context("the secret of the viewer's proxy cannot be read")?;
    let options = WebOptions { bind, first_port: viewer.first_port, tokens: tokens.clone(), proxy };
    let server = web::serve(host.clone(), options, shutdown.clone()).await?;
    let link = |token: &str| format!("http://{}/#token={token}", server.address);
    host.instance().announce(|file| {
        file.viewer_url = Some(link(tokens.of(Role::Operator)));
        file.viewer_links = tokens.iter().map(|(role, token)| (role.name().to_owned(), link(token))).collect();
    })?;
    let address = format!("http://{}/", server.address);
    // Clients keep what a server writes here, so the token is not in it.
    eprintln!("viewer: {address} (its links: portcullis viewer)");
    match (server.proxy_address, &viewer.proxy) {
        (Some(address), _) => eprintln!("viewer for its proxy: http://{address}/"),
        (None, Some(proxy)) => eprintln!("viewer: not behind its proxy, another program has {}", proxy.listen),
        (None, None) => {}
    }
    host.desk().set_viewer(Some(address));
    Ok(Some(server))
}

fn label_of_environment() -> Option<String> {
    // A client that does not fill in its own settings passes them on as they are.
    let set = LABEL_VARIABLES.iter().filter_map(|name| std::env::var(name).ok());
    set.into_iter().find(|label| !label.is_empty() && !label.contains("${"))
}

/// Nothing in it acts on a terminal or hides.
fn plain(label: &str) -> String {
    label.chars().filter(|c| *c == ' ' || !crate::ops::is_unseen(*c)).take(MAX_LABEL_CHARS).collect()
}
