//! Several clients of one host over HTTP: who comes in, and what they see of each other.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use e2e::http::{HttpClient, Server, request};
use e2e::mcp::wait_until;
use e2e::scene::Scene;
use serde_json::{Value, json};

const ALICE: &str = "the-token-of-alice-0123456789";
const BOB: &str = "the-token-of-bob-9876543210";
const TOKENS: [(&str, &str); 2] = [("ALICE_TOKEN", ALICE), ("BOB_TOKEN", BOB)];
const HERE: &str = "enabled = false\n[profiles.here]\nkind = 'local'\nshell = ['bash', '--noprofile', '--norc']\n";
const CLIENTS: &str = "clients = { alice = { env = 'ALICE_TOKEN' }, bob = { env = 'BOB_TOKEN' } }\n";

fn server(http: &str) -> (Scene, Server) {
    let scene = Scene::empty();
    scene.configure(&format!("{HERE}[mcp.http]\n{CLIENTS}{http}"));
    let server = Server::start(&scene.path("portcullis.toml"), &TOKENS);
    (scene, server)
}

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}"#;

/// The status of an `initialize` with these headers.
fn knock(address: &str, headers: &[(&str, &str)]) -> u16 {
    let mut all = vec![("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")];
    all.extend(headers);
    request(address, "POST", "/mcp", &all, PING).status
}

#[test]
fn a_token_of_its_own_is_made_once_and_opens_the_door() {
    let scene = Scene::empty();
    scene.configure(HERE);
    let server = Server::start(&scene.path("portcullis.toml"), &[]);
    let file = scene.path("state/http-token");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let token = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert!(token.len() >= 32 && server.said.iter().any(|line| line.contains(&token)), "{:?}", server.said);
    assert_eq!(knock(&server.address, &[("Authorization", &format!("Bearer {token}"))]), 200);
    drop(server);
    let again = Server::start(&scene.path("portcullis.toml"), &[]);
    assert!(!again.said.iter().any(|line| line.contains(&token)), "{:?}", again.said);
    assert_eq!(knock(&again.address, &[("Authorization", &format!("Bearer {token}"))]), 200);
}

#[test]
fn tokens_hosts_and_origins_decide_who_comes_in() {
    let (_scene, server) = server(
        "allowed_hosts = ['mcp.example.org']\nallowed_origins = ['https://app.example.org:443']\n\
         resource = 'https://mcp.example.org/mcp'\nauthorization_servers = ['https://login.example.org']\n",
    );
    let address = server.address.as_str();
    let bearer = format!("Bearer {ALICE}");
    let known = ("Authorization", bearer.as_str());
    for wrong in ["", "Bearer ", "Bearer no", "Basic YTpi", ALICE, &format!("Bearer {ALICE}x")] {
        assert_eq!(knock(address, &[("Authorization", wrong)]), 401, "{wrong}");
    }
    assert_eq!(knock(address, &[known, known]), 401);
    let turned_away = request(address, "POST", "/mcp", &[], PING);
    let challenge = turned_away.header("www-authenticate").unwrap();
    let metadata = "https://mcp.example.org/.well-known/oauth-protected-resource";
    assert!(
        turned_away.status == 401 && challenge.starts_with("Bearer ") && challenge.contains(metadata),
        "{challenge}"
    );
    let told = request(address, "GET", "/.well-known/oauth-protected-resource", &[], "");
    let told: Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!(told["resource"], "https://mcp.example.org/mcp");
    assert_eq!(told["authorization_servers"], json!(["https://login.example.org"]));
    for (host, status) in [("evil.example", 403), ("mcp.example.org", 200), (address, 200), ("localhost:1", 200)] {
        assert_eq!(knock(address, &[known, ("Host", host)]), status, "{host}");
    }
    for (origin, status) in [
        ("https://evil.example", 403),
        ("null", 403),
        ("https://app.example.org", 200),
        ("http://app.example.org", 403),
        ("http://localhost:3000", 200),
    ] {
        assert_eq!(knock(address, &[known, ("Origin", origin)]), status, "{origin}");
    }
    assert_eq!(request(address, "GET", "/", &[known], "").status, 404);
}

