//! The files of a listing: which are read, and in which order.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::glob;
use super::script::Toolbox;
use super::state::{File, Kind, State};

/// More files are not one search; the newest are taken.
const MAX_FILES: usize = 1_000;
/// What the names of all may take, since they are carried from step to step.
const MAX_NAME_BYTES: usize = 100_000;
/// The kinds of file in a mode.
const KIND_MASK: u32 = 0o17_0000;
const REGULAR: u32 = 0o10_0000;

/// What one line of a listing says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    File(File),
    /// Not read: the reason and the name.
    Skip(&'static str, String),
    /// It is none of a listing.
    Strange,
}

pub(super) fn entry(line: &str) -> Entry {
    let mut parts = line.splitn(5, ' ');
    let Some(mode) = parts.next().and_then(|mode| u32::from_str_radix(mode, 16).ok()) else { return Entry::Strange };
    let rest: Vec<&str> = parts.collect();
    let [size, mtime, inode, path] = rest[..] else {
        return if rest.is_empty() {
            Entry::Skip("their names have control characters", String::new())
        } else {
            Entry::Strange
        };
    };
    let (Ok(size), Ok(mtime)) = (size.parse(), mtime.parse()) else { return Entry::Strange };
    if path.contains(is_unshowable) {
        return Entry::Skip("their names cannot be typed", String::new());
    }
    let reason = match mode & KIND_MASK {
        REGULAR => None,
        0o1_0000 => Some("pipes"),
        0o14_0000 => Some("sockets"),
        0o2_0000 | 0o6_0000 => Some("devices"),
        0o12_0000 => Some("symbolic links"),
        _ => Some("no files"),
    };
    match reason {
        Some(reason) => Entry::Skip(reason, path.to_owned()),
        None => {
            Entry::File(File { size, mtime, inode: inode.to_owned(), ..File::new(path.to_owned(), Kind::of(path)) })
        }
    }
}

/// What a host refuses to type, and what is no text at all.
fn is_unshowable(symbol: char) -> bool {
    symbol.is_control()
        || matches!(symbol,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}' | '\u{e0000}'..='\u{e007f}')
}

/// Puts a listing into the state: each file once, in the order of time.
pub(super) fn take(state: &mut State, files: Vec<File>, toolbox: &[String], since_unix_ms: Option<i64>) {
    let mut seen = HashSet::new();
    let mut taken = Vec::new();
    for file in files {
        let searched = state.globs.is_empty()
            || state.globs.iter().any(|pattern| glob::fits(pattern, &file.path))
            || state.places.contains(&file.path);
        if !searched || !seen.insert(file.inode.clone()) {
            continue;
        }
        match file.kind.decompressor() {
            Some(program) if !toolbox.iter().any(|tool| tool == program) => {
                state.skip(&format!("compressed, and there is no {program}"), &file.path);
            }
            _ if since_unix_ms.is_some_and(|since| file.size == 0 && since > 0) => {}
            _ => taken.push(file),
        }
    }
    taken.sort_by_cached_key(|file| (file.mtime, Reverse(family(&file.path).1), file.path.clone()));
    let mut bytes = 0;
    let kept = taken.iter().rev().take(MAX_FILES).take_while(|file| {
        bytes += file.path.len() + 90;
        bytes <= MAX_NAME_BYTES + 90 * MAX_FILES
    });
    let kept = kept.count();
    if kept < taken.len() {
        state.note(format!("of {} files the {kept} newest were taken; name a folder or a pattern", taken.len()));
        taken.drain(..taken.len() - kept);
    }
    let streams = std::mem::take(&mut state.files);
    state.files = taken;
    state.files.extend(streams);
}

