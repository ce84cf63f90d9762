//! Text for a raw terminal: line ends, colours, fields padded by display width.

use unicode_width::UnicodeWidthStr;

/// A raw terminal needs both.
pub(crate) const LINE_END: &str = "\r\n";

/// Begins a drawing of the whole screen.
pub(crate) const FRAME: &str = "\u{1b}[H\u{1b}[2J";

/// Adds lines, each with its end.
pub(crate) fn say(screen: &mut Vec<u8>, lines: &[&str]) {
    for line in lines {
        screen.extend_from_slice(line.as_bytes());
        screen.extend_from_slice(LINE_END.as_bytes());
    }
}

/// Adds text as it is.
pub(crate) fn show(screen: &mut Vec<u8>, text: &str) {
    screen.extend_from_slice(text.as_bytes());
}

/// Fills up with blanks to a display width.
pub(crate) fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// The widest of some texts.
pub(crate) fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(UnicodeWidthStr::width).max().unwrap_or(0)
}

pub(crate) fn green(text: &str) -> String {
    format!("\u{1b}[32m{text}\u{1b}[0m")
}
