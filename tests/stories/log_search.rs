//! Searching logs: a generated tree beside a slow scan of the same files, with GNU's programs and BusyBox's.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::mcp::{Client, wait_until};
use e2e::scene::Scene;
use lab::logs::{self, Made, TreeOptions};
use serde_json::{Value, json};

/// A week ago or so at every run: `find -mmin` goes by this machine's clock.
const END_UNIX_S: i64 = 1_795_000_000;
const MINUTE_MS: i64 = 60_000;

/// A tree, and a session on a shell of this machine.
struct Stage {
    folder: PathBuf,
    made: Vec<Made>,
    client: Client,
    scene: Scene,
}

/// `busybox`: the shell and every program are BusyBox's.
fn stage(files: u64, bytes: u64, busybox: bool) -> Stage {
    let scene = Scene::empty();
    let folder = scene.path("logs");
    let options = TreeOptions { seed: 7, files, bytes, end_unix_s: END_UNIX_S };
    let made = logs::make(&folder, &options).expect("a tree of logs");
    let shell = if busybox {
        let bin = scene.path("bin");
        std::fs::create_dir_all(&bin).unwrap();
        assert!(Command::new("busybox").args(["--install", "-s"]).arg(&bin).status().unwrap().success());
        format!("['env', '-i', 'PATH={0}', 'TERM=xterm', '{0}/ash']", bin.display())
    } else {
        "['bash', '--noprofile', '--norc']".to_owned()
    };
    let sources = format!("log_search = {{ sources = [{:?}] }}\n", folder.display().to_string());
    scene.configure(&format!("[profiles.here]\nkind = 'local'\nshell = {shell}\n{sources}"));
    let path = format!("{}:{}", scene.path("stand-in").display(), std::env::var("PATH").unwrap());
    let mut client = Client::start(&scene.path("portcullis.toml"), &[("PATH", &path)]);
    client.succeed("ssh_open", json!({ "profile": "here" }));
    Stage { folder, made, client, scene }
}

/// Every line of the tree's logs: path, number, text. Reads everything.
fn all_lines(made: &[Made]) -> Vec<(String, u64, String)> {
    let mut all = Vec::new();
    for log in made {
        let path = log.path.display().to_string();
        let bytes = match log.reader {
            Some(reader) => Command::new(reader).arg("--").arg(&log.path).output().unwrap().stdout,
            None => std::fs::read(&log.path).unwrap(),
        };
        let text = String::from_utf8(bytes).unwrap();
        all.extend((1..).zip(text.lines()).map(|(number, line)| (path.clone(), number, line.to_owned())));
    }
    all
}

/// What the line's own clock said.
fn written_ms(line: &str) -> Option<i64> {
    let digits = line.rsplit_once(" at=")?.1;
    digits.trim_end_matches(|symbol: char| !symbol.is_ascii_digit()).parse().ok()
}

/// Asks again with each cursor until there is none.
fn pages(client: &mut Client, mut arguments: Value) -> Vec<Value> {
    let mut pages = Vec::new();
    loop {
        let page = client.call("ssh_search_logs", arguments.clone()).structured;
        assert!(page["matches"].is_array(), "{page}");
        let cursor = page["cursor"].clone();
        assert_eq!(cursor.is_null(), page["truncated"] == false, "{page}");
        pages.push(page);
        assert!(pages.len() < 200, "it does not end");
        if cursor.is_null() {
            return pages;
        }
        arguments = json!({ "cursor": cursor, "max_matches": arguments["max_matches"] });
    }
}

/// Matches as path and line, sorted; those in the files that are in the way are left out.
fn places(pages: &[Value]) -> Vec<(String, u64)> {
    let matches = pages.iter().flat_map(|page| page["matches"].as_array().unwrap());
    let mut places: Vec<(String, u64)> = matches
        .map(|found| (found["source"].as_str().unwrap().to_owned(), found["line"].as_u64().unwrap()))
        .filter(|(source, _)| !source.contains("/odd/"))
        .collect();
    places.sort();
    places
}

#[test]
fn pages_of_a_search_are_what_a_slow_scan_finds() {
    for busybox in [false, true] {
        let mut stage = stage(40, 1 << 20, busybox);
        let mut expected: Vec<(String, u64)> = all_lines(&stage.made)
            .into_iter()
            .filter(|(source, _, line)| line.contains("needle") && !(busybox && source.ends_with(".zst")))
            .map(|(source, number, _)| (source, number))
            .collect();
        expected.sort();
        let found = pages(&mut stage.client, json!({ "query": "needle", "max_matches": 9 }));
        assert_eq!(places(&found), expected, "busybox: {busybox}");
        assert!(found.iter().all(|page| page["matches"].as_array().unwrap().len() <= 9));
        let (skipped, notes) = (found[0]["skipped"].to_string(), found[0]["notes"].to_string());
        assert!(skipped.contains("pipe") && notes.contains("control characters"), "{skipped} {notes}");
        let whole: String = found.iter().map(|page| format!("{}{}", page["notes"], page["skipped"])).collect();
        assert!(whole.contains("binary"), "{whole}");
    }
}

