//! Output as text: what a reader without a terminal should get.
//!
//! Control sequences are applied where they change the text (carriage return, backspace, erase,
//! cursor movements of progress displays) and dropped where they do not (colours, titles, marks).
//! Lines keep their full length: a program's long line is one line, whatever the terminal's width.
//! What cannot be text is named in its place, on a line of its own, and never dropped unsaid:
//! `[binary, 81 kB]`, `[not UTF-8, 3 kB]`, `[full-screen program, 12 kB left out]`,
//! `[control string, 4 MB left out]`. A link is `text <target>`, a control character without meaning
//! for a terminal its picture (`␀`). Clearing the screen begins a new page and takes nothing back.
//! Nothing here decides; a caller that needs the bytes reads the ring.

mod binary;
mod page;

use vte::ansi::StandardCharset;
use vte::{Params, Parser, Perform};

use crate::tap::{Surface, Tap};
use binary::{Block, blocks, size};
use page::Page;

/// Rows of a screen whose height is not known.
const USUAL_ROWS: u16 = 40;
/// A control string beyond this is worth telling.
const LONG_STRING_BYTES: usize = 4096;
/// First of the pictures for control characters (U+2400 is the one for NUL).
const CONTROL_PICTURES: u32 = 0x2400;

/// Columns that a character takes in a terminal.
pub fn width(character: char) -> usize {
    unicode_width::UnicodeWidthChar::width(character).unwrap_or(0)
}

/// The cleaned output.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CleanText {
    /// Lines joined by `\n`, no control characters but tab.
    pub text: String,
    /// Times something printed was printed over, as a progress display does.
    pub redraws: u32,
    /// Bytes of full-screen programs that were left out.
    pub full_screen_bytes: usize,
    /// Bytes that are not text and were left out.
    pub binary_bytes: usize,
}

/// Cleans `bytes` as a whole, as written to a terminal of `columns` columns and usual height.
pub fn clean(bytes: &[u8], columns: u16) -> CleanText {
    clean_page(bytes, columns, USUAL_ROWS)
}

/// Cleans `bytes` as a whole, as written to a terminal of that size. A program can print over no
/// more than what is on the screen.
pub fn clean_page(bytes: &[u8], columns: u16, rows: u16) -> CleanText {
    clean_with(Cleaner::new(columns, rows), bytes)
}

/// Cleans a part of a session's output for a caller that tells of full-screen programs itself: what
/// they drew is left out and counted, but not named. `begins_in_one` when the part begins on the
/// alternate screen.
pub fn clean_around_full_screen(bytes: &[u8], columns: u16, begins_in_one: bool) -> CleanText {
    let alternate = begins_in_one.then_some(0);
    clean_with(Cleaner { alternate, names_full_screen: false, ..Cleaner::new(columns, USUAL_ROWS) }, bytes)
}

fn clean_with<'a>(mut cleaner: Cleaner<'a>, bytes: &'a [u8]) -> CleanText {
    let mut parser = Parser::new();
    let mut tap = Tap::default();
    for block in blocks(bytes) {
        match block {
            Block::Text(text) => {
                let mut rest = text;
                while !rest.is_empty() {
                    let piece = tap.next_piece(rest, &mut Fed { cleaner: &mut cleaner, parser: &mut parser });
                    rest = &rest[piece.length..];
                }
            }
            // On the alternate screen it is counted as part of that.
            Block::Binary { length, .. } if cleaner.leave_out(length) => {}
            Block::Binary { length, kind } => {
                cleaner.binary_bytes += length;
                cleaner.page.note(&format!("[{kind}, {}]", size(length)));
            }
        }
    }
    cleaner.finish()
}

struct Cleaner<'a> {
    page: Page<'a>,
    /// Bytes since the alternate screen was entered.
    alternate: Option<usize>,
    names_full_screen: bool,
    full_screen_bytes: usize,
    binary_bytes: usize,
    /// Bytes of the present control string.
    string_bytes: usize,
    charsets: [StandardCharset; 2],
    shifted: bool,
    /// The open link's target, and its text so far.
    link: Option<(String, String)>,
}

