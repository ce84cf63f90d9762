//! What the shell is doing, told from its marks.
//!
//! Evidence in falling strength: marks with the level's own nonce, the shell's pid and a growing
//! counter; the sentinel around one command; a line editor that has switched bracketed paste on;
//! the shape of the last line while the terminal is quiet. Only the first two ever end a command
//! with an exit code. Silence never ends one.
//!
//! One file per concern: [`marks`] what a mark means, [`levels`] entering and leaving shells,
//! [`quiet`] what only the passing of time can tell, [`submit`] typing a line, [`echo`] where the
//! typed line ends and the output begins, [`fingerprint`] prompts that carry no marks, [`visible`]
//! the sentinel for multiplexers, which swallow marks.
//!
//! Known limits: a hostile host sees the nonce in the line typed to it and can forge marks, so an
//! exit code is what the far side reports; a shell whose prompt command rewrites the prompt loses
//! the `B` mark, and its prompt is then taken as ready after a short quiet time.
//!
//! Pure: time is an argument. [`crate::Terminal`] owns the tracker and carries out its actions.

pub(crate) mod echo;
mod fingerprint;
mod foreground;
mod levels;
mod marks;
mod menu;
mod quiet;
mod submit;
mod visible;

use std::collections::VecDeque;
use std::time::Duration;

use crate::clean::clean;
use crate::decode::Encoding;
use crate::level::{Level, LevelKind, ShellKind};
use crate::outcome::{CommandId, Completion, Confidence, Outcome};
use crate::ring::{Offset, Slice, Span};
use crate::screen::Screen;

pub(crate) use echo::output_start;
pub(crate) use fingerprint::Fingerprint;
pub use foreground::{Foreground, Silence};

/// A line editor that has switched bracketed paste on, or a prompt mark whose `B` never comes:
/// quiet for this long means it waits.
const SHORT_QUIET: Duration = Duration::from_millis(80);
/// Without any such sign the shape of the last line counts after this much quiet.
const QUIET: Duration = Duration::from_millis(300);

/// Who typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Typist {
    Agent,
    Human,
    Automation,
}

/// A line to be run at the prompt.
#[derive(Debug, Clone)]
pub struct Submission {
    pub text: String,
    pub typist: Typist,
    /// The line is expected to lead to this new level (`kubectl exec -it …`).
    pub opens: Option<Expectation>,
    /// Where the caller thinks the terminal is: the innermost level's label, or the end of the
    /// breadcrumb with its parts joined by ` › `. Elsewhere the line is not typed.
    pub expect_level: Option<String>,
}

/// A level that should appear.
#[derive(Debug, Clone)]
pub struct Expectation {
    pub kind: LevelKind,
    pub label: String,
    /// Kept with the level.
    pub attributes: Vec<(String, String)>,
    /// Eight hexadecimal digits, random.
    pub nonce: String,
    /// How long its prompt may take.
    pub within: Duration,
    /// It takes the place of the present level (`exec zsh`) instead of standing on it.
    pub replaces: bool,
    /// What it writes.
    pub encoding: Encoding,
}

impl Expectation {
    /// A level that stands on the present one and writes UTF-8.
    pub fn new(kind: LevelKind, label: impl Into<String>, nonce: String, within: Duration) -> Self {
        let (attributes, encoding) = (Vec::new(), Encoding::default());
        Self { kind, label: label.into(), attributes, nonce, within, replaces: false, encoding }
    }
}

/// What the terminal is doing now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    AtPrompt {
        dirty: bool,
    },
    Running {
        command_id: CommandId,
    },
    /// A level's prompt is being made recognisable.
    Arming,
    Menu,
    Unknown,
    Closed,
}

/// Why a line cannot be run now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    #[error("command {0} is still running in this session")]
    Running(CommandId),
    #[error("a person has typed on the prompt's line and not pressed Enter")]
    DirtyLine,
    #[error("the terminal is at {0}, not at a shell prompt")]
    NoPrompt(String),
    #[error("the line has {length} bytes and this shell takes {limit}")]
    TooLong { length: usize, limit: usize },
    #[error("the text has a tab, which this shell's line editor would take as a completion key")]
    Tab,
    #[error("the text has several lines, and {0} takes only one at a time")]
    Lines(&'static str),
    #[error("the terminal is at `{actual}`, not at `{expected}`")]
    OtherLevel { expected: String, actual: String },
    #[error("the session is closed")]
    Closed,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    CommandStarted {
        command_id: CommandId,
        typist: Typist,
        text: String,
        from: Offset,
    },
    /// The command's fate, final unless `outcome.is_open()`.
    Report(Completion),
    /// What the command had asked for is no longer what the terminal shows; it runs on.
    Resumed {
        command_id: CommandId,
    },
    LevelEntered {
        breadcrumb: Vec<String>,
    },
    LevelsLeft {
        breadcrumb: Vec<String>,
    },
    LevelFailed {
        label: String,
        reason: String,
    },
}

