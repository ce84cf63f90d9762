//! The channel under SFTP: asked for on a session's connection, and always drained.
//!
//! The connection is owned by the task that serves its shell, so that task opens the channel
//! ([`serve_openings`]) and hands it over. russh serves all channels of a connection from one task and
//! waits where one of them is not read. Here a task of its own reads whatever comes, at once, and ends
//! the channel at the first thing nobody asked for: a server can neither hold up the shell this way nor
//! fill memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::error::FilesError;
use super::wire::{self, MAX_PACKET_BYTES, Reply, Request};
use crate::ssh::dial::{Connection, is_hang_up};
use crate::ssh::shell::refusal_text;

/// Channels that wait to be opened; each has a caller that waits for it.
const OPENINGS: usize = 8;
const SUBSYSTEM: &str = "sftp";

type Opened = Result<Channel<Msg>, FilesError>;
/// A question for a channel, with the place for the answer.
pub(in crate::ssh) type Opening = oneshot::Sender<Opened>;

/// The way to files on the server of one connection, for as long as that lives.
#[derive(Debug, Clone)]
pub struct FilesOpener {
    openings: mpsc::Sender<Opening>,
    /// Limit for each step and each answer.
    pub(super) limit: Duration,
}

impl FilesOpener {
    pub(in crate::ssh) fn new(limit: Duration) -> (Self, mpsc::Receiver<Opening>) {
        let (openings, receiver) = mpsc::channel(OPENINGS);
        (Self { openings, limit }, receiver)
    }

    /// For a terminal without a server behind it: every attempt says that the connection has ended.
    #[must_use]
    pub fn none() -> Self {
        Self::new(Duration::ZERO).0
    }

    /// A channel with nothing at its end yet.
    pub(in crate::ssh) async fn bare_channel(&self) -> Opened {
        let (reply, answer) = oneshot::channel();
        self.openings.send(reply).await.map_err(|_| FilesError::Gone)?;
        answer.await.map_err(|_| FilesError::Gone)?
    }

    /// A channel with the server's SFTP at its end.
    pub(super) async fn channel(&self) -> Result<Channel<Msg>, FilesError> {
        let mut channel = self.bare_channel().await?;
        let started = start_subsystem(&mut channel, self.limit).await;
        if started.is_err() {
            // An error means that there is nothing left to close.
            let _ = channel.close().await;
        }
        started.map(|()| channel)
    }
}

async fn start_subsystem(channel: &mut Channel<Msg>, limit: Duration) -> Result<(), FilesError> {
    channel.request_subsystem(true, SUBSYSTEM).await.map_err(|_| FilesError::Gone)?;
    let deadline = Instant::now() + limit;
    loop {
        match timeout_at(deadline, channel.wait()).await {
            Ok(Some(ChannelMsg::Success)) => return Ok(()),
            // A program that is run in the place of SFTP may speak before it counts as started.
            Ok(Some(ChannelMsg::Failure | ChannelMsg::Data { .. } | ChannelMsg::Close)) => {
                return Err(FilesError::NoSftp);
            }
            Ok(Some(_)) => {}
            Ok(None) => return Err(FilesError::Gone),
            Err(_elapsed) => return Err(FilesError::Timeout { what: "start SFTP", after: limit }),
        }
    }
}

/// Opens channels for whoever asks, one after the other. Ends with the connection only.
pub(in crate::ssh) async fn serve_openings(
    connection: &Connection,
    openings: &mut mpsc::Receiver<Opening>,
) -> std::convert::Infallible {
    while let Some(reply) = openings.recv().await {
        // Not given up when the caller goes: a channel whose confirmation comes late would stay open.
        let opened = open(connection).await;
        if let Err(Ok(unwanted)) = reply.send(opened) {
            let _ = unwanted.close().await;
        }
    }
    std::future::pending().await
}

async fn open(connection: &Connection) -> Opened {
    let limit = connection.step_limit;
    match timeout(limit, connection.handle.channel_open_session()).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(russh::Error::ChannelOpenFailure(reason))) => {
            Err(FilesError::ChannelRefused { reason: refusal_text(&reason) })
        }
        Ok(Err(error)) if is_hang_up(&error) => Err(FilesError::Gone),
        Ok(Err(_)) => Err(FilesError::Protocol { what: "the channel was answered wrongly" }),
        Err(_elapsed) => Err(FilesError::Timeout { what: "open a channel", after: limit }),
    }
}

/// Requests and the answers to them, matched by id.
pub(super) struct Requests {
    writer: Arc<ChannelWriteHalf<Msg>>,
    shared: Arc<Mutex<Shared>>,
    next_id: u32,
    limit: Duration,
    /// Ends the reading task, which closes the channel.
    _reading: DropGuard,
}

