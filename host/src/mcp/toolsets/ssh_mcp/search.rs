//! `search_logs`: the host's own search, told as `grep` would.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::lock::{self, By};
use super::memory::Memory;
use super::{Context, Told, facts, input, result};
use crate::mcp::answer::Answer;
use crate::mcp::progress;
use crate::mcp::tool::{Class, Tool};
use crate::ops::{self, FoundLine, OpError, SearchMode, SearchReport, SearchRequest};

const MAX_COUNT: u32 = 500;
const MAX_CONTEXT: u16 = 20;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SearchLogs {
    session_id: String,
    /// As grep has it: `\|` is an alternative, `\(…\)` a group.
    pattern: String,
    /// A folder, searched with what is below it, or a file.
    #[serde(default = "here")]
    path: String,
    /// Names of files in a folder.
    #[serde(default = "logs")]
    include: String,
    /// Lines around a match.
    #[serde(default)]
    context: u16,
    #[serde(default = "input::yes")]
    ignore_case: bool,
    /// Most matches, up to 500.
    #[serde(default = "usual_count")]
    max_count: u32,
    /// Seconds; the search is stopped after it.
    #[serde(default = "input::usual_timeout_s")]
    timeout: f64,
    #[serde(flatten)]
    by: By,
}

fn here() -> String {
    ".".to_owned()
}

fn logs() -> String {
    "*.log".to_owned()
}

fn usual_count() -> u32 {
    200
}

pub(super) fn tool(memory: &Arc<Memory>) -> Tool {
    super::tool(
        memory,
        Told {
            name: "search_logs",
            title: "Search logs",
            description: "Search log files where the session is (host or pod), gently, by a pattern: matching lines with file and number, and context.",
            class: Class::ReadRemote,
            output: || json!({ "output": { "type": "string" }, "command": { "type": "string" } }),
        },
        call,
    )
}

async fn call(context: Context, parameters: SearchLogs) -> Answer {
    let id = parameters.session_id.clone();
    match search(&context, parameters).await {
        Ok(answer) => answer,
        Err(error) => result::failed(&context, Some(&id), error).await,
    }
}

async fn search(context: &Context, parameters: SearchLogs) -> Result<Answer, OpError> {
    let SearchLogs { session_id, pattern, path, include, context: around, ignore_case, max_count, timeout, by } =
        parameters;
    lock::take(context, &session_id, &by).await?;
    let request = SearchRequest {
        session_id: Some(session_id.clone()),
        text: extended(&pattern),
        mode: SearchMode::Regex,
        ignore_case,
        sources: vec![path],
        include: vec![include],
        max_matches: max_count.clamp(1, MAX_COUNT),
        before: around.min(MAX_CONTEXT),
        after: around.min(MAX_CONTEXT),
        progress: progress::reporter(),
        ..SearchRequest::default()
    };
    // A search that is given up is stopped on the host, too.
    let found = tokio::time::timeout(input::timeout(timeout), ops::search_logs(&context.host, request)).await;
    let line = ops::session_line(&context.host, Some(&session_id)).await?;
    let mut notes = by.notes();
    let Ok(report) = found.map_err(|_elapsed| ()) else {
        notes.push("the time was over and the search was stopped; narrow it with path or include".to_owned());
        let fields = json!({
            "output": "", "exit_code": null, "timed_out": true, "matched": null, "command_id": null, "status": null,
            "output_truncated": true, "command": null, "transcript_path": line.transcript, "notes": notes,
        });
        return Ok(result::done(fields, true));
    };
    let report = report?;
    notes.extend(report.notes.iter().chain(&report.skipped).map(|note| result::in_their_words(note)));
    let job = line.jobs.iter().rev().find(|job| job.text == report.command);
    let mut fields = json!({
        "output": as_grep(&report),
        "exit_code": report.exit_code,
        "timed_out": false,
        "matched": null,
        "command_id": job.map(facts::command_id),
        "status": job.map(|job| facts::status(job.completion.as_ref(), false)),
        "output_truncated": report.truncated,
        "command": report.command,
        "transcript_path": line.transcript,
    });
    if !notes.is_empty() {
        fields["notes"] = json!(notes);
    }
    Ok(result::done(fields, report.truncated))
}

/// `file:12:text` of a match, `file-11-text` of a line around it, `--` between groups.
fn as_grep(report: &SearchReport) -> String {
    let mut text = String::new();
    for (index, found) in report.matches.iter().enumerate() {
        let has_context = !found.before.is_empty() || !found.after.is_empty();
        if index > 0 && has_context {
            text.push_str("--\n");
        }
        for line in &found.before {
            text.push_str(&grep_line(found, line.line, '-', &line.text));
        }
        text.push_str(&grep_line(found, found.line, ':', &found.text));
        for line in &found.after {
            text.push_str(&grep_line(found, line.line, '-', &line.text));
        }
    }
    text
}

fn grep_line(found: &FoundLine, number: Option<u64>, mark: char, text: &str) -> String {
    let source = found.source.as_ref().map_or(String::new(), |source| format!("{source}{mark}"));
    let number = number.map_or(String::new(), |number| format!("{number}{mark}"));
    format!("{source}{number}{text}\n")
}

/// A basic regular expression, in which `(`, `|` and the like are signs like others unless a backslash stands before
/// them (POSIX, with GNU's `\+`, `\?` and `\|`), as an extended one, where it is the other way round.
fn extended(basic: &str) -> String {
    let mut extended = String::new();
    let mut characters = basic.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(next) if "(){}|+?".contains(next) => extended.push(next),
                Some(next) => extended.extend(['\\', next]),
                None => extended.push_str(r"\\"),
            },
            '[' => {
                extended.push('[');
                // A bracket right behind the opening one, or behind `^`, is one of the set.
                for first in ['^', ']'] {
                    extended.extend(characters.next_if_eq(&first));
                }
                let mut in_class = false;
                for inside in characters.by_ref() {
                    let opens_class = extended.ends_with('[') && ":.=".contains(inside);
                    let closes_class = in_class && inside == ']' && extended.ends_with([':', '.', '=']);
                    extended.push(inside);
                    if closes_class {
                        in_class = false;
                    } else if opens_class {
                        in_class = true;
                    } else if inside == ']' && !in_class {
                        break;
                    }
                }
            }
            special if "(){}|+?".contains(special) => extended.extend(['\\', special]),
            other => extended.push(other),
        }
    }
    extended
}

#[cfg(test)]
mod tests {
    use super::extended;

    #[test]
    fn a_pattern_means_what_it_means_to_grep() {
        for (basic, wanted) in [
            ("ERROR", "ERROR"),
            (r"ERROR\|WARN", "ERROR|WARN"),
            ("f(x) + 1?", r"f\(x\) \+ 1\?"),
            (r"\(a\)\{2\}", "(a){2}"),
            (r"a\.b*^$", r"a\.b*^$"),
            ("[(|)]+", r"[(|)]\+"),
            ("[]a]|", r"[]a]\|"),
            ("[[:digit:](]x", "[[:digit:](]x"),
            (r"end\", r"end\\"),
        ] {
            assert_eq!(extended(basic), wanted, "{basic}");
        }
    }
}
