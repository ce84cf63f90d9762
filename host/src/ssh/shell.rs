//! A shell on an authenticated connection, and the task that moves its bytes.
//!
//! [`open`] asks for channel, terminal and shell; [`spawn_pump`] starts the one task that owns them.
//! Output and input are moved by two halves of that task that wait independently: a server that takes no
//! input cannot keep output from being read, and the other way round. Output nobody takes is not read
//! from the socket any more, so TCP slows the server down; memory stays bounded by the sizes below.

use std::{pin::pin, time::Duration};

use futures::{FutureExt, StreamExt, future::Fuse, stream::FuturesUnordered};
use russh::{ChannelMsg, ChannelOpenFailure, ChannelReadHalf, ChannelWriteHalf, Disconnect, Pty, Sig, client::Msg};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};

use super::{
    ShellCommand, ShellEvent,
    dial::{Connection, is_hang_up, protocol},
    error::{ConnectError, ConnectStep},
    files::{Opening, serve_openings},
    handler::connection_gone,
    keepalive,
    text::printable,
};
use crate::config::profile::TerminalSize;

/// What the terminal claims to be. Colours and keys of xterm are what the screen model understands.
const TERMINAL_TYPE: &str = "xterm-256color";
/// Longest single piece of output handed on; several packets are joined up to this.
const OUTPUT_PIECE_BYTES: usize = 64 * 1024;
/// Pieces waiting for the session: at most 1 MiB, a fraction of a second of the fastest output.
pub(super) const EVENT_QUEUE: usize = 16;
/// Commands waiting for the pump; beyond it a sender waits, or is told "busy" by `try_send`.
pub(super) const COMMAND_QUEUE: usize = 64;
/// Input accepted while the server takes none. Beyond it commands stay in their queue.
const PENDING_INPUT_BYTES: usize = 256 * 1024;
/// Input is sent in pieces of this size, so that a resize never waits behind more than one.
const INPUT_PIECE_BYTES: usize = 16 * 1024;
/// Time for a farewell to leave; after it the socket is cut.
const FAREWELL_LIMIT: Duration = Duration::from_secs(1);
/// Longest signal name kept (RFC 4254 §6.10 has names of up to four letters).
const SIGNAL_NAME_LIMIT: usize = 32;

/// The terminal as a person at a Linux console finds it: line editing, echo, signals, UTF-8.
/// Numbers of control characters are ASCII; speeds are what terminals claim that have none.
const TERMINAL_MODES: &[(Pty, u32)] = &[
    (Pty::VINTR, 3),
    (Pty::VQUIT, 28),
    (Pty::VERASE, 127),
    (Pty::VKILL, 21),
    (Pty::VEOF, 4),
    (Pty::VSTART, 17),
    (Pty::VSTOP, 19),
    (Pty::VSUSP, 26),
    (Pty::VREPRINT, 18),
    (Pty::VWERASE, 23),
    (Pty::VLNEXT, 22),
    (Pty::ICRNL, 1),
    (Pty::IXON, 1),
    (Pty::IUTF8, 1),
    (Pty::ISIG, 1),
    (Pty::ICANON, 1),
    (Pty::ECHO, 1),
    (Pty::ECHOE, 1),
    (Pty::ECHOK, 1),
    (Pty::IEXTEN, 1),
    (Pty::ECHOCTL, 1),
    (Pty::ECHOKE, 1),
    (Pty::OPOST, 1),
    (Pty::ONLCR, 1),
    (Pty::CS8, 1),
    (Pty::TTY_OP_ISPEED, 38_400),
    (Pty::TTY_OP_OSPEED, 38_400),
];

type Writer = ChannelWriteHalf<Msg>;

/// A running shell and the connection it lives on.
pub(super) struct OpenShell {
    connection: Connection,
    reader: ChannelReadHalf,
    writer: Writer,
    /// Output that came before, or instead of, the answer to the request for a shell.
    early: Option<ChannelMsg>,
}

