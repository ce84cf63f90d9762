//! A person answers in the viewer what a connection asks; the agent is told that it waits, and no more.

use std::path::Path;
use std::time::Duration;

use e2e::mcp::{Answer, Client, wait_until};
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions, may_ask_through_pam};
use e2e::viewer::{link, reply, waiting};
use serde_json::{Value, json};

const FIRST: &str = "first-s3cret";
const SECOND: &str = "second-s3cret";

/// The viewer as a person has it open.
pub(crate) struct Person {
    address: String,
    token: String,
}

impl Person {
    pub(crate) fn of(scene: &Scene) -> Self {
        let (address, token) = link(&scene.path("state"));
        Self { address, token }
    }

    /// The question that waits, once one does.
    pub(crate) fn asked(&self) -> Value {
        let limit = Duration::from_secs(20);
        wait_until(limit, || waiting(&self.address, &self.token).pop()).expect("a question")
    }

    pub(crate) fn say(&self, question: &Value, answer: Value) -> u16 {
        reply(&self.address, &self.token, question["id"].as_str().unwrap(), &answer)
    }

    pub(crate) fn answer(&self, question: &Value, text: &str) {
        assert_eq!(self.say(question, json!({ "type": "answers", "answers": [text] })), 204);
        let next = wait_until(Duration::from_secs(20), || {
            waiting(&self.address, &self.token).iter().all(|it| it["id"] != question["id"]).then_some(())
        });
        next.expect("the question is taken away");
    }
}

/// Insists that a call was told to wait for a person, and that it leads nobody but a person to the answer.
fn awaiting(answer: &Answer, person: &Person) -> Value {
    let content = answer.structured.clone();
    assert_eq!((&content["result_status"], &content["outcome"]), (&json!("partial_success"), &json!("awaiting_input")));
    assert!(!answer.is_error, "{}", answer.text);
    assert_eq!(content["next"]["tool"], "ssh_open", "{content}");
    assert_eq!(content["viewer"], format!("http://{}/", person.address), "{content}");
    assert!(!answer.text.contains(&person.token) && !content.to_string().contains(&person.token));
    content
}

/// Nothing a person typed is in any file below the folder.
fn nowhere(folder: &Path, secrets: &[&str]) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            nowhere(&path, secrets);
        } else if let Ok(bytes) = std::fs::read(&path) {
            let text = String::from_utf8_lossy(&bytes);
            for secret in secrets {
                assert!(!text.contains(secret), "{secret} stands in {}", path.display());
            }
        }
    }
}

#[test]
fn what_pam_asks_is_answered_by_a_person_while_the_agent_waits() {
    if !may_ask_through_pam() {
        eprintln!("not run: only root can write a PAM service");
        return;
    }
    let sshd = Sshd::start(SshdOptions { pam_password: Some(FIRST.into()), ..SshdOptions::default() });
    let scene = Scene::empty();
    scene.configure(&sshd_profile("host", &sshd));
    let mut client = scene.client();
    let told = client.call("ssh_open", json!({ "profile": "host" }));
    let person = Person::of(&scene);
    let content = awaiting(&told, &person);
    assert_eq!((&content["kind"], &content["prompt"]), (&json!("password"), &json!("Password:")));
    assert_eq!(content["next"]["arguments"], json!({ "profile": "host" }));
    let status = client.succeed("ssh_status", json!({}));
    assert_eq!(status["awaiting"][0]["kind"], "password", "{status}");

    let first = person.asked();
    assert_eq!(first["wanted"]["prompts"], json!([{ "text": "Password:", "echo": false }]), "{first}");
    // A call that comes meanwhile joins the one login; how long the person took decides what it is told.
    let joined = client.begin("tools/call", json!({ "name": "ssh_open", "arguments": { "profile": "host" } }));
    person.answer(&first, FIRST);
    let second = person.asked();
    assert_eq!(second["wanted"]["prompts"][0]["text"], "STRESS Password:");
    person.answer(&second, SECOND);
    let answers = [client.called(joined), client.call("ssh_open", json!({ "profile": "host" }))];
    for answer in answers.iter().filter(|answer| answer.structured["outcome"] != "awaiting_input") {
        assert_eq!(answer.structured["result_status"], "success", "{}", answer.text);
        assert_eq!(answer.structured["session"]["session_id"], "s-host-1");
    }
    assert_eq!(answers[1].structured["result_status"], "success", "{}", answers[1].text);
    assert_eq!(sshd.log().matches("Accepted keyboard-interactive").count(), 1, "{}", sshd.log());
    assert_eq!(client.succeed("ssh_open", json!({ "profile": "host" }))["reused"], true);
    assert_eq!(client.succeed("ssh_run", json!({ "command": "echo in" }))["text"], "in\n");

    let transcript = scene.transcript("s-host-1");
    assert_eq!(transcript[0]["auth_method"], "keyboard-interactive, answered by a person");
    assert_eq!(transcript[1]["kind"], "person_answered", "{}", transcript[1]);
    assert_eq!(transcript[2]["prompts"], json!(["STRESS Password:"]), "{}", transcript[2]);
    nowhere(&scene.path("state"), &[FIRST, SECOND]);
    assert!(answers.iter().all(|answer| !answer.text.contains("s3cret")));
}

