//! `stat`: one document for each file, from the seven or more lines about it.
//!
//! The labels are translated, the order of the lines is not: it says what they are. A record with a
//! line out of order stays text.

use parser_kit::number::{integer, pair};
use parser_kit::{Command, Document, End, Held, Reader, Sink};
use portcullis_plugin::lines::Line;
use portcullis_plugin::parser::OutputMeta;

use crate::mode;

/// The command says what the output is.
const SCORE: u8 = 90;
/// The times, in their order.
const TIMES: [&str; 4] = ["accessed", "modified", "changed", "born"];
/// Lines before the times.
const MIN_TIMES: usize = 3;
/// Lines of one file are far fewer.
const MAX_LINES: usize = 16;

pub(crate) fn claim(command: &Command<'_>, head: &str) -> Option<u8> {
    let is_other = [('c', "format"), ('f', "file-system"), ('t', "terse"), ('x', "printf")];
    let is_default = command.program == "stat" && !is_other.iter().any(|(letter, long)| command.has(*letter, long));
    let begins = head.lines().any(|line| size(line).is_some());
    (is_default && begins).then_some(SCORE)
}

pub(crate) fn begin(_command: &Command<'_>, _meta: &OutputMeta) -> Box<dyn Reader> {
    Box::new(Files::default())
}

#[derive(Default)]
struct Files {
    document: Document,
    held: Vec<Held>,
    step: Step,
    times: usize,
}

/// Which line is expected.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Name,
    Size,
    Device,
    Access,
    Times,
}

impl Files {
    /// Takes a line of the file being read; none when it does not fit there.
    fn take(&mut self, text: &str) -> Option<()> {
        let (fields, next) = match self.step {
            Step::Name => (name(text)?, Step::Size),
            Step::Size => (size(text)?, Step::Device),
            Step::Device => (device(text)?, Step::Access),
            Step::Access => (access(text)?, Step::Times),
            Step::Times => return self.time(text),
        };
        for (field, value) in fields {
            self.document.set(field, value);
        }
        self.step = next;
        Some(())
    }

    /// A time, or the context of SELinux before them.
    fn time(&mut self, text: &str) -> Option<()> {
        let (label, value) = labelled(text)?;
        if self.times == 0 && label == "Context" {
            self.document.set("context", value);
            return Some(());
        }
        let field = TIMES.get(self.times)?;
        let is_date = value.len() >= 19 && value.get(4..5) == Some("-") && value.get(13..14) == Some(":");
        (is_date || value == "-").then_some(())?;
        if is_date {
            self.document.set(field, value);
        }
        self.times += 1;
        Some(())
    }

    /// The file's lines are over.
    fn close(&mut self, sink: &mut Sink) {
        let Self { document, held, times, .. } = std::mem::take(self);
        if times >= MIN_TIMES {
            sink.record(&document, held);
        } else {
            sink.leave_all(held);
        }
    }
}

impl Reader for Files {
    fn line(&mut self, line: &Line<'_>, sink: &mut Sink) {
        let text = line.text.as_ref();
        if self.take(text).is_none() {
            self.close(sink);
            if self.take(text).is_none() || text.trim().is_empty() {
                if !text.trim().is_empty() {
                    sink.leave(line.number, text);
                }
                return;
            }
        }
        self.held.push(line.into());
        if self.held.len() >= MAX_LINES {
            self.close(sink);
        }
    }

    fn finish(&mut self, _end: End, sink: &mut Sink) {
        self.close(sink);
    }
}

