//! What a person would see now: the emulator's grid.
//!
//! Only this module and its parts name the emulator crate. It also collects the answers to terminal
//! queries (device attributes, cursor position): the host alone gives them, once; a viewer never does.

mod dump;
mod emulator;
mod rendition;

use std::sync::{Arc, Mutex, PoisonError};

use alacritty_terminal::event::{Event, EventListener, WindowSize};
use alacritty_terminal::grid::{Dimensions, Grid};
use alacritty_terminal::index::{Column, Line, Point};
use alacritty_terminal::term::TermMode;
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::vte::ansi::{Handler, NamedColor, Processor, Rgb, Timeout};
use serde::Serialize;

use emulator::Emulator;

use crate::scan::begins_character;
use crate::tap::Surface;

/// Lines kept above the screen; the ring and the transcript hold the rest. The emulator takes memory
/// for a thousand at once, so fewer would save nothing.
const SCROLLBACK_LINES: usize = 1000;
/// Ends a sequence that has begun (ECMA-48 §8.3.6).
const CANCEL: u8 = 0x18;
const LONGEST_CHARACTER_BYTES: usize = 4;
/// Longest title kept, in characters.
const MAX_TITLE_CHARS: usize = 200;

/// Answers to queries and the title, collected while the emulator is fed.
#[derive(Default)]
struct Heard {
    replies: Vec<u8>,
    title: Option<String>,
}

#[derive(Clone, Default)]
struct Listener {
    heard: Arc<Mutex<Heard>>,
    size: Arc<Mutex<(u16, u16)>>,
}

impl EventListener for Listener {
    fn send_event(&self, event: Event) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::PtyWrite(text) => heard.replies.extend(text.bytes()),
            Event::TextAreaSizeRequest(format) => {
                let (columns, rows) = *self.size.lock().unwrap_or_else(PoisonError::into_inner);
                let size = WindowSize { num_lines: rows, num_cols: columns, cell_width: 8, cell_height: 16 };
                heard.replies.extend(format(size).bytes());
            }
            Event::ColorRequest(index, format) => {
                // A dark terminal: programs ask only to choose readable colours.
                let background = index == NamedColor::Background as usize;
                let value = if background { 0x10 } else { 0xe5 };
                heard.replies.extend(format(Rgb { r: value, g: value, b: value }).bytes());
            }
            Event::Title(title) => heard.title = Some(title),
            Event::ResetTitle => heard.title = None,
            // Clipboard requests are refused, the rest concerns a window we do not have.
            _ => {}
        }
    }
}

/// Synchronised updates (DEC mode 2026) are drawn at once: holding output back would need a clock
/// and hides the end of a command from us.
#[derive(Default)]
struct DrawAtOnce;

impl Timeout for DrawAtOnce {
    fn set_timeout(&mut self, _: std::time::Duration) {}
    fn clear_timeout(&mut self) {}
    fn pending_timeout(&self) -> bool {
        false
    }
}

struct Size {
    columns: usize,
    rows: usize,
}

impl Dimensions for Size {
    fn total_lines(&self) -> usize {
        self.rows
    }
    fn screen_lines(&self) -> usize {
        self.rows
    }
    fn columns(&self) -> usize {
        self.columns
    }
}

/// One row of the screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Trailing blanks removed.
    pub text: String,
    /// Goes on in the next row because the screen was too narrow.
    pub wrapped: bool,
}

/// The screen at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScreenView {
    pub rows: Vec<Row>,
    pub columns: u16,
    /// From 0.
    pub cursor_row: u16,
    pub cursor_column: u16,
    pub alternate_screen: bool,
    pub title: Option<String>,
}

impl ScreenView {
    /// Rows without the blank ones at the end.
    pub fn text(&self) -> String {
        let used = self.rows.iter().rposition(|row| !row.text.is_empty()).map_or(0, |last| last + 1);
        self.rows[..used].iter().map(|row| row.text.as_str()).collect::<Vec<_>>().join("\n")
    }
}

/// The emulator.
pub struct Screen {
    emulator: Emulator,
    processor: Processor<DrawAtOnce>,
    /// The beginning of a character at the end of the text so far.
    cut_character: Vec<u8>,
    listener: Listener,
}

