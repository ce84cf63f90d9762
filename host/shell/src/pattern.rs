//! Shell patterns against constants, for `${x#pattern}` and its kin.

/// One element of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Element {
    Literal(char),
    Any,
    Many,
    /// Ranges and whether they are excluded.
    Set {
        ranges: Vec<(char, char)>,
        negated: bool,
    },
}

/// Characters with whether each was quoted, as elements.
pub(crate) fn compile(characters: &[(char, bool)]) -> Vec<Element> {
    let mut elements = Vec::new();
    let mut index = 0;
    while let Some(&(character, quoted)) = characters.get(index) {
        index += 1;
        elements.push(match character {
            '*' if !quoted => Element::Many,
            '?' if !quoted => Element::Any,
            '[' if !quoted => match set(&characters[index..]) {
                Some((element, used)) => {
                    index += used;
                    element
                }
                None => Element::Literal('['),
            },
            other => Element::Literal(other),
        });
    }
    elements
}

fn set(characters: &[(char, bool)]) -> Option<(Element, usize)> {
    let mut index = 0;
    let negated = matches!(characters.first()?, ('!' | '^', false));
    index += usize::from(negated);
    let mut ranges = Vec::new();
    loop {
        let &(start, quoted) = characters.get(index)?;
        if start == ']' && !quoted && !ranges.is_empty() {
            return Some((Element::Set { ranges, negated }, index + 1));
        }
        let dash = characters.get(index + 1) == Some(&('-', false));
        match characters.get(index + 2) {
            Some(&(end, _)) if dash && end != ']' => {
                ranges.push((start, end));
                index += 3;
            }
            _ => {
                ranges.push((start, start));
                index += 1;
            }
        }
    }
}

/// Whether the whole of `text` matches, in time of the product of both lengths.
pub(crate) fn matches(elements: &[Element], text: &[char]) -> bool {
    let mut reachable = vec![false; elements.len() + 1];
    reachable[0] = true;
    spread(elements, &mut reachable);
    for &character in text {
        let mut next = vec![false; elements.len() + 1];
        for (index, element) in elements.iter().enumerate() {
            if !reachable[index] {
                continue;
            }
            match element {
                Element::Many => next[index] = true,
                Element::Any => next[index + 1] = true,
                Element::Literal(literal) => next[index + 1] |= *literal == character,
                Element::Set { ranges, negated } => {
                    let inside = ranges.iter().any(|(start, end)| (*start..=*end).contains(&character));
                    next[index + 1] |= inside != *negated;
                }
            }
        }
        reachable = next;
        spread(elements, &mut reachable);
    }
    reachable.last().copied().unwrap_or(false)
}

fn spread(elements: &[Element], reachable: &mut [bool]) {
    for (index, element) in elements.iter().enumerate() {
        if reachable[index] && *element == Element::Many {
            reachable[index + 1] = true;
        }
    }
}
