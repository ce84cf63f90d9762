//! The page a command's output is written on: as high as the screen, and what leaves it at the top is
//! kept for good.
//!
//! A row is a row of the terminal; one that wraps continues in the next and both become one line.
//! Blank cells nobody wrote, the second half of a wide character and what a tab skips are marked, so
//! that text comes out as it was printed: tabs stay tabs, printed blanks stay.

use std::collections::VecDeque;

use unicode_width::UnicodeWidthChar;

/// Never written.
const BLANK: char = '\u{0}';
/// The second cell of a wide character.
const SECOND_HALF: char = '\u{1}';
/// Cells a tab has skipped.
const SKIPPED: char = '\u{2}';
const TAB_WIDTH: usize = 8;
/// Longest text attached to one cell: combining characters, a link's target.
const MAX_ATTACHED_BYTES: usize = 2048;

#[derive(Debug, Default)]
struct Row<'a> {
    /// A line that came whole; it is taken over as it is unless something changes it.
    plain: Option<&'a str>,
    cells: Vec<char>,
    /// Continues in the next row.
    wrapped: bool,
    /// Something was printed over or erased: blanks at its end mean nothing.
    edited: bool,
    /// Text behind the cell of that column.
    attached: Vec<(usize, String)>,
}

impl<'a> Row<'a> {
    fn plain(text: &'a str, wrapped: bool) -> Self {
        Self { plain: Some(text), wrapped, ..Self::default() }
    }

    fn is_empty(&self) -> bool {
        self.plain.is_none() && self.cells.is_empty()
    }

    fn cells(&mut self) -> &mut Vec<char> {
        if let Some(text) = self.plain.take() {
            text.chars().for_each(|character| self.append(character));
        }
        &mut self.cells
    }

    /// Puts a character behind the last cell.
    fn append(&mut self, character: char) {
        let column = self.cells().len();
        if character == '\t' {
            let width = TAB_WIDTH - column % TAB_WIDTH;
            self.cells().push('\t');
            self.cells().extend(std::iter::repeat_n(SKIPPED, width - 1));
            return;
        }
        match character.width() {
            Some(0) => self.attach(column.saturating_sub(1), &character.to_string()),
            Some(2) => self.cells().extend([character, SECOND_HALF]),
            _ => self.cells().push(character),
        }
    }

    fn attach(&mut self, column: usize, text: &str) {
        let cells = self.cells();
        let column = if cells.get(column) == Some(&SECOND_HALF) { column.saturating_sub(1) } else { column };
        match self.attached.iter_mut().find(|(at, _)| *at == column) {
            Some((_, known)) if known.len() + text.len() <= MAX_ATTACHED_BYTES => known.push_str(text),
            Some(_) => {}
            None => self.attached.push((column, text.to_owned())),
        }
    }

    /// Frees the cells `from..to` of what reaches into them; they are blank then.
    fn free(&mut self, from: usize, to: usize) {
        let cells = self.cells();
        let to = to.min(cells.len());
        if from >= to {
            return;
        }
        let mut first = from;
        while first > 0 && matches!(cells[first], SECOND_HALF | SKIPPED) {
            first -= 1;
        }
        let mut end = to;
        while end < cells.len() && matches!(cells[end], SECOND_HALF | SKIPPED) {
            end += 1;
        }
        cells[first..end].fill(' ');
        self.edited = true;
        self.attached.retain(|(column, _)| !(first..end).contains(column));
    }