/// Asks for a channel, a terminal and a shell.
pub(super) async fn open(
    connection: Connection,
    size: TerminalSize,
    environment: &[(String, String)],
) -> Result<OpenShell, ConnectError> {
    let (mut reader, writer) = open_channel(&connection).await?.split();
    let steps = Steps { connection: &connection };
    let (columns, rows) = (u32::from(size.columns), u32::from(size.rows));
    let step = ConnectStep::Terminal;
    steps.sent(step, writer.request_pty(true, TERMINAL_TYPE, columns, rows, 0, 0, TERMINAL_MODES).await)?;
    match steps.answer(step, &mut reader).await? {
        ChannelMsg::Success => {}
        _ => {
            return Err(ConnectError::TerminalRefused { target: connection.target.clone() });
        }
    }
    let step = ConnectStep::Shell;
    for (name, value) in environment {
        // Without an answer: servers allow few variables, and a shell without them is a shell.
        steps.sent(step, writer.set_env(false, name.as_str(), value.as_str()).await)?;
    }
    steps.sent(step, writer.request_shell(true).await)?;
    let early = match steps.answer(step, &mut reader).await? {
        ChannelMsg::Success => None,
        ChannelMsg::Failure => {
            return Err(ConnectError::ShellRefused { target: connection.target.clone() });
        }
        // Some servers let the shell speak before they confirm it.
        output => Some(output),
    };
    Ok(OpenShell { connection, reader, writer, early })
}

async fn open_channel(connection: &Connection) -> Result<russh::Channel<Msg>, ConnectError> {
    let target = || connection.target.clone();
    let step = ConnectStep::Channel;
    match timeout(connection.step_limit, connection.handle.channel_open_session()).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(russh::Error::ChannelOpenFailure(reason))) => {
            Err(ConnectError::ChannelRefused { target: target(), reason: refusal_text(&reason) })
        }
        Ok(Err(error)) if is_hang_up(&error) => Err(connection_gone(&target(), step, &connection.observed)),
        Ok(Err(error)) => Err(protocol(&target(), step, error)),
        Err(_elapsed) => Err(ConnectError::Timeout { target: target(), step, after: connection.step_limit }),
    }
}

pub(super) fn refusal_text(reason: &ChannelOpenFailure) -> &'static str {
    match reason {
        ChannelOpenFailure::AdministrativelyProhibited => "administratively prohibited",
        ChannelOpenFailure::ConnectFailed => "connect failed",
        ChannelOpenFailure::UnknownChannelType => "unknown channel type",
        ChannelOpenFailure::ResourceShortage => "resource shortage",
        _ => "no reason given",
    }
}

/// The steps on an open channel: send a request, wait for its answer.
struct Steps<'a> {
    connection: &'a Connection,
}

impl Steps<'_> {
    fn sent(&self, step: ConnectStep, outcome: Result<(), russh::Error>) -> Result<(), ConnectError> {
        outcome.map_err(|_| connection_gone(&self.connection.target, step, &self.connection.observed))
    }

    /// The next message that is an answer or output.
    async fn answer(&self, step: ConnectStep, reader: &mut ChannelReadHalf) -> Result<ChannelMsg, ConnectError> {
        let limit = self.connection.step_limit;
        let target = || self.connection.target.clone();
        let deadline = Instant::now() + limit;
        loop {
            match timeout_at(deadline, reader.wait()).await {
                Ok(Some(
                    answer @ (ChannelMsg::Success
                    | ChannelMsg::Failure
                    | ChannelMsg::Data { .. }
                    | ChannelMsg::ExtendedData { .. }),
                )) => return Ok(answer),
                Ok(Some(ChannelMsg::Close) | None) => {
                    return Err(connection_gone(&target(), step, &self.connection.observed));
                }
                // Window changes and the like answer nothing.
                Ok(Some(_)) => {}
                Err(_elapsed) => {
                    return Err(ConnectError::Timeout { target: target(), step, after: limit });
                }
            }
        }
    }
}

