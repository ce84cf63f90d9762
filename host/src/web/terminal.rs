//! The socket of one terminal: snapshot and output to a page, a person's keys to the session.
//!
//! One task per socket runs two halves. The writer owns the sending side, the attachment and the
//! count of what the page has drawn; the reader owns the receiving side. Between them are a bounded
//! channel of replies and a watch with the page's acknowledgement. Neither half keeps output: when
//! the page is slow the writer stops taking events, the session's broadcast drops what this socket
//! missed, and a fresh snapshot takes its place. So the session never waits for a page.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures::StreamExt;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};

use super::access::Caller;
use super::backend::{AttachError, AttachFrom, Attached, Backend, LiveEvent, LiveEvents, LiveItem};
use super::protocol::{
    AttachCause, ClientMessage, ErrorCode, PROTOCOL_VERSION, ServerMessage, SessionSummary, UNACKNOWLEDGED_LIMIT,
    output_frame,
};
use super::socket::{Ending, Inbox, PING_INTERVAL, Sender, SocketContext, close, send, send_message};

/// Least time between two snapshots for one page; taking one costs the session a little.
const SNAPSHOT_PAUSE: Duration = Duration::from_millis(250);
/// How long typed keys may wait for the session before the person is told.
const KEYS_TIME: Duration = Duration::from_secs(10);
/// Replies waiting for the writer; the reader waits when there are more.
const REPLY_QUEUE: usize = 16;
/// Messages that are not in the protocol before the page is let go.
const BAD_MESSAGE_LIMIT: u32 = 8;
/// Output before the screen that a page gets to scroll back to, in bytes.
pub(super) const HISTORY_LIMIT: u64 = 512 * 1024;
/// Of it, in one frame.
const HISTORY_FRAME: usize = 64 * 1024;
/// Longest text of an error shown to a person, in characters.
const ERROR_TEXT_LIMIT: usize = 1_000;

/// What a page asks for, and who it is.
pub(super) struct Wanted {
    pub(super) session_id: String,
    pub(super) from: AttachFrom,
    pub(super) caller: Caller,
}

/// Talks to one page until it leaves, the session ends or the host ends.
pub(super) async fn serve<B: Backend>(socket: WebSocket, backend: B, wanted: Wanted, context: SocketContext) {
    let Wanted { session_id, from, caller } = wanted;
    let (mut sender, receiver) = socket.split();
    let (reply_sender, replies) = mpsc::channel(REPLY_QUEUE);
    let (drawn_sender, drawn) = watch::channel(0);
    let mut ping = interval(PING_INTERVAL);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut writer = Writer {
        sender: &mut sender,
        backend: backend.clone(),
        session_id: session_id.clone(),
        from,
        instance_id: context.instance_id.to_string(),
        replies,
        drawn,
        sent: 0,
        ping,
    };
    let mut reader = Reader {
        inbox: Inbox::new(receiver),
        backend,
        session_id,
        caller,
        replies: reply_sender,
        drawn: drawn_sender,
        bad_messages: 0,
    };
    let ending = tokio::select! {
        ending = writer.run() => ending,
        ending = reader.run() => ending,
        () = context.shutdown.cancelled() => Ending::Shutdown,
    };
    close(sender, ending).await;
}

/// The half that sends.
struct Writer<'a, B> {
    sender: &'a mut Sender,
    backend: B,
    session_id: String,
    /// Where the first attachment begins.
    from: AttachFrom,
    instance_id: String,
    replies: mpsc::Receiver<ServerMessage>,
    /// The offset up to which the page has drawn.
    drawn: watch::Receiver<u64>,
    /// The offset up to which output was sent.
    sent: u64,
    ping: Interval,
}

