//! `portcullis attach`: this terminal as the terminal of a session.
//!
//! What the session prints is shown as it comes, but for what would make this terminal answer, or act outside of
//! its screen (`passage`). What is typed goes to the host, to the same gate as a person's keys in the viewer; the
//! host keeps no key typed at a question for a secret. Killing this program ends nothing but itself.

mod passage;
mod raw;
mod status_line;

use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::io::AsyncRead;
use tokio::net::unix::OwnedWriteHalf;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::passage::Passage;
use self::raw::Raw;
use self::status_line::StatusLine;
use super::operate::{Hosts, OperateError, conversation, refused};
use crate::config::{self, Config};
use crate::operator::protocol::{Answer, AttachRequest, FromTerminal, Request, ToTerminal};
use crate::operator::wire::{self, Frame, WireError};

/// Largest frame that is read, in bytes.
const LARGEST_FRAME: usize = 16 << 20;
/// Frames and keys under way.
const QUEUE: usize = 64;
/// The status line is drawn once nothing was printed for this long, or after the second time at the latest.
const QUIET: Duration = Duration::from_millis(60);
const LONGEST_UNDRAWN: Duration = Duration::from_millis(500);
/// A terminal with fewer rows has no room for a status line.
const FEWEST_ROWS: u16 = 5;

pub(super) struct Options {
    observe: bool,
    keep_size: bool,
    status: bool,
    detach_key: u8,
}

impl Options {
    /// # Errors
    /// When the key is none that can be used.
    pub(super) fn new(
        config: &Config,
        observe: bool,
        keep_size: bool,
        no_status: bool,
        detach_key: Option<&str>,
    ) -> anyhow::Result<Self> {
        let detach_key = match detach_key {
            Some(key) => {
                config::control_key(key).with_context(|| format!("--detach-key {key:?}: {}", config::CONTROL_KEYS))?
            }
            None => config.detach_key,
        };
        Ok(Self { observe, keep_size, status: !no_status, detach_key })
    }

    fn detach_key_name(&self) -> String {
        format!("ctrl-{}", char::from(self.detach_key + 0x40).to_ascii_lowercase())
    }
}

/// How it ended, for the person.
enum End {
    Detached,
    Closed(String),
    Stopping,
    /// The terminal is gone or a signal came.
    Told(&'static str),
}

pub(super) async fn run(state: &Path, name: Option<&str>, options: Options) -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        bail!(
            "attach needs a terminal as its input and output; without one, `portcullis sessions` lists what there is"
        );
    }
    let hosts = Hosts::find(state)?;
    let (found, session) = hosts.session(name).await?;
    let window = raw::size()?;
    let status = options.status && window.1 >= FEWEST_ROWS;
    let size = (!options.observe && !options.keep_size).then(|| (window.0, window.1 - u16::from(status)));
    let request = AttachRequest { session: session.clone(), observe: options.observe, size };
    let reached = |error: WireError| OperateError::NoAnswer(format!("the host {} does not answer: {error}", found.id));
    let (mut reader, writer) = conversation(found, Request::Attach(request)).await.map_err(reached)?.into_split();
    let first = wire::read(&mut reader, LARGEST_FRAME).await.map_err(reached)?;
    let first =
        first.ok_or_else(|| OperateError::NoAnswer(format!("the host {} has ended the connection", found.id)))?;
    if let Frame::Json(text) = &first
        && let Ok(Answer::Refused(refusal)) = serde_json::from_slice(text)
    {
        return Err(refused(refusal).into());
    }
    let raw = Raw::enter()?;
    let mut attached = Attached::new(writer, options, window, status);
    let end = attached.run(first, frames_of(reader)).await;
    drop(raw);
    match end? {
        End::Detached => eprintln!("[detached from {session}; it goes on: portcullis attach {}/{session}]", found.id),
        End::Closed(reason) => eprintln!("[{session} is closed: {}]", super::approvals::visible(&reason)),
        End::Stopping => eprintln!("[the host ends, and {session} with it]"),
        End::Told(why) => eprintln!("[left {session}: {why}]"),
    }
    Ok(())
}