impl Screen {
    /// A screen of at least one row and two columns: a wide character must fit.
    pub fn new(columns: u16, rows: u16) -> Self {
        let (columns, rows) = (columns.max(2), rows.max(1));
        let listener = Listener::default();
        *listener.size.lock().unwrap_or_else(PoisonError::into_inner) = (columns, rows);
        let emulator = Emulator::new(columns, rows, listener.clone());
        Self { emulator, processor: Processor::new(), cut_character: Vec::new(), listener }
    }

    /// Takes bytes that may begin anywhere in a sequence or character.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.processor.advance(&mut self.emulator, bytes);
    }

    /// Answers to queries met since the last call, to be written to the channel.
    pub fn take_replies(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.listener.heard.lock().unwrap_or_else(PoisonError::into_inner).replies)
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.max(2), rows.max(1));
        *self.listener.size.lock().unwrap_or_else(PoisonError::into_inner) = (columns, rows);
        self.emulator.resize(&Size { columns: columns.into(), rows: rows.into() });
    }

    pub fn bracketed_paste(&self) -> bool {
        self.emulator.has(TermMode::BRACKETED_PASTE)
    }

    pub fn alternate_screen(&self) -> bool {
        self.emulator.has(TermMode::ALT_SCREEN)
    }

    /// A full-screen or line-editing program has asked for its own keys.
    pub fn application_keys(&self) -> bool {
        self.emulator.has(TermMode::APP_CURSOR | TermMode::APP_KEYPAD)
    }

    /// The program has asked for application cursor keys (DECCKM).
    pub fn application_cursor(&self) -> bool {
        self.emulator.term.mode().contains(TermMode::APP_CURSOR)
    }

    /// (row, column), from 0.
    pub fn cursor(&self) -> (u16, u16) {
        let point = self.emulator.term.grid().cursor.point;
        (point.line.0.max(0) as u16, point.column.0 as u16)
    }

    /// The logical line the cursor is on, up to the cursor, wrapped rows joined.
    pub fn line_before_cursor(&self) -> String {
        let grid = self.emulator.term.grid();
        let last_column = Column(grid.columns() - 1);
        let cursor = grid.cursor.point;
        let mut first = cursor.line;
        while first > Line(0) && grid[Point::new(first - 1, last_column)].flags.contains(Flags::WRAPLINE) {
            first -= 1;
        }
        let mut text = String::new();
        let mut line = first;
        while line <= cursor.line {
            // A cursor that waits to wrap stands behind the last column.
            let behind = cursor.column.0 + usize::from(grid.cursor.input_needs_wrap);
            let end = if line == cursor.line { behind } else { grid.columns() };
            for column in 0..end {
                push_cell(&mut text, grid, Point::new(line, Column(column)));
            }
            line += 1;
        }
        text
    }

    /// The row the cursor is on, without the blanks behind it.
    pub fn cursor_row_text(&self) -> String {
        self.row(self.emulator.term.grid().cursor.point.line).text
    }

    pub fn cursor_is_on_last_row(&self) -> bool {
        self.emulator.term.grid().cursor.point.line.0 + 1 == self.emulator.term.grid().screen_lines() as i32
    }

    /// What stands on the cursor's row is drawn in reverse.
    pub fn cursor_row_is_reverse(&self) -> bool {
        let grid = self.emulator.term.grid();
        let line = grid.cursor.point.line;
        let cells = (0..grid.columns()).map(|column| &grid[Point::new(line, Column(column))]);
        let mut drawn = cells.filter(|cell| cell.c != ' ').peekable();
        drawn.peek().is_some() && drawn.all(|cell| cell.flags.contains(Flags::INVERSE))
    }

    /// Up to `count` rows above the cursor's, oldest first.
    pub fn rows_above(&self, count: usize) -> Vec<String> {
        let last = self.emulator.term.grid().cursor.point.line.0;
        (last - count as i32..last).filter(|line| *line >= 0).map(|line| self.row(Line(line)).text).collect()
    }

    /// Modes that only a running full-screen program sets. At a shell's prompt they are left over
    /// from one that died.
    pub fn has_stale_modes(&self) -> bool {
        let mode = self.emulator.term.mode();
        mode.intersects(TermMode::ALT_SCREEN | TermMode::APP_CURSOR | TermMode::APP_KEYPAD | TermMode::MOUSE_MODE)
            || !mode.contains(TermMode::SHOW_CURSOR)
    }

    pub fn view(&self) -> ScreenView {
        let grid = self.emulator.term.grid();
        let rows = (0..grid.screen_lines()).map(|row| self.row(Line(row as i32))).collect();
        let (cursor_row, cursor_column) = self.cursor();
        let title = self.listener.heard.lock().unwrap_or_else(PoisonError::into_inner).title.clone();
        ScreenView {
            rows,
            columns: grid.columns() as u16,
            cursor_row,
            cursor_column,
            alternate_screen: self.alternate_screen(),
            title,
        }
    }

    fn row(&self, line: Line) -> Row {
        let grid = self.emulator.term.grid();
        let row = &grid[line];
        let wrapped = row[Column(grid.columns() - 1)].flags.contains(Flags::WRAPLINE);
        let is_blank = |cell: &Cell| matches!(cell.c, ' ' | '\t') && cell.extra.is_none();
        let last = (0..grid.columns()).rposition(|column| wrapped || !is_blank(&row[Column(column)]));
        let used = last.map_or(0, |last| last + 1);
        let mut text = String::with_capacity(used);
        for column in 0..used {
            push_cell(&mut text, grid, Point::new(line, Column(column)));
        }
        if !wrapped {
            text.truncate(text.trim_end().len());
        }
        Row { text, wrapped }
    }

    /// Bytes that rebuild this screen in a fresh terminal of this size; see [`dump`] for how much of
    /// it. The screen is as before afterwards.
    pub fn dump(&mut self) -> Vec<u8> {
        let title = self.listener.heard.lock().unwrap_or_else(PoisonError::into_inner).title.clone();
        dump::dump(&mut self.emulator, title.as_deref(), true)
    }

    /// The same without what can be scrolled back to, for a terminal that has drawn the output before: what that
    /// left behind is cleared in place, its rows above stay.
    pub fn dump_over(&mut self) -> Vec<u8> {
        let title = self.listener.heard.lock().unwrap_or_else(PoisonError::into_inner).title.clone();
        let screen = dump::dump(&mut self.emulator, title.as_deref(), false);
        [SETTLED.as_bytes(), &screen].concat()
    }
}

