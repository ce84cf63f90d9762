//! The running host in the configuration: its limits, its log, and the key that leaves an attached terminal.

use std::path::Path;
use std::time::Duration;

use super::file::{AttachFile, LimitsFile, LogFile, MetricsFile};
use super::{ConfigError, Limits, LogConfig, OtlpConfig};

const MIB: usize = 1 << 20;

/// Each holds its newest output in memory.
const DEFAULT_CLOSED_SESSIONS: usize = 16;
/// More than a person follows; an agent that opens one after the other is stopped here.
const DEFAULT_SESSIONS: usize = 32;
const DEFAULT_JOBS: usize = 256;
/// Twenty thousand lines or so.
const DEFAULT_SESSION_MEMORY_MIB: usize = 3;
/// Far more than the default sessions take; it holds where they are given more.
const DEFAULT_MEMORY_MIB: usize = 512;
/// A megabyte is about ten thousand lines.
const DEFAULT_LOG_MIB: u64 = 8;
const DEFAULT_LOG_LEVEL: &str = "info";
const DEFAULT_STDERR_LEVEL: &str = "warn";
const DEFAULT_OTLP_S: u32 = 30;
/// Below a collector's address (OTLP over HTTP).
const OTLP_PATH: &str = "v1/metrics";
/// As with telnet: nothing that shells or editors use much.
const DEFAULT_DETACH_KEY: &str = "ctrl-]";

/// Checks what was written about limits and fills in the rest.
pub(super) fn limits(written: &LimitsFile, file: &Path) -> Result<Limits, ConfigError> {
    let within = |key: &str, value: Option<usize>, default: usize, (least, most): (usize, usize)| {
        let value = value.unwrap_or(default);
        let problem = || wrong(file, &format!("limits.{key}"), format!("it is from {least} to {most}"));
        if (least..=most).contains(&value) { Ok(value) } else { Err(problem()) }
    };
    let session_mib = within("session_memory_mib", written.session_memory_mib, DEFAULT_SESSION_MEMORY_MIB, (1, 1_024))?;
    let memory_mib = within("memory_mib", written.memory_mib, DEFAULT_MEMORY_MIB, (1, 1_048_576))?;
    if session_mib > memory_mib {
        return Err(wrong(file, "limits.session_memory_mib", "it is more than `limits.memory_mib`".to_owned()));
    }
    if written.open_files.is_some_and(|files| files < 64) {
        return Err(wrong(file, "limits.open_files", "it is at least 64".to_owned()));
    }
    Ok(Limits {
        closed_sessions: written.closed_sessions.unwrap_or(DEFAULT_CLOSED_SESSIONS),
        sessions: within("sessions", written.sessions, DEFAULT_SESSIONS, (1, 10_000))?,
        jobs: within("jobs", written.jobs, DEFAULT_JOBS, (1, 100_000))?,
        session_memory_bytes: session_mib * MIB,
        memory_bytes: memory_mib * MIB,
        open_files: written.open_files,
    })
}

/// The log's directives are read when the log is begun; only its size can be wrong here.
pub(super) fn log(written: LogFile, file: &Path) -> Result<LogConfig, ConfigError> {
    let mib = written.max_mib.unwrap_or(DEFAULT_LOG_MIB);
    if !(1..=1_024).contains(&mib) {
        return Err(wrong(file, "log.max_mib", "it is from 1 to 1024".to_owned()));
    }
    Ok(LogConfig {
        level: written.level.unwrap_or_else(|| DEFAULT_LOG_LEVEL.to_owned()),
        stderr: written.stderr.unwrap_or_else(|| DEFAULT_STDERR_LEVEL.to_owned()),
        format: written.format.unwrap_or_default(),
        max_bytes: mib << 20,
    })
}

/// Where figures are sent.
pub(super) fn otlp(written: &MetricsFile, file: &Path) -> Result<Option<OtlpConfig>, ConfigError> {
    let seconds = written.interval_s.unwrap_or(DEFAULT_OTLP_S);
    if !(1..=3_600).contains(&seconds) {
        return Err(wrong(file, "metrics.interval_s", "it is from 1 to 3600".to_owned()));
    }
    let Some(address) = &written.otlp else { return Ok(None) };
    let parts = address.strip_prefix("http://").map(|rest| rest.split_once('/').unwrap_or((rest, "")));
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'@');
    match parts {
        Some((authority, base)) if authority.contains(':') && is_plain(address) => Ok(Some(OtlpConfig {
            authority: authority.to_owned(),
            path: format!("/{}", [base.trim_end_matches('/'), OTLP_PATH].join("/").trim_start_matches('/')),
            every: Duration::from_secs(seconds.into()),
        })),
        _ => {
            let problem = format!("{address:?} is no `http://HOST:PORT`; for TLS put a collector on this machine");
            Err(wrong(file, "metrics.otlp", problem))
        }
    }
}

