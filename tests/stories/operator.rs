//! The operator: several hosts at once, seeing and ending things, the log, the figures, the limits, a clean end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use e2e::mcp::{Client, program, wait_until};
use e2e::scene::Scene;
use e2e::terminal::Terminal;
use e2e::viewer::{Page, link};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(20);
const LOCAL: &str = "[profiles.here]\nkind = 'local'\nshell = ['bash', '--noprofile', '--norc']\n";

struct Ran {
    code: i32,
    out: String,
    error: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.error))
    }
}

fn run(scene: &Scene, arguments: &[&str]) -> Ran {
    let mut command = Command::new(program());
    command.args(arguments).arg("--config").arg(scene.path("portcullis.toml")).stdin(Stdio::null());
    let output = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), error: text(output.stderr) }
}

fn apart(scene: &Scene, label: &str) -> Client {
    Client::start_apart(&scene.path("portcullis.toml"), &[("SSH_MCP_CLIENT_LABEL", "${LABEL}")], &["--label", label])
}

/// The hosts that run, by their label.
fn hosts(scene: &Scene) -> Vec<(String, Value)> {
    let status = run(scene, &["status", "--json"]).json();
    let hosts = status["hosts"].as_array().unwrap().clone();
    hosts.into_iter().map(|host| (host["label"].as_str().unwrap_or_default().to_owned(), host)).collect()
}

fn id_of(scene: &Scene, label: &str) -> String {
    let hosts = hosts(scene);
    let found = hosts.iter().find(|(it, _)| it == label).unwrap_or_else(|| panic!("no {label} in {hosts:?}"));
    found.1["instance_id"].as_str().unwrap().to_owned()
}

