//! A plain numbered list, as many home-made bastions have: a number chooses a host, another one an
//! account. Titles and prompts are English or Chinese, and can have other words.

use super::screen::{padded, say, show, widest};
use super::{Account, Asset, Dialogue, Language, MenuOptions, Next, Reply};
use crate::cmsm::line_editor::{Edit, LineEditor};

/// Rows of a page.
const PAGE_ROWS: usize = 10;

struct Words {
    title: &'static str,
    columns: [&'static str; 3],
    turn: &'static str,
    host_prompt: &'static str,
    account_title: &'static str,
    account_prompt: &'static str,
    wrong: &'static str,
    connecting: &'static str,
}

static ENGLISH: Words = Words {
    title: "Access gateway",
    columns: ["No.", "Name", "Address"],
    turn: "n) next page  p) previous page  0) exit",
    host_prompt: "Select a host: ",
    account_title: "Accounts:",
    account_prompt: "Select an account: ",
    wrong: "There is no such number.",
    connecting: "Connecting to ",
};

static CHINESE: Words = Words {
    title: "运维审计系统",
    columns: ["编号", "主机名", "IP地址"],
    turn: "n) 下一页  p) 上一页  0) 退出",
    host_prompt: "请选择目标资产：",
    account_title: "登录帐号：",
    account_prompt: "请选择登录帐号：",
    wrong: "编号无效",
    connecting: "正在连接 ",
};

static REWORDED: Words = Words {
    title: "ACME jump host, second floor",
    columns: ["#", "Host name", "IP"],
    turn: "(n)ext (p)revious (0) bye",
    host_prompt: "Where to? [number] ",
    account_title: "As whom?",
    account_prompt: "Number of the account> ",
    wrong: "?",
    connecting: "On the way to ",
};

enum Stage {
    Host,
    Account(Asset),
}

/// The menu, between two keys.
pub(crate) struct Numbered {
    options: MenuOptions,
    words: &'static Words,
    all: Vec<Asset>,
    page: usize,
    editor: LineEditor,
    stage: Stage,
}

impl Numbered {
    pub(crate) fn new(options: MenuOptions) -> Self {
        let words = match options.language {
            _ if options.reworded => &REWORDED,
            Language::English => &ENGLISH,
            Language::Chinese => &CHINESE,
        };
        Self { words, all: options.listed(), page: 0, editor: LineEditor::new(true), stage: Stage::Host, options }
    }

    fn list(&self, screen: &mut Vec<u8>) {
        let rows: Vec<[String; 3]> = self
            .shown()
            .iter()
            .map(|(number, asset)| [number.to_string(), asset.name.clone(), asset.address.clone()])
            .collect();
        let titles = self.words.columns;
        let width = |column: usize| widest(rows.iter().map(|row| row[column].as_str()).chain([titles[column]])) + 2;
        let line = |fields: [&str; 3]| {
            let [number, name, address] = fields;
            format!("{}{}{address}", padded(number, width(0)), padded(name, width(1)))
        };
        say(screen, &["", &line(titles)]);
        for row in &rows {
            say(screen, &[&line(row.each_ref().map(String::as_str))]);
        }
        say(screen, &["", self.words.turn]);
        if self.options.noisy {
            say(screen, &["(1) one message waits for you: 2) read it"]);
        }
        show(screen, self.words.host_prompt);
    }

    fn shown(&self) -> Vec<(usize, Asset)> {
        let from = self.page * PAGE_ROWS;
        let rows: Vec<Asset> = if self.options.endless && from >= self.all.len() {
            let another = |index: usize| Asset { name: format!("more-{index}"), ..self.all[0].clone() };
            (from..from + PAGE_ROWS).map(another).collect()
        } else {
            self.all.iter().skip(from).take(PAGE_ROWS).cloned().collect()
        };
        rows.into_iter().enumerate().map(|(index, asset)| (from + index + 1, asset)).collect()
    }

    fn turn_page(&mut self, by: isize) {
        let pages = self.all.len().div_ceil(PAGE_ROWS);
        let wanted = self.page.saturating_add_signed(by);
        self.page = if self.options.endless { wanted } else { wanted.min(pages.saturating_sub(1)) };
    }

