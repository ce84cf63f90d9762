//! The proxy's door, and the viewer's own beside it, over real sockets.

use axum::http::HeaderName;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::client::{Client, PATIENCE};
use super::scripted::ScriptedBackend;
use super::{TOKEN, options};
use crate::web::protocol::AttachCause;
use crate::web::roles::Role;
use crate::web::{ProxyOptions, WebError, WebOptions, WebServer, serve};

const SECRET: &str = "the-proxys-own-secret-of-many-characters";
const HOST: &str = "ssh.example.org";
const ORIGIN: &str = "https://ssh.example.org";

struct Doors {
    backend: ScriptedBackend,
    own: Client,
    proxy: Client,
    _server: WebServer,
    _shutdown: tokio_util::sync::DropGuard,
}

fn proxy(trusted: &str) -> ProxyOptions {
    ProxyOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        trusted: vec![trusted.parse().unwrap()],
        secret: Some(Zeroizing::new(SECRET.to_owned())),
        hosts: vec![HOST.to_owned()],
        origins: vec![ORIGIN.to_owned()],
        user_header: HeaderName::from_static("x-forwarded-user"),
        groups_header: None,
        users: [("ann".to_owned(), Role::Operator), ("bob".to_owned(), Role::Observer)].into(),
        groups: std::collections::BTreeMap::new(),
        default_role: None,
    }
}

async fn doors(trusted: &str) -> Doors {
    let backend = ScriptedBackend::default();
    let shutdown = CancellationToken::new();
    let options = WebOptions { proxy: Some(proxy(trusted)), ..options(0) };
    let server = serve(backend.clone(), options, shutdown.clone()).await.unwrap();
    let own = Client { address: server.address };
    let proxy = Client { address: server.proxy_address.unwrap() };
    Doors { backend, own, proxy, _server: server, _shutdown: shutdown.drop_guard() }
}

/// A request as a proxy passes it on.
async fn passed_on(client: &Client, method: &str, path: &str, lines: &[&str], body: &str) -> (u16, String) {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    let answer = client
        .raw(&format!(
            "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n{lines}\r\n{body}"
        ))
        .await;
    (answer.status, answer.body)
}

const PROXY: [&str; 2] =
    ["Host: ssh.example.org", "X-Portcullis-Proxy-Secret: the-proxys-own-secret-of-many-characters"];

fn by<'a>(further: &[&'a str]) -> Vec<&'a str> {
    PROXY.iter().copied().chain(further.iter().copied()).collect()
}

