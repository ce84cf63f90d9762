//! What a person is asked: shown to those who are logged in, answered by them and nobody else.

use super::{Fixture, TOKEN};
use crate::web::protocol::{Prompt, Question, ServerMessage, Wanted};

const QUESTIONS: &str = "/api/v1/questions";
const ANSWER: &str = "/api/v1/questions/q-1";
const BODY: &str = r#"{"type":"answers","answers":["hunter2"]}"#;

fn question(text: &str) -> Question {
    let prompts = vec![Prompt { text: text.to_owned(), echo: false }];
    Question {
        id: "q-1".to_owned(),
        profile: "lab".to_owned(),
        label: "Lab".to_owned(),
        target: "ann@127.0.0.1:2222".to_owned(),
        hop: None,
        asked_unix_ms: 1_780_000_000_000,
        limit_s: 110,
        tried: Vec::new(),
        wanted: Wanted::Answers { name: String::new(), instructions: String::new(), prompts },
    }
}

async fn asking() -> Fixture {
    let fixture = Fixture::start().await;
    fixture.backend.ask(question("Password:"));
    fixture
}

#[tokio::test]
async fn only_the_own_page_with_a_login_answers() {
    let fixture = asking().await;
    let (cookie, own) = (fixture.client.log_in().await, fixture.client.origin());
    let wrong = format!("Bearer {TOKEN}0");
    let cookie = cookie.as_str();
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
        let answer = fixture.client.post(ANSWER, BODY, headers).await;
        assert_eq!(answer.status, status, "{headers:?}");
    }
    assert_eq!(fixture.client.get(QUESTIONS, &[]).await.status, 401);
    assert_eq!(fixture.client.get(ANSWER, &[("Cookie", cookie)]).await.status, 405);
    assert_eq!(fixture.backend.said(), []);
    let headers = [("Cookie", cookie), ("Origin", own.as_str())];
    assert_eq!(fixture.client.post(ANSWER, BODY, &headers).await.status, 204);
    assert_eq!(fixture.backend.said(), [("q-1".to_owned(), "hunter2".to_owned())]);
    assert_eq!(fixture.client.post(ANSWER, BODY, &headers).await.status, 410);
}

#[tokio::test]
async fn what_is_no_answer_is_refused_and_not_repeated() {
    let fixture = asking().await;
    let (cookie, own) = (fixture.client.log_in().await, fixture.client.origin());
    let headers = [("Cookie", cookie.as_str()), ("Origin", own.as_str())];
    let huge = format!("{{\"type\":\"answers\",\"answers\":[\"hunter2{}\"]}}", "x".repeat(70_000));
    for body in [
        "",
        "hunter2",
        r#"{"type":"answers","answers":"hunter2"}"#,
        r#"{"type":"answers","answers":["hunter2",1]}"#,
        r#"{"type":"answers","answers":["hunter2"],"actor":"agent"}"#,
        r#"{"type":"trust"}"#,
        r#"{"type":"trust","fingerprint":"SHA256:x","file":"/etc/hunter2"}"#,
        r#"{"type":"hunter2"}"#,
        &huge,
    ] {
        let answer = fixture.client.post(ANSWER, body, &headers).await;
        assert_eq!(answer.status, 400, "{body:.60}");
        assert!(!answer.body.contains("hunter2"), "{}", answer.body);
    }
    let wrong = r#"{"type":"answers","answers":["wrong"]}"#;
    assert_eq!(fixture.client.post(ANSWER, wrong, &headers).await.status, 422);
    for other in
        ["/api/v1/questions/q-2", "/api/v1/questions/..%2fsessions", &format!("{QUESTIONS}/{}", "q".repeat(5000))]
    {
        assert_eq!(fixture.client.post(other, BODY, &headers).await.status, 410, "{other:.60}");
    }
    assert_eq!(fixture.backend.said(), []);
    for (body, words) in
        [(r#"{"type":"trust","fingerprint":"SHA256:x"}"#, "trust SHA256:x"), (r#"{"type":"refuse"}"#, "refuse")]
    {
        assert_eq!(fixture.client.post(ANSWER, body, &headers).await.status, 204);
        assert_eq!(fixture.backend.said().pop().unwrap().1, words);
        fixture.backend.ask(question("Password:"));
    }
}

#[tokio::test]
async fn questions_come_and_go_on_the_events_socket() {
    let fixture = Fixture::start().await;
    let mut page = fixture.client.open("/api/v1/events").await;
    let mut told = async || loop {
        match page.next_message().await {
            ServerMessage::Questions { questions, .. } => return questions,
            ServerMessage::Sessions { .. } | ServerMessage::Approvals { .. } | ServerMessage::Plugins { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told().await, []);
    // The page gets what a server says as it is; it is the page that shows it as text.
    let hostile = question("<img src=x onerror=alert(1)>\n");
    fixture.backend.ask(hostile.clone());
    assert_eq!(told().await, [hostile]);
    let (cookie, own) = (fixture.client.log_in().await, fixture.client.origin());
    let headers = [("Cookie", cookie.as_str()), ("Origin", own.as_str())];
    assert_eq!(fixture.client.post(ANSWER, r#"{"type":"refuse"}"#, &headers).await.status, 204);
    assert_eq!(told().await, []);
}