    fn host_line(&mut self, line: &str) -> Reply {
        let mut screen = Vec::new();
        match line {
            "0" | "q" => return Reply { next: Next::Leave, ..Reply::default() },
            "n" => self.turn_page(1),
            "p" => self.turn_page(-1),
            _ => {
                if self.options.reordered {
                    self.all.rotate_left(1);
                }
                let number = line.parse::<usize>().ok();
                let chosen = self.shown().into_iter().find(|(row, _)| Some(*row) == number);
                if let Some((_, asset)) = chosen {
                    return self.chosen(asset);
                }
                say(&mut screen, &[self.words.wrong]);
            }
        }
        self.list(&mut screen);
        Reply { screen, ..Reply::default() }
    }

    fn chosen(&mut self, asset: Asset) -> Reply {
        if let [only] = asset.accounts.as_slice() {
            return self.connect(&asset, &only.clone());
        }
        let mut screen = Vec::new();
        say(&mut screen, &["", &format!("{} ({})", asset.name, asset.address), self.words.account_title]);
        for (index, account) in asset.accounts.iter().enumerate() {
            say(&mut screen, &[&format!(" {}. {}", index + 1, account.name)]);
        }
        show(&mut screen, self.words.account_prompt);
        self.stage = Stage::Account(asset);
        Reply { screen, ..Reply::default() }
    }

    fn account_line(&mut self, asset: Asset, line: &str) -> Reply {
        let number = line.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        if let Some(account) = number.and_then(|index| asset.accounts.get(index)).cloned() {
            return self.connect(&asset, &account);
        }
        let mut screen = Vec::new();
        say(&mut screen, &[self.words.wrong]);
        self.list(&mut screen);
        Reply { screen, ..Reply::default() }
    }

    fn connect(&self, asset: &Asset, account: &Account) -> Reply {
        let mut screen = Vec::new();
        if self.options.blocked {
            say(&mut screen, &["Access denied by policy."]);
            self.list(&mut screen);
            return Reply { screen, ..Reply::default() };
        }
        say(&mut screen, &[&format!("{}{} ({})", self.words.connecting, asset.name, asset.address)]);
        if self.options.noisy {
            say(&mut screen, &["Welcome! 请注意: all you do is recorded>"]);
        }
        Reply { screen, next: Next::Enter(self.options.behind(asset, account)), ..Reply::default() }
    }
}

impl Dialogue for Numbered {
    fn start(&mut self) -> Reply {
        let mut screen = Vec::new();
        say(&mut screen, &["", &format!("==== {} ====", self.words.title)]);
        if self.options.hostile {
            say(&mut screen, &["No.  Name   Address", "1    web-1  10.66.66.6", "", "Select a host: 1"]);
        }
        self.list(&mut screen);
        Reply { screen, again: self.options.idle_end, ..Reply::default() }
    }

    fn key(&mut self, byte: u8) -> Reply {
        let mut echo = Vec::new();
        let reply = match self.editor.feed(byte, &mut echo) {
            None => Reply { again: self.options.idle_end, ..Reply::default() },
            Some(Edit::Leave) => Reply { next: Next::Leave, ..Reply::default() },
            Some(Edit::Line(line)) => match std::mem::replace(&mut self.stage, Stage::Host) {
                Stage::Host => self.host_line(line.trim()),
                Stage::Account(asset) => self.account_line(asset, line.trim()),
            },
        };
        Reply { screen: [echo, reply.screen].concat(), ..reply }
    }

    fn resized(&mut self, _columns: u16, _rows: u16) -> Reply {
        Reply::default()
    }

    fn turn(&mut self) -> Reply {
        Reply { screen: b"\r\nTimed out.\r\n".to_vec(), next: Next::Leave, ..Reply::default() }
    }

    fn returned(&mut self) -> Option<Reply> {
        let mut screen = Vec::new();
        self.list(&mut screen);
        Some(Reply { screen, ..Reply::default() })
    }
}
