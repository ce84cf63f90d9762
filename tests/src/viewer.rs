//! A person at the viewer: keys into a session and what it shows, over the page's own WebSocket; what a
//! person is asked and answers, over the page's own requests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a page that meets something unexpected fails the test, and says what"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};

/// How long a page may take to be answered.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open page on one session's terminal.
pub struct Page {
    socket: WebSocket<TcpStream>,
    /// What the terminal has printed since the page was opened, after the snapshot.
    pub printed: Vec<u8>,
    /// Messages of the host, as they came.
    pub told: Vec<String>,
    has_snapshot: bool,
    /// The host has said goodbye.
    pub is_closed: bool,
}

/// Address and token of the one host that keeps its state below `state`.
#[must_use]
pub fn link(state: &Path) -> (String, String) {
    let found = crate::mcp::wait_until(PATIENCE, || {
        let instances = std::fs::read_dir(state.join("instances")).ok()?;
        instances.filter_map(Result::ok).find_map(|instance| {
            let text = std::fs::read_to_string(instance.path().join("server.json")).ok()?;
            let server: serde_json::Value = serde_json::from_str(&text).ok()?;
            server["viewer_url"].as_str().map(str::to_owned)
        })
    });
    let url = found.unwrap_or_else(|| panic!("no viewer's address below {}", state.display()));
    let rest = url.strip_prefix("http://").expect("an http address");
    let (address, fragment) = rest.split_once('/').expect("a path");
    let token = fragment.rsplit(['=', '#', '?']).next().expect("a token");
    (address.to_owned(), token.to_owned())
}

/// Everything that waits for a person.
#[must_use]
pub fn waiting(address: &str, token: &str) -> Vec<serde_json::Value> {
    let (status, body) = exchange(address, token, "GET", "/api/v1/questions", "");
    assert_eq!(status, 200, "{body}");
    let message: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    message["questions"].as_array().expect("a list of questions").clone()
}

/// Says something to a question; the status of the answer.
#[must_use]
pub fn reply(address: &str, token: &str, question_id: &str, answer: &serde_json::Value) -> u16 {
    exchange(address, token, "POST", &format!("/api/v1/questions/{question_id}"), &answer.to_string()).0
}

/// Everything that waits for a person's consent.
#[must_use]
pub fn approvals(address: &str, token: &str) -> Vec<serde_json::Value> {
    let (status, body) = exchange(address, token, "GET", "/api/v1/approvals", "");
    assert_eq!(status, 200, "{body}");
    let message: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    message["approvals"].as_array().expect("a list of approvals").clone()
}

/// Decides about an approval; the status of the answer.
#[must_use]
pub fn decide(address: &str, token: &str, approval_id: &str, answer: &serde_json::Value) -> u16 {
    exchange(address, token, "POST", &format!("/api/v1/approvals/{approval_id}"), &answer.to_string()).0
}

/// One request as the page makes it; status and body.
fn exchange(address: &str, token: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("the viewer listens");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
}

impl Page {
    /// Opens the terminal of a session and waits for its snapshot.
    #[must_use]
    pub fn open(address: &str, token: &str, session_id: &str) -> Self {
        let mut request =
            format!("ws://{address}/api/v1/sessions/{session_id}/terminal").into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("Origin", format!("http://{address}").parse().unwrap());
        headers.insert("Authorization", format!("Bearer {token}").parse().unwrap());
        let stream = TcpStream::connect(address).expect("the viewer listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (socket, _) = tokio_tungstenite::tungstenite::client(request, stream)
            .unwrap_or_else(|error| panic!("the viewer refuses the socket: {error}"));
        let mut page = Self { socket, printed: Vec::new(), told: Vec::new(), has_snapshot: false, is_closed: false };
        page.until(PATIENCE, |page| page.has_snapshot);
        page
    }

    /// Presses keys.
    pub fn press(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(bytes.to_vec())).expect("the socket takes keys");
    }

    /// Reads what arrives until `done`; whether it was done in time.
    pub fn until(&mut self, within: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = Instant::now() + within;
        while !done(self) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.socket.get_ref().set_read_timeout(Some(left)).unwrap();
            match self.socket.read() {
                Ok(Message::Binary(frame)) => self.drawn(&frame),
                Ok(Message::Close(_)) => {
                    self.is_closed = true;
                    return done(self);
                }
                Ok(Message::Text(text)) => self.told.push(text.to_string()),
                Ok(_) => {}
                Err(Error::Io(error)) if is_timeout(&error) => return done(self),
                Err(_) => return done(self),
            }
        }
        true
    }

    /// Takes an output frame (8 bytes of offset, then the bytes) and says that it was drawn.
    fn drawn(&mut self, frame: &[u8]) {
        let (head, bytes) = frame.split_at(8);
        let offset = u64::from_be_bytes(head.try_into().unwrap());
        // A snapshot's offset is the place it stands at, not that of its bytes.
        let until = if self.has_snapshot { offset + bytes.len() as u64 } else { offset };
        if self.has_snapshot {
            self.printed.extend_from_slice(bytes);
        }
        self.has_snapshot = true;
        let acknowledged = Message::text(format!("{{\"type\":\"ack\",\"offset\":{until}}}"));
        // A session that has just ended closes the socket; the next read says so.
        let _ = self.socket.send(acknowledged);
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}
