//! Listings as programs write them, and what must hold for any input.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use portcullis_plugin::parser::{OutputMeta, Parse, Parser};
use portcullis_plugin::{Endpoint, PluginError};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{Ls, SCHEMA};

fn meta(command: &str, terminal: bool) -> OutputMeta {
    OutputMeta {
        argv: command.split(' ').map(str::to_owned).collect(),
        raw_command: command.to_owned(),
        endpoint: Endpoint {
            profile: String::new(),
            user: String::new(),
            tags: Vec::new(),
            levels: Vec::new(),
            attributes: Vec::new(),
        },
        terminal,
        now_unix_ms: 0,
        attributes: Vec::new(),
    }
}

fn read(command: &str, terminal: bool, chunks: &[&[u8]], truncated: bool) -> (Vec<Value>, Vec<(u32, String)>) {
    let mut parse = Ls::begin(meta(command, terminal), SCHEMA).unwrap();
    let mut batches: Vec<_> = chunks.iter().map(|chunk| parse.push(chunk).unwrap()).collect();
    batches.push(parse.finish(Some(0), truncated).unwrap());
    let mut documents = Vec::new();
    let mut unparsed = Vec::new();
    for batch in batches {
        documents.extend(batch.documents.iter().map(|text| serde_json::from_str(text).unwrap()));
        unparsed.extend(batch.unparsed.into_iter().map(|left| (left.line, left.text)));
    }
    (documents, unparsed)
}

fn names(command: &str, terminal: bool, text: &str) -> Vec<String> {
    let (documents, unparsed) = read(command, terminal, &[text.as_bytes()], false);
    assert_eq!(unparsed, [], "{text}");
    documents.iter().map(|document| document["name"].as_str().unwrap().to_owned()).collect()
}

const GNU: &str = "total 24
drwxr-xr-x  2 root root     4096 Nov 21 04:15 .
-rw-r--r--. 1 joe  staff 1234567 Mar  2  2024 notes on a plan.txt
lrwxrwxrwx+ 1 root root        7 Nov 21 04:15 bin -> usr/bin
brw-rw----  1 root disk   8,   0 Nov 21 04:15 sda
crw-rw-rw-  1 root root   1,3    Nov 21 04:15 null
srwxrwxrwt  1 1000 1000        0 2026-11-21 04:15 s
";

#[test]
fn a_gnu_listing() {
    let (documents, unparsed) = read("ls -la", false, &[GNU.as_bytes()], false);
    assert_eq!(unparsed, []);
    assert_eq!(documents.len(), 6);
    assert_eq!(
        documents[1],
        json!({"name": "notes on a plan.txt", "kind": "file", "mode": "-rw-r--r--.", "links": 1, "owner": "joe",
            "group": "staff", "size_bytes": 1_234_567, "modified": "Mar 2 2024"})
    );
    assert_eq!(documents[2]["target"], "usr/bin");
    assert_eq!(documents[3]["device"], json!({"major": 8, "minor": 0}));
    assert_eq!(documents[4]["device"], json!({"major": 1, "minor": 3}));
    assert_eq!((&documents[5]["kind"], &documents[5]["owner"]), (&json!("socket"), &json!("1000")));
}

#[test]
fn rounded_sizes_stay_text() {
    let (documents, unparsed) = read("ls -lh", false, &[b"total 4.0K\n-rw-r--r-- 1 a b 4.0K Nov 21 04:15 x\n"], false);
    assert_eq!(unparsed, []);
    assert_eq!(documents[0]["size_text"], "4.0K");
    assert_eq!(documents[0].get("size_bytes"), None);
}

#[test]
fn several_directories_have_their_headings() {
    let text = "-rw-r--r-- 1 a b 1 Nov 21 04:15 f\n\n/tmp/my dir:\ntotal 0\n-rw-r--r-- 1 a b 1 Nov 21 04:15 x:\n\nempty:\n总用量 0\n";
    let (documents, unparsed) = read("ls -l f dir", false, &[text.as_bytes()], false);
    assert_eq!(unparsed, []);
    let places: Vec<_> = documents.iter().map(|document| (&document["name"], document.get("directory"))).collect();
    assert_eq!(places, [(&json!("f"), None), (&json!("x:"), Some(&json!("/tmp/my dir")))]);
}

#[test]
fn inodes_blocks_and_missing_columns() {
    let (documents, _) = read("ls -lis", false, &[b"131 4 -rw-r--r-- 1 a b 9 Nov 21 04:15 x\n"], false);
    assert_eq!((&documents[0]["inode"], &documents[0]["blocks"]), (&json!(131), &json!("4")));
    let (documents, _) = read("ls -lo", false, &[b"-rw-r--r-- 1 a 9 Nov 21 04:15 x\n"], false);
    assert_eq!((documents[0].get("group"), &documents[0]["owner"]), (None, &json!("a")));
    let (documents, _) = read("ls -g", false, &[b"-rw-r--r-- 1 b 9 Nov 21 04:15 x\n"], false);
    assert_eq!((documents[0].get("owner"), &documents[0]["group"]), (None, &json!("b")));
}

