//! Rules that hold in one session beside those of the configuration, and end with it.
//!
//! They are asked after everything else and can only tighten. Who set a rule is kept with it: what a person has
//! set, only a person changes. What a rule means is the business of the component behind the gate.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::Party;
use crate::config::{Rule, rule_settings};

/// More than this is no longer a session's own.
const MAX_SESSION_RULES: usize = 64;
/// In front of an agent's message: a person who reads it should know whose words they are.
const AGENTS_WORDS: &str = "a rule that the agent has set itself";
/// Longest message of an agent's, so that both together are no longer than a message may be.
const AGENTS_MESSAGE_BYTES: usize = 900;

/// A rule of one session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionRule {
    #[serde(flatten)]
    pub rule: Rule,
    /// Who set it.
    pub set_by: Party,
}

/// The rules of one session, in the order of their setting. A cheap clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionRules(Arc<Held>);

#[derive(Debug, Default, PartialEq, Eq)]
struct Held {
    all: Vec<SessionRule>,
    settings: Option<Arc<str>>,
}

/// What is asked about the rules of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleChange {
    /// Adds it, or puts it in place of the session's rule of the same id.
    Set(Box<Rule>),
    /// By id.
    Remove(String),
    /// Takes away all; for an agent, all that agents have set.
    Reset,
}

/// Why the rules stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleRefused {
    #[error(
        "the rule `{0}` was set by a person, and only a person changes it, in the viewer or with `portcullis policy session`"
    )]
    Persons(String),
    #[error("this session has no rule `{id}` of its own; {}", if .known.is_empty() { "it has none".to_owned() } else { format!("it has {}", .known.join(", ")) })]
    Unknown { id: String, known: Vec<String> },
    #[error("this session has {MAX_SESSION_RULES} rules, which is the most; remove one first")]
    TooMany,
    #[error("rule.message: an agent's is at most {AGENTS_MESSAGE_BYTES} bytes long")]
    LongMessage,
}

impl SessionRules {
    pub fn all(&self) -> &[SessionRule] {
        &self.0.all
    }

    pub fn is_empty(&self) -> bool {
        self.0.all.is_empty()
    }

    /// For the component, JSON text; none when no rule is switched on.
    pub fn settings(&self) -> Option<Arc<str>> {
        self.0.settings.clone()
    }

    /// As they would be once `who` has made the change.
    ///
    /// # Errors
    /// When the change is not theirs to make, there is no such rule, or there are too many.
    pub fn after(&self, who: Party, change: &RuleChange) -> Result<Self, RuleRefused> {
        let mut all = self.0.all.clone();
        let place_of = |id: &str| self.0.all.iter().position(|known| known.rule.id == id);
        let theirs = |place: usize| match (who, &self.0.all[place]) {
            (Party::Agent, SessionRule { rule, set_by: Party::Human }) => Err(RuleRefused::Persons(rule.id.clone())),
            _ => Ok(place),
        };
        match change {
            RuleChange::Set(rule) if who == Party::Agent && is_long(rule) => return Err(RuleRefused::LongMessage),
            RuleChange::Set(rule) => {
                let rule = SessionRule { rule: Rule::clone(rule), set_by: who };
                match place_of(&rule.rule.id).map(theirs).transpose()? {
                    Some(place) => all[place] = rule,
                    None if all.len() == MAX_SESSION_RULES => return Err(RuleRefused::TooMany),
                    None => all.push(rule),
                }
            }
            RuleChange::Remove(id) => {
                let known = || self.0.all.iter().map(|known| known.rule.id.clone()).collect();
                let place = place_of(id).ok_or_else(|| RuleRefused::Unknown { id: id.clone(), known: known() })?;
                drop(all.remove(theirs(place)?));
            }
            RuleChange::Reset => all.retain(|known| who == Party::Agent && known.set_by == Party::Human),
        }
        let told: Vec<Rule> = all.iter().map(as_judged).collect();
        let settings = rule_settings(told.iter().filter(|rule| rule.is_enabled())).map(Into::into);
        Ok(Self(Arc::new(Held { all, settings })))
    }
}

