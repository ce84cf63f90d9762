//! A model of the gate: agents, a person and the server do whatever they like in any order, and no line that an
//! agent completes reaches the server without a verdict on exactly that line.
//!
//! The session's task, the operations, the gate and the policies are the real ones; the shell is a script. What is
//! checked is the record, after the bytes in it were found to be the bytes the shell got. One seed is one
//! session; `PORTCULLIS_GATE_SEEDS` asks for more than the usual ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod far;

use std::time::Duration;

use portcullis_sandbox::Compiler;
use portcullis_term::LevelKind;
use portcullis_term::track::Expectation;
use tokio::sync::mpsc;

use self::far::{Far, Order};
use super::*;
use crate::approvals::{Answer, Channel, Decision, Scope};
use crate::audit::{self, Wanted};
use crate::config::{self, TerminalSize, TranscriptMode};
use crate::session::{self, Opening, Party, RuleChange};
use crate::ssh::files::FilesOpener;
use crate::ssh::{PeerInfo, ShellEvent, ShellLink};

const USUAL_SEEDS: u64 = 1000;
const STEPS: usize = 24;
const PROFILE: &str = "ssh_config = false\n[profiles.test]\nhost = 'h'\nuser = 'u'\napproval_timeout_s = 60\n\
    [[profiles.test.rules]]\nid = 'asked'\naction = 'ask'\nprograms = ['hostname']\n\
    [[profiles.test.rules]]\nid = 'asked-too'\naction = 'ask'\npattern = 'yes'\n";
/// What agents run: refused, asked about, and programs of the far side.
const LINES: &[&str] =
    &["ls", "rm -rf /", "hostname", "hostname", "./ask", "./ask", "./repl", "./repl", "./full", "echo hi", "ls | cat"];
/// What agents type into whatever reads.
const TEXTS: &[&str] = &["rm -rf ", "/", "ls", "hostname", "y", "yes", "drop ", "a\nb", " ", "", "exit", "./ask"];
const KEYS: &[&str] =
    &["enter", "enter", "tab", "backspace", "up", "space", "q", "escape", "ctrl-c", "ctrl-d", "ctrl-u", "delete"];
const PERSON: &[&str] =
    &["l", "rm -rf ", "/", "\r", "\r", "\x7f", "\t", "\x1b[A", "\x03", "\x15", "yes", "exit\r", "./ask\r", "./repl\r"];

/// xorshift: the same seed, the same session.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % count
    }

    fn pick(&mut self, of: &[&'static str]) -> &'static str {
        of[self.below(of.len())]
    }
}

/// One session on a scripted shell.
struct Stage<'a> {
    host: &'a Host,
    session: SessionHandle,
    orders: mpsc::Sender<Order>,
    /// The way of what the shell prints.
    shell: mpsc::Sender<ShellEvent>,
}

impl<'a> Stage<'a> {
    async fn open(host: &'a Host) -> Self {
        let destination = host.config().destinations["test"].clone();
        let (shell, events) = mpsc::channel(16);
        let (commands, typed) = mpsc::channel(16);
        let (orders, inbox) = mpsc::channel(16);
        tokio::spawn(Far::new(shell.clone()).serve(typed, inbox));
        let peer = PeerInfo {
            address: "192.0.2.1:22".to_owned(),
            user: "u".to_owned(),
            host_key: String::new(),
            auth_method: String::new(),
            server_version: String::new(),
        };
        let id = host.sessions().next_id("test");
        let wanted = Wanted { mode: TranscriptMode::Full, audited: false, secrets: &[] };
        let session = session::open(Opening {
            transcript: host.instance().transcript(id.as_str(), &wanted).unwrap(),
            id,
            profile: destination.profile.clone(),
            link: ShellLink { events, commands, peer, files: FilesOpener::none() },
            menu: None,
            name: None,
            reopened_from: None,
            limits: host.config().limits,
            said: Vec::new(),
            on_change: Box::new(|| {}),
        })
        .unwrap();
        host.sessions().insert(session.clone());
        let stage = Self { host, session, orders, shell };
        let expectation = Expectation::new(LevelKind::Shell, "h", "0123abcd".to_owned(), Duration::from_secs(20));
        stage.session.expect_level(expectation).await.expect("the scripted shell answers as a shell does");
        assert!(stage.session.until_prompt(Duration::from_secs(20)).await);
        stage
    }

