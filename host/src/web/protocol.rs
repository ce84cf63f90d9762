//! Every message between the viewer's page and the host, and nothing else.
//!
//! Text frames carry one JSON object with a `type`; its twin on the other side is
//! `viewer/src/protocol.ts`, and both are checked against the files in `viewer/protocol/`.
//! Binary frames carry bytes: from the page, what a person typed; from the host, an output frame,
//! see [`output_frame`].
//!
//! A terminal socket goes like this. The host sends [`ServerMessage::Attached`], then one output
//! frame with the snapshot, then output frames and other messages in the order of events. The page
//! resets its terminal at every `attached` (a second one comes when it was too slow) and answers
//! with [`ClientMessage::Ack`] what it has drawn. The host stops sending while more than
//! [`UNACKNOWLEDGED_LIMIT`] bytes are not acknowledged, so a page is never buried.

use axum::body::Bytes;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The version of this protocol. A page that meets another one asks to be reloaded.
pub const PROTOCOL_VERSION: u32 = 1;

/// Largest message accepted from a page, in bytes.
pub const LARGEST_MESSAGE: usize = 64 * 1024;

/// Output that may be under way to one page without being drawn, in bytes. Large enough for a
/// screenful at any size to be in flight, small enough for a browser to draw within a second.
pub const UNACKNOWLEDGED_LIMIT: u64 = 1024 * 1024;

/// Length of an output frame's head, in bytes.
pub const OUTPUT_HEAD: usize = 8;

/// From the host to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ServerMessage {
    /// On the events socket, and the answer of `GET /api/v1/sessions`: the whole list.
    Sessions {
        /// Names the launch of the host.
        instance_id: String,
        /// All sessions, in the order to show them.
        sessions: Vec<SessionSummary>,
    },
    /// On the events socket, and the answer of `GET /api/v1/questions`: everything a person is asked.
    Questions {
        /// Names the launch of the host.
        instance_id: String,
        /// All open questions, oldest first.
        questions: Vec<Question>,
    },
    /// On the events socket, and the answer of `GET /api/v1/approvals`: every text that waits for a person's
    /// consent.
    Approvals {
        /// Names the launch of the host.
        instance_id: String,
        /// All that are open, oldest first.
        approvals: Vec<Approval>,
    },
    /// On the events socket, and the answer of `GET /api/v1/plugins`: the whole list.
    Plugins {
        /// The launch of the host this is.
        instance_id: String,
        /// All plugins, policies first.
        plugins: Vec<Plugin>,
    },
    /// A snapshot follows as the next binary frame.
    Attached {
        /// See [`PROTOCOL_VERSION`].
        protocol: u32,
        /// Names the launch of the host.
        instance_id: String,
        /// The session as it is now.
        session: SessionSummary,
        /// Why a snapshot is sent.
        cause: AttachCause,
        /// The absolute output offset the snapshot stands at.
        offset: u64,
        /// Where the output begins that comes before the snapshot, to scroll back to; `offset` when there is none.
        history_from: u64,
        /// Width of the terminal in cells.
        columns: u16,
        /// Height of the terminal in cells.
        rows: u16,
    },
    /// The terminal has a new size from here on.
    Resized {
        /// New width in cells.
        columns: u16,
        /// New height in cells.
        rows: u16,
    },
    /// State, place or running command changed.
    Summary {
        /// The session as it is now.
        session: SessionSummary,
    },
    /// All commands the session remembers, oldest first; comes before the snapshot it belongs to.
    Timeline {
        /// Commands, and lines that were refused.
        commands: Vec<Command>,
    },
    /// A command was started, refused or has got on.
    Command {
        /// As it is now.
        command: Command,
    },
    /// The session is over; the host closes the socket after this.
    Closed {
        /// Why, for a person to read.
        reason: String,
    },
    /// Something the page asked for was not done. The socket stays open unless it is closed next.
    Error {
        /// For the page to act on.
        code: ErrorCode,
        /// For a person to read.
        message: String,
    },
    /// The answer to a ping.
    Pong {
        /// The ping's number.
        id: u32,
    },
}

/// A loaded plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plugin {
    /// As the configuration calls it.
    pub name: String,
    /// `policy`, `navigator`, `parser` or `log-search`.
    pub kind: String,
    /// SHA-256 of the component, lower-case hexadecimal.
    pub digest_sha256: String,
    /// Calls that failed since it was loaded.
    pub failures: u64,
    /// What a person should know: limits met, a rest, a new file that cannot be used.
    pub remarks: Vec<String>,
}

