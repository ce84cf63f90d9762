//! Entering shells: a prompt that should appear is probed, marked, and put on the path.
//!
//! Nothing is typed but at a line that looks like a prompt while a shell is expected there: because
//! a navigator or a line such as `kubectl exec` leads to one, because a shell has inherited the
//! marks of another, or because a line editor waits behind a prompt after a command of ours.

use std::time::Duration;

use super::fingerprint::Fingerprint;
use super::{Actions, ArmStage, Arming, Event, Expectation, Glance, Show, Tracker};
use crate::inject;
use crate::level::{Integration, Level, LevelKind, ShellKind};
use crate::outcome::{Confidence, Outcome};
use crate::patterns;
use crate::tap::{Mark, MarkKind};

/// The host types nothing of its own this soon after a person's key: it would land in their line.
pub(super) const PERSON_PAUSE: Duration = Duration::from_millis(700);
/// Time a shell has to answer the probe, and then to show its first marked prompt.
const ARM_TIMEOUT: Duration = Duration::from_secs(5);
/// A shell that nobody announced stands behind its prompt already.
const UNANNOUNCED: Duration = Duration::from_secs(10);
/// What a shell makes of `%}` behind the mark.
const LEFTOVER_CHARS: usize = 2;
/// How csh and tcsh answer a probe that names a variable they do not have.
const CSH_ANSWER: &[u8] = b"Undefined variable";
/// How bash refuses an assignment on a hardened host.
const READONLY: &[u8] = b"PROMPT_COMMAND: readonly variable";

