//! What the host keeps per plugin instance: its limits, and its log, the only import there is.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use wasmtime::ResourceLimiter;

use crate::bindings::shared::portcullis::common::types;
use crate::bindings::shared::portcullis::host::log;
use crate::check;
use crate::limits::Limits;

/// Data of a store.
pub(crate) struct PluginState {
    plugin: Arc<str>,
    memory_used_bytes: usize,
    memory_limit_bytes: usize,
    max_table_elements: usize,
    /// When the present call is ended from outside.
    pub(crate) deadline: Instant,
    /// In the present call.
    log_lines_written: u32,
    log_lines_kept: u32,
    max_log_lines: u32,
    /// Since the instance was made.
    log_lines_dropped: u64,
    log_line_bytes: usize,
    /// The last line of level error: a panic's message, if it then traps.
    last_error: Option<String>,
}

impl PluginState {
    pub(crate) fn new(plugin: Arc<str>, limits: &Limits) -> Self {
        Self {
            plugin,
            memory_used_bytes: 0,
            memory_limit_bytes: limits.memory_bytes,
            max_table_elements: limits.max_table_elements,
            deadline: Instant::now() + limits.deadline,
            log_lines_written: 0,
            log_lines_kept: limits.log_lines,
            max_log_lines: limits.max_log_lines,
            log_lines_dropped: 0,
            log_line_bytes: limits.log_line_bytes,
            last_error: None,
        }
    }

    /// Gives the next call its whole time and log again.
    pub(crate) fn begin_call(&mut self, limits: &Limits) {
        self.deadline = Instant::now() + limits.deadline;
        self.log_lines_written = 0;
        self.last_error = None;
    }

    pub(crate) fn take_last_error(&mut self) -> Option<String> {
        self.last_error.take()
    }
}

impl Drop for PluginState {
    fn drop(&mut self) {
        if self.log_lines_dropped > 0 {
            tracing::warn!(plugin = %self.plugin, lines = self.log_lines_dropped, "plugin log lines over the limit dropped");
        }
    }
}

/// The limiter's own error, so that it can be told from every other.
#[derive(Debug)]
pub(crate) struct MemoryLimitReached {
    pub(crate) asked_bytes: usize,
    pub(crate) limit_bytes: usize,
}

impl fmt::Display for MemoryLimitReached {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bytes of memory asked for, {} allowed", self.asked_bytes, self.limit_bytes)
    }
}

impl std::error::Error for MemoryLimitReached {}

/// The log's own error, for the same reason.
#[derive(Debug)]
pub(crate) struct LogLimitReached {
    pub(crate) limit_lines: u32,
}

impl fmt::Display for LogLimitReached {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "more than {} log lines in one call", self.limit_lines)
    }
}

impl std::error::Error for LogLimitReached {}

/// wasmtime's own limiter counts per memory; this one counts all memories of the instance together.
impl ResourceLimiter for PluginState {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let others = self.memory_used_bytes.saturating_sub(current);
        let asked_bytes = others.saturating_add(desired);
        if asked_bytes > self.memory_limit_bytes {
            return Err(MemoryLimitReached { asked_bytes, limit_bytes: self.memory_limit_bytes }.into());
        }
        self.memory_used_bytes = asked_bytes;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= self.max_table_elements)
    }
}

impl types::Host for PluginState {}

impl log::Host for PluginState {
    fn enabled(&mut self, level: log::Level) -> wasmtime::Result<bool> {
        Ok(self.log_lines_written < self.log_lines_kept && is_recorded(level))
    }

    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        if self.log_lines_written >= self.max_log_lines {
            return Err(LogLimitReached { limit_lines: self.max_log_lines }.into());
        }
        self.log_lines_written += 1;
        let is_kept = self.log_lines_written <= self.log_lines_kept;
        let is_error = matches!(level, log::Level::Error);
        if !is_kept {
            self.log_lines_dropped += 1;
        }
        if is_kept || is_error {
            let line = check::shown_line(&message, self.log_line_bytes);
            if is_kept {
                record(&self.plugin, level, &line);
            }
            if is_error {
                self.last_error = Some(line);
            }
        }
        Ok(())
    }
}

fn record(plugin: &str, level: log::Level, line: &str) {
    match level {
        log::Level::Trace => tracing::trace!(target: TARGET, plugin, "{line}"),
        log::Level::Debug => tracing::debug!(target: TARGET, plugin, "{line}"),
        log::Level::Info => tracing::info!(target: TARGET, plugin, "{line}"),
        log::Level::Warn => tracing::warn!(target: TARGET, plugin, "{line}"),
        log::Level::Error => tracing::error!(target: TARGET, plugin, "{line}"),
    }
}

/// Under which plugins' own lines are recorded and filtered.
const TARGET: &str = "portcullis::plugin";

fn is_recorded(level: log::Level) -> bool {
    match level {
        log::Level::Trace => tracing::enabled!(target: TARGET, tracing::Level::TRACE),
        log::Level::Debug => tracing::enabled!(target: TARGET, tracing::Level::DEBUG),
        log::Level::Info => tracing::enabled!(target: TARGET, tracing::Level::INFO),
        log::Level::Warn => tracing::enabled!(target: TARGET, tracing::Level::WARN),
        // Always wanted: it carries the message of a panic.
        log::Level::Error => true,
    }
}
