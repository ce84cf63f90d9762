//! A terminal behind a bad line: a program on a PTY of its own, with every byte delayed in both
//! directions, and faults to choose from.
//!
//! It is a pipeline, not a rate limit: each byte of output has a delay of its own around the
//! latency, order is kept, and any number of bytes are under way; keys pressed together stay
//! together. Output is handed on in chunks of a fixed size, so a reader meets control sequences and
//! characters cut anywhere, in space and in time. The faults: a line that goes
//! silent for good (`mute`), and one that loses control strings, as some relays do
//! (`without_control_strings`).
//!
//! Who calls it: `portcullis-lab slow-terminal`, which tests use as the forced command of an SSH
//! server. Tasks: one current-thread runtime for the time of the call; a reader and a writer for
//! each direction.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use pty_process::Size;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::tty::{ControllingTerminal, RawMode};

/// One read of a PTY yields no more than a page.
const READ_BYTES: usize = 4096;
/// Reads that may be under way in one direction; a program that writes faster waits for its reader.
const READS_UNDER_WAY: usize = 4096;

/// How bad the line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineOptions {
    /// Mean delay of a byte, in each direction.
    pub latency: Duration,
    /// A byte's delay differs from the mean by at most this.
    pub jitter: Duration,
    /// Bytes of output handed on at once.
    pub chunk_bytes: usize,
    /// From the moment this text is typed, nothing passes in either direction any more.
    pub mute: Option<String>,
    /// Drops OSC, DCS and APC strings from the output.
    pub without_control_strings: bool,
}

/// Runs `command` on a PTY behind such a line, on the controlling terminal of this process.
///
/// Returns the command's exit code (128 and the signal's number for a death by signal) once its
/// last byte was handed on, or 255 when the outer terminal went away first.
///
/// # Errors
/// When there is no terminal or the command cannot be started.
pub fn run(options: &LineOptions, command: &[OsString]) -> io::Result<u8> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(relay(options, command))
}

async fn relay(options: &LineOptions, command: &[OsString]) -> io::Result<u8> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no command to run on the slow terminal"));
    };
    let mut outer = ControllingTerminal::open()?;
    let outer_file = outer.file()?;
    let (input, screen) = outer.split();
    let (pty, pts) = pty_process::open().map_err(io::Error::other)?;
    let (columns, rows) = input.size();
    pty.resize(Size::new(rows, columns)).map_err(io::Error::other)?;
    let mut child =
        pty_process::Command::new(program).args(arguments).kill_on_drop(true).spawn(pts).map_err(io::Error::other)?;
    let _raw = RawMode::enter(outer_file.as_fd())?;
    let mut resized = signal(SignalKind::window_change())?;
    let (from_pty, to_pty) = pty.into_split();
    // The write half also sets the size, so sizes travel the same road as keys.
    let mute = Mute::new(options.mute.as_deref());
    let (typed, mut keys) = mpsc::channel(READS_UNDER_WAY);
    let (printed, output) = mpsc::channel(READS_UNDER_WAY);
    let down = delayed(from_pty, printed, options, mute.clone());
    let up = write_chunks(screen, output, options);
    let mut to_pty = to_pty;
    let typing = async {
        let mut delays = Delays::new(options);
        let mut buffer = [0_u8; READ_BYTES];
        loop {
            let keys_read = &mut *input.keys;
            let count = match keys_read.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(count) => count,
            };
            let bytes = &buffer[..count];
            if mute.passes_key(bytes) && typed.send(delays.together(bytes)).await.is_err() {
                return;
            }
        }
    };
    let pressing = async {
        loop {
            tokio::select! {
                piece = keys.recv() => match piece {
                    // Keys that were pressed together travel in one packet and arrive together: a
                    // line editor gives up on an escape sequence that is torn apart in time.
                    Some(Delayed { bytes }) => {
                        if let Some((due, _)) = bytes.back() {
                            sleep_until(*due).await;
                        }
                        let keys: Vec<u8> = bytes.into_iter().map(|(_, byte)| byte).collect();
                        if to_pty.write_all(&keys).await.is_err() {
                            return;
                        }
                    }
                    None => return,
                },
                _ = resized.recv() => {
                    let (columns, rows) = size_of(&outer_file);
                    if to_pty.resize(Size::new(rows, columns)).is_err() { return }
                }
            }
        }
    };
    tokio::select! {
        ((), written) = async { tokio::join!(down, up) } => written?,
        () = async { tokio::join!(typing, pressing); } => return Ok(u8::MAX),
    }
    Ok(exit_code(child.wait().await?))
}

