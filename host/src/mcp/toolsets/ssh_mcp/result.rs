//! Results in the predecessor's fields: `ok`, `error`, and what a failure tells of its session.

use serde_json::{Map, Value, json};

use super::{Context, facts};
use crate::mcp::answer::{Answer, PredecessorAnswer};
use crate::mcp::reply::{Parts, Reply};
use crate::ops::{self, OpError};
use crate::session::SessionError;

/// Names of our tools in what operations say, and the tools that do the same here. The longer ones first.
const TOOL_NAMES: [(&str, &str); 12] = [
    ("make the call named as next", "make the same call again"),
    ("ssh_search_logs", "search_logs"),
    ("ssh_transcript", "get_transcript"),
    ("ssh_navigate", "send_text"),
    ("ssh_status", "list_sessions"),
    ("ssh_hosts", "diagnose_profile"),
    ("ssh_open", "open_session"),
    ("ssh_send", "send_text"),
    ("ssh_read", "get_screen"),
    ("ssh_lock", "acquire_input_lock"),
    ("ssh_stop", "close_session"),
    ("ssh_run", "execute_command"),
];

/// What an operation says, with the names that are known here.
pub(super) fn in_their_words(text: &str) -> String {
    TOOL_NAMES.iter().fold(text.to_owned(), |text, (ours, theirs)| text.replace(ours, theirs))
}

/// A call that has done what it is for; `partial` where something is still open.
pub(super) fn done(fields: Value, partial: bool) -> Answer {
    let mut all = Map::from_iter([("ok".to_owned(), json!(true))]);
    if let Value::Object(fields) = fields {
        all.extend(fields);
    }
    let status = if partial { "partial_success" } else { "success" };
    Answer::Predecessor(PredecessorAnswer { fields: all, blocks: Vec::new(), status })
}

/// A call that is not made as it was asked for, and why.
pub(super) fn refused(error: &str) -> Answer {
    let fields = Map::from_iter([("ok".to_owned(), json!(false)), ("error".to_owned(), json!(error))]);
    Answer::Predecessor(PredecessorAnswer { fields, blocks: Vec::new(), status: "blocked" })
}

/// A result that is not one of a tool of this set: of the server, or of an operation that failed.
pub(super) fn of_parts(parts: Parts) -> Answer {
    let Parts { status, words, mut fields, failure_category } = parts;
    // Ours, with our commands' names and the whole of it; theirs is put beside it.
    fields.remove("session");
    fields.insert("ok".to_owned(), json!(false));
    fields.insert("error".to_owned(), json!(in_their_words(&words)));
    if let Some(category) = failure_category {
        fields.insert("failure_category".to_owned(), json!(category));
    }
    Answer::Predecessor(PredecessorAnswer { fields, blocks: Vec::new(), status })
}

/// A failure, with what is known of the session where there is one.
pub(super) async fn failed(context: &Context, session_id: Option<&str>, error: OpError) -> Answer {
    let running = match &error {
        OpError::Session { source: SessionError::NotReady(portcullis_term::NotReady::Running(id)), .. } => {
            Some(id.to_string())
        }
        _ => None,
    };
    let Answer::Predecessor(mut answer) = of_parts(Reply::from(error).into_parts()) else {
        return refused("the result has no form here");
    };
    let Some(id) = session_id else { return answer.into() };
    let Ok(line) = ops::session_line(&context.host, Some(id)).await else { return answer.into() };
    if let Some(job) = running.as_deref().and_then(|id| line.jobs.iter().find(|job| job.command_id == id)) {
        let id = facts::command_id(job);
        let error = format!(
            "command {id} is still running in this session; read it with get_command, stop it with cancel_command"
        );
        answer.fields.insert("error".to_owned(), json!(error));
        answer.fields.insert("command_id".to_owned(), json!(id));
    }
    let info = facts::session(context, &line);
    for key in [
        "session_id",
        "health_status",
        "health_error",
        "last_activity_at",
        "last_heartbeat_at",
        "closed",
        "read_error",
        "transcript_path",
    ] {
        answer.fields.insert(key.to_owned(), info[key].clone());
    }
    answer.fields.insert("session".to_owned(), info);
    answer.into()
}
