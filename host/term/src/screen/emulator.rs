//! The emulator crate behind a thin layer that bounds it, mends it and remembers what it hides.
//!
//! Bounds: characters piled onto one cell, titles kept, links (none; a link's text stays). Mended:
//! the alternate screen of old programs (modes 47, 1047, 1048) and halves of wide characters that an
//! edit leaves behind. Remembered, because the crate does not tell it: scroll region, tab stops,
//! active character set; [`super::dump`] writes them into a snapshot.

use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::Column;
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::term::{Config, Osc52, Term, TermMode};
use alacritty_terminal::vte::ansi::{
    Attr, CharsetIndex, ClearMode, CursorShape, CursorStyle, Handler, LineClearMode, Mode, NamedPrivateMode,
    PrivateMode, Rgb, StandardCharset, TabulationClearMode,
};
use unicode_width::UnicodeWidthChar;

use super::{Listener, MAX_TITLE_CHARS, SCROLLBACK_LINES, Size};

/// Combining characters one cell keeps; real scripts need four.
const MAX_ZERO_WIDTH: usize = 8;
/// Titles a program may put aside.
const MAX_TITLES: usize = 8;
const TAB_WIDTH: usize = 8;

/// See the module's head.
pub(super) struct Emulator {
    pub(super) term: Term<Listener>,
    pub(super) active_charset: CharsetIndex,
    /// One per column.
    pub(super) tab_stops: Vec<bool>,
    /// First and last line that scroll, from 0.
    pub(super) scroll_region: (usize, usize),
    titles: usize,
    /// What `CSI b` repeats.
    last_printed: Option<char>,
    /// A wide character was printed, so halves are possible.
    wide_seen: bool,
}

fn default_tab_stops(columns: usize) -> Vec<bool> {
    (0..columns).map(|column| column % TAB_WIDTH == 0).collect()
}

impl Emulator {
    pub(super) fn new(columns: u16, rows: u16, listener: Listener) -> Self {
        let config = Config {
            scrolling_history: SCROLLBACK_LINES,
            osc52: Osc52::Disabled,
            kitty_keyboard: false,
            ..Config::default()
        };
        let (columns, rows) = (usize::from(columns), usize::from(rows));
        Self {
            term: Term::new(config, &Size { columns, rows }, listener),
            active_charset: CharsetIndex::G0,
            tab_stops: default_tab_stops(columns),
            scroll_region: (0, rows - 1),
            titles: 0,
            last_printed: None,
            wide_seen: false,
        }
    }

    pub(super) fn resize(&mut self, size: &Size) {
        if size.columns == self.term.columns() && size.rows == self.term.screen_lines() {
            return;
        }
        self.tab_stops.truncate(size.columns);
        self.tab_stops.extend((self.tab_stops.len()..size.columns).map(|column| column % TAB_WIDTH == 0));
        self.scroll_region = (0, size.rows - 1);
        self.term.resize(Size { columns: size.columns, rows: size.rows });
    }

    pub(super) fn has(&self, mode: TermMode) -> bool {
        self.term.mode().intersects(mode)
    }

    /// Lines of plain text after which nothing is left of what was on the screen and above it before: the
    /// cursor may have to come down to the last row first. None where lines do not scroll the whole screen, or
    /// nothing is kept above it.
    pub(super) fn lines_until_forgotten(&self) -> Option<usize> {
        let rows = self.term.screen_lines();
        let scrolls_all = self.scroll_region == (0, rows - 1) && !self.has(TermMode::ALT_SCREEN | TermMode::ORIGIN);
        scrolls_all.then_some(2 * rows + SCROLLBACK_LINES)
    }

    /// Plain text may be written past the parser: no character set, insertion or attribute of the
    /// rare kind changes what a printable ASCII character does.
    fn prints_plainly(&self) -> bool {
        let cursor = &self.term.grid().cursor;
        cursor.charsets[self.active_charset] == StandardCharset::Ascii
            && cursor.template.extra.is_none()
            && self.has(TermMode::LINE_WRAP)
            && !self.has(TermMode::INSERT)
    }

