//! A transcript in other forms: an asciicast v3 that players show, plain text, JSON.

use std::io::Write;

use portcullis_term::clean;
use serde_json::{Value, json};

use super::reader::{Event, LineRead};
use super::store::{StoreError, Stored};

/// What a transcript is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// <https://docs.asciinema.org/manual/asciicast/v3/>: what was printed and typed, sizes, commands as markers.
    Asciicast,
    /// What was printed, without control sequences.
    Text,
    /// Every event as a JSON line.
    Json,
}

/// Why a transcript was not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("what was exported could not be written")]
    Write(#[from] std::io::Error),
}

/// Writes the transcript as `form`.
///
/// # Errors
/// When it cannot be read, or `to` takes no more.
pub fn export(stored: &Stored, form: Form, to: &mut impl Write) -> Result<(), ExportError> {
    let mut outcome = Ok(());
    let mut cast = Cast::default();
    let mut printed = Vec::new();
    stored.events(|line| {
        let LineRead::Event(event) = line else { return true };
        outcome = match form {
            Form::Json => serde_json::to_writer(&mut *to, &event).map_err(Into::into).and_then(|()| writeln!(to)),
            Form::Asciicast => cast.event(&event, to),
            Form::Text => {
                if event.kind == "output" {
                    printed.extend(event.bytes().unwrap_or_default());
                }
                // Pieces end where a line does, so that nothing is cut.
                match memchr::memrchr(b'\n', &printed).filter(|_| printed.len() > 1 << 20) {
                    Some(end) => {
                        let rest = printed.split_off(end + 1);
                        let text = std::mem::replace(&mut printed, rest);
                        to.write_all(clean(&text, COLUMNS).text.as_bytes())
                    }
                    None => Ok(()),
                }
            }
        };
        outcome.is_ok()
    })?;
    outcome?;
    if !printed.is_empty() {
        let text = clean(&printed, COLUMNS).text;
        to.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            to.write_all(b"\n")?;
        }
    }
    Ok(())
}

/// Wide enough for any line.
const COLUMNS: u16 = 1_000;

#[derive(Default)]
struct Cast {
    begun: bool,
    last_ms: u64,
    /// Bytes of a character that was cut.
    rest: Vec<u8>,
}

impl Cast {
    fn event(&mut self, event: &Event, to: &mut impl Write) -> std::io::Result<()> {
        if !self.begun {
            self.begun = true;
            let size = |field: &str, usual: u64| event.number_of(field).unwrap_or(usual);
            let text = |field: &str| event.text_of(field).unwrap_or_default();
            let title = format!("{} ({}@{})", text("profile"), text("user"), text("address"));
            let header = json!({
                "version": 3,
                "term": { "cols": size("columns", 80), "rows": size("rows", 24) },
                "timestamp": event.unix_ms / 1000,
                "title": title,
            });
            writeln!(to, "{header}")?;
        }
        let text = |field: &str| event.text_of(field).unwrap_or_default().to_owned();
        match event.kind.as_str() {
            "output" => {
                let mut bytes = std::mem::take(&mut self.rest);
                bytes.extend(event.bytes().unwrap_or_default());
                let whole = whole_characters(&bytes);
                self.rest = bytes.split_off(whole);
                let shown = String::from_utf8_lossy(&bytes).into_owned();
                if shown.is_empty() { Ok(()) } else { self.write(event, "o", shown.into(), to) }
            }
            "input" => {
                let typed = String::from_utf8_lossy(&event.bytes().unwrap_or_default()).into_owned();
                if typed.is_empty() { Ok(()) } else { self.write(event, "i", typed.into(), to) }
            }
            "resize" => {
                let size = (event.number_of("columns").unwrap_or(80), event.number_of("rows").unwrap_or(24));
                self.write(event, "r", format!("{}x{}", size.0, size.1).into(), to)
            }
            "command_start" => self.write(event, "m", text("text").into(), to),
            "closed" => {
                let code = event.fields.get("exit_code").and_then(Value::as_i64).unwrap_or(0);
                self.write(event, "x", code.to_string().into(), to)
            }
            _ => Ok(()),
        }
    }

    fn write(&mut self, event: &Event, code: &str, data: Value, to: &mut impl Write) -> std::io::Result<()> {
        // Since the event before.
        let interval_ms = event.at_ms.saturating_sub(self.last_ms);
        self.last_ms = event.at_ms.max(self.last_ms);
        writeln!(to, "[{}.{:03}, {}, {data}]", interval_ms / 1000, interval_ms % 1000, Value::from(code))
    }
}

/// Length of `bytes` without a character that is cut at its end.
fn whole_characters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        // What is no text is shown as such.
        Err(_) => bytes.len(),
    }
}
