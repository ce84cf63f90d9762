//! Scripts walked through: each answer is added below what is on the screen.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod settings;

use portcullis_plugin::navigator::{
    CommandResult, Event, Goal, Key, NamedKey, Navigation, Navigator, Row, Screen, Step,
};
use portcullis_plugin::{Attribute, Level, LevelKind, ShellDialect};
use serde_json::{Value, json};

use crate::Scripted;
use crate::way::Way;

/// A walk: the screen so far, and the step that came last.
struct Walk {
    way: Way,
    text: String,
    step: Step,
}

fn goal(parameters: &[(&str, &str)]) -> Goal {
    let parameters = parameters.iter().map(|(key, value)| Attribute::new(*key, *value)).collect();
    Goal { route: "test".to_owned(), parameters, levels: Vec::new() }
}

fn begin(script: &Value, parameters: &[(&str, &str)], text: &str) -> Walk {
    let mut way = Scripted::begin(&script.to_string(), goal(parameters)).unwrap();
    let step = way.next(Event::Start(screen(text))).unwrap();
    Walk { way, text: text.to_owned(), step }
}

impl Walk {
    fn sends(mut self, line: &str, answer: &str) -> Self {
        assert!(matches!(&self.step, Step::SendLine(sent) if sent == line), "{line}: {:?}", self.step);
        self.text.push_str(&format!("{line}\n{answer}"));
        self.shows("")
    }

    fn shows(mut self, more: &str) -> Self {
        self.text.push_str(more);
        let event = Event::ScreenChanged(screen(&self.text));
        self.on(event)
    }

    fn on(mut self, event: Event) -> Self {
        self.step = self.way.next(event).unwrap();
        self
    }

    fn times_out(self) -> Self {
        assert!(matches!(self.step, Step::Wait(_)), "{:?}", self.step);
        let event = Event::TimedOut(screen(&self.text));
        self.on(event)
    }

    fn enters(self, label: &str) -> Self {
        let Step::EnterLevel(level) = &self.step else { panic!("{label}: {:?}", self.step) };
        assert_eq!(level.label, label);
        let event = Event::LevelEntered(at_prompt(&self.text));
        self.on(event)
    }

    fn opens(self, line: &str, label: &str) -> Self {
        let Step::OpenLevel((typed, level)) = &self.step else { panic!("{line}: {:?}", self.step) };
        assert_eq!((typed.as_str(), level.label.as_str()), (line, label));
        self
    }

    fn runs(self, command: &str, output: &str) -> Self {
        assert!(matches!(&self.step, Step::RunCommand(line) if line == command), "{command}: {:?}", self.step);
        let result = CommandResult { exit_code: Some(0), completed: true, output: output.to_owned() };
        self.on(Event::CommandFinished(result))
    }

    fn reaches(self, label: &str) {
        let Step::Done(outcome) = &self.step else { panic!("{label}: {:?}", self.step) };
        assert_eq!(outcome.label, label);
    }

    fn fails(self, code: &str) {
        let Step::Fail(failure) = &self.step else { panic!("{code}: {:?}", self.step) };
        assert_eq!(failure.code, code, "{failure:?}");
    }
}

fn screen(text: &str) -> Screen {
    let rows: Vec<Row> = text.split('\n').map(|row| Row { text: row.trim_end().to_owned(), wrapped: false }).collect();
    Screen {
        generation: text.len() as u64,
        rows,
        columns: 120,
        cursor_row: 0,
        cursor_column: 0,
        alternate_screen: false,
        quiet_ms: 1000,
        at_prompt: false,
    }
}

fn at_prompt(text: &str) -> Screen {
    Screen { at_prompt: true, ..screen(text) }
}

fn preset() -> Value {
    json!({ "preset": "numbered-menu" })
}

const FIRST: &str =
    "\nNo.  Name     Address\n1    web-10   10.66.1.210\n2    web-1    10.66.1.21\n\nn) next\nSelect a host: ";
const LAST: &str =
    "\nNo.  Name     Address\n3    twin     10.66.4.1\n4    twin     10.66.4.2\n\nn) next\nSelect a host: ";

