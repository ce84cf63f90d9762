//! From written words to the words a command gets: braces, tilde, parameters, substitutions,
//! splitting and quote removal, in the shell's order.

use crate::braces;
use crate::environment::Known;
use crate::lower::{Frame, Lowering};
use crate::parameter::Expansion;
use crate::plan::{Span, Word};
use crate::syntax::{Part, Parts, RawWord};

/// Bytes one value may have; longer ones count as unknown, so that doubling cannot explode.
const MAX_VALUE_BYTES: usize = 32 * 1024;

/// A step of an expanded word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Char {
        character: char,
        quoted: bool,
    },
    /// Text only the run can tell; `guess` if there is one likely value.
    Unknown {
        guess: Option<String>,
    },
    /// A name only the run can tell, of this shape.
    Pattern(String),
    /// A new word starts here.
    Break,
    /// Quotes stood here, so the word exists even when empty.
    Mark,
    /// The name of a pipe made by `<( )`, with the text that can be read from it.
    Process(Known),
}

/// One word of an expanded command.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) text: String,
    pub(crate) value: Known,
    /// The value if unset variables are what they mostly are.
    pub(crate) guess: Known,
    /// The shape of the value where only that is known; readers of the plan see it as a pattern.
    pub(crate) shape: Known,
    pub(crate) glob: bool,
    /// Set for `<( )`: what reading it yields.
    pub(crate) process: Option<Known>,
    pub(crate) span: Span,
}

impl Field {
    pub(crate) fn constant(value: &str, span: Span) -> Self {
        Self {
            text: value.to_owned(),
            value: Some(value.to_owned()),
            guess: None,
            shape: None,
            glob: false,
            process: None,
            span,
        }
    }

    /// A word that only the run can tell.
    pub(crate) fn unknown(text: &str, span: Span) -> Self {
        Self { text: text.to_owned(), value: None, guess: None, shape: None, glob: true, process: None, span }
    }

    pub(crate) fn word(&self) -> Word {
        let value = self.value.clone().or_else(|| self.shape.clone());
        Word { text: self.text.clone(), value, glob: self.glob || self.shape.is_some(), span: self.span }
    }
}

impl Lowering {
    /// The words `word` becomes; none at all when it expands to nothing.
    pub(crate) fn fields(&mut self, word: &RawWord, frame: &Frame) -> Vec<Field> {
        let mut fields = Vec::new();
        if !braces::may_stand_in(&word.parts) {
            self.add_fields(&mut fields, &word.parts, word, frame);
            return fields;
        }
        let Some(words) = braces::expand(&word.parts) else {
            // Walk what is inside once, so that nothing that runs is missed.
            let _ = self.pieces(&word.parts, true, frame);
            return vec![Field::unknown(&word.text, word.span)];
        };
        for parts in words {
            self.add_fields(&mut fields, &parts, word, frame);
        }
        fields
    }

    fn add_fields(&mut self, fields: &mut Vec<Field>, parts: &Parts, word: &RawWord, frame: &Frame) {
        let pieces = self.pieces(parts, true, frame);
        let words = pieces.split(|piece| matches!(piece, Piece::Break)).filter(|pieces| !pieces.is_empty());
        fields.extend(words.map(|pieces| field(pieces, word)));
    }

    /// The one text `parts` become where the shell does not split: assignments, redirections, operands.
    pub(crate) fn plain_text(&mut self, parts: &Parts, frame: &Frame) -> Known {
        let pieces = self.pieces(parts, false, frame);
        text_of(&pieces)
    }

    /// As [`Self::fields`] for places that take exactly one word.
    pub(crate) fn single(&mut self, word: &RawWord, frame: &Frame) -> Field {
        let mut fields = self.fields(word, frame);
        match (fields.pop(), fields.is_empty()) {
            (Some(field), true) => field,
            _ => Field::unknown(&word.text, word.span),
        }
    }

