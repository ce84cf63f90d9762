//! `send_text`, `execute_command`, `interrupt`: what types.

use std::sync::Arc;
use std::time::Duration;

use portcullis_term::{Completion, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::lock::{self, By};
use super::memory::Memory;
use super::{Context, Told, facts, result, tool};
use crate::mcp::answer::Answer;
use crate::mcp::tool::{Class, Tool};
use crate::ops::{self, EnterKey, OpError, RunRequest, SendReport, SendRequest, SessionLine, Standing, exit_code};

/// Seconds a call waits when the caller does not say.
const DEFAULT_TIMEOUT_S: f64 = 30.0;
/// Longest a call waits, in seconds; the predecessor's clients are told to allow ten minutes.
const MAX_TIMEOUT_S: f64 = 600.0;
/// Without `wait_for` a call returns after this at the latest.
const SETTLE: Duration = Duration::from_millis(500);
/// Characters of output in one result; of a command `get_command` has all.
const MAX_CHARS: usize = 40_000;

pub(super) fn timeout(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, MAX_TIMEOUT_S))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SendText {
    session_id: String,
    text: String,
    /// Press Enter behind the text, unless it ends in a line end.
    #[serde(default = "yes")]
    enter: bool,
    /// lf, cr or crlf; the profile's when left out.
    #[serde(default)]
    enter_sequence: Option<String>,
    /// Wait until this is printed; the text's own echo does not count.
    #[serde(default)]
    wait_for: String,
    /// Seconds.
    #[serde(default = "usual_timeout_s")]
    timeout: f64,
    /// Refused: only a person types secrets, in the viewer.
    #[serde(default)]
    sensitive: bool,
    #[serde(flatten)]
    by: By,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExecuteCommand {
    session_id: String,
    command: String,
    /// Wait until this is printed instead of for the command's end.
    #[serde(default)]
    wait_for: String,
    /// Wait for the command's end and its exit code.
    #[serde(default = "yes")]
    wait_for_prompt: bool,
    /// Seconds; the command goes on after it.
    #[serde(default = "usual_timeout_s")]
    timeout: f64,
    /// lf, cr or crlf; the profile's when left out.
    #[serde(default)]
    enter_sequence: Option<String>,
    #[serde(flatten)]
    by: By,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Interrupt {
    session_id: String,
    #[serde(flatten)]
    by: By,
}

pub(super) fn yes() -> bool {
    true
}

pub(super) fn usual_timeout_s() -> f64 {
    DEFAULT_TIMEOUT_S
}

fn output() -> Value {
    json!({ "output": { "type": "string" }, "timed_out": { "type": "boolean" }, "output_truncated": { "type": "boolean" } })
}

pub(super) fn tools(memory: &Arc<Memory>) -> [Tool; 3] {
    let told = |name, title, description| Told { name, title, description, class: Class::WriteRemote, output };
    [
        tool(
            memory,
            told(
                "send_text",
                "Send text",
                "Type text into the session: answer a menu or a question. Enter follows unless the text has one; with wait_for, returns when that is printed.",
            ),
            send_text,
        ),
        tool(
            memory,
            told(
                "execute_command",
                "Run command",
                "Run one shell command in the session: its output and exit code. One that outlasts timeout goes on as command_id. Directory and variables persist.",
            ),
            execute_command,
        ),
        tool(
            memory,
            told(
                "interrupt",
                "Press ctrl-c",
                "Press ctrl-c in the session. To stop one command and hear of its end: cancel_command.",
            ),
            interrupt,
        ),
    ]
}

async fn send_text(context: Context, parameters: SendText) -> Answer {
    if parameters.sensitive {
        return result::refused(
            "sensitive=true: a secret is never taken from a tool's argument, so nothing was sent. Ask the person to \
             type it in the viewer, where it is masked and kept out of the record",
        );
    }
    let SendText { session_id, text, enter, enter_sequence, wait_for, timeout: seconds, by, .. } = parameters;
    // An empty line at a prompt is still a line.
    let bare = text.is_empty() && enter;
    let line = Line { text: (!bare).then_some(text), enter: enter && !bare, keys: if bare { &["enter"] } else { &[] } };
    let wait = Wait { wait_for, timeout: timeout(seconds) };
    typed(&context, &session_id, line, enter_sequence.as_deref(), wait, &by).await
}

async fn interrupt(context: Context, parameters: Interrupt) -> Answer {
    let line = Line { text: None, enter: false, keys: &["ctrl-c"] };
    let wait = Wait { wait_for: String::new(), timeout: SETTLE };
    typed(&context, &parameters.session_id, line, None, wait, &parameters.by).await
}

async fn execute_command(context: Context, parameters: ExecuteCommand) -> Answer {
    let ExecuteCommand { session_id, command, wait_for, wait_for_prompt, timeout: seconds, enter_sequence, by } =
        parameters;
    if !wait_for_prompt || !wait_for.is_empty() {
        let line = Line { text: Some(command), enter: true, keys: &[] };
        let wait = Wait { wait_for, timeout: timeout(seconds) };
        return typed(&context, &session_id, line, enter_sequence.as_deref(), wait, &by).await;
    }
    match run(&context, &session_id, command, enter_sequence.as_deref(), timeout(seconds), &by).await {
        Ok(answer) => answer,
        Err(error) => result::failed(&context, Some(&session_id), error).await,
    }
}

async fn run(
    context: &Context,
    session_id: &str,
    command: String,
    enter_sequence: Option<&str>,
    wait: Duration,
    by: &By,
) -> Result<Answer, OpError> {
    let enter_key = enter_sequence.map(enter_key).transpose()?;
    lock::take(context, session_id, by).await?;
    let request = RunRequest {
        session_id: Some(session_id.to_owned()),
        command,
        wait,
        timeout: None,
        max_chars: MAX_CHARS,
        purpose: None,
        expect_level: None,
        retry: None,
        parse: false,
        enter_key,
        waits_its_turn: false,
    };
    let report = ops::run(&context.host, request).await?;
    let line = ops::session_line(&context.host, Some(session_id)).await?;
    let timed_out = report.completion.outcome == Outcome::Running;
    if timed_out {
        context.memory.timed_out(&line.summary.session_id, &report.job_id);
    }
    let mut notes = by.notes();
    notes.extend(report.warnings.iter().map(|warning| format!("rule {}: {}", warning.rule_id, warning.reason)));
    notes.extend(report.notes);
    let known = Some(&report.completion);
    let told = Outcomes {
        output: &report.output.text,
        truncated: report.output.omitted_chars > 0,
        known,
        found: None,
        timed_out,
    };
    Ok(told.answer(context, &line, &notes))
}

/// What is typed.
struct Line {
    text: Option<String>,
    enter: bool,
    keys: &'static [&'static str],
}

struct Wait {
    wait_for: String,
    timeout: Duration,
}

async fn typed(
    context: &Context,
    session_id: &str,
    line: Line,
    enter_sequence: Option<&str>,
    wait: Wait,
    by: &By,
) -> Answer {
    let sent = async {
        let enter_key = enter_sequence.map(enter_key).transpose()?;
        match line.keys {
            ["ctrl-c"] => lock::take_if_free(context, session_id, by).await,
            _ => lock::take(context, session_id, by).await?,
        }
        let request = SendRequest {
            session_id: Some(session_id.to_owned()),
            text: line.text,
            enter: line.enter,
            keys: line.keys.iter().map(|key| (*key).to_owned()).collect(),
            wait_for: Some(wait.wait_for).filter(|wanted| !wanted.is_empty()),
            wait_pattern: None,
            wait: wait.timeout,
            settle: Some(SETTLE),
            enter_key,
            waits_its_turn: false,
            max_chars: MAX_CHARS,
        };
        let report = ops::send(&context.host, request).await?;
        let line = ops::session_line(&context.host, Some(session_id)).await?;
        Ok((report, line))
    };
    match sent.await {
        Ok((report, line)) => told(context, &report, &line, by),
        Err(error) => result::failed(context, Some(session_id), error).await,
    }
}

fn told(context: &Context, report: &SendReport, line: &SessionLine, by: &By) -> Answer {
    let mut notes = by.notes();
    if let Some(held) = &report.held_line {
        notes.push(format!("`{held}` waits in the host for its Enter; nothing of it was sent yet"));
    }
    notes.extend(report.notes.iter().map(|note| result::in_their_words(note)));
    let known = match &report.standing {
        Standing::Command(known) => Some(known),
        Standing::State { .. } => None,
    };
    // Of a command that has ended nothing more is to come, whatever time is left.
    let is_over = known.is_some_and(|known| !known.outcome.is_open());
    let timed_out = report.found == Some(false) && !is_over;
    let truncated = report.output_omitted_chars > 0;
    Outcomes { output: &report.output, truncated, known, found: report.found, timed_out }.answer(context, line, &notes)
}

/// What the command result object is made of.
pub(super) struct Outcomes<'a> {
    pub(super) output: &'a str,
    pub(super) truncated: bool,
    /// The command that reads the terminal, or did.
    pub(super) known: Option<&'a Completion>,
    pub(super) found: Option<bool>,
    pub(super) timed_out: bool,
}

