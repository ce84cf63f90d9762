//! A connection carried by a program of the operator's instead of TCP: `proxy_command`, as OpenSSH's
//! ProxyCommand.
//!
//! The program's standard input and output are the connection; what it writes to standard error goes to the
//! log, and its last words into the error when there is no connection. It comes from the operator's own
//! configuration, is run by the operator's shell, and gets this program's environment, as from `ssh`.
//!
//! One task per program reads its standard error. Dropping [`Proxy`] hangs up on the program and on all it
//! has started.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, Join, join};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::text::readable_lines;
use crate::config::profile::login_shell;

/// Kept of what the program said, for an error.
const LAST_WORDS_BYTES: usize = 600;
const LAST_WORDS_LINES: usize = 3;
/// What a program that has closed the connection gets to end by itself.
const END_GRACE: Duration = Duration::from_millis(500);

/// The bytes of the connection.
pub(super) type ProxyStream = Join<ChildStdout, ChildStdin>;

/// The running program.
pub(super) struct Proxy {
    child: Child,
    listening: JoinHandle<()>,
    said: Arc<Mutex<Vec<u8>>>,
}

/// How a program ended that should have gone on.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// The last it wrote to standard error: text of anybody's, cleaned and cut.
    pub(super) said: Option<String>,
}

impl Proxy {
    /// Starts the program.
    ///
    /// # Errors
    /// When there is no shell to run it. A program that is not there is told by its end.
    pub(super) fn start(command: &str) -> io::Result<(Self, ProxyStream)> {
        let mut child = Command::new(login_shell())
            .arg("-c")
            .arg(format!("exec {command}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for this program, and the end of it reaches all that the program starts.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let said = Arc::default();
        let (Some(input), Some(output), Some(error)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let listening = tokio::spawn(listen(error, Arc::clone(&said)));
        Ok((Self { child, listening, said }, join(output, input)))
    }

    /// How it ended, if it has; waits a moment for one that is about to.
    pub(super) async fn ended(&mut self) -> Option<Ended> {
        let status = timeout(END_GRACE, self.child.wait()).await.ok()?.ok()?;
        // Something it has started may go on and hold its standard error.
        drop(timeout(END_GRACE, &mut self.listening).await);
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let said = readable_lines(&String::from_utf8_lossy(&said), LAST_WORDS_BYTES, LAST_WORDS_LINES);
        Some(Ended { status, said: Some(said).filter(|said| !said.is_empty()) })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // None once it has ended: the number may be another's by now.
        let group = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(group) = group {
            // Gone already is as good.
            let _ = kill_process_group(group, Signal::HUP);
        }
    }
}

/// Keeps the end of what the program says.
async fn listen(mut error: ChildStderr, said: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0_u8; LAST_WORDS_BYTES];
    while let Ok(count @ 1..) = error.read(&mut buffer).await {
        tracing::debug!(text = %String::from_utf8_lossy(&buffer[..count]).escape_debug(), "the proxy command says");
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(&buffer[..count]);
        let surplus = said.len().saturating_sub(LAST_WORDS_BYTES);
        said.drain(..surplus);
    }
}
