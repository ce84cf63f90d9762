//! Writing words so that a POSIX shell reads back exactly these words.
//!
//! The one direction in which the host builds command lines (log searches). Everything is
//! single-quoted unless it is plainly inert; control characters are refused, because a terminal
//! would act on them before the shell ever saw the quotes.

use thiserror::Error;

/// Why a word cannot be typed as part of a command line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QuoteError {
    #[error("there is no word to quote; a command line needs at least a program name")]
    Empty,
    #[error("word {index} contains the control character U+{code:04X}, which a terminal would act upon; remove it")]
    Control { index: usize, code: u32 },
    #[error(
        "word {index} contains the invisible or direction-changing character U+{code:04X}, which hides what the line does; remove it"
    )]
    Misleading { index: usize, code: u32 },
}

/// Joins `argv` to one line that [`crate::parse`] and any POSIX shell read as these words.
///
/// # Errors
/// [`QuoteError`] when `argv` is empty or a word holds a control character (NUL and newline included)
/// or an invisible one.
pub fn quote(argv: &[&str]) -> Result<String, QuoteError> {
    if argv.is_empty() {
        return Err(QuoteError::Empty);
    }
    let mut line = String::new();
    for (index, word) in argv.iter().enumerate() {
        if let Some(control) = word.chars().find(|character| character.is_control()) {
            return Err(QuoteError::Control { index, code: u32::from(control) });
        }
        if let Some(misleading) = word.chars().find(|character| crate::precheck::is_misleading_anywhere(*character)) {
            return Err(QuoteError::Misleading { index, code: u32::from(misleading) });
        }
        if index > 0 {
            line.push(' ');
        }
        if is_inert(word, index == 0) {
            line.push_str(word);
        } else {
            line.push('\'');
            line.push_str(&word.replace('\'', r"'\''"));
            line.push('\'');
        }
    }
    Ok(line)
}

/// No shell gives these characters a meaning; `=` in the first word would be an assignment.
fn is_inert(word: &str, first: bool) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'-' | b'.' | b'/' | b':' | b',' | b'@' | b'+')
            || (byte == b'=' && !first)
    };
    !word.is_empty() && !crate::grammar::is_reserved(word) && word.bytes().all(plain)
}