    fn write_to(&self, text: &mut String) {
        text.push_str(self.plain.unwrap_or_default());
        let ends = |cell: &char| *cell == BLANK || self.edited && *cell == ' ';
        let last = if self.wrapped {
            self.cells.len().checked_sub(1)
        } else {
            self.cells.iter().rposition(|cell| !ends(cell))
        };
        for (column, cell) in self.cells.iter().enumerate().take(last.map_or(0, |last| last + 1)) {
            match *cell {
                SECOND_HALF | SKIPPED => {}
                BLANK => text.push(' '),
                character => text.push(character),
            }
            if !self.attached.is_empty() {
                let here = self.attached.iter().filter(|(at, _)| *at == column);
                here.for_each(|(_, attached)| text.push_str(attached));
            }
        }
        if !self.wrapped {
            text.push('\n');
        }
    }
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Page<'a> {
    /// Lines that have left the page, each with its line feed.
    text: String,
    rows: VecDeque<Row<'a>>,
    columns: usize,
    height: usize,
    /// May be below the last row there is.
    row: usize,
    /// `columns` when the next character wraps.
    column: usize,
    saved: (usize, usize),
    /// First and last row that scroll.
    region: (usize, usize),
    pub(super) autowrap: bool,
    pub(super) insert: bool,
    /// The cursor went back since something was printed.
    returned: bool,
    /// Times something was printed over.
    pub(super) redraws: u32,
    last_printed: Option<char>,
    /// A note came last.
    noted: bool,
}

impl<'a> Page<'a> {
    pub(super) fn new(columns: u16, height: u16) -> Self {
        let (columns, height) = (usize::from(columns.max(2)), usize::from(height.max(1)));
        Self {
            text: String::new(),
            rows: VecDeque::from([Row::default()]),
            columns,
            height,
            row: 0,
            column: 0,
            saved: (0, 0),
            region: (0, height - 1),
            autowrap: true,
            insert: false,
            returned: false,
            redraws: 0,
            last_printed: None,
            noted: false,
        }
    }

    fn row(&mut self) -> &mut Row<'a> {
        while self.rows.len() <= self.row {
            self.rows.push_back(Row::default());
        }
        &mut self.rows[self.row]
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// A whole line can be taken over as it is.
    pub(super) fn takes_whole_lines(&mut self) -> bool {
        let whole = self.column == 0 && self.autowrap && self.region == (0, self.height - 1);
        whole && self.row + 1 >= self.rows.len() && self.row().is_empty()
    }

    /// Prints a line of characters that all have their place, and moves on to the next.
    pub(super) fn whole_line(&mut self, line: &'a str) {
        let mut rest = line;
        while rest.len() > self.columns {
            let end = fitting(rest, self.columns);
            if end == rest.len() {
                break;
            }
            let (fits, more) = rest.split_at(end);
            *self.row() = Row::plain(fits, true);
            self.line_feed();
            rest = more;
        }
        if !rest.is_empty() {
            *self.row() = Row::plain(rest, false);
            self.last_printed = rest.chars().next_back();
        }
        self.line_feed();
    }

    /// A line of our own, on a row of its own.
    pub(super) fn note(&mut self, note: &str) {
        self.carriage_return();
        if !self.row().is_empty() {
            self.line_feed();
        }
        note.chars().for_each(|character| self.print(character));
        self.carriage_return();
        self.line_feed();
        self.returned = false;
        self.noted = true;
    }

    pub(super) fn print(&mut self, character: char) {
        self.noted = false;
        self.last_printed = Some(character);
        let width = character.width().unwrap_or(0);
        if width == 0 {
            let column = self.column.saturating_sub(1);
            self.row().attach(column, &character.to_string());
            return;
        }
        if self.column + width > self.columns {
            self.wrap(width);
        }
        let (column, insert) = (self.column, self.insert);
        let over = column < self.row().cells().len() && !insert;
        let row = self.row();
        if insert && column < row.cells().len() {
            row.free(column, column);
            row.cells().splice(column..column, std::iter::repeat_n(BLANK, width));
        } else {
            row.free(column, column + width);
        }
        let cells = row.cells();
        if cells.len() < column + width {
            cells.resize(column + width, BLANK);
        }
        cells[column] = character;
        if width == 2 {
            cells[column + 1] = SECOND_HALF;
        }
        self.column += width;
        self.redraws += u32::from(std::mem::take(&mut self.returned) && over);
    }

