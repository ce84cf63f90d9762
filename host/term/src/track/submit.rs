//! Typing a line at a prompt: whether it may be typed now, and the bytes that run exactly it.

use std::time::Duration;

use super::{Event, Glance, NotReady, State, Submission, Tracker, Typist};
use crate::inject;
use crate::level::{Integration, Level, LevelKind, ShellKind};
use crate::outcome::CommandId;
use crate::ring::Offset;

/// Longest line typed as it is; longer and multi-line text goes as one bracketed paste.
const MAX_PLAIN_LINE_BYTES: usize = 900;
/// BusyBox ash cuts lines at 1,018 bytes, a canonical-mode tty at 4,095, both silently.
const MAX_UNPASTED_BYTES: usize = 1015;
/// Lines typed ahead that are remembered.
const MAX_TYPED_AHEAD: usize = 32;
/// ctrl-c
const INTERRUPT: u8 = 0x03;
/// ctrl-u: every line editor and the terminal itself empty the line.
const KILL_LINE: char = '\u{15}';
/// The same wherever the cursor is: ctrl-e in front of it goes to the line's end.
const EMPTY_LINE: &str = "\u{5}\u{15}";
/// What a terminal puts around pasted text (DEC mode 2004).
const PASTE_START: &str = "\x1b[200~";
const PASTE_END: &str = "\x1b[201~";

impl Tracker {
    /// Checks that a line can be run and gives the bytes that run it.
    pub(crate) fn begin(
        &mut self,
        submission: &Submission,
        bracketed_paste: bool,
        offset: Offset,
        at: Duration,
    ) -> Result<(CommandId, Vec<u8>, Event), NotReady> {
        self.must_be_at(submission.expect_level.as_deref())?;
        let level = self.ready_level()?;
        let number = self.last_command + 1;
        let text = submission.text.as_str();
        let (line, wrapped) = line_for(level, number, text, bracketed_paste)?;
        self.typed_ahead.clear();
        let current = self.start(offset, text);
        let id = current.id;
        current.sentinel = wrapped.then_some(number);
        current.sent = line.trim_end_matches('\r').replace(PASTE_START, "").replace(PASTE_END, "");
        if let Some(expectation) = submission.opens.clone() {
            let until = at + expectation.within;
            self.expected = Some((expectation, until));
        }
        self.next_check = Some(at + self.quiet);
        self.round_trip.typed(at, self.last_byte_at);
        let event =
            Event::CommandStarted { command_id: id, typist: submission.typist, text: text.to_owned(), from: offset };
        Ok((id, self.on_an_empty_line(line), event))
    }

    /// What types `line`, where something else may stand already: answers of the terminal's that came too late for
    /// the program that had asked, or keys for a program that ended without reading them. Typed behind those, a
    /// line would not be the one that was judged.
    pub(super) fn on_an_empty_line(&mut self, mut line: String) -> Vec<u8> {
        let (unfinished, answers) = (std::mem::take(&mut self.unfinished), std::mem::take(&mut self.stray_answers));
        if unfinished {
            line.insert_str(0, EMPTY_LINE);
        } else if answers {
            line.insert(0, KILL_LINE);
        }
        line.into_bytes()
    }

    fn must_be_at(&self, expected: Option<&str>) -> Result<(), NotReady> {
        let Some(expected) = expected else { return Ok(()) };
        let actual = self.breadcrumb().join(" › ");
        let matches = actual == expected
            || self.levels.last().is_some_and(|level| level.label == expected)
            || actual.strip_suffix(expected).is_some_and(|before| before.ends_with(" › "));
        if matches { Ok(()) } else { Err(NotReady::OtherLevel { expected: expected.to_owned(), actual }) }
    }

    fn ready_level(&self) -> Result<&Level, NotReady> {
        match self.state() {
            State::Closed => Err(NotReady::Closed),
            State::Running { command_id } => Err(NotReady::Running(command_id)),
            State::AtPrompt { dirty: true } => Err(NotReady::DirtyLine),
            State::AtPrompt { dirty: false } => {
                self.levels.last().ok_or_else(|| NotReady::NoPrompt("no level".to_owned()))
            }
            State::Arming => Err(NotReady::NoPrompt("a shell that is just starting".to_owned())),
            State::Menu => Err(NotReady::NoPrompt("a menu".to_owned())),
            State::Unknown => Err(NotReady::NoPrompt("an unknown program".to_owned())),
        }
    }

    /// A person's keys, before they are written. Enter at a prompt starts a command of theirs.
    pub(crate) fn human_typed(&mut self, bytes: &[u8], line: &str, offset: Offset, at: Duration) -> Option<Event> {
        self.last_person_at = Some(at);
        if let Some(current) = &mut self.current {
            current.human_input = true;
            self.program_typed(bytes);
            self.type_ahead(bytes);
            return None;
        }
        if !self.at_prompt {
            return None;
        }
        if !bytes.contains(&b'\r') {
            self.dirty = true;
            return None;
        }
        let typed_before = line.strip_prefix(self.prompt_text.as_str()).unwrap_or_default();
        let typed_now = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let text = format!("{typed_before}{}", String::from_utf8_lossy(typed_now)).trim().to_owned();
        let sent = String::from_utf8_lossy(typed_now).into_owned();
        self.typed_ahead.clear();
        let current = self.start(offset, &text);
        current.sent = sent;
        let command_id = current.id;
        self.type_ahead(&bytes[typed_now.len() + 1..]);
        self.next_check = Some(at + self.quiet);
        self.round_trip.typed(at, self.last_byte_at);
        Some(Event::CommandStarted { command_id, typist: Typist::Human, text, from: offset })
    }

    /// A query of the running program was answered.
    pub(crate) fn answered_a_query(&mut self) {
        self.stray_answers |= self.current.is_some();
    }

