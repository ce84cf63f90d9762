//! From a file to a plugin, or to a refusal that says why.

use portcullis_sandbox::policy::{EarlierDecision, Verdict};
use portcullis_sandbox::{CallError, Compiler, Limits, LoadError, PluginKind};

use crate::support::{AS_TOLD, core_module, guest, lab, plan_of, renamed, request, sandbox_at};

const INTERFACE: &str = "portcullis:policy/command-policy@0.2.0";

async fn refusal(bytes: &[u8]) -> LoadError {
    refusal_with(bytes, "{}", Limits::policy()).await
}

async fn refusal_with(bytes: &[u8], settings: &str, limits: Limits) -> LoadError {
    match lab(4).sandbox.load_policy("p", bytes, settings, limits).await {
        Ok(_) => panic!("it was loaded"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_good_policy_is_loaded_and_described() {
    let bytes = guest("misbehaving");
    let policy = lab(4).sandbox.load_policy("p", bytes, AS_TOLD, Limits::policy()).await.unwrap();
    let info = policy.info();
    assert_eq!((info.kind, info.contract_version.as_str()), (PluginKind::Policy, "0.2.0"));
    assert_eq!((info.size_bytes, info.calls, info.failures), (bytes.len(), 0, 0));
    assert_eq!(info.digest_sha256.len(), 64);
    assert_eq!(policy.rules()[0].rule_id, "lab/misbehaving");
    // The sandbox is gone, the plugin works.
    assert_eq!(policy.evaluate(&request("id")).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_component_is_named_for_what_it_is() {
    let error = refusal(b"#!/bin/sh\necho no").await;
    assert!(matches!(error, LoadError::NotWebAssembly { .. }), "{error}");
    let error = refusal(b"").await;
    assert!(matches!(error, LoadError::NotWebAssembly { .. }), "{error}");
    let error = refusal(&core_module("misbehaving")).await;
    assert!(error.to_string().contains("a core module, not a component: build it with"), "{error}");
}

#[tokio::test]
async fn a_damaged_component_is_refused_wherever_it_is_cut() {
    let bytes = guest("misbehaving");
    for end in [9, 100, 1_000, bytes.len() / 2, bytes.len() - 1] {
        let error = refusal(&bytes[..end]).await;
        assert!(matches!(error, LoadError::Invalid { .. } | LoadError::NoKind { .. }), "cut at {end}: {error}");
    }
}

#[tokio::test]
async fn an_import_of_wasi_is_refused_by_name() {
    let error = refusal(guest("misbehaving-imports")).await;
    assert!(matches!(&error, LoadError::ForbiddenImport { imports, .. } if imports.contains("wasi:clocks")), "{error}");
    assert!(error.to_string().contains("which no plugin gets"), "{error}");
}

#[tokio::test]
async fn another_kind_says_which_it_is() {
    let error =
        lab(4).sandbox.load_navigator("n", guest("misbehaving"), "{}", Limits::navigator()).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        "plugin `n` is a policy plugin, but is set up as a navigator plugin: move it to that section"
    );
}

#[tokio::test]
async fn another_version_says_which_it_is() {
    let bytes = renamed(guest("misbehaving"), INTERFACE, "portcullis:policy/command-policy@0.3.0");
    let error = refusal(&bytes).await;
    assert!(error.to_string().contains("was built for portcullis:policy@0.3.0, this host has 0.1 to 0.2:"), "{error}");
}

#[tokio::test]
async fn a_patch_version_of_the_contract_is_taken() {
    let bytes = renamed(guest("misbehaving"), INTERFACE, "portcullis:policy/command-policy@0.2.7");
    let policy = lab(4).sandbox.load_policy("p", &bytes, AS_TOLD, Limits::policy()).await.unwrap();
    assert_eq!(policy.info().contract_version, "0.2.7");
}

#[tokio::test]
async fn a_policy_built_for_the_first_version_answers_beside_one_of_today() {
    let frozen = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/frozen/0.1.0/policy.wasm")).unwrap();
    let lab = lab(4);
    let old = lab.sandbox.load_policy("old", &frozen, "{}", Limits::policy()).await.unwrap();
    let new = lab.sandbox.load_policy("new", guest("misbehaving"), AS_TOLD, Limits::policy()).await.unwrap();
    assert_eq!((old.info().contract_version.as_str(), new.info().contract_version.as_str()), ("0.1.0", "0.2.0"));
    assert_eq!(old.rules()[0].rule_id, "team/people-only");
    let mut line = request("reboot --now");
    line.plan = Some(plan_of(&["reboot", "--now"]));
    line.earlier.push(EarlierDecision {
        policy: "new".into(),
        verdict: Verdict::Warn,
        rule_id: "lab/misbehaving".into(),
        category: "lab".into(),
    });
    let decisions = old.evaluate(&line).await.unwrap();
    assert_eq!((decisions.len(), decisions[0].verdict), (1, Verdict::Deny));
    assert_eq!(decisions[0].evidence.map(|span| (span.start, span.end)), Some((0, 12)));
    assert_eq!(new.evaluate(&line).await.unwrap().len(), 1);
    // What it may send is measured in its records too.
    line.earlier[0].rule_id = "x".repeat(1 << 20);
    assert!(matches!(old.evaluate(&line).await, Err(CallError::Request { .. })));
}

#[tokio::test]
async fn another_shape_is_found_before_the_first_decision() {
    // A record's field has another name; everything else is the contract.
    let bytes = renamed(guest("misbehaving"), "suggestion", "suggestiom");
    let error = refusal(&bytes).await;
    assert!(matches!(&error, LoadError::Shape { difference, .. } if difference.contains("suggestio")), "{error}");
    // A function is missing under its name.
    let bytes = renamed(guest("misbehaving"), "validate-config", "validate-confix");
    let error = refusal(&bytes).await;
    assert!(matches!(&error, LoadError::Shape { difference, .. } if difference.contains("validate-config")), "{error}");
}

#[tokio::test]
async fn a_component_that_traps_at_its_start_is_refused() {
    let error = refusal(guest("misbehaving-refuses")).await;
    assert!(
        matches!(&error, LoadError::Trial { stage: "being started", source: CallError::Trap { .. }, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn sizes_names_and_settings_are_checked() {
    let bytes = guest("misbehaving");
    let small = Limits { max_component_bytes: 1_000, ..Limits::policy() };
    assert!(matches!(refusal_with(bytes, "{}", small).await, LoadError::TooLarge { limit_bytes: 1_000, .. }));
    let no_memory = Limits { memory_bytes: 65_536, ..Limits::policy() };
    assert!(matches!(refusal_with(bytes, "{}", no_memory).await, LoadError::Resources { .. }));
    for settings in ["", "[]", "{", "{} {}"] {
        let error = refusal_with(bytes, settings, Limits::policy()).await;
        assert!(matches!(error, LoadError::SettingsNotJson { .. }), "{settings}: {error}");
    }
    let error = refusal_with(bytes, "{\"complaint\":\"must\\u001b[31m not be\"}", Limits::policy()).await;
    assert_eq!(error.to_string(), "plugin `p` does not take its settings: complaint: must[31m not be");
    let error = refusal_with(bytes, r#"{"behaviour":"loop","where":"validate"}"#, Limits::policy()).await;
    assert!(matches!(error, LoadError::Trial { source: CallError::OutOfFuel { .. }, .. }), "{error}");
    for name in ["", "a b", "../p", "a\u{1b}", &"x".repeat(65)] {
        let error = lab(4).sandbox.load_policy(name, bytes, "{}", Limits::policy()).await.err().unwrap();
        assert!(matches!(error, LoadError::Name { .. }), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_second_load_takes_the_compiled_code_and_a_damaged_one_is_made_again() {
    let lab = lab(4);
    let bytes = guest("misbehaving");
    lab.sandbox.load_policy("p", bytes, AS_TOLD, Limits::policy()).await.unwrap();
    let cached = || {
        let mut files: Vec<_> =
            std::fs::read_dir(lab.home.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    };
    let file = cached();
    let code = std::fs::read(&file).unwrap();
    let inode = |file: &std::path::Path| std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(file).unwrap());

    // Unchanged: another sandbox leaves the file as it is.
    let before = inode(&file);
    let second = sandbox_at(lab.home.path(), Compiler::InProcess, 4);
    second.load_policy("p", bytes, AS_TOLD, Limits::policy()).await.unwrap();
    assert_eq!(inode(&cached()), before);

    // Damaged in its middle: compiled again, and the plugin works.
    let mut damaged = code.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    std::fs::write(&file, &damaged).unwrap();
    let policy = second.load_policy("p", bytes, AS_TOLD, Limits::policy()).await.unwrap();
    assert_eq!(policy.evaluate(&request("id")).await.unwrap().len(), 1);
    assert_eq!(std::fs::read(cached()).unwrap().len(), code.len());
    assert_ne!(std::fs::read(cached()).unwrap(), damaged);
}
