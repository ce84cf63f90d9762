//! The program in the lists of MCP clients: put there, started from there, and taken out again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use e2e::home::Home;
use e2e::mcp::Client;
use serde_json::{Value, json};

/// Each client with its file and what may stand in it.
const FILES: [(&str, &str, &str); 6] = [
    (
        "claude-code",
        ".claude.json",
        "{\n  \"numStartups\": 3,\n  \"mcpServers\": {\n    \"other\": { \"command\": \"x\" }\n  }\n}\n",
    ),
    ("claude-desktop", ".config/Claude/claude_desktop_config.json", "{}"),
    ("codex", ".codex/config.toml", "# mine\nmodel = \"m\"\n\n[mcp_servers.other]\ncommand = \"x\"\n"),
    (
        "vscode",
        ".config/Code/User/mcp.json",
        "{\n\t// theirs\n\t\"servers\": {\n\t\t\"other\": {}, // keep\n\t},\n\t\"inputs\": [],\n}\n",
    ),
    ("cursor", ".cursor/mcp.json", "{\"mcpServers\":{\"other\":{}}}"),
    ("gemini", ".gemini/settings.json", "{\n  \"theme\": \"dark\"\n}\n"),
];

fn run(home: &Home, arguments: &[&str]) -> (bool, String, String) {
    let mut command = home.command("", arguments);
    command.env("SSH_AUTH_SOCK", "/run/agent.sock").stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn what_is_written_is_taken_back_and_nothing_else_changes() {
    let home = Home::new();
    for (client, file, before) in FILES {
        let path = home.write(file, before);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let (installed, _, said) = run(&home, &["install", "--client", client]);
        assert!(installed, "{client}: {said}");
        let after = fs::read_to_string(&path).unwrap();
        assert!(after.contains("portcullis") && after.contains("SSH_AUTH_SOCK"), "{client}: {after}");
        assert!(before.contains("other") == after.contains("other"), "{client}: {after}");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644, "{client}");
        let (again, ..) = run(&home, &["install", "--client", client]);
        assert!(again && fs::read_to_string(&path).unwrap() == after, "{client}");
        let (gone, _, said) = run(&home, &["uninstall", "--client", client]);
        assert!(gone, "{client}: {said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), before, "{client}");
        let (twice, _, said) = run(&home, &["uninstall", "--client", client]);
        assert!(!twice && said.contains("no server `ssh`"), "{client}: {said}");
    }
}

#[test]
fn a_file_that_was_made_goes_again_and_printing_writes_none() {
    let home = Home::new();
    for (client, file, _) in FILES {
        let (printed, text, _) = run(&home, &["install", "--client", client, "--print"]);
        assert!(printed && text.contains("portcullis") && !home.path(file).exists(), "{client}: {text}");
        assert!(run(&home, &["install", "--client", client]).0);
        assert_eq!(fs::read_to_string(home.path(file)).unwrap().trim(), text.trim(), "{client}");
        assert!(run(&home, &["uninstall", "--client", client]).0);
        assert!(!home.path(file).exists(), "{client}");
    }
}

#[test]
fn what_is_somebody_elses_or_not_understood_is_left_alone() {
    let home = Home::new();
    for (client, file, text, word) in [
        ("cursor", ".cursor/mcp.json", "{\"mcpServers\":{\"ssh\":{\"command\":\"/usr/bin/other\"}}}", "/usr/bin/other"),
        ("codex", ".codex/config.toml", "[mcp_servers.ssh]\ncommand = \"other\"\n", "other"),
        ("gemini", ".gemini/settings.json", "{ broken", "JSON"),
        ("codex", ".codex/config.toml", "[broken", "config.toml"),
    ] {
        let path = home.write(file, text);
        for command in ["install", "uninstall"] {
            let (success, _, said) = run(&home, &[command, "--client", client]);
            assert!(!success && said.contains(word), "{client}: {said}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text, "{client}");
        }
    }
    let (success, _, said) = run(&home, &["install", "--client", "gemini", "--name", "my_ssh"]);
    assert!(!success && said.contains("my_ssh"), "{said}");
}

#[test]
fn what_is_registered_starts() {
    let home = Home::new();
    home.write(
        ".config/portcullis/portcullis.toml",
        "ssh_config = false\n[viewer]\nenabled = false\n[profiles.here]\nkind = 'local'\n",
    );
    assert!(run(&home, &["install", "--client", "claude-desktop"]).0);
    let file = fs::read_to_string(home.path(".config/Claude/claude_desktop_config.json")).unwrap();
    let entry = serde_json::from_str::<Value>(&file).unwrap()["mcpServers"]["ssh"].clone();
    let mut command = Command::new(entry["command"].as_str().unwrap());
    command.args(entry["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()));
    // Nothing but what stands there, and the home.
    command.env_clear().env("HOME", home.path(""));
    for (name, value) in entry["env"].as_object().unwrap() {
        command.env(name, value.as_str().unwrap());
    }
    let mut client = Client::start_command(command);
    let hosts = client.succeed("ssh_hosts", json!({}));
    assert_eq!(hosts["hosts"][0]["profile"], "here", "{hosts}");
}
