//! The terminal of one session: one feed, and everything that reads it kept in step.

use std::time::Duration;

use crate::clean::{CleanText, clean_page};
use crate::decode::{Encoding, StreamDecoder, encode};
use crate::level::{Level, ShellKind};
use crate::outcome::{CommandId, Completion, Outcome};
use crate::patterns;
use crate::ring::{Offset, OutputRing, Slice, Span};
use crate::screen::{Screen, ScreenView};
use crate::tap::{Nowhere, Tap};
use crate::track::echo::MAX_ECHO_BYTES;
use crate::track::{
    Actions, Event, Expectation, Foreground, Glance, NotReady, Show, Silence, State, Submission, Tracker, output_start,
};

/// Injected lines and their echo never come near this; more than it is shown at once.
const MAX_HELD_BYTES: usize = 64 * 1024;

/// Ends what a full-screen program may have switched on: the alternate screen, its own keys, the
/// mouse, a hidden cursor.
const RESET_MODES: &[u8] = b"\x1b[?1049l\x1b[?1l\x1b>\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?25h";

/// What fish prints behind output that does not end its line.
const FISH_MISSING_NEWLINE: &str = "⏎";

/// Sizes of one terminal.
#[derive(Debug, Clone)]
pub struct TerminalOptions {
    pub columns: u16,
    pub rows: u16,
    /// Bytes of output kept in memory.
    pub ring_bytes: usize,
    pub encoding: Encoding,
}

impl Default for TerminalOptions {
    fn default() -> Self {
        Self { columns: 160, rows: 40, ring_bytes: 3 << 20, encoding: Encoding::Utf8 }
    }
}

/// What one piece of input caused.
#[derive(Debug, Default)]
pub struct Fed {
    /// Output as viewers and the record see it.
    pub visible: Vec<u8>,
    /// To be written to the channel: answers to queries, the host's own lines.
    pub write: Vec<u8>,
    pub events: Vec<Event>,
}

/// Bytes that rebuild the screen, and where in the output they stand.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub bytes: Vec<u8>,
    pub at: Offset,
    pub columns: u16,
    pub rows: u16,
}

/// The model; see the crate's head.
pub struct Terminal {
    decoder: StreamDecoder,
    encoding: Encoding,
    /// Of the time before any level is known.
    first_encoding: Encoding,
    tap: Tap,
    screen: Screen,
    ring: OutputRing,
    tracker: Tracker,
    held: Option<Vec<u8>>,
    columns: u16,
    rows: u16,
}

impl Terminal {
    pub fn new(options: &TerminalOptions) -> Self {
        Self {
            decoder: StreamDecoder::new(options.encoding),
            encoding: options.encoding,
            first_encoding: options.encoding,
            tap: Tap::default(),
            screen: Screen::new(options.columns, options.rows),
            ring: OutputRing::new(options.ring_bytes),
            tracker: Tracker::new(),
            held: None,
            columns: options.columns,
            rows: options.rows,
        }
    }

    /// Takes bytes from the channel. `at` is the time since the session opened.
    pub fn feed(&mut self, bytes: &[u8], at: Duration) -> Fed {
        let mut fed = Fed::default();
        let decoded = self.decoder.decode(bytes);
        self.tracker.noticed_bytes(at);
        let mut rest = &*decoded;
        fed.visible.reserve(rest.len());
        while !rest.is_empty() {
            let piece = match self.held {
                Some(_) => self.tap.next_piece(rest, &mut Nowhere),
                None => self.tap.next_piece(rest, &mut self.screen),
            };
            let (head, tail) = rest.split_at(piece.length);
            self.take(head, &mut fed);
            for signal in &piece.signals {
                let actions = self.look(|tracker, glance, end| tracker.observe(signal, end, at, glance));
                self.carry_out(actions, &mut fed);
            }
            rest = tail;
        }
        self.reply(&mut fed);
        fed
    }

