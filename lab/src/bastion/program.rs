//! Running a shell or a command for a channel: on a PTY or on pipes, from start to end.
//!
//! Runs inside the channel's task. Input and output run beside each other, so a client that
//! reads slowly can still interrupt. Input a program does not read is held back in the PTY, the
//! channel's backlog and at last the connection.

use std::future::Future;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use pty_process::{OwnedReadPty, OwnedWritePty, Size};
use russh::{ChannelMsg, ChannelReadHalf};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};

use super::output::{Gone, Output};
use super::{Shared, Shells, lock};
use crate::shell::{SESSION_VARIABLE, ShellPlan};

/// After a shell's end its last output is already in the PTY; a job it left behind may keep the
/// PTY open and is not waited for.
const DRAIN_QUIET: Duration = Duration::from_millis(20);
/// How long a shell has to end by itself when its terminal is gone.
const HANG_UP_GRACE: Duration = Duration::from_millis(300);
const CHUNK_BYTES: usize = 16 * 1024;
/// What shells answer for a program they cannot start.
const NOT_STARTED_STATUS: u32 = 127;

/// A program about to run in a channel.
pub(super) struct Program {
    pub(super) plan: ShellPlan,
    /// Size of the terminal the client asked for; without one the program gets pipes.
    pub(super) terminal: Option<Size>,
    /// Marks the program's processes.
    pub(super) marker: String,
    /// Keys that came before the program was there.
    pub(super) typed_ahead: Vec<u8>,
}

impl Program {
    /// Runs the program to its end; the status it ended with.
    pub(super) async fn run(
        mut self,
        shared: &Shared,
        input: &mut ChannelReadHalf,
        output: &mut Output,
    ) -> Result<u32, Gone> {
        let marker = self.marker.clone().into();
        self.plan.environment.push((SESSION_VARIABLE.into(), marker));
        let ended = match self.terminal {
            Some(size) => on_pty(shared, &self, size, input, output).await,
            None => on_pipes(shared, &self, input, output).await,
        };
        match ended {
            Ok(status) => status.map(exit_code),
            Err(error) => {
                let program = self.plan.program.display();
                output.say(&format!("{program} could not be started: {error}\r\n")).await?;
                Ok(NOT_STARTED_STATUS)
            }
        }
    }
}

async fn on_pty(
    shared: &Shared,
    program: &Program,
    size: Size,
    input: &mut ChannelReadHalf,
    output: &mut Output,
) -> io::Result<Result<ExitStatus, Gone>> {
    let plan = &program.plan;
    let (pty, pts) = pty_process::open().map_err(io::Error::other)?;
    pty.resize(size).map_err(io::Error::other)?;
    let mut child = pty_process::Command::new(&plan.program)
        .args(&plan.arguments)
        .current_dir(&plan.directory)
        .env_clear()
        .envs(plan.environment.clone())
        .kill_on_drop(true)
        .spawn(pts)
        .map_err(io::Error::other)?;
    let _listed = Listed::add(shared, &child)?;
    let (from_pty, to_pty) = pty.into_split();
    let status = tokio::select! {
        status = carry(from_pty, output, child.wait()) => status,
        () = type_into(to_pty, &program.typed_ahead, input) => Err(Gone),
    };
    // Both halves of the PTY are closed by now: the shell has been hung up on.
    if status.is_err() {
        let _slow = tokio::time::timeout(HANG_UP_GRACE, child.wait()).await;
    }
    Ok(status)
}

/// Sends what a program writes until it has ended and its last words are out.
async fn carry(
    mut from: OwnedReadPty,
    output: &mut Output,
    end: impl Future<Output = io::Result<ExitStatus>>,
) -> Result<ExitStatus, Gone> {
    let mut buffer = vec![0_u8; CHUNK_BYTES];
    let mut end = std::pin::pin!(end);
    let status = loop {
        tokio::select! {
            status = &mut end => break status,
            read = from.read(&mut buffer) => match read {
                Ok(count) if count > 0 => output.send(buffer.get(..count).unwrap_or_default()).await?,
                // Nobody holds the PTY any more; the program is about to end.
                _ => return end.await.map_err(|_error| Gone),
            },
        }
    };
    while let Ok(Ok(count @ 1..)) = tokio::time::timeout(DRAIN_QUIET, from.read(&mut buffer)).await {
        output.send(buffer.get(..count).unwrap_or_default()).await?;
    }
    status.map_err(|_error| Gone)
}

