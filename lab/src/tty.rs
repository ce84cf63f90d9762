//! The terminal a lab program itself runs on: raw mode for a while, its size, and reading and
//! writing it without blocking. Used by the login menu and by `kubectl exec -it`.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::OFlags;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::net::unix::pipe;

/// Whether this is a terminal.
pub(crate) fn is_terminal(file: impl AsFd) -> bool {
    isatty(file)
}

/// Raw mode while this lives; the former mode comes back when it is dropped.
pub(crate) struct RawMode<'a> {
    file: BorrowedFd<'a>,
    former: Termios,
}

impl<'a> RawMode<'a> {
    pub(crate) fn enter(file: BorrowedFd<'a>) -> io::Result<Self> {
        let former = tcgetattr(file)?;
        let mut raw = former.clone();
        raw.make_raw();
        // Not `Flush`: keys typed ahead belong to whoever reads next.
        tcsetattr(file, OptionalActions::Drain, &raw)?;
        Ok(Self { file, former })
    }
}

impl Drop for RawMode<'_> {
    fn drop(&mut self) {
        // Fails only when the terminal is gone, and then there is nothing to restore.
        let _gone = tcsetattr(self.file, OptionalActions::Drain, &self.former);
    }
}

/// The controlling terminal, opened anew so that switching it to non-blocking does not touch the
/// file description shared with the shell that started us.
pub(crate) struct ControllingTerminal {
    file: File,
    /// tokio's pipe ends are plain non-blocking descriptors with readiness, which is all a
    /// terminal needs too; tokio has no type of its own for one.
    keys: pipe::Receiver,
    screen: pipe::Sender,
}

impl ControllingTerminal {
    /// Must be called inside a tokio runtime.
    pub(crate) fn open() -> io::Result<Self> {
        let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).map_err(io::Error::other)?;
        let file = File::options().read(true).write(true).custom_flags(flags).open("/dev/tty")?;
        let keys = pipe::Receiver::from_file_unchecked(file.try_clone()?)?;
        let screen = pipe::Sender::from_file_unchecked(file.try_clone()?)?;
        Ok(Self { file, keys, screen })
    }

    /// The input and output ends, to be used beside each other.
    pub(crate) fn split(&mut self) -> (TerminalInput<'_>, &mut pipe::Sender) {
        (TerminalInput { file: &self.file, keys: &mut self.keys }, &mut self.screen)
    }

    /// The terminal itself, for modes and sizes.
    pub(crate) fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

/// Keys and sizes of the controlling terminal.
pub(crate) struct TerminalInput<'a> {
    file: &'a File,
    pub(crate) keys: &'a mut pipe::Receiver,
}

impl TerminalInput<'_> {
    /// Columns and rows; 80 by 24 where the terminal does not know.
    pub(crate) fn size(&self) -> (u16, u16) {
        match tcgetwinsize(self.file) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
            _ => (80, 24),
        }
    }
}