    fn id(&self) -> &str {
        self.session.id().as_str()
    }

    /// Until the shell has read and answered all, and the session has read the answers.
    async fn settle(&self) {
        let (reply, done) = tokio::sync::oneshot::channel();
        self.orders.send(Order::Settle(reply)).await.unwrap();
        done.await.unwrap();
        while self.shell.capacity() < self.shell.max_capacity() {
            self.session.vitals().await.unwrap();
        }
    }

    async fn step(&self, dice: &mut Dice) {
        match dice.below(16) {
            0..=2 => self.run(dice.pick(LINES)).await,
            3..=5 => self.send(Some(dice.pick(TEXTS)), dice.below(2) == 0, &[]).await,
            6..=7 => self.send(None, false, &[dice.pick(KEYS)]).await,
            8 => self.send(Some(dice.pick(TEXTS)), false, &[dice.pick(KEYS), "enter"]).await,
            9..=10 => self.person(dice.pick(PERSON)).await,
            11 => {
                let (text, keys) = (dice.pick(TEXTS), dice.pick(PERSON));
                tokio::join!(self.send(Some(text), true, &[]), self.person(keys));
            }
            12 => self.decide(dice).await,
            13 => self.orders.send(if dice.below(2) == 0 { Order::Print } else { Order::Finish }).await.unwrap(),
            14 => self.change(dice).await,
            _ => self.settle().await,
        }
    }

    async fn run(&self, line: &str) {
        let request = RunRequest {
            session_id: Some(self.id().to_owned()),
            command: line.to_owned(),
            wait: Duration::ZERO,
            timeout: None,
            max_chars: 100,
            purpose: None,
            expect_level: None,
            retry: None,
            parse: false,
            enter_key: None,
            waits_its_turn: true,
        };
        // Refused, held off, not ready: whatever comes of it is for the record to tell.
        drop(run(self.host, request).await);
    }

    async fn send(&self, text: Option<&str>, enter: bool, keys: &[&str]) {
        let request = SendRequest {
            session_id: Some(self.id().to_owned()),
            text: text.map(str::to_owned),
            enter,
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            wait_for: None,
            wait_pattern: None,
            wait: Duration::ZERO,
            settle: None,
            enter_key: None,
            waits_its_turn: true,
            max_chars: 100,
        };
        drop(send(self.host, request).await);
    }

    async fn person(&self, keys: &str) {
        drop(send_human_keys(self.host, self.id(), keys.as_bytes().to_vec(), None).await);
    }

    /// A person allows or denies what waits, or lets it expire.
    async fn decide(&self, dice: &mut Dice) {
        let decision = match dice.below(6) {
            0..=2 => Decision::Allow(Scope::Once),
            3 => Decision::Allow(Scope::RuleForSession),
            4 => Decision::Deny { reason: None },
            _ => return tokio::time::sleep(Duration::from_secs(61)).await,
        };
        for asked in approvals(self.host).iter().filter(|asked| asked.matter.session_id == self.id()) {
            let answer = Answer { decision: decision.clone(), channel: Channel::Viewer, by: None };
            answer_approval(self.host, &asked.id, &asked.digest, answer).await.unwrap();
            // The agent calls again, sometimes with something else.
            let changed = if dice.below(4) == 0 { "x" } else { "" };
            let again = format!("{}{changed}", asked.matter.text);
            match dice.below(2) {
                0 => self.run(&again).await,
                _ => self.send(Some(&again), true, &[]).await,
            }
        }
    }

