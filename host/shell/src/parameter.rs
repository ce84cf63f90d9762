//! What `$name` and `${name…}` stand for, as far as the line tells.

use crate::environment::{Environment, Known, Value};
use crate::escape::{self, Dialect};
use crate::expand::Piece;
use crate::lower::{Frame, Lowering};
use crate::pattern::{self, Element, Ends, Matcher, Work};
use crate::syntax::{Operator, Parameter, Parts};

/// The result of one parameter expansion.
#[derive(Debug, Clone)]
pub(crate) enum Expansion {
    Text(Known),
    /// Unknown, but this is what it is when the variable is unset.
    Guess(String),
    /// A name that matches this, see [`Value::Pattern`].
    Pattern(String),
    /// `$@` and `${a[@]}`: a word each when quoted.
    Words(Vec<Known>),
    /// `$*` and `${a[*]}`: joined when quoted.
    Joined(Vec<Known>),
}

impl Lowering {
    pub(crate) fn parameter(&mut self, parameter: &Parameter, quoted: bool, frame: &Frame) -> Expansion {
        let subscript = parameter.subscript.as_ref().map(|parts| self.plain_text(parts, frame));
        if let Some(Some(text)) = &subscript {
            self.check_subscript(text, frame);
        }
        let base = self.base_value(parameter, subscript);
        if parameter.length {
            return Expansion::Text(length(&base));
        }
        self.operate(parameter, base, quoted, frame)
    }

    /// The value before any operator.
    fn base_value(&self, parameter: &Parameter, subscript: Option<Known>) -> Expansion {
        if parameter.indirect {
            let target = match self.environment.scalar(&parameter.name) {
                Some(name) if crate::words::is_name(&name) => name,
                _ => return Expansion::Text(None),
            };
            return Expansion::Text(self.environment.scalar(&target));
        }
        match parameter.name.as_str() {
            "@" => {
                return positional(&self.environment, 1)
                    .map_or_else(|| Expansion::Guess(String::new()), Expansion::Words);
            }
            "*" => {
                return positional(&self.environment, 1)
                    .map_or_else(|| Expansion::Guess(String::new()), Expansion::Joined);
            }
            "#" => {
                let count =
                    self.environment.positional.as_ref().map(|values| values.len().saturating_sub(1).to_string());
                return Expansion::Text(count);
            }
            _ => {}
        }
        if let Ok(index) = parameter.name.parse::<usize>() {
            return self.positional_value(index);
        }
        if let Some(Some(key)) = &subscript
            && let Some(value) = self.environment.element(&parameter.name, key)
        {
            return Expansion::Text(Some(value));
        }
        match (self.environment.get(&parameter.name), subscript) {
            (None, _) => match self.environment.guess(&parameter.name) {
                Some(value) => Expansion::Guess(value),
                None => Expansion::Text(None),
            },
            (Some(Value::Array(elements)), Some(Some(all))) if all == "@" => Expansion::Words(elements.clone()),
            (Some(Value::Array(elements)), Some(Some(all))) if all == "*" => Expansion::Joined(elements.clone()),
            (Some(Value::Array(elements)), Some(Some(index))) => {
                let index = crate::arithmetic::evaluate(&index, &self.environment);
                let index = index.and_then(|index| {
                    if index < 0 {
                        usize::try_from(index + elements.len() as i64).ok()
                    } else {
                        usize::try_from(index).ok()
                    }
                });
                Expansion::Text(index.and_then(|index| elements.get(index).cloned().unwrap_or(Some(String::new()))))
            }
            (Some(Value::Array(elements)), None) => {
                Expansion::Text(elements.first().cloned().unwrap_or(Some(String::new())))
            }
            (Some(Value::Pattern(pattern)), None) => Expansion::Pattern(pattern.clone()),
            (Some(Value::Pattern(_)), _) => Expansion::Text(None),
            (Some(_), Some(None)) => Expansion::Text(None),
            (Some(Value::Scalar(value)), _) => Expansion::Text(value.clone()),
        }
    }

    fn positional_value(&self, index: usize) -> Expansion {
        match &self.environment.positional {
            // An interactive shell has none unless somebody set them earlier.
            None if index > 0 => Expansion::Guess(String::new()),
            None => Expansion::Text(None),
            Some(values) => Expansion::Text(values.get(index).cloned().unwrap_or(Some(String::new()))),
        }
    }

