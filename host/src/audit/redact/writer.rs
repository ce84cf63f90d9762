//! A writer that redacts: for logs, whose every write is a whole entry.

use std::io::Write;
use std::sync::OnceLock;

use super::{Redaction, Redactor};

/// Of the whole process: logs begin before there is a configuration. None where there are no rules.
static REDACTOR: OnceLock<Option<Redactor>> = OnceLock::new();

/// Writes what it is given without secrets, by the built-in rules. Each write is complete in itself.
#[derive(Debug)]
pub struct RedactedLog<W>(pub W);

impl<W: Write> Write for RedactedLog<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match REDACTOR.get_or_init(|| Redaction::default().redactor().ok()) {
            Some(redactor) => self.0.write_all(&redactor.whole(bytes).bytes)?,
            None => self.0.write_all(b"(a line was left out: there are no rules by which it could be redacted)\n")?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_has_no_secret() {
        let mut log = RedactedLog(Vec::new());
        log.write_all(b"WARN connect to https://ann:hunter2@host failed\n").unwrap_or_default();
        let text = String::from_utf8_lossy(&log.0).into_owned();
        assert!(text.contains("https://ann:[redacted:url-credentials:") && text.ends_with("]@host failed\n"), "{text}");
    }
}
