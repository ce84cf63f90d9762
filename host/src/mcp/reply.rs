//! From a report or an error to a tool result: text and structured content, each complete alone.

use rmcp::model::{CallToolResult, ContentBlock};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::ops::{AwaitingApproval, NextStep, OpError, Stopped};

/// How a call went, for a reader who looks at one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Success,
    PartialSuccess,
    Blocked,
    Failure,
}

/// A result as it is told in other fields than ours.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) status: &'static str,
    /// Summary and what follows it, without the next call, which would be one of our tools.
    pub(super) words: String,
    pub(super) fields: Map<String, Value>,
    pub(super) failure_category: Option<&'static str>,
}

/// A result before it is put into the protocol's form.
#[derive(Debug)]
pub(super) struct Reply {
    status: Status,
    /// One line: what happened.
    summary: String,
    /// What follows the summary in the text form.
    body: String,
    fields: Map<String, Value>,
    next: Option<NextStep>,
    failure_category: Option<&'static str>,
    evidence: Vec<String>,
    /// The same call, made again, goes on from here.
    again: bool,
}

impl Reply {
    pub(super) fn new(status: Status, summary: String, body: String, report: &impl Serialize) -> Self {
        let fields = match serde_json::to_value(report) {
            Ok(Value::Object(fields)) => fields,
            Ok(other) => Map::from_iter([("report".to_owned(), other)]),
            Err(error) => Map::from_iter([("report_error".to_owned(), json!(error.to_string()))]),
        };
        Self { status, summary, body, fields, next: None, failure_category: None, evidence: Vec::new(), again: false }
    }

    /// As `result_status` has it.
    pub(super) fn status_name(&self) -> &'static str {
        match self.status {
            Status::Success => "success",
            Status::PartialSuccess => "partial_success",
            Status::Blocked => "blocked",
            Status::Failure => "failure",
        }
    }

    pub(super) fn with_next(mut self, next: Option<NextStep>) -> Self {
        self.next = next;
        self
    }

    /// Where the call is to be made again as it was, that is what comes next; unless another one goes on from there.
    pub(super) fn or_again(mut self, tool: &str, arguments: &Map<String, Value>) -> Self {
        if self.again && self.next.is_none() {
            self.next = Some(NextStep::new(tool, json!(arguments)));
        }
        self
    }

    /// Nothing was sent yet: a person decides, or something else comes first.
    fn awaiting(approval: &AwaitingApproval, error: &OpError) -> Self {
        let what: String = approval.text.lines().map(|line| format!("| {line}\n")).collect();
        let body = format!(
            "what waits at {}:\n{what}Tell the person; `portcullis viewer` prints the link that logs a browser in. No tool \
             answers it. Then make the call named as next: {}",
            approval.breadcrumb.join(" › "),
            match approval.of_this_call {
                true => "that waits on, and runs it once when it is allowed.",
                false => "it is sent once the other line is decided.",
            }
        );
        // What is somebody else's turn is no failure, but nothing of this call has happened either.
        let (status, category) = match approval.of_this_call {
            true => (Status::PartialSuccess, None),
            false => (Status::Blocked, Some(error.category())),
        };
        let reply = Self::new(status, error.to_string(), body, approval);
        Self { failure_category: category, again: true, ..reply }
    }

    /// Fields that are there in every result of this kind: null says that something is not known.
    pub(super) fn with_nulls(mut self, names: &[&str]) -> Self {
        for name in names {
            self.fields.entry(*name).or_insert(Value::Null);
        }
        self
    }

    pub(super) fn with_evidence(mut self, evidence: Vec<String>) -> Self {
        self.evidence = evidence;
        self
    }

    pub(super) fn bad_arguments(message: String) -> Self {
        Self::from(OpError::BadArgument(message))
    }

    pub(super) fn stopping() -> Self {
        let summary = "the host is stopping; the command, if one runs, was not stopped by this".to_owned();
        Self {
            failure_category: Some("runtime-state-abnormal"),
            ..Self::new(Status::Failure, summary, String::new(), &json!({}))
        }
    }

    pub(super) fn too_many_calls() -> Self {
        let summary = "not begun: too many calls are under way here; make it again when one of them has ended";
        Self {
            failure_category: Some("runtime-state-abnormal"),
            again: true,
            ..Self::new(Status::Failure, summary.to_owned(), String::new(), &json!({}))
        }
    }

    /// What it says, for a set of tools with fields of its own.
    pub(super) fn into_parts(self) -> Parts {
        let mut words = self.summary.clone();
        if !self.body.is_empty() {
            words.push('\n');
            words.push_str(self.body.trim_end());
        }
        Parts { status: self.status_name(), words, failure_category: self.failure_category, fields: self.fields }
    }

    pub(super) fn cancelled() -> Self {
        let summary = "the call was cancelled; waiting stopped, the remote command was left as it is".to_owned();
        Self::new(Status::PartialSuccess, summary, String::new(), &json!({}))
    }

    fn is_error(&self) -> bool {
        matches!(self.status, Status::Blocked | Status::Failure)
    }

    /// Text, and the same as structured content where that is wanted; each is complete alone.
    pub(super) fn into_result(self, structured: bool) -> CallToolResult {
        let text = self.text();
        let is_error = self.is_error();
        if !structured {
            let text = vec![ContentBlock::text(text)];
            return if is_error { CallToolResult::error(text) } else { CallToolResult::success(text) };
        }
        let mut content = Map::new();
        content.insert("result_status".to_owned(), json!(self.status));
        content.insert("summary".to_owned(), json!(self.summary));
        if let Some(next) = &self.next {
            content.insert("next".to_owned(), json!(next));
        }
        if let Some(category) = self.failure_category {
            content.insert("failure_category".to_owned(), json!(category));
        }
        if !self.evidence.is_empty() {
            content.insert("evidence".to_owned(), json!(self.evidence));
        }
        content.extend(self.fields);
        let mut result = CallToolResult::structured(Value::Object(content));
        result.content = vec![ContentBlock::text(text)];
        result.is_error = Some(is_error);
        result
    }

    /// What is wrong with the connection of the session this is about.
    fn unhealthy(&self) -> Option<&str> {
        let health = self.fields.get("session")?.get("health")?;
        if health["state"] == "unhealthy" { health["reason"].as_str() } else { None }
    }

    fn text(&self) -> String {
        let mut text = self.summary.clone();
        if !self.body.is_empty() {
            text.push('\n');
            text.push_str(self.body.trim_end());
        }
        if let Some(reason) = self.unhealthy() {
            text.push_str(&format!("\n[unhealthy: {reason}]"));
        }
        if let Some(category) = self.failure_category {
            text.push_str(&format!("\n[{category}]"));
        }
        if let Some(next) = &self.next {
            text.push_str(&format!("\n[next: {} {}]", next.tool, next.arguments));
        }
        text
    }
}