/// Finds the files of an earlier search again, which may have been rotated.
pub(super) fn follow(state: &mut State, listed: &[File]) {
    let mut notes = Vec::new();
    for file in state.files.iter_mut().skip(state.at).filter(|file| file.kind.printer().is_none()) {
        let same = listed.iter().find(|now| now.inode == file.inode && !file.inode.is_empty());
        // Compressed, it is another file of the same set with the same time.
        let packed = || {
            let set = family(&file.path).0;
            listed.iter().find(|now| {
                now.mtime == file.mtime
                    && now.kind != Kind::Plain
                    && family(&now.path).0 == set
                    && file.kind == Kind::Plain
            })
        };
        match same.or_else(packed) {
            Some(now) if now.kind == file.kind && now.size < file.to.unwrap_or(file.size) => {
                notes.push(format!(
                    "{} has become shorter since the search began; it is read from its beginning",
                    file.path
                ));
                *file = File { line: 1, ..now.clone() };
            }
            Some(now) => {
                if now.kind != file.kind && file.from > 0 {
                    // Lines of a part cannot be counted in the packed file.
                    (file.from, file.to, file.line) = (0, None, 1);
                }
                (file.path, file.kind, file.inode) = (now.path.clone(), now.kind, now.inode.clone());
            }
            None => notes.push(format!("{} is gone since the search began", file.path)),
        }
    }
    notes.into_iter().for_each(|note| state.note(note));
}

/// The name without the marks of rotation, and how often it was rotated: `app.log.2.gz` is `app.log` and 2,
/// `app-20261121.log` is `app-.log` and 0.
pub(super) fn family(path: &str) -> (String, u64) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let packed = [".gz", ".xz", ".zst", ".bz2", ".Z"];
    let mut name = packed.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name).to_owned();
    let mut rotated = 0;
    if let Some((rest, number)) = name.rsplit_once('.')
        && let Ok(number) = number.parse::<u64>()
    {
        if number < 10_000 {
            rotated = number;
        }
        name = rest.to_owned();
    }
    // Dates in the name have eight digits, with or without dashes.
    let digits = name.chars().filter(char::is_ascii_digit).count();
    if digits >= 8 {
        name.retain(|symbol| !symbol.is_ascii_digit());
        while name.contains("--") {
            name = name.replace("--", "-");
        }
    }
    (format!("{folder}/{name}"), rotated)
}

/// The programs as names, for [`take`].
pub(super) fn known(toolbox: &Toolbox) -> Vec<String> {
    ["zcat", "xzcat", "zstdcat", "bzcat"].into_iter().filter(|name| toolbox.has(name)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_listing_is_a_file_or_a_reason() {
        let file = File {
            size: 19,
            mtime: 1_795_715_369,
            inode: "65024:7".to_owned(),
            ..File::new("/l/a b.gz".to_owned(), Kind::Gz)
        };
        assert_eq!(entry("81a4 19 1795715369 65024:7 /l/a b.gz"), Entry::File(file));
        assert_eq!(entry("11a4 0 1 2:3 /l/fifo"), Entry::Skip("pipes", "/l/fifo".to_owned()));
        assert_eq!(entry("81a4"), Entry::Skip("their names have control characters", String::new()));
        assert_eq!(entry("81a4 0 1 2:3 /l/a\u{202e}b"), Entry::Skip("their names cannot be typed", String::new()));
        assert_eq!(entry("find: '/x': Permission denied"), Entry::Strange);
    }

    #[test]
    fn rotated_files_are_one_family() {
        for (path, set, rotated) in [
            ("/l/app.log", "/l/app.log", 0),
            ("/l/app.log.12", "/l/app.log", 12),
            ("/l/app.log.2.gz", "/l/app.log", 2),
            ("/l/app.log-20261121.xz", "/l/app.log-", 0),
            ("/l/app-2026-11-21.log", "/l/app-.log", 0),
            ("/l/svc-07/app.log.1", "/l/svc-07/app.log", 1),
            ("plain", "/plain", 0),
        ] {
            assert_eq!(family(path), (set.to_owned(), rotated), "{path}");
        }
    }
}
