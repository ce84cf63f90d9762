//! The transcript: who typed what, what was allowed, what came back.

use std::os::unix::fs::PermissionsExt;

use e2e::scene::{PASSWORD, Scene};
use serde_json::{Value, json};

fn of_kind<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

#[test]
fn everything_is_on_record_before_it_is_answered() {
    let scene = Scene::with_bastion(|_| {});
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "lab", "route": "orders-api" }));
    let session_id = opened["session"]["session_id"].as_str().unwrap();
    let ran = client.succeed("ssh_run", json!({ "command": "echo on-record" }));
    let lines = scene.transcript(session_id);
    let end = lines.last().unwrap();
    assert_eq!(
        (&end["kind"], &end["command_id"].to_string()),
        (&json!("command_end"), &ran["command_id"].to_string()),
        "{end}"
    );
    client.fail("ssh_run", json!({ "command": "rm -rf /" }));
    let lines = scene.transcript(session_id);
    let refusal = lines.last().unwrap();
    assert_eq!(
        (&refusal["kind"], &refusal["verdict"], &refusal["text"]),
        (&json!("verdict"), &json!("deny"), &json!("rm -rf /"))
    );

    for (number, line) in lines.iter().enumerate() {
        assert_eq!(line["number"], number as u64);
    }
    let inputs = of_kind(&lines, "input");
    assert!(inputs.iter().any(|line| line["actor"] == "automation" && line["text"] == "10.66.12.21\r"));
    assert!(inputs.iter().any(|line| line["actor"] == "agent" && line["text"] == "echo on-record\r"));
    assert!(!inputs.iter().any(|line| line["text"].as_str().is_some_and(|text| text.contains("rm -rf"))));
    let output: String = of_kind(&lines, "output").iter().filter_map(|line| line["text"].as_str()).collect();
    assert!(output.contains("on-record") && output.contains("CMSM"));
    let verdict = lines.iter().position(|line| line["kind"] == "verdict" && line["text"] == "echo on-record").unwrap();
    let typed = lines.iter().position(|line| line["text"] == "echo on-record\r").unwrap();
    assert!(verdict < typed, "the verdict comes before its effect");
    assert!(!serde_json::to_string(&lines).unwrap().contains(PASSWORD));
}

#[test]
fn files_are_private_and_names_cannot_lead_out() {
    let scene = Scene::with_bastion(|_| {});
    let text = std::fs::read_to_string(scene.path("portcullis.toml")).unwrap();
    std::fs::write(scene.path("portcullis.toml"), text.replace("profiles.lab", "profiles.\"../../evil\"")).unwrap();
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "../../evil" }));
    let session_id = opened["session"]["session_id"].as_str().unwrap();
    assert!(!session_id.contains('/') && !session_id.contains('.'), "{session_id}");
    let mut folders = vec![scene.path("state")];
    while let Some(folder) = folders.pop() {
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
            }
        }
    }
}