    /// Time has passed without input; call when [`Terminal::deadline`] is reached.
    pub fn tick(&mut self, at: Duration) -> Fed {
        let mut fed = Fed::default();
        let actions = self.look(|tracker, glance, end| tracker.tick(end, at, glance));
        self.carry_out(actions, &mut fed);
        self.reply(&mut fed);
        fed
    }

    /// The running command has been silent for long and nothing says why; a look at the server's processes may.
    pub fn silence(&mut self, at: Duration) -> Option<Silence> {
        self.look(|tracker, glance, _| tracker.silence(at, glance))
    }

    /// What a look at the server's processes has found in that silence.
    pub fn foreground_seen(&mut self, silence: &Silence, seen: &Foreground, at: Duration) -> Fed {
        let mut fed = Fed::default();
        let actions = self.look(|tracker, glance, end| tracker.foreground_seen(silence, seen, end, at, glance));
        self.carry_out(actions, &mut fed);
        fed
    }

    /// Tells how long the far side takes to answer; what counts as quiet depends on it.
    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.tracker.set_round_trip(round_trip);
    }

    /// When [`Terminal::tick`] is next needed, as time since the session opened.
    pub fn deadline(&self) -> Option<Duration> {
        self.tracker.deadline()
    }

    /// Bytes that run the line at the present prompt.
    ///
    /// # Errors
    /// When the terminal is not at a clean prompt or the shell could not take the line whole.
    pub fn begin(&mut self, submission: &Submission, at: Duration) -> Result<(CommandId, Vec<u8>, Event), NotReady> {
        let paste = self.screen.bracketed_paste();
        self.tracker.begin(submission, paste, self.ring.end(), at)
    }

    /// A person's keys, told before they are written.
    pub fn human_typed(&mut self, bytes: &[u8], at: Duration) -> Option<Event> {
        let line = self.screen.line_before_cursor();
        self.tracker.typed_at_menu(&line);
        self.tracker.human_typed(bytes, &line, self.ring.end(), at)
    }

    /// An agent's text or keys for the running program, told before they are written.
    pub fn program_typed(&mut self, bytes: &[u8]) {
        self.tracker.typed_at_menu(&self.screen.line_before_cursor());
        self.tracker.program_typed(bytes);
    }

    /// The program has asked for application cursor keys.
    pub fn application_cursor(&self) -> bool {
        self.screen.application_cursor()
    }

    /// Puts a level on the path that needs no marks (a menu).
    pub fn declare_level(&mut self, level: Level) {
        self.tracker.declare(level);
        self.follow_encoding();
    }

    /// A shell should show its prompt soon; it is then made recognisable.
    pub fn expect_level(&mut self, expectation: Expectation, at: Duration) {
        self.tracker.expect(expectation, at);
    }

    /// The running command, a person's, is expected to lead to this level.
    pub fn expect_level_of_running(&mut self, expectation: Expectation, at: Duration) {
        self.tracker.expect_of_running(expectation, at);
    }

    /// The connection is gone.
    pub fn close(&mut self, reason: &str, exit_code: Option<i32>) -> Fed {
        let mut fed = Fed::default();
        if let Some(held) = self.held.take() {
            self.show(&held, &mut fed);
        }
        let actions = self.tracker.close(reason, exit_code, self.ring.end());
        self.carry_out(actions, &mut fed);
        fed
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        (self.columns, self.rows) = (columns, rows);
        self.screen.resize(columns, rows);
    }

    pub fn state(&self) -> State {
        self.tracker.state()
    }

    pub fn levels(&self) -> &[Level] {
        &self.tracker.levels
    }

    pub fn breadcrumb(&self) -> Vec<String> {
        self.tracker.breadcrumb()
    }

    pub fn running(&self) -> Option<CommandId> {
        self.tracker.running()
    }

    /// The running command as it stands.
    pub fn interim(&self) -> Option<Completion> {
        let completion = self.tracker.interim(self.ring.end())?;
        Some(match self.tracker.echo_of_running() {
            Some(sent) => self.behind_echo(completion, &sent),
            None => completion,
        })
    }

    /// How long nothing has arrived, at time `at`.
    pub fn quiet(&self, at: Duration) -> Duration {
        at.saturating_sub(self.tracker.last_byte_at())
    }

    /// (columns, rows)
    pub fn size(&self) -> (u16, u16) {
        (self.columns, self.rows)
    }

    /// The logical line the cursor is on, up to the cursor.
    pub fn line_before_cursor(&self) -> String {
        self.screen.line_before_cursor()
    }

    /// A full-screen program has the terminal.
    pub fn alternate_screen(&self) -> bool {
        self.screen.alternate_screen()
    }

    /// What stands at the cursor is a shell's prompt beyond reasonable doubt: a line editor is
    /// waiting, or the usual `user@host` shape. A bastion's own prompt is neither.
    pub fn shows_shell_prompt(&self) -> bool {
        let line = self.screen.line_before_cursor();
        let shape = patterns::looks_like_prompt(&line) && !line.trim_end().ends_with('>');
        shape && !self.screen.alternate_screen() && (self.screen.bracketed_paste() || line.contains('@'))
    }

    pub fn screen(&self) -> ScreenView {
        self.screen.view()
    }

    /// The screen as bytes. What the stream has begun and not ended (half a sequence, half a
    /// character) stands at their end, so that the output that follows completes it.
    pub fn snapshot(&mut self) -> Snapshot {
        let mut bytes = self.screen.dump();
        bytes.extend(self.tap.unfinished());
        Snapshot { bytes, at: self.ring.end(), columns: self.columns, rows: self.rows }
    }

    /// The same for a terminal that has drawn the output before it: the rows above the screen are left to that.
    pub fn snapshot_over(&mut self) -> Snapshot {
        let mut bytes = self.screen.dump_over();
        bytes.extend(self.tap.unfinished());
        Snapshot { bytes, at: self.ring.end(), columns: self.columns, rows: self.rows }
    }

    /// One past the newest byte of output.
    pub fn end(&self) -> Offset {
        self.ring.end()
    }

    /// The oldest byte still kept.
    pub fn start(&self) -> Offset {
        self.ring.start()
    }

    pub fn read(&self, span: Span) -> Slice {
        self.ring.read(span)
    }

    /// The command's own output as text, and how many bytes of it are no longer kept.
    pub fn command_text(&self, completion: &Completion) -> (CleanText, u64) {
        if let Some((id, text)) = &self.tracker.visible_output
            && *id == completion.command_id
        {
            return (CleanText { text: text.clone(), ..CleanText::default() }, 0);
        }
        let slice = self.ring.read(completion.span);
        let mut cleaned = clean_page(&slice.bytes, self.columns, self.rows);
        if completion.outcome == Outcome::PromptNoStatus {
            // Without an end mark the prompt stands behind the output.
            let prompt = self.tracker.prompt_text.trim_end();
            let output = cleaned.text.trim_end().strip_suffix(prompt).map_or(cleaned.text.len(), str::len);
            cleaned.text.truncate(output);
        }
        self.without_traces(&mut cleaned.text);
        let fish = self.tracker.levels.last().is_some_and(|level| level.shell == ShellKind::Fish);
        if fish && let Some(text) = cleaned.text.trim_end_matches(' ').strip_suffix(FISH_MISSING_NEWLINE) {
            // The rest of the row is blanks of fish's.
            cleaned.text.truncate(text.len());
        }
        (cleaned, slice.evicted)
    }

    /// Drops what a shell that traces itself (`set -x`, csh's `set echo`) says of the host's marks.
    fn without_traces(&self, text: &mut String) {
        let nonces = || self.tracker.levels.iter().map(|level| level.nonce.as_str()).filter(|nonce| !nonce.is_empty());
        let traced = |line: &str| {
            let trace =
                line.starts_with('+') || line.starts_with("__pc_prompt") || line.starts_with("printf \"\\033]133;");
            trace && (line.contains("__pc_") || nonces().any(|nonce| line.contains(nonce)))
        };
        if text.lines().any(traced) {
            *text = text.split_inclusive('\n').filter(|line| !traced(line)).collect();
        }
    }

    /// `text` as the present level's program expects it; `None` when it cannot be written there.
    pub fn encode(&self, text: &str) -> Option<Vec<u8>> {
        encode(self.encoding, text)
    }

    /// Answers the terminal's queries. A program that has asked and is gone before the answer comes
    /// leaves it to the shell's line editor.
    fn reply(&mut self, fed: &mut Fed) {
        let replies = self.screen.take_replies();
        if replies.is_empty() || self.look(|tracker, glance, _| tracker.asked_too_late(glance)) {
            return;
        }
        self.tracker.answered_a_query();
        fed.write.extend(replies);
    }

    /// Lets the tracker look at the screen, what is held and what was printed.
    fn look<T>(&mut self, asks: impl FnOnce(&mut Tracker, &Glance<'_>, Offset) -> T) -> T {
        let ring = &self.ring;
        let since = |from: Offset| ring.read(Span { from, to: Offset(from.0 + MAX_ECHO_BYTES) });
        let held = self.held.as_deref().unwrap_or_default();
        let glance = Glance { screen: &self.screen, held, since: &since };
        asks(&mut self.tracker, &glance, ring.end())
    }

    /// The encoding belongs to the innermost level.
    fn follow_encoding(&mut self) {
        let encoding = self.tracker.encoding().unwrap_or(self.first_encoding);
        if encoding != self.encoding {
            self.encoding = encoding;
            self.decoder = StreamDecoder::new(encoding);
        }
    }

    /// Takes note of bytes that the tap has read and, unless they are held back, drawn.
    fn take(&mut self, bytes: &[u8], fed: &mut Fed) {
        let Some(held) = &mut self.held else {
            self.pass_on(bytes, fed);
            return;
        };
        held.extend_from_slice(bytes);
        if held.len() > MAX_HELD_BYTES {
            let held = self.held.take().unwrap_or_default();
            self.show(&held, fed);
        }
    }

    fn show(&mut self, bytes: &[u8], fed: &mut Fed) {
        self.screen.feed(bytes);
        self.pass_on(bytes, fed);
    }

    fn pass_on(&mut self, bytes: &[u8], fed: &mut Fed) {
        self.ring.push(bytes);
        fed.visible.extend_from_slice(bytes);
    }

    fn carry_out(&mut self, actions: Actions, fed: &mut Fed) {
        match actions.show {
            Some(Show::DropHeld) => {
                self.held = None;
                // The prompt that was already there is drawn again by the shell itself.
                self.show(b"\r\x1b[K", fed);
            }
            Some(Show::ShowHeld) => {
                let held = self.held.take().unwrap_or_default();
                self.show(&held, fed);
            }
            None => {}
        }
        if actions.hold {
            self.held = Some(Vec::new());
        }
        if actions.reset_modes {
            self.show(RESET_MODES, fed);
        }
        fed.write.extend(actions.write);
        let echo = actions.echo;
        fed.events.extend(actions.events.into_iter().map(|event| self.without_echo(event, echo.as_deref())));
        self.follow_encoding();
        if actions.recheck {
            let actions = self.look(|tracker, glance, _| tracker.settle_unanswered(glance));
            self.carry_out(actions, fed);
        }
    }

    fn without_echo(&self, event: Event, echo: Option<&str>) -> Event {
        match (event, echo) {
            (Event::Report(completion), Some(sent)) => Event::Report(self.behind_echo(completion, sent)),
            (event, _) => event,
        }
    }

    /// Moves the beginning of the output behind the echoed line.
    fn behind_echo(&self, mut completion: Completion, sent: &str) -> Completion {
        let to = Offset(completion.span.to.0.min(completion.span.from.0 + MAX_ECHO_BYTES));
        let slice = self.ring.read(Span { from: completion.span.from, to });
        if slice.evicted == 0 {
            completion.span.from = Offset(slice.from.0 + output_start(&slice.bytes, sent) as u64);
        }
        completion
    }
}
