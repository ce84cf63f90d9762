//! After the row's number: protocol, account, login name, reviewer, password, and at last a shell.

use navigator_common::screen::{Sent, last_line, shown};
use portcullis_plugin::navigator::{Failure, Screen, Step};

use crate::menu::{self, Prompt};
use crate::way::{Choice, State, Way};

/// Protocol and account: no asset asks for more numbers.
const MAX_NUMBERS: u32 = 2;

impl Way {
    /// Reads what the choice has led to so far.
    pub(crate) fn chosen(&mut self, choice: &Choice, sent: &Sent, screen: &Screen, lines: &[String]) -> Option<Step> {
        let said = sent.answered(lines)?;
        let last = last_line(&said)?.trim().to_owned();
        let texts = &self.settings.texts;
        if menu::says(&said, &texts.ended) {
            return Some(Failure::step("session-ended", "the bastion has ended the session", shown(&said)));
        }
        match menu::waiting_prompt(&said) {
            Some(Prompt::Number) => return Some(self.give_number(choice, &said, lines)),
            Some(Prompt::Hosts | Prompt::Others) => return Some(self.came_back(choice, &said)),
            None => {}
        }
        if last == "username:" {
            return Some(self.give_login(choice, &said, lines));
        }
        if is_yes_or_no(&last) {
            return Some(self.ask_reviewer(choice, &said, lines));
        }
        if asks_code(&last) {
            let message = "the bastion asks for a one-time code; type it in the viewer, then follow the route again";
            return Some(Failure::step("person-needed", message, shown(&said)));
        }
        if asks_password(&last) {
            return Some(self.give_secret(choice, &said, lines));
        }
        if !choice.in_review && menu::says(&said, &texts.waiting) && !menu::says(&said, &texts.approved) {
            let choice = Choice { in_review: true, ..choice.clone() };
            return Some(self.await_reviewer(choice, sent.clone()));
        }
        if self.shell_waits(lines) && screen.quiet_ms >= self.settings.settle_ms {
            let claim = self.claim(&choice.asset, choice.account.clone(), choice.login.clone());
            return Some(self.enter_host(claim));
        }
        None
    }

    /// Whether the last line looks like a shell's prompt and is none of the menu's.
    pub(crate) fn shell_waits(&self, lines: &[String]) -> bool {
        let Some(last) = last_line(lines) else { return false };
        menu::waiting_prompt(lines).is_none()
            && self.settings.shell_prompt_ends.iter().any(|end| last.ends_with(end.trim_end()))
    }

    /// The menu again instead of a shell.
    fn came_back(&self, choice: &Choice, said: &[String]) -> Step {
        let texts = &self.settings.texts;
        let name = &choice.asset.name;
        let (code, message) = if menu::says(said, &texts.blocked) {
            ("blocked", format!("the bastion forbids the login to {name}"))
        } else if choice.in_review && menu::says(said, &texts.rejected) {
            ("approval-refused", format!("a reviewer refused the login to {name}"))
        } else {
            ("rejected", format!("the bastion did not connect to {name}"))
        };
        Failure::step(code, message, shown(said))
    }

