//! One row on one shell over one transport: the stage, what it may use, and what is counted.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::report::{Judged, Kind, Report, Wrong, check, wrong};
use crate::shells::{Shell, Transport};
use crate::stage::{Refused, Stage};
use crate::world::{PASSWORD, PATIENCE, World};

/// One row of the table, or one variant of it.
pub(crate) struct Row {
    /// As in the table; letters are traps of the field that the table does not have.
    pub(crate) number: &'static str,
    pub(crate) name: &'static str,
    pub(crate) shells: &'static [Shell],
    pub(crate) on: &'static [Transport],
    pub(crate) run: fn(&mut Case<'_>) -> Judged,
}

impl Row {
    pub(crate) const fn new(
        number: &'static str,
        name: &'static str,
        shells: &'static [Shell],
        run: fn(&mut Case<'_>) -> Judged,
    ) -> Self {
        Self { number, name, shells, on: Transport::ALL, run }
    }

    pub(crate) const fn on(self, on: &'static [Transport]) -> Self {
        Self { on, ..self }
    }
}

/// What is counted over all rows.
#[derive(Debug, Default, Clone)]
pub(crate) struct Score {
    pub(crate) codes_checked: usize,
    pub(crate) codes_right: usize,
    /// From the command's true end to its report.
    pub(crate) delays: Vec<Duration>,
}

pub(crate) struct Case<'a> {
    pub(crate) stage: Box<dyn Stage + 'a>,
    pub(crate) world: &'a World,
    pub(crate) score: Score,
}

impl Case<'_> {
    pub(crate) fn shell(&self) -> Shell {
        self.stage.shell()
    }

    pub(crate) fn is(&self, shell: Shell) -> bool {
        self.shell() == shell
    }

    pub(crate) fn is_slow(&self) -> bool {
        self.stage.transport() == Transport::Slow
    }

    /// Waits until a line can be typed.
    pub(crate) fn settle(&mut self) -> Judged {
        let ready = self.stage.until(PATIENCE, &mut |stage| stage.state() == "at_prompt");
        if ready {
            return Ok(());
        }
        let (state, screen) = (self.stage.state(), self.stage.screen());
        wrong(Kind::Other, format!("no prompt to type at, the state is {state}; screen:\n{screen}"))
    }

    /// The first report about the line: its end, or that it waits for something.
    pub(crate) fn run(&mut self, line: &str) -> Judged<Report> {
        self.run_for(line, PATIENCE)
    }

    /// The same, or after `within` how it stands.
    pub(crate) fn run_for(&mut self, line: &str, within: Duration) -> Judged<Report> {
        self.settle()?;
        self.stage.run(line, within).map_err(refused)
    }

    /// Starts the line and leaves it to itself.
    pub(crate) fn submit(&mut self, line: &str) -> Judged {
        self.settle()?;
        self.stage.submit(line).map_err(refused)
    }

    /// The line ends with this code, certain.
    pub(crate) fn completed(&mut self, line: &str, code: i64) -> Judged<Report> {
        let report = self.run(line)?;
        self.count(code, report.completed(code), &report)?;
        Ok(report)
    }

    /// The same, with exactly this output.
    pub(crate) fn exact(&mut self, line: &str, code: i64, text: &str) -> Judged<Report> {
        let report = self.completed(line, code)?;
        report.text_is(text)?;
        Ok(report)
    }

    /// What the line prints; it ends with 0.
    pub(crate) fn exact_output(&mut self, line: &str) -> Judged<String> {
        Ok(self.completed(line, 0)?.text)
    }

    /// The running command's next report.
    pub(crate) fn next(&mut self) -> Report {
        self.stage.report(PATIENCE)
    }

    /// The running command ends with this code, certain.
    pub(crate) fn ends(&mut self, code: i64) -> Judged<Report> {
        let mut report = self.next();
        // A question that was answered just now may be told once more.
        for _ in 0..3 {
            if !report.is_open() {
                break;
            }
            report = self.next();
        }
        self.count(code, report.completed(code), &report)?;
        Ok(report)
    }

