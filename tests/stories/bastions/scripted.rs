//! Bastions crossed by a script of settings: the numbered menu that is written already, a full-screen
//! picker, and shells behind shells.

use std::path::Path;
use std::time::Duration;

use e2e::scene::Scene;
use lab::bastion::Front;
use lab::menus::{Language, MenuOptions};
use serde_json::json;

use super::world::{Plan, Slow, World, many_walks};
use crate::people::Person;
use crate::plugins;

const ROUTES: &str = r#"
web-1 = { target = "web-1" }
web-2 = { target = "web-2", account = "app" }
no-account = { target = "web-2" }
chinese = { target = "10.66.3.1", target_name = "支付-网关", host_name = "pay-gw-1" }
twin = { target = "twin", host_name = "twin-b" }
twin-b = { target = "twin", target_address = "10.66.4.2", host_name = "twin-b" }
last-node = { target = "node-60" }
nowhere = { target = "web-3" }
pod = { target = "master-a", namespace = "orders", pod = "orders-api-*" }
"#;

fn numbered(menu: MenuOptions) -> Plan {
    Plan {
        front: Front::Numbered,
        navigator: "navigator-script",
        settings: "preset = \"numbered-menu\"".to_owned(),
        profile: String::new(),
        routes: ROUTES.to_owned(),
        menu,
        slow: None,
        cut_after_bytes: None,
    }
}

fn every_day() -> MenuOptions {
    MenuOptions::default()
}

fn chinese() -> MenuOptions {
    MenuOptions { language: Language::Chinese, ..every_day() }
}

const EVERYWHERE: [(&str, &str, &str); 5] = [
    ("web-1", "web-1", "web-1"),
    ("web-2", "web-2", "web-2"),
    ("chinese", "支付-网关", "pay-gw-1"),
    ("twin-b", "twin", "twin-b"),
    ("last-node", "node-60", "node-60"),
];

#[test]
fn the_numbered_menu_leads_everywhere_in_both_languages() {
    for menu in [every_day(), chinese(), MenuOptions { noisy: true, ..every_day() }] {
        let mut world = World::new(&numbered(menu));
        for (route, label, host) in EVERYWHERE {
            world.reaches(route, label, host);
        }
    }
}

#[test]
fn the_numbered_menu_leads_on_into_a_pod() {
    let mut world = World::new(&numbered(every_day()));
    let answer = world.open("pod");
    assert_eq!(answer.structured["result_status"], "success", "{}", answer.text);
    let ran = world.run("echo $POD_NAME");
    assert!(ran.structured["text"].as_str().unwrap().starts_with("orders-api-"), "{}", ran.text);
}

#[test]
fn of_a_numbered_list_exactly_one_row_is_chosen() {
    let mut world = World::new(&numbered(chinese()));
    for (route, code) in [("twin", "ambiguous"), ("nowhere", "target-not-found"), ("no-account", "account-needed")] {
        world.fails(route, code);
    }
}

#[test]
fn what_goes_wrong_with_a_numbered_menu_leads_nowhere_else() {
    let with = |menu| World::new(&numbered(menu));
    with(MenuOptions { wrong_host: true, ..every_day() }).fails("web-1", "wrong-host");
    with(MenuOptions { blocked: true, ..every_day() }).fails("web-1", "blocked");
    with(MenuOptions { endless: true, ..every_day() }).fails("web-1", "too-many-pages");
    let mut hostile = with(MenuOptions { hostile: true, ..every_day() });
    let mut moved = with(MenuOptions { reordered: true, ..every_day() });
    for (route, _, host) in EVERYWHERE {
        hostile.reaches_or_fails(route, host);
        moved.reaches_or_fails(route, host);
    }
    for answer in 0..4 {
        let cut = MenuOptions { cut_at_answer: Some(answer), ..every_day() };
        assert!(!with(cut).reaches_or_fails("web-1", "web-1"), "cut at answer {answer}");
    }
    let idle = MenuOptions { idle_end: Some(Duration::from_millis(100)), ..every_day() };
    assert!(!with(idle).reaches_or_fails("web-1", "web-1"));
}

