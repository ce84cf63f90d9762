//! Typing that is not a command line of its own: answers, keys, a person's keystrokes.

use std::time::{Duration, Instant};

use portcullis_sandbox::policy::{Delivery, TerminalState};
use portcullis_term::track::Expectation;
use portcullis_term::{LevelKind, Typist};
use serde::Serialize;

use super::run::secret_asked;
use super::{OpError, by_agent, clear, destination, find_session, place};
use crate::gate::{Action, Cleared, Gate, HeldLine, Intent, Key, Place};
use crate::host::Host;
use crate::random;
use crate::session::{Reading, SessionError, SessionHandle, SessionSummary};

/// A menu's answer comes in one go; a shell behind it may take a moment longer.
const MENU_SETTLES: Duration = Duration::from_secs(1);
/// A prompt is on the screen already when its shell is entered.
const SHELL_PROMPT: Duration = Duration::from_secs(10);
/// Longest text of one call, in characters.
const MAX_TEXT_CHARS: usize = 8192;
/// The screen has settled when nothing arrived for this long.
const SETTLED: Duration = Duration::from_millis(150);

#[derive(Debug, Clone)]
pub struct SendRequest {
    pub session_id: Option<String>,
    pub text: Option<String>,
    /// Press Enter behind the text.
    pub enter: bool,
    /// Keys by name, pressed after the text.
    pub keys: Vec<String>,
    /// Wait until this text appears in what the terminal prints after the keys.
    pub wait_for: Option<String>,
    pub wait: Duration,
}

#[derive(Debug, Serialize)]
pub struct SendReport {
    pub session: SessionSummary,
    pub screen: String,
    /// Whether `wait_for` appeared; none when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<bool>,
    /// Text that waits in the host for its Enter; nothing of it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_line: Option<String>,
    pub notes: Vec<String>,
}

/// Types text and keys into whatever reads the terminal.
///
/// # Errors
/// When a policy refuses, a key does not exist, or the terminal asks for a secret.
pub async fn send(host: &Host, request: SendRequest) -> Result<SendReport, OpError> {
    let session = find_session(host, request.session_id.as_deref())?;
    let id = session.id().to_string();
    send_in(host, &session, request).await.map_err(|error| error.in_session(&id))
}

async fn send_in(host: &Host, session: &SessionHandle, request: SendRequest) -> Result<SendReport, OpError> {
    let keys = check(&request)?;
    let reading = session.read().await?;
    let only_stops = request.text.is_none() && keys.iter().all(|key| key.is_interrupt());
    if reading.asks_for_secret && !only_stops {
        return Err(secret_asked(session, &reading.screen));
    }
    let destination = destination(host, session)?;
    let place = place(session, &destination, &reading);
    let sent_at = reading.generation;
    let mut held_line = None;
    // Enter named as the first key completes the text like the flag does.
    let enter = request.enter || (request.text.is_some() && keys.first() == Some(&Key::Enter));
    let keys = if enter && !request.enter { &keys[1..] } else { &keys[..] };
    if request.text.is_some() || enter {
        let text = request.text.clone().unwrap_or_default();
        held_line = type_text(host, session, &place, &text, enter).await?;
    }
    for key in keys {
        press(host, session, &place, *key).await?;
    }
    let (mut reading, found) = settle(session, sent_at, request.wait_for.as_deref(), request.wait).await?;
    let mut notes = Vec::new();
    if place.terminal == TerminalState::Menu {
        // The text waited for may come before the prompt behind it.
        reading = settle(session, sent_at, None, MENU_SETTLES).await?.0;
        if reading.shows_shell_prompt {
            notes.push(enter_shell(session, &reading).await?);
            reading = session.read().await?;
        }
    }
    Ok(SendReport { session: session.summary(), screen: reading.screen.text(), found, held_line, notes })
}

/// The menu has led to a shell: puts it on the path, so that lines for it are judged and run as such.
async fn enter_shell(session: &SessionHandle, reading: &Reading) -> Result<String, OpError> {
    let row = usize::from(reading.screen.cursor_row);
    let prompt = reading.screen.rows.get(row).map(|row| row.text.as_str()).unwrap_or_default();
    let host = prompt.split_once('@').map_or("shell", |(_, rest)| rest);
    let name: String = host.chars().take_while(|c| c.is_ascii_alphanumeric() || ".-_".contains(*c)).collect();
    let label = if name.is_empty() { "shell" } else { name.as_str() };
    let nonce = random::hex(4).map_err(OpError::Random)?;
    let expectation = Expectation::new(LevelKind::Shell, label, nonce, SHELL_PROMPT);
    match session.expect_level(expectation).await {
        Ok(()) => {
            session.until_prompt(SHELL_PROMPT).await;
            Ok(format!("the menu has led to the shell of `{name}`; ssh_run works here"))
        }
        Err(SessionError::LevelFailed { reason, .. }) => {
            Ok(format!("what looks like a shell's prompt is none ({reason})"))
        }
        Err(other) => Err(other.into()),
    }
}

