//! The terminal of one session as a pure model: bytes and time go in, facts come out.
//!
//! [`Terminal`] joins four consumers of one byte stream:
//! - [`decode`]: the level's character encoding, across chunk edges;
//! - [`tap`]: finds shell-integration marks and modes and splits the stream at them;
//! - [`screen`]: the emulator's grid (the emulator crate is named only there);
//! - [`ring`]: the output by absolute offset, bounded;
//!
//! and [`track`], which tells from the marks what the shell is doing and how a command ended.
//!
//! Not here: channels, tasks, clocks (time is an argument, measured from the session's opening),
//! SSH, plugins. The session actor owns one `Terminal` and calls [`Terminal::feed`],
//! [`Terminal::tick`] and the submission methods; everything it must write to the channel comes
//! back as bytes.

pub mod clean;
pub mod decode;
pub mod inject;
pub mod level;
pub mod nested;
pub mod outcome;
pub mod patterns;
pub mod ring;
mod scan;
pub mod screen;
pub mod tap;
mod terminal;
pub mod track;

pub use clean::{CleanText, clean, clean_around_full_screen, clean_page, width};
pub use decode::Encoding;
pub use level::{Integration, Level, LevelKind, ShellKind};
pub use outcome::{AwaitingKind, CommandId, Completion, Confidence, ExitSource, Outcome};
pub use ring::{Offset, OutputRing, Slice, Span};
pub use screen::{Row, ScreenView};
pub use terminal::{Fed, Snapshot, Terminal, TerminalOptions};
pub use track::{Event, Expectation, Foreground, NotReady, Silence, State, Submission, Typist};
