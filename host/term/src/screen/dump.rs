//! A screen as bytes that rebuild it in a fresh terminal of the same size.
//!
//! Rebuilt: both screens with colours, wrapped rows and the main one's scrollback; both cursors with
//! what they are saved with; scroll region, tab stops, character sets, modes, palette, title. Not
//! rebuilt, because the emulator does not tell it or no sequence can say it: the stack of titles put
//! aside, links behind text, the character that `CSI b` would repeat, that the last row has wrapped
//! into one that is gone, and a saved cursor's pending wrap in a row that has wrapped since. No byte of a dump makes a terminal answer.

use std::fmt::Write;

use alacritty_terminal::grid::{Cursor, Dimensions, Grid};
use alacritty_terminal::index::{Column, Line, Point};
use alacritty_terminal::term::TermMode;
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::vte::ansi::{CharsetIndex, Color, CursorShape, NamedColor, Rgb, StandardCharset};

use super::emulator::Emulator;
use super::push_cell;

/// Indexed colours, then foreground, background and cursor: those that a sequence can set.
const SETTABLE_COLOURS: usize = 259;

const CHARSETS: [(CharsetIndex, char); 4] =
    [(CharsetIndex::G0, '('), (CharsetIndex::G1, ')'), (CharsetIndex::G2, '*'), (CharsetIndex::G3, '+')];

/// Writes the emulator's state, with or without the rows that have left the main screen. It changes the emulator for a moment: of two screens it shows only
/// one at a time.
pub(super) fn dump(emulator: &mut Emulator, title: Option<&str>, scrollback: bool) -> Vec<u8> {
    let mut out = Dump::default();
    if emulator.has(TermMode::ALT_SCREEN) {
        let shown = emulator.term.grid().clone();
        emulator.term.swap_alt();
        out.rows(emulator.term.grid(), scrollback);
        out.cursor(emulator.term.grid(), &emulator.term.grid().cursor);
        emulator.term.swap_alt();
        *emulator.term.grid_mut() = shown;
        // Entering copies the cursor with its character sets, and clears in its colour.
        out.text.push_str("\x1b[?1049h\x1b[0m\x1b[2J\x1b[H");
        out.pen = Pen::default();
        out.plain_charset();
    }
    let grid = emulator.term.grid();
    out.rows(grid, scrollback);
    out.palette(emulator);
    out.tab_stops(emulator);
    let (top, bottom) = emulator.scroll_region;
    if (top, bottom + 1) != (0, grid.screen_lines()) {
        let _ = write!(out.text, "\x1b[{};{}r", top + 1, bottom + 1);
    }
    out.cursor(grid, &grid.saved_cursor);
    out.text.push_str("\x1b7");
    out.plain_charset();
    out.cursor_in_region(emulator);
    out.modes(emulator);
    if let Some(title) = title {
        let _ = write!(out.text, "\x1b]2;{title}\x07");
    }
    out.text.into_bytes()
}

#[derive(Default)]
struct Dump {
    text: String,
    /// Attributes in force.
    pen: Pen,
    charsets: [StandardCharset; 4],
}

/// What a cell is drawn with.
#[derive(Clone, PartialEq)]
struct Pen {
    fg: Color,
    bg: Color,
    flags: Flags,
    underline: Option<Color>,
}

impl Default for Pen {
    fn default() -> Self {
        Self::of(&Cell::default())
    }
}

impl Pen {
    fn of(cell: &Cell) -> Self {
        let layout = Flags::WRAPLINE | Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER | Flags::LEADING_WIDE_CHAR_SPACER;
        Self { fg: cell.fg, bg: cell.bg, flags: cell.flags - layout, underline: cell.underline_color() }
    }
}

impl Dump {
    /// Writes the rows of a grid, all or those in view, from an empty screen's first row on.
    fn rows(&mut self, grid: &Grid<Cell>, scrollback: bool) {
        let first = if scrollback { -(grid.history_size() as i32) } else { 0 };
        let last = grid.screen_lines() as i32 - 1;
        let mut continues = false;
        for line in first..=last {
            let wrapped = self.row(grid, Line(line), continues);
            self.pen(&Pen::default());
            if line < last && !wrapped {
                self.text.push_str("\r\n");
            }
            continues = wrapped;
        }
    }

