//! What is searched for: a text or a regular expression, and how a line that cannot have it is passed over
//! without being read.

use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::literal::Extractor;

use aho_corasick::AhoCorasick;

/// A match that goes over the edge of two pieces of output is found up to this length on either side.
pub(super) const MAX_EDGE: usize = 256;
/// A prefilter of more is none.
const MOST_LITERALS: usize = 64;

/// Why something cannot be searched for.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    #[error("an empty text is everywhere; say what to look for")]
    Empty,
    #[error("`{pattern}` is no regular expression: {source}")]
    Regex {
        pattern: String,
        #[source]
        source: Box<regex::Error>,
    },
    #[error("`{text}` cannot be searched for")]
    Text {
        text: String,
        #[source]
        source: Box<aho_corasick::BuildError>,
    },
}

/// Finds a pattern in text, and lines that may have it.
#[derive(Debug)]
pub(super) struct Matcher {
    find: Find,
    /// As JSON has it: a line without any of these has no match.
    needed: Option<Needed>,
}

#[derive(Debug)]
enum Find {
    Text(Box<Finder<'static>>),
    Regex(Regex),
}

#[derive(Debug)]
enum Needed {
    One(Box<Finder<'static>>),
    Any(AhoCorasick),
}

impl Matcher {
    pub(super) fn new(pattern: &str, is_regex: bool, ignore_case: bool) -> Result<Self, PatternError> {
        if pattern.is_empty() {
            return Err(PatternError::Empty);
        }
        if !is_regex && !ignore_case {
            let needed = Some(Needed::One(Box::new(Finder::new(&escaped(pattern)).into_owned())));
            return Ok(Self { find: Find::Text(Box::new(Finder::new(pattern.as_bytes()).into_owned())), needed });
        }
        let pattern = if is_regex { pattern.to_owned() } else { regex::escape(pattern) };
        let mut builder = RegexBuilder::new(&pattern);
        let regex = builder.case_insensitive(ignore_case).multi_line(true).crlf(true).build();
        let regex =
            regex.map_err(|source| PatternError::Regex { pattern: pattern.clone(), source: Box::new(source) })?;
        let needed = needed(&pattern, ignore_case)
            .map(AhoCorasick::new)
            .transpose()
            .map_err(|source| PatternError::Text { text: pattern, source: Box::new(source) })?;
        Ok(Self { find: Find::Regex(regex), needed: needed.map(Needed::Any) })
    }

    /// Whether a line, or a part of one, may have a match; looked at as it stands in the file.
    pub(super) fn may_be_in(&self, raw: &[u8]) -> bool {
        match &self.needed {
            None => true,
            Some(Needed::One(finder)) => finder.find(raw).is_some(),
            Some(Needed::Any(search)) => search.is_match(raw),
        }
    }

    /// The first match from `from` on.
    pub(super) fn find(&self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        match &self.find {
            Find::Text(finder) => {
                let at = from + finder.find(text.get(from..)?)?;
                Some((at, at + finder.needle().len()))
            }
            Find::Regex(regex) => {
                let found = regex.find_at(text, from.min(text.len()))?;
                Some((found.start(), found.end()))
            }
        }
    }

    /// How much of a piece of output has to be looked at together with the next one.
    pub(super) fn edge_bytes(&self) -> usize {
        match &self.find {
            Find::Text(finder) => (finder.needle().len() - 1).min(MAX_EDGE),
            Find::Regex(_) => MAX_EDGE,
        }
    }
}

/// The text as it stands in a JSON string.
fn escaped(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json[1..json.len() - 1].to_owned()
}

/// Texts of which every match begins with one; none where there are no such, or one of them is too short to
/// tell anything.
fn needed(pattern: &str, ignore_case: bool) -> Option<Vec<String>> {
    let mut parser =
        regex_syntax::ParserBuilder::new().case_insensitive(ignore_case).multi_line(true).utf8(false).build();
    let literals = Extractor::new().extract(&parser.parse(pattern).ok()?);
    let literals = literals.literals()?;
    let texts: Option<Vec<&str>> =
        literals.iter().map(|literal| std::str::from_utf8(literal.as_bytes()).ok()).collect();
    let texts = texts?;
    let tells = !texts.is_empty() && texts.len() <= MOST_LITERALS && texts.iter().all(|text| text.len() >= 2);
    tells.then(|| texts.into_iter().map(escaped).collect())
}
