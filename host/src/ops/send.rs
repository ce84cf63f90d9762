//! Typing that is not a command line of its own: answers, keys, a person's keystrokes.

use std::time::{Duration, Instant};

use portcullis_sandbox::policy::{Delivery, TerminalState};
use portcullis_term::track::Expectation;
use portcullis_term::{CommandId, LevelKind, NotReady, Typist};
use serde::Serialize;

use super::answer::{Answer, Standing, Typed, Wanted, settled_screen};
use super::run::{LEVEL_PROMPT, opens, secret_asked};
use super::stop::standing;
use super::{
    EnterKey, Excerpt, OpError, by_agent, clear, clear_in_time, destination, excerpt, find_session, place, turn,
};
use crate::config::Secret;
use crate::gate::{Action, Cleared, Gate, HeldLine, Intent, Key, Place};
use crate::host::Host;
use crate::random;
use crate::session::{Reading, SessionError, SessionHandle, SessionSummary, SubmitOptions};

/// A menu's answer comes in one go; a shell behind it may take a moment longer.
const MENU_SETTLES: Duration = Duration::from_secs(1);
/// A prompt is on the screen already when its shell is entered.
const SHELL_PROMPT: Duration = Duration::from_secs(10);
/// Longest text of one call, in characters.
const MAX_TEXT_CHARS: usize = 8192;

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
    /// The same as a regular expression.
    pub wait_pattern: Option<String>,
    pub wait: Duration,
    /// Longest wait for an answer where nothing is waited for; the whole of `wait` when none is given.
    pub settle: Option<Duration>,
    /// What Enter sends, where it is not what the profile says.
    pub enter_key: Option<EnterKey>,
    /// While a person types or holds the input the call waits; otherwise it is refused at once.
    pub waits_its_turn: bool,
    pub max_chars: usize,
}

#[derive(Debug, Serialize)]
pub struct SendReport {
    pub session: SessionSummary,
    #[serde(flatten)]
    pub standing: Standing,
    /// The command that reads the keys, or that they have started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    pub screen: String,
    /// What was printed since the keys, without the echo of what was sent.
    pub output: String,
    pub output_omitted_chars: usize,
    /// Whether what was waited for appeared; none when nothing was.
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
    let wanted = Wanted::new(request.wait_for.as_deref(), request.wait_pattern.as_deref())?;
    let only_stops = request.text.is_none() && !request.enter && keys.iter().all(|key| key.is_interrupt());
    let until = Instant::now() + request.wait;
    let patience = turn::patience(request.waits_its_turn, until);
    let held_back = match only_stops || only_kept(session, &request) {
        true => None,
        false => turn::wait(session, patience, request.text.is_some() || request.enter).await?,
    };
    let reading = session.read().await?;
    if let (Some(stopping), false) = (session.being_stopped(), only_stops) {
        return Err(SessionError::NotReady(NotReady::Running(stopping)).into());
    }
    if reading.asks_for_secret && !only_stops {
        return Err(secret_asked(session, &reading.screen));
    }
    let mut typing = Typing::new(host, session, &reading, until, request.enter_key)?;
    typing.notes.extend(held_back);
    // Enter named as the first key completes the text like the flag does.
    let enter = request.enter || (request.text.is_some() && keys.first() == Some(&Key::Enter));
    let keys = if enter && !request.enter { &keys[1..] } else { &keys[..] };
    if request.text.is_some() || enter {
        typing.text(request.text.as_deref().unwrap_or_default(), enter).await?;
    }
    typing.press_all(keys).await?;
    let Typing { place, until, typed, held_line, mut notes, leads_on, .. } = typing;
    let left = until.saturating_duration_since(Instant::now());
    let left = request.settle.filter(|_| !wanted.is_something()).map_or(left, |settle| left.min(settle));
    let wait = if held_line.is_some() && keys.is_empty() { Duration::ZERO } else { left };
    let mut answer = typed.answer(session, &wanted, wait).await?;
    let is_over = answer.known.as_ref().is_some_and(|known| !known.outcome.is_open());
    if (answer.found == Some(false) && is_over) || (answer.found == Some(true) && leads_on && !is_over) {
        look_at_prompt(session, &typed, &wanted, until, &mut answer).await?;
    }
    let Answer { mut reading, printed, found, known } = answer;
    if place.terminal == TerminalState::Menu && held_line.is_none() {
        // The text waited for may come before the prompt behind it.
        reading = settled_screen(session, typed.since, MENU_SETTLES).await?;
        if reading.shows_shell_prompt {
            notes.push(enter_shell(session, &reading).await?);
            reading = session.read().await?;
        }
    }
    let session = session.summary();
    let Excerpt { text: output, omitted_chars: output_omitted_chars, .. } = excerpt(&printed, request.max_chars);
    Ok(SendReport {
        job_id: known.as_ref().map(|known| known.command_id.to_string()),
        standing: known.map_or_else(|| Standing::State { outcome: session.state.clone() }, Standing::Command),
        session,
        screen: reading.screen.text(),
        output,
        output_omitted_chars,
        found,
        held_line,
        notes,
    })
}

