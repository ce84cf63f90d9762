//! A browser's side of HTTP and WebSocket, with every header in the test's hands.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::Message;

use super::TOKEN;
use crate::web::protocol::{ClientMessage, OUTPUT_HEAD, ServerMessage};

/// The bound of every wait; far above what any step takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Client {
    pub(super) address: SocketAddr,
}

/// An answer, with the head as it came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

impl Client {
    pub(super) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends exactly this text and reads until the server closes.
    pub(super) async fn raw(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("an answer").unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// A GET with the right Host and these further header lines.
    pub(super) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let lines = lines(headers);
        self.raw(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{lines}\r\n", self.host())).await
    }

    /// A POST as the page sends it, apart from `headers`, which replace the page's Origin.
    pub(super) async fn post(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let (host, length, lines) = (self.host(), body.len(), lines(headers));
        self.raw(&format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n{lines}\r\n{body}"
        ))
        .await
    }

    /// A DELETE with these headers.
    pub(super) async fn delete(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let lines = lines(headers);
        self.raw(&format!("DELETE {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{lines}\r\n", self.host())).await
    }

    /// Logs in and answers the cookie.
    pub(super) async fn log_in(&self) -> String {
        let body = format!("{{\"token\":\"{TOKEN}\"}}");
        let answer = self.post("/api/v1/login", &body, &[("Origin", &self.origin())]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    }

    /// Opens a socket with exactly these headers beside the protocol's own; answers the status when
    /// the server refuses.
    pub(super) async fn upgrade(&self, path: &str, headers: &[(&str, &str)]) -> Result<Page, u16> {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        }
        let stream = TcpStream::connect(self.address).await.unwrap();
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Page { socket }),
            Err(SocketError::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens a socket as the page does.
    pub(super) async fn open(&self, path: &str) -> Page {
        let cookie = self.log_in().await;
        self.upgrade(path, &[("Origin", &self.origin()), ("Cookie", &cookie)])
            .await
            .unwrap_or_else(|status| panic!("{status}"))
    }

    pub(super) async fn open_terminal(&self) -> Page {
        self.open("/api/v1/sessions/s-lab-1/terminal").await
    }
}

fn lines(headers: &[(&str, &str)]) -> String {
    headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect()
}

/// An open socket.
pub(super) struct Page {
    socket: WebSocketStream<TcpStream>,
}

/// What came over a socket.
#[derive(Debug, PartialEq)]
pub(super) enum Received {
    Message(Box<ServerMessage>),
    Output { offset: u64, bytes: Vec<u8> },
    Closed(Option<u16>),
}

impl Page {
    pub(super) async fn next(&mut self) -> Received {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.expect("something to arrive");
            return match message {
                Some(Ok(Message::Text(text))) => Received::Message(Box::new(serde_json::from_str(&text).unwrap())),
                Some(Ok(Message::Binary(frame))) => {
                    let (head, bytes) = frame.split_at(OUTPUT_HEAD);
                    let offset = u64::from_be_bytes(head.try_into().unwrap());
                    Received::Output { offset, bytes: bytes.to_vec() }
                }
                Some(Ok(Message::Close(frame))) => Received::Closed(frame.map(|it| it.code.into())),
                Some(Err(_)) | None => Received::Closed(None),
                Some(Ok(_)) => continue,
            };
        }
    }

    pub(super) async fn next_message(&mut self) -> ServerMessage {
        match self.next().await {
            Received::Message(message) => *message,
            other => panic!("not a message: {other:?}"),
        }
    }

    /// Reads `attached` and the snapshot after it; answers the offset.
    pub(super) async fn attached(&mut self, expected: crate::web::protocol::AttachCause) -> u64 {
        let ServerMessage::Attached { cause, offset, .. } = self.next_message().await else {
            panic!("not attached");
        };
        assert_eq!(cause, expected);
        let snapshot = format!("screen at {offset}").into_bytes();
        assert_eq!(self.next().await, Received::Output { offset, bytes: snapshot });
        offset
    }

    pub(super) async fn say(&mut self, message: &ClientMessage) {
        self.send(Message::text(serde_json::to_string(message).unwrap())).await;
    }

    pub(super) async fn send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }
}
