//! A client of the MCP server over HTTP: one request and its whole answer, header by header.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what is unexpected fails the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::mcp::{program, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

/// `portcullis serve --http` on a port of its own.
pub struct Server {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// What it said before it listened, line by line.
    pub said: Vec<String>,
}

impl Server {
    pub fn start(configuration: &Path, environment: &[(&str, &str)]) -> Self {
        Self::start_with(configuration, environment, &[])
    }

    /// With further arguments.
    pub fn start_with(configuration: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut child = Command::new(program())
            .args(["serve", "--http", "127.0.0.1:0", "--config"])
            .arg(configuration)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut said = Vec::new();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {said:?}"));
            said.push(line.clone());
            if let Some(rest) = line.strip_prefix("MCP: http://") {
                break rest.trim_end_matches("/mcp").to_owned();
            }
        };
        // What comes later has to go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, said }
    }

    /// Asks it to end, and says how long that took.
    pub fn end(mut self) -> (bool, Duration) {
        let began = std::time::Instant::now();
        let kill = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let status = wait_until(Duration::from_secs(10), || self.child.try_wait().unwrap()).expect("it ends");
        (status.success(), began.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer's status, headers (names in lower case) and body.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answered {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The JSON-RPC messages in it, one document or a stream of events.
    pub fn messages(&self) -> Vec<Value> {
        if self.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
            return vec![serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))];
        }
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
        data.filter(|data| !data.is_empty()).map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    /// The answer to the request of this id.
    pub fn answer(&self, id: u64) -> Value {
        let mut messages = self.messages().into_iter();
        messages.find(|it| it["id"] == id && it["method"].is_null()).unwrap_or_else(|| panic!("no answer in {self:?}"))
    }
}

/// Sends one request and reads its answer to the end.
pub fn request(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answered {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str(&format!("Host: {address}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
    read(&mut BufReader::new(stream))
}

fn read(stream: &mut BufReader<TcpStream>) -> Answered {
    let mut line = String::new();
    stream.read_line(&mut line).expect("an answer");
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{line:?}"));
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answered = Answered { status, headers, body: String::new() };
    let mut body = Vec::new();
    if answered.header("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        loop {
            let mut size = String::new();
            stream.read_line(&mut size).unwrap();
            let size = usize::from_str_radix(size.trim(), 16).unwrap_or_else(|error| panic!("{error}: {size:?}"));
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).unwrap();
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    } else {
        stream.read_to_end(&mut body).unwrap();
    }
    answered.body = String::from_utf8(body).unwrap();
    answered
}

/// One client with its token and, with `initialize`, its session.
pub struct HttpClient {
    address: String,
    token: String,
    version: String,
    session: Option<String>,
    capabilities: Value,
    next_id: u64,
}

impl HttpClient {
    /// Of a revision: with a handshake until 2025-11-25, and without one since.
    pub fn new(address: &str, token: &str, version: &str, capabilities: Value) -> Self {
        let mut client = Self {
            address: address.to_owned(),
            token: token.to_owned(),
            version: version.to_owned(),
            session: None,
            capabilities: capabilities.clone(),
            next_id: 0,
        };
        if !client.is_modern() {
            let parameters = json!({
                "protocolVersion": version,
                "capabilities": capabilities,
                "clientInfo": { "name": "stories", "version": "1" }
            });
            let answered = client.send("initialize", parameters);
            assert_eq!(answered.status, 200, "{answered:?}");
            assert_eq!(answered.answer(1)["result"]["protocolVersion"], version, "{answered:?}");
            client.session = answered.header("mcp-session-id").map(str::to_owned);
            assert!(client.session.is_some(), "{answered:?}");
            let told = client.post(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
            assert_eq!(told.status, 202, "{told:?}");
        }
        client
    }

    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Without a handshake.
    pub fn is_modern(&self) -> bool {
        self.version.as_str() >= "2026-07-28"
    }

    /// The answer to a request.
    pub fn request(&mut self, method: &str, parameters: Value) -> Value {
        let answered = self.send(method, parameters);
        answered.answer(self.next_id)
    }

    /// The result of a tool.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments }))["result"].clone()
    }

    pub fn send(&mut self, method: &str, mut parameters: Value) -> Answered {
        self.next_id += 1;
        if self.is_modern() {
            parameters["_meta"] = self.meta();
        }
        self.post(&json!({ "jsonrpc": "2.0", "id": self.next_id, "method": method, "params": parameters }))
    }

    /// The result of a request during which the server asks the client's user, who answers with that. Questions come
    /// over the stream that is open for them.
    pub fn request_answering(&mut self, method: &str, parameters: Value, answer: &Value) -> Value {
        let mut stream = self.open_stream();
        self.next_id += 1;
        let id = self.next_id;
        let call = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters });
        let answered = std::thread::scope(|scope| {
            let client = &*self;
            let under_way = scope.spawn(move || client.post(&call));
            let question = stream.told("elicitation/create");
            let told = client.post(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": answer }));
            assert_eq!(told.status, 202, "{told:?}");
            under_way.join().unwrap()
        });
        answered.answer(id)["result"].clone()
    }

    fn open_stream(&self) -> Stream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (address, token, version) = (&self.address, &self.token, &self.version);
        let session = self.session.as_deref().unwrap();
        write!(
            stream,
            "GET /mcp HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nAccept: text/event-stream\r\n\
             MCP-Protocol-Version: {version}\r\nMcp-Session-Id: {session}\r\n\r\n"
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "no stream: {head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        Stream { reader, text: String::new() }
    }

    /// What each request says of its client since there is no handshake.
    pub fn meta(&self) -> Value {
        meta(&self.version, &self.capabilities)
    }

    fn post(&self, message: &Value) -> Answered {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
        ];
        if message["method"] != "initialize" {
            headers.push(("MCP-Protocol-Version", &self.version));
        }
        headers.extend(self.session.as_deref().map(|session| ("Mcp-Session-Id", session)));
        if self.is_modern() {
            headers.extend(message["method"].as_str().map(|method| ("Mcp-Method", method)));
            let parameters = &message["params"];
            let name = ["name", "uri", "taskId"].into_iter().find_map(|field| parameters[field].as_str());
            headers.extend(name.map(|name| ("Mcp-Name", name)));
        }
        request(&self.address, "POST", "/mcp", &headers, &message.to_string())
    }
}

/// The stream over which a server asks and tells on its own.
struct Stream {
    reader: BufReader<TcpStream>,
    /// Read and not yet looked at.
    text: String,
}

impl Stream {
    /// The next message of that method; others are passed over.
    fn told(&mut self, method: &str) -> Value {
        loop {
            while let Some((line, rest)) = self.text.split_once('\n') {
                let message = line.strip_prefix("data:").and_then(|data| serde_json::from_str::<Value>(data).ok());
                self.text = rest.to_owned();
                if let Some(message) = message.filter(|message| message["method"] == method) {
                    return message;
                }
            }
            let mut size = String::new();
            self.reader.read_line(&mut size).expect("the stream goes on");
            let size = usize::from_str_radix(size.trim(), 16).unwrap_or_else(|error| panic!("{error}: {size:?}"));
            let mut chunk = vec![0; size + 2];
            self.reader.read_exact(&mut chunk).unwrap();
            self.text.push_str(std::str::from_utf8(&chunk[..size]).unwrap());
        }
    }
}

/// See [`HttpClient::meta`].
pub fn meta(version: &str, capabilities: &Value) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": capabilities,
        "io.modelcontextprotocol/clientInfo": { "name": "stories", "version": "1" }
    })
}
