//! What each link allows, asked at every door.

use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::client::{PATIENCE, Received};
use super::{Fixture, TOKEN};
use crate::web::protocol::{AttachCause, ClientMessage, ErrorCode, History, SearchFound, ServerMessage};
use crate::web::roles::{Role, Tokens};

const CONTROL: &str = "/api/v1/sessions/s-lab-1/control";
const RULES: &str = "/api/v1/sessions/s-lab-1/rules";
const TERMINAL: &str = "/api/v1/sessions/s-lab-1/terminal";

/// Whether a request of that kind gets past the check of its role.
type May = fn(Role) -> bool;

fn bearer(role: Role) -> String {
    format!("Bearer {}", Tokens::made_of(TOKEN).of(role))
}

#[tokio::test]
async fn every_request_that_does_something_is_checked_by_role() {
    let fixture = Fixture::start().await;
    let own = fixture.client.origin();
    let digest = "e".repeat(64);
    let decision = format!("{{\"type\":\"allow_once\",\"digest\":\"{digest}\"}}");
    let cases: [(&str, &str, May); 9] = [
        ("/api/v1/approvals/a-1", &decision, Role::may_approve),
        ("/api/v1/questions/q-1", "{\"type\":\"refuse\"}", Role::may_approve),
        ("/api/v1/questions/q-1", "{\"type\":\"trust\",\"fingerprint\":\"SHA256:x\"}", Role::may_approve),
        (CONTROL, "{\"type\":\"take\",\"force\":true}", Role::may_drive),
        (CONTROL, "{\"type\":\"hand_over\"}", Role::may_drive),
        (CONTROL, "{\"type\":\"mode\",\"mode\":\"human\"}", Role::may_drive),
        (CONTROL, "{\"type\":\"interrupt\"}", Role::may_drive),
        (CONTROL, "{\"type\":\"close\"}", Role::may_drive),
        (CONTROL, "{\"type\":\"policy_mode\",\"mode\":\"full\"}", Role::may_approve),
    ];
    for role in Role::ALL {
        let authorization = bearer(role);
        for (path, body, may) in cases {
            let headers = [("Authorization", authorization.as_str()), ("Origin", own.as_str())];
            let before = fixture.backend.said().len();
            let answer = fixture.client.post(path, body, &headers).await;
            assert_eq!(answer.status != 403, may(role), "{role:?} {path} {body}: {}", answer.body);
            let did_something = fixture.backend.said().len() > before;
            assert_eq!(did_something, path == CONTROL && may(role), "{role:?} {path} {body}");
            // The right link in a page of another origin is of no use.
            for origin in ["http://evil.test", "null"] {
                let headers = [("Authorization", authorization.as_str()), ("Origin", origin)];
                assert_eq!(fixture.client.post(path, body, &headers).await.status, 403, "{role:?} {origin}");
            }
        }
        for path in ["/api/v1/sessions", "/api/v1/approvals", "/api/v1/questions", "/api/v1/plugins", RULES] {
            assert_eq!(
                fixture.client.get(path, &[("Authorization", &authorization)]).await.status,
                200,
                "{role:?} {path}"
            );
        }
        let me = fixture.client.get("/api/v1/me", &[("Authorization", &authorization)]).await;
        assert!(me.body.contains(&format!("\"role\":\"{}\"", role.name())), "{}", me.body);
    }
}

#[tokio::test]
async fn only_those_who_approve_change_what_is_judged_in_a_session() {
    let fixture = Fixture::start().await;
    let own = fixture.client.origin();
    let rule = "{\"id\":\"r\",\"action\":\"deny\",\"programs\":[\"x\"]}";
    for role in Role::ALL {
        let authorization = bearer(role);
        let headers = [("Authorization", authorization.as_str()), ("Origin", own.as_str())];
        let before = fixture.backend.said().len();
        let answers = [
            fixture.client.post(RULES, rule, &headers).await,
            fixture.client.delete(&format!("{RULES}/r"), &headers).await,
            fixture.client.delete(RULES, &headers).await,
        ];
        let allowed = role.may_approve();
        assert!(answers.iter().all(|answer| answer.status == if allowed { 200 } else { 403 }), "{role:?} {answers:?}");
        assert_eq!(fixture.backend.said().len() - before, if allowed { 3 } else { 0 }, "{role:?}");
        let foreign = [("Authorization", authorization.as_str()), ("Origin", "http://evil.test")];
        assert_eq!(fixture.client.delete(RULES, &foreign).await.status, 403);
    }
    let authorization = bearer(Role::Approver);
    let headers = [("Authorization", authorization.as_str()), ("Origin", own.as_str())];
    assert_eq!(fixture.client.delete(&format!("{RULES}/inherited"), &headers).await.status, 422);
    assert_eq!(fixture.client.post(RULES, "no JSON", &headers).await.status, 400);
    assert_eq!(fixture.client.post("/api/v1/sessions/other/rules", rule, &headers).await.status, 404);
}