/// The prompt behind a command is none of its output, and often what is waited for: that of another place, which a
/// moment later is ready for the next line.
async fn look_at_prompt(
    session: &SessionHandle,
    typed: &Typed,
    wanted: &Wanted,
    until: Instant,
    answer: &mut Answer,
) -> Result<(), OpError> {
    session.until_prompt(LEVEL_PROMPT.min(until.saturating_duration_since(Instant::now()))).await;
    answer.reading = session.read().await?;
    answer.found = Some(answer.found == Some(true) || wanted.found(&answer.reading.line) == Some(true));
    if let Some(job) = typed.job {
        answer.known = Some(standing(session, job).await?);
    }
    Ok(())
}

/// Text that waits in the host for its Enter; nothing of it is typed.
fn only_kept(session: &SessionHandle, request: &SendRequest) -> bool {
    let is_piece = request.text.as_ref().is_some_and(|text| !text.contains(['\r', '\n']));
    let kept_here = matches!(session.summary().state.as_str(), "at_prompt" | "menu");
    is_piece && !request.enter && request.keys.is_empty() && kept_here
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

/// Typing for one call.
struct Typing<'a> {
    host: &'a Host,
    session: &'a SessionHandle,
    place: Place,
    until: Instant,
    enter_key: Option<EnterKey>,
    typed: Typed,
    held_line: Option<String>,
    /// The line that was run should lead to another place.
    leads_on: bool,
    /// Nothing more is typed in this call.
    stopped_short: bool,
    notes: Vec<String>,
}

impl<'a> Typing<'a> {
    fn new(
        host: &'a Host,
        session: &'a SessionHandle,
        reading: &Reading,
        until: Instant,
        enter_key: Option<EnterKey>,
    ) -> Result<Self, OpError> {
        let place = place(session, &destination(host, session)?, reading);
        if place.terminal == TerminalState::AtPrompt {
            host.input().forget_typed(session.id().as_str());
        }
        let typed = Typed::new(reading);
        let notes = Vec::new();
        Ok(Self {
            host,
            session,
            place,
            until,
            enter_key,
            typed,
            held_line: None,
            leads_on: false,
            stopped_short: false,
            notes,
        })
    }

    /// Sends the text in the form its reader takes, or keeps it until its Enter.
    async fn text(&mut self, text: &str, enter: bool) -> Result<(), OpError> {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        match self.place.terminal {
            TerminalState::AtPrompt => self.at_prompt(&text, enter).await,
            TerminalState::Menu if !enter && !text.contains('\n') => self.hold(&text),
            TerminalState::Menu => {
                let begun = self.host.input().waiting(self.id());
                let HeldLine::Complete(text) = self.host.input().add(self.id(), &text, true) else {
                    return Err(self.too_long(&text));
                };
                let sent = self.lines(&text, true).await;
                self.kept_for_next_call(sent, &begun)
            }
            TerminalState::Running
            | TerminalState::AwaitingInput
            | TerminalState::Fullscreen
            | TerminalState::Unknown => self.lines(&text, enter).await,
        }
    }

    /// Several lines go one by one, each when the one before was taken, as long as the same reader is there.
    async fn lines(&mut self, text: &str, enter: bool) -> Result<(), OpError> {
        let (text, enter) = text.strip_suffix('\n').map_or((text, enter), |lines| (lines, true));
        let lines: Vec<&str> = text.split('\n').collect();
        for (number, line) in lines.iter().enumerate() {
            let is_last = number + 1 == lines.len();
            match self.line(line, enter || !is_last).await {
                // The lines before it must not be sent again.
                Err(waits @ OpError::AwaitingApproval(_)) if number > 0 => {
                    self.stops_short(
                        format!("{number} of {} lines were sent; the rest is to be sent again", lines.len()),
                        &waits,
                    );
                    break;
                }
                sent => sent?,
            }
            if !is_last && let Some(reason) = self.taken().await? {
                self.notes.push(format!("{} of {} lines were sent: {reason}", number + 1, lines.len()));
                break;
            }
        }
        Ok(())
    }

