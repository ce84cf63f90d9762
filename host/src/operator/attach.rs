//! One terminal attached to one session: what the session shows to it, a person's keys to the session.
//!
//! Two halves run side by side, so that a terminal that has stopped taking output can still be typed at. Neither
//! keeps output: a terminal that falls behind gets a fresh snapshot, and the session never waits for it.

use std::time::Duration;

use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, sleep_until, timeout};

use super::protocol::{Answer, AttachRequest, FromTerminal, Refusal, RefusalCode, ToTerminal};
use super::wire::{self, Frame, WireError};
use super::{LARGEST_REQUEST, Shared, answer};
use crate::config::TerminalSize;
use crate::host::Host;
use crate::metrics;
use crate::ops;
use crate::session::{AttachFrom, SessionEvent, SessionEventKind, SessionHandle, SessionSummary};

/// Least time between two snapshots; taking one costs the session a little.
const SNAPSHOT_PAUSE: Duration = Duration::from_millis(250);
/// How long typed keys may wait for the session before the person is told.
const KEYS_TIME: Duration = Duration::from_secs(10);
/// A terminal that takes nothing for this long is let go.
const SEND_TIME: Duration = Duration::from_secs(30);
/// How long what a session has said at its end may take to be told.
const LAST_WORDS: Duration = Duration::from_millis(250);
/// Notices waiting to be sent; further keys wait then.
const NOTICES: usize = 16;
/// A terminal keeps no output of its own to go on from.
const FROM_THE_SCREEN: AttachFrom = AttachFrom::Screen { history_bytes: 0 };

pub(super) async fn serve(
    shared: &Shared,
    wanted: AttachRequest,
    reader: OwnedReadHalf,
    mut writer: OwnedWriteHalf,
) -> Result<(), WireError> {
    let session = match found(&shared.host, &wanted) {
        Ok(session) => session,
        Err(refusal) => return wire::write_json(&mut writer, &Answer::Refused(refusal)).await,
    };
    let _present = metrics::attached();
    tracing::info!(session = %session.id(), observe = wanted.observe, "a terminal was attached");
    let (notices, to_tell) = mpsc::channel(NOTICES);
    let mut keys =
        Keys { host: &shared.host, session: &session, wanted: &wanted, reader, notices, size: Size::default() };
    if let Some((columns, rows)) = wanted.size.filter(|_| !wanted.observe) {
        keys.resize(columns, rows).await;
    }
    let mut screen = Screen { session: &session, writer, to_tell };
    let shutdown = async {
        shared.shutdown.cancelled().await;
        // The sessions are closed before this is told: their last words come first.
        tokio::time::sleep(LAST_WORDS).await;
    };
    let ended = tokio::select! {
        ended = screen.run() => ended,
        ended = keys.run() => ended,
        () = shutdown => screen.tell(&ToTerminal::Stopping {}).await,
    };
    keys.give_size_back().await;
    tracing::info!(session = %session.id(), "a terminal was detached");
    ended
}

fn found(host: &Host, wanted: &AttachRequest) -> Result<SessionHandle, Refusal> {
    let session = ops::session(host, &wanted.session).map_err(|error| answer::refusal(&error))?;
    match session.summary().closed_reason {
        Some(reason) => {
            Err(Refusal::new(RefusalCode::Closed, format!("the session {} is closed: {reason}", session.id())))
        }
        None => Ok(session),
    }
}

/// The half that shows.
struct Screen<'a> {
    session: &'a SessionHandle,
    writer: OwnedWriteHalf,
    to_tell: mpsc::Receiver<String>,
}

