//! Real shells: bash, dash, zsh, fish and BusyBox ash on a local PTY.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portcullis_term::{
    AwaitingKind, Completion, Event, ExitSource, Expectation, LevelKind, Outcome, ShellKind, State, Submission,
    Terminal, TerminalOptions, Typist,
};

/// Longest a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(15);

/// Every shell with an editor of its own and a grammar after sh, and fish.
const SHELLS: [(&str, &[&str]); 6] = [
    ("bash", &["--noprofile", "--norc", "-i"]),
    ("zsh", &["-f", "-i"]),
    ("fish", &["--no-config", "-i"]),
    ("dash", &["-i"]),
    ("busybox", &["ash", "-i"]),
    ("mksh", &[]),
];

struct Shell {
    terminal: Terminal,
    pty: pty_process::blocking::Pty,
    writer: std::fs::File,
    output: Receiver<Vec<u8>>,
    opened: Instant,
    child: std::process::Child,
    events: Vec<Event>,
    _home: tempfile::TempDir,
}

impl Shell {
    fn start(program: &str, arguments: &[&str]) -> Self {
        let (pty, pts) = pty_process::blocking::open().expect("a PTY");
        pty.resize(pty_process::Size::new(40, 160)).expect("size");
        let home = tempfile::tempdir().unwrap();
        let child = pty_process::blocking::Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8")
            .env("PS1", "$ ")
            .current_dir(home.path())
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
        Self { terminal, pty, writer: file, output, opened: Instant::now(), child, events: Vec::new(), _home: home }
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

    fn resize(&mut self, columns: u16, rows: u16) {
        self.pty.resize(pty_process::Size::new(rows, columns)).unwrap();
        self.terminal.resize(columns, rows);
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

#[test]
fn tcsh() {
    battery("tcsh", &["-f"], ShellKind::Tcsh);
}

#[test]
fn mksh() {
    battery("mksh", &[], ShellKind::Posix);
}

#[test]
fn the_host_s_own_lines_are_not_in_bash_s_and_fish_s_history() {
    for (program, arguments, list) in
        [("bash", &["--noprofile", "--norc", "-i"][..], "history"), ("fish", &["--no-config", "-i"], "history | cat")]
    {
        let mut shell = Shell::armed(program, arguments);
        shell.run("echo first");
        let (_, text) = shell.run(list);
        assert!(text.contains("echo first") && !text.contains("133") && !text.contains("__pc_"), "{program}: {text}");
    }
}

#[test]
fn an_open_quote_is_a_line_that_waits_for_its_rest() {
    for (program, arguments) in SHELLS {
        let mut shell = Shell::armed(program, arguments);
        let (outcome, _) = shell.run("echo 'abc");
        assert!(
            matches!(&outcome, Outcome::AwaitingInput { kind: AwaitingKind::Continuation, .. }),
            "{program}: {outcome:?}"
        );
        shell.write(b"\x03");
        let after = shell.next_report();
        // fish gives the statement up without an end mark.
        let told = matches!(after.outcome, Outcome::Completed { exit_code: Some(130 | 1), .. });
        assert!(told || program == "fish" && after.outcome == Outcome::PromptNoStatus, "{program}: {after:?}");
        assert_eq!(shell.run("echo on").1, "on\n", "{program}");
    }
}

#[test]
fn exec_replaces_the_level() {
    let mut shell = Shell::armed("bash", &["--noprofile", "--norc", "-i"]);
    let opens = Expectation { replaces: true, ..expectation(LevelKind::Shell, "zsh", "89abcdef") };
    let text = "exec zsh -f -i".into();
    shell.submit(Submission { text, typist: Typist::Agent, opens: Some(opens), expect_level: None });
    let entered = shell.next_report();
    let changed = Outcome::LevelChanged { breadcrumb: vec!["zsh".into()], exit_code: None };
    assert_eq!(entered.outcome, changed);
    shell.until("zsh's prompt", |shell| shell.terminal.state() == State::AtPrompt { dirty: false });
    assert_eq!(shell.run("echo $ZSH_NAME; (exit 4)"), (completed(4), "zsh\n".into()));
}

#[test]
fn a_shell_that_inherits_the_marked_prompt_is_a_level() {
    for (program, arguments, inner, told) in [
        ("dash", &["-i"][..], "export PS1; sh -i", "sh -i"),
        ("bash", &["--noprofile", "--norc", "-i"], "export PS1 PS0 PROMPT_COMMAND; bash --norc", "bash"),
    ] {
        let mut shell = Shell::armed(program, arguments);
        shell.submit(Submission { text: inner.into(), typist: Typist::Agent, opens: None, expect_level: None });
        let entered = shell.next_report();
        assert!(matches!(entered.outcome, Outcome::LevelChanged { .. }), "{program} {told}: {entered:?}");
        shell.until("the inner prompt", |shell| shell.terminal.state() == State::AtPrompt { dirty: false });
        assert_eq!(shell.run("echo inside"), (completed(0), "inside\n".into()));
        let (outcome, _) = shell.run("exit 6");
        assert!(matches!(outcome, Outcome::LevelChanged { exit_code: Some(6), .. }), "{program}: {outcome:?}");
    }
}

#[test]
fn a_shell_nobody_announced_is_a_level() {
    let mut shell = Shell::armed("bash", &["--noprofile", "--norc", "-i"]);
    let (outcome, _) = shell.run("g() { PS1='inner$ ' bash --norc -i; }; g");
    assert!(matches!(outcome, Outcome::LevelChanged { .. }), "{outcome:?}");
    shell.until("the inner prompt", |shell| shell.terminal.state() == State::AtPrompt { dirty: false });
    assert_eq!(shell.run("echo inside"), (completed(0), "inside\n".into()));
}

#[test]
fn a_pager_is_told_from_an_editor() {
    let mut shell = Shell::armed("bash", &["--noprofile", "--norc", "-i"]);
    let (outcome, _) = shell.run("less /etc/services");
    assert!(matches!(&outcome, Outcome::AwaitingInput { kind: AwaitingKind::Pager, .. }), "{outcome:?}");
    shell.write(b"q");
    assert_eq!(shell.next_report().outcome, completed(0));
    let (outcome, _) = shell.run("vim -u NONE --clean /dev/null");
    assert_eq!(outcome, Outcome::Fullscreen);
    shell.write(b"\x1b:q\r");
    assert_eq!(shell.next_report().outcome, completed(0));
}

#[test]
fn an_editor_that_is_killed_leaves_no_modes_behind() {
    let mut shell = Shell::armed("bash", &["--noprofile", "--norc", "-i"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let (outcome, _) = shell.run(&format!("sh -c 'echo $$ >{}; exec vim -u NONE --clean /dev/null'", file.display()));
    assert_eq!(outcome, Outcome::Fullscreen);
    let pid = std::fs::read_to_string(&file).unwrap();
    assert!(std::process::Command::new("kill").args(["-9", pid.trim()]).status().unwrap().success());
    assert_eq!(shell.next_report().outcome, completed(137));
    assert!(!shell.terminal.screen().alternate_screen);
    assert_eq!(shell.run("echo on").1, "on\n");
}

#[test]
fn questions_are_told_with_their_answers() {
    let mut shell = Shell::armed("bash", &["--noprofile", "--norc", "-i"]);
    let (outcome, _) = shell.run("read -r -p 'Go on? [Y/n] ' answer; echo \"got $answer\"");
    let Outcome::AwaitingInput { kind, options, default, .. } = &outcome else { panic!("{outcome:?}") };
    assert_eq!((*kind, options.join("/"), default.as_deref()), (AwaitingKind::Confirm, "Y/n".into(), Some("Y")));
    shell.write(b"n\r");
    let report = shell.next_report();
    assert_eq!(
        (&report.outcome, shell.terminal.command_text(&report).0.text.ends_with("got n\n")),
        (&completed(0), true)
    );
    let (outcome, _) = shell.run("python3 -q");
    assert!(matches!(&outcome, Outcome::AwaitingInput { kind: AwaitingKind::Repl, .. }), "{outcome:?}");
    shell.write(b"exit(3)\r");
    assert_eq!(shell.next_report().outcome, completed(3));
}

#[test]
fn a_resize_at_the_prompt_ends_nothing() {
    for (program, arguments) in
        [("fish", &["--no-config", "-i"][..]), ("busybox", &["ash", "-i"]), ("bash", &["--norc", "-i"])]
    {
        let mut shell = Shell::armed(program, arguments);
        let id = shell.terminal.running();
        assert_eq!(id, None);
        for width in [100, 120, 90] {
            shell.resize(width, 40);
            shell.submit(Submission {
                text: "sleep 0.3; sh -c 'exit 5'".into(),
                typist: Typist::Agent,
                opens: None,
                expect_level: None,
            });
            assert_eq!(shell.next_report().outcome, completed(5), "{program} at {width}");
        }
    }
}

#[test]
fn a_command_inside_tmux_ends_with_its_visible_sentinel() {
    let mut shell = Shell::armed("bash", &["--noprofile", "--norc", "-i"]);
    let opens = Some(expectation(LevelKind::Multiplexer, "tmux", "89abcdef"));
    let socket = format!("portcullis-test-{}", std::process::id());
    let text = format!("PS1='in$ ' SHELL=/bin/bash tmux -L {socket} -f /dev/null new 'bash --norc -i'");
    shell.submit(Submission { text, typist: Typist::Agent, opens, expect_level: None });
    let entered = shell.next_report();
    assert!(matches!(entered.outcome, Outcome::LevelChanged { .. }), "{entered:?}");
    shell.submit(Submission {
        text: "echo one; (exit 3)".into(),
        typist: Typist::Agent,
        opens: None,
        expect_level: None,
    });
    let report = shell.next_report();
    assert_eq!(report.outcome, Outcome::Completed { exit_code: Some(3), exit_source: ExitSource::Sentinel });
    assert_eq!(shell.terminal.command_text(&report).0.text, "one\n");
    shell.submit(Submission { text: "exit".into(), typist: Typist::Agent, opens: None, expect_level: None });
    let left = shell.next_report();
    assert!(matches!(&left.outcome, Outcome::LevelChanged { breadcrumb, .. } if breadcrumb.len() == 1), "{left:?}");
}

#[test]
fn a_prompt_that_was_replaced_does_not_hang_the_shell() {
    let mut shell = Shell::armed("dash", &["-i"]);
    let (outcome, _) = shell.run("PS1='new> '");
    assert_eq!(outcome, Outcome::PromptNoStatus);
    let (outcome, output) = shell.run("echo still; (exit 2)");
    assert_eq!(outcome, Outcome::Completed { exit_code: Some(2), exit_source: ExitSource::Sentinel });
    assert_eq!(output, "still\n");
}

#[test]
fn a_long_line_on_a_narrow_terminal_leaves_no_echo_behind() {
    for (program, arguments) in [
        ("bash", &["--norc", "-i"][..]),
        ("zsh", &["-f", "-i"]),
        ("fish", &["--no-config", "-i"]),
        ("busybox", &["ash", "-i"]),
        ("dash", &["-i"]),
        ("mksh", &[]),
    ] {
        let mut shell = Shell::armed(program, arguments);
        shell.resize(40, 20);
        let word = "abcdefghij".repeat(18);
        assert_eq!(shell.run(&format!("echo {word}")), (completed(0), format!("{word}\n")), "{program}");
    }
}

#[test]
fn a_shell_that_traces_itself_does_not_show_the_marks() {
    for (program, arguments) in
        [("bash", &["--noprofile", "--norc", "-i"][..]), ("zsh", &["-f", "-i"]), ("dash", &["-i"])]
    {
        let mut shell = Shell::armed(program, arguments);
        shell.run("set -x");
        let (outcome, output) = shell.run("echo traced");
        assert_eq!(outcome, completed(0), "{program}");
        assert!(output.contains("echo traced") && output.contains("\ntraced\n"), "{program}: {output}");
        assert!(!output.contains("__pc_") && !output.contains("133;"), "{program}: {output}");
        let (_, output) = shell.run("set +x");
        assert!(!output.contains("__pc_") && !output.contains("133;"), "{program}: {output}");
    }
}

#[test]
fn a_prompt_command_that_cannot_be_changed_is_left_alone() {
    let mut shell = Shell::start("bash", &["--noprofile", "--norc", "-i"]);
    shell.until("the prompt", |shell| shell.terminal.screen().text().contains('$'));
    shell.write(b"PROMPT_COMMAND=:; readonly PROMPT_COMMAND\r");
    shell.until("its echo", |shell| shell.terminal.screen().text().contains("readonly"));
    let at = shell.opened.elapsed();
    shell.terminal.expect_level(expectation(LevelKind::Shell, "bash", "0123abcd"), at);
    shell.until("the first prompt", |shell| shell.terminal.state() == State::AtPrompt { dirty: false });
    assert_eq!(shell.run("echo x; (exit 9)"), (completed(9), "x\n".into()));
    assert_eq!(shell.run("true"), (completed(0), String::new()));
}

#[test]
fn the_host_s_own_lines_are_not_written_to_zsh_s_history() {
    let mut shell = Shell::start("zsh", &["-f", "-i"]);
    shell.until("the prompt", |shell| shell.terminal.screen().text().contains('$'));
    shell.write(b"HISTSIZE=50 SAVEHIST=50 HISTFILE=$HOME/list\r");
    shell.until("its echo", |shell| shell.terminal.screen().text().contains("list"));
    let at = shell.opened.elapsed();
    shell.terminal.expect_level(expectation(LevelKind::Shell, "zsh", "0123abcd"), at);
    shell.until("the first prompt", |shell| shell.terminal.state() == State::AtPrompt { dirty: false });
    shell.run("echo first");
    let (_, text) = shell.run("fc -W; cat $HOME/list");
    assert!(text.contains("echo first") && !text.contains("133") && !text.contains("__pc_"), "{text}");
}

#[test]
fn output_larger_than_what_is_kept_still_ends() {
    for (program, arguments) in [("dash", &["-i"][..]), ("bash", &["--norc", "-i"])] {
        let mut shell = Shell::armed(program, arguments);
        let (outcome, output) = shell.run("yes 0123456789abcdef | head -n 280000; sh -c 'exit 3'");
        assert_eq!(outcome, completed(3), "{program}");
        assert!(output.ends_with("0123456789abcdef\n") && output.len() < 5 << 20, "{program}");
        assert_eq!(shell.run("echo on").1, "on\n", "{program}");
    }
}

#[test]
fn output_that_looks_like_a_prompt_or_is_an_old_recording_ends_nothing() {
    for (program, arguments) in SHELLS {
        let mut shell = Shell::armed(program, arguments);
        shell.run("true");
        shell.run("false");
        let folder = tempfile::tempdir().unwrap();
        let recording = folder.path().join("recording");
        let all = portcullis_term::Span { from: portcullis_term::Offset(0), to: shell.terminal.end() };
        std::fs::write(&recording, shell.terminal.read(all).bytes).unwrap();
        let prompt = folder.path().join("prompt");
        std::fs::write(&prompt, b"some text\n$ ").unwrap();
        for file in [&recording, &prompt] {
            let (outcome, _) = shell.run(&format!("cat {}; sleep 1.5; sh -c 'exit 9'", file.display()));
            assert_eq!(outcome, completed(9), "{program}: {}", file.display());
        }
        assert_eq!(shell.run("echo still").1, "still\n", "{program}");
    }
}

#[test]
fn a_file_that_sets_the_prompt_anew_costs_no_session() {
    let mut shell = Shell::armed("bash", &["--noprofile", "--norc", "-i"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rc");
    std::fs::write(&file, "PROMPT_COMMAND=\nPS0=\nPS1='me@here:~$ '\n").unwrap();
    let (outcome, _) = shell.run(&format!("source {}", file.display()));
    assert_eq!(outcome, Outcome::PromptNoStatus);
    shell.until("the marks", |shell| shell.terminal.state() == State::AtPrompt { dirty: false });
    assert_eq!(shell.terminal.breadcrumb(), ["bash"]);
    assert_eq!(shell.run("echo again; (exit 4)"), (completed(4), "again\n".into()));
}

#[test]
fn a_terminal_that_does_not_echo_still_tells_the_end() {
    for (program, arguments) in [("dash", &["-i"][..]), ("busybox", &["ash", "-i"]), ("bash", &["--norc", "-i"])] {
        let mut shell = Shell::armed(program, arguments);
        shell.run("stty -echo");
        assert_eq!(shell.run("true"), (completed(0), String::new()), "{program}");
        assert_eq!(shell.run("echo hi; (exit 3)"), (completed(3), "hi\n".into()), "{program}");
    }
}

#[test]
fn a_long_paste_right_at_the_prompt_is_taken() {
    for (program, arguments) in [("bash", &["--norc", "-i"][..]), ("zsh", &["-f", "-i"])] {
        let mut shell = Shell::armed(program, arguments);
        let word = "0123456789".repeat(2000);
        for _ in 0..3 {
            assert_eq!(shell.run(&format!("printf %s {word} | wc -c")).1.trim(), "20000", "{program}");
        }
    }
}

#[test]
fn lines_a_person_types_ahead_are_commands_of_theirs() {
    for (program, arguments) in [("dash", &["-i"][..]), ("mksh", &[]), ("bash", &["--norc", "-i"])] {
        let mut shell = Shell::armed(program, arguments);
        let typed = b"sleep 0.3; true\rsh -c 'exit 7'\r";
        shell.terminal.human_typed(typed, shell.opened.elapsed());
        shell.write(typed);
        assert_eq!(shell.next_report().outcome, completed(0), "{program}");
        assert_eq!(shell.next_report().outcome, completed(7), "{program}");
        assert_eq!(shell.run("echo on").1, "on\n", "{program}");
    }
}

#[test]
fn a_shell_with_an_inherited_prompt_command_goes_on() {
    let mut shell = Shell::armed("bash", &["--noprofile", "--norc", "-i"]);
    let (outcome, _) = shell.run("export PS1 PROMPT_COMMAND PS0; bash --norc");
    assert!(matches!(outcome, Outcome::LevelChanged { .. }), "{outcome:?}");
    shell.until("the inner prompt", |shell| shell.terminal.state() == State::AtPrompt { dirty: false });
    for _ in 0..3 {
        assert_eq!(shell.run("false"), (completed(1), String::new()));
        assert_eq!(shell.run("echo inside"), (completed(0), "inside\n".into()));
    }
}
