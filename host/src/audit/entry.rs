//! What stands in a transcript: the kinds of lines, without what every line has (docs/transcript.md).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis_term::{Completion, Typist};
use serde::Serialize;
use serde_json::Value;

use crate::approvals::Consent;

/// What is recorded.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry<'a> {
    Opened {
        session_id: &'a str,
        profile: &'a str,
        address: &'a str,
        user: &'a str,
        host_key: &'a str,
        auth_method: &'a str,
        /// `full` or `meta`: whether contents follow.
        transcript: &'a str,
        /// Whether the lines' chain is keyed.
        keyed: bool,
        /// Hosts on the way, the first one first.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        hops: Vec<String>,
        columns: u16,
        rows: u16,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        /// The closed session this one goes on from; its own file is sealed and says nothing of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        reopened_from: Option<&'a str>,
        /// That session's file, in the same folder.
        #[serde(skip_serializing_if = "Option::is_none")]
        reopened_from_transcript: Option<&'a str>,
    },
    /// A person answered while the connection was made; never what.
    PersonAnswered {
        target: &'a str,
        what: &'a str,
        /// A server's own questions: hostile text, cleaned and cut.
        prompts: &'a [String],
    },
    /// A person trusted a host key nobody had recorded.
    PersonTrusted {
        target: &'a str,
        host_key: &'a str,
        recorded_in: String,
    },
    Output {
        /// Of the session's output, behind what this line has of it.
        offset: u64,
        #[serde(flatten)]
        content: Bytes<'a>,
    },
    /// Output that was left out because one command printed more than is recorded of it.
    OutputOmitted {
        /// Of the session's output, behind what was left out.
        offset: u64,
        length_bytes: u64,
        reason: &'a str,
    },
    Input {
        actor: Typist,
        #[serde(flatten)]
        content: Bytes<'a>,
    },
    /// Typed by the host itself: the lines that make a prompt recognisable, answers to queries.
    HostInput {
        #[serde(flatten)]
        content: Bytes<'a>,
    },
    /// Lines that could not be written, told by the first one that could be again.
    Gap {
        reason: &'a str,
        since_unix_ms: u64,
        lines: u64,
        /// Of output among them.
        output_bytes: u64,
        /// The line before this one is a piece of the first that was lost.
        torn_line: bool,
    },
    /// Something went wrong that whoever reads the record later has to know.
    Error {
        /// `policy`, `parser`, `navigator`, `level`, `input` or `processes`.
        about: &'a str,
        /// The plugin's name, where it is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        plugin: Option<&'a str>,
        message: &'a str,
    },
    /// Typed at a question for a secret: only the fact is kept.
    SecretInput {
        actor: Typist,
        length: usize,
    },
    Verdict {
        actor: Typist,
        delivery: &'a str,
        text: &'a str,
        verdict: &'a str,
        decisions: Value,
        /// What policies on trial said, without effect.
        #[serde(skip_serializing_if = "is_empty_list")]
        on_trial: Value,
        /// Only judged; nobody wanted to type it.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        dry_run: bool,
        /// By which it passed although a policy asks.
        #[serde(skip_serializing_if = "Option::is_none")]
        consent: Option<&'a Consent>,
    },
    /// A person was asked to allow a text, or what came of it.
    Approval(&'a ApprovalRecord),
    CommandStart {
        command_id: String,
        actor: Typist,
        text: &'a str,
        offset: u64,
    },
    CommandEnd {
        #[serde(flatten)]
        completion: &'a Completion,
    },
    Level {
        breadcrumb: &'a [String],
    },
    /// What a navigation is about to do.
    NavigationStep {
        route: &'a str,
        what: &'a str,
    },
    Resize {
        columns: u16,
        rows: u16,
    },
    /// A file on the server was reached beside the terminal. Its content is not kept.
    File(&'a FileRecord),
    /// The connection's health has changed.
    Health {
        state: &'a str,
        reason: &'a str,
    },
    /// Of whom the lines with the actor `human` are from here on; without a name nobody is known.
    Person {
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
    },
    /// Who may type has changed.
    Control {
        /// `human` or `agent`.
        actor: &'a str,
        /// `taken`, `taken_by_force`, `handed_over`, `released`, `expired` or `mode`.
        change: &'a str,
        /// The session's setting now.
        mode: &'a str,
        /// Who has the input for themselves now.
        #[serde(skip_serializing_if = "Option::is_none")]
        holder: Option<&'a str>,
    },
    /// A person has changed how strictly lines are judged here.
    PolicyMode {
        actor: &'a str,
        mode: &'a str,
        was: &'a str,
    },
    /// The rules that hold in this session only have changed.
    SessionRules {
        /// `human` or `agent`.
        actor: &'a str,
        /// `set`, `removed` or `reset`.
        change: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        /// What was set, as it was written.
        #[serde(skip_serializing_if = "Option::is_none")]
        rule: Option<Value>,
        /// How many there are now.
        count: usize,
    },
    Closed {
        reason: &'a str,
        exit_code: Option<i32>,
    },
}

/// A question for a person's consent, and its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApprovalRecord {
    pub approval_id: String,
    /// `asked`, `allowed`, `denied`, `expired`, `withdrawn` or `session_closed`.
    pub state: &'static str,
    pub actor: Typist,
    pub delivery: &'static str,
    pub text: String,
    /// Of text, place and reader together.
    pub digest_sha256: String,
    pub breadcrumb: Vec<String>,
    /// The rules that want consent.
    pub rules: Vec<String>,
    /// What the agent says it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The client whose call asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<String>,
    /// `once` or `rule_for_session`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<&'static str>,
    /// `viewer`, `elicitation` or `cli`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<&'static str>,
    /// Who answered, as far as the channel knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was done with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileRecord {
    pub actor: Typist,
    /// `read`, `list`, `look` or `write`.
    pub operation: &'static str,
    /// With all links followed.
    pub path: String,
    /// Of what was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset_bytes: Option<u64>,
    /// Read or written; none of a listing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Of the whole file, where all of it was read or written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What the policies said.
    pub verdict: &'static str,
    /// `read`, `created`, `replaced` or `failed`.
    pub result: &'static str,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Text, base64 where it is not UTF-8, or only its length where contents are left out.
#[derive(Debug, Default, Serialize)]
pub struct Bytes<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    /// How much it was: where contents are left out, or something in them was replaced or held back.
    #[serde(skip_serializing_if = "Option::is_none")]
    length_bytes: Option<u64>,
    /// Places that were replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    redacted: Option<u64>,
}

impl<'a> Bytes<'a> {
    pub(super) fn length(length_bytes: u64) -> Self {
        Self { length_bytes: Some(length_bytes), ..Self::default() }
    }

    /// `written` of what were `length_bytes`.
    pub(super) fn written(written: &'a [u8], length_bytes: u64, redacted: u64) -> Self {
        let (text, base64) = match std::str::from_utf8(written) {
            Ok(text) => (Some(text), None),
            Err(_) => (None, Some(STANDARD.encode(written))),
        };
        let differs = length_bytes != written.len() as u64;
        Self {
            text,
            base64,
            length_bytes: differs.then_some(length_bytes),
            redacted: (redacted > 0).then_some(redacted),
        }
    }
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}
