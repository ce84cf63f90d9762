//! Walks through a scripted bastion: the same texts in the same order as the real menu's, fed to
//! the navigator as screens.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use portcullis_plugin::navigator::{CommandResult, Event, Goal, Navigation, Navigator, Row, Screen, Step};
use portcullis_plugin::{Attribute, Level, LevelKind, PluginError, ShellDialect};

use crate::Cmsm;
use crate::navigation::Way;

const START: &str = "=====\n     CMSM Simulator\n=====\nEnter q at any prompt to exit.\n\nTarget IP: ";
const FOUND: &str =
    "Search result:\n  1   10.66.12.21     master-a     orders-prod    online\n\nHost: master-a (10.66.12.21)\n";
const USERS: &str = "Select login user:\n  1) ruby\n  2) root\n  3) app\n  4) readonly\nUser number: ";
const PODS: &str = "NAME                          READY   STATUS    RESTARTS   AGE\n\
    orders-api-7d9d65f8b4-2plxq   1/1     Running   0          3d4h\n\
    orders-worker-6b7f4d6db9-x9   1/1     Running   0          3d4h\n";

fn screen(text: &str) -> Screen {
    let rows: Vec<Row> = text.split('\n').map(|row| Row { text: row.trim_end().to_owned(), wrapped: false }).collect();
    let cursor_row = u16::try_from(rows.len() - 1).unwrap();
    Screen {
        generation: u64::try_from(text.len()).unwrap(),
        rows,
        columns: 120,
        cursor_row,
        cursor_column: 0,
        alternate_screen: false,
        quiet_ms: 100,
        at_prompt: false,
    }
}

fn start(text: &str) -> Event {
    Event::Start(screen(text))
}

fn changed(text: &str) -> Event {
    Event::ScreenChanged(screen(text))
}

fn goal(parameters: &[(&str, &str)]) -> Goal {
    let parameters = parameters.iter().map(|(key, value)| Attribute::new(*key, *value)).collect();
    Goal { route: "test".to_owned(), parameters, levels: Vec::new() }
}

fn way(parameters: &[(&str, &str)]) -> Way {
    Cmsm::begin("{}", goal(parameters)).unwrap()
}

fn code(step: Step) -> String {
    match step {
        Step::Fail(failure) => failure.code,
        other => panic!("not a failure: {other:?}"),
    }
}

fn sent(step: Step) -> String {
    match step {
        Step::SendLine(line) => line,
        other => panic!("nothing sent: {other:?}"),
    }
}

const TO_HOST: [(&str, &str); 2] = [("target", "10.66.12.21"), ("user", "root")];

/// Up to the answer of the user's number.
fn at_user(parameters: &[(&str, &str)]) -> (Way, String) {
    let mut way = way(parameters);
    let target = sent(way.next(start(START)).unwrap());
    let text = format!("{START}{target}\n{FOUND}{USERS}");
    assert_eq!(sent(way.next(changed(&text)).unwrap()), "2");
    (way, text)
}

fn on_host(parameters: &[(&str, &str)]) -> (Way, Step) {
    let (mut way, text) = at_user(parameters);
    let text = format!("{text}2\nLogged in to master-a as root.\nTry: x\n[root@master-a ~]# ");
    let entered = way.next(changed(&text)).unwrap();
    let Step::EnterLevel(level) = entered else { panic!("{entered:?}") };
    assert_eq!((level.kind, level.label.as_str(), level.dialect), (LevelKind::Shell, "master-a", ShellDialect::Bash));
    let step = way.next(Event::LevelEntered(screen(&text))).unwrap();
    (way, step)
}

#[test]
fn to_the_host() {
    for user in ["root", "2"] {
        for target in ["10.66.12.21", "master-a"] {
            let (mut way, step) = on_host(&[("target", target), ("user", user)]);
            let Step::Done(outcome) = step else { panic!("{step:?}") };
            assert_eq!(outcome.label, "master-a");
            assert!(way.next(start(START)).is_err(), "a navigation ends once");
        }
    }
}

