//! The terminal model directly on a local PTY: no SSH, no session, no policy.
//!
//! One thread per stage reads the PTY; it ends with the last process that holds it.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime};

use portcullis_term::nested::nested_level;
use portcullis_term::track::Expectation;
use portcullis_term::{
    CommandId, Completion, Event, Fed, LevelKind, Outcome, State, Submission, Terminal, TerminalOptions, Typist,
};
use serde_json::json;

use crate::report::Report;
use crate::shells::{Shell, Transport};
use crate::stage::{Refused, Stage};
use crate::world::{PATIENCE, World, unique};

pub(crate) struct Local {
    shell: Shell,
    terminal: Terminal,
    pty: pty_process::blocking::Pty,
    writer: std::fs::File,
    output: Receiver<Vec<u8>>,
    opened: Instant,
    child: Child,
    ended: bool,
    reports: VecDeque<(Completion, SystemTime)>,
    persons: VecDeque<(Completion, SystemTime)>,
    persons_commands: Vec<CommandId>,
    last: Option<Report>,
    line: String,
    typed_by_host: Vec<u8>,
}

impl Local {
    /// Starts the shell and waits until its prompt is recognisable.
    pub(crate) fn open(world: &World, shell: Shell) -> Result<Self, String> {
        let (pty, pts) = pty_process::blocking::open().map_err(|error| format!("no PTY: {error}"))?;
        pty.resize(pty_process::Size::new(40, 160)).map_err(|error| error.to_string())?;
        let login = world.login_script(shell);
        let child = pty_process::blocking::Command::new(&login)
            .env_clear()
            .env("TERM", "xterm-256color")
            .spawn(pts)
            .map_err(|error| format!("{}: {error}", login.display()))?;
        let writer = std::fs::File::from(pty.as_fd().try_clone_to_owned().map_err(|error| error.to_string())?);
        let mut reader = writer.try_clone().map_err(|error| error.to_string())?;
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0_u8; 65536];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        let terminal = Terminal::new(&TerminalOptions::default());
        let mut stage = Self {
            shell,
            terminal,
            pty,
            writer,
            output,
            opened: Instant::now(),
            child,
            ended: false,
            reports: VecDeque::new(),
            persons: VecDeque::new(),
            persons_commands: Vec::new(),
            last: None,
            line: String::new(),
            typed_by_host: Vec::new(),
        };
        let first = expectation(LevelKind::Shell, shell.name());
        stage.terminal.expect_level(first, stage.at());
        let armed = stage.until(PATIENCE, &mut |stage| stage.state() == "at_prompt" && !stage.path().is_empty());
        if armed { Ok(stage) } else { Err(format!("no prompt of {}; screen:\n{}", shell.name(), stage.screen())) }
    }

    fn at(&self) -> Duration {
        self.opened.elapsed()
    }

    fn write(&mut self, bytes: &[u8]) {
        // A shell that has ended takes no more; the reading side says so.
        let _ = self.writer.write_all(bytes);
    }

    fn step(&mut self, limit: Duration) {
        if self.ended {
            return;
        }
        let due = self.terminal.deadline().map_or(limit, |deadline| deadline.saturating_sub(self.at()));
        let fed = match self.output.recv_timeout(due.min(limit)) {
            Ok(bytes) => self.terminal.feed(&bytes, self.opened.elapsed()),
            Err(RecvTimeoutError::Timeout) => self.terminal.tick(self.opened.elapsed()),
            Err(RecvTimeoutError::Disconnected) => {
                self.ended = true;
                let code = self.child.wait().ok().and_then(|status| status.code());
                self.terminal.close("the shell ended", code)
            }
        };
        self.take(fed);
    }

    fn take(&mut self, fed: Fed) {
        if !fed.write.is_empty() {
            self.typed_by_host.extend_from_slice(&fed.write);
            self.write(&fed.write);
        }
        for event in fed.events {
            self.happened(event);
        }
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::CommandStarted { command_id, typist: Typist::Human, .. } => self.persons_commands.push(command_id),
            Event::Report(completion) if self.persons_commands.contains(&completion.command_id) => {
                self.persons.push_back((completion, SystemTime::now()));
            }
            Event::Report(completion) => self.reports.push_back((completion, SystemTime::now())),
            _ => {}
        }
    }

    fn render(&self, completion: &Completion, at: SystemTime) -> Report {
        let (cleaned, evicted) = self.terminal.command_text(completion);
        let mut fields = serde_json::to_value(completion).unwrap_or_default();
        fields["redraws"] = json!(cleaned.redraws);
        fields["evicted_bytes"] = json!(evicted);
        Report { fields, text: cleaned.text, at, line: self.line.clone() }
    }
}

impl Stage for Local {
    fn shell(&self) -> Shell {
        self.shell
    }