/// Brings a terminal of any state to a plain, empty main screen: a sequence that was begun is given up, the
/// alternate screen left, modes, attributes, region and character sets are a fresh terminal's. Nothing is reset
/// that would take the rows above along.
const SETTLED: &str = "\x18\x1b[?1049l\x1b[!p\x1b[?1;6;9;1000;1002;1003;1004;1005;1006;2004l\x1b[?7;25h\x1b[4l\x1b>\x1b[r\
\x1b(B\x1b)B\x1b*B\x1b+B\x0f\x1b[0m\x1b[H\x1b[2J";

/// Text goes past the parser, which only has to find out that it is text (and loses a character
/// behind one that was cut).
impl Surface<'_> for Screen {
    fn text(&mut self, bytes: &[u8]) {
        let mut rest = &bytes[self.complete_character(bytes)..];
        if let Some(length) = self.scrolled_out(rest) {
            self.emulator.carriage_return();
            rest = &rest[length..];
        }
        while let Some(first) = rest.first() {
            let length = match first {
                b' '..=b'~' => {
                    let length = rest.iter().position(|byte| !(b' '..=b'~').contains(byte)).unwrap_or(rest.len());
                    self.emulator.print_ascii(&rest[..length]);
                    length
                }
                0x80.. => self.print_unicode(rest),
                control => {
                    self.control(*control);
                    1
                }
            };
            rest = &rest[length..];
        }
    }

    fn sequence(&mut self, bytes: &[u8]) {
        self.end_character();
        self.feed(bytes);
    }

    fn rendition(&mut self, bytes: &[u8]) {
        self.end_character();
        if !rendition::read(bytes, |attribute| self.emulator.terminal_attribute(attribute)) {
            self.feed(bytes);
        }
    }

    fn repeat(&mut self, count: u16) {
        self.end_character();
        // A part of this sequence may have gone to the parser.
        self.feed(&[CANCEL]);
        self.emulator.repeat(count);
    }
}

