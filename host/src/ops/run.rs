//! Running one command, once or until it succeeds.
//!
//! Nothing here ends a command but its own deadline, which is a task of its own ([`super::stop`]).

use std::time::{Duration, Instant};

use portcullis_sandbox::parser::OutputMeta;
use portcullis_sandbox::policy::Delivery;
use portcullis_term::nested::nested_level;
use portcullis_term::track::Expectation;
use portcullis_term::{AwaitingKind, CommandId, Completion, NotReady, Outcome, ScreenView, patterns};
use serde::Serialize;
use tokio::sync::oneshot;

use super::retry::{Attempt, Retry, RetryEnd, RetryReport, RetryRequest};
use super::stop::{Deadline, standing};
use super::turn::{self, HeldBack};
use super::{
    EnterKey, Excerpt, OpError, by_agent, clear_in_time, destination, excerpt, find_session, on_record, place,
};
use crate::clock;
use crate::config::TranscriptMode;
use crate::gate::{Action, Place, Ruling, endpoint};
use crate::host::Host;
use crate::plugins::Parsed;
use crate::random;
use crate::session::{CommandOutput, SessionError, SessionHandle, SessionSummary, StopAttempt, SubmitOptions, Ticket};

/// The prompt of a shell that has been recognised is a few bytes away.
pub(super) const LEVEL_PROMPT: Duration = Duration::from_secs(3);
/// A pod's shell may take a while to start on a busy cluster.
const NESTED_PROMPT: Duration = Duration::from_secs(30);
/// Output larger than this is not parsed; the text remains.
const MAX_PARSED_BYTES: usize = 4 << 20;

#[derive(Debug, Clone)]
pub struct RunRequest {
    pub session_id: Option<String>,
    pub command: String,
    /// How long to wait before control comes back; the command goes on. All attempts of a retry
    /// together get no more.
    pub wait: Duration,
    /// When the command is stopped, whoever waits for it then.
    pub timeout: Option<Duration>,
    pub max_chars: usize,
    pub purpose: Option<String>,
    /// Where the caller thinks the terminal is; elsewhere nothing is typed.
    pub expect_level: Option<String>,
    pub retry: Option<RetryRequest>,
    /// Look for a parser that can read the output.
    pub parse: bool,
    /// What Enter sends, where it is not what the profile says.
    pub enter_key: Option<EnterKey>,
    /// While a person types or holds the input the call waits; otherwise it is refused at once.
    pub waits_its_turn: bool,
}

/// Whoever wants to hear of a command as it begins: the session's id and the job's.
pub type Begun = dyn Fn(&str, &str) + Send + Sync;

#[derive(Debug, Serialize)]
pub struct RunReport {
    pub session: SessionSummary,
    pub job_id: String,
    #[serde(flatten)]
    pub completion: Completion,
    pub duration_ms: u64,
    #[serde(flatten)]
    pub output: Excerpt,
    /// Redrawn states of lines (progress bars) of which only the last is shown.
    pub collapsed_redraws: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parsed: Option<Parsed>,
    /// How it was stopped when its time was over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StopAttempt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryReport>,
    /// Rules that warned, or that a person's consent was needed for.
    pub warnings: Vec<Ruling>,
    pub notes: Vec<String>,
}

/// Runs the command at the session's prompt and reports what is known after at most `wait`.
///
/// # Errors
/// When a policy refuses it, or the terminal is not at a prompt; nothing was sent then.
pub async fn run(host: &Host, request: RunRequest) -> Result<RunReport, OpError> {
    run_told(host, request, &|_, _| {}).await
}

/// The same, and `begun` is told of each command as it begins.
///
/// # Errors
/// As [`run`].
pub async fn run_told(host: &Host, request: RunRequest, begun: &Begun) -> Result<RunReport, OpError> {
    let session = find_session(host, request.session_id.as_deref())?;
    let id = session.id().to_string();
    run_in(host, &session, request, begun).await.map_err(|error| error.in_session(&id))
}

async fn run_in(
    host: &Host,
    session: &SessionHandle,
    request: RunRequest,
    begun: &Begun,
) -> Result<RunReport, OpError> {
    let line = request.command.trim_end_matches(['\r', '\n']).to_owned();
    if line.trim().is_empty() {
        return Err(OpError::BadArgument("`command` is empty; give the line to run".to_owned()));
    }
    let mut until = Instant::now() + request.wait;
    let retry = request.retry.clone().map(Retry::new).transpose()?;
    let (mut run, report) = match retry {
        None => (attempt(host, session, &request, &line, &mut until, begun).await?, None),
        Some(retry) => {
            let (run, report) = attempts(host, session, &request, &line, &mut until, &retry, begun).await?;
            (run, Some(report))
        }
    };
    let parsed = if request.parse { parse(host, session, &mut run, &line).await } else { None };
    let output = run.output;
    Ok(RunReport {
        session: session.summary(),
        job_id: run.command_id.to_string(),
        duration_ms: output.record.duration_ms,
        output: excerpt(&output.text.text, request.max_chars),
        collapsed_redraws: output.text.redraws,
        completion: run.completion,
        parsed,
        steps: run.steps,
        retry: report,
        warnings: run.warnings,
        notes: run.notes,
    })
}