#[test]
fn a_password_is_given_by_name_and_once() {
    let with_secret: Vec<(&str, &str)> = TO_HOST.into_iter().chain([("password_secret", "root-master")]).collect();
    let asked = |text: &str| format!("{text}2\nroot@master-a's Password: ");
    let (mut way, text) = at_user(&with_secret);
    let Step::SendSecret(name) = way.next(changed(&asked(&text))).unwrap() else { panic!() };
    assert_eq!(name, "root-master");
    assert!(matches!(way.next(changed(&asked(&text))).unwrap(), Step::Wait(_)), "not answered yet");
    let logged_in = format!("{}\nLogged in to master-a as root.\n", asked(&text));
    assert!(matches!(way.next(changed(&logged_in)).unwrap(), Step::EnterLevel(_)));

    let (mut way, text) = at_user(&with_secret);
    assert!(matches!(way.next(changed(&asked(&text))).unwrap(), Step::SendSecret(_)));
    let again = format!("{}\nPermission denied, please try again.\nroot@master-a's Password: ", asked(&text));
    assert_eq!(code(way.next(changed(&again)).unwrap()), "secret-refused");

    let (mut way, text) = at_user(&TO_HOST);
    assert_eq!(code(way.next(changed(&asked(&text))).unwrap()), "secret-needed");
}

#[test]
fn into_the_pod() {
    for (pod, extra, command) in [
        ("orders-api-*", None, "kubectl exec -it orders-api-7d9d65f8b4-2plxq -n orders -- /bin/bash"),
        (
            "orders-worker-6b7f4d6db9-x9",
            Some(("pod_shell", "/bin/sh")),
            "kubectl exec -it orders-worker-6b7f4d6db9-x9 -n orders -- /bin/sh",
        ),
        (
            "orders-api-*",
            Some(("container", "main")),
            "kubectl exec -it orders-api-7d9d65f8b4-2plxq -n orders -c main -- /bin/bash",
        ),
    ] {
        let parameters: Vec<(&str, &str)> =
            TO_HOST.into_iter().chain([("namespace", "orders"), ("pod", pod)]).chain(extra).collect();
        let (mut way, step) = on_host(&parameters);
        let Step::RunCommand(listing) = step else { panic!("{step:?}") };
        assert_eq!(listing, "kubectl get pods -n orders");
        let result = CommandResult { exit_code: Some(0), completed: true, output: PODS.to_owned() };
        let step = way.next(Event::CommandFinished(result)).unwrap();
        let Step::OpenLevel((typed, level)) = step else { panic!("{step:?}") };
        assert_eq!(typed, command);
        assert_eq!(level.kind, LevelKind::PodShell);
        let step = way.next(Event::LevelEntered(screen("$ "))).unwrap();
        let Step::Done(outcome) = step else { panic!("{step:?}") };
        assert_eq!(outcome.label, level.label);
        assert!(outcome.label.starts_with("orders/orders-"));
    }
}

#[test]
fn a_pod_that_is_not_there_or_not_alone_stops_with_its_rows() {
    for (pod, exit_code, output, expected) in [
        ("orders-*", Some(0), PODS, "ambiguous"),
        ("billing-*", Some(0), PODS, "pod-not-found"),
        ("orders-api-*", Some(1), "error: no server\n", "command-failed"),
        ("orders-api-*", None, "what\n", "unreadable"),
    ] {
        let parameters: Vec<(&str, &str)> =
            TO_HOST.into_iter().chain([("namespace", "orders"), ("pod", pod)]).collect();
        let (mut way, _) = on_host(&parameters);
        let result = CommandResult { exit_code, completed: true, output: output.to_owned() };
        let Step::Fail(failure) = way.next(Event::CommandFinished(result)).unwrap() else { panic!("{pod}") };
        assert_eq!(failure.code, expected);
        assert!(!failure.rows.is_empty(), "{failure:?}");
    }
}

#[test]
fn the_menu_must_show_the_target_asked_for() {
    let other = FOUND.replace("10.66.12.21", "10.66.12.22");
    let two = FOUND.replace("online\n", "online\n  2   10.66.12.22     master-b     x    online\n");
    let contradicting = FOUND.replace("Host: master-a", "Host: master-x");
    for (found, expected) in [
        (other.as_str(), "target-not-found"),
        (&two, "ambiguous"),
        (&contradicting, "target-not-found"),
        ("No such host.\n", "target-not-found"),
    ] {
        let mut way = match expected {
            // The name alone would do here, so the route's other half decides.
            "target-not-found" if found == contradicting => {
                self::way(&[("target", "10.66.12.21"), ("target_name", "master-a"), ("user", "root")])
            }
            _ => self::way(&TO_HOST),
        };
        let target = sent(way.next(start(START)).unwrap());
        let step = way.next(changed(&format!("{START}{target}\n{found}{USERS}"))).unwrap();
        assert_eq!(code(step), expected, "{found}");
    }
    let both = [("target", "10.66.12.21"), ("target_name", "master-b"), ("user", "root")];
    let mut way = way(&both);
    let target = sent(way.next(start(START)).unwrap());
    assert_eq!(code(way.next(changed(&format!("{START}{target}\n{FOUND}{USERS}"))).unwrap()), "target-not-found");
}