fn signal(name: &str, process: &Value) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn two_clients_and_three_hosts_at_once_never_mix() {
    let scene = Scene::empty();
    scene.configure(LOCAL);
    assert_eq!(run(&scene, &["kill", "s-here-1"]).code, 3);
    let (mut first, mut second) = (apart(&scene, "first"), apart(&scene, "se\u{1b}cond"));
    let third = apart(&scene, "third");
    for client in [&mut first, &mut second] {
        assert_eq!(
            client.succeed("ssh_open", json!({ "profile": "here", "name": "db" }))["session"]["session_id"],
            "s-here-1"
        );
    }
    first.succeed("ssh_run", json!({ "command": "whose=first" }));
    second.succeed("ssh_run", json!({ "command": "whose=second" }));

    let all = hosts(&scene);
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all.iter().all(|(_, host)| host["clients"] == json!(["stories"])), "{all:?}");
    let (one, two, three) = (id_of(&scene, "first"), id_of(&scene, "second"), id_of(&scene, "third"));
    let shown = run(&scene, &["status"]).out;
    assert!(
        shown.contains("\"first\" · stories") && shown.contains("sessions: 1 open") && !shown.contains("token"),
        "{shown}"
    );
    let listed = run(&scene, &["sessions"]).out;
    assert!(listed.contains(&format!("{one}/s-here-1")) && listed.contains(&format!("{two}/s-here-1")), "{listed}");
    let devices = run(&scene, &["devices", "--json"]).json();
    assert_eq!(
        (&devices["devices"][0]["state"], devices["devices"][0]["sessions"].as_array().unwrap().len()),
        (&json!("open"), 2)
    );

    // Which of two is meant is not guessed.
    let both = run(&scene, &["kill", "db"]);
    assert_eq!(both.code, 4, "{}", both.error);
    assert!(both.error.contains(&format!("{one}/s-here-1")) && both.error.contains(&format!("{two}/s-here-1")));
    assert_eq!(run(&scene, &["kill", "nobody"]).code, 3);
    assert_eq!(run(&scene, &["kill"]).code, 2);
    assert_eq!(run(&scene, &["kill", "first/db", "--json"]).json()["closed"], "s-here-1");
    assert_eq!(run(&scene, &["sessions", "--json"]).json()["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(second.succeed("ssh_run", json!({ "command": "echo $whose" }))["text"], "second\n");
    let closed = first.fail("ssh_run", json!({ "command": "echo $whose", "session_id": "s-here-1" }));
    assert!(closed["summary"].as_str().unwrap().contains("closed by the operator"), "{closed}");

    // One dies. The others are told from it by their locks, and keep what is theirs.
    let process = hosts(&scene).into_iter().find(|(label, _)| label == "third").unwrap().1["process_id"].clone();
    signal("-KILL", &process);
    let left = wait_until(LIMIT, || (hosts(&scene).len() == 2).then_some(()));
    assert!(left.is_some());
    let folder = |id: &str| scene.path("state/instances").join(id);
    assert!(folder(&three).join("server.json").exists());
    assert_eq!(run(&scene, &["status", "--json"]).json()["ended"], 1);
    let cleaned = run(&scene, &["cleanup", "--json"]).json();
    assert_eq!(cleaned["cleaned"], json!([{ "instance_id": three, "removed": true }]));
    assert!(!folder(&three).exists() && folder(&one).join("control.sock").exists());
    for (name, wanted) in
        [("", 0o700), ("transcripts", 0o700), ("server.json", 0o600), ("control.sock", 0o600), ("host.log", 0o600)]
    {
        assert_eq!(mode(&folder(&two).join(name)), wanted, "{name}");
    }
    drop(third);

    let ended = run(&scene, &["kill", &two[..5]]);
    assert_eq!((ended.code, ended.out.trim()), (0, format!("ended host {two}").as_str()), "{}", ended.error);
    assert!(!folder(&two).join("control.sock").exists());
    assert_eq!(scene_transcript(&folder(&two)).last().unwrap()["reason"], "the host has ended");
    drop(second);
}

fn scene_transcript(instance: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(instance.join("transcripts/s-here-1.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_signal_ends_everything_and_everyone_is_told() {
    let scene = Scene::empty();
    scene.configure(LOCAL);
    let mut client = apart(&scene, "all");
    client.succeed("ssh_open", json!({ "profile": "here" }));
    // A number that no other test sleeps for.
    let mark = format!("90.{}", std::process::id());
    let arguments = json!({ "command": format!("sleep {mark}"), "wait_s": 60 });
    let call = client.begin("tools/call", json!({ "name": "ssh_run", "arguments": arguments }));
    let runs = || !Command::new("pgrep").args(["-f", &format!("^sleep {mark}$")]).output().unwrap().stdout.is_empty();
    assert!(wait_until(LIMIT, || runs().then_some(())).is_some());
    let (address, token) = link(&scene.path("state"));
    let mut page = Page::open(&address, &token, "s-here-1");
    let config = scene.path("portcullis.toml").display().to_string();
    let mut terminal = Terminal::start(&program(), &["attach", "--config", &config], (100, 30));
    terminal.until("ctrl-] leaves");
    let (_, host) = hosts(&scene).remove(0);
    let instance = scene.path("state/instances").join(host["instance_id"].as_str().unwrap());

    signal("-TERM", &host["process_id"]);
    // The call is answered, the page and the terminal learn it, nothing is left.
    let told = client.called(call);
    assert!(told.is_error, "{}", told.text);
    assert!(page.until(LIMIT, |page| page.is_closed));
    terminal.end();
    assert!(terminal.printed().contains("the host has ended"), "{}", terminal.printed());
    assert!(wait_until(Duration::from_secs(5), || hosts(&scene).is_empty().then_some(())).is_some());
    for gone in ["server.json", "control.sock"] {
        assert!(!instance.join(gone).exists(), "{gone}");
    }
    let lines = scene_transcript(&instance);
    assert_eq!(lines.last().unwrap()["kind"], "closed");
    let end = lines.iter().find(|line| line["kind"] == "command_end").unwrap();
    assert_eq!(end["outcome"], "disconnected", "{end}");
    assert!(wait_until(LIMIT, || (!runs()).then_some(())).is_some(), "an orphan is left");
}

#[test]
fn the_log_says_who_did_what_and_no_more() {
    let scene = Scene::empty();
    scene
        .configure(&format!("{LOCAL}[log]\nformat = 'json'\nlevel = 'debug,portcullis::session=trace'\nmax_mib = 1\n"));
    let mut client = apart(&scene, "logged");
    client.succeed("ssh_open", json!({ "profile": "here" }));
    client.succeed("ssh_run", json!({ "command": "echo c0ntent-of-the-terminal" }));
    let mut follow = Command::new(program())
        .args(["logs", "logged", "--follow", "--config"])
        .arg(scene.path("portcullis.toml"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It has found the host once it has printed something.
    let mut followed = BufReader::new(follow.stdout.take().unwrap());
    followed.read_line(&mut String::new()).unwrap();
    client.succeed("ssh_stop", json!({}));
    let shown = run_logs(&scene, "logged");
    let lines: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).expect("a log line is JSON")).collect();
    let closed = lines.iter().find(|line| line["fields"]["message"] == "session closed").expect("it is told");
    assert_eq!((&closed["span"]["id"], &closed["span"]["profile"]), (&json!("s-here-1"), &json!("here")), "{closed}");
    assert!(
        lines
            .iter()
            .any(|line| line["fields"]["message"] == "a client is served" && line["fields"]["client"] == "stories")
    );
    assert!(!shown.contains("c0ntent"), "{shown}");
    drop(client);
    // It ends with the host, and has told of the end.
    let mut rest = String::new();
    followed.read_to_string(&mut rest).unwrap();
    assert!(follow.wait().unwrap().success() && rest.contains("the host ends"), "{rest}");
    assert_eq!(run(&scene, &["logs"]).code, 3);
    let mistaken = Scene::empty();
    mistaken.configure("[log]\nlevel = 'info,portcullis=loud'\n");
    let refused = run(&mistaken, &["stdio"]);
    assert!(refused.code == 1 && refused.error.contains("log.level"), "{}", refused.error);
}

fn run_logs(scene: &Scene, instance: &str) -> String {
    let ran = run(scene, &["logs", instance, "--tail", "1000"]);
    assert_eq!(ran.code, 0, "{}", ran.error);
    ran.out
}

/// One request to the viewer; status, type of the content, content.
fn get(address: &str, path: &str, token: Option<&str>) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let bearer = token.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n{bearer}Connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let kind =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-type: ").map(str::to_owned));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), kind.unwrap_or_default(), body.to_owned())
}

#[test]
fn the_figures_are_open_metrics_and_for_whoever_has_the_token() {
    let scene = Scene::empty();
    scene.configure(LOCAL);
    let mut client = apart(&scene, "counted");
    client.succeed("ssh_open", json!({ "profile": "here" }));
    client.succeed("ssh_run", json!({ "command": "seq 1 100; false" }));
    client.fail("ssh_run", json!({ "command": "rm -rf /" }));
    let (address, token) = link(&scene.path("state"));
    assert_eq!(get(&address, "/readyz", None).0, 200);
    for wrong in [None, Some("wrong")] {
        assert_eq!(get(&address, "/metrics", wrong).0, 401);
    }
    let page = Page::open(&address, &token, "s-here-1");
    let (status, kind, text) = get(&address, "/metrics", Some(&token));
    assert_eq!((status, kind.as_str()), (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"));
    if let Some(path) = std::env::var_os("PORTCULLIS_METRICS_FILE") {
        std::fs::write(path, &text).unwrap();
    }
    let figures = parsed(&text);
    let value = |name: &str| *figures.get(name).unwrap_or_else(|| panic!("no {name} in {text}"));
    assert_eq!(value("portcullis_calls_total{tool=\"ssh_run\",status=\"success\"}"), 1.0);
    assert_eq!(value("portcullis_calls_total{tool=\"ssh_run\",status=\"blocked\"}"), 1.0);
    assert_eq!(value("portcullis_call_seconds_count{tool=\"ssh_run\"}"), 2.0);
    assert_eq!(value("portcullis_commands_total{actor=\"agent\",outcome=\"completed\"}"), 1.0);
    assert_eq!(value("portcullis_verdicts_total{actor=\"agent\",verdict=\"deny\"}"), 1.0);
    assert!(value("portcullis_plugin_seconds_count{plugin=\"policy-standard\"}") >= 2.0);
    assert_eq!(value("portcullis_plugin_failures_total{plugin=\"policy-standard\"}"), 0.0);
    assert!(value("portcullis_output_bytes_total") > 290.0 && value("portcullis_transcript_lag_seconds_count") > 5.0);
    assert!(value("portcullis_input_bytes_total{actor=\"agent\"}") >= 16.0);
    assert_eq!((value("portcullis_sessions_open"), value("portcullis_viewers")), (1.0, 1.0));
    drop(page);
    // The record can no longer be written.
    let instance = std::fs::read_dir(scene.path("state/instances")).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_dir_all(&instance).unwrap();
    assert_eq!(get(&address, "/readyz", None).0, 503);
}

/// Reads the text as the specification has it: every sample belongs to the family announced last, histograms only
/// grow and end with the count, the end is marked.
fn parsed(text: &str) -> std::collections::BTreeMap<String, f64> {
    let mut samples = std::collections::BTreeMap::new();
    let (mut family, mut kind, mut ended) = (String::new(), String::new(), false);
    let mut last_bucket: Option<(String, f64)> = None;
    for line in text.lines() {
        assert!(!ended, "something follows the end: {line}");
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words.as_slice() {
            ["#", "EOF"] => ended = true,
            ["#", "TYPE", name, of] => {
                assert!(["counter", "gauge", "histogram"].contains(of), "{line}");
                (family, kind) = ((*name).to_owned(), (*of).to_owned());
            }
            ["#", "HELP" | "UNIT", name, _] => assert!(name.starts_with("portcullis_"), "{line}"),
            ["#", ..] => panic!("{line}"),
            _ => {
                let (name, value) = line.rsplit_once(' ').expect("a value");
                let value: f64 = value.parse().expect("a number");
                let plain = name.split('{').next().unwrap();
                let suffix = plain.strip_prefix(family.as_str()).unwrap_or_else(|| panic!("{line} is not of {family}"));
                let allowed: &[&str] = match kind.as_str() {
                    "counter" => &["_total"],
                    "histogram" => &["_bucket", "_count", "_sum"],
                    _ => &[""],
                };
                assert!(allowed.contains(&suffix), "{line} in a {kind}");
                if suffix == "_bucket" {
                    let (before, rest) = name.split_once("le=\"").unwrap();
                    let series = format!("{before}{}", rest.split_once('"').unwrap().1);
                    if let Some((of, last)) = &last_bucket {
                        assert!(*of != series || *last <= value, "{line} is less than the bucket before");
                    }
                    last_bucket = Some((series, value));
                }
                assert!(samples.insert(name.to_owned(), value).is_none(), "{name} is there twice");
            }
        }
    }
    assert!(ended, "the end is not marked");
    samples
}

#[test]
fn limits_say_which_they_are_and_what_to_do() {
    let scene = Scene::empty();
    scene.configure(&format!("{LOCAL}[limits]\nsessions = 3\nsession_memory_mib = 1\nmemory_mib = 2\njobs = 2\n"));
    let mut client = scene.client();
    let mut open = || client.call("ssh_open", json!({ "profile": "here", "new": true }));
    assert!(!open().is_error && !open().is_error);
    let refused = open();
    assert!(
        refused.is_error && refused.text.contains("`limits.memory_mib`") && refused.text.contains("ssh_stop"),
        "{}",
        refused.text
    );
    // Only the newest commands are remembered.
    for command in ["echo 1", "echo 2", "echo 3"] {
        client.succeed("ssh_run", json!({ "session_id": "s-here-1", "command": command }));
    }
    let jobs = client.succeed("ssh_status", json!({ "session_id": "s-here-1" }))["sessions"][0]["jobs"].clone();
    assert_eq!(jobs.as_array().unwrap().len(), 2, "{jobs}");
    // A closed session gives way to an open one.
    client.succeed("ssh_stop", json!({ "session_id": "s-here-1" }));
    client.succeed("ssh_open", json!({ "profile": "here", "new": true }));
    assert!(
        client.fail("ssh_read", json!({ "session_id": "s-here-1" }))["summary"]
            .as_str()
            .unwrap()
            .contains("no longer kept")
    );

    let text = std::fs::read_to_string(scene.path("portcullis.toml")).unwrap();
    std::fs::write(scene.path("portcullis.toml"), text.replace("sessions = 3", "sessions = 1\nopen_files = 64"))
        .unwrap();
    let mut narrow = scene.client();
    narrow.succeed("ssh_open", json!({ "profile": "here" }));
    let refused = narrow.fail("ssh_open", json!({ "profile": "here", "new": true }));
    assert!(
        refused["summary"]
            .as_str()
            .unwrap()
            .contains("1 sessions are open or being opened, which is all that `limits.sessions`")
    );
}

/// A collector of the figures: what is posted to it, one document after the other.
fn collector() -> (u16, std::sync::mpsc::Receiver<(String, Value)>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, posted) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                reader.read_line(&mut head).unwrap();
            }
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
            let first = head.lines().next().unwrap().to_owned();
            if sender.send((first, serde_json::from_slice(&body).unwrap())).is_err() {
                return;
            }
        }
    });
    (port, posted)
}

