//! The other bastions' menus over SSH: their grammar, and what goes wrong with them.

use std::time::Duration;

use lab::bastion::{self, Bastion, BastionOptions, Front};
use lab::menus::{Language, MenuOptions, Review};

use crate::client::{Terminal, options};

async fn at_menu(front: Front, menu: MenuOptions) -> (tempfile::TempDir, Bastion, Terminal) {
    let home = tempfile::tempdir().unwrap();
    let bastion = bastion::start(BastionOptions { front, menu, ..options(&home) }).await.unwrap();
    let terminal = Terminal::open(&bastion).await;
    (home, bastion, terminal)
}

async fn koko(menu: MenuOptions) -> (tempfile::TempDir, Bastion, Terminal) {
    let (home, bastion, mut terminal) = at_menu(Front::Koko, menu).await;
    terminal.expect("Opt> ").await;
    (home, bastion, terminal)
}

async fn is_on(terminal: &mut Terminal, user: &str, host: &str) {
    terminal.expect(&format!("[{user}@{host} ~]")).await;
    terminal.type_keys("echo \"$(id -un) on $(hostname)\"\r").await;
    terminal.expect(&format!("{user} on {host}\r\n")).await;
}

#[tokio::test]
async fn only_a_slash_lists_without_connecting() {
    let (_home, _bastion, mut terminal) = koko(MenuOptions::default()).await;
    terminal.type_keys("/支付\r").await;
    let listed = terminal.expect("Opt> ").await;
    assert!(listed.contains("1  | 支付-网关 | 10.66.3.1 | Linux"), "{listed}");
    assert!(listed.contains("Page: 1, Count: 22, Total Page: 1, Total Count: 1"), "{listed}");
    terminal.type_keys("支付\r").await;
    is_on(&mut terminal, "root", "pay-gw-1").await;
    terminal.type_keys("exit\r").await;
    terminal.expect("Opt> ").await;
    terminal.type_keys("web-1\r").await;
    is_on(&mut terminal, "root", "web-1").await;
}

#[tokio::test]
async fn pages_follow_the_height_and_numbers_the_page() {
    let (_home, _bastion, mut terminal) = koko(MenuOptions::default()).await;
    terminal.type_keys("/node\r").await;
    assert!(terminal.expect("Opt> ").await.contains("Total Page: 3, Total Count: 60"));
    terminal.channel.window_change(100, 58, 0, 0).await.unwrap();
    terminal.type_keys("n\r").await;
    let second = terminal.expect("Opt> ").await;
    assert!(second.contains("Page: 2, Count: 50, Total Page: 2") && second.contains("| node-51 |"), "{second}");
    terminal.type_keys("2\r").await;
    is_on(&mut terminal, "root", "node-52").await;
}

#[tokio::test]
async fn an_account_has_three_tries() {
    let (_home, _bastion, mut terminal) =
        koko(MenuOptions { language: Language::Chinese, ..MenuOptions::default() }).await;
    for last in ["2\r", "9\r"] {
        terminal.type_keys("web-2\r").await;
        for _ in 0..2 {
            assert!(terminal.expect("ID> ").await.contains("账号ID"));
            terminal.type_keys("9\r").await;
        }
        terminal.expect("ID> ").await;
        terminal.type_keys(last).await;
        if last == "2\r" {
            is_on(&mut terminal, "root", "web-2").await;
            terminal.type_keys("exit\r").await;
            terminal.expect("Opt> ").await;
        }
    }
    terminal.expect("选择账号超过最大重试次数").await;
}

#[tokio::test]
async fn a_reviewer_agrees_or_does_not() {
    for (review, end) in
        [(Review::Approve(3), "[root@web-1 ~]"), (Review::Reject(3), "Administrator rejected\r\nOpt> ")]
    {
        let (_home, _bastion, mut terminal) =
            koko(MenuOptions { review: Some(review), ..MenuOptions::default() }).await;
        terminal.type_keys("web-1\r").await;
        terminal.expect("(y/n): ").await;
        terminal.type_keys("y\r").await;
        terminal.expect("enter q to exit. 2s").await;
        terminal.expect(end).await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_menu_is_what_was_asked_for() {
    let blocked = MenuOptions { blocked: true, ..MenuOptions::default() };
    let (_home, _bastion, mut terminal) = koko(blocked).await;
    terminal.type_keys("web-1\r").await;
    terminal.expect("ACL reject\r\nOpt> ").await;

    let wrong = MenuOptions { wrong_host: true, ..MenuOptions::default() };
    let (_home, _bastion, mut terminal) = koko(wrong).await;
    terminal.type_keys("web-1\r").await;
    is_on(&mut terminal, "root", "web-10").await;

    let idle = MenuOptions { idle_end: Some(Duration::from_millis(50)), ..MenuOptions::default() };
    let (_home, _bastion, mut terminal) = koko(idle).await;
    terminal.expect("Connect idle more than 30 minutes, disconnect\r\n").await;
    assert_eq!(terminal.end().await, Some(0));

    let cut = MenuOptions { cut_at_answer: Some(1), ..MenuOptions::default() };
    let (_home, _bastion, mut terminal) = koko(cut).await;
    terminal.type_keys("/web\r").await;
    assert_eq!(terminal.end().await, None);
}

#[tokio::test]
async fn a_gbk_menu_is_gbk_in_both_directions() {
    let gbk = MenuOptions { gbk: true, language: Language::Chinese, ..MenuOptions::default() };
    let (_home, _bastion, mut terminal) = koko(gbk).await;
    // 支付 in GBK, between the slash and Enter.
    terminal.channel.data_bytes(b"/\xd6\xa7\xb8\xb6\r".to_vec()).await.unwrap();
    let listed = terminal.expect("Opt> ").await;
    assert!(listed.contains("10.66.3.1") && !listed.contains("支付"), "{listed}");
}

#[tokio::test]
async fn a_picker_filters_and_moves() {
    let (_home, _bastion, mut terminal) = at_menu(Front::Picker, MenuOptions::default()).await;
    terminal.expect("(67 of 67)").await;
    terminal.type_keys("web").await;
    terminal.expect("(3 of 67)").await;
    terminal.type_keys("\u{1b}[B").await;
    terminal.expect("\u{1b}[7m> web-1 ").await;
    terminal.type_keys("\r").await;
    terminal.expect("\u{1b}[?1049l").await;
    is_on(&mut terminal, "root", "web-1").await;
    terminal.type_keys("exit 4\r").await;
    assert_eq!(terminal.end().await, Some(4));
}

#[tokio::test]
async fn a_numbered_list_has_pages_and_accounts() {
    let chinese = MenuOptions { language: Language::Chinese, ..MenuOptions::default() };
    let (_home, _bastion, mut terminal) = at_menu(Front::Numbered, chinese).await;
    let first = terminal.expect("请选择目标资产：").await;
    assert!(first.contains("编号  主机名     IP地址\r\n1     web-10     10.66.1.210"), "{first}");
    terminal.type_keys("n\r").await;
    assert!(terminal.expect("请选择目标资产：").await.contains("11    node-04"));
    terminal.type_keys("p\r").await;
    terminal.expect("请选择目标资产：").await;
    terminal.type_keys("3\r").await;
    terminal.expect("请选择登录帐号：").await;
    terminal.type_keys("1\r").await;
    is_on(&mut terminal, "app", "web-2").await;
}
