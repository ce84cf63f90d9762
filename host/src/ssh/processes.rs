//! Which process of a server has a session's terminal, asked on a channel of its own.
//!
//! One command, the same for every server but for a number: it reads `/proc` and changes nothing. It needs Linux, a
//! server that runs commands beside the shell, and a shell of that very server. Called by the session where its
//! profile wants it (`watch_processes`); nothing of what an agent says gets here.

use std::time::Duration;

use portcullis_term::Foreground;
use russh::{Channel, ChannelMsg, client::Msg};
use tokio::time::timeout;

use super::files::{FilesError, FilesOpener};
use super::text::printable;

/// A server that is this slow says nothing about the present any more.
const LIMIT: Duration = Duration::from_secs(5);
/// A line for each process of one group.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
/// Longest name of a process, as Linux keeps it.
const MAX_NAME_CHARS: usize = 16;
/// Where Linux waits in a read of a terminal, by its versions.
const READS: [&str; 2] = ["wait_woken", "n_tty_read"];
/// Begins each line of an answer, so that what a login prints is not taken for one.
const PREFIX: &str = "portcullis-process";

/// Why it cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum ProcessesError {
    #[error("no channel beside the shell could be had")]
    Channel(#[from] FilesError),
    #[error("the server does not run commands beside the shell")]
    Refused,
    #[error("the server has not answered within {} s", LIMIT.as_secs())]
    Timeout,
    #[error(
        "the answer does not say who has the terminal; the server may have no /proc, or show only its own processes"
    )]
    NotTold,
}

/// Who has the terminal of the shell with this process id.
///
/// # Errors
/// When the server cannot or will not say.
pub async fn foreground(channels: &FilesOpener, shell_pid: u32) -> Result<Foreground, ProcessesError> {
    let mut channel = channels.bare_channel().await?;
    let answer = timeout(LIMIT, ask(&mut channel, &question(shell_pid))).await;
    // An error means that it is closed already.
    let _ = channel.close().await;
    read(&answer.unwrap_or(Err(ProcessesError::Timeout))?).ok_or(ProcessesError::NotTold)
}

/// The command: the processes of the group that has the shell's terminal, each with the function of the kernel it
/// waits in, its system call, what that call's first argument is open on, and its name (proc(5)). The server hands
/// it to the user's own shell, so that it is one quoted word for `sh`.
fn question(shell_pid: u32) -> String {
    format!(
        "exec sh -c 'exec 2>/dev/null; IFS= read -r s </proc/{shell_pid}/stat || exit 1; set -- ${{s##*) }}; t=$6; \
         for d in /proc/[0-9]*; do IFS= read -r s <$d/stat || continue; set -- ${{s##*) }}; \
         [ \"$3\" = \"$t\" ] || continue; w=-; y=-; n=-; read -r w <$d/wchan; read -r y <$d/syscall; \
         read -r n <$d/comm; set -- $y; f=-; case $2 in 0x*) f=$(readlink $d/fd/$(($2))) || f=-;; esac; \
         echo \"{PREFIX} ${{w:-0}} ${{1:--}} ${{f:--}} $n\"; done'"
    )
}

async fn ask(channel: &mut Channel<Msg>, command: &str) -> Result<Vec<u8>, ProcessesError> {
    channel.exec(true, command).await.map_err(|_| FilesError::Gone)?;
    let mut answer = Vec::new();
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Failure => return Err(ProcessesError::Refused),
            ChannelMsg::Data { data } => answer.extend_from_slice(&data),
            ChannelMsg::Close => break,
            _ => {}
        }
        if answer.len() > MAX_ANSWER_BYTES {
            break;
        }
    }
    Ok(answer)
}

/// One that reads speaks for the group; else the first that can be told anything of.
fn read(answer: &[u8]) -> Option<Foreground> {
    let text = String::from_utf8_lossy(answer);
    let found: Vec<Foreground> = text.lines().filter_map(|line| process(line.strip_prefix(PREFIX)?)).collect();
    let reads = found.iter().find(|process| process.reads_terminal == Some(true));
    let unsure = found.iter().find(|process| process.reads_terminal.is_none());
    reads.or(unsure).or(found.first()).cloned()
}

fn process(line: &str) -> Option<Foreground> {
    let mut words = line.split_whitespace();
    let (waits_in, call, open_on) = (words.next()?, words.next()?, words.next()?);
    let name = words.collect::<Vec<_>>().join(" ");
    let on_terminal = ["/dev/pts/", "/dev/tty", "/dev/console"].iter().any(|device| open_on.starts_with(device));
    let several = ["poll", "select", "epoll"].iter().any(|function| waits_in.contains(function));
    let reads_terminal = match call {
        // Somebody else's: neither is told.
        "-" => None,
        _ if READS.contains(&waits_in) => Some(on_terminal),
        _ if several => None,
        _ => Some(false),
    };
    Some(Foreground { program: printable(&name, MAX_NAME_CHARS), reads_terminal })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_lines(lines: &[&str]) -> Option<(String, Option<bool>)> {
        let answer: String = lines.iter().map(|line| format!("{PREFIX} {line}\n")).collect();
        read(answer.as_bytes()).map(|seen| (seen.program, seen.reads_terminal))
    }

    #[test]
    fn what_waits_for_the_terminal_is_told_from_what_works() {
        let cases: [(&[&str], Option<bool>); 7] = [
            (&["wait_woken 0 /dev/pts/3 cat"], Some(true)),
            (&["hrtimer_nanosleep 230 - sleep"], Some(false)),
            (&["0 running - yes"], Some(false)),
            // A socket is read in the same function of the kernel.
            (&["wait_woken 0 socket:[4711] wget"], Some(false)),
            (&["poll_schedule_timeout.constprop.0 7 - python3"], None),
            (&["0 - - sudo"], None),
            (&["pipe_read 0 pipe:[1] grep", "n_tty_read 0 /dev/pts/0 cat"], Some(true)),
        ];
        for (lines, expected) in cases {
            assert_eq!(read_lines(lines).map(|(_, reads)| reads), Some(expected), "{lines:?}");
        }
        let named = read_lines(&["pipe_wait 0 - a", "wait_woken 0 /dev/tty a b"]).map(|(program, _)| program);
        assert_eq!(named.as_deref(), Some("a b"));
        assert_eq!(read_lines(&[]), None);
        assert_eq!(read(b"Welcome!\nwait_woken 0 /dev/pts/3 cat\n"), None);
    }
}