pub(super) fn detach_key(written: AttachFile, file: &Path) -> Result<u8, ConfigError> {
    let key = written.detach_key.as_deref().unwrap_or(DEFAULT_DETACH_KEY);
    control_key(key).ok_or_else(|| wrong(file, "attach.detach_key", format!("{key:?} cannot be it: {CONTROL_KEYS}")))
}

/// What a control key may be called, for messages.
pub const CONTROL_KEYS: &str = "a key is `ctrl-` and a letter, or one of `]`, `\\`, `^` and `_`; Enter, Tab, Backspace \
                                and Escape, which are ctrl-m, ctrl-j, ctrl-i, ctrl-h and ctrl-[, cannot be it";

/// The byte a terminal sends for `ctrl-X`; none for keys that mean something else as well.
pub fn control_key(name: &str) -> Option<u8> {
    let rest = name.strip_prefix("ctrl-").or_else(|| name.strip_prefix("Ctrl-"))?;
    let mut characters = rest.chars();
    let key = characters.next().filter(|_| characters.as_str().is_empty())?.to_ascii_lowercase();
    match key {
        'h' | 'i' | 'j' | 'm' => None,
        'a'..='z' | '\\' | ']' | '^' | '_' => Some(key.to_ascii_uppercase() as u8 & 0x1f),
        _ => None,
    }
}

fn wrong(file: &Path, key: &str, problem: String) -> ConfigError {
    ConfigError::Value { path: file.to_owned(), key: key.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use super::*;

    #[test]
    fn a_key_that_leaves_is_no_key_that_one_types() {
        let named = |key: &str| control_key(key);
        assert_eq!(
            [named("ctrl-]"), named("Ctrl-A"), named("ctrl-_"), named("ctrl-\\")],
            [Some(29), Some(1), Some(31), Some(28)]
        );
        for key in ["ctrl-m", "ctrl-[", "ctrl-", "ctrl-ab", "a", "ctrl-é", ""] {
            assert_eq!(named(key), None, "{key}");
        }
    }

    #[test]
    fn a_collector_is_named_by_its_address() {
        let read = |text: &str| otlp(&toml::from_str(text).unwrap(), Path::new("f.toml")).map_err(|e| e.to_string());
        let to = |text: &str| read(text).unwrap().map(|to| (to.authority, to.path, to.every.as_secs()));
        assert_eq!(to("interval_s = 5"), None);
        let near = to("otlp = 'http://127.0.0.1:4318'").unwrap();
        assert_eq!(near, ("127.0.0.1:4318".to_owned(), "/v1/metrics".to_owned(), 30));
        assert_eq!(to("otlp = 'http://[::1]:4318/otlp/'").unwrap().1, "/otlp/v1/metrics");
        for text in ["https://a:1", "a:1", "http://a", "http://u:p@a:1", "http://a:1/\\r\\nX: y"] {
            assert!(read(&format!("otlp = \"{text}\"")).unwrap_err().contains("metrics.otlp"), "{text}");
        }
        assert!(read("interval_s = 0").unwrap_err().contains("from 1 to 3600"));
    }

    #[test]
    fn limits_are_neither_nothing_nor_at_odds_with_each_other() {
        let read = |text: &str| limits(&toml::from_str(text).unwrap(), Path::new("f.toml")).map_err(|e| e.to_string());
        let usual = read("").unwrap();
        assert!(usual.sessions * usual.session_memory_bytes < usual.memory_bytes);
        for (text, told) in [
            ("sessions = 0", "limits.sessions: it is from 1"),
            ("session_memory_mib = 5\nmemory_mib = 4", "it is more than `limits.memory_mib`"),
            ("open_files = 3", "at least 64"),
        ] {
            assert!(read(text).unwrap_err().contains(told), "{text}");
        }
    }
}
