//! JumpServer's menu, crossed by its navigator.

use std::time::Duration;

use lab::bastion::Front;
use lab::menus::{Language, MenuOptions, Review};
use serde_json::json;

use super::world::{Plan, Slow, World, many_walks};

const ROUTES: &str = r#"
web-1 = { target = "web-1" }
by-address = { target = "10.66.1.21", target_name = "web-1" }
web-2 = { target = "web-2", account = "app" }
no-account = { target = "web-2" }
chinese = { target = "10.66.3.1", target_name = "支付-网关", host_name = "pay-gw-1" }
twin = { target = "twin", host_name = "twin-b" }
twin-b = { target = "twin", target_address = "10.66.4.2", host_name = "twin-b" }
last-node = { target = "node-60" }
among-nodes = { target = "10.66.7.3" }
nowhere = { target = "web-3" }
wrong-half = { target = "web-1", target_address = "10.66.1.22" }
pod = { target = "master-a", namespace = "orders", pod = "orders-api-*" }
"#;

fn plan(menu: MenuOptions) -> Plan {
    Plan {
        front: Front::Koko,
        navigator: "navigator-jumpserver",
        settings: String::new(),
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

#[test]
fn every_kind_of_asset_is_reached() {
    for menu in [every_day(), chinese()] {
        let mut world = World::new(&plan(menu));
        for (route, label, host) in [
            ("web-1", "web-1", "web-1"),
            ("by-address", "web-1", "web-1"),
            ("web-2", "web-2", "web-2"),
            ("chinese", "支付-网关", "pay-gw-1"),
            ("twin-b", "twin", "twin-b"),
            ("last-node", "node-60", "node-60"),
        ] {
            world.reaches(route, label, host);
        }
    }
}

#[test]
fn the_way_goes_on_into_a_pod() {
    let mut world = World::new(&plan(every_day()));
    let answer = world.open("pod");
    assert_eq!(answer.structured["result_status"], "success", "{}", answer.text);
    let breadcrumb = answer.structured["navigation"]["breadcrumb"].to_string();
    assert!(breadcrumb.contains("master-a") && breadcrumb.contains("orders/orders-api-"), "{breadcrumb}");
    let ran = world.run("echo $POD_NAME");
    assert!(ran.structured["text"].as_str().unwrap().starts_with("orders-api-"), "{}", ran.text);
}

#[test]
fn what_is_not_exactly_one_is_not_chosen() {
    let mut world = World::new(&plan(every_day()));
    for (route, code, shown) in [
        ("twin", "ambiguous", "10.66.4.2"),
        ("nowhere", "target-not-found", "No Assets"),
        ("wrong-half", "target-not-found", "10.66.1.21"),
        ("no-account", "account-needed", "app"),
    ] {
        assert!(world.fails(route, code).contains(shown), "{route}");
    }
}

#[test]
fn a_narrow_terminal_wraps_rows_and_they_are_read_all_the_same() {
    for size in ["columns = 60\nrows = 24", "columns = 300\nrows = 100", "columns = 80\nrows = 12"] {
        let mut world = World::new(&Plan { profile: size.to_owned(), ..plan(chinese()) });
        world.reaches("web-1", "web-1", "web-1");
        world.reaches("among-nodes", "node-03", "node-03");
    }
}

#[test]
fn a_gbk_menu_leads_to_a_utf8_host() {
    let menu = MenuOptions { gbk: true, ..chinese() };
    let mut world = World::new(&Plan { profile: "encoding = \"gbk\"".to_owned(), ..plan(menu) });
    world.reaches("chinese", "支付-网关", "pay-gw-1");
    assert_eq!(world.run("echo 支付").structured["text"], "支付\n");
}

#[test]
fn a_slow_line_that_tears_everything_is_waited_for() {
    let slow = Slow { latency_us: 2_000, seed: None, chunk_bytes: 1 };
    let mut world = World::new(&Plan { slow: Some(slow), ..plan(every_day()) });
    world.reaches("web-2", "web-2", "web-2");
}

#[test]
fn news_and_other_titles_are_no_answers() {
    for language in [Language::English, Language::Chinese] {
        let menu = MenuOptions { noisy: true, reworded: true, language, ..every_day() };
        let mut world = World::new(&plan(menu));
        world.reaches("web-2", "web-2", "web-2");
        world.reaches("last-node", "node-60", "node-60");
        world.fails("twin", "ambiguous");
    }
}

#[test]
fn names_that_look_like_prompts_lead_nowhere() {
    let mut world = World::new(&plan(MenuOptions { hostile: true, ..every_day() }));
    for (route, host) in [("web-1", "web-1"), ("by-address", "web-1"), ("chinese", "pay-gw-1"), ("web-2", "web-2")] {
        world.reaches_or_fails(route, host);
    }
    world.reaches("last-node", "node-60", "node-60");
}

#[test]
fn rows_that_move_between_listing_and_choice_lead_to_no_wrong_host() {
    let mut world = World::new(&plan(MenuOptions { reordered: true, ..every_day() }));
    world.fails("web-1", "wrong-host");
    world.reaches("chinese", "支付-网关", "pay-gw-1");
}

#[test]
fn another_host_behind_the_choice_is_left_again() {
    let mut world = World::new(&plan(MenuOptions { wrong_host: true, ..every_day() }));
    let text = world.fails("web-1", "wrong-host");
    assert!(text.contains("web-10"), "{text}");
}

#[test]
fn pages_without_an_end_are_not_followed_for_ever() {
    let mut world = World::new(&plan(MenuOptions { endless: true, ..every_day() }));
    world.fails("web-1", "too-many-pages");
}

#[test]
fn a_forbidden_login_and_a_reviewer_are_told_apart() {
    for language in [Language::English, Language::Chinese] {
        World::new(&plan(MenuOptions { blocked: true, language, ..every_day() })).fails("web-1", "blocked");
        let reviewed = |review| MenuOptions { review: Some(review), language, ..every_day() };
        World::new(&plan(reviewed(Review::Approve(1)))).fails("web-1", "approval-needed");
        let asking = |review| Plan {
            settings: "request_review = true\napproval_timeout_ms = 3000".to_owned(),
            ..plan(reviewed(review))
        };
        World::new(&asking(Review::Approve(3))).reaches("web-1", "web-1", "web-1");
        World::new(&asking(Review::Reject(3))).fails("web-1", "approval-refused");
        World::new(&asking(Review::Never)).fails("web-1", "approval-timeout");
    }
}

#[test]
fn a_session_that_has_ended_is_told_so() {
    let idle = MenuOptions { idle_end: Some(Duration::from_millis(100)), ..every_day() };
    let mut world = World::new(&plan(idle));
    assert!(!world.reaches_or_fails("nowhere", ""));
}

#[test]
fn a_line_that_is_cut_at_any_answer_is_told_so() {
    // The greeting, the list, the accounts, and the login; the shell's own output is none of them.
    for answer in 0..4 {
        let mut world = World::new(&plan(MenuOptions { cut_at_answer: Some(answer), ..every_day() }));
        assert!(!world.reaches_or_fails("web-2", "web-2"), "cut at answer {answer}");
    }
    World::new(&plan(MenuOptions { cut_at_answer: Some(4), ..every_day() })).reaches("web-2", "web-2", "web-2");
}

#[test]
fn a_line_that_is_cut_after_any_number_of_bytes_leads_nowhere_else() {
    // The whole way to the shell is some 3,000 bytes; the last cut comes behind it.
    let arrived: Vec<bool> = [1, 300, 700, 1_000, 1_400, 1_800, 2_200, 2_600, 20_000]
        .map(|bytes| {
            let mut world = World::new(&Plan { cut_after_bytes: Some(bytes), ..plan(every_day()) });
            world.reaches_or_fails("web-2", "web-2")
        })
        .to_vec();
    assert_eq!((arrived.first(), arrived.last()), (Some(&false), Some(&true)), "{arrived:?}");
}

#[test]
fn many_walks_over_lines_with_random_delays_all_arrive() {
    let goals = [
        ("web-1", "web-1", "web-1"),
        ("web-2", "web-2", "web-2"),
        ("twin-b", "twin", "twin-b"),
        ("last-node", "node-60", "node-60"),
    ];
    many_walks("koko", &[goals.as_slice()], |_, menu| plan(menu));
}

#[test]
fn from_one_host_to_another_the_way_leads_back_through_the_menu() {
    for menu in [every_day(), chinese()] {
        let mut world = World::new(&plan(menu));
        world.reaches("web-1", "web-1", "web-1");
        let session = json!({ "session_id": "walk-1", "route": "web-2" });
        let went = world.client.succeed("ssh_navigate", session);
        assert_eq!(went["breadcrumb"], json!(["bastion", "web-2"]), "{went}");
        assert_eq!(went["steps"][0], "left `web-1`", "{went}");
        world.is_on("web-2");
        // Left by the agent itself, the session knows that it is at the menu again.
        let left = world.run("exit");
        assert_eq!(left.structured["outcome"], "level_changed", "{}", left.text);
        let place = world.client.succeed("ssh_navigate", json!({ "session_id": "walk-1" }));
        assert_eq!(
            (place["levels"].as_array().unwrap().len(), &place["session"]["state"]),
            (1, &json!("menu")),
            "{place}"
        );
    }
}
