//! A call's arguments, read strictly, with an error a model can act on.

use rmcp::model::JsonObject;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::reply::Reply;

/// The parameters, or the reply that says what is wrong with them.
pub(super) fn read<T: DeserializeOwned>(arguments: JsonObject, schema: fn() -> JsonObject) -> Result<T, Box<Reply>> {
    serde_json::from_value(Value::Object(arguments)).map_err(|error| {
        let schema = schema();
        let known: Vec<String> = schema
            .get("properties")
            .and_then(Value::as_object)
            .map(|p| p.keys().cloned().collect())
            .unwrap_or_default();
        let problem = error.to_string();
        let unknown = problem.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        let message = match unknown {
            Some(name) => match nearest(name, &known) {
                Some(near) => {
                    format!("there is no argument `{name}`; did you mean `{near}`? Arguments: {}", known.join(", "))
                }
                None => format!("there is no argument `{name}`. Arguments: {}", known.join(", ")),
            },
            None => format!("the arguments do not fit: {problem}. Arguments: {}", known.join(", ")),
        };
        Box::new(Reply::bad_arguments(message))
    })
}

/// The known name that differs in at most a third of its letters.
fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance * 3 <= candidate.len().max(name.len())
                || candidate.contains(name)
                || name.contains(candidate.as_str())
        })
        .min()
        .map(|(_, candidate)| candidate.as_str())
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_name() {
        let known = ["command".to_owned(), "session_id".to_owned(), "wait_s".to_owned()];
        assert_eq!(nearest("comand", &known), Some("command"));
        assert_eq!(nearest("session", &known), Some("session_id"));
        assert_eq!(nearest("zzz", &known), None);
    }
}