#[test]
fn other_words_are_not_guessed_but_can_be_told() {
    let menu = MenuOptions { reworded: true, ..every_day() };
    World::new(&numbered(menu.clone())).fails("web-1", "not-recognised");
    let patterns = "preset = \"numbered-menu\"\n[plugins.navigator-script.settings.patterns]\n\
        host_prompt = '^Where to\\? \\[number\\]$'\naccount_prompt = '^Number of the account>$'\n";
    let mut world = World::new(&Plan { settings: patterns.to_owned(), ..numbered(menu) });
    world.reaches("web-2", "web-2", "web-2");
}

#[test]
fn a_numbered_menu_may_be_slow_narrow_and_gbk() {
    let slow = Slow { latency_us: 1_500, seed: Some(7), chunk_bytes: 1 };
    World::new(&Plan { slow: Some(slow), ..numbered(chinese()) }).reaches("web-2", "web-2", "web-2");
    let narrow = Plan { profile: "columns = 50\nrows = 20".to_owned(), ..numbered(chinese()) };
    World::new(&narrow).reaches("last-node", "node-60", "node-60");
    let menu = MenuOptions { gbk: true, ..chinese() };
    let gbk = Plan { profile: "encoding = \"gbk\"".to_owned(), ..numbered(menu) };
    World::new(&gbk).reaches("chinese", "支付-网关", "pay-gw-1");
}

/// A picker on the whole screen: type what is looked for, and pick when one row is left.
const PICKER: &str = r#"
parameters = { target = {}, host_name = { kind = "host" } }
start = "list"
timeout_ms = 20000

[plugins.navigator-script.settings.states]

[[plugins.navigator-script.settings.states.list.on]]
alternate_screen = true
screen = '^Filter: _'
keys = ["text:{target}"]
then = "filtered"

[[plugins.navigator-script.settings.states.filtered.on]]
screen = '\(0 of \d+\)'
fail = { code = "target-not-found", message = "{target} is not offered" }

[[plugins.navigator-script.settings.states.filtered.on]]
screen = '\(1 of \d+\)'
count = { of = '^> {target} ', is = 1 }
keys = ["enter"]
then = "shell"

[[plugins.navigator-script.settings.states.filtered.on]]
screen = '^Filter: {target}_'
fail = { code = "ambiguous", message = "not exactly {target} is left" }

[plugins.navigator-script.settings.states.shell]
settle_ms = 500

[[plugins.navigator-script.settings.states.shell.on]]
screen = 'not allowed'
fail = { code = "blocked", message = "the login to {target} is forbidden" }

[[plugins.navigator-script.settings.states.shell.on]]
alternate_screen = false
last_line = '[$#]$'
enter = { label = "{target}" }
then = "identity"

[[plugins.navigator-script.settings.states.identity.on]]
verify = { run = "hostname", expect = "{host_name}", compare = "host", leave = "exit" }
then = "there"

[[plugins.navigator-script.settings.states.there.on]]
done = { label = "{target}" }
"#;

const PICKER_ROUTES: &str = r#"
web-2 = { target = "web-2", host_name = "web-2" }
web-1 = { target = "web-1", host_name = "web-1" }
twin = { target = "twin", host_name = "twin-b" }
last-node = { target = "node-60", host_name = "node-60" }
nowhere = { target = "web-3", host_name = "web-3" }
"#;

fn picker(menu: MenuOptions) -> Plan {
    Plan {
        front: Front::Picker,
        settings: PICKER.to_owned(),
        routes: PICKER_ROUTES.to_owned(),
        // Text is typed into a program that shows a list; the mode `safe` leaves that to people.
        profile: "policy_mode = \"full\"".to_owned(),
        ..numbered(menu)
    }
}

#[test]
fn a_picker_is_crossed_when_one_row_is_left() {
    for menu in [every_day(), MenuOptions { noisy: true, reworded: true, ..every_day() }] {
        let mut world = World::new(&picker(menu));
        world.reaches("web-2", "web-2", "web-2");
        world.reaches("last-node", "node-60", "node-60");
        world.fails("web-1", "ambiguous");
        world.fails("twin", "ambiguous");
        world.fails("nowhere", "target-not-found");
    }
}