impl<'a> Cleaner<'a> {
    fn new(columns: u16, rows: u16) -> Self {
        Self {
            page: Page::new(columns, rows),
            alternate: None,
            names_full_screen: true,
            full_screen_bytes: 0,
            binary_bytes: 0,
            string_bytes: 0,
            charsets: [StandardCharset::Ascii; 2],
            shifted: false,
            link: None,
        }
    }

    /// Counts bytes of a full-screen program; false when there is none.
    fn leave_out(&mut self, length: usize) -> bool {
        self.alternate.as_mut().map(|bytes| *bytes += length).is_some()
    }

    fn set_alternate(&mut self, on: bool) {
        match self.alternate.take() {
            None if on => self.alternate = Some(0),
            Some(bytes) if on => self.alternate = Some(bytes),
            None => {}
            Some(0) => {}
            Some(bytes) => {
                self.full_screen_bytes += bytes;
                if self.names_full_screen {
                    self.page.note(&format!("[full-screen program, {} left out]", size(bytes)));
                }
            }
        }
    }

    /// Tells of a control string that has ended.
    fn string_ended(&mut self) {
        let bytes = std::mem::take(&mut self.string_bytes);
        if bytes > LONG_STRING_BYTES && self.alternate.is_none() {
            self.page.note(&format!("[control string, {} left out]", size(bytes)));
        }
    }

    fn charset(&self) -> StandardCharset {
        self.charsets[usize::from(self.shifted)]
    }

    fn text_line(&mut self, line: &'a [u8]) {
        if let Some(plain) = plain_line(line, self.page.columns()) {
            let plain_now = self.charset() == StandardCharset::Ascii && self.link.is_none();
            if plain_now && self.page.takes_whole_lines() {
                self.page.whole_line(plain);
                return;
            }
        }
        for chunk in line.utf8_chunks() {
            chunk.valid().chars().for_each(|character| self.character(character));
            if !chunk.invalid().is_empty() {
                self.character(char::REPLACEMENT_CHARACTER);
            }
        }
    }

