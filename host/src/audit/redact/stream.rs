//! Redaction of a stream that comes in pieces cut anywhere.
//!
//! Given on at once is everything that no secret can begin in. Held back is only the end of what has come,
//! and only where a rule or a known secret may still be matching there: a letter or two as a rule, at most
//! [`MAX_HELD`]. Whoever needs the rest now asks for it with [`Stream::settle`]; the matching goes on all the
//! same, so that of a secret whose first letters were given away the others are not.

use hmac::Mac;
use regex_automata::hybrid::dfa::Cache;
use regex_automata::{Anchored, Input};

use super::known::Known;
use super::rules::Rules;
use super::view::View;
use super::{Digest, Marker};

/// The most that is held back. A secret that is longer is replaced, and its end sought as it comes.
const MAX_HELD: usize = 1024;
/// A key's block that is longer is none; what follows is looked at as usual.
const MAX_BLOCK: usize = 64 * 1024;
/// The longest line that ends a block.
const MAX_BLOCK_END: usize = 96;
/// Enough for a look back over a word's edge.
const LOOK_BACK: usize = 4;

/// One direction of one session.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// A few bytes for looking back, then what is not decided yet.
    buffer: Vec<u8>,
    /// Where in the buffer matches are looked for.
    from: usize,
    /// What of the buffer was given on, looking back included.
    given: usize,
    inside: Inside,
    cache: Option<Box<Cache>>,
}

/// What the next byte belongs to.
#[derive(Debug, Default)]
enum Inside {
    #[default]
    Nothing,
    /// A block of a rule, with how much of it has come.
    Block { rule: usize, length: usize, digest: Box<Digest> },
    /// The rest of a secret that was replaced already.
    Rest,
}

/// What a piece has come to.
pub(super) struct Sink<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) redacted: u64,
}

impl Stream {
    /// Bytes that have come and were not given on.
    pub(super) fn held(&self) -> usize {
        self.buffer.len() - self.given
    }

    /// Takes a piece; gives on what can be.
    pub(super) fn push(&mut self, rules: &Rules, known: &Known, piece: &[u8], sink: &mut Sink<'_>) {
        self.buffer.extend_from_slice(piece);
        self.work(rules, known, false, sink);
    }

    /// Gives on what is held, but for what is certainly a secret's.
    pub(super) fn settle(&mut self, rules: &Rules, known: &Known, sink: &mut Sink<'_>) {
        if self.held() > 0 {
            self.work(rules, known, true, sink);
        }
    }

    /// The same at the end of the stream: a block that never ended is told as well.
    pub(super) fn finish(&mut self, rules: &Rules, known: &Known, sink: &mut Sink<'_>) {
        self.settle(rules, known, sink);
        if let Inside::Block { rule, digest, .. } = std::mem::take(&mut self.inside) {
            known.marker(rules.id(rule)).write_digest(*digest, sink);
        }
        *self = Self { cache: self.cache.take(), ..Self::default() };
    }

    fn work(&mut self, rules: &Rules, known: &Known, all: bool, sink: &mut Sink<'_>) {
        let mut cache = self.cache.take().unwrap_or_else(|| Box::new(rules.under_way.create_cache()));
        let buffer = std::mem::take(&mut self.buffer);
        let view = View::new(&buffer);
        let mut pass =
            Pass { rules, known, view: &view, raw: &buffer, given: self.given, at: view.plain_from(self.from) };
        let keep = loop {
            match std::mem::take(&mut self.inside) {
                Inside::Nothing => match pass.next(&mut cache, all, sink) {
                    Step::Done(keep) => break keep,
                    Step::Enter(inside) => self.inside = inside,
                },
                Inside::Rest => {
                    if !pass.skip_rest() {
                        self.inside = Inside::Rest;
                        break buffer.len();
                    }
                }
                Inside::Block { rule, length, digest } => match pass.block(rule, length, digest, sink) {
                    Ok(()) => {}
                    Err((inside, keep)) => {
                        self.inside = inside;
                        break keep;
                    }
                },
            }
        };
        let given = pass.given;
        drop(view);
        self.keep(buffer, keep, given);
        self.cache = Some(cache);
    }

