//! `portcullis policy`: what the policies make of a line, and which rules there are.
//!
//! Translates arguments for [`crate::policy`] and prints what comes back.

mod session;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::config::PolicyMode;
use crate::host::child_compiler;
use crate::kit;
use crate::policy::{Explanation, ListedRule, Policies, Where};

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Print what a line would run, what every rule says of it, and the verdicts in safe and full.
    Explain {
        line: String,
        #[command(flatten)]
        place: PlaceArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Judge many lines: objects with `id` and `cmd`, one a line; prints id, safe and full of each.
    Evaluate {
        /// `-` is standard input.
        #[arg(long, value_name = "FILE")]
        jsonl: PathBuf,
        /// The profile; the default one, or none and the standard policy alone, when left out.
        #[arg(long)]
        profile: Option<String>,
    },
    /// List the rules with their ids, and where the operator's own come from.
    List {
        /// The profile; the default one, or none and the standard policy alone, when left out.
        #[arg(long)]
        profile: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Look at and change the rules that hold in one session of a running host, until it ends.
    Session {
        #[command(subcommand)]
        command: session::SessionCommand,
    },
}

#[derive(Debug, Args)]
pub(super) struct PlaceArguments {
    /// The profile; the default one, or none and the standard policy alone, when left out.
    #[arg(long)]
    profile: Option<String>,
    /// safe, full, readonly or restricted; the profile's when left out.
    #[arg(long, value_parser = kit::word::<PolicyMode>)]
    mode: Option<PolicyMode>,
    /// Kind (shell, pod_shell, menu, repl, …) or label of the level it would be typed at.
    #[arg(long, value_name = "KIND|LABEL")]
    level: Option<String>,
}

pub(super) async fn run(config: Option<&Path>, command: PolicyCommand) -> anyhow::Result<()> {
    if let PolicyCommand::Session { command } = command {
        return session::run(config, command).await;
    }
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let policies = Policies::open(config, child_compiler(program)).await?;
    match command {
        PolicyCommand::Explain { line, place: PlaceArguments { profile, mode, level }, json } => {
            let explained = policies.explain(&line, &Where { profile, mode, level }).await?;
            if json { print_json(&explained) } else { explain(&explained) }
        }
        PolicyCommand::Evaluate { jsonl, profile } => {
            evaluate(&policies, &jsonl, &Where { profile, ..Where::default() }).await
        }
        PolicyCommand::List { profile, json } => {
            let rules = policies.list(profile.as_deref())?;
            if json { print_json(&rules) } else { list(&rules) }
        }
        // Asked of a running host, above.
        PolicyCommand::Session { .. } => Ok(()),
    }
}

async fn evaluate(policies: &Policies, path: &Path, wanted: &Where) -> anyhow::Result<()> {
    let source: Box<dyn BufRead> = match path.to_str() {
        Some("-") => Box::new(BufReader::new(std::io::stdin())),
        _ => {
            let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
            Box::new(BufReader::new(file))
        }
    };
    let (mut read, mut wrong) = (0, 0);
    for (index, line) in source.lines().enumerate() {
        let line = line.with_context(|| format!("line {} of {} cannot be read", index + 1, path.display()))?;
        read += 1;
        match policies.evaluate(&line, index + 1, wanted).await? {
            Ok(Some(evaluated)) => say(&serde_json::to_string(&evaluated)?)?,
            Ok(None) => {}
            Err(error) => {
                wrong += 1;
                eprintln!("portcullis: {}: {error}", path.display());
            }
        }
    }
    if wrong > 0 {
        bail!("{wrong} of {read} lines could not be judged; the others were");
    }
    Ok(())
}

fn explain(explained: &Explanation) -> anyhow::Result<()> {
    let by = explained
        .profile
        .as_ref()
        .map_or_else(|| "the standard policy alone".to_owned(), |profile| format!("profile {profile}"));
    say(&format!("{} in {} mode, {by}", explained.verdict.as_str(), explained.mode.as_str()))?;
    say("it would run:")?;
    for command in &explained.plan.commands {
        let mut text = format!("  {}{}", "  ".repeat(command.depth.into()), command.kind);
        if !command.wrappers.is_empty() {
            text.push_str(&format!(" within {}", command.wrappers.join(", ")));
        }
        let words = [&command.assignments, &command.argv].into_iter().flatten();
        let words: Vec<String> = words.map(|word| shown(word)).collect();
        let program = if command.argv.is_empty() { command.program.as_deref().unwrap_or_default() } else { "" };
        text.push_str(&format!(": {program}{}", words.join(" ")));
        for redirection in &command.redirections {
            text.push_str(&format!(" {redirection}"));
        }
        if command.background {
            text.push_str(" &");
        }
        if !command.unknown_words.is_empty() {
            text.push_str(&format!("  (known only when it runs: {})", command.unknown_words.join(" ")));
        }
        say(&text)?;
    }
    for unknown in &explained.plan.unknowns {
        say(&format!("  {}: {}", unknown.kind, unknown.what))?;
        underline(&explained.line, unknown.span.0, unknown.span.1)?;
    }
    if !explained.effects.is_empty() {
        say(&format!("effects: {}", explained.effects.join(", ")))?;
    }
    say("the rules say:")?;
    for ruling in &explained.rulings {
        let by = format!("{} ({}, {})", ruling.rule_id, ruling.policy, ruling.category);
        say(&format!("  {} by {by}: {}", ruling.verdict, ruling.reason))?;
        if let Some((start, end)) = ruling.evidence {
            underline(&explained.line, start as usize, end as usize)?;
        }
        if let Some(excepted) = &ruling.excepted {
            let what = format!("excepted until {} by {}", excepted.until, excepted.by);
            say(&format!("    {what}, it was {}: {}", excepted.was, excepted.reason))?;
        }
        if let Some(suggestion) = ruling.suggestion.as_ref().filter(|_| ruling.verdict != "allow") {
            say(&format!("    instead: {suggestion}"))?;
        }
    }
    for (mode, outcome) in [("safe", &explained.safe), ("full", &explained.full)] {
        say(&format!("{mode}: {} by {}", outcome.verdict.as_str(), outcome.rule_id))?;
    }
    Ok(())
}

/// A word with quotes where it would not be one without.
fn shown(word: &str) -> String {
    let plain = !word.is_empty() && !word.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\'');
    if plain { word.to_owned() } else { format!("{word:?}") }
}

