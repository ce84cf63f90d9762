//! What the shell is doing, told from its marks.
//!
//! Evidence in falling strength: marks with the level's own nonce, the shell's pid and a growing
//! counter; the sentinel around one command; the shape of the last line while the terminal is
//! quiet. Only the first two ever end a command with an exit code. Silence never ends one.
//!
//! Known limits: a hostile host sees the nonce in the line typed to it and can forge marks, so an
//! exit code is what the far side reports; a shell whose prompt command rewrites the prompt loses
//! the `B` mark, and its prompt is then taken as ready after a short quiet time.
//!
//! Pure: time is an argument. [`crate::Terminal`] owns the tracker and carries out its actions.

use std::time::Duration;

use crate::inject;
use crate::level::{Integration, Level, LevelKind, ShellKind};
use crate::outcome::{CommandId, Completion, Confidence, ExitSource, Outcome};
use crate::patterns;
use crate::ring::{Offset, Span};
use crate::tap::{Mark, MarkKind, Signal};

/// A line editor that has switched bracketed paste on, or a prompt mark whose `B` never comes:
/// quiet for this long means it waits.
const SHORT_QUIET: Duration = Duration::from_millis(80);
/// Without any such sign the shape of the last line counts after this much quiet.
const QUIET: Duration = Duration::from_millis(300);
/// The host types nothing of its own this soon after a person's key: it would land in their line.
const PERSON_PAUSE: Duration = Duration::from_millis(700);
/// Time a shell has to answer the probe, and then to show its first marked prompt.
const ARM_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest line typed as it is; longer and multi-line text goes as one bracketed paste.
const MAX_PLAIN_LINE_BYTES: usize = 900;
/// BusyBox ash cuts lines at 1,018 bytes, a canonical-mode tty at 4,095, both silently.
const MAX_UNPASTED_BYTES: usize = 1000;

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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// Drop what was held and redraw the prompt's row.
    DropHeld,
    /// Show what was held; the attempt failed.
    ShowHeld,
}

/// Facts of the screen an observation may need.
#[derive(Debug, Clone)]
pub(crate) struct Glance {
    pub(crate) line: String,
    pub(crate) bracketed_paste: bool,
    pub(crate) alternate_screen: bool,
    pub(crate) application_keys: bool,
}

#[derive(Debug)]
struct Current {
    id: CommandId,
    level_depth: usize,
    entered_at: Offset,
    output_from: Option<Offset>,
    /// The shell's `D` mark: code and where the output ended.
    ended: Option<(Option<i32>, Offset)>,
    sentinel: Option<u64>,
    /// Where an input mark came without an end mark: a line editor that draws its line again, or a
    /// prompt that has lost its end mark. Only quiet right behind it tells.
    drawn_at: Option<Offset>,
    human_input: bool,
    /// Open outcome already reported, so that it is told once.
    reported: Option<Outcome>,
    popped: bool,
}

#[derive(Debug)]
enum ArmStage {
    Probe,
    Marks(ShellKind),
}