#[test]
fn names_quoted_for_a_terminal() {
    let row = "-rw-r--r-- 1 a b 1 Nov 21 04:15 ";
    let text = format!("{row}\u{20}a\n{row}'b c'\n{row}\u{20}d\n");
    assert_eq!(names("ls -l", true, &text), ["a", "b c", "d"]);
    // Without a quoted name beside it a blank belongs to the name.
    let text = format!("{row}\u{20}a\n{row}b\n");
    assert_eq!(names("ls -l", true, &text), [" a", "b"]);
    assert_eq!(names("ls -l", false, &format!("{row}'b c'\n")), ["'b c'"]);
    assert_eq!(names("ls -lN", true, &format!("{row}'b c'\n")), ["'b c'"]);
    let link = "lrwxrwxrwx 1 a b 1 Nov 21 04:15 'a -> b' -> 'c d'\n";
    let (documents, _) = read("ls -l", true, &[link.as_bytes()], false);
    assert_eq!((&documents[0]["name"], &documents[0]["target"]), (&json!("a -> b"), &json!("c d")));
}

#[test]
fn names_keep_their_blanks_and_marks_are_taken_off() {
    assert_eq!(names("ls -l", false, "-rw-r--r-- 1 a b 1 Nov 21 04:15   x  y \n"), ["  x  y "]);
    let text =
        "drwxr-xr-x 1 a b 1 Nov 21 04:15 d/\n-rwxr-xr-x 1 a b 1 Nov 21 04:15 e*\n-rw-r--r-- 1 a b 1 Nov 21 04:15 f*\n";
    assert_eq!(names("ls -lF", false, text), ["d", "e", "f*"]);
}

#[test]
fn names_in_the_styles_of_c() {
    let row = "-rw-r--r-- 1 a b 1 Nov 21 04:15 ";
    let link = "lrwxrwxrwx 1 a b 1 Nov 21 04:15 ";
    assert_eq!(names("ls -lQ", true, &format!("{row}\"a b\"\n{row}\"t\\tn\\n\\303\\244\"\n")), ["a b", "t\tn\nä"]);
    let (documents, left) = read("ls -lb", true, &[format!("{link}a\\ b -> c\\ d\n{row}x y\n").as_bytes()], false);
    assert_eq!((&documents[0]["name"], &documents[0]["target"]), (&json!("a b"), &json!("c d")));
    assert_eq!(left.len(), 1, "a bare blank cannot be in a name");
    let directory = "drwxr-xr-x 1 a b 1 Nov 21 04:15 ";
    assert_eq!(names("ls -lbF", true, &format!("{directory}a\\ b/\n")), ["a b"]);
    assert_eq!(names("ls -lQF", true, &format!("{directory}\"a b\"/\n")), ["a b"]);
    assert_eq!(names("ls -l --quoting-style=shell-always", false, &format!("{row}'x'\n")), ["x"]);
}

#[test]
fn contexts_of_selinux() {
    let text = "-rw-r--r--. 1 a b unconfined_u:object_r:user_home_t:s0 1 Nov 21 04:15 x\n-rw-r--r-- 1 a b ? 1 Nov 21 04:15 y\n";
    let (documents, left) = read("ls -lZ", true, &[text.as_bytes()], false);
    assert_eq!((left.len(), &documents[0]["context"]), (0, &json!("unconfined_u:object_r:user_home_t:s0")));
    assert_eq!((documents[1].get("context"), &documents[1]["size_bytes"]), (None, &json!(1)));
}

#[test]
fn what_does_not_fit_is_left_with_its_line() {
    let text = "ls: cannot access 'x': No such file or directory\n\
        total 4\n\
        -rw-r--r-- 1 joe domain users 12 Nov 21 04:15 x\n\
        l????????? ? ? ? ? ? gone\n\
        lrwxrwxrwx 1 a b 1 Nov 21 04:15 a -> b -> c\n\
        -rw-r--r-- 1 a b 1 Nov 21 04:15 fine\n\
        -rw-r--r-- 1 a b 1 Nov 21 04:15 \n\
        -rw-r--r-- 1 a b 1 Nov 2";
    let (documents, unparsed) = read("ls -l", false, &[text.as_bytes()], true);
    assert_eq!(documents.len(), 1);
    assert_eq!(unparsed.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3, 4, 5, 7, 8]);
    let lines: Vec<&str> = text.lines().collect();
    for (line, left) in unparsed {
        assert_eq!(left, lines[line as usize - 1]);
    }
}

#[test]
fn only_its_own_schema_is_begun() {
    assert!(matches!(Ls::begin(meta("ls -l", true), "ls/2"), Err(PluginError::Unsupported(_))));
    assert!(matches!(Ls::begin(meta("ls", true), SCHEMA), Err(PluginError::InvalidInput(_))));
    let schema: Value = serde_json::from_str(&Ls::describe()[0].json_schema).unwrap();
    assert_eq!(schema["title"], SCHEMA);
}

