//! Rules and exceptions of the operator's own on a real session, and `portcullis policy` as a person uses it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use e2e::home::Home;
use e2e::mcp::program;
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions};
use serde_json::{Value, json};

/// Of the profile `web`; FOLDER is the scene's.
const RULES: &str = r#"
files = { read = ["FOLDER"] }

[[profiles.web.rules]]
id = "keep-out"
action = "deny"
paths = ["FOLDER/private/**"]
message = "what lies there is nobody's business"
suggestion = "use what lies beside it"

[[profiles.web.rules]]
id = "no-date"
action = "deny"
programs = ["date"]

[[profiles.web.rules]]
id = "watched"
action = "warn"
programs = ["hostname"]

[[profiles.web.exceptions]]
rule = "delete/path"
line = "rm -r FOLDER/build"
until = 2100-01-01
reason = "the build folder is ours"

[[profiles.web.exceptions]]
rule = "custom/no-date"
line = "date -u"
until = "2100-01-01T00:00:00Z"
reason = "it has no locale"

[[profiles.web.exceptions]]
rule = "delete/path"
line = "rm -r FOLDER/old"
until = 2001-01-01
reason = "this was long ago"

[[profiles.web.exceptions]]
rule = "delete/root"
line = "rm -rf /opt"
until = 2100-01-01
reason = "nobody may write this"
"#;

struct Stage {
    scene: Scene,
    _sshd: Sshd,
    folder: String,
}

fn stage() -> Stage {
    let files = vec!["Subsystem sftp internal-sftp".to_owned()];
    let sshd = Sshd::start(SshdOptions { config_lines: files, ..SshdOptions::default() });
    let scene = Scene::empty();
    let folder = scene.folder.path().canonicalize().unwrap().display().to_string();
    scene.configure(&format!("{}{}", sshd_profile("web", &sshd), RULES.replace("FOLDER", &folder)));
    for name in ["private", "build", "old"] {
        std::fs::create_dir(scene.path(name)).unwrap();
    }
    std::fs::write(scene.path("private/key"), "content\n").unwrap();
    Stage { scene, _sshd: sshd, folder }
}

impl Stage {
    fn policy(&self, arguments: &[&str]) -> (bool, String, String) {
        self.policy_with_input(arguments, "")
    }

    fn policy_with_input(&self, arguments: &[&str], input: &str) -> (bool, String, String) {
        let mut command = Command::new(program());
        command.arg("policy").args(arguments).arg("--config").arg(self.scene.path("portcullis.toml"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (output.status.success(), text(output.stdout), text(output.stderr))
    }

    fn say(&self, arguments: &[&str]) -> String {
        let (success, said, problem) = self.policy(arguments);
        assert!(success, "{arguments:?}: {said}{problem}");
        said
    }
}

#[test]
fn a_rule_of_ones_own_refuses_and_an_exception_lets_one_command_through() {
    let stage = stage();
    let folder = &stage.folder;
    let mut client = stage.scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "web" }));
    let session_id = opened["session"]["session_id"].as_str().unwrap().to_owned();

    let command = format!("cat {folder}/private/key");
    let refused = client.fail("ssh_run", json!({ "command": command }));
    assert_eq!(refused["rule_id"], "custom/keep-out", "{refused}");
    assert_eq!(refused["reason"], "what lies there is nobody's business");
    assert_eq!(refused["suggestion"], "use what lies beside it");
    let hidden = format!("cd {folder}; c=at; sh -c \"c$c pri''vate/key\"");
    assert_eq!(client.fail("ssh_run", json!({ "command": hidden }))["rule_id"], "custom/keep-out");
    let file = client.fail("ssh_read_file", json!({ "path": format!("{folder}/private/key") }));
    assert_eq!(file["rule_id"], "custom/keep-out", "{file}");
    let warned = client.succeed("ssh_run", json!({ "command": "hostname" }));
    assert_eq!(warned["warnings"][0]["rule_id"], "custom/watched", "{warned}");

    // The exact command, however it is quoted, and no other.
    assert_eq!(client.fail("ssh_run", json!({ "command": "date" }))["rule_id"], "custom/no-date");
    assert_eq!(client.succeed("ssh_run", json!({ "command": "date -u" }))["exit_code"], 0);
    for other in [format!("rm -r {folder}/old"), format!("rm -r {folder}/build {folder}/old")] {
        assert_eq!(client.fail("ssh_run", json!({ "command": other }))["rule_id"], "delete/path", "{other}");
    }
    let lets = client.succeed("ssh_run", json!({ "command": format!("rm -r '{folder}/build'") }));
    assert_eq!((&lets["exit_code"], stage.scene.path("build").exists()), (&json!(0), false), "{lets}");
    assert!(stage.scene.path("old").exists());

    let record = stage.scene.transcript(&session_id);
    let quoted = format!("rm -r '{folder}/build'");
    let verdict = record.iter().find(|line| line["kind"] == "verdict" && line["text"] == quoted.as_str()).unwrap();
    let ruling = &verdict["decisions"][0];
    assert_eq!((&ruling["verdict"], &ruling["excepted"]["was"]), (&json!("warn"), &json!("deny")), "{ruling}");
    assert_eq!(ruling["excepted"]["reason"], "the build folder is ours");
    assert!(ruling["excepted"]["by"].as_str().unwrap().ends_with("portcullis.toml"));
}

