//! Levels that a line opens: su, sudo, ssh and pods, and the password that some of them ask for.
//!
//! The host tells when the level is there. Where a password is asked for instead, it refuses the
//! step; the secret is then given by its name, or else by a person in the viewer, once, and the prompt is
//! waited for.

use navigator_common::pods;
use navigator_common::screen::{Sent, last_line, shown};
use portcullis_plugin::navigator::{CommandResult, Event, Failure, Screen, Step, WaitFor};
use portcullis_plugin::{Attribute, Level, LevelKind, ShellDialect};

use crate::script::{Ready, ReadyStep};
use crate::way::{Pending, Way};

/// For the screen that shows why a level was not entered.
const LOOK_MS: u32 = 300;
/// For a shell behind a password; `su` alone takes seconds over a wrong one.
const LOGIN_MS: u32 = 15_000;

/// A line that was run to open a level.
#[derive(Debug)]
pub(crate) struct Open {
    label: String,
    secret: Option<String>,
    stage: Stage,
    then: String,
}

#[derive(Debug)]
enum Stage {
    Line,
    /// Why the host did not enter the level.
    Refused(String),
    Secret(Sent),
}

impl Way {
    pub(crate) fn open(&mut self, line: String, level: Level, secret: Option<String>, then: String) -> Step {
        self.pending = Pending::Opened(Open { label: level.label.clone(), secret, stage: Stage::Line, then });
        Step::OpenLevel((line, level))
    }

    /// What became of the line.
    pub(crate) fn opened(&mut self, open: Open, event: Event) -> Step {
        match event {
            Event::LevelEntered(screen) => self.go(open.then, &screen),
            Event::Refused(reason) => match open.stage {
                Stage::Line => {
                    self.pending = Pending::Opened(Open { stage: Stage::Refused(reason), ..open });
                    Step::Wait(WaitFor { any_text: Vec::new(), quiet_ms: 0, max_ms: LOOK_MS })
                }
                Stage::Refused(_) | Stage::Secret(_) => {
                    let code = if open.secret.is_some() { "refused" } else { "person-needed" };
                    Failure::step(code, format!("the password of {} was not given: {reason}", open.label), Vec::new())
                }
            },
            Event::ScreenChanged(screen) => self.behind_password(open, &screen, false),
            Event::TimedOut(screen) => self.behind_password(open, &screen, true),
            Event::CommandFinished(result) => not_opened(&open.label, &result),
            Event::Start(screen) => self.go(open.then, &screen),
            Event::Answer(_) => Failure::step("unexpected-answer", "nobody was asked", Vec::new()),
        }
    }

    fn behind_password(&mut self, open: Open, screen: &Screen, timed_out: bool) -> Step {
        let lines = screen.lines();
        match (&open.stage, open.secret.clone()) {
            (Stage::Refused(reason), _) if !last_line(&lines).is_some_and(asks_password) => {
                Failure::step("level-not-reached", reason.clone(), shown(&lines))
            }
            (Stage::Refused(_), secret) => {
                let question = format!("The password on the way to {}", open.label);
                self.pending = Pending::Opened(Open { stage: Stage::Secret(Sent::new("", &lines)), ..open });
                secret.map_or(Step::AskPerson(question), Step::SendSecret)
            }
            (Stage::Secret(_), _) if screen.at_prompt => self.go(open.then, screen),
            (Stage::Secret(sent), _) => {
                let said = sent.answered(&lines).unwrap_or_default();
                if last_line(&said).is_some_and(asks_password) {
                    let message = format!("the way to {} did not take the password", open.label);
                    return Failure::step("secret-refused", message, shown(&said));
                }
                if timed_out {
                    let message = format!("no shell of {} appeared behind the password", open.label);
                    return Failure::step("level-not-reached", message, shown(&lines));
                }
                self.pending = Pending::Opened(open);
                Step::Wait(WaitFor { any_text: Vec::new(), quiet_ms: 0, max_ms: LOGIN_MS })
            }
            (Stage::Line, _) => {
                let message = format!("no shell of {} appeared", open.label);
                Failure::step("level-not-reached", message, shown(&lines))
            }
        }
    }

    /// The steps that are written already.
    pub(crate) fn ready(&mut self, ready: &Ready, then: String) -> Result<Option<Step>, Box<Step>> {
        let word = |text: &Option<String>| text.as_ref().map_or_else(|| Ok(String::new()), |text| self.fill(text));
        let (user, host) = (word(&ready.user)?, word(&ready.host)?);
        let elevated = || shell(LevelKind::ElevatedShell, &user, &[("user", &user)]);
        let (line, level) = match ready.step {
            ReadyStep::Su => (format!("su - {user}"), elevated()),
            ReadyStep::Sudo => (format!("sudo -i -u {user}"), elevated()),
            // A host key that is not known ends the step; nobody says yes to it unseen.
            ReadyStep::Ssh => (
                format!("ssh -o StrictHostKeyChecking=yes {user}@{host}"),
                shell(LevelKind::Shell, &host, &[("address", &host), ("user", &user)]),
            ),
            ReadyStep::KubectlExec => return Ok(self.list_pods(then)),
        };
        if !line.chars().all(|symbol| symbol.is_alphanumeric() || " -_.:@=".contains(symbol)) {
            return Err(Box::new(Failure::step("unreadable", "a value that was read is no plain word", Vec::new())));
        }
        let secret = self.fill_optional(ready.secret.as_ref());
        Ok(Some(self.open(line, level, secret, then)))
    }

    /// Nothing to do where the route names no pod.
    fn list_pods(&mut self, then: String) -> Option<Step> {
        let command = self.pod.as_ref()?.listing();
        self.pending = Pending::Pods(then);
        Some(Step::RunCommand(command))
    }

    pub(crate) fn pods_listed(&mut self, then: String, result: &CommandResult) -> Step {
        let host = self.values.get("name").or(self.values.get("target")).cloned().unwrap_or_default();
        let Some(pod) = &self.pod else { return Failure::step("unreadable", "no pod was asked for", Vec::new()) };
        match pod.opening(&host, result) {
            Ok((line, level)) => {
                self.values.insert("pod_label".to_owned(), level.label.clone());
                self.open(line, level, None, then)
            }
            Err(end) => *end,
        }
    }
}

fn not_opened(label: &str, result: &CommandResult) -> Step {
    if label.contains('/') {
        return pods::not_opened(label, result);
    }
    let rows: Vec<String> = result.output.lines().map(str::to_owned).collect();
    Failure::step("level-not-reached", format!("the line ended without a shell of {label}"), shown(&rows))
}

fn shell(kind: LevelKind, label: &str, attributes: &[(&str, &str)]) -> Level {
    Level {
        kind,
        label: label.to_owned(),
        dialect: ShellDialect::Unknown,
        attributes: attributes.iter().map(|(key, value)| Attribute::new(*key, *value)).collect(),
    }
}

fn asks_password(line: &str) -> bool {
    let line = line.trim_end().to_lowercase();
    let asked = line.trim_end_matches([':', '：']);
    line.len() > asked.len() && ["password", "密码", "口令", "passphrase"].iter().any(|word| asked.contains(word))
}
