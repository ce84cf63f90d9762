//! Reads the menu off the screen. A screen keeps what scrolled by, so an answer is always looked
//! for behind the prompt it answers.

use navigator_common::screen::last_line;
use navigator_common::words::{is_host_name, is_number, is_user_name};
use portcullis_plugin::navigator::Screen;

use crate::settings::Texts;

/// A host, as the menu shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) address: String,
    pub(crate) name: String,
}

/// One entry of the list of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) number: String,
    pub(crate) name: String,
}

/// What has become of an answer typed at a prompt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The menu has not said anything yet.
    Pending,
    /// What came behind it.
    Taken(Vec<String>),
    /// The same prompt is back; what was said before that.
    AskedAgain(Vec<String>),
}

/// How sure it is that this is the bastion, 0 to 100.
pub(crate) fn likeness(screen: &Screen, texts: &Texts) -> u8 {
    let lines = screen.lines();
    let has = |text: &str| lines.iter().any(|line| line.contains(text));
    let last = last_line(&lines);
    let at_target = last == Some(texts.target_prompt.trim_end());
    let at_user = last == Some(texts.user_prompt.trim_end()) && has(&texts.user_title);
    match (at_target || at_user, has(&texts.banner)) {
        (true, true) => 95,
        (true, false) => 80,
        (false, true) => 20,
        (false, false) => 0,
    }
}

/// How many times the prompt is on the screen.
pub(crate) fn prompts(lines: &[String], prompt: &str) -> usize {
    lines.iter().filter(|line| line.starts_with(prompt.trim_end())).count()
}

/// What has become of `typed`, entered when the prompt was on the screen `prompts_before` times
/// and stood in its last line.
pub(crate) fn answer(lines: &[String], prompt: &str, typed: &str, prompts_before: usize) -> Answer {
    let prompt = prompt.trim_end();
    let at: Vec<usize> = (0..lines.len()).filter(|row| lines[*row].starts_with(prompt)).collect();
    let Some(last) = at.last().copied() else { return Answer::Pending };
    let behind = |row: usize| lines[row][prompt.len()..].trim();
    let said = |from: usize, to: usize| -> Vec<String> {
        lines[from..to].iter().filter(|line| !line.trim().is_empty()).cloned().collect()
    };
    let rest = said(last + 1, lines.len());
    if !rest.is_empty() {
        // A menu that does not echo leaves its prompt bare.
        return if behind(last) == typed || behind(last).is_empty() { Answer::Taken(rest) } else { Answer::Pending };
    }
    let again = at.len() > prompts_before && behind(last).is_empty();
    match at.iter().rev().nth(1) {
        Some(before) if again && behind(*before) == typed => Answer::AskedAgain(said(before + 1, last)),
        _ => Answer::Pending,
    }
}

/// The rows under the title of a search, up to the first line that is none.
pub(crate) fn search_rows(lines: &[String], texts: &Texts) -> Vec<String> {
    let Some(title) = lines.iter().rposition(|line| line.trim() == texts.result_title.trim()) else {
        return Vec::new();
    };
    lines[title + 1..].iter().take_while(|line| is_numbered(line)).cloned().collect()
}

fn is_numbered(line: &str) -> bool {
    line.split_whitespace().next().is_some_and(is_number)
}

/// A row `index address name …`.
pub(crate) fn host_of_row(row: &str) -> Option<Host> {
    let mut fields = row.split_whitespace();
    let (_index, address, name) = (fields.next()?, fields.next()?, fields.next()?);
    (is_host_name(address) && is_host_name(name)).then(|| Host { address: address.to_owned(), name: name.to_owned() })
}

/// The host of the last `name (address)` line before the list of users, e.g. `Host: a (10.0.0.1)`.
pub(crate) fn announced_host(lines: &[String], texts: &Texts) -> Option<Host> {
    let title = lines.iter().rposition(|line| line.trim() == texts.user_title.trim())?;
    let line = lines[..title].iter().rfind(|line| !line.trim().is_empty())?;
    let (before, address) = line.trim().strip_suffix(')')?.rsplit_once('(')?;
    let name = before.split_whitespace().last()?;
    (is_host_name(address) && is_host_name(name)).then(|| Host { address: address.to_owned(), name: name.to_owned() })
}

/// The entries of the last list of users on the screen.
pub(crate) fn users(lines: &[String], texts: &Texts) -> Vec<User> {
    let Some(title) = lines.iter().rposition(|line| line.trim() == texts.user_title.trim()) else {
        return Vec::new();
    };
    let entry = |line: &String| {
        let (number, name) = line.trim().split_once(')')?;
        let name = name.trim();
        (is_number(number) && is_user_name(name)).then(|| User { number: number.to_owned(), name: name.to_owned() })
    };
    lines[title + 1..].iter().map_while(entry).collect()
}
