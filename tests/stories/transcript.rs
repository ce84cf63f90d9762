//! The record as its operator uses it: searched, checked, exported; after a kill, on a full disk.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use e2e::disk::{SmallDisk, on_read_only_disk};
use e2e::mcp::{Client, program, wait_until};
use e2e::scene::Scene;
use serde_json::{Value, json};

const LOCAL: &str = "[profiles.here]\nkind = 'local'\nshell = ['bash', '--noprofile', '--norc']\n";
/// Rounds of the test with kill -9; more with this variable.
const ROUNDS: &str = "PORTCULLIS_KILL_ROUNDS";

fn operator(scene: &Scene, arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.arg("transcript").args(arguments).arg("--config").arg(scene.path("portcullis.toml"));
    command.output().unwrap()
}

fn text_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn transcripts(scene: &Scene) -> Vec<PathBuf> {
    let instances = std::fs::read_dir(scene.path("state/instances")).unwrap();
    let folders = instances.map(|entry| entry.unwrap().path().join("transcripts"));
    let files = folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    files.map(|file| file.unwrap().path()).collect()
}

#[test]
fn an_agent_and_an_operator_find_what_was_done() {
    let scene = Scene::empty();
    scene.configure(LOCAL);
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "here", "name": "work" }));
    let id = opened["session"]["session_id"].as_str().unwrap().to_owned();
    client.succeed("ssh_run", json!({ "command": "echo needle-$((40 + 2)); false" }));
    client.succeed("ssh_run", json!({ "command": "echo password=hunter2-canary" }));
    client.fail("ssh_run", json!({ "command": "rm -rf /" }));

    let events = client.succeed("ssh_transcript", json!({ "session_id": "work" }));
    let kinds: Vec<&str> = events["events"].as_array().unwrap().iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert!(["verdict", "command_start", "output", "command_end"].iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    let last = events["events"].as_array().unwrap().last().unwrap()["number"].clone();
    assert_eq!(client.succeed("ssh_transcript", json!({ "session_id": "work", "after": last }))["events"], Value::Null);
    let hits = client.succeed("ssh_transcript", json!({ "pattern": r"needle-\d+" }));
    assert_eq!((&hits["hits"][0]["session"], &hits["hits"][0]["kind"]), (&json!(id), &json!("output")), "{hits}");
    let denied = client.succeed("ssh_transcript", json!({ "verdict": "deny" }));
    assert!(denied["hits"][0]["text"].as_str().unwrap().contains("rm -rf /"), "{denied}");
    client.fail("ssh_transcript", json!({ "pattern": "(" }));
    client.fail("ssh_transcript", json!({ "session_id": "no-such" }));

    // Another host of the same state folder does not see it; the operator does.
    let mut other = scene.client();
    assert_eq!(other.succeed("ssh_transcript", json!({ "pattern": "needle" }))["hits"], Value::Null);
    let found = operator(&scene, &["search", "needle-42", "--json"]);
    let hit: Value = serde_json::from_str(text_of(&found).lines().next().unwrap()).unwrap();
    assert_eq!((&hit["session"], hit["offset"].is_u64()), (&json!(id), true), "{hit}");
    // Each hit leads back into its session: by a link without a token where a viewer runs.
    let place = format!("/r/{}/{id}", hit["instance"].as_str().unwrap());
    let link = hits["hits"][0]["replay_url"].as_str().unwrap();
    assert!(link.starts_with("http://127.0.0.1:") && link.ends_with(&place), "{link}");
    assert!(hit["replay_url"].as_str().is_some_and(|link| link.ends_with(&place)), "{hit}");
    let (address, _) = e2e::viewer::link(&scene.path("state"));
    let shown = e2e::http::request(&address, "GET", &place, &[], "");
    assert!(shown.status == 200 && shown.body.contains("<html"), "{shown:?}");
    assert!(text_of(&operator(&scene, &["search", "needle-42"])).contains("in its session: http://"));
    let failed = text_of(&operator(&scene, &["search", "--exit-code", "1"]));
    assert!(failed.contains("echo needle-$((40 + 2)); false"), "{failed}");
    assert_eq!(operator(&scene, &["search", "no such thing"]).status.code(), Some(1));
    let open = text_of(&operator(&scene, &["verify", &id]));
    assert!(open.contains("good") && open.contains("open"), "{open}");
    client.succeed("ssh_stop", json!({ "session_id": id }));
    let closed = operator(&scene, &["verify", "--all"]);
    assert!(closed.status.success() && text_of(&closed).contains("closed"), "{}", text_of(&closed));
    assert!(text_of(&operator(&scene, &["list"])).contains(&id));
    let tail = text_of(&operator(&scene, &["tail", "work", "-f", "-n", "1"]));
    assert!(tail.contains("closed"), "{tail}");
    assert!(text_of(&operator(&scene, &["export", "work", "--text"])).contains("needle-42"));
    let cast = scene.path("work.cast");
    assert!(operator(&scene, &["export", "work", "--asciicast", "-o", cast.to_str().unwrap()]).status.success());
    assert!(
        std::fs::read_to_string(&cast).unwrap().starts_with("{")
            && text_of(&operator(&scene, &["show", &id])).contains("verdict")
    );

    // What was changed is told, by its line.
    let path = transcripts(&scene).into_iter().find(|path| path.to_str().unwrap().contains(&id)).unwrap();
    let recorded = std::fs::read_to_string(&path).unwrap();
    assert!(!recorded.contains("hunter2-canary") && recorded.contains("[redacted:password:"), "{recorded}");
    std::fs::write(&path, recorded.replacen("needle-42", "needle-43", 1)).unwrap();
    let changed = operator(&scene, &["verify", &id]);
    assert!(!changed.status.success() && text_of(&changed).contains("BROKEN at line"), "{}", text_of(&changed));
}