impl Screen {
    /// How much of `text` need not be drawn, because the rest moves it out of the screen and of what is kept
    /// above it. It ends behind a line end, where the cursor is in the first column whatever came before, and
    /// holds nothing that changes more than cells and the cursor's place.
    fn scrolled_out(&self, text: &[u8]) -> Option<usize> {
        let lines = self.emulator.lines_until_forgotten()?;
        if text.len() < lines {
            return None;
        }
        let mut ends = memchr::memrchr_iter(b'\n', text).skip(lines);
        let end = ends.find(|end| *end > 0 && text[end - 1] == b'\r')?;
        let (out, kept) = text.split_at(end + 1);
        let only_draws = |byte: &u8| !byte.is_ascii_control() || matches!(byte, b'\r' | b'\n' | b'\t');
        // What `CSI b` repeats has to be in the rest.
        let prints = |byte: &u8| matches!(byte, b' '..=b'~');
        (out.iter().all(only_draws) && kept.iter().any(prints)).then_some(out.len())
    }

    /// Prints the characters beyond ASCII that `text` begins with; how many bytes they have. The
    /// beginning of a character at the end of `text` waits for its rest.
    fn print_unicode(&mut self, text: &[u8]) -> usize {
        let length = text.iter().position(u8::is_ascii).unwrap_or(text.len());
        let mut chunks = text[..length].utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.print_valid(chunk.valid());
            let invalid = chunk.invalid();
            if chunks.peek().is_none() && length == text.len() && begins_character(invalid) {
                self.cut_character.extend_from_slice(invalid);
            } else {
                self.print_invalid(invalid);
            }
        }
        length
    }

    /// Control characters of the upper half mean nothing here; they are not drawn either.
    fn print_valid(&mut self, text: &str) {
        text.split(|character| ('\u{80}'..='\u{9f}').contains(&character))
            .for_each(|part| self.emulator.print_text(part));
    }

    fn print_invalid(&mut self, bytes: &[u8]) {
        if !matches!(bytes, [] | [..=0x9f]) {
            self.emulator.input(char::REPLACEMENT_CHARACTER);
        }
    }

    /// Completes the character that was cut; how many of these bytes belong to it.
    fn complete_character(&mut self, bytes: &[u8]) -> usize {
        if self.cut_character.is_empty() {
            return 0;
        }
        let begun = std::mem::take(&mut self.cut_character);
        let joined = [&begun, &bytes[..bytes.len().min(LONGEST_CHARACTER_BYTES - begun.len())]].concat();
        let Some(chunk) = joined.utf8_chunks().next() else { return 0 };
        if let Some(character) = chunk.valid().chars().next() {
            self.print_valid(&chunk.valid()[..character.len_utf8()]);
            character.len_utf8() - begun.len()
        } else if begins_character(&joined) {
            self.cut_character = joined;
            bytes.len()
        } else {
            self.print_invalid(chunk.invalid());
            chunk.invalid().len() - begun.len()
        }
    }

    /// What was cut stays cut.
    fn end_character(&mut self) {
        if !self.cut_character.is_empty() {
            self.cut_character.clear();
            self.emulator.input(char::REPLACEMENT_CHARACTER);
        }
    }

    fn control(&mut self, byte: u8) {
        match byte {
            b'\n' => self.emulator.linefeed(),
            b'\r' => self.emulator.carriage_return(),
            b'\t' => self.emulator.put_tab(1),
            0x08 => self.emulator.backspace(),
            _ => self.feed(&[byte]),
        }
    }
}