impl From<OpError> for Reply {
    fn from(error: OpError) -> Self {
        if let OpError::AwaitingApproval(approval) = &error {
            return Self::awaiting(approval, &error);
        }
        let status = if error.is_blocked() { Status::Blocked } else { Status::Failure };
        let mut fields = Map::new();
        let mut body = Vec::new();
        if let OpError::Refused { refusal, .. } = &error {
            let ruling = refusal.strictest();
            fields.insert("text".to_owned(), json!(refusal.text()));
            fields.insert("rule_id".to_owned(), json!(ruling.rule_id));
            fields.insert("category".to_owned(), json!(ruling.category));
            fields.insert("reason".to_owned(), json!(ruling.reason));
            fields.insert("sent".to_owned(), json!(false));
            if let Some(denial) = refusal.denial() {
                fields.insert("approval_id".to_owned(), json!(denial.approval_id));
                fields.insert("denial".to_owned(), json!(denial.words()));
                fields.insert("denial_reason".to_owned(), json!(denial.reason()));
            }
            if let Some(span) = ruling.evidence {
                let part = refusal.text().get(span.0 as usize..span.1 as usize).unwrap_or_default();
                fields.insert("evidence_text".to_owned(), json!(part));
                body.push(format!("because of: {part}"));
            }
            if let Some(suggestion) = &ruling.suggestion {
                fields.insert("suggestion".to_owned(), json!(suggestion));
                body.push(format!("instead: {suggestion}"));
            }
        }
        if let OpError::ApprovalMoved { .. } = &error {
            fields.insert("sent".to_owned(), json!(false));
        }
        if let OpError::SecretAsked { kind, prompt, .. } = &error {
            fields.insert("outcome".to_owned(), json!("awaiting_input"));
            fields.insert("kind".to_owned(), json!(kind));
            fields.insert("prompt".to_owned(), json!(prompt));
            fields.insert("sent".to_owned(), json!(false));
        }
        if let OpError::Connect { diagnosis, .. } = error.told() {
            fields.insert("diagnosis".to_owned(), json!(diagnosis));
            body.extend(diagnosis.iter().map(|finding| {
                let help = finding.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
                format!("{}: {}{help}", finding.subject, finding.text)
            }));
        }
        if let OpError::Navigation(stopped) = &error {
            let Stopped { rows, code, steps, .. } = stopped.as_ref();
            fields.insert("code".to_owned(), json!(code));
            fields.insert("rows".to_owned(), json!(rows));
            fields.insert("steps".to_owned(), json!(steps));
            body.extend(steps.iter().map(|step| format!("- {step}")));
            body.extend(rows.iter().map(|row| format!("| {row}")));
        }
        let mut evidence = Vec::new();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            evidence.push(cause.to_string());
            source = cause.source();
        }
        let causes: Vec<&String> =
            evidence.iter().filter(|cause| !error.to_string().contains(cause.as_str())).collect();
        body.extend(causes.iter().map(|cause| format!("because: {cause}")));
        Self {
            status,
            summary: error.to_string(),
            body: body.join("\n"),
            fields,
            failure_category: Some(error.category()),
            next: Some(error.next()),
            evidence,
            again: false,
        }
    }
}

/// Tells the reader that what follows came from the far side.
pub(super) fn remote(text: &str) -> String {
    if text.is_empty() { "(no output)".to_owned() } else { text.to_owned() }
}