    fn operate(&mut self, parameter: &Parameter, base: Expansion, quoted: bool, frame: &Frame) -> Expansion {
        let is_set_in_line = self.environment.get(&parameter.name).is_some()
            || !matches!(base, Expansion::Text(None) | Expansion::Guess(_));
        let base = match (base, &parameter.operator) {
            (base @ Expansion::Pattern(_), Operator::None | Operator::Strip { .. } | Operator::Replace { .. }) => base,
            (Expansion::Pattern(_), _) => Expansion::Text(None),
            (base, _) => base,
        };
        match &parameter.operator {
            Operator::None => base,
            Operator::Default { colon, kind, word } => {
                let alternative = self.operand_text(word, quoted, frame);
                self.default_value(parameter, base, is_set_in_line, *colon, *kind, alternative)
            }
            Operator::Strip { suffix, longest, pattern } => {
                let elements = self.pattern_elements(pattern, frame);
                map(base, |value| strip(value, elements.as_deref()?, *suffix, *longest, &self.pattern_work))
            }
            Operator::Replace { all, anchor, pattern, replacement } => {
                let elements = self.pattern_elements(pattern, frame);
                let replacement = self.plain_text(replacement, frame);
                let (elements, replacement) = (elements.as_deref(), replacement.as_deref());
                map(base, |value| replace(value, elements?, replacement?, *all, *anchor, &self.pattern_work))
            }
            Operator::Substring { offset, length } => {
                let offset = self
                    .plain_text(offset, frame)
                    .and_then(|text| crate::arithmetic::evaluate(&text, &self.environment));
                let length = match length {
                    Some(parts) => match self
                        .plain_text(parts, frame)
                        .and_then(|text| crate::arithmetic::evaluate(&text, &self.environment))
                    {
                        Some(length) => Some(length),
                        None => return Expansion::Text(None),
                    },
                    None => None,
                };
                self.substring(parameter, base, offset, length)
            }
            Operator::Case { upper, all, pattern } => {
                let plain = pattern.is_empty();
                map(base, |value| plain.then(|| change_case(value, *upper, *all)))
            }
            Operator::Transform(letter) => map(base, |value| transform(value, *letter)),
            Operator::Other(parts) => {
                let _ = self.plain_text(parts, frame);
                self.unresolved("a parameter expansion that is not understood", frame);
                Expansion::Text(None)
            }
        }
    }

    fn default_value(
        &mut self,
        parameter: &Parameter,
        base: Expansion,
        is_set: bool,
        colon: bool,
        kind: char,
        alternative: Known,
    ) -> Expansion {
        let known = match &base {
            Expansion::Text(Some(value)) => Some(!(colon && value.is_empty())),
            Expansion::Words(values) | Expansion::Joined(values) => Some(!values.is_empty()),
            Expansion::Text(None) if is_set && !colon => Some(true),
            _ => None,
        };
        if kind == '=' && known != Some(true) {
            match known {
                Some(_) => self.environment.set(&parameter.name, Value::Scalar(alternative.clone())),
                None => self.environment.set_guess(&parameter.name, alternative.clone()),
            }
        }
        match (kind, known) {
            ('+', Some(true)) | ('-' | '=', Some(false)) => Expansion::Text(alternative),
            ('+', Some(false)) => Expansion::Text(Some(String::new())),
            ('-' | '=' | '+', None) => alternative.map_or(Expansion::Text(None), Expansion::Guess),
            _ => base,
        }
    }

    fn substring(&self, parameter: &Parameter, base: Expansion, offset: Option<i64>, length: Option<i64>) -> Expansion {
        let Some(offset) = offset else { return Expansion::Text(None) };
        let slice_words = |values: Vec<Known>, offset: i64| -> Option<Vec<Known>> {
            let (start, end) = bounds(values.len(), offset, length)?;
            Some(values[start..end].to_vec())
        };
        match base {
            Expansion::Words(_) | Expansion::Joined(_) if parameter.name == "@" || parameter.name == "*" => {
                let values = positional(&self.environment, 0).and_then(|values| slice_words(values, offset));
                values.map_or(Expansion::Text(None), Expansion::Words)
            }
            Expansion::Words(values) => slice_words(values, offset).map_or(Expansion::Text(None), Expansion::Words),
            Expansion::Joined(values) => slice_words(values, offset).map_or(Expansion::Text(None), Expansion::Joined),
            other => map(other, |value| {
                let characters: Vec<char> = value.chars().collect();
                let (start, end) = bounds(characters.len(), offset, length)?;
                Some(characters[start..end].iter().collect())
            }),
        }
    }

    /// An operand after quote removal, without splitting.
    fn operand_text(&mut self, parts: &Parts, _quoted: bool, frame: &Frame) -> Known {
        self.plain_text(parts, frame)
    }

