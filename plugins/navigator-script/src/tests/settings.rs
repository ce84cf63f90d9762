//! What is refused before anything is typed: scripts that cannot work and routes that do not fit.

use portcullis_plugin::PluginError;
use portcullis_plugin::navigator::Navigator;
use serde_json::{Value, json};

use super::{goal, picker, preset, screen};
use crate::Scripted;

#[test]
fn routes_are_checked() {
    for bad in
        [vec![], vec![("target", "a;b")], vec![("target", "a"), ("taget", "b")], vec![("target", "a"), ("pod", "x")]]
    {
        let result = Scripted::begin(&preset().to_string(), goal(&bad));
        assert!(matches!(result, Err(PluginError::InvalidInput(_))), "{bad:?}");
    }
    assert!(matches!(Scripted::begin("{}", goal(&[])), Err(PluginError::InvalidConfig(_))));
}

#[test]
fn scripts_are_checked_when_they_are_loaded() {
    assert!(Scripted::validate_config("{}").is_empty());
    assert!(Scripted::validate_config(&preset().to_string()).is_empty());
    assert!(Scripted::validate_config(&picker().to_string()).is_empty());
    let with = |rule: Value| json!({ "parameters": { "a": {} }, "states": { "start": { "on": [rule] } } });
    for (script, path) in [
        (json!({ "preset": "numbered" }), "preset"),
        (json!({ "start": "x" }), "states"),
        (json!({ "preset": "numbered-menu", "timeout_ms": 1 }), "timeout_ms"),
        (json!({ "preset": "numbered-menu", "start": "x" }), "start"),
        (json!({ "preset": "numbered-menu", "max_sends": 0 }), "max_sends"),
        (json!({ "preset": "numbered-menu", "patterns": { "denied": "(" } }), "patterns.denied"),
        (with(json!({ "then": "x" })), "states.start.on[0].then"),
        (with(json!({ "line": "x" })), "states.start.on[0]"),
        (with(json!({ "line": "x", "run": "y", "then": "start" })), "states.start.on[0]"),
        (with(json!({})), "states.start.on[0]"),
        (with(json!({ "done": { "label": "x" }, "then": "start" })), "states.start.on[0].then"),
        (with(json!({ "line": "{b}", "then": "start" })), "states.start.on[0].line"),
        (with(json!({ "line": "a\nb", "then": "start" })), "states.start.on[0].line"),
        (with(json!({ "last_line": "[", "then": "start" })), "states.start.on[0].last_line"),
        (with(json!({ "last_line": "(?P<a>x)", "then": "start" })), "states.start.on[0].last_line"),
        (with(json!({ "secret": "a b", "then": "start" })), "states.start.on[0].secret"),
        (with(json!({ "lines": "a", "then": "start" })), "states.start.on[0].lines"),
        (
            with(json!({ "choose": { "row": "(?P<n>x)", "fits": [] }, "then": "start" })),
            "states.start.on[0].choose.fits",
        ),
        (
            with(json!({ "choose": { "row": "(?P<n>x)", "fits": [{ "m": "x" }] }, "then": "start" })),
            "states.start.on[0].choose.fits.m",
        ),
        (with(json!({ "use": { "step": "doas", "user": "x" }, "then": "start" })), "states.start.on[0].use.step"),
        (with(json!({ "use": { "step": "su" }, "then": "start" })), "states.start.on[0].use.user"),
        (
            with(json!({ "use": { "step": "su", "user": "x", "host": "y" }, "then": "start" })),
            "states.start.on[0].use.host",
        ),
    ] {
        let wrong = Scripted::validate_config(&script.to_string());
        let paths: Vec<&str> = wrong.iter().map(|wrong| wrong.path.as_str()).collect();
        assert!(paths.contains(&path), "{script}: {wrong:?}");
    }
}

#[test]
fn a_bastion_is_recognised_by_its_last_line() {
    assert_eq!(Scripted::recognise(&preset().to_string(), &screen("x\n请选择目标资产：")), 90);
    assert_eq!(Scripted::recognise(&preset().to_string(), &screen("root@host:~# ")), 0);
    assert_eq!(Scripted::recognise("{}", &screen("Select a host: ")), 0);
}
