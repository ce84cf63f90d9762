//! Reads one line of bash-family shell and says, as flat data, everything it would run.
//!
//! [`parse`] never fails and never guesses silently: what it cannot follow is an [`Unknown`] in
//! the [`Plan`]. It is not a shell (nothing is run, no file is read) and not a policy (it does not
//! know good from bad). The host calls it before every delivery; the standard policy and the tests
//! read the same plan. It is pure: no clock, no input or output, no threads.
//!
//! The way through: [`precheck`] looks at characters, `words` and `grammar` build a tree
//! (`syntax`), `lower` walks the tree as the shell would with the constants it can see
//! (`environment`, `expand`, `parameter`, `braces`, `arithmetic`, `decode`), and `invoke` takes
//! wrappers off (`wrappers`, `shells`) until the program that really runs is left.

mod arithmetic;
mod braces;
mod builtins;
mod carriers;
mod decode;
mod environment;
mod escape;
mod expand;
mod grammar;
mod invoke;
mod lower;
mod parameter;
mod pattern;
pub mod plan;
mod precheck;
mod quote;
mod shells;
mod syntax;
mod words;
mod wrappers;

pub use plan::*;
pub use quote::{QuoteError, quote};

/// Bytes of the longest line that is read; longer ones are refused whole.
pub const MAX_LINE_BYTES: usize = 16 * 1024;
/// Deepest nesting of groups, substitutions, quotes and nested shells that is followed.
pub const MAX_NESTING: u32 = 64;
/// Invocations in one plan; a line that yields more is refused. Each costs a policy some ten
/// microseconds, and a verdict on the longest line shall take no more than a few milliseconds.
pub const MAX_INVOCATIONS: usize = 256;
/// Words as written, and words, assignments and redirections in one plan, a redirection counted as
/// [`REDIRECTION_WORDS`]; a line that has or yields more is refused.
pub const MAX_WORDS: usize = 2048;
/// What a redirection counts in [`MAX_WORDS`]: each is a file that is written or read.
pub const REDIRECTION_WORDS: usize = 8;
/// `what` of an [`UnknownKind::Refused`] starts with this when a control character is the cause.
pub const WHAT_CONTROL: &str = "control character";
/// `what` of an [`UnknownKind::Refused`] starts with this when a limit of the parser is exceeded.
pub const WHAT_LIMIT: &str = "limit exceeded";
/// `what` of an [`UnknownKind::Refused`] starts with this for invisible or look-alike characters.
pub const WHAT_UNICODE: &str = "misleading character";

/// Lowers `line`, without the Enter that completes it, to what it would run.
///
/// Time and memory are bounded by constants of this crate whatever the text is.
#[must_use]
pub fn parse(line: &str) -> Plan {
    let mut plan = Plan::default();
    if let Some(refusal) = precheck::length_and_controls(line) {
        plan.unknowns.push(refusal);
        return plan;
    }
    plan.unknowns.extend(precheck::misleading(line));
    lower::line(line, plan)
}