#[test]
fn a_dry_run_tells_the_verdict_and_types_nothing() {
    let stage = stage();
    let mut client = stage.scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "web" }));
    let session_id = opened["session"]["session_id"].as_str().unwrap().to_owned();
    let judge = |client: &mut e2e::mcp::Client, command: &str| {
        client.succeed("ssh_run", json!({ "command": command, "dry_run": true }))
    };
    let denied = judge(&mut client, "sudo cat never-typed; date");
    assert_eq!((&denied["verdict"], &denied["dry_run"]), (&json!("deny"), &json!(true)), "{denied}");
    let commands = denied["plan"]["commands"].as_array().unwrap();
    assert_eq!((&commands[0]["wrappers"][0], &commands[1]["program"]), (&json!("sudo"), &json!("date")), "{denied}");
    let rules = denied["rulings"].as_array().unwrap();
    assert!(rules.iter().any(|ruling| ruling["rule_id"] == "custom/no-date"), "{denied}");
    assert_eq!(judge(&mut client, "ls")["verdict"], "allow");
    assert_eq!(judge(&mut client, "date -u")["verdict"], "warn");

    let record = stage.scene.transcript(&session_id);
    let tried: Vec<&Value> = record.iter().filter(|line| line["dry_run"] == true).collect();
    assert_eq!(tried.len(), 3, "{tried:?}");
    assert!(tried.iter().all(|line| line["kind"] == "verdict"));
    let typed = record.iter().find(|line| line["kind"] == "input" && line.to_string().contains("never-typed"));
    assert_eq!(typed, None);
    let screen = client.succeed("ssh_read", json!({ "session_id": session_id }));
    assert!(!screen.to_string().contains("never-typed"), "{screen}");
}