#[test]
fn an_unknown_host_key_is_trusted_or_refused_by_a_person_only() {
    let sshd = Sshd::start(SshdOptions::default());
    let scene = Scene::empty();
    let recorded = sshd.known_hosts().display().to_string();
    let profile = sshd_profile("host", &sshd).replace(&recorded, "known_hosts");
    scene.configure(&profile);
    let mut client = scene.client();
    let told = client.call("ssh_open", json!({ "profile": "host", "name": "db" }));
    let person = Person::of(&scene);
    let content = awaiting(&told, &person);
    assert_eq!(content["kind"], "hostkey");
    assert_eq!(content["next"]["arguments"], json!({ "profile": "host", "name": "db" }));
    let question = person.asked();
    let fingerprint = question["wanted"]["fingerprint"].as_str().unwrap();
    assert!(content["prompt"].as_str().unwrap().contains(fingerprint), "{content}");
    assert_eq!(question["wanted"]["key_type"], "ssh-ed25519");
    let file = scene.path("known_hosts");
    assert_eq!(question["wanted"]["file"], file.display().to_string());

    // No.
    assert_eq!(person.say(&question, json!({ "type": "refuse" })), 204);
    let refused = client.fail("ssh_open", json!({ "profile": "host" }));
    assert_eq!(refused["failure_category"], "host-key", "{refused}");
    assert!(refused["summary"].as_str().unwrap().contains("a person refused"), "{refused}");
    assert!(!file.exists());

    // Yes, to what is shown and to nothing else.
    awaiting(&client.call("ssh_open", json!({ "profile": "host" })), &person);
    let question = person.asked();
    assert_eq!(person.say(&question, json!({ "type": "trust", "fingerprint": "SHA256:other" })), 422);
    assert_eq!(person.say(&question, json!({ "type": "answers", "answers": ["yes"] })), 422);
    assert_eq!(person.say(&question, json!({ "type": "trust", "fingerprint": fingerprint })), 204);
    let opened = client.succeed("ssh_open", json!({ "profile": "host" }));
    assert_eq!((&opened["reused"], &opened["session"]["state"]), (&json!(false), &json!("at_prompt")), "{opened}");
    let line = std::fs::read_to_string(&file).unwrap();
    assert_eq!(line, sshd.known_hosts_line("ed25519") + "\n");
    let session_id = opened["session"]["session_id"].as_str().unwrap();
    let trusted = &scene.transcript(session_id)[1];
    assert_eq!(trusted["kind"], "person_trusted", "{trusted}");
    assert_eq!(trusted["host_key"], format!("ssh-ed25519 {fingerprint}"));

    // From now on nobody is asked.
    client.succeed("ssh_open", json!({ "profile": "host", "new": true }));
    assert!(waiting(&person.address, &person.token).is_empty());
}

#[test]
fn without_a_viewer_nobody_is_asked_and_the_error_names_it() {
    let sshd = Sshd::start(SshdOptions::default());
    let scene = Scene::empty();
    let recorded = sshd.known_hosts().display().to_string();
    let profile = sshd_profile("host", &sshd).replace(&recorded, "known_hosts");
    scene.configure(&format!("enabled = false\n{profile}"));
    let mut client: Client = scene.client();
    let error = client.fail("ssh_open", json!({ "profile": "host" }));
    let summary = error["summary"].as_str().unwrap();
    assert!(summary.contains("presents a host key nobody has recorded"), "{summary}");
    assert!(summary.contains("while the viewer runs"), "{summary}");
    assert_eq!(error["failure_category"], "host-key");
}
