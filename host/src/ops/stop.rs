//! Stopping a command, step by step; closing a session.
//!
//! The ladder is `INT` (ctrl-c), then `TERM`, then `KILL`. The last two need the shell's own job
//! control: ctrl-z brings back the prompt of the shell that runs the command, and a line typed there
//! sends the signal and waits for the job in the foreground, so that the shell itself tells the code.
//! Where no known prompt comes back nothing is typed. Every step is recorded with the command.

use std::sync::Arc;
use std::time::Duration;

use portcullis_term::{CommandId, Completion, Outcome, ShellKind, Typist};
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::answer::printed_since;
use super::{OpError, clear, destination, find_session, place};
use crate::config::Destination;
use crate::gate::{Action, Intent, StopSignal, StopStep, stop_line};
use crate::host::Host;
use crate::session::{
    Resumes, SessionError, SessionHandle, SessionSummary, StopAttempt, StopGuard, SubmitOptions, ToldCodes,
};

/// A program that handles an interrupt or a signal tidily needs a moment.
const END_WAIT: Duration = Duration::from_secs(5);
/// A shell that is still starting the command may take the ctrl-c for itself, so a command this young gets
/// another one. An older one does not: many programs give up cleaning up at the second.
const YOUNG: Duration = Duration::from_millis(500);
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The shell's prompt after ctrl-z, over a slow line.
const SUSPEND_WAIT: Duration = Duration::from_secs(5);
/// The code a process killed by KILL leaves in every shell that tells one.
const KILLED: i32 = 128 + 9;
/// What shells give for a job stopped from the terminal: SIGTSTP is 20 on Linux, 18 on the BSDs.
const SUSPENDED: [i32; 2] = [128 + 20, 128 + 18];

#[derive(Debug, Clone)]
pub struct StopRequest {
    pub session_id: Option<String>,
    /// Stop this command and keep the session; none closes the session.
    pub job_id: Option<String>,
    /// Go on to TERM and KILL when the interrupt does not end it.
    pub force: bool,
}

#[derive(Debug, Serialize)]
pub struct StopReport {
    pub session: SessionSummary,
    /// What was stopped.
    pub stopped: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// Whether the end was seen.
    pub ended: bool,
    pub steps: Vec<StopAttempt>,
    /// What is known of the command now.
    #[serde(flatten)]
    pub completion: Option<Completion>,
}

/// Stops a command, or closes a session.
///
/// # Errors
/// When there is no such session or command, or somebody is stopping one there already.
pub async fn stop(host: &Host, request: StopRequest) -> Result<StopReport, OpError> {
    let session = find_session(host, request.session_id.as_deref())?;
    let id = session.id().to_string();
    match &request.job_id {
        None => Ok(close(host, &session).await),
        Some(job) => stop_job(host, &session, job, request.force).await.map_err(|error| error.in_session(&id)),
    }
}

async fn close(host: &Host, session: &SessionHandle) -> StopReport {
    let id = session.id().to_string();
    session.close("closed by the agent").await;
    host.input().clear(&id);
    StopReport {
        session: session.summary(),
        stopped: format!("session {id}"),
        job_id: None,
        ended: true,
        steps: Vec::new(),
        completion: None,
    }
}

async fn stop_job(host: &Host, session: &SessionHandle, job: &str, force: bool) -> Result<StopReport, OpError> {
    let command_id: CommandId =
        job.parse().map_err(|_| OpError::BadArgument(format!("`job_id` is `{job}`; a job is named like `c7`")))?;
    let steps = if standing(session, command_id).await?.outcome.is_open() {
        let guard = session.begin_stop(command_id).ok_or_else(|| OpError::BeingStopped {
            job_id: session.being_stopped().unwrap_or(command_id).to_string(),
            session_id: session.id().to_string(),
        })?;
        Ladder::new(host, session, command_id, guard)?.climb(Typist::Agent, force).await?
    } else {
        Vec::new()
    };
    let completion = standing(session, command_id).await?;
    Ok(StopReport {
        session: session.summary(),
        stopped: format!("job {job}"),
        job_id: Some(job.to_owned()),
        ended: is_end(&completion.outcome),
        steps,
        completion: Some(completion),
    })
}

