//! Running one command.

use std::time::Duration;

use portcullis_sandbox::parser::OutputMeta;
use portcullis_sandbox::policy::Delivery;
use portcullis_shell as shell;
use portcullis_term::nested::nested_level;
use portcullis_term::track::Expectation;
use portcullis_term::{Completion, Outcome};
use serde::Serialize;

use super::{Excerpt, OpError, by_agent, clear, destination, excerpt, find_session, place};
use crate::clock;
use crate::gate::{Action, Place, Ruling, endpoint};
use crate::host::Host;
use crate::plugins::Parsed;
use crate::random;
use crate::session::{SessionHandle, SessionSummary};

/// A pod's shell may take a while to start on a busy cluster.
const NESTED_PROMPT: Duration = Duration::from_secs(30);
/// Output larger than this is not parsed; the text remains.
const MAX_PARSED_BYTES: usize = 4 << 20;

#[derive(Debug, Clone)]
pub struct RunRequest {
    pub session_id: Option<String>,
    pub command: String,
    /// How long to wait before control comes back; the command goes on.
    pub wait: Duration,
    pub max_chars: usize,
    pub purpose: Option<String>,
    /// Look for a parser that can read the output.
    pub parse: bool,
}

#[derive(Debug, Serialize)]
pub struct RunReport {
    pub session: SessionSummary,
    pub job_id: String,
    #[serde(flatten)]
    pub completion: Completion,
    pub duration_ms: u64,
    #[serde(flatten)]
    pub output: Excerpt,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parsed: Option<Parsed>,
    /// Rules that warned.
    pub warnings: Vec<Ruling>,
    pub notes: Vec<String>,
}

/// Runs the command at the session's prompt and reports what is known after at most `wait`.
///
/// # Errors
/// When a policy refuses it, or the terminal is not at a prompt; nothing was sent then.
pub async fn run(host: &Host, request: RunRequest) -> Result<RunReport, OpError> {
    let session = find_session(host, request.session_id.as_deref())?;
    let id = session.id().to_string();
    run_in(host, &session, request).await.map_err(|error| error.in_session(&id))
}

async fn run_in(host: &Host, session: &SessionHandle, request: RunRequest) -> Result<RunReport, OpError> {
    let line = request.command.trim_end_matches(['\r', '\n']).to_owned();
    if line.trim().is_empty() {
        return Err(OpError::BadArgument("`command` is empty; give the line to run".to_owned()));
    }
    let destination = destination(host, session)?;
    let reading = session.read().await?;
    if reading.asks_for_secret {
        return Err(secret_asked(session, &reading.screen));
    }
    let place = place(session, &destination, &reading);
    let action = Action::Run { line: line.clone(), delivery: Delivery::ShellLine, opens: None };
    let cleared = clear(host, session, &place, by_agent(action, request.purpose.clone())).await?;
    let warnings = cleared.warnings();
    let ticket = session.submit(cleared, opens(&line)?).await?;
    let completion = wait_for(session, ticket.settled, ticket.command_id, request.wait).await?;
    let output = session.read_command(ticket.command_id).await?;
    let mut notes = notes(&completion, output.evicted_bytes, output.text.full_screen_bytes);
    let exit_code = exit_code(&completion);
    let parsed = if request.parse && output.text.text.len() <= MAX_PARSED_BYTES && output.evicted_bytes == 0 {
        parse(host, &place, &line, &output.text.text, exit_code, &mut notes).await
    } else {
        None
    };
    Ok(RunReport {
        session: session.summary(),
        job_id: ticket.command_id.to_string(),
        duration_ms: output.record.duration_ms,
        output: excerpt(&output.text.text, request.max_chars),
        completion,
        parsed,
        warnings,
        notes,
    })
}

/// The first report, or the command as it stands when the time to wait is over.
pub(super) async fn wait_for(
    session: &SessionHandle,
    settled: tokio::sync::oneshot::Receiver<Completion>,
    command_id: portcullis_term::CommandId,
    wait: Duration,
) -> Result<Completion, OpError> {
    match tokio::time::timeout(wait, settled).await {
        Ok(Ok(completion)) => Ok(completion),
        // The session ended or the wait is over: what the record says now.
        Ok(Err(_)) | Err(_) => {
            let known = session.read_command(command_id).await?.record.completion;
            let settled = known.filter(|completion| !completion.outcome.is_open());
            match settled {
                Some(completion) => Ok(completion),
                None => session
                    .interim()
                    .await?
                    .ok_or_else(|| crate::session::SessionError::UnknownCommand(command_id).into()),
            }
        }
    }
}

pub(super) fn secret_asked(session: &SessionHandle, screen: &portcullis_term::ScreenView) -> OpError {
    let row = usize::from(screen.cursor_row);
    let prompt = screen.rows.get(row).map(|row| row.text.trim().to_owned()).unwrap_or_default();
    OpError::SecretAsked { prompt, session_id: session.id().to_string() }
}

pub(super) fn exit_code(completion: &Completion) -> Option<i32> {
    match completion.outcome {
        Outcome::Completed { exit_code, .. }
        | Outcome::LevelChanged { exit_code, .. }
        | Outcome::Disconnected { exit_code, .. } => exit_code,
        Outcome::PromptNoStatus
        | Outcome::AwaitingInput { .. }
        | Outcome::Fullscreen
        | Outcome::Running
        | Outcome::Unknown { .. } => None,
    }
}

fn notes(completion: &Completion, evicted_bytes: u64, full_screen_bytes: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if evicted_bytes > 0 {
        notes.push(format!(
            "the first {evicted_bytes} bytes of the output are no longer in memory; the transcript has them"
        ));
    }
    if full_screen_bytes > 0 {
        notes.push(format!("{full_screen_bytes} bytes of a full-screen program were left out"));
    }
    if completion.human_input {
        notes.push("a person typed while this ran".to_owned());
    }
    notes
}

/// A line whose last command starts an interactive shell somewhere else.
fn opens(line: &str) -> Result<Option<Expectation>, OpError> {
    let Some(level) = nested_level(line) else { return Ok(None) };
    let nonce = random::hex(4).map_err(OpError::Random)?;
    Ok(Some(level.expectation(nonce, NESTED_PROMPT)))
}

async fn parse(
    host: &Host,
    place: &Place,
    line: &str,
    text: &str,
    exit_code: Option<i32>,
    notes: &mut Vec<String>,
) -> Option<Parsed> {
    let argv = only_command(line)?;
    let meta = OutputMeta {
        argv,
        raw_command: line.to_owned(),
        endpoint: endpoint(place),
        terminal: true,
        now_unix_ms: clock::unix_ms(),
        attributes: Vec::new(),
    };
    match host.parsers().parse(meta, text, exit_code).await {
        Ok(parsed) => parsed,
        Err(note) => {
            notes.push(note);
            None
        }
    }
}

/// The one command whose output this is: a line of several gives text that belongs to no one
/// grammar.
fn only_command(line: &str) -> Option<Vec<String>> {
    let plan = shell::parse(line);
    if !plan.unknowns.is_empty() {
        return None;
    }
    let [only] = plan.invocations.as_slice() else { return None };
    if only.stages > 1 || !only.redirections.is_empty() {
        return None;
    }
    only.argv.iter().map(|word| word.value.clone()).collect()
}
