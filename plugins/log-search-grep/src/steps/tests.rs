//! Searches in steps with real tools, GNU's and BusyBox's, beside what a plain scan of the same lines finds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the programs of this machine go by its clock")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use portcullis_plugin::log_search::{LogMatch, LogSearch, MatchMode, Query, Reader, Remote, Tool};
use portcullis_plugin::{Attribute, Endpoint, PluginError, attribute};
use serde_json::{Value, json};

use super::{ORDER, REPORT, STATE};
use crate::{Grep, time};

/// 2026-03-02T00:00:00Z.
const START: i64 = 1_772_409_600;
const NEVER: usize = 500;

/// A folder of logs, and the lines that are in it by their file's name.
struct Logs {
    folder: PathBuf,
    /// Path from the folder, lines.
    files: Vec<(String, Vec<String>)>,
}

impl Drop for Logs {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Logs {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("log-search-steps-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self { folder, files: Vec::new() }
    }

    /// Writes a file, compressed by the program its name asks for, as last written at that second.
    fn file(&mut self, name: &str, lines: Vec<String>, written: i64) {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let plain = path.with_file_name("plain");
        fs::write(&plain, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        let program = match path.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => "gzip",
            Some("xz") => "xz",
            Some("zst") => "zstd",
            Some("bz2") => "bzip2",
            _ => "cat",
        };
        let output = File::create(&path).unwrap();
        let ran = Command::new(program)
            .args(if program == "cat" { &[][..] } else { &["-c"] })
            .stdin(File::open(&plain).unwrap())
            .stdout(output)
            .stderr(Stdio::null())
            .status();
        assert!(ran.unwrap().success(), "{program}");
        fs::remove_file(&plain).unwrap();
        touch(&path, written);
        self.files.push((name.to_owned(), lines));
    }

