//! The terminal of one session: one feed, and everything that reads it kept in step.

use std::time::Duration;

use crate::clean::{CleanText, clean};
use crate::decode::{Encoding, StreamDecoder, encode};
use crate::level::{Integration, Level, ShellKind};
use crate::outcome::{CommandId, Completion, Outcome};
use crate::patterns;
use crate::ring::{Offset, OutputRing, Slice, Span};
use crate::screen::{Screen, ScreenView};
use crate::tap::Tap;
use crate::track::{Actions, Event, Expectation, Glance, NotReady, Show, State, Submission, Tracker};

/// Injected lines and their echo never come near this; more than it is shown at once.
const MAX_HELD_BYTES: usize = 64 * 1024;

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
        Self { columns: 160, rows: 40, ring_bytes: 4 << 20, encoding: Encoding::Utf8 }
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
        let decoded = self.decoder.decode(bytes).into_owned();
        self.tracker.noticed_bytes(at);
        let mut rest = decoded.as_slice();
        while !rest.is_empty() {
            let piece = self.tap.next_piece(rest);
            let (head, tail) = rest.split_at(piece.length);
            self.take(head, &mut fed);
            if piece.cancelled {
                self.take(&[0x18], &mut fed);
            }
            for signal in &piece.signals {
                let glance = self.glance();
                let actions = self.tracker.observe(signal, self.ring.end(), at, &glance);
                self.carry_out(actions, &mut fed);
            }
            rest = tail;
        }
        fed.write.extend(self.screen.take_replies());
        fed
    }

    /// Time has passed without input; call when [`Terminal::deadline`] is reached.
    pub fn tick(&mut self, at: Duration) -> Fed {
        let mut fed = Fed::default();
        let glance = self.glance();
        let actions = self.tracker.tick(self.ring.end(), at, &glance);
        self.carry_out(actions, &mut fed);
        fed.write.extend(self.screen.take_replies());
        fed
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
        self.tracker.human_typed(bytes, &line, self.ring.end(), at)
    }

    /// Puts a level on the path that needs no marks (a menu).
    pub fn declare_level(&mut self, level: Level) {
        self.encoding = level.encoding;
        self.decoder = StreamDecoder::new(level.encoding);
        self.tracker.declare(level);
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
            self.take(&held, &mut fed);
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
        self.tracker.interim(self.ring.end())
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

    pub fn snapshot(&self) -> Snapshot {
        Snapshot { bytes: self.screen.dump(), at: self.ring.end(), columns: self.columns, rows: self.rows }
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
        let slice = self.ring.read(completion.span);
        let mut cleaned = clean(&slice.bytes, self.columns);
        if completion.outcome == Outcome::PromptNoStatus {
            // Without an end mark the prompt stands behind the output.
            let prompt = self.tracker.prompt_text.trim_end();
            let output = cleaned.text.trim_end().strip_suffix(prompt).map_or(cleaned.text.len(), str::len);
            cleaned.text.truncate(output);
        }
        let fish = self.tracker.levels.last().is_some_and(|level| level.shell == ShellKind::Fish);
        if fish && cleaned.text.ends_with(FISH_MISSING_NEWLINE) {
            cleaned.text.truncate(cleaned.text.len() - FISH_MISSING_NEWLINE.len());
        }
        (cleaned, slice.evicted)
    }

    /// `text` as the present level's program expects it; `None` when it cannot be written there.
    pub fn encode(&self, text: &str) -> Option<Vec<u8>> {
        encode(self.encoding, text)
    }

    fn glance(&self) -> Glance {
        Glance {
            line: self.screen.line_before_cursor(),
            bracketed_paste: self.screen.bracketed_paste(),
            alternate_screen: self.screen.alternate_screen(),
            application_keys: self.screen.application_keys(),
        }
    }

    fn take(&mut self, bytes: &[u8], fed: &mut Fed) {
        if let Some(held) = &mut self.held {
            held.extend_from_slice(bytes);
            if held.len() <= MAX_HELD_BYTES {
                return;
            }
            let held = self.held.take().unwrap_or_default();
            self.show(&held, fed);
        } else {
            self.show(bytes, fed);
        }
    }

    fn show(&mut self, bytes: &[u8], fed: &mut Fed) {
        self.screen.feed(bytes);
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
        fed.write.extend(actions.write);
        fed.events.extend(actions.events.into_iter().map(|event| self.without_echo(event)));
    }

    /// A shell without an output mark leaves the echoed line in front of the output: it ends with
    /// as many line feeds as lines were typed.
    fn without_echo(&self, event: Event) -> Event {
        let Event::Report(mut completion) = event else { return event };
        let echoes = self
            .tracker
            .levels
            .last()
            .is_some_and(|level| level.shell == ShellKind::Posix && level.integration == Integration::Marks);
        if echoes {
            let slice = self.ring.read(completion.span);
            let echo = slice.bytes.iter().position(|byte| *byte == b'\n').map_or(0, |index| index + 1);
            completion.span.from = Offset(slice.from.0 + echo as u64);
        }
        Event::Report(completion)
    }
}