#[test]
fn five_minutes_are_found_without_reading_the_rest() {
    let mut stage = stage(60, 6 << 20, false);
    // A window in the middle of the second day before the end: in the second file of each service.
    let (since, until) = (END_UNIX_S * 1000 - 2160 * MINUTE_MS, END_UNIX_S * 1000 - 2155 * MINUTE_MS);
    let mut expected: Vec<String> = all_lines(&stage.made)
        .into_iter()
        .filter(|(_, _, line)| line.contains("order") && written_ms(line).is_some_and(|at| since <= at && at <= until))
        .map(|(_, _, line)| line.replace('\t', " "))
        .collect();
    expected.sort();
    assert!(!expected.is_empty());
    let ago = |ms: i64| (ms / 1000).to_string();
    let stamp = |ms: i64| {
        let said = Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ", "-d"]).arg(format!("@{}", ago(ms))).output();
        String::from_utf8(said.unwrap().stdout).unwrap().trim().to_owned()
    };
    let window = json!({ "query": "order", "since": stamp(since), "until": stamp(until), "max_matches": 500 });
    let found = pages(&mut stage.client, window);
    let mut texts: Vec<String> = found
        .iter()
        .flat_map(|page| page["matches"].as_array().unwrap())
        .filter(|found| !found["source"].as_str().unwrap().contains("/odd/"))
        .map(|found| found["text"].as_str().unwrap().replace('\t', " "))
        // Lines of a trace belong to the entry above and have no time of their own.
        .filter(|text| written_ms(text).is_some())
        .collect();
    texts.sort();
    assert_eq!(texts, expected);
    let scanned = found[0]["scanned_bytes"].as_u64().unwrap();
    // One of the files in the way is a line of two mebibytes without a time near it, which is read.
    assert!(scanned < (2 << 20) + (6 << 20) / 4, "{scanned}");
}