/// Runs the machine's own `ls`, and BusyBox's where there is one, on a folder of awkward names.
#[test]
fn real_listings_are_read_whole() {
    let folder = std::env::temp_dir().join(format!("parser-ls-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("a folder")).unwrap();
    let mut expected =
        ["a folder", "plain", "two  words", "it's", "größe", "-dash", "colon:"].map(str::to_owned).to_vec();
    for name in &expected[1..] {
        std::fs::write(folder.join(name), "12345").unwrap();
    }
    std::os::unix::fs::symlink("two  words", folder.join("link")).unwrap();
    expected.push("link".to_owned());
    expected.sort();
    for (command, terminal) in [
        ("ls -l", false),
        ("ls -lih", false),
        ("ls -ls --time-style=long-iso", false),
        ("ls -l --time-style=iso", false),
        ("ls -n --full-time", false),
        ("ls -lF", false),
        ("ls -go", false),
        // What GNU writes to a terminal.
        ("ls -l --quoting-style=shell-escape", true),
        ("ls -lQ", true),
        ("ls -lb", true),
        ("ls -lbF", true),
        ("ls -l --quoting-style=shell-escape-always", true),
        ("ls -lZ", false),
        ("vdir", true),
        ("busybox ls -l", false),
        ("busybox ls -l --full-time", false),
        ("busybox ls -lisn", true),
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        let Ok(output) = std::process::Command::new(words[0]).args(&words[1..]).current_dir(&folder).output() else {
            continue;
        };
        assert!(output.status.success(), "{command}");
        let (documents, unparsed) = read(command, terminal, &[&output.stdout], false);
        assert_eq!(unparsed, [], "{command}");
        let mut names: Vec<_> =
            documents.iter().map(|document| document["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        assert_eq!(names, expected, "{command}");
        let link = documents.iter().find(|document| document["name"] == "link").unwrap();
        assert_eq!(link["target"], "two  words", "{command}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn captured_languages_are_read_whole() {
    for file in [
        include_str!("../tests/outputs/ls-german.txt"),
        include_str!("../tests/outputs/ls-french.txt"),
        include_str!("../tests/outputs/ls-japanese.txt"),
        include_str!("../tests/outputs/ls-chinese.txt"),
    ] {
        let mut lines = file.splitn(3, '\n');
        let command = lines.next().and_then(|line| line.strip_prefix("$ ")).unwrap();
        let output = lines.nth(1).unwrap();
        let (documents, unparsed) = read(command, false, &[output.as_bytes()], false);
        assert_eq!((documents.len(), unparsed), (7, vec![]), "{file}");
        let link = documents.iter().find(|document| document["name"] == "link").unwrap();
        assert_eq!(link["target"], "plain file.txt", "{file}");
    }
}

/// Rows, headings and rubbish, in any order.
fn listing() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just(b"total 8".to_vec()),
        Just(b"".to_vec()),
        Just(b"dir:".to_vec()),
        Just(b"-rw-r--r-- 1 a b 12 Nov 21 04:15  padded".to_vec()),
        Just("-rw-r--r-- 1 a b 12 Nov 21 04:15 'größe x'".as_bytes().to_vec()),
        Just(b"lrwxrwxrwx 1 a b 12 2026-11-21 04:15 a -> b".to_vec()),
        Just(b"\xff\xfe -> x".to_vec()),
        "[-dl][rwx-]{9} [0-9]{1,3} [a-z]{1,4} [a-z]{1,4} [0-9KM,]{1,5} [A-Za-z0-9:. -]{0,30}"
            .prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>().prop_filter("one line", |byte| ![b'\n', b'\r'].contains(byte)), 0..60),
    ];
    proptest::collection::vec(line, 0..25).prop_map(|lines| lines.join(&b'\n'))
}

proptest! {
    #[test]
    fn any_split_gives_the_same(text in listing(), size in 1usize..50, terminal: bool) {
        let chunks: Vec<&[u8]> = text.chunks(size).collect();
        prop_assert_eq!(read("ls -la", terminal, &chunks, false), read("ls -la", terminal, &[&text], false));
    }

    #[test]
    fn every_line_is_accounted_for(text in listing(), terminal: bool, truncated: bool) {
        let (documents, unparsed) = read("ls -la", terminal, &[&text], truncated);
        let lossy: Vec<String> = text.split(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        let heads = lossy.iter().filter(|line| line.is_empty() || line.ends_with(':') || line.starts_with("total ")).count();
        prop_assert!(documents.len() + unparsed.len() + heads >= lossy.len());
        prop_assert!(documents.len() + unparsed.len() <= lossy.len());
        for (line, left) in unparsed {
            prop_assert_eq!(&left, &lossy[line as usize - 1]);
        }
        for document in documents {
            let name = document["name"].as_str().unwrap();
            prop_assert!(!name.is_empty());
            // Nothing is invented: the name stands in the text.
            prop_assert!(lossy.iter().any(|line| line.contains(name)), "{}", name);
        }
    }
}