    /// Counts a checked exit code.
    pub(crate) fn count(&mut self, _code: i64, judged: Judged, report: &Report) -> Judged {
        self.score.codes_checked += 1;
        let code_is_right = judged.is_ok() || matches!(&judged, Err(Wrong { kind: Kind::Output, .. }));
        if code_is_right && report.exit_code().is_some() {
            self.score.codes_right += 1;
        }
        judged
    }

    /// The line leads to a new level of this name.
    pub(crate) fn enter(&mut self, line: &str, label: &str) -> Judged<Report> {
        let report = self.run(line)?;
        report.entered(label)?;
        Ok(report)
    }

    /// The line asks for a secret first; the level comes behind that.
    pub(crate) fn enter_behind_a_question(&mut self, line: &str, label: &str, secret: &str) -> Judged {
        self.run(line)?.awaiting(&["password", "passphrase"])?;
        self.secret(secret)?;
        self.next().entered(label)
    }

    /// The line leaves a level; the level below was told this code.
    pub(crate) fn leave(&mut self, line: &str, depth: usize, code: i64) -> Judged<Report> {
        let report = self.run(line)?;
        self.count(code, report.left(depth, code), &report)?;
        Ok(report)
    }

    /// Answers; the person does where a policy does not let the agent.
    pub(crate) fn answer(&mut self, text: &str) -> Judged {
        match self.stage.answer(text) {
            Err(refusal) if refusal.by_policy => {
                self.stage.person(format!("{text}\r").as_bytes());
                Ok(())
            }
            other => other.map_err(refused),
        }
    }

    /// Presses keys; the person does where the agent may not.
    pub(crate) fn press(&mut self, keys: &[&str]) -> Judged {
        match self.stage.press(keys) {
            Err(refusal) if refusal.by_policy => {
                for key in keys {
                    self.stage.person(crate::local::key_bytes(key));
                }
                Ok(())
            }
            other => other.map_err(refused),
        }
    }

    /// A question for a secret: the agent may not answer it, a person does.
    pub(crate) fn secret(&mut self, secret: &str) -> Judged {
        if self.stage.remote().is_some() {
            let tried = self.stage.answer("let-me-in");
            check(tried.is_err(), Kind::Submission, || "an agent could type at a question for a secret".to_owned())?;
        }
        self.stage.person(format!("{secret}\r").as_bytes());
        Ok(())
    }

    /// Runs a command that writes down its own end, and keeps how long the report took.
    pub(crate) fn timed(&mut self, code: i64) -> Judged {
        let file = self.world.new_path("end");
        let report = self.completed(&format!("sh -c 'date +%s%N >{file}; exit {code}'"), code)?;
        let end = written_time(Path::new(&file))?;
        match report.at.duration_since(end) {
            Ok(delay) => self.score.delays.push(delay),
            Err(early) => return wrong(Kind::FalseCompletion, format!("told {:?} before the end", early.duration())),
        }
        Ok(())
    }

    /// Waits until the screen shows the text.
    pub(crate) fn shows(&mut self, text: &str) -> Judged {
        let seen = self.stage.until(PATIENCE, &mut |stage| stage.screen().contains(text));
        if seen {
            return Ok(());
        }
        let screen = self.stage.screen();
        wrong(Kind::Other, format!("{text:?} did not appear; screen:\n{screen}"))
    }

    /// The session still takes commands.
    pub(crate) fn lives(&mut self) -> Judged {
        self.exact("echo still here", 0, "still here\n").map(|_| ())
    }

    /// Users with passwords, for rows that need them.
    pub(crate) fn password(&self) -> Judged<&'static str> {
        if self.world.has_users {
            return Ok(PASSWORD);
        }
        wrong(Kind::Other, "this row needs users with passwords in a private mount namespace: run tests/run as root")
    }
}

pub(crate) fn refused(refusal: Refused) -> Wrong {
    Wrong { kind: Kind::Submission, message: format!("the line was not taken: {}", refusal.reason) }
}

/// The moment that `date +%s%N` wrote into the file.
pub(crate) fn written_time(file: &Path) -> Judged<SystemTime> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    match text.trim().parse() {
        Ok(nanoseconds) => Ok(UNIX_EPOCH + Duration::from_nanos(nanoseconds)),
        Err(_) => wrong(Kind::Other, format!("the command did not write down its end: {text:?}")),
    }
}
