//! Rules of the operator's own, as `[[profiles.NAME.rules]]` and `[[defaults.rules]]` have them.
//!
//! Only what is written is checked here, by the key it stands under; the built-in component `policy-rules` gives
//! the rules their meaning.

use std::path::Path;

use regex_lite::RegexBuilder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::file::ConfigFile;
use super::layers::{Layers, Origin};
use super::{ConfigError, PolicyMode, exceptions};

/// In front of a rule's id where it stands beside those of other policies.
pub const CUSTOM_RULE_PREFIX: &str = "custom/";
/// The limits of the component: a profile has no more rules, a list no more entries.
const MAX_RULES: usize = 256;
const MAX_ENTRIES: usize = 64;
const MAX_PATTERN_CHARS: usize = 256;
const MAX_ID_BYTES: usize = 64;
const MAX_TEXT_BYTES: usize = 1_000;
const MAX_REGEX_COMPILED_BYTES: usize = 256 * 1024;

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule.{key}: {problem}")]
pub struct RuleMistake {
    /// As `flags[1]`.
    pub key: String,
    pub problem: String,
}

/// What a rule that matches asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RuleAction {
    Warn,
    Ask,
    Deny,
}

impl RuleAction {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

/// One rule. All that it names has to hold for one command of the line; of a list one entry is enough.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Shown as `custom/ID`. In a profile it takes the place of the default of the same id.
    pub id: String,
    /// `warn`, `ask` or `deny`; the strictest word of all policies counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<RuleAction>,
    /// `false` switches it off; `id` is enough then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Modes in which it holds; left out, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modes: Option<Vec<PolicyMode>>,
    /// Names of programs, with `*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub programs: Option<Vec<String>>,
    /// Flags with their dashes, also bundled or abbreviated on the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<Vec<String>>,
    /// What the command's words begin with, options aside: `push`, `rollout restart`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subcommands: Option<Vec<String>>,
    /// Any word of the command, with `*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Vec<String>>,
    /// Paths in words and redirections, with `*` and `**`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<String>>,
    /// Hosts the words name, with `*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Vec<String>>,
    /// Where it holds: kind (`shell`, `pod_shell`, …) or label of the innermost level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub levels: Option<Vec<String>>,
    /// What stands around the command: `sudo`, `xargs`, `docker exec`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrappers: Option<Vec<String>>,
    /// A regular expression found in the text, or in a command's words behind their quotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Why, for the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What to do instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// Among rules of the same action the smaller one speaks first (1000).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
}

impl Rule {
    pub fn is_enabled(&self) -> bool {
        self.enabled != Some(false)
    }

    /// As verdicts and exceptions name it.
    pub fn full_id(&self) -> String {
        format!("{CUSTOM_RULE_PREFIX}{}", self.id)
    }

