//! The far side of the model: a shell with three programs, of which one reads lines as a terminal hands them over,
//! one edits them itself, and one has the whole screen.

use tokio::sync::{mpsc, oneshot};

use crate::ssh::{ShellCommand, ShellEvent};

const PROMPT: &str = "user@host:~$ ";
const MARK: &str = "aid=0123abcd.7\x07";

/// What the model asks of the far side.
pub(super) enum Order {
    /// Output out of nowhere, as a command in the background makes it.
    Print,
    /// The program ends by itself.
    Finish,
    /// Answers once everything typed so far is answered.
    Settle(oneshot::Sender<()>),
    /// Answers with every byte that was typed.
    Tell(oneshot::Sender<Vec<u8>>),
}

/// What reads the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// A shell that has not been made recognisable yet.
    Login,
    Shell,
    Asking,
    Repl,
    FullScreen,
}

pub(super) struct Far {
    shell: mpsc::Sender<ShellEvent>,
    reads: Reads,
    line: String,
    /// Lines of a command whose quotes are still open.
    open: String,
    prompts: u32,
    got: Vec<u8>,
}

impl Far {
    pub(super) fn new(shell: mpsc::Sender<ShellEvent>) -> Self {
        Self { shell, reads: Reads::Login, line: String::new(), open: String::new(), prompts: 0, got: Vec::new() }
    }

    pub(super) async fn serve(mut self, mut typed: mpsc::Receiver<ShellCommand>, mut orders: mpsc::Receiver<Order>) {
        self.print(PROMPT.to_owned()).await;
        loop {
            tokio::select! {
                biased;
                command = typed.recv() => match command {
                    Some(ShellCommand::Write(bytes)) => {
                        self.got.extend_from_slice(&bytes);
                        let answer: String = String::from_utf8_lossy(&bytes).chars().map(|key| self.key(key)).collect();
                        self.print(answer).await;
                    }
                    Some(ShellCommand::Resize(_)) => {}
                    Some(ShellCommand::Close) | None => return,
                },
                order = orders.recv() => match order {
                    Some(Order::Print) => self.print("\r\nsomething\r\n".to_owned()).await,
                    // A shell's prompt does not come again by itself.
                    Some(Order::Finish) if self.reads == Reads::Shell => {}
                    Some(Order::Finish) => {
                        let answer = self.finish(0);
                        self.print(answer).await;
                    }
                    // The model may be gone already.
                    Some(Order::Settle(reply)) => drop(reply.send(())),
                    Some(Order::Tell(reply)) => drop(reply.send(self.got.clone())),
                    None => return,
                },
            }
        }
    }

    async fn print(&mut self, text: String) {
        if text.is_empty() {
            return;
        }
        // A session that was closed reads no more.
        drop(self.shell.send(ShellEvent::Output(text.into_bytes())).await);
    }

    /// What the terminal shows for a key.
    fn key(&mut self, key: char) -> String {
        match key {
            '\r' => {
                let line = std::mem::take(&mut self.line);
                self.completed(&line)
            }
            '\x03' => {
                self.line.clear();
                self.open.clear();
                format!("^C{}", self.finish(130))
            }
            '\x05' => String::new(),
            '\x15' => {
                let rubbed = "\x08 \x08".repeat(self.line.len());
                self.line.clear();
                rubbed
            }
            '\x7f' => self.line.pop().map_or_else(String::new, |_| "\x08 \x08".to_owned()),
            // The worst there could be in its history.
            key if key.is_control() && matches!(self.reads, Reads::Shell | Reads::Repl) => {
                self.line.push_str("rm -rf /");
                "rm -rf /".to_owned()
            }
            key if self.reads == Reads::FullScreen => format!("\x1b[H{}", key.escape_default()),
            key => {
                self.line.push(key);
                key.escape_default().to_string()
            }
        }
    }

    fn completed(&mut self, line: &str) -> String {
        match (self.reads, line.trim()) {
            (Reads::Login, probe) if probe.contains("k=probe") => {
                format!("\r\n\x1b]133;P;k=probe;b=5;z=;f=;k2=;aid=0123abcd.0\x07{PROMPT}")
            }
            (Reads::Login, marks) if marks.contains("PROMPT_COMMAND") => {
                self.reads = Reads::Shell;
                format!("\r\n{}", self.prompt(0))
            }
            (Reads::Login, _) => format!("\r\n{PROMPT}"),
            (Reads::Shell, "") if self.open.is_empty() => format!("\r\n{}", self.prompt(0)),
            (Reads::Shell, line) => {
                self.open.push_str(line);
                if self.open.matches('\'').count() % 2 == 1 {
                    self.open.push('\n');
                    return "\r\n> ".to_owned();
                }
                let whole = std::mem::take(&mut self.open);
                let program = of_eval(&whole).unwrap_or(whole);
                let (reads, shown) = match program.as_str() {
                    "./ask" => (Reads::Asking, "name? "),
                    "./repl" => (Reads::Repl, ">>> "),
                    "./full" => (Reads::FullScreen, "\x1b[?1049h\x1b[Hall of it"),
                    _ => return format!("\r\n\x1b]133;C;{MARK}done\r\n{}", self.prompt(0)),
                };
                self.reads = reads;
                format!("\r\n\x1b]133;C;{MARK}{shown}")
            }
            (_, "exit") => format!("\r\n{}", self.finish(0)),
            (Reads::Repl, _) => "\r\n>>> ".to_owned(),
            (Reads::Asking, _) => "\r\nname? ".to_owned(),
            (Reads::FullScreen, _) => "\x1b[2J".to_owned(),
        }
    }

    /// Back to the shell, which finds on its line what the program has not read.
    fn finish(&mut self, code: u8) -> String {
        let left = match self.reads {
            Reads::Login => return String::new(),
            Reads::FullScreen => "\x1b[?1049l",
            Reads::Shell | Reads::Asking | Reads::Repl => "\r\n",
        };
        self.reads = Reads::Shell;
        format!("{left}{}{}", self.prompt(code), self.line)
    }

    fn prompt(&mut self, code: u8) -> String {
        self.prompts += 1;
        format!("\x1b]133;D;{code};aid=0123abcd.7;q={}\x07\x1b]133;A;{MARK}{PROMPT}\x1b]133;B;{MARK}", self.prompts)
    }
}

/// The text that a line has `eval` run, as a shell reads its one quoted word.
pub(super) fn of_eval(line: &str) -> Option<String> {
    let quoted = line.trim_start().strip_prefix("command eval '")?.strip_suffix('\'')?;
    Some(quoted.replace("'\\''", "'"))
}
