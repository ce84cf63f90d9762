//! What a call came to, whichever tool set it belongs to, and its form in the protocol.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value};

use super::reply::Reply;

/// A call's result.
#[derive(Debug)]
pub(super) enum Answer {
    /// With our own fields.
    Ours(Reply),
    /// With the fields of a predecessor, whose clients find what they always found.
    Predecessor(PredecessorAnswer),
}

/// A result in a predecessor's own fields.
#[derive(Debug)]
pub(super) struct PredecessorAnswer {
    /// The whole result; the first block of text is this as JSON, and so is the structured content.
    pub(super) fields: Map<String, Value>,
    /// Further blocks of text: output, or a dashboard.
    pub(super) blocks: Vec<String>,
    /// How it went, in the words that our own results and the metrics use.
    pub(super) status: &'static str,
}

impl Answer {
    /// As `result_status` has it.
    pub(super) fn status_name(&self) -> &'static str {
        match self {
            Self::Ours(reply) => reply.status_name(),
            Self::Predecessor(answer) => answer.status,
        }
    }

    /// Where our own call is to be made again as it was, the result names it as what comes next.
    pub(super) fn or_again(self, tool: &str, arguments: &Map<String, Value>) -> Self {
        match self {
            Self::Ours(reply) => Self::Ours(reply.or_again(tool, arguments)),
            other => other,
        }
    }

    /// Text, and the same as structured content where that is wanted; each is complete alone.
    pub(super) fn into_result(self, structured: bool) -> CallToolResult {
        match self {
            Self::Ours(reply) => reply.into_result(structured),
            Self::Predecessor(answer) => answer.into_result(structured),
        }
    }
}

impl PredecessorAnswer {
    fn into_result(self, structured: bool) -> CallToolResult {
        let is_error = matches!(self.status, "blocked" | "failure");
        let fields = Value::Object(self.fields);
        let text = serde_json::to_string_pretty(&fields).unwrap_or_else(|_| fields.to_string());
        let content = std::iter::once(text).chain(self.blocks).map(ContentBlock::text).collect();
        let mut result = match structured {
            true => CallToolResult::structured(fields),
            false => CallToolResult::success(Vec::new()),
        };
        result.content = content;
        result.is_error = Some(is_error);
        result
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Ours(reply)
    }
}

impl From<PredecessorAnswer> for Answer {
    fn from(answer: PredecessorAnswer) -> Self {
        Self::Predecessor(answer)
    }
}