    /// At `ID>`: of a protocol (two columns) or an account (three).
    fn give_number(&mut self, choice: &Choice, said: &[String], lines: &[String]) -> Step {
        if choice.numbers_given >= MAX_NUMBERS {
            return Failure::step("rejected", "the menu asks for one number after the other", shown(said));
        }
        let Some(rows) = menu::numbered_rows(said) else {
            return Failure::step(
                "unreadable",
                "the menu asks for a number of a list that cannot be read",
                shown(said),
            );
        };
        let is_protocol = rows.iter().all(|row| row.len() == 2);
        let Some(wanted) = (if is_protocol { Some(&self.wanted.protocol) } else { self.wanted.account.as_ref() })
        else {
            let message = format!("{} has several accounts; name one in the route (`account`)", choice.asset.name);
            return Failure::step("account-needed", message, shown(said));
        };
        let fits = |row: &&Vec<String>| {
            row[1..].iter().any(|field| field.eq(wanted) || (is_protocol && field.eq_ignore_ascii_case(wanted)))
        };
        let fitting: Vec<&Vec<String>> = rows.iter().filter(fits).collect();
        match fitting.as_slice() {
            [row] => {
                let known = |index: usize| row.get(index).filter(|_| !is_protocol).cloned();
                let mut choice = choice.clone();
                choice.numbers_given += 1;
                choice.account = choice.account.or(known(1));
                choice.login = choice.login.or(known(2).filter(|login| !login.is_empty() && !login.starts_with('@')));
                self.type_answer(row[0].clone(), choice, lines)
            }
            [] => {
                let message = format!("{wanted:?} is not offered for {}", choice.asset.name);
                Failure::step("account-not-found", message, shown(said))
            }
            _ => Failure::step("ambiguous", format!("several rows are called {wanted:?}"), shown(said)),
        }
    }

    fn type_answer(&mut self, answer: String, choice: Choice, lines: &[String]) -> Step {
        self.state = State::Chosen(choice, Sent::new(&answer, lines));
        Step::SendLine(answer)
    }

    fn give_login(&mut self, choice: &Choice, said: &[String], lines: &[String]) -> Step {
        match self.wanted.login_user.clone() {
            Some(user) if choice.login.as_ref() != Some(&user) => {
                let choice = Choice { login: Some(user.clone()), ..choice.clone() };
                self.type_answer(user, choice, lines)
            }
            Some(user) => Failure::step("rejected", format!("the bastion did not take the user {user}"), shown(said)),
            None => {
                let message = "the account's login name is typed by hand; name it in the route (`login_user`)";
                Failure::step("account-needed", message, shown(said))
            }
        }
    }

    /// Asking somebody for a permission is a step of its own, so the operator has to want it.
    fn ask_reviewer(&mut self, choice: &Choice, said: &[String], lines: &[String]) -> Step {
        if !self.settings.request_review {
            let message =
                "a reviewer has to agree to this login; set request_review = true to ask one, or answer in the viewer";
            return Failure::step("approval-needed", message, shown(said));
        }
        if choice.in_review {
            return Failure::step("rejected", "the bastion asks again whether a reviewer is wanted", shown(said));
        }
        let choice = Choice { in_review: true, ..choice.clone() };
        self.type_answer("y".to_owned(), choice, lines)
    }

    /// A review that began without a question.
    fn await_reviewer(&mut self, choice: Choice, sent: Sent) -> Step {
        self.state = State::Chosen(choice, sent);
        self.approval_wait()
    }

    fn give_secret(&mut self, choice: &Choice, said: &[String], lines: &[String]) -> Step {
        let name = &choice.asset.name;
        // A password that was not taken is not given again: accounts are locked for that.
        if choice.asked_for_secret {
            return Failure::step("secret-refused", format!("{name} did not take the password"), shown(said));
        }
        let Some(secret) = self.wanted.password_secret.clone() else {
            let message = format!(
                "{name} asks for a password; name its secret in the route (`password_secret`) and bind it in the profile"
            );
            return Failure::step("secret-needed", message, shown(said));
        };
        let choice = Choice { asked_for_secret: true, ..choice.clone() };
        self.state = State::Chosen(choice, Sent::new("", lines));
        Step::SendSecret(secret)
    }
}

/// `(y/n):` or `[Y/n]? :` at the end.
fn is_yes_or_no(line: &str) -> bool {
    let line = line.to_lowercase();
    let asked = line.trim_end_matches([':', '：', ' ', '?', '？']);
    line.ends_with([':', '：']) && (asked.ends_with("(y/n)") || asked.ends_with("[y/n]"))
}

fn asks_code(line: &str) -> bool {
    line.ends_with("Code]:") || line.ends_with("Option>")
}

fn asks_password(line: &str) -> bool {
    let line = line.to_lowercase();
    ["password:", "password：", "密码:", "密码：", "密碼:", "密碼："].iter().any(|end| line.ends_with(end))
}
