//! This terminal in raw mode, and as it was before on every way out: the end, an error, a panic.

use std::io::Write;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, Once, PoisonError};

use anyhow::Context;
use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// Whatever a session may have switched on: mouse, focus and paste reports, application keys, a hidden cursor,
/// another screen, a scrolling region, colours, character sets, no wrapping.
pub(super) const RESET: &[u8] =
    b"\x1b[?1049l\x1b[?9;1000;1001;1002;1003;1004;1005;1006;1015;1016;2004;2026l\x1b[?1;5;6l\
\x1b>\x1b[?7;25h\x1b[4l\x1b[0 q\x1b[m\x1b(B\x0f\x1b[r";

/// The terminal as it was, until it is given back. One at a time.
static SAVED: Mutex<Option<Termios>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// Raw mode for as long as it lives.
pub(super) struct Raw;

impl Raw {
    /// # Errors
    /// When the terminal does not let itself be set.
    pub(super) fn enter() -> anyhow::Result<Self> {
        enter(stdin())?;
        HOOK.call_once(|| {
            let usual = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                // First, so that what the panic says can be read.
                leave(stdin(), stdout());
                usual(panic);
            }));
        });
        Ok(Self)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        leave(stdin(), stdout());
    }
}

fn enter(terminal: BorrowedFd<'_>) -> anyhow::Result<()> {
    let before = tcgetattr(terminal).context("this terminal's settings cannot be read")?;
    let mut raw = before.clone();
    raw.make_raw();
    *SAVED.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
    tcsetattr(terminal, OptionalActions::Now, &raw).context("this terminal cannot be set to raw mode")
}

/// Once; later calls find nothing to give back.
fn leave(terminal: BorrowedFd<'_>, shown_at: BorrowedFd<'_>) {
    let Some(before) = SAVED.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    let rows = tcgetwinsize(shown_at).map_or(24, |size| size.ws_row.max(1));
    let last = [RESET, format!("\x1b[{rows};1H\x1b[K").as_bytes()].concat();
    let mut left = last.as_slice();
    // Past what `std` buffers, which a panic may hold. A terminal that is gone needs none of it.
    while let Ok(written @ 1..) = rustix::io::write(shown_at, left) {
        left = &left[written..];
        if left.is_empty() {
            break;
        }
    }
    let _ = tcsetattr(terminal, OptionalActions::Now, &before);
}

/// Columns and rows.
///
/// # Errors
/// When the terminal has no size.
pub(super) fn size() -> anyhow::Result<(u16, u16)> {
    let size = tcgetwinsize(stdout()).context("this terminal's size cannot be read")?;
    // Some terminals begin without one.
    Ok(if size.ws_col < 2 || size.ws_row < 2 { (80, 24) } else { (size.ws_col, size.ws_row) })
}

/// Moves what is on the screen into the terminal's own history.
///
/// # Errors
/// When the terminal is gone.
pub(super) fn make_room(rows: u16) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    write!(out, "\x1b[{rows};1H").and_then(|()| out.write_all("\r\n".repeat(rows.into()).as_bytes()))?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test; one panics on purpose")]

    use std::os::fd::AsFd;

    use rustix::termios::LocalModes;

    use super::*;

    struct On<'a>(BorrowedFd<'a>);

    impl Drop for On<'_> {
        fn drop(&mut self) {
            leave(self.0, self.0);
        }
    }

    #[test]
    fn a_panic_leaves_the_terminal_as_it_was() {
        let (_pty, pts) = {
            let controller =
                rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
            rustix::pty::grantpt(&controller).unwrap();
            rustix::pty::unlockpt(&controller).unwrap();
            let name = rustix::pty::ptsname(&controller, Vec::new()).unwrap();
            let pts = rustix::fs::open(
                name.as_c_str(),
                rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY,
                rustix::fs::Mode::empty(),
            );
            (controller, pts.unwrap())
        };
        let modes = || tcgetattr(&pts).unwrap().local_modes;
        let before = modes();
        assert!(before.contains(LocalModes::ECHO | LocalModes::ICANON));
        let panicked = std::panic::catch_unwind(|| {
            enter(pts.as_fd()).unwrap();
            let _guard = On(pts.as_fd());
            assert!(!modes().intersects(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG));
            panic!("on purpose");
        });
        assert!(panicked.is_err());
        assert_eq!(modes(), before);
    }
}
