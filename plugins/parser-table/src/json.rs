//! JSON: one value per line, or values over several lines; of a list every item is a document.
//!
//! Values are handed on as they stand, so that no number loses a digit. What is no JSON stays text.

use std::collections::BTreeMap;

use parser_kit::{Command, End, Held, Reader, Sink};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;
use serde::Serialize;
use serde_json::value::RawValue;

/// An option asks for JSON.
const ASKED_SCORE: u8 = 85;
/// The file's name says so.
const NAMED_SCORE: u8 = 80;
/// The head begins like it.
const LOOKS_SCORE: u8 = 30;
/// One value over several lines; a longer one stays text. Bytes.
const MAX_VALUE_BYTES: usize = 5 << 20;
/// A host takes some sixty thousand documents or left lines at a time.
const MAX_AT_ONCE: usize = 50_000;

pub(crate) fn claim(command: &Command<'_>, head: &str) -> Option<u8> {
    let begins = head.trim_start();
    let looks = begins.starts_with('{') && begins[1..].trim_start().starts_with(['"', '}'])
        || begins.starts_with('[') && begins[1..].trim_start().starts_with(['{', '[', ']', '"']);
    looks.then_some(())?;
    let is_json = |word: &&str| word.contains("json") || word.ends_with(".ndjson");
    if command.words.iter().any(|word| word.starts_with('-') && is_json(word))
        || command.value('o', "output").is_some_and(|value| is_json(&value))
    {
        return Some(ASKED_SCORE);
    }
    Some(if command.words.iter().any(is_json) { NAMED_SCORE } else { LOOKS_SCORE })
}

pub(crate) fn begin(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Values::default())
}

/// A document of the schema `json/1`.
#[derive(Serialize)]
struct Document<'a> {
    line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    value: &'a RawValue,
}

#[derive(Default)]
struct Values {
    held: Vec<Held>,
    held_bytes: usize,
    scan: Scan,
}

/// How far a value is open.
#[derive(Default)]
struct Scan {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    fn line(&mut self, text: &str) {
        for byte in text.bytes() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
            } else {
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
            }
        }
        // A string does not go over a line's end.
        (self.in_string, self.escaped) = (false, false);
    }
}

impl Reader for Values {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let text = line.text.trim();
        if self.held.is_empty() && !text.starts_with(['{', '[']) {
            if !text.is_empty() {
                sink.leave(line.number, &line.text);
            }
            return;
        }
        // A new value at the margin, while the one before is open: that one has lost its end.
        if !self.held.is_empty() && line.text.starts_with("{\"") {
            self.give_up(sink);
        }
        self.scan.line(text);
        self.held_bytes += line.text.len() + 1;
        self.held.push(line.into());
        if self.scan.depth == 0 {
            self.value(sink);
        } else if self.held_bytes > MAX_VALUE_BYTES || self.held.len() >= MAX_AT_ONCE {
            self.give_up(sink);
        }
    }

    fn finish(&mut self, _end: End, sink: &mut Sink) {
        self.give_up(sink);
    }
}

impl Values {
    fn give_up(&mut self, sink: &mut Sink) {
        sink.leave_all(std::mem::take(&mut self.held));
        self.scan = Scan::default();
        self.held_bytes = 0;
    }

    fn value(&mut self, sink: &mut Sink) {
        let mut text = String::with_capacity(self.held_bytes);
        for line in &self.held {
            text.push_str(&line.text);
            text.push('\n');
        }
        match documents(&text, self.held.first().map_or(1, |line| line.number)) {
            Some(documents) => {
                self.held.clear();
                documents.into_iter().for_each(|document| sink.raw(document, Vec::new()));
                self.give_up(sink);
            }
            None => self.give_up(sink),
        }
    }
}

/// One document of each value. None when it is no JSON, or one of them is too long to be handed on.
fn documents(text: &str, line: u32) -> Option<Vec<String>> {
    let mut documents = Vec::new();
    let mut give = |index: Option<usize>, value: &RawValue| {
        documents.push(serde_json::to_string(&Document { line, index, value }).ok()?);
        Some(())
    };
    // Several values may stand on one line.
    for value in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        let value = value.ok()?;
        match List::read(value) {
            Some(list) => {
                if let Some(own) = &list.own {
                    give(None, own)?;
                }
                list.items.into_iter().enumerate().try_for_each(|(index, item)| give(Some(index), item))?;
            }
            None => give(None, value)?,
        }
    }
    (documents.len() <= MAX_AT_ONCE).then_some(())?;
    documents.iter().all(|document| document.len() <= parser_kit::sink::MAX_DOCUMENT_BYTES).then_some(documents)
}

/// An array, or a list of Kubernetes.
struct List<'a> {
    /// What a list of Kubernetes has beside its items.
    own: Option<Box<RawValue>>,
    items: Vec<&'a RawValue>,
}

impl<'a> List<'a> {
    /// None when it is no list, or an empty one.
    fn read(value: &'a RawValue) -> Option<Self> {
        if value.get().starts_with('[') {
            let items: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
            return (!items.is_empty()).then_some(Self { own: None, items });
        }
        let mut fields: BTreeMap<&str, &RawValue> = serde_json::from_str(value.get()).ok()?;
        fields.get("kind").filter(|kind| kind.get().ends_with("List\""))?;
        let items: Vec<&RawValue> = serde_json::from_str(fields.remove("items")?.get()).ok()?;
        let own = serde_json::to_string(&fields).and_then(RawValue::from_string).ok()?;
        (!items.is_empty()).then_some(Self { own: Some(own), items })
    }
}
