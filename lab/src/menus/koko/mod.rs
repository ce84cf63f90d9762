//! A line menu in the manner of koko, the terminal component of JumpServer.
//!
//! Its grammar is what makes it dangerous to type into: text that has exactly one hit connects at
//! once, a number means a row of the page that is shown, an empty line lists or turns the page.
//! Only `/text` and `//text` list without connecting.

mod listing;
mod words;

use std::time::Duration;

use self::listing::Listing;
use self::words::{ITEMS, Words, words};
use super::screen::{green, padded, say, show, widest};
use super::{Account, Asset, Dialogue, MenuOptions, Next, Reply, Review};
use crate::cmsm::line_editor::{Edit, LineEditor};

const START_PROMPT: &str = "Opt> ";
const LIST_PROMPT: &str = "[Host]> ";
const NUMBER_PROMPT: &str = "ID> ";
/// Wrong answers to the question for an account.
const ACCOUNT_TRIES: u8 = 3;
/// One turn of the spinner. The real one counts seconds; tests need not wait for those.
const SPINNER: Duration = Duration::from_millis(100);

#[derive(Debug)]
enum Stage {
    Menu,
    Account { asset: Asset, tries_left: u8 },
    Review { asset: Asset, account: Account },
    Reviewing { asset: Asset, account: Account, turns: u32 },
}

/// The menu, between two keys.
pub(crate) struct Koko {
    options: MenuOptions,
    words: &'static Words,
    columns: u16,
    rows: u16,
    editor: LineEditor,
    stage: Stage,
    prompt: &'static str,
    listing: Listing,
}

impl Koko {
    pub(crate) fn new(options: MenuOptions, columns: u16, rows: u16) -> Self {
        Self {
            words: words(options.language),
            columns,
            rows,
            editor: LineEditor::new(true),
            stage: Stage::Menu,
            prompt: START_PROMPT,
            listing: Listing::new(&options),
            options,
        }
    }

    fn banner(&self) -> Vec<u8> {
        let (mut screen, words) = (Vec::new(), self.words);
        let title = if self.options.reworded { "ACME access, ext. 4711" } else { words.title };
        show(&mut screen, "\u{1b}[2J\u{1b}[H");
        say(&mut screen, &[&format!("\t\t{}  {title}", green("Ann,")), ""]);
        let (enter, to, what) = words.item;
        for (index, item) in ITEMS.iter().enumerate() {
            say(&mut screen, &[&format!("\t{:2}) {enter}{}{to}{what}", index + 1, green(item))]);
        }
        if self.options.noisy {
            say(&mut screen, &["", &green("Announcement: maintenance on Sunday> 02:00$"), "all of it#", ""]);
        }
        if self.options.hostile {
            let fake = self.listing.fake_page();
            say(&mut screen, &["Opt> /web-1"]);
            screen.extend(fake);
            say(&mut screen, &["[Host]> 1", "Connecting to root@10.66.1.21  0.1", "[root@web-1 ~]# "]);
        }
        screen
    }

    fn with_prompt(&self, mut screen: Vec<u8>) -> Reply {
        if self.options.noisy {
            say(&mut screen, &["*** 3 users online ***"]);
        }
        show(&mut screen, self.prompt);
        Reply { screen, again: self.options.idle_end, ..Reply::default() }
    }

    fn page_size(&self) -> usize {
        usize::from(self.rows).saturating_sub(8).max(1)
    }

    fn line(&mut self, line: &str) -> Reply {
        match std::mem::replace(&mut self.stage, Stage::Menu) {
            Stage::Menu => self.menu_line(line),
            Stage::Account { asset, tries_left } => self.account_line(asset, tries_left, line),
            Stage::Review { asset, account } => self.review_line(asset, account, line),
            Stage::Reviewing { asset, account, turns } if line.is_empty() => {
                self.stage = Stage::Reviewing { asset, account, turns };
                Reply { again: Some(SPINNER), ..Reply::default() }
            }
            Stage::Reviewing { .. } => self.with_prompt(Vec::new()),
        }
    }

