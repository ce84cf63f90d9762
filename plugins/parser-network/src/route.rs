//! `ip route`: one document for each route, with its next hops.

use parser_kit::number::integer;
use parser_kit::{Command, Document, End, Held, Reader, Sink, words};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;
use serde_json::Value;

use crate::ip::object;

/// Next hops of one route; further ones stay text.
const MAX_HOPS: usize = 1_000;
/// The command says what the output is.
const SCORE: u8 = 90;
const TYPES: [&str; 9] =
    ["unicast", "local", "broadcast", "multicast", "anycast", "throw", "unreachable", "prohibit", "blackhole"];
/// Words with a value behind them, and the field.
const VALUES: [(&str, &str); 15] = [
    ("via", "via"),
    ("dev", "device"),
    ("proto", "protocol"),
    ("scope", "scope"),
    ("src", "source"),
    ("table", "table"),
    ("pref", "preference"),
    ("error", "error"),
    ("expires", "expires"),
    ("realms", "realms"),
    ("uid", "uid"),
    ("metric", "metric"),
    ("mtu", "mtu"),
    ("advmss", "mss"),
    ("weight", "weight"),
];
const FLAGS: [&str; 9] = ["onlink", "linkdown", "dead", "pervasive", "offload", "trap", "notify", "cache", "rt_trap"];

pub(crate) fn claim(command: &Command<'_>, _head: &str) -> Option<u8> {
    (["r", "ro", "rou", "rout", "route"].contains(&object(command)?)).then_some(SCORE)
}

pub(crate) fn begin(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Routes { open: None })
}

struct Routes {
    /// A route, its next hops, its lines.
    open: Option<(Document, Vec<Value>, Vec<Held>)>,
}

impl Reader for Routes {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let text = line.text.as_ref();
        if text.trim().is_empty() {
            return;
        }
        if let Some(hop) = text.trim_start().strip_prefix("nexthop ").filter(|_| text.starts_with([' ', '\t'])) {
            if let Some((_, hops, held)) = &mut self.open
                && hops.len() < MAX_HOPS
                && let Some(document) = attributes(Document::new(), &words::all(hop))
            {
                hops.push(Value::from(document));
                held.push(line.into());
                return;
            }
            return sink.leave(line.number, text);
        }
        self.close(sink);
        match route(text) {
            Some(document) => self.open = Some((document, Vec::new(), vec![line.into()])),
            None => sink.leave(line.number, text),
        }
    }

    fn finish(&mut self, _end: End, sink: &mut Sink) {
        self.close(sink);
    }
}

impl Routes {
    fn close(&mut self, sink: &mut Sink) {
        let Some((mut document, hops, held)) = self.open.take() else { return };
        if !hops.is_empty() {
            document.set("next_hops", hops);
        }
        sink.record(&document, held);
    }
}

/// `[type] destination key value …`
fn route(text: &str) -> Option<Document> {
    if text.starts_with([' ', '\t']) {
        return None;
    }
    let mut document = Document::new();
    let (mut word, mut rest) = words::next(text)?;
    if TYPES.contains(&word) {
        document.set("type", word);
        (word, rest) = words::next(rest)?;
    }
    let is_written_so = |symbol: char| symbol.is_ascii_hexdigit() || ".:/".contains(symbol);
    let is_place =
        word == "default" || (word.contains(['.', ':']) && !word.ends_with(':') && word.chars().all(is_written_so));
    is_place.then_some(())?;
    document.set("destination", word);
    attributes(document, &words::all(rest))
}

/// Words that are known; from the first other one on the rest is kept as text.
fn attributes(mut document: Document, words: &[&str]) -> Option<Document> {
    let mut flags = Vec::new();
    let mut rest = words;
    while let Some((word, behind)) = rest.split_first() {
        if FLAGS.contains(word) {
            flags.push(*word);
            rest = behind;
            continue;
        }
        let known = VALUES.iter().find(|(key, _)| key == word);
        let (Some((_, field)), Some((value, behind))) = (known, behind.split_first()) else { break };
        // `via inet6 fe80::1`, `mtu lock 1400`
        let (value, behind) = match (*value, behind.split_first()) {
            (family @ ("inet" | "inet6" | "lock"), Some((value, behind))) => {
                document.set(&format!("{field}_kind"), family);
                (value, behind)
            }
            _ => (value, behind),
        };
        match integer(value).filter(|_| ["metric", "mtu", "mss", "weight"].contains(field)) {
            Some(number) => document.set(field, number),
            None => document.set(field, *value),
        }
        rest = behind;
    }
    if !flags.is_empty() {
        document.set("flags", flags);
    }
    document.set_filled("rest", &rest.join(" "));
    Some(document)
}
