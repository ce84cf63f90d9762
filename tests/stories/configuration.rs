//! Files of ours and of other programs, the commands that look at them and change them.

use e2e::home::Home;
use e2e::sshd::{Sshd, SshdOptions};
use serde_json::{Value, json};

const USERS: &str = "ssh_config = false\n[profiles.web]\nhost = 'web1.example.com'\nuser = 'ann'\n";

fn users_file(home: &Home, text: &str) {
    home.write(".config/portcullis/portcullis.toml", text);
}

/// What a command that must fail says.
fn failure(home: &Home, arguments: &[&str]) -> String {
    let ran = home.run(arguments);
    assert!(!ran.success, "{arguments:?} did not fail: {}", ran.stdout);
    ran.stderr
}

fn success(home: &Home, arguments: &[&str]) -> String {
    let ran = home.run(arguments);
    assert!(ran.success, "{arguments:?}: {}", ran.stderr);
    ran.stdout
}

#[test]
fn mistakes_are_told_in_these_words() {
    let home = Home::new();
    let file = home.user_file().display().to_string();
    let cases = [
        (
            "[profiles.web]\nhots = 'a'\nuser = 'b'\n",
            "line 2: unknown key `hots` in `profiles.web`, did you mean `host`?",
        ),
        (
            "[profiles.web]\nhost = 'a'\nuser = 'b'\npassword = 'hunter2'\n",
            "line 4: `password` in `profiles.web` would put a secret into this file, where whoever reads the file has it. \
             Name where it lies: password_env = \"VARIABLE\", or password_file = \"PATH\" of a file with mode 0600, \
             in an entry of `auth`",
        ),
        (
            "[profiles.web]\nhost = 'a'\n",
            "profile `web`: `user` is missing; write it, or an alias of ssh_config as `ssh_config_host`",
        ),
        (
            "[profiles.web]\nhost = 'a'\nuser = 'b'\nkeepalive_max = 0\n",
            "profile `web`: `keepalive_max` is at least 1; `keepalive_s = 0` switches keepalive off",
        ),
    ];
    for (text, expected) in cases {
        users_file(&home, text);
        let said = failure(&home, &["config", "check"]);
        assert_eq!(said, format!("portcullis: {file}: {expected}\n"));
        assert!(!said.contains("hunter2"));
    }
    let missing = home.path("nowhere.toml").display().to_string();
    let said = failure(&home, &["config", "check", "--config", &missing]);
    assert_eq!(said, format!("portcullis: there is no configuration {missing}; check the path\n"));
}

#[test]
fn profiles_are_changed_and_comments_stay() {
    let home = Home::new();
    users_file(&home, &format!("# mine\n{USERS}# the end\n"));
    success(&home, &["config", "profile", "set", "web", "port=2222", "policy_mode=readonly"]);
    success(&home, &["config", "profile", "set", "new", "host=h", "user=u", "password_env=P"]);
    success(&home, &["config", "profile", "default", "new"]);
    let text = std::fs::read_to_string(home.user_file()).unwrap();
    for kept in ["# mine", "# the end", "port = 2222", "auth = [{ password_env = \"P\" }]", "default_profile = \"new\""]
    {
        assert!(text.contains(kept), "{kept} not in {text}");
    }
    assert_eq!(success(&home, &["config", "profile", "default"]), "new\n");
    let shown = success(&home, &["config", "show", "web"]);
    let file = home.user_file().display().to_string();
    let line = |key: &str| shown.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    assert!(line("port = 2222").ends_with(&format!("# {file}")), "{shown}");
    assert!(line("keepalive_s = 15").ends_with("# built in"), "{shown}");

    let before = std::fs::read_to_string(home.user_file()).unwrap();
    let refused = failure(&home, &["config", "profile", "set", "web", "hots=x"]);
    assert!(refused.contains("did you mean `host`"), "{refused}");
    assert_eq!(std::fs::read_to_string(home.user_file()).unwrap(), before);
    success(&home, &["config", "profile", "remove", "new"]);
    assert_eq!(success(&home, &["config", "profile", "default"]), "none\n");
    assert!(!success(&home, &["config", "profile", "list"]).contains("new"));
}

