//! A terminal to act on, whatever carries it. The rows are written against this alone.

use std::time::Duration;

use crate::remote::Desk;
use crate::report::Report;
use crate::shells::{Shell, Transport};

/// Why a line was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// By a policy, not by the state of the terminal.
    pub(crate) by_policy: bool,
    pub(crate) reason: String,
}

/// One session with one shell.
pub(crate) trait Stage {
    fn shell(&self) -> Shell;
    fn transport(&self) -> Transport;

    /// The agent types the line; it is left to itself then.
    ///
    /// # Errors
    /// When it was not taken. Nothing was typed then.
    fn submit(&mut self, line: &str) -> Result<(), Refused>;

    /// The same, and what is told of it within that time.
    ///
    /// # Errors
    /// When it was not taken. Nothing was typed then.
    fn run(&mut self, line: &str, within: Duration) -> Result<Report, Refused> {
        self.submit(line)?;
        Ok(self.report(within))
    }

    /// What is told of the running command, or of the last one: its end or that it waits for
    /// something, as soon as either is known and was not told before; after `within` how it stands.
    fn report(&mut self, within: Duration) -> Report;

    /// The agent answers what waits: text, then Enter.
    ///
    /// # Errors
    /// When it was not taken.
    fn answer(&mut self, text: &str) -> Result<(), Refused>;

    /// The agent presses keys by their names (`ctrl-c`, `q`, `enter`, `up`).
    ///
    /// # Errors
    /// When they were not taken.
    fn press(&mut self, keys: &[&str]) -> Result<(), Refused>;

    /// A person presses keys in the viewer.
    fn person(&mut self, bytes: &[u8]);

    /// The next command that a person started and that has ended: its report.
    fn persons_report(&mut self, within: Duration) -> Option<Report>;

    fn resize(&mut self, columns: u16, rows: u16);

    /// The screen's text.
    fn screen(&mut self) -> String;

    /// The alternate screen is on.
    fn alternate_screen(&mut self) -> bool;

    /// Where the terminal is, outermost first.
    fn path(&mut self) -> Vec<String>;

    /// What it is doing, in the product's word.
    fn state(&mut self) -> String;

    /// Bytes of output so far, marks and all, as far as they are kept.
    fn raw_output(&mut self) -> Vec<u8>;

    /// Lines the host itself has typed so far (probes and marks).
    fn typed_by_host(&mut self) -> Vec<u8>;

    /// Takes the connection away, as a cut cable does; `parent` is what `echo $PPID` said in the
    /// login shell.
    fn cut(&mut self, parent: &str);

    /// The program and the session's id, where there is a program.
    fn remote(&mut self) -> Option<(&mut Desk, String)> {
        None
    }

    /// Takes in what has arrived, for at most `within`, until `done`; whether it was.
    fn until(&mut self, within: Duration, done: &mut dyn FnMut(&mut dyn Stage) -> bool) -> bool;
}
