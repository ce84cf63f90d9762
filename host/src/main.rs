//! The program: parse arguments, run the command, map its outcome to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    portcullis::cli::main(std::env::args_os())
}