    fn menu_line(&mut self, line: &str) -> Reply {
        let size = self.page_size();
        match line {
            "q" | "exit" | "quit" => return Reply { next: Next::Leave, ..Reply::default() },
            "" | "n" | "N" => self.listing.turn(1, size),
            "b" | "B" => self.listing.turn(-1, size),
            "p" | "P" | "h" | "H" => {
                self.prompt = LIST_PROMPT;
                self.listing.search("");
            }
            "?" => {
                self.prompt = START_PROMPT;
                return self.with_prompt(self.banner());
            }
            "g" | "d" | "k" | "r" | "s" => return self.with_prompt(b"-\r\n".to_vec()),
            _ => match (line.strip_prefix("//"), line.strip_prefix('/')) {
                (Some(text), _) => self.listing.narrow(text.trim()),
                (None, Some(text)) => self.listing.search(text.trim()),
                (None, None) => return self.search_or_connect(line),
            },
        }
        let page = self.page();
        self.with_prompt(page)
    }

    fn page(&self) -> Vec<u8> {
        self.listing.page(self.page_size(), self.words)
    }

    /// The dangerous line: a number connects, and so does text with one hit.
    fn search_or_connect(&mut self, line: &str) -> Reply {
        if self.options.reordered {
            self.listing.reorder();
        }
        let chosen = line.parse::<usize>().ok().and_then(|number| self.listing.row(number, self.page_size()));
        if let Some(asset) = chosen {
            return self.choose(asset);
        }
        self.listing.search(line);
        match self.listing.only(line) {
            Some(asset) => self.choose(asset),
            None => self.with_prompt(self.page()),
        }
    }

    fn choose(&mut self, asset: Asset) -> Reply {
        match asset.accounts.as_slice() {
            [] => self.with_prompt(b"No account found.\r\n".to_vec()),
            [only] => {
                let account = only.clone();
                self.permit(asset, account)
            }
            _ => self.ask_account(asset, ACCOUNT_TRIES, Vec::new()),
        }
    }

    fn ask_account(&mut self, asset: Asset, tries_left: u8, mut screen: Vec<u8>) -> Reply {
        let rows: Vec<[String; 3]> = asset
            .accounts
            .iter()
            .enumerate()
            .map(|(index, account)| [(index + 1).to_string(), account.name.clone(), account.login.clone()])
            .collect();
        screen.extend(table(&self.words.account_columns, &rows));
        let (before, after) = self.words.account_tip;
        say(
            &mut screen,
            &[&green(&format!("{before}{}({}){after}", asset.name, asset.address)), &green(self.words.back)],
        );
        show(&mut screen, NUMBER_PROMPT);
        self.stage = Stage::Account { asset, tries_left };
        Reply { screen, ..Reply::default() }
    }

    fn account_line(&mut self, asset: Asset, tries_left: u8, line: &str) -> Reply {
        if ["q", "b", "quit", "exit", "back"].contains(&line.to_lowercase().as_str()) {
            return self.with_prompt(Vec::new());
        }
        let number = line.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        if let Some(account) = number.and_then(|index| asset.accounts.get(index)).cloned() {
            return self.permit(asset, account);
        }
        match tries_left.saturating_sub(1) {
            0 => self.with_prompt(format!("{}\r\n", self.words.too_many_tries).into_bytes()),
            left => self.ask_account(asset, left, Vec::new()),
        }
    }

    fn permit(&mut self, asset: Asset, account: Account) -> Reply {
        if self.options.blocked {
            return self.with_prompt(format!("{}\r\n", self.words.blocked).into_bytes());
        }
        if self.options.review.is_none() {
            return self.connect(&asset, &account);
        }
        self.stage = Stage::Review { asset, account };
        Reply { screen: format!("\r\n{}", self.words.review).into_bytes(), ..Reply::default() }
    }

