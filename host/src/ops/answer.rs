//! What comes back after something was typed: waiting for it, and telling what it is.

use std::time::{Duration, Instant};

use portcullis_term::{CommandId, Completion, Offset, Outcome, clean};
use regex::Regex;
use serde::Serialize;

use super::OpError;
use super::echo::without_echo;
use super::retry::compile;
use super::stop::standing;
use crate::session::{Reading, SessionHandle};

/// The screen has settled when nothing arrived for this long.
const SETTLED: Duration = Duration::from_millis(150);
/// A running command that has said nothing for this long is at work; a question would be known by now.
const AT_WORK: Duration = Duration::from_millis(500);
/// Least time between two looks at a flood of output.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// A program has taken a line when it has been quiet for this long after it answered, or after an echo
/// without an answer.
const LINE_ANSWERED: Duration = Duration::from_millis(50);
const LINE_SILENT: Duration = Duration::from_millis(300);
/// A program that shows nothing at all for a line gets the next one after this.
const LINE_WAIT: Duration = Duration::from_secs(2);
/// More than this is not looked through.
const MAX_PRINTED_BYTES: usize = 4 << 20;
/// Switches to the alternate screen (DEC mode 1049).
const ALTERNATE_SCREEN: &[u8] = b"\x1b[?1049h";

/// What to wait for in what is printed.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    text: Option<String>,
    pattern: Option<Regex>,
}

impl Wanted {
    /// # Errors
    /// When the pattern is no regular expression, or both are given.
    pub(super) fn new(text: Option<&str>, pattern: Option<&str>) -> Result<Self, OpError> {
        if text.is_some() && pattern.is_some() {
            return Err(OpError::BadArgument("give `wait_for` or `wait_pattern`, not both".to_owned()));
        }
        let pattern = pattern.map(|pattern| compile("wait_pattern", pattern)).transpose()?;
        Ok(Self { text: text.map(str::to_owned), pattern })
    }

    /// None when nothing is waited for.
    pub(super) fn found(&self, printed: &str) -> Option<bool> {
        match (&self.text, &self.pattern) {
            (Some(text), _) => Some(printed.contains(text.as_str())),
            (None, Some(pattern)) => Some(pattern.is_match(printed)),
            (None, None) => None,
        }
    }

    pub(super) fn is_something(&self) -> bool {
        self.text.is_some() || self.pattern.is_some()
    }
}

/// How the terminal stands after the keys.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Standing {
    /// A command runs there, or ran when the keys were sent.
    Command(Completion),
    /// No command of this session: the session's state (`at_prompt`, `menu`, `unknown`, …).
    State { outcome: String },
}

/// What was typed, as far as the answer to it depends on that.
pub(super) struct Typed {
    /// Output offset before it, in bytes.
    pub(super) since: u64,
    /// What an echoing terminal prints for it.
    pub(super) echo: String,
    /// The command that runs there.
    pub(super) job: Option<CommandId>,
    /// It was started by what was typed; its output is known exactly.
    pub(super) is_new: bool,
    /// What lines that were sent before have brought.
    earlier: String,
}

/// The answer as it stands when the waiting ends.
pub(super) struct Answer {
    pub(super) reading: Reading,
    pub(super) printed: String,
    pub(super) found: Option<bool>,
    pub(super) known: Option<Completion>,
}

impl Typed {
    /// Nothing yet, at the terminal as it was read.
    pub(super) fn new(reading: &Reading) -> Self {
        let (since, job) = (reading.generation, reading.running);
        Self { since, echo: String::new(), job, is_new: false, earlier: String::new() }
    }

    /// Waits until the program has taken the line just sent, and goes on from there: it has shown more
    /// than the line's echo, or nothing for a while.
    pub(super) async fn line_taken(&mut self, session: &SessionHandle, until: Instant) -> Result<Reading, OpError> {
        let until = until.min(Instant::now() + LINE_WAIT);
        let mut events = session.events();
        loop {
            let reading = session.read().await?;
            let printed = printed_since(session, self.since, Some(reading.generation)).await?;
            let own = without_echo(&printed, &self.echo);
            let quiet = Duration::from_millis(reading.quiet_ms);
            let enough = if own.is_empty() { LINE_SILENT } else { LINE_ANSWERED };
            let taken = reading.generation > self.since && quiet >= enough;
            let left = until.saturating_duration_since(Instant::now());
            let Some(events) = events.as_mut().filter(|_| !taken && !left.is_zero() && !session.is_closed()) else {
                self.earlier.push_str(own);
                self.since = reading.generation;
                self.echo.clear();
                return Ok(reading);
            };
            let pause = if reading.generation > self.since { enough.saturating_sub(quiet) } else { left };
            drop(tokio::time::timeout(pause.min(left), events.recv()).await);
        }
    }

