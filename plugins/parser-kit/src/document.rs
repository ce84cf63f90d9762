//! A document while it is put together.

use serde_json::{Map, Value};

/// A JSON object; a field that is not set is left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document(Map<String, Value>);

impl Document {
    /// One without fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a field.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Sets a field if there is a value.
    pub fn set_some(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// Sets a field unless the text is empty.
    pub fn set_filled(&mut self, name: &str, text: &str) {
        self.set_some(name, Some(text).filter(|text| !text.is_empty()));
    }

    /// A field that was set.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Whether nothing was set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The document as JSON.
    pub fn to_json(&self) -> String {
        // A map of values has nothing that could fail.
        Value::from(self.0.clone()).to_string()
    }
}

impl From<Document> for Value {
    fn from(document: Document) -> Self {
        Self::Object(document.0)
    }
}