    /// Writes a row; true when it continues in the next one.
    fn row(&mut self, grid: &Grid<Cell>, line: Line, continues: bool) -> bool {
        let columns = grid.columns();
        let row = &grid[line];
        let wrapped = row[Column(columns - 1)].flags.contains(Flags::WRAPLINE);
        let used = (0..columns).rposition(|column| !is_blank(&row[Column(column)])).map_or(0, |last| last + 1);
        // The first character of a row that continues another makes that one wrap.
        let used = if wrapped { columns } else { used.max(usize::from(continues)) };
        for column in 0..used {
            self.cell(grid, Point::new(line, Column(column)));
        }
        if continues && used < columns {
            // Where wrapping scrolled, the new row was filled with the colour in force.
            self.pen(&Pen::default());
            self.text.push_str("\x1b[K");
        }
        wrapped
    }

    fn cell(&mut self, grid: &Grid<Cell>, point: Point) {
        self.pen(&Pen::of(&grid[point]));
        push_cell(&mut self.text, grid, point);
    }

    fn pen(&mut self, wanted: &Pen) {
        if self.pen != *wanted {
            self.text.push_str("\x1b[0");
            attributes(&mut self.text, wanted);
            self.text.push('m');
            self.pen = wanted.clone();
        }
    }

    /// Puts a cursor where it is, with its attributes and character sets. Coordinates are absolute.
    fn cursor(&mut self, grid: &Grid<Cell>, cursor: &Cursor<Cell>) {
        self.place(grid, cursor, 0);
        self.designate(cursor);
        self.pen(&Pen::of(&cursor.template));
    }

    /// The same for the cursor in use; in origin mode its coordinates count from the scroll region.
    fn cursor_in_region(&mut self, emulator: &Emulator) {
        let grid = emulator.term.grid();
        let mut first_line = 0;
        if emulator.has(TermMode::ORIGIN) {
            self.text.push_str("\x1b[?6h");
            first_line = emulator.scroll_region.0 as i32;
        }
        self.place(grid, &grid.cursor, first_line);
        self.designate(&grid.cursor);
        self.pen(&Pen::of(&grid.cursor.template));
        if emulator.active_charset == CharsetIndex::G1 {
            self.text.push('\x0e');
        }
    }

    fn place(&mut self, grid: &Grid<Cell>, cursor: &Cursor<Cell>, first_line: i32) {
        let point = cursor.point;
        let mut column = point.column;
        let redraws = cursor.input_needs_wrap && column == grid.last_column();
        let last = &grid[point];
        let redraws = redraws && !last.flags.contains(Flags::WRAPLINE);
        if redraws && last.flags.contains(Flags::WIDE_CHAR_SPACER) {
            column -= 1;
        }
        let _ = write!(self.text, "\x1b[{};{}H", point.line.0 - first_line + 1, column.0 + 1);
        if redraws {
            // Drawing the last cell again is what makes the next character wrap.
            self.cell(grid, Point::new(point.line, column));
        }
    }

    fn designate(&mut self, cursor: &Cursor<Cell>) {
        for (number, (index, intermediate)) in CHARSETS.into_iter().enumerate() {
            let wanted = cursor.charsets[index];
            if self.charsets[number] != wanted {
                let letter = if wanted == StandardCharset::Ascii { 'B' } else { '0' };
                let _ = write!(self.text, "\x1b{intermediate}{letter}");
                self.charsets[number] = wanted;
            }
        }
    }

    /// Text that follows is drawn as it is.
    fn plain_charset(&mut self) {
        if self.charsets[0] != StandardCharset::Ascii {
            self.text.push_str("\x1b(B");
            self.charsets[0] = StandardCharset::Ascii;
        }
    }

    fn tab_stops(&mut self, emulator: &Emulator) {
        let regular = |(column, stop): (usize, &bool)| *stop == (column % 8 == 0);
        if emulator.tab_stops.iter().enumerate().all(regular) {
            return;
        }
        self.text.push_str("\x1b[3g");
        for (column, _) in emulator.tab_stops.iter().enumerate().filter(|(_, stop)| **stop) {
            let _ = write!(self.text, "\x1b[{}G\x1bH", column + 1);
        }
    }

