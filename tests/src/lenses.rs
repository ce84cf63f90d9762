//! Results as clients hand them to a model: some show only the structured part, some only the text, and all cut.

use serde_json::Value;

use crate::mcp::Answer;

/// What is left of a result behind one client.
#[derive(Debug, Clone)]
pub struct Seen {
    pub lens: &'static str,
    pub text: String,
}

/// Through each client's way of showing and cutting.
pub fn all(answer: &Answer) -> Vec<Seen> {
    let structured = answer.structured.to_string();
    let only_structured = if answer.structured == Value::Null { &answer.text } else { &structured };
    let seen = |lens, text| Seen { lens, text };
    vec![
        // Cuts at 25,000 tokens; of an error, at some 11,000 characters.
        seen("claude-code", head(only_structured, if answer.is_error { 11_000 } else { 100_000 })),
        // Cuts the middle out, to 10 KiB and 256 lines.
        seen("codex", middle_out(only_structured, 10 * 1024)),
        seen("codex, text", lines_out(&middle_out(&answer.text, 10 * 1024), 256)),
        seen("claude-desktop", head(&answer.text, 1_000_000)),
        seen("gemini", answer.text.clone()),
    ]
}

fn head(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

fn tail(text: &str, chars: usize) -> String {
    let skip = text.chars().count().saturating_sub(chars);
    text.chars().skip(skip).collect()
}

fn middle_out(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let half = bytes / 2;
    format!("{}…{}", head(text, half), tail(text, half))
}

fn lines_out(text: &str, most: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= most {
        return text.to_owned();
    }
    let (first, last) = (&lines[..most / 2], &lines[lines.len() - most / 2..]);
    format!("{}\n…\n{}", first.join("\n"), last.join("\n"))
}
