//! Outputs as programs write them, and what must hold for any input.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use parser_kit::testing::{claim, holds, read, read_stored, shuffled, stored};
use proptest::prelude::*;
use serde_json::json;

use crate::Files;

macro_rules! output {
    ($name:literal) => {
        include_str!(concat!("../tests/outputs/", $name, ".txt"))
    };
}

#[test]
fn files_of_stat() {
    let files = read_stored::<Files>(output!("stat"));
    assert_eq!((files.documents.len(), files.unparsed.len()), (8, 0));
    assert_eq!(
        *files.find("name", "link"),
        json!({"name": "link", "target": "two words", "size_bytes": 9, "blocks": 0, "io_block_bytes": 4096,
            "kind_text": "symbolic link", "kind": "symlink", "on_device": "254,0", "inode": 10_862_915, "links": 1,
            "mode": "lrwxrwxrwx", "mode_octal": "0777", "uid": 0, "owner": "root", "gid": 0, "group": "root",
            "accessed": "2026-11-26 10:49:56.950438662 +0000", "modified": "2026-11-26 10:49:56.950438662 +0000",
            "changed": "2026-11-26 10:49:56.950438662 +0000", "born": "2026-11-26 10:49:56.950438662 +0000"})
    );
    assert_eq!(files.find("name", "dev")["device_minor"], 3);
    let busybox = read_stored::<Files>(output!("stat-busybox"));
    assert_eq!((busybox.documents.len(), busybox.unparsed.len()), (3, 0));
    assert_eq!(
        (&busybox.documents[0]["target"], &busybox.documents[2]["device_text"]),
        (&json!("two words"), &json!("1,3"))
    );
}

#[test]
fn other_versions_and_languages() {
    let old = read_stored::<Files>(output!("stat-old"));
    assert_eq!((&old.documents[0]["target"], &old.documents[0]["group"]), (&json!("/etc/a b"), &json!("domain users")));
    assert_eq!((old.documents[0].get("born"), old.left()), (None, vec![10]));
    assert_eq!(old.documents[0]["context"], "unconfined_u:object_r:user_home_t:s0");
    let german = read_stored::<Files>(output!("stat-german"));
    assert_eq!((german.documents.len(), german.unparsed.len()), (1, 0));
    assert_eq!(
        (&german.documents[0]["size_bytes"], &german.documents[0]["born"]),
        (&json!(1267), &json!("2026-11-25 18:20:25.382045433 +0000"))
    );
}

#[test]
fn a_record_that_is_not_whole_stays_text() {
    let (_, text) = stored(output!("stat-german"));
    let cut: String = text.lines().take(6).map(|line| format!("{line}\n")).collect();
    let files = read::<Files>("stat x", &format!("{cut}{text}"));
    assert_eq!((files.documents.len(), files.left()), (1, vec![1, 2, 3, 4, 5, 6]));
}

#[test]
fn files_of_find() {
    let files = read_stored::<Files>(output!("find-ls"));
    assert_eq!((files.documents.len(), files.unparsed.len()), (9, 0));
    assert_eq!(files.find("path", "./link")["target"], "two words");
    assert_eq!(files.find("path", "./dev")["device"], json!({"major": 1, "minor": 3}));
    for name in ["./größe", "./a dir", "./tab\there", "./it's"] {
        files.find("path", name);
    }
    let text = "  12 4 -rw-r--r-- 1 a b 3 Nov  1  2024 ./x\nfind: './y': Permission denied\n 12 4 -rw-r--r-- 1 a b 3 x y z ./x\n";
    let left = read::<Files>("find . -ls", text);
    assert_eq!((&left.documents[0]["modified"], left.left()), (&json!("Nov 1 2024"), vec![2, 3]));
}

#[test]
fn other_output_is_not_claimed() {
    let (_, text) = stored(output!("stat"));
    for command in ["stat -c %s x", "stat -f /", "stat -t x", "stat --printf=%n x", "find . -ls", "file x"] {
        assert_eq!(claim::<Files>(command, text), None, "{command}");
    }
}

/// What the machine's own tools print now, and BusyBox's where there is one.
#[test]
fn the_machines_own_outputs_are_read() {
    for command in ["stat / /dev/null", "busybox stat / /dev/null", "find /dev -maxdepth 1 -ls"] {
        let words: Vec<&str> = command.split(' ').collect();
        let program = std::process::Command::new(words[0]).args(&words[1..]).env("LC_ALL", "C").output();
        let Ok(output) = program else { continue };
        if output.status.success() {
            assert_eq!(read::<Files>(command, &String::from_utf8_lossy(&output.stdout)).unparsed, [], "{command}");
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_lost(text in shuffled(&[stored(output!("stat")).1, stored(output!("stat-old")).1, stored(output!("find-ls")).1]), size in 1usize..60) {
        // Labels are translated and have no place in a document.
        holds::<Files>("stat x", "stat/1", &text, size, |line| line.contains(": "));
        holds::<Files>("find . -ls", "find-ls/1", &text, size, |_| false);
    }

    #[test]
    fn whole_records_in_any_chunks(size in 1usize..60) {
        let text = [stored(output!("stat-german")).1, stored(output!("stat-old")).1].concat();
        holds::<Files>("stat x", "stat/1", text.as_bytes(), size, |line| line.contains(": "));
    }
}

#[test]
fn captured_languages_are_read_whole() {
    for file in [
        output!("stat-german-captured"),
        output!("stat-french-captured"),
        output!("stat-japanese-captured"),
        output!("stat-chinese-captured"),
    ] {
        let files = read_stored::<Files>(file);
        assert_eq!((files.documents.len(), files.unparsed.len()), (2, 0), "{file}");
        let link = files.find("name", "link");
        assert_eq!(
            (&link["target"], &link["kind"], &link["links"]),
            (&json!("plain file.txt"), &json!("symlink"), &json!(1))
        );
    }
}
