//! `portcullis policy session`: the rules that hold in one session of a running host.
//!
//! A client of the operator's socket. It builds the rule from its arguments; the host checks it.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{print_json, say};
use crate::cli::approvals::visible;
use crate::cli::operate::{Hosts, ask, state_folder, unexpected};
use crate::operator::protocol::{Answer, Request, RulesChange};

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The session's id or name, or INSTANCE/SESSION; the only open one when left out.
    #[arg(long)]
    session: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// List the session's own rules and those it has from the configuration.
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Add a rule, or put it in place of the session's rule of the same id. It holds until the session ends.
    Add {
        #[command(flatten)]
        rule: Box<RuleArguments>,
        #[command(flatten)]
        common: Common,
    },
    /// Take a rule of the session's away; those of the configuration stay.
    Remove {
        id: String,
        #[command(flatten)]
        common: Common,
    },
    /// Take all of the session's own rules away, those that an agent has set too.
    Reset {
        #[command(flatten)]
        common: Common,
    },
}

/// The keys of `[[profiles.NAME.rules]]`; lists by repeating.
#[derive(Debug, Args)]
pub(crate) struct RuleArguments {
    id: String,
    /// warn, ask or deny.
    #[arg(long)]
    action: String,
    #[arg(long = "program", value_name = "NAME")]
    programs: Vec<String>,
    #[arg(long = "flag", value_name = "FLAG", allow_hyphen_values = true)]
    flags: Vec<String>,
    #[arg(long = "subcommand", value_name = "WORDS")]
    subcommands: Vec<String>,
    #[arg(long = "argument", value_name = "WORD", allow_hyphen_values = true)]
    arguments: Vec<String>,
    #[arg(long = "path", value_name = "PATTERN")]
    paths: Vec<String>,
    #[arg(long = "host", value_name = "PATTERN")]
    hosts: Vec<String>,
    #[arg(long = "level", value_name = "KIND|LABEL")]
    levels: Vec<String>,
    #[arg(long = "wrapper", value_name = "NAME")]
    wrappers: Vec<String>,
    /// Modes in which it holds; all when left out.
    #[arg(long = "mode", value_name = "MODE")]
    modes: Vec<String>,
    /// A regular expression.
    #[arg(long)]
    pattern: Option<String>,
    /// Why, for the agent.
    #[arg(long)]
    message: Option<String>,
    /// What to do instead.
    #[arg(long)]
    suggestion: Option<String>,
    /// Among rules of the same action the smaller one speaks first.
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i32>,
}

impl RuleArguments {
    fn into_rule(self) -> Value {
        let mut rule = Map::from_iter([("id".to_owned(), json!(self.id)), ("action".to_owned(), json!(self.action))]);
        let lists = [
            ("programs", self.programs),
            ("flags", self.flags),
            ("subcommands", self.subcommands),
            ("arguments", self.arguments),
            ("paths", self.paths),
            ("hosts", self.hosts),
            ("levels", self.levels),
            ("wrappers", self.wrappers),
            ("modes", self.modes),
        ];
        rule.extend(
            lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(key, list)| (key.to_owned(), json!(list))),
        );
        let texts = [("pattern", self.pattern), ("message", self.message), ("suggestion", self.suggestion)];
        rule.extend(texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), json!(text?)))));
        rule.extend(self.priority.map(|priority| ("priority".to_owned(), json!(priority))));
        Value::Object(rule)
    }
}

pub(super) async fn run(config: Option<&Path>, command: SessionCommand) -> anyhow::Result<()> {
    let (common, change) = match command {
        SessionCommand::List { common } => (common, None),
        SessionCommand::Add { rule, common } => (common, Some(RulesChange::Set { rule: rule.into_rule() })),
        SessionCommand::Remove { id, common } => (common, Some(RulesChange::Remove { id })),
        SessionCommand::Reset { common } => (common, Some(RulesChange::Reset {})),
    };
    let state: PathBuf = state_folder(config)?;
    let hosts = Hosts::find(&state)?;
    let (found, session) = hosts.session(common.session.as_deref()).await?;
    match ask(found, Request::SessionRules { session, change }).await? {
        Answer::SessionRules { report } if common.json => print_json(&report),
        Answer::SessionRules { report } => print(&report),
        other => Err(unexpected(found, &other).into()),
    }
}

fn print(report: &Value) -> anyhow::Result<()> {
    let list = |key: &str| report[key].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = |text: String| say(&visible(&text));
    for id in list("removed") {
        line(format!("removed {}", text(&id)))?;
    }
    let own = list("rules");
    if own.is_empty() {
        line(format!("session {} has no rules of its own", text(&report["session"]["session_id"])))?;
    }
    for rule in &own {
        line(format!("{}  set by {}: {}", text(&rule["id"]), text(&rule["set_by"]), written(rule)))?;
    }
    for rule in list("inherited") {
        line(format!("{}  from {}: {}", text(&rule["id"]), text(&rule["origin"]), written(&rule)))?;
    }
    Ok(())
}

/// What the rule says, key by key.
fn written(rule: &Value) -> String {
    let aside = ["id", "set_by", "origin"];
    let keys = rule.as_object().into_iter().flatten().filter(|(key, _)| !aside.contains(&key.as_str()));
    let parts: Vec<String> = keys.map(|(key, value)| format!("{key} = {value}")).collect();
    parts.join(", ")
}