/// The command as it stands, under its own number also when it goes on as another line's.
pub(super) async fn standing(session: &SessionHandle, command_id: CommandId) -> Result<Completion, OpError> {
    let record = session.read_command(command_id).await?.record;
    if let Some(settled) = record.completion.clone().filter(|known| !known.outcome.is_open()) {
        return Ok(settled);
    }
    let running = record.resumed_as.as_deref().and_then(|id| id.parse().ok()).unwrap_or(command_id);
    match session.interim().await? {
        Some(interim) if interim.command_id == running => Ok(Completion { command_id, ..interim }),
        // It ended between the two questions.
        _ => match session.read_command(command_id).await?.record.completion {
            Some(known) => Ok(known),
            None => Err(SessionError::UnknownCommand(command_id).into()),
        },
    }
}

/// The command is over; a lost connection says nothing about it.
fn is_end(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Completed { .. } | Outcome::PromptNoStatus | Outcome::LevelChanged { .. })
}

/// The command's end, or `None` when the time is over first.
async fn end_within(session: &SessionHandle, command_id: CommandId, within: Duration) -> Option<Completion> {
    tokio::time::timeout(within, end_of(session, command_id)).await.ok().flatten()
}

/// Waits for the command's end; `None` when the session ends first or does not know the command.
async fn end_of(session: &SessionHandle, command_id: CommandId) -> Option<Completion> {
    loop {
        let known = session.wait_command(command_id).await.ok()?;
        if !known.outcome.is_open() {
            return Some(known);
        }
    }
}

/// Stops one command; holds the right to do so.
struct Ladder<'a> {
    host: &'a Host,
    session: &'a SessionHandle,
    destination: Arc<Destination>,
    command_id: CommandId,
    /// What runs in the foreground: the command itself, or the line that brought it back.
    foreground: CommandId,
    steps: Vec<StopAttempt>,
    _guard: StopGuard,
}

impl<'a> Ladder<'a> {
    fn new(
        host: &'a Host,
        session: &'a SessionHandle,
        command_id: CommandId,
        guard: StopGuard,
    ) -> Result<Self, OpError> {
        let destination = destination(host, session)?;
        Ok(Self { host, session, destination, command_id, foreground: command_id, steps: Vec::new(), _guard: guard })
    }

    /// Goes up until the command's end is seen or a step is not possible.
    async fn climb(mut self, by: Typist, force: bool) -> Result<Vec<StopAttempt>, OpError> {
        let record = self.session.read_command(self.command_id).await?.record;
        if let Some(line) = record.resumed_as.as_ref().and_then(|id| id.parse().ok()) {
            self.foreground = line;
        }
        self.host.input().clear(self.session.id().as_str());
        let mut goes_on = self.interrupt(by, Duration::from_millis(record.duration_ms)).await?;
        for signal in [StopSignal::Term, StopSignal::Kill].into_iter().filter(|_| force) {
            if goes_on {
                goes_on = self.signal(signal).await?;
            }
        }
        Ok(self.steps)
    }

    async fn interrupt(&mut self, by: Typist, age: Duration) -> Result<bool, OpError> {
        self.press(StopStep::Interrupt, by).await?;
        let (mut how, mut wait) = ("ctrl-c", END_WAIT);
        if age < YOUNG {
            if let Some(end) = end_within(self.session, self.foreground, AGAIN_AFTER).await {
                self.note("INT", how.to_owned(), Some(&end)).await?;
                return Ok(false);
            }
            self.press(StopStep::Interrupt, by).await?;
            (how, wait) = ("ctrl-c, and again, because the command had only just begun", END_WAIT - AGAIN_AFTER);
        }
        let end = end_within(self.session, self.foreground, wait).await;
        self.note("INT", how.to_owned(), end.as_ref()).await?;
        Ok(end.is_none())
    }

    /// Whether the next step makes sense.
    async fn signal(&mut self, signal: StopSignal) -> Result<bool, OpError> {
        let pressed_at = self.session.read().await?.generation;
        match self.press(StopStep::Suspend, Typist::Automation).await {
            Ok(()) => {}
            Err(OpError::Session { source, .. }) => {
                let how = format!("not possible: ctrl-z could not be pressed ({source})");
                self.note(signal.name(), how, None).await?;
                return Ok(false);
            }
            Err(other) => return Err(other),
        }
        let Some(end) = end_within(self.session, self.foreground, SUSPEND_WAIT).await else {
            let how = "not possible: after ctrl-z no prompt of a known shell came back, so nothing was typed. \
                       What runs may ignore ctrl-z, or a part of it may now be suspended out of sight; closing the session \
                       (ssh_stop without job_id) hangs it up";
            self.note(signal.name(), how.to_owned(), None).await?;
            return Ok(false);
        };
        if !is_end(&end.outcome) {
            self.note(signal.name(), "ctrl-z; the connection ended then".to_owned(), None).await?;
            return Ok(false);
        }
        let printed = printed_since(self.session, pressed_at, None).await?;
        match suspended_job(&printed, &end.outcome) {
            None => {
                let how = "ctrl-z; the shell's prompt came back and nothing was suspended: it had ended".to_owned();
                self.note(signal.name(), how, Some(&end)).await?;
                Ok(false)
            }
            Some(job) => self.send_signal(signal, job).await,
        }
    }