/// Why an [`ServerMessage::Attached`] is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttachCause {
    /// The socket was just opened.
    Opened,
    /// The page was too slow and output was passed over; the snapshot replaces it.
    Lagged,
    /// The page goes on from `offset`, which it had seen: no snapshot follows, but what was printed since.
    Resumed,
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// No session has this id.
    UnknownSession,
    /// The session exists but its screen could not be read.
    AttachFailed,
    /// Typed keys were not sent.
    KeysRefused,
    /// The link is for something else.
    RoleNeeded,
    /// The page sent something that is not in this protocol.
    BadMessage,
}

/// From the page to the host, on a terminal socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientMessage {
    /// Asks for a [`ServerMessage::Pong`], to see that the host is still there.
    Ping {
        /// Comes back in the answer.
        id: u32,
    },
    /// Everything before this offset is drawn. Due after each snapshot and then at least every
    /// 128 KiB.
    Ack {
        /// An absolute output offset.
        offset: u64,
    },
}

/// One session, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionSummary {
    /// The session's id, as used in addresses.
    pub session_id: String,
    /// The name its opener gave it, to tell several on one host apart.
    pub name: Option<String>,
    /// The profile it was opened on.
    pub profile: String,
    /// What a person calls it.
    pub label: String,
    /// The host that was connected to.
    pub host: String,
    /// Where the terminal stands, outermost first.
    pub breadcrumb: Vec<String>,
    /// The state in one word.
    pub state: String,
    /// The command line that runs now, if one does and it is known.
    pub running_command: Option<String>,
    /// When that was started, in milliseconds since 1970-01-01 UTC.
    pub running_since_unix_ms: Option<u64>,
    /// The terminal asks for a password or the like.
    pub asks_for_secret: bool,
    /// Who may type.
    pub input: InputControl,
    /// How strictly lines are judged: `safe`, `full`, `readonly` or `restricted`.
    pub policy_mode: String,
    /// When somebody last typed or something was printed, to a few seconds, in milliseconds since 1970-01-01 UTC.
    pub last_activity_unix_ms: u64,
    /// What is wrong with the connection of an open session: signs of life that do not come.
    pub unhealthy_reason: Option<String>,
    /// Why what happens here is not written into the record now.
    pub record_problem: Option<String>,
    /// When it was opened, in milliseconds since 1970-01-01 UTC.
    pub opened_unix_ms: u64,
    /// Set once the session is over.
    pub closed_reason: Option<String>,
    /// Width of the terminal in cells.
    pub columns: u16,
    /// Height of the terminal in cells.
    pub rows: u16,
}

/// A session of before, in the answer of `GET /api/v1/history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastSession {
    /// The launch of a host it was opened in.
    pub instance_id: String,
    /// Of this launch.
    pub here: bool,
    /// Its id there.
    pub session_id: String,
    /// The profile it was opened on.
    pub profile: String,
    /// The name its opener gave it.
    pub name: Option<String>,
    /// `user@host:port`.
    pub host: String,
    /// Where the terminal last stood, outermost first.
    pub breadcrumb: Vec<String>,
    /// In milliseconds since 1970-01-01 UTC.
    pub opened_unix_ms: u64,
    /// When something was last recorded, in milliseconds since 1970-01-01 UTC.
    pub last_unix_ms: u64,
    /// None where it is open, or its record breaks off.
    pub closed_reason: Option<String>,
    /// Its host's process is alive.
    pub running: bool,
    /// Contents were recorded, not only lengths.
    pub has_content: bool,
    /// Length of its record.
    pub bytes: u64,
}

/// The answer of `GET /api/v1/history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The newest first.
    pub sessions: Vec<PastSession>,
}

/// What is looked for in the record: the query of `GET /api/v1/search`, as `portcullis transcript search` has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchQuery {
    /// The text to find.
    pub pattern: Option<String>,
    /// It is a regular expression.
    pub regex: bool,
    /// Large and small letters are the same.
    pub ignore_case: bool,
    /// Not before this: a date, a moment, or how long ago (`2h`, `7d`).
    pub since: Option<String>,
    /// Not after this.
    pub until: Option<String>,
    /// Part of a profile, user, address or session name.
    pub host: Option<String>,
    /// A session's id or name.
    pub session: Option<String>,
    /// `agent`, `human` or `automation`.
    pub actor: Option<String>,
    /// Of the line in the transcript.
    pub kind: Option<String>,
    /// `allow`, `warn`, `ask` or `deny`.
    pub verdict: Option<String>,
    /// In commands that ended so, or such commands.
    pub exit_code: Option<i64>,
    /// In commands with this text, or such commands.
    pub command: Option<String>,
    /// Most hits; 100, and 500 at most.
    pub limit: Option<usize>,
}

