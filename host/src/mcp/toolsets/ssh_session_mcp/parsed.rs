//! Output as data in the predecessor's three forms, out of what our parsers have read.

use serde_json::{Value, json};

use crate::ops::Parsed;

/// `{type, data}`; none where it had no such form.
pub(super) fn of(parsed: &Parsed) -> Option<Value> {
    let documents = parsed.documents.as_slice();
    let (kind, data) = match parsed.schema.as_str() {
        "git-status/1" => ("git_status", git_status(documents.first()?)),
        "git-log/1" => ("git_log", documents.iter().map(commit).collect()),
        "ls/1" => ("ls_la", documents.iter().map(entry).collect()),
        _ => return None,
    };
    Some(json!({ "type": kind, "data": data }))
}

fn git_status(status: &Value) -> Value {
    let changes = |list: &str, wanted: fn(&str) -> bool| -> Vec<Value> {
        let all = status[list].as_array().into_iter().flatten();
        let fitting = all.filter(|change| wanted(change["change"].as_str().unwrap_or_default()));
        fitting.map(|change| change["path"].clone()).collect()
    };
    let mut data = json!({
        "branch": status["branch"],
        "staged": changes("staged", |_| true),
        "modified": changes("unstaged", |change| change != "deleted"),
        "untracked": status["untracked"],
        "deleted": changes("unstaged", |change| change == "deleted"),
    });
    for name in ["ahead", "behind"] {
        if let Some(count) = status.get(name) {
            data[name] = count.clone();
        }
    }
    data
}

fn commit(commit: &Value) -> Value {
    let text = |name: &str| commit[name].as_str().unwrap_or_default();
    let message = [text("subject"), text("body")].join(" ");
    let words: Vec<&str> = message.split_whitespace().collect();
    let first = |names: [&str; 2]| names.into_iter().find_map(|name| commit.get(name)).cloned();
    json!({
        "hash": commit["commit"],
        "author": first(["author", "author_name"]),
        "date": first(["author_date", "committer_date"]),
        "message": words.join(" "),
    })
}

fn entry(entry: &Value) -> Value {
    let kind = match entry["kind"].as_str() {
        Some("file") => "file",
        Some("directory") => "directory",
        Some("symlink") => "link",
        _ => "other",
    };
    json!({
        "permissions": entry["mode"],
        "links": entry["links"],
        "owner": entry["owner"],
        "group": entry["group"],
        "size": entry.get("size_bytes").or(entry.get("size_text")),
        "date": entry["modified"],
        "name": entry["name"],
        "type": kind,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn parsed(schema: &str, documents: Vec<Value>) -> Option<Value> {
        of(&Parsed { schema: schema.to_owned(), documents, ..Parsed::default() })
    }

    #[test]
    fn a_work_tree_is_told_by_its_lists() {
        let told = parsed(
            "git-status/1",
            vec![json!({
                "branch": "main", "ahead": 2, "unmerged": [], "ignored": [], "untracked": ["new"],
                "staged": [{ "path": "a", "change": "added" }],
                "unstaged": [{ "path": "b", "change": "modified" }, { "path": "c", "change": "deleted" }],
            })],
        );
        let data = json!({
            "branch": "main", "ahead": 2, "staged": ["a"], "modified": ["b"], "untracked": ["new"], "deleted": ["c"]
        });
        assert_eq!(told.unwrap(), json!({ "type": "git_status", "data": data }));
    }

    #[test]
    fn commits_and_entries_have_their_fields() {
        let log = parsed(
            "git-log/1",
            vec![
                json!({ "commit": "abc", "author": "A <a@b>", "author_date": "today", "subject": "one", "body": "two\nthree" }),
            ],
        );
        let data = &log.unwrap()["data"][0];
        assert_eq!((&data["hash"], &data["message"]), (&json!("abc"), &json!("one two three")));
        let ls = parsed(
            "ls/1",
            vec![
                json!({ "name": "x", "kind": "symlink", "mode": "lrwxrwxrwx", "links": 1, "modified": "Jan 1", "size_bytes": 3 }),
            ],
        );
        let data = &ls.unwrap()["data"][0];
        assert_eq!((&data["type"], &data["size"], &data["name"]), (&json!("link"), &json!(3), &json!("x")));
        assert_eq!(parsed("stat/1", vec![json!({})]), None);
    }
}