    fn wrap(&mut self, width: usize) {
        if !self.autowrap {
            self.column = self.columns - width;
            return;
        }
        self.row().wrapped = true;
        self.line_feed();
        self.column = 0;
    }

    pub(super) fn repeat(&mut self, count: usize) {
        if let Some(character) = self.last_printed {
            (0..count.min(self.columns * self.height)).for_each(|_| self.print(character));
        }
    }

    /// Attaches text behind the last character.
    pub(super) fn attach(&mut self, text: &str) {
        let column = self.column.saturating_sub(1);
        self.row().attach(column, text);
    }

    pub(super) fn tab(&mut self) {
        let column = self.column.min(self.columns - 1);
        let target = (column / TAB_WIDTH + 1) * TAB_WIDTH;
        let cells = self.row().cells();
        // At the end of the text a tab is text; within it, it moves.
        if column >= cells.len() {
            cells.resize(column, BLANK);
            cells.push('\t');
            cells.resize(target, SKIPPED);
        }
        self.column = target.min(self.columns - 1);
    }

    pub(super) fn carriage_return(&mut self) {
        self.column = 0;
        self.returned = true;
    }

    pub(super) fn backspace(&mut self) {
        self.left(1);
    }

    pub(super) fn line_feed(&mut self) {
        self.noted = false;
        if self.row == self.region.1 {
            self.scroll_up(1);
        } else if self.row + 1 < self.height {
            self.row += 1;
        }
        self.row();
    }

    /// The region's first rows leave; those of a region at the page's top are kept as text.
    pub(super) fn scroll_up(&mut self, count: usize) {
        let (top, bottom) = self.region;
        for _ in 0..count.min(bottom + 1 - top) {
            if top >= self.rows.len() {
                return;
            }
            if let Some(row) = self.rows.remove(top).filter(|_| top == 0) {
                row.write_to(&mut self.text);
            }
            if bottom <= self.rows.len() {
                self.rows.insert(bottom, Row::default());
            }
        }
    }

    pub(super) fn insert_rows(&mut self, count: usize) {
        let bottom = self.region.1;
        for _ in 0..count.min(self.height) {
            if self.row >= self.rows.len() || self.row > bottom {
                return;
            }
            if bottom < self.rows.len() {
                self.rows.remove(bottom);
            }
            self.rows.insert(self.row, Row::default());
        }
    }

    pub(super) fn delete_rows(&mut self, count: usize) {
        let bottom = self.region.1;
        for _ in 0..count.min(self.height) {
            if self.row >= self.rows.len() || self.row > bottom {
                return;
            }
            self.rows.remove(self.row);
            if bottom <= self.rows.len() {
                self.rows.insert(bottom, Row::default());
            }
        }
    }

    pub(super) fn reverse_line_feed(&mut self) {
        if self.row == self.region.0 {
            self.insert_rows(1);
        } else {
            self.up(1);
        }
    }

    pub(super) fn set_region(&mut self, top: usize, bottom: usize) {
        let bottom = bottom.min(self.height);
        if top < bottom {
            self.region = (top.saturating_sub(1), bottom - 1);
            self.go_to(0, 0);
        }
    }

    pub(super) fn up(&mut self, count: usize) {
        self.row = self.row.saturating_sub(count);
        self.column = self.column.min(self.columns - 1);
        self.returned = true;
    }

    pub(super) fn down(&mut self, count: usize) {
        self.row = (self.row + count).min(self.height - 1);
        self.column = self.column.min(self.columns - 1);
    }

    pub(super) fn left(&mut self, count: usize) {
        self.column = self.column.min(self.columns - 1).saturating_sub(count);
        self.returned = true;
    }

    pub(super) fn right(&mut self, count: usize) {
        self.column = (self.column + count).min(self.columns - 1);
    }

    pub(super) fn move_to_column(&mut self, column: usize) {
        self.column = column.min(self.columns - 1);
        self.returned = true;
    }

