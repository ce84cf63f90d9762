//! The rules as they are written, checked and made ready.
//!
//! The host has the same keys in its configuration (`[[profiles.NAME.rules]]`) and checks them there
//! with the line they stand in; what reaches this component passes the checks again.

use std::cell::OnceCell;

use regex_lite::{Regex, RegexBuilder};
use serde::Deserialize;

use portcullis_plugin::policy::Verdict;
use portcullis_plugin::{ConfigDiagnostic, LevelKind, Severity, config};

use crate::PREFIX;
use crate::glob::{Glob, MAX_PATTERN_CHARS};

/// Of every decision and rule.
pub const CATEGORY: &str = "custom";
/// Rules in one set.
const MAX_RULES: usize = 256;
/// Entries of one list.
const MAX_ENTRIES: usize = 64;
const MAX_ID_BYTES: usize = 64;
/// Longest message or suggestion. Bytes.
const MAX_TEXT_BYTES: usize = 1_000;
/// Longest regular expression, and what it may become. Bytes.
const MAX_REGEX_BYTES: usize = 1_000;
const MAX_COMPILED_BYTES: usize = 256 * 1024;
/// Of a rule that does not say.
const DEFAULT_PRIORITY: i32 = 1_000;

/// What a rule that matches asks for, from mildest to strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Warn,
    Ask,
    Deny,
}

impl Action {
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Warn => Verdict::Warn,
            Self::Ask => Verdict::Ask,
            Self::Deny => Verdict::Deny,
        }
    }
}

/// The modes by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModeName {
    Safe,
    Full,
    Readonly,
    Restricted,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    rules: Vec<WrittenRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    id: String,
    action: Action,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    modes: Vec<ModeName>,
    #[serde(default)]
    programs: Vec<String>,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    subcommands: Vec<String>,
    #[serde(default)]
    arguments: Vec<String>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    levels: Vec<String>,
    #[serde(default)]
    wrappers: Vec<String>,
    pattern: Option<String>,
    message: Option<String>,
    suggestion: Option<String>,
    priority: Option<i32>,
}

fn yes() -> bool {
    true
}

/// A rule, ready to be asked. Lists that are empty ask for nothing.
#[derive(Debug)]
pub struct Rule {
    pub id: String,
    pub action: Action,
    pub modes: Vec<ModeName>,
    pub programs: Vec<Glob>,
    pub flags: Vec<String>,
    /// Each of one or more words.
    pub subcommands: Vec<Vec<Glob>>,
    pub arguments: Vec<Glob>,
    paths: Vec<String>,
    /// The same, made when a line first gets that far: every decision begins with a fresh component.
    ready_paths: OnceCell<Vec<Glob>>,
    pub hosts: Vec<Glob>,
    /// Kinds of the innermost level, and labels.
    pub kinds: Vec<LevelKind>,
    pub labels: Vec<Glob>,
    pub wrappers: Vec<Glob>,
    pub pattern: Option<Regex>,
    message: Option<String>,
    pub suggestion: Option<String>,
    /// Among rules of the same action the smaller one speaks first.
    pub priority: i32,
}

impl Rule {
    /// As verdicts and lists name it.
    pub fn full_id(&self) -> String {
        format!("{PREFIX}{}", self.id)
    }

    pub fn reason(&self) -> String {
        self.message.clone().unwrap_or_else(|| format!("the operator's rule `{}` speaks of this", self.id))
    }

    pub fn severity(&self) -> Severity {
        match self.action {
            Action::Warn => Severity::Low,
            Action::Ask => Severity::Medium,
            Action::Deny => Severity::High,
        }
    }

    /// It names paths.
    pub fn has_paths(&self) -> bool {
        !self.paths.is_empty()
    }

    pub fn paths(&self) -> &[Glob] {
        self.ready_paths.get_or_init(|| self.paths.iter().map(|text| Glob::paths(text)).collect())
    }

    /// It looks at the commands of a line.
    pub fn is_structural(&self) -> bool {
        self.speaks_of_a_command() || !self.paths.is_empty() || !self.wrappers.is_empty()
    }

    /// It names what a command and its words are.
    pub fn speaks_of_a_command(&self) -> bool {
        !self.programs.is_empty()
            || !self.flags.is_empty()
            || !self.subcommands.is_empty()
            || !self.arguments.is_empty()
            || !self.hosts.is_empty()
    }
}

/// Reads and checks the settings.
///
/// # Errors
/// Everything that is wrong with them.
pub fn read(text: &str) -> Result<Vec<Rule>, Vec<ConfigDiagnostic>> {
    let written: Written = config::parse(text).map_err(|diagnostic| vec![diagnostic])?;
    let mut wrong = Vec::new();
    if written.rules.len() > MAX_RULES {
        wrong.push(config::diagnostic("rules", format!("there are more than {MAX_RULES} rules")));
        return Err(wrong);
    }
    let mut rules: Vec<Rule> = Vec::new();
    let mut ids = Vec::new();
    for (index, rule) in written.rules.into_iter().enumerate() {
        let place = format!("rules[{index}]");
        if ids.contains(&rule.id) {
            wrong.push(config::diagnostic(&format!("{place}.id"), format!("there are two rules `{}`", rule.id)));
        }
        ids.push(rule.id.clone());
        let enabled = rule.enabled;
        match ready(rule) {
            Ok(rule) => rules.extend(enabled.then_some(rule)),
            Err((key, problem)) => wrong.push(config::diagnostic(&format!("{place}.{key}"), problem)),
        }
    }
    if wrong.is_empty() { Ok(rules) } else { Err(wrong) }
}

