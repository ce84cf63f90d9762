//! `ssh-session-send`, `ssh-session-control` and `ssh-session-resize`: text, keys and the terminal's size.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::failure::words;
use super::state::{Known, State};
use super::told::{Outcome, Told};
use super::{About, Call, command_id, tool};
use crate::mcp::tool::{Class, Tool};
use crate::ops::{self, SendReport, SendRequest};

/// Longest label of an actor, in characters.
const MAX_ACTOR_CHARS: usize = 40;
/// Whose input it is where the call does not say.
const AGENT: &str = "agent";
/// How long is waited for what the input brings, to tell where it began to act.
const SETTLES: Duration = Duration::from_millis(500);
const OUTPUT_CHARS: usize = 4_000;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SendParameters {
    /// Id, device/connection or name; the active session when left out.
    #[serde(default)]
    session: Option<String>,
    input: String,
    /// Press Enter behind it, default false.
    #[serde(default)]
    append_newline: bool,
    /// A label for it, at most 40 characters; on record it is the agent's.
    #[serde(default)]
    actor: Option<String>,
}

pub(super) fn send(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-session-send",
        title: "Send input",
        description: "Type text into a session's terminal, for questions and programs. A line at a shell's prompt is judged like ssh-run's.",
        class: Class::WriteRemote,
    };
    tool(state, about, send_input)
}

async fn send_input(call: Call, parameters: SendParameters) -> Outcome {
    let known = call.state.resolve(&call.host, parameters.session.as_deref())?;
    let actor = actor(parameters.actor.as_deref());
    if parameters.input.is_empty() && !parameters.append_newline {
        return Err(Told::failure("config-error", "`input` is empty").next("Give the text to type."));
    }
    let chars = parameters.input.chars().count() + usize::from(parameters.append_newline);
    let request = request(&known, Some(parameters.input), parameters.append_newline, Vec::new(), SETTLES);
    let report = ops::send(&call.host, request).await?;
    let held = report.held_line.clone();
    let summary = match &held {
        Some(_) => "kept until its Enter: a line for a shell is judged as a whole".to_owned(),
        None => format!("{chars} characters sent"),
    };
    let told = if held.is_some() { Told::partial(summary) } else { Told::success(summary) };
    let sent = if held.is_some() { 0 } else { chars };
    let told = answer(&call, known, told, &report).await?;
    Ok(told.with("actor", actor.as_str()).with("sentChars", sent).with_some("heldLine", held).notes(label_note(&actor)))
}

fn request(known: &Known, text: Option<String>, enter: bool, keys: Vec<String>, wait: Duration) -> SendRequest {
    SendRequest {
        session_id: Some(known.id()),
        text,
        enter,
        keys,
        wait_for: None,
        wait_pattern: None,
        wait,
        settle: None,
        enter_key: None,
        waits_its_turn: false,
        max_chars: OUTPUT_CHARS,
    }
}

/// Types what a session begins with.
pub(super) async fn begin(call: &Call, known: &Known, input: String, wait: Duration) -> Result<Vec<String>, Told> {
    let report = ops::send(&call.host, request(known, Some(input), false, Vec::new(), wait)).await?;
    let held = report.held_line.map(|line| format!("`{line}` waits for its Enter; nothing of it was sent"));
    Ok(report.notes.iter().map(|note| words(note)).chain(held).collect())
}

/// What every kind of input is answered with.
async fn answer(call: &Call, known: Known, told: Told, report: &SendReport) -> Outcome {
    let seen = call.see(known).await?;
    let command = report.job_id.as_deref().map(|job| command_id(seen.id(), job));
    Ok(told
        .with_all(call.summary(&seen))
        .with_all(seen.positions())
        .with("terminalMode", seen.terminal_mode())
        .with_some("commandId", command)
        .notes(report.notes.iter().map(|note| words(note)))
        .next("Read what came of it with ssh-session-read or ssh-session-watch."))
}

fn actor(given: Option<&str>) -> String {
    let plain: String = given.unwrap_or(AGENT).chars().filter(|c| !ops::is_unseen(*c)).collect();
    let cut: String = plain.trim().chars().take(MAX_ACTOR_CHARS).collect();
    if cut.is_empty() { AGENT.to_owned() } else { cut }
}

/// A label is not who somebody is.
pub(super) fn label_note(actor: &str) -> Option<String> {
    let differs = actor != AGENT;
    differs.then(|| format!("`{actor}` is a label of this call; the input is judged and on record as the agent's"))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ControlParameters {
    /// Id, device/connection or name; the active session when left out.
    #[serde(default)]
    session: Option<String>,
    control: Control,
    /// A label for it, at most 40 characters; on record it is the agent's.
    #[serde(default)]
    actor: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Control {
    CtrlC,
    CtrlD,
    Enter,
    Tab,
    Esc,
    Up,
    Down,
    Left,
    Right,
    Backspace,
}

impl Control {
    fn name(self) -> &'static str {
        match self {
            Self::CtrlC => "ctrl_c",
            Self::CtrlD => "ctrl_d",
            Self::Enter => "enter",
            Self::Tab => "tab",
            Self::Esc => "esc",
            Self::Up => "up",
            Self::Down => "down",
            Self::Left => "left",
            Self::Right => "right",
            Self::Backspace => "backspace",
        }
    }
}

pub(super) fn control(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-session-control",
        title: "Press key",
        description: "Press one key in a session's terminal: ctrl_c, ctrl_d, enter, tab, esc, arrows, backspace.",
        class: Class::WriteRemote,
    };
    tool(state, about, press)
}

async fn press(call: Call, parameters: ControlParameters) -> Outcome {
    let known = call.state.resolve(&call.host, parameters.session.as_deref())?;
    let (actor, name) = (actor(parameters.actor.as_deref()), parameters.control.name());
    let enter = matches!(parameters.control, Control::Enter);
    let keys = if enter { Vec::new() } else { vec![name.to_owned()] };
    let report = ops::send(&call.host, request(&known, None, enter, keys, SETTLES)).await?;
    let told = answer(&call, known, Told::success(format!("{name} pressed")), &report).await?;
    Ok(told.with("actor", actor.as_str()).with("control", name).notes(label_note(&actor)))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ResizeParameters {
    /// Id, device/connection or name; the active session when left out.
    #[serde(default)]
    session: Option<String>,
    cols: u16,
    rows: u16,
}

pub(super) fn resize(state: &Arc<State>) -> Tool {
    let about = About {
        name: "ssh-session-resize",
        title: "Resize terminal",
        description: "Give a session's terminal another size, in columns and rows.",
        class: Class::WriteRemote,
    };
    tool(state, about, resize_terminal)
}

async fn resize_terminal(call: Call, parameters: ResizeParameters) -> Outcome {
    let known = call.state.resolve(&call.host, parameters.session.as_deref())?;
    ops::resize(&call.host, &known.id(), parameters.cols, parameters.rows).await?;
    let seen = call.see(known).await?;
    let summary = format!("{} has {} columns and {} rows", seen.reference(), parameters.cols, parameters.rows);
    Ok(Told::success(summary).with_all(call.summary(&seen)).with_all(seen.positions()))
}