impl Screen<'_> {
    async fn run(&mut self) -> Result<(), WireError> {
        loop {
            let next_snapshot = Instant::now() + SNAPSHOT_PAUSE;
            let Ok(attachment) = self.session.attach(FROM_THE_SCREEN).await else { return self.closed().await };
            let (columns, rows) = (attachment.columns, attachment.rows);
            self.tell(&ToTerminal::Attached { session: shown(&self.session.summary()), columns, rows }).await?;
            self.show(&attachment.snapshot.unwrap_or_default()).await?;
            if self.follow(attachment.live).await? {
                return Ok(());
            }
            sleep_until(next_snapshot).await;
        }
    }

    /// Whether it is over; otherwise events were missed and a snapshot is due.
    async fn follow(&mut self, mut live: broadcast::Receiver<SessionEvent>) -> Result<bool, WireError> {
        loop {
            let event = tokio::select! {
                event = live.recv() => event,
                Some(message) = self.to_tell.recv() => {
                    self.tell(&ToTerminal::Notice { message }).await?;
                    continue;
                }
            };
            match event.map(|event| event.kind) {
                Ok(SessionEventKind::Output(bytes)) => self.show(&bytes).await?,
                Ok(SessionEventKind::Resized { columns, rows }) => {
                    self.tell(&ToTerminal::Resized { columns, rows }).await?;
                }
                Ok(SessionEventKind::Summary(summary)) => {
                    self.tell(&ToTerminal::Summary { session: shown(&summary) }).await?;
                }
                // The list of commands beside the terminal is the browser's.
                Ok(SessionEventKind::Command(_)) => {}
                Ok(SessionEventKind::Closed { reason }) => {
                    self.tell(&ToTerminal::Closed { reason }).await?;
                    return Ok(true);
                }
                Err(broadcast::error::RecvError::Lagged(_)) => return Ok(false),
                Err(broadcast::error::RecvError::Closed) => {
                    self.closed().await?;
                    return Ok(true);
                }
            }
        }
    }

    async fn closed(&mut self) -> Result<(), WireError> {
        let reason = self.session.summary().closed_reason.unwrap_or_else(|| "the session is no longer open".to_owned());
        self.tell(&ToTerminal::Closed { reason }).await
    }

    async fn tell(&mut self, message: &ToTerminal) -> Result<(), WireError> {
        in_time(wire::write_json(&mut self.writer, message)).await
    }

    async fn show(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        in_time(wire::write_bytes(&mut self.writer, bytes)).await
    }
}

async fn in_time(sending: impl Future<Output = Result<(), WireError>>) -> Result<(), WireError> {
    let late = |_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
    timeout(SEND_TIME, sending).await.unwrap_or_else(late)
}

fn shown(summary: &SessionSummary) -> serde_json::Value {
    serde_json::to_value(summary).unwrap_or_default()
}

/// The half that types.
struct Keys<'a> {
    host: &'a Host,
    session: &'a SessionHandle,
    wanted: &'a AttachRequest,
    reader: OwnedReadHalf,
    notices: mpsc::Sender<String>,
    size: Size,
}

/// What the session's size was, and what this terminal has made of it.
#[derive(Default)]
struct Size {
    before: Option<TerminalSize>,
    ours: Option<TerminalSize>,
}

impl Keys<'_> {
    async fn run(&mut self) -> Result<(), WireError> {
        while let Some(frame) = wire::read(&mut self.reader, LARGEST_REQUEST).await? {
            match frame {
                // Looking on takes no key, whatever the other side sends.
                Frame::Bytes(_) if self.wanted.observe => {}
                Frame::Bytes(bytes) => self.press(bytes).await,
                Frame::Json(text) => match serde_json::from_slice(&text)? {
                    FromTerminal::Resize { columns, rows } if !self.wanted.observe => self.resize(columns, rows).await,
                    FromTerminal::Resize { .. } => {}
                },
            }
        }
        Ok(())
    }

    /// Types into the session. Reading goes on only afterwards, so keys keep their order.
    async fn press(&self, bytes: Vec<u8>) {
        let typing = ops::send_human_keys(self.host, self.session.id().as_str(), bytes, None);
        let message = match timeout(KEYS_TIME, typing).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the session took no input for ten seconds; what was typed may not have arrived".to_owned(),
        };
        // A terminal that is gone needs no notice.
        let _ = self.notices.send(message).await;
    }

    async fn resize(&mut self, columns: u16, rows: u16) {
        let Ok(wanted) = TerminalSize::new(columns, rows) else { return };
        let present = present_size(self.session);
        if present != wanted && self.session.resize(wanted).await.is_ok() {
            self.size.before.get_or_insert(present);
            self.size.ours = Some(wanted);
        }
    }

    /// Unless somebody else has given it another size meanwhile.
    async fn give_size_back(&self) {
        let Size { before: Some(before), ours: Some(ours) } = self.size else { return };
        if present_size(self.session) == ours {
            // A session that is closed meanwhile has no use for a size.
            let _ = self.session.resize(before).await;
        }
    }
}

fn present_size(session: &SessionHandle) -> TerminalSize {
    let summary = session.summary();
    TerminalSize { columns: summary.columns, rows: summary.rows }
}
