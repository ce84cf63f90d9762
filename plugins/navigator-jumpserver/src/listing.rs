//! The list of assets: a search that cannot connect, its pages, and the one row that is meant.
//!
//! All pages are read before a row is chosen: a second row of the same name may stand on the last
//! one. A row's number counts on the page that is shown, so the way goes back to the row's page and
//! reads it again there.

use navigator_common::screen::{Sent, shown};
use portcullis_plugin::navigator::{Failure, Step};

use crate::menu::{self, Asset, Page};
use crate::way::{Choice, State, Way};

/// What has been read of the list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    /// The page that the answer waited for shows, from 1.
    page: usize,
    narrowed: bool,
    /// Every row that fits, with its page.
    fitting: Vec<(usize, Asset)>,
    /// The page before, to tell a list that does not move on.
    last: Vec<Asset>,
    /// Set once all pages are read: where the row was, and the way back to it.
    back_to: Option<(usize, Asset)>,
}

impl Way {
    /// Types the search. Begun with `/` it only lists, also where a single asset fits.
    pub(crate) fn search(&mut self, lines: &[String]) -> Step {
        let line = format!("/{}", self.wanted.target);
        self.type_line(&line, Listing { page: 1, ..Listing::default() }, lines)
    }

    fn type_line(&mut self, line: &str, listing: Listing, lines: &[String]) -> Step {
        self.state = State::Listed(listing, Sent::new(line, lines));
        Step::SendLine(line.to_owned())
    }

    /// Reads the answer to a search or to the turning of a page.
    pub(crate) fn listed(&mut self, listing: &Listing, sent: &Sent, lines: &[String]) -> Option<Step> {
        let said = sent.answered(lines)?;
        let texts = &self.settings.texts;
        if menu::says(&said, &texts.ended) {
            return Some(Failure::step("session-ended", "the bastion has ended the session", shown(&said)));
        }
        menu::waiting_prompt(&said)?;
        let page = match menu::page(&said) {
            Some(Ok(page)) => page,
            Some(Err(problem)) => return Some(Failure::step("unreadable", problem, shown(&said))),
            None if menu::says(&said, &texts.no_assets) => {
                let message = format!("the menu knows no asset for {}", self.wanted.target);
                return Some(Failure::step("target-not-found", message, shown(&said)));
            }
            None => return None,
        };
        Some(match &listing.back_to {
            Some((at, asset)) => self.returned(listing, *at, asset, &page, lines),
            None => self.read_page(listing.clone(), page, &said, lines),
        })
    }

    fn read_page(&mut self, mut listing: Listing, page: Page, said: &[String], lines: &[String]) -> Step {
        if listing.page > 1 && page.assets == listing.last {
            let message = format!("page {} of the list is the one before again", listing.page);
            return Failure::step("unreadable", message, shown(said));
        }
        if let (1, 2.., false, Some(half)) = (listing.page, page.pages, listing.narrowed, self.wanted.other_half()) {
            let line = format!("//{half}");
            return self.type_line(&line, Listing { page: 1, narrowed: true, ..Listing::default() }, lines);
        }
        if page.pages > self.settings.max_pages {
            let message = format!(
                "{} pages answer to {}, more than max_pages ({}); give the exact address, or name and address",
                page.pages, self.wanted.target, self.settings.max_pages
            );
            return Failure::step("too-many-pages", message, shown(said));
        }
        let fitting = page.assets.iter().filter(|asset| self.wanted.is_target(asset)).cloned();
        listing.fitting.extend(fitting.map(|asset| (listing.page, asset)));
        if listing.page < page.pages {
            listing.page += 1;
            listing.last = page.assets;
            return self.type_line("n", listing, lines);
        }
        self.decide(listing, &page, said, lines)
    }

    /// All pages are read.
    fn decide(&mut self, mut listing: Listing, page: &Page, said: &[String], lines: &[String]) -> Step {
        let target = self.wanted.target.clone();
        match listing.fitting.as_slice() {
            [] => {
                let message = format!("no asset of the list is exactly {target}");
                Failure::step("target-not-found", message, shown(said))
            }
            [(at, asset)] => {
                let (at, asset) = (*at, asset.clone());
                listing.back_to = Some((at, asset.clone()));
                self.returned(&listing, at, &asset, page, lines)
            }
            several => {
                let row = |(page, asset): &(usize, Asset)| {
                    format!("page {page}: {} | {} | {}", asset.number, asset.name, asset.address)
                };
                let rows: Vec<String> = several.iter().map(row).collect();
                let message = format!("{} assets are called {target}; give name and address", rows.len());
                Failure::step("ambiguous", message, shown(&rows))
            }
        }
    }

    /// On the row's page the number is typed, if the row still has it; on another one a page is
    /// turned back.
    fn returned(&mut self, listing: &Listing, at: usize, asset: &Asset, page: &Page, lines: &[String]) -> Step {
        if listing.page > at {
            let listing = Listing { page: listing.page - 1, ..listing.clone() };
            return self.type_line("b", listing, lines);
        }
        if !page.assets.contains(asset) {
            let message = format!("the list has changed: {} is no longer row {}", asset.name, asset.number);
            return Failure::step("changed", message, shown(lines));
        }
        let choice = Choice {
            asset: asset.clone(),
            account: None,
            login: None,
            in_review: false,
            asked_for_secret: false,
            numbers_given: 0,
        };
        let number = asset.number.clone();
        self.state = State::Chosen(choice, Sent::new(&number, lines));
        Step::SendLine(number)
    }
}
