//! Searching transcripts: by text or regular expression, time, host, actor, kind, exit code, command, verdict.
//!
//! Lines are looked at as they stand in the file, and only those that may have a match are read. Output comes in
//! pieces cut anywhere, so that each edge is looked at as well.

use std::collections::HashMap;

use portcullis_term::clean;
use serde::Serialize;
use serde_json::Value;

use super::chain::TAIL_BYTES;
use super::matcher::{Matcher, PatternError};
use super::reader::{Event, LineRead, read_line};
use super::store::{StoreError, Stored};

/// Characters of a hit that are shown on either side of it.
const AROUND_BYTES: usize = 120;
/// A line's head ends before this.
const HEAD_BYTES: usize = 160;
/// Wide enough that nothing is wrapped.
const COLUMNS: u16 = 1_000;

/// What is wanted; what is not said is not asked for.
#[derive(Debug, Clone, Default)]
pub struct Query {
    pub pattern: Option<String>,
    pub is_regex: bool,
    pub ignore_case: bool,
    pub since_unix_ms: Option<u64>,
    pub until_unix_ms: Option<u64>,
    /// Part of the profile's name, the user, the address or the session's name.
    pub host: Option<String>,
    pub session: Option<String>,
    pub actor: Option<String>,
    pub kind: Option<String>,
    pub verdict: Option<String>,
    /// Of commands: with it, hits are commands, or lie in the output of one.
    pub exit_code: Option<i64>,
    /// Part of a command's text; as `exit_code`.
    pub command: Option<String>,
    pub limit: usize,
}

/// One place in the record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hit {
    pub instance: String,
    pub session: String,
    pub profile: String,
    pub number: u64,
    pub unix_ms: u64,
    pub kind: String,
    /// In the session's output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// The line it is in, or what the event is about.
    pub text: String,
    /// Where a running viewer shows the session again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay_url: Option<String>,
    /// What shows it where no viewer runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay_command: Option<String>,
}

impl Hit {
    /// The way back to what was found, for a reader.
    pub fn replay(&self) -> &str {
        self.replay_url.as_deref().or(self.replay_command.as_deref()).unwrap_or_default()
    }
}

/// What a search has found.
#[derive(Debug, Default, Serialize)]
pub struct Found {
    pub hits: Vec<Hit>,
    /// The limit was reached; there may be more.
    pub more: bool,
    pub files: usize,
    pub bytes: u64,
    /// Files that could not be read.
    pub problems: Vec<String>,
}

impl Found {
    /// Says of each hit where it is seen in its session, given the address of a viewer that runs.
    #[must_use]
    pub fn with_replay(mut self, viewer: Option<&str>) -> Self {
        for hit in &mut self.hits {
            let place = format!("{}/{}", hit.instance, hit.session);
            match viewer {
                Some(viewer) => hit.replay_url = Some(format!("{}/r/{place}", viewer.trim_end_matches('/'))),
                None => hit.replay_command = Some(format!("portcullis transcript show {place}")),
            }
        }
        self
    }
}

impl Query {
    /// Whether anything but a session is said.
    pub fn has_criteria(&self) -> bool {
        let texts = [&self.pattern, &self.host, &self.actor, &self.kind, &self.verdict, &self.command];
        let times = self.since_unix_ms.is_some() || self.until_unix_ms.is_some();
        texts.into_iter().any(Option::is_some) || times || self.exit_code.is_some()
    }

    fn asks_for_commands(&self) -> bool {
        self.exit_code.is_some() || self.command.is_some()
    }

    fn takes_event(&self, event: &Event) -> bool {
        let is = |wanted: &Option<String>, field: &str| {
            wanted.as_ref().is_none_or(|wanted| event.text_of(field) == Some(wanted.as_str()))
        };
        self.since_unix_ms.is_none_or(|since| event.unix_ms >= since)
            && self.until_unix_ms.is_none_or(|until| event.unix_ms <= until)
            && self.kind.as_ref().is_none_or(|kind| *kind == event.kind)
            && is(&self.actor, "actor")
            && is(&self.verdict, "verdict")
    }