#[tokio::test]
async fn a_link_is_exchanged_for_a_cookie_of_its_role() {
    let fixture = Fixture::start().await;
    let own = fixture.client.origin();
    for role in Role::ALL {
        let body = format!("{{\"token\":\"{}\"}}", Tokens::made_of(TOKEN).of(role));
        let answer = fixture.client.post("/api/v1/login", &body, &[("Origin", &own)]).await;
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let me = fixture.client.get("/api/v1/me", &[("Cookie", &cookie)]).await;
        assert!(me.body.contains(&format!("\"role\":\"{}\"", role.name())), "{role:?} {}", me.body);
        let headers = [("Cookie", cookie.as_str()), ("Origin", own.as_str())];
        let stop = fixture.client.post(CONTROL, "{\"type\":\"interrupt\"}", &headers).await;
        assert_eq!(stop.status == 204, role.may_drive(), "{role:?}");
    }
}

#[tokio::test]
async fn only_those_who_drive_type() {
    let fixture = Fixture::start().await;
    let own = fixture.client.origin();
    let mut typed = fixture.backend.typed();
    for role in [Role::Observer, Role::Approver] {
        let headers = [("Authorization", bearer(role)), ("Origin", own.clone())];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut page = fixture.client.upgrade(TERMINAL, &headers).await.ok().unwrap();
        page.attached(AttachCause::Opened).await;
        for keys in ["x", "\x03", "\r"] {
            page.send(Message::binary(keys.as_bytes().to_vec())).await;
            let told = page.next_message().await;
            assert!(matches!(told, ServerMessage::Error { code: ErrorCode::RoleNeeded, .. }), "{role:?} {told:?}");
        }
        // It goes on watching.
        page.say(&ClientMessage::Ping { id: 1 }).await;
        assert_eq!(page.next_message().await, ServerMessage::Pong { id: 1 });
        let forged = || Message::text("{\"type\":\"take\",\"force\":true}");
        for _ in 0..7 {
            page.send(forged()).await;
            page.next_message().await;
        }
        page.send(forged()).await;
        assert_eq!(page.next().await, Received::Closed(Some(1008)));
    }
    assert!(typed.borrow_and_update().is_empty());
    let driver = [("Authorization", bearer(Role::Driver)), ("Origin", own)];
    let headers: Vec<_> = driver.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut page = fixture.client.upgrade(TERMINAL, &headers).await.ok().unwrap();
    page.send(Message::binary(b"ls\r".to_vec())).await;
    timeout(PATIENCE, typed.wait_for(|it| it == b"ls\r")).await.expect("the keys").unwrap();
}

#[tokio::test]
async fn other_launches_are_the_operators_to_see() {
    let fixture = Fixture::start().await;
    for role in Role::ALL {
        let authorization = bearer(role);
        let get = async |path: &str| fixture.client.get(path, &[("Authorization", &authorization)]).await;
        let History { sessions } = serde_json::from_str(&get("/api/v1/history").await.body).unwrap();
        assert_eq!(sessions.len() == 2, role == Role::Operator, "{role:?}");
        assert_eq!(get("/api/v1/history/here/s-lab-1").await.status, 200);
        let elsewhere = get("/api/v1/history/elsewhere/s-lab-1").await;
        assert_eq!(elsewhere.status == 200, role == Role::Operator, "{role:?}");
    }
    assert_eq!(fixture.client.get("/api/v1/history", &[]).await.status, 401);
    assert_eq!(fixture.client.get("/api/v1/history/here/s-lab-1", &[]).await.status, 401);
}