    /// Brings the suspended job back into the foreground with the signal waiting for it.
    async fn send_signal(&mut self, signal: StopSignal, job: Option<u32>) -> Result<bool, OpError> {
        let reading = self.session.read().await?;
        let shell = reading.levels.last().map_or(ShellKind::Unknown, |level| level.shell);
        let line = stop_line(signal, shell, job);
        let place = place(self.session, &self.destination, &reading);
        let action = Action::Stop { step: StopStep::Signal { signal, shell, job } };
        let intent = Intent { actor: Typist::Automation, action, purpose: None };
        let cleared = clear(self.host, self.session, &place, intent).await?;
        let resumes = Some(Resumes { command_id: self.command_id, codes: told_codes(signal, shell) });
        let options = SubmitOptions { resumes, ..SubmitOptions::default() };
        let ticket = match self.session.submit(cleared, options).await {
            Ok(ticket) => ticket,
            Err(error) => {
                let how = format!(
                    "ctrl-z suspended it; `{}` could not be typed ({error}). It is left suspended: `fg` brings it back",
                    line.trim()
                );
                self.note(signal.name(), how, None).await?;
                return Ok(false);
            }
        };
        self.foreground = ticket.command_id;
        let end = end_within(self.session, self.foreground, END_WAIT).await;
        self.note(signal.name(), format!("ctrl-z, then `{}` as {}", line.trim(), ticket.command_id), end.as_ref())
            .await?;
        Ok(end.is_none())
    }

    async fn press(&self, step: StopStep, by: Typist) -> Result<(), OpError> {
        let reading = self.session.read().await?;
        let place = place(self.session, &self.destination, &reading);
        let intent = Intent { actor: by, action: Action::Stop { step }, purpose: None };
        let cleared = clear(self.host, self.session, &place, intent).await?;
        Ok(self.session.type_in(cleared).await?)
    }

    async fn note(&mut self, signal: &'static str, how: String, end: Option<&Completion>) -> Result<(), OpError> {
        let attempt = StopAttempt { signal, how, ended: end.is_some_and(|end| is_end(&end.outcome)) };
        self.steps.push(attempt.clone());
        Ok(self.session.note_stop(self.command_id, attempt).await?)
    }
}

fn told_codes(signal: StopSignal, shell: ShellKind) -> ToldCodes {
    match (shell, signal) {
        // Its `fg` leaves the status as it was.
        (ShellKind::Fish, _) => ToldCodes::None,
        (_, StopSignal::Term) => ToldCodes::All,
        // A process killed at once may be gone before `fg` looks for it; any other code is `fg`'s.
        (_, StopSignal::Kill) => ToldCodes::Only(KILLED),
    }
}

/// Whether the prompt came back because a job was suspended, and its number where the shell shows one:
/// told from the code, and from the shell's notice, because in a list of commands the code is that of
/// the next one, and mksh, fish and tcsh give another.
fn suspended_job(printed: &str, outcome: &Outcome) -> Option<Option<u32>> {
    let by_code = matches!(outcome, Outcome::Completed { exit_code: Some(code), .. } if SUSPENDED.contains(code));
    let lines = || printed.lines().map(|line| line.trim_start_matches("^Z").trim());
    // The newest notice is the one of this ctrl-z.
    lines().filter_map(notice).next_back().or_else(|| by_code.then(|| lines().filter_map(current_job).next_back()))
}

/// The number of the shell's current job, whatever the shell's language says of it: `[1]+  Angehalten`.
fn current_job(line: &str) -> Option<u32> {
    let (number, rest) = line.strip_prefix('[')?.split_once(']')?;
    rest.trim_start().starts_with('+').then_some(number.parse().ok())?
}