    /// A query that comes before the typed Enter was taken is of the line editor that has read the
    /// line by now (BusyBox asks for the cursor at each prompt, behind it). An answer would reach
    /// the program that was started.
    pub(crate) fn asked_too_late(&self, glance: &Glance<'_>) -> bool {
        let plain = self.levels.last().is_some_and(|level| level.shell == ShellKind::Posix);
        self.current.as_ref().is_some_and(|current| plain && !glance.line_feed_since(current.entered_at))
    }

    /// Something was typed into the running program: the same question may come again.
    pub(crate) fn program_typed(&mut self, bytes: &[u8]) {
        if let Some(current) = &mut self.current {
            current.answered = current.reported.take().map(|asked| (asked, self.last_byte_at));
            current.interrupted |= bytes.contains(&INTERRUPT);
            // Whether the program has read them nobody knows. Whole lines are read as such, or run as typed.
            self.unfinished |= bytes.last().is_some_and(|last| !matches!(last, b'\r' | b'\n'));
        }
    }

    /// Whole lines of a person that the shell may read when the present command has ended.
    fn type_ahead(&mut self, bytes: &[u8]) {
        let tells_ends_only = self.levels.last().is_some_and(|level| level.shell == ShellKind::Posix);
        let text = String::from_utf8_lossy(bytes);
        let Some((lines, _)) = text.rsplit_once('\r').filter(|_| tells_ends_only) else { return };
        self.typed_ahead.extend(lines.split('\r').map(|line| line.trim().to_owned()));
        let surplus = self.typed_ahead.len().saturating_sub(MAX_TYPED_AHEAD);
        self.typed_ahead.drain(..surplus);
    }
}

/// What is typed for `text` at `level`, Enter included, and whether a sentinel stands around it.
fn line_for(level: &Level, number: u64, text: &str, bracketed_paste: bool) -> Result<(String, bool), NotReady> {
    match level.integration {
        Integration::Sentinel => {
            let line = inject::sentinel(level.shell, &level.nonce, number, &one_line(level.shell, text)?);
            within(&line)?;
            Ok((line, true))
        }
        Integration::VisibleSentinel => {
            let line = inject::visible_sentinel(level.shell, &level.nonce, number, &one_line(level.shell, text)?);
            within(&line)?;
            Ok((line, true))
        }
        Integration::Prompt if text.contains('\n') => Err(NotReady::Lines("this command line")),
        Integration::Prompt | Integration::None if !level.kind.is_shell() && level.kind != LevelKind::NetworkCli => {
            Err(NotReady::NoPrompt(level.label.clone()))
        }
        Integration::Prompt | Integration::None | Integration::Marks => {
            Ok((typed(text, level.shell, bracketed_paste)?, false))
        }
    }
}

/// Text for a sentinel: its line ends become the line feeds that Enter gives inside quotes.
fn one_line(shell: ShellKind, text: &str) -> Result<String, NotReady> {
    match (shell, text.contains('\n')) {
        (ShellKind::Tcsh, true) => Err(NotReady::Lines("tcsh")),
        _ => Ok(text.replace('\n', "\r")),
    }
}

/// Every line of what would be typed fits the shortest line editor.
fn within(typed: &str) -> Result<(), NotReady> {
    let length = typed.split('\r').map(str::len).max().unwrap_or(0);
    if length > MAX_UNPASTED_BYTES { Err(NotReady::TooLong { length, limit: MAX_UNPASTED_BYTES }) } else { Ok(()) }
}

/// What types `text` and presses Enter, so that the shell reads exactly this text.
fn typed(text: &str, shell: ShellKind, bracketed_paste: bool) -> Result<String, NotReady> {
    // tcsh replaces `!` even inside quotes; what is run is what was given.
    let text = if shell == ShellKind::Tcsh { text.replace('!', "\\!") } else { text.to_owned() };
    if shell == ShellKind::Tcsh && text.contains('\n') {
        return Err(NotReady::Lines("tcsh"));
    }
    let needs_paste = text.contains(['\n', '\t']) || text.len() > MAX_PLAIN_LINE_BYTES;
    if !needs_paste {
        return Ok(format!("{text}\r"));
    }
    if bracketed_paste {
        return Ok(format!("{PASTE_START}{}{PASTE_END}\r", text.replace('\n', "\r")));
    }
    if text.contains('\t') {
        return Err(NotReady::Tab);
    }
    let line = if text.contains('\n') {
        format!("{}\r", inject::eval(shell, &text).replace('\n', "\r"))
    } else {
        format!("{text}\r")
    };
    within(&line)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_typed_so_that_the_shell_reads_exactly_it() {
        assert_eq!(typed("ls", ShellKind::Bash, false), Ok("ls\r".to_owned()));
        assert_eq!(typed("a\nb", ShellKind::Bash, true), Ok("\x1b[200~a\rb\x1b[201~\r".to_owned()));
        assert_eq!(typed("a\nb'c", ShellKind::Posix, false), Ok("command eval 'a\rb'\\''c'\r".to_owned()));
        assert_eq!(typed("a\nb'\\c", ShellKind::Fish, false), Ok("eval 'a\rb\\'\\\\c'\r".to_owned()));
        assert_eq!(typed("echo hi!", ShellKind::Tcsh, false), Ok("echo hi\\!\r".to_owned()));
        assert_eq!(typed("a\nb", ShellKind::Tcsh, false), Err(NotReady::Lines("tcsh")));
        assert_eq!(typed("a\tb", ShellKind::Posix, false), Err(NotReady::Tab));
        assert!(matches!(typed(&"x".repeat(1030), ShellKind::Posix, false), Err(NotReady::TooLong { .. })));
    }
}