#[test]
fn what_goes_wrong_with_a_picker_leads_nowhere_else() {
    let with = |menu| World::new(&picker(menu));
    with(MenuOptions { wrong_host: true, ..every_day() }).fails("web-2", "wrong-host");
    // Its refusal ends the session, which the host tells before the script is asked.
    let refused = with(MenuOptions { blocked: true, ..every_day() }).fails("web-2", "stopped");
    assert!(refused.contains("You are not allowed"), "{refused}");
    let mut hostile = with(MenuOptions { hostile: true, ..every_day() });
    let mut moved = with(MenuOptions { reordered: true, ..every_day() });
    for (route, host) in [("web-2", "web-2"), ("web-1", "web-1"), ("last-node", "node-60")] {
        hostile.reaches_or_fails(route, host);
        moved.reaches_or_fails(route, host);
    }
    let cut = MenuOptions { cut_at_answer: Some(1), ..every_day() };
    assert!(!with(cut).reaches_or_fails("web-2", "web-2"));
    let slow = Slow { latency_us: 1_000, seed: Some(3), chunk_bytes: 2 };
    let narrow = "policy_mode = \"full\"\ncolumns = 60\nrows = 18".to_owned();
    World::new(&Plan { slow: Some(slow), profile: narrow, ..picker(every_day()) }).reaches("web-2", "web-2", "web-2");
}

/// A menu that asks for something only a person knows.
const ASKING: &str = r#"
[[plugins.navigator-script.settings.states.start.on]]
last_line = "host:$"
ask_person = { question = "Which row?", into = "row" }
then = "answered"

[[plugins.navigator-script.settings.states.answered.on]]
line = "{row}"
then = "shell"

[[plugins.navigator-script.settings.states.shell.on]]
last_line = '[$#]$'
enter = { label = "there" }
then = "there"

[[plugins.navigator-script.settings.states.there.on]]
done = { label = "there" }
"#;

fn asking() -> World {
    World::new(&Plan { settings: ASKING.to_owned(), routes: "any = {}\n".to_owned(), ..numbered(every_day()) })
}

#[test]
fn where_nobody_can_be_asked_the_end_is_honest() {
    let mut world = asking();
    let path = world.scene.path("portcullis.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("[viewer]\n", "[viewer]\nenabled = false\n")).unwrap();
    world.client = world.scene.client();
    world.fails("any", "person-needed");
}

#[test]
fn a_person_answers_a_navigator_in_the_viewer() {
    let mut world = asking();
    let open = json!({ "name": "ssh_open", "arguments": { "profile": "lab", "route": "any" } });
    let call = world.client.begin("tools/call", open.clone());
    let person = Person::of(&world.scene);
    let question = person.asked();
    assert_eq!(question["wanted"]["prompts"][0], json!({ "text": "Which row?", "echo": true }), "{question}");
    assert!(question["wanted"]["name"].as_str().unwrap().contains("navigator-script"), "{question}");
    person.answer(&question, "2");
    let opened = world.client.called(call);
    assert_eq!(opened.structured["result_status"], "success", "{}", opened.text);
    assert!(opened.text.contains("there"), "{}", opened.text);
    let on_record = world.scene.transcript("s-lab-1");
    let asked = on_record.iter().filter(|line| line["kind"] == "navigation_step");
    assert!(asked.into_iter().any(|line| line["what"] == "asked a person: Which row?"));

    // A person who refuses is taken at the word.
    let mut world = asking();
    let call = world.client.begin("tools/call", open);
    let person = Person::of(&world.scene);
    assert_eq!(person.say(&person.asked(), json!({ "type": "refuse" })), 204);
    let refused = world.client.called(call);
    assert!(refused.is_error && refused.text.contains("[person-needed]"), "{}", refused.text);
}

/// Every piece of settings in the guide is one that a host takes.
#[test]
fn the_guide_s_settings_are_taken() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/navigators.md");
    let text = std::fs::read_to_string(guide).unwrap();
    let pieces: Vec<&str> = text.split("```toml\n").skip(1).filter_map(|piece| piece.split("```").next()).collect();
    assert!(pieces.len() >= 6, "{pieces:?}");
    for piece in pieces {
        let scene = Scene::empty();
        let host =
            if piece.contains("[profiles.work]\nhost") { "" } else { "host = \"bastion.example\"\nuser = \"ann\"\n" };
        let piece = piece.replace("[profiles.work]\n", &format!("[profiles.work]\n{host}"));
        scene.configure(&piece);
        plugins::succeed(&scene, &["list"]);
    }
}

