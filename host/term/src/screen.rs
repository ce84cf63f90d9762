//! What a person would see now: the emulator's grid.
//!
//! The only file that names the emulator crate. It also collects the answers to terminal queries
//! (device attributes, cursor position): the host alone gives them, once; a viewer never does.

use std::sync::{Arc, Mutex, PoisonError};

use alacritty_terminal::event::{Event, EventListener, WindowSize};
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line, Point};
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::term::{Config, Osc52, Term, TermMode};
use alacritty_terminal::vte::ansi::{Color, NamedColor, Processor, Rgb, Timeout};
use serde::Serialize;

/// Lines kept above the screen; the ring and the transcript hold the rest.
const SCROLLBACK_LINES: usize = 500;
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
            Event::Title(title) => {
                heard.title = Some(title.chars().filter(|c| !c.is_control()).take(MAX_TITLE_CHARS).collect());
            }
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
    term: Term<Listener>,
    processor: Processor<DrawAtOnce>,
    listener: Listener,
}

impl Screen {
    pub fn new(columns: u16, rows: u16) -> Self {
        let listener = Listener::default();
        *listener.size.lock().unwrap_or_else(PoisonError::into_inner) = (columns, rows);
        let config = Config {
            scrolling_history: SCROLLBACK_LINES,
            osc52: Osc52::Disabled,
            kitty_keyboard: false,
            ..Config::default()
        };
        let size = Size { columns: columns.into(), rows: rows.into() };
        Self { term: Term::new(config, &size, listener.clone()), processor: Processor::new(), listener }
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.processor.advance(&mut self.term, bytes);
    }