    fn lists(&self) -> [(&'static str, Option<&Vec<String>>); 8] {
        [
            ("programs", self.programs.as_ref()),
            ("flags", self.flags.as_ref()),
            ("subcommands", self.subcommands.as_ref()),
            ("arguments", self.arguments.as_ref()),
            ("paths", self.paths.as_ref()),
            ("hosts", self.hosts.as_ref()),
            ("levels", self.levels.as_ref()),
            ("wrappers", self.wrappers.as_ref()),
        ]
    }

    /// A rule that stands in no file, checked as those in files are.
    ///
    /// # Errors
    /// Names the key that is wrong.
    pub fn read(written: Value) -> Result<Self, RuleMistake> {
        let mistake = |key: &str, problem: String| RuleMistake { key: key.to_owned(), problem };
        // Each key alone first, so that the one that is wrong can be named.
        for (key, value) in written.as_object().into_iter().flatten() {
            let alone = serde_json::json!({ "id": "r", key: value });
            serde_json::from_value::<Self>(alone).map_err(|error| mistake(key, error.to_string()))?;
        }
        let rule: Self = serde_json::from_value(written).map_err(|error| mistake("id", error.to_string()))?;
        rule.check().map_err(|(key, problem)| RuleMistake { key, problem })?;
        Ok(rule)
    }

    /// The key that is wrong, and why.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        let mistake = |key: &str, problem: String| Err((key.to_owned(), problem));
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.id.is_empty() || self.id.len() > MAX_ID_BYTES || !self.id.chars().all(plain) {
            let problem = format!("an id is made of letters, digits, `-`, `_` and `.`, at most {MAX_ID_BYTES}");
            return mistake("id", problem);
        }
        if !self.is_enabled() {
            return Ok(());
        }
        if self.action.is_none() {
            return mistake("action", "it is missing; write warn, ask or deny".to_owned());
        }
        for (key, text) in [("message", &self.message), ("suggestion", &self.suggestion)] {
            if text.as_ref().is_some_and(|text| text.trim().is_empty() || text.len() > MAX_TEXT_BYTES) {
                return mistake(key, format!("it is empty, or longer than {MAX_TEXT_BYTES} bytes"));
            }
        }
        if self.modes.as_ref().is_some_and(Vec::is_empty) {
            return mistake("modes", "it names no mode; leave it out for all".to_owned());
        }
        for (key, list) in self.lists() {
            check_list(key, list.map_or(&[], Vec::as_slice))?;
        }
        let flags = self.flags.iter().flatten();
        if let Some(index) = flags.into_iter().position(|flag| flag.len() < 2 || !flag.starts_with('-')) {
            let problem = "a flag is written with its dashes: `-r`, `--recursive`".to_owned();
            return mistake(&format!("flags[{index}]"), problem);
        }
        if let Some(Err(problem)) = self.pattern.as_deref().map(check_regex) {
            return mistake("pattern", problem);
        }
        let names_nothing = self.lists().iter().all(|(_, list)| list.is_none_or(Vec::is_empty));
        if names_nothing && self.pattern.is_none() {
            let keys = "programs, flags, subcommands, arguments, paths, hosts, levels, wrappers, pattern";
            return mistake("id", format!("the rule does not say what it speaks of; give one of {keys}"));
        }
        Ok(())
    }
}

fn check_list(key: &str, list: &[String]) -> Result<(), (String, String)> {
    if list.len() > MAX_ENTRIES {
        return Err((key.to_owned(), format!("it has more than {MAX_ENTRIES} entries")));
    }
    let unusable = |text: &String| text.trim().is_empty() || text.chars().count() > MAX_PATTERN_CHARS;
    match list.iter().position(unusable) {
        Some(index) => {
            let problem = format!("it is empty, or longer than {MAX_PATTERN_CHARS} characters");
            Err((format!("{key}[{index}]"), problem))
        }
        None => Ok(()),
    }
}

/// As the component compiles it.
pub(super) fn check_regex(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > MAX_TEXT_BYTES {
        return Err(format!("a regular expression has 1 to {MAX_TEXT_BYTES} bytes"));
    }
    let built = RegexBuilder::new(text).size_limit(MAX_REGEX_COMPILED_BYTES).build();
    built.map(drop).map_err(|error| format!("{error}; look-around and back-references are not known here"))
}

/// A rule and the file it comes from.
#[derive(Debug, Clone, Serialize)]
pub struct CustomRule {
    #[serde(flatten)]
    pub rule: Rule,
    pub origin: String,
}

/// The rules of a profile.
#[derive(Debug, Clone, Default)]
pub struct CustomRules {
    /// Switched-off ones too.
    pub all: Vec<CustomRule>,
    /// For the component, JSON text; none when no rule is switched on.
    pub settings: Option<String>,
}

