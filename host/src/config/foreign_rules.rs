//! `policyRules` of ssh-session-mcp as rules of ours.
//!
//! There a rule that only warns could let pass what the mode refuses; here no rule does, which is told.

use serde_json::Value;

use super::PolicyMode;
use super::rules::{Rule, RuleAction};

/// The rules that mean something here, and notes on the rest.
pub(super) fn read(written: &Value) -> (Option<Vec<Rule>>, Vec<String>) {
    let (mut rules, mut notes): (Vec<Rule>, Vec<String>) = (Vec::new(), Vec::new());
    for (index, entry) in written.as_array().into_iter().flatten().enumerate() {
        let named = entry["id"].as_str().map_or_else(|| format!("{}", index + 1), str::to_owned);
        match rule(entry, &named) {
            Ok(rule) if rules.iter().any(|known| known.id == rule.id) => {
                notes.push(format!("the rule `{named}` is not carried over: another one is called `{}` here", rule.id));
            }
            Ok(rule) => rules.push(rule),
            Err(problem) => notes.push(format!("the rule `{named}` is not carried over: {problem}")),
        }
    }
    if rules.iter().any(|rule| rule.action == Some(RuleAction::Warn)) {
        let note =
            "rules that only warn let nothing pass here that the mode refuses; a person writes an exception for that";
        notes.push(note.to_owned());
    }
    ((!rules.is_empty()).then_some(rules), notes)
}

fn rule(entry: &Value, named: &str) -> Result<Rule, String> {
    let text = |key: &str| entry[key].as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned);
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let pattern = text("pattern").ok_or("it has no `pattern`")?;
    let action = match text("action").as_deref() {
        None | Some("error" | "block") => RuleAction::Deny,
        Some("warning" | "warn" | "log") => RuleAction::Warn,
        Some(other) => return Err(format!("its `action` is `{other}`")),
    };
    let modes = match text("mode").as_deref() {
        Some("full") => Some(vec![PolicyMode::Full]),
        Some("both" | "all") => None,
        None | Some("safe") => Some(vec![PolicyMode::Safe]),
        Some(other) => return Err(format!("its `mode` is `{other}`")),
    };
    let rule = Rule {
        id: named.chars().map(plain).collect(),
        action: Some(action),
        enabled: entry["enabled"].as_bool().filter(|enabled| !enabled),
        modes,
        pattern: Some(with_flags(&pattern, entry["flags"].as_str().unwrap_or_default())?),
        message: text("message"),
        suggestion: text("suggestion"),
        priority: entry["priority"].as_i64().and_then(|priority| i32::try_from(priority).ok()),
        ..Rule::default()
    };
    rule.check().map_err(|(key, problem)| format!("{key}: {problem}"))?;
    Ok(rule)
}

/// Flags of JavaScript: `g`, `y` and `u` change nothing about whether there is a match.
fn with_flags(pattern: &str, flags: &str) -> Result<String, String> {
    if let Some(unknown) = flags.chars().find(|flag| !"imsguy".contains(*flag)) {
        return Err(format!("its flag `{unknown}` is not known here"));
    }
    let kept: String = flags.chars().filter(|flag| "ims".contains(*flag)).collect();
    Ok(if kept.is_empty() { pattern.to_owned() } else { format!("(?{kept}){pattern}") })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_mean_the_same_here_or_are_told() {
        let (rules, notes) = read(&json!([
            { "id": "no drop", "pattern": "drop\\s+table", "flags": "gi", "mode": "full", "action": "block",
              "message": "no", "suggestion": "ask", "priority": 5 },
            { "id": "log", "pattern": "git push", "action": "log" },
            { "id": "ahead", "pattern": "rm(?!x)" },
            { "id": "log", "pattern": "again" },
            { "id": "what", "pattern": "x", "action": "explode" },
        ]));
        let rules = rules.unwrap();
        assert_eq!((rules[0].id.as_str(), rules[0].pattern.as_deref()), ("no-drop", Some("(?i)drop\\s+table")));
        assert_eq!((rules[0].action, rules[0].priority), (Some(RuleAction::Deny), Some(5)));
        assert_eq!((rules[0].modes.as_deref(), rules.len()), (Some(&[PolicyMode::Full][..]), 2));
        assert_eq!(rules[1].action, Some(RuleAction::Warn));
        for words in ["`ahead` is not carried over: pattern: ", "another one is called `log`", "`explode`", "only warn"]
        {
            assert!(notes.iter().any(|note| note.contains(words)), "{words}: {notes:?}");
        }
        assert_eq!(read(&Value::Null), (None, Vec::new()));
    }
}
