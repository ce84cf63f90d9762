//! What only the passing of time can tell: that a program waits, and for what.
//!
//! Nothing here ends a command with an exit code. A prompt without marks ends one without a code,
//! and only where the level has no marks to give (R4, R5); everything else is an open outcome.

use std::time::Duration;

use super::marks::echo_of;
use super::{Actions, Current, Event, Glance, Tracker};
use crate::level::{Integration, Level, ShellKind};
use crate::outcome::{AwaitingKind, Confidence, Outcome};
use crate::patterns::{self, Question};
use crate::ring::Offset;

/// A line that merely ends like a question is one after this much silence.
pub(super) const BROAD_QUIET: Duration = Duration::from_secs(2);
/// Behind a slow line the end of an Enter may come in pieces; a statement is only called open after
/// this.
const CONTINUATION_QUIET: Duration = Duration::from_millis(800);
/// A line that says it sets the prompt has done so when a new one has stood still this long. Sooner
/// than a question is told, so that the new prompt is not taken for one.
const PROMPT_QUIET: Duration = Duration::from_millis(300);
/// A question that stands unchanged behind its answer is told again after this many times quiet.
const ANSWER_PATIENCE: u32 = 10;
/// Rows above the cursor that may be a list to choose from.
pub(super) const LIST_ROWS: usize = 12;

/// An open outcome and how sure it is.
struct Open {
    outcome: Outcome,
    confidence: Confidence,
    evidence: &'static str,
}

impl Tracker {
    /// Time has passed; decides what only quiet can decide.
    pub(crate) fn tick(&mut self, offset: Offset, at: Duration, glance: &Glance<'_>) -> Actions {
        let mut actions = Actions::default();
        if self.arming.as_ref().is_some_and(|arming| at >= arming.until) {
            self.arming_failed(at, &mut actions);
            return actions;
        }
        if self.next_check.is_none_or(|check| at < check) {
            self.expectation_expired(at, &mut actions);
            return actions;
        }
        let quiet = at.saturating_sub(self.last_byte_at);
        self.next_check = self.next_look(quiet).map(|after| self.last_byte_at + after);
        if self.arming.is_some() {
            self.read_held(at, glance, &mut actions);
            return actions;
        }
        if self.expected.is_some() && self.person_is_typing(at) {
            self.next_check = self.last_person_at.map(|typed| typed + super::levels::PERSON_PAUSE);
        }
        self.decide(offset, at, quiet, glance, &mut actions);
        self.expectation_expired(at, &mut actions);
        actions
    }

    /// How long after the last byte to look again.
    fn next_look(&self, quiet: Duration) -> Option<Duration> {
        [self.quiet, CONTINUATION_QUIET, BROAD_QUIET].into_iter().filter(|after| *after > quiet).min()
    }

    fn decide(&mut self, offset: Offset, at: Duration, quiet: Duration, glance: &Glance<'_>, actions: &mut Actions) {
        self.settle_doubt(quiet, glance);
        let ended = self.current.as_ref().is_some_and(|current| current.ended.is_some());
        if let Some(menu) = self.menu_is_back(quiet, glance) {
            self.back_at_menu(menu, offset, actions);
        } else if ended || (self.prompt_due && self.current.is_none()) {
            // No input mark came: csh has none, and a prompt command may have rewritten the prompt.
            self.prompt_ready(offset, glance, actions);
        } else if self.read_visible(offset, glance, actions) {
        } else if self.expected.is_some() && !self.person_is_typing(at) && self.prompt_waits(quiet, glance) {
            self.arm(at, glance, actions);
        } else if self.unmarked_prompt(quiet, glance) {
            self.prompt_without_marks(offset, glance, actions);
        } else if self.unannounced_shell(quiet, at, glance) {
            self.arm(at, glance, actions);
        } else {
            self.report_open(offset, quiet, glance, actions);
        }
    }

