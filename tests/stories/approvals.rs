//! A policy asks, and a person decides: in the viewer, in the client's own dialog or from the command line.
//! The agent is told that it waits, and can do nothing to be allowed.

use std::process::{Command, Stdio};
use std::time::Duration;

use e2e::mcp::{Answer, Client, program, wait_until};
use e2e::scene::{Scene, asking, lab_component, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions};
use e2e::viewer::{Page, approvals, decide, link};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(20);
/// The words about which the policy has something to say, in lines that only print them.
const ASKED: &str = "echo deploy";
const DENIED: &str = "echo nuke";

/// A shell of this machine, whose lines with `deploy` or `freeze` need a person, and with `nuke` do not pass.
fn scene(more: &str) -> Scene {
    let scene = Scene::empty();
    let component = lab_component("misbehaving").display().to_string();
    scene.configure(&format!(
        "{more}\n[plugins.team]\npath = {component:?}\nsettings = {{ asks = ['deploy', 'freeze'], denies = ['nuke'] }}\n\
         [profiles.here]\nkind = 'local'\nshell = ['bash', '--noprofile', '--norc']\npolicies = ['team']\n\
         policy_mode = 'full'\n"
    ));
    scene
}

struct Stage {
    scene: Scene,
    client: Client,
    address: String,
    token: String,
    session_id: String,
}

impl Stage {
    fn set(more: &str) -> Self {
        let scene = scene(more);
        let client = scene.client();
        Self::opened(scene, client)
    }

    fn opened(scene: Scene, mut client: Client) -> Self {
        let opened = client.succeed("ssh_open", json!({ "profile": "here" }));
        let session_id = opened["session"]["session_id"].as_str().unwrap().to_owned();
        let (address, token) = link(&scene.path("state"));
        Self { scene, client, address, token, session_id }
    }

    fn begin(&mut self, command: &str, wait_s: u32) -> u64 {
        let purpose = "ship\u{1b}[2J it";
        let arguments =
            json!({ "command": command, "wait_s": wait_s, "purpose": purpose, "session_id": self.session_id });
        self.client.begin("tools/call", json!({ "name": "ssh_run", "arguments": arguments }))
    }

    /// The one approval that waits, once one does.
    fn asked(&self) -> Value {
        wait_until(LIMIT, || approvals(&self.address, &self.token).pop()).expect("an approval")
    }

    fn gone(&self) {
        let gone = wait_until(LIMIT, || approvals(&self.address, &self.token).is_empty().then_some(()));
        gone.expect("the approval is taken away");
    }

    fn decide(&self, asked: &Value, kind: &str) -> u16 {
        let mut answer = json!({ "type": kind, "digest": asked["digest"] });
        if kind == "deny" {
            answer["reason"] = json!("not on a Friday");
        }
        decide(&self.address, &self.token, asked["id"].as_str().unwrap(), &answer)
    }

    /// What the record says of verdicts, approvals and lines, in order.
    fn story(&self) -> Vec<String> {
        let lines = self.scene.transcript(&self.session_id).into_iter();
        let told = lines.filter_map(|line| match line["kind"].as_str().unwrap() {
            "verdict" => Some(format!("{} {}", line["verdict"].as_str().unwrap(), line["text"].as_str().unwrap())),
            "approval" => {
                let channel = line["channel"].as_str().unwrap_or("-");
                Some(format!("{} {} {channel}", line["approval_id"].as_str().unwrap(), line["state"].as_str().unwrap()))
            }
            "command_start" => Some(format!("ran {}", line["text"].as_str().unwrap())),
            _ => None,
        });
        told.collect()
    }

    /// Waits for a state of the session.
    fn until(&mut self, wanted: impl Fn(&str) -> bool) {
        let seen = wait_until(LIMIT, || {
            let status = self.client.succeed("ssh_status", json!({}));
            wanted(status["sessions"][0]["state"].as_str().unwrap()).then_some(())
        });
        seen.expect("the state is seen");
    }

    /// Nothing of the line stands on the screen.
    fn nothing_was_typed(&mut self, text: &str) {
        let screen = self.client.succeed("ssh_read", json!({}));
        assert!(!screen["text"].as_str().unwrap().contains(text), "{screen}");
    }
}

