//! The sentinel that can be seen, for tmux and screen: they draw their own screen and let no mark
//! through, so start and end are printed as text and found on the screen.
//!
//! The text is assembled from two parts by the far side's `printf`, so the echo of the typed line
//! never contains it. What has scrolled off the multiplexer's screen cannot be read; the evidence
//! then says so.

use super::levels::level_of;
use super::{Actions, Current, Expectation, Glance, Tracker};
use crate::inject;
use crate::level::{Integration, Level, ShellKind};
use crate::outcome::{Confidence, ExitSource, Outcome};
use crate::ring::Offset;
use crate::screen::Row;

impl Tracker {
    /// A prompt has appeared inside a multiplexer. Its shell is taken to be of the kind it was
    /// started from: multiplexers start the user's own.
    pub(super) fn enter_multiplexer(&mut self, expectation: Expectation, glance: &Glance<'_>, actions: &mut Actions) {
        let shell = self.levels.last().map_or(ShellKind::Posix, |level| level.shell);
        let level = level_of(&expectation, shell, Integration::VisibleSentinel);
        self.at_prompt = true;
        self.dirty = false;
        self.prompt_text = glance.line();
        self.enter(level, false, "a prompt inside a multiplexer, which lets no mark through", actions);
    }

    /// Looks for the printed end of the running command; whether it was found.
    pub(super) fn read_visible(&mut self, offset: Offset, glance: &Glance<'_>, actions: &mut Actions) -> bool {
        let Some(level) = self.levels.last() else { return false };
        if level.integration != Integration::VisibleSentinel {
            return false;
        }
        let Some(found) = self.current.as_ref().and_then(|current| find(level, current, glance)) else { return false };
        let Some(current) = self.current.take() else { return false };
        let outcome = Outcome::Completed { exit_code: found.exit_code, exit_source: ExitSource::Sentinel };
        let evidence = match found.whole {
            true => "visible sentinel of this command on the multiplexer's screen",
            false => "visible sentinel; the beginning of the output has left the multiplexer's screen",
        };
        actions.report(&current, offset, outcome, Confidence::High, evidence);
        self.visible_output = Some((current.id, found.output));
        self.at_prompt = true;
        self.dirty = false;
        self.prompt_text = glance.line();
        true
    }
}

struct Found {
    exit_code: Option<i32>,
    output: String,
    /// The start was still on the screen.
    whole: bool,
}

fn find(level: &Level, current: &Current, glance: &Glance<'_>) -> Option<Found> {
    let number = current.sentinel?;
    let lines = logical_lines(&glance.screen.view().rows);
    let start = inject::visible_start(&level.nonce, number);
    let end = inject::visible_end(&level.nonce, number);
    let (last, tail) =
        lines.iter().enumerate().rev().find_map(|(index, line)| Some((index, line.split_once(&end)?)))?;
    let (before, code) = tail;
    let exit_code = code.split_once("@@").and_then(|(code, _)| code.parse().ok());
    let first = lines[..last].iter().rposition(|line| line.contains(&start));
    let mut output: Vec<&str> = lines[first.map_or(0, |first| first + 1)..last].iter().map(String::as_str).collect();
    // Behind a line feed the sentinel stands on a row of its own.
    output.push(before);
    Some(Found { exit_code, output: output.join("\n"), whole: first.is_some() })
}

/// Rows joined where the screen was too narrow for a line.
fn logical_lines(rows: &[Row]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for row in rows {
        open.push_str(&row.text);
        if !row.wrapped {
            lines.push(std::mem::take(&mut open));
        }
    }
    lines.push(open);
    lines
}
