//! `ssh_read_file`: a file or a directory of the SSH server.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::super::reply::{Reply, Status};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use super::{DEFAULT_CHARS, named, notes};
use crate::host::Host;
use crate::ops::{self, Entry, NextStep, ReadFileReport, ReadFileRequest};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    path: String,
    #[serde(default)]
    offset_bytes: u64,
    #[serde(default)]
    limit_bytes: Option<usize>,
    /// Entries to skip.
    #[serde(default)]
    from_entry: usize,
    /// Only kind, size, mode, time.
    #[serde(default)]
    stat_only: bool,
    /// Also while the terminal is elsewhere.
    #[serde(default)]
    on_ssh_server: bool,
    #[serde(default)]
    session_id: Option<String>,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_read_file",
        title: "Read file or directory",
        description: "Read a file (text or binary, by offset, with SHA-256) or list a directory on the session's SSH server, over SFTP.",
        class: Class::ReadRemote,
        input: schema::of::<Parameters>,
        output: || {
            json!({
                "content": { "type": "string" },
                "entries": { "type": "array" },
                "sha256": { "type": "string" }
            })
        },
        call: Box::new(|host, arguments| tool::typed(host, arguments, call)),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    let request = ReadFileRequest {
        session_id: parameters.session_id,
        path: parameters.path,
        offset_bytes: parameters.offset_bytes,
        limit_bytes: parameters.limit_bytes.unwrap_or(DEFAULT_CHARS as usize),
        from_entry: parameters.from_entry,
        stat_only: parameters.stat_only,
        on_ssh_server: parameters.on_ssh_server,
    };
    match ops::read_file(&host, request.clone()).await {
        Ok(report) => render(&report, &request),
        Err(error) => error.into(),
    }
}

fn render(report: &ReadFileReport, request: &ReadFileRequest) -> Reply {
    let summary = format!("{} · {} · session {}", told(report), report.server, named(&report.session));
    let warned = report.warnings.iter().map(|it| format!("warning ({}): {}\n", it.rule_id, it.reason));
    let body = format!("{}{}{}", body(report), warned.collect::<String>(), notes(&report.notes));
    Reply::new(Status::Success, summary, body, report).with_next(next(report, request))
}

/// What it is, in a few words.
fn told(report: &ReadFileReport) -> String {
    let mut words = vec![format!("{} {}", report.kind, report.path)];
    match &report.listing {
        Some(listing) => words.push(format!("{} entries", listing.total_entries)),
        None => words.extend(report.size_bytes.map(|size| format!("{size} bytes"))),
    }
    words.extend(report.mode.as_ref().map(|mode| format!("mode {mode}")));
    words.extend(report.modified.clone());
    let digest = report.content.as_ref().and_then(|content| content.sha256.as_ref());
    words.extend(digest.map(|digest| format!("sha256 {digest}")));
    words.join(", ")
}

fn body(report: &ReadFileReport) -> String {
    if let Some(listing) = &report.listing {
        let mut lines: Vec<String> = listing.entries.iter().map(line).collect();
        if let Some(next) = listing.next_entry {
            lines.push(format!("[entries {} to {next} of {}]", listing.from_entry + 1, listing.total_entries));
        }
        return lines.join("\n") + "\n";
    }
    let Some(content) = &report.content else { return String::new() };
    let mut text = content.content.clone();
    let gap = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    if content.encoding == "base64" {
        text.push_str(&format!("{gap}[not text: base64 of bytes from {}]\n", content.offset_bytes));
    }
    if let Some(next) = content.next_offset_bytes {
        let gap = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
        text.push_str(&format!("{gap}[bytes {} to {next}; there is more]\n", content.offset_bytes));
    } else if !text.ends_with('\n') && !text.is_empty() {
        text.push('\n');
    }
    text
}

/// As `ls -l` has it, with what it knows.
fn line(entry: &Entry) -> String {
    let target = entry.target.as_ref().map(|target| format!(" -> {target}")).unwrap_or_default();
    let size = entry.size_bytes.map(|size| size.to_string()).unwrap_or_default();
    let (mode, modified) = (entry.mode.as_deref().unwrap_or("?"), entry.modified.as_deref().unwrap_or("?"));
    format!("{:<9} {mode} {size:>10} {modified} {}{target}", entry.kind, entry.name)
}

/// How to read on, where there is more.
fn next(report: &ReadFileReport, request: &ReadFileRequest) -> Option<NextStep> {
    let mut arguments = json!({ "session_id": report.session.session_id, "path": report.path });
    let content = report.content.as_ref().and_then(|content| content.next_offset_bytes);
    match (content, report.listing.as_ref().and_then(|listing| listing.next_entry)) {
        (Some(offset), _) => arguments["offset_bytes"] = json!(offset),
        (None, Some(entry)) => arguments["from_entry"] = json!(entry),
        (None, None) => return None,
    }
    if request.on_ssh_server {
        arguments["on_ssh_server"] = json!(true);
    }
    Some(NextStep::new("ssh_read_file", arguments))
}
