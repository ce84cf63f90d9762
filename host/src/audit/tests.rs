//! The record as files: written, checked, searched, kept, exported.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use portcullis_term::{CommandId, Completion, Confidence, ExitSource, Offset, Outcome, Span, Typist};
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;
use crate::config::{Keep, Secret, TranscriptMode};

const FULL: Wanted<'static> = Wanted { mode: TranscriptMode::Full, audited: false, secrets: &[] };

type Edit = fn(Vec<String>) -> Vec<String>;

struct Record {
    state: TempDir,
    instance: Instance,
}

impl Record {
    fn new() -> Self {
        Self::keeping(Keeping::default())
    }

    fn keeping(keeping: Keeping) -> Self {
        let state = tempfile::tempdir().unwrap();
        let instance = Instance::create(state.path(), keeping).unwrap();
        Self { state, instance }
    }

    /// An open transcript with its first line.
    fn open(&self, session: &str) -> Transcript {
        let mut transcript = self.instance.transcript(session, &FULL).unwrap();
        opened(&mut transcript, session);
        transcript
    }

    fn stored(&self) -> Vec<Stored> {
        stored(self.state.path(), None).unwrap()
    }

    fn only(&self) -> Stored {
        let mut all = self.stored();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    fn search(&self, query: &Query) -> Vec<Hit> {
        let found = search(self.stored().iter(), &Query { limit: 1_000, ..query.clone() }).unwrap();
        assert!(found.problems.is_empty(), "{found:?}");
        found.hits
    }

    fn texts(&self, pattern: &str) -> Vec<String> {
        let query = Query { pattern: Some(pattern.to_owned()), ..Query::default() };
        self.search(&query).into_iter().map(|hit| hit.text).collect()
    }
}

fn opened(transcript: &mut Transcript, session: &str) {
    let keyed = transcript.is_keyed();
    let entry = Entry::Opened {
        session_id: session,
        profile: "web",
        address: "192.0.2.1:22",
        user: "ann",
        host_key: "",
        auth_method: "",
        transcript: "full",
        keyed,
        hops: vec!["gate".to_owned()],
        columns: 80,
        rows: 24,
        name: None,
        reopened_from: None,
        reopened_from_transcript: None,
    };
    transcript.record(&entry).unwrap();
}

/// Prints, and gives where the output ends then.
fn print(transcript: &mut Transcript, end: u64, text: &str) -> u64 {
    let end = end + text.len() as u64;
    transcript.output(end, text.as_bytes()).unwrap();
    end
}

fn run(transcript: &mut Transcript, number: u64, command: &str, output: &str, exit_code: i32, from: u64) -> u64 {
    let start =
        Entry::CommandStart { command_id: format!("c{number}"), actor: Typist::Agent, text: command, offset: from };
    transcript.record(&start).unwrap();
    let to = print(transcript, from, output);
    let completion = Completion {
        command_id: CommandId(number),
        span: Span { from: Offset(from), to: Offset(to) },
        outcome: Outcome::Completed { exit_code: Some(exit_code), exit_source: ExitSource::Mark },
        confidence: Confidence::Certain,
        evidence: Vec::new(),
        human_input: false,
    };
    transcript.record(&Entry::CommandEnd { completion: &completion }).unwrap();
    to
}

fn close(mut transcript: Transcript) {
    transcript.record(&Entry::Closed { reason: "done", exit_code: Some(0) }).unwrap();
}

fn check(stored: &Stored) -> Verified {
    verify(stored, &ChainKey::default()).unwrap()
}

fn change(path: &Path, change: impl FnOnce(Vec<String>) -> Vec<String>) {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = change(text.split_inclusive('\n').map(str::to_owned).collect());
    std::fs::write(path, lines.concat()).unwrap();
}

#[test]
fn a_chain_shows_what_was_changed_taken_out_and_moved() {
    let record = Record::new();
    let mut transcript = record.open("s-web-1");
    for number in 0..5 {
        print(&mut transcript, number * 12, "line of ten\n");
    }
    let stored = record.only();
    assert!(check(&stored).open, "whoever writes holds the lock");
    close(transcript);
    let good = check(&stored);
    assert!(good.is_good() && good.closed && !good.open && good.lines == 7, "{good:?}");
    let whole = std::fs::read(&stored.path).unwrap();
    let changes: [(u64, Edit); 4] = [
        (3, |mut lines| {
            lines[2] = lines[2].replace("line of ten", "line of nil");
            lines
        }),
        (4, |mut lines| {
            lines.remove(3);
            lines
        }),
        (2, |mut lines| {
            lines.swap(1, 2);
            lines
        }),
        (5, |mut lines| {
            lines[4] = "{\"kind\":\"output\"}\n".to_owned();
            lines
        }),
    ];
    for (line, edit) in changes {
        std::fs::write(&stored.path, &whole).unwrap();
        change(&stored.path, edit);
        let found = check(&stored).first_broken.map(|broken| broken.line);
        assert_eq!(found, Some(line));
    }
    // A killed host leaves a piece of a line: that is no sign of anything, and nothing mends it.
    std::fs::write(&stored.path, &whole[..whole.len() - 30]).unwrap();
    let torn = check(&stored);
    assert!(torn.is_good() && torn.torn_end && !torn.closed && torn.lines == 6, "{torn:?}");
    assert_eq!(std::fs::read(&stored.path).unwrap(), &whole[..whole.len() - 30]);
}

#[test]
fn with_a_key_nobody_else_can_write_a_chain() {
    let keys = tempfile::tempdir().unwrap();
    let key = |name: &str| {
        let path = keys.path().join(name);
        std::fs::write(&path, format!("the {name}")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        ChainKey::read(Some(&path)).unwrap()
    };
    let record = Record::keeping(Keeping { key: key("right"), ..Keeping::default() });
    close(record.open("s-web-1"));
    let stored = record.only();
    let right = verify(&stored, &key("right")).unwrap();
    assert!(right.is_good() && right.keyed, "{right:?}");
    assert_eq!(verify(&stored, &key("wrong")).unwrap().first_broken.unwrap().line, 1);
    let without = check(&stored).first_broken.unwrap();
    assert!(without.why.contains("key_file"), "{without:?}");
    // An unkeyed chain in its place is not taken for one.
    let unkeyed = Record::new();
    close(unkeyed.open("s-web-1"));
    assert!(verify(&unkeyed.only(), &key("right")).unwrap().first_broken.is_some());
}

/// The first keys come before the question: a program may take them as its beginning or drop them.
#[test]
fn a_secret_that_was_begun_before_its_question_is_recognised_from_then_on() {
    let record = Record::new();
    let mut transcript = record.open("s-web-1");
    opened(&mut transcript, "s-web-1");
    for key in ["l", "s", "\r", "c", "o", "x", "\x7f", "r", "r"] {
        transcript.input(Typist::Human, key.as_bytes()).unwrap();
    }
    for key in ["e", "c", "t", "-", "h", "o", "r", "s", "e", "\r"] {
        transcript.secret_input(Typist::Human, key.as_bytes()).unwrap();
    }
    print(&mut transcript, 0, "taken: correct-horse, dropped: ect-horse, other: lscorrect\r\n");
    close(transcript);
    let text = std::fs::read_to_string(record.only().path).unwrap();
    assert!(!text.contains("ect-horse") && text.contains("lscorrect"), "{text}");
    assert_eq!(text.matches("[redacted:").count(), 2, "{text}");
}

#[test]
fn what_was_typed_at_a_question_is_on_no_line() {
    let record = Record::new();
    let given = [Secret::new(Zeroizing::new("given-at-login".to_owned()))];
    let mut transcript = record.instance.transcript("s-web-1", &Wanted { secrets: &given, ..FULL }).unwrap();
    opened(&mut transcript, "s-web-1");
    for key in ["h", "u", "n", "x", "\x7f", "t", "e", "r", "2", "\r"] {
        transcript.secret_input(Typist::Human, key.as_bytes()).unwrap();
    }
    // Later it is shown after all, in pieces, and typed where it is no secret's place, key by key.
    let end = print(&mut transcript, 0, "it was hun");
    print(&mut transcript, end, "ter2 and given-at-login\r\n");
    for key in "echo hunter2 x\r".chars() {
        transcript.input(Typist::Human, key.to_string().as_bytes()).unwrap();
    }
    transcript.input(Typist::Agent, b"curl -u ann:s3cr3t https://web\r").unwrap();
    close(transcript);
    let text = std::fs::read_to_string(record.only().path).unwrap();
    for secret in ["hunter2", "given-at-login", "s3cr3t", "\"text\":\"u\""] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let mut typed = String::new();
    record
        .only()
        .events(|line| {
            if let LineRead::Event(event) = line
                && event.kind == "input"
                && event.text_of("actor") == Some("human")
            {
                typed.push_str(event.text_of("text").unwrap());
            }
            true
        })
        .unwrap();
    assert!(typed.starts_with("echo [redacted:known:") && typed.ends_with("] x\r"), "{typed}");
}

#[test]
fn output_beyond_the_limit_is_left_out_and_that_is_stated() {
    let record = Record::keeping(Keeping { output_limit_bytes: Some(100), ..Keeping::default() });
    let mut transcript = record.open("s-web-1");
    let mut end = 0;
    for _ in 0..10 {
        end = print(&mut transcript, end, "thirty bytes of a long output\n");
    }
    // What the next command prints counts anew.
    run(&mut transcript, 1, "echo short", "short\n", 0, end);
    close(transcript);
    let (mut recorded, mut omitted) = (0, Vec::new());
    record
        .only()
        .events(|line| {
            let LineRead::Event(event) = line else { panic!("{line:?}") };
            match event.kind.as_str() {
                "output" => recorded += event.bytes().unwrap().len(),
                "output_omitted" => omitted.push((event.number_of("length_bytes"), event.number_of("offset"))),
                _ => {}
            }
            true
        })
        .unwrap();
    assert_eq!((recorded, omitted), (126, vec![(Some(180), Some(300))]));
    assert_eq!(record.texts("short\n").len(), 1);
}

#[test]
fn a_text_is_found_wherever_the_pieces_are_cut_and_however_it_is_escaped() {
    let record = Record::new();
    let mut transcript = record.open("s-web-1");
    let mut end = 0;
    let text = "first \"quoted\\path\" line\r\nüber\tneedle-here and \u{1b}[31mred\u{1b}[0m\r\n";
    for (index, _) in text.char_indices().skip(1).chain([(text.len(), ' ')]) {
        let piece = &text[end as usize..index];
        end = print(&mut transcript, end, piece);
    }
    for number in 1..4 {
        end = print(&mut transcript, end, &format!("a whole line with needle-{number} in it\r\n"));
    }
    // Bytes that are no text.
    transcript.output(end + 12, b"\xff\xfe needle-9\n").unwrap();
    close(transcript);
    for (pattern, hits) in [
        ("\"quoted\\path\"", 1),
        ("über\tneedle", 1),
        ("needle-here", 1),
        ("needle-", 5),
        ("line\r\nüb", 1),
        ("nothing", 0),
    ] {
        let found = record.texts(pattern);
        assert_eq!(found.len(), hits, "{pattern:?}: {found:?}");
    }
    let regex = |pattern: &str, ignore_case| {
        let pattern = Some(pattern.to_owned());
        record.search(&Query { pattern, is_regex: true, ignore_case, ..Query::default() })
    };
    assert_eq!(regex(r"needle-\d", false).len(), 4);
    assert_eq!(regex(r"^a whole", false).len(), 3);
    assert_eq!(regex(r"NEEDLE-[12]", true).len(), 2);
    assert_eq!(regex(r"[ü]ber\s", false).len(), 1);
    let hit = &regex("needle-2", false)[0];
    let all = format!("{text}a whole line with needle-1 in it\r\na whole line with needle-2 in it\r\n");
    assert_eq!(hit.offset, Some(all.find("needle-2").unwrap() as u64));
    assert_eq!(
        (hit.session.as_str(), hit.profile.as_str(), hit.text.as_str()),
        ("s-web-1", "web", "a whole line with needle-2 in it")
    );
}

#[test]
fn commands_are_found_by_text_and_exit_code_and_so_is_what_they_printed() {
    let record = Record::new();
    let mut transcript = record.open("s-web-1");
    let end = run(&mut transcript, 1, "make all", "error: missing header\n", 2, 0);
    let end = run(&mut transcript, 2, "make test", "error: none, all passed\n", 0, end);
    run(&mut transcript, 3, "ls", "error.log\n", 0, end);
    close(transcript);
    let query = |exit_code, command: Option<&str>, pattern: Option<&str>| Query {
        exit_code,
        command: command.map(str::to_owned),
        pattern: pattern.map(str::to_owned),
        ..Query::default()
    };
    let texts = |query: &Query| record.search(query).into_iter().map(|hit| hit.text).collect::<Vec<_>>();
    assert_eq!(texts(&query(Some(2), None, None)), ["make all"]);
    assert_eq!(texts(&query(None, Some("make"), None)), ["make all", "make test"]);
    assert_eq!(texts(&query(Some(0), None, Some("error"))), ["error: none, all passed", "error.log"]);
    assert_eq!(texts(&query(Some(2), Some("make"), Some("error"))), ["error: missing header"]);
    assert_eq!(record.search(&Query { host: Some("ann@192".to_owned()), ..query(None, Some("ls"), None) }).len(), 1);
    assert!(record.search(&Query { host: Some("bob".to_owned()), ..query(None, Some("ls"), None) }).is_empty());
    let future = Query { since_unix_ms: Some(u64::MAX / 2), ..query(None, Some("ls"), None) };
    assert!(record.search(&future).is_empty());
}

#[test]
fn old_ones_go_and_are_compressed_and_nothing_else_is_touched() {
    let record = Record::new();
    for number in 1..=4 {
        let mut transcript = record.open(&format!("s-web-{number}"));
        print(&mut transcript, 0, &format!("needle {number}\n").repeat(50));
        close(transcript);
    }
    let mut live = record.open("s-live-1");
    let folder = record.instance.path.join("transcripts");
    // What a hostile or careless hand may leave there.
    let outside = record.state.path().join("outside.jsonl");
    std::fs::write(&outside, "not ours\n").unwrap();
    std::os::unix::fs::symlink(&outside, folder.join("s-link-1.jsonl")).unwrap();
    std::os::unix::fs::symlink("/", record.state.path().join("instances/zz")).unwrap();
    std::fs::create_dir(folder.join("s-folder-1.jsonl")).unwrap();
    std::fs::write(folder.join("s-web-2.jsonl.gz.new"), "left by a killed host").unwrap();
    let days_ago = |number: u64, days: u64| {
        let file = std::fs::File::options().write(true).open(folder.join(format!("s-web-{number}.jsonl"))).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400)).unwrap();
    };
    for (number, days) in [(1, 40), (2, 10), (3, 5)] {
        days_ago(number, days);
    }
    let day = Duration::from_secs(86_400);
    let limits = Keep { age: Some(30 * day), compress_after: Some(7 * day), ..Keep::default() };
    let planned = keep(record.stored(), &limits, SystemTime::now(), true);
    assert_eq!((planned.removed.len(), planned.compressed.len()), (1, 1), "{planned:?}");
    assert_eq!(record.stored().len(), 5);
    let done = keep(record.stored(), &limits, SystemTime::now(), false);
    assert_eq!(done, planned);
    let names = |stored: Vec<Stored>| stored.into_iter().map(|it| (it.session, it.compressed)).collect::<Vec<_>>();
    let expected = [("s-web-2", true), ("s-web-3", false), ("s-web-4", false), ("s-live-1", false)];
    let mut left = names(record.stored());
    left.sort();
    let mut wanted = expected.map(|(name, compressed)| (name.to_owned(), compressed));
    wanted.sort();
    assert_eq!(left, wanted);
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "not ours\n");
    // Compressed it is as good, as private, and found.
    let compressed = record.stored().into_iter().find(|it| it.compressed).unwrap();
    assert!(check(&compressed).is_good());
    assert_eq!(std::fs::metadata(&compressed.path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(record.texts("needle 2").len(), 50);
    assert!(!folder.join("s-web-2.jsonl").exists() && !folder.join("s-web-2.jsonl.gz.new").exists());

    let two = Keep { count: Some(2), ..Keep::default() };
    assert_eq!(keep(record.stored(), &two, SystemTime::now(), false).removed.len(), 1);
    let nothing = Keep { total_bytes: Some(1), ..Keep::default() };
    let done = keep(record.stored(), &nothing, SystemTime::now(), false);
    assert_eq!((done.removed.len(), done.live), (2, 1), "{done:?}");
    print(&mut live, 0, "still here\n");
    close(live);
    assert!(check(&record.only()).is_good());
}

#[test]
fn where_no_file_can_be_made_the_operators_choice_counts() {
    let record = Record::new();
    let folder = record.instance.path.join("transcripts");
    std::fs::remove_dir(&folder).unwrap();
    let audited = Wanted { audited: true, ..FULL };
    let error = record.instance.transcript("s-web-1", &audited).unwrap_err();
    assert!(error.to_string().contains("nothing is typed"), "{error}");
    let mut transcript = record.instance.transcript("s-web-1", &FULL).unwrap();
    opened(&mut transcript, "s-web-1");
    transcript.input(Typist::Agent, b"ls\r").unwrap();
    let problem = transcript.problem().unwrap();
    assert!(problem.contains("NOT on record") && problem.contains("s-web-1.jsonl"), "{problem}");
}

#[test]
fn an_export_is_a_cast_text_or_json() {
    let record = Record::new();
    let mut transcript = record.open("s-web-1");
    let end = run(&mut transcript, 1, "ls", "\u{1b}[34mfolder\u{1b}[0m\r\n", 0, 0);
    // A character that is cut.
    transcript.output(end + 2, b"\xe2\x82").unwrap();
    transcript.output(end + 3, b"\xac").unwrap();
    transcript.record(&Entry::Resize { columns: 100, rows: 30 }).unwrap();
    close(transcript);
    let exported = |form| {
        let mut out = Vec::new();
        export(&record.only(), form, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(exported(Form::Text), "folder\n€\n");
    let cast = exported(Form::Asciicast);
    let lines: Vec<serde_json::Value> = cast.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["version"], &lines[0]["term"]["cols"]), (&3.into(), &80.into()), "{cast}");
    let codes: Vec<(&str, &str)> =
        lines[1..].iter().map(|line| (line[1].as_str().unwrap(), line[2].as_str().unwrap())).collect();
    let expected = [("m", "ls"), ("o", "\u{1b}[34mfolder\u{1b}[0m\r\n"), ("o", "€"), ("r", "100x30"), ("x", "0")];
    assert_eq!(codes, expected);
    assert_eq!(exported(Form::Json).lines().count(), check(&record.only()).lines as usize);
}

#[test]
fn a_file_from_before_the_chain_is_read_and_nothing_is_claimed_of_it() {
    let record = Record::new();
    let path: PathBuf = record.instance.path.join("transcripts/s-old-1.jsonl");
    let lines = "{\"version\":1,\"number\":0,\"unix_ms\":5,\"at_ms\":0,\"kind\":\"opened\",\"profile\":\"web\"}\n\
                 {\"version\":1,\"number\":1,\"unix_ms\":6,\"at_ms\":1,\"kind\":\"output\",\"offset\":11,\"text\":\"old needle\\n\"}\n";
    std::fs::write(path, lines).unwrap();
    assert!(check(&record.only()).unchained);
    assert_eq!(record.texts("needle"), ["old needle"]);
}

/// Prints what recording and searching come to; a gigabyte of it with `PORTCULLIS_RECORD_MIB=1024`.
#[test]
#[allow(clippy::print_stdout, reason = "the figures are what it is run for")]
fn a_large_record_is_written_and_searched() {
    let mib: usize = std::env::var("PORTCULLIS_RECORD_MIB").ok().and_then(|mib| mib.parse().ok()).unwrap_or(2);
    let record = Record::new();
    let mut transcript = record.open("s-web-1");
    let line = |number: usize| {
        format!(
            "2026-11-26T17:{:02}:07.{:03}Z INFO [exec-{}] OrderService - order {number} accepted for customer {} \
             status=200 path=/api/v1/orders/{number} took {} ms\r\n",
            number % 60,
            number % 1000,
            number % 13,
            number * 31,
            number % 300
        )
    };
    let piece: String = (0..200).map(line).collect();
    let started = std::time::Instant::now();
    let mut end = 0;
    for _ in 0..(mib << 20) / piece.len() {
        end = print(&mut transcript, end, &piece);
    }
    let recorded = started.elapsed();
    print(&mut transcript, end, "the needle in it\r\n");
    close(transcript);
    let rate = |bytes: u64, took: Duration| bytes as f64 / 1e6 / took.as_secs_f64();
    println!("recorded and redacted {} MB: {:.0} MB/s", end / 1_000_000, rate(end, recorded));
    for (pattern, is_regex) in [("needle in", false), (r"needle \w+ it$", true), (r"\bneedles?\b", true)] {
        let query = Query { pattern: Some(pattern.to_owned()), is_regex, limit: 10, ..Query::default() };
        let started = std::time::Instant::now();
        let found = search(record.stored().iter(), &query).unwrap();
        println!(
            "searched {} MB for {pattern}: {:.0} MB/s",
            found.bytes / 1_000_000,
            rate(found.bytes, started.elapsed())
        );
        assert_eq!(found.hits.len(), 1, "{pattern}");
    }
}

#[test]
fn lines_that_were_printed_are_found_as_in_a_log() {
    let record = Record::new();
    let mut transcript = record.open("s-web-1");
    let mut end = 0;
    // Pieces end anywhere, and a terminal's colours and carriage returns are no text.
    for piece in [
        "boot\r\n\x1b[31mERROR\x1b[0m disk ",
        "full on /srv\r\n\tat one\r\n\tat two\r\nWARN disk",
        " slow\r\nINFO disk ok",
    ] {
        end = print(&mut transcript, end, piece);
    }
    close(transcript);
    let goes_on = |text: &str| text.starts_with([' ', '\t']);
    let texts = |patterns: &[&str], is_regex, exclude: &[&str], limit| {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let mut query = LineQuery::new(&own(patterns), is_regex, &own(exclude), false).unwrap();
        (query.goes_on, query.before, query.limit) = (&goes_on, 1, limit);
        let found = search_lines(record.stored().iter(), &query);
        assert!(found.problems.is_empty());
        (found.matches, found.stopped_by)
    };
    let (found, stopped) = texts(&["disk"], false, &["ok"], 10);
    let shown: Vec<_> = found.iter().map(|found| (found.found.line, found.found.text.as_str())).collect();
    assert_eq!(shown, [(2, "ERROR disk full on /srv"), (5, "WARN disk slow")]);
    assert_eq!(stopped, None);
    assert_eq!(found[0].before.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["boot"]);
    assert_eq!(found[0].after.len(), 2, "what goes on from a line is part of it");
    assert_eq!(texts(&["slow", "WARN"], false, &[], 10).0.len(), 1, "all words, in any order");
    assert_eq!(texts(&["^INFO .* ok$"], true, &[], 10).0[0].found.line, 6, "the last line has no end");
    assert_eq!(texts(&["disk"], false, &[], 1).1, Some("matches"));
}