    /// An end mark nobody could place: a line feed behind it is the Enter it came before, so it was a
    /// prompt drawn again; nothing behind it, and the terminal does not echo.
    fn settle_doubt(&mut self, quiet: Duration, glance: &Glance<'_>) {
        let fish = self.levels.last().is_some_and(|level| level.shell == ShellKind::Fish);
        let enough = CONTINUATION_QUIET.max(self.quiet);
        let Some(current) = self.current.as_mut().filter(|_| quiet >= enough) else { return };
        let Some(doubtful) = current.doubtful_end.take() else { return };
        if fish || !glance.line_feed_since(current.entered_at) {
            current.ended = current.ended.or(Some(doubtful));
        }
    }

    fn person_is_typing(&self, at: Duration) -> bool {
        self.last_person_at.is_some_and(|typed| at.saturating_sub(typed) < super::levels::PERSON_PAUSE)
    }

    /// The prompt is back although no end mark came: the level has none, or has lost it.
    fn unmarked_prompt(&self, quiet: Duration, glance: &Glance<'_>) -> bool {
        let (Some(current), Some(level)) = (&self.current, self.levels.last()) else { return false };
        if quiet < self.quiet || current.replayed {
            return false;
        }
        if level.integration == Integration::Prompt {
            let known = level.prompt.as_ref().is_some_and(|prompt| prompt.matches(&glance.line()));
            return known && glance.line_feed_since(current.entered_at);
        }
        // fish gives up a statement without an end mark, and draws the prompt it had.
        let given_up =
            level.shell == ShellKind::Fish && quiet >= CONTINUATION_QUIET && glance.line_feed_since(current.entered_at);
        let drawn_last = (current.output_from.is_some() || given_up)
            && current.drawn_at.is_some_and(|drawn| glance.nothing_shown_since(drawn));
        drawn_last
            || self.prompt_was_replaced(current, level, quiet, glance)
            || self.was_interrupted(current, level, quiet, glance)
    }

    /// ctrl-c has ended it, and the prompt that is back has no marks any more.
    fn was_interrupted(&self, current: &Current, level: &Level, quiet: Duration, glance: &Glance<'_>) -> bool {
        let screen = glance.screen;
        current.interrupted
            && level.integration == Integration::Marks
            && quiet >= CONTINUATION_QUIET
            && !screen.alternate_screen()
            && (!level.pastes || screen.bracketed_paste())
            && patterns::looks_like_shell_prompt(&glance.line())
    }

    /// The line itself changed the prompt of a shell whose marks stand in the prompt.
    fn prompt_was_replaced(&self, current: &Current, level: &Level, quiet: Duration, glance: &Glance<'_>) -> bool {
        level.integration == Integration::Marks
            && level.shell == ShellKind::Posix
            && quiet >= PROMPT_QUIET
            && sets_prompt(&current.text)
            && glance.line_feed_since(current.entered_at)
            && patterns::looks_like_prompt(&glance.line())
    }

    fn prompt_without_marks(&mut self, offset: Offset, glance: &Glance<'_>, actions: &mut Actions) {
        self.at_prompt = true;
        self.dirty = false;
        self.prompt_text = glance.line();
        let Some(current) = self.current.take() else { return };
        let mut confidence = Confidence::High;
        let mut evidence = "prompt mark without an end mark";
        if current.drawn_at.is_none() {
            confidence = Confidence::Medium;
            evidence = "quiet, cursor behind the prompt of this level, which gives no marks";
            if let Some(level) = self.levels.last_mut().filter(|level| level.integration == Integration::Marks) {
                // Its marks stood in the prompt that is gone.
                level.integration = Integration::Sentinel;
                evidence = "quiet, and a prompt without the marks this shell had";
            }
        }
        actions.report(&current, offset, Outcome::PromptNoStatus, confidence, evidence);
        actions.echo = echo_of(&current);
    }

    /// A line editor waits behind a shell's prompt although the command of ours has not ended: it
    /// has led to another shell.
    fn unannounced_shell(&mut self, quiet: Duration, at: Duration, glance: &Glance<'_>) -> bool {
        let (Some(current), Some(level)) = (&self.current, self.levels.last()) else { return false };
        let screen = glance.screen;
        let waits = quiet >= self.quiet
            && !current.replayed
            && level.integration == Integration::Marks
            && current.output_from.is_some()
            && screen.bracketed_paste()
            && !screen.alternate_screen()
            && !self.person_is_typing(at)
            && patterns::looks_like_shell_prompt(&glance.line());
        if waits {
            let expectation = self.unannounced(&level.nonce, "unannounced");
            let until = at + expectation.within;
            self.expected = Some((expectation, until));
        }
        waits
    }