fn waits(answer: &Answer) -> Value {
    let content = answer.structured.clone();
    assert_eq!(
        (&content["result_status"], &content["outcome"]),
        (&json!("partial_success"), &json!("awaiting_approval"))
    );
    assert_eq!((&content["kind"], &content["sent"]), (&json!("approval"), &json!(false)), "{content}");
    assert!(!answer.is_error, "{}", answer.text);
    content
}

#[test]
fn a_person_allows_a_line_once_and_it_runs_once() {
    let mut stage = Stage::set("");
    let call = stage.begin(ASKED, 40);
    let asked = stage.asked();
    assert_eq!((&asked["text"], &asked["session_id"]), (&json!(ASKED), &json!(stage.session_id)), "{asked}");
    assert_eq!((&asked["causes"][0]["rule_id"], &asked["causes"][0]["span"]), (&json!("lab/deploy"), &json!([5, 11])));
    assert_eq!((&asked["purpose"], &asked["asked_by"]), (&json!("ship [2J it"), &json!("stories")), "{asked}");
    assert_eq!(asked["limit_s"], 120);
    // The session is the person's meanwhile, and nothing of the line is there.
    let mut page = Page::open(&stage.address, &stage.token, &stage.session_id);
    page.press(b"echo mine\r");
    assert!(page.until(LIMIT, |page| String::from_utf8_lossy(&page.printed).matches("mine").count() == 2));
    assert!(!String::from_utf8_lossy(&page.printed).contains("deploy"));
    // Not with another text's digest, not without the token.
    let forged = json!({ "type": "allow_once", "digest": "0".repeat(64) });
    assert_eq!(decide(&stage.address, &stage.token, "a-1", &forged), 422);
    let right = json!({ "type": "allow_once", "digest": asked["digest"] });
    assert_eq!(decide(&stage.address, "stolen", "a-1", &right), 401);
    assert_eq!(stage.decide(&asked, "allow_once"), 204);
    assert_eq!(stage.decide(&asked, "allow_once"), 410);
    let ran = stage.client.called(call).structured;
    assert_eq!((&ran["text"], &ran["exit_code"]), (&json!("deploy\n"), &json!(0)), "{ran}");
    let warning = &ran["warnings"][0];
    assert_eq!(warning["rule_id"], "lab/deploy", "{ran}");
    assert!(warning["reason"].as_str().unwrap().contains("a person allowed once (viewer, a-1)"), "{ran}");
    stage.gone();
    // The same line again is a new question.
    let again = stage.client.call("ssh_run", json!({ "command": ASKED, "wait_s": 0 }));
    assert_eq!(waits(&again)["approval_id"], "a-2");
    let story = stage.story();
    let told: Vec<&str> = story.iter().map(String::as_str).filter(|line| !line.contains("mine")).collect();
    let expected = [
        "ask echo deploy",
        "a-1 asked -",
        "a-1 allowed viewer",
        "ask echo deploy",
        "ran echo deploy",
        "ask echo deploy",
        "a-2 asked -",
    ];
    assert_eq!(told, expected);
    let consent =
        stage.scene.transcript(&stage.session_id).into_iter().find(|line| line["consent"].is_object()).unwrap();
    assert_eq!(consent["consent"], json!({ "approval_id": "a-1", "scope": "once", "channel": "viewer" }));
}

#[test]
fn a_denial_tells_the_agent_why() {
    let mut stage = Stage::set("");
    let call = stage.begin(ASKED, 40);
    let asked = stage.asked();
    assert_eq!(stage.decide(&asked, "deny"), 204);
    let refused = stage.client.called(call);
    assert!(refused.is_error && refused.text.contains("not on a Friday"), "{}", refused.text);
    let refused = refused.structured;
    assert_eq!(refused["failure_category"], "policy-ask-denied", "{refused}");
    assert_eq!((&refused["denial_reason"], &refused["rule_id"]), (&json!("not on a Friday"), &json!("lab/deploy")));
    assert_eq!((&refused["result_status"], &refused["sent"]), (&json!("blocked"), &json!(false)));
    stage.nothing_was_typed("deploy");
    assert_eq!(stage.story(), ["ask echo deploy", "a-1 asked -", "a-1 denied viewer"]);
}

