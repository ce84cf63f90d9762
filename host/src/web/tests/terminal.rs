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
async fn fifty_viewers_of_one_session_are_not_held_up_by_one_that_takes_nothing() {
    const VIEWERS: usize = 50;
    const PIECE: usize = 64 * 1024;
    let fixture = Fixture::start().await;
    let cookie = fixture.client.log_in().await;
    let headers = [("Origin", fixture.client.origin()), ("Cookie", cookie)];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut pages = Vec::new();
    for _ in 0..VIEWERS {
        let mut page = fixture.client.upgrade("/api/v1/sessions/s-lab-1/terminal", &headers).await.ok().unwrap();
        page.attached(AttachCause::Opened).await;
        page.say(&ClientMessage::Ack { offset: 0 }).await;
        pages.push(page);
    }
    let mut stalled = pages.pop().unwrap();
    // More than the stalled one may have under way, and more events than are kept for it.
    let rounds = 2 * EVENTS_KEPT as u64;
    for round in 0..rounds {
        fixture.backend.output(&vec![b'a' + (round % 26) as u8; PIECE]);
        for page in &mut pages {
            let (offset, letter) = (round * PIECE as u64, b'a' + (round % 26) as u8);
            match page.next().await {
                Received::Output { offset: at, bytes } => {
                    assert_eq!((at, bytes.len(), bytes[0]), (offset, PIECE, letter));
                }
                other => panic!("{other:?}"),
            }
            page.say(&ClientMessage::Ack { offset: offset + PIECE as u64 }).await;
        }
    }
    // The stalled one is brought up to date by a fresh screen once it takes something again.
    let end = rounds * PIECE as u64;
    loop {
        match stalled.next().await {
            Received::Output { offset, bytes } => {
                let drawn = offset + bytes.len() as u64;
                assert!(drawn <= UNACKNOWLEDGED_LIMIT + 2 * PIECE as u64, "{drawn}");
                if drawn > UNACKNOWLEDGED_LIMIT {
                    stalled.say(&ClientMessage::Ack { offset: drawn }).await;
                }
            }
            Received::Message(message) => match *message {
                ServerMessage::Attached { cause: AttachCause::Lagged, offset, .. } => {
                    assert_eq!(offset, end);
                    break;
                }
                other => panic!("{other:?}"),
            },
            other @ Received::Closed(_) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn history_comes_before_the_screen_for_a_page_that_asks() {
    let fixture = Fixture::start().await;
    fixture.backend.output(b"one\r\ntwo\r\n");
    let mut page = fixture.client.open("/api/v1/sessions/s-lab-1/terminal?history=true").await;
    let ServerMessage::Attached { history_from: 0, offset: 10, cause: AttachCause::Opened, .. } =
        page.next_message().await
    else {
        panic!("not attached with its history");
    };
    assert_eq!(page.next_message().await, ServerMessage::Timeline { commands: Vec::new() });
    assert_eq!(page.next().await, Received::Output { offset: 0, bytes: b"one\r\ntwo\r\n".to_vec() });
    assert_eq!(page.next().await, Received::Output { offset: 10, bytes: b"screen at 10".to_vec() });
    page.say(&ClientMessage::Ack { offset: 10 }).await;
    fixture.backend.output(b"three");
    assert_eq!(page.next().await, Received::Output { offset: 10, bytes: b"three".to_vec() });
}

#[tokio::test]
async fn a_page_that_comes_back_goes_on_at_the_right_byte() {
    let fixture = Fixture::start().await;
    let instance = fixture.server.as_ref().unwrap().instance_id.clone();
    fixture.backend.output(b"seen");
    fixture.backend.output(b"missed");
    let path = |instance: &str| format!("/api/v1/sessions/s-lab-1/terminal?from=4&instance={instance}");
    let mut page = fixture.client.open(&path(&instance)).await;
    let ServerMessage::Attached { history_from: 4, offset: 10, cause: AttachCause::Resumed, .. } =
        page.next_message().await
    else {
        panic!("not resumed");
    };
    assert_eq!(page.next_message().await, ServerMessage::Timeline { commands: Vec::new() });
    assert_eq!(page.next().await, Received::Output { offset: 4, bytes: b"missed".to_vec() });
    page.say(&ClientMessage::Ack { offset: 4 }).await;
    fixture.backend.output(b"more");
    assert_eq!(page.next().await, Received::Output { offset: 10, bytes: b"more".to_vec() });
    // Offsets of another launch mean nothing here.
    let mut page = fixture.client.open(&path("0123456789abcdef")).await;
    let told = page.next_message().await;
    assert!(matches!(told, ServerMessage::Attached { cause: AttachCause::Opened, .. }), "{told:?}");
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