/// The answer of `GET /api/v1/search`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchFound {
    /// The newest session first.
    pub hits: Vec<SearchHit>,
    /// The limit was reached; there may be more.
    pub more: bool,
    /// Transcripts that were looked at.
    pub files: usize,
    /// Their length.
    pub bytes: u64,
    /// Transcripts that could not be read, and why.
    pub problems: Vec<String>,
}

/// One place in the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchHit {
    /// The launch of a host it is in.
    pub instance_id: String,
    /// The session there.
    pub session_id: String,
    /// The profile it was opened on.
    pub profile: String,
    /// Of the line in the transcript.
    pub number: u64,
    /// In milliseconds since 1970-01-01 UTC.
    pub unix_ms: u64,
    /// What the line is: `output`, `command_start`, `verdict`, …
    pub kind: String,
    /// In the session's output.
    pub offset: Option<u64>,
    /// Who did it, where somebody did.
    pub actor: Option<String>,
    /// Of a command that ended.
    pub exit_code: Option<i64>,
    /// The line it is in, without control characters.
    pub text: String,
}

/// Who may type in a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputControl {
    /// `auto`, `common`, `human` or `agent`.
    pub mode: String,
    /// Who has the input for themselves: `human` or `agent`.
    pub holder: Option<String>,
    /// Why: `lease`, `mode` or `typing`.
    pub because: Option<String>,
    /// When that ends by itself, in milliseconds since 1970-01-01 UTC.
    pub until_unix_ms: Option<u64>,
    /// A command of an agent is held back until a person has done.
    pub agent_waits: bool,
}

/// A command beside the terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// `c7`, or `r2` for a line that was refused.
    pub id: String,
    /// `agent`, `human` or `automation`.
    pub actor: String,
    /// The line.
    pub text: String,
    /// In milliseconds since 1970-01-01 UTC.
    pub started_unix_ms: u64,
    /// None while it may still be running.
    pub duration_ms: Option<u64>,
    /// Output offset at which it began.
    pub offset: u64,
    /// `completed`, `running`, `awaiting_input`, … or `refused`.
    pub outcome: String,
    /// Only where the shell gave one.
    pub exit_code: Option<i32>,
    /// What the policies said; none of a person's own.
    pub verdict: Option<String>,
    /// The rule that decided, of a line that was refused.
    pub rule_id: Option<String>,
}

/// What a person does to a session, in the body of `POST /api/v1/sessions/{id}/control`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ControlRequest {
    /// Takes the input for persons.
    Take {
        /// From the agent, too.
        force: bool,
    },
    /// Gives it to the agent.
    HandOver {},
    /// Changes the session's setting.
    Mode {
        /// `auto`, `common`, `human` or `agent`.
        mode: String,
    },
    /// Presses Control C.
    Interrupt {},
    /// Closes the session.
    Close {},
    /// Changes how strictly lines are judged: `safe` or `full`.
    PolicyMode {
        /// The one from now on.
        mode: String,
    },
}

/// What a person is asked while a session is being opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// As used in the address an answer is sent to.
    pub id: String,
    /// The profile that is being opened.
    pub profile: String,
    /// What a person calls it.
    pub label: String,
    /// `user@host:port` of the connection that asks.
    pub target: String,
    /// Which hop on the way that is, if it is one.
    pub hop: Option<String>,
    /// When it was asked, in milliseconds since 1970-01-01 UTC.
    pub asked_unix_ms: u64,
    /// How long an answer is of use, in seconds.
    pub limit_s: u64,
    /// What was tried before, each with its outcome.
    pub tried: Vec<String>,
    /// What is wanted.
    pub wanted: Wanted,
}

/// What is wanted of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Wanted {
    /// Answers to the server's own questions; all text is the server's.
    Answers {
        /// A title the server gives.
        name: String,
        /// What the server says about the questions.
        instructions: String,
        /// The questions.
        prompts: Vec<Prompt>,
    },
    /// The passphrase of a key file.
    Passphrase {
        /// Which key.
        key: String,
        /// The one before was wrong.
        again: bool,
    },
    /// The user's password on the host.
    Password {
        /// The one before was refused.
        again: bool,
    },
    /// Whether an unknown host key is the right one.
    HostKey {
        /// Type of the key.
        key_type: String,
        /// `SHA256:…`
        fingerprint: String,
        /// Where it would be recorded.
        file: String,
        /// Lines there that could not be read.
        skipped: Vec<String>,
    },
}

/// One question of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// The server's words.
    pub text: String,
    /// Whether what is typed may be seen.
    pub echo: bool,
}