#[test]
fn the_numbered_menu_is_crossed_in_two_languages() {
    begin(&preset(), &[("target", "web-1")], FIRST)
        .sends("n", LAST)
        .sends("n", LAST)
        .sends("p", FIRST)
        .sends("2", "Connecting\n[root@web-1 ~]# ")
        .enters("web-1")
        .runs("hostname", "web-1\n")
        .reaches("web-1");
    let chinese = "\n编号  主机名    IP地址\n1     支付-网关  10.66.3.1\n\n请选择目标资产：";
    begin(&preset(), &[("target", "10.66.3.1"), ("host_name", "pay-1")], chinese)
        .sends("n", chinese)
        .sends("1", "登录帐号：\n 1. app\n 2. root\n请选择登录帐号：")
        .fails("account-needed");
    begin(&preset(), &[("target", "10.66.3.1"), ("host_name", "pay-1"), ("account", "root")], chinese)
        .sends("n", chinese)
        .sends("1", "登录帐号：\n 1. app\n 2. root\n请选择登录帐号：")
        .sends("2", "正在连接\n[root@pay-1 ~]# ")
        .enters("支付-网关")
        .runs("hostname", "pay-1.example.com\n")
        .reaches("支付-网关");
}

#[test]
fn of_a_list_exactly_one_row_is_chosen() {
    let twin = |parameters: &[(&str, &str)]| begin(&preset(), parameters, FIRST).sends("n", LAST).sends("n", LAST);
    twin(&[("target", "twin")]).fails("ambiguous");
    twin(&[("target", "web-2")]).fails("target-not-found");
    twin(&[("target", "web-1"), ("target_address", "10.66.1.210")]).fails("target-not-found");
    twin(&[("target", "twin"), ("target_address", "10.66.4.2"), ("host_name", "t")])
        .sends("4", "[root@t ~]# ")
        .enters("twin")
        .runs("hostname", "t\n")
        .reaches("twin");
    let moved = FIRST.replace("2    web-1 ", "3    web-1 ");
    twin(&[("target", "web-1")]).sends("p", &moved).fails("changed");
    begin(&preset(), &[("target", "web-1")], "\nSelect a host: ").fails("unreadable");
    let mut endless = begin(&preset(), &[("target", "web-1")], FIRST);
    for page in 0..9 {
        endless = endless.sends("n", &FIRST.replace("web", &format!("w{page}b")));
    }
    endless.fails("too-many-pages");
}

#[test]
fn a_wrong_host_is_left_and_refusals_are_told_apart() {
    let chosen = |answer: &str| begin(&preset(), &[("target", "web-1")], FIRST).sends("n", FIRST).sends("2", answer);
    chosen("[root@x ~]# ").enters("web-1").runs("hostname", "db-9\n").runs("exit", "").fails("wrong-host");
    chosen(&format!("Access denied by policy.\n{FIRST}")).fails("blocked");
    chosen(FIRST).fails("rejected");
    chosen("root's password: ").fails("secret-needed");
    chosen("connecting").times_out().fails("menu-silent");
    let mut secret = begin(&preset(), &[("target", "web-1"), ("password_secret", "w")], FIRST)
        .sends("n", FIRST)
        .sends("2", "password: ");
    assert!(matches!(&secret.step, Step::SendSecret(name) if name == "w"), "{:?}", secret.step);
    secret = secret.shows("\nwrong\npassword: ");
    secret.fails("secret-refused");
}

#[test]
fn a_preset_can_be_changed_in_parts() {
    let own = json!({
        "preset": "numbered-menu",
        "patterns": { "host_prompt": r"^Where to\?" },
        "states": { "identity": { "on": [{ "done": { "label": "{name}" } }] } }
    });
    let list = FIRST.replace("Select a host: ", "Where to? ");
    begin(&own, &[("target", "web-1")], &list).sends("n", &list).sends("2", "# ").enters("web-1").reaches("web-1");
    begin(&preset(), &[("target", "web-1")], &list).times_out().fails("not-recognised");
}

fn picker() -> Value {
    json!({
        "parameters": { "target": {} },
        "start": "list",
        "states": {
            "list": { "on": [{
                "screen": "^Filter: _", "alternate_screen": true, "keys": ["text:{target}"], "then": "filtered"
            }] },
            "filtered": { "on": [
                { "screen": r"\(0 of \d+\)", "fail": { "code": "target-not-found", "message": "{target} is not offered" } },
                { "screen": r"^Filter: {target}_", "count": { "of": r"^[> ] {target} ", "is": 1 }, "not_screen": r"\((?:[2-9]|\d\d+) of", "keys": ["enter"], "then": "shell" },
                { "screen": r"^Filter: {target}_", "fail": { "code": "ambiguous", "message": "several rows" } }
            ] },
            "shell": { "on": [{ "alternate_screen": false, "last_line": "[$#]$", "enter": { "label": "{target}" }, "then": "there" }] },
            "there": { "on": [{ "done": { "label": "{target}" } }] }
        }
    })
}