impl Tracker {
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
        self.next_check = Some(at + super::SHORT_QUIET);
    }

    /// The running command is expected to lead to this level.
    pub(crate) fn expect_of_running(&mut self, expectation: Expectation, at: Duration) {
        let until = at + expectation.within;
        self.expected = Some((expectation, until));
        self.next_check = Some(at + self.quiet);
    }

    /// A mark of a known level from another process: a shell that got the marked prompt from its
    /// environment. It is a level of its own, and is marked as one.
    pub(super) fn inherited(
        &mut self,
        from: usize,
        mark: &Mark,
        at: Duration,
        glance: &Glance<'_>,
        actions: &mut Actions,
    ) {
        // Its line editor waits behind the last mark of its prompt. A shell that is a level already
        // may still have its parent's marks in its prompt.
        let known = self.levels.iter().any(|level| level.pid.as_ref() == Some(&mark.pid));
        if known || self.current.is_none() || self.arming.is_some() {
            return;
        }
        if let (MarkKind::CommandEnd(_), Some(counter)) = (&mark.kind, mark.counter) {
            self.heir = Some((mark.pid.clone(), counter));
        }
        if mark.kind != MarkKind::InputStart {
            return;
        }
        if let Some(counter) = self.whole_marks(from, mark) {
            self.enter_heir(from, mark, counter, actions);
            return;
        }
        if self.expected.is_none() {
            let expectation = self.unannounced(&self.levels[from].nonce.clone(), &mark.pid);
            self.expected = Some((expectation, at + UNANNOUNCED));
        }
        self.arm(at, glance, actions);
    }

    /// The heir draws end marks too: what it inherited is all there is to marking such a shell.
    fn whole_marks(&self, from: usize, mark: &Mark) -> Option<u64> {
        let plain = self.levels[from].shell == ShellKind::Posix;
        self.heir.as_ref().filter(|(pid, _)| plain && *pid == mark.pid).map(|(_, counter)| *counter)
    }

    fn enter_heir(&mut self, from: usize, mark: &Mark, counter: u64, actions: &mut Actions) {
        let nonce = self.levels[from].nonce.clone();
        let expected = self.expected.take().map(|(expectation, _)| expectation);
        let expectation = expected.unwrap_or_else(|| self.unannounced(&nonce, &mark.pid));
        let mut level = level_of(&expectation, ShellKind::Posix, Integration::Marks);
        level.nonce = nonce;
        level.pid = Some(mark.pid.clone());
        level.last_counter = counter;
        self.enter(level, expectation.replaces, "the marks of the shell below, from another process", actions);
    }

    /// A shell that no one expected, named after the command that led to it.
    pub(super) fn unannounced(&self, nonce: &str, salt: &str) -> Expectation {
        let text = self.current.as_ref().map_or("", |current| current.text.as_str());
        let program = text.split_whitespace().next().and_then(|word| word.rsplit('/').next()).unwrap_or_default();
        let label = if program.is_empty() { "shell" } else { program };
        Expectation {
            kind: LevelKind::Shell,
            label: label.to_owned(),
            attributes: Vec::new(),
            nonce: derived_nonce(nonce, salt, self.last_command),
            within: UNANNOUNCED,
            replaces: false,
            encoding: self.encoding().unwrap_or_default(),
        }
    }

    /// Types the probe at what looks like a prompt.
    pub(super) fn arm(&mut self, at: Duration, glance: &Glance<'_>, actions: &mut Actions) {
        let Some((expectation, _)) = self.expected.take() else { return };
        if expectation.kind == LevelKind::Multiplexer {
            self.enter_multiplexer(expectation, glance, actions);
            return;
        }
        actions.write = self.on_an_empty_line(inject::probe(&expectation.nonce));
        self.round_trip.typed(at, self.last_byte_at);
        actions.hold = true;
        let (prompt, pastes) = (glance.line(), glance.screen.bracketed_paste());
        let until = at + self.arm_timeout();
        self.arming = Some(Arming { expectation, stage: ArmStage::Probe, until, prompt, pastes });
    }

    fn arm_timeout(&self) -> Duration {
        ARM_TIMEOUT.max(self.quiet * 5)
    }

    pub(super) fn observe_arming(&mut self, mark: &Mark, at: Duration, actions: &mut Actions) {
        let Some(arming) = &self.arming else { return };
        match (&arming.stage, &mark.kind) {
            (ArmStage::Probe, MarkKind::Probe { bash, zsh, fish, ksh }) => {
                let shell = match (bash, zsh, fish) {
                    (true, _, _) => ShellKind::Bash,
                    (_, true, _) => ShellKind::Zsh,
                    (_, _, true) => ShellKind::Fish,
                    _ => ShellKind::Posix,
                };
                let form = if shell == ShellKind::Posix && *ksh { inject::KSH_FORM } else { inject::PLAIN_FORM };
                self.type_marks(shell, form, at, actions);
            }
            (ArmStage::Marks(shell, _), MarkKind::CommandEnd(_)) => {
                let shell = *shell;
                let Some(arming) = self.arming.take() else { return };
                let mut level = level_of(&arming.expectation, shell, Integration::Marks);
                level.pid = Some(mark.pid.clone());
                level.last_counter = mark.counter.unwrap_or(0);
                level.pastes = arming.pastes;
                actions.show = Some(Show::DropHeld);
                if self.levels.last().is_some_and(|top| top.pid == level.pid) && !arming.expectation.replaces {
                    self.marked_anew(level, actions);
                    return;
                }
                self.enter(level, arming.expectation.replaces, "probe answered and prompt marked", actions);
            }
            _ => {}
        }
    }

    fn type_marks(&mut self, shell: ShellKind, form: usize, at: Duration, actions: &mut Actions) {
        let until = at + self.arm_timeout();
        let Some(arming) = &mut self.arming else { return };
        let Some(line) = inject::marks(shell, &arming.expectation.nonce, form) else { return };
        actions.write = line.into_bytes();
        arming.stage = ArmStage::Marks(shell, form);
        arming.until = until;
    }

    /// Complaints that tell as much as an answer: csh does not know the probe's variables, bash may
    /// not let its prompt command be changed.
    pub(super) fn read_held(&mut self, at: Duration, glance: &Glance<'_>, actions: &mut Actions) {
        let says = |words: &[u8]| glance.held.windows(words.len()).any(|window| window == words);
        match self.arming.as_ref().map(|arming| &arming.stage) {
            Some(ArmStage::Probe) if says(CSH_ANSWER) => self.type_marks(ShellKind::Tcsh, 0, at, actions),
            Some(ArmStage::Marks(ShellKind::Bash, 0)) if says(READONLY) => {
                self.type_marks(ShellKind::Bash, 1, at, actions);
            }
            _ => {}
        }
    }

    /// Puts the level on the path and settles the command that led to it.
    pub(super) fn enter(&mut self, level: Level, replaces: bool, evidence: &str, actions: &mut Actions) {
        if replaces {
            self.levels.pop();
        }
        self.prompt_due = level.integration == Integration::Marks;
        self.levels.push(level);
        self.expected = None;
        let breadcrumb = self.breadcrumb();
        actions.events.push(Event::LevelEntered { breadcrumb: breadcrumb.clone() });
        if let Some(current) = self.current.take() {
            let outcome = Outcome::LevelChanged { breadcrumb, exit_code: None };
            let to = current.output_from.unwrap_or(current.entered_at);
            actions.report(&current, to, outcome, Confidence::Certain, evidence);
        }
    }

    /// What looked like a new shell is the one that was there: it had lost its marks (`source` of a
    /// file that sets the prompt), and has them again.
    fn marked_anew(&mut self, mut level: Level, actions: &mut Actions) {
        let Some(top) = self.levels.pop() else { return };
        level.kind = top.kind;
        level.label = top.label;
        level.attributes = top.attributes;
        self.prompt_due = true;
        self.levels.push(level);
        if let Some(current) = self.current.take() {
            let to = current.drawn_at.or(current.output_from).unwrap_or(current.entered_at);
            let evidence = "the shell's prompt was back without its marks; it has been marked again";
            actions.report(&current, to, Outcome::PromptNoStatus, Confidence::High, evidence);
        }
    }

    /// The time for an answer is over: another form of the line, or the next best integration.
    pub(super) fn arming_failed(&mut self, at: Duration, actions: &mut Actions) {
        let tried = self.arming.as_ref().map(|arming| match arming.stage {
            ArmStage::Probe => None,
            ArmStage::Marks(shell, form) => Some((shell, form + 1)),
        });
        if let Some(Some((shell, form))) = tried
            && let Some(arming) = &self.arming
            && inject::marks(shell, &arming.expectation.nonce, form).is_some()
        {
            self.type_marks(shell, form, at, actions);
            return;
        }
        let Some(arming) = self.arming.take() else { return };
        actions.show = Some(Show::ShowHeld);
        match arming.stage {
            ArmStage::Marks(shell, _) => {
                let level = level_of(&arming.expectation, shell, Integration::Sentinel);
                self.at_prompt = true;
                let evidence = "probe answered, prompt could not be marked";
                self.enter(level, arming.expectation.replaces, evidence, actions);
            }
            ArmStage::Probe => self.unanswered(arming, actions),
        }
    }

    /// Nothing answered the probe as a shell would. A device that complains and shows the same
    /// prompt again is a command line all the same, known by that prompt alone.
    fn unanswered(&mut self, arming: Arming, actions: &mut Actions) {
        self.failed_prompt = Some(arming);
        actions.recheck = true;
    }

    /// Called once what was held is on the screen.
    pub(crate) fn settle_unanswered(&mut self, glance: &Glance<'_>) -> Actions {
        let mut actions = Actions::default();
        let Some(arming) = self.failed_prompt.take() else { return actions };
        let fingerprint = Fingerprint::of(&arming.prompt);
        let line = glance.line();
        if !arming.prompt.trim().is_empty() && fingerprint.matches(&line) {
            let mut level = level_of(&arming.expectation, ShellKind::Unknown, Integration::Prompt);
            level.kind = LevelKind::NetworkCli;
            level.prompt = Some(fingerprint);
            self.at_prompt = true;
            self.prompt_text = line;
            let evidence = "no shell answered, but the same prompt came back";
            self.enter(level, arming.expectation.replaces, evidence, &mut actions);
            return actions;
        }
        let reason = "what looked like a prompt did not answer as a shell".to_owned();
        actions.events.push(Event::LevelFailed { label: arming.expectation.label, reason });
        actions
    }

    pub(super) fn expectation_expired(&mut self, at: Duration, actions: &mut Actions) {
        if let Some((expectation, _)) = self.expected.take_if(|(_, until)| at >= *until) {
            let reason = format!("no shell prompt appeared within {} s", expectation.within.as_secs());
            actions.events.push(Event::LevelFailed { label: expectation.label, reason });
        }
    }

    /// A prompt is where the expected shell should be, and has been still for long enough.
    pub(super) fn prompt_waits(&self, quiet: Duration, glance: &Glance<'_>) -> bool {
        let screen = glance.screen;
        let multiplexer = self.expected.as_ref().is_some_and(|(e, _)| e.kind == LevelKind::Multiplexer);
        let enough = if screen.bracketed_paste() && !multiplexer { super::SHORT_QUIET } else { self.quiet };
        let line = glance.line();
        // Typed before the shell has read the line, the probe would go to what the line starts.
        let read = self
            .current
            .as_ref()
            .is_none_or(|current| quiet >= super::quiet::BROAD_QUIET || self.was_taken(current, glance));
        quiet >= enough
            && read
            && (multiplexer || !screen.alternate_screen())
            && (patterns::looks_like_prompt(&line) || self.shows_own_mark(&line) || self.drew_own_mark(glance))
    }

    /// As [`Tracker::shows_own_mark`], with the mark sent as such: the prompt of zsh names its pid, so
    /// another shell draws it as that of the level below.
    fn drew_own_mark(&self, glance: &Glance<'_>) -> bool {
        let drawn_at = self.current.as_ref().and_then(|current| current.drawn_at);
        drawn_at.is_some_and(|drawn| glance.shows_at_most(drawn, LEFTOVER_CHARS))
    }

    /// A shell that inherited a marked prompt and does not read it as its own kind would: the mark
    /// stands there as text.
    fn shows_own_mark(&self, line: &str) -> bool {
        self.levels.iter().any(|level| !level.nonce.is_empty() && line.contains(&format!("aid={}.", level.nonce)))
    }
}

pub(super) fn level_of(expectation: &Expectation, shell: ShellKind, integration: Integration) -> Level {
    let mut level = Level::new(expectation.kind, expectation.label.clone());
    level.shell = shell;
    level.integration = integration;
    level.attributes.clone_from(&expectation.attributes);
    level.nonce.clone_from(&expectation.nonce);
    level.encoding = expectation.encoding;
    level
}

/// A nonce for a shell the host did not expect, from one it drew: marks are told apart by it, and
/// nothing more rests on it (FNV-1a, 32 bits).
fn derived_nonce(nonce: &str, salt: &str, number: u64) -> String {
    let text = format!("{nonce}.{salt}.{number}");
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{hash:08x}")
}
