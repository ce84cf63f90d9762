//! One session channel: what the client asks for, then the menu, and then the program it led to.
//!
//! One task per channel owns the channel and, while it runs, the [`Program`].

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;

use pty_process::Size;
use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf};

use super::output::{Gone, Output};
use super::program::{Program, size};
use super::{Front, Shared};
use crate::cmsm::menu::{Menu, Outcome};
use crate::processes;
use crate::shell::ShellPlan;

/// Bounds on what a client may put into the environment.
const ENVIRONMENT_MAX_ENTRIES: usize = 64;
const ENVIRONMENT_MAX_BYTES: usize = 4096;

/// Host name in the prompt where no menu chose one.
const PLAIN_HOST: &str = "lab";

/// The terminal a client asked for.
struct Terminal {
    kind: String,
    size: Size,
}

/// What a channel was asked before it was told what to run.
struct Requests {
    terminal: Option<Terminal>,
    environment: Vec<(OsString, OsString)>,
    /// Marks the channel's processes.
    marker: String,
}

/// What a channel is told to run.
enum Work {
    Shell,
    Command(Vec<u8>),
}

/// Serves one channel to its end.
pub(super) async fn run(channel: Channel<Msg>, shared: Arc<Shared>, connection: u64) {
    let (mut input, writer) = channel.split();
    let mut output = Output::new(writer, Arc::clone(&shared), connection);
    let mut requests = Requests { terminal: None, environment: Vec::new(), marker: shared.session_marker() };
    let Some(work) = requests.collect(&mut input).await else {
        return;
    };
    let ended = match work {
        Work::Shell => front(&shared, &mut requests, &mut input, &mut output).await,
        Work::Command(command) => {
            let command = OsString::from_vec(command);
            let plan = ShellPlan::command(&shared.options.home, command, &requests.base());
            let program = requests.program(plan, Vec::new());
            program.run(&shared, &mut input, &mut output).await
        }
    };
    // Whatever a program left behind goes with its session.
    processes::end_all(&requests.marker);
    if let Ok(status) = ended {
        output.finish(status).await;
    }
}

impl Requests {
    async fn collect(&mut self, input: &mut ChannelReadHalf) -> Option<Work> {
        loop {
            match input.wait().await? {
                ChannelMsg::RequestPty { term, col_width, row_height, .. } => {
                    self.terminal = Some(Terminal { kind: term, size: size(col_width, row_height) });
                }
                ChannelMsg::WindowChange { col_width, row_height, .. } => self.resize(size(col_width, row_height)),
                ChannelMsg::SetEnv { variable_name, variable_value, .. } => self.set(&variable_name, &variable_value),
                ChannelMsg::RequestShell { .. } => return Some(Work::Shell),
                ChannelMsg::Exec { command, .. } => return Some(Work::Command(command)),
                ChannelMsg::Close => return None,
                _ => {}
            }
        }
    }

    fn resize(&mut self, size: Size) {
        if let Some(terminal) = &mut self.terminal {
            terminal.size = size;
        }
    }

    /// Takes a variable the client asks for, within bounds. What the lab sets itself comes later
    /// and wins.
    fn set(&mut self, name: &str, value: &str) {
        let plain_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let fits =
            name.len() + value.len() <= ENVIRONMENT_MAX_BYTES && self.environment.len() < ENVIRONMENT_MAX_ENTRIES;
        if plain_name && fits && !value.contains('\0') {
            self.environment.push((name.into(), value.into()));
        }
    }

    /// A program on the terminal that was asked for.
    fn program(&self, plan: ShellPlan, typed_ahead: Vec<u8>) -> Program {
        Program {
            plan,
            terminal: self.terminal.as_ref().map(|terminal| terminal.size),
            marker: self.marker.clone(),
            typed_ahead,
        }
    }

    /// What a login brings along.
    fn base(&self) -> Vec<(OsString, OsString)> {
        let kind = self.terminal.as_ref().map_or("dumb", |terminal| &terminal.kind);
        let kind: String = kind.chars().filter(|symbol| !symbol.is_control()).collect();
        let mut base = vec![(OsString::from("LANG"), OsString::from("C.UTF-8")), ("TERM".into(), kind.into())];
        base.extend(self.environment.iter().cloned());
        base
    }
}

/// The menu and the shell behind it, or at once a shell.
async fn front(
    shared: &Shared,
    requests: &mut Requests,
    input: &mut ChannelReadHalf,
    output: &mut Output,
) -> Result<u32, Gone> {
    let options = &shared.options;
    let (plan, typed_ahead) = match options.front {
        Front::Shell => {
            let user = plain_name(&options.user);
            let plan = ShellPlan::interactive(&options.home, &user, PLAIN_HOST, &requests.base());
            (plan, Vec::new())
        }
        Front::Cmsm => match menu(shared, requests, input, output).await? {
            (Outcome::Leave, _rest) => return Ok(0),
            (Outcome::Login(login), rest) => {
                output.say(&login.welcome()).await?;
                let plan = ShellPlan::master(&options.home, &login, &requests.base());
                (plan, rest)
            }
        },
    };
    match plan {
        Ok(plan) => {
            let program = requests.program(plan, typed_ahead);
            program.run(shared, input, output).await
        }
        Err(error) => {
            let error = anyhow::Error::from(error);
            output.say(&format!("{error:#}\r\n")).await?;
            Ok(1)
        }
    }
}

/// Runs the dialogue; what it came to, and the keys typed behind its end.
async fn menu(
    shared: &Shared,
    requests: &mut Requests,
    input: &mut ChannelReadHalf,
    output: &mut Output,
) -> Result<(Outcome, Vec<u8>), Gone> {
    let silent = shared.options.faults.silent_menu;
    let mut menu = Menu::new(requests.terminal.is_some()).with_password(shared.options.target_password.clone());
    let greeting = if silent { Menu::banner() } else { Menu::start() };
    output.say(&greeting).await?;
    while let Some(message) = input.wait().await {
        match message {
            ChannelMsg::Data { data } if !silent => {
                let step = menu.feed(&data);
                output.send(&step.screen).await?;
                if let Some(outcome) = step.outcome {
                    return Ok((outcome, step.rest));
                }
            }
            ChannelMsg::WindowChange { col_width, row_height, .. } => requests.resize(size(col_width, row_height)),
            ChannelMsg::Eof if !silent => return Ok((Outcome::Leave, Vec::new())),
            ChannelMsg::Close => return Err(Gone),
            _ => {}
        }
    }
    Err(Gone)
}

/// A user name for a path and a prompt.
fn plain_name(user: &str) -> String {
    user.chars()
        .map(|symbol| if symbol.is_ascii_alphanumeric() || symbol == '-' || symbol == '_' { symbol } else { '-' })
        .collect()
}
