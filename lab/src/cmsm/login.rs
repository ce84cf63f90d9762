//! The menu on the terminal this process was started on, as a login program of a real sshd: the
//! dialogue runs here, then the process becomes the master shell.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::known_targets;
use super::menu::{Login, Menu, Outcome};
use crate::LabError;
use crate::shell::ShellPlan;
use crate::tty::{RawMode, is_terminal};

/// Why the login program stopped without a shell.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The terminal failed while the menu was shown.
    #[error("the terminal failed while the menu was shown; log in again")]
    Terminal(#[source] io::Error),
    /// The shell's home could not be prepared.
    #[error("the master shell has no home; check the directory given with --home")]
    Home(#[source] LabError),
    /// The shell could not be started.
    #[error("the master shell {program} could not be started; is it installed?")]
    Shell {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The known targets, one row each.
#[must_use]
pub fn list_targets() -> String {
    known_targets().iter().enumerate().map(|(position, target)| target.row(position + 1) + "\n").collect()
}

/// Shows the menu on standard input and output and becomes the master shell. Returns only when
/// the person left, or on a failure.
///
/// # Errors
/// [`LoginError`], when the terminal or the shell failed.
pub fn run(home: &Path) -> Result<(), LoginError> {
    let Some(login) = choose().map_err(LoginError::Terminal)? else {
        return Ok(());
    };
    let mut output = io::stdout();
    // The terminal is back in its own mode and turns a plain line feed into both.
    let welcome = login.welcome().replace('\r', "");
    output.write_all(welcome.as_bytes()).and_then(|()| output.flush()).map_err(LoginError::Terminal)?;
    let base: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    let plan = ShellPlan::master(home, &login, &base).map_err(LoginError::Home)?;
    let source = Command::new(&plan.program)
        .args(&plan.arguments)
        .current_dir(&plan.directory)
        .env_clear()
        .envs(plan.environment)
        .exec();
    Err(LoginError::Shell { program: plan.program.display().to_string(), source })
}

fn choose() -> io::Result<Option<Login>> {
    let input = io::stdin();
    let on_terminal = is_terminal(input.as_fd());
    let _raw = if on_terminal { Some(RawMode::enter(input.as_fd())?) } else { None };
    let mut menu = Menu::new(on_terminal);
    let mut output = io::stdout();
    output.write_all(Menu::start().as_bytes())?;
    output.flush()?;
    loop {
        // One byte at a time and past the standard library's buffer: what is typed ahead must
        // stay in the terminal for the shell.
        let mut key = [0_u8; 1];
        let got = match rustix::io::read(input.as_fd(), &mut key) {
            Ok(got) => got,
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        if got == 0 {
            return Ok(None);
        }
        let step = menu.feed(&key);
        output.write_all(&step.screen)?;
        output.flush()?;
        match step.outcome {
            None => {}
            Some(Outcome::Leave) => return Ok(None),
            Some(Outcome::Login(login)) => return Ok(Some(login)),
        }
    }
}
