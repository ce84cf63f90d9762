//! The dialogue of the menu: bytes in, bytes out, and at the end a login or a farewell.
//!
//! No input or output, no clock. The caller sends [`Menu::start`] to the terminal, feeds what is
//! typed, and stops at the first [`Outcome`]. Bytes typed behind the line that ended the dialogue
//! are handed back in [`Step::rest`]: they belong to whatever comes next.

use super::line_editor::{Edit, LineEditor};
use super::{Target, USERS, find_target, find_user, known_targets};

/// First prompt.
pub const TARGET_PROMPT: &str = "Target IP: ";
/// Second prompt.
pub const USER_PROMPT: &str = "User number: ";
/// Title of the list of users.
pub const USER_TITLE: &str = "Select login user:";
/// How often a wrong password may be given before the menu begins anew.
const PASSWORD_TRIES: u8 = 3;
/// Words that leave at any prompt.
const LEAVE_WORDS: [&str; 3] = ["q", "quit", "exit"];
/// The menu runs on a raw terminal, where a line end needs both.
const LINE_END: &str = "\r\n";

/// Where the dialogue led.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A host and a user were chosen.
    Login(Login),
    /// The person left.
    Leave,
}

/// A host and a user, as chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The host.
    pub target: Target,
    /// One of [`USERS`].
    pub user: String,
}

impl Login {
    /// What the master shell shows before its first prompt.
    #[must_use]
    pub fn welcome(&self) -> String {
        let lines = [
            format!("Logged in to {} as {}.", self.target.name, self.user),
            "Try: kubectl get pods -n orders".to_owned(),
            "Try: kubectl exec -it POD -n orders -- /bin/bash".to_owned(),
        ];
        lines.map(|line| line + LINE_END).concat()
    }
}

/// What one feeding led to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Bytes for the terminal.
    pub screen: Vec<u8>,
    /// Set when the dialogue is over.
    pub outcome: Option<Outcome>,
    /// Input behind the end of the dialogue, untouched.
    pub rest: Vec<u8>,
}

#[derive(Debug)]
enum Stage {
    Target,
    User(Target),
    Password { login: Login, tries_left: u8 },
}

/// The dialogue, between two keys.
#[derive(Debug)]
pub struct Menu {
    stage: Stage,
    editor: LineEditor,
    echo: bool,
    /// Asked for before every login.
    password: Option<String>,
}

impl Menu {
    /// A fresh dialogue; `echo` as in [`LineEditor::new`].
    #[must_use]
    pub fn new(echo: bool) -> Self {
        Self { stage: Stage::Target, editor: LineEditor::new(echo), echo, password: None }
    }

    /// Lets nobody log in to a host without this password.
    #[must_use]
    pub fn with_password(self, password: Option<String>) -> Self {
        Self { password, ..self }
    }

    /// The banner alone, without the prompt behind it.
    #[must_use]
    pub fn banner() -> String {
        let rule = "=".repeat(44);
        let lines = [
            rule.as_str(),
            "               CMSM Simulator",
            rule.as_str(),
            "A stand-in for the walk CMSM -> master -> pod.",
            "Enter q at any prompt to exit.",
            "",
        ];
        lines.map(|line| format!("{line}{LINE_END}")).concat()
    }

    /// What the terminal shows first.
    #[must_use]
    pub fn start() -> String {
        Self::banner() + TARGET_PROMPT
    }

    /// Takes typed bytes, in pieces of any size.
    pub fn feed(&mut self, keys: &[u8]) -> Step {
        let mut step = Step::default();
        for (position, byte) in keys.iter().enumerate() {
            step.outcome = match self.editor.feed(*byte, &mut step.screen) {
                None => None,
                Some(Edit::Leave) => Some(Outcome::Leave),
                Some(Edit::Line(line)) => self.answer(line.trim(), &mut step.screen),
            };
            if step.outcome.is_some() {
                step.rest = keys.get(position + 1..).unwrap_or_default().to_vec();
                break;
            }
        }
        if step.outcome == Some(Outcome::Leave) {
            say(&mut step.screen, &["Bye."]);
        }
        step
    }

