//! The transcript: who typed what, what was allowed, what came back.

use std::os::unix::fs::PermissionsExt;

use e2e::scene::{PASSWORD, Scene, configuration, lab_component};
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
    assert_eq!((&lines[0]["kind"], &lines[0]["session_id"]), (&json!("opened"), &json!(session_id)));
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

/// What an auditor has to know of that went wrong, beside what was refused for it.
#[test]
fn what_went_wrong_is_on_record() {
    let scene = Scene::with_bastion(|_| {});
    let component = lab_component("misbehaving").display().to_string();
    let lab = configuration(scene.bastion.as_ref().unwrap().address.port());
    scene.configure(&format!(
        "[plugins.team]\npath = {component:?}\nsettings = {{ behaviour = 'as_told' }}\n{LOCAL}policies = ['team']\n{lab}"
    ));
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "here" }));
    client.fail("ssh_run", json!({ "command": "misbehave trap", "session_id": "s-here-1" }));
    let lines = scene.transcript("s-here-1");
    let (error, verdict) = (&lines[lines.len() - 1], &lines[lines.len() - 2]);
    assert_eq!(
        (&error["kind"], &error["about"], &error["plugin"]),
        (&json!("error"), &json!("policy"), &json!("team"))
    );
    assert!(error["message"].as_str().unwrap().contains("gave no usable answer"), "{error}");
    assert_eq!((&verdict["verdict"], &verdict["text"]), (&json!("deny"), &json!("misbehave trap")));
    client.succeed("ssh_open", json!({ "profile": "lab" }));
    let stopped = client.fail("ssh_navigate", json!({ "route": "nowhere", "session_id": "s-lab-2" }));
    let lines = scene.transcript("s-lab-2");
    let errors = of_kind(&lines, "error");
    let told = |field: &str| errors[0][field].clone();
    assert_eq!((errors.len(), told("about"), told("plugin")), (1, json!("navigator"), json!("navigator-cmsm")));
    assert_eq!(told("message"), stopped["summary"], "{stopped}");
    let found = client.succeed("ssh_transcript", json!({ "kind": "error", "pattern": "usable answer" }));
    assert_eq!(found["hits"][0]["session"], "s-here-1", "{found}");
}

const LOCAL: &str = "[profiles.here]\nkind = 'local'\nshell = ['bash', '--noprofile', '--norc']\n";

#[test]
fn with_meta_what_was_done_is_kept_and_what_was_shown_is_not() {
    let scene = Scene::empty();
    scene.configure(&format!("{LOCAL}transcript = 'meta'\n"));
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "here" }));
    assert_eq!(opened["session"]["transcript_mode"], "meta");
    client.succeed("ssh_run", json!({ "command": "echo $((41 + 1))-shown; false" }));
    let session_id = opened["session"]["session_id"].as_str().unwrap();
    let lines = scene.transcript(session_id);
    assert_eq!(lines[0]["transcript"], "meta");
    let (start, end) = (of_kind(&lines, "command_start"), of_kind(&lines, "command_end"));
    assert_eq!(start[0]["text"], "echo $((41 + 1))-shown; false");
    assert_eq!(end[0]["exit_code"], 1, "{}", end[0]);
    let printed: u64 = of_kind(&lines, "output").iter().map(|line| line["length_bytes"].as_u64().unwrap()).sum();
    assert!(printed > 20, "{printed}");
    let contents = ["output", "input", "host_input"].iter().flat_map(|kind| of_kind(&lines, kind));
    assert!(contents.clone().count() > 3 && contents.clone().all(|line| line["text"].is_null()), "{lines:?}");
    assert!(!serde_json::to_string(&lines).unwrap().contains("42-shown"));
    // More than memory holds: where the rest is not is told.
    let flood = client.succeed("ssh_run", json!({ "command": "seq 1 1500000", "max_chars": 200 }));
    assert!(flood.to_string().contains("this session's transcript leaves output out"), "{flood}");
}

#[test]
fn with_off_there_is_no_record_of_that_profile() {
    let scene = Scene::empty();
    scene.configure(&format!(
        "{LOCAL}[defaults]\ntranscript = 'off'\n[profiles.kept]\nkind = 'local'\ntranscript = 'full'\n"
    ));
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "here" }));
    assert_eq!(client.succeed("ssh_run", json!({ "command": "echo here" }))["text"], "here\n");
    let status = client.succeed("ssh_status", json!({}));
    assert!(status["sessions"][0]["transcript"].is_null(), "{status}");
    let kept = client.succeed("ssh_open", json!({ "profile": "kept" }));
    let folders = std::fs::read_dir(scene.path("state/instances")).unwrap();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path().join("transcripts")).unwrap());
    let names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, [format!("{}.jsonl", kept["session"]["session_id"].as_str().unwrap())], "{opened}");
    let closing = json!({ "session_id": opened["session"]["session_id"] });
    client.succeed("ssh_stop", closing);
    let reopened = client.succeed("ssh_open", json!({ "profile": "here", "reopen": opened["session"]["session_id"] }));
    assert!(reopened["reopened_from"]["transcript"].is_null(), "{reopened}");
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