    /// Answers to queries met since the last call, to be written to the channel.
    pub fn take_replies(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.listener.heard.lock().unwrap_or_else(PoisonError::into_inner).replies)
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        *self.listener.size.lock().unwrap_or_else(PoisonError::into_inner) = (columns, rows);
        self.term.resize(Size { columns: columns.into(), rows: rows.into() });
    }

    pub fn bracketed_paste(&self) -> bool {
        self.term.mode().contains(TermMode::BRACKETED_PASTE)
    }

    pub fn alternate_screen(&self) -> bool {
        self.term.mode().contains(TermMode::ALT_SCREEN)
    }

    /// A full-screen or line-editing program has asked for its own keys.
    pub fn application_keys(&self) -> bool {
        self.term.mode().intersects(TermMode::APP_CURSOR | TermMode::APP_KEYPAD)
    }

    /// The program has asked for application cursor keys (DECCKM).
    pub fn application_cursor(&self) -> bool {
        self.term.mode().contains(TermMode::APP_CURSOR)
    }

    /// (row, column), from 0.
    pub fn cursor(&self) -> (u16, u16) {
        let point = self.term.grid().cursor.point;
        (point.line.0.max(0) as u16, point.column.0 as u16)
    }

    /// The logical line the cursor is on, up to the cursor, wrapped rows joined.
    pub fn line_before_cursor(&self) -> String {
        let grid = self.term.grid();
        let last_column = Column(grid.columns() - 1);
        let cursor = grid.cursor.point;
        let mut first = cursor.line;
        while first > Line(0) && grid[Point::new(first - 1, last_column)].flags.contains(Flags::WRAPLINE) {
            first -= 1;
        }
        let mut text = String::new();
        let mut line = first;
        while line <= cursor.line {
            let end = if line == cursor.line { cursor.column.0 } else { grid.columns() };
            for column in 0..end {
                push_cell(&mut text, &grid[Point::new(line, Column(column))]);
            }
            line += 1;
        }
        text
    }

    /// The row the cursor is on, without the blanks behind it.
    pub fn cursor_row_text(&self) -> String {
        self.row(self.term.grid().cursor.point.line).text
    }

    pub fn cursor_is_on_last_row(&self) -> bool {
        self.term.grid().cursor.point.line.0 + 1 == self.term.grid().screen_lines() as i32
    }

    /// What stands on the cursor's row is drawn in reverse.
    pub fn cursor_row_is_reverse(&self) -> bool {
        let grid = self.term.grid();
        let line = grid.cursor.point.line;
        let cells = (0..grid.columns()).map(|column| &grid[Point::new(line, Column(column))]);
        let mut drawn = cells.filter(|cell| cell.c != ' ').peekable();
        drawn.peek().is_some() && drawn.all(|cell| cell.flags.contains(Flags::INVERSE))
    }

    /// Up to `count` rows above the cursor's, oldest first.
    pub fn rows_above(&self, count: usize) -> Vec<String> {
        let last = self.term.grid().cursor.point.line.0;
        (last - count as i32..last).filter(|line| *line >= 0).map(|line| self.row(Line(line)).text).collect()
    }

    /// Modes that only a running full-screen program sets. At a shell's prompt they are left over
    /// from one that died.
    pub fn has_stale_modes(&self) -> bool {
        let mode = self.term.mode();
        mode.intersects(TermMode::ALT_SCREEN | TermMode::APP_CURSOR | TermMode::APP_KEYPAD | TermMode::MOUSE_MODE)
            || !mode.contains(TermMode::SHOW_CURSOR)
    }

    pub fn view(&self) -> ScreenView {
        let grid = self.term.grid();
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
        let grid = self.term.grid();
        let mut text = String::with_capacity(grid.columns());
        for column in 0..grid.columns() {
            push_cell(&mut text, &grid[Point::new(line, Column(column))]);
        }
        let wrapped = grid[Point::new(line, Column(grid.columns() - 1))].flags.contains(Flags::WRAPLINE);
        if !wrapped {
            text.truncate(text.trim_end().len());
        }
        Row { text, wrapped }
    }

    /// Bytes that rebuild this screen, its scrollback and modes in a fresh terminal of this size.
    /// Of two screens only the one shown is rebuilt.
    pub fn dump(&self) -> Vec<u8> {
        let grid = self.term.grid();
        let mut out = String::new();
        if self.alternate_screen() {
            out.push_str("\x1b[?1049h");
        }
        let history = grid.history_size() as i32;
        let last = grid.screen_lines() as i32;
        for line in -history..last {
            let wrapped = self.dump_row(&mut out, Line(line));
            if line + 1 < last && !wrapped {
                out.push_str("\r\n");
            }
        }
        let (row, column) = self.cursor();
        out.push_str(&format!("\x1b[0m\x1b[{};{}H", row + 1, column + 1));
        self.dump_modes(&mut out);
        out.into_bytes()
    }

    /// Writes the row with its colours; true when the next row continues it.
    fn dump_row(&self, out: &mut String, line: Line) -> bool {
        let grid = self.term.grid();
        let columns = grid.columns();
        let wrapped = grid[Point::new(line, Column(columns - 1))].flags.contains(Flags::WRAPLINE);
        let blank = Cell::default();
        let used = if wrapped {
            columns
        } else {
            (0..columns).rposition(|c| grid[Point::new(line, Column(c))] != blank).map_or(0, |c| c + 1)
        };
        let mut style = String::new();
        for column in 0..used {
            let cell = &grid[Point::new(line, Column(column))];
            let wanted = sgr(cell);
            if wanted != style {
                out.push_str(&format!("\x1b[0{wanted}m"));
                style = wanted;
            }
            push_cell(out, cell);
        }
        if !style.is_empty() {
            out.push_str("\x1b[0m");
        }
        wrapped
    }

    fn dump_modes(&self, out: &mut String) {
        let mode = self.term.mode();
        let switches = [
            (TermMode::BRACKETED_PASTE, "\x1b[?2004h"),
            (TermMode::APP_CURSOR, "\x1b[?1h"),
            (TermMode::APP_KEYPAD, "\x1b="),
            (TermMode::MOUSE_REPORT_CLICK, "\x1b[?1000h"),
            (TermMode::MOUSE_DRAG, "\x1b[?1002h"),
            (TermMode::SGR_MOUSE, "\x1b[?1006h"),
        ];
        for (_, sequence) in switches.iter().filter(|(flag, _)| mode.contains(*flag)) {
            out.push_str(sequence);
        }
        if !mode.contains(TermMode::SHOW_CURSOR) {
            out.push_str("\x1b[?25l");
        }
    }
}