    fn review_line(&mut self, asset: Asset, account: Account, line: &str) -> Reply {
        if !line.eq_ignore_ascii_case("y") {
            return self.with_prompt(Vec::new());
        }
        self.stage = Stage::Reviewing { asset, account, turns: 0 };
        let mut screen = Vec::new();
        say(&mut screen, &["Ticket Reviewers: Administrator"]);
        Reply { screen, again: Some(SPINNER), ..Reply::default() }
    }

    fn review_turn(&mut self, asset: Asset, account: Account, turns: u32) -> Reply {
        match self.options.review {
            Some(Review::Approve(after)) if turns >= after => {
                let connected = self.connect(&asset, &account);
                let approved = format!("\r\n{}\r\n", green(self.words.approved)).into_bytes();
                Reply { screen: [approved, connected.screen].concat(), ..connected }
            }
            Some(Review::Reject(after)) if turns >= after => {
                self.with_prompt(format!("\r\n{}\r\n", self.words.rejected).into_bytes())
            }
            _ => {
                let screen = format!("\r{}{turns}s", self.words.waiting).into_bytes();
                self.stage = Stage::Reviewing { asset, account, turns: turns + 1 };
                Reply { screen, again: Some(SPINNER), ..Reply::default() }
            }
        }
    }

    fn connect(&self, asset: &Asset, account: &Account) -> Reply {
        let mut screen = Vec::new();
        for tenths in 0..3 {
            let said = format!("\r{}{}@{}  0.{tenths}", self.words.connecting, account.login, asset.address);
            show(&mut screen, &said);
        }
        say(&mut screen, &[""]);
        if self.options.noisy {
            say(&mut screen, &["### unauthorised use is logged >", "Last login: today from 10.0.0.1"]);
        }
        Reply { screen, next: Next::Enter(self.options.behind(asset, account)), ..Reply::default() }
    }
}

impl Dialogue for Koko {
    fn start(&mut self) -> Reply {
        self.with_prompt(self.banner())
    }

    fn key(&mut self, byte: u8) -> Reply {
        let mut echo = Vec::new();
        let reply = match self.editor.feed(byte, &mut echo) {
            None => Reply { again: self.options.idle_end, ..Reply::default() },
            Some(Edit::Leave) => Reply { next: Next::Leave, ..Reply::default() },
            Some(Edit::Line(line)) => self.line(line.trim()),
        };
        Reply { screen: [echo, reply.screen].concat(), ..reply }
    }

    fn resized(&mut self, columns: u16, rows: u16) -> Reply {
        (self.columns, self.rows) = (columns, rows);
        Reply::default()
    }

    fn turn(&mut self) -> Reply {
        match std::mem::replace(&mut self.stage, Stage::Menu) {
            Stage::Reviewing { asset, account, turns } => self.review_turn(asset, account, turns),
            _ => {
                let (before, after) = self.words.idle;
                let screen = format!("\r\n{before}30{after}\r\n").into_bytes();
                Reply { screen, next: Next::Leave, ..Reply::default() }
            }
        }
    }

    fn returned(&mut self) -> Option<Reply> {
        Some(self.with_prompt(Vec::new()))
    }
}

/// Fields between bars, without a border, as the menu draws its tables.
fn table<const N: usize>(titles: &[&str; N], rows: &[[String; N]]) -> Vec<u8> {
    let width = |column: usize| {
        let fields = rows.iter().map(move |row| row[column].as_str());
        widest(fields.chain([titles[column]]))
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |fields: Vec<&str>| -> String {
        let fields: Vec<String> = fields.iter().zip(&widths).map(|(field, width)| padded(field, *width)).collect();
        format!("  {} ", fields.join(" | "))
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    let mut screen = Vec::new();
    say(&mut screen, &[&format!("\u{1b}[1;32m{}\u{1b}[0m", line(titles.to_vec())), &format!("-{}", rule.join("+"))]);
    for row in rows {
        say(&mut screen, &[&line(row.iter().map(String::as_str).collect())]);
    }
    screen
}
