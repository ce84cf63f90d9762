//! `ip addr` and `ip link`, also brief and in one line each: one document for each interface.
//! `ip -j` prints JSON, which is another parser's.

use parser_kit::number::integer;
use parser_kit::{Command, Document, End, Held, Reader, Sink, words};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;
use serde_json::Value;

/// The command says what the output is.
const SCORE: u8 = 90;
/// What is kept of one interface; further lines stay text. Bytes.
const MAX_INTERFACE_BYTES: usize = 64 * 1024;
/// Words of an address that stand alone.
const ADDRESS_FLAGS: [&str; 14] = [
    "dynamic",
    "noprefixroute",
    "secondary",
    "temporary",
    "deprecated",
    "tentative",
    "dadfailed",
    "nodad",
    "mngtmpaddr",
    "permanent",
    "home",
    "optimistic",
    "stable-privacy",
    "autojoin",
];

/// What is shown, when the command is an `ip` that shows it as text.
pub(crate) fn object<'a>(command: &Command<'a>) -> Option<&'a str> {
    let is_json = command.words.iter().any(|word| matches!(*word, "-j" | "-json" | "--json" | "-p" | "-pretty"));
    (command.program == "ip" && !is_json).then_some(())?;
    let operands = command.operands(&["-f", "-family", "-n", "-netns", "-l", "-loops"]);
    let is_shown = operands.get(1).is_none_or(|verb| !is_change(verb));
    operands.first().copied().filter(|_| is_shown)
}

fn is_change(verb: &str) -> bool {
    ["add", "del", "delete", "change", "replace", "set", "flush", "append", "save", "restore"].contains(&verb)
}

fn is_brief(command: &Command<'_>) -> bool {
    command.words.iter().any(|word| ["-br", "-brief", "--brief"].contains(word))
}

pub(crate) fn claim(command: &Command<'_>, _head: &str) -> Option<u8> {
    let object = object(command)?;
    (["a", "ad", "add", "addr", "addre", "addres", "address", "l", "li", "lin", "link"].contains(&object))
        .then_some(SCORE)
}

pub(crate) fn begin(command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    if is_brief(command) { Box::new(Brief) } else { Box::new(Interfaces { open: None }) }
}

struct Brief;

impl Reader for Brief {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        match brief(&line.text) {
            Some(document) => sink.row(&document, line),
            None if line.text.trim().is_empty() => {}
            None => sink.leave(line.number, &line.text),
        }
    }

    fn finish(&mut self, _end: End, _sink: &mut Sink) {}
}

/// `eth0@if2  UP  192.0.2.2/24 fe80::1/64`, or the address of the device and its flags.
fn brief(text: &str) -> Option<Document> {
    const STATES: [&str; 7] = ["UNKNOWN", "UP", "DOWN", "DORMANT", "LOWERLAYERDOWN", "NOTPRESENT", "TESTING"];
    let (cells, rest) = words::take(text, 2)?;
    STATES.contains(&cells[1]).then_some(())?;
    let mut document = Document::new();
    name(&mut document, cells[0]);
    document.set("state", cells[1]);
    let mut addresses = Vec::new();
    let mut words = words::all(rest).into_iter();
    while let Some(word) = words.next() {
        if let Some(flags) = word.strip_prefix('<') {
            document.set("flags", flags.strip_suffix('>')?.split(',').collect::<Vec<_>>());
        } else if let Some((address, length)) = word.split_once('/') {
            let mut document = Document::new();
            document.set("family", if address.contains(':') { "inet6" } else { "inet" });
            document.set("address", address);
            document.set("prefix_length", integer(length)?);
            addresses.push(Value::from(document));
        } else if word.contains(['.', ':'])
            && let Some(("peer", peer)) = words.as_slice().first().zip(words.as_slice().get(1)).map(|(a, b)| (*a, *b))
        {
            // `10.9.0.1 peer 10.9.0.2/32`: the prefix is that of the other end.
            words.nth(1);
            let (_, length) = peer.split_once('/')?;
            let mut document = Document::new();
            document.set("family", if word.contains(':') { "inet6" } else { "inet" });
            for (name, value) in [("address", word), ("local", word), ("peer", peer)] {
                document.set(name, value);
            }
            document.set("prefix_length", integer(length)?);
            addresses.push(Value::from(document));
        } else if word.len() == 17 && word.matches(':').count() == 5 {
            document.set("mac", word);
        } else {
            return None;
        }
    }
    if !addresses.is_empty() {
        document.set("addresses", addresses);
    }
    Some(document)
}

/// `veth1@if2` is a name and what it hangs on.
fn name(document: &mut Document, text: &str) {
    let (name, parent) = text.split_once('@').unwrap_or((text, ""));
    document.set("name", name);
    document.set_filled("parent", parent);
}

struct Interfaces {
    open: Option<Interface>,
}

#[derive(Default)]
struct Interface {
    document: Document,
    addresses: Vec<Document>,
    details: Vec<String>,
    held: Vec<Held>,
    bytes: usize,
}

