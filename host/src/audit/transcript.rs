//! One session's transcript: what the session's task tells, redacted, as lines of a file (docs/transcript.md).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_term::Typist;
use serde_json::{Map, Value};

use super::durable::Durable;
use super::entry::{Bytes, Entry};
use super::file::RecordFile;
use super::redact::{Direction, Redacted, Redactor};
use crate::config::{Secret, TranscriptMode};

/// Why a line could not be recorded. Nothing is typed then.
#[derive(Debug, thiserror::Error)]
pub enum TranscriptError {
    #[error(
        "the transcript {} cannot be written, and nothing is typed here that is not on record; free or mount its disk and try again",
        path.display()
    )]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the redaction of what is recorded could not be set up")]
    Redaction(#[from] super::redact::RuleError),
}

/// The longest secret that is put together from keys.
const MAX_TYPED_SECRET: usize = 512;

/// The record of one session.
#[derive(Debug)]
pub struct Transcript {
    mode: TranscriptMode,
    /// None where no record is kept.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: RecordFile,
    redactor: Redactor,
    /// Output of the command that prints now, and what of it was left out.
    output: Stretch,
    /// What a person is typing at a question for a secret.
    typed_secret: Vec<u8>,
    /// A person's keys since the last line end: whoever types ahead of such a question has begun the secret here.
    typed_ahead: Vec<u8>,
}

/// Output between two commands.
#[derive(Debug, Default)]
struct Stretch {
    limit_bytes: Option<u64>,
    recorded_bytes: u64,
    omitted_bytes: u64,
    omitted_end: u64,
    /// End of the output that has come.
    end: u64,
}

impl Transcript {
    pub(super) fn new(mode: TranscriptMode, open: Option<(RecordFile, Redactor)>, limit_bytes: Option<u64>) -> Self {
        let open = open.map(|(file, redactor)| Open {
            file,
            redactor,
            output: Stretch { limit_bytes, ..Stretch::default() },
            typed_secret: Vec::new(),
            typed_ahead: Vec::new(),
        });
        Self { mode, open }
    }

    /// Where the file lies; there is none with `transcript = "off"`.
    pub fn path(&self) -> Option<&Path> {
        self.open.as_ref().map(|open| open.file.path())
    }

    /// Whether the chain is keyed.
    pub fn is_keyed(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.file.is_keyed())
    }

    /// Says when lines are on the disk, where that is waited for.
    pub fn durable(&self) -> Option<Arc<Durable>> {
        self.open.as_ref().and_then(|open| open.file.durable())
    }

    /// Why lines are being lost now.
    pub fn problem(&self) -> Option<String> {
        self.open.as_ref().and_then(|open| open.file.problem())
    }

    /// The value may never be written from now on.
    pub fn learn(&mut self, secret: &Secret) {
        if let Some(open) = &mut self.open {
            open.redactor.learn(secret.expose());
        }
    }

    /// Records what was printed, up to `end` of the session's output.
    ///
    /// # Errors
    /// When the disk does not take it and the operator wants typing to stop then.
    pub fn output(&mut self, end: u64, printed: &[u8]) -> Result<(), TranscriptError> {
        let full = self.mode.is_full();
        self.open.as_mut().map_or(Ok(()), |open| open.output(end, printed, full))
    }

    /// Records what was typed. A person's keys come one by one, and what they spell is one text.
    ///
    /// # Errors
    /// When the disk does not take it: the caller must not type it then.
    pub fn input(&mut self, actor: Typist, typed: &[u8]) -> Result<(), TranscriptError> {
        let full = self.mode.is_full();
        self.open.as_mut().map_or(Ok(()), |open| open.input(actor, typed, full))
    }

    /// Records what the host itself has typed.
    ///
    /// # Errors
    /// As for [`Self::input`].
    pub fn host_input(&mut self, typed: &[u8]) -> Result<(), TranscriptError> {
        let full = self.mode.is_full();
        let Some(open) = &mut self.open else { return Ok(()) };
        let length = typed.len() as u64;
        if !full {
            return open.file.append(&Entry::HostInput { content: Bytes::length(length) }, 0);
        }
        open.tell_keys_so_far()?;
        let redacted = open.redactor.whole(typed);
        let content = Bytes::written(&redacted.bytes, length, redacted.redacted);
        open.file.append(&Entry::HostInput { content }, 0)
    }

    /// Records that something was typed at a question for a secret; it is recognised from then on, never
    /// written.
    ///
    /// # Errors
    /// As for [`Self::input`].
    pub fn secret_input(&mut self, actor: Typist, typed: &[u8]) -> Result<(), TranscriptError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        // The question stands before its answer.
        open.settle()?;
        open.learn_typed(typed);
        open.file.append(&Entry::SecretInput { actor, length: typed.len() }, 0)
    }

    /// Appends one line of any other kind.
    ///
    /// # Errors
    /// When the disk does not take it; the caller must not report the effect then.
    pub fn record(&mut self, entry: &Entry<'_>) -> Result<(), TranscriptError> {
        self.open.as_mut().map_or(Ok(()), |open| open.record(entry))
    }
}