    fn takes_session(&self, stored: &Stored, opening: Option<&Event>) -> bool {
        if self.session.as_ref().is_some_and(|session| {
            *session != stored.session && opening.and_then(|event| event.text_of("name")) != Some(session)
        }) {
            return false;
        }
        let Some(host) = &self.host else { return true };
        let Some(opening) = opening else { return false };
        let fields = ["profile", "address", "user", "name"];
        let at = format!("{}@{}", opening.text_of("user").unwrap_or(""), opening.text_of("address").unwrap_or(""));
        at.contains(host) || fields.iter().any(|field| opening.text_of(field).is_some_and(|text| text.contains(host)))
    }
}

/// Searches the transcripts, the newest first.
///
/// # Errors
/// When what is looked for cannot be.
pub fn search<'a>(transcripts: impl Iterator<Item = &'a Stored>, query: &Query) -> Result<Found, PatternError> {
    let pattern = query.pattern.as_deref();
    let matcher = pattern.map(|it| Matcher::new(it, query.is_regex, query.ignore_case)).transpose()?;
    let mut found = Found::default();
    for stored in transcripts {
        let since = query.since_unix_ms.unwrap_or(0);
        let last = stored.modified.duration_since(std::time::UNIX_EPOCH).map_or(0, |at| at.as_millis() as u64);
        let opening = stored.opening();
        // A file's time is coarser than a line's.
        if last + 2_000 < since || !query.takes_session(stored, opening.as_ref()) {
            continue;
        }
        found.files += 1;
        found.bytes += stored.size_bytes;
        let mut scan = Scan::new(stored, opening.as_ref(), query, matcher.as_ref(), &mut found);
        if let Err(error) = scan.run() {
            found.problems.push(format!(
                "{error}: {}",
                std::error::Error::source(&error).map_or_else(String::new, ToString::to_string)
            ));
        }
        if found.more {
            break;
        }
    }
    Ok(found)
}

/// A command's place in a session's output.
struct Command {
    from: u64,
    to: u64,
}

struct Scan<'a> {
    stored: &'a Stored,
    profile: String,
    query: &'a Query,
    matcher: Option<&'a Matcher>,
    found: &'a mut Found,
    /// The end of the last piece of output, as text, where a match may begin.
    tail: Vec<u8>,
    output_end: u64,
    /// Wanted commands; None where none are asked for.
    commands: Option<Vec<Command>>,
}

impl<'a> Scan<'a> {
    fn new(
        stored: &'a Stored,
        opening: Option<&Event>,
        query: &'a Query,
        matcher: Option<&'a Matcher>,
        found: &'a mut Found,
    ) -> Self {
        let profile = opening.and_then(|event| event.text_of("profile")).unwrap_or_default().to_owned();
        Self { stored, profile, query, matcher, found, tail: Vec::new(), output_end: 0, commands: None }
    }

    fn run(&mut self) -> Result<(), StoreError> {
        if self.query.asks_for_commands() {
            let commands = self.wanted_commands()?;
            // Without a text the commands themselves are what is looked for.
            if self.matcher.is_none() || commands.is_empty() {
                return Ok(());
            }
            self.commands = Some(commands);
        }
        let stored = self.stored;
        let needed = self.needed_without_pattern();
        stored.lines(|line| {
            match self.matcher {
                Some(matcher) => self.line(line, matcher),
                None => {
                    let may_be = needed.iter().all(|needed| memchr::memmem::find(line, needed.as_bytes()).is_some());
                    if may_be && let LineRead::Event(event) = read_line(line) {
                        self.hit_event(&event, None);
                    }
                }
            }
            !self.found.more
        })
    }

    /// What a line has to have, as it stands in the file.
    fn needed_without_pattern(&self) -> Vec<String> {
        let fields = [("verdict", &self.query.verdict), ("kind", &self.query.kind), ("actor", &self.query.actor)];
        let said = fields.into_iter().filter_map(|(field, value)| value.as_ref().map(|value| (field, value)));
        said.map(|(field, value)| format!("\"{field}\":{}", Value::from(value.as_str()))).collect()
    }

