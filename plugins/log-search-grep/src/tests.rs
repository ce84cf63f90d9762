//! Plans, what real tools print for them, and what must hold for any output.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use portcullis_plugin::log_search::{LogMatch, LogSearch, MatchMode, Plan, Query, Reader, Remote, Tool};
use portcullis_plugin::{Endpoint, PluginError};
use proptest::prelude::*;

use crate::Grep;

pub(crate) fn query(text: &str, mode: MatchMode) -> Query {
    Query {
        text: text.to_owned(),
        mode,
        ignore_case: false,
        sources: vec!["/l".to_owned()],
        include: Vec::new(),
        exclude: Vec::new(),
        since_unix_ms: None,
        until_unix_ms: None,
        max_matches: 100,
        before: 0,
        after: 0,
    }
}

fn literal(text: &str) -> Query {
    query(text, MatchMode::Literal)
}

fn remote(tools: &[&str]) -> Remote {
    let endpoint =
        Endpoint { profile: String::new(), user: String::new(), tags: vec![], levels: vec![], attributes: vec![] };
    let tools = tools.iter().map(|name| Tool { name: (*name).to_owned(), version: None }).collect();
    Remote { endpoint, tools, now_unix_ms: 1_772_440_300_000 }
}

fn plan(config: &str, query: &Query, tools: &[&str]) -> Result<Plan, PluginError> {
    Grep::make_plan(config, query, &remote(tools))
}

const BARE: &str = r#"{"exclude":[]}"#;

fn line(plan: &Plan) -> String {
    assert_eq!(plan.pipeline.len(), 1);
    plan.pipeline[0].argv.join(" ")
}

fn read(query: &Query, chunks: &[&[u8]]) -> (Vec<LogMatch>, bool) {
    let plan = plan(BARE, query, &[]).unwrap();
    let mut reader = Grep::read(query.clone(), plan).unwrap();
    let mut matches = Vec::new();
    let mut stop = false;
    for chunk in chunks {
        let batch = reader.push(chunk).unwrap();
        matches.extend(batch.matches);
        stop |= batch.stop;
    }
    let batch = reader.finish(Some(0), false).unwrap();
    matches.extend(batch.matches);
    (matches, stop || batch.stop)
}