/// Reading a frame cannot be broken off, so it has a task of its own.
fn frames_of(mut reader: impl AsyncRead + Unpin + Send + 'static) -> mpsc::Receiver<Result<Frame, WireError>> {
    let (sender, frames) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        loop {
            let frame = match wire::read(&mut reader, LARGEST_FRAME).await {
                Ok(Some(frame)) => Ok(frame),
                Ok(None) => return,
                Err(error) => Err(error),
            };
            let last = frame.is_err();
            if sender.send(frame).await.is_err() || last {
                return;
            }
        }
    });
    frames
}

/// Reading a terminal blocks, so it has a thread of its own; it ends with the program.
fn keys() -> mpsc::Receiver<Vec<u8>> {
    let (sender, keys) = mpsc::channel(QUEUE);
    std::thread::spawn(move || {
        let mut buffer = [0_u8; 4096];
        while let Ok(count @ 1..) = std::io::stdin().lock().read(&mut buffer) {
            if sender.blocking_send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    keys
}

struct Attached {
    writer: OwnedWriteHalf,
    options: Options,
    /// Of this terminal, in cells.
    window: (u16, u16),
    /// Of the session.
    size: (u16, u16),
    passage: Passage,
    status: Option<StatusLine>,
    /// Since when the status line waits to be drawn, and when something was last printed.
    undrawn: Option<Instant>,
    printed: Instant,
}

/// The signals that matter to a terminal.
struct Signals {
    window: Signal,
    end: [Signal; 4],
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("no handler for a signal could be set");
        Ok(Self {
            window: listen(SignalKind::window_change())?,
            end: [
                listen(SignalKind::terminate())?,
                listen(SignalKind::hangup())?,
                listen(SignalKind::interrupt())?,
                listen(SignalKind::quit())?,
            ],
        })
    }

    async fn ended(end: &mut [Signal; 4]) {
        let [one, two, three, four] = end;
        tokio::select! {
            _ = one.recv() => {}
            _ = two.recv() => {}
            _ = three.recv() => {}
            _ = four.recv() => {}
        }
    }
}

impl Attached {
    fn new(writer: OwnedWriteHalf, options: Options, window: (u16, u16), status: bool) -> Self {
        let status = status.then(|| StatusLine::new(options.observe, options.detach_key_name()));
        let passage = Passage::new(status.as_ref().map(|_| window.1 - 1));
        Self { writer, options, window, size: (0, 0), passage, status, undrawn: None, printed: Instant::now() }
    }

    async fn run(&mut self, first: Frame, mut frames: mpsc::Receiver<Result<Frame, WireError>>) -> anyhow::Result<End> {
        let mut signals = Signals::listen()?;
        let mut keys = keys();
        raw::make_room(self.window.1)?;
        if let Some(end) = self.take(first)? {
            return Ok(end);
        }
        loop {
            let due = self.undrawn.map(|since| (self.printed + QUIET).min(since + LONGEST_UNDRAWN));
            let ended = tokio::select! {
                biased;
                () = Signals::ended(&mut signals.end) => Some(End::Told("a signal ended this program")),
                _ = signals.window.recv() => { self.resized().await?; None }
                typed = keys.recv() => match typed {
                    Some(typed) => self.typed(&typed).await?,
                    None => Some(End::Told("this terminal is gone")),
                },
                frame = frames.recv() => match frame {
                    Some(frame) => self.take(frame.context("the host is no longer understood")?)?,
                    None => Some(End::Told("the host has ended the connection")),
                },
                () = tokio::time::sleep_until(due.unwrap_or(self.printed)), if due.is_some() => { self.draw()?; None }
            };
            if let Some(end) = ended {
                return Ok(end);
            }
        }
    }

    /// Sends keys up to the one that leaves.
    async fn typed(&mut self, typed: &[u8]) -> anyhow::Result<Option<End>> {
        let leave = typed.iter().position(|byte| *byte == self.options.detach_key);
        let keys = &typed[..leave.unwrap_or(typed.len())];
        if !self.options.observe && !keys.is_empty() {
            wire::write_bytes(&mut self.writer, keys).await.context("the host takes no keys any more")?;
        }
        Ok(leave.map(|_| End::Detached))
    }

    async fn resized(&mut self) -> anyhow::Result<()> {
        self.window = raw::size()?;
        let has_room = self.window.1 >= FEWEST_ROWS;
        let rows = self.window.1 - u16::from(self.status.is_some() && has_room);
        self.passage.set_rows((self.status.is_some() && has_room).then_some(rows));
        if !self.options.observe && !self.options.keep_size {
            let resize = FromTerminal::Resize { columns: self.window.0, rows };
            wire::write_json(&mut self.writer, &resize).await.context("the host takes no size any more")?;
        }
        show(&self.passage.region())?;
        self.disturbed();
        Ok(())
    }

    fn take(&mut self, frame: Frame) -> anyhow::Result<Option<End>> {
        match frame {
            Frame::Bytes(bytes) => {
                let mut shown = Vec::with_capacity(bytes.len());
                let disturbed = self.passage.pass(&bytes, &mut shown);
                show(&shown)?;
                self.printed = Instant::now();
                if disturbed {
                    self.disturbed();
                }
                Ok(None)
            }
            Frame::Json(text) => self.told(serde_json::from_slice(&text).context("the host is not understood")?),
        }
    }

    fn told(&mut self, told: ToTerminal) -> anyhow::Result<Option<End>> {
        match told {
            ToTerminal::Attached { session, columns, rows } => {
                self.passage.begin();
                show(raw::RESET)?;
                show(&self.passage.region())?;
                // What is wider than this terminal is cut off, not wrapped into the next row.
                show(if columns > self.window.0 { b"\x1b[?7l\x1b[H\x1b[2J" } else { b"\x1b[H\x1b[2J" })?;
                self.size = (columns, rows);
                self.summary(&session);
            }
            ToTerminal::Resized { columns, rows } => {
                self.size = (columns, rows);
                self.fits();
            }
            ToTerminal::Summary { session } => self.summary(&session),
            ToTerminal::Notice { message } => {
                if let Some(status) = &mut self.status {
                    status.notice(message);
                }
                show(b"\x07")?;
                self.disturbed();
            }
            ToTerminal::Closed { reason } => return Ok(Some(End::Closed(reason))),
            ToTerminal::Stopping {} => return Ok(Some(End::Stopping)),
        }
        Ok(None)
    }

    fn summary(&mut self, session: &Value) {
        if let Some(status) = &mut self.status {
            status.session(session);
        }
        self.fits();
    }

    /// Says so where this terminal shows only a part.
    fn fits(&mut self) {
        let rows = self.window.1 - u16::from(self.status.is_some());
        let cut = self.size.0 > self.window.0 || self.size.1 > rows;
        if let Some(status) = &mut self.status {
            status.cut(cut.then_some(self.size));
        }
        self.disturbed();
    }

    fn disturbed(&mut self) {
        if self.status.is_some() {
            self.undrawn.get_or_insert_with(Instant::now);
        }
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        // Inside a sequence of the session's, ours would become a part of it.
        if !self.passage.between_sequences() {
            self.printed = Instant::now();
            return Ok(());
        }
        self.undrawn = None;
        match &self.status {
            Some(status) if self.window.1 >= FEWEST_ROWS => show(&status.drawn(self.window)),
            _ => Ok(()),
        }
    }
}

fn show(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).context("this terminal takes no output any more")
}