/// What the terminal must do after an observation.
#[derive(Debug, Default)]
pub(crate) struct Actions {
    pub(crate) events: Vec<Event>,
    pub(crate) write: Vec<u8>,
    /// Keep what comes back from view until `show`.
    pub(crate) hold: bool,
    pub(crate) show: Option<Show>,
    /// The reported output still has the echo of this typed line in front of it.
    pub(crate) echo: Option<String>,
    /// Look at the screen again once this is carried out ([`Tracker::settle_unanswered`]).
    pub(crate) recheck: bool,
    /// A program died without giving its modes back (`kill -9` of an editor).
    pub(crate) reset_modes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// Drop what was held and redraw the prompt's row.
    DropHeld,
    /// Show what was held; the attempt failed.
    ShowHeld,
}

/// What an observation may look at besides the signal itself.
pub(crate) struct Glance<'a> {
    pub(crate) screen: &'a Screen,
    /// Output that is kept from view while a shell is being armed.
    pub(crate) held: &'a [u8],
    /// The beginning of the output since an offset, as far as it is kept.
    pub(crate) since: &'a dyn Fn(Offset) -> Slice,
}

impl Glance<'_> {
    /// The logical line the cursor is on, up to the cursor.
    fn line(&self) -> String {
        self.screen.line_before_cursor()
    }

    /// A line feed has come since `offset`: the Enter that was typed there has been taken.
    fn line_feed_since(&self, offset: Offset) -> bool {
        let slice = (self.since)(offset);
        // What has been evicted was more than any line that is typed.
        slice.evicted > 0 || slice.bytes.contains(&b'\n')
    }

    /// The line feed since `offset` is not that of `sent`: nothing that could be its echo stands before
    /// it; or the terminal has echoed, but a shell that tells when it runs something (`tells_starts`)
    /// has run nothing and complained of nothing.
    fn is_other_enter(&self, offset: Offset, sent: &str, tells_starts: bool) -> bool {
        let slice = (self.since)(offset);
        let Some(feed) = slice.bytes.iter().position(|byte| *byte == b'\n') else { return false };
        if slice.evicted > 0 || sent.trim().is_empty() {
            return false;
        }
        let blank = |bytes: &[u8]| clean(bytes, u16::MAX).text.trim().is_empty();
        blank(&slice.bytes[..feed]) || (tells_starts && blank(&slice.bytes[output_start(&slice.bytes, sent)..]))
    }

    /// What has come since `offset` shows nothing: a line editor placing its cursor.
    fn nothing_shown_since(&self, offset: Offset) -> bool {
        self.shows_at_most(offset, 0)
    }

    fn shows_at_most(&self, offset: Offset, chars: usize) -> bool {
        let slice = (self.since)(offset);
        // What has been evicted was shown.
        slice.evicted == 0 && clean(&slice.bytes, u16::MAX).text.trim().chars().count() <= chars
    }
}

/// A command that was started and is not known to have ended.
#[derive(Debug)]
struct Current {
    id: CommandId,
    /// As it was given; empty when nobody was seen to type it.
    text: String,
    /// As it was typed, by which its echo is known; empty for a person's.
    sent: String,
    level_depth: usize,
    entered_at: Offset,
    output_from: Option<Offset>,
    /// The shell's `D` mark: code and where the output ended.
    ended: Option<(Option<i32>, Offset)>,
    sentinel: Option<u64>,
    /// An end mark that may belong to a prompt that was only drawn again; quiet tells.
    doubtful_end: Option<(Option<i32>, Offset)>,
    /// Where an input mark came without an end mark: a line editor that draws its line again, or a
    /// prompt that has lost its end mark. Only quiet right behind it tells.
    drawn_at: Option<Offset>,
    human_input: bool,
    /// When it took the alternate screen it still has.
    alternate_since: Option<Duration>,
    /// An end mark of the past has come by: something prints this session's own output, so that only
    /// a new end mark counts.
    replayed: bool,
    /// ctrl-c was typed while it ran.
    interrupted: bool,
    /// Open outcome already reported, so that it is told once.
    reported: Option<Outcome>,
    /// What it had asked for when something was typed, and when the last byte had come by then.
    answered: Option<(Outcome, Duration)>,
    popped: bool,
    /// What the server's processes have last told of it.
    foreground: Option<String>,
}

#[derive(Debug)]
enum ArmStage {
    Probe,
    /// How many forms of the line were tried before this one.
    Marks(ShellKind, usize),
}

