//! A shell of this machine in a terminal of its own: what [`crate::ssh::open_shell`] is for a host.
//!
//! The session that owns the shell sees no difference. Nothing here parses output or judges commands.
//! The shell gets what sshd would give it, a login shell's environment and none of this program's own:
//! passwords may stand there (`password_env`).
//!
//! One task per shell owns the terminal (`pump`). Dropping the [`ShellLink`] ends it and hangs up on the
//! shell.

use std::collections::VecDeque;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use futures::FutureExt;
use pty_process::{OwnedReadPty, OwnedWritePty, Pty, Size};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::config::profile::login_shell;
use crate::config::{LocalShell, Profile, TerminalSize};
use crate::ssh::files::FilesOpener;
use crate::ssh::{PeerInfo, ShellCommand, ShellEvent, ShellLink};

/// Pieces of output on their way to the session; each is one read's worth or a few.
const EVENT_QUEUE: usize = 16;
const COMMAND_QUEUE: usize = 64;
/// The kernel hands on 4 KiB at most; what is there already is joined up to this.
const OUTPUT_PIECE_BYTES: usize = 64 * 1024;
const READ_BYTES: usize = 16 * 1024;
/// Typed bytes waiting for a program that does not read.
const PENDING_INPUT_BYTES: usize = 1 << 20;
/// What a shell gets to end by itself after the hang-up.
const HANG_UP_GRACE: Duration = Duration::from_secs(1);
/// What has been printed before the end arrives within this.
const LAST_OUTPUT: Duration = Duration::from_millis(200);
/// Variables of this program's environment that say who and where the user is; all others stay here.
const PASSED_ON: &[&str] = &["HOME", "USER", "LOGNAME", "PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_RUNTIME_DIR"];
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Why there is no shell.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    #[error("{program} cannot be run here; name another program in `shell` of the profile")]
    Program {
        program: String,
        #[source]
        source: io::Error,
    },
    #[error("{} is no directory one can enter; change `directory` of the profile", .path.display())]
    Directory {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("this machine gives no terminal; too many may be open")]
    Terminal(#[source] io::Error),
}

/// What is run for a profile, for people: the program and its arguments.
#[must_use]
pub fn described(shell: &LocalShell) -> String {
    match shell.command.as_slice() {
        [] => format!("{} (login shell)", login_shell()),
        command => command.join(" "),
    }
}

/// Whether the shell of a profile could be started, without starting it.
///
/// # Errors
/// As [`open_shell`], as far as it can be told.
pub fn check(shell: &LocalShell) -> Result<(), LocalError> {
    let program = shell.command.first().cloned().unwrap_or_else(login_shell);
    directory(shell)?;
    let found = if program.contains('/') {
        is_program(Path::new(&program))
    } else {
        let path = std::env::var_os("PATH").unwrap_or_else(|| USUAL_PATH.into());
        std::env::split_paths(&path).any(|folder| is_program(&folder.join(&program)))
    };
    if found {
        return Ok(());
    }
    Err(LocalError::Program { program, source: io::Error::from(io::ErrorKind::NotFound) })
}

fn is_program(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Starts the shell in a terminal of the profile's size. `environment` is added to what it gets.
///
/// # Errors
/// When the program, the directory or a terminal is not to be had.
pub fn open_shell(
    profile: &Profile,
    shell: &LocalShell,
    environment: &[(String, String)],
) -> Result<ShellLink, LocalError> {
    // A handler, unlike a signal that is ignored, is not handed down: started by `nohup … &`, a shell's
    // programs would not hear ctrl-c.
    let interrupt = signal(SignalKind::interrupt()).map_err(LocalError::Terminal)?;
    let directory = directory(shell)?;
    let (pty, pts) = pty_process::open().map_err(|error| LocalError::Terminal(io::Error::other(error)))?;
    pty.resize(size(profile.terminal)).map_err(|error| LocalError::Terminal(io::Error::other(error)))?;
    let program = shell.command.first().cloned().unwrap_or_else(login_shell);
    let mut command = pty_process::Command::new(&program)
        .args(shell.command.iter().skip(1))
        .current_dir(directory)
        .env_clear()
        .envs(own_environment())
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .kill_on_drop(true);
    if shell.command.is_empty() {
        let name = Path::new(&program).file_name().unwrap_or_default().to_string_lossy().into_owned();
        command = command.arg0(format!("-{name}"));
    }
    let child = command.spawn(pts).map_err(|error| {
        let source = match error {
            pty_process::Error::Io(source) => source,
            other => io::Error::other(other),
        };
        LocalError::Program { program: program.clone(), source }
    })?;
    drop(interrupt);
    let (event_sender, events) = mpsc::channel(EVENT_QUEUE);
    let (commands, command_receiver) = mpsc::channel(COMMAND_QUEUE);
    tokio::spawn(pump(pty, child, event_sender, command_receiver));
    let peer = PeerInfo {
        address: profile.host.clone(),
        user: profile.user.clone(),
        host_key: "none: this machine".to_owned(),
        auth_method: "none: this machine".to_owned(),
        server_version: described(shell),
    };
    Ok(ShellLink { events, commands, peer, files: FilesOpener::none() })
}

fn directory(shell: &LocalShell) -> Result<PathBuf, LocalError> {
    let path = match &shell.directory {
        Some(path) => path.clone(),
        None => std::env::home_dir().unwrap_or_else(|| PathBuf::from("/")),
    };
    match std::fs::read_dir(&path) {
        Ok(_) => Ok(path),
        Err(source) => Err(LocalError::Directory { path, source }),
    }
}

fn own_environment() -> Vec<(String, String)> {
    let passed_on = |name: &str| PASSED_ON.contains(&name) || name.starts_with("LC_");
    let mut environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| passed_on(name))
        .collect();
    if !environment.iter().any(|(name, _)| name == "PATH") {
        environment.push(("PATH".to_owned(), USUAL_PATH.to_owned()));
    }
    environment.push(("SHELL".to_owned(), login_shell()));
    environment.push(("TERM".to_owned(), "xterm-256color".to_owned()));
    environment
}