fn check(request: &SendRequest) -> Result<Vec<Key>, OpError> {
    if request.text.is_none() && request.keys.is_empty() && !request.enter {
        return Err(OpError::BadArgument("give `text`, `keys` or `enter`".to_owned()));
    }
    if request.text.as_ref().is_some_and(|text| text.chars().count() > MAX_TEXT_CHARS) {
        return Err(OpError::BadArgument(format!(
            "`text` has more than {MAX_TEXT_CHARS} characters; send it in parts"
        )));
    }
    request
        .keys
        .iter()
        .map(|name| {
            Key::from_name(name)
                .ok_or_else(|| OpError::BadArgument(format!("there is no key `{name}`; keys: {}", Key::names())))
        })
        .collect()
}

/// Sends the text in the form its reader takes; gives back what waits in the host instead.
async fn type_text(
    host: &Host,
    session: &SessionHandle,
    place: &Place,
    text: &str,
    enter: bool,
) -> Result<Option<String>, OpError> {
    match place.terminal {
        TerminalState::AtPrompt => at_prompt(host, session, place, text, enter).await,
        TerminalState::Menu => {
            if !enter {
                return hold(host, session, text);
            }
            let HeldLine::Complete(text) = host.input().add(session.id().as_str(), text, true) else {
                return Err(too_long(session, text));
            };
            let cleared = clear(host, session, place, by_agent(Action::MenuLine { text }, None)).await?;
            session.type_in(cleared).await?;
            Ok(None)
        }
        TerminalState::Running | TerminalState::AwaitingInput | TerminalState::Fullscreen | TerminalState::Unknown => {
            let action = Action::Type { text: text.to_owned(), enter };
            let cleared = clear(host, session, place, by_agent(action, None)).await?;
            session.type_in(cleared).await?;
            Ok(None)
        }
    }
}

/// A line for the shell: judged and run as a whole, whoever began it in how many pieces.
async fn at_prompt(
    host: &Host,
    session: &SessionHandle,
    place: &Place,
    text: &str,
    enter: bool,
) -> Result<Option<String>, OpError> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let (text, enter) = match text.strip_suffix('\n') {
        Some(line) => (line, true),
        None => (text.as_str(), enter),
    };
    if !enter {
        return hold(host, session, text);
    }
    let HeldLine::Complete(line) = host.input().add(session.id().as_str(), text, true) else {
        return Err(too_long(session, text));
    };
    if line.trim().is_empty() {
        return Ok(None);
    }
    let action = Action::Run { line, delivery: Delivery::ShellLine, opens: None };
    let cleared = clear(host, session, place, by_agent(action, None)).await?;
    session.submit(cleared, None).await?;
    Ok(None)
}

fn hold(host: &Host, session: &SessionHandle, text: &str) -> Result<Option<String>, OpError> {
    match host.input().add(session.id().as_str(), text, false) {
        HeldLine::Waiting(line) => Ok(Some(line)),
        HeldLine::Complete(_) | HeldLine::TooLong => Err(too_long(session, text)),
    }
}

fn too_long(session: &SessionHandle, text: &str) -> OpError {
    let reason = "the line built up so far is longer than any shell line should be; press ctrl-c to drop it";
    let refusal = Gate::refuse(Typist::Agent, text, "input/too-long", reason);
    OpError::Refused { refusal, session_id: session.id().to_string() }
}

async fn press(host: &Host, session: &SessionHandle, place: &Place, key: Key) -> Result<(), OpError> {
    if key.is_interrupt() {
        host.input().clear(session.id().as_str());
    }
    let cleared: Cleared = if key == Key::Enter && place.terminal == TerminalState::Menu {
        clear(host, session, place, by_agent(Action::MenuLine { text: String::new() }, None)).await?
    } else {
        clear(host, session, place, by_agent(Action::Press { key }, None)).await?
    };
    session.type_in(cleared).await?;
    Ok(())
}

/// Waits until the wanted text appears in the output after `since`, or the screen has settled.
pub(super) async fn settle(
    session: &SessionHandle,
    since: u64,
    wanted: Option<&str>,
    wait: Duration,
) -> Result<(Reading, Option<bool>), OpError> {
    let until = Instant::now() + wait;
    let Some(mut events) = session.events() else { return Ok((session.read().await?, wanted.map(|_| false))) };
    loop {
        let reading = session.read().await?;
        let changed = reading.generation > since;
        let seen = wanted.map(|wanted| changed && reading.screen.text().contains(wanted));
        let quiet = Duration::from_millis(reading.quiet_ms);
        let done = match seen {
            Some(seen) => seen,
            None => changed && quiet >= SETTLED,
        };
        let left = until.saturating_duration_since(Instant::now());
        if done || left.is_zero() || session.is_closed() {
            return Ok((reading, seen));
        }
        let pause = if wanted.is_none() && changed { SETTLED.saturating_sub(quiet) } else { left };
        // A lagged receiver only means that much has happened; the screen is read anew anyway.
        drop(tokio::time::timeout(pause.min(left), events.recv()).await);
    }
}

/// A person's keys from the viewer.
///
/// # Errors
/// When there is no such session or it is closed.
pub async fn send_human_keys(host: &Host, session_id: &str, bytes: Vec<u8>) -> Result<(), OpError> {
    let session = find_session(host, Some(session_id))?;
    let destination = destination(host, &session)?;
    let place =
        Place { session_id: session_id.to_owned(), destination, levels: Vec::new(), terminal: TerminalState::Unknown };
    let intent = Intent { actor: Typist::Human, action: Action::Human { bytes }, purpose: None };
    let cleared = clear(host, &session, &place, intent).await?;
    session.type_in(cleared).await.map_err(|error| OpError::from(error).in_session(session_id))
}