    /// Prints ASCII text without control characters, a row's worth at a time.
    pub(super) fn print_ascii(&mut self, text: &[u8]) {
        let mut rest = text;
        if !self.prints_plainly() {
            rest.iter().for_each(|byte| self.input(char::from(*byte)));
            return;
        }
        self.last_printed = text.last().map(|byte| char::from(*byte));
        while let Some(first) = rest.first() {
            let written = self.print_in_row(rest);
            if written == 0 {
                // A wrap is due or a wide character is in the way: the emulator's own way.
                self.term.input(char::from(*first));
            }
            rest = &rest[written.max(1)..];
        }
    }

    /// Prints what fits into the cursor's row; 0 when that takes more than writing cells.
    fn print_in_row(&mut self, text: &[u8]) -> usize {
        let columns = self.term.columns();
        let grid = self.term.grid_mut();
        if grid.cursor.input_needs_wrap {
            return 0;
        }
        let point = grid.cursor.point;
        let template = grid.cursor.template.clone();
        let end = columns.min(point.column.0 + text.len());
        let cells = &mut grid[point.line][point.column..Column(end)];
        let wide = Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER;
        if cells.iter().any(|cell| cell.flags.intersects(wide)) {
            return 0;
        }
        for (cell, byte) in cells.iter_mut().zip(text) {
            *cell = Cell { c: char::from(*byte), ..template.clone() };
        }
        grid.cursor.point.column = Column(end.min(columns - 1));
        grid.cursor.input_needs_wrap = end == columns;
        end - point.column.0
    }

    /// Prints characters of any kind, wide ones a row's worth at a time.
    pub(super) fn print_text(&mut self, text: &str) {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let written = self.print_wide_in_row(rest);
            if written == 0 {
                self.input(first);
            }
            rest = &rest[if written == 0 { first.len_utf8() } else { written }..];
        }
    }

    /// Prints the wide characters `text` begins with as far as they fit into the cursor's row; how many
    /// bytes they have. 0 when that takes more than writing cells.
    fn print_wide_in_row(&mut self, text: &str) -> usize {
        if !self.prints_plainly() || self.term.grid().cursor.input_needs_wrap {
            return 0;
        }
        let columns = self.term.columns();
        let grid = self.term.grid_mut();
        let point = grid.cursor.point;
        let template = grid.cursor.template.clone();
        let cells = grid[point.line][point.column..Column(columns)].chunks_exact_mut(2);
        let either_half = Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER;
        let (mut bytes, mut end) = (0, point.column.0);
        for (character, pair) in text.chars().zip(cells) {
            if character.width() != Some(2) || pair.iter().any(|cell| cell.flags.intersects(either_half)) {
                break;
            }
            let half = |c, flag| Cell { c, flags: template.flags | flag, ..template.clone() };
            pair[0] = half(character, Flags::WIDE_CHAR);
            pair[1] = half(' ', Flags::WIDE_CHAR_SPACER);
            self.last_printed = Some(character);
            bytes += character.len_utf8();
            end += 2;
        }
        self.wide_seen |= bytes > 0;
        grid.cursor.point.column = Column(end.min(columns - 1));
        grid.cursor.input_needs_wrap = end == columns;
        bytes
    }

    /// Prints the last character again. More than fills the screen shows nothing new, and would let
    /// a few bytes keep the program busy for long.
    pub(super) fn repeat(&mut self, count: u16) {
        let Some(character) = self.last_printed else { return };
        let cells = self.term.columns() * self.term.screen_lines();
        for _ in 0..usize::from(count).min(cells) {
            self.input(character);
        }
    }

    /// The cell a character without width of its own would join is full of such.
    fn is_crowded(&self) -> bool {
        let grid = self.term.grid();
        let mut point = grid.cursor.point;
        if !grid.cursor.input_needs_wrap {
            point.column.0 = point.column.0.saturating_sub(1);
        }
        if grid[point].flags.contains(Flags::WIDE_CHAR_SPACER) {
            point.column.0 = point.column.0.saturating_sub(1);
        }
        grid[point].zerowidth().is_some_and(|joined| joined.len() >= MAX_ZERO_WIDTH)
    }

    /// Blanks halves of wide characters in the cursor's row, as a terminal on a real screen must.
    fn mend_row(&mut self) {
        if !self.wide_seen {
            return;
        }
        let columns = self.term.columns();
        let grid = self.term.grid_mut();
        let line = grid.cursor.point.line;
        let row = &mut grid[line];
        for column in 0..columns {
            let flags = row[Column(column)].flags;
            let is = |at: usize, flag: Flags| at < columns && row[Column(at)].flags.contains(flag);
            let first_half_alone = flags.contains(Flags::WIDE_CHAR) && !is(column + 1, Flags::WIDE_CHAR_SPACER);
            let second_half_alone =
                flags.contains(Flags::WIDE_CHAR_SPACER) && (column == 0 || !is(column - 1, Flags::WIDE_CHAR));
            if first_half_alone || second_half_alone {
                let cell = &mut row[Column(column)];
                cell.clear_wide();
                cell.flags.remove(Flags::WIDE_CHAR_SPACER);
            }
        }
    }

    fn column(&self) -> usize {
        self.term.grid().cursor.point.column.0
    }

    /// Moves the cursor by lines. The emulator takes the line it is on for one that counts from the
    /// scroll region in origin mode, so it is told one that does.
    fn move_to(&mut self, by_lines: i32, column: usize) {
        let line = self.term.grid().cursor.point.line.0;
        if self.has(TermMode::ORIGIN) {
            let (top, bottom) = (self.scroll_region.0 as i32, self.scroll_region.1 as i32);
            self.term.goto((line - top + by_lines).clamp(0, bottom - top), column);
        } else {
            self.term.goto(line + by_lines, column);
        }
    }

    fn set_alternate_screen(&mut self, on: bool) {
        if self.has(TermMode::ALT_SCREEN) != on {
            let point = self.term.grid().cursor.point;
            self.term.swap_alt();
            // These modes leave the cursor where it is.
            self.term.grid_mut().cursor.point = point;
        }
    }

    /// In origin mode there is no place outside of the scroll region.
    fn keep_in_region(&mut self) {
        if self.has(TermMode::ORIGIN) {
            let (top, bottom) = self.scroll_region;
            let line = &mut self.term.grid_mut().cursor.point.line;
            line.0 = line.0.clamp(top as i32, bottom as i32);
        }
    }

    fn forget(&mut self) {
        self.active_charset = CharsetIndex::G0;
        self.tab_stops = default_tab_stops(self.term.columns());
        self.scroll_region = (0, self.term.screen_lines() - 1);
        self.titles = 0;
    }
}

