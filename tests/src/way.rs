//! A client over either transport, in any revision of the protocol, with or without dialogs and tasks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what is unexpected fails the test")]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::{HttpClient, meta};
use crate::mcp::{Client, wait_until};
use crate::scene::{PASSWORD, PASSWORD_VARIABLE};

/// The first revision without a handshake.
pub const MODERN: &str = "2026-07-28";
/// Longest a task may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a client says it can do.
pub fn capabilities(elicitation: bool, tasks: bool) -> Value {
    let mut declared = json!({});
    if elicitation {
        declared["elicitation"] = json!({ "form": {} });
    }
    if tasks {
        declared["extensions"] = json!({ "io.modelcontextprotocol/tasks": {} });
    }
    declared
}

/// See the module.
pub enum Way {
    Stdio { client: Client, version: String, capabilities: Value },
    Http(HttpClient),
}

impl Way {
    /// A server of its own with this configuration.
    pub fn stdio(configuration: &Path, version: &str, capabilities: &Value) -> Self {
        let mut client = Client::start_raw(configuration, &[(PASSWORD_VARIABLE, PASSWORD)]);
        if version < MODERN {
            let hello = json!({
                "protocolVersion": version, "capabilities": capabilities, "clientInfo": { "name": "x", "version": "1" }
            });
            let answer = client.request("initialize", hello);
            assert_eq!(answer["result"]["protocolVersion"], version, "{answer}");
            client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        }
        Self::Stdio { client, version: version.to_owned(), capabilities: capabilities.clone() }
    }

    pub fn request(&mut self, method: &str, mut parameters: Value) -> Value {
        match self {
            Self::Http(client) => client.request(method, parameters),
            Self::Stdio { client, version, capabilities } => {
                if version.as_str() >= MODERN {
                    parameters["_meta"] = meta(version, capabilities);
                }
                client.request(method, parameters)
            }
        }
    }

    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments }))["result"].clone()
    }

    /// Makes a call about which the client's user is asked, and gives their answer in the way of the revision.
    pub fn call_answering(&mut self, tool: &str, arguments: Value, answer: &Value) -> Value {
        let mut call = json!({ "name": tool, "arguments": arguments });
        match self {
            Self::Stdio { client, version, .. } if version.as_str() < MODERN => {
                let under_way = client.begin("tools/call", call);
                let question = client.told("elicitation/create");
                client.reply(&question, answer.clone());
                client.answer(under_way)["result"].clone()
            }
            Self::Http(client) if !client.is_modern() => client.request_answering("tools/call", call, answer),
            _ => {
                let asked = self.request("tools/call", call.clone())["result"].clone();
                assert_eq!(asked["resultType"], "input_required", "{asked}");
                call["requestState"] = asked["requestState"].clone();
                call["inputResponses"] = json!({ "approval": answer });
                self.request("tools/call", call)["result"].clone()
            }
        }
    }

    /// The task once that is true of it.
    pub fn task_when(&mut self, task_id: &Value, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = wait_until(PATIENCE, || {
            last = self.request("tasks/get", json!({ "taskId": task_id }));
            is_so(&last["result"]).then(|| last["result"].clone())
        });
        found.unwrap_or_else(|| panic!("the task stays as it is: {last}"))
    }
}