    /// The size, the input's lease, the mode or the session's rules.
    async fn change(&self, dice: &mut Dice) {
        let id = Some(self.id());
        match dice.below(5) {
            0 => {
                let columns = 40 + u16::try_from(dice.below(60)).unwrap();
                self.session.resize(TerminalSize { columns, rows: 24 }).await.unwrap();
            }
            1 => drop(control(self.host, self.id(), PersonsRequest::Take { force: true }, None).await),
            2 => drop(control(self.host, self.id(), PersonsRequest::HandOver, None).await),
            3 => {
                let rule = serde_json::json!({ "id": "no-ls", "action": "deny", "programs": ["ls"] });
                let change = RuleChange::Set(Box::new(read_rule(rule).unwrap()));
                change_session_rules(self.host, id, Party::Agent, change).await.unwrap();
            }
            _ => {
                change_session_rules(self.host, id, Party::Human, RuleChange::Reset).await.map(drop).unwrap();
            }
        }
    }

    /// What the shell got, and what the record says.
    async fn end(self) -> (Vec<u8>, Vec<serde_json::Value>) {
        self.settle().await;
        // What the shell answered may have had the session type more.
        self.settle().await;
        let (reply, got) = tokio::sync::oneshot::channel();
        self.orders.send(Order::Tell(reply)).await.unwrap();
        let got = got.await.unwrap();
        self.session.close("the model is through").await;
        let text = std::fs::read_to_string(self.session.transcript().unwrap()).unwrap();
        (got, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }
}

/// Stands for the keys that empty a line wherever the cursor is.
const EMPTIED: &str = "\u{f8ff}";

/// The line of a terminal as the bytes make it; none once a key did what only its reader knows.
#[derive(Debug, Clone, PartialEq)]
struct Line(Option<String>);

impl Line {
    /// Types `bytes` and gives the lines that were completed.
    fn take(&mut self, bytes: &str) -> Vec<Option<String>> {
        let mut completed = Vec::new();
        let emptied = bytes.replace("\x05\x15", EMPTIED);
        let mut keys = emptied.chars();
        while let Some(key) = keys.next() {
            match (key, self.0.as_mut()) {
                ('\r', _) => completed.push(self.0.replace(String::new())),
                ('\x03' | '\x1c', _) => self.0 = Some(String::new()),
                // What is known was typed at its end, so that all of it stands before the cursor.
                ('\x15', Some(text)) => text.clear(),
                (key, _) if EMPTIED.starts_with(key) => self.0 = Some(String::new()),
                ('\x7f', Some(text)) => drop(text.pop()),
                (key, _) if key.is_control() => {
                    self.0 = None;
                    // The rest of an escape sequence is no text.
                    if key == '\x1b' {
                        keys.by_ref().find(|key| key.is_ascii_alphabetic() || *key == '~');
                    }
                }
                (key, Some(text)) => text.push(key),
                (_, None) => {}
            }
        }
        completed
    }
}

/// How often each thing happened, so that a model in which nothing happens is found out.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    completed: usize,
    begun_by_a_person: usize,
    refused: usize,
    consented: usize,
}