#[test]
fn a_summary_folds_what_repeats_and_keeps_traces_whole() {
    let mut stage = stage(20, 1 << 20, false);
    let found = stage.client.call("ssh_search_logs", json!({ "query": "broken pipe", "summary": true })).structured;
    let summary = &found["overview"];
    let lines = all_lines(&stage.made);
    let mut by_source: BTreeMap<&str, u64> = BTreeMap::new();
    for (source, _, _) in lines.iter().filter(|(_, _, line)| line.contains("broken pipe")) {
        *by_source.entry(source).or_default() += 1;
    }
    let told: BTreeMap<&str, u64> = summary["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|source| (source["source"].as_str().unwrap(), source["count"].as_u64().unwrap()))
        .collect();
    assert_eq!(told, by_source);
    let kinds = summary["kinds"].as_array().unwrap();
    let java = kinds.iter().find(|kind| kind.to_string().contains("Orders.java:41")).expect("the trace of Java");
    assert_eq!(java["level"], "ERROR", "{java}");
    assert!(java["lines"].as_array().unwrap().iter().any(|line| line["text"].as_str().unwrap().contains("12 more")));
    let first = (java["first"]["source"].as_str().unwrap(), java["first"]["line"].as_u64().unwrap());
    let line = lines.iter().find(|(source, number, _)| (source.as_str(), *number) == first).unwrap();
    assert_eq!(line.2, java["text"].as_str().unwrap(), "the way back leads to the line");
    assert!(!summary["intervals"].as_array().unwrap().is_empty());
}

#[test]
fn a_listing_tells_what_there_is() {
    let mut stage = stage(20, 1 << 19, false);
    let listed = stage.client.call("ssh_search_logs", json!({ "discover": true })).structured;
    let sources = listed["sources"].as_array().unwrap();
    for made in &stage.made {
        let path = made.path.display().to_string();
        let source = sources.iter().find(|source| source["source"] == path).unwrap_or_else(|| panic!("{path}"));
        assert_eq!(source["size_bytes"], std::fs::metadata(&made.path).unwrap().len());
        let lines = all_lines(std::slice::from_ref(made));
        let first = lines.iter().find_map(|(_, _, line)| written_ms(line)).unwrap();
        assert_eq!(source["first_unix_ms"], first, "{source}");
    }
}

/// A program of that name in front of all others in the session.
fn stand_in(stage: &Stage, name: &str, script: &str) {
    let folder = stage.scene.path("stand-in");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn other_sources_are_asked_by_their_programs() {
    let mut stage = stage(1, 4096, false);
    // Neither a journal nor a daemon is here; the scripts print what those programs do for these arguments.
    stand_in(
        &stage,
        "journalctl",
        "case \"$*\" in *'-o short-iso -u shop.service'*) echo '2026-03-02T08:31:40+0000 web shop[7]: needle one';; \
         *) echo 'Unit not found' >&2; exit 1;; esac",
    );
    stand_in(
        &stage,
        "docker",
        "[ \"$1 $2 $3\" = 'logs --timestamps web_1' ] && echo '2026-03-02T08:31:41.000000000Z needle two' >&2",
    );
    stand_in(
        &stage,
        "kubectl",
        "[ \"$*\" = 'logs --timestamps -n shop api-1 -c app' ] && echo '2026-03-02T08:31:42.000000000Z needle three'",
    );
    let sources = ["journal:shop.service", "docker:web_1", "kubectl:shop/api-1/app"];
    let found = stage.client.succeed("ssh_search_logs", json!({ "query": "needle", "sources": sources }));
    let matches: Vec<(&str, i64)> = found["matches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| (found["source"].as_str().unwrap(), found["unix_ms"].as_i64().unwrap()))
        .collect();
    assert_eq!(
        matches,
        [(sources[0], 1_772_440_300_000), (sources[1], 1_772_440_301_000), (sources[2], 1_772_440_302_000)]
    );
}

#[test]
fn the_record_is_searched_as_logs_are() {
    let mut stage = stage(1, 4096, false);
    // From a file, so that the echo of the command is no match.
    let script = stage.scene.path("print.sh");
    let print = "printf 'ERROR %s of order %s\\n\\tat shop.Orders\\n' needle 1 needle 2\necho INFO needle 3\n";
    std::fs::write(&script, print).unwrap();
    stage.client.succeed("ssh_run", json!({ "command": format!("sh {}", script.display()) }));
    let opened = stage.client.succeed("ssh_open", json!({ "profile": "here", "name": "second", "new": true }));
    let second = opened["session"]["session_id"].as_str().unwrap().to_owned();
    stage.client.succeed("ssh_run", json!({ "command": "echo WARN needle 4", "session_id": second }));
    let mut search = |arguments: Value| stage.client.succeed("ssh_search_logs", arguments);
    let texts = |found: &Value| -> Vec<String> {
        found["matches"].as_array().unwrap().iter().map(|found| found["text"].as_str().unwrap().to_owned()).collect()
    };
    let everywhere =
        search(json!({ "query": "^(ERROR|INFO|WARN) needle", "mode": "regex", "sources": ["transcript"] }));
    assert_eq!(
        texts(&everywhere),
        ["WARN needle 4", "ERROR needle of order 1", "ERROR needle of order 2", "INFO needle 3"],
        "the newest session first: {everywhere}"
    );
    let own = search(json!({
        "query": "order needle", "mode": "all_words", "exclude": ["order 2"], "level": "error",
        "since": "1h", "sources": ["transcript"], "after_lines": 1
    }));
    assert_eq!(texts(&own), ["ERROR needle of order 1"], "{own}");
    assert!(own["matches"][0]["after"][0]["text"].as_str().unwrap().contains("at shop.Orders"), "{own}");
    // The way back: the event that completed the line.
    let (source, event) = (own["matches"][0]["source"].as_str().unwrap(), own["matches"][0]["event"].as_u64().unwrap());
    let session = source.rsplit_once('/').unwrap().1;
    let events = stage.client.succeed("ssh_transcript", json!({ "session_id": session, "after": event - 1 }));
    assert!(events["events"][0]["text"].as_str().unwrap().contains("ERROR needle of order 1"), "{events}");
    let mut search = |arguments: Value| stage.client.succeed("ssh_search_logs", arguments);
    let named = search(json!({ "query": "WARN needle", "sources": ["transcript:second"], "exclude": ["echo"] }));
    assert_eq!(texts(&named), ["WARN needle 4"], "{named}");
    let folded = search(json!({ "query": "ERROR needle", "summary": true, "sources": ["transcript"] }));
    assert_eq!(
        (&folded["overview"]["kinds"][0]["count"], folded["overview"]["kinds"].as_array().unwrap().len()),
        (&json!(2), 1)
    );
    let listed = search(json!({ "discover": true, "sources": ["transcript"] }));
    assert_eq!(listed["sources"].as_array().unwrap().len(), 2, "{listed}");
    for wrong in [json!(["transcript", "/var/log"]), json!(["transcript:no-such"])] {
        stage.client.fail("ssh_search_logs", json!({ "query": "x", "sources": wrong }));
    }
}

/// Whether any process has this among its words.
fn runs(word: &str) -> bool {
    let listed = Command::new("ps").args(["-eo", "args"]).output().unwrap().stdout;
    String::from_utf8_lossy(&listed).lines().any(|line| line.contains(word))
}

#[test]
fn a_cancelled_search_leaves_nothing_behind() {
    let mut stage = stage(1, 4096, false);
    let word = format!("3{:07}", std::process::id());
    stand_in(&stage, "docker", &format!("sleep {word}"));
    let arguments = json!({ "query": "x", "sources": ["docker:web"] });
    let call = json!({ "name": "ssh_search_logs", "arguments": arguments });
    let id = stage.client.begin("tools/call", call);
    let sleeper = format!("sleep {word}");
    wait_until(Duration::from_secs(20), || runs(&sleeper).then_some(())).expect("the search runs");
    stage.client.send(&json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id, "reason": "enough" }
    }));
    wait_until(Duration::from_secs(20), || (!runs(&sleeper)).then_some(())).expect("the pipeline is gone");
    let ran = wait_until(Duration::from_secs(20), || {
        let ran = stage.client.call("ssh_run", json!({ "command": "echo free" })).structured;
        (ran["text"] == "free\n").then_some(())
    });
    assert!(ran.is_some(), "the session can be used again");
}