    fn line(&mut self, line: &[u8], matcher: &Matcher) {
        match output_text(line) {
            Some((offset, raw)) => {
                self.edge(offset, raw, matcher, line);
                if !matcher.may_be_in(raw) || matcher.find(&unescaped(raw), 0).is_none() {
                    self.output_end = offset;
                    return;
                }
                if let LineRead::Event(event) = read_line(line) {
                    self.output(&event, matcher);
                }
            }
            None => {
                let encoded = memchr::memmem::find(&line[..line.len().min(HEAD_BYTES * 2)], b"\"base64\":\"").is_some();
                let output =
                    memchr::memmem::find(&line[..line.len().min(HEAD_BYTES)], b"\"kind\":\"output\"").is_some();
                if (encoded || output || matcher.may_be_in(line))
                    && let LineRead::Event(event) = read_line(line)
                {
                    match output {
                        true => {
                            self.output(&event, matcher);
                            self.keep_tail(&event.bytes().unwrap_or_default(), matcher);
                        }
                        false => self.other(&event, matcher),
                    }
                }
            }
        }
    }

    /// Looks where the last piece of output and this one meet.
    fn edge(&mut self, offset: u64, raw: &[u8], matcher: &Matcher, line: &[u8]) {
        let edge = matcher.edge_bytes();
        let head = unescaped_head(raw, edge);
        if !self.tail.is_empty() && !head.is_empty() {
            let at = self.tail.len();
            let joined = [self.tail.as_slice(), &head].concat();
            let mut from = 0;
            while let Some((start, end)) = matcher.find(&joined, from) {
                if start < at && end > at {
                    if let LineRead::Event(event) = read_line(line) {
                        let begins = offset.saturating_sub(event.bytes().map_or(0, |bytes| bytes.len()) as u64);
                        let offset = begins.saturating_sub((at - start) as u64);
                        self.hit_output(&event, offset, &joined, (start, end));
                    }
                    break;
                }
                from = end.max(start + 1);
            }
        }
        let tail = unescaped_tail(raw, edge);
        match tail.len() < edge {
            // A key's echo is shorter than what is looked for.
            true => {
                self.tail.extend_from_slice(&tail);
                self.tail.drain(..self.tail.len().saturating_sub(edge));
            }
            false => self.tail = tail,
        }
    }

    fn keep_tail(&mut self, text: &[u8], matcher: &Matcher) {
        self.tail.extend_from_slice(text);
        self.tail.drain(..self.tail.len().saturating_sub(matcher.edge_bytes()));
    }

    fn output(&mut self, event: &Event, matcher: &Matcher) {
        let end = event.number_of("offset").unwrap_or(self.output_end);
        let Some(text) = event.bytes() else {
            self.output_end = end;
            return;
        };
        let plain = event.fields.get("redacted").is_none();
        let begins = if plain { end.saturating_sub(text.len() as u64) } else { self.output_end };
        let mut from = 0;
        while let Some((start, stop)) = matcher.find(&text, from) {
            self.hit_output(event, begins + start as u64, &text, (start, stop));
            // One hit for each line of text.
            from = memchr::memchr(b'\n', &text[stop.max(start + 1).min(text.len())..])
                .map_or(text.len() + 1, |line| stop.max(start + 1) + line + 1);
            if from > text.len() || self.found.more {
                break;
            }
        }
        self.output_end = end;
    }

    fn hit_output(&mut self, event: &Event, offset: u64, text: &[u8], place: (usize, usize)) {
        let inside = |commands: &Vec<Command>| commands.iter().any(|it| it.from <= offset && offset < it.to);
        if self.commands.as_ref().is_some_and(|commands| !inside(commands)) || !self.query.takes_event(event) {
            return;
        }
        let start = memchr::memrchr(b'\n', &text[..place.0]).map_or(0, |at| at + 1);
        let end = memchr::memchr(b'\n', &text[place.1..]).map_or(text.len(), |at| place.1 + at);
        let (start, end) = (start.max(place.0.saturating_sub(AROUND_BYTES)), end.min(place.1 + AROUND_BYTES));
        let line = clean(&text[start..end], COLUMNS).text;
        self.push(event, Some(offset), line.trim_end().to_owned(), None);
    }

