//! A session as one who works with it by name and position looks at it: where it is, what is kept of it, what
//! has the terminal; waiting for news of it; its latest lines; its size.
//!
//! Nothing is sent to the remote side, but for the size.

use std::time::{Duration, Instant};

use portcullis_term::{AwaitingKind, CommandId, Completion, Outcome};

use super::read::command_id;
use super::stop::standing;
use super::{OpError, destination, find_session};
use crate::clock;
use crate::config::{PolicyMode, TerminalSize};
use crate::host::Host;
use crate::session::{LineRange, SessionHandle, SessionSummary, Vitals};

/// A session at one moment.
#[derive(Debug, Clone)]
pub struct SessionView {
    pub summary: SessionSummary,
    /// Host name or address and port of the session's own profile.
    pub address: String,
    pub port: u16,
    pub user: String,
    pub policy_mode: PolicyMode,
    /// The operator's and the session's own, switched-off ones too.
    pub custom_rules: usize,
    /// After how long without anything happening it is closed; zero keeps it open.
    pub idle_close: Duration,
    pub vitals: Vitals,
    pub last_activity_unix_ms: u64,
    /// What has the terminal, as far as it is known.
    pub terminal: TerminalUse,
    /// The command that runs in the foreground.
    pub running: Option<CommandId>,
}

/// What reads the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminalUse {
    /// A shell, or what a shell runs.
    Shell,
    /// Something that asks for a secret.
    Secret,
    Pager,
    /// A program on the whole screen.
    Fullscreen,
    /// Nothing that is known, or nothing any more.
    Unknown,
}

/// Looks at a session.
///
/// # Errors
/// When there is no such session.
pub async fn view(host: &Host, session_id: &str) -> Result<SessionView, OpError> {
    let session = find_session(host, Some(session_id))?;
    look(host, &session).await.map_err(|error| error.in_session(session.id().as_str()))
}

async fn look(host: &Host, session: &SessionHandle) -> Result<SessionView, OpError> {
    let destination = destination(host, session)?;
    let position = session.position().await?;
    let outcome = session.interim().await?.map(|interim| interim.outcome);
    let summary = session.summary();
    let terminal = match (summary.state.as_str(), outcome) {
        ("closed", _) => TerminalUse::Unknown,
        _ if position.asks_for_secret => TerminalUse::Secret,
        (_, Some(Outcome::AwaitingInput { kind: AwaitingKind::Pager, .. })) => TerminalUse::Pager,
        ("fullscreen", _) | (_, Some(Outcome::Fullscreen)) => TerminalUse::Fullscreen,
        ("unknown", _) => TerminalUse::Unknown,
        _ => TerminalUse::Shell,
    };
    let profile = &destination.profile;
    Ok(SessionView {
        address: profile.host.clone(),
        port: profile.port,
        user: profile.user.clone(),
        policy_mode: destination.policy_mode,
        custom_rules: destination.rules.all.len() + summary.rules.all().len(),
        idle_close: session.idle_close(),
        vitals: session.vitals().await?,
        last_activity_unix_ms: session.last_activity_unix_ms(),
        terminal,
        running: position.running,
        summary,
    })
}

/// News to wait for: output beyond `output`, or a line beyond `line`.
#[derive(Debug, Clone, Copy)]
pub struct NewsRequest {
    /// In bytes; none for what is there now.
    pub output: Option<u64>,
    /// The number of the next line, as far as the caller knows; none for what it is now.
    pub line: Option<u64>,
    pub wait: Duration,
}

#[derive(Debug, Clone, Copy)]
pub struct News {
    pub output_changed: bool,
    pub line_changed: bool,
    pub waited: Duration,
    /// Where the waiting began.
    pub output: u64,
    pub line: u64,
}

/// Waits until there is news of the session, it is closed, or the time is over.
///
/// # Errors
/// When there is no such session.
pub async fn news(host: &Host, session_id: &str, request: NewsRequest) -> Result<News, OpError> {
    let session = find_session(host, Some(session_id))?;
    let began = Instant::now();
    // Nothing that happens between the look and the wait is missed: events are subscribed to before.
    let mut events = session.events();
    let first = session.vitals().await?;
    let (output, line) = (request.output.unwrap_or(first.end.0), request.line.unwrap_or(first.next_line));
    loop {
        let now = session.vitals().await?;
        let (output_changed, line_changed) = (now.end.0 > output, now.next_line > line);
        let left = request.wait.saturating_sub(began.elapsed());
        let open = events.as_mut().filter(|_| !session.is_closed() && !left.is_zero());
        match open {
            Some(events) if !output_changed && !line_changed => {
                drop(tokio::time::timeout(left, events.recv()).await);
            }
            _ => return Ok(News { output_changed, line_changed, waited: began.elapsed(), output, line }),
        }
    }
}

/// The newest `count` lines of the session's history, oldest first.
///
/// # Errors
/// When there is no such session.
pub async fn latest_lines(host: &Host, session_id: &str, count: u64) -> Result<Vec<String>, OpError> {
    let session = find_session(host, Some(session_id))?;
    let cut = session.read_history(LineRange::Newest(count)).await?;
    Ok(cut.lines(session.summary().columns).into_iter().map(|line| line.text).collect())
}

/// How the command stands now.
///
/// # Errors
/// When there is no such session or command.
pub async fn standing_of(host: &Host, session_id: &str, job_id: &str) -> Result<Completion, OpError> {
    let session = find_session(host, Some(session_id))?;
    standing(&session, command_id(job_id)?).await.map_err(|error| error.in_session(session_id))
}

/// Gives an open session's terminal another size.
///
/// # Errors
/// When there is no such session, it is closed, or the size is none.
pub async fn resize(host: &Host, session_id: &str, columns: u16, rows: u16) -> Result<(), OpError> {
    let session = find_session(host, Some(session_id))?;
    let size = TerminalSize::new(columns, rows).map_err(OpError::BadArgument)?;
    session.resize(size).await.map_err(|error| OpError::from(error).in_session(session.id().as_str()))
}

/// When the session is closed if nothing happens in it, in milliseconds since 1970-01-01 UTC; none where it is not.
pub fn idle_expires_unix_ms(view: &SessionView) -> Option<u64> {
    let closes = !view.idle_close.is_zero() && view.summary.closed_reason.is_none();
    let left = view.idle_close.saturating_sub(view.vitals.idle);
    closes.then(|| clock::unix_ms() + u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
}
