//! A list of several pages: all of them are read, then the way goes back to the row's page, where the
//! row is read again before it is chosen.

use navigator_common::screen::shown;
use portcullis_plugin::navigator::{Failure, Step};

use crate::choose::{Fields, Unreadable, fits, rows};
use crate::script::Choose;
use crate::way::{View, Way};

/// What has been read of a list.
#[derive(Clone, Debug)]
pub(crate) struct Paging {
    /// The page that is shown, from 1.
    page: usize,
    /// Every row that fits, with its page.
    fitting: Vec<(usize, Fields)>,
    /// The page before, to tell the end of a list that does not count its pages.
    last: Vec<Fields>,
    /// Set once all pages are read.
    back_to: Option<(usize, Fields)>,
}

impl Way {
    /// Reads the page that is shown; chooses, turns to another page, or fails.
    pub(crate) fn choose(&mut self, choose: &Choose, then: String, view: &View) -> Result<Option<Step>, Box<Step>> {
        let here = match rows(choose, &view.said, &self.script.patterns, &self.values) {
            Ok(here) => here,
            Err(unreadable) => return Err(Box::new(no_table(&unreadable, view))),
        };
        let new = Paging { page: 1, fitting: Vec::new(), last: Vec::new(), back_to: None };
        let mut paging = self.paging.take().unwrap_or(new);
        if paging.back_to.is_some() {
            return self.returned(paging, &here, choose, then, view);
        }
        let comes_again = paging.page > 1 && here == paging.last;
        if comes_again {
            paging.page -= 1;
        } else {
            let found = here.iter().filter(|row| fits(choose, row, &self.values)).cloned();
            paging.fitting.extend(found.map(|row| (paging.page, row)));
        }
        match &choose.pages {
            Some(pages) if !comes_again && self.has_more(pages.more.as_ref(), view) => {
                if paging.page >= pages.max {
                    let message =
                        format!("the list has more than {} pages; give a name that is found on fewer", pages.max);
                    return Err(Box::new(Failure::step("too-many-pages", message, shown(&view.said))));
                }
                paging.page += 1;
                paging.last = here;
                self.turn(&pages.next, paging, view)
            }
            _ => {
                let only = only_row(&paging, view)?;
                paging.back_to = Some(only);
                self.returned(paging, &here, choose, then, view)
            }
        }
    }

    fn has_more(&self, more: Option<&String>, view: &View) -> bool {
        let Some(more) = more else { return true };
        let found = crate::text::pattern(more, &self.script.patterns, &self.values);
        found.is_some_and(|found| found.is_ok_and(|found| view.said.iter().any(|line| found.is_match(line))))
    }

    /// The same state goes on reading.
    fn turn(&mut self, text: &str, paging: Paging, view: &View) -> Result<Option<Step>, Box<Step>> {
        let line = self.fill(text)?;
        let step = self.type_line(line, self.state.clone(), view)?;
        self.paging = Some(paging);
        Ok(Some(step))
    }

    fn returned(
        &mut self,
        mut paging: Paging,
        here: &[Fields],
        choose: &Choose,
        then: String,
        view: &View,
    ) -> Result<Option<Step>, Box<Step>> {
        let Some((at, row)) = paging.back_to.clone() else { return Ok(None) };
        if let (true, Some(pages)) = (paging.page > at, &choose.pages) {
            paging.page -= 1;
            return self.turn(&pages.back, paging, view);
        }
        if !here.contains(&row) {
            let message = format!("the list has changed: the row {} is no longer there", written(&row));
            return Err(Box::new(Failure::step("changed", message, shown(&view.said))));
        }
        self.values.extend(row);
        match &choose.line {
            Some(text) => {
                let line = self.fill(text)?;
                self.type_line(line, then, view).map(Some)
            }
            None => Ok(None),
        }
    }
}

fn only_row(paging: &Paging, view: &View) -> Result<(usize, Fields), Box<Step>> {
    match paging.fitting.as_slice() {
        [only] => Ok(only.clone()),
        [] => {
            let message = "no row of the list is what the route asks for";
            Err(Box::new(Failure::step("target-not-found", message, shown(&view.said))))
        }
        several => {
            let rows: Vec<String> =
                several.iter().map(|(page, row)| format!("page {page}: {}", written(row))).collect();
            let message = format!("{} rows of the list fit; say more in the route", rows.len());
            Err(Box::new(Failure::step("ambiguous", message, shown(&rows))))
        }
    }
}

fn written(row: &Fields) -> String {
    row.values().cloned().collect::<Vec<_>>().join(" | ")
}

fn no_table(unreadable: &Unreadable, view: &View) -> Step {
    let message = match unreadable {
        Unreadable::Missing => "the list that the script describes is not there".to_owned(),
        Unreadable::NoColumn(field) => format!("the list has no column for {field}"),
    };
    Failure::step("unreadable", message, shown(&view.said))
}
