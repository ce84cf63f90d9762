//! What a mark means: the rules by which a command begins, ends, and a level is left.
//!
//! R1: an end counts only while a command is outstanding whose Enter has been taken (shells redraw
//! their prompt, marks and all, after a resize). R2: it carries a known shell's nonce and pid and a
//! counter that has grown, so that replayed output ends nothing.

use std::time::Duration;

use super::{Actions, Current, Event, Glance, Tracker, Typist};
use crate::level::{LevelKind, ShellKind};
use crate::outcome::{Confidence, ExitSource, Outcome};
use crate::ring::Offset;
use crate::tap::{Mark, MarkKind, Signal};

/// Stands for the pid in the marks of a sentinel.
pub(super) const SENTINEL_PID: &str = "s";

impl Tracker {
    pub(crate) fn observe(&mut self, signal: &Signal, offset: Offset, at: Duration, glance: &Glance<'_>) -> Actions {
        match signal {
            Signal::Mark(mark) => self.observe_mark(mark, offset, at, glance),
            Signal::BracketedPaste(true) if self.prompt_due => {
                let mut actions = Actions::default();
                let ended = self.current.as_ref().is_none_or(|current| current.ended.is_some());
                if ended && self.arming.is_none() {
                    self.prompt_ready(offset, glance, &mut actions);
                }
                actions
            }
            Signal::BracketedPaste(true) if self.at_prompt && self.current.is_none() => {
                if let Some(level) = self.levels.last_mut() {
                    level.pastes = true;
                }
                Actions::default()
            }
            Signal::AlternateScreen(on) => {
                if let Some(current) = &mut self.current {
                    current.alternate_since = on.then_some(at);
                }
                Actions::default()
            }
            // Modes are read from the screen when they matter; a foreign mark proves nothing.
            Signal::ForeignMark | Signal::BracketedPaste(_) | Signal::ApplicationKeys(_) => Actions::default(),
        }
    }

    fn observe_mark(&mut self, mark: &Mark, offset: Offset, at: Duration, glance: &Glance<'_>) -> Actions {
        let mut actions = Actions::default();
        if self.arming.as_ref().is_some_and(|arming| arming.expectation.nonce == mark.nonce) {
            self.observe_arming(mark, at, &mut actions);
            return actions;
        }
        let Some(known) = self.levels.iter().rposition(|level| level.nonce == mark.nonce) else {
            return actions;
        };
        if mark.pid == SENTINEL_PID {
            self.observe_sentinel(mark, offset, &mut actions);
            return actions;
        }
        let same_shell = |pid: Option<&String>| pid.is_none_or(|pid| *pid == mark.pid);
        let depth = self.levels.iter().rposition(|l| l.nonce == mark.nonce && same_shell(l.pid.as_ref()));
        let Some(depth) = depth else {
            self.inherited(known, mark, at, glance, &mut actions);
            return actions;
        };
        if !self.accept_counter(depth, mark) {
            self.past_mark(mark, glance);
            return actions;
        }
        if depth + 1 < self.levels.len() {
            self.pop_to(depth, &mut actions);
        }
        match mark.kind {
            MarkKind::OutputStart => self.output_started(offset, at, glance, &mut actions),
            MarkKind::CommandEnd(code) => self.command_ended(code, offset, glance, &mut actions),
            MarkKind::InputStart => self.input_started(offset, glance, &mut actions),
            MarkKind::PromptStart | MarkKind::Probe { .. } => {}
        }
        actions
    }

    /// A replayed mark has an old counter.
    fn accept_counter(&mut self, depth: usize, mark: &Mark) -> bool {
        let level = &mut self.levels[depth];
        level.pid.get_or_insert_with(|| mark.pid.clone());
        match mark.counter {
            Some(counter) if counter <= level.last_counter => false,
            Some(counter) => {
                level.last_counter = counter;
                true
            }
            None => true,
        }
    }

    /// An end mark with an old counter while a command runs: a replay. (Line editors draw such marks
    /// again too, but not once a line of theirs runs.)
    fn past_mark(&mut self, mark: &Mark, glance: &Glance<'_>) {
        let shell = self.levels.last().map_or(ShellKind::Unknown, |level| level.shell);
        let tells_ends_only = shell == ShellKind::Posix;
        if shell == ShellKind::Fish && self.current.is_none() {
            // fish gives up a line without counting its prompt.
            self.dirty = false;
        }
        if let (MarkKind::CommandEnd(_), Some(current)) = (&mark.kind, &mut self.current) {
            let taken = tells_ends_only && glance.line_feed_since(current.entered_at);
            current.replayed |= taken || current.output_from.is_some();
        }
    }

    fn output_started(&mut self, offset: Offset, at: Duration, glance: &Glance<'_>, actions: &mut Actions) {
        if let Some(round_trip) = self.round_trip.answered(at) {
            self.learn(round_trip);
        }
        if self.current.as_ref().is_some_and(|current| current.ended.is_some()) {
            // A line typed ahead: csh does not mark the prompt between the two.
            self.prompt_ready(offset, glance, actions);
        }
        if self.current.is_none() {
            // Something was run that nobody was seen to submit (a key bound to a command).
            let id = self.start(offset, "").id;
            let text = String::new();
            actions.events.push(Event::CommandStarted { command_id: id, typist: Typist::Human, text, from: offset });
        }
        if let Some(current) = &mut self.current {
            current.output_from.get_or_insert(offset);
            current.doubtful_end = None;
        }
    }