fn size(size: TerminalSize) -> Size {
    Size::new(size.rows, size.columns)
}

/// What ended a shell.
enum End {
    NotWanted,
    /// It ended by itself.
    Shell(io::Result<ExitStatus>),
    /// Nothing holds its terminal any more.
    Terminal,
}

/// Moves bytes until the shell has ended or nobody wants it any more.
async fn pump(
    pty: Pty,
    mut child: Child,
    events: mpsc::Sender<ShellEvent>,
    mut commands: mpsc::Receiver<ShellCommand>,
) {
    let (mut reader, mut writer) = pty.into_split();
    let mut end = tokio::select! {
        status = child.wait() => End::Shell(status),
        () = forward_output(&mut reader, &events) => End::Terminal,
        () = forward_input(&mut writer, &mut commands) => End::NotWanted,
        () = events.closed() => End::NotWanted,
    };
    match &end {
        // The shell's last words may still lie in the terminal. What it has left running there may go on
        // printing, and is hung up on.
        End::Shell(_) => drop(timeout(LAST_OUTPUT, forward_output(&mut reader, &events)).await),
        End::Terminal => end = timeout(HANG_UP_GRACE, child.wait()).await.map_or(End::Terminal, End::Shell),
        End::NotWanted => {}
    }
    // Closing both halves is the hang-up.
    drop((reader, writer));
    let reason = match end {
        End::NotWanted => "closed by this program".to_owned(),
        End::Terminal => "the shell has closed its terminal".to_owned(),
        End::Shell(status) => tell_end(status, &events).await,
    };
    if timeout(HANG_UP_GRACE, child.wait()).await.is_err() {
        // It may have ended just now, which is what was wanted.
        let _ = child.kill().await;
    }
    // An error means that nobody listens any more.
    let _ = events.send(ShellEvent::Closed { reason }).await;
}

/// Tells how the shell ended; the reason for people.
async fn tell_end(status: io::Result<ExitStatus>, events: &mpsc::Sender<ShellEvent>) -> String {
    let status = match status {
        Ok(status) => status,
        Err(error) => return format!("the shell is gone, and how it ended is not known: {error}"),
    };
    let (event, reason) = match status.code() {
        Some(code) => (ShellEvent::ExitStatus(code.unsigned_abs()), "the shell has ended".to_owned()),
        None => (ShellEvent::ExitSignal(signal_name(status)), format!("the shell was ended by a {status}")),
    };
    let _ = events.send(event).await;
    reason
}

/// The signal's name without `SIG`, or its number.
fn signal_name(status: ExitStatus) -> String {
    // The standard library knows the names and tells them in no other way.
    let told = status.to_string();
    let name = told.split_once("(SIG").and_then(|(_, rest)| rest.split_once(')')).map(|(name, _)| name.to_owned());
    name.unwrap_or_else(|| status.signal().unwrap_or_default().to_string())
}

/// Returns when the terminal gives nothing more, or nobody takes it.
async fn forward_output(reader: &mut OwnedReadPty, events: &mpsc::Sender<ShellEvent>) {
    let mut buffer = vec![0_u8; READ_BYTES];
    loop {
        // Linux says with an error that nobody holds the other side any more.
        let Ok(count @ 1..) = reader.read(&mut buffer).await else { return };
        let mut piece = buffer[..count].to_vec();
        while piece.len() < OUTPUT_PIECE_BYTES - READ_BYTES {
            match reader.read(&mut buffer).now_or_never() {
                Some(Ok(count @ 1..)) => piece.extend_from_slice(&buffer[..count]),
                _ => break,
            }
        }
        if events.send(ShellEvent::Output(piece)).await.is_err() {
            return;
        }
    }
}

/// Returns when the session has let go of the shell.
async fn forward_input(writer: &mut OwnedWritePty, commands: &mut mpsc::Receiver<ShellCommand>) {
    let mut pending: VecDeque<u8> = VecDeque::new();
    loop {
        tokio::select! {
            written = writer.write(pending.as_slices().0), if !pending.is_empty() => match written {
                Ok(count) => drop(pending.drain(..count)),
                // The terminal is gone; the reading half and the process say how.
                Err(_) => return std::future::pending().await,
            },
            command = commands.recv(), if pending.len() < PENDING_INPUT_BYTES => match command {
                Some(ShellCommand::Write(bytes)) => pending.extend(bytes),
                // A size the kernel does not take changes nothing.
                Some(ShellCommand::Resize(wanted)) => drop(writer.resize(size(wanted))),
                Some(ShellCommand::Close) | None => return,
            },
        }
    }
}