    fn pattern_elements(&mut self, parts: &Parts, frame: &Frame) -> Option<Vec<Element>> {
        let pieces = self.pieces(parts, false, frame);
        let characters = pieces
            .iter()
            .filter(|piece| !matches!(piece, Piece::Mark))
            .map(|piece| match piece {
                Piece::Char { character, quoted } => Some((*character, *quoted)),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()?;
        Some(pattern::compile(&characters))
    }
}

fn positional(environment: &Environment, from: usize) -> Option<Vec<Known>> {
    let values = environment.positional.as_ref()?;
    Some(values.iter().skip(from).cloned().collect())
}

fn length(base: &Expansion) -> Known {
    match base {
        Expansion::Text(Some(value)) => Some(value.chars().count().to_string()),
        Expansion::Words(values) | Expansion::Joined(values) => Some(values.len().to_string()),
        _ => None,
    }
}

/// Applies `change` to every text; what it cannot do becomes unknown.
fn map(base: Expansion, change: impl Fn(&str) -> Option<String>) -> Expansion {
    let apply = |value: Known| value.and_then(|value| change(&value));
    match base {
        Expansion::Text(value) => Expansion::Text(apply(value)),
        Expansion::Pattern(value) => change(&value).map_or(Expansion::Text(None), Expansion::Pattern),
        Expansion::Guess(value) => change(&value).map_or(Expansion::Text(None), Expansion::Guess),
        Expansion::Words(values) => Expansion::Words(values.into_iter().map(apply).collect()),
        Expansion::Joined(values) => Expansion::Joined(values.into_iter().map(apply).collect()),
    }
}

fn bounds(count: usize, offset: i64, length: Option<i64>) -> Option<(usize, usize)> {
    let count = i64::try_from(count).ok()?;
    let start = if offset < 0 { count + offset } else { offset };
    let end = match length {
        None => count,
        Some(length) if length < 0 => count + length,
        Some(length) => start.checked_add(length)?.min(count),
    };
    if start < 0 || start > count || end < start {
        return Some((0, 0));
    }
    Some((usize::try_from(start).ok()?, usize::try_from(end).ok()?))
}

/// Without what the pattern takes from an end; `None` when that would cost too much to find out.
fn strip(value: &str, elements: &[Element], suffix: bool, longest: bool, work: &Work) -> Option<String> {
    work.spend(value.len())?;
    let characters: Vec<char> = value.chars().collect();
    let found = if suffix {
        backwards(elements, &characters, work)?
    } else {
        Matcher::new(elements.iter()).ends(characters.iter(), work)?
    };
    let Some(cut) = (if longest { found.longest } else { found.shortest }) else { return Some(value.to_owned()) };
    let kept = if suffix { &characters[..characters.len() - cut] } else { &characters[cut..] };
    Some(kept.iter().collect())
}

/// Holds the pattern against the end of the text.
fn backwards(elements: &[Element], characters: &[char], work: &Work) -> Option<Ends> {
    Matcher::new(elements.iter().rev()).ends(characters.iter().rev(), work)
}

/// With what matches replaced; `None` when that would cost too much to find out.
fn replace(
    value: &str,
    elements: &[Element],
    replacement: &str,
    all: bool,
    anchor: Option<char>,
    work: &Work,
) -> Option<String> {
    work.spend(value.len())?;
    if elements.is_empty() {
        return Some(value.to_owned());
    }
    let characters: Vec<char> = value.chars().collect();
    if anchor == Some('%') {
        let Some(cut) = backwards(elements, &characters, work)?.longest.filter(|cut| *cut > 0) else {
            return Some(value.to_owned());
        };
        let kept: String = characters[..characters.len() - cut].iter().collect();
        return Some(kept + replacement);
    }
    let mut matcher = Matcher::new(elements.iter());
    let mut result = String::new();
    let mut index = 0;
    let mut replaced = false;
    while index < characters.len() {
        let may_replace = (all || !replaced) && (anchor != Some('#') || index == 0);
        let found = if may_replace { matcher.ends(characters[index..].iter(), work)? } else { Ends::default() };
        match found.longest.filter(|length| *length > 0) {
            Some(length) => {
                result.push_str(replacement);
                work.spend(replacement.len())?;
                replaced = true;
                index += length;
            }
            None => {
                result.push(characters[index]);
                index += 1;
            }
        }
    }
    Some(result)
}

fn change_case(value: &str, upper: bool, all: bool) -> String {
    let change = |text: &str| if upper { text.to_uppercase() } else { text.to_lowercase() };
    if all {
        return change(value);
    }
    let first = value.chars().next().map_or(0, char::len_utf8);
    format!("{}{}", change(&value[..first]), &value[first..])
}

fn transform(value: &str, letter: char) -> Option<String> {
    match letter {
        'U' => Some(value.to_uppercase()),
        'u' => Some(change_case(value, true, false)),
        'L' => Some(value.to_lowercase()),
        'E' => escape::decode(value, Dialect::Ansi),
        _ => None,
    }
}
