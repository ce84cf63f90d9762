//! One handler for both eras of the protocol and both transports, and results that survive every client.

use std::time::Duration;

use e2e::http::{HttpClient, Server, meta};
use e2e::lenses;
use e2e::mcp::Answer;
use e2e::scene::{Scene, asking};
use e2e::way::{self, MODERN, Way};
use serde_json::{Value, json};

const TOKEN: &str = "the-token-of-the-matrix-0123456789";
const ASKED: &str = "echo deploy";

fn scene() -> Scene {
    let scene = Scene::empty();
    let team = asking("'deploy'");
    scene.configure(&format!(
        "enabled = false\n[mcp.http.clients.matrix]\nenv = 'MATRIX_TOKEN'\n{team}[profiles.here]\nkind = 'local'\n\
         shell = ['bash', '--noprofile', '--norc']\npolicies = ['team']\n\
         [profiles.other]\nhost = '127.0.0.1'\nuser = 'u'\n\
         navigator = {{ plugin = 'navigator-cmsm' }}\n[profiles.other.routes.api]\ntarget = 'a'\n"
    ));
    scene
}

fn can_elicit() -> Value {
    way::capabilities(true, false)
}

#[test]
fn both_transports_serve_every_revision_alike() {
    let scene = scene();
    let server = Server::start(&scene.path("portcullis.toml"), &[("MATRIX_TOKEN", TOKEN)]);
    let mut lists = Vec::new();
    for version in ["2025-03-26", "2025-06-18", "2025-11-25", MODERN] {
        for over_http in [false, true] {
            let mut way = match over_http {
                true => Way::Http(HttpClient::new(&server.address, TOKEN, version, json!({}))),
                false => Way::stdio(&scene.path("portcullis.toml"), version, &json!({})),
            };
            let place = format!("{version}, http: {over_http}");
            let listed = way.request("tools/list", json!({}))["result"].clone();
            lists.push(listed["tools"].clone());
            if version == MODERN {
                let discovered = way.request("server/discover", json!({}))["result"].clone();
                assert!(discovered["supportedVersions"].to_string().contains(MODERN), "{place}: {discovered}");
                assert!(discovered["instructions"].as_str().unwrap().contains("ssh_hosts"), "{place}");
                assert!(listed["ttlMs"].is_u64() && listed["cacheScope"] == "private", "{place}: {listed}");
                assert_eq!(listed["resultType"], "complete", "{place}");
            } else {
                assert!(listed.get("ttlMs").is_none() || version < MODERN, "{place}");
                assert!(way.request("ping", json!({}))["result"].is_object(), "{place}");
            }
            let opened = way.call("ssh_open", json!({ "profile": "here", "new": true }))["structuredContent"].clone();
            let id = opened["session"]["session_id"].clone();
            let ran = way.call("ssh_run", json!({ "command": "echo hello", "session_id": id }));
            assert_eq!(ran["structuredContent"]["text"], "hello\n", "{place}: {ran}");
            // Nobody can be asked.
            let refused = way.call("ssh_run", json!({ "command": ASKED, "session_id": id }));
            assert_eq!(refused["structuredContent"]["failure_category"], "policy-ask-denied", "{place}: {refused}");
            let screen = way
                .request("resources/read", json!({ "uri": format!("ssh://sessions/{}/screen", id.as_str().unwrap()) }));
            assert!(screen["result"]["contents"][0]["text"].as_str().unwrap().contains("hello"), "{place}: {screen}");
            let nothing = way.request("resources/read", json!({ "uri": "ssh://sessions/none/screen" }));
            let code = if version == MODERN { -32602 } else { -32002 };
            assert_eq!(nothing["error"]["code"], code, "{place}: {nothing}");
            let unknown = way.request("tools/call", json!({ "name": "ssh_rum", "arguments": {} }));
            assert!(unknown["error"]["message"].as_str().unwrap().contains("ssh_run"), "{place}: {unknown}");
            let prompts = way.request("prompts/list", json!({}))["result"]["prompts"].clone();
            assert_eq!(prompts.as_array().unwrap().len(), 3, "{place}");
            let completed = |way: &mut Way, name: &str, value: &str, context: Value| {
                let parameters = json!({
                    "ref": { "type": "ref/prompt", "name": "cross_bastion" },
                    "argument": { "name": name, "value": value }, "context": { "arguments": context }
                });
                way.request("completion/complete", parameters)["result"]["completion"]["values"].clone()
            };
            assert_eq!(completed(&mut way, "profile", "he", json!({})), json!(["here"]), "{place}");
            assert_eq!(completed(&mut way, "route", "", json!({ "profile": "other" })), json!(["api"]), "{place}");
            assert_eq!(completed(&mut way, "route", "", json!({ "profile": "here" })), json!([]), "{place}");
            way.call("ssh_stop", json!({ "session_id": id }));
        }
    }
    assert!(lists.iter().all(|list| *list == lists[0]), "the list of tools depends on who asks");
}

