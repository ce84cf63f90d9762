//! One terminal's socket: order, keys, slow pages, endings.

use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::Fixture;
use super::client::{PATIENCE, Received};
use super::scripted::EVENTS_KEPT;
use crate::web::LiveEvent;
use crate::web::protocol::{
    AttachCause, ClientMessage, ErrorCode, LARGEST_MESSAGE, ServerMessage, UNACKNOWLEDGED_LIMIT,
};

#[tokio::test]
async fn a_snapshot_comes_first_and_output_follows_without_a_gap() {
    let fixture = Fixture::start().await;
    fixture.backend.output(b"before");
    let mut page = fixture.client.open_terminal().await;
    assert_eq!(page.attached(AttachCause::Opened).await, 6);
    fixture.backend.output(b"one");
    fixture.backend.emit(LiveEvent::Resized { columns: 132, rows: 43 });
    fixture.backend.output("zwei €".as_bytes());
    assert_eq!(page.next().await, Received::Output { offset: 6, bytes: b"one".to_vec() });
    assert_eq!(page.next_message().await, ServerMessage::Resized { columns: 132, rows: 43 });
    assert_eq!(page.next().await, Received::Output { offset: 9, bytes: "zwei €".into() });
}

#[tokio::test]
async fn typed_bytes_reach_the_session_in_order() {
    let fixture = Fixture::start().await;
    let mut typed = fixture.backend.typed();
    let mut page = fixture.client.open_terminal().await;
    let mut expected = Vec::new();
    for key in ["ls", " -la", "\r", "", "ü€", "\x03"] {
        page.send(Message::binary(key.as_bytes().to_vec())).await;
        expected.extend_from_slice(key.as_bytes());
    }
    timeout(PATIENCE, typed.wait_for(|it| *it == expected)).await.expect("all keys").unwrap();
}