/// The part of the line, if it is on one line that a terminal shows as it is.
fn underline(line: &str, start: usize, end: usize) -> anyhow::Result<()> {
    let Some(part) = line.get(start..end).filter(|_| !line.chars().any(char::is_control)) else { return Ok(()) };
    let before = line.get(..start).map_or(0, |before| before.chars().count());
    say(&format!("    {line}"))?;
    say(&format!("    {}{}", " ".repeat(before), "^".repeat(part.chars().count().max(1))))
}

fn list(rules: &[ListedRule]) -> anyhow::Result<()> {
    for rule in rules {
        let off = if rule.enabled { "" } else { " (off)" };
        let action = rule.action.map_or_else(String::new, |action| format!("{action}: "));
        let head = format!("{:<32} {:<9} {:<14}", rule.rule_id, rule.severity, rule.category);
        let mut text = format!("{head} {action}{}{off}", rule.title);
        if !rule.modes.is_empty() {
            let modes: Vec<&str> = rule.modes.iter().map(|mode| mode.as_str()).collect();
            text.push_str(&format!("  [{}]", modes.join(", ")));
        }
        if let Some(origin) = &rule.origin {
            text.push_str(&format!("  from {origin}"));
        }
        say(&text)?;
    }
    Ok(())
}

fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    say(&serde_json::to_string_pretty(value)?)
}

/// A reader that has seen enough (`| head`) is no failure.
fn say(text: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
