//! Compilation in a child process: this program starts itself as that child.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod support;

use std::path::Path;

use portcullis_sandbox::{Compiler, Limits, LoadError, compile_child_main};

const CHILD: &str = "compile-component";

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, CHILD, input, output] => {
            if let Err(error) = compile_child_main(Path::new(input), Path::new(output)) {
                eprintln!("{error}");
                std::process::exit(1);
            }
        }
        [_, "say", reason, _, _] => {
            eprintln!("{reason}");
            std::process::exit(3);
        }
        _ => {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(a_component_compiled_in_a_child_runs_here());
            runtime.block_on(a_failing_child_is_told_with_its_words());
            println!("compilation in a child: ok");
        }
    }
}

fn child(arguments: &[&str]) -> Compiler {
    Compiler::ChildProcess {
        program: std::env::current_exe().unwrap(),
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
    }
}

async fn a_component_compiled_in_a_child_runs_here() {
    let home = tempfile::tempdir().unwrap();
    let sandbox = support::sandbox_at(home.path(), child(&[CHILD]), 4);
    let policy =
        sandbox.load_policy("p", support::guest("misbehaving"), support::AS_TOLD, Limits::policy()).await.unwrap();
    assert_eq!(policy.evaluate(&support::request("id")).await.unwrap().len(), 1);
    // Nothing but the compiled code stays behind, and nobody else can read it.
    let files: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(files.len(), 1);
    let mode = std::os::unix::fs::PermissionsExt::mode(&files[0].metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

async fn a_failing_child_is_told_with_its_words() {
    let home = tempfile::tempdir().unwrap();
    let sandbox = support::sandbox_at(home.path(), child(&["say", "out of\u{1b} paper"]), 4);
    let result = sandbox.load_policy("p", support::guest("misbehaving"), support::AS_TOLD, Limits::policy()).await;
    match result {
        Err(LoadError::Compile { reason, .. }) => assert!(reason.ends_with("out of paper"), "{reason}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was loaded"),
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}