#[test]
fn a_person_tightens_one_session_until_they_loosen_it_again() {
    let stage = stage();
    // Below the host or its client it would be the agent's own shell that asks.
    let mut client = e2e::mcp::Client::start_apart(&stage.scene.path("portcullis.toml"), &[], &[]);
    let opened = client.succeed("ssh_open", json!({ "profile": "web" }));
    let session_id = opened["session"]["session_id"].as_str().unwrap().to_owned();
    assert_eq!(client.succeed("ssh_run", json!({ "command": "uname -s" }))["exit_code"], 0);

    let add = ["session", "add", "no-uname", "--action", "deny", "--program", "uname", "--message", "not today"];
    let added = stage.say(&add);
    assert!(added.starts_with("no-uname  set by human: action = \"deny\", message = \"not today\""), "{added}");
    assert!(added.contains("keep-out  from "), "{added}");
    let refused = client.fail("ssh_run", json!({ "command": "sh -c 'una''me -a'" }));
    assert_eq!((&refused["rule_id"], &refused["reason"]), (&json!("session/no-uname"), &json!("not today")));
    let tried = client.succeed("ssh_run", json!({ "command": "uname", "dry_run": true }));
    assert_eq!((&tried["verdict"], &tried["rulings"][0]["policy"]), (&json!("deny"), &json!("session-rules")));
    let status = client.succeed("ssh_status", json!({}));
    assert_eq!(status["sessions"][0]["rules"][0]["id"], "no-uname", "{status}");
    let plugins = status["plugins"].as_array().unwrap();
    let of_rules = plugins.iter().find(|plugin| plugin["name"] == "policy-rules").unwrap();
    // The profile's rules for each of the three lines, the session's for the last two.
    assert_eq!(of_rules["calls"], 5, "{of_rules}");

    // It only tightens: a milder rule on what is refused already changes nothing, and no exception speaks of it.
    stage.say(&["session", "add", "no-date", "--action", "warn", "--program", "date"]);
    assert_eq!(client.fail("ssh_run", json!({ "command": "date" }))["rule_id"], "custom/no-date");
    stage.say(&["session", "add", "no-date", "--action", "deny", "--program", "date"]);
    assert_eq!(client.fail("ssh_run", json!({ "command": "date -u" }))["rule_id"], "session/no-date");

    let problem = |arguments: &[&str]| stage.policy(arguments).2;
    let inherited = problem(&["session", "remove", "keep-out"]);
    assert!(inherited.contains("`keep-out` comes from the configuration"), "{inherited}");
    let mistaken = problem(&["session", "add", "x", "--action", "deny", "--flag", "r"]);
    assert!(mistaken.contains("rule.flags[0]: a flag is written with its dashes"), "{mistaken}");
    let unknown = problem(&["session", "remove", "other", "--session", &session_id]);
    assert!(unknown.contains("no rule `other` of its own; it has no-uname, no-date"), "{unknown}");

    let listed: Value = serde_json::from_str(&stage.say(&["session", "list", "--json"])).unwrap();
    assert_eq!(listed["rules"][1]["action"], "deny", "{listed}");
    stage.say(&["session", "remove", "no-date"]);
    assert_eq!(client.succeed("ssh_run", json!({ "command": "date -u" }))["exit_code"], 0);
    assert!(stage.say(&["session", "reset"]).starts_with("removed no-uname\n"));
    assert_eq!(client.succeed("ssh_run", json!({ "command": "uname -s" }))["exit_code"], 0);

    // The same from a browser's side.
    let (address, token) = e2e::viewer::link(&stage.scene.path("state"));
    let (bearer, origin) = (format!("Bearer {token}"), format!("http://{address}"));
    let asked = |method: &str, below: &str, body: &Value| {
        let headers = [("Authorization", bearer.as_str()), ("Origin", &origin), ("Content-Type", "application/json")];
        let path = format!("/api/v1/sessions/{session_id}/rules{below}");
        let answered = e2e::http::request(&address, method, &path, &headers, &body.to_string());
        (answered.status, answered.body)
    };
    let rule = json!({ "id": "no-uname", "action": "deny", "programs": ["uname"] });
    let (status, set) = asked("POST", "", &rule);
    assert!(status == 200 && set.contains("\"set_by\":\"human\""), "{status} {set}");
    assert_eq!(client.fail("ssh_run", json!({ "command": "uname" }))["rule_id"], "session/no-uname");
    let (status, told) = asked("POST", "", &json!({ "id": "x", "action": "deny", "flags": ["r"] }));
    assert!(status == 422 && told.contains("rule.flags[0]"), "{status} {told}");
    assert_eq!(
        (asked("DELETE", "/keep-out", &Value::Null).0, asked("DELETE", "/no-uname", &Value::Null).0),
        (422, 200)
    );
    assert_eq!(client.succeed("ssh_run", json!({ "command": "uname -s" }))["exit_code"], 0);

    let record = stage.scene.transcript(&session_id);
    let changes: Vec<String> = record
        .iter()
        .filter(|line| line["kind"] == "session_rules")
        .map(|line| format!("{} {} {} {}", line["actor"], line["change"], line["id"], line["rule"]["action"]))
        .collect();
    let expected = [
        r#""human" "set" "no-uname" "deny""#,
        r#""human" "set" "no-date" "warn""#,
        r#""human" "set" "no-date" "deny""#,
        r#""human" "removed" "no-date" null"#,
        r#""human" "reset" null null"#,
        r#""human" "set" "no-uname" "deny""#,
        r#""human" "removed" "no-uname" null"#,
    ];
    assert_eq!(changes, expected);
}

