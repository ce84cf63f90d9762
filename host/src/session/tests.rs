//! Sessions on a scripted shell, with a clock that only moves when everything waits.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::*;
use crate::audit::{Instance, Keeping, Wanted};
use crate::config::{Limits, Profile, TerminalSize, TranscriptMode};
use crate::ssh::{PeerInfo, ShellCommand, ShellEvent, ShellLink, files::FilesOpener};

/// A session, and the far side of its channel.
struct Scripted {
    session: SessionHandle,
    shell: mpsc::Sender<ShellEvent>,
    commands: mpsc::Receiver<ShellCommand>,
    _state: TempDir,
}

impl Scripted {
    fn open(adjust: impl FnOnce(&mut Profile)) -> Self {
        let mut profile = Profile {
            name: "test".to_owned(),
            label: "test".to_owned(),
            tags: Vec::new(),
            host: "host".to_owned(),
            port: 22,
            user: "me".to_owned(),
            local: None,
            set_env: Default::default(),
            transcript: TranscriptMode::Full,
            audited: false,
            watch_processes: false,
            hops: Vec::new(),
            proxy_command: None,
            auth: Vec::new(),
            known_hosts: Vec::new(),
            host_key_alias: None,
            legacy_algorithms: false,
            connect_timeout: Duration::from_secs(1),
            keepalive: Duration::ZERO,
            keepalive_max: 3,
            idle_close: Duration::ZERO,
            encoding: Default::default(),
            terminal: TerminalSize { columns: 80, rows: 24 },
            enter: Default::default(),
        };
        adjust(&mut profile);
        let state = tempfile::tempdir().unwrap();
        let instance = Instance::create(state.path(), Keeping::default()).unwrap();
        let (shell, events) = mpsc::channel(16);
        let (sender, commands) = mpsc::channel(16);
        let peer = PeerInfo {
            address: "192.0.2.1:22".to_owned(),
            user: "me".to_owned(),
            host_key: String::new(),
            auth_method: String::new(),
            server_version: String::new(),
        };
        let id = SessionId::new("test", 1);
        let wanted = Wanted { mode: TranscriptMode::Full, audited: false, secrets: &[] };
        let transcript = instance.transcript(id.as_str(), &wanted).unwrap();
        let session = open(Opening {
            id,
            profile: Arc::new(profile),
            link: ShellLink { events, commands: sender, peer, files: FilesOpener::none() },
            transcript,
            menu: None,
            name: None,
            reopened_from: None,
            limits: Limits {
                closed_sessions: 1,
                sessions: 1,
                jobs: 256,
                session_memory_bytes: 3 << 20,
                memory_bytes: 3 << 20,
                open_files: None,
            },
            said: Vec::new(),
            on_change: Box::new(|| {}),
        });
        Self { session: session.unwrap(), shell, commands, _state: state }
    }

    async fn tell(&self, event: ShellEvent) {
        self.shell.send(event).await.unwrap();
    }

    async fn print(&self, text: &str) {
        self.tell(ShellEvent::Output(text.as_bytes().to_vec())).await;
    }

    async fn until(&self, wanted: impl FnMut(&SessionSummary) -> bool) -> SessionSummary {
        self.session.watch_summary().wait_for(wanted).await.unwrap().clone()
    }