fn is_long(rule: &Rule) -> bool {
    rule.message.as_ref().is_some_and(|message| message.len() > AGENTS_MESSAGE_BYTES)
}

/// The rule in the words in which it speaks.
fn as_judged(known: &SessionRule) -> Rule {
    let mut rule = known.rule.clone();
    if known.set_by == Party::Agent {
        rule.message = Some(match rule.message {
            Some(message) => format!("{AGENTS_WORDS}: {message}"),
            None => AGENTS_WORDS.to_owned(),
        });
    }
    rule
}

impl Serialize for SessionRules {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.all.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn rule(id: &str) -> Rule {
        let written = serde_json::json!({ "id": id, "action": "deny", "programs": ["x"] });
        Rule::read(written).unwrap()
    }

    fn set(id: &str) -> RuleChange {
        RuleChange::Set(Box::new(rule(id)))
    }

    fn ids(rules: &SessionRules) -> Vec<&str> {
        rules.all().iter().map(|known| known.rule.id.as_str()).collect()
    }

    #[test]
    fn what_a_person_has_set_only_a_person_changes() {
        let rules = SessionRules::default().after(Party::Human, &set("theirs")).unwrap();
        let rules = rules.after(Party::Agent, &set("own")).unwrap();
        let persons = Err(RuleRefused::Persons("theirs".to_owned()));
        for change in [set("theirs"), RuleChange::Remove("theirs".to_owned())] {
            assert_eq!(rules.after(Party::Agent, &change), persons);
        }
        assert_eq!(ids(&rules.after(Party::Agent, &RuleChange::Reset).unwrap()), ["theirs"]);
        assert_eq!(ids(&rules.after(Party::Agent, &RuleChange::Remove("own".to_owned())).unwrap()), ["theirs"]);
        let taken_over = rules.after(Party::Human, &set("own")).unwrap();
        assert_eq!((ids(&taken_over), taken_over.all()[1].set_by), (vec!["theirs", "own"], Party::Human));
        assert_eq!(rules.after(Party::Human, &RuleChange::Reset).unwrap(), SessionRules::default());
        let unknown = rules.after(Party::Human, &RuleChange::Remove("other".to_owned())).unwrap_err();
        assert_eq!(unknown.to_string(), "this session has no rule `other` of its own; it has theirs, own");
    }

    #[test]
    fn the_component_gets_what_is_switched_on_with_the_agents_words_marked() {
        let off = Rule { enabled: Some(false), ..rule("off") };
        let rules = SessionRules::default().after(Party::Human, &RuleChange::Set(Box::new(off))).unwrap();
        assert_eq!(rules.settings(), None);
        let mine = Rule { message: Some("never x".to_owned()), ..rule("mine") };
        let rules = rules.after(Party::Agent, &RuleChange::Set(Box::new(mine))).unwrap();
        let settings: serde_json::Value = serde_json::from_str(&rules.settings().unwrap()).unwrap();
        assert_eq!(settings["rules"].as_array().map(Vec::len), Some(1));
        assert_eq!(settings["rules"][0]["message"], "a rule that the agent has set itself: never x");
        assert_eq!(rules.all()[1].rule.message.as_deref(), Some("never x"));
        let long = RuleChange::Set(Box::new(Rule { message: Some("x".repeat(901)), ..rule("long") }));
        assert_eq!(rules.after(Party::Agent, &long), Err(RuleRefused::LongMessage));
        assert!(rules.after(Party::Human, &long).is_ok());
    }

    #[test]
    fn there_are_only_so_many() {
        let mut rules = SessionRules::default();
        for number in 0..MAX_SESSION_RULES {
            rules = rules.after(Party::Agent, &set(&format!("r{number}"))).unwrap();
        }
        assert_eq!(rules.after(Party::Human, &set("more")), Err(RuleRefused::TooMany));
        assert!(rules.after(Party::Human, &set("r7")).is_ok());
    }
}