impl<B: Backend> Writer<'_, B> {
    async fn run(&mut self) -> Ending {
        let (mut cause, mut from) = (AttachCause::Opened, self.from);
        loop {
            let next_snapshot = Instant::now() + SNAPSHOT_PAUSE;
            let ended = match self.attach(cause, from).await {
                Ok(live) => self.forward(live).await,
                Err(ending) => Err(ending),
            };
            if let Err(ending) = ended {
                return ending;
            }
            cause = AttachCause::Lagged;
            // Where a page has left off it has been overtaken since.
            from = match self.from {
                AttachFrom::Screen => AttachFrom::Screen,
                AttachFrom::History(_) | AttachFrom::Offset(_) => AttachFrom::History(HISTORY_LIMIT),
            };
            sleep_until(next_snapshot).await;
        }
    }

    /// Takes a snapshot and sends it; answers what follows it.
    async fn attach(&mut self, cause: AttachCause, from: AttachFrom) -> Result<B::Live, Ending> {
        let attached = match self.backend.attach(&self.session_id, from).await {
            Ok(attached) => attached,
            Err(error) => return Err(self.explain(error).await),
        };
        let Attached { summary, snapshot, history, commands, offset, columns, rows, live } = attached;
        let history_from = offset.saturating_sub(history.len() as u64);
        let cause = if snapshot.is_some() { cause } else { AttachCause::Resumed };
        let announcement = ServerMessage::Attached {
            protocol: PROTOCOL_VERSION,
            instance_id: self.instance_id.clone(),
            session: summary,
            cause,
            offset,
            history_from,
            columns,
            rows,
        };
        send_message(self.sender, &announcement).await?;
        if !matches!(from, AttachFrom::Screen) {
            send_message(self.sender, &ServerMessage::Timeline { commands }).await?;
        }
        for (index, piece) in history.chunks(HISTORY_FRAME).enumerate() {
            let at = history_from + (index * HISTORY_FRAME) as u64;
            send(self.sender, Message::Binary(output_frame(at, piece))).await?;
        }
        if let Some(snapshot) = snapshot {
            send(self.sender, Message::Binary(output_frame(offset, &snapshot))).await?;
        }
        self.sent = offset;
        Ok(live)
    }

    /// Says why there is no snapshot.
    async fn explain(&mut self, error: AttachError) -> Ending {
        let message = limited(&error.to_string());
        let (message, ending) = match error {
            AttachError::UnknownSession => {
                (ServerMessage::Error { code: ErrorCode::UnknownSession, message }, Ending::UnknownSession)
            }
            AttachError::Closed(reason) => (ServerMessage::Closed { reason }, Ending::Done),
            AttachError::Failed(_) => {
                (ServerMessage::Error { code: ErrorCode::AttachFailed, message }, Ending::TryLater)
            }
        };
        match send_message(self.sender, &message).await {
            Ok(()) => ending,
            Err(gone) => gone,
        }
    }

    /// Sends what happens. `Ok` when events were missed and a snapshot is due.
    async fn forward(&mut self, mut live: B::Live) -> Result<(), Ending> {
        loop {
            let drawn = *self.drawn.borrow_and_update();
            let page_keeps_up = self.sent.saturating_sub(drawn) <= UNACKNOWLEDGED_LIMIT;
            tokio::select! {
                biased;
                Some(reply) = self.replies.recv() => send_message(self.sender, &reply).await?,
                _ = self.ping.tick() => send(self.sender, Message::Ping(Vec::new().into())).await?,
                changed = self.drawn.changed(), if !page_keeps_up => changed.map_err(|_| Ending::Gone)?,
                item = live.next(), if page_keeps_up => match item {
                    LiveItem::Event(event) => self.send_event(event).await?,
                    LiveItem::Lagged => return Ok(()),
                    LiveItem::Ended => return Err(self.send_closed(None).await),
                },
            }
        }
    }

    async fn send_event(&mut self, event: LiveEvent) -> Result<(), Ending> {
        match event {
            LiveEvent::Output { offset_after, bytes } => {
                let offset = offset_after.saturating_sub(bytes.len() as u64);
                self.sent = offset_after;
                send(self.sender, Message::Binary(output_frame(offset, &bytes))).await
            }
            LiveEvent::Resized { columns, rows } => {
                send_message(self.sender, &ServerMessage::Resized { columns, rows }).await
            }
            LiveEvent::Summary(session) => {
                send_message(self.sender, &ServerMessage::Summary { session: *session }).await
            }
            LiveEvent::Command(command) => {
                send_message(self.sender, &ServerMessage::Command { command: *command }).await
            }
            LiveEvent::Closed { reason } => Err(self.send_closed(Some(reason)).await),
        }
    }

    /// Ends the conversation because the session ended; without a reason the list may know it.
    async fn send_closed(&mut self, reason: Option<String>) -> Ending {
        let last = self.backend.sessions().into_iter().find(|it| it.session_id == self.session_id);
        let known = last.as_ref().and_then(|it: &SessionSummary| it.closed_reason.clone());
        let reason = reason.or(known).unwrap_or_else(|| "the session is no longer open".to_owned());
        match send_message(self.sender, &ServerMessage::Closed { reason }).await {
            Ok(()) => Ending::Done,
            Err(gone) => gone,
        }
    }
}

