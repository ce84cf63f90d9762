//! The command line of a network device, as switches and routers of the large makers show it: no
//! shell, no exit codes, a prompt that changes with the mode, paging that erases itself with
//! backspaces, questions answered by one key, a long line shown shifted, and log lines that break
//! into what is being typed.
//!
//! A simulator written from public descriptions of such devices; no maker's text is copied. The
//! dialogue ([`Device`]) is pure: keys in, screen out. [`run`] puts it on the terminal of this
//! process and returns when the person leaves.

use std::io::{self, Write};
use std::os::fd::AsFd;

use crate::tty::RawMode;

/// Lines shown before the pager asks.
const PAGE_LINES: usize = 20;
/// What the pager shows; erased with as many backspaces.
const MORE: &str = " --More-- ";
/// Width from which on a line is shown shifted.
const SHIFT_COLUMNS: usize = 60;
/// Columns by which it is shifted.
const SHIFTED_BY: usize = 40;
const INVALID: &str = "% Invalid input detected.";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    User,
    Privileged,
    Configuration,
}

#[derive(Debug)]
enum Reading {
    Line,
    /// Lines of a long answer that are still to be shown.
    Page(Vec<String>),
    /// The next key answers a question.
    Confirm,
}

/// The dialogue, between two keys.
#[derive(Debug)]
pub struct Device {
    mode: Mode,
    reading: Reading,
    line: String,
}

impl Default for Device {
    fn default() -> Self {
        Self { mode: Mode::User, reading: Reading::Line, line: String::new() }
    }
}

impl Device {
    /// What the terminal shows first.
    #[must_use]
    pub fn start(&self) -> String {
        format!("\r\nUser Access Verification passed\r\n\r\n{}", self.prompt())
    }

    /// Takes one key; `None` when the person has left.
    pub fn feed(&mut self, key: u8) -> Option<String> {
        match std::mem::replace(&mut self.reading, Reading::Line) {
            Reading::Line => self.edit(key),
            Reading::Page(lines) => Some(self.turn(lines, key)),
            Reading::Confirm => {
                let answer = if key == b'\r' || key == b'y' { "\r\nReload was simulated." } else { "" };
                Some(format!("{answer}\r\n{}", self.prompt()))
            }
        }
    }

