//! A writer that redacts: for logs, whose every write is a whole entry.

use std::io::Write;

use super::Redactor;

/// Writes what it is given without secrets. Each write is complete in itself.
#[derive(Debug)]
pub struct RedactedWriter<'a, W> {
    inner: W,
    redactor: &'a Redactor,
}

impl<'a, W: Write> RedactedWriter<'a, W> {
    pub fn new(inner: W, redactor: &'a Redactor) -> Self {
        Self { inner, redactor }
    }
}

impl<W: Write> Write for RedactedWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.inner.write_all(&self.redactor.whole(bytes).bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}