    /// Waits until the line just sent was taken; why the next one cannot go there, or `None` when it can.
    async fn taken(&mut self) -> Result<Option<String>, OpError> {
        let reading = self.typed.line_taken(self.session, self.until).await?;
        let is_menu = |place: &Place| place.terminal == TerminalState::Menu;
        let now = place(self.session, &self.place.destination, &reading);
        let reason = if reading.asks_for_secret {
            Some("the terminal asks for a secret now")
        } else if now.terminal == TerminalState::AtPrompt || is_menu(&now) != is_menu(&self.place) {
            Some("another program reads the terminal now")
        } else if Instant::now() >= self.until {
            Some("the time of this call is over")
        } else {
            None
        };
        self.place = now;
        Ok(reason.map(str::to_owned))
    }

    async fn line(&mut self, text: &str, enter: bool) -> Result<(), OpError> {
        let is_menu = self.place.terminal == TerminalState::Menu;
        let begun = self.host.input().begun(self.id()).filter(|begun| !is_menu || begun.is_empty());
        let before = match begun {
            Some(before) => before,
            // A program on the whole screen has no line that a key could have changed.
            None if self.place.terminal == TerminalState::Fullscreen => String::new(),
            None => return Err(self.line_not_known(text)),
        };
        let action = if is_menu {
            Action::MenuLine { text: text.to_owned() }
        } else if before.trim().is_empty() && text.is_empty() {
            Action::Press { key: Key::Enter }
        } else {
            Action::Type { before, text: text.to_owned(), enter }
        };
        let cleared = self.cleared(action).await?;
        self.session.type_in_with(cleared, self.enter_key).await?;
        if !is_menu {
            self.host.input().typed(self.id(), text, enter);
        }
        self.echoed(text, enter);
        Ok(())
    }

    /// Enter would complete a line of which the host has not seen every part.
    fn line_not_known(&self, text: &str) -> OpError {
        let reason = "a line was begun here and then edited, or begun in a menu by a person, so what Enter would \
                      complete is not known; press ctrl-c to drop it, or let the person finish it";
        let refusal = Gate::refuse(Typist::Agent, text, "input/unseen-line", reason);
        OpError::Refused { refusal, session_id: self.id().to_owned() }
    }

    fn echoed(&mut self, text: &str, enter: bool) {
        self.typed.echo.push_str(text);
        if enter {
            self.typed.echo.push('\n');
        }
    }

    /// A line for the shell: judged and run as a whole, whoever began it in how many pieces.
    async fn at_prompt(&mut self, text: &str, enter: bool) -> Result<(), OpError> {
        let (text, enter) = text.strip_suffix('\n').map_or((text, enter), |line| (line, true));
        if !enter {
            return self.hold(text);
        }
        let begun = self.host.input().waiting(self.id());
        let HeldLine::Complete(line) = self.host.input().add(self.id(), text, true) else {
            return Err(self.too_long(text));
        };
        if line.trim().is_empty() {
            return Ok(());
        }
        let options = SubmitOptions { opens: opens(&line)?, enter: self.enter_key, ..SubmitOptions::default() };
        self.leads_on = options.opens.is_some();
        self.echoed(&line, true);
        let action = Action::Run { line, delivery: Delivery::ShellLine, opens: None };
        let cleared = self.cleared(action).await;
        let cleared = self.kept_for_next_call(cleared, &begun)?;
        let submitted = self.session.submit(cleared, options).await.map_err(OpError::from);
        let ticket = self.kept_for_next_call(submitted, &begun)?;
        self.started(ticket.command_id);
        Ok(())
    }

    /// Asks the gate, and a person where that is needed, for as long as the call may take.
    async fn cleared(&mut self, action: Action) -> Result<Cleared, OpError> {
        let intent = by_agent(action, None);
        // What this call has typed already belongs to the place, and a rule set meanwhile holds.
        let now = place(self.session, &self.place.destination, &self.session.position().await?);
        (self.place.reader, self.place.session_rules) = (now.reader, now.session_rules);
        let cleared = clear_in_time(self.host, self.session, &self.place, intent, &mut self.until).await?;
        let asked = cleared.warnings().into_iter().filter(|ruling| ruling.verdict == "ask");
        self.notes.extend(asked.map(|ruling| format!("rule {}: {}", ruling.rule_id, ruling.reason)));
        Ok(cleared)
    }