impl Reader for Interfaces {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let text = line.text.as_ref();
        if text.trim().is_empty() {
            return;
        }
        // `-o` writes a backslash for a line's end.
        let mut parts = text.split('\\');
        let first = parts.next().unwrap_or("");
        if let Some(mut interface) = Interface::begin(first) {
            self.close(sink);
            parts.for_each(|part| interface.further(part));
            interface.held.push(line.into());
            self.open = Some(interface);
            return;
        }
        match &mut self.open {
            Some(open) if text.starts_with([' ', '\t']) && open.bytes + text.len() <= MAX_INTERFACE_BYTES => {
                open.bytes += text.len();
                open.further(text);
                open.held.push(line.into());
            }
            _ => sink.leave(line.number, text),
        }
    }

    fn finish(&mut self, _end: End, sink: &mut Sink) {
        self.close(sink);
    }
}

impl Interfaces {
    fn close(&mut self, sink: &mut Sink) {
        let Some(Interface { mut document, addresses, details, held, .. }) = self.open.take() else { return };
        if !addresses.is_empty() {
            document.set("addresses", addresses.into_iter().map(Value::from).collect::<Vec<_>>());
        }
        if !details.is_empty() {
            document.set("details", details);
        }
        sink.record(&document, held);
    }
}

impl Interface {
    /// `2: eth0@if3: <UP,LOWER_UP> mtu 1500 …`, or `2: eth0    inet …` of `-o addr`.
    fn begin(text: &str) -> Option<Self> {
        let (index, rest) = text.split_once(": ")?;
        let mut interface = Self::default();
        interface.document.set("index", integer(index)?);
        let (word, rest) = words::next(rest)?;
        match word.strip_suffix(':') {
            Some(word) => {
                name(&mut interface.document, word);
                let (flags, rest) = words::next(rest)?;
                let flags = flags.strip_prefix('<')?.strip_suffix('>')?;
                interface.document.set("flags", flags.split(',').filter(|flag| !flag.is_empty()).collect::<Vec<_>>());
                interface.attributes(&words::all(rest));
            }
            None => {
                rest.trim_start().starts_with("inet").then_some(())?;
                name(&mut interface.document, word);
                interface.addresses.push(address(rest)?);
            }
        }
        Some(interface)
    }

    /// `mtu 1500 qdisc noqueue state UP …`
    fn attributes(&mut self, words: &[&str]) {
        for pair in words.chunks(2) {
            let (name, value) = (pair[0], pair.get(1).copied().unwrap_or(""));
            match (name, integer(value)) {
                ("mtu", Some(number)) => self.document.set("mtu", number),
                ("qlen", Some(number)) => self.document.set("queue_length", number),
                ("qdisc" | "state" | "mode" | "group" | "master", _) if !value.is_empty() => {
                    self.document.set(name, value)
                }
                _ => self.details.push(format!("{name} {value}").trim_end().to_owned()),
            }
        }
    }

    /// A line below the first.
    fn further(&mut self, text: &str) {
        let text = text.trim();
        if let Some(found) = address(text) {
            return self.addresses.push(found);
        }
        if text.starts_with("valid_lft ")
            && let Some(last) = self.addresses.last_mut()
            && let ["valid_lft", valid, "preferred_lft", preferred] = words::all(text).as_slice()
        {
            last.set("valid_lifetime", *valid);
            last.set("preferred_lifetime", *preferred);
            return;
        }
        if let Some(link) = text.strip_prefix("link/")
            && let [kind, mac, "brd" | "peer", broadcast] = words::all(link).as_slice()
        {
            self.document.set("link_type", *kind);
            self.document.set("mac", *mac);
            self.document.set("broadcast", *broadcast);
            return;
        }
        self.details.push(text.to_owned());
    }
}

/// `inet 192.0.2.2/24 brd 192.0.2.255 scope global dynamic eth0`. None when a word has no meaning.
fn address(text: &str) -> Option<Document> {
    let words = words::all(text);
    let (family, rest) = words.split_first().filter(|(family, _)| ["inet", "inet6"].contains(family))?;
    let (own, mut rest) = rest.split_first()?;
    let mut document = Document::new();
    document.set("family", *family);
    let mut flags: Vec<&str> = Vec::new();
    let mut own = *own;
    while let Some((word, behind)) = rest.split_first() {
        rest = behind;
        match *word {
            "brd" | "scope" | "peer" | "metric" | "any" | "proto" => {
                let (value, behind) = rest.split_first()?;
                rest = behind;
                match *word {
                    // The prefix is that of the other end.
                    "peer" => {
                        document.set("local", own);
                        document.set("peer", *value);
                        own = value;
                    }
                    "brd" => document.set("broadcast", *value),
                    word => document.set(word, *value),
                }
            }
            flag if ADDRESS_FLAGS.contains(&flag) => flags.push(flag),
            label if rest.is_empty() => document.set("label", label),
            _ => return None,
        }
    }
    let (ip, length) = own.split_once('/').map_or((own, None), |(ip, length)| (ip, Some(length)));
    document.set("address", document.get("local").and_then(Value::as_str).map_or(ip, |local| local).to_owned());
    if let Some(length) = length {
        document.set("prefix_length", integer(length)?);
    }
    if !flags.is_empty() {
        document.set("flags", flags);
    }
    Some(document)
}
