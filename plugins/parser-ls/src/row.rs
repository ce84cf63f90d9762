//! One row of a long listing.

use std::borrow::Cow;

use crate::date::{self, word};
use crate::name;
use crate::options::{Options, Style};

/// A document of the schema `ls/1`, made of its row's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) kind: &'static str,
    pub(crate) mode: &'a str,
    pub(crate) links: u64,
    pub(crate) owner: Option<&'a str>,
    pub(crate) group: Option<&'a str>,
    pub(crate) context: Option<&'a str>,
    pub(crate) size_bytes: Option<u64>,
    pub(crate) size_text: Option<&'a str>,
    pub(crate) device: Option<Device>,
    pub(crate) modified: Cow<'a, str>,
    pub(crate) target: Option<Cow<'a, str>>,
    /// The heading it stands below; the listing's part.
    pub(crate) directory: Option<&'a str>,
    pub(crate) inode: Option<u64>,
    pub(crate) blocks: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) major: u64,
    pub(crate) minor: u64,
}

/// How a row's name was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    Plain,
    Quoted,
    /// It begins with a blank, which is padding if any name beside it is quoted.
    Padded,
}

/// Everything before the name.
struct Columns<'a> {
    entry: Entry<'a>,
    /// The rest of the row, from the blank before the name.
    name: &'a str,
}

/// Reads a row; none when it does not fit or fits in two ways.
pub(crate) fn read(line: &str, options: Options, style: Style) -> Option<(Entry<'_>, Writing)> {
    let Columns { mut entry, name } = columns(line, options)?;
    let name = name.strip_prefix(' ').filter(|name| !name.is_empty())?;
    let link = entry.mode.starts_with('l');
    if let Some((decoded, rest)) = name::decode(name, style) {
        entry.name = Cow::Owned(decoded);
        let fits = match rest.strip_prefix(" -> ").filter(|_| link) {
            Some(target) => {
                entry.target = Some(name::whole(target, style).map_or(Cow::Borrowed(target), Cow::Owned));
                true
            }
            None if style == Style::Escape => {
                entry.name = Cow::Owned(unmark(&entry.name, &entry, options).to_owned());
                rest.is_empty()
            }
            None => unmark(rest, &entry, options).is_empty(),
        };
        let writing = if style == Style::Shell { Writing::Quoted } else { Writing::Plain };
        return (fits && !entry.name.is_empty()).then_some((entry, writing));
    }
    // In these styles every name can be read as one.
    if [Style::C, Style::Escape].contains(&style) {
        return None;
    }
    let is_shell = style == Style::Shell;
    let writing = if is_shell && name.starts_with(' ') && name.len() > 1 { Writing::Padded } else { Writing::Plain };
    match if link { name.split_once(" -> ") } else { None } {
        Some((_, target)) if target.contains(" -> ") => return None,
        Some((own, target)) => {
            entry.name = Cow::Borrowed(own);
            entry.target = Some(name::whole(target, style).map_or(Cow::Borrowed(target), Cow::Owned));
        }
        None => entry.name = Cow::Borrowed(unmark(name, &entry, options)),
    }
    (!entry.name.is_empty()).then_some((entry, writing))
}

/// Takes off the mark that `-F` or `-p` puts behind a name.
fn unmark<'a>(name: &'a str, entry: &Entry<'_>, options: Options) -> &'a str {
    if !options.marks && !options.directory_marks {
        return name;
    }
    let mark = match entry.kind {
        "directory" if options.marks || options.directory_marks => '/',
        "file" if options.marks && entry.mode.contains('x') => '*',
        "symlink" if options.marks => '@',
        "socket" if options.marks => '=',
        "fifo" if options.marks => '|',
        _ => return name,
    };
    name.strip_suffix(mark).unwrap_or(name)
}

