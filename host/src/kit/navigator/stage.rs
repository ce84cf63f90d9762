//! The scripted terminal: shows the script's texts, takes the navigator's steps, tells it what happened.

use portcullis_sandbox::common::Attribute;
use portcullis_sandbox::navigator::{CommandResult, Event, Failure, Goal, Outcome, Row, Screen, Step, WaitFor};
use portcullis_sandbox::{CallError, NavigatorPlugin};
use portcullis_term::screen::Screen as Emulator;

use super::{Ending, NavigationInput, ScriptStep, Walk, describe};
use crate::gate::level;
use crate::kit::place::levels;
use crate::ops::navigate::{FAILURE_ROWS, MAX_REPEATS, MAX_STEPS};

/// A terminal of ordinary size.
const COLUMNS: u16 = 120;
const ROWS: u16 = 40;
/// Longer than any navigator asks for.
const QUIET_MS: u32 = 10_000;

/// Walks the script. A plugin that fails ends the walk; it does not fail the call.
pub(in crate::kit) async fn walk(plugin: &NavigatorPlugin, input: &NavigationInput) -> Walk {
    let mut stage = Stage::new(&input.script);
    let ending = match stage.play(plugin, input).await {
        Ok(ending) => ending,
        Err(error) => Ending::Error(error.to_string()),
    };
    Walk { ending, script_left: stage.left(), rows: stage.last_rows(), steps: stage.steps }
}

struct Stage<'a> {
    script: &'a [ScriptStep],
    /// Steps of the script whose text was shown.
    shown: usize,
    terminal: Emulator,
    generation: u64,
    at_prompt: bool,
    steps: Vec<String>,
}

/// What a step of the navigator comes to.
enum Next {
    Event(Event),
    End(Ending),
}

impl<'a> Stage<'a> {
    fn new(script: &'a [ScriptStep]) -> Self {
        let mut stage = Self {
            script,
            shown: 0,
            terminal: Emulator::new(COLUMNS, ROWS),
            generation: 0,
            at_prompt: false,
            steps: Vec::new(),
        };
        stage.show_next();
        stage
    }

    async fn play(&mut self, plugin: &NavigatorPlugin, input: &NavigationInput) -> Result<Ending, CallError> {
        let goal = Goal {
            route: input.route.clone(),
            parameters: input
                .goal
                .iter()
                .map(|(key, value)| Attribute { key: key.clone(), value: value.clone() })
                .collect(),
            levels: levels(&input.levels).iter().map(level).collect(),
        };
        let mut navigation = plugin.begin(&goal).await?;
        let mut event = Event::Start(self.screen());
        let mut last = (String::new(), 0, 0);
        loop {
            let step = navigation.next(&event).await?;
            let named = format!("{step:?}");
            let repeats = if last.0 == named && last.1 == self.generation { last.2 + 1 } else { 0 };
            last = (named, self.generation, repeats);
            let said = describe(&step);
            self.steps.push(said.clone());
            let is_end = matches!(step, Step::Done(_) | Step::Fail(_));
            if !is_end && repeats >= MAX_REPEATS {
                return Ok(Ending::Repeats { step: said });
            }
            if !is_end && self.steps.len() > MAX_STEPS {
                return Ok(Ending::TooManySteps);
            }
            match self.carry_out(step, said) {
                Next::Event(next) => event = next,
                Next::End(ending) => return Ok(ending),
            }
        }
    }

    fn carry_out(&mut self, step: Step, said: String) -> Next {
        match step {
            Step::Done(Outcome { label, .. }) => return Next::End(Ending::Done(label)),
            Step::Fail(Failure { code, message, rows }) => return Next::End(Ending::Failed { code, message, rows }),
            Step::Wait(condition) => return Next::Event(self.wait(&condition)),
            _ => {}
        }
        let Some(wanted) = self.present().cloned() else {
            return Next::End(Ending::OffScript {
                expected: "nothing: the script is at its end".to_owned(),
                got: said,
            });
        };
        if !wanted.fits(&step) {
            return Next::End(Ending::OffScript { expected: wanted.described(), got: said });
        }
        if let Some(reason) = &wanted.refused {
            self.show_next();
            return Next::Event(Event::Refused(reason.clone()));
        }
        self.echo(&step, &wanted);
        let more = self.show_next();
        Next::Event(self.reply(step, wanted, more))
    }

