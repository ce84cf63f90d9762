//! `free`: one document for each kind of memory. The option says the unit, which is in the fields'
//! names.

use parser_kit::number::{integer, is_scaled};
use parser_kit::{Command, Document, End, Reader, Sink, words};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;

/// Behind the name of a row; Chinese has one of its own.
const COLONS: [char; 2] = [':', '：'];
/// The command says what the output is.
const SCORE: u8 = 90;
/// Long options for a unit.
const UNITS: [(&str, &str); 10] = [
    ("--bytes", "bytes"),
    ("--kilo", "kb"),
    ("--mega", "mb"),
    ("--giga", "gb"),
    ("--tera", "tb"),
    ("--kibi", "kib"),
    ("--mebi", "mib"),
    ("--gibi", "gib"),
    ("--tebi", "tib"),
    ("--human", "text"),
];

/// The unit in the fields' names.
fn unit(command: &Command<'_>) -> Option<&'static str> {
    if let Some((_, unit)) = UNITS.iter().find(|(option, _)| command.words.contains(option)) {
        return Some(unit);
    }
    let has = |letter| command.has(letter, "");
    // Decimal units, and one line for all.
    if has('L') || command.has('?', "si") {
        return None;
    }
    let letters = [('h', "text"), ('b', "bytes"), ('m', "mib"), ('g', "gib")];
    Some(letters.into_iter().find(|(letter, _)| has(*letter)).map_or("kib", |(_, unit)| unit))
}

pub(crate) fn claim(command: &Command<'_>, _head: &str) -> Option<u8> {
    (command.program == "free").then_some(())?;
    unit(command)?;
    Some(SCORE)
}

pub(crate) fn begin(command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Memory { unit: unit(command).unwrap_or("text"), names: Vec::new() })
}

struct Memory {
    unit: &'static str,
    names: Vec<String>,
}

impl Reader for Memory {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let text = line.text.as_ref();
        let words = words::all(text);
        // `total used free …`, in any language.
        let is_heading = text.starts_with(' ')
            && words.len() >= 3
            && !text.contains(COLONS)
            && !words.iter().any(|word| is_scaled(word));
        if words.is_empty() {
            return;
        }
        if is_heading {
            self.names = words.iter().map(|word| words::field_name(&word.replace("buff/", "buffers/"))).collect();
        } else if let Some(document) = self.row(text) {
            sink.row(&document, line);
        } else {
            sink.leave(line.number, text);
        }
    }

    fn finish(&mut self, _end: End, _sink: &mut Sink) {}
}

impl Memory {
    fn row(&self, text: &str) -> Option<Document> {
        let (name, rest) = text.split_once(COLONS)?;
        let cells = words::all(rest);
        let mut document = Document::new();
        document.set("name", name);
        // Older versions: what would be used and free without the buffers; no total stands there.
        let skipped = usize::from(name.starts_with("-/+"));
        let names = self.names.get(skipped..)?;
        (!cells.is_empty() && cells.len() <= names.len()).then_some(())?;
        for (name, cell) in names.iter().zip(cells) {
            match self.unit {
                "text" => document.set(&format!("{name}_text"), is_scaled(cell).then_some(cell)?),
                unit => document.set(&format!("{name}_{unit}"), integer(cell)?),
            }
        }
        Some(document)
    }
}