#[test]
fn the_figures_are_sent_to_a_collector() {
    let (port, posted) = collector();
    let scene = Scene::empty();
    scene.configure(&format!("{LOCAL}[metrics]\notlp = 'http://127.0.0.1:{port}'\ninterval_s = 3600\n"));
    let mut client = scene.client();
    let (line, _) = posted.recv_timeout(LIMIT).unwrap();
    assert_eq!(line, "POST /v1/metrics HTTP/1.1");
    client.succeed("ssh_hosts", json!({}));
    // The next time is in an hour, but for the end.
    client.end(LIMIT);
    let (_, last) = posted.recv_timeout(LIMIT).unwrap();
    let metrics = last["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
    let calls = metrics.iter().find(|metric| metric["name"] == "portcullis_calls").unwrap();
    let point = &calls["sum"]["dataPoints"][0];
    assert_eq!(point["asDouble"], 1.0, "{calls}");
    assert!(point["attributes"].to_string().contains("ssh_hosts"), "{calls}");
}

/// Most systems begin with a limit that some dozens of sessions use up.
#[test]
fn the_limit_of_open_files_is_raised_and_kept_to() {
    let scene = Scene::empty();
    scene.configure(LOCAL);
    let with_limits = |soft: u32, hard: u32| {
        let mut command = Command::new("sh");
        let script = format!("ulimit -S -n {soft}; ulimit -H -n {hard}; exec \"$0\" stdio --config \"$1\"");
        command.args(["-c", &script]).arg(program()).arg(scene.path("portcullis.toml"));
        Client::start_command(command)
    };
    let raised = with_limits(128, 400);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", raised.process_id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(line.split_whitespace().skip(3).take(2).collect::<Vec<_>>(), ["400", "400"], "{line}");
    let host = hosts(&scene).remove(0).1;
    let log = run_logs(&scene, host["instance_id"].as_str().unwrap());
    assert!(log.contains("the limit of open files was raised") && log.contains("now=400"), "{log}");
    drop(raised);
    // What the system allows is not gone beyond: the error comes before anything fails for want of a file.
    let mut narrow = with_limits(64, 64);
    let refused = (0..64).find_map(|_| {
        let answer = narrow.call("ssh_open", json!({ "profile": "here", "new": true }));
        answer.is_error.then_some(answer)
    });
    let refused = refused.expect("sixty-four files are not enough");
    assert!(
        refused.text.contains("of 64 files and sockets are open") && refused.text.contains("ulimit -n"),
        "{}",
        refused.text
    );
    // What is open goes on.
    narrow.succeed("ssh_run", json!({ "session_id": "s-here-1", "command": "true" }));
}

/// The commands of the guide, in order, as a person types them.
#[test]
fn the_guides_walk_through_works() {
    let guide =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/operating.md"))
            .unwrap();
    let block = guide.split("```console\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a walk-through");
    let scene = Scene::empty();
    scene.configure(&LOCAL.replace("here", "web1"));
    let config = scene.path("portcullis.toml").display().to_string();
    let mut said = String::new();
    for line in block.lines().filter_map(|line| line.strip_prefix("$ portcullis ")) {
        let words: Vec<&str> = line.split(' ').collect();
        if words[0] == "attach" {
            let mut terminal = Terminal::start(&program(), &[&words[..], &["--config", &config]].concat(), (100, 30));
            terminal.until("ctrl-] leaves");
            terminal.press("echo $((20 + 1))-by-hand\r");
            terminal.until("21-by-hand");
            terminal.press("\x1d");
            assert!(terminal.end().success(), "{}", terminal.screen());
            continue;
        }
        let ran = run(&scene, &words);
        assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.error);
        said.push_str(&ran.out);
    }
    for told in [
        "web1",
        "viewer: http://127.0.0.1:",
        "\"mine\" · no client",
        "s-web1-1",
        "the host runs",
        "closed session s-web1-1",
        "ended host",
        "nothing was left behind",
    ] {
        assert!(said.contains(told), "no {told:?} in {said}");
    }
    assert_eq!(run(&scene, &["status"]).out.lines().next(), Some("no host runs"));
}

