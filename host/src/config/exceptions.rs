//! Exceptions a person has written: one command that may run although a rule speaks against it, for a time.
//!
//! Only what is written is read and checked here; when one applies is the gate's business.

use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_shell as shell;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::value::{Datetime, Offset};

use super::layers::{Layers, Origin};
use super::rules::{CUSTOM_RULE_PREFIX, CustomRules};

const MS_PER_DAY: i64 = 24 * 60 * 60 * 1000;
/// Rules of the host itself.
const HOST_RULES: &str = "host/";

/// One command that may run for a time although a rule speaks against it.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExceptionFile {
    /// The rule's id, as a refusal names it.
    pub(super) rule: String,
    /// The command, written out; another one is no exception.
    pub(super) line: String,
    /// The last day (UTC), or the moment with its offset: 2027-01-31, 2027-01-31T18:00:00Z.
    #[serde(deserialize_with = "moment")]
    pub(super) until: String,
    /// Why, for the record.
    pub(super) reason: String,
}

/// An exception as the gate uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    pub rule: String,
    pub line: String,
    /// From this moment on it holds no longer.
    pub until_unix_ms: u64,
    /// The same as written.
    pub until: String,
    pub reason: String,
    /// The file it is written in.
    pub origin: String,
}

/// TOML has moments of its own; as text they are the same.
fn moment<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a date or a moment, such as 2027-01-31 or \"2027-01-31T18:00:00Z\"")]
    enum Written {
        Text(String),
        Moment(Datetime),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::Text(text) => text,
        Written::Moment(moment) => moment.to_string(),
    })
}

/// As it is used; or the key that is wrong, and why.
pub(super) fn read(written: &ExceptionFile, origin: &Origin) -> Result<Exception, (String, String)> {
    let mistake = |key: &str, problem: &str| Err((key.to_owned(), problem.to_owned()));
    let ExceptionFile { rule, line, until, reason } = written;
    if !rule.contains('/') {
        return mistake("rule", "a rule's id is as a refusal names it, e.g. `delete/path` or `custom/NAME`");
    }
    if rule.starts_with(HOST_RULES) {
        return mistake("rule", "what the host itself refuses has no exceptions");
    }
    if reason.trim().is_empty() {
        return mistake("reason", "it is empty; whoever reads the record wants to know why");
    }
    let Some(until_unix_ms) = end(until) else {
        return mistake("until", "it is a day or a moment with its offset: 2027-01-31, 2027-01-31T18:00:00Z");
    };
    check_line(line).map_err(|problem| ("line".to_owned(), problem))?;
    Ok(Exception {
        rule: rule.clone(),
        line: line.clone(),
        until_unix_ms,
        until: until.clone(),
        reason: reason.clone(),
        origin: origin.to_string(),
    })
}

/// Those of a profile. One that names a rule of its own which it does not have is a mistake.
pub(super) fn of(layers: &Layers, rules: &CustomRules) -> Result<Vec<Exception>, String> {
    let mut all = Vec::new();
    let written = layers.layers.iter().flat_map(|(origin, values)| {
        values.exceptions.iter().flatten().enumerate().map(move |(index, written)| (origin, index, written))
    });
    for (origin, index, written) in written {
        let exception =
            read(written, origin).map_err(|(key, problem)| format!("exceptions[{index}].{key}: {problem}"))?;
        let is_there = |rule: &str| rules.all.iter().any(|known| known.rule.full_id() == rule);
        if exception.rule.starts_with(CUSTOM_RULE_PREFIX) && !is_there(&exception.rule) {
            let known: Vec<String> = rules.all.iter().map(|known| known.rule.full_id()).collect();
            let known = if known.is_empty() { "it has none".to_owned() } else { known.join(", ") };
            let rule = exception.rule;
            return Err(format!("exceptions[{index}].rule: `{rule}` is no rule of this profile; {known}"));
        }
        all.push(exception);
    }
    Ok(all)
}

/// Of those that are over, for the person who can take them out.
pub(super) fn notes(exceptions: &[Exception]) -> impl Iterator<Item = String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let over = exceptions.iter().filter(move |exception| u128::from(exception.until_unix_ms) <= now);
    over.map(|exception| {
        let Exception { rule, line, until, .. } = exception;
        format!("the exception from {rule} for `{line}` was over on {until}; take it out")
    })
}

