//! Outputs as git writes them, and what must hold for any input.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use parser_kit::testing::{Read, claim, holds, read, read_stored, shuffled, stored};
use proptest::prelude::*;
use serde_json::json;

use crate::History;

macro_rules! output {
    ($name:literal) => {
        include_str!(concat!("../tests/outputs/", $name, ".txt"))
    };
}

/// Reads a stored output of which every line fits.
fn whole(file: &str) -> Read {
    let read = read_stored::<History>(file);
    assert_eq!(read.unparsed, [], "{file}");
    read
}

#[test]
fn commits_in_the_default_format() {
    let log = whole(output!("log"));
    assert_eq!(log.documents.len(), 5);
    assert_eq!(
        log.documents[4],
        json!({"commit": "47364ff5e72da7551f576670b97e01fc6eb04ff9", "author": "Jo Écrit <jo@example.org>",
            "author_name": "Jo Écrit", "author_email": "jo@example.org", "author_date": "Fri Nov 20 10:00:00 2026 +0100",
            "subject": "first: begin", "body": "A body\n    indented\n\nFixes: #1"})
    );
    assert_eq!(log.documents[1]["merged_commits"], json!(["679f060", "287e24a"]));
    assert_eq!(whole(output!("log-fuller")).documents[0]["committer_email"], "j@e");
}

#[test]
fn commits_with_the_numbers_of_their_files() {
    let log = whole(output!("log-stat"));
    assert_eq!((&log.documents[0]["branch"], &log.documents[4]["tags"]), (&json!("main"), &json!(["v1"])));
    assert_eq!(
        log.documents[2]["files"],
        json!([{"original_path": "a.txt", "path": "b c.txt", "changed_lines": 0, "insertions": 0, "deletions": 0}])
    );
    assert_eq!(
        log.documents[3]["files"][1],
        json!({"path": "bin", "is_binary": true, "bytes_before": 2, "bytes_after": 3})
    );
    assert_eq!(log.documents[3]["total"], json!({"files_changed": 3, "insertions": 1, "deletions": 10}));
    let show = whole(output!("show-stat"));
    assert_eq!((show.documents.len(), &show.documents[0]["files"][0]["path"]), (1, &json!("z")));
    let status = whole(output!("log-name-status"));
    assert_eq!(
        status.documents[2]["files"],
        json!([{"path": "b c.txt", "original_path": "a.txt", "similarity_percent": 100, "change": "renamed"}])
    );
}

#[test]
fn commits_in_one_line() {
    let log = whole(output!("log-oneline"));
    assert_eq!(
        log.documents[0],
        json!({"commit": "a72ddbc", "refs": ["HEAD -> main", "gone"], "branch": "main", "subject": "local"})
    );
    assert_eq!(log.documents[3]["refs"], json!(["origin/side", "other"]));
    let graph = read_stored::<History>(output!("log-graph"));
    assert_eq!(
        (graph.documents.len(), graph.unparsed.len(), &graph.documents[2]["subject"]),
        (5, 0, &json!("side: change"))
    );
    let numbers = whole(output!("log-shortstat"));
    assert_eq!(numbers.documents[3]["total"]["deletions"], 10);
    // A parenthesis of the subject's own is no ref.
    let text = "1a2b3c4 (fix) a thing\n1a2b3c5 (see: x y) z\n";
    assert_eq!(read::<History>("git log --oneline", text).documents[0]["subject"], "(fix) a thing");
    assert_eq!(read::<History>("git log --oneline --decorate", text).documents[0]["refs"], json!(["fix"]));
    assert_eq!(read::<History>("git log --oneline --decorate", text).documents[1]["subject"], "(see: x y) z");
}

#[test]
fn notes_and_what_does_not_fit() {
    let text = "commit 1a2b3c4d\ngpg: Good signature\nAuthor: A B <a@b>\nDate:   x\n\n    subject\n    commit 5e6f7a8b\n\nNotes:\n    noted\n\nrubbish\n";
    let log = read::<History>("git log", text);
    assert_eq!((log.documents.len(), log.left()), (1, vec![2, 12]));
    assert_eq!((&log.documents[0]["notes"], &log.documents[0]["body"]), (&json!("noted"), &json!("commit 5e6f7a8b")));
}