/// The half that receives.
struct Reader<B> {
    inbox: Inbox,
    backend: B,
    session_id: String,
    caller: Caller,
    replies: mpsc::Sender<ServerMessage>,
    drawn: watch::Sender<u64>,
    bad_messages: u32,
}

impl<B: Backend> Reader<B> {
    async fn run(&mut self) -> Ending {
        loop {
            let handled = match self.inbox.next().await {
                Ok(Message::Binary(bytes)) => self.type_keys(bytes.into()).await,
                Ok(Message::Text(text)) => self.obey(text.as_str()).await,
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_)) => Ok(()),
                Err(ending) => Err(ending),
            };
            if let Err(ending) = handled {
                return ending;
            }
        }
    }

    /// Types into the session. Reading goes on only afterwards, so keys keep their order and a page
    /// cannot pile them up.
    async fn type_keys(&mut self, bytes: Vec<u8>) -> Result<(), Ending> {
        if bytes.is_empty() {
            return Ok(());
        }
        if !self.caller.role.may_drive() {
            let message = "this link is for watching; nothing was typed".to_owned();
            return self.reply(ServerMessage::Error { code: ErrorCode::RoleNeeded, message }).await;
        }
        let typing = self.backend.send_human_keys(&self.session_id, bytes, self.caller.by());
        let message = match timeout(KEYS_TIME, typing).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => limited(&error.to_string()),
            Err(_) => "the session took no input for ten seconds; what was typed may not have arrived".to_owned(),
        };
        self.reply(ServerMessage::Error { code: ErrorCode::KeysRefused, message }).await
    }

    async fn obey(&mut self, text: &str) -> Result<(), Ending> {
        match serde_json::from_str(text) {
            Ok(ClientMessage::Ping { id }) => self.reply(ServerMessage::Pong { id }).await,
            Ok(ClientMessage::Ack { offset }) => {
                self.drawn.send_if_modified(|drawn| {
                    let forward = offset > *drawn;
                    *drawn = offset.max(*drawn);
                    forward
                });
                Ok(())
            }
            Err(_) => self.refuse().await,
        }
    }

    async fn refuse(&mut self) -> Result<(), Ending> {
        self.bad_messages += 1;
        if self.bad_messages >= BAD_MESSAGE_LIMIT {
            return Err(Ending::Misbehaved);
        }
        let message = "the message is not part of the viewer's protocol; reload the page".to_owned();
        self.reply(ServerMessage::Error { code: ErrorCode::BadMessage, message }).await
    }

    async fn reply(&mut self, message: ServerMessage) -> Result<(), Ending> {
        self.replies.send(message).await.map_err(|_| Ending::Gone)
    }
}

fn limited(text: &str) -> String {
    text.chars().take(ERROR_TEXT_LIMIT).collect()
}