fn columns(line: &str, options: Options) -> Option<Columns<'_>> {
    let (inode, rest) =
        if options.inode { number(line).map(|(inode, rest)| (Some(inode), rest))? } else { (None, line) };
    let (blocks, rest) = match options.blocks {
        true => word(rest).filter(|(size, _)| is_size(size)).map(|(size, rest)| (Some(size), rest))?,
        false => (None, rest),
    };
    let (mode, rest) = word(rest)?;
    let kind = kind(mode)?;
    let (links, rest) = number(rest)?;
    let (owner, rest) = optional_word(rest, !options.no_owner)?;
    let (group, rest) = optional_word(rest, !options.no_group)?;
    let (context, rest) = optional_word(rest, options.context)?;
    let (size, rest) = size(rest, matches!(kind, "character-device" | "block-device"), options.scaled)?;
    let (modified, name) = date::read(rest, options.iso)?;
    let (size_bytes, size_text, device) = match size {
        Size::Bytes(bytes) => (Some(bytes), None, None),
        Size::Text(text) => (None, Some(text), None),
        Size::Device(device) => (None, None, Some(device)),
    };
    let entry = Entry {
        name: Cow::Borrowed(""),
        kind,
        mode,
        links,
        owner,
        group,
        context: context.filter(|context| *context != "?"),
        size_bytes,
        size_text,
        device,
        modified,
        target: None,
        directory: None,
        inode,
        blocks,
    };
    Some(Columns { entry, name })
}

fn kind(mode: &str) -> Option<&'static str> {
    let (first, rights) = match mode.as_bytes() {
        [first, rights @ ..] if rights.len() == 9 => (first, rights),
        [first, rights @ .., b'.' | b'+' | b'@'] if rights.len() == 9 => (first, rights),
        _ => return None,
    };
    let is_right = |right: &u8| matches!(right, b'r' | b'w' | b'x' | b's' | b'S' | b't' | b'T' | b'l' | b'L' | b'-');
    if !rights.iter().all(is_right) {
        return None;
    }
    Some(match first {
        b'-' => "file",
        b'd' => "directory",
        b'l' => "symlink",
        b'c' => "character-device",
        b'b' => "block-device",
        b'p' => "fifo",
        b's' => "socket",
        b'C' | b'D' | b'M' | b'n' | b'P' | b'?' | b'w' => "other",
        _ => return None,
    })
}

enum Size<'a> {
    Bytes(u64),
    Text(&'a str),
    Device(Device),
}

fn size(text: &str, is_device: bool, scaled: bool) -> Option<(Size<'_>, &str)> {
    let (first, rest) = word(text)?;
    if is_device && let Some((major, minor)) = first.split_once(',') {
        let major = major.parse().ok()?;
        let (minor, rest) = if minor.is_empty() { number(rest)? } else { (minor.parse().ok()?, rest) };
        return Some((Size::Device(Device { major, minor }), rest));
    }
    let size = match first.parse() {
        // `--block-size` scales without a unit, so then no size is taken for exact.
        Ok(bytes) if !scaled => Size::Bytes(bytes),
        _ if is_size(first) => Size::Text(first),
        _ => return None,
    };
    Some((size, rest))
}

/// A number, perhaps with a fraction and a unit: `4096`, `4.0K`, `1,5M`, `12MiB`.
pub(crate) fn is_size(text: &str) -> bool {
    let number = text.trim_end_matches(|symbol: char| symbol.is_ascii_alphabetic());
    let unit = &text[number.len()..];
    let fits = |symbol: char| symbol.is_ascii_digit() || symbol == '.' || symbol == ',';
    number.starts_with(|symbol: char| symbol.is_ascii_digit())
        && number.chars().all(fits)
        && (unit.is_empty() || (unit.len() <= 3 && unit.starts_with(|symbol| "kKMGTPEZYRQB".contains(symbol))))
}

fn number(text: &str) -> Option<(u64, &str)> {
    let (number, rest) = word(text)?;
    // `parse` would take a sign.
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
    Some((number.parse().ok()?, rest))
}

fn optional_word(text: &str, there: bool) -> Option<(Option<&str>, &str)> {
    if !there {
        return Some((None, text));
    }
    word(text).map(|(word, rest)| (Some(word), rest))
}