    fn record(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.session.transcript().unwrap()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn history(&self) -> Vec<String> {
        let cut = self.session.read_history(LineRange::Between(None, None)).await.unwrap();
        cut.lines(80).into_iter().map(|line| line.text).collect()
    }
}

fn silent(unanswered: u32) -> ShellEvent {
    ShellEvent::Silent { unanswered, limit: 3, silence: Duration::from_secs(15 * u64::from(unanswered + 1)) }
}

#[tokio::test(start_paused = true)]
async fn silence_is_told_once_as_news_and_counted_on() {
    let scripted = Scripted::open(|_| {});
    scripted.tell(silent(1)).await;
    let ill = scripted.until(|summary| summary.health.state == HealthState::Unhealthy).await;
    assert!(ill.health.reason.unwrap().contains("for 30 s, 1 of 3"));
    scripted.tell(silent(2)).await;
    scripted.until(|summary| summary.health.reason.as_ref().is_some_and(|reason| reason.contains("2 of 3"))).await;
    scripted.tell(ShellEvent::Alive { round_trip: None }).await;
    scripted.until(|summary| summary.health.state == HealthState::Healthy).await;
    let told: Vec<_> = scripted.record().into_iter().filter(|line| line["kind"] == "health").collect();
    assert_eq!(told.len(), 2, "{told:?}");
    let history = scripted.history().await;
    assert!(
        history[1].starts_with("[session] unhealthy:") && history[2].starts_with("[session] healthy:"),
        "{history:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn output_too_is_a_sign_of_life() {
    let scripted = Scripted::open(|_| {});
    scripted.tell(silent(1)).await;
    scripted.until(|summary| summary.health.state == HealthState::Unhealthy).await;
    scripted.print("still here\r\n").await;
    scripted.until(|summary| summary.health.state == HealthState::Healthy).await;
    tokio::time::advance(Duration::from_secs(7)).await;
    let vitals = scripted.session.vitals().await.unwrap();
    assert_eq!((vitals.health.last_reply_ms_ago, vitals.idle), (Some(7_000), Duration::from_secs(7)));
}

#[tokio::test(start_paused = true)]
async fn idleness_counts_from_the_last_output() {
    let scripted = Scripted::open(|profile| profile.idle_close = Duration::from_secs(60));
    let opened = Instant::now();
    tokio::time::sleep(Duration::from_secs(50)).await;
    scripted.print("something\r\n").await;
    // Signs of life are not something that happens in the terminal.
    tokio::time::sleep(Duration::from_secs(30)).await;
    scripted.tell(ShellEvent::Alive { round_trip: Some(Duration::from_millis(3)) }).await;
    let closed = scripted.until(|summary| summary.closed_reason.is_some()).await;
    assert_eq!(opened.elapsed(), Duration::from_secs(110));
    assert!(closed.closed_reason.unwrap().contains("for 60 s"));
}

#[tokio::test(start_paused = true)]
async fn a_closed_session_can_be_read_and_says_so() {
    let scripted = Scripted::open(|_| {});
    scripted.print("one\r\ntwo\r\n").await;
    scripted.tell(ShellEvent::Closed { reason: "the cable was cut".to_owned() }).await;
    let closed = scripted.until(|summary| summary.closed_reason.is_some()).await;
    assert_eq!((closed.health.state, closed.state.as_str()), (HealthState::Closed, "closed"));
    let slice = scripted.session.output_slice(None, None, 100).await.unwrap();
    assert_eq!((slice.bytes.as_slice(), slice.closed), (&b"one\r\ntwo\r\n"[..], true));
    assert_eq!(scripted.history().await.last().unwrap(), "[session] closed: the cable was cut");
    assert!(scripted.session.read().await.unwrap().screen.text().contains("two"));
    let size = TerminalSize { columns: 90, rows: 24 };
    assert!(matches!(scripted.session.resize(size).await, Err(SessionError::Closed { .. })));
}

#[tokio::test(start_paused = true)]
async fn output_is_cut_from_either_end() {
    let scripted = Scripted::open(|_| {});
    scripted.print("0123456789").await;
    let at = |offset| Some(portcullis_term::Offset(offset));
    let cases = [
        (None, None, 4, 6, "6789"),
        (at(2), None, 4, 2, "2345"),
        (at(2), at(4), 9, 2, "23"),
        (at(50), None, 4, 10, ""),
    ];
    for (from, to, most, begins, bytes) in cases {
        let slice = scripted.session.output_slice(from, to, most).await.unwrap();
        assert_eq!((slice.from.0, slice.bytes.as_slice()), (begins, bytes.as_bytes()), "{from:?} {to:?}");
        assert_eq!((slice.end.0, slice.evicted_bytes), (10, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_size_reaches_the_shell() {
    let mut scripted = Scripted::open(|_| {});
    let size = TerminalSize { columns: 90, rows: 30 };
    scripted.session.resize(size).await.unwrap();
    assert_eq!(scripted.commands.recv().await, Some(ShellCommand::Resize(size)));
    assert_eq!(scripted.until(|summary| summary.columns == 90).await.rows, 30);
}

/// A terminal's query is answered by typing; what is typed goes on record before it goes out.
#[tokio::test(start_paused = true)]
async fn what_can_no_longer_be_typed_is_told_on_record() {
    let mut scripted = Scripted::open(|_| {});
    scripted.commands.close();
    scripted.print("\x1b[6n").await;
    scripted.tell(ShellEvent::Closed { reason: "the link broke".to_owned() }).await;
    scripted.until(|summary| summary.closed_reason.is_some()).await;
    let record = scripted.record();
    let kinds: Vec<&str> = record.iter().filter_map(|line| line["kind"].as_str()).collect();
    assert!(kinds.ends_with(&["host_input", "error", "closed"]), "{kinds:?}");
    let error = &record[record.len() - 2];
    assert_eq!((&error["about"], &error["plugin"]), (&json!("input"), &Value::Null));
    assert_eq!(error["message"], "6 bytes on record as typed were not sent before the connection ended");
}

#[tokio::test]
async fn a_flood_keeps_nobody_from_being_heard() {
    let scripted = Scripted::open(|_| {});
    let shell = scripted.shell.clone();
    // There is always a next piece before the last one has been read.
    let flood = tokio::spawn(async move {
        let piece = "y\r\n".repeat(20_000).into_bytes();
        while shell.send(ShellEvent::Output(piece.clone())).await.is_ok() {}
    });
    for _ in 0..3 {
        let read = tokio::time::timeout(Duration::from_secs(20), scripted.session.read());
        read.await.expect("an answer while the output goes on").unwrap();
    }
    assert!(!flood.is_finished());
    flood.abort();
}

#[tokio::test(start_paused = true)]
async fn a_viewer_gets_the_output_before_the_screen_or_what_it_has_missed() {
    let scripted = Scripted::open(|_| {});
    scripted.print("one\r\ntwo\r\nthree\r\n$ ").await;
    let attach = async |from| scripted.session.attach(from).await.unwrap();
    let bare = attach(AttachFrom::Screen { history_bytes: 0 }).await;
    assert_eq!((bare.history.len(), bare.offset), (0, 19));
    // From a whole line on, where not all of it is asked for.
    let some = attach(AttachFrom::Screen { history_bytes: 16 }).await;
    assert_eq!(some.history, b"two\r\nthree\r\n$ ");
    assert!(some.snapshot.is_some());
    let all = attach(AttachFrom::Screen { history_bytes: 1_000 }).await;
    assert_eq!(all.history.len(), 19);
    let resumed = attach(AttachFrom::Offset { offset: 10, most_bytes: 9 }).await;
    assert_eq!((resumed.history.as_slice(), resumed.snapshot), (&b"three\r\n$ "[..], None));
    let too_far = attach(AttachFrom::Offset { offset: 9, most_bytes: 9 }).await;
    assert!(too_far.snapshot.is_some());
    let impossible = attach(AttachFrom::Offset { offset: 20, most_bytes: 100 }).await;
    assert!(impossible.snapshot.is_some());
}

#[tokio::test(start_paused = true)]
async fn the_input_is_taken_told_recorded_and_given_back_by_itself() {
    let scripted = Scripted::open(|_| {});
    let mut live = scripted.session.attach(AttachFrom::Screen { history_bytes: 0 }).await.unwrap().live;
    let take = ControlRequest::Take { force: false, ttl: Some(Duration::from_secs(60)) };
    scripted.session.control(Party::Agent, take).await.unwrap();
    let told = scripted.until(|summary| summary.input.holder.is_some()).await;
    assert_eq!(told.input.holder.map(|holder| (holder.who, holder.because)), Some((Party::Agent, Because::Lease)));
    let event = live.recv().await.unwrap();
    assert!(matches!(event.kind, SessionEventKind::Summary(summary) if summary.input == told.input));
    let refused = scripted.session.control(Party::Human, take).await.unwrap_err();
    assert!(matches!(refused, SessionError::Held { holder: Party::Agent, .. }), "{refused}");
    let force = ControlRequest::Take { force: true, ttl: None };
    scripted.session.control(Party::Human, force).await.unwrap();
    let refused = scripted.session.control(Party::Agent, force).await.unwrap_err();
    assert!(refused.to_string().contains("a person has taken the input"), "{refused}");
    // Nobody does anything: the lease ends by itself.
    let free = scripted.until(|summary| summary.input.holder.is_none()).await;
    assert_eq!(free.input.mode, InputMode::Auto);
    let record: Vec<_> = scripted.record().into_iter().filter(|line| line["kind"] == "control").collect();
    let changes: Vec<_> =
        record.iter().map(|line| (line["actor"].as_str().unwrap(), line["change"].as_str().unwrap())).collect();
    assert_eq!(changes, [("agent", "taken"), ("human", "taken_by_force"), ("human", "expired")]);
    assert_eq!((record[1]["holder"].as_str(), record[2]["holder"].as_str()), (Some("human"), None));
    assert!(scripted.history().await.iter().any(|line| line.contains("input taken_by_force by human")));
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_waits_is_seen_and_told_when_its_turn_comes() {
    let scripted = Scripted::open(|_| {});
    let take = ControlRequest::Take { force: false, ttl: None };
    scripted.session.control(Party::Human, take).await.unwrap();
    let later = |turn| match turn {
        AgentsTurn::Later { held, comes } => (held, comes),
        AgentsTurn::Now { .. } => panic!("a person has the input"),
    };
    let (held, comes) = later(scripted.session.agents_turn(false).await.unwrap());
    assert!(held.to_string().contains("a person has taken the input"), "{held}");
    scripted.until(|summary| summary.input.agent_waits).await;
    // A call that has ended waits no longer.
    drop(comes);
    scripted.until(|summary| !summary.input.agent_waits).await;
    let (_, comes) = later(scripted.session.agents_turn(false).await.unwrap());
    scripted.session.control(Party::Human, ControlRequest::HandOver { ttl: None }).await.unwrap();
    comes.await.unwrap_err();
    assert!(!scripted.session.summary().input.agent_waits);
    assert!(matches!(scripted.session.agents_turn(false).await, Ok(AgentsTurn::Now { ran }) if ran.is_empty()));
    // The end of the session ends the wait, too.
    scripted.session.control(Party::Human, take).await.unwrap();
    let (_, comes) = later(scripted.session.agents_turn(false).await.unwrap());
    scripted.session.close("over").await;
    comes.await.unwrap_err();
    let ended = scripted.session.agents_turn(false).await.unwrap_err();
    assert!(matches!(ended, SessionError::Closed { .. }), "{ended}");
}