#[test]
fn explain_shows_plan_rules_and_both_modes() {
    let stage = stage();
    let line = format!("ls && sudo cat {}/private/key", stage.folder);
    let said = stage.say(&["explain", &line, "--profile", "web"]);
    assert!(said.starts_with("deny in safe mode, profile web\nit would run:\n  command: ls\n"), "{said}");
    assert!(said.contains("command within sudo: cat ") && said.contains("deny by custom/keep-out"), "{said}");
    assert!(said.contains("    instead: use what lies beside it\n"), "{said}");
    let under = format!("    {line}\n    {}{}\n", " ".repeat(15), "^".repeat(stage.folder.len() + 12));
    assert!(said.contains(&under), "{said}");
    assert!(said.contains("\nfull: deny by custom/keep-out\n"), "{said}");

    let json = |arguments: &[&str]| -> Value {
        serde_json::from_str(&stage.say(&[&["explain"], arguments, &["--json"]].concat())).unwrap()
    };
    let build = format!("rm -r {}/build", stage.folder);
    let excepted = json(&[&build, "--profile", "web"]);
    assert_eq!((&excepted["verdict"], &excepted["rulings"][0]["excepted"]["was"]), (&json!("warn"), &json!("deny")));
    let old = json(&[&build.replace("build", "old"), "--profile", "web"]);
    assert_eq!((&old["verdict"], &old["full"]["verdict"]), (&json!("deny"), &json!("warn")), "{old}");
    // What is denied in every mode has no exception.
    let worst = json(&["rm -rf /opt", "--profile", "web", "--mode", "full"]);
    assert_eq!((&worst["verdict"], &worst["rulings"][0]["rule_id"]), (&json!("deny"), &json!("delete/root")));
    // Without a profile there are neither rules nor exceptions of a profile.
    let plain = json(&["date"]);
    assert_eq!((&plain["verdict"], &plain["profile"]), (&json!("allow"), &Value::Null));
    let unknown = stage.policy(&["explain", "ls", "--profile", "wbe"]);
    assert!(!unknown.0 && unknown.2.contains("no profile `wbe`; there are: web"), "{}", unknown.2);
    let notes = stage.policy(&["explain", "echo \"$HOME", "--mode", "full"]).1;
    assert!(notes.contains("  malformed: "), "{notes}");
}

#[test]
fn evaluate_answers_line_by_line_and_names_the_line_that_is_wrong() {
    let stage = stage();
    let input = "{\"id\": \"a\", \"cmd\": \"ls\", \"more\": 1}\n\n{\"id\": 2, \"cmd\": \"rm -r x\"}\n\
                 {\"id\": 3, \"cmd\": \"rm -rf /\"}\n{\"id\": 4, \"cmd\": \"date\"}\n";
    let (success, said, problem) = stage.policy_with_input(&["evaluate", "--jsonl", "-"], input);
    assert!(success, "{problem}");
    let expected = "{\"id\":\"a\",\"safe\":\"allow\",\"full\":\"allow\"}\n{\"id\":2,\"safe\":\"deny\",\"full\":\"warn\"}\n\
                    {\"id\":3,\"safe\":\"deny\",\"full\":\"deny\"}\n{\"id\":4,\"safe\":\"allow\",\"full\":\"allow\"}\n";
    assert_eq!(said, expected);
    let (_, said, _) = stage.policy_with_input(&["evaluate", "--jsonl", "-", "--profile", "web"], input);
    assert!(said.ends_with("{\"id\":4,\"safe\":\"deny\",\"full\":\"deny\"}\n"), "{said}");

    let (success, said, problem) =
        stage.policy_with_input(&["evaluate", "--jsonl", "-"], &format!("{input}rm -rf /\n{{\"id\": 5}}\n{input}"));
    assert!(!success && said.lines().count() == 8, "{said}{problem}");
    assert!(
        problem.contains("-: line 6: expected value") && problem.contains("line 7: missing field `cmd`"),
        "{problem}"
    );
    assert!(problem.contains("2 of 12 lines could not be judged"), "{problem}");
    let (success, _, problem) = stage.policy(&["evaluate", "--jsonl", "absent.jsonl"]);
    assert!(!success && problem.contains("absent.jsonl cannot be read"), "{problem}");
}

