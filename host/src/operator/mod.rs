//! The operator's side: what the person who owns this machine asks of a running host from the command line.
//!
//! What it is: an adapter over a private Unix socket in the instance's folder (0600 in 0700), one request per
//! connection, or one attached terminal. What it is not: it decides nothing about commands; a person's keys go
//! through [`crate::ops::send_human_keys`], behind which the gate stands, as the viewer's do.
//!
//! Who gets in: processes of the same user only, told by the kernel and not by themselves. Whoever runs below the
//! host, or below the client that has started it, is where an agent's own shells are: it may look, not act.
//!
//! Tasks: one that accepts and one per connection; all end when the token given to [`serve`] is cancelled, and
//! [`Operator::stopped`] waits for that. Channels: per attached terminal a bounded one for notices.

mod answer;
mod attach;
mod peer;
pub mod protocol;
pub mod wire;

use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use peer::is_below;

use crate::host::Host;
use protocol::{Answer, Call, PROTOCOL_VERSION, Refusal, Request};
use wire::{Frame, WireError};

/// Connections at once; further ones wait in the system's queue.
const CONNECTIONS: usize = 32;
/// A request has to be there within this time.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// Largest frame taken from a caller, in bytes: a large paste.
const LARGEST_REQUEST: usize = 256 * 1024;
/// Pause after an accept that failed, for example because the process is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A running operator's server.
pub struct Operator {
    acceptor: JoinHandle<()>,
    tasks: TaskTracker,
}

impl Operator {
    /// Waits until every connection has ended. Returns soon after the token is cancelled.
    pub async fn stopped(self) {
        // A panic in the acceptor has been reported by the runtime; the connections still end.
        let _ = self.acceptor.await;
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// What every connection works with.
struct Shared {
    host: Host,
    /// Ends the whole process.
    stop: CancellationToken,
    /// Ends the connections.
    shutdown: CancellationToken,
}

/// Serves the socket until `shutdown` is cancelled. `stop` is cancelled when an operator ends the host.
///
/// # Errors
/// When the socket cannot be used.
pub fn serve(
    host: Host,
    listener: UnixListener,
    stop: CancellationToken,
    shutdown: CancellationToken,
) -> std::io::Result<Operator> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::UnixListener::from_std(listener)?;
    let tasks = TaskTracker::new();
    let shared = Arc::new(Shared { host, stop, shutdown });
    let acceptor = tokio::spawn(accept(listener, shared, tasks.clone()));
    Ok(Operator { acceptor, tasks })
}

async fn accept(listener: tokio::net::UnixListener, shared: Arc<Shared>, tasks: TaskTracker) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = shared.shutdown.cancelled() => return,
            accepted = async {
                // The semaphore is never closed.
                let place = Arc::clone(&places).acquire_owned().await.ok();
                (place, listener.accept().await)
            } => accepted,
        };
        match accepted {
            (place, Ok((stream, _))) => {
                let shared = Arc::clone(&shared);
                tasks.spawn(async move {
                    if let Err(error) = converse(stream, &shared).await {
                        tracing::debug!(%error, "an operator's connection ended early");
                    }
                    drop(place);
                });
            }
            (_, Err(error)) => {
                tracing::warn!(%error, "an operator's connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One request and its answer, or one attached terminal.
async fn converse(stream: UnixStream, shared: &Shared) -> Result<(), WireError> {
    let credentials = stream.peer_cred()?;
    if credentials.uid() != rustix::process::geteuid().as_raw() {
        tracing::warn!(user_id = credentials.uid(), "another user's connection to the operator's socket was refused");
        return Ok(());
    }
    let (mut reader, mut writer) = stream.into_split();
    let read = tokio::select! {
        read = timeout(REQUEST_TIME, wire::read(&mut reader, LARGEST_REQUEST)) => read,
        () = shared.shutdown.cancelled() => return Ok(()),
    };
    let Ok(frame) = read else { return Ok(()) };
    let request = match frame?.map_or_else(|| Ok(None), |frame| understood(&frame).map(Some)) {
        Ok(Some(request)) => request,
        Ok(None) => return Ok(()),
        Err(refusal) => return wire::write_json(&mut writer, &Answer::Refused(refusal)).await,
    };
    if request.acts() && is_agents(shared, credentials.pid()) {
        tracing::warn!(process_id = credentials.pid(), "an operator's command from below the client was refused");
        return wire::write_json(&mut writer, &Answer::Refused(Refusal::agents())).await;
    }
    match request {
        Request::Attach(wanted) => attach::serve(shared, wanted, reader, writer).await,
        request => {
            let answer = tokio::select! {
                answer = answer::answer(shared, request) => answer,
                () = shared.shutdown.cancelled() => return Ok(()),
            };
            wire::write_json(&mut writer, &answer).await
        }
    }
}

fn understood(frame: &Frame) -> Result<Request, Refusal> {
    let Frame::Json(text) = frame else { return Err(Refusal::bad_request("the first frame is no request")) };
    let value: serde_json::Value =
        serde_json::from_slice(text).map_err(|error| Refusal::bad_request(&error.to_string()))?;
    if value["protocol"] != PROTOCOL_VERSION {
        return Err(Refusal::other_protocol(&value["protocol"]));
    }
    let call: Call = serde_json::from_value(value).map_err(|error| Refusal::bad_request(&error.to_string()))?;
    Ok(call.request)
}

/// Whether the caller may be an agent's own shell. Who cannot be told apart from one counts as one.
fn is_agents(shared: &Shared, process: Option<i32>) -> bool {
    let Some(process) = process.and_then(|id| u32::try_from(id).ok()) else { return true };
    let ours = shared.host.instance().announced();
    is_below(ours.process_id, ours.client_process_id, process)
}