#[test]
fn a_call_does_not_hang_and_the_same_call_takes_the_question_up() {
    let mut stage = Stage::set("");
    let command = json!({ "command": ASKED, "wait_s": 1 });
    let told = waits(&stage.client.call("ssh_run", command.clone()));
    assert_eq!(told["viewer"], format!("http://{}/s/{}", stage.address, stage.session_id), "{told}");
    assert_eq!((&told["rule_id"], &told["text"]), (&json!("lab/deploy"), &json!(ASKED)), "{told}");
    assert_eq!(told["next"], json!({ "tool": "ssh_run", "arguments": command }), "{told}");
    let status = stage.client.succeed("ssh_status", json!({}));
    assert_eq!(status["approvals"][0]["approval_id"], "a-1", "{status}");
    // Another line has to come after it; reading and stopping do not.
    for (tool, arguments) in [
        ("ssh_run", json!({ "command": "echo other" })),
        ("ssh_run", json!({ "command": "echo freeze" })),
        ("ssh_send", json!({ "text": "echo other", "enter": true })),
    ] {
        let second = stage.client.call(tool, arguments);
        assert_eq!(second.structured["failure_category"], "input-locked", "{}", second.text);
        assert_eq!((&second.structured["approval_id"], second.is_error), (&json!("a-1"), true), "{}", second.text);
        assert!(second.text.contains(ASKED), "{}", second.text);
    }
    stage.client.succeed("ssh_send", json!({ "keys": ["ctrl-c"], "wait_s": 0 }));
    stage.nothing_was_typed("other");
    // The same call attaches; answered between two calls it runs with the next, and once.
    assert_eq!(waits(&stage.client.call("ssh_run", command.clone()))["approval_id"], "a-1");
    let asked = stage.asked();
    assert_eq!(stage.decide(&asked, "allow_once"), 204);
    let ran = stage.client.succeed("ssh_run", json!({ "command": ASKED, "wait_s": 10 }));
    assert_eq!(ran["text"], "deploy\n", "{ran}");
    assert_eq!(waits(&stage.client.call("ssh_run", command))["approval_id"], "a-2");
}

#[test]
fn consent_is_void_once_the_agent_has_typed_something_else() {
    let mut stage = Stage::set("");
    let told = waits(&stage.client.call("ssh_run", json!({ "command": ASKED, "wait_s": 0 })));
    assert_eq!(told["approval_id"], "a-1");
    assert_eq!(stage.decide(&stage.asked(), "allow_once"), 204);
    // Allowed where it was harmless, and not where the agent has gone since.
    stage.client.succeed("ssh_run", json!({ "command": "cd /" }));
    let again = waits(&stage.client.call("ssh_run", json!({ "command": ASKED, "wait_s": 0 })));
    assert_eq!(again["approval_id"], "a-2");
    assert_eq!(stage.decide(&stage.asked(), "allow_once"), 204);
    stage.client.succeed("ssh_run", json!({ "command": ASKED, "wait_s": 10 }));
}

#[test]
fn a_rule_is_allowed_for_a_session_and_nothing_else_is() {
    let mut stage = Stage::set("");
    let call = stage.begin(ASKED, 40);
    let asked = stage.asked();
    assert_eq!(stage.decide(&asked, "allow_rule"), 204);
    assert_eq!(stage.client.called(call).structured["text"], "deploy\n");
    let more = stage.client.succeed("ssh_run", json!({ "command": "echo deploy more" }));
    assert_eq!(more["text"], "deploy more\n", "{more}");
    let reason = more["warnings"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("a person allowed this rule for this session (viewer, a-1)"), "{more}");
    // A deny stays one, another rule asks, and so does another place and another session.
    let refused = stage.client.fail("ssh_run", json!({ "command": "echo deploy nuke" }));
    assert_eq!((&refused["failure_category"], &refused["rule_id"]), (&json!("policy-blocked"), &json!("lab/nuke")));
    stage.client.fail("ssh_run", json!({ "command": DENIED }));
    let both = waits(&stage.client.call("ssh_run", json!({ "command": "echo deploy freeze", "wait_s": 0 })));
    assert_eq!(both["approval_id"], "a-2");
    assert_eq!(stage.decide(&stage.asked(), "deny"), 204);
    let deeper = stage.client.succeed("ssh_run", json!({ "command": "bash --noprofile --norc" }));
    assert_eq!(deeper["outcome"], "level_changed", "{deeper}");
    assert_eq!(waits(&stage.client.call("ssh_run", json!({ "command": ASKED, "wait_s": 0 })))["approval_id"], "a-3");
    let other = stage.client.succeed("ssh_open", json!({ "profile": "here", "new": true }));
    let there = json!({ "command": ASKED, "wait_s": 0, "session_id": other["session"]["session_id"] });
    assert_eq!(waits(&stage.client.call("ssh_run", there))["approval_id"], "a-4");
}

