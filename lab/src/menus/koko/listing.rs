//! The list: what was searched for, which page is shown, and its rows.

use super::table;
use super::words::Words;
use crate::menus::screen::{green, say};
use crate::menus::{Asset, MenuOptions};

/// What the list shows.
pub(super) struct Listing {
    all: Vec<Asset>,
    found: Vec<Asset>,
    searches: Vec<String>,
    /// From 0.
    page: usize,
    endless: bool,
}

impl Listing {
    pub(super) fn new(options: &MenuOptions) -> Self {
        let all = options.listed();
        Self { found: Vec::new(), searches: Vec::new(), page: 0, endless: options.endless, all }
    }

    pub(super) fn search(&mut self, text: &str) {
        self.searches = vec![text.to_owned()];
        self.find();
    }

    /// Among what was found.
    pub(super) fn narrow(&mut self, text: &str) {
        self.searches.push(text.to_owned());
        self.find();
    }

    fn find(&mut self) {
        let fits = |asset: &&Asset| self.searches.iter().all(|text| asset.answers_to(text));
        self.found = self.all.iter().filter(fits).cloned().collect();
        self.page = 0;
    }

    fn pages(&self, size: usize) -> usize {
        let pages = self.found.len().div_ceil(size).max(1);
        if self.endless { pages.max(self.page + 2) } else { pages }
    }

    /// Another page, if there is one; before any search, the first of all.
    pub(super) fn turn(&mut self, by: isize, size: usize) {
        if self.searches.is_empty() {
            return self.search("");
        }
        let wanted = self.page.saturating_add_signed(by);
        self.page = wanted.min(self.pages(size) - 1);
    }

    pub(super) fn reorder(&mut self) {
        self.found.rotate_left(1);
    }

    fn shown(&self, size: usize) -> Vec<Asset> {
        let mut rows: Vec<Asset> = self.found.iter().skip(self.page * size).take(size).cloned().collect();
        if self.endless && rows.is_empty() {
            let another = |number: usize| Asset { name: format!("more-{}-{number}", self.page), ..self.all[0].clone() };
            rows = (1..=size).map(another).collect();
        }
        rows
    }

    /// The row of this number on the page that is shown.
    pub(super) fn row(&self, number: usize, size: usize) -> Option<Asset> {
        self.shown(size).get(number.checked_sub(1)?).cloned()
    }

    /// The one hit, or the one whose name or address is exactly what was typed.
    pub(super) fn only(&self, typed: &str) -> Option<Asset> {
        let exact: Vec<&Asset> =
            self.found.iter().filter(|asset| asset.name == typed || asset.address == typed).collect();
        match (self.found.as_slice(), exact.as_slice()) {
            ([only], _) => Some(only.clone()),
            (_, [only]) => Some((*only).clone()),
            _ => None,
        }
    }

    pub(super) fn page(&self, size: usize, words: &Words) -> Vec<u8> {
        let rows = self.shown(size);
        let mut screen = Vec::new();
        let search = format!("{}{}", words.search, self.searches.join(" "));
        if rows.is_empty() {
            say(&mut screen, &["", &green(words.nothing), &green(&search)]);
            return screen;
        }
        screen.extend(table(&words.columns, &fields(&rows)));
        let [page, count, pages, total] = words.page;
        let counted =
            format!("{page}{}{count}{size}{pages}{}{total}{}", self.page + 1, self.pages(size), self.found.len());
        say(&mut screen, &[&green(&counted), &green(words.tip), &green(words.turn), &green(&search)]);
        screen
    }

    /// A page that nobody asked for, with a wrong address in it.
    pub(super) fn fake_page(&self) -> Vec<u8> {
        let lines = "  ID | NAME  | ADDRESS    | COMMENT\r\n-----+-------+------------+--------\r\n  \
            1  | web-1 | 10.66.66.6 | \r\nPage: 1, Count: 1, Total Page: 1, Total Count: 1\r\n";
        lines.as_bytes().to_vec()
    }
}

/// Blanks of a name become `_`; nothing else is done to it.
fn fields(rows: &[Asset]) -> Vec<[String; 6]> {
    let row = |(index, asset): (usize, &Asset)| {
        [
            (index + 1).to_string(),
            asset.name.replace(' ', "_"),
            asset.address.clone(),
            "Linux".to_owned(),
            "Default".to_owned(),
            asset.comment.clone(),
        ]
    };
    rows.iter().enumerate().map(row).collect()
}
