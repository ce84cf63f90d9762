//! A policy whose behaviour is chosen by its settings: `{"behaviour": "loop", "where": "create"}`,
//! or, with the behaviour `as_told`, by the line it judges: `misbehave loop`.
//!
//! `none` abstains, `count` allows and says how it was asked. `loop`, `trap`, `allocate`,
//! `flood_log` and `deep_recursion` never come back. `flood_output`, `garbage_rule` and the other
//! answers of [`answers`] break the contract or try its edges. Places: `validate`, `create`,
//! `evaluate` (the default); only what never comes back can happen in the first two. Settings with
//! a `complaint` are refused, in its words.
//!
//! It can also behave: of a line that has one of the words in `asks` or `denies` it says just that, by the rule
//! `lab/WORD` and with the word as evidence, before anything else.

mod answers;
mod behaviour;

use std::cell::Cell;

use portcullis_plugin::policy::{Decision, Policy, Request, RuleInfo, Span, Verdict};
use portcullis_plugin::{ConfigDiagnostic, PluginError, Severity, config};
use serde::Deserialize;
use serde::de::IntoDeserializer;

use crate::answers::{Answer, RULE, answer};
use crate::behaviour::{Endless, misbehave};

/// First word of a line that tells the behaviour.
const TELLING: &str = "misbehave ";

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Behaviour {
    #[default]
    None,
    /// The line says which; every other line is counted.
    AsTold,
    #[serde(untagged)]
    Endless(Endless),
    #[serde(untagged)]
    Answer(Answer),
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Place {
    Validate,
    Create,
    #[default]
    Evaluate,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    behaviour: Behaviour,
    #[serde(rename = "where")]
    place: Place,
    complaint: Option<String>,
    /// Words about which a person is to be asked.
    asks: Vec<String>,
    /// Words that are not let through.
    denies: Vec<String>,
}

impl Settings {
    /// Misbehaves for ever if it is to happen here.
    fn pass(&self, place: Place) {
        if let Behaviour::Endless(endless) = self.behaviour
            && self.place == place
        {
            misbehave(endless);
        }
    }

    /// What the words in this line come to.
    fn about_words(&self, line: &str) -> Vec<Decision> {
        let said = |words: &[String], verdict, reason: &str| {
            let found = words.iter().filter_map(|word| Some((word, line.find(word.as_str())?)));
            let decision = |(word, start): (&String, usize)| {
                let decision = Decision::new(verdict, rule_of(word), "lab", Severity::Medium, reason);
                decision.at(Span { start: start as u32, end: (start + word.len()) as u32 })
            };
            found.map(decision).collect::<Vec<_>>()
        };
        let asked = said(&self.asks, Verdict::Ask, "this word needs a person");
        [said(&self.denies, Verdict::Deny, "this word is not let through"), asked].concat()
    }

    /// What to do with this line.
    fn behaviour_for(&self, line: &str) -> Behaviour {
        match self.behaviour {
            Behaviour::AsTold => line.strip_prefix(TELLING).map_or(Behaviour::Answer(Answer::Count), told),
            Behaviour::Endless(_) if self.place != Place::Evaluate => Behaviour::None,
            chosen => chosen,
        }
    }
}

fn rule_of(word: &str) -> String {
    format!("lab/{word}")
}

/// The behaviour of that name. Another name traps with it, so that a misspelt test is noticed.
#[allow(clippy::panic, reason = "a trap is how it is noticed")]
fn told(name: &str) -> Behaviour {
    let name = IntoDeserializer::<serde::de::value::Error>::into_deserializer(name);
    Behaviour::deserialize(name).unwrap_or_else(|error| panic!("no such behaviour: {error}"))
}

/// The policy.
pub struct Misbehaving {
    settings: Settings,
    /// Shows whether an instance is ever used twice.
    evaluations: Cell<u32>,
}

impl Policy for Misbehaving {
    fn create(config: &str) -> Result<Self, PluginError> {
        let settings: Settings = config::parse(config).map_err(|wrong| config::error(&[wrong]))?;
        settings.pass(Place::Create);
        Ok(Self { settings, evaluations: Cell::new(0) })
    }

    fn validate_config(config: &str) -> Vec<ConfigDiagnostic> {
        match config::parse::<Settings>(config) {
            Ok(settings) => {
                settings.pass(Place::Validate);
                settings.complaint.into_iter().map(|complaint| config::diagnostic("complaint", complaint)).collect()
            }
            Err(wrong) => vec![wrong],
        }
    }

    fn rules(config: &str) -> Vec<RuleInfo> {
        let settings: Settings = config::parse(config).unwrap_or_default();
        let of_words = settings.asks.iter().chain(&settings.denies).map(|word| rule_of(word));
        let rule = |rule_id: String| RuleInfo {
            rule_id,
            title: "Misbehaves as its settings say".to_owned(),
            category: "lab".to_owned(),
            severity: Severity::Info,
        };
        std::iter::once(RULE.to_owned()).chain(of_words).map(rule).collect()
    }

    fn evaluate(&self, request: &Request) -> Result<Vec<Decision>, PluginError> {
        self.evaluations.set(self.evaluations.get() + 1);
        let about_words = self.settings.about_words(&request.raw);
        if !about_words.is_empty() {
            return Ok(about_words);
        }
        match self.settings.behaviour_for(&request.raw) {
            Behaviour::None | Behaviour::AsTold => Ok(Vec::new()),
            Behaviour::Endless(endless) => misbehave(endless),
            Behaviour::Answer(wanted) => answer(wanted, request, self.evaluations.get()),
        }
    }
}

portcullis_plugin::policy!(Misbehaving);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use portcullis_plugin::Endpoint;
    use portcullis_plugin::policy::{Delivery, Mode, TerminalState};

    use super::*;

    fn request(raw: &str) -> Request {
        Request {
            request_id: String::new(),
            raw: raw.to_owned(),
            plan: None,
            delivery: Delivery::ShellLine,
            actor: portcullis_plugin::Actor::Agent,
            mode: Mode::Safe,
            terminal: TerminalState::AtPrompt,
            session: String::new(),
            endpoint: Endpoint {
                profile: String::new(),
                user: String::new(),
                tags: vec![],
                levels: vec![],
                attributes: vec![],
            },
            cwd: None,
            intent: None,
            now_unix_ms: 0,
            earlier: Vec::new(),
            attributes: Vec::new(),
        }
    }

    fn evaluate(config: &str, line: &str) -> Vec<Decision> {
        Misbehaving::create(config).unwrap().evaluate(&request(line)).unwrap()
    }

    #[test]
    fn it_can_behave() {
        assert_eq!(evaluate("{}", "misbehave trap"), []);
        assert!(Misbehaving::validate_config(r#"{"behaviour":"loop"}"#).is_empty());
        assert_eq!(Misbehaving::validate_config(r#"{"behaviour":"nap"}"#)[0].path, "behaviour");
        assert_eq!(Misbehaving::validate_config(r#"{"were":"create"}"#)[0].path, "were");
        assert_eq!(Misbehaving::validate_config(r#"{"complaint":"no"}"#)[0].message, "no");
    }

    #[test]
    fn it_asks_and_denies_by_words() {
        let words = r#"{"asks":["deploy"],"denies":["nuke"]}"#;
        let both = evaluate(words, "make deploy nuke");
        assert_eq!(both.iter().map(|it| it.rule_id.as_str()).collect::<Vec<_>>(), ["lab/nuke", "lab/deploy"]);
        assert_eq!((both[1].verdict, both[1].evidence), (Verdict::Ask, Some(Span { start: 5, end: 11 })));
        assert_eq!(evaluate(words, "ls"), []);
        assert_eq!(Misbehaving::rules(words).len(), 3);
    }

    #[test]
    fn its_answers_are_as_bad_as_asked_for() {
        let flood = evaluate(r#"{"behaviour":"flood_output"}"#, "ls");
        assert!(flood.len() > 1_000 && flood[0].reason.len() > 1 << 20);
        let [garbage] = evaluate(r#"{"behaviour":"garbage_rule"}"#, "ls").try_into().unwrap();
        assert!(garbage.rule_id.contains('\u{1b}') && garbage.evidence.unwrap().start > 2);
    }

    #[test]
    fn the_line_can_tell_it() {
        let told = r#"{"behaviour":"as_told"}"#;
        assert_eq!(evaluate(told, "ls")[0].reason, "2 bytes, evaluation 1");
        assert_eq!(evaluate(told, "misbehave none"), []);
        assert_eq!(evaluate(told, "misbehave nameless_rule")[0].rule_id, " ");
        let policy = Misbehaving::create(told).unwrap();
        assert!(policy.evaluate(&request("misbehave error")).is_err());
    }

    #[test]
    #[should_panic(expected = "a trap was asked for")]
    fn it_traps_when_the_line_says_so() {
        let _ = evaluate(r#"{"behaviour":"as_told"}"#, "misbehave trap");
    }

    #[test]
    #[should_panic(expected = "a trap was asked for")]
    fn it_traps_where_it_is_told() {
        let there = Misbehaving::create(r#"{"behaviour":"trap"}"#).unwrap();
        let _ = there.evaluate(&request("ls"));
    }

    #[test]
    #[should_panic(expected = "a trap was asked for")]
    fn it_traps_while_it_is_made() {
        let _ = Misbehaving::create(r#"{"behaviour":"trap","where":"create"}"#);
    }
}