/// {stdio, HTTP} × {2025-06-18, 2025-11-25, 2026-07-28} × {elicitation, tasks: each declared or not}.
#[test]
fn what_a_client_declares_decides_over_every_transport_in_every_revision() {
    let scene = scene();
    let server = Server::start(&scene.path("portcullis.toml"), &[("MATRIX_TOKEN", TOKEN)]);
    let yes = json!({ "action": "accept", "content": { "decision": "allow_once" } });
    let mut met = 0;
    for version in ["2025-06-18", "2025-11-25", MODERN] {
        for (over_http, elicitation, tasks) in [false, true]
            .into_iter()
            .flat_map(|http| [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(e, t)| (http, e > 0, t > 0)))
        {
            let declared = way::capabilities(elicitation, tasks);
            let mut way = match over_http {
                true => Way::Http(HttpClient::new(&server.address, TOKEN, version, declared)),
                false => Way::stdio(&scene.path("portcullis.toml"), version, &declared),
            };
            let place = format!("{version}, http: {over_http}, elicitation: {elicitation}, tasks: {tasks}");
            let opened = way.call("ssh_open", json!({ "profile": "here", "new": true }))["structuredContent"].clone();
            let id = opened["session"]["session_id"].clone();
            let ask = json!({ "command": ASKED, "session_id": id });
            if elicitation {
                let allowed = way.call_answering("ssh_run", ask, &yes);
                // Until 2025-11-25 the question may outlast the moment after which a call is a task.
                let allowed = result_of(&mut way, allowed);
                assert_eq!(allowed["structuredContent"]["text"], "deploy\n", "{place}: {allowed}");
            } else {
                let refused = way.call("ssh_run", ask)["structuredContent"].clone();
                assert_eq!(refused["failure_category"], "policy-ask-denied", "{place}: {refused}");
            }
            let long = way.call("ssh_run", json!({ "command": "sleep 2; echo slow", "session_id": id }));
            assert_eq!(long["resultType"] == "task", tasks, "{place}: {long}");
            let long = result_of(&mut way, long);
            assert_eq!(long["structuredContent"]["text"], "slow\n", "{place}: {long}");
            let unknown = way.request("tasks/get", json!({ "taskId": "none" }))["error"]["code"].clone();
            assert_eq!(unknown, if tasks { -32602 } else { -32021 }, "{place}");
            way.call("ssh_stop", json!({ "session_id": id }));
            met += 1;
        }
    }
    assert_eq!(met, 24);
}

/// The result, at once or of the task.
fn result_of(way: &mut Way, answered: Value) -> Value {
    if answered["resultType"] != "task" {
        return answered;
    }
    way.task_when(&answered["taskId"], |task| task["status"] == "completed")["result"].clone()
}

