//! `kubectl exec`: a real command in the pod's directory.
//!
//! With `-t` on a terminal the command gets a PTY of its own, as with the real kubectl: a new
//! session with its own controlling terminal and line discipline, while the outer terminal is raw
//! and only carries bytes and size changes. Without, the command inherits the standard streams.
//!
//! Tasks: one current-thread runtime on a thread of its own for the time of the call, so that a
//! caller which is itself inside a runtime can use it.

use std::ffi::{OsStr, OsString};
use std::future::Future;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use pty_process::{OwnedReadPty, OwnedWritePty, Size};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};

use super::FAILURE_STATUS;
use super::arguments::ExecRequest;
use crate::shell::{SESSION_VARIABLE, ShellPlan};
use crate::tty::{ControllingTerminal, RawMode, TerminalInput, is_terminal};

/// What the container runtime answers for a program it cannot start.
const NOT_STARTED_STATUS: u8 = 127;
/// After the command's end its last output is already in the PTY; a job it left behind may keep
/// the PTY open, and is not waited for.
const DRAIN_QUIET: Duration = Duration::from_millis(20);
/// One read of a PTY yields no more than a page.
const CHUNK_BYTES: usize = 4096;
/// Variables of the outer shell that a pod gets; its environment is otherwise its own.
const PASSED_ON: [&str; 4] = ["TERM", "LANG", "COLORTERM", SESSION_VARIABLE];

/// How the command came to its end.
enum End {
    Exited(ExitStatus),
    /// The outer terminal is gone, or this process was told to stop.
    CutOff,
}

pub(super) fn run(home: &Path, request: &ExecRequest, err: &mut impl Write) -> io::Result<u8> {
    let directory = match request.pod.directory(home) {
        Ok(directory) => directory,
        Err(error) => {
            writeln!(err, "error: pod {} has no directory: {:#}", request.pod.name(), anyhow::Error::from(error))?;
            return Ok(FAILURE_STATUS);
        }
    };
    let base: Vec<(OsString, OsString)> =
        PASSED_ON.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?))).collect();
    let (namespace, pod) = (request.pod.namespace(), request.pod.name());
    let Some(plan) = ShellPlan::pod(&directory, namespace, pod, &request.command, &base) else {
        return Ok(FAILURE_STATUS);
    };
    let on_terminal = request.terminal && is_terminal(io::stdin());
    if request.terminal && !on_terminal {
        writeln!(err, "Unable to use a TTY - input is not a terminal or the right kind of file")?;
    }
    if on_terminal && is_bare_shell(&request.command) {
        writeln!(
            err,
            "Connected to pod {namespace}/{pod}.\nTry: grep -n timeout var/log/app/app.log (exit goes back)"
        )?;
    }
    let ended = if on_terminal { in_runtime(on_own_terminal(&plan)) } else { plainly(&plan, request.stdin) };
    report(ended, &request.command, err)
}

/// Says how the command ended, in kubectl's words.
fn report(ended: io::Result<End>, command: &[OsString], err: &mut impl Write) -> io::Result<u8> {
    let status = match ended {
        Ok(End::Exited(status)) => exit_code(status),
        Ok(End::CutOff) => return Ok(FAILURE_STATUS),
        Err(error) => {
            let program = command.first().map(|program| program.to_string_lossy());
            writeln!(err, "error: cannot run {:?} in the pod: {error}", program.unwrap_or_default())?;
            NOT_STARTED_STATUS
        }
    };
    if status != 0 {
        writeln!(err, "command terminated with exit code {status}")?;
    }
    Ok(status)
}

/// A death by signal counts as shells count it: 128 and the signal's number.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// A shell without arguments, which will prompt.
fn is_bare_shell(command: &[OsString]) -> bool {
    let [program] = command else { return false };
    let name = Path::new(program).file_name().and_then(OsStr::to_str);
    matches!(name, Some("bash" | "sh" | "ash" | "dash" | "zsh" | "ksh"))
}

fn plainly(plan: &ShellPlan, stdin: bool) -> io::Result<End> {
    let status = std::process::Command::new(&plan.program)
        .args(&plan.arguments)
        .current_dir(&plan.directory)
        .env_clear()
        .envs(plan.environment.clone())
        .stdin(if stdin { Stdio::inherit() } else { Stdio::null() })
        .status()?;
    Ok(End::Exited(status))
}

fn in_runtime(work: impl Future<Output = io::Result<End>> + Send) -> io::Result<End> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work));
        thread.join().unwrap_or_else(|_panic| Err(io::Error::other("the relay of the terminal failed")))
    })
}

async fn on_own_terminal(plan: &ShellPlan) -> io::Result<End> {
    let mut outer = ControllingTerminal::open()?;
    let outer_file = outer.file()?;
    let (keys, screen) = outer.split();
    let (pty, pts) = pty_process::open().map_err(io::Error::other)?;
    resize(&keys, |size| pty.resize(size))?;
    let mut child = pty_process::Command::new(&plan.program)
        .args(&plan.arguments)
        .current_dir(&plan.directory)
        .env_clear()
        .envs(plan.environment.clone())
        .kill_on_drop(true)
        .spawn(pts)
        .map_err(io::Error::other)?;
    let _raw = RawMode::enter(outer_file.as_fd())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (mut from_pty, to_pty) = pty.into_split();
    let status = tokio::select! {
        status = carry_output(&mut from_pty, screen, child.wait()) => status?,
        gone = carry_input(keys, to_pty) => return gone.map(|()| End::CutOff),
        _ = hang_up.recv() => return Ok(End::CutOff),
        _ = terminate.recv() => return Ok(End::CutOff),
    };
    Ok(End::Exited(status))
}

/// Shows what the command writes, until it has ended and its last words are out.
async fn carry_output(
    from: &mut OwnedReadPty,
    screen: &mut pipe::Sender,
    end: impl Future<Output = io::Result<ExitStatus>>,
) -> io::Result<ExitStatus> {
    let mut buffer = [0_u8; CHUNK_BYTES];
    let mut end = std::pin::pin!(end);
    let status = loop {
        tokio::select! {
            status = &mut end => break status?,
            read = from.read(&mut buffer) => match read {
                Ok(count) if count > 0 => screen.write_all(buffer.get(..count).unwrap_or_default()).await?,
                // Nobody holds the PTY any more; the command is about to end.
                _ => return end.await,
            },
        }
    };
    while let Ok(Ok(count @ 1..)) = tokio::time::timeout(DRAIN_QUIET, from.read(&mut buffer)).await {
        screen.write_all(buffer.get(..count).unwrap_or_default()).await?;
    }
    Ok(status)
}

/// Passes on keys and size changes; returns when the outer terminal is gone.
async fn carry_input(outer: TerminalInput<'_>, mut to: OwnedWritePty) -> io::Result<()> {
    let mut resized = signal(SignalKind::window_change())?;
    // A change between the first look and the signal handler would be missed otherwise.
    resize(&outer, |size| to.resize(size))?;
    let mut buffer = [0_u8; CHUNK_BYTES];
    loop {
        tokio::select! {
            _ = resized.recv() => resize(&outer, |size| to.resize(size))?,
            read = outer.keys.read(&mut buffer) => match read? {
                0 => return Ok(()),
                count => to.write_all(buffer.get(..count).unwrap_or_default()).await?,
            },
        }
    }
}

fn resize(outer: &TerminalInput<'_>, set: impl FnOnce(Size) -> pty_process::Result<()>) -> io::Result<()> {
    let (columns, rows) = outer.size();
    set(Size::new(rows, columns)).map_err(io::Error::other)
}