/// `[1]+  Stopped`, `zsh: suspended  …`, `fish: Job 1, '…' has stopped`, `Suspended`.
fn notice(line: &str) -> Option<Option<u32>> {
    let is_suspended = |words: &str| {
        let word = words.split([' ', '\t', '(']).next().unwrap_or_default().to_lowercase();
        ["stopped", "suspended"].contains(&word.as_str())
    };
    if let Some((number, rest)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let number = number.parse().ok()?;
        let rest = rest.trim_start_matches([' ', '+', '-']);
        return is_suspended(rest).then_some(Some(number));
    }
    if let Some((number, rest)) = line.strip_prefix("fish: Job ").and_then(|rest| rest.split_once(',')) {
        return rest.ends_with("has stopped").then_some(number.parse().ok());
    }
    let rest = line.strip_prefix("zsh: ").unwrap_or(line);
    let whole = rest.len() < line.len() || rest.trim() == "Suspended";
    (whole && is_suspended(rest)).then_some(None)
}

/// Stops a command when its time is over, whether or not anybody still waits for it.
pub(super) struct Deadline {
    /// True once stopping has begun: from then on what is reported of the command is not its own end.
    begun: watch::Receiver<bool>,
    steps: JoinHandle<Vec<StopAttempt>>,
}

impl Deadline {
    /// The task ends with the command, with the session, or when the command was stopped.
    pub(super) fn start(host: &Host, session: &SessionHandle, command_id: CommandId, after: Duration) -> Self {
        let (host, session) = (host.clone(), session.clone());
        let (begin, begun) = watch::channel(false);
        let steps = tokio::spawn(async move {
            if end_within(&session, command_id, after).await.is_some() || session.is_closed() {
                return Vec::new();
            }
            // Somebody who stops it already does all that can be done.
            let Some(guard) = session.begin_stop(command_id) else { return Vec::new() };
            begin.send_replace(true);
            let climbed = match Ladder::new(&host, &session, command_id, guard) {
                Ok(ladder) => ladder.climb(Typist::Automation, true).await,
                Err(error) => Err(error),
            };
            climbed.unwrap_or_else(|error| {
                tracing::warn!(session = %session.id(), %command_id, %error, "the command could not be stopped");
                vec![StopAttempt { signal: "INT", how: format!("not possible: {error}"), ended: false }]
            })
        });
        Self { begun, steps }
    }

    /// Waits until stopping begins; for ever when that never happens.
    pub(super) async fn begun(&mut self) {
        if self.begun.wait_for(|begun| *begun).await.is_err() {
            std::future::pending().await
        }
    }

    /// The steps, once all were made; what was made when `within` is over first stands in the record.
    pub(super) async fn steps(self, within: Duration) -> Option<Vec<StopAttempt>> {
        tokio::time::timeout(within, self.steps).await.ok().and_then(Result::ok)
    }
}

#[cfg(test)]
mod tests {
    use portcullis_term::ExitSource;

    use super::*;

    fn ended(code: i32) -> Outcome {
        Outcome::Completed { exit_code: Some(code), exit_source: ExitSource::Mark }
    }

    #[test]
    fn what_each_shell_prints_for_a_suspended_job_is_recognised() {
        let cases = [
            ("^Z\n[1]+  Stopped                 sleep 50\n", 148, Some(Some(1))),
            ("^Z[2] + Stopped                    sleep 50 | cat\n", 148, Some(Some(2))),
            ("^Z\n[1]+  Stopped                 sleep 50\n", 7, Some(Some(1))),
            ("^Z\n[1]+  Angehalten              sleep 50\n", 148, Some(Some(1))),
            ("^Z[1] + Stopped              \\sleep 50\n", 0, Some(Some(1))),
            ("^Z\nzsh: suspended  sleep 50\n", 148, Some(None)),
            ("^Z\nzsh: suspended  sleep 50\n", 7, Some(None)),
            ("^Zfish: Job 3, 'sleep 50' has stopped\n", 0, Some(Some(3))),
            ("^Z\nSuspended\n", 1, Some(None)),
            ("[2]+  停止 sleep 50\n[1]-  完成 sleep 1\n", 148, Some(Some(2))),
            ("", 148, Some(None)),
            ("the end\n", 0, None),
            ("[1]+  Done                    sleep 1\n", 0, None),
            ("Stopped listening\n", 3, None),
        ];
        for (printed, code, job) in cases {
            assert_eq!(suspended_job(printed, &ended(code)), job, "{printed:?} {code}");
        }
    }
}