    fn answer(&mut self, text: &str, screen: &mut Vec<u8>) -> Option<Outcome> {
        if let Stage::Password { login, tries_left } = &self.stage {
            let (login, tries_left) = (login.clone(), *tries_left);
            return self.password_given(text, login, tries_left, screen);
        }
        if LEAVE_WORDS.contains(&text) {
            return Some(Outcome::Leave);
        }
        match &self.stage {
            Stage::Target if text.is_empty() => {
                say(screen, &["Known targets:"]);
                for (position, target) in known_targets().iter().enumerate() {
                    say(screen, &[&target.row(position + 1)]);
                }
                screen.extend_from_slice(TARGET_PROMPT.as_bytes());
                None
            }
            Stage::Target => {
                let (index, target) = find_target(text);
                say(screen, &["Search result:", &target.row(index), ""]);
                ask_user(&target, screen);
                self.stage = Stage::User(target);
                None
            }
            Stage::User(target) => {
                if let Some(user) = find_user(text) {
                    let login = Login { target: target.clone(), user: user.to_owned() };
                    if self.password.is_none() {
                        return Some(Outcome::Login(login));
                    }
                    self.ask_password(login, PASSWORD_TRIES, screen);
                    return None;
                }
                let complaint = format!("Invalid user: {text:?}. Enter a number from 1 to {} or a name.", USERS.len());
                say(screen, &[&complaint]);
                screen.extend_from_slice(USER_PROMPT.as_bytes());
                None
            }
            // Answered above.
            Stage::Password { .. } => None,
        }
    }

    /// What is typed from now on is not shown.
    fn ask_password(&mut self, login: Login, tries_left: u8, screen: &mut Vec<u8>) {
        screen.extend_from_slice(format!("{}@{}'s password: ", login.user, login.target.name).as_bytes());
        self.editor = LineEditor::new(false);
        self.stage = Stage::Password { login, tries_left };
    }

    fn password_given(&mut self, text: &str, login: Login, tries_left: u8, screen: &mut Vec<u8>) -> Option<Outcome> {
        say(screen, &[""]);
        if self.password.as_deref() == Some(text) {
            return Some(Outcome::Login(login));
        }
        say(screen, &["Permission denied, please try again."]);
        match tries_left.saturating_sub(1) {
            0 => {
                self.editor = LineEditor::new(self.echo);
                self.stage = Stage::Target;
                screen.extend_from_slice(TARGET_PROMPT.as_bytes());
            }
            left => self.ask_password(login, left, screen),
        }
        None
    }
}

fn ask_user(target: &Target, screen: &mut Vec<u8>) {
    say(screen, &[&format!("Host: {} ({})", target.name, target.address), USER_TITLE]);
    for (position, user) in USERS.iter().enumerate() {
        say(screen, &[&format!("  {}) {user}", position + 1)]);
    }
    screen.extend_from_slice(USER_PROMPT.as_bytes());
}