#[test]
fn the_plan_uses_what_is_there() {
    let mut wanted = literal("time out");
    assert_eq!(
        line(&plan(BARE, &wanted, &[]).unwrap()),
        "find -H /l -type f -exec grep -nHI -m 100 -F -e time out -- {} +"
    );
    let all = ["find", "grep", "timeout", "nice"];
    assert!(line(&plan(BARE, &wanted, &all).unwrap()).starts_with("timeout 30 nice -n 10 find -H /l "));
    wanted.include = vec!["*.log".to_owned(), "*.out".to_owned()];
    wanted.exclude = vec!["old*".to_owned()];
    wanted.sources.push("/l/a[1].txt".to_owned());
    (wanted.ignore_case, wanted.before, wanted.after) = (true, 2, 1);
    assert_eq!(
        line(&plan(BARE, &wanted, &[]).unwrap()),
        r"find -H /l /l/a[1].txt -type f ( -name *.log -o -name *.out -o -path /l -o -path /l/a\[1\].txt ) ! -name old* -exec grep -nHI -i -m 100 -B 2 -A 1 -F -e time out -- {} +"
    );
    let plan = plan(r#"{"max_seconds":7,"max_bytes":8192,"follow_links":true}"#, &wanted, &all).unwrap();
    assert_eq!((plan.max_seconds, plan.max_bytes, plan.empty_exit_codes.as_slice()), (7, 8192, &[1][..]));
    assert!(line(&plan).starts_with("timeout 7 nice -n 10 find -L "));
}

#[test]
fn a_time_window_leaves_old_files_out_and_drops_the_limit_per_file() {
    let mut wanted = literal("x");
    wanted.since_unix_ms = Some(1_772_440_300_000 - 3_600_000);
    let line = line(&plan(BARE, &wanted, &[]).unwrap());
    assert!(line.contains(" -mmin -121 ") && !line.contains(" -m "), "{line}");
}

#[test]
fn what_cannot_be_planned_is_refused() {
    let refused = |change: &dyn Fn(&mut Query)| {
        let mut query = literal("x");
        change(&mut query);
        matches!(plan(BARE, &query, &[]), Err(PluginError::InvalidInput(_)))
    };
    assert!(refused(&|query| query.sources = vec![String::new()]));
    assert!(refused(&|query| query.sources = vec!["-delete".to_owned()]));
    assert!(refused(&|query| query.sources = vec!["a\rb".to_owned()]));
    assert!(refused(&|query| query.sources = vec!["x".repeat(1000)]));
    assert!(refused(&|query| query.sources = vec!["x".to_owned(); 21]));
    assert!(refused(&|query| query.include = vec!["a/b".to_owned()]));
    assert!(refused(&|query| query.exclude = vec![String::new()]));
    assert!(refused(&|query| query.max_matches = 0));
    assert!(refused(&|query| query.before = 101));
    assert!(refused(&|query| (query.since_unix_ms, query.until_unix_ms) = (Some(2), Some(1))));
    assert!(matches!(plan(BARE, &literal("x"), &["grep"]), Err(PluginError::Unsupported(_))));
    let mut foreign = plan(BARE, &literal("x"), &[]).unwrap();
    foreign.attributes.clear();
    assert!(matches!(Grep::read(literal("x"), foreign), Err(PluginError::InvalidInput(_))));
}

#[test]
fn settings_are_checked() {
    assert!(Grep::validate_config("{}").is_empty());
    for (config, path) in [
        (r#"{"sources":[]}"#, "sources"),
        (r#"{"sources":["/var/log","/proc"]}"#, "sources[1]"),
        (r#"{"exclude":["a/b"]}"#, "exclude[0]"),
        (r#"{"max_bytes":1}"#, "max_bytes"),
        (r#"{"max_seconds":0}"#, "max_seconds"),
        (r#"{"utc_offset_minutes":900}"#, "utc_offset_minutes"),
        (r#"{"max":1}"#, "max"),
    ] {
        let wrong = Grep::validate_config(config);
        assert_eq!(wrong.iter().map(|wrong| wrong.path.as_str()).collect::<Vec<_>>(), [path], "{config}");
    }
}

#[test]
fn matches_have_time_level_and_context() {
    let mut wanted = literal("timeout");
    (wanted.before, wanted.after) = (1, 2);
    let text = "/l/a-1.log-2-2026-03-02T08:31:39Z INFO ok\n\
        /l/a-1.log:3:2026-03-02T08:31:40.402Z WARN timeout one\n\
        /l/a-1.log:4:2026-03-02 08:31:41 ERROR timeout two\n\
        /l/a-1.log-5-five\n/l/a-1.log-6-six\n--\n/l/b.log:1:timeout\n";
    let (matches, stop) = read(&wanted, &[text.as_bytes()]);
    assert!(!stop);
    let lines = |lines: &[portcullis_plugin::log_search::LogLine]| {
        lines.iter().filter_map(|line| line.line).collect::<Vec<_>>()
    };
    let [one, two, three] = matches.as_slice() else { unreachable!("{matches:?}") };
    assert_eq!(
        (one.source.as_deref(), one.line, one.unix_ms, one.level.as_deref()),
        (Some("/l/a-1.log"), Some(3), Some(1_772_440_300_402), Some("WARN"))
    );
    assert_eq!((lines(&one.before), lines(&one.after)), (vec![2], vec![4, 5]));
    assert_eq!((two.unix_ms, lines(&two.before), lines(&two.after)), (None, vec![3], vec![5, 6]));
    assert_eq!((three.source.as_deref(), three.before.len(), three.after.len()), (Some("/l/b.log"), 0, 0));
}

#[test]
fn enough_is_enough() {
    let mut wanted = literal("x");
    wanted.max_matches = 2;
    let (matches, stop) = read(&wanted, &[b"/l/a:1:x\n/l/a:2:x\n/l/a:3:x\n"]);
    assert_eq!((matches.len(), stop), (2, true));
}

#[test]
fn the_window_drops_only_what_is_surely_outside() {
    let mut wanted = literal("x");
    wanted.since_unix_ms = Some(1_772_440_300_000);
    let text = "/l/a:1:2026-03-02T08:31:39Z x\n/l/a:2:2026-03-02T08:31:41Z x\n/l/a:3:2026-03-02 08:31:39 x\n/l/a:4:2026-02-28 08:31:39 x\n/l/a:5:x\n";
    let (matches, _) = read(&wanted, &[text.as_bytes()]);
    assert_eq!(matches.iter().filter_map(|found| found.line).collect::<Vec<_>>(), [2, 3, 5]);
    assert_eq!(matches.iter().map(|found| found.fields.len()).collect::<Vec<_>>(), [0, 1, 1]);
}

#[test]
fn hostile_text_is_cleaned_and_cut() {
    let text = format!("/l/a:1:\u{1b}[31mred\u{1b}[0m\u{7}\n/l/a:2:{}\n", "y".repeat(100_000));
    let (matches, _) = read(&literal("x"), &[text.as_bytes()]);
    assert_eq!(matches[0].text, "red");
    assert!(matches[1].text.len() < 17_000 && matches[1].text.ends_with('…'));
}

#[test]
fn a_search_that_did_not_work_is_not_an_empty_one() {
    for (output, works) in [
        ("find: ‘/l’: No such file or directory\n", false),
        ("grep: Unmatched ( or \\(\n", false),
        ("grep: /l/secret: Permission denied\n", true),
        ("", true),
    ] {
        let wanted = literal("x");
        let mut reader = Grep::read(wanted.clone(), plan(BARE, &wanted, &[]).unwrap()).unwrap();
        reader.push(output.as_bytes()).unwrap();
        assert_eq!(reader.finish(Some(1), false).is_ok(), works, "{output}");
    }
    // Of the default folders not all need be there.
    let mut wanted = literal("x");
    wanted.sources.clear();
    let mut reader = Grep::read(wanted.clone(), plan("{}", &wanted, &[]).unwrap()).unwrap();
    reader.push("find: ‘var/log’: No such file or directory\n".as_bytes()).unwrap();
    assert!(reader.finish(Some(1), false).unwrap().matches.is_empty());
}

/// Runs a plan as the host would, without a shell in between.
fn run(plan: &Plan, directory: &Path, prefix: &[&str]) -> (Vec<u8>, Option<i32>) {
    let words: Vec<&str> = prefix.iter().copied().chain(plan.pipeline[0].argv.iter().map(String::as_str)).collect();
    let output = Command::new(words[0]).args(&words[1..]).current_dir(directory).output().unwrap();
    (output.stdout, output.status.code())
}

fn log_folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("log-search-grep-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("log/sub dir")).unwrap();
    let five = |word: &str| {
        (1..=5).map(|number| format!("line {number}{}\n", if number == 3 { word } else { "" })).collect::<String>()
    };
    for (file, text) in [
        ("log/app-2026-11-21.log", five(" needle:7: -8- x")),
        ("log/a:12:b-3-c.log", five(" needle two")),
        ("log/sub dir/it's.log", five(" two needle")),
        ("log/old.log.gz", five(" needle")),
        ("log/plain", five(" NEEDLE")),
        ("log/binary.log", "\0\u{1} needle\n".to_owned()),
    ] {
        std::fs::write(folder.join(file), text).unwrap();
    }
    folder
}

fn sources_of(matches: &[LogMatch]) -> Vec<&str> {
    let mut sources: Vec<&str> = matches.iter().filter_map(|found| found.source.as_deref()).collect();
    sources.sort_unstable();
    sources
}

fn search(config: &str, query: &Query, folder: &Path, prefix: &[&str]) -> Vec<LogMatch> {
    let plan = plan(config, query, &[]).unwrap();
    let (output, exit_code) = run(&plan, folder, prefix);
    let mut reader = Grep::read(query.clone(), plan.clone()).unwrap();
    let mut matches = reader.push(&output).unwrap().matches;
    matches.extend(reader.finish(exit_code, false).unwrap().matches);
    if matches.is_empty() {
        assert!(exit_code.is_some_and(|code| plan.empty_exit_codes.contains(&code)), "{exit_code:?}");
    }
    matches
}

/// The tools to run the plan with: the machine's own, and BusyBox where it has one.
fn toolboxes() -> Vec<Vec<&'static str>> {
    let mut boxes = vec![vec![]];
    if Command::new("busybox").arg("true").status().is_ok_and(|status| status.success()) {
        boxes.push(vec!["busybox"]);
    }
    boxes
}

#[test]
fn real_tools_answer_the_plan() {
    let folder = log_folder("real");
    for prefix in toolboxes() {
        let mut wanted = literal("needle");
        wanted.sources = vec!["log".to_owned()];
        let found = search("{}", &wanted, &folder, &prefix);
        // Without context a name with a number between colons is read at its first one.
        assert_eq!(sources_of(&found), ["log/a", "log/app-2026-11-21.log", "log/sub dir/it's.log"], "{prefix:?}");

        (wanted.before, wanted.after) = (1, 1);
        let found = search("{}", &wanted, &folder, &prefix);
        assert_eq!(
            sources_of(&found),
            ["log/a:12:b-3-c.log", "log/app-2026-11-21.log", "log/sub dir/it's.log"],
            "{prefix:?}"
        );
        for found in &found {
            assert_eq!(
                (found.line, found.before[0].text.as_str(), found.after[0].text.as_str()),
                (Some(3), "line 2", "line 4")
            );
        }

        let mut words = query("two needle", MatchMode::AllWords);
        words.sources = vec!["log".to_owned()];
        (words.before, words.ignore_case) = (1, true);
        assert_eq!(search("{}", &words, &folder, &prefix).len(), 2, "{prefix:?}");

        let mut file = literal("NEEDLE");
        (file.sources, file.include) = (vec!["log/plain".to_owned(), "log".to_owned()], vec!["*.log".to_owned()]);
        assert_eq!(sources_of(&search("{}", &file, &folder, &prefix)), ["log/plain"], "{prefix:?}");

        let mut none = literal("nothing like it");
        none.sources = vec!["log".to_owned()];
        assert!(search("{}", &none, &folder, &prefix).is_empty());
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

fn output() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        "/l/(a|b-1|c:2:|d-2026-11-21)(:[0-9]{1,3}:|-[0-9]{1,3}-)[a-z:0-9 -]{0,20}".prop_map(String::into_bytes),
        (1u32..6)
            .prop_map(|number| format!("/l/a-1.log{0}{number}{0}x", if number == 3 { ':' } else { '-' }).into_bytes()),
        Just(b"--".to_vec()),
        Just(b"grep: /l/x: Permission denied".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..30),
    ];
    proptest::collection::vec(line, 0..40).prop_map(|lines| lines.join(&b'\n'))
}

proptest! {
    #[test]
    fn any_split_gives_the_same(text in output(), size in 1usize..40, before in 0u16..3, after in 0u16..3) {
        let query = Query { before, after, max_matches: 10, ..literal("x") };
        let chunks: Vec<&[u8]> = text.chunks(size).collect();
        prop_assert_eq!(read(&query, &chunks), read(&query, &[&text]));
    }

    #[test]
    fn bounds_hold_and_nothing_is_invented(text in output(), before in 0u16..3, after in 0u16..3, max in 1u32..5) {
        let query = Query { before, after, max_matches: max, ..literal("x") };
        let (matches, _) = read(&query, &[&text]);
        prop_assert!(matches.len() <= max as usize);
        let whole: String = String::from_utf8_lossy(&text).chars().filter(|symbol| !symbol.is_control()).collect();
        for found in matches {
            prop_assert!(found.before.len() <= before as usize && found.after.len() <= after as usize);
            let written = format!("{}:{}:", found.source.unwrap(), found.line.unwrap());
            prop_assert!(whole.contains(&written) || text.contains(&0x1b), "{}", written);
        }
    }
}
