//! What parsers of more than one kind of output share: claiming by command, lines in and documents
//! out, columns of aligned tables, numbers that are certain.
//!
//! A component names its kinds in a [`Family`]; [`Of`] makes the parser of it. Nothing here knows a
//! program's output, and nothing is exported from here: this is an ordinary library.

pub mod columns;
pub mod command;
pub mod document;
pub mod family;
pub mod number;
pub mod sink;
#[cfg(feature = "testing")]
pub mod testing;
pub mod words;

pub use columns::Layout;
pub use command::Command;
pub use document::Document;
pub use family::{End, Family, Kind, Of, Reader, Reading};
pub use sink::{Held, Sink};
