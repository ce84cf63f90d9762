//! `portcullis plugin`: what is loaded, whether a component can be, what it makes of one input, and its cases.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use e2e::mcp::program;
use e2e::scene::Scene;
use serde_json::Value;

pub(crate) struct Ran {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a plugin command with the scene's configuration.
pub(crate) fn plugin(scene: &Scene, arguments: &[&str]) -> Ran {
    let mut command = Command::new(program());
    command.arg("plugin").args(arguments).arg("--config").arg(scene.path("portcullis.toml"));
    let output = command.current_dir(&scene.folder).stdin(Stdio::null()).output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { success: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

pub(crate) fn succeed(scene: &Scene, arguments: &[&str]) -> String {
    let ran = plugin(scene, arguments);
    assert!(ran.success, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    ran.stdout
}

/// Both streams of a command that must fail.
fn fail(scene: &Scene, arguments: &[&str]) -> String {
    let ran = plugin(scene, arguments);
    assert!(!ran.success, "{arguments:?} did not fail: {}", ran.stdout);
    ran.stdout + &ran.stderr
}

fn scene() -> Scene {
    let scene = Scene::empty();
    scene.configure("");
    scene
}

fn plugins_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("plugins")
}

const BUILT_IN: [&str; 13] = [
    "log-search-grep",
    "navigator-cmsm",
    "navigator-jumpserver",
    "navigator-script",
    "parser-files",
    "parser-git-log",
    "parser-git-status",
    "parser-ls",
    "parser-network",
    "parser-system",
    "parser-table",
    "policy-rules",
    "policy-standard",
];

#[test]
fn every_component_is_listed_with_digest_and_origin() {
    let scene = scene();
    let list: Value = serde_json::from_str(&succeed(&scene, &["list", "--json"])).unwrap();
    let mut names: Vec<&str> = list.as_array().unwrap().iter().map(|line| line["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, BUILT_IN);
    for line in list.as_array().unwrap() {
        let kind = line["kind"].as_str().unwrap();
        let version = if kind == "policy" { "0.2.0" } else { "0.1.0" };
        assert_eq!(line["contract"], format!("portcullis:{kind}@{version}"), "{line}");
        assert_eq!((line["origin"].as_str(), line["digest_sha256"].as_str().unwrap().len()), (Some("built in"), 64));
        assert!(line["size_bytes"].as_u64().unwrap() > 10_000 && line["limits"]["fuel"].as_u64().unwrap() > 0);
    }
    let shown = succeed(&scene, &["list"]);
    assert!(BUILT_IN.iter().all(|name| shown.contains(name)), "{shown}");
}

#[test]
fn a_plugin_tells_its_rules_or_its_schema() {
    let scene = scene();
    let policy = succeed(&scene, &["info", "policy-standard"]);
    assert!(policy.contains("delete/root") && policy.contains("portcullis:host/log@0.1.0"), "{policy}");
    let parser: Value = serde_json::from_str(&succeed(&scene, &["info", "parser-ls", "--json"])).unwrap();
    assert_eq!(parser["schemas"][0]["name"], "ls/1");
    assert_eq!(parser["exports"][0], "portcullis:parser/output-parser@0.1.0");
    let unknown = fail(&scene, &["info", "parser-lx"]);
    assert!(unknown.contains("`parser-lx`") && unknown.contains("parser-ls"), "{unknown}");
}

#[test]
fn what_is_no_component_is_told_apart() {
    let scene = scene();
    for (bytes, expected) in [
        (&b"\0asm\x01\0\0\0"[..], "is a core module, not a component"),
        (b"#!/bin/sh\n", "is not a WebAssembly file"),
        (b"\0asm\x0d\0\x01\0", "none of which is a Portcullis plugin's interface"),
    ] {
        std::fs::write(scene.path("x.wasm"), bytes).unwrap();
        let said = fail(&scene, &["check", "x.wasm"]);
        assert!(said.contains(expected), "{said}");
    }
    assert!(fail(&scene, &["check", "absent.wasm"]).contains("absent.wasm cannot be read"));
}

#[test]
fn one_input_gives_one_answer() {
    let scene = scene();
    let verdict = succeed(&scene, &["run", "policy-standard", "--line", "ls; rm -rf /"]);
    assert!(verdict.starts_with("verdict deny\ndeny by delete/root"), "{verdict}");
    assert!(verdict.contains("    ls; rm -rf /\n        ^^^^^^^^\n"), "{verdict}");
    let mild = succeed(&scene, &["run", "policy-standard", "--line", "rm -r build", "--mode", "full"]);
    assert!(mild.starts_with("verdict warn\n"), "{mild}");

    std::fs::write(scene.path("listing"), "-rw-r--r-- 1 a b 7 Nov 21 04:15 x\nodd\n").unwrap();
    let parsed = succeed(&scene, &["run", "parser-ls", "--command", "ls -l", "--output", "listing", "--json"]);
    let parsed: Value = serde_json::from_str(&parsed).unwrap();
    assert_eq!((&parsed["documents"][0]["size_bytes"], &parsed["unparsed"][0]["line"]), (&7.into(), &2.into()));

    std::fs::write(scene.path("found"), "/l/a.log:3:ERROR timeout\n").unwrap();
    let search = ["run", "log-search-grep", "--query", "timeout", "--source", "/l", "--output", "found"];
    let found = succeed(&scene, &search);
    assert!(found.contains("plan: ") && found.contains("find -H /l") && found.ends_with("1 matches\n"), "{found}");

    let script = "[goal]\ntarget = '10.66.12.21'\nuser = 'root'\n[[script]]\nscreen = \"CMSM\\nTarget IP: \"\nline = '10.66.12.21'\n";
    std::fs::write(scene.path("script.toml"), script).unwrap();
    let walk = succeed(&scene, &["run", "navigator-cmsm", "--script", "script.toml"]);
    assert!(walk.starts_with("the line `10.66.12.21`\n") && walk.contains("failed: menu-silent"), "{walk}");

    let other = fail(&scene, &["run", "parser-ls", "--line", "ls"]);
    assert!(other.contains("`parser-ls` is a parser plugin"), "{other}");
}

#[test]
fn the_built_in_components_pass_their_cases() {
    let scene = scene();
    let folders = BUILT_IN.map(|name| plugins_folder().join(name).display().to_string());
    let said = succeed(&scene, &[&["test"], folders.each_ref().map(String::as_str).as_slice()].concat());
    let passed = said.lines().filter(|line| line.starts_with("ok  ")).count();
    assert!(passed >= 40, "{said}");
    assert!(said.ends_with(&format!("{passed} passed, 0 failed\n")), "{said}");
    assert!(BUILT_IN.iter().all(|name| said.contains(&format!("on `{name}`"))), "{said}");
}

/// Each of these cases is wrong, and says in which way.
#[test]
fn a_case_that_does_not_hold_fails_with_what_differs() {
    let scene = scene();
    let cases = [
        (
            "policy-standard",
            "line = 'rm -rf /'\nverdict = 'allow'",
            &["expected allow, got deny for `rm -rf /`", "deny by delete/root because of `rm -rf /`"][..],
        ),
        (
            "policy-standard",
            "line = 'rm -rf /'\nverdict = 'deny'\nrule = 'delete/roof'",
            &["expected deny by delete/roof, got deny"],
        ),
        (
            "parser-ls",
            "command = 'ls -l'\noutput = \"-rw-r--r-- 1 a b 7 Nov 21 04:15 x\\nodd\\n\"\ndocuments = [{ name = 'x', size_bytes = 8 }]",
            &[
                "documents[0].size_bytes: expected 8, got 7",
                "documents[0].owner: expected nothing, got \"a\"",
                "unparsed: expected 0, got 1",
                "line 2: odd",
            ],
        ),
        (
            "parser-ls",
            "command = 'ls -l'\noutput = \"-rw-r--r-- 1 a b 7 Nov 21 04:15 x\\n\"\ncontains = [{ name = 'y' }]",
            &["no document has {\"name\":\"y\"}; there are 1"],
        ),
        ("parser-ls", "command = 'ls'\noutput = 'x'\ndocument_count = 1", &["was not claimed"]),
        (
            "log-search-grep",
            "query = 'x'\nsources = ['/l']\ntools = []\nstages = [['find', '-L']]",
            &["stages[0][1]: expected \"-L\", got \"-H\""],
        ),
        (
            "navigator-cmsm",
            "goal = { target = 'a', user = 'root' }\ndone = 'a'\n[[case.script]]\nscreen = \"CMSM\\nTarget IP: \"\nline = 'b'",
            &["the line `a`, where the script expects the line `b`", "| Target IP:"],
        ),
        (
            "navigator-cmsm",
            "goal = { target = 'a', user = 'root' }\nfail = 'menu-silent'\n[[case.script]]\nscreen = \"CMSM\\nTarget IP: \"\nline = 'a'\n[[case.script]]\nline = 'never'",
            &["1 steps of the script were not reached"],
        ),
    ];
    for (plugin, case, expected) in cases {
        std::fs::write(scene.path("wrong.toml"), format!("builtin = '{plugin}'\n[[case]]\nname = 'wrong'\n{case}\n"))
            .unwrap();
        let said = fail(&scene, &["test", "wrong.toml"]);
        assert!(said.contains("FAIL  wrong") && said.contains("1 of 1 cases failed"), "{said}");
        for part in expected {
            assert!(said.contains(part), "`{part}` is not in: {said}");
        }
    }
}

#[test]
fn cases_that_cannot_be_run_are_refused() {
    let scene = scene();
    let head = "builtin = 'policy-standard'\n[[case]]\nname = 'a'\n";
    let parser = "builtin = 'parser-ls'\n[[case]]\nname = 'a'\ncommand = 'ls -l'\noutput = ''\n";
    let navigator = "builtin = 'navigator-cmsm'\n[[case]]\nname = 'a'\nscript = []\n";
    for (text, expected) in [
        (format!("{head}line = 'ls'\nverdict = 'allow'\nvredict = 'deny'\n"), "unknown field `vredict`"),
        (format!("{head}line = 'ls'\n"), "missing field `verdict`"),
        (format!("{head}line = 'ls'\nverdict = 'maybe'\n"), "unknown variant `maybe`"),
        ("builtin = 'policy-standard'\n".to_owned(), "it has no [[case]]"),
        ("builtin = 'policy-standard'\n[[case]]\nline = 'ls'\nverdict = 'allow'\n".to_owned(), "case 1 has no `name`"),
        ("[[case]]\nname = 'a'\nline = 'ls'\nverdict = 'allow'\n".to_owned(), "it names no `component`"),
        (
            "component = 'x.wasm'\n[[case]]\nname = 'a'\nline = 'ls'\nverdict = 'allow'\n".to_owned(),
            "x.wasm is not there; `portcullis plugin build` makes it",
        ),
        (format!("extra = 1\n{head}"), "unknown field `extra`"),
        (format!("{head}line = 'ls'\nverdict = 'allow'\nsettings = {{ alow = [] }}\n"), "alow"),
        (parser.to_owned(), "it expects nothing"),
        (format!("{parser}claimed = false\nunparsed = 0\n"), "keep one of the two"),
        (navigator.to_owned(), "say how the navigation ends"),
        (
            format!(
                "{}done = 'x'\nscript = [{{ line = 'a', keys = ['b'] }}]\n",
                navigator.replace("script = []\n", "")
            ),
            "step 1 of the script asks for several replies",
        ),
    ] {
        std::fs::write(scene.path("cases.toml"), &text).unwrap();
        let said = fail(&scene, &["test", "cases.toml"]);
        assert!(said.contains(expected), "`{expected}` is not in: {said}\nof: {text}");
    }
    let nothing = fail(&scene, &["test"]);
    assert!(nothing.contains("has neither tests.toml nor tests/*.toml"), "{nothing}");
}
