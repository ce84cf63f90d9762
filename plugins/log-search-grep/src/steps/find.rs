//! Which files, and which part of each, can hold the time asked for; and when the sources of a listing begin
//! and end. Files are looked at before they are read: 4 KiB at their beginning, then at some places in between.
//!
//! Times in a log ascend, more or less: lines of several threads go back by seconds, and a clock that was set
//! back goes back by more. Samples that go back by more than [`SLACK_MS`] show the second; such a file is read
//! as a whole. A clock set back by less than the distance of two samples stays unseen.

use std::collections::BTreeMap;

use portcullis_plugin::log_search::Query;

use super::script::{FEW_SAMPLES, PEEK_BYTES, SAMPLES, Toolbox, overhead, quoted_bytes};
use super::state::{Doing, File, Kind, State};
use super::{Order, entry, listing};

/// Lines may stand this much before or behind their place.
pub(super) const SLACK_MS: i64 = 120_000;
/// A part of a file that is not worth further samples: reading it takes no longer than starting their programs.
const SMALL_BYTES: u64 = 3 << 20;
/// A part up to that length is looked at in fewer places.
const MIDDLING_BYTES: u64 = 8 << 20;
/// Sources of a listing that are looked into; the others have no times.
const MAX_OPENED: usize = 200;
/// The end of a compressed file costs reading all of it.
const MAX_UNPACKED_FOR_TIMES: u64 = 4 << 20;

/// The next look into files; none when all is known.
pub(super) fn next(state: &mut State, query: &Query, order: &Order, toolbox: &Toolbox) -> Option<Doing> {
    let wanted = if order.discover { unopened(state) } else { promising(state, query) };
    if !wanted.is_empty() {
        return Some(peek(state, &wanted, order.discover, toolbox));
    }
    if order.discover {
        return None;
    }
    let mut parts = Vec::new();
    let largest = state.files.iter().filter(|file| !file.sampled).map(File::length).max().unwrap_or(0);
    let samples = if largest <= MIDDLING_BYTES { FEW_SAMPLES } else { SAMPLES };
    let mut room = toolbox.room(overhead(&Doing::Sample(samples, Vec::new())));
    for index in 0..state.files.len() {
        let file = &mut state.files[index];
        if file.kind != Kind::Plain || file.first.is_none() || file.length() <= SMALL_BYTES {
            file.sampled = true;
        }
        let name = quoted_bytes(&file.path) + 22;
        if !file.sampled && (name <= room || parts.is_empty()) {
            room = room.saturating_sub(name);
            parts.push((index, file.from, file.length() / (samples + 1)));
        }
    }
    (!parts.is_empty()).then_some(Doing::Sample(samples, parts))
}

/// Of a listing: the first files that have not been looked into.
fn unopened(state: &State) -> Vec<usize> {
    let files = state.files.iter().enumerate().take(MAX_OPENED);
    let unopened = files.filter(|(_, file)| !file.opened && file.kind.printer().is_none());
    unopened.map(|(index, _)| index).collect()
}

/// Of a listing: all that will be known is known.
pub(super) fn is_listed(state: &State) -> bool {
    unopened(state).is_empty()
}

/// Files of a window that have to be looked into: of each rotated set those that were written in it by their
/// times on disk, and the first one behind them, which has to begin after the window. Files behind that one are
/// let go.
fn promising(state: &mut State, query: &Query) -> Vec<usize> {
    let Some(until) = query.until_unix_ms.or(query.since_unix_ms.map(|_| i64::MAX)) else { return Vec::new() };
    let late = until.saturating_add(SLACK_MS);
    let mut sets: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, file) in state.files.iter().enumerate().filter(|(_, file)| file.kind.printer().is_none()) {
        sets.entry(listing::family(&file.path).0).or_default().push(index);
    }
    let mut wanted = Vec::new();
    let mut over = vec![false; state.files.len()];
    for set in sets.values() {
        let mut before: Option<&File> = None;
        for (place, index) in set.iter().enumerate() {
            let file = &state.files[*index];
            if file.opened && file.first.is_some_and(|first| first > late) {
                set[place..].iter().for_each(|index| over[*index] = true);
                break;
            }
            let later = before.is_some_and(|before| before.mtime.saturating_mul(1000) > late);
            if !file.opened {
                wanted.push(*index);
                if later {
                    break;
                }
            }
            before = Some(file);
        }
    }
    if wanted.is_empty() {
        let mut index = 0;
        state.files.retain(|_| {
            index += 1;
            !over[index - 1]
        });
    }
    wanted
}