#[test]
fn when_the_terminal_has_moved_meanwhile_nothing_is_typed() {
    let mut stage = Stage::set("");
    let call = stage.begin(ASKED, 40);
    let asked = stage.asked();
    let mut page = Page::open(&stage.address, &stage.token, &stage.session_id);
    page.press(b"cat\r");
    assert!(page.until(LIMIT, |page| page.printed.windows(3).any(|bytes| bytes == b"cat")));
    // Echoed by the terminal and printed by the program: it runs, and takes its ctrl-c.
    page.press(b"here\r");
    assert!(page.until(LIMIT, |page| String::from_utf8_lossy(&page.printed).matches("here").count() == 2));
    stage.until(|state| state != "at_prompt");
    assert_eq!(stage.decide(&asked, "allow_once"), 204);
    let answer = stage.client.called(call);
    assert!(answer.is_error && answer.text.contains("nothing was typed"), "{}", answer.text);
    assert_eq!(answer.structured["failure_category"], "terminal-state-abnormal", "{}", answer.text);
    page.press(b"\x03");
    assert!(page.until(LIMIT, |page| String::from_utf8_lossy(&page.printed).contains("^C")));
    stage.until(|state| state == "at_prompt");
    stage.nothing_was_typed("deploy");
    // Neither does the answer wait for a better moment.
    let again = waits(&stage.client.call("ssh_run", json!({ "command": ASKED, "wait_s": 0 })));
    assert_eq!(again["approval_id"], "a-2");
}

#[test]
fn a_call_that_is_cancelled_takes_its_question_back_and_time_is_a_no() {
    let mut stage = Stage::set("[defaults]\napproval_timeout_s = 3\n");
    let call = stage.begin(ASKED, 40);
    let asked = stage.asked();
    stage.client.send(&json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": call, "reason": "never mind" }
    }));
    stage.gone();
    assert_eq!(stage.decide(&asked, "allow_once"), 410);
    let refused = stage.client.fail("ssh_run", json!({ "command": ASKED, "wait_s": 40 }));
    assert_eq!(refused["failure_category"], "policy-ask-denied", "{refused}");
    assert!(refused["summary"].as_str().unwrap().contains("nobody answered within 3 s"), "{refused}");
    stage.nothing_was_typed("deploy");
    let told = ["ask echo deploy", "a-1 asked -", "a-1 withdrawn -", "ask echo deploy", "a-2 asked -", "a-2 expired -"];
    assert_eq!(stage.story(), told);
}