#[tokio::test]
async fn refused_keys_are_told_and_the_socket_stays() {
    let fixture = Fixture::start().await;
    fixture.backend.refuse_keys("the session is held by another person");
    let mut page = fixture.client.open_terminal().await;
    page.attached(AttachCause::Opened).await;
    page.send(Message::binary(b"x".to_vec())).await;
    let told = ServerMessage::Error {
        code: ErrorCode::KeysRefused,
        message: "the session is held by another person".to_owned(),
    };
    assert_eq!(page.next_message().await, told);
    page.say(&ClientMessage::Ping { id: 4 }).await;
    assert_eq!(page.next_message().await, ServerMessage::Pong { id: 4 });
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_the_socket_and_types_nothing() {
    let fixture = Fixture::start().await;
    let typed = fixture.backend.typed();
    let mut page = fixture.client.open_terminal().await;
    page.attached(AttachCause::Opened).await;
    page.send(Message::binary(vec![b'x'; LARGEST_MESSAGE + 1])).await;
    assert!(matches!(page.next().await, Received::Closed(Some(1008) | None)));
    assert!(typed.borrow().is_empty());
}

#[tokio::test]
async fn the_largest_message_is_typed() {
    let fixture = Fixture::start().await;
    let mut typed = fixture.backend.typed();
    let mut page = fixture.client.open_terminal().await;
    page.send(Message::binary(vec![b'x'; LARGEST_MESSAGE])).await;
    timeout(PATIENCE, typed.wait_for(|it| it.len() == LARGEST_MESSAGE)).await.expect("all keys").unwrap();
}

#[tokio::test]
async fn nonsense_is_answered_and_then_ends_the_socket() {
    let fixture = Fixture::start().await;
    let typed = fixture.backend.typed();
    let mut page = fixture.client.open_terminal().await;
    page.attached(AttachCause::Opened).await;
    for _ in 0..7 {
        page.send(Message::text(r#"{"type":"input","data":"rm -rf /\r","actor":"agent"}"#)).await;
        let ServerMessage::Error { code, .. } = page.next_message().await else { panic!("not an error") };
        assert_eq!(code, ErrorCode::BadMessage);
    }
    page.send(Message::text("{")).await;
    assert_eq!(page.next().await, Received::Closed(Some(1008)));
    assert!(typed.borrow().is_empty());
}

#[tokio::test]
async fn a_page_that_does_not_draw_gets_no_more_than_the_limit() {
    let fixture = Fixture::start().await;
    let mut page = fixture.client.open_terminal().await;
    page.attached(AttachCause::Opened).await;
    let chunk = vec![b'x'; 64 * 1024];
    let fitting = UNACKNOWLEDGED_LIMIT / chunk.len() as u64 + 1;
    for _ in 0..=fitting {
        fixture.backend.output(&chunk);
    }
    for count in 0..fitting {
        let offset = count * chunk.len() as u64;
        assert_eq!(page.next().await, Received::Output { offset, bytes: chunk.clone() });
    }
    page.say(&ClientMessage::Ping { id: 1 }).await;
    assert_eq!(page.next_message().await, ServerMessage::Pong { id: 1 }, "output came without an acknowledgement");
    let drawn = fitting * chunk.len() as u64;
    page.say(&ClientMessage::Ack { offset: drawn }).await;
    assert_eq!(page.next().await, Received::Output { offset: drawn, bytes: chunk });
}

#[tokio::test]
async fn a_page_that_fell_behind_gets_a_fresh_snapshot() {
    let fixture = Fixture::start().await;
    // So far along that nothing is sent before the snapshot is drawn.
    fixture.backend.start_at(10 * UNACKNOWLEDGED_LIMIT);
    let mut page = fixture.client.open_terminal().await;
    let first = page.attached(AttachCause::Opened).await;
    for _ in 0..=EVENTS_KEPT {
        // The session is not held up: this returns at once, whether anybody reads or not.
        fixture.backend.output(b"passed over");
    }
    page.say(&ClientMessage::Ack { offset: first }).await;
    let second = page.attached(AttachCause::Lagged).await;
    assert_eq!(second, first + 11 * (EVENTS_KEPT as u64 + 1));
    page.say(&ClientMessage::Ack { offset: second }).await;
    fixture.backend.output(b"seen");
    assert_eq!(page.next().await, Received::Output { offset: second, bytes: b"seen".to_vec() });
}

#[tokio::test]
async fn one_slow_page_does_not_hold_up_another() {
    let fixture = Fixture::start().await;
    fixture.backend.start_at(10 * UNACKNOWLEDGED_LIMIT);
    let mut slow = fixture.client.open_terminal().await;
    slow.attached(AttachCause::Opened).await;
    let mut quick = fixture.client.open_terminal().await;
    let mut offset = quick.attached(AttachCause::Opened).await;
    quick.say(&ClientMessage::Ack { offset }).await;
    for _ in 0..4 * EVENTS_KEPT {
        fixture.backend.output(b"x");
        assert_eq!(quick.next().await, Received::Output { offset, bytes: b"x".to_vec() });
        offset += 1;
    }
}

#[tokio::test]
async fn an_unknown_session_is_said_to_be_one() {
    let fixture = Fixture::start().await;
    let mut page = fixture.client.open("/api/v1/sessions/s-lab-2/terminal").await;
    let ServerMessage::Error { code, .. } = page.next_message().await else { panic!("not an error") };
    assert_eq!(code, ErrorCode::UnknownSession);
    assert_eq!(page.next().await, Received::Closed(Some(4404)));
}

#[tokio::test]
async fn the_end_of_a_session_is_told_with_its_reason() {
    let fixture = Fixture::start().await;
    let mut page = fixture.client.open_terminal().await;
    page.attached(AttachCause::Opened).await;
    fixture.backend.output(b"bye");
    fixture.backend.change_summary(|it| it.closed_reason = Some("logout".to_owned()));
    fixture.backend.emit(LiveEvent::Closed { reason: "logout".to_owned() });
    assert_eq!(page.next().await, Received::Output { offset: 0, bytes: b"bye".to_vec() });
    assert_eq!(page.next_message().await, ServerMessage::Closed { reason: "logout".to_owned() });
    assert_eq!(page.next().await, Received::Closed(Some(1000)));

    fixture.backend.forget_screen();
    let mut later = fixture.client.open_terminal().await;
    assert_eq!(later.next_message().await, ServerMessage::Closed { reason: "logout".to_owned() });
    assert_eq!(later.next().await, Received::Closed(Some(1000)));
}