#[derive(Debug)]
struct Arming {
    expectation: Expectation,
    stage: ArmStage,
    until: Duration,
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
    /// The prompt's own text, as last drawn.
    pub(crate) prompt_text: String,
    last_command: u64,
    last_byte_at: Duration,
    last_person_at: Option<Duration>,
    next_check: Option<Duration>,
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
            prompt_text: String::new(),
            last_command: 0,
            last_byte_at: Duration::ZERO,
            last_person_at: None,
            next_check: None,
            closed: false,
        }
    }

    pub(crate) fn breadcrumb(&self) -> Vec<String> {
        self.levels.iter().map(|level| level.label.clone()).collect()
    }

    pub(crate) fn state(&self) -> State {
        if self.closed {
            State::Closed
        } else if self.arming.is_some() || self.expected.is_some() {
            State::Arming
        } else if let Some(current) = &self.current {
            State::Running { command_id: current.id }
        } else if self.at_prompt {
            State::AtPrompt { dirty: self.dirty }
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
        let busy = self.current.is_some() || self.expected.is_some();
        [arming, expected, self.next_check.filter(|_| busy)].into_iter().flatten().min()
    }

    /// A level declared by the profile or a navigator; no prompt is looked for.
    pub(crate) fn declare(&mut self, level: Level) {
        self.at_prompt = false;
        self.levels.push(level);
    }

    /// A new level's prompt should appear without a line being submitted (after a menu's choice,
    /// or at the session's start).
    pub(crate) fn expect(&mut self, expectation: Expectation, at: Duration) {
        let until = at + expectation.within;
        self.at_prompt = false;
        self.expected = Some((expectation, until));
        self.next_check = Some(at + SHORT_QUIET);
    }

    /// The running command is expected to lead to this level.
    pub(crate) fn expect_of_running(&mut self, expectation: Expectation, at: Duration) {
        let until = at + expectation.within;
        self.expected = Some((expectation, until));
        self.next_check = Some(at + QUIET);
    }

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
        let (integration, shell, nonce) = (level.integration, level.shell, level.nonce.clone());
        let number = self.last_command + 1;
        let text = submission.text.as_str();
        let bytes = if integration == Integration::Sentinel {
            let line = inject::sentinel(shell, &nonce, number, text);
            within(line.len(), MAX_UNPASTED_BYTES)?;
            line.into_bytes()
        } else {
            typed(text, shell, bracketed_paste)?
        };
        let sentinel = (integration == Integration::Sentinel).then_some(number);
        let id = self.start(offset, sentinel);
        if let Some(expectation) = submission.opens.clone() {
            let until = at + expectation.within;
            self.expected = Some((expectation, until));
        }
        self.next_check = Some(at + QUIET);
        let event =
            Event::CommandStarted { command_id: id, typist: submission.typist, text: text.to_owned(), from: offset };
        Ok((id, bytes, event))
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

    fn start(&mut self, offset: Offset, sentinel: Option<u64>) -> CommandId {
        self.last_command += 1;
        self.at_prompt = false;
        self.dirty = false;
        let id = CommandId(self.last_command);
        self.current = Some(Current {
            id,
            level_depth: self.levels.len(),
            entered_at: offset,
            output_from: None,
            ended: None,
            sentinel,
            drawn_at: None,
            human_input: false,
            reported: None,
            popped: false,
        });
        id
    }

    /// A person's keys, before they are written. Enter at a prompt starts a command of theirs.
    pub(crate) fn human_typed(&mut self, bytes: &[u8], line: &str, offset: Offset, at: Duration) -> Option<Event> {
        self.last_person_at = Some(at);
        if let Some(current) = &mut self.current {
            current.human_input = true;
            // The answer to a question was typed; the same question may come again.
            current.reported = None;
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
        let id = self.start(offset, None);
        self.next_check = Some(at + QUIET);
        Some(Event::CommandStarted { command_id: id, typist: Typist::Human, text, from: offset })
    }

    pub(crate) fn noticed_bytes(&mut self, at: Duration) {
        self.last_byte_at = at;
        if self.current.is_some() || self.expected.is_some() {
            self.next_check = Some(at + SHORT_QUIET);
        }
    }

    pub(crate) fn observe(&mut self, signal: &Signal, offset: Offset, at: Duration, glance: &Glance) -> Actions {
        match signal {
            Signal::Mark(mark) => self.observe_mark(mark, offset, at, glance),
            // Modes are read from the screen when they matter; a foreign mark proves nothing.
            Signal::ForeignMark
            | Signal::BracketedPaste(_)
            | Signal::AlternateScreen(_)
            | Signal::ApplicationKeys(_) => Actions::default(),
        }
    }

    fn observe_mark(&mut self, mark: &Mark, offset: Offset, at: Duration, glance: &Glance) -> Actions {
        let mut actions = Actions::default();
        if self.arming.as_ref().is_some_and(|arming| arming.expectation.nonce == mark.nonce) {
            self.observe_arming(mark, at, &mut actions);
            return actions;
        }
        let Some(depth) = self.levels.iter().rposition(|level| level.nonce == mark.nonce) else {
            return actions;
        };
        if mark.pid == "s" {
            self.observe_sentinel(mark, offset, &mut actions);
            return actions;
        }
        if !self.accept_counter(depth, mark) {
            return actions;
        }
        if depth + 1 < self.levels.len() {
            self.pop_to(depth, &mut actions);
        }
        match mark.kind {
            MarkKind::OutputStart => self.output_started(offset, &mut actions),
            MarkKind::CommandEnd(code) => {
                if let Some(current) = &mut self.current {
                    current.ended = Some((code, offset));
                }
            }
            MarkKind::InputStart => match &mut self.current {
                Some(current) if current.ended.is_none() => current.drawn_at = Some(offset),
                _ => self.prompt_ready(offset, glance, &mut actions),
            },
            MarkKind::PromptStart | MarkKind::Probe { .. } => {}
        }
        actions
    }

    /// A replayed mark has an old counter; another process has another pid.
    fn accept_counter(&mut self, depth: usize, mark: &Mark) -> bool {
        let level = &mut self.levels[depth];
        let known_pid = level.pid.get_or_insert_with(|| mark.pid.clone());
        if *known_pid != mark.pid {
            return false;
        }
        match mark.counter {
            Some(counter) if counter <= level.last_counter => false,
            Some(counter) => {
                level.last_counter = counter;
                true
            }
            None => true,
        }
    }

    fn pop_to(&mut self, depth: usize, actions: &mut Actions) {
        self.levels.truncate(depth + 1);
        self.expected = None;
        self.arming = None;
        if let Some(current) = &mut self.current {
            current.popped |= current.level_depth > depth + 1;
        }
        actions.events.push(Event::LevelsLeft { breadcrumb: self.breadcrumb() });
    }

    fn output_started(&mut self, offset: Offset, actions: &mut Actions) {
        if self.current.is_none() {
            // Something was run that nobody was seen to submit (a key bound to a command).
            let id = self.start(offset, None);
            let text = String::new();
            actions.events.push(Event::CommandStarted { command_id: id, typist: Typist::Human, text, from: offset });
        }
        if let Some(current) = &mut self.current {
            current.output_from.get_or_insert(offset);
        }
    }

    /// The `B` mark: the shell's line editor waits for input.
    fn prompt_ready(&mut self, offset: Offset, glance: &Glance, actions: &mut Actions) {
        self.at_prompt = true;
        self.dirty = false;
        self.expected = None;
        self.prompt_text = glance.line.clone();
        let Some(current) = self.current.take() else { return };
        let to = current.ended.map_or(offset, |(_, end)| end);
        let (outcome, confidence, evidence) = match current.ended {
            Some((code, _)) if current.popped => {
                let outcome = Outcome::LevelChanged { breadcrumb: self.breadcrumb(), exit_code: code };
                (outcome, Confidence::Certain, "end mark of the level below")
            }
            Some((exit_code, _)) => {
                let outcome = Outcome::Completed { exit_code, exit_source: ExitSource::Mark };
                (outcome, Confidence::Certain, "end and prompt marks of this shell, counter advanced")
            }
            None => (Outcome::PromptNoStatus, Confidence::High, "prompt mark without an end mark"),
        };
        actions.events.push(report(&current, to, outcome, confidence, evidence));
    }

    fn observe_sentinel(&mut self, mark: &Mark, offset: Offset, actions: &mut Actions) {
        let Some(current) = &mut self.current else { return };
        match mark.kind {
            MarkKind::OutputStart => current.output_from = current.output_from.or(Some(offset)),
            MarkKind::CommandEnd(exit_code) if current.sentinel.is_some() && mark.counter == current.sentinel => {
                let outcome = Outcome::Completed { exit_code, exit_source: ExitSource::Sentinel };
                actions.events.push(report(current, offset, outcome, Confidence::High, "sentinel of this command"));
                self.current = None;
                self.at_prompt = true;
            }
            _ => {}
        }
    }

    fn observe_arming(&mut self, mark: &Mark, at: Duration, actions: &mut Actions) {
        let Some(arming) = &mut self.arming else { return };
        match (&arming.stage, &mark.kind) {
            (ArmStage::Probe, MarkKind::Probe { bash, zsh, fish }) => {
                let shell = match (bash, zsh, fish) {
                    (true, _, _) => ShellKind::Bash,
                    (_, true, _) => ShellKind::Zsh,
                    (_, _, true) => ShellKind::Fish,
                    _ => ShellKind::Posix,
                };
                actions.write = inject::marks(shell, &arming.expectation.nonce).into_bytes();
                arming.stage = ArmStage::Marks(shell);
                arming.until = at + ARM_TIMEOUT;
            }
            (ArmStage::Marks(shell), MarkKind::CommandEnd(_)) => {
                let mut level = Level::new(arming.expectation.kind, arming.expectation.label.clone());
                level.shell = *shell;
                level.attributes.clone_from(&arming.expectation.attributes);
                level.integration = Integration::Marks;
                level.nonce = mark.nonce.clone();
                level.pid = Some(mark.pid.clone());
                level.last_counter = mark.counter.unwrap_or(0);
                self.arming = None;
                actions.show = Some(Show::DropHeld);
                self.enter(level, "probe answered and prompt marked", actions);
            }
            _ => {}
        }
    }

    /// Puts the level on the path and settles the command that led to it.
    fn enter(&mut self, level: Level, evidence: &str, actions: &mut Actions) {
        self.levels.push(level);
        self.expected = None;
        let breadcrumb = self.breadcrumb();
        actions.events.push(Event::LevelEntered { breadcrumb: breadcrumb.clone() });
        if let Some(current) = self.current.take() {
            let outcome = Outcome::LevelChanged { breadcrumb, exit_code: None };
            let to = current.output_from.unwrap_or(current.entered_at);
            actions.events.push(report(&current, to, outcome, Confidence::Certain, evidence));
        }
    }

    /// Time has passed; decides what only quiet can decide.
    pub(crate) fn tick(&mut self, offset: Offset, at: Duration, glance: &Glance) -> Actions {
        let mut actions = Actions::default();
        if self.arming.as_ref().is_some_and(|arming| at >= arming.until) {
            self.arming_failed(&mut actions);
            return actions;
        }
        if self.next_check.is_none_or(|check| at < check) {
            self.expectation_expired(at, &mut actions);
            return actions;
        }
        let quiet = at.saturating_sub(self.last_byte_at);
        self.next_check = (quiet < QUIET).then(|| self.last_byte_at + QUIET);
        if self.expected.is_some() && self.person_is_typing(at) {
            self.next_check = self.last_person_at.map(|typed| typed + PERSON_PAUSE);
        }
        if self.current.as_ref().is_some_and(|current| current.ended.is_some()) {
            // An end mark but no input mark: the prompt command rewrites the prompt.
            self.prompt_ready(offset, glance, &mut actions);
        } else if self.expected.is_some() && !self.person_is_typing(at) && self.prompt_waits(quiet, glance) {
            self.arm(at, &mut actions);
        } else if quiet >= QUIET && self.lost_its_end_mark(offset) {
            self.prompt_ready(offset, glance, &mut actions);
        } else if quiet >= QUIET {
            self.report_open(offset, glance, &mut actions);
        }
        self.expectation_expired(at, &mut actions);
        actions
    }

    /// The command's output began, then a prompt was drawn, and nothing has come since.
    fn lost_its_end_mark(&self, offset: Offset) -> bool {
        let current = self.current.as_ref();
        current.is_some_and(|current| current.output_from.is_some() && current.drawn_at == Some(offset))
    }

    fn person_is_typing(&self, at: Duration) -> bool {
        self.last_person_at.is_some_and(|typed| at.saturating_sub(typed) < PERSON_PAUSE)
    }

    fn prompt_waits(&self, quiet: Duration, glance: &Glance) -> bool {
        let enough = if glance.bracketed_paste { SHORT_QUIET } else { QUIET };
        quiet >= enough && !glance.alternate_screen && patterns::looks_like_prompt(&glance.line)
    }

    fn arm(&mut self, at: Duration, actions: &mut Actions) {
        let Some((expectation, _)) = self.expected.take() else { return };
        actions.write = inject::probe(&expectation.nonce).into_bytes();
        actions.hold = true;
        self.arming = Some(Arming { expectation, stage: ArmStage::Probe, until: at + ARM_TIMEOUT });
    }

    fn arming_failed(&mut self, actions: &mut Actions) {
        let Some(arming) = self.arming.take() else { return };
        actions.show = Some(Show::ShowHeld);
        let label = arming.expectation.label.clone();
        match arming.stage {
            ArmStage::Marks(shell) => {
                let mut level = Level::new(arming.expectation.kind, label);
                level.shell = shell;
                level.attributes = arming.expectation.attributes;
                level.integration = Integration::Sentinel;
                level.nonce = arming.expectation.nonce;
                self.at_prompt = true;
                self.enter(level, "probe answered, prompt could not be marked", actions);
            }
            ArmStage::Probe => {
                let reason = "what looked like a prompt did not answer as a shell".to_owned();
                actions.events.push(Event::LevelFailed { label, reason });
            }
        }
    }

    fn expectation_expired(&mut self, at: Duration, actions: &mut Actions) {
        if let Some((expectation, _)) = self.expected.take_if(|(_, until)| at >= *until) {
            let reason = format!("no shell prompt appeared within {} s", expectation.within.as_secs());
            actions.events.push(Event::LevelFailed { label: expectation.label, reason });
        }
    }

    /// Tells once that a running command asks for something or has taken the whole screen.
    fn report_open(&mut self, offset: Offset, glance: &Glance, actions: &mut Actions) {
        let Some(current) = &mut self.current else { return };
        let (outcome, confidence, evidence) = if glance.alternate_screen || glance.application_keys {
            (Outcome::Fullscreen, Confidence::High, "the program asked for the whole screen or its own keys")
        } else if let Some(kind) = patterns::awaiting(&glance.line) {
            let prompt = glance.line.trim().to_owned();
            let outcome = Outcome::AwaitingInput { kind, prompt, options: Vec::new(), default: None };
            (outcome, Confidence::High, "quiet, cursor behind a known question")
        } else {
            return;
        };
        if current.reported.as_ref() != Some(&outcome) {
            current.reported = Some(outcome.clone());
            actions.events.push(report(current, offset, outcome, confidence, evidence));
        }
    }

    /// The command as it stands, for a caller whose time to wait is over.
    pub(crate) fn interim(&self, offset: Offset) -> Option<Completion> {
        let current = self.current.as_ref()?;
        let outcome = current.reported.clone().unwrap_or(Outcome::Running);
        let Event::Report(completion) =
            report(current, offset, outcome, Confidence::Low, "no end seen yet; the time to wait is over")
        else {
            return None;
        };
        Some(completion)
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
            actions.events.push(report(&current, offset, outcome, Confidence::Certain, "the connection ended"));
        }
        actions
    }
}