impl Open {
    fn output(&mut self, end: u64, printed: &[u8], full: bool) -> Result<(), TranscriptError> {
        let length = printed.len() as u64;
        self.output.end = end;
        if !full {
            return self.file.append(&Entry::Output { offset: end, content: Bytes::length(length) }, length);
        }
        let piece = self.redactor.push(Direction::Output, printed);
        let room = self.output.limit_bytes.map_or(u64::MAX, |limit| limit.saturating_sub(self.output.recorded_bytes));
        if room == 0 {
            self.output.omitted_bytes += length;
            self.output.omitted_end = end;
            return Ok(());
        }
        self.output.recorded_bytes += length;
        self.output_piece(piece)
    }

    fn output_piece(&mut self, piece: Redacted) -> Result<(), TranscriptError> {
        if piece.bytes.is_empty() && piece.redacted == 0 {
            return Ok(());
        }
        let offset = self.output.end - piece.held_bytes;
        let content = Bytes::written(&piece.bytes, piece.bytes.len() as u64, piece.redacted);
        self.file.append(&Entry::Output { offset, content }, piece.bytes.len() as u64)
    }

    /// Whatever is told next comes behind all output before it.
    fn settle(&mut self) -> Result<(), TranscriptError> {
        let piece = self.redactor.settle(Direction::Output);
        self.output_piece(piece)?;
        self.tell_omitted()
    }

    fn tell_omitted(&mut self) -> Result<(), TranscriptError> {
        let length_bytes = std::mem::take(&mut self.output.omitted_bytes);
        if length_bytes == 0 {
            return Ok(());
        }
        let reason = "`output_limit_mib` of [transcript]: one command's output is recorded up to it";
        self.file.append(&Entry::OutputOmitted { offset: self.output.omitted_end, length_bytes, reason }, 0)
    }

    fn input(&mut self, actor: Typist, typed: &[u8], full: bool) -> Result<(), TranscriptError> {
        let length = typed.len() as u64;
        self.new_stretch()?;
        if !full {
            return self.file.append(&Entry::Input { actor, content: Bytes::length(length) }, 0);
        }
        if actor == Typist::Human {
            typed.iter().for_each(|byte| edit(&mut self.typed_ahead, *byte));
        }
        let piece = match actor {
            Typist::Human => self.keys(typed),
            Typist::Agent | Typist::Automation => {
                self.tell_keys_so_far()?;
                self.redactor.whole(typed)
            }
        };
        let content = Bytes::written(&piece.bytes, length, piece.redacted);
        self.file.append(&Entry::Input { actor, content }, 0)
    }

