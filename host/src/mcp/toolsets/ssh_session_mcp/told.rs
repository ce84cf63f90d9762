//! A result as it is put together: the fields of the predecessor's contract, and text beside them.

use serde_json::{Map, Value, json};

use crate::mcp::answer::PredecessorAnswer;
use crate::mcp::reply::Parts;

/// Fields of every result.
pub(super) const ALWAYS: &[&str] = &["resultStatus", "summary"];

/// What a call came to.
#[derive(Debug)]
pub(super) struct Told(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: &'static str,
    fields: Map<String, Value>,
    evidence: Vec<String>,
    notes: Vec<String>,
    blocks: Vec<String>,
}

/// Of a call: either way it is a result.
pub(super) type Outcome = Result<Told, Told>;

impl Told {
    pub(super) fn success(summary: impl Into<String>) -> Self {
        Self::new("success", summary)
    }

    /// Something is still to come.
    pub(super) fn partial(summary: impl Into<String>) -> Self {
        Self::new("partial_success", summary)
    }

    pub(super) fn blocked(category: &str, summary: impl Into<String>) -> Self {
        Self::new("blocked", summary).with("failureCategory", category)
    }

    pub(super) fn failure(category: &str, summary: impl Into<String>) -> Self {
        Self::new("failure", summary).with("failureCategory", category)
    }

    fn new(status: &'static str, summary: impl Into<String>) -> Self {
        let fields =
            Map::from_iter([("resultStatus".to_owned(), json!(status)), ("summary".to_owned(), json!(summary.into()))]);
        let (evidence, notes, blocks) = (Vec::new(), Vec::new(), Vec::new());
        Self(Box::new(Inner { status, fields, evidence, notes, blocks }))
    }

    /// An answer of the server itself.
    pub(super) fn of_parts(parts: Parts) -> Self {
        let Parts { status, words, fields, failure_category } = parts;
        let told = Self::new(status, words).with_all(fields);
        match failure_category {
            Some(category) => told.with("failureCategory", category),
            None => told,
        }
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Left out where there is none.
    pub(super) fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// All of them, beside those that are there.
    pub(super) fn with_all(mut self, fields: Map<String, Value>) -> Self {
        self.0.fields.extend(fields);
        self
    }

    pub(super) fn next(self, action: impl Into<String>) -> Self {
        self.with("nextAction", action.into())
    }

    pub(super) fn evidence(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        let trimmed = evidence.into_iter().map(|line| line.trim().to_owned());
        self.0.evidence.extend(trimmed.filter(|line| !line.is_empty()));
        self
    }

    /// Where this differs from what the predecessor would have done.
    pub(super) fn notes(mut self, notes: impl IntoIterator<Item = String>) -> Self {
        self.0.notes.extend(notes);
        self
    }

    /// A further block of text.
    pub(super) fn block(mut self, text: String) -> Self {
        self.0.blocks.push(text);
        self
    }
}

impl From<Told> for PredecessorAnswer {
    fn from(Told(told): Told) -> Self {
        let Inner { status, mut fields, evidence, notes, blocks } = *told;
        for (name, lines) in [("evidence", evidence), ("notes", notes)] {
            if !lines.is_empty() {
                fields.insert(name.to_owned(), json!(lines));
            }
        }
        Self { fields, blocks, status }
    }
}
