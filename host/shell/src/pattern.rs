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

/// What all pattern operations of a line may cost together, counted down.
///
/// One unit is one element of a pattern held against one character.
#[derive(Debug)]
pub(crate) struct Work(std::cell::Cell<usize>);

impl Work {
    /// Some hundred microseconds; an honest line needs a few thousand units.
    const OF_A_LINE: usize = 100_000;

    pub(crate) fn new() -> Self {
        Self(std::cell::Cell::new(Self::OF_A_LINE))
    }

    /// `None` when nothing is left.
    pub(crate) fn spend(&self, units: usize) -> Option<()> {
        let left = self.0.get().checked_sub(units);
        self.0.set(left.unwrap_or(0));
        left.map(|_| ())
    }
}

/// Where a match that begins at the start of `text` may end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) shortest: Option<usize>,
    pub(crate) longest: Option<usize>,
}

/// A pattern, ready to be held against many texts.
pub(crate) struct Matcher<'pattern> {
    elements: Vec<&'pattern Element>,
    /// Whether what stands before each element has been matched, before and after the present character.
    reachable: Vec<bool>,
    next: Vec<bool>,
}

impl<'pattern> Matcher<'pattern> {
    pub(crate) fn new(elements: impl Iterator<Item = &'pattern Element>) -> Self {
        let elements: Vec<_> = elements.collect();
        let reachable = vec![false; elements.len() + 1];
        Self { elements, next: reachable.clone(), reachable }
    }

    /// Holds the pattern against the start of `text`, every possibility at once; `None` when `work` is used up.
    pub(crate) fn ends<'text>(&mut self, text: impl Iterator<Item = &'text char>, work: &Work) -> Option<Ends> {
        let mut found = Ends::default();
        self.reachable.fill(false);
        self.reachable[0] = true;
        spread(&self.elements, &mut self.reachable);
        note(&self.reachable, 0, &mut found);
        for (position, character) in text.enumerate() {
            work.spend(self.elements.len() + 1)?;
            self.next.fill(false);
            for (index, element) in self.elements.iter().enumerate().filter(|(index, _)| self.reachable[*index]) {
                match element {
                    Element::Many => self.next[index] = true,
                    Element::Any => self.next[index + 1] = true,
                    Element::Literal(literal) => self.next[index + 1] |= literal == character,
                    Element::Set { ranges, negated } => {
                        let inside = ranges.iter().any(|(start, end)| (*start..=*end).contains(character));
                        self.next[index + 1] |= inside != *negated;
                    }
                }
            }
            std::mem::swap(&mut self.reachable, &mut self.next);
            spread(&self.elements, &mut self.reachable);
            note(&self.reachable, position + 1, &mut found);
            if !self.reachable.contains(&true) {
                break;
            }
        }
        Some(found)
    }
}

fn note(reachable: &[bool], position: usize, found: &mut Ends) {
    if reachable.last() == Some(&true) {
        found.shortest.get_or_insert(position);
        found.longest = Some(position);
    }
}

fn spread(elements: &[&Element], reachable: &mut [bool]) {
    for (index, element) in elements.iter().enumerate() {
        if reachable[index] && **element == Element::Many {
            reachable[index + 1] = true;
        }
    }
}