fn size_of(terminal: &std::fs::File) -> (u16, u16) {
    rustix::termios::tcgetwinsize(terminal).map_or((80, 24), |size| (size.ws_col, size.ws_row))
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// Bytes with the moment each of them arrives.
struct Delayed {
    bytes: VecDeque<(Instant, u8)>,
}

/// Reads until the end and sends what it reads on its way.
async fn delayed(mut from: impl AsyncRead + Unpin, to: mpsc::Sender<Delayed>, options: &LineOptions, mute: Mute) {
    let mut delays = Delays::new(options);
    let mut filter = ControlStrings::default();
    let mut buffer = [0_u8; READ_BYTES];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let mut bytes = buffer[..count].to_vec();
        if options.without_control_strings {
            bytes.retain(|byte| filter.keeps(*byte));
        }
        if mute.passes_output() && to.send(delays.of(&bytes)).await.is_err() {
            return;
        }
    }
}

/// Hands bytes on when they are due, at most a chunk at a time.
async fn write_chunks(
    to: &mut (impl AsyncWrite + Unpin),
    mut from: mpsc::Receiver<Delayed>,
    options: &LineOptions,
) -> io::Result<()> {
    let size = options.chunk_bytes.max(1);
    while let Some(Delayed { mut bytes }) = from.recv().await {
        while let Some((due, _)) = bytes.front().copied() {
            sleep_until(due).await;
            let now = Instant::now();
            let ready = bytes.iter().take(size).take_while(|(due, _)| *due <= now).count().max(1);
            let chunk: Vec<u8> = bytes.drain(..ready).map(|(_, byte)| byte).collect();
            to.write_all(&chunk).await?;
            // Lets the reader at the other end take it before the next one is written.
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

/// Gives each byte its moment.
struct Delays {
    latency: Duration,
    jitter: Duration,
    last: Instant,
    /// State of a small generator; the same for every run, so that a failure comes again.
    random: u64,
}

impl Delays {
    fn new(options: &LineOptions) -> Self {
        Self { latency: options.latency, jitter: options.jitter, last: Instant::now(), random: 0x9e37_79b9_7f4a_7c15 }
    }

    fn of(&mut self, bytes: &[u8]) -> Delayed {
        let now = Instant::now();
        let bytes = bytes.iter().map(|byte| (self.due(now), *byte)).collect();
        Delayed { bytes }
    }

    /// One moment for all of them.
    fn together(&mut self, bytes: &[u8]) -> Delayed {
        let due = self.due(Instant::now());
        Delayed { bytes: bytes.iter().map(|byte| (due, *byte)).collect() }
    }

    fn due(&mut self, now: Instant) -> Instant {
        let least = self.latency.saturating_sub(self.jitter);
        let spread_us = u64::try_from((self.latency + self.jitter).saturating_sub(least).as_micros()).unwrap_or(0);
        let delay =
            least + Duration::from_micros(if spread_us == 0 { 0 } else { self.next_random() % (spread_us + 1) });
        self.last = self.last.max(now + delay);
        self.last
    }

    /// xorshift64 (Marsaglia 2003).
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

/// Whether the line has gone silent; shared by both directions.
#[derive(Clone)]
struct Mute {
    text: Option<Vec<u8>>,
    seen: std::rc::Rc<std::cell::RefCell<Vec<u8>>>,
    silent: std::rc::Rc<std::cell::Cell<bool>>,
}

impl Mute {
    fn new(text: Option<&str>) -> Self {
        let text = text.map(|text| text.as_bytes().to_vec());
        Self { text, seen: std::rc::Rc::default(), silent: std::rc::Rc::default() }
    }

    fn passes_output(&self) -> bool {
        !self.silent.get()
    }

    fn passes_key(&self, bytes: &[u8]) -> bool {
        let Some(text) = self.text.as_ref().filter(|text| !text.is_empty()) else { return true };
        let mut seen = self.seen.borrow_mut();
        seen.extend_from_slice(bytes);
        if seen.windows(text.len()).any(|window| window == text) {
            self.silent.set(true);
        }
        let keep = seen.len().saturating_sub(text.len());
        seen.drain(..keep);
        !self.silent.get()
    }
}

/// Finds OSC, DCS, APC, PM and SOS strings in a stream.
#[derive(Default)]
struct ControlStrings {
    state: StringState,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum StringState {
    #[default]
    Ground,
    Escape,
    Inside,
    InsideEscape,
}

impl ControlStrings {
    /// Whether this byte is outside of every control string. The escape in front of one passes: it
    /// is not known yet what follows, and alone it does nothing.
    fn keeps(&mut self, byte: u8) -> bool {
        let before = self.state;
        self.state = match (before, byte) {
            (StringState::Inside | StringState::InsideEscape, 0x07 | 0x18 | 0x1a) => StringState::Ground,
            (StringState::InsideEscape, b'\\') => StringState::Ground,
            (StringState::Inside | StringState::InsideEscape, 0x1b) => StringState::InsideEscape,
            (StringState::Inside | StringState::InsideEscape, _) => StringState::Inside,
            (StringState::Escape, b']' | b'P' | b'_' | b'^' | b'X') => StringState::Inside,
            (_, 0x1b) => StringState::Escape,
            _ => StringState::Ground,
        };
        let inside = |state| matches!(state, StringState::Inside | StringState::InsideEscape);
        !inside(before) && !inside(self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(latency_ms: u64, jitter_ms: u64) -> LineOptions {
        LineOptions {
            latency: Duration::from_millis(latency_ms),
            jitter: Duration::from_millis(jitter_ms),
            chunk_bytes: 1,
            mute: None,
            without_control_strings: false,
        }
    }

    #[test]
    fn order_is_kept_and_delays_stay_in_their_range() {
        let mut delays = Delays::new(&options(300, 200));
        let before = Instant::now();
        let delayed = delays.of(&[b'x'; 1000]);
        let after = Instant::now();
        let due: Vec<Instant> = delayed.bytes.iter().map(|(due, _)| *due).collect();
        assert!(due.is_sorted());
        assert!(due.first().is_some_and(|first| *first >= before + Duration::from_millis(100)));
        assert!(due.last().is_some_and(|last| *last <= after + Duration::from_millis(500)));
        assert!(due.first() < due.last());
    }

    #[test]
    fn control_strings_are_dropped_and_all_else_passes() {
        let mut filter = ControlStrings::default();
        let mut bytes = b"a\x1b]133;A\x07b\x1b[1mc\x1bPq\x1b\\d".to_vec();
        bytes.retain(|byte| filter.keeps(*byte));
        assert_eq!(bytes, b"a\x1bb\x1b[1mc\x1bd");
    }

    #[test]
    fn the_line_goes_silent_at_the_text_wherever_it_is_cut() {
        let mute = Mute::new(Some("gone"));
        assert!(mute.passes_key(b"a go"));
        assert!(mute.passes_output());
        assert!(!mute.passes_key(b"ne"));
        assert!(!mute.passes_output() && !mute.passes_key(b"more"));
    }
}