    fn other(&mut self, event: &Event, matcher: &Matcher) {
        // What is asked of a command's output is not asked of other lines.
        if self.commands.is_some() {
            return;
        }
        let mut hit = None;
        for value in event.fields.values() {
            first_string(value, &mut |text| {
                if hit.is_none() && matcher.find(text.as_bytes(), 0).is_some() {
                    hit = Some(text.to_owned());
                }
            });
        }
        if let Some(text) = hit {
            self.hit_event(event, Some(text));
        }
    }

    fn hit_event(&mut self, event: &Event, text: Option<String>) {
        if !self.query.takes_event(event) {
            return;
        }
        let text = text.unwrap_or_else(|| told(event));
        let text = clean(text.as_bytes(), COLUMNS).text;
        self.push(event, event.number_of("offset"), text.trim_end().chars().take(2 * AROUND_BYTES).collect(), None);
    }

    fn push(&mut self, event: &Event, offset: Option<u64>, text: String, exit_code: Option<i64>) {
        if self.found.hits.len() >= self.query.limit {
            self.found.more = true;
            return;
        }
        self.found.hits.push(Hit {
            instance: self.stored.instance.clone(),
            session: self.stored.session.clone(),
            profile: self.profile.clone(),
            number: event.number,
            unix_ms: event.unix_ms,
            kind: event.kind.clone(),
            offset,
            actor: event.text_of("actor").map(str::to_owned),
            exit_code: exit_code.or_else(|| event.fields.get("exit_code").and_then(Value::as_i64)),
            text,
            replay_url: None,
            replay_command: None,
        });
    }

    /// Commands with the text and the exit code asked for. Without a pattern each is a hit.
    fn wanted_commands(&mut self) -> Result<Vec<Command>, StoreError> {
        let mut started: HashMap<u64, Event> = HashMap::new();
        let mut wanted = Vec::new();
        let stored = self.stored;
        stored.lines(|line| {
            if memchr::memmem::find(&line[..line.len().min(HEAD_BYTES)], b"\"kind\":\"command_").is_none() {
                return true;
            }
            let LineRead::Event(event) = read_line(line) else { return true };
            let id = command_number(&event);
            if event.kind == "command_start" {
                started.insert(id, event);
            } else if let Some(start) = started.get(&id) {
                self.ended(start, &event, &mut wanted);
            }
            !self.found.more
        })?;
        Ok(wanted)
    }

    fn ended(&mut self, start: &Event, end: &Event, wanted: &mut Vec<Command>) {
        let text = start.text_of("text").unwrap_or_default();
        let code = end.fields.get("exit_code").and_then(Value::as_i64);
        if self.query.exit_code.is_some_and(|wanted| code != Some(wanted))
            || self.query.command.as_ref().is_some_and(|wanted| !text.contains(wanted.as_str()))
            || self.query.actor.as_ref().is_some_and(|actor| start.text_of("actor") != Some(actor))
        {
            return;
        }
        let span = |part: &str| end.fields.get("span").and_then(|span| span.get(part)).and_then(Value::as_u64);
        let (from, to) = (span("from").unwrap_or(0), span("to").unwrap_or(u64::MAX));
        wanted.push(Command { from, to });
        let in_time = Query { actor: None, verdict: None, kind: None, ..self.query.clone() }.takes_event(end);
        if self.matcher.is_none() && in_time {
            let event = Event { fields: start.fields.clone(), ..end.clone() };
            self.push(&event, Some(from), text.to_owned(), code);
        }
    }
}

/// A start has its command's number as `c7`, an end as `7`.
fn command_number(event: &Event) -> u64 {
    let id = event.fields.get("command_id");
    let number = id.and_then(|id| id.as_u64().or_else(|| id.as_str()?.trim_start_matches('c').parse().ok()));
    number.unwrap_or_default()
}

