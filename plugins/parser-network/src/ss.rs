//! `ss`: one document for each socket, with the lines of `-i` and `-m` below it.

use parser_kit::number::integer;
use parser_kit::{Command, Document, End, Held, Reader, Sink, words};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;

use crate::endpoint;

/// What options print below one socket. Lines.
const MAX_FURTHER_LINES: usize = 100;
/// The command says what the output is.
const SCORE: u8 = 90;

pub(crate) fn claim(command: &Command<'_>, head: &str) -> Option<u8> {
    (command.program == "ss" && head.lines().any(|line| Heading::read(line).is_some())).then_some(SCORE)
}

pub(crate) fn begin(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Sockets::default())
}

/// Which of the columns that may be left out are there.
struct Heading {
    has_netid: bool,
    has_state: bool,
}

impl Heading {
    fn read(line: &str) -> Option<Self> {
        let words = words::all(line);
        let is_heading = words.windows(2).any(|pair| pair == ["Recv-Q", "Send-Q"]) && words.contains(&"Local");
        is_heading.then(|| Self { has_netid: words.contains(&"Netid"), has_state: words.contains(&"State") })
    }

    fn row(&self, text: &str) -> Option<Document> {
        let mut document = Document::new();
        let (cells, rest) = words::take(text, usize::from(self.has_netid) + usize::from(self.has_state) + 2)?;
        let mut cells = cells.into_iter();
        if self.has_netid {
            document.set("netid", cells.next()?);
        }
        if self.has_state {
            document.set("state", cells.next()?);
        }
        document.set("receive_queue", integer(cells.next()?)?);
        document.set("send_queue", integer(cells.next()?)?);
        let rest = ends(&mut document, rest)?;
        if !rest.is_empty() {
            process(&mut document, rest);
        }
        Some(document)
    }
}

/// Reads both ends; gives what follows them.
fn ends<'a>(document: &mut Document, text: &'a str) -> Option<&'a str> {
    // A socket of the file system has its number in a word of its own: `/run/x 1234 * 0`.
    if let Some((cells, rest)) = words::take(text, 4)
        && [cells[1], cells[3]].iter().all(|word| *word == "*" || integer(word).is_some())
        && !cells[2].contains(':')
    {
        document.set("local_address", cells[0]);
        document.set_some("local_inode", integer(cells[1]));
        document.set("peer_address", cells[2]);
        document.set_some("peer_inode", integer(cells[3]));
        return Some(rest);
    }
    let (cells, rest) = words::take(text, 2)?;
    endpoint::set(document, "local", cells[0]);
    endpoint::set(document, "peer", cells[1]);
    Some(rest)
}

/// `users:((…))`, and what options add behind it.
fn process(document: &mut Document, text: &str) {
    let (first, rest) = match text.find("))") {
        Some(end) if text.starts_with("users:(") => text.split_at(end + 2),
        _ => ("", text),
    };
    match endpoint::users(first) {
        Some(users) => {
            document.set("processes", users);
            document.set_filled("details", rest.trim());
        }
        None => document.set("details", text),
    }
}

#[derive(Default)]
struct Sockets {
    heading: Option<Heading>,
    open: Option<(Document, Vec<Held>, Vec<String>)>,
}

impl Sockets {
    fn close(&mut self, sink: &mut Sink) {
        if let Some((mut document, held, further)) = self.open.take() {
            if !further.is_empty() {
                document.set("further", further);
            }
            sink.record(&document, held);
        }
    }
}

impl Reader for Sockets {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let text = line.text.as_ref();
        if text.trim().is_empty() {
            return;
        }
        if let Some(heading) = Heading::read(text) {
            self.close(sink);
            self.heading = Some(heading);
        } else if text.starts_with([' ', '\t'])
            && let Some((_, held, further)) = &mut self.open
            && further.len() < MAX_FURTHER_LINES
        {
            further.push(text.trim().to_owned());
            held.push(line.into());
        } else if let Some(document) = self.heading.as_ref().and_then(|heading| heading.row(text)) {
            self.close(sink);
            self.open = Some((document, vec![line.into()], Vec::new()));
        } else {
            self.close(sink);
            sink.leave(line.number, text);
        }
    }

    fn finish(&mut self, _end: End, sink: &mut Sink) {
        self.close(sink);
    }
}
