//! What both kinds of WebSocket share: the limits on a page, and how a socket ends.
//!
//! Nothing here knows a session. `events.rs` and `terminal.rs` build on it; the router opens the
//! sockets.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::protocol::{LARGEST_MESSAGE, ServerMessage};

/// Sockets open at once over all pages and sessions.
const SOCKET_LIMIT: usize = 64;
/// A page that takes nothing for this long is let go.
const SEND_TIME: Duration = Duration::from_secs(30);
/// How often the host asks the browser for a sign of life.
pub(super) const PING_INTERVAL: Duration = Duration::from_secs(20);
/// A browser that gives none for this long is gone.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// How long a closing frame may take.
const CLOSE_TIME: Duration = Duration::from_millis(250);
/// Messages a page may send at once, and how many more each second. A person with a held key and a
/// moving mouse stays below 200 a second; a page that sends more is read more slowly, not cut off.
const MESSAGE_BURST: u32 = 512;
const MESSAGES_PER_SECOND: u32 = 256;

pub(super) type Sender = SplitSink<WebSocket, Message>;
pub(super) type Receiver = SplitStream<WebSocket>;

/// What every socket gets from the server it belongs to.
#[derive(Clone)]
pub(super) struct SocketContext {
    pub(super) instance_id: Arc<str>,
    pub(super) shutdown: CancellationToken,
    tasks: TaskTracker,
    places: Arc<Semaphore>,
}

impl SocketContext {
    pub(super) fn new(instance_id: String, shutdown: CancellationToken, tasks: TaskTracker) -> Self {
        Self { instance_id: instance_id.into(), shutdown, tasks, places: Arc::new(Semaphore::new(SOCKET_LIMIT)) }
    }

    /// Opens the socket and runs `talk` on it, unless too many are open already.
    pub(super) fn open<Fut>(
        &self,
        upgrade: WebSocketUpgrade,
        talk: impl FnOnce(WebSocket, Self) -> Fut + Send + 'static,
    ) -> Response
    where
        Fut: Future<Output = ()> + Send + 'static,
    {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return (StatusCode::SERVICE_UNAVAILABLE, "too many viewers are connected; close one and try again\n")
                .into_response();
        };
        let context = self.clone();
        let running = self.tasks.token();
        upgrade.max_message_size(LARGEST_MESSAGE).max_frame_size(LARGEST_MESSAGE).on_upgrade(|socket| async move {
            talk(socket, context).await;
            drop((place, running));
        })
    }
}

/// Why a conversation with a page is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// There is nothing more to say.
    Done,
    /// The session asked for is not there.
    UnknownSession,
    /// The session cannot be shown at the moment; asking again later makes sense.
    TryLater,
    /// The page broke the protocol, or sent more than [`LARGEST_MESSAGE`] in one message.
    Misbehaved,
    /// The page left, or stopped taking or sending anything.
    Gone,
    /// The program ends.
    Shutdown,
}

impl Ending {
    /// The close code and the text beside it. `None` where nobody is there to read it.
    fn close_frame(self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Done => (1000, "done"),
            Self::Shutdown => (1001, "the host ends"),
            Self::Misbehaved => (1008, "a message was malformed or too large"),
            Self::TryLater => (1013, "try again later"),
            Self::UnknownSession => (4404, "no such session"),
            Self::Gone => return None,
        };
        Some(CloseFrame { code, reason: reason.into() })
    }
}

/// Sends one frame. `Err` means that the conversation is over.
pub(super) async fn send(sender: &mut Sender, message: Message) -> Result<(), Ending> {
    match timeout(SEND_TIME, sender.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Ending::Gone),
    }
}

/// Sends one message of the protocol.
pub(super) async fn send_message(sender: &mut Sender, message: &ServerMessage) -> Result<(), Ending> {
    match serde_json::to_string(message) {
        Ok(text) => send(sender, Message::text(text)).await,
        Err(error) => {
            tracing::error!(%error, "a message for the viewer could not be written");
            Err(Ending::TryLater)
        }
    }
}

/// Says goodbye as far as the other side lets us.
pub(super) async fn close(mut sender: Sender, ending: Ending) {
    if let Some(frame) = ending.close_frame() {
        // A page that is gone already does not need the goodbye.
        let _ = timeout(CLOSE_TIME, sender.send(Message::Close(Some(frame)))).await;
    }
}

/// The page's side of a socket, read no faster than the limits allow.
pub(super) struct Inbox {
    receiver: Receiver,
    allowance: Allowance,
}

impl Inbox {
    pub(super) fn new(receiver: Receiver) -> Self {
        Self { receiver, allowance: Allowance::new(Instant::now()) }
    }

    /// The next text or binary message. Signs of life are taken note of and passed over.
    pub(super) async fn next(&mut self) -> Result<Message, Ending> {
        loop {
            let read = timeout(SILENCE_LIMIT, self.receiver.next()).await.map_err(|_| Ending::Gone)?;
            if let Some(until) = self.allowance.take(Instant::now()) {
                sleep_until(until).await;
            }
            match read {
                None | Some(Ok(Message::Close(_))) => return Err(Ending::Gone),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => return Ok(message),
                // Malformed, too large, or cut off; a closing frame is tried in each case.
                Some(Err(error)) => {
                    tracing::debug!(%error, "a viewer socket could not be read");
                    return Err(Ending::Misbehaved);
                }
            }
        }
    }
}

/// Counts messages: a bucket that holds [`MESSAGE_BURST`] and gains [`MESSAGES_PER_SECOND`].
struct Allowance {
    /// When the bucket will be full again; each message moves it on by one interval.
    full_at: Instant,
}

impl Allowance {
    fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Counts one message; answers until when to wait if it was one too many.
    fn take(&mut self, now: Instant) -> Option<Instant> {
        let interval = Duration::from_secs(1) / MESSAGES_PER_SECOND;
        self.full_at = self.full_at.max(now) + interval;
        let until = self.full_at.checked_sub(interval * MESSAGE_BURST)?;
        (until > now).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let start = Instant::now() + Duration::from_secs(60);
        let mut allowance = Allowance::new(start);
        for count in 0..MESSAGE_BURST {
            assert_eq!(allowance.take(start), None, "message {count}");
        }
        let interval = Duration::from_secs(1) / MESSAGES_PER_SECOND;
        assert_eq!(allowance.take(start), Some(start + interval));
        assert_eq!(allowance.take(start), Some(start + 2 * interval));
        let later = start + Duration::from_secs(10);
        assert_eq!(allowance.take(later), None);
    }
}