#[test]
fn an_unknown_user_is_never_typed() {
    let mut way = way(&[("target", "10.66.12.21"), ("user", "roo")]);
    let target = sent(way.next(start(START)).unwrap());
    assert_eq!(code(way.next(changed(&format!("{START}{target}\n{FOUND}{USERS}"))).unwrap()), "user-not-found");
}

#[test]
fn a_refusing_menu_is_told_from_a_silent_one() {
    let (mut way, text) = at_user(&TO_HOST);
    let again = format!("{text}2\nInvalid user: \"2\". Enter a number from 1 to 4 or a name.\nUser number: ");
    let Step::Fail(failure) = way.next(changed(&again)).unwrap() else { panic!() };
    assert_eq!(failure.code, "rejected");
    assert!(failure.rows[0].contains("Invalid user"));

    let mut way = self::way(&TO_HOST);
    let target = sent(way.next(start(START)).unwrap());
    let again = format!("{START}{target}\nUnknown host.\nTarget IP: ");
    assert_eq!(code(way.next(changed(&again)).unwrap()), "rejected");

    let (mut way, text) = at_user(&TO_HOST);
    assert!(matches!(way.next(changed(&format!("{text}2\n"))).unwrap(), Step::Wait(_)));
    assert_eq!(code(way.next(Event::TimedOut(screen(&format!("{text}2\n")))).unwrap()), "menu-silent");
}

#[test]
fn a_menu_that_only_flickers_is_silent() {
    let (mut way, text) = at_user(&TO_HOST);
    for turn in 0..1000 {
        match way.next(changed(&format!("{text}2\nconnecting {turn}"))).unwrap() {
            Step::Wait(_) => {}
            step => return assert_eq!(code(step), "menu-silent"),
        }
    }
    panic!("it waited for ever");
}

#[test]
fn an_old_login_above_is_not_taken_for_the_new_one() {
    let old = format!(
        "{START}10.66.12.21\n{FOUND}{USERS}2\nLogged in to master-a as root.\n[root@master-a ~]# exit\nTarget IP: "
    );
    let mut way = way(&TO_HOST);
    let target = sent(way.next(start(&old)).unwrap());
    assert!(matches!(way.next(changed(&old)).unwrap(), Step::Wait(_)), "nothing has been answered yet");
    let text = format!("{old}{target}\n{FOUND}{USERS}");
    assert_eq!(sent(way.next(changed(&text)).unwrap()), "2");
    assert!(matches!(way.next(changed(&text)).unwrap(), Step::Wait(_)), "nothing has been answered yet");
    let text = format!("{text}2\nLogged in to master-b as root.\n");
    assert!(matches!(way.next(changed(&text)).unwrap(), Step::Wait(_)), "that is another host");
}

#[test]
fn a_screen_in_pieces_is_waited_for() {
    let mut way = way(&TO_HOST);
    assert!(matches!(way.next(start("")).unwrap(), Step::Wait(_)));
    for end in (1..START.len() - 1).step_by(7) {
        assert!(matches!(way.next(changed(&START[..end])).unwrap(), Step::Wait(_)), "{end}");
    }
    assert_eq!(sent(way.next(changed(START)).unwrap()), "10.66.12.21");
}

fn level(kind: LevelKind, label: &str, user: &str) -> Level {
    let address = if label == "master-a" { "10.66.12.21" } else { "10.66.12.22" };
    let attributes = [("navigator", "cmsm"), ("address", address), ("user", user), ("user-number", "2")];
    Level {
        kind,
        label: label.to_owned(),
        dialect: ShellDialect::Bash,
        attributes: attributes.map(|(key, value)| Attribute::new(key, value)).to_vec(),
    }
}