    /// Tells once that a running command asks for something or has taken the whole screen.
    fn report_open(&mut self, offset: Offset, quiet: Duration, glance: &Glance<'_>, actions: &mut Actions) {
        let open = match quiet < self.quiet {
            true if self.keeps_drawing(quiet, glance) => Some(whole_screen()),
            true => return,
            false => self.open_outcome(quiet, glance),
        };
        let Some(current) = &mut self.current else { return };
        let Some(open) = open else {
            if current.reported.as_ref().is_some_and(|told| quiet >= told_after(told)) {
                current.reported = None;
                actions.events.push(Event::Resumed { command_id: current.id });
            }
            return;
        };
        let unanswered = quiet < self.quiet * ANSWER_PATIENCE;
        if current
            .answered
            .as_ref()
            .is_some_and(|(asked, seen)| *asked == open.outcome && *seen == self.last_byte_at && unanswered)
        {
            // The answer is still on its way; asking for it twice would have a person type it twice.
            return;
        }
        if current.reported.as_ref() != Some(&open.outcome) {
            current.reported = Some(open.outcome.clone());
            actions.report(current, offset, open.outcome, open.confidence, open.evidence);
            actions.echo = echo_of(current);
        }
    }

    /// A full-screen program that draws again before its last drawing has come whole over a slow line.
    fn keeps_drawing(&self, quiet: Duration, glance: &Glance<'_>) -> bool {
        let at = self.last_byte_at + quiet;
        let since = self.current.as_ref().and_then(|current| current.alternate_since);
        let long = since.is_some_and(|since| at.saturating_sub(since) >= BROAD_QUIET + self.quiet);
        long && glance.screen.alternate_screen()
    }

    fn open_outcome(&self, quiet: Duration, glance: &Glance<'_>) -> Option<Open> {
        let current = self.current.as_ref()?;
        let level = self.levels.last();
        if quiet < BROAD_QUIET && !self.was_taken(current, glance) {
            // The Enter is still on its way: what the screen shows is the shell's own editor.
            return None;
        }
        let line = glance.line();
        if let Some(open) = full_screen(glance, &line, &current.text) {
            return Some(open);
        }
        if let Some(open) = level.and_then(|level| continuation(level, current, quiet, glance, &line)) {
            return Some(open);
        }
        let second_prompt = line.trim_end() == ">" && current.output_from.is_none();
        if second_prompt && quiet < CONTINUATION_QUIET {
            // It may yet turn out to be the shell's own.
            return None;
        }
        let question = self.question(&line, glance)?;
        if !question.strict && quiet < BROAD_QUIET {
            return None;
        }
        Some(asking(question, &line))
    }

    /// The shell has read the line that was typed.
    pub(super) fn was_taken(&self, current: &Current, glance: &Glance<'_>) -> bool {
        let marks = self.levels.last().is_some_and(|level| level.integration == Integration::Marks);
        !marks || current.output_from.is_some() || glance.line_feed_since(current.entered_at)
    }

    fn question(&self, line: &str, glance: &Glance<'_>) -> Option<Question> {
        let above = glance.screen.rows_above(LIST_ROWS);
        if !line.trim().is_empty() {
            return patterns::question(line, &above);
        }
        // A file transfer announces itself on a line of its own.
        let announced = patterns::question(above.last()?, &[])?;
        (announced.kind == AwaitingKind::Filetransfer).then_some(announced)
    }
}

/// The silence after which such an outcome is told; before that its absence means nothing.
fn told_after(outcome: &Outcome) -> Duration {
    match outcome {
        Outcome::AwaitingInput { kind: AwaitingKind::Continuation, .. } => CONTINUATION_QUIET,
        Outcome::AwaitingInput { kind: AwaitingKind::Text, .. } => BROAD_QUIET,
        _ => Duration::ZERO,
    }
}

