//! What can be said of a line from its characters alone, before any grammar.

use crate::plan::{Span, Unknown, UnknownKind};
use crate::{MAX_LINE_BYTES, WHAT_CONTROL, WHAT_LIMIT, WHAT_UNICODE};

/// A reason to refuse the whole line unread: too long, or a byte that a terminal's line editor or
/// driver would act upon, so that the text judged would not be the text run.
pub(crate) fn length_and_controls(line: &str) -> Option<Unknown> {
    if line.len() > MAX_LINE_BYTES {
        return Some(Unknown {
            kind: UnknownKind::Refused,
            what: format!("{WHAT_LIMIT}: {} bytes, at most {MAX_LINE_BYTES} are read", line.len()),
            span: Span::default(),
        });
    }
    line.char_indices().find(|(_, character)| character.is_control() && !matches!(character, '\t' | '\n')).map(
        |(start, character)| Unknown {
            kind: UnknownKind::Refused,
            what: format!("{WHAT_CONTROL} U+{:04X}", u32::from(character)),
            span: Span { start, end: start + character.len_utf8() },
        },
    )
}

/// Characters that make a line look different from what it is, wherever they stand.
pub(crate) fn misleading(line: &str) -> Option<Unknown> {
    line.char_indices()
        .find(|(_, character)| is_misleading_anywhere(*character))
        .map(|(start, character)| unknown_at(start, character))
}

pub(crate) fn unknown_at(start: usize, character: char) -> Unknown {
    Unknown {
        kind: UnknownKind::Refused,
        what: format!("{WHAT_UNICODE} U+{:04X}", u32::from(character)),
        span: Span { start, end: start + character.len_utf8() },
    }
}

/// Direction controls and invisible characters. The zero-width joiner is left out: emoji in
/// quoted text need it, and outside quotes [`is_misleading_unquoted`] catches it.
pub(crate) fn is_misleading_anywhere(character: char) -> bool {
    matches!(character,
        '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}' | '\u{200C}' | '\u{200E}' | '\u{200F}'
        | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
        | '\u{E0000}'..='\u{E007F}')
}

/// As above, and everything that prints as a blank but does not separate words.
pub(crate) fn is_misleading_unquoted(character: char) -> bool {
    is_misleading_anywhere(character)
        || character == '\u{200D}'
        || matches!(character, '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' | '\u{2800}')
        || (!character.is_ascii() && character.is_whitespace())
}
