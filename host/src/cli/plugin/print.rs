//! What the plugin commands print for people.

use std::io::Write;

use crate::kit::{Answer, Checked, Description, Ending, FileReport, ListedPlugin, PolicyAnswer, SearchAnswer, Walk};

const MIB: usize = 1 << 20;

pub(super) fn say(text: &str) {
    // A reader that has seen enough (`| head`) is no failure.
    let _ = writeln!(std::io::stdout(), "{text}");
}

pub(super) fn list(plugins: &[ListedPlugin]) -> anyhow::Result<()> {
    let rows: Vec<[String; 7]> = plugins.iter().map(row).collect();
    let heads = ["NAME", "KIND", "CONTRACT", "SIZE", "LIMITS PER CALL", "FROM", "SHA-256"].map(str::to_owned);
    let widths: Vec<usize> = (0..7)
        .map(|column| rows.iter().chain([&heads]).map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for row in [&heads].into_iter().chain(&rows) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        say(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    Ok(())
}

fn row(plugin: &ListedPlugin) -> [String; 7] {
    [
        plugin.name.clone(),
        plugin.kind.to_string(),
        plugin.contract.clone(),
        format!("{} KiB", plugin.size_bytes.div_ceil(1024)),
        limits(plugin),
        plugin.origin.clone(),
        plugin.digest_sha256.clone(),
    ]
}

fn limits(plugin: &ListedPlugin) -> String {
    let limits = &plugin.limits;
    format!(
        "{} M fuel, {} s, {} MiB",
        limits.fuel / 1_000_000,
        limits.deadline().as_secs_f32(),
        limits.memory_bytes / MIB
    )
}

pub(super) fn description(described: &Description) -> anyhow::Result<()> {
    let plugin = &described.plugin;
    say(&format!("{}: {} plugin, built for {}", plugin.name, plugin.kind, plugin.contract));
    say(&format!("  from      {}", plugin.origin));
    say(&format!("  size      {} bytes (limit {})", plugin.size_bytes, plugin.limits.max_component_bytes));
    say(&format!("  sha256    {}", plugin.digest_sha256));
    if let Some(manifest) = &described.manifest {
        say(&format!("  version   {}", manifest.version.as_deref().unwrap_or("not said")));
        if let Some(description) = manifest.description.as_deref().filter(|text| !text.is_empty()) {
            // Anybody's text: on one line and without control characters.
            let shown: String = description.chars().filter(|c| !c.is_control()).take(200).collect();
            say(&format!("  says      {shown}"));
        }
        if !manifest.capabilities.is_empty() {
            let asked = manifest.capabilities.join(", ");
            say(&format!("  asks for  {}", asked.chars().filter(|c| !c.is_control()).collect::<String>()));
        }
    }
    say(&format!("  exports   {}", described.exports.join(", ")));
    say(&format!("  imports   {}", described.imports.join(", ")));
    say(&format!("  per call  {}", limits(plugin)));
    if !described.wanted_tools.is_empty() {
        say(&format!("  looks for {}", described.wanted_tools.join(", ")));
    }
    if !described.rules.is_empty() {
        say("rules:");
    }
    for rule in &described.rules {
        say(&format!("  {:<32} {:<9} {:<20} {}", rule.rule_id, rule.severity, rule.category, rule.title));
    }
    for schema in &described.schemas {
        say(&format!("documents of schema {}:\n{:#}", schema.name, schema.json_schema));
    }
    Ok(())
}

pub(super) fn checked(checked: &Checked) -> anyhow::Result<()> {
    for line in &checked.passed {
        say(&format!("ok  {line}"));
    }
    say(&format!("sha256 = \"{}\"", checked.description.plugin.digest_sha256));
    Ok(())
}

pub(super) fn file_report(report: &FileReport) {
    say(&format!("{} on `{}`", report.path.display(), report.plugin));
    for result in &report.results {
        let state = if result.differences.is_empty() { "ok  " } else { "FAIL" };
        say(&format!("{state}  {}", result.name));
        for line in &result.differences {
            say(&format!("        {line}"));
        }
    }
}

pub(super) fn answer(answer: &Answer, line: &str) -> anyhow::Result<()> {
    match answer {
        Answer::Policy(answer) => policy(answer, line),
        Answer::Navigation(walk) => navigation(walk),
        Answer::Output(answer) => match &answer.schema {
            None => say("this parser leaves the output alone"),
            Some(schema) => {
                say(&format!("schema {schema}: {} documents", answer.documents.len() + answer.left_out));
                for document in &answer.documents {
                    say(&document.to_string());
                }
                for left in &answer.unparsed {
                    say(&format!("unparsed, line {}: {}", left.line, left.text));
                }
            }
        },
        Answer::Search(answer) => search(answer)?,
    }
    Ok(())
}

fn policy(answer: &PolicyAnswer, line: &str) {
    say(&format!("verdict {}", answer.verdict));
    for decision in &answer.decisions {
        say(&format!(
            "{} by {} ({}, {}): {}",
            decision.verdict, decision.rule_id, decision.category, decision.severity, decision.reason
        ));
        if let Some(suggestion) = &decision.suggestion {
            say(&format!("  instead: {suggestion}"));
        }
        if let Some(span) = decision.evidence {
            let (start, end) = (span.start as usize, span.end as usize);
            let before = line.get(..start).unwrap_or_default().chars().count();
            let width = line.get(start..end).unwrap_or_default().chars().count().max(1);
            say(&format!("  evidence, bytes {start} to {end}:"));
            say(&format!("    {line}\n    {}{}", " ".repeat(before), "^".repeat(width)));
        }
        if let Some(rewritten) = &decision.rewritten {
            say(&format!("  rewritten: {rewritten}"));
        }
    }
}

fn navigation(walk: &Walk) {
    for step in &walk.steps {
        say(step);
    }
    match &walk.ending {
        // The last step says it already.
        Ending::Done(_) | Ending::Failed { .. } => {}
        Ending::OffScript { expected, .. } => say(&format!("stopped: the script expects {expected}")),
        Ending::TooManySteps => say("stopped: more steps than a host lets it take"),
        Ending::Repeats { .. } => say("stopped: the same step again and again"),
        Ending::Error(error) => say(&format!("stopped: {error}")),
    }
    if walk.script_left > 0 {
        say(&format!("{} steps of the script were not reached", walk.script_left));
    }
}

fn search(answer: &SearchAnswer) -> anyhow::Result<()> {
    say(&format!("plan: {}", answer.line));
    say(&format!("  at most {} bytes and {} s", answer.max_bytes, answer.max_seconds));
    for found in answer.matches.iter().flatten() {
        say(&serde_json::to_string(found)?);
    }
    if let Some(matches) = &answer.matches {
        say(&format!("{} matches{}", matches.len(), if answer.stopped { ", and it has enough" } else { "" }));
    }
    Ok(())
}