    fn character(&mut self, character: char) {
        match character {
            '\n' | '\u{b}' | '\u{c}' => self.page.line_feed(),
            '\r' => self.page.carriage_return(),
            '\u{8}' => self.page.backspace(),
            '\t' => self.page.tab(),
            '\u{7}' => {}
            '\u{e}' => self.shifted = true,
            '\u{f}' => self.shifted = false,
            '\u{7f}' => self.page.print('␡'),
            '\0'..='\u{1f}' => {
                let picture = char::from_u32(CONTROL_PICTURES + u32::from(character));
                self.page.print(picture.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            '\u{80}'..='\u{9f}' => self.page.print(char::REPLACEMENT_CHARACTER),
            character => {
                if let Some((_, text)) = &mut self.link {
                    text.push(character);
                }
                self.page.print(self.charset().map(character));
            }
        }
    }

    /// A link ends, or another begins.
    fn set_link(&mut self, target: String) {
        let ended = self.link.take().filter(|(target, text)| !text.is_empty() && !text.contains(target.as_str()));
        if let Some((target, _)) = ended {
            self.page.attach(&format!(" <{target}>"));
        }
        if !target.is_empty() {
            self.link = Some((target, String::new()));
        }
    }

    fn finish(mut self) -> CleanText {
        self.string_ended();
        self.set_link(String::new());
        self.set_alternate(false);
        CleanText {
            redraws: self.page.redraws,
            full_screen_bytes: self.full_screen_bytes,
            binary_bytes: self.binary_bytes,
            text: self.page.finish(),
        }
    }
}

/// A line that can be taken over as it is: without its line end, when nothing in it moves the cursor
/// and its tabs do not reach the last column.
fn plain_line(line: &[u8], columns: usize) -> Option<&str> {
    const LONGEST_TAB: usize = 7;
    let text = line.strip_suffix(b"\n")?;
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let mut tabs = 0;
    for byte in text {
        match byte {
            b'\t' => tabs += 1,
            0..=0x1f | 0x7f => return None,
            _ => {}
        }
    }
    if tabs > 0 && text.len() + tabs * LONGEST_TAB >= columns {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    (text.is_ascii() || !text.chars().any(char::is_control)).then_some(text)
}

/// The cleaner and the parser of its sequences.
struct Fed<'a, 'b> {
    cleaner: &'b mut Cleaner<'a>,
    parser: &'b mut Parser,
}

impl<'a> Surface<'a> for Fed<'a, '_> {
    fn text(&mut self, bytes: &'a [u8]) {
        self.cleaner.string_ended();
        if self.cleaner.leave_out(bytes.len()) {
            return;
        }
        bytes.split_inclusive(|byte| *byte == b'\n').for_each(|line| self.cleaner.text_line(line));
    }

    fn sequence(&mut self, bytes: &'a [u8]) {
        if bytes.first() == Some(&0x1b) && bytes.get(1) != Some(&b'\\') {
            self.cleaner.string_ended();
        }
        if matches!(bytes, [0x1b, b']' | b'P' | b'X' | b'^' | b'_', ..]) {
            self.cleaner.string_bytes = bytes.len();
        }
        self.cleaner.leave_out(bytes.len());
        self.parser.advance(self.cleaner, bytes);
    }

    fn repeat(&mut self, count: u16) {
        if self.cleaner.alternate.is_none() {
            self.cleaner.page.repeat(count.into());
        }
    }

    fn spared(&mut self, bytes: &'a [u8]) {
        self.cleaner.leave_out(bytes.len());
        self.cleaner.string_bytes += bytes.len();
    }
}

/// Sequences; text does not come this way.
impl Perform for Cleaner<'_> {
    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignored: bool, action: char) {
        let mut values = params.iter().filter_map(|param| param.first()).map(|value| usize::from(*value));
        if ignored {
            return;
        }
        if intermediates == b"?" && matches!(action, 'h' | 'l') {
            for mode in values {
                match mode {
                    47 | 1047 | 1049 => self.set_alternate(action == 'h'),
                    7 => self.page.autowrap = action == 'h',
                    _ => {}
                }
            }
            return;
        }
        if self.alternate.is_some() || !intermediates.is_empty() {
            return;
        }
        let mode = values.next().unwrap_or(0);
        let count = mode.max(1);
        let second = values.next().unwrap_or(0);
        let page = &mut self.page;
        match action {
            'A' => page.up(count),
            'B' | 'e' => page.down(count),
            'C' | 'a' => page.right(count),
            'D' => page.left(count),
            'E' => {
                page.down(count);
                page.carriage_return();
            }
            'F' => {
                page.up(count);
                page.carriage_return();
            }
            'G' | '`' => page.move_to_column(count - 1),
            'd' => page.move_to_row(count - 1),
            'H' | 'f' => page.go_to(count - 1, second.max(1) - 1),
            'J' => page.erase_in_page(mode),
            'K' => page.erase_in_line(mode),
            'L' => page.insert_rows(count),
            'M' => page.delete_rows(count),
            'P' => page.delete_characters(count),
            'S' => page.scroll_up(count),
            'X' => page.erase_characters(count),
            '@' => page.insert_blanks(count),
            'h' | 'l' if mode == 4 => page.insert = action == 'h',
            'r' => page.set_region(count, if second == 0 { usize::MAX } else { second }),
            's' => page.save_cursor(),
            'u' => page.restore_cursor(),
            _ => {}
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], _: bool, byte: u8) {
        if self.alternate.is_some() {
            return;
        }
        let charset = match byte {
            b'0' => StandardCharset::SpecialCharacterAndLineDrawing,
            _ => StandardCharset::Ascii,
        };
        match (intermediates, byte) {
            (b"(", _) => self.charsets[0] = charset,
            (b")", _) => self.charsets[1] = charset,
            ([], b'7') => self.page.save_cursor(),
            ([], b'8') => self.page.restore_cursor(),
            ([], b'D') => self.page.line_feed(),
            ([], b'E') => {
                self.page.carriage_return();
                self.page.line_feed();
            }
            ([], b'M') => self.page.reverse_line_feed(),
            ([], b'c') => {
                self.charsets = [StandardCharset::Ascii; 2];
                self.page.reset();
            }
            _ => {}
        }
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], _: bool) {
        if let [b"8", _, target @ ..] = params
            && self.alternate.is_none()
        {
            let target = String::from_utf8_lossy(&target.join(&b';')).into_owned();
            self.set_link(target.chars().filter(|character| !character.is_control()).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_output_keeps_its_lines() {
        assert_eq!(clean(b"a\r\nb\r\n\r\nc", 80).text, "a\nb\n\nc");
        assert_eq!(clean(b"only\r\n", 80).text, "only\n");
        assert_eq!(clean(b"", 80).text, "");
    }

    #[test]
    fn colours_marks_and_titles_are_dropped() {
        let bytes = b"\x1b]133;C;aid=n.1\x07\x1b[01;34mdir\x1b[0m\x1b]0;title\x07  x\x1b]133;D;0;aid=n.1\x07";
        assert_eq!(clean(bytes, 80).text, "dir  x");
    }

    #[test]
    fn progress_shows_its_final_state() {
        let cleaned = clean(b"10%\r50%\r100%\r\ndone", 80);
        assert_eq!((cleaned.text.as_str(), cleaned.redraws), ("100%\ndone", 2));
        assert_eq!(clean(b"a: 1\r\nb: 1\r\n\x1b[2Aa: 2\x1b[K\r\nb: 2\x1b[K\r\n", 80).text, "a: 2\nb: 2\n");
        assert_eq!(clean(b"--More--\x08\x08\x08\x08\x08\x08\x08\x08        \rnext", 80).text, "next");
    }

    #[test]
    fn full_screen_output_is_left_out_and_named() {
        let cleaned = clean(b"before\r\n\x1b[?1049hvim \x1b[31mstuff\x1b[?1049lafter", 80);
        assert_eq!(cleaned.text, "before\n[full-screen program, 22 bytes left out]\nafter");
        assert_eq!(cleaned.full_screen_bytes, 22);
        let old = clean(b"$\x1b[?47hx\x1b[?47l", 80);
        assert_eq!(old.text, "$\n[full-screen program, 7 bytes left out]");
    }

    #[test]
    fn a_caller_may_tell_of_full_screen_programs_itself() {
        let cleaned = clean_around_full_screen(b"vim stuff\x1b[?1049lafter\x1b[?1049hless", 80, true);
        assert_eq!((cleaned.text.as_str(), cleaned.full_screen_bytes), ("after", 21));
        assert_eq!(clean_around_full_screen(b"$ \x1b[?1049hvim", 80, false).text, "$ ");
    }

    #[test]
    fn clearing_the_screen_takes_nothing_back() {
        let evidence = "1: evidence\r\n2: evidence\r\n";
        for clears in ["\x1b[H\x1b[2J\x1b[3J", "\x1b[3J\x1b[2J\x1b[H", "\x1b[H\x1b[J", "\x1bc"] {
            let text = clean(format!("{evidence}{clears}after\r\n").as_bytes(), 80).text;
            assert_eq!(text, "1: evidence\n2: evidence\nafter\n", "{clears:?}");
        }
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let line = "宽".repeat(45);
        assert_eq!(
            clean(format!("{line}\r{}", "x".repeat(10)).as_bytes(), 80).text,
            format!("{}xxxxxxxxxx", &line[..120])
        );
        assert_eq!(clean("a宽b\x1b[1;3Hx".as_bytes(), 80).text, "a xb");
        // Nine columns hold four of them and a gap that is no text.
        assert_eq!(clean("宽字宽字宽字".as_bytes(), 9).text, "宽字宽字宽字");
        assert_eq!(clean("宽字宽字宽\r\x1b[K!".as_bytes(), 9).text, "宽字宽字!");
        assert_eq!(clean("e\u{301}a\u{308}\x1b[1;2Hx".as_bytes(), 80).text, "e\u{301}x");
    }

    #[test]
    fn a_wrapped_progress_display_goes_back_up() {
        let bar = |n: usize| format!("{n:>3}% {}", "#".repeat(90));
        let stream = format!("{}\r\x1b[1A{}\r\x1b[1A{}\r\ndone", bar(1), bar(50), bar(100));
        assert_eq!(clean(stream.as_bytes(), 80).text, format!("{}\ndone", bar(100)));
        let layers = "a: 1\r\nb: 1\r\nc: 1\r\n\x1b[3A\x1b[2Ka: 2\x1b[1B\r\x1b[2Kb: 2\x1b[2B\rend";
        assert_eq!(clean(layers.as_bytes(), 80).text, "a: 2\nb: 2\nc: 1\nend");
    }

    #[test]
    fn printed_blanks_and_tabs_stay() {
        assert_eq!(clean(b"a\tb  \r\n\tx\r\n", 80).text, "a\tb  \n\tx\n");
        assert_eq!(clean(b"a\tb\r12", 80).text, "12      b");
        assert_eq!(clean(b"a\tb\x1b[1;5Hx", 80).text, "a   x   b");
    }

    #[test]
    fn links_show_where_they_lead() {
        let link = |target: &str, text: &str| format!("\x1b]8;;{target}\x1b\\{text}\x1b]8;;\x1b\\");
        let stream = format!("see {} and {}.", link("https://a.example/b;c", "this"), link("http://x", "http://x"));
        assert_eq!(clean(stream.as_bytes(), 80).text, "see this <https://a.example/b;c> and http://x.");
    }

    #[test]
    fn what_is_not_text_is_named() {
        let data: Vec<u8> = (0..=255).cycle().take(81_000).collect();
        let stream = [b"before\r\n", data.as_slice(), b"\r\nafter\r\n"].concat();
        let cleaned = clean(&stream, 80);
        assert!(cleaned.text.starts_with("before\n[binary, 81 kB]\n"), "{}", cleaned.text);
        assert!(cleaned.text.ends_with("after\n"));
        assert_eq!(clean(b"one\0two\0", 80).text, "one␀two␀");
        let image = format!("a\x1bPq{}\x1b\\b\x1b]1337;{}\x07c", "#".repeat(9000), "x".repeat(2_000_000));
        let text = clean(image.as_bytes(), 80).text;
        assert_eq!(text, "a\n[control string, 9 kB left out]\nb\n[control string, 2.0 MB left out]\nc");
    }

    #[test]
    fn line_drawing_is_drawn() {
        assert_eq!(clean(b"\x1b(0lqk\x1b(B\r\n\x1b)0\x0ex\x0fx", 80).text, "┌─┐\n│x");
    }

    #[test]
    fn a_bar_outside_of_the_scroll_region_stays_below() {
        let mut stream = "\x1b[1;39r\x1b[1;1H".to_owned();
        for number in 0..100 {
            stream.push_str(&format!("line {number}\r\n\x1b7\x1b[40;1Hprogress {number}%\x1b8"));
        }
        let text = clean_page(stream.as_bytes(), 80, 40).text;
        let lines: Vec<&str> = text.lines().collect();
        let expected: Vec<String> = (0..100).map(|n| format!("line {n}")).collect();
        assert_eq!(lines[..100], expected);
        assert_eq!(lines.last(), Some(&"progress 99%"));
    }

    #[test]
    fn long_lines_stay_whole() {
        let line = "x".repeat(5000);
        assert_eq!(clean(format!("{line}\r\n").as_bytes(), 80).text, format!("{line}\n"));
    }

    #[test]
    fn many_lines_come_out_in_order() {
        let lines: Vec<String> = (0..1000).map(|n| format!("line {n}")).collect();
        assert_eq!(clean(lines.join("\r\n").as_bytes(), 80).text, lines.join("\n"));
    }
}