fn say(screen: &mut Vec<u8>, lines: &[&str]) {
    for line in lines {
        screen.extend_from_slice(line.as_bytes());
        screen.extend_from_slice(LINE_END.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "a failed check in a test panics")]

    use super::*;

    /// The end of a dialogue, short enough for a table.
    #[derive(Debug, PartialEq)]
    enum End {
        Login(&'static str, &'static str),
        Leave,
        Waits(&'static str),
    }

    fn check(keys: &str, expected: &End) {
        let mut menu = Menu::new(true);
        let step = menu.feed(keys.as_bytes());
        let screen = String::from_utf8_lossy(&step.screen).into_owned();
        match (expected, step.outcome) {
            (End::Login(host, user), Some(Outcome::Login(login))) => {
                assert_eq!((login.target.name.as_str(), login.user.as_str()), (*host, *user), "{keys:?}");
            }
            (End::Leave, Some(Outcome::Leave)) => assert!(screen.ends_with("Bye.\r\n"), "{screen}"),
            (End::Waits(tail), None) => assert!(screen.ends_with(tail), "{keys:?}: {screen:?}"),
            (expected, outcome) => panic!("{keys:?}: wanted {expected:?}, came to {outcome:?}"),
        }
    }

    #[test]
    fn answers_lead_where_they_should() {
        for (keys, expected) in [
            ("10.66.12.21\r2\r", End::Login("master-a", "root")),
            ("master-b\rapp\r", End::Login("master-b", "app")),
            ("2\r1\r", End::Login("master-b", "ruby")),
            (" 1 \r readonly \r", End::Login("master-a", "readonly")),
            ("10.9.8.7\r3\r", End::Login("master-10-9-8-7", "app")),
            ("1\r9\r2\r", End::Login("master-a", "root")),
            ("1\r\r4\r", End::Login("master-a", "readonly")),
            ("\r\r1\r1\r", End::Login("master-a", "ruby")),
            ("q\r", End::Leave),
            ("quit\r", End::Leave),
            ("exit\r", End::Leave),
            ("1\rq\r", End::Leave),
            ("1\rnobody\rexit\r", End::Leave),
            ("\u{3}", End::Leave),
            ("10.66\u{4}", End::Leave),
            ("1\r\u{4}", End::Leave),
            ("", End::Waits("")),
            ("\r", End::Waits("online\r\nTarget IP: ")),
            ("1\r", End::Waits("  4) readonly\r\nUser number: ")),
            ("1\r7\r", End::Waits("or a name.\r\nUser number: ")),
        ] {
            check(keys, &expected);
        }
    }

    #[test]
    fn a_password_is_asked_for_without_an_echo() {
        let mut menu = Menu::new(true).with_password(Some("right".to_owned()));
        let step = menu.feed(b"1\r2\rwrong\r");
        let screen = String::from_utf8_lossy(&step.screen).into_owned();
        assert!(screen.ends_with("denied, please try again.\r\nroot@master-a's password: "), "{screen:?}");
        assert!(step.outcome.is_none() && !screen.contains("wrong"));
        let step = menu.feed(b"right\rls\r");
        assert!(matches!(step.outcome, Some(Outcome::Login(_))));
        assert_eq!(step.rest, b"ls\r");
        assert!(!String::from_utf8_lossy(&step.screen).contains("right"));

        let mut menu = Menu::new(true).with_password(Some("right".to_owned()));
        let screen = menu.feed(b"1\r2\ra\rb\rc\rq").screen;
        assert!(String::from_utf8_lossy(&screen).ends_with("Target IP: q"), "{screen:?}");
    }

    #[test]
    fn the_choice_is_shown_before_the_users() {
        let screen = Menu::new(true).feed(b"10.66.12.22\r").screen;
        let text = String::from_utf8_lossy(&screen).into_owned();
        let order = [
            "Search result:",
            "master-b",
            "payments-prod",
            "online",
            "Host: master-b (10.66.12.22)",
            "Select login user:",
            "1) ruby",
            "2) root",
            "3) app",
            "4) readonly",
            "User number: ",
        ];
        let mut from = 0;
        for part in order {
            let Some(found) = text[from..].find(part) else {
                panic!("{part:?} is missing or out of order in {text:?}")
            };
            from += found + part.len();
        }
    }

    #[test]
    fn input_in_single_bytes_ends_as_input_in_one_piece() {
        let keys = b"\r10.66.12.2x\x7f1\r8\r2\r";
        let whole = Menu::new(true).feed(keys);
        let mut menu = Menu::new(true);
        let mut pieces = Step::default();
        for byte in keys {
            let step = menu.feed(&[*byte]);
            pieces.screen.extend(step.screen);
            pieces.outcome = step.outcome;
        }
        assert_eq!(whole, pieces);
    }

    #[test]
    fn typing_ahead_is_handed_on() {
        let step = Menu::new(true).feed(b"1\r2\rls -la\rpwd\r");
        assert!(matches!(step.outcome, Some(Outcome::Login(_))));
        assert_eq!(step.rest, b"ls -la\rpwd\r");
    }

    #[test]
    fn the_banner_names_itself_and_the_way_out() {
        let start = Menu::start();
        assert!(start.contains("CMSM Simulator") && start.contains("q at any prompt"));
        assert!(start.ends_with(TARGET_PROMPT));
    }
}