#[test]
fn a_client_sees_nothing_of_anothers_sessions() {
    let (_scene, server) = server("");
    let mut alice = HttpClient::new(&server.address, ALICE, "2025-11-25", json!({}));
    let mut bob = HttpClient::new(&server.address, BOB, "2026-07-28", json!({}));
    let opened = alice.call("ssh_open", json!({ "profile": "here", "name": "mine" }))["structuredContent"].clone();
    let id = opened["session"]["session_id"].as_str().unwrap().to_owned();
    for name in [id.as_str(), "mine"] {
        for (tool, arguments) in [
            ("ssh_run", json!({ "session_id": name, "command": "id" })),
            ("ssh_read", json!({ "session_id": name })),
            ("ssh_send", json!({ "session_id": name, "text": "id", "enter": true })),
            ("ssh_stop", json!({ "session_id": name })),
            ("ssh_status", json!({ "session_id": name })),
            ("ssh_open", json!({ "reopen": name })),
        ] {
            let answer = bob.call(tool, arguments);
            let content = &answer["structuredContent"];
            assert_eq!(content["failure_category"], "ambiguous-session", "{tool}: {answer}");
            assert!(!answer.to_string().contains("local"), "{tool} tells where it is: {answer}");
        }
    }
    let status = bob.call("ssh_status", json!({}))["structuredContent"].clone();
    assert_eq!(status["sessions"], json!([]));
    let hosts = bob.call("ssh_hosts", json!({}))["structuredContent"].clone();
    assert_eq!(hosts["hosts"][0]["open_sessions"], json!([]), "{hosts}");
    let listed = bob.request("resources/list", json!({}))["result"]["resources"].clone();
    assert!(!listed.to_string().contains(&id), "{listed}");
    let read = bob.request("resources/read", json!({ "uri": format!("ssh://sessions/{id}/screen") }));
    assert_eq!(read["error"]["code"], -32602, "{read}");
    // The same profile is another session for another client, and the same one for oneself.
    let own = bob.call("ssh_open", json!({ "profile": "here" }))["structuredContent"]["session"]["session_id"].clone();
    assert_ne!(own, json!(id));
    let mut alice_again = HttpClient::new(&server.address, ALICE, "2026-07-28", json!({}));
    let again = alice_again.call("ssh_open", json!({ "profile": "here" }))["structuredContent"].clone();
    assert_eq!((&again["session"]["session_id"], &again["reused"]), (&json!(id), &json!(true)));
    // A session of the protocol is its client's too.
    let session = alice.session().unwrap();
    let bearer = format!("Bearer {BOB}");
    let stolen = [("Authorization", bearer.as_str()), ("Mcp-Session-Id", session)];
    assert_eq!(knock(&server.address, &stolen), 404);
}

#[test]
fn the_operator_may_let_all_clients_use_all_sessions() {
    let (_scene, server) = server("shared_sessions = true\n");
    let mut alice = HttpClient::new(&server.address, ALICE, "2026-07-28", json!({}));
    let mut bob = HttpClient::new(&server.address, BOB, "2026-07-28", json!({}));
    alice.call("ssh_open", json!({ "profile": "here" }));
    let ran = bob.call("ssh_run", json!({ "command": "echo shared" }))["structuredContent"].clone();
    assert_eq!(ran["text"], "shared\n", "{ran}");
}

#[test]
fn sessions_and_calls_have_limits_and_it_stops_cleanly() {
    let (scene, server) = server("max_sessions = 1\nmax_calls = 1\n");
    let mut alice = HttpClient::new(&server.address, ALICE, "2025-11-25", json!({}));
    let bearer = format!("Bearer {BOB}");
    assert_eq!(knock(&server.address, &[("Authorization", &bearer)]), 503);
    let opened = alice.call("ssh_open", json!({ "profile": "here" }))["structuredContent"].clone();
    let id = opened["session"]["session_id"].as_str().unwrap().to_owned();
    let run = json!({ "name": "ssh_run", "arguments": { "command": "sleep 30", "wait_s": 30 } });
    // Until it has the one place, which the calls below take for a moment too.
    let under_way = std::thread::spawn(move || {
        loop {
            let answered = alice.send("tools/call", run.clone());
            if !answered.body.contains("too many calls") {
                return answered;
            }
        }
    });
    let mut bob = HttpClient::new(&server.address, BOB, "2026-07-28", json!({}));
    let refused = wait_until(Duration::from_secs(20), || {
        let answer = bob.call("ssh_hosts", json!({}));
        (answer["isError"] == true).then_some(answer)
    });
    let refused = refused.unwrap()["structuredContent"].clone();
    assert_eq!(refused["next"], json!({ "tool": "ssh_hosts", "arguments": {} }), "{refused}");
    // The call under way is answered, or its stream ended, and the session's end is on record.
    let (success, took) = server.end();
    assert!(success && took < Duration::from_secs(5), "{took:?}");
    let answered = under_way.join().unwrap();
    assert_eq!(answered.status, 200);
    assert_eq!(scene.transcript(&id).last().unwrap()["kind"], "closed");
}

/// The guide's settings are taken as they stand there.
#[test]
fn the_guide_s_settings_serve() {
    let guide = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/mcp.md");
    let text = std::fs::read_to_string(guide).unwrap();
    let piece = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let scene = Scene::empty();
    scene.configure(&format!("{HERE}{piece}"));
    let token = scene.path("laptop.token");
    std::fs::write(&token, format!("{BOB}\n")).unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::start(&scene.path("portcullis.toml"), &[("CI_TOKEN", ALICE)]);
    for token in [ALICE, BOB] {
        let mut client = HttpClient::new(&server.address, token, "2026-07-28", json!({}));
        assert_eq!(client.call("ssh_hosts", json!({}))["isError"], false);
    }
}