    pub(crate) fn pieces(&mut self, parts: &Parts, split: bool, frame: &Frame) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for part in parts {
            match part {
                Part::Literal { text, quoted } => {
                    if text.is_empty() && *quoted {
                        pieces.push(Piece::Mark);
                    }
                    pieces.reserve(text.len());
                    pieces.extend(text.chars().map(|character| Piece::Char { character, quoted: *quoted }));
                }
                Part::Parameter { parameter, quoted } => {
                    let expansion = self.parameter(parameter, *quoted, frame);
                    self.push_expansion(&mut pieces, expansion, *quoted, split);
                }
                Part::Substitution { script, quoted } => {
                    let output = self.substitution(script, frame);
                    self.push_text(&mut pieces, output, *quoted, split);
                }
                Part::Process { script, writes } => {
                    let output = self.process(script, *writes, frame);
                    pieces.push(Piece::Process(output));
                }
                Part::Arithmetic { parts, quoted } => {
                    let text = self.plain_text(parts, frame);
                    if let Some(text) = &text {
                        self.check_subscript(text, frame);
                    }
                    let value = text.and_then(|text| crate::arithmetic::evaluate(&text, &self.environment));
                    self.push_text(&mut pieces, value.map(|value| value.to_string()), *quoted, split);
                }
            }
        }
        pieces
    }

    fn push_expansion(&mut self, pieces: &mut Vec<Piece>, expansion: Expansion, quoted: bool, split: bool) {
        match expansion {
            Expansion::Text(value) => self.push_text(pieces, value, quoted, split),
            Expansion::Pattern(shape) => pieces.push(Piece::Pattern(shape)),
            Expansion::Guess(guess) => pieces.push(Piece::Unknown { guess: Some(guess) }),
            Expansion::Words(values) => self.push_words(pieces, values, quoted, split),
            Expansion::Joined(values) if quoted => {
                let separator = match self.environment.scalar("IFS") {
                    Some(separators) => separators.chars().next().map_or(String::new(), String::from),
                    None => return pieces.push(Piece::Unknown { guess: None }),
                };
                let joined = values.into_iter().collect::<Option<Vec<_>>>().map(|values| values.join(&separator));
                self.push_text(pieces, joined, true, split);
            }
            Expansion::Joined(values) => self.push_words(pieces, values, false, split),
        }
    }

    fn push_words(&mut self, pieces: &mut Vec<Piece>, values: Vec<Known>, quoted: bool, split: bool) {
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                pieces.push(if split { Piece::Break } else { Piece::Char { character: ' ', quoted: true } });
            }
            self.push_text(pieces, value, quoted, split);
        }
    }

    fn push_text(&mut self, pieces: &mut Vec<Piece>, value: Known, quoted: bool, split: bool) {
        let Some(value) = value.filter(|value| value.len() <= MAX_VALUE_BYTES && pieces.len() <= MAX_VALUE_BYTES)
        else {
            pieces.push(Piece::Unknown { guess: None });
            return;
        };
        pieces.reserve(value.len() + 1);
        if quoted || !split {
            pieces.push(Piece::Mark);
            pieces.extend(value.chars().map(|character| Piece::Char { character, quoted: quoted || !split }));
            return;
        }
        let Some(separators) = self.environment.scalar("IFS") else {
            pieces.push(Piece::Unknown { guess: None });
            return;
        };
        for character in value.chars() {
            pieces.push(if separators.contains(character) {
                Piece::Break
            } else {
                Piece::Char { character, quoted: false }
            });
        }
    }
}

fn text_of(pieces: &[Piece]) -> Known {
    let mut text = String::with_capacity(pieces.len());
    for piece in pieces {
        match piece {
            Piece::Char { character, .. } => text.push(*character),
            Piece::Mark => {}
            Piece::Break => text.push(' '),
            Piece::Unknown { .. } | Piece::Process(_) | Piece::Pattern(_) => return None,
        }
    }
    Some(text)
}

fn field(pieces: &[Piece], word: &RawWord) -> Field {
    let value = text_of(pieces);
    let guessable = value.is_none()
        && !pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Unknown { guess: None } | Piece::Process(_) | Piece::Pattern(_)));
    let shape = if value.is_none() { shape_of(pieces) } else { None };
    let guess = guessable.then(|| guess_text(pieces));
    let process = pieces.iter().find_map(|piece| match piece {
        Piece::Process(text) => Some(text.clone()),
        _ => None,
    });
    let glob = is_pattern(pieces);
    Field { text: word.text.clone(), value, guess, shape, glob, process, span: word.span }
}

/// The shape of a word with a name of a known shape in it, and nothing that is not known at all.
fn shape_of(pieces: &[Piece]) -> Known {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Char { character, .. } => text.push(*character),
            Piece::Pattern(shape) => text.push_str(shape),
            Piece::Mark => {}
            Piece::Break | Piece::Unknown { .. } | Piece::Process(_) => return None,
        }
    }
    Some(text)
}

fn guess_text(pieces: &[Piece]) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Char { character, .. } => text.push(*character),
            Piece::Unknown { guess: Some(guess) } => text.push_str(guess),
            _ => {}
        }
    }
    text
}

/// An unquoted `*` or `?`, or a `[` that a later `]` closes; `[` alone is a command's name.
fn is_pattern(pieces: &[Piece]) -> bool {
    let is_unquoted = |piece: &Piece, wanted: &[char]| matches!(piece, Piece::Char { character, quoted: false } if wanted.contains(character));
    let opened = pieces.iter().position(|piece| is_unquoted(piece, &['[']));
    let closed = opened.is_some_and(|start| pieces[start..].iter().any(|piece| is_unquoted(piece, &[']'])));
    closed || pieces.iter().any(|piece| is_unquoted(piece, &['*', '?']))
}