    /// An end mark. One that comes before the typed Enter was taken belongs to a prompt that was
    /// only drawn again, or to an Enter that was on its way before the line: a person's, meant for the
    /// program before.
    fn command_ended(&mut self, code: Option<i32>, offset: Offset, glance: &Glance<'_>, actions: &mut Actions) {
        let shell = self.levels.last().map_or(ShellKind::Unknown, |level| level.shell);
        let Some(current) = &mut self.current else {
            // ctrl-c at the prompt, or Enter behind nothing: a new line.
            self.dirty = false;
            self.typed_ahead_ended(code, offset, actions);
            return;
        };
        // fish draws its prompt anew after a resize, line feeds and all; what it runs it marks. A
        // terminal that does not echo gives no line feed for the Enter.
        let run = current.popped || current.output_from.is_some();
        let tells_starts = matches!(shell, ShellKind::Bash | ShellKind::Zsh | ShellKind::Tcsh);
        let other_enter = !run && glance.is_other_enter(current.entered_at, &current.sent, tells_starts);
        let taken = run || (shell != ShellKind::Fish && glance.line_feed_since(current.entered_at));
        if taken && !other_enter {
            current.ended = Some((code, offset));
            return;
        }
        current.doubtful_end = Some((code, offset));
        if other_enter {
            current.entered_at = offset;
        }
    }

    /// A command that was typed while another ran, in a shell that tells only of its end.
    fn typed_ahead_ended(&mut self, exit_code: Option<i32>, offset: Offset, actions: &mut Actions) {
        let Some(text) = self.typed_ahead.pop_front() else { return };
        let from = self.prompt_at;
        let sent = text.clone();
        let current = self.start(from, &text);
        current.human_input = true;
        current.sent = sent;
        current.ended = Some((exit_code, offset));
        let command_id = current.id;
        actions.events.push(Event::CommandStarted { command_id, typist: Typist::Human, text, from });
    }

    /// The `B` mark: a line editor waits for input.
    fn input_started(&mut self, offset: Offset, glance: &Glance<'_>, actions: &mut Actions) {
        let paste_is_due = self.paste_is_due(glance);
        match &mut self.current {
            Some(current) if current.ended.is_none() => current.drawn_at = Some(offset),
            // The editor tells a moment later that it takes pasted text; a long line needs to know.
            _ if paste_is_due => self.prompt_due = true,
            _ => self.prompt_ready(offset, glance, actions),
        }
    }

    fn paste_is_due(&self, glance: &Glance<'_>) -> bool {
        self.levels.last().is_some_and(|level| level.pastes) && !glance.screen.bracketed_paste()
    }

    pub(super) fn prompt_ready(&mut self, offset: Offset, glance: &Glance<'_>, actions: &mut Actions) {
        self.at_prompt = true;
        // A mark that comes late is no reason to forget what a person has begun behind the prompt.
        self.dirty &= self.current.is_none();
        self.expected = None;
        self.prompt_due = false;
        self.prompt_text = glance.line();
        self.prompt_at = offset;
        if let Some(level) = self.levels.last_mut() {
            level.pastes |= glance.screen.bracketed_paste();
        }
        actions.reset_modes = glance.screen.has_stale_modes();
        let Some(current) = self.current.take() else { return };
        let to = current.ended.map_or(offset, |(_, end)| end);
        match current.ended {
            Some((code, _)) if current.popped => {
                let outcome = Outcome::LevelChanged { breadcrumb: self.breadcrumb(), exit_code: code };
                actions.report(&current, to, outcome, Confidence::Certain, "end mark of the level below");
            }
            Some((exit_code, _)) => {
                let outcome = Outcome::Completed { exit_code, exit_source: ExitSource::Mark };
                let evidence = "end and prompt marks of this shell, counter advanced";
                actions.report(&current, to, outcome, Confidence::Certain, evidence);
            }
            None => {
                let evidence = "prompt mark without an end mark";
                actions.report(&current, to, Outcome::PromptNoStatus, Confidence::High, evidence);
            }
        }
        actions.echo = echo_of(&current);
    }

    fn observe_sentinel(&mut self, mark: &Mark, offset: Offset, actions: &mut Actions) {
        let Some(current) = &mut self.current else { return };
        match mark.kind {
            MarkKind::OutputStart => current.output_from = current.output_from.or(Some(offset)),
            MarkKind::CommandEnd(exit_code) if current.sentinel.is_some() && mark.counter == current.sentinel => {
                let outcome = Outcome::Completed { exit_code, exit_source: ExitSource::Sentinel };
                actions.report(current, offset, outcome, Confidence::High, "sentinel of this command");
                self.current = None;
                self.at_prompt = true;
                self.dirty = false;
            }
            _ => {}
        }
    }

    pub(super) fn pop_to(&mut self, depth: usize, actions: &mut Actions) {
        let left = self.levels.split_off(depth + 1);
        self.expected = None;
        self.arming = None;
        if let Some(current) = &mut self.current {
            // Leaving a multiplexer gives back the shell that waited below all the time.
            current.popped |= current.level_depth > depth + 1 || left.iter().any(|l| l.kind == LevelKind::Multiplexer);
        }
        actions.events.push(Event::LevelsLeft { breadcrumb: self.breadcrumb() });
    }
}

/// The line whose echo stands in front of the output; `None` when a mark says where it begins.
pub(super) fn echo_of(current: &Current) -> Option<String> {
    current.output_from.is_none().then(|| current.sent.clone())
}
