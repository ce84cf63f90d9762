//! The program under test as an MCP client sees it: JSON lines over standard input and output.
//!
//! Every byte on standard output must belong to a JSON-RPC message; anything else fails the test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a client that meets something unexpected fails the test, and says what"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longest any answer may take; navigation through a slow menu is the slowest.
const PATIENCE: Duration = Duration::from_secs(90);

/// The release binary that `tests/run` has built, or the one beside this test binary.
pub fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("PORTCULLIS_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a test binary has a path");
    let path = test.ancestors().nth(2).expect("target folder").join("portcullis");
    assert!(path.exists(), "{} is missing; build it: cargo build --release -p portcullis", path.display());
    path
}

/// One client and its server process.
pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    next_id: u64,
    /// Read while something else was waited for: what the server asks and tells, and answers to other requests.
    unread: Vec<Value>,
    /// The listed tools by name, which every result is held against.
    tools: BTreeMap<String, Value>,
    /// Calls under way: request and tool.
    calls: BTreeMap<u64, String>,
}

/// A tool's answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub text: String,
    pub structured: Value,
    pub is_error: bool,
}

impl Client {
    /// Starts `portcullis stdio` with the configuration and completes the handshake.
    pub fn start(configuration: &std::path::Path, environment: &[(&str, &str)]) -> Self {
        Self::start_raw(configuration, environment).greeted(json!({}))
    }

    /// The same, by a client that can put a form to its user.
    pub fn start_with_dialogs(configuration: &std::path::Path, environment: &[(&str, &str)]) -> Self {
        Self::start_raw(configuration, environment).greeted(json!({ "elicitation": {} }))
    }

    fn greeted(mut self, capabilities: Value) -> Self {
        let client = &mut self;
        let answer = client.request(
            "initialize",
            json!({
                "protocolVersion": "2025-06-18",
                "capabilities": capabilities,
                "clientInfo": { "name": "stories", "version": "1" }
            }),
        );
        assert_eq!(answer["result"]["serverInfo"]["name"], "portcullis", "{answer}");
        client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        let listed = client.request("tools/list", json!({}));
        let tools = listed["result"]["tools"].as_array().unwrap().iter();
        client.tools = tools.map(|tool| (tool["name"].as_str().unwrap().to_owned(), tool.clone())).collect();
        self
    }

