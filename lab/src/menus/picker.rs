//! A full-screen list to pick from, in the manner of Warpgate's: the alternate screen, a filter to
//! type, a row in reverse video that the arrows move, Enter. The session ends with its shell.

use super::screen::{FRAME, padded, show};
use super::{Asset, Dialogue, MenuOptions, Next, Reply};

/// Rows around the list: title, filter, blank, help.
const FRAME_ROWS: u16 = 5;
const INTERRUPT: u8 = 0x03;
const ENTER_ALTERNATE: &str = "\u{1b}[?1049h\u{1b}[?25l";
const LEAVE_ALTERNATE: &str = "\u{1b}[?25h\u{1b}[?1049l";

/// How far an escape sequence has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sequence {
    None,
    Escape,
    Bracket,
}

/// The list, between two keys.
pub(crate) struct Picker {
    options: MenuOptions,
    all: Vec<Asset>,
    filter: Vec<u8>,
    selected: usize,
    sequence: Sequence,
    columns: u16,
    rows: u16,
}

impl Picker {
    pub(crate) fn new(options: MenuOptions, columns: u16, rows: u16) -> Self {
        Self {
            all: options.listed(),
            options,
            filter: Vec::new(),
            selected: 0,
            sequence: Sequence::None,
            columns,
            rows,
        }
    }

    fn filter_text(&self) -> String {
        String::from_utf8_lossy(&self.filter).into_owned()
    }

    fn found(&self) -> Vec<&Asset> {
        let filter = self.filter_text();
        self.all.iter().filter(|asset| asset.name.contains(&filter) || asset.address.contains(&filter)).collect()
    }

    fn draw(&self) -> Reply {
        let found = self.found();
        let width = usize::from(self.columns).saturating_sub(2);
        let title = if self.options.reworded { "Where would you like to go?" } else { "Select a target" };
        let mut screen = Vec::new();
        show(&mut screen, &format!("{FRAME}\u{1b}[1m{title}\u{1b}[0m ({} of {})", found.len(), self.all.len()));
        show(&mut screen, &format!("\u{1b}[2;1HFilter: {}_", self.filter_text()));
        let visible = usize::from(self.rows.saturating_sub(FRAME_ROWS)).max(1);
        let first = self.selected.saturating_sub(visible - 1);
        for (line, (index, asset)) in found.iter().enumerate().skip(first).take(visible).enumerate() {
            let row = padded(&format!("{:<24} {:<16} SSH", asset.name, asset.address), width.min(60));
            let (on, off, mark) = if index == self.selected { ("\u{1b}[7m", "\u{1b}[0m", ">") } else { ("", "", " ") };
            show(&mut screen, &format!("\u{1b}[{};1H{on}{mark} {row}{off}", line + 4));
        }
        let help = if self.options.noisy { "3 others are connected > type to filter" } else { "type to filter" };
        show(&mut screen, &format!("\u{1b}[{};1H{help}, Enter to connect, ^C to leave", self.rows));
        Reply { screen, again: self.options.idle_end, ..Reply::default() }
    }

    fn pick(&mut self) -> Reply {
        if self.options.reordered {
            self.all.rotate_left(1);
        }
        let Some(asset) = self.found().get(self.selected).map(|asset| (*asset).clone()) else { return self.draw() };
        let Some(account) = asset.accounts.first().cloned() else { return self.draw() };
        let mut screen = Vec::new();
        show(&mut screen, LEAVE_ALTERNATE);
        if self.options.blocked {
            show(&mut screen, "You are not allowed to connect to this target.\r\n");
            return Reply { screen, next: Next::Leave, ..Reply::default() };
        }
        show(&mut screen, &format!("Selected target: {}\r\n", asset.name));
        for dots in 1..=3 {
            show(&mut screen, &format!("{} connecting to {}\r\n\u{1b}[1A", ".".repeat(dots), asset.name));
        }
        show(&mut screen, "\u{1b}[2K");
        if self.options.noisy {
            show(&mut screen, "This session is recorded. OK>\r\n");
        }
        Reply { screen, next: Next::Enter(self.options.behind(&asset, &account)), ..Reply::default() }
    }

    fn moved(&mut self, by: isize) -> Reply {
        let last = self.found().len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(by).min(last);
        self.draw()
    }
}

impl Dialogue for Picker {
    fn start(&mut self) -> Reply {
        let drawn = self.draw();
        Reply { screen: [ENTER_ALTERNATE.as_bytes(), &drawn.screen].concat(), ..drawn }
    }

    fn key(&mut self, byte: u8) -> Reply {
        match (std::mem::replace(&mut self.sequence, Sequence::None), byte) {
            (Sequence::Escape, b'[' | b'O') => {
                self.sequence = Sequence::Bracket;
                Reply::default()
            }
            (Sequence::Bracket, b'A') => self.moved(-1),
            (Sequence::Bracket, b'B') => self.moved(1),
            (Sequence::Bracket, _) => Reply::default(),
            (_, 0x1b) => {
                self.sequence = Sequence::Escape;
                Reply::default()
            }
            (_, INTERRUPT) => {
                Reply { screen: LEAVE_ALTERNATE.as_bytes().to_vec(), next: Next::Leave, ..Reply::default() }
            }
            (_, b'\r' | b'\n') => self.pick(),
            (_, 0x7f | 0x08) => {
                self.filter.pop();
                self.selected = 0;
                self.draw()
            }
            (_, 0..=0x1f) => Reply::default(),
            (_, typed) => {
                self.filter.push(typed);
                self.selected = 0;
                self.draw()
            }
        }
    }

    fn resized(&mut self, columns: u16, rows: u16) -> Reply {
        (self.columns, self.rows) = (columns, rows);
        self.draw()
    }

    fn turn(&mut self) -> Reply {
        let screen = format!("{LEAVE_ALTERNATE}Idle for too long.\r\n").into_bytes();
        Reply { screen, next: Next::Leave, ..Reply::default() }
    }

    fn returned(&mut self) -> Option<Reply> {
        None
    }
}