/// With `PORTCULLIS_LOG_TREE` naming a folder made by `portcullis-lab logs`: a window of five minutes, and a word in
/// all of it, beside `grep -rn` through the same session. Prints figures.
#[test]
#[allow(clippy::print_stdout, reason = "the figures are what it is run for")]
fn a_large_tree() {
    let Some(tree) = std::env::var_os("PORTCULLIS_LOG_TREE") else { return };
    let tree = Path::new(&tree).display().to_string();
    let mut stage = stage(1, 4096, false);
    let mut timed = |tool: &str, arguments: Value| {
        let began = Instant::now();
        let found = stage.client.call(tool, arguments);
        (began.elapsed(), found.structured)
    };
    let end_s: i64 = 1_795_600_000;
    let since = format!("@{}", end_s - 100_000);
    let date = |at: &str| {
        let said = Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ", "-d", at]).output().unwrap().stdout;
        String::from_utf8(said).unwrap().trim().to_owned()
    };
    let (since, until) = (date(&since), date(&format!("@{}", end_s - 99_700)));
    timed("ssh_search_logs", json!({ "query": "no such text", "sources": [format!("{tree}/odd")] }));
    for query in ["needle", "order"] {
        let window = json!({ "query": query, "since": since, "until": until, "sources": [tree], "max_matches": 500 });
        let (took, found) = timed("ssh_search_logs", window);
        println!(
            "5 minutes, `{query}`: {took:?}, {} matches, {} bytes read, {} lines run, {} characters returned, {}",
            found["matches"].as_array().map_or(0, Vec::len),
            found["scanned_bytes"],
            found["commands"],
            found.to_string().len(),
            found["stopped_by"]
        );
    }
    for arguments in [
        json!({ "query": "needle", "sources": [tree], "max_matches": 50 }),
        json!({ "query": "needle", "sources": [tree], "summary": true, "max_matches": 20 }),
        json!({ "query": "no such text", "sources": [tree] }),
    ] {
        let (took, found) = timed("ssh_search_logs", arguments.clone());
        println!(
            "{arguments}: {took:?}, {} matches, {} bytes read, {} lines run, {} characters returned, {}",
            found["overview"]["matches"]
                .as_u64()
                .or(found["matches"].as_array().map(|all| all.len() as u64))
                .unwrap_or(0),
            found["scanned_bytes"],
            found["commands"],
            found.to_string().len(),
            found["stopped_by"]
        );
    }
    for word in ["needle", "no such text"] {
        let line = format!("grep -rn --devices=skip '{word}' {tree}");
        let began = Instant::now();
        let mut ran = stage.client.call("ssh_run", json!({ "command": line, "wait_s": 50 })).structured;
        while ran["outcome"] == "running" {
            ran = stage.client.call("ssh_read", json!({ "job_id": ran["job_id"], "wait_s": 50 })).structured;
        }
        println!("{line}: {:?}, {} bytes printed", began.elapsed(), ran["output_bytes"].as_u64().unwrap_or_default());
    }
    drop(stage.folder);
}
