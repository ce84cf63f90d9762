//! Menus of other bastions than [`crate::cmsm`]: a line menu in the manner of JumpServer's koko
//! ([`koko`]), a full-screen picker in that of Warpgate ([`picker`]), and a plain numbered list
//! ([`numbered`]).
//!
//! What they are: dialogues without input or output of their own, each with the grammar of the
//! real thing, written from its description; and the ways in which such menus go wrong, to choose
//! from in [`MenuOptions`]. What they are not: those products. Texts are theirs only where a
//! client has to read them.
//!
//! Who calls it: the bastion's channel, which shows what a dialogue says, feeds it keys, sizes and
//! the time, runs the shell it leads to, and comes back to it afterwards.

pub mod assets;
pub(crate) mod koko;
pub(crate) mod numbered;
pub(crate) mod picker;
mod screen;

use std::time::Duration;

pub use assets::{Account, Asset};
use encoding_rs::GBK;

use crate::bastion::Front;

/// The menu's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

/// What a reviewer does who has to agree to a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Review {
    /// Says yes after so many turns of the spinner.
    Approve(u32),
    /// Says no after so many turns of the spinner.
    Reject(u32),
    /// Does not answer.
    Never,
}

/// What a menu offers and what is wrong with it. The default is a menu of every day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MenuOptions {
    /// What can be chosen.
    pub assets: Vec<Asset>,
    /// The menu's language.
    pub language: Language,
    /// Output is GBK, and input is read as GBK; the shells behind speak UTF-8 all the same.
    pub gbk: bool,
    /// News before, between and behind the menu's own texts.
    pub noisy: bool,
    /// Prompts and titles have other words, where the real menu's can be changed.
    pub reworded: bool,
    /// Rows stand in another order when one is chosen than when they were listed.
    pub reordered: bool,
    /// Names and news that look like prompts and rows, escape sequences among them.
    pub hostile: bool,
    /// There is always one more page.
    pub endless: bool,
    /// The choice leads to another host.
    pub wrong_host: bool,
    /// The login is forbidden by a rule.
    pub blocked: bool,
    /// A reviewer has to agree.
    pub review: Option<Review>,
    /// The session ends after this long without a key.
    pub idle_end: Option<Duration>,
    /// The connection is cut in the middle of the answer of this number; the greeting is 0.
    pub cut_at_answer: Option<u32>,
}

impl Default for MenuOptions {
    fn default() -> Self {
        Self {
            assets: assets::inventory(),
            language: Language::English,
            gbk: false,
            noisy: false,
            reworded: false,
            reordered: false,
            hostile: false,
            endless: false,
            wrong_host: false,
            blocked: false,
            review: None,
            idle_end: None,
            cut_at_answer: None,
        }
    }
}

impl MenuOptions {
    /// What the menu lists: the hostile rows are there only where they are wanted.
    fn listed(&self) -> Vec<Asset> {
        let mut listed = if self.hostile { assets::hostile() } else { Vec::new() };
        listed.extend(self.assets.iter().cloned());
        listed
    }

    /// The host the choice of an asset really leads to.
    fn behind(&self, asset: &Asset, account: &Account) -> Place {
        let other = self.assets.iter().find(|other| other.host != asset.host);
        let leads_to = other.filter(|_| self.wrong_host).unwrap_or(asset);
        Place { host: leads_to.host.clone(), address: leads_to.address.clone(), user: account.login.clone() }
    }
}

/// A host and a user, as chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) host: String,
    pub(crate) address: String,
    pub(crate) user: String,
}

/// Where a dialogue goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Next {
    /// More keys are waited for.
    #[default]
    Stay,
    /// A shell; the dialogue may go on behind it.
    Enter(Place),
    /// The person left, or was thrown out.
    Leave,
    /// The connection breaks.
    Cut,
}

/// What a dialogue shows, and what comes then.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) screen: Vec<u8>,
    pub(crate) next: Next,
    /// The dialogue wants to be called again after this long, if nothing else comes.
    pub(crate) again: Option<Duration>,
    /// Keys behind the end of the dialogue.
    pub(crate) rest: Vec<u8>,
}

