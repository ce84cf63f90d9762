//! Where log lines go: standard error, and of a running host the file `host.log` in its folder.
//!
//! Nothing here knows a secret, and what is logged names who did what and never what was typed or printed. The
//! libraries below log whole messages at their finest levels, so no setting makes them say more than `info`.

use std::fs::File;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

use crate::audit::RedactedLog;
use crate::config::{LogConfig, LogFormat};
use crate::host::Host;

/// Counts instead of what the configuration says.
const VARIABLE: &str = "PORTCULLIS_LOG";
/// Kept of what is logged before there is a file, in bytes.
const EARLY_BYTES: usize = 64 * 1024;

static SINK: Sink = Sink(Mutex::new(State::Early(Vec::new())));

/// For commands: standard error only.
pub(super) fn start(default: &str) {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::registry().with(lines(LogFormat::Text, redacted_stderr, filter)).init();
}

/// For a running host: standard error, and a file once there is one.
///
/// # Errors
/// When the directives of the configuration are none.
pub(super) fn start_host(config: &LogConfig) -> anyhow::Result<()> {
    let directives = |key: &str, written: &str| match std::env::var(VARIABLE) {
        Ok(instead) => EnvFilter::try_new(&instead).with_context(|| format!("{VARIABLE} is no list of log levels")),
        Err(_) => EnvFilter::try_new(written).with_context(|| format!("`log.{key}` is no list of log levels")),
    };
    let stderr = directives("stderr", &format!("{},{}=info", config.stderr, portcullis_sandbox::PROGRESS))?;
    let file = directives("level", &config.level)?;
    tracing_subscriber::registry()
        .with(lines(config.format, redacted_stderr, stderr))
        .with(lines(config.format, || RedactedLog(&SINK), file))
        .init();
    Ok(())
}

/// From here on the file has it all, also what was logged before.
///
/// # Errors
/// When the file cannot be made.
pub(super) fn write_to_file_of(host: &Host) -> anyhow::Result<()> {
    let path = host.instance().path.join("host.log");
    let mut file = host.instance().open_log().with_context(|| format!("{} cannot be written", path.display()))?;
    let mut state = SINK.locked();
    if let State::Early(early) = &*state {
        file.write_all(early).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    *state = State::File { file, written: 0, most: host.config().log.max_bytes, host: host.clone() };
    Ok(())
}

fn lines<S, W>(format: LogFormat, writer: W, filter: EnvFilter) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let own = filter_fn(|about| about.target().starts_with("portcullis") || *about.level() <= LevelFilter::INFO);
    let layer = fmt::layer().with_writer(writer).with_ansi(false);
    match format {
        LogFormat::Text => layer.with_filter(filter.and(own)).boxed(),
        LogFormat::Json => layer.json().with_filter(filter.and(own)).boxed(),
    }
}

/// What is logged may be kept by whoever started this.
fn redacted_stderr() -> RedactedLog<io::Stderr> {
    RedactedLog(io::stderr())
}

struct Sink(Mutex<State>);

enum State {
    Early(Vec<u8>),
    File { file: File, written: u64, most: u64, host: Host },
}

impl Sink {
    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for &Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match &mut *self.locked() {
            State::Early(early) if early.len() + line.len() <= EARLY_BYTES => early.extend_from_slice(line),
            State::Early(_) => {}
            State::File { file, written, most, host } => {
                if *written > *most {
                    // A file that cannot be begun anew goes on.
                    if let Ok(next) = host.instance().rotate_log() {
                        *file = next;
                    }
                    *written = 0;
                }
                file.write_all(line)?;
                *written += line.len() as u64;
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