/// A text that a policy lets pass only when a person allows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// As used in the address an answer is sent to.
    pub id: String,
    /// Names text, place and reader together; an answer repeats it.
    pub digest: String,
    /// The session it would be typed in.
    pub session_id: String,
    /// The session's profile.
    pub profile: String,
    /// What a person calls it.
    pub label: String,
    /// Where the terminal stands, outermost first.
    pub breadcrumb: Vec<String>,
    /// How it would be delivered: `shell_line`, `menu_input`, `file_write`, …
    pub delivery: String,
    /// Who asks: `agent` or `automation`.
    pub actor: String,
    /// The client the agent speaks through, as it calls itself.
    pub asked_by: Option<String>,
    /// The exact text.
    pub text: String,
    /// What the policies say of it, strictest first.
    pub causes: Vec<Cause>,
    /// What the agent says it is for; nobody has checked it.
    pub purpose: Option<String>,
    /// When it was asked, in milliseconds since 1970-01-01 UTC.
    pub asked_unix_ms: u64,
    /// How long it waits, in seconds.
    pub limit_s: u64,
}

/// One rule's word on the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// The policy's name.
    pub policy: String,
    /// `ask`, `warn` or `allow`.
    pub verdict: String,
    /// The rule's id.
    pub rule_id: String,
    /// The policy's words.
    pub reason: String,
    /// What it suggests instead.
    pub suggestion: Option<String>,
    /// The bytes of the text (in UTF-8) that caused it: from, and one past the last.
    pub span: Option<(u32, u32)>,
}

/// What a person decides, in the body of `POST /api/v1/approvals/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ApprovalAnswer {
    /// This text, once.
    AllowOnce {
        /// The digest of the text that was shown.
        digest: String,
        /// Who answers from the command line; left out by the page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cli_user: Option<String>,
    },
    /// Whatever the rules that ask ask about there, until the session ends.
    AllowRule {
        /// The digest of the text that was shown.
        digest: String,
        /// Who answers from the command line; left out by the page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cli_user: Option<String>,
    },
    /// No.
    Deny {
        /// The digest of the text that was shown.
        digest: String,
        /// What the agent is told.
        reason: String,
        /// Who answers from the command line; left out by the page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cli_user: Option<String>,
    },
}

/// What a person says, in the body of `POST /api/v1/questions/{id}`.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// One for each prompt; one for a passphrase or password.
    Answers {
        /// In the order of the prompts.
        answers: Vec<Typed>,
    },
    /// The host key is the right one.
    Trust {
        /// The fingerprint the person was shown.
        fingerprint: String,
    },
    /// No.
    Refuse {},
}

/// A person's answer to the terminal's question for a secret: the body of `POST /api/v1/sessions/ID/secret`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretAnswer {
    /// Without Enter.
    pub text: Typed,
}

/// What a person typed: wiped when dropped, and never printed.
#[derive(Deserialize)]
#[serde(from = "String")]
pub struct Typed(pub Zeroizing<String>);

impl From<String> for Typed {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl std::fmt::Debug for Typed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Typed(hidden)")
    }
}

