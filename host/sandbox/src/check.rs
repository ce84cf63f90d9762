//! Sizes and characters of everything that crosses the border.
//!
//! Questions are measured only. Answers are measured and cleaned: text meant for people loses
//! control and invisible characters (a plugin must not paint on a terminal or hide a word from an
//! approver), text meant to be typed or matched is refused if it has any, because cleaning would
//! change what it means.

use crate::bindings::shared::portcullis::common::types::PluginError;
use crate::common::{Attribute, Endpoint, Level};
use crate::error::{CallError, PluginErrorKind};
use crate::limits::Limits;

/// The longest plugin text quoted in an error, in bytes.
const QUOTED_BYTES: usize = 512;

/// Controls (a tab is a space to a reader, and a line break a new claim), and characters that
/// change how their neighbours look: bidirectional controls, zero-width, line separators.
pub(crate) fn is_unshowable(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Plugin text as one clean line of at most `limit_bytes`, cut at a character.
pub(crate) fn shown_line(text: &str, limit_bytes: usize) -> String {
    let mut line = String::with_capacity(text.len().min(limit_bytes));
    for character in text.chars() {
        let character = match character {
            '\n' | '\r' | '\t' => ' ',
            other if is_unshowable(other) => continue,
            other => other,
        };
        if line.len() + character.len_utf8() > limit_bytes {
            break;
        }
        line.push(character);
    }
    line
}

/// Plugin text quoted in an error.
pub(crate) fn quoted(text: &str) -> String {
    shown_line(text.trim(), QUOTED_BYTES)
}

/// A plugin's own "I cannot answer".
pub(crate) fn plugin_error(error: PluginError) -> CallError {
    let (kind, message) = match error {
        PluginError::Unsupported(message) => (PluginErrorKind::Unsupported, message),
        PluginError::InvalidInput(message) => (PluginErrorKind::InvalidInput, message),
        PluginError::InvalidConfig(message) => (PluginErrorKind::InvalidConfig, message),
        PluginError::Internal(message) => (PluginErrorKind::Internal, message),
    };
    CallError::Plugin { kind, message: quoted(&message) }
}

/// Measures a question.
pub(crate) struct Question<'a> {
    limits: &'a Limits,
    bytes_left: usize,
}

impl<'a> Question<'a> {
    pub(crate) fn new(limits: &'a Limits) -> Self {
        Self { limits, bytes_left: limits.max_request_bytes }
    }

    pub(crate) fn bytes(&mut self, what: &str, length: usize) -> Result<(), CallError> {
        let limit = self.limits.max_string_bytes;
        if length > limit {
            return Err(CallError::Request { what: format!("{what} is {length} bytes long, the limit is {limit}") });
        }
        match self.bytes_left.checked_sub(length) {
            Some(left) => self.bytes_left = left,
            None => {
                let limit = self.limits.max_request_bytes;
                return Err(CallError::Request { what: format!("the question is larger than {limit} bytes in all") });
            }
        }
        Ok(())
    }

    pub(crate) fn text(&mut self, what: &str, text: &str) -> Result<(), CallError> {
        self.bytes(what, text.len())
    }

    pub(crate) fn optional(&mut self, what: &str, text: Option<&String>) -> Result<(), CallError> {
        text.map_or(Ok(()), |text| self.text(what, text))
    }

    pub(crate) fn items(&self, what: &str, count: usize) -> Result<(), CallError> {
        let limit = self.limits.max_list_items;
        if count > limit {
            return Err(CallError::Request { what: format!("{what} has {count} items, the limit is {limit}") });
        }
        Ok(())
    }

    pub(crate) fn texts(&mut self, what: &str, texts: &[String]) -> Result<(), CallError> {
        self.items(what, texts.len())?;
        texts.iter().try_for_each(|text| self.text(what, text))
    }

    pub(crate) fn attributes(&mut self, attributes: &[Attribute]) -> Result<(), CallError> {
        self.items("the attributes", attributes.len())?;
        for attribute in attributes {
            self.text("an attribute's key", &attribute.key)?;
            self.text("an attribute's value", &attribute.value)?;
        }
        Ok(())
    }

    pub(crate) fn levels(&mut self, levels: &[Level]) -> Result<(), CallError> {
        self.items("the levels", levels.len())?;
        for level in levels {
            self.text("a level's label", &level.label)?;
            self.attributes(&level.attributes)?;
        }
        Ok(())
    }

