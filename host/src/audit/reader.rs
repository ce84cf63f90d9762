//! Reading a transcript: lines as events.
//!
//! A torn last line is told and passed over, never mended in the file. A line that is none otherwise is told too:
//! the disk was full, or somebody has edited the file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::store::{StoreError, Stored};

/// One line of a transcript.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
pub struct Event {
    pub number: u64,
    pub unix_ms: u64,
    /// Since the session was opened.
    pub at_ms: u64,
    pub kind: String,
    /// What this kind of line has beside these; the chain's digest left out.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// What a line was.
#[derive(Debug, Clone, PartialEq)]
pub enum LineRead {
    Event(Event),
    /// The last line, without its end: the host was killed while it wrote, or writes now.
    Torn,
    /// No transcript's line.
    Broken,
}

impl Event {
    pub fn text_of(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    pub fn number_of(&self, field: &str) -> Option<u64> {
        self.fields.get(field)?.as_u64()
    }

    /// What was printed or typed, where the line has contents.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match (self.text_of("text"), self.text_of("base64")) {
            (Some(text), _) => Some(text.as_bytes().to_vec()),
            (_, Some(base64)) => STANDARD.decode(base64).ok(),
            _ => None,
        }
    }
}

pub(super) fn read_line(line: &[u8]) -> LineRead {
    if !line.ends_with(b"\n") {
        return LineRead::Torn;
    }
    match serde_json::from_slice::<Event>(line) {
        Ok(mut event) => {
            event.fields.remove("chain");
            event.fields.remove("version");
            LineRead::Event(event)
        }
        Err(_) => LineRead::Broken,
    }
}

impl Stored {
    /// Goes through the events until `each` has seen enough.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn events(&self, mut each: impl FnMut(LineRead) -> bool) -> Result<(), StoreError> {
        self.lines(|line| each(read_line(line)))
    }

    /// The events from one number on.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn events_from(&self, number: u64, mut each: impl FnMut(&Event) -> bool) -> Result<(), StoreError> {
        self.events(|line| match line {
            LineRead::Event(event) if event.number >= number => each(&event),
            _ => true,
        })
    }

    /// Whether it is the transcript of the session with that id, name, or `INSTANCE/SESSION`.
    pub fn is_called(&self, session: &str) -> bool {
        self.session == session
            || session.split_once('/').is_some_and(|(instance, id)| self.instance == instance && self.session == id)
            || self.opening().is_some_and(|event| event.text_of("name") == Some(session))
    }

    /// The first line, which says what the session is. None of a file without one.
    pub fn opening(&self) -> Option<Event> {
        let mut first = None;
        let read = self.events(|line| {
            first = Some(line);
            false
        });
        match (read, first) {
            (Ok(()), Some(LineRead::Event(event))) => Some(event),
            _ => None,
        }
    }
}
