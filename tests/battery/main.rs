//! The battery: every row of the adversarial table, on every shell it is about, over a local PTY,
//! a real sshd, and the same sshd behind a bad line. One line is printed per row, shell and
//! transport, then the figures. Ends with 1 when anything is wrong.
//!
//! `battery [--row 1,14] [--shell bash,ash] [--on pty,sshd,slow] [--jobs N]` runs a part of it.
//!
//! The rows stand in `rows/`; what they expect was written from what the shells and programs
//! really do, never from what the product says. Threads: `--jobs` workers, each with a program and
//! an MCP client of its own; a worker takes the next case when it is done with one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the lines are the result")]

mod case;
mod local;
mod namespace;
mod remote;
mod report;
mod rows;
mod runner;
mod shells;
mod stage;
mod world;

use std::process::ExitCode;

use world::World;

fn main() -> ExitCode {
    let plan = match runner::Plan::from_arguments(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(message) => {
            println!("{message}");
            return ExitCode::FAILURE;
        }
    };
    if let Some(folder) = namespace::inside() {
        return run(&plan, folder, true);
    }
    let folder = tempfile::tempdir().expect("a scratch folder");
    match namespace::enter(folder.path()) {
        Some(code) => code,
        None => run(&plan, folder.path().to_owned(), false),
    }
}

fn run(plan: &runner::Plan, folder: std::path::PathBuf, has_users: bool) -> ExitCode {
    let world = World::new(folder, has_users);
    let right = runner::run(plan, &world);
    world.close();
    if right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
