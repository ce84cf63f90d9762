//! Redaction: nothing that is a secret's goes to disk.
//!
//! What is a secret's is said by data (`rules.toml`, and what the operator adds) and by values that are known:
//! those of the configuration, those that the host typed or that passed a question for a secret. In its place
//! stands `[redacted:RULE:TAG]`. The tag is keyed: the same secret has the same tag wherever it is met by
//! hosts of one state folder, and without the key nothing can be told from it.
//!
//! Called by the transcript, and by whatever else writes to disk ([`RedactedLog`]). It owns no task.

mod known;
mod redaction;
mod rules;
mod stream;
#[cfg(test)]
mod tests;
mod view;
mod writer;

use std::sync::{Arc, Mutex};

use hmac::{Hmac, KeyInit, Mac};
use record_sha2::Sha256;
use serde_json::Value;

use known::Known;
pub use redaction::Redaction;
pub use rules::RuleError;
use rules::Rules;
use stream::{Sink, Stream};
pub use writer::RedactedLog;

pub(super) type Digest = Hmac<Sha256>;

/// Bytes of a tag: enough to tell a state folder's secrets apart, too few to look one up without the key.
const TAG_BYTES: usize = 4;

/// What makes tags.
#[derive(Clone)]
pub struct MarkerKey(Digest);

impl std::fmt::Debug for MarkerKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("MarkerKey(hidden)")
    }
}

impl MarkerKey {
    pub fn new(key: &[u8; 32]) -> Self {
        // A key shorter than a block is filled up with zeros (RFC 2104, 2).
        let mut block = [0; 64];
        block[..key.len()].copy_from_slice(key);
        Self(Digest::new(&block.into()))
    }

    fn digest(&self) -> Digest {
        self.0.clone()
    }
}

/// What stands for a secret of one rule.
struct Marker<'a> {
    rule: &'a str,
    key: &'a MarkerKey,
}

impl Marker<'_> {
    fn digest(&self) -> Digest {
        self.key.digest()
    }

    fn text(&self, digest: Digest) -> String {
        let tag = digest.finalize().into_bytes();
        let tag: String = tag[..TAG_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("[redacted:{}:{tag}]", self.rule)
    }
}

/// The redaction of one session: its known secrets, and a stream in each direction.
#[derive(Debug)]
pub struct Redactor {
    rules: Arc<Rules>,
    known: Known,
    output: Stream,
    input: Stream,
    /// For texts that are complete in themselves: what its matching has worked out serves the next one.
    texts: Mutex<Stream>,
}

/// Which stream a piece belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Output,
    /// A person's keys, which come one by one.
    Input,
}

/// A piece as it may be written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Redacted {
    pub bytes: Vec<u8>,
    /// Places that were replaced in it.
    pub redacted: u64,
    /// Bytes of the stream that have come and are not in any piece yet.
    pub held_bytes: u64,
}

impl Redactor {
    pub fn new(rules: Arc<Rules>, key: MarkerKey) -> Self {
        Self {
            rules,
            known: Known::new(key),
            output: Stream::default(),
            input: Stream::default(),
            texts: Mutex::default(),
        }
    }

    /// A value that is a secret from now on.
    pub fn learn(&mut self, secret: &str) {
        self.known.add(secret);
    }

    /// The next piece of a stream.
    pub fn push(&mut self, direction: Direction, piece: &[u8]) -> Redacted {
        self.work(direction, piece.len() + 64, |stream, rules, known, sink| stream.push(rules, known, piece, sink))
    }

    /// What a stream holds, as far as it is no secret's.
    pub fn settle(&mut self, direction: Direction) -> Redacted {
        self.work(direction, 0, Stream::settle)
    }

    /// The end of a stream.
    pub fn finish(&mut self, direction: Direction) -> Redacted {
        self.work(direction, 0, Stream::finish)
    }

    /// Does something to a stream; `room` is how many bytes are expected of it.
    fn work(
        &mut self,
        direction: Direction,
        room: usize,
        work: impl FnOnce(&mut Stream, &Rules, &Known, &mut Sink<'_>),
    ) -> Redacted {
        let mut bytes = Vec::with_capacity(room);
        let mut sink = Sink { out: &mut bytes, redacted: 0 };
        let stream = match direction {
            Direction::Output => &mut self.output,
            Direction::Input => &mut self.input,
        };
        work(stream, &self.rules, &self.known, &mut sink);
        let redacted = sink.redacted;
        Redacted { bytes, redacted, held_bytes: stream.held() as u64 }
    }

    /// Bytes that are complete in themselves.
    pub fn whole(&self, bytes: &[u8]) -> Redacted {
        let mut out = Vec::with_capacity(bytes.len());
        let mut sink = Sink { out: &mut out, redacted: 0 };
        // Whoever comes while it is in use begins anew, which takes longer and comes to the same.
        let (mut kept, mut fresh) = (self.texts.try_lock().ok(), Stream::default());
        let stream = kept.as_deref_mut().unwrap_or(&mut fresh);
        stream.push(&self.rules, &self.known, bytes, &mut sink);
        stream.finish(&self.rules, &self.known, &mut sink);
        let redacted = sink.redacted;
        Redacted { bytes: out, redacted, held_bytes: 0 }
    }

    /// Text that is complete in itself.
    pub fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.whole(text.as_bytes()).bytes).into_owned()
    }

    /// Every string in a value, however deep; and what belongs to a name that gives it away.
    pub fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => {
                let mut option: Option<String> = None;
                for item in items {
                    let name = item.as_str().filter(|text| text.starts_with('-')).map(str::to_owned);
                    match (option.take(), item.as_str()) {
                        // The value of an option that stands before it: as if it were one line.
                        (Some(option), Some(text)) => *item = self.named(&option, " ", text).into(),
                        _ => self.value(item),
                    }
                    option = name;
                }
            }
            Value::Object(fields) => {
                for (name, field) in fields.iter_mut() {
                    match field.as_str() {
                        Some(text) => *field = self.named(name, "=", text).into(),
                        None => self.value(field),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The value of something with a name, redacted as it would be in `name=value`.
    fn named(&self, name: &str, between: &str, value: &str) -> String {
        let before = format!("{name}{between}");
        let joined = self.text(&format!("{before}{value}"));
        match joined.strip_prefix(&before) {
            Some(redacted) => redacted.to_owned(),
            // The name itself had something to hide.
            None => self.text(value),
        }
    }
}
