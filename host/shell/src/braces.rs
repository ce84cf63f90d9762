//! Brace expansion: `{a,b}` and `{1..3}`, with a cap on the number of words.

use crate::syntax::{Part, Parts};

/// Words one brace expression may become; more count as unknown.
const MAX_WORDS: usize = 256;
const MAX_DEPTH: usize = 32;

/// A unit of a word: an unquoted character, or a part that braces cannot look into.
#[derive(Debug, Clone)]
enum Unit {
    Character(char),
    Opaque(Part),
}

/// Whether there is anything to expand.
pub(crate) fn may_stand_in(parts: &Parts) -> bool {
    parts.iter().any(|part| matches!(part, Part::Literal { text, quoted: false } if text.contains('{')))
}

/// The words `parts` expand to, or none when they are too many to follow.
pub(crate) fn expand(parts: &Parts) -> Option<Vec<Parts>> {
    if !may_stand_in(parts) {
        return Some(vec![parts.clone()]);
    }
    let mut units = Vec::new();
    for part in parts {
        match part {
            Part::Literal { text, quoted: false } => units.extend(text.chars().map(Unit::Character)),
            other => units.push(Unit::Opaque(other.clone())),
        }
    }
    let words = alternatives(&units, 0)?;
    Some(words.into_iter().map(parts_of).collect())
}

fn parts_of(units: Vec<Unit>) -> Parts {
    let mut parts = Parts::new();
    for unit in units {
        match unit {
            Unit::Character(character) => crate::words::push_literal(&mut parts, character, false),
            Unit::Opaque(part) => parts.push(part),
        }
    }
    parts
}

/// For each `{` the index of its `}`, found in one pass.
fn partners(units: &[Unit]) -> Vec<Option<usize>> {
    let mut partners = vec![None; units.len()];
    let mut open = Vec::new();
    for (index, unit) in units.iter().enumerate() {
        match unit {
            Unit::Character('{') => open.push(index),
            Unit::Character('}') => {
                if let Some(start) = open.pop() {
                    partners[start] = Some(index);
                }
            }
            _ => {}
        }
    }
    partners
}

fn alternatives(units: &[Unit], depth: usize) -> Option<Vec<Vec<Unit>>> {
    if depth > MAX_DEPTH {
        return None;
    }
    let partners = partners(units);
    let mut words: Vec<Vec<Unit>> = vec![Vec::new()];
    let mut index = 0;
    while index < units.len() {
        let group = partners[index].and_then(|end| Some((end, choices(units, index, end, &partners, depth)?)));
        let (end, choices) = match group {
            Some((end, Choices::Words(choices))) => (end, choices),
            Some((_, Choices::TooMany)) => return None,
            _ => (index, vec![vec![units[index].clone()]]),
        };
        if words.len().saturating_mul(choices.len()) > MAX_WORDS {
            return None;
        }
        words = words
            .iter()
            .flat_map(|word| choices.iter().map(|choice| word.iter().chain(choice).cloned().collect()))
            .collect();
        index = end + 1;
    }
    Some(words)
}

enum Choices {
    Words(Vec<Vec<Unit>>),
    TooMany,
}

/// What stands between the braces at `start` and `end`; none when they are not an expression.
fn choices(units: &[Unit], start: usize, end: usize, partners: &[Option<usize>], depth: usize) -> Option<Choices> {
    let mut pieces: Vec<&[Unit]> = Vec::new();
    let mut piece_start = start + 1;
    let mut index = start + 1;
    while index < end {
        match units[index] {
            Unit::Character('{') => index = partners[index].filter(|inner| *inner < end).unwrap_or(index),
            Unit::Character(',') => {
                pieces.push(&units[piece_start..index]);
                piece_start = index + 1;
            }
            _ => {}
        }
        index += 1;
    }
    if pieces.is_empty() {
        return sequence(&units[start + 1..end]);
    }
    pieces.push(&units[piece_start..end]);
    let mut words = Vec::new();
    for piece in pieces {
        match alternatives(piece, depth + 1) {
            Some(inner) if words.len() + inner.len() <= MAX_WORDS => words.extend(inner),
            _ => return Some(Choices::TooMany),
        }
    }
    Some(Choices::Words(words))
}

/// `1..9`, `01..10..2` or `a..z`.
fn sequence(units: &[Unit]) -> Option<Choices> {
    let text: String = units
        .iter()
        .map(|unit| match unit {
            Unit::Character(character) => Some(*character),
            Unit::Opaque(_) => None,
        })
        .collect::<Option<_>>()?;
    let mut bounds = text.split("..");
    let (first, last, step) = (bounds.next()?, bounds.next()?, bounds.next());
    if bounds.next().is_some() {
        return None;
    }
    let step = match step {
        Some(step) => step.parse::<i64>().ok()?.unsigned_abs().max(1),
        None => 1,
    };
    let (from, to, letters) = match (first.parse::<i64>(), last.parse::<i64>()) {
        (Ok(from), Ok(to)) => (from, to, false),
        _ => (letter(first)?, letter(last)?, true),
    };
    let count = from.abs_diff(to) / step;
    if count >= MAX_WORDS as u64 {
        return Some(Choices::TooMany);
    }
    let padded = [first, last]
        .iter()
        .any(|bound| bound.trim_start_matches('-').len() > 1 && bound.trim_start_matches('-').starts_with('0'));
    let width = if padded { first.len().max(last.len()) } else { 0 };
    let step = i64::try_from(step).ok()?;
    let words = (0..=i64::try_from(count).ok()?)
        .map(|index| {
            let value = if from <= to { from + index * step } else { from - index * step };
            let text = if letters {
                char::from(u8::try_from(value).unwrap_or(b'?')).to_string()
            } else {
                format!("{value:0width$}")
            };
            text.chars().map(Unit::Character).collect()
        })
        .collect();
    Some(Choices::Words(words))
}

fn letter(text: &str) -> Option<i64> {
    let mut characters = text.chars();
    let character = characters.next()?;
    (character.is_ascii_alphabetic() && characters.next().is_none()).then(|| i64::from(u32::from(character)))
}