/// Starts the task that owns the shell until either side ends it.
/// Until then it also opens the channels that are asked for.
pub(super) fn spawn_pump(
    shell: OpenShell,
    events: mpsc::Sender<ShellEvent>,
    commands: mpsc::Receiver<ShellCommand>,
    openings: mpsc::Receiver<Opening>,
) {
    tokio::spawn(pump(shell, events, commands, openings));
}

/// Why the pump stopped.
enum Stop {
    ClosedByUs,
    ClosedByServer,
    ConnectionLost,
    /// The server has given no sign of life for this long.
    Silent(Duration),
    /// The hop with this name has given none.
    HopSilent(String, Duration),
}

async fn pump(
    shell: OpenShell,
    events: mpsc::Sender<ShellEvent>,
    mut commands: mpsc::Receiver<ShellCommand>,
    mut openings: mpsc::Receiver<Opening>,
) {
    let OpenShell { mut connection, mut reader, writer, early } = shell;
    let stop = tokio::select! {
        stop = forward_output(&mut reader, early, &events) => stop,
        stop = forward_input(&writer, &mut commands) => stop,
        silence = watch_server(&connection, Some(&events)) => Stop::Silent(silence),
        (hop, silence) = watch_hops(&connection) => Stop::HopSilent(hop, silence),
        () = events.closed() => Stop::ClosedByUs,
        never = serve_openings(&connection, &mut openings) => match never {},
    };
    // Whoever waits for a channel hears at once that there will be none.
    drop(openings);
    // The rest of the output is not wanted any more; letting go of it frees russh's task if it waits.
    drop(reader);
    let reason = match stop {
        Stop::ClosedByUs => "closed by this program".to_owned(),
        Stop::ClosedByServer => "the server ended the session".to_owned(),
        Stop::ConnectionLost => lost_reason(&connection),
        Stop::Silent(silence) => {
            format!("the server no longer answers: no sign of life for {:.0} s", silence.as_secs_f64())
        }
        Stop::HopSilent(hop, silence) => {
            format!("{hop} no longer answers: no sign of life for {:.0} s", silence.as_secs_f64())
        }
    };
    let closed = events.send(ShellEvent::Closed { reason });
    // An error means that nobody listens any more.
    let (_, ()) = tokio::join!(closed, say_farewell(&mut connection));
}

/// Returns when the server is given up, with the length of its silence.
async fn watch_server(connection: &Connection, events: Option<&mpsc::Sender<ShellEvent>>) -> Duration {
    match connection.keepalive {
        Some(keepalive) => keepalive::watch(&connection.handle, &connection.heard, keepalive, events).await,
        None => std::future::pending().await,
    }
}

/// Returns when a hop is given up, with its name and the length of its silence. Each is watched as its own
/// profile says.
async fn watch_hops(connection: &Connection) -> (String, Duration) {
    let mut watches: FuturesUnordered<_> =
        connection.hops().map(|hop| watch_server(hop, None).map(|silence| (hop.hop_name(), silence))).collect();
    match watches.next().await {
        Some(given_up) => given_up,
        None => std::future::pending().await,
    }
}

/// Why the connection ended. When hops end, the outermost that did is the cause and the others follow.
/// russh notes the reason before it lets go of the channel, so it is there when the channel has ended.
fn lost_reason(connection: &Connection) -> String {
    let hops: Vec<&Connection> = connection.hops().collect();
    let ended = hops.iter().rev().find_map(|hop| Some((hop, hop.observed.ended.get()?)));
    match ended {
        Some((hop, ended)) => format!("the connection to {} was lost: {}", hop.hop_name(), ended.reason),
        None => connection.observed.ended.get().map_or("the connection was lost", |ended| ended.reason).to_owned(),
    }
}