#[derive(Debug)]
struct Arming {
    expectation: Expectation,
    stage: ArmStage,
    until: Duration,
    /// The line that looked like a prompt.
    prompt: String,
    /// Its editor took pasted text.
    pastes: bool,
}

/// How long the far side takes to answer. A bastion may be near and what stands behind it far, so the
/// terminal's own answers are timed too: from a line to the shell's mark that it runs, or from
/// typing into silence to the next byte; the shortest of the last few.
#[derive(Debug, Default)]
struct RoundTrip {
    of_server: Duration,
    typed: Option<Typed>,
    samples: VecDeque<Duration>,
}

/// A line that was typed and not answered yet.
#[derive(Debug, Clone, Copy)]
struct Typed {
    at: Duration,
    /// Nothing was under way, so the next byte is the answer.
    into_silence: bool,
}

impl RoundTrip {
    /// Answers that are remembered.
    const SAMPLES: usize = 5;
    /// A command that starts silently is no slow line.
    const LONGEST: Duration = Duration::from_secs(2);

    fn typed(&mut self, at: Duration, last_byte_at: Duration) {
        self.typed = Some(Typed { at, into_silence: at.saturating_sub(last_byte_at) >= QUIET });
    }

    /// A byte has come; the round trip as it is now known, when it told something.
    fn heard(&mut self, at: Duration) -> Option<Duration> {
        self.typed.filter(|typed| typed.into_silence)?;
        self.answered(at)
    }

    /// What has come can only be the answer.
    fn answered(&mut self, at: Duration) -> Option<Duration> {
        let sample = at.saturating_sub(self.typed.take()?.at).min(Self::LONGEST);
        if self.samples.len() == Self::SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        Some(self.longest())
    }

    fn longest(&self) -> Duration {
        self.samples.iter().min().copied().unwrap_or_default().max(self.of_server)
    }
}

/// The state machine.
#[derive(Debug)]
pub(crate) struct Tracker {
    pub(crate) levels: Vec<Level>,
    at_prompt: bool,
    dirty: bool,
    current: Option<Current>,
    expected: Option<(Expectation, Duration)>,
    arming: Option<Arming>,
    /// A level was entered and its first prompt is being drawn.
    prompt_due: bool,
    /// A probe nobody answered, until what came instead is on the screen.
    failed_prompt: Option<Arming>,
    /// Lines a person typed while a command ran, in shells that do not mark where one starts.
    typed_ahead: VecDeque<String>,
    /// What menus asked when something was typed there.
    menu_questions: VecDeque<String>,
    /// A shell that draws its parent's marks: its pid and the counter of its latest end mark.
    heir: Option<(String, u64)>,
    /// The prompt's own text, as last drawn.
    pub(crate) prompt_text: String,
    /// Where that prompt ended.
    prompt_at: Offset,
    /// A running program was sent answers of the terminal's since the last line was typed.
    stray_answers: bool,
    /// The same of keys that complete no line.
    unfinished: bool,
    /// Output of a command that was read off the screen, because marks do not come through.
    pub(crate) visible_output: Option<(CommandId, String)>,
    last_command: u64,
    last_byte_at: Duration,
    last_person_at: Option<Duration>,
    next_check: Option<Duration>,
    /// What quiet means here: three round trips, at least [`QUIET`].
    quiet: Duration,
    round_trip: RoundTrip,
    closed: bool,
}

impl Tracker {
    pub(crate) fn new() -> Self {
        Self {
            levels: Vec::new(),
            at_prompt: false,
            dirty: false,
            current: None,
            expected: None,
            arming: None,
            prompt_due: false,
            failed_prompt: None,
            typed_ahead: VecDeque::new(),
            menu_questions: VecDeque::new(),
            heir: None,
            prompt_text: String::new(),
            prompt_at: Offset(0),
            stray_answers: false,
            unfinished: false,
            visible_output: None,
            last_command: 0,
            last_byte_at: Duration::ZERO,
            last_person_at: None,
            next_check: None,
            quiet: QUIET,
            round_trip: RoundTrip::default(),
            closed: false,
        }
    }

    /// How long an answer takes to come from the server.
    pub(crate) fn set_round_trip(&mut self, round_trip: Duration) {
        self.round_trip.of_server = round_trip;
        self.learn(self.round_trip.longest());
    }

    fn learn(&mut self, round_trip: Duration) {
        self.quiet = QUIET.max(round_trip * 3);
    }

    pub(crate) fn breadcrumb(&self) -> Vec<String> {
        self.levels.iter().map(|level| level.label.clone()).collect()
    }

