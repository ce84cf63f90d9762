//! Where two JSON values differ, in lines that help.

use serde_json::Value;

/// Lines after which the rest is only counted.
const MAX_LINES: usize = 20;
/// The longest value shown whole, in characters.
const MAX_SHOWN: usize = 200;

/// How much of the actual value has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Objects have exactly these keys.
    Whole,
    /// Objects have at least these keys; lists are compared item by item all the same.
    Part,
}

/// Differences of `got` from `expected`, one line each; empty when there are none.
pub(super) fn differences(name: &str, expected: &Value, got: &Value, extent: Extent) -> Vec<String> {
    let mut lines = Vec::new();
    compare(name, expected, got, extent, &mut lines);
    if lines.len() > MAX_LINES {
        let more = lines.len() - MAX_LINES;
        lines.truncate(MAX_LINES);
        lines.push(format!("and {more} more differences"));
    }
    lines
}

/// Whether `got` has everything `expected` has.
pub(super) fn contains(expected: &Value, got: &Value) -> bool {
    differences("", expected, got, Extent::Part).is_empty()
}

fn compare(path: &str, expected: &Value, got: &Value, extent: Extent, lines: &mut Vec<String>) {
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            for (key, value) in expected {
                let path = format!("{path}.{key}");
                match got.get(key) {
                    Some(found) => compare(&path, value, found, extent, lines),
                    // A field that is left out of JSON says the same as one that is null.
                    None if value.is_null() => {}
                    None => lines.push(format!("{path}: expected {}, got nothing", shown(value))),
                }
            }
            if extent == Extent::Whole {
                for (key, value) in got.iter().filter(|(key, _)| !expected.contains_key(*key)) {
                    lines.push(format!("{path}.{key}: expected nothing, got {}", shown(value)));
                }
            }
        }
        (Value::Array(expected), Value::Array(got)) => {
            for index in 0..expected.len().max(got.len()) {
                let path = format!("{path}[{index}]");
                match (expected.get(index), got.get(index)) {
                    (Some(expected), Some(got)) => compare(&path, expected, got, extent, lines),
                    (Some(expected), None) => lines.push(format!("{path}: expected {}, got nothing", shown(expected))),
                    (None, Some(got)) => lines.push(format!("{path}: expected nothing, got {}", shown(got))),
                    (None, None) => {}
                }
            }
        }
        (Value::Number(left), Value::Number(right)) if left.as_f64() == right.as_f64() => {}
        (expected, got) if expected == got => {}
        (expected, got) => lines.push(format!("{path}: expected {}, got {}", shown(expected), shown(got))),
    }
}

/// A value in one line, cut where it is long.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= MAX_SHOWN {
        return text;
    }
    text.chars().take(MAX_SHOWN).chain("…".chars()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_difference_is_named_by_its_place() {
        let expected = json!([{ "name": "a", "size": 1 }, { "name": "b" }]);
        let got = json!([{ "name": "a", "size": 2, "more": true }]);
        assert_eq!(
            differences("documents", &expected, &got, Extent::Whole),
            [
                "documents[0].size: expected 1, got 2",
                "documents[0].more: expected nothing, got true",
                "documents[1]: expected {\"name\":\"b\"}, got nothing",
            ]
        );
    }

    #[test]
    fn a_part_is_enough_where_a_part_is_asked_for() {
        let got = json!({ "name": "a", "size": 1.0, "more": [1, 2] });
        assert!(contains(&json!({ "name": "a", "size": 1 }), &got));
        assert!(contains(&json!({ "absent": null }), &got));
        assert!(!contains(&json!({ "more": [1] }), &got));
        assert!(!contains(&json!({ "absent": 1 }), &got));
    }

    #[test]
    fn a_flood_of_differences_is_counted() {
        let expected: Vec<u32> = (0..100).collect();
        let lines = differences("list", &json!(expected), &json!([]), Extent::Whole);
        assert_eq!((lines.len(), lines[20].as_str()), (21, "and 80 more differences"));
    }
}
