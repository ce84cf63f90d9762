//! Real shells: bash, dash, zsh, fish and BusyBox ash on a local PTY.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portcullis_term::{
    Completion, Event, ExitSource, Expectation, LevelKind, Outcome, ShellKind, State, Submission, Terminal,
    TerminalOptions, Typist,
};

/// Longest a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(15);

struct Shell {
    terminal: Terminal,
    writer: std::fs::File,
    output: Receiver<Vec<u8>>,
    opened: Instant,
    child: std::process::Child,
    events: Vec<Event>,
}

impl Shell {
    fn start(program: &str, arguments: &[&str]) -> Self {
        let (pty, pts) = pty_process::blocking::open().expect("a PTY");
        pty.resize(pty_process::Size::new(40, 160)).expect("size");
        let home = std::env::temp_dir();
        let child = pty_process::blocking::Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &home)
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8")
            .env("PS1", "$ ")
            .current_dir(&home)
            .spawn(pts)
            .unwrap_or_else(|error| panic!("{program}: {error}; install it: apt-get install -y {program}"));
        let file = std::fs::File::from(pty.as_fd().try_clone_to_owned().unwrap());
        let mut reader = file.try_clone().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0u8; 4096];
            while let Ok(length) = reader.read(&mut buffer) {
                if length == 0 || sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        let terminal = Terminal::new(&TerminalOptions::default());
        Self { terminal, writer: file, output, opened: Instant::now(), child, events: Vec::new() }
    }

    /// A shell whose prompt has been marked.
    fn armed(program: &str, arguments: &[&str]) -> Self {
        let mut shell = Self::start(program, arguments);
        let at = shell.opened.elapsed();
        shell.terminal.expect_level(expectation(LevelKind::Shell, program, "0123abcd"), at);
        shell.until("the first prompt", |shell| {
            shell.terminal.state() == State::AtPrompt { dirty: false } && !shell.terminal.levels().is_empty()
        });
        shell
    }

    fn write(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).unwrap();
    }

    fn step(&mut self) {
        let wait = self.terminal.deadline().map_or(Duration::from_millis(200), |deadline| {
            deadline.saturating_sub(self.opened.elapsed()).min(Duration::from_millis(200))
        });
        let fed = match self.output.recv_timeout(wait) {
            Ok(bytes) => self.terminal.feed(&bytes, self.opened.elapsed()),
            Err(RecvTimeoutError::Timeout) => self.terminal.tick(self.opened.elapsed()),
            Err(RecvTimeoutError::Disconnected) => self.terminal.close("the shell ended", None),
        };
        self.write(&fed.write.clone());
        self.events.extend(fed.events);
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !done(self) {
            assert!(
                started.elapsed() < PATIENCE,
                "no {what}; screen:\n{}\n{:?}",
                self.terminal.screen().text(),
                self.events
            );
            self.step();
        }
    }

    fn submit(&mut self, submission: Submission) {
        let (_, bytes, _) = self.terminal.begin(&submission, self.opened.elapsed()).unwrap();
        self.write(&bytes);
    }

    fn next_report(&mut self) -> Completion {
        self.until("report", |shell| shell.events.iter().any(|event| matches!(event, Event::Report(_))));
        let index = self.events.iter().position(|event| matches!(event, Event::Report(_))).unwrap();
        let Event::Report(completion) = self.events.remove(index) else { unreachable!() };
        completion
    }

    fn run(&mut self, text: &str) -> (Outcome, String) {
        self.submit(Submission { text: text.into(), typist: Typist::Agent, opens: None, expect_level: None });
        let completion = self.next_report();
        (completion.outcome.clone(), self.terminal.command_text(&completion).0.text)
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn expectation(kind: LevelKind, label: &str, nonce: &str) -> Expectation {
    Expectation::new(kind, label, nonce.into(), PATIENCE)
}

fn completed(code: i32) -> Outcome {
    Outcome::Completed { exit_code: Some(code), exit_source: ExitSource::Mark }
}

/// What every shell must do.
fn battery(program: &str, arguments: &[&str], kind: ShellKind) {
    let mut shell = Shell::armed(program, arguments);
    assert_eq!(shell.terminal.levels()[0].shell, kind, "{program}");
    let cases = [
        ("true", 0, ""),
        ("false", 1, ""),
        ("sh -c 'exit 42'", 42, ""),
        ("sh -c 'no-such-program-here 2>/dev/null'", 127, ""),
        ("printf noeol", 0, "noeol"),
        ("printf 'a\\nb\\n'", 0, "a\nb\n"),
        ("echo one; echo two", 0, "one\ntwo\n"),
    ];
    for (line, code, output) in cases {
        assert_eq!(shell.run(line), (completed(code), output.to_owned()), "{program}: {line}");
    }
    assert!(!shell.terminal.screen().text().contains("133"), "{}", shell.terminal.screen().text());
    assert!(!shell.terminal.screen().text().contains("__pc_"), "{}", shell.terminal.screen().text());
}

#[test]
fn bash() {
    battery("bash", &["--noprofile", "--norc", "-i"], ShellKind::Bash);
}

#[test]
fn dash() {
    battery("dash", &["-i"], ShellKind::Posix);
}

#[test]
fn zsh() {
    battery("zsh", &["-f", "-i"], ShellKind::Zsh);
}

#[test]
fn fish() {
    battery("fish", &["--no-config", "-i"], ShellKind::Fish);
}

#[test]
fn busybox_ash() {
    battery("busybox", &["ash", "-i"], ShellKind::Posix);
}

#[test]
fn many_lines_are_one_command() {
    let mut shell = Shell::armed("bash", &["--noprofile", "--norc", "-i"]);
    let (outcome, output) = shell.run("for n in 1 2 3\ndo\n  echo item $n\ndone\n(exit 5)");
    assert_eq!(outcome, completed(5));
    assert!(output.contains("item 1\nitem 2\nitem 3\n"), "{output:?}");
    let (outcome, output) = shell.run("cat <<'END'\nfirst $x\nsecond\nEND");
    assert_eq!(outcome, completed(0));
    assert!(output.ends_with("first $x\nsecond\n"), "{output:?}");
}

#[test]
fn a_prompt_that_has_lost_its_end_mark_is_told_without_a_code() {
    let mut shell = Shell::armed("bash", &["--noprofile", "--norc", "-i"]);
    let (outcome, _) = shell.run("unset PROMPT_COMMAND");
    assert_eq!(outcome, Outcome::PromptNoStatus);
    let (outcome, output) = shell.run("for n in 1 2\ndo echo line $n\ndone");
    assert_eq!((outcome, output.ends_with("line 1\nline 2\n")), (Outcome::PromptNoStatus, true), "{output:?}");
}

#[test]
fn a_fake_prompt_and_a_replayed_mark_end_nothing() {
    let mut shell = Shell::armed("bash", &["--noprofile", "--norc", "-i"]);
    let pid = shell.child.id();
    let fake = format!(
        "printf 'root@db:~# \\033]133;D;0;aid=0123abcd.{pid};q=1\\007\\033]133;B;aid=ffffffff.1\\007'; sleep 1; exit_with() {{ return 9; }}; exit_with"
    );
    let started = Instant::now();
    let (outcome, _) = shell.run(&fake);
    assert_eq!(outcome, completed(9));
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[test]
fn a_password_question_is_reported_while_the_command_runs() {
    let mut shell = Shell::armed("bash", &["--noprofile", "--norc", "-i"]);
    let (outcome, _) = shell.run("read -s -p 'Password: ' secret; echo; test \"$secret\" = s3cret");
    assert!(matches!(&outcome, Outcome::AwaitingInput { kind, .. } if kind.is_secret()), "{outcome:?}");
    shell.write(b"s3cret\r");
    assert_eq!(shell.next_report().outcome, completed(0));
}

#[test]
fn a_nested_shell_is_a_level_and_leaving_it_pops() {
    let mut shell = Shell::armed("bash", &["--noprofile", "--norc", "-i"]);
    let opens = Some(expectation(LevelKind::PodShell, "orders/api", "89abcdef"));
    shell.submit(Submission {
        text: "env PS1='pod$ ' dash -i".into(),
        typist: Typist::Agent,
        opens,
        expect_level: None,
    });
    let entered = shell.next_report();
    assert_eq!(
        entered.outcome,
        Outcome::LevelChanged { breadcrumb: vec!["bash".into(), "orders/api".into()], exit_code: None }
    );
    shell.until("the pod's prompt", |shell| shell.terminal.state() == State::AtPrompt { dirty: false });
    assert_eq!(shell.run("echo inside"), (completed(0), "inside\n".into()));
    let (outcome, _) = shell.run("exit 3");
    assert_eq!(outcome, Outcome::LevelChanged { breadcrumb: vec!["bash".into()], exit_code: Some(3) });
    assert_eq!(shell.run("echo back"), (completed(0), "back\n".into()));
}

#[test]
fn a_person_at_the_prompt_holds_the_agent_off() {
    let mut shell = Shell::armed("bash", &["--noprofile", "--norc", "-i"]);
    shell.terminal.human_typed(b"ls -", shell.opened.elapsed());
    shell.write(b"ls -");
    let refused = shell.terminal.begin(
        &Submission { text: "true".into(), typist: Typist::Agent, opens: None, expect_level: None },
        shell.opened.elapsed(),
    );
    assert_eq!(refused.unwrap_err(), portcullis_term::NotReady::DirtyLine);
    shell.until("the echo", |shell| shell.terminal.screen().text().ends_with("ls -"));
    let started = shell.terminal.human_typed(b"d /\r", shell.opened.elapsed());
    assert!(matches!(started, Some(Event::CommandStarted { typist: Typist::Human, text, .. }) if text == "ls -d /"));
    shell.write(b"d /\r");
    assert_eq!(shell.next_report().outcome, completed(0));
}

#[test]
fn a_shell_that_a_person_starts_is_a_level_too() {
    let mut shell = Shell::armed("bash", &["--noprofile", "--norc", "-i"]);
    let line = b"env PS1='inner$ ' dash -i\r";
    shell.terminal.human_typed(line, shell.opened.elapsed());
    let inner = expectation(LevelKind::Shell, "inner", "89abcdef");
    shell.terminal.expect_level_of_running(inner, shell.opened.elapsed());
    shell.write(line);
    let entered = shell.next_report();
    assert!(matches!(entered.outcome, Outcome::LevelChanged { .. }), "{entered:?}");
    assert_eq!(shell.terminal.breadcrumb(), ["bash", "inner"]);
    shell.until("the inner prompt", |shell| shell.terminal.state() == State::AtPrompt { dirty: false });
    assert_eq!(shell.run("echo inside").1, "inside\n");
}