/// Appends the cell's text: nothing for what a wide character's first cell has said already.
fn push_cell(text: &mut String, grid: &Grid<Cell>, point: Point) {
    let cell = &grid[point];
    if cell.flags.contains(Flags::WIDE_CHAR_SPACER) || fills_up_for_wide_character(grid, point) {
        return;
    }
    // The emulator stores a tab as a character of its own.
    text.push(if cell.c == '\t' { ' ' } else { cell.c });
    text.extend(cell.zerowidth().into_iter().flatten());
}

/// The last cell of a row is left out because the wide character behind it did not fit. The mark
/// may be older than the next row's text.
fn fills_up_for_wide_character(grid: &Grid<Cell>, point: Point) -> bool {
    let next = Point::new(point.line + 1, Column(0));
    grid[point].flags.contains(Flags::LEADING_WIDE_CHAR_SPACER)
        && next.line < Line(grid.screen_lines() as i32)
        && grid[next].flags.contains(Flags::WIDE_CHAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(bytes: &[u8]) -> Screen {
        let mut screen = Screen::new(20, 5);
        screen.feed(bytes);
        screen
    }

    #[test]
    fn a_dump_rebuilds_the_screen() {
        let cases: [&[u8]; 19] = [
            b"one\r\ntwo \x1b[1;31mred\x1b[0m three",
            b"a line that is longer than twenty columns\r\nnext",
            "宽字符 and wrap 宽字符宽字符宽字符".as_bytes(),
            b"1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n$ ",
            b"main\x1b[?1049h\x1b[3;4Hfull\x1b[?2004h\x1b[?1h",
            b"\x1b[48;5;200m  \x1b[38;2;1;2;3mx\x1b[0m\x1b[92mgreen\x1b[2;1H",
            b"\x1b[41mmain in red\x1b[2;3H\x1b[?1049h\x1b[0malternate\x1b[44m",
            b"\x1b[2;4r\x1b[?6h\x1b[2;3Hin the region",
            b"\x1b(0lqqk\x1b)0\x0e\x1b(B",
            b"\x1b[3g\x1b[5G\x1bH\x1b[12G\x1bH\r\ta\tb",
            b"exactly twenty chars\x1b7\r\nx",
            b"exactly twenty chars",
            "nineteen characters宽x\x1b[1;20H\x1b[K".as_bytes(),
            "宽宽宽\x1b[1;2H\x1b[X宽\x1b[1;4H\x1b[P".as_bytes(),
            b"\x1b[4h\x1b[?7l\x1b[?25l\x1b[5 q\x1b]2;a title\x07\x1b]4;1;#102030\x07\x1b]11;#000000\x07",
            b"\x1b[4:3;58;2;1;2;3mcurly\x1b[21m\x1b[?1003h\x1b[?1006h\x1b[?1004h",
            b"abc\x1b[?47hdef\x1b[?47lghi\x1b[?1047hjkl",
            b"wrapped to a row which is then erased\x1b[2K\r\n\x1b[7mnext",
            "e\u{301}\u{302} a\u{301}\tb\x1b[5;1H".as_bytes(),
        ];
        for case in cases {
            let mut original = screen(case);
            let mut copy = Screen::new(20, 5);
            let before = original.view();
            let dump = original.dump();
            copy.feed(&dump);
            let shown = String::from_utf8_lossy(case);
            assert_eq!(original.view(), before, "dumping changed {shown:?}");
            assert_eq!(copy.view(), before, "{shown:?}");
            let mut drawn_over = screen(b"\x1b[?1049h\x1b[2;3r\x1b[?6h\x1b[31m\x1b(0\x1b[?2004hsomething else\x1b[12");
            drawn_over.feed(&original.dump_over());
            assert_eq!(drawn_over.view(), before, "over something else: {shown:?}");
            assert_eq!(String::from_utf8_lossy(&copy.dump()), String::from_utf8_lossy(&dump), "{shown:?}");
            // What the program does next looks the same.
            for next in [&b"more\r\n"[..], b"\x1b8x\tz", b"\x1b[?1049lback\r\n\r\n\r\n\r\n\r\nlast", b"\x1bMtop"] {
                original.feed(next);
                copy.feed(next);
                assert_eq!(copy.view(), original.view(), "{shown:?} then {next:?}");
            }
        }
    }

    #[test]
    fn what_is_scrolled_out_at_once_leaves_no_trace() {
        let long = "a line that is longer than two rows of twenty columns, ";
        let line = |number: usize| match number % 5 {
            0 => format!("{number}\r\n"),
            1 => format!("{long}{number}\r\n"),
            2 => format!("宽字符 é {number}\tx\r\n"),
            3 => "\r\n".to_owned(),
            _ => format!("{number} without a return\n"),
        };
        let flood: String = (0..1500).map(line).collect();
        let with = |inserted: &str| flood.replacen("\r\n10\r\n", &format!("\r\n1{inserted}0\r\n"), 1);
        let floods = [flood.clone(), format!("{flood}$ "), with("\u{7}"), with("\u{e}"), "\r\n".repeat(2000)];
        let before: [&[u8]; 9] = [
            b"",
            b"half a line",
            b"exactly twenty chars",
            b"1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n\x1b[44;1min blue",
            b"\x1b[2;4rregion",
            b"\x1b[?1049halternate",
            b"\x1b[2;4r\x1b[?6horigin",
            b"\x1b[?7lno wrap, no wrap, no wrap",
            "\x1b)0\x1b[3;3H\x1b7x宽".as_bytes(),
        ];
        for (before, flood) in before.iter().flat_map(|before| floods.iter().map(move |flood| (before, flood))) {
            let (mut whole, mut pieces) = (screen(before), screen(before));
            whole.text(flood.as_bytes());
            flood.as_bytes().chunks(700).for_each(|piece| pieces.text(piece));
            for next in [&b""[..], b"\x1b[3b", b"\x1b8y\x1b[A", b"\x1b[?1049l\x1b[rlast\r\n"] {
                whole.feed(next);
                pieces.feed(next);
                let shown = String::from_utf8_lossy(before);
                assert_eq!(whole.view(), pieces.view(), "{shown:?} then {next:?}");
                let (whole, pieces) = (whole.dump(), pieces.dump());
                assert!(whole == pieces, "{shown:?} then {next:?}");
            }
        }
    }

    #[test]
    fn old_programs_have_their_alternate_screen() {
        let mut screen = screen(b"main\x1b[?47h\x1b[2J\x1b[Halternate");
        assert!(screen.alternate_screen());
        assert_eq!(screen.view().text(), "alternate");
        screen.feed(b"\x1b[?47l");
        assert_eq!((screen.alternate_screen(), screen.view().text().as_str()), (false, "main"));
    }

    #[test]
    fn half_a_wide_character_is_blanked() {
        let screen = screen("a宽b宽c\x1b[1;3H\x1b[X\x1b[1;5H\x1b[1P".as_bytes());
        assert_eq!(screen.view().text(), "a  b c");
    }

    #[test]
    fn characters_piled_on_one_cell_are_bounded() {
        let pile = format!("a{}", "\u{301}".repeat(100_000));
        assert!(screen(pile.as_bytes()).view().text().chars().count() <= 9);
    }

    #[test]
    fn a_cut_character_harms_no_other() {
        for text in ["éa宽b", "宽éx", "❤️é…a", "a\u{80}é"] {
            for cut in 0..text.len() {
                let mut screen = screen(b"");
                screen.text(&text.as_bytes()[..cut]);
                screen.text(&text.as_bytes()[cut..]);
                assert_eq!(screen.view().text(), text.replace('\u{80}', ""), "cut at {cut}");
            }
        }
    }

    #[test]
    fn text_past_the_parser_gives_the_same_screen() {
        let text = "plain line\r\na line that is longer than twenty columns\r\nexactly twenty chars\r\n宽 wide\r\n\
            raw line feed\n\r\n\tnot plain\r\nlast: x";
        for before in ["", "\x1b[31;4m", "\x1b(0", "\x1b[4h", "\x1b[?7l", "宽字符宽字符\r", "\x1b[2;4r", "\x0e\x1b)0"]
        {
            let (mut parsed, mut direct) = (screen(before.as_bytes()), screen(before.as_bytes()));
            for _ in 0..3 {
                parsed.feed(text.as_bytes());
                direct.text(text.as_bytes());
                assert_eq!(direct.view(), parsed.view(), "{before:?}");
                assert_eq!(direct.dump(), parsed.dump(), "{before:?}");
            }
            parsed.feed(b"\x1b[3b");
            direct.repeat(3);
            assert_eq!(direct.view(), parsed.view(), "{before:?}");
        }
    }

    #[test]
    fn queries_are_answered_once_and_clipboard_reads_never() {
        let mut screen = screen(b"ab\x1b[6n\x1b]52;c;?\x07");
        assert_eq!(screen.take_replies(), b"\x1b[1;3R");
        assert_eq!(screen.take_replies(), b"");
        // Neither titles nor clipboards are told, which would type what a program chose.
        screen.feed(b"\x1b]2;rm -rf /\x07\x1b[21t\x1b[20t\x1b]52;p;?\x1b\\\x1b[>q\x1bP$qm\x1b\\");
        assert_eq!(screen.take_replies(), b"");
        screen.dump();
        assert_eq!(screen.take_replies(), b"");
    }

    #[test]
    fn the_line_before_the_cursor_joins_wrapped_rows() {
        let screen = screen("0123456789012345678901234 宽$ ".as_bytes());
        assert_eq!(screen.line_before_cursor(), "0123456789012345678901234 宽$ ");
    }

    const FRAGMENTS: [&[u8]; 38] = [
        b"plain text of a log line",
        b"a line that is longer than the screen is wide\r\nand the next\r\n",
        "宽字符❤️é".as_bytes(),
        "e\u{301}\u{302}".as_bytes(),
        b"\xe5\xae",
        b"\xff\x80\0\x01\x7f",
        b"\r\n",
        b"\n",
        b"\r",
        b"\t",
        b"\x08",
        b"\x07",
        b"\x0e",
        b"\x0f",
        b"\x1b(0",
        b"\x1b(B",
        b"\x1b)0",
        b"\x1b[4h",
        b"\x1b[4l",
        b"\x1b[?7l",
        b"\x1b[?7h",
        b"\x1b[20h",
        b"\x1b[7b",
        b"\x1b[2;4r",
        b"\x1b[?6h",
        b"\x1b[3;9H",
        b"\x1b[2P\x1b[3@\x1b[2X",
        b"\x1b[K\x1b[1J",
        b"\x1b[41;4:3;58;5;9m",
        b"\x1b[1;3;38;5;200;48;2;1;2;3m",
        b"\x1b[;7;97m",
        b"\x1b[m",
        b"\x1b[?1049h",
        b"\x1b[?1049l",
        b"\x1b[6n\x1b[c\x1b[?7$p",
        b"\x1b7\x1b8\x1bM",
        b"\x1b]2;title\x07\x1bP1$r\x1b\\",
        b"\x1bc",
    ];

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]

        /// Text drawn past the parser, in any pieces, against the parser alone on the whole.
        #[test]
        fn drawing_differs_in_nothing_from_the_parser(
            fragments in proptest::collection::vec(proptest::sample::select(&FRAGMENTS[..]), 0..25),
            lengths in proptest::collection::vec(1_usize..30, 1..5),
        ) {
            let stream = fragments.concat();
            let mut parsed = screen(&stream);
            let (mut direct, mut tap) = (screen(b""), crate::tap::Tap::default());
            let mut rest = stream.as_slice();
            for length in lengths.iter().cycle() {
                let (mut chunk, tail) = rest.split_at(rest.len().min(*length));
                while !chunk.is_empty() {
                    chunk = &chunk[tap.next_piece(chunk, &mut direct).length..];
                }
                rest = tail;
                if rest.is_empty() {
                    break;
                }
            }
            proptest::prop_assert_eq!(direct.view(), parsed.view());
            proptest::prop_assert_eq!(direct.emulator.term.mode(), parsed.emulator.term.mode());
            proptest::prop_assert_eq!(direct.take_replies(), parsed.take_replies());
            let (direct, parsed) = (direct.dump(), parsed.dump());
            proptest::prop_assert_eq!(String::from_utf8_lossy(&direct), String::from_utf8_lossy(&parsed));
        }
    }
}