/// Kills the host in the midst of its work; gives the commands it had answered.
fn killed(scene: &Scene, after: Duration) -> (String, Vec<u64>) {
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "here" }));
    let process = client.process_id();
    let killer = std::thread::spawn(move || {
        std::thread::park_timeout(after);
        assert!(Command::new("kill").args(["-9", &process.to_string()]).status().unwrap().success());
    });
    let mut answered = Vec::new();
    for number in 0.. {
        let command = format!("echo mark-$(({number} + 1000)); seq 1 {}", 10 + number % 7 * 3000);
        let Some(answer) = client.call_unless_killed("ssh_run", json!({ "command": command })) else { break };
        assert_eq!(answer.structured["exit_code"], 0, "{}", answer.text);
        answered.push(number + 1000);
    }
    killer.join().unwrap();
    (opened["session"]["session_id"].as_str().unwrap().to_owned(), answered)
}

#[test]
#[allow(clippy::print_stdout, reason = "how much was answered and torn is worth knowing")]
fn a_killed_host_has_everything_on_record_that_it_has_answered() {
    let rounds = std::env::var(ROUNDS).ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20);
    let (mut all, mut torn) = (0, 0);
    for round in 0_u64..rounds {
        let scene = Scene::empty();
        scene.configure(LOCAL);
        // Spread over the first commands and the floods between them.
        let (session, answered) = killed(&scene, Duration::from_micros(20_000 + round * 7_919 % 180_000));
        let verified = operator(&scene, &["verify", &session, "--json"]);
        let told: Value = serde_json::from_str(&text_of(&verified)).unwrap();
        assert!(verified.status.success() && told["verified"]["open"] == false, "{told}");
        torn += u64::from(told["verified"]["torn_end"] == true);
        let path = &transcripts(&scene)[0];
        let recorded = std::fs::read_to_string(path).unwrap();
        let ends = recorded.lines().filter(|line| line.contains("\"kind\":\"command_end\"")).count();
        assert!(ends >= answered.len(), "{ends} ends of {} answered", answered.len());
        let output = text_of(&operator(&scene, &["export", &session, "--text"]));
        for mark in &answered {
            assert!(
                output.lines().any(|line| line == format!("mark-{mark}")),
                "mark-{mark} was answered and is not there"
            );
        }
        all += answered.len();
    }
    println!("{rounds} hosts killed: {all} commands answered, all on record; {torn} torn last lines");
    assert!(all > 0, "no command was answered in any round");
}

/// A session on a disk that is full by now.
fn on_full_disk(further: &str) -> (Scene, Client, SmallDisk, PathBuf) {
    let scene = Scene::empty();
    scene.configure(&format!("{LOCAL}{further}[transcript]\nsync = 'data'\n"));
    let (mut client, disk) = SmallDisk::serve(&scene, 512);
    client.succeed("ssh_open", json!({ "profile": "here" }));
    client.succeed("ssh_run", json!({ "command": "echo before" }));
    let path = disk.transcripts().remove(0);
    disk.fill();
    (scene, client, disk, path)
}

