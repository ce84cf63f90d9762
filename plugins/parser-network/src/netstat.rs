//! `netstat`: sockets of the network and of the file system; and the routes of `netstat -r` and
//! `route`. The interfaces of `-i` and the statistics of `-s` are not read here.

use parser_kit::number::integer;
use parser_kit::{Command, Document, End, Reader, Sink, words};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;

use crate::endpoint;

/// The command says what the output is.
const SCORE: u8 = 90;
/// Of TCP, as netstat and BSD write them.
const STATES: [&str; 18] = [
    "LISTEN",
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "SYN_RCVD",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "FIN_WAIT_1",
    "FIN_WAIT_2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSED",
    "CLOSE_WAIT",
    "LAST_ACK",
    "CLOSING",
    "UNKNOWN",
    "NEW_SYN_RECV",
    "BOUND",
];

/// Headings of the languages whose own is not English, and what they say. What stands behind these columns is
/// English in all of them.
const HEADINGS: [(&str, &str); 2] = [
    (
        "Proto Recv-Q Send-Q Adresse locale          Adresse distante        Etat ",
        "Proto Recv-Q Send-Q Local Address Foreign Address State ",
    ),
    (
        "Proto 受信-Q 送信-Q 内部アドレス            外部アドレス            状態 ",
        "Proto Recv-Q Send-Q Local Address Foreign Address State ",
    ),
];
/// How lines begin that say what follows.
const TITLES: [&str; 4] = ["Active ", "Aktive ", "Connexions Internet ", "稼働中の"];

pub(crate) fn claim_sockets(command: &Command<'_>, head: &str) -> Option<u8> {
    let others = [('r', "route"), ('i', "interfaces"), ('s', "statistics"), ('g', "groups"), ('M', "masquerade")];
    let is_sockets = command.program == "netstat" && !others.iter().any(|(letter, long)| command.has(*letter, long));
    (is_sockets && head.lines().any(|line| Section::of(line).is_some())).then_some(SCORE)
}

pub(crate) fn claim_routes(command: &Command<'_>, head: &str) -> Option<u8> {
    let is_routes = command.program == "route" || (command.program == "netstat" && command.has('r', "route"));
    (is_routes && head.lines().any(|line| route_fields(line).is_some())).then_some(SCORE)
}

pub(crate) fn begin_sockets(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Sockets { section: None })
}

pub(crate) fn begin_routes(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Routes { fields: Vec::new() })
}

/// What the rows below a heading are.
#[derive(Clone, Copy)]
enum Section {
    Network { has_user: bool, has_program: bool, has_timer: bool },
    Files { has_program: bool },
}

impl Section {
    fn of(line: &str) -> Option<Self> {
        let line = HEADINGS
            .iter()
            .find(|(written, _)| line.starts_with(written))
            .map_or_else(|| line.to_owned(), |(written, english)| format!("{english}{}", &line[written.len()..]));
        let words = words::all(&line);
        let has_program = words.contains(&"PID/Program");
        match words.as_slice() {
            ["Proto", "Recv-Q", "Send-Q", "Local", "Address", "Foreign", "Address", ..] => {
                let (has_user, has_timer) = (words.contains(&"User"), words.contains(&"Timer"));
                Some(Self::Network { has_user, has_program, has_timer })
            }
            ["Proto", "RefCnt", "Flags", "Type", "State", "I-Node", ..] => Some(Self::Files { has_program }),
            _ => None,
        }
    }

    fn row(self, text: &str) -> Option<Document> {
        match self {
            Self::Network { has_user, has_program, has_timer } => network(text, has_user, has_program, has_timer),
            Self::Files { has_program } => file(text, has_program),
        }
    }
}

fn network(text: &str, has_user: bool, has_program: bool, has_timer: bool) -> Option<Document> {
    let (cells, mut rest) = words::take(text, 5)?;
    let mut document = Document::new();
    document.set("protocol", cells[0]);
    document.set("receive_queue", integer(cells[1])?);
    document.set("send_queue", integer(cells[2])?);
    endpoint::set(&mut document, "local", cells[3]);
    endpoint::set(&mut document, "peer", cells[4]);
    // Protocols without connections have no state.
    if let Some((state, behind)) = words::next(rest).filter(|(word, _)| STATES.contains(word)) {
        document.set("state", state);
        rest = behind;
    }
    if has_user {
        let (cells, behind) = words::take(rest, 2)?;
        document.set("user", cells[0]);
        document.set("inode", integer(cells[1])?);
        rest = behind;
    }
    let mut rest = rest.trim();
    if has_timer {
        let at = rest.rfind(" (").and_then(|at| rest[..at].rfind(' ').map_or(Some(0), |blank| Some(blank + 1)))?;
        document.set("timer", &rest[at..]);
        rest = rest[..at].trim_end();
    }
    if has_program {
        program(&mut document, rest);
        rest = "";
    }
    rest.is_empty().then_some(document)
}

