//! Outputs as git writes them, and what must hold for any input.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use portcullis_plugin::Endpoint;
use portcullis_plugin::parser::{OutputMeta, Parse, Parser};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{GitStatus, SCHEMA};

fn read(command: &str, chunks: &[&[u8]], truncated: bool) -> (Option<Value>, Vec<(u32, String)>) {
    let meta = OutputMeta {
        argv: command.split(' ').map(str::to_owned).collect(),
        raw_command: command.to_owned(),
        endpoint: Endpoint {
            profile: String::new(),
            user: String::new(),
            tags: Vec::new(),
            levels: Vec::new(),
            attributes: Vec::new(),
        },
        terminal: true,
        now_unix_ms: 0,
        attributes: Vec::new(),
    };
    let mut parse = GitStatus::begin(meta, SCHEMA).unwrap();
    let mut batches: Vec<_> = chunks.iter().map(|chunk| parse.push(chunk).unwrap()).collect();
    batches.push(parse.finish(Some(0), truncated).unwrap());
    let mut documents: Vec<Value> =
        batches.iter().flat_map(|batch| &batch.documents).map(|text| serde_json::from_str(text).unwrap()).collect();
    assert!(documents.len() <= 1);
    let unparsed = batches.into_iter().flat_map(|batch| batch.unparsed).map(|left| (left.line, left.text)).collect();
    (documents.pop(), unparsed)
}

fn document(command: &str, text: &str) -> Value {
    let (document, unparsed) = read(command, &[text.as_bytes()], false);
    assert_eq!(unparsed, [], "{text}");
    document.unwrap()
}