/// A binary frame from the host: the absolute offset of the first byte as 8 bytes, big end first,
/// then the bytes. For a snapshot the offset is the place it stands at, not that of its bytes.
#[must_use]
pub fn output_frame(offset: u64, bytes: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(OUTPUT_HEAD + bytes.len());
    frame.extend_from_slice(&offset.to_be_bytes());
    frame.extend_from_slice(bytes);
    frame.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a failed fixture should stop the test")]

    use std::collections::BTreeSet;
    use std::fs;
    use std::path::PathBuf;

    use serde::de::DeserializeOwned;
    use serde_json::Value;

    use super::*;

    fn fixtures() -> PathBuf {
        // The package's own place, or the one a build outside the repository names.
        option_env!("VIEWER_PROTOCOL_FIXTURES")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../viewer/protocol"), PathBuf::from)
    }

    /// Reads a fixture and demands that it survives the way there and back unchanged.
    fn round_trip<T: DeserializeOwned + Serialize>(name: &str) -> T {
        let path = fixtures().join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let message: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let written: Value = serde_json::to_value(&message).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(&text).unwrap(), "{name}");
        message
    }

    /// The name of the variant's fixture. A new variant does not compile until it is named here.
    fn server_fixture(message: &ServerMessage) -> &'static str {
        match message {
            ServerMessage::Sessions { .. } => "server_sessions.json",
            ServerMessage::Questions { .. } => "server_questions.json",
            ServerMessage::Approvals { .. } => "server_approvals.json",
            ServerMessage::Plugins { .. } => "server_plugins.json",
            ServerMessage::Attached { .. } => "server_attached.json",
            ServerMessage::Resized { .. } => "server_resized.json",
            ServerMessage::Summary { .. } => "server_summary.json",
            ServerMessage::Timeline { .. } => "server_timeline.json",
            ServerMessage::Command { .. } => "server_command.json",
            ServerMessage::Closed { .. } => "server_closed.json",
            ServerMessage::Error { .. } => "server_error.json",
            ServerMessage::Pong { .. } => "server_pong.json",
        }
    }

    fn client_fixture(message: &ClientMessage) -> &'static str {
        match message {
            ClientMessage::Ping { .. } => "client_ping.json",
            ClientMessage::Ack { .. } => "client_ack.json",
        }
    }

    /// Answers are only read: what a person typed is written nowhere.
    fn answer_fixture(name: &str) -> &'static str {
        let text = fs::read_to_string(fixtures().join(name)).unwrap();
        let answer: Answer = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!format!("{answer:?}").contains("123456"));
        match answer {
            Answer::Answers { answers } => {
                assert_eq!(answers.iter().map(|typed| typed.0.as_str()).collect::<Vec<_>>(), ["a \"word\"", "123456"]);
                "answer_answers.json"
            }
            Answer::Trust { fingerprint } => {
                assert!(fingerprint.starts_with("SHA256:"));
                "answer_trust.json"
            }
            Answer::Refuse {} => "answer_refuse.json",
        }
    }

    fn control_fixture(request: &ControlRequest) -> &'static str {
        match request {
            ControlRequest::Take { .. } => "control_take.json",
            ControlRequest::HandOver {} => "control_hand_over.json",
            ControlRequest::Mode { .. } => "control_mode.json",
            ControlRequest::Interrupt {} => "control_interrupt.json",
            ControlRequest::Close {} => "control_close.json",
            ControlRequest::PolicyMode { .. } => "control_policy_mode.json",
        }
    }

    fn approval_fixture(answer: &ApprovalAnswer) -> &'static str {
        match answer {
            ApprovalAnswer::AllowOnce { .. } => "approval_allow_once.json",
            ApprovalAnswer::AllowRule { .. } => "approval_allow_rule.json",
            ApprovalAnswer::Deny { .. } => "approval_deny.json",
        }
    }

    #[test]
    fn every_fixture_is_a_message_of_the_kind_its_name_says() {
        let mut seen = BTreeSet::new();
        for entry in fs::read_dir(fixtures()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let kind = if name.starts_with("client_") {
                client_fixture(&round_trip::<ClientMessage>(&name))
            } else if name.starts_with("server_") {
                server_fixture(&round_trip::<ServerMessage>(&name))
            } else if name.starts_with("approval_") {
                approval_fixture(&round_trip::<ApprovalAnswer>(&name))
            } else if name == "history.json" {
                round_trip::<History>(&name);
                "history.json"
            } else if name == "search.json" {
                round_trip::<SearchFound>(&name);
                "search.json"
            } else if name.starts_with("control_") {
                control_fixture(&round_trip::<ControlRequest>(&name))
            } else if name.starts_with("answer_") {
                answer_fixture(&name)
            } else {
                assert_eq!(name, "output_frame.json");
                continue;
            };
            assert_eq!(kind, name);
            seen.insert(name);
        }
        assert_eq!(seen.len(), 28, "a message without a fixture, or a fixture without a message: {seen:?}");
    }

    #[test]
    fn an_output_frame_is_laid_out_as_the_fixture_says() {
        #[derive(Deserialize)]
        struct Fixture {
            offset: u64,
            payload: Vec<u8>,
            frame: Vec<u8>,
        }
        let text = fs::read_to_string(fixtures().join("output_frame.json")).unwrap();
        let fixture: Fixture = serde_json::from_str(&text).unwrap();
        assert_eq!(output_frame(fixture.offset, &fixture.payload).as_ref(), fixture.frame);
    }

    #[test]
    fn what_is_not_in_the_protocol_is_refused() {
        let too_deep = format!("{{\"type\":\"ping\",\"id\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
        for text in [
            "",
            "[]",
            "{}",
            r#"{"type":"input","data":"rm"}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"ping","id":-1}"#,
            r#"{"type":"ping","id":4294967296}"#,
            r#"{"type":"ping","id":1,"actor":"agent"}"#,
            r#"{"type":"ping","id":1,"id":2}"#,
            r#"{"type":"ack","offset":NaN}"#,
            too_deep.as_str(),
        ] {
            assert!(serde_json::from_str::<ClientMessage>(text).is_err(), "{text:.60}");
        }
    }
}