/// One run of the line, as far as it is known when its caller's time is over.
struct Run {
    command_id: CommandId,
    completion: Completion,
    output: CommandOutput,
    /// The words of the line, where it is one command whose output can be data.
    argv: Option<Vec<String>>,
    place: Place,
    steps: Vec<StopAttempt>,
    warnings: Vec<Ruling>,
    notes: Vec<String>,
}

async fn attempt(
    host: &Host,
    session: &SessionHandle,
    request: &RunRequest,
    line: &str,
    until: &mut Instant,
    begun: &Begun,
) -> Result<Run, OpError> {
    if let Some(stopping) = session.being_stopped() {
        return Err(SessionError::NotReady(NotReady::Running(stopping)).into());
    }
    let Submitted { ticket, place, argv, warnings, held_back } = submit(host, session, request, line, until).await?;
    let until = *until;
    begun(session.id().as_str(), &ticket.command_id.to_string());
    let deadline = request.timeout.map(|after| Deadline::start(host, session, ticket.command_id, after));
    let (completion, steps) = outcome(session, ticket.settled, ticket.command_id, deadline, until).await?;
    if matches!(completion.outcome, Outcome::LevelChanged { .. }) {
        // The level is told when its first mark is seen; its prompt is drawn a moment later.
        session.until_prompt(LEVEL_PROMPT.min(until.saturating_duration_since(Instant::now()))).await;
    }
    let output = session.read_command(ticket.command_id).await?;
    let mut notes = notes(&completion, &output, session.summary().transcript_mode);
    notes.extend(held_back);
    Ok(Run { command_id: ticket.command_id, completion, output, argv, place, steps, warnings, notes })
}

/// A line that was typed.
struct Submitted {
    ticket: Ticket,
    place: Place,
    argv: Option<Vec<String>>,
    warnings: Vec<Ruling>,
    held_back: HeldBack,
}

/// Has the line judged and typed once no person is typing. Where one has begun in between, all of it comes again.
async fn submit(
    host: &Host,
    session: &SessionHandle,
    request: &RunRequest,
    line: &str,
    until: &mut Instant,
) -> Result<Submitted, OpError> {
    let patience = turn::patience(request.waits_its_turn, *until);
    let mut held_back = None;
    loop {
        held_back = turn::wait(session, patience, true).await?.or(held_back);
        let left = until.saturating_duration_since(Instant::now());
        if held_back.is_some() && !left.is_zero() && session.summary().state == "running" {
            // What the person has started with Enter comes first.
            session.until_prompt(left).await;
            continue;
        }
        let destination = destination(host, session)?;
        let position = session.position().await?;
        if position.asks_for_secret {
            return Err(secret_asked(session, &session.read().await?.screen));
        }
        let place = place(session, &destination, &position);
        let action = Action::Run { line: line.to_owned(), delivery: Delivery::ShellLine, opens: None };
        let intent = by_agent(action, request.purpose.clone());
        let cleared = clear_in_time(host, session, &place, intent, until).await?;
        let (warnings, argv) = (cleared.warnings(), cleared.only_command().map(<[String]>::to_vec));
        let expect_level = request.expect_level.clone();
        let enter = request.enter_key;
        let options = SubmitOptions { opens: opens(line)?, expect_level, enter, ..SubmitOptions::default() };
        match session.submit(cleared, options).await {
            Err(SessionError::Held { .. }) if Instant::now() < *until => {}
            ticket => return Ok(Submitted { ticket: ticket?, place, argv, warnings, held_back }),
        }
    }
}

/// The first report, or what came of stopping the command, or how it stands when the time is over.
async fn outcome(
    session: &SessionHandle,
    settled: oneshot::Receiver<Completion>,
    command_id: CommandId,
    deadline: Option<Deadline>,
    until: Instant,
) -> Result<(Completion, Vec<StopAttempt>), OpError> {
    let left = || until.saturating_duration_since(Instant::now());
    let Some(mut deadline) = deadline else {
        return Ok((wait_for(session, settled, command_id, left()).await?, Vec::new()));
    };
    tokio::select! {
        // What the command reports while it is being stopped is not its own end.
        biased;
        () = deadline.begun() => {}
        completion = wait_for(session, settled, command_id, left()) => return Ok((completion?, Vec::new())),
    }
    let steps = match deadline.steps(left()).await {
        Some(steps) => steps,
        None => session.read_command(command_id).await?.record.stops,
    };
    Ok((standing(session, command_id).await?, steps))
}