/// A menu between two keys.
pub(crate) trait Dialogue: Send {
    /// What is shown first.
    fn start(&mut self) -> Reply;
    /// One typed byte.
    fn key(&mut self, byte: u8) -> Reply;
    /// The terminal has this size from now on.
    fn resized(&mut self, columns: u16, rows: u16) -> Reply;
    /// The time asked for in [`Reply::again`] is over.
    fn turn(&mut self) -> Reply;
    /// The shell has ended; `None` where the session ends with it.
    fn returned(&mut self) -> Option<Reply>;
}

/// The menu of a front; none for those that have another one, or none.
pub(crate) fn dialogue(front: Front, options: &MenuOptions, columns: u16, rows: u16) -> Option<Box<dyn Dialogue>> {
    let options = options.clone();
    match front {
        Front::Koko => Some(Box::new(koko::Koko::new(options, columns, rows))),
        Front::Picker => Some(Box::new(picker::Picker::new(options, columns, rows))),
        Front::Numbered => Some(Box::new(numbered::Numbered::new(options))),
        Front::Cmsm | Front::Shell => None,
    }
}

/// A dialogue as the terminal sees it: in its encoding, and broken off where that was asked for.
pub(crate) struct Shown {
    dialogue: Box<dyn Dialogue>,
    gbk: bool,
    cut_at_answer: Option<u32>,
    answers: u32,
    /// First half of a character that is being typed.
    pending: Vec<u8>,
}

impl Shown {
    pub(crate) fn new(dialogue: Box<dyn Dialogue>, options: &MenuOptions) -> Self {
        Self { dialogue, gbk: options.gbk, cut_at_answer: options.cut_at_answer, answers: 0, pending: Vec::new() }
    }

    pub(crate) fn start(&mut self) -> Reply {
        let reply = self.dialogue.start();
        self.answer(reply)
    }

    /// Takes typed bytes, in pieces of any size.
    pub(crate) fn keys(&mut self, keys: &[u8]) -> Reply {
        let mut whole = Reply::default();
        for (position, byte) in keys.iter().enumerate() {
            for byte in self.typed(*byte) {
                let reply = self.dialogue.key(byte);
                whole.again = reply.again.or(whole.again);
                // A program that draws frames draws one for all keys that have come.
                if reply.screen.starts_with(screen::FRAME.as_bytes()) {
                    whole.screen.clear();
                }
                whole.screen.extend(reply.screen);
                whole.next = reply.next;
            }
            if whole.next != Next::Stay {
                whole.rest = keys.get(position + 1..).unwrap_or_default().to_vec();
                break;
            }
        }
        let is_line = keys.iter().any(|byte| matches!(byte, b'\r' | b'\n'));
        if is_line { self.answer(whole) } else { self.encoded(whole) }
    }

    pub(crate) fn resized(&mut self, columns: u16, rows: u16) -> Reply {
        let reply = self.dialogue.resized(columns, rows);
        self.encoded(reply)
    }

    pub(crate) fn turn(&mut self) -> Reply {
        let reply = self.dialogue.turn();
        self.encoded(reply)
    }

    pub(crate) fn returned(&mut self) -> Option<Reply> {
        let reply = self.dialogue.returned()?;
        Some(self.answer(reply))
    }

    fn typed(&mut self, byte: u8) -> Vec<u8> {
        if !self.gbk || (byte < 0x80 && self.pending.is_empty()) {
            return vec![byte];
        }
        self.pending.push(byte);
        if self.pending.len() < 2 {
            return Vec::new();
        }
        let pair = std::mem::take(&mut self.pending);
        GBK.decode_without_bom_handling(&pair).0.as_bytes().to_vec()
    }

    fn answer(&mut self, mut reply: Reply) -> Reply {
        let number = self.answers;
        self.answers += 1;
        if self.cut_at_answer == Some(number) {
            reply.screen.truncate(reply.screen.len() / 2);
            reply.next = Next::Cut;
        }
        self.encoded(reply)
    }

    fn encoded(&self, mut reply: Reply) -> Reply {
        if self.gbk {
            let text = String::from_utf8_lossy(&reply.screen).into_owned();
            reply.screen = GBK.encode(&text).0.into_owned();
        }
        reply
    }
}