#[test]
fn consent_is_asked_for_in_each_eras_way() {
    let scene = scene();
    // Until 2025-11-25 the server asks.
    let mut client = scene.client_with_dialogs();
    client.succeed("ssh_open", json!({ "profile": "here" }));
    let call =
        client.begin("tools/call", json!({ "name": "ssh_run", "arguments": { "command": ASKED, "wait_s": 40 } }));
    let question = client.told("elicitation/create");
    assert!(question["params"]["message"].as_str().unwrap().contains(ASKED), "{question}");
    client.reply(&question, json!({ "action": "accept", "content": { "decision": "allow_once" } }));
    assert_eq!(client.called(call).structured["text"], "deploy\n");
    drop(client);
    // Since 2026-07-28 the answer is the question.
    let server = Server::start(&scene.path("portcullis.toml"), &[("MATRIX_TOKEN", TOKEN)]);
    let ways = [
        Way::stdio(&scene.path("portcullis.toml"), MODERN, &can_elicit()),
        Way::Http(HttpClient::new(&server.address, TOKEN, MODERN, can_elicit())),
    ];
    for mut way in ways {
        way.call("ssh_open", json!({ "profile": "here" }));
        let run = json!({ "name": "ssh_run", "arguments": { "command": ASKED, "wait_s": 40 } });
        let ask = |way: &mut Way, state: Option<&Value>, answer: Option<Value>| {
            let mut call = run.clone();
            if let Some(state) = state {
                call["requestState"] = state.clone();
            }
            if let Some(answer) = answer {
                call["inputResponses"] = json!({ "approval": answer });
            }
            way.request("tools/call", call)["result"].clone()
        };
        let asked = ask(&mut way, None, None);
        assert_eq!(asked["resultType"], "input_required", "{asked}");
        let form = &asked["inputRequests"]["approval"];
        assert_eq!(form["method"], "elicitation/create", "{asked}");
        assert!(form["params"]["message"].as_str().unwrap().contains(ASKED), "{asked}");
        // Without an answer, or with one to another question, it is asked again, and nothing runs.
        let again = ask(&mut way, Some(&asked["requestState"]), None);
        assert_eq!((&again["resultType"], &again["requestState"]), (&json!("input_required"), &asked["requestState"]));
        let allow = json!({ "action": "accept", "content": { "decision": "allow_once" } });
        let forged = ask(&mut way, Some(&json!("a-1 0000")), Some(allow.clone()));
        assert_eq!(forged["resultType"], "input_required", "{forged}");
        let allowed = ask(&mut way, Some(&asked["requestState"]), Some(allow.clone()));
        assert_eq!(allowed["structuredContent"]["text"], "deploy\n", "{allowed}");
        // An answer counts once.
        let replayed = ask(&mut way, Some(&asked["requestState"]), Some(allow));
        assert_eq!(replayed["resultType"], "input_required", "{replayed}");
        let deny = json!({ "action": "accept", "content": { "decision": "deny", "reason": "no" } });
        let denied = ask(&mut way, Some(&replayed["requestState"]), Some(deny));
        assert_eq!(denied["structuredContent"]["denial_reason"], "no", "{denied}");
        let odd = ask(&mut way, Some(&asked["requestState"]), Some(json!("yes")));
        assert_eq!(odd, Value::Null, "no result of an elicitation");
    }
}

/// What the operator has switched off stays off, whatever a client sends.
#[test]
fn no_answer_counts_where_the_clients_dialog_is_switched_off() {
    let scene = scene();
    let path = scene.path("portcullis.toml");
    let text = std::fs::read_to_string(&path).unwrap().replace("[viewer]\n", "[mcp]\nelicitation = 'off'\n[viewer]\n");
    // With a viewer somebody could be asked, so the question stays open.
    std::fs::write(&path, text.replace("enabled = false\n", "")).unwrap();
    let mut way = Way::stdio(&scene.path("portcullis.toml"), MODERN, &can_elicit());
    way.call("ssh_open", json!({ "profile": "here" }));
    let mut run = json!({ "name": "ssh_run", "arguments": { "command": ASKED, "wait_s": 0 } });
    let waits = way.request("tools/call", run.clone())["result"]["structuredContent"].clone();
    assert_eq!(waits["outcome"], "awaiting_approval", "{waits}");
    let (address, token) = e2e::viewer::link(&scene.path("state"));
    let asked = e2e::viewer::approvals(&address, &token).pop().unwrap();
    run["requestState"] = json!(format!("{} {}", asked["id"].as_str().unwrap(), asked["digest"].as_str().unwrap()));
    run["inputResponses"] = json!({ "approval": { "action": "accept", "content": { "decision": "allow_once" } } });
    let still = way.request("tools/call", run)["result"]["structuredContent"].clone();
    assert_eq!((&still["outcome"], &still["sent"]), (&json!("awaiting_approval"), &json!(false)), "{still}");
}

