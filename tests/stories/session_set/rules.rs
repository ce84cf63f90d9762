//! The four tools for rules of one session.

use serde_json::json;

use super::{connected, done, refused, run};

#[test]
fn a_rule_of_a_session_forbids_there_until_it_is_removed() {
    let (_sshd, _scene, mut client) = connected();
    let empty = done(&mut client, "ssh-session-policy-list", json!({}));
    assert_eq!((&empty["builtInRulesImmutable"], &empty["sessionRuleCount"]), (&json!(true), &json!(0)), "{empty}");
    let rule = json!({
        "id": "no-prod", "pattern": "PROD", "flags": "i", "action": "error", "category": "blocked",
        "message": "not there", "suggestion": "use staging"
    });
    let set = done(&mut client, "ssh-session-policy-upsert", rule);
    assert_eq!(
        (&set["rule"]["id"], &set["rule"]["priority"], &set["sessionRuleCount"]),
        (&json!("no-prod"), &json!(1000), &json!(1))
    );
    let blocked = refused(&mut client, "ssh-run", json!({ "command": "echo prod" }));
    assert_eq!(blocked["error"], "COMMAND_BLOCKED", "{blocked}");
    assert!(blocked["message"].as_str().unwrap().contains("not there"), "{blocked}");
    assert_eq!(blocked["suggestion"], "use staging", "{blocked}");
    done(&mut client, "ssh-session-open", json!({ "device": "board", "includeDashboard": false }));
    let (elsewhere, _) = run(&mut client, "echo prod");
    assert_eq!(elsewhere["exitCode"], 0, "it holds in its own session only: {elsewhere}");
    done(&mut client, "ssh-session-set-active", json!({ "session": "board/main" }));
    let unknown = refused(&mut client, "ssh-session-policy-remove", json!({ "id": "other" }));
    assert_eq!((&unknown["error"], &unknown["reason"]), (&json!("POLICY_RULE_REMOVE_REJECTED"), &json!("not_found")));
    let removed = done(&mut client, "ssh-session-policy-remove", json!({ "id": "no-prod" }));
    assert_eq!((&removed["removedRuleId"], &removed["removalResult"]), (&json!("no-prod"), &json!("removed_override")));
    assert_eq!(run(&mut client, "echo prod").0["exitCode"], 0);
}

#[test]
fn a_rule_that_only_warns_lifts_nothing_and_one_of_the_configuration_stays() {
    let (_sshd, scene, client) = super::one_device();
    drop(client);
    let path = scene.path("portcullis.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let rule = "\n[[profiles.board.rules]]\nid = 'kept'\naction = 'deny'\npattern = 'forbidden'\nmessage = 'by the operator'\n";
    std::fs::write(&path, format!("{text}{rule}")).unwrap();
    let mut client = super::client(&path);
    done(&mut client, "ssh-quick-connect", json!({}));
    let loose = json!({ "id": "kept", "pattern": "forbidden", "action": "warning", "mode": "both" });
    let set = done(&mut client, "ssh-session-policy-upsert", loose);
    assert!(set["notes"][0].as_str().unwrap().contains("stays forbidden"), "{set}");
    let blocked = refused(&mut client, "ssh-run", json!({ "command": "echo forbidden" }));
    assert!(blocked["message"].as_str().unwrap().contains("by the operator"), "{blocked}");
    let removed = done(&mut client, "ssh-session-policy-remove", json!({ "id": "kept" }));
    assert_eq!(removed["removalResult"], "restored_default", "{removed}");
    let kept = refused(&mut client, "ssh-session-policy-remove", json!({ "id": "kept" }));
    assert_eq!(
        (&kept["error"], &kept["reason"]),
        (&json!("POLICY_RULE_REMOVE_REJECTED"), &json!("default_rule_protected"))
    );
    done(&mut client, "ssh-session-policy-upsert", json!({ "id": "mine", "pattern": "x", "action": "log" }));
    let reset = done(&mut client, "ssh-session-policy-reset", json!({}));
    assert_eq!((&reset["inheritedRuleCount"], &reset["sessionOverrideRuleCount"]), (&json!(1), &json!(0)), "{reset}");
    let wrong =
        refused(&mut client, "ssh-session-policy-upsert", json!({ "id": "bad", "pattern": "(", "action": "error" }));
    assert_eq!(
        (&wrong["error"], &wrong["failureCategory"]),
        (&json!("INVALID_PATTERN"), &json!("config-error")),
        "{wrong}"
    );
}
