//! A bastion asks for a password on the way: the operator's configuration answers, not the navigator.

use e2e::mcp::Client;
use e2e::scene::{PASSWORD, PASSWORD_VARIABLE, Scene};
use serde_json::json;

const TARGET_PASSWORD: &str = "swordfish-behind-the-menu";
const VARIABLE: &str = "STORIES_TARGET_PASSWORD";
const GRANT: &str = "\n[plugins.navigator-cmsm]\ngrants = [\"secret:root-master\"]\n";
const BOUND: &str = "secrets = { root-master = { env = \"STORIES_TARGET_PASSWORD\" } }";

/// A bastion that asks for a password before it leads to a host, and a profile that is changed by `adjust`.
fn scene(adjust: impl FnOnce(String) -> String) -> Scene {
    let scene = Scene::with_bastion(|options| options.target_password = Some(TARGET_PASSWORD.to_owned()));
    let path = scene.path("portcullis.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, adjust(text)).unwrap();
    scene
}

fn bound(text: String) -> String {
    let navigator = "menu_label = \"bastion\"";
    let route = "[profiles.lab.routes.orders-api]\n";
    assert!(text.contains(navigator) && text.contains(route), "{text}");
    let text = text.replace(navigator, &format!("{navigator}, {BOUND}"));
    text.replace(route, &format!("{route}password_secret = \"root-master\"\n")) + GRANT
}

fn client(scene: &Scene, target_password: &str) -> Client {
    let environment = [(PASSWORD_VARIABLE, PASSWORD), (VARIABLE, target_password)];
    Client::start(&scene.path("portcullis.toml"), &environment)
}

#[test]
fn a_bound_secret_is_given_and_is_nowhere_else() {
    let scene = scene(bound);
    let mut client = client(&scene, TARGET_PASSWORD);
    let opened = client.succeed("ssh_open", json!({ "profile": "lab", "route": "orders-api" }));
    assert_eq!(opened["session"]["breadcrumb"][1], "master-a", "{opened}");
    assert_eq!(client.succeed("ssh_run", json!({ "command": "echo there" }))["text"], "there\n");
    let steps = opened["navigation"]["steps"].to_string();
    assert!(steps.contains("gave the secret `root-master`"), "{steps}");
    let lines = scene.transcript(opened["session"]["session_id"].as_str().unwrap());
    let secret = lines.iter().find(|line| line["kind"] == "secret_input").expect("it is on record that one was given");
    assert_eq!(secret["actor"], "automation");
    let verdict = lines.iter().find(|line| line["text"] == "(the secret `root-master`)").unwrap();
    assert_eq!(verdict["verdict"], "allow");
    let history = client.succeed("ssh_read", json!({ "what": "history" })).to_string();
    let everything = format!("{opened}{history}{}", serde_json::to_string(&lines).unwrap());
    assert!(!everything.contains(TARGET_PASSWORD) && !everything.contains("swordfish"));
}

#[test]
fn a_wrong_one_is_tried_once_and_a_missing_one_not_at_all() {
    let scene = scene(bound);
    let wrong = client(&scene, "wrong").fail("ssh_open", json!({ "profile": "lab", "route": "orders-api" }));
    assert!(wrong["summary"].as_str().unwrap().contains("did not take the password of root"), "{wrong}");
    assert!(wrong.to_string().matches("Permission denied").count() <= 1, "{wrong}");
    let missing = scene.client().fail("ssh_open", json!({ "profile": "lab", "route": "orders-api" }));
    assert!(missing["summary"].as_str().unwrap().contains(VARIABLE), "{missing}");
    assert!(!missing.to_string().contains("Permission denied"), "{missing}");
}

#[test]
fn without_a_name_in_the_route_the_way_to_give_one_is_told() {
    let scene = scene(|text| text);
    let needed = scene.client().fail("ssh_open", json!({ "profile": "lab", "route": "orders-api" }));
    assert!(needed["summary"].as_str().unwrap().contains("`password_secret`"), "{needed}");
}
