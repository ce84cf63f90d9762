//! `ps`, in any of its formats with headings.

use parser_kit::{Command, End, Reader, Sink};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;

use crate::process::Columns;

/// The command says what the output is.
const SCORE: u8 = 90;

pub(crate) fn claim(command: &Command<'_>, head: &str) -> Option<u8> {
    let has_headings = head.lines().any(|line| Columns::read(line).is_some());
    (command.program == "ps" && has_headings).then_some(SCORE)
}

pub(crate) fn begin(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Processes { columns: None })
}

struct Processes {
    columns: Option<Columns>,
}

impl Reader for Processes {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        if line.text.trim().is_empty() {
            return;
        }
        let Some(columns) = &self.columns else {
            self.columns = Columns::read(&line.text);
            if self.columns.is_none() {
                sink.leave(line.number, &line.text);
            }
            return;
        };
        match columns.row(&line.text) {
            Some(document) => sink.row(&document, line),
            None => sink.leave(line.number, &line.text),
        }
    }

    fn finish(&mut self, _end: End, _sink: &mut Sink) {}
}
