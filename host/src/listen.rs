//! Accepts connections and speaks HTTP/1.1 on them, within limits.
//!
//! Not a router: it hands every request on. It exists because a stranger needs no token to open a
//! connection, so their number, their heads and their patience are bounded here. The viewer's server and
//! the MCP server over HTTP call it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Plain connections open at once; further ones wait in the system's queue. Upgraded sockets have a
/// limit of their own.
const CONNECTION_LIMIT: usize = 256;
/// A request's head must be complete within this time.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Largest request head in bytes, and the connection's read buffer.
const HEAD_LIMIT: usize = 32 * 1024;
/// Most header lines in a request.
const HEADER_LIMIT: usize = 64;
/// How long requests under way may go on after a shutdown was asked for.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(300);
/// Pause after an accept that failed, for example because the process is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until `shutdown`; each connection is a task of its own in `tasks`. Requests carry their peer's address as
/// [`ConnectInfo`].
pub(crate) async fn accept(listener: TcpListener, router: Router, tasks: TaskTracker, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTION_LIMIT));
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = async {
                // The semaphore is never closed.
                let place = Arc::clone(&places).acquire_owned().await.ok();
                (place, listener.accept().await)
            } => accepted,
        };
        match accepted {
            (place, Ok((stream, peer))) => {
                let connection = serve_connection(stream, peer, router.clone(), shutdown.clone());
                tasks.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            (_, Err(error)) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, peer: SocketAddr, router: Router, shutdown: CancellationToken) {
    // Keystrokes are small; waiting to fill a packet would be felt.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not switch off delayed sending");
    }
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_LIMIT)
        .max_headers(HEADER_LIMIT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            timeout(SHUTDOWN_GRACE, connection).await.ok()
        }
    };
    if let Some(Err(error)) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