    pub(crate) fn endpoint(&mut self, endpoint: &Endpoint) -> Result<(), CallError> {
        self.text("the profile", &endpoint.profile)?;
        self.text("the user", &endpoint.user)?;
        self.texts("the tags", &endpoint.tags)?;
        self.levels(&endpoint.levels)?;
        self.attributes(&endpoint.attributes)
    }
}

/// Measures and cleans an answer. Its total size was bounded while it was copied.
pub(crate) struct Answer<'a> {
    limits: &'a Limits,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(limits: &'a Limits) -> Self {
        Self { limits }
    }

    pub(crate) fn refuse<T>(what: impl Into<String>) -> Result<T, CallError> {
        Err(CallError::Answer { what: what.into() })
    }

    fn length(&self, what: &str, text: &str) -> Result<(), CallError> {
        let (length, limit) = (text.len(), self.limits.max_string_bytes);
        if length > limit {
            return Self::refuse(format!("{what} is {length} bytes long, the limit is {limit}"));
        }
        Ok(())
    }

    /// Text for people: cleaned.
    pub(crate) fn shown(&self, what: &str, text: &mut String) -> Result<(), CallError> {
        self.length(what, text)?;
        if text.chars().any(is_unshowable) {
            *text = shown_line(text, self.limits.max_string_bytes);
        }
        Ok(())
    }

    pub(crate) fn shown_all(&self, what: &str, texts: &mut [String]) -> Result<(), CallError> {
        self.items(what, texts.len())?;
        texts.iter_mut().try_for_each(|text| self.shown(what, text))
    }

    /// Text to be typed, matched or used as a name: refused unless clean.
    pub(crate) fn exact(&self, what: &str, text: &str) -> Result<(), CallError> {
        self.length(what, text)?;
        match text.chars().find(|character| is_unshowable(*character)) {
            Some(character) => Self::refuse(format!("{what} contains the character U+{:04X}", u32::from(character))),
            None => Ok(()),
        }
    }

    /// A stable name; may not be empty.
    pub(crate) fn name(&self, what: &str, text: &str) -> Result<(), CallError> {
        if text.trim().is_empty() {
            return Self::refuse(format!("{what} is empty"));
        }
        self.exact(what, text)
    }

    pub(crate) fn items(&self, what: &str, count: usize) -> Result<(), CallError> {
        self.at_most(what, count, self.limits.max_list_items)
    }

    pub(crate) fn at_most(&self, what: &str, count: usize, limit: usize) -> Result<(), CallError> {
        let limit = limit.min(self.limits.max_list_items);
        if count > limit {
            return Self::refuse(format!("{what} has {count} items, the limit is {limit}"));
        }
        Ok(())
    }

    pub(crate) fn attributes(&self, attributes: &mut [Attribute]) -> Result<(), CallError> {
        self.items("the attributes", attributes.len())?;
        for attribute in attributes {
            self.name("an attribute's key", &attribute.key)?;
            self.shown("an attribute's value", &mut attribute.value)?;
        }
        Ok(())
    }

    pub(crate) fn level(&self, level: &mut Level) -> Result<(), CallError> {
        self.shown("a level's label", &mut level.label)?;
        self.attributes(&mut level.attributes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_shown_line_has_no_controls_and_is_cut_at_a_character() {
        assert_eq!(shown_line("a\u{1b}[31mb\r\nc\u{202e}d\u{200b}", 100), "a[31mb  cd");
        assert_eq!(shown_line("äöü", 5), "äö");
        assert_eq!(shown_line("äöü", 0), "");
    }

    #[test]
    fn text_to_be_typed_is_refused_rather_than_cleaned() {
        let limits = Limits::policy();
        let answer = Answer::new(&limits);
        assert_eq!(answer.exact("the line", "ls -l"), Ok(()));
        let error = answer.exact("the line", "ls\rrm -rf /").unwrap_err();
        assert_eq!(error.to_string(), "its answer cannot be used: the line contains the character U+000D");
        assert!(answer.exact("the line", "a\u{202e}b").is_err());
    }

    #[test]
    fn a_question_is_bounded_per_string_per_list_and_in_all() {
        let limits = Limits { max_string_bytes: 4, max_list_items: 2, max_request_bytes: 6, ..Limits::policy() };
        let mut question = Question::new(&limits);
        question.text("a", "1234").unwrap();
        assert!(matches!(question.text("b", "12345"), Err(CallError::Request { .. })));
        assert!(matches!(question.text("c", "123"), Err(CallError::Request { .. })));
        assert!(matches!(question.items("d", 3), Err(CallError::Request { .. })));
        question.text("e", "12").unwrap();
    }
}
