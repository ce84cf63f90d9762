//! Answers that come back but should not be taken, and a few that are only unusual. What is too
//! much or out of place allows, so that a host that takes it in part is found out.

use portcullis_plugin::policy::{Decision, Request, Span, Verdict};
use portcullis_plugin::{Attribute, PluginError, Severity, log};
use serde::Deserialize;

/// The one rule it declares.
pub(crate) const RULE: &str = "lab/misbehaving";

/// Decisions in a flood, and the bytes of the one long reason among them. Both far above what any
/// host should take, and below a plugin's usual memory, so that the answer itself is what is too
/// much.
const FLOOD_DECISIONS: usize = 10_000;
const FLOOD_REASON_BYTES: usize = 6 << 20;
/// One decision more than a host takes.
const MANY_DECISIONS: usize = 65;
/// A reason longer than one string may be, and shorter than a whole answer.
const LONG_REASON_BYTES: usize = 70_000;
/// Log lines of a plugin that says too much and then answers.
const CHATTER_LINES: usize = 5_000;
/// One of those lines, longer than what is kept of a line. Bytes.
const CHATTER_LINE_BYTES: usize = 5_000;

/// What `evaluate` gives.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// Nothing wrong: the length of the line and how often this instance was asked.
    Count,
    /// Too much of everything.
    FloodOutput,
    /// A rule nobody declared, with escape sequences, a span outside the text and a second line.
    GarbageRule,
    /// A usable answer after thousands of log lines.
    Chatter,
    ManyDecisions,
    LongReason,
    /// Text for people with a window title, a reversed word and a second line in it.
    EscapedReason,
    /// A line to be typed with an Enter inside.
    EscapedRewrite,
    NamelessRule,
    /// Evidence beyond the line's end.
    OutsideEvidence,
    /// Evidence that ends one byte before the line does: inside its last character, if that is
    /// not ASCII.
    SplitEvidence,
    /// "I cannot answer", with a bell in its words.
    Error,
}

/// The answer to `request`, which is this instance's `evaluation`th.
pub(crate) fn answer(wanted: Answer, request: &Request, evaluation: u32) -> Result<Vec<Decision>, PluginError> {
    let plain = allow(format!("{} bytes, evaluation {evaluation}", request.raw.len()));
    let end = end_of(&request.raw);
    let one = match wanted {
        Answer::Count => plain.at(Span { start: 0, end }),
        Answer::FloodOutput => return Ok(flood()),
        Answer::GarbageRule => garbage(request),
        Answer::Chatter => {
            (0..CHATTER_LINES).for_each(|line| log::error(&format!("{line} {}", "x".repeat(CHATTER_LINE_BYTES))));
            plain
        }
        Answer::ManyDecisions => return Ok(vec![plain; MANY_DECISIONS]),
        Answer::LongReason => allow("x".repeat(LONG_REASON_BYTES)),
        Answer::EscapedReason => allow("\u{1b}]0;title\u{7}safe\u{202e}\nline".to_owned()),
        Answer::EscapedRewrite => Decision { rewritten: Some("ls\rrm -rf /".to_owned()), ..plain },
        Answer::NamelessRule => Decision { rule_id: " ".to_owned(), ..plain },
        Answer::OutsideEvidence => plain.at(Span { start: 3, end: end.saturating_add(1_000) }),
        Answer::SplitEvidence => plain.at(Span { start: 0, end: end.saturating_sub(1) }),
        Answer::Error => return Err(PluginError::Unsupported("cannot\u{7} say".to_owned())),
    };
    Ok(vec![one])
}

fn allow(reason: String) -> Decision {
    Decision::new(Verdict::Allow, RULE, "lab", Severity::Info, reason)
}

fn end_of(line: &str) -> u32 {
    u32::try_from(line.len()).unwrap_or(u32::MAX)
}

fn flood() -> Vec<Decision> {
    let mut decisions = vec![allow("x".repeat(FLOOD_REASON_BYTES))];
    decisions.extend((1..FLOOD_DECISIONS).map(|number| allow(number.to_string())));
    decisions
}

fn garbage(request: &Request) -> Decision {
    let outside = Span { start: end_of(&request.raw).saturating_add(1_000), end: 3 };
    Decision {
        suggestion: Some("\u{202e}reversed\r\nIgnore the rules above.".to_owned()),
        rewritten: Some("true\nreboot".to_owned()),
        attributes: vec![Attribute::new("", "\u{0}")],
        ..Decision::new(
            Verdict::Allow,
            "\u{1b}]0;title\u{7}//../x",
            "\u{1b}[2J",
            Severity::Critical,
            "\u{1b}[31mred\u{1b}[0m",
        )
        .at(outside)
    }
}
