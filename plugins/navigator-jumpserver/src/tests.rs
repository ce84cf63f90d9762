//! Walks through the menu's texts as screens; each answer is added below what is there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use portcullis_plugin::navigator::{CommandResult, Event, Goal, Navigation, Navigator, Row, Screen, Step};
use portcullis_plugin::{Attribute, Level, LevelKind, PluginError, ShellDialect};

use crate::JumpServer;
use crate::way::Way;

const BANNER: &str = "\t\tAnn,  JumpServer\n\n\t 1) Enter part IP to search login if unique.\n\nOpt> ";
const TO_WEB: [(&str, &str); 1] = [("target", "web-1")];

/// A walk: the screen so far, and the step that came last.
struct Walk {
    way: Way,
    text: String,
    step: Step,
}

impl Walk {
    fn begin(config: &str, parameters: &[(&str, &str)], text: &str) -> Self {
        let parameters = parameters.iter().map(|(key, value)| Attribute::new(*key, *value)).collect();
        let goal = Goal { route: "test".to_owned(), parameters, levels: Vec::new() };
        let mut way = JumpServer::begin(config, goal).unwrap();
        let step = way.next(Event::Start(screen(text))).unwrap();
        Self { way, text: text.to_owned(), step }
    }

    fn new(parameters: &[(&str, &str)]) -> Self {
        Self::begin("{}", parameters, BANNER)
    }

    /// The line that has to have been sent, its echo, and what is answered.
    fn sends(mut self, line: &str, answer: &str) -> Self {
        assert!(matches!(&self.step, Step::SendLine(sent) if sent == line), "{line}: {:?}", self.step);
        self.text.push_str(&format!("{line}\n{answer}"));
        self.shows("")
    }

    fn shows(mut self, more: &str) -> Self {
        self.text.push_str(more);
        self.step = self.way.next(Event::ScreenChanged(screen(&self.text))).unwrap();
        self
    }

    fn times_out(mut self) -> Self {
        assert!(matches!(self.step, Step::Wait(_)), "{:?}", self.step);
        self.step = self.way.next(Event::TimedOut(screen(&self.text))).unwrap();
        self
    }

    fn enters(mut self, label: &str) -> Self {
        let Step::EnterLevel(level) = &self.step else { panic!("{label}: {:?}", self.step) };
        assert_eq!((level.kind, level.label.as_str()), (LevelKind::Shell, label));
        self.step = self.way.next(Event::LevelEntered(screen(&self.text))).unwrap();
        self
    }

