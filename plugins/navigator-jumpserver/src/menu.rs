//! Reads the menu off the screen: prompts, pages of the list, numbered rows.

use navigator_common::screen::last_line;
use navigator_common::table::Table;
use portcullis_plugin::navigator::Screen;

/// Prompts of the menu itself; the same in every language.
const HOST_PROMPTS: [&str; 2] = ["Opt>", "[Host]>"];
const OTHER_PROMPTS: [&str; 2] = ["[K8S]>", "[DB]>"];
/// Asks for a number of an account or a protocol.
pub(crate) const NUMBER_PROMPT: &str = "ID>";
/// Title of the first column; not translated.
const NUMBER_TITLE: &str = "ID";
/// The line that counts pages stands right below the table.
const PAGE_LINE_WITHIN: usize = 3;

/// A row of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asset {
    pub(crate) number: String,
    pub(crate) name: String,
    pub(crate) address: String,
}

/// One page of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) assets: Vec<Asset>,
    pub(crate) pages: usize,
}

/// What the menu waits for, or that it waits no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// A search or a row's number.
    Hosts,
    /// The same among clusters or databases.
    Others,
    /// A number of an account or a protocol.
    Number,
}

/// The prompt that waits in the last line.
pub(crate) fn waiting_prompt(lines: &[String]) -> Option<Prompt> {
    let last = last_line(lines)?.trim();
    if HOST_PROMPTS.contains(&last) {
        Some(Prompt::Hosts)
    } else if OTHER_PROMPTS.contains(&last) {
        Some(Prompt::Others)
    } else if last == NUMBER_PROMPT {
        Some(Prompt::Number)
    } else {
        None
    }
}

/// How sure it is that this screen is the bastion, 0 to 100.
pub(crate) fn likeness(screen: &Screen) -> u8 {
    let lines = screen.lines();
    let numbered =
        |line: &&String| line.trim_start().split_once(") ").is_some_and(|(number, _)| number.parse::<u8>().is_ok());
    match waiting_prompt(&lines) {
        Some(Prompt::Hosts | Prompt::Others) if lines.iter().filter(numbered).count() >= 8 => 95,
        Some(Prompt::Hosts | Prompt::Others) => 85,
        Some(Prompt::Number) => 60,
        None => 0,
    }
}

/// The page in the menu's answer, when it is there to its end.
pub(crate) fn page(said: &[String]) -> Option<Result<Page, String>> {
    if waiting_prompt(said) != Some(Prompt::Hosts) {
        return None;
    }
    let table = Table::with_bars(said, NUMBER_TITLE)?;
    let pages = said.iter().skip(table.end).take(PAGE_LINE_WITHIN).find_map(|line| page_count(line))?;
    Some(assets(&table).map(|assets| Page { assets, pages }))
}

/// Name and address stand behind the number in every language and whatever columns are hidden.
fn assets(table: &Table) -> Result<Vec<Asset>, String> {
    if table.titles.len() < 3 {
        return Err("the list has no columns for number, name and address".to_owned());
    }
    let asset = |(index, row): (usize, &Vec<String>)| {
        // A name that draws a row of its own would break the count.
        if row[0] != (index + 1).to_string() {
            return Err(format!("row {} of the list has the number {:?}", index + 1, row[0]));
        }
        Ok(Asset { number: row[0].clone(), name: row[1].clone(), address: row[2].clone() })
    };
    table.rows.iter().enumerate().map(asset).collect()
}

/// `Page: 1, Count: 22, Total Page: 3, Total Count: 50`, whatever the words are.
fn page_count(line: &str) -> Option<usize> {
    let numbers: Vec<usize> = line
        .split(|symbol: char| !symbol.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .map_while(|digits| digits.parse().ok())
        .collect();
    match numbers.as_slice() {
        [_page, _rows, pages, _total] => Some(*pages),
        _ => None,
    }
}

/// The rows of the list that asks for a number: number, name and, of accounts, login name.
pub(crate) fn numbered_rows(said: &[String]) -> Option<Vec<Vec<String>>> {
    let table = Table::with_bars(said, NUMBER_TITLE)?;
    let in_order = table.rows.iter().enumerate().all(|(index, row)| row[0] == (index + 1).to_string());
    (in_order && !table.rows.is_empty()).then_some(table.rows)
}

/// Whether one of the texts stands in one of the lines.
pub(crate) fn says(lines: &[String], texts: &[String]) -> bool {
    lines.iter().any(|line| texts.iter().any(|text| line.contains(text.as_str())))
}