#[test]
fn text_in_pieces_and_into_programs_waits_too() {
    let mut stage = Stage::set("");
    stage.client.succeed("ssh_send", json!({ "text": "echo dep" }));
    let rest = json!({ "text": "loy", "enter": true, "wait_s": 0 });
    let told = waits(&stage.client.call("ssh_send", rest.clone()));
    assert_eq!((&told["text"], &told["next"]["arguments"]), (&json!(ASKED), &rest), "{told}");
    assert_eq!(stage.decide(&stage.asked(), "allow_once"), 204);
    // The same call: what was held before it is still there.
    let sent = stage.client.succeed("ssh_send", json!({ "text": "loy", "enter": true, "wait_for": "deploy\n" }));
    assert_eq!(sent["output"], "deploy\n", "{sent}");
    assert!(sent["notes"][0].as_str().unwrap().contains("a person allowed once"), "{sent}");

    // Into a program: a line that was sent already is not sent again.
    let reading = stage.client.call("ssh_run", json!({ "command": "cat", "wait_s": 1 })).structured;
    assert_eq!(reading["exit_code"], Value::Null, "{reading}");
    let sent = stage.client.succeed("ssh_send", json!({ "text": "one\ndeploy\n", "wait_s": 3 }));
    let notes = sent["notes"].to_string();
    assert!(notes.contains("1 of 2 lines were sent; the rest is to be sent again"), "{sent}");
    let asked = stage.asked();
    assert_eq!((&asked["text"], &asked["delivery"]), (&json!("deploy"), &json!("pty_input")), "{asked}");
    assert_eq!(stage.decide(&asked, "allow_once"), 204);
    let sent = stage.client.succeed("ssh_send", json!({ "text": "deploy", "enter": true, "wait_for": "deploy" }));
    assert_eq!(sent["found"], true, "{sent}");
    stage.client.succeed("ssh_send", json!({ "keys": ["ctrl-c"] }));
}

#[test]
fn the_clients_own_dialog_is_the_second_way_and_the_first_answer_counts() {
    let scene = scene("");
    let client = scene.client_with_dialogs();
    let mut stage = Stage::opened(scene, client);
    // Answered in the dialog: the viewer's card goes.
    let call = stage.begin(ASKED, 40);
    let dialog = stage.client.told("elicitation/create");
    let message = dialog["params"]["message"].as_str().unwrap();
    assert!(message.contains(ASKED) && message.contains("The agent says (not checked): ship [2J it"), "{message}");
    let decisions = &dialog["params"]["requestedSchema"]["properties"]["decision"]["enum"];
    assert_eq!(decisions, &json!(["deny", "allow_once", "allow_rule_for_session"]), "{dialog}");
    stage.asked();
    stage.client.reply(&dialog, json!({ "action": "accept", "content": { "decision": "allow_once" } }));
    let ran = stage.client.called(call).structured;
    assert!(ran["warnings"][0]["reason"].as_str().unwrap().contains("(elicitation, a-1)"), "{ran}");
    stage.gone();
    // Answered in the viewer: the dialog is taken back, and a late answer to it is of no use.
    let call = stage.begin(ASKED, 40);
    let dialog = stage.client.told("elicitation/create");
    assert_eq!(stage.decide(&stage.asked(), "deny"), 204);
    assert!(stage.client.called(call).is_error);
    let cancelled = stage.client.told("notifications/cancelled");
    assert_eq!(cancelled["params"]["requestId"], dialog["id"], "{cancelled}");
    stage.client.reply(&dialog, json!({ "action": "accept", "content": { "decision": "allow_rule_for_session" } }));
    // Declined; and accepted without a decision, as a program answers that answers everything.
    let call = stage.begin(ASKED, 40);
    let dialog = stage.client.told("elicitation/create");
    stage.client.reply(&dialog, json!({ "action": "decline" }));
    assert_eq!(stage.client.called(call).structured["failure_category"], "policy-ask-denied");
    let call = stage.begin(ASKED, 2);
    let dialog = stage.client.told("elicitation/create");
    stage.client.reply(&dialog, json!({ "action": "accept" }));
    assert_eq!(waits(&stage.client.called(call))["approval_id"], "a-4");
    assert_eq!(stage.decide(&stage.asked(), "deny"), 204);
    stage.client.fail("ssh_run", json!({ "command": ASKED }));
    // Closed, while nobody watches in a browser.
    let call = stage.begin(ASKED, 40);
    let dialog = stage.client.told("elicitation/create");
    stage.client.reply(&dialog, json!({ "action": "cancel" }));
    assert!(stage.client.called(call).text.contains("closed without an answer"));
    let answers = stage.story().into_iter().filter(|line| line.starts_with("a-") && !line.contains("asked"));
    let told = [
        "a-1 allowed elicitation",
        "a-2 denied viewer",
        "a-3 denied elicitation",
        "a-4 denied viewer",
        "a-5 denied elicitation",
    ];
    assert_eq!(answers.collect::<Vec<_>>(), told);
}

