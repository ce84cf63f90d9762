//! What waits for a person's consent: decided by those who are logged in, on the own page, for what was shown.

use super::{Fixture, TOKEN};
use crate::web::protocol::{Approval, Cause, ServerMessage};

const APPROVALS: &str = "/api/v1/approvals";
const DECIDE: &str = "/api/v1/approvals/a-1";

fn approval() -> Approval {
    Approval {
        id: "a-1".to_owned(),
        digest: "d".repeat(64),
        session_id: "s-lab-1".to_owned(),
        profile: "lab".to_owned(),
        label: "Lab".to_owned(),
        breadcrumb: vec!["web1".to_owned()],
        delivery: "shell_line".to_owned(),
        actor: "agent".to_owned(),
        asked_by: Some("client".to_owned()),
        text: "make <b>deploy</b>".to_owned(),
        causes: vec![Cause {
            policy: "team".to_owned(),
            verdict: "ask".to_owned(),
            rule_id: "team/deploy".to_owned(),
            reason: "somebody has to look".to_owned(),
            suggestion: None,
            span: Some((0, 4)),
        }],
        purpose: None,
        asked_unix_ms: 1_780_000_000_000,
        limit_s: 120,
    }
}

async fn asking() -> Fixture {
    let fixture = Fixture::start().await;
    fixture.backend.ask_approval(approval());
    fixture
}

fn allow(digest: &str) -> String {
    format!("{{\"type\":\"allow_once\",\"digest\":\"{digest}\"}}")
}

#[tokio::test]
async fn only_the_own_page_with_a_login_allows() {
    let fixture = asking().await;
    let (cookie, own) = (fixture.client.log_in().await, fixture.client.origin());
    let (cookie, body) = (cookie.as_str(), allow(&approval().digest));
    let wrong = format!("Bearer {TOKEN}0");
    let cases: [(&[(&str, &str)], u16); 9] = [
        (&[("Origin", &own)], 401),
        (&[("Origin", &own), ("Authorization", &wrong)], 401),
        (&[("Origin", &own), ("Cookie", "portcullis_1=x")], 401),
        (&[("Cookie", cookie)], 403),
        (&[("Cookie", cookie), ("Origin", "http://evil.test")], 403),
        (&[("Cookie", cookie), ("Origin", "null")], 403),
        (&[("Cookie", cookie), ("Origin", &format!("{own}.evil.test"))], 403),
        (&[("Cookie", cookie), ("Origin", &own), ("Sec-Fetch-Site", "cross-site")], 403),
        (&[("Cookie", cookie), ("Origin", &own), ("Sec-Fetch-Site", "same-site")], 403),
    ];
    for (headers, status) in cases {
        assert_eq!(fixture.client.post(DECIDE, &body, headers).await.status, status, "{headers:?}");
    }
    // Nothing is decided by reading, nor by an address alone.
    assert_eq!(fixture.client.get(APPROVALS, &[]).await.status, 401);
    for path in [DECIDE, &format!("{DECIDE}?type=allow_once")] {
        assert_eq!(fixture.client.get(path, &[("Cookie", cookie)]).await.status, 405, "{path}");
    }
    assert_eq!(fixture.backend.said(), []);
    let headers = [("Cookie", cookie), ("Origin", own.as_str())];
    assert_eq!(fixture.client.post(DECIDE, &body, &headers).await.status, 204);
    assert_eq!(fixture.backend.said(), [("a-1".to_owned(), "once".to_owned())]);
    assert_eq!(fixture.client.post(DECIDE, &body, &headers).await.status, 410);
}

#[tokio::test]
async fn what_is_no_decision_about_the_text_shown_decides_nothing() {
    let fixture = asking().await;
    let (cookie, own) = (fixture.client.log_in().await, fixture.client.origin());
    let headers = [("Cookie", cookie.as_str()), ("Origin", own.as_str())];
    let digest = approval().digest;
    for body in [
        String::new(),
        "true".to_owned(),
        r#"{"type":"allow_once"}"#.to_owned(),
        r#"{"type":"allow_once","digest":7}"#.to_owned(),
        format!("{{\"type\":\"allow_once\",\"digest\":\"{digest}\",\"reason\":\"x\"}}"),
        format!("{{\"type\":\"allow_all\",\"digest\":\"{digest}\"}}"),
        format!("{{\"type\":\"deny\",\"digest\":\"{digest}\"}}"),
        format!("{{\"type\":\"deny\",\"digest\":\"{digest}\",\"reason\":\"{}\"}}", "x".repeat(70_000)),
    ] {
        assert_eq!(fixture.client.post(DECIDE, &body, &headers).await.status, 400, "{body:.80}");
    }
    assert_eq!(fixture.client.post(DECIDE, &allow(&"e".repeat(64)), &headers).await.status, 422);
    for other in ["/api/v1/approvals/a-2", &format!("{APPROVALS}/{}", "a".repeat(5000))] {
        assert_eq!(fixture.client.post(other, &allow(&digest), &headers).await.status, 410, "{other:.60}");
    }
    assert_eq!(fixture.backend.said(), []);
    let deny = format!("{{\"type\":\"deny\",\"digest\":\"{digest}\",\"reason\":\"not now\"}}");
    assert_eq!(fixture.client.post(DECIDE, &deny, &headers).await.status, 204);
    assert_eq!(fixture.backend.said().pop().unwrap().1, "deny not now");
}

#[tokio::test]
async fn approvals_come_and_go_on_the_events_socket() {
    let fixture = Fixture::start().await;
    let mut page = fixture.client.open("/api/v1/events").await;
    let mut told = async || loop {
        match page.next_message().await {
            ServerMessage::Approvals { approvals, .. } => return approvals,
            ServerMessage::Sessions { .. } | ServerMessage::Questions { .. } | ServerMessage::Plugins { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told().await, []);
    fixture.backend.ask_approval(approval());
    assert_eq!(told().await, [approval()]);
    let (cookie, own) = (fixture.client.log_in().await, fixture.client.origin());
    let headers = [("Cookie", cookie.as_str()), ("Origin", own.as_str())];
    let body = format!("{{\"type\":\"allow_rule\",\"digest\":\"{}\"}}", approval().digest);
    assert_eq!(fixture.client.post(DECIDE, &body, &headers).await.status, 204);
    assert_eq!(told().await, []);
}