    /// What happened, as the host would tell it.
    fn reply(&mut self, step: Step, wanted: ScriptStep, more: bool) -> Event {
        match step {
            Step::RunCommand(_) => {
                self.at_prompt = true;
                Event::CommandFinished(CommandResult {
                    exit_code: Some(wanted.exit_code.unwrap_or(0)),
                    completed: true,
                    output: wanted.output.unwrap_or_default(),
                })
            }
            Step::EnterLevel(_) | Step::OpenLevel(_) => {
                self.at_prompt = true;
                Event::LevelEntered(self.screen())
            }
            Step::AskPerson(_) => match wanted.answer {
                Some(answer) => Event::Answer(answer),
                None => Event::Refused("nobody answered".to_owned()),
            },
            _ if more => Event::ScreenChanged(self.screen()),
            _ => Event::TimedOut(self.screen()),
        }
    }

    /// More of the script's text, if it has some that needs no reply before it.
    fn wait(&mut self, condition: &WaitFor) -> Event {
        let met = |stage: &Self| {
            let text = stage.last_rows().join("\n");
            condition.any_text.iter().any(|wanted| text.contains(wanted.as_str()))
        };
        if met(self) {
            return Event::ScreenChanged(self.screen());
        }
        while self.present().is_none_or(ScriptStep::wants_nothing) && self.show_next() {
            if condition.any_text.is_empty() || met(self) {
                return Event::ScreenChanged(self.screen());
            }
        }
        Event::TimedOut(self.screen())
    }

    /// The step of the script whose text was shown last.
    fn present(&self) -> Option<&ScriptStep> {
        self.shown.checked_sub(1).and_then(|index| self.script.get(index)).filter(|_| self.shown <= self.script.len())
    }

    /// Steps of the script that were not shown, or shown and not answered.
    fn left(&self) -> usize {
        let unanswered = self.present().is_some_and(|step| !step.wants_nothing());
        self.script.len().saturating_sub(self.shown) + usize::from(unanswered)
    }

    /// False when the script is at its end; what was shown last then needs nothing any more.
    fn show_next(&mut self) -> bool {
        let next = self.script.get(self.shown);
        self.shown += 1;
        let Some(next) = next else { return false };
        let text = next.screen.replace('\n', "\r\n");
        self.write(&text);
        true
    }

    fn write(&mut self, text: &str) {
        if !text.is_empty() {
            self.terminal.feed(text.as_bytes());
            self.generation += 1;
        }
    }

    fn echo(&mut self, step: &Step, wanted: &ScriptStep) {
        self.at_prompt = false;
        let typed = match step {
            _ if wanted.no_echo => return,
            Step::SendLine(line) | Step::RunCommand(line) | Step::OpenLevel((line, _)) => format!("{line}\r\n"),
            Step::SendSecret(_) => "\r\n".to_owned(),
            _ => return,
        };
        self.write(&typed);
        if let (Step::RunCommand(_), Some(output)) = (step, &wanted.output) {
            let output = output.replace('\n', "\r\n");
            self.write(&output);
        }
    }

    fn screen(&self) -> Screen {
        let view = self.terminal.view();
        Screen {
            generation: self.generation,
            rows: view.rows.into_iter().map(|row| Row { text: row.text, wrapped: row.wrapped }).collect(),
            columns: view.columns,
            cursor_row: view.cursor_row,
            cursor_column: view.cursor_column,
            alternate_screen: view.alternate_screen,
            quiet_ms: QUIET_MS,
            at_prompt: self.at_prompt,
        }
    }

    fn last_rows(&self) -> Vec<String> {
        let text = self.terminal.view().text();
        let rows: Vec<&str> = text.lines().collect();
        rows[rows.len().saturating_sub(FAILURE_ROWS)..].iter().map(|row| (*row).to_owned()).collect()
    }
}
