//! Output as text: what a reader without a terminal should get.
//!
//! Control sequences are applied where they change the text (carriage return, backspace, erase,
//! cursor up for progress displays) and dropped where they do not (colours, titles, marks). Lines
//! keep their full length: a program's long line is one line, whatever the terminal's width.
//! Full-screen output (the alternate screen) is left out and counted. Nothing here decides; a
//! caller that needs the bytes reads the ring.

use vte::{Params, Parser, Perform};

/// Lines a program can still rewrite by moving the cursor up.
const REWRITABLE_LINES: usize = 200;
/// Columns a line may have before further text on it is dropped (a hostile cursor movement must
/// not allocate); far longer than any log line.
const MAX_LINE_CHARS: usize = 1 << 20;

/// The cleaned output.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CleanText {
    /// Lines joined by `\n`, no control characters but tab.
    pub text: String,
    /// Times a line was drawn over by a progress display.
    pub redraws: u32,
    /// Bytes of full-screen programs that were left out.
    pub full_screen_bytes: usize,
}

/// Cleans `bytes` as a whole, as written to a terminal of `columns` columns.
pub fn clean(bytes: &[u8], columns: u16) -> CleanText {
    let mut cleaner = Cleaner { columns: usize::from(columns.max(1)), ..Cleaner::default() };
    let mut parser = Parser::new();
    // Small enough that the count of left-out bytes is near the truth.
    for run in bytes.chunks(4096) {
        parser.advance(&mut cleaner, run);
        if cleaner.alternate {
            cleaner.result.full_screen_bytes += run.len();
        }
    }
    cleaner.finish()
}

#[derive(Default)]
struct Cleaner {
    result: CleanText,
    /// The newest lines, still open to change; the cursor is on `row`.
    lines: Vec<Vec<char>>,
    row: usize,
    /// Within the logical line, which may span several rows of the terminal.
    column: usize,
    /// Where the terminal's present row begins within the logical line: a carriage return goes
    /// there, not to the line's beginning.
    row_start: usize,
    columns: usize,
    returned: bool,
    alternate: bool,
}

impl Cleaner {
    fn line(&mut self) -> &mut Vec<char> {
        while self.lines.len() <= self.row {
            self.lines.push(Vec::new());
        }
        &mut self.lines[self.row]
    }

    fn put(&mut self, c: char) {
        if self.alternate || c.is_control() && c != '\t' || self.column >= MAX_LINE_CHARS {
            return;
        }
        if self.column - self.row_start >= self.columns {
            self.row_start += self.columns;
        }
        let column = self.column;
        let overwrites = std::mem::take(&mut self.returned) && column < self.line().len();
        let line = self.line();
        while line.len() < column {
            line.push(' ');
        }
        match line.get_mut(column) {
            Some(cell) => *cell = c,
            None => line.push(c),
        }
        self.column += 1;
        self.result.redraws += u32::from(overwrites);
    }

    fn line_feed(&mut self) {
        if self.alternate {
            return;
        }
        self.line();
        self.row += 1;
        self.column -= self.row_start;
        self.row_start = 0;
        self.line();
        if self.lines.len() > REWRITABLE_LINES {
            let line = self.lines.remove(0);
            self.row -= 1;
            push_line(&mut self.result.text, &line);
        }
    }

    fn finish(mut self) -> CleanText {
        for line in &self.lines {
            push_line(&mut self.result.text, line);
        }
        // One newline ends every line; the last one belongs to no line.
        self.result.text.pop();
        self.result
    }
}

fn push_line(text: &mut String, line: &[char]) {
    let used = line.iter().rposition(|c| *c != ' ').map_or(0, |last| last + 1);
    text.extend(&line[..used]);
    text.push('\n');
}

fn first(params: &Params) -> usize {
    params.iter().next().and_then(|param| param.first()).map_or(0, |value| usize::from(*value))
}

impl Perform for Cleaner {
    fn print(&mut self, c: char) {
        self.put(c);
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' | 0x0b | 0x0c => self.line_feed(),
            b'\r' => {
                self.column = self.row_start;
                self.returned = true;
            }
            0x08 => self.column = self.column.saturating_sub(1).max(self.row_start),
            b'\t' => self.put('\t'),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _: bool, action: char) {
        if intermediates == b"?" && matches!(action, 'h' | 'l') {
            if params.iter().any(|param| matches!(param.first(), Some(47 | 1047 | 1049))) {
                self.alternate = action == 'h';
            }
            return;
        }
        if self.alternate || !intermediates.is_empty() {
            return;
        }
        let count = first(params).max(1);
        match action {
            'A' => self.row = self.row.saturating_sub(count),
            'B' => self.row = (self.row + count).min(self.lines.len().saturating_sub(1)),
            'C' => self.column = (self.column + count).min(MAX_LINE_CHARS),
            'D' => self.column = self.column.saturating_sub(count).max(self.row_start),
            'G' => self.column = (self.row_start + count - 1).min(MAX_LINE_CHARS),
            'K' => self.erase_in_line(first(params)),
            'P' => {
                let column = self.column;
                let line = self.line();
                let end = (column + count).min(line.len());
                if column < end {
                    line.drain(column..end);
                }
            }
            _ => {}
        }
    }
}

impl Cleaner {
    fn erase_in_line(&mut self, mode: usize) {
        let (column, row_start) = (self.column, self.row_start);
        let line = self.line();
        match mode {
            0 => line.truncate(column),
            1 => line.iter_mut().take(column + 1).skip(row_start).for_each(|cell| *cell = ' '),
            _ => line.truncate(row_start),
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
    fn full_screen_output_is_left_out_and_counted() {
        let cleaned = clean(b"before\r\n\x1b[?1049hvim stuff\x1b[?1049lafter", 80);
        assert_eq!(cleaned.text, "before\nafter");
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
