//! Files of a real sshd, read and written over SFTP beside the terminal.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::mcp::{Client, wait_until};
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Signal, Sshd, SshdOptions};
use serde_json::{Value, json};

const SERVER: &str = "/usr/lib/openssh/sftp-server";
const INTERNAL: &str = "Subsystem sftp internal-sftp";
/// Of `hello\n`.
const HELLO: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

/// A host, a folder on it that may be read and written, and an open session.
struct Stage {
    sshd: Sshd,
    scene: Scene,
    client: Client,
    session_id: String,
}

impl Stage {
    fn new(sshd_lines: &[&str]) -> Self {
        Self::with_profile(sshd_lines, "")
    }

    /// `further` lines of the profile's `files`.
    fn with_profile(sshd_lines: &[&str], further: &str) -> Self {
        Self::with(sshd_lines, "", |root| format!("read = [{root:?}]\nwrite = [{root:?}]\n{further}"))
    }

    /// `before` stands before the profile; `files` says what may be reached, given the folder.
    fn with(sshd_lines: &[&str], before: &str, files: impl FnOnce(&str) -> String) -> Self {
        let scene = Scene::empty();
        fs::create_dir(scene.path("srv")).unwrap();
        fs::set_permissions(scene.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let config_lines = sshd_lines.iter().map(|line| (*line).to_owned()).collect();
        let sshd = Sshd::start(SshdOptions { config_lines, ..SshdOptions::default() });
        let files = files(&scene.path("srv").display().to_string());
        scene.configure(&format!("{before}{}[profiles.host.files]\n{files}", sshd_profile("host", &sshd)));
        let mut client = scene.client();
        let opened = client.succeed("ssh_open", json!({ "profile": "host" }));
        let session_id = opened["session"]["session_id"].as_str().unwrap().to_owned();
        Self { sshd, scene, client, session_id }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scene.path("srv").join(name)
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    fn read(&mut self, path: &Path) -> Value {
        self.client.succeed("ssh_read_file", json!({ "path": path }))
    }

    /// Names in the folder; what an attempt leaves behind would be among them.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.scene.path("srv")).unwrap();
        let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The transcript's lines about files.
    fn record(&self) -> Vec<Value> {
        self.scene.transcript(&self.session_id).into_iter().filter(|line| line["kind"] == "file").collect()
    }
}

#[test]
fn a_text_is_read_whole_or_in_parts() {
    let mut stage = Stage::new(&[INTERNAL]);
    let path = stage.put("hello", "hello\n");
    let whole = stage.read(&path);
    assert_eq!(
        (&whole["content"], &whole["encoding"], &whole["sha256"]),
        (&json!("hello\n"), &json!("utf-8"), &json!(HELLO))
    );
    assert_eq!((&whole["size_bytes"], &whole["kind"], &whole["truncated"]), (&json!(6), &json!("file"), &json!(false)));
    assert!(whole["server"].as_str().unwrap().contains("127.0.0.1"), "{whole}");
    assert!(whole["next"].is_null() && whole["modified"].as_str().unwrap().ends_with('Z'), "{whole}");

    let lines: String = (0..5_000).map(|number| format!("line {number} ü\n")).collect();
    let path = stage.put("long", &lines);
    let answer = stage.client.call("ssh_read_file", json!({ "path": path }));
    assert!(answer.text.chars().count() < 9_000, "{}", answer.text.len());
    assert!(answer.structured["sha256"].is_null() && answer.structured["truncated"] == true);
    let mut text = String::new();
    let mut arguments = json!({ "path": path, "limit_bytes": 20_000 });
    loop {
        let part = stage.client.succeed("ssh_read_file", arguments);
        text.push_str(part["content"].as_str().unwrap());
        match part["next"]["arguments"].clone() {
            Value::Null => break,
            next => arguments = next,
        }
    }
    assert_eq!(text, lines);
    let all = stage.client.succeed("ssh_read_file", json!({ "path": path, "limit_bytes": 200_000 }));
    assert_eq!(all["content"], lines.as_str());
    assert_eq!(all["sha256"].as_str().unwrap().len(), 64);
    let told = stage.client.succeed("ssh_read_file", json!({ "path": path, "stat_only": true }));
    assert_eq!((&told["size_bytes"], &told["content"]), (&json!(lines.len()), &Value::Null));
}

#[test]
fn what_is_no_text_is_base64_and_controls_act_on_nothing() {
    let mut stage = Stage::new(&[INTERNAL]);
    let path = stage.put("binary", [0u8, 1, 2, 0xff]);
    let binary = stage.client.call("ssh_read_file", json!({ "path": path }));
    assert_eq!((&binary.structured["encoding"], &binary.structured["content"]), (&json!("base64"), &json!("AAEC/w==")));
    assert!(binary.text.contains("[not text"), "{}", binary.text);
    let path = stage.put("coloured", "a\u{1b}[31mb\n");
    let coloured = stage.read(&path);
    assert_eq!((&coloured["content"], &coloured["control_chars"]), (&json!("a␛[31mb\n"), &json!(1)));
    assert!(stage.read(&stage.put("empty", ""))["content"] == "");
}

#[test]
fn a_directory_is_listed_sorted_in_pages_and_without_tricks() {
    let mut stage = Stage::new(&[INTERNAL]);
    stage.put("b", "bb");
    fs::create_dir(stage.path("a")).unwrap();
    symlink("b", stage.path("link")).unwrap();
    stage.put("evil\u{1b}[2J\nname", "");
    let listed = stage.client.call("ssh_read_file", json!({ "path": stage.scene.path("srv") }));
    let entries = listed.structured["entries"].as_array().unwrap();
    let names: Vec<&str> = entries.iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b", "evil\\x1b[2J\\x0aname", "link"]);
    assert_eq!((&entries[1]["kind"], &entries[1]["size_bytes"]), (&json!("file"), &json!(2)));
    assert_eq!((&entries[3]["kind"], &entries[3]["target"]), (&json!("symlink"), &json!("b")));
    assert_eq!((&entries[0]["kind"], &entries[2]["escaped"]), (&json!("directory"), &json!(true)));
    assert!(!listed.text.contains('\u{1b}'), "{:?}", listed.text);

    for number in 0..300 {
        stage.put(&format!("n{number:04}"), "");
    }
    let mut seen = Vec::new();
    let mut arguments = json!({ "path": stage.scene.path("srv") });
    loop {
        let page = stage.client.call("ssh_read_file", arguments);
        assert!(page.text.chars().count() < 9_000 && page.structured["entries"].to_string().len() < 9_000);
        assert_eq!(page.structured["total_entries"], 304);
        seen.extend(page.structured["entries"].as_array().unwrap().iter().map(|it| it["name"].clone()));
        match page.structured["next"]["arguments"].clone() {
            Value::Null => break,
            next => arguments = next,
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 304);
}

#[test]
fn names_that_lead_out_are_none() {
    let filter = concat!(env!("CARGO_MANIFEST_DIR"), "/servers/sftp_filter.py");
    let mut stage = Stage::new(&[&format!("Subsystem sftp python3 {filter} evil-names {SERVER}")]);
    let listed = stage.client.call("ssh_read_file", json!({ "path": stage.scene.path("srv") }));
    let entries = &listed.structured["entries"];
    assert_eq!((&entries[0]["name"], entries.as_array().unwrap().len()), (&json!("\\x1b[2Jx"), 1), "{entries}");
    assert!(listed.text.contains("note: 3 names") && !listed.text.contains('\u{1b}'), "{}", listed.text);
}

#[test]
fn what_lies_outside_stays_there_whatever_leads_to_it() {
    let mut stage = Stage::new(&[INTERNAL]);
    let outside = stage.scene.path("outside");
    fs::write(&outside, "secret\n").unwrap();
    symlink(&outside, stage.path("link")).unwrap();
    symlink(stage.scene.folder.path(), stage.path("up")).unwrap();
    symlink(stage.scene.path("nowhere"), stage.path("dangling")).unwrap();
    for path in [stage.path("link"), stage.path("up/outside"), stage.path("../outside"), outside.clone()] {
        for tool in ["ssh_read_file", "ssh_write_file"] {
            let mut arguments = json!({ "path": path });
            if tool == "ssh_write_file" {
                arguments["content"] = json!("changed");
            }
            let refused = stage.client.fail(tool, arguments);
            let summary = refused["summary"].as_str().unwrap();
            assert!(summary.contains("is outside of what may be") && summary.contains("[profiles.host]"), "{summary}");
            assert_eq!(
                (&refused["result_status"], &refused["failure_category"]),
                (&json!("blocked"), &json!("policy-blocked"))
            );
        }
    }
    for path in [stage.path("up/new"), stage.path("dangling")] {
        let refused = stage.client.fail("ssh_write_file", json!({ "path": path, "content": "x" }));
        let summary = refused["summary"].as_str().unwrap();
        assert!(summary.contains("outside") || summary.contains("leads nowhere"), "{summary}");
    }
    assert_eq!(fs::read_to_string(outside).unwrap(), "secret\n");
    assert!(!stage.scene.path("new").exists() && !stage.scene.path("nowhere").exists());
    // A link within is followed.
    stage.put("inside", "hello\n");
    symlink("inside", stage.path("way")).unwrap();
    let read = stage.read(&stage.path("way"));
    assert_eq!((&read["path"], &read["content"]), (&json!(stage.path("inside")), &json!("hello\n")));
    stage.client.succeed("ssh_write_file", json!({ "path": stage.path("way"), "content": "new" }));
    assert_eq!(fs::read_to_string(stage.path("inside")).unwrap(), "new");
    assert!(fs::symlink_metadata(stage.path("way")).unwrap().is_symlink());
}

#[test]
fn what_is_not_there_or_no_file_is_told_with_the_next_step() {
    let mut stage = Stage::new(&[INTERNAL]);
    let missing = stage.client.fail("ssh_read_file", json!({ "path": stage.path("nothing") }));
    assert!(missing["summary"].as_str().unwrap().starts_with("there is no `"), "{missing}");
    assert_eq!(missing["failure_category"], "file-error");
    let next = missing["next"].clone();
    stage.client.succeed(next["tool"].as_str().unwrap(), next["arguments"].clone());

    let pipe = stage.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (tool, arguments) in [
        ("ssh_read_file", json!({ "path": pipe })),
        ("ssh_write_file", json!({ "path": pipe, "content": "x" })),
        ("ssh_write_file", json!({ "path": stage.scene.path("srv"), "content": "x" })),
    ] {
        let refused = stage.client.fail(tool, arguments);
        assert!(refused["summary"].as_str().unwrap().contains("leaves alone"), "{refused}");
    }
    for path in ["", "~other/x", "a\nb", "x/"] {
        let refused = stage.client.fail("ssh_write_file", json!({ "path": path, "content": "x" }));
        assert!(refused["summary"].as_str().unwrap().contains("cannot be used as a path"), "{refused}");
    }
    assert_eq!(stage.names(), ["pipe"]);
}

#[test]
fn a_file_the_user_may_not_reach_is_told() {
    // Root may do everything, so the server of files is nobody's.
    let nobody = format!("Subsystem sftp /usr/bin/setpriv --reuid=65534 --clear-groups {SERVER}");
    let root = rustix::process::geteuid().is_root();
    let mut stage = Stage::new(&[if root { &nobody } else { INTERNAL }]);
    let path = stage.put("private", "hello\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o200)).unwrap();
    let denied = stage.client.fail("ssh_read_file", json!({ "path": path }));
    assert!(denied["summary"].as_str().unwrap().contains("permission denied"), "{denied}");
    // A directory anybody may write does not make a file somebody else's.
    fs::set_permissions(stage.scene.path("srv"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let denied = stage.client.fail("ssh_write_file", json!({ "path": path, "content": "x" }));
    assert!(denied["summary"].as_str().unwrap().contains("permission denied"), "{denied}");
    assert_eq!((stage.names(), fs::read_to_string(&path).unwrap()), (vec!["private".to_owned()], "hello\n".to_owned()));
    assert_eq!(stage.record().last().unwrap()["result"], "failed");
}

#[test]
fn a_file_is_made_and_replaced_whole_and_put_on_record() {
    let mut stage = Stage::new(&[INTERNAL]);
    let path = stage.path("file");
    let made = stage.client.succeed("ssh_write_file", json!({ "path": path, "content": "hello\n" }));
    assert_eq!((&made["result"], &made["bytes"], &made["sha256"]), (&json!("created"), &json!(6), &json!(HELLO)));
    assert_eq!((&made["atomic"], &made["synced"]), (&json!(true), &json!(true)), "{made}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "hello\n");

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let root = rustix::process::geteuid().is_root();
    if root {
        std::os::unix::fs::chown(&path, Some(65534), Some(65534)).unwrap();
    }
    let packed =
        json!({ "path": path, "content": "AAEC\n/w==", "encoding": "base64", "if_sha256": HELLO.to_uppercase() });
    let replaced = stage.client.succeed("ssh_write_file", packed);
    assert_eq!((&replaced["result"], &replaced["mode"]), (&json!("replaced"), &json!("0640")));
    assert_eq!(fs::read(&path).unwrap(), [0, 1, 2, 0xff]);
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o640);
    assert!(!root || (metadata.uid(), metadata.gid()) == (65534, 65534));
    stage.client.succeed("ssh_write_file", json!({ "path": path, "content": "x", "mode": "0600" }));
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(stage.names(), ["file"]);

    let record = stage.record();
    let results: Vec<&Value> = record.iter().map(|line| &line["result"]).collect();
    assert_eq!(results, ["created", "replaced", "replaced"]);
    assert_eq!(
        (&record[0]["sha256"], &record[0]["verdict"], &record[0]["bytes"]),
        (&json!(HELLO), &json!("allow"), &json!(6))
    );
    assert_eq!((&record[0]["path"], &record[0]["actor"]), (&json!(path), &json!("agent")));
    let lines = stage.scene.transcript(&stage.session_id);
    let verdict = lines.iter().position(|line| line["delivery"] == "file_write").unwrap();
    assert_eq!(lines[verdict]["text"], format!("cat > {}", path.display()));
    assert!(verdict < lines.iter().position(|line| line["kind"] == "file").unwrap());
    assert!(!serde_json::to_string(&lines).unwrap().contains("hello"), "no content is kept");
}

#[test]
fn what_has_changed_or_is_there_is_left_as_it_is() {
    let mut stage = Stage::with_profile(&[INTERNAL], "max_write_bytes = 100\nmax_read_bytes = 10\n");
    let path = stage.put("file", "newer\n");
    let absent = stage.path("absent");
    let cases = [
        (json!({ "path": path, "content": "x", "if_sha256": HELLO }), "differs from if_sha256"),
        (json!({ "path": absent, "content": "x", "if_sha256": HELLO }), "does not exist"),
        (json!({ "path": path, "content": "x", "create_only": true }), "there already"),
        (json!({ "path": path, "content": "x".repeat(101) }), "allows 100"),
        (json!({ "path": path, "content": "%", "encoding": "base64" }), "not base64"),
        (json!({ "path": path, "content": "x", "mode": "4755" }), "`mode` is octal"),
        (json!({ "path": path, "content": "x", "if_sha256": "absent" }), "create_only"),
    ];
    for (arguments, words) in cases {
        let refused = stage.client.fail("ssh_write_file", arguments);
        assert!(refused["summary"].as_str().unwrap().contains(words), "{refused}");
    }
    assert_eq!((stage.names(), fs::read_to_string(&path).unwrap()), (vec!["file".to_owned()], "newer\n".to_owned()));
    let long = stage.put("long", "x".repeat(50));
    let read = stage.client.succeed("ssh_read_file", json!({ "path": long, "limit_bytes": 1_000_000 }));
    assert_eq!(read["content"].as_str().unwrap().len(), 10);
}

#[test]
fn nothing_is_left_of_a_write_that_fails_at_its_end() {
    let filter = concat!(env!("CARGO_MANIFEST_DIR"), "/servers/sftp_filter.py");
    for wrong in ["no-rename", "dies-at-rename"] {
        let mut stage = Stage::new(&[&format!("Subsystem sftp python3 {filter} {wrong} {SERVER}")]);
        let path = stage.put("file", "hello\n");
        for target in [&path, &stage.path("new")] {
            stage.client.fail("ssh_write_file", json!({ "path": target, "content": "x" }));
        }
        assert_eq!(
            (stage.names(), fs::read_to_string(&path).unwrap()),
            (vec!["file".to_owned()], "hello\n".to_owned()),
            "{wrong}"
        );
        assert_eq!(stage.record().last().unwrap()["result"], "failed");
        // The terminal goes on.
        assert_eq!(stage.client.succeed("ssh_run", json!({ "command": "echo on" }))["text"], "on\n");
    }
    // Where the old file has to step aside first, it comes back.
    let mut stage = Stage::new(&[&format!("Subsystem sftp python3 {filter} swap-fails {SERVER}")]);
    let path = stage.put("file", "hello\n");
    stage.client.fail("ssh_write_file", json!({ "path": path, "content": "x" }));
    assert_eq!((stage.names(), fs::read_to_string(&path).unwrap()), (vec!["file".to_owned()], "hello\n".to_owned()));
    // A server that cannot replace in one step still does it, and it is said.
    let mut stage = Stage::new(&[&format!("Subsystem sftp python3 {filter} plain {SERVER}")]);
    let path = stage.put("file", "hello\n");
    let replaced = stage.client.succeed("ssh_write_file", json!({ "path": path, "content": "x" }));
    assert_eq!((&replaced["atomic"], &replaced["synced"]), (&json!(false), &json!(false)), "{replaced}");
    assert_eq!((stage.names(), fs::read_to_string(&path).unwrap()), (vec!["file".to_owned()], "x".to_owned()));
}

#[test]
fn keys_and_what_the_system_needs_are_the_policys() {
    let mut stage = Stage::with(&[INTERNAL], "", |_| "read = ['/']\nwrite = ['/']\n".to_owned());
    fs::create_dir(stage.path(".ssh")).unwrap();
    let keys = stage.path(".ssh/authorized_keys");
    for (path, rule) in [(keys.clone(), "write/protected"), ("/etc/shadow".into(), "critical/file")] {
        // With a digest it has not: even without the policy nothing would be written.
        let refused = stage.client.fail("ssh_write_file", json!({ "path": path, "content": "x", "if_sha256": HELLO }));
        assert_eq!((&refused["rule_id"], &refused["result_status"]), (&json!(rule), &json!("blocked")), "{refused}");
        assert_eq!(refused["sent"], false);
        assert_eq!(refused["text"], format!("cat > {}", path.display()));
    }
    assert!(!keys.exists());
    fs::write(stage.path(".ssh/id_ed25519"), "private").unwrap();
    symlink(".ssh/id_ed25519", stage.path("harmless")).unwrap();
    let refused = stage.client.fail("ssh_read_file", json!({ "path": stage.path("harmless") }));
    assert_eq!(refused["rule_id"], "read/secret", "{refused}");
    assert!(!refused.to_string().contains("private\""));
    let refusals =
        stage.scene.transcript(&stage.session_id).into_iter().filter(|line| line["verdict"] == "deny").count();
    assert_eq!(refusals, 3);
}

#[test]
fn the_terminal_elsewhere_is_not_the_server() {
    let full = "[defaults]\npolicy_mode = 'full'\n";
    let mut stage = Stage::with(&[INTERNAL], full, |root| format!("read = [{root:?}]\nwrite = [{root:?}]\n"));
    let path = stage.put("file", "hello\n");
    let inner = stage.client.succeed("ssh_run", json!({ "command": "bash --norc" }));
    assert_eq!(inner["session"]["breadcrumb"].as_array().unwrap().len(), 2, "{inner}");
    for tool in ["ssh_read_file", "ssh_write_file"] {
        let mut arguments = json!({ "path": path });
        if tool == "ssh_write_file" {
            arguments["content"] = json!("x");
        }
        let refused = stage.client.fail(tool, arguments.clone());
        assert!(refused["summary"].as_str().unwrap().contains("on_ssh_server: true"), "{refused}");
        assert_eq!(refused["next"]["tool"], "ssh_run");
        let next = refused["next"]["arguments"].clone();
        stage.client.succeed("ssh_run", next);
        arguments["on_ssh_server"] = json!(true);
        let done = stage.client.succeed(tool, arguments);
        assert!(done["server"].as_str().unwrap().contains("127.0.0.1"), "{done}");
    }
    let scene = Scene::with_bastion(|_| {});
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "lab" }));
    let refused = client.fail("ssh_read_file", json!({ "path": "x" }));
    assert!(refused["summary"].as_str().unwrap().contains("behind that server's menu"), "{refused}");
}

#[test]
fn a_server_without_sftp_is_told_with_the_way_around() {
    let none: &[&str] = &[];
    let lines: [(&[&str], &str); 4] = [
        (none, "offers no SFTP"),
        (&["Subsystem sftp /nonexistent/sftp-server"], "offers no SFTP"),
        (&["Subsystem sftp echo 'Welcome to the menu, choose one of many entries'"], "offers no SFTP"),
        (&[INTERNAL, "MaxSessions 1"], "MaxSessions"),
    ];
    for (lines, words) in lines {
        let mut stage = Stage::new(lines);
        let path = stage.put("file", "hello\n");
        let refused = stage.client.fail("ssh_read_file", json!({ "path": path }));
        assert!(refused["summary"].as_str().unwrap().contains(words), "{lines:?}: {refused}");
        if words.contains("SFTP") {
            let next = refused["next"]["arguments"].clone();
            assert_eq!(stage.client.succeed("ssh_run", next)["text"], "hello\n");
        }
    }
}

#[test]
fn files_end_with_their_session() {
    let mut stage = Stage::new(&[INTERNAL]);
    let path = stage.put("file", "hello\n");
    stage.read(&path);
    stage.sshd.signal_connections(Signal::KILL);
    let session_id = stage.session_id.clone();
    let ended = wait_until(Duration::from_secs(10), || {
        let status = stage.client.succeed("ssh_status", json!({ "session_id": session_id }));
        (status["sessions"][0]["state"] == "closed").then_some(())
    });
    assert!(ended.is_some());
    let refused = stage.client.fail("ssh_read_file", json!({ "session_id": session_id, "path": path }));
    assert_eq!(
        (&refused["failure_category"], &refused["next"]["tool"]),
        (&json!("connection-failure"), &json!("ssh_open"))
    );
    assert!(refused["summary"].as_str().unwrap().contains("the session is closed"), "{refused}");
}