    /// The same for a server that no process of this test stands above: this test's own commands are then a
    /// person's, and not those of an agent below the server's client.
    pub fn start_apart(configuration: &std::path::Path, environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        // Goes on once whoever started it is gone, so that the server finds no parent of this test's.
        let alone = "until [ \"$(cut -d' ' -f4 /proc/$$/stat)\" != \"$0\" ]; do sleep 0.01; done; exec \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", "exec 3<&0; setsid sh -c \"$0\" $$ \"$@\" <&3 3<&- &", alone]).arg(program());
        command.args(["stdio", "--config"]).arg(configuration).args(arguments).envs(environment.iter().copied());
        Self::start_command(command)
    }

    /// The same without a handshake.
    pub fn start_raw(configuration: &std::path::Path, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(program());
        command.args(["stdio", "--config"]).arg(configuration).envs(environment.iter().copied());
        Self::start_process(command)
    }

    /// A server started by `command`, with the handshake completed.
    pub fn start_command(command: Command) -> Self {
        Self::start_process(command).greeted(json!({}))
    }

    fn start_process(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let reader = BufReader::new(child.stdout.take().unwrap());
        let (sender, output) = channel();
        std::thread::spawn(move || {
            for line in reader.lines() {
                if line.is_err() || sender.send(line.unwrap()).is_err() {
                    break;
                }
            }
        });
        let input = child.stdin.take();
        Self { child, input, output, next_id: 0, unread: Vec::new(), tools: BTreeMap::new(), calls: BTreeMap::new() }
    }

    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    pub fn send(&mut self, message: &Value) {
        let input = self.input.as_mut().expect("input is open");
        writeln!(input, "{message}").expect("the server takes input");
    }

    /// Writes bytes that need not be a message.
    pub fn send_raw(&mut self, line: &str) {
        writeln!(self.input.as_mut().expect("input is open"), "{line}").expect("the server takes input");
    }

    /// Sends a request and waits for its answer; other messages in between are passed over.
    pub fn request(&mut self, method: &str, parameters: Value) -> Value {
        let id = self.begin(method, parameters);
        self.answer(id)
    }

    /// Sends a request without waiting.
    pub fn begin(&mut self, method: &str, parameters: Value) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        if method == "tools/call" {
            self.calls.insert(id, parameters["name"].as_str().unwrap().to_owned());
        }
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters }));
        id
    }

    pub fn answer(&mut self, id: u64) -> Value {
        let is_answer = |message: &Value| message["id"] == id && message["method"].is_null();
        self.message(&format!("answer to request {id}"), is_answer)
    }

    /// The answer, and the notifications that came before it.
    pub fn answer_and_notifications(&mut self, id: u64) -> (Value, Vec<Value>) {
        let answer = self.answer(id);
        let is_notification = |message: &mut Value| message["id"].is_null();
        (answer, self.unread.extract_if(.., is_notification).collect())
    }

    /// A request or notification of the server's.
    pub fn told(&mut self, method: &str) -> Value {
        self.message(method, |message| message["method"] == method)
    }

    /// Answers a request of the server's.
    pub fn reply(&mut self, request: &Value, result: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }));
    }

    /// The next message of which that is true; others stay for whoever waits for them.
    fn message(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(index) = self.unread.iter().position(&wanted) {
            return self.unread.remove(index);
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = match self.output.recv_timeout(left) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => panic!("no {what} within {PATIENCE:?}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the server ended: no {what}"),
            };
            let message: Value = serde_json::from_str(&line)
                .unwrap_or_else(|error| panic!("standard output carries what is no JSON ({error}): {line}"));
            assert_eq!(message["jsonrpc"], "2.0", "{line}");
            if wanted(&message) {
                return message;
            }
            self.unread.push(message);
        }
    }

    /// Calls a tool.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Answer {
        let id = self.begin("tools/call", json!({ "name": tool, "arguments": arguments }));
        self.called(id)
    }

    /// Calls a tool of a server that may be killed meanwhile; none when it was before it has answered.
    pub fn call_unless_killed(&mut self, tool: &str, arguments: Value) -> Option<Answer> {
        self.next_id += 1;
        let parameters = json!({ "name": tool, "arguments": arguments });
        let request = json!({ "jsonrpc": "2.0", "id": self.next_id, "method": "tools/call", "params": parameters });
        writeln!(self.input.as_mut()?, "{request}").ok()?;
        self.calls.insert(self.next_id, tool.to_owned());
        loop {
            let line = self.output.recv_timeout(PATIENCE).ok()?;
            // Its last line may be a piece of one.
            let message: Value = serde_json::from_str(&line).ok()?;
            if message["id"] == self.next_id {
                self.unread.push(message);
                return Some(self.called(self.next_id));
            }
        }
    }

    /// The answer to a `tools/call` sent before.
    pub fn called(&mut self, id: u64) -> Answer {
        let message = self.answer(id);
        let result = &message["result"];
        assert!(result.is_object(), "{message}");
        let tool = self.calls.remove(&id).unwrap();
        check_against_schemas(&self.tools, &tool, result);
        let text = result["content"].as_array().into_iter().flatten().filter_map(|block| block["text"].as_str());
        Answer {
            text: text.collect::<Vec<_>>().join("\n"),
            structured: result["structuredContent"].clone(),
            is_error: result["isError"] == true,
        }
    }

    /// Calls a tool and insists on success.
    pub fn succeed(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.call(tool, arguments.clone());
        assert_eq!(answer.structured["result_status"], "success", "{tool} {arguments}: {}", answer.text);
        answer.structured
    }

    /// Calls a tool that must fail; checks that the error is complete and gives it.
    pub fn fail(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.call(tool, arguments.clone());
        assert!(answer.is_error, "{tool} {arguments} did not fail: {}", answer.text);
        let content = answer.structured;
        for field in ["summary", "failure_category"] {
            assert!(content[field].is_string(), "no {field} in {content}");
        }
        assert!(content["next"]["tool"].is_string(), "no next step in {content}");
        assert!(
            answer.text.contains(content["summary"].as_str().unwrap()),
            "the text form is not complete: {}",
            answer.text
        );
        content
    }

    /// Closes standard input and waits for the process to end.
    pub fn end(mut self, limit: Duration) -> (ExitStatus, Duration) {
        drop(self.input.take());
        let started = Instant::now();
        let status = wait_until(limit, || self.child.try_wait().unwrap());
        (status.unwrap_or_else(|| panic!("the process did not end within {limit:?}")), started.elapsed())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.input.take());
        let ended = wait_until(Duration::from_secs(3), || self.child.try_wait().ok().flatten());
        if ended.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A result keeps what its tool's listed schema promises, failed ones too, and the call that it names as next is one
/// that the listed tools take.
fn check_against_schemas(tools: &BTreeMap<String, Value>, tool: &str, result: &Value) {
    let content = &result["structuredContent"];
    // Not listed where the client made its own handshake or structured content is off.
    if let Some(schema) = tools.get(tool).and_then(|tool| tool.get("outputSchema")) {
        conforms(schema, content, &format!("{tool}'s result"));
    }
    if let (Some(next), false) = (content.get("next"), tools.is_empty()) {
        let name = next["tool"].as_str().unwrap_or_else(|| panic!("no tool in {next}"));
        let known = tools.get(name).unwrap_or_else(|| panic!("{tool} names no tool as next: {next}"));
        conforms(&known["inputSchema"], &next["arguments"], &format!("what {tool} names as next, {name}"));
    }
}

fn conforms(schema: &Value, value: &Value, what: &str) {
    let validator = jsonschema::validator_for(schema).expect("a schema");
    let problems: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{what} does not fit the listed schema {schema}: {problems:?}\n{value}");
}

/// Asks until there is an answer or the time is over.
pub fn wait_until<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let until = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= until {
            return None;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
