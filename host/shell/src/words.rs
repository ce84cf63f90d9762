//! Words as written: quotes, escapes, `$…`, backticks and here-document bodies, into [`Part`]s.
//!
//! The cursor of the parser lives here; `grammar` adds commands on top of it.

use std::cell::OnceCell;
use std::rc::Rc;

use crate::escape::{self, Dialect};
use crate::plan::{Span, Unknown, UnknownKind};
use crate::precheck;
use crate::syntax::{Operator, Parameter, Part, Parts, RawWord, Script};
use crate::{MAX_NESTING, MAX_WORDS, WHAT_LIMIT};

/// Why reading stopped; `at` is a byte of the text being read.
#[derive(Debug, Clone)]
pub(crate) struct SyntaxError {
    pub(crate) kind: UnknownKind,
    pub(crate) what: String,
    pub(crate) at: usize,
}

pub(crate) type Read<T> = Result<T, SyntaxError>;

/// Where an unquoted word ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WordEnd {
    /// At a blank or operator.
    Command,
    /// The same where `NAME=( … )` may stand.
    Assignable,
    /// Right side of `=~`: parentheses and bars belong to the word.
    Regex,
}

/// A here-document whose body has not been reached yet.
pub(crate) struct Pending {
    pub(crate) delimiter: String,
    pub(crate) quoted: bool,
    pub(crate) strip_tabs: bool,
    pub(crate) body: Rc<OnceCell<Parts>>,
}