fn asking(question: Question, line: &str) -> Open {
    let Question { kind, options, default, strict } = question;
    let outcome = Outcome::AwaitingInput { kind, prompt: line.trim().to_owned(), options, default };
    match strict {
        true => Open { outcome, confidence: Confidence::High, evidence: "quiet, cursor behind a known question" },
        false => {
            Open { outcome, confidence: Confidence::Low, evidence: "silent for 2 s behind what may be a question" }
        }
    }
}

/// A program that took the screen or the keys, and whether it is a pager.
fn full_screen(glance: &Glance<'_>, line: &str, command: &str) -> Option<Open> {
    let screen = glance.screen;
    let row = screen.cursor_row_text();
    let prompt = row.trim();
    let asks = |text: &str| patterns::awaiting(text) == Some(AwaitingKind::Pager);
    let at_bottom = screen.cursor_is_on_last_row() && !prompt.is_empty();
    let takes_keys = screen.alternate_screen() || screen.application_keys();
    let pager = if takes_keys {
        // less shows a colon, or the file's name in reverse, at the bottom.
        asks(line) || asks(prompt) || (at_bottom && (prompt == ":" || screen.cursor_row_is_reverse()))
    } else {
        // BusyBox's less asks for nothing; it shows the name of the file it was given.
        at_bottom && pages_file(command, prompt)
    };
    if pager {
        let options = vec!["q".to_owned(), "space".to_owned()];
        let outcome =
            Outcome::AwaitingInput { kind: AwaitingKind::Pager, prompt: prompt.to_owned(), options, default: None };
        return Some(Open { outcome, confidence: Confidence::High, evidence: "a pager's last row" });
    }
    takes_keys.then(whole_screen)
}

fn whole_screen() -> Open {
    let evidence = "the program asked for the whole screen or its own keys";
    Open { outcome: Outcome::Fullscreen, confidence: Confidence::High, evidence }
}

/// The command is a pager with a file whose name is `row`.
fn pages_file(command: &str, row: &str) -> bool {
    let mut words = command.split_whitespace();
    words.any(|word| matches!(word.rsplit('/').next(), Some("less" | "more" | "most" | "pg")))
        && words.any(|word| word == row)
}

/// The shell wants more of the line: Enter was taken, nothing was run, and its editor waits.
fn continuation(level: &Level, current: &Current, quiet: Duration, glance: &Glance<'_>, line: &str) -> Option<Open> {
    if level.integration != Integration::Marks || current.output_from.is_some() || quiet < CONTINUATION_QUIET {
        return None;
    }
    let confidence = match level.shell {
        ShellKind::Bash | ShellKind::Zsh if glance.screen.bracketed_paste() => Confidence::High,
        ShellKind::Fish => Confidence::High,
        // These have no mark where a command starts, and no modes: the second prompt alone, right
        // behind the echo.
        ShellKind::Bash | ShellKind::Posix if line.trim_end() == ">" => Confidence::Medium,
        _ => return None,
    };
    let since = (glance.since)(current.entered_at).bytes;
    if !since.contains(&b'\n') {
        return None;
    }
    if level.shell == ShellKind::Posix {
        let output = &since[super::output_start(&since, current.sent.as_str()).min(since.len())..];
        let text = crate::clean::clean(output, 1000).text;
        if !(text.trim() == ">" || output.is_empty()) {
            return None;
        }
    }
    let outcome = Outcome::AwaitingInput {
        kind: AwaitingKind::Continuation,
        prompt: line.trim().to_owned(),
        options: vec!["ctrl-c".to_owned()],
        default: None,
    };
    Some(Open { outcome, confidence, evidence: "the line was taken but nothing was run: the shell waits for its rest" })
}

/// The line's last command sets the prompt, so that nothing runs behind it.
fn sets_prompt(text: &str) -> bool {
    let last = text.rsplit([';', '&', '|', '\n']).next().unwrap_or_default().trim_start();
    let last = last.strip_prefix("export ").unwrap_or(last).trim_start();
    last.starts_with("PS1=")
}
