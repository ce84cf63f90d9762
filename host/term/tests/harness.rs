//! What must hold for any bytes, as functions: for the property tests, the corpus and the fuzz target.

use std::time::Duration;

use portcullis_term::{CleanText, Event, Offset, ScreenView, Span, Terminal, TerminalOptions, clean_page};

const COLUMNS: u16 = 30;
const ROWS: u16 = 8;
pub(crate) const RING_BYTES: usize = 4096;

pub(crate) fn small() -> Terminal {
    Terminal::new(&TerminalOptions {
        columns: COLUMNS,
        rows: ROWS,
        ring_bytes: RING_BYTES,
        ..TerminalOptions::default()
    })
}

/// All that a stream leads to.
#[derive(Debug, PartialEq)]
pub(crate) struct Result {
    visible: Vec<u8>,
    written: Vec<u8>,
    events: Vec<Event>,
    snapshot: Vec<u8>,
    kept: Vec<u8>,
    end: Offset,
    text: CleanText,
}

/// Feeds a terminal with chunks, each as long as the next of `lengths`, round and round.
pub(crate) fn run(terminal: &mut Terminal, bytes: &[u8], lengths: &[usize]) -> Result {
    let (mut visible, mut written, mut events) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = bytes;
    for length in lengths.iter().cycle() {
        let (chunk, tail) = rest.split_at(rest.len().min((*length).max(1)));
        let fed = terminal.feed(chunk, Duration::from_secs(1));
        visible.extend(fed.visible);
        written.extend(fed.write);
        events.extend(fed.events);
        rest = tail;
        if rest.is_empty() {
            break;
        }
    }
    let kept = terminal.read(Span { from: Offset(0), to: terminal.end() }).bytes;
    let text = clean_page(&kept, COLUMNS, ROWS);
    Result { visible, written, events, snapshot: terminal.snapshot().bytes, kept, end: terminal.end(), text }
}

/// What must hold of a terminal after any stream.
pub(crate) fn check_bounds(terminal: &mut Terminal, result: &Result, ring_bytes: usize) {
    assert!(result.kept.len() <= ring_bytes, "the ring holds {}", result.kept.len());
    assert_eq!(result.end.0 - terminal.start().0, result.kept.len() as u64);
    let view = terminal.screen();
    assert!(view.title.as_ref().is_none_or(|title| title.chars().count() <= 200));
    let (columns, rows) = terminal.size();
    assert!(view.rows.len() == usize::from(rows) && view.cursor_column < columns && view.cursor_row < rows);
    // A cell has its character, and a bounded pile of those without width.
    let longest = usize::from(columns) * 9;
    assert!(view.rows.iter().all(|row| row.text.chars().count() <= longest));
    let strange = result.text.text.chars().find(|c| c.is_control() && *c != '\n' && *c != '\t');
    assert_eq!(strange, None, "{:?}", result.text.text);
}

/// A copy made from a snapshot shows the same, and goes on showing the same.
pub(crate) fn check_snapshot(terminal: &mut Terminal, next: &[u8]) {
    let at = Duration::from_secs(1);
    let snapshot = terminal.snapshot();
    let mut copy = small();
    let answered = copy.feed(&snapshot.bytes, at);
    assert!(answered.write.is_empty(), "a snapshot made the terminal answer {:?}", answered.write);
    let shown = String::from_utf8_lossy(&snapshot.bytes).into_owned();
    assert_eq!(seen(&copy), seen(terminal), "{shown:?}");
    assert_eq!(String::from_utf8_lossy(&copy.snapshot().bytes), shown);
    copy.feed(next, at);
    terminal.feed(next, at);
    assert_eq!(seen(&copy), seen(terminal), "{shown:?} then {next:?}");
}

/// The screen without what no sequence can say: that the last row goes on in a row that is not there
/// (any more).
fn seen(terminal: &Terminal) -> ScreenView {
    let mut view = terminal.screen();
    if let Some(last) = view.rows.last_mut() {
        last.wrapped = false;
        last.text.truncate(last.text.trim_end().len());
    }
    view
}

/// Everything that must hold, for one stream: any split, bounds, snapshots at a place in it.
pub(crate) fn check(bytes: &[u8]) {
    let mut terminal = small();
    let whole = run(&mut terminal, bytes, &[usize::MAX]);
    check_bounds(&mut terminal, &whole, RING_BYTES);
    for lengths in [&[1][..], &[7, 64, 3], &[1000, 1, 1]] {
        assert_eq!(run(&mut small(), bytes, lengths), whole, "in chunks of {lengths:?}");
    }
    let (before, after) = bytes.split_at(bytes.len() / 2);
    let mut terminal = small();
    run(&mut terminal, before, &[usize::MAX]);
    // The character that `CSI b` repeats and the titles that `CSI 23 t` brings back are not part of a snapshot.
    let goes_back = after.contains(&0x1b) && after.iter().any(|byte| matches!(byte, b'b' | b't'));
    check_snapshot(&mut terminal, if goes_back { b"x" } else { after });
}