    /// Every line with the text, as `name:number`, by reading all of it.
    fn scan(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut found: Vec<String> = self
            .files
            .iter()
            .flat_map(|(name, lines)| (1..).zip(lines).map(move |(number, line)| (name, number, line)))
            .filter(|(_, _, line)| wanted(line))
            .map(|(name, number, _)| format!("{name}:{number}"))
            .collect();
        found.sort();
        found
    }
}

fn touch(path: &Path, written: i64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(written.unsigned_abs());
    File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

/// Lines, one each `every_s` seconds from a second on; every seventh has the word.
fn lines(from: i64, count: i64, every_s: i64, service: &str) -> Vec<String> {
    (0..count)
        .map(|number| {
            let at = time::rfc3339(from + number * every_s);
            let level = ["INFO", "WARN", "ERROR"][usize::try_from(number % 3).unwrap()];
            let word = if number % 7 == 3 { " needle" } else { "" };
            format!("{at} {level} {service} request {number} took {} ms{word}", number * 37 % 900)
        })
        .collect()
}

fn tree(name: &str) -> Logs {
    let mut logs = Logs::new(name);
    for (rotated, ending) in ["", ".1", ".2.gz", ".3.xz", ".4.zst", ".5.bz2"].into_iter().enumerate() {
        let from = START + (5 - i64::try_from(rotated).unwrap()) * 3600;
        logs.file(&format!("app/app.log{ending}"), lines(from, 360, 10, "app"), from + 3590);
    }
    logs.file("a b/it's.log", lines(START, 200, 20, "odd"), START + 4000);
    logs.file("-dash.log", lines(START + 100, 100, 20, "dash"), START + 2100);
    let mut huge = lines(START + 200, 50, 20, "huge");
    huge[3] = format!("{} {}", huge[3], "x".repeat(3_000_000));
    logs.file("huge.log", huge, START + 2200);
    let hostile = logs.folder.join("new\nline.log");
    fs::write(&hostile, "needle\n").unwrap();
    fs::write(logs.folder.join("binary.bin"), b"\0\0needle\n\0").unwrap();
    touch(&logs.folder.join("binary.bin"), START + 50);
    assert!(Command::new("mkfifo").arg(logs.folder.join("fifo")).status().unwrap().success());
    logs
}

/// The programs to search with: the machine's own, and BusyBox's alone.
fn toolboxes(logs: &Logs) -> Vec<Option<PathBuf>> {
    let folder = logs.folder.with_extension("busybox");
    let _ = fs::create_dir_all(&folder);
    let installed = Command::new("busybox").args(["--install", "-s"]).arg(&folder).status();
    if installed.is_ok_and(|status| status.success()) { vec![None, Some(folder)] } else { vec![None] }
}

struct Found {
    matches: Vec<LogMatch>,
    report: Value,
    /// Where it stood at its end.
    state: String,
    steps: usize,
}

impl Found {
    /// As [`Logs::scan`] writes them.
    fn places(&self, logs: &Logs) -> Vec<String> {
        let mut places: Vec<String> = self.matches.iter().map(|found| place(found, logs)).collect();
        places.sort();
        places
    }
}

fn place(found: &LogMatch, logs: &Logs) -> String {
    let source = found.source.clone().unwrap();
    let name = source.strip_prefix(&format!("{}/", logs.folder.display())).unwrap();
    format!("{name}:{}", found.line.unwrap())
}

fn query(logs: &Logs, text: &str) -> Query {
    let sources = vec![logs.folder.display().to_string()];
    Query { sources, max_matches: 2_000, ..crate::tests::query(text, MatchMode::Literal) }
}

/// Runs step after step as a host does.
fn search(query: &Query, order: &Value, toolbox: Option<&PathBuf>) -> Result<Found, PluginError> {
    let mut order = order.clone();
    order["seconds_left"] = json!(20);
    let mut matches = Vec::new();
    for steps in 1.. {
        assert!(steps < 200, "it does not end: {order}");
        let attributes = vec![Attribute::new(ORDER, order.to_string())];
        let endpoint =
            Endpoint { profile: String::new(), user: String::new(), tags: vec![], levels: vec![], attributes };
        let tools = Grep::wanted_tools().into_iter();
        let there = |name: &String| toolbox.is_none_or(|folder| folder.join(name).exists());
        let tools = tools.filter(there).map(|name| Tool { name, version: None }).collect();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let remote = Remote { endpoint, tools, now_unix_ms: u64::try_from(now.as_millis()).unwrap() };
        let plan = Grep::make_plan("{}", query, &remote)?;
        let argv = &plan.pipeline[0].argv;
        let typed: usize = argv.iter().map(|word| word.len() + 3).sum();
        assert!(typed < 1_010, "{typed} bytes: {argv:?}");
        let mut command = Command::new("env");
        if let Some(folder) = toolbox {
            command.arg("-i").arg(format!("PATH={}", folder.display()));
        }
        let output = command.args(argv).stdin(Stdio::null()).output().unwrap();
        let mut reader = Grep::read(query.clone(), plan.clone())?;
        for chunk in output.stdout.chunks(10_007) {
            matches.extend(reader.push(chunk)?.matches);
        }
        matches.extend(reader.finish(output.status.code(), false)?.matches);
        let last = matches.pop().unwrap();
        let state = attribute(&last.fields, STATE).unwrap().to_owned();
        let report: Value = serde_json::from_str(attribute(&last.fields, REPORT).unwrap()).unwrap();
        if report["done"] == true {
            return Ok(Found { matches, report, state, steps });
        }
        order["state"] = json!(state);
        order["resumed"] = json!(false);
    }
    unreachable!("the loop has no end of its own")
}

#[test]
fn a_search_finds_what_a_plain_scan_finds_in_the_order_of_time() {
    let logs = tree("scan");
    for toolbox in toolboxes(&logs) {
        let found = search(&query(&logs, "needle"), &json!({}), toolbox.as_ref()).unwrap();
        let zstd = toolbox.is_none();
        let expected = logs.scan(|line| line.contains("needle"));
        let expected: Vec<String> = expected.into_iter().filter(|place| zstd || !place.contains(".zst:")).collect();
        assert_eq!(found.places(&logs), expected, "{toolbox:?}");
        let notes = format!("{}{}", found.report["notes"], found.report["skipped"]);
        for told in ["pipes", "control characters", "binary", "fifo"] {
            assert!(notes.contains(told), "{told}: {notes}");
        }
        assert_eq!(notes.contains("no zstdcat"), !zstd, "{notes}");
        let app: Vec<i64> = found
            .matches
            .iter()
            .filter(|found| found.source.as_ref().unwrap().contains("/app/"))
            .map(|found| found.unix_ms.unwrap())
            .collect();
        assert!(app.is_sorted(), "rotated files are read oldest first");
    }
}

#[test]
fn going_on_from_a_cursor_gives_each_match_once() {
    let logs = tree("cursor");
    let expected = logs.scan(|line| line.contains("needle"));
    for (max_matches, before) in [(7, 0), (50, 2), (NEVER, 0)] {
        let wanted = Query { max_matches: u32::try_from(max_matches).unwrap(), before, ..query(&logs, "needle") };
        let mut found = search(&wanted, &json!({}), None).unwrap();
        let mut places = Vec::new();
        loop {
            assert!(found.matches.len() <= max_matches);
            places.extend(found.places(&logs));
            if found.report["more"] != true {
                break;
            }
            assert_eq!(found.report["stopped_by"], "matches");
            found = search(&wanted, &json!({ "state": found.state, "resumed": true }), None).unwrap();
        }
        places.sort();
        assert_eq!(places, expected, "{max_matches}");
    }
}

#[test]
fn a_cursor_follows_a_rotated_file() {
    let mut logs = Logs::new("rotated");
    logs.file("app.log", lines(START, 700, 1, "app"), START + 700);
    let wanted = Query { max_matches: 30, ..query(&logs, "needle") };
    let first = search(&wanted, &json!({}), None).unwrap();
    let path = logs.folder.join("app.log");
    let packed = logs.folder.join("app.log.1.gz");
    let gzip = Command::new("gzip").arg("-c").arg(&path).stdout(File::create(&packed).unwrap()).status();
    assert!(gzip.unwrap().success());
    touch(&packed, START + 700);
    fs::write(&path, "needle of the new file\n").unwrap();
    fs::rename(&path, logs.folder.join("x")).unwrap();
    fs::rename(logs.folder.join("x"), logs.folder.join("app.log.new")).unwrap();
    fs::remove_file(logs.folder.join("app.log.new")).unwrap();
    let wanted = Query { max_matches: 500, ..wanted };
    let second = search(&wanted, &json!({ "state": first.state, "resumed": true }), None).unwrap();
    let lines: Vec<u64> = first.matches.iter().chain(&second.matches).map(|found| found.line.unwrap()).collect();
    assert_eq!(lines, (0..100).map(|number| number * 7 + 4).collect::<Vec<u64>>());
    assert!(second.matches[0].source.as_ref().unwrap().ends_with("app.log.1.gz"));
}

#[test]
fn text_level_and_exclusion_narrow_the_matches() {
    let logs = tree("narrow");
    let mut wanted = query(&logs, "");
    wanted.include = vec!["app.log".to_owned()];
    let order = json!({ "level": "error", "exclude_text": ["needle", "took 5"] });
    let found = search(&wanted, &order, None).unwrap();
    let expected = logs.scan(|line| line.contains("ERROR app") && !line.contains("needle") && !line.contains("took 5"));
    let expected: Vec<String> = expected.into_iter().filter(|place| place.starts_with("app/app.log:")).collect();
    assert_eq!(found.places(&logs), expected);
    assert!(search(&wanted, &json!({ "level": "loud" }), None).is_err());

    let words = Query { mode: MatchMode::AllWords, text: "needle WARN".to_owned(), ..query(&logs, "") };
    let found = search(&words, &json!({}), None).unwrap();
    assert_eq!(found.places(&logs), logs.scan(|line| line.contains("needle") && line.contains("WARN")));
    let broken = Query { mode: MatchMode::Regex, text: "a(b".to_owned(), ..query(&logs, "") };
    assert!(search(&broken, &json!({}), None).is_err(), "a broken expression is no empty answer");
    let pattern = Query { sources: vec![format!("{}/a*/app.log*", logs.folder.display())], ..query(&logs, "needle") };
    let found = search(&pattern, &json!({}), None).unwrap();
    let expected: Vec<String> =
        logs.scan(|line| line.contains("needle")).into_iter().filter(|place| place.starts_with("app/")).collect();
    assert_eq!(found.places(&logs), expected, "a pattern of paths");
    let gone = Query { sources: vec![format!("{}/nowhere", logs.folder.display())], ..query(&logs, "x") };
    assert!(search(&gone, &json!({}), None).is_err(), "a missing source is no empty answer");
}

#[test]
fn a_window_in_large_files_is_found_by_samples() {
    let mut logs = Logs::new("window");
    let long = |service: &str| format!("{service} {}", "-".repeat(400));
    for service in ["one", "two"].map(long) {
        for rotated in 0..4 {
            let from = START + (3 - rotated) * 40_000;
            let ending = if rotated == 0 { String::new() } else { format!(".{rotated}") };
            logs.file(&format!("{}/app.log{ending}", &service[..3]), lines(from, 8_000, 5, &service), from + 40_000);
        }
    }
    // The clock of this one was set back by three hours in its middle.
    let mut stepped = lines(START + 40_000, 4_000, 5, &long("step"));
    stepped.extend(lines(START + 49_000, 4_000, 5, &long("step")));
    logs.file("step/app.log", stepped, START + 69_000);
    for (since, until) in [(52_000, 52_300), (39_900, 40_100), (100_000, 160_000)] {
        let (since, until) = ((START + since) * 1000, (START + until) * 1000);
        let text = if until - since > 300_000 { "took 111 ms needle" } else { "needle" };
        let wanted = Query { since_unix_ms: Some(since), until_unix_ms: Some(until), ..query(&logs, text) };
        for toolbox in toolboxes(&logs) {
            let found = search(&wanted, &json!({ "utc_offset_minutes": 0 }), toolbox.as_ref()).unwrap();
            let mut texts: Vec<&str> = found.matches.iter().map(|found| found.text.as_str()).collect();
            texts.sort_unstable();
            let mut expected: Vec<&str> = logs
                .files
                .iter()
                .flat_map(|(_, lines)| lines)
                .map(String::as_str)
                .filter(|line| line.contains(text))
                .filter(|line| (since..=until).contains(&time::of(line).unwrap().unix_ms(None).unwrap()))
                .collect();
            expected.sort_unstable();
            assert!(!expected.is_empty());
            assert_eq!(texts, expected, "{since}");
            let total: usize = logs.files.iter().flat_map(|(_, lines)| lines).map(|line| line.len() + 1).sum();
            let scanned = usize::try_from(found.report["scanned_bytes"].as_u64().unwrap()).unwrap();
            // The file whose clock was set back has to be read as a whole.
            assert!(until - since > 300_000 || scanned < total / 4, "{scanned} of {total}");
            assert!(found.steps < 30, "{}", found.steps);
        }
    }
}

#[test]
fn a_listing_tells_size_compression_and_times() {
    let logs = tree("listing");
    let found = search(&query(&logs, ""), &json!({ "discover": true, "utc_offset_minutes": 0 }), None).unwrap();
    assert!(found.matches.is_empty());
    let sources = found.report["sources"].as_array().unwrap();
    assert_eq!(sources.len(), 10, "{sources:?}");
    for (name, compression, from, count) in [
        ("app/app.log", None, START + 5 * 3600, 360),
        ("app/app.log.2.gz", Some("gzip"), START + 3 * 3600, 360),
        ("app/app.log.4.zst", Some("zstd"), START + 3600, 360),
    ] {
        let source = sources.iter().find(|source| source["source"].as_str().unwrap().ends_with(name)).unwrap();
        assert_eq!(source["compression"].as_str(), compression);
        assert_eq!(source["first_unix_ms"], from * 1000, "{source}");
        assert_eq!(source["last_unix_ms"], (from + (count - 1) * 10) * 1000, "{source}");
        assert_eq!(source["size_bytes"], fs::metadata(logs.folder.join(name)).unwrap().len());
    }
}

#[test]
fn a_trace_is_one_match() {
    let mut logs = Logs::new("trace");
    let text = "2026-03-02 08:31:40 INFO a\n2026-03-02 08:31:41 ERROR failed\njava.lang.X: broken\n\tat a.B(C.java:1)\n\
                Caused by: broken again\n\t... 3 more\n2026-03-02 08:31:42 INFO broken c";
    logs.file("app.log", text.lines().map(str::to_owned).collect(), START + 40_000);
    for toolbox in toolboxes(&logs) {
        let order = json!({ "whole_entries": true, "utc_offset_minutes": 60 });
        let found = search(&query(&logs, "broken"), &order, toolbox.as_ref()).unwrap();
        assert_eq!(found.places(&logs), ["app.log:2", "app.log:7"]);
        let trace = &found.matches[0];
        assert_eq!((trace.level.as_deref(), trace.unix_ms), (Some("ERROR"), Some(1_772_436_701_000)));
        assert_eq!(trace.after.iter().map(|line| line.line.unwrap()).collect::<Vec<_>>(), [3, 4, 5, 6]);
    }
}

/// Every entry as its lines; searched with `awk` and without.
#[test]
fn what_is_left_out_of_the_output_belongs_to_no_match() {
    let mut logs = Logs::new("trim");
    let written = START + 100_000;
    let mut mixed = Vec::new();
    for number in 0..200 {
        let at = START + number * 10;
        let stamp = match number % 4 {
            0 => time::rfc3339(at),
            1 => format!("Mar  2 00:{:02}:{:02} host app[1]:", number * 10 / 60 % 60, number * 10 % 60),
            2 => format!("E0302 00:{:02}:{:02}.402 1 x.go:3]", number * 10 / 60 % 60, number * 10 % 60),
            // A form that the script does not know.
            _ => format!(r#"level=error time="{}""#, time::rfc3339(at)),
        };
        let word = if number % 9 == 2 { " needle" } else { "" };
        mixed.push(format!("{stamp} ERROR number {number}{word}"));
        if number % 5 == 2 {
            mixed.extend(["java.lang.X: needle", "\tat a.B(C.java:1)", "", "2 needles"].map(str::to_owned));
        }
    }
    logs.file("mixed.log", mixed, written);
    logs.file("plain.log", (0..300).map(|number| format!("line {number} needle")).collect(), written);
    let bare = logs.folder.with_extension("without-awk");
    let _ = fs::remove_dir_all(&bare);
    fs::create_dir_all(&bare).unwrap();
    for name in Grep::wanted_tools().iter().map(String::as_str).filter(|name| *name != "awk").chain(["sh", "wc"]) {
        let found = Command::new("sh").args(["-c", "command -v \"$1\"", "sh", name]).output().unwrap().stdout;
        let path = String::from_utf8(found).unwrap();
        if path.starts_with('/') {
            std::os::unix::fs::symlink(path.trim(), bare.join(name)).unwrap();
        }
    }
    for order in [
        json!({ "whole_entries": true, "utc_offset_minutes": 0 }),
        json!({ "level": "error", "utc_offset_minutes": 0 }),
    ] {
        let told = |found: Found| -> Vec<String> { found.matches.iter().map(|found| format!("{found:?}")).collect() };
        let all = told(search(&query(&logs, "needle"), &order, Some(&bare)).unwrap());
        let trimmed = told(search(&query(&logs, "needle"), &order, None).unwrap());
        assert!(all.len() > 20, "{all:?}");
        assert_eq!(trimmed, all, "{order}");
    }
    let _ = fs::remove_dir_all(&bare);
}

#[test]
fn other_sources_are_commands() {
    let logs = Logs::new("streams");
    let wanted = Query {
        sources: vec!["journal:nginx.service".into(), "kubectl:shop/api-1/app".into(), "docker:web_1".into()],
        since_unix_ms: Some(START * 1000),
        ..query(&logs, "x")
    };
    let order = json!({ "seconds_left": 5 }).to_string();
    let mut order = order;
    let mut lines = Vec::new();
    for _ in 0..3 {
        let attributes = vec![Attribute::new(ORDER, order)];
        let endpoint =
            Endpoint { profile: String::new(), user: String::new(), tags: vec![], levels: vec![], attributes };
        let remote = Remote { endpoint, tools: Vec::new(), now_unix_ms: 1_772_500_000_000 };
        let plan = Grep::make_plan("{}", &wanted, &remote).unwrap();
        lines.push(plan.pipeline[0].argv.join(" "));
        let mark = format!("@{:x}\n", 1_772_500_000_000_i64);
        let mut reader = Grep::read(wanted.clone(), plan).unwrap();
        let output = format!("{mark}1:2026-03-02T09:00:00+0000 host app: x {}\n{mark}", lines.len());
        let matches = reader.push(output.as_bytes()).unwrap().matches;
        assert_eq!(matches.len(), 1);
        let last = reader.finish(Some(0), false).unwrap().matches.pop().unwrap();
        let state = attribute(&last.fields, STATE).unwrap();
        order = json!({ "seconds_left": 5, "state": state }).to_string();
    }
    for (line, part) in lines.iter().zip([
        "journalctl --no-pager -q -o short-iso -u nginx.service -S @1772409600 2>&1|grep -n",
        "kubectl logs --timestamps -n shop api-1 -c app --since-time=2026-03-02T00:00:00Z 2>&1|grep -n",
        "docker logs --timestamps --since 1772409600 web_1 2>&1|grep -n",
    ]) {
        assert!(line.contains(part), "{line}");
    }
    for source in ["journal:-x", "journal:a b", "kubectl:pod", "kubectl:a/b/c/d", "docker:$(x)", "docker:"] {
        let wanted = Query { sources: vec![source.to_owned()], ..query(&logs, "x") };
        assert!(search(&wanted, &json!({}), None).is_err(), "{source}");
    }
}
