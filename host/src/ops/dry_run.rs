//! Judging a command without running it: the word of the gate on exactly this line at this place.
//!
//! Nothing is typed and nothing waits for a person. The verdict goes on record with the mark `dry_run`, so that
//! whoever reads it later sees what an agent has tried out.

use serde::Serialize;

use super::{OpError, destination, find_session, place};
use crate::gate::{PlanSummary, Ruling};
use crate::host::Host;
use crate::session::SessionSummary;

#[derive(Debug, Clone)]
pub struct DryRunRequest {
    pub session_id: Option<String>,
    pub command: String,
    pub purpose: Option<String>,
    /// Where the caller thinks the terminal is.
    pub expect_level: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct DryRunReport {
    pub session: SessionSummary,
    pub dry_run: bool,
    /// What a run would meet: `allow`, `warn`, `ask` or `deny`.
    pub verdict: &'static str,
    /// Every rule that has something to say, the strictest first.
    pub rulings: Vec<Ruling>,
    pub plan: PlanSummary,
    /// Why a run would not be typed now, whatever its verdict.
    pub notes: Vec<String>,
}

/// Judges the command as [`super::run`] would have it judged now.
///
/// # Errors
/// When there is no such session, or its record cannot be written.
pub async fn dry_run(host: &Host, request: DryRunRequest) -> Result<DryRunReport, OpError> {
    let line = request.command.trim_end_matches(['\r', '\n']);
    if line.trim().is_empty() {
        return Err(OpError::BadArgument("`command` is empty; give the line to judge".to_owned()));
    }
    let session = find_session(host, request.session_id.as_deref())?;
    let destination = destination(host, &session)?;
    let position = session.position().await?;
    let place = place(&session, &destination, &position);
    let preview = host.gate().preview(&place, line, request.purpose).await;
    let report = DryRunReport {
        session: session.summary(),
        dry_run: true,
        verdict: preview.verdict().as_str(),
        rulings: preview.rulings().to_vec(),
        plan: preview.plan().clone(),
        notes: notes(&session.summary(), request.expect_level.as_deref()),
    };
    session.record_refusal(preview.into_not_typed()).await?;
    Ok(report)
}

fn notes(session: &SessionSummary, expected: Option<&str>) -> Vec<String> {
    let mut notes = Vec::new();
    if session.state != "at_prompt" {
        notes.push(format!("the terminal is {}, so a run would not be typed now", session.state));
    }
    if let Some(expected) = expected
        && session.breadcrumb.last().is_none_or(|label| label != expected)
    {
        notes.push(format!("the terminal is not at the level `{expected}`, so a run would not be typed now"));
    }
    notes
}