    /// Keeps the buffer from `keep` on, with a little before it for looking back.
    fn keep(&mut self, mut buffer: Vec<u8>, keep: usize, given: usize) {
        let first = keep.saturating_sub(LOOK_BACK).min(given);
        buffer.drain(..first);
        self.from = keep - first;
        self.given = given - first;
        self.buffer = buffer;
    }
}

enum Step {
    /// Everything before this byte of the buffer is settled.
    Done(usize),
    Enter(Inside),
}

/// One look over the buffer.
struct Pass<'a> {
    rules: &'a Rules,
    known: &'a Known,
    view: &'a View<'a>,
    raw: &'a [u8],
    /// Bytes given on, or left out as a secret.
    given: usize,
    /// Where in the view the search goes on.
    at: usize,
}

impl Pass<'_> {
    fn give_until(&mut self, raw: usize, sink: &mut Sink<'_>) {
        if raw > self.given {
            sink.out.extend_from_slice(&self.raw[self.given..raw]);
            self.given = raw;
        }
    }

    fn next(&mut self, cache: &mut Cache, all: bool, sink: &mut Sink<'_>) -> Step {
        let text = self.view.text();
        let end = text.len();
        while let Some(secret) = self.first_secret() {
            // It may go on, or a rule that begins before it may yet take it.
            let under_way = self.first_under_way(cache).filter(|from| *from <= secret.start);
            if let Some(from) = under_way {
                let from = self.view.raw_start(from);
                if !all && self.raw.len() - from <= MAX_HELD {
                    self.give_until(from, sink);
                    return Step::Done(from);
                }
                if secret.open_end && self.is_under_way(cache, secret.start) {
                    self.replace(&secret, sink);
                    self.given = self.raw.len();
                    return Step::Enter(Inside::Rest);
                }
            }
            if let Some(rule) = secret.rule.filter(|rule| self.rules.ends(*rule).is_some()) {
                self.give_until(self.view.raw_start(secret.secret.0), sink);
                // The line that begins the block is not part of it, so that a key is the same wherever it is.
                self.at = secret.secret.1;
                self.given = self.given.max(self.view.raw_end(self.at));
                return Step::Enter(Inside::Block { rule, length: 0, digest: Box::new(self.known.digest()) });
            }
            self.replace(&secret, sink);
            self.at = secret.secret.1.max(self.at);
        }
        let mut keep = self.view.raw_start(self.first_under_way(cache).unwrap_or(end));
        if let Some(unfinished) = self.view.unfinished() {
            keep = keep.min(unfinished);
        }
        if self.raw.len() - keep > MAX_HELD {
            keep = self.raw.len();
        }
        self.give_until(if all { self.raw.len() } else { keep }, sink);
        Step::Done(keep)
    }

    fn first_secret(&self) -> Option<Hit> {
        let text = self.view.text();
        let ruled = self.rules.find(text, self.at).map(|found| Hit {
            rule: Some(found.rule),
            start: found.start,
            secret: found.secret,
            open_end: found.end == text.len() && self.rules.ends(found.rule).is_none(),
        });
        let known = self.known.find(text, self.at).map(|(start, end)| Hit {
            rule: None,
            start,
            secret: (start, end),
            open_end: false,
        });
        match (ruled, known) {
            // Inside what a rule would replace a known secret is found by the rule as well.
            (Some(ruled), Some(known)) if known.start < ruled.secret.0 => Some(known),
            (ruled, known) => ruled.or(known),
        }
    }

    /// Puts the marker where the secret was.
    fn replace(&mut self, secret: &Hit, sink: &mut Sink<'_>) {
        let (start, end) = secret.secret;
        self.give_until(self.view.raw_start(start), sink);
        let id = secret.rule.map_or("known", |rule| self.rules.id(rule));
        self.known.marker(id).write(&self.view.text()[start..end], sink);
        self.given = self.given.max(self.view.raw_end(end));
    }

    /// Passes over what belongs to a secret that was replaced; whether its end has come.
    fn skip_rest(&mut self) -> bool {
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"'<>,;&)}]|\\\x1b\x07".contains(byte);
        let from = self.view.raw_start(self.at).max(self.given);
        match self.raw[from..].iter().position(ends) {
            Some(rest) => {
                self.given = from + rest;
                self.at = self.view.plain_from(self.given);
                true
            }
            None => {
                self.given = self.raw.len();
                false
            }
        }
    }

    /// Goes on in a block; an error says that it has not ended yet, and what to keep.
    fn block(
        &mut self,
        rule: usize,
        mut length: usize,
        mut digest: Box<Digest>,
        sink: &mut Sink<'_>,
    ) -> Result<(), (Inside, usize)> {
        let text = self.view.text();
        let input = Input::new(text).range(self.at..);
        let end = self.rules.ends(rule).and_then(|ends| ends.search(&input));
        let until = end.as_ref().map_or(text.len().saturating_sub(MAX_BLOCK_END).max(self.at), |end| end.start());
        // Line ends differ with the way a key is shown.
        let inside = text[self.at..until].iter().filter(|byte| !byte.is_ascii_whitespace());
        digest.update(&inside.copied().collect::<Vec<u8>>());
        length += until - self.at;
        let too_long = length > MAX_BLOCK;
        if end.is_none() && !too_long {
            let keep = self.view.raw_start(until);
            self.given = self.given.max(keep);
            return Err((Inside::Block { rule, length, digest }, keep));
        }
        self.known.marker(self.rules.id(rule)).write_digest(*digest, sink);
        self.at = end.map_or(until, |end| end.end());
        self.given = self.given.max(self.view.raw_end(self.at));
        Ok(())
    }

    fn is_under_way(&self, cache: &mut Cache, start: usize) -> bool {
        let dfa = &self.rules.under_way;
        let text = self.view.text();
        let input = Input::new(text).range(start..).anchored(Anchored::Yes);
        // A search that is given up counts as one that goes on: too much is held rather than too little.
        let Ok(mut state) = dfa.start_state_forward(cache, &input) else { return true };
        for byte in &text[start..] {
            match dfa.next_state(cache, state, *byte) {
                Ok(next) if next.is_dead() => return false,
                Ok(next) => state = next,
                Err(_) => return true,
            }
        }
        true
    }

    /// The first place from which something may still be matching. No rule goes over a line's end.
    fn first_under_way(&self, cache: &mut Cache) -> Option<usize> {
        let text = self.view.text();
        let line = memchr::memrchr(b'\n', text).map_or(0, |end| end + 1);
        let first = self.at.max(line).max(text.len().saturating_sub(MAX_HELD)).min(text.len());
        let ruled = (first..text.len()).find(|start| self.is_under_way(cache, *start));
        let known = self.known.under_way(&text[self.at.min(text.len())..]).map(|length| text.len() - length);
        match (ruled, known) {
            (Some(ruled), Some(known)) => Some(ruled.min(known)),
            (ruled, known) => ruled.or(known),
        }
    }
}

struct Hit {
    /// None of a known secret.
    rule: Option<usize>,
    start: usize,
    secret: (usize, usize),
    /// It goes as far as the text, and may go on.
    open_end: bool,
}

impl Marker<'_> {
    fn write(&self, secret: &[u8], sink: &mut Sink<'_>) {
        let mut digest = self.digest();
        digest.update(secret);
        self.write_digest(digest, sink);
    }

    fn write_digest(&self, digest: Digest, sink: &mut Sink<'_>) {
        sink.out.extend_from_slice(self.text(digest).as_bytes());
        sink.redacted += 1;
    }
}