/// Every piece of configuration in the guide is one that a host takes.
#[test]
fn the_guides_settings_are_taken() {
    let guide =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/operating.md"))
            .unwrap();
    let pieces: Vec<&str> = guide.split("```toml\n").skip(1).filter_map(|piece| piece.split("```").next()).collect();
    assert_eq!(pieces.len(), 4);
    for piece in pieces {
        let scene = Scene::empty();
        scene.configure(&format!("{LOCAL}{piece}"));
        let ran = run(&scene, &["devices"]);
        assert_eq!(ran.code, 0, "{piece}\n{}", ran.error);
    }
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let scene = Scene::empty();
    let print = |arguments: &[&str]| {
        let output = Command::new(program()).args(arguments).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    for command in ["attach", "sessions", "cleanup"] {
        assert!(print(&["completions", "bash"]).contains(command) && print(&["completions", "zsh"]).contains(command));
    }
    assert!(print(&["man"]).contains(".TH portcullis 1"));
    let folder: PathBuf = scene.path("");
    print(&["man", "--folder", folder.to_str().unwrap()]);
    assert!(scene.path("portcullis-attach.1").exists());
    let script = scene.path("completions.bash");
    std::fs::write(&script, print(&["completions", "bash"])).unwrap();
    let checked = Command::new("bash").arg("-n").arg(&script).status().unwrap();
    assert!(checked.success());
}