impl Outcomes<'_> {
    pub(super) fn fields(&self, context: &Context, line: &SessionLine) -> Value {
        let id = self.known.map(|known| known.command_id.to_string());
        let job = id.as_deref().and_then(|id| line.jobs.iter().find(|job| job.command_id == id));
        let cancelled = job.is_some_and(|job| {
            let moments = context.memory.moments(&line.summary.session_id, &job.command_id);
            moments.cancel_requested.is_some() || !job.stops.is_empty()
        });
        let mut fields = json!({
            "output": self.output,
            "exit_code": self.known.and_then(exit_code),
            "timed_out": self.timed_out,
            "matched": self.found,
            "command_id": job.map(facts::command_id),
            "status": self.known.map(|known| facts::status(Some(known), cancelled)),
            "output_truncated": self.truncated,
            "transcript_path": line.transcript,
        });
        if let Some(Outcome::AwaitingInput { kind, prompt, options, default }) = self.known.map(|known| &known.outcome)
        {
            fields["awaiting_input"] =
                json!({ "kind": kind, "prompt": prompt, "options": options, "default": default });
        }
        fields
    }

    fn answer(&self, context: &Context, line: &SessionLine, notes: &[String]) -> Answer {
        let mut fields = self.fields(context, line);
        fields["state"] = json!(line.summary.state);
        fields["breadcrumb"] = json!(line.summary.breadcrumb);
        if !notes.is_empty() {
            fields["notes"] = json!(notes);
        }
        let is_open = self.known.is_some_and(|known| known.outcome.is_open());
        result::done(fields, self.timed_out || is_open)
    }
}

/// The predecessor's names of what Enter sends.
fn enter_key(name: &str) -> Result<EnterKey, OpError> {
    EnterKey::from_name(name).map_err(OpError::BadArgument)
}