#[tokio::test]
async fn what_is_asked_of_a_session_is_read_strictly_and_refusals_are_told() {
    let fixture = Fixture::start().await;
    let own = fixture.client.origin();
    let authorization = bearer(Role::Operator);
    let headers = [("Authorization", authorization.as_str()), ("Origin", own.as_str())];
    for body in [
        "",
        "{}",
        "{\"type\":\"take\"}",
        "{\"type\":\"take\",\"force\":1}",
        "{\"type\":\"close\",\"actor\":\"agent\"}",
        "[]",
    ] {
        assert_eq!(fixture.client.post(CONTROL, body, &headers).await.status, 400, "{body}");
    }
    let large = format!("{{\"type\":\"mode\",\"mode\":\"{}\"}}", "x".repeat(8 * 1024));
    assert_eq!(fixture.client.post(CONTROL, &large, &headers).await.status, 400);
    let close = "{\"type\":\"close\"}";
    assert_eq!(fixture.client.post("/api/v1/sessions/s-no-1/control", close, &headers).await.status, 404);
    // What a form of another page could send: no JSON, and its own Origin.
    let host = fixture.client.host();
    let form = format!(
        "POST {CONTROL} HTTP/1.1\r\nHost: {host}\r\nOrigin: {own}\r\nAuthorization: {authorization}\r\nConnection: close\r\n\
         Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{close}",
        close.len()
    );
    assert_eq!(fixture.client.raw(&form).await.status, 400);
    fixture.backend.refuse_keys("the agent has taken the input");
    let held = fixture.client.post(CONTROL, "{\"type\":\"take\",\"force\":false}", &headers).await;
    assert_eq!(held.status, 409);
    assert!(held.body.contains("the agent has taken the input"), "{}", held.body);
    assert_eq!(fixture.client.post(CONTROL, "{\"type\":\"take\",\"force\":true}", &headers).await.status, 204);
}

#[tokio::test]
async fn the_record_is_searched_as_far_as_each_role_sees() {
    let fixture = Fixture::start().await;
    for role in Role::ALL {
        let authorization = bearer(role);
        let get = async |query: &str| {
            fixture.client.get(&format!("/api/v1/search?{query}"), &[("Authorization", &authorization)]).await
        };
        let answer = get("pattern=a%20%22b%22&regex=true&exit_code=-1&actor=agent&since=2h&limit=1").await;
        let found: SearchFound = serde_json::from_str(&answer.body).unwrap();
        let launches: Vec<&str> = found.hits.iter().map(|hit| hit.instance_id.as_str()).collect();
        let all = ["here", "elsewhere"];
        assert_eq!(launches, if role == Role::Operator { &all[..] } else { &all[..1] }, "{role:?}");
        let hit = &found.hits[0];
        assert_eq!((hit.text.as_str(), hit.actor.as_deref(), hit.exit_code), ("a \"b\"", Some("agent"), Some(-1)));
        assert_eq!(get("regex=true").await.status, 422);
        for wrong in ["patern=x", "pattern=x&limit=-1", "pattern=x&exit_code=a", "pattern=x&regex=maybe"] {
            assert_eq!(get(wrong).await.status, 400, "{wrong}");
        }
    }
    assert_eq!(fixture.client.get("/api/v1/search?pattern=x", &[]).await.status, 401);
}

#[tokio::test]
async fn a_secret_is_typed_by_those_who_drive_where_one_is_asked_for_and_told_nowhere() {
    const SECRET: &str = "/api/v1/sessions/s-lab-1/secret";
    let fixture = Fixture::start().await;
    let own = fixture.client.origin();
    let send = async |role: Role, body: &str| {
        let authorization = bearer(role);
        fixture.client.post(SECRET, body, &[("Authorization", &authorization), ("Origin", &own)]).await
    };
    let body = r#"{"text":"hunter2"}"#;
    assert_eq!(send(Role::Driver, body).await.status, 422, "nothing is asked");
    fixture.backend.change_summary(|summary| summary.asks_for_secret = true);
    for role in Role::ALL {
        let before = fixture.backend.said().len();
        let answer = send(role, body).await;
        assert_eq!(answer.status, if role.may_drive() { 204 } else { 403 }, "{role:?}");
        assert_eq!(fixture.backend.said().len() > before, role.may_drive(), "{role:?}");
        for broken in [r#"{"text":"hunter2","enter":true}"#, r#"{"tekst":"hunter2"}"#, "hunter2"] {
            let answer = send(role, broken).await;
            assert!(answer.status >= 400 && !answer.body.contains("hunter2"), "{role:?} {}", answer.body);
        }
    }
}