    pub(super) fn move_to_row(&mut self, row: usize) {
        self.row = row.min(self.height - 1);
        self.returned = true;
    }

    pub(super) fn go_to(&mut self, row: usize, column: usize) {
        self.move_to_row(row);
        self.move_to_column(column);
    }

    pub(super) fn save_cursor(&mut self) {
        self.saved = (self.row, self.column);
    }

    pub(super) fn restore_cursor(&mut self) {
        (self.row, self.column) = self.saved;
        self.returned = true;
    }

    pub(super) fn erase_in_line(&mut self, mode: usize) {
        let column = self.column.min(self.columns - 1);
        // Behind the last column nothing is to the right.
        if mode == 0 && self.column == self.columns {
            return;
        }
        let row = self.row();
        match mode {
            0 => {
                row.free(column, usize::MAX);
                row.cells().truncate(column);
                row.wrapped = false;
            }
            1 => row.free(0, column + 1),
            2 => *row = Row { edited: true, ..Row::default() },
            _ => {}
        }
    }

    /// Erases below or above the cursor. Erasing everything, or everything from the first cell on, is
    /// the beginning of a new page: what was there has been seen and is kept.
    pub(super) fn erase_in_page(&mut self, mode: usize) {
        match mode {
            0 if (self.row, self.column) == (0, 0) => self.turn(),
            0 => {
                self.erase_in_line(0);
                self.rows.truncate(self.row + 1);
            }
            1 => {
                self.erase_in_line(1);
                let above = self.row.min(self.rows.len());
                self.rows.iter_mut().take(above).for_each(|row| *row = Row::default());
            }
            2 => self.turn(),
            // The scrollback is not ours to erase.
            _ => {}
        }
    }

    /// Keeps what is on the page and begins an empty one.
    fn turn(&mut self) {
        let used = self.rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
        for mut row in self.rows.drain(..).take(used) {
            row.wrapped = false;
            row.write_to(&mut self.text);
        }
    }

    pub(super) fn reset(&mut self) {
        self.turn();
        let (columns, height) = (self.columns as u16, self.height as u16);
        let fresh = Self::new(columns, height);
        *self = Self { text: std::mem::take(&mut self.text), redraws: self.redraws, ..fresh };
    }

    pub(super) fn delete_characters(&mut self, count: usize) {
        let column = self.column.min(self.columns - 1);
        let row = self.row();
        let end = (column + count).min(row.cells().len());
        if column < end {
            row.free(column, end);
            row.cells().drain(column..end);
        }
    }

    pub(super) fn insert_blanks(&mut self, count: usize) {
        let (column, columns) = (self.column.min(self.columns - 1), self.columns);
        let row = self.row();
        if column < row.cells().len() {
            row.free(column, column + 1);
            row.cells().splice(column..column, std::iter::repeat_n(' ', count.min(columns)));
            row.cells().truncate(columns);
        }
    }

    pub(super) fn erase_characters(&mut self, count: usize) {
        let column = self.column.min(self.columns - 1);
        self.row().free(column, column + count);
    }

    /// Everything as text.
    pub(super) fn finish(mut self) -> String {
        let last = self.rows.len().saturating_sub(1);
        for (number, row) in self.rows.iter().enumerate() {
            row.write_to(&mut self.text);
            if number == last && !row.wrapped {
                // One line feed ends every line; the last one belongs to no line.
                self.text.pop();
            }
        }
        if self.noted {
            // Nothing came behind it.
            self.text.pop();
        }
        self.text
    }
}

/// How many bytes of `text` fit into a row.
fn fitting(text: &str, columns: usize) -> usize {
    if text.is_ascii() {
        return columns.min(text.len());
    }
    let mut used = 0;
    for (index, character) in text.char_indices() {
        used += character.width().unwrap_or(0);
        if used > columns {
            return index;
        }
    }
    text.len()
}