#[derive(Default)]
struct Shared {
    /// Requests that are not answered yet. The first message is answered without an id.
    waiting: HashMap<Option<u32>, oneshot::Sender<Reply>>,
    /// Why nothing more will be answered.
    ended: Option<FilesError>,
}

fn locked(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Requests {
    pub(super) fn new(channel: Channel<Msg>, limit: Duration) -> Self {
        let (reader, writer) = channel.split();
        let (writer, shared, stop) = (Arc::new(writer), Arc::default(), CancellationToken::new());
        let (for_task, closer, stopped) = (Arc::clone(&shared), Arc::clone(&writer), stop.clone());
        tokio::spawn(async move {
            let ended = tokio::select! {
                ended = read_replies(reader, &for_task) => ended,
                () = stopped.cancelled() => FilesError::Gone,
            };
            {
                let mut shared = locked(&for_task);
                shared.ended = Some(ended);
                shared.waiting.clear();
            }
            let _ = closer.close().await;
        });
        Self { writer, shared, next_id: 0, limit, _reading: stop.drop_guard() }
    }

    /// Says hello, which is the one message without an id.
    pub(super) async fn greet(&mut self) -> Result<Reply, FilesError> {
        let hello = Request::new(wire::kind::INIT).number(wire::VERSION);
        let answers = self.exchange("answer", &[hello], |_| None).await?;
        answers.into_iter().next().ok_or(FilesError::Gone)
    }

    /// Sends all requests at once and gives their answers in the same order. `what` completes "the server did
    /// not …". Each request and each answer has the limit to itself, so that a slow line is no silence.
    pub(super) async fn ask(&mut self, what: &'static str, requests: &[Request]) -> Result<Vec<Reply>, FilesError> {
        self.exchange(what, requests, |next| {
            *next = next.wrapping_add(1);
            Some(*next)
        })
        .await
    }

    async fn exchange(
        &mut self,
        what: &'static str,
        requests: &[Request],
        id: fn(&mut u32) -> Option<u32>,
    ) -> Result<Vec<Reply>, FilesError> {
        let mut answers = Vec::with_capacity(requests.len());
        let mut frames = Vec::with_capacity(requests.len());
        {
            let mut shared = locked(&self.shared);
            if let Some(ended) = &shared.ended {
                return Err(ended.clone());
            }
            for request in requests {
                let id = id(&mut self.next_id);
                let (answer, waits) = oneshot::channel();
                shared.waiting.insert(id, answer);
                answers.push(waits);
                frames.push(request.frame(id));
            }
        }
        let too_slow = |_| FilesError::Timeout { what, after: self.limit };
        for frame in frames {
            let sent = timeout(self.limit, self.writer.data_bytes(frame)).await.map_err(too_slow)?;
            sent.map_err(|_| self.why_ended())?;
        }
        let mut replies = Vec::with_capacity(answers.len());
        for answer in answers {
            let reply = timeout(self.limit, answer).await.map_err(too_slow)?;
            replies.push(reply.map_err(|_| self.why_ended())?);
        }
        Ok(replies)
    }

    fn why_ended(&self) -> FilesError {
        locked(&self.shared).ended.clone().unwrap_or(FilesError::Gone)
    }
}

/// Reads until the channel ends or something comes that nobody asked for; says which.
async fn read_replies(mut reader: ChannelReadHalf, shared: &Mutex<Shared>) -> FilesError {
    let mut buffer = Vec::new();
    loop {
        match reader.wait().await {
            Some(ChannelMsg::Data { data }) => {
                buffer.extend_from_slice(&data);
                if let Err(what) = take_replies(&mut buffer, shared) {
                    return FilesError::Protocol { what };
                }
            }
            Some(ChannelMsg::Close | ChannelMsg::Eof) | None => return FilesError::Gone,
            // What the program there prints beside the protocol is not wanted.
            Some(_) => {}
        }
    }
}

/// Hands on every whole reply in the buffer. The buffer holds at most one packet and one message of the
/// channel more.
fn take_replies(buffer: &mut Vec<u8>, shared: &Mutex<Shared>) -> Result<(), &'static str> {
    let mut taken = 0;
    while let Some(length) = buffer[taken..].first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        if length > MAX_PACKET_BYTES {
            return Err("a message is longer than any may be");
        }
        let Some(packet) = buffer.get(taken + 4..taken + 4 + length) else { break };
        let (id, reply) = wire::reply(packet).ok_or("a message does not have the form of one")?;
        let waiting = locked(shared).waiting.remove(&id).ok_or("an answer came that nobody had asked for")?;
        // A caller that no longer waits ends the channel anyway.
        let _ = waiting.send(reply);
        taken += 4 + length;
    }
    buffer.drain(..taken);
    Ok(())
}