#[test]
fn the_dialog_is_the_operators_choice_and_where_nobody_can_be_asked_it_is_a_no() {
    let scene = scene("[mcp]\nelicitation = 'off'\n");
    let client = scene.client_with_dialogs();
    let mut stage = Stage::opened(scene, client);
    waits(&stage.client.call("ssh_run", json!({ "command": ASKED, "wait_s": 0 })));

    // The scene's own head ends with the viewer's section.
    for more in ["enabled = false\n", "[defaults]\napproval_timeout_s = 0\n"] {
        let scene = self::scene(more);
        let mut client = scene.client();
        client.succeed("ssh_open", json!({ "profile": "here" }));
        let refused = client.fail("ssh_run", json!({ "command": ASKED }));
        assert_eq!(refused["failure_category"], "policy-ask-denied", "{refused}");
        assert!(refused["summary"].as_str().unwrap().contains("nobody can be asked"), "{refused}");
    }
}

/// Runs the command, as this process's child or as nobody's.
fn command_line_as(scene: &Scene, child: bool, arguments: &[&str]) -> (bool, String) {
    // Begins once whoever started it is gone; a person's terminal is not the client's child either.
    let alone = "for i in 1 2 3 4 5 6 7 8 9; do kill -0 $PPID 2>/dev/null && [ $PPID -gt 1 ] && sleep 0.1; done";
    let (said, code) = (scene.path("said"), scene.path("code"));
    drop(std::fs::remove_file(&code));
    let run = format!("\"$@\" >{0} 2>&1; echo $? >{1}.new; mv {1}.new {1}", said.display(), code.display());
    let mut command = if child { Command::new("sh") } else { Command::new("setsid") };
    if !child {
        command.args(["--fork", "sh"]);
    }
    command.arg("-c").arg(if child { run } else { format!("{alone}; {run}") }).arg("sh").arg(program());
    command.arg("approvals").args(arguments).arg("--config").arg(scene.path("portcullis.toml"));
    let status = command.env("USER", "ann").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.expect("a shell").success());
    let code = wait_until(LIMIT, || std::fs::read_to_string(&code).ok()).expect("the command ends");
    (code.trim() == "0", std::fs::read_to_string(said).unwrap())
}

fn command_line(scene: &Scene, arguments: &[&str]) -> (bool, String) {
    command_line_as(scene, false, arguments)
}