pub(crate) struct Parser<'a> {
    pub(crate) text: &'a str,
    pub(crate) position: usize,
    pub(crate) depth: u32,
    /// Set for text that stands inside another word: every span is that word's.
    pub(crate) base: Option<Span>,
    /// Interactive history expansion acts on this text.
    pub(crate) history: bool,
    pub(crate) pending: Vec<Pending>,
    pub(crate) unknowns: Vec<Unknown>,
    words: usize,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str, depth: u32, base: Option<Span>, history: bool) -> Self {
        Self { text, position: 0, depth, base, history, pending: Vec::new(), unknowns: Vec::new(), words: 0 }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.peek_at(0)
    }

    pub(crate) fn peek_at(&self, offset: usize) -> Option<u8> {
        self.text.as_bytes().get(self.position + offset).copied()
    }

    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or("")
    }

    pub(crate) fn span(&self, start: usize) -> Span {
        self.base.unwrap_or(Span { start, end: self.position })
    }

    pub(crate) fn malformed<T>(&self, what: impl Into<String>) -> Read<T> {
        Err(SyntaxError { kind: UnknownKind::Malformed, what: what.into(), at: self.position })
    }

    fn unresolved<T>(&self, what: impl Into<String>) -> Read<T> {
        Err(SyntaxError { kind: UnknownKind::Unresolved, what: what.into(), at: self.position })
    }

    /// Runs `inner` one level deeper; every recursion of the parser passes through here.
    pub(crate) fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.depth >= MAX_NESTING {
            return Err(SyntaxError {
                kind: UnknownKind::Refused,
                what: format!("{WHAT_LIMIT}: nested deeper than {MAX_NESTING}"),
                at: self.position,
            });
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn next_character(&mut self) -> Option<char> {
        let character = self.rest().chars().next()?;
        self.position += character.len_utf8();
        Some(character)
    }

    /// Blanks and line continuations.
    pub(crate) fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t') => self.position += 1,
                Some(b'\\') if self.peek_at(1) == Some(b'\n') => self.position += 2,
                _ => return,
            }
        }
    }

    /// One word, or none when an operator or the end stands here.
    pub(crate) fn word(&mut self, end: WordEnd) -> Read<Option<RawWord>> {
        let start = self.position;
        let mut parts = Parts::new();
        let mut array = None;
        let mut parentheses = 0usize;
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\n' => break,
                b'(' | b'|' | b')' if end == WordEnd::Regex && !(byte == b')' && parentheses == 0) => {
                    if byte == b'|' && parentheses == 0 && self.peek_at(1) == Some(b'|') {
                        break;
                    }
                    parentheses = if byte == b'(' { parentheses + 1 } else { parentheses - usize::from(byte == b')') };
                    self.literal_character(&mut parts);
                }
                b';' | b'&' | b'|' | b')' => break,
                b'(' => {
                    if end == WordEnd::Assignable && is_array_start(&parts) {
                        array = Some(self.nested(Self::array_elements)?);
                        break;
                    }
                    if !ends_with_extglob(&parts) {
                        break;
                    }
                    self.extended_glob(&mut parts)?;
                }
                b'<' | b'>' if self.peek_at(1) == Some(b'(') => parts.push(self.process_substitution(byte == b'>')?),
                b'<' | b'>' if end != WordEnd::Regex => break,
                b'\\' if self.peek_at(1) == Some(b'\n') => self.position += 2,
                _ => self.word_piece(&mut parts)?,
            }
        }
        if self.position == start || (parts.is_empty() && array.is_none()) {
            return Ok(None);
        }
        self.words += 1;
        if self.words > MAX_WORDS {
            return Err(SyntaxError {
                kind: UnknownKind::Refused,
                what: format!("{WHAT_LIMIT}: more than {MAX_WORDS} words"),
                at: self.position,
            });
        }
        let text = self.text[start..self.position].to_owned();
        Ok(Some(RawWord { parts, text, span: self.span(start), array }))
    }

    /// One quoted section, expansion or plain character of an unquoted word.
    fn word_piece(&mut self, parts: &mut Parts) -> Read<()> {
        match self.peek() {
            Some(b'\\') => {
                self.position += 1;
                match self.next_character() {
                    Some(character) => push_literal(parts, character, true),
                    None => return self.malformed("a backslash at the end waits for another line"),
                }
            }
            Some(b'\'') => {
                let text = self.single_quoted()?;
                parts.push(Part::Literal { text, quoted: true });
            }
            Some(b'"') => {
                self.position += 1;
                self.nested(|parser| parser.double_quoted(parts))?;
            }
            Some(b'$') => self.dollar(parts, false)?,
            Some(b'`') => {
                let part = self.backticks(false)?;
                parts.push(part);
            }
            _ => self.literal_character(parts),
        }
        Ok(())
    }

    fn literal_character(&mut self, parts: &mut Parts) {
        let at = self.position;
        self.check_history(false);
        if let Some(character) = self.next_character() {
            if precheck::is_misleading_unquoted(character) {
                let span = self.span(at);
                self.unknowns.push(Unknown { span, ..precheck::unknown_at(at, character) });
            }
            push_literal(parts, character, false);
        }
    }

    /// `!` where an interactive shell would put an earlier command.
    fn check_history(&mut self, in_quotes: bool) {
        if !self.history || self.peek() != Some(b'!') {
            return;
        }
        let before = self.position.checked_sub(1).and_then(|index| self.text.as_bytes().get(index)).copied();
        let harmless_after = match self.peek_at(1) {
            None | Some(b' ' | b'\t' | b'\n' | b'=') => true,
            Some(b'(') => true,
            Some(b'"') => in_quotes,
            _ => false,
        };
        let in_brackets = before == Some(b'[') && self.rest().contains(']');
        if harmless_after || in_brackets || before == Some(b'$') {
            return;
        }
        let start = self.position;
        let span = self.base.unwrap_or(Span { start, end: start + 1 });
        self.unknowns.push(Unknown {
            kind: UnknownKind::Unresolved,
            what: "history expansion: an earlier command would be put here".to_owned(),
            span,
        });
    }

    fn single_quoted(&mut self) -> Read<String> {
        let content = &self.rest()[1..];
        match content.find('\'') {
            Some(end) => {
                self.position += end + 2;
                Ok(content[..end].to_owned())
            }
            None => self.malformed("a single quote is not closed"),
        }
    }

    /// After the opening `"`, up to and with the closing one.
    fn double_quoted(&mut self, parts: &mut Parts) -> Read<()> {
        parts.push(Part::Literal { text: String::new(), quoted: true });
        loop {
            match self.peek() {
                None => return self.malformed("a double quote is not closed"),
                Some(b'"') => {
                    self.position += 1;
                    return Ok(());
                }
                _ => self.quoted_piece(parts, b"$`\"\\")?,
            }
        }
    }

    /// One character or expansion where double-quote rules hold; a backslash only quotes `special`.
    fn quoted_piece(&mut self, parts: &mut Parts, special: &[u8]) -> Read<()> {
        match self.peek() {
            Some(b'\\') => {
                match self.peek_at(1) {
                    Some(b'\n') => self.position += 2,
                    Some(byte) if special.contains(&byte) => {
                        self.position += 2;
                        push_literal(parts, char::from(byte), true);
                    }
                    _ => {
                        self.position += 1;
                        push_literal(parts, '\\', true);
                    }
                }
                Ok(())
            }
            Some(b'$') => self.dollar(parts, true),
            Some(b'`') => {
                let part = self.backticks(true)?;
                parts.push(part);
                Ok(())
            }
            _ => {
                self.check_history(true);
                if let Some(character) = self.next_character() {
                    push_literal(parts, character, true);
                }
                Ok(())
            }
        }
    }

    /// Everything from here to `end` under double-quote rules (arithmetic).
    pub(crate) fn quoted_until(&mut self, end: usize) -> Read<Parts> {
        self.nested(|parser| {
            let mut parts = Parts::new();
            let history = std::mem::replace(&mut parser.history, false);
            while parser.position < end {
                parser.quoted_piece(&mut parts, b"$`\"\\")?;
            }
            parser.history = history;
            if parser.position > end {
                return parser.malformed("an expression is not closed where it should be");
            }
            Ok(parts)
        })
    }

    /// The body of an unquoted here-document.
    pub(crate) fn here_document(&mut self) -> Read<Parts> {
        let mut parts = vec![Part::Literal { text: String::new(), quoted: true }];
        while self.peek().is_some() {
            self.quoted_piece(&mut parts, b"$`\\")?;
        }
        Ok(parts)
    }

    fn dollar(&mut self, parts: &mut Parts, quoted: bool) -> Read<()> {
        let part = match self.peek_at(1) {
            Some(b'\'') if !quoted => {
                let text = self.ansi_quoted()?;
                Part::Literal { text, quoted: true }
            }
            Some(b'"') if !quoted => {
                self.position += 2;
                return self.nested(|parser| parser.double_quoted(parts));
            }
            Some(b'(') => return self.parenthesised(parts, quoted),
            Some(b'[') => {
                self.position += 2;
                let Some(length) = matching_bracket(self.rest()) else {
                    return self.malformed("`$[` is not closed");
                };
                let inner = self.quoted_until(self.position + length)?;
                self.position += 1;
                Part::Arithmetic { parts: inner, quoted }
            }
            Some(b'{') => {
                self.position += 2;
                let parameter = self.nested(|parser| parser.braced_parameter(quoted))?;
                Part::Parameter { parameter: Box::new(parameter), quoted }
            }
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' => {
                self.position += 1;
                let name = self.name();
                simple_parameter(name, quoted)
            }
            Some(byte) if byte.is_ascii_digit() || b"@*#?-$!".contains(&byte) => {
                self.position += 2;
                simple_parameter(char::from(byte).to_string(), quoted)
            }
            _ => {
                self.position += 1;
                push_literal(parts, '$', quoted);
                return Ok(());
            }
        };
        parts.push(part);
        Ok(())
    }

    /// `$(( … ))` or `$( … )`.
    fn parenthesised(&mut self, parts: &mut Parts, quoted: bool) -> Read<()> {
        if self.peek_at(2) == Some(b'(')
            && let Some(length) = arithmetic_length(&self.rest()[3..])
        {
            self.position += 3;
            let inner = self.quoted_until(self.position + length)?;
            self.position += 2;
            parts.push(Part::Arithmetic { parts: inner, quoted });
            return Ok(());
        }
        self.position += 2;
        let script = self.substitution_script()?;
        parts.push(Part::Substitution { script, quoted });
        Ok(())
    }

    fn process_substitution(&mut self, writes: bool) -> Read<Part> {
        self.position += 2;
        let script = self.substitution_script()?;
        Ok(Part::Process { script, writes })
    }

    /// After `(`: commands up to and with the closing parenthesis, here-documents included.
    fn substitution_script(&mut self) -> Read<Script> {
        let outer = std::mem::take(&mut self.pending);
        let script = self.nested(Self::parenthesised_script)?;
        if !self.pending.is_empty() {
            return self.malformed("a here-document is not closed inside the substitution");
        }
        self.pending = outer;
        Ok(script)
    }

    fn ansi_quoted(&mut self) -> Read<String> {
        let content = &self.rest()[2..];
        let mut escaped = false;
        let end = content.char_indices().find(|&(_, character)| {
            let closes = character == '\'' && !escaped;
            escaped = character == '\\' && !escaped;
            closes
        });
        let Some((end, _)) = end else { return self.malformed("`$'` is not closed") };
        self.position += end + 3;
        match escape::decode(&content[..end], Dialect::Ansi) {
            Some(text) => Ok(text),
            None => self.unresolved("`$'…'` that is not text"),
        }
    }

    fn backticks(&mut self, quoted: bool) -> Read<Part> {
        let start = self.position;
        self.position += 1;
        let mut content = String::new();
        loop {
            match self.next_character() {
                None => return self.malformed("a backtick is not closed"),
                Some('`') => break,
                Some('\\') => match self.next_character() {
                    Some(character) if matches!(character, '`' | '\\' | '$') || (quoted && character == '"') => {
                        content.push(character)
                    }
                    Some(character) => content.extend(['\\', character]),
                    None => return self.malformed("a backtick is not closed"),
                },
                Some(character) => content.push(character),
            }
        }
        let base = Some(self.span(start));
        let history = self.history;
        let script = self.nested(|parser| {
            let mut inner = Parser::new(&content, parser.depth, base, history);
            let script = inner.whole_script().map_err(|error| SyntaxError { at: start, ..error })?;
            parser.unknowns.append(&mut inner.unknowns);
            Ok(script)
        })?;
        Ok(Part::Substitution { script, quoted })
    }

    pub(crate) fn name(&mut self) -> String {
        let length = self.rest().bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        let name = self.rest()[..length].to_owned();
        self.position += length;
        name
    }

    /// After `${`, up to and with `}`.
    fn braced_parameter(&mut self, quoted: bool) -> Read<Parameter> {
        if matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'|')) {
            return self.unresolved("`${ …; }` runs commands in a way that is not followed");
        }
        let mut parameter = Parameter {
            name: String::new(),
            subscript: None,
            indirect: false,
            length: false,
            operator: Operator::None,
        };
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"_@*#?$!-".contains(&byte);
        if self.peek() == Some(b'!')
            && self.peek_at(1).is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_@*#".contains(&byte))
        {
            parameter.indirect = true;
            self.position += 1;
        } else if self.peek() == Some(b'#') && self.peek_at(1).is_some_and(named) {
            parameter.length = true;
            self.position += 1;
        }
        parameter.name = match self.peek() {
            Some(byte) if byte.is_ascii_alphanumeric() || byte == b'_' => self.name(),
            Some(byte) if b"@*#?$!-".contains(&byte) => {
                self.position += 1;
                char::from(byte).to_string()
            }
            _ => String::new(),
        };
        if self.peek() == Some(b'[') && !parameter.name.is_empty() {
            self.position += 1;
            parameter.subscript = Some(self.operand(quoted, b"]", false)?);
            self.position += 1;
        }
        parameter.operator = self.parameter_operator(quoted, parameter.name.is_empty())?;
        self.position += 1;
        Ok(parameter)
    }

    /// Leaves the cursor on the closing `}`.
    fn parameter_operator(&mut self, quoted: bool, bad: bool) -> Read<Operator> {
        let (first, second) = (self.peek(), self.peek_at(1));
        if bad {
            return Ok(Operator::Other(self.operand(quoted, b"}", false)?));
        }
        Ok(match (first, second) {
            (Some(b'}'), _) => Operator::None,
            (Some(b':'), Some(kind @ (b'-' | b'=' | b'?' | b'+'))) => {
                self.position += 2;
                Operator::Default { colon: true, kind: char::from(kind), word: self.operand(quoted, b"}", !quoted)? }
            }
            (Some(kind @ (b'-' | b'=' | b'?' | b'+')), _) => {
                self.position += 1;
                Operator::Default { colon: false, kind: char::from(kind), word: self.operand(quoted, b"}", !quoted)? }
            }
            (Some(side @ (b'#' | b'%')), _) => {
                let longest = second == Some(side);
                self.position += 1 + usize::from(longest);
                Operator::Strip { suffix: side == b'%', longest, pattern: self.operand(false, b"}", true)? }
            }
            (Some(b'/'), _) => self.replace_operator()?,
            (Some(b':'), _) => {
                self.position += 1;
                let offset = self.operand(quoted, b":}", true)?;
                let length = match self.peek() {
                    Some(b':') => {
                        self.position += 1;
                        Some(self.operand(quoted, b"}", true)?)
                    }
                    _ => None,
                };
                Operator::Substring { offset, length }
            }
            (Some(letter @ (b'^' | b',')), _) => {
                let all = second == Some(letter);
                self.position += 1 + usize::from(all);
                Operator::Case { upper: letter == b'^', all, pattern: self.operand(false, b"}", true)? }
            }
            (Some(b'@'), Some(letter)) if letter.is_ascii_alphabetic() && self.peek_at(2) == Some(b'}') => {
                self.position += 2;
                Operator::Transform(char::from(letter))
            }
            _ => Operator::Other(self.operand(quoted, b"}", true)?),
        })
    }

    fn replace_operator(&mut self) -> Read<Operator> {
        self.position += 1;
        let mut all = false;
        let mut anchor = None;
        match self.peek() {
            Some(b'/') => all = true,
            Some(byte @ (b'#' | b'%')) => anchor = Some(char::from(byte)),
            _ => {}
        }
        self.position += usize::from(all || anchor.is_some());
        let pattern = self.operand(false, b"/}", true)?;
        let mut replacement = Parts::new();
        if self.peek() == Some(b'/') {
            self.position += 1;
            replacement = self.operand(false, b"}", true)?;
        }
        Ok(Operator::Replace { all, anchor, pattern, replacement })
    }

    /// Text inside `${…}` up to one of `stops`, which is left unread.
    fn operand(&mut self, quoted: bool, stops: &[u8], single_quotes: bool) -> Read<Parts> {
        let mut parts = Parts::new();
        loop {
            match self.peek() {
                None => return self.malformed("`${` is not closed"),
                Some(byte) if stops.contains(&byte) => return Ok(parts),
                Some(b'\'') if !single_quotes => {
                    self.position += 1;
                    push_literal(&mut parts, '\'', quoted);
                }
                Some(b'"') => {
                    self.position += 1;
                    self.nested(|parser| parser.double_quoted(&mut parts))?;
                }
                Some(b'\\') if quoted && self.peek_at(1) == Some(b'}') => {
                    self.position += 2;
                    push_literal(&mut parts, '}', true);
                }
                Some(b'<' | b'>') if !quoted && self.peek_at(1) == Some(b'(') => {
                    let writes = self.peek() == Some(b'>');
                    let part = self.process_substitution(writes)?;
                    parts.push(part);
                }
                _ if quoted => self.quoted_piece(&mut parts, b"$`\"\\")?,
                _ => self.word_piece(&mut parts)?,
            }
        }
    }

    /// `@( … )` and its kin, kept as unquoted text so that the word counts as a pattern.
    fn extended_glob(&mut self, parts: &mut Parts) -> Read<()> {
        self.nested(|parser| {
            parser.literal_character(parts);
            loop {
                match parser.peek() {
                    None => return parser.malformed("a parenthesis is not closed"),
                    Some(b')') => {
                        parser.literal_character(parts);
                        return Ok(());
                    }
                    Some(b'(') => parser.extended_glob(parts)?,
                    _ => parser.word_piece(parts)?,
                }
            }
        })
    }

    /// After `NAME=`, from `(` up to and with `)`.
    fn array_elements(&mut self) -> Read<Vec<RawWord>> {
        self.position += 1;
        let mut elements = Vec::new();
        loop {
            self.linebreak()?;
            match self.peek() {
                None => return self.malformed("an array is not closed"),
                Some(b')') => {
                    self.position += 1;
                    return Ok(elements);
                }
                _ => match self.word(WordEnd::Command)? {
                    Some(element) => elements.push(element),
                    None => return self.malformed("an operator stands inside an array"),
                },
            }
        }
    }
}