#[tokio::test]
async fn a_person_whom_the_proxy_names_has_their_role_and_their_name_goes_along() {
    let doors = doors("127.0.0.0/8").await;
    let (status, body) = passed_on(&doors.proxy, "GET", "/api/v1/me", &by(&["X-Forwarded-User: ann"]), "").await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(r#""role":"operator""#) && body.contains(r#""user":"ann""#), "{body}");
    let take = r#"{"type":"take","force":false}"#;
    let path = "/api/v1/sessions/s-lab-1/control";
    let origin = format!("Origin: {ORIGIN}");
    let ask = async |user: &str| passed_on(&doors.proxy, "POST", path, &by(&[&origin, user]), take).await.0;
    assert_eq!(ask("X-Forwarded-User: ann").await, 204);
    assert_eq!(ask("X-Forwarded-User: bob").await, 403);
    assert_eq!(doors.backend.said(), [("s-lab-1".to_owned(), "Take { force: false } by ann".to_owned())]);

    let mut typed = doors.backend.typed();
    let headers =
        [("Host", HOST), ("Origin", ORIGIN), ("X-Forwarded-User", "ann"), ("X-Portcullis-Proxy-Secret", SECRET)];
    let mut page = doors.proxy.upgrade("/api/v1/sessions/s-lab-1/terminal", &headers).await.ok().unwrap();
    page.attached(AttachCause::Opened).await;
    page.send(Message::binary(b"ls\r".to_vec())).await;
    tokio::time::timeout(PATIENCE, typed.wait_for(|typed| typed == b"ls\r")).await.unwrap().unwrap();
    assert_eq!(doors.backend.said().last().unwrap().1, "keys by ann");
}

#[tokio::test]
async fn nobody_comes_in_by_the_proxys_door_without_the_proxy() {
    let doors = doors("127.0.0.0/8").await;
    let user = "X-Forwarded-User: ann";
    let origin = format!("Origin: {ORIGIN}");
    let bearer = format!("Authorization: Bearer {TOKEN}");
    let cases: [(&str, Vec<&str>); 8] = [
        ("no secret", vec!["Host: ssh.example.org", user]),
        ("a wrong secret", vec!["Host: ssh.example.org", "X-Portcullis-Proxy-Secret: guessed", user]),
        ("another name", vec!["Host: evil.test", PROXY[1], user]),
        ("another page", by(&["Origin: https://evil.test", user])),
        ("no person", by(&[])),
        ("two persons", by(&[user, "X-Forwarded-User: bob"])),
        ("a person without a role", by(&["X-Forwarded-User: carl"])),
        ("a link, which counts for nothing here", by(&[&bearer])),
    ];
    for (what, lines) in cases {
        for path in ["/", "/api/v1/me", "/api/v1/sessions", "/metrics", "/livez"] {
            assert_eq!(passed_on(&doors.proxy, "GET", path, &lines, "").await.0, 403, "{what}: {path}");
        }
    }
    // A change without the page's origin, and a login by link.
    let take = r#"{"type":"take","force":false}"#;
    assert_eq!(passed_on(&doors.proxy, "POST", "/api/v1/sessions/s-lab-1/control", &by(&[user]), take).await.0, 403);
    let login = format!(r#"{{"token":"{TOKEN}"}}"#);
    assert_eq!(passed_on(&doors.proxy, "POST", "/api/v1/login", &by(&[user, &origin]), &login).await.0, 404);
    let foreign = [
        ("Host", HOST),
        ("Origin", "https://evil.test"),
        ("X-Forwarded-User", "ann"),
        ("X-Portcullis-Proxy-Secret", SECRET),
    ];
    assert_eq!(doors.proxy.upgrade("/api/v1/events", &foreign).await.err(), Some(403));
    assert_eq!(doors.backend.said(), []);
}

#[tokio::test]
async fn a_peer_outside_the_trusted_networks_is_refused_with_everything_right() {
    let doors = doors("10.0.0.0/8").await;
    let (status, body) = passed_on(&doors.proxy, "GET", "/api/v1/me", &by(&["X-Forwarded-User: ann"]), "").await;
    assert_eq!((status, body.as_str()), (403, "only the configured proxy is answered here\n"));
}

#[tokio::test]
async fn the_viewers_own_door_refuses_the_proxys_header() {
    let doors = doors("127.0.0.0/8").await;
    let cookie = doors.own.log_in().await;
    assert_eq!(doors.own.get("/api/v1/me", &[("Cookie", &cookie)]).await.status, 200);
    for headers in [vec![("X-Forwarded-User", "ann")], vec![("X-Forwarded-User", "ann"), ("Cookie", cookie.as_str())]] {
        let answer = doors.own.get("/api/v1/me", &headers).await;
        assert_eq!(answer.status, 403, "{}", answer.body);
    }
    // The proxy's names are not answered here, nor this one's there.
    let (status, _) = passed_on(&doors.own, "GET", "/api/v1/me", &by(&[]), "").await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn a_guessable_secret_is_refused_and_a_taken_address_costs_only_the_proxys_door() {
    let start = async |change: &dyn Fn(&mut ProxyOptions)| {
        let mut proxy = proxy("127.0.0.0/8");
        change(&mut proxy);
        let options = WebOptions { proxy: Some(proxy), ..options(0) };
        serve(ScriptedBackend::default(), options, CancellationToken::new()).await
    };
    let weak = start(&|proxy| proxy.secret = Some(Zeroizing::new("hunter2".to_owned()))).await;
    assert!(matches!(weak, Err(WebError::WeakSecret)));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let server = start(&|proxy| proxy.listen = address).await.unwrap();
    assert_eq!(server.proxy_address, None);
    let own = Client { address: server.address };
    assert_eq!(own.get("/api/v1/me", &[("X-Forwarded-User", "ann")]).await.status, 403, "refused all the same");
}