/// Methods the emulator's own are called for.
macro_rules! passed_on {
    ($($name:ident($($argument:ident: $type:ty),*);)*) => {
        $(#[inline]
        fn $name(&mut self, $($argument: $type),*) {
            Handler::$name(&mut self.term, $($argument),*);
        })*
    };
}

/// The same, for those that may cut a wide character in two.
macro_rules! passed_on_and_mended {
    ($($name:ident($argument:ident: $type:ty);)*) => {
        $(fn $name(&mut self, $argument: $type) {
            Handler::$name(&mut self.term, $argument);
            self.mend_row();
        })*
    };
}

impl Handler for Emulator {
    passed_on! {
        goto(line: i32, column: usize);
        goto_line(line: i32);
        move_forward(count: usize);
        move_backward(count: usize);
        move_backward_tabs(count: u16);
        move_forward_tabs(count: u16);
        put_tab(count: u16);
        backspace();
        carriage_return();
        linefeed();
        newline();
        reverse_index();
        scroll_up(count: usize);
        scroll_down(count: usize);
        insert_blank_lines(count: usize);
        delete_lines(count: usize);
        save_cursor_position();
        terminal_attribute(attribute: Attr);
        decaln();
        set_mode(mode: Mode);
        unset_mode(mode: Mode);
        report_mode(mode: Mode);
        report_private_mode(mode: PrivateMode);
        set_keypad_application_mode();
        unset_keypad_application_mode();
        configure_charset(index: CharsetIndex, charset: StandardCharset);
        set_cursor_style(style: Option<CursorStyle>);
        set_cursor_shape(shape: CursorShape);
        set_color(index: usize, color: Rgb);
        reset_color(index: usize);
        dynamic_color_sequence(prefix: String, index: usize, terminator: &str);
        identify_terminal(intermediate: Option<char>);
        device_status(kind: usize);
        text_area_size_pixels();
        text_area_size_chars();
    }