#[test]
fn a_subscription_tells_of_changes_in_each_eras_way() {
    let scene = scene();
    for version in ["2025-11-25", MODERN] {
        let mut way = Way::stdio(&scene.path("portcullis.toml"), version, &json!({}));
        let opened = way.call("ssh_open", json!({ "profile": "here" }))["structuredContent"].clone();
        let uri = format!("ssh://sessions/{}/screen", opened["session"]["session_id"].as_str().unwrap());
        let Way::Stdio { client, capabilities, .. } = &mut way else { panic!("it is stdio") };
        if version == MODERN {
            let wanted =
                json!({ "notifications": { "resourceSubscriptions": [uri] }, "_meta": meta(version, capabilities) });
            client.begin("subscriptions/listen", wanted);
            let told = client.told("notifications/subscriptions/acknowledged");
            assert!(told.to_string().contains(&uri), "{told}");
        } else {
            assert!(client.request("resources/subscribe", json!({ "uri": uri }))["result"].is_object());
        }
        way.call("ssh_run", json!({ "command": "echo changed" }));
        let Way::Stdio { client, .. } = &mut way else { panic!("it is stdio") };
        let told = client.told("notifications/resources/updated");
        assert_eq!(told["params"]["uri"], json!(uri), "{told}");
    }
}

#[test]
fn a_cancelled_call_stops_waiting_and_leaves_the_command() {
    let scene = scene();
    let mut way = Way::stdio(&scene.path("portcullis.toml"), MODERN, &json!({}));
    way.call("ssh_open", json!({ "profile": "here" }));
    let Way::Stdio { client, version, capabilities } = &mut way else { panic!("it is stdio") };
    let mut call = json!({ "name": "ssh_run", "arguments": { "command": "sleep 40", "wait_s": 50 } });
    call["_meta"] = meta(version, capabilities);
    call["_meta"]["progressToken"] = json!("p");
    let id = client.begin("tools/call", call);
    // The command is under way once there is progress.
    client.told("notifications/progress");
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }));
    let status = way.call("ssh_status", json!({}))["structuredContent"].clone();
    assert_eq!(status["sessions"][0]["running_command"], "sleep 40", "{status}");
    way.call("ssh_stop", json!({ "job_id": "c1", "force": true }));
}

/// State, exit code, handle and next step, whatever a client shows of a result.
fn survives(answer: &Answer, words: &[&str]) {
    for seen in lenses::all(answer) {
        for word in words {
            assert!(seen.text.contains(word), "{word:?} is lost behind {}:\n{}", seen.lens, seen.text);
        }
    }
}

#[test]
fn what_matters_survives_every_clients_way_of_cutting() {
    let scene = scene();
    let mut client = scene.client();
    client.succeed("ssh_open", json!({ "profile": "here" }));
    let long = client.call("ssh_run", json!({ "command": "seq 1 30000; false", "max_chars": 40000 }));
    survives(&long, &["exit", "1", "c1", "s-here-1", "ssh_read", "next"]);
    // Whoever shows only how a text begins shows state, exit code and handles.
    let first = long.text.lines().next().unwrap();
    assert!(["exit 1", "job c1", "session s-here-1"].iter().all(|word| first.contains(word)), "{first}");
    let running = client.call("ssh_run", json!({ "command": "seq 1 9000; sleep 30", "wait_s": 1, "max_chars": 40000 }));
    survives(&running, &["running", "c2", "s-here-1", "ssh_read"]);
    let error = client.call("ssh_run", json!({ "command": "true" }));
    assert!(error.is_error);
    survives(&error, &["terminal-state-abnormal", "c2", "ssh_read", "s-here-1"]);
    client.call("ssh_stop", json!({ "job_id": "c2", "force": true }));
    let denied = client.call("ssh_run", json!({ "command": "rm -rf /" }));
    survives(&denied, &["policy-blocked", "delete/", "ssh_read"]);
    let wide = client.call("ssh_run", json!({ "command": "seq -s ' ' 1 9000", "max_chars": 40000 }));
    survives(&wide, &["exit", "0", "s-here-1"]);
}

#[test]
fn a_server_without_input_ends_in_either_era() {
    let scene = scene();
    for version in ["2025-11-25", MODERN] {
        let mut way = Way::stdio(&scene.path("portcullis.toml"), version, &json!({}));
        way.call("ssh_hosts", json!({}));
        let Way::Stdio { client, .. } = way else { panic!("it is stdio") };
        let (status, _) = client.end(Duration::from_secs(5));
        assert!(status.success(), "{version}");
    }
}