const LONG: &str = "On branch main
Your branch and 'origin/main' have diverged,
and have 1 and 2 different commits each, respectively.
  (use \"git pull\" if you want to integrate the remote branch with yours)

You have unmerged paths.
  (fix conflicts and run \"git commit\")

Changes to be committed:
  (use \"git restore --staged <file>...\" to unstage)
\tnew file:   a b
\trenamed:    old -> new
\tcopied:     \"x -> y\" -> z

Unmerged paths:
  (use \"git add <file>...\" to mark resolution)
\tboth modified:   c

Changes not staged for commit:
  (use \"git add <file>...\" to update what will be committed)
\tmodified:   sub (new commits, untracked content)
\tdeleted:    \"gr\\303\\266\\303\\237e\"
\ttypechange: t

Untracked files:
  (use \"git add <file>...\" to include in what will be committed)
\tdir/

no changes added to commit (use \"git add\" and/or \"git commit -a\")
";

#[test]
fn the_long_form() {
    assert_eq!(
        document("git status", LONG),
        json!({
            "branch": "main", "upstream": "origin/main", "ahead": 1, "behind": 2, "in_progress": ["merge"],
            "staged": [
                {"path": "a b", "change": "added"},
                {"path": "new", "original_path": "old", "change": "renamed"},
                {"path": "z", "original_path": "x -> y", "change": "copied"}],
            "unstaged": [
                {"path": "sub", "change": "modified", "note": "new commits, untracked content"},
                {"path": "größe", "change": "deleted"},
                {"path": "t", "change": "type-changed"}],
            "unmerged": [{"path": "c", "conflict": "both-modified"}],
            "untracked": ["dir/"], "ignored": []
        })
    );
}

#[test]
fn branch_sentences() {
    for (text, expected) in [
        (
            "On branch x\nYour branch is up to date with 'o/x'.\n\nnothing to commit, working tree clean\n",
            json!({"branch": "x", "upstream": "o/x", "ahead": 0, "behind": 0, "clean": true}),
        ),
        (
            "On branch x\nYour branch is ahead of 'o/x' by 12 commits.\n",
            json!({"branch": "x", "upstream": "o/x", "ahead": 12, "behind": 0}),
        ),
        (
            "On branch x\nYour branch is behind 'o/x' by 1 commit, and can be fast-forwarded.\n",
            json!({"branch": "x", "upstream": "o/x", "ahead": 0, "behind": 1}),
        ),
        (
            "On branch x\nYour branch is based on 'o/x', but the upstream is gone.\n",
            json!({"branch": "x", "upstream": "o/x", "upstream_gone": true}),
        ),
        (
            "HEAD detached at 1a2b3c4\nnothing to commit, working tree clean\n",
            json!({"detached": true, "commit": "1a2b3c4", "clean": true}),
        ),
        (
            "On branch x\n\nNo commits yet\n\nnothing to commit (create/copy files and use \"git add\" to track)\n",
            json!({"branch": "x", "no_commits": true}),
        ),
        (
            "# On branch x\n# Changes to be committed:\n#   (use \"git reset\")\n#\n#\tnew file:   a\n#\n",
            json!({"branch": "x", "staged": [{"path": "a", "change": "added"}]}),
        ),
        (
            "interactive rebase in progress; onto abc\nYou are currently rebasing branch 'x' on 'abc'.\n",
            json!({"in_progress": ["rebase"]}),
        ),
    ] {
        let mut wanted = json!({"staged": [], "unstaged": [], "unmerged": [], "untracked": [], "ignored": []});
        wanted.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
        assert_eq!(document("git status", text), wanted, "{text}");
    }
}

#[test]
fn the_short_form() {
    let text = "## main...origin/main [ahead 1, behind 2]\nMM a\nR  \"o ld\" -> n\nUU c\n?? \"x y\"\n!! t/\n D d\n";
    for command in ["git status -sb", "git status --porcelain -b --ignored", "git status"] {
        assert_eq!(
            document(command, text),
            json!({
                "branch": "main", "upstream": "origin/main", "ahead": 1, "behind": 2,
                "staged": [{"path": "a", "change": "modified"}, {"path": "n", "original_path": "o ld", "change": "renamed"}],
                "unstaged": [{"path": "a", "change": "modified"}, {"path": "d", "change": "deleted"}],
                "unmerged": [{"path": "c", "conflict": "both-modified"}],
                "untracked": ["x y"], "ignored": ["t/"]
            })
        );
    }
    for (text, key, value) in [
        ("## HEAD (no branch)\n", "detached", json!(true)),
        ("## No commits yet on main\n", "no_commits", json!(true)),
        ("## main...o/main [gone]\n", "upstream_gone", json!(true)),
        ("## main\n", "branch", json!("main")),
    ] {
        assert_eq!(document("git status -sb", text)[key], value, "{text}");
    }
}

#[test]
fn the_second_porcelain_form() {
    let hash = "1111111111111111111111111111111111111111";
    let text = format!(
        "# branch.oid {hash}\n# branch.head main\n# branch.upstream origin/main\n# branch.ab +3 -0\n# stash 2\n\
         1 .M N... 100644 100644 100644 {hash} {hash} a b\n\
         2 R. N... 100644 100644 100644 {hash} {hash} R100 new\told name\n\
         u UU N... 100644 100644 100644 100644 {hash} {hash} {hash} c\n? u\n! i\n"
    );
    assert_eq!(
        document("git status --porcelain=v2 --branch", &text),
        json!({
            "branch": "main", "commit": hash, "upstream": "origin/main", "ahead": 3, "behind": 0, "stashes": 2,
            "staged": [{"path": "new", "original_path": "old name", "change": "renamed"}],
            "unstaged": [{"path": "a b", "change": "modified"}],
            "unmerged": [{"path": "c", "conflict": "both-modified"}],
            "untracked": ["u"], "ignored": ["i"]
        })
    );
}

#[test]
fn silence_is_clean_only_in_the_short_forms() {
    assert!(read("git status -s", &[], false).0.is_some());
    assert!(read("git status --porcelain=v2", &[], false).0.is_some());
    assert!(read("git status", &[], false).0.is_none());
    assert!(read("git status -s", &[], true).0.is_none());
}

#[test]
fn errors_and_unclear_lines_are_left_with_their_number() {
    let (document, unparsed) = read("git status", &[b"fatal: not a git repository\n"], false);
    assert_eq!((document, unparsed), (None, vec![(1, "fatal: not a git repository".to_owned())]));

    let text = "On branch main\nChanges to be committed:\n\trenamed:    a -> b -> c\n\tnew fi";
    let (document, unparsed) = read("git status", &[text.as_bytes()], true);
    assert_eq!(unparsed, [(3, "\trenamed:    a -> b -> c".to_owned()), (4, "\tnew fi".to_owned())]);
    assert_eq!(document.unwrap()["truncated"], true);

    let (document, unparsed) = read("git status -s", &["?? a\nZZ b\n?  c\nM  \n".as_bytes()], false);
    assert_eq!(unparsed.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(document.unwrap()["untracked"], json!(["a"]));
}

/// Runs the machine's own git in every form on one work tree.
#[test]
fn real_outputs_agree_in_every_form() {
    let folder = std::env::temp_dir().join(format!("parser-git-status-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let git = |line: &str| {
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]);
        command.args(line.split(' ')).current_dir(&folder);
        command.env("LC_ALL", "C").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        output.stdout
    };
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    git("init -q");
    for name in ["kept", "changed", "größe", "gone"] {
        write(name, &format!("{name}\n").repeat(20));
    }
    git("add .");
    git("commit -q -m x");
    git("mv kept moved");
    for name in ["changed", "größe", "un tracked"] {
        write(name, "other\n");
    }
    git("add changed");
    std::fs::remove_file(folder.join("gone")).unwrap();
    let commands = ["status", "status -sb", "status --porcelain=v1 -b", "status --porcelain=v2 --branch"];
    for command in commands {
        let output = git(command);
        let status = document(&format!("git {command}"), &String::from_utf8(output).unwrap());
        assert_eq!(status["branch"], "main", "{command}");
        let staged = json!([{"path": "changed", "change": "modified"}, {"path": "moved", "original_path": "kept", "change": "renamed"}]);
        assert_eq!(status["staged"], staged, "{command}");
        let unstaged = json!([{"path": "gone", "change": "deleted"}, {"path": "größe", "change": "modified"}]);
        assert_eq!(status["unstaged"], unstaged, "{command}");
        assert_eq!(status["untracked"], json!(["un tracked"]), "{command}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_document_has_a_limit_and_the_rest_stays_text() {
    let text: String = (0..10_000).map(|number| format!("?? file-{number}\n")).collect();
    let (document, unparsed) = read("git status -s", &[text.as_bytes()], false);
    let document = document.unwrap();
    let read = document["untracked"].as_array().unwrap().len();
    assert!(read > 1_000 && read + unparsed.len() == 10_000, "{read}");
    assert!(document.to_string().len() < 200 * 1024);
}

fn output() -> impl Strategy<Value = (String, Vec<u8>)> {
    let lines: Vec<Vec<u8>> = LONG
        .lines()
        .chain(["## m...o/m [gone]", "R  a -> b", "?? ü", "1 .M N... 1 1 1 h h p", "# stash 1", "# x", "\tx"])
        .map(|line| line.as_bytes().to_vec())
        .collect();
    let line = prop_oneof![
        4 => proptest::sample::select(lines),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => "[MADRCU?!. ]{2} [\"a-z\\\\ >-]{0,12}".prop_map(String::into_bytes),
    ];
    let command = proptest::sample::select(vec![
        "git status",
        "git status -sb",
        "git status --porcelain=v2",
        "git status --long",
    ]);
    (command.prop_map(str::to_owned), proptest::collection::vec(line, 0..30).prop_map(|lines| lines.join(&b'\n')))
}

proptest! {
    #[test]
    fn any_split_gives_the_same((command, text) in output(), size in 1usize..40) {
        let chunks: Vec<&[u8]> = text.chunks(size).collect();
        prop_assert_eq!(read(&command, &chunks, false), read(&command, &[&text], false));
    }

    #[test]
    fn what_is_left_is_what_was_there((command, text) in output(), truncated: bool) {
        let (document, unparsed) = read(&command, &[&text], truncated);
        let lines: Vec<String> = text.split(|byte| *byte == b'\n')
            .map(|line| String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()).collect();
        for (line, left) in &unparsed {
            prop_assert_eq!(left, &lines[*line as usize - 1]);
        }
        if document.is_none() && command != "git status --long" {
            // No document: then no line but an empty one may be missing from what was left.
            let filled = lines.iter().filter(|line| !line.trim().is_empty()).count();
            prop_assert!(unparsed.iter().filter(|(_, text)| !text.trim().is_empty()).count() == filled, "{:?}", unparsed);
        }
    }
}

#[test]
fn every_state_in_progress_is_named() {
    for (sentence, state) in [
        ("interactive rebase in progress; onto 1a2b3c4", "rebase"),
        ("You are currently splitting a commit while rebasing branch 'x' on 'y'.", "rebase"),
        ("Cherry-pick currently in progress.", "cherry-pick"),
        ("You are currently cherry-picking commit 1a2b3c4.", "cherry-pick"),
        ("Revert currently in progress.", "revert"),
        ("You are currently bisecting, started from branch 'x'.", "bisect"),
        ("You have unmerged paths.", "merge"),
    ] {
        let text = format!("On branch main\n{sentence}\n\nnothing to commit, working tree clean\n");
        assert_eq!(document("git status", &text)["in_progress"], json!([state]), "{sentence}");
    }
}