/// Offset and text of a line of output, as they stand in the file; none of any other line.
fn output_text(line: &[u8]) -> Option<(u64, &[u8])> {
    let head = &line[..line.len().min(HEAD_BYTES)];
    let kind = memchr::memmem::find(head, b"\"kind\":\"output\",\"offset\":")? + 25;
    let digits = line[kind..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let offset = std::str::from_utf8(&line[kind..kind + digits]).ok()?.parse().ok()?;
    let text = line[kind + digits..].strip_prefix(b",\"text\":\"")?;
    // The line's end, its digest, and the quote that closes the text; with more fields the line is read.
    let end = text.len().checked_sub(TAIL_BYTES + 1)?;
    let text = text[..end].strip_suffix(b"\"")?;
    Some((offset, text))
}

/// Up to `most` bytes of the beginning of a JSON string's inside, as text.
fn unescaped_head(raw: &[u8], most: usize) -> Vec<u8> {
    let mut end = raw.len().min(most);
    if memchr::memchr(b'\\', &raw[..end]).is_none() {
        return raw[..end].to_vec();
    }
    // Six bytes are the longest escape there is.
    end = raw.len().min(most * 6);
    let mut text = unescaped(&raw[..whole_escapes(raw, end)]);
    text.truncate(most);
    text
}

fn unescaped_tail(raw: &[u8], most: usize) -> Vec<u8> {
    let start = raw.len().saturating_sub(most);
    if memchr::memchr(b'\\', &raw[start.saturating_sub(6)..]).is_none() {
        return raw[start..].to_vec();
    }
    let mut start = raw.len().saturating_sub(most * 6 + 6);
    // Not in the midst of an escape: behind the last byte before that is none of one.
    while start > 0 && raw[start.saturating_sub(6)..start].contains(&b'\\') {
        start -= 1;
    }
    let text = unescaped(&raw[start..]);
    text[text.len().saturating_sub(most)..].to_vec()
}

/// Where the last escape before `end` that is whole ends.
fn whole_escapes(raw: &[u8], end: usize) -> usize {
    let mut at = 0;
    while let Some(escape) = memchr::memchr(b'\\', &raw[at..end]) {
        let escape = at + escape;
        let length = if raw.get(escape + 1) == Some(&b'u') { 6 } else { 2 };
        if escape + length > end {
            return escape;
        }
        at = escape + length;
    }
    end
}

/// Bytes of a character that was cut stay as they are.
fn unescaped(raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(escape) = memchr::memchr(b'\\', rest) {
        text.extend_from_slice(&rest[..escape]);
        let (byte, length) = match rest.get(escape + 1) {
            Some(b'n') => (b'\n', 2),
            Some(b'r') => (b'\r', 2),
            Some(b't') => (b'\t', 2),
            Some(b'b') => (0x08, 2),
            Some(b'f') => (0x0c, 2),
            // Only control characters are written so, and they are ASCII.
            Some(b'u') => {
                let digits = rest.get(escape + 4..escape + 6).and_then(|pair| std::str::from_utf8(pair).ok());
                (digits.and_then(|pair| u8::from_str_radix(pair, 16).ok()).unwrap_or(b'?'), 6)
            }
            Some(other) => (*other, 2),
            None => (b'\\', 1),
        };
        text.push(byte);
        rest = rest.get(escape + length..).unwrap_or_default();
    }
    text.extend_from_slice(rest);
    text
}

fn first_string(value: &Value, each: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(items) => items.iter().for_each(|item| first_string(item, each)),
        Value::Object(fields) => fields.values().for_each(|field| first_string(field, each)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What an event is about, in a line.
pub fn told(event: &Event) -> String {
    let text = |field: &str| event.text_of(field).unwrap_or_default();
    match event.kind.as_str() {
        "output" | "input" | "host_input" => {
            let bytes = event.bytes();
            bytes.map_or_else(
                || format!("{} bytes", event.number_of("length_bytes").unwrap_or(0)),
                |bytes| String::from_utf8_lossy(&bytes).into_owned(),
            )
        }
        "verdict" => format!("{}: {}", text("verdict"), text("text")),
        "approval" => format!("{} {}: {}", text("approval_id"), text("state"), text("text")),
        "command_start" => text("text").to_owned(),
        "closed" | "health" => format!("{} {}", text("state"), text("reason")).trim().to_owned(),
        "error" => format!("{} {}: {}", text("about"), text("plugin"), text("message")).replace(" :", ":"),
        "opened" => format!("{} ({}@{})", text("profile"), text("user"), text("address")),
        _ => {
            let fields: Vec<String> = event.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
            fields.join(" ")
        }
    }
}