impl CustomRules {
    /// Those all sources of a profile give it, the strongest of each id.
    pub(super) fn of(layers: &Layers) -> Result<Self, String> {
        let mut all: Vec<CustomRule> = Vec::new();
        for (origin, values) in &layers.layers {
            for rule in values.rules.iter().flatten() {
                if !all.iter().any(|known| known.rule.id == rule.id) {
                    all.push(CustomRule { rule: rule.clone(), origin: origin.to_string() });
                }
            }
        }
        let enabled: Vec<&Rule> = all.iter().map(|known| &known.rule).filter(|rule| rule.is_enabled()).collect();
        if enabled.len() > MAX_RULES {
            return Err(format!("it has {} rules, with those of [defaults]; {MAX_RULES} is the most", enabled.len()));
        }
        let settings = rule_settings(enabled);
        Ok(Self { all, settings })
    }
}

/// The rules as the component takes them, JSON text; none when there are none.
pub fn rule_settings<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> Option<String> {
    let rules: Vec<&Rule> = rules.into_iter().collect();
    (!rules.is_empty()).then(|| serde_json::json!({ "rules": rules }).to_string())
}

/// The upper list, and of the lower one what has another id.
pub(super) fn joined(upper: Option<Vec<Rule>>, lower: Option<Vec<Rule>>) -> Option<Vec<Rule>> {
    let (Some(mut all), Some(lower)) = (upper.clone(), lower.clone()) else { return upper.or(lower) };
    let more: Vec<Rule> = lower.into_iter().filter(|rule| !all.iter().any(|known| known.id == rule.id)).collect();
    all.extend(more);
    Some(all)
}