    /// Waits until what is wanted was printed, the command has come to something, or all is quiet.
    pub(super) async fn answer(
        &self,
        session: &SessionHandle,
        wanted: &Wanted,
        wait: Duration,
    ) -> Result<Answer, OpError> {
        let until = Instant::now() + wait;
        let mut events = session.events();
        loop {
            let reading = session.read().await?;
            let known = self.known(session).await?;
            let found = match wanted.is_something() {
                true => wanted.found(&self.printed(session, known.as_ref()).await?),
                false => None,
            };
            let left = until.saturating_duration_since(Instant::now());
            let over = left.is_zero() || session.is_closed() || events.is_none();
            if over || self.is_done(&reading, known.as_ref(), found) {
                let printed = self.printed(session, known.as_ref()).await?;
                return Ok(Answer { reading, printed, found, known });
            }
            if let Some(events) = &mut events {
                let pause = next_look(&reading, self.since).min(left);
                // A lagged receiver only means that much has happened; all is read anew anyway.
                drop(tokio::time::timeout(pause, events.recv()).await);
                tokio::time::sleep(LOOK_AGAIN.min(left)).await;
            }
        }
    }

    fn is_done(&self, reading: &Reading, known: Option<&Completion>, found: Option<bool>) -> bool {
        let quiet = Duration::from_millis(reading.quiet_ms);
        let changed = reading.generation > self.since && quiet >= SETTLED;
        let has_come_to_something = known.is_some_and(|known| known.outcome != Outcome::Running);
        match found {
            Some(true) => true,
            // Nothing more of it will come.
            Some(false) => changed && known.is_some_and(|known| !known.outcome.is_open()),
            None => changed && (known.is_none() || has_come_to_something || quiet >= AT_WORK),
        }
    }

    async fn known(&self, session: &SessionHandle) -> Result<Option<Completion>, OpError> {
        match self.job {
            Some(job) => standing(session, job).await.map(Some),
            None => Ok(None),
        }
    }

    async fn printed(&self, session: &SessionHandle, known: Option<&Completion>) -> Result<String, OpError> {
        let text = match (self.job, known) {
            (Some(job), _) if self.is_new => session.read_command(job).await?.text.text,
            (_, known) => {
                // Behind the command's end stands the prompt.
                let end = known.filter(|known| !known.outcome.is_open()).map(|known| known.span.to.0);
                printed_since(session, self.since, end).await?
            }
        };
        Ok(format!("{}{}", self.earlier, without_echo(&text, &self.echo)))
    }
}

/// What was printed from the absolute offset `since` up to `until`, or up to now, as text.
pub(super) async fn printed_since(session: &SessionHandle, since: u64, until: Option<u64>) -> Result<String, OpError> {
    let slice = session.output_slice(Some(Offset(since)), until.map(Offset), MAX_PRINTED_BYTES).await?;
    // A full-screen program that had the terminal then has drawn, not printed.
    let before: &[u8] = if slice.full_screen { ALTERNATE_SCREEN } else { b"" };
    Ok(clean(&[before, &slice.bytes].concat(), session.summary().columns).text)
}

/// How long until quiet alone changes what can be said.
fn next_look(reading: &Reading, since: u64) -> Duration {
    let quiet = Duration::from_millis(reading.quiet_ms);
    let marks = [SETTLED, AT_WORK];
    let next = marks.into_iter().find(|mark| reading.generation > since && quiet < *mark);
    next.map_or(Duration::MAX, |mark| mark - quiet)
}

/// The screen once something was printed after `since` and it has settled, or as it is when the time is
/// over.
pub(super) async fn settled_screen(session: &SessionHandle, since: u64, wait: Duration) -> Result<Reading, OpError> {
    let until = Instant::now() + wait;
    let Some(mut events) = session.events() else { return Ok(session.read().await?) };
    loop {
        let reading = session.read().await?;
        let changed = reading.generation > since;
        let quiet = Duration::from_millis(reading.quiet_ms);
        let left = until.saturating_duration_since(Instant::now());
        if (changed && quiet >= SETTLED) || left.is_zero() || session.is_closed() {
            return Ok(reading);
        }
        let pause = if changed { SETTLED.saturating_sub(quiet) } else { left };
        drop(tokio::time::timeout(pause.min(left), events.recv()).await);
    }
}
