//! One session channel: what the client asks for, then the menu, and then the program it led to.
//!
//! One task per channel owns the channel and, while it runs, the [`Program`].

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;
use std::time::Duration;

use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf};

use super::output::{Gone, Output};
use super::program::{Program, Window};
use super::{Front, Shared};
use crate::cmsm::menu::{Menu, Outcome};
use crate::menus::{self, Next, Place, Reply, Shown};
use crate::shell::ShellPlan;
use crate::{LabError, processes};

/// Bounds on what a client may put into the environment.
const ENVIRONMENT_MAX_ENTRIES: usize = 64;
const ENVIRONMENT_MAX_BYTES: usize = 4096;

/// Host name in the prompt where no menu chose one.
const PLAIN_HOST: &str = "lab";

/// The terminal a client asked for.
struct Terminal {
    kind: String,
    window: Window,
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
                    self.terminal = Some(Terminal { kind: term, window: Window::new(col_width, row_height) });
                }
                ChannelMsg::WindowChange { col_width, row_height, .. } => {
                    self.resize(Window::new(col_width, row_height))
                }
                ChannelMsg::SetEnv { variable_name, variable_value, .. } => self.set(&variable_name, &variable_value),
                ChannelMsg::RequestShell { .. } => return Some(Work::Shell),
                ChannelMsg::Exec { command, .. } => return Some(Work::Command(command)),
                ChannelMsg::Close => return None,
                _ => {}
            }
        }
    }

    fn resize(&mut self, window: Window) {
        if let Some(terminal) = &mut self.terminal {
            terminal.window = window;
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
            terminal: self.terminal.as_ref().map(|terminal| terminal.window.into()),
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
    let window = requests.terminal.as_ref().map_or(Window::new(80, 24), |terminal| terminal.window);
    if let Some(dialogue) = menus::dialogue(options.front, &options.menu, window.columns, window.rows) {
        let shown = Shown::new(dialogue, &options.menu);
        return behind_menus(shown, shared, requests, input, output).await;
    }
    let (plan, typed_ahead) = match options.front {
        Front::Shell | Front::Koko | Front::Picker | Front::Numbered => {
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
    run_shell(plan, typed_ahead, shared, requests, input, output).await
}

async fn run_shell(
    plan: Result<ShellPlan, LabError>,
    typed_ahead: Vec<u8>,
    shared: &Shared,
    requests: &Requests,
    input: &mut ChannelReadHalf,
    output: &mut Output,
) -> Result<u32, Gone> {
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

/// One of the other menus, the shell it leads to, and the menu again.
async fn behind_menus(
    mut menu: Shown,
    shared: &Shared,
    requests: &mut Requests,
    input: &mut ChannelReadHalf,
    output: &mut Output,
) -> Result<u32, Gone> {
    let mut reply = menu.start();
    loop {
        let (place, typed_ahead) = match walk(&mut menu, reply, requests, input, output).await? {
            Walked::Into(place, rest) => (place, rest),
            Walked::Out => return Ok(0),
            Walked::Cut => {
                output.cut().await;
                return Err(Gone);
            }
        };
        let home = &shared.options.home;
        let plan = ShellPlan::on_host(home, &place.user, &place.host, &place.address, &requests.base());
        let status = run_shell(plan, typed_ahead, shared, requests, input, output).await?;
        reply = match menu.returned() {
            Some(again) => again,
            None => return Ok(status),
        };
    }
}

/// Where the walk through a menu ended.
enum Walked {
    Into(Place, Vec<u8>),
    Out,
    Cut,
}

async fn walk(
    menu: &mut Shown,
    mut reply: Reply,
    requests: &mut Requests,
    input: &mut ChannelReadHalf,
    output: &mut Output,
) -> Result<Walked, Gone> {
    loop {
        output.send(&reply.screen).await?;
        match reply.next {
            Next::Stay => {}
            Next::Enter(place) => return Ok(Walked::Into(place, reply.rest)),
            Next::Leave => return Ok(Walked::Out),
            Next::Cut => return Ok(Walked::Cut),
        }
        reply = match next_message(input, reply.again).await {
            None => menu.turn(),
            Some(Some(ChannelMsg::Data { data })) => menu.keys(&data),
            Some(Some(ChannelMsg::WindowChange { col_width, row_height, .. })) => {
                let window = Window::new(col_width, row_height);
                requests.resize(window);
                let drawn = menu.resized(window.columns, window.rows);
                Reply { again: reply.again, ..drawn }
            }
            Some(Some(ChannelMsg::Eof)) => return Ok(Walked::Out),
            Some(Some(ChannelMsg::Close) | None) => return Err(Gone),
            Some(Some(_)) => Reply { again: reply.again, ..Reply::default() },
        };
    }
}

/// The next message, or `None` when the time given is over before one comes.
async fn next_message(input: &mut ChannelReadHalf, within: Option<Duration>) -> Option<Option<ChannelMsg>> {
    match within {
        Some(within) => tokio::time::timeout(within, input.wait()).await.ok(),
        None => Some(input.wait().await),
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
            ChannelMsg::WindowChange { col_width, row_height, .. } => {
                requests.resize(Window::new(col_width, row_height))
            }
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