/// Every rule and exception of a file, by the key it stands under.
pub(super) fn check_file(file: &ConfigFile, path: &Path) -> Result<(), ConfigError> {
    let failed = |key, problem| ConfigError::Value { path: path.to_owned(), key, problem };
    let lists = file.profiles.iter().map(|(name, profile)| (format!("profiles.{name}"), profile.rules.as_ref()));
    for (place, rules) in lists.chain([("defaults".to_owned(), file.defaults.rules.as_ref())]) {
        let rules = rules.map_or(&[][..], Vec::as_slice);
        for (index, rule) in rules.iter().enumerate() {
            let place = format!("{place}.rules[{index}]");
            rule.check().map_err(|(key, problem)| failed(format!("{place}.{key}"), problem))?;
            if rules[..index].iter().any(|known| known.id == rule.id) {
                return Err(failed(format!("{place}.id"), format!("there are two rules `{}` here", rule.id)));
            }
        }
    }
    for (name, profile) in &file.profiles {
        for (index, exception) in profile.exceptions.iter().flatten().enumerate() {
            exceptions::read(exception, &Origin::BuiltIn)
                .map_err(|(key, problem)| failed(format!("profiles.{name}.exceptions[{index}].{key}"), problem))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::json;

    use crate::config::{Config, load};

    fn parse(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portcullis.toml");
        std::fs::write(&path, format!("ssh_config = false\n{text}")).unwrap();
        load(Some(&path)).map_err(|error| error.to_string())
    }

    const PROD: &str = "[profiles.prod]\nhost = 'h'\nuser = 'u'\n";

    #[test]
    fn a_mistake_is_told_with_its_key() {
        let good = "[[profiles.prod.rules]]\nid = 'good'\naction = 'warn'\nprograms = ['ls']\n";
        let rule = "[[profiles.prod.rules]]\nid = 'r'\naction = 'deny'\n";
        let cases = [
            (format!("{rule}pattern = '('\n"), "profiles.prod.rules[1].pattern: "),
            (format!("{rule}pattern = '(?=x)'\n"), "profiles.prod.rules[1].pattern: "),
            (format!("{rule}flags = ['--ok', 'r']\n"), "profiles.prod.rules[1].flags[1]: a flag is written"),
            (format!("{rule}paths = ['']\n"), "profiles.prod.rules[1].paths[0]: it is empty"),
            (rule.to_owned(), "profiles.prod.rules[1].id: the rule does not say"),
            (rule.replace("'r'", "'a b'"), "profiles.prod.rules[1].id: an id is made of"),
            (rule.replace("'r'", "'good'") + "programs = ['x']\n", "rules[1].id: there are two rules `good`"),
            (rule.replace("action = 'deny'\n", "programs = ['x']\n"), "profiles.prod.rules[1].action: it is missing"),
            (format!("{rule}programs = ['x']\nmodes = []\n"), "profiles.prod.rules[1].modes: "),
            (format!("{rule}programs = ['x']\nmessage = ' '\n"), "profiles.prod.rules[1].message: "),
            (format!("{rule}program = ['x']\n"), "did you mean `programs`"),
            (rule.replace("deny", "refuse"), "unknown variant `refuse`"),
        ];
        for (text, expected) in cases {
            let message = parse(&format!("{PROD}{good}{text}")).unwrap_err();
            assert!(message.contains(expected) && message.contains("portcullis.toml"), "{expected}: {message}");
        }
        let message =
            parse(&format!("[[defaults.rules]]\nid = 'x'\naction = 'ask'\npattern = '*'\n{PROD}")).unwrap_err();
        assert!(message.contains("defaults.rules[0].pattern: "), "{message}");
    }

    #[test]
    fn a_rule_outside_of_files_is_checked_as_those_within() {
        let read = |written| super::Rule::read(written).map_err(|mistake| mistake.to_string());
        let good = json!({ "id": "r", "action": "deny", "programs": ["x"], "modes": ["safe"], "priority": 3 });
        assert_eq!(read(good).unwrap().full_id(), "custom/r");
        for (written, expected) in [
            (json!({ "id": "r", "action": "deny", "flags": ["-r", "r"] }), "rule.flags[1]: a flag is written"),
            (json!({ "id": "r", "action": "deny", "program": ["x"] }), "rule.program: unknown field `program`"),
            (json!({ "id": "r", "action": "allow", "programs": ["x"] }), "rule.action: unknown variant `allow`"),
            (json!({ "id": "r", "action": "deny", "modes": ["loose"] }), "rule.modes: unknown variant `loose`"),
            (json!({ "action": "deny", "programs": ["x"] }), "rule.id: missing field `id`"),
            (json!({ "id": "r", "programs": ["x"] }), "rule.action: it is missing"),
            (json!({ "id": "r", "action": "deny" }), "rule.id: the rule does not say"),
            (json!({ "id": "r", "action": "deny", "pattern": "(" }), "rule.pattern: "),
            (json!("r"), "rule.id: invalid type"),
        ] {
            let message = read(written).unwrap_err();
            assert!(message.starts_with(expected), "{expected}: {message}");
        }
    }

    #[test]
    fn a_profile_s_rule_takes_the_place_of_the_default_of_its_id() {
        let text = format!(
            "[[defaults.rules]]\nid = 'a'\naction = 'deny'\nprograms = ['x']\n[[defaults.rules]]\nid = 'b'\naction = 'ask'\n\
             levels = ['menu']\n{PROD}[[profiles.prod.rules]]\nid = 'a'\nenabled = false\n[[profiles.prod.rules]]\nid = 'c'\n\
             action = 'warn'\npaths = ['/srv/**']\n[profiles.dev]\nhost = 'h'\nuser = 'u'\n"
        );
        let config = parse(&text).unwrap();
        let rules = |name: &str| config.destinations[name].rules.clone();
        let ids = |name| rules(name).all.into_iter().map(|known| known.rule.id).collect::<Vec<_>>();
        assert_eq!((ids("prod"), ids("dev")), (vec!["a".into(), "c".into(), "b".into()], vec!["a".into(), "b".into()]));
        assert!(rules("prod").all[2].origin.ends_with("portcullis.toml [defaults]"));
        let settings = rules("prod").settings.unwrap();
        assert_eq!(
            settings,
            r#"{"rules":[{"action":"warn","id":"c","paths":["/srv/**"]},{"action":"ask","id":"b","levels":["menu"]}]}"#
        );
        assert_eq!(parse(PROD).unwrap().destinations["prod"].rules.settings, None);
    }
}
