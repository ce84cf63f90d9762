//! Who is let in and who is not.

use super::client::Received;
use super::{Fixture, TOKEN};
use crate::web::protocol::ServerMessage;
use crate::web::roles::{Role, Tokens};

/// Header lines of a request.
type Headers<'a> = &'a [(&'a str, &'a str)];

const SESSIONS: &str = "/api/v1/sessions";
const TERMINAL: &str = "/api/v1/sessions/s-lab-1/terminal";

#[tokio::test]
async fn without_a_login_nothing_is_told() {
    let fixture = Fixture::start().await;
    let wrong = format!("Bearer {TOKEN}0");
    let prefix = format!("Bearer {}", &TOKEN[..16]);
    let mut bodies = Vec::new();
    for headers in [
        &[][..],
        &[("Authorization", wrong.as_str())],
        &[("Authorization", prefix.as_str())],
        &[("Authorization", "Bearer ")],
        &[("Cookie", "portcullis_1=x")],
    ] {
        let answer = fixture.client.get(SESSIONS, headers).await;
        assert_eq!(answer.status, 401, "{headers:?}");
        assert!(!answer.body.contains("s-lab-1"));
        bodies.push(answer.body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "the answer tells how wrong the token was");
    assert_eq!(fixture.client.get("/api/v1/none", &[]).await.status, 401);
    assert_eq!(fixture.client.get("/livez", &[]).await.status, 200);
}

#[tokio::test]
async fn the_token_in_an_address_is_not_enough() {
    let fixture = Fixture::start().await;
    let answer = fixture.client.get(&format!("{SESSIONS}?token={TOKEN}"), &[]).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn a_login_gives_a_cookie_that_is_not_the_token() {
    let fixture = Fixture::start().await;
    let own = fixture.client.origin();
    let body = format!("{{\"token\":\"{TOKEN}\"}}");
    let answer = fixture.client.post("/api/v1/login", &body, &[("Origin", &own)]).await;
    let cookie = answer.header("set-cookie").unwrap();
    for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains(TOKEN));

    let pair = cookie.split(';').next().unwrap();
    let answer = fixture.client.get(SESSIONS, &[("Cookie", pair)]).await;
    assert_eq!(answer.status, 200);
    let ServerMessage::Sessions { sessions, instance_id } = serde_json::from_str(&answer.body).unwrap() else {
        panic!("not a list: {}", answer.body);
    };
    assert_eq!(sessions[0].session_id, "s-lab-1");
    assert_eq!(instance_id, fixture.server.as_ref().unwrap().instance_id);

    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(fixture.client.get(SESSIONS, &[("Authorization", &bearer)]).await.status, 200);
}

#[tokio::test]
async fn a_login_needs_the_right_token_from_the_own_page() {
    let fixture = Fixture::start().await;
    let own = fixture.client.origin();
    let right = format!("{{\"token\":\"{TOKEN}\"}}");
    let large = format!("{{\"token\":\"{}\"}}", "x".repeat(8 * 1024));
    let cases: [(&str, Headers<'_>, u16); 8] = [
        ("{\"token\":\"wrong\"}", &[("Origin", &own)], 401),
        ("{\"token\":\"\"}", &[("Origin", &own)], 401),
        ("{\"token\":1}", &[("Origin", &own)], 400),
        ("not json", &[("Origin", &own)], 400),
        (&large, &[("Origin", &own)], 400),
        (&right, &[], 403),
        (&right, &[("Origin", "http://evil.test")], 403),
        (&right, &[("Origin", "null")], 403),
    ];
    for (body, headers, status) in cases {
        let answer = fixture.client.post("/api/v1/login", body, headers).await;
        assert_eq!(answer.status, status, "{body:.40} {headers:?}");
        assert_eq!(answer.header("set-cookie"), None);
    }
    assert_eq!(fixture.client.get("/api/v1/login", &[]).await.status, 405);
    // A form of another page cannot send JSON; this is what it would send.
    let host = fixture.client.host();
    let form = format!(
        "POST /api/v1/login HTTP/1.1\r\nHost: {host}\r\nOrigin: {own}\r\nConnection: close\r\n\
         Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{right}",
        right.len()
    );
    assert_eq!(fixture.client.raw(&form).await.status, 400);
}

#[tokio::test]
async fn a_foreign_name_is_refused_even_with_a_login() {
    let fixture = Fixture::start().await;
    let cookie = fixture.client.log_in().await;
    let port = fixture.client.address.port();
    for host in [format!("evil.test:{port}"), "evil.test".to_owned(), "127.0.0.1".to_owned(), format!("0.0.0.0:{port}")]
    {
        for path in ["/", "/livez", SESSIONS, TERMINAL] {
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
            let answer = fixture.client.raw(&request).await;
            assert_eq!(answer.status, 403, "{host} {path}");
            assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
        }
    }
    let host = fixture.client.host();
    let double = format!("GET / HTTP/1.1\r\nHost: {host}\r\nHost: evil.test\r\nConnection: close\r\n\r\n");
    assert!((400..=403).contains(&fixture.client.raw(&double).await.status));
    assert!((400..=403).contains(&fixture.client.raw("GET / HTTP/1.0\r\n\r\n").await.status));
    let absolute = format!("GET http://evil.test/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    assert!((400..=403).contains(&fixture.client.raw(&absolute).await.status));
    let localhost = format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
    assert_ne!(fixture.client.raw(&localhost).await.status, 403);
}

#[tokio::test]
async fn a_foreign_origin_reads_nothing() {
    let fixture = Fixture::start().await;
    let cookie = fixture.client.log_in().await;
    for origin in ["http://evil.test", "null", &format!("{}.evil.test", fixture.client.origin())] {
        let answer = fixture.client.get(SESSIONS, &[("Cookie", &cookie), ("Origin", origin)]).await;
        assert_eq!(answer.status, 403, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let other_port = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "no-cors")];
    assert_eq!(fixture.client.get(SESSIONS, &other_port).await.status, 403);
}

#[tokio::test]
async fn sockets_need_origin_and_login() {
    let fixture = Fixture::start().await;
    let (cookie, own) = (fixture.client.log_in().await, fixture.client.origin());
    for path in ["/api/v1/events", TERMINAL] {
        let cases: [(Headers<'_>, u16); 5] = [
            (&[("Cookie", &cookie)], 403),
            (&[("Cookie", &cookie), ("Origin", "http://evil.test")], 403),
            (&[("Cookie", &cookie), ("Origin", "null")], 403),
            (&[("Origin", &own)], 401),
            (&[("Origin", &own), ("Authorization", "Bearer wrong")], 401),
        ];
        for (headers, status) in cases {
            assert_eq!(fixture.client.upgrade(path, headers).await.err(), Some(status), "{path} {headers:?}");
        }
        assert!(fixture.client.upgrade(path, &[("Origin", &own), ("Cookie", &cookie)]).await.is_ok());
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let fixture = Fixture::start().await;
    for path in ["/", "/s/s-lab-1", "/livez", SESSIONS, "/nothing", "/assets/..%2f..%2fetc/passwd", "/%00", "//evil"] {
        for headers in [&[][..], &[("Origin", "http://evil.test")]] {
            let answer = fixture.client.get(path, headers).await;
            let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{path}"));
            assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
            assert!(!policy.contains("unsafe"));
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
            assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
            assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"), "{path}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        }
    }
    assert_eq!(fixture.client.get("/nothing", &[]).await.status, 404);
    assert_eq!(fixture.client.get("/assets/..%2f..%2fetc/passwd", &[]).await.status, 404);
}

#[tokio::test]
async fn more_sockets_than_the_limit_are_turned_away() {
    let fixture = Fixture::start().await;
    let (cookie, own) = (fixture.client.log_in().await, fixture.client.origin());
    let headers = [("Origin", own.as_str()), ("Cookie", cookie.as_str())];
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(fixture.client.upgrade("/api/v1/events", &headers).await.ok().unwrap());
    }
    assert_eq!(fixture.client.upgrade("/api/v1/events", &headers).await.err(), Some(503));
}

#[tokio::test]
async fn the_list_follows_the_sessions() {
    let fixture = Fixture::start().await;
    let mut page = fixture.client.open("/api/v1/events").await;
    let ServerMessage::Sessions { sessions, .. } = page.next_message().await else { panic!("not a list") };
    assert_eq!(sessions[0].running_command, None);
    let asked = page.next_message().await;
    assert!(matches!(&asked, ServerMessage::Questions { questions, .. } if questions.is_empty()), "{asked:?}");
    let approvals = page.next_message().await;
    assert!(matches!(&approvals, ServerMessage::Approvals { approvals, .. } if approvals.is_empty()), "{approvals:?}");
    let plugins = page.next_message().await;
    assert!(matches!(&plugins, ServerMessage::Plugins { plugins, .. } if plugins.is_empty()), "{plugins:?}");
    fixture.backend.change_summary(|it| it.running_command = Some("sleep 3".to_owned()));
    let ServerMessage::Sessions { sessions, .. } = page.next_message().await else { panic!("not a list") };
    assert_eq!(sessions[0].running_command.as_deref(), Some("sleep 3"));
}

#[tokio::test]
async fn everything_ends_when_the_host_does() {
    let mut fixture = Fixture::start().await;
    let mut list = fixture.client.open("/api/v1/events").await;
    let mut terminal = fixture.client.open_terminal().await;
    for _ in 0..4 {
        list.next().await;
    }
    terminal.next().await;
    terminal.next().await;
    fixture.shutdown.cancel();
    assert_eq!(list.next().await, Received::Closed(Some(1001)));
    assert_eq!(terminal.next().await, Received::Closed(Some(1001)));
    let server = fixture.server.take().unwrap();
    tokio::time::timeout(super::client::PATIENCE, server.stopped()).await.expect("an end");
    assert_eq!(fixture.backend.viewers(), 0);
}

/// Scripts around the predecessors find what they read; the list only with a login.
#[tokio::test]
async fn what_the_predecessors_told_is_told() {
    let fixture = Fixture::start().await;
    let parsed = |body: &str| serde_json::from_str::<serde_json::Value>(body).unwrap();
    let health = parsed(&fixture.client.get("/health", &[]).await.body);
    assert_eq!((&health["ok"], health["viewerPort"].is_u64()), (&true.into(), true), "{health}");
    assert!(health["sessions"].is_null(), "how much is done here is not for everybody: {health}");
    assert_eq!(fixture.client.get("/api/sessions", &[]).await.status, 401);
    let bearer = format!("Bearer {}", Tokens::made_of(TOKEN).of(Role::Observer));
    let listed = parsed(&fixture.client.get("/api/sessions", &[("Authorization", &bearer)]).await.body);
    let session = &listed["sessions"][0];
    assert_eq!((&session["session_id"], &session["sessionId"]), (&"s-lab-1".into(), &"s-lab-1".into()), "{listed}");
    assert_eq!((&session["status"], &session["health_status"]), (&"open".into(), &"healthy".into()), "{listed}");
    assert!(session["viewerUrl"].as_str().unwrap().ends_with("/s/s-lab-1"), "{listed}");
    assert_eq!(session["createdAt"], session["created_at"], "{listed}");
}