#[test]
fn many_walks_along_scripts_over_lines_with_random_delays_all_arrive() {
    let picked = [("web-2", "web-2", "web-2"), ("last-node", "node-60", "node-60")];
    let plans = |front, menu| if front == 0 { numbered(menu) } else { picker(menu) };
    many_walks("scripts", &[EVERYWHERE.as_slice(), picked.as_slice()], plans);
}

/// From a host's shell on to another user's, by a program that asks for a password.
fn elevating(step: &str) -> String {
    format!(
        r#"
preset = "numbered-menu"
parameters = {{ given_secret = {{ kind = "secret" }} }}

[[plugins.navigator-script.settings.states.pod.on]]
{step}
then = "elevated"

[[plugins.navigator-script.settings.states.elevated.on]]
at_prompt = true
done = {{ label = "admin" }}

[plugins.navigator-script]
grants = ["secret:app-password"]
"#
    )
}

/// Stands in for a program that asks once for a password and leads to a shell that knows who it is.
fn asks_once(prompt: &str) -> String {
    format!(
        "#!/bin/bash\nread -rsp \"{prompt}\" given\necho\n\
         if [ \"$given\" != swordfish ]; then echo 'Sorry, try again.'; read -rsp \"{prompt}\" given; echo; exit 1; fi\n\
         export PS1='[admin@host ~]# ' ELEVATED=yes\nexec bash --noprofile --norc -i\n"
    )
}

fn elevated(step: &str, (program, prompt): (&str, &str), given: &str) -> World {
    let plan = Plan {
        settings: elevating(step),
        // The mode `safe` leaves privileged shells to people.
        profile: "policy_mode = \"full\"".to_owned(),
        routes: "admin = { target = \"web-1\", given_secret = \"app-password\" }\n".to_owned(),
        ..numbered(every_day())
    };
    let world = World::with_secrets(&plan, &[("STORIES_SUDO", given)]);
    let path = world.scene.path(&format!("lab/bin/{program}"));
    std::fs::write(&path, asks_once(prompt)).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    world
}

const SUDO: (&str, &str) = ("sudo", "[sudo] password for $USER: ");

#[test]
fn a_shell_behind_a_shell_asks_for_a_password_by_its_name() {
    for (step, program, label) in [
        (r#"step = "sudo", user = "admin""#, SUDO, "admin"),
        (r#"step = "su", user = "admin""#, ("su", "Password: "), "admin"),
        (r#"step = "ssh", host = "db-1", user = "admin""#, ("ssh", "admin@db-1's password: "), "db-1"),
    ] {
        let step = format!(r#"use = {{ {step}, secret = "{{given_secret}}" }}"#);
        let mut world = elevated(&step, program, "swordfish");
        let answer = world.open("admin");
        assert_eq!(answer.structured["result_status"], "success", "{step}: {}", answer.text);
        let breadcrumb = answer.structured["navigation"]["breadcrumb"].to_string();
        assert!(breadcrumb.contains(&format!("\"web-1\",\"{label}\"")), "{breadcrumb}");
        assert_eq!(world.run("echo $ELEVATED").structured["text"], "yes\n", "{step}");
        assert!(!answer.text.contains("swordfish"));
        let wrong = elevated(&step, program, "wrong").open("admin");
        assert!(wrong.is_error && wrong.text.contains("[secret-refused]"), "{step}: {}", wrong.text);
    }
}

#[test]
fn a_person_gives_a_password_straight_to_the_terminal() {
    let mut world = elevated(r#"use = { step = "sudo", user = "admin" }"#, SUDO, "unused");
    let open = json!({ "name": "ssh_open", "arguments": { "profile": "lab", "route": "admin" } });
    let call = world.client.begin("tools/call", open);
    let person = Person::of(&world.scene);
    let question = person.asked();
    assert_eq!(question["wanted"]["prompts"][0], json!({ "text": "The password on the way to admin", "echo": false }));
    person.answer(&question, "swordfish");
    let opened = world.client.called(call);
    assert_eq!(opened.structured["result_status"], "success", "{}", opened.text);
    let ran = world.client.call("ssh_run", json!({ "command": "echo $ELEVATED" }));
    assert_eq!(ran.structured["text"], "yes\n", "{}", ran.text);
    let on_record = serde_json::to_string(&world.scene.transcript("s-lab-1")).unwrap();
    assert!(on_record.contains("given by a person") && !on_record.contains("swordfish"), "{on_record}");
    assert!(!opened.text.contains("swordfish"), "{}", opened.text);
}
