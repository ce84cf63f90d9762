//! A directory as a reader gets it. Names are the server's: hostile text.

use serde::Serialize;

use crate::ssh::files::{Attributes, FileHandle, FileKind, Files, FilesError, Named};

/// Names taken of one directory; beyond it a listing is of little use, and a server could go on for ever.
const MOST_ENTRIES: usize = 20_000;
/// What an entry costs beside its name and target, in characters of the structured form.
const ENTRY_CHARS: usize = 110;

/// Part of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// Sorted by name.
    pub entries: Vec<Entry>,
    pub total_entries: usize,
    /// How many come before the first of these.
    pub from_entry: usize,
    /// Where it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_entry: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub name: String,
    /// `file`, `directory`, `symlink`, `special` or `unknown`.
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Octal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    /// Of a symbolic link, as it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The name has bytes that are shown as `\x1b` or `\u{202e}`; it cannot be given as a path this way.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub escaped: bool,
}

/// Lists the open directory `path`: from the entry number `from`, in about `limit_chars` characters. Says in
/// `notes` what is missing.
pub(super) async fn list(
    files: &mut Files,
    handle: &FileHandle,
    path: &str,
    from: usize,
    limit_chars: usize,
    notes: &mut Vec<String>,
) -> Result<Listing, FilesError> {
    let mut all = names(files, handle, notes).await?;
    all.sort_by(|one, other| one.name.cmp(&other.name));
    let total_entries = all.len();
    let mut left = limit_chars;
    let fits = |entry: &&Named| {
        let cost = ENTRY_CHARS + entry.name.len();
        let first = left == limit_chars;
        left = left.saturating_sub(cost);
        first || left > 0
    };
    let page: Vec<Named> = all[from.min(total_entries)..].iter().take_while(fits).cloned().collect();
    let next_entry = Some(from + page.len()).filter(|next| *next < total_entries);
    let targets = targets(files, path, &page).await?;
    let entries = page.iter().zip(targets).map(|(named, target)| entry(named, target)).collect();
    Ok(Listing { entries, total_entries, from_entry: from, next_entry })
}

/// Every name that can be one.
async fn names(files: &mut Files, handle: &FileHandle, notes: &mut Vec<String>) -> Result<Vec<Named>, FilesError> {
    let mut all: Vec<Named> = Vec::new();
    let mut refused = 0;
    while let Some(names) = files.next_names(handle).await? {
        for named in names.into_iter().filter(|named| named.name != b"." && named.name != b"..") {
            match is_name(&named.name) {
                true => all.push(named),
                false => refused += 1,
            }
        }
        if all.len() + refused >= MOST_ENTRIES {
            all.truncate(MOST_ENTRIES);
            notes.push(format!("the directory has more than {MOST_ENTRIES} entries; the rest was not asked for"));
            break;
        }
    }
    if refused > 0 {
        notes.push(format!("{refused} names that the server gave cannot be names in a directory; they are left out"));
    }
    Ok(all)
}

/// One component of a path; anything else would lead out of the directory.
fn is_name(name: &[u8]) -> bool {
    (1..=255 * 4).contains(&name.len()) && !name.contains(&b'/') && !name.contains(&0)
}

/// Where the links on this page lead to.
async fn targets(files: &mut Files, path: &str, page: &[Named]) -> Result<Vec<Option<String>>, FilesError> {
    let base = path.trim_end_matches('/');
    let joined = |named: &Named| {
        let name = std::str::from_utf8(&named.name).ok()?;
        (named.attributes.kind() == FileKind::Symlink).then(|| format!("{base}/{name}"))
    };
    let links: Vec<Option<String>> = page.iter().map(joined).collect();
    let wanted: Vec<String> = links.iter().flatten().cloned().collect();
    let mut found = files.link_targets(&wanted).await?.into_iter();
    let target = |link: Option<String>| link.and_then(|_| found.next()?.ok()).map(|target| shown(&target).0);
    Ok(links.into_iter().map(target).collect())
}

fn entry(named: &Named, target: Option<String>) -> Entry {
    let (name, escaped) = shown(&named.name);
    let attributes = &named.attributes;
    Entry {
        name,
        kind: kind(attributes.kind()),
        size_bytes: attributes.size_bytes,
        mode: mode(attributes),
        modified: modified(attributes),
        target,
        escaped,
    }
}

pub(super) fn kind(kind: FileKind) -> &'static str {
    match kind {
        FileKind::File => "file",
        FileKind::Directory => "directory",
        FileKind::Symlink => "symlink",
        FileKind::Special => "special",
        FileKind::Unknown => "unknown",
    }
}

pub(super) fn mode(attributes: &Attributes) -> Option<String> {
    attributes.mode().map(|mode| format!("{mode:04o}"))
}

pub(super) fn modified(attributes: &Attributes) -> Option<String> {
    attributes.modified_unix_s.map(|seconds| utc(u64::from(seconds)))
}

/// Bytes of a server as text that acts on nothing and hides nothing, and whether anything had to be changed.
pub(super) fn shown(bytes: &[u8]) -> (String, bool) {
    let mut text = String::new();
    let mut escaped = false;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            let code = u32::from(character);
            if !is_plain(character) {
                escaped = true;
                let byte = code < 0x80;
                text.push_str(&if byte { format!("\\x{code:02x}") } else { format!("\\u{{{code:x}}}") });
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            escaped = true;
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    (text, escaped)
}

/// Neither a control character nor one that cannot be seen or turns the direction of writing.
fn is_plain(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Date and time of day, as RFC 3339 has them.
fn utc(unix_s: u64) -> String {
    let (mut days, second) = (unix_s / 86_400, unix_s % 86_400);
    let is_leap = |year: u64| (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_act_on_nothing_and_hide_nothing() {
        assert_eq!(shown("a b\\x1b 订单".as_bytes()), ("a b\\x1b 订单".to_owned(), false));
        assert_eq!(shown(b"\x1b[2Jx\n\xff"), ("\\x1b[2Jx\\x0a\\xff".to_owned(), true));
        assert_eq!(shown("x\u{202e}y\u{9b}".as_bytes()), ("x\\u{202e}y\\u{9b}".to_owned(), true));
    }

    #[test]
    fn a_name_that_leads_out_is_none() {
        for name in [&b"../../x"[..], b"/etc/passwd", b"", b"a\0", &[b'x'; 2000]] {
            assert!(!is_name(name), "{name:?}");
        }
        assert!(is_name(b"..x") && is_name(b"\xff"));
    }

    #[test]
    fn times_are_dates() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(utc(951_868_799), "2000-02-29T23:59:59Z");
        assert_eq!(utc(1_798_761_599), "2026-12-31T23:59:59Z");
        assert_eq!(utc(u64::from(u32::MAX)), "2106-02-07T06:28:15Z");
    }
}