fn push_cell(text: &mut String, cell: &Cell) {
    if cell.flags.intersects(Flags::WIDE_CHAR_SPACER | Flags::LEADING_WIDE_CHAR_SPACER) {
        return;
    }
    // The emulator stores a tab as a character of its own.
    text.push(if cell.c == '\t' { ' ' } else { cell.c });
    text.extend(cell.zerowidth().into_iter().flatten());
}

/// SGR parameters of the cell, each with its leading `;`; empty for the plain style.
fn sgr(cell: &Cell) -> String {
    let mut style = String::new();
    let attributes = [
        (Flags::BOLD, ";1"),
        (Flags::DIM, ";2"),
        (Flags::ITALIC, ";3"),
        (Flags::UNDERLINE, ";4"),
        (Flags::INVERSE, ";7"),
        (Flags::HIDDEN, ";8"),
        (Flags::STRIKEOUT, ";9"),
    ];
    for (_, parameter) in attributes.iter().filter(|(flag, _)| cell.flags.contains(*flag)) {
        style.push_str(parameter);
    }
    push_color(&mut style, cell.fg, 30, NamedColor::Foreground);
    push_color(&mut style, cell.bg, 40, NamedColor::Background);
    style
}

fn push_color(style: &mut String, color: Color, base: u16, default: NamedColor) {
    match color {
        Color::Named(name) if name == default => {}
        Color::Named(name) => {
            let index = name as u16;
            match index {
                0..=7 => style.push_str(&format!(";{}", base + index)),
                8..=15 => style.push_str(&format!(";{}", base + 52 + index)),
                // Dim and bright variants of the defaults are made by attributes.
                _ => {}
            }
        }
        Color::Spec(Rgb { r, g, b }) => style.push_str(&format!(";{};2;{r};{g};{b}", base + 8)),
        Color::Indexed(index) => style.push_str(&format!(";{};5;{index}", base + 8)),
    }
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
        let cases: [&[u8]; 6] = [
            b"one\r\ntwo \x1b[1;31mred\x1b[0m three",
            b"a line that is longer than twenty columns\r\nnext",
            "宽字符 and wrap 宽字符宽字符宽字符".as_bytes(),
            b"1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n$ ",
            b"\x1b[?1049h\x1b[3;4Hfull\x1b[?2004h\x1b[?1h",
            b"\x1b[48;5;200m  \x1b[38;2;1;2;3mx\x1b[0m\x1b[92mgreen\x1b[2;1H",
        ];
        for case in cases {
            let original = screen(case);
            let mut copy = Screen::new(20, 5);
            copy.feed(&original.dump());
            assert_eq!(copy.view(), original.view(), "{:?}", String::from_utf8_lossy(case));
            assert_eq!(copy.dump(), original.dump());
        }
    }

    #[test]
    fn queries_are_answered_once_and_clipboard_reads_never() {
        let mut screen = screen(b"ab\x1b[6n\x1b]52;c;?\x07");
        assert_eq!(screen.take_replies(), b"\x1b[1;3R");
        assert_eq!(screen.take_replies(), b"");
    }

    #[test]
    fn the_line_before_the_cursor_joins_wrapped_rows() {
        let screen = screen("0123456789012345678901234 宽$ ".as_bytes());
        assert_eq!(screen.line_before_cursor(), "0123456789012345678901234 宽$ ");
    }
}