pub(crate) fn push_literal(parts: &mut Parts, character: char, quoted: bool) {
    if let Some(Part::Literal { text, quoted: last }) = parts.last_mut()
        && *last == quoted
    {
        text.push(character);
        return;
    }
    parts.push(Part::Literal { text: character.to_string(), quoted });
}

fn simple_parameter(name: String, quoted: bool) -> Part {
    let parameter = Parameter { name, subscript: None, indirect: false, length: false, operator: Operator::None };
    Part::Parameter { parameter: Box::new(parameter), quoted }
}

fn is_array_start(parts: &Parts) -> bool {
    match parts.as_slice() {
        [Part::Literal { text, quoted: false }] => {
            let name = text.strip_suffix("+=").or_else(|| text.strip_suffix('='));
            name.is_some_and(is_name)
        }
        _ => false,
    }
}

pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|character: char| character.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn ends_with_extglob(parts: &Parts) -> bool {
    matches!(parts.last(), Some(Part::Literal { text, quoted: false }) if text.ends_with(['?', '*', '+', '@', '!']))
}

/// Bytes up to the `))` that closes an arithmetic expression, or none when it is not one.
pub(crate) fn arithmetic_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open = 0usize;
    let mut index = 0;
    while let Some(byte) = bytes.get(index) {
        match byte {
            b'\\' => index += 1,
            b'\'' | b'"' => {
                let close = bytes[index + 1..].iter().position(|other| other == byte)?;
                index += close + 1;
            }
            b'(' => open += 1,
            b')' if open > 0 => open -= 1,
            b')' => return (bytes.get(index + 1) == Some(&b')')).then_some(index),
            _ => {}
        }
        index += 1;
    }
    None
}

fn matching_bracket(text: &str) -> Option<usize> {
    let mut open = 0usize;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'[' => open += 1,
            b']' if open == 0 => return Some(index),
            b']' => open -= 1,
            _ => {}
        }
    }
    None
}