    /// What may be written of a person's keys so far. What ends a line ends whatever it has begun.
    fn keys(&mut self, typed: &[u8]) -> Redacted {
        let mut piece = self.redactor.push(Direction::Input, typed);
        if typed.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0x03)) {
            let rest = self.redactor.finish(Direction::Input);
            piece.bytes.extend(rest.bytes);
            piece.redacted += rest.redacted;
        }
        piece
    }

    /// A person's keys stand in front of what somebody else types after them, as the shell has got them.
    fn tell_keys_so_far(&mut self) -> Result<(), TranscriptError> {
        let keys = self.redactor.settle(Direction::Input);
        self.tell_keys(&keys)
    }

    fn tell_keys(&mut self, keys: &Redacted) -> Result<(), TranscriptError> {
        if keys.bytes.is_empty() {
            return Ok(());
        }
        let content = Bytes::written(&keys.bytes, 0, keys.redacted);
        self.file.append(&Entry::Input { actor: Typist::Human, content }, 0)
    }

    /// The ends of both streams.
    fn finish(&mut self) -> Result<(), TranscriptError> {
        let keys = self.redactor.finish(Direction::Input);
        self.tell_keys(&keys)?;
        let rest = self.redactor.finish(Direction::Output);
        self.output_piece(rest)?;
        self.tell_omitted()
    }

    fn record(&mut self, entry: &Entry<'_>) -> Result<(), TranscriptError> {
        match entry {
            Entry::CommandStart { .. } => self.new_stretch()?,
            Entry::Closed { .. } => self.finish()?,
            _ => self.settle()?,
        }
        let Ok(Value::Object(mut fields)) = serde_json::to_value(entry) else { return Ok(()) };
        let kind = fields.remove("kind").unwrap_or_default();
        for field in fields.values_mut() {
            // The names of a line's own fields are ours and give nothing away, as `session_id` would elsewhere.
            match field.as_str() {
                Some(text) => *field = self.redactor.text(text).into(),
                None => self.redactor.value(field),
            }
        }
        self.file.append(&Told { kind, fields }, 0)
    }

    fn new_stretch(&mut self) -> Result<(), TranscriptError> {
        self.tell_omitted()?;
        self.output.recorded_bytes = 0;
        Ok(())
    }

    /// Keys at a question for a secret, up to the one that ends it. Some programs drop what was typed ahead of their
    /// question and some take it as its beginning, so that the value is recognised with and without it.
    fn learn_typed(&mut self, typed: &[u8]) {
        for byte in typed {
            if matches!(byte, b'\r' | b'\n') {
                let ahead = zeroize::Zeroizing::new(std::mem::take(&mut self.typed_ahead));
                let secret = zeroize::Zeroizing::new(std::mem::take(&mut self.typed_secret));
                let whole = zeroize::Zeroizing::new([ahead.as_slice(), secret.as_slice()].concat());
                let values = [Some(&secret), Some(&whole).filter(|_| !ahead.is_empty())];
                for value in values.into_iter().flatten().filter_map(|value| std::str::from_utf8(value).ok()) {
                    self.redactor.learn(value);
                }
            } else if self.typed_secret.is_empty() && is_erasing(*byte) {
                edit(&mut self.typed_ahead, *byte);
            } else {
                edit(&mut self.typed_secret, *byte);
            }
        }
    }
}

/// Takes back a character.
fn is_erasing(byte: u8) -> bool {
    matches!(byte, 0x7f | 0x08)
}

/// What a key makes of an unfinished line.
fn edit(line: &mut Vec<u8>, byte: u8) {
    match byte {
        erasing if is_erasing(erasing) => drop(line.pop()),
        // Ended, given up, or the whole line taken back.
        b'\r' | b'\n' | 0x03 | 0x04 | 0x15 => line.clear(),
        byte if line.len() < MAX_TYPED_SECRET => line.push(byte),
        _ => {}
    }
}

/// An entry after its redaction.
#[derive(serde::Serialize)]
struct Told {
    kind: Value,
    #[serde(flatten)]
    fields: Map<String, Value>,
}