    passed_on_and_mended! {
        insert_blank(count: usize);
        erase_chars(count: usize);
        delete_chars(count: usize);
        clear_line(mode: LineClearMode);
        clear_screen(mode: ClearMode);
    }

    #[inline]
    fn input(&mut self, character: char) {
        // Below and inside these ranges every character has a width.
        let has_width = character < '\u{a0}' || ('\u{3400}'..'\u{d7b0}').contains(&character);
        self.last_printed = Some(character);
        self.wide_seen |= character >= '\u{1100}';
        if !has_width && character.width() == Some(0) && self.is_crowded() {
            return;
        }
        self.term.input(character);
        if self.has(TermMode::INSERT) {
            self.mend_row();
        }
    }

    fn goto_col(&mut self, column: usize) {
        self.move_to(0, column);
    }

    fn move_up(&mut self, count: usize) {
        self.move_to(-(count as i32), self.column());
    }

    fn move_down(&mut self, count: usize) {
        self.move_to(count as i32, self.column());
    }

    fn move_up_and_cr(&mut self, count: usize) {
        self.move_to(-(count as i32), 0);
    }

    fn move_down_and_cr(&mut self, count: usize) {
        self.move_to(count as i32, 0);
    }

    fn restore_cursor_position(&mut self) {
        self.term.restore_cursor_position();
        self.keep_in_region();
    }

    fn set_title(&mut self, title: Option<String>) {
        let cut = |title: String| title.chars().filter(|c| !c.is_control()).take(MAX_TITLE_CHARS).collect();
        self.term.set_title(title.map(cut));
    }

    fn push_title(&mut self) {
        if self.titles < MAX_TITLES {
            self.titles += 1;
            self.term.push_title();
        }
    }

    fn pop_title(&mut self) {
        if self.titles > 0 {
            self.titles -= 1;
            self.term.pop_title();
        }
    }

    fn set_private_mode(&mut self, mode: PrivateMode) {
        match mode {
            PrivateMode::Unknown(47 | 1047) => self.set_alternate_screen(true),
            PrivateMode::Unknown(1048) => self.term.save_cursor_position(),
            _ => self.term.set_private_mode(mode),
        }
        if mode == PrivateMode::Named(NamedPrivateMode::ColumnMode) {
            self.scroll_region = (0, self.term.screen_lines() - 1);
        }
        self.keep_in_region();
    }

    fn unset_private_mode(&mut self, mode: PrivateMode) {
        match mode {
            PrivateMode::Unknown(47 | 1047) => self.set_alternate_screen(false),
            PrivateMode::Unknown(1048) => self.restore_cursor_position(),
            _ => self.term.unset_private_mode(mode),
        }
        if mode == PrivateMode::Named(NamedPrivateMode::ColumnMode) {
            self.scroll_region = (0, self.term.screen_lines() - 1);
        }
        // The main screen has its own cursor, and the region may have changed since.
        self.keep_in_region();
    }

    fn set_scrolling_region(&mut self, top: usize, bottom: Option<usize>) {
        let rows = self.term.screen_lines();
        let bottom = bottom.unwrap_or(rows).min(rows);
        // A region outside of the screen scrolls nothing in the emulator and everything elsewhere.
        if top < bottom {
            self.scroll_region = (top - 1, bottom - 1);
            self.term.set_scrolling_region(top, Some(bottom));
        }
    }

    fn set_horizontal_tabstop(&mut self) {
        let column = self.term.grid().cursor.point.column.0;
        self.tab_stops[column] = true;
        self.term.set_horizontal_tabstop();
    }

    fn clear_tabs(&mut self, mode: TabulationClearMode) {
        match mode {
            TabulationClearMode::Current => {
                let column = self.term.grid().cursor.point.column.0;
                self.tab_stops[column] = false;
            }
            TabulationClearMode::All => self.tab_stops.fill(false),
        }
        self.term.clear_tabs(mode);
    }

    fn set_active_charset(&mut self, index: CharsetIndex) {
        self.active_charset = index;
        self.term.set_active_charset(index);
    }

    fn reset_state(&mut self) {
        self.term.reset_state();
        self.forget();
        self.term.set_title(None);
    }
}

const _: () = assert!(size_of::<Cell>() <= 24, "the memory figures in BENCHMARKS.md count on it");
