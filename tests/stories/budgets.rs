//! What the commonest jobs cost a client that goes by what results say: calls, and characters that its model reads
//! and writes.

use e2e::mcp::{Answer, Client};
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions};
use serde_json::{Value, json};

/// A client that counts.
struct Replay {
    name: &'static str,
    client: Client,
    calls: usize,
    chars: usize,
}

impl Replay {
    fn new(name: &'static str, client: Client) -> Self {
        Self { name, client, calls: 0, chars: 0 }
    }

    /// Counts the arguments, and the longer of the result's two forms: a client shows one of them.
    fn call(&mut self, tool: &str, arguments: Value) -> Answer {
        let asked = arguments.to_string().chars().count();
        let answer = self.client.call(tool, arguments);
        let told = answer.text.chars().count().max(answer.structured.to_string().chars().count());
        self.calls += 1;
        self.chars += asked + told;
        answer
    }

    fn succeed(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.call(tool, arguments);
        assert!(!answer.is_error, "{tool}: {}", answer.text);
        answer.structured
    }

    /// Makes the call that the result names.
    fn follow(&mut self, result: &Value) -> Value {
        let next = &result["next"];
        self.succeed(next["tool"].as_str().expect("a next step"), next["arguments"].clone())
    }

    /// Holds what it cost against the budget: what it cost when this was written, and 15 % of the characters more.
    #[allow(clippy::print_stdout, reason = "the figures are what the budget is measured by")]
    fn within(self, calls: usize, chars: usize) {
        println!("{}: {} calls, {} characters", self.name, self.calls, self.chars);
        assert!(self.calls <= calls, "{}: {} calls, {calls} are allowed", self.name, self.calls);
        assert!(self.chars <= chars, "{}: {} characters, {chars} are allowed", self.name, self.chars);
    }
}

const LOCAL: &str = "enabled = false\n[profiles.here]\nkind = 'local'\nshell = ['bash', '--noprofile', '--norc']\n";

fn local() -> Scene {
    let scene = Scene::empty();
    scene.configure(LOCAL);
    scene
}

#[test]
fn a_command_and_its_exit_code() {
    let scene = local();
    let mut replay = Replay::new("a command and its exit code", scene.client());
    let hosts = replay.succeed("ssh_hosts", json!({}));
    let profile = hosts["hosts"][0]["profile"].clone();
    replay.succeed("ssh_open", json!({ "profile": profile }));
    let ran = replay.succeed("ssh_run", json!({ "command": "grep -c root /etc/passwd; (exit 7)" }));
    assert_eq!((&ran["exit_code"], &ran["text"]), (&json!(7), &json!("1\n")));
    replay.within(3, 1_840);
}

#[test]
fn through_a_bastion_into_a_pods_log() {
    let scene = Scene::with_bastion(|_| {});
    let mut replay = Replay::new("through a bastion into a pod's log", scene.client());
    let hosts = replay.succeed("ssh_hosts", json!({ "query": "lab" }));
    let profile = hosts["hosts"][0]["profile"].clone();
    assert!(hosts.to_string().contains("orders-api"), "{hosts}");
    replay.succeed("ssh_open", json!({ "profile": profile, "route": "orders-api" }));
    let found = replay.succeed("ssh_search_logs", json!({ "query": "upstream timeout" }));
    assert!(found["matches"][0]["text"].as_str().unwrap().contains("lab-timeout-001"), "{found}");
    replay.within(3, 5_360);
}

#[test]
fn a_long_job_from_start_to_end() {
    let scene = local();
    let mut replay = Replay::new("a long job from start to end", scene.client());
    replay.succeed("ssh_open", json!({ "profile": "here" }));
    let mut last = replay.succeed("ssh_run", json!({ "command": "sleep 3; echo made; (exit 4)", "wait_s": 1 }));
    assert_eq!(last["outcome"], "running", "{last}");
    let job = last["job_id"].clone();
    while last["next"]["tool"] == "ssh_read" {
        last = replay.follow(&last);
    }
    let ended = &last["job"]["completion"];
    assert_eq!((&ended["exit_code"], &last["text"]), (&json!(4), &json!("made\n")), "{last}");
    assert_eq!(last["job"]["command_id"], job, "{last}");
    replay.within(3, 2_630);
}

#[test]
fn a_file_is_changed_and_checked() {
    let sshd = Sshd::start(SshdOptions {
        config_lines: vec!["Subsystem sftp internal-sftp".to_owned()],
        ..SshdOptions::default()
    });
    let scene = Scene::empty();
    let folder = scene.path("srv");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("app.conf");
    std::fs::write(&file, "workers = 2\nport = 8080\n").unwrap();
    let files = format!("read = [{folder:?}]\nwrite = [{folder:?}]\n");
    scene.configure(&format!("enabled = false\n{}[profiles.host.files]\n{files}", sshd_profile("host", &sshd)));
    let mut replay = Replay::new("a file is changed and checked", scene.client());
    replay.succeed("ssh_open", json!({ "profile": "host" }));
    let read = replay.succeed("ssh_read_file", json!({ "path": file }));
    let changed = read["content"].as_str().unwrap().replace("workers = 2", "workers = 8");
    let arguments = json!({ "path": file, "content": changed, "if_sha256": read["sha256"] });
    let written = replay.succeed("ssh_write_file", arguments);
    let checked = replay.succeed("ssh_read_file", json!({ "path": file }));
    assert_eq!((&checked["sha256"], &checked["content"]), (&written["sha256"], &json!(changed)));
    replay.within(4, 3_640);
}

#[test]
fn a_refused_line_and_what_is_done_instead() {
    let scene = local();
    let folder = scene.path("work");
    let commands = "git init -q . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m 1 && touch new && git add new";
    std::fs::create_dir(&folder).unwrap();
    let made = std::process::Command::new("sh").args(["-c", commands]).current_dir(&folder).status().unwrap();
    assert!(made.success(), "git is missing or failed; install it: apt-get install git");
    let mut replay = Replay::new("a refused line and what is done instead", scene.client());
    replay.succeed("ssh_open", json!({ "profile": "here" }));
    replay.succeed("ssh_run", json!({ "command": format!("cd {}", folder.display()) }));
    let refused = replay.call("ssh_run", json!({ "command": "git reset --hard" }));
    assert!(refused.is_error, "{}", refused.text);
    let told = &refused.structured;
    assert!(told["suggestion"].as_str().is_some_and(|instead| instead.contains("stash")), "{told}");
    replay.follow(told);
    let instead = "git -c user.name=a -c user.email=a@b stash && git status --short";
    let instead = replay.succeed("ssh_run", json!({ "command": instead }));
    assert_eq!(instead["exit_code"], 0, "{instead}");
    replay.within(5, 3_580);
}