/// As many of them as fit into one command; all are of one kind.
fn peek(state: &State, wanted: &[usize], both_ends: bool, toolbox: &Toolbox) -> Doing {
    let kind = wanted.first().map_or(Kind::Plain, |index| state.files[*index].kind);
    let plain = kind == Kind::Plain;
    let mut room = toolbox.room(if plain { overhead(&Doing::Peek(Vec::new())) } else { 200 });
    let (mut parts, mut files) = (Vec::new(), Vec::new());
    for index in wanted.iter().filter(|index| state.files[**index].kind == kind) {
        let file = &state.files[*index];
        let ends = if both_ends && file.size > PEEK_BYTES as u64 { 2 } else { 1 };
        let name = (quoted_bytes(&file.path) + 13) * if plain { ends } else { 1 };
        if name > room && !files.is_empty() {
            break;
        }
        room = room.saturating_sub(name);
        files.push(*index);
        parts.push((*index, 0));
        if ends == 2 {
            parts.push((*index, file.size - PEEK_BYTES as u64));
        }
    }
    if plain { Doing::Peek(parts) } else { Doing::PeekInto(files) }
}

/// Takes note of what a look into a file has shown: bytes there, and whether they begin the file.
pub(super) fn peeked(file: &mut File, text: &str, at: u64, order: &Order) {
    let zone = order.utc_offset_minutes;
    let lines: Vec<&str> = text.lines().collect();
    let reference = file.mtime.saturating_mul(1000);
    // Elsewhere the first line is the rest of one.
    let whole = if at == 0 { &lines[..] } else { lines.get(1..).unwrap_or_default() };
    let mut times =
        whole.iter().filter_map(|line| entry::begins(line, reference)).filter_map(|stamp| stamp.unix_ms(zone));
    if at == 0 {
        file.first = times.next();
        file.opened = true;
        if file.size <= PEEK_BYTES as u64 {
            file.last = times.next_back().or(file.first);
        }
    } else {
        file.last = times.next_back();
    }
}

/// A compressed file's end is not read where that would cost too much.
pub(super) fn end_is_cheap(file: &File) -> bool {
    file.size <= MAX_UNPACKED_FOR_TIMES
}

/// Narrows a file to the part between two samples: the last one before the window and the first one behind it.
pub(super) fn sampled(file: &mut File, texts: &[String], (from, distance): (u64, u64), query: &Query, order: &Order) {
    let reference = file.mtime.saturating_mul(1000);
    let time = |text: &String| {
        let stamps = text.lines().skip(1).find_map(|line| entry::begins(line, reference));
        stamps.and_then(|stamp| stamp.unix_ms(order.utc_offset_minutes))
    };
    let since = query.since_unix_ms.unwrap_or(i64::MIN).saturating_sub(SLACK_MS);
    let until = query.until_unix_ms.unwrap_or(i64::MAX).saturating_add(SLACK_MS);
    let (old_from, old_to) = (file.from, file.to.unwrap_or(file.size));
    let mut newest = if file.from == 0 { file.first.unwrap_or(i64::MIN) } else { i64::MIN };
    let (mut low, mut high) = (old_from, old_to);
    for (at, time) in (1..).map(|number| from + number * distance).zip(texts.iter().map(time)) {
        let Some(time) = time else { continue };
        if time < newest.saturating_sub(SLACK_MS) {
            // The clock was set back: nothing can be said of any part.
            (file.from, file.to, file.sampled) = (0, None, true);
            return;
        }
        newest = newest.max(time);
        if time < since {
            low = at;
        }
        if time > until && high == old_to {
            high = at;
        }
    }
    let high = high.max(low);
    file.sampled = (high - low) * 4 > (old_to - old_from) * 3;
    file.from = low;
    file.to = (high < file.size).then_some(high);
}