fn drawn(filter: &str, rows: &[&str]) -> Event {
    let text = format!("Select a target ({} of 9)\nFilter: {filter}_\n\n{}", rows.len(), rows.join("\n"));
    Event::ScreenChanged(Screen { alternate_screen: true, ..screen(&text) })
}

#[test]
fn a_picker_is_crossed_when_one_row_is_left() {
    let start = |rows: &[&str]| {
        let mut way = Scripted::begin(&picker().to_string(), goal(&[("target", "db-1")])).unwrap();
        let step = way.next(drawn("", &["> db-1  SSH", "  db-2  SSH"])).unwrap();
        assert!(matches!(&step, Step::SendKeys(keys) if keys == &[Key::Text("db-1".to_owned())]), "{step:?}");
        Walk { way, text: String::new(), step }.on(drawn("db-1", rows))
    };
    let picked = start(&["> db-1  SSH"]);
    assert!(
        matches!(&picked.step, Step::SendKeys(keys) if keys == &[Key::Named(NamedKey::Enter)]),
        "{:?}",
        picked.step
    );
    picked.shows("[root@db-1 ~]#").enters("db-1").reaches("db-1");
    start(&["> db-1  SSH", "  db-10  SSH"]).fails("ambiguous");
    start(&["> db-10  SSH"]).fails("ambiguous");
    start(&[]).fails("target-not-found");
}

/// A script that goes on from a shell with one action.
fn at_shell(rule: Value) -> Walk {
    let script = json!({
        "parameters": { "user": { "kind": "user", "optional": true }, "secret": { "kind": "secret", "optional": true } },
        "checkpoints": [{ "kind": "shell", "state": "start" }],
        "states": { "start": { "on": [rule] }, "there": { "on": [{ "done": { "label": "there" } }] } }
    });
    let level = Level {
        kind: LevelKind::Shell,
        label: "web-1".to_owned(),
        dialect: ShellDialect::Bash,
        attributes: Vec::new(),
    };
    let goal = Goal { levels: vec![level], ..goal(&[("user", "app"), ("secret", "app-password")]) };
    let mut way = Scripted::begin(&script.to_string(), goal).unwrap();
    let step = way.next(Event::Start(at_prompt("$ "))).unwrap();
    Walk { way, text: "$ ".to_owned(), step }
}

#[test]
fn ready_steps_open_levels() {
    let secret = "{secret}";
    for (step, line, label) in [
        (json!({ "step": "su", "user": "{user}", "secret": secret }), "su - app", "app"),
        (json!({ "step": "sudo", "user": "{user}", "secret": secret }), "sudo -i -u app", "app"),
        (
            json!({ "step": "ssh", "host": "db-1", "user": "{user}", "secret": secret }),
            "ssh -o StrictHostKeyChecking=yes app@db-1",
            "db-1",
        ),
    ] {
        let open = || at_shell(json!({ "use": step, "then": "there" })).opens(line, label);
        open().on(Event::LevelEntered(at_prompt("# "))).reaches("there");
        let asked = || {
            let refused = open().on(Event::Refused("no shell appeared: it asks for a password".to_owned()));
            assert!(matches!(refused.step, Step::Wait(_)), "{:?}", refused.step);
            let asked = refused.on(Event::TimedOut(screen("$ su\nPassword: ")));
            assert!(matches!(&asked.step, Step::SendSecret(name) if name == "app-password"), "{:?}", asked.step);
            asked
        };
        asked().on(Event::ScreenChanged(at_prompt("$ su\nPassword:\n# "))).reaches("there");
        asked().on(Event::ScreenChanged(screen("$ su\nPassword:\nSorry.\nPassword: "))).fails("secret-refused");
        let slow = asked().on(Event::ScreenChanged(screen("$ su\nPassword:\n")));
        assert!(matches!(slow.step, Step::Wait(_)), "{:?}", slow.step);
        slow.on(Event::TimedOut(screen("$ su\nPassword:\nsu: failure\n$ "))).fails("level-not-reached");
        open()
            .on(Event::Refused("unknown host key".to_owned()))
            .on(Event::TimedOut(screen("$ ssh\nHost key verification failed.\n$ ")))
            .fails("level-not-reached");
    }
}