type Mistake = (String, String);

fn ready(written: WrittenRule) -> Result<Rule, Mistake> {
    let mistake = |key: &str, problem: &str| Err((key.to_owned(), problem.to_owned()));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if written.id.is_empty() || written.id.len() > MAX_ID_BYTES || !written.id.chars().all(plain) {
        return mistake("id", "an id is made of letters, digits, `-`, `_` and `.`");
    }
    for (key, text) in [("message", &written.message), ("suggestion", &written.suggestion)] {
        if text.as_ref().is_some_and(|text| text.trim().is_empty() || text.len() > MAX_TEXT_BYTES) {
            return mistake(key, "it is empty, or longer than 1000 bytes");
        }
    }
    check_lists(&written)?;
    if let Some(index) = written.flags.iter().position(|flag| flag.len() < 2 || !flag.starts_with('-')) {
        return Err((format!("flags[{index}]"), "a flag is written with its dashes: `-r`, `--recursive`".to_owned()));
    }
    let pattern =
        written.pattern.as_deref().map(regex).transpose().map_err(|problem| ("pattern".to_owned(), problem))?;
    let words = |list: &[String]| list.iter().map(|text| Glob::words(text)).collect::<Vec<_>>();
    let (kinds, labels): (Vec<&String>, Vec<&String>) =
        written.levels.iter().partition(|level| level_kind(level).is_some());
    let rule = Rule {
        programs: words(&written.programs),
        subcommands: written
            .subcommands
            .iter()
            .map(|text| text.split_whitespace().map(Glob::words).collect())
            .collect(),
        arguments: words(&written.arguments),
        paths: written.paths,
        ready_paths: OnceCell::new(),
        hosts: written.hosts.iter().map(|text| Glob::words(&text.to_ascii_lowercase())).collect(),
        kinds: kinds.into_iter().filter_map(|level| level_kind(level)).collect(),
        labels: labels.into_iter().map(|label| Glob::words(label)).collect(),
        wrappers: words(&written.wrappers),
        flags: written.flags,
        modes: written.modes,
        pattern,
        id: written.id,
        action: written.action,
        message: written.message,
        suggestion: written.suggestion,
        priority: written.priority.unwrap_or(DEFAULT_PRIORITY),
    };
    if !rule.is_structural() && rule.pattern.is_none() && rule.kinds.is_empty() && rule.labels.is_empty() {
        return mistake(
            "id",
            "the rule says nothing of what it speaks of; give `programs`, `paths`, `pattern` or such",
        );
    }
    Ok(rule)
}

fn check_lists(rule: &WrittenRule) -> Result<(), Mistake> {
    let lists = [
        ("programs", &rule.programs),
        ("flags", &rule.flags),
        ("subcommands", &rule.subcommands),
        ("arguments", &rule.arguments),
        ("paths", &rule.paths),
        ("hosts", &rule.hosts),
        ("levels", &rule.levels),
        ("wrappers", &rule.wrappers),
    ];
    for (key, list) in lists {
        if list.len() > MAX_ENTRIES {
            return Err((key.to_owned(), format!("it has more than {MAX_ENTRIES} entries")));
        }
        let unusable = |text: &String| text.trim().is_empty() || text.chars().count() > MAX_PATTERN_CHARS;
        if let Some(index) = list.iter().position(unusable) {
            let problem = format!("it is empty, or longer than {MAX_PATTERN_CHARS} characters");
            return Err((format!("{key}[{index}]"), problem));
        }
    }
    Ok(())
}

fn regex(text: &str) -> Result<Regex, String> {
    if text.is_empty() || text.len() > MAX_REGEX_BYTES {
        return Err(format!("a regular expression has 1 to {MAX_REGEX_BYTES} bytes"));
    }
    RegexBuilder::new(text).size_limit(MAX_COMPILED_BYTES).build().map_err(|error| error.to_string())
}

fn level_kind(name: &str) -> Option<LevelKind> {
    Some(match name {
        "menu" => LevelKind::Menu,
        "shell" => LevelKind::Shell,
        "pod_shell" => LevelKind::PodShell,
        "elevated_shell" => LevelKind::ElevatedShell,
        "repl" => LevelKind::Repl,
        "network_cli" => LevelKind::NetworkCli,
        "multiplexer" => LevelKind::Multiplexer,
        "unknown" => LevelKind::Unknown,
        _ => return None,
    })
}