    /// The same call is made again while a person decides or has the input; what was held before it has to be
    /// there then.
    fn kept_for_next_call<T>(&self, sent: Result<T, OpError>, begun: &str) -> Result<T, OpError> {
        let again = match &sent {
            Err(OpError::AwaitingApproval(_)) => true,
            Err(OpError::Session { source, .. }) => matches!(source, SessionError::Held { .. }),
            _ => false,
        };
        if again && !begun.is_empty() {
            self.host.input().add(self.id(), begun, false);
        }
        sent
    }

    /// Part of the call was typed, the rest waits for a person: the same call would type that part twice.
    fn stops_short(&mut self, what: String, waits: &OpError) {
        self.notes.push(format!("{what}: {waits}"));
        self.stopped_short = true;
    }

    async fn press_all(&mut self, keys: &[Key]) -> Result<(), OpError> {
        for key in keys.iter().take_while(|_| !self.stopped_short).copied().collect::<Vec<_>>() {
            match self.press(key).await {
                Err(waits @ OpError::AwaitingApproval(_)) if !self.typed.echo.is_empty() => {
                    self.stops_short(format!("the key {} and what follows were not pressed", key.name()), &waits);
                    break;
                }
                pressed => pressed?,
            }
        }
        Ok(())
    }

    fn started(&mut self, command_id: CommandId) {
        self.typed.job = Some(command_id);
        self.typed.is_new = true;
        self.place.terminal = TerminalState::Running;
    }

    fn hold(&mut self, text: &str) -> Result<(), OpError> {
        match self.host.input().add(self.id(), text, false) {
            HeldLine::Waiting(line) => {
                self.held_line = Some(line);
                Ok(())
            }
            HeldLine::Complete(_) | HeldLine::TooLong => Err(self.too_long(text)),
        }
    }

    fn too_long(&self, text: &str) -> OpError {
        let reason = "the line built up so far is longer than any shell line should be; press ctrl-c to drop it";
        let refusal = Gate::refuse(Typist::Agent, text, "input/too-long", reason);
        OpError::Refused { refusal, session_id: self.id().to_owned() }
    }

    async fn press(&mut self, key: Key) -> Result<(), OpError> {
        if key.is_interrupt() {
            self.host.input().clear(self.id());
        }
        if key == Key::Enter && self.place.terminal != TerminalState::AtPrompt {
            // What was typed before is part of the line that it completes.
            return self.line("", true).await;
        }
        let cleared = clear(self.host, self.session, &self.place, by_agent(Action::Press { key }, None)).await?;
        self.session.type_in_with(cleared, self.enter_key).await?;
        self.followed(key);
        self.typed.echo.push_str(&key.echo());
        Ok(())
    }

    /// What the key does to the line that a later Enter completes. A program on the whole screen has none.
    fn followed(&self, key: Key) {
        if key == Key::Enter || key.is_interrupt() {
            return;
        }
        let (input, id) = (self.host.input(), self.id());
        match self.place.terminal {
            // A client's statement may come from its history now.
            _ if self.place.at_repl => input.edited(id),
            TerminalState::Fullscreen => {}
            _ => input.pressed(id, key),
        }
    }

    fn id(&self) -> &'a str {
        self.session.id().as_str()
    }
}

/// A person's keys from the viewer. `by` is their name, where it is known.
///
/// # Errors
/// When there is no such session or it is closed.
pub async fn send_human_keys(host: &Host, session_id: &str, bytes: Vec<u8>, by: Option<String>) -> Result<(), OpError> {
    let typed = bytes.clone();
    by_person(host, session_id, Action::Human { bytes }, by).await?;
    // At a prompt the terminal itself knows that its line is not empty.
    host.input().person_typed(session_id, &typed);
    Ok(())
}

/// A person's answer to the terminal's question for a secret, with Enter behind it.
///
/// # Errors
/// When the terminal asks for none now; nothing was typed then. Otherwise as [`send_human_keys`].
pub async fn send_human_secret(
    host: &Host,
    session_id: &str,
    value: Secret,
    by: Option<String>,
) -> Result<(), OpError> {
    by_person(host, session_id, Action::HumanSecret { value }, by).await
}

async fn by_person(host: &Host, session_id: &str, action: Action, by: Option<String>) -> Result<(), OpError> {
    let session = find_session(host, Some(session_id))?;
    let destination = destination(host, &session)?;
    let place = Place {
        session_id: session_id.to_owned(),
        destination,
        session_rules: None,
        levels: Vec::new(),
        terminal: TerminalState::Unknown,
        at_repl: false,
        reader: String::new(),
    };
    let intent = Intent { actor: Typist::Human, action, purpose: None };
    let cleared = clear(host, &session, &place, intent).await?;
    session.persons_keys(cleared, by).await.map_err(|error| OpError::from(error).in_session(session_id))
}
