//! Where documents and left lines go.

use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::Batch;

use crate::Document;

/// A host takes strings of a few hundred kilobytes at most; a longer document's lines stay text. Bytes.
pub const MAX_DOCUMENT_BYTES: usize = 192 * 1024;

/// A line kept for a document that is not finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub number: u32,
    pub text: String,
}

impl From<&Line<'_>> for Held {
    fn from(line: &Line<'_>) -> Self {
        Self { number: line.number, text: line.text.clone().into_owned() }
    }
}

/// Collects what a push completes.
#[derive(Debug)]
pub struct Sink {
    batch: Batch,
}

impl Default for Sink {
    fn default() -> Self {
        Self { batch: Batch::empty() }
    }
}

impl Sink {
    /// Hands a line back as it was.
    pub fn leave(&mut self, number: u32, text: &str) {
        self.batch.leave(number, text);
    }

    /// Hands lines back as they were.
    pub fn leave_all(&mut self, held: impl IntoIterator<Item = Held>) {
        for line in held {
            self.leave(line.number, &line.text);
        }
    }

    /// Gives the document of one line.
    pub fn row(&mut self, document: &Document, line: &Line<'_>) {
        match fitting(document.to_json()) {
            Some(json) => self.batch.documents.push(json),
            None => self.leave(line.number, &line.text),
        }
    }

    /// Gives the document of several lines, which stay text where it is too long.
    pub fn record(&mut self, document: &Document, held: Vec<Held>) {
        self.raw(document.to_json(), held);
    }

    /// Gives a document that is JSON already.
    pub fn raw(&mut self, json: String, held: Vec<Held>) {
        match fitting(json) {
            Some(json) => self.batch.documents.push(json),
            None => self.leave_all(held),
        }
    }

    pub(crate) fn take(&mut self) -> Batch {
        std::mem::replace(&mut self.batch, Batch::empty())
    }
}

fn fitting(json: String) -> Option<String> {
    (json.len() <= MAX_DOCUMENT_BYTES).then_some(json)
}