#[test]
fn list_tells_every_rule_and_where_ones_own_stand() {
    let stage = stage();
    let said = stage.say(&["list", "--profile", "web"]);
    assert!(said.lines().any(|line| line.starts_with("delete/root ") && line.contains("critical")), "{said}");
    let own = said.lines().find(|line| line.starts_with("custom/keep-out")).unwrap();
    assert!(own.contains("deny: what lies there") && own.contains("portcullis.toml"), "{own}");
    let listed: Vec<Value> = serde_json::from_str(&stage.say(&["list", "--json"])).unwrap();
    assert!(listed.iter().all(|rule| rule["policy"] == "policy-standard" && rule["title"].is_string()));
    assert!(listed.len() > 20, "{}", listed.len());
}

#[test]
fn a_workspace_adds_rules_and_relaxes_none() {
    let home = Home::new();
    let users = "ssh_config = false\ndefault_profile = 'web'\n[profiles.web]\nhost = 'web1.example.com'\nuser = 'ann'\n\
                 [[profiles.web.rules]]\nid = 'ours'\naction = 'deny'\nprograms = ['date']\n";
    home.write(".config/portcullis/portcullis.toml", users);
    home.write("repository/.git/HEAD", "");
    let theirs = |text: &str| {
        home.write("repository/.portcullis.toml", &format!("[profiles.web]\n{text}"));
        let asked = home.run_in("repository", &["config", "allow"]);
        let digest = asked.stderr.split("SHA-256 ").nth(1).and_then(|rest| rest.split(')').next()).map(str::to_owned);
        if let Some(digest) = digest {
            assert!(home.run_in("repository", &["config", "allow", "--sha256", &digest]).success);
        }
        asked.stderr
    };
    let verdict = |line: &str| {
        let ran = home.run_in("repository", &["policy", "explain", line]);
        assert!(ran.success, "{}", ran.stderr);
        ran.stdout.split(' ').next().unwrap_or_default().to_owned()
    };
    theirs("rules = [{ id = 'theirs', action = 'ask', programs = ['hostname'] }]\n");
    assert_eq!(
        (verdict("hostname").as_str(), verdict("date").as_str(), verdict("ls").as_str()),
        ("ask", "deny", "allow")
    );
    let listed = home.run_in("repository", &["policy", "list"]).stdout;
    let own = |id: &str| listed.lines().find(|line| line.starts_with(id)).unwrap_or_default().to_owned();
    assert!(
        own("custom/theirs").ends_with(".portcullis.toml")
            && own("custom/ours").ends_with("portcullis/portcullis.toml")
    );

    theirs("rules = [{ id = 'ours', enabled = false }]\n");
    let check = home.run_in("repository", &["config", "check"]);
    assert!(check.stdout.contains("its rule `ours` is the user's"), "{}{}", check.stdout, check.stderr);
    assert_eq!((verdict("date").as_str(), verdict("hostname").as_str()), ("deny", "allow"));
    let said = theirs("exceptions = [{ rule = 'custom/ours', line = 'date', until = 2100-01-01, reason = 'r' }]\n");
    assert!(said.contains("sets `exceptions`, which a workspace may not"), "{said}");
    assert_eq!(verdict("date"), "deny");
}

/// Every piece of configuration in the guide is one that a host takes.
#[test]
fn the_guide_s_settings_are_taken() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/policy.md");
    let text = std::fs::read_to_string(guide).unwrap();
    let pieces: Vec<&str> = text.split("```toml\n").skip(1).filter_map(|piece| piece.split("```").next()).collect();
    assert!(pieces.len() >= 3, "{pieces:?}");
    for piece in pieces {
        let scene = Scene::empty();
        let host = "[profiles.prod]\nhost = \"prod.example\"\nuser = \"ann\"\n";
        // Tables of the guide stand alone; a host has the profile they belong to.
        let text = if piece.contains("[profiles.prod]\n") {
            piece.replace("[profiles.prod]\n", host)
        } else {
            format!("{host}{piece}")
        };
        scene.configure(&text);
        let mut command = Command::new(program());
        command.args(["policy", "list", "--profile", "prod", "--config"]).arg(scene.path("portcullis.toml"));
        let output = command.stdin(Stdio::null()).output().expect("the program starts");
        assert!(output.status.success(), "{piece}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}
