//! A program in a real terminal, as a person sits at it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a terminal that cannot be had fails the test that needs it"
)]

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_term::{Terminal as Model, TerminalOptions};
use pty_process::Size;
use pty_process::blocking::{Command, Pty};
use rustix::termios::{LocalModes, tcgetattr};

use crate::mcp::wait_until;

/// Far above what any of this takes; reached only when a test fails.
const LIMIT: Duration = Duration::from_secs(20);

/// The program with its terminal.
pub struct Terminal {
    child: Child,
    pty: Pty,
    writer: std::fs::File,
    printed: Arc<Mutex<Vec<u8>>>,
    reader: std::thread::JoinHandle<()>,
    size: (u16, u16),
}

impl Terminal {
    /// Starts a program in a terminal of that many columns and rows.
    #[must_use]
    pub fn start(program: &std::path::Path, arguments: &[&str], (columns, rows): (u16, u16)) -> Self {
        let (pty, pts) = pty_process::blocking::open().expect("a terminal");
        pty.resize(Size::new(rows, columns)).unwrap();
        let command = Command::new(program).args(arguments).env("TERM", "xterm-256color");
        let child = command.spawn(pts).expect("the program starts");
        let writer = std::fs::File::from(pty.as_fd().try_clone_to_owned().unwrap());
        let mut output = writer.try_clone().unwrap();
        let printed = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&printed);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0_u8; 65536];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                into.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        });
        Self { child, pty, writer, printed, reader, size: (columns, rows) }
    }

    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    pub fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Changes the window's size; the program is told by a signal.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.pty.resize(Size::new(rows, columns)).unwrap();
        self.size = (columns, rows);
    }

    /// All that was printed, with its control sequences.
    #[must_use]
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&self.printed.lock().unwrap()).into_owned()
    }

    /// What a person sees now.
    #[must_use]
    pub fn screen(&self) -> String {
        let options = TerminalOptions { columns: self.size.0, rows: self.size.1, ..TerminalOptions::default() };
        let mut model = Model::new(&options);
        model.feed(&self.printed.lock().unwrap(), Duration::ZERO);
        model.screen().text()
    }

    /// Waits until the screen shows the text.
    pub fn until(&self, text: &str) {
        let seen = wait_until(LIMIT, || self.screen().contains(text).then_some(()));
        assert!(seen.is_some(), "{text:?} never stood on the screen:\n{}\n{:?}", self.screen(), self.printed());
    }

    /// Whether keys come as they are pressed, unseen.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        let modes = tcgetattr(self.pty.as_fd()).unwrap().local_modes;
        !modes.intersects(LocalModes::ECHO | LocalModes::ICANON)
    }

    /// Waits for the end, and for all that was printed until then.
    pub fn end(&mut self) -> ExitStatus {
        let ended = wait_until(LIMIT, || self.child.try_wait().unwrap());
        let read = wait_until(LIMIT, || self.reader.is_finished().then_some(()));
        assert!(read.is_some(), "something else holds the terminal");
        ended.unwrap_or_else(|| panic!("it did not end:\n{}", self.screen()))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Ended already, mostly.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
