//! The menu as the login program of a real sshd: what an installed lab does.

use std::path::Path;
use std::process::Command;

use e2e::mcp::program;
use e2e::scene::{Scene, sshd_profile};
use e2e::sshd::{Sshd, SshdOptions};
use serde_json::json;

const ROUTE: &str = r#"
navigator = { plugin = "navigator-cmsm" }

[profiles.real.routes.payments]
target = "master-b"
user = "app"
namespace = "payments"
pod = "payments-api-*"
"#;

fn lab(arguments: &[&str]) {
    let program = program().with_file_name("portcullis-lab");
    assert!(program.exists(), "{} is missing; build it: cargo build --release -p lab", program.display());
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn an_installed_menu_is_crossed_and_can_be_taken_out_again() {
    let scene = Scene::empty();
    let home = scene.path("home");
    std::fs::create_dir(&home).unwrap();
    let startup = home.join(".bashrc");
    let before = "# mine\nalias ll='ls -l'\n";
    std::fs::write(&startup, before).unwrap();
    let prefix = scene.path("installed");
    let install = ["install", "--prefix", text(&prefix), "--auto-start", "--bashrc", text(&startup)];
    lab(&install);
    let once = std::fs::read_to_string(&startup).unwrap();
    lab(&install);
    assert_eq!(std::fs::read_to_string(&startup).unwrap(), once, "installing twice is installing once");
    assert!(once.starts_with(before));

    // A login shell of a user with this home; the real one's start-up files stay out of it.
    let options = SshdOptions {
        config_lines: vec![format!("ForceCommand HOME={} bash -i", text(&home))],
        ..SshdOptions::default()
    };
    let sshd = Sshd::start(options);
    scene.configure(&format!("{}{ROUTE}", sshd_profile("real", &sshd)));
    let mut client = scene.client();
    let opened = client.succeed("ssh_open", json!({ "profile": "real", "route": "payments" }));
    let place = &opened["navigation"]["breadcrumb"];
    assert_eq!(place[1], "master-b", "{opened}");
    assert!(place[2].as_str().unwrap().starts_with("payments/payments-api-"), "{opened}");
    assert_eq!(client.succeed("ssh_run", json!({ "command": "exit 0" }))["session"]["breadcrumb"][1], "master-b");
    client.succeed("ssh_stop", json!({}));

    lab(&["uninstall", "--prefix", text(&prefix), "--bashrc", text(&startup)]);
    assert_eq!(std::fs::read_to_string(&startup).unwrap(), before, "nothing of it is left");
}