    fn prompt(&self) -> &'static str {
        match self.mode {
            Mode::User => "sw1>",
            Mode::Privileged => "sw1#",
            Mode::Configuration => "sw1(config)#",
        }
    }

    fn edit(&mut self, key: u8) -> Option<String> {
        match key {
            b'\r' | b'\n' => {
                let line = std::mem::take(&mut self.line);
                self.answer(line.trim())
            }
            0x03 => {
                self.line.clear();
                Some(format!("^C\r\n{}", self.prompt()))
            }
            0x08 | 0x7f => Some(self.line.pop().map_or(String::new(), |_| "\x08 \x08".to_owned())),
            0x20..=0x7e => {
                self.line.push(char::from(key));
                Some(self.echo(key))
            }
            _ => Some(String::new()),
        }
    }

    /// The typed key, or at the margin the line drawn anew and shifted.
    fn echo(&self, key: u8) -> String {
        let used = self.prompt().len() + self.line.len();
        if used > SHIFT_COLUMNS && (used - SHIFT_COLUMNS - 1).is_multiple_of(SHIFTED_BY) {
            let shown: String = self.line.chars().skip(self.line.len().saturating_sub(10)).collect();
            return format!("\r{}\r{}${shown}", " ".repeat(SHIFT_COLUMNS), self.prompt());
        }
        char::from(key).to_string()
    }

    fn answer(&mut self, line: &str) -> Option<String> {
        let mut screen = String::from("\r\n");
        match (self.mode, line) {
            (_, "") => {}
            (Mode::User, "enable") => self.mode = Mode::Privileged,
            (Mode::Privileged, "disable") => self.mode = Mode::User,
            (Mode::Privileged, "configure terminal") => self.mode = Mode::Configuration,
            (Mode::Configuration, "exit" | "end") => self.mode = Mode::Privileged,
            (_, "exit") => return None,
            (Mode::Privileged, "show running-config") => {
                let lines = (1..=50).map(|port| format!("interface GigabitEthernet0/{port}")).collect();
                return Some(screen + &self.turn(lines, b' '));
            }
            (_, "show version") => screen.push_str("Simulated network device, version 1.0\r\n"),
            (Mode::Privileged, "reload") => {
                self.reading = Reading::Confirm;
                return Some(screen + "Proceed with reload? [confirm]");
            }
            (Mode::Privileged, "log here") => {
                let log = "*Nov 21 10:00:00.000: %LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to up";
                return Some(format!("{screen}{}\r\n{log}\r\n{}", self.prompt(), self.prompt()));
            }
            (Mode::Configuration, line) if line.starts_with("hostname ") || line.starts_with("interface ") => {}
            _ => screen.push_str(&format!("{INVALID}\r\n")),
        }
        Some(screen + "\r\n" + self.prompt())
    }

    /// Shows the next page, or stops at `q`.
    fn turn(&mut self, mut lines: Vec<String>, key: u8) -> String {
        let erase = format!("{0}{1}{0}", "\x08".repeat(MORE.len()), " ".repeat(MORE.len()));
        let mut screen = if lines.len() == 50 { String::new() } else { erase };
        let count = match key {
            b' ' => PAGE_LINES,
            b'\r' => 1,
            b'q' => 0,
            _ => {
                self.reading = Reading::Page(lines);
                return String::new();
            }
        };
        for line in lines.drain(..count.min(lines.len())) {
            screen.push_str(&format!("{line}\r\n"));
        }
        if count == 0 || lines.is_empty() {
            return format!("{screen}\r\n{}", self.prompt());
        }
        self.reading = Reading::Page(lines);
        screen + MORE
    }
}

/// The device on this process's terminal, until the person leaves.
///
/// # Errors
/// When the terminal fails.
pub fn run() -> io::Result<()> {
    let input = io::stdin();
    let _raw = RawMode::enter(input.as_fd())?;
    let mut device = Device::default();
    let mut output = io::stdout();
    output.write_all(device.start().as_bytes())?;
    output.flush()?;
    loop {
        let mut key = [0_u8; 1];
        match rustix::io::read(input.as_fd(), &mut key) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let Some(screen) = device.feed(key[0]) else {
            output.write_all(b"\r\n")?;
            return output.flush();
        };
        output.write_all(screen.as_bytes())?;
        output.flush()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(device: &mut Device, text: &str) -> String {
        text.bytes().filter_map(|key| device.feed(key)).collect()
    }

    #[test]
    fn the_prompt_follows_the_mode() {
        let mut device = Device::default();
        assert!(device.start().ends_with("sw1>"));
        assert!(typed(&mut device, "enable\r").ends_with("sw1#"));
        assert!(typed(&mut device, "configure terminal\r").ends_with("sw1(config)#"));
        assert!(typed(&mut device, "nonsense\r").contains(INVALID));
        assert!(typed(&mut device, "end\r").ends_with("sw1#"));
        typed(&mut device, "exit");
        assert_eq!(device.feed(b'\r'), None);
    }

    #[test]
    fn long_answers_are_paged_and_the_pager_erases_itself() {
        let mut device = Device::default();
        typed(&mut device, "enable\r");
        assert!(typed(&mut device, "show running-config\r").ends_with(MORE));
        let next = typed(&mut device, " ");
        assert!(next.starts_with('\x08') && next.contains("0/40") && next.ends_with(MORE));
        assert!(typed(&mut device, "q").ends_with("sw1#"));
        assert!(typed(&mut device, "reload\r").ends_with("[confirm]"));
        assert!(typed(&mut device, "\r").ends_with("sw1#"));
    }

    #[test]
    fn a_long_line_is_shown_shifted() {
        let mut device = Device::default();
        assert!(typed(&mut device, &"x".repeat(80)).contains("sw1>$"));
    }
}