/// Goes through the record: before each thing an agent typed stands a verdict that lets it pass, on exactly the
/// line as it is then.
fn check(seed: u64, record: &[serde_json::Value], seen: &mut Seen) {
    let mut line = Line(Some(String::new()));
    let mut verdict: Option<&serde_json::Value> = None;
    let mut person_began = false;
    let mut full_screen = false;
    for entry in record {
        let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        match entry["kind"].as_str().unwrap() {
            "verdict" if matches!(text("verdict").as_str(), "allow" | "warn") || entry["consent"].is_object() => {
                seen.consented += usize::from(entry["consent"].is_object());
                verdict = Some(entry);
            }
            "verdict" => seen.refused += 1,
            "output" => {
                let printed = text("text");
                for switch in ["\x1b[?1049h", "\x1b[?1049l"] {
                    full_screen = if printed.contains(switch) { switch.ends_with('h') } else { full_screen };
                }
            }
            "input" if entry["actor"] == "human" => {
                let completed = line.take(&typed(entry));
                person_began =
                    line.0.as_ref().is_none_or(|line| !line.is_empty()) && (completed.is_empty() || person_began);
            }
            "input" => {
                let bytes = typed(entry);
                let judged =
                    verdict.take().unwrap_or_else(|| panic!("seed {seed}: {bytes:?} has no verdict of its own"));
                let judged = judged["text"].as_str().unwrap().to_owned();
                let before = line.clone();
                let completed = line.take(&bytes);
                let is_empty = before.0.as_deref().is_some_and(|text| text.trim().is_empty());
                if is_empty && line.0.is_none() {
                    // Arrows and the like on an empty line choose from a list. That a client's history is no such
                    // list, and Enter is refused there, is for the tests of the input.
                    line = before.clone();
                }
                let completed = as_one(completed);
                if !completed.is_empty() {
                    seen.completed += 1;
                    seen.begun_by_a_person += usize::from(person_began);
                    person_began = false;
                }
                for whole in completed {
                    if full_screen && judged == "enter" {
                        // A program on the whole screen has keys and no line.
                        continue;
                    }
                    let whole = whole
                        .unwrap_or_else(|| panic!("seed {seed}: an agent completed a line nobody knows, {judged:?}"));
                    let is_enter = judged == "enter" && whole.trim().is_empty();
                    assert!(
                        judged == whole.trim_start_matches(' ') || judged == whole || is_enter,
                        "seed {seed}: {judged:?} was judged, {whole:?} was typed after {before:?}"
                    );
                }
            }
            _ => {}
        }
    }
}

/// Several lines of one command are typed as the one word that `eval` runs; what that word is has been judged.
fn as_one(completed: Vec<Option<String>>) -> Vec<Option<String>> {
    let joined: Option<Vec<&str>> = completed.iter().map(Option::as_deref).collect();
    match joined.and_then(|lines| far::of_eval(&lines.join("\n"))) {
        Some(text) => vec![Some(text)],
        None => completed,
    }
}

fn typed(entry: &serde_json::Value) -> String {
    let event: audit::Event = serde_json::from_value(entry.clone()).unwrap();
    String::from_utf8(event.bytes().expect("what is typed is on record")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn no_line_an_agent_completes_goes_unjudged() {
    let seeds = std::env::var("PORTCULLIS_GATE_SEEDS").map_or(USUAL_SEEDS, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portcullis.toml");
    std::fs::write(&path, PROFILE).unwrap();
    let mut config = config::load(Some(&path)).unwrap();
    config.state_directory = folder.path().join("state");
    config.cache_directory = folder.path().join("cache");
    let host = Host::start(config, Compiler::InProcess).await.unwrap();
    host.desk().set_viewer(Some("http://127.0.0.1:1/".to_owned()));
    let mut seen = Seen::default();
    for seed in 1..=seeds {
        let stage = Stage::open(&host).await;
        let mut dice = Dice::new(seed);
        for _ in 0..STEPS {
            stage.step(&mut dice).await;
        }
        let (got, record) = stage.end().await;
        let written: String = record
            .iter()
            .filter(|entry| matches!(entry["kind"].as_str(), Some("input" | "host_input")))
            .map(typed)
            .collect();
        assert_eq!(String::from_utf8(got).unwrap(), written, "seed {seed}: the record is not what was written");
        check(seed, &record, &mut seen);
    }
    println!("{seeds} sessions: {seen:?}");
    let seeds = usize::try_from(seeds).unwrap();
    let Seen { completed, begun_by_a_person, refused, consented } = seen;
    assert!(completed >= seeds && refused >= seeds, "too little has happened: {seen:?}");
    assert!(consented * 40 >= seeds && begun_by_a_person * 50 >= seeds, "too little has happened: {seen:?}");
}