#[test]
fn the_schema_knows_what_the_reader_knows() {
    let home = Home::new();
    let schema: Value = serde_json::from_str(&success(&home, &["config", "schema"])).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    let profile = &schema["$defs"]["ProfileFile"];
    assert!(profile["properties"]["ssh_config_host"].is_object(), "{profile}");
    assert_eq!(profile["additionalProperties"], false);
}

#[test]
fn a_workspace_counts_once_a_person_allowed_it_and_never_loosens() {
    let home = Home::new();
    users_file(&home, USERS);
    home.write("repository/.git/HEAD", "");
    let file = home.write(
        "repository/.portcullis.toml",
        "[profiles.dev]\nhost = 'dev.example.com'\nuser = 'ann'\n[profiles.web]\npolicy_mode = 'readonly'\n",
    );
    home.write("repository/src/x", "");
    let list = |home: &Home| home.run_in("repository/src", &["config", "profile", "list"]).stdout;
    assert!(!list(&home).contains("dev.example.com"));
    let check = home.run_in("repository/src", &["config", "check"]);
    assert!(check.stdout.contains("portcullis config allow"), "{}", check.stdout);

    let asked = home.run_in("repository/src", &["config", "allow"]);
    assert!(!asked.success && asked.stderr.contains("nobody can be asked here"), "{}", asked.stderr);
    let digest = asked.stderr.split("SHA-256 ").nth(1).unwrap().split(')').next().unwrap().to_owned();
    assert!(home.run_in("repository/src", &["config", "allow", "--sha256", &digest]).success);
    let listed = list(&home);
    assert!(listed.contains("dev.example.com") && listed.contains("mode readonly"), "{listed}");

    // Another content is another decision, and some things no decision lets in.
    std::fs::write(&file, "[profiles.web]\nhost = 'evil.example.com'\n").unwrap();
    assert!(!list(&home).contains("evil.example.com"));
    std::fs::write(&file, "[profiles.dev]\nhost = 'd'\nuser = 'u'\nauth = [{ password_env = 'TOKEN' }]\n").unwrap();
    let refused = home.run_in("repository", &["config", "allow"]);
    assert!(refused.stderr.contains("names a secret (`password_env`)"), "{}", refused.stderr);
}

#[test]
fn another_programs_file_works_as_it_is() {
    let sshd = Sshd::start(SshdOptions::default());
    let home = Home::new();
    home.know("unused", &sshd);
    let document = json!({ "profiles": {
        "dev": { "host": sshd.host(), "port": sshd.port(), "username": sshd.user(), "key_filename": sshd.user_key(),
                 "width": 100 },
        "old": { "host": "h", "username": "u", "password": "hunter2" }
    } });
    let file = home.write("profiles.json", &document.to_string());
    let mut command = home.command("", &["stdio"]);
    command.env("SSH_MCP_CONFIG", &file);
    let mut client = e2e::mcp::Client::start_command(command);
    let hosts = client.call("ssh_hosts", json!({}));
    assert!(hosts.text.contains("portcullis config import") && !hosts.text.contains("hunter2"), "{}", hosts.text);
    let opened = client.succeed("ssh_open", json!({ "profile": "dev" }));
    assert_eq!(opened["session"]["columns"], 100);

    let imported = success(&home, &["config", "import", file.to_str().unwrap()]);
    assert!(imported.contains("profile old") && !imported.contains("hunter2"), "{imported}");
    let secret = home.path(".config/portcullis/secrets/old.password");
    assert_eq!(std::fs::read_to_string(secret).unwrap(), "hunter2");
    let listed = success(&home, &["config", "profile", "list"]);
    assert!(listed.contains("old\tu@h:22"), "{listed}");
}

#[test]
fn a_file_that_anybody_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    users_file(&home, USERS);
    std::fs::set_permissions(home.user_file(), std::fs::Permissions::from_mode(0o666)).unwrap();
    let said = failure(&home, &["config", "check"]);
    assert!(said.contains("chmod"), "{said}");
}