#[test]
fn a_person_decides_from_the_command_line() {
    let mut stage = Stage::set("");
    assert_eq!(command_line(&stage.scene, &["list"]), (true, "nothing waits for approval\n".to_owned()));
    let call = stage.begin(ASKED, 40);
    stage.asked();
    let (_, listed) = command_line(&stage.scene, &[]);
    assert!(listed.contains("a-1") && listed.contains(ASKED) && listed.contains("lab/deploy"), "{listed}");
    let (_, list) = command_line(&stage.scene, &["list", "--json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list[0]["text"], ASKED, "{list}");
    let (success, said) = command_line(&stage.scene, &["allow", "a-9"]);
    assert!(!success && said.contains("a-9") && said.contains("a-1"), "{said}");
    // Where an agent's own shell would run it: below the host's client, and in a session of the host's.
    let (success, said) = command_line_as(&stage.scene, true, &["allow", "a-1"]);
    assert!(!success && said.contains("an agent may not answer for you"), "{said}");
    let other = stage.client.succeed("ssh_open", json!({ "profile": "here", "new": true }));
    let config = stage.scene.path("portcullis.toml");
    let command = format!("{} approvals allow a-1 --config {}", program().display(), config.display());
    let session_id = &other["session"]["session_id"];
    let refused = stage.client.fail("ssh_run", json!({ "command": command, "session_id": session_id }));
    assert_eq!(refused["rule_id"], "trust/own-program", "{refused}");
    // Nor does it help to hide it from the policy.
    let script = stage.scene.path("decide.sh");
    std::fs::write(&script, format!("{command} 2>&1\n")).unwrap();
    let hidden = format!("bash {}", script.display());
    let own = stage.client.call("ssh_run", json!({ "command": hidden, "session_id": session_id }));
    assert!(own.text.contains("an agent may not answer for you"), "{}", own.text);
    let (success, said) = command_line(&stage.scene, &["allow", "a-1"]);
    assert!(success && said.contains("allowed once"), "{said}");
    assert_eq!(stage.client.called(call).structured["text"], "deploy\n");
    let call = stage.begin(ASKED, 40);
    stage.asked();
    assert!(command_line(&stage.scene, &["deny", "a-2", "--reason", "not on a Friday"]).0);
    assert!(stage.client.called(call).text.contains("not on a Friday"));
    let call = stage.begin(ASKED, 40);
    stage.asked();
    assert!(command_line(&stage.scene, &["allow", "a-3", "--rule-for-session"]).0);
    assert!(!stage.client.called(call).is_error);
    let more = json!({ "command": "echo deploy more", "session_id": stage.session_id });
    stage.client.succeed("ssh_run", more);
    let told = stage.scene.transcript(&stage.session_id);
    let by = told.iter().find(|line| line["kind"] == "approval" && line["state"] == "allowed").unwrap();
    assert_eq!((&by["channel"], &by["by"]), (&json!("cli"), &json!("ann")), "{by}");
}

/// Answers what comes, from beside the agent, until all of `texts` were asked; what was asked.
fn allow_all(scene: &Scene, texts: usize) -> std::thread::JoinHandle<Vec<Value>> {
    let (address, token) = link(&scene.path("state"));
    std::thread::spawn(move || {
        let mut asked = Vec::new();
        while asked.len() < texts {
            let one = wait_until(LIMIT * 2, || approvals(&address, &token).pop()).expect("an approval");
            let answer = json!({ "type": "allow_once", "digest": one["digest"] });
            assert_eq!(decide(&address, &token, one["id"].as_str().unwrap(), &answer), 204);
            asked.push(one);
        }
        asked
    })
}

#[test]
fn a_navigators_step_and_a_log_search_are_asked_about_too() {
    let scene = Scene::with_bastion(|_| {});
    let path = scene.path("portcullis.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replacen("navigator =", "policies = ['team']\nnavigator =", 1);
    std::fs::write(path, text + "\n" + &asking("'10.66.12.21', 'payment'")).unwrap();
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "lab" }));
    let person = allow_all(&scene, 2);
    let navigated = client.succeed("ssh_navigate", json!({ "route": "orders-api" }));
    assert_eq!(navigated["breadcrumb"][1], "master-a", "{navigated}");
    let found = client.succeed("ssh_search_logs", json!({ "query": "payment failed", "ignore_case": true }));
    assert!(!found["matches"].as_array().unwrap().is_empty(), "{found}");
    let asked = person.join().unwrap();
    assert_eq!((&asked[0]["delivery"], &asked[0]["actor"]), (&json!("menu_input"), &json!("automation")), "{asked:?}");
    assert_eq!(asked[0]["breadcrumb"], json!(["bastion"]), "{asked:?}");
    assert_eq!(asked[1]["delivery"], "log_search", "{asked:?}");
}

#[test]
fn a_file_is_written_when_a_person_allows_it() {
    let config_lines = vec!["Subsystem sftp internal-sftp".to_owned()];
    let sshd = Sshd::start(SshdOptions { config_lines, ..SshdOptions::default() });
    let scene = Scene::empty();
    let folder = scene.folder.path().canonicalize().unwrap();
    let profile = sshd_profile("host", &sshd);
    let files = format!("policies = ['team']\n[profiles.host.files]\nwrite = [{:?}]\n", folder.display().to_string());
    scene.configure(&format!("{profile}{files}\n{}", asking("'deploy'")));
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "host" }));
    let file = folder.join("deploy.txt");
    let write = json!({ "path": file.display().to_string(), "content": "on\n" });
    let person = allow_all(&scene, 1);
    let written = client.succeed("ssh_write_file", write);
    assert_eq!(written["warnings"][0]["rule_id"], "lab/deploy", "{written}");
    assert_eq!(person.join().unwrap()[0]["delivery"], "file_write");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "on\n");
}