type Fields = Vec<(&'static str, serde_json::Value)>;

/// The label and the text behind its colon, which may be a wide one.
fn labelled(text: &str) -> Option<(&str, &str)> {
    let at = text.find([':', '：'])?;
    let (label, rest) = text.split_at(at);
    let label = label.trim();
    let rest = rest.strip_prefix([':', '：'])?.trim();
    (!label.is_empty() && label.chars().count() <= 20 && !rest.is_empty()).then_some((label, rest))
}

/// `  File: x -> y`; the label is set in.
fn name(text: &str) -> Option<Fields> {
    text.starts_with(' ').then_some(())?;
    let (_, value) = labelled(text)?;
    let (own, target) = match unquoted_pair(value) {
        Some((own, target)) => (own, Some(target)),
        None => (unquote(value), None),
    };
    let mut fields: Fields = vec![("name", own.into())];
    if let Some(target) = target {
        fields.push(("target", target.into()));
    }
    Some(fields)
}

/// `'x' -> 'y'`, `x -> y`. None when it is no link, or has an arrow in a name.
fn unquoted_pair(text: &str) -> Option<(&str, &str)> {
    let (own, target) = text.split_once(" -> ").filter(|(_, target)| !target.contains(" -> "))?;
    Some((unquote(own), unquote(target)))
}

/// Versions before 9 and BusyBox put names in quotes.
fn unquote(text: &str) -> &str {
    let pairs = [('\'', '\''), ('‘', '’'), ('`', '\''), ('"', '"'), ('„', '“'), ('«', '»')];
    let inner = pairs.iter().find_map(|(open, close)| text.strip_prefix(*open)?.strip_suffix(*close));
    inner.filter(|inner| !inner.is_empty()).unwrap_or(text)
}

/// The numbers behind the colons, and the text behind the last.
fn numbers(text: &str, count: usize) -> Option<(Vec<u64>, &str)> {
    let mut numbers = Vec::with_capacity(count);
    let mut rest = text;
    for _ in 0..count {
        let (label, behind) = rest.split_once([':', '：'])?;
        // A date has colons between its numbers.
        let is_label =
            label.chars().any(char::is_alphabetic) && !label.contains(|symbol: char| symbol.is_ascii_digit());
        is_label.then_some(())?;
        let behind = behind.trim_start();
        let end = behind.find(|symbol: char| !symbol.is_ascii_digit()).unwrap_or(behind.len());
        numbers.push(integer(&behind[..end])?);
        rest = &behind[end..];
    }
    Some((numbers, rest.trim()))
}

/// `  Size: 3  Blocks: 8  IO Block: 4096  regular file`.
fn size(text: &str) -> Option<Fields> {
    let (numbers, kind) = numbers(text, 3)?;
    let [size, blocks, io_block] = numbers.as_slice() else { return None };
    (!kind.is_empty() && !kind.contains([':', '：'])).then_some(())?;
    Some(vec![
        ("size_bytes", (*size).into()),
        ("blocks", (*blocks).into()),
        ("io_block_bytes", (*io_block).into()),
        ("kind_text", kind.into()),
    ])
}

/// `Device: 254,0  Inode: 10862883  Links: 2  Device type: 1,3`.
fn device(text: &str) -> Option<Fields> {
    let (_, rest) = text.split_once([':', '：'])?;
    let rest = rest.trim_start();
    let end = rest.find([' ', '\t'])?;
    let (device, rest) = rest.split_at(end);
    (device.contains([',', '/']) || integer(device).is_some()).then_some(())?;
    let (numbers, rest) = numbers(rest, 2)?;
    let [inode, links] = numbers.as_slice() else { return None };
    let mut fields: Fields = vec![("on_device", device.into()), ("inode", (*inode).into()), ("links", (*links).into())];
    if !rest.is_empty() {
        let (_, kind) = labelled(rest)?;
        // Older versions write the numbers in hexadecimal.
        match pair(kind, ',').filter(|_| device.contains(',')) {
            Some((major, minor)) => fields.extend([("device_major", major.into()), ("device_minor", minor.into())]),
            None => fields.push(("device_text", kind.into())),
        }
    }
    Some(fields)
}

/// `Access: (0644/-rw-r--r--)  Uid: ( 1000/     joe)   Gid: (20513/domain users)`.
fn access(text: &str) -> Option<Fields> {
    let mut parts = text.split('(').skip(1).map(|part| part.split_once(')').map(|(inside, _)| inside));
    let (access, user, group) = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(())?;
    let (octal, letters) = access.split_once('/')?;
    let (uid, owner) = user.split_once('/')?;
    let (gid, group) = group.split_once('/')?;
    Some(vec![
        ("mode", letters.into()),
        ("mode_octal", integer(octal).map(|_| octal)?.into()),
        ("kind", mode::kind(letters)?.into()),
        ("uid", integer(uid.trim())?.into()),
        ("owner", owner.trim().into()),
        ("gid", integer(gid.trim())?.into()),
        ("group", group.trim().into()),
    ])
}
