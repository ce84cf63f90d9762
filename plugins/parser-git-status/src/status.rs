//! The reader over all forms: lines in, one document at the end.

use portcullis_plugin::parser::{Batch, Parse};
use portcullis_plugin::{Lines, PluginError};

use crate::command::Form;
use crate::long::Long;
use crate::report::Report;
use crate::{short, v2};

/// Two paths of at most 4,096 bytes, every byte escaped in four.
const MAX_LINE_BYTES: usize = 40 * 1024;
/// Output that goes into the one document, lines' overhead included; what comes behind is handed
/// back as text. A host takes strings of a few hundred kilobytes at most. Bytes.
const MAX_DOCUMENT_BYTES: usize = 128 * 1024;
/// What an entry's keys add to its path. Bytes.
const ENTRY_OVERHEAD_BYTES: usize = 48;

/// An output being read.
#[derive(Debug)]
pub struct Status {
    lines: Lines,
    reader: Reader,
}

#[derive(Debug)]
struct Reader {
    form: Form,
    long: Long,
    report: Report,
    /// Something of a status has been read; without it there is no document.
    any: bool,
    /// Roughly the document's size so far.
    bytes: usize,
    batch: Batch,
}

impl Status {
    pub(crate) fn new(form: Form) -> Self {
        let reader = Reader {
            form,
            long: Long::default(),
            report: Report::default(),
            any: false,
            bytes: 0,
            batch: Batch::empty(),
        };
        Self { lines: Lines::bounded(MAX_LINE_BYTES), reader }
    }
}

impl Parse for Status {
    fn push(&mut self, chunk: &[u8]) -> Result<Batch, PluginError> {
        let Self { lines, reader } = self;
        lines.push(chunk, |line| reader.line(line.number, &line.text, line.cut));
        Ok(std::mem::replace(&mut reader.batch, Batch::empty()))
    }

    fn finish(&mut self, exit_code: Option<i32>, truncated: bool) -> Result<Batch, PluginError> {
        let Self { lines, reader } = self;
        lines.finish(|line| reader.line(line.number, &line.text, line.cut || truncated));
        // A short form's success without a word is a clean work tree.
        let silent_success = reader.form != Form::Undecided
            && reader.form != Form::Long
            && exit_code == Some(0)
            && !truncated
            && lines.count() == 0;
        if reader.any || silent_success {
            reader.report.truncated = truncated.then_some(true);
            let document = serde_json::to_string(&reader.report)
                .map_err(|error| PluginError::Internal(format!("the status could not be written as JSON: {error}")))?;
            reader.batch.documents.push(document);
        }
        Ok(std::mem::replace(&mut reader.batch, Batch::empty()))
    }
}

impl Reader {
    fn line(&mut self, number: u32, text: &str, incomplete: bool) {
        if self.form == Form::Undecided && !text.is_empty() {
            self.form = if short::is_first_line(text) { Form::Short } else { Form::Long };
        }
        let fits = !incomplete
            && self.bytes.saturating_add(text.len()) <= MAX_DOCUMENT_BYTES
            && match self.form {
                Form::Undecided => text.is_empty(),
                Form::Long => self.long.line(&mut self.report, text),
                Form::Short => text.is_empty() || short::line(&mut self.report, text),
                Form::V2 => text.is_empty() || v2::line(&mut self.report, text),
            };
        match fits {
            true => {
                self.any |= !text.is_empty();
                self.bytes += if text.is_empty() { 0 } else { text.len() + ENTRY_OVERHEAD_BYTES };
            }
            false => self.batch.leave(number, text),
        }
    }
}