#[test]
fn it_goes_on_from_where_the_session_is() {
    let with_pod: Vec<(&str, &str)> = TO_HOST.into_iter().chain([("namespace", "orders"), ("pod", "api-*")]).collect();
    let host = level(LevelKind::Shell, "master-a", "root");
    let pod = level(LevelKind::PodShell, "orders/api-1", "root");
    let first = |parameters: &[(&str, &str)], levels: &[&Level]| {
        let goal = Goal { levels: levels.iter().copied().cloned().collect(), ..goal(parameters) };
        let mut there = screen("[root@master-a ~]# ");
        there.at_prompt = true;
        Cmsm::begin("{}", goal).unwrap().next(Event::Start(there)).unwrap()
    };
    assert!(matches!(first(&TO_HOST, &[&host]), Step::Done(_)));
    assert!(matches!(first(&with_pod, &[&host]), Step::RunCommand(_)));
    assert!(matches!(first(&with_pod, &[&host, &pod]), Step::Done(_)));
    assert_eq!(code(first(&TO_HOST, &[&host, &pod])), "wrong-place");
    assert_eq!(code(first(&TO_HOST, &[&level(LevelKind::Shell, "master-b", "app")])), "wrong-place");
    assert_eq!(code(first(&TO_HOST, &[&level(LevelKind::Shell, "master-a", "app")])), "wrong-place");
    assert_eq!(code(first(&with_pod, &[&level(LevelKind::Shell, "master-b", "root"), &pod])), "wrong-place");
    assert!(matches!(first(&TO_HOST, &[]), Step::Wait(_)), "an unknown place may still become the menu");

    let mut way = way(&TO_HOST);
    assert_eq!(sent(way.next(start(&format!("{FOUND}{USERS}"))).unwrap()), "2");
    let mut way = self::way(&[("target", "10.9.9.9"), ("user", "root")]);
    assert_eq!(code(way.next(start(&format!("{FOUND}{USERS}"))).unwrap()), "wrong-place");
}

#[test]
fn a_denied_step_ends_the_way() {
    let mut way = way(&TO_HOST);
    let _ = way.next(start(START)).unwrap();
    assert_eq!(code(way.next(Event::Refused("policy".to_owned())).unwrap()), "refused");
}

#[test]
fn words_that_could_do_something_else_are_refused() {
    for bad in [
        vec![("user", "root")],
        vec![("target", "10.66.12.21")],
        vec![("target", "q"), ("user", "root")],
        vec![("target", "1"), ("user", "root")],
        vec![("target", "a b"), ("user", "root")],
        vec![("target", "a\r2"), ("user", "root")],
        vec![("target", "a"), ("user", "root"), ("pod", "x")],
        vec![("target", "a"), ("user", "root"), ("pod", "x;reboot"), ("namespace", "n")],
        vec![("target", "a"), ("user", "root"), ("pod", "*"), ("namespace", "n")],
        vec![("target", "a"), ("user", "root"), ("pod", "x"), ("namespace", "-A")],
        vec![("target", "a"), ("user", "root"), ("pod", "x"), ("namespace", "n"), ("pod_shell", "sh -c id")],
        vec![("target", "a"), ("user", "root"), ("pod", "x"), ("namespace", "n"), ("container", "$x")],
        vec![("target", "a"), ("user", "root"), ("password_secret", "a b")],
        vec![("target", "a"), ("user", "root"), ("taget", "b")],
    ] {
        assert!(matches!(Cmsm::begin("{}", goal(&bad)), Err(PluginError::InvalidInput(_))), "{bad:?}");
    }
}

#[test]
fn settings_are_checked() {
    assert!(Cmsm::validate_config("{}").is_empty());
    for (config, path) in [
        (r#"{"menu_timeout_ms":10}"#, "menu_timeout_ms"),
        (r#"{"login_timeout_ms":9000000}"#, "login_timeout_ms"),
        (r#"{"quiet_ms":6000}"#, "quiet_ms"),
        (r#"{"texts":{"target_prompt":" "}}"#, "texts.target_prompt"),
        (r#"{"texts":{"logged_in":"Welcome"}}"#, "texts.logged_in"),
        (r#"{"host_shell":"cmd"}"#, "host_shell"),
        (r#"{"timeout":1}"#, "timeout"),
    ] {
        let wrong = Cmsm::validate_config(config);
        assert_eq!(wrong.iter().map(|wrong| wrong.path.as_str()).collect::<Vec<_>>(), [path], "{config}");
        assert!(matches!(Cmsm::begin(config, goal(&TO_HOST)), Err(PluginError::InvalidConfig(_))));
    }
}

#[test]
fn the_bastion_is_recognised_by_its_prompt() {
    assert_eq!(Cmsm::recognise("{}", &screen(START)), 95);
    assert_eq!(Cmsm::recognise("{}", &screen("Target IP:")), 80);
    assert_eq!(Cmsm::recognise("{}", &screen(&format!("{START}1\n{FOUND}{USERS}"))), 95);
    assert!(Cmsm::recognise("{}", &screen("see the CMSM manual\n$ ")) < 50);
    assert_eq!(Cmsm::recognise("{}", &screen("root@host:~# ")), 0);
}
