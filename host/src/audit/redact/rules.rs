//! The rules: read from data, compiled once.

use std::sync::Arc;

use regex_automata::hybrid::dfa::DFA;
use regex_automata::util::syntax;
use regex_automata::{MatchKind, PatternID, meta};
use serde::Deserialize;

use crate::config::RedactionRule;

/// The rules that come with the program.
const BUILT_IN: &str = include_str!("rules.toml");
/// The name of the group that is replaced.
const GROUP: &str = "secret";

/// Why a rule cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    #[error("the built-in rules of redaction cannot be read")]
    BuiltIn(#[source] toml::de::Error),
    #[error("the redaction rule `{id}` has a pattern that is none: {problem}; mend it in [[redaction.rules]]")]
    Pattern { id: String, problem: String },
    #[error(
        "the redaction rule `{id}` would match nothing at all, and so everywhere; write a pattern that needs something"
    )]
    Empty { id: String },
    #[error("`off` of [redaction] names `{id}`, and there is no such rule; there are: {known}")]
    Unknown { id: String, known: String },
    #[error("the redaction's rules need too much memory together; leave the largest out of [[redaction.rules]]")]
    TooLarge(#[source] Box<dyn std::error::Error + Send + Sync>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    rule: Vec<RedactionRule>,
}

/// What is beside a pattern.
#[derive(Debug)]
struct Rule {
    id: String,
    except: Option<meta::Regex>,
    digit: bool,
    ends: Option<meta::Regex>,
}

/// All rules, compiled.
#[derive(Debug)]
pub struct Rules {
    search: meta::Regex,
    /// Whether a match that begins here may still be under way at the end of what has come.
    pub(super) under_way: DFA,
    rules: Vec<Rule>,
}

/// Where a rule has found a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) rule: usize,
    /// The whole match.
    pub(super) start: usize,
    pub(super) end: usize,
    /// What is replaced.
    pub(super) secret: (usize, usize),
}

impl Rules {
    /// The built-in rules without those named in `off`, and `further` ones.
    ///
    /// # Errors
    /// When a pattern is none.
    pub fn new(further: &[RedactionRule], off: &[String]) -> Result<Arc<Self>, RuleError> {
        let built_in: RulesFile = toml::from_str(BUILT_IN).map_err(RuleError::BuiltIn)?;
        let known = |id: &&String| built_in.rule.iter().any(|rule| rule.id == **id);
        if let Some(id) = off.iter().find(|id| !known(id)) {
            let known: Vec<&str> = built_in.rule.iter().map(|rule| rule.id.as_str()).collect();
            return Err(RuleError::Unknown { id: id.clone(), known: known.join(", ") });
        }
        let texts: Vec<&RedactionRule> =
            built_in.rule.iter().filter(|rule| !off.contains(&rule.id)).chain(further).collect();
        let rules = texts.iter().map(|text| Rule::new(text)).collect::<Result<_, _>>()?;
        let patterns: Vec<&str> = texts.iter().map(|text| text.pattern.as_str()).collect();
        let too_large = |error| RuleError::TooLarge(error);
        let search = meta::Regex::builder()
            .configure(meta::Regex::config().utf8_empty(false))
            .syntax(bytes())
            .build_many(&patterns)
            .map_err(|error| too_large(error.into()))?;
        let under_way = DFA::builder()
            .configure(DFA::config().match_kind(MatchKind::All).cache_capacity(4 << 20))
            .syntax(bytes())
            .build_many(&patterns)
            .map_err(|error| too_large(error.into()))?;
        Ok(Arc::new(Self { search, under_way, rules }))
    }

    pub(super) fn id(&self, rule: usize) -> &str {
        &self.rules[rule].id
    }

    pub(super) fn ends(&self, rule: usize) -> Option<&meta::Regex> {
        self.rules[rule].ends.as_ref()
    }

    /// The first secret in `text` from `from` on. What is before `from` is only looked at by `\b`.
    pub(super) fn find(&self, text: &[u8], from: usize) -> Option<Found> {
        let mut from = from;
        loop {
            let input = regex_automata::Input::new(text).range(from..);
            let found = self.search.search(&input)?;
            let rule = found.pattern().as_usize();
            let secret = self.secret(text, found.pattern(), found.start(), found.end());
            if self.counts(rule, &text[secret.0..secret.1]) {
                return Some(Found { rule, start: found.start(), end: found.end(), secret });
            }
            // What was none may itself begin with what gives one away.
            from = secret.0.max(found.start() + 1);
        }
    }

    fn secret(&self, text: &[u8], pattern: PatternID, start: usize, end: usize) -> (usize, usize) {
        let info = self.search.group_info();
        let Some(group) = info.to_index(pattern, GROUP) else { return (start, end) };
        let input = regex_automata::Input::new(text).range(start..end).anchored(pattern_anchor(pattern));
        let mut captures = self.search.create_captures();
        self.search.search_captures(&input, &mut captures);
        captures.get_group(group).map_or((start, end), |span| (span.start, span.end))
    }

    fn counts(&self, rule: usize, secret: &[u8]) -> bool {
        let rule = &self.rules[rule];
        if rule.digit && !secret.iter().any(u8::is_ascii_digit) {
            return false;
        }
        let is_exception = |except: &meta::Regex| {
            let input = regex_automata::Input::new(secret).anchored(regex_automata::Anchored::Yes);
            except.search(&input).is_some_and(|found| found.end() == secret.len())
        };
        !rule.except.as_ref().is_some_and(is_exception)
    }
}

impl Rule {
    fn new(text: &RedactionRule) -> Result<Self, RuleError> {
        let problem = |problem: String| RuleError::Pattern { id: text.id.clone(), problem };
        let compiled = |pattern: &str| {
            meta::Regex::builder()
                .syntax(bytes())
                .configure(meta::Regex::config().match_kind(MatchKind::LeftmostFirst).utf8_empty(false))
                .build(pattern)
                .map_err(|error| problem(error.to_string()))
        };
        let pattern = compiled(&text.pattern)?;
        if pattern.is_match("") {
            return Err(RuleError::Empty { id: text.id.clone() });
        }
        // Of the whole value: the alternatives are tried to its end.
        let whole = |except: &String| compiled(&format!("(?s:{except})$"));
        Ok(Self {
            id: text.id.clone(),
            except: text.except.as_ref().map(whole).transpose()?,
            digit: text.digit,
            ends: text.ends.as_deref().map(compiled).transpose()?,
        })
    }
}

fn pattern_anchor(pattern: PatternID) -> regex_automata::Anchored {
    regex_automata::Anchored::Pattern(pattern)
}

fn bytes() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}