#[test]
fn differences_in_numbers() {
    let difference = whole(output!("diff-stat"));
    assert_eq!(
        difference.documents[2],
        json!({"path": "src/deep/x.rs", "changed_lines": 10, "insertions": 0, "deletions": 10})
    );
    assert_eq!(difference.documents[4], json!({"files_changed": 4, "insertions": 2, "deletions": 10}));
    assert_eq!(whole(output!("diff-numstat")).documents[1], json!({"path": "bin", "is_binary": true}));
    let text = " src/{a => b}/x.rs      |  100 +++++-----\n .../very/deep/file.rs  |    1 +\n \"gr\\303\\266\\303\\237e\" | 2 +-\n what | is this\n";
    let read = read::<History>("git diff --stat", text);
    assert_eq!(read.documents[0], json!({"original_path": "src/a/x.rs", "path": "src/b/x.rs", "changed_lines": 100}));
    assert_eq!(
        (&read.documents[1]["is_cut"], &read.documents[2]["path"], read.left()),
        (&json!(true), &json!("größe"), vec![4])
    );
}

#[test]
fn branches_with_their_upstream() {
    let branches = whole(output!("branch-vv"));
    assert_eq!(
        *branches.find("name", "main"),
        json!({"name": "main", "is_current": true, "commit": "a72ddbc", "upstream": "origin/main", "ahead": 1, "subject": "local"})
    );
    let other = branches.find("name", "other");
    assert_eq!(
        (&other["worktree"], &other["upstream"], &other["subject"]),
        (&json!("/srv/w"), &json!("origin/side"), &json!("side: change"))
    );
    assert_eq!(branches.find("name", "remotes/origin/HEAD")["points_to"], "origin/main");
    assert_eq!(whole(output!("branch-detached")).documents[0]["state"], "HEAD detached at a72ddbc");
    let text = "  a 1a2b3c4 [origin/a: gone] x\n  b 1a2b3c5 [WIP] y\n  c 1a2b3c6 [origin/c: ahead 1, behind 22] [z] w\nfatal: no\n";
    let read = read::<History>("git branch -vv", text);
    assert_eq!((&read.documents[0]["upstream_gone"], &read.documents[1]["subject"]), (&json!(true), &json!("[WIP] y")));
    assert_eq!((&read.documents[2]["behind"], &read.documents[2]["subject"]), (&json!(22), &json!("[z] w")));
    assert_eq!(read.left(), [4]);
    assert_eq!(parser_kit::testing::read::<History>("git branch", "* main\n  x\n").documents[1], json!({"name": "x"}));
}

#[test]
fn other_output_is_not_claimed() {
    for (command, text) in [
        ("git log -p", "commit 1a2b3c4d\n"),
        ("git log --format=%H", "1a2b3c4d\n"),
        ("git log --graph", "* commit 1a2b3c4d\n"),
        ("git show", "commit 1a2b3c4d\n"),
        ("git diff", " a | 1 +\n"),
        ("git branch --show-current", "main\n"),
        ("git status", "On branch main\n"),
        ("git log", "fatal: not a git repository\n"),
        ("hg log", "commit 1a2b3c4d\n"),
    ] {
        assert_eq!(claim::<History>(command, text), None, "{command}");
    }
}

fn is_structure(line: &str) -> bool {
    let words = ["Author", "AuthorDate", "Commit", "CommitDate", "Date", "Merge", "commit"];
    words.iter().any(|word| line.starts_with(word))
        || line.contains("change")
        || line.contains("detached")
        || line.contains("insertion")
        || line.contains("behind")
        || line.contains("bytes")
        || line.contains("tag:")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn nothing_is_lost(text in shuffled(&[stored(output!("log-stat")).1, stored(output!("log-fuller")).1, stored(output!("log-oneline")).1, stored(output!("diff-numstat")).1, stored(output!("branch-vv")).1]), size in 1usize..60) {
        for (command, schema) in [("git log", "git-log/1"), ("git log --graph --oneline", "git-log/1"), ("git diff --stat", "git-diff-stat/1"), ("git branch -vv", "git-branch/1")] {
            holds::<History>(command, schema, &text, size, is_structure);
        }
    }
}