/// Types what comes in; returns when the client is gone.
async fn type_into(mut to: OwnedWritePty, typed_ahead: &[u8], input: &mut ChannelReadHalf) {
    // A PTY whose program has ended takes nothing; its output side sees the end.
    let _ended = to.write_all(typed_ahead).await;
    while let Some(message) = input.wait().await {
        match message {
            ChannelMsg::Data { data } => {
                let _ended = to.write_all(&data).await;
            }
            ChannelMsg::WindowChange { col_width, row_height, .. } => {
                let _ended = to.resize(Window::new(col_width, row_height).into());
            }
            ChannelMsg::Close => return,
            _ => {}
        }
    }
}

async fn on_pipes(
    shared: &Shared,
    program: &Program,
    input: &mut ChannelReadHalf,
    output: &mut Output,
) -> io::Result<Result<ExitStatus, Gone>> {
    let plan = &program.plan;
    let mut child = tokio::process::Command::new(&plan.program)
        .args(&plan.arguments)
        .current_dir(&plan.directory)
        .env_clear()
        .envs(plan.environment.clone())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let _listed = Listed::add(shared, &child)?;
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("its standard streams are missing"));
    };
    Ok(tokio::select! {
        status = carry_streams(stdout, stderr, output, &mut child) => status,
        () = pour_into(stdin, &program.typed_ahead, input) => Err(Gone),
    })
}

async fn carry_streams(
    mut stdout: impl AsyncRead + Unpin,
    mut stderr: impl AsyncRead + Unpin,
    output: &mut Output,
    child: &mut Child,
) -> Result<ExitStatus, Gone> {
    let (mut plain, mut errors) = (vec![0_u8; CHUNK_BYTES], vec![0_u8; CHUNK_BYTES]);
    let (mut plain_open, mut errors_open) = (true, true);
    while plain_open || errors_open {
        tokio::select! {
            read = stdout.read(&mut plain), if plain_open => match read {
                Ok(count @ 1..) => output.send(plain.get(..count).unwrap_or_default()).await?,
                _ => plain_open = false,
            },
            read = stderr.read(&mut errors), if errors_open => match read {
                Ok(count @ 1..) => output.send_error(errors.get(..count).unwrap_or_default()).await?,
                _ => errors_open = false,
            },
        }
    }
    child.wait().await.map_err(|_error| Gone)
}

/// Feeds a program's standard input up to the client's end of it; returns when the client is gone.
async fn pour_into(stdin: ChildStdin, typed_ahead: &[u8], input: &mut ChannelReadHalf) {
    let mut stdin = Some(stdin);
    if let Some(stdin) = &mut stdin {
        let _ended = stdin.write_all(typed_ahead).await;
    }
    while let Some(message) = input.wait().await {
        match (message, &mut stdin) {
            (ChannelMsg::Data { data }, Some(open)) => {
                let _ended = open.write_all(&data).await;
            }
            (ChannelMsg::Eof, _) => stdin = None,
            (ChannelMsg::Close, _) => return,
            _ => {}
        }
    }
}

/// A child on the bastion's list while it runs.
struct Listed<'a> {
    shared: &'a Shared,
    leader: Option<u32>,
}

impl<'a> Listed<'a> {
    /// Refuses once the bastion is being dropped; the child then ends with its handle.
    fn add(shared: &'a Shared, child: &Child) -> io::Result<Self> {
        let leader = child.id();
        match &mut *lock(&shared.shells) {
            Shells::Closed => Err(io::Error::other("the bastion is closing")),
            Shells::Open(leaders) => {
                leaders.extend(leader);
                Ok(Self { shared, leader })
            }
        }
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        if let Shells::Open(leaders) = &mut *lock(&self.shared.shells) {
            leaders.retain(|leader| Some(*leader) != self.leader);
        }
    }
}

/// A death by signal counts as shells count it: 128 and the signal's number.
fn exit_code(status: ExitStatus) -> u32 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u32::try_from(code).ok()).unwrap_or(255)
}

/// A terminal's size, of which the system's own type tells nothing any more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) columns: u16,
    pub(super) rows: u16,
}

impl Window {
    /// Sizes beyond what a terminal can have become the largest it can.
    pub(super) fn new(columns: u32, rows: u32) -> Self {
        let fit = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
        Self { columns: fit(columns), rows: fit(rows) }
    }
}

impl From<Window> for Size {
    fn from(window: Window) -> Self {
        Self::new(window.rows, window.columns)
    }
}