    fn palette(&mut self, emulator: &Emulator) {
        let colours = emulator.term.colors();
        for index in 0..SETTABLE_COLOURS {
            let Some(Rgb { r, g, b }) = colours[index] else { continue };
            let _ = match index.checked_sub(NamedColor::Foreground as usize) {
                None => write!(self.text, "\x1b]4;{index};rgb:{r:02x}/{g:02x}/{b:02x}\x07"),
                Some(special) => write!(self.text, "\x1b]{};rgb:{r:02x}/{g:02x}/{b:02x}\x07", 10 + special),
            };
        }
    }

    fn modes(&mut self, emulator: &Emulator) {
        let set = [
            (TermMode::BRACKETED_PASTE, "\x1b[?2004h"),
            (TermMode::APP_CURSOR, "\x1b[?1h"),
            (TermMode::APP_KEYPAD, "\x1b="),
            (TermMode::MOUSE_REPORT_CLICK, "\x1b[?1000h"),
            (TermMode::MOUSE_DRAG, "\x1b[?1002h"),
            (TermMode::MOUSE_MOTION, "\x1b[?1003h"),
            (TermMode::FOCUS_IN_OUT, "\x1b[?1004h"),
            (TermMode::UTF8_MOUSE, "\x1b[?1005h"),
            (TermMode::SGR_MOUSE, "\x1b[?1006h"),
            (TermMode::LINE_FEED_NEW_LINE, "\x1b[20h"),
            (TermMode::INSERT, "\x1b[4h"),
        ];
        let unset = [
            (TermMode::LINE_WRAP, "\x1b[?7l"),
            (TermMode::SHOW_CURSOR, "\x1b[?25l"),
            (TermMode::ALTERNATE_SCROLL, "\x1b[?1007l"),
            (TermMode::URGENCY_HINTS, "\x1b[?1042l"),
        ];
        let set = set.iter().filter(|(mode, _)| emulator.has(*mode));
        let unset = unset.iter().filter(|(mode, _)| !emulator.has(*mode));
        self.text.extend(set.chain(unset).map(|(_, sequence)| *sequence));
        let style = emulator.term.cursor_style();
        let shape = match style.shape {
            CursorShape::Underline => 3,
            CursorShape::Beam => 5,
            CursorShape::Block | CursorShape::HollowBlock | CursorShape::Hidden => 1,
        };
        let number = shape + u8::from(!style.blinking);
        // A steady block is what a terminal begins with.
        if number != 2 {
            let _ = write!(self.text, "\x1b[{number} q");
        }
    }
}

/// Drawing the cell would change nothing on an empty row.
fn is_blank(cell: &Cell) -> bool {
    matches!(cell.c, ' ' | '\t') && cell.zerowidth().is_none_or(<[char]>::is_empty) && Pen::of(cell) == Pen::default()
}

/// SGR parameters of the pen, each with its leading `;`.
fn attributes(text: &mut String, pen: &Pen) {
    let names = [
        (Flags::BOLD, ";1"),
        (Flags::DIM, ";2"),
        (Flags::ITALIC, ";3"),
        (Flags::UNDERLINE, ";4"),
        (Flags::DOUBLE_UNDERLINE, ";4:2"),
        (Flags::UNDERCURL, ";4:3"),
        (Flags::DOTTED_UNDERLINE, ";4:4"),
        (Flags::DASHED_UNDERLINE, ";4:5"),
        (Flags::INVERSE, ";7"),
        (Flags::HIDDEN, ";8"),
        (Flags::STRIKEOUT, ";9"),
    ];
    text.extend(names.iter().filter(|(flag, _)| pen.flags.contains(*flag)).map(|(_, parameter)| *parameter));
    colour(text, pen.fg, 30);
    colour(text, pen.bg, 40);
    if let Some(underline) = pen.underline {
        colour(text, underline, 50);
    }
}

fn colour(text: &mut String, colour: Color, base: u16) {
    let _ = match colour {
        Color::Named(name) => match name as u16 {
            index @ 0..=7 => write!(text, ";{}", base + index),
            index @ 8..=15 => write!(text, ";{}", base + 52 + index),
            // The defaults.
            _ => Ok(()),
        },
        Color::Spec(Rgb { r, g, b }) => write!(text, ";{};2;{r};{g};{b}", base + 8),
        Color::Indexed(index) => write!(text, ";{};5;{index}", base + 8),
    };
}