    fn transport(&self) -> Transport {
        Transport::Pty
    }

    fn submit(&mut self, line: &str) -> Result<(), Refused> {
        let nonce = format!("{:08x}", unique());
        let opens = nested_level(line).map(|level| level.expectation(nonce, PATIENCE));
        let submission = Submission { text: line.to_owned(), typist: Typist::Agent, opens, expect_level: None };
        let (_, bytes, event) = self
            .terminal
            .begin(&submission, self.at())
            .map_err(|error| Refused { by_policy: false, reason: error.to_string() })?;
        self.reports.clear();
        self.last = None;
        line.clone_into(&mut self.line);
        self.happened(event);
        self.write(&bytes);
        Ok(())
    }

    fn report(&mut self, within: Duration) -> Report {
        let end = Instant::now() + within;
        loop {
            if let Some((completion, at)) = self.reports.pop_front() {
                let report = self.render(&completion, at);
                self.last = Some(report.clone());
                return report;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.ended {
                break;
            }
            self.step(left);
        }
        let interim = self.terminal.interim().map(|completion| self.render(&completion, SystemTime::now()));
        interim.or_else(|| self.last.clone()).unwrap_or_else(|| Report {
            fields: json!({ "outcome": "nothing" }),
            text: String::new(),
            at: SystemTime::now(),
            line: self.line.clone(),
        })
    }

    fn answer(&mut self, text: &str) -> Result<(), Refused> {
        let bytes = format!("{text}\r").into_bytes();
        self.terminal.program_typed(&bytes);
        self.write(&bytes);
        Ok(())
    }

    fn press(&mut self, keys: &[&str]) -> Result<(), Refused> {
        for key in keys {
            self.terminal.program_typed(key_bytes(key));
            self.write(key_bytes(key));
        }
        Ok(())
    }

    fn person(&mut self, bytes: &[u8]) {
        if let Some(event) = self.terminal.human_typed(bytes, self.at()) {
            self.happened(event);
        }
        self.write(bytes);
    }

    fn persons_report(&mut self, within: Duration) -> Option<Report> {
        let end = Instant::now() + within;
        loop {
            if let Some((completion, at)) = self.persons.pop_front() {
                if matches!(completion.outcome, Outcome::AwaitingInput { .. } | Outcome::Fullscreen) {
                    continue;
                }
                return Some(self.render(&completion, at));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.ended {
                return None;
            }
            self.step(left);
        }
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        // A terminal that is gone has no size.
        let _ = self.pty.resize(pty_process::Size::new(rows, columns));
        self.terminal.resize(columns, rows);
    }

    fn screen(&mut self) -> String {
        self.terminal.screen().text()
    }

    fn alternate_screen(&mut self) -> bool {
        self.terminal.screen().alternate_screen
    }

    fn path(&mut self) -> Vec<String> {
        self.terminal.breadcrumb()
    }

    fn state(&mut self) -> String {
        match self.terminal.state() {
            State::AtPrompt { dirty: false } => "at_prompt".to_owned(),
            State::AtPrompt { dirty: true } => "dirty".to_owned(),
            State::Closed => "closed".to_owned(),
            other => serde_json::to_value(other)
                .map_or_else(|error| error.to_string(), |value| value["state"].as_str().unwrap_or_default().to_owned()),
        }
    }

    fn raw_output(&mut self) -> Vec<u8> {
        let span = portcullis_term::Span { from: self.terminal.start(), to: self.terminal.end() };
        self.terminal.read(span).bytes.to_vec()
    }

    fn typed_by_host(&mut self) -> Vec<u8> {
        self.typed_by_host.clone()
    }

    fn cut(&mut self, _parent: &str) {
        // Gone already is as good.
        let _ = self.child.kill();
    }

    fn until(&mut self, within: Duration, done: &mut dyn FnMut(&mut dyn Stage) -> bool) -> bool {
        let end = Instant::now() + within;
        loop {
            if done(self) {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.ended {
                return done(self);
            }
            self.step(left.min(Duration::from_millis(100)));
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn expectation(kind: LevelKind, label: &str) -> Expectation {
    let nonce = format!("{:08x}", unique());
    Expectation::new(kind, label, nonce, PATIENCE)
}

/// What a terminal sends for the key.
pub(crate) fn key_bytes(name: &str) -> &'static [u8] {
    match name {
        "enter" => b"\r",
        "escape" => b"\x1b",
        "tab" => b"\t",
        "space" => b" ",
        "up" => b"\x1b[A",
        "down" => b"\x1b[B",
        "left" => b"\x1b[D",
        "q" => b"q",
        "ctrl-c" => b"\x03",
        "ctrl-d" => b"\x04",
        "ctrl-l" => b"\x0c",
        "ctrl-x" => b"\x18",
        "ctrl-z" => b"\x1a",
        _ => b"",
    }
}
