//! What is said over the operator's socket, version 1.
//!
//! Frames (see [`super::wire`]) of JSON, and of bytes that a terminal shows or sends. The caller begins with a
//! [`Call`]; an [`Answer`] comes back, and the connection ends, unless it was [`Request::Attach`]: then
//! [`ToTerminal`] and output come, and [`FromTerminal`] and keys go, until either side ends it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Both sides name it; a host that speaks another refuses and says so.
pub const PROTOCOL_VERSION: u32 = 1;

/// A request with the version it is written in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    pub protocol: u32,
    #[serde(flatten)]
    pub request: Request,
}

impl From<Request> for Call {
    fn from(request: Request) -> Self {
        Self { protocol: PROTOCOL_VERSION, request }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// The host in a few words.
    Status,
    /// Every session that can be shown.
    Sessions,
    /// Closes a session, by id or name.
    Close { session: String },
    /// Ends the host.
    Stop,
    /// Opens a session on a profile, or takes the open one.
    Open { profile: String, route: Option<String> },
    /// The rules that hold in one session only, by its id or name; changed first where `change` is given.
    SessionRules { session: String, change: Option<RulesChange> },
    /// Makes this connection a terminal of the session.
    Attach(AttachRequest),
}

/// A change to the rules of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RulesChange {
    /// Adds the rule, with the keys of `[[profiles.NAME.rules]]`, or puts it in place of the one of its id.
    Set {
        rule: Value,
    },
    Remove {
        id: String,
    },
    /// Takes away all.
    Reset {},
}

impl Request {
    /// It does something for a person, rather than only look.
    #[must_use]
    pub fn acts(&self) -> bool {
        match self {
            Self::Status | Self::Sessions => false,
            Self::Attach(attach) => !attach.observe,
            Self::SessionRules { change, .. } => change.is_some(),
            Self::Close { .. } | Self::Stop | Self::Open { .. } => true,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachRequest {
    /// Id or name.
    pub session: String,
    /// Only to look: no key is taken and the session keeps its size.
    pub observe: bool,
    /// The size the session gets while this terminal is attached, in cells; none to keep its own.
    pub size: Option<(u16, u16)>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    Status(Box<Status>),
    /// As `ssh_status` shows them, without their commands.
    Sessions {
        sessions: Vec<Value>,
    },
    Done {},
    /// With the session, its `rules` and those it has `inherited` from the configuration.
    SessionRules {
        report: Value,
    },
    Opened {
        session_id: String,
    },
    /// A person has to answer something first, in the viewer.
    Awaiting {
        what: String,
    },
    Refused(Refusal),
}

/// A running host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub instance_id: String,
    pub process_id: u32,
    pub program_version: String,
    pub started_unix_ms: u64,
    pub label: Option<String>,
    /// MCP clients by name.
    pub clients: Vec<String>,
    /// Without the token.
    pub viewer: Option<String>,
    pub open_sessions: usize,
    pub closed_sessions: usize,
    /// Questions that wait for a person.
    pub questions: usize,
    /// Texts that wait for a person's consent.
    pub approvals: usize,
    /// Plugins that have failed since they were loaded.
    pub failing_plugins: Vec<String>,
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub code: RefusalCode,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    BadRequest,
    OtherProtocol,
    /// There is no such session or profile.
    Unknown,
    /// The session is closed.
    Closed,
    /// The caller may be an agent.
    NotAPerson,
    Failed,
}

impl Refusal {
    pub(super) fn new(code: RefusalCode, message: String) -> Self {
        Self { code, message }
    }

    pub(super) fn bad_request(problem: &str) -> Self {
        Self::new(RefusalCode::BadRequest, format!("the request is not understood: {problem}"))
    }

    pub(super) fn other_protocol(theirs: &Value) -> Self {
        let message = format!(
            "this host speaks version {PROTOCOL_VERSION} of the operator's protocol, the command version {theirs}; use \
             the program the host was started with, or restart the host"
        );
        Self::new(RefusalCode::OtherProtocol, message)
    }

    pub(super) fn agents() -> Self {
        let message = "this runs below the host, or below its client, where an agent's own shells are, and an agent may \
                       not act for you; run it in another terminal";
        Self::new(RefusalCode::NotAPerson, message.to_owned())
    }
}

/// From the host to an attached terminal, beside what the session prints.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum ToTerminal {
    /// What the screen shows follows; whatever the terminal shows is out of date.
    Attached {
        session: Value,
        columns: u16,
        rows: u16,
    },
    Resized {
        columns: u16,
        rows: u16,
    },
    /// Place, state or running command changed.
    Summary {
        session: Value,
    },
    /// Something the person has to know, such as keys that were refused.
    Notice {
        message: String,
    },
    Closed {
        reason: String,
    },
    /// The host ends.
    Stopping {},
}

/// From an attached terminal, beside its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum FromTerminal {
    Resize { columns: u16, rows: u16 },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use serde_json::json;

    use super::*;

    #[test]
    fn requests_are_written_as_documented_and_say_whether_they_act() {
        let attach =
            |observe| Request::Attach(AttachRequest { session: "s-web-1".to_owned(), observe, size: Some((80, 23)) });
        for (request, written, acts) in [
            (Request::Status, json!({ "protocol": 1, "request": "status" }), false),
            (
                Request::Close { session: "s-web-1".to_owned() },
                json!({ "protocol": 1, "request": "close", "session": "s-web-1" }),
                true,
            ),
            (
                attach(false),
                json!({ "protocol": 1, "request": "attach", "session": "s-web-1", "observe": false, "size": [80, 23] }),
                true,
            ),
        ] {
            assert_eq!(serde_json::to_value(Call::from(request.clone())).unwrap(), written);
            assert_eq!(serde_json::from_value::<Call>(written).unwrap().request, request);
            assert_eq!(request.acts(), acts);
        }
        assert!(!attach(true).acts() && Request::Stop.acts());
        let rules = |change| Request::SessionRules { session: "s-web-1".to_owned(), change };
        assert!(!rules(None).acts() && rules(Some(RulesChange::Reset {})).acts());
    }
}