/// `812/sshd: joe`, or `-` where it may not be known.
fn program(document: &mut Document, text: &str) {
    match text.split_once('/').and_then(|(pid, name)| Some((integer(pid)?, name))) {
        Some((pid, name)) => {
            document.set("pid", pid);
            document.set("program", name);
        }
        None if text == "-" => {}
        None => document.set_filled("program", text),
    }
}

/// `unix  2  [ ACC ]  STREAM  LISTENING  1234  812/sshd  /run/x`.
fn file(text: &str, has_program: bool) -> Option<Document> {
    let (before, behind) = text.split_once('[')?;
    let (flags, rest) = behind.split_once(']')?;
    let (cells, none) = words::take(before, 2)?;
    none.is_empty().then_some(())?;
    let mut document = Document::new();
    document.set("protocol", cells[0]);
    document.set("references", integer(cells[1])?);
    document.set("flags", words::all(flags));
    let (kind, mut rest) = words::next(rest)?;
    document.set("type", kind);
    let (word, behind) = words::next(rest)?;
    if integer(word).is_none() {
        document.set("state", word);
        rest = behind;
    }
    let (inode, mut rest) = words::next(rest)?;
    document.set("inode", integer(inode)?);
    if has_program && let Some((word, behind)) = words::next(rest) {
        program(&mut document, word);
        rest = behind;
    }
    document.set_filled("path", rest.trim());
    Some(document)
}

struct Sockets {
    section: Option<Section>,
}

impl Reader for Sockets {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let text = line.text.as_ref();
        if let Some(section) = Section::of(text) {
            self.section = Some(section);
        } else if let Some(document) = self.section.and_then(|section| section.row(text)) {
            sink.row(&document, line);
        } else if !text.trim().is_empty() && !TITLES.iter().any(|title| text.starts_with(title)) {
            sink.leave(line.number, text);
        }
    }

    fn finish(&mut self, _end: End, _sink: &mut Sink) {}
}

struct Routes {
    fields: Vec<&'static str>,
}

/// The fields of a heading of routes.
fn route_fields(line: &str) -> Option<Vec<&'static str>> {
    let line = line.replace("Next Hop", "Gateway");
    let field = |word: &str| {
        Some(match word {
            "Destination" => "destination",
            "Gateway" => "gateway",
            "Genmask" | "Netmask" => "netmask",
            "Flags" | "Flag" => "flags",
            "Metric" | "Met" => "metric",
            "Ref" | "Refs" => "references",
            "Use" => "uses",
            "MSS" => "mss",
            "Window" => "window",
            "irtt" => "initial_round_trip",
            "Iface" | "If" | "Netif" | "Interface" => "device",
            "Expire" => "expires",
            _ => return None,
        })
    };
    let fields: Vec<_> = words::all(&line).into_iter().map(field).collect::<Option<_>>()?;
    (fields.len() >= 4 && fields.first() == Some(&"destination")).then_some(fields)
}

impl Reader for Routes {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let text = line.text.as_ref();
        let cells = words::all(text);
        if let Some(fields) = route_fields(text) {
            self.fields = fields;
        } else if !self.fields.is_empty()
            && cells.len() == self.fields.len()
            && let Some(document) = route(&self.fields, &cells)
        {
            sink.row(&document, line);
        } else if !cells.is_empty() && !text.starts_with("Kernel IP") {
            sink.leave(line.number, text);
        }
    }

    fn finish(&mut self, _end: End, _sink: &mut Sink) {}
}

fn route(fields: &[&str], cells: &[&str]) -> Option<Document> {
    const NUMBERS: [&str; 6] = ["metric", "references", "uses", "mss", "window", "initial_round_trip"];
    let mut document = Document::new();
    for (field, cell) in fields.iter().zip(cells) {
        match NUMBERS.contains(field) {
            // A route that refuses has no measure.
            true if ["-", "-1"].contains(cell) => {}
            true => document.set(field, integer(cell)?),
            false => document.set(field, *cell),
        }
    }
    Some(document)
}