    /// What the innermost level writes.
    pub(crate) fn encoding(&self) -> Option<Encoding> {
        self.levels.last().map(|level| level.encoding)
    }

    pub(crate) fn state(&self) -> State {
        if self.closed {
            State::Closed
        } else if self.arming.is_some() || (self.expected.is_some() && self.current.is_none()) {
            State::Arming
        } else if let Some(current) = &self.current {
            State::Running { command_id: current.id }
        } else if self.at_prompt {
            State::AtPrompt { dirty: self.dirty }
        } else if self.prompt_due {
            State::Arming
        } else if self.levels.last().is_some_and(|level| level.kind == LevelKind::Menu) {
            State::Menu
        } else {
            State::Unknown
        }
    }

    pub(crate) fn running(&self) -> Option<CommandId> {
        self.current.as_ref().map(|current| current.id)
    }

    /// Since when the terminal has been silent.
    pub(crate) fn last_byte_at(&self) -> Duration {
        self.last_byte_at
    }

    /// When [`Tracker::tick`] next has something to decide.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let arming = self.arming.as_ref().map(|arming| arming.until);
        let expected = self.expected.as_ref().map(|(_, until)| *until);
        let busy = self.busy();
        [arming, expected, self.next_check.filter(|_| busy)].into_iter().flatten().min()
    }

    fn start(&mut self, offset: Offset, text: &str) -> &mut Current {
        self.last_command += 1;
        self.at_prompt = false;
        self.dirty = false;
        self.current.insert(Current {
            id: CommandId(self.last_command),
            text: text.to_owned(),
            sent: String::new(),
            level_depth: self.levels.len(),
            entered_at: offset,
            output_from: None,
            ended: None,
            sentinel: None,
            doubtful_end: None,
            drawn_at: None,
            human_input: false,
            alternate_since: None,
            replayed: false,
            interrupted: false,
            reported: None,
            answered: None,
            popped: false,
            foreground: None,
        })
    }

    pub(crate) fn noticed_bytes(&mut self, at: Duration) {
        self.last_byte_at = at;
        if let Some(round_trip) = self.round_trip.heard(at) {
            self.learn(round_trip);
        }
        if self.busy() {
            self.next_check = Some(at + SHORT_QUIET);
        }
    }

    /// Quiet would tell something.
    fn busy(&self) -> bool {
        self.current.is_some() || self.expected.is_some() || self.arming.is_some() || self.prompt_due
    }

    /// The command as it stands, for a caller whose time to wait is over.
    pub(crate) fn interim(&self, offset: Offset) -> Option<Completion> {
        let current = self.current.as_ref()?;
        let outcome = current.reported.clone().unwrap_or(Outcome::Running);
        let evidence = "no end seen yet; the time to wait is over";
        let mut interim = completion(current, offset, outcome, Confidence::Low, evidence);
        interim.evidence.extend(current.foreground.clone());
        Some(interim)
    }

    /// The line whose echo stands in front of the running command's output; `None` when a mark says
    /// where the output begins.
    pub(crate) fn echo_of_running(&self) -> Option<String> {
        self.current.as_ref().and_then(marks::echo_of)
    }

    pub(crate) fn close(&mut self, reason: &str, exit_code: Option<i32>, offset: Offset) -> Actions {
        let mut actions = Actions::default();
        self.closed = true;
        self.at_prompt = false;
        self.arming = None;
        if let Some((expectation, _)) = self.expected.take() {
            actions.events.push(Event::LevelFailed { label: expectation.label, reason: reason.to_owned() });
        }
        if let Some(current) = self.current.take() {
            let outcome = Outcome::Disconnected { reason: reason.to_owned(), exit_code };
            actions.report(&current, offset, outcome, Confidence::Certain, "the connection ended");
        }
        actions
    }
}

impl Actions {
    fn report(
        &mut self,
        current: &Current,
        to: Offset,
        outcome: Outcome,
        confidence: Confidence,
        evidence: impl Into<String>,
    ) {
        self.events.push(Event::Report(completion(current, to, outcome, confidence, evidence)));
    }
}

fn completion(
    current: &Current,
    to: Offset,
    outcome: Outcome,
    confidence: Confidence,
    evidence: impl Into<String>,
) -> Completion {
    // A person's keys make anything but the shell's own marks doubtful.
    let capped = if current.human_input && confidence < Confidence::Certain {
        confidence.min(Confidence::Medium)
    } else {
        confidence
    };
    let from = current.output_from.unwrap_or(current.entered_at);
    Completion {
        command_id: current.id,
        span: Span { from, to: to.max(from) },
        outcome,
        confidence: capped,
        evidence: vec![evidence.into()],
        human_input: current.human_input,
    }
}