    fn runs(mut self, command: &str, output: &str) -> Self {
        assert!(matches!(&self.step, Step::RunCommand(line) if line == command), "{command}: {:?}", self.step);
        let result = CommandResult { exit_code: Some(0), completed: true, output: output.to_owned() };
        self.step = self.way.next(Event::CommandFinished(result)).unwrap();
        self
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

/// A page as the menu draws it.
fn page(rows: &[(&str, &str)], page: usize, pages: usize) -> String {
    page_in(rows, page, pages, ["NAME", "ADDRESS"], ("Page: ", "No Assets"))
}

fn page_in(rows: &[(&str, &str)], page: usize, pages: usize, titles: [&str; 2], words: (&str, &str)) -> String {
    use unicode_width::UnicodeWidthStr;
    let pad = |text: &str| format!("{text}{}", " ".repeat(20 - text.width()));
    let mut text = format!("  ID | {} | {} | COMMENT\n-----+-----\n", pad(titles[0]), pad(titles[1]));
    for (index, (name, address)) in rows.iter().enumerate() {
        text.push_str(&format!("  {}  | {} | {} |\n", index + 1, pad(name), pad(address)));
    }
    text.push_str(&format!("{}{page}，每页行数：22，总页数：{pages}，总数量：{}\n", words.0, rows.len() * pages));
    text.push_str("Tips: x //192\nb n\nSearch: web\nOpt> ");
    text
}

const ONE: [(&str, &str); 1] = [("web-1", "10.0.0.1")];
const SHELL: &str = "Connecting to root@10.0.0.1  0.3\nLast login: today\n[root@web-1 ~]# ";

#[test]
fn a_search_lists_and_a_number_chooses() {
    for target in ["web-1", "10.0.0.1"] {
        Walk::new(&[("target", target)])
            .sends(&format!("/{target}"), &page(&[("web-10", "10.0.0.10"), ONE[0]], 1, 1))
            .sends("2", SHELL)
            .enters("web-1")
            .runs("hostname", "web-1\n")
            .reaches("web-1");
    }
}

#[test]
fn other_lists_are_left_first() {
    Walk::begin("{}", &TO_WEB, "[DB]> ")
        .sends("p", &page(&[("a", "10.0.0.9")], 1, 1).replace("Opt>", "[Host]>"))
        .sends("/web-1", &page(&ONE, 1, 1).replace("Opt>", "[Host]>"))
        .sends("1", SHELL)
        .enters("web-1");
}

#[test]
fn titles_are_read_in_no_language() {
    for (titles, page_word) in
        [(["名称", "地址"], "页码："), (["이름", "주소"], "페이지 번호: "), (["Имя", "Адрес"], "Страница: ")]
    {
        Walk::new(&[("target", "支付-1")])
            .sends("/支付-1", &page_in(&[("支付-1", "10.0.0.7")], 1, 1, titles, (page_word, "")))
            .sends("1", SHELL)
            .enters("支付-1");
    }
}

#[test]
fn name_and_address_must_both_fit() {
    let both = [("target", "web-1"), ("target_address", "10.0.0.1")];
    let twins = [("web-1", "10.0.0.2"), ("web-1", "10.0.0.1")];
    Walk::new(&both).sends("/web-1", &page(&twins, 1, 1)).sends("2", SHELL).enters("web-1");
    Walk::new(&both).sends("/web-1", &page(&[twins[0]], 1, 1)).fails("target-not-found");
    Walk::new(&TO_WEB).sends("/web-1", &page(&twins, 1, 1)).fails("ambiguous");
    Walk::new(&TO_WEB).sends("/web-1", &page(&[("web-11", "10.0.0.1")], 1, 1)).fails("target-not-found");
    Walk::new(&TO_WEB).sends("/web-1", "没有资产\nSearch: web-1\nOpt> ").fails("target-not-found");
}

#[test]
fn all_pages_are_read_before_a_row_is_chosen() {
    let others = |page: u8| [(["a", "b", "c"][usize::from(page)], "10.1.0.1"), ("x", "10.1.0.2")];
    let with_target = [("web-2", "10.0.0.2"), ONE[0]];
    Walk::new(&TO_WEB)
        .sends("/web-1", &page(&with_target, 1, 3))
        .sends("n", &page(&others(0), 2, 3))
        .sends("n", &page(&others(1), 3, 3))
        .sends("b", &page(&others(0), 2, 3))
        .sends("b", &page(&with_target, 1, 3))
        .sends("2", SHELL)
        .enters("web-1");
    Walk::new(&TO_WEB).sends("/web-1", &page(&with_target, 1, 2)).sends("n", &page(&ONE, 2, 2)).fails("ambiguous");
    Walk::new(&TO_WEB)
        .sends("/web-1", &page(&with_target, 1, 2))
        .sends("n", &page(&others(0), 2, 2))
        .sends("b", &page(&[("web-2", "10.0.0.2"), ("web-3", "10.0.0.3"), ONE[0]], 1, 2))
        .fails("changed");
    Walk::new(&TO_WEB).sends("/web-1", &page(&ONE, 1, 11)).fails("too-many-pages");
    Walk::new(&TO_WEB).sends("/web-1", &page(&ONE, 1, 3)).sends("n", &page(&ONE, 1, 3)).fails("unreadable");
    Walk::new(&[("target", "web-1"), ("target_address", "10.0.0.1")])
        .sends("/web-1", &page(&with_target, 1, 30))
        .sends("//10.0.0.1", &page(&ONE, 1, 1))
        .sends("1", SHELL)
        .enters("web-1");
}

#[test]
fn rows_drawn_by_a_name_are_not_taken() {
    let drawn = page(&ONE, 1, 1).replace("Page: 1", "  1  | web-1                | 10.0.0.9             |\nPage: 1");
    Walk::new(&TO_WEB).sends("/web-1", &drawn).fails("unreadable");
    let shifted = page(&[("web-1 | 10.0.0.1", "10.0.0.9")], 1, 1);
    Walk::new(&TO_WEB).sends("/web-1", &shifted).fails("target-not-found");
}

#[test]
fn an_announcement_that_looks_like_an_answer_is_none() {
    let fake = format!("Opt> /web-1\n{}", page(&[("web-1", "10.6.6.6")], 1, 1));
    Walk::begin("{}", &TO_WEB, &fake)
        .sends("/web-1", &page(&[("x", "10.0.0.9"), ONE[0]], 1, 1))
        .sends("2", SHELL)
        .enters("web-1");
    let walk = Walk::begin("{}", &TO_WEB, &fake).shows("");
    assert!(matches!(walk.step, Step::Wait(_)), "nothing has been answered yet: {:?}", walk.step);
    walk.times_out().fails("menu-silent");
}

const ACCOUNTS: &str = "  ID | NAME     | USERNAME\n-----+----------+----------\n  1  | app user | app      \n  2  | root     | root     \nTips: Enter asset[web-1(10.0.0.1)] account ID\nBack: B/b\nID> ";
const PROTOCOLS: &str =
    "  ID | PROTOCOL \n-----+---------\n  1  | sftp     \n  2  | ssh      \nTips: Enter protocol ID\nBack: B/b\nID> ";

#[test]
fn an_account_is_chosen_by_either_name() {
    let listed = |account: Option<&'static str>| {
        let parameters: Vec<_> = TO_WEB.into_iter().chain(account.map(|account| ("account", account))).collect();
        Walk::new(&parameters).sends("/web-1", &page(&ONE, 1, 1)).sends("1", ACCOUNTS)
    };
    for (account, number, login) in [("root", "2", "root\n"), ("app user", "1", "app\n"), ("app", "1", "app\n")] {
        listed(Some(account))
            .sends(number, SHELL)
            .enters("web-1")
            .runs("hostname", "WEB-1.example.com\n")
            .runs("id -un", login)
            .reaches("web-1");
    }
    listed(None).fails("account-needed");
    listed(Some("roo")).fails("account-not-found");
    listed(Some("root")).sends("2", &format!("no\n{ACCOUNTS}")).sends("2", ACCOUNTS).fails("rejected");
}

#[test]
fn a_protocol_is_chosen_before_the_account() {
    Walk::new(&[("target", "web-1"), ("account", "root")])
        .sends("/web-1", &page(&ONE, 1, 1))
        .sends("1", PROTOCOLS)
        .sends("2", ACCOUNTS)
        .sends("2", SHELL)
        .enters("web-1");
}

#[test]
fn a_login_name_is_typed_only_where_the_route_has_one() {
    let walk =
        |parameters: &[(&str, &str)]| Walk::new(parameters).sends("/web-1", &page(&ONE, 1, 1)).sends("1", "username: ");
    walk(&TO_WEB).fails("account-needed");
    walk(&[("target", "web-1"), ("login_user", "ann")]).sends("ann", SHELL).enters("web-1");
}

#[test]
fn a_reviewer_is_asked_only_where_the_operator_wants_it() {
    let question = "\n需要审核，继续？(y/n): ";
    let asked =
        |config: &str| Walk::begin(config, &TO_WEB, BANNER).sends("/web-1", &page(&ONE, 1, 1)).sends("1", question);
    asked("{}").fails("approval-needed");
    let waiting = || asked(r#"{"request_review":true}"#).sends("y", "等待审核人复核确认，按 q 回车取消登录。0s");
    let walk = waiting();
    let Step::Wait(wait) = &walk.step else { panic!("{:?}", walk.step) };
    assert!(wait.any_text.iter().any(|text| text == "审核通过"), "{wait:?}");
    walk.shows("\n管理员 审核通过\n").shows(SHELL).enters("web-1");
    waiting().shows("\n管理员 审核拒绝\nOpt> ").fails("approval-refused");
    waiting().times_out().times_out().times_out().fails("approval-timeout");
}

#[test]
fn the_bastion_s_refusals_are_told_apart() {
    let answered = |answer: &str| Walk::new(&TO_WEB).sends("/web-1", &page(&ONE, 1, 1)).sends("1", answer);
    answered("本次登录已拒绝，原因是访问控制策略的限制\nOpt> ").fails("blocked");
    answered("Вход запрещен: ограничение политики контроля доступа\nOpt> ").fails("blocked");
    answered("connect failed\nOpt> ").fails("rejected");
    answered("空闲时间超过30分钟，断开连接\n").fails("session-ended");
    answered("[OTP Code]: ").fails("person-needed");
    answered("Connecting to root@10.0.0.1  0.3").times_out().fails("menu-silent");
    Walk::new(&TO_WEB).sends("/web-1", "").times_out().fails("menu-silent");
}

#[test]
fn a_password_is_given_by_name_and_once() {
    let asked = |parameters: &[(&str, &str)]| {
        Walk::new(parameters).sends("/web-1", &page(&ONE, 1, 1)).sends("1", "root@10.0.0.1's password: ")
    };
    asked(&TO_WEB).fails("secret-needed");
    let walk = || asked(&[("target", "web-1"), ("password_secret", "web-root")]);
    assert!(matches!(walk().step, Step::SendSecret(name) if name == "web-root"));
    walk().shows(&format!("\n{SHELL}")).enters("web-1");
    walk().shows("\nPermission denied.\nroot@10.0.0.1's password: ").fails("secret-refused");
}

#[test]
fn another_host_behind_the_choice_is_left_again() {
    let entered = |config: &str| {
        Walk::begin(config, &TO_WEB, BANNER).sends("/web-1", &page(&ONE, 1, 1)).sends("1", SHELL).enters("web-1")
    };
    entered("{}").runs("hostname", "db-9\n").runs("exit", "").fails("wrong-host");
    entered("{}").runs("hostname", "").runs("exit", "").fails("wrong-host");
    entered(r#"{"verify":[{"run":"hostname -I","expect":"{address}","compare":"word"}]}"#)
        .runs("hostname -I", "172.17.0.1 10.0.0.1\n")
        .reaches("web-1");
    entered(r#"{"verify":[{"run":"id -un","expect":"{login}"}]}"#).runs("exit", "").fails("unverifiable");
    entered(r#"{"verify":[]}"#).reaches("web-1");
}

#[test]
fn a_shell_that_still_prints_is_not_entered() {
    let mut walk = Walk::new(&TO_WEB).sends("/web-1", &page(&ONE, 1, 1)).sends("1", "");
    walk.text.push_str(SHELL);
    let mut noisy = screen(&walk.text);
    noisy.quiet_ms = 5;
    assert!(matches!(walk.way.next(Event::ScreenChanged(noisy)).unwrap(), Step::Wait(_)));
    walk.shows("").enters("web-1");
}

#[test]
fn on_into_a_pod() {
    let pod = [("target", "web-1"), ("namespace", "orders"), ("pod", "api-*")];
    let walk = Walk::new(&pod)
        .sends("/web-1", &page(&ONE, 1, 1))
        .sends("1", SHELL)
        .enters("web-1")
        .runs("hostname", "web-1\n")
        .runs(
            "kubectl get pods -n orders",
            "NAME    READY   STATUS    RESTARTS   AGE\napi-1   1/1     Running   0          3d\n",
        );
    let Step::OpenLevel((line, level)) = &walk.step else { panic!("{:?}", walk.step) };
    assert_eq!(line, "kubectl exec -it api-1 -n orders -- /bin/bash");
    assert_eq!(level.label, "orders/api-1");
}

#[test]
fn it_goes_on_from_where_the_session_is() {
    let attributes = [("navigator", "jumpserver"), ("address", "10.0.0.1"), ("account", "root"), ("user", "root")];
    let level = Level {
        kind: LevelKind::Shell,
        label: "web-1".to_owned(),
        dialect: ShellDialect::Bash,
        attributes: attributes.map(|(key, value)| Attribute::new(key, value)).to_vec(),
    };
    let first = |parameters: &[(&str, &str)]| {
        let parameters = parameters.iter().map(|(key, value)| Attribute::new(*key, *value)).collect();
        let goal = Goal { route: "test".to_owned(), parameters, levels: vec![level.clone()] };
        let mut at_prompt = screen("[root@web-1 ~]# ");
        at_prompt.at_prompt = true;
        JumpServer::begin("{}", goal).unwrap().next(Event::Start(at_prompt)).unwrap()
    };
    assert!(matches!(first(&TO_WEB), Step::RunCommand(line) if line == "hostname"), "it is asked again who it is");
    for other in [vec![("target", "web-2")], vec![("target", "web-1"), ("account", "app")]] {
        assert!(matches!(first(&other), Step::Fail(failure) if failure.code == "wrong-place"), "{other:?}");
    }
}

#[test]
fn a_denied_step_ends_the_way() {
    let mut walk = Walk::new(&TO_WEB);
    let step = walk.way.next(Event::Refused("a policy".to_owned())).unwrap();
    assert!(matches!(step, Step::Fail(failure) if failure.code == "refused"));
}

#[test]
fn words_that_could_do_something_else_are_refused() {
    for bad in [
        vec![],
        vec![("target", "a\r2")],
        vec![("target", "/a")],
        vec![("target", "a;b")],
        vec![("target", "a"), ("taget", "b")],
        vec![("target", "a"), ("account", "x\u{1b}")],
        vec![("target", "a"), ("protocol", "ssh x")],
        vec![("target", "a"), ("login_user", "x y")],
        vec![("target", "a"), ("password_secret", "a b")],
        vec![("target", "a"), ("target_name", "b"), ("target_address", "10.0.0.1")],
        vec![("target", "a"), ("pod", "x")],
    ] {
        let parameters = bad.iter().map(|(key, value)| Attribute::new(*key, *value)).collect();
        let goal = Goal { route: "test".to_owned(), parameters, levels: Vec::new() };
        assert!(matches!(JumpServer::begin("{}", goal), Err(PluginError::InvalidInput(_))), "{bad:?}");
    }
}

#[test]
fn settings_are_checked() {
    assert!(JumpServer::validate_config("{}").is_empty());
    for (config, path) in [
        (r#"{"menu_timeout_ms":10}"#, "menu_timeout_ms"),
        (r#"{"settle_ms":6000}"#, "settle_ms"),
        (r#"{"max_pages":0}"#, "max_pages"),
        (r#"{"protocol":"s h"}"#, "protocol"),
        (r#"{"default_account":"a;b"}"#, "default_account"),
        (r#"{"texts":{"blocked":["x",""]}}"#, "texts.blocked[1]"),
        (r#"{"shell_prompt_ends":[]}"#, "shell_prompt_ends"),
        (r#"{"verify":[{"run":"","expect":"{name}"}]}"#, "verify[0].run"),
        (r#"{"verify":[{"run":"a","expect":"{nam}"}]}"#, "verify[0].expect"),
        (r#"{"verify":[{"run":"a","expect":"b","compare":"like"}]}"#, "verify[0].compare"),
        (r#"{"timeout":1}"#, "timeout"),
    ] {
        let wrong = JumpServer::validate_config(config);
        assert_eq!(wrong.iter().map(|wrong| wrong.path.as_str()).collect::<Vec<_>>(), [path], "{config}");
    }
}

#[test]
fn the_menu_is_recognised_by_its_prompt() {
    assert_eq!(JumpServer::recognise("{}", &screen(BANNER)), 85);
    assert_eq!(JumpServer::recognise("{}", &screen("ID> ")), 60);
    assert_eq!(JumpServer::recognise("{}", &screen("Target IP: ")), 0);
}