/// Runs the line until it succeeds, as often and as long as allowed.
async fn attempts(
    host: &Host,
    session: &SessionHandle,
    request: &RunRequest,
    line: &str,
    until: &mut Instant,
    retry: &Retry,
    begun: &Begun,
) -> Result<(Run, RetryReport), OpError> {
    let mut last = attempt(host, session, request, line, until, begun).await?;
    let mut made = Vec::new();
    let mut paused = Duration::ZERO;
    loop {
        let number = made.len() as u32 + 1;
        let judged = retry.judge(&last.completion, &last.output.text.text);
        made.push(Attempt {
            number,
            job_id: last.command_id.to_string(),
            delay_ms: paused.as_millis() as u64,
            duration_ms: last.output.record.duration_ms,
            exit_code: exit_code(&last.completion),
            judged,
        });
        let report = |result, reason| RetryReport { result, attempts: made.clone(), reason };
        if let Some(end) = judged.end() {
            return Ok((last, report(end, None)));
        }
        if number == retry.attempts() {
            return Ok((last, report(RetryEnd::Exhausted, None)));
        }
        paused = retry.delay(number);
        if Instant::now() + paused >= *until {
            let reason =
                format!("the next attempt would start {} ms from now, after the time of this call", paused.as_millis());
            return Ok((last, report(RetryEnd::OutOfTime, Some(reason))));
        }
        tokio::time::sleep(paused).await;
        match attempt(host, session, request, line, until, begun).await {
            Ok(next) => last = next,
            Err(error) => return Ok((last, report(RetryEnd::Refused, Some(error.to_string())))),
        }
    }
}

/// The first report, or the command as it stands when the time to wait is over.
pub(super) async fn wait_for(
    session: &SessionHandle,
    settled: oneshot::Receiver<Completion>,
    command_id: CommandId,
    wait: Duration,
) -> Result<Completion, OpError> {
    match tokio::time::timeout(wait, settled).await {
        Ok(Ok(completion)) => Ok(completion),
        // The session ended or the wait is over: what is known now.
        Ok(Err(_)) | Err(_) => standing(session, command_id).await,
    }
}

/// The refusal to type at a question for a secret.
pub(super) fn secret_asked(session: &SessionHandle, screen: &ScreenView) -> OpError {
    let row = usize::from(screen.cursor_row);
    let prompt = screen.rows.get(row).map(|row| row.text.trim().to_owned()).unwrap_or_default();
    let kind = patterns::awaiting(&prompt).filter(|kind| kind.is_secret()).unwrap_or(AwaitingKind::Password);
    OpError::SecretAsked { kind, prompt, session_id: session.id().to_string() }
}

/// What is known of the command's exit code.
pub fn exit_code(completion: &Completion) -> Option<i32> {
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

fn notes(completion: &Completion, output: &CommandOutput, mode: TranscriptMode) -> Vec<String> {
    let mut notes = Vec::new();
    if output.evicted_bytes > 0 {
        notes.push(format!(
            "the first {} bytes of the output are no longer in memory; {}",
            output.evicted_bytes,
            mode.older_output()
        ));
    }
    if output.text.full_screen_bytes > 0 {
        notes.push(format!("{} bytes of a full-screen program were left out", output.text.full_screen_bytes));
    }
    if output.text.redraws > 0 {
        notes.push(format!("{} redrawn states were left out, the last of each is shown", output.text.redraws));
    }
    if completion.human_input {
        notes.push("a person typed while this ran".to_owned());
    }
    if let Some(line) = &output.record.resumed_as {
        notes.push(format!("it was suspended to be stopped and brought back as {line}; what it printed then is there"));
    }
    notes
}

/// A line whose last command starts an interactive shell somewhere else.
pub(super) fn opens(line: &str) -> Result<Option<Expectation>, OpError> {
    let Some(level) = nested_level(line) else { return Ok(None) };
    let nonce = random::hex(4).map_err(OpError::Random)?;
    Ok(Some(level.expectation(nonce, NESTED_PROMPT)))
}

/// The output as data, where it is whole and of one command that a parser knows.
async fn parse(host: &Host, session: &SessionHandle, run: &mut Run, line: &str) -> Option<Parsed> {
    let text = &run.output.text.text;
    if text.len() > MAX_PARSED_BYTES || run.output.evicted_bytes > 0 {
        return None;
    }
    let meta = OutputMeta {
        argv: run.argv.clone()?,
        raw_command: line.to_owned(),
        endpoint: endpoint(&run.place),
        terminal: true,
        now_unix_ms: clock::unix_ms(),
        attributes: Vec::new(),
    };
    match host.plugins().current().parsers().parse(meta, text, exit_code(&run.completion)).await {
        Ok(parsed) => parsed,
        Err(note) => {
            on_record(session, "parser", None, &note).await;
            run.notes.push(note);
            None
        }
    }
}