/// Tells the server, and waits until russh's task has sent that and ended; whatever is left then is cut.
/// Then the same for the hops it was reached through, the last first.
async fn say_farewell(connection: &mut Connection) {
    let mut next = Some(connection);
    while let Some(connection) = next {
        let handle = &mut connection.handle;
        let farewell = async {
            // An error means that the connection is gone already, which is what was wanted.
            let _ = handle.disconnect(Disconnect::ByApplication, "", "en").await;
            let _ = handle.await;
        };
        let _ = timeout(FAREWELL_LIMIT, farewell).await;
        next = connection.through.as_deref_mut();
        if let Some(hop) = &next {
            // A server that hears a farewell drops what it has not passed on yet. Its answer to anything else
            // says that it has taken the one before off the line.
            let _ = timeout(FAREWELL_LIMIT, hop.handle.send_ping()).await;
        }
    }
}

async fn forward_output(
    reader: &mut ChannelReadHalf,
    early: Option<ChannelMsg>,
    events: &mpsc::Sender<ShellEvent>,
) -> Stop {
    let mut carried = early;
    let mut exit_told = false;
    loop {
        let message = match carried.take() {
            Some(message) => message,
            None => match reader.wait().await {
                Some(message) => message,
                None => return Stop::ConnectionLost,
            },
        };
        let event = match message {
            ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, ext: 1 } => {
                let mut piece = Vec::from(data);
                carried = join_waiting_output(reader, &mut piece);
                ShellEvent::Output(piece)
            }
            // One process has one end; a server that tells more of them is not believed.
            ChannelMsg::ExitStatus { exit_status } if !exit_told => {
                exit_told = true;
                ShellEvent::ExitStatus(exit_status)
            }
            ChannelMsg::ExitSignal { signal_name, .. } if !exit_told => {
                exit_told = true;
                ShellEvent::ExitSignal(signal_text(&signal_name))
            }
            ChannelMsg::Close => return Stop::ClosedByServer,
            // The end of output is followed by a close; the rest is not for a terminal.
            _ => continue,
        };
        if events.send(event).await.is_err() {
            return Stop::ClosedByUs;
        }
    }
}

/// Appends output that is waiting already, and returns the message that ended the run.
fn join_waiting_output(reader: &mut ChannelReadHalf, piece: &mut Vec<u8>) -> Option<ChannelMsg> {
    while piece.len() < OUTPUT_PIECE_BYTES {
        match reader.wait().now_or_never()?? {
            ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, ext: 1 }
                if piece.len() + data.len() <= OUTPUT_PIECE_BYTES =>
            {
                piece.extend_from_slice(&data);
            }
            other => return Some(other),
        }
    }
    None
}

fn signal_text(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => printable(name, SIGNAL_NAME_LIMIT),
        known => format!("{known:?}"),
    }
}

async fn forward_input(writer: &Writer, commands: &mut mpsc::Receiver<ShellCommand>) -> Stop {
    let mut pending: std::collections::VecDeque<u8> = std::collections::VecDeque::new();
    // A piece on its way is kept across turns of the loop: dropping it half sent would lose bytes.
    let mut sending = pin!(Fuse::terminated());
    loop {
        if !pending.is_empty() && futures::future::FusedFuture::is_terminated(&*sending) {
            let length = pending.len().min(INPUT_PIECE_BYTES);
            let piece: Vec<u8> = pending.drain(..length).collect();
            sending.set(writer.data_bytes(piece).fuse());
        }
        let sent = tokio::select! {
            sent = &mut sending, if !futures::future::FusedFuture::is_terminated(&*sending) => sent,
            command = commands.recv(), if pending.len() < PENDING_INPUT_BYTES => match command {
                Some(ShellCommand::Write(bytes)) => {
                    pending.extend(bytes);
                    Ok(())
                }
                Some(ShellCommand::Resize(size)) => {
                    writer.window_change(u32::from(size.columns), u32::from(size.rows), 0, 0).await
                }
                Some(ShellCommand::Close) | None => return Stop::ClosedByUs,
            },
        };
        if sent.is_err() {
            // Only a connection that is gone takes nothing. Output may still be on its way, and the
            // reading half says when it ends.
            return std::future::pending().await;
        }
    }
}