#[test]
fn without_a_secret_a_person_gives_the_password() {
    let open =
        || at_shell(json!({ "use": { "step": "su", "user": "{user}" }, "then": "there" })).opens("su - app", "app");
    let asked = || {
        let refused = open().on(Event::Refused("no shell appeared: it asks for a password".to_owned()));
        let asked = refused.on(Event::TimedOut(screen("$ su\nPassword: ")));
        assert!(matches!(&asked.step, Step::AskPerson(question) if question.contains("app")), "{:?}", asked.step);
        asked
    };
    asked().on(Event::ScreenChanged(at_prompt("$ su\nPassword:\n# "))).reaches("there");
    asked().on(Event::Refused("nobody has answered in time".to_owned())).fails("person-needed");
    open()
        .on(Event::Refused("no shell appeared".to_owned()))
        .on(Event::TimedOut(screen("$ su\nsu: no such user\n$ ")))
        .fails("level-not-reached");
}

#[test]
fn a_person_s_answer_is_a_value_and_nobody_is_an_honest_end() {
    let script = json!({
        "states": {
            "start": { "on": [{ "last_line": "Code:$", "ask_person": { "question": "the code?", "into": "code" }, "then": "give" }] },
            "give": { "on": [{ "line": "{code}", "then": "over" }] },
            "over": { "on": [{ "screen": "welcome", "done": { "label": "in" } }] }
        }
    });
    let asked = || {
        let walk = begin(&script, &[], "Code: ");
        assert!(matches!(&walk.step, Step::AskPerson(question) if question == "the code?"), "{:?}", walk.step);
        walk
    };
    let given = asked().on(Event::Answer("4711".to_owned()));
    given.sends("4711", "welcome\n").reaches("in");
    asked().on(Event::Answer("47\r11".to_owned())).fails("person-needed");
    asked().on(Event::Refused("nobody can be asked".to_owned())).fails("person-needed");
}

#[test]
fn what_goes_on_for_ever_is_stopped() {
    let circle = json!({ "states": { "start": { "on": [{ "then": "b" }] }, "b": { "on": [{ "then": "start" }] } } });
    begin(&circle, &[], "x").fails("too-many-steps");
    let talk = json!({ "max_sends": 3, "states": { "start": { "on": [{ "last_line": ">$", "line": "x", "then": "start" }] } } });
    begin(&talk, &[], ">").sends("x", ">").sends("x", ">").sends("x", ">").fails("too-many-steps");
    let silent = json!({ "states": { "start": { "on": [{ "last_line": ">$", "line": "x", "then": "start" }] } } });
    let mut walk = begin(&silent, &[], ">").sends("x", "");
    for turn in 0..200 {
        if matches!(walk.step, Step::Fail(_)) {
            return walk.fails("menu-silent");
        }
        walk = walk.shows(&format!("{turn}\n"));
    }
    panic!("it waited for ever");
}

#[test]
fn a_slow_line_that_still_brings_something_has_some_more_time() {
    let script = json!({ "states": { "start": { "on": [{ "last_line": ">$", "line": "x", "then": "start" }] } } });
    let mut walk = begin(&script, &[], ">").sends("x", "");
    for _wait in 0..3 {
        let text = format!("{}more", walk.text);
        walk = walk.on(Event::TimedOut(Screen { quiet_ms: 10, ..screen(&text) }));
        assert!(matches!(walk.step, Step::Wait(_)), "{:?}", walk.step);
    }
    let text = format!("{}more", walk.text);
    walk.on(Event::TimedOut(Screen { quiet_ms: 10, ..screen(&text) })).fails("menu-silent");
}

#[test]
fn places_are_told_by_checkpoints() {
    let level = |label: &str, name: &str| Level {
        kind: LevelKind::Shell,
        label: label.to_owned(),
        dialect: ShellDialect::Bash,
        attributes: [("navigator", "numbered-menu"), ("name", name)].map(|(k, v)| Attribute::new(k, v)).to_vec(),
    };
    let first = |level: Level| {
        let goal = Goal { levels: vec![level], ..goal(&[("target", "web-1")]) };
        let mut way = Scripted::begin(&preset().to_string(), goal).unwrap();
        way.next(Event::Start(at_prompt("[root@web-1 ~]# "))).unwrap()
    };
    assert!(matches!(first(level("web-1", "web-1")), Step::RunCommand(line) if line == "hostname"));
    assert!(matches!(first(level("web-2", "web-2")), Step::Fail(failure) if failure.code == "wrong-place"));
}