fn report(current: &Current, to: Offset, outcome: Outcome, confidence: Confidence, evidence: &str) -> Event {
    // A person's keys make anything but the shell's own marks doubtful.
    let capped = if current.human_input && confidence < Confidence::Certain {
        confidence.min(Confidence::Medium)
    } else {
        confidence
    };
    let from = current.output_from.unwrap_or(current.entered_at);
    Event::Report(Completion {
        command_id: current.id,
        span: Span { from, to: to.max(from) },
        outcome,
        confidence: capped,
        evidence: vec![evidence.to_owned()],
        human_input: current.human_input,
    })
}

fn within(length: usize, limit: usize) -> Result<(), NotReady> {
    if length > limit { Err(NotReady::TooLong { length, limit }) } else { Ok(()) }
}

/// The bytes that type `text` and press Enter, so that the shell reads exactly this text.
fn typed(text: &str, shell: ShellKind, bracketed_paste: bool) -> Result<Vec<u8>, NotReady> {
    let needs_paste = text.contains(['\n', '\t']) || text.len() > MAX_PLAIN_LINE_BYTES;
    if !needs_paste {
        return Ok(format!("{text}\r").into_bytes());
    }
    if bracketed_paste {
        return Ok(format!("\x1b[200~{}\x1b[201~\r", text.replace('\n', "\r")).into_bytes());
    }
    if text.contains('\t') {
        return Err(NotReady::Tab);
    }
    let eval = if shell == ShellKind::Zsh { "builtin eval" } else { "command eval" };
    let line = if text.contains('\n') {
        format!("{eval} '{}'\r", text.replace('\'', "'\\''").replace('\n', "\r"))
    } else {
        format!("{text}\r")
    };
    let longest = line.split('\r').map(str::len).max().unwrap_or(0);
    within(longest, MAX_UNPASTED_BYTES)?;
    Ok(line.into_bytes())
}
