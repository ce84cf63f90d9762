//! Back at a bastion's menu: a shell behind it has ended, and no mark can say so.
//!
//! A menu has no marks, and its texts are anybody's. What it asked when something was typed there is
//! remembered; when a line that leaves a shell is followed by exactly that question, and by silence,
//! the session is at the menu again.

use std::time::Duration;

use super::{Actions, Glance, Tracker};
use crate::level::LevelKind;
use crate::outcome::{Confidence, Outcome};
use crate::ring::Offset;

/// Questions of menus that are remembered; a menu has a handful.
const MOST_QUESTIONS: usize = 16;
/// A menu that is drawn in pieces has its question last.
const MENU_QUIET: Duration = Duration::from_millis(300);
/// Commands that end the shell they are given to.
const LEAVING: [&str; 3] = ["exit", "logout", "quit"];

impl Tracker {
    /// Something is about to be typed; at a menu, what stands before the cursor is its question.
    pub(crate) fn typed_at_menu(&mut self, line: &str) {
        let at_menu = self.current.is_none() && self.levels.last().is_some_and(|level| level.kind == LevelKind::Menu);
        let question = line.trim();
        if !at_menu || question.is_empty() || self.menu_questions.iter().any(|known| known == question) {
            return;
        }
        if self.menu_questions.len() >= MOST_QUESTIONS {
            self.menu_questions.pop_front();
        }
        self.menu_questions.push_back(question.to_owned());
    }

    /// The innermost menu, if it is a shell behind it that has just been left.
    pub(super) fn menu_is_back(&self, quiet: Duration, glance: &Glance<'_>) -> Option<usize> {
        let menu = self.levels.iter().rposition(|level| level.kind == LevelKind::Menu)?;
        let left = match &self.current {
            Some(current) => {
                let leaves = current.text.split_whitespace().next().is_some_and(|word| LEAVING.contains(&word));
                leaves && glance.line_feed_since(current.entered_at)
            }
            // A person's ctrl-d, which is no line.
            None => self.at_prompt && self.dirty,
        };
        let line = glance.line();
        let asks = self.menu_questions.iter().any(|question| question == line.trim());
        (left && asks && quiet >= MENU_QUIET && menu + 1 < self.levels.len()).then_some(menu)
    }

    pub(super) fn back_at_menu(&mut self, menu: usize, offset: Offset, actions: &mut Actions) {
        self.pop_to(menu, actions);
        (self.at_prompt, self.dirty, self.prompt_due) = (false, false, false);
        if let Some(current) = self.current.take() {
            let outcome = Outcome::LevelChanged { breadcrumb: self.breadcrumb(), exit_code: None };
            let evidence = "the menu's question is back behind a line that leaves the shell";
            actions.report(&current, offset, outcome, Confidence::High, evidence);
        }
    }
}
