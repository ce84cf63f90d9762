//! `ssh_search_logs`: lines in logs.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::super::reply::{Reply, Status};
use super::super::schema;
use super::super::tool::{self, Class, Tool};
use super::{breadcrumb, notes};
use crate::host::Host;
use crate::ops::{self, SearchMode, SearchReport, SearchRequest};

const DEFAULT_MATCHES: u32 = 50;

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Mode {
    #[default]
    Literal,
    Regex,
    AllWords,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    query: String,
    /// Default literal.
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    ignore_case: bool,
    /// Files, folders; default: the profile's.
    #[serde(default)]
    sources: Vec<String>,
    /// Names, e.g. *.log.
    #[serde(default)]
    include: Vec<String>,
    /// Default 50.
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    max_matches: Option<u32>,
    #[serde(default)]
    #[schemars(range(min = 0, max = 20))]
    before_lines: Option<u16>,
    #[serde(default)]
    #[schemars(range(min = 0, max = 20))]
    after_lines: Option<u16>,
    #[serde(default)]
    session_id: Option<String>,
}

pub(super) fn tool() -> Tool {
    Tool {
        name: "ssh_search_logs",
        title: "Search logs",
        description: "Search log files where the session is (host or pod), gently: matches with file, line, level, text, context.",
        class: Class::ReadRemote,
        input: schema::of::<Parameters>,
        output: || json!({ "matches": { "type": "array", "items": { "type": "object" } } }),
        call: |host, arguments| tool::typed(host, arguments, call),
    }
}

async fn call(host: Host, parameters: Parameters) -> Reply {
    let request = SearchRequest {
        session_id: parameters.session_id,
        text: parameters.query,
        mode: match parameters.mode {
            Mode::Literal => SearchMode::Literal,
            Mode::Regex => SearchMode::Regex,
            Mode::AllWords => SearchMode::AllWords,
        },
        ignore_case: parameters.ignore_case,
        sources: parameters.sources,
        include: parameters.include,
        max_matches: parameters.max_matches.unwrap_or(DEFAULT_MATCHES).clamp(1, 500),
        before: parameters.before_lines.unwrap_or(0).min(20),
        after: parameters.after_lines.unwrap_or(0).min(20),
    };
    match ops::search_logs(&host, request).await {
        Ok(report) => render(&report),
        Err(error) => error.into(),
    }
}

fn render(report: &SearchReport) -> Reply {
    let more = if report.truncated { ", there may be more" } else { "" };
    let summary = format!(
        "{} matches{more} · {} · session {}",
        report.matches.len(),
        breadcrumb(&report.session),
        report.session.session_id
    );
    let mut body = String::new();
    for found in &report.matches {
        let source = found.source.as_deref().unwrap_or("");
        let number = |line: Option<u64>| line.map_or(String::new(), |line| line.to_string());
        for line in &found.before {
            body.push_str(&format!("{source}-{}- {}\n", number(line.line), line.text));
        }
        body.push_str(&format!("{source}:{}: {}\n", number(found.line), found.text));
        for line in &found.after {
            body.push_str(&format!("{source}-{}- {}\n", number(line.line), line.text));
        }
    }
    body.push_str(&notes(&report.notes));
    let status = if report.completed && report.notes.is_empty() { Status::Success } else { Status::PartialSuccess };
    Reply::new(status, summary, body, report).with_evidence(vec![format!("ran: {}", report.command)])
}