/// What only the run can tell is never excepted, so it is a mistake to write it.
fn check_line(line: &str) -> Result<(), String> {
    let plan = shell::parse(line);
    if let Some(unknown) = plan.unknowns.first() {
        return Err(format!("it is not known in full what it runs ({}), so it is no exception", unknown.what));
    }
    if plan.invocations.is_empty() {
        return Err("it runs nothing".to_owned());
    }
    match shell_words(&plan).find(|word| word.value.is_none()) {
        Some(word) => Err(format!(
            "what `{}` stands for is known only when it runs, so it is no exception; write it out",
            word.text
        )),
        None => Ok(()),
    }
}

fn shell_words(plan: &shell::Plan) -> impl Iterator<Item = &shell::Word> {
    plan.invocations.iter().flat_map(|invocation| {
        invocation.argv.iter().chain(invocation.redirections.iter().map(|redirection| &redirection.target))
    })
}

/// A date or a moment, in milliseconds since 1970; of a date its first one, or the first one after it.
fn moment_unix_ms(text: &str, after: bool) -> Option<u64> {
    let is_day = text.trim().parse::<Datetime>().ok()?.time.is_none();
    let end = end(text)?;
    Some(if is_day && !after { end.saturating_sub(MS_PER_DAY.unsigned_abs()) } else { end })
}

/// How a moment is written, for messages.
pub const MOMENT_FORMS: &str = "write 2026-01-31, 2026-01-31T12:00:00Z, 2h or 7d";

/// As [`moment_unix_ms`], or how long before `now_unix_ms` it was: `90s`, `5m`, `2h`, `7d`.
pub fn moment_or_ago_unix_ms(text: &str, now_unix_ms: u64, after: bool) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit_ms = match unit {
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    match (number.parse::<u64>(), unit_ms) {
        (Ok(number), Some(unit_ms)) => Some(now_unix_ms.saturating_sub(number.saturating_mul(unit_ms))),
        _ => moment_unix_ms(text, after),
    }
}

/// The first millisecond after it.
fn end(text: &str) -> Option<u64> {
    let moment: Datetime = text.trim().parse().ok()?;
    let date = moment.date?;
    let midnight = days_since_1970(date.year.into(), date.month.into(), date.day.into()) * MS_PER_DAY;
    let Some(time) = moment.time else { return u64::try_from(midnight + MS_PER_DAY).ok() };
    let minutes_east = match moment.offset? {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    let seconds = (i64::from(time.hour) * 60 + i64::from(time.minute) - minutes_east) * 60;
    let seconds = seconds + i64::from(time.second.unwrap_or_default());
    u64::try_from(midnight + seconds * 1000).ok()
}

/// Of the Gregorian calendar; years begin in March here, so that the odd day is the last one.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_day_ends_with_it_and_a_moment_has_an_offset() {
        assert_eq!(end("1970-01-01"), Some(86_400_000));
        assert_eq!(end("2024-02-29"), Some(1_709_251_200_000));
        assert_eq!(end("2027-01-31T18:00:00Z"), Some(1_801_418_400_000));
        assert_eq!(end("2027-01-31T20:00:00+02:00"), end("2027-01-31T18:00:00Z"));
        for wrong in ["", "soon", "2027-01-31T18:00:00", "18:00:00", "2027-13-01", "1960-01-01"] {
            assert_eq!(end(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_can_never_apply_is_a_mistake() {
        let read = |toml: &str| {
            let written: ExceptionFile = toml::from_str(toml).map_err(|error| error.to_string())?;
            read(&written, &Origin::BuiltIn).map_err(|(key, problem)| format!("{key}: {problem}"))
        };
        let good = "rule = 'delete/path'\nline = 'rm -r build'\nuntil = 2027-01-31\nreason = 'ours'\n";
        assert_eq!(read(good).unwrap().until, "2027-01-31");
        assert_eq!(read(&good.replace("2027-01-31", "'2027-01-31'")), read(good));
        for (from, to, expected) in [
            ("delete/path", "host/no-opinion", "rule: what the host itself"),
            ("delete/path", "delete", "rule: a rule's id is as"),
            ("rm -r build", "rm -r $X", "line: what `$X` stands for"),
            ("rm -r build", "rm -r \"x", "line: it is not known in full"),
            ("rm -r build", "", "line: it runs nothing"),
            ("2027-01-31", "2027-01-31T10:00:00", "until: it is a day or"),
            ("2027-01-31", "31", "a date or a moment"),
            ("ours", " ", "reason: it is empty"),
        ] {
            let problem = read(&good.replace(from, to)).unwrap_err();
            assert!(problem.contains(expected), "{expected}: {problem}");
        }
    }
}