fn verified(scene: &Scene, disk: &SmallDisk) -> Output {
    let mut command = disk.command(program());
    command.args(["transcript", "verify", "--all", "--config"]).arg(scene.path("portcullis.toml")).output().unwrap()
}

fn gaps(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["kind"] == "gap").collect()
}

/// What is left of a disk's last page takes some lines yet.
const FEW: u32 = 40;

#[test]
fn on_a_full_disk_nothing_is_typed_where_it_is_audited() {
    let (scene, mut client, disk, path) = on_full_disk("audited = true\n");
    let refused = (0..FEW).find_map(|number| {
        let answer = client.call("ssh_run", json!({ "command": format!("touch typed-without-record-{number}") }));
        answer.is_error.then_some((number, answer.structured))
    });
    let (number, refused) = refused.expect("a full disk is met");
    assert!(refused["summary"].as_str().unwrap().contains("not on record"), "{refused}");
    assert_eq!(refused["failure_category"], "runtime-state-abnormal");
    let status = client.call("ssh_status", json!({}));
    assert!(status.text.contains("RECORD FAILING"), "{}", status.text);
    // Once there is room again everything goes on, and the record says what is missing.
    disk.empty();
    assert_eq!(client.succeed("ssh_run", json!({ "command": "echo after" }))["text"], "after\n");
    assert!(client.succeed("ssh_status", json!({}))["sessions"][0]["record_problem"].is_null());
    let gaps = gaps(&path);
    assert!(gaps.len() == 1 && gaps[0]["lines"].as_u64().unwrap() >= 1 && gaps[0]["torn_line"] == true, "{gaps:?}");
    assert!(!std::fs::read_to_string(&path).unwrap().contains(&format!("typed-without-record-{number}\\r")));
    let verified = verified(&scene, &disk);
    assert!(
        verified.status.success() && text_of(&verified).contains("are missing and told of"),
        "{}",
        text_of(&verified)
    );
}

/// Nothing begins whose record could not be written, and it is said why.
#[test]
fn on_a_read_only_disk_a_host_does_not_start() {
    let scene = Scene::empty();
    scene.configure(LOCAL);
    let ended = on_read_only_disk(&scene).stdin(Stdio::null()).output().unwrap();
    let told = text_of(&ended);
    assert!(!ended.status.success(), "{told}");
    assert!(told.contains("Read-only file system") && told.contains("state"), "{told}");
}

#[test]
fn on_a_full_disk_work_goes_on_loudly_elsewhere() {
    let (scene, mut client, disk, path) = on_full_disk("");
    let told = (0..FEW).find_map(|_| {
        assert_eq!(client.succeed("ssh_run", json!({ "command": "echo meanwhile" }))["text"], "meanwhile\n");
        let told = client.succeed("ssh_status", json!({}))["sessions"][0]["record_problem"].clone();
        told.as_str().map(str::to_owned)
    });
    assert!(told.as_ref().is_some_and(|told| told.contains("NOT on record")), "{told:?}");
    client.succeed("ssh_run", json!({ "command": "echo lost" }));
    disk.empty();
    client.succeed("ssh_run", json!({ "command": "echo after" }));
    let gap = &gaps(&path)[0];
    assert!(gap["lines"].as_u64().unwrap() >= 4 && gap["output_bytes"].as_u64().unwrap() > 0, "{gap}");
    assert!(wait_until(Duration::from_secs(5), || verified(&scene, &disk).status.success().then_some(())).is_some());
}

/// Every configuration in the guide is one.
#[test]
fn what_the_guide_shows_is_configuration() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/transcript.md")).unwrap();
    let pieces: Vec<&str> = text.split("```toml\n").skip(1).filter_map(|piece| piece.split("```").next()).collect();
    assert!(pieces.len() >= 2, "{pieces:?}");
    let scene = Scene::empty();
    for piece in pieces {
        scene.configure(piece);
        let listed = operator(&scene, &["list"]);
        assert!(listed.status.success(), "{}\n{piece}", text_of(&listed));
    }
}
